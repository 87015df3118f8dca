/* Readiness of host fds (terminals, pipes, sockets given from outside): one event
 * thread with edge-triggered epoll turns it into wait-queue wake-ups. The object
 * asks the host itself (poll with no timeout) whether it really is ready. */
#ifndef SENTRY_HOSTPOLL_H
#define SENTRY_HOSTPOLL_H

#include <stdint.h>

#include "sentry/wait.h"

struct kernel;

struct hostwatch {
	int fd;			/* host fd, borrowed; -1: not watched */
	struct waitq *q;
	uint64_t id;
};

/* Watch fd (POLLIN|POLLOUT edges) and wake q under the kernel lock. Returns 0,
 * or 1 when the host cannot watch this kind of file (regular files): always ready;
 * -LX_ENOMEM, -LX_ENOSPC. Kernel lock held (or single-threaded). */
int hostpoll_watch(struct kernel *k, struct hostwatch *w, int fd, struct waitq *q);
/* No wake-up for w begins after this returns. Call before closing fd. */
void hostpoll_unwatch(struct kernel *k, struct hostwatch *w);
/* Host poll(2) of one fd without waiting: poll bits ready among events. */
uint32_t hostpoll_now(int fd, uint32_t events);

#endif
