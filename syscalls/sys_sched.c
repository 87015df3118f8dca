/* Scheduling: affinity works, policies and priorities are checked by Linux's rules and
 * remembered, but the host schedules all guests alike. */
#include <string.h>

#include "platform/base/auto.h"
#include "sentry/fs/proc/hostinfo.h"
#include "sentry/mm/usercopy.h"
#include "sentry/task/task.h"
#include "syscalls/abi/lx_cap.h"
#include "syscalls/abi/lx_mempolicy.h"
#include "syscalls/abi/lx_resource.h"
#include "syscalls/abi/lx_sched.h"
#include "syscalls/syscall_args.h"

#define NICE_MIN (-20)
#define NICE_MAX 19
#define RR_INTERVAL_NS 100000000
#define FAIR_SLICE_NS 0 /* less than a tick of 4 ms */

/* A task by id, 0 for the caller: counted, or NULL. */
static struct task *find(struct task *t, int pid)
{
	if (pid != 0)
		return task_lookup(t->k, pid);
	task_get(t);
	return t;
}

static bool owns(const struct task *t, const struct task *of)
{
	return t->cred->euid == of->cred->euid || t->cred->euid == of->cred->uid;
}

/* ---- nice ---- */

/* May t's nice value become this? RLIMIT_NICE counts 1 (nice 19) to 40 (nice -20). */
static bool can_nice(const struct task *t, const struct task *of, int nice)
{
	uint64_t limit = of->tg->rlim[LX_RLIMIT_NICE].cur;

	return (uint64_t)(20 - nice) <= limit || task_capable(t, LX_CAP_SYS_NICE);
}

static bool prio_selects(const struct task *t, const struct task *of, int which, int who)
{
	switch (which) {
	case LX_PRIO_PROCESS:
		return of->tid == (who != 0 ? who : t->tid);
	case LX_PRIO_PGRP:
		return of->tg->pgid == (who != 0 ? who : t->tg->pgid);
	default:
		return of->cred->uid == (who != 0 ? (uint32_t)who : t->cred->uid);
	}
}

/* Call fn for each thread that (which, who) means. */
static void for_prio(struct task *t, int which, int who,
		     void (*fn)(struct task *t, struct task *of, long *state, int arg),
		     long *state, int arg)
{
	struct tgroup *tg;
	struct task *of;

	for (int at = 0; (tg = tgroup_next(t->k, at)) != NULL; tgroup_put(tg)) {
		at = tg->tgid;
		list_for_each(of, &tg->tasks, tg_link)
			if (prio_selects(t, of, which, who))
				fn(t, of, state, arg);
	}
}

static void highest(struct task *t, struct task *of, long *best, int arg)
{
	(void)t;
	(void)arg;
	if (20 - of->nice > *best)
		*best = 20 - of->nice;
}

long sys_getpriority(struct task *t, const struct getpriority_args *a)
{
	long best = -LX_ESRCH;

	if (a->which < LX_PRIO_PROCESS || a->which > LX_PRIO_USER)
		return -LX_EINVAL;
	for_prio(t, a->which, a->who, highest, &best, 0);
	return best;
}

static void set_nice(struct task *t, struct task *of, long *err, int nice)
{
	if (!owns(t, of) && !task_capable(t, LX_CAP_SYS_NICE)) {
		*err = -LX_EPERM;
	} else if (nice < of->nice && !can_nice(t, of, nice)) {
		*err = -LX_EACCES;
	} else {
		if (*err == -LX_ESRCH)
			*err = 0;
		of->nice = nice;
	}
}

long sys_setpriority(struct task *t, const struct setpriority_args *a)
{
	int nice = a->niceval < NICE_MIN ? NICE_MIN : a->niceval > NICE_MAX ? NICE_MAX : a->niceval;
	long err = -LX_ESRCH;

	if (a->which < LX_PRIO_PROCESS || a->which > LX_PRIO_USER)
		return -LX_EINVAL;
	for_prio(t, a->which, a->who, set_nice, &err, nice);
	return err;
}

/* ---- I/O priorities ---- */

static int ioprio_class(int ioprio)
{
	return ioprio >> LX_IOPRIO_CLASS_SHIFT & LX_IOPRIO_CLASS_MASK;
}

/* What counts for a thread that has none of its own. */
static int ioprio_effective(const struct task *of)
{
	int class = LX_IOPRIO_CLASS_BE;

	if (ioprio_class(of->ioprio) != LX_IOPRIO_CLASS_NONE)
		return of->ioprio;
	if (of->sched_policy == LX_SCHED_IDLE)
		class = LX_IOPRIO_CLASS_IDLE;
	else if (of->sched_policy == LX_SCHED_FIFO || of->sched_policy == LX_SCHED_RR)
		class = LX_IOPRIO_CLASS_RT;
	return class << LX_IOPRIO_CLASS_SHIFT | (of->nice + 20) / 5;
}

static int ioprio_check(const struct task *t, int ioprio)
{
	switch (ioprio_class(ioprio)) {
	case LX_IOPRIO_CLASS_RT:
		return task_capable(t, LX_CAP_SYS_ADMIN) || task_capable(t, LX_CAP_SYS_NICE)
			       ? 0
			       : -LX_EPERM;
	case LX_IOPRIO_CLASS_BE:
	case LX_IOPRIO_CLASS_IDLE:
		return 0;
	case LX_IOPRIO_CLASS_NONE:
		return ioprio & (LX_IOPRIO_NR_LEVELS - 1) ? -LX_EINVAL : 0;
	default:
		return -LX_EINVAL;
	}
}

static int set_ioprio(struct task *t, struct task *of, int ioprio)
{
	if (of->cred->uid != t->cred->euid && of->cred->uid != t->cred->uid &&
	    !task_capable(t, LX_CAP_SYS_NICE))
		return -LX_EPERM;
	of->ioprio = (uint16_t)ioprio;
	return 0;
}

/* Linux stops at the first that may not be changed. */
static void set_ioprio_of(struct task *t, struct task *of, long *result, int ioprio)
{
	if (*result == -LX_ESRCH || *result == 0)
		*result = set_ioprio(t, of, ioprio);
}

static void best_ioprio(struct task *t, struct task *of, long *best, int arg)
{
	int one = ioprio_effective(of);

	(void)t;
	(void)arg;
	if (*best < 0 || one < *best)
		*best = one;
}

static bool ioprio_who(int which)
{
	return which == LX_IOPRIO_WHO_PGRP || which == LX_IOPRIO_WHO_USER;
}

long sys_ioprio_set(struct task *t, const struct ioprio_set_args *a)
{
	AUTO_PUT(task) struct task *of = NULL;
	long r = ioprio_check(t, a->ioprio);

	if (r)
		return r;
	if (a->which == LX_IOPRIO_WHO_PROCESS) {
		of = find(t, a->who);
		return of != NULL ? set_ioprio(t, of, a->ioprio) : -LX_ESRCH;
	}
	if (!ioprio_who(a->which))
		return -LX_EINVAL;
	r = -LX_ESRCH;
	for_prio(t, a->which - LX_IOPRIO_WHO_PROCESS, a->who, set_ioprio_of, &r, a->ioprio);
	return r;
}

long sys_ioprio_get(struct task *t, const struct ioprio_get_args *a)
{
	AUTO_PUT(task) struct task *of = NULL;
	long best = -LX_ESRCH;

	if (a->which == LX_IOPRIO_WHO_PROCESS) {
		of = find(t, a->who);
		return of != NULL ? of->ioprio : -LX_ESRCH;
	}
	if (!ioprio_who(a->which))
		return -LX_EINVAL;
	for_prio(t, a->which - LX_IOPRIO_WHO_PROCESS, a->who, best_ioprio, &best, 0);
	return best;
}

/* ---- policies ---- */

static bool is_rt(int policy)
{
	return policy == LX_SCHED_FIFO || policy == LX_SCHED_RR;
}

static bool policy_known(int policy)
{
	return policy == LX_SCHED_NORMAL || policy == LX_SCHED_BATCH ||
	       policy == LX_SCHED_IDLE || is_rt(policy);
}

/* What Linux allows without CAP_SYS_NICE. */
static bool may_set_policy(const struct task *t, const struct task *of, int policy, int prio,
			   int nice, bool reset_on_fork)
{
	uint64_t limit = of->tg->rlim[LX_RLIMIT_RTPRIO].cur;

	if (task_capable(t, LX_CAP_SYS_NICE))
		return true;
	if (!is_rt(policy) && nice < of->nice && !can_nice(t, of, nice))
		return false;
	if (is_rt(policy)) {
		if (policy != of->sched_policy && limit == 0)
			return false;
		if (prio > of->sched_prio && (uint64_t)prio > limit)
			return false;
	}
	if (of->sched_policy == LX_SCHED_IDLE && policy != LX_SCHED_IDLE &&
	    !can_nice(t, of, of->nice))
		return false;
	return owns(t, of) && (!of->sched_reset_on_fork || reset_on_fork);
}

/* policy -1: as it is. nice matters for the others than FIFO and RR. */
static long set_policy(struct task *t, int pid, int policy, int prio, const int *nice,
		       bool reset_on_fork)
{
	AUTO_PUT(task) struct task *of = find(t, pid);
	int new_nice;

	if (of == NULL)
		return -LX_ESRCH;
	new_nice = nice != NULL ? *nice : of->nice;
	if (policy < 0) {
		policy = of->sched_policy;
		reset_on_fork = of->sched_reset_on_fork;
	}
	if (!policy_known(policy) || prio < 0 || prio >= LX_MAX_RT_PRIO ||
	    is_rt(policy) != (prio != 0))
		return -LX_EINVAL;
	if (!may_set_policy(t, of, policy, prio, new_nice, reset_on_fork))
		return -LX_EPERM;
	of->sched_policy = policy;
	of->sched_prio = prio;
	of->sched_reset_on_fork = reset_on_fork;
	if (!is_rt(policy))
		of->nice = new_nice;
	return 0;
}

long sys_sched_setscheduler(struct task *t, const struct sched_setscheduler_args *a)
{
	struct lx_sched_param p;

	if (a->policy < 0 || a->pid < 0 || a->param.v == 0)
		return -LX_EINVAL;
	if (copy_in(t, &p, a->param, sizeof(p)))
		return -LX_EFAULT;
	return set_policy(t, a->pid, a->policy & ~LX_SCHED_RESET_ON_FORK, p.priority, NULL,
			  a->policy & LX_SCHED_RESET_ON_FORK);
}

long sys_sched_setparam(struct task *t, const struct sched_setparam_args *a)
{
	struct lx_sched_param p;

	if (a->pid < 0 || a->param.v == 0)
		return -LX_EINVAL;
	if (copy_in(t, &p, a->param, sizeof(p)))
		return -LX_EFAULT;
	return set_policy(t, a->pid, -1, p.priority, NULL, false);
}

long sys_sched_getscheduler(struct task *t, const struct sched_getscheduler_args *a)
{
	AUTO_PUT(task) struct task *of = NULL;

	if (a->pid < 0)
		return -LX_EINVAL;
	of = find(t, a->pid);
	if (of == NULL)
		return -LX_ESRCH;
	return of->sched_policy | (of->sched_reset_on_fork ? LX_SCHED_RESET_ON_FORK : 0);
}

long sys_sched_getparam(struct task *t, const struct sched_getparam_args *a)
{
	AUTO_PUT(task) struct task *of = NULL;
	struct lx_sched_param p;

	if (a->pid < 0 || a->param.v == 0)
		return -LX_EINVAL;
	of = find(t, a->pid);
	if (of == NULL)
		return -LX_ESRCH;
	p.priority = of->sched_prio;
	return copy_out(t, a->param, &p, sizeof(p));
}

long sys_sched_setattr(struct task *t, const struct sched_setattr_args *a)
{
	struct lx_sched_attr s;
	uint32_t size;
	int nice;

	if (a->uattr.v == 0 || a->pid < 0 || a->flags != 0)
		return -LX_EINVAL;
	memset(&s, 0, sizeof(s));
	if (copy_in(t, &size, a->uattr, sizeof(size)))
		return -LX_EFAULT;
	if (size == 0)
		size = LX_SCHED_ATTR_SIZE_VER0;
	if (size < LX_SCHED_ATTR_SIZE_VER0 || size > sizeof(s)) {
		size = sizeof(s);
		return copy_out(t, a->uattr, &size, sizeof(size)) ? -LX_EFAULT : -LX_E2BIG;
	}
	if (copy_in(t, &s, a->uattr, size))
		return -LX_EFAULT;
	if ((s.flags & ~(uint64_t)LX_SCHED_FLAG_RESET_ON_FORK) || s.policy > INT32_MAX ||
	    s.priority > INT32_MAX)
		return -LX_EINVAL;
	nice = s.nice < NICE_MIN ? NICE_MIN : s.nice > NICE_MAX ? NICE_MAX : s.nice;
	return set_policy(t, a->pid, (int)s.policy, (int)s.priority, &nice,
			  s.flags & LX_SCHED_FLAG_RESET_ON_FORK);
}

long sys_sched_getattr(struct task *t, const struct sched_getattr_args *a)
{
	AUTO_PUT(task) struct task *of = NULL;
	struct lx_sched_attr s;

	if (a->uattr.v == 0 || a->pid < 0 || a->usize > 4096 ||
	    a->usize < LX_SCHED_ATTR_SIZE_VER0 || a->flags != 0)
		return -LX_EINVAL;
	of = find(t, a->pid);
	if (of == NULL)
		return -LX_ESRCH;
	memset(&s, 0, sizeof(s));
	s.size = a->usize < sizeof(s) ? a->usize : (uint32_t)sizeof(s);
	s.policy = (uint32_t)of->sched_policy;
	s.flags = of->sched_reset_on_fork ? LX_SCHED_FLAG_RESET_ON_FORK : 0;
	if (is_rt(of->sched_policy))
		s.priority = (uint32_t)of->sched_prio;
	else
		s.nice = of->nice;
	return copy_out(t, a->uattr, &s, s.size);
}

long sys_sched_get_priority_max(struct task *t, const struct sched_get_priority_max_args *a)
{
	(void)t;
	if (is_rt(a->policy))
		return LX_MAX_RT_PRIO - 1;
	return policy_known(a->policy) || a->policy == LX_SCHED_DEADLINE ? 0 : -LX_EINVAL;
}

long sys_sched_get_priority_min(struct task *t, const struct sched_get_priority_min_args *a)
{
	(void)t;
	if (is_rt(a->policy))
		return 1;
	return policy_known(a->policy) || a->policy == LX_SCHED_DEADLINE ? 0 : -LX_EINVAL;
}

long sys_sched_rr_get_interval(struct task *t, const struct sched_rr_get_interval_args *a)
{
	AUTO_PUT(task) struct task *of = NULL;
	struct lx_timespec ts = { 0, FAIR_SLICE_NS };

	if (a->pid < 0)
		return -LX_EINVAL;
	of = find(t, a->pid);
	if (of == NULL)
		return -LX_ESRCH;
	if (is_rt(of->sched_policy))
		ts.nsec = of->sched_policy == LX_SCHED_RR ? RR_INTERVAL_NS : 0;
	return copy_out(t, a->interval, &ts, sizeof(ts));
}

/* ---- affinity ---- */

#define MASK_WORDS (sizeof(((struct task *)0)->affinity) / sizeof(uint64_t))
_Static_assert(MASK_WORDS == HOST_MAX_CPUS / 64, "a mask holds every CPU");

/* The guest numbers its CPUs from 0; the host's may have gaps. */
static void to_host_mask(const uint64_t guest[MASK_WORDS], uint64_t host[MASK_WORDS])
{
	const struct host_cpus *h = host_cpus();
	unsigned n = 0;

	memset(host, 0, MASK_WORDS * sizeof(host[0]));
	for (unsigned i = 0; i < HOST_MAX_CPUS; i++) {
		if (!(h->mask[i / 64] >> (i % 64) & 1))
			continue;
		if (guest[n / 64] >> (n % 64) & 1)
			host[i / 64] |= 1ULL << (i % 64);
		n++;
	}
}

static void all_cpus(uint64_t mask[MASK_WORDS])
{
	unsigned n = host_cpus()->count;

	memset(mask, 0, MASK_WORDS * sizeof(mask[0]));
	for (unsigned i = 0; i < n && i < HOST_MAX_CPUS; i++)
		mask[i / 64] |= 1ULL << (i % 64);
}

long sys_sched_setaffinity(struct task *t, const struct sched_setaffinity_args *a)
{
	AUTO_PUT(task) struct task *of = NULL;
	uint64_t mask[MASK_WORDS] = { 0 }, all[MASK_WORDS], host[MASK_WORDS], any = 0;
	int err = 0;

	if (copy_in(t, mask, a->user_mask_ptr, a->len < sizeof(mask) ? a->len : sizeof(mask)))
		return -LX_EFAULT;
	of = find(t, a->pid);
	if (of == NULL)
		return -LX_ESRCH;
	if (!owns(t, of) && !task_capable(t, LX_CAP_SYS_NICE))
		return -LX_EPERM;
	all_cpus(all);
	for (unsigned i = 0; i < MASK_WORDS; i++)
		any |= mask[i] &= all[i];
	if (any == 0)
		return -LX_EINVAL;
	to_host_mask(mask, host);
	if (of->pt != NULL)
		err = plat_thread_set_affinity(of->pt, host, sizeof(host));
	if (err == 0)
		memcpy(of->affinity, mask, sizeof(mask));
	return err;
}

long sys_sched_getaffinity(struct task *t, const struct sched_getaffinity_args *a)
{
	AUTO_PUT(task) struct task *of = NULL;
	uint64_t mask[MASK_WORDS], any = 0;
	unsigned n = host_cpus()->count;
	size_t size = (n + 63) / 64 * 8;

	if ((uint64_t)a->len * 8 < n || a->len % 8 != 0)
		return -LX_EINVAL;
	of = find(t, a->pid);
	if (of == NULL)
		return -LX_ESRCH;
	all_cpus(mask);
	for (unsigned i = 0; i < MASK_WORDS; i++)
		any |= of->affinity[i];
	if (any != 0)
		memcpy(mask, of->affinity, sizeof(mask));
	if (size > a->len)
		size = a->len;
	return copy_out(t, a->user_mask_ptr, mask, size) ? -LX_EFAULT : (long)size;
}
