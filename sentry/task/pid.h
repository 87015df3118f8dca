/* The pid table: numbers of threads, processes, process groups and sessions. A
 * number is free again when nothing goes by it any more. Kernel lock held. */
#ifndef SENTRY_TASK_PID_H
#define SENTRY_TASK_PID_H

#include <stdbool.h>
#include <stdint.h>

#include "sentry/task/task.h"

/* Exclusive; what /proc/sys/kernel/pid_max shows. */
#define PID_MAX 65536

struct pid_slot {
	struct task *task;	/* thread of this id, also a dead leader; borrowed */
	struct tgroup *tg;	/* process of this id; one reference */
	struct list pgrp;	/* processes of this group; zeroed: none ever */
	uint32_t nsession;	/* processes of this session */
};

struct pidtab {
	struct pid_slot *slot;	/* PID_MAX of them */
	int last, high;		/* given out last; highest ever given out */
	unsigned nprocs;	/* processes, zombies included */
	unsigned nlive;		/* processes that have not ended */
};

int pidtab_init(struct kernel *k); /* 0 or -LX_ENOMEM */
void pidtab_fini(struct kernel *k);

/* A free number: the next one, or exactly `want` when that is not 0. The caller makes
 * it its own with the functions below before the lock is dropped. -LX_EAGAIN when none
 * is free, -LX_EEXIST when `want` is taken, -LX_EINVAL when out of range. */
int pid_alloc(struct kernel *k, int want);

/* Enter or remove a thread under t->tid. */
void pid_add_task(struct task *t);
void pid_del_task(struct task *t);
/* Enter a process (takes a reference) or remove it and drop that one. */
void pid_add_tgroup(struct tgroup *tg);
void pid_del_tgroup(struct tgroup *tg);

/* Move to another group or session; 0 and NULL leave without joining. */
void tgroup_set_pgid(struct tgroup *tg, int pgid);
void tgroup_set_session(struct tgroup *tg, struct session *s);

/* Borrowed or NULL. */
struct task *task_peek(struct kernel *k, int tid);
struct tgroup *tgroup_peek(struct kernel *k, int tgid);
/* The members' pgrp_link, or NULL when there is no such group. */
struct list *pgrp_members(struct kernel *k, int pgid);

#endif
