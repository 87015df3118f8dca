/* What files are: the stat family, statfs, access. */
#include <string.h>

#include "sentry/mm/usercopy.h"
#include "sentry/task/task.h"
#include "sentry/vfs/namei.h"
#include "sentry/vfs/fileattr.h"
#include "sentry/vfs/vfs.h"
#include "syscalls/abi/lx_fcntl.h"
#include "syscalls/abi/lx_stat.h"
#include "syscalls/abi/lx_statfs.h"
#include "syscalls/syscall_args.h"

static int lookup(struct task *t, int dfd, struct uaddr filename, unsigned walk,
		  struct path *out)
{
	AUTO_FREE char *name = NULL;
	int err;

	/* A NULL path with AT_EMPTY_PATH is an empty one. */
	if (!filename.v && (walk & WALK_EMPTY))
		return vfs_lookup(t, dfd, "", walk, out);
	err = copy_in_path(t, filename, &name);
	return err ? err : vfs_lookup(t, dfd, name, walk, out);
}

static int getattr_at(struct task *t, int dfd, struct uaddr filename, unsigned walk,
		      struct kstat *st)
{
	struct path p;
	int err = lookup(t, dfd, filename, walk, &p);

	if (err)
		return err;
	err = vfs_getattr(&p, st);
	path_put(&p);
	return err;
}

static int getattr_fd(struct task *t, int fd, struct kstat *st)
{
	int err;
	AUTO_PUT(file) struct file *f = fd_file_any(t, fd, &err);

	return f ? file_getattr(f, st) : err;
}

static long stat_out(struct task *t, const struct kstat *st, struct uaddr out)
{
	struct lx_stat s = {
		.st_dev = LX_MKDEV(st->dev_major, st->dev_minor),
		.st_ino = st->ino,
		.st_nlink = st->nlink,
		.st_mode = st->mode,
		.st_uid = st->uid,
		.st_gid = st->gid,
		.st_rdev = LX_MKDEV(st->rdev_major, st->rdev_minor),
		.st_size = (int64_t)st->size,
		.st_blksize = st->blksize,
		.st_blocks = (int64_t)st->blocks,
		.st_atime_sec = (uint64_t)st->atime.sec,
		.st_atime_nsec = st->atime.nsec,
		.st_mtime_sec = (uint64_t)st->mtime.sec,
		.st_mtime_nsec = st->mtime.nsec,
		.st_ctime_sec = (uint64_t)st->ctime.sec,
		.st_ctime_nsec = st->ctime.nsec,
	};

	return copy_out(t, out, &s, sizeof(s));
}

long sys_stat(struct task *t, const struct stat_args *a)
{
	struct kstat st;
	int err = getattr_at(t, LX_AT_FDCWD, a->filename, WALK_FOLLOW, &st);

	return err ? err : stat_out(t, &st, a->statbuf);
}

long sys_lstat(struct task *t, const struct lstat_args *a)
{
	struct kstat st;
	int err = getattr_at(t, LX_AT_FDCWD, a->filename, 0, &st);

	return err ? err : stat_out(t, &st, a->statbuf);
}

long sys_fstat(struct task *t, const struct fstat_args *a)
{
	struct kstat st;
	int err = getattr_fd(t, a->fd, &st);

	return err ? err : stat_out(t, &st, a->statbuf);
}

static unsigned at_to_walk(uint32_t flags)
{
	return (flags & LX_AT_SYMLINK_NOFOLLOW ? 0 : WALK_FOLLOW) |
	       (flags & LX_AT_EMPTY_PATH ? WALK_EMPTY : 0);
}

long sys_newfstatat(struct task *t, const struct newfstatat_args *a)
{
	struct kstat st;
	int err;

	if (a->flag & ~(LX_AT_SYMLINK_NOFOLLOW | LX_AT_NO_AUTOMOUNT | LX_AT_EMPTY_PATH |
			LX_AT_STATX_SYNC_TYPE))
		return -LX_EINVAL;
	err = getattr_at(t, a->dfd, a->filename, at_to_walk(a->flag), &st);
	return err ? err : stat_out(t, &st, a->statbuf);
}

static struct lx_statx_timestamp stamp(struct ktime64 k)
{
	return (struct lx_statx_timestamp){ .tv_sec = k.sec, .tv_nsec = k.nsec };
}

long sys_statx(struct task *t, const struct statx_args *a)
{
	const uint32_t known = LX_AT_SYMLINK_NOFOLLOW | LX_AT_NO_AUTOMOUNT | LX_AT_EMPTY_PATH |
			       LX_AT_STATX_SYNC_TYPE;
	struct lx_statx s;
	struct kstat st;
	struct path p;
	int err;

	if (a->mask & LX_STATX__RESERVED)
		return -LX_EINVAL;
	if ((a->flags & ~known) ||
	    (a->flags & LX_AT_STATX_SYNC_TYPE) == LX_AT_STATX_SYNC_TYPE)
		return -LX_EINVAL;
	err = lookup(t, a->dfd, a->filename, at_to_walk(a->flags), &p);
	if (err)
		return err;
	err = vfs_getattr(&p, &st);
	memset(&s, 0, sizeof(s));
	s.stx_mask = LX_STATX_BASIC_STATS;
	if (a->mask & LX_STATX_MNT_ID_UNIQUE) {
		s.stx_mask |= LX_STATX_MNT_ID_UNIQUE;
		s.stx_mnt_id = mount_unique_id(p.mnt);
	} else {
		s.stx_mask |= LX_STATX_MNT_ID;
		s.stx_mnt_id = (uint64_t)p.mnt->id;
	}
	s.stx_attributes = vfs_attributes(&p, &s.stx_attributes_mask);
	path_put(&p);
	if (err)
		return err;
	s.stx_blksize = st.blksize;
	s.stx_nlink = st.nlink;
	s.stx_uid = st.uid;
	s.stx_gid = st.gid;
	s.stx_mode = (uint16_t)st.mode;
	s.stx_ino = st.ino;
	s.stx_size = st.size;
	s.stx_blocks = st.blocks;
	s.stx_atime = stamp(st.atime);
	s.stx_mtime = stamp(st.mtime);
	s.stx_ctime = stamp(st.ctime);
	/* As the file systems of Linux that have a time of birth, and multigrain times. */
	if (!(a->mask & (LX_STATX_MTIME | LX_STATX_CTIME)))
		s.stx_mask &= ~(uint32_t)(LX_STATX_MTIME | LX_STATX_CTIME);
	if ((a->mask & LX_STATX_BTIME) && (st.btime.sec || st.btime.nsec)) {
		s.stx_mask |= LX_STATX_BTIME;
		s.stx_btime = stamp(st.btime);
	}
	s.stx_rdev_major = st.rdev_major;
	s.stx_rdev_minor = st.rdev_minor;
	s.stx_dev_major = st.dev_major;
	s.stx_dev_minor = st.dev_minor;
	return copy_out(t, a->buffer, &s, sizeof(s));
}

/* ---- statfs ---- */

long sys_statfs(struct task *t, const struct statfs_args *a)
{
	struct lx_statfs s;
	struct path p;
	int err = lookup(t, LX_AT_FDCWD, a->pathname, WALK_FOLLOW, &p);

	if (err)
		return err;
	err = vfs_statfs(&p, &s);
	path_put(&p);
	return err ? err : copy_out(t, a->buf, &s, sizeof(s));
}

long sys_fstatfs(struct task *t, const struct fstatfs_args *a)
{
	int err;
	AUTO_PUT(file) struct file *f = fd_file_any(t, a->fd, &err);
	struct lx_statfs s;

	if (!f)
		return err;
	err = vfs_statfs(&f->path, &s);
	return err ? err : copy_out(t, a->buf, &s, sizeof(s));
}

/* ---- access ---- */

static long do_access(struct task *t, int dfd, struct uaddr filename, uint32_t mode,
		      uint32_t flags)
{
	struct path p;
	int err;

	if (mode & ~7u)
		return -LX_EINVAL;
	if (flags & ~(LX_AT_EACCESS | LX_AT_SYMLINK_NOFOLLOW | LX_AT_EMPTY_PATH))
		return -LX_EINVAL;
	err = lookup(t, dfd, filename, at_to_walk(flags), &p);
	if (err)
		return err;
	/* R_OK, W_OK and X_OK have the values of the MAY_ masks. */
	err = vfs_access(t, &p, mode, flags & LX_AT_EACCESS);
	path_put(&p);
	return err;
}

long sys_access(struct task *t, const struct access_args *a)
{
	return do_access(t, LX_AT_FDCWD, a->filename, a->mode, 0);
}

long sys_faccessat(struct task *t, const struct faccessat_args *a)
{
	return do_access(t, a->dfd, a->filename, a->mode, 0);
}

long sys_faccessat2(struct task *t, const struct faccessat2_args *a)
{
	return do_access(t, a->dfd, a->filename, a->mode, a->flags);
}
