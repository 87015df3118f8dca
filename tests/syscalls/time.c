/* Clocks, sleeping, and timers of every kind. */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/times.h>
#include <time.h>
#include <utime.h>

#include "tests/harness/guest.h"
#include <sys/ioctl.h>

static volatile int hits;
static volatile siginfo_t info;

static void handler(int sig, siginfo_t *si, void *uc)
{
	(void)uc;
	hits++;
	info = *si;
	info.si_signo = sig;
}

static void on(int sig)
{
	struct sigaction sa = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };

	CHECK_EQ(sigaction(sig, &sa, NULL), 0);
}

static int64_t now_ns(clockid_t id)
{
	struct timespec ts;

	CHECK_EQ(syscall(SYS_clock_gettime, id, &ts), 0);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

static struct timespec in_ns(int64_t ns)
{
	return (struct timespec){ ns / 1000000000, ns % 1000000000 };
}

#define MS 1000000LL

CASE(clocks, "clock_gettime,clock_getres")
{
	const clockid_t ids[] = { CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID,
				  CLOCK_THREAD_CPUTIME_ID, CLOCK_MONOTONIC_RAW, CLOCK_REALTIME_COARSE,
				  CLOCK_MONOTONIC_COARSE, CLOCK_BOOTTIME, CLOCK_TAI };
	struct timespec ts;

	for (unsigned i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		int64_t a = now_ns(ids[i]), b = now_ns(ids[i]);

		CHECK(b >= a && a >= 0);
		CHECK_EQ(syscall(SYS_clock_getres, ids[i], &ts), 0);
		CHECK(ts.tv_sec == 0 && ts.tv_nsec > 0 && ts.tv_nsec <= 10000000);
		CHECK_EQ(syscall(SYS_clock_getres, ids[i], NULL), 0);
	}
	CHECK_ERR(syscall(SYS_clock_gettime, 99, &ts), EINVAL);
	CHECK_ERR(syscall(SYS_clock_getres, 99, &ts), EINVAL);
	CHECK_ERR(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, (void *)8), EFAULT);
	CHECK_ERR(syscall(SYS_clock_gettime, 99, (void *)8), EINVAL);
}

CASE(wall_clock_agrees, "gettimeofday,time,clock_gettime")
{
	struct timeval tv;
	struct timezone tz;
	int64_t ns = now_ns(CLOCK_REALTIME);
	time_t t = 0;

	CHECK_EQ(syscall(SYS_gettimeofday, &tv, &tz), 0);
	CHECK_EQ(syscall(SYS_gettimeofday, NULL, NULL), 0);
	CHECK((tv.tv_sec * 1000000LL + tv.tv_usec) - ns / 1000 < 2000000);
	CHECK((tv.tv_sec * 1000000LL + tv.tv_usec) - ns / 1000 >= -1);
	CHECK(syscall(SYS_time, &t) >= tv.tv_sec - 1 && t - tv.tv_sec < 3);
	CHECK_EQ(syscall(SYS_time, NULL) - t < 3, 1);
	CHECK_ERR(syscall(SYS_gettimeofday, (void *)8, NULL), EFAULT);
	CHECK_ERR(syscall(SYS_time, (void *)8), EFAULT);
}

CASE(vdso_agrees, "clock_gettime")
{
	for (int i = 0; i < 1000; i++) {
		struct timespec ts;
		int64_t a = now_ns(CLOCK_MONOTONIC), b;

		CHECK_EQ(clock_gettime(CLOCK_MONOTONIC, &ts), 0);
		b = ts.tv_sec * 1000000000LL + ts.tv_nsec;
		CHECK(b >= a && now_ns(CLOCK_MONOTONIC) >= b);
	}
}

CASE(cannot_set_without_right, "clock_settime")
{
	struct timespec bad = { 0, -1 };

	CHECK_ERR(syscall(SYS_clock_settime, 99, &bad), EINVAL);
	CHECK_ERR(syscall(SYS_clock_settime, CLOCK_MONOTONIC, &bad), EINVAL);
	CHECK_EQ(WEXITSTATUS(IN_CHILD({
		struct timespec ts = in_ns(now_ns(CLOCK_REALTIME));
		if (getuid() == 0 && setuid(1000))
			_exit(1);
		_exit(!(syscall(SYS_clock_settime, CLOCK_REALTIME, &ts) == -1 && errno == EPERM));
	})), 0);
}

CASE(cpu_clocks, "clock_gettime,times,getrusage")
{
	int64_t p0 = now_ns(CLOCK_PROCESS_CPUTIME_ID), t0 = now_ns(CLOCK_THREAD_CPUTIME_ID);
	struct tms a;
	struct rusage ru;
	clockid_t of_self;
	clock_t c;

	for (volatile long i = 0; now_ns(CLOCK_THREAD_CPUTIME_ID) - t0 < 30 * MS; i++)
		;
	CHECK(now_ns(CLOCK_PROCESS_CPUTIME_ID) - p0 >= 29 * MS);
	c = times(&a);
	CHECK(c != -1 && a.tms_utime + a.tms_stime >= 1);
	CHECK(times(NULL) >= c);
	CHECK_EQ(getrusage(RUSAGE_SELF, &ru), 0);
	CHECK((ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) * 1000000 + ru.ru_utime.tv_usec +
	      ru.ru_stime.tv_usec >= 10000);
	CHECK_EQ(clock_getcpuclockid(getpid(), &of_self), 0);
	CHECK(now_ns(of_self) >= 29 * MS);
	CHECK_ERR(syscall(SYS_times, (void *)8), EFAULT);
}

CASE(sleep_lasts, "nanosleep,clock_nanosleep")
{
	int64_t a = now_ns(CLOCK_MONOTONIC), d;
	struct timespec ts = in_ns(15 * MS), bad = { 0, 1000000000 }, neg = { -1, 0 };

	CHECK_EQ(syscall(SYS_nanosleep, &ts, NULL), 0);
	d = now_ns(CLOCK_MONOTONIC) - a;
	CHECK(d >= 15 * MS && d < 1500 * MS);
	CHECK_EQ(syscall(SYS_clock_nanosleep, CLOCK_REALTIME, 0, &ts, NULL), 0);
	CHECK(now_ns(CLOCK_MONOTONIC) - a >= 29 * MS);
	CHECK_ERR(syscall(SYS_nanosleep, &bad, NULL), EINVAL);
	CHECK_ERR(syscall(SYS_nanosleep, &neg, NULL), EINVAL);
	CHECK_ERR(syscall(SYS_nanosleep, (void *)8, NULL), EFAULT);
	CHECK_ERR(syscall(SYS_clock_nanosleep, CLOCK_THREAD_CPUTIME_ID, 0, &ts, NULL), EOPNOTSUPP);
	CHECK_ERR(syscall(SYS_clock_nanosleep, 99, 0, &ts, NULL), EINVAL);
	CHECK_ERR(syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &bad, NULL), EINVAL);
}

CASE(absolute_sleep, "clock_nanosleep")
{
	int64_t a = now_ns(CLOCK_MONOTONIC);
	struct timespec ts = in_ns(a + 20 * MS), past = { 1, 0 };

	CHECK_EQ(syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL), 0);
	CHECK(now_ns(CLOCK_MONOTONIC) >= a + 20 * MS);
	CHECK_EQ(syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, &past, NULL), 0);
	ts = in_ns(now_ns(CLOCK_REALTIME) + 10 * MS);
	CHECK_EQ(syscall(SYS_clock_nanosleep, CLOCK_REALTIME, TIMER_ABSTIME, &ts, NULL), 0);
}

CASE(sleep_remainder, "nanosleep,clock_nanosleep,setitimer")
{
	struct itimerval it = { { 0, 10000 }, { 0, 10000 } };
	struct timespec ts = { 100, 0 }, rem = { 0, 0 };

	on(SIGALRM);
	CHECK_EQ(setitimer(ITIMER_REAL, &it, NULL), 0);
	CHECK_ERR(syscall(SYS_nanosleep, &ts, &rem), EINTR);
	CHECK(rem.tv_sec == 99 && rem.tv_nsec < 1000000000);
	rem.tv_sec = 5;
	ts.tv_sec += now_ns(CLOCK_MONOTONIC) / 1000000000;
	CHECK_ERR(syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, &rem), EINTR);
	CHECK_EQ(rem.tv_sec, 5);
	ts.tv_sec = 100;
	CHECK_ERR(syscall(SYS_nanosleep, &ts, (void *)8), EFAULT);
}

CASE(sleep_survives_stop, "nanosleep,restart_syscall,kill")
{
	int64_t a = now_ns(CLOCK_MONOTONIC), d;
	int st;
	pid_t p = fork();

	if (p == 0) {
		struct timespec ts = in_ns(200 * MS), rem;

		/* Linux fills in the remainder at each stop, though the call goes on. */
		_exit(syscall(SYS_nanosleep, &ts, &rem) != 0);
	}
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(kill(p, SIGSTOP), 0);
		CHECK_EQ(waitpid(p, &st, WUNTRACED), p);
		CHECK(WIFSTOPPED(st));
		CHECK_EQ(kill(p, SIGCONT), 0);
	}
	CHECK_EQ(waitpid(p, &st, 0), p);
	CHECK_EQ(st, 0);
	d = now_ns(CLOCK_MONOTONIC) - a;
	CHECK(d >= 200 * MS && d < 1500 * MS);
}

CASE(interval_timer_real, "setitimer,getitimer,alarm")
{
	struct itimerval it = { { 0, 5000 }, { 0, 5000 } }, old;

	on(SIGALRM);
	CHECK_EQ(setitimer(ITIMER_REAL, &it, &old), 0);
	CHECK_EQ(old.it_value.tv_sec >= 8 && old.it_interval.tv_usec == 0, 1); /* the harness's alarm */
	while (hits < 3)
		pause();
	CHECK_EQ(getitimer(ITIMER_REAL, &it), 0);
	CHECK_EQ(it.it_interval.tv_usec, 5000);
	CHECK(it.it_value.tv_sec == 0 && it.it_value.tv_usec <= 5000);
	it = (struct itimerval){ { 0, 0 }, { 0, 0 } };
	CHECK_EQ(setitimer(ITIMER_REAL, &it, NULL), 0);
	CHECK_EQ(getitimer(ITIMER_REAL, &it), 0);
	CHECK(it.it_value.tv_sec == 0 && it.it_value.tv_usec == 0);
	CHECK_ERR(syscall(SYS_setitimer, 3, &it, NULL), EINVAL);
	CHECK_ERR(syscall(SYS_getitimer, 3, &it), EINVAL);
	it.it_value.tv_usec = 1000000;
	CHECK_ERR(syscall(SYS_setitimer, ITIMER_REAL, &it, NULL), EINVAL);
	CHECK_ERR(syscall(SYS_setitimer, 3, (void *)8, NULL), EFAULT);
	CHECK_ERR(syscall(SYS_getitimer, ITIMER_REAL, (void *)8), EFAULT);
}

CASE(interval_timers_of_cpu, "setitimer,getitimer")
{
	struct itimerval it = { { 0, 0 }, { 0, 20000 } };

	on(SIGVTALRM);
	on(SIGPROF);
	CHECK_EQ(setitimer(ITIMER_VIRTUAL, &it, NULL), 0);
	while (!hits)
		;
	CHECK_EQ(info.si_signo, SIGVTALRM);
	CHECK_EQ(setitimer(ITIMER_PROF, &it, NULL), 0);
	while (hits < 2)
		;
	CHECK_EQ(info.si_signo, SIGPROF);
	CHECK_EQ(getitimer(ITIMER_PROF, &it), 0);
	CHECK(it.it_value.tv_sec == 0 && it.it_value.tv_usec == 0);
}

CASE(itimers_not_inherited, "getitimer,fork")
{
	CHECK_EQ(IN_CHILD({
		struct itimerval it;
		getitimer(ITIMER_REAL, &it);
		_exit(it.it_value.tv_sec != 0 || it.it_value.tv_usec != 0);
	}), 0);
}

CASE(timerfd_ticks, "timerfd_create,timerfd_settime,timerfd_gettime,read,poll")
{
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	struct itimerspec it = { { 0, 2 * MS }, { 0, 2 * MS } }, old;
	struct pollfd pf = { .fd = fd, .events = POLLIN };
	uint64_t n = 0;

	CHECK(fd >= 0);
	CHECK_ERR(read(fd, &n, 8), EAGAIN);
	CHECK_ERR(read(fd, &n, 7), EINVAL);
	CHECK_EQ(poll(&pf, 1, 0), 0);
	CHECK_EQ(timerfd_settime(fd, 0, &it, &old), 0);
	CHECK(old.it_value.tv_sec == 0 && old.it_value.tv_nsec == 0);
	CHECK_EQ(poll(&pf, 1, 1000), 1);
	CHECK_EQ(pf.revents, POLLIN);
	CHECK_EQ(read(fd, &n, 8), 8);
	CHECK(n >= 1);
	CHECK_EQ(timerfd_gettime(fd, &old), 0);
	CHECK(old.it_interval.tv_nsec == 2 * MS && old.it_value.tv_nsec <= 2 * MS);
	CHECK_EQ(fcntl(fd, F_SETFL, 0), 0);
	CHECK_EQ(read(fd, &n, 8), 8);
	/* Setting it again forgets the ticks. */
	CHECK_EQ(poll(&pf, 1, 1000), 1);
	it = (struct itimerspec){ { 0, 0 }, { 100, 0 } };
	CHECK_EQ(timerfd_settime(fd, 0, &it, NULL), 0);
	CHECK_EQ(poll(&pf, 1, 0), 0);
	CHECK_EQ(timerfd_gettime(fd, &old), 0);
	CHECK(old.it_value.tv_sec == 99 || old.it_value.tv_sec == 100);
}

CASE(timerfd_absolute_and_errors, "timerfd_create,timerfd_settime,timerfd_gettime")
{
	int fd = timerfd_create(CLOCK_REALTIME, 0), p[2];
	struct itimerspec it = { { 0, 0 }, { 1, 0 } };
	uint64_t n = 0;

	CHECK_EQ(timerfd_settime(fd, TFD_TIMER_ABSTIME, &it, NULL), 0);
	CHECK_EQ(read(fd, &n, 8), 8);
	CHECK_EQ(n, 1);
	it.it_value = in_ns(now_ns(CLOCK_REALTIME) + 10 * MS);
	CHECK_EQ(timerfd_settime(fd, TFD_TIMER_ABSTIME, &it, NULL), 0);
	CHECK_EQ(read(fd, &n, 8), 8);
	CHECK_ERR(timerfd_settime(fd, 0x100, &it, NULL), EINVAL);
	it.it_value.tv_nsec = 1000000000;
	CHECK_ERR(timerfd_settime(fd, 0, &it, NULL), EINVAL);
	it.it_value.tv_nsec = 1;
	CHECK_ERR(timerfd_settime(999, 0, &it, NULL), EBADF);
	CHECK_EQ(pipe(p), 0);
	CHECK_ERR(timerfd_settime(p[0], 0, &it, NULL), EINVAL);
	CHECK_ERR(timerfd_gettime(p[0], &it), EINVAL);
	CHECK_ERR(syscall(SYS_timerfd_settime, fd, 0, (void *)8, NULL), EFAULT);
	CHECK_ERR(timerfd_create(99, 0), EINVAL);
	CHECK_ERR(timerfd_create(CLOCK_PROCESS_CPUTIME_ID, 0), EINVAL);
	CHECK_ERR(timerfd_create(CLOCK_MONOTONIC, 1), EINVAL);
	CHECK_ERR(write(fd, &n, 8), EINVAL);
}

CASE(posix_timer_signal, "timer_create,timer_settime,timer_gettime,timer_getoverrun,timer_delete")
{
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = 40 };
	struct itimerspec it = { { 0, 3 * MS }, { 0, 3 * MS } }, cur;
	int id = -1;

	ev.sigev_value.sival_int = 4242;
	on(40);
	CHECK_EQ(syscall(SYS_timer_create, CLOCK_MONOTONIC, &ev, &id), 0);
	CHECK_EQ(syscall(SYS_timer_gettime, id, &cur), 0);
	CHECK(cur.it_value.tv_sec == 0 && cur.it_value.tv_nsec == 0);
	CHECK_EQ(syscall(SYS_timer_settime, id, 0, &it, NULL), 0);
	while (hits < 3)
		sched_yield();
	CHECK(info.si_signo == 40 && info.si_code == SI_TIMER && info.si_timerid == id);
	CHECK_EQ(info.si_value.sival_int, 4242);
	CHECK(syscall(SYS_timer_getoverrun, id) >= 0);
	CHECK_EQ(syscall(SYS_timer_gettime, id, &cur), 0);
	CHECK(cur.it_interval.tv_nsec == 3 * MS && cur.it_value.tv_nsec <= 3 * MS);
	CHECK_EQ(syscall(SYS_timer_delete, id), 0);
	CHECK_ERR(syscall(SYS_timer_delete, id), EINVAL);
	CHECK_ERR(syscall(SYS_timer_gettime, id, &cur), EINVAL);
}

CASE(posix_timer_overrun, "timer_getoverrun,rt_sigtimedwait")
{
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct itimerspec it = { { 0, 1 * MS }, { 0, 1 * MS } }, off = { { 0, 0 }, { 0, 0 } };
	struct timespec ts = in_ns(30 * MS);
	siginfo_t si;
	sigset_t s;
	int id;

	sigemptyset(&s);
	sigaddset(&s, SIGUSR1);
	CHECK_EQ(sigprocmask(SIG_BLOCK, &s, NULL), 0);
	CHECK_EQ(syscall(SYS_timer_create, CLOCK_MONOTONIC, &ev, &id), 0);
	CHECK_EQ(syscall(SYS_timer_settime, id, 0, &it, NULL), 0);
	CHECK_EQ(nanosleep(&ts, NULL), 0);
	CHECK_EQ(sigwaitinfo(&s, &si), SIGUSR1);
	CHECK(si.si_overrun >= 20);
	CHECK_EQ(syscall(SYS_timer_getoverrun, id), si.si_overrun);
	CHECK_EQ(syscall(SYS_timer_settime, id, 0, &off, &it), 0);
	CHECK_EQ(it.it_interval.tv_nsec, 1 * MS);
}

CASE(posix_timer_kinds, "timer_create,timer_settime,timer_gettime")
{
	struct sigevent none = { .sigev_notify = SIGEV_NONE };
	struct sigevent tid = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR2 };
	struct itimerspec it = { { 0, 0 }, { 100, 0 } }, cur;
	int id, id2, id3;

	CHECK_EQ(syscall(SYS_timer_create, CLOCK_REALTIME, &none, &id), 0);
	CHECK_EQ(syscall(SYS_timer_settime, id, 0, &it, NULL), 0);
	CHECK_EQ(syscall(SYS_timer_gettime, id, &cur), 0);
	CHECK(cur.it_value.tv_sec >= 98 && cur.it_value.tv_sec <= 100);
	on(SIGUSR2);
	tid._sigev_un._tid = getpid();
	CHECK_EQ(syscall(SYS_timer_create, CLOCK_MONOTONIC, &tid, &id2), 0);
	CHECK(id2 != id);
	it.it_value = in_ns(now_ns(CLOCK_MONOTONIC) + 5 * MS);
	CHECK_EQ(syscall(SYS_timer_settime, id2, TIMER_ABSTIME, &it, NULL), 0);
	while (!hits)
		sched_yield();
	CHECK(info.si_timerid == id2);
	/* CPU clocks advance only while running. */
	on(SIGALRM);
	CHECK_EQ(syscall(SYS_timer_create, CLOCK_PROCESS_CPUTIME_ID, NULL, &id3), 0);
	it.it_value = in_ns(10 * MS);
	CHECK_EQ(syscall(SYS_timer_settime, id3, 0, &it, NULL), 0);
	while (hits < 2)
		;
	CHECK(info.si_signo == SIGALRM && info.si_value.sival_int == id3);
}

CASE(posix_timer_errors, "timer_create,timer_settime,timer_delete,timer_getoverrun")
{
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = 65 };
	struct itimerspec it = { { 0, 0 }, { 0, 1000000000 } };
	int id;

	CHECK_ERR(syscall(SYS_timer_create, 99, NULL, &id), EINVAL);
	CHECK_ERR(syscall(SYS_timer_create, CLOCK_MONOTONIC, &ev, &id), EINVAL);
	ev.sigev_signo = 10;
	ev.sigev_notify = 99;
	CHECK_ERR(syscall(SYS_timer_create, CLOCK_MONOTONIC, &ev, &id), EINVAL);
	ev.sigev_notify = SIGEV_THREAD_ID;
	ev._sigev_un._tid = 1;
	CHECK_ERR(syscall(SYS_timer_create, CLOCK_MONOTONIC, &ev, &id), EINVAL);
	CHECK_ERR(syscall(SYS_timer_create, CLOCK_MONOTONIC, (void *)8, &id), EFAULT);
	CHECK_ERR(syscall(SYS_timer_create, CLOCK_MONOTONIC, NULL, (void *)8), EFAULT);
	CHECK_EQ(syscall(SYS_timer_create, CLOCK_MONOTONIC, NULL, &id), 0);
	CHECK_ERR(syscall(SYS_timer_settime, id, 0, &it, NULL), EINVAL);
	CHECK_ERR(syscall(SYS_timer_settime, id, 0, (void *)8, NULL), EFAULT);
	it.it_value.tv_nsec = 0;
	CHECK_ERR(syscall(SYS_timer_settime, id + 1000, 0, &it, NULL), EINVAL);
	CHECK_ERR(syscall(SYS_timer_delete, -1), EINVAL);
	CHECK_ERR(syscall(SYS_timer_getoverrun, id + 1000), EINVAL);
	/* A child has none of its parent's timers. */
	CHECK_EQ(IN_CHILD(_exit(!(syscall(SYS_timer_delete, id) == -1 && errno == EINVAL))), 0);
}

/* What each clock can do, on a machine that nothing wakes from sleep. */
CASE(clocks_by_table, "clock_getres,clock_nanosleep,timer_create,timerfd_create")
{
	static const struct { int id, sleep, timer, fd; long res; } tab[] = {
		{ CLOCK_REALTIME, 0, 0, 0, 1 }, { CLOCK_MONOTONIC, 0, 0, 0, 1 },
		{ CLOCK_THREAD_CPUTIME_ID, EOPNOTSUPP, 0, EINVAL, 1 },
		{ CLOCK_MONOTONIC_RAW, EOPNOTSUPP, EOPNOTSUPP, EINVAL, 1 },
		{ CLOCK_REALTIME_COARSE, EOPNOTSUPP, EOPNOTSUPP, EINVAL, 4000000 },
		{ CLOCK_MONOTONIC_COARSE, EOPNOTSUPP, EOPNOTSUPP, EINVAL, 4000000 },
		{ CLOCK_BOOTTIME, 0, 0, 0, 1 }, { 10, EINVAL, EINVAL, EINVAL, 0 },
		{ CLOCK_TAI, 0, 0, EINVAL, 1 }, { 12, EINVAL, EINVAL, EINVAL, 0 },
	};

	for (unsigned i = 0; i < sizeof(tab) / sizeof(tab[0]); i++) {
		struct timespec ts = { 0, 1000 }, res = { -1, -1 };
		int got[4], id;

		errno = 0;
		got[0] = syscall(SYS_clock_nanosleep, tab[i].id, 0, &ts, NULL) ? errno : 0;
		got[1] = syscall(SYS_clock_nanosleep, tab[i].id, TIMER_ABSTIME, &ts, NULL) ? errno : 0;
		got[2] = syscall(SYS_timer_create, tab[i].id, NULL, &id) ? errno : 0;
		got[3] = syscall(SYS_timerfd_create, tab[i].id, 0) < 0 ? errno : 0;
		if (got[0] != tab[i].sleep || got[1] != tab[i].sleep || got[2] != tab[i].timer ||
		    got[3] != tab[i].fd)
			guest_fail(__FILE__, __LINE__, "clock %d: %d %d %d %d", tab[i].id, got[0],
				   got[1], got[2], got[3]);
		if (!tab[i].res) {
			CHECK_ERR(syscall(SYS_clock_getres, tab[i].id, &res), EINVAL);
			continue;
		}
		CHECK(syscall(SYS_clock_getres, tab[i].id, &res) == 0);
		CHECK(res.tv_sec == 0 && res.tv_nsec == tab[i].res);
	}
}

CASE(timerfd_set_ticks, "ioctl,read,timerfd_settime")
{
	struct itimerspec its = { { 0, 0 }, { 100, 0 } };
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	struct pollfd p = { fd, POLLIN, 0 };
	uint64_t v = 5, zero = 0;

	if (ioctl(fd, _IOW('T', 0, uint64_t), &v) < 0 && errno == ENOTTY)
		SKIP("a kernel without checkpoint support");
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_ERR(ioctl(fd, _IOW('T', 0, uint64_t), &zero), EINVAL);
	CHECK_ERR(ioctl(fd, _IOW('T', 0, uint64_t), (void *)8), EFAULT);
	CHECK_ERR(ioctl(fd, 0x5401, &v), ENOTTY);
	v = 0;
	CHECK(read(fd, &v, 8) == 8);
	CHECK_EQ(v, 5);
	CHECK_ERR(read(fd, &v, 8), EAGAIN);
	/* Setting the timer forgets them. */
	CHECK(ioctl(fd, _IOW('T', 0, uint64_t), &v) == 0);
	CHECK(timerfd_settime(fd, 0, &its, NULL) == 0);
	CHECK_ERR(read(fd, &v, 8), EAGAIN);
}

MAIN()
