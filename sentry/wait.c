/* Wait queues and parking. Everything here runs under the kernel lock. */
#include "sentry/wait.h"

#include <stdint.h>
#include <stdlib.h>

#include "platform/base/bug.h"
#include "sentry/kernel.h"
#include "sentry/signal/signal.h"
#include "sentry/task/task.h"

void waitq_init(struct waitq *q)
{
	list_init(&q->waiters);
}

void waitq_wake(struct waitq *q, uint32_t events)
{
	struct waiter *w, *tmp;

	list_for_each_safe(w, tmp, &q->waiters, node)
		w->fn(w, events);
}

void waitq_fini(struct waitq *q)
{
	while (!list_empty(&q->waiters)) {
		struct waiter *w = list_first(&q->waiters, struct waiter, node);

		/* Unlinked first: fn may free it. */
		list_del_init(&w->node);
		w->q = NULL;
		w->fn(w, 0);
	}
}

void waiter_enrol(struct waitq *q, struct waiter *w, void (*fn)(struct waiter *, uint32_t),
		  void *ctx)
{
	w->q = q;
	w->fn = fn;
	w->ctx = ctx;
	list_push_back(&q->waiters, &w->node);
}

void waiter_leave(struct waiter *w)
{
	if (!w->q)
		return;
	list_del_init(&w->node);
	w->q = NULL;
}

static void wake_task(struct waiter *w, uint32_t events)
{
	(void)events;
	task_ready(w->ctx);
}

int task_enrol(struct task *t, struct waitq *q)
{
	struct task_waiter *tw;

	if (t->nwaiters < TASK_INLINE_WAITERS) {
		tw = &t->waiters[t->nwaiters];
	} else {
		tw = malloc(sizeof(*tw));
		if (!tw)
			return -LX_ENOMEM;
	}
	t->nwaiters++;
	tw->t = t;
	waiter_enrol(q, &tw->w, wake_task, t);
	list_push_back(&t->enrolled, &tw->link);
	return 0;
}

static bool is_inline(const struct task *t, const struct task_waiter *tw)
{
	return tw >= t->waiters && tw < t->waiters + TASK_INLINE_WAITERS;
}

void task_unenrol(struct task *t)
{
	while (!list_empty(&t->enrolled)) {
		struct task_waiter *tw = list_first(&t->enrolled, struct task_waiter, link);

		waiter_leave(&tw->w);
		list_del_init(&tw->link);
		if (!is_inline(t, tw))
			free(tw);
	}
	t->nwaiters = 0;
	if (t->park_timer.heap_idx)
		ktimer_cancel(t->k, &t->park_timer);
}

void task_park_until(struct task *t, uint64_t mono_ns)
{
	if (mono_ns == UINT64_MAX)
		return;
	if (t->park_timer.heap_idx && t->park_timer.deadline <= mono_ns)
		return;
	/* Without memory for the heap the deadline counts as passed: the handler is run
	 * again and sees the time for itself. */
	if (ktimer_arm(t->k, &t->park_timer, mono_ns) < 0)
		t->woken = true;
}

long task_park(struct task *t, int interrupted)
{
	if (signal_pending(t))
		return -(long)interrupted;
	return -LX_EPARK;
}

void task_ready(struct task *t)
{
	/* Its handler runs, perhaps with the lock dropped: looked at when it parks. */
	if (t->in_kernel) {
		t->woken = true;
		return;
	}
	if (t->state != TASK_PARKED)
		return;
	t->state = TASK_READY;
	task_get(t);
	list_push_back(&t->k->ready, &t->ready_link);
}
