/* Randomness and clocks of the host. */
#include <errno.h>
#include <sys/random.h>
#include <time.h>

#include "platform/base/bug.h"
#include "sentry/kernel.h"

void krandom(void *buf, unsigned long len)
{
	unsigned char *p = buf;

	while (len) {
		ssize_t n = getrandom(p, len < 256 ? len : 256, 0);

		/* Up to 256 bytes are interrupted only before the pool is ready. */
		if (n < 0 && errno == EINTR)
			continue;
		BUG_ON(n <= 0);
		p += n;
		len -= (unsigned long)n;
	}
}

uint64_t ktime_mono(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ULL + (uint64_t)ts.tv_nsec;
}

int64_t ktime_real(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000000LL + ts.tv_nsec;
}
