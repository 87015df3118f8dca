/* Names that go away or move: unlink, rmdir, rename. */
#include <stdlib.h>

#include "sentry/cred/cred.h"
#include "sentry/task/task.h"
#include "sentry/vfs/fileattr.h"
#include "sentry/vfs/namei.h"
#include "sentry/vfs/vfs_impl.h"
#include "syscalls/abi/lx_cap.h"
#include "syscalls/abi/lx_inotify.h"

/* May t take the entry d out of dir? Linux's may_delete(). */
static int may_delete(struct task *t, const struct inode *dir, const struct dentry *d,
		      bool is_dir)
{
	const struct inode *victim = d->inode;
	const struct cred *c = t->cred;
	int err = inode_permission(c, d->parent->inode, MAY_WRITE | MAY_EXEC);

	if (err)
		return err;
	if (inode_is_append(dir) || inode_is_fixed(victim))
		return -LX_EPERM;
	if ((dir->mode & LX_S_ISVTX) && victim->uid != c->fsuid && dir->uid != c->fsuid &&
	    !cred_has_cap(c, LX_CAP_FOWNER))
		return -LX_EPERM;
	if (is_dir && !LX_S_ISDIR(victim->mode))
		return -LX_ENOTDIR;
	if (!is_dir && LX_S_ISDIR(victim->mode))
		return -LX_EISDIR;
	if (d->parent->unhashed)
		return -LX_ENOENT;
	return 0;
}

void dentry_removed(struct dentry *d, bool is_dir)
{
	struct inode *dir = d->parent->inode, *i = d->inode;

	if (is_dir) {
		i->nlink = 0;
		dcache_prune(d);
	}
	if (fsnotify_marks) {
		if (!is_dir)
			fsnotify(i, LX_IN_ATTRIB, NULL, 0);
		/* Nobody has it open: its end comes first. */
		if (i->nlink == 0 && refs_count(&d->refs) <= (dentry_is_hashed(d) ? 2 : 1))
			fsnotify_inode_gone(i);
		fsnotify(dir, LX_IN_DELETE | (is_dir ? LX_IN_ISDIR : 0), d->name, 0);
	}
	dcache_delete(d);
	dcache_add_negative(d->parent, d->name, d->name_len, d->hash);
}

int vfs_unlink(struct task *t, int dfd, const char *path)
{
	struct walk w = { .nbufs = 0 };
	struct dentry *d = NULL;
	struct inode *dir;
	int err = walk_init(&w, t, dfd, path, 0);

	if (!err)
		err = walk_parents(&w);
	if (!err && w.last_type != LAST_NORM)
		err = -LX_EISDIR;
	if (!err && path_readonly(&w.path))
		err = -LX_EROFS;
	if (!err)
		err = walk_lookup_last(&w, &d);
	if (err)
		goto out;
	dir = w.path.dentry->inode;
	if (walk_trailing_slash(&w))
		err = LX_S_ISDIR(d->inode->mode) ? -LX_EISDIR : -LX_ENOTDIR;
	else
		err = may_delete(t, dir, d, false);
	if (!err && !dir->ops->unlink)
		err = -LX_EPERM;
	if (!err && d->nmounts)
		err = -LX_EBUSY;
	if (!err)
		err = dir->ops->unlink(dir, d->name, d->inode);
	if (!err)
		dentry_removed(d, false);
	dentry_put(d);
out:
	walk_fini(&w);
	return err;
}

static int rmdir_last_type(enum last_type type)
{
	switch (type) {
	case LAST_DOTDOT:
		return -LX_ENOTEMPTY;
	case LAST_DOT:
		return -LX_EINVAL;
	case LAST_ROOT:
		return -LX_EBUSY;
	case LAST_NORM:
		break;
	}
	return 0;
}

int vfs_rmdir(struct task *t, int dfd, const char *path)
{
	struct walk w = { .nbufs = 0 };
	struct dentry *d = NULL;
	struct inode *dir;
	int err = walk_init(&w, t, dfd, path, 0);

	if (!err)
		err = walk_parents(&w);
	if (!err)
		err = rmdir_last_type(w.last_type);
	if (!err && path_readonly(&w.path))
		err = -LX_EROFS;
	if (!err)
		err = walk_lookup_last(&w, &d);
	if (err)
		goto out;
	dir = w.path.dentry->inode;
	err = may_delete(t, dir, d, true);
	if (!err && !dir->ops->rmdir)
		err = -LX_EPERM;
	if (!err && d->nmounts)
		err = -LX_EBUSY;
	if (!err)
		err = dir->ops->rmdir(dir, d->name, d->inode);
	if (!err) {
		dcache_prune(d);
		dentry_removed(d, true);
	}
	dentry_put(d);
out:
	walk_fini(&w);
	return err;
}

/* ---- rename ---- */

struct rename {
	struct task *t;
	struct walk ow, nw;
	struct dentry *old, *new;	/* new NULL: the name is free */
	char nname[LX_NAME_MAX + 1];
	uint32_t flags;
};

static int rename_parents(struct rename *r, int odfd, const char *oname, int ndfd,
			  const char *nname)
{
	int err = walk_init(&r->ow, r->t, odfd, oname, 0);

	if (!err)
		err = walk_parents(&r->ow);
	if (!err)
		err = walk_init(&r->nw, r->t, ndfd, nname, 0);
	if (!err)
		err = walk_parents(&r->nw);
	if (err)
		return err;
	if (r->ow.path.mnt != r->nw.path.mnt)
		return -LX_EXDEV;
	if (r->ow.last_type != LAST_NORM)
		return -LX_EBUSY;
	if (r->nw.last_type != LAST_NORM)
		return r->flags & LX_RENAME_NOREPLACE ? -LX_EEXIST : -LX_EBUSY;
	return path_readonly(&r->ow.path) ? -LX_EROFS : 0;
}

static int rename_lookup(struct rename *r)
{
	bool exchange = r->flags & LX_RENAME_EXCHANGE;
	int err = walk_lookup_last(&r->ow, &r->old);

	if (err)
		return err;
	err = walk_lookup_last(&r->nw, &r->new);
	if (err && (err != -LX_ENOENT || exchange))
		return err;
	if (!err && (r->flags & LX_RENAME_NOREPLACE))
		return -LX_EEXIST;
	if (exchange && !LX_S_ISDIR(r->new->inode->mode) && walk_trailing_slash(&r->nw))
		return -LX_ENOTDIR;
	if (!LX_S_ISDIR(r->old->inode->mode)) {
		if (walk_trailing_slash(&r->ow))
			return -LX_ENOTDIR;
		if (!exchange && walk_trailing_slash(&r->nw))
			return -LX_ENOTDIR;
	}
	/* A directory cannot go below itself. */
	if (dentry_is_below(r->nw.path.dentry, r->old))
		return -LX_EINVAL;
	if (r->new && dentry_is_below(r->ow.path.dentry, r->new))
		return exchange ? -LX_EINVAL : -LX_ENOTEMPTY;
	walk_last_name(&r->nw, r->nname);
	return 0;
}

static int rename_may(struct rename *r)
{
	struct inode *odir = r->ow.path.dentry->inode, *ndir = r->nw.path.dentry->inode;
	bool exchange = r->flags & LX_RENAME_EXCHANGE;
	bool is_dir = LX_S_ISDIR(r->old->inode->mode);
	bool new_is_dir = exchange ? LX_S_ISDIR(r->new->inode->mode) : is_dir;
	const struct cred *c = r->t->cred;
	int err = may_delete(r->t, odir, r->old, is_dir);

	if (err)
		return err;
	if (!r->new)
		err = dir_may_create(c, &r->nw.path);
	else
		err = may_delete(r->t, ndir, r->new, new_is_dir);
	if (err)
		return err;
	if (!odir->ops->rename)
		return -LX_EPERM;
	/* Its ".." changes. */
	if (is_dir && odir != ndir)
		err = inode_permission(c, r->old->inode, MAY_WRITE);
	if (!err && exchange && new_is_dir && odir != ndir)
		err = inode_permission(c, r->new->inode, MAY_WRITE);
	if (!err && (r->old->nmounts || (r->new && r->new->nmounts)))
		err = -LX_EBUSY;
	return err;
}

/* i went from one directory and name to another; over: what was there, or NULL. */
static void notify_move(struct inode *from, const char *oname, struct inode *to,
			const char *nname, struct inode *i, struct inode *over)
{
	static uint32_t cookie;
	uint32_t isdir = LX_S_ISDIR(i->mode) ? LX_IN_ISDIR : 0;

	cookie++;
	fsnotify(from, LX_IN_MOVED_FROM | isdir, oname, cookie);
	fsnotify(to, LX_IN_MOVED_TO | isdir, nname, cookie);
	if (over)
		fsnotify(over, LX_IN_ATTRIB | (LX_S_ISDIR(over->mode) ? LX_IN_ISDIR : 0), NULL, 0);
	fsnotify(i, LX_IN_MOVE_SELF, NULL, 0);
}

static void rename_notify(struct rename *r, const char *oname)
{
	struct inode *odir = r->ow.path.dentry->inode, *ndir = r->nw.path.dentry->inode;
	bool exchange = r->flags & LX_RENAME_EXCHANGE;

	if (!fsnotify_marks)
		return;
	notify_move(odir, oname, ndir, r->nname, r->old->inode,
		    r->new && !exchange ? r->new->inode : NULL);
	if (exchange)
		notify_move(ndir, r->nname, odir, oname, r->new->inode, NULL);
}

void dcache_renamed(struct dentry *old, struct dentry *ndir, const char *nname,
		    struct dentry *victim, uint32_t flags)
{
	struct dentry *odir = old->parent;
	char oname[LX_NAME_MAX + 1];
	unsigned olen = old->name_len;

	if (flags & LX_RENAME_EXCHANGE) {
		dcache_exchange(old, victim);
		return;
	}
	memcpy(oname, old->name, olen + 1);
	dentry_get(odir);
	if (victim) {
		if (LX_S_ISDIR(victim->inode->mode))
			dcache_prune(victim);
		dcache_delete(victim);
	} else {
		dcache_forget(ndir, nname); /* a negative entry */
	}
	dcache_move(old, ndir, nname, (unsigned)strlen(nname));
	if (!(flags & LX_RENAME_WHITEOUT))
		dcache_add_negative(odir, oname, olen, name_hash(oname, olen));
	dentry_put(odir);
}

static int rename_do(struct rename *r)
{
	struct inode *odir = r->ow.path.dentry->inode, *ndir = r->nw.path.dentry->inode;
	char oname[LX_NAME_MAX + 1];
	int err;

	memcpy(oname, r->old->name, r->old->name_len + 1);
	err = odir->ops->rename(odir, oname, r->old->inode, ndir, r->nname,
				r->new ? r->new->inode : NULL, r->flags);
	if (err)
		return err;
	rename_notify(r, oname);
	dcache_renamed(r->old, r->nw.path.dentry, r->nname, r->new, r->flags);
	return 0;
}

int vfs_rename(struct task *t, int odfd, const char *oname, int ndfd, const char *nname,
	       uint32_t flags)
{
	struct rename r = { .t = t, .flags = flags };
	int err;

	if (flags & ~(LX_RENAME_NOREPLACE | LX_RENAME_EXCHANGE | LX_RENAME_WHITEOUT))
		return -LX_EINVAL;
	if ((flags & (LX_RENAME_NOREPLACE | LX_RENAME_WHITEOUT)) && (flags & LX_RENAME_EXCHANGE))
		return -LX_EINVAL;
	err = rename_parents(&r, odfd, oname, ndfd, nname);
	if (!err)
		err = rename_lookup(&r);
	if (!err && (!r.new || r.old->inode != r.new->inode)) {
		err = rename_may(&r);
		if (!err)
			err = rename_do(&r);
	}
	if (r.old)
		dentry_put(r.old);
	if (r.new)
		dentry_put(r.new);
	walk_fini(&r.ow);
	walk_fini(&r.nw);
	return err;
}
