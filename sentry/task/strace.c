/* --strace: hands calls to the trace API of syscalls/, which came with the table, and
 * writes lines as strace -f does. A call that waits leaves its line open; when another
 * task has something to say meanwhile, the line ends with "<unfinished ...>" and what is
 * left of it follows later. All under the kernel lock. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sentry/mm/usercopy.h"
#include "sentry/task/sched.h"
#include "sentry/task/task_impl.h"
#include "syscalls/abi/syscall_table.h"

#define NR_rt_sigreturn 15
#define NR_execve 59
#define AT_EXECFN 31
#define IGNORED_MAX 4
#define AUXV_MAX 64
#define ENVP_MAX 4096

struct strace {
	struct trace_filter *filter;
	int fd;
	bool own_fd;		/* given at run time; closed when tracing ends */
	struct task *holder;	/* whose line is open, borrowed; NULL: none */
};

/* One per traced task. */
struct strace_task {
	struct trace_call *call;
	/* Signals that were ignored while the task was in the kernel: strace shows them, and
	 * does so when the call has ended. */
	struct ksiginfo ignored[IGNORED_MAX];
	unsigned nignored;
};

static int start(struct kernel *k, const char *filter, int fd, bool own_fd)
{
	struct strace *s = calloc(1, sizeof(*s));

	if (!s)
		return -LX_ENOMEM;
	s->fd = fd;
	s->own_fd = own_fd;
	s->filter = k->table->trace_filter_new(filter);
	if (!s->filter) {
		free(s);
		return -LX_EINVAL;
	}
	k->strace = s;
	return 0;
}

int strace_init(struct kernel *k, const struct kernel_params *p)
{
	return p->strace_filter ? start(k, p->strace_filter, p->strace_fd, false) : 0;
}

void strace_fini(struct kernel *k)
{
	struct strace *s = k->strace;

	if (!s)
		return;
	if (s->holder)
		strace_write(s->fd, " <unfinished ...>\n", 18);
	if (s->own_fd)
		strace_close(s->fd);
	k->table->trace_filter_free(s->filter);
	free(s);
	k->strace = NULL;
}

int strace_switch(struct kernel *k, const char *filter, int fd)
{
	struct strace *old = k->strace;
	int err;

	if (!filter) {
		strace_fini(k);
		return 0;
	}
	k->strace = NULL;
	err = start(k, filter, fd, true);
	if (err) {
		k->strace = old;
		return err;
	}
	if (old) {
		struct strace *new = k->strace;

		k->strace = old;
		strace_fini(k);
		k->strace = new;
	}
	return 0;
}

static int io_read(void *ctx, uint64_t addr, void *buf, size_t len)
{
	struct task *t = ctx;

	return t->mm ? mm_copy_in(t->mm, buf, addr, len) : -LX_EFAULT;
}

static unsigned prefix(const struct task *t, char out[32])
{
	return (unsigned)snprintf(out, 32, "[pid %5d] ", t->tid);
}

static void end_open_line(struct strace *s)
{
	static const char unfinished[] = " <unfinished ...>\n";
	struct strace_task *st = s->holder->strace_buf;

	strace_write(s->fd, unfinished, sizeof(unfinished) - 1);
	s->holder->k->table->trace_break(st->call);
	s->holder = NULL;
}

/* -LX_EPIPE of a reader that is gone is not noticed here: strace_write() drops it. */
static void io_emit(void *ctx, const char *text, size_t len, unsigned how)
{
	struct task *t = ctx;
	struct strace *s = t->k->strace;
	char buf[8192 + 40];
	size_t n = 0;

	if (s->holder && s->holder != t)
		end_open_line(s);
	if (how & TRACE_EMIT_START)
		n = prefix(t, buf);
	if (len > sizeof(buf) - n - 1)
		len = sizeof(buf) - n - 1;
	memcpy(buf + n, text, len);
	n += len;
	if (how & TRACE_EMIT_END)
		buf[n++] = '\n';
	s->holder = how & TRACE_EMIT_END ? NULL : t;
	strace_write(s->fd, buf, n);
}

static struct trace_io io_of(struct task *t)
{
	char text[32];

	return (struct trace_io){
		.ctx = t, .read = io_read, .emit = io_emit, .column = prefix(t, text),
	};
}

__attribute__((format(printf, 2, 3))) static void line(struct task *t, const char *fmt, ...)
{
	struct strace *s = t->k->strace;
	char buf[320];
	va_list ap;
	int n;

	/* A line of its own, also when one of t's own is open. */
	if (s->holder)
		end_open_line(s);
	va_start(ap, fmt);
	n = vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	if (n >= (int)sizeof(buf))
		n = sizeof(buf) - 1;
	io_emit(t, buf, (size_t)n, TRACE_EMIT_START | TRACE_EMIT_END);
}

static struct strace_task *of(struct task *t)
{
	struct strace_task *st = t->strace_buf;

	if (st)
		return st;
	st = calloc(1, sizeof(*st));
	if (st)
		st->call = t->k->table->trace_call_new();
	if (st && !st->call) {
		free(st);
		st = NULL;
	}
	t->strace_buf = st;
	return st;
}

/* ---- calls ---- */

void strace_enter(struct task *t)
{
	const struct strace *s = t->k->strace;
	struct trace_io io = io_of(t);
	struct strace_task *st = of(t);
	/* rt_sigreturn has its argument on the stack. */
	const uint64_t sp[6] = { t->regs->rsp };

	if (!st)
		return;
	t->strace_open = true;
	t->k->table->trace_enter(st->call, s->filter, &io, t->sysno,
				 (uint32_t)t->sysno == NR_rt_sigreturn ? sp : t->sysargs);
}

static void show_ignored(struct task *t)
{
	struct strace_task *st = t->strace_buf;

	for (unsigned i = 0; i < st->nignored; i++)
		strace_signal(t, &st->ignored[i]);
	st->nignored = 0;
}

void strace_exit(struct task *t, long result)
{
	struct strace_task *st = t->strace_buf;
	struct trace_io io = io_of(t);

	if (!t->strace_open)
		return;
	t->strace_open = false;
	if (!t->k->strace)
		return;
	/* What it gave is the interrupted call's result, which is in place by now. */
	if ((uint32_t)t->sysno == NR_rt_sigreturn && result == -LX_ERAN)
		result = (long)t->regs->rax;
	t->k->table->trace_exit(st->call, &io, result);
	show_ignored(t);
}

void strace_park(struct task *t)
{
	struct strace_task *st = t->strace_buf;
	struct trace_io io = io_of(t);

	if (t->k->strace)
		t->k->table->trace_park(st->call, &io);
}

void strace_spawned(struct task *t, uint64_t sp)
{
	uint64_t argc, v, args[6] = { 0 }, pair[2];
	struct trace_io io = io_of(t);
	struct strace_task *st = of(t);

	if (!st || mm_copy_in(t->mm, &argc, sp, sizeof(argc)))
		return;
	args[1] = sp + 8;
	args[2] = sp + 8 * (argc + 2);
	/* The auxiliary vector after the environment knows the file's name. */
	v = args[2];
	for (unsigned i = 0; i < ENVP_MAX; i++, v += 8)
		if (mm_copy_in(t->mm, pair, v, 8) || pair[0] == 0)
			break;
	v += 8;
	for (unsigned i = 0; i < AUXV_MAX; i++, v += 16)
		if (mm_copy_in(t->mm, pair, v, 16) || pair[0] == 0 || pair[0] == AT_EXECFN)
			break;
	args[0] = pair[0] == AT_EXECFN ? pair[1] : 0;
	t->k->table->trace_enter(st->call, ((struct strace *)t->k->strace)->filter, &io, NR_execve,
				 args);
	t->k->table->trace_exit(st->call, &io, -LX_ERAN);
}

void strace_superseded(struct task *t, int tgid)
{
	struct strace *s = t->k->strace;
	char text[96];
	int n;

	if (s->holder)
		end_open_line(s);
	n = snprintf(text, sizeof(text), "[pid %5d] +++ superseded by execve in pid %d +++\n", tgid,
		     t->tid);
	strace_write(s->fd, text, (size_t)n);
}

/* ---- signals ---- */

/* As strace calls it; valid until the next call (kernel lock). */
static const char *signame(int signo)
{
	static char text[24];

	if (signo > 32)
		snprintf(text, sizeof(text), "SIGRT_%d", signo - 32);
	else if (signo == 32)
		return "SIGRTMIN";
	else
		snprintf(text, sizeof(text), "SIG%s", signo == 29 ? "IO" : sigabbrev_np(signo));
	return text;
}

void strace_signal(struct task *t, const struct ksiginfo *info)
{
	uint8_t raw[128];
	char text[256];
	size_t n;

	siginfo_encode(info, raw);
	n = t->k->table->trace_siginfo(raw, text, sizeof(text) - 1);
	text[n] = '\0';
	line(t, "--- %s %s ---", signame(info->signo), text);
}

void strace_ignored(struct task *t, const struct ksiginfo *info)
{
	struct strace_task *st = t->strace_buf;

	if (!t->started || t->killed)
		return;
	if (!t->strace_open)
		strace_signal(t, info);
	else if (st->nignored < IGNORED_MAX)
		st->ignored[st->nignored++] = *info;
}

void strace_stopped(struct task *t, int signo)
{
	line(t, "--- stopped by %s ---", signame(signo));
}

/* ---- the end ---- */

void strace_gone(struct task *t)
{
	struct strace_task *st = t->strace_buf;
	struct trace_io io = io_of(t);
	int sig = t->exit_code & 0x7f;
	const char *core = t->exit_code & 0x80 ? " (core dumped)" : "";

	if (!t->k->strace || !t->started)
		return;
	if (t->strace_open)
		t->k->table->trace_abandon(st->call, &io);
	t->strace_open = false;
	if (sig)
		line(t, "+++ killed by %s%s +++", signame(sig), core);
	else
		line(t, "+++ exited with %d +++", t->exit_code >> 8 & 0xff);
}

void strace_free(struct task *t)
{
	struct strace_task *st = t->strace_buf;
	struct strace *s = t->k->strace;

	if (s && s->holder == t)
		end_open_line(s);
	if (st) {
		t->k->table->trace_call_free(st->call);
		free(st);
	}
	t->strace_buf = NULL;
}
