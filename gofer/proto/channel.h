/* The shared-memory channel beside a gofer's socket: one request and its reply at a time.
 *
 * The gofer makes the memory (a sealed memfd, handed over by CHANNEL); both sides may write
 * all of it at any time, so each reads every word once, copies a message out before it looks
 * at it, and believes nothing. Sleeping, hang-ups and descriptors stay with the socket:
 *
 * - The client writes the message and its length, then `req`. It rings (a datagram of one
 *   byte) when the gofer had said GOFER_CHAN_ASLEEP.
 * - The gofer writes the reply, rep_len and rep_fd, then `rep`. With rep_fd exactly one
 *   datagram of one byte follows, which carries the descriptors; otherwise one follows if the
 *   client had set `waits` to the request's number (whoever exchanges that for 0 first
 *   decides). FORGET is answered by an empty reply, so that the client knows when the memory
 *   is its own again.
 *
 * Both sides poll for a short while only, and only where that does not take the CPU from the
 * other one: the client not on the gofer's own CPU, the gofer only while requests come thick,
 * and it gives way between looks. */
#ifndef GOFER_PROTO_CHANNEL_H
#define GOFER_PROTO_CHANNEL_H

#include <stdint.h>

#include "gofer/proto/proto.h"

#define GOFER_CHAN_AWAKE 0u
#define GOFER_CHAN_ASLEEP 1u	/* ring */

struct gofer_chan {
	/* the client's */
	_Alignas(64) uint32_t req;
	uint32_t req_len;
	uint32_t waits;		/* the request slept for, 0: none; cleared by either */
	uint32_t req_cpu;	/* where it was posted from */
	/* the gofer's */
	_Alignas(64) uint32_t rep;
	uint32_t rep_len;
	uint32_t rep_fd;
	uint32_t polls;		/* there are CPUs for polling, for the other side, too */
	_Alignas(64) uint32_t state; /* GOFER_CHAN_*; a client that rings makes it AWAKE */
	_Alignas(64) uint8_t req_data[GOFER_MSG_MAX];
	_Alignas(64) uint8_t rep_data[GOFER_MSG_MAX];
};

static inline uint32_t gofer_chan_load(const uint32_t *p)
{
	return __atomic_load_n(p, __ATOMIC_SEQ_CST);
}
static inline void gofer_chan_store(uint32_t *p, uint32_t v)
{
	__atomic_store_n(p, v, __ATOMIC_SEQ_CST);
}
static inline uint32_t gofer_chan_swap(uint32_t *p, uint32_t v)
{
	return __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST);
}
/* Did *p hold v? It is 0 then. */
static inline bool gofer_chan_clear(uint32_t *p, uint32_t v)
{
	return __atomic_compare_exchange_n(p, &v, 0, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}
static inline void gofer_chan_relax(void)
{
	__builtin_ia32_pause();
}

#endif
