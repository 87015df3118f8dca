/* Descriptors: duplicates, flags, limits, and the ioctls every file has. */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "tests/harness/guest.h"

CASE(dup_takes_the_lowest, "dup,close")
{
	int a = dup(0), b = dup(0), c;

	CHECK(a >= 0 && b > a);
	CHECK_EQ(close(a), 0);
	c = dup(b);
	CHECK_EQ(c, a);
	CHECK_ERR(dup(999), EBADF);
	CHECK_ERR(dup(-1), EBADF);
	CHECK_ERR(close(-1), EBADF);
	CHECK_EQ(guest_raw(SYS_close, DIRTY(c), 0, 0, 0, 0, 0), 0);
}

CASE(dup_shares_offset_and_flags, "dup,lseek,fcntl")
{
	int a = open("f", O_RDWR | O_CREAT, 0644), b = dup(a), c = open("f", O_RDWR);

	CHECK_EQ(write(a, "abc", 3), 3);
	CHECK_EQ(lseek(b, 0, SEEK_CUR), 3);
	CHECK_EQ(lseek(c, 0, SEEK_CUR), 0);
	CHECK_EQ(fcntl(a, F_SETFL, O_APPEND), 0);
	CHECK(fcntl(b, F_GETFL) & O_APPEND);
	CHECK(!(fcntl(c, F_GETFL) & O_APPEND));
	CHECK_EQ(fcntl(a, F_SETFD, FD_CLOEXEC), 0);
	CHECK_EQ(fcntl(b, F_GETFD), 0); /* but not this one */
}

CASE(dup2_and_dup3, "dup2,dup3")
{
	int a = open("f", O_RDWR | O_CREAT, 0644), p[2];
	char c;

	CHECK_EQ(pipe(p), 0);
	CHECK_EQ(dup2(a, 50), 50);
	CHECK_EQ(dup2(a, a), a);
	CHECK_ERR(dup2(999, 50), EBADF);
	CHECK_EQ(fcntl(50, F_GETFD), 0); /* the failure left the target open */
	CHECK_ERR(dup2(999, 999), EBADF);
	CHECK_ERR(dup2(a, -1), EBADF);
	CHECK_ERR(dup2(a, 1 << 30), EBADF);
	CHECK_EQ(dup3(a, 51, O_CLOEXEC), 51);
	CHECK_EQ(fcntl(51, F_GETFD), FD_CLOEXEC);
	CHECK_ERR(dup3(a, a, 0), EINVAL);
	CHECK_ERR(dup3(999, 999, 0), EINVAL);
	CHECK_ERR(dup3(a, 52, O_NONBLOCK), EINVAL);
	CHECK_ERR(dup3(999, 52, 0), EBADF);
	/* Duplicating over an open descriptor closes what it was. */
	CHECK_EQ(dup2(a, p[1]), p[1]);
	CHECK_EQ(read(p[0], &c, 1), 0);
}

CASE(dupfd, "fcntl")
{
	int a = open("f", O_RDWR | O_CREAT, 0644);

	CHECK_EQ(fcntl(a, F_DUPFD, 60), 60);
	CHECK_EQ(fcntl(a, F_DUPFD, 60), 61);
	CHECK_EQ(fcntl(a, F_DUPFD_CLOEXEC, 60), 62);
	CHECK_EQ(fcntl(62, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(61, F_GETFD), 0);
	CHECK_ERR(fcntl(a, F_DUPFD, -1), EINVAL);
	CHECK_ERR(fcntl(a, F_DUPFD, 1 << 30), EINVAL);
	CHECK_ERR(fcntl(999, F_DUPFD, 1 << 30), EBADF);
	CHECK_ERR(fcntl(a, 9999, 0), EINVAL);
	CHECK_ERR(fcntl(999, 9999, 0), EBADF);
}

CASE(status_flags, "fcntl")
{
	int fd = open("f", O_WRONLY | O_CREAT | O_TRUNC, 0644);

	CHECK_EQ(fcntl(fd, F_GETFL) & ~0100000, O_WRONLY);
	/* The access mode and creation flags cannot be changed, and are ignored. */
	CHECK_EQ(fcntl(fd, F_SETFL, O_RDONLY | O_NONBLOCK | O_EXCL | O_TRUNC), 0);
	CHECK_EQ(fcntl(fd, F_GETFL) & ~0100000, O_WRONLY | O_NONBLOCK);
	CHECK_EQ(fcntl(fd, F_SETFL, 0), 0);
	CHECK_EQ(fcntl(fd, F_GETFL) & ~0100000, O_WRONLY);
	CHECK_EQ(fcntl(fd, F_SETFD, 0xff), 0);
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC); /* the one bit there is */
}

CASE(close_on_exec, "fcntl,execve,dup2")
{
	int a = open("f", O_RDWR | O_CREAT, 0644);
	char cmd[100];

	CHECK_EQ(dup2(a, 7), 7);
	CHECK_EQ(dup3(a, 8, O_CLOEXEC), 8);
	CHECK_EQ(fcntl(a, F_SETFD, FD_CLOEXEC), 0);
	snprintf(cmd, sizeof(cmd), "echo x >&7 || exit 1; test -e /proc/self/fd/8 && exit 2; exit 0");
	CHECK_EQ(IN_CHILD(execl("/bin/sh", "sh", "-c", cmd, (char *)NULL)), 0);
	CHECK_EQ(lseek(a, 0, SEEK_CUR), 2);
}

CASE(descriptor_limit, "dup,open,pipe,socketpair,setrlimit,getrlimit")
{
	struct rlimit rl;
	int p[2] = { -7, -7 }, last = -1, fd;

	CHECK_EQ(getrlimit(RLIMIT_NOFILE, &rl), 0);
	rl.rlim_cur = 20;
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &rl), 0);
	while ((fd = dup(0)) >= 0)
		last = fd;
	CHECK_EQ(errno, EMFILE);
	CHECK_EQ(last, 19);
	CHECK_ERR(open("/dev/null", O_RDONLY), EMFILE);
	CHECK_ERR(open("none", O_RDONLY), EMFILE); /* before the path is looked at */
	CHECK_ERR(pipe(p), EMFILE);
	CHECK_ERR(socket(AF_UNIX, SOCK_STREAM, 0), EMFILE);
	CHECK_ERR(fcntl(0, F_DUPFD, 5), EMFILE);
	CHECK_ERR(fcntl(0, F_DUPFD, 20), EINVAL);
	CHECK_ERR(dup2(0, 20), EBADF);
	CHECK_EQ(close(last), 0);
	CHECK_ERR(pipe(p), EMFILE);
	CHECK(p[0] == -7 && p[1] == -7);
	CHECK_ERR(socketpair(AF_UNIX, SOCK_STREAM, 0, p), EMFILE);
	CHECK_EQ(dup(0), last); /* the failures used nothing up */
}

CASE(limit_below_open_ones, "setrlimit,fcntl")
{
	struct rlimit rl = { 10, 10 };

	CHECK_EQ(dup2(0, 100), 100);
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &rl), 0);
	CHECK_EQ(fcntl(100, F_GETFD), 0); /* still open */
	CHECK_ERR(dup2(0, 100), EBADF);
	CHECK_EQ(close(100), 0);
}

CASE(bytes_to_read, "ioctl")
{
	int p[2], fd = open("f", O_RDWR | O_CREAT, 0644), n = -1, sv[2];

	CHECK_EQ(pipe(p), 0);
	CHECK_EQ(ioctl(p[0], FIONREAD, &n), 0);
	CHECK_EQ(n, 0);
	CHECK_EQ(write(p[1], "hello", 5), 5);
	CHECK_EQ(ioctl(p[0], FIONREAD, &n), 0);
	CHECK_EQ(n, 5);
	CHECK_EQ(write(fd, "0123456789", 10), 10);
	CHECK_EQ(lseek(fd, 4, SEEK_SET), 4);
	CHECK_EQ(ioctl(fd, FIONREAD, &n), 0);
	CHECK_EQ(n, 6);
	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	CHECK_EQ(write(sv[0], "abc", 3), 3);
	CHECK_EQ(ioctl(sv[1], FIONREAD, &n), 0);
	CHECK_EQ(n, 3);
	CHECK_ERR(ioctl(p[0], FIONREAD, 8), EFAULT);
	CHECK_ERR(ioctl(999, FIONREAD, &n), EBADF);
	CHECK_ERR(ioctl(fd, 0x5401 /* TCGETS */, &n), ENOTTY);
}

CASE(flags_by_ioctl, "ioctl,fcntl")
{
	int p[2], on = 1, off = 0;
	char c;

	CHECK_EQ(pipe(p), 0);
	CHECK_EQ(ioctl(p[0], FIONBIO, &on), 0);
	CHECK(fcntl(p[0], F_GETFL) & O_NONBLOCK);
	CHECK_ERR(read(p[0], &c, 1), EAGAIN);
	CHECK_EQ(ioctl(p[0], FIONBIO, &off), 0);
	CHECK(!(fcntl(p[0], F_GETFL) & O_NONBLOCK));
	CHECK_EQ(ioctl(p[0], FIOCLEX), 0);
	CHECK_EQ(fcntl(p[0], F_GETFD), FD_CLOEXEC);
	CHECK_EQ(ioctl(p[0], FIONCLEX), 0);
	CHECK_EQ(fcntl(p[0], F_GETFD), 0);
	CHECK_ERR(ioctl(p[0], FIONBIO, 8), EFAULT);
	CHECK_ERR(ioctl(open(".", O_PATH), FIOCLEX), EBADF);
}

CASE(owner_of_signals, "fcntl")
{
	struct f_owner_ex o = { F_OWNER_TID, 0 };
	int p[2];

	CHECK_EQ(pipe(p), 0);
	CHECK_EQ(fcntl(p[0], F_GETOWN), 0);
	CHECK_EQ(fcntl(p[0], F_SETOWN, getpid()), 0);
	CHECK_EQ(fcntl(p[0], F_GETOWN), getpid());
	CHECK_EQ(fcntl(p[0], F_GETOWN_EX, &o), 0);
	CHECK(o.type == F_OWNER_PID && o.pid == getpid());
	CHECK_ERR(fcntl(p[0], F_SETOWN, 99999999), ESRCH);
	CHECK_EQ(fcntl(p[0], F_SETSIG, SIGUSR1), 0);
	CHECK_EQ(fcntl(p[0], F_GETSIG), SIGUSR1);
	CHECK_ERR(fcntl(p[0], F_SETSIG, 65), EINVAL);
}

static volatile int io_hits;

static void on_io(int sig)
{
	io_hits += sig == SIGIO;
}

CASE(signal_driven_io, "fcntl")
{
	int p[2];

	CHECK_EQ(pipe(p), 0);
	signal(SIGIO, on_io);
	CHECK_EQ(fcntl(p[0], F_SETOWN, getpid()), 0);
	CHECK_EQ(fcntl(p[0], F_SETFL, O_ASYNC), 0);
	CHECK(fcntl(p[0], F_GETFL) & O_ASYNC);
	CHECK_EQ(write(p[1], "x", 1), 1);
	while (!io_hits)
		sched_yield();
}

static volatile int rt_fd, rt_code, rt_band;

static void on_rt(int sig, siginfo_t *si, void *ctx)
{
	(void)sig;
	(void)ctx;
	rt_code = si->si_code;
	rt_band = (int)si->si_band;
	rt_fd = si->si_fd;
}

CASE(signal_of_choice, "fcntl,socketpair")
{
	struct sigaction sa = { .sa_sigaction = on_rt, .sa_flags = SA_SIGINFO };
	struct f_owner_ex o = { F_OWNER_TID, getpid() };
	int sv[2], on = 1;

	CHECK_EQ(sigaction(SIGRTMIN, &sa, NULL), 0);
	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	CHECK_EQ(fcntl(sv[0], F_SETOWN_EX, &o), 0);
	CHECK_EQ(fcntl(sv[0], F_SETSIG, SIGRTMIN), 0);
	CHECK_EQ(ioctl(sv[0], FIOASYNC, &on), 0);
	CHECK_EQ(write(sv[1], "x", 1), 1);
	while (!rt_code)
		sched_yield();
	CHECK_EQ(rt_code, POLL_IN);
	CHECK_EQ(rt_fd, sv[0]);
	CHECK(rt_band & POLLIN);
	rt_code = 0;
	CHECK_EQ(fcntl(sv[0], F_SETFL, 0), 0);
	CHECK_EQ(write(sv[1], "x", 1), 1);
	CHECK_EQ(rt_code, 0);
	CHECK_ERR(ioctl(open(".", O_RDONLY), FIOASYNC, &on), ENOTTY);
}

CASE(shared_and_copied_tables, "clone,fork,close")
{
	int fd = dup(0);

	CHECK_EQ(IN_CHILD(close(fd)), 0);
	CHECK_EQ(fcntl(fd, F_GETFD), 0);
	long p = syscall(SYS_clone, 0x400 /* CLONE_FILES */ | SIGCHLD, 0, 0, 0, 0);
	if (p == 0) {
		close(fd);
		_exit(0);
	}
	CHECK_EQ(waitpid((pid_t)p, NULL, 0), p);
	CHECK_ERR(fcntl(fd, F_GETFD), EBADF);
}

static int racer_fd;

static void *racer(void *arg)
{
	for (int i = 0; i < 2000; i++) {
		int fd = dup(racer_fd);

		if (fd < 0 || close(fd))
			return (void *)1;
	}
	return arg;
}

CASE(racing_threads, "dup,close,clone")
{
	pthread_t t[4];
	void *r;
	int before = dup(0);

	CHECK_EQ(close(before), 0);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(pthread_create(&t[i], NULL, racer, NULL), 0);
	for (int i = 0; i < 4; i++) {
		CHECK_EQ(pthread_join(t[i], &r), 0);
		CHECK(r == NULL);
	}
	CHECK_EQ(dup(0), before);
}

CASE(many_descriptors, "dup,close_range,setrlimit")
{
	struct rlimit rl;

	CHECK_EQ(getrlimit(RLIMIT_NOFILE, &rl), 0);
	rl.rlim_cur = rl.rlim_max;
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &rl), 0);
	if (rl.rlim_cur < 3000)
		SKIP("the hard limit is below 3000");
	for (int i = 0; i < 2500; i++)
		CHECK(dup(0) >= 0);
	CHECK_EQ(syscall(SYS_close_range, 3, ~0U, 0), 0);
	CHECK_EQ(dup(0), 3);
}

MAIN()
