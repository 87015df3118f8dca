/* devpts: the directory of pseudo-terminals. Each mount is an instance of its own
 * (as since Linux 4.7), but numbers are unique across the sandbox. Terminals given
 * from the host appear in every instance. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sentry/cred/cred.h"
#include "sentry/fs/tty/tty_impl.h"
#include "sentry/task/task.h"
#include "syscalls/abi/lx_dirent.h"
#include "syscalls/abi/lx_stat.h"

#define DEVPTS_MAGIC 0x1cd1
#define PTMX_INO 2u

struct devpts {
	struct list link;	/* ttys.instances */
	struct superblock *sb;	/* borrowed: it owns us */
	uint32_t uid, gid, mode, ptmxmode, max;
	bool set_uid, set_gid;
	uint32_t count;
};

static struct devpts *fs_of(const struct inode *i)
{
	return i->sb->priv;
}

static void node_free(struct inode *i)
{
	inode_fini(i);
	free(i);
}

static int node_setattr(struct inode *i, const struct iattr *a)
{
	if (a->valid & IATTR_MODE)
		i->mode = (i->mode & LX_S_IFMT) | (a->mode & 07777);
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

static struct inode *node_new(struct superblock *sb, const struct inode_ops *ops, uint64_t ino,
			      uint32_t mode, uint32_t rdev)
{
	struct inode *i = calloc(1, sizeof(*i));

	if (!i)
		return NULL;
	inode_init(i, sb, ops, ino, mode);
	i->rdev = rdev;
	i->nlink = 1;
	inode_touch_mtime(i);
	i->atime = i->mtime;
	return i;
}

static uint32_t slave_rdev(unsigned index)
{
	return KDEV(LX_UNIX98_PTY_SLAVE_MAJOR + (index >> 8), index & 0xff);
}

/* ---- slaves ---- */

static int pts_open(struct inode *i, const struct path *path, uint32_t fmode, uint32_t flags,
		    struct file **out)
{
	struct pty *p = i->priv;

	return p ? pty_open_slave(&p->tty, path, fmode, flags, out) : -LX_EIO;
}

static bool pts_revalidate(struct dentry *d)
{
	return d->inode && d->inode->priv;
}

static const struct inode_ops pts_ops = {
	.setattr = node_setattr,
	.open = pts_open,
	.revalidate = pts_revalidate,
	.free = node_free,
};

struct inode *devpts_node_new(struct devpts *fs, struct pty *p)
{
	unsigned index = (unsigned)p->tty.index;
	struct inode *i = node_new(fs->sb, &pts_ops, index + 3, LX_S_IFCHR | fs->mode,
				   slave_rdev(index));
	const struct task *t = task_current;

	if (!i)
		return NULL;
	fs->count++;
	i->uid = fs->set_uid ? fs->uid : t ? t->cred->fsuid : 0;
	i->gid = fs->set_gid ? fs->gid : t ? t->cred->fsgid : 0;
	i->priv = p;
	return i;
}

void devpts_node_drop(struct pty *p)
{
	struct inode *i = take(&p->node);

	if (!i)
		return;
	i->priv = NULL; /* a name still cached leads nowhere */
	fs_of(i)->count--;
	inode_put(i);
}

/* ---- terminals of the host ---- */

static int hostpts_open(struct inode *i, const struct path *path, uint32_t fmode,
			uint32_t flags, struct file **out)
{
	struct tty *tty = i->priv;

	return tty->ops->open(tty, path, fmode, flags, out);
}

static bool hostpts_revalidate(struct dentry *d)
{
	struct tty *tty = d->inode ? d->inode->priv : NULL;

	return tty && tty->ops->alive(tty);
}

static int hostpts_setattr(struct inode *i, const struct iattr *a)
{
	struct tty *tty = i->priv;

	node_setattr(i, a);
	tty->mode = i->mode & 07777;
	tty->uid = i->uid;
	tty->gid = i->gid;
	return 0;
}

static void hostpts_free(struct inode *i)
{
	tty_put(i->priv);
	node_free(i);
}

static const struct inode_ops hostpts_ops = {
	.setattr = hostpts_setattr,
	.open = hostpts_open,
	.revalidate = hostpts_revalidate,
	.free = hostpts_free,
};

static struct inode *hostpts_node(struct superblock *sb, struct tty *tty)
{
	unsigned index = (unsigned)tty->index;
	struct inode *i = node_new(sb, &hostpts_ops, index + 3, LX_S_IFCHR | tty->mode,
				   slave_rdev(index));

	if (!i)
		return NULL;
	tty_get(tty);
	i->priv = tty;
	i->uid = tty->uid;
	i->gid = tty->gid;
	return i;
}

/* ---- ptmx ---- */

static int ptmx_node_open(struct inode *i, const struct path *path, uint32_t fmode,
			  uint32_t flags, struct file **out)
{
	return ptmx_open(fs_of(i), path, fmode, flags, out);
}

static int ptmx_setattr(struct inode *i, const struct iattr *a)
{
	node_setattr(i, a);
	fs_of(i)->ptmxmode = i->mode & 07777;
	return 0;
}

static const struct inode_ops ptmx_ops = {
	.setattr = ptmx_setattr,
	.open = ptmx_node_open,
	.free = node_free,
};

/* ---- the directory ---- */

/* The terminal that a name means here, or NULL. */
static struct tty *tty_here(const struct devpts *fs, unsigned index)
{
	struct tty *tty = tty_by_index(fs->sb->k, index);

	if (!tty || !tty->ops->alive(tty))
		return NULL;
	if (tty->ops == &host_tty_ops)
		return tty;
	return pty_of(tty)->node && pty_of(tty)->node->sb == fs->sb ? tty : NULL;
}

static int root_lookup(struct inode *dir, const char *name, struct inode **out)
{
	struct devpts *fs = fs_of(dir);
	struct tty *tty;
	char *end;
	unsigned long n;

	if (!strcmp(name, "ptmx")) {
		*out = node_new(dir->sb, &ptmx_ops, PTMX_INO, LX_S_IFCHR | fs->ptmxmode,
				KDEV(LX_TTYAUX_MAJOR, 2));
		return *out ? 0 : -LX_ENOMEM;
	}
	if (name[0] < '0' || name[0] > '9' || (name[0] == '0' && name[1]))
		return -LX_ENOENT;
	n = strtoul(name, &end, 10);
	if (*end || n >= TTY_MAX)
		return -LX_ENOENT;
	tty = tty_here(fs, (unsigned)n);
	if (!tty)
		return -LX_ENOENT;
	if (tty->ops == &host_tty_ops) {
		*out = hostpts_node(dir->sb, tty);
		return *out ? 0 : -LX_ENOMEM;
	}
	*out = pty_of(tty)->node;
	inode_get(*out);
	return 0;
}

static int root_readdir(struct file *f, struct dir_ctx *c)
{
	const struct devpts *fs = fs_of(f->inode);
	char name[16];

	if (!dir_emit_dots(f, c))
		return 0;
	if (f->pos <= 2 && !c->emit(c, "ptmx", 4, PTMX_INO, LX_DT_CHR, 3))
		return 0;
	for (unsigned i = f->pos > 3 ? (unsigned)f->pos - 3 : 0; i < TTY_MAX; i++) {
		if (!tty_here(fs, i))
			continue;
		if (!c->emit(c, name, (unsigned)snprintf(name, sizeof(name), "%u", i), i + 3,
			     LX_DT_CHR, (int64_t)i + 4))
			return 0;
	}
	return 0;
}

static const struct file_ops root_file_ops = {
	.name = "devpts",
	.readdir = root_readdir,
};

static int root_open(struct inode *i, const struct path *path, uint32_t fmode, uint32_t flags,
		     struct file **out)
{
	*out = file_new(i->sb->k, &root_file_ops, path, fmode, flags);
	return *out ? 0 : -LX_ENOMEM;
}

static const struct inode_ops root_ops = {
	.lookup = root_lookup,
	.setattr = node_setattr,
	.open = root_open,
	.free = node_free,
};

/* ---- mounting ---- */

static void sb_free(struct superblock *sb)
{
	struct devpts *fs = sb->priv;

	if (sb->k->ttys)
		list_del_init(&fs->link);
	free(fs);
}

static const struct sb_ops devpts_sb_ops = { .free = sb_free };

static int parse_options(struct devpts *fs, const char *data)
{
	char buf[256], *save, *opt;

	if (!data)
		return 0;
	if (strlen(data) >= sizeof(buf))
		return -LX_EINVAL;
	strcpy(buf, data);
	for (opt = strtok_r(buf, ",", &save); opt; opt = strtok_r(NULL, ",", &save)) {
		uint32_t v;

		if (sscanf(opt, "uid=%u", &v) == 1) {
			fs->uid = v;
			fs->set_uid = true;
		} else if (sscanf(opt, "gid=%u", &v) == 1) {
			fs->gid = v;
			fs->set_gid = true;
		} else if (sscanf(opt, "mode=%o", &v) == 1) {
			fs->mode = v & 0777;
		} else if (sscanf(opt, "ptmxmode=%o", &v) == 1) {
			fs->ptmxmode = v & 0777;
		} else if (sscanf(opt, "max=%u", &v) == 1) {
			fs->max = v < TTY_MAX ? v : TTY_MAX;
		} else if (strcmp(opt, "newinstance")) {
			return -LX_EINVAL;
		}
	}
	return 0;
}

static int devpts_mount(struct kernel *k, const char *source, const char *data,
			struct superblock **out_sb, struct inode **root)
{
	struct ttys *ts = ttys_of(k);
	struct devpts *fs = calloc(1, sizeof(*fs));
	struct superblock *sb;
	int err;

	(void)source;
	if (!ts || !fs) {
		free(fs);
		return -LX_ENOMEM;
	}
	fs->mode = 0600;
	fs->max = TTY_MAX;
	err = parse_options(fs, data);
	sb = err ? NULL : superblock_new(k, "devpts", DEVPTS_MAGIC, &devpts_sb_ops, fs);
	if (!sb) {
		free(fs);
		return err ? err : -LX_ENOMEM;
	}
	fs->sb = sb;
	sb->special_open = true;
	list_push_back(&ts->instances, &fs->link);
	*root = node_new(sb, &root_ops, 1, LX_S_IFDIR | 0755, 0);
	if (!*root) {
		superblock_put(sb);
		return -LX_ENOMEM;
	}
	(*root)->nlink = 2;
	*out_sb = sb;
	return 0;
}

const struct fs_type devpts_type = {
	.name = "devpts",
	.mount = devpts_mount,
	.nodev = true,
	.guest_mountable = true,
};

/* ---- for the rest of the folder ---- */

struct devpts *devpts_newest(struct kernel *k)
{
	if (!k->ttys || list_empty(&k->ttys->instances))
		return NULL;
	return list_last(&k->ttys->instances, struct devpts, link);
}

struct devpts *devpts_of_sb(const struct superblock *sb)
{
	return sb->ops == &devpts_sb_ops ? sb->priv : NULL;
}

bool devpts_room(const struct devpts *fs)
{
	return fs->count < fs->max;
}

int devpts_path(struct kernel *k, struct mount *mnt, unsigned index, struct path *out)
{
	struct path root = { mnt, mnt->root };
	char name[16];

	if (!devpts_of_sb(mnt->sb))
		return -LX_EIO;
	snprintf(name, sizeof(name), "%u", index);
	return vfs_lookup_at(k, &root, name, 0, out);
}

int tty_open_ptmx(struct kernel *k, const struct path *path, uint32_t fmode, uint32_t flags,
		  struct file **out)
{
	struct devpts *fs = devpts_newest(k);
	struct path dir = { path->mnt, path->dentry->parent }, pts;

	if (dir.dentry && path->dentry != path->mnt->root &&
	    !vfs_lookup_at(k, &dir, "pts", WALK_DIRECTORY, &pts)) {
		struct devpts *beside = devpts_of_sb(pts.mnt->sb);

		path_put(&pts); /* the mount stays: mounts hold their superblock */
		if (beside)
			fs = beside;
	}
	return fs ? ptmx_open(fs, path, fmode, flags, out) : -LX_ENODEV;
}
