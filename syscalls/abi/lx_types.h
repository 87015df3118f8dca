/*
 * The guest pointer. A struct and not an integer or a pointer, so that neither
 * dereferencing it nor mixing it up with a length compiles.
 */
#ifndef SYSCALLS_ABI_LX_TYPES_H
#define SYSCALLS_ABI_LX_TYPES_H

#include <stdint.h>

struct uaddr {
	uint64_t v;
};

#endif
