/* The requests of ioctl(2) that are about inode flags. */
#ifndef SYSCALLS_FILEATTR_H
#define SYSCALLS_FILEATTR_H

#include "sentry/mm/usercopy.h"

struct file;
struct task;

/* cmd: one of LX_FS_IOC_*. */
long fileattr_ioctl(struct task *t, struct file *f, uint32_t cmd, struct uaddr arg);

#endif
