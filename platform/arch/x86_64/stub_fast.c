/* Fast calls in the stub: a rewritten call site jumps here, the call is left in the slot for
 * a sentry's thread that polls, and this thread polls for the answer. Nothing enters the
 * host. fast_host.c is the other side, and platform/unotify/README.md tells the whole.
 *
 * Everything lies in the section .fast: a signal that interrupts it finds the guest's
 * registers elsewhere than in its frame. A kick is noted, and reported when the call has
 * ended (stub_fast_kick); a fault while guest memory is copied ends the copy; whatever is
 * not in order makes the call the slow way. */
#include "platform/arch/x86_64/stub_impl.h"

#define FAST __attribute__((section(".fast"), used))

#define SIGILL_ 4
#define SIGBUS_ 7
#define SIGSEGV_ 11

/* Looks at the slot: until an unanswered call is taken back, until this thread gives way to
 * others between them, and until it sleeps. */
#define LOOKS_POSTED 400
#define LOOKS_BUSY 300
#define LOOKS_YIELDING 3000

/* Hidden, or the linker makes link-time addresses of them. */
#pragma GCC visibility push(hidden)
extern char stub_fast[], stub_fast_saved[], stub_fast_tail[], stub_fast_kick[], stub_fast_end[];
extern char stub_fast_copying[], stub_fast_copied[], stub_fast_fault[];
extern char stub_fast_lo[];
extern char stub_fast_hi[];
long stub_copy(void *to, const void *from, uint64_t n);
long stub_copy_str(void *to, const void *from, uint64_t max);
long stub_fast_call(struct stub_fast *f);
#pragma GCC visibility pop

_Static_assert(offsetof(struct stub_fast, arg) == 32 && offsetof(struct stub_fast, site) == 80 &&
	       offsetof(struct stub_fast, result) == 96 && STUB_FAST_OFF == 0x2000 &&
	       STUB_FAST_STACK == 0x4000 && STUB_FAST_MAGIC == 0x46415354 &&
	       offsetof(struct stub_site, ret) - offsetof(struct stub_site, slow) == 8,
	       "the assembly below");

/* Entered by a site's code with the call's number in rax and the address of its slow way in
 * rcx; the guest's stack is left alone. */
__asm__(".pushsection .fast,\"ax\",@progbits\n"
	".globl stub_fast, stub_fast_saved, stub_fast_tail, stub_fast_kick, stub_fast_end\n"
	".hidden stub_fast, stub_fast_saved, stub_fast_tail, stub_fast_kick, stub_fast_end\n"
	"stub_fast:\n\t"
	"cmpl $0x46415354, %gs:0x2000\n\t"
	"jne 1f\n\t"
	"cmpl $0, %gs:0x2004\n\t"
	"je 1f\n\t"
	"mov %rdi, %gs:0x2020\n\t"
	"mov %rsi, %gs:0x2028\n\t"
	"mov %rdx, %gs:0x2030\n\t"
	"mov %r10, %gs:0x2038\n\t"
	"mov %r8, %gs:0x2040\n\t"
	"mov %r9, %gs:0x2048\n\t"
	"mov %rax, %gs:0x2018\n\t"
	"mov %rcx, %gs:0x2050\n\t"
	"mov %rsp, %gs:0x2058\n\t"
	"mov %gs:0x2010, %rdi\n"
	"stub_fast_saved:\n\t"
	"lea 0x2000(%rdi), %rsp\n\t"
	"call stub_fast_call\n\t"
	"mov %gs:0x2020, %rdi\n\t"
	"mov %gs:0x2028, %rsi\n\t"
	"mov %gs:0x2030, %rdx\n\t"
	"mov %gs:0x2038, %r10\n\t"
	"mov %gs:0x2040, %r8\n\t"
	"mov %gs:0x2048, %r9\n\t"
	"mov %gs:0x2050, %rcx\n\t"
	"mov %gs:0x2058, %rsp\n\t"
	"test %eax, %eax\n\t"
	"mov %gs:0x2018, %rax\n\t"
	"jz 1f\n\t"
	"mov %gs:0x2060, %rax\n"
	"stub_fast_tail:\n\t" /* from here on as after the call */
	"cmpl $0, %gs:0x2008\n\t"
	"jne 2f\n\t"
	"jmp *8(%rcx)\n"
	"2:\n\t"
	"movl $0, %gs:0x2008\n"
	"stub_fast_kick:\n\t"
	"ud2\n"
	"stub_fast_end:\n"
	"1:\n\t"
	"jmp *%rcx\n"
	".popsection\n");

/* Copies between the guest's memory and the slot: 0, or -1 after a fault. The string's:
 * bytes with its NUL, 0 when there is none within max, -1. */
__asm__(".pushsection .fast,\"ax\",@progbits\n"
	".globl stub_copy, stub_copy_str, stub_fast_copying, stub_fast_copied, stub_fast_fault\n"
	".hidden stub_copy, stub_copy_str, stub_fast_copying, stub_fast_copied, stub_fast_fault\n"
	"stub_fast_copying:\n"
	"stub_copy:\n\t"
	"mov %rdx, %rcx\n\t"
	"rep movsb\n\t"
	"xor %eax, %eax\n\t"
	"ret\n"
	"stub_copy_str:\n\t"
	"xor %eax, %eax\n"
	"1:\n\t"
	"cmp %rdx, %rax\n\t"
	"jae 2f\n\t"
	"movzbl (%rsi,%rax), %ecx\n\t"
	"mov %cl, (%rdi,%rax)\n\t"
	"inc %rax\n\t"
	"test %cl, %cl\n\t"
	"jnz 1b\n\t"
	"ret\n"
	"2:\n\t"
	"xor %eax, %eax\n\t"
	"ret\n"
	"stub_fast_copied:\n"
	"stub_fast_fault:\n\t"
	"mov $-1, %rax\n\t"
	"ret\n"
	".popsection\n");

/* The call's obvious arguments. False: they cannot be read, let the sentry say so. */
FAST static int bring(struct stub_fast *f, char *in)
{
	unsigned kind = f->nr < STUB_KINDS ? config()->fast_kind[f->nr] : 0;
	long n;

	f->in_len = 0;
	if (!(kind & STUB_KIND_DIRECT) ||
	    ((kind & STUB_KIND_SMALL) && f->arg[2] >= STUB_FAST_BIG))
		return 0;
	kind &= ~(STUB_KIND_DIRECT | STUB_KIND_SMALL);
	switch (kind) {
	case STUB_KIND_PATH0:
	case STUB_KIND_PATH1:
		f->in_addr = f->arg[kind - STUB_KIND_PATH0];
		n = stub_copy_str(in, (const void *)f->in_addr, STUB_FAST_IN);
		if (n < 0)
			return 0;
		f->in_len = (uint32_t)n;
		return 1;
	case STUB_KIND_BUF1:
		if (f->arg[2] > STUB_FAST_IN)
			return 1;
		f->in_addr = f->arg[1];
		if (stub_copy(in, (const void *)f->in_addr, f->arg[2]))
			return 0;
		f->in_len = (uint32_t)f->arg[2];
		return 1;
	default:
		return 1;
	}
}

FAST static int swap(struct stub_fast *f, uint32_t from, uint32_t to)
{
	return __atomic_compare_exchange_n(&f->state, &from, to, 0, __ATOMIC_SEQ_CST,
					   __ATOMIC_SEQ_CST);
}

/* Poll for the answer, then sleep for it. False: nobody took the call. */
FAST static int await(struct stub_fast *f)
{
	unsigned looks = 0;

	for (;;) {
		uint32_t st = __atomic_load_n(&f->state, __ATOMIC_ACQUIRE);

		if (st == STUB_FAST_DONE)
			return 1;
		looks++;
		if (st == STUB_FAST_POSTED) {
			if (looks > LOOKS_POSTED && swap(f, STUB_FAST_POSTED, STUB_FAST_IDLE))
				return 0;
		} else if (looks > LOOKS_BUSY + LOOKS_YIELDING ||
			   *(volatile uint32_t *)&f->sleep) {
			if (!swap(f, STUB_FAST_TAKEN, STUB_FAST_WAITING))
				continue;
			f->result = sys6(STUB_MAGIC_NR, STUB_WAIT, 0, 0, 0, 0, 0);
			return 1;
		} else if (looks > LOOKS_BUSY) {
			sys6(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
		}
		__asm__ volatile("pause");
	}
}

/* 1: the result is in the slot; 0: the call is to be made the slow way. */
FAST long stub_fast_call(struct stub_fast *f)
{
	char *in = (char *)f + (STUB_FAST_STACK - STUB_FAST_OFF), *out = in + STUB_FAST_IN;

	f->nout = 0;
	f->sleep = 0;
	if (!bring(f, in))
		goto slow;
	__atomic_store_n(&f->state, STUB_FAST_POSTED, __ATOMIC_SEQ_CST);
	if (!await(f))
		goto slow;
	f->state = STUB_FAST_IDLE;
	for (unsigned i = 0; i < f->nout && i < STUB_FAST_OUTS; i++) {
		uint32_t off = f->out[i].off, len = f->out[i].len;

		if (off <= STUB_FAST_OUT && len <= STUB_FAST_OUT - off &&
		    stub_copy((void *)f->out[i].addr, out + off, len))
			f->result = -14 /* EFAULT */;
	}
	return 1;
slow:
	f->kick = 0; /* the slow call is a trap by itself */
	return 0;
}

static uint64_t *reg(void *uc, unsigned off)
{
	return (uint64_t *)(void *)((char *)uc + off);
}

int stub_fast_signal(int *sig, void *uc)
{
	uint64_t *rip = reg(uc, UC_RIP_OFF), rcx = *reg(uc, UC_RCX_OFF);
	const char *at = (const char *)*rip;

	if (at < stub_fast_lo || at >= stub_fast_hi)
		return 0;
	if (at >= stub_fast_tail && at < stub_fast_end) {
		*rip = *(const uint64_t *)(rcx + 8);
		if (at == stub_fast_kick && *sig == SIGILL_)
			*sig = STUB_KICK_SIGNAL;
		return 0;
	}
	if (*sig == STUB_KICK_SIGNAL) {
		struct stub_slot *s = (struct stub_slot *)((uintptr_t)__builtin_frame_address(0) &
							   ~STUB_SLOT_MASK);

		((struct stub_fast *)((char *)s + STUB_FAST_OFF))->kick = 1;
		return 1;
	}
	if (*sig != SIGSEGV_ && *sig != SIGBUS_)
		return 0;
	if (at >= stub_fast_copying && at < stub_fast_copied) {
		*rip = (uint64_t)stub_fast_fault;
		return 1;
	}
	if (at >= stub_fast && at < stub_fast_saved) { /* GS is the guest's */
		*rip = rcx;
		return 1;
	}
	return 0;
}
