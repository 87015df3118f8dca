/*
 * What the kernel gets handed at boot instead of linking against the handlers:
 * the table as a struct of functions. It lies here because the sentry may
 * include from this folder and from no other part of syscalls/.
 */
#ifndef SYSCALLS_ABI_SYSCALL_TABLE_H
#define SYSCALLS_ABI_SYSCALL_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct task;
struct trace_call;
struct trace_filter;

/* How tracing reaches guest memory and the log. */
struct trace_io {
	void *ctx;
	/* All of len bytes, or -errno. May be NULL: pointers are then shown bare. */
	int (*read)(void *ctx, uint64_t addr, void *buf, size_t len);
	/* Text without newlines, not terminated; how: TRACE_EMIT_. */
	void (*emit)(void *ctx, const char *text, size_t len, unsigned how);
	unsigned column; /* where a line begins, after the caller's prefix; 0: results are
			  * not aligned */
};
#define TRACE_EMIT_START 1u /* a new line */
#define TRACE_EMIT_END 2u   /* the line ends here */

struct syscall_table {
	/* 0 or more, -LX_E…, or an internal code (-LX_ERESTARTSYS, -LX_EPARK, -LX_ERAN). */
	long (*dispatch)(struct task *t, uint64_t nr, const uint64_t args[6]);
	/* Name, or NULL for a number that Linux does not know. */
	const char *(*name)(uint64_t nr);

	/* syscalls/trace/trace.h says what these do. */
	struct trace_filter *(*trace_filter_new)(const char *list);
	void (*trace_filter_free)(struct trace_filter *f);
	struct trace_call *(*trace_call_new)(void);
	void (*trace_call_free)(struct trace_call *c);
	void (*trace_enter)(struct trace_call *c, const struct trace_filter *f,
			    const struct trace_io *io, uint64_t nr, const uint64_t args[6]);
	void (*trace_exit)(struct trace_call *c, const struct trace_io *io, long result);
	void (*trace_park)(struct trace_call *c, const struct trace_io *io);
	void (*trace_break)(struct trace_call *c);
	void (*trace_abandon)(struct trace_call *c, const struct trace_io *io);
	size_t (*trace_siginfo)(const unsigned char info[128], char *out, size_t size);
	size_t (*trace_quote)(const char *s, size_t len, char *out, size_t size);
};

#endif
