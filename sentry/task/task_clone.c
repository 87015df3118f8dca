/* fork, vfork, clone: a child is made here in full, then the host thread is asked for
 * with the PLAT_CMD_CLONE that ends the parent's call. If the host refuses, the child
 * is undone as if it never was. */
#include <string.h>

#include "platform/base/bug.h"
#include "platform/base/log.h"
#include "sentry/ipc/sem.h"
#include "sentry/seccomp/seccomp.h"
#include "sentry/task/pid.h"
#include "sentry/task/pidfd.h"
#include "sentry/task/process.h"
#include "sentry/task/task_impl.h"
#include "sentry/time/posix_timer.h"
#include "sentry/vfs/vfs.h"
#include "syscalls/abi/lx_cap.h"
#include "syscalls/abi/lx_clone.h"
#include "syscalls/abi/lx_resource.h"
#include "syscalls/abi/lx_sched.h"
#include "syscalls/abi/lx_signal.h"

/* ---- checks, in Linux's order ---- */

static int check_flags(const struct task *t, const struct clone_req *r)
{
	uint64_t f = r->flags;

	if ((f & LX_CLONE_FS) && (f & (LX_CLONE_NEWNS | LX_CLONE_NEWUSER)))
		return -LX_EINVAL;
	if ((f & LX_CLONE_THREAD) && !(f & LX_CLONE_SIGHAND))
		return -LX_EINVAL;
	if ((f & LX_CLONE_SIGHAND) && !(f & LX_CLONE_VM))
		return -LX_EINVAL;
	if ((f & LX_CLONE_PARENT) && t->k->init && t->tg == t->k->init->tg)
		return -LX_EINVAL;
	if ((f & LX_CLONE_THREAD) && (f & (LX_CLONE_NEWUSER | LX_CLONE_NEWPID)))
		return -LX_EINVAL;
	if ((f & LX_CLONE_PIDFD) && (f & (LX_CLONE_DETACHED | LX_CLONE_THREAD)))
		return -LX_EINVAL;
	if (f & LX_CLONE_NAMESPACES)
		return -LX_EPERM;
	if ((f & LX_CLONE_SETTLS) && r->tls >= PLAT_GUEST_MAX)
		return -LX_EPERM;
	return 0;
}

static uint64_t count_user_tasks(struct kernel *k, uint32_t uid)
{
	struct tgroup *tg;
	uint64_t n = 0;

	for (int at = 0; (tg = tgroup_next(k, at)) != NULL; tgroup_put(tg)) {
		const struct task *t;

		at = tg->tgid;
		list_for_each(t, &tg->tasks, tg_link)
			n += t->cred->uid == uid;
	}
	return n;
}

static int check_limits(const struct task *t)
{
	uint64_t limit = rlimit_cur(t, LX_RLIMIT_NPROC);
	struct kernel *k = t->k;

	if (k->dying)
		return -LX_ENOMEM; /* the pid namespace is coming down */
	/* Only with many tasks is it worth counting. */
	if (k->ntasks >= limit && t->cred->uid != 0 && !task_capable(t, LX_CAP_SYS_RESOURCE) &&
	    !task_capable(t, LX_CAP_SYS_ADMIN) && count_user_tasks(k, t->cred->uid) >= limit)
		return -LX_EAGAIN;
	return k->ntasks >= k->max_tasks ? -LX_EAGAIN : 0;
}

static int check_set_tid(const struct task *t, int want)
{
	if (!want)
		return 0;
	if (want < 0 || want >= PID_MAX)
		return -LX_EINVAL;
	if (!task_capable(t, LX_CAP_SYS_ADMIN) && !task_capable(t, LX_CAP_CHECKPOINT_RESTORE))
		return -LX_EPERM;
	return 0;
}

/* ---- the child's parts ---- */

static struct tgroup *new_tgroup(struct task *t, const struct clone_req *r)
{
	struct tgroup *old = t->tg, *tg = tgroup_alloc(t->k);

	if (!tg)
		return NULL;
	memcpy(tg->rlim, old->rlim, sizeof(tg->rlim));
	tg->oom_score_adj = old->oom_score_adj;
	tg->exit_signal = r->flags & LX_CLONE_PARENT ? old->exit_signal : r->exit_signal;
	tg->shares_mm = r->flags & LX_CLONE_VM;
	return tg;
}

static void copy_plain(struct task *c, const struct task *t, const struct clone_req *r)
{
	memcpy(c->comm, t->comm, sizeof(c->comm));
	c->sigmask = t->restore_sigmask ? t->saved_sigmask : t->sigmask;
	if (!(r->flags & LX_CLONE_VM) || (r->flags & LX_CLONE_VFORK))
		c->altstack = t->altstack;
	else
		c->altstack.flags = LX_SS_DISABLE;
	c->nice = t->nice;
	c->ioprio = t->ioprio;
	c->mempolicy = t->mempolicy;
	c->mempolicy_nodes = t->mempolicy_nodes;
	c->sched_policy = t->sched_policy;
	c->sched_prio = t->sched_prio;
	if (t->sched_reset_on_fork) {
		c->sched_policy = LX_SCHED_NORMAL;
		c->sched_prio = 0;
		c->nice = t->nice < 0 ? 0 : t->nice;
	}
	c->personality = t->personality;
	c->no_new_privs = t->no_new_privs;
	seccomp_clone(c, t);
	keys_clone(c, t, r->flags & LX_CLONE_THREAD);
	c->keepcaps = t->keepcaps;
	c->timer_slack_ns = t->timer_slack_ns;
	c->io_flusher = t->io_flusher;
	c->mce_policy = t->mce_policy;
	memcpy(c->affinity, t->affinity, sizeof(c->affinity));
	c->fs_base = r->flags & LX_CLONE_SETTLS ? r->tls : t->fs_base;
	c->gs_base = t->gs_base;

	c->start_regs = *task_regs(t);
	c->start_regs.rax = 0;
	if (r->stack)
		c->start_regs.rsp = r->stack;
	c->set_child_tid = r->flags & LX_CLONE_CHILD_SETTID ? r->child_tid.v : 0;
	c->clear_child_tid = r->flags & LX_CLONE_CHILD_CLEARTID ? r->child_tid.v : 0;
}

static int copy_sighand(struct task *c, struct task *t, uint64_t flags)
{
	if (flags & LX_CLONE_SIGHAND) {
		sighand_get(t->sighand);
		c->sighand = t->sighand;
		return 0;
	}
	c->sighand = sighand_dup(t->sighand);
	if (!c->sighand)
		return -LX_ENOMEM;
	if (!(flags & LX_CLONE_CLEAR_SIGHAND))
		return 0;
	/* Handlers become default, what is ignored stays ignored: as for execve. */
	sighand_exec(c->sighand);
	return 0;
}

static int copy_shared(struct task *c, struct task *t, uint64_t flags)
{
	cred_get(t->cred);
	c->cred = t->cred;
	if (flags & LX_CLONE_FILES) {
		fdtable_get(t->fds);
		c->fds = t->fds;
	} else {
		c->fds = fdtable_dup(t->fds);
	}
	if (flags & LX_CLONE_FS) {
		fs_ctx_get(t->fs);
		c->fs = t->fs;
	} else {
		c->fs = fs_ctx_dup(t->fs);
	}
	if (!c->fds || !c->fs || sem_clone(c, t, flags & LX_CLONE_SYSVSEM))
		return -LX_ENOMEM;
	return copy_sighand(c, t, flags);
}

/* The host thread to be and, for a fork, its address space. */
static int copy_mm(struct task *c, struct task *t, const struct clone_req *r)
{
	struct plat_clone how = {
		.share_as = r->flags & LX_CLONE_VM,
		.set_tls = r->flags & LX_CLONE_SETTLS,
		.tls = r->tls,
	};
	struct plat_as *as = NULL;
	int err;

	task_get(c); /* the platform's */
	err = plat_thread_new(t->pt, &how, c, &c->pt, &as);
	if (err) {
		c->pt = NULL;
		task_put(c);
		return err == -LX_EAGAIN ? err : -LX_ENOMEM;
	}
	if (r->flags & LX_CLONE_THREAD) {
		t->tg->had_threads = true;
		if (t->tg->note_cpu)
			plat_thread_note(c->pt, PLAT_NOTE_CPU);
	}
	if (how.share_as) {
		mm_get(t->mm);
		c->mm = t->mm;
	} else {
		c->mm = mm_fork(t->mm, as);
		if (!c->mm) {
			plat_as_put(as);
			return -LX_ENOMEM;
		}
	}
	c->mm->users++;
	return 0;
}

/* ---- entering and undoing ---- */

static void enter_tgroup(struct tgroup *tg, struct task *t, const struct clone_req *r)
{
	struct tgroup *old = t->tg;
	struct tgroup *parent = r->flags & LX_CLONE_PARENT ? old->parent : old;

	pid_add_tgroup(tg);
	tgroup_set_pgid(tg, old->pgid);
	tgroup_set_session(tg, old->session);
	tg->parent = parent;
	tg->parent_tid = r->flags & LX_CLONE_PARENT ? old->parent_tid : t->tid;
	if (parent)
		list_push_back(&parent->children, &tg->sibling);
	if (tg->rlim[LX_RLIMIT_CPU].cur != LX_RLIM_INFINITY)
		rlimit_cpu_changed(tg);
	t->k->pids->nlive++;
}

static void enter(struct task *c, struct task *t, const struct clone_req *r)
{
	struct tgroup *tg = c->tg;

	if (tg != t->tg) {
		tg->tgid = c->tid;
		tg->leader = c;
		enter_tgroup(tg, t, r);
		tgroup_put(tg); /* the one of tgroup_alloc(): table and task have theirs */
	}
	pid_add_task(c);
	list_push_back(&tg->tasks, &c->tg_link);
	tg->nlive++;
	t->k->ntasks++;
	t->k->total_forks++;
}

/* Give back what copy_*() took. c was not entered, or is no longer. */
static void drop_parts(struct task *c, struct task *t)
{
	struct plat_thread *pt = c->pt;

	seccomp_task_exit(c);
	keys_task_exit(c);
	vfork_release(c);
	if (c->mm) {
		c->mm->users--;
		if (c->mm->users == 0 && c->mm->as)
			plat_as_kill(c->mm->as);
	}
	if (pt) {
		c->pt = NULL;
		task_release_pt(c, pt);
	}
	if (c->mm)
		mm_put(c->mm);
	c->mm = NULL;
	if (c->fds)
		fdtable_put(c->fds, t);
	c->fds = NULL;
	if (c->fs)
		fs_ctx_put(c->fs);
	c->fs = NULL;
	sem_exit(c);
	c->state = TASK_DEAD;
}

static void undo(struct task *c, struct task *t)
{
	struct tgroup *tg = c->tg;
	struct kernel *k = c->k;

	task_get(c);
	sigqueue_flush(&c->pending);
	list_del_init(&c->tg_link);
	tg->nlive--;
	k->ntasks--;
	drop_parts(c, t);
	pid_del_task(c);
	if (tg->leader == c) {
		ktimer_cancel(k, &tg->kill_timer);
		posix_timers_free(tg);
		sigqueue_flush(&tg->pending);
		list_del_init(&tg->sibling);
		tg->parent = NULL;
		tg->leader = NULL;
		tg->reaped = true;
		k->pids->nlive--;
		pid_del_tgroup(tg);
	}
	task_put(c);
	task_put(c); /* the task's own */
}

void clone_settled(struct task *t)
{
	task_put(t->cloning);
	t->cloning = NULL;
	t->cloning_pidfd = -1;
}

long clone_failed(struct task *t, int error)
{
	static bool said; /* under the kernel lock; guests can have many refused */
	struct task *c = t->cloning;

	if (!said && !t->killed)
		log_warn("process %d: a clone failed: error %d; no more of these are reported",
			 t->tg->tgid, -error);
	said |= !t->killed;
	if (t->cloning_pidfd >= 0 && t->fds)
		fdtable_close(t, t->cloning_pidfd);
	if (c->state == TASK_NEW && !c->started)
		undo(c, t);
	clone_settled(t);
	return error == -LX_ENOMEM ? error : -LX_EAGAIN;
}

/* ---- vfork ---- */

/* Runs instead of the handler until the child lets go: not to be interrupted but by
 * death, as in Linux. scratch: the child's id; set when it is done. */
static long vfork_wait(struct task *t)
{
	return t->restart.scratch[1] ? (long)t->restart.scratch[0] : -LX_EPARK;
}

static void vfork_cloned(struct task *t)
{
	t->call_fn = vfork_wait;
}

/* ---- the call ---- */

static int build(struct task *t, const struct clone_req *r, struct task **out)
{
	bool thread = r->flags & LX_CLONE_THREAD;
	struct tgroup *tg = t->tg;
	struct task *c;
	int err;

	if (thread)
		tgroup_get(tg);
	else
		tg = new_tgroup(t, r);
	if (!tg)
		return -LX_ENOMEM;
	c = task_alloc(t->k, tg);
	if (!c) {
		tgroup_put(tg);
		return -LX_ENOMEM;
	}
	copy_plain(c, t, r);
	err = copy_shared(c, t, r->flags);
	if (!err)
		err = copy_mm(c, t, r);
	if (!err) {
		err = pid_alloc(t->k, r->set_tid);
		if (err > 0) {
			c->tid = err;
			err = 0;
		}
	}
	if (thread || err)
		tgroup_put(tg); /* else enter() drops it */
	if (err) {
		drop_parts(c, t);
		task_put(c);
		return err;
	}
	*out = c;
	return 0;
}

/* Tell the parent what it asked for. */
static int report(struct task *t, struct task *c, const struct clone_req *r)
{
	AUTO_PUT(file) struct file *f = NULL;
	int fd, err;

	if (r->flags & LX_CLONE_PIDFD) {
		err = pidfd_new(t->k, c->tg, 0, &f);
		if (err)
			return err;
		fd = fdtable_add(t, f, FD_CLOEXEC_FLAG);
		if (fd < 0)
			return fd;
		t->cloning_pidfd = fd;
		if (copy_out(t, r->pidfd, &fd, sizeof(fd)))
			return -LX_EFAULT;
	}
	/* A bad address is no error here, as in Linux. */
	if ((r->flags & LX_CLONE_PARENT_SETTID) &&
	    copy_out(t, r->parent_tid, &c->tid, sizeof(c->tid)))
		return 0;
	return 0;
}

long task_clone(struct task *t, const struct clone_req *r)
{
	struct plat_cmd cmd = { .op = PLAT_CMD_CLONE, .fd = -1 };
	struct task *c;
	int err;

	err = check_flags(t, r);
	if (err)
		return err;
	/* A signal for a whole group must not miss a child that is being made. */
	if (signal_pending(t))
		return -LX_ERESTARTNOINTR;
	err = check_limits(t);
	if (!err)
		err = check_set_tid(t, r->set_tid);
	if (!err)
		err = build(t, r, &c);
	if (err)
		return err;
	enter(c, t, r);
	task_get(c);
	t->cloning = c;
	t->cloning_pidfd = -1;
	err = report(t, c, r);
	if (err) {
		clone_failed(t, err);
		return err;
	}
	cmd.child = c->pt;
	BUG_ON(!plat_batch_add(&t->batch, cmd));
	if (r->flags & LX_CLONE_VFORK) {
		task_get(t);
		c->vfork_parent = t;
		t->restart.scratch[0] = (uint64_t)c->tid;
		t->restart.scratch[1] = 0;
		t->kick_fn = vfork_cloned;
	}
	return c->tid;
}
