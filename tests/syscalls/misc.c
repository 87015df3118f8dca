/* The rest: system identity, limits, scheduling, inotify, architecture. */
#include <asm/prctl.h>
#include <linux/membarrier.h>
#include <poll.h>
#include <sched.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/personality.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

#include "tests/harness/guest.h"

static void *volatile bad = (void *)8;

static void drop_root(void)
{
	if (geteuid() == 0)
		CHECK_EQ(setresuid(1000, 1000, 1000), 0);
}

CASE(system_names, "uname")
{
	struct utsname u;

	CHECK_EQ(syscall(SYS_uname, &u), 0);
	CHECK(!strcmp(u.sysname, "Linux") && !strcmp(u.machine, "x86_64"));
	CHECK(u.nodename[0] && u.version[0]);
	CHECK(atoi(u.release) >= 4);
	CHECK_ERR(syscall(SYS_uname, bad), EFAULT);
}

CASE(setting_names, "sethostname,setdomainname,uname")
{
	struct utsname u;
	char old[65];

	if (geteuid() != 0)
		SKIP("needs root");
	if (unshare(CLONE_NEWUTS) < 0)
		CHECK_EQ(errno, EPERM); /* then there is one of its own already */
	CHECK_EQ(gethostname(old, sizeof(old)), 0);
	if (sethostname("guest-test", 10) < 0)
		SKIP("naming is not allowed");
	CHECK_EQ(setdomainname("example", 7), 0);
	CHECK_EQ(uname(&u), 0);
	CHECK(!strcmp(u.nodename, "guest-test") && !strcmp(u.domainname, "example"));
	CHECK_EQ(sethostname("abcdef", 3), 0);
	CHECK_EQ(uname(&u), 0);
	CHECK(!strcmp(u.nodename, "abc"));
	CHECK_ERR(syscall(SYS_sethostname, old, 65), EINVAL);
	CHECK_ERR(syscall(SYS_sethostname, old, -1), EINVAL);
	CHECK_ERR(syscall(SYS_setdomainname, old, 65), EINVAL);
	CHECK_ERR(syscall(SYS_sethostname, bad, 5), EFAULT);
	CHECK_EQ(sethostname(old, strlen(old)), 0);
	drop_root();
	CHECK_ERR(sethostname("x", 1), EPERM);
	CHECK_ERR(setdomainname("x", 1), EPERM);
}

CASE(system_info, "sysinfo")
{
	struct sysinfo i;

	CHECK_EQ(sysinfo(&i), 0);
	CHECK(i.totalram > 0 && i.freeram <= i.totalram && i.mem_unit > 0);
	CHECK(i.procs >= 1 && i.uptime >= 0);
	CHECK_ERR(syscall(SYS_sysinfo, bad), EFAULT);
}

CASE(random_bytes, "getrandom")
{
	char a[300] = "", b[300] = "";

	CHECK_EQ(getrandom(a, sizeof(a), 0), sizeof(a));
	CHECK_EQ(getrandom(b, sizeof(b), GRND_NONBLOCK | GRND_RANDOM), sizeof(b));
	CHECK(memcmp(a, b, sizeof(a)));
	CHECK_EQ(getrandom(a, 0, 0), 0);
	CHECK_ERR(getrandom(a, 1, 0x100), EINVAL);
	CHECK_ERR(getrandom(a, 1, GRND_RANDOM | 4 /* GRND_INSECURE */), EINVAL);
	CHECK_ERR(syscall(SYS_getrandom, bad, 8, 0), EFAULT);
}

CASE(resource_limits, "getrlimit,setrlimit,prlimit64")
{
	struct rlimit rl, old;

	CHECK_EQ(syscall(SYS_getrlimit, RLIMIT_CORE, &old), 0);
	rl = (struct rlimit){ 0, old.rlim_max };
	CHECK_EQ(syscall(SYS_setrlimit, RLIMIT_CORE, &rl), 0);
	CHECK_EQ(syscall(SYS_prlimit64, 0, RLIMIT_CORE, NULL, &old), 0);
	CHECK_EQ(old.rlim_cur, 0);
	rl = (struct rlimit){ 5, 5 };
	CHECK_EQ(syscall(SYS_prlimit64, getpid(), RLIMIT_CORE, &rl, &old), 0);
	CHECK_EQ(old.rlim_cur, 0);
	CHECK_EQ(IN_CHILD({
		getrlimit(RLIMIT_CORE, &rl);
		_exit(rl.rlim_cur != 5);
	}), 0);
	rl = (struct rlimit){ 6, 5 };
	CHECK_ERR(syscall(SYS_setrlimit, RLIMIT_CORE, &rl), EINVAL);
	CHECK_ERR(syscall(SYS_setrlimit, 16, &rl), EINVAL);
	CHECK_ERR(syscall(SYS_getrlimit, 16, &rl), EINVAL);
	CHECK_ERR(syscall(SYS_getrlimit, RLIMIT_CORE, bad), EFAULT);
	CHECK_ERR(syscall(SYS_setrlimit, RLIMIT_CORE, bad), EFAULT);
	CHECK_ERR(syscall(SYS_prlimit64, 99999999, RLIMIT_CORE, NULL, &old), ESRCH);
	drop_root();
	rl = (struct rlimit){ 0, 6 };
	CHECK_ERR(setrlimit(RLIMIT_CORE, &rl), EPERM); /* the hard limit only sinks */
}

CASE(limit_of_a_child, "prlimit64,fork")
{
	struct rlimit rl = { 33, 44 }, old;
	int p[2], q[2], st;
	char c;
	pid_t child;

	CHECK(pipe(p) == 0 && pipe(q) == 0);
	child = fork();
	if (child == 0) {
		if (read(p[0], &c, 1) != 1)
			_exit(2);
		getrlimit(RLIMIT_NOFILE, &rl);
		_exit(!(rl.rlim_cur == 33 && rl.rlim_max == 44));
	}
	CHECK_EQ(prlimit(child, RLIMIT_NOFILE, &rl, &old), 0);
	CHECK(old.rlim_cur != 33);
	CHECK_EQ(write(p[1], "x", 1), 1);
	CHECK_EQ(waitpid(child, &st, 0), child);
	CHECK_EQ(st, 0);
}

CASE(cpu_limit_signals, "setrlimit")
{
	struct rlimit rl = { 1, 2 }, none = { 0, 0 };

	CHECK_EQ(setrlimit(RLIMIT_CORE, &none), 0);
	CHECK_EQ(WTERMSIG(IN_CHILD({
		setrlimit(RLIMIT_CPU, &rl);
		for (;;)
			;
	})), SIGXCPU);
}

CASE(affinity, "sched_getaffinity,sched_setaffinity")
{
	unsigned long m[128] = { 0 }, none[128] = { 0 };
	long n = syscall(SYS_sched_getaffinity, 0, sizeof(m), m);
	unsigned long any = 0;

	CHECK(n > 0 && n % 8 == 0);
	for (int i = 0; i < 128; i++)
		any |= m[i];
	CHECK(any != 0);
	CHECK_EQ(syscall(SYS_sched_setaffinity, 0, (unsigned)n, m), 0);
	CHECK_ERR(syscall(SYS_sched_setaffinity, 0, sizeof(none), none), EINVAL);
	CHECK_ERR(syscall(SYS_sched_getaffinity, 0, 7, m), EINVAL);
	CHECK_ERR(syscall(SYS_sched_getaffinity, 0, 9, m), EINVAL);
	CHECK_ERR(syscall(SYS_sched_getaffinity, 99999999, sizeof(m), m), ESRCH);
	CHECK_ERR(syscall(SYS_sched_setaffinity, 99999999, sizeof(m), m), ESRCH);
	CHECK_ERR(syscall(SYS_sched_getaffinity, 0, sizeof(m), bad), EFAULT);
	CHECK_ERR(syscall(SYS_sched_setaffinity, 0, sizeof(m), bad), EFAULT);
}

CASE(scheduling_policy, "sched_getscheduler,sched_setscheduler,sched_getparam,sched_setparam,sched_yield")
{
	struct sched_param sp = { 7 };

	CHECK_EQ(sched_yield(), 0);
	CHECK_EQ(sched_getscheduler(0), SCHED_OTHER);
	CHECK_EQ(sched_getparam(0, &sp), 0);
	CHECK_EQ(sp.sched_priority, 0);
	CHECK_EQ(sched_setparam(0, &sp), 0);
	sp.sched_priority = 1;
	CHECK_ERR(sched_setparam(0, &sp), EINVAL);
	CHECK_ERR(sched_setscheduler(0, SCHED_OTHER, &sp), EINVAL);
	CHECK_ERR(sched_setscheduler(0, 77, &sp), EINVAL);
	CHECK_ERR(sched_setscheduler(-1, SCHED_OTHER, &sp), EINVAL);
	CHECK_ERR(sched_setscheduler(0, SCHED_OTHER, NULL), EINVAL);
	CHECK_ERR(sched_getscheduler(-1), EINVAL);
	CHECK_ERR(sched_getscheduler(99999999), ESRCH);
	CHECK_ERR(sched_getparam(99999999, &sp), ESRCH);
	CHECK_ERR(sched_getparam(0, NULL), EINVAL);
	sp.sched_priority = 0;
	CHECK_EQ(sched_setscheduler(0, SCHED_BATCH, &sp), 0);
	CHECK_EQ(sched_getscheduler(0), SCHED_BATCH);
	CHECK_EQ(IN_CHILD(_exit(sched_getscheduler(0) != SCHED_BATCH)), 0);
	CHECK_EQ(sched_setscheduler(0, SCHED_OTHER | SCHED_RESET_ON_FORK, &sp), 0);
	CHECK_EQ(sched_getscheduler(0), SCHED_OTHER | SCHED_RESET_ON_FORK);
	drop_root();
	sp.sched_priority = 10;
	CHECK_ERR(sched_setscheduler(0, SCHED_FIFO, &sp), EPERM);
}

CASE(priority_ranges, "sched_get_priority_max,sched_get_priority_min,sched_rr_get_interval")
{
	struct timespec ts = { -1, -1 };

	CHECK_EQ(sched_get_priority_max(SCHED_FIFO), 99);
	CHECK_EQ(sched_get_priority_min(SCHED_RR), 1);
	CHECK_EQ(sched_get_priority_max(SCHED_OTHER), 0);
	CHECK_EQ(sched_get_priority_min(SCHED_BATCH), 0);
	CHECK_ERR(sched_get_priority_max(77), EINVAL);
	CHECK_ERR(sched_get_priority_min(77), EINVAL);
	CHECK_EQ(sched_rr_get_interval(0, &ts), 0);
	CHECK(ts.tv_sec >= 0 && ts.tv_nsec >= 0);
	CHECK_ERR(sched_rr_get_interval(-1, &ts), EINVAL);
	CHECK_ERR(sched_rr_get_interval(99999999, &ts), ESRCH);
	CHECK_ERR(syscall(SYS_sched_rr_get_interval, 0, bad), EFAULT);
}

struct attr {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

CASE(scheduling_attributes, "sched_getattr,sched_setattr")
{
	struct attr a = { .size = 1000 };

	CHECK_EQ(syscall(SYS_sched_getattr, 0, &a, sizeof(a), 0), 0);
	CHECK(a.size == sizeof(a) && a.policy == SCHED_OTHER && a.nice == 0 && a.flags == 0);
	CHECK_ERR(syscall(SYS_sched_getattr, 0, &a, 40, 0), EINVAL);
	CHECK_ERR(syscall(SYS_sched_getattr, 0, &a, sizeof(a), 1), EINVAL);
	CHECK_ERR(syscall(SYS_sched_getattr, 99999999, &a, sizeof(a), 0), ESRCH);
	a.nice = 3;
	CHECK_EQ(syscall(SYS_sched_setattr, 0, &a, 0), 0);
	CHECK_EQ(getpriority(PRIO_PROCESS, 0), 3);
	a.size = 40;
	CHECK_ERR(syscall(SYS_sched_setattr, 0, &a, 0), E2BIG);
	a.size = sizeof(a);
	CHECK_ERR(syscall(SYS_sched_setattr, 0, &a, 1), EINVAL);
	a.policy = 77;
	CHECK_ERR(syscall(SYS_sched_setattr, 0, &a, 0), EINVAL);
	CHECK_ERR(syscall(SYS_sched_setattr, 0, bad, 0), EFAULT);
}

CASE(niceness, "getpriority,setpriority")
{
	CHECK_EQ(syscall(SYS_getpriority, PRIO_PROCESS, 0), 20); /* the raw call avoids negatives */
	CHECK_EQ(setpriority(PRIO_PROCESS, 0, 5), 0);
	CHECK_EQ(syscall(SYS_getpriority, PRIO_PROCESS, 0), 15);
	CHECK_EQ(IN_CHILD(_exit(getpriority(PRIO_PROCESS, 0) != 5)), 0);
	CHECK_EQ(setpriority(PRIO_PROCESS, 0, 100), 0);
	CHECK_EQ(syscall(SYS_getpriority, PRIO_PROCESS, 0), 1); /* cut to 19 */
	CHECK_EQ(syscall(SYS_getpriority, PRIO_PGRP, 0), 1);
	CHECK_ERR(syscall(SYS_getpriority, 9, 0), EINVAL);
	CHECK_ERR(setpriority(9, 0, 1), EINVAL);
	CHECK_ERR(syscall(SYS_getpriority, PRIO_PROCESS, 99999999), ESRCH);
	CHECK_ERR(setpriority(PRIO_PROCESS, 99999999, 1), ESRCH);
	drop_root();
	CHECK_ERR(setpriority(PRIO_PROCESS, 0, 0), EACCES);
	CHECK_EQ(setpriority(PRIO_PROCESS, 0, 19), 0);
}

CASE(which_cpu, "getcpu")
{
	unsigned cpu = ~0U, node = ~0U;

	CHECK_EQ(syscall(SYS_getcpu, &cpu, &node, NULL), 0);
	CHECK(cpu < 4096 && node < 1024);
	CHECK_EQ(syscall(SYS_getcpu, NULL, NULL, NULL), 0);
	for (int i = 0; i < CPU_SETSIZE; i++) {
		cpu_set_t one, was;

		/* Where one is bound to, one is. */
		CPU_ZERO(&one);
		CPU_SET(i, &one);
		sched_getaffinity(0, sizeof(was), &was);
		if (!CPU_ISSET(i, &was) || sched_setaffinity(0, sizeof(one), &one))
			continue;
		CHECK_EQ(syscall(SYS_getcpu, &cpu, NULL, NULL), 0);
		CHECK_EQ(cpu, i);
		CHECK_EQ(sched_getcpu(), i);
		sched_setaffinity(0, sizeof(was), &was);
	}
	CHECK_ERR(syscall(SYS_getcpu, bad, NULL, NULL), EFAULT);
}

CASE(personalities, "personality,uname")
{
	struct utsname u;
	long old = syscall(SYS_personality, 0xffffffffU);

	CHECK(old >= 0);
	CHECK_EQ(personality(ADDR_NO_RANDOMIZE), old);
	CHECK_EQ(personality(0xffffffff), ADDR_NO_RANDOMIZE);
	CHECK_EQ(IN_CHILD(_exit(personality(0xffffffff) != ADDR_NO_RANDOMIZE)), 0);
	CHECK_EQ(personality(PER_LINUX32), ADDR_NO_RANDOMIZE);
	CHECK_EQ(uname(&u), 0);
	CHECK(!strcmp(u.machine, "i686"));
	CHECK_EQ(personality(PER_LINUX), PER_LINUX32);
}

CASE(segment_bases, "arch_prctl")
{
	unsigned long fs = 0, gs = 1, v = 0x1122334455667788, seen = 0;

	CHECK_EQ(syscall(SYS_arch_prctl, ARCH_GET_FS, &fs), 0);
	__asm__("mov %%fs:0,%0" : "=r"(seen));
	CHECK_EQ(fs, seen); /* the thread block points to itself */
	CHECK_EQ(syscall(SYS_arch_prctl, ARCH_SET_FS, fs), 0);
	CHECK_EQ(syscall(SYS_arch_prctl, ARCH_SET_GS, &v), 0);
	CHECK_EQ(syscall(SYS_arch_prctl, ARCH_GET_GS, &gs), 0);
	CHECK_EQ(gs, (unsigned long)&v);
	__asm__("mov %%gs:0,%0" : "=r"(seen) : "m"(v));
	CHECK(seen == v);
	CHECK_EQ(IN_CHILD({
		syscall(SYS_arch_prctl, ARCH_GET_GS, &gs);
		_exit(gs != (unsigned long)&v);
	}), 0);
	CHECK_ERR(syscall(SYS_arch_prctl, ARCH_SET_GS, 1UL << 63), EPERM);
	CHECK_ERR(syscall(SYS_arch_prctl, ARCH_GET_GS, bad), EFAULT);
	CHECK_ERR(syscall(SYS_arch_prctl, 0x9999, &fs), EINVAL);
}

CASE(kernel_log, "syslog")
{
	char b[64];

	if (geteuid() == 0 && klogctl(10, NULL, 0) >= 0) {
		CHECK(klogctl(10, NULL, 0) > 0);
		CHECK_ERR(klogctl(99, b, 8), EINVAL);
		CHECK_ERR(klogctl(3, NULL, 8), EINVAL);
		CHECK_ERR(klogctl(3, b, -1), EINVAL);
		CHECK_EQ(klogctl(3, b, 0), 0);
		CHECK(klogctl(3, b, sizeof(b)) >= 0);
		CHECK_ERR(klogctl(8, NULL, 9), EINVAL);
	}
	drop_root();
	CHECK_ERR(klogctl(5, NULL, 0), EPERM);
	CHECK_ERR(klogctl(2, b, 8), EPERM);
}

CASE(hang_up_needs_a_right, "vhangup")
{
	drop_root();
	CHECK_ERR(vhangup(), EPERM);
}

CASE(memory_barriers, "membarrier")
{
	long q = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);

	if (q < 0 && errno == ENOSYS)
		SKIP("no membarrier");
	CHECK(q >= 0);
	CHECK_ERR(syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 1 << 9, 0), EINVAL);
	CHECK_ERR(syscall(SYS_membarrier, 1 << 20, 0, 0), EINVAL);
	if (q & MEMBARRIER_CMD_GLOBAL)
		CHECK_EQ(syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0), 0);
	if (q & MEMBARRIER_CMD_PRIVATE_EXPEDITED) {
		CHECK_ERR(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0), EPERM);
		CHECK_EQ(syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0), 0);
		CHECK_EQ(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0), 0);
	}
	if (q & MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE) {
		const int cmd = MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE;
		pid_t child;
		int st;

		CHECK_ERR(syscall(SYS_membarrier, cmd, 0, 0), EPERM);
		CHECK_EQ(syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE,
				 0, 0), 0);
		CHECK_EQ(syscall(SYS_membarrier, cmd, 0, 0), 0);
		child = fork(); /* inherits it */
		if (!child)
			_exit(syscall(SYS_membarrier, cmd, 0, 0) == 0 ? 0 : 1);
		CHECK_EQ(waitpid(child, &st, 0), child);
		CHECK_EQ(st, 0);
	}
}

/* The next event, which must be this one. */
static struct inotify_event *next(int fd, int wd, uint32_t mask, const char *name)
{
	static char buf[8192] __attribute__((aligned(8)));
	static ssize_t have, at;
	struct inotify_event *e;

	if (at >= have) {
		have = read(fd, buf, sizeof(buf));
		at = 0;
		if (have <= 0)
			guest_fail(__FILE__, __LINE__, "no event, wanted %x %s: %s", mask, name, strerror(errno));
	}
	e = (struct inotify_event *)(void *)(buf + at);
	at += (ssize_t)(sizeof(*e) + e->len);
	if (e->wd != wd || e->mask != mask || strcmp(e->len ? e->name : "", name))
		guest_fail(__FILE__, __LINE__, "event %d %x '%s', wanted %d %x '%s'", e->wd, e->mask,
			   e->len ? e->name : "", wd, mask, name);
	CHECK(e->len % 16 == 0);
	return e;
}

CASE(watching_a_directory, "inotify_init1,inotify_add_watch,inotify_rm_watch,read")
{
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC), wd, f;
	struct pollfd pf = { fd, POLLIN, 0 };
	uint32_t cookie;
	char b[8];
	int n;

	CHECK(fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
	CHECK_EQ(mkdir("d", 0700), 0);
	wd = inotify_add_watch(fd, "d", IN_ALL_EVENTS & ~(IN_OPEN | IN_ACCESS));
	CHECK(wd > 0);
	CHECK_ERR(read(fd, b, 8), EAGAIN);
	CHECK_EQ(poll(&pf, 1, 0), 0);
	f = open("d/f", O_CREAT | O_RDWR, 0600);
	CHECK_EQ(poll(&pf, 1, 0), 1);
	CHECK_EQ(ioctl(fd, FIONREAD, &n), 0);
	CHECK_EQ(n, 32);
	CHECK_ERR(read(fd, b, 8), EINVAL); /* no room for one */
	CHECK_EQ(write(f, "x", 1), 1);
	CHECK_EQ(write(f, "y", 1), 1); /* equal to the last: told once */
	CHECK_EQ(fchmod(f, 0644), 0);
	CHECK_EQ(close(f), 0);
	CHECK_EQ(rename("d/f", "d/g"), 0);
	CHECK_EQ(mkdir("d/sub", 0700), 0);
	CHECK_EQ(unlink("d/g"), 0);
	CHECK_EQ(rmdir("d/sub"), 0);
	next(fd, wd, IN_CREATE, "f");
	next(fd, wd, IN_MODIFY, "f");
	next(fd, wd, IN_ATTRIB, "f");
	next(fd, wd, IN_CLOSE_WRITE, "f");
	cookie = next(fd, wd, IN_MOVED_FROM, "f")->cookie;
	CHECK_EQ(next(fd, wd, IN_MOVED_TO, "g")->cookie, cookie);
	CHECK(cookie != 0);
	next(fd, wd, IN_CREATE | IN_ISDIR, "sub");
	next(fd, wd, IN_DELETE, "g");
	next(fd, wd, IN_DELETE | IN_ISDIR, "sub");
	CHECK_EQ(inotify_rm_watch(fd, wd), 0);
	next(fd, wd, IN_IGNORED, "");
	CHECK_ERR(inotify_rm_watch(fd, wd), EINVAL);
}

CASE(watching_a_file, "inotify_init,inotify_add_watch,read")
{
	int fd = (int)syscall(SYS_inotify_init), wd, f = open("f", O_CREAT | O_RDWR, 0600);

	CHECK(fd >= 0 && f >= 0);
	wd = inotify_add_watch(fd, "f", IN_MODIFY | IN_DELETE_SELF | IN_MOVE_SELF);
	CHECK(wd > 0);
	CHECK_EQ(ftruncate(f, 10), 0);
	CHECK_EQ(rename("f", "g"), 0);
	next(fd, wd, IN_MODIFY, "");
	next(fd, wd, IN_MOVE_SELF, "");
	CHECK_EQ(inotify_add_watch(fd, "g", IN_ATTRIB | IN_MASK_ADD), wd); /* the same watch */
	CHECK_EQ(fchmod(f, 0640), 0);
	next(fd, wd, IN_ATTRIB, "");
	CHECK_EQ(close(f), 0);
	CHECK_EQ(unlink("g"), 0);
	next(fd, wd, IN_ATTRIB, ""); /* one link fewer */
	next(fd, wd, IN_DELETE_SELF, "");
	next(fd, wd, IN_IGNORED, "");
}

CASE(watch_errors, "inotify_add_watch,inotify_rm_watch,inotify_init1")
{
	int fd = inotify_init1(IN_NONBLOCK), wd, p[2];

	close(open("f", O_CREAT | O_RDWR, 0600));
	CHECK_ERR(inotify_add_watch(fd, "f", 0), EINVAL);
	CHECK_ERR(inotify_add_watch(fd, "none", IN_OPEN), ENOENT);
	CHECK_ERR(inotify_add_watch(fd, "f", IN_OPEN | IN_ONLYDIR), ENOTDIR);
	CHECK_ERR(inotify_add_watch(999, "f", IN_OPEN), EBADF);
	CHECK_EQ(pipe(p), 0);
	CHECK_ERR(inotify_add_watch(p[0], "f", IN_OPEN), EINVAL);
	CHECK_ERR(inotify_rm_watch(p[0], 1), EINVAL);
	CHECK_ERR(inotify_rm_watch(fd, 55), EINVAL);
	CHECK_ERR(inotify_init1(1), EINVAL);
	wd = inotify_add_watch(fd, "f", IN_OPEN | IN_ONESHOT);
	CHECK(wd > 0);
	close(open("f", O_RDONLY));
	close(open("f", O_RDONLY));
	next(fd, wd, IN_OPEN, "");
	next(fd, wd, IN_IGNORED, "");
	char b[64];
	CHECK_ERR(read(fd, b, sizeof(b)), EAGAIN);
}

CASE(unknown_calls, "uname")
{
	CHECK_ERR(syscall(1000), ENOSYS);
	CHECK_ERR(guest_raw(~0ULL, 0, 0, 0, 0, 0, 0), ENOSYS);
	CHECK_ERR(guest_raw(400, 0, 0, 0, 0, 0, 0), ENOSYS);
}

CASE(interrupted_call_restart, "restart_syscall")
{
	/* Without a call to go on with there is nothing to restart. */
	CHECK_ERR(syscall(SYS_restart_syscall), EINTR);
}

MAIN()
