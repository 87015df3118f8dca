/* Listing: the layers' directories are read whole, the upper first, into one list without
 * doubles; an open directory keeps its list until it is rewound. */
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "sentry/fs/overlayfs/ofs_impl.h"

struct ent {
	UT_hash_handle hh;	/* by name; the list is in order of arrival */
	uint64_t ino;
	uint8_t dtype;
	bool hidden;		/* a whiteout */
	unsigned len;
	char name[];
};

struct merge {
	struct dir_ctx c;
	struct ent *ents;
	struct file *f;		/* the layer's directory */
	struct ofs_sb *os;
	const struct ofs_part *part;
	bool upper;
	unsigned seen;
	int err;
};

static void merge_free(struct ent *ents)
{
	struct ent *e, *next;

	HASH_ITER(hh, ents, e, next) {
		HASH_DEL(ents, e);
		free(e);
	}
}

static bool is_dots(const char *name, unsigned len)
{
	return name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.'));
}

static bool emit_merge(struct dir_ctx *c, const char *name, unsigned len, uint64_t ino,
		       unsigned dtype, int64_t next_pos)
{
	struct merge *m = container_of(c, struct merge, c);
	struct ent *e;

	m->seen++;
	m->f->pos = next_pos;
	if (is_dots(name, len))
		return true;
	HASH_FIND(hh, m->ents, name, len, e);
	if (e) {
		/* A merged directory has the number of its lowest part. */
		if (e->dtype == dtype && dtype == LX_S_IFDIR >> 12)
			e->ino = ino ^ (uint64_t)m->part->fs << 56;
		return true;
	}
	e = calloc(1, sizeof(*e) + len + 1);
	if (!e) {
		m->err = -LX_ENOMEM;
		return false;
	}
	memcpy(e->name, name, len);
	e->len = len;
	e->ino = m->upper ? ofs_upper_ino(m->os, ino) : ino ^ (uint64_t)m->part->fs << 56;
	e->dtype = (uint8_t)dtype;
	HASH_ADD_KEYPTR(hh, m->ents, e->name, len, e);
	return true;
}

/* Character devices (and what a file system does not say the type of) may be whiteouts. */
static int find_whiteouts(struct merge *m)
{
	for (struct ent *e = m->ents; e; e = e->hh.next) {
		struct dentry *d;

		if (e->hidden || (e->dtype != LX_S_IFCHR >> 12 && e->dtype != 0))
			continue;
		if (layer_lookup(m->part->dentry, e->name, &d))
			continue; /* of another layer, or gone */
		e->hidden = ofs_is_whiteout(d->inode);
		e->dtype = (uint8_t)(d->inode->mode >> 12 & 15);
		dentry_put(d);
	}
	return 0;
}

static int merge_layer(struct merge *m, const struct ofs_part *part)
{
	struct path p = ofs_path(part);
	int err = layer_open(&p, FMODE_READ, LX_O_RDONLY | LX_O_DIRECTORY, &m->f);

	if (err)
		return err;
	m->part = part;
	do {
		m->seen = 0;
		err = m->f->ops->readdir ? m->f->ops->readdir(m->f, &m->c) : 0;
		if (!err)
			err = m->err;
	} while (!err && m->seen);
	file_put(m->f);
	return err ? err : find_whiteouts(m);
}

/* All names of dir; upper_only: of its upper part. *out is the caller's, also on failure. */
static int merge_all(struct inode *dir, bool upper_only, struct ent **out)
{
	struct ofs_inode *o = ofs_i(dir);
	struct merge m = { .c.emit = emit_merge, .os = ofs_s(dir->sb), .upper = true };
	int err = o->upper.dentry ? merge_layer(&m, &o->upper) : 0;

	m.upper = false;
	for (unsigned i = 0; !err && !upper_only && i < o->nlower; i++)
		err = merge_layer(&m, &o->lower[i]);
	*out = m.ents;
	return err;
}

int ofs_check_empty(struct inode *dir)
{
	struct ent *ents;
	int err = merge_all(dir, false, &ents);

	for (struct ent *e = ents; e && !err; e = e->hh.next)
		if (!e->hidden)
			err = -LX_ENOTEMPTY;
	merge_free(ents);
	return err;
}

int ofs_clear_whiteouts(struct inode *dir)
{
	struct dentry *up = ofs_i(dir)->upper.dentry, *d;
	struct ent *ents;
	int err = up ? merge_all(dir, true, &ents) : 0;

	if (!up)
		return 0;
	for (struct ent *e = ents; e && !err; e = e->hh.next) {
		err = e->hidden ? layer_lookup(up, e->name, &d) : -LX_ENOTEMPTY;
		if (!err) {
			err = layer_remove(d);
			dentry_put(d);
		}
	}
	merge_free(ents);
	return err;
}

/* ---- the open directory ---- */

struct listing {
	struct ent *ents, *at;
	int64_t pos;		/* at's */
};

static void drop_listing(struct file *f)
{
	struct listing *l = f->priv;

	if (!l)
		return;
	merge_free(l->ents);
	free(l);
	f->priv = NULL;
}

static int make_listing(struct file *f)
{
	struct listing *l = calloc(1, sizeof(*l));
	int err;

	if (!l)
		return -LX_ENOMEM;
	f->priv = l;
	err = merge_all(f->inode, false, &l->ents);
	if (err)
		drop_listing(f);
	else
		l->at = l->ents;
	l->pos = 2;
	return err;
}

static int ofs_readdir(struct file *f, struct dir_ctx *c)
{
	struct listing *l;
	int err;

	if (!dir_emit_dots(f, c))
		return 0;
	if (!f->priv) {
		err = make_listing(f);
		if (err)
			return err;
	}
	l = f->priv;
	if (l->pos > f->pos) {
		l->at = l->ents;
		l->pos = 2;
	}
	for (; l->at; l->at = l->at->hh.next, l->pos++) {
		if (l->pos < f->pos || l->at->hidden)
			continue;
		if (!c->emit(c, l->at->name, l->at->len, l->at->ino, l->at->dtype, l->pos + 1))
			break;
	}
	return 0;
}

static int64_t ofs_dir_seek(struct file *f, int64_t off, int whence)
{
	if (whence == LX_SEEK_CUR)
		off += f->pos;
	else if (whence != LX_SEEK_SET)
		return -LX_EINVAL;
	if (off < 0)
		return -LX_EINVAL;
	if (off == 0)
		drop_listing(f);
	return off;
}

static const struct file_ops ofs_dir_ops = {
	.name = "overlayfs-dir",
	.readdir = ofs_readdir,
	.seek = ofs_dir_seek,
	.release = drop_listing,
};

int ofs_open_dir(struct inode *i, const struct path *path, uint32_t fmode, uint32_t flags,
		 struct file **out)
{
	*out = file_new(i->sb->k, &ofs_dir_ops, path, fmode, flags);
	return *out ? 0 : -LX_ENFILE;
}
