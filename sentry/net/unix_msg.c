/* AF_UNIX: messages on their way.
 *
 * A message lies in the receiver's queue and is charged to its sender until it is taken,
 * so SO_SNDBUF bounds what a sender can make the sandbox hold. Streams are queues of
 * messages too, cut as they were sent: descriptors and credentials stay where they
 * belong. Data is copied once in and once out. */
#include <stdlib.h>
#include <string.h>

#include "sentry/net/scm.h"
#include "sentry/net/unix_impl.h"
#include "syscalls/abi/lx_poll.h"

#define EV_IN (LX_POLLIN | LX_POLLRDNORM)
#define EV_OUT (LX_POLLOUT | LX_POLLWRNORM | LX_POLLWRBAND)

/* About what Linux charges, so that as many small messages fit. */
static uint32_t umsg_charge(uint32_t len)
{
	return 256 + ((len + 320 + 511) & ~511U);
}

/* A message of len bytes from u, charged to it. */
static struct umsg *umsg_new(struct usock *u, uint32_t len, const struct lx_ucred *cred)
{
	struct umsg *m = malloc(sizeof(*m) + len);

	if (m == NULL)
		return NULL;
	*m = (struct umsg){ .from = u, .addr = u->addr, .cred = *cred, .len = len };
	list_init(&m->link);
	usock_get(u);
	if (u->addr != NULL)
		unix_addr_get(u->addr);
	m->charge = umsg_charge(len);
	u->wmem += m->charge;
	return m;
}

void umsg_free(struct umsg *m)
{
	struct usock *u = m->from;

	u->wmem -= m->charge;
	if (waitq_active(&u->wr) && usock_writable(u))
		waitq_wake(&u->wr, EV_OUT);
	if (m->addr != NULL)
		unix_addr_put(m->addr);
	if (m->scm != NULL)
		scm_free(usock_net(u), m->scm);
	usock_put(u);
	free(m);
}

void usock_enqueue(struct usock *u, struct umsg *m)
{
	list_push_back(&u->rxq, &m->link);
	u->rxcount++;
	u->rxbytes += m->len - m->off;
}

void usock_dequeue(struct usock *u, struct umsg *m)
{
	list_del_init(&m->link);
	u->rxcount--;
	u->rxbytes -= m->len - m->off;
}

void usock_purge(struct usock *u)
{
	while (!list_empty(&u->rxq)) {
		struct umsg *m = list_first(&u->rxq, struct umsg, link);

		usock_dequeue(u, m);
		umsg_free(m);
	}
}

static int take_error(struct usock *u)
{
	int err = u->err;

	u->err = 0;
	return -err;
}

/* What the sender says about itself, and the descriptors that go along. */
static int parse_control(struct task *t, const struct sockmsg *m, struct lx_ucred *cred,
			 struct scm **scm)
{
	*scm = NULL;
	if (t == NULL) { /* nobody's: splice within the kernel */
		*cred = (struct lx_ucred){ 0, 65534, 65534 };
		return 0;
	}
	return scm_parse(t, m->ctl, m->ctl_len, cred, scm);
}

/* Give the message its descriptors and deliver it. Consumes *scm on success only. */
static int deliver(struct task *t, struct usock *to, struct umsg *m, struct scm **scm)
{
	if (*scm != NULL) {
		int err = scm_launch(t, usock_net(to), *scm);

		if (err)
			return err;
		m->scm = *scm;
		*scm = NULL;
	}
	usock_enqueue(to, m);
	if (waitq_active(&to->rd))
		waitq_wake(&to->rd, EV_IN);
	return 0;
}

/* ---- streams ---- */

/* May u send a piece now? */
static int stream_may_send(struct usock *u)
{
	if (u->err != 0)
		return take_error(u);
	if ((u->shut & SEND_SHUT) != 0 || u->peer->dead || (u->peer->shut & RCV_SHUT) != 0)
		return -LX_EPIPE;
	return u->wmem >= u->sndbuf ? -LX_EAGAIN : 0;
}

/* One piece: its bytes, or an error. *more: another may follow. */
static int64_t stream_send_piece(struct task *t, struct usock *u, struct uio *io,
				 const struct lx_ucred *cred, struct scm **scm, bool *more)
{
	uint32_t want = u->sndbuf / 2 - 64;
	struct umsg *m;
	int64_t got;
	int err = stream_may_send(u);

	*more = false;
	if (err)
		return err;
	if (want > UNIX_CHUNK_MAX)
		want = UNIX_CHUNK_MAX;
	if (want > io->resid)
		want = (uint32_t)io->resid;
	m = umsg_new(u, want, cred);
	if (m == NULL)
		return -LX_ENOMEM;
	got = uio_from_user(io, m->data, want);
	if (got < 0) {
		umsg_free(m);
		return got;
	}
	m->len = (uint32_t)got;
	err = deliver(t, u->peer, m, scm);
	if (err) {
		umsg_free(m);
		return err;
	}
	*more = got == want && io->resid > 0;
	return got;
}

int64_t unix_stream_sendmsg(struct task *t, struct socket *s, struct sockmsg *m)
{
	struct usock *u = usock_of(s);
	struct lx_ucred cred;
	struct scm *scm;
	int64_t sent = 0, n = 0;
	bool more = m->u->resid > 0;

	if (m->flags & LX_MSG_OOB)
		return -LX_EOPNOTSUPP;
	if (m->namelen != 0)
		return u->state == US_ESTABLISHED ? -LX_EISCONN : -LX_EOPNOTSUPP;
	if (u->peer == NULL)
		return -LX_ENOTCONN;
	if (u->shut & SEND_SHUT)
		return -LX_EPIPE;
	n = parse_control(t, m, &cred, &scm);
	if (n)
		return n;
	while (more) {
		n = stream_send_piece(t, u, m->u, &cred, &scm, &more);
		if (n < 0)
			break;
		sent += n;
	}
	if (scm != NULL)
		scm_free(usock_net(u), scm);
	return sent > 0 ? sent : (n < 0 ? n : 0);
}

/* Where a message is from, and who wrote it. */
static void give_origin(const struct usock *u, const struct umsg *q, struct sockmsg *m)
{
	m->namelen = 0;
	if (q->addr != NULL) {
		m->name = q->addr->sa;
		m->namelen = q->addr->len;
	}
	m->has_cred = u->passcred;
	m->cred = q->cred;
}

/* The descriptors of a message: moved out, or doubled for a peek. */
static int give_files(struct usock *u, struct umsg *q, struct sockmsg *m)
{
	if (q->scm == NULL)
		return 0;
	if (m->flags & LX_MSG_PEEK) {
		m->scm = scm_dup(q->scm);
		return m->scm != NULL ? 0 : -LX_ENOMEM;
	}
	scm_land(usock_net(u), q->scm);
	m->scm = q->scm;
	q->scm = NULL;
	return 0;
}

static bool same_writer(const struct lx_ucred *a, const struct lx_ucred *b)
{
	return a->pid == b->pid && a->uid == b->uid && a->gid == b->gid;
}

/* Take from one queued message. Bytes, or an error; *more: go on with the next one. */
static int64_t stream_recv_piece(struct usock *u, struct umsg *q, struct sockmsg *m, bool *more)
{
	size_t want = q->len - q->off;
	int64_t got;
	int err;

	*more = false;
	if (want > m->u->resid)
		want = m->u->resid;
	got = uio_to_user(m->u, q->data + q->off, want);
	if (got < 0)
		return got;
	err = give_files(u, q, m);
	if (err)
		return err;
	*more = (size_t)got == want && m->scm == NULL && m->u->resid > 0;
	if (m->flags & LX_MSG_PEEK)
		return got;
	q->off += (uint32_t)got;
	u->rxbytes -= (uint64_t)got;
	if (q->off == q->len) {
		usock_dequeue(u, q);
		umsg_free(q);
	}
	return got;
}

int64_t unix_stream_recvmsg(struct task *t, struct socket *s, struct sockmsg *m)
{
	struct usock *u = usock_of(s);
	struct umsg *q, *next;
	int64_t done = 0, n = 0;
	bool more;

	(void)t;
	if (u->state != US_ESTABLISHED)
		return -LX_EINVAL;
	if (m->flags & LX_MSG_OOB)
		return -LX_EOPNOTSUPP;
	if (list_empty(&u->rxq)) {
		if (u->err != 0)
			return take_error(u);
		return u->shut & RCV_SHUT ? 0 : -LX_EAGAIN;
	}
	list_for_each_safe(q, next, &u->rxq, link) {
		if (done == 0)
			give_origin(u, q, m);
		else if (u->passcred && !same_writer(&m->cred, &q->cred))
			break;
		n = stream_recv_piece(u, q, m, &more);
		if (n < 0)
			break;
		done += n;
		if (!more)
			break;
	}
	return done > 0 ? done : n;
}

/* ---- datagrams and sequenced packets ---- */

/* Where it goes: *out has one reference. */
static int dgram_target(struct task *t, struct usock *u, struct sockmsg *m, struct usock **out)
{
	struct usock *other = u->peer;

	if (m->namelen != 0) {
		if (t == NULL)
			return -LX_EINVAL;
		return unix_find(t, &m->name, m->namelen, u->s.type, out);
	}
	if (other == NULL)
		return -LX_ENOTCONN;
	usock_get(other);
	*out = other;
	return 0;
}

static int dgram_may_send(struct usock *u, struct usock *other, struct sockmsg *m)
{
	if (u->err != 0)
		return take_error(u);
	if (u->shut & SEND_SHUT)
		return -LX_EPIPE;
	if (u->wmem >= u->sndbuf)
		return -LX_EAGAIN;
	if (other->peer != NULL && other->peer != u && !other->dead)
		return -LX_EPERM;
	if (other->dead) {
		if (m->namelen == 0 && usock_is_dgram(u))
			usock_dgram_disconnect(u);
		return -LX_ECONNREFUSED;
	}
	if (other->shut & RCV_SHUT)
		return -LX_EPIPE;
	if (usock_queue_full(other, u)) {
		m->wait_on = &other->room;
		return -LX_EAGAIN;
	}
	return 0;
}

static int64_t dgram_send_to(struct task *t, struct usock *u, struct usock *other,
			     struct sockmsg *m)
{
	uint32_t len = (uint32_t)m->u->resid;
	struct lx_ucred cred;
	struct scm *scm;
	struct umsg *q;
	int64_t err = dgram_may_send(u, other, m);

	if (err)
		return err;
	err = parse_control(t, m, &cred, &scm);
	if (err)
		return err;
	q = umsg_new(u, len, &cred);
	if (q == NULL)
		err = -LX_ENOMEM;
	else if (uio_from_user(m->u, q->data, len) != (long)len)
		err = -LX_EFAULT;
	else
		err = deliver(t, other, q, &scm);
	if (err && q != NULL)
		umsg_free(q);
	if (scm != NULL)
		scm_free(usock_net(u), scm);
	return err ? err : len;
}

int64_t unix_dgram_sendmsg(struct task *t, struct socket *s, struct sockmsg *m)
{
	AUTO_PUT(usock) struct usock *other = NULL;
	struct usock *u = usock_of(s);
	int err;

	if (m->flags & LX_MSG_OOB)
		return -LX_EOPNOTSUPP;
	err = u->passcred ? unix_autobind(u) : 0;
	if (err == 0)
		err = dgram_target(t, u, m, &other);
	if (err)
		return err;
	if (m->u->resid > u->sndbuf - 32)
		return -LX_EMSGSIZE;
	return dgram_send_to(t, u, other, m);
}

int64_t unix_seqpacket_sendmsg(struct task *t, struct socket *s, struct sockmsg *m)
{
	struct usock *u = usock_of(s);

	if (u->err != 0)
		return take_error(u);
	if (u->state != US_ESTABLISHED)
		return -LX_ENOTCONN;
	m->namelen = 0;
	return unix_dgram_sendmsg(t, s, m);
}

int64_t unix_dgram_recvmsg(struct task *t, struct socket *s, struct sockmsg *m)
{
	struct usock *u = usock_of(s);
	struct umsg *q;
	size_t want;
	int64_t ret;

	(void)t;
	if (m->flags & LX_MSG_OOB)
		return -LX_EOPNOTSUPP;
	if (list_empty(&u->rxq)) {
		if (u->err != 0)
			return take_error(u);
		if ((u->shut & RCV_SHUT) != 0 &&
		    (!usock_is_dgram(u) || !(m->flags & LX_MSG_DONTWAIT)))
			return 0;
		return -LX_EAGAIN;
	}
	q = list_first(&u->rxq, struct umsg, link);
	want = q->len < m->u->resid ? q->len : m->u->resid;
	give_origin(u, q, m);
	if (want < q->len)
		m->out_flags |= LX_MSG_TRUNC;
	ret = uio_to_user(m->u, q->data, want) == (long)want ? (int64_t)want : -LX_EFAULT;
	if (ret >= 0) {
		int err = give_files(u, q, m);

		if (err)
			return err;
		if (m->flags & LX_MSG_TRUNC)
			ret = q->len;
	}
	if (!(m->flags & LX_MSG_PEEK)) { /* gone even if it could not be copied out */
		usock_dequeue(u, q);
		umsg_free(q);
		if (waitq_active(&u->room))
			waitq_wake(&u->room, EV_OUT);
	}
	return ret;
}

int64_t unix_seqpacket_recvmsg(struct task *t, struct socket *s, struct sockmsg *m)
{
	if (usock_of(s)->state != US_ESTABLISHED)
		return -LX_ENOTCONN;
	return unix_dgram_recvmsg(t, s, m);
}
