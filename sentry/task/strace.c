/* --strace: hands calls to the trace API of syscalls/, which came with the table. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sentry/mm/usercopy.h"
#include "sentry/task/task_impl.h"
#include "syscalls/abi/syscall_table.h"

struct strace {
	struct trace_filter *filter;
	int fd;
};

int strace_init(struct kernel *k, const struct kernel_params *p)
{
	struct strace *s;

	if (!p->strace_filter)
		return 0;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -LX_ENOMEM;
	s->fd = p->strace_fd;
	s->filter = k->table->trace_filter_new(p->strace_filter);
	if (!s->filter) {
		free(s);
		return -LX_EINVAL;
	}
	k->strace = s;
	return 0;
}

void strace_fini(struct kernel *k)
{
	struct strace *s = k->strace;

	if (!s)
		return;
	k->table->trace_filter_free(s->filter);
	free(s);
	k->strace = NULL;
}

static int io_read(void *ctx, uint64_t addr, void *buf, size_t len)
{
	struct task *t = ctx;

	return t->mm ? mm_copy_in(t->mm, buf, addr, len) : -LX_EFAULT;
}

static void io_emit(void *ctx, const char *line, size_t len)
{
	const struct task *t = ctx;
	const struct strace *s = t->k->strace;
	char buf[1200];
	int n = snprintf(buf, sizeof(buf), "[%5d] ", t->tid);

	if (len > sizeof(buf) - (size_t)n - 1)
		len = sizeof(buf) - (size_t)n - 1;
	memcpy(buf + n, line, len);
	buf[(size_t)n + len] = '\n';
	strace_write(s->fd, buf, (size_t)n + len + 1);
}

void strace_enter(struct task *t)
{
	const struct strace *s = t->k->strace;
	struct trace_io io = { .ctx = t, .read = io_read, .emit = io_emit };

	if (!t->strace_buf)
		t->strace_buf = t->k->table->trace_call_new();
	if (!t->strace_buf)
		return;
	t->strace_open = true;
	t->k->table->trace_enter(t->strace_buf, s->filter, &io, t->sysno, t->sysargs);
}

void strace_exit(struct task *t, long result)
{
	struct trace_io io = { .ctx = t, .read = io_read, .emit = io_emit };

	if (!t->strace_open)
		return;
	t->strace_open = false;
	t->k->table->trace_exit(t->strace_buf, &io, result);
}

void strace_gone(struct task *t)
{
	struct trace_io io = { .ctx = t, .read = io_read, .emit = io_emit };
	char line[64];
	int n, sig = t->exit_code & 0x7f;

	if (!t->k->strace || !t->started)
		return;
	if (t->strace_open)
		t->k->table->trace_abandon(t->strace_buf, &io);
	t->strace_open = false;
	if (sig)
		n = snprintf(line, sizeof(line), "+++ killed by %s%s +++", sigabbrev_np(sig) ? "SIG" : "",
			     sigabbrev_np(sig) ? sigabbrev_np(sig) : "a real-time signal");
	else
		n = snprintf(line, sizeof(line), "+++ exited with %d +++",
			     t->exit_code >> 8 & 0xff);
	io_emit(t, line, (size_t)n);
}

void strace_free(struct task *t)
{
	if (t->strace_buf)
		t->k->table->trace_call_free(t->strace_buf);
	t->strace_buf = NULL;
}
