/* Wait queues and parking: sentry/wait.c with the rest of the kernel faked. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "sentry/kernel.h"
#include "sentry/task/task.h"
#include "sentry/wait.h"

/* ---- the world around ---- */

static struct kernel k;
static bool pending, arm_fails;
static uint64_t armed_for;
static int refs;

void task_get(struct task *t)
{
	(void)t;
	refs++;
}

bool signal_pending(const struct task *t)
{
	(void)t;
	return pending;
}

int ktimer_arm(struct kernel *kk, struct ktimer *tm, uint64_t deadline)
{
	(void)kk;
	if (arm_fails)
		return -LX_ENOMEM;
	tm->deadline = armed_for = deadline;
	tm->heap_idx = 1;
	return 0;
}

void ktimer_cancel(struct kernel *kk, struct ktimer *tm)
{
	(void)kk;
	tm->heap_idx = 0;
	armed_for = 0;
}

static struct task *new_task(void)
{
	struct task *t = calloc(1, sizeof(*t));

	list_init(&k.ready);
	list_init(&t->enrolled);
	list_init(&t->ready_link);
	t->k = &k;
	t->state = TASK_PARKED;
	pending = arm_fails = false;
	armed_for = 0;
	refs = 0;
	return t;
}

/* ---- queues ---- */

static int fired;
static uint32_t last_events;

static void count_fn(struct waiter *w, uint32_t events)
{
	(void)w;
	fired++;
	last_events = events;
}

static void leave_fn(struct waiter *w, uint32_t events)
{
	(void)events;
	fired++;
	waiter_leave(w);
}

Test(waitq, wake_calls_every_waiter_each_time)
{
	struct waiter a = { .q = NULL }, b = { .q = NULL };
	struct waitq q;

	waitq_init(&q);
	cr_assert(!waitq_active(&q));
	waiter_enrol(&q, &a, count_fn, NULL);
	waiter_enrol(&q, &b, leave_fn, NULL);
	fired = 0;
	waitq_wake(&q, 5);
	cr_assert_eq(fired, 2);
	cr_assert_eq(last_events, 5);
	waitq_wake(&q, 1);
	cr_assert_eq(fired, 3, "the one that left is not called again");
	waiter_leave(&a);
	waiter_leave(&a);
	cr_assert(!waitq_active(&q));
}

static void free_fn(struct waiter *w, uint32_t events)
{
	(void)events;
	fired++;
	free(w);
}

Test(waitq, fini_wakes_and_unlinks)
{
	struct waiter *w = calloc(1, sizeof(*w)), b = { .q = NULL };
	struct waitq q;

	waitq_init(&q);
	waiter_enrol(&q, w, free_fn, NULL);
	waiter_enrol(&q, &b, count_fn, NULL);
	fired = 0;
	waitq_fini(&q);
	cr_assert_eq(fired, 2);
	cr_assert(!waitq_active(&q));
	cr_assert_null(b.q);
}

/* ---- tasks ---- */

Test(task_wait, more_enrolments_than_fit_inline)
{
	struct task *t = new_task();
	struct waitq q[TASK_INLINE_WAITERS + 5];
	unsigned n = TASK_INLINE_WAITERS + 5;

	for (unsigned i = 0; i < n; i++) {
		waitq_init(&q[i]);
		cr_assert_eq(task_enrol(t, &q[i]), 0);
	}
	waitq_wake(&q[n - 1], 0);
	cr_assert_eq(t->state, TASK_READY);
	task_unenrol(t);
	for (unsigned i = 0; i < n; i++)
		cr_assert(!waitq_active(&q[i]));
	cr_assert_eq(t->nwaiters, 0);
	free(t);
}

Test(task_wait, ready_only_once_and_with_a_reference)
{
	struct task *t = new_task();

	task_ready(t);
	task_ready(t);
	cr_assert_eq(t->state, TASK_READY);
	cr_assert_eq(refs, 1);
	cr_assert_eq(k.ready.next, &t->ready_link);
	cr_assert_eq(k.ready.prev, &t->ready_link);
	free(t);
}

Test(task_wait, running_task_is_not_made_ready)
{
	struct task *t = new_task();

	t->state = TASK_RUNNING;
	task_ready(t);
	cr_assert_eq(t->state, TASK_RUNNING);
	cr_assert(list_empty(&k.ready));
	free(t);
}

Test(task_wait, wake_during_the_handler_is_remembered)
{
	struct task *t = new_task();
	struct waitq q;

	waitq_init(&q);
	t->state = TASK_RUNNING;
	t->in_kernel = true;
	cr_assert_eq(task_enrol(t, &q), 0);
	waitq_wake(&q, 0);
	cr_assert(t->woken);
	cr_assert(list_empty(&k.ready));
	task_unenrol(t);
	free(t);
}

Test(task_wait, park_gives_way_to_signals)
{
	struct task *t = new_task();

	cr_assert_eq(task_park(t, LX_ERESTARTSYS), -LX_EPARK);
	pending = true;
	cr_assert_eq(task_park(t, LX_ERESTARTSYS), -LX_ERESTARTSYS);
	cr_assert_eq(task_park(t, LX_EINTR), -LX_EINTR);
	free(t);
}

Test(task_wait, the_earliest_deadline_counts)
{
	struct task *t = new_task();

	task_park_until(t, UINT64_MAX);
	cr_assert_eq(armed_for, 0);
	task_park_until(t, 500);
	task_park_until(t, 900);
	cr_assert_eq(armed_for, 500);
	task_park_until(t, 100);
	cr_assert_eq(armed_for, 100);
	task_unenrol(t);
	cr_assert_eq(t->park_timer.heap_idx, 0);
	arm_fails = true;
	task_park_until(t, 100);
	cr_assert(t->woken, "without a timer the handler looks again at once");
	free(t);
}
