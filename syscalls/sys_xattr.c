/* Extended attributes: twelve calls over three ways to name a file. */
#include <stdlib.h>
#include <string.h>

#include "sentry/mm/usercopy.h"
#include "sentry/task/task.h"
#include "sentry/vfs/namei.h"
#include "sentry/vfs/vfs.h"
#include "syscalls/abi/lx_fcntl.h"
#include "syscalls/abi/lx_xattr.h"
#include "syscalls/syscall_args.h"

static int by_path(struct task *t, struct uaddr pathname, unsigned walk, struct path *out)
{
	AUTO_FREE char *name = NULL;
	int err = copy_in_path(t, pathname, &name);

	return err ? err : vfs_lookup(t, LX_AT_FDCWD, name, walk, out);
}

static int by_fd(struct task *t, int fd, struct path *out)
{
	int err;
	AUTO_PUT(file) struct file *f = fd_file(t, fd, &err);

	if (!f)
		return err;
	*out = f->path;
	path_get(out);
	return 0;
}

static int name_in(struct task *t, struct uaddr src, char name[LX_XATTR_NAME_MAX + 1])
{
	long n = copy_in_str(t, name, src, LX_XATTR_NAME_MAX + 1);

	if (n < 0)
		return n == -LX_ENAMETOOLONG ? -LX_ERANGE : (int)n;
	return n == 0 ? -LX_ERANGE : 0;
}

/* The inner calls take over p. */
static long do_set(struct task *t, struct path *p, struct uaddr uname, struct uaddr value,
		   uint64_t size, uint32_t flags)
{
	char name[LX_XATTR_NAME_MAX + 1];
	AUTO_FREE void *buf = NULL;
	int err = 0;

	if (flags & ~(LX_XATTR_CREATE | LX_XATTR_REPLACE))
		err = -LX_EINVAL;
	if (!err)
		err = name_in(t, uname, name);
	if (!err && size > LX_XATTR_SIZE_MAX)
		err = -LX_E2BIG;
	if (!err && size) {
		buf = malloc(size);
		err = buf ? copy_in(t, buf, value, size) : -LX_ENOMEM;
	}
	if (!err)
		err = vfs_setxattr(t, p, name, buf, size, flags);
	path_put(p);
	return err;
}

static long do_get(struct task *t, struct path *p, struct uaddr uname, struct uaddr value,
		   uint64_t size)
{
	char name[LX_XATTR_NAME_MAX + 1];
	AUTO_FREE void *buf = NULL;
	int64_t n = name_in(t, uname, name);

	if (size > LX_XATTR_SIZE_MAX)
		size = LX_XATTR_SIZE_MAX;
	if (!n && size) {
		buf = malloc(size);
		if (!buf)
			n = -LX_ENOMEM;
	}
	if (!n)
		n = vfs_getxattr(t, p, name, buf, size);
	path_put(p);
	if (n > 0 && size && copy_out(t, value, buf, (size_t)n))
		return -LX_EFAULT;
	return n;
}

static long do_list(struct task *t, struct path *p, struct uaddr list, uint64_t size)
{
	AUTO_FREE char *buf = NULL;
	int64_t n = 0;

	if (size > LX_XATTR_LIST_MAX)
		size = LX_XATTR_LIST_MAX;
	if (size) {
		buf = malloc(size);
		if (!buf)
			n = -LX_ENOMEM;
	}
	if (!n)
		n = vfs_listxattr(t, p, buf, size);
	path_put(p);
	if (n > 0 && size && copy_out(t, list, buf, (size_t)n))
		return -LX_EFAULT;
	return n;
}

static long do_remove(struct task *t, struct path *p, struct uaddr uname)
{
	char name[LX_XATTR_NAME_MAX + 1];
	int err = name_in(t, uname, name);

	if (!err)
		err = vfs_removexattr(t, p, name);
	path_put(p);
	return err;
}

long sys_setxattr(struct task *t, const struct setxattr_args *a)
{
	struct path p;
	int err = by_path(t, a->pathname, WALK_FOLLOW, &p);

	return err ? err : do_set(t, &p, a->name, a->value, a->size, a->flags);
}

long sys_lsetxattr(struct task *t, const struct lsetxattr_args *a)
{
	struct path p;
	int err = by_path(t, a->pathname, 0, &p);

	return err ? err : do_set(t, &p, a->name, a->value, a->size, a->flags);
}

long sys_fsetxattr(struct task *t, const struct fsetxattr_args *a)
{
	struct path p;
	int err = by_fd(t, a->fd, &p);

	return err ? err : do_set(t, &p, a->name, a->value, a->size, a->flags);
}

long sys_getxattr(struct task *t, const struct getxattr_args *a)
{
	struct path p;
	int err = by_path(t, a->pathname, WALK_FOLLOW, &p);

	return err ? err : do_get(t, &p, a->name, a->value, a->size);
}

long sys_lgetxattr(struct task *t, const struct lgetxattr_args *a)
{
	struct path p;
	int err = by_path(t, a->pathname, 0, &p);

	return err ? err : do_get(t, &p, a->name, a->value, a->size);
}

long sys_fgetxattr(struct task *t, const struct fgetxattr_args *a)
{
	struct path p;
	int err = by_fd(t, a->fd, &p);

	return err ? err : do_get(t, &p, a->name, a->value, a->size);
}

long sys_listxattr(struct task *t, const struct listxattr_args *a)
{
	struct path p;
	int err = by_path(t, a->pathname, WALK_FOLLOW, &p);

	return err ? err : do_list(t, &p, a->list, a->size);
}

long sys_llistxattr(struct task *t, const struct llistxattr_args *a)
{
	struct path p;
	int err = by_path(t, a->pathname, 0, &p);

	return err ? err : do_list(t, &p, a->list, a->size);
}

long sys_flistxattr(struct task *t, const struct flistxattr_args *a)
{
	struct path p;
	int err = by_fd(t, a->fd, &p);

	return err ? err : do_list(t, &p, a->list, a->size);
}

long sys_removexattr(struct task *t, const struct removexattr_args *a)
{
	struct path p;
	int err = by_path(t, a->pathname, WALK_FOLLOW, &p);

	return err ? err : do_remove(t, &p, a->name);
}

long sys_lremovexattr(struct task *t, const struct lremovexattr_args *a)
{
	struct path p;
	int err = by_path(t, a->pathname, 0, &p);

	return err ? err : do_remove(t, &p, a->name);
}

long sys_fremovexattr(struct task *t, const struct fremovexattr_args *a)
{
	struct path p;
	int err = by_fd(t, a->fd, &p);

	return err ? err : do_remove(t, &p, a->name);
}
