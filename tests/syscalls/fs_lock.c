/* File locks: flock, and fcntl's per process and per open file. */
#include <sched.h>
#include <sys/file.h>
#include <sys/time.h>

#include "tests/harness/guest.h"

static int lk(int fd, int cmd, int type, off_t start, off_t len)
{
	struct flock l = { .l_type = (short)type, .l_whence = SEEK_SET, .l_start = start, .l_len = len };

	return fcntl(fd, cmd, &l);
}

/* Who holds what conflicts with such a lock? */
static struct flock query(int fd, int cmd, int type, off_t start, off_t len)
{
	struct flock l = { .l_type = (short)type, .l_whence = SEEK_SET, .l_start = start, .l_len = len };

	CHECK_EQ(fcntl(fd, cmd, &l), 0);
	return l;
}

static int file(void)
{
	int fd = open("f", O_RDWR | O_CREAT, 0644);

	CHECK(fd >= 0);
	return fd;
}

static volatile int ticks;

static void on_tick(int sig)
{
	(void)sig;
	ticks++;
}

static void tick(void)
{
	struct itimerval it = { { 0, 5000 }, { 0, 5000 } };
	struct sigaction sa = { .sa_handler = on_tick };

	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &it, NULL);
}

CASE(flock_conflicts, "flock")
{
	int a = file(), b = file(), c = dup(a);

	CHECK_EQ(flock(a, LOCK_EX), 0);
	CHECK_ERR(flock(b, LOCK_SH | LOCK_NB), EAGAIN);
	CHECK_EQ(flock(c, LOCK_EX | LOCK_NB), 0); /* the same open file */
	CHECK_EQ(flock(a, LOCK_SH), 0);
	CHECK_EQ(flock(b, LOCK_SH | LOCK_NB), 0);
	CHECK_ERR(flock(a, LOCK_EX | LOCK_NB), EAGAIN);
	CHECK_EQ(flock(b, LOCK_UN), 0);
	CHECK_EQ(flock(a, LOCK_EX | LOCK_NB), 0);
	CHECK_EQ(close(a), 0);
	CHECK_ERR(flock(b, LOCK_EX | LOCK_NB), EAGAIN); /* held until the last duplicate goes */
	CHECK_EQ(close(c), 0);
	CHECK_EQ(flock(b, LOCK_EX | LOCK_NB), 0);
	CHECK_EQ(flock(b, LOCK_UN), 0);
	CHECK_EQ(flock(b, LOCK_UN), 0);
}

CASE(flock_errors, "flock")
{
	int fd = file();

	CHECK_ERR(flock(999, LOCK_EX), EBADF);
	CHECK_ERR(flock(fd, 0), EINVAL);
	CHECK_ERR(flock(fd, 3 | 8), EINVAL);
	CHECK_ERR(flock(open("f", O_PATH), LOCK_SH), EBADF);
	CHECK_EQ(flock(open("f", O_RDONLY), LOCK_EX), 0); /* the open mode does not matter */
}

CASE(flock_blocks, "flock,fork")
{
	int fd = file(), st, p[2];
	pid_t child;
	char c;

	CHECK_EQ(pipe(p), 0);
	CHECK_EQ(flock(fd, LOCK_EX), 0);
	child = fork();
	if (child == 0) {
		int own = open("f", O_RDWR);

		close(fd);
		if (write(p[1], "x", 1) != 1 || flock(own, LOCK_EX))
			_exit(1);
		_exit(0);
	}
	CHECK_EQ(read(p[0], &c, 1), 1);
	CHECK_EQ(waitpid(child, &st, WNOHANG), 0);
	CHECK_EQ(flock(fd, LOCK_UN), 0);
	CHECK_EQ(waitpid(child, &st, 0), child);
	CHECK_EQ(st, 0);
}

CASE(flock_interrupted, "flock")
{
	int a = file(), b = file();

	CHECK_EQ(flock(a, LOCK_EX), 0);
	tick();
	CHECK_ERR(flock(b, LOCK_EX), EINTR);
}

CASE(flock_and_fcntl_are_apart, "flock,fcntl")
{
	int a = file();

	CHECK_EQ(flock(a, LOCK_EX), 0);
	CHECK_EQ(IN_CHILD({
		int b = open("f", O_RDWR);
		_exit(lk(b, F_SETLK, F_WRLCK, 0, 0) != 0);
	}), 0);
}

CASE(posix_conflicts, "fcntl")
{
	int fd = file();

	CHECK_EQ(lk(fd, F_SETLK, F_WRLCK, 10, 10), 0);
	CHECK_EQ(lk(fd, F_SETLK, F_RDLCK, 30, 0), 0); /* to the end, whatever it is */
	CHECK_EQ(query(fd, F_GETLK, F_WRLCK, 0, 0).l_type, F_UNLCK); /* never one's own */
	CHECK_EQ(IN_CHILD({
		int b = open("f", O_RDWR);
		struct flock l = query(b, F_GETLK, F_RDLCK, 0, 0);
		CHECK(l.l_type == F_WRLCK && l.l_start == 10 && l.l_len == 10 && l.l_pid == getppid());
		l = query(b, F_GETLK, F_WRLCK, 20, 0);
		CHECK(l.l_type == F_RDLCK && l.l_start == 30 && l.l_len == 0);
		CHECK_EQ(query(b, F_GETLK, F_RDLCK, 20, 0).l_type, F_UNLCK);
		CHECK_ERR(lk(b, F_SETLK, F_RDLCK, 19, 1), EAGAIN);
		CHECK_EQ(lk(b, F_SETLK, F_WRLCK, 0, 10), 0);
		CHECK_EQ(lk(b, F_SETLK, F_RDLCK, 1000, 5), 0);
	}), 0);
}

CASE(posix_split_and_merge, "fcntl")
{
	int fd = file();

	CHECK_EQ(lk(fd, F_SETLK, F_WRLCK, 0, 100), 0);
	CHECK_EQ(lk(fd, F_SETLK, F_UNLCK, 40, 20), 0);
	CHECK_EQ(lk(fd, F_SETLK, F_RDLCK, 0, 10), 0);
	CHECK_EQ(IN_CHILD({
		struct flock l = query(fd, F_GETLK, F_WRLCK, 0, 0);
		CHECK(l.l_type == F_RDLCK && l.l_start == 0 && l.l_len == 10);
		l = query(fd, F_GETLK, F_WRLCK, 10, 0);
		CHECK(l.l_type == F_WRLCK && l.l_start == 10 && l.l_len == 30);
		l = query(fd, F_GETLK, F_WRLCK, 40, 0);
		CHECK(l.l_type == F_WRLCK && l.l_start == 60 && l.l_len == 40);
		CHECK_EQ(lk(fd, F_SETLK, F_WRLCK, 40, 20), 0);
	}), 0);
	CHECK_EQ(lk(fd, F_SETLK, F_WRLCK, 0, 60), 0);
	CHECK_EQ(IN_CHILD({
		struct flock l = query(fd, F_GETLK, F_RDLCK, 0, 0);
		CHECK(l.l_start == 0 && l.l_len == 100);
	}), 0);
}

CASE(posix_whence, "fcntl,lseek")
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_END, .l_start = -5, .l_len = -3 };
	int fd = file();

	CHECK_EQ(ftruncate(fd, 100), 0);
	CHECK_EQ(fcntl(fd, F_SETLK, &l), 0); /* 92..94 */
	CHECK_EQ(IN_CHILD({
		struct flock q = query(fd, F_GETLK, F_RDLCK, 0, 0);
		CHECK(q.l_start == 92 && q.l_len == 3);
	}), 0);
	l.l_start = -200;
	CHECK_ERR(fcntl(fd, F_SETLK, &l), EINVAL);
	l.l_whence = 9;
	CHECK_ERR(fcntl(fd, F_SETLK, &l), EINVAL);
	l.l_whence = SEEK_SET;
	l.l_start = l.l_len = 0x7fffffffffffffff;
	CHECK_ERR(fcntl(fd, F_SETLK, &l), EOVERFLOW);
	l.l_type = 9;
	l.l_start = l.l_len = 0;
	CHECK_ERR(fcntl(fd, F_SETLK, &l), EINVAL);
	l.l_type = F_UNLCK;
	CHECK_ERR(fcntl(fd, F_GETLK, &l), EINVAL);
}

CASE(posix_open_modes, "fcntl")
{
	int rd, wr;

	close(file());
	rd = open("f", O_RDONLY);
	wr = open("f", O_WRONLY);
	CHECK_ERR(lk(rd, F_SETLK, F_WRLCK, 0, 0), EBADF);
	CHECK_ERR(lk(wr, F_SETLK, F_RDLCK, 0, 0), EBADF);
	CHECK_ERR(lk(999, F_SETLK, F_RDLCK, 0, 0), EBADF);
	CHECK_ERR(fcntl(rd, F_SETLK, (void *)8), EFAULT);
	CHECK_ERR(lk(open("f", O_PATH), F_SETLK, F_RDLCK, 0, 0), EBADF);
}

CASE(posix_lost_on_any_close, "fcntl,close")
{
	int fd = file(), other;

	CHECK_EQ(lk(fd, F_SETLK, F_WRLCK, 0, 0), 0);
	CHECK_EQ(WEXITSTATUS(IN_CHILD(_exit(lk(fd, F_SETLK, F_RDLCK, 0, 0) ? 1 : 0))), 1);
	other = open("f", O_RDONLY);
	CHECK_EQ(close(other), 0);
	CHECK_EQ(IN_CHILD(_exit(lk(fd, F_SETLK, F_WRLCK, 0, 0) != 0)), 0);
}

CASE(posix_not_inherited, "fcntl,fork")
{
	int fd = file();

	CHECK_EQ(IN_CHILD(lk(fd, F_SETLK, F_WRLCK, 0, 0)), 0);
	CHECK_EQ(lk(fd, F_SETLK, F_WRLCK, 0, 0), 0); /* the child's went with it */
	CHECK_EQ(IN_CHILD({
		CHECK_ERR(lk(fd, F_SETLK, F_WRLCK, 0, 0), EAGAIN);
		close(fd);
	}), 0);
	CHECK_EQ(IN_CHILD(_exit(lk(fd, F_SETLK, F_WRLCK, 0, 0) == 0)), 0); /* and that close freed nothing */
}

CASE(posix_blocking, "fcntl,fork")
{
	int fd = file(), st, p[2];
	pid_t child;
	char c;

	CHECK_EQ(pipe(p), 0);
	CHECK_EQ(lk(fd, F_SETLK, F_WRLCK, 0, 0), 0);
	child = fork();
	if (child == 0) {
		if (write(p[1], "x", 1) != 1)
			_exit(1);
		_exit(lk(fd, F_SETLKW, F_WRLCK, 5, 5) != 0);
	}
	CHECK_EQ(read(p[0], &c, 1), 1);
	CHECK_EQ(waitpid(child, &st, WNOHANG), 0);
	CHECK_EQ(lk(fd, F_SETLK, F_UNLCK, 0, 8), 0);
	CHECK_EQ(waitpid(child, &st, WNOHANG), 0);
	CHECK_EQ(lk(fd, F_SETLK, F_UNLCK, 8, 0), 0);
	CHECK_EQ(waitpid(child, &st, 0), child);
	CHECK_EQ(st, 0);
}

CASE(posix_interrupted, "fcntl")
{
	int fd = file();

	CHECK_EQ(lk(fd, F_SETLK, F_WRLCK, 0, 0), 0);
	CHECK_EQ(IN_CHILD({
		tick();
		CHECK_ERR(lk(fd, F_SETLKW, F_WRLCK, 0, 0), EINTR);
	}), 0);
}

CASE(posix_deadlock, "fcntl,fork")
{
	int fd = file(), st, up[2], mine, theirs;
	pid_t child;
	char c;

	CHECK_EQ(pipe(up), 0);
	CHECK_EQ(lk(fd, F_SETLK, F_WRLCK, 0, 1), 0);
	child = fork();
	if (child == 0) {
		if (lk(fd, F_SETLK, F_WRLCK, 1, 1) || write(up[1], "x", 1) != 1)
			_exit(1);
		_exit(lk(fd, F_SETLKW, F_WRLCK, 0, 1) == 0 ? 0 : errno);
	}
	CHECK_EQ(read(up[0], &c, 1), 1);
	/* Whichever of the two comes second is told; the other then gets its lock. */
	mine = lk(fd, F_SETLKW, F_WRLCK, 1, 1) == 0 ? 0 : errno;
	CHECK_EQ(lk(fd, F_SETLK, F_UNLCK, 0, 0), 0);
	CHECK_EQ(waitpid(child, &st, 0), child);
	theirs = WEXITSTATUS(st);
	CHECK((mine == EDEADLK && theirs == 0) || (mine == 0 && theirs == EDEADLK));
}

/* Where the lock will be is settled when the call begins. */
CASE(posix_waits_for_one_range, "fcntl,fork")
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_END, .l_start = -10, .l_len = 5 };
	int fd = file(), st, p[2];
	pid_t child;
	char c;

	CHECK_EQ(pipe(p), 0);
	CHECK_EQ(ftruncate(fd, 100), 0);
	CHECK_EQ(lk(fd, F_SETLK, F_WRLCK, 0, 0), 0);
	child = fork();
	if (child == 0) {
		if (write(p[1], "x", 1) != 1 || fcntl(fd, F_SETLKW, &l))
			_exit(1);
		if (write(p[1], "y", 1) != 1)
			_exit(2);
		pause();
	}
	CHECK_EQ(read(p[0], &c, 1), 1);
	usleep(50000);
	CHECK_EQ(ftruncate(fd, 200), 0);
	CHECK_EQ(lk(fd, F_SETLK, F_UNLCK, 0, 50), 0);
	CHECK_EQ(lk(fd, F_SETLK, F_UNLCK, 0, 0), 0);
	CHECK_EQ(read(p[0], &c, 1), 1);
	l = query(fd, F_GETLK, F_WRLCK, 0, 0);
	CHECK(l.l_type == F_WRLCK && l.l_start == 90 && l.l_len == 5 && l.l_pid == child);
	kill(child, SIGKILL);
	CHECK_EQ(waitpid(child, &st, 0), child);
}

CASE(ofd_locks, "fcntl,dup,fork")
{
	int a = file(), b = file(), c = dup(a);
	struct flock l;

	CHECK_EQ(lk(a, F_OFD_SETLK, F_WRLCK, 0, 10), 0);
	CHECK_ERR(lk(b, F_OFD_SETLK, F_RDLCK, 5, 1), EAGAIN); /* even in one process */
	CHECK_EQ(lk(c, F_OFD_SETLK, F_WRLCK, 5, 1), 0);
	CHECK_ERR(lk(b, F_SETLK, F_RDLCK, 5, 1), EAGAIN); /* both kinds see each other */
	l = query(b, F_OFD_GETLK, F_RDLCK, 0, 0);
	CHECK(l.l_type == F_WRLCK && l.l_len == 10 && l.l_pid == -1);
	l.l_type = F_RDLCK;
	l.l_pid = 5;
	CHECK_ERR(fcntl(b, F_OFD_SETLK, &l), EINVAL);
	CHECK_EQ(IN_CHILD(_exit(lk(a, F_OFD_SETLK, F_WRLCK, 0, 20) != 0)), 0); /* shared with children */
	CHECK_ERR(lk(b, F_OFD_SETLK, F_RDLCK, 15, 1), EAGAIN);
	CHECK_EQ(close(open("f", O_RDONLY)), 0);
	CHECK_ERR(lk(b, F_OFD_SETLK, F_RDLCK, 15, 1), EAGAIN);
	close(a);
	close(c);
	CHECK_EQ(lk(b, F_OFD_SETLK, F_WRLCK, 0, 0), 0);
}

CASE(ofd_blocking, "fcntl,fork")
{
	int a = file(), st;
	pid_t child;

	CHECK_EQ(lk(a, F_OFD_SETLK, F_WRLCK, 0, 0), 0);
	child = fork();
	if (child == 0) {
		int b = open("f", O_RDWR);

		close(a);
		_exit(lk(b, F_OFD_SETLKW, F_WRLCK, 0, 0) != 0);
	}
	for (int i = 0; i < 20; i++)
		sched_yield();
	CHECK_EQ(waitpid(child, &st, WNOHANG), 0);
	CHECK_EQ(lk(a, F_OFD_SETLK, F_UNLCK, 0, 0), 0);
	CHECK_EQ(waitpid(child, &st, 0), child);
	CHECK_EQ(st, 0);
}

CASE(locks_end_with_the_holder, "fcntl,flock,kill")
{
	int fd = file(), p[2], st;
	pid_t child;
	char c;

	CHECK_EQ(pipe(p), 0);
	child = fork();
	if (child == 0) {
		int own = open("f", O_RDWR);

		if (lk(own, F_SETLK, F_WRLCK, 0, 0) || flock(own, LOCK_EX) || write(p[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	CHECK_EQ(read(p[0], &c, 1), 1);
	CHECK_ERR(lk(fd, F_SETLK, F_WRLCK, 0, 0), EAGAIN);
	CHECK_ERR(flock(fd, LOCK_EX | LOCK_NB), EAGAIN);
	CHECK_EQ(kill(child, SIGKILL), 0);
	CHECK_EQ(lk(fd, F_SETLKW, F_WRLCK, 0, 0), 0);
	CHECK_EQ(flock(fd, LOCK_EX), 0);
	CHECK_EQ(waitpid(child, &st, 0), child);
}

MAIN()
