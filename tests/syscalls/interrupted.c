/* Calls and signals that meet at every moment: each call is made once, gives its own
 * result, and ends with EINTR or goes on as its handler asks. */
#include "tests/harness/guest.h"

#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/time.h>

#define THREADS 4
#define ROUNDS 1500

static _Atomic unsigned ticks;

static void on_tick(int sig)
{
	int saved = errno;

	(void)sig;
	/* A call of the handler's own must not disturb the one it interrupted. */
	if (syscall(SYS_getppid) <= 0)
		_exit(9);
	ticks++;
	errno = saved;
}

static void tick(int flags, long usec)
{
	struct sigaction sa = { .sa_handler = on_tick, .sa_flags = flags };
	struct itimerval it = { { 0, usec }, { 0, usec } };

	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &it, NULL);
}

static void tick_stop(void)
{
	struct itimerval off = { { 0, 0 }, { 0, 0 } };

	setitimer(ITIMER_REAL, &off, NULL);
	signal(SIGALRM, SIG_IGN);
}

static int counter;

static void *make_calls(void *arg)
{
	pid_t parent = getppid();
	int p[2], fd = open(arg, O_RDWR | O_CREAT | O_APPEND, 0600);
	uint64_t one = 1;

	CHECK(fd >= 0 && pipe(p) == 0);
	for (uint32_t i = 0; i < ROUNDS; i++) {
		uint32_t v = ~0u;
		uint64_t k = i;

		CHECK_EQ(syscall(SYS_getppid), parent);
		CHECK_EQ(write(counter, &one, sizeof(one)), sizeof(one));
		CHECK_EQ(write(p[1], &i, sizeof(i)), sizeof(i));
		CHECK_EQ(read(p[0], &v, sizeof(v)), sizeof(v));
		CHECK_EQ(v, i);
		if (i % 8 == 0) {
			CHECK_EQ(write(fd, &k, sizeof(k)), sizeof(k));
			CHECK_EQ(lseek(fd, 0, SEEK_CUR), (i / 8 + 1) * sizeof(k));
		}
		CHECK_EQ(fcntl(p[0], F_GETFD), 0);
	}
	close(fd);
	close(p[0]);
	close(p[1]);
	return NULL;
}

CASE(each_call_is_made_once, "getppid,read,write,lseek,setitimer")
{
	static const char *const names[THREADS] = { "a", "b", "c", "d" };
	pthread_t t[THREADS];
	uint64_t total = 0;

	counter = eventfd(0, 0);
	CHECK(counter >= 0);
	tick(SA_RESTART, 100);
	for (int i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_create(&t[i], NULL, make_calls, (void *)(uintptr_t)names[i]), 0);
	for (int i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_join(t[i], NULL), 0);
	tick_stop();
	CHECK_EQ(read(counter, &total, sizeof(total)), sizeof(total));
	CHECK_EQ(total, THREADS * ROUNDS);
	CHECK(ticks > 0);
}

/* A reader that waits is interrupted over and over; what it reads is complete. */
CASE(waiting_is_interrupted, "read,poll")
{
	int p[2], eintr = 0;
	pid_t kid;

	CHECK_EQ(pipe(p), 0);
	kid = fork();
	if (kid == 0) {
		for (uint32_t i = 0; i < 200; i++) {
			usleep(200);
			if (write(p[1], &i, sizeof(i)) != sizeof(i))
				_exit(1);
		}
		_exit(0);
	}
	tick(0, 150);
	for (uint32_t i = 0; i < 200; i++) {
		struct pollfd pf = { p[0], POLLIN, 0 };
		uint32_t v = ~0u;
		ssize_t n;

		while (i % 2 && (n = poll(&pf, 1, -1)) != 1) {
			CHECK(n < 0 && errno == EINTR);
			eintr++;
		}
		while ((n = read(p[0], &v, sizeof(v))) < 0) {
			CHECK_EQ(errno, EINTR);
			eintr++;
		}
		CHECK_EQ(n, sizeof(v));
		CHECK_EQ(v, i);
	}
	tick_stop();
	CHECK_EQ(waitpid(kid, NULL, 0), kid);
	CHECK(eintr > 0);
}

/* The temporary mask ends with the call, whether a signal came or not. */
CASE(temporary_masks, "ppoll,pselect6,rt_sigprocmask")
{
	sigset_t blocked, none, now;
	struct timespec short_time = { 0, 300000 };
	int eintr = 0;

	sigemptyset(&none);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGALRM);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	tick(0, 1000);
	for (int i = 0; i < 300; i++) {
		unsigned before = ticks;
		int r = ppoll(NULL, 0, &short_time, &none);

		CHECK(r == 0 || (r < 0 && errno == EINTR));
		CHECK(r == 0 || ticks > before);
		CHECK(r != 0 || ticks == before);
		eintr += r < 0;
		sigprocmask(SIG_SETMASK, NULL, &now);
		CHECK(sigismember(&now, SIGALRM));
		before = ticks;
		for (volatile int k = 0; k < 1000; k++)
			;
		CHECK_EQ(ticks, before);
	}
	tick_stop();
	CHECK(eintr > 0 && eintr < 300);
}

static void *wait_for_nothing(void *arg)
{
	for (;;)
		syscall(SYS_futex, arg, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
	return NULL;
}

static void *call_for_ever(void *arg)
{
	(void)arg;
	for (;;)
		syscall(SYS_getppid);
	return NULL;
}

/* execve while the other threads are in calls of all kinds. */
CASE(exec_among_calls, "execve,futex,getppid")
{
	static uint32_t word;
	pthread_t t;

	for (int i = 0; i < 20; i++) {
		pid_t kid = fork();
		int st;

		if (kid == 0) {
			char *argv[] = { "true", NULL }, *envp[] = { NULL };

			for (int k = 0; k < 8; k++)
				pthread_create(&t, NULL, k % 2 ? wait_for_nothing : call_for_ever, &word);
			usleep(500u * (unsigned)(i % 5));
			execve("/bin/true", argv, envp);
			_exit(127);
		}
		CHECK_EQ(waitpid(kid, &st, 0), kid);
		CHECK_EQ(st, 0);
	}
}

/* SIGKILL at any moment of a process whose threads make calls and wait. */
CASE(killed_among_calls, "kill,futex,getppid")
{
	static uint32_t word;
	pthread_t t;

	for (int i = 0; i < 30; i++) {
		pid_t kid = fork();
		int st;

		if (kid == 0) {
			for (int k = 0; k < 6; k++)
				pthread_create(&t, NULL, k % 2 ? wait_for_nothing : call_for_ever, &word);
			call_for_ever(NULL);
		}
		usleep(300u * (unsigned)i);
		CHECK_EQ(kill(kid, SIGKILL), 0);
		CHECK_EQ(waitpid(kid, &st, 0), kid);
		CHECK_EQ(st, SIGKILL);
	}
}

static _Atomic unsigned arrived, left;
static uint32_t gate;
#define CROWD 1000

static void *crowd(void *arg)
{
	uint64_t v = 0;

	arrived++;
	while (!__atomic_load_n(&gate, __ATOMIC_SEQ_CST))
		syscall(SYS_futex, &gate, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
	/* Every one is itself again. */
	CHECK_EQ(syscall(SYS_gettid), *(volatile int *)arg);
	CHECK_EQ(write(counter, &(uint64_t){ 1 }, sizeof(v)), sizeof(v));
	left++;
	return NULL;
}

static void *crowd_member(void *arg)
{
	int tid = (int)syscall(SYS_gettid);

	(void)arg;
	return crowd(&tid);
}

/* A thousand threads that wait at once, are interrupted there, and go on. */
CASE(a_crowd_waits, "futex,tgkill")
{
	static pthread_t t[CROWD];
	pthread_attr_t a;
	uint64_t total;

	counter = eventfd(0, 0);
	pthread_attr_init(&a);
	pthread_attr_setstacksize(&a, 65536);
	signal(SIGUSR1, on_tick);
	for (int i = 0; i < CROWD; i++)
		CHECK_EQ(pthread_create(&t[i], &a, crowd_member, NULL), 0);
	while (arrived < CROWD)
		usleep(1000);
	for (int i = 0; i < CROWD; i += 3)
		CHECK_EQ(pthread_kill(t[i], SIGUSR1), 0);
	while (ticks < CROWD / 3)
		usleep(1000);
	gate = 1;
	CHECK(syscall(SYS_futex, &gate, FUTEX_WAKE_PRIVATE, CROWD, NULL, NULL, 0) <= CROWD);
	for (int i = 0; i < CROWD; i++) {
		CHECK_EQ(pthread_join(t[i], NULL), 0);
	}
	CHECK_EQ(left, CROWD);
	CHECK_EQ(read(counter, &total, sizeof(total)), sizeof(total));
	CHECK_EQ(total, CROWD);
}

MAIN()
