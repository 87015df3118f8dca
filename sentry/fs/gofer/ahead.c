/* Lookups ahead, where the tree is ours alone. Programs that walk a tree list a directory and
 * then look at its entries one by one (find at the directories only): the second miss in a
 * directory brings a few more entries along, each further one twice as many. The order in
 * which they are asked for does not matter; what nobody asks for costs a gofer's open and
 * stat, and goes when the cache is full. To whoever looks at directories only, they come with
 * what lies in them, and in one that came along the first miss is enough. */
#include "sentry/fs/gofer/gofer_impl.h"
#include "syscalls/abi/lx_dirent.h"
#include "syscalls/abi/lx_stat.h"

#define LIST_AFTER 4		/* misses in a directory that nobody has listed … */
#define LIST_SIZE (256u << 10)	/* … and that is no larger than this */
#define LOOKUPS_MAX 48		/* names that come along */
#define WALKED_BATCH 24
#define FIRST_BELOW 32		/* entries from below them: so far it is a guess … */
#define WALKED_BELOW 128	/* … and here somebody walks */
#define NEAR 64			/* entries from where the last batch ended */
#define LOOK_AT 1024		/* entries passed over for one batch … */
#define LOOK_UP 128		/* … and looked up in the cache */

static unsigned batch_size(const struct gofer_inode *gi)
{
	unsigned n = gi->ahead.misses < 2 ? 0 : 2u << (gi->ahead.misses < 6 ? gi->ahead.misses : 6);

	if (gi->ahead.walked && n < WALKED_BATCH)
		n = WALKED_BATCH;
	return n < LOOKUPS_MAX ? n : LOOKUPS_MAX;
}

/* Which entries come along with `name`: their names into e, pointers to them into also. */
static unsigned choose(struct gofer_inode *gi, const char *name, const struct lookup_more *m,
		       struct gofer_enc *e, const struct gofer_entry **also)
{
	const struct gofer_listing *l = gi->listing;
	unsigned want = batch_size(gi), looked = 0, looked_up = 0, n = 0;

	while (looked++ < LOOK_AT && looked_up < LOOK_UP && n < want && gi->ahead.at < l->count) {
		const struct gofer_entry *de = (const void *)(l->data + l->off[gi->ahead.at]);
		char text[GOFER_NAME_MAX + 1];

		gi->ahead.at++;
		if (!gi->ahead.others && de->type != LX_DT_DIR && de->type != LX_DT_UNKNOWN)
			continue;
		looked_up++;
		memcpy(text, de->name, de->len);
		text[de->len] = 0;
		if (!strcmp(text, name) || m->cached(m, m->parent, de->name, de->len))
			continue;
		gofer_put_name(e, &(struct gofer_name){ { text, de->len } });
		also[n++] = de;
	}
	if (gi->ahead.at == l->count) {
		/* From the beginning, slowly: much of it is in the cache now. */
		gi->ahead.at = 0;
		gi->ahead.misses = 0;
	}
	return n;
}

/* The entries that a reply has made: [0, n), NULL where there is none; and of those of
 * directories our inode, which the entry holds. */
struct made {
	struct dentry *d[GOFER_WALK_MAX + GOFER_BELOW_MAX];
	struct inode *dir[GOFER_WALK_MAX + GOFER_BELOW_MAX];
	unsigned n;
	bool all;	/* not only directories come from below */
};

/* An inode into the cache, as the next entry, or not. */
static void enter(struct made *made, const struct lookup_more *m, struct dentry *parent,
		  const char *name, unsigned len, struct inode *i)
{
	unsigned n = made->n++;
	bool is_dir = LX_S_ISDIR(i->mode);

	made->d[n] = m->enter(m, parent, name, len, i);
	made->dir[n] = is_dir && made->d[n] ? i : NULL;
}

static void enter_none(struct made *made)
{
	made->d[made->n] = NULL;
	made->dir[made->n++] = NULL;
}

static void take_listed(const struct made *made, uint32_t index, const struct gofer_listed *l)
{
	struct inode *i = made->dir[index];

	if (!i)
		return;
	gofer_i(i)->ahead.walked = true;
	gofer_i(i)->ahead.others |= made->all;
	gofer_listing_take(gofer_i(i), l);
}

static void take_below(struct gofer_sb *g, struct made *made, const struct gofer_below *b,
		       const struct lookup_more *m)
{
	struct inode *i, *dir = b->parent < made->n ? made->dir[b->parent] : NULL;
	struct dentry *at = dir ? made->d[b->parent] : NULL;

	if (dir && b->node && gofer_name_ok(b->name) && !m->cached(m, at, b->name.p, b->name.len)) {
		if (gofer_inode_get(g, b->node, &b->attr, &i) == 0) {
			gofer_i(i)->dir = gofer_i(dir)->key;
			enter(made, m, at, b->name.p, b->name.len, i);
		} else {
			enter_none(made);
		}
		return;
	}
	gofer_forget(g->c, b->node, 0);
	enter_none(made);
}

/* What comes behind the walked records: what lies in the directories found. */
static void take_ahead(struct gofer_sb *g, struct gofer_dec *d, struct made *made,
		       const struct lookup_more *m)
{
	while (d->p < d->end && !d->bad) {
		struct gofer_listed l;
		struct gofer_below b;
		uint32_t index;

		gofer_get_u32(d, &index);
		if (d->bad || index > made->n)
			return;
		if (index < made->n) {
			gofer_get_listed(d, &l);
			if (!d->bad)
				take_listed(made, index, &l);
			continue;
		}
		gofer_get_below(d, &b);
		if (d->bad || made->n == sizeof(made->d) / sizeof(made->d[0]))
			return;
		take_below(g, made, &b, m);
	}
}

/* The reply's records into the cache: the first is *out's as well, the others are also[]'s. */
static int take_found(struct gofer_inode *dir, const struct gofer_lookups_rep *p,
		      struct inode **out, struct lookup_more *m, const char *name, bool all,
		      const struct gofer_entry *const *also, unsigned nalso)
{
	struct gofer_sb *g = gofer_s(&dir->i);
	struct gofer_dec d = { p->entries.p, p->entries.p + p->entries.len, false };
	struct made made = { .n = 0, .all = all };
	int err = p->err;

	*out = NULL;
	if (p->count == 0 || p->count > nalso + 1 || err > 0 || err < -4095)
		return -LX_EIO;
	for (unsigned i = 0; i < p->count; i++) {
		struct gofer_str as = i ? (struct gofer_str){ also[i - 1]->name, also[i - 1]->len }
					: gofer_str(name);
		struct gofer_walked w;
		struct inode *found;

		gofer_get_walked(&d, &w);
		if (d.bad || (i == 0 && !err == !w.node)) {
			err = -LX_EIO;
			break;
		}
		/* A listing may name something twice, if it changed while it was read. */
		if (i && w.node && m->cached(m, m->parent, as.p, as.len)) {
			gofer_forget(g->c, w.node, 0);
			w.node = 0;
		}
		if (w.node && gofer_inode_get(g, w.node, &w.attr, &found)) {
			err = i ? err : -LX_ENOMEM;
			w.node = 0;
		}
		if (!w.node) {
			enter_none(&made);
			continue;
		}
		if (i == 0) {
			*out = found;
			inode_get(found);
		}
		gofer_i(found)->dir = dir->key;
		enter(&made, m, m->parent, as.p, as.len, found);
	}
	if (err != -LX_EIO)
		take_ahead(g, &d, &made, m);
	else if (*out)
		inode_put(*out);
	if (!err)
		m->first = made.d[0];
	for (unsigned i = !err; i < made.n; i++)
		if (made.d[i])
			dentry_put(made.d[i]);
	return err;
}

static int lookup_many(struct inode *dir, const char *name, struct inode **out,
		       struct lookup_more *m)
{
	uint8_t buf[(LOOKUPS_MAX + 1) * (GOFER_NAME_MAX + 8)];
	const struct gofer_entry *also[LOOKUPS_MAX];
	struct gofer_enc e = { buf, buf + sizeof(buf), false };
	struct gofer_inode *gi = gofer_i(dir);
	struct gofer_lookups_req q = {
		.dir = gi->node,
		.list = !gi->ahead.others || gi->ahead.walked || gi->ahead.descends,
		.below = gi->ahead.walked || gi->ahead.descends ? WALKED_BELOW : FIRST_BELOW,
		.below_all = gi->ahead.others || gi->ahead.others_below,
	};
	struct gofer_lookups_rep p;
	unsigned n;
	int err;

	gofer_put_name(&e, &(struct gofer_name){ gofer_str(name) });
	n = choose(gi, name, m, &e, also);
	if (!n && !q.list)
		return gofer_lookup(dir, name, out);
	q.count = n + 1;
	q.names = (struct gofer_bytes){ buf, (uint32_t)(e.p - buf) };
	err = gofer_call_lookups(gofer_c(dir), &q, &p, NULL);
	if (err)
		return err;
	err = take_found(gi, &p, out, m, name, q.below_all, also, n);
	if (err != -LX_EMFILE && err != -LX_ENFILE)
		return err == -LX_EAGAIN ? -LX_EBUSY : err;
	gofer_relieve(gofer_c(dir));
	return gofer_lookup(dir, name, out);
}

/* Before a miss of name in a directory with a listing. Is it worth bringing others along? */
static bool prepare(struct gofer_inode *gi, const char *name)
{
	uint32_t from = gi->ahead.at;
	uint8_t type = LX_DT_UNKNOWN;
	int64_t at = gofer_listing_find(gi, name, &type);

	if (at < 0)
		return batch_size(gi) > 0;
	if (!gi->ahead.others && type != LX_DT_DIR && type != LX_DT_UNKNOWN) {
		gi->ahead.others = true;
		gi->ahead.at = 0;
	}
	if (gi->listing->count <= dcache_limit() / 2)
		return batch_size(gi) > 0;
	/* Not all of them can be kept: only for those who go by the listing's order. */
	gi->ahead.at = (uint32_t)at + 1 < gi->listing->count ? (uint32_t)at + 1 : 0;
	return (uint64_t)at + NEAR >= from && (uint64_t)at <= (uint64_t)from + NEAR &&
	       batch_size(gi) > 0;
}

int gofer_lookup_ahead(struct inode *dir, const char *name, struct inode **out,
		       struct lookup_more *m)
{
	struct gofer_inode *up = m->up && gofer_owns(m->up) ? gofer_i(m->up) : NULL;
	struct gofer_inode *gi = gofer_i(dir);
	int err;

	if (gofer_listing_misses(gi, name))
		return -LX_ENOENT;
	if (gi->ahead.misses < UINT16_MAX)
		gi->ahead.misses++;
	/* Whoever looks into one directory of its parent may do so with the others. */
	if (up) {
		up->ahead.descends = true;
		gi->ahead.others_below |= up->ahead.others_below;
	}
	if (!gi->listing && gi->ahead.misses == LIST_AFTER && dir->size <= LIST_SIZE)
		gofer_listing_want(gi);
	err = gi->listing && prepare(gi, name) ? lookup_many(dir, name, out, m)
					    : gofer_lookup(dir, name, out);
	if (!err && !gi->ahead.others && !LX_S_ISDIR((*out)->mode)) {
		gi->ahead.others = true;
		gi->ahead.at = 0;
	}
	if (up && up->ahead.read)
		up->ahead.others_below |= gi->ahead.others || gi->ahead.others_below;
	return err;
}
