/* The mqueue file system: a flat directory of queues. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sentry/cred/cred.h"
#include "sentry/fs/tmpfs/dirtab.h"
#include "sentry/ipc/mqueue_impl.h"
#include "sentry/task/task.h"
#include "syscalls/abi/lx_cap.h"
#include "syscalls/abi/lx_fcntl.h"
#include "syscalls/abi/lx_poll.h"
#include "syscalls/abi/lx_resource.h"
#include "syscalls/abi/lx_signal.h"
#include "syscalls/abi/lx_stat.h"
#include "syscalls/abi/lx_statfs.h"

#define DIRENT_SIZE 20u
#define FILE_SIZE 80u /* what stat shows; a read gives about as much */

struct mq_dir {
	struct inode vfs;	/* first */
	struct dirtab dir;
};

static struct dirtab *dir_of(struct inode *i)
{
	return &container_of(i, struct mq_dir, vfs)->dir;
}

static const struct inode_ops queue_inode_ops, dir_inode_ops;

void mqueue_touch(struct inode *i, bool modified)
{
	inode_touch_ctime(i);
	i->atime = i->ctime;
	if (modified)
		i->mtime = i->ctime;
}

/* ---- limits ---- */

static int check_attr(const struct task *t, const struct ipc_limits *l,
		      const struct lx_mq_attr *a)
{
	bool cap = task_capable(t, LX_CAP_SYS_RESOURCE);
	int64_t maxmsg = cap ? LX_MQ_HARD_MSG_MAX : l->mq_msg_max;
	int64_t msgsize = cap ? LX_MQ_HARD_MSGSIZE_MAX : l->mq_msgsize_max;

	if (a->maxmsg <= 0 || a->msgsize <= 0 || a->maxmsg > maxmsg || a->msgsize > msgsize)
		return -LX_EINVAL;
	return 0;
}

/* Within RLIMIT_MSGQUEUE, a limit of the user? */
static bool charge(const struct task *t, const struct ipc_ns *ns, struct mqueue *q)
{
	uint64_t nodes = (uint64_t)q->maxmsg < LX_MQ_PRIO_MAX ? (uint64_t)q->maxmsg
							       : LX_MQ_PRIO_MAX;
	const struct mqueue *other;
	uint64_t total;

	q->uid = t->cred->uid;
	q->charge = (uint64_t)q->maxmsg * ((uint64_t)q->msgsize + LX_MQ_MSG_OVERHEAD) +
		    nodes * LX_MQ_NODE_OVERHEAD;
	total = q->charge;
	list_for_each(other, &ns->mq_all, all)
		if (other->uid == q->uid)
			total += other->charge;
	return total <= rlimit_cur(t, LX_RLIMIT_MSGQUEUE);
}

/* ---- inodes ---- */

static int64_t min64(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int queue_new(struct task *t, struct superblock *sb, const struct lx_mq_attr *attr,
		     struct mqueue **out)
{
	struct ipc_ns *ns = sb->k->ipc;
	const struct ipc_limits *l = &ns->lim;
	struct mqueue *q;
	int err = 0;

	if (ns->mq_count >= (uint32_t)l->mq_queues_max && !task_capable(t, LX_CAP_SYS_RESOURCE))
		return -LX_ENOSPC;
	q = ipc_alloc(ns, sizeof(*q));
	if (!q)
		return -LX_ENOMEM;
	q->maxmsg = min64(l->mq_msg_max, l->mq_msg_default);
	q->msgsize = min64(l->mq_msgsize_max, l->mq_msgsize_default);
	if (attr) {
		err = check_attr(t, l, attr);
		q->maxmsg = attr->maxmsg;
		q->msgsize = attr->msgsize;
	}
	if (!err && !charge(t, ns, q))
		err = -LX_EMFILE;
	if (err) {
		ipc_free(ns, q, sizeof(*q));
		return err;
	}
	q->ns = ns;
	ns->mq_count++;
	list_push_back(&ns->mq_all, &q->all);
	mqueue_init(q);
	*out = q;
	return 0;
}

static int create(struct inode *dir, const char *name, uint32_t mode, uint32_t uid,
		  uint32_t gid, const struct lx_mq_attr *attr, struct inode **out)
{
	struct mqueue *q;
	int err = queue_new(task_current, dir->sb, attr, &q);

	if (err)
		return err;
	inode_init(&q->vfs, dir->sb, &queue_inode_ops, superblock_next_ino(dir->sb), mode);
	q->vfs.uid = uid;
	q->vfs.gid = gid;
	q->vfs.size = FILE_SIZE;
	*out = &q->vfs;
	if (!dirtab_add(dir_of(dir), name, *out)) {
		inode_put(*out);
		return -LX_ENOMEM;
	}
	inode_get(*out); /* the entry's */
	dir->size += DIRENT_SIZE;
	mqueue_touch(dir, true);
	return 0;
}

static int dir_create(struct inode *dir, const char *name, uint32_t mode, uint32_t uid,
		      uint32_t gid, struct inode **out)
{
	return create(dir, name, mode, uid, gid, NULL, out);
}

static int dir_lookup(struct inode *dir, const char *name, struct inode **out)
{
	const struct dirnode *n = dirtab_find(dir_of(dir), name);

	if (!n)
		return -LX_ENOENT;
	*out = n->inode;
	inode_get(*out);
	return 0;
}

static int dir_unlink(struct inode *dir, const char *name, struct inode *victim)
{
	struct dirnode *n = dirtab_find(dir_of(dir), name);

	if (!n || n->inode != victim)
		return -LX_ENOENT;
	dirtab_del(dir_of(dir), n);
	mqueue_touch(dir, true);
	dir->size -= DIRENT_SIZE;
	victim->nlink--;
	inode_put(victim);
	return 0;
}

static int dir_readdir(struct file *f, struct dir_ctx *c)
{
	struct dirtab *d = dir_of(f->inode);
	struct dirnode *n;

	if (!dir_emit_dots(f, c))
		return 0;
	for (n = dirtab_from(d, (uint64_t)f->pos - 2); n; n = dirtab_from(d, n->seq + 1))
		if (!c->emit(c, n->name, n->len, n->inode->ino, LX_S_IFREG >> 12,
			     (int64_t)n->seq + 3))
			break;
	return 0;
}

static const struct file_ops dir_file_ops = { .name = "mqueue-dir", .readdir = dir_readdir };

static int fs_open(struct inode *i, const struct path *path, uint32_t fmode, uint32_t flags,
		   struct file **out)
{
	*out = file_new(i->sb->k, LX_S_ISDIR(i->mode) ? &dir_file_ops : &mqueue_file_ops, path,
			fmode, flags);
	return *out ? 0 : -LX_ENFILE;
}

/* simple_setattr(): a new size means nothing. */
static int fs_setattr(struct inode *i, const struct iattr *a)
{
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

static void queue_inode_free(struct inode *i)
{
	struct mqueue *q = mqueue_of(i);
	struct ipc_ns *ns = q->ns;

	mqueue_gone(q);
	list_del_init(&q->all);
	ns->mq_count--;
	inode_fini(i);
	ipc_free(ns, q, sizeof(*q));
}

static void dir_inode_free(struct inode *i)
{
	struct dirtab *d = dir_of(i);
	struct dirnode *n;

	while ((n = dirtab_first(d))) {
		struct inode *child = n->inode;

		dirtab_del(d, n);
		inode_put(child);
	}
	inode_fini(i);
	free(container_of(i, struct mq_dir, vfs));
}

static const struct inode_ops queue_inode_ops = {
	.setattr = fs_setattr,
	.open = fs_open,
	.free = queue_inode_free,
};

static const struct inode_ops dir_inode_ops = {
	.lookup = dir_lookup,
	.create = dir_create,
	.unlink = dir_unlink,
	.setattr = fs_setattr,
	.open = fs_open,
	.free = dir_inode_free,
};

/* ---- open queues ---- */

static int64_t queue_read(struct file *f, struct uio *u, int64_t *pos, uint32_t rwf)
{
	const struct mqueue *q = mqueue_of(f->inode);
	const struct mq_notify *n = &q->notify;
	char text[FILE_SIZE];
	int64_t len, moved;

	(void)rwf;
	len = snprintf(text, sizeof(text), "QSIZE:%-10llu NOTIFY:%-5d SIGNO:%-5d NOTIFY_PID:%-6d\n",
		       (unsigned long long)q->bytes, n->owner ? n->how : 0,
		       n->owner && n->how == LX_SIGEV_SIGNAL ? n->signo : 0,
		       n->owner ? n->owner->tgid : 0);
	if (*pos < 0 || *pos >= len)
		return 0;
	moved = uio_to_user(u, text + *pos,
			    (size_t)(len - *pos) < u->resid ? (size_t)(len - *pos) : u->resid);
	if (moved > 0)
		*pos += moved;
	mqueue_touch(f->inode, false);
	return moved;
}

static uint32_t queue_poll(struct file *f, struct poll_ctx *pc)
{
	struct mqueue *q = mqueue_of(f->inode);
	uint32_t ev = 0;

	poll_wait(pc, &q->wq);
	if (q->curmsgs)
		ev |= LX_POLLIN | LX_POLLRDNORM;
	if (q->curmsgs < q->maxmsg)
		ev |= LX_POLLOUT | LX_POLLWRNORM;
	return ev;
}

static int queue_flush(struct file *f, struct task *t)
{
	struct mqueue *q = mqueue_of(f->inode);

	if (t && q->notify.owner == t->tg)
		mqueue_notify_drop(q);
	return 0;
}

const struct file_ops mqueue_file_ops = {
	.name = "mqueue",
	.read = queue_read,
	.poll = queue_poll,
	.flush = queue_flush,
};

/* ---- the file system ---- */

static int fs_statfs(struct superblock *sb, struct lx_statfs *out)
{
	(void)sb;
	out->f_bsize = 4096;
	out->f_namelen = LX_NAME_MAX;
	return 0;
}

static const struct sb_ops fs_sb_ops = { .statfs = fs_statfs };

/* The one root, borrowed. NULL: out of memory. */
static struct inode *root_of(struct kernel *k)
{
	struct ipc_ns *ns = ipc_of(k);
	struct superblock *sb;
	struct mq_dir *d;

	if (!ns || ns->mq_root)
		return ns ? ns->mq_root : NULL;
	sb = superblock_new(k, "mqueue", LX_MQUEUE_MAGIC, &fs_sb_ops, NULL);
	if (!sb)
		return NULL;
	sb->no_dcache = true; /* names come and go by mq_open(2), too */
	d = calloc(1, sizeof(*d));
	if (d) {
		inode_init(&d->vfs, sb, &dir_inode_ops, superblock_next_ino(sb),
			   LX_S_IFDIR | 01777);
		d->vfs.nlink = 2;
		d->vfs.size = 2 * DIRENT_SIZE;
		dirtab_init(&d->dir);
		ns->mq_root = &d->vfs;
	}
	superblock_put(sb);
	return ns->mq_root;
}

static int fs_mount(struct kernel *k, const char *source, const char *data,
		    struct superblock **sb, struct inode **root)
{
	(void)source;
	(void)data;
	*root = root_of(k);
	if (!*root)
		return -LX_ENOMEM;
	inode_get(*root);
	*sb = (*root)->sb;
	superblock_get(*sb);
	return 0;
}

const struct fs_type mqueue_type = {
	.name = "mqueue",
	.mount = fs_mount,
	.nodev = true,
	.guest_mountable = true,
};

void mqueue_fini(struct ipc_ns *ns)
{
	if (ns->mq_root)
		inode_put(take(&ns->mq_root));
}

/* ---- names ---- */

static int check_name(const char *name)
{
	if (!*name)
		return -LX_ENOENT;
	if (strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return -LX_EACCES;
	return strlen(name) > LX_NAME_MAX ? -LX_ENAMETOOLONG : 0;
}

static int make(struct task *t, struct inode *root, const char *name, uint32_t mode,
		const struct lx_mq_attr *attr, struct inode **out)
{
	int err = inode_permission(t->cred, root, MAY_WRITE | MAY_EXEC);

	if (err)
		return err;
	mode &= LX_S_IALLUGO & ~t->fs->umask;
	return create(root, name, LX_S_IFREG | mode, t->cred->fsuid, t->cred->fsgid, attr, out);
}

static int may_open(struct task *t, struct inode *i, uint32_t flags)
{
	static const unsigned mask[] = { MAY_READ, MAY_WRITE, MAY_READ | MAY_WRITE };

	if ((flags & LX_O_CREAT) && (flags & LX_O_EXCL))
		return -LX_EEXIST;
	if ((flags & LX_O_ACCMODE) == LX_O_ACCMODE)
		return -LX_EINVAL;
	return inode_permission(t->cred, i, mask[flags & LX_O_ACCMODE]);
}

int mqueue_open(struct task *t, const char *name, uint32_t flags, uint32_t mode,
		const struct lx_mq_attr *attr, struct file **out)
{
	AUTO_PUT(inode) struct inode *i = NULL;
	struct path p = { .mnt = t->k->mnt->anon };
	struct inode *root = root_of(t->k);
	char text[LX_NAME_MAX + 2];
	int err = check_name(name);

	if (!root)
		return -LX_ENOMEM;
	if (!err)
		err = dir_lookup(root, name, &i);
	if (err == -LX_ENOENT && *name && (flags & LX_O_CREAT))
		err = make(t, root, name, mode, attr, &i);
	else if (!err)
		err = may_open(t, i, flags);
	if (err)
		return err;
	snprintf(text, sizeof(text), "/%s", name);
	p.dentry = dentry_new_detached(i, text);
	if (!p.dentry)
		return -LX_ENOMEM;
	err = fs_open(i, &p, (flags + 1) & (FMODE_READ | FMODE_WRITE),
		      (flags & (LX_O_ACCMODE | LX_O_NONBLOCK)) | LX_O_LARGEFILE, out);
	dentry_put(p.dentry);
	return err;
}

int mqueue_unlink(struct task *t, const char *name)
{
	AUTO_PUT(inode) struct inode *i = NULL;
	struct inode *root = root_of(t->k);
	int err = check_name(name);

	if (!root)
		return -LX_ENOMEM;
	if (!err)
		err = dir_lookup(root, name, &i);
	if (!err)
		err = inode_permission(t->cred, root, MAY_WRITE | MAY_EXEC);
	if (!err && (root->mode & LX_S_ISVTX) && t->cred->fsuid != i->uid &&
	    t->cred->fsuid != root->uid && !task_capable(t, LX_CAP_FOWNER))
		err = -LX_EPERM;
	return err ? err : dir_unlink(root, name, i);
}
