/* Directory entries in memory: two trees over the same nodes. */
#include <stdlib.h>
#include <string.h>

#include "sentry/fs/tmpfs/dirtab.h"

static int cmp_name(const struct dirnode *a, const struct dirnode *b)
{
	if (a->hash != b->hash)
		return a->hash < b->hash ? -1 : 1;
	if (a->len != b->len)
		return a->len < b->len ? -1 : 1;
	return memcmp(a->name, b->name, a->len);
}

static int cmp_seq(const struct dirnode *a, const struct dirnode *b)
{
	return a->seq < b->seq ? -1 : a->seq > b->seq;
}

RB_GENERATE_INTERNAL(dirnames, dirnode, by_name, cmp_name, static __attribute__((unused)))
RB_GENERATE_INTERNAL(dirseqs, dirnode, by_seq, cmp_seq, static __attribute__((unused)))

static uint32_t hash_of(const char *name, size_t len)
{
	uint32_t h = 0x811c9dc5u;

	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char)name[i]) * 0x01000193u;
	return h;
}

void dirtab_init(struct dirtab *d)
{
	RB_INIT(&d->names);
	RB_INIT(&d->seqs);
	d->next_seq = 0;
	d->count = 0;
}

struct dirnode *dirtab_find(struct dirtab *d, const char *name)
{
	return dirtab_find_n(d, name, (unsigned)strlen(name));
}

struct dirnode *dirtab_find_n(struct dirtab *d, const char *name, unsigned len)
{
	uint32_t hash = hash_of(name, len);
	struct dirnode *n = RB_ROOT(&d->names);

	/* Written out: the key needs no node of its own this way. */
	while (n) {
		int c;

		if (hash != n->hash)
			c = hash < n->hash ? -1 : 1;
		else if (len != n->len)
			c = len < n->len ? -1 : 1;
		else
			c = memcmp(name, n->name, len);
		if (c == 0)
			return n;
		n = c < 0 ? RB_LEFT(n, by_name) : RB_RIGHT(n, by_name);
	}
	return NULL;
}

struct dirnode *dirtab_add(struct dirtab *d, const char *name, struct inode *inode)
{
	size_t len = strlen(name);
	struct dirnode *n = calloc(1, sizeof(*n) + len + 1);

	if (!n)
		return NULL;
	memcpy(n->name, name, len);
	n->len = (uint16_t)len;
	n->hash = hash_of(name, len);
	n->seq = d->next_seq++;
	n->inode = inode;
	list_init(&n->alias);
	RB_INSERT(dirnames, &d->names, n);
	RB_INSERT(dirseqs, &d->seqs, n);
	d->count++;
	return n;
}

void dirtab_del(struct dirtab *d, struct dirnode *n)
{
	RB_REMOVE(dirnames, &d->names, n);
	RB_REMOVE(dirseqs, &d->seqs, n);
	d->count--;
	free(n);
}

struct dirnode *dirtab_from(struct dirtab *d, uint64_t seq)
{
	struct dirnode key = { .seq = seq };

	return RB_NFIND(dirseqs, &d->seqs, &key);
}

struct dirnode *dirtab_first(struct dirtab *d)
{
	return RB_MIN(dirseqs, &d->seqs);
}
