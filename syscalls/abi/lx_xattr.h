/* xattr(7). */
#ifndef SYSCALLS_ABI_LX_XATTR_H
#define SYSCALLS_ABI_LX_XATTR_H

#include <stdint.h>

struct lx_xattr_args {
	uint64_t value;
	uint32_t size, flags;
};
_Static_assert(sizeof(struct lx_xattr_args) == 16, "xattr_args");

#define LX_XATTR_CREATE 1u
#define LX_XATTR_REPLACE 2u
#define LX_XATTR_NAME_MAX 255
#define LX_XATTR_SIZE_MAX 65536u
#define LX_XATTR_LIST_MAX 65536u

#endif
