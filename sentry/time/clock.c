/* Clocks by guest id. Wall clocks are the host's, so that the host's vDSO, which guests
 * read them through, agrees. CPU clocks come from the platform. */
#include "sentry/time/clock.h"

#include <string.h>

#include "sentry/kernel.h"
#include "sentry/mm/usercopy.h"
#include "sentry/task/task.h"
#include "sentry/time/time_host.h"

#define COARSE_RESOLUTION 4000000 /* CONFIG_HZ=250 */

uint64_t tgroup_cpu_ns(struct tgroup *tg, bool user_only)
{
	uint64_t user_ns = 0, sys_ns = 0;

	if (!user_only)
		return tgroup_cputime_total(tg);
	tgroup_cputime(tg, &user_ns, &sys_ns);
	return user_ns;
}

uint64_t thread_cpu_ns(struct task *t, bool user_only)
{
	uint64_t total = task_cpu_ns(t), user, sys;

	if (!user_only)
		return total;
	/* Divided as the process's is. */
	tgroup_cputime(t->tg, &user, &sys);
	return user + sys != 0 ? (uint64_t)((__uint128_t)total * user / (user + sys)) : total;
}

/* ~pid << 3 | thread << 2 | kind; pid 0 is the caller. */
static int cpu_clock_init(struct clock *c, struct task *t, int clockid)
{
	int pid = ~(clockid >> 3), kind = clockid & LX_CPUCLOCK_KIND_MASK;
	bool thread = (clockid & LX_CPUCLOCK_THREAD) != 0;

	if (kind > LX_CPUCLOCK_SCHED)
		return -LX_EINVAL;
	c->kind = thread ? CLOCK_KIND_THREAD : CLOCK_KIND_PROCESS;
	c->user_only = kind == LX_CPUCLOCK_VIRT;
	c->ticks = kind != LX_CPUCLOCK_SCHED;
	if (thread) {
		c->task = pid != 0 ? task_lookup(t->k, pid) : t;
		if (c->task == NULL)
			return -LX_EINVAL;
		if (pid == 0)
			task_get(t);
		if (c->task->tg != t->tg) {
			task_put(c->task);
			c->task = NULL;
			return -LX_EINVAL;
		}
		c->tg = t->tg;
		tgroup_get(c->tg);
	} else if (pid == 0 || pid == t->tid) {
		c->tg = t->tg;
		tgroup_get(c->tg);
	} else {
		c->tg = tgroup_lookup(t->k, pid);
		if (c->tg == NULL)
			return -LX_EINVAL;
	}
	return 0;
}

bool clock_refresh(const struct clock *c, const struct task *caller)
{
	struct task *of = c->task;

	if (of == NULL || of == caller || !of->tg->had_threads)
		return false;
	tgroup_note_cpu(of->tg);
	if (of->state != TASK_RUNNING || of->in_kernel)
		return false;
	task_interrupt(of);
	return true;
}

uint64_t clock_own_id(const struct clock *c)
{
	const unsigned kind = !c->ticks ? LX_CPUCLOCK_SCHED : c->user_only ? LX_CPUCLOCK_VIRT : 0;

	return (uint32_t)((~0u << 3) | LX_CPUCLOCK_THREAD | kind);
}

int clock_init(struct clock *c, struct task *t, int clockid)
{
	memset(c, 0, sizeof(*c));
	if (clockid < 0)
		return cpu_clock_init(c, t, clockid);
	c->id = clockid;
	switch (clockid) {
	case LX_CLOCK_REALTIME:
	case LX_CLOCK_MONOTONIC:
	case LX_CLOCK_BOOTTIME:
	case LX_CLOCK_TAI:
		c->kind = CLOCK_KIND_WALL;
		return 0;
	case LX_CLOCK_REALTIME_ALARM:
	case LX_CLOCK_BOOTTIME_ALARM:
		c->kind = CLOCK_KIND_WALL;
		c->alarm = true;
		c->id = clockid == LX_CLOCK_REALTIME_ALARM ? LX_CLOCK_REALTIME
							   : LX_CLOCK_BOOTTIME;
		return 0;
	case LX_CLOCK_MONOTONIC_RAW:
	case LX_CLOCK_REALTIME_COARSE:
	case LX_CLOCK_MONOTONIC_COARSE:
		c->kind = CLOCK_KIND_COARSE;
		return 0;
	case LX_CLOCK_PROCESS_CPUTIME_ID:
	case LX_CLOCK_THREAD_CPUTIME_ID:
		c->kind = clockid == LX_CLOCK_PROCESS_CPUTIME_ID ? CLOCK_KIND_PROCESS
								 : CLOCK_KIND_THREAD;
		c->tg = t->tg;
		tgroup_get(c->tg);
		if (c->kind == CLOCK_KIND_THREAD) {
			c->task = t;
			task_get(t);
		}
		return 0;
	default:
		return -LX_EINVAL;
	}
}

void clock_fini(struct clock *c)
{
	if (c->tg != NULL)
		tgroup_put(c->tg);
	if (c->task != NULL)
		task_put(c->task);
	c->tg = NULL;
	c->task = NULL;
}

int64_t clock_now(const struct clock *c)
{
	if (c->task != NULL)
		return (int64_t)thread_cpu_ns(c->task, c->user_only);
	if (c->tg != NULL)
		return (int64_t)tgroup_cpu_ns(c->tg, c->user_only);
	return host_clock_ns(c->id);
}

int64_t clock_resolution(const struct clock *c)
{
	if (c->ticks || (c->kind == CLOCK_KIND_COARSE && c->id != LX_CLOCK_MONOTONIC_RAW))
		return COARSE_RESOLUTION;
	return 1;
}

uint64_t mono_after(int64_t delta_ns)
{
	uint64_t now = ktime_mono();

	if (delta_ns <= 0)
		return now;
	return (uint64_t)delta_ns > (uint64_t)INT64_MAX - now ? (uint64_t)INT64_MAX
							      : now + (uint64_t)delta_ns;
}

uint64_t clock_to_mono(const struct clock *c, int64_t abs_ns)
{
	if (c->id == LX_CLOCK_MONOTONIC)
		return abs_ns > 0 ? (uint64_t)abs_ns : 0;
	return mono_after(abs_ns - clock_now(c));
}

bool timespec_valid(const struct lx_timespec *ts)
{
	return ts->sec >= 0 && (uint64_t)ts->nsec < LX_NSEC_PER_SEC;
}

int64_t timespec_ns(const struct lx_timespec *ts)
{
	if (ts->sec >= INT64_MAX / LX_NSEC_PER_SEC)
		return INT64_MAX;
	return ts->sec * LX_NSEC_PER_SEC + ts->nsec;
}

struct lx_timespec ns_timespec(int64_t ns)
{
	return (struct lx_timespec){ ns / LX_NSEC_PER_SEC, ns % LX_NSEC_PER_SEC };
}

struct lx_timeval ns_timeval(int64_t ns)
{
	return (struct lx_timeval){ ns / LX_NSEC_PER_SEC, ns % LX_NSEC_PER_SEC / 1000 };
}

void timeout_start_ns(struct task *t, int64_t ns)
{
	if (t->restart.has_deadline)
		return;
	t->restart.has_deadline = true;
	t->restart.deadline = mono_after(ns);
}

int timeout_start(struct task *t, struct uaddr timespec)
{
	struct lx_timespec ts;

	if (timespec.v == 0 || t->restart.has_deadline)
		return 0;
	if (copy_in(t, &ts, timespec, sizeof(ts)))
		return -LX_EFAULT;
	if (!timespec_valid(&ts))
		return -LX_EINVAL;
	timeout_start_ns(t, timespec_ns(&ts));
	return 0;
}

int deadline_start(struct task *t, struct uaddr timespec, int clockid)
{
	struct lx_timespec ts;
	struct clock c;

	if (timespec.v == 0 || t->restart.has_deadline)
		return 0;
	if (copy_in(t, &ts, timespec, sizeof(ts)))
		return -LX_EFAULT;
	if (!timespec_valid(&ts))
		return -LX_EINVAL;
	if (clock_init(&c, t, clockid))
		return -LX_EINVAL;
	t->restart.deadline = clock_to_mono(&c, timespec_ns(&ts));
	t->restart.has_deadline = true;
	clock_fini(&c);
	return 0;
}

bool timeout_passed(const struct task *t)
{
	return t->restart.has_deadline && ktime_mono() >= t->restart.deadline;
}
