/* Sending and receiving. A receiver that waits is given the message by its sender; a sender
 * that waits for room tries again when there is some. */
#include "sentry/ipc/msg.h"

#include <stdlib.h>

#include "sentry/ipc/msg_impl.h"
#include "sentry/mm/usercopy.h"
#include "sentry/task/task.h"

struct msg {
	struct list node;
	int64_t type;
	uint64_t size;
	uint8_t text[];
};

enum search { SEARCH_ANY, SEARCH_EQUAL, SEARCH_NOT_EQUAL, SEARCH_LESS_EQUAL, SEARCH_NUMBER };

struct msg_wait {		/* t->restart.ptr */
	struct list node;	/* of q->receivers or q->senders; self-linked while looking */
	struct task *t;
	struct ipc_ns *ns;
	struct msg_queue *q;	/* NULL: it is gone */
	struct msg *m;		/* a sender's; a receiver's when it was given one */
	int64_t type;		/* receivers: */
	enum search search;
	uint64_t max;
	bool too_big;		/* a message came that does not fit */
};

static uint64_t msg_size(const struct msg *m)
{
	return sizeof(*m) + m->size;
}

static void msg_free(struct ipc_ns *ns, struct msg *m)
{
	if (m)
		ipc_free(ns, m, msg_size(m));
}

/* ---- waiting ---- */

static void wait_free(void *p)
{
	struct msg_wait *w = p;

	list_del_init(&w->node);
	msg_free(w->ns, w->m);
	ipc_free(w->ns, w, sizeof(*w));
}

static void wait_end(struct task *t)
{
	wait_free(take(&t->restart.ptr));
	t->restart.ptr_free = NULL;
}

/* The waiter of t's call, which is made at its first run. NULL: out of memory. */
static struct msg_wait *wait_of(struct task *t, struct ipc_ns *ns)
{
	struct msg_wait *w;

	if (t->restart.ptr_free == wait_free)
		return t->restart.ptr;
	w = ipc_alloc(ns, sizeof(*w));
	if (!w)
		return NULL;
	list_init(&w->node);
	w->t = t;
	w->ns = ns;
	t->restart.ptr = w;
	t->restart.ptr_free = wait_free;
	return w;
}

static long park(struct task *t, struct msg_wait *w, struct list *queue)
{
	if (list_empty(&w->node))
		list_push_back(queue, &w->node);
	return task_park(t, LX_ERESTARTNOHAND);
}

static bool fits(const struct msg_queue *q, uint64_t size)
{
	return size + q->cbytes <= q->qbytes && 1 + q->qnum <= q->qbytes;
}

/* There is room: senders look again, in order, as far as they would all fit. */
static void wake_senders(struct msg_queue *q)
{
	uint64_t bytes = 0, count = 0;
	struct msg_wait *w;

	list_for_each(w, &q->senders, node) {
		if (!fits(q, w->m->size + bytes) || 1 + count + q->qnum > q->qbytes)
			break;
		bytes += w->m->size;
		count++;
		task_ready(w->t);
	}
}

void msg_queue_changed(struct msg_queue *q)
{
	struct msg_wait *w;

	list_for_each(w, &q->receivers, node)
		task_ready(w->t);
	wake_senders(q);
}

static void expel(struct list *l)
{
	while (!list_empty(l)) {
		struct msg_wait *w = list_first(l, struct msg_wait, node);

		list_del_init(&w->node);
		w->q = NULL;
		task_ready(w->t);
	}
}

void msg_queue_gone(struct msg_queue *q)
{
	expel(&q->receivers);
	expel(&q->senders);
	while (!list_empty(&q->messages)) {
		struct msg *m = list_first(&q->messages, struct msg, node);

		list_del_init(&m->node);
		msg_free(q->ns, m);
	}
	q->ns->msg_bytes -= q->cbytes;
	q->ns->msg_count -= q->qnum;
}

/* ---- matching ---- */

static bool matches(const struct msg *m, int64_t type, enum search search)
{
	switch (search) {
	case SEARCH_ANY:
	case SEARCH_NUMBER:
		return true;
	case SEARCH_LESS_EQUAL:
		return m->type <= type;
	case SEARCH_EQUAL:
		return m->type == type;
	case SEARCH_NOT_EQUAL:
		return m->type != type;
	}
	return false;
}

static struct msg *find(const struct msg_queue *q, int64_t type, enum search search)
{
	struct msg *m, *found = NULL;
	int64_t at = 0;

	list_for_each(m, &q->messages, node) {
		if (!matches(m, type, search))
			continue;
		if (search == SEARCH_LESS_EQUAL && m->type != 1) {
			found = m;
			type = m->type - 1;
		} else if (search != SEARCH_NUMBER || at++ == type) {
			return m;
		}
	}
	return found;
}

/* ---- msgsnd ---- */

/* Hand m to a receiver that waits for one like it. */
static bool give(struct msg_queue *q, struct msg *m)
{
	struct msg_wait *w, *tmp;

	list_for_each_safe(w, tmp, &q->receivers, node) {
		if (!matches(m, w->type, w->search))
			continue;
		list_del_init(&w->node);
		task_ready(w->t);
		if (m->size > w->max) {
			w->too_big = true;
			continue;
		}
		w->m = m;
		q->lrpid = w->t->tid;
		q->rtime = ipc_now();
		return true;
	}
	return false;
}

static void deliver(struct task *t, struct msg_queue *q, struct msg *m)
{
	q->lspid = t->tg->tgid;
	q->stime = ipc_now();
	if (give(q, m))
		return;
	list_push_back(&q->messages, &m->node);
	q->cbytes += m->size;
	q->qnum++;
	q->ns->msg_bytes += m->size;
	q->ns->msg_count++;
}

static int load(struct task *t, struct ipc_ns *ns, struct uaddr msgp, int64_t type,
		uint64_t size, struct msg **out)
{
	struct msg *m = ipc_alloc(ns, sizeof(*m) + size);

	if (!m)
		return -LX_ENOMEM;
	list_init(&m->node);
	m->type = type;
	m->size = size;
	if (copy_in(t, m->text, uaddr_add(msgp, sizeof(type)), size)) {
		msg_free(ns, m);
		return -LX_EFAULT;
	}
	*out = m;
	return 0;
}

static int send_begin(struct task *t, struct ipc_ns *ns, int32_t id, struct uaddr msgp,
		      uint64_t size, struct msg_wait **out)
{
	struct msg_wait *w;
	int64_t type;
	int err;

	if (copy_in(t, &type, msgp, sizeof(type)))
		return -LX_EFAULT;
	if (size > (uint64_t)ns->lim.msgmax || id < 0 || type < 1)
		return -LX_EINVAL;
	w = wait_of(t, ns);
	if (!w)
		return -LX_ENOMEM;
	err = load(t, ns, msgp, type, size, &w->m);
	if (err)
		return err;
	w->q = (struct msg_queue *)ipc_by_id(&ns->msgs, id);
	*out = w;
	return w->q ? 0 : -LX_EINVAL;
}

static long send_try(struct task *t, struct msg_wait *w, uint32_t flags)
{
	if (!w->q)
		return -LX_EIDRM;
	if (ipc_check_access(t, &w->q->perm, IPC_WRITE))
		return -LX_EACCES;
	if (fits(w->q, w->m->size)) {
		deliver(t, w->q, take(&w->m));
		return 0;
	}
	return flags & LX_IPC_NOWAIT ? -LX_EAGAIN : park(t, w, &w->q->senders);
}

long msg_send(struct task *t, int32_t id, struct uaddr msgp, uint64_t size, uint32_t flags)
{
	struct ipc_ns *ns = ipc_of(t->k);
	struct msg_wait *w = NULL;
	long r = 0;

	if (!ns)
		return -LX_ENOMEM;
	if (t->restart.ptr_free == wait_free)
		w = t->restart.ptr;
	else
		r = send_begin(t, ns, id, msgp, size, &w);
	if (!r)
		r = send_try(t, w, flags);
	if (r != -LX_EPARK && t->restart.ptr_free == wait_free)
		wait_end(t);
	return r;
}

/* ---- msgrcv ---- */

static void set_search(struct msg_wait *w, int64_t type, uint32_t flags)
{
	w->type = type;
	if (flags & LX_MSG_COPY) {
		w->search = SEARCH_NUMBER;
	} else if (type == 0) {
		w->search = SEARCH_ANY;
	} else if (type < 0) {
		w->search = SEARCH_LESS_EQUAL;
		w->type = type == INT64_MIN ? INT64_MAX : -type;
	} else {
		w->search = flags & LX_MSG_EXCEPT ? SEARCH_NOT_EQUAL : SEARCH_EQUAL;
	}
}

static int receive_begin(struct task *t, struct ipc_ns *ns, int32_t id, struct uaddr msgp,
			 uint64_t size, int64_t type, uint32_t flags, struct msg_wait **out)
{
	struct msg_wait *w;

	if (id < 0 || (int64_t)size < 0)
		return -LX_EINVAL;
	if (flags & LX_MSG_COPY) {
		uint64_t n = size < (uint64_t)ns->lim.msgmax ? size : (uint64_t)ns->lim.msgmax;

		if ((flags & LX_MSG_EXCEPT) || !(flags & LX_IPC_NOWAIT))
			return -LX_EINVAL;
		/* Linux reads the place that it will write to. */
		if (n) {
			AUTO_FREE uint8_t *probe = malloc(n);

			if (!probe)
				return -LX_ENOMEM;
			if (copy_in(t, probe, msgp, n))
				return -LX_EFAULT;
		}
	}
	w = wait_of(t, ns);
	if (!w)
		return -LX_ENOMEM;
	set_search(w, type, flags);
	w->max = flags & LX_MSG_NOERROR ? INT32_MAX : size;
	w->q = (struct msg_queue *)ipc_by_id(&ns->msgs, id);
	*out = w;
	return w->q ? 0 : -LX_EINVAL;
}

/* Take m off its queue. */
static void unqueue(struct task *t, struct msg_queue *q, struct msg *m)
{
	list_del_init(&m->node);
	q->qnum--;
	q->cbytes -= m->size;
	q->ns->msg_count--;
	q->ns->msg_bytes -= m->size;
	q->rtime = ipc_now();
	q->lrpid = t->tg->tgid;
	wake_senders(q);
}

/* The type and as much of the text as there is room for. */
static long store(struct task *t, const struct msg *m, struct uaddr msgp, uint64_t size)
{
	uint64_t n = m->size < size ? m->size : size;

	if (copy_out(t, msgp, &m->type, sizeof(m->type)) ||
	    copy_out(t, uaddr_add(msgp, sizeof(m->type)), m->text, n))
		return -LX_EFAULT;
	return (long)n;
}

static long receive_try(struct task *t, struct msg_wait *w, struct uaddr msgp, uint64_t size,
			uint32_t flags)
{
	struct msg *m;

	if (w->m)
		return store(t, w->m, msgp, size);
	if (w->too_big)
		return -LX_E2BIG;
	if (!w->q)
		return -LX_EIDRM;
	if (ipc_check_access(t, &w->q->perm, IPC_READ))
		return -LX_EACCES;
	m = find(w->q, w->type, w->search);
	if (!m)
		return flags & LX_IPC_NOWAIT ? -LX_ENOMSG : park(t, w, &w->q->receivers);
	if (size < m->size && !(flags & LX_MSG_NOERROR))
		return -LX_E2BIG;
	if (flags & LX_MSG_COPY)
		return m->size > size ? -LX_EINVAL : store(t, m, msgp, size);
	unqueue(t, w->q, m);
	w->m = m; /* freed with w */
	return store(t, m, msgp, size);
}

long msg_receive(struct task *t, int32_t id, struct uaddr msgp, uint64_t size, int64_t type,
		 uint32_t flags)
{
	struct ipc_ns *ns = ipc_of(t->k);
	struct msg_wait *w = NULL;
	long r = 0;

	if (!ns)
		return -LX_ENOMEM;
	if (t->restart.ptr_free == wait_free)
		w = t->restart.ptr;
	else
		r = receive_begin(t, ns, id, msgp, size, type, flags, &w);
	if (!r)
		r = receive_try(t, w, msgp, size, flags);
	if (r != -LX_EPARK && t->restart.ptr_free == wait_free)
		wait_end(t);
	return r;
}
