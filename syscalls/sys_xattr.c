/* Extended attributes: sixteen calls over four ways to name a file. */
#include <stdlib.h>
#include <string.h>

#include "sentry/mm/usercopy.h"
#include "sentry/task/task.h"
#include "sentry/vfs/namei.h"
#include "sentry/vfs/vfs.h"
#include "syscalls/abi/lx_fcntl.h"
#include "syscalls/abi/lx_xattr.h"
#include "syscalls/syscall_args.h"

/* A file as the calls name it: by a path from dfd, or (AT_EMPTY_PATH with an empty path)
 * dfd itself, which must not be an O_PATH one then. */
struct which {
	int dfd;
	struct uaddr pathname;
	uint32_t at_flags;
};
#define BY_PATH(p, flags) (&(struct which){ LX_AT_FDCWD, p, flags })
#define BY_FD(fd) (&(struct which){ fd, { 0 }, LX_AT_EMPTY_PATH })
#define BY_AT(a) (&(struct which){ (a)->dfd, (a)->pathname, (a)->at_flags })

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

static int resolve(struct task *t, const struct which *w, struct path *out)
{
	unsigned walk = w->at_flags & LX_AT_SYMLINK_NOFOLLOW ? 0 : WALK_FOLLOW;
	AUTO_FREE char *name = NULL;
	int err;

	if (!(w->at_flags & LX_AT_EMPTY_PATH) || w->pathname.v) {
		err = copy_in_path(t, w->pathname, &name);
		if (err)
			return err;
	}
	if (!(w->at_flags & LX_AT_EMPTY_PATH))
		return vfs_lookup(t, w->dfd, name, walk, out);
	if (w->dfd != LX_AT_FDCWD && (!name || !*name))
		return by_fd(t, w->dfd, out);
	return vfs_lookup(t, w->dfd, name ? name : "", walk | WALK_EMPTY, out);
}

static int check_at(uint32_t at_flags)
{
	return at_flags & ~(LX_AT_SYMLINK_NOFOLLOW | LX_AT_EMPTY_PATH) ? -LX_EINVAL : 0;
}

static int name_in(struct task *t, struct uaddr src, char name[LX_XATTR_NAME_MAX + 1])
{
	long n = copy_in_str(t, name, src, LX_XATTR_NAME_MAX + 1);

	if (n < 0)
		return n == -LX_ENAMETOOLONG ? -LX_ERANGE : (int)n;
	return n == 0 ? -LX_ERANGE : 0;
}

static long do_set(struct task *t, const struct which *w, struct uaddr uname,
		   struct uaddr value, uint64_t size, uint32_t flags)
{
	char name[LX_XATTR_NAME_MAX + 1];
	AUTO_FREE void *buf = NULL;
	struct path p;
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
		err = resolve(t, w, &p);
	if (err)
		return err;
	err = vfs_setxattr(t, &p, name, buf, size, flags);
	path_put(&p);
	return err;
}

static long do_get(struct task *t, const struct which *w, struct uaddr uname,
		   struct uaddr value, uint64_t size)
{
	char name[LX_XATTR_NAME_MAX + 1];
	AUTO_FREE void *buf = NULL;
	struct path p;
	int64_t n = name_in(t, uname, name);

	if (!n)
		n = resolve(t, w, &p);
	if (n)
		return n;
	if (size > LX_XATTR_SIZE_MAX)
		size = LX_XATTR_SIZE_MAX;
	if (size) {
		buf = malloc(size);
		if (!buf)
			n = -LX_ENOMEM;
	}
	if (!n)
		n = vfs_getxattr(t, &p, name, buf, size);
	path_put(&p);
	if (n > 0 && size && copy_out(t, value, buf, (size_t)n))
		return -LX_EFAULT;
	return n;
}

static long do_list(struct task *t, const struct which *w, struct uaddr list, uint64_t size)
{
	AUTO_FREE char *buf = NULL;
	struct path p;
	int64_t n = resolve(t, w, &p);

	if (n)
		return n;
	if (size > LX_XATTR_LIST_MAX)
		size = LX_XATTR_LIST_MAX;
	if (size) {
		buf = malloc(size);
		if (!buf)
			n = -LX_ENOMEM;
	}
	if (!n)
		n = vfs_listxattr(t, &p, buf, size);
	path_put(&p);
	if (n > 0 && size && copy_out(t, list, buf, (size_t)n))
		return -LX_EFAULT;
	return n;
}

static long do_remove(struct task *t, const struct which *w, struct uaddr uname)
{
	char name[LX_XATTR_NAME_MAX + 1];
	struct path p;
	int err = name_in(t, uname, name);

	if (!err)
		err = resolve(t, w, &p);
	if (err)
		return err;
	err = vfs_removexattr(t, &p, name);
	path_put(&p);
	return err;
}

/* The value and flags of setxattrat and getxattrat. */
static int args_in(struct task *t, struct lx_xattr_args *x, struct uaddr uargs, uint64_t usize)
{
	if (usize < sizeof(*x))
		return -LX_EINVAL;
	return copy_in_sized(t, x, sizeof(*x), uargs, usize);
}

long sys_setxattr(struct task *t, const struct setxattr_args *a)
{
	return do_set(t, BY_PATH(a->pathname, 0), a->name, a->value, a->size, a->flags);
}

long sys_lsetxattr(struct task *t, const struct lsetxattr_args *a)
{
	return do_set(t, BY_PATH(a->pathname, LX_AT_SYMLINK_NOFOLLOW), a->name, a->value, a->size,
		      a->flags);
}

long sys_fsetxattr(struct task *t, const struct fsetxattr_args *a)
{
	return do_set(t, BY_FD(a->fd), a->name, a->value, a->size, a->flags);
}

long sys_setxattrat(struct task *t, const struct setxattrat_args *a)
{
	struct lx_xattr_args x;
	int err = args_in(t, &x, a->uargs, a->usize);

	if (!err)
		err = check_at(a->at_flags);
	return err ? err : do_set(t, BY_AT(a), a->name, (struct uaddr){ x.value }, x.size, x.flags);
}

long sys_getxattr(struct task *t, const struct getxattr_args *a)
{
	return do_get(t, BY_PATH(a->pathname, 0), a->name, a->value, a->size);
}

long sys_lgetxattr(struct task *t, const struct lgetxattr_args *a)
{
	return do_get(t, BY_PATH(a->pathname, LX_AT_SYMLINK_NOFOLLOW), a->name, a->value, a->size);
}

long sys_fgetxattr(struct task *t, const struct fgetxattr_args *a)
{
	return do_get(t, BY_FD(a->fd), a->name, a->value, a->size);
}

long sys_getxattrat(struct task *t, const struct getxattrat_args *a)
{
	struct lx_xattr_args x;
	int err = args_in(t, &x, a->uargs, a->usize);

	if (!err && x.flags)
		err = -LX_EINVAL;
	if (!err)
		err = check_at(a->at_flags);
	return err ? err : do_get(t, BY_AT(a), a->name, (struct uaddr){ x.value }, x.size);
}

long sys_listxattr(struct task *t, const struct listxattr_args *a)
{
	return do_list(t, BY_PATH(a->pathname, 0), a->list, a->size);
}

long sys_llistxattr(struct task *t, const struct llistxattr_args *a)
{
	return do_list(t, BY_PATH(a->pathname, LX_AT_SYMLINK_NOFOLLOW), a->list, a->size);
}

long sys_flistxattr(struct task *t, const struct flistxattr_args *a)
{
	return do_list(t, BY_FD(a->fd), a->list, a->size);
}

long sys_listxattrat(struct task *t, const struct listxattrat_args *a)
{
	int err = check_at(a->at_flags);

	return err ? err : do_list(t, BY_AT(a), a->list, a->size);
}

long sys_removexattr(struct task *t, const struct removexattr_args *a)
{
	return do_remove(t, BY_PATH(a->pathname, 0), a->name);
}

long sys_lremovexattr(struct task *t, const struct lremovexattr_args *a)
{
	return do_remove(t, BY_PATH(a->pathname, LX_AT_SYMLINK_NOFOLLOW), a->name);
}

long sys_fremovexattr(struct task *t, const struct fremovexattr_args *a)
{
	return do_remove(t, BY_FD(a->fd), a->name);
}

long sys_removexattrat(struct task *t, const struct removexattrat_args *a)
{
	int err = check_at(a->at_flags);

	return err ? err : do_remove(t, BY_AT(a), a->name);
}
