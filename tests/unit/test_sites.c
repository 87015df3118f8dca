/* Call sites that are rewritten: which are recognized, what is written, who stands where. */
#include <criterion/criterion.h>
#include <stddef.h>
#include <string.h>

#include "platform/arch/sites.h"
#include "platform/unotify/stub.h"

#define BASE 0x7f0000001000UL

static uint8_t code[4096];

static uint64_t put(size_t at, const char *bytes, size_t len)
{
	memcpy(code + at, bytes, len);
	return BASE + at;
}

static void blank(void)
{
	memset(code, 0x90, sizeof(code));
}

#define MOV "\xb8\x06\x01\0\0\x0f\x05"
#define ANY "\x4c\x8b\x4c\x24\x08\x0f\x05"
#define XOR "\x31\xc0\x0f\x05\x48\x3d\0\xf0\xff\xff"

Test(sites, known_forms)
{
	struct fast_site s;
	uint64_t at;

	blank();
	at = put(100, MOV, 7);
	cr_assert(site_recognize(code, sizeof(code), BASE, at + 7, 0x106, &s));
	cr_assert(!s.tail && s.after == at + 7 && !memcmp(s.lead, MOV, 5) && site_size(&s) == 7);
	/* Not with the number of another call. */
	cr_assert(!site_recognize(code, sizeof(code), BASE, at + 7, 0x107, &s));
	/* Of any number: it is in a register. */
	at = put(150, ANY, 7);
	cr_assert(site_recognize(code, sizeof(code), BASE, at + 7, 0x106, &s));
	cr_assert(!s.tail && !memcmp(s.lead, ANY, 5));
	code[150 + 4]++;
	cr_assert(!site_recognize(code, sizeof(code), BASE, at + 7, 0x106, &s));
	at = put(200, XOR, 10);
	cr_assert(site_recognize(code, sizeof(code), BASE, at + 4, 0, &s));
	cr_assert(s.tail && s.after == at + 10 && site_size(&s) == 10);
	cr_assert(!site_recognize(code, sizeof(code), BASE, at + 4, 1, &s));
	/* The comparison is another one. */
	code[200 + 7] = 0xe0;
	cr_assert(!site_recognize(code, sizeof(code), BASE, at + 4, 0, &s));
}

/* At the borders of what could be read. */
Test(sites, borders)
{
	struct fast_site s;

	for (size_t at = 0; at < 12; at++) {
		blank();
		put(at, MOV, 7);
		for (size_t len = 0; len < 32; len++)
			cr_assert_eq(site_recognize(code, len, BASE, BASE + at + 7, 0x106, &s),
				     len >= at + 7 + SITE_TAIL_BYTES);
		blank();
		put(at, XOR, 10);
		for (size_t len = 0; len < 32; len++)
			cr_assert_eq(site_recognize(code, len, BASE, BASE + at + 4, 0, &s),
				     len >= at + 10);
	}
	blank();
	cr_assert(!site_recognize(code, sizeof(code), BASE, BASE - 1, 0, &s));
	cr_assert(!site_recognize(code, sizeof(code), BASE, BASE + sizeof(code) + 1, 0, &s));
	for (size_t at = 0; at <= sizeof(code); at++)
		cr_assert(!site_recognize(code, sizeof(code), BASE, BASE + at, 0, &s));
}

/* A branch to the call in the middle keeps a site as it is; one to its beginning or its end
 * does not, nor what cannot be one because no instruction is there. */
Test(sites, branches)
{
	for (int to = -3; to <= 12; to++) {
		for (int kind = 0; kind < 4; kind++) {
			struct fast_site s;
			int32_t rel = to + 100 - 60;
			bool inside = to == 5;

			blank();
			put(100, MOV, 7);
			switch (kind) {
			case 0:
				code[60] = 0x75;
				code[61] = (uint8_t)(rel - 2);
				break;
			case 1:
				code[60] = 0xeb;
				code[61] = (uint8_t)(rel - 2);
				break;
			case 2:
				code[60] = 0xe9;
				rel -= 5;
				memcpy(code + 61, &rel, 4);
				break;
			default:
				code[60] = 0x0f;
				code[61] = 0x84;
				rel -= 6;
				memcpy(code + 62, &rel, 4);
			}
			cr_assert_eq(site_recognize(code, sizeof(code), BASE, BASE + 107, 0x106, &s),
				     !inside, "kind %d to %d", kind, to);
		}
	}
}

Test(sites, branches_to_the_comparison)
{
	for (int to = 0; to <= 10; to++) {
		struct fast_site s;

		blank();
		put(100, XOR, 10);
		code[60] = 0xeb;
		code[61] = (uint8_t)(to + 40 - 2);
		cr_assert_eq(site_recognize(code, sizeof(code), BASE, BASE + 104, 0, &s),
			     to != 2 && to != 4, "to %d", to);
	}
}

/* Where the processor finds no instruction in a rewritten site, and what that means. */
Test(sites, places)
{
	struct fast_site mov = { .after = 1007, .via = 0x60788 };
	struct fast_site tail = { .after = 1010, .via = 0x60610, .tail = true };
	uint64_t jump = site_jump(&mov);
	const uint8_t *b = (const uint8_t *)&jump;

	cr_assert(b[0] == 0xff && b[1] == 0x24 && b[2] == 0x25 && b[3] == 0x88 && b[4] == 0x07);
	cr_assert(b[5] == 0x06 && b[6] == 0);
	cr_assert(site_is_jump(&mov, b) && !site_is_jump(&tail, b));
	jump = site_jump(&tail);
	cr_assert(b[4] == 0x06);
	cr_assert_eq(site_place(&mov, 1005), SITE_CALL);
	cr_assert_eq(site_place(&tail, 1004), SITE_AFTER);
	cr_assert_eq(site_place(&tail, 1007), SITE_CALL);
	cr_assert_eq(site_place(&mov, 1000), SITE_ELSEWHERE);
	cr_assert_eq(site_place(&tail, 1000), SITE_ELSEWHERE);
}

/* Every address that a jump can go through has the byte that makes the middle trap. */
Test(sites, table)
{
	for (size_t i = 0; i < STUB_SITES; i++) {
		uint64_t via = STUB_SITES_ADDR + offsetof(struct stub_sites, site) +
			       i * sizeof(struct stub_site);

		cr_assert_eq(via >> 16, 0x06);
	}
	for (size_t i = 0; i < STUB_XOR_SITES; i++)
		cr_assert_eq((STUB_SITES_ADDR + offsetof(struct stub_sites, xor_entry) + 8 * i) >> 8,
			     0x0606);
	cr_assert_leq(sizeof(struct stub_sites), STUB_SITES_SIZE);
}

Test(sites, flags)
{
	static const uint64_t v[] = { 0, 1, 2, 0x7fffffffffffffff, 0x8000000000000000,
				      (uint64_t)-4097L, (uint64_t)-4096L, (uint64_t)-4095L,
				      (uint64_t)-1L, 4096, 0xf, 0x10, 77 };

	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		uint64_t real;

		__asm__ volatile("sub $128, %%rsp\n\tcmp $-4096, %1\n\tpushf\n\tpop %0\n\t"
				 "lea 128(%%rsp), %%rsp"
				 : "=r"(real) : "r"(v[i]) : "cc", "memory");
		cr_assert_eq(site_flags(v[i], 0) & 0x8d5, real & 0x8d5, "%#lx", (unsigned long)v[i]);
		cr_assert_eq(site_flags(v[i], ~0UL) & ~0x8d5UL, ~0x8d5UL);
	}
}
