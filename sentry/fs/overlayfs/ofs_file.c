/* Opening. What is opened for writing is the upper layer's own file, shown under the overlay's
 * path: reads, writes and mappings cost what they cost there. What is opened for reading while
 * it is still in a lower layer goes over to the upper file when that comes to be. */
#include "sentry/fs/overlayfs/ofs_impl.h"

/* f->priv: the layer's file. */
static struct file *real_file(struct file *f)
{
	struct file *real = f->priv, *fresh;
	struct ofs_inode *o = ofs_i(f->inode);
	struct path upper;

	if (!o->upper.dentry || real->inode == o->upper.dentry->inode)
		return real;
	upper = ofs_path(&o->upper);
	if (layer_open(&upper, FMODE_READ, real->flags, &fresh))
		return real;
	f->priv = fresh;
	file_put(real);
	return fresh;
}

static int64_t lower_read(struct file *f, struct uio *u, int64_t *pos, uint32_t rwf)
{
	AUTO_PUT(file) struct file *real = real_file(f);

	file_get(real); /* a cold read drops the kernel lock */
	return real->ops->read ? real->ops->read(real, u, pos, rwf) : -LX_EINVAL;
}

static int64_t lower_seek(struct file *f, int64_t off, int whence)
{
	struct file *real = real_file(f);

	real->pos = f->pos;
	return real->ops->seek ? real->ops->seek(real, off, whence) : -LX_EINVAL;
}

static int lower_mmap(struct file *f, struct file_map *m)
{
	struct file *real = real_file(f);

	return real->ops->mmap ? real->ops->mmap(real, m) : -LX_ENODEV;
}

static int lower_fsync(struct file *f, bool data_only)
{
	AUTO_PUT(file) struct file *real = real_file(f);

	file_get(real);
	return real->ops->fsync ? real->ops->fsync(real, data_only) : 0;
}

static void lower_release(struct file *f)
{
	file_put(f->priv);
}

static const struct file_ops lower_file_ops = {
	.name = "overlayfs-lower",
	.read = lower_read,
	.seek = lower_seek,
	.mmap = lower_mmap,
	.fsync = lower_fsync,
	.release = lower_release,
};

static int open_lower(struct ofs_inode *o, const struct path *path, uint32_t fmode,
		      uint32_t flags, struct file **out)
{
	struct path real = ofs_path(&o->lower[0]);
	struct file *f;
	int err = layer_open(&real, fmode, flags, &f);

	if (err)
		return err;
	*out = file_new(o->vfs.sb->k, &lower_file_ops, path, fmode, flags);
	if (!*out) {
		file_put(f);
		return -LX_ENFILE;
	}
	(*out)->priv = f;
	return 0;
}

int ofs_open(struct inode *i, const struct path *path, uint32_t fmode, uint32_t flags,
	     struct file **out)
{
	struct ofs_inode *o = ofs_i(i);
	struct path real;
	int err;

	if (LX_S_ISDIR(i->mode))
		return ofs_open_dir(i, path, fmode, flags, out);
	if (!LX_S_ISREG(i->mode))
		return -LX_ENXIO;
	if (fmode & FMODE_WRITE) {
		err = ofs_copy_up(i, flags & LX_O_TRUNC ? 0 : UINT64_MAX);
		if (err)
			return err;
	}
	if (!o->upper.dentry)
		return open_lower(o, path, fmode, flags, out);
	real = ofs_path(&o->upper);
	err = layer_open(&real, fmode, flags, out);
	if (err)
		return err;
	path_put(&(*out)->path);
	(*out)->path = *path;
	path_get(path);
	return 0;
}
