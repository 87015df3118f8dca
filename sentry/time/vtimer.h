/* A timer that may be periodic and may run on a process's CPU clock: what POSIX timers,
 * interval timers and timerfds are made of. Private to sentry/time. Kernel lock held. */
#ifndef SENTRY_TIME_VTIMER_H
#define SENTRY_TIME_VTIMER_H

#include <stdbool.h>
#include <stdint.h>

#include "sentry/time/clock.h"
#include "sentry/time/timer.h"

struct kernel;
struct tgroup;

/* With a CPU clock, the kernel timer polls: it comes back when the time could be over at
 * the earliest, and less and less often while the process uses no CPU. */
struct vtimer {
	struct ktimer tm;
	struct kernel *k;
	struct tgroup *cpu_tg;	/* borrowed; NULL: CLOCK_MONOTONIC */
	struct task *cpu_task;	/* borrowed; one thread of cpu_tg, or NULL: all */
	bool asked;		/* cpu_task was asked for its time */
	bool user_only;
	bool armed;		/* will fire; false once it has, until set or forwarded */
	uint64_t expires;	/* on its clock; of the last expiry when not armed */
	uint64_t interval;	/* 0: once */
	uint64_t cpu_seen, poll_ns;
	void (*fire)(struct vtimer *v);
};

/* cpu: a CPU clock, which must outlive the timer; NULL: CLOCK_MONOTONIC. */
void vtimer_init(struct vtimer *v, struct kernel *k, const struct clock *cpu,
		 void (*fire)(struct vtimer *));
uint64_t vtimer_now(const struct vtimer *v);
/* 0 or -LX_ENOMEM. expires is absolute on the timer's clock. */
int vtimer_set(struct vtimer *v, uint64_t expires, uint64_t interval);
void vtimer_cancel(struct vtimer *v);
/* Step a periodic timer that has fired to its next expiry after now, and arm it there.
 * How many expiries that passed over, the one that fired included (>= 1). not_before: a
 * least distance from now. */
uint64_t vtimer_forward(struct vtimer *v, uint64_t not_before_ns);
/* Nanoseconds until it fires; 0 when not armed; at least 1 when armed. */
uint64_t vtimer_remaining(const struct vtimer *v);

#endif
