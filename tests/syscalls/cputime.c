/* CPU clocks of processes and threads, and what getrusage(2), times(2), wait4(2) and
 * /proc tell of the time, memory and faults of a process. */
#include "tests/harness/guest.h"

#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/times.h>
#include <time.h>

#define MS 1000000LL

static long long now(clockid_t c)
{
	struct timespec ts;

	CHECK(syscall(SYS_clock_gettime, c, &ts) == 0);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

/* Use this much of the thread's CPU time. */
static void burn(long long ns)
{
	long long end = now(CLOCK_THREAD_CPUTIME_ID) + ns;

	while (now(CLOCK_THREAD_CPUTIME_ID) < end)
		for (volatile int i = 0; i < 20000; i++)
			;
}

static clockid_t process_clock(int pid, int kind) { return (int)(~(unsigned)pid << 3) | kind; }
static clockid_t thread_clock(int tid, int kind) { return (int)(~(unsigned)tid << 3) | 4 | kind; }
static long long tv_ns(struct timeval tv) { return tv.tv_sec * 1000000000LL + tv.tv_usec * 1000; }

CASE(of_one_thread, "clock_gettime")
{
	long long a = now(CLOCK_PROCESS_CPUTIME_ID), b = now(CLOCK_THREAD_CPUTIME_ID), c;

	CHECK(a > 0 && b > 0);
	burn(30 * MS);
	c = now(CLOCK_PROCESS_CPUTIME_ID);
	CHECK(c - a >= 30 * MS && c - a < 200 * MS);
	CHECK(now(process_clock(0, 2)) >= c);
	CHECK(now(process_clock(getpid(), 2)) >= c);
	CHECK(now(thread_clock(0, 2)) >= b + 30 * MS);
	CHECK(now(thread_clock(getpid(), 2)) >= b + 30 * MS);
	CHECK(now(process_clock(0, 0)) > 0);
	/* Sleeping costs nothing. */
	a = now(CLOCK_PROCESS_CPUTIME_ID);
	usleep(50000);
	CHECK(now(CLOCK_PROCESS_CPUTIME_ID) - a < 20 * MS);
}

CASE(clock_ids, "clock_gettime,clock_getres")
{
	struct timespec ts;

	CHECK_ERR(syscall(SYS_clock_gettime, process_clock(0, 3), &ts), EINVAL);
	CHECK_ERR(syscall(SYS_clock_gettime, thread_clock(0, 3), &ts), EINVAL);
	CHECK_ERR(syscall(SYS_clock_gettime, process_clock(1 << 28, 2), &ts), EINVAL);
	CHECK_ERR(syscall(SYS_clock_gettime, thread_clock(1 << 28, 2), &ts), EINVAL);
	CHECK_ERR(syscall(SYS_clock_gettime, thread_clock(getppid(), 2), &ts), EINVAL);
	CHECK_ERR(syscall(SYS_clock_gettime, CLOCK_PROCESS_CPUTIME_ID, (void *)8), EFAULT);
	CHECK_ERR(syscall(SYS_clock_gettime, CLOCK_THREAD_CPUTIME_ID, (void *)8), EFAULT);
	CHECK_ERR(syscall(SYS_clock_gettime, 10, &ts), EINVAL);
	CHECK_ERR(syscall(SYS_clock_gettime, 12, &ts), EINVAL);
	CHECK_ERR(syscall(SYS_clock_gettime, 99, &ts), EINVAL);
	CHECK(syscall(SYS_clock_gettime, process_clock(getppid(), 2), &ts) == 0);
	for (int i = 0; i < 3; i++) {
		CHECK(syscall(SYS_clock_getres, process_clock(0, i), &ts) == 0);
		CHECK_EQ(ts.tv_sec, 0);
		CHECK_EQ(ts.tv_nsec, i == 2 ? 1 : 4000000);
		CHECK(syscall(SYS_clock_getres, thread_clock(0, i), &ts) == 0);
		CHECK_EQ(ts.tv_nsec, i == 2 ? 1 : 4000000);
	}
	CHECK(syscall(SYS_clock_getres, CLOCK_THREAD_CPUTIME_ID, &ts) == 0);
	CHECK_EQ(ts.tv_nsec, 1);
	CHECK_ERR(syscall(SYS_clock_getres, process_clock(0, 3), &ts), EINVAL);
	CHECK_ERR(syscall(SYS_clock_settime, CLOCK_PROCESS_CPUTIME_ID, &ts), EINVAL);
	CHECK_ERR(syscall(SYS_clock_settime, process_clock(0, 2), &ts), EPERM);
	CHECK_ERR(syscall(SYS_clock_settime, process_clock(1 << 28, 2), &ts), EINVAL);
}

struct worker {
	pthread_t t;
	clockid_t clock;
	volatile long long burn, own;
	volatile int go, stop, spin, tid;
};

static void *work(void *arg)
{
	struct worker *w = arg;

	w->tid = (int)syscall(SYS_gettid);
	burn(w->burn);
	w->own = now(CLOCK_THREAD_CPUTIME_ID);
	w->go = 1;
	while (w->spin && !w->stop)
		for (volatile int i = 0; i < 20000; i++)
			;
	while (!w->stop)
		usleep(1000);
	return NULL;
}

CASE(of_several_threads, "clock_gettime,clone")
{
	struct worker w[2] = { { .burn = 60 * MS }, { .burn = 10 * MS } };
	long long main0 = now(CLOCK_THREAD_CPUTIME_ID), p;

	for (int i = 0; i < 2; i++)
		CHECK(pthread_create(&w[i].t, NULL, work, &w[i]) == 0);
	while (!w[0].go || !w[1].go)
		usleep(1000);
	/* Each has its own; the process has all of it. */
	CHECK(w[0].own >= 60 * MS && w[0].own < 75 * MS);
	CHECK(w[1].own >= 10 * MS && w[1].own < 25 * MS);
	CHECK(now(CLOCK_THREAD_CPUTIME_ID) - main0 < 50 * MS);
	p = now(CLOCK_PROCESS_CPUTIME_ID);
	CHECK(p >= 70 * MS && p < 200 * MS);
	w[0].stop = w[1].stop = 1;
	pthread_join(w[0].t, NULL);
	pthread_join(w[1].t, NULL);
	/* What ended counts for the process, not for the thread that is left. */
	CHECK(now(CLOCK_PROCESS_CPUTIME_ID) >= p);
	CHECK(now(CLOCK_THREAD_CPUTIME_ID) - main0 < 50 * MS);
}

/* A thread's clock never goes back, whatever becomes of its process. */
CASE(thread_clock_goes_on, "clock_gettime,clone")
{
	struct worker w = { .burn = 1 * MS, .stop = 1 };
	long long a, b;

	burn(20 * MS);
	a = now(CLOCK_THREAD_CPUTIME_ID);
	CHECK(a >= 20 * MS);
	CHECK(pthread_create(&w.t, NULL, work, &w) == 0);
	b = now(CLOCK_THREAD_CPUTIME_ID);
	CHECK(b >= a);
	pthread_join(w.t, NULL);
	CHECK(now(CLOCK_THREAD_CPUTIME_ID) >= b);
}

CASE(clock_of_another_thread, "clock_gettime")
{
	struct worker w = { .burn = 5 * MS, .spin = 1 };
	long long a, b, t0;

	CHECK(pthread_create(&w.t, NULL, work, &w) == 0);
	while (!w.go)
		usleep(1000);
	CHECK(pthread_getcpuclockid(w.t, &w.clock) == 0);
	CHECK_EQ(w.clock, thread_clock(w.tid, 2));
	t0 = now(CLOCK_MONOTONIC);
	a = b = now(w.clock);
	CHECK(a >= 5 * MS);
	while (b - a < 50 * MS) {
		long long last = b;

		usleep(10000);
		b = now(w.clock);
		CHECK(b >= last);
		CHECK(b - a < now(CLOCK_MONOTONIC) - t0 + 10 * MS);
	}
	w.stop = 1;
	pthread_join(w.t, NULL);
}

CASE(clock_of_another_process, "clock_gettime")
{
	pid_t p = fork();
	long long a, t0;

	if (p == 0)
		for (;;)
			;
	t0 = now(CLOCK_MONOTONIC);
	while ((a = now(process_clock(p, 2))) < 20 * MS)
		usleep(5000);
	CHECK(a < now(CLOCK_MONOTONIC) - t0 + 50 * MS);
	CHECK(now(process_clock(p, 1)) > 0);
	kill(p, SIGKILL);
	waitpid(p, NULL, 0);
	CHECK_ERR(syscall(SYS_clock_gettime, process_clock(p, 2), &(struct timespec){ 0 }), EINVAL);
}

CASE(cpu_time_over_exec, "clock_gettime,execve")
{
	int st = IN_CHILD({
		char *av[] = { (char *)"cputime", (char *)"exec_child", NULL };

		burn(40 * MS);
		setenv("CPUTIME_CHILD", "1", 1);
		execv("/proc/self/exe", av);
	});

	CHECK_EQ(st, 0);
}

/* What the case above runs: its own case is a child whose time begins anew, so the
 * parent's is looked at. */
CASE(exec_child, "clock_gettime")
{
	if (!getenv("CPUTIME_CHILD"))
		SKIP("run by cpu_time_over_exec");
	CHECK(now(process_clock(getppid(), 2)) >= 40 * MS);
}

/* ---- sleeping and timers on CPU clocks ---- */

CASE(sleep_on_cpu_clocks, "clock_nanosleep")
{
	struct worker w = { .burn = 1 * MS, .spin = 1 };
	struct timespec ts = { 0, 30 * MS };
	long long a;

	CHECK_EQ(clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &ts, NULL), EINVAL);
	CHECK_ERR(syscall(SYS_clock_nanosleep, CLOCK_THREAD_CPUTIME_ID, 0, &ts, NULL), EOPNOTSUPP);
	CHECK_ERR(syscall(SYS_clock_nanosleep, thread_clock(0, 2), 0, &ts, NULL), EINVAL);
	CHECK_ERR(syscall(SYS_clock_nanosleep, process_clock(1 << 28, 2), 0, &ts, NULL), EINVAL);
	CHECK_ERR(syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC_RAW, 0, &ts, NULL), EOPNOTSUPP);
	CHECK_ERR(syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC_COARSE, 0, &ts, NULL), EOPNOTSUPP);
	CHECK_ERR(syscall(SYS_clock_nanosleep, 10, 0, &ts, NULL), EINVAL);
	CHECK(pthread_create(&w.t, NULL, work, &w) == 0);
	while (!w.go)
		usleep(1000);
	a = now(CLOCK_PROCESS_CPUTIME_ID);
	CHECK(syscall(SYS_clock_nanosleep, CLOCK_PROCESS_CPUTIME_ID, 0, &ts, NULL) == 0);
	CHECK(now(CLOCK_PROCESS_CPUTIME_ID) - a >= 30 * MS);
	/* Until a time; that of another thread's clock. */
	a = now(thread_clock(w.tid, 2)) + 20 * MS;
	ts = (struct timespec){ a / 1000000000, a % 1000000000 };
	CHECK(syscall(SYS_clock_nanosleep, thread_clock(w.tid, 2), TIMER_ABSTIME, &ts, NULL) == 0);
	CHECK(now(thread_clock(w.tid, 2)) >= a);
	w.stop = 1;
	pthread_join(w.t, NULL);
}

static void nothing(int sig) { (void)sig; }

CASE(cpu_sleep_is_interrupted, "clock_nanosleep,restart_syscall,setitimer")
{
	struct { struct { long s, us; } i, v; } it = { { 0, 0 }, { 0, 50000 } };
	struct sigaction sa = { .sa_handler = nothing, .sa_flags = SA_RESTART };
	struct timespec ts = { 5, 0 }, left = { 0, 0 };

	sigaction(SIGALRM, &sa, NULL);
	CHECK(syscall(SYS_setitimer, 0, &it, NULL) == 0);
	CHECK_ERR(syscall(SYS_clock_nanosleep, CLOCK_PROCESS_CPUTIME_ID, 0, &ts, &left), EINTR);
	CHECK(left.tv_sec == 4 || (left.tv_sec == 5 && left.tv_nsec == 0));
	/* Not by a stop. */
	int st;
	pid_t p = fork();

	if (p == 0)
		_exit(syscall(SYS_clock_nanosleep, CLOCK_PROCESS_CPUTIME_ID, 0, &ts, NULL) != 0);
	usleep(20000);
	kill(p, SIGSTOP);
	CHECK(waitpid(p, &st, WUNTRACED) == p);
	kill(p, SIGCONT);
	usleep(20000);
	CHECK(waitpid(p, &st, WNOHANG) == 0);
	kill(p, SIGKILL);
	CHECK(waitpid(p, &st, 0) == p);
}

static volatile int fired;
static volatile long long fired_at;
static clockid_t fired_clock;
static void on_timer(int sig)
{
	(void)sig;
	fired++;
	fired_at = now(fired_clock);
}

static void timer_on(clockid_t clock, long long ns, long long interval)
{
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct itimerspec its = { { interval / 1000000000, interval % 1000000000 },
				  { ns / 1000000000, ns % 1000000000 } };
	int id;

	signal(SIGUSR1, on_timer);
	fired_clock = clock;
	CHECK(syscall(SYS_timer_create, clock, &ev, &id) == 0);
	CHECK(syscall(SYS_timer_settime, id, 0, &its, NULL) == 0);
}

CASE(timer_on_process_clock, "timer_create,timer_settime")
{
	long long a = now(CLOCK_PROCESS_CPUTIME_ID);

	timer_on(CLOCK_PROCESS_CPUTIME_ID, 30 * MS, 0);
	usleep(100000);
	CHECK_EQ(fired, 0); /* it does not run while the process sleeps */
	burn(60 * MS);
	CHECK_EQ(fired, 1);
	CHECK(fired_at - a >= 30 * MS && fired_at - a < 60 * MS);
}

CASE(timer_on_thread_clock, "timer_create,timer_settime,clone")
{
	struct worker w = { .burn = 1 * MS, .spin = 1 };
	long long a;

	CHECK(pthread_create(&w.t, NULL, work, &w) == 0);
	while (!w.go)
		usleep(1000);
	/* The other thread's time does not count. */
	a = now(CLOCK_THREAD_CPUTIME_ID);
	timer_on(CLOCK_THREAD_CPUTIME_ID, 40 * MS, 0);
	fired_clock = thread_clock((int)syscall(SYS_gettid), 2);
	usleep(150000);
	CHECK_EQ(fired, 0);
	burn(80 * MS);
	/* The signal is the process's: the other thread may have to get round to it. */
	for (int i = 0; i < 200 && !fired; i++)
		usleep(10000);
	CHECK_EQ(fired, 1);
	CHECK(fired_at - a >= 39 * MS);
	w.stop = 1;
	pthread_join(w.t, NULL);
}

CASE(timer_on_another_process, "timer_create,timer_settime,timer_gettime")
{
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct itimerspec its = { { 0, 0 }, { 0, 30 * MS } };
	pid_t p = fork();
	int id;

	if (p == 0)
		for (;;)
			;
	signal(SIGUSR1, on_timer);
	fired_clock = CLOCK_MONOTONIC;
	CHECK(syscall(SYS_timer_create, process_clock(p, 2), &ev, &id) == 0);
	CHECK(syscall(SYS_timer_settime, id, 0, &its, NULL) == 0);
	for (int i = 0; i < 200 && !fired; i++)
		usleep(10000);
	CHECK_EQ(fired, 1);
	kill(p, SIGKILL);
	waitpid(p, NULL, 0);
	CHECK_ERR(syscall(SYS_timer_create, process_clock(p, 2), &ev, &id), EINVAL);
}

CASE(cpu_limit, "setrlimit,prlimit64")
{
	struct rlimit l = { 1, 1 };
	int st = IN_CHILD({
		CHECK(setrlimit(RLIMIT_CPU, &l) == 0);
		for (;;)
			;
	});

	CHECK(WIFSIGNALED(st));
	CHECK_EQ(WTERMSIG(st), SIGKILL);
}

/* ---- usage ---- */

CASE(rusage_of_self, "getrusage")
{
	struct rusage a, b;
	size_t size = 16 << 20;
	char *m;

	CHECK(getrusage(RUSAGE_SELF, &a) == 0);
	m = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(m != MAP_FAILED);
	CHECK(madvise(m, size, MADV_NOHUGEPAGE) == 0);
	for (size_t i = 0; i < size; i += 4096)
		m[i] = 1;
	burn(30 * MS);
	usleep(1000);
	CHECK(getrusage(RUSAGE_SELF, &b) == 0);
	CHECK(b.ru_maxrss >= a.ru_maxrss + (long)(size / 1024) - 512);
	CHECK(b.ru_maxrss < 200000);
	CHECK(b.ru_minflt - a.ru_minflt >= (long)(size / 4096));
	CHECK(b.ru_minflt - a.ru_minflt < (long)(size / 4096) + 500);
	CHECK(b.ru_nvcsw > a.ru_nvcsw);
	CHECK(tv_ns(b.ru_utime) + tv_ns(b.ru_stime) - tv_ns(a.ru_utime) - tv_ns(a.ru_stime) >=
	      30 * MS);
	CHECK(a.ru_ixrss == 0 && a.ru_nsignals == 0 && a.ru_nswap == 0);
	CHECK_ERR(getrusage(5, &a), EINVAL);
	CHECK_ERR(getrusage(-2, &a), EINVAL);
	CHECK_ERR(syscall(SYS_getrusage, RUSAGE_SELF, (void *)8), EFAULT);
	/* The most it ever was. */
	munmap(m, size);
	CHECK(getrusage(RUSAGE_SELF, &a) == 0);
	CHECK(a.ru_maxrss >= b.ru_maxrss);
}

static void *thread_usage(void *arg)
{
	struct rusage *ru = arg;

	burn(40 * MS);
	CHECK(getrusage(RUSAGE_THREAD, ru) == 0);
	return NULL;
}

CASE(rusage_of_a_thread, "getrusage")
{
	struct rusage t, m, s;
	pthread_t th;

	CHECK(pthread_create(&th, NULL, thread_usage, &t) == 0);
	pthread_join(th, NULL);
	CHECK(getrusage(RUSAGE_THREAD, &m) == 0);
	CHECK(getrusage(RUSAGE_SELF, &s) == 0);
	CHECK(tv_ns(t.ru_utime) + tv_ns(t.ru_stime) >= 39 * MS);
	CHECK(tv_ns(t.ru_utime) + tv_ns(t.ru_stime) < 80 * MS);
	CHECK(tv_ns(m.ru_utime) + tv_ns(m.ru_stime) < 38 * MS);
	CHECK(tv_ns(s.ru_utime) + tv_ns(s.ru_stime) >= 39 * MS);
	CHECK(t.ru_maxrss > 0);
}

static void grow_and_burn(size_t mb, long long ns)
{
	char *m = mmap(NULL, mb << 20, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	CHECK(m != MAP_FAILED);
	for (size_t i = 0; i < mb << 20; i += 4096)
		m[i] = 1;
	burn(ns);
}

CASE(rusage_of_waited_children, "wait4,getrusage,times")
{
	struct rusage one, all, none;
	struct tms t;
	siginfo_t si;
	pid_t p = fork();

	if (p == 0) {
		grow_and_burn(24, 50 * MS);
		_exit(0);
	}
	/* Not before it was waited for; looking does not count. */
	CHECK(waitid(P_PID, (id_t)p, &si, WEXITED | WNOWAIT) == 0);
	CHECK(getrusage(RUSAGE_CHILDREN, &none) == 0);
	CHECK_EQ(tv_ns(none.ru_utime), 0);
	CHECK_EQ(none.ru_maxrss, 0);
	CHECK(syscall(SYS_waitid, P_PID, p, &si, WEXITED | WNOWAIT, &one) == 0);
	CHECK(one.ru_maxrss >= 24 * 1024);
	memset(&one, 0, sizeof(one));
	CHECK(wait4(p, NULL, 0, &one) == p);
	CHECK(tv_ns(one.ru_utime) + tv_ns(one.ru_stime) >= 50 * MS);
	CHECK(tv_ns(one.ru_utime) + tv_ns(one.ru_stime) < 300 * MS);
	CHECK(one.ru_maxrss >= 24 * 1024 && one.ru_maxrss < 200 * 1024);
	CHECK(one.ru_minflt > 0);
	CHECK(getrusage(RUSAGE_CHILDREN, &all) == 0);
	CHECK_EQ(tv_ns(all.ru_utime), tv_ns(one.ru_utime));
	CHECK_EQ(tv_ns(all.ru_stime), tv_ns(one.ru_stime));
	CHECK_EQ(all.ru_maxrss, one.ru_maxrss);
	CHECK(times(&t) != (clock_t)-1);
	CHECK((t.tms_cutime + t.tms_cstime) * 10 >= 40);
	/* A second, smaller one: times add up, the size is the greatest. */
	p = fork();
	if (p == 0) {
		burn(20 * MS);
		_exit(0);
	}
	CHECK(waitpid(p, NULL, 0) == p);
	CHECK(getrusage(RUSAGE_CHILDREN, &none) == 0);
	CHECK(tv_ns(none.ru_utime) + tv_ns(none.ru_stime) >= 70 * MS);
	CHECK_EQ(none.ru_maxrss, all.ru_maxrss);
}

/* A grandchild counts once its parent has waited for it. */
CASE(rusage_of_grandchildren, "wait4,getrusage")
{
	struct rusage ru;
	pid_t p = fork();

	if (p == 0) {
		if (fork() == 0) {
			grow_and_burn(16, 40 * MS);
			_exit(0);
		}
		wait(NULL);
		_exit(0);
	}
	CHECK(wait4(p, NULL, 0, &ru) == p);
	CHECK(tv_ns(ru.ru_utime) + tv_ns(ru.ru_stime) >= 40 * MS);
	CHECK(ru.ru_maxrss >= 16 * 1024);
	/* A child that nobody waits for leaves nothing. */
	signal(SIGCHLD, SIG_IGN);
	p = fork();
	if (p == 0) {
		burn(60 * MS);
		_exit(0);
	}
	CHECK_ERR(waitpid(p, NULL, 0), ECHILD);
	CHECK(getrusage(RUSAGE_CHILDREN, &ru) == 0);
	CHECK(tv_ns(ru.ru_utime) + tv_ns(ru.ru_stime) < 90 * MS);
}

CASE(user_and_system_time, "times,getrusage")
{
	struct rusage ru;
	struct tms t;

	for (long long end = now(CLOCK_MONOTONIC) + 200 * MS; now(CLOCK_MONOTONIC) < end;)
		for (volatile int i = 0; i < 1000000; i++)
			;
	CHECK(getrusage(RUSAGE_SELF, &ru) == 0);
	CHECK(tv_ns(ru.ru_utime) > 4 * tv_ns(ru.ru_stime)); /* it hardly calls anything */
	CHECK(times(&t) != (clock_t)-1);
	CHECK(t.tms_utime > t.tms_stime);
	CHECK_EQ(t.tms_cutime, 0);
}

/* /proc/self/stat counts in ticks of 10 ms what times(2) does. */
CASE(proc_agrees, "times,read")
{
	char line[1024] = "", *at;
	unsigned long ut, st;
	struct tms a, b;
	int f;

	burn(80 * MS);
	times(&a);
	f = open("/proc/self/stat", O_RDONLY);
	CHECK(read(f, line, sizeof(line) - 1) > 0);
	times(&b);
	at = strrchr(line, ')') + 2;
	CHECK(sscanf(at, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &ut, &st) == 2);
	CHECK((long)(ut + st) >= a.tms_utime + a.tms_stime - 1);
	CHECK((long)(ut + st) <= b.tms_utime + b.tms_stime + 1);
	close(f);
	f = open("/proc/self/schedstat", O_RDONLY);
	if (f < 0)
		return;
	memset(line, 0, sizeof(line));
	CHECK(read(f, line, sizeof(line) - 1) > 0);
	CHECK(atoll(line) >= 80 * MS);
}

MAIN()
