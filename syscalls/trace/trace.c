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

/* One name or class of a list. False: unknown. */
static bool filter_set(struct trace_filter *f, const char *name, bool wanted)
{
	const struct syscall_desc *d;
	bool any = false;

	if (name[0] == '%') {
		for (uint32_t nr = 0; nr < SYSCALL_NR_END; nr++) {
			d = syscall_lookup(nr);
			if (d == NULL || !trace_in_class(d, name + 1))
				continue;
			f->wanted[nr] = wanted;
			any = true;
		}
		return any;
	}
	d = syscall_lookup_name(name);
	if (d != NULL)
		f->wanted[d->nr] = wanted;
	return d != NULL;
}

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

		if (len >= sizeof(name))
			goto bad;
		memcpy(name, list, len);
		name[len] = '\0';
		if (!filter_set(f, name, !negated))
			goto bad;
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
	size_t room = sizeof(c->line) - (c->tail ? 1 : TRACE_TAIL_ROOM) - c->len;
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
		ARG_KIND_inout_i32,   ARG_KIND_mmsghdr_in,
	};

	for (size_t i = 0; i < sizeof(late) / sizeof(late[0]); i++)
		if (late[i] == kind)
			return false;
	return arg_kind_info(kind)->dir != ARG_DIR_OUT;
}

/* One argument with the separator before it. False: not before the call's end. */
static bool format_arg(struct trace_fmt *f)
{
	struct trace_call *c = f->c;
	enum arg_kind kind = c->desc->args[f->arg].kind;
	uint64_t v = trace_narrow(arg_kind_info(kind)->class, c->regs[f->arg]);
	size_t before = c->len;
	enum trace_step step;

	if (f->arg > 0)
		trace_puts(c, ", ");
	step = trace_special(f, v);
	if (step == TRACE_BY_KIND && !f->exiting && !shown_at_entry(kind))
		step = TRACE_LATER;
	if (step == TRACE_BY_KIND)
		trace_arg(f, kind, c->regs[f->arg]);
	if ((step == TRACE_LATER || step == TRACE_NO_MORE) && !c->cut)
		c->len = before;
	if (step == TRACE_LAST || step == TRACE_NO_MORE)
		c->next = c->desc->nargs;
	return step != TRACE_LATER;
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
		f->arg = c->next;
		if (!format_arg(f))
			return;
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
	const struct syscall_desc *d = syscall_lookup(nr), *before = c->desc;
	struct trace_fmt fmt = { .c = c, .io = io };

	if (c->open || !filter_wants(f, d))
		return;
	c->desc = d;
	c->nr = nr;
	memcpy(c->regs, args, sizeof(c->regs));
	c->old_len = 0;
	c->next = 0;
	c->len = c->sent = 0;
	c->cut = c->tail = c->shown = c->broken = false;
	c->open = true;
	if (d != NULL)
		trace_printf(c, "%s(", d->name);
	else
		trace_printf(c, "syscall_%#llx(", (unsigned long long)nr);
	if (d != NULL && d->nargs == 0)
		trace_no_args(&fmt, before);
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

static bool result_is_exec(const struct syscall_desc *d)
{
	return d != NULL && strncmp(d->name, "execve", 6) == 0;
}

static void format_result(struct trace_fmt *f)
{
	struct trace_call *c = f->c;
	long result = f->result;
	const char *text;

	if (result >= 0 || result < -LX_MAX_ERRNO) {
		trace_result(f);
		return;
	}
	text = restart_text(-result);
	if (result == -LX_ERAN)
		text = result_is_exec(c->desc) ? "0" : "?";
	if (text != NULL)
		trace_puts(c, text);
	else if (strerrorname_np((int)-result) == NULL)
		trace_printf(c, "%ld", result);
	else
		trace_printf(c, "-1 %s (%s)", strerrorname_np((int)-result),
			     strerrordesc_np((int)-result));
}

/* The part of the line that was not shown yet, and the line's end. */
static void finish(struct trace_fmt *f, const char *result)
{
	struct trace_call *c = f->c;
	size_t column;

	c->tail = true;
	if (c->cut) {
		c->cut = false;
		trace_puts(c, "...");
	}
	trace_puts(c, ")");
	column = f->io->column + c->len + 1;
	trace_printf(c, "%*s= ", (int)(f->io->column > 0 && column < 40 ? 40 - column + 1 : 1), "");
	if (result != NULL)
		trace_puts(c, result);
	else
		format_result(f);
	c->open = false;
	f->io->emit(f->io->ctx, c->line + c->sent, c->len - c->sent,
		    TRACE_EMIT_END | (c->shown && !c->broken ? 0 : TRACE_EMIT_START));
}

/* Somebody else's line came between: what is left begins a line of its own. */
static void resume_line(struct trace_call *c)
{
	if (!c->broken)
		return;
	c->len = c->sent = 0;
	c->cut = false;
	if (c->desc != NULL)
		trace_printf(c, "<... %s resumed>", c->desc->name);
	else
		trace_printf(c, "<... syscall_%#llx resumed>", (unsigned long long)c->nr);
}

void trace_exit(struct trace_call *c, const struct trace_io *io, long result)
{
	struct trace_fmt fmt = { .c = c, .io = io, .exiting = true, .result = result };

	if (!c->open || result == -LX_EPARK)
		return;
	resume_line(c);
	format_args(&fmt);
	finish(&fmt, NULL);
}

void trace_park(struct trace_call *c, const struct trace_io *io)
{
	if (!c->open || c->shown)
		return;
	c->shown = true;
	c->sent = c->len;
	io->emit(io->ctx, c->line, c->len, TRACE_EMIT_START);
}

void trace_break(struct trace_call *c)
{
	c->broken = c->open && c->shown;
}

void trace_abandon(struct trace_call *c, const struct trace_io *io)
{
	/* What would have come out never did: show the rest as for an error. */
	struct trace_fmt fmt = { .c = c, .io = io, .exiting = true, .result = -LX_EINTR };

	if (!c->open)
		return;
	resume_line(c);
	format_args(&fmt);
	finish(&fmt, "?");
}

/* ---- pieces of lines for others ---- */

static size_t take_piece(struct trace_call *c, char *out, size_t size)
{
	size_t n = c->len < size ? c->len : size;

	memcpy(out, c->line, n);
	trace_call_free(c);
	return n;
}

size_t trace_siginfo(const unsigned char info[128], char *out, size_t size)
{
	struct trace_call *c = trace_call_new();

	if (c == NULL)
		return 0;
	trace_f_siginfo(c, info);
	return take_piece(c, out, size);
}

size_t trace_quote(const char *s, size_t len, char *out, size_t size)
{
	struct trace_call *c = trace_call_new();

	if (c == NULL)
		return 0;
	trace_quoted(c, (const unsigned char *)s, len < TRACE_STR_MAX ? len : TRACE_STR_MAX);
	trace_puts(c, len > TRACE_STR_MAX ? "..." : "");
	return take_piece(c, out, size);
}
