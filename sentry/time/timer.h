/* Kernel timers: one heap behind one timerfd, served by the event thread. */
#ifndef SENTRY_TIME_TIMER_H
#define SENTRY_TIME_TIMER_H

#include <stdint.h>

struct kernel;

struct ktimer {
	uint64_t deadline;	/* CLOCK_MONOTONIC ns */
	void (*fn)(struct ktimer *tm); /* under the kernel lock; may re-arm */
	unsigned heap_idx;	/* 0: not armed */
};

void ktimer_init(struct ktimer *tm, void (*fn)(struct ktimer *));
/* (Re)arm. 0 or -LX_ENOMEM. Kernel lock held. */
int ktimer_arm(struct kernel *k, struct ktimer *tm, uint64_t mono_deadline);
void ktimer_cancel(struct kernel *k, struct ktimer *tm); /* harmless when not armed */

/* k->timers: made before confinement (one host timerfd, non-blocking). 0 or -errno. */
int timers_init(struct kernel *k);
void timers_fini(struct kernel *k);
/* The fd that becomes readable when timers_run() has something to do. */
int timers_fd(const struct kernel *k);
/* Run what has expired and arm the fd for the next. Takes the kernel lock itself. */
void timers_run(struct kernel *k);

#endif
