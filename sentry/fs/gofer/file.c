/* Open regular files: reads, writes and mappings go to the donated host descriptor. */
#include <stdlib.h>

#include "sentry/fs/gofer/gofer_impl.h"
#include "sentry/fs/gofer/watch.h"
#include "syscalls/abi/lx_fcntl.h"
#include "syscalls/abi/lx_stat.h"
#include "syscalls/abi/lx_statfs.h"

#define IOBUF_SIZE (128u << 10)	/* bytes moved at a time */
#define IO_LONG (64u << 10)	/* from here on others may run meanwhile */
#define IOBUFS_KEPT 2

/* Bounce buffers: one per call under way, a few kept. */
struct iobuf {
	struct iobuf *next;
	uint8_t data[IOBUF_SIZE];
};
static struct iobuf *free_iobufs;
static unsigned nfree_iobufs;

static struct iobuf *iobuf_get(void)
{
	struct iobuf *b = free_iobufs;

	if (!b)
		return malloc(sizeof(*b));
	free_iobufs = b->next;
	nfree_iobufs--;
	return b;
}

static void iobuf_put(struct iobuf *b)
{
	if (nfree_iobufs == IOBUFS_KEPT) {
		free(b);
		return;
	}
	b->next = free_iobufs;
	free_iobufs = b;
	nfree_iobufs++;
}

static int host_fd(const struct file *f)
{
	const struct gofer_fd *d = f->priv;

	return d->fd;
}

/* An overlay hands its own path down; the file's object is ours all the same. */
static struct file *new_file(struct inode *i, const struct file_ops *ops,
			     const struct path *path, uint32_t fmode, uint32_t flags)
{
	struct file *f = file_new(i->sb->k, ops, path, fmode, flags);

	if (f && f->inode != i) {
		inode_put(f->inode);
		inode_get(i);
		f->inode = i;
	}
	return f;
}

int gofer_open(struct inode *i, const struct path *path, uint32_t fmode, uint32_t flags,
	       struct file **out)
{
	struct gofer_fd *d;
	int err;

	if (LX_S_ISDIR(i->mode)) {
		*out = new_file(i, &gofer_dir_ops, path, fmode, flags);
		return *out ? 0 : -LX_ENOMEM;
	}
	if (!LX_S_ISREG(i->mode))
		return -LX_ENXIO;
	err = gofer_fd_use(gofer_i(i), fmode, path, &d);
	/* The host has put another file there, although the tree should be ours alone: at
	 * least find that one next time. */
	if (err == -LX_ESTALE && path->dentry->inode == i && path->dentry->parent)
		dcache_forget(path->dentry->parent, path->dentry->name);
	if (err)
		return err;
	*out = new_file(i, &gofer_file_ops, path, fmode, flags);
	if (!*out) {
		gofer_fd_unuse(d);
		return -LX_ENOMEM;
	}
	(*out)->priv = d;
	return 0;
}

/* Of the host's file systems some write when a file is closed, and tell then that they could
 * not. */
static bool flushes(const struct superblock *sb)
{
	switch (sb->magic) {
	case LX_FUSE_MAGIC:
	case LX_NFS_MAGIC:
	case LX_CIFS_MAGIC:
	case LX_SMB2_MAGIC:
	case LX_CEPH_MAGIC:
	case LX_V9FS_MAGIC:
		return true;
	default:
		return false;
	}
}

static int gofer_flush(struct file *f, struct task *t)
{
	(void)t;
	return (f->mode & FMODE_WRITE) && flushes(f->inode->sb) ? gofer_host_flush(host_fd(f)) : 0;
}

static void gofer_file_release(struct file *f)
{
	struct gofer_fd *d = f->priv;
	struct gofer_conn *c = d->c;
	bool last = d->writable && d->users == 1 && gofer_s(f->inode)->shared;

	if (last)
		gofer_watch_before(c);
	gofer_fd_unuse(d);
	if (last)
		gofer_watch_closed(c, f->path.dentry);
}

/* ---- read and write ---- */

/* A small read into what the guest takes along itself. -LX_EAGAIN: not this one. */
static int64_t read_placed(struct file *f, struct uio *u, int64_t *pos)
{
	void *to = u->resid < IO_LONG ? uio_place(u, u->resid) : NULL;
	long n;

	if (!to)
		return -LX_EAGAIN;
	n = gofer_host_pread(host_fd(f), to, u->resid, *pos);
	if (n <= 0)
		return n;
	uio_placed(u, (size_t)n);
	*pos += n;
	gofer_i(f->inode)->stale = true; /* its access time */
	return n;
}

static int64_t gofer_read(struct file *f, struct uio *u, int64_t *pos, uint32_t rwf)
{
	struct gofer_inode *gi = gofer_i(f->inode);
	int64_t done = 0, err = 0;
	struct iobuf *b;

	(void)rwf;
	if (u->resid == 0)
		return 0;
	done = read_placed(f, u, pos);
	if (done != -LX_EAGAIN)
		return done;
	done = 0;
	b = iobuf_get();
	if (!b)
		return -LX_ENOMEM;
	while (u->resid) {
		size_t want = u->resid < IOBUF_SIZE ? u->resid : IOBUF_SIZE;
		long n, moved;

		if (want >= IO_LONG)
			kernel_release_host(f->k);
		n = gofer_host_pread(host_fd(f), b->data, want, *pos);
		if (want >= IO_LONG)
			kernel_reacquire_host(f->k);
		if (n <= 0) {
			err = n;
			break;
		}
		moved = uio_to_user(u, b->data, (size_t)n);
		if (moved < 0) {
			err = moved;
			break;
		}
		*pos += moved;
		done += moved;
		if (moved < n || (size_t)n < want)
			break;
	}
	iobuf_put(b);
	if (done)
		gi->stale = true; /* its access time */
	return done ? done : err;
}

static int64_t write_chunk(struct file *f, struct gofer_inode *gi, const uint8_t *data,
			   size_t len, int64_t pos, bool append)
{
	struct inode *i = &gi->i;
	int64_t n;

	if (len >= IO_LONG) {
		/* Who appends while we do not hold the lock must go behind us. */
		if (append) {
			gi->appends++;
			gi->append_end = (uint64_t)pos + len;
		}
		gofer_watch_writing(gofer_c(i), true);
		kernel_release_host(f->k);
		n = gofer_host_pwrite(host_fd(f), data, len, pos);
		kernel_reacquire_host(f->k);
		gofer_watch_after(gofer_c(i), LX_IN_MODIFY, NULL, NULL);
		gofer_watch_writing(gofer_c(i), false);
		if (append)
			gi->appends--;
	} else {
		gofer_watch_before(gofer_c(i));
		n = gofer_host_pwrite(host_fd(f), data, len, pos);
		gofer_watch_after(gofer_c(i), LX_IN_MODIFY, f->path.dentry->name, NULL);
	}
	gi->stale = true;
	if (n > 0 && (uint64_t)(pos + n) > i->size)
		i->size = (uint64_t)(pos + n);
	return n;
}

static int64_t append_pos(struct gofer_inode *gi)
{
	if (gofer_s(&gi->i)->shared)
		(void)gofer_refresh(gi);
	if (gi->appends && gi->append_end > gi->i.size)
		return (int64_t)gi->append_end;
	return (int64_t)gi->i.size;
}

/* The host drops set-id bits when the sentry, which has no privilege, writes. Those that the
 * VFS left there, for a caller with CAP_FSETID, are put back. */
static void keep_setid(struct gofer_inode *gi)
{
	struct iattr a = { .valid = IATTR_MODE, .mode = gi->i.mode };

	if (a.mode & (LX_S_ISUID | LX_S_ISGID))
		(void)gofer_setattr(&gi->i, &a);
}

/* The next bytes to be written: as the guest brought them, or in b. */
static long next_bytes(struct uio *u, struct iobuf *b, const uint8_t **out)
{
	size_t want = u->resid < IOBUF_SIZE ? u->resid : IOBUF_SIZE;

	*out = uio_brought(u, want);
	if (*out) {
		uio_took(u, want);
		return (long)want;
	}
	*out = b->data;
	return uio_from_user(u, b->data, want);
}

static int64_t gofer_write(struct file *f, struct uio *u, int64_t *pos, uint32_t rwf)
{
	struct gofer_inode *gi = gofer_i(f->inode);
	bool append = ((f->flags & LX_O_APPEND) || (rwf & LX_RWF_APPEND)) &&
		      !(rwf & LX_RWF_NOAPPEND);
	int64_t done = 0, err = 0;
	struct iobuf *b;

	if (u->resid == 0)
		return 0;
	b = iobuf_get();
	if (!b)
		return -LX_ENOMEM;
	while (u->resid) {
		size_t want = u->resid < IOBUF_SIZE ? u->resid : IOBUF_SIZE;
		const uint8_t *data;
		long got = next_bytes(u, b, &data);
		int64_t n;

		if (got <= 0) {
			err = got;
			break;
		}
		if (append)
			*pos = append_pos(gi);
		n = write_chunk(f, gi, data, (size_t)got, *pos, append);
		if ((n == -LX_ENOSPC || n == -LX_EDQUOT) && gofer_make_room(gi))
			n = write_chunk(f, gi, data, (size_t)got, *pos, append);
		if (n < got)
			uio_revert(u, (size_t)(got - (n > 0 ? n : 0)));
		if (n <= 0) {
			err = n;
			break;
		}
		*pos += n;
		done += n;
		if (n < got || (size_t)got < want)
			break;
	}
	iobuf_put(b);
	if (done)
		keep_setid(gi);
	return done ? done : err;
}

/* ---- the rest ---- */

static int64_t gofer_seek(struct file *f, int64_t off, int whence)
{
	struct gofer_inode *gi = gofer_i(f->inode);
	int64_t base = 0;

	switch (whence) {
	case LX_SEEK_DATA:
	case LX_SEEK_HOLE:
		return gofer_host_lseek(host_fd(f), off, whence);
	case LX_SEEK_SET:
		break;
	case LX_SEEK_CUR:
		base = f->pos;
		break;
	case LX_SEEK_END:
		if (gofer_s(&gi->i)->shared)
			(void)gofer_refresh(gi);
		base = (int64_t)gi->i.size;
		break;
	default:
		return -LX_EINVAL;
	}
	if (off > 0 && base > INT64_MAX - off)
		return -LX_EINVAL;
	return base + off < 0 ? -LX_EINVAL : base + off;
}

static int gofer_mmap(struct file *f, struct file_map *m)
{
	struct gofer_inode *gi = gofer_i(f->inode);
	const struct gofer_fd *d = f->priv;
	int fd;

	if (m->shared && m->want_write) {
		if (!(f->mode & FMODE_WRITE) || !d->writable || !d->readable)
			return -LX_EACCES;
		fd = d->fd;
		gi->wmapped = true;
	} else {
		fd = gofer_fd_readonly(gi, &f->path);
		/* A deleted file cannot be opened again. Whoever has it open for writing gains
		 * nothing from a descriptor that may write. */
		if (fd < 0 && (f->mode & FMODE_WRITE) && d->readable)
			fd = d->fd;
		else if (fd < 0 && !d->writable)
			fd = d->fd;
		m->no_maywrite = m->shared;
	}
	if (fd < 0)
		return fd;
	fd = gofer_host_dup(fd);
	if (fd < 0)
		return fd == -LX_EMFILE ? -LX_ENFILE : fd;
	m->host_fd = fd;
	m->host_off = m->off;
	gi->stale = true;
	return 0;
}

static void gofer_was_read(struct file *f)
{
	gofer_i(f->inode)->stale = true; /* its access time */
}

static int gofer_lend_write(struct file *f)
{
	const struct gofer_fd *d = f->priv;
	int fd;

	/* Its echo would be taken for somebody else's. */
	if (gofer_c(f->inode)->watches)
		return -1;
	fd = (f->mode & FMODE_READ) || !d->readable
		     ? d->fd
		     : gofer_fd_writeonly(gofer_i(f->inode), &f->path);
	return fd < 0 ? -1 : gofer_host_dup(fd);
}

static void gofer_was_written(struct file *f, int64_t end)
{
	struct gofer_inode *gi = gofer_i(f->inode);

	gi->stale = true;
	if ((uint64_t)end > gi->i.size)
		gi->i.size = (uint64_t)end;
}

static int gofer_fsync(struct file *f, bool data_only)
{
	int err, fd = host_fd(f);

	kernel_release_host(f->k);
	err = gofer_host_fsync(fd, data_only);
	kernel_reacquire_host(f->k);
	return err;
}

static int gofer_fallocate(struct file *f, uint32_t mode, int64_t off, int64_t len)
{
	struct gofer_inode *gi = gofer_i(f->inode);
	int err;

	gofer_watch_before(gofer_c(f->inode));
	err = gofer_host_fallocate(host_fd(f), mode, off, len);
	gofer_watch_after(gofer_c(f->inode), LX_IN_MODIFY, f->path.dentry->name, NULL);
	if ((err == -LX_ENOSPC || err == -LX_EDQUOT) && gofer_make_room(gi))
		err = gofer_host_fallocate(host_fd(f), mode, off, len);
	keep_setid(gi); /* the host takes them before it finds out that it cannot */
	if (!err)
		(void)gofer_refresh(gi);
	return err;
}

const struct file_ops gofer_file_ops = {
	.name = "gofer",
	.read = gofer_read,
	.write = gofer_write,
	.seek = gofer_seek,
	.mmap = gofer_mmap,
	.was_read = gofer_was_read,
	.lend_write = gofer_lend_write,
	.was_written = gofer_was_written,
	.fsync = gofer_fsync,
	.fallocate = gofer_fallocate,
	.flush = gofer_flush,
	.release = gofer_file_release,
};
