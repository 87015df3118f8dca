/* Platform conformance: partial traps, fast calls, and crowds of threads that wait. */
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "tests/platform/conformance.h"

/* Adds up what its calls give, and counts them. */
GUEST(code_sum, "1: mov $110, %eax; syscall; add %rax, %rbx; inc %r12; jmp 1b");
GUEST(code_then, "mov $110, %eax; mov $1, %edi; mov $2, %r9d; syscall; mov %rax, %rbx;"
		 "mov $39, %eax; syscall; ud2");
/* The same with read(2), whose sites look otherwise; r13: calls that failed. */
GUEST(code_read, "1: xor %eax, %eax; syscall; cmp $-4096, %rax; ja 2f; add %rax, %rbx;"
		 "inc %r12; jmp 1b; 2: inc %r13; jmp 1b");
/* Ten thousand times, registers compared with copies of them. */
GUEST(code_regs, "mov $10000, %r12d; mov $1, %edi; mov $2, %esi; mov $3, %edx; mov $4, %r10d;"
		 "mov $5, %r8d; mov $6, %r9d; mov $7, %ebp; mov $8, %r13d; mov $9, %r14d;"
		 "movq %r12, %xmm7; mov %rsp, %r15; movq $0x77, -8(%rsp);"
		 "1: mov $110, %eax; syscall; add %rax, %rbx; cmp $1, %edi; jne 2f; cmp $2, %esi;"
		 "jne 2f; cmp $3, %edx; jne 2f; cmp $4, %r10d; jne 2f; cmp $5, %r8d; jne 2f;"
		 "cmp $6, %r9d; jne 2f; cmp $7, %ebp; jne 2f; cmp $8, %r13d; jne 2f;"
		 "cmp $9, %r14d; jne 2f; cmp %r15, %rsp; jne 2f; cmpq $0x77, -8(%rsp); jne 2f;"
		 "movq %xmm7, %rax; cmp $10000, %eax; jne 2f; dec %r12; jnz 1b;"
		 "2: mov $39, %eax; syscall; ud2");
/* Sixty calls, then one that begins at the call instruction itself. */
GUEST(code_middle, "mov $60, %r12d; 1: mov $110, %eax; 3: syscall; add %rax, %rbx; dec %r12;"
		   "js 2f; jnz 1b; mov $110, %eax; lea 3b(%rip), %rdx; jmp *%rdx;"
		   "2: mov $39, %eax; syscall; ud2");

/* What is there of the registers, that the answer is the result, and that nothing else
 * changes by it. */
bool t_partial(struct plat *p)
{
	struct ctx *c = boot(p, code_then, LEN(code_then));
	struct plat_regs *r;
	struct plat_trap t = { 0 };
	bool ok = true;

	if (!c)
		return false;
	plat_thread_regs(c->th)->r12 = 0x1234;
	plat_resume(c->th, NULL);
	CHECK(next_raw(c, &t) && t.kind == PLAT_TRAP_SYSCALL);
	CHECK(t.partial == plat_caps(p)->direct);
	r = plat_thread_regs(c->th);
	CHECK(r->rax == 110 && r->rdi == 1 && r->r9 == 2 && r->rip == CODE + 18);
	r->rax = (uint64_t)-11;
	plat_resume(c->th, NULL);
	CHECK(next_raw(c, &t) && t.kind == PLAT_TRAP_SYSCALL && !t.partial);
	r = plat_thread_regs(c->th);
	CHECK(r->rbx == (uint64_t)-11 && r->r12 == 0x1234 && r->rax == 39);
	drop(c);
	return ok;
}

/* Kicked while it waits: first the result, then the trap with all registers. */
bool t_partial_kick(struct plat *p)
{
	struct ctx *c = boot(p, code_then, LEN(code_then));
	struct plat_regs *r;
	struct plat_trap t = { 0 };
	bool ok = true;

	if (!c)
		return false;
	plat_thread_regs(c->th)->r12 = 0x1234;
	plat_resume(c->th, NULL);
	CHECK(next_raw(c, &t) && t.kind == PLAT_TRAP_SYSCALL);
	for (int i = 0; i < 5; i++)
		plat_kick(c->th);
	plat_thread_regs(c->th)->rax = 5;
	plat_resume(c->th, NULL);
	CHECK(next_raw(c, &t) && t.kind == PLAT_TRAP_KICK && !t.partial);
	r = plat_thread_regs(c->th);
	CHECK(r->rax == 5 && r->rip == CODE + 18 && r->r12 == 0x1234 && r->rdi == 1);
	r->rax = 6;
	plat_resume(c->th, NULL);
	CHECK(next_raw(c, &t) && t.kind == PLAT_TRAP_SYSCALL && plat_thread_regs(c->th)->rbx == 6);
	drop(c);
	return ok;
}

/* Calls under a storm of kicks: each is made once. The trap handler counts them, and so
 * does the guest. */
bool t_kick_storm(struct plat *p)
{
	struct ctx *c = boot(p, code_sum, LEN(code_sum));
	const struct plat_regs *r;
	struct plat_trap t = { 0 };
	unsigned kicks = 0;
	bool ok = true;

	if (!c)
		return false;
	c->echo = true;
	c->stop_after = plat_caps(p)->fast ? 200000 : 5000;
	plat_resume(c->th, NULL);
	while (__atomic_load_n(&c->served, __ATOMIC_RELAXED) < c->stop_after) {
		plat_kick(c->th);
		CHECK(next_raw(c, &t));
		if (!ok || t.kind != PLAT_TRAP_KICK)
			break;
		plat_resume(c->th, NULL);
		/* Leave it time for some calls, and come at another moment of one. */
		for (unsigned i = 0; i < kicks * 37 % 4000; i++)
			__asm__ volatile("pause");
		kicks++;
	}
	if (t.kind == PLAT_TRAP_KICK)
		CHECK(next_raw(c, &t));
	CHECK(t.kind == PLAT_TRAP_SYSCALL);
	if (t.partial) {
		plat_kick(c->th);
		plat_resume(c->th, NULL);
		CHECK(next_raw(c, &t) && t.kind == PLAT_TRAP_KICK);
	}
	r = plat_thread_regs(c->th);
	CHECK(r->r12 == c->stop_after && r->rbx == 42 * c->stop_after);
	printf("  (%u kicks, %lu calls)\n", kicks, c->served);
	CHECK(kicks > 20);
	drop(c);
	return ok;
}

/* ---- fast calls ---- */

/* Until the guest's 39: with the worker answering 42 to all others. */
static bool run_to_end(struct plat *p, const void *code, size_t len, unsigned long n,
		       struct plat_regs *out, unsigned long *out_fast)
{
	struct ctx *c = boot(p, code, len);
	struct plat_trap t = { 0 };
	uint64_t before = plat_fast_calls(p);
	bool ok = true;

	if (!c)
		return false;
	c->echo = true;
	c->stop_after = n;
	plat_resume(c->th, NULL);
	CHECK(next(c, &t) && t.kind == PLAT_TRAP_SYSCALL);
	*out = *plat_thread_regs(c->th);
	*out_fast = plat_fast_calls(p) - before;
	drop(c);
	return ok;
}

/* Some of the calls are fast where the platform has that; all are right. A busy machine may
 * leave no CPU to poll on for a while. */
static bool some_fast(struct plat *p, const void *code, size_t len, struct plat_regs *out)
{
	unsigned long fast = 0;

	for (unsigned i = 0; i < (plat_caps(p)->fast ? 50 : 1) && !fast; i++)
		if (!run_to_end(p, code, len, 10000, out, &fast))
			return false;
	printf("  (%lu fast)\n", fast);
	return plat_caps(p)->fast == (fast > 0);
}

/* Fast calls are in use where the platform has them, and leave every register alone. */
bool t_fast(struct plat *p)
{
	struct plat_regs r;
	bool ok = true;

	CHECK(some_fast(p, code_regs, LEN(code_regs), &r));
	CHECK(r.rax == 39 && r.rbx == 42 * 10000 && r.r12 == 0);
	return ok;
}

bool t_fast_read(struct plat *p)
{
	struct plat_regs r;
	bool ok = true;

	CHECK(some_fast(p, code_read, LEN(code_read), &r));
	CHECK(r.r12 == 10000 && r.rbx == 42 * 10000 && r.r13 == 0);
	return ok;
}

/* A program that jumps into the middle of what was rewritten makes its call. */
bool t_fast_middle(struct plat *p)
{
	struct plat_regs r;
	unsigned long fast;
	bool ok = true;

	CHECK(run_to_end(p, code_middle, LEN(code_middle), 61, &r, &fast));
	CHECK(r.rax == 39 && r.rbx == 42 * 61);
	return ok;
}

/* What the kernel makes of a fast call that is kicked, to be made again or not, is what it
 * makes of any other: the address of the call, and the one after it, are the guest's. */
bool t_fast_restart(struct plat *p)
{
	struct ctx *c = boot(p, code_sum, LEN(code_sum));
	struct plat_trap t = { 0 };
	struct plat_regs r;
	bool ok = true;

	if (!c)
		return false;
	c->echo = true;
	for (unsigned i = 0; i < 20 && ok; i++) {
		__atomic_store_n(&c->served, 0, __ATOMIC_SEQ_CST);
		c->stop_after = 100 + i;
		plat_resume(c->th, NULL);
		CHECK(next(c, &t) && t.kind == PLAT_TRAP_SYSCALL);
		r = *plat_thread_regs(c->th);
		plat_shown_regs(c->th, &r);
		CHECK(r.rip == CODE + 7);
		/* Again. */
		plat_thread_regs(c->th)->rip =
			plat_call_rip(c->th, plat_thread_regs(c->th)->rip);
		plat_thread_regs(c->th)->rax = 110;
		r = *plat_thread_regs(c->th);
		plat_shown_regs(c->th, &r);
		CHECK(r.rip == CODE || r.rip == CODE + 5);
		c->stop_after = 101 + i;
	}
	r = *plat_thread_regs(c->th);
	CHECK(r.rbx == 42 * r.r12);
	drop(c);
	return ok;
}

#define CROWD 400

/* A thread of c's space, brought to where it waits in its first call. */
static struct ctx *add_waiter(struct ctx *c)
{
	struct plat_clone how = { .share_as = true };
	struct plat_batch b = { 0 };
	struct ctx *k = ctx_new();
	struct plat_trap t;
	struct plat_as *as;

	if (plat_thread_new(c->th, &how, k, &k->th, &as))
		return NULL;
	plat_batch_add(&b, (struct plat_cmd){ .op = PLAT_CMD_CLONE, .child = k->th });
	plat_resume(c->th, &b);
	if (!next_raw(k, &t) || t.kind != PLAT_TRAP_STARTED)
		return NULL;
	*plat_thread_regs(k->th) = (struct plat_regs){ .rip = CODE, .rsp = STACK - 0x8000, .r12 = 99 };
	plat_resume(k->th, NULL);
	return next_raw(k, &t) && next(c, &t) ? k : NULL;
}

/* From the beginning, with every call answered. */
static void run_again(struct ctx *c)
{
	c->echo = true;
	c->served = 0;
	c->stop_after = 10000;
	plat_thread_regs(c->th)->rip = CODE;
	plat_thread_regs(c->th)->rbx = 0;
	plat_resume(c->th, NULL);
}

static bool ended_well(struct ctx *c)
{
	struct plat_trap t = { 0 };

	return next(c, &t) && t.kind == PLAT_TRAP_SYSCALL && plat_thread_regs(c->th)->rax == 39 &&
	       plat_thread_regs(c->th)->rbx == 42 * 10000 && plat_thread_regs(c->th)->r12 == 0;
}

/* A site is rewritten while another thread waits in its call, and runs through it. */
bool t_fast_threads(struct plat *p)
{
	struct ctx *c = boot(p, code_regs, LEN(code_regs)), *k;
	struct plat_trap t = { 0 };
	uint64_t before = plat_fast_calls(p);
	bool ok = true, fast = false;

	plat_resume(c->th, NULL);
	CHECK(next(c, &t) && (k = add_waiter(c)));
	for (int i = 0; i < 50 && ok && !fast; i++) {
		run_again(c);
		CHECK(ended_well(c));
		fast = plat_fast_calls(p) > before;
	}
	CHECK(fast == plat_caps(p)->fast);
	plat_resume(k->th, NULL);
	CHECK(next(k, &t));
	for (int i = 0; i < 20 && ok; i++) {
		run_again(c);
		run_again(k);
		CHECK(ended_well(c) && ended_well(k));
	}
	/* Its protection is as the kernel says. */
	CHECK(plat_write(c->as, CODE, code_then, LEN(code_then)) == 0);
	plat_thread_release(k->th);
	drop(c);
	return ok;
}

/* CROWD threads beside c that wait in their first call; c makes some after each of them. */
static bool crowd_waits(struct ctx *c, struct ctx **k, int calls)
{
	struct plat_trap t = { 0 };
	bool ok = true;

	plat_resume(c->th, NULL);
	CHECK(next(c, &t));
	for (int i = 0; i < CROWD && ok; i++) {
		plat_thread_regs(c->th)->rip = CODE;
		k[i] = add_waiter(c);
		CHECK(k[i]);
		for (int j = 0; j < calls && ok; j++) {
			plat_thread_regs(c->th)->rip = CODE;
			plat_resume(c->th, NULL);
			CHECK(next(c, &t));
		}
	}
	return ok;
}

/* Many threads that wait for long in one process, while another makes calls: whatever the
 * platform does with them meanwhile, each goes on from where it was; by a plain answer, by
 * one with a kick, or not at all. */
bool t_crowd(struct plat *p)
{
	struct ctx *c = boot(p, code_then, LEN(code_then)), *k[CROWD];
	struct plat_trap t = { 0 };
	bool ok = true;

	if (!c)
		return false;
	CHECK(crowd_waits(c, k, 10));
	for (int i = 0; i < CROWD && ok; i++) {
		if (i % 4 == 3) {
			plat_thread_release(k[i]->th);
			continue;
		}
		if (i % 4 == 2)
			plat_kick(k[i]->th);
		plat_thread_regs(k[i]->th)->rax = 1000 + (uint64_t)i;
		plat_resume(k[i]->th, NULL);
		CHECK(next_raw(k[i], &t));
		if (i % 4 == 2) {
			CHECK(t.kind == PLAT_TRAP_KICK && plat_thread_regs(k[i]->th)->rdi == 1);
			plat_resume(k[i]->th, NULL);
			CHECK(next_raw(k[i], &t));
		}
		CHECK(t.kind == PLAT_TRAP_SYSCALL && plat_thread_regs(k[i]->th)->rax == 39);
		CHECK(plat_thread_regs(k[i]->th)->rbx == 1000 + (uint64_t)i);
		CHECK(plat_thread_regs(k[i]->th)->r12 == 99);
		plat_thread_release(k[i]->th);
	}
	drop(c);
	return ok;
}

/* A crowd that dies in the middle of being moved and answered. */
bool t_crowd_dies(struct plat *p)
{
	struct ctx *c = boot(p, code_then, LEN(code_then)), *k[CROWD];
	struct plat_trap t = { 0 };
	bool ok = true;

	if (!c)
		return false;
	CHECK(crowd_waits(c, k, 0));
	kill(plat_as_host_pid(c->as), SIGKILL);
	for (int i = 0; i < CROWD && ok; i++) {
		if (i % 2)
			plat_resume(k[i]->th, NULL);
		CHECK(next_raw(k[i], &t) && t.kind == PLAT_TRAP_DIED);
		plat_thread_release(k[i]->th);
	}
	drop(c);
	return ok;
}

