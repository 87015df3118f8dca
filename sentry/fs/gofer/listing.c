/* Listings of directories. In exclusive mode the inode keeps its listing, which follows what
 * is made and removed in the directory; where names are matched as they are (the gofer says
 * so), it also tells which names do not exist, without a request.
 *
 * Open directories refer to the listing that they began to read, by index: a listing that
 * somebody reads is copied before it is changed. */
#include <stdlib.h>

#include "sentry/fs/gofer/gofer_impl.h"
#include "syscalls/abi/lx_stat.h"

#define SCAN_MAX 12		/* so many entries are looked through one by one */
#define COPY_MAX (512u << 10)	/* bytes; what is larger is fetched anew instead of copied */
#define HOLES 4096		/* bytes of removed names, beyond those of the others */
#define GONE UINT32_MAX		/* in hash: there was something */

void gofer_listing_put(struct gofer_listing *l)
{
	if (!refs_put(&l->refs))
		return;
	free(l->hash);
	free(l->off);
	free(l->data);
	free(l);
}

static size_t listing_size(const struct gofer_listing *l)
{
	return sizeof(*l) + l->room + l->cap * sizeof(*l->off) +
	       l->nhash * sizeof(*l->hash);
}

void gofer_listing_drop(struct gofer_inode *gi)
{
	if (!gi->listing)
		return;
	gofer_s(&gi->i)->listing_size -= listing_size(gi->listing);
	gofer_listing_put(gi->listing);
	gi->listing = NULL;
	gi->ahead.at = 0;
}

int gofer_listing_add(struct gofer_listing *l, struct gofer_str name, uint8_t type, uint64_t ino)
{
	size_t need = sizeof(struct gofer_entry) + name.len;
	struct gofer_entry *e;

	if (l->count == l->cap) {
		uint32_t cap = l->cap ? l->cap * 2 : 64;
		uint32_t *off = realloc(l->off, cap * sizeof(*off));

		if (!off)
			return -LX_ENOMEM;
		l->off = off;
		l->cap = cap;
	}
	if (l->size + need > l->room) {
		size_t room = l->room > 1024 ? l->room * 2 : 2048;
		uint8_t *data = room > GOFER_LISTING_MAX ? NULL : realloc(l->data, room);

		if (!data)
			return -LX_ENOMEM;
		l->data = data;
		l->room = room;
	}
	e = (struct gofer_entry *)(l->data + l->size);
	e->ino = ino;
	e->type = type;
	e->len = (uint8_t)name.len;
	memcpy(e->name, name.p, name.len);
	l->off[l->count++] = (uint32_t)l->size;
	l->size += need;
	return 0;
}

bool gofer_name_ok(struct gofer_str name)
{
	return name.len && name.len <= GOFER_NAME_MAX && !strchr(name.p, '/') &&
	       strcmp(name.p, ".") != 0 && strcmp(name.p, "..") != 0;
}

struct gofer_listing *gofer_listing_new(const struct gofer_inode *gi)
{
	struct gofer_listing *l = calloc(1, sizeof(*l));

	if (l) {
		refs_init(&l->refs, "gofer_listing");
		l->ino_dev = gi->key.dev;
	}
	return l;
}

/* It may be kept for long: give back what it did not need. */
void gofer_listing_trim(struct gofer_listing *l)
{
	uint8_t *data = l->size ? realloc(l->data, l->size) : NULL;
	uint32_t *off = l->count ? realloc(l->off, l->count * sizeof(*off)) : NULL;

	if (data) {
		l->data = data;
		l->room = l->size;
	}
	if (off) {
		l->off = off;
		l->cap = l->count;
	}
}

void gofer_listing_keep(struct gofer_inode *gi, struct gofer_listing *l)
{
	struct gofer_sb *g = gofer_s(&gi->i);

	if (g->listing_size + listing_size(l) > GOFER_LISTING_CACHE)
		return;
	refs_get(&l->refs);
	gi->listing = l;
	gi->plain = l->exact;
	g->listing_size += listing_size(l);
}

void gofer_listing_take(struct gofer_inode *gi, const struct gofer_listed *r)
{
	struct gofer_dec d = { r->entries.p, r->entries.p + r->entries.len, false };
	struct gofer_listing *l;
	int err = 0;

	if (gi->listing || gofer_s(&gi->i)->shared || !LX_S_ISDIR(gi->i.mode))
		return;
	l = gofer_listing_new(gi);
	if (!l)
		return;
	l->exact = r->exact;
	for (uint32_t i = 0; i < r->count && !err; i++) {
		struct gofer_dirent de;

		gofer_get_dirent(&d, &de);
		err = d.bad ? -LX_EIO
			    : gofer_name_ok(de.name)
				      ? gofer_listing_add(l, de.name, de.type, de.ino)
				      : 0;
	}
	gofer_listing_trim(l);
	if (!err)
		gofer_listing_keep(gi, l);
	gofer_listing_put(l);
}

void gofer_listing_begin(struct gofer_inode *gi)
{
	struct gofer_listing *l = gi->listing ? NULL : gofer_listing_new(gi);

	if (!l)
		return;
	l->exact = true;
	gofer_listing_keep(gi, l);
	gofer_listing_put(l);
}

/* ---- finding a name ---- */

static uint64_t seed;

static uint32_t hash_of(const char *name, uint32_t len)
{
	uint64_t h = seed;

	for (uint32_t i = 0; i < len; i++)
		h = (h ^ (uint8_t)name[i]) * 0x9e3779b97f4a7c15ull;
	h ^= h >> 32;
	h *= 0xd6e8feb86659fd93ull;
	return (uint32_t)(h >> 32);
}

static const struct gofer_entry *entry_at(const struct gofer_listing *l, uint32_t off)
{
	return (const struct gofer_entry *)(l->data + off);
}

static bool is_name(const struct gofer_entry *e, const char *name, uint32_t len)
{
	return e->len == len && memcmp(e->name, name, len) == 0;
}

/* Where data + off is noted, or may be. */
static void hash_put(struct gofer_listing *l, uint32_t off)
{
	const struct gofer_entry *e = entry_at(l, off);
	uint32_t i = hash_of(e->name, e->len) & (l->nhash - 1);

	while (l->hash[i] != 0 && l->hash[i] != GONE)
		i = (i + 1) & (l->nhash - 1);
	if (l->hash[i] == 0)
		l->nused++;
	l->hash[i] = off + 1;
}

/* A table with room for one more. false: no memory. */
static bool hash_ready(struct gofer_listing *l)
{
	uint32_t n = 64, *old = l->hash;

	if (l->hash && l->nused + 1 <= l->nhash / 4 * 3)
		return true;
	while (n / 2 <= l->count)
		n *= 2;
	if (!seed)
		krandom(&seed, sizeof(seed));
	l->hash = calloc(n, sizeof(*l->hash));
	free(old);
	l->nhash = l->hash ? n : 0;
	l->nused = 0;
	for (uint32_t i = 0; l->hash && i < l->count; i++)
		hash_put(l, l->off[i]);
	return l->hash != NULL;
}

/* The slot of name, or NULL. */
static uint32_t *hash_find(const struct gofer_listing *l, const char *name, uint32_t len)
{
	for (uint32_t i = hash_of(name, len) & (l->nhash - 1); l->hash[i];
	     i = (i + 1) & (l->nhash - 1))
		if (l->hash[i] != GONE && is_name(entry_at(l, l->hash[i] - 1), name, len))
			return &l->hash[i];
	return NULL;
}

/* Where entry name begins in l->data; -1: there is none; -LX_ENOMEM. */
static int64_t find(struct gofer_listing *l, const char *name, uint32_t len)
{
	const uint32_t *slot;

	if (l->count > SCAN_MAX || l->hash) {
		if (!hash_ready(l))
			return -LX_ENOMEM;
		slot = hash_find(l, name, len);
		return slot ? (int64_t)*slot - 1 : -1;
	}
	for (uint32_t i = 0; i < l->count; i++)
		if (is_name(entry_at(l, l->off[i]), name, len))
			return l->off[i];
	return -1;
}

bool gofer_listing_misses(struct gofer_inode *gi, const char *name)
{
	struct gofer_listing *l = gi->listing;
	size_t before, len = strlen(name);
	int64_t at;

	if (!l || !l->exact || len == 0 || len > GOFER_NAME_MAX)
		return false;
	before = listing_size(l);
	at = find(l, name, (uint32_t)len);
	gofer_s(&gi->i)->listing_size += listing_size(l) - before;
	return at == -1;
}

/* The place of data + at in l->off, which is ascending. */
static uint32_t index_of(const struct gofer_listing *l, uint32_t at)
{
	uint32_t lo = 0, hi = l->count;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (l->off[mid] < at)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

int64_t gofer_listing_find(struct gofer_inode *gi, const char *name, uint8_t *type)
{
	struct gofer_listing *l = gi->listing;
	size_t before = listing_size(l);
	int64_t at = find(l, name, (uint32_t)strlen(name));

	gofer_s(&gi->i)->listing_size += listing_size(l) - before;
	if (at < 0)
		return -1;
	*type = entry_at(l, (uint32_t)at)->type;
	return index_of(l, (uint32_t)at);
}

/* ---- changing it ---- */

static struct gofer_listing *copy_of(const struct gofer_inode *gi, const struct gofer_listing *l)
{
	struct gofer_listing *n = gofer_listing_new(gi);
	int err = n ? 0 : -LX_ENOMEM;

	for (uint32_t i = 0; i < l->count && !err; i++) {
		const struct gofer_entry *e = entry_at(l, l->off[i]);
		struct gofer_str name = { e->name, e->len };

		err = gofer_listing_add(n, name, e->type, e->ino);
	}
	if (err && n) {
		gofer_listing_put(n);
		n = NULL;
	}
	if (n)
		n->exact = l->exact;
	return n;
}

/* The inode's listing, to be changed by this one name; NULL: there is none any more. */
static struct gofer_listing *to_change(struct gofer_inode *gi)
{
	struct gofer_listing *l = gi->listing, *n;

	if (l && l->exact && refs_count(&l->refs) == 1 && l->holes <= l->size / 2 + HOLES)
		return l;
	n = l && l->exact && l->size <= COPY_MAX ? copy_of(gi, l) : NULL;
	gofer_listing_drop(gi);
	if (!n)
		return NULL;
	gofer_listing_keep(gi, n);
	gofer_listing_put(n);
	return gi->listing;
}

/* The listing has another size than before, or could not be changed. */
static void changed(struct gofer_inode *gi, size_t before, bool ok)
{
	struct gofer_sb *g = gofer_s(&gi->i);

	g->listing_size += listing_size(gi->listing) - before;
	if (!ok || g->listing_size > GOFER_LISTING_CACHE)
		gofer_listing_drop(gi);
}

void gofer_listing_made(struct gofer_inode *gi, const char *name, uint32_t mode, uint64_t ino)
{
	struct gofer_listing *l = to_change(gi);
	struct gofer_str s = gofer_str(name);
	size_t before = l ? listing_size(l) : 0;
	bool ok;

	if (!l)
		return;
	ok = find(l, name, s.len) == -1 && (!l->hash || hash_ready(l)) &&
	     gofer_listing_add(l, s, (uint8_t)((mode & LX_S_IFMT) >> 12), ino) == 0;
	if (ok && l->hash)
		hash_put(l, l->off[l->count - 1]);
	changed(gi, before, ok);
}

void gofer_listing_removed(struct gofer_inode *gi, const char *name)
{
	struct gofer_listing *l = to_change(gi);
	uint32_t len = (uint32_t)strlen(name), i;
	size_t before = l ? listing_size(l) : 0;
	int64_t at;

	if (!l)
		return;
	at = find(l, name, len);
	if (at >= 0) {
		if (l->hash)
			*hash_find(l, name, len) = GONE;
		i = index_of(l, (uint32_t)at);
		memmove(l->off + i, l->off + i + 1, (l->count - i - 1) * sizeof(*l->off));
		l->count--;
		l->holes += sizeof(struct gofer_entry) + len;
		if (gi->ahead.at > i)
			gi->ahead.at--;
	}
	changed(gi, before, at >= 0);
}
