/* Sending and receiving on sockets.
 *
 * A blocking call is run again from the top: what of a stream already went is in
 * t->restart.done, which sendmmsg and recvmmsg clear between messages. */
#include "syscalls/sys_sockmsg.h"

#include <stdlib.h>
#include <string.h>

#include "sentry/mm/usercopy.h"
#include "sentry/task/task.h"
#include "sentry/vfs/vfs.h"
#include "syscalls/abi/lx_socket.h"
#include "syscalls/abi/lx_time.h"
#include "syscalls/syscall_args.h"

#define RECV_TOUCH 65536 /* see task_touch() */
#define CTL_OUT_MAX 1024 /* control bytes a host socket may give with one message */

/* Flags that may be asked for; others (MSG_FASTOPEN …) are refused. */
#define SEND_FLAGS                                                                         \
	(LX_MSG_OOB | LX_MSG_DONTROUTE | LX_MSG_DONTWAIT | LX_MSG_EOR | LX_MSG_CONFIRM |   \
	 LX_MSG_NOSIGNAL | LX_MSG_MORE)
#define RECV_FLAGS                                                                         \
	(LX_MSG_OOB | LX_MSG_PEEK | LX_MSG_TRUNC | LX_MSG_DONTWAIT | LX_MSG_WAITALL |      \
	 LX_MSG_ERRQUEUE | LX_MSG_CMSG_CLOEXEC)

/* ---- sending ---- */

static int64_t do_send(struct task *t, struct file *f, struct sockmsg *m, uint32_t flags)
{
	if (flags & LX_MSG_FASTOPEN)
		return -LX_EOPNOTSUPP;
	m->flags = flags & SEND_FLAGS;
	return sock_send(t, f, m);
}

long sys_sendto(struct task *t, const struct sendto_args *a)
{
	AUTO_PUT(file) struct file *f = NULL;
	struct sockmsg m = { .namelen = 0 };
	struct uio u;
	int err;

	if (fd_socket(t, a->fd, &f, &err) == NULL)
		return err;
	if (a->addr.v != 0) {
		err = sockaddr_in(t, &m.name, a->addr, a->addr_len);
		if (err)
			return err;
		m.namelen = (uint32_t)a->addr_len;
	}
	uio_init_user(&u, t, a->buff, a->len);
	m.u = &u;
	return do_send(t, f, &m, a->flags);
}

/* Copy in what a send's msghdr points to. *ctl is malloc'd or NULL. */
static int send_hdr(struct task *t, const struct lx_msghdr *h, struct sockmsg *m, struct uio *u,
		    void **ctl)
{
	int32_t namelen = h->msg_name != 0 ? h->msg_namelen : 0;
	int err;

	if (namelen < 0)
		return -LX_EINVAL;
	if (namelen > LX_SOCKADDR_MAX)
		namelen = LX_SOCKADDR_MAX;
	err = sockaddr_in(t, &m->name, (struct uaddr){ h->msg_name }, namelen);
	if (err)
		return err;
	m->namelen = (uint32_t)namelen;
	if (h->msg_iovlen > UIO_MAXIOV)
		return -LX_EMSGSIZE;
	if (h->msg_controllen > SOCK_CTL_MAX)
		return -LX_ENOBUFS;
	if (h->msg_controllen > 0) {
		*ctl = malloc(h->msg_controllen);
		if (*ctl == NULL)
			return -LX_ENOBUFS;
		err = copy_in(t, *ctl, (struct uaddr){ h->msg_control }, h->msg_controllen);
		if (err)
			return err;
		m->ctl = *ctl;
		m->ctl_len = (uint32_t)h->msg_controllen;
	}
	m->u = u;
	return uio_init_iov(u, t, (struct uaddr){ h->msg_iov }, h->msg_iovlen);
}

static int64_t send_one(struct task *t, struct file *f, struct uaddr msg, uint32_t flags)
{
	struct sockmsg m = { .namelen = 0 };
	AUTO_FREE void *ctl = NULL;
	struct lx_msghdr h;
	struct uio u;
	int64_t ret = copy_in(t, &h, msg, sizeof(h));

	if (ret == 0)
		ret = send_hdr(t, &h, &m, &u, &ctl);
	if (ret)
		return ret;
	ret = do_send(t, f, &m, flags);
	uio_fini(&u);
	return ret;
}

long sys_sendmsg(struct task *t, const struct sendmsg_args *a)
{
	AUTO_PUT(file) struct file *f = NULL;
	int err;

	if (fd_socket(t, a->fd, &f, &err) == NULL)
		return err;
	return send_one(t, f, a->msg, a->flags);
}

/* The next message of a mmsg call begins: nothing of it is done, no time has run. */
static void next_message(struct task *t)
{
	t->restart.done = 0;
	t->restart.has_deadline = false;
}

#define MMSG_DONE 1 /* restart.scratch: messages that are through */
#define MMSG_DEADLINE 2

long sys_sendmmsg(struct task *t, const struct sendmmsg_args *a)
{
	AUTO_PUT(file) struct file *f = NULL;
	uint64_t *done = &t->restart.scratch[MMSG_DONE];
	uint32_t vlen = a->vlen > UIO_MAXIOV ? UIO_MAXIOV : a->vlen;
	int64_t n = 0;
	int err;

	if (fd_socket(t, a->fd, &f, &err) == NULL)
		return err;
	while (*done < vlen) {
		struct uaddr p = uaddr_add(a->mmsg, *done * sizeof(struct lx_mmsghdr));
		uint32_t len;

		n = send_one(t, f, p, a->flags);
		if (n < 0)
			break;
		len = (uint32_t)n;
		n = copy_out(t, uaddr_add(p, offsetof(struct lx_mmsghdr, msg_len)), &len,
			     sizeof(len));
		if (n)
			break;
		(*done)++;
		next_message(t);
	}
	if (n == -LX_EPARK)
		return n;
	return *done > 0 ? (long)*done : n;
}

/* ---- receiving ---- */

static int64_t do_recv(struct task *t, struct file *f, struct sockmsg *m, uint32_t flags)
{
	m->flags = flags & RECV_FLAGS;
	return sock_recv(t, f, m);
}

long sys_recvfrom(struct task *t, const struct recvfrom_args *a)
{
	AUTO_PUT(file) struct file *f = NULL;
	struct sockmsg m = { .namelen = 0 };
	struct uio u;
	int64_t n;
	int err;

	if (fd_socket(t, a->fd, &f, &err) == NULL)
		return err;
	uio_init_user(&u, t, a->ubuf, a->size);
	if (task_touch(t, &u, RECV_TOUCH))
		return -LX_ERAN;
	m.u = &u;
	n = do_recv(t, f, &m, a->flags);
	sockmsg_fini(t->k, &m);
	if (n >= 0 && a->addr.v != 0) {
		err = sockaddr_out(t, &m.name, m.namelen, a->addr, a->addr_len);
		if (err)
			return err;
	}
	return n;
}

/* The results of a receive, in the guest's msghdr at p. */
static int recv_results(struct task *t, struct sockmsg *m, const struct lx_msghdr *h,
			struct uaddr p)
{
	uint64_t ctl_len = h->msg_controllen;
	uint32_t flags, room = (uint32_t)h->msg_namelen;
	int err = 0;

	if (h->msg_name != 0) {
		if (m->namelen < room)
			room = m->namelen;
		if (room > 0)
			err = copy_out(t, (struct uaddr){ h->msg_name }, m->name.bytes, room);
		if (err == 0)
			err = copy_out(t, uaddr_add(p, offsetof(struct lx_msghdr, msg_namelen)),
				       &m->namelen, sizeof(m->namelen));
		if (err)
			return err;
	}
	err = sock_put_control(t, m, (struct uaddr){ h->msg_control }, &ctl_len);
	flags = m->out_flags | (m->flags & LX_MSG_CMSG_CLOEXEC);
	if (err == 0)
		err = copy_out(t, uaddr_add(p, offsetof(struct lx_msghdr, msg_flags)), &flags,
			       sizeof(flags));
	if (err == 0)
		err = copy_out(t, uaddr_add(p, offsetof(struct lx_msghdr, msg_controllen)),
			       &ctl_len, sizeof(ctl_len));
	return err;
}

static int64_t recv_one(struct task *t, struct file *f, struct uaddr msg, uint32_t flags)
{
	uint8_t ctl_out[CTL_OUT_MAX];
	struct sockmsg m = { .ctl_out = ctl_out, .ctl_out_size = sizeof(ctl_out) };
	struct lx_msghdr h;
	struct uio u;
	int64_t n;
	int err = copy_in(t, &h, msg, sizeof(h));

	if (err)
		return err;
	if (h.msg_name != 0 && h.msg_namelen < 0)
		return -LX_EINVAL;
	if (h.msg_iovlen > UIO_MAXIOV)
		return -LX_EMSGSIZE;
	err = uio_init_iov(&u, t, (struct uaddr){ h.msg_iov }, h.msg_iovlen);
	if (err)
		return err;
	if (task_touch(t, &u, RECV_TOUCH)) {
		uio_fini(&u);
		return -LX_ERAN;
	}
	m.u = &u;
	n = do_recv(t, f, &m, flags);
	if (n >= 0) {
		err = recv_results(t, &m, &h, msg);
		if (err)
			n = err;
	}
	sockmsg_fini(t->k, &m);
	uio_fini(&u);
	return n;
}

long sys_recvmsg(struct task *t, const struct recvmsg_args *a)
{
	AUTO_PUT(file) struct file *f = NULL;
	int err;

	if (fd_socket(t, a->fd, &f, &err) == NULL)
		return err;
	return recv_one(t, f, a->msg, a->flags);
}

/* recvmmsg's timeout is looked at after each message, as in Linux: it does not end a wait.
 * restart.scratch[MMSG_DEADLINE]: absolute; 0: not read yet. */
static int mmsg_deadline(struct task *t, struct uaddr timeout, uint64_t *out)
{
	uint64_t *d = &t->restart.scratch[MMSG_DEADLINE];
	struct lx_timespec ts;
	int err;

	if (timeout.v == 0) {
		*out = UINT64_MAX;
		return 0;
	}
	if (*d == 0) {
		err = copy_in(t, &ts, timeout, sizeof(ts));
		if (err)
			return err;
		if (ts.sec < 0 || ts.nsec < 0 || ts.nsec >= LX_NSEC_PER_SEC)
			return -LX_EINVAL;
		*d = ktime_mono() + (uint64_t)ts.nsec +
		     (uint64_t)(ts.sec < INT32_MAX ? ts.sec : INT32_MAX) * LX_NSEC_PER_SEC;
	}
	*out = *d;
	return 0;
}

static int mmsg_time_left(struct task *t, struct uaddr timeout, uint64_t deadline)
{
	uint64_t now = ktime_mono(), left = deadline > now ? deadline - now : 0;
	struct lx_timespec ts = { (int64_t)(left / LX_NSEC_PER_SEC),
				  (int64_t)(left % LX_NSEC_PER_SEC) };

	return timeout.v != 0 ? copy_out(t, timeout, &ts, sizeof(ts)) : 0;
}

long sys_recvmmsg(struct task *t, const struct recvmmsg_args *a)
{
	AUTO_PUT(file) struct file *f = NULL;
	uint64_t *done = &t->restart.scratch[MMSG_DONE], deadline;
	uint32_t vlen = a->vlen > UIO_MAXIOV ? UIO_MAXIOV : a->vlen;
	uint32_t flags = a->flags & ~LX_MSG_WAITFORONE;
	int64_t n = 0;
	int err;

	if (fd_socket(t, a->fd, &f, &err) == NULL)
		return err;
	err = mmsg_deadline(t, a->timeout, &deadline);
	if (err)
		return err;
	while (*done < vlen) {
		struct uaddr p = uaddr_add(a->mmsg, *done * sizeof(struct lx_mmsghdr));
		uint32_t len;

		if ((a->flags & LX_MSG_WAITFORONE) != 0 && *done > 0)
			flags |= LX_MSG_DONTWAIT;
		n = recv_one(t, f, p, flags);
		if (n < 0)
			break;
		len = (uint32_t)n;
		n = copy_out(t, uaddr_add(p, offsetof(struct lx_mmsghdr, msg_len)), &len,
			     sizeof(len));
		if (n)
			break;
		(*done)++;
		next_message(t);
		if (deadline != UINT64_MAX && ktime_mono() >= deadline)
			break;
	}
	if (n == -LX_EPARK)
		return n;
	if (*done == 0)
		return n;
	err = mmsg_time_left(t, a->timeout, deadline);
	return err ? err : (long)*done;
}
