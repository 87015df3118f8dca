/* Sockets as files, and waiting: families give -LX_EAGAIN, this parks. */
#include "sentry/net/socket.h"

#include <stdlib.h>
#include <string.h>

#include "sentry/fs/pipe/pipe.h"
#include "sentry/net/net_impl.h"
#include "sentry/net/scm.h"
#include "sentry/vfs/file_io.h"
#include "syscalls/abi/lx_fcntl.h"
#include "syscalls/abi/lx_poll.h"
#include "syscalls/abi/lx_stat.h"
#include "syscalls/abi/lx_time.h"

/* A host socket may have become ready between the try and the enrolment: try again, but
 * not for ever, in case the host says ready and EAGAIN in turn. */
#define HOST_RETRIES 4

/* ---- state ---- */

struct kernel_net *net_state(struct kernel *k)
{
	if (k->net != NULL)
		return k->net;
	k->net = calloc(1, sizeof(*k->net));
	if (k->net == NULL)
		return NULL;
	list_init(&k->net->inflight);
	list_init(&k->net->dead);
	return k->net;
}

void net_fini(struct kernel *k)
{
	if (k->net == NULL)
		return;
	unix_gc(k->net);
	free(k->net->buf);
	free(k->net);
	k->net = NULL;
}

void sock_init(struct socket *s, struct kernel *k, const struct sock_ops *ops, int family,
	       int type, int protocol)
{
	*s = (struct socket){ .ops = ops, .k = k, .family = family, .type = type,
			      .protocol = protocol, .rcvtimeo = SOCK_NO_TIMEOUT,
			      .sndtimeo = SOCK_NO_TIMEOUT };
}

struct lx_ucred ucred_of(const struct task *t)
{
	return (struct lx_ucred){ t->tg->tgid, t->cred->euid, t->cred->egid };
}

void sockmsg_fini(struct kernel *k, struct sockmsg *m)
{
	if (m->scm != NULL)
		scm_free(k->net, m->scm);
	m->scm = NULL;
}

/* ---- making ---- */

static int check_type(int family, int type)
{
	if (family < 0 || family >= LX_AF_MAX)
		return -LX_EAFNOSUPPORT;
	return type < 0 || type >= LX_SOCK_MAX ? -LX_EINVAL : 0;
}

int sock_create(struct task *t, int family, int type, int protocol, struct socket **out)
{
	int err = check_type(family, type);

	if (err)
		return err;
	if (net_state(t->k) == NULL)
		return -LX_ENOMEM;
	switch (family) {
	case LX_AF_UNIX:
		return unix_create(t, type, protocol, out);
	case LX_AF_INET:
	case LX_AF_INET6:
	case LX_AF_NETLINK:
		return inet_create(t, family, type, protocol, out);
	default:
		return -LX_EAFNOSUPPORT;
	}
}

int sock_create_pair(struct task *t, int family, int type, int protocol,
		     struct socket *out[2])
{
	struct socket *s;
	int err = check_type(family, type);

	if (err)
		return err;
	if (family == LX_AF_UNIX)
		return unix_create_pair(t, type, protocol, out);
	/* Other families can make a socket but no pair of them. */
	err = sock_create(t, family, type, protocol, &s);
	if (err)
		return err;
	s->ops->release(s);
	return -LX_EOPNOTSUPP;
}

/* ---- waiting ---- */

struct sock_wait_ctx {
	struct poll_ctx pc;
	struct task *t;
	int err;
};

static void wait_enrol(struct poll_ctx *pc, struct waitq *q)
{
	struct sock_wait_ctx *c = container_of(pc, struct sock_wait_ctx, pc);

	if (c->err == 0)
		c->err = task_enrol(c->t, q);
}

/* Wait for events at s, or for q. 0: ready by now, try again; -LX_EPARK; -LX_EAGAIN: the
 * time is over; -LX_ERESTARTSYS, or -LX_EINTR when there is a timeout (signal(7)). */
static long sock_wait(struct task *t, struct socket *s, uint32_t events, struct waitq *q,
		      uint64_t timeo, int *retries)
{
	struct sock_wait_ctx c = { .pc = { .enrol = wait_enrol, .events = events }, .t = t };
	uint32_t ready = 0;

	if (!t->restart.has_deadline) {
		t->restart.has_deadline = true;
		t->restart.deadline = timeo == SOCK_NO_TIMEOUT ? timeo : ktime_mono() + timeo;
	}
	if (t->restart.deadline != SOCK_NO_TIMEOUT && ktime_mono() >= t->restart.deadline)
		return -LX_EAGAIN;
	if (q != NULL)
		c.err = task_enrol(t, q);
	else
		ready = s->ops->poll(s, &c.pc);
	if (c.err)
		return c.err;
	if (s->ops->host && (ready & (events | LX_POLLERR | LX_POLLHUP)) != 0 &&
	    (*retries)++ < HOST_RETRIES)
		return 0;
	task_park_until(t, t->restart.deadline);
	return task_park(t, timeo == SOCK_NO_TIMEOUT ? LX_ERESTARTSYS : LX_EINTR);
}

/* ---- the calls ---- */

#define CONNECT_STARTED 1

long sock_connect(struct task *t, struct file *f, const struct lx_sockaddr_storage *addr,
		  uint32_t len)
{
	struct socket *s = sock_of(f);
	bool nonblock = (f->flags & LX_O_NONBLOCK) != 0;
	struct waitq *q;
	int retries = 0;
	long r;

	for (;;) {
		q = NULL;
		if (t->restart.scratch[0] == CONNECT_STARTED)
			r = s->ops->connect_done(s, addr, len);
		else
			r = s->ops->connect(t, s, addr, len, &q);
		if (nonblock)
			return r;
		if (r == -LX_EINPROGRESS || (r == -LX_EALREADY && s->ops->connect_done)) {
			t->restart.scratch[0] = CONNECT_STARTED;
			continue;
		}
		if (r != -LX_EAGAIN)
			return r;
		r = sock_wait(t, s, LX_POLLOUT, q, s->sndtimeo, &retries);
		if (r == -LX_EAGAIN && t->restart.scratch[0] == CONNECT_STARTED)
			return -LX_EINPROGRESS;
		if (r != 0)
			return r;
	}
}

long sock_accept(struct task *t, struct file *f, struct socket **out)
{
	struct socket *s = sock_of(f);
	int retries = 0;
	long r;

	for (;;) {
		r = s->ops->accept(t, s, out);
		if (r != -LX_EAGAIN || (f->flags & LX_O_NONBLOCK) != 0)
			return r;
		r = sock_wait(t, s, LX_POLLIN, NULL, s->rcvtimeo, &retries);
		if (r != 0)
			return r;
	}
}

static bool is_stream(const struct socket *s)
{
	return s->type == LX_SOCK_STREAM;
}

int64_t sock_send(struct task *t, struct file *f, struct sockmsg *m)
{
	struct socket *s = sock_of(f);
	uint64_t done = is_stream(s) ? t->restart.done : 0;
	int retries = 0;
	int64_t r;

	if (f->flags & LX_O_NONBLOCK)
		m->flags |= LX_MSG_DONTWAIT;
	uio_skip(m->u, done);
	for (;;) {
		if (done > 0)
			m->ctl_len = 0; /* went with the first bytes */
		m->wait_on = NULL;
		r = s->ops->sendmsg(t, s, m);
		if (r >= 0) {
			done += (uint64_t)r;
			if (!is_stream(s) || r == 0 || m->u->resid == 0 ||
			    (m->flags & LX_MSG_DONTWAIT) != 0)
				return (int64_t)done;
			t->restart.done = done;
			continue;
		}
		if (r == -LX_EAGAIN && !(m->flags & LX_MSG_DONTWAIT))
			r = sock_wait(t, s, LX_POLLOUT, m->wait_on, s->sndtimeo, &retries);
		if (r == 0)
			continue;
		if (r == -LX_EPARK)
			return r;
		if (done > 0)
			return (int64_t)done;
		if (r == -LX_EPIPE && is_stream(s) && !(m->flags & LX_MSG_NOSIGNAL))
			task_sigpipe(t);
		return r;
	}
}

int64_t sock_recv(struct task *t, struct file *f, struct sockmsg *m)
{
	struct socket *s = sock_of(f);
	bool all = (m->flags & (LX_MSG_WAITALL | LX_MSG_PEEK | LX_MSG_ERRQUEUE)) ==
			   LX_MSG_WAITALL && is_stream(s);
	uint64_t done = all ? t->restart.done : 0;
	int retries = 0;
	int64_t r;

	if (f->flags & LX_O_NONBLOCK)
		m->flags |= LX_MSG_DONTWAIT;
	uio_skip(m->u, done);
	for (;;) {
		r = s->ops->recvmsg(t, s, m);
		if (r >= 0) {
			done += (uint64_t)r;
			if (!all || r == 0 || m->u->resid == 0 || m->scm != NULL ||
			    (m->flags & LX_MSG_DONTWAIT) != 0)
				return (int64_t)done;
			t->restart.done = done;
			continue;
		}
		if (r == -LX_EAGAIN && !(m->flags & (LX_MSG_DONTWAIT | LX_MSG_ERRQUEUE)))
			r = sock_wait(t, s, LX_POLLIN, NULL, s->rcvtimeo, &retries);
		if (r == 0)
			continue;
		if (r == -LX_EPARK)
			return r;
		return done > 0 ? (int64_t)done : r;
	}
}

/* ---- options of every family ---- */

int opt_get_int(const void *val, uint32_t len, int32_t *out)
{
	if (len < sizeof(*out))
		return -LX_EINVAL;
	memcpy(out, val, sizeof(*out));
	return 0;
}

int opt_put(void *val, uint32_t *len, const void *src, uint32_t size)
{
	if (*len > size)
		*len = size;
	memcpy(val, src, *len);
	return 0;
}

int opt_put_int(void *val, uint32_t *len, int32_t v)
{
	return opt_put(val, len, &v, sizeof(v));
}

static int set_timeout(uint64_t *timeo, const void *val, uint32_t len)
{
	struct lx_timeval tv;

	if (len < sizeof(tv))
		return -LX_EINVAL;
	memcpy(&tv, val, sizeof(tv));
	if (tv.usec < 0 || tv.usec >= 1000000)
		return -LX_EDOM;
	if (tv.sec < 0)
		*timeo = 0;
	else if ((tv.sec == 0 && tv.usec == 0) || tv.sec >= INT64_MAX / LX_NSEC_PER_SEC / 2)
		*timeo = SOCK_NO_TIMEOUT;
	else
		*timeo = (uint64_t)tv.sec * LX_NSEC_PER_SEC + (uint64_t)tv.usec * 1000;
	return 0;
}

static int get_timeout(uint64_t timeo, void *val, uint32_t *len)
{
	struct lx_timeval tv = { 0, 0 };

	if (timeo != SOCK_NO_TIMEOUT) {
		tv.sec = (int64_t)(timeo / LX_NSEC_PER_SEC);
		tv.usec = (int64_t)(timeo % LX_NSEC_PER_SEC / 1000);
	}
	return opt_put(val, len, &tv, sizeof(tv));
}

int sock_setsockopt(struct task *t, struct socket *s, int level, int name, const void *val,
		    uint32_t len)
{
	if (level == LX_SOL_SOCKET) {
		switch (name) {
		case LX_SO_RCVTIMEO_OLD:
		case LX_SO_RCVTIMEO_NEW:
			return set_timeout(&s->rcvtimeo, val, len);
		case LX_SO_SNDTIMEO_OLD:
		case LX_SO_SNDTIMEO_NEW:
			return set_timeout(&s->sndtimeo, val, len);
		case LX_SO_TYPE:
		case LX_SO_PROTOCOL:
		case LX_SO_DOMAIN:
		case LX_SO_ERROR:
		case LX_SO_ACCEPTCONN:
			return -LX_ENOPROTOOPT;
		default:
			break;
		}
	}
	return s->ops->setsockopt(t, s, level, name, val, len);
}

int sock_getsockopt(struct task *t, struct socket *s, int level, int name, void *val,
		    uint32_t *len)
{
	if (level == LX_SOL_SOCKET) {
		switch (name) {
		case LX_SO_RCVTIMEO_OLD:
		case LX_SO_RCVTIMEO_NEW:
			return get_timeout(s->rcvtimeo, val, len);
		case LX_SO_SNDTIMEO_OLD:
		case LX_SO_SNDTIMEO_NEW:
			return get_timeout(s->sndtimeo, val, len);
		case LX_SO_TYPE:
			return opt_put_int(val, len, s->type);
		case LX_SO_PROTOCOL:
			return opt_put_int(val, len, s->protocol);
		case LX_SO_DOMAIN:
			return opt_put_int(val, len, s->family);
		default:
			break;
		}
	}
	return s->ops->getsockopt(t, s, level, name, val, len);
}

/* ---- the file ---- */

/* read(2) and write(2) wait here, because of the timeouts. */
static long sock_file_wait(struct task *t, struct file *f, uint32_t events)
{
	struct socket *s = sock_of(f);
	bool in = (events & LX_POLLIN) != 0;
	int retries = HOST_RETRIES - 1;

	return sock_wait(t, s, events, NULL, in ? s->rcvtimeo : s->sndtimeo, &retries);
}

static int64_t sock_file_read(struct file *f, struct uio *u, int64_t *pos, uint32_t rwf)
{
	struct socket *s = sock_of(f);
	struct sockmsg m = { .u = u, .flags = LX_MSG_DONTWAIT };
	int64_t n;

	(void)pos;
	(void)rwf;
	if (u->resid == 0)
		return 0;
	n = s->ops->recvmsg(u->task, s, &m);
	if (m.scm != NULL) /* read(2) cannot take descriptors */
		scm_free(s->k->net, m.scm);
	return n;
}

static int64_t sock_file_write(struct file *f, struct uio *u, int64_t *pos, uint32_t rwf)
{
	struct socket *s = sock_of(f);
	struct sockmsg m = { .u = u, .flags = LX_MSG_DONTWAIT };
	int64_t n;

	(void)pos;
	(void)rwf;
	n = s->ops->sendmsg(u->task, s, &m);
	if (n == -LX_EPIPE && is_stream(s))
		task_sigpipe(u->task);
	return n;
}

static uint32_t sock_file_poll(struct file *f, struct poll_ctx *pc)
{
	struct socket *s = sock_of(f);

	return s->ops->poll(s, pc);
}

static int64_t sock_file_ioctl(struct task *t, struct file *f, uint32_t cmd, uint64_t arg)
{
	struct socket *s = sock_of(f);

	return s->ops->ioctl(t, s, cmd, arg);
}

static void sock_file_release(struct file *f)
{
	struct socket *s = f->priv;

	s->file = NULL;
	s->ops->release(s);
}

static const struct file_ops sock_file_ops = {
	.name = "socket",
	.read = sock_file_read,
	.write = sock_file_write,
	.poll = sock_file_poll,
	.ioctl = sock_file_ioctl,
	.async = true,
	.release = sock_file_release,
	.wait = sock_file_wait,
};

struct socket *sock_of(const struct file *f)
{
	return f->ops == &sock_file_ops ? f->priv : NULL;
}

struct file *sock_file_new(struct socket *s, bool nonblock)
{
	uint32_t fmode = FMODE_READ | FMODE_WRITE | FMODE_STREAM;
	struct file *f;

	if (is_stream(s))
		fmode |= FMODE_WRITE_ALL;
	f = file_new_anon(s->k, &sock_file_ops, "socket", LX_S_IFSOCK | 0777, fmode,
			  LX_O_RDWR | (nonblock ? LX_O_NONBLOCK : 0), s);
	if (f == NULL) {
		s->ops->release(s);
		return NULL;
	}
	s->file = f;
	return f;
}
