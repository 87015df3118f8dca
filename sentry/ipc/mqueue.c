/* Messages of POSIX queues: a receiver that waits is given the message by its sender, a
 * sender that waits has its message queued by the receiver that made room. */
#include "sentry/ipc/mqueue.h"

#include <stdlib.h>
#include <string.h>

#include "sentry/ipc/mqueue_impl.h"
#include "sentry/net/socket.h"
#include "sentry/task/task.h"
#include "sentry/time/clock.h"
#include "syscalls/abi/lx_fcntl.h"
#include "syscalls/abi/lx_poll.h"
#include "syscalls/abi/lx_sched.h"
#include "syscalls/abi/lx_signal.h"
#include "syscalls/abi/lx_time.h"

struct mq_wait {		/* t->restart.ptr */
	struct list node;	/* in q->senders or q->receivers; self-linked when done */
	struct task *t;
	struct ipc_ns *ns;
	struct file *f;		/* one reference */
	struct mq_msg *m;	/* a sender's; a receiver's when it was given one */
	int prio;		/* of the task: lower goes first */
	bool done;
};

static int cmp_msg(const struct mq_msg *a, const struct mq_msg *b)
{
	if (a->prio != b->prio)
		return a->prio > b->prio ? -1 : 1;
	return a->seq < b->seq ? -1 : a->seq > b->seq;
}

RB_GENERATE_INTERNAL(mq_msgs, mq_msg, node, cmp_msg, static __attribute__((unused)))

static void msg_free(struct ipc_ns *ns, struct mq_msg *m)
{
	if (m)
		ipc_free(ns, m, sizeof(*m) + m->size);
}

void mqueue_init(struct mqueue *q)
{
	RB_INIT(&q->msgs);
	list_init(&q->senders);
	list_init(&q->receivers);
	waitq_init(&q->wq);
}

static void insert(struct mqueue *q, struct mq_msg *m)
{
	m->seq = q->next_seq++;
	RB_INSERT(mq_msgs, &q->msgs, m);
	q->curmsgs++;
	q->bytes += m->size;
}

static struct mq_msg *take_first(struct mqueue *q)
{
	struct mq_msg *m = RB_MIN(mq_msgs, &q->msgs);

	RB_REMOVE(mq_msgs, &q->msgs, m);
	q->curmsgs--;
	q->bytes -= m->size;
	return m;
}

void mqueue_gone(struct mqueue *q)
{
	mqueue_notify_drop(q);
	while (q->curmsgs)
		msg_free(q->ns, take_first(q));
	waitq_fini(&q->wq);
}

/* ---- notification ---- */

static void notify_clear(struct mqueue *q)
{
	struct mq_notify old = q->notify;

	q->notify = (struct mq_notify){ 0 };
	if (old.sock)
		file_put(old.sock);
	if (old.owner)
		tgroup_put(old.owner);
}

static void send_cookie(struct mq_notify *n, uint8_t what)
{
	n->cookie[LX_MQ_NOTIFY_COOKIE_LEN - 1] = what;
	sock_inject(sock_of(n->sock), n->cookie, sizeof(n->cookie));
}

void mqueue_notify_drop(struct mqueue *q)
{
	if (q->notify.owner && q->notify.how == LX_SIGEV_THREAD)
		send_cookie(&q->notify, LX_MQ_NOTIFY_REMOVED);
	notify_clear(q);
}

/* t's message lies in the queue and nobody waited for it. */
static void tell(struct task *t, struct mqueue *q)
{
	struct mq_notify *n = &q->notify;
	struct ksiginfo info = {
		.signo = n->signo,
		.code = LX_SI_MESGQ,
		.pid = t->tg->tgid,
		.uid = t->cred->uid,
		.value = n->value,
	};

	if (n->owner && q->curmsgs == 1) {
		if (n->how == LX_SIGEV_THREAD)
			send_cookie(n, LX_MQ_NOTIFY_WOKENUP);
		else if (n->how == LX_SIGEV_SIGNAL && n->signo && n->owner->nlive)
			(void)signal_send_group(n->owner, n->signo, &info);
		notify_clear(q);
	}
	waitq_wake(&q->wq, LX_POLLIN | LX_POLLRDNORM);
}

static int queue_of_fd(struct task *t, int fd, uint32_t need, struct file **out)
{
	int err;
	struct file *f = fd_file(t, fd, &err);

	if (!f)
		return err;
	if (f->ops != &mqueue_file_ops || (f->mode & need) != need) {
		file_put(f);
		return -LX_EBADF;
	}
	*out = f;
	return 0;
}

/* The netlink socket over which a SIGEV_THREAD helper is told. */
static int notify_socket(struct task *t, const struct lx_sigevent *ev, struct mq_notify *n)
{
	const struct socket *s;
	int err;

	if (copy_in(t, n->cookie, (struct uaddr){ ev->value }, sizeof(n->cookie)))
		return -LX_EFAULT;
	n->sock = fd_file(t, ev->signo, &err);
	if (!n->sock)
		return err;
	s = sock_of(n->sock);
	if (!s)
		err = -LX_ENOTSOCK;
	else
		err = s->family == LX_AF_NETLINK ? 0 : -LX_EINVAL;
	if (err)
		file_put(take(&n->sock));
	return err;
}

static int notify_check(struct task *t, const struct lx_sigevent *ev, struct mq_notify *n)
{
	switch (ev->notify) {
	case LX_SIGEV_NONE:
		break;
	case LX_SIGEV_SIGNAL:
		/* 0 is let through, and tells nobody. */
		if (ev->signo < 0 || ev->signo > LX_NSIG)
			return -LX_EINVAL;
		break;
	case LX_SIGEV_THREAD:
		break;
	default:
		return -LX_EINVAL;
	}
	n->how = ev->notify;
	n->signo = ev->signo;
	n->value = ev->value;
	return ev->notify == LX_SIGEV_THREAD ? notify_socket(t, ev, n) : 0;
}

long mqueue_notify(struct task *t, int fd, const struct lx_sigevent *ev)
{
	AUTO_PUT(file) struct file *f = NULL;
	struct mq_notify n = { 0 };
	struct mqueue *q;
	int err = ev ? notify_check(t, ev, &n) : 0;

	if (!err)
		err = queue_of_fd(t, fd, 0, &f);
	if (!err && ev && mqueue_of(f->inode)->notify.owner)
		err = -LX_EBUSY;
	if (err) {
		if (n.sock)
			file_put(n.sock);
		return err;
	}
	q = mqueue_of(f->inode);
	if (ev) {
		tgroup_get(t->tg);
		n.owner = t->tg;
		q->notify = n;
	} else if (q->notify.owner == t->tg) {
		mqueue_notify_drop(q);
	} else {
		return 0;
	}
	mqueue_touch(f->inode, false);
	return 0;
}

/* ---- waiting ---- */

static void wait_free(void *p)
{
	struct mq_wait *w = p;

	list_del_init(&w->node);
	msg_free(w->ns, w->m);
	file_put(w->f);
	ipc_free(w->ns, w, sizeof(*w));
}

static void wait_end(struct task *t)
{
	wait_free(take(&t->restart.ptr));
	t->restart.ptr_free = NULL;
}

static int task_prio(const struct task *t)
{
	if (t->sched_policy == LX_SCHED_FIFO || t->sched_policy == LX_SCHED_RR)
		return LX_MAX_RT_PRIO - 1 - t->sched_prio;
	return LX_MAX_RT_PRIO + 20 + t->nice;
}

/* Wait in l for f's queue; m (a sender's) is taken over, also on failure. */
static int wait_begin(struct task *t, struct file *f, struct mq_msg *m, struct list *l)
{
	struct ipc_ns *ns = mqueue_of(f->inode)->ns;
	struct mq_wait *w = ipc_alloc(ns, sizeof(*w)), *at;

	if (!w) {
		msg_free(ns, m);
		return -LX_ENOMEM;
	}
	w->t = t;
	w->ns = ns;
	w->m = m;
	w->prio = task_prio(t);
	file_get(f);
	w->f = f;
	list_for_each(at, l, node)
		if (at->prio > w->prio)
			break;
	list_push_back(&at->node, &w->node); /* before it, or at the end */
	t->restart.ptr = w;
	t->restart.ptr_free = wait_free;
	return 0;
}

/* 0: done; else the call's result, or -LX_EPARK. */
static long wait_on(struct task *t)
{
	const struct mq_wait *w = t->restart.ptr;

	if (w->done)
		return 0;
	if (t->restart.has_deadline) {
		if (timeout_passed(t))
			return -LX_ETIMEDOUT;
		task_park_until(t, t->restart.deadline);
	}
	return task_park(t, LX_ERESTARTSYS);
}

static void wait_done(struct mq_wait *w)
{
	list_del_init(&w->node);
	w->done = true;
	task_ready(w->t);
}

/* ---- send ---- */

static int load(struct task *t, struct ipc_ns *ns, struct uaddr text, uint64_t len,
		uint32_t prio, struct mq_msg **out)
{
	struct mq_msg *m = ipc_alloc(ns, sizeof(*m) + len);

	if (!m)
		return -LX_ENOMEM;
	m->size = len;
	m->prio = prio;
	if (copy_in(t, m->text, text, len)) {
		msg_free(ns, m);
		return -LX_EFAULT;
	}
	*out = m;
	return 0;
}

static void deliver(struct task *t, struct mqueue *q, struct mq_msg *m)
{
	if (!list_empty(&q->receivers)) {
		struct mq_wait *w = list_first(&q->receivers, struct mq_wait, node);

		w->m = m;
		wait_done(w);
	} else {
		insert(q, m);
		tell(t, q);
	}
	mqueue_touch(&q->vfs, true);
}

static long send_begin(struct task *t, int fd, struct uaddr text, uint64_t len, uint32_t prio)
{
	AUTO_PUT(file) struct file *f = NULL;
	struct mq_msg *m;
	struct mqueue *q;
	int err;

	if (prio >= LX_MQ_PRIO_MAX)
		return -LX_EINVAL;
	err = queue_of_fd(t, fd, FMODE_WRITE, &f);
	if (err)
		return err;
	q = mqueue_of(f->inode);
	if (len > (uint64_t)q->msgsize)
		return -LX_EMSGSIZE;
	err = load(t, q->ns, text, len, prio, &m);
	if (err)
		return err;
	if (q->curmsgs < q->maxmsg) {
		deliver(t, q, m);
		return 0;
	}
	if (f->flags & LX_O_NONBLOCK) {
		msg_free(q->ns, m);
		return -LX_EAGAIN;
	}
	err = wait_begin(t, f, m, &q->senders);
	return err ? err : wait_on(t);
}

static bool waiting(const struct task *t)
{
	return t->restart.ptr_free == wait_free;
}

long mqueue_send(struct task *t, int fd, struct uaddr text, uint64_t len, uint32_t prio)
{
	long r = waiting(t) ? wait_on(t) : send_begin(t, fd, text, len, prio);

	if (r != -LX_EPARK && waiting(t))
		wait_end(t);
	return r;
}

/* ---- receive ---- */

static long store(struct task *t, const struct mq_msg *m, struct uaddr text, struct uaddr prio)
{
	if ((prio.v && copy_out(t, prio, &m->prio, sizeof(m->prio))) ||
	    copy_out(t, text, m->text, m->size))
		return -LX_EFAULT;
	return (long)m->size;
}

/* A place became free. */
static void room(struct mqueue *q)
{
	if (!list_empty(&q->senders)) {
		struct mq_wait *w = list_first(&q->senders, struct mq_wait, node);

		insert(q, take(&w->m));
		wait_done(w);
	} else {
		waitq_wake(&q->wq, LX_POLLOUT | LX_POLLWRNORM);
	}
}

static long receive_begin(struct task *t, int fd, struct uaddr text, uint64_t len,
			  struct uaddr prio)
{
	AUTO_PUT(file) struct file *f = NULL;
	struct mq_msg *m;
	struct mqueue *q;
	long r = queue_of_fd(t, fd, FMODE_READ, &f);

	if (r)
		return r;
	q = mqueue_of(f->inode);
	if (len < (uint64_t)q->msgsize)
		return -LX_EMSGSIZE;
	if (q->curmsgs) {
		m = take_first(q);
		mqueue_touch(&q->vfs, true);
		room(q);
		r = store(t, m, text, prio);
		msg_free(q->ns, m);
		return r;
	}
	if (f->flags & LX_O_NONBLOCK)
		return -LX_EAGAIN;
	r = wait_begin(t, f, NULL, &q->receivers);
	return r ? r : wait_on(t);
}

long mqueue_receive(struct task *t, int fd, struct uaddr text, uint64_t len, struct uaddr prio)
{
	long r = waiting(t) ? wait_on(t) : receive_begin(t, fd, text, len, prio);

	if (r == -LX_EPARK || !waiting(t))
		return r;
	if (!r)
		r = store(t, ((const struct mq_wait *)t->restart.ptr)->m, text, prio);
	wait_end(t);
	return r;
}

/* ---- attributes ---- */

long mqueue_getset(struct task *t, int fd, const struct lx_mq_attr *new, struct lx_mq_attr *old)
{
	AUTO_PUT(file) struct file *f = NULL;
	const struct mqueue *q;
	int err;

	if (new && (new->flags & ~(int64_t)LX_O_NONBLOCK))
		return -LX_EINVAL;
	err = queue_of_fd(t, fd, 0, &f);
	if (err)
		return err;
	q = mqueue_of(f->inode);
	*old = (struct lx_mq_attr){ .flags = f->flags & LX_O_NONBLOCK, .maxmsg = q->maxmsg,
				    .msgsize = q->msgsize, .curmsgs = q->curmsgs };
	if (new) {
		f->flags = (f->flags & ~LX_O_NONBLOCK) | (uint32_t)new->flags;
		mqueue_touch(f->inode, false);
	}
	return 0;
}
