/* Terminals of the host: the host's line discipline edits and echoes, modes and window
 * size are its; sessions and foreground groups are the sentry's own, for the host knows
 * nothing of guest processes. */
#include <stdlib.h>
#include <string.h>

#include "sentry/cred/cred.h"
#include "sentry/fs/tty/tty_impl.h"
#include "sentry/mm/usercopy.h"
#include "sentry/task/task.h"
#include "syscalls/abi/lx_cap.h"
#include "syscalls/abi/lx_fcntl.h"
#include "syscalls/abi/lx_poll.h"
#include "syscalls/abi/lx_signal.h"

/* ---- the terminal behind one or more host fds ---- */

static struct hostfd *any_fd(const struct host_tty *ht)
{
	return list_empty(&ht->fds) ? NULL : list_first(&ht->fds, struct hostfd, tty_link);
}

static int ht_open(struct tty *tty, const struct path *path, uint32_t fmode, uint32_t flags,
		   struct file **out)
{
	struct host_tty *ht = host_tty_of(tty);
	struct hostfd *h;
	int err;

	if (tty->exclusive && task_current && !task_capable(task_current, LX_CAP_SYS_ADMIN))
		return -LX_EBUSY;
	list_for_each(h, &ht->fds, tty_link) {
		if (fmode & (FMODE_READ | FMODE_WRITE) & ~h->acc)
			continue;
		err = hostfd_open(h, path, fmode, flags, false, out);
		if (!err)
			tty_open_ctty(tty, task_current, fmode, flags);
		return err;
	}
	return list_empty(&ht->fds) ? -LX_EIO : -LX_EACCES;
}

static uint32_t ht_lflag(struct tty *tty)
{
	struct hostfd *h = any_fd(host_tty_of(tty));
	struct lx_termios t = { 0 };

	if (h)
		host_ioctl(h->fd, LX_TCGETS, &t);
	return t.c_lflag;
}

static bool ht_alive(struct tty *tty)
{
	return any_fd(host_tty_of(tty)) != NULL;
}

static void ht_free(struct tty *tty)
{
	free(host_tty_of(tty));
}

const struct tty_ops host_tty_ops = {
	.open = ht_open,
	.lflag = ht_lflag,
	.alive = ht_alive,
	.free = ht_free,
};

int host_tty_attach(struct hostfd *h, uint64_t dev, uint64_t ino, uint64_t rdev)
{
	struct ttys *ts = ttys_of(h->k);
	struct host_tty *ht;
	struct tty *tty;
	int err;

	if (!ts)
		return -LX_ENOMEM;
	list_for_each(tty, &ts->all, link) {
		if (tty->ops != &host_tty_ops)
			continue;
		ht = host_tty_of(tty);
		if (ht->dev == dev && ht->ino == ino && ht->rdev == rdev && ht_alive(tty)) {
			tty_get(tty);
			h->tty = ht;
			list_push_back(&ht->fds, &h->tty_link);
			return 0;
		}
	}
	ht = calloc(1, sizeof(*ht));
	if (!ht)
		return -LX_ENOMEM;
	list_init(&ht->fds);
	err = tty_init(&ht->tty, h->k, &host_tty_ops, "host_tty");
	if (err) {
		free(ht);
		return err;
	}
	ht->tty.mode = 0620;
	ht->tty.gid = 5;
	ht->dev = dev;
	ht->ino = ino;
	ht->rdev = rdev;
	h->tty = ht;
	list_push_back(&ht->fds, &h->tty_link);
	return 0;
}

void host_tty_detach(struct hostfd *h)
{
	struct host_tty *ht = take(&h->tty);

	list_del_init(&h->tty_link);
	tty_put(&ht->tty);
}

/* ---- reading ---- */

/* In canonical mode a readable terminal has a line (or an end of file), which a read gets
 * without waiting. In raw mode the host would wait for VMIN bytes: never ask for more than
 * there are, and do the counting and timing here. */
int64_t host_tty_read(struct hostfd *h, struct task *t, bool nonblock, void *buf, size_t n)
{
	uint32_t ready = hostpoll_now(h->fd, LX_POLLIN);
	struct lx_termios m;
	int32_t have = 0;
	unsigned min, time;

	if (ready & (LX_POLLHUP | LX_POLLERR))
		return host_read(h->fd, buf, n);
	if (host_ioctl(h->fd, LX_TCGETS, &m) < 0)
		return -LX_EIO;
	if (m.c_lflag & LX_ICANON)
		return ready & LX_POLLIN ? host_read(h->fd, buf, n) : -LX_EAGAIN;
	min = m.c_cc[LX_VMIN];
	time = m.c_cc[LX_VTIME];
	if (host_ioctl(h->fd, LX_TIOCINQ, &have) < 0 || have < 0)
		have = 0;
	if (have == 0) {
		if (min > 0)
			return -LX_EAGAIN;
		if (time == 0)
			return 0;
		if (nonblock || !t)
			return -LX_EAGAIN;
		return tty_vtime_wait(t, time) ? -LX_EAGAIN : 0;
	}
	if ((unsigned)have < min && (size_t)have < n && !nonblock) {
		/* Between bytes: wait VTIME after what came last, which the host does not
		 * tell; from the first look at it is close enough. */
		if (!time || tty_vtime_wait(t, time))
			return -LX_EAGAIN;
	}
	return host_read(h->fd, buf, n < (size_t)have ? n : (size_t)have);
}

/* ---- ioctl ---- */

enum { TO_GUEST = 1, FROM_GUEST = 2, VALUE = 4, CHANGE = 8, DRAIN = 16 };

/* What may go to the host, with its fixed size; nothing else does. */
static const struct {
	uint32_t cmd;
	uint8_t size, how;
} forwarded[] = {
	{ LX_TCGETS, sizeof(struct lx_termios), TO_GUEST },
	{ LX_TCSETS, sizeof(struct lx_termios), FROM_GUEST | CHANGE },
	{ LX_TCSETSW, sizeof(struct lx_termios), FROM_GUEST | CHANGE | DRAIN },
	{ LX_TCSETSF, sizeof(struct lx_termios), FROM_GUEST | CHANGE | DRAIN },
	{ LX_TCGETS2, sizeof(struct lx_termios2), TO_GUEST },
	{ LX_TCSETS2, sizeof(struct lx_termios2), FROM_GUEST | CHANGE },
	{ LX_TCSETSW2, sizeof(struct lx_termios2), FROM_GUEST | CHANGE | DRAIN },
	{ LX_TCSETSF2, sizeof(struct lx_termios2), FROM_GUEST | CHANGE | DRAIN },
	{ LX_TIOCGWINSZ, sizeof(struct lx_winsize), TO_GUEST },
	{ LX_TIOCSWINSZ, sizeof(struct lx_winsize), FROM_GUEST },
	{ LX_TIOCINQ, sizeof(int32_t), TO_GUEST },
	{ LX_TIOCOUTQ, sizeof(int32_t), TO_GUEST },
	{ LX_TCFLSH, 0, VALUE | CHANGE },
	{ LX_TCXONC, 0, VALUE | CHANGE },
};

/* The host waits until the output is through. The caller's file holds h. */
static int ioctl_draining(struct hostfd *h, uint32_t cmd, void *buf)
{
	int r;

	kernel_release_host(h->k);
	r = host_ioctl(h->fd, cmd, buf);
	kernel_reacquire_host(h->k);
	return r;
}

/* The System V form, made from the other one: the host sees only that. */
static int64_t termio_ioctl(struct task *t, struct hostfd *h, uint32_t cmd, uint64_t arg)
{
	struct lx_termios m;
	struct lx_termio o;
	int r;

	if (cmd != LX_TCGETA) {
		r = tty_check_change(&h->tty->tty, t, LX_SIGTTOU);
		if (r)
			return r;
	}
	r = host_ioctl(h->fd, LX_TCGETS, &m);
	if (r < 0)
		return r;
	if (cmd == LX_TCGETA) {
		o = (struct lx_termio){
			.c_iflag = (uint16_t)m.c_iflag, .c_oflag = (uint16_t)m.c_oflag,
			.c_cflag = (uint16_t)m.c_cflag, .c_lflag = (uint16_t)m.c_lflag,
			.c_line = m.c_line,
		};
		memcpy(o.c_cc, m.c_cc, sizeof(o.c_cc));
		return copy_out(t, (struct uaddr){ arg }, &o, sizeof(o));
	}
	if (copy_in(t, &o, (struct uaddr){ arg }, sizeof(o)))
		return -LX_EFAULT;
	m.c_iflag = (m.c_iflag & 0xffff0000u) | o.c_iflag;
	m.c_oflag = (m.c_oflag & 0xffff0000u) | o.c_oflag;
	m.c_cflag = (m.c_cflag & 0xffff0000u) | o.c_cflag;
	m.c_lflag = (m.c_lflag & 0xffff0000u) | o.c_lflag;
	memcpy(m.c_cc, o.c_cc, sizeof(o.c_cc));
	return ioctl_draining(h, LX_TCSETS + (cmd - LX_TCSETA), &m);
}

/* A size that is the terminal's already: readline writes back what it read, and nobody is
 * to hear of it. */
static bool same_winsize(struct hostfd *h, const void *ws)
{
	struct lx_winsize now;

	return host_ioctl(h->fd, LX_TIOCGWINSZ, &now) == 0 && memcmp(&now, ws, sizeof(now)) == 0;
}

static int64_t forward(struct task *t, struct hostfd *h, unsigned i, uint64_t arg)
{
	unsigned how = forwarded[i].how;
	size_t size = forwarded[i].size;
	uint64_t buf[8] = { 0 };
	int r;

	if (how & CHANGE) {
		r = tty_check_change(&h->tty->tty, t, LX_SIGTTOU);
		if (r)
			return r;
	}
	if (how & VALUE) {
		if (arg > LX_TCION)
			return -LX_EINVAL;
		return host_ioctl(h->fd, forwarded[i].cmd, (void *)(uintptr_t)arg);
	}
	if ((how & FROM_GUEST) && copy_in(t, buf, (struct uaddr){ arg }, size))
		return -LX_EFAULT;
	if (forwarded[i].cmd == LX_TIOCSWINSZ && same_winsize(h, buf))
		return 0;
	r = how & DRAIN ? ioctl_draining(h, forwarded[i].cmd, buf)
			: host_ioctl(h->fd, forwarded[i].cmd, buf);
	if (r < 0)
		return r;
	if ((how & TO_GUEST) && copy_out(t, (struct uaddr){ arg }, buf, size))
		return -LX_EFAULT;
	if (forwarded[i].cmd == LX_TIOCSWINSZ)
		tty_signal_fg(&h->tty->tty, LX_SIGWINCH);
	return 0;
}

int64_t host_tty_ioctl(struct task *t, struct file *f, struct hostfd *h, uint32_t cmd,
		       uint64_t arg)
{
	int64_t r;

	for (unsigned i = 0; i < sizeof(forwarded) / sizeof(forwarded[0]); i++)
		if (forwarded[i].cmd == cmd)
			return forward(t, h, i, arg);
	if (cmd >= LX_TCGETA && cmd <= LX_TCSETAF)
		return termio_ioctl(t, h, cmd, arg);
	if (cmd == LX_TCSBRK || cmd == LX_TCSBRKP)
		return tty_check_change(&h->tty->tty, t, LX_SIGTTOU);
	r = tty_common_ioctl(t, f, &h->tty->tty, cmd, arg, false);
	return r == -LX_ENOIOCTLCMD_ ? -LX_ENOTTY : r;
}
