/* wait4(2) and waitid(2): finding a child that has something to report. */
#include <string.h>

#include "sentry/task/pid.h"
#include "sentry/task/process.h"
#include "sentry/task/task_impl.h"
#include "sentry/time/clock.h"
#include "syscalls/abi/lx_resource.h"
#include "syscalls/abi/lx_signal.h"
#include "syscalls/abi/lx_wait.h"

static bool matches(const struct task *t, const struct tgroup *c, const struct wait_req *r)
{
	switch (r->who) {
	case WAIT_ANY:
		break;
	case WAIT_PID:
		if (c->tgid != r->id)
			return false;
		break;
	case WAIT_PGRP:
		if (c->pgid != r->id)
			return false;
		break;
	case WAIT_TGROUP:
		if (c != r->tg)
			return false;
		break;
	}
	if ((r->options & LX___WNOTHREAD) && c->parent_tid != t->tid)
		return false;
	if (r->options & LX___WALL)
		return true;
	return (c->exit_signal != LX_SIGCHLD) == ((r->options & LX___WCLONE) != 0);
}

static void describe(struct tgroup *c, struct wait_result *out)
{
	const struct task *any = c->leader;

	*out = (struct wait_result){
		.pid = c->tgid,
		.uid = any->cred->uid,
	};
	tgroup_usage(c, NULL, &out->used);
	usage_add(&out->used, &c->cused);
}

static bool take_zombie(struct tgroup *parent, struct tgroup *c, const struct wait_req *r,
			struct wait_result *out)
{
	int sig = c->exit_code & 0x7f;

	if (!c->zombie || !(r->options & LX_WEXITED))
		return false;
	describe(c, out);
	out->status = c->exit_code;
	out->code = !sig ? LX_CLD_EXITED
			 : c->exit_code & LX_WCOREFLAG ? LX_CLD_DUMPED : LX_CLD_KILLED;
	out->si_status = sig ? sig : c->exit_code >> 8;
	if (r->options & LX_WNOWAIT)
		return true;
	usage_add(&parent->cused, &out->used);
	tgroup_reap(c);
	return true;
}

static bool take_stopped(struct tgroup *c, const struct wait_req *r, struct wait_result *out)
{
	if (!c->stopped || c->stop_reported || !(r->options & LX_WUNTRACED))
		return false;
	describe(c, out);
	out->status = LX_WSTATUS_STOPPED(c->stop_sig);
	out->code = LX_CLD_STOPPED;
	out->si_status = c->stop_sig;
	if (!(r->options & LX_WNOWAIT))
		c->stop_reported = true;
	return true;
}

static bool take_continued(struct tgroup *c, const struct wait_req *r, struct wait_result *out)
{
	if (!c->continued || !(r->options & LX_WCONTINUED))
		return false;
	describe(c, out);
	out->status = LX_WSTATUS_CONTINUED;
	out->code = LX_CLD_CONTINUED;
	out->si_status = LX_SIGCONT;
	if (!(r->options & LX_WNOWAIT))
		c->continued = false;
	return true;
}

long task_wait(struct task *t, const struct wait_req *r, struct wait_result *out)
{
	struct tgroup *tg = t->tg, *c, *tmp;
	bool any = false;
	int err;

	*out = (struct wait_result){ .pid = 0 };
	list_for_each_safe(c, tmp, &tg->children, sibling) {
		if (!matches(t, c, r))
			continue;
		any = true;
		if (take_zombie(tg, c, r, out) || take_stopped(c, r, out) ||
		    take_continued(c, r, out))
			return 0;
	}
	if (!any)
		return -LX_ECHILD;
	if (r->options & LX_WNOHANG)
		return 0;
	err = task_enrol(t, &tg->child_wait);
	return err ? err : task_park(t, LX_ERESTARTSYS);
}

void rusage_encode(const struct plat_usage *u, struct lx_rusage *ru)
{
	memset(ru, 0, sizeof(*ru));
	ru->utime = ns_timeval((int64_t)u->user_ns);
	ru->stime = ns_timeval((int64_t)u->sys_ns);
	ru->maxrss = (int64_t)u->maxrss_kb;
	ru->minflt = (int64_t)u->minflt;
	ru->majflt = (int64_t)u->majflt;
	ru->nvcsw = (int64_t)u->nvcsw;
	ru->nivcsw = (int64_t)u->nivcsw;
}
