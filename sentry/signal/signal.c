/* Sending and taking signals: who gets it, whether it is dropped, what must wake. */
#include "sentry/signal/signal.h"

#include <stdlib.h>
#include <string.h>

#include "platform/base/bug.h"
#include "sentry/ipc/futex.h"
#include "sentry/kernel.h"
#include "sentry/mm/mm.h"
#include "sentry/signal/signal_impl.h"
#include "sentry/time/posix_timer.h"
#include "syscalls/abi/lx_cap.h"
#include "syscalls/abi/lx_poll.h"

/* ---- actions ---- */

struct sighand *sighand_new(void)
{
	struct sighand *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	refs_init(&s->refs, "sighand");
	waitq_init(&s->wq);
	return s;
}

struct sighand *sighand_dup(const struct sighand *old)
{
	struct sighand *s = sighand_new();

	if (s != NULL)
		memcpy(s->act, old->act, sizeof(s->act));
	return s;
}

void sighand_get(struct sighand *s)
{
	refs_get(&s->refs);
}

void sighand_put(struct sighand *s)
{
	if (!refs_put(&s->refs))
		return;
	waitq_fini(&s->wq);
	free(s);
}

void sighand_exec(struct sighand *s)
{
	for (int i = 1; i <= LX_NSIG; i++) {
		if (s->act[i].handler != LX_SIG_IGN)
			s->act[i].handler = LX_SIG_DFL;
		s->act[i].flags = 0;
		s->act[i].restorer = 0;
		s->act[i].mask = 0;
	}
}

struct waitq *task_signal_waitq(struct task *t)
{
	return &t->sighand->wq;
}

/* ---- what is dropped ---- */

struct task *tgroup_main(const struct tgroup *tg)
{
	struct task *t, *first = NULL;

	list_for_each(t, &tg->tasks, tg_link) {
		if (t->state == TASK_DEAD)
			continue;
		if (t->tid == tg->tgid)
			return t;
		if (first == NULL)
			first = t;
	}
	return first;
}

bool signal_init_protected(const struct task *t, int signo)
{
	return t->tg->tgid == 1 && !t->tg->init_killable &&
	       t->sighand->act[signo].handler == LX_SIG_DFL;
}

static bool action_ignores(const struct task *t, int signo)
{
	uint64_t h = t->sighand->act[signo].handler;

	return h == LX_SIG_IGN || (h == LX_SIG_DFL && (SIGSET_DFL_IGNORE & SIGBIT(signo)));
}

/* force: sent by the kernel or from outside, so that SIGKILL and SIGSTOP reach pid 1. */
static bool send_ignored(const struct task *t, int signo, bool force)
{
	bool kernel_only = (SIGSET_KERNEL_ONLY & SIGBIT(signo)) != 0;

	if (t->sigmask & SIGBIT(signo))
		return false; /* a handler may be there by the time it is unblocked */
	if (signal_init_protected(t, signo) && !(force && kernel_only))
		return true;
	return action_ignores(t, signo);
}

/* Stop signals and SIGCONT cancel each other wherever they are queued, ignored or not. */
static void cancel_opposites(struct tgroup *tg, int signo)
{
	sigset64 gone = 0;
	struct task *t;

	if (SIGSET_STOP & SIGBIT(signo))
		gone = SIGBIT(LX_SIGCONT);
	else if (signo == LX_SIGCONT)
		gone = SIGSET_STOP;
	if (gone == 0)
		return;
	signal_discard(&tg->pending, gone);
	list_for_each(t, &tg->tasks, tg_link)
		signal_discard(&t->pending, gone);
	if (signo == LX_SIGCONT)
		stop_end(tg, true);
}

/* ---- who gets it ---- */

void signal_wake(struct task *t)
{
	switch (t->state) {
	case TASK_PARKED:
		task_ready(t);
		break;
	case TASK_RUNNING:
		task_interrupt(t);
		break;
	case TASK_NEW:
	case TASK_READY:
	case TASK_STOPPED:
	case TASK_DEAD:
		break;
	}
}

static bool wants(const struct task *t, int signo)
{
	if (t->state == TASK_DEAD || t->state == TASK_STOPPED || t->killed)
		return false;
	return (t->sigmask & ~t->sigwait_set & SIGBIT(signo)) == 0;
}

/* Linux prefers the main thread unless it has something to do already; a thread that
 * waits for just this signal is better still. NULL: all block it. */
static struct task *choose_thread(struct tgroup *tg, int signo)
{
	struct task *t, *best = NULL;
	int best_score = -1;

	list_for_each(t, &tg->tasks, tg_link) {
		int score = 0;

		if (!wants(t, signo))
			continue;
		if (t->sigwait_set & SIGBIT(signo))
			score += 4;
		if (!signal_pending(t))
			score += 2;
		if (t->tid == tg->tgid)
			score += 1;
		if (score > best_score) {
			best = t;
			best_score = score;
		}
	}
	return best;
}

/* SIGKILL is never queued: the process begins to exit at once, whatever it is doing. */
static void kill_process(struct tgroup *tg)
{
	struct task *t = tg->exec_task != NULL ? tg->exec_task : tgroup_main(tg);

	stop_end(tg, false);
	tgroup_exit(t, LX_SIGKILL);
}

/* t: the thread whose mask decides about dropping, and the target unless group.
 * 0, -LX_EAGAIN, or SEND_IGNORED. */
#define SEND_IGNORED 1
static int send(struct task *t, bool group, int signo, const struct ksiginfo *given)
{
	struct tgroup *tg = t->tg;
	struct sigqueue *q = group ? &tg->pending : &t->pending;
	struct ksiginfo info = { .signo = signo, .code = LX_SI_KERNEL };
	struct task *target;
	bool force;
	int err;

	BUG_ON(signo < 1 || signo > LX_NSIG);
	if (given != NULL) {
		info = *given;
		info.signo = signo;
	}
	force = info.code == LX_SI_KERNEL;
	if (tg->exiting || tg->zombie)
		return 0;
	cancel_opposites(tg, signo);
	if (send_ignored(t, signo, force)) {
		if (tg->k->strace)
			strace_ignored(t, &info);
		return SEND_IGNORED;
	}
	if (signo == LX_SIGKILL) {
		kill_process(tg);
		return 0;
	}
	if (signo < LX_SIGRTMIN && (q->set & SIGBIT(signo)) && info.timer_seq == 0)
		return 0;
	err = sigqueue_add(q, t, &info, given != NULL);
	if (err)
		return err;
	waitq_wake(&t->sighand->wq, LX_POLLIN | LX_POLLRDNORM);
	target = group ? choose_thread(tg, signo) : (wants(t, signo) ? t : NULL);
	if (target != NULL)
		signal_wake(target);
	return 0;
}

int signal_send_task(struct task *t, int signo, const struct ksiginfo *info)
{
	int r = t->state != TASK_DEAD ? send(t, false, signo, info) : 0;

	return r == SEND_IGNORED ? 0 : r;
}

int signal_send_self(struct task *t, int signo)
{
	struct ksiginfo info;

	siginfo_init_user(&info, t, signo, LX_SI_USER);
	return signal_send_task(t, signo, &info);
}

int signal_send_group(struct tgroup *tg, int signo, const struct ksiginfo *info)
{
	struct task *t = tgroup_main(tg);
	int r = t != NULL ? send(t, true, signo, info) : 0;

	return r == SEND_IGNORED ? 0 : r;
}

int signal_send_timer(struct tgroup *tg, struct task *t, int signo,
		      const struct ksiginfo *info)
{
	struct task *to = t != NULL ? t : tgroup_main(tg);

	return to != NULL ? send(to, t == NULL, signo, info) : 0;
}

int signal_send_pgrp(struct task *t_any, int pgid, int signo, const struct ksiginfo *info)
{
	struct kernel *k = t_any->k;
	struct tgroup *tg;
	int sent = 0;

	for (int at = 0; (tg = tgroup_next(k, at)) != NULL; tgroup_put(tg)) {
		at = tg->tgid;
		if (tg->pgid != pgid)
			continue;
		signal_send_group(tg, signo, info);
		sent++;
	}
	return sent;
}

void signal_force(struct task *t, int signo, const struct ksiginfo *info)
{
	struct ksigaction *act = &t->sighand->act[signo];

	if ((t->sigmask & SIGBIT(signo)) || act->handler == LX_SIG_IGN) {
		act->handler = LX_SIG_DFL;
		t->sigmask &= ~SIGBIT(signo);
	}
	if (act->handler == LX_SIG_DFL)
		t->tg->init_killable = true;
	send(t, false, signo, info);
}

void signal_fault(struct task *t, const struct plat_trap *trap, int signo, int code)
{
	struct ksiginfo info = { .signo = signo, .code = code, .addr = trap->addr };

	t->fault_err = trap->err;
	t->fault_trapno = trap->trapno;
	t->fault_cr2 = trap->addr;
	signal_force(t, signo, &info);
}

int signal_may_send(const struct task *from, const struct task *to, int signo)
{
	const struct cred *f = from->cred, *c = to->cred;

	if (from->tg == to->tg)
		return 0;
	if (f->euid == c->suid || f->euid == c->uid || f->uid == c->suid || f->uid == c->uid)
		return 0;
	if (cred_has_cap(f, LX_CAP_KILL))
		return 0;
	if (signo == LX_SIGCONT && from->tg->session == to->tg->session)
		return 0;
	return -LX_EPERM;
}

/* ---- what is pending ---- */

sigset64 signal_pending_set(const struct task *t)
{
	return t->pending.set | t->tg->pending.set;
}

bool signal_pending(const struct task *t)
{
	sigset64 p = signal_pending_set(t) & ~t->sigmask;

	if (t->killed || t->tg->stop_pending)
		return true;
	while (p != 0) {
		int signo = __builtin_ctzll(p) + 1;

		if (!action_ignores(t, signo) && !signal_init_protected(t, signo))
			return true;
		p &= p - 1;
	}
	return false;
}

bool signal_take(struct task *t, sigset64 set, struct ksiginfo *out)
{
	int signo;

	if (t->pending.set & set) {
		signo = sigset_first(t->pending.set & set);
		sigqueue_take(&t->pending, signo, out);
	} else if (t->tg->pending.set & set) {
		signo = sigset_first(t->tg->pending.set & set);
		sigqueue_take(&t->tg->pending, signo, out);
		if (signo == LX_SIGALRM)
			itimer_real_taken(t->tg);
	} else {
		return false;
	}
	if (out->timer_seq != 0)
		posix_timer_taken(t->tg, out);
	return true;
}

bool signal_dequeue(struct task *t, sigset64 set, struct ksiginfo *out)
{
	return signal_take(t, set & ~SIGSET_KERNEL_ONLY, out);
}

/* ---- masks ---- */

/* What was kept only because it was blocked, and is ignored, goes now. */
static void drop_ignored(struct task *t, sigset64 set)
{
	for (; set != 0; set &= set - 1) {
		int signo = __builtin_ctzll(set) + 1;

		if (!action_ignores(t, signo) && !signal_init_protected(t, signo))
			continue;
		signal_discard(&t->pending, SIGBIT(signo));
		signal_discard(&t->tg->pending, SIGBIT(signo));
	}
}

void task_set_sigmask(struct task *t, sigset64 mask)
{
	sigset64 newly, shared;
	struct task *other;

	mask &= ~SIGSET_KERNEL_ONLY;
	newly = mask & ~t->sigmask;
	drop_ignored(t, signal_pending_set(t) & t->sigmask & ~mask);
	t->sigmask = mask;
	/* Process signals that this thread was to take and now blocks: to another one. */
	shared = t->tg->pending.set & newly;
	while (shared != 0) {
		other = choose_thread(t->tg, __builtin_ctzll(shared) + 1);
		if (other != NULL && other != t)
			signal_wake(other);
		shared &= shared - 1;
	}
}

void task_set_temp_sigmask(struct task *t, sigset64 mask)
{
	if (!t->restore_sigmask) {
		t->saved_sigmask = t->sigmask;
		t->restore_sigmask = true;
	}
	task_set_sigmask(t, mask);
}

void signal_task_exit(struct task *t)
{
	sigset64 shared = t->tg->pending.set & ~t->sigmask;
	bool was_killed = t->killed;
	struct task *other;

	t->killed = true; /* not to be chosen */
	for (; shared != 0; shared &= shared - 1) {
		other = choose_thread(t->tg, __builtin_ctzll(shared) + 1);
		if (other != NULL)
			signal_wake(other);
	}
	t->killed = was_killed;
	futex_task_exit(t);
	sigqueue_flush(&t->pending);
	stop_check(t->tg, t);
}
