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

MAIN()
