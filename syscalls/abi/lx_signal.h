/* Signals as the guest sees them: numbers, codes, structures, the x86-64 frame. */
#ifndef SYSCALLS_ABI_LX_SIGNAL_H
#define SYSCALLS_ABI_LX_SIGNAL_H

#include <stdint.h>

#define LX_SIGHUP 1
#define LX_SIGINT 2
#define LX_SIGQUIT 3
#define LX_SIGILL 4
#define LX_SIGTRAP 5
#define LX_SIGABRT 6
#define LX_SIGBUS 7
#define LX_SIGFPE 8
#define LX_SIGKILL 9
#define LX_SIGUSR1 10
#define LX_SIGSEGV 11
#define LX_SIGUSR2 12
#define LX_SIGPIPE 13
#define LX_SIGALRM 14
#define LX_SIGTERM 15
#define LX_SIGSTKFLT 16
#define LX_SIGCHLD 17
#define LX_SIGCONT 18
#define LX_SIGSTOP 19
#define LX_SIGTSTP 20
#define LX_SIGTTIN 21
#define LX_SIGTTOU 22
#define LX_SIGURG 23
#define LX_SIGXCPU 24
#define LX_SIGXFSZ 25
#define LX_SIGVTALRM 26
#define LX_SIGPROF 27
#define LX_SIGWINCH 28
#define LX_SIGIO 29
#define LX_SIGPWR 30
#define LX_SIGSYS 31
#define LX_SIGRTMIN 32

#define LX_SIG_DFL 0ULL
#define LX_SIG_IGN 1ULL

#define LX_SA_NOCLDSTOP 0x00000001ULL
#define LX_SA_NOCLDWAIT 0x00000002ULL
#define LX_SA_SIGINFO 0x00000004ULL
#define LX_SA_UNSUPPORTED 0x00000400ULL
#define LX_SA_EXPOSE_TAGBITS 0x00000800ULL
#define LX_SA_RESTORER 0x04000000ULL
#define LX_SA_ONSTACK 0x08000000ULL
#define LX_SA_RESTART 0x10000000ULL
#define LX_SA_NODEFER 0x40000000ULL
#define LX_SA_RESETHAND 0x80000000ULL

#define LX_SIG_BLOCK 0
#define LX_SIG_UNBLOCK 1
#define LX_SIG_SETMASK 2

/* si_code: 0 and below from user space, above from the kernel. */
#define LX_SI_USER 0
#define LX_SI_KERNEL 0x80
#define LX_SI_QUEUE (-1)
#define LX_SI_TIMER (-2)
#define LX_SI_MESGQ (-3)
#define LX_SI_ASYNCIO (-4)
#define LX_SI_SIGIO (-5)
#define LX_SI_TKILL (-6)
#define LX_SI_DETHREAD (-7)
#define LX_SI_ASYNCNL (-60)

/* POLL_IN to POLL_HUP: any signal may carry them (F_SETSIG). */
#define LX_POLL_CODE_IN 1
#define LX_POLL_CODE_OUT 2
#define LX_POLL_CODE_ERR 4
#define LX_POLL_CODE_PRI 5
#define LX_POLL_CODE_HUP 6
#define LX_NSIGPOLL 6

#define LX_ILL_ILLOPN 2
#define LX_FPE_INTDIV 1
#define LX_SEGV_MAPERR 1
#define LX_SEGV_ACCERR 2
#define LX_BUS_ADRALN 1
#define LX_BUS_ADRERR 2
#define LX_BUS_OBJERR 3
#define LX_TRAP_BRKPT 1
#define LX_TRAP_TRACE 2
#define LX_CLD_EXITED 1
#define LX_CLD_KILLED 2
#define LX_CLD_DUMPED 3
#define LX_CLD_TRAPPED 4
#define LX_CLD_STOPPED 5
#define LX_CLD_CONTINUED 6
#define LX_SYS_SECCOMP 1
#define LX_SYS_USER_DISPATCH 2

#define LX_SS_ONSTACK 1u
#define LX_SS_DISABLE 2u
#define LX_SS_AUTODISARM 0x80000000u
#define LX_SS_FLAG_BITS LX_SS_AUTODISARM
#define LX_MINSIGSTKSZ 2048u

#define LX_SFD_CLOEXEC 0x80000u
#define LX_SFD_NONBLOCK 0x800u

#define LX_SIGEV_SIGNAL 0
#define LX_SIGEV_NONE 1
#define LX_SIGEV_THREAD 2
#define LX_SIGEV_THREAD_ID 4

struct lx_sigaction {
	uint64_t handler, flags, restorer, mask;
};
_Static_assert(sizeof(struct lx_sigaction) == 32, "struct sigaction");

struct lx_stack {
	uint64_t sp;
	uint32_t flags, pad;
	uint64_t size;
};
_Static_assert(sizeof(struct lx_stack) == 24, "stack_t");

struct lx_sigevent {
	uint64_t value;
	int32_t signo, notify, tid;
	uint8_t pad[44];
};
_Static_assert(sizeof(struct lx_sigevent) == 64, "struct sigevent");

/* siginfo_t: a union behind the three common words; offsets in bytes. */
struct lx_siginfo {
	int32_t signo, err, code, pad;
	union {
		struct {
			int32_t pid;
			uint32_t uid;
			uint64_t value;
		} rt;
		struct {
			int32_t tid, overrun;
			uint64_t value;
			int32_t sys_private;
		} timer;
		struct {
			int32_t pid;
			uint32_t uid;
			int32_t status, pad;
			int64_t utime, stime;
		} chld;
		struct {
			uint64_t addr;
			int16_t addr_lsb;
		} fault;
		struct {
			int64_t band;
			int32_t fd;
		} poll;
		struct {
			uint64_t call_addr;
			int32_t syscall;
			uint32_t arch;
		} sys;
		uint8_t bytes[112];
	} u;
};
_Static_assert(sizeof(struct lx_siginfo) == 128, "siginfo_t");

struct lx_signalfd_siginfo {
	uint32_t signo;
	int32_t err, code;
	uint32_t pid, uid;
	int32_t fd;
	uint32_t tid, band, overrun, trapno;
	int32_t status, ssi_int;
	uint64_t ptr, utime, stime, addr;
	uint16_t addr_lsb, pad2;
	int32_t syscall;
	uint64_t call_addr;
	uint32_t arch;
	uint8_t pad[28];
};
_Static_assert(sizeof(struct lx_signalfd_siginfo) == 128, "struct signalfd_siginfo");

struct lx_sigcontext {
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
	uint64_t rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, eflags;
	uint16_t cs, gs, fs, ss;
	uint64_t err, trapno, oldmask, cr2, fpstate, reserved[8];
};
_Static_assert(sizeof(struct lx_sigcontext) == 256, "struct sigcontext");

#define LX_UC_FP_XSTATE 1u
#define LX_UC_SIGCONTEXT_SS 2u
#define LX_UC_STRICT_RESTORE_SS 4u

struct lx_ucontext {
	uint64_t flags, link;
	struct lx_stack stack;
	struct lx_sigcontext mc;
	uint64_t sigmask;
};
_Static_assert(sizeof(struct lx_ucontext) == 304, "struct ucontext");

struct lx_rt_sigframe {
	uint64_t pretcode;
	struct lx_ucontext uc;
	struct lx_siginfo info;
};
_Static_assert(sizeof(struct lx_rt_sigframe) == 440, "struct rt_sigframe");

/* Software-reserved bytes of an FXSAVE image, at offset 464. */
#define LX_FXSAVE_SIZE 512u
#define LX_FX_SW_OFFSET 464u
#define LX_FX_MXCSR_OFFSET 24u
#define LX_FX_MXCSR_MASK_OFFSET 28u
#define LX_XSAVE_HDR_SIZE 64u
#define LX_FP_XSTATE_MAGIC1 0x46505853u
#define LX_FP_XSTATE_MAGIC2 0x46505845u
struct lx_fpx_sw_bytes {
	uint32_t magic1, extended_size;
	uint64_t xfeatures;
	uint32_t xstate_size, pad[7];
};
_Static_assert(sizeof(struct lx_fpx_sw_bytes) == 48, "struct _fpx_sw_bytes");

#define LX_EFLAGS_CF 0x1ULL
#define LX_EFLAGS_FIXED 0x2ULL
#define LX_EFLAGS_PF 0x4ULL
#define LX_EFLAGS_AF 0x10ULL
#define LX_EFLAGS_ZF 0x40ULL
#define LX_EFLAGS_SF 0x80ULL
#define LX_EFLAGS_TF 0x100ULL
#define LX_EFLAGS_DF 0x400ULL
#define LX_EFLAGS_OF 0x800ULL
#define LX_EFLAGS_RF 0x10000ULL
#define LX_EFLAGS_AC 0x40000ULL

#define LX_USER_CS 0x33
#define LX_USER_DS 0x2b

#endif
