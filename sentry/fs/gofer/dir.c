/* Open directories. The whole listing is fetched at the first read, so that positions are
 * plain indices and stay good while entries come and go; in exclusive mode the inode keeps
 * it for the next reader until something in the directory changes. */
#include <stdlib.h>

#include "sentry/fs/gofer/gofer_impl.h"
#include "syscalls/abi/lx_dirent.h"
#include "syscalls/abi/lx_fcntl.h"
#include "syscalls/abi/lx_stat.h"

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
		err = gofer_name_ok(de.name) ? gofer_listing_add(l, de.name, de.type, de.ino) : 0;
		if (err)
			return err;
	}
	if (!p.eof && p.count == 0 && p.cookie == *cookie)
		return -LX_EIO; /* would never end */
	*cookie = p.cookie;
	l->exact = p.exact;
	return !p.eof;
}

static int listing_fetch(struct gofer_inode *gi, struct gofer_listing **out)
{
	struct gofer_listing *l = gofer_listing_new(gi);
	uint64_t cookie = 0;
	int r;

	if (!l)
		return -LX_ENOMEM;
	do
		r = fetch_batch(gi, l, &cookie);
	while (r > 0);
	if (r < 0) {
		gofer_listing_put(l);
		return r;
	}
	gofer_listing_trim(l);
	*out = l;
	return 0;
}

/* The directory's listing as it is now; one reference. */
static int listing_get(struct gofer_inode *gi, struct gofer_listing **out)
{
	int err;

	if (gi->listing) {
		refs_get(&gi->listing->refs);
		*out = gi->listing;
		return 0;
	}
	err = listing_fetch(gi, out);
	if (!err && !gofer_s(&gi->i)->shared)
		gofer_listing_keep(gi, *out);
	return err;
}

void gofer_listing_want(struct gofer_inode *gi)
{
	struct gofer_listing *l;

	if (listing_get(gi, &l) == 0)
		gofer_listing_put(l);
}

static int gofer_readdir(struct file *f, struct dir_ctx *c)
{
	struct gofer_inode *gi = gofer_i(f->inode);
	struct gofer_sb *g = gofer_s(f->inode);
	struct gofer_listing *l = f->priv;
	int err;

	if (f->pos == 0 && l) {
		/* Rewound: as of now. */
		gofer_listing_put(l);
		f->priv = l = NULL;
	}
	if (!l) {
		err = listing_get(gi, &l);
		if (err)
			return err;
		f->priv = l;
	}
	/* What will be looked at now need not be what was before. */
	if (f->pos == 0) {
		gi->ahead.read = true;
		gi->ahead.others = gi->ahead.others_below = false;
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
		gofer_listing_put(f->priv);
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
