/* The code that runs inside guest address spaces: the zygote's loop, the signal
 * entry, the command loop. Freestanding and position-independent; linked alone
 * into a flat image (stub.lds), so it cannot reach anything else by accident.
 *
 * Built without FPU use: guest FPU state lies in the signal frame and must not be
 * disturbed before it is saved (the kernel saved it; the handler runs with the
 * guest's live state). All a hostile guest gains by jumping in here are the few
 * calls that the filter allows from these pages. */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

#include "platform/arch/x86_64/stub_impl.h"

#define MAP_SHARED_ 1
#define MAP_FIXED_ 0x10
#define PROT_RW_ 3
#define MADV_DONTFORK_ 10
#define CLONE_PARENT_ 0x8000
#define SIGCHLD_ 17
#define SIGSYS_ 31
#define SOL_SOCKET_ 1
#define SCM_RIGHTS_ 1
#define FUTEX_WAIT_ 0
#define O_WRONLY_ 1

void stub_zygote(void);
void stub_entry(int sig, void *info, void *uc);

static inline __attribute__((always_inline)) struct stub_slot *own_slot(void)
{
	return (struct stub_slot *)((uintptr_t)__builtin_frame_address(0) & ~STUB_SLOT_MASK);
}

/* Write some bytes of a call site. The first step compares first; if they are not what they
 * were, nothing is done by the others either. */
static long patch(const uint64_t a[6], int *begun)
{
	volatile uint8_t *at = (volatile uint8_t *)a[0];

	for (unsigned k = 0; a[3] && k < 7; k++)
		if (at[k] != (uint8_t)(a[3] >> (8 * k)))
			return -11 /* EAGAIN */;
	if (a[3])
		*begun = 1;
	for (unsigned k = 0; *begun && k < 7; k++)
		if (a[2] >> k & 1)
			at[k] = (uint8_t)(a[1] >> (8 * k));
	return 0;
}

/* Run what the sentry ordered; fd: what came with the answer. Returns 0, or 1 when a command failed (the slot says
 * which). A clone's child never returns from here. */
static int run_commands(struct stub_slot *s, long fd)
{
	uint32_t n = s->ncmds;
	int failed = 0, begun = 0;

	if (n > STUB_MAX_CMDS)
		n = STUB_MAX_CMDS;
	for (uint32_t i = 0; i < n; i++) {
		struct stub_cmd *c = &s->cmd[i];
		long nr = (long)(c->nr & ~(uint64_t)(STUB_CMD_ALWAYS | STUB_CMD_FD)), r;

		if (failed && !(c->nr & STUB_CMD_ALWAYS))
			continue;
		if (c->nr & STUB_CMD_FD)
			c->a[nr == SYS_mmap ? 4 : 0] = (uint64_t)fd;
		if (nr == SYS_clone) {
			register long r10 __asm__("r10") = (long)c->a[3];
			register long r8 __asm__("r8") = (long)c->a[4];

			__asm__ volatile("syscall\n\t"
					 "test %%rax, %%rax\n\t"
					 "jz stub_child\n\t"
					 : "=a"(r)
					 : "a"(nr), "D"(c->a[0]), "S"(c->a[1]), "d"(c->a[2]),
					   "r"(r10), "r"(r8)
					 : "rcx", "r11", "memory");
		} else if (nr == STUB_CMPXCHG_NR) {
			uint32_t old = (uint32_t)c->a[1];

			r = __atomic_compare_exchange_n((uint32_t *)c->a[0], &old,
							(uint32_t)c->a[2], 0, __ATOMIC_SEQ_CST,
							__ATOMIC_SEQ_CST)
				    ? 0
				    : -11 /* EAGAIN */;
		} else if (nr == STUB_PATCH_NR) {
			r = patch(c->a, &begun);
		} else {
			r = sys6(nr, (long)c->a[0], (long)c->a[1], (long)c->a[2],
				 (long)c->a[3], (long)c->a[4], (long)c->a[5]);
			if ((nr == SYS_pread64 || nr == SYS_pwrite64) && r != (long)c->a[2])
				r = -5 /* EIO */;
		}
		if (r < 0 && r > -4096 && !failed && !(c->nr & STUB_CMD_ALWAYS)) {
			failed = 1;
			s->bad_index = (int32_t)i;
			s->bad_error = r;
		}
	}
	return failed;
}

/* Every way into the sentry: hand over until the sentry is content. It may have the thread
 * wait here for what comes next (s->park). An error means that it is gone, and this process
 * with it (the filter kills a process that calls exit_group from here). */
static void hand_over(struct stub_slot *s, long kind, long arg)
{
	long fd;

	for (;;) {
		while ((fd = sys6(STUB_MAGIC_NR, kind, arg, 0, 0, 0, 0)) < 0)
			sys6(SYS_exit_group, 1, 0, 0, 0, 0, 0);
		while (*(volatile uint32_t *)&s->park)
			sys6(SYS_futex, (long)&s->park, FUTEX_WAIT_, 1, 0, 0, 0);
		if (run_commands(s, fd))
			kind = STUB_BATCH;
		else if (*(volatile uint32_t *)&s->again)
			kind = STUB_AGAIN;
		else
			return;
	}
}

#define NOTE_CPU_ 1   /* PLAT_NOTE_* */
#define NOTE_USAGE_ 2
#define CLOCK_THREAD_CPUTIME_ID_ 3

/* Write down what only this thread can find out, if the sentry wants it, or if this may
 * be the last chance. */
static void note(struct stub_slot *s, int sig, const void *uc)
{
	uint64_t nr = *(const uint64_t *)(const void *)((const char *)uc + UC_RAX_OFF);
	uint32_t want = s->note;

	if (want & NOTE_CPU_)
		sys6(SYS_clock_gettime, CLOCK_THREAD_CPUTIME_ID_, (long)s->cpu, 0, 0, 0, 0);
	if (want & NOTE_USAGE_)
		sys6(SYS_getrusage, 1 /* RUSAGE_THREAD */, (long)s->usage[1], 0, 0, 0, 0);
	/* Of one thread among many that exits it is not the last chance; and the host looks
	 * at all threads to tell. */
	if ((want & NOTE_USAGE_) ||
	    (sig == SIGSYS_ && (nr == SYS_exit_group || (nr == SYS_exit && !s->crowd) ||
				nr == SYS_execve || nr == SYS_execveat)))
		sys6(SYS_getrusage, 0 /* RUSAGE_SELF */, (long)s->usage[0], 0, 0, 0, 0);
}

__attribute__((used)) void stub_entry(int sig, void *info, void *uc)
{
	struct stub_slot *s = own_slot();

	if (stub_fast_signal(&sig, uc))
		return;
	s->signo = (uint32_t)sig;
	s->info = (uint64_t)(uintptr_t)info;
	s->uc = (uint64_t)(uintptr_t)uc;
	note(s, sig, uc);
	hand_over(s, STUB_TRAP, 0);
}

/* The handler's return address: the frame is on top of the stack. */
__asm__(".globl stub_restorer\n"
	".hidden stub_restorer\n"
	"stub_restorer:\n\t"
	"mov $15, %eax\n\t"
	"syscall\n\t"
	"ud2\n");

/* A new thread begins here on its slot's signal stack, in a clone's child or from
 * the zygote: report, then become what the prepared frame says. */
__attribute__((used, noreturn)) static void new_thread(void)
{
	struct stub_slot *s = own_slot();

	hand_over(s, STUB_HELLO, (long)s->token);
	__asm__ volatile("mov %0, %%rsp\n\t"
			 "mov $15, %%eax\n\t"
			 "syscall\n\t"
			 "ud2" ::"r"(s->sigframe)
			 : "memory");
	__builtin_unreachable();
}

__asm__(".globl stub_child\n"
	".hidden stub_child\n"
	"stub_child:\n\t"
	"xor %ebp, %ebp\n\t"
	"call new_thread\n\t"
	"ud2\n");

/* Guests stand before the zygote for the host's OOM killer: it is only this process that
 * takes more on itself. Before there is anything of the guest's in it. */
static void zygote_child_oom(const struct stub_config *cf)
{
	long fd = cf->oom_len ? sys6(SYS_openat, cf->proc, (long)"self/oom_score_adj",
				     O_WRONLY_, 0, 0, 0)
			      : -1;

	if (fd >= 0) {
		sys6(SYS_write, fd, (long)cf->oom, cf->oom_len, 0, 0, 0);
		sys6(SYS_close, fd, 0, 0, 0, 0, 0);
	}
	sys6(SYS_close, cf->proc, 0, 0, 0, 0, 0);
}

/* A fresh address space: map the slots, take on the filter, report. */
__attribute__((noreturn)) static void zygote_child(const struct stub_spawn *req, int chunk_fd,
						   int pipe_fd)
{
	struct stub_config *cf = config();
	struct stub_slot *s = (struct stub_slot *)(uintptr_t)req->chunk;
	struct sock_fprog {
		unsigned short len;
		void *filter;
	} prog = { cf->filter_len, (void *)(uintptr_t)cf->filter_ptr };
	struct {
		void *sp;
		int flags;
		size_t size;
	} ss = { (char *)s + STUB_SIGSTACK_OFF, 0, STUB_SLOT_SIZE - STUB_SIGSTACK_OFF };
	long r;

	r = sys6(SYS_mmap, (long)req->chunk, STUB_CHUNK_SIZE, PROT_RW_, MAP_SHARED_ | MAP_FIXED_,
		 chunk_fd, 0);
	if (r != (long)req->chunk)
		goto fail;
	sys6(SYS_madvise, (long)req->chunk, STUB_CHUNK_SIZE, MADV_DONTFORK_, 0, 0, 0);
	sys6(SYS_close, chunk_fd, 0, 0, 0, 0, 0);
	sys6(SYS_close, cf->sock, 0, 0, 0, 0, 0);
	zygote_child_oom(cf);
	sys6(SYS_sigaltstack, (long)&ss, 0, 0, 0, 0, 0);
	s->token = req->token;
	r = sys6(SYS_seccomp, SECCOMP_SET_MODE_FILTER, cf->filter_flags, (long)&prog, 0, 0, 0);
	if (r < 0) {
		s->listener = (int32_t)r;
		goto fail;
	}
	s->listener = (int32_t)r + 1;
	sys6(SYS_close, pipe_fd, 0, 0, 0, 0, 0);
	__asm__ volatile("mov %0, %%rsp\n\t"
			 "jmp stub_child" ::"r"((char *)s + STUB_SLOT_SIZE - 64)
			 : "memory");
	__builtin_unreachable();
fail:
	for (;;)
		sys6(SYS_exit_group, 1, 0, 0, 0, 0, 0);
}

/* Receive one request; returns 0, or -1 at the end. */
static int receive(int sock, struct stub_spawn *req, int fds[2])
{
	struct {
		void *base;
		size_t len;
	} iov = { req, sizeof(*req) };
	struct {
		size_t len;
		int level, type;
		int fd[2];
	} cmsg = { 0 };
	struct {
		void *name;
		int namelen, pad;
		void *iov;
		size_t iovlen;
		void *control;
		size_t controllen;
		int flags;
	} msg = { 0, 0, 0, &iov, 1, &cmsg, sizeof(cmsg), 0 };
	long r;

	do
		r = sys6(SYS_recvmsg, sock, (long)&msg, 0x40000000 /* MSG_CMSG_CLOEXEC */, 0, 0, 0);
	while (r == -4);
	if (r != (long)sizeof(*req) || cmsg.level != SOL_SOCKET_ || cmsg.type != SCM_RIGHTS_)
		return -1;
	fds[0] = cmsg.fd[0];
	fds[1] = cmsg.fd[1];
	return 0;
}

/* Entered by a jump, on the zygote's own stack in the stub region; everything else
 * of the process it was forked from goes first. */
__attribute__((used, noreturn)) void stub_zygote(void)
{
	struct stub_config *cf = config();
	uint64_t region_end = cf->region + STUB_REGION_SIZE, top = 0x7ffffffff000UL;
	struct stub_spawn req;
	int fds[2];

	sys6(SYS_munmap, 0, (long)cf->vdso_lo, 0, 0, 0, 0);
	sys6(SYS_munmap, (long)cf->vdso_hi, (long)(cf->region - cf->vdso_hi), 0, 0, 0, 0);
	sys6(SYS_munmap, (long)region_end, (long)(top - region_end), 0, 0, 0, 0);
	while (receive(cf->sock, &req, fds) == 0) {
		int64_t pid = sys6(SYS_clone, CLONE_PARENT_ | SIGCHLD_, 0, 0, 0, 0, 0);

		if (pid == 0)
			zygote_child(&req, fds[0], fds[1]);
		sys6(SYS_close, fds[0], 0, 0, 0, 0, 0);
		sys6(SYS_close, fds[1], 0, 0, 0, 0, 0);
		sys6(SYS_write, cf->sock, (long)&pid, sizeof(pid), 0, 0, 0);
	}
	for (;;)
		sys6(SYS_exit_group, 0, 0, 0, 0, 0, 0);
}

/* The image's first bytes: where its entry points are. */
__asm__(".section .head, \"ax\"\n"
	".globl stub_base\n"
	".hidden stub_base\n"
	"stub_base:\n\t"
	".quad stub_entry - stub_base\n\t"
	".quad stub_restorer - stub_base\n\t"
	".quad stub_zygote - stub_base\n\t"
	".quad stub_fast - stub_base\n\t"
	".text\n");
