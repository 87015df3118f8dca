/* unshare(2), setns(2), kcmp(2): what processes share; signals through /proc/PID. */
#include <sched.h>
#include <sys/stat.h>

#include "tests/harness/guest.h"

enum { FILE_, VM, FILES, FS, SIGHAND_, IO, SYSVSEM };

static long kcmp(pid_t a, pid_t b, int type, uint64_t i, uint64_t j)
{
	return syscall(SYS_kcmp, a, b, type, i, j);
}

static pid_t sleeper(void)
{
	pid_t p = fork();

	CHECK(p >= 0);
	if (p == 0)
		for (;;)
			pause();
	return p;
}

static void end(pid_t p)
{
	kill(p, SIGKILL);
	CHECK_EQ(waitpid(p, NULL, 0), p);
}

CASE(unshare_flags, "unshare")
{
	CHECK_EQ(unshare(0), 0);
	CHECK_EQ(unshare(CLONE_FILES | CLONE_FS | CLONE_SYSVSEM), 0);
	CHECK_EQ(unshare(CLONE_THREAD | CLONE_SIGHAND | CLONE_VM), 0);
	CHECK_ERR(unshare(CLONE_PARENT), EINVAL);
	CHECK_ERR(unshare(CLONE_VFORK), EINVAL);
	CHECK_ERR(unshare(1), EINVAL);
	CHECK_EQ(setuid(1000), 0);
	CHECK_ERR(unshare(CLONE_NEWUTS), EPERM);
	CHECK_ERR(unshare(CLONE_NEWUTS | CLONE_FILES), EPERM);
}

static int unsharer(void *arg)
{
	(void)arg;
	if (unshare(CLONE_VM) != -1 || errno != EINVAL)
		return 1;
	if (unshare(CLONE_FILES | CLONE_FS))
		return 2;
	close(0);
	return chdir("/") || umask(0) != 022;
}

CASE(unshare_parts, "unshare,kcmp")
{
	static char stack[65536] __attribute__((aligned(16)));
	char before[256], after[256];
	pid_t p;
	int st;

	umask(022);
	CHECK(getcwd(before, sizeof(before)));
	p = clone(unsharer, stack + sizeof(stack), CLONE_VM | CLONE_FS | CLONE_FILES | SIGCHLD, NULL);
	CHECK(p > 0);
	CHECK_EQ(waitpid(p, &st, 0), p);
	CHECK_EQ(st, 0);
	CHECK(fcntl(0, F_GETFD) >= 0);
	CHECK(getcwd(after, sizeof(after)) && !strcmp(before, after));
	CHECK_EQ(umask(0), 022);
}

CASE(setns_where_one_is, "setns")
{
	int uts = open("/proc/self/ns/uts", O_RDONLY), user = open("/proc/self/ns/user", O_RDONLY);
	int dir = open("/", O_RDONLY), self = (int)syscall(SYS_pidfd_open, getpid(), 0);

	CHECK(uts >= 0 && user >= 0 && self >= 0);
	CHECK_EQ(setns(uts, 0), 0);
	CHECK_EQ(setns(uts, CLONE_NEWUTS), 0);
	CHECK_ERR(setns(uts, CLONE_NEWNET), EINVAL);
	CHECK_ERR(setns(user, 0), EINVAL);
	CHECK_ERR(setns(dir, 0), EINVAL);
	CHECK_ERR(setns(999, 0), EBADF);
	CHECK_ERR(setns(self, 0), EINVAL);
	CHECK_EQ(setns(self, CLONE_NEWUTS), 0);
	CHECK_ERR(setns(self, CLONE_FILES), EINVAL);
	CHECK_ERR(setns(self, CLONE_NEWUSER), EINVAL);
	CHECK_EQ(setuid(1000), 0);
	CHECK_ERR(setns(uts, 0), EPERM);
	CHECK_ERR(setns(self, CLONE_NEWUTS), EPERM);
}

CASE(kcmp_objects, "kcmp")
{
	pid_t me = getpid(), p = sleeper();
	int a = open("/", O_RDONLY), b = dup(a), c = open("/", O_RDONLY);
	long ab, ba;

	CHECK_EQ(kcmp(me, me, FILE_, (uint64_t)a, (uint64_t)b), 0);
	ab = kcmp(me, me, FILE_, (uint64_t)a, (uint64_t)c);
	ba = kcmp(me, me, FILE_, (uint64_t)c, (uint64_t)a);
	CHECK((ab == 1 && ba == 2) || (ab == 2 && ba == 1));
	CHECK_EQ(kcmp(me, p, FILE_, 0, 0), 0);
	CHECK_ERR(kcmp(me, me, FILE_, (uint64_t)a, 999), EBADF);
	for (int type = VM; type <= SIGHAND_; type++) {
		CHECK_EQ(kcmp(me, me, type, 0, 0), 0);
		CHECK(kcmp(me, p, type, 0, 0) > 0);
	}
	CHECK_EQ(kcmp(me, p, IO, 0, 0), 0);
	CHECK_EQ(kcmp(me, p, SYSVSEM, 0, 0), 0);
	CHECK_ERR(kcmp(me, me, 8, 0, 0), EINVAL);
	CHECK_ERR(kcmp(me, me, -1, 0, 0), EINVAL);
	CHECK_ERR(kcmp(me, 1 << 22, VM, 0, 0), ESRCH);
	CHECK_EQ(WEXITSTATUS(IN_CHILD({
		if (setuid(1000))
			_exit(1);
		_exit(kcmp(me, p, VM, 0, 0) == -1 && errno == EPERM ? 0 : 2);
	})), 0);
	end(p);
}

static int open_of(pid_t p, const char *what, int flags)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d%s", p, what);
	fd = open(path, flags);
	CHECK(fd >= 0);
	return fd;
}

CASE(signal_through_proc, "pidfd_send_signal")
{
	pid_t p = sleeper();
	int dir = open_of(p, "", O_RDONLY | O_DIRECTORY), st;

	CHECK_EQ(syscall(SYS_pidfd_send_signal, dir, 0, NULL, 0), 0);
	CHECK_ERR(syscall(SYS_pidfd_send_signal, open_of(p, "/task", O_RDONLY), 0, NULL, 0), EBADF);
	CHECK_ERR(syscall(SYS_pidfd_send_signal, open_of(p, "/stat", O_RDONLY), 0, NULL, 0), EBADF);
	CHECK_ERR(syscall(SYS_pidfd_send_signal, open_of(p, "", O_PATH), 0, NULL, 0), EBADF);
	CHECK_ERR(syscall(SYS_pidfd_send_signal, open("/", O_RDONLY), 0, NULL, 0), EBADF);
	CHECK_EQ(syscall(SYS_pidfd_send_signal, dir, SIGTERM, NULL, 0), 0);
	CHECK_EQ(waitpid(p, &st, 0), p);
	CHECK(WIFSIGNALED(st) && WTERMSIG(st) == SIGTERM);
	CHECK_ERR(syscall(SYS_pidfd_send_signal, dir, 0, NULL, 0), ESRCH);
	CHECK_ERR(syscall(SYS_pidfd_getfd, dir, 0, 0), EBADF);
}

MAIN()
