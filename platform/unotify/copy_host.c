/* Guest memory from the sentry: process_vm_readv(2) and process_vm_writev(2). */
#include <errno.h>
#include <sys/uio.h>
#include <time.h>

#include "platform/unotify/unotify_impl.h"
#include "platform/unotify/host_ops.h"

/* The stub's pid, or 0 when there is nothing to reach any more. The answer may be
 * stale by the time it is used, but a pid is not reused before the reaper has
 * marked the space as reaped. */
static pid_t live_pid(struct plat_as *as)
{
	return __atomic_load_n(&as->reaped, __ATOMIC_RELAXED)
		       ? 0
		       : __atomic_load_n(&as->pid, __ATOMIC_RELAXED);
}

long unotify_read(struct plat_as *as, uint64_t addr, void *buf, size_t len)
{
	struct iovec l = { buf, len }, r = { (void *)(uintptr_t)addr, len };
	pid_t pid = live_pid(as);
	ssize_t n;

	if (!pid)
		return -ESRCH;
	n = process_vm_readv(pid, &l, 1, &r, 1, 0);
	return n < 0 ? -errno : n;
}

long unotify_write(struct plat_as *as, uint64_t addr, const void *buf, size_t len)
{
	struct iovec l = { (void *)(uintptr_t)buf, len }, r = { (void *)(uintptr_t)addr, len };
	pid_t pid = live_pid(as);
	ssize_t n;

	if (!pid)
		return -ESRCH;
	n = process_vm_writev(pid, &l, 1, &r, 1, 0);
	return n < 0 ? -errno : n;
}

/* Not atomic against guest threads that run at this moment (platform.h says so). */
int unotify_cmpxchg32(struct plat_as *as, uint64_t addr, uint32_t *expected, uint32_t desired)
{
	uint32_t now;
	long n = unotify_read(as, addr, &now, sizeof(now));

	if (n < 0)
		return (int)n;
	if (n != (long)sizeof(now))
		return -EFAULT;
	if (now != *expected) {
		*expected = now;
		return -EAGAIN;
	}
	n = unotify_write(as, addr, &desired, sizeof(desired));
	if (n < 0)
		return (int)n;
	return n == (long)sizeof(desired) ? 0 : -EFAULT;
}

uint64_t unotify_cputime(struct plat_as *as)
{
	pid_t pid = live_pid(as);
	struct timespec ts;

	/* The CPU clock of another process: see clock_getcpuclockid(3). */
	if (!pid || clock_gettime((clockid_t)((~(unsigned)pid << 3) | 2), &ts) < 0)
		return 0;
	return (uint64_t)ts.tv_sec * 1000000000ULL + (uint64_t)ts.tv_nsec;
}
