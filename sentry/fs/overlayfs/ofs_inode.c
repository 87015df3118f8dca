/* Inodes of the overlay: finding what the layers have under a name, attributes, contents. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sentry/fs/overlayfs/ofs_impl.h"
#include "sentry/vfs/acl.h"
#include "sentry/vfs/fileattr.h"
#include "syscalls/abi/lx_xattr.h"

/* ---- the table of inodes in use ---- */

static int cmp_key(const struct ofs_inode *a, const struct ofs_inode *b)
{
	return (uintptr_t)a->key < (uintptr_t)b->key ? -1 : a->key != b->key;
}
RB_GENERATE_INTERNAL(ofs_inodes, ofs_inode, by_key, cmp_key, static __attribute__((unused)))

static int cmp_origin(const struct ofs_origin *a, const struct ofs_origin *b)
{
	return a->upper_ino < b->upper_ino ? -1 : a->upper_ino != b->upper_ino;
}
RB_GENERATE_INTERNAL(ofs_origins, ofs_origin, by_upper, cmp_origin,
		     static __attribute__((unused)))

static void set_key(struct ofs_inode *o, const struct inode *key)
{
	struct ofs_inodes *t = &ofs_s(o->vfs.sb)->inodes;

	if (o->key)
		RB_REMOVE(ofs_inodes, t, o);
	o->key = key;
	if (key && RB_INSERT(ofs_inodes, t, o))
		o->key = NULL;
}

/* What stands for the object: lower files with several names are one object per name, since
 * a change through one of them does not show through the others. */
static const struct inode *key_of(const struct ofs_parts *p)
{
	const struct inode *i = p->upper.dentry ? p->upper.dentry->inode
						: p->lower[0].dentry->inode;

	if (!p->upper.dentry && !LX_S_ISDIR(i->mode) && i->nlink > 1)
		return NULL;
	return i;
}

static struct ofs_origin *origin_find(struct ofs_sb *os, uint64_t upper_ino)
{
	struct ofs_origin key = { .upper_ino = upper_ino };

	return RB_FIND(ofs_origins, &os->origins, &key);
}

void ofs_origin_drop(struct ofs_sb *os, uint64_t upper_ino)
{
	struct ofs_origin *o = origin_find(os, upper_ino);

	if (!o)
		return;
	RB_REMOVE(ofs_origins, &os->origins, o);
	free(o);
}

/* ---- making and freeing ---- */

void ofs_parts_free(struct ofs_parts *p)
{
	if (p->upper.dentry)
		dentry_put(p->upper.dentry);
	for (unsigned i = 0; i < p->nlower; i++)
		dentry_put(p->lower[i].dentry);
	free(p->lower);
	*p = (struct ofs_parts){ .nlower = 0 };
}

static void take_fields(struct inode *i, const struct kstat *st)
{
	i->mode = (i->mode & LX_S_IFMT) | (st->mode & LX_S_IALLUGO);
	i->uid = st->uid;
	i->gid = st->gid;
	i->size = st->size;
	i->blocks = st->blocks;
	i->atime = st->atime;
	i->mtime = st->mtime;
	i->ctime = st->ctime;
	i->btime = st->btime;
}

void ofs_sync(struct ofs_inode *o)
{
	struct path p = ofs_path(ofs_top(o));
	struct kstat st;

	if (vfs_getattr(&p, &st) == 0)
		take_fields(&o->vfs, &st);
	o->vfs.fl = p.dentry->inode->fl;
}

static uint64_t number_of(const struct ofs_part *p)
{
	return p->dentry->inode->ino ^ (uint64_t)p->fs << 56;
}

uint64_t ofs_upper_ino(struct ofs_sb *os, uint64_t ino)
{
	const struct ofs_origin *o = origin_find(os, ino);

	return o ? o->ino : ino;
}

static uint64_t choose_ino(struct ofs_sb *os, const struct ofs_parts *p)
{
	if (!p->upper.dentry)
		return number_of(&p->lower[0]);
	if (p->nlower)
		return number_of(&p->lower[p->nlower - 1]);
	return ofs_upper_ino(os, p->upper.dentry->inode->ino);
}

static void ofs_free(struct inode *i)
{
	struct ofs_inode *o = ofs_i(i);
	struct ofs_parts p = { o->upper, o->lower, o->nlower };

	set_key(o, NULL);
	ofs_parts_free(&p);
	if (o->parent)
		inode_put(o->parent);
	free(o->name);
	inode_fini(i);
	free(o);
}

int ofs_inode_get(struct superblock *sb, struct ofs_parts *p, struct inode *parent,
		  const char *name, struct inode **out)
{
	struct ofs_sb *os = ofs_s(sb);
	const struct inode *real = p->upper.dentry ? p->upper.dentry->inode
						   : p->lower[0].dentry->inode;
	struct ofs_inode find = { .key = key_of(p) };
	struct ofs_inode *o = find.key ? RB_FIND(ofs_inodes, &os->inodes, &find) : NULL;
	struct path path;
	struct kstat st;
	int err;

	if (o) {
		ofs_parts_free(p);
		inode_get(&o->vfs);
		*out = &o->vfs;
		return 0;
	}
	path = ofs_path(p->upper.dentry ? &p->upper : &p->lower[0]);
	err = vfs_getattr(&path, &st);
	o = err ? NULL : calloc(1, sizeof(*o));
	if (o && name)
		o->name = strdup(name);
	if (!o || (name && !o->name)) {
		free(o);
		ofs_parts_free(p);
		return err ? err : -LX_ENOMEM;
	}
	inode_init(&o->vfs, sb, &ofs_inode_ops, choose_ino(os, p), real->mode);
	take_fields(&o->vfs, &st);
	o->vfs.nlink = st.nlink;
	o->vfs.rdev = real->rdev;
	o->upper = p->upper;
	o->lower = p->lower;
	o->nlower = p->nlower;
	if (parent)
		inode_get(parent);
	o->parent = parent;
	set_key(o, find.key);
	*out = &o->vfs;
	return 0;
}

void ofs_set_upper(struct ofs_inode *o, struct dentry *d)
{
	struct ofs_sb *os = ofs_s(o->vfs.sb);
	struct ofs_origin *or;

	dentry_get(d);
	o->upper = (struct ofs_part){ .dentry = d, .mnt = os->upper };
	set_key(o, d->inode);
	if (!LX_S_ISDIR(o->vfs.mode)) {
		o->vfs.nlink = d->inode->nlink;
		or = malloc(sizeof(*or));
		if (or) { /* else its number changes when it is looked up anew */
			*or = (struct ofs_origin){ .upper_ino = d->inode->ino,
						   .ino = o->vfs.ino };
			if (RB_INSERT(ofs_origins, &os->origins, or))
				free(or);
		}
	}
	ofs_sync(o);
}

/* ---- lookup ---- */

static void xattr_name(const struct ofs_sb *os, const char *what, char name[64])
{
	(void)snprintf(name, 64, "%s%s", os->prefix, what);
}

bool ofs_own_xattr(const struct ofs_sb *os, const char *name)
{
	return strncmp(name, os->prefix, strlen(os->prefix)) == 0;
}

bool ofs_is_opaque(struct ofs_sb *os, struct inode *i)
{
	char name[64], val[4] = "";

	if (!i->ops->getxattr)
		return false;
	xattr_name(os, "opaque", name);
	return i->ops->getxattr(i, name, val, sizeof(val)) == 1 && val[0] == 'y';
}

int ofs_set_opaque(struct ofs_sb *os, struct inode *i)
{
	char name[64];

	xattr_name(os, "opaque", name);
	return i->ops->setxattr ? i->ops->setxattr(i, name, "y", 1, 0) : -LX_EOPNOTSUPP;
}

static int add_lower(struct ofs_parts *p, const struct ofs_part *dir, struct dentry *d)
{
	struct ofs_part *more = realloc(p->lower, (p->nlower + 1) * sizeof(*more));

	if (!more) {
		dentry_put(d);
		return -LX_ENOMEM;
	}
	p->lower = more;
	p->lower[p->nlower++] = (struct ofs_part){ d, dir->mnt, dir->fs };
	return 0;
}

/* One layer's word on the name. 1: no layer below has a say; 0: go on; -errno. */
static int look_in(struct ofs_sb *os, const struct ofs_part *dir, const char *name, bool upper,
		   struct ofs_parts *p)
{
	bool first = !p->upper.dentry && !p->nlower;
	struct dentry *d;
	bool is_dir, last;
	int err = layer_lookup(dir->dentry, name, &d);

	if (err)
		return err == -LX_ENOENT ? 0 : err;
	is_dir = LX_S_ISDIR(d->inode->mode);
	if (ofs_is_whiteout(d->inode) || (!is_dir && !first)) {
		dentry_put(d);
		return 1;
	}
	last = !is_dir || ofs_is_opaque(os, d->inode);
	if (upper)
		p->upper = (struct ofs_part){ d, dir->mnt, dir->fs };
	else
		err = add_lower(p, dir, d);
	return err ? err : last;
}

int ofs_lookup(struct inode *dir, const char *name, struct inode **out)
{
	struct ofs_inode *od = ofs_i(dir);
	struct ofs_sb *os = ofs_s(dir->sb);
	struct ofs_parts p = { .nlower = 0 };
	int r = 0;

	if (od->upper.dentry)
		r = look_in(os, &od->upper, name, true, &p);
	for (unsigned i = 0; r == 0 && i < od->nlower; i++)
		r = look_in(os, &od->lower[i], name, false, &p);
	if (r >= 0 && !p.upper.dentry && !p.nlower)
		r = -LX_ENOENT;
	if (r < 0) {
		ofs_parts_free(&p);
		return r;
	}
	return ofs_inode_get(dir->sb, &p, dir, name, out);
}

int ofs_lower_has(struct inode *dir, const char *name)
{
	struct ofs_inode *od = ofs_i(dir);

	for (unsigned i = 0; i < od->nlower; i++) {
		struct dentry *d;
		int err = layer_lookup(od->lower[i].dentry, name, &d);
		bool hidden;

		if (err == -LX_ENOENT)
			continue;
		if (err)
			return err;
		hidden = ofs_is_whiteout(d->inode);
		dentry_put(d);
		return !hidden;
	}
	return 0;
}

/* ---- attributes ---- */

static int ofs_getattr(struct inode *i, struct kstat *out)
{
	struct ofs_inode *o = ofs_i(i);
	struct path p = ofs_path(ofs_top(o));
	int err = vfs_getattr(&p, out);

	if (err)
		return err;
	take_fields(i, out);
	out->ino = i->ino;
	out->dev_major = i->sb->dev >> 20;
	out->dev_minor = i->sb->dev & 0xfffff;
	if (!LX_S_ISDIR(i->mode))
		out->nlink = i->nlink;
	else if (o->nlower)
		out->nlink = 1; /* nobody counts merged subdirectories */
	if (i->nlink == 0)
		out->nlink = 0;
	return 0;
}

static int ofs_setattr(struct inode *i, const struct iattr *a)
{
	struct ofs_inode *o = ofs_i(i);
	int err = ofs_copy_up(i, a->valid & IATTR_SIZE ? a->size : UINT64_MAX);

	if (!err)
		err = layer_setattr(o->upper.dentry, a);
	if (!err)
		ofs_sync(o);
	return err;
}

static int ofs_readlink(struct inode *i, char *buf, size_t size)
{
	struct inode *real = ofs_top(ofs_i(i))->dentry->inode;

	return real->ops->readlink ? real->ops->readlink(real, buf, size) : -LX_EINVAL;
}

/* A name of ours that somebody else uses (an overlay in the overlay) lies in the layers with
 * "overlay." once more. buf has room for LX_XATTR_NAME_MAX bytes and a NUL; NULL: too long. */
static const char *escaped(struct inode *i, const char *name, char *buf)
{
	const struct ofs_sb *os = ofs_s(i->sb);

	if (!ofs_own_xattr(os, name))
		return name;
	return snprintf(buf, LX_XATTR_NAME_MAX + 1, "%soverlay.%s", os->prefix,
			name + strlen(os->prefix)) <= LX_XATTR_NAME_MAX
		       ? buf
		       : NULL;
}

static int64_t ofs_getxattr(struct inode *i, const char *name, void *buf, size_t size)
{
	struct inode *real = ofs_top(ofs_i(i))->dentry->inode;
	char tmp[LX_XATTR_NAME_MAX + 1];

	name = escaped(i, name, tmp);
	if (!name || !real->ops->getxattr)
		return -LX_EOPNOTSUPP;
	return real->ops->getxattr(real, name, buf, size);
}

/* A layer's name as it is shown, with its NUL: 0 bytes of our own ones. */
static int64_t shown_name(const struct ofs_sb *os, const char *name, char *out)
{
	size_t skip = strlen(os->prefix), n;

	if (acl_type_of(name) >= 0)
		return 0; /* vfs_list_acl() has them */
	if (!ofs_own_xattr(os, name))
		n = strlen(name) + 1;
	else if (strncmp(name + skip, "overlay.", 8) == 0)
		n = skip + strlen(name + skip + 8) + 1;
	else
		return 0;
	if (n > LX_XATTR_NAME_MAX + 1)
		return 0;
	if (!ofs_own_xattr(os, name)) {
		memcpy(out, name, n);
	} else {
		memcpy(out, os->prefix, skip);
		memcpy(out + skip, name + skip + 8, n - skip);
	}
	return (int64_t)n;
}

/* Without our own. */
static int64_t ofs_listxattr(struct inode *i, char *buf, size_t size)
{
	struct inode *real = ofs_top(ofs_i(i))->dentry->inode;
	char shown[LX_XATTR_NAME_MAX + 1];
	AUTO_FREE char *all = NULL;
	int64_t len, kept = 0;

	len = real->ops->listxattr ? real->ops->listxattr(real, NULL, 0) : 0;
	if (len <= 0)
		return len;
	all = malloc((size_t)len);
	if (!all)
		return -LX_ENOMEM;
	len = real->ops->listxattr(real, all, (size_t)len);
	for (int64_t at = 0; at < len;) {
		int64_t n = (int64_t)strnlen(all + at, (size_t)(len - at)) + 1;

		if (at + n <= len) {
			int64_t m = shown_name(ofs_s(i->sb), all + at, shown);

			if (size && kept + m > (int64_t)size)
				return -LX_ERANGE;
			if (size)
				memcpy(buf + kept, shown, (size_t)m);
			kept += m;
		}
		at += n;
	}
	return len < 0 ? len : kept;
}

static int ofs_setxattr(struct inode *i, const char *name, const void *val, size_t size,
			uint32_t flags)
{
	char tmp[LX_XATTR_NAME_MAX + 1];
	struct inode *real;
	int err;

	name = escaped(i, name, tmp);
	if (!name)
		return -LX_EOPNOTSUPP;
	err = ofs_copy_up(i, UINT64_MAX);
	if (err)
		return err;
	real = ofs_i(i)->upper.dentry->inode;
	err = real->ops->setxattr ? real->ops->setxattr(real, name, val, size, flags)
				  : -LX_EOPNOTSUPP;
	if (!err)
		ofs_sync(ofs_i(i));
	return err;
}

static int ofs_removexattr(struct inode *i, const char *name)
{
	struct inode *real = ofs_top(ofs_i(i))->dentry->inode;
	char tmp[LX_XATTR_NAME_MAX + 1];
	int64_t there;
	int err;

	name = escaped(i, name, tmp);
	if (!name || !real->ops->getxattr)
		return -LX_EOPNOTSUPP;
	there = real->ops->getxattr(real, name, NULL, 0);
	if (there < 0)
		return (int)there; /* nothing to copy up for */
	err = ofs_copy_up(i, UINT64_MAX);
	if (err)
		return err;
	real = ofs_i(i)->upper.dentry->inode;
	err = real->ops->removexattr ? real->ops->removexattr(real, name) : -LX_EOPNOTSUPP;
	if (!err)
		ofs_sync(ofs_i(i));
	return err;
}

/* Those of the part that is seen, which keeps them in mind. */
static int ofs_get_acl(struct inode *i, int type, struct acl **out)
{
	int err = inode_acl(ofs_top(ofs_i(i))->dentry->inode, type, out);

	return err ? err : 1;
}

static int ofs_set_acl(struct inode *i, int type, struct acl *a)
{
	int err = ofs_copy_up(i, UINT64_MAX);

	if (err)
		return err;
	err = inode_acl_store(ofs_i(i)->upper.dentry->inode, type, a);
	if (!err)
		ofs_sync(ofs_i(i));
	return err;
}

static int ofs_fileattr_get(struct inode *i, uint32_t *flags)
{
	struct path p = ofs_path(ofs_top(ofs_i(i)));

	return vfs_fileattr_get(&p, flags);
}

static int ofs_fileattr_set(struct inode *i, uint32_t flags)
{
	int err = ofs_copy_up(i, UINT64_MAX);
	struct inode *real;

	if (err)
		return err;
	real = ofs_i(i)->upper.dentry->inode;
	err = real->ops->fileattr_set ? real->ops->fileattr_set(real, flags) : -LX_ENOTTY;
	if (!err)
		ofs_sync(ofs_i(i));
	return err;
}

const struct inode_ops ofs_inode_ops = {
	.lookup = ofs_lookup,
	.create = ofs_create,
	.mkdir = ofs_create,
	.mknod = ofs_mknod,
	.symlink = ofs_symlink,
	.link = ofs_link,
	.unlink = ofs_unlink,
	.rmdir = ofs_rmdir,
	.rename = ofs_rename,
	.tmpfile = ofs_tmpfile,
	.readlink = ofs_readlink,
	.getattr = ofs_getattr,
	.setattr = ofs_setattr,
	.open = ofs_open,
	.getxattr = ofs_getxattr,
	.setxattr = ofs_setxattr,
	.listxattr = ofs_listxattr,
	.removexattr = ofs_removexattr,
	.get_acl = ofs_get_acl,
	.set_acl = ofs_set_acl,
	.fileattr_get = ofs_fileattr_get,
	.fileattr_set = ofs_fileattr_set,
	.free = ofs_free,
};
