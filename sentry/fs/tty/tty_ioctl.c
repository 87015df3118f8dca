/* ioctls that pseudo-terminals and host terminals share: sessions and foreground
 * groups, which the sentry keeps itself for both. */
#include "sentry/cred/cred.h"
#include "sentry/fs/tty/tty_impl.h"
#include "sentry/mm/usercopy.h"
#include "sentry/signal/signal.h"
#include "sentry/task/pid.h"
#include "sentry/task/task.h"
#include "syscalls/abi/lx_cap.h"
#include "syscalls/abi/lx_signal.h"

static int put_i32(struct task *t, uint64_t arg, int32_t v)
{
	return copy_out(t, (struct uaddr){ arg }, &v, sizeof(v));
}

static bool is_ctty(const struct task *t, const struct tty *tty)
{
	return t->tg->session && t->tg->session->tty == tty;
}

static int64_t set_pgrp(struct task *t, struct tty *tty, uint64_t arg)
{
	struct session *s = t->tg->session;
	int32_t pgid;
	int err;

	err = tty_check_change(tty, t, LX_SIGTTOU);
	if (err)
		return err == -LX_EIO ? -LX_ENOTTY : err;
	if (!is_ctty(t, tty))
		return -LX_ENOTTY;
	if (copy_in(t, &pgid, (struct uaddr){ arg }, sizeof(pgid)))
		return -LX_EFAULT;
	if (pgid < 0)
		return -LX_EINVAL;
	if (!pgrp_exists_in_session(t->k, pgid, s->sid))
		return pgrp_members(t->k, pgid) ? -LX_EPERM : -LX_ESRCH;
	s->fg_pgid = pgid;
	return 0;
}

static int64_t set_ctty(struct task *t, struct file *f, struct tty *tty, uint64_t arg)
{
	struct session *s = t->tg->session;
	bool leader = s && s->sid == t->tg->tgid;

	if (leader && tty->session == s)
		return 0;
	if (!leader || s->tty)
		return -LX_EPERM;
	if (tty->session && !(arg == 1 && task_capable(t, LX_CAP_SYS_ADMIN)))
		return -LX_EPERM;
	if (!(f->mode & FMODE_READ) && !task_capable(t, LX_CAP_SYS_ADMIN))
		return -LX_EPERM;
	tty_set_session(tty, s, t->tg->pgid);
	return 0;
}

/* A session leader gives the terminal up for its whole session. For other processes Linux
 * forgets it in that process only; here the session keeps it and the call just succeeds. */
static int64_t give_up_ctty(struct task *t, struct tty *tty)
{
	struct session *s = t->tg->session;

	if (!is_ctty(t, tty))
		return -LX_ENOTTY;
	if (s->sid == t->tg->tgid)
		tty_session_leave(s, true);
	return 0;
}

int64_t tty_common_ioctl(struct task *t, struct file *f, struct tty *tty, uint32_t cmd,
			 uint64_t arg, bool master)
{
	int err;

	switch (cmd) {
	case LX_TIOCGPGRP:
		if (!master && !is_ctty(t, tty))
			return -LX_ENOTTY;
		return put_i32(t, arg, tty->session ? tty->session->fg_pgid : 0);
	case LX_TIOCSPGRP:
		return set_pgrp(t, tty, arg);
	case LX_TIOCGSID:
		if (!tty->session || (!master && !is_ctty(t, tty)))
			return -LX_ENOTTY;
		return put_i32(t, arg, tty->session->sid);
	case LX_TIOCSCTTY:
		return set_ctty(t, f, tty, arg);
	case LX_TIOCNOTTY:
		return master ? -LX_ENOTTY : give_up_ctty(t, tty);
	case LX_TIOCEXCL:
		tty->exclusive = true;
		return 0;
	case LX_TIOCNXCL:
		tty->exclusive = false;
		return 0;
	case LX_TIOCGEXCL:
		return put_i32(t, arg, tty->exclusive);
	case LX_TIOCGDEV:
		return put_i32(t, arg, (int32_t)tty_dev(tty));
	case LX_TIOCSTI:
		return -LX_EIO; /* dev.tty.legacy_tiocsti is 0 */
	case LX_TIOCCONS:
		return -LX_EPERM;
	case LX_TIOCGETD:
		return put_i32(t, arg, LX_N_TTY);
	case LX_TIOCSETD: {
		int32_t ldisc;

		err = tty_check_change(tty, t, LX_SIGTTOU);
		if (err)
			return err;
		if (copy_in(t, &ldisc, (struct uaddr){ arg }, sizeof(ldisc)))
			return -LX_EFAULT;
		return ldisc == LX_N_TTY ? 0 : -LX_EINVAL;
	}
	case LX_TIOCSBRK:
	case LX_TIOCCBRK:
		return 0;
	case LX_TIOCVHANGUP:
		if (!task_capable(t, LX_CAP_SYS_ADMIN))
			return -LX_EPERM;
		tty_hangup(tty, false);
		return 0;
	default:
		return -LX_ENOIOCTLCMD_;
	}
}
