/* Linux AIO contexts. Reads and writes are carried out as they are submitted; only polls
 * are under way for longer. All under the kernel lock. */
#ifndef SENTRY_FS_ANON_AIO_H
#define SENTRY_FS_ANON_AIO_H

#include <stdbool.h>
#include <stdint.h>

#include "sentry/wait.h"
#include "syscalls/abi/lx_aio.h"
#include "syscalls/abi/lx_types.h"

struct aio_ctx;
struct file;
struct mm;
struct task;

/* A context for max requests and its ring, mapped by t->batch. *id: the ring's address.
 * 0, -LX_EINVAL, -LX_EAGAIN (aio-max-nr), -LX_ENOMEM. */
int aio_setup(struct task *t, uint32_t max, uint64_t *id);
/* The caller's context, borrowed; NULL: there is none. Also lets go of what completed
 * requests held. */
struct aio_ctx *aio_find(struct task *t, uint64_t id);
/* End it: polls are dropped, the ring is unmapped. */
void aio_destroy(struct task *t, struct aio_ctx *c);
/* The map is going away, and with it all its contexts. */
void aio_mm_release(struct mm *mm);

/* How many requests one io_submit may bring. */
uint32_t aio_capacity(const struct aio_ctx *c);
/* Is there room in the ring for another completion? */
bool aio_may_submit(struct aio_ctx *c);
/* A request is done: an event into the ring; eventfd (may be NULL) is told. */
void aio_complete(struct aio_ctx *c, struct file *eventfd, const struct lx_iocb *cb,
		  uint64_t obj, int64_t res);
/* IOCB_CMD_POLL: completes now or when one of the events comes. References are taken.
 * 0 or -LX_ENOMEM. */
int aio_poll(struct aio_ctx *c, struct file *f, struct file *eventfd, const struct lx_iocb *cb,
	     uint64_t obj, uint32_t events);
/* io_cancel(2): -LX_EINPROGRESS, or -LX_EINVAL when obj is not under way. */
int aio_cancel(struct aio_ctx *c, uint64_t obj);

/* Move up to max events to the guest: their number or -LX_EFAULT. */
long aio_take(struct task *t, struct aio_ctx *c, struct uaddr to, long max);
struct waitq *aio_waitq(struct aio_ctx *c);
/* /proc/sys/fs/aio-nr */
uint64_t aio_nr(void);

#endif
