/* The x86-64 rt_sigframe: built when a handler runs, read back by rt_sigreturn(2).
 * Layout and checks are Linux's, for libunwind, gdb, Go and the JVM know every byte.
 *
 * What is read back is hostile: the floating-point image is checked here as the kernel's
 * XRSTOR would check it, because the host must never refuse it later. */
#include "sentry/signal/sigframe.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "sentry/kernel.h"
#include "sentry/mm/mm.h"
#include "sentry/signal/signal_impl.h"

#define RED_ZONE 128
#define FX_ALIGN 64
/* More than any XSAVE area so far (AMX: 11 KiB). */
#define XSTATE_MAX 32768u
#define MXCSR_MASK_DEFAULT 0xffbfu
#define XSTATE_FPSSE 3u

#define FIX_EFLAGS                                                               \
	(LX_EFLAGS_AC | LX_EFLAGS_OF | LX_EFLAGS_DF | LX_EFLAGS_TF | LX_EFLAGS_SF | \
	 LX_EFLAGS_ZF | LX_EFLAGS_AF | LX_EFLAGS_PF | LX_EFLAGS_CF | LX_EFLAGS_RF)

/* ---- alternate stack ---- */

static bool in_altstack(const struct task *t, uint64_t sp)
{
	const struct sigaltstack_state *a = &t->altstack;

	return sp > a->sp && sp - a->sp <= a->size;
}

/* An auto-disarming stack is never "in use": it is disarmed while it is. */
static bool on_altstack(const struct task *t, uint64_t sp)
{
	return !(t->altstack.flags & LX_SS_AUTODISARM) && in_altstack(t, sp);
}

static uint32_t altstack_flags(const struct task *t, uint64_t sp)
{
	if (t->altstack.size == 0)
		return LX_SS_DISABLE;
	return on_altstack(t, sp) ? LX_SS_ONSTACK : 0;
}

void sigaltstack_get(const struct task *t, struct lx_stack *out)
{
	memset(out, 0, sizeof(*out));
	out->sp = t->altstack.sp;
	out->size = t->altstack.size;
	out->flags = altstack_flags(t, t->regs->rsp) | (t->altstack.flags & LX_SS_FLAG_BITS);
}

int sigaltstack_set(struct task *t, const struct lx_stack *in, uint64_t sp)
{
	uint32_t mode = in->flags & ~LX_SS_FLAG_BITS;
	struct sigaltstack_state *a = &t->altstack;
	struct sigaltstack_state set = { in->sp, in->size, in->flags };

	if (on_altstack(t, sp))
		return -LX_EPERM;
	if (mode != LX_SS_DISABLE && mode != LX_SS_ONSTACK && mode != 0)
		return -LX_EINVAL;
	if (a->sp == set.sp && a->size == set.size && a->flags == set.flags)
		return 0;
	if (mode == LX_SS_DISABLE) {
		set.size = 0;
		set.sp = 0;
	} else if (set.size < LX_MINSIGSTKSZ) {
		return -LX_ENOMEM;
	}
	*a = set;
	return 0;
}

/* ---- building ---- */

static uint64_t align_down(uint64_t v, uint64_t to)
{
	return v & ~(to - 1);
}

static void fill_context(const struct task *t, struct lx_ucontext *uc, sigset64 oldmask)
{
	struct plat_regs shown = *task_regs(t);
	struct lx_sigcontext *mc = &uc->mc;

	uc->flags = LX_UC_FP_XSTATE | LX_UC_SIGCONTEXT_SS | LX_UC_STRICT_RESTORE_SS;
	uc->stack.sp = t->altstack.sp;
	uc->stack.flags = t->altstack.flags;
	uc->stack.size = t->altstack.size;
	uc->sigmask = oldmask;
	_Static_assert(offsetof(struct lx_sigcontext, cs) == sizeof(shown),
		       "same registers in the same order");
	plat_shown_regs(t->pt, &shown);
	memcpy(mc, &shown, sizeof(shown));
	mc->cs = LX_USER_CS;
	mc->ss = LX_USER_DS;
	mc->err = t->fault_err;
	mc->trapno = t->fault_trapno;
	mc->oldmask = oldmask;
	mc->cr2 = t->fault_cr2;
}

/* Where frame and FPU image go. 0 or -LX_EFAULT (the alternate stack is too small). */
static int place_frame(const struct task *t, const struct ksigaction *act, size_t fp_size,
		       uint64_t *out_frame, uint64_t *out_fp)
{
	uint64_t sp = task_regs(t)->rsp - RED_ZONE;
	bool nested = on_altstack(t, t->regs->rsp), entering = false;

	if ((act->flags & LX_SA_ONSTACK) && altstack_flags(t, sp) == 0) {
		sp = t->altstack.sp + t->altstack.size;
		entering = true;
	}
	*out_fp = align_down(sp - fp_size, FX_ALIGN);
	sp = align_down(*out_fp - sizeof(struct lx_rt_sigframe), 16) - 8;
	if ((nested || entering) && !in_altstack(t, sp))
		return -LX_EFAULT;
	*out_frame = sp;
	return 0;
}

int sigframe_build(struct task *t, const struct ksigaction *act, const struct ksiginfo *info,
		   sigset64 oldmask)
{
	size_t fp_max = plat_caps(t->k->plat)->xstate_size, fp_size, total;
	AUTO_FREE uint8_t *fp = NULL;
	AUTO_FREE uint8_t *buf = NULL;
	struct lx_rt_sigframe frame;
	uint64_t at, fp_at;

	/* Linux needs the restorer, too: x86-64 has no other way back. */
	if (!(act->flags & LX_SA_RESTORER))
		return -LX_EFAULT;
	fp = malloc(fp_max);
	if (fp == NULL)
		return -LX_EFAULT;
	fp_size = plat_thread_get_fpstate(t->pt, fp, fp_max);
	if (place_frame(t, act, fp_size, &at, &fp_at))
		return -LX_EFAULT;

	memset(&frame, 0, sizeof(frame));
	frame.pretcode = act->restorer;
	fill_context(t, &frame.uc, oldmask);
	frame.uc.mc.fpstate = fp_at;
	if (act->flags & LX_SA_SIGINFO)
		siginfo_encode(info, (uint8_t *)&frame.info);

	/* The few bytes of alignment between the two are below the stack: free to zero. */
	total = (size_t)(fp_at - at) + fp_size;
	buf = calloc(1, total);
	if (buf == NULL)
		return -LX_EFAULT;
	memcpy(buf, &frame, sizeof(frame));
	memcpy(buf + (fp_at - at), fp, fp_size);
	if (mm_copy_out(t->mm, at, buf, total))
		return -LX_EFAULT;

	t->regs->rdi = (uint64_t)info->signo;
	t->regs->rsi = at + offsetof(struct lx_rt_sigframe, info);
	t->regs->rdx = at + offsetof(struct lx_rt_sigframe, uc);
	t->regs->rax = 0;
	t->regs->rip = act->handler;
	t->regs->rsp = at;
	t->regs->eflags &= ~(LX_EFLAGS_DF | LX_EFLAGS_RF | LX_EFLAGS_TF);
	return 0;
}

/* ---- reading back ---- */

static uint32_t get_u32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* Does the image carry extended state as the trailer of `mine` (the thread's current
 * image) describes it? Otherwise only its first 512 bytes count. */
static bool has_xstate(const uint8_t *img, size_t len, const struct lx_fpx_sw_bytes *mine)
{
	struct lx_fpx_sw_bytes sw;

	memcpy(&sw, img + LX_FX_SW_OFFSET, sizeof(sw));
	if (sw.magic1 != LX_FP_XSTATE_MAGIC1 || sw.xstate_size != mine->xstate_size ||
	    sw.extended_size != mine->extended_size ||
	    (uint64_t)sw.xstate_size + sizeof(uint32_t) > len)
		return false;
	return get_u32(img + sw.xstate_size) == LX_FP_XSTATE_MAGIC2;
}

/* XSAVE header: features, compaction (not allowed), eight reserved bytes (zero). What comes
 * after those XRSTOR does not look at: it is cleared. */
static bool xsave_header_ok(uint8_t *img, uint64_t features)
{
	uint64_t hdr[LX_XSAVE_HDR_SIZE / 8];

	memcpy(hdr, img + LX_FXSAVE_SIZE, sizeof(hdr));
	if (hdr[0] & ~features)
		return false;
	memset(img + LX_FXSAVE_SIZE + 24, 0, LX_XSAVE_HDR_SIZE - 24);
	return hdr[1] == 0 && hdr[2] == 0;
}

/* Restore from the guest's image at addr. 0 or -LX_EFAULT/-LX_EINVAL: a bad frame. */
static int restore_fpstate(struct task *t, uint64_t addr)
{
	size_t max = plat_caps(t->k->plat)->xstate_size;
	AUTO_FREE uint8_t *mine = NULL;
	AUTO_FREE uint8_t *img = NULL;
	struct lx_fpx_sw_bytes sw;
	uint32_t mxcsr_mask;
	size_t size;
	long n;

	if (addr == 0)
		return plat_thread_set_fpstate(t->pt, NULL, 0);
	if (max < LX_FXSAVE_SIZE + LX_XSAVE_HDR_SIZE || max > XSTATE_MAX)
		return -LX_EINVAL;
	mine = calloc(1, max);
	img = calloc(1, max);
	if (mine == NULL || img == NULL)
		return -LX_EFAULT;
	size = plat_thread_get_fpstate(t->pt, mine, max);
	n = mm_copy_in_partial(t->mm, img, addr, size);
	if (n < (long)LX_FXSAVE_SIZE)
		return -LX_EFAULT;
	memcpy(&sw, mine + LX_FX_SW_OFFSET, sizeof(sw));
	mxcsr_mask = get_u32(mine + LX_FX_MXCSR_MASK_OFFSET);
	if (mxcsr_mask == 0)
		mxcsr_mask = MXCSR_MASK_DEFAULT;

	if (has_xstate(img, (size_t)n, &sw)) {
		if (!xsave_header_ok(img, sw.xfeatures))
			return -LX_EINVAL;
	} else {
		/* FXSAVE only: the rest goes to its initial state. */
		memset(img + LX_FXSAVE_SIZE, 0, size - LX_FXSAVE_SIZE);
		if (sw.magic1 == LX_FP_XSTATE_MAGIC1 && size > sw.xstate_size) {
			uint64_t features = XSTATE_FPSSE;
			uint32_t magic2 = LX_FP_XSTATE_MAGIC2;

			memcpy(img + LX_FXSAVE_SIZE, &features, sizeof(features));
			memcpy(img + sw.xstate_size, &magic2, sizeof(magic2));
		}
	}
	/* The trailer and the mask are ours, whatever the guest wrote there. */
	memcpy(img + LX_FX_SW_OFFSET, &sw, sizeof(sw));
	memcpy(img + LX_FX_MXCSR_MASK_OFFSET, mine + LX_FX_MXCSR_MASK_OFFSET, 4);
	if (get_u32(img + LX_FX_MXCSR_OFFSET) & ~mxcsr_mask)
		return -LX_EINVAL;
	return plat_thread_set_fpstate(t->pt, img, size);
}

static void restore_registers(struct task *t, const struct lx_sigcontext *mc)
{
	uint64_t flags = task_regs(t)->eflags;

	memcpy(t->regs, mc, sizeof(*t->regs));
	t->regs->eflags = (flags & ~FIX_EFLAGS) | (mc->eflags & FIX_EFLAGS);
}

long sigframe_return(struct task *t)
{
	uint64_t at = task_regs(t)->rsp - sizeof(uint64_t);
	struct lx_rt_sigframe frame;
	uint64_t sp;

	if (mm_copy_in(t->mm, &frame, at, offsetof(struct lx_rt_sigframe, info)))
		goto bad;
	t->restart_fn = NULL;
	task_set_sigmask(t, frame.uc.sigmask);
	sp = frame.uc.mc.rsp;
	/* Other segments than the flat 64-bit ones cannot be loaded. */
	if ((frame.uc.mc.cs | 3) != LX_USER_CS)
		goto bad;
	if ((frame.uc.flags & LX_UC_STRICT_RESTORE_SS) && (frame.uc.mc.ss | 3) != LX_USER_DS)
		goto bad;
	restore_registers(t, &frame.uc.mc);
	if (restore_fpstate(t, frame.uc.mc.fpstate))
		goto bad;
	/* Linux ignores what is wrong with the stack, and so do we. */
	(void)sigaltstack_set(t, &frame.uc.stack, sp);
	return -LX_ERAN;
bad:
	signal_force(t, LX_SIGSEGV, NULL);
	return -LX_ERAN;
}
