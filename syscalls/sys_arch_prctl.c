/* arch_prctl(2): segment bases, cpuid, state components. */
#include <cpuid.h>

#include "sentry/mm/usercopy.h"
#include "sentry/task/task.h"
#include "syscalls/abi/lx_prctl.h"
#include "syscalls/syscall_args.h"

/* x87, SSE, AVX, AVX-512: what every thread may use without asking. Protection keys and
 * the rest are not for guests. */
#define GUEST_XFEATURES 0xe7u

/* What the CPU saves of these: XCR0, which any program may read. */
static uint64_t xstate_features(void)
{
	unsigned a, b, c, d, low, high;

	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE))
		return 3;
	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return low & GUEST_XFEATURES;
}

static long set_base(struct task *t, enum plat_cmd_op op, uint64_t base, uint64_t *seen)
{
	if (base >= PLAT_GUEST_MAX)
		return -LX_EPERM;
	if (!plat_batch_add(&t->batch, (struct plat_cmd){ .op = op, .fd = -1, .a = { base } }))
		return -LX_ENOMEM;
	*seen = base;
	return 0;
}

/* What GET gives is the last value set through the kernel: a guest that uses WRFSBASE
 * knows its own. */
long sys_arch_prctl(struct task *t, const struct arch_prctl_args *a)
{
	struct uaddr to = { a->arg2 };
	uint64_t xcomp;

	switch (a->option) {
	case LX_ARCH_SET_FS:
		return set_base(t, PLAT_CMD_SET_FS, a->arg2, &t->fs_base);
	case LX_ARCH_SET_GS:
		return set_base(t, PLAT_CMD_SET_GS, a->arg2, &t->gs_base);
	case LX_ARCH_GET_FS:
		return copy_out(t, to, &t->fs_base, sizeof(t->fs_base));
	case LX_ARCH_GET_GS:
		return copy_out(t, to, &t->gs_base, sizeof(t->gs_base));
	case LX_ARCH_GET_CPUID:
		return 1;
	case LX_ARCH_SET_CPUID:
		return -LX_ENODEV;
	case LX_ARCH_GET_XCOMP_SUPP:
	case LX_ARCH_GET_XCOMP_PERM:
	case LX_ARCH_GET_XCOMP_GUEST_PERM:
		xcomp = xstate_features();
		return copy_out(t, to, &xcomp, sizeof(xcomp));
	case LX_ARCH_REQ_XCOMP_PERM:
		/* No feature here has to be asked for. */
		return a->arg2 >= LX_XFEATURE_MAX ? -LX_EINVAL : -LX_EOPNOTSUPP;
	case LX_ARCH_MAP_VDSO_32:
	case LX_ARCH_MAP_VDSO_64:
		/* It is mapped already. A program that unmapped it cannot get it back. */
		return -LX_EEXIST;
	default:
		return -LX_EINVAL;
	}
}
