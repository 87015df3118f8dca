/* The gofer file system: a mount whose files live behind a gofer connection. */
#ifndef SENTRY_FS_GOFER_GOFER_CLIENT_H
#define SENTRY_FS_GOFER_GOFER_CLIENT_H

#include <stdbool.h>

#include "sentry/vfs/vfs.h"

struct gofer_conn; /* one connected SOCK_SEQPACKET socket to a gofer */

struct gofer_conn *gofer_conn_new(int sock); /* owns sock */
void gofer_conn_get(struct gofer_conn *c);
void gofer_conn_put(struct gofer_conn *c);
/* Keep at most max donated descriptors when nobody uses them (default 4096). */
void gofer_conn_limit_fds(struct gofer_conn *c, unsigned max);

/* Another descriptor of a memory object (memfd), for reading only; fd is borrowed. A new
 * fd or -LX_E…. */
int gofer_reopen_readonly(struct gofer_conn *c, int fd);

/* Attach export `index` of the gofer (0: root, 1…: mounts in config order).
 * shared: host may change it behind our back: revalidate. readonly: refuse writes.
 * The connection's reference is taken by the superblock. */
int gofer_mount(struct kernel *k, struct gofer_conn *c, unsigned index, bool shared,
		bool readonly, struct superblock **sb, struct inode **root);
/* A new host file without a name in an export that is a filestore; dir: its root. A
 * descriptor for reading and writing that the caller owns, or -LX_E…. */
int gofer_filestore_new(struct inode *dir);
/* Is the export read-only, on the host's side too? sb: as gofer_mount() gave it. */
bool gofer_readonly(const struct superblock *sb);
#endif
