/* Processes and threads: making, replacing, ending, waiting, and their numbers. */
#include <stdlib.h>
#include <string.h>

#include "platform/base/auto.h"
#include "sentry/fs/proc/proc.h"
#include "sentry/mm/usercopy.h"
#include "sentry/task/pid.h"
#include "sentry/task/pidfd.h"
#include "sentry/task/process.h"
#include "sentry/task/task.h"
#include "sentry/vfs/vfs.h"
#include "syscalls/abi/lx_clone.h"
#include "syscalls/abi/lx_fcntl.h"
#include "syscalls/abi/lx_resource.h"
#include "syscalls/abi/lx_signal.h"
#include "syscalls/abi/lx_wait.h"
#include "syscalls/syscall_args.h"

/* ---- making ---- */

long sys_clone(struct task *t, const struct clone_args *a)
{
	uint64_t flags = (uint32_t)a->clone_flags;
	struct clone_req r = {
		.flags = flags & ~LX_CSIGNAL,
		.exit_signal = (int)(flags & LX_CSIGNAL),
		.stack = a->newsp,
		.tls = a->tls,
		.parent_tid = a->parent_tidptr,
		.child_tid = a->child_tidptr,
		.pidfd = a->parent_tidptr,
	};

	if ((flags & LX_CLONE_PIDFD) && (flags & LX_CLONE_PARENT_SETTID))
		return -LX_EINVAL;
	return task_clone(t, &r);
}

long sys_fork(struct task *t, const struct fork_args *a)
{
	struct clone_req r = { .exit_signal = LX_SIGCHLD };

	(void)a;
	return task_clone(t, &r);
}

long sys_vfork(struct task *t, const struct vfork_args *a)
{
	struct clone_req r = {
		.flags = LX_CLONE_VM | LX_CLONE_VFORK,
		.exit_signal = LX_SIGCHLD,
	};

	(void)a;
	return task_clone(t, &r);
}

static bool all_zero(const uint8_t *p, size_t n)
{
	while (n--)
		if (*p++)
			return false;
	return true;
}

/* copy_struct_from_user(): a longer struct is good if the rest is zero. */
static int copy_clone_args(struct task *t, struct uaddr from, uint64_t size,
			   struct lx_clone_args *ca)
{
	uint8_t buf[4096]; /* a page, the most that Linux takes */

	memset(ca, 0, sizeof(*ca));
	if (size > sizeof(buf))
		return -LX_E2BIG;
	if (size < LX_CLONE_ARGS_SIZE_VER0)
		return -LX_EINVAL;
	if (copy_in(t, buf, from, size))
		return -LX_EFAULT;
	if (size > sizeof(*ca) && !all_zero(buf + sizeof(*ca), size - sizeof(*ca)))
		return -LX_E2BIG;
	memcpy(ca, buf, size < sizeof(*ca) ? size : sizeof(*ca));
	return 0;
}

static int check_clone_args(const struct lx_clone_args *ca)
{
	if (ca->set_tid_size > LX_MAX_PID_NS_LEVEL || !ca->set_tid != !ca->set_tid_size)
		return -LX_EINVAL;
	if ((ca->exit_signal & ~LX_CSIGNAL) || ca->exit_signal > LX_NSIG)
		return -LX_EINVAL;
	/* No cgroup file system, hence no fd of one. */
	if (ca->flags & LX_CLONE_INTO_CGROUP)
		return -LX_EBADF;
	if (ca->flags & ~(LX_CLONE_LEGACY_FLAGS | LX_CLONE_CLEAR_SIGHAND))
		return -LX_EINVAL;
	if (ca->flags & (LX_CLONE_DETACHED | (LX_CSIGNAL & ~LX_CLONE_NEWTIME)))
		return -LX_EINVAL;
	if ((ca->flags & LX_CLONE_SIGHAND) && (ca->flags & LX_CLONE_CLEAR_SIGHAND))
		return -LX_EINVAL;
	if ((ca->flags & (LX_CLONE_THREAD | LX_CLONE_PARENT)) && ca->exit_signal)
		return -LX_EINVAL;
	if (!ca->stack != !ca->stack_size)
		return -LX_EINVAL;
	if (ca->stack &&
	    (ca->stack >= PLAT_GUEST_MAX || ca->stack_size > PLAT_GUEST_MAX - ca->stack))
		return -LX_EINVAL;
	return 0;
}

long sys_clone3(struct task *t, const struct clone3_args *a)
{
	struct lx_clone_args ca;
	struct clone_req r;
	int32_t tid = 0;
	int err = copy_clone_args(t, a->uargs, a->size, &ca);

	if (!err)
		err = check_clone_args(&ca);
	if (err)
		return err;
	if (ca.set_tid_size > 1)
		return -LX_EINVAL; /* there is one pid namespace */
	if (ca.set_tid_size) {
		if (copy_in(t, &tid, (struct uaddr){ ca.set_tid }, sizeof(tid)))
			return -LX_EFAULT;
		if (tid < 1)
			return -LX_EINVAL;
	}
	r = (struct clone_req){
		.flags = ca.flags,
		.exit_signal = (int)ca.exit_signal,
		.stack = ca.stack + ca.stack_size,
		.tls = ca.tls,
		.parent_tid = { ca.parent_tid },
		.child_tid = { ca.child_tid },
		.pidfd = { ca.pidfd },
		.set_tid = tid,
	};
	return task_clone(t, &r);
}

long sys_set_tid_address(struct task *t, const struct set_tid_address_args *a)
{
	t->clear_child_tid = a->tidptr.v;
	return t->tid;
}

/* ---- replacing ---- */

long sys_execve(struct task *t, const struct execve_args *a)
{
	AUTO_FREE char *name = NULL;
	int err = copy_in_path(t, a->filename, &name);

	if (err)
		return err;
	return task_execve(t, LX_AT_FDCWD, name, a->argv, a->envp, 0);
}

long sys_execveat(struct task *t, const struct execveat_args *a)
{
	AUTO_FREE char *name = NULL;
	int err = copy_in_path(t, a->filename, &name);

	if (err)
		return err;
	if (a->flags & ~(LX_AT_EMPTY_PATH | LX_AT_SYMLINK_NOFOLLOW))
		return -LX_EINVAL;
	return task_execve(t, a->fd, name, a->argv, a->envp, a->flags);
}

/* ---- ending and waiting ---- */

long sys_exit(struct task *t, const struct exit_args *a)
{
	return task_exit(t, (a->error_code & 0xff) << 8);
}

long sys_exit_group(struct task *t, const struct exit_group_args *a)
{
	return tgroup_exit(t, (a->error_code & 0xff) << 8);
}

static int put_rusage(struct task *t, struct uaddr to, const struct wait_result *w)
{
	struct lx_rusage ru;

	if (!to.v || !w->pid)
		return 0;
	rusage_encode(&w->used, &ru);
	return copy_out(t, to, &ru, sizeof(ru));
}

long sys_wait4(struct task *t, const struct wait4_args *a)
{
	uint32_t options = (uint32_t)a->options;
	struct wait_req r = { .options = options | LX_WEXITED };
	struct wait_result w;
	int32_t status;
	long err;

	if (options & ~(LX_WNOHANG | LX_WUNTRACED | LX_WCONTINUED | LX___WNOTHREAD |
			LX___WCLONE | LX___WALL))
		return -LX_EINVAL;
	if (a->upid == INT32_MIN)
		return -LX_ESRCH;
	if (a->upid == -1) {
		r.who = WAIT_ANY;
	} else if (a->upid > 0) {
		r.who = WAIT_PID;
		r.id = a->upid;
	} else {
		r.who = WAIT_PGRP;
		r.id = a->upid ? -a->upid : t->tg->pgid;
	}
	err = task_wait(t, &r, &w);
	if (err)
		return err;
	/* As in Linux, the child is gone even if its status cannot be stored. */
	status = w.status;
	if (w.pid && a->stat_addr.v && copy_out(t, a->stat_addr, &status, sizeof(status)))
		return -LX_EFAULT;
	return put_rusage(t, a->ru, &w) ? -LX_EFAULT : w.pid;
}

static int waitid_who(struct task *t, const struct waitid_args *a, struct wait_req *r,
		      struct file **f)
{
	int err;

	switch (a->which) {
	case LX_P_ALL:
		r->who = WAIT_ANY;
		return 0;
	case LX_P_PID:
		r->who = WAIT_PID;
		r->id = a->upid;
		return a->upid > 0 ? 0 : -LX_EINVAL;
	case LX_P_PGID:
		r->who = WAIT_PGRP;
		r->id = a->upid ? a->upid : t->tg->pgid;
		return a->upid >= 0 ? 0 : -LX_EINVAL;
	case LX_P_PIDFD:
		if (a->upid < 0)
			return -LX_EINVAL;
		*f = fd_file(t, a->upid, &err);
		if (!*f)
			return err;
		r->who = WAIT_TGROUP;
		r->tg = pidfd_tgroup(*f);
		return r->tg ? 0 : -LX_EBADF;
	default:
		return -LX_EINVAL;
	}
}

/* Only these words of the siginfo are written, also when there is nothing to tell. */
static int put_wait_info(struct task *t, struct uaddr to, const struct wait_result *w)
{
	struct lx_siginfo si;

	if (!to.v)
		return 0;
	memset(&si, 0, sizeof(si));
	si.signo = w->pid ? LX_SIGCHLD : 0;
	si.code = w->code;
	si.u.chld.pid = w->pid;
	si.u.chld.uid = w->uid;
	si.u.chld.status = w->si_status;
	if (copy_out(t, to, &si, 12))
		return -LX_EFAULT;
	return copy_out(t, uaddr_add(to, 16), &si.u, 12);
}

long sys_waitid(struct task *t, const struct waitid_args *a)
{
	AUTO_PUT(file) struct file *f = NULL;
	uint32_t options = (uint32_t)a->options;
	struct wait_req r = { .options = options };
	struct wait_result w;
	long err;

	if (options & ~(LX_WNOHANG | LX_WNOWAIT | LX_WEXITED | LX_WSTOPPED | LX_WCONTINUED |
			LX___WNOTHREAD | LX___WCLONE | LX___WALL))
		return -LX_EINVAL;
	if (!(options & (LX_WEXITED | LX_WSTOPPED | LX_WCONTINUED)))
		return -LX_EINVAL;
	err = waitid_who(t, a, &r, &f);
	if (err)
		return err;
	if (f && (f->flags & LX_O_NONBLOCK))
		r.options |= LX_WNOHANG;
	err = task_wait(t, &r, &w);
	if (err)
		return err;
	if (!w.pid && f && (f->flags & LX_O_NONBLOCK) && !(options & LX_WNOHANG))
		return -LX_EAGAIN;
	if (put_rusage(t, a->ru, &w))
		return -LX_EFAULT;
	return put_wait_info(t, a->infop, &w);
}

/* ---- numbers ---- */

long sys_getpid(struct task *t, const struct getpid_args *a)
{
	(void)a;
	return t->tg->tgid;
}

long sys_gettid(struct task *t, const struct gettid_args *a)
{
	(void)a;
	return t->tid;
}

long sys_getppid(struct task *t, const struct getppid_args *a)
{
	(void)a;
	return t->tg->parent ? t->tg->parent->tgid : 0;
}

/* The process of a thread id; 0: the caller's. NULL: there is none. */
static struct tgroup *by_tid(struct task *t, int tid)
{
	struct task *of = tid ? task_peek(t->k, tid) : t;

	return of ? of->tg : NULL;
}

long sys_getpgid(struct task *t, const struct getpgid_args *a)
{
	const struct tgroup *tg = by_tid(t, a->pid);

	return tg ? tg->pgid : -LX_ESRCH;
}

long sys_getpgrp(struct task *t, const struct getpgrp_args *a)
{
	(void)a;
	return t->tg->pgid;
}

long sys_getsid(struct task *t, const struct getsid_args *a)
{
	const struct tgroup *tg = by_tid(t, a->pid);

	return tg && tg->session ? tg->session->sid : -LX_ESRCH;
}

long sys_setpgid(struct task *t, const struct setpgid_args *a)
{
	return process_setpgid(t, a->pid, a->pgid);
}

long sys_setsid(struct task *t, const struct setsid_args *a)
{
	(void)a;
	return process_setsid(t);
}

/* ---- pidfds ---- */

long sys_pidfd_open(struct task *t, const struct pidfd_open_args *a)
{
	AUTO_PUT(file) struct file *f = NULL;
	struct tgroup *tg;
	int err;

	if ((uint32_t)a->flags & ~LX_PIDFD_NONBLOCK)
		return -LX_EINVAL;
	if (a->pid <= 0)
		return -LX_EINVAL;
	tg = tgroup_peek(t->k, a->pid);
	if (!tg)
		return task_peek(t->k, a->pid) ? -LX_EINVAL : -LX_ESRCH;
	err = pidfd_new(t->k, tg, (uint32_t)a->flags, &f);
	if (err)
		return err;
	return fdtable_add(t, f, FD_CLOEXEC_FLAG);
}

/* The process behind a pidfd: *f keeps it. */
static int pidfd_of(struct task *t, int fd, struct file **f, struct tgroup **tg)
{
	int err;

	*f = fd_file(t, fd, &err);
	if (!*f)
		return err;
	*tg = pidfd_tgroup(*f);
	return *tg ? 0 : -LX_EBADF;
}

static int pidfd_info(struct task *t, const struct pidfd_send_signal_args *a,
		      const struct tgroup *tg, struct ksiginfo *info)
{
	uint8_t raw[128];

	if (!a->info.v) {
		siginfo_init_user(info, t, a->sig, LX_SI_USER);
		return 0;
	}
	if (copy_in(t, raw, a->info, sizeof(raw)))
		return -LX_EFAULT;
	if (siginfo_decode(info, raw))
		return -LX_E2BIG;
	if (info->signo != a->sig)
		return -LX_EINVAL;
	/* Only to oneself may one pretend to be the kernel, or a tgkill(2). */
	if (t->tg != tg && (info->code >= 0 || info->code == LX_SI_TKILL))
		return -LX_EPERM;
	return 0;
}

static long pidfd_signal_pgrp(struct task *t, const struct tgroup *leader, int sig,
			      const struct ksiginfo *info)
{
	struct list *members = pgrp_members(t->k, leader->tgid);
	struct tgroup *tg, *tmp;
	long err = -LX_ESRCH;

	if (!members)
		return err;
	list_for_each_safe(tg, tmp, members, pgrp_link) {
		long one = tg->leader ? signal_may_send(t, tg->leader, sig) : -LX_ESRCH;

		if (!one && sig)
			signal_send_group(tg, sig, info);
		if (err)
			err = one;
	}
	return err;
}

long sys_pidfd_send_signal(struct task *t, const struct pidfd_send_signal_args *a)
{
	AUTO_PUT(file) struct file *f = NULL;
	struct ksiginfo info;
	struct tgroup *tg = NULL;
	long err;

	if (a->flags & ~(LX_PIDFD_SIGNAL_THREAD | LX_PIDFD_SIGNAL_THREAD_GROUP |
			 LX_PIDFD_SIGNAL_PROCESS_GROUP))
		return -LX_EINVAL;
	if (a->flags & (a->flags - 1))
		return -LX_EINVAL; /* one at most */
	err = pidfd_of(t, a->pidfd, &f, &tg);
	if (err == -LX_EBADF && f) {
		int why;

		/* Older than pidfds: an open /proc/PID. */
		tg = proc_pid_tgroup(f, &why);
		err = tg ? 0 : why;
	}
	if (!err)
		err = pidfd_info(t, a, tg, &info);
	if (err)
		return err;
	if (a->sig < 0 || a->sig > LX_NSIG)
		return -LX_EINVAL;
	if (a->flags & LX_PIDFD_SIGNAL_PROCESS_GROUP)
		return pidfd_signal_pgrp(t, tg, a->sig, &info);
	if (tg->reaped || !tg->leader)
		return -LX_ESRCH;
	err = signal_may_send(t, tg->leader, a->sig);
	if (err || !a->sig)
		return err;
	if (a->flags & LX_PIDFD_SIGNAL_THREAD)
		return signal_send_task(tg->leader, a->sig, &info);
	return signal_send_group(tg, a->sig, &info);
}

long sys_pidfd_getfd(struct task *t, const struct pidfd_getfd_args *a)
{
	AUTO_PUT(file) struct file *pf = NULL;
	AUTO_PUT(file) struct file *f = NULL;
	struct tgroup *tg = NULL;
	long err;

	if (a->flags)
		return -LX_EINVAL;
	err = pidfd_of(t, a->pidfd, &pf, &tg);
	if (err)
		return err;
	if (tg->reaped || !tg->leader || !tg->leader->fds)
		return -LX_ESRCH;
	if (!task_may_access(t, tg->leader))
		return -LX_EPERM;
	f = fdtable_lookup(tg->leader->fds, a->fd);
	if (!f)
		return -LX_EBADF;
	return fdtable_add(t, f, FD_CLOEXEC_FLAG);
}
