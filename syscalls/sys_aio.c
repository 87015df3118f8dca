/* Linux AIO: io_setup(2), io_submit(2), io_getevents(2) and the rest. */
#include "sentry/fs/anon/aio.h"
#include "sentry/fs/anon/eventfd.h"
#include "sentry/mm/usercopy.h"
#include "sentry/task/task.h"
#include "sentry/time/timer.h"
#include "sentry/vfs/file_io.h"
#include "sentry/vfs/vfs.h"
#include "syscalls/abi/lx_fcntl.h"
#include "syscalls/abi/lx_poll.h"
#include "syscalls/abi/lx_stat.h"
#include "syscalls/abi/lx_time.h"
#include "syscalls/syscall_args.h"

long sys_io_setup(struct task *t, const struct io_setup_args *a)
{
	uint64_t id;
	int err = copy_in(t, &id, a->ctxp, sizeof(id));

	if (err)
		return err;
	if (id)
		return -LX_EINVAL;
	err = aio_setup(t, a->nr_events, &id);
	if (err)
		return err;
	if (copy_out(t, a->ctxp, &id, sizeof(id))) {
		aio_destroy(t, aio_find(t, id));
		return -LX_EFAULT;
	}
	return 0;
}

long sys_io_destroy(struct task *t, const struct io_destroy_args *a)
{
	struct aio_ctx *c = aio_find(t, a->ctx);

	if (!c)
		return -LX_EINVAL;
	aio_destroy(t, c);
	return 0;
}

/* ---- submitting ---- */

struct submission {
	struct task *t;
	struct aio_ctx *c;
	struct lx_iocb cb;
	struct uaddr obj;	/* where the guest's iocb lies */
	struct file *f, *eventfd;
};

/* What a read or write came to; errors of the preparation are the call's, others go into the
 * event: *failed. */
static int64_t transfer(struct submission *s, bool write, bool vector, bool *failed)
{
	int64_t at = s->cb.offset, n, *pos = s->f->mode & FMODE_STREAM ? NULL : &at;
	struct uio u;

	*failed = true;
	if (s->cb.rw_flags & ~LX_RWF_SUPPORTED)
		return -LX_EOPNOTSUPP;
	if (!(s->f->mode & (write ? FMODE_WRITE : FMODE_READ)))
		return -LX_EBADF;
	if (LX_S_ISDIR(file_inode(s->f)->mode) || !(write ? s->f->ops->write : s->f->ops->read))
		return -LX_EINVAL;
	if (vector) {
		n = uio_init_iov(&u, s->t, (struct uaddr){ s->cb.buf }, s->cb.nbytes);
		if (n)
			return n;
	} else {
		if (s->cb.nbytes > LX_USER_ADDR_MAX || s->cb.buf > LX_USER_ADDR_MAX - s->cb.nbytes)
			return -LX_EFAULT;
		uio_init_user(&u, s->t, (struct uaddr){ s->cb.buf }, s->cb.nbytes);
	}
	if (pos && at < 0) {
		uio_fini(&u);
		return -LX_EINVAL;
	}
	*failed = false;
	n = write ? file_write(s->t, s->f, &u, pos, s->cb.rw_flags)
		  : file_read(s->t, s->f, &u, pos, s->cb.rw_flags);
	uio_fini(&u);
	return n;
}

static int64_t sync_file(struct submission *s, bool data_only, bool *failed)
{
	*failed = true;
	if (s->cb.buf || s->cb.offset || s->cb.nbytes || s->cb.rw_flags)
		return -LX_EINVAL;
	if (!s->f->ops->fsync && !LX_S_ISREG(file_inode(s->f)->mode) &&
	    !LX_S_ISDIR(file_inode(s->f)->mode))
		return -LX_EINVAL;
	*failed = false;
	return s->f->ops->fsync ? s->f->ops->fsync(s->f, data_only) : 0;
}

static long submit_poll(struct submission *s)
{
	if (s->cb.buf > UINT16_MAX || s->cb.offset || s->cb.nbytes || s->cb.rw_flags)
		return -LX_EINVAL;
	return aio_poll(s->c, s->f, s->eventfd, &s->cb, s->obj.v,
			(uint32_t)s->cb.buf | LX_POLLERR | LX_POLLHUP);
}

static long run(struct submission *s)
{
	bool failed = true;
	int64_t r;

	switch (s->cb.opcode) {
	case LX_IOCB_CMD_PREAD:
	case LX_IOCB_CMD_PREADV:
		r = transfer(s, false, s->cb.opcode == LX_IOCB_CMD_PREADV, &failed);
		break;
	case LX_IOCB_CMD_PWRITE:
	case LX_IOCB_CMD_PWRITEV:
		r = transfer(s, true, s->cb.opcode == LX_IOCB_CMD_PWRITEV, &failed);
		break;
	case LX_IOCB_CMD_FSYNC:
	case LX_IOCB_CMD_FDSYNC:
		r = sync_file(s, s->cb.opcode == LX_IOCB_CMD_FDSYNC, &failed);
		break;
	case LX_IOCB_CMD_POLL:
		return submit_poll(s);
	default:
		return -LX_EINVAL;
	}
	if (failed || r == -LX_EPARK)
		return r;
	/* Others of the call may be done already: it cannot be restarted. */
	if (r <= -LX_ERESTARTSYS && r >= -LX_ERESTART_RESTARTBLOCK)
		r = -LX_EINTR;
	/* The kernel lock may have been dropped, and the context with it. */
	s->c = aio_find(s->t, s->t->restart.scratch[1]);
	if (s->c)
		aio_complete(s->c, s->eventfd, &s->cb, s->obj.v, r);
	return 0;
}

static long submit_one(struct task *t, struct aio_ctx *c, struct uaddr obj)
{
	struct submission s = { .t = t, .c = c, .obj = obj };
	AUTO_PUT(file) struct file *f = NULL;
	AUTO_PUT(file) struct file *eventfd = NULL;
	uint32_t key = LX_KIOCB_KEY;
	int err;

	if (copy_in(t, &s.cb, obj, sizeof(s.cb)))
		return -LX_EFAULT;
	if (s.cb.reserved2 || (int64_t)s.cb.nbytes < 0)
		return -LX_EINVAL;
	if (!aio_may_submit(c))
		return -LX_EAGAIN;
	s.f = f = fd_file(t, s.cb.fd, &err);
	if (!f)
		return err;
	if (s.cb.flags & LX_IOCB_FLAG_RESFD) {
		s.eventfd = eventfd = fd_file(t, s.cb.resfd, &err);
		if (!eventfd)
			return err;
		if (!file_is_eventfd(eventfd))
			return -LX_EINVAL;
	}
	if (copy_out(t, uaddr_add(obj, offsetof(struct lx_iocb, key)), &key, sizeof(key)))
		return -LX_EFAULT;
	return run(&s);
}

/* Requests that would block wait in the call, as pipes and sockets do in Linux. A re-run goes
 * on with the request that waited: restart.scratch[0] were done before it. */
long sys_io_submit(struct task *t, const struct io_submit_args *a)
{
	uint64_t *done = &t->restart.scratch[0], nr;
	struct aio_ctx *c = aio_find(t, a->ctx_id);
	struct uaddr obj;
	long r = 0;

	if (a->nr < 0 || !c)
		return -LX_EINVAL;
	nr = (uint64_t)a->nr < aio_capacity(c) ? (uint64_t)a->nr : aio_capacity(c);
	if (!t->restart.started)
		*done = 0;
	t->restart.scratch[1] = a->ctx_id;
	for (; *done < nr; ++*done) {
		r = copy_in(t, &obj, uaddr_add(a->iocbpp, *done * sizeof(obj)), sizeof(obj));
		if (!r) {
			c = aio_find(t, a->ctx_id);
			r = c ? submit_one(t, c, obj) : -LX_EINVAL;
		}
		if (r == -LX_EPARK)
			return r;
		if (r)
			break;
	}
	return *done ? (long)*done : r;
}

long sys_io_cancel(struct task *t, const struct io_cancel_args *a)
{
	struct aio_ctx *c;
	uint32_t key;

	if (copy_in(t, &key, uaddr_add(a->iocb, offsetof(struct lx_iocb, key)), sizeof(key)))
		return -LX_EFAULT;
	if (key != LX_KIOCB_KEY)
		return -LX_EINVAL;
	c = aio_find(t, a->ctx_id);
	return c ? aio_cancel(c, a->iocb.v) : -LX_EINVAL;
}

/* ---- completions ---- */

static int set_deadline(struct task *t, struct uaddr timeout)
{
	struct lx_timespec ts;
	uint64_t now;

	if (t->restart.has_deadline)
		return 0;
	t->restart.deadline = UINT64_MAX;
	if (timeout.v) {
		if (copy_in(t, &ts, timeout, sizeof(ts)))
			return -LX_EFAULT;
		now = ktime_mono();
		if (ts.sec < 0 || (ts.sec == 0 && ts.nsec <= 0))
			t->restart.deadline = 0;
		else if (ts.sec < INT64_MAX / LX_NSEC_PER_SEC / 4 && ts.nsec >= 0 &&
			 ts.nsec < LX_NSEC_PER_SEC)
			t->restart.deadline = now + (uint64_t)ts.sec * LX_NSEC_PER_SEC +
					      (uint64_t)ts.nsec;
	}
	t->restart.has_deadline = true;
	t->restart.done = 0;
	return 0;
}

static long get_events(struct task *t, uint64_t id, int64_t min_nr, int64_t nr,
		       struct uaddr events, int interrupted)
{
	struct aio_ctx *c = aio_find(t, id);
	uint64_t *got = &t->restart.done;
	long n;
	int err;

	if (!c || min_nr > nr || min_nr < 0)
		return *got ? (long)*got : -LX_EINVAL;
	n = aio_take(t, c, uaddr_add(events, *got * sizeof(struct lx_io_event)),
		     nr - (int64_t)*got);
	if (n < 0)
		return *got ? (long)*got : n;
	*got += (uint64_t)n;
	if ((int64_t)*got >= min_nr || ktime_mono() >= t->restart.deadline)
		return (long)*got;
	err = task_enrol(t, aio_waitq(c));
	if (err)
		return err;
	task_park_until(t, t->restart.deadline);
	n = task_park(t, interrupted);
	return n != -LX_EPARK && *got ? (long)*got : n;
}

long sys_io_getevents(struct task *t, const struct io_getevents_args *a)
{
	int err = set_deadline(t, a->timeout);

	return err ? err : get_events(t, a->ctx_id, a->min_nr, a->nr, a->events, LX_EINTR);
}

long sys_io_pgetevents(struct task *t, const struct io_pgetevents_args *a)
{
	struct lx_aio_sigset ss = { 0, 0 };
	sigset64 mask;
	int err;

	if (!t->restart.has_deadline) {
		err = set_deadline(t, a->timeout);
		if (!err && a->usig.v)
			err = copy_in(t, &ss, a->usig, sizeof(ss));
		if (!err && ss.sigmask) {
			if (ss.sigsetsize != sizeof(mask))
				return -LX_EINVAL;
			err = copy_in(t, &mask, (struct uaddr){ ss.sigmask }, sizeof(mask));
			if (!err)
				task_set_temp_sigmask(t, mask);
		}
		if (err)
			return err;
	}
	return get_events(t, a->ctx_id, a->min_nr, a->nr, a->events, LX_ERESTARTNOHAND);
}
