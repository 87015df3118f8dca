/* Search tables for objects that come without .eh_frame_hdr, as static programs do: made
 * from the .eh_frame section, in the form that libunwind looks for in memory. */
#include <stdlib.h>
#include <string.h>

#include "oci-shim/debug/eh_frame.h"

#define SECTION_MAX (32u << 20)
#define AUGMENTATION_MAX 16u

struct cursor {
	const uint8_t *p, *end;
	uint64_t addr;		/* of p, in the guest */
	bool bad;
};

static uint64_t take(struct cursor *c, size_t n)
{
	uint64_t v = 0;

	if ((size_t)(c->end - c->p) < n) {
		c->bad = true;
		return 0;
	}
	memcpy(&v, c->p, n);
	c->p += n;
	c->addr += n;
	return v;
}

static uint64_t take_leb(struct cursor *c)
{
	uint64_t v = 0;
	unsigned shift = 0;
	uint8_t b;

	do {
		b = (uint8_t)take(c, 1);
		if (shift < 64)
			v |= (uint64_t)(b & 0x7f) << shift;
		shift += 7;
	} while ((b & 0x80) && !c->bad);
	return v;
}

static uint64_t take_encoded(struct cursor *c, uint8_t enc)
{
	uint64_t here = c->addr, v;

	switch (enc & 0x0f) {
	case 0x00: case 0x04: case 0x0c:
		v = take(c, 8);
		break;
	case 0x03:
		v = take(c, 4);
		break;
	case 0x0b:
		v = (uint64_t)(int64_t)(int32_t)(uint32_t)take(c, 4);
		break;
	case 0x02:
		v = take(c, 2);
		break;
	case 0x0a:
		v = (uint64_t)(int64_t)(int16_t)(uint16_t)take(c, 2);
		break;
	default:
		c->bad = true;
		return 0;
	}
	return (enc & 0x70) == 0x10 ? v + here : v;
}

/* How the FDEs of a CIE write addresses: the 'R' of its augmentation. */
static uint8_t cie_encoding(struct cursor c)
{
	char aug[AUGMENTATION_MAX] = "";
	uint8_t version = (uint8_t)take(&c, 1);
	size_t n = 0;

	while (n + 1 < sizeof(aug) && !c.bad && (aug[n] = (char)take(&c, 1)) != '\0')
		n++;
	if (c.bad || aug[0] != 'z')
		return 0;
	take_leb(&c); /* code and data alignment, return register, augmentation length */
	take_leb(&c);
	if (version == 1)
		take(&c, 1);
	else
		take_leb(&c);
	take_leb(&c);
	for (size_t i = 1; aug[i] && !c.bad; i++) {
		if (aug[i] == 'R')
			return (uint8_t)take(&c, 1);
		if (aug[i] == 'L')
			take(&c, 1);
		else if (aug[i] == 'P')
			take_encoded(&c, (uint8_t)take(&c, 1));
	}
	return 0;
}

static int by_start(const void *a, const void *b)
{
	const struct eh_entry *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* One record; the entry it gives, or none. */
static bool entry_of(const uint8_t *section, size_t size, size_t off, uint64_t addr, uint64_t base,
		     struct eh_entry *out)
{
	struct cursor c = { section + off + 4, section + size, addr + off + 4, false }, cie;
	uint32_t back = (uint32_t)take(&c, 4);
	int64_t start;

	if (back == 0 || back > off + 4 || c.bad)
		return false; /* a CIE, or nonsense */
	cie = (struct cursor){ section + off + 4 - back + 8, section + size,
			       addr + off + 4 - back + 8, false };
	if (cie.p > cie.end)
		return false;
	start = (int64_t)(take_encoded(&c, cie_encoding(cie)) - base);
	if (c.bad || start < INT32_MIN || start > INT32_MAX)
		return false;
	out->start = (int32_t)start;
	out->fde = (int32_t)(int64_t)(addr + off - base);
	return true;
}

struct eh_entry *eh_frame_index(const uint8_t *section, size_t size, uint64_t addr, uint64_t base,
				size_t *count)
{
	struct eh_entry *out;
	size_t off = 0, n = 0, room = size / 16 + 1;

	*count = 0;
	if (size > SECTION_MAX || addr - base > INT32_MAX - size)
		return NULL;
	out = malloc(room * sizeof(*out));
	while (out && off + 8 <= size && n < room) {
		uint32_t len;

		memcpy(&len, section + off, sizeof(len));
		if (len == 0 || len >= 0xfffffff0 || len > size - off - 4)
			break;
		n += entry_of(section, size, off, addr, base, &out[n]);
		off += 4 + (size_t)len;
	}
	if (out)
		qsort(out, n, sizeof(*out), by_start);
	*count = n;
	return out;
}
