/* The signal frame: its layout, the whole extended state in it, alternate stacks, and
 * what rt_sigreturn(2) makes of frames that a handler has spoilt. */
#include "tests/harness/guest.h"

#include <cpuid.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <ucontext.h>

#define MAGIC1 0x46505853u
#define MAGIC2 0x46505845u

struct sw_bytes { /* the last 48 bytes of the FXSAVE area */
	uint32_t magic1, extended_size;
	uint64_t xfeatures;
	uint32_t xstate_size, padding[7];
};

static volatile int handled;
static struct {
	uint64_t flags, xfeatures, header[8];
	struct sw_bytes sw;
	uint32_t magic2;
	uint64_t frame, fp, uc, info;
	uint16_t cs, ss;
	stack_t stack;
} seen;

static void handle(int sig, void (*fn)(int, siginfo_t *, void *), int flags)
{
	struct sigaction sa = { .sa_sigaction = fn, .sa_flags = SA_SIGINFO | flags };

	CHECK(sigaction(sig, &sa, NULL) == 0);
}

static void on_look(int sig, siginfo_t *si, void *p)
{
	ucontext_t *uc = p;
	uint8_t *fp = (uint8_t *)uc->uc_mcontext.fpregs;

	(void)sig;
	seen.flags = uc->uc_flags;
	seen.uc = (uint64_t)uc;
	seen.info = (uint64_t)si;
	seen.fp = (uint64_t)fp;
	seen.cs = (uint16_t)(uc->uc_mcontext.gregs[REG_CSGSFS] & 0xffff);
	seen.ss = (uint16_t)((uint64_t)uc->uc_mcontext.gregs[REG_CSGSFS] >> 48);
	seen.stack = uc->uc_stack;
	memcpy(&seen.sw, fp + 464, sizeof(seen.sw));
	memcpy(seen.header, fp + 512, sizeof(seen.header));
	memcpy(&seen.magic2, fp + seen.sw.xstate_size, 4);
	handled++;
}

CASE(frame_layout, "rt_sigreturn,rt_sigaction")
{
	unsigned a, b, c, d;

	handle(SIGUSR1, on_look, 0);
	raise(SIGUSR1);
	CHECK_EQ(handled, 1);
	CHECK_EQ(seen.flags, 7);	/* FP_XSTATE, SIGCONTEXT_SS, STRICT_RESTORE_SS */
	CHECK_EQ(seen.cs, 0x33);
	CHECK_EQ(seen.ss, 0x2b);
	CHECK_EQ(seen.fp & 63, 0);
	CHECK_EQ(seen.uc & 15, 0);	/* after the return address */
	CHECK_EQ(seen.info, seen.uc + 304);
	CHECK_EQ(seen.sw.magic1, MAGIC1);
	CHECK_EQ(seen.magic2, MAGIC2);
	CHECK_EQ(seen.sw.extended_size, seen.sw.xstate_size + 4);
	CHECK(__get_cpuid_count(13, 0, &a, &b, &c, &d));
	CHECK_EQ(seen.sw.xstate_size, b);
	CHECK((seen.sw.xfeatures & 3) == 3);
	/* XSTATE_BV is part of what may be there; no compaction; the rest is zero. */
	CHECK_EQ(seen.header[0] & ~seen.sw.xfeatures, 0);
	for (int i = 1; i < 8; i++)
		CHECK_EQ(seen.header[i], 0);
	CHECK_EQ(seen.stack.ss_flags, 0); /* as stored: never set */
}

CASE(minimum_stack_is_told, "sigaltstack")
{
	/* Room for the frame as it is on this machine. */
	unsigned long min = getauxval(AT_MINSIGSTKSZ);

	handle(SIGUSR1, on_look, 0);
	raise(SIGUSR1);
	CHECK(min >= seen.sw.extended_size + 440 + 128);
	CHECK(min < seen.sw.extended_size + 440 + 1024);
}

/* ---- extended state ---- */

static void clobber_512(void)
{
	__asm__ volatile("vpxord %%zmm0, %%zmm0, %%zmm0\n\tvpxord %%zmm5, %%zmm5, %%zmm5\n\t"
			 "vpxord %%zmm16, %%zmm16, %%zmm16\n\tvpxord %%zmm31, %%zmm31, %%zmm31\n\t"
			 "kxnorw %%k1, %%k1, %%k1\n\tkxnorw %%k7, %%k7, %%k7" ::: "memory");
}

static void on_clobber(int sig, siginfo_t *si, void *p)
{
	(void)sig;
	(void)si;
	(void)p;
	clobber_512();
	handled++;
}

static bool has_avx512(void)
{
	unsigned a, b, c, d;

	return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b >> 16 & 1) && (b >> 30 & 1);
}

/* call 1: kill(2) from inside; 0: spin until `handled` moves. */
__attribute__((target("avx512f,avx512bw"))) static void across_avx512(int call)
{
	static uint8_t in[4][64] __attribute__((aligned(64)));
	static uint8_t out[4][64] __attribute__((aligned(64)));
	uint64_t k1 = 0x0123456789abcdefULL, k7 = 0xfedcba9876543210ULL, o1, o7;
	long pid = getpid();
	int start = handled;

	for (int i = 0; i < 4; i++)
		for (int j = 0; j < 64; j++)
			in[i][j] = (uint8_t)(i * 64 + j + 1);
	memset(out, 0, sizeof(out));
	__asm__ volatile("vmovdqa64 (%[in]), %%zmm0\n\t"
			 "vmovdqa64 64(%[in]), %%zmm5\n\t"
			 "vmovdqa64 128(%[in]), %%zmm16\n\t"
			 "vmovdqa64 192(%[in]), %%zmm31\n\t"
			 "kmovq %[k1], %%k1\n\tkmovq %[k7], %%k7\n\t"
			 "test %[call], %[call]\n\tjz 1f\n\t"
			 "mov $62, %%eax\n\tmov %[pid], %%rdi\n\tmov $10, %%esi\n\tsyscall\n\t"
			 "jmp 2f\n"
			 "1:\tpause\n\tmov %[h], %%eax\n\tcmp %[start], %%eax\n\tje 1b\n"
			 "2:\tvmovdqa64 %%zmm0, (%[out])\n\t"
			 "vmovdqa64 %%zmm5, 64(%[out])\n\t"
			 "vmovdqa64 %%zmm16, 128(%[out])\n\t"
			 "vmovdqa64 %%zmm31, 192(%[out])\n\t"
			 "kmovq %%k1, %[o1]\n\tkmovq %%k7, %[o7]\n\t"
			 : [o1] "=&r"(o1), [o7] "=&r"(o7)
			 : [in] "r"(in), [out] "r"(out), [k1] "r"(k1), [k7] "r"(k7),
			   [call] "r"(call), [pid] "r"(pid), [h] "m"(handled), [start] "r"(start)
			 : "rax", "rcx", "rdi", "rsi", "r11", "memory", "xmm0", "xmm5", "xmm16",
			   "xmm31", "k1", "k7");
	CHECK(handled > start);
	CHECK(!memcmp(in, out, sizeof(in)));
	CHECK_EQ(o1, k1);
	CHECK_EQ(o7, k7);
}

CASE(avx512_survives_a_handler, "rt_sigreturn,kill")
{
	if (!has_avx512())
		SKIP("no AVX-512 here");
	handle(SIGUSR1, on_clobber, 0);
	for (int i = 0; i < 20; i++)
		across_avx512(1);
}

CASE(avx512_survives_interruptions, "rt_sigreturn,setitimer")
{
	struct { struct { long s, us; } i, v; } it = { { 0, 1000 }, { 0, 1000 } };

	if (!has_avx512())
		SKIP("no AVX-512 here");
	handle(SIGALRM, on_clobber, 0);
	CHECK(syscall(SYS_setitimer, 0, &it, NULL) == 0);
	for (int i = 0; i < 50; i++)
		across_avx512(0);
}

CASE(avx512_survives_calls_and_fork, "fork,getppid")
{
	static uint8_t in[64], out[64];

	if (!has_avx512())
		SKIP("no AVX-512 here");
	memset(in, 0x5a, sizeof(in));
	__asm__ volatile("vmovdqu64 (%0), %%zmm20\n\tmov $57, %%eax\n\tsyscall\n\t"
			 "vmovdqu64 %%zmm20, (%1)\n\ttest %%eax, %%eax\n\tjnz 1f\n\t"
			 "mov $60, %%eax\n\tmovzbl 63(%1), %%edi\n\tsyscall\n1:\t"
			 ::"r"(in), "r"(out) : "rax", "rcx", "rdi", "r11", "memory");
	CHECK(!memcmp(in, out, sizeof(in)));
	int st;

	CHECK(wait(&st) > 0);
	CHECK_EQ(WEXITSTATUS(st), 0x5a);
}

/* A handler may change what is in the frame: ZMM_Hi256 of register 0 lies where CPUID
 * says; the upper half of YMM 0, too. */
static unsigned comp_offset(unsigned n)
{
	unsigned a, b = 0, c, d;

	__get_cpuid_count(13, n, &a, &b, &c, &d);
	return b;
}

static void on_change(int sig, siginfo_t *si, void *p)
{
	uint8_t *fp = (uint8_t *)((ucontext_t *)p)->uc_mcontext.fpregs;

	(void)sig;
	(void)si;
	((uint64_t *)(void *)(fp + 512))[0] |= 7;
	memset(fp + 160, 0x11, 16);		/* XMM0 */
	memset(fp + comp_offset(2), 0x22, 16);	/* YMM0's upper half */
	handled++;
}

CASE(handler_sets_upper_halves, "rt_sigreturn,kill")
{
	static uint8_t out[32];
	long pid = getpid();

	handle(SIGUSR1, on_change, 0);
	__asm__ volatile("vzeroall\n\tmov $62, %%eax\n\tmov %0, %%rdi\n\tmov $10, %%esi\n\tsyscall\n\t"
			 "vmovdqu %%ymm0, (%1)\n\tvzeroupper"
			 ::"r"(pid), "r"(out) : "rax", "rcx", "rdi", "rsi", "r11", "memory", "xmm0");
	CHECK_EQ(out[0], 0x11);
	CHECK_EQ(out[15], 0x11);
	CHECK_EQ(out[16], 0x22);
	CHECK_EQ(out[31], 0x22);
}

/* ---- spoilt frames ---- */

static int spoil;
static void *other_fp;

static void on_spoil(int sig, siginfo_t *si, void *p)
{
	ucontext_t *uc = p;
	greg_t *g = uc->uc_mcontext.gregs;
	uint8_t *fp = (uint8_t *)uc->uc_mcontext.fpregs;
	struct sw_bytes *sw = (void *)(fp + 464);
	uint64_t *hdr = (void *)(fp + 512);

	(void)sig;
	(void)si;
	handled++;
	switch (spoil) {
	case 0: g[REG_RIP] = 0x800000000000; break;		/* not canonical */
	case 1: g[REG_RIP] = (greg_t)0xffffffff81000000; break;	/* the kernel's */
	case 2: g[REG_CSGSFS] = (g[REG_CSGSFS] & ~0xffffL) | 0x10; break; /* kernel code */
	case 3: g[REG_CSGSFS] = (g[REG_CSGSFS] & ~0xffffL) | 0x2b; break; /* data */
	case 4: g[REG_CSGSFS] = (g[REG_CSGSFS] & 0xffffffffffffL) | 0x33L << 48; break;
	case 5: g[REG_CSGSFS] = (g[REG_CSGSFS] & ~0xffffL); break;	/* null */
	case 6: uc->uc_mcontext.fpregs = (void *)0x10; break;	/* unmapped */
	case 7: uc->uc_mcontext.fpregs = (void *)0xffffffff81000000; break;
	case 8: uc->uc_mcontext.fpregs = (void *)(fp + 1); break;	/* not aligned */
	case 9: hdr[0] = ~0ULL; break;
	case 10: hdr[1] = 1ULL << 63; break;			/* compacted */
	case 11: hdr[3] = 1; break;
	case 12: ((uint32_t *)(void *)fp)[6] = ~0u; break;	/* MXCSR */
	case 13: sw->magic1 = 0; break;			/* FXSAVE only */
	case 14: sw->xstate_size = 0xffffffff; break;
	case 15: sw->extended_size = 1; break;
	case 16: sw->xfeatures = ~0ULL; break;
	case 17: *(uint32_t *)(void *)(fp + sw->xstate_size) = 0; break;
	case 18: uc->uc_mcontext.fpregs = NULL; break;
	case 19: uc->uc_flags = 0; break;
	case 20: uc->uc_flags = ~0UL; break;
	case 21: g[REG_EFL] = ~0L & ~0x100L & ~0x4000L & ~0x40000L & ~0x10000L; break;
	case 22: uc->uc_stack.ss_flags = 0x12345; break;
	case 23: uc->uc_stack.ss_sp = (void *)~0UL; uc->uc_stack.ss_flags = 0; break;
	case 24: memset(&uc->uc_sigmask, 0xff, 8); break;
	case 25: g[REG_RSP] = 8; g[REG_RBP] = 1; g[REG_RIP] = 0; break;
	case 26: g[REG_CSGSFS] = (g[REG_CSGSFS] & ~0xffffL) | 0x30; break; /* wrong ring */
	case 27: g[REG_CSGSFS] = (g[REG_CSGSFS] & 0xffffffffffffL) | 0L << 48; break; /* ss 0 */
	case 28: g[REG_CSGSFS] = (g[REG_CSGSFS] & 0xffffffffffffL) | 0x28L << 48; break;
	case 29: sw->magic1 = 0; hdr[1] = ~0ULL; break;
	case 30: sw->xfeatures = 3; break;	/* XMM only */
	case 31: sw->xstate_size = 832; *(uint32_t *)(void *)(fp + 832) = MAGIC2;
		sw->extended_size = 836; break;
	case 32: uc->uc_mcontext.fpregs = other_fp; memset(other_fp, 0xff, 4096); break;
	case 33: g[REG_EFL] |= 0x100; break;	/* TF: one step, then SIGTRAP */
	case 34: g[REG_CSGSFS] |= 0xffffffff0000L; break; /* gs, fs: not looked at */
	default: break;
	}
}

static void on_segv(int sig, siginfo_t *si, void *p)
{
	(void)p;
	if (si->si_code != SI_KERNEL && si->si_code != SEGV_MAPERR)
		_exit(99);
	_exit(100 + (si->si_code == SI_KERNEL) * 10 + sig % 10);
}

/* What Linux does with each: 0 goes on, 111 SIGSEGV from the kernel, 101 a page fault. */
static const struct { int result; const char *what; } spoils[] = {
	[0] = { 111, "non-canonical rip" }, [1] = { 101, "kernel rip" },
	[2] = { 111, "kernel cs" }, [3] = { 111, "data cs" }, [4] = { 111, "code ss" },
	[5] = { 111, "null cs" }, [6] = { 111, "unmapped fpstate" },
	[7] = { 111, "kernel fpstate" }, [8] = { 111, "unaligned fpstate" },
	[9] = { 111, "unknown features" }, [10] = { 111, "compacted" },
	[11] = { 0, "reserved header bytes" }, [12] = { 111, "bad mxcsr" },
	[13] = { 0, "fxsave frame" }, [14] = { 0, "huge xstate_size" },
	[15] = { 0, "small extended_size" }, [16] = { 0, "all xfeatures" },
	[17] = { 0, "no trailer" }, [18] = { 0, "no fpstate" }, [19] = { 0, "no uc_flags" },
	[20] = { 0, "all uc_flags" }, [21] = { 0, "all eflags" }, [22] = { 0, "bad stack flags" },
	[23] = { 0, "bad stack" }, [24] = { 0, "full mask" }, [25] = { 101, "null registers" },
	[26] = { 0, "rpl 0" }, [27] = { 111, "null ss" }, [28] = { 0, "ss rpl 0" },
	[29] = { 0, "fxsave frame, odd header" }, [30] = { 0, "fewer xfeatures" },
	[31] = { 0, "smaller xstate" }, [32] = { 111, "garbage image" },
	[33] = { 205, "single step" }, [34] = { 0, "odd gs and fs" },
};

static void on_trap(int sig, siginfo_t *si, void *p)
{
	(void)p;
	_exit(sig == SIGTRAP && si->si_code == TRAP_TRACE ? 205 : 98);
}

CASE(spoilt_frames, "rt_sigreturn,kill")
{
	other_fp = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < (int)(sizeof(spoils) / sizeof(spoils[0])); i++) {
		int st = IN_CHILD({
			stack_t ss = { .ss_sp = malloc(65536), .ss_size = 65536 };

			sigaltstack(&ss, NULL);
			handle(SIGUSR1, on_spoil, 0);
			handle(SIGSEGV, on_segv, SA_ONSTACK | SA_NODEFER);
			handle(SIGTRAP, on_trap, SA_ONSTACK);
			spoil = i;
			syscall(SYS_tkill, syscall(SYS_gettid), SIGUSR1);
			syscall(SYS_getppid);
			_exit(handled == 1 ? 0 : 97);
		});

		if (!WIFEXITED(st) || WEXITSTATUS(st) != spoils[i].result)
			guest_fail(__FILE__, __LINE__, "%s: status %#x, not %d", spoils[i].what,
				   st, spoils[i].result);
	}
}

CASE(return_without_a_frame, "rt_sigreturn")
{
	int st = IN_CHILD({
		__asm__ volatile("mov $16, %%rsp\n\tmov $15, %%eax\n\tsyscall\n\thlt" ::: "memory");
	});

	CHECK(WIFSIGNALED(st));
	CHECK_EQ(WTERMSIG(st), SIGSEGV);
}

/* ---- alternate stacks ---- */

static uint8_t *stack_lo;
static size_t stack_size;

static void on_stack(int sig, siginfo_t *si, void *p)
{
	uint8_t here;
	ucontext_t *uc = p;
	stack_t now;

	(void)sig;
	(void)si;
	handled++;
	if (&here < stack_lo || &here >= stack_lo + stack_size)
		handled += 100;
	sigaltstack(NULL, &now);
	seen.stack = now;
	seen.flags = (uint64_t)uc->uc_stack.ss_flags;
	if (handled == 1 && sig == SIGUSR1)
		raise(SIGUSR2); /* nested, on the same stack */
}

CASE(autodisarm, "sigaltstack,rt_sigreturn")
{
	stack_t ss = { .ss_size = 65536, .ss_flags = (int)(1u << 31) }, now;

	stack_size = 65536;
	stack_lo = ss.ss_sp = malloc(65536);
	handle(SIGUSR1, on_stack, SA_ONSTACK);
	handle(SIGUSR2, on_look, 0);
	CHECK(sigaltstack(&ss, NULL) == 0);
	raise(SIGUSR1);
	CHECK_EQ(handled, 2);
	CHECK_EQ((uint32_t)seen.stack.ss_flags, SS_DISABLE); /* while the handler runs */
	CHECK(sigaltstack(NULL, &now) == 0);
	CHECK_EQ((uint32_t)now.ss_flags, 1u << 31); /* back again */
	CHECK(now.ss_sp == ss.ss_sp);
}

CASE(too_small_a_stack, "sigaltstack")
{
	int st = IN_CHILD({
		static uint8_t area[8192];
		stack_t ss = { .ss_sp = area + 4096, .ss_size = 2048 };

		CHECK(sigaltstack(&ss, NULL) == 0);
		handle(SIGUSR1, on_stack, SA_ONSTACK);
		raise(SIGUSR1);
	});

	if (getauxval(AT_MINSIGSTKSZ) <= 2048)
		SKIP("the frame fits");
	CHECK(WIFSIGNALED(st));
	CHECK_EQ(WTERMSIG(st), SIGSEGV);
}

CASE(stack_of_a_child, "sigaltstack,fork,clone")
{
	stack_t ss = { .ss_sp = malloc(65536), .ss_size = 65536 }, now;

	CHECK(sigaltstack(&ss, NULL) == 0);
	CHECK_EQ(IN_CHILD({
		/* fork keeps it */
		CHECK(sigaltstack(NULL, &now) == 0);
		CHECK(now.ss_sp == ss.ss_sp && now.ss_flags == 0);
	}), 0);
	pid_t p = vfork(); /* CLONE_VM|CLONE_VFORK keeps it, too */

	if (p == 0) {
		sigaltstack(NULL, &now);
		_exit(now.ss_flags);
	}
	int st;

	CHECK(waitpid(p, &st, 0) == p);
	CHECK_EQ(st, 0);
}

CASE(handler_without_restorer, "rt_sigaction")
{
	int st = IN_CHILD({
		struct { void *h; unsigned long f; void *r; uint64_t m; } sa = { (void *)on_look, 4, NULL, 0 };

		CHECK(syscall(SYS_rt_sigaction, SIGUSR1, &sa, NULL, 8) == 0);
		raise(SIGUSR1);
	});

	CHECK(WIFSIGNALED(st));
	CHECK_EQ(WTERMSIG(st), SIGSEGV);
}

MAIN()
