/* inotify_init(2), inotify_add_watch(2), inotify_rm_watch(2). */
#include "sentry/fs/anon/inotify.h"
#include "sentry/mm/usercopy.h"
#include "sentry/task/task.h"
#include "sentry/vfs/vfs.h"
#include "syscalls/abi/lx_fcntl.h"
#include "syscalls/abi/lx_inotify.h"
#include "syscalls/syscall_args.h"

static long do_init(struct task *t, uint32_t flags)
{
	AUTO_PUT(file) struct file *f = NULL;
	int err;

	if (flags & ~(LX_IN_NONBLOCK | LX_IN_CLOEXEC))
		return -LX_EINVAL;
	err = inotify_open(t, flags & LX_IN_NONBLOCK, &f);
	return err ? err : fdtable_add(t, f, flags & LX_IN_CLOEXEC ? FD_CLOEXEC_FLAG : 0);
}

long sys_inotify_init(struct task *t, const struct inotify_init_args *a)
{
	(void)a;
	return do_init(t, 0);
}

long sys_inotify_init1(struct task *t, const struct inotify_init1_args *a)
{
	return do_init(t, a->flags);
}

long sys_inotify_add_watch(struct task *t, const struct inotify_add_watch_args *a)
{
	const uint32_t known = LX_IN_ALL_EVENTS | LX_IN_UNMOUNT | LX_IN_Q_OVERFLOW |
			       LX_IN_IGNORED | LX_IN_ONLYDIR | LX_IN_DONT_FOLLOW |
			       LX_IN_EXCL_UNLINK | LX_IN_MASK_CREATE | LX_IN_MASK_ADD |
			       LX_IN_ISDIR | LX_IN_ONESHOT;
	AUTO_PUT(file) struct file *f = NULL;
	AUTO_FREE char *name = NULL;
	unsigned walk = 0;
	struct path p;
	int err;

	if (!(a->mask & known) || (a->mask & ~known))
		return -LX_EINVAL;
	f = fd_file(t, a->fd, &err);
	if (!f)
		return err;
	if ((a->mask & LX_IN_MASK_ADD) && (a->mask & LX_IN_MASK_CREATE))
		return -LX_EINVAL;
	if (!file_is_inotify(f))
		return -LX_EINVAL;
	if (!(a->mask & LX_IN_DONT_FOLLOW))
		walk |= WALK_FOLLOW;
	if (a->mask & LX_IN_ONLYDIR)
		walk |= WALK_DIRECTORY;
	err = copy_in_path(t, a->pathname, &name);
	if (!err)
		err = vfs_lookup(t, LX_AT_FDCWD, name, walk, &p);
	if (err)
		return err;
	err = inode_permission(t->cred, p.dentry->inode, MAY_READ);
	if (!err)
		err = inotify_watch(f, p.dentry, a->mask);
	path_put(&p);
	return err;
}

long sys_inotify_rm_watch(struct task *t, const struct inotify_rm_watch_args *a)
{
	int err;
	AUTO_PUT(file) struct file *f = fd_file(t, a->fd, &err);

	if (!f)
		return err;
	return file_is_inotify(f) ? inotify_unwatch(f, a->wd) : -LX_EINVAL;
}
