/* Contents of regular files in memory. Most files are small and short-lived: they cost a
 * buffer of their size. A memfd, which costs a host fd and whole pages, is made when
 * the file outgrows the buffer or is mapped. A small file that nobody has mapped any more
 * goes back to a buffer when there are many of them: a repository has more objects than
 * a process has descriptors. */
#include <stdlib.h>
#include <string.h>

#include "sentry/fs/proc/hostinfo.h"
#include "sentry/fs/tmpfs/memfile.h"
#include "sentry/fs/tmpfs/memfile_impl.h"
#include "syscalls/abi/lx_fcntl.h"
#include "syscalls/abi/lx_statfs.h"

#define PAGE 4096u
#define BUF_STEP 512u

/* Between a memfd and the guest; used under the kernel lock, never across a release. */
static uint8_t bounce[65536];

int (*memfile_reopen_readonly)(int fd);
unsigned memfile_idle_max = 1024;

/* Small files with a host fd that no open file needs, oldest first. */
static struct list idle = LIST_INIT(idle);
static unsigned idle_count;

static uint64_t pages_for(uint64_t bytes)
{
	return bytes / PAGE + (bytes % PAGE != 0);
}

bool memquota_take_inode(struct memquota *q)
{
	if (q->max_inodes && q->used_inodes >= q->max_inodes)
		return false;
	q->used_inodes++;
	return true;
}

void memquota_give_inode(struct memquota *q)
{
	q->used_inodes--;
}

static bool quota_allows(const struct memquota *q, uint64_t more)
{
	return !q->max_pages || (q->used_pages <= q->max_pages &&
				 more <= q->max_pages - q->used_pages);
}

static void set_charge(struct memfile *mf, uint64_t pages)
{
	mf->q->used_pages += pages - mf->pages;
	mf->pages = pages;
}

void memfile_init(struct memfile *mf, struct memquota *q)
{
	*mf = (struct memfile){ .q = q, .fd = -1, .ro_fd = -1 };
}

static void idle_leave(struct memfile *mf)
{
	if (!mf->idle.next)
		return;
	list_del_init(&mf->idle);
	mf->idle.next = NULL;
	idle_count--;
}

void memfile_fini(struct memfile *mf)
{
	idle_leave(mf);
	set_charge(mf, 0);
	free(mf->buf);
	if (mf->fd >= 0)
		memhost_close(mf->fd);
	mf->buf = NULL;
	if (mf->ro_fd >= 0)
		memhost_close(mf->ro_fd);
	mf->fd = mf->ro_fd = -1;
}

void memfile_refresh(struct memfile *mf)
{
	int64_t blocks;

	if (mf->fd < 0)
		return;
	blocks = memhost_blocks(mf->fd);
	if (blocks >= 0)
		set_charge(mf, (uint64_t)blocks / (PAGE / 512));
}

static uint64_t small_limit(const struct memfile *mf)
{
	return mf->q->host_file ? MEMFILE_SMALL_ON_DISK : MEMFILE_SMALL;
}

static bool can_be_buffer(const struct memfile *mf)
{
	return mf->fd >= 0 && !mf->mappers && mf->size <= small_limit(mf) &&
	       !(mf->seals & ~LX_F_SEAL_SEAL);
}

/* Back to a buffer, if the file is still one that can be; else it stays as it is. */
static void to_buffer(struct memfile *mf)
{
	uint64_t pages = pages_for(mf->size);
	uint8_t *b;

	idle_leave(mf);
	if (!can_be_buffer(mf))
		return;
	memfile_refresh(mf);
	/* Holes are pages in a buffer. */
	if (pages > mf->pages && !quota_allows(mf->q, pages - mf->pages))
		return;
	b = malloc(mf->size ? mf->size : 1);
	if (!b)
		return;
	if (memhost_pread(mf->fd, b, mf->size, 0) != (int64_t)mf->size) {
		free(b);
		return;
	}
	memhost_close(mf->fd);
	if (mf->ro_fd >= 0)
		memhost_close(mf->ro_fd);
	mf->fd = mf->ro_fd = -1;
	mf->buf = b;
	mf->cap = mf->size ? mf->size : 1;
	set_charge(mf, pages);
}

static void idle_keep(unsigned most)
{
	while (idle_count > most)
		to_buffer(list_entry(idle.next, struct memfile, idle));
}

static int host_file_new(struct memfile *mf)
{
	return mf->q->host_file ? mf->q->host_file(mf->q) : memhost_new();
}

static int to_memfd(struct memfile *mf)
{
	int fd, err = 0;

	if (mf->fd >= 0)
		return 0;
	fd = host_file_new(mf);
	if (fd < 0 && idle_count) {
		idle_keep(0);
		fd = host_file_new(mf);
	}
	if (fd < 0)
		return fd == -LX_ENOMEM ? fd : -LX_ENFILE;
	if (mf->size) {
		int64_t n = memhost_pwrite(fd, mf->buf, mf->size, 0);

		if (n != (int64_t)mf->size)
			err = n < 0 ? (int)n : -LX_ENOSPC;
	}
	if (err) {
		memhost_close(fd);
		return err;
	}
	free(mf->buf);
	mf->buf = NULL;
	mf->cap = 0;
	mf->fd = fd;
	memfile_refresh(mf);
	return 0;
}

/* ---- the buffer ---- */

static int buf_reserve(struct memfile *mf, size_t need)
{
	size_t cap = mf->cap ? mf->cap : BUF_STEP;
	uint8_t *b;

	if (need <= mf->cap)
		return 0;
	while (cap < need)
		cap *= 2;
	b = realloc(mf->buf, cap);
	if (!b)
		return -LX_ENOMEM;
	mf->buf = b;
	mf->cap = cap;
	return 0;
}

/* Length len, new bytes zero. */
static int buf_resize(struct memfile *mf, uint64_t len)
{
	int err;

	if (len > mf->size) {
		if (!quota_allows(mf->q, pages_for(len) - pages_for(mf->size)))
			return -LX_ENOSPC;
		err = buf_reserve(mf, len);
		if (err)
			return err;
		memset(mf->buf + mf->size, 0, len - mf->size);
	} else if (len == 0) {
		free(mf->buf);
		mf->buf = NULL;
		mf->cap = 0;
	}
	mf->size = len;
	set_charge(mf, pages_for(len));
	return 0;
}

static int64_t buf_write(struct memfile *mf, struct uio *u, uint64_t pos)
{
	uint64_t old = mf->size, end = pos + u->resid;
	int err = end > old ? buf_resize(mf, end) : 0;
	long n;

	if (err)
		return err;
	n = uio_from_user(u, mf->buf + pos, u->resid);
	if (end > old && (n < 0 || pos + (uint64_t)n < end)) {
		/* A fault: nothing that was not written may show. */
		uint64_t keep = n > 0 ? pos + (uint64_t)n : old;

		(void)buf_resize(mf, keep > old ? keep : old);
	}
	return n;
}

/* ---- reading and writing ---- */

int64_t memfile_read(struct memfile *mf, struct uio *u, int64_t pos)
{
	int64_t done = 0;
	uint64_t left;

	if ((uint64_t)pos >= mf->size || u->resid == 0)
		return 0;
	left = mf->size - (uint64_t)pos;
	if (left > u->resid)
		left = u->resid;
	if (mf->fd < 0)
		return uio_to_user(u, mf->buf + pos, left);
	while (left) {
		size_t chunk = left < sizeof(bounce) ? left : sizeof(bounce);
		int64_t n = memhost_pread(mf->fd, bounce, chunk, pos);
		long moved;

		if (n <= 0)
			return done ? done : n;
		moved = uio_to_user(u, bounce, (size_t)n);
		if (moved < 0)
			return done ? done : moved;
		done += moved;
		pos += moved;
		left -= (uint64_t)moved;
		if (moved < n)
			break;
	}
	return done;
}

static int64_t fd_write(struct memfile *mf, struct uio *u, int64_t pos)
{
	int64_t done = 0;

	while (u->resid) {
		size_t chunk = u->resid < sizeof(bounce) ? u->resid : sizeof(bounce);
		long moved = uio_from_user(u, bounce, chunk);
		int64_t n;

		if (moved < 0)
			return done ? done : moved;
		n = memhost_pwrite(mf->fd, bounce, (size_t)moved, pos);
		if (n < 0)
			return done ? done : n;
		done += n;
		pos += n;
		if ((uint64_t)pos > mf->size)
			mf->size = (uint64_t)pos;
		if (n < moved || (size_t)moved < chunk)
			break;
	}
	return done;
}

/* How much of a write at pos the quota lets in: what pages that are there already hold,
 * and as many pages more as are free. In a file with holes every page may be a new one. */
static uint64_t quota_room(const struct memfile *mf, uint64_t pos, uint64_t want)
{
	bool dense = mf->fd < 0 || (pos <= mf->size && mf->pages >= pages_for(mf->size));
	uint64_t left, end;

	if (quota_allows(mf->q, pages_for(want) + 1))
		return want;
	left = mf->q->max_pages > mf->q->used_pages ? mf->q->max_pages - mf->q->used_pages : 0;
	end = ((dense ? mf->pages : pos / PAGE) + left) * PAGE;
	if (end <= pos)
		return 0;
	return want < end - pos ? want : end - pos;
}

int64_t memfile_write(struct memfile *mf, struct uio *u, int64_t pos)
{
	uint64_t end = (uint64_t)pos + u->resid, room, cut = 0;
	bool grows;
	int64_t n;
	int err;

	if (u->resid == 0)
		return 0;
	if (mf->seals & (LX_F_SEAL_WRITE | LX_F_SEAL_FUTURE_WRITE))
		return -LX_EPERM;
	if ((mf->seals & LX_F_SEAL_GROW) && end > mf->size)
		return -LX_EPERM;
	/* Full pages are the common case; what overwrites existing ones costs nothing. */
	grows = end > mf->pages * PAGE || mf->pages < pages_for(mf->size);
	if (grows) {
		room = quota_room(mf, (uint64_t)pos, u->resid);
		if (room == 0)
			return -LX_ENOSPC;
		cut = u->resid - room;
		end -= cut;
	}
	u->resid -= cut;
	if (mf->fd < 0 && end <= small_limit(mf)) {
		n = buf_write(mf, u, (uint64_t)pos);
	} else {
		err = to_memfd(mf);
		n = err ? err : fd_write(mf, u, pos);
		if (!err && grows)
			memfile_refresh(mf);
	}
	u->resid += cut;
	return n;
}

int memfile_truncate(struct memfile *mf, uint64_t size)
{
	int err;

	if (size == mf->size)
		return 0;
	if ((size < mf->size && (mf->seals & LX_F_SEAL_SHRINK)) ||
	    (size > mf->size && (mf->seals & LX_F_SEAL_GROW)))
		return -LX_EPERM;
	if (mf->fd < 0 && size <= small_limit(mf))
		return buf_resize(mf, size);
	err = to_memfd(mf);
	if (!err)
		err = memhost_truncate(mf->fd, size);
	if (err)
		return err;
	mf->size = size;
	memfile_refresh(mf);
	return 0;
}

static int punch(struct memfile *mf, int64_t off, int64_t len)
{
	uint64_t end = (uint64_t)off + (uint64_t)len;
	int err;

	if (mf->seals & (LX_F_SEAL_WRITE | LX_F_SEAL_FUTURE_WRITE))
		return -LX_EPERM;
	if (mf->fd < 0) {
		if ((uint64_t)off < mf->size)
			memset(mf->buf + off, 0, (end < mf->size ? end : mf->size) -
							 (uint64_t)off);
		return 0;
	}
	err = memhost_fallocate(mf->fd, LX_FALLOC_FL_PUNCH_HOLE | LX_FALLOC_FL_KEEP_SIZE, off,
				len);
	memfile_refresh(mf);
	return err;
}

/* As much as a tmpfs holds by default: half of the memory. */
static uint64_t most_at_once(void)
{
	struct host_mem m;

	host_mem(&m);
	return m.total / 2;
}

int memfile_fallocate(struct memfile *mf, uint32_t mode, int64_t off, int64_t len)
{
	uint64_t end = (uint64_t)off + (uint64_t)len;
	bool grows = !(mode & LX_FALLOC_FL_KEEP_SIZE) && end > mf->size;
	int err;

	if (mode == (LX_FALLOC_FL_PUNCH_HOLE | LX_FALLOC_FL_KEEP_SIZE))
		return punch(mf, off, len);
	if (mode & ~LX_FALLOC_FL_KEEP_SIZE)
		return -LX_EOPNOTSUPP;
	if (grows && (mf->seals & LX_F_SEAL_GROW))
		return -LX_EPERM;
	if (mf->fd < 0 && end <= small_limit(mf))
		return grows ? buf_resize(mf, end) : 0;
	if (pages_for(end) > mf->pages && !quota_allows(mf->q, pages_for(end) - mf->pages) &&
	    !quota_allows(mf->q, pages_for((uint64_t)len)))
		return -LX_ENOSPC;
	/* The host would take its memory page by page until there is none left. */
	if ((uint64_t)len > most_at_once())
		return -LX_ENOSPC;
	err = to_memfd(mf);
	if (!err)
		err = memhost_fallocate(mf->fd, mode, off, len);
	if (!err && grows)
		mf->size = end;
	memfile_refresh(mf);
	return err;
}

/* The memfd for one who may only read the file: borrowed, or -LX_E…. */
static int readonly_fd(struct memfile *mf)
{
	int fd;

	if (mf->ro_fd >= 0)
		return mf->ro_fd;
	if (!memfile_reopen_readonly)
		return mf->fd;
	fd = memfile_reopen_readonly(mf->fd);
	if (fd >= 0)
		return mf->ro_fd = fd;
	if (fd != -LX_ENOSYS)
		return fd;
	memfile_reopen_readonly = NULL;
	return mf->fd;
}

static int dup_for_map(struct memfile *mf, bool readonly, int *out)
{
	int fd = readonly ? readonly_fd(mf) : mf->fd;

	if (fd < 0)
		return fd;
	fd = memhost_dup(fd);
	if (fd < 0)
		return -LX_ENFILE;
	*out = fd;
	return 0;
}

int memfile_map(struct memfile *mf, bool writable, struct file_map *m)
{
	bool sealed = mf->seals & (LX_F_SEAL_WRITE | LX_F_SEAL_FUTURE_WRITE);
	bool rw = m->shared && m->want_write && writable && !sealed;
	int err = to_memfd(mf);

	if (err)
		return err;
	m->no_maywrite = m->shared && (!writable || sealed);
	/* Whoever may write the file gains nothing by an fd that can. */
	err = dup_for_map(mf, !rw && (!writable || sealed), &m->host_fd);
	if (err && idle_count) {
		/* This one may be idle itself, for now. */
		mf->mappers++;
		idle_keep(0);
		mf->mappers--;
		err = dup_for_map(mf, !rw && (!writable || sealed), &m->host_fd);
	}
	if (err)
		return err;
	m->host_off = m->off;
	return 0;
}

/* ---- file operations ---- */

static void show_size(struct file *f)
{
	struct memfile *mf = f->priv;

	f->inode->size = mf->size;
	f->inode->blocks = mf->pages * (PAGE / 512);
}

static int64_t op_read(struct file *f, struct uio *u, int64_t *pos, uint32_t rwf)
{
	int64_t n = memfile_read(f->priv, u, *pos);

	(void)rwf;
	if (n > 0)
		*pos += n;
	if (n >= 0)
		file_touch_atime(f);
	return n;
}

static int64_t op_write(struct file *f, struct uio *u, int64_t *pos, uint32_t rwf)
{
	int64_t n = memfile_write(f->priv, u, *pos);

	(void)rwf;
	if (n > 0) {
		*pos += n;
		inode_touch_mtime(f->inode);
	}
	show_size(f);
	return n;
}

static int op_fallocate(struct file *f, uint32_t mode, int64_t off, int64_t len)
{
	int err = memfile_fallocate(f->priv, mode, off, len);

	if (!err) {
		inode_touch_mtime(f->inode);
		show_size(f);
	}
	return err;
}

static int op_mmap(struct file *f, struct file_map *m)
{
	struct memfile *mf = f->priv;
	int err = memfile_map(mf, f->mode & FMODE_WRITE, m);

	if (!err && !(f->mode & FMODE_MAPPED)) {
		f->mode |= FMODE_MAPPED;
		mf->mappers++;
	}
	return err;
}

/* Every mapping holds its open file: without one that has mapped it nothing is mapped. */
static void op_release(struct file *f)
{
	struct memfile *mf = f->priv;

	if (f->mode & FMODE_MAPPED)
		mf->mappers--;
	if (!can_be_buffer(mf))
		return;
	idle_leave(mf);
	list_push_back(&idle, &mf->idle);
	idle_count++;
	idle_keep(memfile_idle_max);
}

static int64_t op_seek(struct file *f, int64_t off, int whence)
{
	struct memfile *mf = f->priv;
	int64_t size = (int64_t)mf->size;

	switch (whence) {
	case LX_SEEK_SET:
		break;
	case LX_SEEK_CUR:
		if (__builtin_add_overflow(off, f->pos, &off))
			return -LX_EINVAL;
		break;
	case LX_SEEK_END:
		if (__builtin_add_overflow(off, size, &off))
			return -LX_EINVAL;
		break;
	case LX_SEEK_DATA:
	case LX_SEEK_HOLE:
		if (off < 0 || off >= size)
			return -LX_ENXIO;
		if (mf->fd >= 0)
			return memhost_seek(mf->fd, off, whence);
		return whence == LX_SEEK_DATA ? off : size;
	default:
		return -LX_EINVAL;
	}
	return off < 0 ? -LX_EINVAL : off;
}

static int64_t add_seals(struct file *f, uint32_t seals)
{
	const uint32_t on_host = LX_F_SEAL_WRITE | LX_F_SEAL_FUTURE_WRITE;
	struct memfile *mf = f->priv;
	int err;

	if (!(f->mode & FMODE_WRITE))
		return -LX_EPERM;
	if (seals & ~LX_F_SEAL_VALID)
		return -LX_EINVAL;
	if (mf->seals & LX_F_SEAL_SEAL)
		return -LX_EPERM;
	/* What may be run and cannot be made otherwise must not change either. */
	if ((seals & LX_F_SEAL_EXEC) && (f->inode->mode & 0111))
		seals |= LX_F_SEAL_SHRINK | LX_F_SEAL_GROW | LX_F_SEAL_WRITE |
			 LX_F_SEAL_FUTURE_WRITE;
	if (seals & on_host) {
		/* The host knows whether somebody has it mapped for writing. */
		err = to_memfd(mf);
		if (!err)
			err = memhost_add_seals(mf->fd, seals & on_host);
		if (err)
			return err;
	}
	mf->seals |= seals;
	return 0;
}

static int64_t op_fcntl(struct task *t, struct file *f, uint32_t cmd, uint64_t arg)
{
	struct memfile *mf = f->priv;

	(void)t;
	if (f->inode->sb->magic != LX_TMPFS_MAGIC)
		return -LX_EINVAL;
	if (cmd == LX_F_GET_SEALS)
		return mf->seals;
	if (cmd == LX_F_ADD_SEALS)
		return add_seals(f, (uint32_t)arg);
	return -LX_EINVAL;
}

const struct file_ops memfile_file_ops = {
	.name = "memfile",
	.release = op_release,
	.read = op_read,
	.write = op_write,
	.fallocate = op_fallocate,
	.mmap = op_mmap,
	.was_read = file_touch_atime,
	.seek = op_seek,
	.fcntl = op_fcntl,
};
