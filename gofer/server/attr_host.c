/* Changing attributes; extended attributes. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "gofer/server/server_impl.h"

/* Linux 6.13, and so not in every header. */
#ifndef SYS_setxattrat
#define SYS_setxattrat 463
#define SYS_getxattrat 464
#define SYS_listxattrat 465
#define SYS_removexattrat 466
#endif

/* ---- setattr ---- */

static int set_size(struct server *s, const struct node *n, uint64_t size)
{
	int fd, err;

	if (S_ISDIR(n->mode))
		return -EISDIR;
	if (!S_ISREG(n->mode) || size > INT64_MAX)
		return -EINVAL;
	fd = node_open(s, n, O_WRONLY, NULL, NULL);
	if (fd < 0)
		return fd;
	err = ftruncate(fd, (off_t)size) < 0 ? -errno : 0;
	close(fd);
	return err;
}

static int set_times(const struct node *n, const struct gofer_setattr_req *q)
{
	struct timespec ts[2] = { { 0, UTIME_OMIT }, { 0, UTIME_OMIT } };

	if (q->atime_ns >= 1000000000 || q->mtime_ns >= 1000000000)
		return -EINVAL;
	if (q->valid & GOFER_SET_ATIME)
		ts[0] = (struct timespec){ q->atime, q->atime_ns };
	if (q->valid & GOFER_SET_MTIME)
		ts[1] = (struct timespec){ q->mtime, q->mtime_ns };
	return utimensat(n->fd, "", ts, AT_EMPTY_PATH) < 0 ? -errno : 0;
}

int op_setattr(struct server *s, const struct gofer_setattr_req *q,
	       struct gofer_setattr_rep *p, int *out_fd)
{
	struct node *n = node_of(s, q->node);
	int err = 0;

	(void)out_fd;
	if (!n)
		return -EBADF;
	if (q->valid & ~GOFER_SET_ALL)
		return -EPROTO;
	if (node_readonly(s, n))
		return -EROFS;
	if (n->opaque)
		return -EACCES;
	if (q->valid & GOFER_SET_SIZE)
		err = set_size(s, n, q->size);
	if (!err && (q->valid & (GOFER_SET_UID | GOFER_SET_GID))) {
		uid_t uid = q->valid & GOFER_SET_UID ? q->uid : (uid_t)-1;
		gid_t gid = q->valid & GOFER_SET_GID ? q->gid : (gid_t)-1;

		/* EINVAL: an id that our user namespace does not have. */
		if (fchownat(n->fd, "", uid, gid, AT_EMPTY_PATH) < 0)
			err = errno == EINVAL ? -EPERM : -errno;
	}
	if (!err && (q->valid & GOFER_SET_MODE))
		err = node_chmod(s, n, q->mode & 07777);
	if (!err && (q->valid & (GOFER_SET_ATIME | GOFER_SET_MTIME)))
		err = set_times(n, q);
	return err ? err : fd_attr(n->fd, &p->attr);
}

/* ---- extended attributes ---- */

/* Only what a guest may know of: not the host's security labels. */
static bool xattr_name_ok(const char *name)
{
	return !strncmp(name, "user.", 5) || !strncmp(name, "trusted.", 8) ||
	       !strcmp(name, "security.capability") ||
	       !strcmp(name, "system.posix_acl_access") ||
	       !strcmp(name, "system.posix_acl_default");
}

static int xattr_node(struct server *s, uint32_t id, const struct gofer_str *name, bool change,
		      struct node **out)
{
	struct node *n = node_of(s, id);

	if (!n)
		return -EBADF;
	if (name && (name->len == 0 || name->len > GOFER_NAME_MAX))
		return -ERANGE;
	if (n->opaque || (name && !xattr_name_ok(name->p)))
		return -EOPNOTSUPP;
	if (change && node_readonly(s, n))
		return -EROFS;
	*out = n;
	return 0;
}

struct xattr_at {
	uint64_t value;
	uint32_t size, flags;
};

enum xattr_what { XATTR_SET, XATTR_GET, XATTR_LIST, XATTR_REMOVE };
struct xattr_call {
	enum xattr_what what;
	const char *name;
	void *buf;
	size_t size;
	uint32_t flags;
};

/* By our own /proc/self/fd, whose links lead to files of any kind, also deleted ones.
 * -ENOSYS: the host cannot. */
static long xattr_by_link(struct server *s, const struct node *n, const struct xattr_call *c)
{
	struct xattr_at a = { (uintptr_t)c->buf, (uint32_t)c->size, c->flags };
	char link[16];
	long r = -1;

	if (s->fds_dir < 0 || s->no_xattrat)
		return -ENOSYS;
	snprintf(link, sizeof(link), "%d", n->fd);
	switch (c->what) {
	case XATTR_SET:
		r = syscall(SYS_setxattrat, s->fds_dir, link, 0, c->name, &a, sizeof(a));
		break;
	case XATTR_GET:
		r = syscall(SYS_getxattrat, s->fds_dir, link, 0, c->name, &a, sizeof(a));
		break;
	case XATTR_LIST:
		r = syscall(SYS_listxattrat, s->fds_dir, link, 0, c->buf, c->size);
		break;
	case XATTR_REMOVE:
		r = syscall(SYS_removexattrat, s->fds_dir, link, 0, c->name);
		break;
	}
	if (r < 0 && errno == ENOSYS)
		s->no_xattrat = true;
	return r < 0 ? -errno : r;
}

/* An open descriptor, which only regular files and directories can have; others have no
 * attributes then. */
static long xattr_by_fd(struct server *s, const struct node *n, const struct xattr_call *c)
{
	int fd = node_open(s, n, O_RDONLY, NULL, NULL);
	long r = -1;

	if (fd < 0)
		return fd == -ENXIO ? -EOPNOTSUPP : fd;
	switch (c->what) {
	case XATTR_SET:
		r = fsetxattr(fd, c->name, c->buf, c->size, (int)c->flags);
		break;
	case XATTR_GET:
		r = fgetxattr(fd, c->name, c->buf, c->size);
		break;
	case XATTR_LIST:
		r = flistxattr(fd, c->buf, c->size);
		break;
	case XATTR_REMOVE:
		r = fremovexattr(fd, c->name);
		break;
	}
	r = r < 0 ? -errno : r;
	close(fd);
	return r;
}

static long xattr_call(struct server *s, const struct node *n, const struct xattr_call *c)
{
	long r = xattr_by_link(s, n, c);

	return r == -ENOSYS ? xattr_by_fd(s, n, c) : r;
}

/* ---- inode flags ---- */

int op_getflags(struct server *s, const struct gofer_getflags_req *q,
		struct gofer_getflags_rep *p, int *out_fd)
{
	struct node *n = node_of(s, q->node);
	int fd, flags = 0, err = 0;

	(void)out_fd;
	if (!n)
		return -EBADF;
	fd = n->opaque ? -ENOTTY : node_open(s, n, O_RDONLY, NULL, NULL);
	if (fd < 0)
		return fd == -ENXIO ? -ENOTTY : fd;
	if (ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0)
		err = -errno;
	close(fd);
	p->flags = (uint32_t)flags;
	return err;
}

int op_setflags(struct server *s, const struct gofer_setflags_req *q,
		struct gofer_setflags_rep *p, int *out_fd)
{
	struct node *n = node_of(s, q->node);
	int fd, flags = (int)q->flags, old = 0, err = 0;
	uint32_t change;

	(void)out_fd;
	(void)p;
	if (!n)
		return -EBADF;
	if (node_readonly(s, n))
		return -EROFS;
	fd = n->opaque ? -ENOTTY : node_open(s, n, O_RDONLY, NULL, NULL);
	if (fd < 0)
		return fd == -ENXIO ? -ENOTTY : fd;
	if (ioctl(fd, FS_IOC_GETFLAGS, &old) < 0)
		err = -errno;
	change = q->flags ^ (uint32_t)old;
	if (!err && (change & (FS_IMMUTABLE_FL | FS_APPEND_FL)))
		err = -EPERM;
	else if (!err && (change & ~GOFER_FLAGS_SETTABLE))
		err = -EOPNOTSUPP;
	else if (!err && change && ioctl(fd, FS_IOC_SETFLAGS, &flags) < 0)
		err = -errno;
	close(fd);
	return err;
}

/* ---- ACLs ---- */

bool fd_has_no_acl(struct server *s, int fd)
{
	const struct node n = { .fd = fd };
	char list[512];
	struct xattr_call c = { XATTR_LIST, NULL, list, sizeof(list), 0 };
	long r = xattr_by_link(s, &n, &c);

	if (r < 0)
		return r == -EOPNOTSUPP;
	return !memmem(list, (size_t)r, "system.posix_acl_", 17);
}

int op_getxattr(struct server *s, const struct gofer_getxattr_req *q,
		struct gofer_getxattr_rep *p, int *out_fd)
{
	struct xattr_call get = { XATTR_GET, q->name.p, s->scratch, GOFER_XATTR_MAX, 0 };
	struct xattr_call list = { .what = XATTR_LIST };
	struct node *n;
	long r;
	int err;

	(void)out_fd;
	err = xattr_node(s, q->node, &q->name, false, &n);
	if (err)
		return err;
	if (q->name.p[0] == 's' && q->name.p[1] == 'y')
		s->acl_asked = true;
	r = xattr_call(s, n, &get);
	if (r == -EOPNOTSUPP && !S_ISREG(n->mode) && !S_ISDIR(n->mode)) {
		p->missing = p->none = 1;
		return 0;
	}
	if (r == -ENODATA) {
		p->missing = 1;
		p->none = xattr_call(s, n, &list) == 0;
		return 0;
	}
	if (r < 0)
		return (int)r;
	p->value = (struct gofer_bytes){ s->scratch, (uint32_t)r };
	return 0;
}

int op_setxattr(struct server *s, const struct gofer_setxattr_req *q,
		struct gofer_setxattr_rep *p, int *out_fd)
{
	struct xattr_call c = { XATTR_SET, q->name.p, s->scratch, q->value.len, q->flags };
	struct node *n;
	int err;

	(void)out_fd;
	(void)p;
	err = xattr_node(s, q->node, &q->name, true, &n);
	if (err)
		return err;
	if (q->value.len > GOFER_XATTR_MAX)
		return -E2BIG;
	memcpy(s->scratch, q->value.p, q->value.len);
	return (int)xattr_call(s, n, &c);
}

int op_listxattr(struct server *s, const struct gofer_listxattr_req *q,
		 struct gofer_listxattr_rep *p, int *out_fd)
{
	struct xattr_call c = { XATTR_LIST, NULL, s->scratch, GOFER_XATTR_MAX, 0 };
	char *list = (char *)s->scratch;
	size_t kept = 0;
	struct node *n;
	long r;
	int err;

	(void)out_fd;
	err = xattr_node(s, q->node, NULL, false, &n);
	if (err)
		return err;
	r = xattr_call(s, n, &c);
	if (r < 0)
		return (int)r;
	for (size_t i = 0; i < (size_t)r;) {
		size_t len = strnlen(list + i, (size_t)r - i) + 1;

		if (i + len <= (size_t)r && xattr_name_ok(list + i)) {
			memmove(list + kept, list + i, len);
			kept += len;
		}
		i += len;
	}
	p->names = (struct gofer_bytes){ s->scratch, (uint32_t)kept };
	return 0;
}

int op_removexattr(struct server *s, const struct gofer_removexattr_req *q,
		   struct gofer_removexattr_rep *p, int *out_fd)
{
	struct xattr_call c = { .what = XATTR_REMOVE, .name = q->name.p };
	struct node *n;
	int err;

	(void)out_fd;
	(void)p;
	err = xattr_node(s, q->node, &q->name, true, &n);
	return err ? err : (int)xattr_call(s, n, &c);
}
