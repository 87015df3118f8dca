/* mount(2) and umount2(2): new instances of file systems that need no device, binds, and
 * changes of a mount's flags. There is one mount namespace and no propagation, so that
 * making a mount private or a slave changes nothing. */
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
	err = fs->mount(t->k, source, data, &sb, &root);
	if (err)
		return err;
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

long sys_mount(struct task *t, const struct mount_args *a)
{
	const uint64_t propagation =
		LX_MS_SHARED | LX_MS_PRIVATE | LX_MS_SLAVE | LX_MS_UNBINDABLE;
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
	if (!task_capable(t, LX_CAP_SYS_ADMIN))
		r = -LX_EPERM;
	else if (flags & LX_MS_REMOUNT)
		r = vfs_remount(t->k, &at, mount_flags(flags));
	else if (flags & LX_MS_BIND)
		r = mount_bind(t, &at, source, flags);
	else if (flags & propagation)
		r = (flags & (LX_MS_SHARED | LX_MS_UNBINDABLE)) || at.dentry != at.mnt->root
			    ? -LX_EINVAL
			    : 0;
	else if (flags & LX_MS_MOVE)
		r = -LX_EINVAL;
	else
		r = mount_new_fs(t, &at, type, source, flags, data);
	path_put(&at);
	return r;
}

long sys_umount2(struct task *t, const struct umount2_args *a)
{
	AUTO_FREE char *name = NULL;
	struct path at;
	long r;

	if (a->flags & ~(LX_MNT_FORCE | LX_MNT_DETACH | LX_UMOUNT_NOFOLLOW))
		return -LX_EINVAL;
	r = copy_in_path(t, a->name, &name);
	if (!r)
		r = vfs_lookup(t, LX_AT_FDCWD, name,
			       a->flags & LX_UMOUNT_NOFOLLOW ? 0 : WALK_FOLLOW, &at);
	if (r)
		return r;
	r = task_capable(t, LX_CAP_SYS_ADMIN) ? vfs_umount(t->k, &at, a->flags) : -LX_EPERM;
	path_put(&at);
	return r;
}
