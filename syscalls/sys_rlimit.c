/* Resource limits. They belong to the process; who enforces one reads tg->rlim. */
#include "platform/base/auto.h"
#include "sentry/fs/proc/proc.h"
#include "sentry/mm/usercopy.h"
#include "sentry/task/task.h"
#include "sentry/time/posix_timer.h"
#include "syscalls/abi/lx_cap.h"
#include "syscalls/abi/lx_resource.h"
#include "syscalls/syscall_args.h"

static long set_limit(struct task *t, struct tgroup *tg, uint32_t resource,
		      const struct lx_rlimit *new)
{
	struct krlimit *l = &tg->rlim[resource];

	if (new->cur > new->max)
		return -LX_EINVAL;
	if (resource == LX_RLIMIT_NOFILE && new->max > (uint64_t)sysctl_get(t->k, SYSCTL_NR_OPEN))
		return -LX_EPERM;
	if (new->max > l->max && !task_capable(t, LX_CAP_SYS_RESOURCE))
		return -LX_EPERM;
	l->cur = new->cur;
	l->max = new->max;
	if (resource == LX_RLIMIT_CPU)
		rlimit_cpu_changed(tg);
	return 0;
}

/* Another process's limits: the same user in every respect, or privileged. */
static bool may_prlimit(const struct task *t, const struct task *to)
{
	const struct cred *c = t->cred, *o = to->cred;

	if (t->tg == to->tg)
		return true;
	if (c->uid == o->euid && c->uid == o->suid && c->uid == o->uid && c->gid == o->egid &&
	    c->gid == o->sgid && c->gid == o->gid)
		return true;
	return task_capable(t, LX_CAP_SYS_RESOURCE);
}

static long get_limit(struct task *t, struct tgroup *tg, uint32_t resource, struct uaddr to)
{
	const struct lx_rlimit out = { tg->rlim[resource].cur, tg->rlim[resource].max };

	return copy_out(t, to, &out, sizeof(out));
}

long sys_getrlimit(struct task *t, const struct getrlimit_args *a)
{
	if (a->resource >= LX_RLIM_NLIMITS)
		return -LX_EINVAL;
	return get_limit(t, t->tg, a->resource, a->rlim);
}

long sys_setrlimit(struct task *t, const struct setrlimit_args *a)
{
	struct lx_rlimit new;

	if (copy_in(t, &new, a->rlim, sizeof(new)))
		return -LX_EFAULT;
	if (a->resource >= LX_RLIM_NLIMITS)
		return -LX_EINVAL;
	return set_limit(t, t->tg, a->resource, &new);
}

long sys_prlimit64(struct task *t, const struct prlimit64_args *a)
{
	AUTO_PUT(task) struct task *to = NULL;
	struct lx_rlimit new, old;
	long err;

	if (a->new_rlim.v != 0 && copy_in(t, &new, a->new_rlim, sizeof(new)))
		return -LX_EFAULT;
	if (a->pid != 0) {
		to = task_lookup(t->k, a->pid);
	} else {
		to = t;
		task_get(t);
	}
	if (to == NULL)
		return -LX_ESRCH;
	if (!may_prlimit(t, to))
		return -LX_EPERM;
	if (a->resource >= LX_RLIM_NLIMITS)
		return -LX_EINVAL;
	old = (struct lx_rlimit){ to->tg->rlim[a->resource].cur, to->tg->rlim[a->resource].max };
	if (a->new_rlim.v != 0) {
		err = set_limit(t, to->tg, a->resource, &new);
		if (err)
			return err;
	}
	return a->old_rlim.v != 0 ? copy_out(t, a->old_rlim, &old, sizeof(old)) : 0;
}
