/* The newer mount calls: fsopen(2), fsconfig(2), fsmount(2), fspick(2), move_mount(2),
 * open_tree(2), open_tree_attr(2), mount_setattr(2). */
#include <string.h>

#include "sentry/mm/usercopy.h"
#include "sentry/task/task.h"
#include "sentry/vfs/fs_context.h"
#include "sentry/vfs/vfs.h"
#include "syscalls/abi/lx_cap.h"
#include "syscalls/abi/lx_fcntl.h"
#include "syscalls/abi/lx_mount.h"
#include "syscalls/abi/lx_mount_api.h"
#include "syscalls/syscall_args.h"

static int may_mount(struct task *t)
{
	return task_capable(t, LX_CAP_SYS_ADMIN) ? 0 : -LX_EPERM;
}

static long install(struct task *t, struct file *f, bool cloexec)
{
	long fd = fdtable_add(t, f, cloexec ? FD_CLOEXEC_FLAG : 0);

	file_put(f);
	return fd;
}

static int lookup(struct task *t, int dfd, struct uaddr name, unsigned walk, struct path *out)
{
	AUTO_FREE char *text = NULL;
	int err = copy_in_path(t, name, &text);

	return err ? err : vfs_lookup(t, dfd, text, walk, out);
}

/* ---- contexts ---- */

long sys_fsopen(struct task *t, const struct fsopen_args *a)
{
	const struct fs_type *type;
	char name[256];
	struct file *f;
	long n;

	if (may_mount(t))
		return -LX_EPERM;
	if (a->flags & ~LX_FSOPEN_CLOEXEC)
		return -LX_EINVAL;
	n = copy_in_str(t, name, a->_fs_name, sizeof(name));
	if (n < 0)
		return n == -LX_ENAMETOOLONG ? -LX_EINVAL : n;
	type = fs_type_lookup(name);
	if (!type)
		return -LX_ENODEV;
	if (!type->guest_mountable)
		return -LX_EPERM;
	n = fs_context_open(t->k, type, &f);
	return n ? n : install(t, f, a->flags & LX_FSOPEN_CLOEXEC);
}

long sys_fspick(struct task *t, const struct fspick_args *a)
{
	unsigned walk = a->flags & LX_FSPICK_SYMLINK_NOFOLLOW ? 0 : WALK_FOLLOW;
	struct path p;
	struct file *f;
	int err;

	if (may_mount(t))
		return -LX_EPERM;
	if (a->flags & ~(LX_FSPICK_CLOEXEC | LX_FSPICK_SYMLINK_NOFOLLOW | LX_FSPICK_NO_AUTOMOUNT |
			 LX_FSPICK_EMPTY_PATH))
		return -LX_EINVAL;
	if (a->flags & LX_FSPICK_EMPTY_PATH)
		walk |= WALK_EMPTY;
	err = lookup(t, a->dfd, a->path, walk, &p);
	if (err)
		return err;
	err = fs_context_pick(t->k, &p, &f);
	path_put(&p);
	return err ? err : install(t, f, a->flags & LX_FSPICK_CLOEXEC);
}

/* Which of key, value and aux a command takes. */
static int check_config(const struct fsconfig_args *a)
{
	bool key = a->_key.v, value = a->_value.v, good;

	if (a->fd < 0)
		return -LX_EINVAL;
	switch (a->cmd) {
	case LX_FSCONFIG_SET_FLAG:
		good = key && !value && !a->aux;
		break;
	case LX_FSCONFIG_SET_STRING:
		good = key && value && !a->aux;
		break;
	case LX_FSCONFIG_SET_BINARY:
		good = key && value && a->aux > 0 && a->aux <= 1 << 20;
		break;
	case LX_FSCONFIG_SET_PATH:
	case LX_FSCONFIG_SET_PATH_EMPTY:
		good = key && value && (a->aux == LX_AT_FDCWD || a->aux >= 0);
		break;
	case LX_FSCONFIG_SET_FD:
		good = key && !value && a->aux >= 0;
		break;
	case LX_FSCONFIG_CMD_CREATE:
	case LX_FSCONFIG_CMD_CREATE_EXCL:
	case LX_FSCONFIG_CMD_RECONFIGURE:
		good = !key && !value && !a->aux;
		break;
	default:
		return -LX_EOPNOTSUPP;
	}
	return good ? 0 : -LX_EINVAL;
}

static long set_option(struct task *t, struct file *f, const struct fsconfig_args *a)
{
	char key[256], value[256];
	long n = copy_in_str(t, key, a->_key, sizeof(key));

	if (n >= 0 && a->cmd == LX_FSCONFIG_SET_STRING)
		n = copy_in_str(t, value, a->_value, sizeof(value));
	if (n < 0)
		return n == -LX_ENAMETOOLONG ? -LX_EINVAL : n;
	/* No type here takes binary values, paths or descriptors. */
	if (a->cmd != LX_FSCONFIG_SET_FLAG && a->cmd != LX_FSCONFIG_SET_STRING)
		return -LX_EINVAL;
	return fs_context_option(f, key, a->cmd == LX_FSCONFIG_SET_STRING ? value : NULL);
}

long sys_fsconfig(struct task *t, const struct fsconfig_args *a)
{
	int err = check_config(a);
	AUTO_PUT(file) struct file *f = NULL;

	if (err)
		return err;
	f = fd_file(t, a->fd, &err);
	if (!f)
		return err;
	if (!fs_context_is(f))
		return -LX_EINVAL;
	switch (a->cmd) {
	case LX_FSCONFIG_CMD_CREATE:
	case LX_FSCONFIG_CMD_CREATE_EXCL:
		return may_mount(t) ? -LX_EPERM : fs_context_create(t, f);
	case LX_FSCONFIG_CMD_RECONFIGURE:
		return may_mount(t) ? -LX_EPERM : fs_context_reconfigure(f);
	default:
		return set_option(t, f, a);
	}
}

/* MOUNT_ATTR_* as MNT_*. */
static uint32_t attr_flags(uint64_t attr)
{
	return (attr & LX_MOUNT_ATTR_RDONLY ? MNT_RDONLY : 0) |
	       (attr & LX_MOUNT_ATTR_NOSUID ? MNT_NOSUID : 0) |
	       (attr & LX_MOUNT_ATTR_NODEV ? MNT_NODEV : 0) |
	       (attr & LX_MOUNT_ATTR_NOEXEC ? MNT_NOEXEC : 0) |
	       (attr & LX_MOUNT_ATTR_NODIRATIME ? MNT_NODIRATIME : 0) |
	       (attr & LX_MOUNT_ATTR_NOSYMFOLLOW ? MNT_NOSYMFOLLOW : 0);
}

static int atime_flags(uint64_t attr, uint32_t *out)
{
	switch (attr & LX_MOUNT_ATTR_ATIME) {
	case 0:
		*out |= MNT_RELATIME;
		return 0;
	case LX_MOUNT_ATTR_NOATIME:
		*out |= MNT_NOATIME;
		return 0;
	case LX_MOUNT_ATTR_STRICTATIME:
		return 0;
	default:
		return -LX_EINVAL;
	}
}

long sys_fsmount(struct task *t, const struct fsmount_args *a)
{
	AUTO_PUT(file) struct file *f = NULL;
	uint32_t flags = attr_flags(a->attr_flags);
	struct file *out;
	int err;

	if (may_mount(t))
		return -LX_EPERM;
	if ((a->flags & ~LX_FSMOUNT_CLOEXEC) || (a->attr_flags & ~LX_MOUNT_ATTR_VALID) ||
	    atime_flags(a->attr_flags, &flags))
		return -LX_EINVAL;
	f = fd_file(t, a->fs_fd, &err);
	if (!f)
		return err;
	if (!fs_context_is(f))
		return -LX_EINVAL;
	err = fs_context_mount(t->k, f, flags, &out);
	return err ? err : install(t, out, a->flags & LX_FSMOUNT_CLOEXEC);
}

/* ---- trees ---- */

static unsigned at_walk(uint32_t flags)
{
	return (flags & LX_AT_SYMLINK_NOFOLLOW ? 0 : WALK_FOLLOW) |
	       (flags & LX_AT_EMPTY_PATH ? WALK_EMPTY : 0);
}

static int open_tree(struct task *t, int dfd, struct uaddr name, uint32_t flags,
		     struct file **out)
{
	struct mount *m;
	struct path p;
	int err;

	if (flags & ~(LX_OPEN_TREE_CLONE | LX_O_CLOEXEC | LX_AT_EMPTY_PATH | LX_AT_NO_AUTOMOUNT |
		      LX_AT_RECURSIVE | LX_AT_SYMLINK_NOFOLLOW))
		return -LX_EINVAL;
	if ((flags & (LX_AT_RECURSIVE | LX_OPEN_TREE_CLONE)) == LX_AT_RECURSIVE)
		return -LX_EINVAL;
	if ((flags & LX_OPEN_TREE_CLONE) && may_mount(t))
		return -LX_EPERM;
	err = lookup(t, dfd, name, at_walk(flags), &p);
	if (err)
		return err;
	if (flags & LX_OPEN_TREE_CLONE) {
		err = vfs_clone_tree(t->k, &p, flags & LX_AT_RECURSIVE, &m);
		if (!err)
			err = mount_file_new(t->k, m, out);
	} else {
		err = vfs_open_path(t->k, t->cred, &p, LX_O_PATH, out);
	}
	path_put(&p);
	return err;
}

long sys_open_tree(struct task *t, const struct open_tree_args *a)
{
	struct file *f;
	int err = open_tree(t, a->dfd, a->filename, a->flags, &f);

	return err ? err : install(t, f, a->flags & LX_O_CLOEXEC);
}

/* The group of `from` for `to`, which has none. */
static int set_group(const struct path *from, const struct path *to)
{
	if (from->dentry != from->mnt->root || to->dentry != to->mnt->root ||
	    from->mnt->sb != to->mnt->sb || !from->mnt->attached || !to->mnt->attached ||
	    to->mnt->group || to->mnt->master)
		return -LX_EINVAL;
	return vfs_mount_set_group(from->mnt, to->mnt);
}

long sys_move_mount(struct task *t, const struct move_mount_args *a)
{
	unsigned fw = (a->flags & LX_MOVE_MOUNT_F_SYMLINKS ? WALK_FOLLOW : 0) |
		      (a->flags & LX_MOVE_MOUNT_F_EMPTY_PATH ? WALK_EMPTY : 0);
	unsigned tw = (a->flags & LX_MOVE_MOUNT_T_SYMLINKS ? WALK_FOLLOW : 0) |
		      (a->flags & LX_MOVE_MOUNT_T_EMPTY_PATH ? WALK_EMPTY : 0);
	struct path from, to;
	int err;

	if (may_mount(t))
		return -LX_EPERM;
	/* Nothing is put beneath another mount here. */
	if (a->flags & (~LX_MOVE_MOUNT_MASK | LX_MOVE_MOUNT_BENEATH))
		return -LX_EINVAL;
	err = lookup(t, a->to_dfd, a->to_pathname, tw, &to);
	if (err)
		return err;
	err = lookup(t, a->from_dfd, a->from_pathname, fw, &from);
	if (!err) {
		err = a->flags & LX_MOVE_MOUNT_SET_GROUP ? set_group(&from, &to)
							 : vfs_move_mount(t->k, &from, &to);
		path_put(&from);
	}
	path_put(&to);
	return err;
}

/* ---- attributes ---- */

struct kattr {
	uint32_t set, clear, propagation;
};

/* 1: there is something to do. */
static int attr_in(struct task *t, struct uaddr uattr, uint64_t usize, struct kattr *k)
{
	struct lx_mount_attr a;
	int err;

	if (usize > 4096)
		return -LX_E2BIG;
	if (usize < sizeof(a))
		return -LX_EINVAL;
	if (may_mount(t))
		return -LX_EPERM;
	err = copy_in_sized(t, &a, sizeof(a), uattr, usize);
	if (err)
		return err;
	if (!a.attr_set && !a.attr_clr && !a.propagation)
		return 0;
	if ((a.propagation & ~(uint64_t)LX_MS_PROPAGATION) || (a.propagation & (a.propagation - 1)))
		return -LX_EINVAL;
	/* Mounts with mapped ids are not among the valid ones. */
	if ((a.attr_set | a.attr_clr) & ~(uint64_t)LX_MOUNT_ATTR_VALID)
		return -LX_EINVAL;
	*k = (struct kattr){ attr_flags(a.attr_set), attr_flags(a.attr_clr),
			     (uint32_t)a.propagation };
	if (!(a.attr_clr & LX_MOUNT_ATTR_ATIME))
		return a.attr_set & LX_MOUNT_ATTR_ATIME ? -LX_EINVAL : 1;
	/* The kinds of access times are one choice: it is made anew or not at all. */
	if ((a.attr_clr & LX_MOUNT_ATTR_ATIME) != LX_MOUNT_ATTR_ATIME)
		return -LX_EINVAL;
	k->clear |= MNT_NOATIME | MNT_RELATIME;
	err = atime_flags(a.attr_set, &k->set);
	return err ? err : 1;
}

static int apply_attr(struct task *t, const struct path *p, const struct kattr *k, bool rec)
{
	int err = vfs_mount_setattr(p, k->set, k->clear, rec);

	/* A tree that is in no tree has its propagation changed as well. */
	if (!err && k->propagation)
		err = vfs_mount_propagation(t->k, p, k->propagation, rec);
	return err;
}

long sys_mount_setattr(struct task *t, const struct mount_setattr_args *a)
{
	struct kattr k;
	struct path p;
	int err;

	if (a->flags & ~(LX_AT_EMPTY_PATH | LX_AT_RECURSIVE | LX_AT_SYMLINK_NOFOLLOW |
			 LX_AT_NO_AUTOMOUNT))
		return -LX_EINVAL;
	err = attr_in(t, a->uattr, a->usize, &k);
	if (err <= 0)
		return err;
	err = lookup(t, a->dfd, a->path, at_walk(a->flags), &p);
	if (err)
		return err;
	err = apply_attr(t, &p, &k, a->flags & LX_AT_RECURSIVE);
	path_put(&p);
	return err;
}

long sys_open_tree_attr(struct task *t, const struct open_tree_attr_args *a)
{
	AUTO_PUT(file) struct file *f = NULL;
	struct kattr k;
	int err, todo = 0;

	if (!a->uattr.v && a->usize)
		return -LX_EINVAL;
	err = open_tree(t, a->dfd, a->filename, a->flags, &f);
	if (err)
		return err;
	if (a->uattr.v)
		todo = attr_in(t, a->uattr, a->usize, &k);
	if (todo < 0)
		return todo;
	err = todo ? apply_attr(t, &f->path, &k, a->flags & LX_AT_RECURSIVE) : 0;
	if (err)
		return err;
	file_get(f);
	return install(t, f, a->flags & LX_O_CLOEXEC);
}
