/* Call sites that are rewritten to jump to the stub: what they look like, what takes their
 * place. Per architecture; platform/unotify/patch_host.c decides which and when. */
#ifndef PLATFORM_ARCH_SITES_H
#define PLATFORM_ARCH_SITES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct stub_site;

#define SITE_JUMP_BYTES 7 /* the jump, at the site's beginning */
#define SITE_TAIL_BYTES 6U

/* A site ends at `after`, with the call, or (tail) with the comparison of its result that
 * follows the call. */
struct fast_site {
	uint64_t after;
	uint64_t via;	/* the address of what the jump goes through */
	uint8_t lead[5]; /* the instruction that is done before the call */
	bool tail;
};

/* Bytes of the site. */
unsigned site_size(const struct fast_site *s);

/* Is the call nr that returned to ret a site? code: of [base, base + len), around it. Not
 * if any branch there leads into its middle. */
bool site_recognize(const uint8_t *code, size_t len, uint64_t base, uint64_t ret, uint32_t nr,
		    struct fast_site *out);

/* Write the table's entry for a site, at this address in the guest. */
void site_fill(struct stub_site *s, uint64_t at, const struct fast_site *how);

/* The site's bytes as they were, the first SITE_JUMP_BYTES of them, first byte lowest; and
 * which of them begin an instruction, but the first: bit 0 for byte 0. The jump's bytes there
 * are no instruction, or nothing that harms before there is none. */
uint64_t site_bytes(const struct fast_site *s);
unsigned site_starts(const struct fast_site *s);

/* The jump through s->via, first byte lowest; and whether these are its bytes. */
uint64_t site_jump(const struct fast_site *s);
bool site_is_jump(const struct fast_site *s, const uint8_t *bytes);

/* Where a program stands that came into the middle of a rewritten site, by a way that was
 * not seen or by a signal frame from before, and ran into what is no instruction there. */
enum site_place {
	SITE_ELSEWHERE,
	SITE_CALL,  /* it was to make the call, its number is in rax */
	SITE_AFTER, /* it was to go on after the call */
};
enum site_place site_place(const struct fast_site *s, uint64_t rip);

/* The flags after a tail's comparison of this result. */
uint64_t site_flags(uint64_t rax, uint64_t eflags);

#endif
