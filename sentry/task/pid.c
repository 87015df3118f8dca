/* The pid table. A flat array: ids are dense, look-ups are one load, and pages that
 * no id has reached are never touched. */
#include "sentry/fs/proc/proc.h"
#include "sentry/task/pid.h"

#include <stdlib.h>

#include "platform/base/bug.h"

/* As Linux: after a wrap the low numbers stay with the daemons of boot time. */
#define PID_RESERVED 300

int pidtab_init(struct kernel *k)
{
	struct pidtab *p = calloc(1, sizeof(*p));

	if (!p)
		return -LX_ENOMEM;
	p->slot = calloc(PID_MAX, sizeof(*p->slot));
	if (!p->slot) {
		free(p);
		return -LX_ENOMEM;
	}
	k->pids = p;
	return 0;
}

void pidtab_fini(struct kernel *k)
{
	if (!k->pids)
		return;
	free(k->pids->slot);
	free(k->pids);
	k->pids = NULL;
}

static struct pid_slot *slot_of(struct kernel *k, int id)
{
	return id > 0 && id < PID_MAX ? &k->pids->slot[id] : NULL;
}

static bool has_pgrp(const struct pid_slot *s)
{
	return s->pgrp.next && !list_empty(&s->pgrp);
}

static bool in_use(const struct pid_slot *s)
{
	return s->task || s->tg || s->nsession || has_pgrp(s);
}

int pid_alloc(struct kernel *k, int want)
{
	struct pidtab *p = k->pids;
	int id = p->last, limit = (int)sysctl_get(k, SYSCTL_PID_MAX);

	if (want) {
		if (want < 0 || want >= limit)
			return -LX_EINVAL;
		if (in_use(&p->slot[want]))
			return -LX_EEXIST;
		if (want > p->high)
			p->high = want;
		return want;
	}
	for (int tries = 0; tries < PID_MAX; tries++) {
		if (++id >= limit)
			id = PID_RESERVED;
		if (!in_use(&p->slot[id])) {
			p->last = id;
			if (id > p->high)
				p->high = id;
			return id;
		}
	}
	return -LX_EAGAIN;
}

void pid_add_task(struct task *t)
{
	struct pid_slot *s = slot_of(t->k, t->tid);

	BUG_ON(!s || s->task);
	s->task = t;
}

void pid_del_task(struct task *t)
{
	struct pid_slot *s = slot_of(t->k, t->tid);

	if (s && s->task == t)
		s->task = NULL;
}

void pid_add_tgroup(struct tgroup *tg)
{
	struct pid_slot *s = slot_of(tg->k, tg->tgid);

	BUG_ON(!s || s->tg);
	tgroup_get(tg);
	s->tg = tg;
	tg->hashed = true;
	tg->k->pids->nprocs++;
}

void pid_del_tgroup(struct tgroup *tg)
{
	struct pid_slot *s = slot_of(tg->k, tg->tgid);

	if (!tg->hashed)
		return;
	BUG_ON(!s || s->tg != tg);
	tgroup_set_pgid(tg, 0);
	tgroup_set_session(tg, NULL);
	s->tg = NULL;
	tg->hashed = false;
	tg->k->pids->nprocs--;
	tgroup_put(tg);
}

void tgroup_set_pgid(struct tgroup *tg, int pgid)
{
	struct pid_slot *s = slot_of(tg->k, pgid);

	list_del_init(&tg->pgrp_link);
	/* A reaped process keeps the number for those who still look at it. */
	if (!pgid)
		return;
	BUG_ON(!s);
	if (!s->pgrp.next)
		list_init(&s->pgrp);
	list_push_back(&s->pgrp, &tg->pgrp_link);
	tg->pgid = pgid;
}

void tgroup_set_session(struct tgroup *tg, struct session *s)
{
	struct session *old = tg->session;

	if (s) {
		session_get(s);
		slot_of(tg->k, s->sid)->nsession++;
	}
	tg->session = s;
	if (old) {
		slot_of(tg->k, old->sid)->nsession--;
		session_put(old);
	}
}

struct task *task_peek(struct kernel *k, int tid)
{
	struct pid_slot *s = slot_of(k, tid);

	return s ? s->task : NULL;
}

struct tgroup *tgroup_peek(struct kernel *k, int tgid)
{
	struct pid_slot *s = slot_of(k, tgid);

	return s ? s->tg : NULL;
}

struct list *pgrp_members(struct kernel *k, int pgid)
{
	struct pid_slot *s = slot_of(k, pgid);

	return s && has_pgrp(s) ? &s->pgrp : NULL;
}

struct task *task_lookup(struct kernel *k, int tid)
{
	struct task *t = task_peek(k, tid);

	if (t)
		task_get(t);
	return t;
}

struct tgroup *tgroup_lookup(struct kernel *k, int tgid)
{
	struct tgroup *tg = tgroup_peek(k, tgid);

	if (tg)
		tgroup_get(tg);
	return tg;
}

struct tgroup *tgroup_next(struct kernel *k, int after)
{
	for (int id = after < 0 ? 1 : after + 1; id <= k->pids->high; id++) {
		struct tgroup *tg = tgroup_peek(k, id);

		if (tg) {
			tgroup_get(tg);
			return tg;
		}
	}
	return NULL;
}

bool pgrp_exists_in_session(struct kernel *k, int pgid, int sid)
{
	struct list *members = pgrp_members(k, pgid);
	struct tgroup *tg;

	if (!members)
		return false;
	list_for_each(tg, members, pgrp_link)
		if (tg->session && tg->session->sid == sid)
			return true;
	return false;
}
