/* Attributes: stat, chmod, chown, truncate, utimes, access, readlink, statfs. What may be
 * changed by whom is decided here (Linux's setattr_prepare() and friends); the file
 * system only stores it. */
#include <stdlib.h>

#include "sentry/cred/cred.h"
#include "sentry/task/task.h"
#include "sentry/vfs/acl.h"
#include "sentry/vfs/fileattr.h"
#include "sentry/vfs/namei.h"
#include "sentry/vfs/vfs_impl.h"
#include "syscalls/abi/lx_cap.h"
#include "syscalls/abi/lx_inotify.h"
#include "syscalls/abi/lx_resource.h"
#include "syscalls/abi/lx_signal.h"
#include "syscalls/abi/lx_statfs.h"

static void kstat_from_inode(const struct inode *i, struct kstat *out)
{
	*out = (struct kstat){
		.ino = i->ino, .size = i->size, .blocks = i->blocks, .mode = i->mode,
		.nlink = i->nlink, .uid = i->uid, .gid = i->gid, .blksize = 4096,
		.dev_major = i->sb->dev >> 20, .dev_minor = i->sb->dev & 0xfffff,
		.rdev_major = i->rdev >> 20, .rdev_minor = i->rdev & 0xfffff,
		.atime = i->atime, .mtime = i->mtime, .ctime = i->ctime, .btime = i->btime,
	};
}

int vfs_getattr(const struct path *p, struct kstat *out)
{
	struct inode *i = p->dentry->inode;

	if (i->ops->getattr)
		return i->ops->getattr(i, out);
	kstat_from_inode(i, out);
	return 0;
}

int file_getattr(struct file *f, struct kstat *out)
{
	return vfs_getattr(&f->path, out);
}

bool inode_owner_or_capable(const struct cred *c, const struct inode *i)
{
	return c->fsuid == i->uid || cred_has_cap(c, LX_CAP_FOWNER);
}

/* What inotify calls this change, as fsnotify_change() of Linux does. */
static uint32_t change_mask(const struct iattr *a)
{
	uint32_t times = a->valid & (IATTR_ATIME | IATTR_MTIME), mask = 0;

	if (a->valid & (IATTR_UID | IATTR_GID | IATTR_MODE))
		mask |= LX_IN_ATTRIB;
	if ((a->valid & IATTR_SIZE) || times == IATTR_MTIME)
		mask |= LX_IN_MODIFY;
	if (times == IATTR_ATIME)
		mask |= LX_IN_ACCESS;
	else if (times == (IATTR_ATIME | IATTR_MTIME))
		mask |= LX_IN_ATTRIB;
	return mask;
}

bool path_renew(const struct path *p)
{
	struct dentry *d = p->dentry;
	struct inode *found = NULL;
	bool same;

	if (!d->parent || d->unhashed || !d->parent->inode->ops->lookup ||
	    d->parent->inode->ops->lookup(d->parent->inode, d->name, &found))
		return false;
	same = found == d->inode;
	inode_put(found);
	return same;
}

static int apply(struct inode *i, const struct iattr *a)
{
	int err;

	if (!i->ops->setattr)
		return -LX_EPERM;
	err = i->ops->setattr(i, a);
	if (!err && (a->valid & IATTR_MODE))
		err = inode_acl_chmod(i);
	if (!err)
		fsnotify(i, change_mask(a), NULL, 0);
	return err;
}

/* As apply, told to the parent directory too. */
static int apply_at(const struct path *p, const struct iattr *a)
{
	struct inode *i = p->dentry->inode;
	int err;

	if (!i->ops->setattr) /* anonymous ones have no type */
		return i->mode & LX_S_IFMT ? -LX_EPERM : -LX_EOPNOTSUPP;
	err = i->ops->setattr(i, a);
	if (err == -LX_ESTALE && path_renew(p))
		err = i->ops->setattr(i, a);
	if (!err && (a->valid & IATTR_MODE))
		err = inode_acl_chmod(i);
	if (!err && fsnotify_marks && a->valid)
		fsnotify_dentry(p->dentry, change_mask(a));
	return err;
}

/* The mode that is left when set-id bits are to go; force: also for a privileged caller
 * (chown does it to everyone). */
static uint32_t mode_without_privs(const struct cred *c, const struct inode *i, bool force)
{
	uint32_t mode = i->mode;

	if (!LX_S_ISREG(mode) && (!force || LX_S_ISDIR(mode)))
		return mode;
	if (!force && cred_has_cap(c, LX_CAP_FSETID))
		return mode;
	mode &= ~LX_S_ISUID;
	if (mode & LX_S_ISGID) {
		if ((mode & LX_S_IXGRP) ||
		    (!cred_in_group(c, i->gid) && !cred_has_cap(c, LX_CAP_FSETID)))
			mode &= ~LX_S_ISGID;
	}
	return mode;
}

int inode_drop_privs(const struct cred *c, struct inode *i)
{
	struct iattr a = { .valid = IATTR_MODE, .mode = mode_without_privs(c, i, false) };

	if (a.mode == i->mode)
		return 0;
	return apply(i, &a);
}

int vfs_chmod(struct task *t, const struct path *p, uint32_t mode)
{
	struct inode *i = p->dentry->inode;
	const struct cred *c = t->cred;
	struct iattr a = { .valid = IATTR_MODE };

	if (LX_S_ISLNK(i->mode))
		return -LX_EOPNOTSUPP;
	if (path_readonly(p))
		return -LX_EROFS;
	if (inode_is_fixed(i) || !inode_owner_or_capable(c, i))
		return -LX_EPERM;
	a.mode = (i->mode & LX_S_IFMT) | (mode & LX_S_IALLUGO);
	if ((a.mode & LX_S_ISGID) && !cred_in_group(c, i->gid) &&
	    !cred_has_cap(c, LX_CAP_FSETID))
		a.mode &= ~LX_S_ISGID;
	return apply_at(p, &a);
}

int vfs_chown(struct task *t, const struct path *p, uint32_t uid, uint32_t gid)
{
	struct inode *i = p->dentry->inode;
	const struct cred *c = t->cred;
	bool cap = cred_has_cap(c, LX_CAP_CHOWN);
	struct iattr a = { .valid = 0 };
	uint32_t mode;

	if (path_readonly(p))
		return -LX_EROFS;
	if ((uid != UINT32_MAX || gid != UINT32_MAX) && inode_is_fixed(i))
		return -LX_EPERM;
	if (uid != UINT32_MAX) {
		if (!cap && (c->fsuid != i->uid || uid != i->uid))
			return -LX_EPERM;
		a.valid |= IATTR_UID;
		a.uid = uid;
	}
	if (gid != UINT32_MAX) {
		if (!cap && (c->fsuid != i->uid || (gid != i->gid && !cred_in_group(c, gid))))
			return -LX_EPERM;
		a.valid |= IATTR_GID;
		a.gid = gid;
	}
	mode = mode_without_privs(c, i, true);
	if (mode != i->mode) {
		if (!inode_owner_or_capable(c, i))
			return -LX_EPERM;
		a.valid |= IATTR_MODE;
		a.mode = mode;
	}
	return apply_at(p, &a);
}

static int check_fsize(struct task *t, const struct inode *i, int64_t size)
{
	if ((uint64_t)size > i->size && (uint64_t)size > rlimit_cur(t, LX_RLIMIT_FSIZE)) {
		signal_send_self(t, LX_SIGXFSZ);
		return -LX_EFBIG;
	}
	return 0;
}

int vfs_truncate(struct task *t, const struct path *p, struct file *f, int64_t size)
{
	struct inode *i = p->dentry->inode;
	struct iattr a = { .valid = IATTR_SIZE, .size = (uint64_t)size, .file = f };
	uint32_t mode;
	int err;

	if (size < 0)
		return -LX_EINVAL;
	if (!f) {
		if (LX_S_ISDIR(i->mode))
			return -LX_EISDIR;
		if (!LX_S_ISREG(i->mode))
			return -LX_EINVAL;
		if (path_readonly(p))
			return -LX_EROFS;
		err = inode_permission(t->cred, i, MAY_WRITE);
		if (err)
			return err;
		if (i->deny_write > 0)
			return -LX_ETXTBSY;
	}
	if (inode_is_append(i))
		return -LX_EPERM;
	err = check_fsize(t, f ? f->inode : i, size);
	if (err)
		return err;
	mode = mode_without_privs(t->cred, i, false);
	if (mode != i->mode) {
		a.valid |= IATTR_MODE;
		a.mode = mode;
	}
	return apply_at(p, &a);
}

int vfs_utimes(struct task *t, const struct path *p, const struct vfs_times *times)
{
	struct inode *i = p->dentry->inode;
	const struct cred *c = t->cred;
	struct iattr a = { .valid = 0 };
	bool both_now = !times || (times->atime_now && times->mtime_now);

	if (times && times->invalid)
		return -LX_EINVAL;
	if (times && !times->set_atime && !times->set_mtime)
		return 0;
	if (path_readonly(p))
		return -LX_EROFS;
	if (both_now ? inode_is_immutable(i) : inode_is_fixed(i))
		return -LX_EPERM;
	if (!inode_owner_or_capable(c, i)) {
		int err = both_now ? inode_permission(c, i, MAY_WRITE) : -LX_EPERM;

		if (err)
			return err;
	}
	a.atime = a.mtime = ktime64_now();
	a.valid = IATTR_ATIME | IATTR_MTIME;
	if (times) {
		if (!times->atime_now)
			a.atime = times->atime;
		if (!times->mtime_now)
			a.mtime = times->mtime;
		if (!times->set_atime)
			a.valid &= ~IATTR_ATIME;
		if (!times->set_mtime)
			a.valid &= ~IATTR_MTIME;
	}
	return apply_at(p, &a);
}

int vfs_access(struct task *t, const struct path *p, unsigned mask, bool eaccess)
{
	struct inode *i = p->dentry->inode;
	AUTO_PUT(cred) struct cred *real = NULL;
	const struct cred *c = t->cred;
	int err;

	if (!eaccess && (c->fsuid != c->uid || c->fsgid != c->gid || c->uid != 0 ||
			 c->cap_eff != c->cap_perm)) {
		real = cred_dup(c);
		if (!real)
			return -LX_ENOMEM;
		real->fsuid = c->uid;
		real->fsgid = c->gid;
		real->cap_eff = c->uid == 0 ? c->cap_perm : 0;
		c = real;
	}
	if ((mask & MAY_EXEC) && LX_S_ISREG(i->mode) && (p->mnt->flags & MNT_NOEXEC))
		return -LX_EACCES;
	err = mask ? inode_permission(c, i, mask) : 0;
	if (!err && (mask & MAY_WRITE) && path_readonly(p) &&
	    (LX_S_ISREG(i->mode) || LX_S_ISDIR(i->mode) || LX_S_ISLNK(i->mode)))
		err = -LX_EROFS;
	return err;
}

int vfs_readlink(struct task *t, const struct path *p, char *buf, size_t size)
{
	struct inode *i = p->dentry->inode;

	if (!LX_S_ISLNK(i->mode))
		return -LX_EINVAL;
	if (i->ops->readlink)
		return i->ops->readlink(i, buf, size);
	if (i->ops->get_link) {
		struct path to;
		char *text;
		size_t len;
		int err = i->ops->get_link(i, t, &to);

		if (err)
			return err;
		text = vfs_path_string(t->k, &to, &t->fs->root);
		path_put(&to);
		if (!text)
			return -LX_ENOMEM;
		len = strlen(text) < size ? strlen(text) : size;
		memcpy(buf, text, len);
		free(text);
		return (int)len;
	}
	return -LX_EINVAL;
}

/* Pipes and sockets share the anonymous objects' superblock; in Linux each kind has one. */
static uint64_t magic_of(const struct path *p)
{
	const struct superblock *sb = p->mnt->sb;

	if (sb->k->mnt->anon != p->mnt)
		return sb->magic;
	switch (p->dentry->inode->mode & LX_S_IFMT) {
	case LX_S_IFIFO:
		return LX_PIPEFS_MAGIC;
	case LX_S_IFSOCK:
		return LX_SOCKFS_MAGIC;
	default:
		return p->dentry->inode->sb->magic;
	}
}

int vfs_statfs(const struct path *p, struct lx_statfs *out)
{
	struct superblock *sb = p->mnt->sb;
	uint32_t mf = p->mnt->flags;
	int err = 0;

	memset(out, 0, sizeof(*out));
	out->f_bsize = 4096;
	out->f_namelen = LX_NAME_MAX;
	if (sb->ops && sb->ops->statfs)
		err = sb->ops->statfs(sb, out);
	if (err)
		return err;
	out->f_type = (int64_t)magic_of(p);
	if (!out->f_frsize)
		out->f_frsize = out->f_bsize;
	out->f_fsid[0] = (int32_t)sb->dev;
	out->f_flags = LX_ST_VALID | (path_readonly(p) ? LX_ST_RDONLY : 0) |
		       (mf & MNT_NOSUID ? LX_ST_NOSUID : 0) |
		       (mf & MNT_NODEV ? LX_ST_NODEV : 0) |
		       (mf & MNT_NOEXEC ? LX_ST_NOEXEC : 0) |
		       (mf & MNT_NOATIME ? LX_ST_NOATIME : 0) |
		       (mf & MNT_NODIRATIME ? LX_ST_NODIRATIME : 0) |
		       (mf & MNT_RELATIME ? LX_ST_RELATIME : 0) |
		       (mf & MNT_NOSYMFOLLOW ? LX_ST_NOSYMFOLLOW : 0);
	return 0;
}
