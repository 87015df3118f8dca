/* Changing what files are: mode, owner, times. */
#include "sentry/mm/usercopy.h"
#include "sentry/task/task.h"
#include "sentry/vfs/namei.h"
#include "sentry/vfs/vfs.h"
#include "syscalls/abi/lx_fcntl.h"
#include "syscalls/abi/lx_stat.h"
#include "syscalls/abi/lx_time.h"
#include "syscalls/syscall_args.h"

/* The path that (dfd, filename, at_flags) names. */
static int path_at(struct task *t, int dfd, struct uaddr filename, uint32_t at_flags,
		   struct path *out)
{
	AUTO_FREE char *name = NULL;
	unsigned walk = (at_flags & LX_AT_SYMLINK_NOFOLLOW ? 0 : WALK_FOLLOW) |
			(at_flags & LX_AT_EMPTY_PATH ? WALK_EMPTY : 0);
	int err;

	if (at_flags & ~(LX_AT_SYMLINK_NOFOLLOW | LX_AT_EMPTY_PATH))
		return -LX_EINVAL;
	err = copy_in_path(t, filename, &name);
	return err ? err : vfs_lookup(t, dfd, name, walk, out);
}

/* ---- mode ---- */

static long chmod_at(struct task *t, int dfd, struct uaddr filename, uint32_t mode,
		     uint32_t at_flags)
{
	struct path p;
	int err = path_at(t, dfd, filename, at_flags, &p);

	if (err)
		return err;
	err = vfs_chmod(t, &p, mode);
	path_put(&p);
	return err;
}

long sys_chmod(struct task *t, const struct chmod_args *a)
{
	return chmod_at(t, LX_AT_FDCWD, a->filename, a->mode, 0);
}

long sys_fchmodat(struct task *t, const struct fchmodat_args *a)
{
	return chmod_at(t, a->dfd, a->filename, a->mode, 0);
}

long sys_fchmodat2(struct task *t, const struct fchmodat2_args *a)
{
	return chmod_at(t, a->dfd, a->filename, a->mode, a->flags);
}

long sys_fchmod(struct task *t, const struct fchmod_args *a)
{
	int err;
	AUTO_PUT(file) struct file *f = fd_file(t, a->fd, &err);

	return f ? vfs_chmod(t, &f->path, a->mode) : err;
}

/* ---- owner ---- */

static long chown_at(struct task *t, int dfd, struct uaddr filename, uint32_t uid, uint32_t gid,
		     uint32_t at_flags)
{
	struct path p;
	int err = path_at(t, dfd, filename, at_flags, &p);

	if (err)
		return err;
	err = vfs_chown(t, &p, uid, gid);
	path_put(&p);
	return err;
}

long sys_chown(struct task *t, const struct chown_args *a)
{
	return chown_at(t, LX_AT_FDCWD, a->filename, a->user, a->group, 0);
}

long sys_lchown(struct task *t, const struct lchown_args *a)
{
	return chown_at(t, LX_AT_FDCWD, a->filename, a->user, a->group, LX_AT_SYMLINK_NOFOLLOW);
}

long sys_fchownat(struct task *t, const struct fchownat_args *a)
{
	return chown_at(t, a->dfd, a->filename, a->user, a->group, a->flag);
}

long sys_fchown(struct task *t, const struct fchown_args *a)
{
	int err;
	AUTO_PUT(file) struct file *f = fd_file(t, a->fd, &err);

	return f ? vfs_chown(t, &f->path, a->user, a->group) : err;
}

/* ---- times ---- */

static long utimes_fd(struct task *t, int fd, const struct vfs_times *times)
{
	int err;
	AUTO_PUT(file) struct file *f = fd_file(t, fd, &err);

	return f ? vfs_utimes(t, &f->path, times) : err;
}

/* filename NULL with a real dfd: the file itself. */
static long utimes_at(struct task *t, int dfd, struct uaddr filename,
		      const struct vfs_times *times, uint32_t at_flags)
{
	struct path p;
	int err;

	if (!filename.v && dfd != LX_AT_FDCWD)
		return at_flags ? -LX_EINVAL : utimes_fd(t, dfd, times);
	err = path_at(t, dfd, filename, at_flags, &p);
	if (err)
		return err;
	err = vfs_utimes(t, &p, times);
	path_put(&p);
	return err;
}

static void set_one(struct vfs_times *times, const struct lx_timespec *ts, struct ktime64 *k,
		    bool *set, bool *now)
{
	*now = ts->nsec == LX_UTIME_NOW;
	*set = ts->nsec != LX_UTIME_OMIT;
	if (!*now && *set && (ts->nsec < 0 || ts->nsec >= LX_NSEC_PER_SEC))
		times->invalid = true;
	*k = (struct ktime64){ ts->sec, *now || !*set ? 0 : (uint32_t)ts->nsec };
}

long sys_utimensat(struct task *t, const struct utimensat_args *a)
{
	struct lx_timespec ts[2];
	struct vfs_times times = { .invalid = false };

	if (!a->utimes.v)
		return utimes_at(t, a->dfd, a->filename, NULL, a->flags);
	if (copy_in(t, ts, a->utimes, sizeof(ts)))
		return -LX_EFAULT;
	/* Nothing to do, and nothing is looked at. */
	if (ts[0].nsec == LX_UTIME_OMIT && ts[1].nsec == LX_UTIME_OMIT)
		return 0;
	set_one(&times, &ts[0], &times.atime, &times.set_atime, &times.atime_now);
	set_one(&times, &ts[1], &times.mtime, &times.set_mtime, &times.mtime_now);
	return utimes_at(t, a->dfd, a->filename, &times, a->flags);
}

static long utimes_tv(struct task *t, int dfd, struct uaddr filename, struct uaddr utimes)
{
	struct vfs_times times = { .set_atime = true, .set_mtime = true };
	struct lx_timeval tv[2];

	if (!utimes.v)
		return utimes_at(t, dfd, filename, NULL, 0);
	if (copy_in(t, tv, utimes, sizeof(tv)))
		return -LX_EFAULT;
	for (int i = 0; i < 2; i++)
		if (tv[i].usec < 0 || tv[i].usec >= 1000000)
			return -LX_EINVAL;
	times.atime = (struct ktime64){ tv[0].sec, (uint32_t)tv[0].usec * 1000 };
	times.mtime = (struct ktime64){ tv[1].sec, (uint32_t)tv[1].usec * 1000 };
	return utimes_at(t, dfd, filename, &times, 0);
}

long sys_futimesat(struct task *t, const struct futimesat_args *a)
{
	return utimes_tv(t, a->dfd, a->filename, a->utimes);
}

long sys_utimes(struct task *t, const struct utimes_args *a)
{
	return utimes_tv(t, LX_AT_FDCWD, a->filename, a->utimes);
}

long sys_utime(struct task *t, const struct utime_args *a)
{
	struct vfs_times times = { .set_atime = true, .set_mtime = true };
	struct lx_utimbuf ub;

	if (!a->times.v)
		return utimes_at(t, LX_AT_FDCWD, a->filename, NULL, 0);
	if (copy_in(t, &ub, a->times, sizeof(ub)))
		return -LX_EFAULT;
	times.atime.sec = ub.actime;
	times.mtime.sec = ub.modtime;
	times.atime.nsec = times.mtime.nsec = 0;
	return utimes_at(t, LX_AT_FDCWD, a->filename, &times, 0);
}
