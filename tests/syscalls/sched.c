/* Scheduling and what goes with it: affinity, policies, niceness, I/O priorities, NUMA
 * policies of a machine with one node; reading the clock's state. */
#include "tests/harness/guest.h"

#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <time.h>

/* Without rights from here on. */
static void drop(void)
{
	CHECK(setgid(4242) == 0 && setuid(4242) == 0);
}

static unsigned current_cpu(void)
{
	unsigned cpu = ~0u, node = ~0u;

	CHECK(syscall(SYS_getcpu, &cpu, &node, NULL) == 0);
	CHECK_EQ(node, 0);
	return cpu;
}

CASE(affinity_moves_the_thread, "sched_setaffinity,sched_getaffinity,getcpu")
{
	cpu_set_t all, one, got;
	int n = 0;

	CHECK(sched_getaffinity(0, sizeof(all), &all) == 0);
	for (int i = 0; i < CPU_SETSIZE; i++) {
		if (!CPU_ISSET(i, &all))
			continue;
		n++;
		CPU_ZERO(&one);
		CPU_SET(i, &one);
		CHECK(sched_setaffinity(0, sizeof(one), &one) == 0);
		CHECK(sched_getaffinity(0, sizeof(got), &got) == 0);
		CHECK(CPU_EQUAL(&one, &got));
		for (int j = 0; j < 50; j++) {
			CHECK_EQ(sched_getcpu(), i); /* the vDSO's word */
			CHECK_EQ(current_cpu(), i);
		}
		/* Inherited. */
		CHECK_EQ(IN_CHILD(_exit(sched_getcpu() != i)), 0);
	}
	CHECK_EQ(n, get_nprocs());
	CHECK_ERR(sched_setaffinity(0, 0, &one), EINVAL);
	CPU_ZERO(&one);
	CHECK_ERR(sched_setaffinity(0, sizeof(one), &one), EINVAL);
	CHECK_ERR(syscall(SYS_sched_setaffinity, 1 << 28, sizeof(all), &all), ESRCH);
	CHECK_ERR(syscall(SYS_sched_setaffinity, 0, sizeof(all), 8), EFAULT);
	CHECK_ERR(syscall(SYS_sched_getaffinity, 0, 7, &all), EINVAL);
	CHECK_ERR(syscall(SYS_sched_getaffinity, 0, 4, &all), EINVAL);
	CHECK(syscall(SYS_sched_getaffinity, 0, sizeof(all), &got) % 8 == 0);
	CHECK_ERR(syscall(SYS_getcpu, 8, NULL, NULL), EFAULT);
	CHECK_ERR(syscall(SYS_getcpu, NULL, ~0UL, NULL), EFAULT);
	CHECK(syscall(SYS_getcpu, NULL, NULL, 8) == 0);
	CHECK(sched_setaffinity(0, sizeof(all), &all) == 0);
	pid_t p = getpid();

	CHECK_EQ(IN_CHILD({
		drop();
		CHECK_ERR(sched_setaffinity(p, sizeof(all), &all), EPERM);
		CHECK(sched_getaffinity(p, sizeof(got), &got) == 0);
		CHECK(sched_setaffinity(0, sizeof(all), &all) == 0);
	}), 0);
}

static struct sched_param prio(int n)
{
	return (struct sched_param){ .sched_priority = n };
}

static long set_policy(int policy, int n)
{
	struct sched_param p = prio(n);

	return syscall(SYS_sched_setscheduler, 0, policy, &p);
}

CASE(policies_by_table, "sched_setscheduler,sched_getscheduler,sched_getparam,sched_rr_get_interval")
{
	static const struct { int policy, prio, err; long rr; } tab[] = {
		{ SCHED_OTHER, 0, 0, 0 }, { SCHED_OTHER, 1, EINVAL, 0 }, { SCHED_FIFO, 0, EINVAL, 0 },
		{ SCHED_FIFO, 1, 0, 0 }, { SCHED_FIFO, 99, 0, 0 }, { SCHED_FIFO, 100, EINVAL, 0 },
		{ SCHED_RR, 50, 0, 100000000 }, { SCHED_RR, -1, EINVAL, 0 }, { SCHED_BATCH, 0, 0, 0 },
		{ SCHED_BATCH, 1, EINVAL, 0 }, { SCHED_IDLE, 0, 0, 0 }, { 4, 0, EINVAL, 0 },
		{ 6, 0, EINVAL, 0 }, { 99, 0, EINVAL, 0 }, { -1, 0, EINVAL, 0 },
		{ SCHED_OTHER | SCHED_RESET_ON_FORK, 0, 0, 0 },
	};
	struct sched_param p;
	struct timespec ts;

	for (unsigned i = 0; i < sizeof(tab) / sizeof(tab[0]); i++) {
		errno = 0;
		long r = set_policy(tab[i].policy, tab[i].prio);

		if (errno != tab[i].err)
			guest_fail(__FILE__, __LINE__, "policy %d prio %d: %ld, errno %d, not %d",
				   tab[i].policy, tab[i].prio, r, errno, tab[i].err);
		if (tab[i].err)
			continue;
		CHECK_EQ(syscall(SYS_sched_getscheduler, 0), tab[i].policy);
		CHECK(sched_getparam(0, &p) == 0);
		CHECK_EQ(p.sched_priority, tab[i].prio);
		CHECK(syscall(SYS_sched_rr_get_interval, 0, &ts) == 0);
		CHECK_EQ(ts.tv_sec, 0);
		CHECK_EQ(ts.tv_nsec, tab[i].rr);
	}
	/* Reset in the child. */
	CHECK(set_policy(SCHED_FIFO | SCHED_RESET_ON_FORK, 5) == 0);
	CHECK_EQ(IN_CHILD(_exit((int)syscall(SYS_sched_getscheduler, 0))), 0);
	CHECK(set_policy(SCHED_FIFO, 5) == 0);
	CHECK_EQ(IN_CHILD(_exit((int)syscall(SYS_sched_getscheduler, 0))), SCHED_FIFO << 8);
	CHECK_ERR(syscall(SYS_sched_getscheduler, -1), EINVAL);
	CHECK_ERR(syscall(SYS_sched_getscheduler, 1 << 28), ESRCH);
	CHECK_ERR(syscall(SYS_sched_setscheduler, 0, 0, NULL), EINVAL);
	CHECK_ERR(syscall(SYS_sched_setscheduler, 0, 0, 8), EFAULT);
	CHECK_ERR(syscall(SYS_sched_rr_get_interval, -1, &ts), EINVAL);
	CHECK_ERR(syscall(SYS_sched_rr_get_interval, 1 << 28, &ts), ESRCH);
	CHECK_ERR(syscall(SYS_sched_rr_get_interval, 0, 8), EFAULT);
}

CASE(policies_without_rights, "sched_setscheduler,setrlimit")
{
	struct rlimit l = { 0, 0 };
	pid_t parent = getpid();

	CHECK_EQ(IN_CHILD({
		struct sched_param p = prio(0);

		CHECK(setrlimit(RLIMIT_RTPRIO, &l) == 0);
		drop();
		CHECK_ERR(set_policy(SCHED_FIFO, 1), EPERM);
		CHECK(set_policy(SCHED_BATCH, 0) == 0);
		CHECK(set_policy(SCHED_IDLE, 0) == 0);
		CHECK_ERR(syscall(SYS_sched_setscheduler, parent, SCHED_OTHER, &p), EPERM);
	}), 0);
	l.rlim_cur = l.rlim_max = 10;
	if (setrlimit(RLIMIT_RTPRIO, &l) != 0)
		return; /* natively perhaps not without CAP_SYS_RESOURCE */
	CHECK_EQ(IN_CHILD({
		drop();
		CHECK(set_policy(SCHED_FIFO, 10) == 0);
		CHECK_ERR(set_policy(SCHED_FIFO, 11), EPERM);
		CHECK(set_policy(SCHED_RR, 3) == 0);
		l.rlim_cur = 0;
		CHECK(setrlimit(RLIMIT_RTPRIO, &l) == 0);
		CHECK(set_policy(SCHED_RR, 2) == 0); /* down is always good */
		CHECK_ERR(set_policy(SCHED_RR, 3), EPERM);
		CHECK_ERR(set_policy(SCHED_FIFO, 2), EPERM);
		CHECK(set_policy(SCHED_OTHER, 0) == 0);
	}), 0);
}

CASE(niceness_by_table, "setpriority,getpriority,setrlimit")
{
	static const struct { int set, get; } tab[] = { { 5, 5 }, { -5, -5 }, { 100, 19 },
						        { -100, -20 }, { 0, 0 } };
	struct rlimit l = { 0, 0 };
	pid_t parent = getpid();

	for (unsigned i = 0; i < sizeof(tab) / sizeof(tab[0]); i++) {
		CHECK(setpriority(PRIO_PROCESS, 0, tab[i].set) == 0);
		CHECK_EQ(20 - syscall(SYS_getpriority, PRIO_PROCESS, 0), tab[i].get);
		CHECK_EQ(IN_CHILD(_exit(20 - (int)syscall(SYS_getpriority, PRIO_PROCESS, 0) !=
					tab[i].get)), 0);
	}
	CHECK_ERR(syscall(SYS_getpriority, 3, 0), EINVAL);
	CHECK_ERR(syscall(SYS_getpriority, -1, 0), EINVAL);
	CHECK_ERR(syscall(SYS_setpriority, 3, 0, 0), EINVAL);
	CHECK_ERR(syscall(SYS_getpriority, PRIO_PROCESS, 1 << 28), ESRCH);
	CHECK_ERR(syscall(SYS_getpriority, PRIO_PGRP, 1 << 28), ESRCH);
	CHECK_ERR(syscall(SYS_getpriority, PRIO_USER, 77777), ESRCH);
	CHECK_ERR(syscall(SYS_setpriority, PRIO_USER, 77777, 0), ESRCH);
	/* The best of a group; the own group is set as a whole. */
	CHECK(setpriority(PRIO_PGRP, 0, 7) == 0);
	CHECK_EQ(20 - syscall(SYS_getpriority, PRIO_PGRP, 0), 7);
	CHECK_EQ(IN_CHILD({
		CHECK(setpriority(PRIO_PROCESS, 0, 3) == 0);
		CHECK_EQ(20 - syscall(SYS_getpriority, PRIO_PGRP, 0), 3);
	}), 0);
	CHECK(setpriority(PRIO_PROCESS, 0, 0) == 0);
	CHECK_EQ(IN_CHILD({
		CHECK(setrlimit(RLIMIT_NICE, &l) == 0);
		drop();
		CHECK_ERR(setpriority(PRIO_PROCESS, 0, -1), EACCES);
		CHECK(setpriority(PRIO_PROCESS, 0, 4) == 0);
		CHECK_ERR(setpriority(PRIO_PROCESS, 0, 3), EACCES);
		CHECK_ERR(setpriority(PRIO_PROCESS, parent, 5), EPERM);
	}), 0);
	l.rlim_cur = l.rlim_max = 22; /* down to -2 */
	if (setrlimit(RLIMIT_NICE, &l) != 0)
		return; /* the same */
	CHECK_EQ(IN_CHILD({
		drop();
		CHECK(setpriority(PRIO_PROCESS, 0, -2) == 0);
		CHECK_ERR(setpriority(PRIO_PROCESS, 0, -3), EACCES);
	}), 0);
}

struct attr {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t prio;
	uint64_t runtime, deadline, period;
	uint32_t util_min, util_max;
};

CASE(attributes, "sched_setattr,sched_getattr")
{
	struct attr a = { .size = 48, .policy = SCHED_BATCH, .nice = 3 }, g;

	CHECK(syscall(SYS_sched_setattr, 0, &a, 0) == 0);
	memset(&g, 0xff, sizeof(g));
	CHECK(syscall(SYS_sched_getattr, 0, &g, 48, 0) == 0);
	CHECK_EQ(g.size, 48);
	CHECK_EQ(g.policy, SCHED_BATCH);
	CHECK_EQ(g.nice, 3);
	CHECK_EQ(g.prio, 0);
	a = (struct attr){ .size = 48, .policy = SCHED_RR, .prio = 4, .flags = 1 };
	CHECK(syscall(SYS_sched_setattr, 0, &a, 0) == 0);
	CHECK(syscall(SYS_sched_getattr, 0, &g, sizeof(g), 0) == 0);
	CHECK_EQ(g.policy, SCHED_RR);
	CHECK_EQ(g.prio, 4);
	CHECK_EQ(g.flags, 1);
	CHECK_EQ(syscall(SYS_sched_getscheduler, 0), SCHED_RR | SCHED_RESET_ON_FORK);
	CHECK_ERR(syscall(SYS_sched_setattr, 0, NULL, 0), EINVAL);
	CHECK_ERR(syscall(SYS_sched_setattr, 0, &a, 1), EINVAL);
	CHECK_ERR(syscall(SYS_sched_setattr, -1, &a, 0), EINVAL);
	CHECK_ERR(syscall(SYS_sched_setattr, 1 << 28, &a, 0), ESRCH);
	CHECK_ERR(syscall(SYS_sched_getattr, 0, &g, 47, 0), EINVAL);
	CHECK_ERR(syscall(SYS_sched_getattr, 0, &g, 4097, 0), EINVAL);
	CHECK_ERR(syscall(SYS_sched_getattr, 0, &g, 48, 1), EINVAL);
	a.size = 10;
	CHECK_ERR(syscall(SYS_sched_setattr, 0, &a, 0), E2BIG);
	a.size = 0; /* the first version */
	CHECK(syscall(SYS_sched_setattr, 0, &a, 0) == 0);
	a = (struct attr){ .size = 48, .policy = 77 };
	CHECK_ERR(syscall(SYS_sched_setattr, 0, &a, 0), EINVAL);
	a = (struct attr){ .size = 48, .flags = 1ULL << 40 };
	CHECK_ERR(syscall(SYS_sched_setattr, 0, &a, 0), EINVAL);
	a = (struct attr){ .size = 48, .policy = SCHED_DEADLINE };
	CHECK_ERR(syscall(SYS_sched_setattr, 0, &a, 0), EINVAL); /* no times */
}

CASE(io_priorities, "ioprio_set,ioprio_get")
{
	static const struct { int set, err, get; } tab[] = {
		{ 3, EINVAL, 0 }, { 1 << 13 | 3, 0, 1 << 13 | 3 }, { 2 << 13 | 3, 0, 2 << 13 | 3 },
		{ 3 << 13 | 3, 0, 3 << 13 | 3 }, { 4 << 13, EINVAL, 0 }, { 7 << 13, EINVAL, 0 },
		{ 8 << 13 | 3, EINVAL, 0 }, { 2 << 13 | 7 << 3, 0, 2 << 13 | 7 << 3 },
		{ 0x10000 | 2 << 13, 0, 2 << 13 }, { 0, 0, 0 },
	};
	pid_t parent = getpid();

	CHECK_EQ(syscall(SYS_ioprio_get, 1, 0), 0);
	for (unsigned i = 0; i < sizeof(tab) / sizeof(tab[0]); i++) {
		errno = 0;
		syscall(SYS_ioprio_set, 1, 0, tab[i].set);
		CHECK_EQ(errno, tab[i].err);
		if (!tab[i].err)
			CHECK_EQ(syscall(SYS_ioprio_get, 1, 0), tab[i].get);
	}
	CHECK_EQ(syscall(SYS_ioprio_get, 2, 0), 2 << 13 | 4); /* from the niceness */
	CHECK(setpriority(PRIO_PROCESS, 0, 19) == 0);
	CHECK_EQ(syscall(SYS_ioprio_get, 2, 0), 2 << 13 | 7);
	CHECK(setpriority(PRIO_PROCESS, 0, 0) == 0);
	CHECK_ERR(syscall(SYS_ioprio_get, 0, 0), EINVAL);
	CHECK_ERR(syscall(SYS_ioprio_get, 4, 0), EINVAL);
	CHECK_ERR(syscall(SYS_ioprio_set, 4, 0, 0), EINVAL);
	CHECK_ERR(syscall(SYS_ioprio_get, 1, 1 << 28), ESRCH);
	CHECK_ERR(syscall(SYS_ioprio_set, 1, 1 << 28, 0), ESRCH);
	CHECK_ERR(syscall(SYS_ioprio_get, 2, 1 << 28), ESRCH);
	CHECK_ERR(syscall(SYS_ioprio_get, 3, 77777), ESRCH);
	CHECK(syscall(SYS_ioprio_set, 1, 0, 2 << 13 | 6) == 0);
	CHECK_EQ(IN_CHILD({
		CHECK_EQ(syscall(SYS_ioprio_get, 1, 0), 2 << 13 | 6);
		drop();
		CHECK_ERR(syscall(SYS_ioprio_set, 1, 0, 1 << 13), EPERM);
		CHECK(syscall(SYS_ioprio_set, 1, 0, 3 << 13) == 0);
		CHECK_ERR(syscall(SYS_ioprio_set, 1, parent, 3 << 13), EPERM);
	}), 0);
}

/* ---- NUMA ---- */

static long set_mp(int mode, uint64_t mask, uint64_t max)
{
	return syscall(SYS_set_mempolicy, mode, &mask, max);
}

CASE(memory_policies, "set_mempolicy,get_mempolicy")
{
	static const struct { int mode; uint64_t mask; int err, get; uint64_t getmask; } tab[] = {
		{ 0, 1, EINVAL, 0, 0 }, { 0, 0, 0, 0, 0 }, { 1, 1, 0, 1, 1 }, { 1, 0, 0, 4, 0 },
		{ 1, 2, EINVAL, 0, 0 }, { 1, 3, 0, 1, 1 }, { 2, 1, 0, 2, 1 }, { 2, 0, EINVAL, 0, 0 },
		{ 2, 2, EINVAL, 0, 0 }, { 2, 3, 0, 2, 1 }, { 3, 1, 0, 3, 1 }, { 3, 0, EINVAL, 0, 0 },
		{ 4, 1, EINVAL, 0, 0 }, { 4, 0, 0, 4, 0 }, { 5, 1, 0, 5, 1 }, { 5, 0, EINVAL, 0, 0 },
		{ 6, 1, 0, 6, 1 }, { 6, 2, EINVAL, 0, 0 }, { 7, 1, EINVAL, 0, 0 },
		{ 0x2002, 1, 0, 0x2002, 1 }, { 0x4002, 1, 0, 0x4002, 1 }, { 0x8002, 1, 0, 0x8002, 1 },
		{ 0xc002, 1, EINVAL, 0, 0 }, { 0x2001, 1, EINVAL, 0, 0 }, { 0x8001, 0, EINVAL, 0, 0 },
		{ 0x8000, 0, 0, 0, 0 }, { -1, 0, EINVAL, 0, 0 }, { 0x8002, 3, 0, 0x8002, 3 },
	};
	uint64_t m[16];
	int mode;

	mode = -1;
	CHECK(syscall(SYS_get_mempolicy, &mode, m, 1024, 0, 0) == 0);
	CHECK(mode == 0 && m[0] == 0);
	for (unsigned i = 0; i < sizeof(tab) / sizeof(tab[0]); i++) {
		errno = 0;
		set_mp(tab[i].mode, tab[i].mask, 64);
		if (errno != tab[i].err)
			guest_fail(__FILE__, __LINE__, "mode %#x mask %d: errno %d, not %d",
				   tab[i].mode, (int)tab[i].mask, errno, tab[i].err);
		if (tab[i].err)
			continue;
		memset(m, 0xff, sizeof(m));
		CHECK(syscall(SYS_get_mempolicy, &mode, m, 1024, 0, 0) == 0);
		CHECK_EQ(mode, tab[i].get);
		CHECK_EQ(m[0], tab[i].getmask);
		CHECK_EQ(m[15], 0); /* all of the caller's mask is written */
	}
	CHECK(set_mp(2, 1, 2) == 0);
	CHECK_ERR(set_mp(2, 1, 1), EINVAL); /* no bit is looked at */
	CHECK_ERR(set_mp(2, 1, 1 << 20), EINVAL);
	CHECK_ERR(syscall(SYS_set_mempolicy, 2, 8, 64), EFAULT);
	/* Inherited. */
	CHECK_EQ(IN_CHILD({
		CHECK(syscall(SYS_get_mempolicy, &mode, NULL, 0, 0, 0) == 0);
		CHECK_EQ(mode, 2);
	}), 0);
	CHECK(syscall(SYS_get_mempolicy, NULL, m, 1024, 0, 4) == 0);
	CHECK_EQ(m[0], 1); /* node 0 is what may be used */
	CHECK_ERR(syscall(SYS_get_mempolicy, &mode, NULL, 0, 0, 8), EINVAL);
	CHECK_ERR(syscall(SYS_get_mempolicy, &mode, NULL, 0, 0, 5), EINVAL);
	CHECK_ERR(syscall(SYS_get_mempolicy, &mode, NULL, 0, 0, 1), EINVAL);
	CHECK_ERR(syscall(SYS_get_mempolicy, &mode, NULL, 0, 8, 2), EFAULT);
	CHECK_ERR(syscall(SYS_get_mempolicy, &mode, NULL, 0, &mode, 0), EINVAL);
	CHECK_ERR(syscall(SYS_get_mempolicy, &mode, m, 0, 0, 0), EINVAL);
	CHECK(syscall(SYS_get_mempolicy, &mode, NULL, 0, &mode, 3) == 0);
	CHECK_EQ(mode, 0);
	CHECK(set_mp(0, 0, 64) == 0);
	CHECK_ERR(set_mp(0, 0, 0), EINVAL);
}

CASE(policies_of_areas, "mbind,move_pages,migrate_pages,set_mempolicy_home_node")
{
	char *m = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void *pages[3] = { m, m + 1, (void *)8 };
	int nodes[3] = { 0, 0, 0 }, status[3] = { 9, 9, 9 };
	uint64_t one = 1, two = 2, zero = 0;

	m[0] = 1;
	CHECK(syscall(SYS_mbind, m, 16384, 2, &one, 64, 0) == 0);
	CHECK_ERR(syscall(SYS_mbind, m + 1, 16384, 2, &one, 64, 0), EINVAL);
	CHECK(syscall(SYS_mbind, m, 0, 2, &one, 64, 0) == 0);
	CHECK_ERR(syscall(SYS_mbind, m, 4096, 2, &one, 64, 8), EINVAL);
	CHECK_ERR(syscall(SYS_mbind, m, 4096, 2, &two, 64, 0), EINVAL);
	CHECK_ERR(syscall(SYS_mbind, m, 4096, 99, &one, 64, 0), EINVAL);
	CHECK_ERR(syscall(SYS_mbind, m, 4096, 2, 8, 64, 0), EFAULT);
	CHECK_ERR(syscall(SYS_mbind, NULL, 4096, 2, &one, 64, 0), EFAULT);
	CHECK(syscall(SYS_mbind, m, 16384, 0, NULL, 0, 0) == 0);
	CHECK_ERR(syscall(450, m, 16384, 0, 0), ENOENT);
	CHECK_ERR(syscall(450, m, 16384, 1, 0), EINVAL);
	CHECK_ERR(syscall(450, m, 16384, 0, 1), EINVAL);
	CHECK_ERR(syscall(450, m + 1, 16384, 0, 0), EINVAL);
	CHECK(syscall(450, m, 0, 0, 0) == 0);

	CHECK(syscall(SYS_move_pages, 0, 3, pages, NULL, status, 0) == 0);
	CHECK(status[0] == 0 && status[1] == 0 && status[2] == -EFAULT);
	CHECK(syscall(SYS_move_pages, 0, 3, pages, nodes, status, 2) == 0);
	CHECK(status[0] == 0 && status[2] == -EFAULT);
	nodes[1] = 1;
	CHECK_ERR(syscall(SYS_move_pages, 0, 3, pages, nodes, status, 2), ENODEV);
	CHECK_ERR(syscall(SYS_move_pages, 0, 1, pages, nodes, status, 1), EINVAL);
	CHECK_ERR(syscall(SYS_move_pages, 1 << 28, 1, pages, NULL, status, 0), ESRCH);
	CHECK(syscall(SYS_move_pages, 0, 0, NULL, NULL, NULL, 0) == 0);
	CHECK_ERR(syscall(SYS_move_pages, 0, 1, 8, NULL, status, 0), EFAULT);
	CHECK_ERR(syscall(SYS_move_pages, 0, 1, pages, 8, status, 0), EFAULT);
	CHECK_ERR(syscall(SYS_move_pages, 0, 1, pages, NULL, 8, 0), EFAULT);

	CHECK(syscall(SYS_migrate_pages, 0, 64, &one, &one) == 0);
	CHECK_ERR(syscall(SYS_migrate_pages, 0, 64, &one, &two), EINVAL);
	CHECK_ERR(syscall(SYS_migrate_pages, 0, 64, &one, &zero), EINVAL);
	CHECK(syscall(SYS_migrate_pages, 0, 64, &two, &one) == 0);
	CHECK_ERR(syscall(SYS_migrate_pages, 1 << 28, 64, &one, &one), ESRCH);
	CHECK_ERR(syscall(SYS_migrate_pages, 0, 64, 8, &one), EFAULT);
	CHECK_ERR(syscall(SYS_migrate_pages, 0, 64, &one, 8), EFAULT);
	pid_t p = getpid();

	CHECK_EQ(IN_CHILD({
		drop();
		CHECK_ERR(syscall(SYS_migrate_pages, p, 64, &one, &one), EPERM);
		CHECK_ERR(syscall(SYS_move_pages, p, 1, pages, NULL, status, 0), EPERM);
		CHECK_ERR(syscall(SYS_move_pages, 0, 1, pages, NULL, status, 4), EPERM);
		CHECK_ERR(syscall(SYS_mbind, m, 4096, 2, &one, 64, 4), EPERM);
	}), 0);
}

/* ---- the clock's state ---- */

CASE(clock_state, "adjtimex,clock_adjtime")
{
	struct timex tx = { .modes = 0 }, ty = { .modes = 0 };
	struct timespec now, tai;
	int r = (int)syscall(SYS_adjtimex, &tx);

	CHECK(r >= 0 && r <= 5);
	clock_gettime(CLOCK_REALTIME, &now);
	CHECK(llabs(tx.time.tv_sec - now.tv_sec) <= 1);
	clock_gettime(CLOCK_TAI, &tai);
	CHECK(llabs(tai.tv_sec - now.tv_sec - tx.tai) <= 1);
	CHECK_EQ(tx.tick, 10000);
	CHECK(tx.precision == 1 && tx.tolerance == 32768000);
	CHECK(tx.maxerror >= 0 && tx.maxerror <= 16000000);
	CHECK((r == 5) == !!(tx.status & 0x40));
	CHECK_EQ(syscall(SYS_clock_adjtime, CLOCK_REALTIME, &ty), r);
	CHECK(ty.status == tx.status && ty.freq == tx.freq && ty.tai == tx.tai);
	CHECK_ERR(syscall(SYS_clock_adjtime, CLOCK_MONOTONIC, &ty), EOPNOTSUPP);
	CHECK_ERR(syscall(SYS_clock_adjtime, CLOCK_TAI, &ty), EOPNOTSUPP);
	CHECK_ERR(syscall(SYS_clock_adjtime, CLOCK_PROCESS_CPUTIME_ID, &ty), EOPNOTSUPP);
	CHECK_ERR(syscall(SYS_clock_adjtime, 99, &ty), EINVAL);
	CHECK_ERR(syscall(SYS_clock_adjtime, CLOCK_REALTIME, 8), EFAULT);
	CHECK_ERR(syscall(SYS_clock_adjtime, 99, 8), EFAULT);
	CHECK_ERR(syscall(SYS_adjtimex, 8), EFAULT);
}

CASE(clock_cannot_be_set, "adjtimex,clock_adjtime,settimeofday,clock_settime")
{
	CHECK_EQ(IN_CHILD({
		struct timex tx = { .modes = ADJ_FREQUENCY };
		struct timeval tv = { 1000000, 0 };
		struct timespec ts = { 1000000, 0 };
		struct timezone tz = { 0, 0 };

		drop();
		CHECK_ERR(syscall(SYS_adjtimex, &tx), EPERM);
		CHECK_ERR(syscall(SYS_clock_adjtime, CLOCK_REALTIME, &tx), EPERM);
		tx.modes = ADJ_TICK;
		tx.tick = 1;
		CHECK_ERR(syscall(SYS_adjtimex, &tx), EPERM);
		tx.modes = ADJ_OFFSET_SINGLESHOT;
		CHECK_ERR(syscall(SYS_adjtimex, &tx), EPERM);
		tx.modes = 0x8000;
		CHECK_ERR(syscall(SYS_adjtimex, &tx), EINVAL);
		tx.modes = ADJ_OFFSET_SS_READ;
		CHECK(syscall(SYS_adjtimex, &tx) >= 0);
		tx.modes = ADJ_SETOFFSET;
		CHECK_ERR(syscall(SYS_adjtimex, &tx), EPERM);
		CHECK_ERR(syscall(SYS_settimeofday, &tv, NULL), EPERM);
		CHECK_ERR(syscall(SYS_settimeofday, NULL, &tz), EPERM);
		CHECK_ERR(syscall(SYS_settimeofday, &tv, &tz), EPERM);
		CHECK_ERR(syscall(SYS_settimeofday, 8, NULL), EFAULT);
		CHECK_ERR(syscall(SYS_settimeofday, NULL, 8), EFAULT);
		tv.tv_usec = 1000001;
		CHECK_ERR(syscall(SYS_settimeofday, &tv, NULL), EINVAL);
		tv.tv_usec = -1;
		CHECK_ERR(syscall(SYS_settimeofday, &tv, NULL), EINVAL);
		tv = (struct timeval){ -1, 0 };
		CHECK_ERR(syscall(SYS_settimeofday, &tv, NULL), EINVAL);
		CHECK_ERR(syscall(SYS_clock_settime, CLOCK_REALTIME, &ts), EPERM);
		CHECK_ERR(syscall(SYS_clock_settime, CLOCK_MONOTONIC, &ts), EINVAL);
		CHECK_ERR(syscall(SYS_clock_settime, CLOCK_BOOTTIME, &ts), EINVAL);
		CHECK_ERR(syscall(SYS_clock_settime, CLOCK_TAI, &ts), EINVAL);
		CHECK_ERR(syscall(SYS_clock_settime, 99, &ts), EINVAL);
		ts.tv_nsec = 1000000000;
		CHECK_ERR(syscall(SYS_clock_settime, CLOCK_REALTIME, &ts), EINVAL);
	}), 0);
}

/* Reading the clock by the vDSO is no system call: 100 times faster than one, at least
 * where calls are trapped, and below a microsecond anywhere. */
CASE(vdso_reads_are_native, "clock_gettime")
{
	enum { N = 20000 };
	static const clockid_t clocks[] = { CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME,
					    CLOCK_TAI, CLOCK_MONOTONIC_RAW,
					    CLOCK_REALTIME_COARSE };

	for (unsigned c = 0; c < sizeof(clocks) / sizeof(clocks[0]); c++) {
		long best = 1L << 60;

		for (int round = 0; round < 5; round++) {
			struct timespec a, b, t;

			clock_gettime(CLOCK_MONOTONIC, &a);
			for (int i = 0; i < N; i++)
				clock_gettime(clocks[c], &t);
			clock_gettime(CLOCK_MONOTONIC, &b);
			long ns = (b.tv_sec - a.tv_sec) * 1000000000 + b.tv_nsec - a.tv_nsec;

			if (ns < best)
				best = ns;
		}
		if (best / N >= 1000)
			guest_fail(__FILE__, __LINE__, "clock %d: %ld ns a read", clocks[c],
				   best / N);
	}
}

MAIN()
