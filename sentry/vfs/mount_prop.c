/* Propagation of mounts (Linux: fs/pnode.c). Mounts that are shared form peer groups: a ring
 * with one number. A slave has a master, one mount of a group, and gets what is mounted in
 * that group; what is mounted on the slave stays there, unless it has peers of its own.
 *
 * Each walk over groups visits a mount once and needs no memory: its queue is linked through
 * the mounts themselves (mount.walk). */
#include "sentry/vfs/vfs_impl.h"
#include "syscalls/abi/lx_mount.h"

static int new_group(void)
{
	static int next;

	return ++next;
}

/* ---- groups ---- */

static struct mount *peer_after(const struct mount *m)
{
	return list_entry(m->peers.next, struct mount, peers);
}

/* m's slaves go to another master, or to none. */
static void transfer_slaves(struct mount *m, struct mount *to)
{
	while (!list_empty(&m->slaves)) {
		struct mount *s = list_first(&m->slaves, struct mount, slave_link);

		list_del_init(&s->slave_link);
		s->master = to;
		if (to)
			list_push_back(&to->slaves, &s->slave_link);
	}
}

void mount_become_slave(struct mount *m, struct mount *master)
{
	list_del_init(&m->slave_link);
	m->master = master;
	if (master)
		list_push_back(&master->slaves, &m->slave_link);
}

void mount_set_propagation(struct mount *m, uint32_t type)
{
	struct mount *source = m->master;

	if (type == LX_MS_SHARED) {
		if (!m->group)
			m->group = new_group();
		m->flags &= ~MNT_UNBINDABLE;
		return;
	}
	if (mount_shared(m)) {
		if (!list_empty(&m->peers))
			source = peer_after(m);
		list_del_init(&m->peers);
		m->group = 0;
		transfer_slaves(m, source);
	}
	mount_become_slave(m, type == LX_MS_SLAVE ? source : NULL);
	if (type == LX_MS_UNBINDABLE)
		m->flags |= MNT_UNBINDABLE;
	else if (type != LX_MS_SLAVE)
		m->flags &= ~MNT_UNBINDABLE;
}

void mount_join(struct mount *copy, struct mount *old)
{
	copy->group = old->group;
	if (mount_shared(old))
		list_push_front(&old->peers, &copy->peers);
	mount_become_slave(copy, old->master);
}

/* ---- walking over the groups ---- */

static void enqueue(struct list *queue, struct mount *m, struct mount *leader,
		    struct mount *above)
{
	m->walk.seen = true;
	m->walk.leader = leader;
	m->walk.above = above;
	m->walk.rep = m->walk.copy = NULL;
	m->walk.own = false;
	mount_get(m);
	list_push_back(queue, &m->walk.link);
}

static void enqueue_group(struct list *queue, struct mount *first, struct mount *above)
{
	enqueue(queue, first, first, above);
	for (struct mount *p = peer_after(first); p != first; p = peer_after(p))
		enqueue(queue, p, first, above);
}

/* Everything that an event on origin reaches, origin first, masters before their slaves. */
static void collect(struct list *queue, struct mount *origin)
{
	struct mount *m, *s;

	list_init(queue);
	enqueue_group(queue, origin, NULL);
	list_for_each(m, queue, walk.link)
		list_for_each(s, &m->slaves, slave_link)
			if (!s->walk.seen)
				enqueue_group(queue, s, m->walk.leader);
}

static void let_go(struct list *queue)
{
	while (!list_empty(queue)) {
		struct mount *m = list_first(queue, struct mount, walk.link);

		list_del_init(&m->walk.link);
		m->walk.seen = false;
		mount_put(m);
	}
}

/* ---- copies ---- */

enum relation { JOIN, SLAVE, SHARED_SLAVE };

static void relate(struct mount *copy, struct mount *old, enum relation rel)
{
	if (rel == JOIN) {
		mount_join(copy, old);
		return;
	}
	mount_become_slave(copy, old);
	if (rel == SHARED_SLAVE)
		mount_set_propagation(copy, LX_MS_SHARED);
}

static struct mount *copy_one(struct mount *m, struct dentry *root, enum relation rel)
{
	struct mount *c = mounts_room() ? mount_copy(m, root) : NULL;

	if (c)
		relate(c, m, rel);
	return c;
}

/* The mount after m in src's tree, without what is below m. */
static struct mount *skip_below(struct mount *m, struct mount *src)
{
	for (; m != src; m = m->parent)
		if (m->sibling.next != &m->parent->children)
			return list_first(&m->sibling, struct mount, sibling);
	return NULL;
}

static int copy_tree(struct mount *src, struct dentry *from, bool prune, enum relation rel,
		     struct mount **out)
{
	struct mount *top = copy_one(src, from, rel), *m = mount_tree_next(src, src);

	if (!top)
		return mounts_room() ? -LX_ENOMEM : -LX_ENOSPC;
	src->walk.twin = top;
	while (m) {
		struct mount *c;

		if ((prune && (m->flags & MNT_UNBINDABLE)) ||
		    (m->parent == src && !dentry_is_below(m->mountpoint, from))) {
			m = skip_below(m, src);
			continue;
		}
		c = copy_one(m, m->root, rel);
		if (!c) {
			umount_tree(top);
			return mounts_room() ? -LX_ENOMEM : -LX_ENOSPC;
		}
		m->walk.twin = c;
		mount_link(c, m->parent->walk.twin, m->mountpoint);
		m = mount_tree_next(m, src);
	}
	*out = top;
	return 0;
}

int mount_copy_tree(struct mount *m, struct dentry *from, bool prune_unbindable,
		    struct mount **out)
{
	return copy_tree(m, from, prune_unbindable, JOIN, out);
}

/* ---- mounting ---- */

/* The copy for m, in the group that its leader stands for. */
static int copy_for(struct mount *m, struct mount **out)
{
	struct mount *l = m->walk.leader;
	int err;

	err = copy_tree(l->walk.rep, l->walk.rep->root, false,
			l->walk.own ? JOIN : mount_shared(m) ? SHARED_SLAVE : SLAVE, out);
	if (!err && !l->walk.own) {
		l->walk.rep = *out;
		l->walk.own = true;
	}
	return err;
}

/* What was on top of the mount point stays on top. */
static void tuck_in(struct kernel *k, struct mount *copy, struct mount *at, struct dentry *mp)
{
	struct mount *over = mount_find(at, mp);

	mount_link(copy, at, mp);
	mount_tree_enter(k, copy);
	if (over) {
		mount_unlink(over);
		mount_link(over, copy, copy->root);
	}
}

static void share_tree(struct mount *m)
{
	for (struct mount *c = m; c; c = mount_tree_next(c, m)) {
		c->walk.fresh = !mount_shared(c);
		mount_set_propagation(c, LX_MS_SHARED);
	}
}

static void unshare_fresh(struct mount *m)
{
	for (struct mount *c = m; c; c = mount_tree_next(c, m)) {
		struct mount *master = c->master;

		if (!c->walk.fresh)
			continue;
		mount_set_propagation(c, LX_MS_PRIVATE);
		mount_become_slave(c, master);
	}
}

int mount_propagate(struct kernel *k, struct mount *m, struct mount *parent, struct dentry *mp)
{
	struct list queue;
	struct mount *t;
	int err = 0;

	share_tree(m);
	collect(&queue, parent);
	parent->walk.rep = m;
	parent->walk.own = true;
	list_for_each(t, &queue, walk.link) {
		struct mount *copy;

		if (t->walk.leader == t && t->walk.above)
			t->walk.rep = t->walk.above->walk.rep;
		if (t == parent || !t->attached || !dentry_is_below(mp, t->root))
			continue;
		err = copy_for(t, &copy);
		if (err)
			break;
		t->walk.copy = copy;
	}
	list_for_each(t, &queue, walk.link) {
		if (!t->walk.copy)
			continue;
		if (err)
			umount_tree(t->walk.copy);
		else
			tuck_in(k, t->walk.copy, t, mp);
	}
	let_go(&queue);
	if (err)
		unshare_fresh(m);
	return err;
}

/* ---- unmounting ---- */

/* The one mount that covers all of m. */
static struct mount *topper(const struct mount *m)
{
	struct mount *c;

	if (list_empty(&m->children))
		return NULL;
	c = list_first(&m->children, struct mount, sibling);
	return c->sibling.next == &m->children && c->mountpoint == m->root ? c : NULL;
}

bool mount_propagated_busy(struct mount *m)
{
	struct list queue;
	struct mount *t;
	bool busy = false;

	collect(&queue, m->parent);
	list_for_each(t, &queue, walk.link) {
		struct mount *c = t == m->parent ? NULL : mount_find(t, m->mountpoint);

		if (c && list_empty(&c->children) &&
		    refs_count(&c->refs) > 1 + (c->walk.seen ? 1 : 0))
			busy = true;
	}
	let_go(&queue);
	return busy;
}

void mount_propagate_umount(struct mount *m)
{
	struct mount *parent = m->parent;
	struct dentry *mp = m->mountpoint;
	struct list queue;
	struct mount *t;

	if (!mount_shared(parent))
		return;
	collect(&queue, parent);
	list_for_each(t, &queue, walk.link) {
		struct mount *c = t == parent ? NULL : mount_find(t, mp), *over;

		if (!c || c == m)
			continue;
		over = topper(c);
		if (over) {
			mount_unlink(over);
			mount_link(over, t, mp);
		}
		if (!list_empty(&c->children) || (c->flags & MNT_LOCKED))
			continue;
		mount_unlink(c);
		umount_tree(c);
	}
	let_go(&queue);
}

/* ---- showing ---- */

static bool reachable(const struct mount *m, const struct path *root)
{
	const struct dentry *d = m->root;

	while (m != root->mnt && m->parent) {
		d = m->mountpoint;
		m = m->parent;
	}
	return m == root->mnt && dentry_is_below(d, root->dentry);
}

int mount_dominating_group(const struct mount *m, const struct path *root)
{
	for (const struct mount *up = m->master; up; up = up->master) {
		const struct mount *p = up;

		do {
			if (p->attached && reachable(p, root))
				return p->group;
			p = peer_after(p);
		} while (p != up);
	}
	return 0;
}
