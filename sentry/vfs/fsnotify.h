/* Events for inotify, between the VFS and sentry/fs/anon/inotify.c. */
#ifndef SENTRY_VFS_FSNOTIFY_H
#define SENTRY_VFS_FSNOTIFY_H

#include "sentry/vfs/vfs.h"

/* The last name and the last user are gone: IN_DELETE_SELF and IN_IGNORED. */
void fsnotify_inode_gone(struct inode *i);
void fsnotify_file(struct file *f, uint32_t mask);
extern unsigned fsnotify_marks; /* 0: nobody listens */

#endif
