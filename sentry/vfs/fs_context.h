/* The objects behind the newer mount calls: a file system being configured (fsopen, fspick) and
 * a tree of mounts that is in no tree yet (fsmount, open_tree). Both are files. */
#ifndef SENTRY_VFS_FS_CONTEXT_H
#define SENTRY_VFS_FS_CONTEXT_H

#include "sentry/vfs/vfs.h"

/* A context for a new file system of this type. */
int fs_context_open(struct kernel *k, const struct fs_type *type, struct file **out);
/* … for the file system at p, which must be the root of a mount. */
int fs_context_pick(struct kernel *k, const struct path *p, struct file **out);
bool fs_context_is(const struct file *f);
/* One option; value NULL: a flag. -LX_EBUSY: not the time for it. */
int fs_context_option(struct file *f, const char *key, const char *value);
/* Make the file system, or change the one that is there, as the options say. */
int fs_context_create(struct task *t, struct file *f);
int fs_context_reconfigure(struct file *f);
/* A mount of it, in no tree, with flags MNT_*: an O_PATH file. */
int fs_context_mount(struct kernel *k, struct file *f, uint32_t flags, struct file **out);

/* An O_PATH file of the tree at m, whose reference it takes over, also on failure. When it is
 * closed and the tree was hung in nowhere, that is its end. */
int mount_file_new(struct kernel *k, struct mount *m, struct file **out);

#endif
