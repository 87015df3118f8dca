/* epoll(7): interest lists whose ready list is fed by wait-queue callbacks. All under
 * the kernel lock. */
#ifndef SENTRY_FS_ANON_EPOLL_H
#define SENTRY_FS_ANON_EPOLL_H

#include <stdbool.h>
#include <stdint.h>

#include "sentry/vfs/vfs.h"
#include "syscalls/abi/lx_epoll.h"
#include "syscalls/abi/lx_poll.h"

/* A new epoll file, one reference. 0, -LX_ENOMEM. */
int epoll_open(struct kernel *k, struct file **out);
bool file_is_epoll(const struct file *f);

/* epoll_ctl(2) with ef an epoll file and f the file behind fd. ev is not used for DEL. */
int epoll_control(struct file *ef, int op, int fd, struct file *f, const struct lx_epoll_event *ev);

/* Take up to max ready events for epoll_wait(2). Returns their number. What was taken is
 * in limbo until epoll_commit(): ok says whether the guest got it (level-triggered entries
 * queue up again, one-shot ones rest) or not (everything as before). ef must be kept. */
int epoll_harvest(struct file *ef, struct lx_epoll_event *ev, int max);
void epoll_commit(struct file *ef, bool ok);
/* Cheap: is anything on the ready list (it may turn out not to be ready)? */
bool epoll_maybe_ready(const struct file *ef);
/* Fired when something gets ready. */
struct waitq *epoll_waitq(struct file *ef);

/* The VFS's last file_put() of any file: drop it from all interest lists. */
void epoll_file_released(struct file *f);

/* Readiness of any file; pc may be NULL. */
static inline uint32_t file_poll(struct file *f, struct poll_ctx *pc)
{
	return f->ops->poll != NULL ? f->ops->poll(f, pc) : LX_POLL_DEFAULT;
}

#endif
