/* open(2), openat(2), openat2(2), creat(2). */
#include "sentry/mm/usercopy.h"
#include "sentry/task/task.h"
#include "sentry/vfs/file_io.h"
#include "sentry/vfs/namei.h"
#include "sentry/vfs/vfs.h"
#include "syscalls/abi/lx_fcntl.h"
#include "syscalls/abi/lx_stat.h"
#include "syscalls/syscall_args.h"

static long open_common(struct task *t, int dfd, struct uaddr filename, uint32_t flags,
			uint32_t mode, uint64_t resolve)
{
	AUTO_FREE char *name = NULL;
	AUTO_PUT(file) struct file *f = NULL;
	int err = vfs_open_check(flags, resolve);

	if (!err)
		err = copy_in_path(t, filename, &name);
	if (!err)
		err = fdtable_room(t);
	if (!err)
		err = vfs_open(t, dfd, name, flags, mode, resolve, &f);
	if (err)
		return err;
	return fdtable_add(t, f, flags & LX_O_CLOEXEC ? FD_CLOEXEC_FLAG : 0);
}

/* The old calls ignore flags they do not know. */
static long open_old(struct task *t, int dfd, struct uaddr filename, uint32_t flags,
		     uint32_t mode)
{
	if (!(flags & (LX_O_CREAT | LX___O_TMPFILE)))
		mode = 0;
	return open_common(t, dfd, filename, flags | (flags & LX_O_PATH ? 0 : LX_O_LARGEFILE),
			   mode, 0);
}

long sys_open(struct task *t, const struct open_args *a)
{
	return open_old(t, LX_AT_FDCWD, a->filename, a->flags, a->mode);
}

long sys_openat(struct task *t, const struct openat_args *a)
{
	return open_old(t, a->dfd, a->filename, a->flags, a->mode);
}

long sys_creat(struct task *t, const struct creat_args *a)
{
	return open_old(t, LX_AT_FDCWD, a->pathname, LX_O_CREAT | LX_O_WRONLY | LX_O_TRUNC,
			a->mode);
}

long sys_openat2(struct task *t, const struct openat2_args *a)
{
	const uint64_t path_flags = LX_O_DIRECTORY | LX_O_NOFOLLOW | LX_O_PATH | LX_O_CLOEXEC;
	struct lx_open_how how;
	int err;

	if (a->usize < LX_OPEN_HOW_SIZE_VER0)
		return -LX_EINVAL;
	err = copy_in_sized(t, &how, sizeof(how), a->how, a->usize);
	if (err)
		return err;
	if ((how.flags & ~(uint64_t)LX_O_VALID) || (how.resolve & ~(uint64_t)LX_RESOLVE_VALID))
		return -LX_EINVAL;
	if ((how.flags & LX_O_PATH) && (how.flags & ~path_flags))
		return -LX_EINVAL;
	if (how.flags & (LX_O_CREAT | LX___O_TMPFILE)) {
		if (how.mode & ~(uint64_t)LX_S_IALLUGO)
			return -LX_EINVAL;
	} else if (how.mode) {
		return -LX_EINVAL;
	}
	return open_common(t, a->dfd, a->filename, (uint32_t)how.flags, (uint32_t)how.mode,
			   how.resolve);
}
