/* Inode flags, as Linux's fs/file_attr.c has them. */
#include "sentry/vfs/fileattr.h"

#include "sentry/cred/cred.h"
#include "sentry/task/task.h"
#include "sentry/vfs/namei.h"
#include "sentry/vfs/vfs_impl.h"
#include "syscalls/abi/lx_cap.h"
#include "syscalls/abi/lx_inotify.h"
#include "syscalls/abi/lx_stat.h"

#define IN_MEMORY \
	(LX_FS_IMMUTABLE_FL | LX_FS_APPEND_FL | LX_FS_NODUMP_FL | LX_FS_NOATIME_FL)

int inode_fileattr_get(struct inode *i, uint32_t *flags)
{
	*flags = i->fl;
	return 0;
}

int inode_fileattr_set(struct inode *i, uint32_t flags)
{
	if (flags & ~IN_MEMORY)
		return -LX_EOPNOTSUPP;
	i->fl = flags;
	inode_touch_ctime(i);
	return 0;
}

/* Special files have none anywhere. */
static bool has_flags(const struct inode *i)
{
	return i->ops->fileattr_get && (LX_S_ISREG(i->mode) || LX_S_ISDIR(i->mode));
}

int vfs_fileattr_get(const struct path *p, uint32_t *flags)
{
	struct inode *i = p->dentry->inode;

	return has_flags(i) ? i->ops->fileattr_get(i, flags) : -LX_ENOTTY;
}

int vfs_fileattr_set(struct task *t, const struct path *p, uint32_t flags, uint32_t only)
{
	struct inode *i = p->dentry->inode;
	uint32_t old;
	int err;

	if (path_readonly(p))
		return -LX_EROFS;
	if (!has_flags(i))
		return -LX_ENOTTY;
	if (!inode_owner_or_capable(t->cred, i))
		return -LX_EPERM;
	err = i->ops->fileattr_get(i, &old);
	if (err)
		return err;
	flags = (flags & only) | (old & ~only);
	if (((flags ^ old) & (LX_FS_IMMUTABLE_FL | LX_FS_APPEND_FL)) &&
	    !task_capable(t, LX_CAP_LINUX_IMMUTABLE))
		return -LX_EPERM;
	err = i->ops->fileattr_set(i, flags);
	if (!err && fsnotify_marks)
		fsnotify_dentry(p->dentry, LX_IN_ATTRIB);
	return err;
}

uint64_t vfs_attributes(const struct path *p, uint64_t *mask)
{
	const struct inode *i = p->dentry->inode;
	uint64_t a = i->attributes;

	*mask = LX_STATX_ATTR_AUTOMOUNT | LX_STATX_ATTR_MOUNT_ROOT | LX_STATX_ATTR_DAX;
	if (i->ops->fileattr_get)
		*mask |= LX_STATX_ATTR_IMMUTABLE | LX_STATX_ATTR_APPEND | LX_STATX_ATTR_NODUMP;
	*mask |= i->sb->attributes;
	a |= i->fl & LX_FS_IMMUTABLE_FL ? LX_STATX_ATTR_IMMUTABLE : 0;
	a |= i->fl & LX_FS_APPEND_FL ? LX_STATX_ATTR_APPEND : 0;
	a |= i->fl & LX_FS_NODUMP_FL ? LX_STATX_ATTR_NODUMP : 0;
	return p->dentry == p->mnt->root ? a | LX_STATX_ATTR_MOUNT_ROOT : a;
}
