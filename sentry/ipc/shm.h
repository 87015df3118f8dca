/* System V shared memory segments: one namespace per sandbox. All under the kernel
 * lock. A segment lives while it is in the table or attached anywhere. */
#ifndef SENTRY_IPC_SHM_H
#define SENTRY_IPC_SHM_H

#include <stdint.h>

#include "syscalls/abi/lx_types.h"

struct ipc_ns;
struct ipc_perm;
struct lx_shmid64_ds;
struct shm_segment;
struct task;

/* shmget(2), shmat(2), shmdt(2), shmctl(2): results as for the guest. */
long shm_get(struct task *t, int32_t key, uint64_t size, uint32_t flags);
long shm_attach(struct task *t, int32_t id, uint64_t addr, uint32_t flags);
long shm_detach(struct task *t, uint64_t addr);
long shm_control(struct task *t, int32_t id, int32_t cmd, struct uaddr buf);

/* An area that maps the segment was made or went away: the attach count. */
void shm_vma_open(struct shm_segment *s);
void shm_vma_close(struct shm_segment *s);

/* A thread ends: what it made has no creator any more. */
void shm_task_exit(struct task *t);
/* kernel.shm_rmid_forced was set: free what nobody uses and whose creator is gone. */
void shm_rmid_forced(struct ipc_ns *ns);

/* For /proc/sysvipc/shm; out_rss (bytes in memory) may be NULL. */
void shm_show(const struct ipc_perm *p, struct lx_shmid64_ds *out, uint64_t *out_rss);
void shm_fini(struct ipc_ns *ns);

#endif
