/* File systems that are being configured, and mounts that are not in the tree yet: fs_context.h. */
#include "sentry/vfs/fs_context.h"

#include <stdio.h>
#include <stdlib.h>

#include "sentry/vfs/vfs_impl.h"

#define DATA_MAX 4096 /* as mount(2) takes */

enum phase { TAKES_OPTIONS, MADE, RECONFIGURES, FAILED };

struct fs_context {
	enum phase phase;
	const struct fs_type *type;
	char *source, *data;	/* data: "key=value,key" or NULL */
	bool readonly;
	struct superblock *sb;	/* one reference each, once made or picked */
	struct inode *root;
	struct path picked;
};

static void clear_options(struct fs_context *c)
{
	free(c->source);
	free(c->data);
	c->source = c->data = NULL;
}

static void context_release(struct file *f)
{
	struct fs_context *c = f->priv;

	clear_options(c);
	if (c->root)
		inode_put(c->root);
	if (c->sb)
		superblock_put(c->sb);
	path_put(&c->picked);
	free(c);
}

/* Messages about what went wrong; there are none. */
static int64_t context_read(struct file *f, struct uio *u, int64_t *pos, uint32_t rwf)
{
	(void)f;
	(void)u;
	(void)pos;
	(void)rwf;
	return -LX_ENODATA;
}

static const struct file_ops context_ops = {
	.name = "fscontext",
	.read = context_read,
	.release = context_release,
};

bool fs_context_is(const struct file *f)
{
	return f->ops == &context_ops;
}

static int context_new(struct kernel *k, struct fs_context *c, struct file **out)
{
	*out = file_new_anon(k, &context_ops, "fscontext", 0, FMODE_READ | FMODE_STREAM, LX_O_RDWR, c);
	return *out ? 0 : -LX_ENFILE;
}

int fs_context_open(struct kernel *k, const struct fs_type *type, struct file **out)
{
	struct fs_context *c = calloc(1, sizeof(*c));
	int err;

	if (!c)
		return -LX_ENOMEM;
	c->type = type;
	err = context_new(k, c, out);
	if (err)
		free(c);
	return err;
}

int fs_context_pick(struct kernel *k, const struct path *p, struct file **out)
{
	struct fs_context *c;
	int err;

	if (p->dentry != p->mnt->root)
		return -LX_EINVAL;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -LX_ENOMEM;
	c->phase = RECONFIGURES;
	c->readonly = p->mnt->sb->readonly;
	err = context_new(k, c, out);
	if (err) {
		free(c);
		return err;
	}
	c->picked = *p;
	path_get(p);
	return 0;
}

static int add_data(struct fs_context *c, const char *key, const char *value)
{
	char *more;
	int n = asprintf(&more, "%s%s%s%s%s", c->data ? c->data : "", c->data ? "," : "", key,
			 value ? "=" : "", value ? value : "");

	if (n < 0)
		return -LX_ENOMEM;
	if (n >= DATA_MAX) {
		free(more);
		return -LX_EINVAL;
	}
	free(c->data);
	c->data = more;
	return 0;
}

int fs_context_option(struct file *f, const char *key, const char *value)
{
	struct fs_context *c = f->priv;

	if (c->phase != TAKES_OPTIONS && c->phase != RECONFIGURES)
		return -LX_EBUSY;
	if (!value && (strcmp(key, "ro") == 0 || strcmp(key, "rw") == 0)) {
		c->readonly = key[1] == 'o';
		return 0;
	}
	if (strcmp(key, "source") == 0) {
		if (!value || c->source)
			return -LX_EINVAL;
		c->source = strdup(value);
		return c->source ? 0 : -LX_ENOMEM;
	}
	if (c->type && c->type->check) {
		int err = c->type->check(key, value);

		if (err)
			return err;
	}
	return add_data(c, key, value);
}

int fs_context_create(struct task *t, struct file *f)
{
	struct fs_context *c = f->priv;
	struct kernel *k = f->k;
	int err;

	if (c->phase != TAKES_OPTIONS)
		return -LX_EBUSY;
	err = c->type->mount_by ? c->type->mount_by(t, c->source, c->data, &c->sb, &c->root)
				: c->type->mount(k, c->source, c->data, &c->sb, &c->root);
	if (err) {
		c->sb = NULL;
		c->root = NULL;
		c->phase = FAILED;
		return err;
	}
	if (c->readonly)
		c->sb->readonly = true;
	c->phase = MADE;
	return 0;
}

int fs_context_reconfigure(struct file *f)
{
	struct fs_context *c = f->priv;
	struct superblock *sb;
	int err = 0;

	if (c->phase != RECONFIGURES)
		return -LX_EBUSY;
	sb = c->picked.mnt->sb;
	if (c->picked.mnt->flags & MNT_LOCK_RDONLY)
		return c->readonly ? 0 : -LX_EPERM;
	if (c->readonly && !sb->readonly && sb->writers)
		err = -LX_EBUSY;
	if (!err && sb->ops && sb->ops->remount)
		err = sb->ops->remount(sb, c->data);
	if (!err)
		sb->readonly = c->readonly;
	else
		c->phase = FAILED;
	clear_options(c);
	return err;
}

int fs_context_mount(struct kernel *k, struct file *f, uint32_t flags, struct file **out)
{
	struct fs_context *c = f->priv;
	struct mount *m;
	int err;

	if (c->phase != MADE)
		return c->phase == RECONFIGURES ? -LX_EBUSY : -LX_EINVAL;
	if (!mounts_room())
		return -LX_ENOSPC;
	m = mount_new(c->sb, c->root, flags, c->source, c->data);
	if (!m)
		return -LX_ENOMEM;
	err = mount_file_new(k, m, out);
	if (err)
		return err;
	/* From now on it is there to be reconfigured. */
	c->picked = (*out)->path;
	path_get(&c->picked);
	inode_put(c->root);
	superblock_put(c->sb);
	c->root = NULL;
	c->sb = NULL;
	c->phase = RECONFIGURES;
	clear_options(c);
	return 0;
}

/* ---- mounts in no tree ---- */

static void mount_file_release(struct file *f)
{
	mount_discard(f->priv);
	mount_put(f->priv);
}

static const struct file_ops mount_file_ops = {
	.name = "mount",
	.release = mount_file_release,
};

int mount_file_new(struct kernel *k, struct mount *m, struct file **out)
{
	struct path p = { m, m->root };

	m->floating = true;
	*out = file_new(k, &mount_file_ops, &p, FMODE_PATH, LX_O_PATH);
	if (!*out) {
		mount_discard(m);
		return -LX_ENFILE;
	}
	mount_get(m); /* besides the tree's own, which mount_discard() drops */
	(*out)->priv = m;
	return 0;
}
