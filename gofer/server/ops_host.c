/* Finding, looking at and opening files. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "gofer/server/server_impl.h"

int op_attach(struct server *s, const struct gofer_attach_req *q, struct gofer_attach_rep *p,
	      int *out_fd)
{
	struct export_root *r;
	struct statfs f;
	int fd, err;

	(void)out_fd;
	if (q->index >= s->nexports)
		return -ENOENT;
	r = &s->exports[q->index];
	err = fd_attr(r->fd, &p->attr);
	if (err)
		return err;
	if (fstatfs(r->fd, &f) < 0)
		return -errno;
	fd = fcntl(r->fd, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return -errno;
	p->fs_type = (uint32_t)f.f_type;
	p->readonly = r->readonly || (f.f_flags & ST_RDONLY);
	p->max_nodes = s->cap - 1;
	err = node_add(s, q->index, NULL, r->name, fd, &p->attr, &p->node);
	if (!err && r->filestore)
		node_of(s, p->node)->opaque = true;
	return err;
}

int walk_step(struct server *s, struct node *at, struct gofer_str name, uint64_t resolve,
	      struct gofer_walked *out)
{
	int fd, err;

	if (!name_ok(name))
		return name.len > GOFER_NAME_MAX ? -ENAMETOOLONG : -EPROTO;
	if (at->opaque)
		return -ENOENT;
	fd = open_resolved(at->fd, name.p, O_PATH, 0, resolve);
	if (fd < 0)
		return fd;
	err = fd_attr(fd, &out->attr);
	if (err) {
		close(fd);
		return err;
	}
	err = node_add(s, at->export, at, name.p, fd, &out->attr, &out->node);
	/* Only a group bit lets one have a say. */
	if (!err && s->acl_asked && !S_ISLNK(out->attr.mode) && (out->attr.mode & 070) &&
	    !node_of(s, out->node)->opaque && fd_has_no_acl(s, fd))
		out->attr.mode |= GOFER_ATTR_NO_ACL;
	return err;
}

/* The next n of names one after another from *last: why not all were found, or 0; walked
 * records go into e. */
static int walk_names(struct server *s, struct node **last, struct gofer_dec *names, uint32_t n,
		      struct gofer_enc *e, uint32_t *count)
{
	while (*count < n && S_ISDIR((*last)->mode)) {
		struct gofer_walked w = { .node = 0 };
		struct gofer_name name;
		int err;

		gofer_get_name(names, &name);
		err = names->bad ? -EPROTO : walk_step(s, *last, name.name, 0, &w);
		if (err)
			return err;
		gofer_put_walked(e, &w);
		(*count)++;
		*last = node_of(s, w.node);
	}
	return *count ? 0 : -ENOTDIR;
}

/* Where a walk has ended may be opened right away. Why it cannot be is for OPEN to say. */
static void open_end(struct server *s, const struct node *n, int *out_fd)
{
	int fd = S_ISREG(n->mode) ? node_open(s, n, O_RDONLY, NULL, NULL) : -1;

	if (fd >= 0)
		*out_fd = fd;
}

int op_walk(struct server *s, const struct gofer_walk_req *q, struct gofer_walk_rep *p,
	    int *out_fd)
{
	struct gofer_dec names = { q->names.p, q->names.p + q->names.len, false };
	struct gofer_enc e = { s->scratch, s->scratch + sizeof(s->scratch), false };
	struct node *at = node_of(s, q->dir);

	if (!at)
		return -EBADF;
	if (q->count == 0 || q->count > GOFER_WALK_MAX)
		return -EPROTO;
	p->stop = walk_names(s, &at, &names, q->count, &e, &p->count);
	if (q->open && p->count == q->count)
		open_end(s, at, out_fd);
	p->entries = (struct gofer_bytes){ s->scratch, (uint32_t)(e.p - s->scratch) };
	return 0;
}

/* Is c.name in at still c.node? Its attributes go into e. NULL: no. */
static struct node *check_name(struct server *s, const struct node *at,
			       const struct gofer_check *c, struct gofer_enc *e)
{
	struct node *n = node_of(s, c->node);
	struct gofer_attr a;

	if (!n || name_attr(at->fd, c->name.p, &a) || a.dev != n->dev || a.ino != n->ino ||
	    (a.mode & S_IFMT) != n->mode)
		return NULL;
	gofer_put_attr(e, &a);
	return n;
}

int op_revalidate(struct server *s, const struct gofer_revalidate_req *q,
		  struct gofer_revalidate_rep *p, int *out_fd)
{
	struct gofer_dec checks = { q->checks.p, q->checks.p + q->checks.len, false };
	struct gofer_enc e = { s->scratch, s->scratch + sizeof(s->scratch), false };
	struct node *at = node_of(s, q->dir), *next;

	if (!at)
		return -EBADF;
	if (q->count == 0 || q->count > GOFER_WALK_MAX || q->nnames > GOFER_WALK_MAX)
		return -EPROTO;
	while (p->count < q->count && S_ISDIR(at->mode) && !at->opaque) {
		struct gofer_check c;

		gofer_get_check(&checks, &c);
		if (checks.bad || !name_ok(c.name))
			return -EPROTO;
		next = check_name(s, at, &c, &e);
		if (!next)
			break;
		p->count++;
		at = next;
	}
	if (p->count == q->count && q->nnames)
		p->stop = walk_names(s, &at, &checks, q->nnames, &e, &p->nwalked);
	if (q->open && p->count == q->count && p->nwalked == q->nnames)
		open_end(s, at, out_fd);
	p->attrs = (struct gofer_bytes){ s->scratch, (uint32_t)(e.p - s->scratch) };
	return 0;
}

int op_stat(struct server *s, const struct gofer_stat_req *q, struct gofer_stat_rep *p,
	    int *out_fd)
{
	struct node *n = node_of(s, q->node);

	(void)out_fd;
	return n ? fd_attr(n->fd, &p->attr) : -EBADF;
}

int op_open(struct server *s, const struct gofer_open_req *q, struct gofer_open_rep *p,
	    int *out_fd)
{
	static const int flags[] = { O_RDONLY, O_WRONLY, O_RDWR };
	struct node *n = node_of(s, q->node), *dir = NULL;
	int fd;

	if (!n)
		return -EBADF;
	if (q->access > GOFER_OPEN_RDWR)
		return -EPROTO;
	if (q->access != GOFER_OPEN_READ && node_readonly(s, n))
		return -EROFS;
	if (S_ISDIR(n->mode))
		return -EISDIR; /* a directory's descriptor would open what lies below */
	if (q->dir) {
		dir = node_of(s, q->dir);
		if (!dir)
			return -EBADF;
		/* The other export may be one that is written to. */
		if (!S_ISDIR(dir->mode) || !name_ok(q->name) || dir->export != n->export)
			return -EPROTO;
	}
	fd = node_open(s, n, flags[q->access], dir, q->name.p);
	if (fd < 0)
		return fd;
	*out_fd = fd;
	return fd_attr(fd, &p->attr);
}

int op_opens(struct server *s, const struct gofer_opens_req *q, struct gofer_opens_rep *p,
	     int *out_fd)
{
	struct gofer_dec d = { q->nodes.p, q->nodes.p + q->nodes.len, false };

	if (q->count == 0 || q->count > GOFER_OPENS_MAX)
		return -EPROTO;
	for (uint32_t i = 0; i < q->count; i++) {
		struct node *n;
		uint32_t id;
		int fd;

		gofer_get_u32(&d, &id);
		if (d.bad)
			return -EPROTO;
		n = node_of(s, id);
		fd = !n ? -EBADF : S_ISREG(n->mode) ? node_open(s, n, O_RDONLY, NULL, NULL) : -EISDIR;
		if (i == 0 && fd >= 0) {
			*out_fd = fd;
			fd = fd_attr(fd, &p->attr);
		} else if (fd >= 0) {
			s->more_fds[s->nmore++] = fd;
		}
		if (i == 0 && fd < 0)
			return fd;
		if (fd >= 0)
			p->opened |= 1u << i;
	}
	return 0;
}

int op_reopen(struct server *s, const struct gofer_reopen_req *q, struct gofer_reopen_rep *p,
	      int *out_fd)
{
	int fd;

	(void)q;
	(void)p;
	/* Nothing else than memory: a file is a node, and a pipe's other end nobody's. */
	if (s->rx_fd < 0 || !chan_is_memory(s, s->rx_fd))
		return -EPROTO;
	fd = reopen_fd(s, s->rx_fd, O_RDONLY);
	if (fd < 0)
		return fd;
	*out_fd = fd;
	return 0;
}

int op_readlink(struct server *s, const struct gofer_readlink_req *q,
		struct gofer_readlink_rep *p, int *out_fd)
{
	struct node *n = node_of(s, q->node);
	char *buf = (char *)s->scratch;
	ssize_t len;

	(void)out_fd;
	if (!n)
		return -EBADF;
	if (!S_ISLNK(n->mode))
		return -EINVAL;
	len = readlinkat(n->fd, "", buf, GOFER_PATH_MAX);
	if (len < 0)
		return -errno;
	if ((size_t)len >= GOFER_PATH_MAX)
		return -ENAMETOOLONG;
	buf[len] = '\0';
	p->target = (struct gofer_str){ buf, (uint32_t)len };
	return 0;
}

int op_statfs(struct server *s, const struct gofer_statfs_req *q, struct gofer_statfs_rep *p,
	      int *out_fd)
{
	struct node *n = node_of(s, q->node);
	struct statfs f;

	(void)out_fd;
	if (!n)
		return -EBADF;
	if (fstatfs(n->fd, &f) < 0)
		return -errno;
	*p = (struct gofer_statfs_rep){
		.type = (uint32_t)f.f_type,
		.bsize = (uint64_t)f.f_bsize,
		.frsize = (uint64_t)f.f_frsize,
		.blocks = f.f_blocks,
		.bfree = f.f_bfree,
		.bavail = f.f_bavail,
		.files = f.f_files,
		.ffree = f.f_ffree,
		.namelen = (uint32_t)f.f_namelen,
		.flags = (uint32_t)f.f_flags,
	};
	return 0;
}

int op_fsync(struct server *s, const struct gofer_fsync_req *q, struct gofer_fsync_rep *p,
	     int *out_fd)
{
	struct node *n = node_of(s, q->node);
	int fd, err;

	(void)out_fd;
	(void)p;
	if (!n)
		return -EBADF;
	fd = node_open(s, n, O_RDONLY, NULL, NULL);
	if (fd < 0)
		return fd;
	if (q->flags & GOFER_FSYNC_FS)
		err = syncfs(fd);
	else if (q->flags & GOFER_FSYNC_DATA)
		err = fdatasync(fd);
	else
		err = fsync(fd);
	err = err < 0 ? -errno : 0;
	close(fd);
	return err;
}

int op_forget(struct server *s, const struct gofer_forget_req *q, struct gofer_forget_rep *p,
	      int *out_fd)
{
	struct gofer_dec d = { q->nodes.p, q->nodes.p + q->nodes.len, false };

	(void)out_fd;
	(void)p;
	if (q->count > GOFER_FORGET_MAX)
		return -EPROTO;
	for (uint32_t i = 0; i < q->count && !d.bad; i++) {
		uint32_t id;

		gofer_get_u32(&d, &id);
		node_forget(s, id); /* unknown ones are passed over */
	}
	return 0;
}
