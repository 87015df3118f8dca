/* Directories and names: listing, making, removing, links, working directory and root. */
#include <string.h>

#include "sentry/fs/anon/inotify.h"
#include "sentry/mm/usercopy.h"
#include "sentry/task/task.h"
#include "sentry/vfs/namei.h"
#include "sentry/vfs/vfs.h"
#include "syscalls/abi/lx_cap.h"
#include "syscalls/abi/lx_dirent.h"
#include "syscalls/abi/lx_fcntl.h"
#include "syscalls/abi/lx_inotify.h"
#include "syscalls/abi/lx_stat.h"
#include "syscalls/syscall_args.h"

/* ---- getdents ---- */

#define DENTS_MAX 65536u /* per call; the guest's buffer may be larger */

struct dents {
	struct dir_ctx c;
	struct file *f;
	uint8_t *buf;
	unsigned size, used;
	bool old_form;	/* getdents: type in the last byte */
	bool too_small;	/* not even one entry fits */
};

static bool emit_dent(struct dir_ctx *c, const char *name, unsigned len, uint64_t ino,
		      unsigned dtype, int64_t next_pos)
{
	struct dents *d = container_of(c, struct dents, c);
	unsigned head = d->old_form ? sizeof(struct lx_dirent_head)
				    : sizeof(struct lx_dirent64_head);
	unsigned rec = (head + len + (d->old_form ? 2 : 1) + 7) & ~7u;
	uint8_t *at = d->buf + d->used;

	if (rec > d->size - d->used) {
		d->too_small = d->used == 0;
		return false;
	}
	memset(at, 0, rec);
	if (d->old_form) {
		struct lx_dirent_head h = { ino, (uint64_t)next_pos, (uint16_t)rec };

		memcpy(at, &h, sizeof(h));
		at[rec - 1] = (uint8_t)dtype;
	} else {
		struct lx_dirent64_head h = { ino, next_pos, (uint16_t)rec, (uint8_t)dtype };

		memcpy(at, &h, sizeof(h));
	}
	memcpy(at + head, name, len);
	d->used += rec;
	d->f->pos = next_pos;
	return true;
}

static long do_getdents(struct task *t, int fd, struct uaddr out, uint32_t count, bool old_form)
{
	int err;
	AUTO_PUT(file) struct file *f = fd_file(t, fd, &err);
	struct dents d = { .c.emit = emit_dent, .f = f, .old_form = old_form };
	AUTO_FREE uint8_t *buf = NULL;
	int64_t start;

	if (!f)
		return err;
	if (!f->ops->readdir)
		return -LX_ENOTDIR;
	if (f->path.dentry->unhashed && file_inode(f)->nlink == 0)
		return -LX_ENOENT;
	d.size = count < DENTS_MAX ? count : DENTS_MAX;
	buf = malloc(d.size ? d.size : 1);
	if (!buf)
		return -LX_ENOMEM;
	d.buf = buf;
	start = f->pos;
	err = f->ops->readdir(f, &d.c);
	fsnotify_dentry(f->path.dentry, LX_IN_ACCESS);
	if (d.used == 0)
		return err ? err : d.too_small ? -LX_EINVAL : 0;
	if (copy_out(t, out, buf, d.used)) {
		f->pos = start;
		return -LX_EFAULT;
	}
	return d.used;
}

long sys_getdents64(struct task *t, const struct getdents64_args *a)
{
	return do_getdents(t, a->fd, a->dirent, a->count, false);
}

long sys_getdents(struct task *t, const struct getdents_args *a)
{
	return do_getdents(t, a->fd, a->dirent, a->count, true);
}

/* ---- making and removing ---- */

static long mkdir_at(struct task *t, int dfd, struct uaddr pathname, uint32_t mode)
{
	AUTO_FREE char *name = NULL;
	int err = copy_in_path(t, pathname, &name);

	return err ? err : vfs_mkdir(t, dfd, name, mode);
}

long sys_mkdir(struct task *t, const struct mkdir_args *a)
{
	return mkdir_at(t, LX_AT_FDCWD, a->pathname, a->mode);
}

long sys_mkdirat(struct task *t, const struct mkdirat_args *a)
{
	return mkdir_at(t, a->dfd, a->pathname, a->mode);
}

static long mknod_at(struct task *t, int dfd, struct uaddr filename, uint32_t mode, uint32_t dev)
{
	AUTO_FREE char *name = NULL;
	/* The form that stat shows: 12 bits of major, 20 of minor. */
	uint32_t rdev = KDEV((dev >> 8) & 0xfff, (dev & 0xff) | ((dev >> 12) & 0xfff00));
	int err = vfs_mknod_check(mode);

	if (!err)
		err = copy_in_path(t, filename, &name);
	return err ? err : vfs_mknod(t, dfd, name, mode, rdev);
}

long sys_mknod(struct task *t, const struct mknod_args *a)
{
	return mknod_at(t, LX_AT_FDCWD, a->filename, a->mode, a->dev);
}

long sys_mknodat(struct task *t, const struct mknodat_args *a)
{
	return mknod_at(t, a->dfd, a->filename, a->mode, a->dev);
}

static long unlink_at(struct task *t, int dfd, struct uaddr pathname, bool dir)
{
	AUTO_FREE char *name = NULL;
	int err = copy_in_path(t, pathname, &name);

	if (err)
		return err;
	return dir ? vfs_rmdir(t, dfd, name) : vfs_unlink(t, dfd, name);
}

long sys_unlink(struct task *t, const struct unlink_args *a)
{
	return unlink_at(t, LX_AT_FDCWD, a->pathname, false);
}

long sys_rmdir(struct task *t, const struct rmdir_args *a)
{
	return unlink_at(t, LX_AT_FDCWD, a->pathname, true);
}

long sys_unlinkat(struct task *t, const struct unlinkat_args *a)
{
	if (a->flag & ~LX_AT_REMOVEDIR)
		return -LX_EINVAL;
	return unlink_at(t, a->dfd, a->pathname, a->flag & LX_AT_REMOVEDIR);
}

static long rename_at(struct task *t, int odfd, struct uaddr oldname, int ndfd,
		      struct uaddr newname, uint32_t flags)
{
	AUTO_FREE char *from = NULL;
	AUTO_FREE char *to = NULL;
	int err;

	/* Before the names are looked at. */
	if ((flags & ~(LX_RENAME_NOREPLACE | LX_RENAME_EXCHANGE | LX_RENAME_WHITEOUT)) ||
	    ((flags & LX_RENAME_EXCHANGE) && (flags & ~LX_RENAME_EXCHANGE)))
		return -LX_EINVAL;
	err = copy_in_path(t, oldname, &from);
	if (!err)
		err = copy_in_path(t, newname, &to);
	return err ? err : vfs_rename(t, odfd, from, ndfd, to, flags);
}

long sys_rename(struct task *t, const struct rename_args *a)
{
	return rename_at(t, LX_AT_FDCWD, a->oldname, LX_AT_FDCWD, a->newname, 0);
}

long sys_renameat(struct task *t, const struct renameat_args *a)
{
	return rename_at(t, a->olddfd, a->oldname, a->newdfd, a->newname, 0);
}

long sys_renameat2(struct task *t, const struct renameat2_args *a)
{
	return rename_at(t, a->olddfd, a->oldname, a->newdfd, a->newname, a->flags);
}

/* ---- links ---- */

static long link_at(struct task *t, int odfd, struct uaddr oldname, int ndfd,
		    struct uaddr newname, uint32_t flags)
{
	AUTO_FREE char *from = NULL;
	AUTO_FREE char *to = NULL;
	int err;

	if (flags & ~(LX_AT_SYMLINK_FOLLOW | LX_AT_EMPTY_PATH))
		return -LX_EINVAL;
	err = copy_in_path(t, oldname, &from);
	if (!err)
		err = copy_in_path(t, newname, &to);
	return err ? err : vfs_link(t, odfd, from, ndfd, to, flags);
}

long sys_link(struct task *t, const struct link_args *a)
{
	return link_at(t, LX_AT_FDCWD, a->oldname, LX_AT_FDCWD, a->newname, 0);
}

long sys_linkat(struct task *t, const struct linkat_args *a)
{
	return link_at(t, a->olddfd, a->oldname, a->newdfd, a->newname, a->flags);
}

static long symlink_at(struct task *t, struct uaddr target, int dfd, struct uaddr newname)
{
	AUTO_FREE char *to = NULL;
	AUTO_FREE char *name = NULL;
	int err = copy_in_path(t, target, &to);

	if (!err && !*to)
		err = -LX_ENOENT;
	if (!err)
		err = copy_in_path(t, newname, &name);
	return err ? err : vfs_symlink(t, to, dfd, name);
}

long sys_symlink(struct task *t, const struct symlink_args *a)
{
	return symlink_at(t, a->oldname, LX_AT_FDCWD, a->newname);
}

long sys_symlinkat(struct task *t, const struct symlinkat_args *a)
{
	return symlink_at(t, a->oldname, a->newdfd, a->newname);
}

static long readlink_at(struct task *t, int dfd, struct uaddr pathname, struct uaddr out,
			int32_t size)
{
	AUTO_FREE char *name = NULL;
	char buf[LX_PATH_MAX];
	struct path p;
	int err, n;

	if (size <= 0)
		return -LX_EINVAL;
	err = copy_in_path(t, pathname, &name);
	if (err)
		return err;
	err = vfs_lookup(t, dfd, name, WALK_EMPTY, &p);
	if (err)
		return err;
	n = vfs_readlink(t, &p, buf, size < LX_PATH_MAX ? (size_t)size : LX_PATH_MAX);
	path_put(&p);
	/* readlinkat(fd, "") is for O_PATH files of symlinks only. */
	if (n == -LX_EINVAL && !*name)
		return -LX_ENOENT;
	if (n > 0 && copy_out(t, out, buf, (size_t)n))
		return -LX_EFAULT;
	return n;
}

long sys_readlink(struct task *t, const struct readlink_args *a)
{
	return readlink_at(t, LX_AT_FDCWD, a->path, a->buf, a->bufsiz);
}

long sys_readlinkat(struct task *t, const struct readlinkat_args *a)
{
	return readlink_at(t, a->dfd, a->pathname, a->buf, a->bufsiz);
}

/* ---- working directory, root, umask ---- */

/* Go to p (taken over) if t may search it. */
static long enter_dir(struct task *t, struct path *p, struct path *which)
{
	int err = LX_S_ISDIR(p->dentry->inode->mode) ? 0 : -LX_ENOTDIR;

	if (!err)
		err = inode_permission(t->cred, p->dentry->inode, MAY_EXEC);
	if (!err && which == &t->fs->root && !task_capable(t, LX_CAP_SYS_CHROOT))
		err = -LX_EPERM;
	if (err) {
		path_put(p);
		return err;
	}
	path_put(which);
	*which = *p;
	return 0;
}

long sys_chdir(struct task *t, const struct chdir_args *a)
{
	AUTO_FREE char *name = NULL;
	struct path p;
	int err = copy_in_path(t, a->filename, &name);

	if (!err)
		err = vfs_lookup(t, LX_AT_FDCWD, name, WALK_FOLLOW | WALK_DIRECTORY, &p);
	return err ? err : enter_dir(t, &p, &t->fs->cwd);
}

long sys_fchdir(struct task *t, const struct fchdir_args *a)
{
	int err;
	AUTO_PUT(file) struct file *f = fd_file_any(t, a->fd, &err);
	struct path p;

	if (!f)
		return err;
	p = f->path;
	path_get(&p);
	return enter_dir(t, &p, &t->fs->cwd);
}

long sys_chroot(struct task *t, const struct chroot_args *a)
{
	AUTO_FREE char *name = NULL;
	struct path p;
	int err = copy_in_path(t, a->filename, &name);

	if (!err)
		err = vfs_lookup(t, LX_AT_FDCWD, name, WALK_FOLLOW | WALK_DIRECTORY, &p);
	return err ? err : enter_dir(t, &p, &t->fs->root);
}

long sys_getcwd(struct task *t, const struct getcwd_args *a)
{
	AUTO_FREE char *text = NULL;
	size_t len;

	if (t->fs->cwd.dentry->unhashed)
		return -LX_ENOENT;
	text = vfs_path_string(t->k, &t->fs->cwd, &t->fs->root);
	if (!text)
		return -LX_ENOMEM;
	len = strlen(text) + 1;
	if (len > LX_PATH_MAX)
		return -LX_ENAMETOOLONG;
	if (len > a->size)
		return -LX_ERANGE;
	return copy_out(t, a->buf, text, len) ? -LX_EFAULT : (long)len;
}

long sys_umask(struct task *t, const struct umask_args *a)
{
	uint32_t old = t->fs->umask;

	t->fs->umask = a->mask & LX_S_IRWXUGO;
	return old;
}
