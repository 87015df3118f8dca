/* tmpfs: the file system as a whole, mount options, and memfds of guests. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sentry/cred/cred.h"
#include "sentry/fs/tmpfs/tmpfs_impl.h"
#include "sentry/task/task.h"
#include "syscalls/abi/lx_statfs.h"

static uint64_t default_pages = 1u << 20; /* 4 GiB until boot knows better */

void tmpfs_set_default_pages(uint64_t pages)
{
	default_pages = pages;
}

static int tmpfs_statfs(struct superblock *sb, struct lx_statfs *out)
{
	const struct memquota *q = &tmpfs_s(sb)->q;

	out->f_bsize = 4096;
	out->f_namelen = LX_NAME_MAX;
	if (q->max_pages) {
		out->f_blocks = q->max_pages;
		out->f_bfree = q->used_pages < q->max_pages ? q->max_pages - q->used_pages : 0;
		out->f_bavail = out->f_bfree;
	}
	if (q->max_inodes) {
		out->f_files = q->max_inodes;
		out->f_ffree = q->max_inodes - q->used_inodes;
	}
	return 0;
}

static void tmpfs_sb_free(struct superblock *sb)
{
	free(sb->priv);
}

/* ---- mount options ---- */

struct options {
	uint64_t pages, inodes;
	uint32_t mode, uid, gid;
	bool sized, counted;	/* size=, nr_inodes= were given */
};

/* A number with k, m, g, t or % behind it. */
static bool parse_size(const char *s, uint64_t *out)
{
	char *end;
	unsigned long long v = strtoull(s, &end, 0);
	unsigned shift = 0;

	if (end == s || *s == '-')
		return false;
	switch (*end) {
	case '%':
		/* Of the memory, of which the default is half. */
		if (end[1] || v > 100000)
			return false;
		*out = default_pages / 50 * v * 4096;
		return true;
	case 't':
	case 'T':
		shift = 40;
		break;
	case 'g':
	case 'G':
		shift = 30;
		break;
	case 'm':
	case 'M':
		shift = 20;
		break;
	case 'k':
	case 'K':
		shift = 10;
		break;
	case '\0':
		*out = v;
		return true;
	default:
		return false;
	}
	if (end[1] || v > UINT64_MAX >> shift)
		return false;
	*out = v << shift;
	return true;
}

static bool parse_u32(const char *s, int base, uint32_t max, uint32_t *out)
{
	char *end;
	unsigned long v = strtoul(s, &end, base);

	if (end == s || *end || v > max || *s == '-')
		return false;
	*out = (uint32_t)v;
	return true;
}

static bool parse_option(char *opt, struct options *o)
{
	char *val = strchr(opt, '=');
	uint64_t n;

	if (val)
		*val++ = '\0';
	if (!val)
		/* Ones that change nothing here. */
		return strcmp(opt, "noswap") == 0 || strcmp(opt, "inode32") == 0 ||
		       strcmp(opt, "inode64") == 0 || strcmp(opt, "rw") == 0 ||
		       strcmp(opt, "ro") == 0;
	if (strcmp(opt, "size") == 0) {
		if (!parse_size(val, &n))
			return false;
		o->pages = n / 4096 + (n % 4096 != 0);
		o->sized = true;
		return true;
	}
	if (strcmp(opt, "nr_blocks") == 0) {
		o->sized = true;
		return parse_size(val, &o->pages);
	}
	if (strcmp(opt, "nr_inodes") == 0) {
		o->counted = true;
		return parse_size(val, &o->inodes);
	}
	if (strcmp(opt, "mode") == 0)
		return parse_u32(val, 8, 07777, &o->mode);
	if (strcmp(opt, "uid") == 0)
		return parse_u32(val, 10, UINT32_MAX - 1, &o->uid);
	if (strcmp(opt, "gid") == 0)
		return parse_u32(val, 10, UINT32_MAX - 1, &o->gid);
	/* Huge pages are the host's affair. */
	if (strcmp(opt, "huge") == 0)
		return strcmp(val, "never") == 0 || strcmp(val, "always") == 0 ||
		       strcmp(val, "within_size") == 0 || strcmp(val, "advise") == 0;
	return strcmp(opt, "mpol") == 0;
}

static int parse_options(const char *text, struct options *o)
{
	AUTO_FREE char *copy = strdup(text);
	char *save = NULL;

	if (!copy)
		return -LX_ENOMEM;
	for (char *opt = strtok_r(copy, ",", &save); opt; opt = strtok_r(NULL, ",", &save))
		if (!parse_option(opt, o))
			return -LX_EINVAL;
	return 0;
}

static int tmpfs_check(const char *key, const char *value)
{
	AUTO_FREE char *text = NULL;
	struct options o = { .pages = 0 };

	if (asprintf(&text, "%s%s%s", key, value ? "=" : "", value ? value : "") < 0) {
		text = NULL;
		return -LX_ENOMEM;
	}
	return parse_option(text, &o) ? 0 : -LX_EINVAL;
}

/* New limits: none below what is used, and none where there was none. */
static int tmpfs_remount(struct superblock *sb, const char *data)
{
	struct memquota *q = &tmpfs_s(sb)->q;
	struct options o = { .pages = q->max_pages, .inodes = q->max_inodes };
	int err = data ? parse_options(data, &o) : 0;

	if (err)
		return err;
	if ((o.counted && o.inodes && (!q->max_inodes || o.inodes < q->used_inodes)) ||
	    (o.sized && o.pages && (!q->max_pages || o.pages < q->used_pages)))
		return -LX_EINVAL;
	q->max_pages = o.pages;
	q->max_inodes = o.inodes;
	return 0;
}

/* What differs from the defaults, as Linux shows it. */
static char *tmpfs_options(struct superblock *sb)
{
	const struct tmpfs_sb *ts = tmpfs_s(sb);
	char size[40] = "", inodes[40] = "", mode[20] = "", uid[20] = "", gid[20] = "";
	char *out;
	int n;

	if (ts->q.max_pages != default_pages)
		(void)snprintf(size, sizeof(size), ",size=%lluk",
			       (unsigned long long)ts->q.max_pages * 4);
	if (ts->q.max_inodes != default_pages)
		(void)snprintf(inodes, sizeof(inodes), ",nr_inodes=%llu",
			       (unsigned long long)ts->q.max_inodes);
	if (ts->mode != 01777)
		(void)snprintf(mode, sizeof(mode), ",mode=%03o", ts->mode);
	if (ts->uid)
		(void)snprintf(uid, sizeof(uid), ",uid=%u", ts->uid);
	if (ts->gid)
		(void)snprintf(gid, sizeof(gid), ",gid=%u", ts->gid);
	n = asprintf(&out, "%s%s%s%s%s", size, inodes, mode, uid, gid);
	if (n < 0)
		return NULL;
	if (n)
		memmove(out, out + 1, (size_t)n); /* the first comma */
	return out;
}

static const struct sb_ops tmpfs_sb_ops = {
	.statfs = tmpfs_statfs,
	.free = tmpfs_sb_free,
	.remount = tmpfs_remount,
	.options = tmpfs_options,
};

static char *ramfs_options(struct superblock *sb)
{
	char *out;

	if (tmpfs_s(sb)->mode == 0755)
		return strdup("");
	return asprintf(&out, "mode=%o", tmpfs_s(sb)->mode) < 0 ? NULL : out;
}

/* ops NULL: a ramfs, without limits. */
static int new_sb(struct kernel *k, const struct options *o, const struct sb_ops *ops,
		  struct superblock **sb, struct inode **root)
{
	static const struct sb_ops ramfs_ops = {
		.free = tmpfs_sb_free, .options = ramfs_options };
	struct tmpfs_sb *ts = calloc(1, sizeof(*ts));
	struct superblock *s;
	int err;

	if (!ts)
		return -LX_ENOMEM;
	ts->q.max_pages = o->pages;
	ts->q.max_inodes = o->inodes;
	ts->mode = o->mode;
	ts->uid = o->uid;
	ts->gid = o->gid;
	s = superblock_new(k, ops ? "tmpfs" : "ramfs", ops ? LX_TMPFS_MAGIC : LX_RAMFS_MAGIC,
			   ops ? ops : &ramfs_ops, ts);
	if (!s) {
		free(ts);
		return -LX_ENOMEM;
	}
	err = tmpfs_inode_new(s, LX_S_IFDIR | o->mode, o->uid, o->gid, root);
	if (err) {
		superblock_put(s);
		return err;
	}
	*sb = s;
	return 0;
}

int tmpfs_new(struct kernel *k, const char *options, struct superblock **sb,
	      struct inode **root)
{
	struct options o = { .pages = default_pages, .inodes = default_pages, .mode = 01777 };
	int err = options ? parse_options(options, &o) : 0;

	return err ? err : new_sb(k, &o, &tmpfs_sb_ops, sb, root);
}

/* Bounded by the container's memory alone. Of the options only mode= means anything, and
 * others are ignored, as ever. */
static int ramfs_mount(struct kernel *k, const char *source, const char *data,
		       struct superblock **sb, struct inode **root)
{
	struct options o = { .mode = 0755 };
	AUTO_FREE char *copy = data ? strdup(data) : NULL;
	char *save = NULL;

	(void)source;
	if (data && !copy)
		return -LX_ENOMEM;
	for (char *opt = copy ? strtok_r(copy, ",", &save) : NULL; opt;
	     opt = strtok_r(NULL, ",", &save))
		if (strncmp(opt, "mode=", 5) == 0 && !parse_u32(opt + 5, 8, 07777, &o.mode))
			return -LX_EINVAL;
	return new_sb(k, &o, NULL, sb, root);
}

const struct fs_type ramfs_type = {
	.name = "ramfs",
	.mount = ramfs_mount,
	.nodev = true,
	.guest_mountable = true,
};

static int tmpfs_mount(struct kernel *k, const char *source, const char *data,
		       struct superblock **sb, struct inode **root)
{
	(void)source;
	return tmpfs_new(k, data, sb, root);
}

const struct fs_type tmpfs_type = {
	.name = "tmpfs",
	.mount = tmpfs_mount,
	.check = tmpfs_check,
	.nodev = true,
	.guest_mountable = true,
};

/* ---- memfd_create ---- */

/* The file system that memfds live in; nobody can walk there. Each memfd holds it
 * through its inode, and the last one frees it. */
static int memfd_sb(struct kernel *k, struct superblock **out)
{
	struct superblock *sb;
	struct inode *root;
	int err = tmpfs_new(k, "size=0,nr_inodes=0", &sb, &root);

	if (err)
		return err;
	inode_put(root);
	*out = sb;
	return 0;
}

int tmpfs_memfd(struct task *t, const char *name, uint32_t seals, uint32_t mode,
		struct file **out)
{
	struct kernel *k = t->k;
	AUTO_FREE char *text = NULL;
	struct superblock *sb;
	struct inode *i;
	struct path p = { k->mnt->anon, NULL };
	int err;

	if (asprintf(&text, "/memfd:%s (deleted)", name) < 0) {
		text = NULL;
		return -LX_ENOMEM;
	}
	err = memfd_sb(k, &sb);
	if (err)
		return err;
	err = tmpfs_inode_new(sb, LX_S_IFREG | mode, t->cred->fsuid, t->cred->fsgid, &i);
	superblock_put(sb);
	if (err)
		return err;
	i->nlink = 0;
	tmpfs_i(i)->file.seals = seals;
	p.dentry = dentry_new_detached(i, text);
	inode_put(i);
	if (!p.dentry)
		return -LX_ENOMEM;
	*out = file_new(k, &memfile_file_ops, &p, FMODE_READ | FMODE_WRITE,
			LX_O_RDWR | LX_O_LARGEFILE);
	dentry_put(p.dentry);
	if (!*out)
		return -LX_ENFILE;
	(*out)->priv = &tmpfs_i((*out)->inode)->file;
	return 0;
}
