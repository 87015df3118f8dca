/* Wait queues, parking, and re-running.
 *
 * A handler that cannot go on enrols its task on the queues that may change that
 * and returns task_park(). Nothing of its C stack survives. When a queue fires
 * (or the deadline passes, or a signal comes) the handler is run again from the
 * top with the same arguments; what must survive lies in t->restart. All under
 * the kernel lock, so a wake-up between the try and the enrolment cannot be lost.
 *
 *	n = pipe_read(...);
 *	if (n != -LX_EAGAIN || nonblocking)
 *		return n;
 *	task_enrol(t, &p->readers);
 *	return task_park(t, LX_ERESTARTSYS);
 */
#ifndef SENTRY_WAIT_H
#define SENTRY_WAIT_H

#include <stdbool.h>
#include <stdint.h>

#include "platform/base/list.h"

struct task;

struct waitq {
	struct list waiters; /* [kernel] struct waiter */
};

/* One enrolment. fn runs under the kernel lock from waitq_wake(); it may unlink
 * and free its own waiter, nothing else of the queue. events: what happened, as
 * poll bits (0: unspecified, treat as all). */
struct waiter {
	struct list node;
	struct waitq *q;	/* NULL when not enrolled */
	void (*fn)(struct waiter *w, uint32_t events);
	void *ctx;
};

void waitq_init(struct waitq *q);
/* Fire: call every waiter. */
void waitq_wake(struct waitq *q, uint32_t events);
/* Before a queue goes away: wake all and unlink them. */
void waitq_fini(struct waitq *q);
static inline bool waitq_active(const struct waitq *q)
{
	return !list_empty(&q->waiters);
}

void waiter_enrol(struct waitq *q, struct waiter *w,
		  void (*fn)(struct waiter *, uint32_t), void *ctx);
void waiter_leave(struct waiter *w); /* harmless when not enrolled */

/* A task's place on a queue; private to wait.c and task.h. */
struct task_waiter {
	struct waiter w;
	struct list link;	/* in task->enrolled */
	struct task *t;
};
#define TASK_INLINE_WAITERS 3

/* Enrol a task until its handler is run again or completes: any number of queues
 * (the first few without allocation). 0 or -LX_ENOMEM. */
int task_enrol(struct task *t, struct waitq *q);

/* Also run again at this time (CLOCK_MONOTONIC ns; UINT64_MAX: never). */
void task_park_until(struct task *t, uint64_t mono_ns);

/* The end of a handler that must wait. interrupted: what the call returns when a
 * signal ends the wait: LX_ERESTARTSYS, LX_ERESTARTNOHAND, LX_ERESTART_RESTARTBLOCK,
 * or LX_EINTR. Returns -LX_EPARK, or -interrupted at once when a signal is pending
 * (so that a caller with partial results can return those instead). */
long task_park(struct task *t, int interrupted);

/* Put a parked task on the ready list. Idempotent. */
void task_ready(struct task *t);

/* Leave all queues and forget the deadline: before a re-run, at a call's end. */
void task_unenrol(struct task *t);

#endif
