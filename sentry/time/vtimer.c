/* Periodic timers on wall and CPU clocks. */
#include "sentry/time/vtimer.h"

#include "sentry/kernel.h"
#include "sentry/task/task.h"

#define POLL_MIN 1000000ULL	/* 1 ms */
#define ASK_NS 200000ULL	/* a thread that was kicked has trapped by then */
#define POLL_MAX 256000000ULL	/* idle processes are looked at this often */

static int arm(struct vtimer *v)
{
	uint64_t now, wait;

	if (v->cpu_tg == NULL)
		return ktimer_arm(v->k, &v->tm, v->expires);
	now = vtimer_now(v);
	wait = v->expires > now ? v->expires - now : 0;
	if (v->cpu_task == NULL && v->cpu_tg->nlive > 1)
		wait /= v->cpu_tg->nlive;
	if (now == v->cpu_seen)
		v->poll_ns = v->poll_ns * 2 < POLL_MAX ? v->poll_ns * 2 : POLL_MAX;
	else
		v->poll_ns = POLL_MIN;
	v->cpu_seen = now;
	if (wait < v->poll_ns)
		wait = v->poll_ns;
	return ktimer_arm(v->k, &v->tm, mono_after(wait > INT64_MAX ? INT64_MAX
								     : (int64_t)wait));
}

/* A running thread's time is known only once it has trapped. */
static bool ask(struct vtimer *v)
{
	const struct clock c = { .kind = CLOCK_KIND_THREAD, .tg = v->cpu_tg, .task = v->cpu_task };

	v->asked = !v->asked && clock_refresh(&c, NULL) &&
		   ktimer_arm(v->k, &v->tm, mono_after(ASK_NS)) == 0;
	return v->asked;
}

static void expired(struct ktimer *tm)
{
	struct vtimer *v = container_of(tm, struct vtimer, tm);

	if (v->cpu_task != NULL && ask(v))
		return;
	if (vtimer_now(v) < v->expires) {
		(void)arm(v); /* room in the heap: it was just taken out */
		return;
	}
	v->armed = false;
	v->fire(v);
}

void vtimer_init(struct vtimer *v, struct kernel *k, const struct clock *cpu,
		 void (*fire)(struct vtimer *))
{
	*v = (struct vtimer){ .k = k, .fire = fire };
	if (cpu != NULL && cpu->tg != NULL) {
		v->cpu_tg = cpu->tg;
		v->cpu_task = cpu->task;
		v->user_only = cpu->user_only;
	}
	ktimer_init(&v->tm, expired);
}

uint64_t vtimer_now(const struct vtimer *v)
{
	if (v->cpu_task != NULL)
		return thread_cpu_ns(v->cpu_task, v->user_only);
	return v->cpu_tg != NULL ? tgroup_cpu_ns(v->cpu_tg, v->user_only) : ktime_mono();
}

int vtimer_set(struct vtimer *v, uint64_t expires, uint64_t interval)
{
	int err;

	v->expires = expires;
	v->interval = interval;
	v->cpu_seen = 0;
	v->poll_ns = POLL_MIN;
	err = arm(v);
	v->armed = err == 0;
	return err;
}

void vtimer_cancel(struct vtimer *v)
{
	v->armed = false;
	ktimer_cancel(v->k, &v->tm);
}

uint64_t vtimer_forward(struct vtimer *v, uint64_t not_before_ns)
{
	uint64_t now = vtimer_now(v) + not_before_ns, n = 1;

	if (now >= v->expires)
		n = (now - v->expires) / v->interval + 1;
	/* Intervals of centuries: the sum saturates, it never comes. */
	if (__builtin_add_overflow(v->expires, n * v->interval, &v->expires))
		v->expires = INT64_MAX;
	v->armed = arm(v) == 0;
	return n;
}

uint64_t vtimer_remaining(const struct vtimer *v)
{
	uint64_t now;

	if (!v->armed)
		return 0;
	now = vtimer_now(v);
	return v->expires > now ? v->expires - now : 1;
}
