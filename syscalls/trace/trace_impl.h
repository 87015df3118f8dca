/*
 * Shared by the files of this folder: the line being made and the formatters.
 */
#ifndef SYSCALLS_TRACE_TRACE_IMPL_H
#define SYSCALLS_TRACE_TRACE_IMPL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "syscalls/table.h"
#include "syscalls/trace/trace.h"

struct trace_call {
	const struct syscall_desc *desc; /* NULL for an unknown number */
	uint64_t nr;
	uint64_t regs[6];
	uint64_t old_len; /* what an in-and-out length said at entry */
	unsigned next;	  /* first argument that is not formatted yet */
	bool open;
	bool cut;
	size_t len;
	char line[TRACE_LINE_MAX];
};

/* Everything that a formatter needs for argument number `arg`. */
struct trace_fmt {
	struct trace_call *c;
	const struct trace_io *io;
	unsigned arg;
	bool exiting; /* result is valid */
	long result;
};

/* Appending; the line is cut silently when it is full. */
void trace_puts(struct trace_call *c, const char *s);
__attribute__((format(printf, 2, 3))) void trace_printf(struct trace_call *c, const char *fmt, ...);
void trace_quoted(struct trace_call *c, const unsigned char *s, size_t len);

/* Reads all or nothing. */
bool trace_read(const struct trace_fmt *f, uint64_t addr, void *buf, size_t len);
/* The bytes at addr as a quoted string of at most `shown` bytes, then "...". */
void trace_bytes(struct trace_fmt *f, uint64_t addr, uint64_t len, size_t shown);
/* A register as unsigned, narrowed to its kind; neighbours count from f->arg. */
uint64_t trace_neighbour(const struct trace_fmt *f, int delta);

/* Symbolic values. */
bool trace_is_symbolic(enum arg_kind kind);
void trace_symbolic(struct trace_call *c, enum arg_kind kind, uint64_t v);
/* "SIGINT", without a fallback: NULL if there is no such signal. */
const char *trace_signal_name(unsigned sig);
void trace_signal(struct trace_call *c, int sig);

/* Structures; false if the kind is none. */
bool trace_struct(struct trace_fmt *f, enum arg_kind kind, uint64_t addr);

/* Any argument. */
void trace_arg(struct trace_fmt *f, enum arg_kind kind, uint64_t reg);

#endif
