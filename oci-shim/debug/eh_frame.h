/* A search table made from .eh_frame. */
#ifndef OCI_SHIM_DEBUG_EH_FRAME_H
#define OCI_SHIM_DEBUG_EH_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct eh_entry {		/* as in .eh_frame_hdr: relative to a base */
	int32_t start, fde;
};

/* section: a copy of what the guest has at addr. Sorted entries relative to base, malloc'd;
 * NULL: memory is short, or the section too large or too far from base. */
struct eh_entry *eh_frame_index(const uint8_t *section, size_t size, uint64_t addr, uint64_t base,
				size_t *count);

#endif
