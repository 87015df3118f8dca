/* Kernel timers: a binary heap of pointers, 1-based so that index 0 means "not armed",
 * behind one host timerfd that is armed for the earliest. */
#include "sentry/time/timer.h"

#include <stdlib.h>

#include "platform/base/bug.h"
#include "sentry/kernel.h"
#include "sentry/time/time_host.h"
#include "syscalls/abi/lx_errno.h"

#define NEVER UINT64_MAX
/* Host time is signed; later deadlines are centuries away and never come. */
#define DEADLINE_MAX ((uint64_t)INT64_MAX)
/* So many per visit, so that timers that are re-armed at once cannot keep the lock. */
#define RUN_MAX 4096

struct timers {
	int fd;
	struct ktimer **heap; /* heap[1] is the earliest */
	unsigned count, room;
	uint64_t armed; /* what fd is set to; NEVER: disarmed */
};

static void place(struct timers *ts, unsigned i, struct ktimer *tm)
{
	ts->heap[i] = tm;
	tm->heap_idx = i;
}

static void sift_up(struct timers *ts, unsigned i, struct ktimer *tm)
{
	for (; i > 1 && ts->heap[i / 2]->deadline > tm->deadline; i /= 2)
		place(ts, i, ts->heap[i / 2]);
	place(ts, i, tm);
}

static void sift_down(struct timers *ts, unsigned i, struct ktimer *tm)
{
	for (;;) {
		unsigned c = i * 2;

		if (c > ts->count)
			break;
		if (c < ts->count && ts->heap[c + 1]->deadline < ts->heap[c]->deadline)
			c++;
		if (ts->heap[c]->deadline >= tm->deadline)
			break;
		place(ts, i, ts->heap[c]);
		i = c;
	}
	place(ts, i, tm);
}

static void heap_remove(struct timers *ts, struct ktimer *tm)
{
	unsigned i = tm->heap_idx;
	struct ktimer *last = ts->heap[ts->count--];

	tm->heap_idx = 0;
	if (last == tm)
		return;
	if (i > 1 && ts->heap[i / 2]->deadline > last->deadline)
		sift_up(ts, i, last);
	else
		sift_down(ts, i, last);
}

static int heap_reserve(struct timers *ts)
{
	unsigned room = ts->room != 0 ? ts->room * 2 : 64;
	struct ktimer **heap;

	if (ts->count + 1 < ts->room)
		return 0;
	heap = realloc(ts->heap, room * sizeof(heap[0]));
	if (heap == NULL)
		return -LX_ENOMEM;
	ts->heap = heap;
	ts->room = room;
	return 0;
}

/* A later earliest is left to the next visit: the spurious wake-up re-arms. */
static void arm_host(struct timers *ts, bool even_later)
{
	uint64_t next = ts->count != 0 ? ts->heap[1]->deadline : NEVER;

	if (next == ts->armed || (next > ts->armed && !even_later))
		return;
	ts->armed = next;
	/* 0 would disarm; 1 ns after boot is in the past as well. */
	host_timer_set(ts->fd, next == NEVER ? 0 : next != 0 ? next : 1);
}

void ktimer_init(struct ktimer *tm, void (*fn)(struct ktimer *))
{
	tm->deadline = NEVER;
	tm->fn = fn;
	tm->heap_idx = 0;
}

int ktimer_arm(struct kernel *k, struct ktimer *tm, uint64_t mono_deadline)
{
	struct timers *ts = k->timers;
	int err;

	if (tm->heap_idx != 0)
		heap_remove(ts, tm);
	tm->deadline = mono_deadline;
	if (mono_deadline > DEADLINE_MAX)
		return 0;
	err = heap_reserve(ts);
	if (err)
		return err;
	sift_up(ts, ++ts->count, tm);
	arm_host(ts, false);
	return 0;
}

void ktimer_cancel(struct kernel *k, struct ktimer *tm)
{
	if (tm->heap_idx != 0)
		heap_remove(k->timers, tm);
}

int timers_init(struct kernel *k)
{
	struct timers *ts = calloc(1, sizeof(*ts));

	if (ts == NULL)
		return -LX_ENOMEM;
	host_timex_init();
	ts->armed = NEVER;
	ts->fd = host_timer_new();
	if (ts->fd < 0) {
		int err = ts->fd;

		free(ts);
		return err;
	}
	k->timers = ts;
	return 0;
}

void timers_fini(struct kernel *k)
{
	struct timers *ts = k->timers;

	if (ts == NULL)
		return;
	host_timer_free(ts->fd);
	free(ts->heap);
	free(ts);
	k->timers = NULL;
}

int timers_fd(const struct kernel *k)
{
	return k->timers->fd;
}

void timers_run(struct kernel *k)
{
	struct timers *ts = k->timers;
	unsigned budget = RUN_MAX;
	uint64_t now;

	host_timer_drain(ts->fd);
	kernel_lock(k);
	now = ktime_mono();
	ts->armed = 0; /* no host call while they run */
	while (ts->count != 0 && ts->heap[1]->deadline <= now && budget-- != 0) {
		struct ktimer *tm = ts->heap[1];

		heap_remove(ts, tm);
		tm->fn(tm);
	}
	ts->armed = NEVER; /* a timerfd that fired is disarmed */
	arm_host(ts, true);
	kernel_unlock(k);
}
