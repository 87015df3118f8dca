/*
 * What every handler sees: its arguments, already narrowed to their types, and
 * its prototype. Made from syscall.def; `cc -E` shows the expansion.
 */
#ifndef SYSCALLS_SYSCALL_ARGS_H
#define SYSCALLS_SYSCALL_ARGS_H

#include "syscalls/syscall_kinds.h"

struct task;

/* A call without arguments has a struct with one byte that means nothing. */
#define ARG(kind, name) argtype_##kind name;
#define NOARGS char no_args_;
#define FRAME
#define SYS(nr, name, level, note, ...)                                                            \
	struct name##_args {                                                                       \
		__VA_ARGS__                                                                        \
	};                                                                                         \
	long sys_##name(struct task *t, const struct name##_args *a);
#define NOSYS(nr, name, error, note, ...)
#include "syscalls/syscall.def"
#include "syscalls/syscall_end.h"

#endif
