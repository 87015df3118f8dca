/* POSIX message queues (mq_overview(7)): one file system per sandbox, whose files are the
 * queues; mq_open(2) works on it whether it is mounted or not. Kernel lock held
 * throughout. The file system's type is mqueue_type (sentry/vfs/vfs.h). */
#ifndef SENTRY_IPC_MQUEUE_H
#define SENTRY_IPC_MQUEUE_H

#include <stdint.h>

#include "syscalls/abi/lx_mqueue.h"
#include "syscalls/abi/lx_types.h"

struct file;
struct ipc_ns;
struct lx_sigevent;
struct task;

/* flags: LX_O_*; attr: of a new queue, NULL: the defaults. 0 with *out (one reference), or
 * -LX_E… as mq_open(2). */
int mqueue_open(struct task *t, const char *name, uint32_t flags, uint32_t mode,
		const struct lx_mq_attr *attr, struct file **out);
int mqueue_unlink(struct task *t, const char *name);

/* The calls on a descriptor: results as for the guest. Deadlines are in t->restart; a
 * re-run of mqueue_send and mqueue_receive only needs t and where results go. */
long mqueue_send(struct task *t, int fd, struct uaddr text, uint64_t len, uint32_t prio);
long mqueue_receive(struct task *t, int fd, struct uaddr text, uint64_t len, struct uaddr prio);
/* ev: NULL to give up one's registration. */
long mqueue_notify(struct task *t, int fd, const struct lx_sigevent *ev);
/* new: NULL to look only. */
long mqueue_getset(struct task *t, int fd, const struct lx_mq_attr *new, struct lx_mq_attr *old);

void mqueue_fini(struct ipc_ns *ns);

#endif
