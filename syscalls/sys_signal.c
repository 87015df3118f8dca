/* Signals: actions, masks, sending, waiting (signal(7)). */
#include <string.h>

#include "platform/base/auto.h"
#include "sentry/kernel.h"
#include "sentry/mm/usercopy.h"
#include "sentry/signal/sigframe.h"
#include "sentry/signal/signal.h"
#include "sentry/signal/signalfd.h"
#include "sentry/task/task.h"
#include "sentry/time/clock.h"
#include "sentry/vfs/vfs.h"
#include "syscalls/abi/lx_signal.h"
#include "syscalls/abi/lx_time.h"
#include "syscalls/syscall_args.h"

#define SIGSET_SIZE sizeof(sigset64)
#define SIGSET_UNBLOCKABLE (SIGBIT(LX_SIGKILL) | SIGBIT(LX_SIGSTOP))
#define SA_KNOWN                                                                          \
	(LX_SA_NOCLDSTOP | LX_SA_NOCLDWAIT | LX_SA_SIGINFO | LX_SA_ONSTACK |              \
	 LX_SA_RESTART | LX_SA_NODEFER | LX_SA_RESETHAND | LX_SA_EXPOSE_TAGBITS |         \
	 LX_SA_RESTORER)

static bool signo_valid(int signo)
{
	return signo >= 1 && signo <= LX_NSIG;
}

/* An action that ignores drops what is pending already, in every thread. */
static void flush_ignored(struct task *t, int signo)
{
	const sigset64 dfl_ignore = SIGBIT(LX_SIGCONT) | SIGBIT(LX_SIGCHLD) |
				    SIGBIT(LX_SIGWINCH) | SIGBIT(LX_SIGURG);
	uint64_t h = t->sighand->act[signo].handler;
	struct task *other;

	if (h != LX_SIG_IGN && !(h == LX_SIG_DFL && (dfl_ignore & SIGBIT(signo))))
		return;
	signal_discard(&t->tg->pending, SIGBIT(signo));
	list_for_each(other, &t->tg->tasks, tg_link)
		signal_discard(&other->pending, SIGBIT(signo));
}

long sys_rt_sigaction(struct task *t, const struct rt_sigaction_args *a)
{
	struct lx_sigaction in, out;
	struct ksigaction *act;

	if (a->sigsetsize != SIGSET_SIZE)
		return -LX_EINVAL;
	if (a->act.v != 0 && copy_in(t, &in, a->act, sizeof(in)))
		return -LX_EFAULT;
	if (!signo_valid(a->sig))
		return -LX_EINVAL;
	if (a->act.v != 0 && (SIGSET_UNBLOCKABLE & SIGBIT(a->sig)))
		return -LX_EINVAL;
	act = &t->sighand->act[a->sig];
	out = (struct lx_sigaction){ act->handler, act->flags, act->restorer, act->mask };
	if (a->act.v != 0) {
		act->handler = in.handler;
		act->flags = in.flags & SA_KNOWN;
		act->restorer = in.restorer;
		act->mask = in.mask & ~SIGSET_UNBLOCKABLE;
		flush_ignored(t, a->sig);
	}
	if (a->oact.v != 0)
		return copy_out(t, a->oact, &out, sizeof(out));
	return 0;
}

long sys_rt_sigprocmask(struct task *t, const struct rt_sigprocmask_args *a)
{
	sigset64 old = t->sigmask, set;

	if (a->sigsetsize != SIGSET_SIZE)
		return -LX_EINVAL;
	if (a->nset.v != 0) {
		if (copy_in(t, &set, a->nset, sizeof(set)))
			return -LX_EFAULT;
		switch (a->how) {
		case LX_SIG_BLOCK:
			task_set_sigmask(t, old | set);
			break;
		case LX_SIG_UNBLOCK:
			task_set_sigmask(t, old & ~set);
			break;
		case LX_SIG_SETMASK:
			task_set_sigmask(t, set);
			break;
		default:
			return -LX_EINVAL;
		}
	}
	if (a->oset.v != 0)
		return copy_out(t, a->oset, &old, sizeof(old));
	return 0;
}

long sys_rt_sigpending(struct task *t, const struct rt_sigpending_args *a)
{
	sigset64 set = signal_pending_set(t) & t->sigmask;

	if (a->sigsetsize > SIGSET_SIZE)
		return -LX_EINVAL;
	return copy_out(t, a->uset, &set, a->sigsetsize);
}

long sys_rt_sigreturn(struct task *t, const struct rt_sigreturn_args *a)
{
	(void)a;
	return sigframe_return(t);
}

long sys_sigaltstack(struct task *t, const struct sigaltstack_args *a)
{
	struct lx_stack in, old;
	int err;

	if (a->uss.v != 0 && copy_in(t, &in, a->uss, sizeof(in)))
		return -LX_EFAULT;
	sigaltstack_get(t, &old);
	if (a->uss.v != 0) {
		err = sigaltstack_set(t, &in, task_regs(t)->rsp);
		if (err)
			return err;
	}
	if (a->uoss.v != 0)
		return copy_out(t, a->uoss, &old, sizeof(old));
	return 0;
}

/* ---- sending ---- */

/* To a process, with the checks of kill(2). Signal 0 only checks. */
static long send_group(struct task *t, struct tgroup *tg, int signo,
		       const struct ksiginfo *info)
{
	struct task *to;
	int err;

	if (signo < 0 || signo > LX_NSIG)
		return -LX_EINVAL;
	if (list_empty(&tg->tasks))
		return 0; /* a zombie takes anything */
	to = list_first(&tg->tasks, struct task, tg_link);
	err = signal_may_send(t, to, signo);
	if (err || signo == 0)
		return err;
	return signal_send_group(tg, signo, info);
}

/* Linux takes any thread's id for its process. */
static long send_pid(struct task *t, int pid, int signo, const struct ksiginfo *info)
{
	AUTO_PUT(task) struct task *to = task_lookup(t->k, pid);
	AUTO_PUT(tgroup) struct tgroup *tg = NULL;

	if (to != NULL)
		return send_group(t, to->tg, signo, info);
	tg = tgroup_lookup(t->k, pid);
	return tg != NULL ? send_group(t, tg, signo, info) : -LX_ESRCH;
}

/* pgid 0: every process but pid 1 and the caller's own. */
static long send_many(struct task *t, int pgid, int signo, const struct ksiginfo *info)
{
	long result = -LX_ESRCH;
	struct tgroup *tg;
	bool ok = false;

	for (int at = 0; (tg = tgroup_next(t->k, at)) != NULL; tgroup_put(tg)) {
		long err;

		at = tg->tgid;
		if (pgid != 0 ? tg->pgid != pgid : (tg->tgid == 1 || tg == t->tg))
			continue;
		err = send_group(t, tg, signo, info);
		if (err == 0)
			ok = true;
		else if (pgid == 0 && err == -LX_EPERM)
			ok = true; /* kill(-1) does not tell about those */
		else
			result = err;
	}
	return ok ? 0 : result;
}

long sys_kill(struct task *t, const struct kill_args *a)
{
	struct ksiginfo info;

	siginfo_init_user(&info, t, a->sig, LX_SI_USER);
	if (a->pid > 0)
		return send_pid(t, a->pid, a->sig, &info);
	if (a->pid == INT32_MIN)
		return -LX_ESRCH;
	if (a->pid == -1)
		return send_many(t, 0, a->sig, &info);
	return send_many(t, a->pid == 0 ? t->tg->pgid : -a->pid, a->sig, &info);
}

/* To one thread. tgid 0: of any process. */
static long send_thread(struct task *t, int tgid, int tid, int signo,
			const struct ksiginfo *info)
{
	AUTO_PUT(task) struct task *to = task_lookup(t->k, tid);
	int err;

	if (to == NULL || (tgid != 0 && to->tg->tgid != tgid))
		return -LX_ESRCH;
	if (signo < 0 || signo > LX_NSIG)
		return -LX_EINVAL;
	err = signal_may_send(t, to, signo);
	if (err || signo == 0)
		return err;
	return signal_send_task(to, signo, info);
}

long sys_tkill(struct task *t, const struct tkill_args *a)
{
	struct ksiginfo info;

	if (a->pid <= 0)
		return -LX_EINVAL;
	siginfo_init_user(&info, t, a->sig, LX_SI_TKILL);
	return send_thread(t, 0, a->pid, a->sig, &info);
}

long sys_tgkill(struct task *t, const struct tgkill_args *a)
{
	struct ksiginfo info;

	if (a->pid <= 0 || a->tgid <= 0)
		return -LX_EINVAL;
	siginfo_init_user(&info, t, a->sig, LX_SI_TKILL);
	return send_thread(t, a->tgid, a->pid, a->sig, &info);
}

/* A guest may not claim to be the kernel or kill(2) towards others. */
static int queueinfo_in(struct task *t, struct uaddr from, int signo, bool to_self,
			struct ksiginfo *out)
{
	uint8_t raw[128];
	int err;

	if (copy_in(t, raw, from, sizeof(raw)))
		return -LX_EFAULT;
	err = siginfo_decode(out, raw);
	if (err)
		return err;
	out->signo = signo;
	if ((out->code >= 0 || out->code == LX_SI_TKILL) && !to_self)
		return -LX_EPERM;
	return 0;
}

long sys_rt_sigqueueinfo(struct task *t, const struct rt_sigqueueinfo_args *a)
{
	struct ksiginfo info;
	int err = queueinfo_in(t, a->uinfo, a->sig, a->pid == t->tid, &info);

	return err ? err : send_pid(t, a->pid, a->sig, &info);
}

long sys_rt_tgsigqueueinfo(struct task *t, const struct rt_tgsigqueueinfo_args *a)
{
	struct ksiginfo info;
	int err;

	if (a->pid <= 0 || a->tgid <= 0)
		return -LX_EINVAL;
	err = queueinfo_in(t, a->uinfo, a->sig, a->pid == t->tid, &info);
	return err ? err : send_thread(t, a->tgid, a->pid, a->sig, &info);
}

/* ---- waiting ---- */

long sys_rt_sigsuspend(struct task *t, const struct rt_sigsuspend_args *a)
{
	sigset64 set;

	if (a->sigsetsize != SIGSET_SIZE)
		return -LX_EINVAL;
	if (copy_in(t, &set, a->unewset, sizeof(set)))
		return -LX_EFAULT;
	task_set_temp_sigmask(t, set);
	return task_park(t, LX_ERESTARTNOHAND);
}

long sys_pause(struct task *t, const struct pause_args *a)
{
	(void)a;
	return task_park(t, LX_ERESTARTNOHAND);
}

long sys_rt_sigtimedwait(struct task *t, const struct rt_sigtimedwait_args *a)
{
	struct ksiginfo info;
	uint8_t raw[128];
	sigset64 set;
	int err;
	long r;

	t->sigwait_set = 0;
	if (a->sigsetsize != SIGSET_SIZE)
		return -LX_EINVAL;
	if (copy_in(t, &set, a->uthese, sizeof(set)))
		return -LX_EFAULT;
	set &= ~SIGSET_UNBLOCKABLE;
	err = timeout_start(t, a->uts);
	if (err)
		return err;
	if (signal_dequeue(t, set, &info)) {
		if (a->uinfo.v != 0) {
			siginfo_encode(&info, raw);
			if (copy_out(t, a->uinfo, raw, sizeof(raw)))
				return -LX_EFAULT;
		}
		return info.signo;
	}
	if (timeout_passed(t))
		return -LX_EAGAIN;
	t->sigwait_set = set;
	if (t->restart.has_deadline)
		task_park_until(t, t->restart.deadline);
	r = task_park(t, LX_EINTR);
	if (r != -LX_EPARK)
		t->sigwait_set = 0;
	return r;
}

/* ---- signalfd ---- */

static long do_signalfd(struct task *t, int ufd, struct uaddr mask, uint64_t size,
			uint32_t flags)
{
	AUTO_PUT(file) struct file *f = NULL;
	sigset64 set;
	int err = 0;

	if (size != SIGSET_SIZE || (flags & ~(LX_SFD_CLOEXEC | LX_SFD_NONBLOCK)))
		return -LX_EINVAL;
	if (copy_in(t, &set, mask, sizeof(set)))
		return -LX_EFAULT;
	if (ufd != -1) {
		f = fd_file(t, ufd, &err);
		if (f == NULL)
			return err;
		err = signalfd_set(f, set);
		return err ? err : ufd;
	}
	err = signalfd_open(t, set, flags & LX_SFD_NONBLOCK, &f);
	if (err)
		return err;
	return fdtable_add(t, f, flags & LX_SFD_CLOEXEC ? FD_CLOEXEC_FLAG : 0);
}

long sys_signalfd(struct task *t, const struct signalfd_args *a)
{
	return do_signalfd(t, a->ufd, a->user_mask, a->sizemask, 0);
}

long sys_signalfd4(struct task *t, const struct signalfd4_args *a)
{
	return do_signalfd(t, a->ufd, a->user_mask, a->sizemask, a->flags);
}
