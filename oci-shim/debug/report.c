/* What is printed about threads: stacks, and crashes with all that is known of them. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* sigabbrev_np */
#endif
#include <capstone/capstone.h>
#include <errno.h>
#include <inttypes.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "oci-shim/debug/remote.h"

#define TASKS_MAX 4096u
#define CODE_BEFORE 32u
#define CODE_AFTER 64u
#define INSNS_SHOWN 8u
#define STACK_WORDS 32u
#define MEMORY_MAX (1u << 30)

/* ---- giving up privileges ---- */

int report_confine(unsigned cpu)
{
	static const int calls[] = {
		SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(sendto), SCMP_SYS(recvfrom),
		SCMP_SYS(brk), SCMP_SYS(mmap), SCMP_SYS(munmap), SCMP_SYS(mremap),
		SCMP_SYS(mprotect), SCMP_SYS(madvise), SCMP_SYS(futex), SCMP_SYS(rt_sigprocmask),
		SCMP_SYS(rt_sigreturn), SCMP_SYS(fstat), SCMP_SYS(newfstatat), SCMP_SYS(lseek),
		SCMP_SYS(close), SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(clock_gettime),
		SCMP_SYS(mincore), SCMP_SYS(msync), SCMP_SYS(getpid), SCMP_SYS(gettid),
		SCMP_SYS(tgkill), SCMP_SYS(prlimit64), SCMP_SYS(setrlimit), SCMP_SYS(getrusage),
		SCMP_SYS(sysinfo),
	};
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	const struct rlimit time = { cpu, cpu };
	int r = f ? 0 : -1;

	for (size_t i = 0; r == 0 && i < sizeof(calls) / sizeof(calls[0]); i++)
		r = seccomp_rule_add(f, SCMP_ACT_ALLOW, calls[i], 0);
#ifndef __SANITIZE_ADDRESS__ /* which maps more than anybody would allow it */
	if (setrlimit(RLIMIT_AS, &(struct rlimit){ MEMORY_MAX, MEMORY_MAX }) < 0)
		r = -1;
#endif
	if (cpu && setrlimit(RLIMIT_CPU, &time) < 0)
		r = -1;
	if (r == 0)
		r = seccomp_load(f);
	seccomp_release(f);
	return r < 0 ? -1 : 0;
}

/* ---- stacks ---- */

void report_stack(FILE *out, struct remote *r, const uint64_t regs[18])
{
	uint64_t ips[FRAMES_MAX];
	unsigned n = unwind_stack(r, regs, ips);
	char name[640];

	for (unsigned i = 0; i < n; i++) {
		/* A return address may be the first byte of what follows. */
		elf_symbol(r, ips[i] - (i > 0), name, sizeof(name));
		fprintf(out, "  #%-2u 0x%016" PRIx64 " %s\n", i, ips[i], name);
	}
	if (n == FRAMES_MAX)
		fprintf(out, "  ...\n");
}

static struct control_task *ask_tasks(int sock, int pid, unsigned *count)
{
	struct control_req rq = { .magic = CONTROL_MAGIC, .op = CONTROL_TASKS, .pid = pid };
	struct control_task *tasks = calloc(TASKS_MAX, sizeof(*tasks));
	union {
		struct control_task task;
		struct control_rep rep;
	} u;
	ssize_t n;

	*count = 0;
	if (!tasks || remote_ask(sock, &rq) < 0)
		goto bad;
	for (;;) {
		n = recv(sock, &u, sizeof(u), 0);
		if (n == (ssize_t)sizeof(u.rep)) {
			if (u.rep.error)
				goto bad;
			return tasks;
		}
		if (n != (ssize_t)sizeof(u.task))
			goto bad;
		u.task.comm[sizeof(u.task.comm) - 1] = 0;
		u.task.call[sizeof(u.task.call) - 1] = 0;
		for (char *p = u.task.comm; *p; p++)
			if (*p < ' ' || *p > '~')
				*p = '?';
		if (*count < TASKS_MAX)
			tasks[(*count)++] = u.task;
	}
bad:
	free(tasks);
	return NULL;
}

static void one_task(FILE *out, struct remote *r, const struct control_task *t)
{
	fprintf(out, "thread %d (%s): %s", t->tid, t->comm,
		t->state == 'R' ? "running" : t->state == 'T' ? "stopped" : "waiting");
	if (t->call[0])
		fprintf(out, " in %s...", t->call);
	fprintf(out, "\n");
	if (t->has_regs)
		report_stack(out, r, t->regs);
	else
		fprintf(out, "  registers unknown: it did not answer in time\n");
}

int report_stacks(FILE *out, int sock, int pid)
{
	unsigned n;
	struct control_task *tasks = ask_tasks(sock, pid, &n);
	struct remote r = { 0 };
	int tgid = 0;

	if (!tasks)
		return -1;
	for (unsigned i = 0; i < n; i++) {
		if (tasks[i].tgid != tgid) {
			tgid = tasks[i].tgid;
			remote_close(&r);
			fprintf(out, "%sprocess %d\n", i ? "\n" : "", tgid);
			if (remote_open(&r, sock, tasks[i].tid) < 0)
				memset(&r, 0, sizeof(r));
		}
		if (r.maps)
			one_task(out, &r, &tasks[i]);
		fflush(out);
	}
	remote_close(&r);
	free(tasks);
	return 0;
}

/* ---- crashes ---- */

static void registers(FILE *out, const uint64_t g[18])
{
	static const struct {
		const char *name;
		int at;
	} order[] = {
		{ "rip", 16 }, { "rsp", 15 }, { "rbp", 10 }, { "rax", 13 }, { "rbx", 11 }, { "rcx", 14 },
		{ "rdx", 12 }, { "rsi", 9 },  { "rdi", 8 },  { "r8", 0 },   { "r9", 1 },   { "r10", 2 },
		{ "r11", 3 },  { "r12", 4 },  { "r13", 5 },  { "r14", 6 },  { "r15", 7 },
		{ "eflags", 17 },
	};

	fprintf(out, "registers:\n");
	for (unsigned i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		fprintf(out, "  %-6s 0x%016" PRIx64 "%s", order[i].name, g[order[i].at],
			i % 3 == 2 ? "\n" : "");
}

static void code(FILE *out, struct remote *r, uint64_t ip)
{
	uint8_t bytes[CODE_AFTER];
	uint64_t at = ip;
	size_t have = 0, left;
	const uint8_t *p = bytes;
	cs_insn *insn;
	csh cs;

	fprintf(out, "code:\n  before:");
	for (uint64_t a = ip - CODE_BEFORE; a < ip; a++) {
		uint8_t b;

		if (remote_read(r, a, &b, 1))
			fprintf(out, " %02x", b);
	}
	fprintf(out, "\n");
	while (have < sizeof(bytes) && remote_read(r, ip + have, bytes + have, 1))
		have++;
	if (have == 0) {
		fprintf(out, "  no code at rip\n");
		return;
	}
	if (cs_open(CS_ARCH_X86, CS_MODE_64, &cs) != CS_ERR_OK)
		return;
	insn = cs_malloc(cs);
	left = have;
	for (unsigned i = 0; insn && i < INSNS_SHOWN && cs_disasm_iter(cs, &p, &left, &at, insn); i++)
		fprintf(out, "  %s 0x%016" PRIx64 ": %s %s\n", i == 0 ? "=>" : "  ", insn->address,
			insn->mnemonic, insn->op_str);
	if (at == ip)
		fprintf(out, "  => 0x%016" PRIx64 ": not an instruction (%02x)\n", ip, bytes[0]);
	if (insn)
		cs_free(insn, 1);
	cs_close(&cs);
}

static void stack_words(FILE *out, struct remote *r, uint64_t sp)
{
	uint64_t w;

	fprintf(out, "stack:\n");
	for (unsigned i = 0; i < STACK_WORDS && remote_read(r, sp + 8 * i, &w, sizeof(w)); i++)
		fprintf(out, "%s%016" PRIx64 "%s", i % 4 == 0 ? "  " : " ", w, i % 4 == 3 ? "\n" : "");
}

/* The mappings that a register or the fault's address lies in or right beside. */
static void maps(FILE *out, const struct remote *r, const uint64_t g[18], uint64_t addr)
{
	fprintf(out, "maps near the registers:\n");
	for (unsigned i = 0; i < r->nmaps; i++) {
		const struct control_map *m = &r->maps[i];
		bool near = addr + 65536 >= m->start && addr < m->end + 65536 && addr != 0;

		for (unsigned k = 0; k < 17; k++)
			near |= g[k] >= m->start && g[k] < m->end;
		if (near)
			fprintf(out, "  %012" PRIx64 "-%012" PRIx64 " %c%c%c %08" PRIx64 " %s\n", m->start,
				m->end, m->prot & 1 ? 'r' : '-', m->prot & 2 ? 'w' : '-',
				m->prot & 4 ? 'x' : '-', m->off, m->path);
	}
}

static const char *code_name(int signo, int si_code)
{
	static const struct {
		int signo, code;
		const char *text;
	} names[] = {
		{ SIGSEGV, 1, "not mapped" },	 { SIGSEGV, 2, "not permitted" },
		{ SIGBUS, 1, "misaligned" },	 { SIGBUS, 2, "beyond the file's end" },
		{ SIGFPE, 1, "division by zero" }, { SIGFPE, 2, "overflow" },
		{ SIGILL, 1, "illegal opcode" }, { SIGILL, 2, "illegal operand" },
		{ SIGTRAP, 1, "breakpoint" },	 { SIGSYS, 1, "call refused by a filter" },
	};

	if (si_code == SI_KERNEL)
		return "by the kernel";
	if (si_code <= 0)
		return "sent by a process";
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].signo == signo && names[i].code == si_code)
			return names[i].text;
	return "fault";
}

void report_crash(FILE *out, int sock, const struct control_crash *ev)
{
	struct control_task *tasks;
	const struct control_task *t = NULL;
	struct remote r;
	unsigned n;

	tasks = ask_tasks(sock, ev->tgid, &n);
	for (unsigned i = 0; tasks && i < n; i++)
		if (tasks[i].tid == ev->tid)
			t = &tasks[i];
	fprintf(out, "crash: process %d (%s), thread %d: SIG%s (%s)", ev->tgid, t ? t->comm : "?",
		ev->tid, sigabbrev_np(ev->signo) ? sigabbrev_np(ev->signo) : "?",
		code_name(ev->signo, ev->code));
	if (ev->has_fault)
		fprintf(out, ", address 0x%" PRIx64 ", trap %" PRIu64 ", error %#" PRIx64, ev->addr,
			ev->trapno, ev->err);
	fprintf(out, "\n");
	if (t && t->has_regs && remote_open(&r, sock, ev->tid) == 0) {
		registers(out, t->regs);
		code(out, &r, t->regs[16]);
		fprintf(out, "backtrace:\n");
		report_stack(out, &r, t->regs);
		stack_words(out, &r, t->regs[15]);
		maps(out, &r, t->regs, ev->has_fault ? ev->addr : 0);
		remote_close(&r);
	}
	fprintf(out, "crash: end of process %d\n", ev->tgid);
	fflush(out);
	free(tasks);
}
