/* Calls made again and again from the same place: the sandbox takes another way with them
 * after some dozens (platform/unotify/README.md, "Fast calls"). Each must go on behaving as
 * it did the first time, whatever comes in between. */
#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <ucontext.h>

#include "tests/harness/guest.h"

#define OFTEN 3000
#define PAGE 4096

static void storm(void (*handler)(int), int flags, long usec)
{
	struct sigaction sa = { .sa_handler = handler, .sa_flags = flags };
	struct itimerval it = { { 0, usec }, { 0, usec } };

	CHECK_EQ(sigaction(SIGALRM, &sa, NULL), 0);
	CHECK_EQ(setitimer(ITIMER_REAL, &it, NULL), 0);
}

static void calm(void)
{
	CHECK_EQ(setitimer(ITIMER_REAL, &(struct itimerval){ { 0, 0 }, { 0, 0 } }, NULL), 0);
}

/* A page that can be used, followed by one that cannot. */
static char *edge(int prot)
{
	char *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	CHECK_EQ(mprotect(p + PAGE, PAGE, prot), 0);
	return p + PAGE;
}

CASE(results_stay_right, "stat,lstat,fstat,lseek,getppid")
{
	int fd = open("f", O_RDWR | O_CREAT, 0600);
	struct stat st, first;

	CHECK(fd >= 0);
	CHECK_EQ(stat("f", &first), 0);
	for (int i = 0; i < OFTEN; i++) {
		CHECK_EQ(stat("f", &st), 0);
		CHECK(st.st_ino == first.st_ino && st.st_size == i % 7);
		CHECK_EQ(ftruncate(fd, (i + 1) % 7), 0);
		CHECK_EQ(fstat(fd, &st), 0);
		CHECK_EQ(st.st_size, (i + 1) % 7);
		CHECK_ERR(lstat("none", &st), ENOENT);
		CHECK_EQ(lseek(fd, i, SEEK_SET), i);
		CHECK_ERR(lseek(-1, i, SEEK_SET), EBADF);
		CHECK(getppid() > 0);
	}
}

/* One site for calls of all kinds. */
CASE(calls_by_number, "getppid,gettid,clone,fork,mmap,munmap,sigaltstack,wait4")
{
	for (int i = 0; i < 300; i++) {
		pid_t child;
		long p;
		int status;

		for (int k = 0; k < 20; k++) {
			CHECK_EQ(syscall(SYS_getppid), getppid());
			CHECK_EQ(syscall(SYS_gettid), getpid());
			CHECK_ERR(syscall(SYS_lseek, -1, 0, 0), EBADF);
			CHECK_ERR(syscall(100000), ENOSYS);
			CHECK_ERR(syscall(-1L), ENOSYS);
			CHECK_EQ(syscall(SYS_getppid | 1UL << 32), getppid());
		}
		p = syscall(SYS_mmap, 0L, 4096L, 3L, 0x22L, -1L, 0L);
		CHECK(p > 0);
		*(volatile char *)p = 1;
		CHECK_EQ(syscall(SYS_munmap, p, 4096L), 0);
		if (i % 10)
			continue;
		child = (pid_t)syscall(SYS_fork);
		if (child == 0)
			syscall(SYS_exit_group, syscall(SYS_getpid) == syscall(SYS_getppid));
		CHECK(child > 0);
		CHECK_EQ(syscall(SYS_wait4, child, &status, 0, NULL), child);
		CHECK_EQ(status, 0);
	}
}

CASE(bad_pointers, "stat,access,open")
{
	char *none = edge(PROT_NONE), *ro = edge(PROT_READ);
	struct stat st;

	memcpy(none - 2, "f", 2);
	CHECK(close(open("f", O_RDWR | O_CREAT, 0600)) == 0);
	for (int i = 0; i < OFTEN; i++) {
		switch (i % 8) {
		case 0: CHECK_ERR(stat(none, &st), EFAULT); break;
		case 1: CHECK_ERR(stat((char *)8, &st), EFAULT); break;
		case 2: CHECK_EQ(stat(none - 2, &st), 0); break;
		case 3: CHECK_ERR(stat("f", (void *)none), EFAULT); break;
		case 4: CHECK_ERR(stat("f", (void *)ro), EFAULT); break;
		case 5: CHECK_ERR(stat("f", (void *)(none - 8)), EFAULT); break;
		case 6: CHECK_ERR(stat("f", (void *)-8L), EFAULT); break;
		default: CHECK_EQ(stat("f", &st), 0);
		}
		CHECK_ERR(access(none - 1 + (i & 1), F_OK), (i & 1) ? EFAULT : ENOENT);
		memcpy(none - 2, "f", 2); /* a part may have been written */
	}
}

CASE(long_paths, "stat")
{
	static char path[3 * PATH_MAX];
	struct stat st;

	memset(path, '/', sizeof(path));
	for (int i = 0; i < OFTEN; i++) {
		size_t n = (size_t)(i * 37) % (sizeof(path) - 1);

		path[n] = 0;
		if (n == 0)
			CHECK_ERR(stat(path, &st), ENOENT);
		else if (n >= PATH_MAX)
			CHECK_ERR(stat(path, &st), ENAMETOOLONG);
		else
			CHECK_EQ(stat(path, &st), 0);
		path[n] = '/';
	}
}

static char pattern(size_t i)
{
	return (char)(i * 31 + (i >> 8));
}

CASE(reads_and_writes, "read,write,pread64,pwrite64")
{
	static const size_t sizes[] = { 0, 1, 7, 4095, 4096, 4097, 8191, 8192, 8193, 20000 };
	static char out[20000], in[20001];
	int fd = open("f", O_RDWR | O_CREAT, 0600);

	CHECK(fd >= 0);
	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = pattern(i);
	for (int i = 0; i < 600; i++) {
		size_t n = sizes[(size_t)i % (sizeof(sizes) / sizeof(sizes[0]))];

		CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
		CHECK_EQ(write(fd, out, n), n);
		CHECK_EQ(pwrite(fd, out, n, 50000), n);
		memset(in, 1, sizeof(in));
		CHECK_EQ(pread(fd, in, n, 50000), n);
		CHECK(!memcmp(in, out, n) && in[n] == 1);
		memset(in, 1, sizeof(in));
		CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
		CHECK_EQ(read(fd, in, n), n);
		CHECK(!memcmp(in, out, n) && in[n] == 1);
	}
}

CASE(reads_into_bad_memory, "read,write")
{
	char *none = edge(PROT_NONE), *ro = edge(PROT_READ);
	int fd = open("f", O_RDWR | O_CREAT, 0600), p[2];

	CHECK(fd >= 0);
	CHECK_EQ(pipe(p), 0);
	CHECK_EQ(ftruncate(fd, 3 * PAGE), 0);
	for (int i = 0; i < 500; i++) {
		CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
		CHECK_ERR(read(fd, none, 10), EFAULT);
		CHECK_ERR(read(fd, ro, 10), EFAULT);
		CHECK_EQ(lseek(fd, 0, SEEK_CUR), 0);
		CHECK_EQ(read(fd, none - 100, 300), 100);
		CHECK_EQ(lseek(fd, 0, SEEK_CUR), 100);
		CHECK_ERR(write(fd, none, 10), EFAULT);
		CHECK_EQ(write(fd, none - 10, 20), 10);
		CHECK_EQ(write(p[1], "ab", 2), 2);
		CHECK_ERR(read(p[0], ro, 2), EFAULT);
		CHECK_EQ(read(p[0], ro - 2, 2), 2);
		CHECK(!memcmp(ro - 2, "ab", 2));
	}
}

/* Pieces of one read that lie over each other: the last one stays. */
CASE(overlapping_vectors, "readv,writev")
{
	static char data[30000], buf[30000];
	char *none = edge(PROT_NONE);
	int fd = open("f", O_RDWR | O_CREAT, 0600);

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = pattern(i);
	CHECK_EQ(write(fd, data, sizeof(data)), sizeof(data));
	for (int i = 0; i < 400; i++) {
		size_t a = (size_t)i * 7 % 200 + 1, b = (size_t)i * 61 % 20000 + 300;
		struct iovec v[2] = { { buf, a }, { buf, b } };
		struct iovec w[2] = { { none - 10, 10 }, { none - 10, 100 } };

		CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
		CHECK_EQ(readv(fd, v, 2), a + b);
		CHECK(!memcmp(buf, data + a, b));
		CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
		CHECK_EQ(readv(fd, w, 2), 20);
		CHECK(!memcmp(none - 10, data + 10, 10));
	}
}

/* What is read lands in memory that the very same call has no other business with. */
CASE(shared_and_private_pages, "read,stat")
{
	char *s = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char *v = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = open("/dev/zero", O_RDONLY);

	CHECK(s != MAP_FAILED && v != MAP_FAILED && fd >= 0);
	for (int i = 0; i < OFTEN; i++) {
		s[i % 100] = v[i % 100] = 1;
		CHECK_EQ(read(fd, s, 100), 100);
		CHECK_EQ(read(fd, v, 100), 100);
		CHECK(!s[i % 100] && !v[i % 100]);
		if (i % 500 == 0)
			CHECK_EQ(madvise(v, PAGE, MADV_DONTNEED), 0);
	}
}

/* ---- signals ---- */

static volatile sig_atomic_t alarms;

static void count(int sig)
{
	(void)sig;
	alarms = alarms + 1;
}

CASE(signals_between, "getppid,stat,rt_sigreturn")
{
	int parent = getppid();
	struct stat st;

	CHECK(close(open("f", O_RDWR | O_CREAT, 0600)) == 0);
	storm(count, SA_RESTART, 150);
	for (int i = 0; i < 200000 && alarms < 400; i++) {
		CHECK_EQ(getppid(), parent);
		CHECK_EQ(stat("f", &st), 0);
		CHECK_EQ(st.st_size, 0);
	}
	calm();
	CHECK(alarms > 5);
}

/* The pipe is a counter: each byte is read once, whether the call is restarted or not. */
static void read_under_storm(int flags)
{
	unsigned long eintr = 0;
	unsigned char b, want = 0;
	int p[2];
	pid_t child;

	CHECK_EQ(pipe(p), 0);
	child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		for (int i = 0; i < 20000; i++) {
			b = (unsigned char)i;
			while (write(p[1], &b, 1) < 0 && errno == EINTR)
				;
		}
		_exit(0);
	}
	close(p[1]);
	storm(count, flags, 200);
	for (int i = 0; i < 20000;) {
		ssize_t n = read(p[0], &b, 1);

		if (n < 0 && errno == EINTR && !flags) {
			eintr++;
			continue;
		}
		CHECK_EQ(n, 1);
		CHECK_EQ(b, want);
		want++;
		i++;
	}
	calm();
	CHECK_EQ(read(p[0], &b, 1), 0);
	CHECK_EQ(waitpid(child, NULL, 0), child);
	CHECK(eintr == 0 || !flags);
}

CASE(restarted_reads, "read,write,rt_sigreturn")
{
	read_under_storm(SA_RESTART);
}

CASE(interrupted_reads, "read,write,rt_sigreturn")
{
	read_under_storm(0);
}

static uintptr_t text_lo, text_hi;
static volatile sig_atomic_t outside;

static void look(int sig, siginfo_t *si, void *uc)
{
	uintptr_t rip = (uintptr_t)((ucontext_t *)uc)->uc_mcontext.gregs[REG_RIP];

	(void)sig;
	(void)si;
	alarms = alarms + 1;
	if (rip < text_lo || rip >= text_hi)
		outside = outside + 1;
}

/* Where a signal has come is in the program's code, so that stacks can be unwound. */
CASE(signals_show_our_code, "getppid,read,rt_sigreturn")
{
	extern char __executable_start, etext;
	struct sigaction sa = { .sa_sigaction = look, .sa_flags = SA_SIGINFO | SA_RESTART };
	struct itimerval it = { { 0, 100 }, { 0, 100 } };
	int fd = open("/dev/zero", O_RDONLY);
	char b;

	text_lo = (uintptr_t)&__executable_start;
	text_hi = (uintptr_t)&etext;
	CHECK(fd >= 0);
	CHECK_EQ(sigaction(SIGALRM, &sa, NULL), 0);
	for (int i = 0; i < 200; i++) {
		CHECK(getppid() > 0);
		CHECK_EQ(read(fd, &b, 1), 1);
	}
	CHECK_EQ(setitimer(ITIMER_REAL, &it, NULL), 0);
	for (int i = 0; i < 300000 && alarms < 300; i++) {
		CHECK_EQ(read(fd, &b, 1), 1);
		CHECK(getppid() > 0);
	}
	calm();
	CHECK(alarms > 5);
	CHECK_EQ(outside, 0);
}

static sigjmp_buf away;

static void leap(int sig)
{
	(void)sig;
	alarms = alarms + 1;
	siglongjmp(away, 1);
}

CASE(leaps_out_of_handlers, "getppid,rt_sigprocmask")
{
	int parent = getppid();

	storm(leap, 0, 300);
	sigsetjmp(away, 1);
	while (alarms < 200)
		CHECK_EQ(getppid(), parent);
	calm();
}

static volatile sig_atomic_t depth;

static void read_inside(int sig)
{
	int fd = open("/dev/zero", O_RDONLY);
	char b[64];

	(void)sig;
	alarms = alarms + 1;
	for (int i = 0; i < 40; i++)
		if (read(fd, b, sizeof(b)) != sizeof(b))
			depth = -1;
	close(fd);
}

/* The frame that a handler returns to was made before the site was rewritten by what the
 * handler does. */
CASE(rewritten_within_a_handler, "read,pause")
{
	int p[2];
	char b;

	CHECK_EQ(pipe(p), 0);
	storm(read_inside, SA_RESTART, 1000);
	if (fork() == 0) {
		usleep(100000);
		_exit(write(p[1], "x", 1) != 1);
	}
	CHECK_EQ(read(p[0], &b, 1), 1);
	calm();
	CHECK(b == 'x' && alarms > 3 && depth == 0);
	CHECK_EQ(wait(NULL) > 0, 1);
}

/* ---- processes and threads ---- */

CASE(forks_in_between, "fork,getpid,getppid,stat")
{
	struct stat st;

	for (int i = 0; i < 60; i++) {
		pid_t me = getpid(), child;
		int status;

		for (int k = 0; k < 50; k++)
			CHECK_EQ(stat("/", &st), 0);
		child = fork();
		if (child == 0) {
			for (int k = 0; k < 50; k++)
				if (getppid() != me || getpid() == me || stat("/", &st))
					_exit(1);
			_exit(0);
		}
		CHECK_EQ(waitpid(child, &status, 0), child);
		CHECK_EQ(status, 0);
	}
}

static void *many_calls(void *arg)
{
	long bad = 0;
	struct stat st;

	for (int i = 0; i < 2000; i++) {
		bad += getppid() != (int)(intptr_t)arg;
		bad += stat("/", &st) != 0;
		bad += lseek(-1, 0, SEEK_SET) != -1 || errno != EBADF;
	}
	return (void *)bad;
}

CASE(threads_at_the_same_sites, "getppid,stat,lseek,clone3")
{
	pthread_t t[8];
	void *bad;

	many_calls((void *)(intptr_t)getppid());
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 8; i++)
			CHECK_EQ(pthread_create(&t[i], NULL, many_calls,
						(void *)(intptr_t)getppid()), 0);
		for (int i = 0; i < 8; i++) {
			CHECK_EQ(pthread_join(t[i], &bad), 0);
			CHECK(bad == NULL);
		}
	}
}

/* Sites that are rewritten while other threads run through them: one of them sleeps often
 * enough for a CPU to be free, the others never; and somebody forks all the time. */
struct crowd {
	int fd;
	pid_t parent;
	_Atomic int stop, bad, calls;
};

static int busy_round(const struct crowd *c, int i)
{
	struct stat st;
	char b[8];
	int bad = 0;

	bad += pread(c->fd, b, sizeof(b), 0) != 8 || memcmp(b, "contents", 8) != 0;
	bad += getppid() != c->parent;
	bad += fstat(c->fd, &st) != 0 || st.st_size != 8;
	bad += lseek(-1, i, SEEK_SET) != -1 || errno != EBADF;
	bad += access("none", F_OK) != -1 || errno != ENOENT;
	return bad;
}

static void *busy(void *arg)
{
	struct crowd *c = arg;

	for (int i = 0; !c->stop; i++) {
		c->bad += busy_round(c, i);
		c->calls += 5;
	}
	return NULL;
}

static void *forks(void *arg)
{
	struct crowd *c = arg;

	while (!c->stop) {
		struct crowd mine = { .fd = c->fd, .parent = getpid() };
		pid_t child = fork();
		int st;

		if (child == 0) {
			int bad = 0;

			for (int i = 0; i < 40; i++)
				bad += busy_round(&mine, i);
			_exit(bad != 0);
		}
		c->bad += child < 0 || waitpid(child, &st, 0) != child || st != 0;
	}
	return NULL;
}

static void crowd(int nbusy, bool forking)
{
	struct crowd c = { .fd = open("f", O_RDWR | O_CREAT, 0600), .parent = getppid() };
	pthread_t t[4];
	int n = 0;

	CHECK_EQ(pwrite(c.fd, "contents", 8, 0), 8);
	for (; n < nbusy; n++)
		CHECK_EQ(pthread_create(&t[n], NULL, busy, &c), 0);
	if (forking)
		CHECK_EQ(pthread_create(&t[n++], NULL, forks, &c), 0);
	while (c.calls < 60000)
		usleep(1000);
	c.stop = 1;
	while (n)
		CHECK_EQ(pthread_join(t[--n], NULL), 0);
	CHECK_EQ(c.bad, 0);
	CHECK_EQ(close(c.fd), 0);
}

CASE(rewritten_under_one_thread, "pread64,getppid,fstat,lseek,access,clone3")
{
	crowd(1, false);
}

CASE(rewritten_under_running_threads, "pread64,getppid,fstat,lseek,access,clone3")
{
	crowd(2, false);
	crowd(3, false);
}

CASE(rewritten_under_forks, "pread64,getppid,fstat,lseek,access,fork,wait4")
{
	crowd(2, true);
}

/* Who has not registered for that barrier cannot have it, whatever the sandbox did. */
CASE(barriers_of_others, "membarrier,getppid")
{
	const int cmd = 1 << 5; /* MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE */

	if (!(syscall(SYS_membarrier, 0, 0, 0) & cmd))
		SKIP("no such barrier");
	crowd(1, false);
	CHECK_ERR(syscall(SYS_membarrier, cmd, 0, 0), EPERM);
}

/* Breakpoints of the program's own. */
static volatile sig_atomic_t trapped;

static void on_breakpoint(int sig, siginfo_t *si, void *uc)
{
	(void)sig, (void)uc;
	trapped += si->si_code == SI_KERNEL;
}

CASE(own_breakpoints, "rt_sigaction,getppid,clone3")
{
	struct sigaction sa = { .sa_sigaction = on_breakpoint, .sa_flags = SA_SIGINFO };

	CHECK_EQ(sigaction(SIGTRAP, &sa, NULL), 0);
	crowd(1, false);
	for (int i = 0; i < 100; i++) {
		__asm__ volatile("int3");
		CHECK(getppid() > 0);
	}
	CHECK_EQ(trapped, 100);
}

/* And in the place of a call, where the sandbox may have left something else than was there. */
static volatile uint8_t *planted;
static uint8_t planted_over;

static void on_planted(int sig, siginfo_t *si, void *uc)
{
	greg_t *rip = &((ucontext_t *)uc)->uc_mcontext.gregs[REG_RIP];

	(void)sig, (void)si;
	if (*rip != (greg_t)planted + 1)
		_exit(9);
	*planted = planted_over;
	--*rip;
	trapped++;
}

CASE(own_breakpoints_at_calls, "rt_sigaction,getppid,clone3,mprotect")
{
	struct sigaction sa = { .sa_sigaction = on_planted, .sa_flags = SA_SIGINFO };
	uint8_t *at = (uint8_t *)(uintptr_t)getppid;
	void *page;

	for (int i = 0; i < 16 && memcmp(at, "\xb8\x6e\0\0\0\x0f\x05", 7); i++)
		at++;
	if (memcmp(at, "\xb8\x6e\0\0\0\x0f\x05", 7))
		SKIP("another getppid");
	CHECK_EQ(sigaction(SIGTRAP, &sa, NULL), 0);
	crowd(1, false);
	page = (void *)((uintptr_t)at & ~4095UL);
	CHECK_EQ(mprotect(page, 8192, PROT_READ | PROT_WRITE | PROT_EXEC), 0);
	planted = at;
	planted_over = *at;
	for (int i = 0; i < 20; i++) {
		*planted = 0xcc;
		CHECK(getppid() > 0);
		CHECK_EQ(trapped, i + 1);
	}
}

CASE(killed_while_busy, "kill,getppid,read")
{
	for (int i = 0; i < 40; i++) {
		pid_t child = fork();
		int status;

		if (child == 0)
			for (;;)
				getppid();
		usleep((useconds_t)(i * 137 % 3000));
		CHECK_EQ(kill(child, SIGKILL), 0);
		CHECK_EQ(waitpid(child, &status, 0), child);
		CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	}
}

CASE(stopped_while_busy, "kill,getppid,wait4")
{
	pid_t child = fork();
	int status;

	if (child == 0)
		for (;;)
			getppid();
	for (int i = 0; i < 60; i++) {
		usleep((useconds_t)(i * 53 % 1000));
		CHECK_EQ(kill(child, SIGSTOP), 0);
		CHECK_EQ(waitpid(child, &status, WUNTRACED), child);
		CHECK(WIFSTOPPED(status));
		CHECK_EQ(kill(child, SIGCONT), 0);
		CHECK_EQ(waitpid(child, &status, WCONTINUED), child);
		CHECK(WIFCONTINUED(status));
	}
	CHECK_EQ(kill(child, SIGKILL), 0);
	CHECK_EQ(waitpid(child, &status, 0), child);
}

/* ---- registers and code ---- */

CASE(own_gs, "arch_prctl,getppid")
{
	unsigned long v[2] = { 0x1122334455667788, 0 }, seen;
	int parent = getppid();

	for (int i = 0; i < 100; i++)
		CHECK_EQ(getppid(), parent);
	CHECK_EQ(syscall(SYS_arch_prctl, 0x1004 /* ARCH_GET_GS */, &seen), 0);
	CHECK_EQ(seen, 0);
	CHECK_EQ(syscall(SYS_arch_prctl, 0x1001 /* ARCH_SET_GS */, v), 0);
	for (int i = 0; i < 100; i++) {
		CHECK_EQ(getppid(), parent);
		__asm__ volatile("mov %%gs:0, %0" : "=r"(seen));
		CHECK(seen == v[0]);
	}
	CHECK_EQ(syscall(SYS_arch_prctl, 0x1001, 0), 0);
	for (int i = 0; i < 1000; i++)
		CHECK_EQ(getppid(), parent);
}

CASE(low_addresses, "mmap")
{
	FILE *f = fopen("/proc/sys/vm/mmap_min_addr", "r");
	unsigned long min = 0;

	CHECK(f && fscanf(f, "%lu", &min) == 1 && min >= 4096);
	fclose(f);
	for (int i = 0; i < 100; i++)
		CHECK(getppid() > 0);
	CHECK_EQ(setresuid(65534, 65534, 65534), 0); /* root may map below */
	CHECK_ERR((long)mmap((void *)(min - PAGE), PAGE, PROT_READ,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), EPERM);
	CHECK(mmap((void *)min, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
	      (void *)min);
	for (int i = 0; i < 100; i++)
		CHECK(getppid() > 0);
}

/* A program's text is replaced under rewritten sites. */
CASE(other_code_at_the_same_place, "mmap,munmap,getppid")
{
	static const unsigned char code[2][10] = {
		{ 0xb8, 110, 0, 0, 0, 0x0f, 0x05, 0xc3 }, /* getppid */
		{ 0xb8, 39, 0, 0, 0, 0x0f, 0x05, 0xc3 },  /* getpid */
	};
	char *at = NULL;

	for (int i = 0; i < 6; i++) {
		char name[] = { 'c', (char)('0' + i % 2), 0 };
		int fd = open(name, O_RDWR | O_CREAT, 0700);

		CHECK(fd >= 0);
		CHECK_EQ(write(fd, code[i % 2], 10), 10);
		CHECK_EQ(ftruncate(fd, PAGE), 0);
		at = mmap(at, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE | (at ? MAP_FIXED : 0), fd, 0);
		CHECK(at != MAP_FAILED);
		for (int k = 0; k < 300; k++)
			CHECK_EQ(((int (*)(void))(uintptr_t)at)(), i % 2 ? getpid() : getppid());
		close(fd);
	}
}

MAIN()
