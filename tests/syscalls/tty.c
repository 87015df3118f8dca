/* Terminals: pseudo-terminal pairs, line discipline, job control. */
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>

#include "tests/harness/guest.h"

struct pair { int m, s; char name[40]; };

static struct pair pty(void)
{
	struct pair p;
	int zero = 0, n = -1;

	p.m = open("/dev/ptmx", O_RDWR | O_NOCTTY);
	if (p.m < 0)
		SKIP("no /dev/ptmx");
	CHECK_EQ(ioctl(p.m, TIOCSPTLCK, &zero), 0);
	CHECK_EQ(ioctl(p.m, TIOCGPTN, &n), 0);
	snprintf(p.name, sizeof(p.name), "/dev/pts/%d", n);
	p.s = open(p.name, O_RDWR | O_NOCTTY);
	CHECK(p.s >= 0);
	return p;
}

static void put(int fd, const char *text)
{
	CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
}

/* Read what must come next. */
static void expect(int fd, const char *want)
{
	char b[256];
	size_t n = strlen(want), got = 0;

	while (got < n) {
		struct pollfd pf = { fd, POLLIN, 0 };
		ssize_t r;

		if (poll(&pf, 1, 3000) != 1)
			guest_fail(__FILE__, __LINE__, "only '%.*s' came, not '%s'", (int)got, b, want);
		r = read(fd, b + got, n - got);
		CHECK(r > 0);
		got += (size_t)r;
	}
	if (memcmp(b, want, n))
		guest_fail(__FILE__, __LINE__, "'%.*s' came, not '%s'", (int)n, b, want);
}

/* Linux hands input from one side to the other in the background. */
static void arrived(int fd)
{
	struct pollfd pf = { fd, POLLIN, 0 };

	CHECK_EQ(poll(&pf, 1, 3000), 1);
}

static void quiet(int fd)
{
	struct pollfd pf = { fd, POLLIN, 0 };

	CHECK_EQ(poll(&pf, 1, 0), 0);
}

static void change(int fd, tcflag_t off, tcflag_t on)
{
	struct termios t;

	CHECK_EQ(tcgetattr(fd, &t), 0);
	t.c_lflag = (t.c_lflag & ~off) | on;
	CHECK_EQ(tcsetattr(fd, TCSANOW, &t), 0);
}

static void raw(int fd)
{
	struct termios t;

	CHECK_EQ(tcgetattr(fd, &t), 0);
	cfmakeraw(&t);
	CHECK_EQ(tcsetattr(fd, TCSANOW, &t), 0);
}

CASE(opening_a_pair, "open,ioctl")
{
	int m = open("/dev/ptmx", O_RDWR | O_NOCTTY), n = -1;
	struct stat st;
	char path[40];

	if (m < 0)
		SKIP("no /dev/ptmx");
	CHECK_EQ(ioctl(m, TIOCGPTN, &n), 0);
	snprintf(path, sizeof(path), "/dev/pts/%d", n);
	CHECK_ERR(open(path, O_RDWR | O_NOCTTY), EIO); /* locked at first */
	CHECK_EQ(unlockpt(m), 0);
	int s = open(path, O_RDWR | O_NOCTTY);
	CHECK(s >= 0 && isatty(s) && isatty(m));
	CHECK(fstat(s, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev >> 8 == 136);
	CHECK_ERR(lseek(s, 0, SEEK_CUR), ESPIPE);
	CHECK_EQ(close(s), 0);
	CHECK_EQ(close(m), 0);
	CHECK_ERR(open(path, O_RDWR | O_NOCTTY), ENOENT);
}

CASE(canonical_lines, "read,write,ioctl")
{
	struct pair p = pty();
	char b[32];
	int n;

	change(p.s, ECHO, 0);
	put(p.m, "abc");
	quiet(p.s); /* no line yet */
	put(p.m, "d\x7f" "e\r"); /* erase a character, and CR becomes NL */
	arrived(p.s);
	CHECK_EQ(ioctl(p.s, FIONREAD, &n), 0);
	CHECK_EQ(n, 5);
	CHECK_EQ(read(p.s, b, 2), 2); /* in parts */
	CHECK(!memcmp(b, "ab", 2));
	CHECK_EQ(read(p.s, b, 32), 3);
	CHECK(!memcmp(b, "ce\n", 3));
	put(p.m, "one\ntwo\n");
	CHECK_EQ(read(p.s, b, 32), 4); /* one line at a time */
	CHECK_EQ(read(p.s, b, 32), 4);
	put(p.m, "junk\x15kept\n"); /* kill the line */
	expect(p.s, "kept\n");
	put(p.m, "part\x04"); /* the end character gives what there is */
	CHECK_EQ(read(p.s, b, 32), 4);
	put(p.m, "\x04");
	CHECK_EQ(read(p.s, b, 32), 0); /* and on an empty line the end of the file */
	put(p.m, "a\x16\x03" "b\n"); /* a quoted character */
	expect(p.s, "a\x03" "b\n");
	put(p.m, "x y  \x17z\n"); /* erase a word */
	expect(p.s, "x z\n");
}

CASE(echo_and_output, "write,read")
{
	struct pair p = pty();

	put(p.m, "hi\n");
	expect(p.m, "hi\r\n");
	expect(p.s, "hi\n");
	put(p.m, "\x01x\x7f\n");
	expect(p.m, "^Ax\b \b\r\n");
	expect(p.s, "\x01\n");
	put(p.s, "out\n");
	expect(p.m, "out\r\n");
	change(p.s, ECHO, ECHONL | ICANON);
	put(p.m, "s\n");
	expect(p.m, "\r\n");
	quiet(p.m);
}

CASE(raw_mode, "read,write,ioctl")
{
	struct pair p = pty();
	struct termios t;
	char b[8];

	raw(p.s);
	put(p.m, "\x03\x04\r");
	expect(p.s, "\x03\x04\r");
	quiet(p.m);
	put(p.s, "a\nb");
	expect(p.m, "a\nb");
	/* VMIN and VTIME. */
	CHECK_EQ(tcgetattr(p.s, &t), 0);
	t.c_cc[VMIN] = 0;
	t.c_cc[VTIME] = 0;
	CHECK_EQ(tcsetattr(p.s, TCSANOW, &t), 0);
	CHECK_EQ(read(p.s, b, 8), 0);
	t.c_cc[VTIME] = 1;
	CHECK_EQ(tcsetattr(p.s, TCSANOW, &t), 0);
	CHECK_EQ(read(p.s, b, 8), 0);
	t.c_cc[VMIN] = 3;
	t.c_cc[VTIME] = 0;
	CHECK_EQ(tcsetattr(p.s, TCSANOW, &t), 0);
	put(p.m, "ab");
	quiet(p.s);
	put(p.m, "c");
	CHECK_EQ(read(p.s, b, 8), 3);
	CHECK_EQ(fcntl(p.s, F_SETFL, O_NONBLOCK), 0);
	CHECK_ERR(read(p.s, b, 8), EAGAIN);
}

CASE(flush_and_settings, "ioctl")
{
	struct pair p = pty();
	struct termios t;
	char b[8];

	raw(p.s);
	put(p.m, "lost");
	arrived(p.s);
	CHECK_EQ(tcflush(p.s, TCIFLUSH), 0);
	quiet(p.s);
	put(p.m, "lost too");
	arrived(p.s);
	CHECK_EQ(tcgetattr(p.s, &t), 0);
	CHECK_EQ(tcsetattr(p.s, TCSAFLUSH, &t), 0);
	quiet(p.s);
	CHECK_EQ(tcgetattr(p.m, &t), 0); /* the pair shares them */
	CHECK(!(t.c_lflag & ICANON));
	CHECK_ERR(ioctl(p.s, TCGETS, 8), EFAULT);
	CHECK_ERR(ioctl(p.s, TCSETS, 8), EFAULT);
	CHECK_ERR(ioctl(p.s, 0x54ff, b), ENOTTY);
	CHECK_ERR(tcgetattr(open("f", O_CREAT | O_RDWR, 0600), &t), ENOTTY);
	CHECK_ERR(tcflush(p.s, 9), EINVAL);
}

static volatile int winch, ints, hups;

static void on_sig(int sig)
{
	winch += sig == SIGWINCH;
	ints += sig == SIGINT;
	hups += sig == SIGHUP;
}

static void handle(int sig)
{
	struct sigaction sa = { .sa_handler = on_sig };

	CHECK_EQ(sigaction(sig, &sa, NULL), 0);
}

CASE(window_size, "ioctl")
{
	struct winsize w = { 24, 80, 1, 2 }, r;
	struct pair p = pty();

	CHECK_EQ(ioctl(p.s, TIOCGWINSZ, &r), 0);
	CHECK(r.ws_row == 0 && r.ws_col == 0);
	CHECK_EQ(IN_CHILD({
		handle(SIGWINCH);
		CHECK(setsid() > 0);
		CHECK_EQ(ioctl(p.s, TIOCSCTTY, 0), 0);
		CHECK_EQ(ioctl(p.m, TIOCSWINSZ, &w), 0);
		CHECK_EQ(winch, 1); /* the foreground group is told */
		CHECK_EQ(ioctl(p.m, TIOCSWINSZ, &w), 0);
		CHECK_EQ(winch, 1); /* but not of what stays the same */
	}), 0);
	CHECK_EQ(ioctl(p.s, TIOCGWINSZ, &r), 0);
	CHECK(!memcmp(&r, &w, sizeof(w)));
}

CASE(controlling_terminal, "ioctl,setsid,open")
{
	struct pair p = pty();
	pid_t sid = -1;

	CHECK_ERR(ioctl(p.s, TIOCGPGRP, &sid), ENOTTY);
	CHECK_EQ(IN_CHILD({
		CHECK(setsid() > 0);
		CHECK_ERR(open("/dev/tty", O_RDWR), ENXIO);
		CHECK_EQ(ioctl(p.s, TIOCSCTTY, 0), 0);
		CHECK(open("/dev/tty", O_RDWR) >= 0);
		CHECK_EQ(tcgetpgrp(p.s), getpid());
		CHECK_EQ(tcgetsid(p.s), getpid());
		CHECK_ERR(tcsetpgrp(p.s, getppid()), EPERM);
		CHECK_ERR(tcsetpgrp(p.s, -1), EINVAL);
		CHECK_ERR(tcsetpgrp(p.s, 99999999), ESRCH);
		signal(SIGHUP, SIG_IGN);
		signal(SIGCONT, SIG_IGN);
		CHECK_EQ(ioctl(p.s, TIOCNOTTY), 0);
		CHECK_ERR(open("/dev/tty", O_RDWR), ENXIO);
	}), 0);
	/* Opening without O_NOCTTY by a session leader takes it. */
	CHECK_EQ(IN_CHILD({
		CHECK(setsid() > 0);
		CHECK(open(p.name, O_RDWR) >= 0);
		CHECK(open("/dev/tty", O_RDWR) >= 0);
		signal(SIGHUP, SIG_IGN);
	}), 0);
	CHECK_EQ(IN_CHILD(CHECK_ERR(ioctl(p.s, TIOCSCTTY, 0), EPERM)), 0); /* no session leader */
}

CASE(interrupt_reaches_the_foreground, "ioctl,write,setpgid")
{
	struct pair p = pty();

	CHECK_EQ(IN_CHILD({
		CHECK(setsid() > 0);
		CHECK_EQ(ioctl(p.s, TIOCSCTTY, 0), 0);
		int ready[2];
		int st;
		char c;
		CHECK_EQ(pipe(ready), 0);
		handle(SIGINT);
		pid_t job = fork();
		if (job == 0) {
			setpgid(0, 0);
			signal(SIGTTOU, SIG_IGN);
			CHECK_EQ(tcsetpgrp(p.s, getpid()), 0);
			signal(SIGINT, SIG_DFL);
			CHECK_EQ(write(ready[1], "x", 1), 1);
			for (;;)
				pause();
		}
		CHECK_EQ(read(ready[0], &c, 1), 1);
		put(p.m, "\x03");
		CHECK_EQ(waitpid(job, &st, 0), job);
		CHECK(WIFSIGNALED(st) && WTERMSIG(st) == SIGINT);
		CHECK_EQ(ints, 0);
		signal(SIGTTOU, SIG_IGN);
		CHECK_EQ(tcsetpgrp(p.s, getpid()), 0);
		put(p.m, "\x03");
		while (!ints)
			sched_yield();
	}), 0);
}

CASE(background_reads_stop, "read,ioctl,wait4")
{
	struct pair p = pty();

	CHECK_EQ(IN_CHILD({
		CHECK(setsid() > 0);
		CHECK_EQ(ioctl(p.s, TIOCSCTTY, 0), 0);
		int st;
		char c;
		pid_t job = fork();
		if (job == 0) {
			setpgid(0, 0);
			_exit(read(p.s, &c, 1) == 1 ? 0 : 1);
		}
		CHECK_EQ(waitpid(job, &st, WUNTRACED), job);
		CHECK(WIFSTOPPED(st) && WSTOPSIG(st) == SIGTTIN);
		CHECK_EQ(tcsetpgrp(p.s, job), 0);
		put(p.m, "z\n");
		CHECK_EQ(kill(-job, SIGCONT), 0);
		CHECK_EQ(waitpid(job, &st, WUNTRACED), job);
		CHECK_EQ(st, 0);
		/* With SIGTTIN ignored the read fails instead. */
		signal(SIGTTOU, SIG_IGN);
		CHECK_EQ(tcsetpgrp(p.s, getpid()), 0);
		job = fork();
		if (job == 0) {
			setpgid(0, 0);
			signal(SIGTTIN, SIG_IGN);
			_exit(read(p.s, &c, 1) == -1 && errno == EIO ? 0 : 1);
		}
		CHECK_EQ(waitpid(job, &st, 0), job);
		CHECK_EQ(st, 0);
	}), 0);
}

CASE(suspend_character, "write,wait4")
{
	struct pair p = pty();

	CHECK_EQ(IN_CHILD({
		CHECK(setsid() > 0);
		CHECK_EQ(ioctl(p.s, TIOCSCTTY, 0), 0);
		int st;
		pid_t job = fork();
		if (job == 0) {
			setpgid(0, 0);
			signal(SIGTTOU, SIG_IGN);
			tcsetpgrp(p.s, getpid());
			put(p.m, "\x1a");
			for (;;)
				pause();
		}
		CHECK_EQ(waitpid(job, &st, WUNTRACED), job);
		CHECK(WIFSTOPPED(st) && WSTOPSIG(st) == SIGTSTP);
		CHECK_EQ(kill(job, SIGKILL), 0);
		CHECK_EQ(waitpid(job, &st, 0), job);
	}), 0);
}

CASE(master_goes_away, "read,write,close,poll")
{
	struct pair p = pty();
	struct pollfd pf = { p.s, POLLIN, 0 };
	struct termios t;
	char b[8];

	raw(p.s);
	close(p.m);
	CHECK_EQ(read(p.s, b, 8), 0);
	CHECK_ERR(write(p.s, "x", 1), EIO);
	CHECK_EQ(poll(&pf, 1, 0), 1);
	CHECK(pf.revents & POLLHUP);
	CHECK_ERR(tcgetattr(p.s, &t), EIO);
}

CASE(slave_goes_away, "read,close,poll")
{
	struct pair p = pty();
	struct pollfd pf = { p.m, POLLIN, 0 };
	char b[8];

	raw(p.s);
	put(p.s, "last");
	close(p.s);
	expect(p.m, "last");
	CHECK_ERR(read(p.m, b, 8), EIO);
	CHECK_EQ(poll(&pf, 1, 0), 1);
	CHECK(pf.revents & POLLHUP);
	p.s = open(p.name, O_RDWR | O_NOCTTY); /* it can be opened again */
	CHECK(p.s >= 0);
	pf.revents = 0;
	CHECK_EQ(poll(&pf, 1, 0), 0);
}

CASE(hang_up_signals_the_leader, "close,setsid,ioctl")
{
	struct pair p = pty();
	int ready[2], st;
	char c;
	pid_t child;

	CHECK_EQ(pipe(ready), 0);
	child = fork();
	if (child == 0) {
		close(p.m);
		handle(SIGHUP);
		CHECK(setsid() > 0);
		CHECK_EQ(ioctl(p.s, TIOCSCTTY, 0), 0);
		CHECK_EQ(write(ready[1], "x", 1), 1);
		while (!hups)
			sched_yield();
		CHECK_ERR(open("/dev/tty", O_RDWR), ENXIO); /* and takes the terminal away */
		_exit(0);
	}
	CHECK_EQ(read(ready[0], &c, 1), 1);
	close(p.m);
	CHECK_EQ(waitpid(child, &st, 0), child);
	CHECK_EQ(st, 0);
}

CASE(leader_ends, "exit_group,setsid")
{
	struct pair p = pty();
	int up[2], st;
	char b[8];

	CHECK_EQ(pipe(up), 0);
	st = IN_CHILD({
		CHECK(setsid() > 0);
		CHECK_EQ(ioctl(p.s, TIOCSCTTY, 0), 0);
		int ready[2];
		CHECK_EQ(pipe(ready), 0);
		if (fork() == 0) {
			handle(SIGHUP);
			CHECK_EQ(write(ready[1], "r", 1), 1);
			while (!hups)
				sched_yield();
			_exit(write(up[1], "h", 1) != 1);
		}
		CHECK_EQ(read(ready[0], b, 1), 1);
	});
	CHECK_EQ(st, 0);
	CHECK_EQ(read(up[0], b, 1), 1); /* the foreground group got SIGHUP */
	CHECK_EQ(write(p.s, "x", 1), 1); /* unlike a real line, the pair is not hung up */
	CHECK_EQ(ioctl(p.m, TIOCGPGRP, &up[0]), 0);
	CHECK_EQ(up[0], 0); /* but it is nobody's terminal any more */
}

MAIN()
