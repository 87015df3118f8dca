/* tmpfs: a file system in the sentry's memory. */
#ifndef SENTRY_FS_TMPFS_TMPFS_H
#define SENTRY_FS_TMPFS_TMPFS_H

#include "sentry/vfs/vfs.h"

/* A new file system; options as of mount(8): size=, nr_blocks=, nr_inodes=, mode=, uid=,
 * gid= (NULL: none). *sb and *root have one reference each. 0, -LX_EINVAL, -LX_ENOMEM. */
int tmpfs_new(struct kernel *k, const char *options, struct superblock **sb,
	      struct inode **root);
/* What size= is when not given, in 4 KiB pages (0: no limit). Boot sets half of the
 * memory that the sandbox may use. */
void tmpfs_set_default_pages(uint64_t pages);

/* memfd_create(2): an unlinked file "/memfd:name (deleted)", open for reading and
 * writing. seals: LX_F_SEAL_* set from the start (LX_F_SEAL_SEAL unless
 * MFD_ALLOW_SEALING). mode: 0777 or, for MFD_NOEXEC_SEAL, 0666. */
int tmpfs_memfd(struct task *t, const char *name, uint32_t seals, uint32_t mode,
		struct file **out);

#endif
