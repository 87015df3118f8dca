/* Generated files: see pseudo.h. */
#include "sentry/fs/proc/pseudo.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sentry/mm/usercopy.h"
#include "syscalls/abi/lx_dirent.h"

#define WRITE_MAX 4095u
/* Directory positions: static entries from 2, dynamic ones from here. */
#define DYN_BASE 4096

/* ---- text ---- */

static bool pb_room(struct pseudo_buf *b, size_t more)
{
	size_t cap = b->cap ? b->cap : 1024;
	char *mem;

	if (b->failed || b->len + more > PSEUDO_MAX_TEXT) {
		b->failed = true;
		return false;
	}
	if (b->len + more <= b->cap)
		return true;
	while (cap < b->len + more)
		cap *= 2;
	mem = realloc(b->data, cap);
	if (!mem) {
		b->failed = true;
		return false;
	}
	b->data = mem;
	b->cap = cap;
	return true;
}

void pb_write(struct pseudo_buf *b, const void *data, size_t len)
{
	if (len && pb_room(b, len)) {
		memcpy(b->data + b->len, data, len);
		b->len += len;
	}
}

void pb_puts(struct pseudo_buf *b, const char *s)
{
	pb_write(b, s, strlen(s));
}

void pb_printf(struct pseudo_buf *b, const char *fmt, ...)
{
	va_list ap;
	int n;

	for (int pass = 0; pass < 2; pass++) {
		size_t room = b->cap - b->len;

		va_start(ap, fmt);
		n = vsnprintf(room ? b->data + b->len : NULL, room, fmt, ap);
		va_end(ap);
		if (n < 0)
			return;
		if ((size_t)n < room) {
			b->len += (size_t)n;
			return;
		}
		if (!pb_room(b, (size_t)n + 1))
			return;
	}
}

void pb_escape(struct pseudo_buf *b, const char *s, const char *esc)
{
	for (; *s; s++) {
		if (strchr(esc, *s))
			pb_printf(b, "\\%03o", (unsigned char)*s);
		else
			pb_write(b, s, 1);
	}
}

int pseudo_parse_i64(const char *text, int64_t *out)
{
	char *end;
	long long v;

	while (*text == ' ' || *text == '\t')
		text++;
	errno = 0;
	v = strtoll(text, &end, 0);
	if (end == text || errno)
		return -LX_EINVAL;
	while (*end == ' ' || *end == '\t' || *end == '\n')
		end++;
	if (*end)
		return -LX_EINVAL;
	*out = v;
	return 0;
}

int pseudo_show_text(struct pseudo_node *n, struct pseudo_buf *b)
{
	pb_puts(b, (const char *)(uintptr_t)n->e->arg);
	return 0;
}

int pseudo_readlink_text(struct pseudo_node *n, char *buf, size_t size)
{
	return snprintf(buf, size, "%s", (const char *)(uintptr_t)n->e->arg);
}

/* ---- text files ---- */

struct pseudo_open {
	struct pseudo_buf b;
	bool filled;
};

static void forget_text(struct pseudo_open *o)
{
	free(o->b.data);
	memset(o, 0, sizeof(*o));
}

static int fill_text(struct pseudo_node *n, struct pseudo_open *o)
{
	int err;

	forget_text(o);
	err = n->e->show(n, &o->b);
	if (!err && o->b.failed)
		err = -LX_ENOMEM;
	if (err)
		forget_text(o);
	else
		o->filled = true;
	return err;
}

static int64_t text_read(struct file *f, struct uio *u, int64_t *pos, uint32_t rwf)
{
	struct pseudo_node *n = pseudo_node_of(f->inode);
	struct pseudo_open *o = f->priv;
	size_t left;
	long done;
	int err;

	(void)rwf;
	if (!n->e->show)
		return -LX_EINVAL;
	if (!o) {
		o = f->priv = calloc(1, sizeof(*o));
		if (!o)
			return -LX_ENOMEM;
	}
	if (*pos == 0 || !o->filled) {
		err = fill_text(n, o);
		if (err)
			return err;
	}
	if (*pos < 0 || (uint64_t)*pos >= o->b.len) {
		forget_text(o); /* the end was seen: do not keep it for an idle fd */
		return 0;
	}
	left = o->b.len - (size_t)*pos;
	done = uio_to_user(u, o->b.data + *pos, u->resid < left ? u->resid : left);
	if (done > 0)
		*pos += done;
	return done;
}

static int64_t text_write(struct file *f, struct uio *u, int64_t *pos, uint32_t rwf)
{
	struct pseudo_node *n = pseudo_node_of(f->inode);
	size_t len = u->resid < WRITE_MAX ? u->resid : WRITE_MAX;
	char text[WRITE_MAX + 1];
	int64_t r;
	long got;

	(void)rwf;
	if (!n->e->write)
		return -LX_EINVAL;
	got = uio_from_user(u, text, len);
	if (got < 0)
		return got;
	text[got] = '\0';
	r = n->e->write(n, text, (size_t)got);
	if (r >= 0)
		*pos += r;
	return r;
}

static void text_release(struct file *f)
{
	struct pseudo_open *o = f->priv;

	if (o) {
		forget_text(o);
		free(o);
	}
}

static const struct file_ops text_file_ops = {
	.name = "pseudo",
	.read = text_read,
	.write = text_write,
	.release = text_release,
};

/* ---- directories ---- */

static unsigned dtype_of(uint32_t mode)
{
	return (mode & LX_S_IFMT) >> 12;
}

static int dir_readdir(struct file *f, struct dir_ctx *c)
{
	struct pseudo_node *n = pseudo_node_of(f->inode);
	const struct pseudo_entry *e = n->e->children;
	char name[256];
	unsigned dtype;
	int64_t at = 2;

	if (!dir_emit_dots(f, c))
		return 0;
	for (; e && e->name; e++, at++) {
		if (at < f->pos)
			continue;
		if (!c->emit(c, e->name, (unsigned)strlen(e->name),
			     pseudo_child_ino(n->i.ino, e->name), dtype_of(e->mode), at + 1))
			return 0;
	}
	if (!n->e->next)
		return 0;
	for (uint64_t cur = f->pos > DYN_BASE ? (uint64_t)f->pos - DYN_BASE : 0;
	     n->e->next(n, &cur, name, sizeof(name), &dtype); cur++)
		if (!c->emit(c, name, (unsigned)strlen(name), pseudo_child_ino(n->i.ino, name),
			     dtype, (int64_t)cur + 1 + DYN_BASE))
			return 0;
	return 0;
}

static int64_t dir_seek(struct file *f, int64_t off, int whence)
{
	if (whence == 1)
		off += f->pos;
	else if (whence != 0)
		return -LX_EINVAL;
	if (off < 0)
		return -LX_EINVAL;
	return f->pos = off;
}

static const struct file_ops dir_file_ops = {
	.name = "pseudo_dir",
	.readdir = dir_readdir,
	.seek = dir_seek,
};

uint64_t pseudo_child_ino(uint64_t dir_ino, const char *name)
{
	uint64_t h = 0xcbf29ce484222325ULL ^ dir_ino;

	for (; *name; name++)
		h = (h ^ (unsigned char)*name) * 0x100000001b3ULL;
	h ^= h >> 32;
	/* Above the numbers of roots; readable, and the same for every process. */
	return (h & 0xffffffffULL) | 0x100000000ULL;
}

/* ---- inode operations ---- */

static bool refresh(struct pseudo_node *n)
{
	const struct pseudo_fs *fs = n->i.sb->priv;

	return (!fs->refresh || fs->refresh(n)) && (!n->e->valid || n->e->valid(n));
}

static int pseudo_lookup(struct inode *dir, const char *name, struct inode **out)
{
	struct pseudo_node *n = pseudo_node_of(dir);
	struct pseudo_found found = { NULL, n->id };
	const struct pseudo_entry *e = n->e->children;
	int err;

	if (!refresh(n))
		return -LX_ENOENT;
	while (e && e->name && strcmp(e->name, name))
		e++;
	if (e && e->name) {
		found.e = e;
	} else {
		if (!n->e->lookup)
			return -LX_ENOENT;
		err = n->e->lookup(n, name, &found);
		if (err)
			return err;
	}
	*out = pseudo_inode_new(dir->sb, found.e, &found.id, pseudo_child_ino(dir->ino, name));
	if (!*out)
		return -LX_ENOMEM;
	if (!refresh(pseudo_node_of(*out))) {
		inode_put(*out);
		return -LX_ENOENT;
	}
	return 0;
}

static bool pseudo_revalidate(struct dentry *d)
{
	return d->inode && refresh(pseudo_node_of(d->inode));
}

static int pseudo_getattr(struct inode *i, struct kstat *out)
{
	struct pseudo_node *n = pseudo_node_of(i);
	const struct pseudo_fs *fs = i->sb->priv;

	refresh(n);
	*out = (struct kstat){
		.ino = i->ino, .nlink = i->nlink, .uid = i->uid, .gid = i->gid,
		.mode = (i->mode & LX_S_IFMT) | (n->e->mode & 07777), .blksize = 1024,
		.dev_major = i->sb->dev >> 20, .dev_minor = i->sb->dev & 0xfffff,
		.atime = i->atime, .mtime = i->mtime, .ctime = i->ctime, .btime = i->btime,
	};
	if (LX_S_ISLNK(i->mode)) /* magic links to files carry the access of the file */
		out->mode = i->mode;
	if (LX_S_ISREG(i->mode)) {
		out->size = fs->file_size;
		out->blksize = fs->file_size ? 4096 : 1024;
	}
	return 0;
}

/* Sizes (O_TRUNC) and times are accepted and mean nothing. */
static int pseudo_setattr(struct inode *i, const struct iattr *a)
{
	(void)i;
	return a->valid & (IATTR_MODE | IATTR_UID | IATTR_GID) ? -LX_EPERM : 0;
}

static int pseudo_readlink(struct inode *i, char *buf, size_t size)
{
	struct pseudo_node *n = pseudo_node_of(i);
	int len = n->e->readlink ? n->e->readlink(n, buf, size) : -LX_EINVAL;

	return len > (int)size ? (int)size : len;
}

static int pseudo_get_link(struct inode *i, struct task *t, struct path *out)
{
	struct pseudo_node *n = pseudo_node_of(i);

	return n->e->get_link(n, t, out);
}

static int pseudo_open_file(struct inode *i, const struct path *path, uint32_t fmode,
			    uint32_t flags, struct file **out)
{
	struct pseudo_node *n = pseudo_node_of(i);

	if (n->e->open)
		return n->e->open(n, path, fmode, flags, out);
	if (LX_S_ISREG(i->mode) && (fmode & FMODE_WRITE) && !n->e->write)
		return -LX_EACCES;
	*out = file_new(i->sb->k, LX_S_ISDIR(i->mode) ? &dir_file_ops : &text_file_ops, path,
			fmode & (FMODE_READ | FMODE_WRITE), flags);
	return *out ? 0 : -LX_ENOMEM;
}

static int pseudo_permission(struct inode *i, const struct cred *c, unsigned mask)
{
	struct pseudo_node *n = pseudo_node_of(i);

	return n->e->permission ? n->e->permission(n, c, mask) : 0;
}

static void pseudo_free(struct inode *i)
{
	inode_fini(i);
	free(pseudo_node_of(i));
}

#define PSEUDO_COMMON                                                             \
	.getattr = pseudo_getattr, .setattr = pseudo_setattr, .free = pseudo_free, \
	.revalidate = pseudo_revalidate, .permission = pseudo_permission

static const struct inode_ops dir_ops = {
	PSEUDO_COMMON, .lookup = pseudo_lookup, .open = pseudo_open_file,
};
static const struct inode_ops file_inode_ops = { PSEUDO_COMMON, .open = pseudo_open_file };
static const struct inode_ops link_ops = { PSEUDO_COMMON, .readlink = pseudo_readlink };
static const struct inode_ops magic_ops = {
	PSEUDO_COMMON, .readlink = pseudo_readlink, .get_link = pseudo_get_link,
};

struct inode *pseudo_inode_new(struct superblock *sb, const struct pseudo_entry *e,
			       const struct pseudo_id *id, uint64_t ino)
{
	struct pseudo_node *n = calloc(1, sizeof(*n));
	const struct pseudo_entry *c;

	if (!n)
		return NULL;
	inode_init(&n->i, sb,
		   LX_S_ISDIR(e->mode) ? &dir_ops :
		   !LX_S_ISLNK(e->mode) ? &file_inode_ops :
		   e->get_link ? &magic_ops : &link_ops,
		   ino, e->mode);
	n->e = e;
	n->id = *id;
	if (LX_S_ISDIR(e->mode)) {
		n->i.nlink = 2;
		for (c = e->children; c && c->name; c++)
			n->i.nlink += LX_S_ISDIR(c->mode);
	}
	return &n->i;
}
