/* Linux AIO, by raw calls. */
#include "tests/harness/guest.h"

#include <linux/aio_abi.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>

static long io_setup(unsigned n, aio_context_t *c)
{
	return syscall(SYS_io_setup, n, c);
}

static long io_submit(aio_context_t c, long n, struct iocb **p)
{
	return syscall(SYS_io_submit, c, n, p);
}

static long io_getevents(aio_context_t c, long min, long n, struct io_event *e, struct timespec *ts)
{
	return syscall(SYS_io_getevents, c, min, n, e, ts);
}

static struct iocb request(int op, int fd, void *buf, size_t n, long off)
{
	return (struct iocb){ .aio_lio_opcode = (unsigned short)op, .aio_fildes = (unsigned)fd,
			      .aio_buf = (uintptr_t)buf, .aio_nbytes = n, .aio_offset = off,
			      .aio_data = 0x1234 };
}

static long submit1(aio_context_t c, struct iocb *cb)
{
	return io_submit(c, 1, &cb);
}

/* Submit one, wait for it, check that it is the one. */
static long run1(aio_context_t c, struct iocb *cb)
{
	struct io_event e;

	CHECK_EQ(submit1(c, cb), 1);
	CHECK_EQ(io_getevents(c, 1, 1, &e, NULL), 1);
	CHECK_EQ(e.data, cb->aio_data);
	CHECK_EQ(e.obj, (uintptr_t)cb);
	CHECK_EQ(e.res2, 0);
	return (long)e.res;
}

static int temp_file(void)
{
	int fd = open("f", O_RDWR | O_CREAT | O_TRUNC, 0600);

	CHECK(fd >= 0);
	return fd;
}

CASE(aio_contexts, "io_setup,io_destroy")
{
	aio_context_t c = 0, d = 5;

	CHECK_ERR(io_setup(0, &c), EINVAL);
	CHECK_ERR(io_setup(1, &d), EINVAL);
	CHECK_ERR(io_setup(1, (void *)8), EFAULT);
	CHECK_ERR(io_setup(70000, &c), EAGAIN);
	CHECK_EQ(io_setup(10, &c), 0);
	CHECK(c != 0);
	CHECK_ERR(io_setup(10, &c), EINVAL);
	CHECK_EQ(syscall(SYS_io_destroy, c), 0);
	CHECK_ERR(syscall(SYS_io_destroy, c), EINVAL);
	CHECK_ERR(syscall(SYS_io_destroy, 0), EINVAL);
	CHECK_ERR(syscall(SYS_io_destroy, 0x1000), EINVAL);
}

CASE(aio_reads_and_writes, "io_submit,io_getevents,io_setup")
{
	char buf[10] = "hello", back[10] = "";
	struct iovec v[2] = { { back, 2 }, { back + 2, 5 } };
	aio_context_t c = 0;
	struct iocb cb;
	int fd = temp_file();

	CHECK_EQ(io_setup(4, &c), 0);
	cb = request(IOCB_CMD_PWRITE, fd, buf, 5, 3);
	CHECK_EQ(run1(c, &cb), 5);
	cb = request(IOCB_CMD_PREAD, fd, back, 10, 0);
	CHECK_EQ(run1(c, &cb), 8);
	CHECK(!memcmp(back, "\0\0\0hello", 8));
	cb = request(IOCB_CMD_PREADV, fd, v, 2, 3);
	CHECK_EQ(run1(c, &cb), 5);
	CHECK(!memcmp(back, "hello", 5));
	cb = request(IOCB_CMD_PWRITEV, fd, v, 2, 100);
	CHECK_EQ(run1(c, &cb), 7);
	CHECK_EQ(lseek(fd, 0, SEEK_END), 107);
	cb = request(IOCB_CMD_PREAD, fd, back, 10, 200);
	CHECK_EQ(run1(c, &cb), 0);
	cb = request(IOCB_CMD_FSYNC, fd, NULL, 0, 0);
	CHECK_EQ(run1(c, &cb), 0);
	cb = request(IOCB_CMD_FDSYNC, fd, NULL, 0, 0);
	CHECK_EQ(run1(c, &cb), 0);
	cb = request(IOCB_CMD_PREAD, fd, (void *)8, 10, 0);
	CHECK_EQ(run1(c, &cb), -EFAULT);
}

CASE(aio_submit_errors, "io_submit")
{
	int fd = temp_file(), ro = open("f", O_RDONLY), dir = open(".", O_RDONLY);
	char buf[10];
	struct iocb cb = request(IOCB_CMD_PREAD, fd, buf, 5, 0), bad, *list[3] = { &cb, &bad, &cb };
	struct io_event e[3];
	aio_context_t c = 0;

	CHECK_EQ(io_setup(4, &c), 0);
	CHECK_ERR(io_submit(0, 1, list), EINVAL);
	CHECK_ERR(io_submit(c, -1, list), EINVAL);
	CHECK_EQ(io_submit(c, 0, list), 0);
	CHECK_ERR(io_submit(c, 1, (void *)8), EFAULT);
	bad = cb;
	bad.aio_fildes = 999;
	CHECK_ERR(submit1(c, &bad), EBADF);
	CHECK_EQ(io_submit(c, 3, list), 1);
	CHECK_EQ(io_getevents(c, 0, 3, e, NULL), 1);
	bad = cb;
	bad.aio_lio_opcode = 77;
	CHECK_ERR(submit1(c, &bad), EINVAL);
	bad = cb;
	bad.aio_lio_opcode = IOCB_CMD_NOOP;
	CHECK_ERR(submit1(c, &bad), EINVAL);
	bad = cb;
	bad.aio_reserved2 = 1;
	CHECK_ERR(submit1(c, &bad), EINVAL);
	bad = request(IOCB_CMD_PREAD, fd, buf, 5, -1);
	CHECK_ERR(submit1(c, &bad), EINVAL);
	bad = request(IOCB_CMD_PREAD, fd, buf, (size_t)-1, 0);
	CHECK_ERR(submit1(c, &bad), EINVAL);
	bad = request(IOCB_CMD_PWRITE, ro, buf, 5, 0);
	CHECK_ERR(submit1(c, &bad), EBADF);
	bad = request(IOCB_CMD_PREAD, dir, buf, 5, 0);
	CHECK_ERR(submit1(c, &bad), EINVAL);
	bad = request(IOCB_CMD_PREAD, fd, buf, 5, 0);
	bad.aio_rw_flags = 0x40000000;
	CHECK_ERR(submit1(c, &bad), EOPNOTSUPP);
	bad = request(IOCB_CMD_FSYNC, fd, buf, 0, 0);
	CHECK_ERR(submit1(c, &bad), EINVAL);
	bad = request(IOCB_CMD_PREADV, fd, (void *)8, 2, 0);
	CHECK_ERR(submit1(c, &bad), EFAULT);
	bad = cb;
	bad.aio_flags = IOCB_FLAG_RESFD;
	bad.aio_resfd = (unsigned)fd;
	CHECK_ERR(submit1(c, &bad), EINVAL);
	bad.aio_resfd = 999;
	CHECK_ERR(submit1(c, &bad), EBADF);
}

CASE(aio_getevents_waits, "io_getevents,io_pgetevents")
{
	struct timespec none = { 0, 0 }, some = { 0, 20000000 }, t0, t1;
	struct io_event e[4];
	aio_context_t c = 0;

	CHECK_EQ(io_setup(4, &c), 0);
	CHECK_ERR(io_getevents(0, 0, 1, e, NULL), EINVAL);
	CHECK_ERR(io_getevents(c, 2, 1, e, NULL), EINVAL);
	CHECK_ERR(io_getevents(c, -1, 1, e, NULL), EINVAL);
	CHECK_EQ(io_getevents(c, 0, 4, e, NULL), 0);
	CHECK_EQ(io_getevents(c, 1, 4, e, &none), 0);
	clock_gettime(CLOCK_MONOTONIC, &t0);
	CHECK_EQ(io_getevents(c, 1, 4, e, &some), 0);
	CHECK_EQ(syscall(SYS_io_pgetevents, c, 1, 4, e, &some, NULL), 0);
	clock_gettime(CLOCK_MONOTONIC, &t1);
	CHECK((t1.tv_sec - t0.tv_sec) * 1000000000 + t1.tv_nsec - t0.tv_nsec >= 40000000);
	CHECK_ERR(io_getevents(c, 1, 4, e, (void *)8), EFAULT);
}

CASE(aio_ring_by_hand, "io_setup,io_submit")
{
	struct ring {
		unsigned id, nr, head, tail, magic, compat, incompat, len;
		struct io_event ev[];
	} *r;
	aio_context_t c = 0;
	char buf[4];
	struct io_event e;
	int fd = temp_file();
	struct iocb cb = request(IOCB_CMD_PREAD, fd, buf, 4, 0);

	CHECK_EQ(io_setup(4, &c), 0);
	r = (struct ring *)c;
	CHECK_EQ(r->magic, 0xa10a10a1);
	CHECK_EQ(r->len, 32);
	CHECK_EQ(r->head, r->tail);
	CHECK(r->nr >= 4);
	CHECK_EQ(submit1(c, &cb), 1);
	CHECK_EQ(r->head, 0);
	CHECK_EQ(r->tail, 1);
	CHECK_EQ(r->ev[0].data, 0x1234);
	CHECK_EQ(r->ev[0].obj, (uintptr_t)&cb);
	/* Taken by moving the head: the kernel has nothing left to give. */
	r->head = 1;
	CHECK_EQ(io_getevents(c, 0, 1, &e, NULL), 0);
	CHECK_EQ(submit1(c, &cb), 1);
	CHECK_EQ(io_getevents(c, 1, 1, &e, NULL), 1);
	CHECK_EQ(r->head, 2);
}

CASE(aio_full_ring, "io_submit")
{
	struct io_event e[16];
	aio_context_t c = 0;
	char buf[4];
	int fd = temp_file(), n = 0;
	struct iocb cb = request(IOCB_CMD_PREAD, fd, buf, 4, 0);

	CHECK_EQ(io_setup(1, &c), 0);
	while (submit1(c, &cb) == 1)
		CHECK(++n < 100000);
	CHECK_EQ(errno, EAGAIN);
	CHECK(n >= 1);
	CHECK(io_getevents(c, 1, 16, e, NULL) >= 1);
	CHECK_EQ(submit1(c, &cb), 1);
}

CASE(aio_eventfd, "io_submit,eventfd2")
{
	int fd = temp_file(), ev = eventfd(0, EFD_NONBLOCK);
	struct iocb cb = request(IOCB_CMD_PREAD, fd, NULL, 0, 0), *list[3] = { &cb, &cb, &cb };
	aio_context_t c = 0;
	uint64_t n;

	cb.aio_flags = IOCB_FLAG_RESFD;
	cb.aio_resfd = (unsigned)ev;
	CHECK_EQ(io_setup(8, &c), 0);
	CHECK_EQ(io_submit(c, 3, list), 3);
	CHECK_EQ(read(ev, &n, 8), 8);
	CHECK_EQ(n, 3);
}

CASE(aio_pipe_waits, "io_submit,pipe,fork")
{
	aio_context_t c = 0;
	char buf[8] = "", one = 'x';
	struct iocb cb, first, *list[2] = { &first, &cb };
	struct io_event e[2];
	int p[2], fd = temp_file();

	CHECK(!pipe(p));
	CHECK_EQ(io_setup(4, &c), 0);
	if (fork() == 0) {
		usleep(30000);
		_exit(write(p[1], "abc", 3) != 3);
	}
	first = request(IOCB_CMD_PWRITE, fd, &one, 1, 0);
	cb = request(IOCB_CMD_PREAD, p[0], buf, 8, 0);
	CHECK_EQ(io_submit(c, 2, list), 2);
	CHECK_EQ(io_getevents(c, 2, 2, e, NULL), 2);
	CHECK_EQ(e[0].res, 1);
	CHECK_EQ(e[1].res, 3);
	CHECK_EQ(lseek(fd, 0, SEEK_END), 1);
}

CASE(aio_poll_requests, "io_submit,io_cancel")
{
	aio_context_t c = 0;
	struct iocb cb;
	struct io_event e;
	struct timespec none = { 0, 0 };
	int p[2], s[2];

	CHECK(!pipe(p));
	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	CHECK_EQ(io_setup(4, &c), 0);
	cb = request(IOCB_CMD_POLL, p[1], (void *)POLLOUT, 0, 0);
	CHECK_EQ(run1(c, &cb), POLLOUT);
	cb = request(IOCB_CMD_POLL, p[0], (void *)POLLIN, 0, 0);
	CHECK_EQ(submit1(c, &cb), 1);
	CHECK_EQ(io_getevents(c, 0, 1, &e, &none), 0);
	CHECK_EQ(write(p[1], "x", 1), 1);
	CHECK_EQ(io_getevents(c, 1, 1, &e, NULL), 1);
	CHECK(e.res & POLLIN);
	cb = request(IOCB_CMD_POLL, s[0], (void *)POLLIN, 0, 0);
	CHECK_EQ(submit1(c, &cb), 1);
	if (fork() == 0) {
		usleep(20000);
		_exit(write(s[1], "y", 1) != 1);
	}
	CHECK_EQ(io_getevents(c, 1, 1, &e, NULL), 1);
	CHECK(e.res & POLLIN);
	CHECK_EQ(read(s[0], &none, 1), 1);
	CHECK_ERR(syscall(SYS_io_cancel, c, &cb, &e), EINVAL);
	CHECK_EQ(submit1(c, &cb), 1);
	CHECK_ERR(syscall(SYS_io_cancel, c, &cb, &e), EINPROGRESS);
	CHECK_EQ(io_getevents(c, 1, 1, &e, NULL), 1);
	CHECK_EQ(e.res, 0);
	CHECK_EQ(submit1(c, &cb), 1);
	CHECK_EQ(syscall(SYS_io_destroy, c), 0);
	cb = request(IOCB_CMD_POLL, s[0], (void *)0x12345, 0, 0);
	c = 0;
	CHECK_EQ(io_setup(4, &c), 0);
	CHECK_ERR(submit1(c, &cb), EINVAL);
}

static void nothing(int sig)
{
	(void)sig;
}

CASE(aio_interrupted, "io_getevents,io_pgetevents")
{
	struct sigaction sa = { .sa_handler = nothing };
	struct io_event e;
	aio_context_t c = 0;
	sigset_t set, old;
	struct { const void *set; size_t size; } ss = { &old, 8 };

	CHECK_EQ(io_setup(4, &c), 0);
	sigaction(SIGALRM, &sa, NULL);
	ualarm(20000, 0);
	CHECK_ERR(io_getevents(c, 1, 1, &e, NULL), EINTR);
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	sigprocmask(SIG_BLOCK, &set, &old);
	raise(SIGALRM);
	CHECK_ERR(syscall(SYS_io_pgetevents, c, 1, 1, &e, NULL, &ss), EINTR);
	ss.size = 4;
	CHECK_ERR(syscall(SYS_io_pgetevents, c, 1, 1, &e, NULL, &ss), EINVAL);
}

CASE(aio_limit, "io_setup,io_destroy")
{
	aio_context_t c[20] = { 0 };
	int n = 0;

	while (n < 20 && !io_setup(8000, &c[n]))
		n++;
	CHECK_EQ(errno, EAGAIN);
	CHECK_EQ(n, 65536 / 8000);
	while (n--)
		CHECK_EQ(syscall(SYS_io_destroy, c[n]), 0);
	CHECK_EQ(io_setup(8000, &c[9]), 0);
}

CASE(aio_not_inherited, "io_setup,fork")
{
	aio_context_t c = 0;
	struct io_event e;
	int st;

	CHECK_EQ(io_setup(4, &c), 0);
	st = IN_CHILD(_exit(io_getevents(c, 0, 1, &e, NULL) == -1 && errno == EINVAL ? 0 : 1));
	CHECK_EQ(st, 0);
	CHECK_EQ(io_getevents(c, 0, 1, &e, NULL), 0);
}

MAIN()
