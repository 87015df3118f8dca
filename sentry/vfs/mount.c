/* The mount tree of the sandbox. The tree holds one reference on each mount in it,
 * files and paths hold others; a mount that was detached lives until they are gone. */
#include <stdlib.h>

#include "platform/base/bug.h"
#include "sentry/vfs/vfs_impl.h"
#include "syscalls/abi/lx_mount.h"
#include "syscalls/abi/lx_statfs.h"

/* All mounts that guests made, and the few of the sandbox's own. */
static unsigned nmounts_total;
static int next_id = 20;

bool mounts_room(void)
{
	return nmounts_total < MAX_MOUNTS;
}

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
	m->id = next_id++;
	list_init(&m->children);
	list_init(&m->sibling);
	list_init(&m->all);
	list_init(&m->peers);
	list_init(&m->slaves);
	list_init(&m->slave_link);
	list_init(&m->walk.link);
	nmounts_total++;
	return m;
}

struct mount *mount_copy(const struct mount *m, struct dentry *root)
{
	return mount_alloc(m->sb, root, m->flags & ~MNT_UNBINDABLE, m->source, m->options);
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

	if (!refs_put(&m->refs)) {
		m->expiry_mark = false;
		return;
	}
	nmounts_total--;
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
	ns->root->parent_id = 1;
	ns->root->attached = true;
	list_push_back(&ns->all, &ns->root->all);
	k->mnt = ns;
	*out = ns;
	return 0;
}

void mount_link(struct mount *m, struct mount *parent, struct dentry *mountpoint)
{
	m->parent = parent;
	m->parent_id = parent->id;
	dentry_get(mountpoint);
	m->mountpoint = mountpoint;
	mountpoint->nmounts++;
	list_push_back(&parent->children, &m->sibling);
}

void mount_unlink(struct mount *m)
{
	list_del_init(&m->sibling);
	m->mountpoint->nmounts--;
	dentry_put(m->mountpoint);
	m->mountpoint = NULL;
	m->parent = NULL;
}

struct mount *mount_tree_next(const struct mount *m, const struct mount *top)
{
	if (!list_empty(&m->children))
		return list_first(&m->children, struct mount, sibling);
	for (; m != top; m = m->parent)
		if (m->sibling.next != &m->parent->children)
			return list_first(&m->sibling, struct mount, sibling);
	return NULL;
}

void mount_tree_enter(struct kernel *k, struct mount *m)
{
	for (struct mount *c = m; c; c = mount_tree_next(c, m)) {
		c->attached = true;
		list_push_back(&k->mnt->all, &c->all);
	}
}

static void detach_one(struct mount *m)
{
	list_del_init(&m->all);
	m->attached = false;
	if (m->parent)
		mount_unlink(m);
	mount_set_propagation(m, LX_MS_PRIVATE);
	mount_put(m);
}

void umount_tree(struct mount *m)
{
	struct mount *cur = m;

	for (;;) {
		struct mount *parent;

		while (!list_empty(&cur->children))
			cur = list_last(&cur->children, struct mount, sibling);
		parent = cur->parent;
		/* Its parent has it as a child and so stays. */
		if (cur->attached && parent)
			mount_propagate_umount(cur);
		if (cur == m) {
			detach_one(cur);
			return;
		}
		detach_one(cur);
		cur = parent;
	}
}

void mount_ns_free(struct kernel *k)
{
	struct mount_ns *ns = k->mnt;

	if (!ns)
		return;
	umount_tree(ns->root);
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
