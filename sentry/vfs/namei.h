/* Calls that make, remove and change names and attributes, for the call layer. All under
 * the kernel lock; 0 or -LX_E…; names are guest paths already copied in. */
#ifndef SENTRY_VFS_NAMEI_H
#define SENTRY_VFS_NAMEI_H

#include "sentry/vfs/vfs.h"

int vfs_mkdir(struct task *t, int dfd, const char *name, uint32_t mode);
/* mode with S_IFMT; rdev: KDEV. */
/* The part of mknod(2) that comes before the name is looked at: -LX_EPERM, -LX_EINVAL. */
int vfs_mknod_check(uint32_t mode);
/* The same of open(2): which flags go together. */
int vfs_open_check(uint32_t flags, uint64_t resolve);
int vfs_mknod(struct task *t, int dfd, const char *name, uint32_t mode, uint32_t rdev);
int vfs_symlink(struct task *t, const char *target, int dfd, const char *name);
/* at_flags: LX_AT_SYMLINK_FOLLOW, LX_AT_EMPTY_PATH. */
int vfs_link(struct task *t, int odfd, const char *oname, int ndfd, const char *nname,
	     uint32_t at_flags);
int vfs_unlink(struct task *t, int dfd, const char *name);
int vfs_rmdir(struct task *t, int dfd, const char *name);
int vfs_rename(struct task *t, int odfd, const char *oname, int ndfd, const char *nname,
	       uint32_t flags);

/* Attributes of what p names; p is borrowed. */
int vfs_chmod(struct task *t, const struct path *p, uint32_t mode);
int vfs_chown(struct task *t, const struct path *p, uint32_t uid, uint32_t gid);
/* f NULL: truncate(2) with its permission check; else the open file. */
/* c owns i or may act as its owner (CAP_FOWNER). */
bool inode_owner_or_capable(const struct cred *c, const struct inode *i);
int vfs_truncate(struct task *t, const struct path *p, struct file *f, int64_t size);
/* times NULL: now for both. */
struct vfs_times {
	struct ktime64 atime, mtime;
	bool set_atime, set_mtime;	/* false: leave (UTIME_OMIT) */
	bool atime_now, mtime_now;	/* UTIME_NOW */
	bool invalid;			/* nanoseconds out of range: EINVAL, once the file is found */
};
int vfs_utimes(struct task *t, const struct path *p, const struct vfs_times *times);
/* access(2): mask of MAY_*; real ids unless eaccess. */
int vfs_access(struct task *t, const struct path *p, unsigned mask, bool eaccess);
int vfs_readlink(struct task *t, const struct path *p, char *buf, size_t size);
int vfs_statfs(const struct path *p, struct lx_statfs *out);

/* Extended attributes. name is terminated and at most 255 bytes. size 0 asks for the size. */
int64_t vfs_getxattr(struct task *t, const struct path *p, const char *name, void *buf,
		     size_t size);
int vfs_setxattr(struct task *t, const struct path *p, const char *name, const void *val,
		 size_t size, uint32_t flags);
int64_t vfs_listxattr(struct task *t, const struct path *p, char *buf, size_t size);
int vfs_removexattr(struct task *t, const struct path *p, const char *name);

#endif
