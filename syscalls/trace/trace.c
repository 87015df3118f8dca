/*
 * The life of a trace line: filter, entry, exit.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* strerrorname_np */
#endif
#include "syscalls/trace/trace.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "syscalls/abi/lx_errno.h"
#include "syscalls/trace/trace_impl.h"

struct trace_filter {
	bool unknown; /* numbers without a name */
	bool wanted[SYSCALL_NR_END];
};

struct trace_filter *trace_filter_new(const char *list)
{
	struct trace_filter *f = calloc(1, sizeof(*f));
	bool negated = list[0] == '!';
	char name[64];

	if (f == NULL)
		return NULL;
	list += negated;
	f->unknown = negated || *list == '\0';
	memset(f->wanted, f->unknown, sizeof(f->wanted));
	while (*list != '\0') {
		size_t len = strcspn(list, ",");
		const struct syscall_desc *d;

		if (len >= sizeof(name))
			goto bad;
		memcpy(name, list, len);
		name[len] = '\0';
		d = syscall_lookup_name(name);
		if (d == NULL)
			goto bad;
		f->wanted[d->nr] = !negated;
		list += len;
		list += *list == ',';
	}
	return f;
bad:
	free(f);
	return NULL;
}

void trace_filter_free(struct trace_filter *f)
{
	free(f);
}

static bool filter_wants(const struct trace_filter *f, const struct syscall_desc *d)
{
	if (f == NULL)
		return true;
	return d != NULL ? f->wanted[d->nr] : f->unknown;
}

struct trace_call *trace_call_new(void)
{
	return calloc(1, sizeof(struct trace_call));
}

void trace_call_free(struct trace_call *c)
{
	free(c);
}

void trace_puts(struct trace_call *c, const char *s)
{
	trace_printf(c, "%s", s);
}

void trace_printf(struct trace_call *c, const char *fmt, ...)
{
	/* Room is kept for the end of the line: ...) = -1 EOPNOTSUPP (text). */
	size_t room = sizeof(c->line) - 128 - c->len;
	va_list ap;
	int n;

	if (c->cut)
		return;
	va_start(ap, fmt);
	n = vsnprintf(c->line + c->len, room, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	if ((size_t)n >= room) {
		c->cut = true;
		n = (int)room - 1;
	}
	c->len += (size_t)n;
}

/* The first argument that can only be shown at exit stops the formatting at entry. */
static bool shown_at_entry(enum arg_kind kind)
{
	/* For most of what goes both ways, what goes in tells more. */
	static const enum arg_kind late[] = {
		ARG_KIND_iovec_out,   ARG_KIND_msghdr_out, ARG_KIND_mmsghdr_out,
		ARG_KIND_inout_i32,   ARG_KIND_pollfds,
	};

	for (size_t i = 0; i < sizeof(late) / sizeof(late[0]); i++)
		if (late[i] == kind)
			return false;
	return arg_kind_info(kind)->dir != ARG_DIR_OUT;
}

static void format_args(struct trace_fmt *f)
{
	struct trace_call *c = f->c;

	if (c->desc == NULL) {
		if (c->next == 0)
			for (unsigned i = 0; i < 6; i++)
				trace_printf(c, "%s%#llx", i > 0 ? ", " : "",
					     (unsigned long long)c->regs[i]);
		c->next = 6;
		return;
	}
	for (; c->next < c->desc->nargs; c->next++) {
		enum arg_kind kind = c->desc->args[c->next].kind;

		if (!f->exiting && !shown_at_entry(kind))
			return;
		f->arg = c->next;
		if (f->arg > 0)
			trace_puts(c, ", ");
		trace_arg(f, kind, c->regs[f->arg]);
	}
}

/* accept() and the like overwrite the length that bounded what they stored. */
static void remember_length(struct trace_fmt *f)
{
	const struct syscall_desc *d = f->c->desc;
	uint32_t len;

	for (unsigned i = 1; d != NULL && i < d->nargs; i++)
		if (d->args[i].kind == ARG_KIND_inout_i32 &&
		    trace_read(f, f->c->regs[i], &len, sizeof(len)))
			f->c->old_len = len;
}

void trace_enter(struct trace_call *c, const struct trace_filter *f, const struct trace_io *io,
		 uint64_t nr, const uint64_t args[6])
{
	const struct syscall_desc *d = syscall_lookup(nr);
	struct trace_fmt fmt = { .c = c, .io = io };

	if (c->open || !filter_wants(f, d))
		return;
	c->desc = d;
	c->nr = nr;
	memcpy(c->regs, args, sizeof(c->regs));
	c->old_len = 0;
	c->next = 0;
	c->len = 0;
	c->cut = false;
	c->open = true;
	if (d != NULL)
		trace_printf(c, "%s(", d->name);
	else
		trace_printf(c, "syscall_%#llx(", (unsigned long long)nr);
	remember_length(&fmt);
	format_args(&fmt);
}

static const char *restart_text(long error)
{
	switch (error) {
	case LX_ERESTARTSYS:
		return "? ERESTARTSYS (To be restarted if SA_RESTART is set)";
	case LX_ERESTARTNOINTR:
		return "? ERESTARTNOINTR (To be restarted)";
	case LX_ERESTARTNOHAND:
		return "? ERESTARTNOHAND (To be restarted if no handler)";
	case LX_ERESTART_RESTARTBLOCK:
		return "? ERESTART_RESTARTBLOCK (Interrupted by signal)";
	default:
		return NULL;
	}
}

static bool result_is_address(const struct syscall_desc *d)
{
	static const char *const names[] = { "mmap", "brk", "mremap", "shmat" };

	for (size_t i = 0; d != NULL && i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(d->name, names[i]) == 0)
			return true;
	return false;
}

static bool result_is_exec(const struct syscall_desc *d)
{
	return d != NULL && strncmp(d->name, "execve", 6) == 0;
}

static void format_result(const struct trace_call *c, long result, char *out, size_t size)
{
	const char *text;

	if (result >= 0 || result < -LX_MAX_ERRNO) {
		snprintf(out, size, result_is_address(c->desc) ? "%#lx" : "%ld", result);
		return;
	}
	text = restart_text(-result);
	if (result == -LX_ERAN)
		text = result_is_exec(c->desc) ? "0" : "?";
	if (text != NULL) {
		snprintf(out, size, "%s", text);
		return;
	}
	if (strerrorname_np((int)-result) == NULL) {
		snprintf(out, size, "%ld", result);
		return;
	}
	snprintf(out, size, "-1 %s (%s)", strerrorname_np((int)-result),
		 strerrordesc_np((int)-result));
}

static void finish(struct trace_call *c, const struct trace_io *io, const char *result)
{
	int n = snprintf(c->line + c->len, sizeof(c->line) - c->len, "%s) = %s",
			 c->cut ? "..." : "", result);

	if (n > 0)
		c->len += (size_t)n;
	if (c->len >= sizeof(c->line))
		c->len = sizeof(c->line) - 1;
	c->open = false;
	io->emit(io->ctx, c->line, c->len);
}

void trace_exit(struct trace_call *c, const struct trace_io *io, long result)
{
	struct trace_fmt fmt = { .c = c, .io = io, .exiting = true, .result = result };
	char text[112];

	if (!c->open || result == -LX_EPARK)
		return;
	format_args(&fmt);
	format_result(c, result, text, sizeof(text));
	finish(c, io, text);
}

void trace_abandon(struct trace_call *c, const struct trace_io *io)
{
	/* What would have come out never did: show the rest as for an error. */
	struct trace_fmt fmt = { .c = c, .io = io, .exiting = true, .result = -LX_EINTR };

	if (!c->open)
		return;
	format_args(&fmt);
	finish(c, io, "?");
}
