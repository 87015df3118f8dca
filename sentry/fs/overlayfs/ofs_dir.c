/* Names in the overlay: every change is made in the upper layer; a lower name that is to be
 * gone is hidden by a whiteout, a character device 0:0. */
#include <stdlib.h>
#include <string.h>

#include "sentry/fs/overlayfs/ofs_impl.h"

static struct path upper_path(struct inode *dir)
{
	return ofs_path(&ofs_i(dir)->upper);
}

/* ---- whiteouts ---- */

/* dir/name becomes a whiteout. gone: the upper entry that is there now, or NULL; it is
 * removed. The whiteout is made first, so that running out of space changes nothing. */
static int whiteout(struct inode *dir, const char *name, struct dentry *gone)
{
	struct ofs_sb *os = ofs_s(dir->sb);
	struct path work = { os->work, os->workdir };
	struct layer_new n = { .mode = LX_S_IFCHR };
	struct dentry *w;
	char tmp[32];
	int err;

	ofs_tmp_name(os, tmp);
	err = layer_make(&work, tmp, &n, &w);
	if (err)
		return err;
	if (gone)
		err = layer_remove(gone);
	if (!err)
		err = layer_rename(w, ofs_i(dir)->upper.dentry, name, NULL, 0);
	if (err)
		(void)layer_remove(w);
	dentry_put(w);
	return err;
}

/* Make room for a new name: 1: a whiteout was there and went; 0: nothing; -errno. */
static int clear_name(struct inode *dir, const char *name)
{
	struct dentry *d;
	int err = ofs_copy_up(dir, UINT64_MAX);

	if (!err)
		err = layer_lookup(ofs_i(dir)->upper.dentry, name, &d);
	if (err)
		return err == -LX_ENOENT ? 0 : err;
	err = ofs_is_whiteout(d->inode) ? layer_remove(d) : -LX_EEXIST;
	dentry_put(d);
	return err ? err : 1;
}

static void dir_changed(struct inode *dir)
{
	ofs_sync(ofs_i(dir));
}

/* ---- making ---- */

/* d (taken over) is the new upper entry dir/name. */
static int entered(struct inode *dir, const char *name, struct dentry *d, struct inode **out)
{
	struct ofs_parts p = { .upper = { .dentry = d, .mnt = ofs_s(dir->sb)->upper } };

	dir_changed(dir);
	return ofs_inode_get(dir->sb, &p, dir, name, out);
}

static int make(struct inode *dir, const char *name, const struct layer_new *n,
		struct inode **out)
{
	struct path at;
	struct dentry *d;
	int was = clear_name(dir, name), err;

	if (was < 0)
		return was;
	at = upper_path(dir);
	err = layer_make(&at, name, n, &d);
	/* A new directory does not show what lies below. */
	if (!err && was && LX_S_ISDIR(n->mode)) {
		err = ofs_set_opaque(ofs_s(dir->sb), d->inode);
		if (err) {
			(void)layer_remove(d);
			dentry_put(d);
		}
	}
	if (err) {
		if (was)
			(void)whiteout(dir, name, NULL);
		return err;
	}
	return entered(dir, name, d, out);
}

int ofs_create(struct inode *dir, const char *name, uint32_t mode, uint32_t uid, uint32_t gid,
	       struct inode **out)
{
	return make(dir, name, &(struct layer_new){ .mode = mode, .uid = uid, .gid = gid }, out);
}

int ofs_mknod(struct inode *dir, const char *name, uint32_t mode, uint32_t rdev, uint32_t uid,
	      uint32_t gid, struct inode **out)
{
	/* Nobody makes whiteouts through the overlay itself. */
	if (LX_S_ISCHR(mode) && rdev == 0)
		return -LX_EPERM;
	return make(dir, name,
		    &(struct layer_new){ .mode = mode, .rdev = rdev, .uid = uid, .gid = gid }, out);
}

int ofs_symlink(struct inode *dir, const char *name, const char *target, uint32_t uid,
		uint32_t gid, struct inode **out)
{
	return make(dir, name,
		    &(struct layer_new){ .mode = LX_S_IFLNK | 0777, .uid = uid, .gid = gid,
					 .target = target },
		    out);
}

int ofs_tmpfile(struct inode *dir, uint32_t mode, uint32_t uid, uint32_t gid,
		struct inode **out)
{
	struct ofs_parts p = { .upper.mnt = ofs_s(dir->sb)->upper };
	struct inode *up, *i;
	int err = ofs_copy_up(dir, UINT64_MAX);

	if (err)
		return err;
	up = ofs_i(dir)->upper.dentry->inode;
	err = up->ops->tmpfile ? up->ops->tmpfile(up, mode, uid, gid, &i) : -LX_EOPNOTSUPP;
	if (err)
		return err;
	p.upper.dentry = dentry_new_detached(i, "#tmp");
	inode_put(i);
	return p.upper.dentry ? ofs_inode_get(dir->sb, &p, NULL, NULL, out) : -LX_ENOMEM;
}

int ofs_link(struct inode *dir, const char *name, struct inode *target)
{
	struct ofs_inode *o = ofs_i(target);
	struct path at;
	struct dentry *d;
	int was, err = ofs_copy_up(target, UINT64_MAX);

	if (err)
		return err;
	was = clear_name(dir, name);
	if (was < 0)
		return was;
	at = upper_path(dir);
	err = layer_link(&at, name, o->upper.dentry->inode, &d);
	if (err) {
		if (was)
			(void)whiteout(dir, name, NULL);
		return err;
	}
	/* The entry it was known by may go before this one. */
	dentry_put(o->upper.dentry);
	o->upper.dentry = d;
	target->nlink++;
	dir_changed(dir);
	ofs_sync(o);
	return 0;
}

/* ---- removing ---- */

static void lost_name(struct inode *i)
{
	struct ofs_inode *o = ofs_i(i);

	if (LX_S_ISDIR(i->mode) || i->nlink <= 1)
		i->nlink = 0;
	else
		i->nlink--;
	if (i->nlink == 0 && o->upper.dentry)
		ofs_origin_drop(ofs_s(i->sb), o->upper.dentry->inode->ino);
}

static int remove_name(struct inode *dir, const char *name, struct inode *victim)
{
	struct dentry *d = NULL;
	int err = ofs_copy_up(dir, UINT64_MAX), below;

	if (err)
		return err;
	below = ofs_lower_has(dir, name);
	if (below < 0)
		return below;
	err = layer_lookup(ofs_i(dir)->upper.dentry, name, &d);
	if (err == -LX_ENOENT && below)
		err = 0;
	if (!err && d && LX_S_ISDIR(d->inode->mode))
		err = ofs_clear_whiteouts(victim);
	if (!err)
		err = below ? whiteout(dir, name, d) : layer_remove(d);
	if (d)
		dentry_put(d);
	if (err)
		return err;
	lost_name(victim);
	dir_changed(dir);
	return 0;
}

int ofs_unlink(struct inode *dir, const char *name, struct inode *victim)
{
	return remove_name(dir, name, victim);
}

int ofs_rmdir(struct inode *dir, const char *name, struct inode *victim)
{
	int err = ofs_check_empty(victim);

	return err ? err : remove_name(dir, name, victim);
}

/* ---- rename ---- */

/* A directory that lower layers have a part in stays where it is. */
static bool is_pinned(struct inode *i)
{
	return LX_S_ISDIR(i->mode) && ofs_i(i)->nlower;
}

static int rename_begin(struct inode *odir, struct inode *src, struct inode *ndir,
			struct inode *dst, bool exchange)
{
	int err;

	if (is_pinned(src) || (exchange && is_pinned(dst)))
		return -LX_EXDEV;
	if (dst && !exchange && LX_S_ISDIR(dst->mode)) {
		err = ofs_check_empty(dst);
		if (err)
			return err;
	}
	err = ofs_copy_up(src, UINT64_MAX);
	if (!err && exchange)
		err = ofs_copy_up(dst, UINT64_MAX);
	if (!err)
		err = ofs_copy_up(odir, UINT64_MAX);
	if (!err)
		err = ofs_copy_up(ndir, UINT64_MAX);
	return err;
}

/* A directory arrives where lower layers have the name too: they are not to show in it. */
static int cover(struct inode *ndir, const char *nname, struct inode *i)
{
	int below = LX_S_ISDIR(i->mode) ? ofs_lower_has(ndir, nname) : 0;

	if (below <= 0)
		return below;
	return ofs_set_opaque(ofs_s(i->sb), ofs_i(i)->upper.dentry->inode);
}

/* The upper object's place for copying up what is below it. */
static void moved(struct inode *i, struct inode *ndir, const char *nname)
{
	struct ofs_inode *o = ofs_i(i);
	char *copy = strdup(nname);

	/* Without memory the old name stays: it is only read for lower objects. */
	if (copy) {
		free(o->name);
		o->name = copy;
	}
	inode_get(ndir);
	if (o->parent)
		inode_put(o->parent);
	o->parent = ndir;
}

static int rename_exchange(struct inode *odir, struct inode *src, struct inode *ndir,
			   const char *oname, const char *nname, struct inode *dst,
			   struct dentry *od, struct dentry *nd)
{
	int err = cover(ndir, nname, src);

	if (!err)
		err = cover(odir, oname, dst);
	if (!err)
		err = layer_rename(od, ofs_i(ndir)->upper.dentry, nname, nd, LX_RENAME_EXCHANGE);
	if (!err) {
		moved(src, ndir, nname);
		moved(dst, odir, oname);
	}
	return err;
}

static int rename_over(struct inode *odir, const char *oname, struct inode *src,
		       struct inode *ndir, const char *nname, struct inode *dst,
		       struct dentry *od, struct dentry *nd)
{
	int below = ofs_lower_has(odir, oname), err;

	if (below < 0)
		return below;
	err = cover(ndir, nname, src);
	if (!err && nd && dst && LX_S_ISDIR(dst->mode))
		err = ofs_clear_whiteouts(dst);
	/* A whiteout is no victim that a directory could replace. */
	if (!err && nd && !dst) {
		err = layer_remove(nd);
		nd = NULL;
	}
	if (!err)
		err = layer_rename(od, ofs_i(ndir)->upper.dentry, nname, nd, 0);
	if (err)
		return err;
	if (dst)
		lost_name(dst);
	moved(src, ndir, nname);
	return below ? whiteout(odir, oname, NULL) : 0;
}

int ofs_rename(struct inode *odir, const char *oname, struct inode *src, struct inode *ndir,
	       const char *nname, struct inode *dst, uint32_t flags)
{
	bool exchange = flags & LX_RENAME_EXCHANGE;
	struct dentry *od = NULL, *nd = NULL;
	int err;

	if (flags & LX_RENAME_WHITEOUT)
		return -LX_EINVAL;
	err = rename_begin(odir, src, ndir, dst, exchange);
	if (!err)
		err = layer_lookup(ofs_i(odir)->upper.dentry, oname, &od);
	if (!err) {
		err = layer_lookup(ofs_i(ndir)->upper.dentry, nname, &nd);
		if (err == -LX_ENOENT && !exchange)
			err = 0;
	}
	if (!err)
		err = exchange ? rename_exchange(odir, src, ndir, oname, nname, dst, od, nd)
			       : rename_over(odir, oname, src, ndir, nname, dst, od, nd);
	if (od)
		dentry_put(od);
	if (nd)
		dentry_put(nd);
	if (err)
		return err;
	dir_changed(odir);
	dir_changed(ndir);
	ofs_sync(ofs_i(src));
	return 0;
}
