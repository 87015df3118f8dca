/* Changing attributes; extended attributes. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "gofer/server/server_impl.h"

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

/* Only what a guest may know of: not the host's security labels and ACLs. */
static bool xattr_name_ok(const char *name)
{
	return !strncmp(name, "user.", 5) || !strncmp(name, "trusted.", 8) ||
	       !strcmp(name, "security.capability");
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

/* xattr calls want an open descriptor, which only regular files and directories can have
 * (the *xattrat calls refuse O_PATH descriptors as well). Others have no attributes that a
 * guest could set. */
static int xattr_fd(struct server *s, const struct node *n)
{
	int fd = node_open(s, n, O_RDONLY, NULL, NULL);

	return fd == -ENXIO ? -EOPNOTSUPP : fd;
}

int op_getxattr(struct server *s, const struct gofer_getxattr_req *q,
		struct gofer_getxattr_rep *p, int *out_fd)
{
	struct node *n;
	ssize_t r;
	int err, fd;

	(void)out_fd;
	err = xattr_node(s, q->node, &q->name, false, &n);
	if (err)
		return err;
	fd = xattr_fd(s, n);
	if (fd == -EOPNOTSUPP) {
		p->missing = p->none = 1;
		return 0;
	}
	if (fd < 0)
		return fd;
	r = fgetxattr(fd, q->name.p, s->scratch, GOFER_XATTR_MAX);
	err = r < 0 ? -errno : 0;
	if (err == -ENODATA) {
		p->missing = 1;
		p->none = flistxattr(fd, NULL, 0) == 0;
	}
	close(fd);
	if (err)
		return err == -ENODATA ? 0 : err;
	p->value = (struct gofer_bytes){ s->scratch, (uint32_t)r };
	return 0;
}

int op_setxattr(struct server *s, const struct gofer_setxattr_req *q,
		struct gofer_setxattr_rep *p, int *out_fd)
{
	struct node *n;
	int err, fd;

	(void)out_fd;
	(void)p;
	err = xattr_node(s, q->node, &q->name, true, &n);
	if (err)
		return err;
	if (q->value.len > GOFER_XATTR_MAX)
		return -E2BIG;
	fd = xattr_fd(s, n);
	if (fd < 0)
		return fd;
	err = fsetxattr(fd, q->name.p, q->value.p, q->value.len, (int)q->flags) < 0 ? -errno : 0;
	close(fd);
	return err;
}

int op_listxattr(struct server *s, const struct gofer_listxattr_req *q,
		 struct gofer_listxattr_rep *p, int *out_fd)
{
	char *list = (char *)s->scratch;
	size_t kept = 0;
	struct node *n;
	ssize_t r;
	int err, fd;

	(void)out_fd;
	err = xattr_node(s, q->node, NULL, false, &n);
	if (err)
		return err;
	fd = xattr_fd(s, n);
	if (fd < 0)
		return fd;
	r = flistxattr(fd, list, GOFER_XATTR_MAX);
	err = r < 0 ? -errno : 0;
	close(fd);
	if (err)
		return err;
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
	struct node *n;
	int err, fd;

	(void)out_fd;
	(void)p;
	err = xattr_node(s, q->node, &q->name, true, &n);
	if (err)
		return err;
	fd = xattr_fd(s, n);
	if (fd < 0)
		return fd;
	err = fremovexattr(fd, q->name.p) < 0 ? -errno : 0;
	close(fd);
	return err;
}
