/* READDIR: a directory in batches. The cookie is the host's d_off, so that a batch can
 * begin anywhere; the directory of the last request stays open for the next one. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "gofer/server/server_impl.h"

/* What one entry may take: the record with the longest name, and attributes. */
#define ENTRY_MAX (64 + GOFER_NAME_MAX + sizeof(struct gofer_attr))

static void close_dir(struct server *s)
{
	if (s->dir_fd >= 0)
		close(s->dir_fd);
	s->dir_fd = -1;
}

/* s->dir_fd is the directory n, at cookie. */
static int open_dir(struct server *s, uint32_t id, const struct node *n, uint64_t cookie)
{
	if (s->dir_fd < 0 || s->dir_id != id || cookie == 0) {
		int fd = node_open(s, n, O_RDONLY, NULL, NULL);

		close_dir(s);
		if (fd < 0)
			return fd;
		s->dir_fd = fd;
		s->dir_id = id;
		s->dir_pos = 0;
	}
	if (s->dir_pos != cookie) {
		if (lseek(s->dir_fd, (off_t)cookie, SEEK_SET) < 0)
			return -errno;
		s->dir_pos = cookie;
	}
	return 0;
}

/* Does the directory n, open as fd, have exactly the names that it lists? Others may ignore
 * case, or have hidden ones. */
static bool names_exact(struct server *s, const struct node *n, int fd)
{
	unsigned long flags = 0; /* the host writes an int, or a long */
	struct statfs f;

	if (s->names_dev != n->dev) {
		if (fstatfs(fd, &f) < 0)
			return false;
		s->names_dev = n->dev;
		s->exact_fs = f.f_type == EXT4_SUPER_MAGIC || f.f_type == XFS_SUPER_MAGIC ||
			      f.f_type == BTRFS_SUPER_MAGIC || f.f_type == TMPFS_MAGIC ||
			      f.f_type == OVERLAYFS_SUPER_MAGIC;
	}
	return s->exact_fs && ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0 &&
	       !(flags & FS_CASEFOLD_FL);
}

static void put_entry(struct gofer_enc *e, int dirfd, const struct dirent64 *de, bool want_attr)
{
	struct gofer_dirent ent = { de->d_ino, de->d_type, gofer_str(de->d_name) };
	struct gofer_attr a = { .mode = 0 };

	if (want_attr || ent.type == DT_UNKNOWN) {
		if (name_attr(dirfd, de->d_name, &a))
			a = (struct gofer_attr){ .mode = 0 };
		else
			ent.type = (uint8_t)IFTODT(a.mode);
	}
	gofer_put_dirent(e, &ent);
	if (want_attr)
		gofer_put_attr(e, &a);
}

/* Entries of one host batch into e until it is full. 1: full, 0: all in. */
static int put_batch(struct server *s, struct gofer_enc *e, size_t len, bool want_attr,
		     struct gofer_readdir_rep *p)
{
	for (size_t off = 0; off < len;) {
		const struct dirent64 *de = (const void *)(s->dents + off);
		bool dots = !strcmp(de->d_name, ".") || !strcmp(de->d_name, "..");

		if ((size_t)(e->end - e->p) < ENTRY_MAX)
			return 1;
		if (!dots) {
			put_entry(e, s->dir_fd, de, want_attr);
			p->count++;
		}
		p->cookie = (uint64_t)de->d_off;
		off += de->d_reclen;
	}
	return 0;
}

int op_readdir(struct server *s, const struct gofer_readdir_req *q,
	       struct gofer_readdir_rep *p, int *out_fd)
{
	/* Room for the reply's head and fixed fields. */
	struct gofer_enc e = { s->scratch, s->scratch + GOFER_MSG_MAX - 64, false };
	struct node *n = node_of(s, q->node);
	int err;

	(void)out_fd;
	if (!n)
		return -EBADF;
	if (!S_ISDIR(n->mode))
		return -ENOTDIR;
	p->cookie = q->cookie;
	if (n->opaque) {
		p->eof = 1;
		return 0;
	}
	err = open_dir(s, q->node, n, q->cookie);
	if (err)
		return err;
	p->exact = names_exact(s, n, s->dir_fd);
	for (;;) {
		ssize_t len = getdents64(s->dir_fd, s->dents, sizeof(s->dents));

		if (len < 0) {
			err = -errno;
			close_dir(s);
			return err;
		}
		if (len == 0) {
			p->eof = 1;
			close_dir(s);
			break;
		}
		if (put_batch(s, &e, (size_t)len, q->flags & GOFER_READDIR_ATTR, p)) {
			s->dir_pos = UINT64_MAX; /* the host is further on than we are */
			break;
		}
		s->dir_pos = p->cookie;
	}
	p->entries = (struct gofer_bytes){ s->scratch, (uint32_t)(e.p - s->scratch) };
	return 0;
}

bool put_listed(struct server *s, struct gofer_enc *e, uint32_t index, const struct node *n,
		struct gofer_listed *out)
{
	struct gofer_readdir_rep r = { .count = 0 };
	struct gofer_enc at;
	uint8_t *start = e->p, *head;
	ssize_t got;
	bool whole;

	if (!S_ISDIR(n->mode) || n->opaque || (size_t)(e->end - e->p) < 2 * ENTRY_MAX)
		return false;
	close_dir(s);
	s->dir_fd = node_open(s, n, O_RDONLY, NULL, NULL);
	if (s->dir_fd < 0)
		return false;
	gofer_put_u32(e, &index);
	head = e->p;
	*out = (struct gofer_listed){ .exact = names_exact(s, n, s->dir_fd) };
	gofer_put_listed(e, out);
	out->entries.p = e->p;
	got = getdents64(s->dir_fd, s->dents, sizeof(s->dents));
	whole = got >= 0 && !put_batch(s, e, (size_t)got, false, &r) &&
		(got == 0 || getdents64(s->dir_fd, s->dents, sizeof(s->dents)) == 0);
	close_dir(s);
	if (!whole || e->bad) {
		e->p = start;
		e->bad = false;
		return false;
	}
	/* Once more, now that it is known how much it is. */
	out->count = r.count;
	out->entries.len = (uint32_t)(e->p - out->entries.p);
	at = (struct gofer_enc){ head, e->p, false };
	gofer_put_u8(&at, &out->exact);
	gofer_put_u32(&at, &out->count);
	gofer_put_u32(&at, &out->entries.len);
	return true;
}
