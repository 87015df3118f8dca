/* Stress: signals, timers, stops. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/stress/stress.h"

static _Atomic long hits;

static void count(int sig)
{
	(void)sig;
	hits++;
}

static void handle(int sig, void (*fn)(int), int flags)
{
	struct sigaction sa = { .sa_handler = fn, .sa_flags = flags };

	MUST(sigaction(sig, &sa, NULL) == 0);
}

/* Children by the hundred while an interval timer fires and another process sends. */
long stress_fork_signals(void)
{
	struct itimerval it = { { 0, 1000 }, { 0, 1000 } };
	long rounds = 0;
	pid_t sender, me = getpid();

	handle(SIGALRM, count, SA_RESTART);
	handle(SIGUSR1, count, 0);
	handle(SIGCHLD, count, SA_RESTART);
	sender = spawn();
	if (sender == 0) {
		while (kill(me, SIGUSR1) == 0 && getppid() == me)
			usleep(200);
		_exit(0);
	}
	MUST(setitimer(ITIMER_REAL, &it, NULL) == 0);
	while (!slice_over()) {
		pid_t kids[8];

		for (unsigned i = 0; i < 8; i++) {
			kids[i] = spawn();
			if (kids[i] == 0) {
				/* Interval timers are not inherited; what is pending is not either. */
				struct itimerval left;

				MUST(getitimer(ITIMER_REAL, &left) == 0);
				MUST(left.it_interval.tv_usec == 0);
				_exit(10 + (int)i);
			}
		}
		for (unsigned i = 0; i < 8; i++) {
			int st = reap(kids[i]);

			MUST(WIFEXITED(st) && WEXITSTATUS(st) == 10 + (int)i);
		}
		rounds++;
	}
	memset(&it, 0, sizeof(it));
	setitimer(ITIMER_REAL, &it, NULL);
	kill(sender, SIGKILL);
	reap(sender);
	MUST(hits > 0);
	return rounds;
}

/* A timer of 10 kHz; its handler saves and checks errno, while the main program's calls must
 * neither be lost nor done twice. */
static void tick(int sig, siginfo_t *si, void *uc)
{
	int e = errno;

	(void)sig;
	(void)uc;
	hits += 1 + si->si_overrun;
	errno = 77;
	if (getppid() <= 0)
		_exit(3);
	errno = e;
}

long stress_timer_10khz(void)
{
	struct sigaction sa = { .sa_sigaction = tick, .sa_flags = SA_SIGINFO | SA_RESTART };
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN };
	struct itimerspec its = { { 0, 100000 }, { 0, 100000 } };
	uint64_t t0 = now_ns(), value = 0, got, took;
	long rounds = 0;
	timer_t tm;
	int p[2];

	MUST(sigaction(SIGRTMIN, &sa, NULL) == 0 && pipe(p) == 0);
	MUST(timer_create(CLOCK_MONOTONIC, &ev, &tm) == 0);
	MUST(timer_settime(tm, 0, &its, NULL) == 0);
	while (!slice_over()) {
		/* A write that was done twice, or a read that was lost, breaks the sequence. */
		for (int i = 0; i < 100; i++) {
			value++;
			MUST(write(p[1], &value, sizeof(value)) == sizeof(value));
			MUST(read(p[0], &got, sizeof(got)) == sizeof(got));
			MUST(got == value);
			errno = 5;
			MUST(close(-1) == -1 && errno == EBADF);
		}
		rounds++;
	}
	timer_delete(tm);
	took = now_ns() - t0;
	/* Every expiration is counted, by a signal or as an overrun (a margin for the start
	 * and for the one under way). */
	MUST((uint64_t)hits <= took / 100000 + 2);
	MUST((uint64_t)hits * 10 >= took / 100000 * 5);
	return rounds;
}

/* Real-time signals carry values; none may be lost, and they come in order. */
#define RT_BATCH 200
static volatile sig_atomic_t rt_bad;
static volatile int rt_last[2];
static _Atomic int rt_got;

static void rt_handler(int sig, siginfo_t *si, void *uc)
{
	int which = sig - SIGRTMIN - 1, v = si->si_value.sival_int;

	(void)uc;
	if (v != rt_last[which] + 1 || si->si_code != SI_QUEUE)
		rt_bad = 1;
	rt_last[which] = v;
	rt_got++;
}

long stress_rt_queue(void)
{
	struct sigaction sa = { .sa_sigaction = rt_handler, .sa_flags = SA_SIGINFO };
	pid_t me = getpid();
	long rounds = 0;

	MUST(sigaction(SIGRTMIN + 1, &sa, NULL) == 0);
	MUST(sigaction(SIGRTMIN + 2, &sa, NULL) == 0);
	while (!slice_over()) {
		pid_t kid[2];

		rt_got = 0;
		rt_last[0] = rt_last[1] = 0;
		for (int k = 0; k < 2; k++) {
			kid[k] = spawn();
			if (kid[k] != 0)
				continue;
			for (int i = 1; i <= RT_BATCH; i++) {
				union sigval v = { .sival_int = i };

				while (sigqueue(me, SIGRTMIN + 1 + k, v) < 0) {
					MUST(errno == EAGAIN);
					usleep(100);
				}
			}
			_exit(0);
		}
		for (int k = 0; k < 2; k++)
			MUST(reap(kid[k]) == 0);
		for (int i = 0; rt_got < 2 * RT_BATCH && i < 5000; i++)
			usleep(100);
		MUST(rt_got == 2 * RT_BATCH);
		MUST(!rt_bad);
		rounds++;
	}
	return rounds;
}

/* Spinning, sleeping and calling processes are stopped, continued and killed. */
static void victim(int kind)
{
	volatile unsigned long n = 0;

	for (;;) {
		if (kind == 0)
			n++;
		else if (kind == 1)
			usleep(1000);
		else
			getppid();
	}
}

static void expect(pid_t pid, int options, bool (*is)(int status))
{
	int st = 0;
	pid_t r;

	do
		r = waitpid(pid, &st, options);
	while (r < 0 && errno == EINTR);
	if (r != pid || !is(st))
		FAIL("waitpid gave %d, status %#x", r, (unsigned)st);
}

static bool is_stopped(int st)
{
	return WIFSTOPPED(st) && WSTOPSIG(st) == SIGSTOP;
}

static bool is_continued(int st)
{
	return WIFCONTINUED(st);
}

static bool is_killed(int st)
{
	return WIFSIGNALED(st) && WTERMSIG(st) == SIGKILL;
}

long stress_stop_cont(void)
{
	long rounds = 0;

	while (!slice_over()) {
		pid_t kid[3];

		for (int k = 0; k < 3; k++) {
			kid[k] = spawn();
			if (kid[k] == 0)
				victim(k);
		}
		for (int turn = 0; turn < 3; turn++) {
			for (int k = 0; k < 3; k++) {
				MUST(kill(kid[k], SIGSTOP) == 0);
				expect(kid[k], WUNTRACED, is_stopped);
				MUST(kill(kid[k], SIGCONT) == 0);
				expect(kid[k], WCONTINUED, is_continued);
			}
		}
		if (rnd(2))
			MUST(kill(kid[0], SIGSTOP) == 0);
		for (int k = 0; k < 3; k++) {
			MUST(kill(kid[k], SIGKILL) == 0);
			expect(kid[k], 0, is_killed);
		}
		rounds++;
	}
	return rounds;
}
