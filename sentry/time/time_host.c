/* Host clocks and the one host timer behind all timers. */
#include "sentry/time/time_host.h"

#include <errno.h>
#include <string.h>
#include <sys/timerfd.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#include "syscalls/abi/lx_time.h"

#define NSEC 1000000000LL

int64_t host_clock_ns(int clockid)
{
	struct timespec ts;

	if (clock_gettime(clockid, &ts) != 0)
		return -errno;
	return ts.tv_sec * NSEC + ts.tv_nsec;
}

static struct timex timex;
static int timex_state = TIME_ERROR;

void host_timex_init(void)
{
	int state;

	memset(&timex, 0, sizeof(timex));
	state = adjtimex(&timex);
	if (state >= 0)
		timex_state = state;
}

int host_timex(struct lx_timex *out)
{
	_Static_assert(sizeof(timex) == sizeof(*out), "the same on the host");
	memcpy(out, &timex, sizeof(*out));
	return timex_state;
}

int host_timer_new(void)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);

	return fd >= 0 ? fd : -errno;
}

int host_timer_set(int fd, uint64_t mono_ns)
{
	struct itimerspec its = {
		.it_value = { (time_t)(mono_ns / NSEC), (long)(mono_ns % NSEC) },
	};

	return timerfd_settime(fd, TFD_TIMER_ABSTIME, &its, NULL) == 0 ? 0 : -errno;
}

void host_timer_drain(int fd)
{
	uint64_t ticks;
	ssize_t n = read(fd, &ticks, sizeof(ticks));

	(void)n; /* EAGAIN: nothing to drain */
}

void host_timer_free(int fd)
{
	close(fd);
}
