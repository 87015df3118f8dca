/* Reading and writing: the plain calls, the vector forms, lseek, sync and space. */
#include "sentry/mm/usercopy.h"
#include "sentry/task/task.h"
#include "sentry/vfs/file_io.h"
#include "sentry/vfs/namei.h"
#include "sentry/vfs/fileattr.h"
#include "sentry/vfs/vfs.h"
#include "syscalls/abi/lx_fcntl.h"
#include "syscalls/abi/lx_inotify.h"
#include "syscalls/abi/lx_resource.h"
#include "syscalls/abi/lx_signal.h"
#include "syscalls/abi/lx_stat.h"
#include "syscalls/abi/lx_statfs.h"
#include "syscalls/syscall_args.h"

/* How much a read may bring at once: a file what it holds, a stream a buffer's worth. */
static uint64_t read_most(struct file *f)
{
	const struct inode *i = file_inode(f);

	if (LX_S_ISCHR(i->mode))
		return UINT64_MAX;
	return LX_S_ISREG(i->mode) ? i->size : 65536;
}

/* The call on one buffer. A range that ends outside of the guest's addresses is refused
 * before anything moves, one of a negative length with it. pos NULL: the file's own. */
static long plain_io(struct task *t, struct file *f, struct uaddr buf, uint64_t count,
		     int64_t *pos, bool write)
{
	struct uio u;
	long r;
	int err = write ? file_may_write(f, pos, 0) : file_may_read(f, pos, 0);

	if (err)
		return err;
	if (count > LX_USER_ADDR_MAX || buf.v > LX_USER_ADDR_MAX - count)
		return -LX_EFAULT;
	if (count >= PLAT_BIG_IO && task_big_io(t, f, buf.v, count, pos, write, &r))
		return r;
	uio_init_user(&u, t, buf, count);
	if (!write && task_touch(t, &u, read_most(f)))
		return -LX_ERAN;
	return write ? file_write(t, f, &u, pos, 0) : file_read(t, f, &u, pos, 0);
}

long sys_read(struct task *t, const struct read_args *a)
{
	int err;
	AUTO_PUT(file) struct file *f = fd_file(t, a->fd, &err);

	return f ? plain_io(t, f, a->buf, a->count, NULL, false) : err;
}

long sys_write(struct task *t, const struct write_args *a)
{
	int err;
	AUTO_PUT(file) struct file *f = fd_file(t, a->fd, &err);

	return f ? plain_io(t, f, a->buf, a->count, NULL, true) : err;
}

static long plain_io_at(struct task *t, int fd, struct uaddr buf, uint64_t count, int64_t pos,
			bool write)
{
	AUTO_PUT(file) struct file *f = NULL;
	int err;

	if (pos < 0)
		return -LX_EINVAL;
	f = fd_file(t, fd, &err);
	if (!f)
		return err;
	if (f->mode & FMODE_STREAM)
		return -LX_ESPIPE;
	return plain_io(t, f, buf, count, &pos, write);
}

long sys_pread64(struct task *t, const struct pread64_args *a)
{
	return plain_io_at(t, a->fd, a->buf, a->count, a->pos, false);
}

long sys_pwrite64(struct task *t, const struct pwrite64_args *a)
{
	return plain_io_at(t, a->fd, a->buf, a->count, a->pos, true);
}

/* pos NULL: the file's own. */
static long vector_io(struct task *t, int fd, struct uaddr vec, uint64_t vlen, int64_t *pos,
		      uint32_t rwf, bool write)
{
	int err;
	AUTO_PUT(file) struct file *f = fd_file(t, fd, &err);
	struct uio u;
	long r;

	if (!f)
		return err;
	if (pos && (f->mode & FMODE_STREAM))
		return -LX_ESPIPE;
	if (!(f->mode & (write ? FMODE_WRITE : FMODE_READ)))
		return -LX_EBADF;
	err = uio_init_iov(&u, t, vec, vlen);
	if (err)
		return err;
	err = write ? file_may_write(f, pos, 0) : file_may_read(f, pos, 0);
	if (!u.resid && (!err || err == -LX_EISDIR))
		r = err;
	else if (!write && task_touch(t, &u, read_most(f)))
		r = -LX_ERAN;
	else
		r = write ? file_write(t, f, &u, pos, rwf) : file_read(t, f, &u, pos, rwf);
	uio_fini(&u);
	return r;
}

long sys_readv(struct task *t, const struct readv_args *a)
{
	return vector_io(t, a->fd, a->vec, a->vlen, NULL, 0, false);
}

long sys_writev(struct task *t, const struct writev_args *a)
{
	return vector_io(t, a->fd, a->vec, a->vlen, NULL, 0, true);
}

/* On x86-64 pos_l carries all of the position; pos_h is ignored. */
long sys_preadv(struct task *t, const struct preadv_args *a)
{
	int64_t pos = (int64_t)a->pos_l;

	return pos < 0 ? -LX_EINVAL : vector_io(t, a->fd, a->vec, a->vlen, &pos, 0, false);
}

long sys_pwritev(struct task *t, const struct pwritev_args *a)
{
	int64_t pos = (int64_t)a->pos_l;

	return pos < 0 ? -LX_EINVAL : vector_io(t, a->fd, a->vec, a->vlen, &pos, 0, true);
}

static long vector_io2(struct task *t, int fd, struct uaddr vec, uint64_t vlen, uint64_t pos_l,
		       uint32_t rwf, bool write)
{
	int64_t pos = (int64_t)pos_l;

	if (pos == -1)
		return vector_io(t, fd, vec, vlen, NULL, rwf, write);
	return pos < 0 ? -LX_EINVAL : vector_io(t, fd, vec, vlen, &pos, rwf, write);
}

long sys_preadv2(struct task *t, const struct preadv2_args *a)
{
	return vector_io2(t, a->fd, a->vec, a->vlen, a->pos_l, a->flags, false);
}

long sys_pwritev2(struct task *t, const struct pwritev2_args *a)
{
	return vector_io2(t, a->fd, a->vec, a->vlen, a->pos_l, a->flags, true);
}

long sys_lseek(struct task *t, const struct lseek_args *a)
{
	int err;
	AUTO_PUT(file) struct file *f = fd_file(t, a->fd, &err);

	if (!f)
		return err;
	if (a->whence < LX_SEEK_SET || a->whence > LX_SEEK_HOLE)
		return -LX_EINVAL;
	return file_seek(f, a->offset, a->whence);
}

/* ---- to disk ---- */

static long do_fsync(struct task *t, int fd, bool data_only)
{
	int err;
	AUTO_PUT(file) struct file *f = fd_file(t, fd, &err);

	if (!f)
		return err;
	if (f->ops->fsync)
		return f->ops->fsync(f, data_only);
	if (file_inode(f)->sb->magic == LX_PROC_SUPER_MAGIC)
		return -LX_EINVAL;
	return LX_S_ISREG(file_inode(f)->mode) || LX_S_ISDIR(file_inode(f)->mode) ? 0
										 : -LX_EINVAL;
}

long sys_fsync(struct task *t, const struct fsync_args *a)
{
	return do_fsync(t, a->fd, false);
}

long sys_fdatasync(struct task *t, const struct fdatasync_args *a)
{
	return do_fsync(t, a->fd, true);
}

long sys_sync_file_range(struct task *t, const struct sync_file_range_args *a)
{
	int err;
	AUTO_PUT(file) struct file *f = fd_file(t, a->fd, &err);

	if (!f)
		return err;
	if ((a->flags & ~LX_SYNC_FILE_RANGE_VALID) || a->offset < 0 || a->nbytes < 0 ||
	    a->offset > INT64_MAX - a->nbytes)
		return -LX_EINVAL;
	switch (file_inode(f)->mode & LX_S_IFMT) {
	case LX_S_IFREG:
	case LX_S_IFBLK:
	case LX_S_IFDIR:
	case LX_S_IFLNK:
		return f->ops->fsync ? f->ops->fsync(f, true) : 0;
	default:
		return -LX_ESPIPE;
	}
}

static int sync_sb(struct superblock *sb)
{
	return sb->ops && sb->ops->sync ? sb->ops->sync(sb) : 0;
}

long sys_syncfs(struct task *t, const struct syncfs_args *a)
{
	int err;
	AUTO_PUT(file) struct file *f = fd_file(t, a->fd, &err);

	return f ? sync_sb(file_inode(f)->sb) : err;
}

long sys_sync(struct task *t, const struct sync_args *a)
{
	struct mount *m, *next;

	(void)a;
	/* A sync may drop the kernel lock: keep the place in the list. */
	for (m = list_first(&t->k->mnt->all, struct mount, all); &m->all != &t->k->mnt->all;
	     m = next) {
		struct mount *hold = m;

		mount_get(hold);
		(void)sync_sb(m->sb);
		next = list_empty(&m->all) ? list_entry(&t->k->mnt->all, struct mount, all)
					   : list_first(&m->all, struct mount, all);
		mount_put(hold);
	}
	return 0;
}

/* ---- length and space ---- */

long sys_truncate(struct task *t, const struct truncate_args *a)
{
	AUTO_FREE char *name = NULL;
	struct path p;
	int err;

	if (a->length < 0)
		return -LX_EINVAL;
	err = copy_in_path(t, a->path, &name);
	if (err)
		return err;
	err = vfs_lookup(t, LX_AT_FDCWD, name, WALK_FOLLOW, &p);
	if (err)
		return err;
	err = vfs_truncate(t, &p, NULL, a->length);
	path_put(&p);
	return err;
}

long sys_ftruncate(struct task *t, const struct ftruncate_args *a)
{
	AUTO_PUT(file) struct file *f = NULL;
	int err;

	if (a->length < 0)
		return -LX_EINVAL;
	f = fd_file(t, a->fd, &err);
	if (!f)
		return err;
	if (!LX_S_ISREG(file_inode(f)->mode) || !(f->mode & FMODE_WRITE))
		return -LX_EINVAL;
	return vfs_truncate(t, &f->path, f, a->length);
}

/* One operation at most, and not every one may keep the size. */
static bool fallocate_mode_ok(uint32_t mode)
{
	uint32_t keep = mode & LX_FALLOC_FL_KEEP_SIZE;

	switch (mode & ~LX_FALLOC_FL_KEEP_SIZE) {
	case 0:
	case LX_FALLOC_FL_UNSHARE_RANGE:
	case LX_FALLOC_FL_ZERO_RANGE:
		return true;
	case LX_FALLOC_FL_PUNCH_HOLE:
		return keep;
	case LX_FALLOC_FL_COLLAPSE_RANGE:
	case LX_FALLOC_FL_INSERT_RANGE:
	case LX_FALLOC_FL_WRITE_ZEROES:
		return !keep;
	default:
		return false;
	}
}

long sys_fallocate(struct task *t, const struct fallocate_args *a)
{
	int err;
	AUTO_PUT(file) struct file *f = fd_file(t, a->fd, &err);

	if (!f)
		return err;
	if (a->offset < 0 || a->len <= 0)
		return -LX_EINVAL;
	if (!fallocate_mode_ok(a->mode))
		return -LX_EOPNOTSUPP;
	if (!(f->mode & FMODE_WRITE))
		return -LX_EBADF;
	if (inode_is_immutable(file_inode(f)) ||
	    ((a->mode & ~LX_FALLOC_FL_KEEP_SIZE) && inode_is_append(file_inode(f))))
		return -LX_EPERM;
	if (LX_S_ISFIFO(file_inode(f)->mode))
		return -LX_ESPIPE;
	if (LX_S_ISDIR(file_inode(f)->mode))
		return -LX_EISDIR;
	if (!LX_S_ISREG(file_inode(f)->mode))
		return -LX_ENODEV;
	if (a->offset > INT64_MAX - a->len)
		return -LX_EFBIG;
	if (!(a->mode & LX_FALLOC_FL_KEEP_SIZE) &&
	    (uint64_t)(a->offset + a->len) > rlimit_cur(t, LX_RLIMIT_FSIZE)) {
		signal_send_self(t, LX_SIGXFSZ);
		return -LX_EFBIG;
	}
	if (!f->ops->fallocate)
		return -LX_EOPNOTSUPP;
	err = f->ops->fallocate(f, a->mode, a->offset, a->len);
	if (!err)
		fsnotify_dentry(f->path.dentry, LX_IN_MODIFY);
	return err;
}

/* ---- advice ---- */

long sys_readahead(struct task *t, const struct readahead_args *a)
{
	int err;
	AUTO_PUT(file) struct file *f = fd_file(t, a->fd, &err);

	if (!f)
		return err;
	if (!(f->mode & FMODE_READ))
		return -LX_EBADF;
	return LX_S_ISREG(file_inode(f)->mode) ? 0 : -LX_EINVAL;
}

long sys_fadvise64(struct task *t, const struct fadvise64_args *a)
{
	int err;
	AUTO_PUT(file) struct file *f = fd_file(t, a->fd, &err);

	if (!f)
		return err;
	if (LX_S_ISFIFO(file_inode(f)->mode))
		return -LX_ESPIPE;
	if ((int64_t)a->len < 0 || a->advice < 0 || a->advice > LX_POSIX_FADV_MAX)
		return -LX_EINVAL;
	return 0;
}
