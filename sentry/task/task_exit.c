/* The end of threads and processes: what they held goes, children find a new parent,
 * the parent is told. */
#include "platform/base/bug.h"
#include "platform/base/log.h"
#include "sentry/fs/tty/tty.h"
#include "sentry/ipc/futex.h"
#include "sentry/ipc/sem.h"
#include "sentry/ipc/shm.h"
#include "sentry/seccomp/seccomp.h"
#include "sentry/task/pid.h"
#include "sentry/task/task_impl.h"
#include "sentry/time/posix_timer.h"
#include "sentry/vfs/vfs.h"
#include "syscalls/abi/lx_poll.h"
#include "syscalls/abi/lx_signal.h"
#include "syscalls/abi/lx_time.h"
#include "syscalls/abi/lx_wait.h"

static void process_exit(struct tgroup *tg);

/* ---- asking for it ---- */

void tgroup_kill(struct tgroup *tg, int status)
{
	struct task *t;

	if (!tg->exiting) {
		tg->exiting = true;
		tg->exit_code = status;
	}
	list_for_each(t, &tg->tasks, tg_link) {
		if (!t->killed) {
			t->killed = true;
			t->group_exit_seen = true;
			t->exit_code = tg->exit_code;
		}
		task_interrupt(t);
	}
}

void tgroup_lose(struct tgroup *tg, int status, const char *why)
{
	if (!tg->exiting) {
		log_warn("process %d is ended with signal %d: %s", tg->tgid, status, why);
		tg->ended_by = why;
	}
	tgroup_kill(tg, status);
}

long task_exit(struct task *t, int status)
{
	if (!t->killed)
		t->exit_code = status;
	t->killed = true;
	return -LX_ERAN;
}

long tgroup_exit(struct task *t, int status)
{
	/* Another thread's execve is about to end this one alone. */
	if (t->tg->exec_task && t->tg->exec_task != t && !t->tg->exiting)
		return task_exit(t, 0);
	tgroup_kill(t->tg, status);
	return -LX_ERAN;
}

void kernel_kill_all(struct kernel *k, bool spare_init)
{
	struct tgroup *tg;

	for (int at = 0; (tg = tgroup_next(k, at)) != NULL; tgroup_put(tg)) {
		at = tg->tgid;
		if (spare_init && k->init && tg == k->init->tg)
			continue;
		if (tg->nlive)
			tgroup_kill(tg, LX_SIGKILL);
	}
}

/* ---- children ---- */

static void send_pdeath(struct tgroup *child, const struct tgroup *from)
{
	struct ksiginfo info = { .code = LX_SI_USER, .pid = from->tgid };
	struct task *ct;
	int sig = 0;

	list_for_each(ct, &child->tasks, tg_link)
		if (ct->pdeath_signal)
			sig = ct->pdeath_signal;
	if (!sig)
		return;
	info.signo = sig;
	if (from->leader && from->leader->cred)
		info.uid = from->leader->cred->uid;
	signal_send_group(child, sig, &info);
}

static struct tgroup *find_reaper(struct tgroup *tg)
{
	struct tgroup *init = tg->k->init ? tg->k->init->tg : NULL, *p;

	for (p = tg->parent; p; p = p->parent)
		if (p->subreaper && p->nlive)
			return p;
	return init != tg ? init : NULL;
}

/* Tell the parent that tg is a zombie. True: nobody will wait for it. */
static bool notify_parent(struct tgroup *tg)
{
	struct tgroup *parent = tg->parent;
	const struct ksigaction *act;
	struct ksiginfo info = { .signo = tg->exit_signal, .pid = tg->tgid,
				  .child = true };
	bool autoreap = false;
	int sig = tg->exit_signal;

	if (!parent || !parent->leader)
		return true;
	if (tg->k->init_ending && !parent->nlive)
		return true;
	info.uid = tg->leader->cred->uid;
	info.utime = (int64_t)(tg->used.user_ns / (LX_NSEC_PER_SEC / LX_USER_HZ));
	info.stime = (int64_t)(tg->used.sys_ns / (LX_NSEC_PER_SEC / LX_USER_HZ));
	if (tg->exit_code & 0x7f) {
		info.code = tg->exit_code & LX_WCOREFLAG ? LX_CLD_DUMPED : LX_CLD_KILLED;
		info.status = tg->exit_code & 0x7f;
	} else {
		info.code = LX_CLD_EXITED;
		info.status = tg->exit_code >> 8;
	}
	act = &parent->leader->sighand->act[LX_SIGCHLD];
	if (sig == LX_SIGCHLD && act->handler == LX_SIG_IGN) {
		autoreap = true;
		sig = 0;
	} else if (sig == LX_SIGCHLD && (act->flags & LX_SA_NOCLDWAIT)) {
		autoreap = true;
	}
	if (sig > 0 && sig <= LX_NSIG)
		signal_send_group(parent, sig, &info);
	if (autoreap)
		tg->autoreap = true;
	waitq_wake(&parent->child_wait, LX_POLLIN);
	return autoreap;
}

static void reparent_children(struct tgroup *tg)
{
	struct tgroup *to = find_reaper(tg), *c, *tmp;

	list_for_each_safe(c, tmp, &tg->children, sibling) {
		list_del_init(&c->sibling);
		c->parent = to;
		c->parent_tid = to ? to->tgid : 0;
		c->exit_signal = LX_SIGCHLD;
		if (to)
			list_push_back(&to->children, &c->sibling);
		send_pdeath(c, tg);
		pgrp_check_orphan(c, tg);
		if (c->zombie && notify_parent(c))
			tgroup_reap(c);
	}
}

/* A thread goes while others of its process stay: they inherit its children. */
static void hand_on_children(struct task *t)
{
	struct tgroup *tg = t->tg, *c;
	const struct task *heir = list_first(&tg->tasks, struct task, tg_link);

	list_for_each(c, &tg->children, sibling) {
		if (c->parent_tid != t->tid)
			continue;
		c->parent_tid = heir->tid;
		send_pdeath(c, tg);
	}
}

/* ---- the end of a thread ---- */

void vfork_release(struct task *t)
{
	struct task *p = t->vfork_parent;

	if (!p)
		return;
	t->vfork_parent = NULL;
	p->restart.scratch[1] = 1; /* see vfork_wait() */
	task_ready(p);
	task_put(p);
}

static void exit_robust(struct task *t)
{
	if (t->started && t->mm && t->robust_list)
		futex_exit_robust(t);
	t->robust_list = 0;
}

static void exit_mm(struct task *t)
{
	struct mm *mm = t->mm;
	struct plat_thread *pt = t->pt;
	uint32_t zero = 0;

	t->cpu_end_ns = task_cpu_ns(t);
	if (mm) {
		exit_robust(t);
		if (t->clear_child_tid && mm->users > 1 &&
		    mm_copy_out(mm, t->clear_child_tid, &zero, sizeof(zero)) == 0)
			futex_wake_addr(mm, t->clear_child_tid, 1);
		if (t->tg->nlive == 1)
			tgroup_account_as(t->tg, mm, pt);
		t->mm = NULL;
		if (--mm->users == 0 && mm->as)
			plat_as_kill(mm->as);
	}
	vfork_release(t);
	if (pt) {
		t->pt = NULL;
		t->regs = NULL;
		task_release_pt(t, pt);
	}
	if (mm)
		mm_put(mm);
}

static void exit_files(struct task *t)
{
	task_big_io_end(t);
	if (t->fds)
		fdtable_put(t->fds, t);
	t->fds = NULL;
	if (t->fs)
		fs_ctx_put(t->fs);
	t->fs = NULL;
}

void task_exit_now(struct task *t)
{
	struct tgroup *tg = t->tg;
	struct kernel *k = t->k;
	bool leader = t == tg->leader;

	BUG_ON(t->state == TASK_DEAD);
	if (t->in_kernel || t->aside.due)
		batch_drop(&t->batch);
	t->aside.due = false;
	t->in_kernel = true; /* for the rest of its life */
	strace_gone(t);
	task_unenrol(t);
	if (t->exec)
		task_exec_abort(t);
	if (t->cloning) {
		/* Whether the host made it is not known when the stub is gone. */
		if (t->cloning->state == TASK_NEW)
			clone_failed(t, -LX_EAGAIN);
		else
			clone_settled(t);
	}
	signal_task_exit(t);
	seccomp_task_exit(t);
	keys_task_exit(t);
	exit_mm(t);
	sem_exit(t);
	shm_task_exit(t);
	exit_files(t);

	t->state = TASK_DEAD;
	tg->used.nvcsw += t->nvcsw;
	list_del_init(&t->tg_link);
	tg->nlive--;
	if (!leader)
		pid_del_task(t);
	if (tg->nlive) {
		hand_on_children(t);
		if (tg->exec_task && tg->nlive == 1)
			task_ready(tg->exec_task);
	} else {
		process_exit(tg);
	}
	k->ntasks--;
	if (!leader)
		task_put(t);
	if (k->ntasks == 0)
		pthread_cond_signal(&k->idle);
}

/* ---- the end of a process ---- */

/* Everything of the process is closed: the outside may know. */
static void publish(struct tgroup *tg)
{
	struct session *s = tg->session;

	if (s && s->sid == tg->tgid && s->tty)
		tty_session_end(s);
	pgrp_check_orphan(tg, NULL);
	tg->zombie = true;
	log_debug("process %d ended, status %#x", tg->tgid, (unsigned)tg->exit_code);
	if (tg->on_exit)
		tg->on_exit(tg, tg->on_exit_ctx);
	waitq_wake(&tg->exit_wait, LX_POLLIN | LX_POLLRDNORM);
	if (notify_parent(tg))
		tgroup_reap(tg);
}

static void process_exit(struct tgroup *tg)
{
	struct kernel *k = tg->k;
	bool is_init = k->init && tg == k->init->tg;

	ktimer_cancel(k, &tg->kill_timer);
	if (!tg->exiting)
		tg->exit_code = tg->leader->exit_code;
	tg->exiting = true;
	k->nstopped -= tg->stopped;
	tg->stop_pending = tg->stopped = tg->continued = false;
	posix_timers_free(tg);
	sigqueue_flush(&tg->pending);
	k->pids->nlive--;
	if (is_init) {
		/* As a pid namespace does: the others go first. */
		k->dying = true;
		k->init_ending = true;
		kernel_kill_all(k, true);
		reparent_children(tg);
		if (k->pids->nlive)
			return;
		publish(tg);
		return;
	}
	reparent_children(tg);
	publish(tg);
	if (k->init_ending && k->pids->nlive == 0 && k->init && !k->init->tg->zombie)
		publish(k->init->tg);
}

void tgroup_reap(struct tgroup *tg)
{
	struct task *leader = tg->leader;
	struct kernel *k = tg->k;

	BUG_ON(tg->reaped || tg->nlive);
	tgroup_get(tg);
	tg->reaped = true;
	list_del_init(&tg->sibling);
	tg->parent = NULL;
	tg->leader = NULL;
	if (k->init == leader)
		k->init = NULL;
	pid_del_task(leader);
	pid_del_tgroup(tg);
	waitq_wake(&tg->exit_wait, LX_POLLIN | LX_POLLRDNORM | LX_POLLHUP);
	task_put(leader);
	tgroup_put(tg);
}

/* ---- by force ---- */

static struct task *first_not_in_kernel(struct tgroup *tg)
{
	struct task *t;

	list_for_each(t, &tg->tasks, tg_link)
		if (!t->in_kernel)
			return t;
	return NULL;
}

static void end_by_force(struct tgroup *tg)
{
	struct task *t;

	/* A resume under way may still be ordering a clone. It needs no lock of ours. */
	list_for_each(t, &tg->tasks, tg_link)
		task_wait_unpinned(t);
	t = first_not_in_kernel(tg);
	if (t && t->mm && t->mm->as && !mm_shared_outside(t->mm, tg)) {
		struct task *each;

		/* While there is memory to look at. */
		list_for_each(each, &tg->tasks, tg_link)
			exit_robust(each);
		tgroup_account_as(tg, t->mm, t->pt);
		tg->shares_mm = true; /* accounted for */
		plat_as_kill(t->mm->as);
	}
	for (; t; t = first_not_in_kernel(tg))
		task_exit_now(t);
}

void tgroup_kill_timer(struct ktimer *tm)
{
	struct tgroup *tg = container_of(tm, struct tgroup, kill_timer);

	tgroup_get(tg);
	if (tg->exiting)
		log_warn("process %d does not follow a kick: its stub is killed", tg->tgid);
	tgroup_lose(tg, LX_SIGKILL, "it does not follow a kick");
	end_by_force(tg);
	tgroup_put(tg);
}

void kernel_end_tasks(struct kernel *k)
{
	struct tgroup *tg;

	kernel_kill_all(k, false);
	for (int at = 0; (tg = tgroup_next(k, at)) != NULL; tgroup_put(tg)) {
		at = tg->tgid;
		if (tg->nlive)
			end_by_force(tg);
	}
	for (int at = 0; (tg = tgroup_next(k, at)) != NULL; tgroup_put(tg)) {
		at = tg->tgid;
		if (!tg->nlive && !tg->reaped)
			tgroup_reap(tg);
	}
}
