/* Adjusting the clock: it belongs to the host, so only what reads it works. */
#include <string.h>

#include "sentry/kernel.h"
#include "sentry/mm/usercopy.h"
#include "sentry/task/task.h"
#include "sentry/time/clock.h"
#include "sentry/time/time_host.h"
#include "syscalls/abi/lx_time.h"
#include "syscalls/syscall_args.h"

#define MAX_FREQ_PPM 500
#define MAX_ERROR_US 16000000

/* The host's state when the sandbox began, and what can be known of it now. */
static long show(struct task *t, struct uaddr to, const struct lx_timex *in)
{
	struct lx_timex out;
	uint64_t up_s = kernel_uptime_ns(t->k) / LX_NSEC_PER_SEC;
	int64_t now;
	int state = host_timex(&out);

	out.modes = in->modes;
	if (in->modes == LX_ADJ_OFFSET_SS_READ)
		out.offset = 0; /* of adjtime(3): nothing is under way that we know of */
	now = ktime_real();
	out.time = ns_timeval(now);
	if (out.status & LX_STA_NANO)
		out.time.usec = now % LX_NSEC_PER_SEC;
	out.maxerror += (int64_t)(up_s * MAX_FREQ_PPM);
	if (out.maxerror > MAX_ERROR_US)
		out.maxerror = MAX_ERROR_US;
	/* Half a second more: the two readings are not of the same moment. */
	out.tai = (int32_t)((host_clock_ns(LX_CLOCK_TAI) - ktime_real() + LX_NSEC_PER_SEC / 2) /
			    LX_NSEC_PER_SEC);
	return copy_out(t, to, &out, sizeof(out)) ? -LX_EFAULT : state;
}

static long adjust(struct task *t, struct uaddr txc)
{
	struct lx_timex in;

	if (copy_in(t, &in, txc, sizeof(in)))
		return -LX_EFAULT;
	if (in.modes & LX_ADJ_ADJTIME) {
		if (!(in.modes & LX_ADJ_OFFSET_SINGLESHOT))
			return -LX_EINVAL;
		if (!(in.modes & LX_ADJ_OFFSET_READONLY))
			return -LX_EPERM;
	} else if (in.modes) {
		return -LX_EPERM;
	}
	return show(t, txc, &in);
}

long sys_adjtimex(struct task *t, const struct adjtimex_args *a)
{
	return adjust(t, a->txc_p);
}

long sys_clock_adjtime(struct task *t, const struct clock_adjtime_args *a)
{
	struct lx_timex in;
	struct clock c;

	if (copy_in(t, &in, a->utx, sizeof(in)))
		return -LX_EFAULT;
	/* Linux knows the kinds of CPU clocks before it knows whose. */
	if (clock_init(&c, t, a->which_clock))
		return a->which_clock < 0 ? -LX_EOPNOTSUPP : -LX_EINVAL;
	clock_fini(&c);
	return a->which_clock == LX_CLOCK_REALTIME ? adjust(t, a->utx) : -LX_EOPNOTSUPP;
}

long sys_settimeofday(struct task *t, const struct settimeofday_args *a)
{
	struct lx_timezone tz;
	struct lx_timeval tv;

	if (a->tv.v != 0) {
		if (copy_in(t, &tv, a->tv, sizeof(tv)))
			return -LX_EFAULT;
		if (tv.usec < 0 || tv.usec > 1000000)
			return -LX_EINVAL;
	}
	if (a->tz.v != 0 && copy_in(t, &tz, a->tz, sizeof(tz)))
		return -LX_EFAULT;
	if (a->tv.v != 0 && (tv.sec < 0 || tv.usec == 1000000))
		return -LX_EINVAL;
	return -LX_EPERM;
}
