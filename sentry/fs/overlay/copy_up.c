/* Taking over from the lower layer, piece by piece: attributes, extended attributes and
 * contents are each copied when they first change. */
#include <stdlib.h>
#include <string.h>

#include "sentry/fs/overlay/overlay_impl.h"
#include "sentry/vfs/acl.h"
#include "syscalls/abi/lx_xattr.h"

#define COPY_CHUNK 65536u

int ovl_own_attrs(struct ovl_inode *o)
{
	struct inode *i = &o->vfs;

	if (!o->own_attrs) {
		struct kstat st;

		if (o->lower->ops->getattr) {
			int err = o->lower->ops->getattr(o->lower, &st);

			if (err)
				return err;
			i->mode = (i->mode & LX_S_IFMT) | (st.mode & LX_S_IALLUGO);
			i->uid = st.uid;
			i->gid = st.gid;
			i->atime = st.atime;
			i->mtime = st.mtime;
			i->ctime = st.ctime;
			if (LX_S_ISREG(i->mode) && !o->own_data) {
				i->size = st.size;
				i->blocks = st.blocks;
			}
		}
		o->own_attrs = true;
	}
	ovl_pin(o);
	return 0;
}

int ovl_open_lower(struct ovl_inode *o, uint32_t fmode, uint32_t flags, struct file **out)
{
	struct path p = { ovl_s(o->vfs.sb)->lower_mnt, NULL };
	int err;

	if (!o->lower->ops->open)
		return -LX_ENXIO;
	p.dentry = dentry_new_root(o->lower);
	if (!p.dentry)
		return -LX_ENOMEM;
	err = o->lower->ops->open(o->lower, &p, fmode, flags, out);
	dentry_put(p.dentry);
	return err;
}

static bool all_zero(const uint8_t *b, size_t n)
{
	return n == 0 || (b[0] == 0 && memcmp(b, b + 1, n - 1) == 0);
}

static int copy_bytes(struct file *from, struct memfile *to, uint64_t size, uint8_t *buf)
{
	uint64_t at = 0;
	int err = memfile_truncate(to, size);

	while (!err && at < size) {
		uint64_t want = size - at < COPY_CHUNK ? size - at : COPY_CHUNK;
		int64_t n = file_pread_kernel(from, buf, want, (int64_t)at);
		struct uio u;

		if (n < 0)
			return (int)n;
		if (n == 0) /* it got shorter meanwhile */
			return memfile_truncate(to, at);
		if (!all_zero(buf, (size_t)n)) {
			uio_init_kernel(&u, buf, (size_t)n);
			while (u.resid) {
				int64_t m = memfile_write(to, &u,
							  (int64_t)at + n - (int64_t)u.resid);

				if (m <= 0)
					return m ? (int)m : -LX_EIO;
			}
		}
		at += (uint64_t)n;
	}
	return err;
}

int ovl_own_data(struct ovl_inode *o, uint64_t limit)
{
	struct inode *i = &o->vfs;
	AUTO_FREE uint8_t *buf = NULL;
	AUTO_PUT(file) struct file *from = NULL;
	struct memfile copy;
	int err;

	if (o->own_data)
		return ovl_own_attrs(o);
	err = ovl_own_attrs(o);
	if (err)
		return err;
	memfile_init(&copy, &ovl_s(i->sb)->q);
	if (limit > i->size)
		limit = i->size;
	if (limit) {
		buf = malloc(COPY_CHUNK);
		if (!buf)
			return -LX_ENOMEM;
		err = ovl_open_lower(o, FMODE_READ, LX_O_RDONLY, &from);
		if (!err)
			err = copy_bytes(from, &copy, limit, buf);
	}
	/* The reads may have dropped the kernel lock, and somebody else was here. */
	if (err || o->own_data) {
		memfile_fini(&copy);
		return err;
	}
	o->file = copy;
	o->own_data = true;
	i->size = copy.size;
	i->blocks = copy.pages * 8;
	return 0;
}

/* The lists, while they are the lower file's. */
static int copy_acls(struct ovl_inode *o)
{
	for (int type = ACL_ACCESS; type <= ACL_DEFAULT; type++) {
		AUTO_PUT(acl) struct acl *a = NULL;
		int err = inode_acl(&o->vfs, type, &a);

		if (!err)
			inode_acl_know(&o->vfs, type, a);
		else if (err != -LX_EOPNOTSUPP)
			return err;
	}
	return 0;
}

static int copy_one_xattr(struct ovl_inode *o, const char *name, uint8_t *val)
{
	int64_t n = o->lower->ops->getxattr(o->lower, name, val, LX_XATTR_SIZE_MAX);

	if (n < 0)
		return n == -LX_ENODATA || n == -LX_EOPNOTSUPP ? 0 : (int)n;
	return simple_xattr_set(&o->xattrs, name, val, (size_t)n, 0);
}

int ovl_own_xattrs(struct ovl_inode *o)
{
	const struct inode_ops *ops = o->lower ? o->lower->ops : NULL;
	AUTO_FREE char *list = NULL;
	AUTO_FREE uint8_t *val = NULL;
	int64_t len;
	int err = ovl_own_attrs(o);

	if (!err && !o->own_xattrs)
		err = copy_acls(o);
	if (err || o->own_xattrs)
		return err;
	if (ops && ops->listxattr && ops->getxattr) {
		list = malloc(LX_XATTR_LIST_MAX);
		val = malloc(LX_XATTR_SIZE_MAX);
		if (!list || !val)
			return -LX_ENOMEM;
		len = ops->listxattr(o->lower, list, LX_XATTR_LIST_MAX);
		if (len < 0 && len != -LX_EOPNOTSUPP)
			return (int)len;
		for (int64_t at = 0; at < len && !err;) {
			size_t n = strnlen(list + at, (size_t)(len - at));

			if (at + (int64_t)n >= len)
				break;
			if (acl_type_of(list + at) < 0)
				err = copy_one_xattr(o, list + at, val);
			at += (int64_t)n + 1;
		}
		if (err) {
			simple_xattrs_fini(&o->xattrs);
			return err;
		}
	}
	o->own_xattrs = true;
	return 0;
}
