/* Bytes from file to file inside the kernel: sendfile, splice, tee, copy_file_range. */
#include "sentry/fs/pipe/pipe.h"
#include "sentry/mm/usercopy.h"
#include "sentry/task/task.h"
#include "sentry/vfs/file_io.h"
#include "sentry/vfs/vfs.h"
#include "syscalls/abi/lx_fcntl.h"
#include "syscalls/abi/lx_poll.h"
#include "syscalls/abi/lx_stat.h"
#include "syscalls/syscall_args.h"

/* A position behind a pointer. What an earlier run of the call has moved already is
 * added: the guest's copy changes only at the end. */
struct user_pos {
	struct uaddr addr;
	int64_t pos;
	int64_t *use; /* NULL: the file's own position */
};

/* stream: the file has no position at all, whatever is asked for. */
static int pos_in(struct task *t, struct uaddr addr, bool stream, struct user_pos *up)
{
	int err;

	up->addr = addr;
	up->use = NULL;
	if (!addr.v)
		return 0;
	err = copy_in(t, &up->pos, addr, sizeof(up->pos));
	if (err)
		return err;
	if (up->pos < 0)
		return stream ? -LX_ESPIPE : -LX_EINVAL;
	up->pos += (int64_t)t->restart.done;
	up->use = &up->pos;
	return 0;
}

static long pos_out(struct task *t, const struct user_pos *up, long moved)
{
	if (!up->use || moved <= 0)
		return moved;
	return copy_out(t, up->addr, &up->pos, sizeof(up->pos)) ? -LX_EFAULT : moved;
}

/* in readable, out writable: 0 or -LX_EBADF … */
static int check_pair(const struct file *in, const struct file *out)
{
	if (!(in->mode & FMODE_READ) || !(out->mode & FMODE_WRITE))
		return -LX_EBADF;
	if (LX_S_ISDIR(file_inode(in)->mode))
		return -LX_EISDIR;
	/* Nor can eventfd and the like be spliced. */
	if (!in->ops->read || !out->ops->write || !(file_inode(in)->mode & LX_S_IFMT) ||
	    !(file_inode(out)->mode & LX_S_IFMT))
		return -LX_EINVAL;
	return 0;
}

long sys_sendfile(struct task *t, const struct sendfile_args *a)
{
	int err;
	AUTO_PUT(file) struct file *in = NULL;
	AUTO_PUT(file) struct file *out = NULL;
	struct user_pos pos;
	long r;

	in = fd_file(t, a->in_fd, &err);
	if (!in)
		return err;
	if (!(in->mode & FMODE_READ))
		return -LX_EBADF;
	err = pos_in(t, a->offset, in->mode & FMODE_STREAM, &pos);
	if (err)
		return err;
	if (pos.use && (in->mode & FMODE_STREAM))
		return -LX_ESPIPE;
	out = fd_file(t, a->out_fd, &err);
	if (!out)
		return err;
	err = check_pair(in, out);
	if (err)
		return err == -LX_EISDIR ? -LX_EINVAL : err;
	/* Only what has a position may be a source. */
	if (in->mode & FMODE_STREAM)
		return -LX_EINVAL;
	if (out->flags & LX_O_APPEND)
		return -LX_EINVAL;
	if (!a->count)
		return 0;
	r = file_splice(t, in, pos.use, out, NULL,
			a->count < LX_MAX_RW_COUNT ? a->count : LX_MAX_RW_COUNT,
			out->flags & LX_O_NONBLOCK);
	return pos_out(t, &pos, r);
}

long sys_splice(struct task *t, const struct splice_args *a)
{
	int err;
	AUTO_PUT(file) struct file *in = NULL;
	AUTO_PUT(file) struct file *out = NULL;
	struct user_pos ipos, opos;
	bool nonblock = a->flags & LX_SPLICE_F_NONBLOCK;
	long r;

	if (!a->len)
		return 0;
	if (a->flags & ~15u)
		return -LX_EINVAL;
	in = fd_file(t, a->fd_in, &err);
	if (!in)
		return err;
	out = fd_file(t, a->fd_out, &err);
	if (!out)
		return err;
	err = check_pair(in, out);
	if (err)
		return err == -LX_EISDIR ? -LX_EINVAL : err;
	if ((file_is_pipe(in) && a->off_in.v) || (file_is_pipe(out) && a->off_out.v))
		return -LX_ESPIPE;
	if (!file_is_pipe(in) && !file_is_pipe(out))
		return -LX_EINVAL;
	if (file_is_pipe(in) && file_is_pipe(out) && file_inode(in) == file_inode(out))
		return -LX_EINVAL;
	if ((a->off_in.v && (in->mode & FMODE_STREAM)) ||
	    (a->off_out.v && (out->mode & FMODE_STREAM)))
		return -LX_EINVAL;
	if (out->flags & LX_O_APPEND)
		return -LX_EINVAL;
	err = pos_in(t, a->off_in, false, &ipos);
	if (!err)
		err = pos_in(t, a->off_out, false, &opos);
	if (err)
		return err;
	r = file_splice(t, in, ipos.use, out, opos.use,
			a->len < LX_MAX_RW_COUNT ? a->len : LX_MAX_RW_COUNT, nonblock);
	return pos_out(t, &opos, pos_out(t, &ipos, r));
}

long sys_tee(struct task *t, const struct tee_args *a)
{
	int err;
	AUTO_PUT(file) struct file *in = NULL;
	AUTO_PUT(file) struct file *out = NULL;

	if (a->flags & ~15u)
		return -LX_EINVAL;
	if (!a->len)
		return 0;
	in = fd_file(t, a->fdin, &err);
	if (!in)
		return err;
	out = fd_file(t, a->fdout, &err);
	if (!out)
		return err;
	if (!(in->mode & FMODE_READ) || !(out->mode & FMODE_WRITE))
		return -LX_EBADF;
	if (!file_is_pipe(in) || !file_is_pipe(out) || !in->ops->peek ||
	    file_inode(in) == file_inode(out))
		return -LX_EINVAL;
	return file_tee(t, in, out, a->len, a->flags & LX_SPLICE_F_NONBLOCK);
}

static int check_copy(const struct file *in, const struct file *out)
{
	const struct inode *i = file_inode(in), *o = file_inode(out);

	if (LX_S_ISDIR(i->mode) || LX_S_ISDIR(o->mode))
		return -LX_EISDIR;
	if (!LX_S_ISREG(i->mode) || !LX_S_ISREG(o->mode))
		return -LX_EINVAL;
	if (!(in->mode & FMODE_READ) || !(out->mode & FMODE_WRITE) ||
	    (out->flags & LX_O_APPEND))
		return -LX_EBADF;
	if (i->sb != o->sb)
		return -LX_EXDEV;
	return in->ops->read && out->ops->write ? 0 : -LX_EINVAL;
}

long sys_copy_file_range(struct task *t, const struct copy_file_range_args *a)
{
	int err;
	AUTO_PUT(file) struct file *in = NULL;
	AUTO_PUT(file) struct file *out = NULL;
	struct user_pos ipos, opos;
	uint64_t len = a->len < LX_MAX_RW_COUNT ? a->len : LX_MAX_RW_COUNT;
	struct kstat st;
	int64_t ip, op;
	long r;

	in = fd_file(t, a->fd_in, &err);
	if (!in)
		return err;
	out = fd_file(t, a->fd_out, &err);
	if (!out)
		return err;
	err = pos_in(t, a->off_in, false, &ipos);
	if (!err)
		err = pos_in(t, a->off_out, false, &opos);
	if (err)
		return err;
	if (a->flags)
		return -LX_EINVAL;
	err = check_copy(in, out);
	if (err)
		return err;
	ip = ipos.use ? ipos.pos : in->pos;
	op = opos.use ? opos.pos : out->pos;
	if (ip > INT64_MAX - (int64_t)len || op > INT64_MAX - (int64_t)len)
		return -LX_EOVERFLOW;
	/* What is there, of what was asked for. */
	err = file_getattr(in, &st);
	if (err)
		return err;
	if ((uint64_t)ip >= st.size)
		len = 0;
	else if (len > st.size - (uint64_t)ip)
		len = st.size - (uint64_t)ip;
	if (len && file_inode(in) == file_inode(out) && ip < op + (int64_t)len &&
	    op < ip + (int64_t)len)
		return -LX_EINVAL;
	if (!len)
		return 0;
	r = file_copy_range(t, in, ipos.use, out, opos.use, len);
	return pos_out(t, &opos, pos_out(t, &ipos, r));
}

/* Gifts and references are copies here: what the guest writes to the memory afterwards is not
 * seen in the pipe, which the call does not promise. It moves what there is room for. */
long sys_vmsplice(struct task *t, const struct vmsplice_args *a)
{
	AUTO_PUT(file) struct file *f = NULL;
	struct uio u;
	bool write;
	int err;
	long n;

	if (a->flags & ~15u)
		return -LX_EINVAL;
	f = fd_file(t, a->fd, &err);
	if (!f)
		return err;
	if (!(f->mode & (FMODE_READ | FMODE_WRITE)))
		return -LX_EBADF;
	write = f->mode & FMODE_WRITE;
	err = uio_init_iov(&u, t, a->uiov, a->nr_segs);
	if (err)
		return err;
	if (!u.resid)
		n = 0;
	else if (!file_is_pipe(f))
		n = -LX_EBADF;
	else
		n = write ? file_write_once(t, f, &u, NULL, 0) : file_read_once(f, &u, NULL, 0);
	uio_fini(&u);
	if (n != -LX_EAGAIN || (a->flags & LX_SPLICE_F_NONBLOCK))
		return n;
	return file_wait(t, f, write ? LX_POLLOUT : LX_POLLIN);
}
