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
	uint64_t old_pair[2]; /* the same for a time */
	unsigned next;	  /* first argument that is not formatted yet */
	bool open;
	bool cut;
	bool tail;   /* formatting the line's end */
	bool shown;  /* the call waits, and what goes in has been emitted */
	bool broken; /* and somebody else's line came after it */
	size_t len;
	size_t sent; /* of len */
	char line[TRACE_LINE_MAX];
};

#define TRACE_TAIL_ROOM 640u /* of the line, for its end */

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

/* Symbolic values. A name that covers several bits stands before those of the single bits.
 * odd: what a value without a name is called in a comment after it, or NULL; none: what 0
 * is called, NULL: "0". */
struct named {
	uint64_t value;
	const char *name;
};
#define TRACE_NAMES(table) (table), sizeof(table) / sizeof((table)[0])
void trace_enum(struct trace_call *c, const struct named *names, size_t count, uint64_t v,
		const char *odd);
void trace_bits(struct trace_call *c, const struct named *names, size_t count, uint64_t v,
		const char *none, const char *odd);
/* NULL: v has no name. */
const char *trace_name_of(const struct named *names, size_t count, uint64_t v);
bool trace_is_symbolic(enum arg_kind kind);
void trace_symbolic(struct trace_call *c, enum arg_kind kind, uint64_t v);
/* "SIGINT", without a fallback: NULL if there is no such signal. */
const char *trace_signal_name(unsigned sig);
void trace_signal(struct trace_call *c, int sig);

/* open's flags without the access mode; S_IFREG|0644. */
void trace_open_bits(struct trace_call *c, uint64_t v);
void trace_mode(struct trace_call *c, uint32_t mode);
/* Structures; false if the kind is none. */
bool trace_struct(struct trace_fmt *f, enum arg_kind kind, uint64_t addr);

/* What a call's own formatter did with an argument. */
enum trace_step {
	TRACE_BY_KIND, /* nothing: it is as its kind says */
	TRACE_DONE,
	TRACE_LAST,    /* done, and the further arguments are not shown */
	TRACE_NO_MORE, /* nothing, and neither this one nor the further ones are shown */
	TRACE_LATER,   /* only known at exit; never when exiting */
};
/* Argument f->arg, when its call has something special about it; v is narrowed. */
enum trace_step trace_special(struct trace_fmt *f, uint64_t v);
/* Calls without arguments that have something to show; before: the task's last call. */
void trace_no_args(struct trace_fmt *f, const struct syscall_desc *before);
/* A result that is no error, with what belongs after it. */
void trace_result(struct trace_fmt *f);
/* strace's classes of calls: %file, %desc … */
bool trace_in_class(const struct syscall_desc *d, const char *name);
uint64_t trace_narrow(enum arg_class class, uint64_t reg);

/* trace_file.c, trace_net.c: formatters for the table in trace_calls.c. */
#define TRACE_FN(name)                                                                             \
	enum trace_step name(struct trace_fmt *f, __attribute__((unused)) uint64_t v)
TRACE_FN(trace_fcntl);
TRACE_FN(trace_ioctl);
TRACE_FN(trace_poll);
TRACE_FN(trace_select);
TRACE_FN(trace_mount);
TRACE_FN(trace_dirents);
TRACE_FN(trace_sockopt);
TRACE_FN(trace_socket);
TRACE_FN(trace_accept);
void trace_poll_result(struct trace_fmt *f);
void trace_select_result(struct trace_fmt *f);
void trace_fcntl_result(struct trace_fmt *f);
void trace_sockaddr(struct trace_fmt *f, uint64_t addr, uint64_t len);
/* A msghdr; bytes: what came or may go. */
void trace_msghdr(struct trace_fmt *f, uint64_t addr, uint64_t bytes);

/* trace_struct.c */
void trace_f_siginfo(struct trace_call *c, const unsigned char *p);
void trace_f_sigset(struct trace_call *c, uint64_t set);
/* {tv_sec=…, tv_nsec=…} at addr, or the bare address. */
void trace_timespec_at(struct trace_fmt *f, uint64_t addr, const char *fraction);
void trace_iovecs(struct trace_fmt *f, uint64_t addr, uint64_t count, uint64_t bytes,
		  bool contents);
/* Does the request have a name? */
bool trace_ioctl_named(uint32_t cmd);
void trace_cap(struct trace_call *c, uint64_t cap);
void trace_cap_set(struct trace_call *c, uint64_t set);
/* 1970-01-01T00:00:00+0000; frac has that many digits, 0: not shown. */
void trace_date(struct trace_call *c, int64_t t, uint64_t frac, unsigned digits);
/* A bare pointer, or NULL. */
void trace_pointer(struct trace_call *c, uint64_t v);
/* Bytes as \x.., as strace shows random numbers. */
void trace_hex(struct trace_fmt *f, uint64_t addr, uint64_t len);

/* Any argument. */
void trace_arg(struct trace_fmt *f, enum arg_kind kind, uint64_t reg);

#endif
