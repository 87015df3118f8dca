/* New names: mkdir, mknod, symlink, link, and the checks they share with open(O_CREAT). */
#include <stdlib.h>

#include "sentry/cred/cred.h"
#include "sentry/fs/proc/proc.h"
#include "sentry/task/task.h"
#include "sentry/vfs/acl.h"
#include "sentry/vfs/fileattr.h"
#include "sentry/vfs/namei.h"
#include "sentry/vfs/vfs_impl.h"
#include "syscalls/abi/lx_cap.h"
#include "syscalls/abi/lx_inotify.h"

int dir_may_create(const struct cred *c, const struct path *dir)
{
	if (dir->dentry->unhashed)
		return -LX_ENOENT;
	return c ? inode_permission(c, dir->dentry->inode, MAY_WRITE | MAY_EXEC) : 0;
}

/* The default list of dir, or the umask where there is none. */
static int inherit(struct task *t, struct inode *dir, struct new_attrs *a)
{
	AUTO_PUT(acl) struct acl *dflt = NULL;
	bool is_dir = LX_S_ISDIR(a->mode);
	int err;

	if (LX_S_ISLNK(a->mode))
		return 0;
	if (dir->sb->umask_below) {
		a->mode |= t->fs->umask << MODE_UMASK_SHIFT;
		return 0;
	}
	err = inode_acl(dir, ACL_DEFAULT, &dflt);
	if (err && err != -LX_EOPNOTSUPP)
		return err;
	if (!dflt) {
		a->mode &= ~t->fs->umask;
		return 0;
	}
	err = acl_inherit(dflt, &a->mode, &a->acl[ACL_ACCESS]);
	if (!err && is_dir)
		a->acl[ACL_DEFAULT] = take(&dflt);
	return err;
}

int new_attrs_for(struct task *t, struct inode *dir, uint32_t mode, struct new_attrs *out)
{
	const struct cred *c = t->cred;

	*out = (struct new_attrs){ .mode = mode, .uid = c->fsuid, .gid = c->fsgid };
	if (dir->mode & LX_S_ISGID) {
		out->gid = dir->gid;
		if (LX_S_ISDIR(mode))
			out->mode |= LX_S_ISGID;
		else if ((mode & (LX_S_ISGID | LX_S_IXGRP)) == (LX_S_ISGID | LX_S_IXGRP) &&
			 !cred_in_group(c, dir->gid) && !cred_has_cap(c, LX_CAP_FSETID))
			out->mode &= ~LX_S_ISGID;
	}
	return inherit(t, dir, out);
}

int new_attrs_done(struct new_attrs *a, struct inode *i)
{
	int err = 0;

	for (int type = ACL_ACCESS; type <= ACL_DEFAULT; type++) {
		if (!a->acl[type])
			continue;
		if (i && !err)
			err = inode_acl_store(i, type, a->acl[type]);
		acl_put(a->acl[type]);
		a->acl[type] = NULL;
	}
	return err;
}

int create_done(const struct path *dir, const char *name, struct inode *i, struct dentry **out)
{
	unsigned len = (unsigned)strlen(name);
	struct dentry *d;

	dcache_forget(dir->dentry, name); /* a negative entry */
	d = dentry_new(dir->dentry, name, len, name_hash(name, len), i);
	inode_put(i);
	if (!d)
		return -LX_ENOMEM;
	dcache_insert(d);
	fsnotify(dir->dentry->inode,
		 LX_IN_CREATE | (LX_S_ISDIR(i->mode) ? LX_IN_ISDIR : 0), name, 0);
	if (out)
		*out = d;
	else
		dentry_put(d);
	return 0;
}

/* The start of every call that makes a name: w stands in the directory, `name` is free.
 * The caller calls walk_fini() in every case. */
static int create_start(struct walk *w, struct task *t, int dfd, const char *path, bool is_dir,
			char name[LX_NAME_MAX + 1])
{
	struct dentry *d;
	int err = walk_init(w, t, dfd, path, 0);

	if (!err)
		err = walk_parents(w);
	if (err)
		return err;
	if (w->last_type != LAST_NORM)
		return -LX_EEXIST;
	err = walk_lookup_last(w, &d);
	if (!err) {
		dentry_put(d);
		return -LX_EEXIST;
	}
	if (err != -LX_ENOENT)
		return err;
	if (walk_trailing_slash(w) && !is_dir)
		return -LX_ENOENT;
	if (dir_fails_lookups(w->path.dentry->inode))
		return -LX_ENOENT;
	if (path_readonly(&w->path))
		return -LX_EROFS;
	walk_last_name(w, name);
	return 0;
}

static int make_dir(struct task *t, struct inode *dir, const char *name, uint32_t mode,
		    struct inode **out, int *acl_err)
{
	struct new_attrs a;
	int err = new_attrs_for(t, dir, LX_S_IFDIR | (mode & (LX_S_IRWXUGO | LX_S_ISVTX)), &a);

	if (err)
		return err;
	err = dir->ops->mkdir ? dir->ops->mkdir(dir, name, a.mode, a.uid, a.gid, out) : -LX_EPERM;
	*acl_err = new_attrs_done(&a, err ? NULL : *out);
	return err;
}

int vfs_mkdir(struct task *t, int dfd, const char *path, uint32_t mode)
{
	char name[LX_NAME_MAX + 1];
	struct walk w = { .nbufs = 0 };
	struct inode *i;
	int err = create_start(&w, t, dfd, path, true, name), acl_err = 0;

	if (!err)
		err = dir_may_create(t->cred, &w.path);
	if (!err)
		err = make_dir(t, w.path.dentry->inode, name, mode, &i, &acl_err);
	if (!err)
		err = create_done(&w.path, name, i, NULL);
	walk_fini(&w);
	return err ? err : acl_err;
}

static int make_node(struct task *t, struct walk *w, const char *name, uint32_t mode,
		     uint32_t rdev, struct dentry **out)
{
	struct inode *dir = w->path.dentry->inode, *i;
	struct new_attrs a;
	int err = dir_may_create(t->cred, &w->path), acl_err;

	if (!err)
		err = new_attrs_for(t, dir, mode, &a);
	if (err)
		return err;
	if (LX_S_ISREG(mode))
		err = dir->ops->create ? dir->ops->create(dir, name, a.mode, a.uid, a.gid, &i)
				       : -LX_EACCES;
	else
		err = dir->ops->mknod
			      ? dir->ops->mknod(dir, name, a.mode, rdev, a.uid, a.gid, &i)
			      : -LX_EPERM;
	acl_err = new_attrs_done(&a, err ? NULL : i);
	if (!err)
		err = create_done(&w->path, name, i, out);
	if (!err && acl_err && out)
		dentry_put(*out);
	return err ? err : acl_err;
}

int vfs_mknod_check(uint32_t mode)
{
	switch (mode & LX_S_IFMT) {
	case 0:
	case LX_S_IFREG:
	case LX_S_IFIFO:
	case LX_S_IFSOCK:
	case LX_S_IFCHR:
	case LX_S_IFBLK:
		return 0;
	case LX_S_IFDIR:
		return -LX_EPERM;
	default:
		return -LX_EINVAL;
	}
}

int vfs_mknod(struct task *t, int dfd, const char *path, uint32_t mode, uint32_t rdev)
{
	char name[LX_NAME_MAX + 1];
	struct walk w = { .nbufs = 0 };
	int err = vfs_mknod_check(mode);

	if (!(mode & LX_S_IFMT))
		mode |= LX_S_IFREG;
	if (!err)
		err = create_start(&w, t, dfd, path, false, name);
	if (!err && (LX_S_ISBLK(mode) || (LX_S_ISCHR(mode) && rdev != 0))) {
		/* 0:0 is the whiteout, which needs no privilege. */
		err = dir_may_create(t->cred, &w.path);
		if (!err && !task_capable(t, LX_CAP_MKNOD))
			err = -LX_EPERM;
	}
	if (!err)
		err = make_node(t, &w, name, mode, rdev, NULL);
	walk_fini(&w);
	return err;
}

int vfs_mksock(struct task *t, const char *path, uint32_t mode, struct path *out)
{
	char name[LX_NAME_MAX + 1];
	struct walk w = { .nbufs = 0 };
	struct dentry *d = NULL;
	int err = create_start(&w, t, LX_AT_FDCWD, path, false, name);

	if (!err)
		err = make_node(t, &w, name,
				LX_S_IFSOCK | (mode & LX_S_IALLUGO & ~t->fs->umask), 0, &d);
	if (!err) {
		*out = (struct path){ w.path.mnt, d };
		mount_get(out->mnt);
	}
	walk_fini(&w);
	return err == -LX_EEXIST ? -LX_EADDRINUSE : err;
}

int vfs_symlink(struct task *t, const char *target, int dfd, const char *path)
{
	char name[LX_NAME_MAX + 1];
	struct walk w = { .nbufs = 0 };
	struct inode *dir, *i;
	struct new_attrs a;
	int err = *target ? 0 : -LX_ENOENT;

	if (!err)
		err = create_start(&w, t, dfd, path, false, name);
	if (!err)
		err = dir_may_create(t->cred, &w.path);
	if (!err) {
		dir = w.path.dentry->inode;
		err = new_attrs_for(t, dir, LX_S_IFLNK | 0777, &a);
	}
	if (!err)
		err = dir->ops->symlink ? dir->ops->symlink(dir, name, target, a.uid, a.gid, &i)
					: -LX_EPERM;
	if (!err)
		err = create_done(&w.path, name, i, NULL);
	walk_fini(&w);
	return err;
}

/* Only what one could open for both anyway, or owns (fs.protected_hardlinks). */
static bool may_link(struct task *t, struct inode *i)
{
	const struct cred *c = t->cred;

	if (!sysctl_get(t->k, SYSCTL_PROTECTED_HARDLINKS) || inode_owner_or_capable(c, i))
		return true;
	return LX_S_ISREG(i->mode) && !(i->mode & LX_S_ISUID) &&
	       (i->mode & (LX_S_ISGID | LX_S_IXGRP)) != (LX_S_ISGID | LX_S_IXGRP) &&
	       inode_permission(c, i, MAY_READ | MAY_WRITE) == 0;
}

static int link_inode(struct task *t, const struct path *old, struct walk *w, const char *name)
{
	struct inode *dir = w->path.dentry->inode, *i = old->dentry->inode;
	int err;

	if (old->mnt != w->path.mnt)
		return -LX_EXDEV;
	if (!may_link(t, i))
		return -LX_EPERM;
	err = dir_may_create(t->cred, &w->path);
	if (err)
		return err;
	if (i->sb != dir->sb)
		return -LX_EXDEV;
	if (inode_is_fixed(i))
		return -LX_EPERM;
	if (LX_S_ISDIR(i->mode) || !dir->ops->link)
		return -LX_EPERM;
	if (i->nlink == 0 && !i->linkable)
		return -LX_ENOENT;
	err = dir->ops->link(dir, name, i);
	if (err)
		return err;
	i->linkable = false;
	inode_get(i);
	fsnotify(i, LX_IN_ATTRIB, NULL, 0);
	return create_done(&w->path, name, i, NULL);
}

int vfs_link(struct task *t, int odfd, const char *oname, int ndfd, const char *nname,
	     uint32_t at_flags)
{
	char name[LX_NAME_MAX + 1];
	struct walk w = { .nbufs = 0 };
	struct path old = { NULL, NULL };
	unsigned how = 0;
	int err;

	if (at_flags & ~(LX_AT_SYMLINK_FOLLOW | LX_AT_EMPTY_PATH))
		return -LX_EINVAL;
	if (at_flags & LX_AT_EMPTY_PATH) {
		if (!*oname && !task_capable(t, LX_CAP_DAC_READ_SEARCH))
			return -LX_ENOENT;
		how |= WALK_EMPTY;
	}
	if (at_flags & LX_AT_SYMLINK_FOLLOW)
		how |= WALK_FOLLOW;
	err = vfs_lookup(t, odfd, oname, how, &old);
	if (err)
		return err;
	err = create_start(&w, t, ndfd, nname, false, name);
	if (!err)
		err = link_inode(t, &old, &w, name);
	walk_fini(&w);
	path_put(&old);
	return err;
}

/* ---- boot ---- */

static int make_one(const struct path *dir, const char *name, bool is_dir, struct dentry **out)
{
	struct inode *di = dir->dentry->inode, *i;
	int err;

	if (is_dir)
		err = di->ops->mkdir ? di->ops->mkdir(di, name, LX_S_IFDIR | 0755, 0, 0, &i)
				     : -LX_EPERM;
	else
		err = di->ops->create ? di->ops->create(di, name, LX_S_IFREG | 0644, 0, 0, &i)
				      : -LX_EPERM;
	return err ? err : create_done(dir, name, i, out);
}

/* Walk to the directory that the last component is in, making what is missing. */
static int make_parents(struct kernel *k, const struct path *start, const char *name)
{
	const char *end = name + strlen(name), *slash;
	AUTO_FREE char *head = NULL;

	while (end > name && end[-1] == '/')
		end--;
	slash = memrchr(name, '/', (size_t)(end - name));
	if (!slash || slash == name)
		return 0;
	head = strndup(name, (size_t)(slash - name));
	if (!head)
		return -LX_ENOMEM;
	return vfs_make_mountpoint(k, start, head, true, NULL);
}

int vfs_make_mountpoint(struct kernel *k, const struct path *start, const char *name, bool dir,
			struct path *out)
{
	char last[LX_NAME_MAX + 1];
	struct path found = { NULL, NULL };
	struct walk w;
	struct dentry *d;
	int r = vfs_lookup_at(k, start, name, WALK_FOLLOW, &found);

	if (r == -LX_ENOENT) {
		r = make_parents(k, start, name);
		if (r)
			return r;
		walk_init_at(&w, k, start, name, WALK_FOLLOW);
		do {
			r = walk_parents(&w);
			if (!r)
				r = walk_last(&w);
		} while (r == 1);
		if (r == -LX_ENOENT && w.last_type == LAST_NORM) {
			walk_last_name(&w, last);
			r = make_one(&w.path, last, dir, &d);
			if (!r)
				r = walk_step_into(&w, d, true);
		}
		if (!r) {
			found = w.path;
			path_get(&found);
		}
		walk_fini(&w);
	}
	if (r)
		return r;
	if (out)
		*out = found;
	else
		path_put(&found);
	return 0;
}
