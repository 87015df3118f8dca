/* Syscall user dispatch: calls from outside a range of code become SIGSYS while a byte of
 * the program says so (Documentation/admin-guide/syscall-user-dispatch.rst). For emulators
 * that run foreign code in their own process. */
#include "sentry/mm/usercopy.h"
#include "sentry/seccomp/seccomp_impl.h"
#include "sentry/task/task.h"
#include "syscalls/abi/lx_prctl.h"
#include "syscalls/abi/lx_signal.h"

int user_dispatch_set(struct task *t, uint64_t mode, uint64_t start, uint64_t len,
		      uint64_t selector)
{
	switch (mode) {
	case LX_PR_SYS_DISPATCH_OFF:
		if (start || len || selector)
			return -LX_EINVAL;
		break;
	case LX_PR_SYS_DISPATCH_EXCLUSIVE_ON:
		if (start && start + len <= start)
			return -LX_EINVAL;
		break;
	case LX_PR_SYS_DISPATCH_INCLUSIVE_ON:
		if (len == 0 || start + len <= start)
			return -LX_EINVAL;
		/* Everything but the range may call freely. */
		start += len;
		len = -len;
		break;
	default:
		return -LX_EINVAL;
	}
	if (selector >= PLAT_GUEST_MAX)
		return -LX_EFAULT;
	t->sud.on = mode != LX_PR_SYS_DISPATCH_OFF;
	t->sud.start = start;
	t->sud.len = len;
	t->sud.selector = selector;
	return 0;
}

bool user_dispatch_refuses(struct task *t, long *result)
{
	uint8_t state;

	if (t->regs->rip - t->sud.start < t->sud.len)
		return false;
	if (t->sud.selector) {
		if (mm_copy_in(t->mm, &state, t->sud.selector, sizeof(state))) {
			*result = tgroup_exit(t, LX_SIGSEGV);
			return true;
		}
		if (state == LX_SYSCALL_DISPATCH_FILTER_ALLOW)
			return false;
		if (state != LX_SYSCALL_DISPATCH_FILTER_BLOCK) {
			*result = tgroup_exit(t, LX_SIGSYS);
			return true;
		}
	}
	*result = seccomp_sigsys(t, LX_SYS_USER_DISPATCH, 0);
	return true;
}
