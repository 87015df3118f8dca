/* A guest that means harm. Runs only in a sandbox: each attack runs in a child, and
 * whatever becomes of the child, the parent and the sandbox must go on.
 *
 * usage: hostile SEED… | hostile bomb   prints "ok NAME"/"FAIL NAME" lines; the fork bomb
 * is for a sandbox with a limit of processes */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define GUEST_MAX 0x7ffe00000000UL
#define TOP 0x7ffffffff000UL
#define WON 77 /* exit status of an attack that was successful */

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
	if (WIFEXITED(st) && WEXITSTATUS(st) == WON) {
		printf("FAIL hostile/%s: it did what it must not\n", name);
		return;
	}
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

	for (volatile unsigned off = 0; off < 0xc00; off++) {
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
			volatile uint8_t *at = (volatile uint8_t *)(slots + (uint64_t)step * 0x20000);

			catch_faults();
			if (sigsetjmp(back, 1) == 0)
				for (int i = 0; i < 0x10000; i++)
					at[i] = (uint8_t)(step & 1 ? 0xff : rnd());
			getppid();
			getuid();
			_exit(0);
		}
		if (p > 0)
			waitpid(p, NULL, 0);
	}
}

static uint32_t never;

static void *wait_for_ever(void *arg)
{
	uint64_t a[6] = { (uint64_t)(uintptr_t)&never, 0, 0, 0, 0, 0 };

	(void)arg;
	for (;;)
		raw(SYS_futex, a);
	return NULL;
}

static void crowd(int n)
{
	pthread_attr_t at;
	pthread_t t;

	pthread_attr_init(&at);
	pthread_attr_setstacksize(&at, 65536);
	for (int i = 0; i < n; i++)
		if (pthread_create(&t, &at, wait_for_ever, NULL))
			break;
	for (int i = 0; i < 3000; i++) /* those that wait count as waiting for long now */
		syscall(SYS_getppid);
}

/* Many threads wait in their slots: wipe those, wake them from there, send them on. */
static void break_waiters(void)
{
	uint64_t base = find_stub(), slots = base + 0x100000;

	for (volatile int round = 0; round < 6; round++) {
		pid_t p = fork();

		if (p == 0) {
			crowd(300);
			catch_faults();
			for (volatile uint64_t at = slots; at < slots + 40 * 0x80000; at += 0x8000) {
				if (sigsetjmp(back, 1))
					continue;
				for (int i = 0; i < 1024; i++)
					((volatile uint32_t *)at)[i] = round & 1 ? 0 : (uint32_t)rnd();
				if (round > 3)
					for (int i = 1024; i < 8192; i++)
						((volatile uint32_t *)at)[i] = (uint32_t)rnd();
			}
			never = 1;
			for (int i = 0; i < 300; i++) {
				uint64_t a[6] = { (uint64_t)(uintptr_t)&never, 1, 50, 0, 0, 0 };

				raw(SYS_futex, a);
			}
			_exit(0);
		}
		if (p > 0)
			waitpid(p, NULL, 0);
	}
}

/* A call by the stub's own instruction: what it gives, if it comes back at all. */
static long stub_call3(uint64_t insn, uint64_t nr, uint64_t a0, uint64_t a1, uint64_t a2)
{
	long ret;

	__asm__ volatile("call *%[insn]"
			 : "=a"(ret)
			 : [insn] "r"(insn), "a"(nr), "D"(a0), "S"(a1), "d"(a2)
			 : "rcx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "rbx", "memory");
	return ret;
}

static long stub_call(uint64_t insn, uint64_t nr, uint64_t a0, uint64_t a1)
{
	return stub_call3(insn, nr, a0, a1, 0);
}

/* Every `syscall` of the stub's code, with calls that it must not make for us, and with
 * reports of its own that are lies. */
static void calls_from_stub(void)
{
	static const uint64_t nrs[] = { 39, 0x5253, 0x5253, 0x5253, 0x5253, 0x5253, 56, 57, 202, 41, 2, 15, 322 };
	volatile uint64_t base = find_stub();
	volatile unsigned found = 0;
	int st;

	for (volatile unsigned off = 0; off < 0x1000; off++) {
		if (sigsetjmp(back, 1))
			continue;
		if (((volatile uint8_t *)base)[off] != 0x0f || ((volatile uint8_t *)base)[off + 1] != 5)
			continue;
		for (volatile unsigned i = 0; i < sizeof(nrs) / sizeof(nrs[0]); i++) {
			pid_t p = fork();

			if (p == 0) {
				if (i & 1)
					crowd(2);
				alarm(1);
				stub_call(base + off, nrs[i], i, 1);
				syscall(SYS_getppid);
				_exit(0);
			}
			if (p < 0 || waitpid(p, &st, 0) != p)
				continue;
			/* What the filter must not even hand on. */
			if (nrs[i] != 0x5253 && nrs[i] != 56 && nrs[i] != 202 && nrs[i] != 15 &&
			    !(WIFSIGNALED(st) && WTERMSIG(st) == SIGSYS))
				_exit(WON);
			found++;
		}
	}
	if (!found)
		_exit(WON);
}

/* Go on with the kick's signal blocked, by a frame of our own for the stub's rt_sigreturn:
 * calls are still served, and signals and the end still come. */
static void blocked_kick(void)
{
	volatile uint64_t base = find_stub();
	volatile unsigned found = 0;

	for (volatile unsigned off = 0; off < 0x1000; off++) {
		pid_t p;

		if (sigsetjmp(back, 1))
			continue;
		/* mov $15, %eax; syscall */
		if (memcmp((void *)(base + off), "\xb8\x0f\0\0\0\x0f\x05", 7) != 0)
			continue;
		p = fork();
		if (p == 0) {
			static uint64_t frame[128], stack[4096]; /* ucontext at 1: 5 words, sigcontext */

			memset(frame, 0, sizeof(frame));
			frame[1 + 5 + 15] = (uint64_t)(uintptr_t)(stack + 4000); /* rsp */
			frame[1 + 5 + 16] = (uint64_t)(uintptr_t)wait_for_ever;	 /* rip */
			frame[1 + 5 + 17] = 0x202;
			frame[1 + 5 + 18] = 0x33 | 0x2bULL << 48;
			frame[1 + 5 + 32] = ~0ULL; /* mask */
			alarm(1);
			__asm__ volatile("mov %0, %%rsp\n\tjmp *%1" ::"r"(&frame[1]), "r"(base + off)
					 : "memory");
			_exit(0);
		}
		if (p > 0)
			waitpid(p, NULL, 0);
		found++;
	}
	if (!found)
		_exit(WON);
}

/* Numbers of another ABI are no way past the sentry. */
static void other_abis(void)
{
	uint64_t none[6] = { 0 };
	long r;

	for (uint64_t nr = 0; nr < 512; nr++)
		if (raw(0x40000000 | nr, none) != -ENOSYS)
			_exit(WON);
	if (raw(0x5253, none) != -ENOSYS || raw(1UL << 31, none) != -ENOSYS)
		_exit(WON);
	catch_faults();
	if (sigsetjmp(back, 1) == 0) {
		__asm__ volatile("int $0x80" : "=a"(r) : "a"(20L) : "memory");
		_exit(WON);
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

/* ---- fast calls ---- */

static void many_calls(int n)
{
	static char buf[4096];
	struct stat st;
	int fd = open("/dev/zero", 0);

	for (int i = 0; i < n; i++) {
		getppid();
		stat("/no/such/file/at/all", &st);
		if (read(fd, buf, sizeof(buf)) < 0 || write(fd, buf, 100) > 0)
			lseek(fd, 0, 0);
	}
	close(fd);
}

static void *slot_racer(void *arg)
{
	volatile uint32_t *fast = arg; /* the page with the call, buffers behind it */

	for (;;) {
		uint64_t r = rnd();

		fast[r % 64] = (r >> 8) % 3 ? (uint32_t)(r >> 40) % 6 : (uint32_t)(r >> 32);
		if ((r >> 16) % 16 == 0)
			fast[0x800 + (r >> 20) % 4096] = (uint32_t)r;
	}
	return NULL;
}

/* The slot through which its calls go is written by others of the process all the time. */
static void racing_slot(void)
{
	uint64_t slots = find_stub() + 0x100000;

	for (int k = 0; k < 12; k++) {
		pid_t p = fork();

		if (p == 0) {
			pthread_t t;

			ualarm(500000, 0);
			many_calls(100);
			pthread_create(&t, NULL, slot_racer, (void *)(slots + 0x2000));
			many_calls(1000000);
			_exit(0);
		}
		if (p > 0)
			waitpid(p, NULL, 0);
	}
}

/* The table of rewritten sites belongs to the forks, too: it must not be written. */
static void write_sites(void)
{
	volatile uint8_t *table = (volatile uint8_t *)0x60000;
	uint64_t base = find_stub();
	uint8_t was;

	many_calls(100);
	catch_faults();
	if (sigsetjmp(back, 1)) {
		/* There is none; with two CPUs there is. */
		_exit(sysconf(_SC_NPROCESSORS_ONLN) > 1 ? WON : 0);
	}
	was = table[0x700];
	for (uint64_t at = base; at < base + 0x1000; at++) {
		pid_t p;

		if (((volatile uint8_t *)at)[0] != 0x0f || ((volatile uint8_t *)at)[1] != 0x05)
			continue;
		p = fork();
		if (p == 0) {
			stub_call3(at, SYS_mprotect, 0x60000, 0x10000, 7);
			if (sigsetjmp(back, 1) == 0)
				table[0x700] = (uint8_t)~was;
			_exit(0);
		}
		if (p > 0)
			waitpid(p, NULL, 0);
		if (table[0x700] != was)
			_exit(WON);
	}
	many_calls(100);
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
	attack("break-waiters", break_waiters);
	attack("calls-from-stub", calls_from_stub);
	attack("blocked-kick", blocked_kick);
	attack("racing-slot", racing_slot);
	attack("write-sites", write_sites);
	attack("other-abis", other_abis);
	return 0;
}
