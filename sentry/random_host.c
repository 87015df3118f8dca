/* Randomness and clocks of the host. */
#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "platform/base/bug.h"
#include "sentry/kernel.h"

static void ask_host(void *buf, size_t len)
{
	unsigned char *p = buf;

	while (len) {
		ssize_t n = getrandom(p, len < 256 ? len : 256, 0);

		/* Up to 256 bytes are interrupted only before the pool is ready. */
		if (n < 0 && errno == EINTR)
			continue;
		BUG_ON(n <= 0);
		p += n;
		len -= (size_t)n;
	}
}

/* A program start asks for some bytes a dozen times: they are fetched in one go. What
 * was handed out is wiped. */
static _Thread_local struct {
	unsigned char bytes[256];
	size_t left;
} pool;

void krandom(void *buf, unsigned long len)
{
	unsigned char *from;

	if (len > sizeof(pool.bytes) / 4) {
		ask_host(buf, len);
		return;
	}
	if (pool.left < len) {
		ask_host(pool.bytes, sizeof(pool.bytes));
		pool.left = sizeof(pool.bytes);
	}
	pool.left -= len;
	from = pool.bytes + pool.left;
	memcpy(buf, from, len);
	explicit_bzero(from, len);
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
