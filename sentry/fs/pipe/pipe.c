/* Pipes and FIFOs: ends, wake-ups, readiness, and the rules of opening a FIFO. */
#include "sentry/fs/proc/proc.h"
#include "sentry/fs/pipe/pipe.h"

#include <limits.h>
#include <stdlib.h>

#include "sentry/fs/pipe/pipe_ring.h"
#include "sentry/signal/signal.h"
#include "sentry/task/task.h"
#include "sentry/vfs/vfs.h"
#include "syscalls/abi/lx_cap.h"
#include "syscalls/abi/lx_fcntl.h"
#include "syscalls/abi/lx_poll.h"
#include "syscalls/abi/lx_signal.h"
#include "syscalls/abi/lx_stat.h"

struct pipe {
	struct pipe_ring ring;
	struct waitq rd, wr;	/* readers and writers that wait; pollers of each side */
	struct waitq opened;	/* open(2) of a FIFO waiting for its partner */
	unsigned readers, writers; /* open ends, and opens in progress */
	unsigned users;		/* files and opens in progress: keeps the pipe */
	uint32_t r_count, w_count; /* how often each side was opened, ever */
	bool anon;		/* pipe(2): opening its inode never waits */
	struct inode *inode;	/* borrowed: every user holds it */
};

/* file.ra[0] of a nonblocking reader that found no writer: the w_count of then. Until a
 * writer comes, such a reader sees no POLLHUP. Counts start at 1, so that 0 means none. */

static struct pipe *pipe_of(const struct file *f)
{
	return f->priv;
}

static struct pipe *pipe_alloc(struct inode *i, bool anon)
{
	struct pipe *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	pipe_ring_init(&p->ring, PIPE_DEF_SLOTS);
	waitq_init(&p->rd);
	waitq_init(&p->wr);
	waitq_init(&p->opened);
	p->r_count = p->w_count = 1;
	p->anon = anon;
	p->inode = i;
	i->pipe = p;
	return p;
}

/* The pipe of a FIFO's inode, made at its first open. */
static struct pipe *pipe_get_for(struct inode *i)
{
	return i->pipe != NULL ? i->pipe : pipe_alloc(i, false);
}

/* Count one user in; the partner's open may go on. */
static void pipe_join(struct pipe *p, uint32_t fmode)
{
	p->users++;
	if (fmode & FMODE_READ) {
		p->r_count++;
		p->readers++;
	}
	if (fmode & FMODE_WRITE) {
		p->w_count++;
		p->writers++;
	}
	waitq_wake(&p->opened, 0);
}

/* Count one user out; the last one frees the pipe. */
static void pipe_leave(struct pipe *p, uint32_t fmode)
{
	if (fmode & FMODE_READ)
		p->readers--;
	if (fmode & FMODE_WRITE)
		p->writers--;
	if (--p->users == 0) {
		if (p->inode != NULL)
			p->inode->pipe = NULL;
		waitq_fini(&p->rd);
		waitq_fini(&p->wr);
		waitq_fini(&p->opened);
		pipe_ring_fini(&p->ring);
		free(p);
		return;
	}
	if (p->writers == 0)
		waitq_wake(&p->rd, LX_POLLIN | LX_POLLRDNORM | LX_POLLHUP);
	if (p->readers == 0)
		waitq_wake(&p->wr, LX_POLLOUT | LX_POLLWRNORM | LX_POLLERR);
}

void task_sigpipe(struct task *t)
{
	struct ksiginfo info = { .signo = LX_SIGPIPE, .code = LX_SI_USER };

	if (t == NULL)
		return;
	info.pid = t->tg->tgid;
	info.uid = t->cred->uid;
	(void)signal_send_task(t, LX_SIGPIPE, &info);
}

static int64_t pipe_read(struct file *f, struct uio *u, int64_t *pos, uint32_t rwf)
{
	struct pipe *p = pipe_of(f);
	bool was_full;
	int64_t n;

	(void)pos;
	(void)rwf;
	if (u->resid == 0)
		return 0;
	if (pipe_ring_empty(&p->ring))
		return p->writers == 0 ? 0 : -LX_EAGAIN;
	was_full = pipe_ring_full(&p->ring);
	n = pipe_ring_read(&p->ring, u);
	/* A writer only ever waits for a full pipe; no use in waking it earlier. */
	if (was_full && waitq_active(&p->wr) && !pipe_ring_full(&p->ring))
		waitq_wake(&p->wr, LX_POLLOUT | LX_POLLWRNORM);
	return n;
}

static int64_t pipe_peek(struct file *f, struct uio *u)
{
	struct pipe *p = pipe_of(f);

	if (pipe_ring_empty(&p->ring))
		return p->writers == 0 ? 0 : -LX_EAGAIN;
	return pipe_ring_peek(&p->ring, u);
}

static int64_t pipe_write(struct file *f, struct uio *u, int64_t *pos, uint32_t rwf)
{
	struct pipe *p = pipe_of(f);
	int64_t n;

	(void)pos;
	(void)rwf;
	if (u->resid == 0)
		return 0;
	if (p->readers == 0) {
		task_sigpipe(u->task);
		return -LX_EPIPE;
	}
	n = pipe_ring_write(&p->ring, u, (f->flags & LX_O_DIRECT) != 0);
	/* Every write wakes, for edge-triggered pollers too; it costs nothing when nobody
	 * waits. */
	if (n > 0 && waitq_active(&p->rd))
		waitq_wake(&p->rd, LX_POLLIN | LX_POLLRDNORM);
	return n;
}

static uint32_t pipe_poll(struct file *f, struct poll_ctx *pc)
{
	struct pipe *p = pipe_of(f);
	uint32_t ev = 0;

	if (f->mode & FMODE_READ) {
		poll_wait(pc, &p->rd);
		if (!pipe_ring_empty(&p->ring))
			ev |= LX_POLLIN | LX_POLLRDNORM;
		if (p->writers == 0 && f->ra[0] != p->w_count)
			ev |= LX_POLLHUP;
	}
	if (f->mode & FMODE_WRITE) {
		poll_wait(pc, &p->wr);
		if (!pipe_ring_full(&p->ring))
			ev |= LX_POLLOUT | LX_POLLWRNORM;
		if (p->readers == 0)
			ev |= LX_POLLERR;
	}
	return ev;
}

static int64_t pipe_ioctl(struct task *t, struct file *f, uint32_t cmd, uint64_t arg)
{
	int32_t n;

	if (cmd != LX_FIONREAD)
		return -LX_ENOTTY;
	n = (int32_t)pipe_readable(f);
	return copy_out(t, (struct uaddr){ arg }, &n, sizeof(n));
}

static void pipe_release(struct file *f)
{
	pipe_leave(pipe_of(f), f->mode);
}

static const struct file_ops pipe_file_ops = {
	.name = "pipe",
	.read = pipe_read,
	.write = pipe_write,
	.peek = pipe_peek,
	.poll = pipe_poll,
	.ioctl = pipe_ioctl,
	.async = true,
	.release = pipe_release,
};

static uint32_t pipe_fmode(uint32_t fmode)
{
	fmode &= FMODE_READ | FMODE_WRITE;
	return fmode | FMODE_STREAM | (fmode & FMODE_WRITE ? FMODE_WRITE_ALL : 0);
}

int pipe_new(struct kernel *k, uint32_t flags, struct file *ends[2])
{
	AUTO_PUT(inode) struct inode *i = anon_inode_new(k, LX_S_IFIFO | 0600);
	uint32_t fl = flags & (LX_O_NONBLOCK | LX_O_DIRECT);
	struct pipe *p;

	if (i == NULL)
		return -LX_ENOMEM;
	p = pipe_alloc(i, true);
	if (p == NULL)
		return -LX_ENOMEM;
	p->users = 1; /* ours, until both ends stand */
	ends[0] = file_new_anon_inode(k, &pipe_file_ops, "pipe", i, pipe_fmode(FMODE_READ),
				      (fl & LX_O_NONBLOCK) | LX_O_RDONLY, p);
	if (ends[0] != NULL)
		pipe_join(p, FMODE_READ);
	ends[1] = ends[0] == NULL ? NULL :
		  file_new_anon_inode(k, &pipe_file_ops, "pipe", i, pipe_fmode(FMODE_WRITE),
				      fl | LX_O_WRONLY, p);
	if (ends[1] != NULL)
		pipe_join(p, FMODE_WRITE);
	pipe_leave(p, 0);
	if (ends[1] != NULL)
		return 0;
	if (ends[0] != NULL)
		file_put(ends[0]);
	ends[0] = NULL;
	return -LX_ENFILE;
}

/* ---- opening ---- */

/* An open(2) that waits for its partner: counted as an end already, so that the partner
 * need not wait in turn. Lives in t->restart.ptr. */
struct fifo_wait {
	struct pipe *p;
	struct inode *inode;	/* one reference */
	uint32_t fmode;
	uint32_t partner_count;	/* the partner's count when the wait began */
};

static void fifo_wait_free(void *ptr)
{
	struct fifo_wait *w = ptr;

	if (w->p != NULL)
		pipe_leave(w->p, w->fmode);
	inode_put(w->inode);
	free(w);
}

static struct fifo_wait *fifo_wait_of(struct task *t, const struct inode *i)
{
	struct fifo_wait *w = t->restart.ptr;

	if (w == NULL || t->restart.ptr_free != fifo_wait_free)
		return NULL;
	if (w->inode == i)
		return w;
	/* The name leads elsewhere now: begin anew there. */
	t->restart.ptr = NULL;
	t->restart.ptr_free = NULL;
	fifo_wait_free(w);
	return NULL;
}

static int fifo_file(struct pipe *p, struct inode *i, const struct path *path, uint32_t fmode,
		     uint32_t flags, struct file **out)
{
	struct file *f = file_new(i->sb->k, &pipe_file_ops, path, pipe_fmode(fmode), flags);

	if (f == NULL)
		return -LX_ENFILE;
	f->priv = p;
	if (fmode == FMODE_READ && p->writers == 0 && !p->anon)
		f->ra[0] = p->w_count;
	*out = f;
	return 0;
}

/* Has a partner shown up since the wait began? (It may have gone again.) */
static bool fifo_met(const struct fifo_wait *w)
{
	if (w->fmode == FMODE_READ)
		return w->p->writers > 0 || w->p->w_count != w->partner_count;
	return w->p->readers > 0 || w->p->r_count != w->partner_count;
}

/* The end counted in by pipe_join() becomes a file, or is given up. */
static int fifo_finish(struct pipe *p, struct inode *i, const struct path *path, uint32_t fmode,
		       uint32_t flags, struct file **out)
{
	int err = fifo_file(p, i, path, fmode, flags, out);

	if (err)
		pipe_leave(p, fmode);
	return err;
}

/* Begin to wait; the end stays counted in until the call ends. */
static struct fifo_wait *fifo_wait_new(struct task *t, struct pipe *p, struct inode *i,
				       uint32_t fmode)
{
	struct fifo_wait *w = t->restart.ptr == NULL ? calloc(1, sizeof(*w)) : NULL;

	if (w == NULL)
		return NULL;
	inode_get(i);
	*w = (struct fifo_wait){ .p = p, .inode = i, .fmode = fmode };
	w->partner_count = fmode == FMODE_READ ? p->w_count : p->r_count;
	t->restart.ptr = w;
	t->restart.ptr_free = fifo_wait_free;
	return w;
}

int fifo_open(struct inode *i, const struct path *path, uint32_t fmode, uint32_t flags,
	      struct task *t, struct file **out)
{
	struct fifo_wait *w = t != NULL ? fifo_wait_of(t, i) : NULL;
	bool wait = t != NULL && !(flags & LX_O_NONBLOCK);
	struct pipe *p = w != NULL ? w->p : pipe_get_for(i);
	int err;

	fmode &= FMODE_READ | FMODE_WRITE;
	if (p == NULL)
		return -LX_ENOMEM;
	if (w == NULL) {
		bool alone = !p->anon && ((fmode == FMODE_READ && p->writers == 0) ||
					  (fmode == FMODE_WRITE && p->readers == 0));

		p->users++; /* so that giving up below frees a pipe made just now */
		if (alone && !wait && fmode == FMODE_WRITE) {
			pipe_leave(p, 0);
			return -LX_ENXIO;
		}
		pipe_join(p, fmode);
		pipe_leave(p, 0);
		if (!alone || !wait)
			return fifo_finish(p, i, path, fmode, flags, out);
		w = fifo_wait_new(t, p, i, fmode);
		if (w == NULL) {
			pipe_leave(p, fmode);
			return -LX_ENOMEM;
		}
	}
	if (fifo_met(w)) {
		err = fifo_file(p, i, path, fmode, flags, out);
		if (err == 0) { /* the count is the file's now */
			(*out)->ra[0] = 0;
			w->p = NULL;
		}
		t->restart.ptr = NULL;
		t->restart.ptr_free = NULL;
		fifo_wait_free(w);
		return err;
	}
	err = task_enrol(t, &p->opened);
	return err ? err : (int)task_park(t, LX_ERESTARTSYS);
}

/* ---- for fcntl, ioctl and splice ---- */

bool file_is_pipe(const struct file *f)
{
	return f->ops == &pipe_file_ops;
}

long pipe_get_size(const struct file *f)
{
	if (!file_is_pipe(f))
		return -LX_EBADF;
	return (long)pipe_of(f)->ring.nslots * PIPE_SLOT_SIZE;
}

long pipe_set_size(struct file *f, uint64_t size)
{
	uint32_t slots = 1;
	int err;

	if (!file_is_pipe(f))
		return -LX_EBADF;
	size = (uint32_t)size; /* unsigned int in Linux */
	if (size > 1U << 31)
		return -LX_EINVAL;
	while ((uint64_t)slots * PIPE_SLOT_SIZE < size)
		slots <<= 1;
	if (slots > PIPE_MAX_SLOTS)
		return -LX_EPERM;
	if (slots > pipe_of(f)->ring.nslots && task_current &&
	    (int64_t)slots * PIPE_SLOT_SIZE > sysctl_get(task_current->k, SYSCTL_PIPE_MAX_SIZE) &&
	    !task_capable(task_current, LX_CAP_SYS_RESOURCE))
		return -LX_EPERM;
	err = pipe_ring_resize(&pipe_of(f)->ring, slots);
	if (err)
		return err;
	waitq_wake(&pipe_of(f)->wr, LX_POLLOUT | LX_POLLWRNORM);
	return (long)slots * PIPE_SLOT_SIZE;
}

uint64_t pipe_readable(const struct file *f)
{
	return pipe_of(f)->ring.bytes;
}
