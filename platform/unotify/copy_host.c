/* Guest memory from the sentry: process_vm_readv(2) and process_vm_writev(2); and the
 * host's accounts of stubs. */
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

/* ---- accounts ---- */

/* The CPU clock of another process: see clock_getcpuclockid(3). kind: 0 user and system in
 * ticks, 1 user in ticks, 2 exact. */
static uint64_t cpu_clock(pid_t pid, unsigned kind)
{
	struct timespec ts;

	if (clock_gettime((clockid_t)((~(unsigned)pid << 3) | kind), &ts) < 0)
		return 0;
	return (uint64_t)ts.tv_sec * 1000000000ULL + (uint64_t)ts.tv_nsec;
}

uint64_t unotify_cputime(struct plat_as *as, uint64_t *out_user)
{
	pid_t pid = live_pid(as);
	uint64_t total = pid ? cpu_clock(pid, 2) : 0, ticks, user;

	if (!out_user)
		return total;
	/* The ticks say in which proportion to divide, as in the host's own books. */
	user = total ? cpu_clock(pid, 1) : 0;
	ticks = total ? cpu_clock(pid, 0) : 0;
	*out_user = ticks > user ? (uint64_t)((__uint128_t)total * user / ticks) : total;
	return total;
}

void unotify_note(struct plat_thread *th, unsigned what)
{
	__atomic_store_n(&th->slot->note, what, __ATOMIC_RELAXED);
}

uint64_t unotify_noted_cpu(struct plat_thread *th)
{
	const volatile uint64_t *ts = th->slot->cpu;
	uint64_t sec = ts[0], nsec = ts[1];

	/* What a guest may have written there instead stays within bounds. */
	return sec < 1ULL << 32 && nsec < 1000000000 ? sec * 1000000000 + nsec : 0;
}

static uint64_t usage_word(const volatile uint64_t *u, unsigned i)
{
	uint64_t v = u[i];

	return v < 1ULL << 48 ? v : 0;
}

/* The order of struct rusage. */
static void usage_read(const volatile uint64_t *u, struct plat_usage *out)
{
	out->user_ns = usage_word(u, 0) % (1ULL << 32) * 1000000000 + usage_word(u, 1) * 1000;
	out->sys_ns = usage_word(u, 2) % (1ULL << 32) * 1000000000 + usage_word(u, 3) * 1000;
	out->maxrss_kb = usage_word(u, 4);
	out->minflt = usage_word(u, 8);
	out->majflt = usage_word(u, 9);
	out->nvcsw = usage_word(u, 16);
	out->nivcsw = usage_word(u, 17);
}

void unotify_noted_usage(struct plat_thread *th, struct plat_usage *process,
			 struct plat_usage *thread)
{
	usage_read(th->slot->usage[0], process);
	if (thread)
		usage_read(th->slot->usage[1], thread);
}
