/* siginfo of every origin, field by field; limits of the queues; what fork, exec and
 * threads do to pending signals. */
#include "tests/harness/guest.h"

#include <pthread.h>
#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <ucontext.h>

#ifndef SA_UNSUPPORTED
#define SA_UNSUPPORTED 0x400
#endif
#ifndef SA_EXPOSE_TAGBITS
#define SA_EXPOSE_TAGBITS 0x800
#endif

/* ---- faults: each in a child, which ends with what the handler saw ---- */

static uint8_t *ro, *none, *past;	/* read-only, no access, beyond the file's end */
static void *want_addr;

struct seen {
	volatile int signo, code, err;
	void *volatile addr;
	volatile uint64_t trapno, hwerr, cr2, rip;
};
static struct seen *seen;

static void on_fault(int sig, siginfo_t *si, void *p)
{
	greg_t *g = ((ucontext_t *)p)->uc_mcontext.gregs;

	(void)sig;
	seen->signo = si->si_signo;
	seen->code = si->si_code;
	seen->err = si->si_errno;
	seen->addr = si->si_addr;
	seen->trapno = (uint64_t)g[REG_TRAPNO];
	seen->hwerr = (uint64_t)g[REG_ERR];
	seen->cr2 = (uint64_t)g[REG_CR2];
	seen->rip = (uint64_t)g[REG_RIP];
	_exit(0);
}

static void read_null(void) { (void)*(volatile char *)(want_addr = (void *)8); }
static void write_null(void) { *(volatile char *)(want_addr = (void *)16) = 1; }
static void write_ro(void) { *(volatile char *)(want_addr = ro + 5) = 1; }
static void read_none(void) { (void)*(volatile char *)(want_addr = none + 7); }
static void exec_none(void) { ((void (*)(void))(want_addr = ro))(); }
static void read_past(void) { (void)*(volatile char *)(want_addr = past + 4096 + 3); }
static void non_canonical(void)
{
	want_addr = NULL;
	(void)*(volatile char *)0x8000000000000000ULL;
}
static void kernel_address(void) { (void)*(volatile char *)(want_addr = (void *)0xffffffff81000000ULL); }
static void privileged(void)
{
	want_addr = NULL;
	__asm__ volatile("hlt");
}
static void out_port(void)
{
	want_addr = NULL;
	__asm__ volatile("out %%al, $0x80" ::"a"(0));
}
static void bad_interrupt(void)
{
	want_addr = NULL;
	__asm__ volatile("int $0x40");
}
static void divide(void)
{
	__asm__ volatile("xor %%edx, %%edx\n\tmov $1, %%eax\n\txor %%ecx, %%ecx\n\t"
			 "lea 1f(%%rip), %%rbx\n\tmov %%rbx, %0\n1:\tdiv %%ecx"
			 : "=m"(want_addr)::"eax", "ecx", "edx", "rbx");
}
static void sse_divide(void)
{
	uint32_t mxcsr = 0x1f80 & ~0x200u; /* unmask division by zero */
	float one = 1, zero = 0;

	__asm__ volatile("ldmxcsr %1\n\tmovss %2, %%xmm0\n\tlea 1f(%%rip), %%rbx\n\t"
			 "mov %%rbx, %0\n1:\tdivss %3, %%xmm0"
			 : "=m"(want_addr) : "m"(mxcsr), "m"(one), "m"(zero) : "xmm0", "rbx");
}
static void sse_invalid(void)
{
	uint32_t mxcsr = 0x1f80 & ~0x80u;
	float zero = 0;

	__asm__ volatile("ldmxcsr %1\n\tmovss %2, %%xmm0\n\tlea 1f(%%rip), %%rbx\n\t"
			 "mov %%rbx, %0\n1:\tdivss %2, %%xmm0"
			 : "=m"(want_addr) : "m"(mxcsr), "m"(zero) : "xmm0", "rbx");
}
static void x87_divide(void)
{
	uint16_t cw = 0x37f & (uint16_t)~4;

	/* Reported by the next waiting instruction, with the address of the fault. */
	__asm__ volatile("fldcw %1\n\tfldz\n\tfld1\n\tlea 1f(%%rip), %%rbx\n\tmov %%rbx, %0\n"
			 "fdivp\n1:\tfwait"
			 : "=m"(want_addr) : "m"(cw) : "rbx");
}
static void illegal(void)
{
	__asm__ volatile("lea 1f(%%rip), %%rbx\n\tmov %%rbx, %0\n1:\tud2" : "=m"(want_addr)::"rbx");
}
static void breakpoint(void)
{
	want_addr = NULL;
	__asm__ volatile("int3");
}
static void single_step(void)
{
	__asm__ volatile("lea 1f(%%rip), %%rbx\n\tmov %%rbx, %0\n\tpushfq\n\torl $0x100, (%%rsp)\n\t"
			 "popfq\n\tnop\n1:\tnop"
			 : "=m"(want_addr)::"rbx");
}
static void icebp(void)
{
	__asm__ volatile("lea 1f(%%rip), %%rbx\n\tmov %%rbx, %0\n\t.byte 0xf1\n1:\tnop"
			 : "=m"(want_addr)::"rbx");
}
static void alignment(void)
{
	static char buf[16] __attribute__((aligned(16)));

	want_addr = NULL;
	__asm__ volatile("pushfq\n\torl $0x40000, (%%rsp)\n\tpopfq\n\tmov 1(%0), %%eax\n\t"
			 "pushfq\n\tandl $~0x40000, (%%rsp)\n\tpopfq" ::"r"(buf) : "rax");
}
static void sse_unaligned(void)
{
	want_addr = NULL;
	__asm__ volatile("movaps 1(%0), %%xmm0" ::"r"(&seen) : "xmm0");
}
static void non_canonical_stack(void)
{
	want_addr = NULL;
	__asm__ volatile("mov %0, %%rsp\n\tpop %%rax" ::"r"(0x8000000000000000ULL) : "rax");
}
static void non_canonical_jump(void)
{
	want_addr = NULL;
	__asm__ volatile("jmp *%0" ::"r"(0x8000000000000000ULL));
}
static void jump_nowhere(void)
{
	want_addr = (void *)0x1234000;
	__asm__ volatile("jmp *%0" ::"r"(want_addr));
}
static void rdpmc(void)
{
	want_addr = NULL;
	__asm__ volatile("rdpmc" ::"c"(0) : "rax", "rdx");
}

#define ANY (~0ULL)
static const struct fault {
	const char *name;
	void (*fn)(void);
	int signo, code;
	uint64_t trapno, hwerr;
} faults[] = {
	{ "read of null", read_null, SIGSEGV, SEGV_MAPERR, 14, 4 },
	{ "write of null", write_null, SIGSEGV, SEGV_MAPERR, 14, 6 },
	{ "write of read-only", write_ro, SIGSEGV, SEGV_ACCERR, 14, ANY },
	{ "read of no access", read_none, SIGSEGV, SEGV_ACCERR, 14, ANY },
	{ "execution of data", exec_none, SIGSEGV, SEGV_ACCERR, 14, 0x15 },
	{ "beyond the end", read_past, SIGBUS, BUS_ADRERR, 14, ANY },
	{ "non-canonical", non_canonical, SIGSEGV, SI_KERNEL, 13, 0 },
	{ "kernel address", kernel_address, SIGSEGV, SEGV_MAPERR, 14, 5 },
	{ "privileged", privileged, SIGSEGV, SI_KERNEL, 13, 0 },
	{ "port", out_port, SIGSEGV, SI_KERNEL, 13, 0 },
	{ "interrupt", bad_interrupt, SIGSEGV, SI_KERNEL, 13, 0x202 },
	{ "division", divide, SIGFPE, FPE_INTDIV, 0, 0 },
	{ "sse division", sse_divide, SIGFPE, FPE_FLTDIV, 19, 0 },
	{ "sse invalid", sse_invalid, SIGFPE, FPE_FLTINV, 19, 0 },
	{ "x87 division", x87_divide, SIGFPE, FPE_FLTDIV, 16, 0 },
	{ "illegal", illegal, SIGILL, ILL_ILLOPN, 6, 0 },
	{ "breakpoint", breakpoint, SIGTRAP, SI_KERNEL, 3, 0 },
	{ "single step", single_step, SIGTRAP, TRAP_TRACE, 1, 0 },
	{ "icebp", icebp, SIGTRAP, TRAP_BRKPT, 1, 0 },
	{ "alignment", alignment, SIGBUS, BUS_ADRALN, 17, 0 },
	{ "sse unaligned", sse_unaligned, SIGSEGV, SI_KERNEL, 13, 0 },
	{ "non-canonical stack", non_canonical_stack, SIGBUS, SI_KERNEL, 12, 0 },
	{ "non-canonical jump", non_canonical_jump, SIGSEGV, SI_KERNEL, 13, 0 },
	{ "jump nowhere", jump_nowhere, SIGSEGV, SEGV_MAPERR, 14, 0x14 },
	{ "rdpmc", rdpmc, SIGSEGV, SI_KERNEL, 13, 0 },
};

static void prepare_faults(void)
{
	int f = open("short", O_CREAT | O_RDWR, 0600);

	seen = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ro = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	none = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(ftruncate(f, 100) == 0);
	past = mmap(NULL, 8192, PROT_READ, MAP_SHARED, f, 0);
	CHECK(seen != MAP_FAILED && ro != MAP_FAILED && none != MAP_FAILED && past != MAP_FAILED);
	(void)*(volatile uint8_t *)ro;
}

CASE(faults, "rt_sigaction")
{
	prepare_faults();
	for (unsigned i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		const struct fault *f = &faults[i];
		int st;

		memset(seen, 0, 4096);
		st = IN_CHILD({
			static const int sigs[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP };
			struct sigaction sa = { .sa_sigaction = on_fault,
						.sa_flags = SA_SIGINFO | SA_ONSTACK };
			stack_t ss = { .ss_sp = malloc(65536), .ss_size = 65536 };

			sigaltstack(&ss, NULL);
			for (int s = 0; s < 5; s++)
				sigaction(sigs[s], &sa, NULL);
			f->fn();
			_exit(9);
		});
		if (!WIFEXITED(st) || WEXITSTATUS(st) != 0)
			guest_fail(__FILE__, __LINE__, "%s: status %#x", f->name, st);
		if (seen->signo != f->signo || seen->code != f->code || seen->err != 0 ||
		    seen->trapno != f->trapno || (f->hwerr != ANY && seen->hwerr != f->hwerr))
			guest_fail(__FILE__, __LINE__,
				   "%s: signal %d code %d errno %d trap %d error %#x addr %p",
				   f->name, seen->signo, seen->code, seen->err, (int)seen->trapno,
				   (unsigned)seen->hwerr, seen->addr);
	}
}

/* The addresses, where the table's functions say them. */
static void on_addr(int sig, siginfo_t *si, void *p)
{
	greg_t *g = ((ucontext_t *)p)->uc_mcontext.gregs;

	(void)sig;
	if (si->si_addr != want_addr)
		_exit(1);
	if (g[REG_TRAPNO] == 14 && (void *)g[REG_CR2] != want_addr)
		_exit(2);
	_exit(0);
}

CASE(fault_addresses, "rt_sigaction")
{
	prepare_faults();
	for (unsigned i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		const struct fault *f = &faults[i];
		int st = IN_CHILD({
			static const int sigs[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP };
			struct sigaction sa = { .sa_sigaction = on_addr,
						.sa_flags = SA_SIGINFO | SA_ONSTACK };
			stack_t ss = { .ss_sp = malloc(65536), .ss_size = 65536 };

			sigaltstack(&ss, NULL);
			for (int s = 0; s < 5; s++)
				sigaction(sigs[s], &sa, NULL);
			f->fn();
			_exit(9);
		});

		/* The x87's is that of the fdivp, a few bytes before. */
		if (f->fn == x87_divide || f->fn == kernel_address || f->fn == icebp)
			continue;
		if (st != 0)
			guest_fail(__FILE__, __LINE__, "%s: status %#x", f->name, st);
	}
}

/* ---- senders ---- */

static siginfo_t got[8];
static volatile int ngot;
static void on_any(int sig, siginfo_t *si, void *p)
{
	(void)sig;
	(void)p;
	if (ngot < 8)
		got[ngot] = *si;
	ngot++;
}

static void catch_with(int sig, int flags)
{
	struct sigaction sa = { .sa_sigaction = on_any, .sa_flags = SA_SIGINFO | flags };

	CHECK(sigaction(sig, &sa, NULL) == 0);
}

CASE(of_senders, "kill,tkill,tgkill,rt_sigqueueinfo,rt_tgsigqueueinfo,pidfd_send_signal")
{
	union sigval v = { .sival_ptr = (void *)0x123456789abcUL };
	int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	siginfo_t si;

	catch_with(SIGUSR1, 0);
	kill(getpid(), SIGUSR1);
	CHECK(got[0].si_code == SI_USER && got[0].si_pid == getpid() && got[0].si_uid == getuid());
	CHECK_EQ(got[0].si_signo, SIGUSR1);
	CHECK_EQ(got[0].si_errno, 0);
	CHECK(got[0].si_ptr == NULL);
	syscall(SYS_tkill, getpid(), SIGUSR1);
	CHECK(got[1].si_code == SI_TKILL && got[1].si_pid == getpid());
	syscall(SYS_tgkill, getpid(), getpid(), SIGUSR1);
	CHECK(got[2].si_code == SI_TKILL && got[2].si_uid == getuid());
	sigqueue(getpid(), SIGUSR1, v);
	CHECK(got[3].si_code == SI_QUEUE && got[3].si_ptr == v.sival_ptr);
	CHECK(got[3].si_pid == getpid() && got[3].si_uid == getuid());
	CHECK(syscall(SYS_pidfd_send_signal, fd, SIGUSR1, NULL, 0) == 0);
	CHECK(got[4].si_code == SI_USER && got[4].si_pid == getpid());
	/* What a caller makes up is delivered as it is, all of it. */
	memset(&si, 0, sizeof(si));
	si.si_signo = 55;
	si.si_errno = 66;
	si.si_code = -77;
	memset((char *)&si + 16, 0x5a, 32);
	CHECK(syscall(SYS_rt_sigqueueinfo, getpid(), SIGUSR1, &si) == 0);
	CHECK_EQ(got[5].si_signo, SIGUSR1); /* but for the number */
	CHECK_EQ(got[5].si_errno, 66);
	CHECK_EQ(got[5].si_code, -77);
	CHECK(!memcmp((char *)&got[5] + 16, (char *)&si + 16, 32));
	memset((char *)&si + 16, 0, 112);
	si.si_code = SI_ASYNCIO;
	CHECK(syscall(SYS_rt_tgsigqueueinfo, getpid(), getpid(), SIGUSR1, &si) == 0);
	CHECK_EQ(got[6].si_code, SI_ASYNCIO);
	CHECK_EQ(ngot, 7);
}

CASE(of_timers, "timer_create,timer_settime,setitimer,timer_getoverrun")
{
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1,
			       .sigev_value.sival_ptr = (void *)0xabcdef12345UL };
	struct itimerspec its = { { 0, 0 }, { 0, 1000000 } };
	struct { struct { long s, us; } i, v; } it = { { 0, 0 }, { 0, 1000 } };
	int id, id2;

	catch_with(SIGUSR1, 0);
	catch_with(SIGALRM, 0);
	CHECK(syscall(SYS_timer_create, CLOCK_MONOTONIC, &ev, &id) == 0);
	CHECK(syscall(SYS_timer_settime, id, 0, &its, NULL) == 0);
	while (ngot < 1)
		usleep(1000);
	CHECK_EQ(got[0].si_code, SI_TIMER);
	CHECK_EQ(got[0].si_timerid, id);
	CHECK_EQ(got[0].si_overrun, 0);
	CHECK(got[0].si_ptr == ev.sigev_value.sival_ptr);
	CHECK_EQ(got[0].si_errno, 0);
	/* Without an event: SIGALRM, its value the number. */
	CHECK(syscall(SYS_timer_create, CLOCK_REALTIME, NULL, &id2) == 0);
	CHECK(syscall(SYS_timer_settime, id2, 0, &its, NULL) == 0);
	while (ngot < 2)
		usleep(1000);
	CHECK_EQ(got[1].si_signo, SIGALRM);
	CHECK_EQ(got[1].si_value.sival_int, id2);
	CHECK(syscall(SYS_setitimer, 0, &it, NULL) == 0);
	while (ngot < 3)
		usleep(1000);
	CHECK_EQ(got[2].si_signo, SIGALRM);
	CHECK_EQ(got[2].si_code, SI_KERNEL);
	CHECK(got[2].si_pid == 0 && got[2].si_uid == 0);
}

CASE(of_files, "fcntl,kill")
{
	int p[2];

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, p) == 0);
	catch_with(SIGIO, 0);
	catch_with(SIGRTMIN + 3, 0);
	CHECK(fcntl(p[0], F_SETOWN, getpid()) == 0);
	CHECK(fcntl(p[0], F_SETFL, O_ASYNC) == 0);
	CHECK(write(p[1], "x", 1) == 1);
	while (ngot < 1)
		usleep(1000);
	CHECK_EQ(got[0].si_signo, SIGIO);
	CHECK_EQ(got[0].si_code, SI_KERNEL);
	CHECK(fcntl(p[0], F_SETSIG, SIGRTMIN + 3) == 0);
	CHECK(write(p[1], "x", 1) == 1);
	while (ngot < 2)
		usleep(1000);
	CHECK_EQ(got[1].si_signo, SIGRTMIN + 3);
	CHECK_EQ(got[1].si_code, POLL_IN);
	CHECK_EQ(got[1].si_fd, p[0]);
	CHECK(got[1].si_band & POLLIN);
}

CASE(of_the_parents_death, "prctl")
{
	/* siginfo of SIGPIPE and SIGXFSZ, which a thread brings on itself. */
	struct rlimit l = { 10, RLIM_INFINITY };
	int p[2], f;

	catch_with(SIGPIPE, 0);
	catch_with(SIGXFSZ, 0);
	CHECK(pipe(p) == 0);
	close(p[0]);
	CHECK_ERR(write(p[1], "x", 1), EPIPE);
	CHECK_EQ(ngot, 1);
	CHECK(got[0].si_code == SI_USER && got[0].si_pid == getpid());
	CHECK(getrlimit(RLIMIT_FSIZE, &l) == 0);
	l.rlim_cur = 10;
	CHECK(setrlimit(RLIMIT_FSIZE, &l) == 0);
	f = open("limited", O_CREAT | O_RDWR, 0600);
	CHECK(write(f, "0123456789", 10) == 10);
	CHECK_ERR(write(f, "x", 1), EFBIG);
	CHECK_EQ(ngot, 2);
	CHECK(got[1].si_code == SI_USER && got[1].si_pid == getpid());
}

/* ---- flags of actions ---- */

CASE(unknown_flags_go, "rt_sigaction")
{
	struct { uint64_t h, f, r, m; } in = { 1, ~0ULL, 0, 0 }, out;

	CHECK(syscall(SYS_rt_sigaction, SIGUSR1, &in, NULL, 8) == 0);
	CHECK(syscall(SYS_rt_sigaction, SIGUSR1, NULL, &out, 8) == 0);
	/* How a program finds out what is known: the unknown is cleared. */
	CHECK(!(out.f & SA_UNSUPPORTED));
	CHECK(out.f & SA_EXPOSE_TAGBITS);
	CHECK_EQ(out.f, 0xdc000807ULL);
	in.f = SA_UNSUPPORTED | SA_EXPOSE_TAGBITS | SA_SIGINFO;
	CHECK(syscall(SYS_rt_sigaction, SIGUSR1, &in, NULL, 8) == 0);
	CHECK(syscall(SYS_rt_sigaction, SIGUSR1, NULL, &out, 8) == 0);
	CHECK_EQ(out.f, SA_EXPOSE_TAGBITS | SA_SIGINFO);
}

/* ---- queues ---- */

CASE(realtime_order, "rt_sigqueueinfo,rt_sigtimedwait")
{
	sigset_t all;
	siginfo_t si;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	for (int i = 0; i < 3; i++)
		for (int s = 40; s >= 36; s -= 2)
			CHECK(sigqueue(getpid(), s, (union sigval){ .sival_int = i }) == 0);
	kill(getpid(), SIGUSR2);
	kill(getpid(), SIGUSR2);
	kill(getpid(), SIGUSR1);
	/* Standard ones first and once, then the lowest, each in its order. */
	CHECK_EQ(sigwaitinfo(&all, &si), SIGUSR1);
	CHECK_EQ(sigwaitinfo(&all, &si), SIGUSR2);
	for (int s = 36; s <= 40; s += 2)
		for (int i = 0; i < 3; i++) {
			CHECK_EQ(sigwaitinfo(&all, &si), s);
			CHECK_EQ(si.si_value.sival_int, i);
		}
	CHECK_ERR(sigtimedwait(&all, &si, &(struct timespec){ 0, 0 }), EAGAIN);
	/* Faults come before all of them. */
	kill(getpid(), SIGHUP);
	kill(getpid(), SIGSEGV);
	CHECK_EQ(sigwaitinfo(&all, &si), SIGSEGV);
	CHECK_EQ(sigwaitinfo(&all, &si), SIGHUP);
	/* A thread's own before the process's. */
	kill(getpid(), SIGUSR1);
	syscall(SYS_tgkill, getpid(), getpid(), SIGUSR2);
	CHECK_EQ(sigwaitinfo(&all, &si), SIGUSR2);
	CHECK_EQ(sigwaitinfo(&all, &si), SIGUSR1);
}

CASE(limit_of_the_queue, "rt_sigqueueinfo,timer_create,setrlimit")
{
	CHECK_EQ(IN_CHILD({
		struct rlimit l = { 5, 5 };
		sigset_t all;
		siginfo_t si;
		int n = 0, id;

		CHECK(setgid(4243) == 0 && setuid(4243) == 0);
		CHECK(setrlimit(RLIMIT_SIGPENDING, &l) == 0);
		sigfillset(&all);
		sigprocmask(SIG_BLOCK, &all, NULL);
		while (sigqueue(getpid(), 40, (union sigval){ .sival_int = n }) == 0)
			n++;
		CHECK_EQ(errno, EAGAIN);
		CHECK_EQ(n, 5);
		/* kill(2) gets through without its info. */
		CHECK(kill(getpid(), 41) == 0);
		CHECK(kill(getpid(), SIGUSR1) == 0);
		CHECK(syscall(SYS_tgkill, getpid(), getpid(), SIGUSR2) == 0);
		/* A timer needs room for its signal. */
		CHECK_ERR(syscall(SYS_timer_create, CLOCK_MONOTONIC, NULL, &id), EAGAIN);
		for (int i = 0; i < 5; i++)
			CHECK(sigqueue(getpid(), SIGUSR1, (union sigval){ .sival_int = 0 }) == 0);
		CHECK_EQ(sigwaitinfo(&all, &si), SIGUSR2);
		CHECK_EQ(sigwaitinfo(&all, &si), SIGUSR1);
		CHECK(si.si_code == SI_USER && si.si_pid == getpid()); /* never lost */
		for (int i = 0; i < 5; i++) {
			CHECK_EQ(sigwaitinfo(&all, &si), 40);
			CHECK_EQ(si.si_value.sival_int, i);
		}
		CHECK_EQ(sigwaitinfo(&all, &si), 41);
		CHECK(si.si_code == SI_USER && si.si_pid == 0);
		/* Timers count against it, too. */
		for (int i = 0; i < 5; i++)
			CHECK(syscall(SYS_timer_create, CLOCK_MONOTONIC, NULL, &id) == 0);
		CHECK_ERR(syscall(SYS_timer_create, CLOCK_MONOTONIC, NULL, &id), EAGAIN);
		CHECK_ERR(sigqueue(getpid(), 40, (union sigval){ .sival_int = 1 }), EAGAIN);
		CHECK(syscall(SYS_timer_delete, id) == 0);
		CHECK(sigqueue(getpid(), 40, (union sigval){ .sival_int = 1 }) == 0);
	}), 0);
}

/* ---- fork, exec, threads ---- */

CASE(exec_keeps_mask_and_pending, "execve,rt_sigprocmask,rt_sigpending")
{
	int p[2];
	char buf[4096] = "";
	ssize_t n, all = 0;

	CHECK(pipe(p) == 0);
	if (fork() == 0) {
		char *av[] = { (char *)"sh", (char *)"-c",
			       (char *)"exec 3</proc/self/status; while read a b <&3; do echo $a $b; done",
			       NULL };
		sigset_t s;

		sigemptyset(&s);
		sigaddset(&s, SIGUSR1);
		sigaddset(&s, SIGUSR2);
		sigprocmask(SIG_SETMASK, &s, NULL);
		signal(SIGHUP, SIG_IGN);
		catch_with(SIGTERM, 0);
		kill(getpid(), SIGUSR1);
		syscall(SYS_tgkill, getpid(), getpid(), SIGUSR2);
		dup2(p[1], 1);
		execv("/bin/sh", av);
		_exit(1);
	}
	close(p[1]);
	while ((n = read(p[0], buf + all, sizeof(buf) - 1 - (size_t)all)) > 0)
		all += n;
	wait(NULL);
	CHECK(strstr(buf, "SigPnd: 0000000000000800"));
	CHECK(strstr(buf, "ShdPnd: 0000000000000200"));
	CHECK(strstr(buf, "SigBlk: 0000000000000a00"));
	CHECK(strstr(buf, "SigIgn: 0000000000000001"));
}

static volatile int thread_tid, threads_hit, quit;
static pthread_barrier_t bar;

static void *blocked_thread(void *arg)
{
	sigset_t s;

	(void)arg;
	sigemptyset(&s);
	sigaddset(&s, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &s, NULL);
	thread_tid = (int)syscall(SYS_gettid);
	pthread_barrier_wait(&bar);
	while (!quit)
		usleep(1000);
	/* Its own pending one goes with it. */
	return NULL;
}

CASE(threads_and_pending, "tgkill,kill,rt_sigpending")
{
	sigset_t s, pend;
	pthread_t t;

	catch_with(SIGUSR1, 0);
	pthread_barrier_init(&bar, NULL, 2);
	pthread_create(&t, NULL, blocked_thread, NULL);
	pthread_barrier_wait(&bar);
	/* To the process: whoever does not block it. */
	kill(getpid(), SIGUSR1);
	CHECK_EQ(ngot, 1);
	/* To the thread: it waits there. */
	CHECK(syscall(SYS_tgkill, getpid(), thread_tid, SIGUSR1) == 0);
	usleep(20000);
	CHECK_EQ(ngot, 1);
	sigpending(&pend);
	CHECK(!sigismember(&pend, SIGUSR1)); /* not mine */
	sigemptyset(&s);
	sigaddset(&s, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &s, NULL);
	kill(getpid(), SIGUSR1); /* nobody takes it */
	quit = 1;
	pthread_join(t, NULL);
	sigpending(&pend);
	CHECK(sigismember(&pend, SIGUSR1));
	pthread_sigmask(SIG_UNBLOCK, &s, NULL);
	CHECK_EQ(ngot, 2);
	CHECK_ERR(syscall(SYS_tgkill, getpid(), thread_tid, SIGUSR1), ESRCH);
	CHECK_ERR(syscall(SYS_tgkill, getppid(), getpid(), 0), ESRCH);
}

CASE(ignoring_discards, "rt_sigaction,rt_sigpending")
{
	sigset_t s, pend;

	sigfillset(&s);
	sigprocmask(SIG_BLOCK, &s, NULL);
	kill(getpid(), SIGUSR1);
	kill(getpid(), SIGCHLD);
	sigpending(&pend);
	CHECK(sigismember(&pend, SIGUSR1) && sigismember(&pend, SIGCHLD));
	signal(SIGUSR1, SIG_IGN);
	signal(SIGCHLD, SIG_DFL); /* whose default is to ignore */
	sigpending(&pend);
	CHECK(!sigismember(&pend, SIGUSR1) && !sigismember(&pend, SIGCHLD));
	/* Blocked: it stays, ignored or not. */
	kill(getpid(), SIGUSR1);
	sigpending(&pend);
	CHECK(sigismember(&pend, SIGUSR1));
	sigprocmask(SIG_UNBLOCK, &s, NULL);
	sigpending(&pend);
	CHECK(!sigismember(&pend, SIGUSR1));
}

CASE(timedwait_rules, "rt_sigtimedwait")
{
	struct timespec bad = { 0, 1000000000 }, neg = { -1, 0 }, zero = { 0, 0 };
	sigset_t s;
	siginfo_t si;

	sigemptyset(&s);
	sigaddset(&s, SIGUSR1);
	CHECK_ERR(syscall(SYS_rt_sigtimedwait, &s, &si, &bad, 8), EINVAL);
	CHECK_ERR(syscall(SYS_rt_sigtimedwait, &s, &si, &neg, 8), EINVAL);
	CHECK_ERR(syscall(SYS_rt_sigtimedwait, &s, &si, &zero, 4), EINVAL);
	CHECK_ERR(syscall(SYS_rt_sigtimedwait, 8, &si, &zero, 8), EFAULT);
	CHECK_ERR(syscall(SYS_rt_sigtimedwait, &s, &si, 8, 8), EFAULT);
	CHECK_ERR(syscall(SYS_rt_sigtimedwait, &s, &si, &zero, 8), EAGAIN);
	sigprocmask(SIG_BLOCK, &s, NULL);
	kill(getpid(), SIGUSR1);
	/* Taken, even if it cannot be told. */
	CHECK_ERR(syscall(SYS_rt_sigtimedwait, &s, 8, &zero, 8), EFAULT);
	CHECK_ERR(syscall(SYS_rt_sigtimedwait, &s, &si, &zero, 8), EAGAIN);
	/* A signal outside of the set interrupts. */
	catch_with(SIGALRM, SA_RESTART);
	ualarm(20000, 0);
	CHECK_ERR(syscall(SYS_rt_sigtimedwait, &s, &si, NULL, 8), EINTR);
}

CASE(kill_a_spinning_thread, "kill,clone")
{
	int st;
	pid_t p = fork();

	if (p == 0) {
		sigset_t all;

		sigfillset(&all);
		sigprocmask(SIG_BLOCK, &all, NULL);
		for (;;)
			;
	}
	usleep(20000);
	kill(p, SIGTERM);
	usleep(20000);
	CHECK(waitpid(p, &st, WNOHANG) == 0);
	kill(p, SIGKILL);
	CHECK(waitpid(p, &st, 0) == p);
	CHECK_EQ(st, SIGKILL);
}

MAIN()
