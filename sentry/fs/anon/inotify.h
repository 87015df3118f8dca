/* inotify(7). fsnotify() and fsnotify_dentry(), which feed it, are in sentry/vfs/vfs.h. */
#ifndef SENTRY_FS_ANON_INOTIFY_H
#define SENTRY_FS_ANON_INOTIFY_H

#include <stdbool.h>
#include <stdint.h>

struct file;
struct dentry;
struct task;

/* A new instance, counted for the caller's effective user; *out has one reference. 0,
 * -LX_EMFILE (fs.inotify.max_user_instances), -LX_ENOMEM. inotify_init(2) */
int inotify_open(struct task *t, bool nonblock, struct file **out);
bool file_is_inotify(const struct file *f);
/* The watch descriptor, -LX_EEXIST (IN_MASK_CREATE), -LX_ENOSPC (the limit of
 * the instance's user, or of the sandbox), -LX_ENOMEM. mask is
 * checked by the caller. */
int inotify_watch(struct file *f, struct dentry *at, uint32_t mask);
/* 0 or -LX_EINVAL. */
int inotify_unwatch(struct file *f, int wd);

#endif
