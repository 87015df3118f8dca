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
#define WALKED_BATCH 24
#define LOOK_AT 1024		/* entries passed over for one batch … */
#define LOOK_UP 128		/* … and looked up in the cache */

static unsigned batch_size(const struct gofer_inode *gi)
{
	unsigned n = gi->ahead.misses < 2 ? 0 : 2u << (gi->ahead.misses < 6 ? gi->ahead.misses : 6);

	if (gi->ahead.walked && !gi->ahead.others && n < WALKED_BATCH)
		n = WALKED_BATCH;
	return n < LOOKUP_MORE_MAX ? n : LOOKUP_MORE_MAX;
}

/* Which entries come along with `name`: into m, without inodes; their names into e. */
static void choose(struct gofer_inode *gi, const char *name, struct lookup_more *m,
		   struct gofer_enc *e)
{
	const struct gofer_listing *l = gi->listing;
	unsigned want = batch_size(gi), looked = 0, looked_up = 0;

	while (looked++ < LOOK_AT && looked_up < LOOK_UP && m->n < want &&
	       gi->ahead.at < l->count) {
		const struct gofer_entry *de = (const void *)(l->data + l->off[gi->ahead.at]);
		char text[GOFER_NAME_MAX + 1];

		gi->ahead.at++;
		if (!gi->ahead.others && de->type != LX_DT_DIR && de->type != LX_DT_UNKNOWN)
			continue;
		looked_up++;
		memcpy(text, de->name, de->len);
		text[de->len] = 0;
		if (!strcmp(text, name) || m->cached(m->parent, de->name, de->len))
			continue;
		gofer_put_name(e, &(struct gofer_name){ { text, de->len } });
		m->e[m->n].name = de->name;
		m->e[m->n++].len = de->len;
	}
	if (gi->ahead.at == l->count) {
		/* From the beginning, slowly: much of it is in the cache now. */
		gi->ahead.at = 0;
		gi->ahead.misses = 0;
	}
}

/* What directories hold, behind the walked records; of[i]: the inode of record i, or NULL. */
static void take_listings(struct gofer_dec *d, struct inode *const *of, unsigned n)
{
	while (d->p < d->end && !d->bad) {
		struct gofer_listed l;

		gofer_get_listed(d, &l);
		if (d->bad || l.index >= n)
			return;
		if (of[l.index]) {
			gofer_i(of[l.index])->ahead.walked = true;
			gofer_listing_take(gofer_i(of[l.index]), &l);
		}
	}
}

/* The reply's records: the first is *out's, the others m's. Entries that were not found are
 * left out of m. */
static int take_found(struct gofer_sb *g, const struct gofer_lookups_rep *p, struct inode **out,
		struct lookup_more *m)
{
	struct gofer_dec d = { p->entries.p, p->entries.p + p->entries.len, false };
	struct gofer_walked w[LOOKUP_MORE_MAX + 1];
	struct inode *of[LOOKUP_MORE_MAX + 1] = { NULL };
	unsigned asked = m->n;
	int err = p->err;

	m->n = 0;
	if (p->count == 0 || p->count > asked + 1 || err > 0 || err < -4095)
		return -LX_EIO;
	for (unsigned i = 0; i < p->count; i++)
		gofer_get_walked(&d, &w[i]);
	if (d.bad || (!err && !w[0].node))
		return -LX_EIO;
	if (!err) {
		err = gofer_inode_get(g, w[0].node, &w[0].attr, out);
		of[0] = err ? NULL : *out;
	}
	for (unsigned i = 1; i < p->count; i++) {
		if (!w[i].node || gofer_inode_get(g, w[i].node, &w[i].attr, &m->e[m->n].inode))
			continue;
		of[i] = m->e[m->n].inode;
		m->e[m->n].name = m->e[i - 1].name;
		m->e[m->n++].len = m->e[i - 1].len;
	}
	take_listings(&d, of, p->count);
	return err;
}

static int lookup_many(struct inode *dir, const char *name, struct inode **out,
		       struct lookup_more *m)
{
	uint8_t buf[(LOOKUP_MORE_MAX + 1) * (GOFER_NAME_MAX + 8)];
	struct gofer_enc e = { buf, buf + sizeof(buf), false };
	struct gofer_inode *gi = gofer_i(dir);
	struct gofer_lookups_req q = { .dir = gi->node, .list = !gi->ahead.others };
	struct gofer_lookups_rep p;
	int err;

	gofer_put_name(&e, &(struct gofer_name){ gofer_str(name) });
	choose(gi, name, m, &e);
	if (!m->n)
		return gofer_lookup(dir, name, out);
	q.count = m->n + 1;
	q.names = (struct gofer_bytes){ buf, (uint32_t)(e.p - buf) };
	err = gofer_call_lookups(gofer_c(dir), &q, &p, NULL);
	if (err) {
		m->n = 0;
		return err;
	}
	err = take_found(gofer_s(dir), &p, out, m);
	if (err != -LX_EMFILE && err != -LX_ENFILE)
		return err == -LX_EAGAIN ? -LX_EBUSY : err;
	gofer_relieve(gofer_c(dir));
	return gofer_lookup(dir, name, out);
}

int gofer_lookup_ahead(struct inode *dir, const char *name, struct inode **out,
		       struct lookup_more *m)
{
	struct gofer_inode *gi = gofer_i(dir);
	int err;

	if (gi->ahead.misses < UINT16_MAX)
		gi->ahead.misses++;
	if (!gi->listing && gi->ahead.misses == LIST_AFTER && dir->size <= LIST_SIZE)
		gofer_listing_want(gi);
	err = gi->listing && batch_size(gi) ? lookup_many(dir, name, out, m)
					    : gofer_lookup(dir, name, out);
	if (!err && !gi->ahead.others && !LX_S_ISDIR((*out)->mode)) {
		gi->ahead.others = true;
		gi->ahead.at = 0;
	}
	return err;
}
