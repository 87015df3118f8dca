/* What stacked file systems need of the one below: layer.h. */
#include "sentry/vfs/layer.h"

#include <stdlib.h>

#include "sentry/vfs/acl.h"
#include "sentry/vfs/vfs_impl.h"
#include "syscalls/abi/lx_inotify.h"

int layer_lookup(struct dentry *dir, const char *name, struct dentry **out)
{
	unsigned len = (unsigned)strlen(name);

	return dentry_lookup(dir, name, len, name_hash(name, len), out);
}

static int make(struct inode *dir, const char *name, const struct layer_new *n,
		struct inode **out)
{
	const struct inode_ops *ops = dir->ops;

	switch (n->mode & LX_S_IFMT) {
	case LX_S_IFREG:
		return ops->create ? ops->create(dir, name, n->mode, n->uid, n->gid, out)
				   : -LX_EPERM;
	case LX_S_IFDIR:
		return ops->mkdir ? ops->mkdir(dir, name, n->mode, n->uid, n->gid, out)
				  : -LX_EPERM;
	case LX_S_IFLNK:
		return ops->symlink ? ops->symlink(dir, name, n->target, n->uid, n->gid, out)
				    : -LX_EPERM;
	default:
		return ops->mknod ? ops->mknod(dir, name, n->mode, n->rdev, n->uid, n->gid, out)
				  : -LX_EPERM;
	}
}

int layer_make(const struct path *dir, const char *name, const struct layer_new *n,
	       struct dentry **out)
{
	struct inode *i;
	int err;

	if (dir->dentry->unhashed)
		return -LX_ENOENT;
	err = make(dir->dentry->inode, name, n, &i);
	return err ? err : create_done(dir, name, i, out);
}

int layer_link(const struct path *dir, const char *name, struct inode *target,
	       struct dentry **out)
{
	struct inode *di = dir->dentry->inode;
	int err;

	if (dir->dentry->unhashed)
		return -LX_ENOENT;
	if (di->sb != target->sb)
		return -LX_EXDEV;
	err = di->ops->link ? di->ops->link(di, name, target) : -LX_EPERM;
	if (err)
		return err;
	inode_get(target);
	return create_done(dir, name, target, out);
}

int layer_remove(struct dentry *d)
{
	struct inode *dir = d->parent ? d->parent->inode : NULL;
	bool is_dir = LX_S_ISDIR(d->inode->mode);
	int err;

	if (!dir || d->unhashed)
		return -LX_ENOENT;
	if (d->nmounts)
		return -LX_EBUSY;
	if (is_dir)
		err = dir->ops->rmdir ? dir->ops->rmdir(dir, d->name, d->inode) : -LX_EPERM;
	else
		err = dir->ops->unlink ? dir->ops->unlink(dir, d->name, d->inode) : -LX_EPERM;
	if (err)
		return err;
	if (is_dir)
		dcache_prune(d);
	dentry_removed(d, is_dir);
	return 0;
}

int layer_rename(struct dentry *old, struct dentry *ndir, const char *nname,
		 struct dentry *victim, uint32_t flags)
{
	struct inode *odir = old->parent ? old->parent->inode : NULL;
	char oname[LX_NAME_MAX + 1];
	int err;

	if (!odir || old->unhashed || ndir->unhashed)
		return -LX_ENOENT;
	if (old->nmounts || (victim && victim->nmounts))
		return -LX_EBUSY;
	if (odir->sb != ndir->inode->sb || !odir->ops->rename)
		return -LX_EXDEV;
	memcpy(oname, old->name, old->name_len + 1);
	err = odir->ops->rename(odir, oname, old->inode, ndir->inode, nname,
				victim ? victim->inode : NULL, flags);
	if (!err)
		dcache_renamed(old, ndir, nname, victim, flags);
	return err;
}

int layer_setattr(struct dentry *d, const struct iattr *a)
{
	int err = d->inode->ops->setattr ? d->inode->ops->setattr(d->inode, a) : -LX_EPERM;

	if (!err && (a->valid & IATTR_MODE))
		err = inode_acl_chmod(d->inode);
	if (!err && fsnotify_marks)
		fsnotify_dentry(d, a->valid & IATTR_SIZE ? LX_IN_MODIFY : LX_IN_ATTRIB);
	return err;
}

int layer_open(const struct path *p, uint32_t fmode, uint32_t flags, struct file **out)
{
	struct inode *i = p->dentry->inode;

	return i->ops->open ? i->ops->open(i, p, fmode, flags, out) : -LX_ENXIO;
}

struct mount *layer_mount(const struct path *p, uint32_t flags)
{
	struct mount *m = mount_copy(p->mnt, p->dentry);

	if (m)
		m->flags = flags;
	return m;
}

bool layer_is_below(const struct dentry *d, const struct dentry *top)
{
	return dentry_is_below(d, top);
}

/* ---- files of a lower layer ---- */

struct follower {
	struct file *real;
	struct file *(*renew)(struct file *f, const struct file *real);
};

static struct file *real_file(struct file *f)
{
	struct follower *w = f->priv;
	struct file *fresh = w->renew(f, w->real);

	if (fresh) {
		file_put(w->real);
		w->real = fresh;
	}
	return w->real;
}

static int64_t follow_read(struct file *f, struct uio *u, int64_t *pos, uint32_t rwf)
{
	AUTO_PUT(file) struct file *real = real_file(f);

	file_get(real); /* a cold read drops the kernel lock */
	return real->ops->read ? real->ops->read(real, u, pos, rwf) : -LX_EINVAL;
}

static int64_t follow_seek(struct file *f, int64_t off, int whence)
{
	struct file *real = real_file(f);

	real->pos = f->pos;
	return real->ops->seek ? real->ops->seek(real, off, whence) : -LX_EINVAL;
}

static int follow_mmap(struct file *f, struct file_map *m)
{
	struct file *real = real_file(f);

	return real->ops->mmap ? real->ops->mmap(real, m) : -LX_ENODEV;
}

static void follow_was_read(struct file *f)
{
	struct file *real = ((struct follower *)f->priv)->real;

	if (real->ops->was_read)
		real->ops->was_read(real);
}

static int follow_fsync(struct file *f, bool data_only)
{
	AUTO_PUT(file) struct file *real = real_file(f);

	file_get(real);
	return real->ops->fsync ? real->ops->fsync(real, data_only) : 0;
}

static void follow_release(struct file *f)
{
	struct follower *w = f->priv;

	file_put(w->real);
	free(w);
}

static const struct file_ops follow_ops = {
	.name = "layer",
	.read = follow_read,
	.seek = follow_seek,
	.mmap = follow_mmap,
	.was_read = follow_was_read,
	.fsync = follow_fsync,
	.release = follow_release,
};

int layer_follow(const struct path *path, uint32_t fmode, uint32_t flags, struct file *real,
		 struct file *(*renew)(struct file *f, const struct file *real),
		 struct file **out)
{
	struct follower *w = malloc(sizeof(*w));

	*out = w ? file_new(real->k, &follow_ops, path, fmode, flags) : NULL;
	if (!*out) {
		free(w);
		file_put(real);
		return -LX_ENFILE;
	}
	*w = (struct follower){ real, renew };
	(*out)->priv = w;
	return 0;
}
