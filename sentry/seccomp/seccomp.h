/* seccomp(2) inside the sandbox: filters that a guest puts on itself. What confines the
 * sentry and the stubs on the host has nothing to do with it.
 *
 * A filter is immutable and points to the one installed before it; tasks share the tail
 * that they have in common, so filters form a tree. All of it under the kernel lock. */
#ifndef SENTRY_SECCOMP_SECCOMP_H
#define SENTRY_SECCOMP_SECCOMP_H

#include <stdbool.h>
#include <stdint.h>

#include "syscalls/abi/lx_seccomp.h"

struct file;
struct task;
struct seccomp_filter;

/* For the dispatcher, when t->seccomp_mode or t->sud.on is set: judge the call in t->sysno
 * and t->sysargs. True: the call is not made; *result is what the dispatcher goes on
 * with. */
bool call_refused(struct task *t, long *result);

/* PR_SET_SYSCALL_USER_DISPATCH: 0, -LX_EINVAL or -LX_EFAULT. */
int user_dispatch_set(struct task *t, uint64_t mode, uint64_t start, uint64_t len,
		      uint64_t selector);

/* SECCOMP_SET_MODE_STRICT: 0 or -LX_EINVAL. */
int seccomp_set_strict(struct task *t);
/* SECCOMP_SET_MODE_FILTER. flags were checked. prog: n instructions, copied in, n from 1
 * to LX_BPF_MAXINSNS. 0; a listener's fd; with TSYNC the id of a thread that cannot
 * follow; -LX_EINVAL, -LX_EACCES, -LX_ENOMEM, -LX_EBUSY, -LX_ESRCH, -LX_EMFILE. */
long seccomp_set_filter(struct task *t, uint32_t flags, const struct lx_sock_filter *prog,
			unsigned n);
/* May t install filters at all? */
bool seccomp_may_filter(const struct task *t);

/* clone: the child gets what the parent has. */
void seccomp_clone(struct task *child, const struct task *parent);
/* The task ends, or never came to be. Idempotent. */
void seccomp_task_exit(struct task *t);

#endif
