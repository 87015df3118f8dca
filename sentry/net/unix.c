/* AF_UNIX: life, connecting, readiness. Follows net/unix/af_unix.c of Linux in what is
 * observable: states, errors, who is woken. */
#include <stdlib.h>

#include "platform/base/bug.h"
#include "sentry/fs/proc/proc.h"
#include "sentry/net/scm.h"
#include "sentry/net/unix_impl.h"
#include "syscalls/abi/lx_poll.h"

#define EV_IN (LX_POLLIN | LX_POLLRDNORM)
#define EV_OUT (LX_POLLOUT | LX_POLLWRNORM | LX_POLLWRBAND)

static const struct sock_ops *ops_for(int type)
{
	if (type == LX_SOCK_STREAM)
		return &unix_stream_ops;
	return type == LX_SOCK_DGRAM ? &unix_dgram_ops : &unix_seqpacket_ops;
}

struct usock *usock_new(struct kernel *k, int type, int protocol)
{
	struct usock *u = net_state(k) != NULL ? calloc(1, sizeof(*u)) : NULL;

	if (u == NULL)
		return NULL;
	sock_init(&u->s, k, ops_for(type), LX_AF_UNIX, type, protocol);
	refs_init(&u->refs, "usock");
	waitq_init(&u->rd);
	waitq_init(&u->wr);
	waitq_init(&u->room);
	list_init(&u->rxq);
	list_init(&u->embryos);
	list_init(&u->embryo_link);
	list_init(&u->gc_link);
	u->sndbuf = u->rcvbuf = UNIX_DEF_BUF;
	u->backlog = UNIX_DGRAM_QLEN;
	u->peercred = (struct lx_ucred){ 0, UINT32_MAX, UINT32_MAX };
	u->rcvlowat = 1;
	u->peek_off = -1;
	return u;
}

void usock_get(struct usock *u)
{
	refs_get(&u->refs);
}

void usock_put(struct usock *u)
{
	if (!refs_put(&u->refs))
		return;
	BUG_ON(!list_empty(&u->rxq) || !list_empty(&u->embryos) || u->inflight != 0);
	waiter_leave(&u->peer_room);
	if (u->peer != NULL)
		usock_put(u->peer);
	if (u->addr != NULL)
		unix_addr_put(u->addr);
	waitq_fini(&u->rd);
	waitq_fini(&u->wr);
	waitq_fini(&u->room);
	free(u);
}

struct usock *usock_of_file(const struct file *f)
{
	struct socket *s = sock_of(f);

	return s != NULL && s->family == LX_AF_UNIX ? usock_of(s) : NULL;
}

void usock_set_peer(struct usock *u, struct usock *peer)
{
	struct usock *old = u->peer;

	if (peer != NULL)
		usock_get(peer);
	waiter_leave(&u->peer_room);
	u->peer = peer;
	if (old != NULL)
		usock_put(old);
}

void usock_wake_all(struct usock *u, uint32_t events)
{
	waitq_wake(&u->rd, events);
	waitq_wake(&u->wr, events);
}

/* ---- release ---- */

/* The peer of a connection that ends: sees the end, or a reset when data was lost. */
static void break_peer(struct usock *u, bool reset)
{
	struct usock *p = u->peer;

	if (!usock_is_dgram(u)) {
		p->shut = BOTH_SHUT;
		if (reset)
			p->err = LX_ECONNRESET;
		usock_wake_all(p, EV_IN | EV_OUT | LX_POLLHUP | LX_POLLRDHUP | LX_POLLERR);
	}
	usock_set_peer(u, NULL);
}

static void usock_release(struct usock *u, bool embryo)
{
	bool lost = embryo || !list_empty(&u->rxq);

	u->dead = true;
	u->s.file = NULL;
	unix_unbind(u);
	u->shut = BOTH_SHUT;
	u->state = US_CLOSE;
	waitq_wake(&u->room, 0);
	waiter_leave(&u->peer_room);
	if (u->peer != NULL)
		break_peer(u, lost);
	usock_purge(u);
	while (!list_empty(&u->embryos)) {
		struct usock *e = list_first(&u->embryos, struct usock, embryo_link);

		list_del_init(&e->embryo_link);
		usock_release(e, true);
	}
	u->nembryos = 0;
	usock_put(u);
}

static void unix_release(struct socket *s)
{
	struct kernel_net *n = s->k->net;

	usock_release(usock_of(s), false);
	if (n->ninflight > 0)
		unix_gc(n);
}

/* ---- making ---- */

int unix_create(struct task *t, int type, int protocol, struct socket **out)
{
	struct usock *u;

	if (protocol != 0 && protocol != LX_AF_UNIX)
		return -LX_EPROTONOSUPPORT;
	if (type == LX_SOCK_RAW) /* as Linux: an old way to say datagrams */
		type = LX_SOCK_DGRAM;
	if (type != LX_SOCK_STREAM && type != LX_SOCK_DGRAM && type != LX_SOCK_SEQPACKET)
		return -LX_ESOCKTNOSUPPORT;
	u = usock_new(t->k, type, protocol);
	if (u == NULL)
		return -LX_ENOMEM;
	*out = &u->s;
	return 0;
}

int unix_create_pair(struct task *t, int type, int protocol, struct socket *out[2])
{
	int err = unix_create(t, type, protocol, &out[0]);

	if (err)
		return err;
	err = unix_create(t, type, protocol, &out[1]);
	if (err) {
		out[0]->ops->release(out[0]);
		return err;
	}
	for (int i = 0; i < 2; i++) {
		struct usock *u = usock_of(out[i]);

		u->peercred = ucred_of(t);
		u->state = US_ESTABLISHED;
		usock_set_peer(u, usock_of(out[!i]));
	}
	return 0;
}

/* ---- connecting ---- */

static int unix_listen(struct task *t, struct socket *s, int backlog)
{
	struct usock *u = usock_of(s);
	unsigned most = (unsigned)sysctl_get(t->k, SYSCTL_SOMAXCONN);

	if (usock_is_dgram(u))
		return -LX_EOPNOTSUPP;
	if (u->addr == NULL || (u->state != US_CLOSE && u->state != US_LISTEN))
		return -LX_EINVAL;
	if ((unsigned)backlog > u->backlog)
		waitq_wake(&u->room, 0);
	u->backlog = (unsigned)backlog > most ? most : (unsigned)backlog;
	u->state = US_LISTEN;
	u->peercred = ucred_of(t);
	return 0;
}

/* Our end of a new connection at the listener. */
static int make_embryo(struct task *t, struct usock *u, struct usock *listener)
{
	struct usock *e = usock_new(t->k, u->s.type, 0);

	if (e == NULL)
		return -LX_ENOMEM;
	e->state = US_ESTABLISHED;
	e->peercred = ucred_of(t);
	e->passcred = listener->passcred;
	if (listener->addr != NULL) {
		unix_addr_get(listener->addr);
		e->addr = listener->addr;
	}
	usock_set_peer(e, u);
	u->peercred = listener->peercred;
	u->state = US_ESTABLISHED;
	usock_set_peer(u, e);
	list_push_back(&listener->embryos, &e->embryo_link);
	listener->nembryos++;
	waitq_wake(&listener->rd, EV_IN);
	return 0;
}

static int unix_connect_stream(struct task *t, struct socket *s,
			       const struct lx_sockaddr_storage *a, uint32_t len,
			       struct waitq **wait_on)
{
	AUTO_PUT(usock) struct usock *other = NULL;
	struct usock *u = usock_of(s);
	int err = 0;

	if (u->passcred)
		err = unix_autobind(u);
	if (err == 0)
		err = unix_find(t, a, len, s->type, &other);
	if (err)
		return err;
	if (other->state != US_LISTEN || (other->shut & RCV_SHUT) != 0)
		return -LX_ECONNREFUSED;
	if (other->nembryos > other->backlog) {
		*wait_on = &other->room;
		return -LX_EAGAIN;
	}
	if (u->state == US_ESTABLISHED)
		return -LX_EISCONN;
	if (u->state == US_LISTEN)
		return -LX_EINVAL;
	return make_embryo(t, u, other);
}

/* The old peer, if it was connected to us, hears of it; what it sent is dropped. */
void usock_dgram_disconnect(struct usock *u)
{
	struct usock *old = u->peer;

	if (old == NULL)
		return;
	usock_get(old);
	usock_set_peer(u, NULL);
	u->state = US_CLOSE;
	usock_purge(u);
	waitq_wake(&u->room, LX_POLLOUT);
	if (old->peer == u && !old->dead) {
		old->err = LX_ECONNRESET;
		usock_wake_all(old, LX_POLLERR);
	}
	usock_put(old);
}

static int unix_connect_dgram(struct task *t, struct socket *s,
			      const struct lx_sockaddr_storage *a, uint32_t len,
			      struct waitq **wait_on)
{
	AUTO_PUT(usock) struct usock *other = NULL;
	struct usock *u = usock_of(s);
	int err = 0;

	(void)wait_on;
	if (a->family == LX_AF_UNSPEC) {
		usock_dgram_disconnect(u);
		return 0;
	}
	if (u->passcred)
		err = unix_autobind(u);
	if (err == 0)
		err = unix_find(t, a, len, s->type, &other);
	if (err)
		return err;
	if (other->peer != NULL && other->peer != u)
		return -LX_EPERM;
	if (u->peer != other) {
		usock_dgram_disconnect(u);
		usock_set_peer(u, other);
	}
	u->state = US_ESTABLISHED;
	usock_wake_all(u, EV_OUT);
	return 0;
}

static int unix_accept(struct task *t, struct socket *s, struct socket **out)
{
	struct usock *u = usock_of(s), *e;

	(void)t;
	if (usock_is_dgram(u))
		return -LX_EOPNOTSUPP;
	if (u->state != US_LISTEN)
		return -LX_EINVAL;
	if (list_empty(&u->embryos))
		return (u->shut & RCV_SHUT) != 0 ? -LX_EINVAL : -LX_EAGAIN;
	e = list_first(&u->embryos, struct usock, embryo_link);
	list_del_init(&e->embryo_link);
	u->nembryos--;
	waitq_wake(&u->room, 0);
	*out = &e->s;
	return 0;
}

static int unix_shutdown(struct socket *s, int how)
{
	struct usock *u = usock_of(s), *p = u->peer;
	unsigned mode = (unsigned)how + 1, mirror = 0;

	u->shut |= mode;
	if (p != NULL && !usock_is_dgram(u)) {
		if (mode & RCV_SHUT)
			mirror |= SEND_SHUT;
		if (mode & SEND_SHUT)
			mirror |= RCV_SHUT;
		p->shut |= mirror;
		usock_wake_all(p, EV_IN | EV_OUT | LX_POLLRDHUP |
					  (p->shut == BOTH_SHUT ? LX_POLLHUP : 0));
	}
	usock_wake_all(u, EV_IN | EV_OUT | LX_POLLRDHUP |
				  (u->shut == BOTH_SHUT ? LX_POLLHUP : 0));
	return 0;
}

/* ---- readiness ---- */

static void peer_has_room(struct waiter *w, uint32_t events)
{
	struct usock *u = w->ctx;

	(void)events;
	waiter_leave(w);
	waitq_wake(&u->wr, EV_OUT);
}

/* A connected datagram socket can be written to only when its peer has room. */
static bool peer_full(struct usock *u, bool enrol)
{
	struct usock *p = u->peer;

	if (p == NULL || p->dead || p->peer == u || !usock_queue_full(p, u))
		return false;
	if (enrol && u->peer_room.q == NULL)
		waiter_enrol(&p->room, &u->peer_room, peer_has_room, u);
	return true;
}

static uint32_t unix_poll(struct socket *s, struct poll_ctx *pc)
{
	struct usock *u = usock_of(s);
	uint32_t ev = 0;

	if (pc != NULL) {
		if (pc->events == 0 || (pc->events & (EV_IN | LX_POLLRDHUP)) != 0 ||
		    (pc->events & EV_OUT) == 0)
			poll_wait(pc, &u->rd);
		if (pc->events == 0 || (pc->events & EV_OUT) != 0)
			poll_wait(pc, &u->wr);
	}
	if (u->err != 0)
		ev |= LX_POLLERR;
	if (u->shut == BOTH_SHUT)
		ev |= LX_POLLHUP;
	if (u->shut & RCV_SHUT)
		ev |= LX_POLLRDHUP | EV_IN;
	if (!list_empty(&u->rxq) || !list_empty(&u->embryos))
		ev |= EV_IN;
	if (!usock_is_dgram(u) && u->state == US_CLOSE)
		ev |= LX_POLLHUP;
	if (usock_writable(u) && !(usock_is_dgram(u) && peer_full(u, pc != NULL)))
		ev |= EV_OUT;
	return ev;
}

/* ---- collecting what only messages keep ---- */

typedef void (*gc_visit)(struct usock *u, struct list *work);

static void gc_each_in(struct usock *u, gc_visit fn, struct list *work)
{
	struct umsg *m;

	list_for_each(m, &u->rxq, link) {
		for (unsigned i = 0; m->scm != NULL && i < m->scm->count; i++) {
			struct usock *v = usock_of_file(m->scm->files[i]);

			if (v != NULL && v->gc_candidate)
				fn(v, work);
		}
	}
}

/* Every candidate in the queues of u and of connections waiting at u. */
static void gc_each(struct usock *u, gc_visit fn, struct list *work)
{
	struct usock *e;

	gc_each_in(u, fn, work);
	list_for_each(e, &u->embryos, embryo_link)
		gc_each_in(e, fn, work);
}

static void gc_uncount(struct usock *u, struct list *work)
{
	(void)work;
	u->gc_refs--;
}

static void gc_mark(struct usock *u, struct list *work)
{
	if (u->gc_live)
		return;
	u->gc_live = true;
	list_push_back(work, &u->gc_work);
}

static void gc_take_queue(struct usock *u, struct list *hit)
{
	while (!list_empty(&u->rxq)) {
		struct umsg *m = list_first(&u->rxq, struct umsg, link);

		usock_dequeue(u, m);
		list_push_back(hit, &m->link);
	}
}

/* Candidates are sockets to which only messages refer. One that a message in the queue of
 * a non-candidate carries is alive, and so is all that its own queue carries. The messages
 * of the rest are dropped, which closes them. */
void unix_gc(struct kernel_net *n)
{
	struct list work = LIST_INIT(work), hit = LIST_INIT(hit);
	struct usock *u;

	if (n->collecting || n->reaping)
		return;
	n->collecting = true;
	list_for_each(u, &n->inflight, gc_link) {
		u->gc_refs = u->inflight;
		u->gc_candidate = (unsigned)refs_count(&u->s.file->refs) == u->inflight;
		u->gc_live = false;
	}
	list_for_each(u, &n->inflight, gc_link) {
		if (u->gc_candidate)
			gc_each(u, gc_uncount, NULL);
	}
	list_for_each(u, &n->inflight, gc_link) {
		if (u->gc_candidate && u->gc_refs > 0)
			gc_mark(u, &work);
	}
	while (!list_empty(&work)) {
		u = list_first(&work, struct usock, gc_work);
		list_del_init(&u->gc_work);
		gc_each(u, gc_mark, &work);
	}
	list_for_each(u, &n->inflight, gc_link) {
		struct usock *e;

		if (!u->gc_candidate || u->gc_live)
			continue;
		gc_take_queue(u, &hit);
		list_for_each(e, &u->embryos, embryo_link)
			gc_take_queue(e, &hit);
	}
	list_for_each(u, &n->inflight, gc_link)
		u->gc_candidate = false;
	while (!list_empty(&hit)) {
		struct umsg *m = list_first(&hit, struct umsg, link);

		list_del_init(&m->link);
		umsg_free(m);
	}
	n->collecting = false;
}

/* ---- the three types ---- */

#define UNIX_COMMON                                                                        \
	.bind = unix_bind, .listen = unix_listen, .accept = unix_accept,                   \
	.getname = unix_getname, .shutdown = unix_shutdown,                                \
	.setsockopt = unix_setsockopt, .getsockopt = unix_getsockopt, .ioctl = unix_ioctl, \
	.poll = unix_poll, .release = unix_release

const struct sock_ops unix_stream_ops = {
	UNIX_COMMON,
	.connect = unix_connect_stream,
	.sendmsg = unix_stream_sendmsg,
	.recvmsg = unix_stream_recvmsg,
};
const struct sock_ops unix_dgram_ops = {
	UNIX_COMMON,
	.connect = unix_connect_dgram,
	.sendmsg = unix_dgram_sendmsg,
	.recvmsg = unix_dgram_recvmsg,
};
const struct sock_ops unix_seqpacket_ops = {
	UNIX_COMMON,
	.connect = unix_connect_stream,
	.sendmsg = unix_seqpacket_sendmsg,
	.recvmsg = unix_seqpacket_recvmsg,
};
