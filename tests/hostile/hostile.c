/* A guest that means harm. Runs only in a sandbox: each attack runs in a child, and
 * whatever becomes of the child, the parent and the sandbox must go on.
 *
 * usage: hostile SEED… | hostile bomb   prints "ok NAME"/"FAIL NAME" lines; the fork bomb
 * is for a sandbox with a limit of processes */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define GUEST_MAX 0x7ffe00000000UL
#define TOP 0x7ffffffff000UL

static sigjmp_buf back;
static uint64_t rng;

static uint64_t rnd(void)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return rng;
}

static void on_fault(int sig)
{
	siglongjmp(back, sig);
}

static void catch_faults(void)
{
	static const int sigs[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS };
	static char alt[65536];
	stack_t ss = { .ss_sp = alt, .ss_size = sizeof(alt) };
	struct sigaction sa = { .sa_handler = on_fault, .sa_flags = SA_NODEFER | SA_ONSTACK };

	sigaltstack(&ss, NULL);
	for (size_t i = 0; i < sizeof(sigs) / sizeof(sigs[0]); i++)
		sigaction(sigs[i], &sa, NULL);
}

static volatile pid_t attacker;

static void time_is_up(int sig)
{
	(void)sig;
	kill(-attacker, SIGKILL);
	kill(attacker, SIGKILL);
}

/* Run an attack in a child with five seconds to live, eight if it stops that clock. */
static void attack(const char *name, void (*fn)(void))
{
	int st = 0;
	pid_t p;

	fflush(stdout);
	p = fork();
	if (p == 0) {
		struct itimerval it = { .it_value = { 5, 0 } };

		signal(SIGALRM, SIG_DFL);
		setpgid(0, 0);
		setitimer(ITIMER_REAL, &it, NULL);
		fn();
		_exit(0);
	}
	attacker = p;
	alarm(p > 0 ? 8 : 0);
	if (p < 0 || waitpid(p, &st, 0) != p) {
		printf("FAIL hostile/%s: %s\n", name, strerror(errno));
		return;
	}
	alarm(0);
	kill(-p, SIGKILL);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	/* The neighbours are well: a fresh process still works. */
	p = fork();
	if (p == 0)
		_exit(getppid() > 0 ? 42 : 1);
	if (p > 0 && waitpid(p, &st, 0) == p && WIFEXITED(st) && WEXITSTATUS(st) == 42)
		printf("ok hostile/%s\n", name);
	else
		printf("FAIL hostile/%s: a neighbour was hurt\n", name);
}

static long raw(uint64_t nr, const uint64_t a[6])
{
	long ret;
	register uint64_t r10 __asm__("r10") = a[3];
	register uint64_t r8 __asm__("r8") = a[4];
	register uint64_t r9 __asm__("r9") = a[5];

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(nr), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}

/* ---- random calls over the whole table ---- */

static char *arena;

static uint64_t random_arg(void)
{
	static const uint64_t odd[] = { 0,	     1,		  2,	      3,
					~0UL,	     0x7fffffff,  0x80000000, 0xffffffff,
					4096,	     8192,	  0x1000000,  GUEST_MAX,
					GUEST_MAX - 8, TOP - 16,  1UL << 63,  0x7fffffffffffffff,
					0xffffffff80000000, 21, 64, 4095 };

	switch (rnd() % 6) {
	case 0:
		return odd[rnd() % (sizeof(odd) / sizeof(odd[0]))];
	case 1:
		return rnd() % 16;
	case 2:
		return (uint64_t)(uintptr_t)arena + rnd() % 65536;
	case 3: /* at the end of the mapping: runs into nothing */
		return (uint64_t)(uintptr_t)arena + 65536 - rnd() % 32;
	case 4:
		return rnd();
	default:
		return rnd() & rnd() & 0xffff;
	}
}

static void some_random_calls(void)
{
	arena = mmap(NULL, 65536 + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mprotect(arena + 65536, 4096, PROT_NONE);
	for (int i = 0; i < 65536; i += 8) {
		uint64_t v = random_arg();

		memcpy(arena + i, &v, 8);
	}
	catch_faults();
	for (volatile int i = 0; i < 400; i++) {
		uint64_t a[6], nr;

		if (sigsetjmp(back, 1))
			continue;
		nr = rnd() % 16 ? rnd() % 470 : rnd();
		for (int k = 0; k < 6; k++)
			a[k] = random_arg();
		/* Calls that would only end or stop the attack early. */
		if (nr == SYS_exit || nr == SYS_exit_group || nr == SYS_pause ||
		    nr == SYS_rt_sigsuspend || nr == SYS_rt_sigtimedwait ||
		    nr == SYS_rt_sigreturn /* could go on anywhere, also as the parent */)
			continue;
		if (nr == SYS_kill || nr == SYS_tkill || nr == SYS_tgkill || nr == SYS_rt_sigqueueinfo ||
		    nr == SYS_rt_tgsigqueueinfo)
			a[0] = (uint64_t)getpid();
		if (nr == SYS_fork || nr == SYS_clone || nr == SYS_clone3)
			if (rnd() % 8)
				continue;
		/* A child on our own stack would send us back as our own parent. */
		if (nr == SYS_vfork || (nr == SYS_clone && !a[1]))
			continue;
		raw(nr, a);
	}
}

/* ---- the stub's pages ---- */

/* Where the stub's region begins: it is not in /proc/self/maps; look for it. */
static uint64_t find_stub(void)
{
	volatile uint64_t at;

	catch_faults();
	for (at = GUEST_MAX; at < TOP; at += 0x100000) {
		if (sigsetjmp(back, 1))
			continue;
		if (*(volatile uint64_t *)at || 1)
			return at;
	}
	return 0;
}

static void jump_into_stub(void)
{
	uint64_t base = find_stub();

	for (volatile unsigned off = 0; off < 0x600; off++) {
		pid_t p = fork();

		if (p == 0) {
			signal(SIGSEGV, SIG_DFL);
			signal(SIGILL, SIG_DFL);
			alarm(1);
			__asm__ volatile("mov %1, %%rax\n\t"
					 "mov %2, %%rdi\n\t"
					 "mov %3, %%rsi\n\t"
					 "mov $4096, %%rdx\n\t"
					 "jmp *%0" ::"r"(base + off),
					 "r"(off % 3 ? rnd() % 70 : 56UL), "r"(rnd()), "r"(rnd())
					 : "rax", "rdi", "rsi", "rdx", "memory");
			_exit(0);
		}
		if (p > 0)
			waitpid(p, NULL, 0);
		off += (unsigned)(rnd() % 24);
	}
}

/* Make calls with the stub's own instruction: unmap and overwrite what it needs. */
static void break_stub(void)
{
	uint64_t base = find_stub(), slots = base + 0x100000;
	volatile int step = 0;

	for (step = 0; step < 64; step++) {
		pid_t p = fork();

		if (p == 0) {
			volatile uint8_t *at = (volatile uint8_t *)(slots + (uint64_t)step * 0x80000);

			catch_faults();
			if (sigsetjmp(back, 1) == 0)
				for (int i = 0; i < 0x8000; i++)
					at[i] = (uint8_t)(step & 1 ? 0xff : rnd());
			getppid();
			getuid();
			_exit(0);
		}
		if (p > 0)
			waitpid(p, NULL, 0);
	}
}

/* ---- plain greed ---- */

static void fork_bomb(void)
{
	for (int i = 0; i < 300; i++) {
		pid_t p = fork();

		if (p < 0)
			break;
		if (p == 0)
			for (;;)
				if (fork() < 0)
					pause();
	}
	sleep(1); /* at the limit: the others go on trying */
}

static void map_everything(void)
{
	for (size_t len = 1UL << 46; len >= 1UL << 20; len /= 2)
		for (int i = 0; i < 64; i++)
			if (mmap(NULL, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) ==
			    MAP_FAILED)
				break;
	for (uint64_t at = 0; at < TOP; at += 1UL << 40)
		mmap((void *)at, 1UL << 40, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
}

static void unmap_everything(void)
{
	munmap(NULL, GUEST_MAX);
	munmap(NULL, TOP);
}

static void many_small_maps(void)
{
	for (int i = 0; i < 70000; i++)
		if (mmap(NULL, 4096, i & 1 ? PROT_READ : PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
		    MAP_FAILED)
			break;
}

static void fd_exhaustion(void)
{
	struct rlimit r = { 1 << 20, 1 << 20 };
	int p[2];

	setrlimit(RLIMIT_NOFILE, &r);
	for (int i = 0; i < 20000; i++)
		if (pipe(p) < 0)
			break;
}

static void *racer(void *arg)
{
	volatile uint64_t *w = arg;

	for (;;)
		*w = rnd();
	return NULL;
}

/* Arguments that change while the call looks at them. */
static void racing_arguments(void)
{
	static uint64_t iov[8];
	pthread_t t;
	int p[2];

	if (pipe2(p, 04000) < 0)
		return;
	for (int i = 0; i < 8; i += 2) {
		pthread_create(&t, NULL, racer, &iov[i]);
	}
	for (int i = 0; i < 3000; i++) {
		syscall(SYS_writev, p[1], iov, 4);
		syscall(SYS_readv, p[0], iov, 4);
		syscall(SYS_sendmsg, p[1], iov, 0);
		syscall(SYS_rt_sigaction, 10, iov, NULL, 8);
	}
}

static void bad_sigreturn(void)
{
	catch_faults();
	for (volatile int i = 0; i < 200; i++) {
		static uint64_t frame[512];
		uint64_t sp;

		if (sigsetjmp(back, 1))
			continue;
		for (int k = 0; k < 512; k++)
			frame[k] = random_arg();
		sp = (uint64_t)(uintptr_t)&frame[i % 64];
		__asm__ volatile("mov %0, %%rsp\n\tmov $15, %%eax\n\tsyscall" ::"r"(sp) : "memory");
	}
}

int main(int argc, char **argv)
{
	struct sigaction up = { .sa_handler = time_is_up, .sa_flags = SA_RESTART };

	setvbuf(stdout, NULL, _IOLBF, 0);
	sigaction(SIGALRM, &up, NULL);
	if (argc > 1 && !strcmp(argv[1], "bomb")) {
		attack("fork-bomb", fork_bomb);
		return 0;
	}
	for (int i = 1; i < argc; i++) {
		char name[64];

		rng = strtoull(argv[i], NULL, 0) | 1;
		for (int k = 0; k < 8; k++) {
			snprintf(name, sizeof(name), "random-calls-seed-%s-%d", argv[i], k);
			rnd();
			attack(name, some_random_calls);
		}
	}
	rng = 0x1234567;
	arena = malloc(65536);
	attack("map-everything", map_everything);
	attack("unmap-everything", unmap_everything);
	attack("many-small-maps", many_small_maps);
	attack("fd-exhaustion", fd_exhaustion);
	attack("racing-arguments", racing_arguments);
	attack("bad-sigreturn", bad_sigreturn);
	attack("jump-into-stub", jump_into_stub);
	attack("break-stub", break_stub);
	return 0;
}
