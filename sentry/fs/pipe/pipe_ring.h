/* The buffer of a pipe: a ring of page-sized slots, as in Linux, so that PIPE_BUF
 * atomicity, packets and "full" mean the same. The pages are one contiguous block
 * (one copy serves a large transfer) made at the first write; an emptied ring starts
 * over at its first page, so a pipe used for small messages touches one page only.
 * Stand-alone: knows user copies and nothing else of the sentry. */
#ifndef SENTRY_FS_PIPE_PIPE_RING_H
#define SENTRY_FS_PIPE_PIPE_RING_H

#include <stdbool.h>
#include <stdint.h>

#include "sentry/mm/usercopy.h"

#define PIPE_SLOT_SIZE 4096u
#define PIPE_DEF_SLOTS 16u
#define PIPE_MAX_SLOTS 256u /* pipe-max-size: 1 MiB */

struct pipe_slot {
	uint16_t off, len;
	bool packet; /* one read takes exactly this slot */
};

struct pipe_ring {
	uint8_t *pages;		/* nslots * PIPE_SLOT_SIZE; NULL until written to */
	struct pipe_slot *slots;
	uint32_t nslots;	/* a power of two */
	uint32_t head, tail;	/* counted on without bound; head - tail slots in use */
	uint64_t bytes;
};

void pipe_ring_init(struct pipe_ring *r, uint32_t nslots);
void pipe_ring_fini(struct pipe_ring *r);

static inline bool pipe_ring_empty(const struct pipe_ring *r)
{
	return r->head == r->tail;
}

static inline bool pipe_ring_full(const struct pipe_ring *r)
{
	return r->head - r->tail == r->nslots;
}

/* Move bytes in: the count (short when the ring fills up or at a fault), -LX_EAGAIN when
 * there is no room at all, -LX_EFAULT, -LX_ENOMEM. Up to one page is all or nothing. */
int64_t pipe_ring_write(struct pipe_ring *r, struct uio *u, bool packet);
/* Move bytes out: the count, 0 when empty, -LX_EFAULT. */
int64_t pipe_ring_read(struct pipe_ring *r, struct uio *u);
/* The same, but the bytes stay. */
int64_t pipe_ring_peek(struct pipe_ring *r, struct uio *u);
/* Change the capacity (a power of two): 0, -LX_EBUSY when the contents do not fit,
 * -LX_ENOMEM. */
int pipe_ring_resize(struct pipe_ring *r, uint32_t nslots);

#endif
