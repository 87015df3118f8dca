/* System V shared memory segments: one namespace per sandbox. All under the kernel
 * lock. A segment lives while it is in the table or attached anywhere. */
#ifndef SENTRY_IPC_SHM_H
#define SENTRY_IPC_SHM_H

#include <stdint.h>

#include "syscalls/abi/lx_types.h"

struct kernel;
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

/* At shutdown, after the last map is gone. */
void shm_fini(struct kernel *k);

#endif
