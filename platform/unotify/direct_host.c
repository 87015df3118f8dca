/* Calls that come to the sentry by themselves, without a signal and its frame: the call
 * waits in the host, and the answer is its result. Whatever needs the frame kicks the
 * thread before it is answered; the stub's handler then runs right after the call.
 *
 * The host looks through all calls that wait whenever one comes or is answered, so they
 * must not become many. When one more thread waits for long, it is moved: kicked and
 * answered like that, it hands over (TH_MOVING) and is told to wait on a futex in its slot
 * (TH_DEEP), which costs nobody anything. The kernel knows nothing of it: for it the
 * thread is still in its call. If it answers before the thread has arrived (TH_WANTED),
 * that is carried out when it does. */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "platform/unotify/host_ops.h"

/* This many may wait in the host, and this many calls of its listener must have come
 * after one until it counts as waiting for long. */
#define WAITING_FEW 64
#define WAITING_LONG 1024

/* ---- answers ---- */

void direct_resume(struct plat_thread *th)
{
	uint64_t value = th->regs.rax;

	/* A kick that is due as well comes with the hand-over. */
	if (atomic_load(&th->state) == TH_PATCH || atomic_exchange(&th->kick, false)) {
		th->kick_due = true;
		send_kick(th);
	}
	answer(th->as->l, th->notif_id, (int64_t)value);
}

void direct_kick_out(struct plat_thread *th)
{
	th->kick_due = true;
	send_kick(th);
	answer(th->as->l, th->notif_id, 0);
}

void deep_wake(struct plat_thread *th)
{
	uint32_t *word = &th->slot->park;

	__atomic_store_n(word, 0, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

void deep_resume(struct plat_thread *th)
{
	frame_set_rax(th, th->regs.rax);
	th->slot->ncmds = 0;
	if (atomic_exchange(&th->kick, false))
		send_kick(th);
	deep_wake(th);
}

/* ---- into the stub ---- */

static void move(struct plat_thread *th)
{
	if (th && claim(th, TH_CALL, TH_MOVING))
		direct_kick_out(th);
}

bool deep_arrive(struct listener *l, struct plat_thread *th, const struct seccomp_notif *n)
{
	struct unotify *u = l->u;
	bool gone = !th->cookie || atomic_load(&th->exiting);

	if (n->data.args[0] != STUB_TRAP || th->slot->signo != STUB_KICK_SIGNAL || !frame_find(th)) {
		mutex_unlock(&u->mu);
		punish((pid_t)n->pid, "went astray");
		return true;
	}
	th->kick_due = false;
	th->notif_id = n->id;
	th->slot->ncmds = 0;
	th->slot->again = 0;
	th->slot->park = 1;
	thread_get(th);
	if (!gone && claim(th, TH_MOVING, TH_DEEP)) {
		mutex_unlock(&u->mu);
		answer(l, n->id, 0);
		thread_put(th);
		return true;
	}
	/* The kernel has made up its mind. */
	th->slot->park = 0;
	gone = !th->cookie || atomic_load(&th->exiting);
	if (gone || atomic_exchange(&th->kick, false)) {
		thread_put(th);
		return false;
	}
	mutex_unlock(&u->mu);
	frame_set_rax(th, th->regs.rax);
	set_state(th, TH_RUNNING);
	if (atomic_exchange(&th->kick, false)) /* it came while the state did not say so */
		send_kick(th);
	answer(l, n->id, 0);
	thread_put(th);
	return true;
}

/* The thread that waits in this call; NULL: it has gone on. Under u->mu. */
static struct plat_thread *waits_still(struct listener *l, const struct waiting *w)
{
	struct plat_thread *th = tid_lookup_locked(l->u, w->tid);

	if (!th || th->as->l != l || atomic_load(&th->state) != TH_CALL || th->notif_id != w->id)
		return NULL;
	return th;
}

/* Forget those that do not wait any more, and move what has waited for long if there are
 * many. */
static void waiting_sift(struct listener *l, uint64_t now)
{
	struct unotify *u = l->u;
	unsigned n = 0, moved = 0;

	mutex_lock(&u->mu);
	for (unsigned i = 0; i < l->nwaiting; i++)
		if (waits_still(l, &l->waiting[i]))
			l->waiting[n++] = l->waiting[i];
	l->nwaiting = n;
	while (n - moved > WAITING_FEW && now - l->waiting[moved].id > WAITING_LONG)
		move(waits_still(l, &l->waiting[moved++]));
	mutex_unlock(&u->mu);
	l->nwaiting -= moved;
	memmove(l->waiting, l->waiting + moved, l->nwaiting * sizeof(l->waiting[0]));
}

/* A place in l->waiting; false: no memory, and it is not remembered. */
static bool waiting_room(struct listener *l, uint64_t now)
{
	struct waiting *w;
	unsigned max;

	if (l->nwaiting < l->max_waiting)
		return true;
	if (l->nwaiting)
		waiting_sift(l, now);
	if (l->nwaiting < l->max_waiting / 2)
		return true;
	max = l->max_waiting ? 2 * l->max_waiting : 2 * WAITING_FEW;
	w = realloc(l->waiting, max * sizeof(*w));
	if (!w)
		return l->nwaiting < l->max_waiting;
	l->waiting = w;
	l->max_waiting = max;
	return true;
}

void direct_waits(struct listener *l, const struct plat_thread *th, uint64_t id)
{
	if (atomic_load(&th->state) == TH_CALL && th->notif_id == id && waiting_room(l, id))
		l->waiting[l->nwaiting++] = (struct waiting){ th->tid, id };
}

bool direct_peek(struct plat_thread *th, struct plat_regs *out)
{
	struct unotify *u = th->as->u;
	bool known = false;

	/* What has a frame lies where that can be read; the others are moved there. */
	mutex_lock(&u->mu);
	if (atomic_load(&th->state) == TH_DEEP) {
		frame_peek(th, out);
		fast_shown_regs(th, out);
		known = true;
	} else if (atomic_load(&th->state) == TH_CALL) {
		move(th);
	}
	mutex_unlock(&u->mu);
	return known;
}

/* ---- traps ---- */

void serve_direct(struct listener *l, const struct seccomp_notif *n)
{
	static const struct plat_trap trap = { .kind = PLAT_TRAP_SYSCALL, .partial = true };
	const struct seccomp_data *d = &n->data;
	struct unotify *u = l->u;
	struct plat_thread *th;
	int state;

	mutex_lock(&u->mu);
	th = tid_lookup_locked(u, (pid_t)n->pid);
	state = th && th->as->l == l ? atomic_load(&th->state) : TH_NEW;
	if (state != TH_RUNNING || th->kick_due) {
		mutex_unlock(&u->mu);
		if (state != TH_GONE)
			punish((pid_t)n->pid, "a call out of turn");
		return;
	}
	settle_batch_locked(th, false, 0);
	thread_get(th);
	th->regs = (struct plat_regs){
		.rax = (uint64_t)(int64_t)d->nr, .rdi = d->args[0], .rsi = d->args[1],
		.rdx = d->args[2], .r10 = d->args[3], .r8 = d->args[4], .r9 = d->args[5],
		.rip = fast_shown_rip(l, d->instruction_pointer),
	};
	th->regs.rcx = th->regs.rip;
	th->notif_id = n->id;
	atomic_store(&th->kick, false); /* this trap is what it asked for */
	th->patching = false;
	th->patch = 0;
	set_state(th, TH_CALL);
	if (u->fast_entry) {
		mutex_unlock(&u->mu);
		fast_note_call(l, th, n);
		mutex_lock(&u->mu);
	}
	report(th, &trap);
	direct_waits(l, th, n->id);
	thread_put(th);
}
