/* Futexes of every operation, robust lists, and many threads. */
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>

#include "tests/harness/guest.h"

static long futex(volatile uint32_t *u, int op, uint32_t val, const void *to, volatile void *u2, uint32_t v3)
{
	return syscall(SYS_futex, u, op, val, to, u2, v3);
}

static struct timespec mono_plus(long ms)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	ts.tv_nsec += ms * 1000000;
	ts.tv_sec += ts.tv_nsec / 1000000000;
	ts.tv_nsec %= 1000000000;
	return ts;
}

static volatile uint32_t word, word2, woken;

static void *waiter(void *arg)
{
	uint32_t bits = (uint32_t)(uintptr_t)arg;

	while (futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 0, NULL, NULL, bits) == -1 && errno == EINTR)
		;
	__atomic_fetch_add(&woken, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

/* Wake until n have been woken by this call: a waiter counts only once it sleeps. */
static void wake_until(volatile uint32_t *w, uint32_t bits, int n)
{
	for (int got = 0; got < n; sched_yield()) {
		long r = futex(w, FUTEX_WAKE_BITSET_PRIVATE, (uint32_t)(n - got), NULL, NULL, bits);

		CHECK(r >= 0);
		got += (int)r;
	}
}

CASE(wait_errors, "futex")
{
	struct timespec bad = { 0, 1000000000 }, zero = { 0, 0 };

	word = 1;
	CHECK_ERR(futex(&word, FUTEX_WAIT, 0, NULL, NULL, 0), EAGAIN);
	CHECK_ERR(futex(&word, FUTEX_WAIT, 1, &zero, NULL, 0), ETIMEDOUT);
	CHECK_ERR(futex(&word, FUTEX_WAIT, 0, &bad, NULL, 0), EINVAL);
	CHECK_ERR(futex(&word, FUTEX_WAIT, 1, (void *)8, NULL, 0), EFAULT);
	CHECK_ERR(futex((void *)8, FUTEX_WAIT, 1, NULL, NULL, 0), EFAULT);
	CHECK_ERR(futex((uint32_t *)((char *)(uintptr_t)&word + 1), FUTEX_WAIT, 1, NULL, NULL, 0), EINVAL);
	CHECK_ERR(futex((uint32_t *)((char *)(uintptr_t)&word + 2), FUTEX_WAKE, 1, NULL, NULL, 0), EINVAL);
	CHECK_ERR(futex(&word, FUTEX_WAIT_BITSET, 1, NULL, NULL, 0), EINVAL);
	CHECK_ERR(futex(&word, FUTEX_WAKE_BITSET, 1, NULL, NULL, 0), EINVAL);
	CHECK_ERR(futex(&word, 99, 1, NULL, NULL, 0), ENOSYS);
	CHECK_ERR(futex(&word, FUTEX_WAKE | FUTEX_CLOCK_REALTIME, 1, NULL, NULL, 0), ENOSYS);
	CHECK_EQ(futex(&word, FUTEX_WAKE, 1, NULL, NULL, 0), 0);
}

CASE(timeouts, "futex")
{
	struct timespec rel = { 0, 10000000 }, abs = mono_plus(20), past = { 1, 0 }, end;

	CHECK_ERR(futex(&word, FUTEX_WAIT_PRIVATE, 0, &rel, NULL, 0), ETIMEDOUT);
	CHECK_ERR(futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 0, &abs, NULL, 1), ETIMEDOUT);
	clock_gettime(CLOCK_MONOTONIC, &end);
	CHECK(end.tv_sec > abs.tv_sec || (end.tv_sec == abs.tv_sec && end.tv_nsec >= abs.tv_nsec));
	CHECK_ERR(futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 0, &past, NULL, 1), ETIMEDOUT);
	clock_gettime(CLOCK_REALTIME, &abs);
	CHECK_ERR(futex(&word, FUTEX_WAIT_BITSET_PRIVATE | FUTEX_CLOCK_REALTIME, 0, &abs, NULL, 1),
		  ETIMEDOUT);
}

static volatile int ticks;

static void on_tick(int sig)
{
	(void)sig;
	ticks++;
}

CASE(wait_interrupted, "futex,setitimer")
{
	struct itimerval it = { { 0, 5000 }, { 0, 5000 } };
	struct sigaction sa = { .sa_handler = on_tick };
	struct timespec rel = { 100, 0 };

	sigaction(SIGALRM, &sa, NULL);
	CHECK_EQ(setitimer(ITIMER_REAL, &it, NULL), 0);
	CHECK_ERR(futex(&word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0), EINTR);
	CHECK_ERR(futex(&word, FUTEX_WAIT_PRIVATE, 0, &rel, NULL, 0), EINTR);
}

CASE(wake_counts, "futex,clone")
{
	pthread_t t[6];

	for (int i = 0; i < 6; i++)
		CHECK_EQ(pthread_create(&t[i], NULL, waiter, (void *)~0UL), 0);
	wake_until(&word, ~0U, 2);
	while (woken < 2)
		sched_yield();
	CHECK_EQ(woken, 2);
	wake_until(&word, ~0U, 4);
	for (int i = 0; i < 6; i++)
		pthread_join(t[i], NULL);
	CHECK_EQ(woken, 6);
	CHECK_EQ(futex(&word, FUTEX_WAKE_PRIVATE, 9, NULL, NULL, 0), 0);
}

CASE(bitsets_select, "futex")
{
	pthread_t a, b;

	CHECK_EQ(pthread_create(&a, NULL, waiter, (void *)1UL), 0);
	CHECK_EQ(pthread_create(&b, NULL, waiter, (void *)2UL), 0);
	wake_until(&word, 2, 1);
	pthread_join(b, NULL);
	CHECK_EQ(woken, 1);
	CHECK_EQ(futex(&word, FUTEX_WAKE_BITSET_PRIVATE, 9, NULL, NULL, 4), 0);
	wake_until(&word, 1, 1);
	pthread_join(a, NULL);
	CHECK_EQ(woken, 2);
}

/* Move sleepers of word to word2 until n have moved. */
static void requeue_until(int op, int n, uint32_t v3)
{
	for (int got = 0; got < n; sched_yield()) {
		long r = futex(&word, op, 0, (void *)(uintptr_t)(n - got), &word2, v3);

		CHECK(r >= 0);
		got += (int)r;
	}
}

CASE(requeue_moves, "futex")
{
	pthread_t t[4];

	for (int i = 0; i < 4; i++)
		CHECK_EQ(pthread_create(&t[i], NULL, waiter, (void *)~0UL), 0);
	requeue_until(FUTEX_CMP_REQUEUE_PRIVATE, 2, 0);
	requeue_until(FUTEX_REQUEUE_PRIVATE, 2, 0);
	CHECK_EQ(futex(&word, FUTEX_WAKE_PRIVATE, 9, NULL, NULL, 0), 0);
	CHECK_EQ(woken, 0);
	CHECK_EQ(futex(&word2, FUTEX_WAKE_PRIVATE, 3, NULL, NULL, 0), 3);
	CHECK_EQ(futex(&word2, FUTEX_WAKE_PRIVATE, 3, NULL, NULL, 0), 1);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	CHECK_ERR(futex(&word, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)1, &word2, 5), EAGAIN);
	CHECK_ERR(futex(&word, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)1, (void *)0xffff800000000000, 0),
		  EFAULT);
	CHECK_ERR(futex(&word, FUTEX_CMP_REQUEUE_PRIVATE, (uint32_t)-1, (void *)1, &word2, 0), EINVAL);
}

CASE(wake_op, "futex")
{
	pthread_t t;

	word2 = 5;
	/* word2 += 3, and wake at word2 when the old value was 5 (nobody sleeps). */
	CHECK_EQ(futex(&word, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, &word2,
		       FUTEX_OP(FUTEX_OP_ADD, 3, FUTEX_OP_CMP_EQ, 5)), 0);
	CHECK_EQ(word2, 8);
	CHECK_EQ(futex(&word, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, &word2,
		       FUTEX_OP(FUTEX_OP_SET, 1, FUTEX_OP_CMP_LT, 5)), 0);
	CHECK_EQ(word2, 1);
	CHECK_EQ(futex(&word, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, &word2,
		       FUTEX_OP((FUTEX_OP_OR | FUTEX_OP_OPARG_SHIFT), 4, FUTEX_OP_CMP_GE, 5)), 0);
	CHECK_EQ(word2, 17);
	CHECK_EQ(futex(&word, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, &word2,
		       FUTEX_OP(FUTEX_OP_ANDN, 16, FUTEX_OP_CMP_NE, 5)), 0);
	CHECK_EQ(word2, 1);
	CHECK_EQ(futex(&word, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, &word2,
		       FUTEX_OP(FUTEX_OP_XOR, 3, FUTEX_OP_CMP_GT, 5)), 0);
	CHECK_EQ(word2, 2);
	CHECK_ERR(futex(&word, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, &word2, 7U << 28), ENOSYS);
	CHECK_EQ(pthread_create(&t, NULL, waiter, (void *)~0UL), 0);
	for (long r = 0; r < 1; sched_yield()) {
		r = futex(&word2, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, &word,
			  FUTEX_OP(FUTEX_OP_ADD, 0, FUTEX_OP_CMP_EQ, 0));
		CHECK(r >= 0);
	}
	pthread_join(t, NULL);
}

struct waitv { uint64_t val, uaddr; uint32_t flags, reserved; };

static void *waitv_thread(void *arg)
{
	struct waitv v[2] = { { 0, (uintptr_t)&word, 2 | 128, 0 }, { 0, (uintptr_t)&word2, 2 | 128, 0 } };

	*(long *)arg = syscall(SYS_futex_waitv, v, 2, 0, NULL, 0);
	return NULL;
}

CASE(waitv, "futex_waitv")
{
	struct waitv v[2] = { { 0, (uintptr_t)&word, 2 | 128, 0 }, { 1, (uintptr_t)&word2, 2 | 128, 0 } };
	struct timespec ts = mono_plus(10);
	long got = -1;
	pthread_t t;

	if (syscall(SYS_futex_waitv, NULL, 0, 0, NULL, 0) == -1 && errno == ENOSYS)
		SKIP("no futex_waitv");
	CHECK_ERR(syscall(SYS_futex_waitv, v, 0, 0, NULL, 0), EINVAL);
	CHECK_ERR(syscall(SYS_futex_waitv, v, 129, 0, NULL, 0), EINVAL);
	CHECK_ERR(syscall(SYS_futex_waitv, v, 2, 1, NULL, 0), EINVAL);
	CHECK_ERR(syscall(SYS_futex_waitv, v, 2, 0, NULL, 0), EAGAIN);
	v[1].val = 0;
	CHECK_ERR(syscall(SYS_futex_waitv, v, 2, 0, &ts, CLOCK_MONOTONIC), ETIMEDOUT);
	CHECK_ERR(syscall(SYS_futex_waitv, v, 2, 0, &ts, 99), EINVAL);
	v[1].reserved = 1;
	CHECK_ERR(syscall(SYS_futex_waitv, v, 2, 0, NULL, 0), EINVAL);
	v[1].reserved = 0;
	v[1].flags = 128;
	CHECK_ERR(syscall(SYS_futex_waitv, v, 2, 0, NULL, 0), EINVAL);
	CHECK_ERR(syscall(SYS_futex_waitv, (void *)8, 2, 0, NULL, 0), EFAULT);
	CHECK_EQ(pthread_create(&t, NULL, waitv_thread, &got), 0);
	wake_until(&word2, ~0U, 1);
	pthread_join(t, NULL);
	CHECK_EQ(got, 1);
}

CASE(shared_across_fork, "futex,fork,mmap")
{
	volatile uint32_t *m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int st;
	pid_t p = fork();

	if (p == 0) {
		while (futex(m, FUTEX_WAIT, 0, NULL, NULL, 0) == -1 && errno == EINTR)
			;
		_exit(7);
	}
	while (futex(m, FUTEX_WAKE, 1, NULL, NULL, 0) == 0)
		sched_yield();
	CHECK_EQ(waitpid(p, &st, 0), p);
	CHECK_EQ(WEXITSTATUS(st), 7);
}

CASE(shared_through_a_file, "futex,mmap")
{
	int fd = open("f", O_RDWR | O_CREAT, 0600), st;
	volatile uint32_t *a, *b;
	pid_t p;

	CHECK(fd >= 0 && ftruncate(fd, 8192) == 0);
	a = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 4096);
	CHECK(a != MAP_FAILED);
	p = fork();
	if (p == 0) {
		b = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		futex(b + 1024, FUTEX_WAIT, 0, NULL, NULL, 0);
		_exit(7);
	}
	while (futex(a, FUTEX_WAKE, 1, NULL, NULL, 0) == 0)
		sched_yield();
	CHECK_EQ(waitpid(p, &st, 0), p);
	CHECK_EQ(WEXITSTATUS(st), 7);
}

CASE(private_is_per_process, "futex,fork")
{
	int st;
	pid_t p = fork();

	if (p == 0) {
		struct timespec ts = { 0, 50000000 };

		_exit(futex(&word, FUTEX_WAIT_PRIVATE, 0, &ts, NULL, 0) == -1 && errno == ETIMEDOUT ? 3 : 4);
	}
	for (int i = 0; i < 100; i++)
		CHECK_EQ(futex(&word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), 0);
	CHECK_EQ(waitpid(p, &st, 0), p);
	CHECK_EQ(WEXITSTATUS(st), 3);
}

CASE(robust_list_calls, "set_robust_list,get_robust_list")
{
	struct robust_list_head head = { { &head.list }, 0, NULL }, *got;
	size_t len;

	CHECK_ERR(syscall(SYS_set_robust_list, &head, 8), EINVAL);
	CHECK_EQ(syscall(SYS_set_robust_list, &head, sizeof(head)), 0);
	CHECK_EQ(syscall(SYS_get_robust_list, 0, &got, &len), 0);
	CHECK(got == &head && len == sizeof(head));
	CHECK_EQ(syscall(SYS_get_robust_list, getpid(), &got, &len), 0);
	CHECK_ERR(syscall(SYS_get_robust_list, 99999999, &got, &len), ESRCH);
	CHECK_ERR(syscall(SYS_get_robust_list, 0, (void *)8, &len), EFAULT);
}

static pthread_mutex_t *shared_mutex(bool robust, bool pi)
{
	pthread_mutex_t *m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_mutexattr_t a;

	pthread_mutexattr_init(&a);
	pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
	if (robust)
		pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
	if (pi)
		pthread_mutexattr_setprotocol(&a, PTHREAD_PRIO_INHERIT);
	CHECK_EQ(pthread_mutex_init(m, &a), 0);
	return m;
}

CASE(robust_mutex_owner_dies, "set_robust_list,futex")
{
	pthread_mutex_t *m = shared_mutex(true, false);

	CHECK_EQ(IN_CHILD(_exit(pthread_mutex_lock(m))), 0);
	CHECK_EQ(pthread_mutex_lock(m), EOWNERDEAD);
	CHECK_EQ(pthread_mutex_consistent(m), 0);
	CHECK_EQ(pthread_mutex_unlock(m), 0);
	CHECK_EQ(WTERMSIG(IN_CHILD({
		pthread_mutex_lock(m);
		kill(getpid(), SIGKILL);
		for (;;)
			;
	})), SIGKILL);
	CHECK_EQ(pthread_mutex_lock(m), EOWNERDEAD);
}

CASE(robust_waiter_is_woken, "set_robust_list,futex")
{
	pthread_mutex_t *m = shared_mutex(true, false);
	int st, p[2], q[2];
	char c;
	pid_t child;

	CHECK(pipe(p) == 0 && pipe(q) == 0);
	child = fork();
	if (child == 0) {
		pthread_mutex_lock(m);
		if (write(p[1], "l", 1) != 1)
			_exit(1);
		/* Killed while the parent sleeps on the lock, or just before it does. */
		_exit(read(q[0], &c, 1) == 1 ? 0 : 2);
	}
	CHECK_EQ(read(p[0], &c, 1), 1);
	CHECK_EQ(write(q[1], "x", 1), 1);
	CHECK_EQ(pthread_mutex_lock(m), EOWNERDEAD);
	CHECK_EQ(waitpid(child, &st, 0), child);
	CHECK_EQ(st, 0);
}

CASE(priority_inheritance_locks, "futex")
{
	pthread_mutex_t *m = shared_mutex(false, true);
	volatile uint32_t w = 0;
	int n = 0;
	pid_t p[4];

	CHECK_EQ(futex(&w, FUTEX_LOCK_PI, 0, NULL, NULL, 0), 0);
	CHECK_EQ(w & FUTEX_TID_MASK, syscall(SYS_gettid));
	CHECK_ERR(futex(&w, FUTEX_LOCK_PI, 0, NULL, NULL, 0), EDEADLK);
	CHECK_ERR(futex(&w, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0), EDEADLK);
	CHECK_EQ(futex(&w, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0), 0);
	CHECK_EQ(w, 0);
	CHECK_ERR(futex(&w, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0), EPERM);
	volatile int *count = (volatile int *)((char *)m + 1024);
	for (int i = 0; i < 4; i++) {
		p[i] = fork();
		if (p[i] == 0) {
			for (int k = 0; k < 200; k++) {
				if (pthread_mutex_lock(m))
					_exit(1);
				++*count;
				pthread_mutex_unlock(m);
			}
			_exit(0);
		}
	}
	for (int i = 0, st; i < 4; i++)
		n += waitpid(p[i], &st, 0) == p[i] && st == 0;
	CHECK_EQ(n, 4);
	CHECK_EQ(*count, 800);
}

static pthread_mutex_t big = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int arrived, total;

static void *many(void *arg)
{
	pthread_mutex_lock(&big);
	arrived++;
	pthread_cond_broadcast(&cond);
	while (arrived < 200)
		pthread_cond_wait(&cond, &big);
	pthread_mutex_unlock(&big);
	for (int i = 0; i < 10; i++) {
		pthread_mutex_lock(&big);
		total++;
		pthread_mutex_unlock(&big);
	}
	return arg;
}

CASE(two_hundred_threads, "futex,clone")
{
	static pthread_t t[200];

	for (int i = 0; i < 200; i++)
		CHECK_EQ(pthread_create(&t[i], NULL, many, NULL), 0);
	for (int i = 0; i < 200; i++)
		CHECK_EQ(pthread_join(t[i], NULL), 0);
	CHECK_EQ(total, 2000);
}

/* ---- FUTEX_WAIT_REQUEUE_PI ---- */

#ifndef FUTEX_LOCK_PI2
#define FUTEX_LOCK_PI2 13
#endif

static volatile uint32_t cond_word, pi_word, pi_in, pi_out;

static void *requeue_waiter(void *arg)
{
	uint32_t val = cond_word;

	(void)arg;
	__atomic_fetch_add(&pi_in, 1, __ATOMIC_SEQ_CST);
	CHECK_EQ(futex(&cond_word, FUTEX_WAIT_REQUEUE_PI_PRIVATE, val, NULL, &pi_word, 0), 0);
	CHECK_EQ(pi_word & FUTEX_TID_MASK, syscall(SYS_gettid));
	pi_out++;
	CHECK_EQ(futex(&pi_word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0), 0);
	return NULL;
}

static void requeue_all(int waiters, bool locked)
{
	pthread_t t[8];
	int moved = 0;

	pi_in = pi_out = 0;
	for (int i = 0; i < waiters; i++)
		CHECK_EQ(pthread_create(&t[i], NULL, requeue_waiter, NULL), 0);
	while (pi_in < (uint32_t)waiters)
		sched_yield();
	if (locked)
		CHECK_EQ(futex(&pi_word, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0), 0);
	while (moved < waiters) {
		long r = futex(&cond_word, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, (void *)100UL, &pi_word,
			       cond_word);

		CHECK(r >= 0);
		moved += (int)r;
		sched_yield();
	}
	if (locked) {
		CHECK_EQ(pi_out, 0);
		CHECK(pi_word & FUTEX_WAITERS);
		CHECK_EQ(futex(&pi_word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0), 0);
	}
	for (int i = 0; i < waiters; i++)
		pthread_join(t[i], NULL);
	CHECK_EQ(pi_out, (uint32_t)waiters);
	CHECK_EQ(pi_word, 0);
}

CASE(requeue_pi_free_lock, "futex")
{
	requeue_all(1, false);
	requeue_all(5, false);
}

CASE(requeue_pi_held_lock, "futex")
{
	requeue_all(1, true);
	requeue_all(5, true);
}

CASE(requeue_pi_errors, "futex")
{
	struct timespec past = { 0, 0 };
	pthread_t t;
	long r;

	CHECK_ERR(futex(&word, FUTEX_WAIT_REQUEUE_PI_PRIVATE, 0, NULL, &word, 0), EINVAL);
	CHECK_ERR(futex(&word, FUTEX_WAIT_REQUEUE_PI_PRIVATE, 1, NULL, &word2, 0), EAGAIN);
	CHECK_ERR(futex(&word, FUTEX_WAIT_REQUEUE_PI_PRIVATE, 0, &past, &word2, 0), ETIMEDOUT);
	CHECK_ERR(futex(&word, FUTEX_WAIT_REQUEUE_PI_PRIVATE | FUTEX_CLOCK_REALTIME, 0, &past,
			&word2, 0), ETIMEDOUT);
	CHECK_ERR(futex(&word, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, NULL, &word, 0), EINVAL);
	CHECK_ERR(futex(&word, FUTEX_CMP_REQUEUE_PI_PRIVATE, 2, NULL, &word2, 0), EINVAL);
	CHECK_ERR(futex(&word, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, (void *)-1L, &word2, 0), EINVAL);
	CHECK_ERR(futex(&word, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, NULL, &word2, 1), EAGAIN);
	CHECK_EQ(futex(&word, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, NULL, &word2, 0), 0);
	/* Such waiters and plain calls do not go together. */
	CHECK_EQ(pthread_create(&t, NULL, requeue_waiter, NULL), 0);
	do {
		errno = 0;
		r = futex(&cond_word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	} while (r == 0);
	CHECK(r == -1 && errno == EINVAL);
	CHECK_ERR(futex(&cond_word, FUTEX_REQUEUE_PRIVATE, 1, (void *)1L, &word2, 0), EINVAL);
	CHECK_ERR(futex(&cond_word, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, NULL, &word2, 0), EINVAL);
	CHECK_EQ(futex(&cond_word, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, NULL, &pi_word, 0), 1);
	pthread_join(t, NULL);
}

static void *requeue_plain(void *arg)
{
	(void)arg;
	CHECK_ERR(futex(&cond_word, FUTEX_WAIT_REQUEUE_PI_PRIVATE, 0, NULL, &pi_word, 0), EAGAIN);
	return NULL;
}

/* Requeued and then interrupted by a signal: the caller is to look anew. */
CASE(requeue_pi_signal, "futex")
{
	struct sigaction sa = { .sa_handler = on_tick };
	pthread_t t;

	sigaction(SIGUSR1, &sa, NULL);
	CHECK_EQ(futex(&pi_word, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0), 0);
	CHECK_EQ(pthread_create(&t, NULL, requeue_plain, NULL), 0);
	while (futex(&cond_word, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, NULL, &pi_word, 0) == 0)
		sched_yield();
	pthread_kill(t, SIGUSR1);
	pthread_join(t, NULL);
	CHECK_EQ(futex(&pi_word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0), 0);
	CHECK_EQ(pi_word, 0);
}

CASE(lock_pi2, "futex")
{
	struct timespec past = { 0, 0 }, abs = mono_plus(20);

	CHECK_EQ(futex(&pi_word, FUTEX_LOCK_PI2, 0, &past, NULL, 0), 0);
	CHECK_EQ(IN_CHILD((void)0), 0);
	volatile uint32_t *w = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
				    -1, 0);
	CHECK_EQ(futex(w, FUTEX_LOCK_PI2, 0, NULL, NULL, 0), 0);
	CHECK_EQ(IN_CHILD({
		CHECK_ERR(futex(w, FUTEX_LOCK_PI2, 0, &abs, NULL, 0), ETIMEDOUT);
		CHECK_ERR(futex(w, FUTEX_LOCK_PI2 | FUTEX_CLOCK_REALTIME, 0, &past, NULL, 0),
			  ETIMEDOUT);
		CHECK_ERR(futex(w, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0), EAGAIN);
		CHECK_ERR(futex(w, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0), EPERM);
	}), 0);
	CHECK_EQ(futex(w, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0), 0);
	CHECK_EQ(*w, 0);
}

/* ---- futex_wake, futex_wait, futex_requeue ---- */

#define F2_U32 2u
#define F2_PRIVATE 128u
#define NR_futex_wake 454
#define NR_futex_wait 455
#define NR_futex_requeue 456

static void *wait2(void *arg)
{
	uint64_t mask = (uintptr_t)arg;

	CHECK_EQ(syscall(NR_futex_wait, &word, 0, mask, F2_U32 | F2_PRIVATE, NULL, 0), 0);
	__atomic_fetch_add(&woken, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

CASE(futex2_errors, "futex_wake,futex_wait,futex_requeue")
{
	struct timespec past = { 0, 0 }, bad = { 0, -1 };
	struct waitv v[2] = { { 0, (uintptr_t)&word, F2_U32, 0 }, { 0, (uintptr_t)&word2, F2_U32, 0 } };

	word = 0;
	CHECK_ERR(syscall(NR_futex_wake, &word, 1, 1, 0), EINVAL); /* 8-bit */
	CHECK_ERR(syscall(NR_futex_wake, &word, 1, 1, 0x40 | F2_U32), EINVAL);
	CHECK_ERR(syscall(NR_futex_wake, &word, 0, 1, F2_U32), EINVAL);
	CHECK_ERR(syscall(NR_futex_wake, (char *)(uintptr_t)&word + 1, 1, 1, F2_U32), EINVAL);
	CHECK_EQ(syscall(NR_futex_wake, &word, 1, 1, F2_U32), 0);
	CHECK_EQ(syscall(NR_futex_wake, &word, 1, 0, F2_U32), 0);
	CHECK_ERR(syscall(NR_futex_wait, &word, 1, 1, F2_U32, NULL, 0), EAGAIN);
	CHECK_ERR(syscall(NR_futex_wait, &word, 0, 0, F2_U32, NULL, 0), EINVAL);
	CHECK_ERR(syscall(NR_futex_wait, &word, 1L << 32, 1, F2_U32, NULL, 0), EINVAL);
	CHECK_ERR(syscall(NR_futex_wait, &word, 0, 1, F2_U32, &past, CLOCK_MONOTONIC), ETIMEDOUT);
	CHECK_ERR(syscall(NR_futex_wait, &word, 0, 1, F2_U32, &past, CLOCK_REALTIME), ETIMEDOUT);
	CHECK_ERR(syscall(NR_futex_wait, &word, 0, 1, F2_U32, &past, CLOCK_BOOTTIME), EINVAL);
	CHECK_ERR(syscall(NR_futex_wait, &word, 0, 1, F2_U32, &bad, CLOCK_REALTIME), EINVAL);
	CHECK_ERR(syscall(NR_futex_requeue, v, 1, 1, 1), EINVAL);
	CHECK_ERR(syscall(NR_futex_requeue, NULL, 0, 1, 1), EINVAL);
	CHECK_ERR(syscall(NR_futex_requeue, (void *)8, 0, 1, 1), EFAULT);
	CHECK_ERR(syscall(NR_futex_requeue, v, 0, -1, 1), EINVAL);
	CHECK_EQ(syscall(NR_futex_requeue, v, 0, 1, 1), 0);
	v[0].val = 1;
	CHECK_ERR(syscall(NR_futex_requeue, v, 0, 1, 1), EAGAIN);
	v[1].reserved = 1;
	CHECK_ERR(syscall(NR_futex_requeue, v, 0, 1, 1), EINVAL);
}

CASE(futex2_wake_and_requeue, "futex_wake,futex_wait,futex_requeue")
{
	struct waitv v[2] = { { 0, (uintptr_t)&word, F2_U32 | F2_PRIVATE, 0 },
			      { 0, (uintptr_t)&word2, F2_U32 | F2_PRIVATE, 0 } };
	pthread_t t[5];
	int n = 0;

	for (int i = 0; i < 5; i++)
		CHECK_EQ(pthread_create(&t[i], NULL, wait2, (void *)(i < 2 ? 1UL : 2UL)), 0);
	while (n < 2)
		n += (int)syscall(NR_futex_wake, &word, 1, 2 - n, F2_U32 | F2_PRIVATE);
	CHECK_EQ(syscall(NR_futex_wake, &word, 1, 9, F2_U32 | F2_PRIVATE), 0);
	CHECK_EQ(syscall(NR_futex_wake, &word, 2, 9, F2_U32), 0); /* a shared one: not these */
	for (n = 0; n < 3; sched_yield())
		n += (int)syscall(NR_futex_requeue, v, 0, 0, 3 - n);
	CHECK_EQ(syscall(NR_futex_wake, &word, 2, 9, F2_U32 | F2_PRIVATE), 0);
	CHECK_EQ(syscall(NR_futex_wake, &word2, 2, 9, F2_U32 | F2_PRIVATE), 3);
	for (int i = 0; i < 5; i++)
		pthread_join(t[i], NULL);
	CHECK_EQ(woken, 5);
}

/* ---- keys ---- */

/* A word that is gone cannot be waited on; one that moved has a new private key, but its
 * shared key stays. */
CASE(keys_follow_mappings, "futex,mremap,munmap")
{
	char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0), *q;
	volatile uint32_t *sh = (volatile uint32_t *)(void *)(p + 16);
	int st;
	pid_t c = fork();

	if (c == 0) {
		while (futex(sh, FUTEX_WAIT, 0, NULL, NULL, 0) == -1 && errno == EINTR)
			;
		_exit(0);
	}
	q = mmap(NULL, 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	q = mremap(p, 8192, 8192, MREMAP_MAYMOVE | MREMAP_FIXED, q);
	CHECK(q != MAP_FAILED && q != p);
	CHECK_ERR(futex(sh, FUTEX_WAKE, 1, NULL, NULL, 0), EFAULT);
	while (futex((uint32_t *)(void *)(q + 16), FUTEX_WAKE, 1, NULL, NULL, 0) == 0)
		sched_yield();
	CHECK_EQ(waitpid(c, &st, 0), c);
	CHECK_EQ(st, 0);
	munmap(q, 8192);
	CHECK_ERR(futex((uint32_t *)(void *)(q + 16), FUTEX_WAIT, 0, NULL, NULL, 0), EFAULT);
}

/* ---- stress ---- */

static pthread_mutex_t *st_mutex;
static volatile int *st_count;

static void *st_loop(void *arg)
{
	for (int i = 0; i < (int)(intptr_t)arg; i++) {
		int r = pthread_mutex_lock(st_mutex);

		if (r == EOWNERDEAD)
			CHECK_EQ(pthread_mutex_consistent(st_mutex), 0);
		else
			CHECK_EQ(r, 0);
		++*st_count;
		CHECK_EQ(pthread_mutex_unlock(st_mutex), 0);
	}
	return NULL;
}

/* Threads of two processes count under a robust lock with priority inheritance. */
CASE(pi_robust_stress, "futex,set_robust_list")
{
	pthread_mutexattr_t a;
	int st;

	st_mutex = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	st_count = (volatile int *)(void *)((char *)st_mutex + 4096);
	pthread_mutexattr_init(&a);
	pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setprotocol(&a, PTHREAD_PRIO_INHERIT);
	pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
	CHECK_EQ(pthread_mutex_init(st_mutex, &a), 0);
	for (int c = 0; c < 2; c++) {
		if (fork() == 0) {
			pthread_t t[3];

			for (int i = 0; i < 3; i++)
				pthread_create(&t[i], NULL, st_loop, (void *)500L);
			for (int i = 0; i < 3; i++)
				pthread_join(t[i], NULL);
			/* One more, and dies with it. */
			pthread_mutex_lock(st_mutex);
			++*st_count;
			_exit(0);
		}
	}
	for (int c = 0; c < 2; c++) {
		CHECK(wait(&st) > 0);
		CHECK_EQ(st, 0);
	}
	CHECK_EQ(*st_count, 3002);
	CHECK_EQ(pthread_mutex_lock(st_mutex), EOWNERDEAD);
}

/* Thread n of a race: on a CPU of its own, if there are enough. */
static void race_on(int n)
{
	cpu_set_t have, one;

	CPU_ZERO(&one);
	sched_getaffinity(0, sizeof(have), &have);
	for (int i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &have) && n-- == 0)
			CPU_SET(i, &one);
	if (CPU_COUNT(&one))
		sched_setaffinity(0, sizeof(one), &one);
}

/* The lock word changes hands without and with the kernel: no holder is lost, none is
 * doubled. */
static void *pi_racer(void *arg)
{
	uint32_t tid = (uint32_t)syscall(SYS_gettid);

	race_on((int)(intptr_t)arg);
	for (int i = 0; i < 4000; i++) {
		uint32_t want = 0, mine = tid;

		if (!__atomic_compare_exchange_n(&pi_word, &want, tid, false, __ATOMIC_SEQ_CST,
						 __ATOMIC_SEQ_CST))
			CHECK_EQ(futex(&pi_word, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0), 0);
		CHECK_EQ(pi_word & FUTEX_TID_MASK, tid);
		pi_out++;
		if (!__atomic_compare_exchange_n(&pi_word, &mine, 0, false, __ATOMIC_SEQ_CST,
						 __ATOMIC_SEQ_CST))
			CHECK_EQ(futex(&pi_word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0), 0);
	}
	return arg;
}

CASE(pi_races, "futex")
{
	pthread_t t[4];

	for (int i = 0; i < 4; i++)
		CHECK_EQ(pthread_create(&t[i], NULL, pi_racer, (void *)(intptr_t)(i % 2)), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	CHECK_EQ(pi_out, 16000);
	CHECK_EQ(pi_word, 0);
}

static volatile int adding = 1;

static void *adder(void *arg)
{
	uint32_t *n = arg;

	race_on(1);
	while (adding) {
		__atomic_fetch_add(&word2, 1, __ATOMIC_SEQ_CST);
		++*n;
	}
	return NULL;
}

/* FUTEX_WAKE_OP is one atomic step among those of other threads. */
CASE(wake_op_races, "futex")
{
	static uint32_t added;
	pthread_t t;
	uint32_t n = 0;

	CHECK_EQ(pthread_create(&t, NULL, adder, &added), 0);
	while (word2 == 0)
		sched_yield();
	race_on(0);
	for (struct timespec end = mono_plus(300), now; n < 3000; n++) {
		CHECK_EQ(futex(&word, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1UL, &word2,
			       FUTEX_OP(FUTEX_OP_ADD, 1, FUTEX_OP_CMP_EQ, 0)), 0);
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (now.tv_sec > end.tv_sec ||
		    (now.tv_sec == end.tv_sec && now.tv_nsec > end.tv_nsec))
			break;
	}
	adding = 0;
	pthread_join(t, NULL);
	CHECK_EQ(word2, added + n + (n < 3000));
}

CASE(atomic_on_bad_memory, "futex")
{
	volatile uint32_t *ro = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK_ERR(futex(ro, FUTEX_LOCK_PI, 0, NULL, NULL, 0), EFAULT);
	CHECK_ERR(futex(&word, FUTEX_WAKE_OP, 1, (void *)1UL, ro,
			FUTEX_OP(FUTEX_OP_ADD, 1, FUTEX_OP_CMP_EQ, 0)), EFAULT);
	CHECK_ERR(futex((void *)8, FUTEX_LOCK_PI, 0, NULL, NULL, 0), EFAULT);
}

static pthread_mutex_t cv_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cv = PTHREAD_COND_INITIALIZER;
static int tokens, taken;

static void *consumer(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&cv_mutex);
	for (;;) {
		while (tokens == 0)
			pthread_cond_wait(&cv, &cv_mutex);
		if (tokens < 0)
			break;
		tokens--;
		taken++;
	}
	pthread_mutex_unlock(&cv_mutex);
	return NULL;
}

CASE(condvar_stress, "futex")
{
	pthread_t t[4];

	for (int i = 0; i < 4; i++)
		CHECK_EQ(pthread_create(&t[i], NULL, consumer, NULL), 0);
	for (int i = 0; i < 2000; i++) {
		pthread_mutex_lock(&cv_mutex);
		tokens++;
		pthread_mutex_unlock(&cv_mutex);
		if (i % 3)
			pthread_cond_signal(&cv);
		else
			pthread_cond_broadcast(&cv);
	}
	for (;;) {
		pthread_mutex_lock(&cv_mutex);
		if (tokens == 0)
			break;
		pthread_mutex_unlock(&cv_mutex);
		pthread_cond_broadcast(&cv);
		sched_yield();
	}
	tokens = -1;
	pthread_mutex_unlock(&cv_mutex);
	pthread_cond_broadcast(&cv);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	CHECK_EQ(taken, 2000);
}

MAIN()
