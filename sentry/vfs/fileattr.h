/* Inode flags: chattr(1), FS_IOC_SETFLAGS and its kind. */
#ifndef SENTRY_VFS_FILEATTR_H
#define SENTRY_VFS_FILEATTR_H

#include <stdint.h>

#include "sentry/vfs/vfs.h"
#include "syscalls/abi/lx_fs_misc.h"

/* fileattr_get and fileattr_set of file systems that live in memory: the four flags of
 * tmpfs, in inode.fl; the VFS heeds them. */
int inode_fileattr_get(struct inode *i, uint32_t *flags);
int inode_fileattr_set(struct inode *i, uint32_t flags);

/* -LX_ENOTTY: there are none. */
int vfs_fileattr_get(const struct path *p, uint32_t *flags);
/* only: the flags that the caller speaks of; the others stay. */
int vfs_fileattr_set(struct task *t, const struct path *p, uint32_t flags, uint32_t only);
/* For statx(2): what the file has, and *mask: what it could have. */
uint64_t vfs_attributes(const struct path *p, uint64_t *mask);

/* Does a change have to be refused? In Linux the two are often asked for together. */
static inline bool inode_is_immutable(const struct inode *i)
{
	return i->fl & LX_FS_IMMUTABLE_FL;
}
static inline bool inode_is_append(const struct inode *i)
{
	return i->fl & LX_FS_APPEND_FL;
}
static inline bool inode_is_fixed(const struct inode *i)
{
	return i->fl & (LX_FS_IMMUTABLE_FL | LX_FS_APPEND_FL);
}

#endif
