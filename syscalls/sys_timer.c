/* Interval timers, POSIX timers, timerfds. */
#include "platform/base/auto.h"
#include "sentry/kernel.h"
#include "sentry/mm/usercopy.h"
#include "sentry/task/task.h"
#include "sentry/time/clock.h"
#include "sentry/time/posix_timer.h"
#include "sentry/time/timerfd.h"
#include "sentry/vfs/vfs.h"
#include "syscalls/abi/lx_signal.h"
#include "syscalls/abi/lx_time.h"
#include "syscalls/syscall_args.h"

static bool timeval_valid(const struct lx_timeval *tv)
{
	return tv->sec >= 0 && tv->usec >= 0 && tv->usec < 1000000;
}

static int64_t timeval_ns(const struct lx_timeval *tv)
{
	struct lx_timespec ts = { tv->sec, tv->usec * 1000 };

	return timespec_ns(&ts);
}

static struct lx_itimerval to_itimerval(uint64_t value, uint64_t interval)
{
	/* What is left never reads as zero while the timer runs. */
	if (value != 0 && value < 1000)
		value = 1000;
	return (struct lx_itimerval){ ns_timeval((int64_t)interval),
				      ns_timeval((int64_t)value) };
}

static struct lx_itimerspec to_itimerspec(uint64_t value, uint64_t interval)
{
	return (struct lx_itimerspec){ ns_timespec((int64_t)interval),
				       ns_timespec((int64_t)value) };
}

static bool itimer_valid(int which)
{
	return which >= LX_ITIMER_REAL && which <= LX_ITIMER_PROF;
}

long sys_getitimer(struct task *t, const struct getitimer_args *a)
{
	struct lx_itimerval out;
	uint64_t value, interval;

	if (!itimer_valid(a->which))
		return -LX_EINVAL;
	itimer_get(t->tg, a->which, &value, &interval);
	out = to_itimerval(value, interval);
	return copy_out(t, a->value, &out, sizeof(out));
}

long sys_setitimer(struct task *t, const struct setitimer_args *a)
{
	struct lx_itimerval in = { { 0, 0 }, { 0, 0 } }, out;
	uint64_t value, interval;
	int err;

	if (a->value.v != 0) {
		if (copy_in(t, &in, a->value, sizeof(in)))
			return -LX_EFAULT;
		if (!timeval_valid(&in.value) || !timeval_valid(&in.interval))
			return -LX_EINVAL;
	}
	if (!itimer_valid(a->which))
		return -LX_EINVAL;
	itimer_get(t->tg, a->which, &value, &interval);
	err = itimer_set(t->tg, a->which, (uint64_t)timeval_ns(&in.value),
			 (uint64_t)timeval_ns(&in.interval));
	if (err || a->ovalue.v == 0)
		return err;
	out = to_itimerval(value, interval);
	return copy_out(t, a->ovalue, &out, sizeof(out));
}

long sys_alarm(struct task *t, const struct alarm_args *a)
{
	uint64_t value, interval, sec;
	int err;

	itimer_get(t->tg, LX_ITIMER_REAL, &value, &interval);
	err = itimer_set(t->tg, LX_ITIMER_REAL, (uint64_t)a->seconds * LX_NSEC_PER_SEC, 0);
	if (err)
		return err;
	/* Rounded, but not to zero while it was running. */
	sec = (value + LX_NSEC_PER_SEC / 2) / LX_NSEC_PER_SEC;
	return (long)(sec == 0 && value != 0 ? 1 : sec);
}

/* ---- POSIX timers ---- */

long sys_timer_create(struct task *t, const struct timer_create_args *a)
{
	struct lx_sigevent ev;
	int id;

	if (a->timer_event_spec.v != 0 && copy_in(t, &ev, a->timer_event_spec, sizeof(ev)))
		return -LX_EFAULT;
	id = posix_timer_create(t, a->which_clock, a->timer_event_spec.v != 0 ? &ev : NULL);
	if (id < 0)
		return id;
	if (copy_out(t, a->created_timer_id, &id, sizeof(id))) {
		posix_timer_delete(t->tg, id);
		return -LX_EFAULT;
	}
	return 0;
}

long sys_timer_settime(struct task *t, const struct timer_settime_args *a)
{
	uint64_t value, interval;
	struct lx_itimerspec its;
	int err;

	if (a->new_setting.v == 0)
		return -LX_EINVAL;
	if (copy_in(t, &its, a->new_setting, sizeof(its)))
		return -LX_EFAULT;
	if (!timespec_valid(&its.value) || !timespec_valid(&its.interval))
		return -LX_EINVAL;
	if (posix_timer_on_thread(t->tg, a->timer_id, t) && t->tg->had_threads &&
	    task_note_first(t, PLAT_NOTE_CPU))
		return -LX_ERAN;
	err = posix_timer_set(t->tg, a->timer_id, a->flags & LX_TIMER_ABSTIME,
			      timespec_ns(&its.value), timespec_ns(&its.interval), &value,
			      &interval);
	if (err || a->old_setting.v == 0)
		return err;
	its = to_itimerspec(value, interval);
	return copy_out(t, a->old_setting, &its, sizeof(its));
}

long sys_timer_gettime(struct task *t, const struct timer_gettime_args *a)
{
	uint64_t value, interval;
	struct lx_itimerspec its;
	int err;

	if (posix_timer_on_thread(t->tg, a->timer_id, t) && t->tg->had_threads &&
	    task_note_first(t, PLAT_NOTE_CPU))
		return -LX_ERAN;
	err = posix_timer_get(t->tg, a->timer_id, &value, &interval);

	if (err)
		return err;
	its = to_itimerspec(value, interval);
	return copy_out(t, a->setting, &its, sizeof(its));
}

long sys_timer_getoverrun(struct task *t, const struct timer_getoverrun_args *a)
{
	return posix_timer_overrun(t->tg, a->timer_id);
}

long sys_timer_delete(struct task *t, const struct timer_delete_args *a)
{
	return posix_timer_delete(t->tg, a->timer_id);
}

/* ---- timerfd ---- */

long sys_timerfd_create(struct task *t, const struct timerfd_create_args *a)
{
	AUTO_PUT(file) struct file *f = NULL;
	int err;

	if (a->flags & ~(LX_TFD_CLOEXEC | LX_TFD_NONBLOCK))
		return -LX_EINVAL;
	err = timerfd_open(t, a->clockid, a->flags & LX_TFD_NONBLOCK, &f);
	if (err)
		return err;
	return fdtable_add(t, f, a->flags & LX_TFD_CLOEXEC ? FD_CLOEXEC_FLAG : 0);
}

long sys_timerfd_settime(struct task *t, const struct timerfd_settime_args *a)
{
	AUTO_PUT(file) struct file *f = NULL;
	uint64_t value, interval;
	struct lx_itimerspec its;
	int err;

	if (copy_in(t, &its, a->utmr, sizeof(its)))
		return -LX_EFAULT;
	if ((a->flags & ~(LX_TFD_TIMER_ABSTIME | LX_TFD_TIMER_CANCEL_ON_SET)) ||
	    !timespec_valid(&its.value) || !timespec_valid(&its.interval))
		return -LX_EINVAL;
	f = fd_file(t, a->ufd, &err);
	if (f == NULL)
		return err;
	err = timerfd_set(f, a->flags, timespec_ns(&its.value), timespec_ns(&its.interval),
			  &value, &interval);
	if (err || a->otmr.v == 0)
		return err;
	its = to_itimerspec(value, interval);
	return copy_out(t, a->otmr, &its, sizeof(its));
}

long sys_timerfd_gettime(struct task *t, const struct timerfd_gettime_args *a)
{
	AUTO_PUT(file) struct file *f = NULL;
	uint64_t value, interval;
	struct lx_itimerspec its;
	int err;

	f = fd_file(t, a->ufd, &err);
	if (f == NULL)
		return err;
	err = timerfd_get(f, &value, &interval);
	if (err)
		return err;
	its = to_itimerspec(value, interval);
	return copy_out(t, a->otmr, &its, sizeof(its));
}
