/* Device nodes: what is behind a device number, on whatever file system the node lies. */
#ifndef SENTRY_FS_DEV_DEV_H
#define SENTRY_FS_DEV_DEV_H

#include <stdbool.h>
#include <stdint.h>

struct file;
struct inode;
struct kernel;
struct path;
struct task;

/* Open the device rdev (KDEV) found at p; permissions are checked already. t: who opens
 * (NULL: boot); fmode, flags: of open(2). *out has one reference. -LX_ENXIO: there is no
 * such device. Kernel lock held. */
int device_open(struct kernel *k, struct task *t, uint32_t rdev, bool blockdev,
		const struct path *p, uint32_t fmode, uint32_t flags, struct file **out);

/* Put the usual nodes, links and directories of a container's /dev into an empty directory
 * that can hold them (a tmpfs): null zero full random urandom tty
 * kmsg ptmx fd stdin stdout stderr shm pts mqueue. What exists already is left. console: also
 * /dev/console. 0 or -LX_ENOMEM …. For boot. */
int dev_populate(struct kernel *k, struct inode *dir, bool console);

#endif
