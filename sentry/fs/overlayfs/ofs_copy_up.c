/* Copying up: an object of a lower layer gets its upper part when it first changes. It is made
 * whole in the work directory and then renamed to where it belongs, so that nobody ever sees
 * half of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sentry/fs/overlayfs/ofs_impl.h"
#include "sentry/vfs/acl.h"
#include "syscalls/abi/lx_xattr.h"

#define COPY_CHUNK 65536u

void ofs_tmp_name(struct ofs_sb *os, char name[32])
{
	(void)snprintf(name, 32, "#%llx", (unsigned long long)++os->tmp);
}

/* ---- pieces ---- */

static bool all_zero(const uint8_t *b, size_t n)
{
	return n == 0 || (b[0] == 0 && memcmp(b, b + 1, n - 1) == 0);
}

static int write_all(struct file *to, uint8_t *buf, size_t n, int64_t pos)
{
	struct uio u;

	uio_init_kernel(&u, buf, n);
	while (u.resid) {
		int64_t m = to->ops->write ? to->ops->write(to, &u, &pos, 0) : -LX_EINVAL;

		if (m <= 0)
			return m ? (int)m : -LX_EIO;
	}
	return 0;
}

static int copy_data(const struct path *lower, const struct path *upper, uint64_t size)
{
	AUTO_FREE uint8_t *buf = malloc(COPY_CHUNK);
	AUTO_PUT(file) struct file *from = NULL;
	AUTO_PUT(file) struct file *to = NULL;
	struct iattr a = { .valid = IATTR_SIZE };
	uint64_t at = 0;
	int err = buf ? 0 : -LX_ENOMEM;

	if (!err)
		err = layer_open(lower, FMODE_READ, LX_O_RDONLY | LX_O_LARGEFILE, &from);
	if (!err)
		err = layer_open(upper, FMODE_READ | FMODE_WRITE, LX_O_RDWR | LX_O_LARGEFILE, &to);
	while (!err && at < size) {
		uint64_t want = size - at < COPY_CHUNK ? size - at : COPY_CHUNK;
		int64_t n = file_pread_kernel(from, buf, want, (int64_t)at);

		if (n <= 0) {
			err = (int)n;
			break; /* it got shorter meanwhile */
		}
		if (!all_zero(buf, (size_t)n))
			err = write_all(to, buf, (size_t)n, (int64_t)at);
		at += (uint64_t)n;
	}
	a.size = at;
	a.file = to;
	return err ? err : layer_setattr(upper->dentry, &a);
}

static int copy_xattrs(const struct ofs_sb *os, struct inode *from, struct inode *to)
{
	AUTO_FREE char *list = NULL;
	AUTO_FREE char *val = NULL;
	int64_t len;

	if (!from->ops->listxattr || !from->ops->getxattr || !to->ops->setxattr)
		return 0;
	len = from->ops->listxattr(from, NULL, 0);
	if (len <= 0)
		return len == -LX_EOPNOTSUPP ? 0 : (int)len;
	list = malloc((size_t)len);
	val = malloc(LX_XATTR_SIZE_MAX);
	if (!list || !val)
		return -LX_ENOMEM;
	len = from->ops->listxattr(from, list, (size_t)len);
	for (int64_t at = 0; at < len;) {
		size_t n = strnlen(list + at, (size_t)(len - at));
		int64_t size;
		int err;

		if (at + (int64_t)n >= len)
			break;
		size = ofs_own_xattr(os, list + at) || acl_type_of(list + at) >= 0
			       ? -LX_ENODATA
			       : from->ops->getxattr(from, list + at, val, LX_XATTR_SIZE_MAX);
		if (size >= 0) {
			err = to->ops->setxattr(to, list + at, val, (size_t)size, 0);
			/* What the upper file system cannot hold, it does not show. */
			if (err && err != -LX_EOPNOTSUPP && err != -LX_EPERM)
				return err;
		}
		at += (int64_t)n + 1;
	}
	return len < 0 ? (int)len : 0;
}

static int copy_attrs(const struct kstat *st, struct dentry *to)
{
	struct iattr a = { .valid = IATTR_UID | IATTR_GID, .uid = st->uid, .gid = st->gid };
	int err = layer_setattr(to, &a);

	a = (struct iattr){ .valid = IATTR_ATIME | IATTR_MTIME, .atime = st->atime,
			    .mtime = st->mtime };
	if (!LX_S_ISLNK(st->mode)) {
		a.valid |= IATTR_MODE;
		a.mode = st->mode;
	}
	return err ? err : layer_setattr(to, &a);
}

/* ---- one object ---- */

static int make_copy(struct ofs_sb *os, struct ofs_inode *o, const struct kstat *st,
		     uint64_t limit, struct dentry **out)
{
	struct path work = { os->work, os->workdir }, from = ofs_path(&o->lower[0]), to;
	struct layer_new n = { .mode = st->mode, .rdev = o->vfs.rdev, .uid = st->uid,
			       .gid = st->gid };
	struct inode *low = from.dentry->inode;
	char target[LX_PATH_MAX + 1], name[32];
	int err;

	if (LX_S_ISLNK(st->mode)) {
		int len = low->ops->readlink ? low->ops->readlink(low, target, LX_PATH_MAX)
					     : -LX_EINVAL;

		if (len < 0)
			return len;
		target[len] = '\0';
		n.target = target;
	}
	ofs_tmp_name(os, name);
	err = layer_make(&work, name, &n, out);
	if (err)
		return err;
	to = (struct path){ os->work, *out };
	if (LX_S_ISREG(st->mode) && limit)
		err = copy_data(&from, &to, limit < st->size ? limit : st->size);
	if (!err)
		err = copy_xattrs(os, low, (*out)->inode);
	if (!err)
		err = copy_attrs(st, *out);
	if (!err)
		err = inode_acl_copy(low, (*out)->inode);
	if (err) {
		(void)layer_remove(*out);
		dentry_put(*out);
	}
	return err;
}

/* The directory above has an upper part. */
static int copy_one(struct ofs_inode *o, uint64_t limit)
{
	struct ofs_sb *os = ofs_s(o->vfs.sb);
	struct ofs_inode *up = ofs_i(o->parent);
	struct path low = ofs_path(&o->lower[0]), dir = ofs_path(&up->upper);
	struct kstat st, dir_st;
	struct dentry *d, *taken;
	struct iattr times;
	int err = vfs_getattr(&low, &st);

	if (!err)
		err = vfs_getattr(&dir, &dir_st);
	if (!err)
		err = make_copy(os, o, &st, limit, &d);
	if (err)
		return err;
	/* The reads may have dropped the kernel lock, and somebody else was here. */
	if (!o->upper.dentry) {
		err = o->vfs.nlink ? layer_lookup(dir.dentry, o->name, &taken) : -LX_ENOENT;
		if (!err) {
			dentry_put(taken);
			err = -LX_ESTALE;
		} else if (err == -LX_ENOENT) {
			/* One that was removed meanwhile lives on without a name. */
			err = o->vfs.nlink ? layer_rename(d, dir.dentry, o->name, NULL, 0)
					   : layer_remove(d);
		}
		if (!err) {
			ofs_set_upper(o, d);
			times = (struct iattr){ .valid = IATTR_ATIME | IATTR_MTIME,
						.atime = dir_st.atime, .mtime = dir_st.mtime };
			(void)layer_setattr(dir.dentry, &times);
			dentry_put(d);
			return 0;
		}
	}
	(void)layer_remove(d);
	dentry_put(d);
	return err;
}

int ofs_copy_up(struct inode *i, uint64_t limit)
{
	struct ofs_inode *o = ofs_i(i);

	if (!o->upper.dentry && !ofs_s(i->sb)->upper)
		return -LX_EROFS;
	while (!o->upper.dentry) {
		struct ofs_inode *at = o;
		int err;

		while (!ofs_i(at->parent)->upper.dentry)
			at = ofs_i(at->parent);
		inode_get(&at->vfs);
		err = copy_one(at, at == o ? limit : UINT64_MAX);
		inode_put(&at->vfs);
		if (err)
			return err;
	}
	return 0;
}
