/* open(2): from flags to a walk, creation, permission, and the right kind of file. The
 * order of the checks, and so of the errors, is that of Linux (fs/namei.c, do_open). */
#include <stdlib.h>

#include "sentry/cred/cred.h"
#include "sentry/fs/dev/dev.h"
#include "sentry/fs/pipe/pipe.h"
#include "sentry/fs/proc/proc.h"
#include "sentry/task/task.h"
#include "sentry/vfs/fileattr.h"
#include "sentry/vfs/namei.h"
#include "sentry/vfs/vfs_impl.h"
#include "syscalls/abi/lx_cap.h"
#include "syscalls/abi/lx_inotify.h"

/* What an open asks for, in the VFS's terms. */
struct open_req {
	uint32_t flags;		/* LX_O_* */
	uint32_t mode;		/* of a new file */
	unsigned walk;		/* WALK_* */
	unsigned access;	/* MAY_* to be checked */
	uint32_t fmode;		/* FMODE_* */
	bool created;
};

static const struct file_ops path_file_ops = { .name = "path" };

static uint32_t access_to_fmode(uint32_t flags)
{
	switch (flags & LX_O_ACCMODE) {
	case LX_O_RDONLY:
		return FMODE_READ;
	case LX_O_WRONLY:
		return FMODE_WRITE;
	case LX_O_RDWR:
		return FMODE_READ | FMODE_WRITE;
	default:
		return 0; /* only ioctl; both permissions are checked */
	}
}

static unsigned resolve_to_walk(uint64_t resolve)
{
	unsigned w = 0;

	if (resolve & LX_RESOLVE_NO_XDEV)
		w |= WALK_NO_XDEV;
	if (resolve & LX_RESOLVE_NO_MAGICLINKS)
		w |= WALK_NO_MAGIC;
	if (resolve & LX_RESOLVE_NO_SYMLINKS)
		w |= WALK_NO_SYMLINKS | WALK_NO_MAGIC;
	if (resolve & LX_RESOLVE_BENEATH)
		w |= WALK_BENEATH;
	if (resolve & LX_RESOLVE_IN_ROOT)
		w |= WALK_IN_ROOT;
	return w;
}

static int build_req(uint32_t flags, uint32_t mode, uint64_t resolve, struct open_req *r)
{
	flags &= LX_O_VALID;
	if ((flags & (LX_O_CREAT | LX_O_DIRECTORY)) == (LX_O_CREAT | LX_O_DIRECTORY))
		return -LX_EINVAL;
	if ((resolve & LX_RESOLVE_BENEATH) && (resolve & LX_RESOLVE_IN_ROOT))
		return -LX_EINVAL;
	if (flags & LX___O_TMPFILE) {
		if (!(flags & LX_O_DIRECTORY) || !(access_to_fmode(flags) & FMODE_WRITE))
			return -LX_EINVAL;
	}
	if (flags & LX_O_PATH)
		flags &= LX_O_DIRECTORY | LX_O_NOFOLLOW | LX_O_PATH | LX_O_CLOEXEC;
	if ((resolve & LX_RESOLVE_CACHED) &&
	    (flags & (LX_O_TRUNC | LX_O_CREAT | LX___O_TMPFILE)))
		return -LX_EAGAIN;
	*r = (struct open_req){ .flags = flags, .mode = mode & LX_S_IALLUGO };
	r->walk = resolve_to_walk(resolve);
	if ((flags & LX_O_CREAT) && (flags & LX_O_EXCL))
		flags |= LX_O_NOFOLLOW;
	if (!(flags & LX_O_NOFOLLOW))
		r->walk |= WALK_FOLLOW;
	if (flags & LX_O_DIRECTORY)
		r->walk |= WALK_DIRECTORY;
	if (flags & LX_O_PATH) {
		r->fmode = FMODE_PATH;
		return 0;
	}
	r->fmode = access_to_fmode(flags);
	if (r->fmode == FMODE_READ && !(flags & (LX_O_CREAT | LX_O_TRUNC | LX_O_DIRECTORY)))
		r->walk |= WALK_OPEN;
	if ((r->fmode & FMODE_READ) || !r->fmode)
		r->access |= MAY_READ;
	if ((r->fmode & FMODE_WRITE) || !r->fmode || (flags & LX_O_TRUNC))
		r->access |= MAY_WRITE;
	return 0;
}

int vfs_open_check(uint32_t flags, uint64_t resolve)
{
	struct open_req r;

	return build_req(flags, 0, resolve, &r);
}

/* ---- from a path to a file ---- */

static int open_special(struct kernel *k, struct task *t, const struct path *p,
			const struct open_req *r, struct file **out)
{
	struct inode *i = p->dentry->inode;
	uint32_t flags = r->flags;

	if (i->sb->special_open) /* host stdio, devpts: not what their type says */
		return i->ops->open ? i->ops->open(i, p, r->fmode, flags, out) : -LX_ENXIO;
	switch (i->mode & LX_S_IFMT) {
	case LX_S_IFIFO:
		return fifo_open(i, p, r->fmode, flags, t, out);
	case LX_S_IFCHR:
		return device_open(k, t, i->rdev, false, p, r->fmode, flags, out);
	case LX_S_IFBLK:
		return device_open(k, t, i->rdev, true, p, r->fmode, flags, out);
	case LX_S_IFSOCK:
		return -LX_ENXIO;
	default:
		return i->ops->open ? i->ops->open(i, p, r->fmode, flags, out) : -LX_ENXIO;
	}
}

/* Make the file, and count it as a writer. */
static int open_file(struct kernel *k, struct task *t, const struct path *p,
		     const struct open_req *r, struct file **out)
{
	struct inode *i = p->dentry->inode;
	bool plain = LX_S_ISREG(i->mode) || LX_S_ISDIR(i->mode);
	struct file *f = NULL;
	int err;

	if ((r->fmode & FMODE_WRITE) && plain) {
		if (i->deny_write > 0)
			return -LX_ETXTBSY;
		if (path_readonly(p))
			return -LX_EROFS;
	}
	err = open_special(k, t, p, r, &f);
	if (err)
		return err;
	f->flags = r->flags & ~(LX_O_CREAT | LX_O_EXCL | LX_O_NOCTTY | LX_O_TRUNC | LX_O_CLOEXEC);
	if ((r->fmode & FMODE_WRITE) && LX_S_ISREG(i->mode)) {
		i->writers++;
		f->path.mnt->writers++;
		f->path.mnt->sb->writers++;
		f->mode |= FMODE_COUNTED_WRITER;
	}
	*out = f;
	return 0;
}

static int open_path_only(struct kernel *k, const struct path *p, uint32_t flags,
			  struct file **out)
{
	*out = file_new(k, &path_file_ops, p, FMODE_PATH, flags & ~LX_O_CLOEXEC);
	return *out ? 0 : -LX_ENFILE;
}

/* Linux's may_open(): may c (NULL: the sentry itself) open this object this way? */
static int may_open(const struct cred *c, const struct path *p, struct open_req *r)
{
	struct inode *i = p->dentry->inode;

	switch (i->mode & LX_S_IFMT) {
	case LX_S_IFLNK:
		return -LX_ELOOP;
	case LX_S_IFDIR:
		if (r->access & MAY_WRITE)
			return -LX_EISDIR;
		if (r->access & MAY_EXEC)
			return -LX_EACCES;
		break;
	case LX_S_IFBLK:
	case LX_S_IFCHR:
		if (p->mnt->flags & MNT_NODEV)
			return -LX_EACCES;
		/* fallthrough */
	case LX_S_IFIFO:
	case LX_S_IFSOCK:
		if (r->access & MAY_EXEC)
			return -LX_EACCES;
		r->flags &= ~LX_O_TRUNC;
		break;
	case LX_S_IFREG:
		if ((r->access & MAY_EXEC) && (p->mnt->flags & MNT_NOEXEC))
			return -LX_EACCES;
		break;
	default:
		break;
	}
	if (c && r->access) {
		int err = inode_permission(c, i, r->access);

		if (err)
			return err;
	}
	if (inode_is_append(i) && ((r->flags & LX_O_TRUNC) ||
				   ((r->flags & LX_O_ACCMODE) != LX_O_RDONLY &&
				    !(r->flags & LX_O_APPEND))))
		return -LX_EPERM;
	if (c && (r->flags & LX_O_NOATIME) && c->fsuid != i->uid &&
	    !cred_has_cap(c, LX_CAP_FOWNER))
		return -LX_EPERM;
	return 0;
}

/* O_CREAT found somebody else's object in a directory like /tmp (fs.protected_fifos,
 * fs.protected_regular; other kinds are always refused). */
static bool planted(struct kernel *k, const struct cred *c, const struct path *p)
{
	const struct inode *i = p->dentry->inode;
	const struct inode *dir = p->dentry->parent ? p->dentry->parent->inode : i;
	int64_t level = 1;

	if (LX_S_ISFIFO(i->mode))
		level = sysctl_get(k, SYSCTL_PROTECTED_FIFOS);
	else if (LX_S_ISREG(i->mode))
		level = sysctl_get(k, SYSCTL_PROTECTED_REGULAR);
	if (!level || !(dir->mode & LX_S_ISVTX) || i->uid == dir->uid || i->uid == c->fsuid)
		return false;
	return (dir->mode & LX_S_IWOTH) || (level >= 2 && (dir->mode & LX_S_IWGRP));
}

/* The walk has ended at p: Linux's do_open(). */
static int open_found(struct kernel *k, struct task *t, const struct cred *c,
		      const struct path *p, struct open_req *r, struct file **out)
{
	struct inode *i = p->dentry->inode;
	bool truncate = false;
	int err;

	if (r->flags & LX_O_CREAT) {
		if ((r->flags & LX_O_EXCL) && !r->created)
			return -LX_EEXIST;
		if (LX_S_ISDIR(i->mode))
			return -LX_EISDIR;
		if (!r->created && c && planted(k, c, p))
			return -LX_EACCES;
	}
	if ((r->walk & WALK_DIRECTORY) && !LX_S_ISDIR(i->mode))
		return -LX_ENOTDIR;
	if (r->flags & LX_O_PATH)
		return open_path_only(k, p, r->flags, out);
	if (r->created) {
		r->access = 0;
		r->flags &= ~LX_O_TRUNC;
	} else if (LX_S_ISREG(i->mode) && (r->flags & LX_O_TRUNC)) {
		if (path_readonly(p))
			return -LX_EROFS;
		truncate = true;
	}
	err = may_open(c, p, r);
	if (err)
		return err;
	err = open_file(k, t, p, r, out);
	if (err)
		return err;
	if (fsnotify_marks)
		fsnotify_file(*out, LX_IN_OPEN);
	if (r->created)
		(*out)->mode |= FMODE_CREATED;
	if (truncate && t)
		err = vfs_truncate(t, p, *out, 0);
	if (err) {
		file_put(*out);
		*out = NULL;
	}
	return err;
}

/* ---- creation ---- */

static int create_file(struct task *t, struct walk *w, struct open_req *r, struct dentry **out)
{
	struct inode *dir = w->path.dentry->inode, *i;
	char name[LX_NAME_MAX + 1];
	struct new_attrs a;
	int err, acl_err;

	if (dir_fails_lookups(dir))
		return -LX_ENOENT;
	if (path_readonly(&w->path))
		return -LX_EROFS;
	err = dir_may_create(t->cred, &w->path);
	if (err)
		return err;
	if (!dir->ops->create)
		return -LX_EACCES;
	err = new_attrs_for(t, dir, LX_S_IFREG | r->mode, &a);
	if (err)
		return err;
	walk_last_name(w, name);
	err = dir->ops->create(dir, name, a.mode, a.uid, a.gid, &i);
	acl_err = new_attrs_done(&a, err ? NULL : i);
	if (err)
		return err;
	r->created = true;
	err = create_done(&w->path, name, i, out);
	if (!err && acl_err)
		dentry_put(*out);
	return err ? err : acl_err;
}

/* The last component. 1: a symlink; the walk goes on. */
static int open_last(struct task *t, struct walk *w, struct open_req *r)
{
	struct dentry *d;
	int err;

	if (!(r->flags & LX_O_CREAT)) {
		err = walk_last(w);
		r->walk |= w->flags & WALK_DIRECTORY;
		return err;
	}
	if (w->last_type != LAST_NORM)
		return walk_last(w);
	if (walk_trailing_slash(w))
		return -LX_EISDIR;
	err = walk_lookup_last(w, &d);
	if (err == -LX_ENOENT)
		err = create_file(t, w, r, &d);
	if (err)
		return err;
	return walk_step_into(w, d, true);
}

static int open_tmpfile(struct task *t, const struct path *dir, struct open_req *r,
			struct file **out)
{
	struct inode *di = dir->dentry->inode, *i;
	struct path p = { dir->mnt, NULL };
	struct new_attrs a;
	char name[32];
	int err, acl_err;

	if (path_readonly(dir))
		return -LX_EROFS;
	err = inode_permission(t->cred, di, MAY_WRITE | MAY_EXEC);
	if (err)
		return err;
	if (!di->ops->tmpfile)
		return -LX_EOPNOTSUPP;
	err = new_attrs_for(t, di, LX_S_IFREG | r->mode, &a);
	if (err)
		return err;
	err = di->ops->tmpfile(di, a.mode, a.uid, a.gid, &i);
	acl_err = new_attrs_done(&a, err ? NULL : i);
	if (!err && acl_err)
		inode_put(i);
	if (err || acl_err)
		return err ? err : acl_err;
	i->nlink = 0;
	i->linkable = !(r->flags & LX_O_EXCL);
	(void)snprintf(name, sizeof(name), "#%llu", (unsigned long long)i->ino);
	p.dentry = dentry_new(dir->dentry, name, (unsigned)strlen(name), 0, i);
	inode_put(i);
	if (!p.dentry)
		return -LX_ENOMEM;
	p.dentry->unhashed = true;
	r->flags &= ~(LX___O_TMPFILE | LX_O_DIRECTORY);
	r->walk &= ~WALK_DIRECTORY;
	r->access = 0;
	err = open_found(t->k, t, t->cred, &p, r, out);
	if (!err)
		(*out)->flags |= LX_O_TMPFILE; /* F_GETFL shows it */
	dentry_put(p.dentry);
	return err;
}

static int open_once(struct task *t, int dfd, const char *name, uint32_t flags, uint32_t mode,
		     uint64_t resolve, struct file **out)
{
	struct walk w = { .nbufs = 0 };
	struct open_req r;
	int err = build_req(flags, mode, resolve, &r);

	if (err)
		return err;
	err = walk_init(&w, t, dfd, name, r.walk);
	if (!err && (r.flags & LX___O_TMPFILE)) {
		err = walk_all(&w);
		if (!err)
			err = open_tmpfile(t, &w.path, &r, out);
		walk_fini(&w);
		return err;
	}
	while (!err) {
		err = walk_parents(&w);
		if (err)
			break;
		err = open_last(t, &w, &r);
		if (err <= 0)
			break;
		err = 0;
	}
	if (!err)
		err = open_found(t->k, t, t->cred, &w.path, &r, out);
	walk_fini(&w);
	return err;
}

int vfs_open(struct task *t, int dfd, const char *name, uint32_t flags, uint32_t mode,
	     uint64_t resolve, struct file **out)
{
	int err = open_once(t, dfd, name, flags, mode, resolve, out);

	/* The entry was out of date; the file system has dropped it. */
	return err == -LX_ESTALE ? open_once(t, dfd, name, flags, mode, resolve, out) : err;
}

int vfs_open_path(struct kernel *k, const struct cred *c, const struct path *p, uint32_t flags,
		  struct file **out)
{
	struct open_req r;
	int err = build_req(flags & ~(LX_O_CREAT | LX_O_EXCL | LX_O_TRUNC), 0, 0, &r);

	return err ? err : open_found(k, NULL, c, p, &r, out);
}

int vfs_open_exec(struct task *t, int dfd, const char *name, uint32_t at_flags,
		  struct file **out)
{
	struct open_req r = { .flags = LX_O_RDONLY | LX_O_LARGEFILE, .fmode = FMODE_READ,
			      .access = MAY_EXEC };
	unsigned how = WALK_OPEN;
	struct path p;
	struct inode *i;
	int err;

	if (at_flags & ~(LX_AT_EMPTY_PATH | LX_AT_SYMLINK_NOFOLLOW))
		return -LX_EINVAL;
	if (!(at_flags & LX_AT_SYMLINK_NOFOLLOW))
		how |= WALK_FOLLOW;
	if (at_flags & LX_AT_EMPTY_PATH)
		how |= WALK_EMPTY;
	err = vfs_lookup(t, dfd, name, how, &p);
	if (err)
		return err;
	i = p.dentry->inode;
	err = may_open(t->cred, &p, &r);
	/* Special files were refused above; a directory too. */
	if (!err && !LX_S_ISREG(i->mode))
		err = -LX_EACCES;
	if (!err && i->writers > 0)
		err = -LX_ETXTBSY;
	if (!err)
		err = open_file(t->k, t, &p, &r, out);
	if (!err) {
		i->deny_write++;
		(*out)->mode |= FMODE_EXEC | FMODE_DENIES_WRITE;
		if (fsnotify_marks)
			fsnotify_file(*out, LX_IN_OPEN);
	}
	path_put(&p);
	return err;
}
