/* Restarting of interrupted calls, one table for every family that can block: each is
 * interrupted by a handler with SA_RESTART, by one without, and by a stop and SIGCONT.
 * A call that goes on is then released and must end well; signal(7) names the classes. */
#include "tests/harness/guest.h"

#include <linux/futex.h>
#include <mqueue.h>
#include <poll.h>
#include <pty.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>

/* Shared between the tester and the process whose call is interrupted. */
struct shared {
	volatile int ready, handled, done, err;
	volatile long ret;
	uint32_t word;		/* for futexes */
};
static struct shared *sh;
static int fd[2], extra;	/* what the operation works on */

struct op {
	const char *name;
	void (*setup)(void);	/* before the fork */
	long (*call)(void);	/* blocks, in the child */
	void (*release)(void);	/* in the parent: lets it end */
	char on_restart, on_plain, on_stop; /* 'r' goes on, 'e' EINTR */
};

/* ---- the operations ---- */

static char buf[1 << 16];

static void mk_pipe(void) { CHECK(pipe(fd) == 0); }
static void mk_pair(void) { CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == 0); }
static void put1(void) { CHECK(write(fd[1], "x", 1) == 1); }
static void fill(int f)
{
	int fl = fcntl(f, F_GETFL);

	fcntl(f, F_SETFL, fl | O_NONBLOCK);
	while (write(f, buf, sizeof(buf)) > 0)
		;
	while (write(f, buf, 1) > 0)
		;
	fcntl(f, F_SETFL, fl);
}
static void mk_full_pipe(void) { mk_pipe(); fill(fd[1]); }
static void mk_full_pair(void) { mk_pair(); fill(fd[1]); }
static void drain(void)
{
	fcntl(fd[0], F_SETFL, O_NONBLOCK);
	while (read(fd[0], buf, sizeof(buf)) > 0)
		;
}
static long do_read(void) { return read(fd[0], buf, 1); }
static long do_readv(void)
{
	struct iovec v = { buf, 1 };

	return readv(fd[0], &v, 1);
}
static long do_write(void) { return write(fd[1], buf, 1); }
static long do_recv(void) { return recv(fd[0], buf, 1, 0); }
static long do_recvmsg(void)
{
	struct iovec v = { buf, 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };

	return recvmsg(fd[0], &m, 0);
}
static long do_send(void) { return send(fd[1], buf, 1, 0); }
static void mk_pair_timeo(void)
{
	struct timeval tv = { 5, 0 };

	mk_pair();
	CHECK(setsockopt(fd[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) == 0);
}
static long do_splice(void) { return splice(fd[0], NULL, extra, NULL, 1, 0); }
static void mk_splice(void)
{
	mk_pipe();
	extra = open("out", O_CREAT | O_RDWR, 0600);
	CHECK(extra >= 0);
}

static struct sockaddr_un addr = { .sun_family = AF_UNIX, .sun_path = "sock" };

static void mk_listen(void)
{
	fd[0] = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK(bind(fd[0], (struct sockaddr *)&addr, sizeof(addr)) == 0);
	CHECK(listen(fd[0], 0) == 0);
}
static void mk_listen_timeo(void)
{
	struct timeval tv = { 5, 0 };

	mk_listen();
	CHECK(setsockopt(fd[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) == 0);
}
static long do_accept(void) { return accept(fd[0], NULL, NULL); }
static void do_connect(void)
{
	int s = socket(AF_UNIX, SOCK_STREAM, 0);

	CHECK(connect(s, (struct sockaddr *)&addr, sizeof(addr)) == 0);
}
static void mk_full_listen(void)
{
	mk_listen();
	for (;;) {
		int s = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

		if (connect(s, (struct sockaddr *)&addr, sizeof(addr)) < 0)
			break;
	}
	extra = socket(AF_UNIX, SOCK_STREAM, 0);
}
static long call_connect(void) { return connect(extra, (struct sockaddr *)&addr, sizeof(addr)); }
static void accept_one(void) { CHECK(accept(fd[0], NULL, NULL) >= 0); }

/* A grandchild that ends when the pipe is closed. */
static long wait_for_child(bool id)
{
	pid_t p = fork();

	if (p == 0) {
		signal(SIGUSR1, SIG_IGN);
		close(fd[1]);
		_exit(read(fd[0], buf, 1) < 0);
	}
	close(fd[1]);
	if (id) {
		siginfo_t si;

		return waitid(P_PID, (id_t)p, &si, WEXITED);
	}
	return wait4(p, NULL, 0, NULL) == p ? 0 : -1;
}
static long do_wait4(void) { return wait_for_child(false); }
static long do_waitid(void) { return wait_for_child(true); }

static long futex(int op, uint32_t val, const struct timespec *ts, uint32_t v3)
{
	return syscall(SYS_futex, &sh->word, op, val, ts, NULL, v3);
}
static void no_setup(void) { sh->word = 0; }
static long do_futex(void) { return futex(FUTEX_WAIT, 0, NULL, 0); }
static long do_futex_timed(void)
{
	struct timespec ts = { 8, 0 };

	return futex(FUTEX_WAIT, 0, &ts, 0);
}
static long do_futex_bitset(void) { return futex(FUTEX_WAIT_BITSET, 0, NULL, ~0u); }
static void do_wake(void) { futex(FUTEX_WAKE, 1, NULL, 0); }
static void mk_pi(void) { sh->word = (uint32_t)getpid(); }
static long do_lock_pi(void) { return futex(FUTEX_LOCK_PI, 0, NULL, 0); }
static void do_unlock_pi(void) { futex(FUTEX_UNLOCK_PI, 0, NULL, 0); }
static long do_waitv(void)
{
	struct { uint64_t val, uaddr; uint32_t flags, r; } w = { 0, (uint64_t)&sh->word, 2, 0 };

	return syscall(449, &w, 1, 0, NULL, 0);
}

static long do_nanosleep(void)
{
	struct timespec ts = { 0, 300000000 };

	return nanosleep(&ts, NULL);
}
static long do_sleep_abs(void)
{
	struct timespec ts;
	int e;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	ts.tv_nsec += 300000000;
	if (ts.tv_nsec >= 1000000000) {
		ts.tv_nsec -= 1000000000;
		ts.tv_sec++;
	}
	e = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
	errno = e;
	return e ? -1 : 0;
}
static void nothing(void) { }

static long do_poll(void)
{
	struct pollfd p = { fd[0], POLLIN, 0 };

	return poll(&p, 1, 8000);
}
static long do_ppoll(void)
{
	struct pollfd p = { fd[0], POLLIN, 0 };

	return ppoll(&p, 1, NULL, NULL);
}
static long do_select(void)
{
	struct timeval tv = { 8, 0 };
	fd_set s;

	FD_ZERO(&s);
	FD_SET(fd[0], &s);
	return select(fd[0] + 1, &s, NULL, NULL, &tv);
}
static long do_pselect(void)
{
	fd_set s;

	FD_ZERO(&s);
	FD_SET(fd[0], &s);
	return pselect(fd[0] + 1, &s, NULL, NULL, NULL, NULL);
}
static void mk_epoll(void)
{
	struct epoll_event ev = { .events = EPOLLIN };

	mk_pipe();
	extra = epoll_create1(0);
	CHECK(epoll_ctl(extra, EPOLL_CTL_ADD, fd[0], &ev) == 0);
}
static long do_epoll(void)
{
	struct epoll_event ev;

	return epoll_wait(extra, &ev, 1, -1);
}
static long do_epoll_pwait(void)
{
	struct epoll_event ev;

	return epoll_pwait(extra, &ev, 1, 8000, NULL);
}

static long do_sigwait(void)
{
	struct timespec ts = { 8, 0 };
	sigset_t s;

	sigemptyset(&s);
	sigaddset(&s, SIGUSR2);
	return sigtimedwait(&s, NULL, &ts);
}
static long do_sigwaitinfo(void)
{
	sigset_t s;

	sigemptyset(&s);
	sigaddset(&s, SIGUSR2);
	return sigwaitinfo(&s, NULL);
}
static long do_sigsuspend(void)
{
	sigset_t s;

	sigemptyset(&s);
	return sigsuspend(&s);
}
static long do_pause(void) { return pause(); }

static void mk_locked(void)
{
	fd[0] = open("lock", O_CREAT | O_RDWR, 0600);
	CHECK(flock(fd[0], LOCK_EX) == 0);
}
static long do_flock(void)
{
	int f = open("lock", O_RDWR);

	return flock(f, LOCK_EX);
}
static void unlock(void) { flock(fd[0], LOCK_UN); }
static struct flock whole(short type) { return (struct flock){ .l_type = type }; }
static void mk_fcntl(void)
{
	struct flock l = whole(F_WRLCK);

	fd[0] = open("lock", O_CREAT | O_RDWR, 0600);
	CHECK(fcntl(fd[0], F_SETLK, &l) == 0);
}
static long do_setlkw(void)
{
	struct flock l = whole(F_WRLCK);

	return fcntl(open("lock", O_RDWR), F_SETLKW, &l);
}
static long do_ofd(void)
{
	struct flock l = whole(F_WRLCK);

	return fcntl(open("lock", O_RDWR), F_OFD_SETLKW, &l);
}
static void unlock_fcntl(void)
{
	struct flock l = whole(F_UNLCK);

	CHECK(fcntl(fd[0], F_SETLK, &l) == 0);
}

static void mk_fifo(void) { CHECK(mkfifo("fifo", 0600) == 0); }
static long do_open(void) { return open("fifo", O_RDONLY); }
static void open_other(void) { CHECK(open("fifo", O_WRONLY) >= 0); }

static void mk_inotify(void)
{
	fd[0] = inotify_init1(0);
	CHECK(inotify_add_watch(fd[0], ".", IN_CREATE) >= 0);
}
static long do_read_big(void) { return read(fd[0], buf, 4096); }
static void create(void) { CHECK(open("made", O_CREAT | O_RDWR, 0600) >= 0); }
static void mk_eventfd(void) { fd[0] = eventfd(0, 0); }
static void post(void)
{
	uint64_t v = 1;

	CHECK(write(fd[0], &v, 8) == 8);
}
static void mk_timerfd(void) { fd[0] = timerfd_create(CLOCK_MONOTONIC, 0); }
static void arm(void)
{
	struct itimerspec its = { .it_value.tv_nsec = 1 };

	CHECK(timerfd_settime(fd[0], 0, &its, NULL) == 0);
}
static void mk_pty(void) { CHECK(openpty(&fd[1], &fd[0], NULL, NULL, NULL) == 0); }
static void put_line(void) { CHECK(write(fd[1], "x\n", 2) == 2); }

static void mk_sem(void)
{
	extra = semget(IPC_PRIVATE, 1, 0600);
	if (extra < 0 && errno == ENOSYS)
		extra = -2;
}
static long do_semop(void)
{
	struct sembuf b = { 0, -1, 0 };

	return semop(extra, &b, 1);
}
static void post_sem(void)
{
	struct sembuf b = { 0, 1, 0 };

	CHECK(semop(extra, &b, 1) == 0);
}
static void mk_msg(void)
{
	extra = msgget(IPC_PRIVATE, 0600);
	if (extra < 0 && errno == ENOSYS)
		extra = -2;
}
static long do_msgrcv(void) { return msgrcv(extra, buf, 1, 0, 0); }
static void post_msg(void)
{
	struct { long type; char c; } m = { 1, 'x' };

	CHECK(msgsnd(extra, &m, 1, 0) == 0);
}
static void mk_mq(void)
{
	struct mq_attr at = { .mq_maxmsg = 1, .mq_msgsize = 8 };

	extra = mq_open("/guest-restart", O_CREAT | O_RDWR, 0600, &at);
	if (extra < 0 && errno == ENOSYS)
		extra = -2;
	mq_unlink("/guest-restart");
}
static long do_mq(void) { return mq_receive(extra, buf, 8, NULL); }
static void post_mq(void) { CHECK(mq_send(extra, "x", 1, 0) == 0); }

static const struct op ops[] = {
	{ "read-pipe", mk_pipe, do_read, put1, 'r', 'e', 'r' },
	{ "readv-pipe", mk_pipe, do_readv, put1, 'r', 'e', 'r' },
	{ "write-pipe", mk_full_pipe, do_write, drain, 'r', 'e', 'r' },
	{ "splice", mk_splice, do_splice, put1, 'r', 'e', 'r' },
	{ "read-socket", mk_pair, do_read, put1, 'r', 'e', 'r' },
	{ "recv", mk_pair, do_recv, put1, 'r', 'e', 'r' },
	{ "recvmsg", mk_pair, do_recvmsg, put1, 'r', 'e', 'r' },
	{ "send", mk_full_pair, do_send, drain, 'r', 'e', 'r' },
	{ "recv-timeo", mk_pair_timeo, do_recv, put1, 'e', 'e', 'e' },
	{ "accept", mk_listen, do_accept, do_connect, 'r', 'e', 'r' },
	{ "accept-timeo", mk_listen_timeo, do_accept, do_connect, 'e', 'e', 'e' },
	{ "connect", mk_full_listen, call_connect, accept_one, 'r', 'e', 'r' },
	{ "wait4", mk_pipe, do_wait4, put1, 'r', 'e', 'r' },
	{ "waitid", mk_pipe, do_waitid, put1, 'r', 'e', 'r' },
	{ "futex", no_setup, do_futex, do_wake, 'r', 'e', 'r' },
	{ "futex-timed", no_setup, do_futex_timed, do_wake, 'e', 'e', 'r' },
	{ "futex-bitset", no_setup, do_futex_bitset, do_wake, 'r', 'e', 'r' },
	{ "futex-pi", mk_pi, do_lock_pi, do_unlock_pi, 'r', 'r', 'r' },
	{ "futex-waitv", no_setup, do_waitv, do_wake, 'r', 'e', 'r' },
	{ "nanosleep", nothing, do_nanosleep, nothing, 'e', 'e', 'r' },
	{ "sleep-until", nothing, do_sleep_abs, nothing, 'e', 'e', 'r' },
	{ "poll", mk_pipe, do_poll, put1, 'e', 'e', 'r' },
	{ "ppoll", mk_pipe, do_ppoll, put1, 'e', 'e', 'r' },
	{ "select", mk_pipe, do_select, put1, 'e', 'e', 'r' },
	{ "pselect", mk_pipe, do_pselect, put1, 'e', 'e', 'r' },
	{ "epoll_wait", mk_epoll, do_epoll, put1, 'e', 'e', 'e' },
	{ "epoll_pwait", mk_epoll, do_epoll_pwait, put1, 'e', 'e', 'e' },
	{ "sigtimedwait", nothing, do_sigwait, nothing, 'e', 'e', 'e' },
	{ "sigwaitinfo", nothing, do_sigwaitinfo, nothing, 'e', 'e', 'e' },
	{ "sigsuspend", nothing, do_sigsuspend, NULL, 'e', 'e', 'r' },
	{ "pause", nothing, do_pause, NULL, 'e', 'e', 'r' },
	{ "flock", mk_locked, do_flock, unlock, 'r', 'e', 'r' },
	{ "setlkw", mk_fcntl, do_setlkw, unlock_fcntl, 'r', 'e', 'r' },
	{ "ofd-setlkw", mk_fcntl, do_ofd, unlock_fcntl, 'r', 'e', 'r' },
	{ "open-fifo", mk_fifo, do_open, open_other, 'r', 'e', 'r' },
	{ "inotify", mk_inotify, do_read_big, create, 'r', 'e', 'r' },
	{ "eventfd", mk_eventfd, do_read_big, post, 'r', 'e', 'r' },
	{ "timerfd", mk_timerfd, do_read_big, arm, 'r', 'e', 'r' },
	{ "tty", mk_pty, do_read_big, put_line, 'r', 'e', 'r' },
	{ "semop", mk_sem, do_semop, post_sem, 'e', 'e', 'e' },
	{ "msgrcv", mk_msg, do_msgrcv, post_msg, 'e', 'e', 'r' },
	{ "mq_receive", mk_mq, do_mq, post_mq, 'r', 'e', 'r' },
};

/* ---- the tester ---- */

static void on_usr1(int sig)
{
	(void)sig;
	sh->handled = 1;
}

static char state_of(pid_t p)
{
	char path[64], line[512] = "";
	char *at;
	int f;

	snprintf(path, sizeof(path), "/proc/%d/stat", p);
	f = open(path, O_RDONLY);
	if (f < 0 || read(f, line, sizeof(line) - 1) <= 0)
		return '?';
	close(f);
	at = strrchr(line, ')');
	return at ? at[2] : '?';
}

/* Blocked: asleep, twice in a row, after it said that it is ready. */
static void wait_asleep(pid_t p)
{
	for (int seen = 0; seen < 2;) {
		struct timespec ts = { 0, 2000000 };

		seen = sh->ready && state_of(p) == 'S' ? seen + 1 : 0;
		if (sh->done)
			return;
		nanosleep(&ts, NULL);
	}
}

static void child(const struct op *o, int sa_flags)
{
	struct sigaction sa = { .sa_handler = on_usr1, .sa_flags = sa_flags };

	sigaction(SIGUSR1, &sa, NULL);
	sh->ready = 1;
	sh->ret = o->call();
	sh->err = errno;
	sh->done = 1;
	_exit(0);
}

/* how: 0 SA_RESTART, 1 plain handler, 2 stop and continue. */
static void one(const struct op *o, int how)
{
	const char *hows[] = { "SA_RESTART", "a plain handler", "stop and continue" };
	char want = how == 0 ? o->on_restart : how == 1 ? o->on_plain : o->on_stop;
	char dir[64];
	pid_t p;
	int st;

	memset(sh, 0, sizeof(*sh));
	extra = -1;
	snprintf(dir, sizeof(dir), "%s%d", o->name, how);
	CHECK(mkdir(dir, 0700) == 0 && chdir(dir) == 0);
	o->setup();
	if (extra == -2)
		goto out; /* not provided */
	p = fork();
	if (p == 0)
		child(o, how == 0 ? SA_RESTART : 0);
	wait_asleep(p);
	if (how < 2) {
		kill(p, SIGUSR1);
		while (!sh->handled)
			sched_yield();
	} else {
		kill(p, SIGSTOP);
		CHECK(waitpid(p, &st, WUNTRACED) == p && WIFSTOPPED(st));
		kill(p, SIGCONT);
	}
	if (want == 'e') {
		CHECK(waitpid(p, &st, 0) == p);
		if (sh->ret != -1 || sh->err != EINTR)
			guest_fail(__FILE__, __LINE__, "%s with %s: %ld, errno %d, not EINTR",
				   o->name, hows[how], sh->ret, sh->err);
		goto out;
	}
	if (!o->release) {
		/* Only a signal ends these. */
		wait_asleep(p);
		if (sh->done)
			guest_fail(__FILE__, __LINE__, "%s with %s: ended", o->name, hows[how]);
		kill(p, SIGKILL);
		waitpid(p, &st, 0);
		goto out;
	}
	if (o->release != nothing) {
		wait_asleep(p);
		if (sh->done)
			guest_fail(__FILE__, __LINE__, "%s with %s: %ld, errno %d, before its time",
				   o->name, hows[how], sh->ret, sh->err);
	}
	o->release();
	CHECK(waitpid(p, &st, 0) == p);
	if (sh->ret < 0)
		guest_fail(__FILE__, __LINE__, "%s with %s: errno %d", o->name, hows[how], sh->err);
out:
	if (!strcmp(o->name, "semop") && extra >= 0)
		semctl(extra, 0, IPC_RMID);
	if (!strcmp(o->name, "msgrcv") && extra >= 0)
		msgctl(extra, IPC_RMID, NULL);
	CHECK(chdir("..") == 0);
}

static void family(unsigned from, unsigned to, int how)
{
	sh = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(sh != MAP_FAILED);
	for (unsigned i = from; i < to && i < sizeof(ops) / sizeof(ops[0]); i++)
		one(&ops[i], how);
}

#define HALF (sizeof(ops) / sizeof(ops[0]) / 2)

CASE(handler_with_restart_1, "restart_syscall,read,write,accept,connect,wait4,waitid,futex")
{
	family(0, HALF, 0);
}

CASE(handler_with_restart_2, "poll,select,epoll_wait,rt_sigtimedwait,flock,fcntl,open")
{
	family(HALF, ~0u, 0);
}

CASE(handler_without_restart_1, "read,write,accept,connect,wait4,waitid,futex")
{
	family(0, HALF, 1);
}

CASE(handler_without_restart_2, "poll,select,epoll_wait,rt_sigtimedwait,flock,fcntl,open")
{
	family(HALF, ~0u, 1);
}

CASE(stop_and_continue_1, "restart_syscall,read,write,accept,connect,wait4,waitid,futex")
{
	family(0, HALF, 2);
}

CASE(stop_and_continue_2, "poll,select,epoll_wait,rt_sigtimedwait,flock,fcntl,open")
{
	family(HALF, ~0u, 2);
}

MAIN()
