/* prctl(2): a table from option to function. What needs a feature that
 * the kernel was built without gives EINVAL, as in Linux. */
#include "syscalls/sys_prctl.h"

#include <string.h>

#include "sentry/cred/cred_change.h"
#include "sentry/mm/mm.h"
#include "sentry/mm/usercopy.h"
#include "sentry/seccomp/seccomp.h"
#include "sentry/task/task.h"
#include "syscalls/abi/lx_cap.h"
#include "syscalls/abi/lx_prctl.h"
#include "syscalls/sys_seccomp.h"

#define TIMER_SLACK_DEFAULT 50000

typedef long (*prctl_fn)(struct task *t, const struct prctl_args *a);

static long put_int(struct task *t, uint64_t to, int32_t v)
{
	return copy_out(t, (struct uaddr){ to }, &v, sizeof(v));
}

static long pr_set_pdeathsig(struct task *t, const struct prctl_args *a)
{
	if (a->arg2 > LX_NSIG)
		return -LX_EINVAL;
	t->pdeath_signal = (int)a->arg2;
	return 0;
}

static long pr_get_pdeathsig(struct task *t, const struct prctl_args *a)
{
	return put_int(t, a->arg2, t->pdeath_signal);
}

static long pr_get_dumpable(struct task *t, const struct prctl_args *a)
{
	(void)a;
	return t->mm->dumpable;
}

static long pr_set_dumpable(struct task *t, const struct prctl_args *a)
{
	if (a->arg2 > 1)
		return -LX_EINVAL;
	t->mm->dumpable = a->arg2 != 0;
	return 0;
}

static long pr_get_keepcaps(struct task *t, const struct prctl_args *a)
{
	(void)a;
	return (t->cred->securebits & LX_SECBIT_KEEP_CAPS) != 0;
}

static long pr_set_keepcaps(struct task *t, const struct prctl_args *a)
{
	return cred_set_keepcaps(t, a->arg2);
}

static long pr_get_timing(struct task *t, const struct prctl_args *a)
{
	(void)t;
	(void)a;
	return LX_PR_TIMING_STATISTICAL;
}

static long pr_set_timing(struct task *t, const struct prctl_args *a)
{
	(void)t;
	return a->arg2 == LX_PR_TIMING_STATISTICAL ? 0 : -LX_EINVAL;
}

static long pr_set_name(struct task *t, const struct prctl_args *a)
{
	char name[sizeof(t->comm)] = "";
	long n = mm_copy_in_partial(t->mm, name, a->arg2, sizeof(name) - 1);

	/* A fault behind the NUL does not count. */
	if (n < 0 || (n < (long)sizeof(name) - 1 && memchr(name, '\0', (size_t)n) == NULL))
		return -LX_EFAULT;
	strncpy(t->comm, name, sizeof(t->comm));
	return 0;
}

static long pr_get_name(struct task *t, const struct prctl_args *a)
{
	char name[sizeof(t->comm)] = "";

	memcpy(name, t->comm, strnlen(t->comm, sizeof(name) - 1));
	return copy_out(t, (struct uaddr){ a->arg2 }, name, sizeof(name));
}

static long pr_get_seccomp(struct task *t, const struct prctl_args *a)
{
	(void)a;
	return t->seccomp_mode;
}

static long pr_set_seccomp(struct task *t, const struct prctl_args *a)
{
	return prctl_set_seccomp(t, a->arg2, a->arg3);
}

static long pr_capbset_read(struct task *t, const struct prctl_args *a)
{
	if (a->arg2 > CAP_LAST)
		return -LX_EINVAL;
	return (t->cred->cap_bset >> a->arg2) & 1;
}

static long pr_capbset_drop(struct task *t, const struct prctl_args *a)
{
	return cred_drop_bset(t, a->arg2);
}

static long pr_get_tsc(struct task *t, const struct prctl_args *a)
{
	return put_int(t, a->arg2, LX_PR_TSC_ENABLE);
}

static long pr_set_tsc(struct task *t, const struct prctl_args *a)
{
	(void)t;
	return a->arg2 == LX_PR_TSC_ENABLE ? 0 : -LX_EINVAL;
}

static long pr_get_securebits(struct task *t, const struct prctl_args *a)
{
	(void)a;
	return t->cred->securebits;
}

static long pr_set_securebits(struct task *t, const struct prctl_args *a)
{
	return cred_set_securebits(t, a->arg2);
}

static long pr_set_timerslack(struct task *t, const struct prctl_args *a)
{
	t->timer_slack_ns = (int64_t)a->arg2 <= 0 ? TIMER_SLACK_DEFAULT : a->arg2;
	return 0;
}

static long pr_get_timerslack(struct task *t, const struct prctl_args *a)
{
	(void)a;
	return t->timer_slack_ns > INT64_MAX ? INT64_MAX : (long)t->timer_slack_ns;
}

/* Without counters there is nothing to switch. */
static long pr_nothing(struct task *t, const struct prctl_args *a)
{
	(void)t;
	(void)a;
	return 0;
}

static long pr_set_subreaper(struct task *t, const struct prctl_args *a)
{
	t->tg->subreaper = a->arg2 != 0;
	return 0;
}

static long pr_get_subreaper(struct task *t, const struct prctl_args *a)
{
	return put_int(t, a->arg2, t->tg->subreaper);
}

static long pr_set_no_new_privs(struct task *t, const struct prctl_args *a)
{
	if (a->arg2 != 1 || !rest_is_zero(a))
		return -LX_EINVAL;
	t->no_new_privs = true;
	return 0;
}

static long pr_get_no_new_privs(struct task *t, const struct prctl_args *a)
{
	if (a->arg2 != 0 || !rest_is_zero(a))
		return -LX_EINVAL;
	return t->no_new_privs;
}

static long pr_get_tid_address(struct task *t, const struct prctl_args *a)
{
	return copy_out(t, (struct uaddr){ a->arg2 }, &t->clear_child_tid,
			sizeof(t->clear_child_tid));
}

static long pr_cap_ambient(struct task *t, const struct prctl_args *a)
{
	return cred_ambient(t, a->arg2, a->arg3, a->arg4, a->arg5);
}

/* Mitigations are the host's: "not affected" for the two that Linux knows here. */
static long pr_get_speculation(struct task *t, const struct prctl_args *a)
{
	(void)t;
	if (!rest_is_zero(a))
		return -LX_EINVAL;
	return a->arg2 <= 1 ? 0 : -LX_ENODEV;
}

static long pr_set_speculation(struct task *t, const struct prctl_args *a)
{
	(void)t;
	if (a->arg4 != 0 || a->arg5 != 0)
		return -LX_EINVAL;
	return a->arg2 <= 1 ? -LX_ENXIO : -LX_ENODEV;
}

static long pr_set_io_flusher(struct task *t, const struct prctl_args *a)
{
	if (!task_capable(t, LX_CAP_SYS_RESOURCE))
		return -LX_EPERM;
	if (!rest_is_zero(a) || a->arg2 > 1)
		return -LX_EINVAL;
	t->io_flusher = a->arg2;
	return 0;
}

static long pr_get_io_flusher(struct task *t, const struct prctl_args *a)
{
	if (!task_capable(t, LX_CAP_SYS_RESOURCE))
		return -LX_EPERM;
	return a->arg2 || !rest_is_zero(a) ? -LX_EINVAL : t->io_flusher;
}

static long pr_mce_kill(struct task *t, const struct prctl_args *a)
{
	if (a->arg4 || a->arg5)
		return -LX_EINVAL;
	switch (a->arg2) {
	case LX_PR_MCE_KILL_CLEAR:
		if (a->arg3)
			return -LX_EINVAL;
		t->mce_policy = LX_PR_MCE_KILL_DEFAULT;
		return 0;
	case LX_PR_MCE_KILL_SET:
		if (a->arg3 > LX_PR_MCE_KILL_DEFAULT)
			return -LX_EINVAL;
		t->mce_policy = (uint8_t)a->arg3;
		return 0;
	default:
		return -LX_EINVAL;
	}
}

static long pr_mce_kill_get(struct task *t, const struct prctl_args *a)
{
	return a->arg2 || !rest_is_zero(a) ? -LX_EINVAL : t->mce_policy;
}

static long pr_user_dispatch(struct task *t, const struct prctl_args *a)
{
	return user_dispatch_set(t, a->arg2, a->arg3, a->arg4, a->arg5);
}

static const struct {
	int option;
	prctl_fn fn;
} options[] = {
	{ LX_PR_SET_PDEATHSIG, pr_set_pdeathsig },
	{ LX_PR_GET_PDEATHSIG, pr_get_pdeathsig },
	{ LX_PR_GET_DUMPABLE, pr_get_dumpable },
	{ LX_PR_SET_DUMPABLE, pr_set_dumpable },
	{ LX_PR_GET_KEEPCAPS, pr_get_keepcaps },
	{ LX_PR_SET_KEEPCAPS, pr_set_keepcaps },
	{ LX_PR_GET_TIMING, pr_get_timing },
	{ LX_PR_SET_TIMING, pr_set_timing },
	{ LX_PR_SET_NAME, pr_set_name },
	{ LX_PR_GET_NAME, pr_get_name },
	{ LX_PR_GET_SECCOMP, pr_get_seccomp },
	{ LX_PR_SET_SECCOMP, pr_set_seccomp },
	{ LX_PR_CAPBSET_READ, pr_capbset_read },
	{ LX_PR_CAPBSET_DROP, pr_capbset_drop },
	{ LX_PR_GET_TSC, pr_get_tsc },
	{ LX_PR_SET_TSC, pr_set_tsc },
	{ LX_PR_GET_SECUREBITS, pr_get_securebits },
	{ LX_PR_SET_SECUREBITS, pr_set_securebits },
	{ LX_PR_SET_TIMERSLACK, pr_set_timerslack },
	{ LX_PR_GET_TIMERSLACK, pr_get_timerslack },
	{ LX_PR_TASK_PERF_EVENTS_DISABLE, pr_nothing },
	{ LX_PR_TASK_PERF_EVENTS_ENABLE, pr_nothing },
	{ LX_PR_SET_MM, pr_set_mm },
	{ LX_PR_SET_CHILD_SUBREAPER, pr_set_subreaper },
	{ LX_PR_GET_CHILD_SUBREAPER, pr_get_subreaper },
	{ LX_PR_SET_NO_NEW_PRIVS, pr_set_no_new_privs },
	{ LX_PR_GET_NO_NEW_PRIVS, pr_get_no_new_privs },
	{ LX_PR_GET_TID_ADDRESS, pr_get_tid_address },
	{ LX_PR_SET_THP_DISABLE, pr_set_thp_disable },
	{ LX_PR_GET_THP_DISABLE, pr_get_thp_disable },
	{ LX_PR_CAP_AMBIENT, pr_cap_ambient },
	{ LX_PR_GET_SPECULATION_CTRL, pr_get_speculation },
	{ LX_PR_SET_SPECULATION_CTRL, pr_set_speculation },
	{ LX_PR_MCE_KILL, pr_mce_kill },
	{ LX_PR_MCE_KILL_GET, pr_mce_kill_get },
	{ LX_PR_SET_IO_FLUSHER, pr_set_io_flusher },
	{ LX_PR_GET_IO_FLUSHER, pr_get_io_flusher },
	{ LX_PR_SET_SYSCALL_USER_DISPATCH, pr_user_dispatch },
	{ LX_PR_SET_MDWE, pr_set_mdwe },
	{ LX_PR_GET_MDWE, pr_get_mdwe },
	{ LX_PR_SET_MEMORY_MERGE, pr_set_memory_merge },
	{ LX_PR_GET_MEMORY_MERGE, pr_get_memory_merge },
	{ LX_PR_GET_AUXV, pr_get_auxv },
	{ LX_PR_SET_VMA, pr_set_vma },
};

long sys_prctl(struct task *t, const struct prctl_args *a)
{
	for (unsigned i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (options[i].option == a->option)
			return options[i].fn(t, a);
	return -LX_EINVAL;
}
