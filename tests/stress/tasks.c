/* Stress: threads, processes, exec, memory, futexes. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/stress/stress.h"

static void *must_thread(void *(*fn)(void *), void *arg, pthread_t *out)
{
	pthread_attr_t at;
	pthread_t th;

	pthread_attr_init(&at);
	pthread_attr_setstacksize(&at, 65536);
	if (pthread_create(&th, &at, fn, arg) != 0)
		FAIL("pthread_create");
	pthread_attr_destroy(&at);
	if (out)
		*out = th;
	else
		pthread_detach(th);
	return NULL;
}

static int count_threads(void)
{
	char line[128];
	FILE *f = fopen("/proc/self/status", "r");
	int n = 0;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "Threads: %d", &n) == 1)
			break;
	if (f)
		fclose(f);
	return n;
}

/* argv: the pid it must have, the exit status. */
int stress_exec_child(int argc, char **argv)
{
	if (argc < 2 || atoi(argv[0]) != getpid() || syscall(SYS_gettid) != getpid())
		return 201;
	if (count_threads() != 1)
		return 202;
	if (fcntl(100, F_GETFD) != -1)
		return 203;
	return atoi(argv[1]);
}

static int pipe_of_sleepers[2];

static void *busy(void *arg)
{
	volatile unsigned long n = 0;
	char c;

	switch ((int)(intptr_t)arg) {
	case 0:
		for (;;)
			n++;
	case 1:
		for (;;)
			if (read(pipe_of_sleepers[0], &c, 1) == 1)
				FAIL("a byte from nowhere");
	case 2:
		for (;;)
			getppid();
	default:
		for (;;)
			usleep(500);
	}
}

static void *exec_from_thread(void *arg)
{
	char pid[16], status[16];

	(void)arg;
	snprintf(pid, sizeof(pid), "%d", getpid());
	snprintf(status, sizeof(status), "%d", 42);
	execl(stress_self, "stress", "exec-child", pid, status, (char *)NULL);
	FAIL("execl %s", stress_self);
}

/* One thread of many execs: the others die, the pid stays, marked descriptors close. */
long stress_thread_exec(void)
{
	long rounds = 0;

	while (!slice_over()) {
		int st;
		pid_t pid = spawn();

		if (pid == 0) {
			MUST(pipe(pipe_of_sleepers) == 0);
			MUST(dup3(pipe_of_sleepers[0], 100, O_CLOEXEC) == 100);
			for (int i = 0; i < 6; i++)
				must_thread(busy, (void *)(intptr_t)(i % 4), NULL);
			if (rnd(2))
				usleep(rnd(2000));
			if (rnd(2))
				exec_from_thread(NULL);
			must_thread(exec_from_thread, NULL, NULL);
			for (;;)
				pause();
		}
		st = reap(pid);
		if (!WIFEXITED(st) || WEXITSTATUS(st) != 42)
			FAIL("exec'd child: status %#x", (unsigned)st);
		rounds++;
	}
	return rounds;
}

static void *exits(void *arg)
{
	usleep((useconds_t)(intptr_t)arg);
	exit(17);
}

/* exit() from any thread, or a fatal signal, ends them all with the right status. */
long stress_group_exit(void)
{
	long rounds = 0;

	while (!slice_over()) {
		bool by_signal = rnd(3) == 0;
		int st;
		pid_t pid = spawn();

		if (pid == 0) {
			MUST(pipe(pipe_of_sleepers) == 0);
			for (int i = 0; i < 5; i++)
				must_thread(busy, (void *)(intptr_t)(i % 4), NULL);
			if (by_signal) {
				usleep(rnd(1000));
				kill(getpid(), SIGTERM);
			} else {
				must_thread(exits, (void *)(intptr_t)rnd(1000), NULL);
			}
			for (;;)
				pause();
		}
		st = reap(pid);
		if (by_signal)
			MUST(WIFSIGNALED(st) && WTERMSIG(st) == SIGTERM);
		else
			MUST(WIFEXITED(st) && WEXITSTATUS(st) == 17);
		rounds++;
	}
	return rounds;
}

static void *vforker(void *arg)
{
	long *n = arg;

	while (!slice_over()) {
		pid_t pid = vfork();

		if (pid == 0) {
			execl("/bin/true", "true", (char *)NULL);
			_exit(99);
		}
		if (pid < 0)
			FAIL("vfork");
		MUST(reap(pid) == 0);
		++*n;
	}
	return NULL;
}

long stress_vfork_exec(void)
{
	pthread_t th[3];
	long n[3] = { 0 };

	for (int i = 0; i < 3; i++)
		must_thread(vforker, &n[i], &th[i]);
	for (int i = 0; i < 3; i++)
		pthread_join(th[i], NULL);
	return n[0] + n[1] + n[2];
}

#define MAP_PAGES 16
/* Parts of one mapping are changed: mprotect splits it, MADV_DONTNEED empties pages. */
static void split_and_join(void)
{
	size_t pg = 4096, len = MAP_PAGES * pg;
	uint8_t *m = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	MUST(m != MAP_FAILED);
	for (unsigned i = 0; i < MAP_PAGES; i++)
		m[i * pg] = (uint8_t)(i + 1);
	MUST(mprotect(m + 4 * pg, 4 * pg, PROT_READ) == 0);
	MUST(madvise(m + 8 * pg, 2 * pg, MADV_DONTNEED) == 0);
	for (unsigned i = 0; i < MAP_PAGES; i++)
		MUST(m[i * pg] == (i == 8 || i == 9 ? 0 : i + 1));
	/* Three mappings by now: Linux does not let mremap span them. */
	MUST(mremap(m, len, 2 * len, MREMAP_MAYMOVE) == MAP_FAILED && errno == EFAULT);
	MUST(munmap(m, len) == 0);
}

static void *mapper(void *arg)
{
	size_t len = 64 * 4096;
	long *n = arg;

	while (!slice_over()) {
		uint8_t *m = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		uint8_t *b;

		MUST(m != MAP_FAILED);
		memset(m, 0x5a, len);
		b = mremap(m, len, 2 * len, MREMAP_MAYMOVE);
		MUST(b != MAP_FAILED && b[len - 1] == 0x5a && b[len] == 0);
		MUST(munmap(b, 2 * len) == 0);
		split_and_join();
		++*n;
	}
	return NULL;
}

/* Address spaces change and are copied at the same time. */
long stress_map_fork(void)
{
	pthread_t th[2];
	long n[2] = { 0 }, forks = 0;
	uint32_t *priv = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint32_t *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	MUST(priv != MAP_FAILED && shared != MAP_FAILED);
	for (int i = 0; i < 2; i++)
		must_thread(mapper, &n[i], &th[i]);
	while (!slice_over()) {
		pid_t pid;

		*priv = (uint32_t)forks;
		pid = spawn();
		if (pid == 0) {
			MUST(*priv == (uint32_t)forks);
			*priv = 0xdead;
			*shared = (uint32_t)forks + 1;
			_exit(0);
		}
		MUST(reap(pid) == 0);
		MUST(*priv == (uint32_t)forks && *shared == (uint32_t)forks + 1);
		forks++;
	}
	for (int i = 0; i < 2; i++)
		pthread_join(th[i], NULL);
	return forks ? n[0] + n[1] : 0;
}

static _Atomic uint32_t gate;
static _Atomic uint32_t waiting, through;

static void *blocked(void *arg)
{
	(void)arg;
	waiting++;
	while (gate == 0)
		syscall(SYS_futex, &gate, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
	through++;
	return NULL;
}

/* Ten thousand threads wait at one futex; all of them go when it opens. */
long stress_blocked_threads(void)
{
	int n = SCALED(10000), made = 0;
	pthread_t *th = calloc((size_t)n, sizeof(*th));
	struct rlimit rl = { RLIM_INFINITY, RLIM_INFINITY };

	setrlimit(RLIMIT_NPROC, &rl);
	MUST(th);
	for (; made < n; made++) {
		pthread_attr_t at;
		int e;

		pthread_attr_init(&at);
		pthread_attr_setstacksize(&at, PTHREAD_STACK_MIN);
		pthread_attr_setguardsize(&at, 0);
		e = pthread_create(&th[made], &at, blocked, NULL);
		pthread_attr_destroy(&at);
		if (e)
			FAIL("pthread_create: thread %d: %s", made, strerror(e));
	}
	while (waiting < (uint32_t)n)
		usleep(1000);
	gate = 1;
	syscall(SYS_futex, &gate, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
	for (int i = 0; i < made; i++)
		MUST(pthread_join(th[i], NULL) == 0);
	MUST(through == (uint32_t)n);
	free(th);
	return 1;
}

struct tree {
	_Atomic uint32_t alive, sum, open;
	_Atomic int32_t left;
};

static void tree_node(struct tree *t, int depth)
{
	int kids = 0;
	pid_t pid[4];

	t->alive++;
	t->sum += 1;
	while (depth < 40 && kids < 4) {
		if (t->left-- <= 0)
			break;
		pid[kids] = spawn();
		if (pid[kids] == 0) {
			tree_node(t, depth + 1);
			_exit(7);
		}
		kids++;
	}
	while (!t->open)
		syscall(SYS_futex, &t->open, FUTEX_WAIT, 0, NULL, NULL, 0);
	for (int i = 0; i < kids; i++) {
		int st = reap(pid[i]);

		MUST(WIFEXITED(st) && WEXITSTATUS(st) == 7);
	}
}

/* Two thousand processes alive at once in one tree. */
long stress_process_tree(void)
{
	int n = SCALED(2000);
	struct tree *t = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid;
	int st;

	MUST(t != MAP_FAILED);
	t->left = n - 1;
	pid = spawn();
	if (pid == 0) {
		tree_node(t, 0);
		_exit(7);
	}
	while (t->alive < (uint32_t)n)
		usleep(1000);
	t->open = 1;
	syscall(SYS_futex, &t->open, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
	st = reap(pid);
	MUST(WIFEXITED(st) && WEXITSTATUS(st) == 7);
	MUST(t->sum == (uint32_t)n);
	return 1;
}

/* Every way to wait, while children end and others of the process wait too. */
static _Atomic bool no_more_children;

static void *waiter_any(void *arg)
{
	long *n = arg;

	for (;;) {
		bool last = no_more_children;
		int st;
		pid_t p = waitpid(-1, &st, __WALL);

		if (p < 0 && errno == ECHILD) {
			if (last)
				return NULL;
			usleep(200);
			continue;
		}
		if (p < 0)
			FAIL("waitpid");
		MUST(WIFEXITED(st) && WEXITSTATUS(st) == (p & 0x7f));
		++*n;
	}
}

long stress_wait_kinds(void)
{
	pthread_t th[2];
	long got[2] = { 0 }, made = 0;

	for (int i = 0; i < 2; i++)
		must_thread(waiter_any, &got[i], &th[i]);
	while (!slice_over()) {
		pid_t pid = spawn();

		if (pid == 0)
			_exit(getpid() & 0x7f);
		made++;
		if (rnd(4) == 0) {
			siginfo_t si;

			/* Somebody else may have taken it. */
			if (waitid(P_PID, (id_t)pid, &si, WEXITED | WNOWAIT) == 0)
				MUST(si.si_pid == pid && si.si_status == (pid & 0x7f));
			else
				MUST(errno == ECHILD);
		}
	}
	no_more_children = true;
	for (int i = 0; i < 2; i++)
		pthread_join(th[i], NULL);
	MUST(got[0] + got[1] == made);
	return made;
}
