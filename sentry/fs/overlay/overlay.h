/* Overlay: a read-only lower tree under a writable upper one in sentry memory
 * or in files of the host, with copy-up on first change, whiteouts and opaque directories. */
#ifndef SENTRY_FS_OVERLAY_OVERLAY_H
#define SENTRY_FS_OVERLAY_OVERLAY_H

#include "sentry/vfs/vfs.h"

/* Where the upper layer's contents are kept. */
struct ovl_store {
	struct inode *filestore; /* the root of a gofer's filestore; NULL: memory. The overlay
				  * takes a reference of its own */
	uint64_t size;		/* bytes at most; 0: no limit */
};

/* lower: root inode of the lower file system; the overlay takes a reference of its own.
 * The upper layer is fresh; names and attributes are memory, contents are where store (NULL:
 * memory, no limit) says. *sb and *root have one reference each.
 * 0 or -LX_ENOMEM. */
int overlay_mount_fresh(struct kernel *k, struct inode *lower, const struct ovl_store *store,
			struct superblock **sb, struct inode **root);
#endif
