/* tmpfs inodes and directories. A directory entry holds a reference on its inode. */
#include <stdlib.h>
#include <string.h>

#include "sentry/fs/tmpfs/tmpfs_impl.h"
#include "sentry/vfs/acl.h"
#include "sentry/vfs/fileattr.h"
#include "syscalls/abi/lx_statfs.h"

static void tmpfs_free(struct inode *i)
{
	struct tmpfs_inode *ti = tmpfs_i(i);
	struct dirnode *n;

	switch (i->mode & LX_S_IFMT) {
	case LX_S_IFDIR:
		while ((n = dirtab_first(&ti->dir))) {
			struct inode *child = n->inode;

			dirtab_del(&ti->dir, n);
			inode_put(child); /* not recursive: inode_put() queues */
		}
		break;
	case LX_S_IFREG:
		memfile_fini(&ti->file);
		break;
	case LX_S_IFLNK:
		free(ti->target);
		break;
	default:
		break;
	}
	simple_xattrs_fini(&ti->xattrs);
	memquota_give_inode(&tmpfs_s(i->sb)->q);
	inode_fini(i);
	free(ti);
}

int tmpfs_inode_new(struct superblock *sb, uint32_t mode, uint32_t uid, uint32_t gid,
		    struct inode **out)
{
	struct memquota *q = &tmpfs_s(sb)->q;
	struct tmpfs_inode *ti;

	if (!memquota_take_inode(q))
		return -LX_ENOSPC;
	ti = calloc(1, sizeof(*ti));
	if (!ti) {
		memquota_give_inode(q);
		return -LX_ENOMEM;
	}
	inode_init(&ti->vfs, sb, &tmpfs_inode_ops, superblock_next_ino(sb), mode);
	ti->vfs.uid = uid;
	ti->vfs.gid = gid;
	simple_xattrs_init(&ti->xattrs);
	if (LX_S_ISDIR(mode)) {
		ti->vfs.nlink = 2;
		ti->vfs.size = 2 * TMPFS_DIRENT_SIZE;
		dirtab_init(&ti->dir);
	} else if (LX_S_ISREG(mode)) {
		memfile_init(&ti->file, q);
		ti->file.seals = LX_F_SEAL_SEAL; /* only memfds can be sealed */
	}
	*out = &ti->vfs;
	return 0;
}

/* ---- directories ---- */

static int tmpfs_lookup(struct inode *dir, const char *name, struct inode **out)
{
	struct dirnode *n = dirtab_find(&tmpfs_i(dir)->dir, name);

	if (!n)
		return -LX_ENOENT;
	inode_get(n->inode);
	*out = n->inode;
	return 0;
}

/* Enter i (whose reference is taken over, also on failure). */
static int enter(struct inode *dir, const char *name, struct inode *i)
{
	struct dirnode *n;

	if (dirtab_find(&tmpfs_i(dir)->dir, name)) {
		inode_put(i);
		return -LX_EEXIST;
	}
	n = dirtab_add(&tmpfs_i(dir)->dir, name, i);
	if (!n) {
		inode_put(i);
		return -LX_ENOMEM;
	}
	dir->size += TMPFS_DIRENT_SIZE;
	if (LX_S_ISDIR(i->mode))
		dir->nlink++;
	inode_touch_mtime(dir);
	return 0;
}

/* Take the entry n out; its reference is dropped. */
static void leave(struct inode *dir, struct dirnode *n)
{
	struct inode *i = n->inode;

	dirtab_del(&tmpfs_i(dir)->dir, n);
	dir->size -= TMPFS_DIRENT_SIZE;
	if (LX_S_ISDIR(i->mode)) {
		dir->nlink--;
		i->nlink = 0;
	} else {
		i->nlink--;
		/* Each name was charged; the last one goes with the inode. */
		if (i->nlink > 0)
			memquota_give_inode(&tmpfs_s(i->sb)->q);
	}
	inode_touch_ctime(i);
	inode_touch_mtime(dir);
	inode_put(i);
}

static int make(struct inode *dir, const char *name, uint32_t mode, uint32_t uid, uint32_t gid,
		struct inode **out)
{
	int err = tmpfs_inode_new(dir->sb, mode, uid, gid, out);

	if (err)
		return err;
	inode_get(*out);
	err = enter(dir, name, *out);
	if (err) {
		inode_put(*out);
		*out = NULL;
	}
	return err;
}

static int tmpfs_mknod(struct inode *dir, const char *name, uint32_t mode, uint32_t rdev,
		       uint32_t uid, uint32_t gid, struct inode **out)
{
	int err = make(dir, name, mode, uid, gid, out);

	if (!err && (LX_S_ISCHR(mode) || LX_S_ISBLK(mode)))
		(*out)->rdev = rdev;
	return err;
}

static int tmpfs_symlink(struct inode *dir, const char *name, const char *target, uint32_t uid,
			 uint32_t gid, struct inode **out)
{
	char *copy = strdup(target);
	struct inode *i;
	int err;

	if (!copy)
		return -LX_ENOMEM;
	err = tmpfs_inode_new(dir->sb, LX_S_IFLNK | 0777, uid, gid, &i);
	if (err) {
		free(copy);
		return err;
	}
	tmpfs_i(i)->target = copy;
	i->size = strlen(copy);
	inode_get(i);
	err = enter(dir, name, i);
	if (err) {
		inode_put(i);
		return err;
	}
	*out = i;
	return 0;
}

static int tmpfs_readlink(struct inode *i, char *buf, size_t size)
{
	const char *target = tmpfs_i(i)->target;
	size_t len = strlen(target);

	if (len > size)
		len = size;
	memcpy(buf, target, len);
	return (int)len;
}

static int tmpfs_link(struct inode *dir, const char *name, struct inode *target)
{
	struct memquota *q = &tmpfs_s(dir->sb)->q;
	bool named = target->nlink > 0;
	int err;

	if (named && !memquota_take_inode(q))
		return -LX_ENOSPC;
	inode_get(target);
	err = enter(dir, name, target);
	if (err) {
		if (named)
			memquota_give_inode(q);
		return err;
	}
	target->nlink++;
	inode_touch_ctime(target);
	return 0;
}

static int tmpfs_unlink(struct inode *dir, const char *name, struct inode *victim)
{
	struct dirnode *n = dirtab_find(&tmpfs_i(dir)->dir, name);

	if (!n || n->inode != victim)
		return -LX_ENOENT;
	leave(dir, n);
	return 0;
}

static int tmpfs_rmdir(struct inode *dir, const char *name, struct inode *victim)
{
	struct dirnode *n = dirtab_find(&tmpfs_i(dir)->dir, name);

	if (!n || n->inode != victim)
		return -LX_ENOENT;
	if (tmpfs_i(victim)->dir.count)
		return -LX_ENOTEMPTY;
	leave(dir, n);
	return 0;
}

static int tmpfs_tmpfile(struct inode *dir, uint32_t mode, uint32_t uid, uint32_t gid,
			 struct inode **out)
{
	int err = tmpfs_inode_new(dir->sb, mode, uid, gid, out);

	if (!err)
		(*out)->nlink = 0;
	return err;
}

/* A subdirectory moved from one parent to another. */
static void move_nlink(struct inode *odir, struct inode *ndir, const struct inode *i)
{
	if (odir != ndir && LX_S_ISDIR(i->mode)) {
		odir->nlink--;
		ndir->nlink++;
	}
}

static void exchange(struct inode *odir, struct dirnode *on, struct inode *ndir,
		     struct dirnode *nn)
{
	struct inode *tmp = on->inode;

	move_nlink(odir, ndir, on->inode);
	move_nlink(ndir, odir, nn->inode);
	on->inode = nn->inode;
	nn->inode = tmp;
	inode_touch_ctime(on->inode);
	inode_touch_ctime(nn->inode);
	inode_touch_mtime(odir);
	inode_touch_mtime(ndir);
}

static int tmpfs_rename(struct inode *odir, const char *oname, struct inode *src,
			struct inode *ndir, const char *nname, struct inode *dst,
			uint32_t flags)
{
	struct dirnode *on = dirtab_find(&tmpfs_i(odir)->dir, oname);
	struct dirnode *nn = dirtab_find(&tmpfs_i(ndir)->dir, nname);
	struct inode *white = NULL;
	int err;

	if (!on || on->inode != src || (nn ? nn->inode : NULL) != dst)
		return -LX_ENOENT;
	if (flags & LX_RENAME_WHITEOUT) {
		err = tmpfs_inode_new(odir->sb, LX_S_IFCHR, 0, 0, &white);
		if (err)
			return err;
	}
	if (flags & LX_RENAME_EXCHANGE) {
		exchange(odir, on, ndir, nn);
		return 0;
	}
	if (dst && LX_S_ISDIR(dst->mode) && tmpfs_i(dst)->dir.count) {
		if (white)
			inode_put(white);
		return -LX_ENOTEMPTY;
	}
	if (nn) {
		/* The entry stays where it is in the listing and changes its object. */
		nn->inode = src;
		if (LX_S_ISDIR(dst->mode)) {
			dst->nlink = 0;
			ndir->nlink--;
		} else if (--dst->nlink > 0) {
			memquota_give_inode(&tmpfs_s(dst->sb)->q);
		}
		inode_touch_ctime(dst);
		inode_put(dst);
		if (LX_S_ISDIR(src->mode))
			ndir->nlink++;
		inode_touch_mtime(ndir);
	} else {
		inode_get(src);
		err = enter(ndir, nname, src);
		if (err) {
			if (white)
				inode_put(white);
			return err;
		}
		inode_put(src); /* the old entry's reference serves the new one */
	}
	if (LX_S_ISDIR(src->mode))
		odir->nlink--;
	if (white) {
		on->inode = white; /* and its reference */
	} else {
		dirtab_del(&tmpfs_i(odir)->dir, on);
		odir->size -= TMPFS_DIRENT_SIZE;
	}
	inode_touch_mtime(odir);
	inode_touch_ctime(src);
	return 0;
}

static int tmpfs_readdir(struct file *f, struct dir_ctx *c)
{
	struct dirtab *d = &tmpfs_i(f->inode)->dir;
	struct dirnode *n;

	if (!dir_emit_dots(f, c))
		return 0;
	file_touch_atime(f);
	for (n = dirtab_from(d, (uint64_t)f->pos - 2); n; n = dirtab_from(d, n->seq + 1))
		if (!c->emit(c, n->name, n->len, n->inode->ino, n->inode->mode >> 12 & 15,
			     (int64_t)n->seq + 3))
			break;
	return 0;
}

const struct file_ops tmpfs_dir_ops = {
	.name = "tmpfs-dir",
	.readdir = tmpfs_readdir,
};

/* ---- attributes ---- */

static int tmpfs_getattr(struct inode *i, struct kstat *out)
{
	if (LX_S_ISREG(i->mode)) {
		struct memfile *mf = &tmpfs_i(i)->file;

		memfile_refresh(mf);
		i->blocks = mf->pages * 8;
	}
	*out = (struct kstat){
		.ino = i->ino, .size = i->size, .blocks = i->blocks, .mode = i->mode,
		.nlink = i->nlink, .uid = i->uid, .gid = i->gid, .blksize = 4096,
		.dev_major = i->sb->dev >> 20, .dev_minor = i->sb->dev & 0xfffff,
		.rdev_major = i->rdev >> 20, .rdev_minor = i->rdev & 0xfffff,
		.atime = i->atime, .mtime = i->mtime, .ctime = i->ctime, .btime = i->btime,
	};
	return 0;
}

static int tmpfs_setattr(struct inode *i, const struct iattr *a)
{
	if (a->valid & IATTR_SIZE) {
		struct memfile *mf = &tmpfs_i(i)->file;
		int err;

		if (!LX_S_ISREG(i->mode))
			return -LX_EINVAL;
		err = memfile_truncate(mf, a->size);
		if (err)
			return err;
		i->size = mf->size;
		i->blocks = mf->pages * 8;
		inode_touch_mtime(i);
	}
	if (a->valid & IATTR_MODE) {
		if (LX_S_ISREG(i->mode) && (tmpfs_i(i)->file.seals & LX_F_SEAL_EXEC) &&
		    ((i->mode ^ a->mode) & LX_S_IXUGO))
			return -LX_EPERM;
		i->mode = (i->mode & LX_S_IFMT) | (a->mode & LX_S_IALLUGO);
	}
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

static int tmpfs_open(struct inode *i, const struct path *path, uint32_t fmode, uint32_t flags,
		      struct file **out)
{
	bool dir = LX_S_ISDIR(i->mode);
	struct file *f;

	if (!dir && !LX_S_ISREG(i->mode))
		return -LX_ENXIO;
	f = file_new(i->sb->k, dir ? &tmpfs_dir_ops : &memfile_file_ops, path, fmode, flags);
	if (!f)
		return -LX_ENFILE;
	if (!dir)
		f->priv = &tmpfs_i(i)->file;
	*out = f;
	return 0;
}

static int64_t tmpfs_getxattr(struct inode *i, const char *name, void *buf, size_t size)
{
	return simple_xattr_get(&tmpfs_i(i)->xattrs, name, buf, size);
}

static int tmpfs_setxattr(struct inode *i, const char *name, const void *val, size_t size,
			  uint32_t flags)
{
	int err = simple_xattr_set(&tmpfs_i(i)->xattrs, name, val, size, flags);

	if (!err)
		inode_touch_ctime(i);
	return err;
}

static int64_t tmpfs_listxattr(struct inode *i, char *buf, size_t size)
{
	return simple_xattr_list(&tmpfs_i(i)->xattrs, buf, size);
}

static int tmpfs_removexattr(struct inode *i, const char *name)
{
	int err = simple_xattr_remove(&tmpfs_i(i)->xattrs, name);

	if (!err)
		inode_touch_ctime(i);
	return err;
}

/* ramfs has no lists. */
static int tmpfs_get_acl(struct inode *i, int type, struct acl **out)
{
	return i->sb->magic == LX_TMPFS_MAGIC ? inode_acl_none(i, type, out) : -LX_EOPNOTSUPP;
}

static int tmpfs_set_acl(struct inode *i, int type, struct acl *a)
{
	return i->sb->magic == LX_TMPFS_MAGIC ? inode_acl_keep(i, type, a) : -LX_EOPNOTSUPP;
}

static int tmpfs_fileattr_get(struct inode *i, uint32_t *flags)
{
	return i->sb->magic == LX_TMPFS_MAGIC ? inode_fileattr_get(i, flags) : -LX_ENOTTY;
}

const struct inode_ops tmpfs_inode_ops = {
	.lookup = tmpfs_lookup,
	.create = make,
	.mkdir = make,
	.mknod = tmpfs_mknod,
	.symlink = tmpfs_symlink,
	.link = tmpfs_link,
	.unlink = tmpfs_unlink,
	.rmdir = tmpfs_rmdir,
	.rename = tmpfs_rename,
	.tmpfile = tmpfs_tmpfile,
	.readlink = tmpfs_readlink,
	.getattr = tmpfs_getattr,
	.setattr = tmpfs_setattr,
	.open = tmpfs_open,
	.getxattr = tmpfs_getxattr,
	.setxattr = tmpfs_setxattr,
	.listxattr = tmpfs_listxattr,
	.removexattr = tmpfs_removexattr,
	.get_acl = tmpfs_get_acl,
	.set_acl = tmpfs_set_acl,
	.fileattr_get = tmpfs_fileattr_get,
	.fileattr_set = inode_fileattr_set,
	.free = tmpfs_free,
};
