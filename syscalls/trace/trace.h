/*
 * strace(1)-style lines, formatted from the argument kinds of syscall.def.
 *
 *   openat(AT_FDCWD, "/etc/passwd", O_RDONLY|O_CLOEXEC) = 3
 *
 * What goes into a call is formatted when it starts, because execve and friends
 * may change it; what comes out is formatted when it ends, and the whole line is
 * emitted then. A call that parks stays open: running its handler again does not
 * print it again.
 *
 * A hostile guest chooses every argument: all reads are bounded, a read that
 * fails shows the bare pointer, and a line is cut at TRACE_LINE_MAX.
 */
#ifndef SYSCALLS_TRACE_TRACE_H
#define SYSCALLS_TRACE_TRACE_H

#include <stddef.h>
#include <stdint.h>

#include "syscalls/abi/syscall_table.h"

#define TRACE_LINE_MAX 8192
#define TRACE_STR_MAX 32   /* bytes shown of data, as strace does */
#define TRACE_PATH_MAX 4096 /* bytes shown of a path */

/* "" selects every call, "openat,read" those, "!read,write" all but those. A name may be
 * a class as strace has them: %file %desc %process %signal %memory %network %ipc %clock
 * %creds %stat %statfs %pure.
 * The list must not be NULL. Returns NULL on an unknown name or when memory is short. */
struct trace_filter *trace_filter_new(const char *list);
void trace_filter_free(struct trace_filter *f);

/* One per traced task: the line that is being made. NULL when memory is short. */
struct trace_call *trace_call_new(void);
void trace_call_free(struct trace_call *c);

/* Does nothing if the filter leaves the call out (NULL leaves none out)
 * or a parked call is still open. */
void trace_enter(struct trace_call *c, const struct trace_filter *f, const struct trace_io *io,
		 uint64_t nr, const uint64_t args[6]);
/* Emits the line; does nothing if no call is open or the result is -LX_EPARK. */
void trace_exit(struct trace_call *c, const struct trace_io *io, long result);
/* The call waits: what is known of it is emitted as a line without an end. */
void trace_park(struct trace_call *c, const struct trace_io *io);
/* That line was ended by the caller with "<unfinished ...>"; the rest will say "resumed". */
void trace_break(struct trace_call *c);
/* The call does not return (exit, or the task was killed): emits it with "= ?". */
void trace_abandon(struct trace_call *c, const struct trace_io *io);

/* {si_signo=SIGCHLD, ...}: the length, not terminated; the same for a quoted string of at
 * most TRACE_STR_MAX bytes. */
size_t trace_siginfo(const unsigned char info[128], char *out, size_t size);
size_t trace_quote(const char *s, size_t len, char *out, size_t size);

#endif
