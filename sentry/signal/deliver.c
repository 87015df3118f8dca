/* On the way back to the guest: restarting of interrupted calls, default actions,
 * handler frames, temporary masks. Follows arch_do_signal_or_restart() and get_signal(). */
#include <string.h>

#include "sentry/signal/signal_impl.h"
#include "syscalls/abi/lx_prctl.h"

#define NR_RESTART_SYSCALL 219

/* Results that say that a signal ended the call; its handler runs with the temporary
 * mask's signals open. Any other result restores the mask first. */
static bool result_interrupted(long result)
{
	switch (result) {
	case -LX_EINTR:
	case -LX_ERESTARTSYS:
	case -LX_ERESTARTNOINTR:
	case -LX_ERESTARTNOHAND:
	case -LX_ERESTART_RESTARTBLOCK:
		return true;
	default:
		return false;
	}
}

static void restore_mask(struct task *t)
{
	if (!t->restore_sigmask)
		return;
	t->restore_sigmask = false;
	task_set_sigmask(t, t->saved_sigmask);
}

void signal_restore_mask(struct task *t, long result)
{
	if (t->restore_sigmask && !result_interrupted(result))
		restore_mask(t);
}

static void restart_as(struct task *t, long *result, uint64_t sysno)
{
	task_regs(t)->rax = sysno;
	t->regs->rip = plat_call_rip(t->pt, t->regs->rip);
	*result = -LX_ERAN;
}

/* No handler runs: an interrupted call goes on as if nothing had happened. */
static void restart_unhandled(struct task *t, long *result)
{
	switch (*result) {
	case -LX_ERESTARTSYS:
	case -LX_ERESTARTNOINTR:
	case -LX_ERESTARTNOHAND:
		restart_as(t, result, t->sysno);
		break;
	case -LX_ERESTART_RESTARTBLOCK:
		restart_as(t, result, NR_RESTART_SYSCALL);
		break;
	default:
		break;
	}
}

/* A handler runs first; what the call returns after it. */
static void restart_handled(struct task *t, long *result, const struct ksigaction *act)
{
	switch (*result) {
	case -LX_ERESTARTSYS:
		if (!(act->flags & LX_SA_RESTART)) {
			*result = -LX_EINTR;
			break;
		}
		restart_as(t, result, t->sysno);
		return;
	case -LX_ERESTARTNOINTR:
		restart_as(t, result, t->sysno);
		return;
	case -LX_ERESTARTNOHAND:
	case -LX_ERESTART_RESTARTBLOCK:
		*result = -LX_EINTR;
		break;
	default:
		break;
	}
	if (*result != -LX_ERAN)
		t->regs->rax = (uint64_t)*result;
	*result = -LX_ERAN;
}

/* Synchronous faults of the thread come before everything else, so that a handler sees
 * the registers of the fault. */
static bool take_synchronous(struct task *t, struct ksiginfo *info)
{
	sigset64 set = t->pending.set & ~t->sigmask & SIGSET_SYNC;

	for (; set != 0; set &= set - 1) {
		int signo = __builtin_ctzll(set) + 1;
		const struct ksiginfo *p = sigqueue_peek(&t->pending, signo);

		if (p == NULL || p->code <= LX_SI_USER)
			continue;
		sigqueue_take(&t->pending, signo, info);
		return true;
	}
	return false;
}

enum next_step { NEXT_NONE, NEXT_HANDLER, NEXT_STOP, NEXT_DIE };

/* Take signals until one asks for something. Its default action is already decided. */
static enum next_step next_signal(struct task *t, struct ksiginfo *info,
				  struct ksigaction *act)
{
	for (;;) {
		struct ksigaction *a;
		int signo;

		if (!take_synchronous(t, info) && !signal_take(t, ~t->sigmask, info))
			return NEXT_NONE;
		signo = info->signo;
		if (t->k->strace)
			strace_signal(t, info);
		a = &t->sighand->act[signo];
		if (a->handler == LX_SIG_IGN)
			continue;
		if (a->handler != LX_SIG_DFL) {
			*act = *a;
			if (a->flags & LX_SA_RESETHAND)
				a->handler = LX_SIG_DFL;
			return NEXT_HANDLER;
		}
		if (SIGSET_DFL_IGNORE & SIGBIT(signo))
			continue;
		if (signal_init_protected(t, signo) && signo != LX_SIGSTOP)
			continue;
		if (!(SIGSET_STOP & SIGBIT(signo)))
			return NEXT_DIE;
		/* Nobody could continue an orphaned group that stops by itself. */
		if (signo != LX_SIGSTOP && pgrp_orphaned(t->tg))
			continue;
		return NEXT_STOP;
	}
}

/* Run a handler: its frame, its mask. */
static void enter_handler(struct task *t, const struct ksiginfo *info,
			  const struct ksigaction *act)
{
	sigset64 old = t->restore_sigmask ? t->saved_sigmask : t->sigmask;
	sigset64 blocked = t->sigmask | act->mask;
	int err = sigframe_build(t, act, info, old);

	if (err) {
		/* No room for the frame. A SIGSEGV that cannot be handled is fatal. */
		if (info->signo == LX_SIGSEGV)
			t->sighand->act[LX_SIGSEGV].handler = LX_SIG_DFL;
		signal_force(t, LX_SIGSEGV, NULL);
		return;
	}
	t->restore_sigmask = false;
	if (!(act->flags & LX_SA_NODEFER))
		blocked |= SIGBIT(info->signo);
	task_set_sigmask(t, blocked);
	if (t->altstack.flags & LX_SS_AUTODISARM) {
		t->altstack.sp = 0;
		t->altstack.size = 0;
		t->altstack.flags = LX_SS_DISABLE;
	}
}

bool signal_deliver(struct task *t, long *result, bool is_syscall)
{
	struct ksigaction act;
	struct ksiginfo info;

	if (!is_syscall)
		*result = -LX_ERAN;
	if (t->killed)
		return false;
	signal_restore_mask(t, *result);
	for (;;) {
		if (t->tg->stop_pending) {
			stop_enter(t, *result, is_syscall);
			return false;
		}
		switch (next_signal(t, &info, &act)) {
		case NEXT_NONE:
			if (*result != -LX_ERAN)
				t->regs->rax = (uint64_t)*result;
			restart_unhandled(t, result);
			restore_mask(t);
			return true;
		case NEXT_HANDLER:
			restart_handled(t, result, &act);
			enter_handler(t, &info, &act);
			break;
		case NEXT_STOP:
			stop_begin(t->tg, info.signo);
			break;
		case NEXT_DIE:
			if (t->k->crash && (SIGSET_CRASH & SIGBIT(info.signo)))
				t->k->crash(t, &info);
			/* No core is written, hence no 0x80 in the status: as Linux with
			 * RLIMIT_CORE 0. */
			tgroup_exit(t, info.signo);
			return false;
		}
	}
}
