/*
 * Expands syscall.def into descriptors and, for every call with a handler, a
 * thunk that narrows the six registers into the handler's argument struct.
 */
#include "syscalls/table.h"

#include <stddef.h>
#include <string.h>

#include "syscalls/abi/lx_errno.h"
#include "syscalls/syscall_args.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Thunks. */
#define ARG(kind, name) a.name = argget_##kind(regs[i++]);
#define NOARGS                                                                                     \
	a.no_args_ = 0;                                                                            \
	(void)i;                                                                                   \
	(void)regs;
#define FRAME
#define SYS(nr, name, level, note, ...)                                                            \
	static long call_##name(struct task *t, const uint64_t regs[6])                            \
	{                                                                                          \
		struct name##_args a;                                                              \
		unsigned i = 0;                                                                    \
                                                                                                   \
		__VA_ARGS__                                                                        \
		return sys_##name(t, &a);                                                          \
	}
#define NOSYS(nr, name, error, note, ...)
#include "syscalls/syscall.def"
#include "syscalls/syscall_end.h"

/* Argument lists; the last entry only keeps the arrays from being empty. */
#define ARG(kind, name) { ARG_KIND_##kind, #name },
#define NOARGS
#define FRAME
#define SYS(nr, name, level, note, ...)                                                            \
	static const struct syscall_arg args_##name[] = { __VA_ARGS__{ ARG_KIND_COUNT, NULL } };
#define NOSYS(nr, name, error, note, ...) SYS(nr, name, NONE, note, __VA_ARGS__)
#include "syscalls/syscall.def"
#include "syscalls/syscall_end.h"

static const struct syscall_desc descs[SYSCALL_NR_END] = {
#define ARG(kind, name)
#define NOARGS
#define FRAME +1
#define SYS(number, call_name, call_level, text, ...)                                              \
	[number] = {                                                                               \
		.nr = (number),                                                                    \
		.nargs = COUNT_OF(args_##call_name) - 1,                                           \
		.frame = 0 __VA_ARGS__,                                                            \
		.level = SYSCALL_LEVEL_##call_level,                                               \
		.name = #call_name,                                                                \
		.note = (text),                                                                    \
		.args = args_##call_name,                                                          \
		.call = call_##call_name,                                                          \
	},
#define NOSYS(number, call_name, err, text, ...)                                                   \
	[number] = {                                                                               \
		.nr = (number),                                                                    \
		.nargs = COUNT_OF(args_##call_name) - 1,                                           \
		.level = SYSCALL_LEVEL_NONE,                                                       \
		.error = LX_##err,                                                                 \
		.error_name = #err,                                                                \
		.name = #call_name,                                                                \
		.note = (text),                                                                    \
		.args = args_##call_name,                                                          \
	},
#include "syscalls/syscall.def"
#include "syscalls/syscall_end.h"
};

static const struct arg_kind_info kinds[ARG_KIND_COUNT] = {
#define KIND(kind_name, kind_class, kind_dir, kind_size)                                           \
	[ARG_KIND_##kind_name] = {                                                                 \
		.name = #kind_name,                                                                \
		.class = ARG_CLASS_##kind_class,                                                   \
		.dir = ARG_DIR_##kind_dir,                                                         \
		.size = (kind_size),                                                               \
	},
#include "syscalls/syscall_kinds.def"
#undef KIND
};

const struct syscall_desc *syscall_lookup(uint64_t nr)
{
	uint32_t n = (uint32_t)nr;

	if (n >= SYSCALL_NR_END || descs[n].name == NULL)
		return NULL;
	return &descs[n];
}

const struct syscall_desc *syscall_lookup_name(const char *name)
{
	for (uint32_t n = 0; n < SYSCALL_NR_END; n++)
		if (descs[n].name != NULL && strcmp(descs[n].name, name) == 0)
			return &descs[n];
	return NULL;
}

const struct arg_kind_info *arg_kind_info(enum arg_kind kind)
{
	return &kinds[kind];
}
