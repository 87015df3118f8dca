/* What all terminals share: the registry, sessions, job control, hang-up. */
#include <stdlib.h>
#include <string.h>

#include "sentry/cred/cred.h"
#include "sentry/fs/tty/tty_impl.h"
#include "sentry/signal/signal.h"
#include "sentry/task/pid.h"
#include "sentry/task/task.h"
#include "syscalls/abi/lx_cap.h"
#include "syscalls/abi/lx_fcntl.h"
#include "syscalls/abi/lx_signal.h"

/* ---- registry ---- */

struct ttys *ttys_of(struct kernel *k)
{
	if (!k->ttys) {
		struct ttys *ts = calloc(1, sizeof(*ts));

		if (!ts)
			return NULL;
		list_init(&ts->all);
		list_init(&ts->instances);
		k->ttys = ts;
	}
	return k->ttys;
}

void ttys_free(struct kernel *k)
{
	struct ttys *ts = k->ttys;

	if (!ts)
		return;
	k->ttys = NULL;
	if (ts->host_sb)
		superblock_put(ts->host_sb);
	free(ts);
}

int tty_init(struct tty *tty, struct kernel *k, const struct tty_ops *ops, const char *type)
{
	struct ttys *ts = ttys_of(k);
	unsigned i;

	if (!ts)
		return -LX_ENOMEM;
	for (i = 0; i < TTY_MAX; i++)
		if (!(ts->used[i / 64] >> (i % 64) & 1))
			break;
	if (i == TTY_MAX)
		return -LX_ENOSPC;
	ts->used[i / 64] |= 1ULL << (i % 64);
	refs_init(&tty->refs, type);
	tty->k = k;
	tty->ops = ops;
	tty->index = (int)i;
	tty->session = NULL;
	tty->exclusive = false;
	list_push_back(&ts->all, &tty->link);
	return 0;
}

void tty_drop_index(struct tty *tty)
{
	struct ttys *ts = tty->k->ttys;

	if (tty->index < 0)
		return;
	if (ts)
		ts->used[tty->index / 64] &= ~(1ULL << (tty->index % 64));
	tty->index = -1;
}

void tty_get(struct tty *tty)
{
	refs_get(&tty->refs);
}

static void tty_clear_session(struct tty *tty)
{
	struct session *s = tty->session;

	if (!s)
		return;
	tty->session = NULL;
	s->tty = NULL;
	s->fg_pgid = 0;
	session_put(s);
}

void tty_put(struct tty *tty)
{
	if (!refs_put(&tty->refs))
		return;
	tty_clear_session(tty);
	tty_drop_index(tty);
	if (tty->k->ttys)
		list_del_init(&tty->link);
	tty->ops->free(tty);
}

struct tty *tty_by_index(struct kernel *k, unsigned index)
{
	struct tty *tty;

	if (!k->ttys)
		return NULL;
	list_for_each(tty, &k->ttys->all, link)
		if (tty->index == (int)index)
			return tty;
	return NULL;
}

uint32_t tty_dev(const struct tty *tty)
{
	uint32_t minor;

	if (!tty || tty->index < 0)
		return 0;
	/* Majors 136…143 with 256 terminals each, in the form of st_rdev. */
	minor = (uint32_t)tty->index & 0xff;
	return minor | (LX_UNIX98_PTY_SLAVE_MAJOR + ((uint32_t)tty->index >> 8)) << 8;
}

/* ---- signals ---- */

/* signal_send_pgrp() only needs some task of the kernel. */
static void send_pgrp(struct kernel *k, int pgid, int signo)
{
	struct task *any = task_current ? task_current : k->init;

	if (any && pgid > 0)
		signal_send_pgrp(any, pgid, signo, NULL);
}

void tty_signal_fg(struct tty *tty, int signo)
{
	if (tty->session)
		send_pgrp(tty->k, tty->session->fg_pgid, signo);
}

void host_tty_signal(struct kernel *k, struct tty *tty, int signo)
{
	if (signo == LX_SIGHUP) {
		tty_hangup(tty, true);
		return;
	}
	if (tty->session && tty->session->fg_pgid > 0)
		tty_signal_fg(tty, signo);
	else if (k->init && signo != LX_SIGWINCH && k->init->tg)
		signal_send_group(k->init->tg, signo, NULL);
}

/* ---- sessions ---- */

void tty_set_session(struct tty *tty, struct session *s, int fg_pgid)
{
	if (s->tty && s->tty != tty)
		tty_clear_session(s->tty);
	if (tty->session != s) {
		tty_clear_session(tty);
		session_get(s);
		tty->session = s;
		s->tty = tty;
	}
	s->fg_pgid = fg_pgid;
}

void tty_session_leave(struct session *s, bool cont)
{
	struct tty *tty = s->tty;

	if (!tty)
		return;
	tty_get(tty);
	tty_signal_fg(tty, LX_SIGHUP);
	if (cont)
		tty_signal_fg(tty, LX_SIGCONT);
	tty_clear_session(tty);
	tty_put(tty);
}

void tty_session_end(struct session *s)
{
	tty_session_leave(s, false);
}

void tty_hangup(struct tty *tty, bool exit_session)
{
	struct session *s = tty->session;

	if (s) {
		struct tgroup *leader = tgroup_lookup(tty->k, s->sid);
		int fg = s->fg_pgid;

		tty_clear_session(tty); /* may free s */
		if (leader) {
			signal_send_group(leader, LX_SIGHUP, NULL);
			signal_send_group(leader, LX_SIGCONT, NULL);
			tgroup_put(leader);
		}
		if (exit_session)
			send_pgrp(tty->k, fg, LX_SIGHUP);
	}
	if (tty->ops->hangup)
		tty->ops->hangup(tty);
}

static bool is_leader(const struct task *t)
{
	return t->tg->session && t->tg->session->sid == t->tg->tgid;
}

void tty_open_ctty(struct tty *tty, struct task *t, uint32_t fmode, uint32_t flags)
{
	if (!t || (flags & LX_O_NOCTTY) || !(fmode & FMODE_READ))
		return;
	if (is_leader(t) && !t->tg->session->tty && !tty->session)
		tty_set_session(tty, t->tg->session, t->tg->pgid);
}

/* ---- job control ---- */

static bool signal_ignored(const struct task *t, int signo)
{
	return (t->sigmask & SIGBIT(signo)) || t->sighand->act[signo].handler == LX_SIG_IGN;
}

/* Nobody outside the group, but in its session, is a parent of one of its members:
 * nobody could continue it, so it must not be stopped. The sandbox's pid 1 counts as a
 * parent like any other: a shell may run as pid 1. */
static bool pgrp_orphaned(struct kernel *k, int pgid)
{
	struct list *members = pgrp_members(k, pgid);
	struct tgroup *tg;

	if (members)
		list_for_each(tg, members, pgrp_link)
			if (!tg->zombie && tg->parent && tg->parent->pgid != pgid &&
			    tg->parent->session == tg->session)
				return false;
	return true;
}

int tty_check_change(struct tty *tty, struct task *t, int signo)
{
	const struct session *s = t ? t->tg->session : NULL;

	if (!s || s->tty != tty || s->fg_pgid <= 0 || s->fg_pgid == t->tg->pgid)
		return 0;
	if (signal_ignored(t, signo))
		return signo == LX_SIGTTIN ? -LX_EIO : 0;
	if (pgrp_orphaned(tty->k, t->tg->pgid))
		return -LX_EIO;
	signal_send_pgrp(t, t->tg->pgid, signo, NULL);
	return -LX_ERESTARTSYS;
}

int tty_check_write(struct tty *tty, struct task *t)
{
	const struct session *s = t ? t->tg->session : NULL;

	if (!s || s->tty != tty || s->fg_pgid <= 0 || s->fg_pgid == t->tg->pgid)
		return 0;
	if (!(tty->ops->lflag(tty) & LX_TOSTOP))
		return 0;
	return tty_check_change(tty, t, LX_SIGTTOU);
}

bool tty_vtime_wait(struct task *t, unsigned tenths)
{
	uint64_t now = ktime_mono();

	if (!t)
		return false;
	if (!t->restart.has_deadline) {
		t->restart.has_deadline = true;
		t->restart.deadline = now + tenths * 100000000ULL;
	}
	if (now >= t->restart.deadline)
		return false;
	task_park_until(t, t->restart.deadline);
	return true;
}

/* ---- opening by device number ---- */

int tty_open_current(struct task *t, const struct path *path, uint32_t fmode, uint32_t flags,
		     struct file **out)
{
	struct tty *tty = t && t->tg->session ? t->tg->session->tty : NULL;

	if (!tty)
		return -LX_ENXIO;
	return tty->ops->open(tty, path, fmode, flags | LX_O_NOCTTY, out);
}

int tty_open_console(struct kernel *k, const struct path *path, uint32_t fmode, uint32_t flags,
		     struct file **out)
{
	struct tty *tty;

	if (k->ttys)
		list_for_each(tty, &k->ttys->all, link)
			if (tty->ops == &host_tty_ops && tty->ops->alive(tty))
				return tty->ops->open(tty, path, fmode, flags, out);
	return -LX_ENXIO;
}

int tty_vhangup(struct task *t)
{
	struct tty *tty = t->tg->session ? t->tg->session->tty : NULL;

	if (!task_capable(t, LX_CAP_SYS_TTY_CONFIG))
		return -LX_EPERM;
	if (tty) {
		tty_get(tty);
		tty_hangup(tty, false);
		tty_put(tty);
	}
	return 0;
}
