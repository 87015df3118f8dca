/* Inode flags: ioctl(2) FS_IOC_*, file_getattr(2), file_setattr(2). Two forms of the same
 * thing: the flags of ext2, and those of XFS with more around them. */
#include <string.h>

#include "sentry/mm/usercopy.h"
#include "sentry/task/task.h"
#include "sentry/vfs/fileattr.h"
#include "sentry/vfs/vfs.h"
#include "syscalls/abi/lx_fcntl.h"
#include "syscalls/fileattr.h"
#include "syscalls/syscall_args.h"

static const struct {
	uint32_t fl, x;
} forms[] = {
	{ LX_FS_IMMUTABLE_FL, LX_FS_XFLAG_IMMUTABLE }, { LX_FS_APPEND_FL, LX_FS_XFLAG_APPEND },
	{ LX_FS_SYNC_FL, LX_FS_XFLAG_SYNC },	       { LX_FS_NOATIME_FL, LX_FS_XFLAG_NOATIME },
	{ LX_FS_NODUMP_FL, LX_FS_XFLAG_NODUMP },       { LX_FS_DAX_FL, LX_FS_XFLAG_DAX },
	{ LX_FS_PROJINHERIT_FL, LX_FS_XFLAG_PROJINHERIT },
};
#define NFORMS (sizeof(forms) / sizeof(forms[0]))

static uint32_t to_xflags(uint32_t fl)
{
	uint32_t x = 0;

	for (unsigned n = 0; n < NFORMS; n++)
		x |= fl & forms[n].fl ? forms[n].x : 0;
	return x;
}

/* From the other form; *only: what it can say. */
static uint32_t from_xflags(uint32_t x, uint32_t *only)
{
	uint32_t fl = 0;

	*only = 0;
	for (unsigned n = 0; n < NFORMS; n++) {
		fl |= x & forms[n].x ? forms[n].fl : 0;
		*only |= forms[n].fl;
	}
	return fl;
}

static int set_x(struct task *t, const struct path *p, uint64_t x, const uint32_t more[4])
{
	uint32_t only, common = LX_FS_XFLAG_COMMON, fl = from_xflags((uint32_t)x, &only);

	/* Extent sizes, project numbers: no file system here has them. */
	if ((x & ~(uint64_t)common) || more[0] || more[2] || more[3]) {
		int err = vfs_fileattr_get(p, &fl);

		return err ? err : -LX_EOPNOTSUPP;
	}
	return vfs_fileattr_set(t, p, fl, only);
}

long fileattr_ioctl(struct task *t, struct file *f, uint32_t cmd, struct uaddr arg)
{
	struct lx_fsxattr x = { .xflags = 0 };
	uint32_t fl;
	int err;

	switch (cmd) {
	case LX_FS_IOC_GETFLAGS:
		err = vfs_fileattr_get(&f->path, &fl);
		return err ? err : copy_out(t, arg, &fl, sizeof(fl));
	case LX_FS_IOC_SETFLAGS:
		if (copy_in(t, &fl, arg, sizeof(fl)))
			return -LX_EFAULT;
		return vfs_fileattr_set(t, &f->path, fl, UINT32_MAX);
	case LX_FS_IOC_FSGETXATTR:
		err = vfs_fileattr_get(&f->path, &fl);
		x.xflags = to_xflags(fl);
		return err ? err : copy_out(t, arg, &x, sizeof(x));
	default: /* LX_FS_IOC_FSSETXATTR */
		if (copy_in(t, &x, arg, sizeof(x)))
			return -LX_EFAULT;
		return set_x(t, &f->path, x.xflags,
			     (uint32_t[]){ x.extsize, 0, x.projid, x.cowextsize });
	}
}

static int find(struct task *t, int dfd, struct uaddr name, uint32_t at_flags, struct path *out)
{
	AUTO_FREE char *path = NULL;
	unsigned walk = at_flags & LX_AT_SYMLINK_NOFOLLOW ? 0 : WALK_FOLLOW;
	int err = copy_in_path(t, name, &path);

	if (err)
		return err;
	return vfs_lookup(t, dfd, path, walk | (at_flags & LX_AT_EMPTY_PATH ? WALK_EMPTY : 0),
			  out);
}

static int check_args(uint32_t at_flags, uint64_t usize)
{
	if (at_flags & ~(LX_AT_SYMLINK_NOFOLLOW | LX_AT_EMPTY_PATH))
		return -LX_EINVAL;
	if (usize > 4096)
		return -LX_E2BIG;
	return usize < LX_FILE_ATTR_SIZE_VER0 ? -LX_EINVAL : 0;
}

long sys_file_getattr(struct task *t, const struct file_getattr_args *a)
{
	struct lx_file_attr attr = { .xflags = 0 };
	uint8_t buf[4096] = { 0 }; /* what newer callers have room for */
	struct path p;
	uint32_t fl;
	int err = check_args(a->at_flags, a->usize);

	if (!err)
		err = find(t, a->dfd, a->filename, a->at_flags, &p);
	if (err)
		return err;
	err = vfs_fileattr_get(&p, &fl);
	path_put(&p);
	if (err)
		return err == -LX_ENOTTY ? -LX_EOPNOTSUPP : err;
	attr.xflags = to_xflags(fl);
	memcpy(buf, &attr, sizeof(attr));
	return copy_out(t, a->ufattr, buf, a->usize);
}

long sys_file_setattr(struct task *t, const struct file_setattr_args *a)
{
	struct lx_file_attr attr;
	struct path p;
	int err = check_args(a->at_flags, a->usize);

	if (!err)
		err = copy_in_sized(t, &attr, sizeof(attr), a->ufattr, a->usize);
	if (!err && (attr.xflags & ~LX_FS_XFLAGS))
		err = -LX_EINVAL;
	if (!err)
		err = find(t, a->dfd, a->filename, a->at_flags, &p);
	if (err)
		return err;
	err = set_x(t, &p, attr.xflags,
		    (uint32_t[]){ attr.extsize, 0, attr.projid, attr.cowextsize });
	path_put(&p);
	return err == -LX_ENOTTY ? -LX_EOPNOTSUPP : err;
}
