/* Waiting for several descriptors: poll, select and epoll. */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

#include "tests/harness/guest.h"

static void *volatile bad = (void *)8;
static volatile int ticks;

static void on_tick(int sig)
{
	(void)sig;
	ticks++;
}

static void tick(void)
{
	struct itimerval it = { { 0, 5000 }, { 0, 5000 } };
	struct sigaction sa = { .sa_handler = on_tick, .sa_flags = SA_RESTART };

	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &it, NULL);
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static uint64_t with(int sig)
{
	return 1ULL << (sig - 1);
}

CASE(poll_bits_and_counts, "poll")
{
	int a[2], b[2];
	struct pollfd pf[4];

	CHECK(pipe(a) == 0 && pipe(b) == 0);
	CHECK_EQ(write(a[1], "x", 1), 1);
	pf[0] = (struct pollfd){ a[0], POLLIN, -1 };
	pf[1] = (struct pollfd){ b[0], POLLIN, -1 };
	pf[2] = (struct pollfd){ -1, POLLIN, -1 }; /* skipped */
	pf[3] = (struct pollfd){ 999, 0, -1 };
	CHECK_EQ(poll(pf, 4, -1), 2);
	CHECK(pf[0].revents == POLLIN && pf[1].revents == 0 && pf[2].revents == 0);
	CHECK_EQ(pf[3].revents, POLLNVAL);
	CHECK_EQ(poll(pf + 1, 2, 0), 0);
	/* Files are always ready. */
	pf[0] = (struct pollfd){ open("f", O_CREAT | O_RDWR, 0600), POLLIN | POLLOUT | POLLPRI, 0 };
	CHECK_EQ(poll(pf, 1, -1), 1);
	CHECK_EQ(pf[0].revents, POLLIN | POLLOUT);
}

CASE(poll_errors_and_time, "poll,setrlimit")
{
	struct rlimit rl = { 30, 30 };
	struct pollfd pf[31] = { { 0 } };
	int64_t t = now_ms();

	CHECK_EQ(poll(NULL, 0, 20), 0);
	CHECK(now_ms() - t >= 20 && now_ms() - t < 1500);
	CHECK_ERR(syscall(SYS_poll, bad, 1, 0), EFAULT);
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &rl), 0);
	CHECK_ERR(poll(pf, 31, 0), EINVAL);
	tick();
	CHECK_ERR(poll(NULL, 0, -1), EINTR); /* whatever SA_RESTART says */
}

static int wake_fd;

static void *waker(void *arg)
{
	uint64_t one = 1;

	for (int i = 0; i < 50; i++)
		sched_yield();
	if (write(wake_fd, &one, (size_t)(uintptr_t)arg) < 0)
		return (void *)1;
	return NULL;
}

CASE(poll_is_woken, "poll,clone")
{
	int p[2];
	struct pollfd pf[2];
	pthread_t t;

	CHECK_EQ(pipe(p), 0);
	wake_fd = p[1];
	pf[0] = (struct pollfd){ p[0], POLLIN, 0 };
	pf[1] = (struct pollfd){ p[0], POLLIN, 0 }; /* the same twice counts twice */
	CHECK_EQ(pthread_create(&t, NULL, waker, (void *)1), 0);
	CHECK_EQ(poll(pf, 2, 5000), 2);
	pthread_join(t, NULL);
}

CASE(ppoll_mask_and_remainder, "ppoll")
{
	struct timespec ts = { 0, 10000000 }, bad_ts = { 0, 1000000000 };
	uint64_t mask = 0, block = with(SIGUSR1), old;

	CHECK_EQ(syscall(SYS_ppoll, NULL, 0, &ts, NULL, 8), 0);
	CHECK(ts.tv_sec == 0 && ts.tv_nsec == 0); /* the raw call says what is left */
	CHECK_ERR(syscall(SYS_ppoll, NULL, 0, &bad_ts, NULL, 8), EINVAL);
	CHECK_ERR(syscall(SYS_ppoll, NULL, 0, NULL, &mask, 4), EINVAL);
	CHECK_ERR(syscall(SYS_ppoll, NULL, 0, bad, NULL, 8), EFAULT);
	CHECK_ERR(syscall(SYS_ppoll, NULL, 0, NULL, bad, 8), EFAULT);
	signal(SIGUSR1, on_tick);
	CHECK_EQ(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &block, NULL, 8), 0);
	kill(getpid(), SIGUSR1);
	ts = (struct timespec){ 100, 0 };
	CHECK_ERR(syscall(SYS_ppoll, NULL, 0, &ts, &mask, 8), EINTR);
	CHECK_EQ(ticks, 1);
	CHECK(ts.tv_sec == 99 || ts.tv_sec == 100);
	CHECK_EQ(syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &old, 8), 0);
	CHECK(old == block);
	/* Ready descriptors come first: the signal stays pending. */
	struct pollfd pf = { open("/dev/null", O_RDWR), POLLOUT, 0 };
	kill(getpid(), SIGUSR1);
	CHECK_EQ(syscall(SYS_ppoll, &pf, 1, NULL, NULL, 8), 1);
	CHECK_EQ(ticks, 1);
}

CASE(select_sets, "select")
{
	int p[2], q[2];
	fd_set r, w, e;
	struct timeval tv = { 0, 0 };

	CHECK(pipe(p) == 0 && pipe(q) == 0);
	CHECK_EQ(write(p[1], "x", 1), 1);
	FD_ZERO(&r);
	FD_ZERO(&w);
	FD_ZERO(&e);
	FD_SET(p[0], &r);
	FD_SET(q[0], &r);
	FD_SET(q[1], &w);
	FD_SET(q[0], &e);
	CHECK_EQ(syscall(SYS_select, 64, &r, &w, &e, &tv), 2);
	CHECK(FD_ISSET(p[0], &r) && !FD_ISSET(q[0], &r) && FD_ISSET(q[1], &w) && !FD_ISSET(q[0], &e));
	FD_ZERO(&r);
	FD_SET(q[0], &r);
	tv.tv_usec = 10000;
	CHECK_EQ(syscall(SYS_select, q[0] + 1, &r, NULL, NULL, &tv), 0);
	CHECK(!FD_ISSET(q[0], &r) && tv.tv_sec == 0 && tv.tv_usec == 0);
	/* Descriptors at or above n are not looked at. */
	FD_SET(p[0], &r);
	CHECK_EQ(syscall(SYS_select, p[0], &r, NULL, NULL, &tv), 0);
	FD_ZERO(&r);
	FD_SET(q[0], &r);
	close(q[1]);
	CHECK_EQ(syscall(SYS_select, 64, &r, NULL, NULL, NULL), 1); /* the end is readable */
}

CASE(select_errors, "select,pselect6")
{
	fd_set r;
	struct timeval tv = { 0, 2000000 }, neg = { -1, 0 };
	struct timespec ts = { 0, 1000000000 };
	uint64_t mask = 0, block = with(SIGUSR1);
	struct { const void *p; size_t n; } sig = { &mask, 8 };

	FD_ZERO(&r);
	FD_SET(50, &r);
	CHECK_ERR(syscall(SYS_select, 64, &r, NULL, NULL, NULL), EBADF);
	CHECK_ERR(syscall(SYS_select, -1, NULL, NULL, NULL, NULL), EINVAL);
	CHECK_ERR(syscall(SYS_select, 0, NULL, NULL, NULL, &neg), EINVAL);
	tv.tv_usec = 1500; /* more than a second of microseconds is accepted, too */
	CHECK_EQ(syscall(SYS_select, 0, NULL, NULL, NULL, &tv), 0);
	CHECK_ERR(syscall(SYS_select, 64, bad, NULL, NULL, NULL), EFAULT);
	CHECK_ERR(syscall(SYS_pselect6, 0, NULL, NULL, NULL, &ts, NULL), EINVAL);
	signal(SIGUSR1, on_tick);
	CHECK_EQ(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &block, NULL, 8), 0);
	kill(getpid(), SIGUSR1);
	ts = (struct timespec){ 100, 0 };
	CHECK_ERR(syscall(SYS_pselect6, 0, NULL, NULL, NULL, &ts, &sig), EINTR);
	CHECK_EQ(ticks, 1);
	sig.n = 4;
	CHECK_ERR(syscall(SYS_pselect6, 0, NULL, NULL, NULL, &ts, &sig), EINVAL);
	tick();
	CHECK_ERR(syscall(SYS_select, 0, NULL, NULL, NULL, NULL), EINTR);
}

static int ep_add(int ep, int fd, uint32_t ev, uint64_t data)
{
	struct epoll_event e = { .events = ev, .data.u64 = data };

	return epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
}

CASE(epoll_level, "epoll_create,epoll_create1,epoll_ctl,epoll_wait")
{
	int ep = epoll_create1(EPOLL_CLOEXEC), p[2];
	struct epoll_event e[4];
	char c;

	CHECK(ep >= 0 && fcntl(ep, F_GETFD) == FD_CLOEXEC && pipe(p) == 0);
	CHECK_EQ(ep_add(ep, p[0], EPOLLIN, 0x1234567890), 0);
	CHECK_EQ(ep_add(ep, p[1], EPOLLOUT, 2), 0);
	CHECK_EQ(epoll_wait(ep, e, 4, 0), 1);
	CHECK(e[0].data.u64 == 2 && e[0].events == EPOLLOUT);
	CHECK_EQ(write(p[1], "x", 1), 1);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(epoll_wait(ep, e, 4, -1), 2);
	CHECK_EQ(epoll_wait(ep, e, 1, 0), 1);
	uint64_t first = e[0].data.u64;
	CHECK_EQ(epoll_wait(ep, e, 1, 0), 1); /* one after the other: none starves */
	CHECK(e[0].data.u64 != first);
	CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_DEL, p[1], NULL), 0);
	CHECK_EQ(read(p[0], &c, 1), 1);
	CHECK_EQ(epoll_wait(ep, e, 4, 0), 0);
	e[0].events = EPOLLOUT;
	CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_MOD, p[0], e), 0);
	close(p[1]);
	CHECK_EQ(epoll_wait(ep, e, 4, 0), 1);
	CHECK_EQ(e[0].events, EPOLLHUP); /* reported unasked */
	CHECK(syscall(SYS_epoll_create, 1) >= 0);
	CHECK_ERR(syscall(SYS_epoll_create, 0), EINVAL);
	CHECK_ERR(epoll_create1(1), EINVAL);
}

CASE(epoll_errors, "epoll_ctl,epoll_wait,epoll_pwait2")
{
	int ep = epoll_create1(0), p[2], file = open("f", O_CREAT | O_RDWR, 0600);
	struct epoll_event e = { EPOLLIN, { 0 } };
	struct timespec ts = { 0, 10000000 }, bad_ts = { 0, 1000000000 };

	CHECK_EQ(pipe(p), 0);
	CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, file, &e), EPERM);
	CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, 999, &e), EBADF);
	CHECK_ERR(epoll_ctl(999, EPOLL_CTL_ADD, p[0], &e), EBADF);
	CHECK_ERR(epoll_ctl(p[0], EPOLL_CTL_ADD, p[1], &e), EINVAL);
	CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, ep, &e), EINVAL);
	CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_MOD, p[0], &e), ENOENT);
	CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_DEL, p[0], NULL), ENOENT);
	CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &e), 0);
	CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &e), EEXIST);
	CHECK_ERR(epoll_ctl(ep, 9, p[0], &e), EINVAL);
	CHECK_ERR(syscall(SYS_epoll_ctl, ep, EPOLL_CTL_ADD, p[1], bad), EFAULT);
	CHECK_ERR(epoll_wait(ep, &e, 0, 0), EINVAL);
	CHECK_ERR(syscall(SYS_epoll_wait, ep, &e, -1, 0), EINVAL);
	CHECK_ERR(epoll_wait(p[0], &e, 1, 0), EINVAL);
	CHECK_ERR(epoll_wait(999, &e, 1, 0), EBADF);
	CHECK_EQ(write(p[1], "x", 1), 1);
	CHECK_ERR(syscall(SYS_epoll_wait, ep, bad, 1, 0), EFAULT);
	if (syscall(SYS_epoll_pwait2, ep, &e, 1, &ts, NULL, 8) == -1 && errno == ENOSYS)
		SKIP("no epoll_pwait2");
	CHECK_EQ(syscall(SYS_epoll_pwait2, ep, &e, 1, &ts, NULL, 8), 1);
	CHECK_ERR(syscall(SYS_epoll_pwait2, ep, &e, 1, &bad_ts, NULL, 8), EINVAL);
	CHECK_EQ(read(p[0], &e, 1), 1);
	CHECK_EQ(syscall(SYS_epoll_pwait2, ep, &e, 1, &ts, NULL, 8), 0);
}

CASE(epoll_edge, "epoll_ctl,epoll_wait")
{
	int ep = epoll_create1(0), p[2];
	struct epoll_event e[2];

	CHECK_EQ(pipe(p), 0);
	CHECK_EQ(ep_add(ep, p[0], EPOLLIN | EPOLLET, 1), 0);
	CHECK_EQ(epoll_wait(ep, e, 2, 0), 0);
	CHECK_EQ(write(p[1], "x", 1), 1);
	CHECK_EQ(epoll_wait(ep, e, 2, 0), 1);
	CHECK_EQ(epoll_wait(ep, e, 2, 0), 0);
	CHECK_EQ(write(p[1], "y", 1), 1); /* more data: a new edge */
	CHECK_EQ(epoll_wait(ep, e, 2, 0), 1);
	e[0].events = EPOLLIN | EPOLLET;
	CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_MOD, p[0], e), 0); /* arms it again */
	CHECK_EQ(epoll_wait(ep, e, 2, 0), 1);
	close(p[1]);
	CHECK_EQ(epoll_wait(ep, e, 2, 0), 1);
	CHECK_EQ(e[0].events, EPOLLIN | EPOLLHUP);
	/* Adding what is ready is an edge, too. */
	int fd = eventfd(1, 0);
	CHECK_EQ(ep_add(ep, fd, EPOLLIN | EPOLLET, 2), 0);
	CHECK_EQ(epoll_wait(ep, e, 2, 0), 1);
	CHECK_EQ(epoll_wait(ep, e, 2, 0), 0);
}

CASE(epoll_oneshot, "epoll_ctl,epoll_wait")
{
	int ep = epoll_create1(0), fd = eventfd(1, 0);
	struct epoll_event e = { 0 };

	CHECK_EQ(ep_add(ep, fd, EPOLLIN | EPOLLONESHOT, 1), 0);
	CHECK_EQ(epoll_wait(ep, &e, 1, 0), 1);
	CHECK_EQ(epoll_wait(ep, &e, 1, 0), 0);
	e.events = EPOLLIN | EPOLLONESHOT;
	e.data.u64 = 77;
	CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_MOD, fd, &e), 0);
	CHECK_EQ(epoll_wait(ep, &e, 1, 0), 1);
	CHECK_EQ(e.data.u64, 77);
}

CASE(epoll_exclusive, "epoll_ctl,epoll_wait")
{
	int ep = epoll_create1(0), other = epoll_create1(0), fd = eventfd(0, 0);
	struct epoll_event e = { EPOLLIN | EPOLLEXCLUSIVE, { 0 } };
	uint64_t one = 1;

	CHECK_EQ(ep_add(ep, fd, EPOLLIN | EPOLLEXCLUSIVE, 1), 0);
	CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_MOD, fd, &e), EINVAL);
	CHECK_ERR(ep_add(ep, other, EPOLLIN | EPOLLEXCLUSIVE, 1), EINVAL);
	CHECK_ERR(ep_add(other, fd, EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT, 1), EINVAL);
	CHECK_EQ(write(fd, &one, 8), 8);
	CHECK_EQ(epoll_wait(ep, &e, 1, 0), 1);
}

CASE(epoll_nested, "epoll_ctl,epoll_wait,poll")
{
	int a = epoll_create1(0), b = epoll_create1(0), c = epoll_create1(0), fd = eventfd(0, 0);
	struct epoll_event e;
	struct pollfd pf = { a, POLLIN, 0 };
	uint64_t one = 1;

	CHECK_EQ(ep_add(a, b, EPOLLIN, 1), 0);
	CHECK_EQ(ep_add(b, c, EPOLLIN, 2), 0);
	CHECK_EQ(ep_add(c, fd, EPOLLIN, 3), 0);
	CHECK_ERR(ep_add(c, a, EPOLLIN, 4), ELOOP);
	CHECK_EQ(epoll_wait(a, &e, 1, 0), 0);
	CHECK_EQ(poll(&pf, 1, 0), 0);
	CHECK_EQ(write(fd, &one, 8), 8);
	CHECK_EQ(poll(&pf, 1, 0), 1);
	CHECK_EQ(epoll_wait(a, &e, 1, 0), 1);
	CHECK_EQ(e.data.u64, 1);
	CHECK_EQ(epoll_wait(c, &e, 1, 0), 1);
	CHECK_EQ(e.data.u64, 3);
	/* Chains of more than five are refused. */
	int prev = a;
	int err = 0;
	for (int i = 0; i < 6 && !err; i++) {
		int next = epoll_create1(0);
		err = ep_add(next, prev, EPOLLIN, 5) ? errno : 0;
		prev = next;
	}
	CHECK(err == EINVAL || err == ELOOP);
}

CASE(epoll_follows_the_open_file, "epoll_ctl,epoll_wait,close,dup")
{
	int ep = epoll_create1(0), fd = eventfd(1, 0), copy = dup(fd);
	struct epoll_event e;

	CHECK_EQ(ep_add(ep, fd, EPOLLIN, 1), 0);
	CHECK_EQ(ep_add(ep, copy, EPOLLIN, 2), 0); /* another key for the same file */
	close(fd);
	close(copy);
	CHECK_EQ(epoll_wait(ep, &e, 1, 0), 0);
	fd = eventfd(1, 0);
	copy = dup(fd);
	CHECK_EQ(ep_add(ep, fd, EPOLLIN, 3), 0);
	close(fd);
	CHECK_EQ(epoll_wait(ep, &e, 1, 0), 1); /* the file is open still */
	CHECK_EQ(e.data.u64, 3);
	close(copy);
	CHECK_EQ(epoll_wait(ep, &e, 1, 0), 0);
}

CASE(epoll_is_woken, "epoll_wait,epoll_pwait,clone")
{
	int ep = epoll_create1(0), fd = eventfd(0, 0);
	struct epoll_event e;
	pthread_t t;
	int64_t t0 = now_ms();

	CHECK_EQ(ep_add(ep, fd, EPOLLIN, 1), 0);
	CHECK_EQ(epoll_wait(ep, &e, 1, 20), 0);
	CHECK(now_ms() - t0 >= 20);
	wake_fd = fd;
	CHECK_EQ(pthread_create(&t, NULL, waker, (void *)8), 0);
	CHECK_EQ(epoll_pwait(ep, &e, 1, 5000, NULL), 1);
	pthread_join(t, NULL);
	CHECK_EQ(read(fd, &e, 8), 8);
	tick();
	CHECK_ERR(epoll_wait(ep, &e, 1, -1), EINTR);
}

struct late { int ep, fd; };

static void *late_adder(void *arg)
{
	struct late *l = arg;

	for (int i = 0; i < 50; i++)
		sched_yield();
	return (void *)(intptr_t)ep_add(l->ep, l->fd, EPOLLIN, 9);
}

CASE(epoll_add_while_waiting, "epoll_ctl,epoll_wait,clone")
{
	struct late l = { epoll_create1(0), eventfd(1, 0) };
	struct epoll_event e;
	pthread_t t;

	CHECK_EQ(pthread_create(&t, NULL, late_adder, &l), 0);
	CHECK_EQ(epoll_wait(l.ep, &e, 1, 5000), 1);
	CHECK_EQ(e.data.u64, 9);
	pthread_join(t, NULL);
}

CASE(epoll_pwait_mask, "epoll_pwait,epoll_pwait2")
{
	int ep = epoll_create1(0);
	struct epoll_event e;
	uint64_t none = 0, block = with(SIGUSR1), old;
	struct timespec ts = { 100, 0 };

	signal(SIGUSR1, on_tick);
	CHECK_EQ(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &block, NULL, 8), 0);
	kill(getpid(), SIGUSR1);
	CHECK_ERR(syscall(SYS_epoll_pwait, ep, &e, 1, 5000, &none, 8), EINTR);
	CHECK_EQ(ticks, 1);
	CHECK_EQ(syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &old, 8), 0);
	CHECK(old == block);
	CHECK_ERR(syscall(SYS_epoll_pwait, ep, &e, 1, 0, &none, 4), EINVAL);
	kill(getpid(), SIGUSR1);
	CHECK_ERR(syscall(SYS_epoll_pwait2, ep, &e, 1, &ts, &none, 8), EINTR);
	CHECK_EQ(ticks, 2);
}

CASE(sockets_hang_up, "poll,epoll_wait,shutdown")
{
	int sv[2], ep = epoll_create1(0);
	struct epoll_event e;

	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	CHECK_EQ(ep_add(ep, sv[0], EPOLLIN | EPOLLRDHUP, 1), 0);
	CHECK_EQ(epoll_wait(ep, &e, 1, 0), 0);
	CHECK_EQ(shutdown(sv[1], SHUT_WR), 0);
	CHECK_EQ(epoll_wait(ep, &e, 1, 0), 1);
	CHECK_EQ(e.events, EPOLLIN | EPOLLRDHUP);
	close(sv[1]);
	CHECK_EQ(epoll_wait(ep, &e, 1, 0), 1);
	CHECK_EQ(e.events, EPOLLIN | EPOLLRDHUP | EPOLLHUP);
}

MAIN()
