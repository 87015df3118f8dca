/* Descriptors: dup, close, fcntl, flock and the generic part of ioctl. */
#include "sentry/fs/pipe/pipe.h"
#include "sentry/mm/usercopy.h"
#include "sentry/task/task.h"
#include "sentry/vfs/file_io.h"
#include "sentry/vfs/namei.h"
#include "sentry/vfs/fileattr.h"
#include "sentry/vfs/vfs.h"
#include "syscalls/abi/lx_fcntl.h"
#include "syscalls/abi/lx_fs_misc.h"
#include "syscalls/fileattr.h"
#include "syscalls/abi/lx_socket.h"
#include "syscalls/abi/lx_stat.h"
#include "syscalls/syscall_args.h"

#define SETFL_MASK                                                                         \
	(LX_O_APPEND | LX_O_NONBLOCK | LX_O_DIRECT | LX_O_NOATIME | LX_FASYNC)

/* ---- dup and close ---- */

long sys_dup(struct task *t, const struct dup_args *a)
{
	int err;
	AUTO_PUT(file) struct file *f = fd_file_any(t, a->fildes, &err);

	return f ? fdtable_add(t, f, 0) : err;
}

long sys_dup2(struct task *t, const struct dup2_args *a)
{
	int err;
	AUTO_PUT(file) struct file *f = fd_file_any(t, a->oldfd, &err);

	if (!f)
		return err;
	return a->oldfd == a->newfd ? a->newfd : fdtable_set(t, a->newfd, f, 0);
}

long sys_dup3(struct task *t, const struct dup3_args *a)
{
	AUTO_PUT(file) struct file *f = NULL;
	int err;

	if ((a->flags & ~LX_O_CLOEXEC) || a->oldfd == a->newfd)
		return -LX_EINVAL;
	f = fd_file_any(t, a->oldfd, &err);
	if (!f)
		return err;
	return fdtable_set(t, a->newfd, f, a->flags & LX_O_CLOEXEC ? FD_CLOEXEC_FLAG : 0);
}

long sys_close(struct task *t, const struct close_args *a)
{
	return fdtable_close(t, a->fd);
}

long sys_close_range(struct task *t, const struct close_range_args *a)
{
	if ((a->flags & ~(LX_CLOSE_RANGE_UNSHARE | LX_CLOSE_RANGE_CLOEXEC)) ||
	    a->fd > a->max_fd)
		return -LX_EINVAL;
	if ((a->flags & LX_CLOSE_RANGE_UNSHARE) && fdtable_is_shared(t->fds)) {
		struct fdtable *own = fdtable_dup(t->fds);

		if (!own)
			return -LX_ENOMEM;
		fdtable_put(t->fds, t);
		t->fds = own;
	}
	fdtable_close_range(t, a->fd, a->max_fd, a->flags & LX_CLOSE_RANGE_CLOEXEC);
	return 0;
}

/* ---- fcntl ---- */

static long set_flags(struct file *f, int fd, uint32_t arg)
{
	uint32_t flags = (f->flags & ~SETFL_MASK) | (arg & SETFL_MASK);
	int err = 0;

	if (((flags ^ f->flags) & LX_O_APPEND) && inode_is_append(file_inode(f)))
		return -LX_EPERM;
	if (((flags ^ f->flags) & LX_FASYNC) && f->ops->async)
		err = file_set_async(f, fd, flags & LX_FASYNC);
	if (!err && f->ops->set_flags)
		err = f->ops->set_flags(f, flags);
	if (!err)
		f->flags = flags;
	return err;
}

static long lock_cmd(struct task *t, struct file *f, uint32_t cmd, struct uaddr addr)
{
	struct lx_flock fl;
	long r;

	if (copy_in(t, &fl, addr, sizeof(fl)))
		return -LX_EFAULT;
	r = file_posix_lock(t, f, cmd, &fl);
	if (!r && (cmd == LX_F_GETLK || cmd == LX_F_OFD_GETLK))
		r = copy_out(t, addr, &fl, sizeof(fl));
	return r;
}

static long owner_ex_cmd(struct task *t, struct file *f, uint32_t cmd, struct uaddr addr)
{
	struct lx_f_owner_ex ex;

	if (cmd == LX_F_GETOWN_EX) {
		file_get_owner(f, &ex.type, &ex.pid);
		return copy_out(t, addr, &ex, sizeof(ex));
	}
	if (copy_in(t, &ex, addr, sizeof(ex)))
		return -LX_EFAULT;
	if (ex.type < LX_F_OWNER_TID || ex.type > LX_F_OWNER_PGRP)
		return -LX_EINVAL;
	return file_set_owner(t, f, ex.type, ex.pid);
}

static long owner_cmd(struct task *t, struct file *f, uint32_t cmd, uint64_t arg)
{
	int who = (int)arg, type;

	switch (cmd) {
	case LX_F_SETOWN:
		if (who == INT32_MIN)
			return -LX_EINVAL;
		return who < 0 ? file_set_owner(t, f, LX_F_OWNER_PGRP, -who)
			       : file_set_owner(t, f, LX_F_OWNER_PID, who);
	case LX_F_GETOWN:
		file_get_owner(f, &type, &who);
		return type == LX_F_OWNER_PGRP ? -who : who;
	case LX_F_SETSIG:
		if (arg > 64)
			return -LX_EINVAL;
		f->owner.sig = (int)arg;
		return 0;
	case LX_F_GETSIG:
		return f->owner.sig;
	default:
		return owner_ex_cmd(t, f, cmd, (struct uaddr){ arg });
	}
}

/* How long what is written will live, as the writer thinks: remembered, no more. */
static long rw_hint_cmd(struct task *t, struct file *f, uint32_t cmd, struct uaddr addr)
{
	struct inode *i = file_inode(f);
	uint64_t hint = i->write_hint;

	if (cmd == LX_F_GET_RW_HINT)
		return copy_out(t, addr, &hint, sizeof(hint));
	if (!inode_owner_or_capable(t->cred, i))
		return -LX_EPERM;
	if (copy_in(t, &hint, addr, sizeof(hint)))
		return -LX_EFAULT;
	if (hint > LX_RWH_WRITE_LIFE_EXTREME)
		return -LX_EINVAL;
	i->write_hint = (uint8_t)hint;
	return 0;
}

static long dup_cmd(struct task *t, struct file *f, uint64_t min, uint32_t fdflags)
{
	if (min > INT32_MAX)
		return -LX_EINVAL;
	return fdtable_add_min(t, f, (int)min, fdflags);
}

/* Commands that work on any descriptor, O_PATH ones too. -LX_ENOSYS: not one of them. */
static long fd_cmd(struct task *t, struct file *f, int fd, uint32_t cmd, uint64_t arg)
{
	AUTO_PUT(file) struct file *other = NULL;
	int err;

	switch (cmd) {
	case LX_F_DUPFD:
		return dup_cmd(t, f, arg, 0);
	case LX_F_DUPFD_CLOEXEC:
		return dup_cmd(t, f, arg, FD_CLOEXEC_FLAG);
	case LX_F_GETFD:
		return fdtable_flags(t->fds, fd);
	case LX_F_SETFD:
		return fdtable_set_flags(t->fds, fd, arg & LX_FD_CLOEXEC ? FD_CLOEXEC_FLAG : 0);
	case LX_F_GETFL:
		return f->flags;
	case LX_F_DUPFD_QUERY:
		other = fd_file_any(t, (int)arg, &err);
		return other ? other == f : err;
	case LX_F_CREATED_QUERY:
		return f->mode & FMODE_CREATED ? 1 : 0;
	default:
		return -LX_ENOSYS;
	}
}

long sys_fcntl(struct task *t, const struct fcntl_args *a)
{
	int err;
	AUTO_PUT(file) struct file *f = fd_file_any(t, a->fd, &err);
	long r;

	if (!f)
		return err;
	r = fd_cmd(t, f, a->fd, a->cmd, a->arg);
	if (r != -LX_ENOSYS)
		return r;
	if (f->mode & FMODE_PATH)
		return -LX_EBADF;
	switch (a->cmd) {
	case LX_F_SETFL:
		return set_flags(f, a->fd, (uint32_t)a->arg);
	case LX_F_GETLK:
	case LX_F_SETLK:
	case LX_F_SETLKW:
	case LX_F_OFD_GETLK:
	case LX_F_OFD_SETLK:
	case LX_F_OFD_SETLKW:
		return lock_cmd(t, f, a->cmd, (struct uaddr){ a->arg });
	case LX_F_SETOWN:
	case LX_F_GETOWN:
	case LX_F_SETSIG:
	case LX_F_GETSIG:
	case LX_F_SETOWN_EX:
	case LX_F_GETOWN_EX:
		return owner_cmd(t, f, a->cmd, a->arg);
	case LX_F_GETPIPE_SZ:
		return pipe_get_size(f);
	case LX_F_SETPIPE_SZ:
		return pipe_set_size(f, (uint32_t)a->arg);
	case LX_F_ADD_SEALS:
	case LX_F_GET_SEALS:
		return f->ops->fcntl ? f->ops->fcntl(t, f, a->cmd, a->arg) : -LX_EINVAL;
	case LX_F_GETLEASE:
		return LX_F_UNLCK;
	case LX_F_GET_RW_HINT:
	case LX_F_SET_RW_HINT:
		return rw_hint_cmd(t, f, a->cmd, (struct uaddr){ a->arg });
	default:
		return -LX_EINVAL;
	}
}

long sys_flock(struct task *t, const struct flock_args *a)
{
	uint32_t op = a->cmd & ~LX_LOCK_NB;
	AUTO_PUT(file) struct file *f = NULL;
	int err;

	if (a->cmd & LX_LOCK_MAND)
		return 0; /* mandatory locks are gone, and nobody is told */
	if (op != LX_LOCK_SH && op != LX_LOCK_EX && op != LX_LOCK_UN)
		return -LX_EINVAL;
	f = fd_file(t, a->fd, &err);
	return f ? file_flock(t, f, a->cmd) : err;
}

/* ---- ioctl ---- */

static long set_file_flag(struct task *t, struct file *f, int fd, uint64_t arg, uint32_t flag)
{
	int32_t on;

	if (copy_in(t, &on, (struct uaddr){ arg }, sizeof(on)))
		return -LX_EFAULT;
	if (flag == LX_FASYNC && !f->ops->async && !on != !(f->flags & flag))
		return -LX_ENOTTY;
	return set_flags(f, fd, on ? f->flags | flag : f->flags & ~flag);
}

/* Sharing blocks between files, which none of the file systems here can: the errors come in
 * the order in which Linux finds them. */
static long clone_ioctl(struct task *t, struct file *to, uint32_t cmd, uint64_t arg)
{
	AUTO_PUT(file) struct file *from = NULL;
	int64_t range[4]; /* source, its offset, length, destination offset */
	const struct inode *i, *o = file_inode(to);
	int err;

	if (cmd == LX_FICLONERANGE && copy_in(t, range, (struct uaddr){ arg }, sizeof(range)))
		return -LX_EFAULT;
	from = fd_file(t, cmd == LX_FICLONE ? (int)arg : (int)range[0], &err);
	if (!from)
		return err;
	i = file_inode(from);
	if (i->sb != o->sb)
		return -LX_EXDEV;
	if (LX_S_ISDIR(i->mode) || LX_S_ISDIR(o->mode))
		return -LX_EISDIR;
	if (!LX_S_ISREG(i->mode) || !LX_S_ISREG(o->mode))
		return -LX_EINVAL;
	if (!(from->mode & FMODE_READ) || !(to->mode & FMODE_WRITE) ||
	    (to->flags & LX_O_APPEND))
		return -LX_EBADF;
	return -LX_EOPNOTSUPP;
}

static long dedupe_ioctl(struct task *t, struct file *f, uint64_t arg)
{
	struct {
		uint64_t off, len;
		uint16_t count, reserved1;
		uint32_t reserved2;
	} same;

	if (copy_in(t, &same, (struct uaddr){ arg }, sizeof(same)))
		return -LX_EFAULT;
	if (sizeof(same) + same.count * 32u > 4096)
		return -LX_ENOMEM;
	if (!(f->mode & FMODE_READ) || same.reserved1 || same.reserved2)
		return -LX_EINVAL;
	if (LX_S_ISDIR(file_inode(f)->mode))
		return -LX_EISDIR;
	return LX_S_ISREG(file_inode(f)->mode) ? -LX_EOPNOTSUPP : -LX_EINVAL;
}

static long regular_ioctl(struct task *t, struct file *f, uint32_t cmd, uint64_t arg)
{
	struct kstat st;
	int64_t left64;
	int32_t left;
	int err = file_getattr(f, &st);

	if (err)
		return err;
	if (cmd == LX_FIONREAD) {
		left64 = (int64_t)st.size - f->pos;
		left = left64 > INT32_MAX ? INT32_MAX : (int32_t)left64;
		return copy_out(t, (struct uaddr){ arg }, &left, sizeof(left));
	}
	left = 4096;
	return copy_out(t, (struct uaddr){ arg }, &left, sizeof(left));
}

/* Sockets have requests of their own for what F_SETOWN and F_GETOWN do. */
static long owner_ioctl(struct task *t, struct file *f, uint32_t cmd, struct uaddr addr)
{
	bool set = cmd == LX_FIOSETOWN || cmd == LX_SIOCSPGRP;
	int32_t who = 0;

	if (set && copy_in(t, &who, addr, sizeof(who)))
		return -LX_EFAULT;
	if (set)
		return owner_cmd(t, f, LX_F_SETOWN, (uint32_t)who);
	who = (int32_t)owner_cmd(t, f, LX_F_GETOWN, 0);
	return copy_out(t, addr, &who, sizeof(who));
}

long sys_ioctl(struct task *t, const struct ioctl_args *a)
{
	int err;
	AUTO_PUT(file) struct file *f = fd_file(t, a->fd, &err);
	struct inode *i;
	int64_t size;

	if (!f)
		return err;
	i = file_inode(f);
	switch (a->cmd) {
	case LX_FIOCLEX:
		return fdtable_set_flags(t->fds, a->fd, FD_CLOEXEC_FLAG);
	case LX_FIONCLEX:
		return fdtable_set_flags(t->fds, a->fd, 0);
	case LX_FIONBIO:
		return set_file_flag(t, f, a->fd, a->arg, LX_O_NONBLOCK);
	case LX_FIOASYNC:
		return set_file_flag(t, f, a->fd, a->arg, LX_FASYNC);
	case LX_FIOQSIZE:
		if (!LX_S_ISREG(i->mode) && !LX_S_ISDIR(i->mode))
			return -LX_ENOTTY;
		size = (int64_t)f->inode->size;
		return copy_out(t, (struct uaddr){ a->arg }, &size, sizeof(size));
	case LX_FIOSETOWN:
	case LX_SIOCSPGRP:
	case LX_FIOGETOWN:
	case LX_SIOCGPGRP:
		if (LX_S_ISSOCK(i->mode))
			return owner_ioctl(t, f, a->cmd, (struct uaddr){ a->arg });
		break;
	case LX_FICLONE:
	case LX_FICLONERANGE:
		return clone_ioctl(t, f, a->cmd, a->arg);
	case LX_FIDEDUPERANGE:
		return dedupe_ioctl(t, f, a->arg);
	case LX_FS_IOC_GETFLAGS:
	case LX_FS_IOC_SETFLAGS:
	case LX_FS_IOC_FSGETXATTR:
	case LX_FS_IOC_FSSETXATTR:
		return fileattr_ioctl(t, f, a->cmd, (struct uaddr){ a->arg });
	case LX_FIONREAD:
	case LX_FIGETBSZ:
		if (a->cmd == LX_FIGETBSZ || (LX_S_ISREG(i->mode) && !f->ops->ioctl))
			return regular_ioctl(t, f, a->cmd, a->arg);
		break;
	default:
		break;
	}
	return f->ops->ioctl ? f->ops->ioctl(t, f, a->cmd, a->arg) : -LX_ENOTTY;
}
