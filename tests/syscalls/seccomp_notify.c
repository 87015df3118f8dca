/* seccomp_unotify(2): calls that a listener answers. */
#include <linux/audit.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "tests/harness/guest.h"
#include "tests/syscalls/seccomp_util.h"

/* The target: a child with a listener for getppid(); its fd comes back to us. */
static int spawn_target(unsigned flags, int nr, pid_t *pid, void (*then)(void))
{
	int sp[2], fd;
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} u;
	char c = 'x';
	struct iovec iov = { &c, 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = u.buf,
			    .msg_controllen = sizeof(u.buf) };
	struct cmsghdr *h;

	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, sp), 0);
	*pid = fork();
	CHECK(*pid >= 0);
	if (*pid == 0) {
		fd = (int)on_call(SECCOMP_FILTER_FLAG_NEW_LISTENER | flags, nr,
				  SECCOMP_RET_USER_NOTIF);
		if (fd < 0)
			_exit(99);
		h = CMSG_FIRSTHDR(&m);
		h->cmsg_level = SOL_SOCKET;
		h->cmsg_type = SCM_RIGHTS;
		h->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(h), &fd, sizeof(fd));
		if (sendmsg(sp[0], &m, 0) != 1)
			_exit(98);
		close(fd);
		close(sp[0]);
		close(sp[1]);
		then();
		_exit(0);
	}
	close(sp[0]);
	CHECK_EQ(recvmsg(sp[1], &m, 0), 1);
	h = CMSG_FIRSTHDR(&m);
	CHECK(h);
	memcpy(&fd, CMSG_DATA(h), sizeof(fd));
	close(sp[1]);
	return fd;
}

static int reap(pid_t pid)
{
	int st;

	CHECK_EQ(waitpid(pid, &st, 0), pid);
	return st;
}

static void receive(int fd, struct seccomp_notif *n)
{
	memset(n, 0, sizeof(*n));
	CHECK_EQ(ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, n), 0);
}

static void call_twice(void)
{
	if (syscall(SYS_getppid, 11, 22, 33, 44, 55, 66) != 1234)
		_exit(1);
	errno = 0;
	if (syscall(SYS_getppid) != -1 || errno != EUCLEAN)
		_exit(2);
	if (syscall(SYS_getppid) <= 0)
		_exit(3);
	/* Values that mean something inside. */
	if (syscall(SYS_getppid) != -1 || errno != 512)
		_exit(4);
	if (syscall(SYS_getppid) != 0x123456789abcLL)
		_exit(5);
	_exit(42);
}

CASE(notify_answers, "seccomp")
{
	struct seccomp_notif n;
	struct seccomp_notif_resp r = { 0 };
	uint64_t id;
	pid_t pid;
	int fd = spawn_target(0, SYS_getppid, &pid, call_twice);
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT };

	CHECK_EQ(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDWR);
	CHECK_EQ(poll(&p, 1, -1), 1);
	CHECK_EQ(p.revents, POLLIN);
	memset(&n, 1, sizeof(n));
	CHECK_ERR(ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &n), EINVAL);
	CHECK_ERR(ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, NULL), EFAULT);
	receive(fd, &n);
	CHECK_EQ(n.pid, pid);
	CHECK_EQ(n.flags, 0);
	CHECK_EQ(n.data.nr, SYS_getppid);
	CHECK_EQ(n.data.arch, AUDIT_ARCH_X86_64);
	for (int i = 0; i < 6; i++)
		CHECK_EQ(n.data.args[i], 11 * (i + 1));
	CHECK_EQ(poll(&p, 1, -1), 1);
	CHECK_EQ(p.revents, POLLOUT);
	CHECK_EQ(ioctl(fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &n.id), 0);
	id = n.id + 1;
	CHECK_ERR(ioctl(fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &id), ENOENT);
	r.id = id;
	CHECK_ERR(ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &r), ENOENT);
	r.id = n.id;
	r.flags = 2;
	CHECK_ERR(ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &r), EINVAL);
	r.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
	r.val = 1;
	CHECK_ERR(ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &r), EINVAL);
	r.flags = 0;
	r.val = 1234;
	CHECK_EQ(ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &r), 0);
	receive(fd, &n);
	r = (struct seccomp_notif_resp){ .id = n.id, .error = -EUCLEAN };
	CHECK_EQ(ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &r), 0);
	receive(fd, &n);
	r = (struct seccomp_notif_resp){ .id = n.id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE };
	CHECK_EQ(ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &r), 0);
	receive(fd, &n);
	r = (struct seccomp_notif_resp){ .id = n.id, .error = -512 };
	CHECK_EQ(ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &r), 0);
	receive(fd, &n);
	r = (struct seccomp_notif_resp){ .id = n.id, .val = 0x123456789abc };
	CHECK_EQ(ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &r), 0);
	CHECK_EQ(WEXITSTATUS(reap(pid)), 42);
	/* Nobody is left who could call. */
	CHECK_EQ(poll(&p, 1, -1), 1);
	CHECK_EQ(p.revents, POLLHUP);
	memset(&n, 0, sizeof(n));
	CHECK_ERR(ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &n), ENOENT);
	CHECK_ERR(ioctl(fd, 0x2177, 0), EINVAL);
	CHECK_EQ(ioctl(fd, _IOW('!', 4, uint64_t), 1UL), 0);
	CHECK_ERR(ioctl(fd, _IOW('!', 4, uint64_t), 2UL), EINVAL);
}

static void expect_enosys(void)
{
	errno = 0;
	if (syscall(SYS_getppid) != -1 || errno != ENOSYS)
		_exit(1);
	if (syscall(SYS_getppid) != -1 || errno != ENOSYS)
		_exit(2);
	_exit(42);
}

CASE(notify_listener_closed, "seccomp")
{
	struct seccomp_notif n;
	pid_t pid;
	int fd = spawn_target(0, SYS_getppid, &pid, expect_enosys);

	receive(fd, &n);
	close(fd);
	CHECK_EQ(WEXITSTATUS(reap(pid)), 42);
}

static volatile sig_atomic_t got_usr1;
static void on_usr1(int sig)
{
	(void)sig;
	got_usr1++;
}

static void interrupted_once(void)
{
	struct sigaction sa = { .sa_handler = on_usr1 };

	sigaction(SIGUSR1, &sa, NULL);
	errno = 0;
	if (syscall(SYS_getppid) != -1 || errno != EINTR || got_usr1 != 1)
		_exit(1);
	sa.sa_flags = SA_RESTART;
	sigaction(SIGUSR1, &sa, NULL);
	if (syscall(SYS_getppid) != 5 || got_usr1 != 2)
		_exit(2);
	_exit(42);
}

CASE(notify_interrupted, "seccomp")
{
	struct seccomp_notif_resp r = { 0 };
	struct seccomp_notif n, again;
	pid_t pid;
	int fd = spawn_target(0, SYS_getppid, &pid, interrupted_once);

	receive(fd, &n);
	CHECK_EQ(kill(pid, SIGUSR1), 0);
	receive(fd, &again);
	CHECK(n.id != again.id);
	CHECK_ERR(ioctl(fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &n.id), ENOENT);
	CHECK_EQ(kill(pid, SIGUSR1), 0);
	receive(fd, &n);
	r.id = again.id;
	CHECK_ERR(ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &r), ENOENT);
	r.id = n.id;
	r.val = 5;
	CHECK_EQ(ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &r), 0);
	CHECK_EQ(WEXITSTATUS(reap(pid)), 42);
}

static void killable(void)
{
	struct sigaction sa = { .sa_handler = on_usr1 };

	sigaction(SIGUSR1, &sa, NULL);
	if (syscall(SYS_getppid) != 6 || got_usr1 != 1)
		_exit(1);
	syscall(SYS_getppid);
	_exit(2);
}

CASE(notify_wait_killable, "seccomp")
{
	struct seccomp_notif_resp r = { .val = 6 };
	struct seccomp_notif n;
	pid_t pid;
	int st, fd = spawn_target(SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, SYS_getppid, &pid, killable);
	struct pollfd p = { .fd = fd, .events = POLLIN };

	receive(fd, &n);
	CHECK_EQ(kill(pid, SIGUSR1), 0);
	CHECK_EQ(poll(&p, 1, 50), 0);
	CHECK_EQ(ioctl(fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &n.id), 0);
	r.id = n.id;
	CHECK_EQ(ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &r), 0);
	receive(fd, &n);
	CHECK_EQ(kill(pid, SIGKILL), 0);
	st = reap(pid);
	CHECK(WIFSIGNALED(st) && WTERMSIG(st) == SIGKILL);
	CHECK_ERR(ioctl(fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &n.id), ENOENT);
}

static void use_fds(void)
{
	long fd = syscall(SYS_getppid);
	char b[4];

	if (fd != 57 || read(57, b, 3) != 3 || memcmp(b, "abc", 3))
		_exit(1);
	if (!(fcntl(57, F_GETFD) & FD_CLOEXEC))
		_exit(2);
	fd = syscall(SYS_getppid);
	if (fd < 0 || fd == 57 || read((int)fd, b, 3) != 3 || memcmp(b, "def", 3))
		_exit(3);
	_exit(42);
}

CASE(notify_addfd, "seccomp")
{
	struct {
		struct seccomp_notif_addfd a;
		char more[8];
	} big = { 0 };
	struct seccomp_notif_addfd a = { 0 };
	struct seccomp_notif_resp r = { 0 };
	struct seccomp_notif n;
	pid_t pid;
	int p[2], fd = spawn_target(0, SYS_getppid, &pid, use_fds);

	CHECK_EQ(pipe(p), 0);
	CHECK_EQ(write(p[1], "abcdef", 6), 6);
	receive(fd, &n);
	a.id = n.id;
	a.srcfd = 999;
	CHECK_ERR(ioctl(fd, SECCOMP_IOCTL_NOTIF_ADDFD, &a), EBADF);
	a.srcfd = (uint32_t)p[0];
	a.newfd = 57;
	CHECK_ERR(ioctl(fd, SECCOMP_IOCTL_NOTIF_ADDFD, &a), EINVAL);
	a.flags = 8;
	CHECK_ERR(ioctl(fd, SECCOMP_IOCTL_NOTIF_ADDFD, &a), EINVAL);
	a.flags = SECCOMP_ADDFD_FLAG_SETFD;
	a.newfd_flags = O_NONBLOCK;
	CHECK_ERR(ioctl(fd, SECCOMP_IOCTL_NOTIF_ADDFD, &a), EINVAL);
	a.newfd_flags = O_CLOEXEC;
	a.newfd = 1u << 30;
	CHECK_ERR(ioctl(fd, SECCOMP_IOCTL_NOTIF_ADDFD, &a), EBADF);
	a.newfd = 57;
	a.id++;
	CHECK_ERR(ioctl(fd, SECCOMP_IOCTL_NOTIF_ADDFD, &a), ENOENT);
	a.id--;
	CHECK_EQ(ioctl(fd, SECCOMP_IOCTL_NOTIF_ADDFD, &a), 57);
	big.a = a;
	big.more[7] = 1;
	CHECK_ERR(ioctl(fd, _IOC(_IOC_WRITE, '!', 3, sizeof(big)), &big), E2BIG);
	CHECK_ERR(ioctl(fd, _IOC(_IOC_WRITE, '!', 3, 16), &big), EINVAL);
	r.id = n.id;
	r.val = 57;
	CHECK_EQ(ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &r), 0);
	/* The fd's number becomes the answer. */
	receive(fd, &n);
	a = (struct seccomp_notif_addfd){ .id = n.id, .srcfd = (uint32_t)p[0],
					  .flags = SECCOMP_ADDFD_FLAG_SEND };
	CHECK(ioctl(fd, SECCOMP_IOCTL_NOTIF_ADDFD, &a) > 0);
	CHECK_EQ(WEXITSTATUS(reap(pid)), 42);
}

CASE(one_listener_a_path, "seccomp")
{
	char link[64] = "", path[64];
	int fd = (int)on_call(SECCOMP_FILTER_FLAG_NEW_LISTENER, SYS_getppid, SECCOMP_RET_USER_NOTIF);

	CHECK(fd >= 0);
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	CHECK(readlink(path, link, sizeof(link) - 1) > 0);
	CHECK(!strcmp(link, "anon_inode:seccomp notify"));
	CHECK_ERR(on_call(SECCOMP_FILTER_FLAG_NEW_LISTENER, SYS_getpgid, SECCOMP_RET_USER_NOTIF),
		  EBUSY);
	close(fd);
	/* The first is gone. */
	CHECK(on_call(SECCOMP_FILTER_FLAG_NEW_LISTENER, SYS_getpgid, SECCOMP_RET_USER_NOTIF) >= 0);
	CHECK_ERR(syscall(SYS_getppid), ENOSYS);
}

static void blocked_read(void)
{
	int p[2];
	char c;

	if (pipe(p))
		_exit(1);
	if (fork() == 0) {
		usleep(20000);
		_exit(write(p[1], "z", 1) != 1);
	}
	if (syscall(SYS_read, p[0], &c, 1) != 1 || c != 'z')
		_exit(2);
	_exit(42);
}

CASE(notify_continue_may_block, "seccomp")
{
	struct seccomp_notif_resp r = { .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE };
	struct seccomp_notif n;
	pid_t pid;
	int fd = spawn_target(0, SYS_read, &pid, blocked_read);

	receive(fd, &n);
	r.id = n.id;
	CHECK_EQ(ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &r), 0);
	CHECK_EQ(WEXITSTATUS(reap(pid)), 42);
}

MAIN()
