/* timerfd objects (timerfd_create(2)). Kernel lock held. */
#ifndef SENTRY_TIME_TIMERFD_H
#define SENTRY_TIME_TIMERFD_H

#include <stdint.h>

struct file;
struct task;

/* A new file; one reference. clockid: any; -LX_EINVAL, -LX_EPERM (alarm clocks without
 * CAP_WAKE_ALARM), -LX_ENOMEM. flags: file status flags. */
int timerfd_open(struct task *t, int clockid, uint32_t flags, struct file **out);
/* Times in ns, 0 disarms; tfd_flags: LX_TFD_TIMER_*. -LX_EINVAL: f is something else. */
int timerfd_set(struct file *f, uint32_t tfd_flags, int64_t value, int64_t interval,
		uint64_t *old_value, uint64_t *old_interval);
int timerfd_get(struct file *f, uint64_t *value, uint64_t *interval);

#endif
