/* Large reads and writes by the calling thread itself (task_big_io()). The call's handler runs
 * twice: it orders the transfer, and is run again when the thread has done it or could not.
 * What went wrong, or only in part, is done once more by the sentry, which finds out how. */
#include "platform/base/bug.h"
#include "sentry/mm/mm.h"
#include "sentry/task/task.h"
#include "sentry/vfs/file_io.h"
#include "sentry/vfs/fsnotify.h"
#include "sentry/vfs/vfs.h"
#include "syscalls/abi/lx_fcntl.h"
#include "syscalls/abi/lx_inotify.h"
#include "syscalls/abi/lx_resource.h"
#include "syscalls/abi/lx_stat.h"

#define MAX_RW_COUNT 0x7ffff000ULL

void task_big_io_end(struct task *t)
{
	if (t->big.file)
		file_put(t->big.file);
	t->big.file = NULL;
	t->big.state = BIG_NONE;
}

static void done(struct task *t)
{
	t->big.state = BIG_DONE;
}

/* How much of [at, at + count) there is. */
static uint64_t readable(struct file *f, int64_t at, uint64_t count)
{
	struct inode *i = f->inode;
	struct kstat k = { .size = i->size };

	if (i->ops->getattr && i->ops->getattr(i, &k))
		return 0;
	if ((uint64_t)at >= k.size)
		return 0;
	return count < k.size - (uint64_t)at ? count : k.size - (uint64_t)at;
}

/* How much of it may be written without anything else to be done. */
static uint64_t writable(struct task *t, const struct file *f, int64_t at, uint64_t count)
{
	uint64_t limit = rlimit_cur(t, LX_RLIMIT_FSIZE);

	if ((f->flags & (LX_O_APPEND | LX_O_DSYNC | LX_O_DIRECT)) ||
	    (f->inode->mode & (LX_S_ISUID | LX_S_ISGID)) || count > INT64_MAX - (uint64_t)at)
		return 0;
	return limit == LX_RLIM_INFINITY || (uint64_t)at + count <= limit ? count : 0;
}

/* Its descriptor and where in it `at` is, or -1. */
static int lend(struct file *f, int64_t at, uint64_t len, bool write, uint64_t *off)
{
	uint64_t skip = (uint64_t)at % LX_PAGE_SIZE;
	struct file_map m = { .host_fd = -1, .off = (uint64_t)at - skip, .len = len + skip };

	*off = (uint64_t)at;
	if (write)
		return f->ops->lend_write(f);
	if (f->ops->mmap(f, &m))
		return -1;
	*off = m.host_off + skip;
	return m.host_fd;
}

/* false: it cannot be. */
static bool order(struct task *t, struct file *f, uint64_t buf, uint64_t count,
		  const int64_t *pos, bool write)
{
	int64_t at = pos ? *pos : f->pos;
	uint64_t len = count < MAX_RW_COUNT ? count : MAX_RW_COUNT, off;
	int fd;

	if (!LX_S_ISREG(f->inode->mode) || at < 0 ||
	    (write ? !f->ops->lend_write : !f->ops->was_read || !f->ops->mmap))
		return false;
	len = write ? writable(t, f, at, len) : readable(f, at, len);
	if (len < PLAT_BIG_IO || buf >= PLAT_GUEST_MAX || len > PLAT_GUEST_MAX - buf)
		return false;
	fd = lend(f, at, len, write, &off);
	if (fd < 0)
		return false;
	BUG_ON(t->batch.count ||
	       !plat_batch_add(&t->batch,
			       (struct plat_cmd){ .op = write ? PLAT_CMD_PWRITE : PLAT_CMD_PREAD,
						  .fd = fd, .a = { buf, len, off } }));
	file_get(f);
	t->big.file = f;
	t->big.pos = at;
	t->big.len = len;
	t->big.state = BIG_ORDERED;
	/* Others that use the same open file meanwhile go on behind it. */
	if (!pos)
		f->pos = at + (int64_t)len;
	t->kick_fn = done;
	return true;
}

static void finish(struct task *t, bool write)
{
	struct file *f = t->big.file;
	struct io_account *io = &t->tg->io;

	if (write)
		f->ops->was_written(f, t->big.pos + (int64_t)t->big.len);
	else
		f->ops->was_read(f);
	if (fsnotify_marks)
		fsnotify_file(f, write ? LX_IN_MODIFY : LX_IN_ACCESS);
	*(write ? &io->wchar : &io->rchar) += t->big.len;
	(*(write ? &io->syscw : &io->syscr))++;
	task_big_io_end(t);
}

bool task_big_io(struct task *t, struct file *f, uint64_t buf, uint64_t count,
		 const int64_t *pos, bool write, long *out)
{
	struct file *was = t->big.file;

	switch (t->big.state) {
	case BIG_NONE:
		if (t->partial || !order(t, f, buf, count, pos, write))
			return false;
		*out = -LX_ERAN;
		return true;
	case BIG_DONE:
		*out = (long)t->big.len;
		finish(t, write);
		return true;
	case BIG_FAILED:
		if (was && !pos && was->pos == t->big.pos + (int64_t)t->big.len)
			was->pos = t->big.pos;
		if (was)
			file_put(was);
		t->big.file = NULL;
		return false;
	case BIG_ORDERED:
		break;
	}
	BUG();
}
