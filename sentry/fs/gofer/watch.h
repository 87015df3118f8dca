/* inotify of host-side changes: watch.c. */
#ifndef SENTRY_FS_GOFER_WATCH_H
#define SENTRY_FS_GOFER_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "syscalls/abi/lx_inotify.h"

struct dentry;
struct gofer_conn;
struct inode;

/* inode_ops.watch of shared mounts. */
void gofer_watch(struct inode *i, const struct dentry *at, bool on);
/* Around each change of our own, with the kernel lock held throughout. mask: the events it
 * makes; a, b: the names in them (both NULL: any). */
void gofer_watch_before(struct gofer_conn *c);
void gofer_watch_after(struct gofer_conn *c, uint32_t mask, const char *a, const char *b);
/* The last descriptor for writing at d's file was closed here. */
void gofer_watch_closed(struct gofer_conn *c, const struct dentry *d);
/* Around a write without the kernel lock. */
void gofer_watch_writing(struct gofer_conn *c, bool begins);
void gofer_watch_fini(struct gofer_conn *c);

#endif
