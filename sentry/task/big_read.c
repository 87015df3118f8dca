/* Large reads by the reading thread itself (task_big_read()). The call's handler runs twice:
 * it orders the read, and is run again when the thread has done it or could not. */
#include "platform/base/bug.h"
#include "sentry/mm/mm.h"
#include "sentry/task/task.h"
#include "sentry/vfs/file_io.h"
#include "sentry/vfs/fsnotify.h"
#include "sentry/vfs/vfs.h"
#include "syscalls/abi/lx_inotify.h"
#include "syscalls/abi/lx_stat.h"

#define MAX_RW_COUNT 0x7ffff000ULL

void task_big_read_end(struct task *t)
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

/* How much there is at pos, as far as count goes. */
static uint64_t available(struct file *f, int64_t pos, uint64_t count)
{
	struct inode *i = f->inode;
	struct kstat k = { .size = i->size };

	if (i->ops->getattr && i->ops->getattr(i, &k))
		return 0;
	if (pos < 0 || (uint64_t)pos >= k.size)
		return 0;
	if (count > MAX_RW_COUNT)
		count = MAX_RW_COUNT;
	return count < k.size - (uint64_t)pos ? count : k.size - (uint64_t)pos;
}

/* false: it cannot be. */
static bool order(struct task *t, struct file *f, uint64_t buf, uint64_t count,
		  const int64_t *pos)
{
	struct file_map m = { .host_fd = -1 };
	int64_t at = pos ? *pos : f->pos;
	uint64_t len, skip = (uint64_t)at % LX_PAGE_SIZE;

	if (file_may_read(f, pos, 0) || !f->ops->was_read || !f->ops->mmap ||
	    !LX_S_ISREG(f->inode->mode))
		return false;
	len = available(f, at, count);
	if (len < PLAT_BIG_READ || buf >= PLAT_GUEST_MAX || len > PLAT_GUEST_MAX - buf)
		return false;
	m.off = (uint64_t)at - skip;
	m.len = len + skip;
	if (f->ops->mmap(f, &m) || m.host_fd < 0)
		return false;
	BUG_ON(t->batch.count || !plat_batch_add(&t->batch, (struct plat_cmd){
		.op = PLAT_CMD_PREAD, .fd = m.host_fd, .a = { buf, len, m.host_off + skip } }));
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

bool task_big_read(struct task *t, struct file *f, uint64_t buf, uint64_t count,
		   const int64_t *pos, long *out)
{
	struct file *was = t->big.file;

	switch (t->big.state) {
	case BIG_NONE:
		if (t->partial || count < PLAT_BIG_READ || !order(t, f, buf, count, pos))
			return false;
		*out = -LX_ERAN;
		return true;
	case BIG_DONE:
		*out = (long)t->big.len;
		was->ops->was_read(was);
		if (fsnotify_marks)
			fsnotify_file(was, LX_IN_ACCESS);
		t->tg->io.rchar += t->big.len;
		t->tg->io.syscr++;
		task_big_read_end(t);
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
