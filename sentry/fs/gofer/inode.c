/* Inodes of the gofer file system. One struct inode for each host file, whatever names
 * lead to it: a table by (host device, host inode number) holds them weakly. */
#include <stdlib.h>

#include "sentry/fs/gofer/gofer_impl.h"
#include "sentry/fs/gofer/watch.h"
#include "sentry/vfs/acl.h"
#include "syscalls/abi/lx_stat.h"

uint64_t gofer_ino(struct gofer_sb *g, uint64_t dev, uint64_t ino)
{
	unsigned n;

	for (n = 0; n < g->ndevs && g->devs[n] != dev; n++)
		;
	if (n == g->ndevs && n < GOFER_DEVS)
		g->devs[g->ndevs++] = dev;
	/* The first device's numbers stay as they are; others differ in the upper bits. A
	 * device past the table's end is told apart by its number's hash. */
	if (n == GOFER_DEVS)
		n = GOFER_DEVS + (unsigned)((dev * 0x9e3779b97f4a7c15ULL) >> 49);
	return ino ^ (uint64_t)n << 47;
}

/* The host's device number (new encoding) as the kernel keeps it. */
static uint32_t kdev_of(uint64_t rdev)
{
	uint32_t ma = (uint32_t)((rdev >> 8) & 0xfff) | (uint32_t)((rdev >> 32) & ~0xfffULL);
	uint32_t mi = (uint32_t)(rdev & 0xff) | (uint32_t)((rdev >> 12) & ~0xffULL);

	return KDEV(ma, mi & 0xfffff);
}

void gofer_apply_attr(struct gofer_inode *gi, const struct gofer_attr *a)
{
	struct inode *i = &gi->i;

	/* A changed list changes the time too. */
	if (i->acl_known && gofer_s(i)->shared &&
	    (a->ctime != i->ctime.sec || a->ctime_ns != i->ctime.nsec))
		inode_acl_forget(i);
	i->mode = (i->mode & LX_S_IFMT) | (a->mode & LX_S_IALLUGO);
	i->nlink = a->nlink;
	i->uid = a->uid;
	i->gid = a->gid;
	i->size = a->size > INT64_MAX ? INT64_MAX : a->size;
	i->blocks = a->blocks;
	i->atime = (struct ktime64){ a->atime, a->atime_ns };
	i->mtime = (struct ktime64){ a->mtime, a->mtime_ns };
	i->ctime = (struct ktime64){ a->ctime, a->ctime_ns };
	if (a->btime || a->btime_ns)
		i->btime = (struct ktime64){ a->btime, a->btime_ns };
	i->attributes = a->mode >> GOFER_ATTR_STATX_SHIFT & GOFER_ATTR_STATX_MASK;
	if (a->mode & GOFER_ATTR_NO_ACL) {
		inode_acl_know(i, ACL_ACCESS, NULL);
		inode_acl_know(i, ACL_DEFAULT, NULL);
	}
	gi->stale = false;
	gi->fresh_at = i->sb->k->ctxt;
}

static void unhash(struct gofer_inode *gi)
{
	struct gofer_sb *g = gofer_s(&gi->i);

	if (gi->hashed)
		HASH_DEL(g->inodes, gi);
	gi->hashed = false;
}

static struct gofer_inode *inode_new(struct gofer_sb *g, uint32_t node,
				     const struct gofer_attr *a)
{
	struct gofer_inode *gi = calloc(1, sizeof(*gi));

	if (!gi)
		return NULL;
	inode_init(&gi->i, g->sb, g->shared ? &gofer_iops_shared : &gofer_iops_exclusive,
		   gofer_ino(g, a->dev, a->ino), a->mode & (LX_S_IFMT | LX_S_IALLUGO));
	gi->key = (struct gofer_key){ a->dev, a->ino };
	gi->node = node;
	gi->i.rdev = kdev_of(a->rdev);
	gi->i.btime = (struct ktime64){ 0, 0 };
	gofer_apply_attr(gi, a);
	HASH_ADD(hh, g->inodes, key, sizeof(gi->key), gi);
	gi->hashed = gi->hh.tbl != NULL;
	return gi;
}

static struct gofer_inode *find(struct gofer_sb *g, struct gofer_key key)
{
	struct gofer_inode *gi;

	HASH_FIND(hh, g->inodes, &key, sizeof(key), gi);
	return gi;
}

struct gofer_inode *gofer_inode_find(struct gofer_sb *g, struct gofer_key key)
{
	struct gofer_inode *gi = find(g, key);

	return gi && refs_count(&gi->i.refs) ? gi : NULL;
}

int gofer_inode_get(struct gofer_sb *g, uint32_t node, const struct gofer_attr *a,
		    struct inode **out)
{
	struct gofer_inode *gi = find(g, (struct gofer_key){ a->dev, a->ino });

	/* Without references: about to be freed. Another type: the host has made a new file
	 * with the old one's number. */
	if (gi && (refs_count(&gi->i.refs) == 0 ||
		   ((gi->i.mode ^ a->mode) & LX_S_IFMT) != 0)) {
		unhash(gi);
		gi = NULL;
	}
	if (gi) {
		inode_get(&gi->i);
		/* The new node knows the name it was just found by. */
		gofer_forget(g->c, gi->node, 0);
		gi->node = node;
		gofer_apply_attr(gi, a);
		*out = &gi->i;
		return 0;
	}
	gi = inode_new(g, node, a);
	if (!gi) {
		gofer_forget(g->c, node, 0);
		return -LX_ENOMEM;
	}
	if (!gi->hashed) {
		inode_put(&gi->i);
		return -LX_ENOMEM;
	}
	*out = &gi->i;
	return 0;
}

static void gofer_free(struct inode *i)
{
	struct gofer_inode *gi = gofer_i(i);
	struct gofer_sb *g = gofer_s(i);

	unhash(gi);
	if (g->root == gi)
		g->root = NULL;
	gofer_fd_drop_all(gi);
	gofer_listing_drop(gi);
	free(gi->target);
	/* A deleted file takes up space until the gofer lets go of it too. */
	gofer_forget(g->c, gi->node, i->nlink == 0 ? i->blocks + 1 : 0);
	inode_fini(i);
	free(gi);
}

bool gofer_owns(const struct inode *i)
{
	return i->ops == &gofer_iops_exclusive || i->ops == &gofer_iops_shared;
}

#define GOFER_COMMON_OPS                                                                   \
	.lookup = gofer_lookup, .walk = gofer_walk, .create = gofer_create,                \
	.mkdir = gofer_mkdir, .mknod = gofer_mknod, .symlink = gofer_symlink,              \
	.link = gofer_link, .unlink = gofer_unlink, .rmdir = gofer_rmdir,                  \
	.rename = gofer_rename, .tmpfile = gofer_tmpfile, .readlink = gofer_readlink,      \
	.getattr = gofer_getattr, .setattr = gofer_setattr, .open = gofer_open,            \
	.getxattr = gofer_getxattr, .setxattr = gofer_setxattr,                            \
	.listxattr = gofer_listxattr, .removexattr = gofer_removexattr, .free = gofer_free, \
	.get_acl = gofer_get_acl, .set_acl = gofer_set_acl, .lists_acl = true,             \
	.fileattr_get = gofer_fileattr_get, .fileattr_set = gofer_fileattr_set

const struct inode_ops gofer_iops_exclusive = { GOFER_COMMON_OPS,
						.lookup_ahead = gofer_lookup_ahead };
const struct inode_ops gofer_iops_shared = { GOFER_COMMON_OPS,
					     .watch = gofer_watch,
					     .revalidate_chain = gofer_revalidate,
					     .revalidate_walk = gofer_revalidate_walk };
