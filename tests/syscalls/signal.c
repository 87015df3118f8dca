/* Signals: actions, masks, queues, frames, stops, and descriptors for signals. */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>

#include "tests/harness/guest.h"

static volatile int hits, order[64];
static volatile siginfo_t info;

static void handler(int sig, siginfo_t *si, void *uc)
{
	(void)uc;
	info = *si;
	if (hits < 64)
		order[hits] = sig;
	hits++;
}

static void on_mask(int sig, void (*fn)(int, siginfo_t *, void *), int flags, int also)
{
	struct sigaction sa = { .sa_sigaction = fn, .sa_flags = SA_SIGINFO | flags };

	sigemptyset(&sa.sa_mask);
	if (also)
		sigaddset(&sa.sa_mask, also);
	CHECK_EQ(sigaction(sig, &sa, NULL), 0);
}

static void on(int sig, void (*fn)(int, siginfo_t *, void *), int flags)
{
	on_mask(sig, fn, flags, 0);
}

static void block(int how, int sig)
{
	sigset_t s;

	sigemptyset(&s);
	sigaddset(&s, sig);
	CHECK_EQ(sigprocmask(how, &s, NULL), 0);
}

static void tick(long us)
{
	struct itimerval it = { { 0, us }, { 0, us } };

	CHECK_EQ(setitimer(ITIMER_REAL, &it, NULL), 0);
}

static uint64_t bit(int sig)
{
	return 1ULL << (sig - 1);
}

CASE(action_errors, "rt_sigaction")
{
	struct { void *h; unsigned long flags; void *r; uint64_t mask; } a = { 0 }, old;

	CHECK_EQ(syscall(SYS_rt_sigaction, SIGKILL, NULL, &old, 8), 0);
	CHECK_ERR(syscall(SYS_rt_sigaction, SIGKILL, &a, NULL, 8), EINVAL);
	CHECK_ERR(syscall(SYS_rt_sigaction, SIGSTOP, &a, NULL, 8), EINVAL);
	CHECK_ERR(syscall(SYS_rt_sigaction, 0, NULL, &old, 8), EINVAL);
	CHECK_ERR(syscall(SYS_rt_sigaction, 65, NULL, &old, 8), EINVAL);
	CHECK_ERR(syscall(SYS_rt_sigaction, SIGUSR1, NULL, &old, 4), EINVAL);
	CHECK_ERR(syscall(SYS_rt_sigaction, 65, (void *)8, &old, 4), EINVAL);
	CHECK_ERR(syscall(SYS_rt_sigaction, SIGUSR1, (void *)8, NULL, 8), EFAULT);
	CHECK_ERR(syscall(SYS_rt_sigaction, SIGUSR1, NULL, (void *)8, 8), EFAULT);
	CHECK_EQ(syscall(SYS_rt_sigaction, 64, &a, &old, 8), 0);
	/* What cannot be blocked is dropped from a stored mask. */
	a.h = (void *)handler;
	a.mask = ~0ULL;
	CHECK_EQ(syscall(SYS_rt_sigaction, 64, &a, NULL, 8), 0);
	CHECK_EQ(syscall(SYS_rt_sigaction, 64, NULL, &old, 8), 0);
	CHECK(old.mask == (~0ULL & ~(bit(SIGKILL) | bit(SIGSTOP))));
}

CASE(mask_rules, "rt_sigprocmask")
{
	uint64_t all = ~0ULL, old = 0;

	CHECK_EQ(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &all, NULL, 8), 0);
	CHECK_EQ(syscall(SYS_rt_sigprocmask, 99, NULL, &old, 8), 0);
	CHECK(old == (~0ULL & ~(bit(SIGKILL) | bit(SIGSTOP))));
	CHECK_ERR(syscall(SYS_rt_sigprocmask, 99, &all, NULL, 8), EINVAL);
	CHECK_ERR(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &all, NULL, 7), EINVAL);
	CHECK_ERR(syscall(SYS_rt_sigprocmask, SIG_BLOCK, (void *)8, NULL, 8), EFAULT);
	CHECK_ERR(syscall(SYS_rt_sigprocmask, 99, (void *)8, NULL, 8), EFAULT);
	all = bit(SIGUSR1);
	CHECK_EQ(syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &old, 8), 0);
	all = bit(SIGUSR1) | bit(SIGUSR2);
	CHECK_EQ(syscall(SYS_rt_sigprocmask, SIG_UNBLOCK, &all, &old, 8), 0);
	CHECK(old == bit(SIGUSR1));
	CHECK_EQ(syscall(SYS_rt_sigprocmask, 0, NULL, &old, 8), 0);
	CHECK_EQ(old, 0);
}

CASE(pending_and_delivery_order, "rt_sigpending,kill,rt_sigprocmask")
{
	uint64_t all = ~0ULL, none = 0, pend = 0;
	const int sigs[] = { 40, SIGUSR2, 35, SIGUSR1, SIGUSR1, 40 };

	on_mask(SIGUSR1, handler, 0, 0);
	on_mask(SIGUSR2, handler, 0, 0);
	on_mask(35, handler, 0, 0);
	on_mask(40, handler, 0, 0);
	CHECK_EQ(syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, 8), 0);
	for (unsigned i = 0; i < 6; i++)
		CHECK_EQ(kill(getpid(), sigs[i]), 0);
	CHECK_EQ(syscall(SYS_rt_sigpending, &pend, 8), 0);
	CHECK(pend == (bit(SIGUSR1) | bit(SIGUSR2) | bit(35) | bit(40)));
	CHECK_ERR(syscall(SYS_rt_sigpending, &pend, 9), EINVAL);
	CHECK_ERR(syscall(SYS_rt_sigpending, (void *)8, 8), EFAULT);
	CHECK_EQ(syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, 8), 0);
	/* Standard signals merge, real-time ones queue. */
	CHECK_EQ(hits, 5);
	CHECK_EQ(syscall(SYS_rt_sigpending, &pend, 8), 0);
	CHECK_EQ(pend, 0);
}

CASE(pending_not_inherited, "rt_sigpending,fork")
{
	uint64_t pend = 0;
	int st;

	block(SIG_BLOCK, SIGUSR1);
	CHECK_EQ(kill(getpid(), SIGUSR1), 0);
	st = IN_CHILD({
		uint64_t p = 1;
		sigset_t m;
		syscall(SYS_rt_sigpending, &p, 8);
		sigprocmask(SIG_BLOCK, NULL, &m);
		_exit(p != 0 || !sigismember(&m, SIGUSR1));
	});
	CHECK_EQ(st, 0);
	CHECK_EQ(syscall(SYS_rt_sigpending, &pend, 8), 0);
	CHECK(pend == bit(SIGUSR1));
	/* Ignoring a signal throws away what is pending. */
	signal(SIGUSR1, SIG_IGN);
	CHECK_EQ(syscall(SYS_rt_sigpending, &pend, 8), 0);
	CHECK_EQ(pend, 0);
}

CASE(kill_errors, "kill,tkill,tgkill")
{
	CHECK_EQ(kill(getpid(), 0), 0);
	CHECK_ERR(kill(getpid(), 65), EINVAL);
	CHECK_ERR(kill(getpid(), -1), EINVAL);
	CHECK_ERR(kill(99999999, 0), ESRCH);
	CHECK_ERR(kill(99999999, 65), ESRCH); /* the target is looked up first */
	CHECK_ERR(kill(-99999999, 0), ESRCH);
	CHECK_ERR(syscall(SYS_tkill, 0, 0), EINVAL);
	CHECK_ERR(syscall(SYS_tkill, 99999999, 0), ESRCH);
	CHECK_ERR(syscall(SYS_tgkill, 0, getpid(), 0), EINVAL);
	CHECK_ERR(syscall(SYS_tgkill, getpid(), 0, 0), EINVAL);
	CHECK_ERR(syscall(SYS_tgkill, getppid(), getpid(), 0), ESRCH);
	CHECK_ERR(syscall(SYS_tgkill, getpid(), getpid(), 65), EINVAL);
	CHECK_EQ(syscall(SYS_tgkill, getpid(), getpid(), 0), 0);
}

CASE(kill_process_group, "kill,setpgid")
{
	pid_t p[3];
	int st, ready[2];
	char c;

	CHECK_EQ(pipe(ready), 0);
	for (int i = 0; i < 3; i++) {
		p[i] = fork();
		if (p[i] == 0) {
			setpgid(0, i ? p[0] : 0);
			if (write(ready[1], "x", 1) != 1)
				_exit(1);
			for (;;)
				pause();
		}
		setpgid(p[i], p[0]);
	}
	for (int i = 0; i < 3; i++)
		CHECK_EQ(read(ready[0], &c, 1), 1);
	CHECK_EQ(kill(-p[0], SIGTERM), 0);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(waitpid(p[i], &st, 0), p[i]);
		CHECK(WIFSIGNALED(st) && WTERMSIG(st) == SIGTERM);
	}
	CHECK_ERR(kill(-p[0], 0), ESRCH);
}

CASE(siginfo_of_kill_tgkill_queue, "kill,tgkill,rt_sigqueueinfo,rt_tgsigqueueinfo")
{
	siginfo_t q = { .si_signo = SIGUSR1, .si_code = SI_QUEUE, .si_pid = 7, .si_uid = 8 };

	on(SIGUSR1, handler, 0);
	CHECK_EQ(kill(getpid(), SIGUSR1), 0);
	CHECK(hits == 1 && info.si_signo == SIGUSR1 && info.si_code == SI_USER);
	CHECK(info.si_pid == getpid() && info.si_uid == getuid() && info.si_errno == 0);
	CHECK_EQ(syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGUSR1), 0);
	CHECK(hits == 2 && info.si_code == SI_TKILL && info.si_pid == getpid());
	CHECK_EQ(sigqueue(getpid(), SIGUSR1, (union sigval){ .sival_int = 4711 }), 0);
	CHECK(hits == 3 && info.si_code == SI_QUEUE && info.si_value.sival_int == 4711);
	CHECK(info.si_pid == getpid());
	q.si_value.sival_ptr = (void *)0x1122334455667788;
	CHECK_EQ(syscall(SYS_rt_sigqueueinfo, getpid(), SIGUSR1, &q), 0);
	CHECK(hits == 4 && info.si_pid == 7 && info.si_uid == 8);
	CHECK(info.si_value.sival_ptr == (void *)0x1122334455667788);
	CHECK_EQ(syscall(SYS_rt_tgsigqueueinfo, getpid(), syscall(SYS_gettid), SIGUSR1, &q), 0);
	CHECK_EQ(hits, 5);
}

CASE(queueinfo_errors, "rt_sigqueueinfo,rt_tgsigqueueinfo")
{
	siginfo_t q = { .si_signo = SIGUSR1, .si_code = SI_USER };
	pid_t child = fork();

	if (child == 0)
		for (;;)
			pause();
	/* Only the kernel may say that another process sent it, or that it did itself. */
	CHECK_ERR(syscall(SYS_rt_sigqueueinfo, child, SIGUSR1, &q), EPERM);
	q.si_code = SI_TKILL;
	CHECK_ERR(syscall(SYS_rt_sigqueueinfo, child, SIGUSR1, &q), EPERM);
	CHECK_ERR(syscall(SYS_rt_tgsigqueueinfo, child, child, SIGUSR1, &q), EPERM);
	q.si_code = SI_QUEUE;
	CHECK_ERR(syscall(SYS_rt_sigqueueinfo, child, SIGUSR1, (void *)8), EFAULT);
	CHECK_ERR(syscall(SYS_rt_sigqueueinfo, child, 65, &q), EINVAL);
	CHECK_ERR(syscall(SYS_rt_sigqueueinfo, 99999999, SIGUSR1, &q), ESRCH);
	CHECK_ERR(syscall(SYS_rt_tgsigqueueinfo, child, getpid(), SIGUSR1, &q), ESRCH);
	CHECK_ERR(syscall(SYS_rt_tgsigqueueinfo, child, 0, SIGUSR1, &q), EINVAL);
	kill(child, SIGKILL);
	CHECK_EQ(waitpid(child, NULL, 0), child);
}

CASE(pending_limit, "rt_sigqueueinfo,setrlimit")
{
	struct rlimit rl = { 0, 0 };
	union sigval v = { .sival_int = 1 };

	block(SIG_BLOCK, 40);
	CHECK_EQ(setrlimit(RLIMIT_SIGPENDING, &rl), 0);
	CHECK_ERR(sigqueue(getpid(), 40, v), EAGAIN);
	/* kill is never refused for want of room. */
	CHECK_EQ(kill(getpid(), SIGCONT), 0);
}

CASE(sigchld_info, "rt_sigaction,wait4,kill")
{
	siginfo_t si;
	sigset_t s;
	pid_t p;
	int st;

	sigemptyset(&s);
	sigaddset(&s, SIGCHLD);
	CHECK_EQ(sigprocmask(SIG_BLOCK, &s, NULL), 0);
	p = fork();
	if (p == 0)
		_exit(42);
	CHECK_EQ(sigwaitinfo(&s, &si), SIGCHLD);
	CHECK(si.si_code == CLD_EXITED && si.si_status == 42 && si.si_pid == p);
	CHECK(si.si_uid == getuid());
	CHECK_EQ(waitpid(p, &st, 0), p);
	p = fork();
	if (p == 0)
		for (;;)
			pause();
	CHECK_EQ(kill(p, SIGSTOP), 0);
	CHECK_EQ(sigwaitinfo(&s, &si), SIGCHLD);
	CHECK(si.si_code == CLD_STOPPED && si.si_status == SIGSTOP && si.si_pid == p);
	CHECK_EQ(kill(p, SIGCONT), 0);
	CHECK_EQ(sigwaitinfo(&s, &si), SIGCHLD);
	CHECK(si.si_code == CLD_CONTINUED && si.si_status == SIGCONT);
	CHECK_EQ(kill(p, SIGKILL), 0);
	CHECK_EQ(sigwaitinfo(&s, &si), SIGCHLD);
	CHECK(si.si_code == CLD_KILLED && si.si_status == SIGKILL);
	CHECK_EQ(waitpid(p, &st, 0), p);
}

CASE(no_cldstop, "rt_sigaction,kill,wait4")
{
	int st;
	pid_t p;

	on(SIGCHLD, handler, SA_NOCLDSTOP | SA_RESTART);
	p = fork();
	if (p == 0)
		for (;;)
			pause();
	CHECK_EQ(kill(p, SIGSTOP), 0);
	CHECK_EQ(waitpid(p, &st, WUNTRACED), p);
	CHECK(WIFSTOPPED(st));
	CHECK_EQ(hits, 0);
	CHECK_EQ(kill(p, SIGKILL), 0);
	CHECK_EQ(waitpid(p, &st, 0), p);
	CHECK(WIFSIGNALED(st));
	CHECK_EQ(hits, 1);
}

static sigjmp_buf back;
static volatile greg_t fault_rip, fault_trap;

static void fault(int sig, siginfo_t *si, void *v)
{
	ucontext_t *uc = v;

	info = *si;
	fault_rip = uc->uc_mcontext.gregs[REG_RIP];
	fault_trap = uc->uc_mcontext.gregs[REG_TRAPNO];
	siglongjmp(back, sig);
}

CASE(faults_of_the_cpu, "rt_sigaction,rt_sigreturn")
{
	volatile int zero = 0, num = 5;

	on(SIGFPE, fault, 0);
	on(SIGILL, fault, 0);
	on(SIGTRAP, fault, 0);
	on(SIGSEGV, fault, 0);
	if (!sigsetjmp(back, 1))
		num = num / zero;
	CHECK(info.si_signo == SIGFPE && info.si_code == FPE_INTDIV);
	CHECK((greg_t)info.si_addr == fault_rip && fault_trap == 0);
	if (!sigsetjmp(back, 1))
		__asm__ volatile("ud2");
	CHECK(info.si_signo == SIGILL && info.si_code == ILL_ILLOPN);
	CHECK((greg_t)info.si_addr == fault_rip && fault_trap == 6);
	if (!sigsetjmp(back, 1))
		__asm__ volatile("int3");
	CHECK(info.si_signo == SIGTRAP && info.si_code == SI_KERNEL && fault_trap == 3);
	if (!sigsetjmp(back, 1))
		*(volatile char *)0x1234000000000000 = 1;
	CHECK(info.si_signo == SIGSEGV && info.si_code == SI_KERNEL && info.si_addr == NULL);
	if (!sigsetjmp(back, 1))
		*(volatile char *)0x1008 = 1;
	CHECK(info.si_signo == SIGSEGV && info.si_code == SEGV_MAPERR);
	CHECK(info.si_addr == (void *)0x1008 && fault_trap == 14);
	if (!sigsetjmp(back, 1))
		__asm__ volatile("hlt");
	CHECK(info.si_signo == SIGSEGV && info.si_code == SI_KERNEL);
}

CASE(blocked_fault_kills, "rt_sigprocmask")
{
	CHECK_EQ(WTERMSIG(IN_CHILD({
		on(SIGSEGV, fault, 0);
		block(SIG_BLOCK, SIGSEGV);
		*(volatile char *)8 = 1;
	})), SIGSEGV);
	CHECK_EQ(WTERMSIG(IN_CHILD({
		signal(SIGSEGV, SIG_IGN);
		*(volatile char *)8 = 1;
	})), SIGSEGV);
}

static void skip_ud2(int sig, siginfo_t *si, void *v)
{
	ucontext_t *uc = v;

	(void)si;
	hits = sig;
	uc->uc_mcontext.gregs[REG_RIP] += 2;
	uc->uc_mcontext.gregs[REG_RBX] = 0x1234;
}

CASE(handler_changes_registers, "rt_sigreturn")
{
	uint64_t rbx = 1;

	on(SIGILL, skip_ud2, 0);
	__asm__ volatile("ud2" : "+b"(rbx));
	CHECK_EQ(hits, SIGILL);
	CHECK_EQ(rbx, 0x1234);
}

static void spoil_fpu(int sig, siginfo_t *si, void *v)
{
	uint32_t csr = 0x1f80;
	uint16_t cw = 0x37f;

	(void)si;
	(void)v;
	__asm__ volatile("ldmxcsr %0; fldcw %1" : : "m"(csr), "m"(cw));
	__asm__ volatile("pcmpeqd %%xmm0,%%xmm0; movaps %%xmm0,%%xmm6; movaps %%xmm0,%%xmm15;"
			 "fldz; fstp %%st(0)" : : : "xmm0", "xmm6", "xmm15", "st");
	hits += sig;
}

CASE(fpu_state_survives, "rt_sigreturn,tgkill")
{
	uint64_t in[2] = { 0x0123456789abcdef, 0xfedcba9876543210 }, a[2], b[2];
	uint32_t csr = 0x7f80, csr2 = 0;
	uint16_t cw = 0xf7f, cw2 = 0;
	long ret = SYS_tgkill;

	on(SIGUSR1, spoil_fpu, 0);
	__asm__ volatile("ldmxcsr %7; fldcw %8; movups %4,%%xmm6; movups %4,%%xmm15;"
			 "syscall;"
			 "movups %%xmm6,%1; movups %%xmm15,%2; stmxcsr %3; fnstcw %5"
			 : "+a"(ret), "=m"(a), "=m"(b), "=m"(csr2)
			 : "m"(in), "m"(cw2), "D"(getpid()), "m"(csr), "m"(cw), "S"(getpid()),
			   "d"(SIGUSR1)
			 : "rcx", "r11", "xmm6", "xmm15", "memory");
	CHECK_EQ(ret, 0);
	CHECK_EQ(hits, SIGUSR1);
	CHECK(!memcmp(a, in, 16) && !memcmp(b, in, 16));
	CHECK_EQ(csr2, csr);
	CHECK_EQ(cw2, cw);
}

static void __attribute__((target("avx"))) spoil_avx(int sig, siginfo_t *si, void *v)
{
	(void)si;
	(void)v;
	__asm__ volatile("vxorps %%ymm7,%%ymm7,%%ymm7; vzeroupper" : : : "xmm7", "memory");
	hits += sig;
}

static void __attribute__((target("avx"))) avx_round(void)
{
	uint64_t in[4] = { 1, 2, 3, 0xabcdef0123456789 }, out[4] = { 0 };
	long ret = SYS_tgkill;

	__asm__ volatile("vmovups %2,%%ymm7; syscall; vmovups %%ymm7,%1"
			 : "+a"(ret), "=m"(out)
			 : "m"(in), "D"(getpid()), "S"(getpid()), "d"(SIGUSR1)
			 : "rcx", "r11", "xmm7", "memory");
	CHECK_EQ(ret, 0);
	CHECK_EQ(hits, SIGUSR1);
	CHECK(!memcmp(in, out, sizeof(in)));
}

CASE(avx_state_survives, "rt_sigreturn,tgkill")
{
	if (!__builtin_cpu_supports("avx"))
		SKIP("no AVX");
	on(SIGUSR1, spoil_avx, 0);
	avx_round();
}

static void set_xmm(int sig, siginfo_t *si, void *v)
{
	ucontext_t *uc = v;

	(void)si;
	hits = sig;
	uc->uc_mcontext.fpregs->_xmm[6].element[0] = 0x55aa;
}

CASE(handler_changes_fpu, "rt_sigreturn")
{
	uint32_t out[4] = { 0 };

	on(SIGILL, skip_ud2, 0);
	on(SIGTRAP, set_xmm, 0);
	__asm__ volatile("pxor %%xmm6,%%xmm6; int3; movups %%xmm6,%0" : "=m"(out) : : "xmm6");
	CHECK_EQ(hits, SIGTRAP);
	CHECK_EQ(out[0], 0x55aa);
}

CASE(red_zone_and_flags_survive, "rt_sigreturn,setitimer")
{
	uint64_t bad = 0;

	on(SIGALRM, handler, 0);
	tick(1000);
	while (hits < 20 && !bad)
		__asm__ volatile("mov $20000,%%ecx; mov %%rcx,-8(%%rsp); mov %%rcx,-120(%%rsp);"
				 "std; 1: dec %%ecx; jnz 1b; pushfq; pop %%rdx; cld;"
				 "and $0x400,%%edx; xor $0x400,%%edx; mov %%rdx,%0"
				 : "=r"(bad) : : "rcx", "rdx", "cc", "memory");
	CHECK_EQ(bad, 0);
}

CASE(bad_frame_is_fatal, "rt_sigreturn")
{
	CHECK_EQ(WTERMSIG(IN_CHILD(__asm__ volatile("mov $64,%%rsp; mov $15,%%eax; syscall" : : : "memory"))),
		 SIGSEGV);
	CHECK_EQ(WTERMSIG(IN_CHILD({
		on(SIGUSR1, handler, 0);
		__asm__ volatile("mov $64,%%rsp; syscall; ud2"
				 : : "a"(SYS_tgkill), "D"(getpid()), "S"(getpid()), "d"(SIGUSR1) : "memory");
	})), SIGSEGV);
}

static volatile int depth, max_depth;

static void nesting(int sig, siginfo_t *si, void *uc)
{
	(void)si;
	(void)uc;
	if (++depth > max_depth)
		max_depth = depth;
	if (hits++ < 3)
		kill(getpid(), sig);
	depth--;
}

CASE(defer_and_nodefer, "rt_sigaction")
{
	on(SIGUSR1, nesting, 0);
	kill(getpid(), SIGUSR1);
	CHECK_EQ(hits, 4);
	CHECK_EQ(max_depth, 1);
	hits = max_depth = 0;
	on(SIGUSR1, nesting, SA_NODEFER);
	kill(getpid(), SIGUSR1);
	CHECK_EQ(hits, 4);
	CHECK_EQ(max_depth, 4);
}

static volatile int outer_done;

static void outer(int sig, siginfo_t *si, void *uc)
{
	(void)sig;
	(void)si;
	(void)uc;
	kill(getpid(), SIGUSR2);
	outer_done = hits;
}

CASE(nested_handlers_and_mask, "rt_sigaction,rt_sigreturn")
{
	sigset_t m;

	on(SIGUSR2, handler, 0);
	on(SIGUSR1, outer, 0);
	kill(getpid(), SIGUSR1);
	CHECK_EQ(outer_done, 1);
	on_mask(SIGUSR1, outer, 0, SIGUSR2);
	kill(getpid(), SIGUSR1);
	CHECK_EQ(outer_done, 1);
	CHECK_EQ(hits, 2);
	CHECK_EQ(sigprocmask(SIG_BLOCK, NULL, &m), 0);
	CHECK(!sigismember(&m, SIGUSR1) && !sigismember(&m, SIGUSR2));
}

CASE(reset_hand, "rt_sigaction")
{
	struct sigaction sa;

	on(SIGUSR1, handler, SA_RESETHAND);
	kill(getpid(), SIGUSR1);
	CHECK_EQ(hits, 1);
	CHECK_EQ(sigaction(SIGUSR1, NULL, &sa), 0);
	CHECK(sa.sa_handler == SIG_DFL);
}

CASE(exec_resets_handlers, "execve,rt_sigaction")
{
	char *const argv[] = { (char[]){ "sh" }, (char[]){ "-c" }, (char[]){ "kill -USR1 $$; exit 3" }, NULL };

	CHECK_EQ(WTERMSIG(IN_CHILD({
		on(SIGUSR1, handler, 0);
		execv("/bin/sh", argv);
	})), SIGUSR1);
	CHECK_EQ(WEXITSTATUS(IN_CHILD({
		signal(SIGUSR1, SIG_IGN);
		execv("/bin/sh", argv);
	})), 3);
}

static int feed_fd;

static void feeding(int sig, siginfo_t *si, void *uc)
{
	(void)sig;
	(void)si;
	(void)uc;
	if (++hits == 3 && write(feed_fd, "x", 1) != 1)
		_exit(9);
}

CASE(restart_of_a_read, "read,rt_sigaction,restart_syscall")
{
	int p[2];
	char c;

	CHECK_EQ(pipe(p), 0);
	feed_fd = p[1];
	on(SIGALRM, feeding, SA_RESTART);
	tick(5000);
	CHECK_EQ(read(p[0], &c, 1), 1);
	CHECK_EQ(hits >= 3, 1);
	tick(0);
	on(SIGALRM, handler, 0);
	tick(5000);
	CHECK_ERR(read(p[0], &c, 1), EINTR);
}

CASE(restart_of_wait_not_of_poll, "wait4,poll,rt_sigaction")
{
	int p[2], st;
	char c;
	pid_t child;

	CHECK_EQ(pipe(p), 0);
	child = fork();
	if (child == 0) {
		close(p[1]);
		_exit(read(p[0], &c, 1) != 1);
	}
	feed_fd = p[1];
	on(SIGALRM, feeding, SA_RESTART);
	tick(5000);
	CHECK_EQ(waitpid(child, &st, 0), child);
	CHECK_EQ(st, 0);
	CHECK_ERR(poll(NULL, 0, 5000), EINTR);
}

CASE(suspend_swaps_mask, "rt_sigsuspend")
{
	uint64_t none = 0, old = 0;

	on(SIGUSR1, handler, 0);
	block(SIG_BLOCK, SIGUSR1);
	kill(getpid(), SIGUSR1);
	CHECK_EQ(hits, 0);
	CHECK_ERR(syscall(SYS_rt_sigsuspend, &none, 8), EINTR);
	CHECK_EQ(hits, 1);
	CHECK_EQ(syscall(SYS_rt_sigprocmask, 0, NULL, &old, 8), 0);
	CHECK(old == bit(SIGUSR1));
	CHECK_ERR(syscall(SYS_rt_sigsuspend, &none, 4), EINVAL);
	CHECK_ERR(syscall(SYS_rt_sigsuspend, (void *)8, 8), EFAULT);
}

CASE(timedwait, "rt_sigtimedwait")
{
	uint64_t set = bit(SIGUSR1) | bit(40);
	struct timespec zero = { 0, 0 }, bad = { 0, 1000000000 }, ms = { 0, 10000000 };
	siginfo_t si = { 0 };

	block(SIG_BLOCK, SIGUSR1);
	block(SIG_BLOCK, 40);
	CHECK_ERR(syscall(SYS_rt_sigtimedwait, &set, &si, &zero, 8), EAGAIN);
	CHECK_ERR(syscall(SYS_rt_sigtimedwait, &set, &si, &ms, 8), EAGAIN);
	CHECK_ERR(syscall(SYS_rt_sigtimedwait, &set, &si, &bad, 8), EINVAL);
	CHECK_ERR(syscall(SYS_rt_sigtimedwait, &set, &si, &zero, 4), EINVAL);
	CHECK_ERR(syscall(SYS_rt_sigtimedwait, (void *)8, &si, &zero, 8), EFAULT);
	CHECK_EQ(sigqueue(getpid(), 40, (union sigval){ .sival_int = 1 }), 0);
	CHECK_EQ(sigqueue(getpid(), 40, (union sigval){ .sival_int = 2 }), 0);
	CHECK_EQ(kill(getpid(), SIGUSR1), 0);
	CHECK_EQ(syscall(SYS_rt_sigtimedwait, &set, &si, NULL, 8), SIGUSR1);
	CHECK(si.si_code == SI_USER && si.si_pid == getpid());
	CHECK_EQ(syscall(SYS_rt_sigtimedwait, &set, &si, &zero, 8), 40);
	CHECK_EQ(si.si_value.sival_int, 1);
	CHECK_EQ(syscall(SYS_rt_sigtimedwait, &set, NULL, &zero, 8), 40);
	/* Another signal's handler ends the wait. */
	on(SIGALRM, handler, SA_RESTART);
	tick(5000);
	CHECK_ERR(syscall(SYS_rt_sigtimedwait, &set, &si, NULL, 8), EINTR);
}

static char alt[65536];
static volatile int seen_flags, set_errno;

static void on_alt(int sig, siginfo_t *si, void *uc)
{
	stack_t ss, other = { .ss_sp = alt, .ss_size = sizeof(alt) };
	char here;

	(void)si;
	(void)uc;
	hits = (&here >= alt && &here < alt + sizeof(alt)) ? sig : -1;
	sigaltstack(NULL, &ss);
	seen_flags = ss.ss_flags;
	set_errno = sigaltstack(&other, NULL) ? errno : 0;
}

CASE(altstack, "sigaltstack")
{
	stack_t ss = { .ss_sp = alt, .ss_size = sizeof(alt) }, old;

	CHECK_EQ(sigaltstack(NULL, &old), 0);
	CHECK_EQ(old.ss_flags, SS_DISABLE);
	CHECK_EQ(sigaltstack(&ss, NULL), 0);
	on(SIGUSR1, on_alt, SA_ONSTACK);
	kill(getpid(), SIGUSR1);
	CHECK_EQ(hits, SIGUSR1);
	CHECK_EQ(seen_flags, SS_ONSTACK);
	CHECK_EQ(set_errno, EPERM);
	on(SIGUSR1, on_alt, 0);
	kill(getpid(), SIGUSR1);
	CHECK_EQ(hits, -1);
	CHECK_EQ(sigaltstack(NULL, &old), 0);
	CHECK(old.ss_sp == alt && old.ss_size == sizeof(alt) && old.ss_flags == 0);
	ss.ss_size = 100;
	CHECK_ERR(sigaltstack(&ss, NULL), ENOMEM);
	ss.ss_flags = 0x40;
	CHECK_ERR(sigaltstack(&ss, NULL), EINVAL);
	CHECK_ERR(sigaltstack((void *)8, NULL), EFAULT);
	ss.ss_flags = SS_DISABLE;
	CHECK_EQ(sigaltstack(&ss, NULL), 0);
	/* With SS_AUTODISARM the handler finds the stack disabled, and may change it. */
	ss = (stack_t){ .ss_sp = alt, .ss_size = sizeof(alt), .ss_flags = (int)(1U << 31) };
	CHECK_EQ(sigaltstack(&ss, NULL), 0);
	on(SIGUSR1, on_alt, SA_ONSTACK);
	kill(getpid(), SIGUSR1);
	CHECK_EQ(hits, SIGUSR1);
	CHECK_EQ(seen_flags, SS_DISABLE);
	CHECK_EQ(set_errno, 0);
}

static void overflow_exit(int sig, siginfo_t *si, void *uc)
{
	(void)si;
	(void)uc;
	_exit(sig);
}

static int overflow(volatile char *p)
{
	volatile char big[16384];

	big[0] = p ? *p : 1;
	return big[0] ? overflow(big) + big[0] : 0;
}

CASE(stack_overflow_on_altstack, "sigaltstack")
{
	stack_t ss = { .ss_sp = alt, .ss_size = sizeof(alt) };

	CHECK_EQ(WEXITSTATUS(IN_CHILD({
		sigaltstack(&ss, NULL);
		on(SIGSEGV, overflow_exit, SA_ONSTACK);
		overflow(NULL);
	})), SIGSEGV);
	/* Without one there is no room for the frame. */
	CHECK_EQ(WTERMSIG(IN_CHILD({
		on(SIGSEGV, overflow_exit, 0);
		overflow(NULL);
	})), SIGSEGV);
}

CASE(stop_and_continue, "kill,wait4")
{
	volatile unsigned long *n = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
					 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct timespec ms = { 0, 20000000 };
	unsigned long v;
	int st;
	pid_t p = fork();

	if (p == 0)
		for (;;)
			++*n;
	while (!*n)
		sched_yield();
	CHECK_EQ(kill(p, SIGTSTP), 0);
	CHECK_EQ(waitpid(p, &st, WUNTRACED), p);
	CHECK(WIFSTOPPED(st) && WSTOPSIG(st) == SIGTSTP);
	v = *n;
	nanosleep(&ms, NULL);
	CHECK(*n == v);
	CHECK_EQ(kill(p, SIGTERM), 0);
	CHECK_EQ(waitpid(p, &st, WNOHANG), 0);
	CHECK_EQ(kill(p, SIGCONT), 0);
	CHECK_EQ(waitpid(p, &st, 0), p);
	CHECK(WIFSIGNALED(st) && WTERMSIG(st) == SIGTERM);
	/* SIGKILL ends a stopped process. */
	p = fork();
	if (p == 0)
		for (;;)
			;
	CHECK_EQ(kill(p, SIGSTOP), 0);
	CHECK_EQ(waitpid(p, &st, WUNTRACED), p);
	CHECK_EQ(kill(p, SIGKILL), 0);
	CHECK_EQ(waitpid(p, &st, 0), p);
	CHECK(WIFSIGNALED(st) && WTERMSIG(st) == SIGKILL);
}

CASE(cont_discards_stops, "kill,rt_sigpending")
{
	uint64_t pend;

	block(SIG_BLOCK, SIGTSTP);
	block(SIG_BLOCK, SIGCONT);
	on(SIGCONT, handler, 0);
	kill(getpid(), SIGTSTP);
	CHECK_EQ(syscall(SYS_rt_sigpending, &pend, 8), 0);
	CHECK(pend == bit(SIGTSTP));
	kill(getpid(), SIGCONT);
	CHECK_EQ(syscall(SYS_rt_sigpending, &pend, 8), 0);
	CHECK(pend == bit(SIGCONT));
	kill(getpid(), SIGTSTP);
	CHECK_EQ(syscall(SYS_rt_sigpending, &pend, 8), 0);
	CHECK(pend == bit(SIGTSTP));
	signal(SIGTSTP, SIG_IGN);
	block(SIG_UNBLOCK, SIGTSTP);
	block(SIG_UNBLOCK, SIGCONT);
	CHECK_EQ(hits, 0);
}

static void *spin(void *arg)
{
	for (;;)
		++*(volatile int *)arg;
	return NULL;
}

CASE(end_with_a_spinning_thread, "exit_group,kill,clone")
{
	CHECK_EQ(WEXITSTATUS(IN_CHILD({
		static volatile int n;
		pthread_t t;
		pthread_create(&t, NULL, spin, (void *)&n);
		while (!n)
			sched_yield();
		_exit(5);
	})), 5);
	CHECK_EQ(WTERMSIG(IN_CHILD({
		static volatile int n;
		pthread_t t;
		pthread_create(&t, NULL, spin, (void *)&n);
		while (!n)
			sched_yield();
		kill(getpid(), SIGKILL);
		for (;;)
			pause();
	})), SIGKILL);
}

CASE(signal_reaches_a_spinning_process, "setitimer")
{
	on(SIGALRM, handler, 0);
	tick(2000);
	while (hits < 5)
		;
	CHECK(info.si_code == SI_KERNEL);
}

static volatile pid_t tid_of_thread, tid_in_handler;
static volatile int stop_thread;

static void note_tid(int sig, siginfo_t *si, void *uc)
{
	handler(sig, si, uc);
	tid_in_handler = (pid_t)syscall(SYS_gettid);
}

static void *wait_thread(void *arg)
{
	tid_of_thread = (pid_t)syscall(SYS_gettid);
	while (!stop_thread)
		sched_yield();
	return arg;
}

CASE(directed_and_process_wide, "tgkill,rt_tgsigqueueinfo,kill,tkill")
{
	siginfo_t q = { .si_signo = SIGUSR1, .si_code = SI_QUEUE };
	uint64_t pend;
	pthread_t t;

	on(SIGUSR1, note_tid, 0);
	CHECK_EQ(pthread_create(&t, NULL, wait_thread, NULL), 0);
	while (!tid_of_thread)
		sched_yield();
	CHECK_EQ(syscall(SYS_tgkill, getpid(), tid_of_thread, SIGUSR1), 0);
	while (hits < 1)
		sched_yield();
	while (!tid_in_handler)
		sched_yield();
	CHECK(tid_in_handler == tid_of_thread && info.si_code == SI_TKILL);
	q.si_value.sival_int = 9;
	tid_in_handler = 0;
	CHECK_EQ(syscall(SYS_rt_tgsigqueueinfo, getpid(), tid_of_thread, SIGUSR1, &q), 0);
	while (!tid_in_handler)
		sched_yield();
	CHECK(tid_in_handler == tid_of_thread && info.si_value.sival_int == 9);
	/* One sent to the process goes to a thread that does not block it. */
	block(SIG_BLOCK, SIGUSR1);
	tid_in_handler = 0;
	CHECK_EQ(kill(getpid(), SIGUSR1), 0);
	while (!tid_in_handler)
		sched_yield();
	CHECK(tid_in_handler == tid_of_thread);
	/* One sent to this thread stays with it. */
	CHECK_EQ(syscall(SYS_tkill, getpid(), SIGUSR1), 0);
	CHECK_EQ(syscall(SYS_rt_sigpending, &pend, 8), 0);
	CHECK(pend == bit(SIGUSR1));
	stop_thread = 1;
	CHECK_EQ(pthread_join(t, NULL), 0);
}

CASE(signalfd_reads, "signalfd4,signalfd,read,poll")
{
	uint64_t set = bit(SIGUSR1) | bit(40);
	struct signalfd_siginfo si[3];
	struct pollfd pf = { .events = POLLIN };
	int fd;

	block(SIG_BLOCK, SIGUSR1);
	block(SIG_BLOCK, 40);
	CHECK_ERR(syscall(SYS_signalfd4, -1, &set, 8, 0x1), EINVAL);
	CHECK_ERR(syscall(SYS_signalfd4, -1, &set, 4, 0), EINVAL);
	CHECK_ERR(syscall(SYS_signalfd4, 999, &set, 8, 0), EBADF);
	CHECK_ERR(syscall(SYS_signalfd4, 0, &set, 8, 0), EINVAL);
	fd = (int)syscall(SYS_signalfd4, -1, &set, 8, SFD_NONBLOCK | SFD_CLOEXEC);
	CHECK(fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
	CHECK_ERR(read(fd, si, sizeof(si)), EAGAIN);
	CHECK_ERR(read(fd, si, sizeof(si[0]) - 1), EINVAL);
	pf.fd = fd;
	CHECK_EQ(poll(&pf, 1, 0), 0);
	CHECK_EQ(sigqueue(getpid(), 40, (union sigval){ .sival_int = 77 }), 0);
	CHECK_EQ(kill(getpid(), SIGUSR1), 0);
	CHECK_EQ(poll(&pf, 1, 0), 1);
	CHECK_EQ(read(fd, si, sizeof(si)), 2 * sizeof(si[0]));
	CHECK(si[0].ssi_signo == SIGUSR1 && si[0].ssi_code == SI_USER);
	CHECK(si[0].ssi_pid == (uint32_t)getpid());
	CHECK(si[1].ssi_signo == 40 && si[1].ssi_int == 77 && si[1].ssi_code == SI_QUEUE);
	set = bit(40);
	CHECK_EQ(syscall(SYS_signalfd, fd, &set, 8), fd);
	CHECK_EQ(kill(getpid(), SIGUSR1), 0);
	CHECK_EQ(poll(&pf, 1, 0), 0);
	CHECK_ERR(write(fd, "x", 1), EINVAL);
}

CASE(pause_and_alarm, "pause,alarm")
{
	alarm(100);
	CHECK(alarm(50) >= 99);
	CHECK(alarm(0) >= 49);
	CHECK_EQ(alarm(0), 0);
	on(SIGALRM, handler, SA_RESTART);
	tick(5000);
	CHECK_ERR(pause(), EINTR);
	CHECK(hits >= 1);
	CHECK_EQ(alarm(10), 1); /* the two share a timer; a part of a second rounds up */
}

CASE(default_actions, "kill,wait4")
{
	const int dump[] = { SIGQUIT, SIGABRT, SIGSYS, SIGXCPU };
	const int ends[] = { SIGHUP, SIGINT, SIGPIPE, SIGVTALRM, SIGIO, 40 };
	const int ignored[] = { SIGCHLD, SIGURG, SIGWINCH, SIGCONT };
	struct rlimit none = { 0, 0 };

	CHECK_EQ(setrlimit(RLIMIT_CORE, &none), 0);
	for (unsigned i = 0; i < 4; i++)
		CHECK_EQ(WTERMSIG(IN_CHILD(kill(getpid(), dump[i]))), dump[i]);
	for (unsigned i = 0; i < 6; i++)
		CHECK_EQ(WTERMSIG(IN_CHILD(kill(getpid(), ends[i]))), ends[i]);
	for (unsigned i = 0; i < 4; i++)
		CHECK_EQ(IN_CHILD(kill(getpid(), ignored[i])), 0);
}

MAIN()

static _Atomic int change_stop, change_hits;

static void change_hit(int sig)
{
	(void)sig;
	change_hits++;
}

static void *raise_until(void *arg)
{
	(void)arg;
	while (!change_stop)
		raise(SIGUSR1);
	return NULL;
}

/* A signal that a thread sends itself is delivered at once: another thread that keeps making
 * it ignored and caught again does not swallow every one. */
CASE(raised_while_handlers_change, "rt_sigaction,tgkill")
{
	pthread_t th;

	change_stop = change_hits = 0;
	signal(SIGUSR1, SIG_IGN);
	CHECK_EQ(pthread_create(&th, NULL, raise_until, NULL), 0);
	for (int i = 0; i < 2000000 && change_hits < 20; i++) {
		signal(SIGUSR1, change_hit);
		signal(SIGUSR1, SIG_IGN);
	}
	change_stop = 1;
	CHECK_EQ(pthread_join(th, NULL), 0);
	CHECK(change_hits > 0);
}
