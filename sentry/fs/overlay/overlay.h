/* Overlay: a read-only lower tree under a writable upper one in sentry memory
 * (tmpfs), with copy-up on first change, whiteouts and opaque directories. */
#ifndef SENTRY_FS_OVERLAY_OVERLAY_H
#define SENTRY_FS_OVERLAY_OVERLAY_H

#include "sentry/vfs/vfs.h"

/* lower: root inode of the lower file system; the overlay takes a reference of its own.
 * The upper layer is fresh memory. *sb and *root have one reference each.
 * 0 or -LX_ENOMEM. */
int overlay_mount_memory(struct kernel *k, struct inode *lower, struct superblock **sb,
			 struct inode **root);
#endif
