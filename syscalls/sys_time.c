/* Clocks, sleeping, CPU times. */
#include <string.h>

#include "sentry/kernel.h"
#include "sentry/mm/usercopy.h"
#include "sentry/task/process.h"
#include "sentry/task/task.h"
#include "sentry/time/clock.h"
#include "syscalls/abi/lx_resource.h"
#include "syscalls/abi/lx_time.h"
#include "syscalls/syscall_args.h"

#define NS_PER_TICK (LX_NSEC_PER_SEC / LX_USER_HZ)

/* The CPU time of one of several threads. */
static long thread_clock(struct task *t, const struct clock *c, struct uaddr to)
{
	const int64_t patience = LX_NSEC_PER_SEC / 200, step = LX_NSEC_PER_SEC / 10000;
	const int64_t first = LX_NSEC_PER_SEC; /* on a busy machine */
	struct lx_timespec ts;
	uint64_t noted_ns;

	if (c->task == t && !t->cpu_base_ns) {
		struct plat_cmd cmd = { .op = PLAT_CMD_CLOCK, .a = { clock_own_id(c), to.v } };

		if (to.v >= PLAT_GUEST_MAX - sizeof(ts))
			return -LX_EFAULT;
		return plat_batch_add(&t->batch, cmd) ? 0 : -LX_EAGAIN;
	}
	if (c->task == t) {
		if (task_note_first(t, PLAT_NOTE_CPU))
			return -LX_ERAN;
	} else {
		noted_ns = c->task->pt ? plat_thread_noted_cpu(c->task->pt) : 0;
		if (!t->restart.has_deadline) {
			timeout_start_ns(t, noted_ns ? patience : first);
			t->restart.scratch[1] = noted_ns;
			if (clock_refresh(c, t)) {
				task_park_until(t, mono_after(step));
				return task_park(t, LX_ERESTARTNOINTR);
			}
		} else if (noted_ns == t->restart.scratch[1] && !timeout_passed(t) &&
			   c->task->state == TASK_RUNNING) {
			task_park_until(t, mono_after(step));
			return task_park(t, LX_ERESTARTNOINTR);
		}
	}
	ts = ns_timespec(clock_now(c));
	return copy_out(t, to, &ts, sizeof(ts));
}

long sys_clock_gettime(struct task *t, const struct clock_gettime_args *a)
{
	struct lx_timespec ts;
	struct clock c;
	long r = clock_init(&c, t, a->which_clock);

	if (r)
		return r;
	if (c.task != NULL && c.task->tg->had_threads) {
		r = thread_clock(t, &c, a->tp);
		clock_fini(&c);
		return r;
	}
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
	if (c.alarm) { /* as without a clock that could wake the machine */
		clock_fini(&c);
		return -LX_EINVAL;
	}
	ts = ns_timespec(clock_resolution(&c));
	clock_fini(&c);
	return a->tp.v != 0 ? copy_out(t, a->tp, &ts, sizeof(ts)) : 0;
}

/* Time of day belongs to the host. Linux cannot set the other clocks either, but says
 * something else where a CPU clock is given by its number. */
long sys_clock_settime(struct task *t, const struct clock_settime_args *a)
{
	struct lx_timespec ts;
	struct clock c;
	int err;

	if (a->which_clock != LX_CLOCK_REALTIME && a->which_clock >= 0)
		return -LX_EINVAL;
	if (copy_in(t, &ts, a->tp, sizeof(ts)))
		return -LX_EFAULT;
	if (a->which_clock == LX_CLOCK_REALTIME)
		return timespec_valid(&ts) ? -LX_EPERM : -LX_EINVAL;
	err = clock_init(&c, t, a->which_clock);
	if (!err)
		clock_fini(&c);
	return err ? err : -LX_EPERM;
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

/* CPU time does not come at a known moment: look again when it could be over. at: on the
 * clock. -LX_EPARK, 0, or -LX_ERESTART_RESTARTBLOCK when a signal ends the wait. */
static long park_cpu(struct task *t, const struct clock *c, int64_t at, int64_t *out_left)
{
	const int64_t poll_min = LX_NSEC_PER_SEC / 1000;
	int64_t wait = *out_left = at - clock_now(c);

	if (wait <= 0)
		return 0;
	if (wait < poll_min)
		wait = poll_min;
	/* A running thread's time is known only once it was asked for. */
	if (c->task != NULL && !(t->restart.scratch[0] ^= 1) && clock_refresh(c, t))
		wait = poll_min / 5;
	task_park_until(t, mono_after(wait));
	return task_park(t, LX_ERESTART_RESTARTBLOCK);
}

static long sleep_cpu(struct task *t, const struct clock *c, int clockid, int64_t at,
		      struct uaddr rmtp);

/* restart_arg: 0 until when, 1 where the rest goes, 2 the clock. */
static long sleep_cpu_restart(struct task *t)
{
	int clockid = (int)t->restart_arg[2];
	struct clock c;
	long r = clock_init(&c, t, clockid);

	if (r)
		return r;
	r = sleep_cpu(t, &c, clockid, (int64_t)t->restart_arg[0],
		      (struct uaddr){ t->restart_arg[1] });
	clock_fini(&c);
	return r;
}

static long sleep_cpu(struct task *t, const struct clock *c, int clockid, int64_t at,
		      struct uaddr rmtp)
{
	struct lx_timespec ts;
	int64_t left;
	long r = park_cpu(t, c, at, &left);

	if (r != -LX_ERESTART_RESTARTBLOCK)
		return r;
	ts = ns_timespec(left);
	if (rmtp.v != 0 && copy_out(t, rmtp, &ts, sizeof(ts)))
		return -LX_EFAULT;
	t->restart_fn = sleep_cpu_restart;
	t->restart_arg[0] = (uint64_t)at;
	t->restart_arg[1] = rmtp.v;
	t->restart_arg[2] = (uint32_t)clockid;
	return r;
}

static long start_sleep_cpu(struct task *t, const struct clock *c,
			    const struct clock_nanosleep_args *a, int64_t ns)
{
	int64_t now, left;
	long r;

	if (a->flags & LX_TIMER_ABSTIME) {
		r = park_cpu(t, c, ns, &left);
		return r == -LX_ERESTART_RESTARTBLOCK ? -LX_ERESTARTNOHAND : r;
	}
	if (!t->restart.has_deadline) {
		now = clock_now(c);
		t->restart.has_deadline = true;
		t->restart.deadline = (uint64_t)(ns > INT64_MAX - now ? INT64_MAX : now + ns);
	}
	return sleep_cpu(t, c, a->which_clock, (int64_t)t->restart.deadline, a->rmtp);
}

static long sleep_on_clock(struct task *t, const struct clock *c,
			   const struct clock_nanosleep_args *a, int64_t ns)
{
	bool abs = (a->flags & LX_TIMER_ABSTIME) != 0;

	if (c->tg != NULL)
		return start_sleep_cpu(t, c, a, ns);
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
	else if (!timespec_valid(&ts) || c.task == t)
		r = -LX_EINVAL;
	else if (c.alarm)
		r = -LX_EOPNOTSUPP;
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
		tms.cutime = (int64_t)(t->tg->cused.user_ns / NS_PER_TICK);
		tms.cstime = (int64_t)(t->tg->cused.sys_ns / NS_PER_TICK);
		if (copy_out(t, a->tbuf, &tms, sizeof(tms)))
			return -LX_EFAULT;
	}
	return (long)(ktime_mono() / NS_PER_TICK);
}

/* The stub notes its own usage; a thread's times are the host's for that thread. */
long sys_getrusage(struct task *t, const struct getrusage_args *a)
{
	struct plat_usage u, process;
	struct lx_rusage ru;

	switch (a->who) {
	case LX_RUSAGE_THREAD:
		if (task_note_first(t, PLAT_NOTE_USAGE))
			return -LX_ERAN;
		if (!t->tg->had_threads) {
			tgroup_usage(t->tg, t, &u);
			break;
		}
		plat_thread_noted_usage(t->pt, &process, &u);
		u.nvcsw = t->nvcsw;
		break;
	case LX_RUSAGE_SELF:
		if (task_note_first(t, PLAT_NOTE_USAGE))
			return -LX_ERAN;
		tgroup_usage(t->tg, t, &u);
		break;
	case LX_RUSAGE_CHILDREN:
		u = t->tg->cused;
		break;
	default:
		return -LX_EINVAL;
	}
	rusage_encode(&u, &ru);
	return copy_out(t, a->ru, &ru, sizeof(ru));
}
