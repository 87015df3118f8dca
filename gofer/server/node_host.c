/* Nodes: the table of files the client knows, and how a file is reached again.
 *
 * A node's O_PATH descriptor is turned into one for I/O through fds_dir. There is no other
 * part of /proc in the gofer's root, and on some hosts not even that one: a node therefore
 * keeps its last name as well. Then directories are opened as "." of themselves, regular
 * files by name from their directory, and what was opened is used only if it is the very
 * file (st_dev, st_ino) of the node. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "gofer/server/server_impl.h"

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

#define NODE_IDX_MASK ((1u << NODE_IDX_BITS) - 1)
#define NODE_GEN_MASK ((1u << (32 - NODE_IDX_BITS)) - 1)
_Static_assert(NODE_MAX <= NODE_IDX_MASK, "an index must fit into an id");

/* ---- the host's calls ---- */

int open_resolved(int dirfd, const char *name, int flags, mode_t mode, uint64_t resolve)
{
	struct open_how how = {
		.flags = (uint64_t)(unsigned)(flags | O_NOFOLLOW | O_CLOEXEC),
		.mode = mode,
		.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_BENEATH | resolve,
	};

	/* RESOLVE_BENEATH gives EAGAIN when something is renamed meanwhile. */
	for (int tries = 0; tries < 16; tries++) {
		long fd = syscall(SYS_openat2, dirfd, name, &how, sizeof(how));

		if (fd >= 0)
			return (int)fd;
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
	}
	return -EBUSY;
}

int open_one(int dirfd, const char *name, int flags, mode_t mode)
{
	return open_resolved(dirfd, name, flags, mode, 0);
}

int reopen_fd(const struct server *s, int fd, int flags)
{
	struct open_how how = {
		.flags = (uint64_t)(unsigned)(flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY),
	};
	char name[16];
	long r;

	if (s->fds_dir < 0)
		return -ENOSYS;
	snprintf(name, sizeof(name), "%d", fd);
	do
		r = syscall(SYS_openat2, s->fds_dir, name, &how, sizeof(how));
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : (int)r;
}

static void attr_of(const struct statx *x, struct gofer_attr *a)
{
	*a = (struct gofer_attr){
		.dev = makedev(x->stx_dev_major, x->stx_dev_minor),
		.ino = x->stx_ino,
		.rdev = makedev(x->stx_rdev_major, x->stx_rdev_minor),
		.size = x->stx_size,
		.blocks = x->stx_blocks,
		.mode = x->stx_mode | (uint32_t)(x->stx_attributes & GOFER_ATTR_STATX_MASK)
					      << GOFER_ATTR_STATX_SHIFT,
		.nlink = x->stx_nlink,
		.uid = x->stx_uid,
		.gid = x->stx_gid,
		.atime = x->stx_atime.tv_sec,
		.mtime = x->stx_mtime.tv_sec,
		.ctime = x->stx_ctime.tv_sec,
		.btime = x->stx_btime.tv_sec,
		.atime_ns = x->stx_atime.tv_nsec,
		.mtime_ns = x->stx_mtime.tv_nsec,
		.ctime_ns = x->stx_ctime.tv_nsec,
		.btime_ns = x->stx_btime.tv_nsec,
	};
}

int fd_attr(int fd, struct gofer_attr *out)
{
	struct statx x;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, &x) < 0)
		return -errno;
	attr_of(&x, out);
	return 0;
}

int name_attr(int dirfd, const char *name, struct gofer_attr *out)
{
	struct statx x;

	if (statx(dirfd, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT,
		  STATX_BASIC_STATS | STATX_BTIME, &x) < 0)
		return -errno;
	attr_of(&x, out);
	return 0;
}

bool name_ok(struct gofer_str name)
{
	if (name.len == 0 || name.len > GOFER_NAME_MAX || memchr(name.p, '/', name.len))
		return false;
	return strcmp(name.p, ".") != 0 && strcmp(name.p, "..") != 0;
}

/* File systems whose files are the host kernel's own: reading one may wait for ever or
 * tell about the host. They are shown as empty. */
static bool fs_is_opaque(int fd)
{
	struct statfs f;

	if (fstatfs(fd, &f) < 0)
		return true;
	switch ((uint32_t)f.f_type) {
	case 0x9fa0:	 /* proc */
	case 0x64626720: /* debugfs */
	case 0x74726163: /* tracefs */
	case 0x73636673: /* securityfs */
	case 0xcafe4a11: /* bpf */
	case 0x6165676c: /* pstore */
	case 0x42494e4d: /* binfmt_misc */
		return true;
	default:
		return false;
	}
}

/* ---- the table ---- */

int server_init_nodes(struct server *s, uint32_t cap)
{
	/* Touched only as far as it is used. */
	s->nodes = calloc(cap, sizeof(*s->nodes));
	if (!s->nodes)
		return -ENOMEM;
	s->cap = cap;
	s->high = 1;
	s->free_head = 0;
	s->dir_fd = -1;
	return 0;
}

static uint32_t index_of(const struct server *s, const struct node *n)
{
	return (uint32_t)(n - s->nodes);
}

uint32_t node_id(const struct server *s, const struct node *n)
{
	return (uint32_t)n->gen << NODE_IDX_BITS | index_of(s, n);
}

struct node *node_of(struct server *s, uint32_t id)
{
	uint32_t idx = id & NODE_IDX_MASK;
	struct node *n;

	if (idx == 0 || idx >= s->high)
		return NULL;
	n = &s->nodes[idx];
	return n->refs && n->known && n->gen == id >> NODE_IDX_BITS ? n : NULL;
}

static int set_name(struct node *n, const char *name)
{
	size_t len = strlen(name);
	char *copy = n->inl;

	if (len >= sizeof(n->inl)) {
		copy = malloc(len + 1);
		if (!copy)
			return -ENOMEM;
	}
	if (n->name != n->inl)
		free(n->name);
	memcpy(copy, name, len + 1);
	n->name = copy;
	return 0;
}

static struct node *slot_take(struct server *s)
{
	struct node *n;

	if (s->free_head) {
		n = &s->nodes[s->free_head];
		s->free_head = n->parent;
		return n;
	}
	if (s->high == s->cap)
		return NULL;
	return &s->nodes[s->high++];
}

static void node_unref(struct server *s, struct node *n)
{
	while (--n->refs == 0) {
		uint32_t parent = n->parent;

		close(n->fd);
		n->fd = -1;
		if (n->name != n->inl)
			free(n->name);
		n->name = NULL;
		n->gen = (n->gen + 1) & NODE_GEN_MASK;
		n->parent = s->free_head;
		s->free_head = index_of(s, n);
		if (!parent)
			return;
		n = &s->nodes[parent];
	}
}

int node_add(struct server *s, unsigned export, struct node *parent, const char *name, int fd,
	     const struct gofer_attr *a, uint32_t *out_id)
{
	struct node *n = slot_take(s);

	if (!n) {
		close(fd);
		return -ENFILE;
	}
	n->fd = fd;
	n->refs = 1;
	n->known = true;
	n->parent = 0;
	n->name = n->inl;
	n->export = (uint16_t)export;
	n->mode = a->mode & S_IFMT;
	n->dev = a->dev;
	n->ino = a->ino;
	if (parent && parent->dev == a->dev)
		n->opaque = parent->opaque;
	else
		n->opaque = fs_is_opaque(fd);
	if (set_name(n, name)) {
		n->inl[0] = '\0';
		node_unref(s, n);
		return -ENOMEM;
	}
	if (parent) {
		parent->refs++;
		n->parent = index_of(s, parent);
	}
	*out_id = node_id(s, n);
	return 0;
}

void node_forget(struct server *s, uint32_t id)
{
	struct node *n = node_of(s, id);

	if (!n)
		return;
	if (s->dir_fd >= 0 && s->dir_id == id) {
		close(s->dir_fd);
		s->dir_fd = -1;
	}
	n->known = false;
	node_unref(s, n);
}

void node_set_name(struct server *s, struct node *n, struct node *dir, const char *name)
{
	uint32_t old = n->parent;

	if (!old && n->name[0])
		return; /* an export's root is found by the export */
	if (n == dir || set_name(n, name))
		return;
	dir->refs++;
	n->parent = index_of(s, dir);
	if (old)
		node_unref(s, &s->nodes[old]);
}

bool node_where(struct server *s, const struct node *n, int *dirfd, const char **name)
{
	if (n->parent) {
		*dirfd = s->nodes[n->parent].fd;
		*name = n->name;
		return true;
	}
	if (!n->name[0])
		return false; /* made by O_TMPFILE, no name yet */
	*dirfd = s->exports[n->export].dirfd;
	*name = s->exports[n->export].name;
	return *dirfd >= 0;
}

/* ---- opening ---- */

/* Is fd the file of node n, and of a kind that may be opened? */
static int check_opened(const struct node *n, int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_dev != n->dev || st.st_ino != n->ino)
		return -ESTALE;
	return 0;
}

static int open_checked(const struct node *n, int dirfd, const char *name, int flags)
{
	/* O_NONBLOCK: should the name have become a FIFO, or the file have a lease. */
	int fd = open_one(dirfd, name, flags | O_NONBLOCK | O_NOCTTY, 0);
	int err;

	if (fd < 0)
		return fd;
	err = check_opened(n, fd);
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}

int node_open(struct server *s, const struct node *n, int flags, const struct node *hint_dir,
	      const char *hint_name)
{
	const char *name;
	int dirfd, fd;

	if (n->opaque)
		return -EACCES;
	if (S_ISDIR(n->mode))
		return open_one(n->fd, ".", flags | O_DIRECTORY | O_NONBLOCK, 0);
	if (!S_ISREG(n->mode))
		return -ENXIO;
	fd = reopen_fd(s, n->fd, flags);
	if (fd != -ENOSYS)
		return fd;
	if (hint_dir) {
		fd = open_checked(n, hint_dir->fd, hint_name, flags);
		if (fd >= 0 || (fd != -ESTALE && fd != -ENOENT && fd != -ELOOP && fd != -EISDIR &&
				fd != -ENXIO))
			return fd;
	}
	if (!node_where(s, n, &dirfd, &name))
		return -ESTALE;
	fd = open_checked(n, dirfd, name, flags);
	switch (fd) {
	case -ENOENT:
	case -ELOOP:
	case -ENOTDIR:
	case -EISDIR:
	case -ENXIO:
		return -ESTALE; /* the name is another file's now */
	default:
		return fd;
	}
}

/* -ENOSYS: the host cannot (before Linux 6.6). */
static int path_fd_chmod(int fd, uint32_t mode)
{
	return syscall(SYS_fchmodat2, fd, "", mode, AT_EMPTY_PATH) < 0 ? -errno : 0;
}

int node_chmod(struct server *s, const struct node *n, uint32_t mode)
{
	struct gofer_attr a;
	const char *name;
	int err, fd, dirfd;

	if (S_ISLNK(n->mode))
		return -EOPNOTSUPP;
	err = path_fd_chmod(n->fd, mode);
	if (err != -ENOSYS)
		return err;
	/* Linux before 6.6: an open descriptor, or at last the name itself. */
	fd = node_open(s, n, O_RDONLY, NULL, NULL);
	if (fd >= 0) {
		err = fchmod(fd, mode) < 0 ? -errno : 0;
		close(fd);
		return err;
	}
	if (!node_where(s, n, &dirfd, &name))
		return -ESTALE;
	err = name_attr(dirfd, name, &a);
	if (err)
		return err;
	if (a.dev != n->dev || a.ino != n->ino)
		return -ESTALE;
	/* Follows a symlink put there since the check; our root ends at the exports. */
	return fchmodat(dirfd, name, mode, 0) < 0 ? -errno : 0;
}

/* ---- exports ---- */

static int open_export(struct export_root *r, const struct gofer_export *e)
{
	struct gofer_attr a;
	const char *base;
	char *dir;
	int err;

	r->fd = r->dirfd = -1;
	r->readonly = e->readonly;
	r->filestore = e->filestore;
	r->fd = open(e->path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (r->fd < 0)
		return -errno;
	err = fd_attr(r->fd, &a);
	if (err)
		return err;
	base = strrchr(e->path, '/');
	r->name = strdup(base && base[1] ? base + 1 : ".");
	if (!r->name)
		return -ENOMEM;
	if (!S_ISREG(a.mode))
		return 0;
	/* A single file: its directory is needed to open it. */
	dir = base ? strndup(e->path, (size_t)(base - e->path) + 1) : strdup(".");
	if (!dir)
		return -ENOMEM;
	r->dirfd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	err = r->dirfd < 0 ? -errno : 0;
	free(dir);
	return err;
}

int server_init_exports(struct server *s, const struct gofer_export *exports, unsigned n)
{
	if (n == 0 || n > UINT16_MAX)
		return -EINVAL;
	s->exports = calloc(n, sizeof(*s->exports));
	if (!s->exports)
		return -ENOMEM;
	for (unsigned i = 0; i < n; i++) {
		int err;

		s->nexports = i + 1;
		err = open_export(&s->exports[i], &exports[i]);
		if (err)
			return err;
	}
	return 0;
}

void server_fini(struct server *s)
{
	chan_fini(s);
	for (uint32_t i = 1; i < s->high; i++)
		if (s->nodes[i].refs) {
			close(s->nodes[i].fd);
			if (s->nodes[i].name != s->nodes[i].inl)
				free(s->nodes[i].name);
		}
	for (unsigned i = 0; i < s->nexports; i++) {
		if (s->exports[i].fd >= 0)
			close(s->exports[i].fd);
		if (s->exports[i].dirfd >= 0)
			close(s->exports[i].dirfd);
		free(s->exports[i].name);
	}
	if (s->dir_fd >= 0)
		close(s->dir_fd);
	free(s->nodes);
	free(s->exports);
}
