/* What mount(2), umount(2), pivot_root(2) and the newer calls do to the mount tree. */
#include <stdlib.h>

#include "sentry/task/task.h"
#include "sentry/vfs/vfs_impl.h"
#include "syscalls/abi/lx_mount.h"

static bool is_mount_root(const struct path *p)
{
	return p->dentry == p->mnt->root;
}

/* Is (m, d) below root, or root itself? */
static bool below(const struct mount *m, const struct dentry *d, const struct path *root)
{
	while (m != root->mnt && m->parent) {
		d = m->mountpoint;
		m = m->parent;
	}
	return m == root->mnt && dentry_is_below(d, root->dentry);
}

/* ---- hanging in ---- */

static int may_attach(const struct path *at, const struct inode *root)
{
	if (!mounts_room())
		return -LX_ENOSPC;
	if (at->dentry->unhashed)
		return -LX_ENOENT;
	if (LX_S_ISDIR(at->dentry->inode->mode) != LX_S_ISDIR(root->mode))
		return -LX_ENOTDIR;
	return 0;
}

/* m's tree (its reference taken over on success) at `at`, and wherever that propagates to. */
static int graft(struct kernel *k, struct mount *m, const struct path *at)
{
	if (mount_shared(at->mnt) && at->mnt->attached) {
		int err = mount_propagate(k, m, at->mnt, at->dentry);

		if (err)
			return err;
	}
	mount_link(m, at->mnt, at->dentry);
	mount_tree_enter(k, m);
	return 0;
}

static int graft_or_free(struct kernel *k, struct mount *m, const struct path *at)
{
	int err = graft(k, m, at);

	if (err)
		umount_tree(m);
	return err;
}

int vfs_mount(struct kernel *k, const struct path *at, struct superblock *sb,
	      struct inode *root, uint32_t flags, const char *source, const char *options)
{
	int err = may_attach(at, root);
	struct mount *m;

	if (err)
		return err;
	m = mount_new(sb, root, flags, source, options);
	return m ? graft_or_free(k, m, at) : -LX_ENOMEM;
}

static bool has_locked_children(const struct mount *m, const struct dentry *from)
{
	const struct mount *c;

	list_for_each(c, &m->children, sibling)
		if ((c->flags & MNT_LOCKED) && dentry_is_below(c->mountpoint, from))
			return true;
	return false;
}

int vfs_clone_tree(struct kernel *k, const struct path *p, bool rec, struct mount **out)
{
	struct mount *m = p->mnt;
	int err;

	(void)k;
	if (m->flags & MNT_UNBINDABLE)
		return -LX_EINVAL;
	if (!rec && has_locked_children(m, p->dentry))
		return -LX_EINVAL;
	if (!mounts_room())
		return -LX_ENOSPC;
	if (rec) {
		err = mount_copy_tree(m, p->dentry, true, out);
		if (err)
			return err;
	} else {
		*out = mount_copy(m, p->dentry);
		if (!*out)
			return -LX_ENOMEM;
		mount_join(*out, m);
	}
	(*out)->flags &= ~MNT_LOCKED;
	return 0;
}

int vfs_bind(struct kernel *k, const struct path *at, const struct path *from, bool recursive,
	     uint32_t flags)
{
	struct mount *m;
	int err;

	if (from->dentry->unhashed && from->dentry->parent)
		return -LX_ENOENT;
	if (!from->mnt->attached)
		return -LX_EINVAL;
	/* The copy is complete before it is hung in: `at` may lie below `from`. */
	err = vfs_clone_tree(k, from, recursive, &m);
	if (err)
		return err;
	m->flags |= flags;
	err = may_attach(at, from->dentry->inode);
	if (err) {
		umount_tree(m);
		return err;
	}
	return graft_or_free(k, m, at);
}

void mount_discard(struct mount *m)
{
	if (m->floating) {
		m->floating = false;
		umount_tree(m);
	}
}

/* ---- moving ---- */

static bool tree_has_unbindable(struct mount *top)
{
	for (struct mount *m = top; m; m = mount_tree_next(m, top))
		if (m->flags & MNT_UNBINDABLE)
			return true;
	return false;
}

int vfs_move_mount(struct kernel *k, const struct path *from, const struct path *to)
{
	struct mount *old = from->mnt, *parent = old->parent;
	struct dentry *mp = old->mountpoint;
	int err;

	if (!is_mount_root(from) || !to->mnt->attached || (old->attached && !parent) ||
	    (!old->attached && !old->floating) || (old->flags & MNT_LOCKED) ||
	    LX_S_ISDIR(to->dentry->inode->mode) != LX_S_ISDIR(from->dentry->inode->mode))
		return -LX_EINVAL;
	if (to->dentry->unhashed)
		return -LX_ENOENT;
	if (parent && mount_shared(parent))
		return -LX_EINVAL;
	if (mount_shared(to->mnt) && tree_has_unbindable(old))
		return -LX_EINVAL;
	for (const struct mount *m = to->mnt; m; m = m->parent)
		if (m == old)
			return -LX_ELOOP;
	if (!parent) {
		err = graft(k, old, to);
		old->floating = old->floating && err;
		return err;
	}
	dentry_get(mp);
	mount_unlink(old);
	for (struct mount *m = old; m; m = mount_tree_next(m, old))
		list_del_init(&m->all);
	err = graft(k, old, to);
	if (err) {
		mount_link(old, parent, mp);
		mount_tree_enter(k, old);
	}
	dentry_put(mp);
	return err;
}

/* Everybody who stood at the old root stands at the new one. */
static void move_tasks(struct kernel *k, const struct path *from, const struct path *to)
{
	struct tgroup *tg;
	struct task *t;
	int at = 0;

	while ((tg = tgroup_next(k, at)) != NULL) {
		at = tg->tgid;
		list_for_each(t, &tg->tasks, tg_link) {
			struct path *both[2] = { t->fs ? &t->fs->root : NULL,
						 t->fs ? &t->fs->cwd : NULL };

			for (int i = 0; i < 2; i++) {
				struct path old;

				if (!both[i] || !path_equal(both[i], from))
					continue;
				old = *both[i];
				*both[i] = *to;
				path_get(to);
				path_put(&old);
			}
		}
		tgroup_put(tg);
	}
}

int vfs_pivot_root(struct kernel *k, const struct path *root, const struct path *new_root,
		   const struct path *put_old)
{
	struct mount *om = root->mnt, *nm = new_root->mnt, *up = om->parent;
	struct dentry *mp = om->mountpoint;

	if (mount_shared(put_old->mnt) || (nm->parent && mount_shared(nm->parent)) ||
	    (up && mount_shared(up)) || !om->attached || !nm->attached ||
	    (nm->flags & MNT_LOCKED))
		return -LX_EINVAL;
	if (new_root->dentry->unhashed)
		return -LX_ENOENT;
	if (nm == om || put_old->mnt == om)
		return -LX_EBUSY;
	if (!is_mount_root(root) || !is_mount_root(new_root) || !nm->parent ||
	    !below(put_old->mnt, put_old->dentry, new_root) ||
	    !below(nm, new_root->dentry, root))
		return -LX_EINVAL;
	mount_unlink(nm);
	if (up) {
		dentry_get(mp);
		mount_unlink(om);
		mount_link(nm, up, mp);
		dentry_put(mp);
	} else {
		k->mnt->root = nm;
		nm->parent_id = om->parent_id;
	}
	if (om->flags & MNT_LOCKED) {
		om->flags &= ~MNT_LOCKED;
		nm->flags |= MNT_LOCKED;
	}
	mount_link(om, put_old->mnt, put_old->dentry);
	move_tasks(k, root, new_root);
	return 0;
}

/* ---- flags ---- */

int vfs_mount_propagation(struct kernel *k, const struct path *p, uint32_t type, bool rec)
{
	(void)k;
	if (!is_mount_root(p))
		return -LX_EINVAL;
	for (struct mount *m = p->mnt; m; m = rec ? mount_tree_next(m, p->mnt) : NULL)
		mount_set_propagation(m, type);
	return 0;
}

int vfs_mount_set_group(struct mount *from, struct mount *to)
{
	if (from->sb != to->sb || !dentry_is_below(to->root, from->root))
		return -LX_EINVAL;
	mount_join(to, from);
	return 0;
}

char *mount_root_text(const struct mount *m)
{
	const struct dentry *d;
	size_t need = 1, at;
	char *text;

	for (d = m->root; d->parent; d = d->parent)
		need += d->name_len + 1;
	text = malloc(need + 1);
	if (!text)
		return NULL;
	at = need > 1 ? need - 1 : 1;
	text[0] = '/';
	text[at] = '\0';
	for (d = m->root; d->parent; d = d->parent) {
		at -= d->name_len;
		memcpy(text + at, d->name, d->name_len);
		text[--at] = '/';
	}
	return text;
}

static int may_change(const struct mount *m, uint32_t flags)
{
	if ((m->flags & MNT_LOCK_RDONLY) && !(flags & MNT_RDONLY))
		return -LX_EPERM;
	if ((flags & MNT_RDONLY) && !(m->flags & MNT_RDONLY) && m->writers)
		return -LX_EBUSY;
	return 0;
}

int vfs_mount_setattr(const struct path *p, uint32_t set, uint32_t clear, bool rec)
{
	struct mount *m;

	if (!is_mount_root(p))
		return -LX_EINVAL;
	for (m = p->mnt; m; m = rec ? mount_tree_next(m, p->mnt) : NULL) {
		int err = may_change(m, (m->flags & ~clear) | set);

		if (err)
			return err;
	}
	for (m = p->mnt; m; m = rec ? mount_tree_next(m, p->mnt) : NULL)
		m->flags = (m->flags & ~clear) | set;
	return 0;
}

int vfs_remount(struct kernel *k, const struct path *p, uint32_t flags, bool bind,
		const char *data)
{
	struct superblock *sb = p->mnt->sb;
	bool ro = flags & MNT_RDONLY;
	int err;

	(void)k;
	if (!is_mount_root(p) || !p->mnt->attached)
		return -LX_EINVAL;
	if (!bind) {
		if ((p->mnt->flags & MNT_LOCK_RDONLY) && !ro)
			return -LX_EPERM;
		if (ro && !sb->readonly && sb->writers)
			return -LX_EBUSY;
		err = sb->ops && sb->ops->remount ? sb->ops->remount(sb, data) : 0;
		if (err)
			return err;
		sb->readonly = ro;
	}
	return vfs_mount_setattr(p, flags, MNT_USER_MASK & ~flags, false);
}

char *mount_options_text(const struct mount *m)
{
	const struct sb_ops *ops = m->sb->ops;
	char *text = ops && ops->options ? ops->options(m->sb) : NULL;

	return text ? text : strdup(m->options);
}

/* ---- taking away ---- */

int vfs_umount(struct kernel *k, const struct path *at, uint32_t flags)
{
	struct mount *m = at->mnt;

	(void)k;
	if (!is_mount_root(at) || !m->attached || (m->flags & MNT_LOCKED))
		return -LX_EINVAL;
	if (flags & LX_MNT_EXPIRE) {
		if (!m->parent || (flags & (LX_MNT_FORCE | LX_MNT_DETACH)))
			return -LX_EINVAL;
		if (!list_empty(&m->children) || refs_count(&m->refs) > 2)
			return -LX_EBUSY;
		if (!m->expiry_mark)
			return -LX_EAGAIN;
	}
	if (!m->parent)
		return flags & LX_MNT_DETACH ? -LX_EINVAL : -LX_EBUSY;
	/* One reference is the tree's, one the caller's. */
	if (!(flags & LX_MNT_DETACH) && (!list_empty(&m->children) || refs_count(&m->refs) > 2 ||
					 mount_propagated_busy(m)))
		return -LX_EBUSY;
	umount_tree(m);
	return 0;
}
