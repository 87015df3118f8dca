/* Mounting an overlay: options, the layers, the work directory. */
#include <stdlib.h>
#include <string.h>

#include "sentry/fs/overlayfs/ofs_impl.h"
#include "sentry/task/task.h"
#include "syscalls/abi/lx_statfs.h"

#define MAX_STACK_DEPTH 2 /* as FILESYSTEM_MAX_STACK_DEPTH of Linux */

/* ---- options ---- */

struct options {
	char *lower, *upper, *work; /* into the copy of the data */
	bool userxattr;
};

/* Cut s at the first `sep` that no backslash escapes; the rest, or NULL. */
static char *cut(char *s, char sep)
{
	for (; *s; s++) {
		if (*s == '\\' && s[1]) {
			s++;
		} else if (*s == sep) {
			*s = '\0';
			return s + 1;
		}
	}
	return NULL;
}

static void unescape(char *s)
{
	char *to = s;

	for (; *s; s++) {
		if (*s == '\\' && s[1])
			s++;
		*to++ = *s;
	}
	*to = '\0';
}

/* What may be named because it says how things are here anyway. */
static bool known_as_is(const char *opt)
{
	static const char *const names[] = {
		"index=off", "metacopy=off", "redirect_dir=off", "redirect_dir=nofollow",
		"nfs_export=off", "xino=off", "xino=auto", "xino=on", "volatile", "uuid=null",
		"uuid=off", "uuid=auto", "uuid=on", "verity=off", "default_permissions",
		"fsync=auto", "fsync=strict", "fsync=volatile",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(opt, names[i]) == 0)
			return true;
	return false;
}

static int parse(char *data, struct options *o)
{
	char *next;

	for (char *opt = data; opt; opt = next) {
		next = cut(opt, ',');
		if (strncmp(opt, "lowerdir=", 9) == 0)
			o->lower = opt + 9;
		else if (strncmp(opt, "upperdir=", 9) == 0)
			o->upper = opt + 9;
		else if (strncmp(opt, "workdir=", 8) == 0)
			o->work = opt + 8;
		else if (strcmp(opt, "userxattr") == 0)
			o->userxattr = true;
		else if (*opt && !known_as_is(opt))
			return -LX_EINVAL;
	}
	if (!o->lower || !*o->lower || (o->upper && !o->work))
		return -LX_EINVAL;
	return 0;
}

/* ---- layers ---- */

struct layers {
	struct path upper, work, *lower;
	unsigned nlower;
};

static void layers_free(struct layers *l)
{
	path_put(&l->upper);
	path_put(&l->work);
	for (unsigned i = 0; i < l->nlower; i++)
		path_put(&l->lower[i]);
	free(l->lower);
}

static int resolve(struct task *t, char *name, struct path *out)
{
	unescape(name);
	return *name ? vfs_lookup(t, LX_AT_FDCWD, name, WALK_FOLLOW | WALK_DIRECTORY, out)
		     : -LX_EINVAL;
}

static int resolve_all(struct task *t, struct options *o, struct layers *l)
{
	char *next;
	int err = 0;

	if (o->upper)
		err = resolve(t, o->upper, &l->upper);
	if (!err && o->upper)
		err = resolve(t, o->work, &l->work);
	for (char *name = o->lower; name && !err; name = next) {
		struct path *more = reallocarray(l->lower, l->nlower + 1, sizeof(*more));

		if (!more)
			return -LX_ENOMEM;
		l->lower = more;
		next = cut(name, ':');
		if (l->nlower >= OFS_MAX_LOWER)
			return -LX_EINVAL;
		err = resolve(t, name, &l->lower[l->nlower]);
		if (!err)
			l->nlower++;
	}
	return err;
}

static bool overlap(const struct path *a, const struct path *b)
{
	return a->dentry && b->dentry &&
	       (layer_is_below(a->dentry, b->dentry) || layer_is_below(b->dentry, a->dentry));
}

static int check_layers(const struct layers *l, unsigned *depth)
{
	const struct path *up = &l->upper;

	*depth = 0;
	if (up->dentry) {
		if (up->mnt != l->work.mnt || overlap(up, &l->work))
			return -LX_EINVAL;
		if (up->mnt->flags & MNT_RDONLY || up->mnt->sb->readonly)
			return -LX_EINVAL;
		*depth = up->mnt->sb->stack_depth;
	} else if (l->nlower < 2) {
		return -LX_EINVAL;
	}
	for (unsigned i = 0; i < l->nlower; i++) {
		if (overlap(&l->lower[i], up) || overlap(&l->lower[i], &l->work))
			return -LX_ELOOP;
		for (unsigned j = 0; j < i; j++)
			if (overlap(&l->lower[i], &l->lower[j]))
				return -LX_ELOOP;
		if (l->lower[i].mnt->sb->stack_depth > *depth)
			*depth = l->lower[i].mnt->sb->stack_depth;
	}
	return ++*depth > MAX_STACK_DEPTH ? -LX_EINVAL : 0;
}

/* ---- the superblock ---- */

static void ofs_sb_free(struct superblock *sb)
{
	struct ofs_sb *os = ofs_s(sb);
	struct ofs_origin *o;

	while ((o = RB_ROOT(&os->origins)))
		ofs_origin_drop(os, o->upper_ino);
	if (os->workdir)
		dentry_put(os->workdir);
	for (unsigned i = 0; i < os->nlower; i++)
		mount_put(os->lower[i]);
	free(os->lower);
	if (os->work)
		mount_put(os->work);
	if (os->upper)
		mount_put(os->upper);
	free(os->options);
	free(os);
}

static int ofs_statfs(struct superblock *sb, struct lx_statfs *out)
{
	struct ofs_sb *os = ofs_s(sb);
	struct superblock *real = os->upper ? os->upper->sb : os->lower[0]->sb;

	return real->ops && real->ops->statfs ? real->ops->statfs(real, out) : 0;
}

static int ofs_sync_fs(struct superblock *sb)
{
	struct mount *up = ofs_s(sb)->upper;

	return up && up->sb->ops && up->sb->ops->sync ? up->sb->ops->sync(up->sb) : 0;
}

static int ofs_remount(struct superblock *sb, const char *data)
{
	(void)sb;
	(void)data; /* the layers cannot be changed, and Linux ignores the attempt */
	return 0;
}

static char *ofs_options(struct superblock *sb)
{
	return strdup(ofs_s(sb)->options);
}

static const struct sb_ops ofs_sb_ops = {
	.statfs = ofs_statfs,
	.free = ofs_sb_free,
	.sync = ofs_sync_fs,
	.remount = ofs_remount,
	.options = ofs_options,
};

/* An empty directory "work" in the work directory, for what is being made. */
static int make_workdir(struct ofs_sb *os)
{
	struct path at = { os->work, os->work->root };
	struct layer_new n = { .mode = LX_S_IFDIR };
	int err = layer_make(&at, "work", &n, &os->workdir);

	if (err == -LX_EEXIST) {
		err = layer_lookup(at.dentry, "work", &os->workdir);
		if (!err && !LX_S_ISDIR(os->workdir->inode->mode))
			return -LX_EINVAL;
		/* What an earlier overlay left must not be in the way. */
		krandom(&os->tmp, 4);
		os->tmp <<= 24;
	}
	return err;
}

/* Attributes of ours must hold in the upper layer; "user." if "trusted." does not. */
static void choose_prefix(struct ofs_sb *os, bool user)
{
	os->prefix = user ? "user.overlay." : "trusted.overlay.";
	if (user || !os->upper)
		return;
	if (ofs_set_opaque(os, os->workdir->inode))
		os->prefix = "user.overlay.";
}

static int take_layers(struct ofs_sb *os, const struct layers *l, struct ofs_parts *root)
{
	if (l->upper.dentry) {
		os->upper = layer_mount(&l->upper, MNT_NOATIME);
		os->work = layer_mount(&l->work, MNT_NOATIME);
		if (!os->upper || !os->work)
			return -LX_ENOMEM;
		dentry_get(os->upper->root);
		root->upper = (struct ofs_part){ .dentry = os->upper->root, .mnt = os->upper };
	}
	os->lower = calloc(l->nlower, sizeof(struct mount *));
	root->lower = calloc(l->nlower, sizeof(*root->lower));
	if (!os->lower || !root->lower)
		return -LX_ENOMEM;
	for (unsigned i = 0; i < l->nlower; i++) {
		struct mount *m = layer_mount(&l->lower[i], MNT_RDONLY | MNT_NOATIME);
		unsigned fs = os->upper && os->upper->sb == l->lower[i].mnt->sb ? 0 : i + 1;

		if (!m)
			return -LX_ENOMEM;
		for (unsigned j = 0; fs && j < i; j++)
			if (os->lower[j]->sb == m->sb) {
				fs = root->lower[j].fs;
				break;
			}
		os->lower[os->nlower++] = m;
		dentry_get(m->root);
		root->lower[root->nlower++] =
			(struct ofs_part){ .dentry = m->root, .mnt = m, .fs = (uint8_t)fs };
	}
	return 0;
}

static int make_sb(struct kernel *k, const struct layers *l, const struct options *o,
		   const char *data, unsigned depth, struct superblock **out,
		   struct inode **root)
{
	struct ofs_sb *os = calloc(1, sizeof(*os));
	struct ofs_parts parts = { .nlower = 0 };
	struct superblock *sb;
	int err;

	if (!os)
		return -LX_ENOMEM;
	RB_INIT(&os->inodes);
	RB_INIT(&os->origins);
	os->options = strdup(data);
	sb = os->options ? superblock_new(k, "overlay", LX_OVERLAYFS_MAGIC, &ofs_sb_ops, os) : NULL;
	if (!sb) {
		free(os->options);
		free(os);
		return -LX_ENOMEM;
	}
	sb->negative_ok = true;
	sb->stack_depth = (uint8_t)depth;
	sb->readonly = !l->upper.dentry;
	err = take_layers(os, l, &parts);
	if (!err && os->upper)
		err = make_workdir(os);
	if (!err) {
		choose_prefix(os, o->userxattr);
		err = ofs_inode_get(sb, &parts, NULL, NULL, root);
	} else {
		ofs_parts_free(&parts);
	}
	if (err) {
		superblock_put(sb);
		return err;
	}
	*out = sb;
	return 0;
}

static int ofs_mount_by(struct task *t, const char *source, const char *data,
			struct superblock **sb, struct inode **root)
{
	AUTO_FREE char *copy = strdup(data ? data : "");
	struct layers l = { .nlower = 0 };
	struct options o = { .lower = NULL };
	unsigned depth;
	int err = copy ? parse(copy, &o) : -LX_ENOMEM;

	(void)source;
	if (!err)
		err = resolve_all(t, &o, &l);
	if (!err)
		err = check_layers(&l, &depth);
	if (!err)
		err = make_sb(t->k, &l, &o, data, depth, sb, root);
	layers_free(&l);
	return err;
}

const struct fs_type overlayfs_type = {
	.name = "overlay",
	.mount_by = ofs_mount_by,
	.nodev = true,
	.guest_mountable = true,
};
