/* Calls about file systems that most programs never make: ustat(2), sysfs(2), quotas, file
 * handles. No file system here has quotas or files that can be opened by a handle, so that these
 * give what Linux gives for one that lacks them. */
#include <string.h>

#include "sentry/mm/usercopy.h"
#include "sentry/task/task.h"
#include "sentry/vfs/namei.h"
#include "sentry/vfs/vfs.h"
#include "syscalls/abi/lx_cap.h"
#include "syscalls/abi/lx_fcntl.h"
#include "syscalls/abi/lx_fs_misc.h"
#include "syscalls/abi/lx_stat.h"
#include "syscalls/abi/lx_statfs.h"
#include "syscalls/syscall_args.h"

static int lookup(struct task *t, int dfd, struct uaddr name, unsigned walk, struct path *out)
{
	AUTO_FREE char *text = NULL;
	int err;

	if (!name.v && (walk & WALK_EMPTY))
		return vfs_lookup(t, dfd, "", walk, out);
	err = copy_in_path(t, name, &text);
	return err ? err : vfs_lookup(t, dfd, text, walk, out);
}

/* ---- ustat ---- */

long sys_ustat(struct task *t, const struct ustat_args *a)
{
	uint32_t want = KDEV((a->dev & 0xfff00) >> 8, (a->dev & 0xff) | ((a->dev >> 12) & 0xfff00));
	struct lx_ustat u = { 0 };
	struct lx_statfs s;
	struct mount *m;
	int err;

	list_for_each(m, &t->k->mnt->all, all) {
		struct path p = { m, m->root };

		if (m->sb->dev != want)
			continue;
		err = vfs_statfs(&p, &s);
		if (err)
			return err;
		u.f_tfree = (int32_t)s.f_bfree;
		u.f_tinode = s.f_ffree;
		return copy_out(t, a->ubuf, &u, sizeof(u));
	}
	return -LX_EINVAL;
}

/* ---- sysfs: the names of file-system types, by number ---- */

long sys_sysfs(struct task *t, const struct sysfs_args *a)
{
	char name[64];
	unsigned i = 0;
	long n;

	switch (a->option) {
	case 1:
		n = copy_in_str(t, name, (struct uaddr){ a->arg1 }, sizeof(name));
		if (n < 0)
			return n == -LX_ENAMETOOLONG ? -LX_EINVAL : n;
		for (; fs_type_at(i); i++)
			if (strcmp(fs_type_at(i)->name, name) == 0)
				return i;
		return -LX_EINVAL;
	case 2:
		if (a->arg1 > 1000 || !fs_type_at((unsigned)a->arg1))
			return -LX_EINVAL;
		(void)strncpy(name, fs_type_at((unsigned)a->arg1)->name, sizeof(name) - 1);
		name[sizeof(name) - 1] = '\0';
		return copy_out(t, (struct uaddr){ a->arg2 }, name, strlen(name) + 1);
	case 3:
		while (fs_type_at(i))
			i++;
		return i;
	default:
		return -LX_EINVAL;
	}
}

/* ---- quotas ---- */

#define QUOTA_TYPES 3
#define Q_SYNC 0x800001u

long sys_quotactl(struct task *t, const struct quotactl_args *a)
{
	uint32_t cmd = a->cmd >> 8;
	struct path p;
	int err;

	if ((a->cmd & 0xff) >= QUOTA_TYPES)
		return -LX_EINVAL;
	if (!a->special.v)
		return cmd == Q_SYNC ? 0 : -LX_ENODEV;
	err = lookup(t, LX_AT_FDCWD, a->special, WALK_FOLLOW, &p);
	if (err)
		return err;
	/* No block device has a file system on it. */
	err = LX_S_ISBLK(p.dentry->inode->mode) ? -LX_ENODEV : -LX_ENOTBLK;
	path_put(&p);
	return err;
}

long sys_quotactl_fd(struct task *t, const struct quotactl_fd_args *a)
{
	int err;
	AUTO_PUT(file) struct file *f = fd_file(t, a->fd, &err);

	if (!f)
		return err;
	return (a->cmd & 0xff) >= QUOTA_TYPES ? -LX_EINVAL : -LX_ENOSYS;
}

/* ---- file handles ---- */

static int give_fid(struct task *t, const struct path *p, const struct name_to_handle_at_args *a)
{
	const struct inode *i = p->dentry->inode;
	struct lx_file_handle h;
	uint64_t mnt = a->flag & LX_AT_HANDLE_MNT_ID_UNIQUE ? mount_unique_id(p->mnt)
							    : (uint64_t)p->mnt->id;
	bool fits;

	if (copy_in(t, &h, a->handle, LX_FILE_HANDLE_HEAD))
		return -LX_EFAULT;
	if (h.bytes > LX_MAX_HANDLE_SZ)
		return -LX_EINVAL;
	fits = h.bytes >= LX_FID_SIZE;
	h = (struct lx_file_handle){ LX_FID_SIZE, fits ? LX_FILEID_INO64_GEN : LX_FILEID_INVALID,
				     (uint32_t)i->ino, (uint32_t)(i->ino >> 32), 0 };
	if (copy_out(t, a->mnt_id, &mnt, a->flag & LX_AT_HANDLE_MNT_ID_UNIQUE ? 8 : 4) ||
	    copy_out(t, a->handle, &h, fits ? sizeof(h) : LX_FILE_HANDLE_HEAD))
		return -LX_EFAULT;
	return fits ? 0 : -LX_EOVERFLOW;
}

long sys_name_to_handle_at(struct task *t, const struct name_to_handle_at_args *a)
{
	struct path p;
	int err;

	if (a->flag & ~(LX_AT_SYMLINK_FOLLOW | LX_AT_EMPTY_PATH | LX_AT_HANDLE_FID |
			LX_AT_HANDLE_MNT_ID_UNIQUE | LX_AT_HANDLE_CONNECTABLE))
		return -LX_EINVAL;
	if ((a->flag & LX_AT_HANDLE_FID) && (a->flag & LX_AT_HANDLE_CONNECTABLE))
		return -LX_EINVAL;
	err = lookup(t, a->dfd, a->name,
		     (a->flag & LX_AT_SYMLINK_FOLLOW ? WALK_FOLLOW : 0) |
			     (a->flag & LX_AT_EMPTY_PATH ? WALK_EMPTY : 0),
		     &p);
	if (err)
		return err;
	/* Only to tell files apart: any file system can do that. */
	if (a->flag & LX_AT_HANDLE_FID)
		err = give_fid(t, &p, a);
	else
		err = -LX_EOPNOTSUPP;
	path_put(&p);
	return err;
}

long sys_open_by_handle_at(struct task *t, const struct open_by_handle_at_args *a)
{
	uint32_t head[2]; /* bytes, type */
	struct file *f;
	int err;

	if (copy_in(t, head, a->handle, sizeof(head)))
		return -LX_EFAULT;
	if (head[0] == 0 || head[0] > LX_MAX_HANDLE_SZ)
		return -LX_EINVAL;
	if (a->mountdirfd != LX_AT_FDCWD) {
		f = fd_file_any(t, a->mountdirfd, &err);
		if (!f)
			return err;
		file_put(f);
	}
	/* Nobody was ever given one. */
	return task_capable(t, LX_CAP_DAC_READ_SEARCH) ? -LX_ESTALE : -LX_EPERM;
}
