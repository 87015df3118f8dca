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

static const struct sb_ops tmpfs_sb_ops = {
	.statfs = tmpfs_statfs,
	.free = tmpfs_sb_free,
};

/* ---- mount options ---- */

struct options {
	uint64_t pages, inodes;
	uint32_t mode, uid, gid;
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
		return true;
	}
	if (strcmp(opt, "nr_blocks") == 0)
		return parse_size(val, &o->pages);
	if (strcmp(opt, "nr_inodes") == 0)
		return parse_size(val, &o->inodes);
	if (strcmp(opt, "mode") == 0)
		return parse_u32(val, 8, 07777, &o->mode);
	if (strcmp(opt, "uid") == 0)
		return parse_u32(val, 10, UINT32_MAX - 1, &o->uid);
	if (strcmp(opt, "gid") == 0)
		return parse_u32(val, 10, UINT32_MAX - 1, &o->gid);
	return strcmp(opt, "huge") == 0 || strcmp(opt, "mpol") == 0;
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

int tmpfs_new(struct kernel *k, const char *options, struct superblock **sb,
	      struct inode **root)
{
	struct options o = { .pages = default_pages, .inodes = default_pages, .mode = 01777 };
	struct tmpfs_sb *ts;
	struct superblock *s;
	int err = options ? parse_options(options, &o) : 0;

	if (err)
		return err;
	ts = calloc(1, sizeof(*ts));
	if (!ts)
		return -LX_ENOMEM;
	ts->q.max_pages = o.pages;
	ts->q.max_inodes = o.inodes;
	s = superblock_new(k, "tmpfs", LX_TMPFS_MAGIC, &tmpfs_sb_ops, ts);
	if (!s) {
		free(ts);
		return -LX_ENOMEM;
	}
	err = tmpfs_inode_new(s, LX_S_IFDIR | o.mode, o.uid, o.gid, root);
	if (err) {
		superblock_put(s);
		return err;
	}
	*sb = s;
	return 0;
}

static int tmpfs_mount(struct kernel *k, const char *source, const char *data,
		       struct superblock **sb, struct inode **root)
{
	(void)source;
	return tmpfs_new(k, data, sb, root);
}

const struct fs_type tmpfs_type = {
	.name = "tmpfs",
	.mount = tmpfs_mount,
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
