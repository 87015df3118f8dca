/* Making, linking, renaming and removing names. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "gofer/server/server_impl.h"

/* The directory of a change: *out, or why not. */
static int writable_dir(struct server *s, uint32_t id, struct node **out)
{
	struct node *n = node_of(s, id);

	if (!n)
		return -EBADF;
	if (!S_ISDIR(n->mode))
		return -ENOTDIR;
	if (node_readonly(s, n))
		return -EROFS;
	if (n->opaque)
		return -EACCES;
	*out = n;
	return 0;
}

/* Where a file without a name may be made. */
static int tmpfile_dir(struct server *s, uint32_t id, struct node **out)
{
	struct node *n = node_of(s, id);

	if (!n || n->parent || !s->exports[n->export].filestore)
		return writable_dir(s, id, out);
	*out = n;
	return S_ISDIR(n->mode) ? 0 : -ENOTDIR;
}

static int check_name(struct gofer_str name)
{
	if (name.len > GOFER_NAME_MAX)
		return -ENAMETOOLONG;
	return name_ok(name) ? 0 : -EPROTO;
}

/* What a new object is to become. */
struct want {
	uint32_t mode, uid, gid;
};

/* The host makes the object with this umask. */
static void use_umask(struct server *s, uint32_t mask)
{
	if (s->umask == (mask & 0777))
		return;
	s->umask = mask & 0777;
	(void)umask(s->umask);
}

/* chmod of the new object behind the O_PATH descriptor fd. */
static int chmod_new(struct server *s, const struct node *dir, const char *name, int fd,
		     uint32_t mode, const struct gofer_attr *a)
{
	struct node tmp = { .fd = fd, .mode = a->mode & S_IFMT, .dev = a->dev, .ino = a->ino,
			    .export = dir->export, .parent = (uint32_t)(dir - s->nodes) };
	char copy[GOFER_NAME_MAX + 1];

	memcpy(copy, name, strlen(name) + 1);
	tmp.name = copy;
	return node_chmod(s, &tmp, mode);
}

/* Give the new object behind fd (O_PATH or open) its owner and mode; *a has its
 * attributes before and after. real: fd is not O_PATH. What the umask or a default ACL took
 * away stays away. */
static int settle(struct server *s, const struct node *dir, const char *name, int fd, bool real,
		  const struct want *w, struct gofer_attr *a)
{
	uint32_t mode = w->mode & (07000 | a->mode);
	bool changed = false;
	int err;

	if (a->uid != w->uid || a->gid != w->gid) {
		if (fchownat(fd, "", w->uid, w->gid, AT_EMPTY_PATH) < 0)
			return errno == EINVAL ? -EPERM : -errno;
		changed = true;
	}
	/* A change of owner drops set-id bits. */
	if (!S_ISLNK(a->mode) && (changed || (a->mode & 07777) != mode)) {
		if (real)
			err = fchmod(fd, mode) < 0 ? -errno : 0;
		else
			err = chmod_new(s, dir, name, fd, mode, a);
		if (err)
			return err;
		changed = true;
	}
	return changed ? fd_attr(fd, a) : 0;
}

/* The object that mkdir, mknod or symlink just made as name in dir: descriptor and
 * attributes. Somebody on the host may have put another one there meanwhile; it must not
 * be given away: it has to be of the right kind, ours, and without other names. */
static int take_new(struct server *s, const struct node *dir, const char *name, uint32_t type,
		    int *out_fd, struct gofer_attr *a)
{
	int fd = open_one(dir->fd, name, O_PATH, 0), err;

	if (fd < 0)
		return fd;
	err = fd_attr(fd, a);
	if (!err && ((a->mode & S_IFMT) != type || a->uid != s->uid ||
		     (type != S_IFDIR && a->nlink != 1)))
		err = -ESTALE;
	if (err) {
		close(fd);
		return err;
	}
	*out_fd = fd;
	return 0;
}

/* After mkdir, mknod, symlink: settle and enter, or remove it again. */
static int finish_new(struct server *s, struct node *dir, const char *name, uint32_t type,
		      const struct want *w, uint32_t *node, struct gofer_attr *a,
		      struct gofer_attr *dir_attr)
{
	int fd = -1, err;

	err = take_new(s, dir, name, type, &fd, a);
	if (err)
		return err;
	err = settle(s, dir, name, fd, false, w, a);
	if (err)
		close(fd);
	else
		err = node_add(s, dir->export, dir, name, fd, a, node);
	if (err) {
		unlinkat(dir->fd, name, type == S_IFDIR ? AT_REMOVEDIR : 0);
		return err;
	}
	return fd_attr(dir->fd, dir_attr);
}

/* An O_PATH descriptor of the file just created as fd. */
static int path_of_new(const struct node *dir, const char *name, const struct gofer_attr *a)
{
	struct gofer_attr b;
	int pfd = open_one(dir->fd, name, O_PATH, 0), err;

	if (pfd < 0)
		return pfd;
	err = fd_attr(pfd, &b);
	if (!err && (b.dev != a->dev || b.ino != a->ino))
		err = -ESTALE;
	if (err) {
		close(pfd);
		return err;
	}
	return pfd;
}

int op_create(struct server *s, const struct gofer_create_req *q, struct gofer_create_rep *p,
	      int *out_fd)
{
	struct want w = { q->mode & 07777, q->uid, q->gid };
	bool tmp = q->flags & GOFER_CREATE_TMPFILE;
	struct node *dir;
	int err, pfd;

	if (q->flags & ~GOFER_CREATE_TMPFILE)
		err = -EPROTO;
	else
		err = tmp ? tmpfile_dir(s, q->dir, &dir) : writable_dir(s, q->dir, &dir);
	if (!err && !tmp)
		err = check_name(q->name);
	if (err)
		return err;
	use_umask(s, q->umask);
	if (tmp)
		*out_fd = open_one(dir->fd, ".", O_TMPFILE | O_RDWR, w.mode);
	else
		*out_fd = open_one(dir->fd, q->name.p, O_RDWR | O_CREAT | O_EXCL | O_NOCTTY,
				   w.mode);
	if (*out_fd < 0)
		return *out_fd;
	err = fd_attr(*out_fd, &p->attr);
	if (!err)
		err = settle(s, dir, q->name.p, *out_fd, true, &w, &p->attr);
	if (!err) {
		/* Nameless: no second way to it; its node keeps it open for writing. */
		pfd = tmp ? fcntl(*out_fd, F_DUPFD_CLOEXEC, 3)
			  : path_of_new(dir, q->name.p, &p->attr);
		if (pfd < 0)
			err = tmp ? -errno : pfd;
		else
			err = node_add(s, dir->export, tmp ? NULL : dir, tmp ? "" : q->name.p,
				       pfd, &p->attr, &p->node);
	}
	if (err) {
		if (!tmp && err != -ESTALE)
			unlinkat(dir->fd, q->name.p, 0);
		return err;
	}
	return fd_attr(dir->fd, &p->dir);
}

int op_mkdir(struct server *s, const struct gofer_mkdir_req *q, struct gofer_mkdir_rep *p,
	     int *out_fd)
{
	struct want w = { q->mode & 07777, q->uid, q->gid };
	struct node *dir;
	int err;

	(void)out_fd;
	err = writable_dir(s, q->dir, &dir);
	if (!err)
		err = check_name(q->name);
	if (err)
		return err;
	use_umask(s, q->umask);
	if (mkdirat(dir->fd, q->name.p, w.mode) < 0)
		return -errno;
	return finish_new(s, dir, q->name.p, S_IFDIR, &w, &p->node, &p->attr, &p->dir);
}

/* A device node stays behind on the host, with the mode that the guest chose: none that opens
 * a way to anything, but an overlay's whiteout (0:0), null, zero, full, random, urandom, tty
 * and ptmx. */
static bool device_ok(uint32_t type, uint64_t rdev)
{
	static const uint16_t harmless[] = { 0x000, 0x103, 0x105, 0x107, 0x108, 0x109, 0x500, 0x502 };

	for (size_t i = 0; type == S_IFCHR && i < sizeof(harmless) / sizeof(harmless[0]); i++)
		if (rdev == makedev(harmless[i] >> 8, harmless[i] & 0xff))
			return true;
	return false;
}

int op_mknod(struct server *s, const struct gofer_mknod_req *q, struct gofer_mknod_rep *p,
	     int *out_fd)
{
	struct want w = { q->mode & 07777, q->uid, q->gid };
	uint32_t type = q->mode & S_IFMT;
	struct node *dir;
	int err;

	(void)out_fd;
	err = writable_dir(s, q->dir, &dir);
	if (!err)
		err = check_name(q->name);
	if (err)
		return err;
	if (type != S_IFIFO && type != S_IFSOCK && type != S_IFCHR && type != S_IFBLK)
		return -EINVAL;
	if (type != S_IFIFO && type != S_IFSOCK && !device_ok(type, q->rdev))
		return -EPERM;
	use_umask(s, q->umask);
	if (mknodat(dir->fd, q->name.p, type | w.mode, q->rdev) < 0)
		return -errno;
	return finish_new(s, dir, q->name.p, type, &w, &p->node, &p->attr, &p->dir);
}

int op_symlink(struct server *s, const struct gofer_symlink_req *q,
	       struct gofer_symlink_rep *p, int *out_fd)
{
	struct want w = { 0777, q->uid, q->gid };
	struct node *dir;
	int err;

	(void)out_fd;
	err = writable_dir(s, q->dir, &dir);
	if (!err)
		err = check_name(q->name);
	if (err)
		return err;
	if (q->target.len >= GOFER_PATH_MAX)
		return -ENAMETOOLONG;
	if (symlinkat(q->target.p, dir->fd, q->name.p) < 0)
		return -errno;
	return finish_new(s, dir, q->name.p, S_IFLNK, &w, &p->node, &p->attr, &p->dir);
}

/* Is (dirfd, name) the file of n? */
static bool name_is(const struct node *n, int dirfd, const char *name)
{
	struct gofer_attr a;

	return name_attr(dirfd, name, &a) == 0 && a.dev == n->dev && a.ino == n->ino;
}

int op_link(struct server *s, const struct gofer_link_req *q, struct gofer_link_rep *p,
	    int *out_fd)
{
	struct node *n = node_of(s, q->node), *dir;
	const char *oname;
	int err, odir;

	(void)out_fd;
	err = writable_dir(s, q->dir, &dir);
	if (!err)
		err = check_name(q->name);
	if (err)
		return err;
	if (!n)
		return -EBADF;
	if (S_ISDIR(n->mode))
		return -EPERM;
	if (n->export != dir->export)
		return -EXDEV;
	/* By descriptor where we may (CAP_DAC_READ_SEARCH), else by its name. */
	if (linkat(n->fd, "", dir->fd, q->name.p, AT_EMPTY_PATH) < 0) {
		if (errno != ENOENT)
			return -errno;
		if (!node_where(s, n, &odir, &oname))
			return -ENOENT;
		if (!name_is(n, odir, oname))
			return -ENOENT;
		if (linkat(odir, oname, dir->fd, q->name.p, 0) < 0)
			return -errno;
		if (!name_is(n, dir->fd, q->name.p)) {
			unlinkat(dir->fd, q->name.p, 0);
			return -ESTALE;
		}
	}
	node_set_name(s, n, dir, q->name.p);
	err = fd_attr(n->fd, &p->attr);
	return err ? err : fd_attr(dir->fd, &p->dir);
}

int op_unlink(struct server *s, const struct gofer_unlink_req *q, struct gofer_unlink_rep *p,
	      int *out_fd)
{
	struct node *victim = q->victim ? node_of(s, q->victim) : NULL;
	struct node *dir;
	int err;

	(void)out_fd;
	err = writable_dir(s, q->dir, &dir);
	if (!err)
		err = check_name(q->name);
	if (err)
		return err;
	if (unlinkat(dir->fd, q->name.p, q->is_dir ? AT_REMOVEDIR : 0) < 0)
		return -errno;
	p->has_attr = victim && fd_attr(victim->fd, &p->attr) == 0;
	return fd_attr(dir->fd, &p->dir);
}

int op_rename(struct server *s, const struct gofer_rename_req *q, struct gofer_rename_rep *p,
	      int *out_fd)
{
	struct node *src = q->src ? node_of(s, q->src) : NULL;
	struct node *dst = q->dst ? node_of(s, q->dst) : NULL;
	struct node *odir, *ndir;
	int err;

	(void)out_fd;
	err = writable_dir(s, q->odir, &odir);
	if (!err)
		err = writable_dir(s, q->ndir, &ndir);
	if (!err)
		err = check_name(q->oname);
	if (!err)
		err = check_name(q->nname);
	if (err)
		return err;
	if (odir->export != ndir->export)
		return -EXDEV;
	if (q->flags & ~(uint32_t)(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT))
		return -EINVAL;
	/* Not libc's wrapper: that one may make another call when there are no flags. */
	if (syscall(SYS_renameat2, odir->fd, q->oname.p, ndir->fd, q->nname.p, q->flags) < 0)
		return -errno;
	/* Checked, so that a client cannot make two directories each other's parent. */
	if (src && name_is(src, ndir->fd, q->nname.p))
		node_set_name(s, src, ndir, q->nname.p);
	if (dst && (q->flags & RENAME_EXCHANGE) && name_is(dst, odir->fd, q->oname.p))
		node_set_name(s, dst, odir, q->oname.p);
	p->has_src = src && fd_attr(src->fd, &p->src) == 0;
	p->has_dst = dst && fd_attr(dst->fd, &p->dst) == 0;
	err = fd_attr(odir->fd, &p->odir);
	return err ? err : fd_attr(ndir->fd, &p->ndir);
}
