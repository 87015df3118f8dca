/* System V semaphores. Kernel lock held throughout. */
#ifndef SENTRY_IPC_SEM_H
#define SENTRY_IPC_SEM_H

#include <stdbool.h>
#include <stdint.h>

#include "syscalls/abi/lx_types.h"

struct ipc_ns;
struct ipc_perm;
struct lx_timespec;
struct lx_semid64_ds;
struct sem_undo_list; /* what SEM_UNDO owes; shared by CLONE_SYSVSEM */
struct task;

/* semget(2), semop(2), semctl(2): results as for the guest. A re-run of sem_op only needs t.
 * timeout: relative, NULL: none. */
long sem_get(struct task *t, int32_t key, int32_t nsems, uint32_t flags);
long sem_op(struct task *t, int32_t id, struct uaddr ops, uint32_t count,
	    const struct lx_timespec *timeout);
long sem_control(struct task *t, int32_t id, int32_t semnum, int32_t cmd, uint64_t arg);
bool sem_waiting(const struct task *t);

/* clone(2): c shares the undo list of t, or starts without. 0 or -LX_ENOMEM. */
int sem_clone(struct task *c, struct task *t, bool share);
/* t leaves its undo list; the last one pays what it owes. For exit, and for
 * unshare(CLONE_SYSVSEM). */
void sem_exit(struct task *t);

/* For /proc/sysvipc/sem. */
void sem_show(const struct ipc_perm *p, struct lx_semid64_ds *out);
void sem_fini(struct ipc_ns *ns);

#endif
