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

/* No user address is at or above it, with four-level page tables. */
#define LX_USER_ADDR_MAX 0x7ffffffff000ULL

#endif
