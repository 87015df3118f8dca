/* The guest's clocks, and relative timeouts of calls that may park. Kernel lock held. */
#ifndef SENTRY_TIME_CLOCK_H
#define SENTRY_TIME_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "syscalls/abi/lx_time.h"
#include "syscalls/abi/lx_types.h"

struct task;
struct tgroup;

enum clock_kind {
	CLOCK_KIND_WALL,   /* runs on its own; a host clock */
	CLOCK_KIND_COARSE, /* the same in ticks, or raw: to be read only */
	CLOCK_KIND_PROCESS,/* CPU time of *out_tg */
	CLOCK_KIND_THREAD, /* CPU time of a thread of the caller's process */
};

struct clock {
	enum clock_kind kind;
	int id;			/* host clock of WALL and COARSE */
	bool user_only;		/* CPU clocks: without system time */
	bool ticks;		/* CPU clocks: user time or both, counted in ticks */
	bool alarm;		/* would wake a sleeping machine */
	struct tgroup *tg;	/* CPU clocks: one reference */
	struct task *task;	/* THREAD: one reference */
};

/* Find a clock by guest id. 0 or -LX_EINVAL. Undo with clock_fini(). */
int clock_init(struct clock *c, struct task *t, int clockid);
void clock_fini(struct clock *c);
/* Now, in nanoseconds. */
int64_t clock_now(const struct clock *c);
int64_t clock_resolution(const struct clock *c);
/* When (CLOCK_MONOTONIC) will a wall clock show this time? */
uint64_t clock_to_mono(const struct clock *c, int64_t abs_ns);

/* Is the clock that of another thread, which runs guest code right now? Then it is asked
 * for its time, and clock_now() is more exact in a moment. */
bool clock_refresh(const struct clock *c, const struct task *caller);
/* The number by which a thread itself asks the host for this clock; for PLAT_CMD_CLOCK. */
uint64_t clock_own_id(const struct clock *c);

/* CPU time used by a process in ns. */
uint64_t tgroup_cpu_ns(struct tgroup *tg, bool user_only);
uint64_t thread_cpu_ns(struct task *t, bool user_only); /* see task_cpu_ns() */

bool timespec_valid(const struct lx_timespec *ts); /* not negative, nsec < 10^9 */
int64_t timespec_ns(const struct lx_timespec *ts); /* saturates; ts is valid */
struct lx_timespec ns_timespec(int64_t ns);
struct lx_timeval ns_timeval(int64_t ns);
/* now + delta, no later than the end of time */
uint64_t mono_after(int64_t delta_ns);

/* A relative timeout in guest memory (struct timespec; NULL: none): on the call's first
 * run it becomes t->restart.deadline. 0, -LX_EFAULT or -LX_EINVAL. */
int timeout_start(struct task *t, struct uaddr timespec);
/* The same for a number of nanoseconds. */
void timeout_start_ns(struct task *t, int64_t ns);
/* An absolute timeout on a clock, likewise. */
int deadline_start(struct task *t, struct uaddr timespec, int clockid);
bool timeout_passed(const struct task *t);

#endif
