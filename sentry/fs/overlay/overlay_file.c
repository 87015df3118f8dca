/* Opening, listing and attributes. A regular file that was not changed is opened straight
 * in the lower layer: reads and mappings cost nothing extra and share its page cache. */
#include <stdlib.h>
#include <string.h>

#include "sentry/fs/overlay/overlay_impl.h"
#include "sentry/vfs/acl.h"
#include "sentry/vfs/fileattr.h"
#include "sentry/vfs/layer.h"
#include "syscalls/abi/lx_inotify.h"
#include "syscalls/abi/lx_xattr.h"

/* Positions of entries that only exist here; lower file systems do not use these. */
#define POS_OWN 0x7fffff0000000000ll

/* ---- directories ---- */

struct own_ctx {
	struct dir_ctx c;	/* what the lower directory emits into */
	struct dir_ctx *outer;
	struct file *f, *lower;
	struct dirtab *names;
	unsigned seen;		/* entries that came from below */
	bool full;
};

static bool is_dots(const char *name, unsigned len)
{
	return name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.'));
}

/* One entry of the lower directory: hide whiteouts, show replaced objects as they are. */
static bool emit_lower(struct dir_ctx *c, const char *name, unsigned len, uint64_t ino,
		       unsigned dtype, int64_t next_pos)
{
	struct own_ctx *oc = container_of(c, struct own_ctx, c);
	struct dirnode *n;

	oc->seen++;
	if (!is_dots(name, len)) {
		n = dirtab_find_n(oc->names, name, len); /* not terminated */
		if (n && n->inode) {
			ino = n->inode->ino;
			dtype = n->inode->mode >> 12 & 15;
		}
		if ((!n || n->inode) &&
		    !oc->outer->emit(oc->outer, name, len, ino, dtype, next_pos)) {
			oc->full = true;
			return false;
		}
	}
	oc->lower->pos = next_pos;
	oc->f->pos = next_pos < 2 ? 2 : next_pos;
	return true;
}

static int list_lower(struct file *f, struct dir_ctx *outer, bool *full)
{
	struct ovl_inode *o = ovl_i(f->inode);
	struct own_ctx oc = { .c.emit = emit_lower, .outer = outer, .f = f, .names = &o->dir };
	struct file *lf = f->priv;
	int err;

	if (!lf) {
		err = ovl_open_lower(o, FMODE_READ, LX_O_RDONLY | LX_O_DIRECTORY, &lf);
		if (err)
			return err;
		f->priv = lf;
	}
	if (!lf->ops->readdir)
		return 0;
	oc.lower = lf;
	/* Our 2 is after the dots, which the lower directory has too. */
	lf->pos = f->pos == 2 ? 0 : f->pos;
	do {
		oc.seen = 0;
		err = lf->ops->readdir(lf, &oc.c);
	} while (!err && oc.seen && !oc.full);
	*full = oc.full;
	return err;
}

static int ovl_readdir(struct file *f, struct dir_ctx *c)
{
	struct ovl_inode *o = ovl_i(f->inode);
	struct dirnode *n;
	bool full = false;
	int err;

	if (!dir_emit_dots(f, c))
		return 0;
	if (f->pos < POS_OWN) {
		if (o->lower) {
			err = list_lower(f, c, &full);
			if (err || full)
				return err;
		}
		f->pos = POS_OWN;
	}
	for (n = dirtab_from(&o->dir, (uint64_t)(f->pos - POS_OWN)); n;
	     n = dirtab_from(&o->dir, n->seq + 1)) {
		if (!n->inode || (n->flags & OVL_IN_LOWER))
			continue;
		if (!c->emit(c, n->name, n->len, n->inode->ino, n->inode->mode >> 12 & 15,
			     POS_OWN + (int64_t)n->seq + 1))
			break;
	}
	return 0;
}

static void ovl_dir_release(struct file *f)
{
	if (f->priv)
		file_put(f->priv);
}

static int64_t ovl_dir_seek(struct file *f, int64_t off, int whence)
{
	if (whence == LX_SEEK_CUR)
		off += f->pos;
	else if (whence != LX_SEEK_SET)
		return -LX_EINVAL;
	if (off < 0)
		return -LX_EINVAL;
	/* A rewind must show what changed: some lower directories list a snapshot. */
	if (off == 0 && f->priv) {
		file_put(f->priv);
		f->priv = NULL;
	}
	return off;
}

static const struct file_ops ovl_dir_ops = {
	.name = "overlay-dir",
	.readdir = ovl_readdir,
	.seek = ovl_dir_seek,
	.release = ovl_dir_release,
};

struct shows_ctx {
	struct dir_ctx c;
	struct dirtab *names;
	struct file *lower;
	unsigned seen;
	bool shows;
};

static bool emit_shows(struct dir_ctx *c, const char *name, unsigned len, uint64_t ino,
		       unsigned dtype, int64_t next_pos)
{
	struct shows_ctx *sc = container_of(c, struct shows_ctx, c);

	(void)ino;
	(void)dtype;
	sc->seen++;
	sc->lower->pos = next_pos;
	if (is_dots(name, len))
		return true;
	/* Anything in the table that is not a whiteout was seen by the caller. */
	sc->shows = dirtab_find_n(sc->names, name, len) == NULL;
	return !sc->shows;
}

int ovl_lower_shows(struct ovl_inode *o)
{
	AUTO_PUT(file) struct file *lf = NULL;
	struct shows_ctx sc = { .c.emit = emit_shows, .names = &o->dir };
	int err;

	if (!o->lower)
		return 0;
	err = ovl_open_lower(o, FMODE_READ, LX_O_RDONLY | LX_O_DIRECTORY, &lf);
	if (err)
		return err;
	if (!lf->ops->readdir)
		return 0;
	sc.lower = lf;
	do {
		sc.seen = 0;
		err = lf->ops->readdir(lf, &sc.c);
	} while (!err && sc.seen && !sc.shows);
	return err ? err : sc.shows;
}

/* ---- open ---- */

static struct file *open_own(struct ovl_inode *o, const struct path *path, uint32_t fmode,
			     uint32_t flags)
{
	struct file *f = file_new(o->vfs.sb->k, &memfile_file_ops, path, fmode, flags);

	if (f)
		f->priv = &o->file;
	return f;
}

/* The contents were copied up since it was opened. */
static struct file *renew(struct file *f, const struct file *real)
{
	struct ovl_inode *o = ovl_i(f->inode);

	if (!o->own_data || real->ops == &memfile_file_ops)
		return NULL;
	return open_own(o, &f->path, FMODE_READ, real->flags);
}

/* The lower inode's own file, for as long as it is not changed. */
static int open_through(struct ovl_inode *o, const struct path *path, uint32_t fmode,
			uint32_t flags, struct file **out)
{
	struct file *f;
	int err = ovl_open_lower(o, fmode, flags, &f);

	return err ? err : layer_follow(path, fmode, flags, f, renew, out);
}

int ovl_open(struct inode *i, const struct path *path, uint32_t fmode, uint32_t flags,
	     struct file **out)
{
	struct ovl_inode *o = ovl_i(i);
	bool dir = LX_S_ISDIR(i->mode);
	struct file *f;
	int err;

	if (!dir && !LX_S_ISREG(i->mode))
		return -LX_ENXIO;
	if (!dir && !o->own_data) {
		if (!(fmode & FMODE_WRITE))
			return open_through(o, path, fmode, flags, out);
		err = ovl_own_data(o, flags & LX_O_TRUNC ? 0 : UINT64_MAX);
		if (err)
			return err;
	}
	f = dir ? file_new(i->sb->k, &ovl_dir_ops, path, fmode, flags)
		: open_own(o, path, fmode, flags);
	*out = f;
	return f ? 0 : -LX_ENFILE;
}

/* ---- attributes ---- */

static int ovl_getattr(struct inode *i, struct kstat *out)
{
	struct ovl_inode *o = ovl_i(i);
	int err;

	if (LX_S_ISREG(i->mode) && o->own_data) {
		memfile_refresh(&o->file);
		i->blocks = o->file.pages * 8;
	}
	if (!o->own_attrs && o->lower->ops->getattr) {
		err = o->lower->ops->getattr(o->lower, out);
		if (err)
			return err;
	} else {
		*out = (struct kstat){
			.size = i->size, .blocks = i->blocks, .mode = i->mode, .uid = i->uid,
			.gid = i->gid, .blksize = 4096, .rdev_major = i->rdev >> 20,
			.rdev_minor = i->rdev & 0xfffff, .atime = i->atime, .mtime = i->mtime,
			.ctime = i->ctime, .btime = i->btime, .nlink = i->nlink,
		};
	}
	out->ino = i->ino;
	out->dev_major = i->sb->dev >> 20;
	out->dev_minor = i->sb->dev & 0xfffff;
	return 0;
}

static int ovl_setattr(struct inode *i, const struct iattr *a)
{
	struct ovl_inode *o = ovl_i(i);
	int err = ovl_own_attrs(o);

	if (!err && (a->valid & IATTR_SIZE)) {
		if (!LX_S_ISREG(i->mode))
			return -LX_EINVAL;
		err = ovl_own_data(o, a->size);
		if (!err)
			err = memfile_truncate(&o->file, a->size);
		if (!err) {
			i->size = o->file.size;
			i->blocks = o->file.pages * 8;
			inode_touch_mtime(i);
		}
	}
	if (err)
		return err;
	if (a->valid & IATTR_MODE)
		i->mode = (i->mode & LX_S_IFMT) | (a->mode & LX_S_IALLUGO);
	if (a->valid & IATTR_UID)
		i->uid = a->uid;
	if (a->valid & IATTR_GID)
		i->gid = a->gid;
	if (a->valid & IATTR_ATIME)
		i->atime = a->atime;
	if (a->valid & IATTR_MTIME)
		i->mtime = a->mtime;
	inode_touch_ctime(i);
	return 0;
}

static int ovl_readlink(struct inode *i, char *buf, size_t size)
{
	struct ovl_inode *o = ovl_i(i);
	size_t len;

	if (!o->target)
		return o->lower->ops->readlink ? o->lower->ops->readlink(o->lower, buf, size)
					       : -LX_EINVAL;
	len = strlen(o->target);
	if (len > size)
		len = size;
	memcpy(buf, o->target, len);
	return (int)len;
}

/* ---- extended attributes ---- */

static int64_t ovl_getxattr(struct inode *i, const char *name, void *buf, size_t size)
{
	struct ovl_inode *o = ovl_i(i);

	if (o->own_xattrs)
		return simple_xattr_get(&o->xattrs, name, buf, size);
	return o->lower->ops->getxattr ? o->lower->ops->getxattr(o->lower, name, buf, size)
				       : -LX_ENODATA;
}

/* Without the lists, which are not kept among the attributes here. */
static int64_t list_xattrs(struct inode *lower, char *buf, size_t size)
{
	AUTO_FREE char *all = malloc(LX_XATTR_LIST_MAX);
	int64_t len, kept = 0;

	if (!all)
		return -LX_ENOMEM;
	len = lower->ops->listxattr(lower, all, LX_XATTR_LIST_MAX);
	for (int64_t at = 0; at < len;) {
		int64_t n = (int64_t)strnlen(all + at, (size_t)(len - at)) + 1;

		if (at + n <= len && acl_type_of(all + at) < 0) {
			if (size && kept + n > (int64_t)size)
				return -LX_ERANGE;
			if (size)
				memcpy(buf + kept, all + at, (size_t)n);
			kept += n;
		}
		at += n;
	}
	return len < 0 ? len : kept;
}

static int64_t ovl_listxattr(struct inode *i, char *buf, size_t size)
{
	struct ovl_inode *o = ovl_i(i);

	if (o->own_xattrs)
		return simple_xattr_list(&o->xattrs, buf, size);
	return o->lower->ops->listxattr ? list_xattrs(o->lower, buf, size) : 0;
}

/* The lower file's list, but with the mode that the file has here. */
static int ovl_get_acl(struct inode *i, int type, struct acl **out)
{
	struct ovl_inode *o = ovl_i(i);
	int err;

	*out = NULL;
	if (o->own_xattrs || !o->lower)
		return 0;
	err = inode_acl(o->lower, type, out);
	if (err == -LX_EOPNOTSUPP)
		return 0; /* but it can have one here */
	if (!err && *out && type == ACL_ACCESS)
		err = acl_chmod(out, i->mode);
	if (err)
		return err;
	return !o->lower->sb->negative_ok; /* 1: the host may change it */
}

static int ovl_set_acl(struct inode *i, int type, struct acl *a)
{
	int err = ovl_own_xattrs(ovl_i(i));

	return err ? err : inode_acl_keep(i, type, a);
}

static int ovl_setxattr(struct inode *i, const char *name, const void *val, size_t size,
			uint32_t flags)
{
	int err = ovl_own_xattrs(ovl_i(i));

	if (!err)
		err = simple_xattr_set(&ovl_i(i)->xattrs, name, val, size, flags);
	if (!err)
		inode_touch_ctime(i);
	return err;
}

static int ovl_removexattr(struct inode *i, const char *name)
{
	int err = ovl_own_xattrs(ovl_i(i));

	if (!err)
		err = simple_xattr_remove(&ovl_i(i)->xattrs, name);
	if (!err)
		inode_touch_ctime(i);
	return err;
}

static int ovl_fileattr_set(struct inode *i, uint32_t flags)
{
	int err = ovl_own_attrs(ovl_i(i));

	return err ? err : inode_fileattr_set(i, flags);
}

static bool lower_still(struct dentry *d)
{
	const struct inode_ops *ops = d->inode->ops;
	struct dentry *one[] = { d };

	if (ops->revalidate_chain)
		return ops->revalidate_chain(one, 1) == 1;
	return !ops->revalidate || ops->revalidate(d);
}

/* Is the name still what it was below? Only asked when the host may change the lower tree;
 * what was changed here stays as it is here. */
static bool ovl_revalidate(struct dentry *d)
{
	struct ovl_inode *o = ovl_i(d->inode);
	struct ovl_inode *up = d->parent ? ovl_i(d->parent->inode) : NULL;
	struct dentry below = { .inode = o->lower, .name = d->name, .name_len = d->name_len,
				.hash = d->hash }, above = { .inode = up ? up->lower : NULL };

	if (!o->lower || o->lower->sb->negative_ok || !up || !up->lower || o->pinned ||
	    d->valid_at == o->vfs.sb->k->ctxt)
		return true;
	below.parent = &above;
	if (lower_still(&below)) {
		d->valid_at = o->vfs.sb->k->ctxt;
		ovl_take_attrs(&o->vfs, o->lower);
		return true;
	}
	ovl_drop_weak(d->parent->inode, d->name, d->inode);
	return false;
}

const struct inode_ops ovl_inode_ops = {
	.revalidate = ovl_revalidate,
	.lookup = ovl_lookup,
	.lookup_ahead = ovl_lookup_ahead,
	.walk = ovl_walk,
	.create = ovl_create,
	.mkdir = ovl_create,
	.mknod = ovl_mknod,
	.symlink = ovl_symlink,
	.link = ovl_link,
	.unlink = ovl_unlink,
	.rmdir = ovl_rmdir,
	.rename = ovl_rename,
	.tmpfile = ovl_tmpfile,
	.readlink = ovl_readlink,
	.getattr = ovl_getattr,
	.setattr = ovl_setattr,
	.open = ovl_open,
	.getxattr = ovl_getxattr,
	.setxattr = ovl_setxattr,
	.listxattr = ovl_listxattr,
	.removexattr = ovl_removexattr,
	.get_acl = ovl_get_acl,
	.set_acl = ovl_set_acl,
	.fileattr_get = inode_fileattr_get,
	.fileattr_set = ovl_fileattr_set,
	.free = ovl_free,
};
