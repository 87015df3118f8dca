/* Between sem.c (operations) and sem_ctl.c (sets). */
#ifndef SENTRY_IPC_SEM_IMPL_H
#define SENTRY_IPC_SEM_IMPL_H

#include <stdbool.h>
#include <stdint.h>

#include "platform/base/list.h"
#include "sentry/ipc/ipc.h"
#include "syscalls/abi/lx_sem.h"

struct task;

struct sem_set {
	struct ipc_perm perm;
	struct ipc_ns *ns;
	int64_t otime;
	struct list zero, alter; /* struct sem_wait: that would change nothing; the others */
	unsigned ncomplex;	/* waiters with more than one operation */
	struct list undos;	/* struct sem_undo */
	unsigned nsems;
	struct {
		uint16_t val;
		int32_t pid;
	} sem[];
};

/* What the tasks of one undo list owe to one set. */
struct sem_undo {
	struct list in_set, in_list;
	struct sem_set *set;
	int16_t adj[];
};

struct sem_undo_list {
	unsigned users;		/* tasks */
	struct list undos;
};

/* Values changed: let those go on that can. */
void sem_set_changed(struct sem_set *s);
/* The set is about to be freed: waiters get EIDRM, undo records go. */
void sem_set_gone(struct sem_set *s);
/* How many wait for semaphore num to become zero, or to grow. */
long sem_count_waiters(const struct sem_set *s, unsigned num, bool zero);
/* t's semop ends, if it waits in one. */
void sem_wait_end(struct task *t);

#endif
