/* Call sites of x86-64.
 *
 *   b8 nr nr nr nr  0f 05                   mov $nr,%eax; syscall
 *   4c 8b 4c 24 08  0f 05                   mov 8(%rsp),%r9; syscall (in syscall(3))
 *   31 c0  0f 05  48 3d 00 f0 ff ff         xor %eax,%eax; syscall; cmp $-4096,%rax
 *
 * The first 7 bytes become ff 24 25 a0 a1 a2 a3, jmp *address. With a2 = 06 the call
 * instruction hidden in the first two begins with 06, which is no instruction; with a1 = 06
 * the third one's comparison does. Who comes to the third one's call instruction gets 25 a0 a1 a2
 * a3, and $…,%eax (which is 0: the number of read), and then f0 ff, which is none. */
#include "platform/arch/sites.h"

#include <string.h>

#include "platform/unotify/stub.h"

#define LEAD_BYTES 5U
#define MOV_BYTES 7U
#define XOR_BYTES 10U

unsigned site_size(const struct fast_site *s)
{
	return s->tail ? XOR_BYTES : MOV_BYTES;
}

/* Does any branch near by go to an instruction in the middle, the call or the comparison?
 * Bytes that only look like such a branch count, too: then the site is left alone. */
static bool entered_within(const uint8_t *code, size_t len, uint64_t base, const struct fast_site *s)
{
	const uint64_t call = s->after - (s->tail ? 2 + SITE_TAIL_BYTES : 2);
	const uint64_t compare = s->tail ? s->after - SITE_TAIL_BYTES : call;

	for (size_t i = 0; i + 6 <= len; i++) {
		uint64_t to[2] = { 0, 0 };
		int32_t rel;

		if (code[i] == 0xeb || (code[i] >= 0x70 && code[i] < 0x80) ||
		    (code[i] >= 0xe0 && code[i] < 0xe4))
			to[0] = base + i + 2 + (uint64_t)(int64_t)(int8_t)code[i + 1];
		if (code[i] == 0xe8 || code[i] == 0xe9) {
			memcpy(&rel, code + i + 1, 4);
			to[1] = base + i + 5 + (uint64_t)(int64_t)rel;
		} else if (code[i] == 0x0f && code[i + 1] >= 0x80 && code[i + 1] < 0x90) {
			memcpy(&rel, code + i + 2, 4);
			to[1] = base + i + 6 + (uint64_t)(int64_t)rel;
		}
		for (unsigned k = 0; k < 2; k++)
			if (to[k] == call || to[k] == compare)
				return true;
	}
	return false;
}

bool site_recognize(const uint8_t *code, size_t len, uint64_t base, uint64_t ret, uint32_t nr,
		    struct fast_site *out)
{
	size_t at = ret - base;
	uint8_t mov[LEAD_BYTES] = { 0xb8, (uint8_t)nr, (uint8_t)(nr >> 8), (uint8_t)(nr >> 16),
				    (uint8_t)(nr >> 24) };

	*out = (struct fast_site){ .after = ret };
	memcpy(out->lead, mov, sizeof(mov));
	if (ret < base || at < 4 || at > len || len - at < SITE_TAIL_BYTES)
		return false;
	if (at >= MOV_BYTES && !memcmp(code + at - MOV_BYTES, "\x4c\x8b\x4c\x24\x08", LEAD_BYTES))
		memcpy(out->lead, code + at - MOV_BYTES, LEAD_BYTES);
	if (at < MOV_BYTES || memcmp(code + at - MOV_BYTES, out->lead, LEAD_BYTES) ||
	    memcmp(code + at - 2, "\x0f\x05", 2)) {
		if (nr != 0 || memcmp(code + at - 4, "\x31\xc0\x0f\x05\x48\x3d\0\xf0\xff\xff", 10))
			return false;
		out->tail = true;
		out->after = ret + SITE_TAIL_BYTES;
	}
	return !entered_within(code, len, base, out);
}

uint64_t site_bytes(const struct fast_site *s)
{
	static const uint8_t xor_read[] = { 0x31, 0xc0, 0x0f, 0x05, 0x48, 0x3d, 0x00 };
	uint64_t bytes = 0;

	if (s->tail)
		memcpy(&bytes, xor_read, sizeof(xor_read));
	else
		memcpy(&bytes, s->lead, LEAD_BYTES);
	return s->tail ? bytes : bytes | 0x050fUL << (8 * LEAD_BYTES);
}

unsigned site_starts(const struct fast_site *s)
{
	return s->tail ? 1U << 2 | 1U << 4 : 1U << LEAD_BYTES;
}

static void put32(uint8_t *p, uint64_t v)
{
	uint32_t low = (uint32_t)v;

	memcpy(p, &low, 4);
}

void site_fill(struct stub_site *s, uint64_t at, const struct fast_site *how)
{
	s->entry = at + offsetof(struct stub_site, code);
	memset(s->code, 0xcc, sizeof(s->code));
	memcpy(s->code, how->lead, LEAD_BYTES);
	memcpy(s->code + 5, "\x48\x8d\x0d", 3); /* lea slow(%rip),%rcx */
	put32(s->code + 8, sizeof(s->code) - 12);
	memcpy(s->code + 12, "\xff\x25", 2); /* jmp *stub_fast(%rip) */
	put32(s->code + 14,
	      STUB_SITES_ADDR + offsetof(struct stub_sites, stub_fast) - (s->entry + 18));
	memcpy(s->slow, "\x0f\x05\xff\x25\0\0\0\0", 8); /* syscall; jmp *ret(%rip) */
	s->ret = how->tail ? at + offsetof(struct stub_site, tail) : how->after;
	/* cmp $-4096,%rax; jmp *after(%rip) */
	memcpy(s->tail, "\x48\x3d\0\xf0\xff\xff\xff\x25\x04\0\0\0\xcc\xcc\xcc\xcc", 16);
	s->after = how->after;
}

uint64_t site_jump(const struct fast_site *s)
{
	return 0x2524ff | s->via << 24;
}

bool site_is_jump(const struct fast_site *s, const uint8_t *bytes)
{
	uint64_t jump = site_jump(s);

	return !memcmp(bytes, &jump, SITE_JUMP_BYTES);
}

enum site_place site_place(const struct fast_site *s, uint64_t rip)
{
	uint64_t off = rip - (s->after - site_size(s));

	if (off == (s->tail ? 7 : 5))
		return SITE_CALL;
	return s->tail && off == 4 ? SITE_AFTER : SITE_ELSEWHERE;
}

uint64_t site_flags(uint64_t rax, uint64_t eflags)
{
	const uint64_t with = (uint64_t)-4096L, diff = rax - with;

	eflags &= ~0x8d5UL;
	eflags |= rax < with ? 1UL : 0;					/* CF */
	eflags |= __builtin_parity((unsigned)(diff & 0xff)) ? 0 : 4UL;	/* PF */
	eflags |= (rax ^ with ^ diff) & 0x10;				/* AF */
	eflags |= diff ? 0 : 0x40UL;					/* ZF */
	eflags |= diff >> 63 ? 0x80UL : 0;				/* SF */
	eflags |= ((rax ^ with) & (rax ^ diff)) >> 63 ? 0x800UL : 0;	/* OF */
	return eflags;
}
