/* ioctls of pseudo-terminals (ioctl_tty(2)): modes, window size, queues, and the
 * master's own. */
#include <string.h>

#include "sentry/fs/tty/tty_impl.h"
#include "sentry/mm/usercopy.h"
#include "sentry/signal/signal.h"
#include "sentry/task/task.h"
#include "syscalls/abi/lx_fcntl.h"
#include "syscalls/abi/lx_poll.h"
#include "syscalls/abi/lx_signal.h"

static struct pty *pty_of_file(const struct file *f)
{
	return f->priv;
}

static int64_t put(struct task *t, uint64_t arg, const void *v, size_t size)
{
	return copy_out(t, (struct uaddr){ arg }, v, size);
}

static int64_t put_i32(struct task *t, uint64_t arg, int32_t v)
{
	return put(t, arg, &v, sizeof(v));
}

/* ---- modes ---- */

static int64_t get_modes(struct task *t, const struct pty *p, uint32_t cmd, uint64_t arg)
{
	const struct lx_termios2 *m = &p->ld.t;
	struct lx_termio o = {
		.c_iflag = (uint16_t)m->c_iflag, .c_oflag = (uint16_t)m->c_oflag,
		.c_cflag = (uint16_t)m->c_cflag, .c_lflag = (uint16_t)m->c_lflag,
		.c_line = m->c_line,
	};

	if (cmd == LX_TCGETS2)
		return put(t, arg, m, sizeof(*m));
	if (cmd == LX_TCGETS)
		return put(t, arg, m, sizeof(struct lx_termios)); /* a prefix */
	memcpy(o.c_cc, m->c_cc, sizeof(o.c_cc));
	return put(t, arg, &o, sizeof(o));
}

static int read_modes(struct task *t, uint32_t cmd, uint64_t arg, struct lx_termios2 *m)
{
	struct uaddr from = { arg };
	struct lx_termio o;

	switch (cmd) {
	case LX_TCSETS2:
	case LX_TCSETSW2:
	case LX_TCSETSF2:
		return copy_in(t, m, from, sizeof(*m));
	case LX_TCSETA:
	case LX_TCSETAW:
	case LX_TCSETAF:
		if (copy_in(t, &o, from, sizeof(o)))
			return -LX_EFAULT;
		m->c_iflag = (m->c_iflag & 0xffff0000u) | o.c_iflag;
		m->c_oflag = (m->c_oflag & 0xffff0000u) | o.c_oflag;
		m->c_cflag = (m->c_cflag & 0xffff0000u) | o.c_cflag;
		m->c_lflag = (m->c_lflag & 0xffff0000u) | o.c_lflag;
		memcpy(m->c_cc, o.c_cc, sizeof(o.c_cc));
		return 0;
	default:
		return copy_in(t, m, from, sizeof(struct lx_termios));
	}
}

/* Does ^S/^Q flow control as a master in packet mode understands it work? */
static bool plain_flow(const struct lx_termios2 *m)
{
	return (m->c_iflag & LX_IXON) && m->c_cc[LX_VSTOP] == 19 && m->c_cc[LX_VSTART] == 17;
}

static int64_t set_modes(struct task *t, struct pty *p, uint32_t cmd, uint64_t arg)
{
	struct lx_termios2 m = p->ld.t;
	bool flow = plain_flow(&m);
	int err = tty_check_change(&p->tty, t, LX_SIGTTOU);

	if (err)
		return err;
	err = read_modes(t, cmd, arg, &m);
	if (err)
		return err;
	/* A pty is always 8 bits without parity. */
	m.c_cflag = (m.c_cflag & ~(LX_CSIZE | LX_PARENB)) | LX_CS8 | LX_CREAD;
	m.c_line = LX_N_TTY;
	if (cmd == LX_TCSETSF || cmd == LX_TCSETSF2 || cmd == LX_TCSETAF) {
		ldisc_flush_in(&p->ld);
		if (p->packet)
			p->pkt_status |= LX_TIOCPKT_FLUSHREAD;
	}
	ldisc_set_termios(&p->ld, &m);
	if (p->packet && plain_flow(&m) != flow) {
		p->pkt_status &= (uint8_t)~(LX_TIOCPKT_DOSTOP | LX_TIOCPKT_NOSTOP);
		p->pkt_status |= flow ? LX_TIOCPKT_NOSTOP : LX_TIOCPKT_DOSTOP;
	}
	if (p->packet && p->pkt_status)
		waitq_wake(&p->master_q, LX_POLLIN | LX_POLLRDNORM | LX_POLLPRI);
	waitq_wake(&p->slave_q, LX_POLLIN | LX_POLLOUT); /* VMIN may have changed */
	pty_input_drained(p);
	return 0;
}

static int64_t set_winsize(struct task *t, struct pty *p, uint64_t arg)
{
	struct lx_winsize ws;

	if (copy_in(t, &ws, (struct uaddr){ arg }, sizeof(ws)))
		return -LX_EFAULT;
	if (memcmp(&ws, &p->ws, sizeof(ws))) {
		p->ws = ws;
		tty_signal_fg(&p->tty, LX_SIGWINCH);
	}
	return 0;
}

/* ---- queues and flow ---- */

static int64_t flush_queues(struct task *t, struct pty *p, uint64_t arg, bool master)
{
	int err = tty_check_change(&p->tty, t, LX_SIGTTOU);

	if (err)
		return err;
	if (arg > LX_TCIOFLUSH)
		return -LX_EINVAL;
	/* The master's input is the slave's output. */
	if (arg == LX_TCIOFLUSH || arg == (master ? LX_TCOFLUSH : LX_TCIFLUSH)) {
		ldisc_flush_in(&p->ld);
		p->staged_len = p->staged_off = 0;
		p->ld.event(&p->ld, LDISC_EV_FLUSH_IN);
		waitq_wake(&p->master_q, LX_POLLOUT | LX_POLLWRNORM);
	}
	if (arg == LX_TCIOFLUSH || arg == (master ? LX_TCIFLUSH : LX_TCOFLUSH)) {
		ldisc_flush_out(&p->ld);
		p->ld.event(&p->ld, LDISC_EV_FLUSH_OUT);
	}
	return 0;
}

static int64_t flow_control(struct task *t, struct pty *p, uint64_t arg, bool master)
{
	uint8_t c;
	int err = tty_check_change(&p->tty, t, LX_SIGTTOU);

	if (err)
		return err;
	switch (arg) {
	case LX_TCOOFF:
	case LX_TCOON:
		if (!master)
			ldisc_stop(&p->ld, arg == LX_TCOOFF);
		return 0;
	case LX_TCIOFF:
	case LX_TCION:
		c = p->ld.t.c_cc[arg == LX_TCIOFF ? LX_VSTOP : LX_VSTART];
		if (c && !master)
			ldisc_write(&p->ld, &c, 1);
		return 0;
	default:
		return -LX_EINVAL;
	}
}

/* What works alike on both sides. */
static int64_t pair_ioctl(struct task *t, struct file *f, uint32_t cmd, uint64_t arg, bool master)
{
	struct pty *p = pty_of_file(f);
	int64_t r;
	int err;

	switch (cmd) {
	case LX_TCGETS:
	case LX_TCGETS2:
	case LX_TCGETA:
		return get_modes(t, p, cmd, arg);
	case LX_TCSETS:
	case LX_TCSETSW:
	case LX_TCSETSF:
	case LX_TCSETS2:
	case LX_TCSETSW2:
	case LX_TCSETSF2:
	case LX_TCSETA:
	case LX_TCSETAW:
	case LX_TCSETAF:
		return set_modes(t, p, cmd, arg);
	case LX_TIOCGWINSZ:
		return put(t, arg, &p->ws, sizeof(p->ws));
	case LX_TIOCSWINSZ:
		return set_winsize(t, p, arg);
	case LX_TCFLSH:
		return flush_queues(t, p, arg, master);
	case LX_TCXONC:
		return flow_control(t, p, arg, master);
	case LX_TCSBRK:
	case LX_TCSBRKP:
		/* Written is delivered: nothing to wait for. */
		err = master ? 0 : tty_check_change(&p->tty, t, LX_SIGTTOU);
		return err;
	case LX_TIOCOUTQ:
		return put_i32(t, arg, 0);
	default:
		r = tty_common_ioctl(t, f, &p->tty, cmd, arg, master);
		return r == -LX_ENOIOCTLCMD_ ? -LX_ENOTTY : r;
	}
}

int64_t pty_slave_ioctl(struct task *t, struct file *f, uint32_t cmd, uint64_t arg)
{
	if (pty_file_hung(f))
		return cmd == LX_TIOCSPGRP ? -LX_ENOTTY : -LX_EIO;
	if (cmd == LX_TIOCINQ)
		return put_i32(t, arg, (int32_t)ldisc_in_count(&pty_of_file(f)->ld));
	return pair_ioctl(t, f, cmd, arg, false);
}

/* ---- the master's own ---- */

static int64_t open_peer(struct task *t, struct file *f, uint64_t arg)
{
	struct pty *p = pty_of_file(f);
	uint32_t flags = (uint32_t)arg, acc = flags & LX_O_ACCMODE;
	AUTO_PUT(file) struct file *peer = NULL;
	struct path path;
	int err;

	if (flags & ~(LX_O_ACCMODE | LX_O_NOCTTY | LX_O_NONBLOCK | LX_O_CLOEXEC | LX_O_LARGEFILE))
		return -LX_EINVAL;
	err = devpts_path(t->k, f->path.mnt, (unsigned)p->tty.index, &path);
	if (err)
		return err;
	err = pty_open_slave(&p->tty, &path,
			     acc == LX_O_RDONLY ? FMODE_READ :
			     acc == LX_O_WRONLY ? FMODE_WRITE :
						  FMODE_READ | FMODE_WRITE,
			     flags & ~LX_O_CLOEXEC, &peer);
	path_put(&path);
	if (err)
		return err;
	return fdtable_add(t, peer, flags & LX_O_CLOEXEC ? FD_CLOEXEC_FLAG : 0);
}

static int64_t get_arg(struct task *t, uint64_t arg, int32_t *v)
{
	return copy_in(t, v, (struct uaddr){ arg }, sizeof(*v));
}

static int64_t set_packet(struct pty *p, bool on)
{
	if (on && !p->packet)
		p->pkt_status = 0;
	p->packet = on;
	return 0;
}

int64_t pty_master_ioctl(struct task *t, struct file *f, uint32_t cmd, uint64_t arg)
{
	struct pty *p = pty_of_file(f);
	int32_t v;

	switch (cmd) {
	case LX_TIOCGPTN:
		return put_i32(t, arg, p->tty.index);
	case LX_TIOCSPTLCK:
		if (get_arg(t, arg, &v))
			return -LX_EFAULT;
		p->locked = v != 0;
		return 0;
	case LX_TIOCGPTLCK:
		return put_i32(t, arg, p->locked);
	case LX_TIOCGPTPEER:
		return open_peer(t, f, arg);
	case LX_TIOCPKT:
		if (get_arg(t, arg, &v))
			return -LX_EFAULT;
		return set_packet(p, v != 0);
	case LX_TIOCGPKT:
		return put_i32(t, arg, p->packet);
	case LX_TIOCSIG:
		if (arg != LX_SIGINT && arg != LX_SIGQUIT && arg != LX_SIGTSTP)
			return -LX_EINVAL;
		tty_signal_fg(&p->tty, (int)arg);
		return 0;
	case LX_TIOCINQ:
		return put_i32(t, arg, (int32_t)ldisc_out_count(&p->ld));
	default:
		return pair_ioctl(t, f, cmd, arg, true);
	}
}
