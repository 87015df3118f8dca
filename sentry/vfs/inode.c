/* Inodes and superblocks: life, the common fields, permission by mode bits. */
#include <stdlib.h>

#include "sentry/cred/cred.h"
#include "sentry/vfs/acl.h"
#include "sentry/vfs/fileattr.h"
#include "sentry/vfs/vfs_impl.h"
#include "syscalls/abi/lx_cap.h"

/* Inodes whose last reference went, while another one is being freed: freeing a
 * directory drops its entries, and trees are as deep as the guest makes them. */
static struct list dead = LIST_INIT(dead);
static bool draining;

void inode_init(struct inode *i, struct superblock *sb, const struct inode_ops *ops,
		uint64_t ino, uint32_t mode)
{
	memset(i, 0, sizeof(*i));
	refs_init(&i->refs, "inode");
	i->ops = ops;
	superblock_get(sb);
	i->sb = sb;
	i->ino = ino;
	i->mode = mode;
	i->nlink = 1;
	i->atime = i->mtime = i->ctime = i->btime = ktime64_now();
	list_init(&i->watches);
}

void inode_fini(struct inode *i)
{
	inode_acl_fini(i);
	superblock_put(i->sb);
	i->sb = NULL;
}

void inode_get(struct inode *i)
{
	refs_get(&i->refs);
}

void inode_put(struct inode *i)
{
	if (!refs_put(&i->refs))
		return;
	locks_free_inode(i);
	/* Marks hold a reference, so no mark is left: the node is free for this. */
	list_push_back(&dead, &i->watches);
	if (draining)
		return;
	draining = true;
	while (!list_empty(&dead)) {
		i = list_first(&dead, struct inode, watches);
		list_del_init(&i->watches);
		i->ops->free(i);
	}
	draining = false;
}

void inode_touch_ctime(struct inode *i)
{
	i->ctime = ktime64_now();
}

void inode_touch_mtime(struct inode *i)
{
	i->ctime = i->mtime = ktime64_now();
}

uint64_t superblock_next_ino(struct superblock *sb)
{
	return ++sb->next_ino;
}

struct superblock *superblock_new(struct kernel *k, const char *type, uint64_t magic,
				  const struct sb_ops *ops, void *priv)
{
	static uint32_t next_minor = 24;
	struct superblock *sb = calloc(1, sizeof(*sb));

	if (!sb)
		return NULL;
	refs_init(&sb->refs, "superblock");
	sb->k = k;
	sb->type = type;
	sb->magic = magic;
	sb->ops = ops;
	sb->priv = priv;
	sb->dev = KDEV(0, next_minor++ & 0xfffff);
	return sb;
}

void superblock_get(struct superblock *sb)
{
	refs_get(&sb->refs);
}

void superblock_put(struct superblock *sb)
{
	if (!refs_put(&sb->refs))
		return;
	if (sb->ops && sb->ops->free)
		sb->ops->free(sb);
	free(sb);
}

/* The rwx bits that mode gives c. */
static unsigned mode_bits(const struct cred *c, const struct inode *i)
{
	if (c->fsuid == i->uid)
		return (i->mode >> 6) & 7;
	if (((i->mode >> 3) ^ i->mode) & 7) /* equal: no need to search the groups */
		return cred_in_group(c, i->gid) ? (i->mode >> 3) & 7 : i->mode & 7;
	return i->mode & 7;
}

static bool cap_overrides(const struct cred *c, const struct inode *i, unsigned mask)
{
	if (LX_S_ISDIR(i->mode)) {
		if (!(mask & MAY_WRITE) && cred_has_cap(c, LX_CAP_DAC_READ_SEARCH))
			return true;
		return cred_has_cap(c, LX_CAP_DAC_OVERRIDE);
	}
	if (mask == MAY_READ && cred_has_cap(c, LX_CAP_DAC_READ_SEARCH))
		return true;
	if ((mask & MAY_EXEC) && !(i->mode & LX_S_IXUGO))
		return false;
	return cred_has_cap(c, LX_CAP_DAC_OVERRIDE);
}

/* May an access list have a say in what c, not privileged, may do? The group bits are its
 * mask. */
static bool acl_matters(const struct cred *c, const struct inode *i)
{
	return i->ops->get_acl && (i->mode & LX_S_IRWXG) && c->fsuid != i->uid &&
	       (!(i->acl_known & 1u << ACL_ACCESS) || i->acl[ACL_ACCESS]) &&
	       !(i->acl_known & INODE_ACL_UNSUPPORTED);
}

int inode_permission(const struct cred *c, struct inode *i, unsigned mask)
{
	int r = 1;

	mask &= MAY_READ | MAY_WRITE | MAY_EXEC;
	if ((mask & MAY_WRITE) && inode_is_immutable(i))
		return -LX_EPERM;
	/* A list that is not known yet is not asked for on behalf of whom it cannot stop. */
	if (acl_matters(c, i) && !cap_overrides(c, i, mask)) {
		r = inode_acl_permission(c, i, mask);
		if (r < 0)
			return r;
	}
	if (r && (mask & ~mode_bits(c, i)) && !cap_overrides(c, i, mask))
		return -LX_EACCES;
	return i->ops->permission ? i->ops->permission(i, c, mask) : 0;
}
