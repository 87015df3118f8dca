/* Pseudo-terminal pairs (pty(7)): the master and slave files around one line
 * discipline. */
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

#define LX_POLL_IN (LX_POLLIN | LX_POLLRDNORM)
#define LX_POLL_OUT (LX_POLLOUT | LX_POLLWRNORM)

static struct pty *pty_of_file(const struct file *f)
{
	return f->priv;
}

bool pty_file_hung(const struct file *f)
{
	return f->ra[0] != pty_of_file(f)->hang_gen;
}

/* ---- what the line discipline reports ---- */

static void packet_event(struct pty *p, uint8_t set, uint8_t clear)
{
	if (!p->packet)
		return;
	p->pkt_status = (uint8_t)((p->pkt_status & ~clear) | set);
	waitq_wake(&p->master_q, LX_POLL_IN | LX_POLLPRI);
}

static void pty_event(struct ldisc *ld, enum ldisc_event ev)
{
	struct pty *p = container_of(ld, struct pty, ld);

	switch (ev) {
	case LDISC_EV_INTR:
		tty_signal_fg(&p->tty, LX_SIGINT);
		break;
	case LDISC_EV_QUIT:
		tty_signal_fg(&p->tty, LX_SIGQUIT);
		break;
	case LDISC_EV_SUSP:
		tty_signal_fg(&p->tty, LX_SIGTSTP);
		break;
	case LDISC_EV_INPUT:
		p->last_input_ns = ktime_mono();
		waitq_wake(&p->slave_q, LX_POLL_IN);
		break;
	case LDISC_EV_OUTPUT:
		waitq_wake(&p->master_q, LX_POLL_IN);
		break;
	case LDISC_EV_STOP:
		packet_event(p, LX_TIOCPKT_STOP, LX_TIOCPKT_START);
		break;
	case LDISC_EV_START:
		packet_event(p, LX_TIOCPKT_START, LX_TIOCPKT_STOP);
		waitq_wake(&p->slave_q, LX_POLL_OUT);
		break;
	case LDISC_EV_FLUSH_IN:
		packet_event(p, LX_TIOCPKT_FLUSHREAD, 0);
		break;
	case LDISC_EV_FLUSH_OUT:
		packet_event(p, LX_TIOCPKT_FLUSHWRITE, 0);
		waitq_wake(&p->slave_q, LX_POLL_OUT);
		break;
	}
}

void pty_input_drained(struct pty *p)
{
	size_t before = p->staged_len;

	while (p->staged_len) {
		size_t n = ldisc_receive(&p->ld, p->staged + p->staged_off, p->staged_len);

		if (!n)
			break;
		p->staged_off += n;
		p->staged_len -= n;
	}
	if (!p->staged_len)
		p->staged_off = 0;
	if (p->staged_len != before)
		waitq_wake(&p->master_q, LX_POLL_OUT);
}

/* ---- slave: reading ---- */

/* Raw mode: may a read take what is there? Otherwise: *eof when it ends empty now, else
 * it has to wait (and the wake-up for VTIME is arranged). */
static bool raw_ready(struct pty *p, struct uio *u, bool nonblock, bool *eof)
{
	unsigned min = p->ld.t.c_cc[LX_VMIN], time = p->ld.t.c_cc[LX_VTIME];
	size_t have = ldisc_in_count(&p->ld);
	uint64_t until;

	*eof = false;
	if (min == 0) {
		if (have)
			return true;
		if (time == 0)
			*eof = true;
		else if (!nonblock)
			*eof = !tty_vtime_wait(u->task, time);
		return false;
	}
	if (have >= min || have >= u->resid || (have && nonblock))
		return true;
	if (!have || !time)
		return false;
	until = p->last_input_ns + time * 100000000ULL;
	if (ktime_mono() >= until)
		return true;
	if (u->task)
		task_park_until(u->task, until);
	return false;
}

static int64_t slave_read(struct file *f, struct uio *u, int64_t *pos, uint32_t rwf)
{
	struct pty *p = pty_of_file(f);
	bool nonblock = (f->flags & LX_O_NONBLOCK) || (rwf & LX_RWF_NOWAIT);
	uint8_t buf[LDISC_IN_SIZE];
	size_t n, want;
	bool eof;
	long done;
	int err;

	(void)pos;
	if (pty_file_hung(f) || !u->resid)
		return 0;
	err = tty_check_change(&p->tty, u->task, LX_SIGTTIN);
	if (err)
		return err;
	if (ldisc_by_lines(&p->ld)) {
		if (!ldisc_readable(&p->ld, 1))
			return -LX_EAGAIN;
	} else if (!raw_ready(p, u, nonblock, &eof)) {
		return eof ? 0 : -LX_EAGAIN;
	}
	want = u->resid < sizeof(buf) ? u->resid : sizeof(buf);
	n = ldisc_read(&p->ld, buf, want, &eof);
	pty_input_drained(p);
	f->inode->atime.sec = ktime_real() / 1000000000;
	done = uio_to_user(u, buf, n);
	return done;
}

static int64_t slave_write(struct file *f, struct uio *u, int64_t *pos, uint32_t rwf)
{
	struct pty *p = pty_of_file(f);
	int64_t total = 0;
	uint8_t buf[1024];
	int err;

	(void)pos;
	(void)rwf;
	if (pty_file_hung(f) || !p->master_open)
		return -LX_EIO;
	err = tty_check_write(&p->tty, u->task);
	if (err)
		return err;
	while (u->resid && !p->ld.stopped && ldisc_writable(&p->ld)) {
		size_t chunk = u->resid < sizeof(buf) ? u->resid : sizeof(buf), n;
		long got = uio_from_user(u, buf, chunk);

		if (got < 0)
			return total ? total : got;
		n = ldisc_write(&p->ld, buf, (size_t)got);
		if (n < (size_t)got)
			uio_revert(u, (size_t)got - n);
		total += (int64_t)n;
		if (n < chunk)
			break;
	}
	if (total)
		f->inode->mtime.sec = ktime_real() / 1000000000;
	return total || !u->resid ? total : -LX_EAGAIN;
}

static uint32_t slave_poll(struct file *f, struct poll_ctx *pc)
{
	struct pty *p = pty_of_file(f);
	const uint8_t *cc = p->ld.t.c_cc;
	uint32_t ev = 0;

	poll_wait(pc, &p->slave_q);
	if (pty_file_hung(f))
		return LX_POLL_IN | LX_POLL_OUT | LX_POLLERR | LX_POLLHUP;
	if (ldisc_readable(&p->ld, cc[LX_VTIME] ? 1 : cc[LX_VMIN]))
		ev |= LX_POLL_IN;
	if (!p->ld.stopped && ldisc_writable(&p->ld))
		ev |= LX_POLL_OUT;
	return ev;
}

static void slave_release(struct file *f)
{
	struct pty *p = pty_of_file(f);

	if (--p->slaves == 0 && p->master_open) {
		p->slave_closed = true;
		p->tty.exclusive = false;
		waitq_wake(&p->master_q, LX_POLL_IN | LX_POLLHUP);
	}
	tty_put(&p->tty);
}

const struct file_ops pty_slave_ops = {
	.name = "pts",
	.read = slave_read,
	.write = slave_write,
	.poll = slave_poll,
	.ioctl = pty_slave_ioctl,
	.async = true,
	.release = slave_release,
};

int pty_open_slave(struct tty *tty, const struct path *path, uint32_t fmode, uint32_t flags,
		   struct file **out)
{
	struct pty *p = pty_of(tty);
	struct file *f;

	if (!p->master_open || p->locked)
		return -LX_EIO;
	if (tty->exclusive && task_current && !task_capable(task_current, LX_CAP_SYS_ADMIN))
		return -LX_EBUSY;
	f = file_new(tty->k, &pty_slave_ops, path,
		     (fmode & (FMODE_READ | FMODE_WRITE)) | FMODE_STREAM | FMODE_WRITE_ALL, flags);
	if (!f)
		return -LX_ENOMEM;
	tty_get(tty);
	f->priv = p;
	f->ra[0] = p->hang_gen;
	p->slaves++;
	p->slave_closed = false;
	tty_open_ctty(tty, task_current, fmode, flags);
	*out = f;
	return 0;
}

/* ---- master ---- */

static int64_t master_read(struct file *f, struct uio *u, int64_t *pos, uint32_t rwf)
{
	struct pty *p = pty_of_file(f);
	int64_t total = 0;
	uint8_t buf[2048];
	long r;

	(void)pos;
	(void)rwf;
	if (!u->resid)
		return 0;
	if (p->packet && p->pkt_status) {
		uint8_t status = p->pkt_status;

		p->pkt_status = 0;
		return uio_to_user(u, &status, 1);
	}
	if (!ldisc_out_count(&p->ld))
		return p->slave_closed ? -LX_EIO : -LX_EAGAIN;
	if (p->packet) {
		buf[0] = LX_TIOCPKT_DATA;
		r = uio_to_user(u, buf, 1);
		if (r < 0)
			return r;
		total = 1;
	}
	while (u->resid && ldisc_out_count(&p->ld)) {
		size_t n = ldisc_out_take(&p->ld, buf,
					  u->resid < sizeof(buf) ? u->resid : sizeof(buf));

		r = uio_to_user(u, buf, n);
		if (r < 0)
			return total ? total : r;
		total += r;
	}
	if (ldisc_writable(&p->ld))
		waitq_wake(&p->slave_q, LX_POLL_OUT);
	return total;
}

/* Keep what the line discipline did not take. */
static int stage(struct pty *p, const uint8_t *buf, size_t n)
{
	if (p->staged_off && p->staged_off + p->staged_len + n > p->staged_cap) {
		memmove(p->staged, p->staged + p->staged_off, p->staged_len);
		p->staged_off = 0;
	}
	if (p->staged_len + n > p->staged_cap) {
		size_t cap = p->staged_len + n < 4096 ? 4096 : PTY_STAGED_MAX;
		uint8_t *mem = realloc(p->staged, cap);

		if (!mem)
			return -LX_ENOMEM;
		p->staged = mem;
		p->staged_cap = cap;
	}
	memcpy(p->staged + p->staged_off + p->staged_len, buf, n);
	p->staged_len += n;
	return 0;
}

static int64_t master_write(struct file *f, struct uio *u, int64_t *pos, uint32_t rwf)
{
	struct pty *p = pty_of_file(f);
	int64_t total = 0;
	uint8_t buf[1024];

	(void)pos;
	(void)rwf;
	while (u->resid && p->staged_len < PTY_STAGED_MAX) {
		size_t n = PTY_STAGED_MAX - p->staged_len, took = 0;
		long got;

		if (n > sizeof(buf))
			n = sizeof(buf);
		if (n > u->resid)
			n = u->resid;
		got = uio_from_user(u, buf, n);
		if (got < 0)
			return total ? total : got;
		if (!p->staged_len)
			took = ldisc_receive(&p->ld, buf, (size_t)got);
		if (took < (size_t)got && stage(p, buf + took, (size_t)got - took)) {
			uio_revert(u, (size_t)got - took);
			total += (int64_t)took;
			return total ? total : -LX_ENOMEM;
		}
		total += got;
		if ((size_t)got < n)
			break;
	}
	return total || !u->resid ? total : -LX_EAGAIN;
}

static uint32_t master_poll(struct file *f, struct poll_ctx *pc)
{
	struct pty *p = pty_of_file(f);
	uint32_t ev = 0;

	poll_wait(pc, &p->master_q);
	if (ldisc_out_count(&p->ld))
		ev |= LX_POLL_IN;
	if (p->packet && p->pkt_status)
		ev |= LX_POLL_IN | LX_POLLPRI;
	if (p->slave_closed)
		ev |= LX_POLLHUP;
	if (p->staged_len < PTY_STAGED_MAX)
		ev |= LX_POLL_OUT;
	return ev;
}

static void master_release(struct file *f)
{
	struct pty *p = pty_of_file(f);

	p->master_open = false;
	devpts_node_drop(p);
	tty_hangup(&p->tty, false);
	tty_drop_index(&p->tty);
	tty_put(&p->tty);
}

const struct file_ops pty_master_ops = {
	.name = "ptmx",
	.read = master_read,
	.write = master_write,
	.poll = master_poll,
	.ioctl = pty_master_ioctl,
	.async = true,
	.release = master_release,
};

/* ---- the pair ---- */

static uint32_t pty_lflag(struct tty *tty)
{
	return pty_of(tty)->ld.t.c_lflag;
}

static void pty_hangup(struct tty *tty)
{
	struct pty *p = pty_of(tty);

	p->hang_gen++;
	ldisc_flush_in(&p->ld);
	waitq_wake(&p->slave_q, LX_POLL_IN | LX_POLL_OUT | LX_POLLERR | LX_POLLHUP);
}

static bool pty_alive(struct tty *tty)
{
	return pty_of(tty)->master_open;
}

static void pty_free(struct tty *tty)
{
	struct pty *p = pty_of(tty);

	waitq_fini(&p->slave_q);
	waitq_fini(&p->master_q);
	free(p->staged);
	free(p);
}

static const struct tty_ops pty_tty_ops = {
	.open = pty_open_slave,
	.lflag = pty_lflag,
	.hangup = pty_hangup,
	.alive = pty_alive,
	.free = pty_free,
};

int ptmx_open(struct devpts *fs, const struct path *path, uint32_t fmode, uint32_t flags,
	      struct file **out)
{
	struct kernel *k = path->mnt->sb->k;
	struct pty *p;
	struct file *f;
	int err;

	if (!devpts_room(fs))
		return -LX_ENOSPC;
	p = calloc(1, sizeof(*p));
	if (!p)
		return -LX_ENOMEM;
	err = tty_init(&p->tty, k, &pty_tty_ops, "pty");
	if (err) {
		free(p);
		return err;
	}
	waitq_init(&p->slave_q);
	waitq_init(&p->master_q);
	ldisc_init(&p->ld, pty_event);
	p->locked = true;
	p->node = devpts_node_new(fs, p);
	f = p->node ? file_new(k, &pty_master_ops, path,
			       (fmode & (FMODE_READ | FMODE_WRITE)) | FMODE_STREAM |
				       FMODE_WRITE_ALL,
			       flags)
		    : NULL;
	if (!f) {
		devpts_node_drop(p);
		tty_put(&p->tty);
		return -LX_ENOMEM;
	}
	f->priv = p; /* the file takes over our reference */
	p->master_open = true;
	*out = f;
	return 0;
}
