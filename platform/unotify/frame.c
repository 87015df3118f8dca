/* Signal frames in the slot: where a trapped thread's registers and FPU state are,
 * and how a new thread gets its first ones. Everything read here is guest-writable:
 * offsets are checked against the slot before use, values are plain numbers. */
#include <asm/sigcontext.h>
#include <stddef.h>
#include <string.h>


#include <errno.h>

#include "platform/unotify/fpstate.h"

/* The kernel's frame begins with the return address, then ucontext, then siginfo.
 * The kernel's ucontext ends with an 8-byte mask; its size differs from glibc's. */
struct kuc {
	uint64_t uc_flags, uc_link;
	struct {
		void *ss_sp;
		int ss_flags;
		size_t ss_size;
	} uc_stack;
	struct sigcontext mc;
	uint64_t sigmask;
};

#define UC_FLAGS 7UL /* UC_FP_XSTATE | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS */
#define FRAME_SP_OFF 8UL /* rt_sigreturn's stack pointer: after the return address */

static struct kuc *uc_of(const struct plat_thread *th)
{
	return (struct kuc *)(void *)((uint8_t *)th->slot + th->uc_off);
}

static bool off_ok(const struct plat_thread *th, uint64_t guest, size_t len, uint64_t *off)
{
	uint64_t o = guest - th->slot_guest;

	if (o < STUB_SIGSTACK_OFF || o > STUB_SLOT_SIZE || STUB_SLOT_SIZE - o < len || (o & 7))
		return false;
	*off = o;
	return true;
}

/* Find the FPU area of the frame; none or garbage: the initial state. */
static void load_fp(struct plat_thread *th, uint64_t fpstate)
{
	struct unotify *u = th->as->u;
	struct _fpx_sw_bytes sw;
	uint64_t off;

	th->fp_off = 0;
	th->fp_len = 0;
	if (!fpstate || !off_ok(th, fpstate, u->caps.xstate_size, &off))
		return;
	memcpy(&sw, (uint8_t *)th->slot + off + offsetof(struct _fpstate_64, sw_reserved),
	       sizeof(sw));
	if (sw.magic1 != FP_XSTATE_MAGIC1 || sw.extended_size > u->caps.xstate_size ||
	    sw.extended_size < 512)
		return;
	th->fp_off = off;
	th->fp_len = sw.extended_size;
}

bool frame_find(struct plat_thread *th)
{
	uint64_t uc = *(const volatile uint64_t *)&th->slot->uc;

	return off_ok(th, uc, sizeof(struct kuc), &th->uc_off);
}

void frame_move_rip(struct plat_thread *th, uint64_t from, uint64_t to)
{
	if (uc_of(th)->mc.rip == from)
		uc_of(th)->mc.rip = to;
}

void frame_set_rax(struct plat_thread *th, uint64_t rax)
{
	uc_of(th)->mc.rax = rax;
}

static void general_regs(const struct sigcontext *from, struct plat_regs *r)
{
	const struct sigcontext mc = *from;

	*r = (struct plat_regs){
		.r8 = mc.r8, .r9 = mc.r9, .r10 = mc.r10, .r11 = mc.r11, .r12 = mc.r12,
		.r13 = mc.r13, .r14 = mc.r14, .r15 = mc.r15, .rdi = mc.rdi, .rsi = mc.rsi,
		.rbp = mc.rbp, .rbx = mc.rbx, .rdx = mc.rdx, .rax = mc.rax, .rcx = mc.rcx,
		.rsp = mc.rsp, .rip = mc.rip, .eflags = mc.eflags,
	};
}

void frame_peek(const struct plat_thread *th, struct plat_regs *out)
{
	struct sigcontext mc;

	memcpy(&mc, &uc_of(th)->mc, sizeof(mc));
	general_regs(&mc, out);
}

bool frame_load(struct plat_thread *th)
{
	struct sigcontext mc;

	if (!frame_find(th))
		return false;
	memcpy(&mc, &uc_of(th)->mc, sizeof(mc));
	general_regs(&mc, &th->regs);
	load_fp(th, (uint64_t)(uintptr_t)mc.fpstate);
	return true;
}

void frame_store(struct plat_thread *th)
{
	struct sigcontext *mc = &uc_of(th)->mc;
	const struct plat_regs *r = &th->regs;

	mc->r8 = r->r8, mc->r9 = r->r9, mc->r10 = r->r10, mc->r11 = r->r11;
	mc->r12 = r->r12, mc->r13 = r->r13, mc->r14 = r->r14, mc->r15 = r->r15;
	mc->rdi = r->rdi, mc->rsi = r->rsi, mc->rbp = r->rbp, mc->rbx = r->rbx;
	mc->rdx = r->rdx, mc->rax = r->rax, mc->rcx = r->rcx, mc->rsp = r->rsp;
	mc->rip = r->rip, mc->eflags = r->eflags;
}

/* The frame a new thread starts from: at a fixed place in its slot, FPU area (if it
 * has one already, see frame_copy_fp) above it. */
void frame_make(struct plat_thread *th)
{
	uint64_t at = NEW_FRAME_OFF;
	struct kuc *k;

	memset((uint8_t *)th->slot + at, 0, FRAME_SP_OFF + sizeof(*k));
	th->uc_off = at + FRAME_SP_OFF;
	k = uc_of(th);
	k->uc_flags = UC_FLAGS;
	k->uc_stack.ss_sp = (void *)(uintptr_t)(th->slot_guest + STUB_SIGSTACK_OFF);
	k->uc_stack.ss_size = STUB_SLOT_SIZE - STUB_SIGSTACK_OFF;
	k->mc.cs = 0x33;
	k->mc.ss = 0x2b;
	k->mc.fpstate = th->fp_off ? (void *)(uintptr_t)(th->slot_guest + th->fp_off) : NULL;
	th->slot->sigframe = th->slot_guest + th->uc_off;
}

/* Give the child the parent's FPU state: above the place of its first frame. */
int frame_copy_fp(struct plat_thread *to, const struct plat_thread *from)
{
	uint64_t at = (NEW_FRAME_OFF + 0x800) & ~63UL;

	to->fp_off = 0;
	to->fp_len = 0;
	if (!from->fp_off || STUB_SLOT_SIZE - at < from->fp_len + 1024)
		return 0;
	memcpy((uint8_t *)to->slot + at, (const uint8_t *)from->slot + from->fp_off,
	       from->fp_len);
	to->fp_off = at;
	to->fp_len = from->fp_len;
	return 0;
}

/* ---- the FPU image ---- */

size_t fpstate_capture(const void *fpregs, void *out, size_t max)
{
	const struct _fpstate_64 *fp = fpregs;

	if (!fp || fp->sw_reserved.magic1 != FP_XSTATE_MAGIC1 || fp->sw_reserved.extended_size > max)
		return 0;
	memcpy(out, fp, fp->sw_reserved.extended_size);
	return fp->sw_reserved.extended_size;
}

void fpstate_make_initial(void *image)
{
	struct _fpstate_64 *fp = image;
	struct _xstate *xs = image;

	memset(fp, 0, offsetof(struct _fpstate_64, sw_reserved));
	fp->cwd = 0x37f;
	fp->mxcsr = 0x1f80;
	fp->mxcsr_mask = 0xffff;
	memset(&xs->xstate_hdr, 0, sizeof(xs->xstate_hdr));
}

size_t frame_get_fpstate(struct plat_thread *th, void *buf, size_t size)
{
	const struct unotify *u = th->as->u;
	const void *src = th->fp_off ? (const uint8_t *)th->slot + th->fp_off : u->fp_init;
	size_t len = th->fp_off ? th->fp_len : u->fp_init_len;

	if (len > size)
		return 0;
	memcpy(buf, src, len);
	return len;
}

/* Where a frame's FPU pointer is: ucontext, 40 bytes to the sigcontext, 23 words. */
static uint64_t *fp_pointer(struct plat_thread *th)
{
	return (uint64_t *)(void *)((uint8_t *)th->slot + th->uc_off + 40 +
				    offsetof(struct sigcontext, fpstate));
}

int frame_set_fpstate(struct plat_thread *th, const void *buf, size_t len)
{
	const struct unotify *u = th->as->u;
	const struct _fpstate_64 *fp = buf;
	uint64_t at = NEW_FRAME_OFF + 0x1000; /* below any frame, above the new thread's first one */
	uint32_t magic2;

	if (!buf) {
		th->fp_off = 0;
		if (!th->hello)
			*fp_pointer(th) = 0;
		return 0;
	}
	if (len != u->fp_init_len || fp->sw_reserved.magic1 != FP_XSTATE_MAGIC1 ||
	    fp->sw_reserved.extended_size != len || fp->sw_reserved.xstate_size > len - 4)
		return -EINVAL;
	memcpy(&magic2, (const uint8_t *)buf + fp->sw_reserved.xstate_size, 4);
	if (magic2 != FP_XSTATE_MAGIC2)
		return -EINVAL;
	if (th->fp_off && th->fp_len == len)
		at = th->fp_off;
	memcpy((uint8_t *)th->slot + at, buf, len);
	th->fp_off = at;
	th->fp_len = len;
	if (!th->hello)
		*fp_pointer(th) = th->slot_guest + at;
	return 0;
}

