/* Opening. What is opened for writing is the upper layer's own file, shown under the overlay's
 * path: reads, writes and mappings cost what they cost there. What is opened for reading while
 * it is still in a lower layer goes over to the upper file when that comes to be. */
#include "sentry/fs/overlayfs/ofs_impl.h"

static struct file *renew(struct file *f, const struct file *real)
{
	struct ofs_inode *o = ofs_i(f->inode);
	struct file *fresh;
	struct path upper;

	if (!o->upper.dentry || real->inode == o->upper.dentry->inode)
		return NULL;
	upper = ofs_path(&o->upper);
	return layer_open(&upper, FMODE_READ, real->flags, &fresh) ? NULL : fresh;
}

static int open_lower(struct ofs_inode *o, const struct path *path, uint32_t fmode,
		      uint32_t flags, struct file **out)
{
	struct path real = ofs_path(&o->lower[0]);
	struct file *f;
	int err = layer_open(&real, fmode, flags, &f);

	return err ? err : layer_follow(path, fmode, flags, f, renew, out);
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
