/* Pipes, FIFOs and event counters. */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>

#include "tests/harness/guest.h"

static void *volatile bad = (void *)8;

static short poll_now(int fd, short events)
{
	struct pollfd pf = { .fd = fd, .events = events };

	CHECK(poll(&pf, 1, 0) >= 0);
	return pf.revents;
}

static volatile int ticks;

static void on_tick(int sig)
{
	(void)sig;
	ticks++;
}

static void tick(int flags)
{
	struct itimerval it = { { 0, 5000 }, { 0, 5000 } };
	struct sigaction sa = { .sa_handler = on_tick, .sa_flags = flags };

	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &it, NULL);
}

CASE(pipe_basics, "pipe,pipe2,read,write")
{
	int p[2];
	char b[16] = "";

	CHECK_EQ(syscall(SYS_pipe, p), 0);
	CHECK_EQ(write(p[1], "abc", 3), 3);
	CHECK_EQ(write(p[1], "de", 2), 2);
	CHECK_EQ(read(p[0], b, 4), 4);
	CHECK(!strcmp(b, "abcd"));
	CHECK_EQ(read(p[0], b, 16), 1); /* what there is, without waiting for more */
	CHECK_ERR(read(p[1], b, 1), EBADF);
	CHECK_ERR(write(p[0], b, 1), EBADF);
	CHECK_EQ(write(p[1], b, 0), 0);
	CHECK_EQ(read(p[0], b, 0), 0);
	CHECK_EQ(close(p[1]), 0);
	CHECK_EQ(read(p[0], b, 1), 0);
	CHECK_ERR(syscall(SYS_pipe, bad), EFAULT);
}

CASE(pipe2_flags, "pipe2,fcntl")
{
	int p[2];
	char c;

	CHECK_EQ(pipe2(p, O_CLOEXEC | O_NONBLOCK), 0);
	CHECK(fcntl(p[0], F_GETFD) == FD_CLOEXEC && fcntl(p[1], F_GETFD) == FD_CLOEXEC);
	CHECK_EQ(fcntl(p[0], F_GETFL), O_RDONLY | O_NONBLOCK);
	CHECK_EQ(fcntl(p[1], F_GETFL), O_WRONLY | O_NONBLOCK);
	CHECK_ERR(read(p[0], &c, 1), EAGAIN);
	CHECK_ERR(pipe2(p, O_APPEND), EINVAL);
	CHECK_ERR(syscall(SYS_pipe2, bad, 0), EFAULT);
}

CASE(broken_pipe, "write,pipe")
{
	int p[2];

	CHECK_EQ(pipe(p), 0);
	CHECK_EQ(close(p[0]), 0);
	signal(SIGPIPE, on_tick);
	CHECK_ERR(write(p[1], "x", 1), EPIPE);
	CHECK_EQ(ticks, 1);
	CHECK_EQ(write(p[1], "", 0), 0);
	CHECK_EQ(ticks, 1);
	signal(SIGPIPE, SIG_IGN);
	CHECK_ERR(write(p[1], "x", 1), EPIPE);
	CHECK_EQ(WTERMSIG(IN_CHILD({
		signal(SIGPIPE, SIG_DFL);
		_exit(write(p[1], "x", 1) == 1);
	})), SIGPIPE);
}

CASE(full_pipe, "write,pipe2,fcntl")
{
	int p[2];
	static char b[70000];
	long total = 0, n;

	CHECK_EQ(pipe2(p, O_NONBLOCK), 0);
	CHECK_EQ(fcntl(p[0], F_GETPIPE_SZ), 65536);
	CHECK_EQ(write(p[1], b, sizeof(b)), 65536);
	CHECK_ERR(write(p[1], b, 1), EAGAIN);
	CHECK_EQ(poll_now(p[1], POLLOUT), 0);
	CHECK_EQ(read(p[0], b, 100), 100);
	/* At most PIPE_BUF bytes go in wholly or not at all. */
	CHECK_ERR(write(p[1], b, 4096), EAGAIN);
	while ((n = read(p[0], b, 4096)) > 0)
		total += n;
	CHECK_EQ(errno, EAGAIN);
	CHECK_EQ(total, 65436);
	CHECK_EQ(poll_now(p[1], POLLOUT), POLLOUT);
}

CASE(pipe_size, "fcntl")
{
	int p[2];
	static char b[8192];

	CHECK_EQ(pipe2(p, O_NONBLOCK), 0);
	CHECK_EQ(fcntl(p[1], F_SETPIPE_SZ, 5000), 8192); /* rounded up to a power of two of pages */
	CHECK_EQ(fcntl(p[0], F_GETPIPE_SZ), 8192);
	CHECK_EQ(write(p[1], b, 8192), 8192);
	CHECK_ERR(fcntl(p[1], F_SETPIPE_SZ, 4096), EBUSY);
	CHECK_EQ(fcntl(p[1], F_SETPIPE_SZ, 1 << 17), 1 << 17);
	CHECK_EQ(read(p[0], b, 8192), 8192);
	CHECK_EQ(fcntl(p[1], F_SETPIPE_SZ, 0), 4096);
	CHECK_ERR(fcntl(p[1], F_SETPIPE_SZ, 0x80000001U), EINVAL);
	CHECK_ERR(fcntl(open("f", O_CREAT | O_RDWR, 0600), F_GETPIPE_SZ), EBADF);
}

static int atomic_fd;

static void *atomic_writer(void *arg)
{
	char b[512];

	memset(b, (int)(uintptr_t)arg, sizeof(b));
	for (int i = 0; i < 100; i++)
		if (write(atomic_fd, b, sizeof(b)) != sizeof(b))
			return (void *)1;
	return NULL;
}

CASE(writes_are_atomic, "write,read,pipe")
{
	pthread_t t[4];
	char b[512];
	int p[2];

	CHECK_EQ(pipe(p), 0);
	CHECK_EQ(fcntl(p[1], F_SETPIPE_SZ, 4096), 4096);
	atomic_fd = p[1];
	for (uintptr_t i = 0; i < 4; i++)
		CHECK_EQ(pthread_create(&t[i], NULL, atomic_writer, (void *)('a' + i)), 0);
	for (int i = 0; i < 400; i++) {
		for (size_t got = 0; got < sizeof(b);) {
			ssize_t n = read(p[0], b + got, sizeof(b) - got);

			CHECK(n > 0);
			got += (size_t)n;
		}
		for (size_t k = 1; k < sizeof(b); k++)
			CHECK(b[k] == b[0]);
	}
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
}

CASE(big_write_blocks_until_read, "write,read,fork")
{
	size_t n = 1 << 20, got = 0;
	int p[2], st;
	char *b = malloc(n);
	pid_t child;

	CHECK_EQ(pipe(p), 0);
	child = fork();
	if (child == 0) {
		close(p[0]);
		_exit(write(p[1], b, n) != (ssize_t)n);
	}
	close(p[1]);
	for (;;) {
		ssize_t r = read(p[0], b, 10000);

		CHECK(r >= 0);
		if (r == 0)
			break;
		got += (size_t)r;
	}
	CHECK_EQ(got, n);
	CHECK_EQ(waitpid(child, &st, 0), child);
	CHECK_EQ(st, 0);
}

CASE(interrupted_writes, "write")
{
	int p[2];
	static char b[100000];

	CHECK_EQ(pipe(p), 0);
	tick(0);
	CHECK_EQ(write(p[1], b, sizeof(b)), 65536); /* what has gone in counts */
	CHECK_ERR(write(p[1], b, 1), EINTR);
	tick(SA_RESTART);
	CHECK_EQ(read(p[0], b, 4096), 4096);
	CHECK_EQ(write(p[1], b, 4097), 4096); /* partial, even when restarting */
}

CASE(packet_mode, "pipe2,read,write")
{
	int p[2];
	char b[16];

	CHECK_EQ(pipe2(p, O_DIRECT), 0);
	CHECK_EQ(write(p[1], "abcdef", 6), 6);
	CHECK_EQ(write(p[1], "xy", 2), 2);
	CHECK_EQ(read(p[0], b, 3), 3); /* the rest of a packet is lost */
	CHECK_EQ(read(p[0], b, 16), 2);
}

CASE(poll_bits, "poll,pipe")
{
	int p[2];
	char c;

	CHECK_EQ(pipe(p), 0);
	CHECK_EQ(poll_now(p[0], POLLIN | POLLOUT), 0);
	CHECK_EQ(poll_now(p[1], POLLIN | POLLOUT), POLLOUT);
	CHECK_EQ(write(p[1], "x", 1), 1);
	CHECK_EQ(poll_now(p[0], POLLIN | POLLRDNORM), POLLIN | POLLRDNORM);
	CHECK_EQ(close(p[1]), 0);
	CHECK_EQ(poll_now(p[0], POLLIN), POLLIN | POLLHUP);
	CHECK_EQ(read(p[0], &c, 1), 1);
	CHECK_EQ(poll_now(p[0], POLLIN), POLLHUP);
	CHECK_EQ(pipe(p), 0);
	CHECK_EQ(close(p[0]), 0);
	CHECK_EQ(poll_now(p[1], POLLOUT), POLLOUT | POLLERR);
}

CASE(fifo_open_rules, "open,mknod")
{
	int r, w, st;
	char c;
	pid_t child;

	CHECK_EQ(mkfifo("p", 0600), 0);
	CHECK_ERR(open("p", O_WRONLY | O_NONBLOCK), ENXIO);
	r = open("p", O_RDONLY | O_NONBLOCK);
	CHECK(r >= 0);
	CHECK_EQ(read(r, &c, 1), 0); /* no writer yet */
	CHECK_EQ(poll_now(r, POLLIN), 0); /* nor has there been one to hang up */
	w = open("p", O_WRONLY | O_NONBLOCK);
	CHECK(w >= 0);
	CHECK_ERR(read(r, &c, 1), EAGAIN);
	CHECK_EQ(write(w, "x", 1), 1);
	CHECK_EQ(close(w), 0);
	CHECK_EQ(poll_now(r, POLLIN), POLLIN | POLLHUP);
	CHECK_EQ(read(r, &c, 1), 1);
	CHECK_EQ(read(r, &c, 1), 0);
	CHECK_EQ(close(r), 0);
	/* Opening for both never waits. */
	r = open("p", O_RDWR);
	CHECK(r >= 0 && write(r, "y", 1) == 1 && read(r, &c, 1) == 1 && close(r) == 0);
	child = fork();
	if (child == 0)
		_exit(write(open("p", O_WRONLY), "z", 1) != 1);
	r = open("p", O_RDONLY); /* each waits for the other */
	CHECK(r >= 0 && read(r, &c, 1) == 1 && c == 'z');
	CHECK_EQ(waitpid(child, &st, 0), child);
	CHECK_EQ(st, 0);
}

CASE(fifo_open_interrupted, "open")
{
	CHECK_EQ(mkfifo("p", 0600), 0);
	tick(0);
	CHECK_ERR(open("p", O_RDONLY), EINTR);
	CHECK_ERR(open("p", O_WRONLY), EINTR);
}

CASE(splice_between_pipes, "splice,tee")
{
	int a[2], b[2];
	char buf[32];

	CHECK(pipe(a) == 0 && pipe2(b, O_NONBLOCK) == 0);
	CHECK_EQ(write(a[1], "0123456789", 10), 10);
	CHECK_EQ(tee(a[0], b[1], 4, 0), 4);
	CHECK_EQ(splice(a[0], NULL, b[1], NULL, 100, 0), 10);
	CHECK_EQ(read(b[0], buf, 32), 14);
	CHECK(!memcmp(buf, "01230123456789", 14));
	CHECK_EQ(close(a[1]), 0);
	CHECK_EQ(splice(a[0], NULL, b[1], NULL, 100, 0), 0);
	CHECK_EQ(tee(a[0], b[1], 4, 0), 0);
	CHECK_EQ(close(b[0]), 0);
	CHECK_EQ(pipe(a), 0);
	CHECK_EQ(write(a[1], "x", 1), 1);
	signal(SIGPIPE, on_tick);
	CHECK_ERR(splice(a[0], NULL, b[1], NULL, 1, 0), EPIPE);
	CHECK_EQ(ticks, 1);
}

CASE(vectors_on_pipes, "readv,writev")
{
	int p[2];
	char a[3] = "", b[3] = "";
	struct iovec w[2] = { { "abc", 3 }, { "de", 2 } }, r[2] = { { a, 2 }, { b, 2 } };

	CHECK_EQ(pipe(p), 0);
	CHECK_EQ(writev(p[1], w, 2), 5);
	CHECK_EQ(readv(p[0], r, 2), 4);
	CHECK(!strcmp(a, "ab") && !strcmp(b, "cd"));
	CHECK_ERR(preadv(p[0], r, 2, 0), ESPIPE);
}

CASE(event_counter, "eventfd2,eventfd,read,write")
{
	int fd = eventfd(3, EFD_NONBLOCK | EFD_CLOEXEC);
	uint64_t v = 0;

	CHECK(fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
	CHECK_EQ(read(fd, &v, 8), 8);
	CHECK_EQ(v, 3);
	CHECK_ERR(read(fd, &v, 8), EAGAIN);
	CHECK_ERR(read(fd, &v, 7), EINVAL);
	CHECK_ERR(write(fd, &v, 7), EINVAL);
	v = 5;
	CHECK(write(fd, &v, 8) == 8 && write(fd, &v, 8) == 8);
	CHECK_EQ(read(fd, &v, 8), 8);
	CHECK_EQ(v, 10);
	v = ~0ULL;
	CHECK_ERR(write(fd, &v, 8), EINVAL);
	v = ~0ULL - 1;
	CHECK_EQ(write(fd, &v, 8), 8);
	CHECK_EQ(poll_now(fd, POLLIN | POLLOUT), POLLIN);
	v = 1;
	CHECK_ERR(write(fd, &v, 8), EAGAIN);
	CHECK_EQ(read(fd, &v, 8), 8);
	CHECK_EQ(poll_now(fd, POLLIN | POLLOUT), POLLOUT);
	CHECK_ERR(eventfd(0, 0x100), EINVAL);
	CHECK_EQ(lseek(fd, 5, SEEK_SET), 0); /* accepted, without effect */
	fd = (int)syscall(SYS_eventfd, 7);
	CHECK(fd >= 0 && read(fd, &v, 8) == 8 && v == 7);
}

CASE(event_semaphore, "eventfd2")
{
	int fd = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK);
	uint64_t v = 0;

	for (int i = 0; i < 2; i++) {
		CHECK_EQ(read(fd, &v, 8), 8);
		CHECK_EQ(v, 1);
	}
	CHECK_ERR(read(fd, &v, 8), EAGAIN);
}

CASE(event_blocks, "eventfd2,fork")
{
	int fd = eventfd(0, 0), st;
	uint64_t v = 9;
	pid_t child = fork();

	if (child == 0)
		_exit(!(read(fd, &v, 8) == 8 && v == 4));
	v = 4;
	CHECK_EQ(write(fd, &v, 8), 8);
	CHECK_EQ(waitpid(child, &st, 0), child);
	CHECK_EQ(st, 0);
}

CASE(vmsplice_both_ways, "vmsplice,pipe")
{
	char a[] = "hello ", b[] = "world", in[16] = "", *big = aligned_alloc(4096, 1 << 20);
	struct iovec v[2] = { { a, 6 }, { b, 5 } }, r[2] = { { in, 4 }, { in + 4, 12 } };
	struct iovec all = { big, 1 << 20 };
	int p[2], fd = open("f", O_RDWR | O_CREAT, 0600);

	memset(big, 'x', 1 << 20);
	CHECK(!pipe(p));
	CHECK_EQ(vmsplice(p[1], v, 2, 0), 11);
	CHECK_EQ(vmsplice(p[0], r, 2, 0), 11);
	CHECK(!strcmp(in, "hello world"));
	CHECK_EQ(vmsplice(p[1], v, 0, 0), 0);
	CHECK_ERR(vmsplice(p[0], r, 2, SPLICE_F_NONBLOCK), EAGAIN);
	CHECK_ERR(vmsplice(p[1], v, 2, 64), EINVAL);
	CHECK_ERR(vmsplice(fd, v, 2, 0), EBADF);
	CHECK_ERR(vmsplice(999, v, 2, 0), EBADF);
	CHECK_ERR(vmsplice(p[1], (void *)8, 2, 0), EFAULT);
	CHECK_ERR(vmsplice(p[1], v, 2000, 0), EINVAL);
	/* What there is room for, and then no more. */
	CHECK_EQ(vmsplice(p[1], &all, 1, 0), 65536);
	CHECK_ERR(vmsplice(p[1], v, 2, SPLICE_F_NONBLOCK), EAGAIN);
	if (fork() == 0) {
		usleep(20000);
		_exit(read(p[0], big, 65536) != 65536);
	}
	CHECK_EQ(vmsplice(p[1], v, 2, 0), 11);
	close(p[0]);
	signal(SIGPIPE, SIG_IGN);
	int st;
	wait(&st);
	CHECK_ERR(vmsplice(p[1], v, 2, 0), EPIPE);
}

MAIN()
