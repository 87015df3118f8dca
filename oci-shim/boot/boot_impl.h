/* Between the files of this folder. */
#ifndef OCI_SHIM_BOOT_BOOT_IMPL_H
#define OCI_SHIM_BOOT_BOOT_IMPL_H

#include "oci-shim/boot/boot.h"

struct kernel;

/* ---- mounts.c ---- */

/* The container's mounts: root, the spec's list in order, default devices, masked and
 * read-only paths. Takes over the gofer socket. 0 or -1. Without the kernel lock. */
int boot_mounts(struct kernel *k, const struct launch *l, int gofer, struct oerr *e);
/* Lets go of what the mounts' files needed. */
void boot_mounts_end(void);

/* ---- confine_host.c ---- */

/* First steps in the new namespaces: id maps, loopback, descriptor table. */
int confine_begin(const struct launch *l, struct oerr *e);
/* Empty root, no capabilities, dumpable for the sentry's own cross-process copies. */
int confine_tree(struct oerr *e);
/* The system-call filter; no turning back. */
int confine_filter(struct oerr *e);
/* Crashes and forbidden calls leave a last word in the report and the debug log. */
void confine_last_words(int report_fd);

#endif
