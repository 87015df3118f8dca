/* The event thread, for sentry/kernel.c. */
#ifndef SENTRY_HOSTPOLL_IMPL_H
#define SENTRY_HOSTPOLL_IMPL_H

#include "sentry/hostpoll.h"

/* Sets k->hostpoll; makes no thread. 0 or -errno. */
int hostpoll_init(struct kernel *k);
/* Begin to serve host fds and timers. 0 or -errno. */
int hostpoll_start(struct kernel *k);
/* End and join the event thread. Harmless when it does not run. Without the kernel lock. */
void hostpoll_stop(struct kernel *k);
void hostpoll_fini(struct kernel *k);
/* Have the event thread take and drop the kernel lock, which runs the ready tasks. */
void hostpoll_kick(struct kernel *k);

#endif
