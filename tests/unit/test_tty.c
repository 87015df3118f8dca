/* Pseudo-terminals, job control, and the files given from the host. */
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <unistd.h>

#include "sentry/fs/tty/tty_impl.h"
#include "tests/unit/fs_world.h"

static struct file *master, *slave;

static int64_t ioc(struct file *f, uint32_t cmd, uint64_t arg)
{
	return f->ops->ioctl(task_current, f, cmd, arg);
}
#define PTR(x) ((uint64_t)(uintptr_t)(x))

static struct file *new_pty(int *index)
{
	struct file *m = must_open("/dev/ptmx", LX_O_RDWR | LX_O_NOCTTY);
	int32_t unlock = 0;

	cr_assert_eq(ioc(m, LX_TIOCGPTN, PTR(index)), 0);
	cr_assert_eq(ioc(m, LX_TIOCSPTLCK, PTR(&unlock)), 0);
	return m;
}

static void setup_pty(void)
{
	int index;

	setup();
	signal(SIGPIPE, SIG_IGN);
	master = new_pty(&index);
	cr_assert_eq(index, 0);
	slave = must_open("/dev/pts/0", LX_O_RDWR);
}

static void set_lflag(uint32_t clear, uint32_t set, int vmin, int vtime)
{
	struct lx_termios2 t;

	cr_assert_eq(ioc(slave, LX_TCGETS2, PTR(&t)), 0);
	t.c_lflag = (t.c_lflag & ~clear) | set;
	t.c_cc[LX_VMIN] = (uint8_t)vmin;
	t.c_cc[LX_VTIME] = (uint8_t)vtime;
	cr_assert_eq(ioc(slave, LX_TCSETS2, PTR(&t)), 0);
}

TestSuite(tty, .init = setup_pty);

Test(tty, locked_until_unlocked)
{
	struct file *m = must_open("/dev/pts/ptmx", LX_O_RDWR);

	cr_assert_eq(open_error("/dev/pts/1", LX_O_RDWR), -LX_EIO);
	file_put(m);
	cr_assert_eq(open_error("/dev/pts/1", LX_O_RDWR), -LX_ENOENT);
}

Test(tty, both_ways)
{
	char b[16];

	cr_assert_eq(wr(slave, "hello\n"), 6);
	reads(master, "hello\r\n");
	cr_assert_eq(rd(master, b, 15), -LX_EAGAIN);
	cr_assert_eq(rd(slave, b, 15), -LX_EAGAIN);
	cr_assert_eq(wr(master, "ls\r"), 3);
	cr_assert(ready(slave, LX_POLLIN));
	reads(slave, "ls\n");
	reads(master, "ls\r\n");
}

Test(tty, session_leader_gets_it)
{
	int32_t v = 0;
	struct file *f;

	cr_assert_eq(ioc(slave, LX_TIOCGSID, PTR(&v)), 0);
	cr_assert_eq(v, 1);
	cr_assert_eq(ioc(slave, LX_TIOCGPGRP, PTR(&v)), 0);
	cr_assert_eq(v, 1);
	f = must_open("/dev/tty", LX_O_RDWR);
	cr_assert_eq(wr(f, "t"), 1);
	reads(master, "t");
	file_put(f);
	v = 2;
	cr_assert_eq(ioc(slave, LX_TIOCSPGRP, PTR(&v)), 0);
	v = 99;
	/* Now A is in the background, and its group is orphaned: nobody would continue it. */
	cr_assert_eq(ioc(slave, LX_TIOCSPGRP, PTR(&v)), -LX_ENOTTY);
}

Test(tty, background)
{
	char b[16];

	task_current = B;
	cr_assert_eq(rd(slave, b, 15), -LX_ERESTARTSYS);
	cr_assert(B->tg->pending.set & SIGBIT(LX_SIGTTIN));
	cr_assert_eq(wr(slave, "x"), 1);
	task_current = A;
	set_lflag(0, LX_TOSTOP, 1, 0);
	task_current = B;
	cr_assert_eq(wr(slave, "x"), -LX_ERESTARTSYS);
	B->sighand->act[LX_SIGTTIN].handler = LX_SIG_IGN;
	cr_assert_eq(rd(slave, b, 15), -LX_EIO);
}

Test(tty, paste_waits_in_order)
{
	static char big[60001], out[60001];
	size_t total = 0;
	int64_t r;

	set_lflag(LX_ECHO, 0, 1, 0);
	for (int i = 0; i < 60000; i++)
		big[i] = i % 80 == 79 ? '\n' : (char)('a' + i % 26);
	cr_assert_eq(wr(master, big), 60000);
	while ((r = rd(slave, out + total, 80)) > 0)
		total += (size_t)r;
	cr_assert_eq(total, 60000);
	cr_assert_str_eq(out, big);
}

Test(tty, vmin)
{
	char b[16];

	set_lflag(LX_ICANON | LX_ECHO, 0, 3, 0);
	wr(master, "ab");
	cr_assert_not(ready(slave, LX_POLLIN));
	cr_assert_eq(rd(slave, b, 15), -LX_EAGAIN);
	wr(master, "c");
	reads(slave, "abc");
	set_lflag(0, 0, 0, 0);
	cr_assert_eq(rd(slave, b, 15), 0);
}

Test(tty, packet_mode)
{
	int32_t on = 1;
	char b[16];

	cr_assert_eq(ioc(master, LX_TIOCPKT, PTR(&on)), 0);
	wr(slave, "z");
	cr_assert_eq(rd(master, b, 15), 2);
	cr_assert_eq(b[0], LX_TIOCPKT_DATA);
	wr(master, "\023");
	cr_assert_eq(rd(master, b, 15), 1);
	cr_assert_eq(b[0], LX_TIOCPKT_STOP);
	cr_assert_not(ready(slave, LX_POLLOUT));
}

Test(tty, slave_closes)
{
	char b[16];

	wr(slave, "bye");
	file_put(slave);
	cr_assert(ready(master, LX_POLLHUP));
	reads(master, "bye");
	cr_assert_eq(rd(master, b, 15), -LX_EIO);
	slave = must_open("/dev/pts/0", LX_O_RDWR);
	cr_assert_eq(rd(master, b, 15), -LX_EAGAIN);
}

Test(tty, master_closes)
{
	char b[16];

	file_put(master);
	cr_assert_eq(rd(slave, b, 15), 0);
	cr_assert_eq(wr(slave, "x"), -LX_EIO);
	cr_assert(ready(slave, LX_POLLHUP));
	cr_assert_eq(ioc(slave, LX_TCGETS, PTR(b)), -LX_EIO);
	cr_assert_null(A->tg->session->tty);
	cr_assert_eq(open_error("/dev/tty", LX_O_RDWR), -LX_ENXIO);
	cr_assert_eq(open_error("/dev/pts/0", LX_O_RDWR), -LX_ENOENT);
	file_put(slave);
}

Test(tty, window_size_and_peer)
{
	struct lx_winsize ws = { 24, 80, 0, 0 }, got = { 0 };
	struct file *peer;
	int64_t fd;

	tty_session_end(A->tg->session);
	tty_set_session(&((struct pty *)master->priv)->tty, A->tg->session, B->tg->pgid);
	B->sighand->act[LX_SIGWINCH].handler = 0x1000;
	cr_assert_eq(ioc(master, LX_TIOCSWINSZ, PTR(&ws)), 0);
	cr_assert_eq(ioc(slave, LX_TIOCGWINSZ, PTR(&got)), 0);
	cr_assert_eq(got.ws_col, 80);
	cr_assert(B->tg->pending.set & SIGBIT(LX_SIGWINCH));
	fd = ioc(master, LX_TIOCGPTPEER, LX_O_RDWR | LX_O_NOCTTY);
	cr_assert_geq(fd, 0);
	peer = fdtable_lookup(A->fds, (int)fd);
	cr_assert_eq(wr(peer, "p"), 1);
	reads(master, "p");
	file_put(peer);
}

/* ---- the host's files ---- */

Test(tty, host_pipe)
{
	struct file *r, *w;
	static char big[60001];
	int64_t n, total = 0;
	int p[2];

	cr_assert_eq(pipe(p), 0);
	cr_assert_eq(hostfile_new(k, p[0], &r), 0);
	cr_assert_eq(hostfile_new(k, p[1], &w), 0);
	cr_assert_eq(rd(r, big, 10), -LX_EAGAIN);
	cr_assert_eq(wr(w, "abc"), 3);
	reads(r, "abc");
	memset(big, 'p', 60000);
	while ((n = wr(w, big)) > 0)
		total += n;
	cr_assert_eq(n, -LX_EAGAIN);
	cr_assert_not(ready(w, LX_POLLOUT));
	while ((n = rd(r, big, 60000)) > 0)
		total -= n;
	cr_assert_eq(total, 0);
	file_put(w);
	cr_assert_eq(rd(r, big, 10), 0);
	file_put(r);
}

Test(tty, host_pipe_without_reader)
{
	struct file *w;
	int p[2];

	cr_assert_eq(pipe(p), 0);
	close(p[0]);
	cr_assert_eq(hostfile_new(k, p[1], &w), 0);
	task_current = B;
	cr_assert_eq(wr(w, "x"), -LX_EPIPE);
	cr_assert(B->pending.set & SIGBIT(LX_SIGPIPE));
}

Test(tty, host_regular_file)
{
	char name[] = "/tmp/test_tty_XXXXXX";
	int fd = mkstemp(name);
	struct file *a, *b, *again;
	struct kstat st;
	char buf[32];

	cr_assert_geq(fd, 0);
	unlink(name);
	cr_assert_eq(write(fd, "0123456789", 10), 10);
	lseek(fd, 4, SEEK_SET);
	cr_assert_eq(hostfile_new(k, dup(fd), &a), 0);
	cr_assert_eq(hostfile_new(k, dup(fd), &b), 0);
	/* One position for both, and for those outside. */
	cr_assert_eq(rd(a, buf, 2), 2);
	cr_assert_str_eq(buf, "45");
	cr_assert_eq(wr(b, "XY"), 2);
	reads(a, "89");
	cr_assert_eq(lseek(fd, 0, SEEK_CUR), 10);
	cr_assert_eq(file_seek(a, 0, LX_SEEK_SET), 0);
	reads(b, "012345XY89");
	/* Opened again by name: a position of its own. */
	cr_assert_eq(fdtable_set(A, 1, a, 0), 1);
	again = must_open("/dev/stdout", LX_O_WRONLY | LX_O_TRUNC);
	cr_assert_eq(wr(again, "new"), 3);
	cr_assert_eq(lseek(fd, 0, SEEK_CUR), 10);
	cr_assert_eq(file_getattr(a, &st), 0);
	cr_assert_eq(st.size, 3);
	cr_assert(LX_S_ISREG(st.mode));
	file_put(again);
}

Test(tty, host_terminal)
{
	struct file *in, *out, *f;
	char buf[32];
	int m, s;

	file_put(slave);
	file_put(master);
	cr_assert_eq(openpty(&m, &s, NULL, NULL, NULL), 0);
	cr_assert_eq(hostfile_new(k, dup(s), &in), 0);
	cr_assert_eq(hostfile_new(k, dup(s), &out), 0);
	cr_assert_eq(hostfile_tty(in), hostfile_tty(out));
	tty_set_session(hostfile_tty(in), A->tg->session, 1);
	cr_assert_eq(rd(in, buf, 10), -LX_EAGAIN);
	cr_assert_eq(write(m, "hi\n", 3), 3);
	cr_assert_eq(poll(&(struct pollfd){ .fd = s, .events = POLLIN }, 1, 5000), 1);
	cr_assert(ready(in, LX_POLLIN));
	reads(in, "hi\n");
	cr_assert_eq(wr(out, "o"), 1);
	f = must_open("/dev/tty", LX_O_RDWR);
	cr_assert_eq(wr(f, "T"), 1);
	file_put(f);
	f = must_open("/dev/console", LX_O_RDWR);
	file_put(f);
	f = must_open("/dev/pts/0", LX_O_RDWR);
	file_put(f);
	task_current = B;
	cr_assert_eq(rd(in, buf, 10), -LX_ERESTARTSYS);
	B->sighand->act[LX_SIGINT].handler = 0x1000;
	A->tg->session->fg_pgid = 2;
	host_tty_signal(k, hostfile_tty(in), LX_SIGINT);
	cr_assert(B->tg->pending.set & SIGBIT(LX_SIGINT));
	file_put(in);
	file_put(out);
	cr_assert_eq(open_error("/dev/console", LX_O_RDWR), -LX_ENXIO);
}

/* ---- simple devices ---- */

Test(tty, devices)
{
	struct file *f = must_open("/dev/zero", LX_O_RDWR);
	char buf[8192];

	buf[0] = 1;
	cr_assert_eq(rd(f, buf, 5), 5);
	cr_assert_eq(buf[0], 0);
	file_put(f);
	f = must_open("/dev/full", LX_O_RDWR);
	cr_assert_eq(wr(f, "a"), -LX_ENOSPC);
	file_put(f);
	f = must_open("/dev/null", LX_O_RDWR);
	cr_assert_eq(wr(f, "abc"), 3);
	cr_assert_eq(rd(f, buf, 3), 0);
	file_put(f);
	f = must_open("/dev/urandom", LX_O_RDONLY);
	cr_assert_eq(rd(f, buf, 8000), 8000);
	file_put(f);
}
