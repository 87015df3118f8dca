/* The options of prctl(2) that are about the address space (sys_prctl_mm.c), for the table in
 * sys_prctl.c. Each gives the call's result. */
#ifndef SYSCALLS_SYS_PRCTL_H
#define SYSCALLS_SYS_PRCTL_H

#include <stdbool.h>

#include "sentry/task/task.h"
#include "syscalls/syscall_args.h"

/* Are the unused arguments from the third on zero? */
static inline bool rest_is_zero(const struct prctl_args *a)
{
	return a->arg3 == 0 && a->arg4 == 0 && a->arg5 == 0;
}

long pr_set_mm(struct task *t, const struct prctl_args *a);
long pr_get_auxv(struct task *t, const struct prctl_args *a);
long pr_set_thp_disable(struct task *t, const struct prctl_args *a);
long pr_get_thp_disable(struct task *t, const struct prctl_args *a);
long pr_set_mdwe(struct task *t, const struct prctl_args *a);
long pr_get_mdwe(struct task *t, const struct prctl_args *a);
long pr_set_memory_merge(struct task *t, const struct prctl_args *a);
long pr_get_memory_merge(struct task *t, const struct prctl_args *a);
long pr_set_vma(struct task *t, const struct prctl_args *a);

#endif
