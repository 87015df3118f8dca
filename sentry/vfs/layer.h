/* Work on the names of another file system, for one that is stacked upon it: without
 * permission checks, with the cache and the watches of that file system kept true. All under
 * the kernel lock; 0 or -LX_E…. Dentries are borrowed unless said otherwise. */
#ifndef SENTRY_VFS_LAYER_H
#define SENTRY_VFS_LAYER_H

#include "sentry/vfs/vfs.h"

/* The entry `name` of dir: counted and positive, or -LX_ENOENT …. */
int layer_lookup(struct dentry *dir, const char *name, struct dentry **out);

struct layer_new {
	uint32_t mode;		/* with the type */
	uint32_t rdev, uid, gid;
	const char *target;	/* of a symlink */
};
/* A new object; *out is counted. */
int layer_make(const struct path *dir, const char *name, const struct layer_new *n,
	       struct dentry **out);
/* Another name for target; *out is counted. */
int layer_link(const struct path *dir, const char *name, struct inode *target,
	       struct dentry **out);
/* unlink or rmdir, whatever d is. */
int layer_remove(struct dentry *d);
/* victim: what the new name stands for now, or NULL. flags: LX_RENAME_*. */
int layer_rename(struct dentry *old, struct dentry *ndir, const char *nname,
		 struct dentry *victim, uint32_t flags);
int layer_setattr(struct dentry *d, const struct iattr *a);
/* Open a regular file or a directory; the file is not counted as a writer. */
int layer_open(const struct path *p, uint32_t fmode, uint32_t flags, struct file **out);
/* A file opened for reading in a lower layer, shown under path: reads, seeks and mappings go
 * to `real` (reference taken over, also on failure) until renew() gives another file, as it
 * does once the object has changed. renew: NULL while there is none; else a reference. */
int layer_follow(const struct path *path, uint32_t fmode, uint32_t flags, struct file *real,
		 struct file *(*renew)(struct file *f, const struct file *real),
		 struct file **out);
/* A mount like p's whose root is p, in no tree and with no peers: what a layer is kept by.
 * One reference. NULL: no memory. */
struct mount *layer_mount(const struct path *p, uint32_t flags);
/* Is d below top, or top itself? */
bool layer_is_below(const struct dentry *d, const struct dentry *top);

#endif
