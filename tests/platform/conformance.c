/* Platform conformance: small pieces of guest code run directly on a backend, with
 * this program as the kernel. Prints a line per case and "N passed, N failed". */
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

#include "tests/platform/conformance.h"

static int passed, failed;

static void on_trap(void *cookie, const struct plat_trap *t)
{
	struct ctx *c = cookie;

	if (c->echo && t->kind == PLAT_TRAP_SYSCALL && c->served++ < c->stop_after) {
		plat_thread_regs(c->th)->rax = 42;
		plat_resume(c->th, NULL);
		return;
	}
	pthread_mutex_lock(&c->mu);
	c->trap = *t;
	c->have = true;
	pthread_cond_signal(&c->cv);
	pthread_mutex_unlock(&c->mu);
}

static void ref(void *c)
{
	__atomic_add_fetch(&((struct ctx *)c)->refs, 1, __ATOMIC_SEQ_CST);
}

static void unref(void *c)
{
	__atomic_sub_fetch(&((struct ctx *)c)->refs, 1, __ATOMIC_SEQ_CST);
}

static bool may_patch(void *c, uint64_t addr, size_t len)
{
	(void)c;
	return addr >= CODE && addr + len < CODE + 0x10000;
}

/* As boot() maps it, and not as text usually is. */
static int page_prot(void *c, uint64_t addr)
{
	(void)c;
	return addr >= CODE && addr < CODE + 0x10000 ? PROT_READ | PROT_WRITE | PROT_EXEC : -1;
}

static const struct plat_kernel_ops ops = { on_trap, ref, unref, may_patch, page_prot };

struct ctx *ctx_new(void)
{
	struct ctx *c = calloc(1, sizeof(*c));

	pthread_mutex_init(&c->mu, NULL);
	pthread_cond_init(&c->cv, NULL);
	return c;
}

/* Wait for the thread's next trap, five seconds at most. */
bool next_raw(struct ctx *c, struct plat_trap *t)
{
	struct timespec until;
	int err = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 5;
	pthread_mutex_lock(&c->mu);
	while (!c->have && !err)
		err = pthread_cond_timedwait(&c->cv, &c->mu, &until);
	if (!err)
		*t = c->trap;
	c->have = false;
	pthread_mutex_unlock(&c->mu);
	return !err;
}

/* The same; of a partial trap the rest is fetched, so that it looks like a full one. */
bool next(struct ctx *c, struct plat_trap *t)
{
	if (!next_raw(c, t))
		return false;
	if (!t->partial)
		return true;
	plat_kick(c->th);
	plat_resume(c->th, NULL);
	if (!next_raw(c, t) || t->kind != PLAT_TRAP_KICK)
		return false;
	t->kind = PLAT_TRAP_SYSCALL;
	return true;
}

static struct plat_cmd anon(uint64_t addr, uint64_t len, int prot)
{
	return (struct plat_cmd){ .op = PLAT_CMD_MMAP, .fd = -1,
				  .a = { addr, len, (uint64_t)prot,
					 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, 0, 0 } };
}

/* A new address space with code at CODE, a stack, a data page; ready to run. */
struct ctx *boot(struct plat *p, const void *code, size_t len)
{
	struct ctx *c = ctx_new();
	struct plat_batch b = { 0 };
	struct plat_trap t;

	if (plat_as_new(p, c, &c->as, &c->th))
		return NULL;
	plat_batch_add(&b, anon(CODE, 0x10000, PROT_READ | PROT_WRITE | PROT_EXEC));
	plat_batch_add(&b, anon(STACK - 0x10000, 0x10000, PROT_READ | PROT_WRITE));
	plat_batch_add(&b, anon(DATA, 0x1000, PROT_READ | PROT_WRITE));
	/* A deliberate failure brings the thread back here with the maps in place. */
	plat_batch_add(&b, (struct plat_cmd){ .op = PLAT_CMD_MUNMAP, .a = { 1, 1 } });
	plat_resume(c->th, &b);
	if (!next(c, &t) || t.kind != PLAT_TRAP_BATCH || t.index != 3 || t.error != -EINVAL)
		return NULL;
	if (plat_write(c->as, CODE, code, len))
		return NULL;
	plat_thread_regs(c->th)->rip = CODE;
	plat_thread_regs(c->th)->rsp = STACK - 64;
	return c;
}

void drop(struct ctx *c)
{
	plat_thread_release(c->th);
	plat_as_put(c->as);
}

GUEST(code_getppid, "mov $110, %eax; syscall; mov %rax, %rbx; mov $39, %eax; syscall; ud2");
GUEST(code_fault, "movabs $0x7000000, %rax; mov $7, %ebx; mov (%rax), %rcx; ud2");
GUEST(code_spin, "1: inc %rbx; jmp 1b");
GUEST(code_loop, "1: mov $110, %eax; syscall; jmp 1b");
GUEST(code_xmm, "mov $0x1122334455667788, %rax; movq %rax, %xmm3; mov $110, %eax; syscall;"
		"movq %xmm3, %rdx; mov $39, %eax; syscall; ud2");
GUEST(code_clone, "mov $57, %eax; syscall; mov %rax, %rbx; mov $39, %eax; syscall; ud2");
GUEST(code_div, "xor %ecx, %ecx; mov $1, %eax; xor %edx, %edx; div %ecx; ud2");
GUEST(code_int80, "mov $20, %eax; int $0x80; ud2");
GUEST(code_wrongcall, "mov $15, %eax; syscall; mov $39, %eax; syscall; ud2");
static bool t_syscall(struct plat *p)
{
	struct ctx *c = boot(p, code_getppid, LEN(code_getppid));
	struct plat_trap t = { 0 };
	bool ok = true;

	if (!c)
		return false;
	plat_thread_regs(c->th)->r12 = 0x1234;
	plat_resume(c->th, NULL);
	CHECK(next(c, &t) && t.kind == PLAT_TRAP_SYSCALL);
	CHECK(plat_thread_regs(c->th)->rax == 110);
	CHECK(plat_thread_regs(c->th)->r12 == 0x1234);
	plat_thread_regs(c->th)->rax = 77;
	plat_resume(c->th, NULL);
	CHECK(next(c, &t) && t.kind == PLAT_TRAP_SYSCALL);
	CHECK(plat_thread_regs(c->th)->rax == 39 && plat_thread_regs(c->th)->rbx == 77);
	drop(c);
	return ok;
}

static bool t_fault(struct plat *p)
{
	struct ctx *c = boot(p, code_fault, LEN(code_fault));
	struct plat_trap t = { 0 };
	bool ok = true;

	if (!c)
		return false;
	plat_resume(c->th, NULL);
	CHECK(next(c, &t) && t.kind == PLAT_TRAP_FAULT && t.signo == SIGSEGV);
	CHECK(t.addr == 0x7000000 && t.code == 1 && t.trapno == 14);
	CHECK(plat_thread_regs(c->th)->rbx == 7);
	/* Skip it: mov (%rax), %rcx is three bytes; then ud2. */
	plat_thread_regs(c->th)->rip += 3;
	plat_resume(c->th, NULL);
	CHECK(next(c, &t) && t.kind == PLAT_TRAP_FAULT && t.signo == SIGILL);
	drop(c);
	return ok;
}

static bool t_div(struct plat *p)
{
	struct ctx *c = boot(p, code_div, LEN(code_div));
	struct plat_trap t = { 0 };
	bool ok = true;

	if (!c)
		return false;
	plat_resume(c->th, NULL);
	CHECK(next(c, &t) && t.kind == PLAT_TRAP_FAULT && t.signo == SIGFPE && t.code == 1);
	drop(c);
	return ok;
}

static bool t_int80(struct plat *p)
{
	struct ctx *c = boot(p, code_int80, LEN(code_int80));
	struct plat_trap t = { 0 };
	bool ok = true;

	if (!c)
		return false;
	plat_resume(c->th, NULL);
	CHECK(next(c, &t) && t.kind == PLAT_TRAP_FAULT && t.signo == SIGSEGV);
	drop(c);
	return ok;
}

static bool t_kick(struct plat *p)
{
	struct ctx *c = boot(p, code_spin, LEN(code_spin));
	struct plat_trap t = { 0 };
	bool ok = true;

	if (!c)
		return false;
	for (int i = 0; i < 50 && ok; i++) {
		plat_resume(c->th, NULL);
		plat_kick(c->th);
		CHECK(next(c, &t) && t.kind == PLAT_TRAP_KICK);
	}
	/* A kick while it waits must not be lost. */
	plat_kick(c->th);
	plat_resume(c->th, NULL);
	CHECK(next(c, &t) && t.kind == PLAT_TRAP_KICK);
	drop(c);
	return ok;
}

static bool t_fpu(struct plat *p)
{
	struct ctx *c = boot(p, code_xmm, LEN(code_xmm));
	size_t size = plat_caps(p)->xstate_size;
	uint8_t *fp = malloc(size);
	struct plat_trap t = { 0 };
	bool ok = true;
	uint64_t v;

	if (!c)
		return false;
	plat_resume(c->th, NULL);
	CHECK(next(c, &t) && t.kind == PLAT_TRAP_SYSCALL);
	CHECK(plat_thread_get_fpstate(c->th, fp, size) == size);
	memcpy(&v, fp + 160 + 3 * 16, 8);
	CHECK(v == 0x1122334455667788);
	v = 0x99;
	memcpy(fp + 160 + 3 * 16, &v, 8);
	CHECK(plat_thread_set_fpstate(c->th, fp, size) == 0);
	CHECK(plat_thread_set_fpstate(c->th, fp, size - 8) == -EINVAL);
	plat_resume(c->th, NULL);
	CHECK(next(c, &t) && plat_thread_regs(c->th)->rdx == 0x99);
	/* The initial state. */
	plat_thread_regs(c->th)->rip = CODE + 20; /* movq %xmm3, %rdx … */
	drop(c);
	free(fp);
	return ok;
}

static bool t_memory(struct plat *p)
{
	struct ctx *c = boot(p, code_getppid, LEN(code_getppid));
	char buf[8192];
	uint32_t e = 5;
	bool ok = true;

	if (!c)
		return false;
	memset(buf, 'x', sizeof(buf));
	CHECK(plat_write(c->as, DATA, buf, 4096) == 0);
	CHECK(plat_write(c->as, DATA, buf, 8192) == -EFAULT);
	CHECK(plat_read_partial(c->as, DATA, buf, 8192) == 4096);
	CHECK(plat_read(c->as, 0x9000000, buf, 1) == -EFAULT);
	CHECK(plat_read(c->as, PLAT_GUEST_MAX, buf, 1) == -EFAULT);
	CHECK(plat_read(c->as, ~0UL - 4, buf, 8) == -EFAULT);
	CHECK(plat_write(c->as, DATA, &e, 4) == 0);
	e = 6;
	CHECK(plat_cmpxchg32(c->as, DATA, &e, 9) == -EAGAIN && e == 5);
	CHECK(plat_cmpxchg32(c->as, DATA, &e, 9) == 0);
	CHECK(plat_read(c->as, DATA, &e, 4) == 0 && e == 9);
	drop(c);
	return ok;
}

static bool t_lend_fd(struct plat *p)
{
	struct ctx *c = boot(p, code_getppid, LEN(code_getppid));
	int fd = memfd_create("t", 0);
	struct plat_batch b = { 0 };
	struct plat_trap t = { 0 };
	char buf[6] = "";
	bool ok = true;

	if (!c || write(fd, "hello", 6) != 6)
		return false;
	plat_batch_add(&b, (struct plat_cmd){ .op = PLAT_CMD_MMAP, .fd = dup(fd),
					      .a = { DATA + 0x10000, 4096, PROT_READ,
						     MAP_PRIVATE | MAP_FIXED, 0, 0 } });
	plat_resume(c->th, &b);
	CHECK(b.count == 0);
	CHECK(next(c, &t) && t.kind == PLAT_TRAP_SYSCALL);
	CHECK(plat_read(c->as, DATA + 0x10000, buf, 6) == 0 && !strcmp(buf, "hello"));
	CHECK(plat_write(c->as, DATA + 0x10000, buf, 6) == -EFAULT);
	close(fd);
	drop(c);
	return ok;
}

static bool t_cmpxchg(struct plat *p)
{
	struct ctx *c = boot(p, code_getppid, LEN(code_getppid));
	struct plat_cmd cmd = { .op = PLAT_CMD_CMPXCHG, .fd = -1, .a = { DATA + 8, 0, 7 } };
	struct plat_cmd touch = { .op = PLAT_CMD_MADVISE, .fd = -1,
				  .a = { CODE + 0x100000, 4096, MADV_POPULATE_WRITE } };
	struct plat_batch b = { 0 };
	struct plat_trap t = { 0 };
	uint32_t v = 0;
	bool ok = true;

	if (!c)
		return false;
	plat_batch_add(&b, cmd);
	plat_batch_add(&b, cmd); /* it is no longer 0 */
	plat_resume(c->th, &b);
	CHECK(next(c, &t) && t.kind == PLAT_TRAP_BATCH && t.index == 1 && t.error == -EAGAIN);
	CHECK(plat_read(c->as, DATA + 8, &v, 4) == 0 && v == 7);
	cmd.a[0] = CODE + 0x100000;
	plat_batch_add(&b, touch);
	plat_batch_add(&b, cmd); /* not mapped: not reached */
	plat_resume(c->th, &b);
	CHECK(next(c, &t) && t.kind == PLAT_TRAP_BATCH && t.index == 0 && t.error == -ENOMEM);
	plat_batch_add(&b, (struct plat_cmd){ .op = PLAT_CMD_GETCPU, .fd = -1,
					      .a = { DATA + 16, DATA + 20 } });
	plat_resume(c->th, &b);
	CHECK(next(c, &t) && t.kind == PLAT_TRAP_SYSCALL);
	CHECK(plat_read(c->as, DATA + 16, &v, 4) == 0 && v < (uint32_t)get_nprocs_conf());
	drop(c);
	return ok;
}

static bool clone_one(struct plat *p, bool share)
{
	struct ctx *c = boot(p, code_clone, LEN(code_clone)), *k = ctx_new();
	struct plat_clone how = { .share_as = share, .set_tls = true, .tls = 0x400000 };
	struct plat_as *as = NULL;
	struct plat_batch b = { 0 };
	struct plat_trap t = { 0 };
	uint64_t v = 1;
	bool ok = true;

	if (!c)
		return false;
	plat_resume(c->th, NULL);
	CHECK(next(c, &t) && plat_thread_regs(c->th)->rax == 57);
	CHECK(plat_thread_new(c->th, &how, k, &k->th, &as) == 0);
	CHECK(share ? as == NULL : as != NULL);
	*plat_thread_regs(k->th) = *plat_thread_regs(c->th);
	plat_batch_add(&b, (struct plat_cmd){ .op = PLAT_CMD_CLONE, .fd = -1, .child = k->th });
	plat_thread_regs(c->th)->rax = 1000;
	plat_resume(c->th, &b);
	CHECK(next(k, &t) && t.kind == PLAT_TRAP_STARTED);
	plat_thread_regs(k->th)->rax = 0;
	plat_resume(k->th, NULL);
	CHECK(next(k, &t) && t.kind == PLAT_TRAP_SYSCALL);
	CHECK(plat_thread_regs(k->th)->rax == 39 && plat_thread_regs(k->th)->rbx == 0);
	CHECK(next(c, &t) && plat_thread_regs(c->th)->rbx == 1000);
	/* Same memory for threads, copies for forks. */
	CHECK(plat_write(c->as, DATA, &v, 8) == 0);
	v = 7;
	CHECK(plat_read(as ? as : c->as, DATA, &v, 8) == 0 && v == (share ? 1 : 0));
	plat_thread_release(k->th);
	if (as)
		plat_as_put(as);
	drop(c);
	return ok;
}

static bool t_fork(struct plat *p)
{
	return clone_one(p, false);
}

static bool t_thread(struct plat *p)
{
	return clone_one(p, true);
}

/* 100 threads in one space, exiting and being replaced. */
static bool t_many_threads(struct plat *p)
{
	struct ctx *c = boot(p, code_clone, LEN(code_clone));
	struct plat_clone how = { .share_as = true };
	struct plat_trap t = { 0 };
	bool ok = true;

	if (!c)
		return false;
	for (int i = 0; i < 100 && ok; i++) {
		struct ctx *k = ctx_new();
		struct plat_batch b = { 0 };
		struct plat_as *as;

		plat_thread_regs(c->th)->rip = CODE;
		plat_resume(c->th, NULL);
		CHECK(next(c, &t) && t.kind == PLAT_TRAP_SYSCALL);
		CHECK(plat_thread_new(c->th, &how, k, &k->th, &as) == 0);
		plat_batch_add(&b, (struct plat_cmd){ .op = PLAT_CMD_CLONE, .child = k->th });
		plat_resume(c->th, &b);
		CHECK(next(k, &t) && t.kind == PLAT_TRAP_STARTED);
		CHECK(next(c, &t) && t.kind == PLAT_TRAP_SYSCALL);
		if (i % 3)
			plat_thread_release(k->th);
	}
	drop(c);
	return ok;
}

/* A call from the wrong place (rt_sigreturn by the guest itself) is a trap. */
/* All threads of this process on one CPU, or wherever they like. */
static void one_cpu(bool on)
{
	DIR *d = opendir("/proc/self/task");
	struct dirent *e;
	cpu_set_t set;

	CPU_ZERO(&set);
	for (int i = 0; i < (on ? 1 : CPU_SETSIZE); i++)
		CPU_SET(i, &set);
	while (d && (e = readdir(d)))
		if (e->d_name[0] != '.')
			sched_setaffinity(atoi(e->d_name), sizeof(set), &set);
	if (d)
		closedir(d);
}

static void busy_wait(long ms)
{
	struct timespec a, now;

	clock_gettime(CLOCK_MONOTONIC, &a);
	do
		clock_gettime(CLOCK_MONOTONIC, &now);
	while ((now.tv_sec - a.tv_sec) * 1000 + (now.tv_nsec - a.tv_nsec) / 1000000 < ms);
}

/* Four address spaces while the idle workers cannot wake up, because this thread keeps
 * their CPU: all four are served afterwards. */
static bool t_late_workers(struct plat *p)
{
	struct sched_param prio = { .sched_priority = 1 };
	struct ctx *c[4];
	struct plat_trap t;
	bool ok = true;

	for (int round = 0; round < 2; round++) {
		/* The second round finds idle workers. */
		one_cpu(true);
		if (sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &prio) < 0)
			printf("  no SCHED_FIFO: only as it happens\n");
		for (int i = 0; i < 4; i++) {
			c[i] = ctx_new();
			CHECK(plat_as_new(p, c[i], &c[i]->as, &c[i]->th) == 0);
			busy_wait(5);
		}
		prio.sched_priority = 0;
		sched_setscheduler(0, SCHED_OTHER, &prio);
		prio.sched_priority = 1;
		one_cpu(false);
		for (int i = 0; i < 4; i++) {
			struct plat_batch b = { 0 };

			plat_batch_add(&b, (struct plat_cmd){ .op = PLAT_CMD_MUNMAP, .a = { 1, 1 } });
			plat_resume(c[i]->th, &b);
			CHECK(next(c[i], &t) && t.kind == PLAT_TRAP_BATCH);
		}
		for (int i = 0; i < 4; i++)
			drop(c[i]);
		nanosleep(&(struct timespec){ .tv_nsec = 100000000 }, NULL);
	}
	return ok;
}

/* Comes and goes on its CPU all the time. */
static void *come_and_go(void *stop)
{
	unsigned r = (unsigned)gettid();

	while (!__atomic_load_n((bool *)stop, __ATOMIC_RELAXED)) {
		r = r * 1103515245 + 12345;
		for (volatile unsigned i = 0; i < (r >> 16) % 5000; i++)
			;
		nanosleep(&(struct timespec){ .tv_nsec = 1 }, NULL);
	}
	return NULL;
}

/* New address spaces, every second one made while it is waited for, where their host
 * processes are held up at any moment: each of them is known when it reports. */
static bool t_fresh_spaces(struct plat *p)
{
	bool ok = true, stop = false;
	pthread_t noise[8];
	struct ctx *c[2] = { ctx_new(), ctx_new() };

	for (int i = 0; i < 8; i++) {
		cpu_set_t cpu;

		CHECK(pthread_create(&noise[i], NULL, come_and_go, &stop) == 0);
		CPU_ZERO(&cpu);
		CPU_SET(i % get_nprocs(), &cpu);
		pthread_setaffinity_np(noise[i], sizeof(cpu), &cpu);
	}
	for (int round = 0; round < 5000 && ok; round++) {
		for (int i = 0; i < 2; i++)
			CHECK(plat_as_new(p, c[i], &c[i]->as, &c[i]->th) == 0);
		for (int i = 0; i < 2 && ok; i++)
			drop(c[i]);
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	for (int i = 0; i < 8; i++)
		pthread_join(noise[i], NULL);
	return ok;
}

static bool t_wrong_call(struct plat *p)
{
	struct ctx *c = boot(p, code_wrongcall, LEN(code_wrongcall));
	struct plat_trap t = { 0 };
	bool ok = true;

	if (!c)
		return false;
	plat_resume(c->th, NULL);
	CHECK(next(c, &t) && t.kind == PLAT_TRAP_SYSCALL && plat_thread_regs(c->th)->rax == 15);
	drop(c);
	return ok;
}

static bool t_died(struct plat *p)
{
	struct ctx *c = boot(p, code_spin, LEN(code_spin));
	struct plat_trap t = { 0 };
	bool ok = true;

	if (!c)
		return false;
	plat_resume(c->th, NULL);
	kill(plat_as_host_pid(c->as), SIGKILL);
	CHECK(next(c, &t) && t.kind == PLAT_TRAP_DIED && t.signo == SIGKILL);
	drop(c);
	return ok;
}

static double per_call(struct timespec a, struct timespec b, unsigned long n)
{
	return ((double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec)) / (double)n;
}

/* Not a test of speed: that ten thousand traps in a row come and go. */
static bool t_storm(struct plat *p)
{
	struct ctx *c = boot(p, code_loop, LEN(code_loop));
	struct timespec a, b;
	struct plat_trap t = { 0 };
	bool ok = true;

	if (!c)
		return false;
	c->echo = true;
	c->stop_after = 20000;
	clock_gettime(CLOCK_MONOTONIC, &a);
	plat_resume(c->th, NULL);
	CHECK(next(c, &t));
	clock_gettime(CLOCK_MONOTONIC, &b);
	printf("  (%.0f ns a round trip)\n", per_call(a, b, c->stop_after));
	drop(c);
	return ok;
}

/* ---- partial traps ---- */

/* real: needs real host processes or a real FPU; not for the fake backend. */
static const struct {
	const char *name;
	bool (*fn)(struct plat *);
	bool real;
} cases[] = {
	{ "syscall", t_syscall, false }, { "fault", t_fault, false }, { "divide", t_div, false },
	{ "int80", t_int80, false }, { "kick", t_kick, false }, { "fpu", t_fpu, true }, { "memory", t_memory, false },
	{ "lend_fd", t_lend_fd, false }, { "cmpxchg", t_cmpxchg, true }, { "fork", t_fork, false }, { "thread", t_thread, false },
	{ "many_threads", t_many_threads, false }, { "late_workers", t_late_workers, true },
	{ "fresh_spaces", t_fresh_spaces, true },
	{ "wrong_call", t_wrong_call, false }, { "died", t_died, true },
	{ "storm", t_storm, false }, { "partial", t_partial, true },
	{ "partial_kick", t_partial_kick, true }, { "kick_storm", t_kick_storm, true },
	{ "fast", t_fast, true }, { "fast_read", t_fast_read, true },
	{ "fast_middle", t_fast_middle, true }, { "fast_restart", t_fast_restart, true },
	{ "fast_threads", t_fast_threads, true },
	{ "crowd", t_crowd, true }, { "crowd_dies", t_crowd_dies, true },
};

int main(int argc, char **argv)
{
	struct plat_config cfg = { .backend = argc > 1 ? argv[1] : "unotify", .ops = &ops };
	char why[256];
	struct plat *p;

	setvbuf(stdout, NULL, _IOLBF, 0);
	cfg.direct[DIRECT / 64] |= 1ULL << (DIRECT % 64);
	cfg.direct[0] |= 1; /* read */
	cfg.fast = true;
	if (plat_probe(cfg.backend, why, sizeof(why))) {
		printf("%s\n", why);
		return 1;
	}
	if (plat_new(&cfg, &p) || plat_start(p)) {
		printf("cannot build the platform\n");
		return 1;
	}
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool ok;

		if (cases[i].real && !strcmp(cfg.backend, "fake"))
			continue;
		ok = cases[i].fn(p);
		printf("%s %s@%s\n", ok ? "ok" : "FAIL", cases[i].name, cfg.backend);
		if (ok)
			passed++;
		else
			failed++;
	}
	plat_free(p);
	printf("%d passed, %d failed\n", passed, failed);
	return failed != 0;
}
