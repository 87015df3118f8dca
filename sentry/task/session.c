/* Sessions and process groups: setsid, setpgid, orphaned groups. */
#include "platform/base/bug.h"
#include "sentry/task/pid.h"
#include "sentry/task/process.h"
#include "sentry/task/task_impl.h"
#include "syscalls/abi/lx_cap.h"
#include "syscalls/abi/lx_signal.h"

bool pgrp_would_be_orphan(struct kernel *k, int pgid, const struct tgroup *leaving)
{
	struct list *members = pgrp_members(k, pgid);
	struct tgroup *tg;

	if (!members)
		return true;
	list_for_each(tg, members, pgrp_link) {
		const struct tgroup *parent = tg->parent;

		if (tg == leaving || tg->zombie || !parent || (k->init && parent == k->init->tg))
			continue;
		if (parent->pgid != pgid && parent->session == tg->session)
			return false;
	}
	return true;
}

static bool has_stopped(struct kernel *k, int pgid)
{
	struct list *members = pgrp_members(k, pgid);
	struct tgroup *tg;

	if (!members)
		return false;
	list_for_each(tg, members, pgrp_link)
		if (tg->stopped)
			return true;
	return false;
}

void pgrp_check_orphan(struct tgroup *tg, const struct tgroup *parent)
{
	const struct tgroup *leaving = parent ? NULL : tg;
	struct kernel *k = tg->k;
	struct tgroup *m, *tmp;
	struct list *members;
	int pgid = tg->pgid;

	/* With an exiting parent, tg is what it leaves behind. */
	if (!parent)
		parent = tg->parent;
	if (!parent || parent->pgid == pgid || parent->session != tg->session)
		return;
	/* The search below looks at the whole group: not when there is nothing to find. */
	if (!k->nstopped)
		return;
	if (!pgrp_would_be_orphan(k, pgid, leaving) || !has_stopped(k, pgid))
		return;
	members = pgrp_members(k, pgid);
	list_for_each_safe(m, tmp, members, pgrp_link) {
		signal_send_group(m, LX_SIGHUP, NULL);
		signal_send_group(m, LX_SIGCONT, NULL);
	}
}

int process_setsid(struct task *t)
{
	struct tgroup *tg = t->tg;
	struct session *s;

	if (tg->session->sid == tg->tgid || pgrp_members(t->k, tg->tgid))
		return -LX_EPERM;
	s = session_new(tg->tgid);
	if (!s)
		return -LX_ENOMEM;
	tgroup_set_pgid(tg, tg->tgid);
	tgroup_set_session(tg, s);
	session_put(s);
	return tg->tgid;
}

int process_setpgid(struct task *t, int pid, int pgid)
{
	struct tgroup *tg;

	if (pid == 0)
		pid = t->tg->tgid;
	if (pgid == 0)
		pgid = pid;
	if (pgid < 0)
		return -LX_EINVAL;
	tg = tgroup_peek(t->k, pid);
	if (!tg)
		return task_peek(t->k, pid) ? -LX_EINVAL : -LX_ESRCH; /* a thread's id */
	if (tg->parent == t->tg) {
		if (tg->session != t->tg->session)
			return -LX_EPERM;
		if (tg->did_exec)
			return -LX_EACCES;
	} else if (tg != t->tg) {
		return -LX_ESRCH;
	}
	if (tg->session->sid == tg->tgid)
		return -LX_EPERM;
	if (pgid != pid && !pgrp_exists_in_session(t->k, pgid, t->tg->session->sid))
		return -LX_EPERM;
	if (tg->pgid != pgid)
		tgroup_set_pgid(tg, pgid);
	return 0;
}

bool task_may_access(const struct task *t, const struct task *other)
{
	const struct cred *c = t->cred, *o = other->cred;
	bool same = c->uid == o->euid && c->uid == o->suid && c->uid == o->uid &&
		    c->gid == o->egid && c->gid == o->sgid && c->gid == o->gid;

	if (t->tg == other->tg)
		return true;
	if (cred_has_cap(c, LX_CAP_SYS_PTRACE))
		return true;
	/* Without the capability also nothing that the other has and the caller lacks. */
	return same && (!other->mm || other->mm->dumpable) && !(o->cap_perm & ~c->cap_perm);
}
