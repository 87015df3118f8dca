/* Clocks, sleeping, CPU times. */
#include <string.h>

#include "sentry/kernel.h"
#include "sentry/mm/usercopy.h"
#include "sentry/task/task.h"
#include "sentry/time/clock.h"
#include "syscalls/abi/lx_resource.h"
#include "syscalls/abi/lx_time.h"
#include "syscalls/syscall_args.h"

#define NS_PER_TICK (LX_NSEC_PER_SEC / LX_USER_HZ)

long sys_clock_gettime(struct task *t, const struct clock_gettime_args *a)
{
	struct lx_timespec ts;
	struct clock c;
	int err = clock_init(&c, t, a->which_clock);

	if (err)
		return err;
	ts = ns_timespec(clock_now(&c));
	clock_fini(&c);
	return copy_out(t, a->tp, &ts, sizeof(ts));
}

long sys_clock_getres(struct task *t, const struct clock_getres_args *a)
{
	struct lx_timespec ts;
	struct clock c;
	int err = clock_init(&c, t, a->which_clock);

	if (err)
		return err;
	ts = ns_timespec(clock_resolution(&c));
	clock_fini(&c);
	return a->tp.v != 0 ? copy_out(t, a->tp, &ts, sizeof(ts)) : 0;
}

/* Time of day belongs to the host; the other clocks cannot be set in Linux either. */
long sys_clock_settime(struct task *t, const struct clock_settime_args *a)
{
	struct lx_timespec ts;

	if (a->which_clock != LX_CLOCK_REALTIME)
		return -LX_EINVAL;
	if (copy_in(t, &ts, a->tp, sizeof(ts)))
		return -LX_EFAULT;
	return timespec_valid(&ts) ? -LX_EPERM : -LX_EINVAL;
}

long sys_gettimeofday(struct task *t, const struct gettimeofday_args *a)
{
	struct lx_timezone tz = { 0, 0 };
	struct lx_timeval tv = ns_timeval(ktime_real());

	if (a->tv.v != 0 && copy_out(t, a->tv, &tv, sizeof(tv)))
		return -LX_EFAULT;
	if (a->tz.v != 0 && copy_out(t, a->tz, &tz, sizeof(tz)))
		return -LX_EFAULT;
	return 0;
}

long sys_time(struct task *t, const struct time_args *a)
{
	int64_t now = ktime_real() / LX_NSEC_PER_SEC;

	if (a->tloc.v != 0 && copy_out(t, a->tloc, &now, sizeof(now)))
		return -LX_EFAULT;
	return now;
}

/* ---- sleeping ---- */

/* restart_arg: 0 the deadline, 1 where the rest goes. */
static long sleep_until(struct task *t, uint64_t deadline, struct uaddr rmtp);

static long sleep_restart(struct task *t)
{
	return sleep_until(t, t->restart_arg[0], (struct uaddr){ t->restart_arg[1] });
}

static long sleep_until(struct task *t, uint64_t deadline, struct uaddr rmtp)
{
	uint64_t now = ktime_mono();
	struct lx_timespec left;
	long r;

	if (now >= deadline)
		return 0;
	task_park_until(t, deadline);
	r = task_park(t, LX_ERESTART_RESTARTBLOCK);
	if (r == -LX_EPARK)
		return r;
	if (rmtp.v != 0) {
		left = ns_timespec((int64_t)(deadline - now));
		if (copy_out(t, rmtp, &left, sizeof(left)))
			return -LX_EFAULT;
	}
	t->restart_fn = sleep_restart;
	t->restart_arg[0] = deadline;
	t->restart_arg[1] = rmtp.v;
	return r;
}

long sys_nanosleep(struct task *t, const struct nanosleep_args *a)
{
	struct lx_timespec ts;

	if (!t->restart.has_deadline) {
		if (copy_in(t, &ts, a->rqtp, sizeof(ts)))
			return -LX_EFAULT;
		if (!timespec_valid(&ts))
			return -LX_EINVAL;
		timeout_start_ns(t, timespec_ns(&ts));
	}
	return sleep_until(t, t->restart.deadline, a->rmtp);
}

/* CPU time does not come at a known moment: look again when it could be over. */
static long sleep_cpu(struct task *t, const struct clock *c, bool abs, int64_t ns)
{
	const int64_t poll_min = LX_NSEC_PER_SEC / 1000;
	int64_t now = clock_now(c), left;

	if (!t->restart.has_deadline) {
		t->restart.has_deadline = true;
		t->restart.deadline = (uint64_t)(abs || ns > INT64_MAX - now ? ns : now + ns);
	}
	left = (int64_t)t->restart.deadline - now;
	if (left <= 0)
		return 0;
	task_park_until(t, mono_after(left < poll_min ? poll_min : left));
	return task_park(t, abs ? LX_ERESTARTNOHAND : LX_EINTR);
}

static long sleep_on_clock(struct task *t, const struct clock *c,
			   const struct clock_nanosleep_args *a, int64_t ns)
{
	bool abs = (a->flags & LX_TIMER_ABSTIME) != 0;

	if (c->kind == CLOCK_KIND_PROCESS)
		return sleep_cpu(t, c, abs, ns);
	if (!abs) {
		timeout_start_ns(t, ns);
		return sleep_until(t, t->restart.deadline, a->rmtp);
	}
	/* Realtime may be set meanwhile: the deadline is looked up at each run. */
	if (clock_now(c) >= ns)
		return 0;
	task_park_until(t, clock_to_mono(c, ns));
	return task_park(t, LX_ERESTARTNOHAND);
}

long sys_clock_nanosleep(struct task *t, const struct clock_nanosleep_args *a)
{
	struct lx_timespec ts;
	struct clock c;
	long r = clock_init(&c, t, a->which_clock);

	if (r)
		return r;
	if (c.kind == CLOCK_KIND_COARSE || a->which_clock == LX_CLOCK_THREAD_CPUTIME_ID)
		r = -LX_EOPNOTSUPP;
	else if (copy_in(t, &ts, a->rqtp, sizeof(ts)))
		r = -LX_EFAULT;
	else if (!timespec_valid(&ts) || c.kind == CLOCK_KIND_THREAD)
		r = -LX_EINVAL;
	else
		r = sleep_on_clock(t, &c, a, timespec_ns(&ts));
	clock_fini(&c);
	return r;
}

long sys_restart_syscall(struct task *t, const struct restart_syscall_args *a)
{
	(void)a;
	return t->restart_fn != NULL ? t->restart_fn(t) : -LX_EINTR;
}

/* ---- CPU times ---- */

long sys_times(struct task *t, const struct times_args *a)
{
	uint64_t user_ns, sys_ns;
	struct lx_tms tms;

	if (a->tbuf.v != 0) {
		tgroup_cputime(t->tg, &user_ns, &sys_ns);
		tms.utime = (int64_t)(user_ns / NS_PER_TICK);
		tms.stime = (int64_t)(sys_ns / NS_PER_TICK);
		tms.cutime = (int64_t)(t->tg->cutime_ns / NS_PER_TICK);
		tms.cstime = (int64_t)(t->tg->cstime_ns / NS_PER_TICK);
		if (copy_out(t, a->tbuf, &tms, sizeof(tms)))
			return -LX_EFAULT;
	}
	return (long)(ktime_mono() / NS_PER_TICK);
}

long sys_getrusage(struct task *t, const struct getrusage_args *a)
{
	uint64_t user_ns = 0, sys_ns = 0;
	struct lx_rusage ru;

	memset(&ru, 0, sizeof(ru));
	switch (a->who) {
	case LX_RUSAGE_THREAD: /* the platform knows the process's time only */
	case LX_RUSAGE_SELF:
		tgroup_cputime(t->tg, &user_ns, &sys_ns);
		ru.maxrss = (int64_t)t->tg->maxrss_kb;
		ru.nvcsw = (int64_t)t->nvcsw;
		break;
	case LX_RUSAGE_CHILDREN:
		user_ns = t->tg->cutime_ns;
		sys_ns = t->tg->cstime_ns;
		ru.maxrss = (int64_t)t->tg->cmaxrss_kb;
		break;
	default:
		return -LX_EINVAL;
	}
	ru.utime = ns_timeval((int64_t)user_ns);
	ru.stime = ns_timeval((int64_t)sys_ns);
	return copy_out(t, a->ru, &ru, sizeof(ru));
}
