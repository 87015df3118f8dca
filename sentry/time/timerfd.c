/* timerfd objects. A periodic one that has fired is armed again when it is read, so that
 * an unread one costs nothing. The host's clock is not watched for being set: realtime
 * timers keep the distance they had, and TFD_TIMER_CANCEL_ON_SET never cancels. */
#include "sentry/time/timerfd.h"

#include <stdio.h>
#include <stdlib.h>

#include "sentry/kernel.h"
#include "sentry/mm/usercopy.h"
#include "sentry/task/task.h"
#include "sentry/time/vtimer.h"
#include "sentry/vfs/vfs.h"
#include "syscalls/abi/lx_cap.h"
#include "syscalls/abi/lx_fcntl.h"
#include "syscalls/abi/lx_poll.h"

struct timerfd {
	struct vtimer v;
	struct clock clock;
	struct waitq wq;
	int clockid;
	uint32_t settime_flags;
	bool expired;		/* fired since the last read or set */
	uint64_t ticks;		/* to be read; more come if it is periodic */
};

static void fire(struct vtimer *v)
{
	struct timerfd *tf = container_of(v, struct timerfd, v);

	tf->expired = true;
	tf->ticks++;
	waitq_wake(&tf->wq, LX_POLLIN | LX_POLLRDNORM);
}

static int64_t timerfd_read(struct file *f, struct uio *u, int64_t *pos, uint32_t rwf)
{
	struct timerfd *tf = f->priv;
	uint64_t ticks = tf->ticks;

	(void)pos;
	(void)rwf;
	if (u->resid < sizeof(ticks))
		return -LX_EINVAL;
	if (ticks == 0)
		return -LX_EAGAIN;
	if (tf->expired && tf->v.interval != 0 && !tf->v.armed)
		ticks += vtimer_forward(&tf->v, 0) - 1;
	tf->expired = false;
	tf->ticks = 0;
	return uio_to_user(u, &ticks, sizeof(ticks)) == (long)sizeof(ticks) ? (int64_t)sizeof(ticks)
									   : -LX_EFAULT;
}

static uint32_t timerfd_poll(struct file *f, struct poll_ctx *pc)
{
	struct timerfd *tf = f->priv;

	poll_wait(pc, &tf->wq);
	return tf->ticks != 0 ? LX_POLLIN | LX_POLLRDNORM : 0;
}

static void timerfd_release(struct file *f)
{
	struct timerfd *tf = f->priv;

	vtimer_cancel(&tf->v);
	waitq_fini(&tf->wq);
	clock_fini(&tf->clock);
	free(tf);
}

/* What is left of the running period. */
static uint64_t remaining(const struct timerfd *tf)
{
	const struct vtimer *v = &tf->v;

	if (!v->armed && tf->expired && v->interval != 0)
		return v->interval - (vtimer_now(v) - v->expires) % v->interval;
	return vtimer_remaining(v);
}

static int timerfd_fdinfo(struct file *f, char *buf, size_t size)
{
	const struct timerfd *tf = f->priv;
	uint64_t left = remaining(tf), interval = tf->v.interval;
	const uint64_t sec = LX_NSEC_PER_SEC;

	return snprintf(buf, size,
			"clockid: %d\nticks: %llu\nsettime flags: 0%o\n"
			"it_value: (%llu, %llu)\nit_interval: (%llu, %llu)\n",
			tf->clockid, (unsigned long long)tf->ticks, tf->settime_flags,
			(unsigned long long)(left / sec), (unsigned long long)(left % sec),
			(unsigned long long)(interval / sec),
			(unsigned long long)(interval % sec));
}

/* For those who restore a saved timer. */
static int64_t timerfd_ioctl(struct task *t, struct file *f, uint32_t cmd, uint64_t arg)
{
	struct timerfd *tf = f->priv;
	uint64_t ticks;

	if (cmd != LX_TFD_IOC_SET_TICKS)
		return -LX_ENOTTY;
	if (copy_in(t, &ticks, (struct uaddr){ arg }, sizeof(ticks)))
		return -LX_EFAULT;
	if (ticks == 0)
		return -LX_EINVAL;
	tf->ticks = ticks;
	waitq_wake(&tf->wq, LX_POLLIN | LX_POLLRDNORM);
	return 0;
}

static const struct file_ops timerfd_ops = {
	.name = "timerfd",
	.read = timerfd_read,
	.poll = timerfd_poll,
	.ioctl = timerfd_ioctl,
	.seek = file_seek_nowhere,
	.release = timerfd_release,
	.fdinfo = timerfd_fdinfo,
};

int timerfd_open(struct task *t, int clockid, uint32_t flags, struct file **out)
{
	struct timerfd *tf;
	struct clock c;

	if (clock_init(&c, t, clockid))
		return -LX_EINVAL;
	if (c.kind != CLOCK_KIND_WALL || clockid == LX_CLOCK_TAI) {
		clock_fini(&c);
		return -LX_EINVAL;
	}
	if (c.alarm && !task_capable(t, LX_CAP_WAKE_ALARM))
		return -LX_EPERM;
	tf = calloc(1, sizeof(*tf));
	if (tf == NULL)
		return -LX_ENOMEM;
	tf->clock = c;
	tf->clockid = clockid;
	waitq_init(&tf->wq);
	vtimer_init(&tf->v, t->k, NULL, fire);
	*out = file_new_anon(t->k, &timerfd_ops, "timerfd", 0,
			     FMODE_READ | FMODE_WRITE | FMODE_STREAM, flags | LX_O_RDWR, tf);
	if (*out == NULL) {
		free(tf);
		return -LX_ENOMEM;
	}
	return 0;
}

int timerfd_set(struct file *f, uint32_t tfd_flags, int64_t value, int64_t interval,
		uint64_t *old_value, uint64_t *old_interval)
{
	struct timerfd *tf = f->priv;
	uint64_t expires;

	if (timerfd_get(f, old_value, old_interval))
		return -LX_EINVAL;
	vtimer_cancel(&tf->v);
	tf->expired = false;
	tf->ticks = 0;
	tf->settime_flags = tfd_flags;
	tf->v.interval = (uint64_t)interval;
	if (value == 0)
		return 0;
	expires = tfd_flags & LX_TFD_TIMER_ABSTIME ? clock_to_mono(&tf->clock, value)
						   : mono_after(value);
	return vtimer_set(&tf->v, expires, (uint64_t)interval);
}

int timerfd_get(struct file *f, uint64_t *value, uint64_t *interval)
{
	struct timerfd *tf = f->priv;

	if (f->ops != &timerfd_ops)
		return -LX_EINVAL;
	*value = remaining(tf);
	*interval = tf->v.interval;
	return 0;
}
