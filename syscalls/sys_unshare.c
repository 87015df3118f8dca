/* unshare(2), setns(2), kcmp(2): what processes share. There is one namespace of each kind:
 * none can be made, and to enter the one there is changes nothing. */
#include "sentry/fs/proc/proc.h"
#include "sentry/ipc/sem.h"
#include "sentry/mm/mm.h"
#include "sentry/task/pid.h"
#include "sentry/task/pidfd.h"
#include "sentry/task/process.h"
#include "sentry/task/task.h"
#include "sentry/vfs/file_io.h"
#include "sentry/vfs/vfs.h"
#include "syscalls/abi/lx_cap.h"
#include "syscalls/abi/lx_clone.h"
#include "syscalls/abi/lx_kcmp.h"
#include "syscalls/syscall_args.h"

#define UNSHARE_FLAGS                                                                      \
	(LX_CLONE_THREAD | LX_CLONE_FS | LX_CLONE_SIGHAND | LX_CLONE_VM | LX_CLONE_FILES | \
	 LX_CLONE_SYSVSEM | LX_CLONE_NAMESPACES)

/* What is implied by what, then check_unshare_flags(): a process with one thread, which
 * shares nothing, may ask for more than can be done. */
static int check_unshare(const struct task *t, uint64_t flags)
{
	if (flags & LX_CLONE_NEWUSER)
		flags |= LX_CLONE_THREAD | LX_CLONE_FS;
	if (flags & LX_CLONE_VM)
		flags |= LX_CLONE_SIGHAND;
	if (flags & LX_CLONE_SIGHAND)
		flags |= LX_CLONE_THREAD;
	if (flags & ~UNSHARE_FLAGS)
		return -LX_EINVAL;
	if ((flags & LX_CLONE_THREAD) && t->tg->nlive > 1)
		return -LX_EINVAL;
	if ((flags & LX_CLONE_SIGHAND) && refs_count(&t->sighand->refs) > 1)
		return -LX_EINVAL;
	if ((flags & LX_CLONE_VM) && t->mm->users > 1)
		return -LX_EINVAL;
	return flags & LX_CLONE_NAMESPACES ? -LX_EPERM : 0;
}

long sys_unshare(struct task *t, const struct unshare_args *a)
{
	struct fdtable *fds = NULL;
	struct fs_ctx *fs = NULL;
	uint64_t flags = a->unshare_flags;
	int err = check_unshare(t, flags);

	if (err)
		return err;
	if ((flags & LX_CLONE_FS) && refs_count(&t->fs->refs) > 1) {
		fs = fs_ctx_dup(t->fs);
		if (!fs)
			return -LX_ENOMEM;
	}
	if ((flags & LX_CLONE_FILES) && fdtable_is_shared(t->fds)) {
		fds = fdtable_dup(t->fds);
		if (!fds) {
			if (fs)
				fs_ctx_put(fs);
			return -LX_ENOMEM;
		}
	}
	if (fs) {
		fs_ctx_put(t->fs);
		t->fs = fs;
	}
	if (fds) {
		fdtable_put(t->fds, t);
		t->fds = fds;
	}
	if (flags & LX_CLONE_SYSVSEM)
		sem_exit(t);
	return 0;
}

/* ---- setns ---- */

long sys_setns(struct task *t, const struct setns_args *a)
{
	AUTO_PUT(file) struct file *f = NULL;
	uint64_t kind, flags = a->flags;
	int err;

	f = fd_file(t, a->fd, &err);
	if (!f)
		return err;
	kind = proc_ns_kind(f);
	if (kind) {
		if (flags && flags != kind)
			return -LX_EINVAL;
		flags = kind;
	} else if (!pidfd_tgroup(f) || !flags || (flags & ~LX_CLONE_NAMESPACES)) {
		return -LX_EINVAL;
	} else if (pidfd_tgroup(f)->reaped) {
		return -LX_ESRCH;
	}
	/* Nobody may enter the user namespace he is in already. */
	if (flags & LX_CLONE_NEWUSER)
		return -LX_EINVAL;
	return task_capable(t, LX_CAP_SYS_ADMIN) ? 0 : -LX_EPERM;
}

/* ---- kcmp ---- */

/* Order without telling addresses: each kind of object has its own two random words. */
static long compare(const void *a, const void *b, int type)
{
	static uint64_t cookies[LX_KCMP_TYPES][2];
	uint64_t *c = cookies[type], x, y;

	if (!c[1]) {
		krandom(c, sizeof(cookies[0]));
		c[1] |= 1;
	}
	x = ((uint64_t)(uintptr_t)a ^ c[0]) * c[1];
	y = ((uint64_t)(uintptr_t)b ^ c[0]) * c[1];
	return x == y ? 0 : x < y ? 1 : 2;
}

static long compare_files(struct task *t1, struct task *t2, uint64_t fd1, uint64_t fd2)
{
	AUTO_PUT(file) struct file *f1 = NULL;
	AUTO_PUT(file) struct file *f2 = NULL;

	f1 = t1->fds ? fdtable_lookup(t1->fds, (int)fd1) : NULL;
	f2 = t2->fds ? fdtable_lookup(t2->fds, (int)fd2) : NULL;
	return f1 && f2 ? compare(f1, f2, LX_KCMP_FILE) : -LX_EBADF;
}

long sys_kcmp(struct task *t, const struct kcmp_args *a)
{
	struct task *t1 = task_peek(t->k, a->pid1), *t2 = task_peek(t->k, a->pid2);

	if (!t1 || !t2)
		return -LX_ESRCH;
	if (!task_may_access(t, t1) || !task_may_access(t, t2))
		return -LX_EPERM;
	switch (a->type) {
	case LX_KCMP_FILE:
		return compare_files(t1, t2, a->idx1, a->idx2);
	case LX_KCMP_VM:
		return compare(t1->mm, t2->mm, a->type);
	case LX_KCMP_FILES:
		return compare(t1->fds, t2->fds, a->type);
	case LX_KCMP_FS:
		return compare(t1->fs, t2->fs, a->type);
	case LX_KCMP_SIGHAND:
		return compare(t1->sighand, t2->sighand, a->type);
	case LX_KCMP_IO: /* no I/O contexts: all have the same, none */
		return 0;
	case LX_KCMP_SYSVSEM:
		return compare(t1->sem_undo, t2->sem_undo, a->type);
	case LX_KCMP_EPOLL_TFD:
		return -LX_EOPNOTSUPP;
	default:
		return -LX_EINVAL;
	}
}
