/* seccomp(2): filters that a program puts on itself. */
#include <linux/audit.h>
#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>

#include "tests/harness/guest.h"
#include "tests/syscalls/seccomp_util.h"

static const struct sock_filter allow_all[] = {
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
};

static void nnp(void)
{
	CHECK_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
}

/* ---- arguments ---- */

CASE(filter_arguments, "seccomp")
{
	struct sock_fprog p = { .len = 0, .filter = (struct sock_filter *)allow_all };
	struct sock_fprog null = { .len = 1, .filter = NULL };
	struct sock_fprog bad = { .len = 1, .filter = (void *)8 };

	CHECK_ERR(seccomp(99, 0, NULL), EINVAL);
	CHECK_ERR(seccomp(SECCOMP_SET_MODE_STRICT, 1, NULL), EINVAL);
	CHECK_ERR(seccomp(SECCOMP_SET_MODE_STRICT, 0, &p), EINVAL);
	CHECK_ERR(seccomp(SECCOMP_SET_MODE_FILTER, 0x40, &p), EINVAL);
	CHECK_ERR(seccomp(SECCOMP_SET_MODE_FILTER,
			  SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_NEW_LISTENER, &p), EINVAL);
	CHECK_ERR(seccomp(SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, NULL),
		  EINVAL);
	CHECK_ERR(seccomp(SECCOMP_SET_MODE_FILTER, 0, NULL), EFAULT);
	CHECK_ERR(seccomp(SECCOMP_SET_MODE_FILTER, 0, &p), EINVAL);
	p.len = 4097;
	CHECK_ERR(seccomp(SECCOMP_SET_MODE_FILTER, 0, &p), EINVAL);
	CHECK_ERR(seccomp(SECCOMP_SET_MODE_FILTER, 0, &null), EINVAL);
	CHECK_ERR(seccomp(SECCOMP_SET_MODE_FILTER, 0, &bad), EFAULT);
	CHECK_ERR(prctl(PR_SET_SECCOMP, 0, 0, 0, 0), EINVAL);
	CHECK_ERR(prctl(PR_SET_SECCOMP, 3, 0, 0, 0), EINVAL);
	CHECK_ERR(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, 0, 0, 0), EFAULT);
	CHECK_EQ(prctl(PR_GET_SECCOMP, 0, 0, 0, 0), 0);
}

CASE(needs_privilege, "seccomp")
{
	CHECK_EQ(setuid(1000), 0);
	CHECK_ERR(install(0, allow_all, 1), EACCES);
	nnp();
	CHECK_EQ(install(0, allow_all, 1), 0);
	CHECK_EQ(prctl(PR_GET_SECCOMP, 0, 0, 0, 0), 2);
	CHECK_ERR(seccomp(SECCOMP_SET_MODE_STRICT, 0, NULL), EINVAL);
}

CASE(actions_and_sizes, "seccomp")
{
	struct seccomp_notif_sizes s;
	uint32_t good[] = { SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_THREAD, SECCOMP_RET_TRAP,
			    SECCOMP_RET_ERRNO, SECCOMP_RET_USER_NOTIF, SECCOMP_RET_TRACE,
			    SECCOMP_RET_LOG, SECCOMP_RET_ALLOW };
	uint32_t no = 0x10000;

	for (size_t i = 0; i < COUNT(good); i++)
		CHECK_EQ(seccomp(SECCOMP_GET_ACTION_AVAIL, 0, &good[i]), 0);
	CHECK_ERR(seccomp(SECCOMP_GET_ACTION_AVAIL, 0, &no), EOPNOTSUPP);
	CHECK_ERR(seccomp(SECCOMP_GET_ACTION_AVAIL, 1, &no), EINVAL);
	CHECK_ERR(seccomp(SECCOMP_GET_ACTION_AVAIL, 0, NULL), EFAULT);
	CHECK_EQ(seccomp(SECCOMP_GET_NOTIF_SIZES, 0, &s), 0);
	CHECK(s.seccomp_notif == 80 && s.seccomp_notif_resp == 24 && s.seccomp_data == 64);
	CHECK_ERR(seccomp(SECCOMP_GET_NOTIF_SIZES, 1, &s), EINVAL);
	CHECK_ERR(seccomp(SECCOMP_GET_NOTIF_SIZES, 0, NULL), EFAULT);
}

/* ---- what programs are taken ---- */

static const uint16_t good_codes[] = {
	BPF_LD | BPF_W | BPF_ABS, BPF_LD | BPF_W | BPF_LEN, BPF_LDX | BPF_W | BPF_LEN,
	BPF_LD | BPF_IMM, BPF_LDX | BPF_IMM, BPF_ST, BPF_STX, BPF_MISC | BPF_TAX,
	BPF_MISC | BPF_TXA, BPF_RET | BPF_K, BPF_RET | BPF_A, BPF_ALU | BPF_NEG,
	BPF_ALU | BPF_ADD | BPF_K, BPF_ALU | BPF_ADD | BPF_X, BPF_ALU | BPF_SUB | BPF_K,
	BPF_ALU | BPF_SUB | BPF_X, BPF_ALU | BPF_MUL | BPF_K, BPF_ALU | BPF_MUL | BPF_X,
	BPF_ALU | BPF_DIV | BPF_K, BPF_ALU | BPF_DIV | BPF_X, BPF_ALU | BPF_AND | BPF_K,
	BPF_ALU | BPF_AND | BPF_X, BPF_ALU | BPF_OR | BPF_K, BPF_ALU | BPF_OR | BPF_X,
	BPF_ALU | BPF_XOR | BPF_K, BPF_ALU | BPF_XOR | BPF_X, BPF_ALU | BPF_LSH | BPF_K,
	BPF_ALU | BPF_LSH | BPF_X, BPF_ALU | BPF_RSH | BPF_K, BPF_ALU | BPF_RSH | BPF_X,
	BPF_JMP | BPF_JA, BPF_JMP | BPF_JEQ | BPF_K, BPF_JMP | BPF_JEQ | BPF_X,
	BPF_JMP | BPF_JGT | BPF_K, BPF_JMP | BPF_JGT | BPF_X, BPF_JMP | BPF_JGE | BPF_K,
	BPF_JMP | BPF_JGE | BPF_X, BPF_JMP | BPF_JSET | BPF_K, BPF_JMP | BPF_JSET | BPF_X,
};

static bool is_good(unsigned code)
{
	for (size_t i = 0; i < COUNT(good_codes); i++)
		if (good_codes[i] == code)
			return true;
	return false;
}

CASE(every_opcode, "seccomp")
{
	/* k fits every opcode: a jump's distance, a shift, an offset, a divisor. */
	for (unsigned code = 0; code < 0x400; code++) {
		struct sock_filter f[] = {
			{ (uint16_t)code, 0, 0, 4 },
			BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
			BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
			BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
			BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
			BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		};
		int st = IN_CHILD({
			if (install(0, f, COUNT(f)) == 0)
				_exit(1);
			_exit(errno == EINVAL ? 2 : 3);
		});

		/* These return 0, the last by dividing by zero. */
		if (code == (BPF_RET | BPF_A) || code == (BPF_RET | BPF_K) ||
		    code == (BPF_ALU | BPF_DIV | BPF_X)) {
			CHECK(WIFSIGNALED(st) && WTERMSIG(st) == SIGSYS);
			continue;
		}
		if (WEXITSTATUS(st) != (is_good(code) ? 1 : 2))
			guest_fail(__FILE__, __LINE__, "opcode %#x: %d", code, st);
	}
}

static void rejected(const struct sock_filter *f, size_t n, int line)
{
	errno = 0;
	if (install(0, f, n) != -1 || errno != EINVAL)
		guest_fail(__FILE__, line, "program taken (errno %d)", errno);
}
#define REJECTED(...)                                                          \
	do {                                                                   \
		const struct sock_filter f_[] = { __VA_ARGS__ };               \
		rejected(f_, COUNT(f_), __LINE__);                             \
	} while (0)
#define RET_ALLOW BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

CASE(bad_programs, "seccomp")
{
	REJECTED(BPF_STMT(BPF_LD | BPF_IMM, 0));
	REJECTED(BPF_STMT(BPF_JMP | BPF_JA, 0), BPF_STMT(BPF_LD | BPF_IMM, 0));
	REJECTED(BPF_STMT(BPF_JMP | BPF_JA, 1), RET_ALLOW);
	REJECTED(BPF_STMT(BPF_JMP | BPF_JA, 0xffffffff), RET_ALLOW);
	REJECTED(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1), RET_ALLOW);
	REJECTED(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0), RET_ALLOW);
	REJECTED(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 64), RET_ALLOW);
	REJECTED(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 2), RET_ALLOW);
	REJECTED(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0xfffffffc), RET_ALLOW);
	REJECTED(BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), RET_ALLOW);
	REJECTED(BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 32), RET_ALLOW);
	REJECTED(BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 32), RET_ALLOW);
	REJECTED(BPF_STMT(BPF_ST, 16), RET_ALLOW);
	REJECTED(BPF_STMT(BPF_STX, 16), RET_ALLOW);
	/* Memory that was not stored to, at all or on one way. */
	REJECTED(BPF_STMT(BPF_LD | BPF_MEM, 0), RET_ALLOW);
	REJECTED(BPF_STMT(BPF_ST, 1), BPF_STMT(BPF_LDX | BPF_MEM, 0), RET_ALLOW);
	REJECTED(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1), BPF_STMT(BPF_ST, 3),
		 BPF_STMT(BPF_LD | BPF_MEM, 3), RET_ALLOW);
}

/* How many installs of such a program fit: Linux counts translated instructions. */
static int how_many(const struct sock_filter *f, size_t n)
{
	int st = IN_CHILD({
		int i = 0;

		nnp();
		while (install(0, f, n) == 0)
			i++;
		_exit(errno == ENOMEM ? i : 255);
	});

	return WEXITSTATUS(st);
}

static int fill(uint16_t code, uint8_t jt, uint8_t jf, uint32_t k)
{
	static struct sock_filter f[4096];

	for (int i = 0; i < 4096; i++)
		f[i] = i < 4000 ? (struct sock_filter){ code, jt, jf, k }
				: (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	/* Not to be run. */
	f[0] = (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, 3999);
	return how_many(f, 4096);
}

CASE(path_length_is_bounded, "seccomp")
{
	CHECK_EQ(fill(BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW), 3);
	CHECK_EQ(fill(BPF_LD | BPF_IMM, 0, 0, 1), 7);
	CHECK_EQ(fill(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 7), 7);
	CHECK_EQ(fill(BPF_JMP | BPF_JEQ | BPF_K, 1, 1, 7), 3);
	CHECK_EQ(fill(BPF_JMP | BPF_JSET | BPF_K, 0, 1, 7), 3);
	CHECK_EQ(fill(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0x80000000), 3);
	CHECK_EQ(fill(BPF_JMP | BPF_JEQ | BPF_K, 1, 1, 0x80000000), 2);
	CHECK_EQ(fill(BPF_ALU | BPF_DIV | BPF_X, 0, 0, 0), 1);
	CHECK_EQ(fill(BPF_MISC | BPF_TAX, 0, 0, 0), 7);
}

/* ---- what programs do ---- */

/* A program computes a word and returns it as the errno of getpgrp(). */
static int compute(const struct sock_filter *body, size_t n)
{
	struct sock_filter f[64] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, NR),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getpgid, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	int st;

	memcpy(f + 3, body, n * sizeof(*body));
	f[3 + n] = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xff);
	f[4 + n] = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_OR | BPF_K, SECCOMP_RET_ERRNO);
	f[5 + n] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_A, 0);
	st = IN_CHILD({
		if (install(0, f, n + 6))
			_exit(254);
		errno = 0;
		if (syscall(SYS_getpgid, 0x1122334455667788, 2, 3, 4, 5, 0xfedcba98) != -1)
			_exit(253);
		_exit(errno);
	});
	return WIFEXITED(st) ? WEXITSTATUS(st) : -WTERMSIG(st);
}
#define COMPUTE(...)                                     \
	({                                               \
		const struct sock_filter b_[] = { __VA_ARGS__ }; \
		compute(b_, COUNT(b_));                  \
	})

CASE(programs_compute, "seccomp")
{
	CHECK_EQ(COMPUTE(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ARG0)), 0x88);
	CHECK_EQ(COMPUTE(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ARG0 + 4)), 0x44);
	CHECK_EQ(COMPUTE(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 56)), 0x98);
	CHECK_EQ(COMPUTE(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 4)), AUDIT_ARCH_X86_64 & 0xff);
	CHECK_EQ(COMPUTE(BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0)), 64);
	CHECK_EQ(COMPUTE(BPF_STMT(BPF_LDX | BPF_W | BPF_LEN, 0), BPF_STMT(BPF_MISC | BPF_TXA, 0)), 64);
	CHECK_EQ(COMPUTE(BPF_STMT(BPF_LD | BPF_IMM, 7), BPF_STMT(BPF_ALU | BPF_MUL | BPF_K, 6)), 42);
	CHECK_EQ(COMPUTE(BPF_STMT(BPF_LD | BPF_IMM, 7), BPF_STMT(BPF_ST, 15),
			 BPF_STMT(BPF_LD | BPF_IMM, 100), BPF_STMT(BPF_LDX | BPF_MEM, 15),
			 BPF_STMT(BPF_ALU | BPF_SUB | BPF_X, 0)), 93);
	CHECK_EQ(COMPUTE(BPF_STMT(BPF_LD | BPF_IMM, 100), BPF_STMT(BPF_LDX | BPF_IMM, 7),
			 BPF_STMT(BPF_ALU | BPF_DIV | BPF_X, 0)), 14);
	CHECK_EQ(COMPUTE(BPF_STMT(BPF_LD | BPF_IMM, 3), BPF_STMT(BPF_LDX | BPF_IMM, 34),
			 BPF_STMT(BPF_ALU | BPF_LSH | BPF_X, 0)), 12);
	CHECK_EQ(COMPUTE(BPF_STMT(BPF_LD | BPF_IMM, 0xf0), BPF_STMT(BPF_LDX | BPF_IMM, 36),
			 BPF_STMT(BPF_ALU | BPF_RSH | BPF_X, 0)), 15);
	CHECK_EQ(COMPUTE(BPF_STMT(BPF_LD | BPF_IMM, 1), BPF_STMT(BPF_ALU | BPF_NEG, 0)), 255);
	CHECK_EQ(COMPUTE(BPF_STMT(BPF_LD | BPF_IMM, 0xff), BPF_STMT(BPF_ALU | BPF_XOR | BPF_K, 0x0f)),
		 0xf0);
	/* Division by zero ends the program with 0: KILL_THREAD. */
	CHECK_EQ(COMPUTE(BPF_STMT(BPF_LD | BPF_IMM, 100), BPF_STMT(BPF_LDX | BPF_IMM, 0),
			 BPF_STMT(BPF_ALU | BPF_DIV | BPF_X, 0)), -SIGSYS);
	/* Comparisons are unsigned. */
	CHECK_EQ(COMPUTE(BPF_STMT(BPF_LD | BPF_IMM, 5),
			 BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, 0x80000000, 0, 1),
			 BPF_STMT(BPF_LD | BPF_IMM, 1)), 5);
	CHECK_EQ(COMPUTE(BPF_STMT(BPF_LD | BPF_IMM, 0x80000001),
			 BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x80000001, 1, 0),
			 BPF_STMT(BPF_LD | BPF_IMM, 9)), 1);
	CHECK_EQ(COMPUTE(BPF_STMT(BPF_LD | BPF_IMM, 6), BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 4, 0, 1),
			 BPF_STMT(BPF_LD | BPF_IMM, 33)), 33);
}

CASE(instruction_pointer, "seccomp")
{
	extern char after_call[] __attribute__((visibility("hidden")));
	const struct sock_filter f[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, NR),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, instruction_pointer)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(uintptr_t)after_call, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 77),
		RET_ALLOW,
	};
	long r = SYS_getppid;

	CHECK_EQ(install(0, f, COUNT(f)), 0);
	__asm__ volatile("syscall\n.globl after_call\nafter_call:" : "+a"(r) : : "rcx", "r11", "memory");
	CHECK_EQ(r, -77);
	CHECK(syscall(SYS_getppid) > 0);
}

/* ---- actions ---- */

CASE(errno_action, "seccomp")
{
	CHECK_EQ(on_call(0, SYS_getppid, SECCOMP_RET_ERRNO | EXDEV), 0);
	CHECK_ERR(syscall(SYS_getppid), EXDEV);
	CHECK_EQ(on_call(0, SYS_getpgid, SECCOMP_RET_ERRNO | 0), 0);
	CHECK_EQ(syscall(SYS_getpgid, 0), 0);
	CHECK_EQ(on_call(0, SYS_getsid, SECCOMP_RET_ERRNO | 0xffff), 0);
	CHECK_ERR(syscall(SYS_getsid, 0), 4095);
	/* Numbers that mean something inside the kernel reach the caller as they are. */
	CHECK_EQ(on_call(0, SYS_umask, SECCOMP_RET_ERRNO | 512), 0);
	CHECK_ERR(syscall(SYS_umask, 0), 512);
	CHECK_EQ(on_call(0, SYS_getuid, SECCOMP_RET_ERRNO | 600), 0);
	CHECK_ERR(syscall(SYS_getuid), 600);
	CHECK_EQ(on_call(0, SYS_getgid, SECCOMP_RET_ERRNO | 601), 0);
	CHECK_ERR(syscall(SYS_getgid), 601);
}

CASE(unknown_numbers_are_judged, "seccomp")
{
	CHECK_EQ(on_call(0, 460000, SECCOMP_RET_ERRNO | 5), 0);
	CHECK_ERR(syscall(460000), 5);
	CHECK_EQ(on_call(0, 0x40000000 | SYS_getpid, SECCOMP_RET_ERRNO | 6), 0);
	CHECK_ERR(syscall(0x40000000 | SYS_getpid), 6);
	CHECK_EQ(on_call(0, -1, SECCOMP_RET_ERRNO | 7), 0);
}

static volatile sig_atomic_t trapped;
static siginfo_t trap_info;
static greg_t trap_rax, trap_rip;

static void on_sigsys(int sig, siginfo_t *si, void *uc)
{
	ucontext_t *u = uc;

	(void)sig;
	trapped++;
	trap_info = *si;
	trap_rax = u->uc_mcontext.gregs[REG_RAX];
	trap_rip = u->uc_mcontext.gregs[REG_RIP];
	u->uc_mcontext.gregs[REG_RAX] = 4242;
}

CASE(trap_action, "seccomp")
{
	struct sigaction sa = { .sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO };

	CHECK_EQ(sigaction(SIGSYS, &sa, NULL), 0);
	CHECK_EQ(on_call(0, SYS_getppid, SECCOMP_RET_TRAP | 0x123), 0);
	CHECK_EQ(syscall(SYS_getppid), 4242);
	CHECK_EQ(trapped, 1);
	CHECK_EQ(trap_info.si_signo, SIGSYS);
	CHECK_EQ(trap_info.si_code, 1);
	CHECK_EQ(trap_info.si_errno, 0x123);
	CHECK_EQ(trap_info.si_syscall, SYS_getppid);
	CHECK_EQ(trap_info.si_arch, AUDIT_ARCH_X86_64);
	CHECK_EQ((uintptr_t)trap_info.si_call_addr, trap_rip);
	CHECK_EQ(trap_rax, SYS_getppid);
}

CASE(trap_without_handler_kills, "seccomp")
{
	int st = IN_CHILD({
		on_call(0, SYS_getppid, SECCOMP_RET_TRAP);
		syscall(SYS_getppid);
	});

	CHECK(WIFSIGNALED(st) && WTERMSIG(st) == SIGSYS);
	/* Blocked or ignored makes no difference. */
	st = IN_CHILD({
		sigset_t s;

		signal(SIGSYS, SIG_IGN);
		sigfillset(&s);
		sigprocmask(SIG_BLOCK, &s, NULL);
		on_call(0, SYS_getppid, SECCOMP_RET_TRAP);
		syscall(SYS_getppid);
	});
	CHECK(WIFSIGNALED(st) && WTERMSIG(st) == SIGSYS);
}

static void *call_getppid(void *arg)
{
	(void)arg;
	syscall(SYS_getppid);
	return NULL;
}

static pid_t start_bare_thread(int (*fn)(void *), void *stack, pid_t *ctid)
{
	return clone(fn, (char *)stack + 65536,
		     CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
			     CLONE_CHILD_CLEARTID | CLONE_PARENT_SETTID,
		     NULL, ctid, NULL, ctid);
}

static int bare_getppid(void *arg)
{
	(void)arg;
	syscall(SYS_getppid);
	for (;;)
		;
	return 0;
}

CASE(kill_thread_and_process, "seccomp")
{
	static char stack[65536] __attribute__((aligned(16)));
	static volatile pid_t tid = 1;
	int st;

	/* One thread of several. */
	st = IN_CHILD({
		on_call(0, SYS_getppid, SECCOMP_RET_KILL_THREAD);
		if (start_bare_thread(bare_getppid, stack, (pid_t *)&tid) < 0)
			_exit(1);
		while (tid)
			sched_yield();
		_exit(7);
	});
	CHECK(WIFEXITED(st) && WEXITSTATUS(st) == 7);
	/* The only thread: the process. */
	st = IN_CHILD({
		signal(SIGSYS, SIG_IGN);
		on_call(0, SYS_getppid, SECCOMP_RET_KILL_THREAD);
		syscall(SYS_getppid);
	});
	CHECK(WIFSIGNALED(st) && WTERMSIG(st) == SIGSYS);
	st = IN_CHILD({
		pthread_t th;

		on_call(0, SYS_getppid, SECCOMP_RET_KILL_PROCESS);
		pthread_create(&th, NULL, call_getppid, NULL);
		pthread_join(th, NULL);
		for (;;)
			pause();
	});
	CHECK(WIFSIGNALED(st) && WTERMSIG(st) == SIGSYS);
	/* An action that nobody knows. */
	st = IN_CHILD({
		on_call(0, SYS_getppid, 0x00010000);
		syscall(SYS_getppid);
	});
	CHECK(WIFSIGNALED(st) && WTERMSIG(st) == SIGSYS);
}

CASE(log_and_trace, "seccomp")
{
	CHECK_EQ(on_call(SECCOMP_FILTER_FLAG_LOG, SYS_getppid, SECCOMP_RET_LOG), 0);
	CHECK(syscall(SYS_getppid) > 0);
	CHECK_EQ(on_call(SECCOMP_FILTER_FLAG_SPEC_ALLOW, SYS_getpgid, SECCOMP_RET_TRACE | 3), 0);
	CHECK_ERR(syscall(SYS_getpgid, 0), ENOSYS);
}

CASE(strictest_wins_then_newest, "seccomp")
{
	CHECK_EQ(on_call(0, SYS_getppid, SECCOMP_RET_ERRNO | 1), 0);
	CHECK_EQ(on_call(0, SYS_getppid, SECCOMP_RET_ERRNO | 2), 0);
	CHECK_ERR(syscall(SYS_getppid), 2);
	CHECK_EQ(on_call(0, SYS_getppid, SECCOMP_RET_LOG), 0);
	CHECK_EQ(on_call(0, SYS_getppid, SECCOMP_RET_TRACE), 0);
	CHECK_EQ(on_call(0, SYS_getppid, SECCOMP_RET_ALLOW), 0);
	CHECK_ERR(syscall(SYS_getppid), 2);
	CHECK_EQ(on_call(0, SYS_getppid, SECCOMP_RET_ERRNO | 3), 0);
	CHECK_ERR(syscall(SYS_getppid), 3);
}

CASE(strict_mode, "seccomp")
{
	int st = IN_CHILD({
		char c;
		int p[2];

		if (pipe(p) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0))
			syscall(SYS_exit, 1);
		if (write(p[1], "x", 1) != 1 || read(p[0], &c, 1) != 1)
			syscall(SYS_exit, 2);
		syscall(SYS_exit, 33);
	});

	CHECK(WIFEXITED(st) && WEXITSTATUS(st) == 33);
	st = IN_CHILD({
		seccomp(SECCOMP_SET_MODE_STRICT, 0, NULL);
		syscall(SYS_getppid);
	});
	CHECK(WIFSIGNALED(st) && WTERMSIG(st) == SIGKILL);
	/* exit_group is not exit. */
	st = IN_CHILD({
		seccomp(SECCOMP_SET_MODE_STRICT, 0, NULL);
		_exit(0);
	});
	CHECK(WIFSIGNALED(st) && WTERMSIG(st) == SIGKILL);
}

static void status_line(const char *name, char *out, size_t size)
{
	char line[256];
	FILE *f = fopen("/proc/self/status", "r");

	CHECK(f);
	*out = '\0';
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, name, strlen(name)))
			snprintf(out, size, "%s", line + strlen(name));
	fclose(f);
}

CASE(inherited_and_counted, "seccomp")
{
	char s[64];
	int st;

	nnp();
	status_line("Seccomp:\t", s, sizeof(s));
	CHECK(!strcmp(s, "0\n"));
	CHECK_EQ(on_call(0, SYS_getppid, SECCOMP_RET_ERRNO | 9), 0);
	CHECK_EQ(install(0, allow_all, 1), 0);
	status_line("Seccomp:\t", s, sizeof(s));
	CHECK(!strcmp(s, "2\n"));
	status_line("Seccomp_filters:\t", s, sizeof(s));
	CHECK(!strcmp(s, "2\n"));
	st = IN_CHILD({
		errno = 0;
		if (syscall(SYS_getppid) != -1 || errno != 9)
			_exit(1);
		on_call(0, SYS_getpgid, SECCOMP_RET_ERRNO | 10);
		execl("/proc/self/exe", "seccomp", "exec_helper", (char *)NULL);
	});
	CHECK(WIFEXITED(st) && WEXITSTATUS(st) == 0);
	/* What the child installed is its own. */
	CHECK_EQ(syscall(SYS_getpgid, 0), getpgrp());
}

/* Run by inherited_and_counted after its execve; passes by itself, too. */
CASE(exec_helper, "seccomp")
{
	if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == 0)
		return;
	CHECK_ERR(syscall(SYS_getppid), 9);
	CHECK_ERR(syscall(SYS_getpgid, 0), 10);
}

/* ---- threads ---- */

static int sync_pipe[2], sync_back[2];
static long thread_saw;

static void *sync_thread(void *arg)
{
	char c;

	if (arg)
		on_call(0, SYS_getsid, SECCOMP_RET_ERRNO | 20);
	if (write(sync_back[1], "r", 1) != 1 || read(sync_pipe[0], &c, 1) != 1)
		return NULL;
	errno = 0;
	thread_saw = syscall(SYS_getppid) == -1 ? -errno : 0;
	return (void *)(long)prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
}

CASE(tsync, "seccomp")
{
	pthread_t th;
	void *ret;
	char c;

	CHECK(!pipe(sync_pipe) && !pipe(sync_back));
	CHECK_EQ(pthread_create(&th, NULL, sync_thread, NULL), 0);
	CHECK_EQ(read(sync_back[0], &c, 1), 1);
	nnp();
	CHECK_EQ(on_call(SECCOMP_FILTER_FLAG_TSYNC, SYS_getppid, SECCOMP_RET_ERRNO | 21), 0);
	CHECK_EQ(write(sync_pipe[1], "g", 1), 1);
	CHECK_EQ(pthread_join(th, &ret), 0);
	CHECK_EQ(thread_saw, -21);
	CHECK_EQ((long)ret, 1);
}

CASE(tsync_diverged, "seccomp")
{
	pthread_t th;
	char c;
	long r;

	CHECK(!pipe(sync_pipe) && !pipe(sync_back));
	CHECK_EQ(pthread_create(&th, NULL, sync_thread, (void *)1), 0);
	CHECK_EQ(read(sync_back[0], &c, 1), 1);
	r = on_call(SECCOMP_FILTER_FLAG_TSYNC, SYS_getppid, SECCOMP_RET_ERRNO | 21);
	CHECK(r > 0 && r != getpid());
	CHECK_ERR(on_call(SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_TSYNC_ESRCH, SYS_getppid,
			  SECCOMP_RET_ERRNO | 21), ESRCH);
	CHECK(syscall(SYS_getppid) > 0);
	CHECK_EQ(write(sync_pipe[1], "g", 1), 1);
	CHECK_EQ(pthread_join(th, NULL), 0);
	CHECK_EQ(thread_saw, 0);
}

/* A blocked call that goes on after a signal is judged again, as restart_syscall. */
CASE(restart_syscall_is_judged, "seccomp")
{
	pid_t pid;
	int st;

	pid = fork();
	if (pid == 0) {
		struct timespec ts = { 30, 0 };

		on_call(0, SYS_restart_syscall, SECCOMP_RET_ERRNO | 88);
		if (nanosleep(&ts, NULL) == -1 && errno == 88)
			_exit(42);
		_exit(1);
	}
	for (;;) {
		char path[64], s[512] = "";
		int fd;

		snprintf(path, sizeof(path), "/proc/%d/stat", pid);
		fd = open(path, O_RDONLY);
		CHECK(fd >= 0 && read(fd, s, sizeof(s) - 1) > 0);
		close(fd);
		if (strstr(s, ") S "))
			break;
		sched_yield();
	}
	CHECK_EQ(kill(pid, SIGSTOP), 0);
	CHECK_EQ(waitpid(pid, &st, WUNTRACED), pid);
	CHECK_EQ(kill(pid, SIGCONT), 0);
	CHECK_EQ(waitpid(pid, &st, 0), pid);
	CHECK_EQ(WEXITSTATUS(st), 42);
}

MAIN()
