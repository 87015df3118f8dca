/* signalfd(2): pending signals of the reading process as a file. */
#ifndef SENTRY_SIGNAL_SIGNALFD_H
#define SENTRY_SIGNAL_SIGNALFD_H

#include <stdbool.h>

#include "sentry/signal/signal.h"

struct file;

/* A new file for these signals (KILL and STOP are left out); one reference. flags: file
 * status flags (O_NONBLOCK). 0 or -LX_ENOMEM. */
int signalfd_open(struct task *t, sigset64 set, uint32_t flags, struct file **out);
/* Change the set. -LX_EINVAL when f is something else. */
int signalfd_set(struct file *f, sigset64 set);

#endif
