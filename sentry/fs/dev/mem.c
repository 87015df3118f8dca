/* /dev/null, zero, full, random and urandom. */
#include <stdlib.h>

#include "sentry/fs/dev/dev_impl.h"
#include "sentry/mm/usercopy.h"
#include "sentry/signal/signal.h"
#include "sentry/task/task.h"
#include "sentry/vfs/file_io.h"
#include "syscalls/abi/lx_cap.h"

#define CHUNK 65536u
#define LONG_CHUNK (1u << 20)

static int64_t read_nothing(struct file *f, struct uio *u, int64_t *pos, uint32_t rwf)
{
	(void)f;
	(void)u;
	(void)pos;
	(void)rwf;
	return 0;
}

static int64_t write_all(struct file *f, struct uio *u, int64_t *pos, uint32_t rwf)
{
	size_t n = u->resid;

	(void)f;
	(void)pos;
	(void)rwf;
	uio_skip(u, n);
	return (int64_t)n;
}

static int64_t write_full(struct file *f, struct uio *u, int64_t *pos, uint32_t rwf)
{
	(void)f;
	(void)u;
	(void)pos;
	(void)rwf;
	return -LX_ENOSPC;
}

/* Big transfers let other tasks in between their parts, and end early for a signal. */
static bool pause_between(struct file *f, const struct uio *u)
{
	if (u->task && signal_pending(u->task))
		return false;
	kernel_release_host(f->k);
	kernel_reacquire_host(f->k);
	return !u->task || !signal_pending(u->task);
}

static int64_t read_zeros(struct file *f, struct uio *u, int64_t *pos, uint32_t rwf)
{
	int64_t total = 0;

	(void)pos;
	(void)rwf;
	while (u->resid) {
		size_t n = u->resid < LONG_CHUNK ? u->resid : LONG_CHUNK;
		long done;

		if (total && !pause_between(f, u))
			break;
		done = uio_zero(u, n);
		if (done < 0)
			return total ? total : done;
		total += done;
		if ((size_t)done < n)
			break;
	}
	return total;
}

static int64_t read_random(struct file *f, struct uio *u, int64_t *pos, uint32_t rwf)
{
	AUTO_FREE uint8_t *big = NULL;
	uint8_t small[512], *buf = small;
	size_t size = sizeof(small);
	int64_t total = 0;

	(void)pos;
	(void)rwf;
	if (u->resid > sizeof(small)) {
		big = malloc(CHUNK);
		if (big) {
			buf = big;
			size = CHUNK;
		}
	}
	while (u->resid) {
		size_t n = u->resid < size ? u->resid : size;
		long done;

		if (total && !pause_between(f, u))
			break;
		krandom(buf, n);
		done = uio_to_user(u, buf, n);
		if (done < 0)
			return total ? total : done;
		total += done;
		if ((size_t)done < n)
			break;
	}
	return total;
}

/* random(4): the pool is always full; adding to it is the administrator's business and
 * has no effect here. */
static int64_t random_ioctl(struct task *t, struct file *f, uint32_t cmd, uint64_t arg)
{
	enum { RNDGETENTCNT = 0x80045200, RNDADDTOENTCNT = 0x40045201, RNDGETPOOL = 0x80085202,
	       RNDADDENTROPY = 0x40085203, RNDZAPENTCNT = 0x5204, RNDCLEARPOOL = 0x5206,
	       RNDRESEEDCRNG = 0x5207 };
	int32_t bits = 256;

	(void)f;
	switch (cmd) {
	case RNDGETENTCNT:
		return copy_out(t, (struct uaddr){ arg }, &bits, sizeof(bits));
	case RNDADDTOENTCNT:
	case RNDADDENTROPY:
	case RNDZAPENTCNT:
	case RNDCLEARPOOL:
	case RNDRESEEDCRNG:
		return task_capable(t, LX_CAP_SYS_ADMIN) ? 0 : -LX_EPERM;
	default:
		return -LX_EINVAL;
	}
}

static int64_t seek_zero(struct file *f, int64_t off, int whence)
{
	(void)off;
	(void)whence;
	return f->pos = 0;
}

/* Anonymous zero memory, private or shared with forked children. */
static int map_zero(struct file *f, struct file_map *m)
{
	(void)f;
	m->host_fd = -1;
	return 0;
}

const struct file_ops dev_null_ops = {
	.name = "null", .read = read_nothing, .write = write_all, .seek = seek_zero,
};
const struct file_ops dev_zero_ops = {
	.name = "zero", .read = read_zeros, .write = write_all, .seek = seek_zero,
	.mmap = map_zero,
};
const struct file_ops dev_full_ops = {
	.name = "full", .read = read_zeros, .write = write_full, .seek = seek_zero,
};
const struct file_ops dev_random_ops = {
	.name = "random", .read = read_random, .write = write_all, .seek = seek_zero,
	.ioctl = random_ioctl,
};
