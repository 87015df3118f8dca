/* Files given from outside: the stdio of the container (pipes, files, sockets,
 * /dev/null, terminals).
 *
 * The host fd's open file description is shared with processes outside, so its flags
 * are never changed: O_NONBLOCK on a shared description breaks the other side's blocking
 * reads. Instead every transfer is made so that it does not block: RWF_NOWAIT or
 * MSG_DONTWAIT where the host has them, else poll(2) first and then no more than cannot
 * block (a pipe that polls writable takes PIPE_BUF bytes). When boot could re-open the fd
 * with O_NONBLOCK it hands in a private description, which needs none of this. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/base/log.h"
#include "sentry/fs/pipe/pipe.h"
#include "sentry/fs/tty/tty_impl.h"
#include "sentry/mm/usercopy.h"
#include "sentry/task/task.h"
#include "syscalls/abi/lx_fcntl.h"
#include "syscalls/abi/lx_poll.h"
#include "syscalls/abi/lx_signal.h"
#include "syscalls/abi/lx_stat.h"

#define HOST_CHUNK 65536u
#define HOST_PIPE_BUF 4096u
#define HOST_IN (LX_POLLIN | LX_POLLHUP | LX_POLLERR)

/* An open file on a hostfd. file.ra[0]: it has a position of its own (a regular file
 * that was opened again by name); otherwise the host's, shared with outside, counts. */
static struct hostfd *h_of(const struct file *f)
{
	return f->priv;
}

static bool own_pos(const struct file *f)
{
	return f->ra[0];
}

/* ---- the shared object ---- */

static void hostfd_put(struct hostfd *h)
{
	if (!refs_put(&h->refs))
		return;
	if (h->watched)
		hostpoll_unwatch(h->k, &h->watch);
	if (h->tty)
		host_tty_detach(h);
	waitq_fini(&h->q);
	host_close(h->fd);
	free(h->unread);
	free(h);
}

static enum hostfd_kind kind_of(const struct hostfd_stat *st, int fd)
{
	struct lx_termios t;

	switch (st->mode & LX_S_IFMT) {
	case LX_S_IFREG:
		return HOSTFD_REG;
	case LX_S_IFIFO:
		return HOSTFD_PIPE;
	case LX_S_IFSOCK:
		return HOSTFD_SOCK;
	case LX_S_IFCHR:
		return host_ioctl(fd, LX_TCGETS, &t) == 0 ? HOSTFD_TTY : HOSTFD_OTHER;
	default:
		return HOSTFD_OTHER;
	}
}

/* ---- reading ---- */

static int64_t read_host(struct hostfd *h, struct task *t, bool nonblock, void *buf, size_t n)
{
	long r;

	if (h->kind == HOSTFD_SOCK)
		return host_recv_nowait(h->fd, buf, n);
	if (h->kind == HOSTFD_TTY)
		return host_tty_read(h, t, nonblock, buf, n);
	if (h->nonblock)
		return host_read(h->fd, buf, n);
	if (h->kind == HOSTFD_PIPE && !h->no_nowait) {
		r = host_read_nowait(h->fd, buf, n);
		if (r != -LX_EOPNOTSUPP)
			return r;
		h->no_nowait = true;
	}
	if (!(hostpoll_now(h->fd, LX_POLLIN) & HOST_IN))
		return -LX_EAGAIN;
	return host_read(h->fd, buf, n);
}

/* Give the guest n bytes; what its memory does not take is kept for the next read. */
static int64_t hand_over(struct hostfd *h, struct uio *u, const uint8_t *buf, size_t n)
{
	long done = uio_to_user(u, buf, n);
	size_t moved = done > 0 ? (size_t)done : 0;

	if (moved < n) {
		uint8_t *keep = malloc(n - moved);

		if (keep) {
			memcpy(keep, buf + moved, n - moved);
			free(h->unread);
			h->unread = keep;
			h->unread_off = 0;
			h->unread_len = n - moved;
		}
	}
	return done;
}

static int64_t read_unread(struct hostfd *h, struct uio *u)
{
	size_t n = u->resid < h->unread_len ? u->resid : h->unread_len;
	long done = uio_to_user(u, h->unread + h->unread_off, n);

	if (done > 0) {
		h->unread_off += (size_t)done;
		h->unread_len -= (size_t)done;
	}
	return done;
}

static int64_t read_stream(struct hostfd *h, struct file *f, struct uio *u, uint32_t rwf,
			   uint8_t *buf, size_t n)
{
	bool nonblock = (f->flags & LX_O_NONBLOCK) || (rwf & LX_RWF_NOWAIT);
	int64_t r;

	if (h->tty) {
		r = tty_check_change(&h->tty->tty, u->task, LX_SIGTTIN);
		if (r)
			return r;
	}
	if (h->unread_len)
		return read_unread(h, u);
	r = read_host(h, u->task, nonblock, buf, n);
	return r > 0 ? hand_over(h, u, buf, (size_t)r) : r;
}

static int64_t read_regular(struct hostfd *h, struct file *f, struct uio *u, int64_t *pos,
			    uint8_t *buf, size_t n)
{
	bool shared = !pos; /* FMODE_HOST_POS */
	int64_t r, done;

	r = shared ? host_read(h->fd, buf, n) : host_pread(h->fd, buf, n, *pos);
	if (r <= 0)
		return r;
	done = uio_to_user(u, buf, (size_t)r);
	if (shared && done < r)
		host_lseek(h->fd, (done > 0 ? done : 0) - r, LX_SEEK_CUR);
	if (shared && done > 0)
		f->pos += done; /* what fdinfo shows */
	else if (done > 0)
		*pos += done;
	return done;
}

static int64_t hostfile_read(struct file *f, struct uio *u, int64_t *pos, uint32_t rwf)
{
	struct hostfd *h = h_of(f);
	AUTO_FREE uint8_t *big = NULL;
	uint8_t small[2048], *buf = small;
	size_t n = u->resid < HOST_CHUNK ? u->resid : HOST_CHUNK;

	if (!n)
		return 0;
	if (n > sizeof(small)) {
		buf = big = malloc(n);
		if (!big)
			return -LX_ENOMEM;
	}
	if (h->kind == HOSTFD_REG)
		return read_regular(h, f, u, pos, buf, n);
	return read_stream(h, f, u, rwf, buf, n);
}

/* ---- writing ---- */

/* A host terminal whose description may block: what it does not take at once (stopped by
 * ^S, a slow reader) would keep the kernel lock, so it is dropped meanwhile. */
static long write_blocking_tty(struct hostfd *h, const void *buf, size_t n)
{
	long r;

	if (!(hostpoll_now(h->fd, LX_POLLOUT) & (LX_POLLOUT | LX_POLLERR | LX_POLLHUP)))
		return -LX_EAGAIN;
	refs_get(&h->refs);
	kernel_release_host(h->k);
	r = host_write(h->fd, buf, n < 256 ? n : 256);
	kernel_reacquire_host(h->k);
	hostfd_put(h);
	return r;
}

static long write_host(struct hostfd *h, const void *buf, size_t n)
{
	long r;

	if (h->kind == HOSTFD_SOCK)
		return host_send_nowait(h->fd, buf, n);
	if (h->nonblock || h->kind == HOSTFD_REG)
		return host_write(h->fd, buf, n);
	if (h->kind == HOSTFD_TTY)
		return write_blocking_tty(h, buf, n);
	if (h->kind == HOSTFD_PIPE && !h->no_nowait) {
		r = host_write_nowait(h->fd, buf, n);
		if (r != -LX_EOPNOTSUPP)
			return r;
		h->no_nowait = true;
	}
	r = hostpoll_now(h->fd, LX_POLLOUT);
	if (!(r & (LX_POLLOUT | LX_POLLERR)))
		return -LX_EAGAIN;
	return host_write(h->fd, buf, n < HOST_PIPE_BUF ? n : HOST_PIPE_BUF);
}

static int64_t write_regular_at(struct hostfd *h, struct file *f, int64_t *pos, const void *buf,
				size_t n)
{
	struct hostfd_stat st;
	long r;

	if ((f->flags & LX_O_APPEND) && host_fstat(h->fd, &st) == 0)
		*pos = (int64_t)st.size;
	r = host_pwrite(h->fd, buf, n, *pos);
	if (r > 0)
		*pos += r;
	return r;
}

static int64_t hostfile_write(struct file *f, struct uio *u, int64_t *pos, uint32_t rwf)
{
	struct hostfd *h = h_of(f);
	AUTO_FREE uint8_t *big = NULL;
	uint8_t small[2048], *buf = small;
	size_t n = u->resid < HOST_CHUNK ? u->resid : HOST_CHUNK;
	long got, r;

	(void)rwf;
	if (!n)
		return 0;
	if (h->tty) {
		r = tty_check_write(&h->tty->tty, u->task);
		if (r)
			return r;
	}
	if (n > sizeof(small)) {
		buf = big = malloc(n);
		if (!big)
			return -LX_ENOMEM;
	}
	got = uio_from_user(u, buf, n);
	if (got <= 0)
		return got;
	if (h->kind == HOSTFD_REG && pos)
		r = write_regular_at(h, f, pos, buf, (size_t)got);
	else
		r = write_host(h, buf, (size_t)got);
	if (r < got)
		uio_revert(u, (size_t)(got - (r > 0 ? r : 0)));
	if (r > 0 && h->kind == HOSTFD_REG && !pos)
		f->pos = host_lseek(h->fd, 0, LX_SEEK_CUR);
	if (r == -LX_EPIPE)
		task_sigpipe(u->task);
	return r;
}

/* ---- the other operations ---- */

static uint32_t hostfile_poll(struct file *f, struct poll_ctx *pc)
{
	struct hostfd *h = h_of(f);
	uint32_t ev;

	if (h->kind == HOSTFD_REG)
		return LX_POLL_DEFAULT;
	poll_wait(pc, &h->q);
	if (pc && !h->watched && hostpoll_watch(h->k, &h->watch, h->fd, &h->q) == 0)
		h->watched = true;
	ev = hostpoll_now(h->fd, LX_POLLIN | LX_POLLOUT | LX_POLLPRI);
	if (h->unread_len)
		ev |= LX_POLLIN;
	if (ev & LX_POLLIN)
		ev |= LX_POLLRDNORM;
	if (ev & LX_POLLOUT)
		ev |= LX_POLLWRNORM;
	return ev;
}

static int64_t hostfile_ioctl(struct task *t, struct file *f, uint32_t cmd, uint64_t arg)
{
	struct hostfd *h = h_of(f);
	int32_t n = 0;
	int err;

	if (h->kind == HOSTFD_TTY)
		return host_tty_ioctl(t, f, h, cmd, arg);
	if (cmd != LX_TIOCINQ || h->kind == HOSTFD_OTHER)
		return -LX_ENOTTY;
	err = host_ioctl(h->fd, LX_TIOCINQ, &n);
	if (err < 0)
		return err;
	n += (int32_t)h->unread_len;
	return copy_out(t, (struct uaddr){ arg }, &n, sizeof(n));
}

static int64_t hostfile_seek(struct file *f, int64_t off, int whence)
{
	struct hostfd *h = h_of(f);
	struct hostfd_stat st;
	int64_t pos;
	int err;

	if (h->kind != HOSTFD_REG)
		return h->kind == HOSTFD_OTHER ? 0 : -LX_ESPIPE; /* as /dev/null does */
	if (!own_pos(f)) {
		pos = host_lseek(h->fd, off, whence);
		if (pos >= 0)
			f->pos = pos;
		return pos;
	}
	if (whence == LX_SEEK_CUR) {
		off += f->pos;
	} else if (whence == LX_SEEK_END) {
		err = host_fstat(h->fd, &st);
		if (err)
			return err;
		off += (int64_t)st.size;
	} else if (whence != LX_SEEK_SET) {
		return -LX_EINVAL;
	}
	if (off < 0)
		return -LX_EINVAL;
	return f->pos = off;
}

static int hostfile_mmap(struct file *f, struct file_map *m)
{
	struct hostfd *h = h_of(f);

	/* The host fd goes to the guest's address space for the call: only one that
	 * cannot write may. */
	if (h->kind != HOSTFD_REG || h->acc != FMODE_READ)
		return -LX_ENODEV;
	if (m->shared && m->want_write)
		return -LX_EACCES;
	m->host_fd = host_dup(h->fd);
	m->host_off = m->off;
	m->no_maywrite = m->shared;
	return m->host_fd < 0 ? m->host_fd : 0;
}

static int hostfile_fsync(struct file *f, bool data_only)
{
	struct hostfd *h = h_of(f);
	int r;

	if (h->kind != HOSTFD_REG)
		return -LX_EINVAL;
	refs_get(&h->refs);
	kernel_release_host(h->k);
	r = host_fsync(h->fd, data_only);
	kernel_reacquire_host(h->k);
	hostfd_put(h);
	return r;
}

static void hostfile_release(struct file *f)
{
	hostfd_put(h_of(f));
}

const struct file_ops hostfile_ops = {
	.name = "host",
	.read = hostfile_read,
	.write = hostfile_write,
	.poll = hostfile_poll,
	.ioctl = hostfile_ioctl,
	.async = true,
	.seek = hostfile_seek,
	.mmap = hostfile_mmap,
	.fsync = hostfile_fsync,
	.release = hostfile_release,
};

int hostfd_open(struct hostfd *h, const struct path *path, uint32_t fmode, uint32_t flags,
		bool own, struct file **out)
{
	uint32_t mode = fmode & (FMODE_READ | FMODE_WRITE);
	struct file *f;

	if (mode & ~h->acc)
		return -LX_EACCES;
	mode |= FMODE_WRITE_ALL;
	if (h->kind != HOSTFD_REG && h->kind != HOSTFD_OTHER)
		mode |= FMODE_STREAM;
	f = file_new(h->k, &hostfile_ops, path, mode, flags);
	if (!f)
		return -LX_ENOMEM;
	refs_get(&h->refs);
	f->priv = h;
	f->ra[0] = own && h->kind == HOSTFD_REG;
	if (h->kind == HOSTFD_REG && !own)
		f->mode |= FMODE_HOST_POS;
	*out = f;
	return 0;
}

/* ---- the inode: for fstat, chmod and opening /proc/PID/fd/N again ---- */

static int inode_getattr(struct inode *i, struct kstat *out)
{
	struct hostfd *h = i->priv;
	struct hostfd_stat st;
	int err = host_fstat(h->fd, &st);

	if (err)
		return err;
	*out = (struct kstat){
		.ino = i->ino, .size = st.size, .blocks = st.blocks, .mode = i->mode,
		.nlink = 1, .uid = i->uid, .gid = i->gid, .blksize = st.blksize,
		.dev_major = i->sb->dev >> 20, .dev_minor = i->sb->dev & 0xfffff,
		.rdev_major = i->rdev >> 20, .rdev_minor = i->rdev & 0xfffff,
		.atime = st.atime, .mtime = st.mtime, .ctime = st.ctime, .btime = st.ctime,
	};
	return 0;
}

static int inode_setattr(struct inode *i, const struct iattr *a)
{
	struct hostfd *h = i->priv;
	int err;

	if (a->valid & IATTR_SIZE) {
		if (h->kind != HOSTFD_REG || !(h->acc & FMODE_WRITE))
			return -LX_EINVAL;
		err = host_ftruncate(h->fd, (int64_t)a->size);
		if (err)
			return err;
		i->size = a->size;
	}
	/* Ownership is the guest's own view: the host's file keeps its. */
	if (a->valid & IATTR_MODE)
		i->mode = (i->mode & LX_S_IFMT) | (a->mode & 07777);
	if (a->valid & IATTR_UID)
		i->uid = a->uid;
	if (a->valid & IATTR_GID)
		i->gid = a->gid;
	return 0;
}

static int inode_open(struct inode *i, const struct path *path, uint32_t fmode, uint32_t flags,
		      struct file **out)
{
	struct hostfd *h = i->priv;

	if (h->kind == HOSTFD_SOCK)
		return -LX_ENXIO;
	return hostfd_open(h, path, fmode, flags, true, out);
}

static void inode_free(struct inode *i)
{
	hostfd_put(i->priv);
	inode_fini(i);
	free(i);
}

static const struct inode_ops host_inode_ops = {
	.getattr = inode_getattr,
	.setattr = inode_setattr,
	.open = inode_open,
	.free = inode_free,
};

static const struct sb_ops host_sb_ops;

static struct superblock *host_sb(struct kernel *k)
{
	struct ttys *ts = ttys_of(k);

	if (ts && !ts->host_sb) {
		ts->host_sb = superblock_new(k, "hostfs", 0x50495045 /* PIPEFS_MAGIC */,
					     &host_sb_ops, NULL);
		if (ts->host_sb)
			ts->host_sb->special_open = true;
	}
	return ts ? ts->host_sb : NULL;
}

static struct inode *inode_new(struct hostfd *h, const struct hostfd_stat *st)
{
	struct superblock *sb = host_sb(h->k);
	struct inode *i = sb ? calloc(1, sizeof(*i)) : NULL;

	if (!i)
		return NULL;
	inode_init(i, sb, &host_inode_ops, superblock_next_ino(sb), st->mode);
	i->uid = st->uid;
	i->gid = st->gid;
	i->rdev = (uint32_t)st->rdev;
	i->nlink = 1;
	i->size = st->size;
	refs_get(&h->refs);
	i->priv = h;
	h->ino = i->ino;
	return i;
}

/* What readlink of /proc/PID/fd/N shows. */
static void link_text(const struct hostfd *h, const struct hostfd_stat *st, char *buf,
		      size_t size)
{
	unsigned long long ino = h->ino;

	switch (h->kind) {
	case HOSTFD_PIPE:
		snprintf(buf, size, "pipe:[%llu]", ino);
		break;
	case HOSTFD_SOCK:
		snprintf(buf, size, "socket:[%llu]", ino);
		break;
	case HOSTFD_TTY:
		snprintf(buf, size, "/dev/pts/%d", h->tty->tty.index);
		break;
	case HOSTFD_REG:
		snprintf(buf, size, "/host:[%llu]", ino);
		break;
	case HOSTFD_OTHER:
		if (st->rdev == KDEV(1, 3))
			snprintf(buf, size, "/dev/null");
		else
			snprintf(buf, size, "/host:[%llu]", ino);
		break;
	}
}

/* ---- making one ---- */

static int make_file(struct hostfd *h, const struct hostfd_stat *st, uint32_t flags,
		     struct file **out)
{
	struct path path = { NULL, NULL };
	AUTO_PUT(inode) struct inode *i = NULL;
	char text[48];
	int err;

	/* A terminal has a name in devpts when that is mounted already. */
	if (h->tty && h->k->mnt->root) {
		struct path root = { h->k->mnt->root, h->k->mnt->root->root };
		char name[32];

		snprintf(name, sizeof(name), "dev/pts/%d", h->tty->tty.index);
		if (!vfs_lookup_at(h->k, &root, name, WALK_FOLLOW, &path) &&
		    !devpts_of_sb(path.mnt->sb))
			path_put(&path);
	}
	if (!path.dentry) {
		i = inode_new(h, st);
		if (!i)
			return -LX_ENOMEM;
		path.mnt = h->k->mnt->anon;
		link_text(h, st, text, sizeof(text));
		path.dentry = dentry_new_detached(i, text);
		if (!path.dentry)
			return -LX_ENOMEM;
		mount_get(path.mnt);
	}
	err = hostfd_open(h, &path, h->acc, flags, false, out);
	path_put(&path);
	return err;
}

int hostfile_new(struct kernel *k, int fd, struct file **out)
{
	struct hostfd *h = calloc(1, sizeof(*h));
	struct hostfd_stat st;
	long fl;
	int err;

	if (!h) {
		host_close(fd);
		return -LX_ENOMEM;
	}
	refs_init(&h->refs, "hostfd");
	h->k = k;
	h->fd = fd;
	h->watch.fd = -1;
	waitq_init(&h->q);
	list_init(&h->tty_link);
	fl = host_getfl(fd);
	err = fl < 0 ? (int)fl : host_fstat(fd, &st);
	if (err) {
		hostfd_put(h);
		return err;
	}
	h->kind = kind_of(&st, fd);
	h->nonblock = fl & LX_O_NONBLOCK;
	h->acc = (fl & LX_O_ACCMODE) == LX_O_RDWR   ? FMODE_READ | FMODE_WRITE :
		 (fl & LX_O_ACCMODE) == LX_O_WRONLY ? FMODE_WRITE :
						      FMODE_READ;
	if (h->kind == HOSTFD_TTY)
		err = host_tty_attach(h, st.dev, st.ino, st.rdev);
	if (!err)
		err = make_file(h, &st, (uint32_t)fl & LX_O_ACCMODE, out);
	log_debug("host file fd %d kind %d acc %u: %d", fd, (int)h->kind, h->acc, err);
	hostfd_put(h);
	return err;
}

struct tty *hostfile_tty(struct file *f)
{
	struct hostfd *h = f->ops == &hostfile_ops ? f->priv : NULL;

	return h && h->tty ? &h->tty->tty : NULL;
}
