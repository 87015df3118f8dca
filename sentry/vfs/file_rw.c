/* Reading and writing on behalf of a task: position, limits, partial results, and the
 * waiting that file operations leave to this layer. */
#include <stdlib.h>

#include "sentry/cred/cred.h"
#include "sentry/task/task.h"
#include "sentry/vfs/file_io.h"
#include "sentry/vfs/vfs_impl.h"
#include "syscalls/abi/lx_inotify.h"
#include "syscalls/abi/lx_poll.h"
#include "syscalls/abi/lx_resource.h"
#include "syscalls/abi/lx_signal.h"

/* ---- waiting ---- */

struct task_poll {
	struct poll_ctx pc;
	struct task *t;
	int err;
};

static void enrol_task(struct poll_ctx *pc, struct waitq *q)
{
	struct task_poll *tp = container_of(pc, struct task_poll, pc);

	if (!tp->err)
		tp->err = task_enrol(tp->t, q);
}

/* Enrol t with f. The events that are there already, or -errno. */
static int64_t enrol_with(struct task *t, struct file *f, uint32_t events)
{
	struct task_poll tp = { .pc = { .enrol = enrol_task, .events = events }, .t = t };
	uint32_t ready = f->ops->poll ? f->ops->poll(f, &tp.pc) : LX_POLL_DEFAULT;

	return tp.err ? tp.err : (int64_t)ready;
}

long file_wait(struct task *t, struct file *f, uint32_t events)
{
	int64_t r = enrol_with(t, f, events);

	if (r < 0)
		return (long)r;
	return task_park(t, LX_ERESTARTSYS);
}

/* The operation gave EAGAIN. 0: try again at once; else what the call returns. An object
 * may say "ready" and still refuse (a pipe with less room than an atomic write needs), so
 * there is one more try and then a wait for the next change. */
static long wait_for(struct task *t, struct file *f, uint32_t events, unsigned *tries)
{
	int64_t r;

	if (f->ops->wait)
		return f->ops->wait(t, f, events);
	r = enrol_with(t, f, events);
	if (r < 0)
		return (long)r;
	if (((uint32_t)r & (events | LX_POLLERR | LX_POLLHUP)) && (*tries)++ == 0)
		return 0;
	return task_park(t, LX_ERESTARTSYS);
}

uint32_t file_ready(struct file *f)
{
	return f->ops->poll ? f->ops->poll(f, NULL) : LX_POLL_DEFAULT;
}

/* ---- read ---- */

static bool is_nonblocking(const struct file *f, uint32_t rwf)
{
	return (f->flags & LX_O_NONBLOCK) || (rwf & LX_RWF_NOWAIT);
}

int file_may_read(const struct file *f, const int64_t *pos, uint32_t rwf)
{
	if (!(f->mode & FMODE_READ))
		return -LX_EBADF;
	if (pos && (f->mode & FMODE_STREAM))
		return -LX_ESPIPE;
	if (pos && *pos < 0)
		return -LX_EINVAL;
	if (LX_S_ISDIR(file_inode(f)->mode))
		return rwf & ~LX_RWF_HIPRI ? -LX_EOPNOTSUPP : -LX_EISDIR;
	if (!f->ops->read)
		return -LX_EINVAL;
	if (rwf & ~LX_RWF_SUPPORTED)
		return -LX_EOPNOTSUPP;
	return 0;
}

/* Where an operation takes its position from; NULL: it has none, or the host keeps it. */
static int64_t *position(struct file *f, int64_t *pos)
{
	if (f->mode & FMODE_STREAM)
		return NULL;
	if (pos)
		return pos;
	return f->mode & FMODE_HOST_POS ? NULL : &f->pos;
}

/* An operation may drop the kernel lock. Others that use the same open file meanwhile must
 * not get the same bytes: its position moves by the whole request first, and is put right
 * afterwards unless it was moved again. */
static int64_t position_reserve(int64_t *use, int64_t at, size_t size)
{
	return use ? *use = at + (int64_t)size : 0;
}

static void position_settle(int64_t *use, int64_t reserved, int64_t at)
{
	if (use && *use == reserved)
		*use = at;
}

int64_t file_read_once(struct file *f, struct uio *u, int64_t *pos, uint32_t rwf)
{
	int64_t *use = position(f, pos);
	int64_t start = use ? *use : 0, at = start, reserved;
	int64_t n;

	if (use && at > INT64_MAX - (int64_t)u->resid)
		return -LX_EINVAL;
	reserved = position_reserve(use, at, u->resid);
	n = f->ops->read(f, u, use ? &at : NULL, rwf);
	position_settle(use, reserved, n > 0 ? at : start);
	if (n > 0 && fsnotify_marks)
		fsnotify_file(f, LX_IN_ACCESS);
	return n;
}

static int64_t read_or_wait(struct task *t, struct file *f, struct uio *u, int64_t *pos,
			    uint32_t rwf)
{
	unsigned tries = 0;
	int64_t n = file_may_read(f, pos, rwf);

	if (n < 0)
		return n;
	for (;;) {
		n = file_read_once(f, u, pos, rwf);
		if (n != -LX_EAGAIN || is_nonblocking(f, rwf))
			return n;
		n = wait_for(t, f, LX_POLLIN | LX_POLLRDHUP, &tries);
		if (n)
			return n;
	}
}

int64_t file_read(struct task *t, struct file *f, struct uio *u, int64_t *pos, uint32_t rwf)
{
	int64_t n = read_or_wait(t, f, u, pos, rwf);

	if (n != -LX_EPARK) {
		t->tg->io.rchar += n > 0 ? (uint64_t)n : 0;
		t->tg->io.syscr++;
	}
	return n;
}

/* ---- write ---- */

int file_may_write(const struct file *f, const int64_t *pos, uint32_t rwf)
{
	if (!(f->mode & FMODE_WRITE))
		return -LX_EBADF;
	if (pos && (f->mode & FMODE_STREAM))
		return -LX_ESPIPE;
	if (pos && *pos < 0)
		return -LX_EINVAL;
	if (!f->ops->write)
		return -LX_EINVAL;
	if (rwf & ~LX_RWF_SUPPORTED)
		return -LX_EOPNOTSUPP;
	if ((rwf & LX_RWF_APPEND) && (rwf & LX_RWF_NOAPPEND))
		return -LX_EINVAL;
	return 0;
}

/* Cut a request to n bytes for one operation; give back what was cut. */
static size_t uio_limit(struct uio *u, size_t n)
{
	size_t cut = u->resid > n ? u->resid - n : 0;

	u->resid -= cut;
	return cut;
}

/* Bounds of a write to a regular file at pos: the largest file, RLIMIT_FSIZE. How many
 * bytes may go, or -errno. */
static int64_t write_room(struct task *t, int64_t pos, size_t want)
{
	uint64_t limit = t ? rlimit_cur(t, LX_RLIMIT_FSIZE) : LX_RLIM_INFINITY;

	if (pos > INT64_MAX - (int64_t)want)
		return -LX_EINVAL;
	if (limit == LX_RLIM_INFINITY || want == 0)
		return (int64_t)want;
	if ((uint64_t)pos >= limit) {
		signal_send_self(t, LX_SIGXFSZ);
		return -LX_EFBIG;
	}
	return limit - (uint64_t)pos < want ? (int64_t)(limit - (uint64_t)pos) : (int64_t)want;
}

int64_t file_write_once(struct task *t, struct file *f, struct uio *u, int64_t *pos,
			uint32_t rwf)
{
	struct inode *i = file_inode(f);
	int64_t *use = position(f, pos);
	bool append = ((f->flags & LX_O_APPEND) || (rwf & LX_RWF_APPEND)) &&
		      !(rwf & LX_RWF_NOAPPEND);
	int64_t start = use ? *use : 0, at = start, reserved, n, room;
	size_t cut = 0;

	/* The range is checked before an append finds its own. */
	if (use && at > INT64_MAX - (int64_t)u->resid)
		return -LX_EINVAL;
	if (!use || !LX_S_ISREG(i->mode)) {
		reserved = start;
		n = f->ops->write(f, u, use ? &at : NULL, rwf);
	} else {
		if (append)
			at = (int64_t)f->inode->size;
		room = write_room(t, at, u->resid);
		if (room < 0)
			return room;
		cut = uio_limit(u, (size_t)room);
		if (t && u->resid && (i->mode & (LX_S_ISUID | LX_S_ISGID)))
			(void)inode_drop_privs(t->cred, i);
		reserved = position_reserve(use, at, u->resid);
		n = f->ops->write(f, u, &at, rwf);
		u->resid += cut;
	}
	position_settle(use, reserved, n > 0 ? at : start);
	if (n > 0 && fsnotify_marks)
		fsnotify_file(f, LX_IN_MODIFY);
	return n;
}

/* Leave out the first n bytes: an earlier run of this call has written them. */
void uio_skip(struct uio *u, size_t n)
{
	while (n && u->resid) {
		size_t here = u->mm ? u->iov[u->cur].len - u->off : u->resid;

		if (here > n)
			here = n;
		u->off += here;
		u->resid -= here;
		n -= here;
		if (u->mm && u->off == u->iov[u->cur].len && u->cur + 1 < u->niov) {
			u->cur++;
			u->off = 0;
		}
	}
}

static int64_t sync_after(struct file *f, uint32_t rwf)
{
	if (!f->ops->fsync || !((f->flags & LX_O_DSYNC) || (rwf & (LX_RWF_DSYNC | LX_RWF_SYNC))))
		return 0;
	return f->ops->fsync(f, !((f->flags & LX___O_SYNC) || (rwf & LX_RWF_SYNC)));
}

static int64_t write_or_wait(struct task *t, struct file *f, struct uio *u, int64_t *pos,
			     uint32_t rwf)
{
	uint64_t *done = &t->restart.done;
	bool all = (f->mode & FMODE_WRITE_ALL) || LX_S_ISREG(file_inode(f)->mode);
	unsigned tries = 0;
	int64_t n = file_may_write(f, pos, rwf);

	if (n < 0)
		return n;
	if (*done)
		uio_skip(u, *done);
	for (;;) {
		n = file_write_once(t, f, u, pos, rwf);
		if (n > 0) {
			*done += (uint64_t)n;
			tries = 0;
			if (all && u->resid)
				continue;
			break;
		}
		if (n != -LX_EAGAIN || is_nonblocking(f, rwf))
			break;
		n = wait_for(t, f, LX_POLLOUT, &tries);
		if (n)
			break;
	}
	if (n == -LX_EPARK)
		return n;
	if (*done) {
		int64_t total = (int64_t)*done, err = sync_after(f, rwf);

		*done = 0;
		return err < 0 ? err : total;
	}
	return n;
}

int64_t file_write(struct task *t, struct file *f, struct uio *u, int64_t *pos, uint32_t rwf)
{
	int64_t n = write_or_wait(t, f, u, pos, rwf);

	if (n != -LX_EPARK) {
		t->tg->io.wchar += n > 0 ? (uint64_t)n : 0;
		t->tg->io.syscw++;
	}
	return n;
}

int64_t file_pread_kernel(struct file *f, void *buf, size_t len, int64_t pos)
{
	size_t done = 0;

	if (!f->ops->read)
		return -LX_EINVAL;
	while (done < len) {
		struct uio u;
		int64_t n;

		uio_init_kernel(&u, (char *)buf + done, len - done);
		n = f->ops->read(f, &u, &pos, 0);
		if (n < 0)
			return done ? (int64_t)done : n;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (int64_t)done;
}

/* ---- position ---- */

static int64_t seek_target(const struct file *f, uint64_t size, int64_t off, int whence)
{
	switch (whence) {
	case LX_SEEK_SET:
		return off;
	case LX_SEEK_CUR:
		return off > 0 && f->pos > INT64_MAX - off ? -LX_EINVAL : f->pos + off;
	case LX_SEEK_END:
		return off > 0 && (int64_t)size > INT64_MAX - off ? -LX_EINVAL
								  : (int64_t)size + off;
	case LX_SEEK_DATA:
		return off < 0 || (uint64_t)off >= size ? -LX_ENXIO : off;
	case LX_SEEK_HOLE:
		return off < 0 || (uint64_t)off >= size ? -LX_ENXIO : (int64_t)size;
	default:
		return -LX_EINVAL;
	}
}

int64_t file_seek_nowhere(struct file *f, int64_t off, int whence)
{
	(void)off;
	(void)whence;
	return f->pos;
}

int64_t file_seek(struct file *f, int64_t off, int whence)
{
	struct kstat st;
	int64_t to;
	int err;

	if ((f->mode & FMODE_STREAM) && f->ops->seek != file_seek_nowhere)
		return -LX_ESPIPE;
	if (f->ops->seek) {
		to = f->ops->seek(f, off, whence);
		if (to >= 0)
			f->pos = to;
		return to;
	}
	if (whence != LX_SEEK_SET && whence != LX_SEEK_CUR) {
		err = file_getattr(f, &st);
		if (err)
			return err;
	} else {
		st.size = 0;
	}
	to = seek_target(f, st.size, off, whence);
	if (to == -LX_ENXIO)
		return to;
	if (to < 0)
		return -LX_EINVAL;
	f->pos = to;
	return to;
}
