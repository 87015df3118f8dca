/*
 * The argument kinds of syscall.def as C: an enum, a C type for each
 * (argtype_<kind>) and the narrowing of a register to it (argget_<kind>).
 * Linux ignores the upper half of a register that carries an int; so does
 * this, in one place, so that no handler has to think of it.
 */
#ifndef SYSCALLS_SYSCALL_KINDS_H
#define SYSCALLS_SYSCALL_KINDS_H

#include <stdint.h>

#include "syscalls/abi/lx_types.h"

enum arg_kind {
#define KIND(name, class, dir, size) ARG_KIND_##name,
#include "syscalls/syscall_kinds.def"
#undef KIND
	ARG_KIND_COUNT
};

enum arg_class {
	ARG_CLASS_I32,
	ARG_CLASS_U32,
	ARG_CLASS_U16,
	ARG_CLASS_I64,
	ARG_CLASS_U64,
	ARG_CLASS_PTR,
};

/* Where the bytes behind an argument travel. */
enum arg_dir {
	ARG_DIR_VAL,
	ARG_DIR_IN,
	ARG_DIR_OUT,
	ARG_DIR_INOUT,
	ARG_DIR_OPAQUE,
};

#define ARG_CTYPE_I32 int32_t
#define ARG_CTYPE_U32 uint32_t
#define ARG_CTYPE_U16 uint32_t
#define ARG_CTYPE_I64 int64_t
#define ARG_CTYPE_U64 uint64_t
#define ARG_CTYPE_PTR struct uaddr

#define ARG_NARROW_I32(reg) ((int32_t)(uint32_t)(reg))
#define ARG_NARROW_U32(reg) ((uint32_t)(reg))
#define ARG_NARROW_U16(reg) ((uint32_t)(uint16_t)(reg))
#define ARG_NARROW_I64(reg) ((int64_t)(reg))
#define ARG_NARROW_U64(reg) ((uint64_t)(reg))
#define ARG_NARROW_PTR(reg) ((struct uaddr){ .v = (reg) })

#define KIND(name, class, dir, size)                                                               \
	typedef ARG_CTYPE_##class argtype_##name;                                                  \
	static inline argtype_##name argget_##name(uint64_t reg)                                   \
	{                                                                                          \
		return ARG_NARROW_##class(reg);                                                    \
	}
#include "syscalls/syscall_kinds.def"
#undef KIND

#endif
