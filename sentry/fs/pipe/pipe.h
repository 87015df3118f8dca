/* Pipes and FIFOs (pipe(7), fifo(7)). The state hangs on inode->pipe and lives as long
 * as an end is open. All under the kernel lock. */
#ifndef SENTRY_FS_PIPE_PIPE_H
#define SENTRY_FS_PIPE_PIPE_H

#include <stdbool.h>
#include <stdint.h>

struct file;
struct inode;
struct kernel;
struct path;
struct task;

/* pipe2(2): ends[0] reads, ends[1] writes; one reference each. flags: LX_O_NONBLOCK,
 * LX_O_DIRECT. 0, -LX_ENOMEM, -LX_ENFILE. */
int pipe_new(struct kernel *k, uint32_t flags, struct file *ends[2]);

/* Open a FIFO (an S_IFIFO inode, also that of a pipe) found at p, permissions already
 * checked. fmode: FMODE_READ and FMODE_WRITE; flags: of open(2). *out has one reference.
 * Waits for the other side as open(2) does: -LX_EPARK, then run again; uses t->restart.ptr.
 * -LX_ENXIO: nonblocking writer without a reader. -LX_ERESTARTSYS, -LX_ENOMEM. t NULL:
 * never waits. */
int fifo_open(struct inode *i, const struct path *p, uint32_t fmode, uint32_t flags,
	      struct task *t, struct file **out);

/* Is it an end of a pipe? (fcntl, splice) */
bool file_is_pipe(const struct file *f);

/* F_GETPIPE_SZ: bytes, or -LX_EBADF when f is no pipe. */
long pipe_get_size(const struct file *f);
/* F_SETPIPE_SZ: the new size in bytes; -LX_EBADF, -LX_EINVAL, -LX_EPERM (above 1 MiB),
 * -LX_EBUSY, -LX_ENOMEM. */
long pipe_set_size(struct file *f, uint64_t size);

/* Bytes that a read would find now (FIONREAD). */
uint64_t pipe_readable(const struct file *f);

/* The SIGPIPE that goes with -LX_EPIPE, sent as Linux does (SI_USER from the task itself).
 * t may be NULL: nothing. */
void task_sigpipe(struct task *t);

#endif
