/* semget(2) and semctl(2). */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "sentry/ipc/sem.h"
#include "sentry/ipc/sem_impl.h"
#include "sentry/mm/usercopy.h"
#include "sentry/task/task.h"

static uint64_t set_size(unsigned nsems)
{
	struct sem_set *s;

	return sizeof(*s) + nsems * sizeof(s->sem[0]);
}

static void set_free(struct sem_set *s)
{
	struct ipc_ns *ns = s->ns;

	ipc_remove(&ns->sems, &s->perm);
	sem_set_gone(s);
	ns->used_sems -= s->nsems;
	ipc_free(ns, s, set_size(s->nsems));
}

void sem_fini(struct ipc_ns *ns)
{
	for (unsigned i = 0; i < ns->sems.nslots; i++)
		if (ns->sems.slot[i])
			set_free((struct sem_set *)ns->sems.slot[i]);
}

/* ---- semget ---- */

static long set_new(struct task *t, struct ipc_ns *ns, int32_t key, unsigned nsems,
		    uint32_t flags)
{
	struct sem_set *s;
	int32_t id;

	if (nsems == 0)
		return -LX_EINVAL;
	if (ns->used_sems + nsems > (uint64_t)ns->lim.sem[1])
		return -LX_ENOSPC;
	s = ipc_alloc(ns, set_size(nsems));
	if (!s)
		return -LX_ENOMEM;
	s->ns = ns;
	s->nsems = nsems;
	list_init(&s->zero);
	list_init(&s->alter);
	list_init(&s->undos);
	id = ipc_add(t, &ns->sems, &s->perm, key, flags, ns->lim.sem[3]);
	if (id < 0)
		ipc_free(ns, s, set_size(nsems));
	else
		ns->used_sems += nsems;
	return id;
}

long sem_get(struct task *t, int32_t key, int32_t nsems, uint32_t flags)
{
	struct ipc_ns *ns = ipc_of(t->k);
	struct ipc_perm *p;
	int err;

	if (!ns)
		return -LX_ENOMEM;
	if (nsems < 0 || nsems > ns->lim.sem[0])
		return -LX_EINVAL;
	err = ipc_lookup_key(&ns->sems, key, flags, &p);
	if (err)
		return err;
	if (!p)
		return set_new(t, ns, key, (unsigned)nsems, flags);
	if ((unsigned)nsems > ((const struct sem_set *)p)->nsems)
		return -LX_EINVAL;
	err = ipc_check_access(t, p, flags);
	return err ? err : p->id;
}

/* ---- semctl ---- */

static long ctl_info(struct task *t, const struct ipc_ns *ns, int32_t cmd, struct uaddr to)
{
	struct lx_seminfo info = {
		.semmap = LX_SEMMNS,
		.semmni = ns->lim.sem[3],
		.semmns = ns->lim.sem[1],
		.semmnu = LX_SEMMNS,
		.semmsl = ns->lim.sem[0],
		.semopm = ns->lim.sem[2],
		.semume = LX_SEMOPM,
		.semusz = LX_SEMUSZ,
		.semvmx = LX_SEMVMX,
		.semaem = LX_SEMAEM,
	};

	if (cmd == LX_SEM_INFO) {
		info.semusz = (int32_t)ns->sems.used;
		info.semaem = (int32_t)ns->used_sems;
	}
	return copy_out(t, to, &info, sizeof(info)) ? -LX_EFAULT : ipc_max_index(&ns->sems);
}

void sem_show(const struct ipc_perm *p, struct lx_semid64_ds *out)
{
	const struct sem_set *s = (const struct sem_set *)p;

	*out = (struct lx_semid64_ds){ .otime = s->otime, .ctime = p->ctime, .nsems = s->nsems };
	ipc_show_perm(p, &out->perm);
}

static long ctl_stat(struct task *t, const struct ipc_ns *ns, int32_t id, int32_t cmd,
		     struct uaddr to)
{
	const struct ipc_perm *p = cmd == LX_IPC_STAT ? ipc_by_id(&ns->sems, id)
						      : ipc_by_index(&ns->sems, id);
	struct lx_semid64_ds ds;
	int err;

	if (!p)
		return -LX_EINVAL;
	err = cmd == LX_SEM_STAT_ANY ? 0 : ipc_check_access(t, p, IPC_READ);
	if (err)
		return err;
	sem_show(p, &ds);
	if (copy_out(t, to, &ds, sizeof(ds)))
		return -LX_EFAULT;
	return cmd == LX_IPC_STAT ? 0 : p->id;
}

/* A value was set from outside: nobody owes anything for it any more. */
static void forget_undo(struct sem_set *s, unsigned from, unsigned to)
{
	struct sem_undo *un;

	list_for_each(un, &s->undos, in_set)
		for (unsigned i = from; i < to; i++)
			un->adj[i] = 0;
}

static long get_all(struct task *t, const struct sem_set *s, struct uaddr to)
{
	AUTO_FREE uint16_t *v = calloc(s->nsems, sizeof(*v));

	if (!v)
		return -LX_ENOMEM;
	for (unsigned i = 0; i < s->nsems; i++)
		v[i] = s->sem[i].val;
	return copy_out(t, to, v, s->nsems * sizeof(*v));
}

static long set_all(struct task *t, struct sem_set *s, struct uaddr from)
{
	AUTO_FREE uint16_t *v = calloc(s->nsems, sizeof(*v));

	if (!v)
		return -LX_ENOMEM;
	if (copy_in(t, v, from, s->nsems * sizeof(*v)))
		return -LX_EFAULT;
	for (unsigned i = 0; i < s->nsems; i++)
		if (v[i] > LX_SEMVMX)
			return -LX_ERANGE;
	for (unsigned i = 0; i < s->nsems; i++) {
		s->sem[i].val = v[i];
		s->sem[i].pid = t->tg->tgid;
	}
	forget_undo(s, 0, s->nsems);
	s->perm.ctime = ipc_now();
	sem_set_changed(s);
	return 0;
}

/* GETALL, SETALL and what looks at one semaphore. */
static long ctl_main(struct task *t, struct sem_set *s, int32_t num, int32_t cmd, uint64_t arg)
{
	int err;

	if (!s)
		return -LX_EINVAL;
	err = ipc_check_access(t, &s->perm, cmd == LX_SETALL ? IPC_WRITE : IPC_READ);
	if (err)
		return err;
	if (cmd == LX_GETALL)
		return get_all(t, s, (struct uaddr){ arg });
	if (cmd == LX_SETALL)
		return set_all(t, s, (struct uaddr){ arg });
	if (num < 0 || (unsigned)num >= s->nsems)
		return -LX_EINVAL;
	switch (cmd) {
	case LX_GETVAL:
		return s->sem[num].val;
	case LX_GETPID:
		return s->sem[num].pid;
	default:
		return sem_count_waiters(s, (unsigned)num, cmd == LX_GETZCNT);
	}
}

static long ctl_setval(struct task *t, struct sem_set *s, int32_t num, int32_t val)
{
	int err;

	if (val < 0 || val > LX_SEMVMX)
		return -LX_ERANGE;
	if (!s || num < 0 || (unsigned)num >= s->nsems)
		return -LX_EINVAL;
	err = ipc_check_access(t, &s->perm, IPC_WRITE);
	if (err)
		return err;
	forget_undo(s, (unsigned)num, (unsigned)num + 1);
	s->sem[num].val = (uint16_t)val;
	s->sem[num].pid = t->tg->tgid;
	s->perm.ctime = ipc_now();
	sem_set_changed(s);
	return 0;
}

/* IPC_SET and IPC_RMID. ds: NULL for the latter. */
static long ctl_owner(struct task *t, struct sem_set *s, const struct lx_semid64_ds *ds)
{
	int err = s ? ipc_check_owner(t, &s->perm) : -LX_EINVAL;

	if (!err && ds)
		err = ipc_set_perm(&s->perm, &ds->perm);
	if (err)
		return err;
	if (ds)
		s->perm.ctime = ipc_now();
	else
		set_free(s);
	return 0;
}

long sem_control(struct task *t, int32_t id, int32_t semnum, int32_t cmd, uint64_t arg)
{
	struct ipc_ns *ns = ipc_of(t->k);
	struct uaddr buf = { arg };
	struct lx_semid64_ds ds;
	struct sem_set *s;

	if (!ns)
		return -LX_ENOMEM;
	if (id < 0)
		return -LX_EINVAL;
	s = (struct sem_set *)ipc_by_id(&ns->sems, id);
	switch (cmd) {
	case LX_IPC_INFO:
	case LX_SEM_INFO:
		return ctl_info(t, ns, cmd, buf);
	case LX_IPC_STAT:
	case LX_SEM_STAT:
	case LX_SEM_STAT_ANY:
		return ctl_stat(t, ns, id, cmd, buf);
	case LX_GETALL:
	case LX_GETVAL:
	case LX_GETPID:
	case LX_GETNCNT:
	case LX_GETZCNT:
	case LX_SETALL:
		return ctl_main(t, s, semnum, cmd, arg);
	case LX_SETVAL:
		return ctl_setval(t, s, semnum, (int32_t)(uint32_t)arg);
	case LX_IPC_SET:
		return copy_in(t, &ds, buf, sizeof(ds)) ? -LX_EFAULT : ctl_owner(t, s, &ds);
	case LX_IPC_RMID:
		return ctl_owner(t, s, NULL);
	default:
		return -LX_EINVAL;
	}
}
