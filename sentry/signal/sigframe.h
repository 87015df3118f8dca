/* Alternate signal stacks and the return from handlers. */
#ifndef SENTRY_SIGNAL_SIGFRAME_H
#define SENTRY_SIGNAL_SIGFRAME_H

#include <stdint.h>

#include "syscalls/abi/lx_signal.h"

struct task;

/* sigaltstack(2)'s old value, as seen with the task's current stack pointer. */
void sigaltstack_get(const struct task *t, struct lx_stack *out);
/* 0, -LX_EPERM (sp is on it), -LX_EINVAL, -LX_ENOMEM (too small). */
int sigaltstack_set(struct task *t, const struct lx_stack *in, uint64_t sp);

/* rt_sigreturn(2): take registers, mask and stacks from the frame at the stack pointer.
 * -LX_ERAN; a bad frame is a SIGSEGV. */
long sigframe_return(struct task *t);

#endif
