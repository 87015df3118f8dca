/* mount(2), umount2(2) and pivot_root(2): new instances of file systems that need no device,
 * binds, moves, propagation, and changes of a mount's flags. */
#include <string.h>

#include "sentry/mm/usercopy.h"
#include "sentry/task/task.h"
#include "sentry/vfs/vfs.h"
#include "syscalls/abi/lx_cap.h"
#include "syscalls/abi/lx_fcntl.h"
#include "syscalls/abi/lx_mount.h"
#include "syscalls/syscall_args.h"

#define MOUNT_DATA_MAX 4096

static uint32_t mount_flags(uint64_t ms)
{
	uint32_t f = 0;

	if (ms & LX_MS_RDONLY)
		f |= MNT_RDONLY;
	if (ms & LX_MS_NOSUID)
		f |= MNT_NOSUID;
	if (ms & LX_MS_NODEV)
		f |= MNT_NODEV;
	if (ms & LX_MS_NOEXEC)
		f |= MNT_NOEXEC;
	if (ms & LX_MS_NOSYMFOLLOW)
		f |= MNT_NOSYMFOLLOW;
	if (ms & LX_MS_NODIRATIME)
		f |= MNT_NODIRATIME;
	if (ms & LX_MS_STRICTATIME)
		return f;
	return f | (ms & LX_MS_NOATIME ? MNT_NOATIME : MNT_RELATIME);
}

/* A string of at most a page, or NULL for a NULL pointer. */
static int copy_in_opt(struct task *t, struct uaddr src, char **out)
{
	char buf[MOUNT_DATA_MAX];
	long n;

	*out = NULL;
	if (!src.v)
		return 0;
	n = copy_in_str(t, buf, src, sizeof(buf));
	if (n < 0)
		return n == -LX_ENAMETOOLONG ? -LX_EINVAL : (int)n;
	*out = strdup(buf);
	return *out ? 0 : -LX_ENOMEM;
}

static long mount_new_fs(struct task *t, const struct path *at, const char *type,
			 const char *source, uint64_t flags, const char *data)
{
	const struct fs_type *fs = type ? fs_type_lookup(type) : NULL;
	struct superblock *sb;
	struct inode *root;
	int err;

	if (!type)
		return -LX_EINVAL;
	if (!fs)
		return -LX_ENODEV;
	if (!fs->guest_mountable)
		return -LX_EPERM;
	err = fs->mount_by ? fs->mount_by(t, source, data, &sb, &root)
			   : fs->mount(t->k, source, data, &sb, &root);
	if (err)
		return err;
	if (flags & LX_MS_RDONLY)
		sb->readonly = true;
	err = vfs_mount(t->k, at, sb, root, mount_flags(flags), source, data);
	inode_put(root);
	superblock_put(sb);
	return err;
}

static long mount_bind(struct task *t, const struct path *at, const char *source, uint64_t flags)
{
	struct path from;
	int err;

	if (!source || !*source)
		return source ? -LX_ENOENT : -LX_EINVAL;
	err = vfs_lookup(t, LX_AT_FDCWD, source, WALK_FOLLOW, &from);
	if (err)
		return err;
	/* Objects without a tree cannot be shown in one. */
	if (from.mnt == t->k->mnt->anon)
		err = -LX_EINVAL;
	else
		err = vfs_bind(t->k, at, &from, flags & LX_MS_REC, 0);
	path_put(&from);
	return err;
}

static long mount_move(struct task *t, const struct path *at, const char *source)
{
	struct path from;
	int err;

	if (!source || !*source)
		return -LX_EINVAL;
	err = vfs_lookup(t, LX_AT_FDCWD, source, WALK_FOLLOW, &from);
	if (err)
		return err;
	err = from.mnt->attached ? vfs_move_mount(t->k, &from, at) : -LX_EINVAL;
	path_put(&from);
	return err;
}

/* Exactly one type, and nothing beside it that has no meaning there. */
static long mount_propagation(struct task *t, const struct path *at, uint64_t flags)
{
	uint64_t type = flags & ~(uint64_t)(LX_MS_REC | LX_MS_SILENT);

	if ((type & ~(uint64_t)LX_MS_PROPAGATION) || (type & (type - 1)))
		return -LX_EINVAL;
	if (!at->mnt->attached)
		return -LX_EINVAL;
	return vfs_mount_propagation(t->k, at, (uint32_t)type, flags & LX_MS_REC);
}

static long mount_remount(struct task *t, const struct path *at, uint64_t flags,
			  const char *data)
{
	const uint64_t atime =
		LX_MS_NOATIME | LX_MS_NODIRATIME | LX_MS_RELATIME | LX_MS_STRICTATIME;
	uint32_t f = mount_flags(flags);

	if (!(flags & atime))
		f = (f & ~MNT_ATIME_MASK) | (at->mnt->flags & MNT_ATIME_MASK);
	return vfs_remount(t->k, at, f, flags & LX_MS_BIND, data);
}

static long do_mount(struct task *t, const struct path *at, const char *source,
		     const char *type, uint64_t flags, const char *data)
{
	if (!task_capable(t, LX_CAP_SYS_ADMIN))
		return -LX_EPERM;
	if (flags & LX_MS_NOUSER)
		return -LX_EINVAL;
	if (flags & LX_MS_REMOUNT)
		return mount_remount(t, at, flags, data);
	if (flags & LX_MS_BIND)
		return mount_bind(t, at, source, flags);
	if (flags & LX_MS_PROPAGATION)
		return mount_propagation(t, at, flags);
	if (flags & LX_MS_MOVE)
		return mount_move(t, at, source);
	return mount_new_fs(t, at, type, source, flags, data);
}

long sys_mount(struct task *t, const struct mount_args *a)
{
	AUTO_FREE char *dir = NULL;
	AUTO_FREE char *source = NULL;
	AUTO_FREE char *type = NULL;
	AUTO_FREE char *data = NULL;
	uint64_t flags = a->flags;
	struct path at;
	long r;

	if ((flags & LX_MS_MGC_MSK) == LX_MS_MGC_VAL)
		flags &= ~(uint64_t)LX_MS_MGC_MSK;
	r = copy_in_opt(t, a->type, &type);
	if (!r)
		r = copy_in_opt(t, a->dev_name, &source);
	if (!r)
		r = copy_in_opt(t, a->data, &data);
	if (!r)
		r = copy_in_path(t, a->dir_name, &dir);
	if (!r)
		r = vfs_lookup(t, LX_AT_FDCWD, dir, WALK_FOLLOW, &at);
	if (r)
		return r;
	r = do_mount(t, &at, source, type, flags, data);
	path_put(&at);
	return r;
}

long sys_umount2(struct task *t, const struct umount2_args *a)
{
	AUTO_FREE char *name = NULL;
	struct mount *m;
	struct path at;
	long r;

	if (a->flags & ~(LX_MNT_FORCE | LX_MNT_DETACH | LX_MNT_EXPIRE | LX_UMOUNT_NOFOLLOW))
		return -LX_EINVAL;
	r = copy_in_path(t, a->name, &name);
	if (!r)
		r = vfs_lookup(t, LX_AT_FDCWD, name,
			       a->flags & LX_UMOUNT_NOFOLLOW ? 0 : WALK_FOLLOW, &at);
	if (r)
		return r;
	r = task_capable(t, LX_CAP_SYS_ADMIN) ? vfs_umount(t->k, &at, a->flags) : -LX_EPERM;
	m = at.mnt;
	path_put(&at);
	/* That was our own reference; any other one takes the mark away. */
	if (r == -LX_EAGAIN)
		m->expiry_mark = true;
	return r;
}

static int dir_at(struct task *t, struct uaddr name, struct path *out)
{
	AUTO_FREE char *text = NULL;
	int err = copy_in_path(t, name, &text);

	return err ? err : vfs_lookup(t, LX_AT_FDCWD, text, WALK_FOLLOW | WALK_DIRECTORY, out);
}

long sys_pivot_root(struct task *t, const struct pivot_root_args *a)
{
	struct path new_root, put_old;
	int err;

	if (!task_capable(t, LX_CAP_SYS_ADMIN))
		return -LX_EPERM;
	err = dir_at(t, a->new_root, &new_root);
	if (err)
		return err;
	err = dir_at(t, a->put_old, &put_old);
	if (!err) {
		struct path root = t->fs->root;

		path_get(&root); /* the task's own may change */
		err = vfs_pivot_root(t->k, &root, &new_root, &put_old);
		path_put(&root);
		path_put(&put_old);
	}
	path_put(&new_root);
	return err;
}
