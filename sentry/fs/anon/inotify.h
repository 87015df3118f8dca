/* inotify(7). fsnotify() and fsnotify_dentry(), which feed it, are in sentry/vfs/vfs.h. */
#ifndef SENTRY_FS_ANON_INOTIFY_H
#define SENTRY_FS_ANON_INOTIFY_H

#include <stdbool.h>
#include <stdint.h>

struct file;
struct dentry;
struct kernel;

/* A new instance; *out has one reference. 0, -LX_ENOMEM. */
int inotify_open(struct kernel *k, bool nonblock, struct file **out);
bool file_is_inotify(const struct file *f);
/* The watch descriptor, -LX_EEXIST (IN_MASK_CREATE), -LX_ENOSPC, -LX_ENOMEM. mask is
 * checked by the caller. */
int inotify_watch(struct file *f, struct dentry *at, uint32_t mask);
/* 0 or -LX_EINVAL. */
int inotify_unwatch(struct file *f, int wd);

#endif
