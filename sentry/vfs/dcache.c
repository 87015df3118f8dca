/* The directory-entry cache: one hash table over (parent, name) for all mounts.
 *
 * The table holds one reference on each entry in it. An entry that only the table
 * refers to is unused and sits on the LRU list; when there are too many, the
 * oldest go. An entry refers to its parent, so parents of cached entries stay.
 * Everything is guarded by the kernel lock. */
#include <malloc.h>
#include <stdlib.h>

#include "platform/base/bug.h"
#include "sentry/vfs/vfs_impl.h"

#define GIVE_BACK_FROM 8192 /* entries */

struct dlink {
	struct dentry *hnext, **hpprev; /* hpprev NULL: not in the table */
	struct list lru;
	struct list sibling;		/* in the parent's children, while in the table */
	struct list children;
};
_Static_assert(sizeof(struct dlink) == sizeof(((struct dentry *)0)->impl), "dentry.impl");

static struct {
	struct dentry **buckets;
	unsigned nbuckets, nhashed, nlru, limit;
	unsigned peak;	 /* of nhashed, since memory was last given back */
	struct list lru; /* oldest first */
	uint64_t seed;
	bool shrinking;
} dc = { .limit = 65536, .lru = LIST_INIT(dc.lru) };

static struct dlink *link_of(struct dentry *d)
{
	return (struct dlink *)(void *)d->impl;
}

static struct dentry *dentry_of_lru(struct list *l)
{
	struct dlink *dl = list_entry(l, struct dlink, lru);

	return container_of((void **)(void *)dl, struct dentry, impl);
}

bool dentry_is_hashed(const struct dentry *d)
{
	return ((const struct dlink *)(const void *)d->impl)->hpprev != NULL;
}

unsigned dcache_count(void)
{
	return dc.nhashed;
}

static unsigned bucket_of(const struct dentry *parent, uint32_t hash)
{
	uint64_t h = ((uint64_t)(uintptr_t)parent ^ dc.seed) + hash * 0x9e3779b97f4a7c15ull;

	h ^= h >> 32;
	h *= 0xd6e8feb86659fd93ull;
	return (unsigned)(h >> 32) & (dc.nbuckets - 1);
}

static void bucket_add(struct dentry *d)
{
	struct dlink *dl = link_of(d);
	struct dentry **head = &dc.buckets[bucket_of(d->parent, d->hash)];

	dl->hnext = *head;
	dl->hpprev = head;
	if (*head)
		link_of(*head)->hpprev = &dl->hnext;
	*head = d;
}

/* Make room for one more: false when there is no table at all and no memory for one. */
static bool table_grow(void)
{
	unsigned n = dc.nbuckets ? dc.nbuckets * 2 : 1024;
	struct dentry **old = dc.buckets, **fresh;
	unsigned nold = dc.nbuckets;

	if (dc.nhashed < dc.nbuckets)
		return true;
	fresh = calloc(n, sizeof(*fresh));
	if (!fresh)
		return old != NULL;
	if (!old)
		krandom(&dc.seed, sizeof(dc.seed));
	dc.buckets = fresh;
	dc.nbuckets = n;
	for (unsigned i = 0; i < nold; i++) {
		while (old[i]) {
			struct dentry *d = old[i];

			old[i] = link_of(d)->hnext;
			bucket_add(d);
		}
	}
	free(old);
	return true;
}

static void lru_leave(struct dentry *d)
{
	struct dlink *dl = link_of(d);

	if (!list_empty(&dl->lru)) {
		list_del_init(&dl->lru);
		dc.nlru--;
	}
}

struct dentry *dcache_find(struct dentry *parent, const char *name, unsigned len, uint32_t hash)
{
	struct dentry *d;

	if (!dc.nbuckets)
		return NULL;
	for (d = dc.buckets[bucket_of(parent, hash)]; d; d = link_of(d)->hnext) {
		if (d->hash == hash && d->parent == parent && d->name_len == len &&
		    memcmp(d->name, name, len) == 0) {
			lru_leave(d);
			refs_get(&d->refs);
			return d;
		}
	}
	return NULL;
}

bool dcache_has(const struct dentry *parent, const char *name, unsigned len, uint32_t hash)
{
	struct dentry *d = dc.nbuckets ? dc.buckets[bucket_of(parent, hash)] : NULL;

	while (d && (d->hash != hash || d->parent != parent || d->name_len != len ||
		     memcmp(d->name, name, len) != 0))
		d = link_of(d)->hnext;
	return d != NULL;
}

/* The name that was allocated with the entry (rename may give it another). */
static char *own_name(struct dentry *d)
{
	return (char *)(d + 1);
}

struct dentry *dentry_new(struct dentry *parent, const char *name, unsigned len, uint32_t hash,
			  struct inode *inode)
{
	struct dentry *d = calloc(1, sizeof(*d) + len + 1);
	struct dlink *dl;

	if (!d)
		return NULL;
	refs_init(&d->refs, "dentry");
	dl = link_of(d);
	list_init(&dl->lru);
	list_init(&dl->sibling);
	list_init(&dl->children);
	d->name = own_name(d);
	memcpy(d->name, name, len);
	d->name_len = len;
	d->hash = hash;
	d->parent = parent;
	if (parent)
		refs_get(&parent->refs);
	d->inode = inode;
	if (inode)
		inode_get(inode);
	return d;
}

struct dentry *dentry_new_root(struct inode *root)
{
	return dentry_new(NULL, "/", 1, 0, root);
}

struct dentry *dentry_new_detached(struct inode *i, const char *name)
{
	struct dentry *d = dentry_new(NULL, name, (unsigned)strlen(name), 0, i);

	if (d)
		d->unhashed = true;
	return d;
}

void dcache_insert(struct dentry *d)
{
	struct dlink *dl = link_of(d);

	BUG_ON(dl->hpprev || !d->parent);
	if (!table_grow())
		return; /* it works uncached */
	bucket_add(d);
	if (++dc.nhashed > dc.peak)
		dc.peak = dc.nhashed;
	list_push_back(&link_of(d->parent)->children, &dl->sibling);
	refs_get(&d->refs);
}

/* Take out of the table without dropping the table's reference. */
static void unhash(struct dentry *d)
{
	struct dlink *dl = link_of(d);

	*dl->hpprev = dl->hnext;
	if (dl->hnext)
		link_of(dl->hnext)->hpprev = dl->hpprev;
	dl->hpprev = NULL;
	dl->hnext = NULL;
	dc.nhashed--;
	list_del_init(&dl->sibling);
	lru_leave(d);
}

void dcache_remove(struct dentry *d)
{
	if (!dentry_is_hashed(d))
		return;
	if (list_empty(&link_of(d)->children)) {
		unhash(d);
		dentry_put(d);
		return;
	}
	/* What is cached below it can no longer be found, and no umount would look there. */
	refs_get(&d->refs);
	dcache_prune(d);
	unhash(d);
	dentry_put(d);
	dentry_put(d);
}

void dcache_delete(struct dentry *d)
{
	d->unhashed = true;
	dcache_remove(d);
}

/* After a great many entries went, the memory of them and of their inodes is the host's. */
static void give_back(void)
{
	if (dc.peak < GIVE_BACK_FROM || dc.nhashed > dc.peak / 2)
		return;
	dc.peak = dc.nhashed;
	malloc_trim(0);
}

static void shrink(unsigned limit)
{
	if (dc.shrinking)
		return;
	dc.shrinking = true;
	while (dc.nlru > limit)
		dcache_remove(dentry_of_lru(dc.lru.next));
	dc.shrinking = false;
}

void dcache_shrink(unsigned max_unused)
{
	shrink(max_unused);
	give_back();
}

void dcache_set_limit(unsigned max_unused)
{
	dc.limit = max_unused;
	dcache_shrink(max_unused);
}

unsigned dcache_limit(void)
{
	return dc.limit;
}

/* Only the table refers to d now. True: it was not worth keeping, the caller holds the
 * table's reference. */
static bool became_unused(struct dentry *d)
{
	const struct inode *i = d->inode ? d->inode : d->parent->inode;
	const struct dentry *up = d->parent;
	bool lost = up->unhashed || (up->parent && !dentry_is_hashed(up));

	if (i->sb->no_dcache || lost) {
		unhash(d);
		return true;
	}
	list_push_back(&dc.lru, &link_of(d)->lru);
	dc.nlru++;
	shrink(dc.limit);
	return false;
}

void dentry_get(struct dentry *d)
{
	refs_get(&d->refs);
}

/* Iterative: the chain of parents is as long as the guest likes. */
void dentry_put(struct dentry *d)
{
	while (d) {
		struct dentry *parent;

		if (!refs_put(&d->refs)) {
			if (refs_count(&d->refs) == 1 && dentry_is_hashed(d) && became_unused(d))
				continue;
			return;
		}
		parent = d->parent;
		if (d->inode) {
			if (d->unhashed && d->inode->nlink == 0 && fsnotify_marks)
				fsnotify_inode_gone(d->inode);
			inode_put(d->inode);
		}
		if (d->name != own_name(d))
			free(d->name);
		free(d);
		d = parent;
	}
}

bool dentry_is_below(const struct dentry *d, const struct dentry *top)
{
	for (; d; d = d->parent)
		if (d == top)
			return true;
	return false;
}

static struct dentry *child_of_link(struct list *l)
{
	struct dlink *dl = list_entry(l, struct dlink, sibling);

	return container_of((void **)(void *)dl, struct dentry, impl);
}

static struct dentry *first_leaf(struct dentry *d)
{
	while (!list_empty(&link_of(d)->children))
		d = child_of_link(link_of(d)->children.next);
	return d;
}

/* Children before their parents, without recursion. */
void dcache_prune(struct dentry *top)
{
	bool was = dc.shrinking;
	struct dentry *d = first_leaf(top);

	if (d == top)
		return;
	dc.shrinking = true; /* nobody else frees what comes next */
	lru_leave(d);
	refs_get(&d->refs);
	while (d != top) {
		struct list *sib = link_of(d)->sibling.next;
		struct dentry *next = sib == &link_of(d->parent)->children
					      ? d->parent
					      : first_leaf(child_of_link(sib));

		if (next != top) {
			lru_leave(next);
			refs_get(&next->refs);
		}
		if (refs_count(&d->refs) == 2) /* the table's and this one */
			dcache_remove(d);
		dentry_put(d);
		d = next;
	}
	dc.shrinking = was;
	shrink(dc.limit);
	give_back();
}

void dcache_forget(struct dentry *parent, const char *name)
{
	unsigned len = (unsigned)strlen(name);
	struct dentry *d = dcache_find(parent, name, len, name_hash(name, len));

	if (!d)
		return;
	dcache_remove(d);
	dentry_put(d);
}

void dcache_add_negative(struct dentry *parent, const char *name, unsigned len, uint32_t hash)
{
	const struct inode *dir = parent->inode;
	struct dentry *d;

	if (dir->sb->no_dcache || parent->unhashed ||
	    (!dir->sb->negative_ok && !dir->ops->revalidate_chain))
		return;
	d = dentry_new(parent, name, len, hash, NULL);
	if (!d)
		return;
	d->valid_at = dir->sb->k->ctxt;
	dcache_insert(d);
	dentry_put(d);
}

/* Give d another parent and name; d is not in the table. False: no memory. */
static bool rename_entry(struct dentry *d, struct dentry *parent, const char *name, unsigned len)
{
	char *copy = malloc(len + 1);
	struct dentry *old_parent = d->parent;

	if (!copy)
		return false;
	memcpy(copy, name, len);
	copy[len] = '\0';
	if (d->name != own_name(d))
		free(d->name);
	d->name = copy;
	d->name_len = len;
	d->hash = name_hash(copy, len);
	refs_get(&parent->refs);
	d->parent = parent;
	dentry_put(old_parent);
	return true;
}

void dcache_move(struct dentry *d, struct dentry *new_parent, const char *name, unsigned len)
{
	bool was = dentry_is_hashed(d);

	if (was)
		unhash(d);
	if (!rename_entry(d, new_parent, name, len)) {
		if (was)
			dentry_put(d);
		return;
	}
	if (!was)
		return;
	dcache_insert(d);
	dentry_put(d);
}

void dcache_exchange(struct dentry *a, struct dentry *b)
{
	struct dentry *ap = a->parent, *bp = b->parent;
	char aname[LX_NAME_MAX + 1], bname[LX_NAME_MAX + 1];
	unsigned alen = a->name_len, blen = b->name_len;

	memcpy(aname, a->name, alen);
	memcpy(bname, b->name, blen);
	dentry_get(ap);
	dentry_get(bp);
	dcache_move(a, bp, bname, blen);
	dcache_move(b, ap, aname, alen);
	dentry_put(ap);
	dentry_put(bp);
}
