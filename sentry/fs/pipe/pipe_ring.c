/* The ring buffer of a pipe; pipe_ring.h says how it is laid out. */
#include "sentry/fs/pipe/pipe_ring.h"

#include <stdlib.h>
#include <string.h>

#include "syscalls/abi/lx_errno.h"

void pipe_ring_init(struct pipe_ring *r, uint32_t nslots)
{
	*r = (struct pipe_ring){ .nslots = nslots };
}

void pipe_ring_fini(struct pipe_ring *r)
{
	free(r->pages);
	free(r->slots);
	r->pages = NULL;
	r->slots = NULL;
}

static bool ring_alloc(struct pipe_ring *r)
{
	if (r->pages != NULL)
		return true;
	r->slots = calloc(r->nslots, sizeof(*r->slots));
	r->pages = malloc((size_t)r->nslots * PIPE_SLOT_SIZE);
	if (r->slots == NULL || r->pages == NULL) {
		pipe_ring_fini(r);
		return false;
	}
	return true;
}

static struct pipe_slot *slot_at(struct pipe_ring *r, uint32_t i)
{
	return &r->slots[i & (r->nslots - 1)];
}

static uint8_t *page_at(struct pipe_ring *r, uint32_t i)
{
	return r->pages + (size_t)(i & (r->nslots - 1)) * PIPE_SLOT_SIZE;
}

/* What a write leaves over beyond whole pages goes behind the last bytes, if it fits
 * there as a whole. Returns bytes taken (0: none), or -LX_EFAULT. */
static int64_t merge_tail(struct pipe_ring *r, struct uio *u)
{
	size_t chars = u->resid & (PIPE_SLOT_SIZE - 1);
	struct pipe_slot *last;
	long got;

	if (chars == 0 || pipe_ring_empty(r))
		return 0;
	last = slot_at(r, r->head - 1);
	if (last->packet || (size_t)last->off + last->len + chars > PIPE_SLOT_SIZE)
		return 0;
	got = uio_from_user(u, page_at(r, r->head - 1) + last->off + last->len, chars);
	if (got > 0) {
		last->len = (uint16_t)(last->len + got);
		r->bytes += (uint64_t)got;
	}
	return got;
}

/* Fill free slots that lie next to each other with one copy. *fault: it came out short. */
static int64_t fill_slots(struct pipe_ring *r, struct uio *u, bool packet, bool *fault)
{
	uint32_t idx = r->head & (r->nslots - 1);
	uint32_t run = r->nslots - (r->head - r->tail);
	size_t want;
	long got, left;

	if (run > r->nslots - idx)
		run = r->nslots - idx;
	want = (size_t)run * PIPE_SLOT_SIZE;
	if (want > u->resid)
		want = u->resid;
	got = uio_from_user(u, page_at(r, r->head), want);
	*fault = got < (long)want;
	if (got <= 0)
		return got;
	for (left = got; left > 0; r->head++) {
		long n = left < (long)PIPE_SLOT_SIZE ? left : (long)PIPE_SLOT_SIZE;

		*slot_at(r, r->head) = (struct pipe_slot){ .len = (uint16_t)n, .packet = packet };
		left -= n;
	}
	r->bytes += (uint64_t)got;
	return got;
}

int64_t pipe_ring_write(struct pipe_ring *r, struct uio *u, bool packet)
{
	size_t start = u->resid;
	bool fault = false;
	int64_t n;

	if (start == 0)
		return 0;
	if (!ring_alloc(r))
		return -LX_ENOMEM;
	if (pipe_ring_empty(r))
		r->head = r->tail = 0;
	n = merge_tail(r, u);
	/* At a fault, what came before it stays written. */
	while (n >= 0 && !fault && u->resid > 0 && !pipe_ring_full(r))
		n = fill_slots(r, u, packet, &fault);
	if (u->resid < start)
		return (int64_t)(start - u->resid);
	return n < 0 ? n : -LX_EAGAIN;
}

/* Bytes that lie together at the tail: across slots that are full up to their end. */
static size_t tail_run(struct pipe_ring *r)
{
	uint32_t i = r->tail;
	const struct pipe_slot *s = slot_at(r, i);
	size_t n = s->len;

	while (!s->packet && (uint32_t)s->off + s->len == PIPE_SLOT_SIZE && i + 1 != r->head &&
	       ((i + 1) & (r->nslots - 1)) != 0) {
		s = slot_at(r, ++i);
		if (s->packet || s->off != 0)
			break;
		n += s->len;
	}
	return n;
}

static void consume(struct pipe_ring *r, size_t n)
{
	r->bytes -= n;
	while (n > 0) {
		struct pipe_slot *s = slot_at(r, r->tail);
		size_t k = n < s->len ? n : s->len;

		s->off = (uint16_t)(s->off + k);
		s->len = (uint16_t)(s->len - k);
		n -= k;
		if (s->len == 0)
			r->tail++;
	}
}

int64_t pipe_ring_read(struct pipe_ring *r, struct uio *u)
{
	int64_t done = 0;

	while (u->resid > 0 && !pipe_ring_empty(r)) {
		struct pipe_slot *s = slot_at(r, r->tail);
		bool packet = s->packet;
		size_t n = tail_run(r), want = n < u->resid ? n : u->resid;
		long got = uio_to_user(u, page_at(r, r->tail) + s->off, want);

		if (got < 0)
			return done > 0 ? done : got;
		consume(r, packet ? s->len : (size_t)got);
		done += got;
		if (packet || (size_t)got < want)
			break;
	}
	return done;
}

int64_t pipe_ring_peek(struct pipe_ring *r, struct uio *u)
{
	int64_t done = 0;

	for (uint32_t i = r->tail; u->resid > 0 && i != r->head; i++) {
		const struct pipe_slot *s = slot_at(r, i);
		size_t want = s->len < u->resid ? s->len : u->resid;
		long got = uio_to_user(u, page_at(r, i) + s->off, want);

		if (got < 0)
			return done > 0 ? done : got;
		done += got;
		if (s->packet || (size_t)got < want)
			break;
	}
	return done;
}

int pipe_ring_resize(struct pipe_ring *r, uint32_t nslots)
{
	struct pipe_ring n;
	uint32_t used = r->head - r->tail;

	if (used > nslots)
		return -LX_EBUSY;
	pipe_ring_init(&n, nslots);
	if (used == 0) {
		pipe_ring_fini(r);
		*r = n;
		return 0;
	}
	if (!ring_alloc(&n))
		return -LX_ENOMEM;
	for (; r->tail != r->head; r->tail++, n.head++) {
		const struct pipe_slot *s = slot_at(r, r->tail);

		*slot_at(&n, n.head) = *s;
		memcpy(page_at(&n, n.head) + s->off, page_at(r, r->tail) + s->off, s->len);
	}
	n.bytes = r->bytes;
	pipe_ring_fini(r);
	*r = n;
	return 0;
}
