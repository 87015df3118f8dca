/* The mount tree of the sandbox. The tree holds one reference on each mount in it,
 * files and paths hold others; a mount that was detached lives until they are gone. */
#include <stdlib.h>

#include "platform/base/bug.h"
#include "sentry/vfs/vfs_impl.h"
#include "syscalls/abi/lx_mount.h"
#include "syscalls/abi/lx_statfs.h"

#define MAX_MOUNTS 10000 /* as fs.mount-max bounds it on Linux, an order lower */

static unsigned nmounts_total;

static struct mount *mount_alloc(struct superblock *sb, struct dentry *root, uint32_t flags,
				 const char *source, const char *options)
{
	struct mount *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->source = strdup(source ? source : "none");
	m->options = strdup(options ? options : "");
	if (!m->source || !m->options) {
		free(m->source);
		free(m->options);
		free(m);
		return NULL;
	}
	refs_init(&m->refs, "mount");
	superblock_get(sb);
	sb->nmounts++;
	m->sb = sb;
	dentry_get(root);
	m->root = root;
	m->flags = flags;
	list_init(&m->children);
	list_init(&m->sibling);
	list_init(&m->all);
	return m;
}

struct mount *mount_new(struct superblock *sb, struct inode *root, uint32_t flags,
			const char *source, const char *options)
{
	struct dentry *d = dentry_new_root(root);
	struct mount *m;

	if (!d)
		return NULL;
	m = mount_alloc(sb, d, flags, source, options);
	dentry_put(d);
	return m;
}

void mount_get(struct mount *m)
{
	refs_get(&m->refs);
}

void mount_put(struct mount *m)
{
	struct superblock *sb = m->sb;
	struct dentry *top = m->root;

	if (!refs_put(&m->refs))
		return;
	if (--sb->nmounts == 0) {
		/* Nobody can walk in any more: what is cached below is of no use. */
		sb->no_dcache = true;
		while (top->parent)
			top = top->parent;
		dcache_prune(top);
	}
	dentry_put(m->root);
	superblock_put(sb);
	free(m->source);
	free(m->options);
	free(m);
}

void path_get(const struct path *p)
{
	mount_get(p->mnt);
	dentry_get(p->dentry);
}

void path_put(struct path *p)
{
	struct path old = *p;

	p->mnt = NULL;
	p->dentry = NULL;
	if (old.dentry)
		dentry_put(old.dentry);
	if (old.mnt)
		mount_put(old.mnt);
}

struct mount *mount_find(struct mount *mnt, struct dentry *d)
{
	struct list *l;

	for (l = mnt->children.prev; l != &mnt->children; l = l->prev) {
		struct mount *m = list_entry(l, struct mount, sibling);

		if (m->mountpoint == d)
			return m;
	}
	return NULL;
}

void path_cross_mounts(struct path *p)
{
	while (p->dentry->nmounts) {
		struct mount *m = mount_find(p->mnt, p->dentry);
		struct path next;

		if (!m)
			return;
		next = (struct path){ m, m->root };
		path_get(&next);
		path_put(p);
		*p = next;
	}
}

bool path_leave_mount(const struct path *p, const struct path *root, struct path *out)
{
	struct mount *m = p->mnt;

	while (m->parent) {
		struct path up = { m->parent, m->mountpoint };

		if (root && path_equal(&up, root))
			return false;
		if (up.dentry != up.mnt->root) {
			*out = up;
			path_get(out);
			return true;
		}
		m = up.mnt;
	}
	return false;
}

/* priv: the inode that all anonymous objects without one of their own share. */
static void anon_root_free(struct inode *i)
{
	if (i->priv)
		inode_put(i->priv);
	inode_fini(i);
	free(i);
}

static struct inode *anon_root(struct superblock *sb)
{
	static const struct inode_ops anon_ops = { .free = anon_root_free };
	struct inode *i = calloc(1, sizeof(*i));

	if (i)
		inode_init(i, sb, &anon_ops, superblock_next_ino(sb), LX_S_IFDIR | 0555);
	return i;
}

static int anon_statfs(struct superblock *sb, struct lx_statfs *out)
{
	(void)sb;
	out->f_bsize = 4096;
	out->f_namelen = LX_NAME_MAX;
	return 0;
}

static int anon_mount_new(struct kernel *k, struct mount **out)
{
	static const struct sb_ops ops = { .statfs = anon_statfs };
	struct superblock *sb = superblock_new(k, "anon_inodefs", LX_ANON_INODE_FS_MAGIC, &ops,
					       NULL);
	struct inode *root;

	if (!sb)
		return -LX_ENOMEM;
	root = anon_root(sb);
	if (root)
		*out = mount_new(sb, root, 0, "anon", NULL);
	if (root)
		inode_put(root);
	superblock_put(sb);
	return root && *out ? 0 : -LX_ENOMEM;
}

int mount_ns_new(struct kernel *k, struct superblock *sb, struct inode *root, uint32_t flags,
		 const char *source, struct mount_ns **out)
{
	struct mount_ns *ns = calloc(1, sizeof(*ns));
	int err;

	if (!ns)
		return -LX_ENOMEM;
	list_init(&ns->all);
	ns->next_id = 20;
	err = anon_mount_new(k, &ns->anon);
	if (err) {
		free(ns);
		return err;
	}
	ns->root = mount_new(sb, root, flags, source, NULL);
	if (!ns->root) {
		mount_put(ns->anon);
		free(ns);
		return -LX_ENOMEM;
	}
	ns->root->id = ns->next_id++;
	ns->root->parent_id = 1;
	list_push_back(&ns->all, &ns->root->all);
	nmounts_total = 1;
	k->mnt = ns;
	*out = ns;
	return 0;
}

/* Hang m (its reference taken over) into the tree at `at`. */
static void mount_attach(struct kernel *k, struct mount *m, const struct path *at)
{
	m->id = k->mnt->next_id++;
	m->parent = at->mnt;
	m->parent_id = at->mnt->id;
	dentry_get(at->dentry);
	m->mountpoint = at->dentry;
	at->dentry->nmounts++;
	list_push_back(&at->mnt->children, &m->sibling);
	list_push_back(&k->mnt->all, &m->all);
	nmounts_total++;
}

static void mount_detach(struct mount *m)
{
	list_del_init(&m->sibling);
	list_del_init(&m->all);
	nmounts_total--;
	m->mountpoint->nmounts--;
	dentry_put(m->mountpoint);
	m->mountpoint = NULL;
	m->parent = NULL;
	mount_put(m);
}

static int may_attach(const struct path *at, const struct inode *root)
{
	if (nmounts_total >= MAX_MOUNTS)
		return -LX_ENOSPC;
	if (at->dentry->unhashed)
		return -LX_ENOENT;
	if (LX_S_ISDIR(at->dentry->inode->mode) != LX_S_ISDIR(root->mode))
		return -LX_ENOTDIR;
	return 0;
}

int vfs_mount(struct kernel *k, const struct path *at, struct superblock *sb,
	      struct inode *root, uint32_t flags, const char *source, const char *options)
{
	int err = may_attach(at, root);
	struct mount *m;

	if (err)
		return err;
	m = mount_new(sb, root, flags, source, options);
	if (!m)
		return -LX_ENOMEM;
	mount_attach(k, m, at);
	return 0;
}

/* Copy the mounts below `from` of mount src to below dst, which shows from's tree. */
static int bind_children(struct kernel *k, struct mount *src, struct dentry *from,
			 struct mount *dst, unsigned depth)
{
	struct mount *c;
	struct list *last = src->children.prev, *l;

	if (depth > 100)
		return -LX_ELOOP;
	if (list_empty(&src->children))
		return 0;
	for (l = src->children.next;; l = l->next) {
		struct mount *copy;
		struct path at;
		int err;

		c = list_entry(l, struct mount, sibling);
		if (c != dst && dentry_is_below(c->mountpoint, from)) {
			if (nmounts_total >= MAX_MOUNTS)
				return -LX_ENOSPC;
			copy = mount_alloc(c->sb, c->root, c->flags, c->source, c->options);
			if (!copy)
				return -LX_ENOMEM;
			at = (struct path){ dst, c->mountpoint };
			mount_attach(k, copy, &at);
			err = bind_children(k, c, c->root, copy, depth + 1);
			if (err)
				return err;
		}
		if (l == last)
			return 0;
	}
}

int vfs_bind(struct kernel *k, const struct path *at, const struct path *from, bool recursive,
	     uint32_t flags)
{
	int err = may_attach(at, from->dentry->inode);
	struct mount *m;

	if (err)
		return err;
	if (from->dentry->unhashed)
		return -LX_ENOENT;
	m = mount_alloc(from->mnt->sb, from->dentry, from->mnt->flags | flags, from->mnt->source,
			from->mnt->options);
	if (!m)
		return -LX_ENOMEM;
	if (recursive) {
		/* Complete the copy before it is hung in: `at` may lie below `from`. */
		err = bind_children(k, from->mnt, from->dentry, m, 0);
		if (err) {
			while (!list_empty(&m->children))
				mount_detach(list_last(&m->children, struct mount, sibling));
			mount_put(m);
			return err;
		}
	}
	mount_attach(k, m, at);
	return 0;
}

int vfs_remount(struct kernel *k, const struct path *p, uint32_t flags)
{
	(void)k;
	if (p->dentry != p->mnt->root)
		return -LX_EINVAL;
	if ((flags & MNT_RDONLY) && p->mnt->writers)
		return -LX_EBUSY;
	p->mnt->flags = flags;
	return 0;
}

/* Detach m and all below it, the leaves first. */
static void umount_tree(struct mount *m)
{
	struct mount *cur = m;

	for (;;) {
		struct mount *parent;

		while (!list_empty(&cur->children))
			cur = list_last(&cur->children, struct mount, sibling);
		parent = cur->parent;
		if (cur == m) {
			mount_detach(cur);
			return;
		}
		mount_detach(cur);
		cur = parent;
	}
}

int vfs_umount(struct kernel *k, const struct path *at, uint32_t flags)
{
	struct mount *m = at->mnt;

	if (at->dentry != m->root || (m != k->mnt->root && !m->parent))
		return -LX_EINVAL;
	if (m == k->mnt->root)
		return -LX_EBUSY;
	/* One reference is the tree's, one the caller's. */
	if (!(flags & LX_MNT_DETACH) && (!list_empty(&m->children) || refs_count(&m->refs) > 2))
		return -LX_EBUSY;
	umount_tree(m);
	return 0;
}

void mount_ns_free(struct kernel *k)
{
	struct mount_ns *ns = k->mnt;

	if (!ns)
		return;
	while (!list_empty(&ns->root->children))
		umount_tree(list_last(&ns->root->children, struct mount, sibling));
	list_del_init(&ns->root->all);
	mount_put(ns->root);
	mount_put(ns->anon);
	k->mnt = NULL;
	free(ns);
}

int mount_ns_show(struct kernel *k, const struct path *root,
		  int (*emit)(void *ctx, const struct mount *m, const char *mountpoint), void *ctx)
{
	struct mount *m;

	list_for_each(m, &k->mnt->all, all) {
		struct path p = { m, m->root };
		unsigned flags = 0;
		char *text = path_text(k, &p, root, &flags);
		int err;

		if (!text)
			return -LX_ENOMEM;
		err = flags & PATH_TEXT_UNREACHABLE ? 0 : emit(ctx, m, text);
		free(text);
		if (err)
			return err;
	}
	return 0;
}
