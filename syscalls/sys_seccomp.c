/* seccomp(2), and what prctl(2) does of it: arguments; the rest is sentry/seccomp. */
#include "syscalls/sys_seccomp.h"

#include <stdlib.h>

#include "platform/base/auto.h"
#include "sentry/mm/usercopy.h"
#include "sentry/seccomp/seccomp.h"
#include "sentry/task/task.h"
#include "syscalls/syscall_args.h"

#define FILTER_FLAGS                                                                        \
	(LX_SECCOMP_FILTER_FLAG_TSYNC | LX_SECCOMP_FILTER_FLAG_LOG |                        \
	 LX_SECCOMP_FILTER_FLAG_SPEC_ALLOW | LX_SECCOMP_FILTER_FLAG_NEW_LISTENER |          \
	 LX_SECCOMP_FILTER_FLAG_TSYNC_ESRCH | LX_SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV)

static int check_flags(uint32_t f)
{
	const uint32_t both =
		LX_SECCOMP_FILTER_FLAG_TSYNC | LX_SECCOMP_FILTER_FLAG_NEW_LISTENER;

	if (f & ~FILTER_FLAGS)
		return -LX_EINVAL;
	/* A thread's id and an fd cannot be told apart. */
	if ((f & both) == both && !(f & LX_SECCOMP_FILTER_FLAG_TSYNC_ESRCH))
		return -LX_EINVAL;
	if ((f & LX_SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV) &&
	    !(f & LX_SECCOMP_FILTER_FLAG_NEW_LISTENER))
		return -LX_EINVAL;
	return 0;
}

static long set_filter(struct task *t, uint32_t flags, struct uaddr from)
{
	AUTO_FREE struct lx_sock_filter *prog = NULL;
	struct lx_sock_fprog fp;
	int err = check_flags(flags);

	if (err)
		return err;
	if (copy_in(t, &fp, from, sizeof(fp)))
		return -LX_EFAULT;
	if (fp.len == 0 || fp.len > LX_BPF_MAXINSNS)
		return -LX_EINVAL;
	if (!seccomp_may_filter(t))
		return -LX_EACCES;
	if (fp.filter == 0)
		return -LX_EINVAL;
	prog = malloc(fp.len * sizeof(*prog));
	if (!prog)
		return -LX_ENOMEM;
	if (copy_in(t, prog, (struct uaddr){ fp.filter }, fp.len * sizeof(*prog)))
		return -LX_EFAULT;
	return seccomp_set_filter(t, flags, prog, fp.len);
}

static long action_avail(struct task *t, struct uaddr from)
{
	uint32_t action;

	if (copy_in(t, &action, from, sizeof(action)))
		return -LX_EFAULT;
	switch (action) {
	case LX_SECCOMP_RET_KILL_PROCESS:
	case LX_SECCOMP_RET_KILL_THREAD:
	case LX_SECCOMP_RET_TRAP:
	case LX_SECCOMP_RET_ERRNO:
	case LX_SECCOMP_RET_USER_NOTIF:
	case LX_SECCOMP_RET_TRACE:
	case LX_SECCOMP_RET_LOG:
	case LX_SECCOMP_RET_ALLOW:
		return 0;
	default:
		return -LX_EOPNOTSUPP;
	}
}

long sys_seccomp(struct task *t, const struct seccomp_args *a)
{
	const struct lx_seccomp_notif_sizes sizes = {
		.notif = sizeof(struct lx_seccomp_notif),
		.notif_resp = sizeof(struct lx_seccomp_notif_resp),
		.data = sizeof(struct lx_seccomp_data),
	};

	switch (a->op) {
	case LX_SECCOMP_SET_MODE_STRICT:
		if (a->flags || a->uargs.v)
			return -LX_EINVAL;
		return seccomp_set_strict(t);
	case LX_SECCOMP_SET_MODE_FILTER:
		return set_filter(t, a->flags, a->uargs);
	case LX_SECCOMP_GET_ACTION_AVAIL:
		return a->flags ? -LX_EINVAL : action_avail(t, a->uargs);
	case LX_SECCOMP_GET_NOTIF_SIZES:
		if (a->flags)
			return -LX_EINVAL;
		return copy_out(t, a->uargs, &sizes, sizeof(sizes));
	default:
		return -LX_EINVAL;
	}
}

long prctl_set_seccomp(struct task *t, uint64_t mode, uint64_t filter)
{
	switch (mode) {
	case LX_SECCOMP_MODE_STRICT:
		return seccomp_set_strict(t);
	case LX_SECCOMP_MODE_FILTER:
		return set_filter(t, 0, (struct uaddr){ filter });
	default:
		return -LX_EINVAL;
	}
}
