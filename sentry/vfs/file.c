/* Open file descriptions: life, anonymous objects, position, readiness. */
#include <stdlib.h>

#include "sentry/fs/anon/epoll.h"
#include "sentry/task/task.h"
#include "sentry/vfs/file_io.h"
#include "sentry/vfs/vfs_impl.h"
#include "syscalls/abi/lx_fs_misc.h"
#include "syscalls/abi/lx_inotify.h"

/* Files whose last reference went while another one is being released: sockets hold
 * queued files, and the chain is as long as the guest makes it. */
static struct list dead = LIST_INIT(dead);
static bool draining;

struct file *file_new(struct kernel *k, const struct file_ops *ops, const struct path *path,
		      uint32_t mode, uint32_t flags)
{
	struct file *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	refs_init(&f->refs, "file");
	f->k = k;
	f->ops = ops;
	f->mode = mode;
	f->flags = flags;
	f->path = *path;
	path_get(&f->path);
	f->inode = path->dentry->inode;
	inode_get(f->inode);
	list_init(&f->epoll_links);
	list_init(&f->dead_link);
	return f;
}

void file_get(struct file *f)
{
	refs_get(&f->refs);
}

static void file_release(struct file *f)
{
	struct inode *i = file_inode(f);

	file_fasync_drop(f);
	if (!list_empty(&f->epoll_links))
		epoll_file_released(f);
	if (fsnotify_marks && !(f->mode & FMODE_PATH))
		fsnotify_file(f, f->mode & FMODE_WRITE ? LX_IN_CLOSE_WRITE
						       : LX_IN_CLOSE_NOWRITE);
	if (i->locks)
		locks_release_file(f);
	if (f->ops->release)
		f->ops->release(f);
	if (f->mode & FMODE_COUNTED_WRITER) {
		i->writers--;
		f->path.mnt->writers--;
		f->path.mnt->sb->writers--;
	}
	if (f->mode & FMODE_DENIES_WRITE)
		i->deny_write--;
	inode_put(f->inode);
	path_put(&f->path);
	free(f);
}

void file_put(struct file *f)
{
	if (!refs_put(&f->refs))
		return;
	list_push_back(&dead, &f->dead_link);
	if (draining)
		return;
	draining = true;
	while (!list_empty(&dead)) {
		f = list_first(&dead, struct file, dead_link);
		list_del_init(&f->dead_link);
		file_release(f);
	}
	draining = false;
}

/* ---- anonymous objects ---- */

static void anon_free(struct inode *i)
{
	inode_fini(i);
	free(i);
}

static const struct inode_ops anon_inode_ops = { .free = anon_free };

static int anon_setattr(struct inode *i, const struct iattr *a)
{
	if (a->valid & IATTR_SIZE)
		return -LX_EINVAL;
	if (a->valid & IATTR_MODE)
		i->mode = (i->mode & LX_S_IFMT) | (a->mode & LX_S_IALLUGO);
	if (a->valid & IATTR_UID)
		i->uid = a->uid;
	if (a->valid & IATTR_GID)
		i->gid = a->gid;
	if (a->valid & IATTR_ATIME)
		i->atime = a->atime;
	if (a->valid & IATTR_MTIME)
		i->mtime = a->mtime;
	inode_touch_ctime(i);
	return 0;
}

/* Pipes and sockets have an inode each, whose owner and mode may be changed. */
static const struct inode_ops anon_own_ops = { .free = anon_free, .setattr = anon_setattr };

struct inode *anon_inode_new(struct kernel *k, uint32_t mode_fmt)
{
	struct inode *i = calloc(1, sizeof(*i));
	struct superblock *sb = k->mnt->anon->sb;
	uint32_t mode = mode_fmt ? mode_fmt : 0600;

	if (!i)
		return NULL;
	inode_init(i, sb, mode_fmt ? &anon_own_ops : &anon_inode_ops, superblock_next_ino(sb),
		   mode);
	return i;
}

static struct file *anon_file(struct kernel *k, const struct file_ops *ops, struct dentry *d,
			      uint32_t fmode, uint32_t flags, void *priv)
{
	struct path p = { k->mnt->anon, d };
	struct file *f = file_new(k, ops, &p, fmode, flags);

	if (f)
		f->priv = priv;
	return f;
}

struct file *file_new_anon_inode(struct kernel *k, const struct file_ops *ops, const char *name,
				 struct inode *i, uint32_t fmode, uint32_t flags, void *priv)
{
	struct dentry *d = dentry_new(NULL, name, (unsigned)strlen(name), 0, i);
	struct file *f;

	if (!d)
		return NULL;
	f = anon_file(k, ops, d, fmode, flags, priv);
	dentry_put(d);
	return f;
}

/* eventfd, epoll and the like share one inode, and one entry for each name. The root of
 * the anon mount keeps the inode. */
static struct dentry *shared_anon_dentry(struct kernel *k, const char *name)
{
	struct dentry *root = k->mnt->anon->root, *d;
	unsigned len = (unsigned)strlen(name);
	uint32_t hash = name_hash(name, len);

	d = dcache_find(root, name, len, hash);
	if (d)
		return d;
	if (!root->inode->priv)
		root->inode->priv = anon_inode_new(k, 0);
	if (!root->inode->priv)
		return NULL;
	d = dentry_new(root, name, len, hash, root->inode->priv);
	if (d)
		dcache_insert(d);
	return d;
}

struct file *file_new_anon(struct kernel *k, const struct file_ops *ops, const char *name,
			   uint32_t mode_fmt, uint32_t fmode, uint32_t flags, void *priv)
{
	struct dentry *d;
	struct inode *i;
	struct file *f;

	if (mode_fmt) {
		i = anon_inode_new(k, mode_fmt);
		if (!i)
			return NULL;
		f = file_new_anon_inode(k, ops, name, i, fmode, flags, priv);
		inode_put(i);
		return f;
	}
	d = shared_anon_dentry(k, name);
	if (!d)
		return NULL;
	f = anon_file(k, ops, d, fmode, flags, priv);
	dentry_put(d);
	return f;
}

/* ---- readiness ---- */

void poll_wait(struct poll_ctx *pc, struct waitq *q)
{
	if (pc)
		pc->enrol(pc, q);
}

/* ---- directories ---- */

bool dir_emit_dots(struct file *f, struct dir_ctx *c)
{
	const struct dentry *d = f->path.dentry;

	if (f->pos == 0) {
		if (!c->emit(c, ".", 1, d->inode->ino, 4, 1))
			return false;
		f->pos = 1;
	}
	if (f->pos == 1) {
		const struct dentry *up = d->parent ? d->parent : d;

		if (!c->emit(c, "..", 2, up->inode->ino, 4, 2))
			return false;
		f->pos = 2;
	}
	return true;
}

static bool before(const struct ktime64 *a, const struct ktime64 *b)
{
	return a->sec < b->sec || (a->sec == b->sec && a->nsec <= b->nsec);
}

void file_touch_atime(struct file *f)
{
	struct inode *i = file_inode(f);
	uint32_t mf = f->path.mnt->flags;
	struct ktime64 now;

	if ((f->flags & LX_O_NOATIME) || (i->fl & LX_FS_NOATIME_FL) || (mf & MNT_NOATIME) || path_readonly(&f->path) ||
	    ((mf & MNT_NODIRATIME) && LX_S_ISDIR(i->mode)))
		return;
	now = ktime64_now();
	if (!(mf & MNT_RELATIME) || before(&i->atime, &i->mtime) || before(&i->atime, &i->ctime) ||
	    now.sec - i->atime.sec >= 86400)
		i->atime = now;
}
