/* The overlay as a whole, and the life of its inodes. */
#include <stdlib.h>
#include <string.h>

#include "sentry/fs/gofer/gofer_client.h"
#include "sentry/fs/overlay/overlay_impl.h"
#include "syscalls/abi/lx_statfs.h"

#define OVL_FIRST_INO (1ull << 48)	/* above what lower file systems use */
#define OVL_UNLIMITED_PAGES (1ull << 26) /* what statfs shows without a limit: 256 GiB */

/* ---- hard links below ---- */

static int cmp_u64(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

/* A lower file's identity. The number alone would do on one file system; the rest keeps
 * files of several that the lower tree may be made of apart. */
static int cmp_identity(const struct inode *a, const struct inode *b)
{
	int c = cmp_u64(a->ino, b->ino);

	if (!c)
		c = cmp_u64((uint64_t)a->ctime.sec, (uint64_t)b->ctime.sec);
	if (!c)
		c = cmp_u64(a->ctime.nsec, b->ctime.nsec);
	if (!c)
		c = cmp_u64((uint64_t)a->mtime.sec, (uint64_t)b->mtime.sec);
	if (!c)
		c = cmp_u64(a->size, b->size);
	if (!c)
		c = cmp_u64(a->mode, b->mode);
	return c;
}

static int cmp_lower(const struct ovl_inode *a, const struct ovl_inode *b)
{
	return cmp_identity(a->lower, b->lower);
}

RB_GENERATE_INTERNAL(ovl_links, ovl_inode, by_lower, cmp_lower, static __attribute__((unused)))

struct ovl_inode *ovl_links_find(struct ovl_sb *os, const struct inode *lower)
{
	struct ovl_inode *o = RB_ROOT(&os->links);

	while (o) {
		int c = cmp_identity(lower, o->lower);

		if (c == 0)
			return o;
		o = c < 0 ? RB_LEFT(o, by_lower) : RB_RIGHT(o, by_lower);
	}
	return NULL;
}

static void links_remove(struct ovl_inode *o)
{
	if (!o->in_links)
		return;
	RB_REMOVE(ovl_links, &ovl_s(o->vfs.sb)->links, o);
	o->in_links = false;
}

void ovl_links_drop_ref(struct ovl_inode *o)
{
	if (!o->link_ref)
		return;
	o->link_ref = false;
	links_remove(o);
	inode_put(&o->vfs);
}

/* ---- inodes ---- */

void ovl_take_attrs(struct inode *i, const struct inode *lower)
{
	i->nlink = lower->nlink;
	i->uid = lower->uid;
	i->gid = lower->gid;
	i->rdev = lower->rdev;
	i->size = lower->size;
	i->blocks = lower->blocks;
	i->atime = lower->atime;
	i->mtime = lower->mtime;
	i->ctime = lower->ctime;
	i->btime = lower->btime;
}

static struct ovl_inode *ovl_alloc(struct superblock *sb, uint64_t ino, uint32_t mode)
{
	struct ovl_inode *o = calloc(1, sizeof(*o));

	if (!o)
		return NULL;
	inode_init(&o->vfs, sb, &ovl_inode_ops, ino, mode);
	list_init(&o->aliases);
	simple_xattrs_init(&o->xattrs);
	if (LX_S_ISDIR(mode))
		dirtab_init(&o->dir);
	else if (LX_S_ISREG(mode))
		memfile_init(&o->file, &ovl_s(sb)->q);
	return o;
}

int ovl_from_lower(struct superblock *sb, struct inode *lower, struct inode **out)
{
	struct ovl_inode *o = ovl_alloc(sb, lower->ino, lower->mode);

	if (!o) {
		inode_put(lower);
		return -LX_ENOMEM;
	}
	o->lower = lower;
	ovl_take_attrs(&o->vfs, lower);
	if (!LX_S_ISDIR(lower->mode) && lower->nlink > 1 &&
	    !RB_INSERT(ovl_links, &ovl_s(sb)->links, o))
		o->in_links = true;
	*out = &o->vfs;
	return 0;
}

int ovl_make(struct superblock *sb, uint32_t mode, uint32_t uid, uint32_t gid,
	     struct inode **out)
{
	struct ovl_inode *o = ovl_alloc(sb, superblock_next_ino(sb), mode);

	if (!o)
		return -LX_ENOMEM;
	o->vfs.uid = uid;
	o->vfs.gid = gid;
	o->own_attrs = o->own_xattrs = o->own_data = o->pinned = true;
	if (LX_S_ISDIR(mode))
		o->vfs.nlink = 2;
	ovl_s(sb)->q.used_inodes++;
	*out = &o->vfs;
	return 0;
}

/* The names in a directory that goes away: only whiteouts and strong nodes are left. */
static void free_entries(struct ovl_inode *o)
{
	struct dirnode *n;

	while ((n = dirtab_first(&o->dir))) {
		struct inode *child = n->inode;

		list_del_init(&n->alias);
		dirtab_del(&o->dir, n);
		if (child)
			inode_put(child);
	}
}

void ovl_free(struct inode *i)
{
	struct ovl_inode *o = ovl_i(i);
	struct ovl_sb *os = ovl_s(i->sb);

	while (!list_empty(&o->aliases)) {
		struct dirnode *n = list_first(&o->aliases, struct dirnode, alias);
		struct inode *dir = n->dir;

		list_del_init(&n->alias);
		dirtab_del(&ovl_i(dir)->dir, n);
		inode_put(dir);
	}
	links_remove(o);
	if (LX_S_ISDIR(i->mode))
		free_entries(o);
	else if (LX_S_ISREG(i->mode))
		memfile_fini(&o->file);
	else if (LX_S_ISLNK(i->mode))
		free(o->target);
	if (os->root == i) {
		struct ovl_inode *l, *next;

		/* Nobody can look these up any more. */
		os->root = NULL;
		for (l = RB_MIN(ovl_links, &os->links); l; l = next) {
			next = RB_NEXT(ovl_links, &os->links, l);
			ovl_links_drop_ref(l);
		}
	}
	if (o->lower)
		inode_put(o->lower);
	else
		os->q.used_inodes--;
	simple_xattrs_fini(&o->xattrs);
	inode_fini(i);
	free(o);
}

void ovl_node_make_strong(struct dirnode *n)
{
	if (!(n->flags & OVL_WEAK))
		return;
	n->flags &= (uint16_t)~OVL_WEAK;
	inode_get(n->inode);
	inode_put(n->dir);
}

/* The table of links keeps o from now on. Weak nodes would let it keep their directories,
 * and through them the root, for ever. o is held by the caller. */
static void links_keep(struct ovl_inode *o)
{
	struct dirnode *n;
	bool again = true;

	o->link_ref = true;
	inode_get(&o->vfs);
	while (again) {
		again = false;
		list_for_each(n, &o->aliases, alias) {
			if (n->flags & OVL_WEAK) {
				/* May be the end of the directory, and of n with it. */
				ovl_node_make_strong(n);
				again = true;
				break;
			}
		}
	}
}

void ovl_pin(struct ovl_inode *o)
{
	struct inode *hold = NULL; /* what o is reached by, until it is pinned itself */

	while (!o->pinned) {
		struct dirnode *n;
		struct inode *dir;

		o->pinned = true;
		if (o->in_links) {
			/* Its other names must find it, whichever is asked for. */
			links_keep(o);
			break;
		}
		if (list_empty(&o->aliases))
			break; /* the root, or unlinked: it lives while it is used */
		n = list_first(&o->aliases, struct dirnode, alias);
		dir = n->dir;
		inode_get(dir);
		ovl_node_make_strong(n);
		if (hold)
			inode_put(hold);
		hold = dir;
		o = ovl_i(dir);
	}
	if (hold)
		inode_put(hold);
}

/* ---- the file system ---- */

static int ovl_statfs(struct superblock *sb, struct lx_statfs *out)
{
	const struct memquota *q = &ovl_s(sb)->q;

	out->f_bsize = 4096;
	out->f_namelen = LX_NAME_MAX;
	out->f_blocks = q->max_pages ? q->max_pages : OVL_UNLIMITED_PAGES;
	out->f_bfree = q->used_pages < out->f_blocks ? out->f_blocks - q->used_pages : 0;
	out->f_bavail = out->f_bfree;
	out->f_files = OVL_UNLIMITED_PAGES;
	out->f_ffree = OVL_UNLIMITED_PAGES - q->used_inodes;
	return 0;
}

static void ovl_sb_free(struct superblock *sb)
{
	struct ovl_sb *os = ovl_s(sb);

	if (os->lower_mnt)
		mount_put(os->lower_mnt);
	if (os->filestore)
		inode_put(os->filestore);
	free(os);
}

static const struct sb_ops ovl_sb_ops = {
	.statfs = ovl_statfs,
	.free = ovl_sb_free,
};

static int new_host_file(struct memquota *q)
{
	return gofer_filestore_new(container_of(q, struct ovl_sb, q)->filestore);
}

int overlay_mount_fresh(struct kernel *k, struct inode *lower, const struct ovl_store *store,
			struct superblock **sb, struct inode **root)
{
	struct ovl_sb *os = calloc(1, sizeof(*os));
	struct superblock *s;
	int err;

	if (!os)
		return -LX_ENOMEM;
	RB_INIT(&os->links);
	if (store && store->size)
		os->q.max_pages = (store->size + 4095) / 4096;
	s = superblock_new(k, "overlay", LX_OVERLAYFS_MAGIC, &ovl_sb_ops, os);
	if (!s) {
		free(os);
		return -LX_ENOMEM;
	}
	if (store && store->filestore) {
		inode_get(store->filestore);
		os->filestore = store->filestore;
		os->q.host_file = new_host_file;
	}
	s->next_ino = OVL_FIRST_INO;
	s->negative_ok = lower->sb->negative_ok;
	os->lower_mnt = mount_new(lower->sb, lower, MNT_RDONLY, "lower", NULL);
	if (!os->lower_mnt) {
		superblock_put(s);
		return -LX_ENOMEM;
	}
	inode_get(lower);
	err = ovl_from_lower(s, lower, root);
	if (err) {
		superblock_put(s);
		return err;
	}
	os->root = *root;
	*sb = s;
	return 0;
}
