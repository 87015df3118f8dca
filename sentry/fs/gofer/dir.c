/* Open directories. The whole listing is fetched at the first read, so that positions are
 * plain indices and stay good while entries come and go; in exclusive mode the inode keeps
 * it for the next reader until something in the directory changes. */
#include <stdlib.h>

#include "sentry/fs/gofer/gofer_impl.h"
#include "syscalls/abi/lx_dirent.h"
#include "syscalls/abi/lx_fcntl.h"
#include "syscalls/abi/lx_stat.h"

static void listing_put(struct gofer_listing *l)
{
	if (!refs_put(&l->refs))
		return;
	free(l->off);
	free(l->data);
	free(l);
}

static size_t listing_size(const struct gofer_listing *l)
{
	return sizeof(*l) + l->room + l->cap * sizeof(*l->off);
}

void gofer_listing_drop(struct gofer_inode *gi)
{
	if (!gi->listing)
		return;
	gofer_s(&gi->i)->listing_size -= listing_size(gi->listing);
	listing_put(gi->listing);
	gi->listing = NULL;
	gi->ahead.at = 0;
}

static int listing_add(struct gofer_listing *l, const struct gofer_dirent *de)
{
	size_t need = sizeof(struct gofer_entry) + de->name.len;
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
		size_t room = l->room ? l->room * 2 : 2048;
		uint8_t *data = room > GOFER_LISTING_MAX ? NULL : realloc(l->data, room);

		if (!data)
			return -LX_ENOMEM;
		l->data = data;
		l->room = room;
	}
	e = (struct gofer_entry *)(l->data + l->size);
	e->ino = de->ino;
	e->type = de->type;
	e->len = (uint8_t)de->name.len;
	memcpy(e->name, de->name.p, de->name.len);
	l->off[l->count++] = (uint32_t)l->size;
	l->size += need;
	return 0;
}

bool gofer_name_ok(struct gofer_str name)
{
	return name.len && name.len <= GOFER_NAME_MAX && !strchr(name.p, '/') &&
	       strcmp(name.p, ".") != 0 && strcmp(name.p, "..") != 0;
}

/* One batch into l. 1: there is more. */
static int fetch_batch(struct gofer_inode *gi, struct gofer_listing *l, uint64_t *cookie)
{
	struct gofer_readdir_req q = { .node = gi->node, .cookie = *cookie };
	struct gofer_readdir_rep p;
	struct gofer_dec d;
	int err = gofer_call_readdir(gofer_c(&gi->i), &q, &p, NULL);

	if (err)
		return err;
	d = (struct gofer_dec){ p.entries.p, p.entries.p + p.entries.len, false };
	for (uint32_t i = 0; i < p.count; i++) {
		struct gofer_dirent de;

		gofer_get_dirent(&d, &de);
		if (d.bad)
			return -LX_EIO;
		err = gofer_name_ok(de.name) ? listing_add(l, &de) : 0;
		if (err)
			return err;
	}
	if (!p.eof && p.count == 0 && p.cookie == *cookie)
		return -LX_EIO; /* would never end */
	*cookie = p.cookie;
	return !p.eof;
}

static struct gofer_listing *listing_new(const struct gofer_inode *gi)
{
	struct gofer_listing *l = calloc(1, sizeof(*l));

	if (l) {
		refs_init(&l->refs, "gofer_listing");
		l->ino_dev = gi->key.dev;
	}
	return l;
}

/* It may be kept for long: give back what it did not need. */
static void listing_trim(struct gofer_listing *l)
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

static int listing_fetch(struct gofer_inode *gi, struct gofer_listing **out)
{
	struct gofer_listing *l = listing_new(gi);
	uint64_t cookie = 0;
	int r;

	if (!l)
		return -LX_ENOMEM;
	do
		r = fetch_batch(gi, l, &cookie);
	while (r > 0);
	if (r < 0) {
		listing_put(l);
		return r;
	}
	listing_trim(l);
	*out = l;
	return 0;
}

/* The directory's listing as it is now; one reference. */
static int listing_get(struct gofer_inode *gi, struct gofer_listing **out)
{
	struct gofer_sb *g = gofer_s(&gi->i);
	int err;

	if (gi->listing) {
		refs_get(&gi->listing->refs);
		*out = gi->listing;
		return 0;
	}
	err = listing_fetch(gi, out);
	if (err || g->shared ||
	    g->listing_size + listing_size(*out) > GOFER_LISTING_CACHE)
		return err;
	gi->listing = *out;
	refs_get(&gi->listing->refs);
	g->listing_size += listing_size(*out);
	return 0;
}

void gofer_listing_take(struct gofer_inode *gi, const struct gofer_listed *r)
{
	struct gofer_dec d = { r->entries.p, r->entries.p + r->entries.len, false };
	struct gofer_sb *g = gofer_s(&gi->i);
	struct gofer_listing *l;
	int err = 0;

	if (gi->listing || g->shared || !LX_S_ISDIR(gi->i.mode))
		return;
	l = listing_new(gi);
	if (!l)
		return;
	for (uint32_t i = 0; i < r->count && !err; i++) {
		struct gofer_dirent de;

		gofer_get_dirent(&d, &de);
		err = d.bad ? -LX_EIO : gofer_name_ok(de.name) ? listing_add(l, &de) : 0;
	}
	listing_trim(l);
	if (err || g->listing_size + listing_size(l) > GOFER_LISTING_CACHE) {
		listing_put(l);
		return;
	}
	gi->listing = l;
	g->listing_size += listing_size(l);
}

void gofer_listing_want(struct gofer_inode *gi)
{
	struct gofer_listing *l;

	if (listing_get(gi, &l) == 0)
		listing_put(l);
}

static int gofer_readdir(struct file *f, struct dir_ctx *c)
{
	struct gofer_inode *gi = gofer_i(f->inode);
	struct gofer_sb *g = gofer_s(f->inode);
	struct gofer_listing *l = f->priv;
	int err;

	if (f->pos == 0 && l) {
		/* Rewound: as of now. */
		listing_put(l);
		f->priv = l = NULL;
	}
	if (!l) {
		err = listing_get(gi, &l);
		if (err)
			return err;
		f->priv = l;
	}
	if (!dir_emit_dots(f, c))
		return 0;
	for (uint64_t n = (uint64_t)f->pos - 2; n < l->count; n++) {
		const struct gofer_entry *e = (const void *)(l->data + l->off[n]);

		if (!c->emit(c, e->name, e->len, gofer_ino(g, l->ino_dev, e->ino), e->type,
			     (int64_t)n + 3))
			break;
	}
	return 0;
}

static void gofer_dir_release(struct file *f)
{
	if (f->priv)
		listing_put(f->priv);
}

static int64_t gofer_dir_seek(struct file *f, int64_t off, int whence)
{
	int64_t to = whence == LX_SEEK_CUR ? f->pos + off : off;

	if (whence != LX_SEEK_SET && whence != LX_SEEK_CUR)
		return -LX_EINVAL;
	return to < 0 ? -LX_EINVAL : to;
}

static int gofer_dir_fsync(struct file *f, bool data_only)
{
	struct gofer_fsync_req q = { gofer_i(f->inode)->node,
				     data_only ? GOFER_FSYNC_DATA : 0 };
	struct gofer_fsync_rep p;

	return gofer_call_fsync(gofer_c(f->inode), &q, &p, NULL);
}

const struct file_ops gofer_dir_ops = {
	.name = "gofer-dir",
	.readdir = gofer_readdir,
	.seek = gofer_dir_seek,
	.fsync = gofer_dir_fsync,
	.release = gofer_dir_release,
};
