/* Names in the overlay. A directory's table holds what differs from its lower directory
 * (strong nodes and whiteouts) and the inodes in use (weak nodes); whatever is not in
 * the table is as it is below. */
#include <stdlib.h>
#include <string.h>

#include "sentry/fs/overlay/overlay_impl.h"

static struct dirtab *tab(struct inode *dir)
{
	return &ovl_i(dir)->dir;
}

/* ---- lookup ---- */

/* Enter a lower object under its name; takes over lower's reference. */
static int wrap(struct inode *dir, const char *name, struct inode *lower, struct inode **out)
{
	struct ovl_inode *o = NULL;
	struct dirnode *n;
	int err;

	if (!LX_S_ISDIR(lower->mode) && lower->nlink > 1)
		o = ovl_links_find(ovl_s(dir->sb), lower);
	if (o) {
		inode_put(lower);
		inode_get(&o->vfs);
		*out = &o->vfs;
	} else {
		err = ovl_from_lower(dir->sb, lower, out);
		if (err)
			return err;
		o = ovl_i(*out);
	}
	n = dirtab_add(tab(dir), name, *out);
	if (!n) {
		inode_put(*out);
		return -LX_ENOMEM;
	}
	n->dir = dir;
	n->flags = OVL_IN_LOWER | OVL_WEAK;
	list_push_back(&o->aliases, &n->alias);
	inode_get(dir);
	if (o->link_ref)
		ovl_node_make_strong(n);
	return 0;
}

void ovl_drop_weak(struct inode *dir, const char *name, const struct inode *i)
{
	struct dirnode *n = dirtab_find(tab(dir), name);

	if (!n || !(n->flags & OVL_WEAK) || n->inode != i)
		return;
	list_del_init(&n->alias);
	dirtab_del(tab(dir), n);
	inode_put(dir); /* the entry that was asked about holds it, too */
}

/* What the lookups under way are for, the lower file system may want to know, too. */
static void tell_lower(struct inode *dir, bool lookup)
{
	ovl_i(dir)->lower->sb->opening = lookup && dir->sb->opening;
}

int ovl_lookup(struct inode *dir, const char *name, struct inode **out)
{
	struct ovl_inode *od = ovl_i(dir);
	struct dirnode *n = dirtab_find(&od->dir, name);
	struct inode *lower;
	int err;

	if (n) {
		if (!n->inode)
			return -LX_ENOENT;
		inode_get(n->inode);
		*out = n->inode;
		return 0;
	}
	if (!od->lower || !od->lower->ops->lookup)
		return -LX_ENOENT;
	tell_lower(dir, true);
	err = od->lower->ops->lookup(od->lower, name, &lower);
	tell_lower(dir, false);
	return err ? err : wrap(dir, name, lower, out);
}

/* What the lower file system brings along becomes ours on its way to the cache, unless the
 * overlay has something to say about the name. */
struct ovl_more {
	struct lookup_more more; /* first */
	const struct lookup_more *up;
};

static const struct lookup_more *above(const struct lookup_more *m)
{
	return ((const struct ovl_more *)(const void *)m)->up;
}

static bool more_cached(const struct lookup_more *m, struct dentry *parent, const char *name,
			unsigned len)
{
	char text[LX_NAME_MAX + 1];

	if (len > LX_NAME_MAX)
		return true;
	memcpy(text, name, len);
	text[len] = 0;
	return dirtab_find(tab(parent->inode), text) || above(m)->cached(above(m), parent, name, len);
}

static struct dentry *more_enter(const struct lookup_more *m, struct dentry *parent,
				 const char *name, unsigned len, struct inode *lower)
{
	struct inode *dir = parent->inode, *i;
	char text[LX_NAME_MAX + 1];

	if (len <= LX_NAME_MAX) {
		memcpy(text, name, len);
		text[len] = 0;
	}
	if (len > LX_NAME_MAX || !LX_S_ISDIR(dir->mode) || dirtab_find(tab(dir), text)) {
		inode_put(lower);
		return NULL;
	}
	return wrap(dir, text, lower, &i) ? NULL : above(m)->enter(above(m), parent, name, len, i);
}

int ovl_lookup_ahead(struct inode *dir, const char *name, struct inode **out,
		     struct lookup_more *m)
{
	struct ovl_more below = { { .cached = more_cached, .enter = more_enter,
				    .parent = m->parent }, m };
	struct inode *lower = ovl_i(dir)->lower, *found;
	int err;

	if (!lower || !lower->ops->lookup_ahead || dirtab_find(tab(dir), name))
		return ovl_lookup(dir, name, out);
	if (m->up && m->up->sb == dir->sb)
		below.more.up = ovl_i(m->up)->lower;
	tell_lower(dir, true);
	err = lower->ops->lookup_ahead(lower, name, &found, &below.more);
	tell_lower(dir, false);
	if (err)
		return err;
	m->first = below.more.first;
	if (m->first) {
		inode_put(found);
		*out = m->first->inode;
		inode_get(*out);
		return 0;
	}
	/* It came alone; or there was no memory for its entry, but one for another name of the
	 * same file has kept what was made for this one. */
	if (!dirtab_find(tab(dir), name))
		return wrap(dir, name, found, out);
	inode_put(found);
	return ovl_lookup(dir, name, out);
}

#define OVL_BATCH 16

int ovl_walk(struct inode *dir, const char *const *names, unsigned n, struct inode **out,
	     unsigned *count)
{
	struct inode *found[OVL_BATCH], *lower = ovl_i(dir)->lower, *at = dir;
	unsigned got = 0, i = 0;
	int err, result = 0;

	*count = 0;
	if (!lower || !lower->ops->walk || dirtab_find(tab(dir), names[0]))
		return 0;
	if (n > OVL_BATCH)
		n = OVL_BATCH;
	tell_lower(dir, true);
	err = lower->ops->walk(lower, names, n, found, &got);
	tell_lower(dir, false);
	/* As long as the overlay has nothing to say about a name, the lower tree is right. */
	while (i < got && LX_S_ISDIR(at->mode) && !dirtab_find(tab(at), names[i])) {
		struct inode *l = found[i];

		found[i] = NULL;
		result = wrap(at, names[i], l, &out[i]);
		if (result) {
			i++;
			break;
		}
		at = out[i++];
		(*count)++;
	}
	if (i == got && got < n && err && LX_S_ISDIR(at->mode) && !result &&
	    (err != -LX_ENOENT || !dirtab_find(tab(at), names[got])))
		result = err;
	for (; i < got; i++)
		if (found[i])
			inode_put(found[i]);
	return result;
}

/* ---- nodes ---- */

/* Take n's inode off it, leaving an empty node; the inode's reference goes to the caller. */
static struct inode *node_clear(struct dirnode *n)
{
	struct inode *i = n->inode;

	ovl_node_make_strong(n);
	list_del_init(&n->alias);
	n->inode = NULL;
	return i;
}

/* Give the empty node n an inode, whose reference it takes over. */
static void node_set(struct dirnode *n, struct inode *dir, struct inode *i)
{
	n->inode = i;
	n->dir = dir;
	list_push_back(&ovl_i(i)->aliases, &n->alias);
}

/* An empty node: a whiteout if the name is below, else nothing. */
static void node_empty_end(struct inode *dir, struct dirnode *n)
{
	if (!(n->flags & OVL_IN_LOWER))
		dirtab_del(tab(dir), n);
}

/* The directory is about to change. */
static int dir_begin(struct inode *dir)
{
	return ovl_own_attrs(ovl_i(dir));
}

static void dir_nlink(struct inode *dir, int by)
{
	/* 1: a lower file system that does not count subdirectories. */
	if (dir->nlink > 1)
		dir->nlink += (uint32_t)by;
}

/* ---- making ---- */

/* Enter i; its reference is taken over, also on failure. */
static int attach(struct inode *dir, const char *name, struct inode *i)
{
	struct dirnode *n;
	int err = dir_begin(dir);

	if (!err) {
		n = dirtab_find(tab(dir), name);
		if (n && n->inode)
			err = -LX_EEXIST;
		else if (!n)
			n = dirtab_add(tab(dir), name, NULL);
		if (!err && !n)
			err = -LX_ENOMEM;
	}
	if (err) {
		inode_put(i);
		return err;
	}
	node_set(n, dir, i);
	if (LX_S_ISDIR(i->mode))
		dir_nlink(dir, 1);
	inode_touch_mtime(dir);
	return 0;
}

int ovl_create(struct inode *dir, const char *name, uint32_t mode, uint32_t uid, uint32_t gid,
	       struct inode **out)
{
	int err = ovl_make(dir->sb, mode, uid, gid, out);

	if (err)
		return err;
	inode_get(*out);
	err = attach(dir, name, *out);
	if (err)
		inode_put(*out);
	return err;
}

int ovl_mknod(struct inode *dir, const char *name, uint32_t mode, uint32_t rdev, uint32_t uid,
	      uint32_t gid, struct inode **out)
{
	int err = ovl_create(dir, name, mode, uid, gid, out);

	if (!err && (LX_S_ISCHR(mode) || LX_S_ISBLK(mode)))
		(*out)->rdev = rdev;
	return err;
}

int ovl_symlink(struct inode *dir, const char *name, const char *target, uint32_t uid,
		uint32_t gid, struct inode **out)
{
	char *copy = strdup(target);
	int err;

	if (!copy)
		return -LX_ENOMEM;
	err = ovl_make(dir->sb, LX_S_IFLNK | 0777, uid, gid, out);
	if (err) {
		free(copy);
		return err;
	}
	ovl_i(*out)->target = copy;
	(*out)->size = strlen(copy);
	inode_get(*out);
	err = attach(dir, name, *out);
	if (err)
		inode_put(*out);
	return err;
}

int ovl_tmpfile(struct inode *dir, uint32_t mode, uint32_t uid, uint32_t gid,
		struct inode **out)
{
	int err = ovl_make(dir->sb, mode, uid, gid, out);

	if (!err)
		(*out)->nlink = 0;
	return err;
}

int ovl_link(struct inode *dir, const char *name, struct inode *target)
{
	int err = ovl_own_attrs(ovl_i(target));

	if (err)
		return err;
	inode_get(target);
	err = attach(dir, name, target);
	if (err)
		return err;
	target->nlink++;
	inode_touch_ctime(target);
	return 0;
}

/* ---- removing ---- */

/* i lost a name. */
static void lost_name(struct inode *dir, struct inode *i)
{
	if (LX_S_ISDIR(i->mode)) {
		i->nlink = 0;
		dir_nlink(dir, -1);
	} else if (i->nlink > 0) {
		i->nlink--;
	}
	inode_touch_ctime(i);
	if (i->nlink == 0)
		ovl_links_drop_ref(ovl_i(i));
}

static int remove_name(struct inode *dir, const char *name, struct inode *victim)
{
	struct dirnode *n;
	int err = dir_begin(dir);

	/* Its link count and ctime change, and other names may show that. */
	if (!err)
		err = ovl_own_attrs(ovl_i(victim));
	if (err)
		return err;
	n = dirtab_find(tab(dir), name);
	if (!n || n->inode != victim)
		return -LX_ENOENT;
	node_clear(n);
	node_empty_end(dir, n);
	lost_name(dir, victim);
	inode_touch_mtime(dir);
	inode_put(victim);
	return 0;
}

int ovl_unlink(struct inode *dir, const char *name, struct inode *victim)
{
	return remove_name(dir, name, victim);
}

/* 0: empty; -LX_ENOTEMPTY, or another error. */
static int check_empty(struct inode *dir)
{
	struct dirnode *n;
	int r;

	for (n = dirtab_first(tab(dir)); n; n = dirtab_from(tab(dir), n->seq + 1))
		if (n->inode)
			return -LX_ENOTEMPTY;
	r = ovl_lower_shows(ovl_i(dir));
	return r > 0 ? -LX_ENOTEMPTY : r;
}

int ovl_rmdir(struct inode *dir, const char *name, struct inode *victim)
{
	int err = check_empty(victim);

	return err ? err : remove_name(dir, name, victim);
}

/* ---- rename ---- */

static void exchange(struct inode *odir, struct dirnode *on, struct inode *ndir,
		     struct dirnode *nn)
{
	struct inode *a = node_clear(on), *b = node_clear(nn);

	node_set(on, odir, b);
	node_set(nn, ndir, a);
	if (odir != ndir) {
		dir_nlink(odir, LX_S_ISDIR(b->mode) - LX_S_ISDIR(a->mode));
		dir_nlink(ndir, LX_S_ISDIR(a->mode) - LX_S_ISDIR(b->mode));
	}
	inode_touch_ctime(a);
	inode_touch_ctime(b);
}

static int rename_begin(struct inode *odir, struct inode *src, struct inode *ndir,
			struct inode *dst, uint32_t flags)
{
	int err = 0;

	if (dst && !(flags & LX_RENAME_EXCHANGE) && LX_S_ISDIR(dst->mode))
		err = check_empty(dst);
	if (!err)
		err = dir_begin(odir);
	if (!err)
		err = dir_begin(ndir);
	if (!err)
		err = ovl_own_attrs(ovl_i(src));
	if (!err && dst)
		err = ovl_own_attrs(ovl_i(dst));
	return err;
}

/* A directory with a lower part moves as it is: the object keeps its lower directory,
 * wherever its name is. */
int ovl_rename(struct inode *odir, const char *oname, struct inode *src, struct inode *ndir,
	       const char *nname, struct inode *dst, uint32_t flags)
{
	struct dirnode *on, *nn;
	int err;

	if (flags & LX_RENAME_WHITEOUT)
		return -LX_EINVAL; /* as Linux's overlayfs */
	err = rename_begin(odir, src, ndir, dst, flags);
	if (err)
		return err;
	on = dirtab_find(tab(odir), oname);
	nn = dirtab_find(tab(ndir), nname);
	if (!on || on->inode != src || (nn ? nn->inode : NULL) != dst)
		return -LX_ENOENT;
	if (!nn)
		nn = dirtab_add(tab(ndir), nname, NULL);
	if (!nn)
		return -LX_ENOMEM;
	inode_touch_mtime(odir);
	inode_touch_mtime(ndir);
	if (flags & LX_RENAME_EXCHANGE) {
		exchange(odir, on, ndir, nn);
		return 0;
	}
	if (dst) {
		node_clear(nn);
		lost_name(ndir, dst);
		inode_put(dst);
	}
	node_set(nn, ndir, node_clear(on));
	node_empty_end(odir, on);
	if (LX_S_ISDIR(src->mode) && odir != ndir) {
		dir_nlink(odir, -1);
		dir_nlink(ndir, 1);
	}
	inode_touch_ctime(src);
	return 0;
}
