/* Semaphore sets. A call whose operations cannot all be done at once is queued on its set;
 * whoever changes the set does the operations of those that can go on, oldest first, on
 * their behalf (sem(7)'s order in Linux: first who waits for zero, then the others). */
#include "sentry/ipc/sem.h"

#include <stdlib.h>
#include <string.h>

#include "platform/base/list.h"
#include "sentry/ipc/ipc.h"
#include "sentry/ipc/sem_impl.h"
#include "sentry/mm/usercopy.h"
#include "sentry/task/task.h"
#include "sentry/time/clock.h"

struct sem_wait {		/* t->restart.ptr */
	struct list node;	/* in set->zero or set->alter; self-linked when done */
	struct task *t;
	struct ipc_ns *ns;
	struct sem_set *set;	/* NULL when done */
	struct sem_undo *un;	/* borrowed: the list of t keeps it; NULL: no SEM_UNDO */
	const struct lx_sembuf *blocking;
	bool alter;
	long result;		/* when done */
	unsigned nops;
	struct lx_sembuf op[];
};

static uint64_t wait_size(unsigned nops)
{
	return sizeof(struct sem_wait) + nops * sizeof(struct lx_sembuf);
}

static uint64_t undo_size(const struct sem_set *s)
{
	return sizeof(struct sem_undo) + s->nsems * sizeof(int16_t);
}

/* ---- undo lists ---- */

static void undo_free(struct sem_undo *un)
{
	list_del_init(&un->in_set);
	list_del_init(&un->in_list);
	ipc_free(un->set->ns, un, undo_size(un->set));
}

static struct sem_undo_list *undo_list_of(struct task *t)
{
	if (!t->sem_undo) {
		t->sem_undo = calloc(1, sizeof(*t->sem_undo));
		if (!t->sem_undo)
			return NULL;
		t->sem_undo->users = 1;
		list_init(&t->sem_undo->undos);
	}
	return t->sem_undo;
}

static struct sem_undo *undo_of(struct task *t, struct sem_set *s)
{
	struct sem_undo_list *ul = undo_list_of(t);
	struct sem_undo *un;

	if (!ul)
		return NULL;
	list_for_each(un, &ul->undos, in_list) {
		if (un->set != s)
			continue;
		list_del_init(&un->in_list);
		list_push_front(&ul->undos, &un->in_list);
		return un;
	}
	un = ipc_alloc(s->ns, undo_size(s));
	if (!un)
		return NULL;
	un->set = s;
	list_push_front(&ul->undos, &un->in_list);
	list_push_back(&s->undos, &un->in_set);
	return un;
}

int sem_clone(struct task *c, struct task *t, bool share)
{
	if (!share)
		return 0;
	c->sem_undo = undo_list_of(t);
	if (!c->sem_undo)
		return -LX_ENOMEM;
	c->sem_undo->users++;
	return 0;
}

static void pay(struct sem_undo *un, int pid)
{
	struct sem_set *s = un->set;

	for (unsigned i = 0; i < s->nsems; i++) {
		int v = s->sem[i].val + un->adj[i];

		if (!un->adj[i])
			continue;
		s->sem[i].val = (uint16_t)(v < 0 ? 0 : v > LX_SEMVMX ? LX_SEMVMX : v);
		s->sem[i].pid = pid;
	}
	undo_free(un);
	s->otime = ipc_now();
	sem_set_changed(s);
}

void sem_exit(struct task *t)
{
	struct sem_undo_list *ul = take(&t->sem_undo);

	sem_wait_end(t);
	if (!ul || --ul->users)
		return;
	while (!list_empty(&ul->undos))
		pay(list_first(&ul->undos, struct sem_undo, in_list), t->tg->tgid);
	free(ul);
}

/* ---- operations ---- */

/* Take back the operations before `end`. */
static void revert(const struct sem_wait *w, const struct lx_sembuf *end)
{
	for (const struct lx_sembuf *o = end; o-- > w->op;) {
		w->set->sem[o->num].val = (uint16_t)(w->set->sem[o->num].val - o->op);
		if (o->flg & LX_SEM_UNDO)
			w->un->adj[o->num] = (int16_t)(w->un->adj[o->num] + o->op);
	}
}

/* All operations or none. 0: done; 1: has to wait; -LX_EAGAIN, -LX_ERANGE. */
static int perform(struct sem_wait *w)
{
	struct sem_set *s = w->set;
	const struct lx_sembuf *o;

	for (o = w->op; o < w->op + w->nops; o++) {
		int v = s->sem[o->num].val, undo;

		if ((o->op == 0 && v != 0) || v + o->op < 0) {
			w->blocking = o;
			revert(w, o);
			return (uint16_t)o->flg & LX_IPC_NOWAIT ? -LX_EAGAIN : 1;
		}
		undo = o->flg & LX_SEM_UNDO ? w->un->adj[o->num] - o->op : 0;
		if (v + o->op > LX_SEMVMX || undo < -LX_SEMAEM - 1 || undo > LX_SEMAEM) {
			revert(w, o);
			return -LX_ERANGE;
		}
		if (o->flg & LX_SEM_UNDO)
			w->un->adj[o->num] = (int16_t)undo;
		s->sem[o->num].val = (uint16_t)(v + o->op);
	}
	for (o = w->op; o < w->op + w->nops; o++)
		s->sem[o->num].pid = w->t->tg->tgid;
	return 0;
}

static void unlink_wait(struct sem_wait *w)
{
	if (!w->set)
		return;
	list_del_init(&w->node);
	w->set->ncomplex -= w->nops > 1;
	w->set = NULL;
}

static void finish(struct sem_wait *w, long result)
{
	unlink_wait(w);
	w->result = result;
	task_ready(w->t);
}

static void wake_zero(struct sem_set *s)
{
	struct sem_wait *w, *tmp;

	list_for_each_safe(w, tmp, &s->zero, node) {
		int r = perform(w);

		if (r > 0)
			continue;
		if (r == 0)
			s->otime = ipc_now();
		finish(w, r);
	}
}

/* One pass over those that would change something. True: look at all of them again. A
 * single decrement never helps an older one, unless that waits for several things. */
static bool wake_alter(struct sem_set *s)
{
	struct sem_wait *w, *tmp;

	list_for_each_safe(w, tmp, &s->alter, node) {
		int r = perform(w);
		bool again;

		if (r > 0)
			continue;
		again = r == 0 && (w->nops > 1 || s->ncomplex);
		finish(w, r);
		if (r)
			continue;
		s->otime = ipc_now();
		wake_zero(s);
		if (again)
			return true;
	}
	return false;
}

void sem_set_changed(struct sem_set *s)
{
	wake_zero(s);
	while (wake_alter(s))
		;
}

void sem_set_gone(struct sem_set *s)
{
	while (!list_empty(&s->undos))
		undo_free(list_first(&s->undos, struct sem_undo, in_set));
	while (!list_empty(&s->zero))
		finish(list_first(&s->zero, struct sem_wait, node), -LX_EIDRM);
	while (!list_empty(&s->alter))
		finish(list_first(&s->alter, struct sem_wait, node), -LX_EIDRM);
}

static long count_list(const struct list *l, unsigned num, bool zero)
{
	const struct sem_wait *w;
	long n = 0;

	list_for_each(w, l, node)
		n += w->blocking->num == num &&
		     (zero ? w->blocking->op == 0 : w->blocking->op < 0);
	return n;
}

long sem_count_waiters(const struct sem_set *s, unsigned num, bool zero)
{
	return count_list(&s->alter, num, zero) + count_list(&s->zero, num, zero);
}

/* ---- semop ---- */

static void wait_free(void *p)
{
	struct sem_wait *w = p;

	unlink_wait(w);
	ipc_free(w->ns, w, wait_size(w->nops));
}

bool sem_waiting(const struct task *t)
{
	return t->restart.ptr_free == wait_free;
}

void sem_wait_end(struct task *t)
{
	if (!sem_waiting(t))
		return;
	wait_free(take(&t->restart.ptr));
	t->restart.ptr_free = NULL;
}

static long go_on(struct task *t)
{
	const struct sem_wait *w = t->restart.ptr;
	long r;

	if (!w->set) {
		r = w->result;
	} else if (t->restart.has_deadline && timeout_passed(t)) {
		r = -LX_EAGAIN;
	} else {
		if (t->restart.has_deadline)
			task_park_until(t, t->restart.deadline);
		r = task_park(t, LX_EINTR);
	}
	if (r != -LX_EPARK)
		sem_wait_end(t);
	return r;
}

/* Look at the operations: which set, what for. 0 or the call's error. */
static int check_ops(struct task *t, struct sem_wait *w, int32_t id)
{
	bool undo = false;
	unsigned max = 0;
	struct sem_set *s;

	for (const struct lx_sembuf *o = w->op; o < w->op + w->nops; o++) {
		if (o->num > max)
			max = o->num;
		undo |= (o->flg & LX_SEM_UNDO) != 0;
		w->alter |= o->op != 0;
	}
	s = (struct sem_set *)ipc_by_id(&w->ns->sems, id);
	if (!s)
		return -LX_EINVAL;
	if (undo) {
		w->un = undo_of(t, s);
		if (!w->un)
			return -LX_ENOMEM;
	}
	if (max >= s->nsems)
		return -LX_EFBIG;
	w->set = s;
	return ipc_check_access(t, &s->perm, w->alter ? IPC_WRITE : IPC_READ);
}

static long begin(struct task *t, struct sem_wait *w, int32_t id)
{
	struct sem_set *s;
	int r = check_ops(t, w, id);

	s = w->set;
	if (!r)
		r = perform(w);
	if (r <= 0) {
		w->set = NULL; /* was never queued */
		if (r == 0) {
			s->otime = ipc_now();
			if (w->alter)
				sem_set_changed(s);
		}
		return r;
	}
	list_push_back(w->alter ? &s->alter : &s->zero, &w->node);
	s->ncomplex += w->nops > 1;
	return 1;
}

long sem_op(struct task *t, int32_t id, struct uaddr ops, uint32_t count,
	    const struct lx_timespec *timeout)
{
	struct ipc_ns *ns = ipc_of(t->k);
	struct sem_wait *w;
	long r;

	if (sem_waiting(t))
		return go_on(t);
	if (!ns)
		return -LX_ENOMEM;
	if (count < 1)
		return -LX_EINVAL;
	if (count > (uint32_t)ns->lim.sem[2])
		return -LX_E2BIG;
	w = ipc_alloc(ns, wait_size(count));
	if (!w)
		return -LX_ENOMEM;
	list_init(&w->node);
	w->t = t;
	w->ns = ns;
	w->nops = count;
	r = copy_in(t, w->op, ops, count * sizeof(w->op[0]));
	if (!r && (id < 0 || (timeout && !timespec_valid(timeout))))
		r = -LX_EINVAL;
	if (!r)
		r = begin(t, w, id);
	if (r <= 0) {
		wait_free(w);
		return r;
	}
	t->restart.ptr = w;
	t->restart.ptr_free = wait_free;
	if (timeout)
		timeout_start_ns(t, timespec_ns(timeout));
	return go_on(t);
}
