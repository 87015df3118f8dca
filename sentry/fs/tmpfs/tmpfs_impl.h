/* Shared by the files of tmpfs. */
#ifndef SENTRY_FS_TMPFS_TMPFS_IMPL_H
#define SENTRY_FS_TMPFS_TMPFS_IMPL_H

#include "sentry/fs/tmpfs/dirtab.h"
#include "sentry/fs/tmpfs/memfile.h"
#include "sentry/fs/tmpfs/tmpfs.h"
#include "sentry/vfs/simple_xattr.h"
#include "syscalls/abi/lx_fcntl.h"
#include "syscalls/abi/lx_stat.h"

#define TMPFS_DIRENT_SIZE 20 /* what an entry adds to a directory's size, as on Linux */

struct tmpfs_sb {
	struct memquota q;
	uint32_t mode, uid, gid; /* of the root when it was made, for mountinfo */
};

struct tmpfs_inode {
	struct inode vfs;
	struct simple_xattrs xattrs;
	union {
		struct memfile file;
		struct dirtab dir;
		char *target;
	};
};

static inline struct tmpfs_inode *tmpfs_i(struct inode *i)
{
	return container_of(i, struct tmpfs_inode, vfs);
}
static inline struct tmpfs_sb *tmpfs_s(struct superblock *sb)
{
	return sb->priv;
}

/* A new inode with one reference, charged to the file system. -LX_ENOSPC, -LX_ENOMEM. */
int tmpfs_inode_new(struct superblock *sb, uint32_t mode, uint32_t uid, uint32_t gid,
		    struct inode **out);

extern const struct inode_ops tmpfs_inode_ops;
extern const struct file_ops tmpfs_dir_ops;

#endif
