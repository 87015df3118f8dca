/* What prctl(2) has of seccomp(2). */
#ifndef SYSCALLS_SYS_SECCOMP_H
#define SYSCALLS_SYS_SECCOMP_H

#include <stdint.h>

struct task;

/* PR_SET_SECCOMP: mode LX_SECCOMP_MODE_*, filter: the guest's struct sock_fprog. */
long prctl_set_seccomp(struct task *t, uint64_t mode, uint64_t filter);

#endif
