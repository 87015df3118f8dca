/* File-descriptor tables: an array of slots, a bitmap of those in use, a bitmap of
 * close-on-exec. The lowest free fd is found from a hint below which all are taken. */
#include <stdlib.h>

#include "sentry/task/task.h"
#include "sentry/vfs/file_io.h"
#include "sentry/vfs/vfs_impl.h"
#include "syscalls/abi/lx_resource.h"

#define FD_MAX (1 << 20) /* fs.nr_open */
#define FD_FIRST_SIZE 64

struct fdtable {
	struct refs refs;
	unsigned size;		/* slots, a multiple of 64 */
	unsigned hint;		/* no free fd below */
	struct file **files;
	uint64_t *used, *cloexec;
};

static bool bit_get(const uint64_t *map, unsigned i)
{
	return map[i / 64] >> (i % 64) & 1;
}

static void bit_put(uint64_t *map, unsigned i, bool on)
{
	if (on)
		map[i / 64] |= 1ull << (i % 64);
	else
		map[i / 64] &= ~(1ull << (i % 64));
}

static bool table_resize(struct fdtable *ft, unsigned size)
{
	struct file **files = calloc(size, sizeof(*files));
	uint64_t *maps = calloc(size / 32, sizeof(*maps)); /* both bitmaps */

	if (!files || !maps) {
		free(files);
		free(maps);
		return false;
	}
	if (ft->size) {
		memcpy(files, ft->files, ft->size * sizeof(*files));
		memcpy(maps, ft->used, ft->size / 8);
		memcpy(maps + size / 64, ft->cloexec, ft->size / 8);
	}
	free(ft->files);
	free(ft->used);
	ft->files = files;
	ft->used = maps;
	ft->cloexec = maps + size / 64;
	ft->size = size;
	return true;
}

static struct fdtable *table_new(unsigned size)
{
	struct fdtable *ft = calloc(1, sizeof(*ft));

	if (!ft)
		return NULL;
	if (!table_resize(ft, size)) {
		free(ft);
		return NULL;
	}
	refs_init(&ft->refs, "fdtable");
	return ft;
}

struct fdtable *fdtable_new(void)
{
	return table_new(FD_FIRST_SIZE);
}

struct fdtable *fdtable_dup(struct fdtable *old)
{
	unsigned top = old->size, size = FD_FIRST_SIZE;
	struct fdtable *ft;

	while (top > 0 && !old->used[top / 64 - 1])
		top -= 64;
	while (size < top)
		size *= 2;
	ft = table_new(size);
	if (!ft)
		return NULL;
	memcpy(ft->files, old->files, top * sizeof(*ft->files));
	memcpy(ft->used, old->used, top / 8);
	memcpy(ft->cloexec, old->cloexec, top / 8);
	ft->hint = old->hint < size ? old->hint : size;
	for (unsigned i = 0; i < top; i++)
		if (ft->files[i])
			file_get(ft->files[i]);
	return ft;
}

void fdtable_get(struct fdtable *ft)
{
	refs_get(&ft->refs);
}

bool fdtable_is_shared(const struct fdtable *ft)
{
	return refs_count(&ft->refs) > 1;
}

/* One fd of ft goes away: what close(2) does with the file. Takes over the reference. */
static int close_file(struct fdtable *ft, struct file *f, struct task *t)
{
	int err = 0;

	if (file_inode(f)->locks && !(f->mode & FMODE_PATH))
		locks_close_posix(f, ft);
	if (f->ops->flush)
		err = f->ops->flush(f, t);
	file_put(f);
	return err;
}

static struct file *slot_clear(struct fdtable *ft, unsigned fd)
{
	struct file *f = ft->files[fd];

	ft->files[fd] = NULL;
	bit_put(ft->used, fd, false);
	bit_put(ft->cloexec, fd, false);
	if (fd < ft->hint)
		ft->hint = fd;
	return f;
}

void fdtable_put(struct fdtable *ft, struct task *t)
{
	if (!refs_put(&ft->refs))
		return;
	for (unsigned fd = 0; fd < ft->size; fd++) {
		if (!ft->used[fd / 64]) {
			fd |= 63;
			continue;
		}
		if (ft->files[fd])
			(void)close_file(ft, slot_clear(ft, fd), t);
	}
	free(ft->files);
	free(ft->used);
	free(ft);
}

static struct file *peek(const struct fdtable *ft, int fd)
{
	return fd >= 0 && (unsigned)fd < ft->size ? ft->files[fd] : NULL;
}

struct file *fdtable_lookup(struct fdtable *ft, int fd)
{
	struct file *f = peek(ft, fd);

	if (f)
		file_get(f);
	return f;
}

struct file *fd_file_any(struct task *t, int fd, int *err)
{
	struct file *f = fdtable_lookup(t->fds, fd);

	*err = f ? 0 : -LX_EBADF;
	return f;
}

struct file *fd_file(struct task *t, int fd, int *err)
{
	struct file *f = peek(t->fds, fd);

	if (!f || (f->mode & FMODE_PATH)) {
		*err = -LX_EBADF;
		return NULL;
	}
	*err = 0;
	file_get(f);
	return f;
}

static uint64_t fd_limit(const struct task *t)
{
	uint64_t limit = rlimit_cur(t, LX_RLIMIT_NOFILE);

	return limit < FD_MAX ? limit : FD_MAX;
}

/* Lowest free fd >= from; may be the size of the table. */
static unsigned lowest_free(const struct fdtable *ft, unsigned from)
{
	unsigned i = from;

	while (i < ft->size) {
		uint64_t free_bits = ~ft->used[i / 64] & (~0ull << (i % 64));

		if (free_bits)
			return (i & ~63u) + (unsigned)__builtin_ctzll(free_bits);
		i = (i | 63) + 1;
	}
	return i;
}

static bool grow_to_hold(struct fdtable *ft, unsigned fd)
{
	unsigned size = ft->size;

	while (size <= fd)
		size *= 2;
	return size == ft->size || table_resize(ft, size);
}

static void slot_fill(struct fdtable *ft, unsigned fd, struct file *f, uint32_t fdflags)
{
	file_get(f);
	ft->files[fd] = f;
	bit_put(ft->used, fd, true);
	bit_put(ft->cloexec, fd, fdflags & FD_CLOEXEC_FLAG);
}

int fdtable_add_min(struct task *t, struct file *f, int min, uint32_t fdflags)
{
	struct fdtable *ft = t->fds;
	uint64_t limit = fd_limit(t);
	unsigned start = (unsigned)min, fd;

	if (min < 0 || (uint64_t)min >= limit)
		return -LX_EINVAL;
	fd = lowest_free(ft, start > ft->hint ? start : ft->hint);
	if (fd >= limit)
		return -LX_EMFILE;
	if (!grow_to_hold(ft, fd))
		return -LX_ENOMEM;
	slot_fill(ft, fd, f, fdflags);
	if (start <= ft->hint)
		ft->hint = fd + 1;
	return (int)fd;
}

int fdtable_add(struct task *t, struct file *f, uint32_t fdflags)
{
	int fd = fdtable_add_min(t, f, 0, fdflags);

	return fd == -LX_EINVAL ? -LX_EMFILE : fd;
}

int fdtable_room(struct task *t)
{
	return lowest_free(t->fds, t->fds->hint) < fd_limit(t) ? 0 : -LX_EMFILE;
}

int fdtable_set(struct task *t, int fd, struct file *f, uint32_t fdflags)
{
	struct fdtable *ft = t->fds;
	struct file *old;

	if (fd < 0 || (uint64_t)fd >= fd_limit(t))
		return -LX_EBADF;
	if (!grow_to_hold(ft, (unsigned)fd))
		return -LX_ENOMEM;
	old = ft->files[fd];
	slot_fill(ft, (unsigned)fd, f, fdflags);
	if (old)
		(void)close_file(ft, old, t);
	return fd;
}

int fdtable_close(struct task *t, int fd)
{
	if (!peek(t->fds, fd))
		return -LX_EBADF;
	return close_file(t->fds, slot_clear(t->fds, (unsigned)fd), t);
}

void fdtable_close_range(struct task *t, unsigned first, unsigned last, bool cloexec_only)
{
	struct fdtable *ft = t->fds;

	for (unsigned fd = first; fd < ft->size && fd <= last; fd++) {
		if (!ft->used[fd / 64]) {
			fd |= 63;
			continue;
		}
		if (!ft->files[fd])
			continue;
		if (cloexec_only)
			bit_put(ft->cloexec, fd, true);
		else
			(void)close_file(ft, slot_clear(ft, fd), t);
	}
}

void fdtable_close_exec(struct task *t)
{
	struct fdtable *ft = t->fds;

	for (unsigned fd = 0; fd < ft->size; fd++) {
		if (!(ft->cloexec[fd / 64] & ft->used[fd / 64])) {
			fd |= 63;
			continue;
		}
		if (ft->files[fd] && bit_get(ft->cloexec, fd))
			(void)close_file(ft, slot_clear(ft, fd), t);
	}
}

int fdtable_next(struct fdtable *ft, int from, struct file **out)
{
	for (unsigned fd = from < 0 ? 0 : (unsigned)from; fd < ft->size; fd++) {
		if (ft->files[fd]) {
			file_get(ft->files[fd]);
			*out = ft->files[fd];
			return (int)fd;
		}
	}
	return -1;
}

int fdtable_flags(struct fdtable *ft, int fd)
{
	if (!peek(ft, fd))
		return -LX_EBADF;
	return bit_get(ft->cloexec, (unsigned)fd) ? (int)FD_CLOEXEC_FLAG : 0;
}

int fdtable_set_flags(struct fdtable *ft, int fd, uint32_t fdflags)
{
	if (!peek(ft, fd))
		return -LX_EBADF;
	bit_put(ft->cloexec, (unsigned)fd, fdflags & FD_CLOEXEC_FLAG);
	return 0;
}
