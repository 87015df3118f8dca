/* Job control: whole processes stop and continue, and their parents hear of it.
 *
 * tg->stop_pending: its threads are to stop on their way to the guest (and stay stopped
 * while it is set). tg->stopped: all of them have, which is what wait4 reports. */
#include "sentry/signal/signal_impl.h"
#include "sentry/time/clock.h"
#include "syscalls/abi/lx_poll.h"
#include "syscalls/abi/lx_time.h"

static void notify_parent(struct tgroup *tg, int why)
{
	struct tgroup *parent = tg->parent;
	struct task *t = tgroup_main(tg), *p;
	struct ksiginfo info = { .signo = LX_SIGCHLD, .code = why, .pid = tg->tgid };
	uint64_t user_ns, sys_ns;

	if (parent == NULL)
		return;
	p = tgroup_main(parent);
	if (p != NULL && t != NULL) {
		const struct ksigaction *act = &p->sighand->act[LX_SIGCHLD];

		tgroup_cputime(tg, &user_ns, &sys_ns);
		info.uid = t->cred->uid;
		info.utime = (int64_t)(user_ns / (LX_NSEC_PER_SEC / LX_USER_HZ));
		info.stime = (int64_t)(sys_ns / (LX_NSEC_PER_SEC / LX_USER_HZ));
		info.status = why == LX_CLD_CONTINUED ? LX_SIGCONT : tg->stop_sig;
		if (act->handler != LX_SIG_IGN && !(act->flags & LX_SA_NOCLDSTOP))
			signal_send_group(parent, LX_SIGCHLD, &info);
	}
	waitq_wake(&parent->child_wait, LX_POLLIN);
}

void stop_check(struct tgroup *tg, const struct task *leaving)
{
	struct task *t;
	bool any = false;

	if (!tg->stop_pending || tg->stopped)
		return;
	list_for_each(t, &tg->tasks, tg_link) {
		if (t == leaving || t->state == TASK_DEAD)
			continue;
		if (t->state != TASK_STOPPED)
			return;
		any = true;
	}
	if (!any)
		return;
	tg->stopped = true;
	tg->k->nstopped++;
	tg->stop_reported = false;
	tg->continued = false;
	notify_parent(tg, LX_CLD_STOPPED);
}

void stop_begin(struct tgroup *tg, int signo)
{
	struct task *t;

	if (tg->stop_pending)
		return;
	tg->stop_pending = true;
	tg->stop_sig = signo;
	list_for_each(t, &tg->tasks, tg_link)
		signal_wake(t);
}

void stop_enter(struct task *t, long result, bool is_syscall)
{
	t->state = TASK_STOPPED;
	t->stop_result = result;
	t->stop_is_syscall = is_syscall;
	t->stop_return = true;
	if (t->k->strace)
		strace_stopped(t, t->tg->stop_sig);
	stop_check(t->tg, NULL);
}

void stop_end(struct tgroup *tg, bool report)
{
	bool was_stopped = tg->stopped;
	struct task *t;

	if (!tg->stop_pending)
		return;
	tg->stop_pending = false;
	tg->k->nstopped -= was_stopped;
	tg->stopped = false;
	list_for_each(t, &tg->tasks, tg_link) {
		if (t->state != TASK_STOPPED)
			continue;
		t->state = TASK_PARKED; /* what task_ready() takes */
		task_ready(t);
	}
	if (!report)
		return;
	/* A stop that was still under way is reported as if it had happened. */
	if (was_stopped) {
		tg->continued = true;
		tg->stop_reported = false;
		notify_parent(tg, LX_CLD_CONTINUED);
	} else {
		notify_parent(tg, LX_CLD_STOPPED);
	}
}

bool pgrp_orphaned(struct tgroup *of)
{
	struct tgroup *tg;

	for (int at = 0; (tg = tgroup_next(of->k, at)) != NULL; tgroup_put(tg)) {
		at = tg->tgid;
		if (tg->pgid != of->pgid || tg->zombie || tg->parent == NULL)
			continue;
		if (tg->parent->pgid != of->pgid && tg->parent->session == tg->session) {
			tgroup_put(tg);
			return false;
		}
	}
	return true;
}
