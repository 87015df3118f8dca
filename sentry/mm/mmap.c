/* mmap, munmap, mprotect, brk: Linux's rules and error order, the books, and the host
 * commands that follow. Everything under the kernel lock. */
#include "platform/base/bug.h"
#include "sentry/fs/proc/hostinfo.h"
#include "sentry/ipc/shm.h"
#include "sentry/mm/mm_impl.h"
#include "syscalls/abi/lx_prctl.h"
#include "syscalls/abi/lx_resource.h"
#include "syscalls/abi/lx_statfs.h"

/* Below 2 GiB, where Linux puts MAP_32BIT. */
#define LOW32_START 0x40000000ULL
#define LOW32_END 0x80000000ULL
#define HUGE_PAGE (2ULL << 20)
#define OVERCOMMIT_CHECK (1ULL << 30) /* less is not worth asking */

/* ---- host commands ---- */

void mm_cmd(struct plat_batch *b, enum plat_cmd_op op, uint64_t a0, uint64_t a1, uint64_t a2,
	    uint64_t a3, uint64_t a4)
{
	BUG_ON(!plat_batch_add(b, (struct plat_cmd){ .op = op, .fd = -1,
						     .a = { a0, a1, a2, a3, a4 } }));
}

void mm_cmd_map(struct plat_batch *b, const struct vma *v, uint64_t start, uint64_t end, int fd,
		uint64_t off, uint32_t extra_flags)
{
	uint32_t flags = LX_MAP_FIXED | extra_flags;
	struct plat_cmd c = { .op = PLAT_CMD_MMAP, .fd = fd };

	if (!(v->flags & VMA_SHARED))
		c.same = (uintptr_t)v->file;
	flags |= (v->flags & VMA_SHARED) ? LX_MAP_SHARED : LX_MAP_PRIVATE;
	if (fd < 0)
		flags |= LX_MAP_ANONYMOUS;
	if (v->flags & VMA_NORESERVE)
		flags |= LX_MAP_NORESERVE;
	c.a[0] = start;
	c.a[1] = end - start;
	c.a[2] = v->prot;
	c.a[3] = flags;
	c.a[4] = (uint64_t)(int64_t)fd;
	c.a[5] = fd < 0 ? 0 : off;
	BUG_ON(!plat_batch_add(b, c));
}

/* ---- the books ---- */

void mm_enter(struct mm *mm, struct vma *v)
{
	mm_account(mm, v, 1);
	vma_insert(mm->vmas, v);
}

int mm_forget(struct mm *mm, uint64_t start, uint64_t end)
{
	struct vma *v, *next;
	int err = vma_isolate(mm->vmas, start, end);

	if (err)
		return err;
	for (v = vma_find(mm->vmas, start); v && v->start < end; v = next) {
		next = vma_next(v);
		mm_account(mm, v, -1);
		vma_remove(mm->vmas, v);
		vma_free(v);
	}
	return 0;
}

int mm_change_flags(struct mm *mm, uint64_t start, uint64_t end, uint32_t set, uint32_t clear)
{
	struct vma *v;
	int err = vma_isolate(mm->vmas, start, end);

	if (err)
		return err;
	for (v = vma_find(mm->vmas, start); v && v->start < end; v = vma_next(v)) {
		mm_account(mm, v, -1);
		v->flags = (v->flags & ~clear) | set;
		mm_account(mm, v, 1);
	}
	vma_merge(mm->vmas, start, end);
	return 0;
}

/* ---- choosing an address ---- */

/* The highest hole of the mmap area, else the lowest one above TASK_UNMAPPED_BASE,
 * that no batch under way is still going to unmap. */
static uint64_t search_area(struct mm *mm, struct task *t, uint64_t len, uint32_t flags)
{
	uint64_t high = mm->mmap_base, low = MM_UNMAPPED_BASE, a, lo, hi;
	uint64_t top = PLAT_GUEST_MAX;

	if (flags & LX_MAP_32BIT) {
		low = LOW32_START;
		top = LOW32_END;
	} else {
		while ((a = vma_gap_down(mm->vmas, len, PLAT_GUEST_MIN, high))) {
			if (!mm_hole_busy(mm, t, a, a + len, &lo, &hi))
				return a;
			high = lo;
		}
	}
	while ((a = vma_gap_up(mm->vmas, len, low, top))) {
		if (!mm_hole_busy(mm, t, a, a + len, &lo, &hi))
			return a;
		low = hi;
	}
	return 0;
}

/* Is [addr, addr + len) free, with the guard gaps of its neighbours? */
static bool area_free(struct mm *mm, struct task *t, uint64_t addr, uint64_t len)
{
	struct vma *next = vma_find(mm->vmas, addr);
	uint64_t lo, hi;

	return (!next || addr + len <= vma_guard_start(next)) &&
	       !mm_hole_busy(mm, t, addr, addr + len, &lo, &hi);
}

int64_t mm_get_area(struct mm *mm, struct task *t, uint64_t addr, uint64_t len, uint32_t flags,
		    bool may_align)
{
	uint64_t a;

	if (len > PLAT_GUEST_MAX)
		return -LX_ENOMEM;
	if (flags & LX_MAP_FIXED) {
		if (addr > PLAT_GUEST_MAX - len)
			return -LX_ENOMEM;
		if (PAGE_OFF(addr))
			return -LX_EINVAL;
		/* Linux: mmap_min_addr. */
		return addr < PLAT_GUEST_MIN ? -LX_EPERM : (int64_t)addr;
	}
	addr = PAGE_DOWN(addr);
	if (addr && addr < PLAT_GUEST_MIN)
		addr = PLAT_GUEST_MIN;
	if ((flags & LX_MAP_32BIT) && addr + len > LOW32_END)
		addr = 0;
	if (addr && addr <= PLAT_GUEST_MAX - len && area_free(mm, t, addr, len))
		return (int64_t)addr;
	/* As Linux does: whole huge pages start on a huge page's border. */
	if (may_align && !addr && !(flags & LX_MAP_32BIT) && len % HUGE_PAGE == 0) {
		a = search_area(mm, t, len + HUGE_PAGE - LX_PAGE_SIZE, flags);
		if (a)
			return (int64_t)((a + HUGE_PAGE - LX_PAGE_SIZE) & ~(HUGE_PAGE - 1));
	}
	a = search_area(mm, t, len, flags);
	return a ? (int64_t)a : -LX_ENOMEM;
}

/* ---- mmap ---- */

/* What mm_map() works out before it touches anything. */
struct map_work {
	uint64_t addr, len, off;
	uint32_t prot, vmflags;
	uint32_t host_flags;
	struct file *file;	/* counted or NULL */
	int fd;			/* host fd, owned */
	uint64_t host_off;
};

static int check_file_map(const struct mm_map_req *r, struct map_work *w)
{
	const struct file *f = r->file;
	bool noexec = f->path.mnt &&
		      (f->path.mnt->flags & MNT_NOEXEC || f->inode->sb->magic == LX_PIPEFS_MAGIC ||
		       f->inode->sb->magic == LX_ANON_INODE_FS_MAGIC);
	uint32_t type = r->flags & LX_MAP_TYPE;

	if (w->off > (uint64_t)INT64_MAX - w->len)
		return -LX_EOVERFLOW;
	if (type == LX_MAP_SHARED_VALIDATE && (r->flags & ~LX_LEGACY_MAP_MASK))
		return -LX_EOPNOTSUPP;
	if (type == LX_MAP_SHARED || type == LX_MAP_SHARED_VALIDATE) {
		if ((w->prot & LX_PROT_WRITE) && !(f->mode & FMODE_WRITE))
			return -LX_EACCES;
		w->vmflags |= VMA_SHARED;
		if (!(f->mode & FMODE_WRITE))
			w->vmflags &= ~(uint32_t)VMA_MAYWRITE;
	} else if (type != LX_MAP_PRIVATE) {
		return -LX_EINVAL;
	}
	if (!(f->mode & (FMODE_READ | FMODE_EXEC)))
		return -LX_EACCES;
	if (noexec) {
		if (w->prot & LX_PROT_EXEC)
			return -LX_EPERM;
		w->vmflags &= ~(uint32_t)VMA_MAYEXEC;
	}
	if (!f->ops->mmap)
		return -LX_ENODEV;
	/* No file is on memory that survives a power failure by itself. */
	if ((r->flags & LX_MAP_SYNC) && f->inode->sb->magic != LX_TMPFS_MAGIC)
		return -LX_EOPNOTSUPP;
	return (w->vmflags & VMA_GROWSDOWN) ? -LX_EINVAL : 0;
}

/* What Linux's overcommit heuristic refuses at once; for private memory the host does. */
static uint64_t machine_memory(void)
{
	struct host_mem m;

	host_mem(&m);
	return m.total + m.swap_total;
}

static int check_anon_map(const struct mm_map_req *r, struct map_work *w)
{
	switch (r->flags & LX_MAP_TYPE) {
	case LX_MAP_SHARED:
		if (w->vmflags & VMA_GROWSDOWN)
			return -LX_EINVAL;
		if (w->len > OVERCOMMIT_CHECK && !(w->vmflags & VMA_NORESERVE) &&
		    w->len > machine_memory())
			return -LX_ENOMEM;
		w->vmflags |= VMA_SHARED;
		w->off = 0;
		return 0;
	case LX_MAP_DROPPABLE:
		if ((r->flags & LX_MAP_LOCKED) || (w->vmflags & VMA_GROWSDOWN))
			return -LX_EINVAL;
		w->vmflags |= VMA_DROPPABLE | VMA_NORESERVE | VMA_WIPEONFORK | VMA_DONTDUMP;
		return 0;
	case LX_MAP_PRIVATE:
		return 0;
	default:
		return -LX_EINVAL;
	}
}

/* Ask the file for what the host is to map. A shared mapping of something that says
 * "zeros" (anonymous, /dev/zero) gets shared memory of its own. */
static int open_map(struct mm *mm, struct task *t, const struct mm_map_req *r,
		    struct map_work *w)
{
	struct file_map m = { .off = w->off, .len = w->len, .host_fd = -1,
			      .shared = w->vmflags & VMA_SHARED,
			      .want_write = (w->vmflags & VMA_SHARED) &&
					    (w->vmflags & VMA_MAYWRITE) };
	int err;

	if (r->file) {
		file_get(r->file);
		w->file = r->file;
		err = w->file->ops->mmap(w->file, &m);
		if (err)
			return err;
		w->fd = m.host_fd;
		w->host_off = m.host_off;
		if (m.no_maywrite) {
			w->vmflags &= ~(uint32_t)VMA_MAYWRITE;
			if (w->prot & LX_PROT_WRITE)
				return -LX_EPERM; /* a sealed memfd */
		}
	}
	if (w->fd >= 0 || !(w->vmflags & VMA_SHARED))
		return 0;
	if (w->file)
		file_put(take(&w->file));
	err = shmem_file_new(mm->k, t->cred, "dev/zero", w->len, 0777, &w->file);
	if (err)
		return err;
	m.off = w->off = 0;
	m.host_fd = -1;
	err = w->file->ops->mmap(w->file, &m);
	w->fd = m.host_fd;
	w->host_off = m.host_off;
	return err;
}

static int check_map(struct mm *mm, struct task *t, const struct mm_map_req *r,
		     struct map_work *w)
{
	uint32_t flags = r->flags;
	int64_t addr;
	int err;

	if (!w->len)
		return -LX_ENOMEM;
	if (mm->vmas->count > MM_MAX_MAP_COUNT)
		return -LX_ENOMEM;
	if (flags & LX_MAP_FIXED_NOREPLACE)
		flags |= LX_MAP_FIXED;
	addr = mm_get_area(mm, t, r->addr, w->len, flags, !r->file);
	if (addr < 0)
		return (int)addr;
	w->addr = (uint64_t)addr;
	if ((flags & LX_MAP_FIXED_NOREPLACE) && mm_count_pages(mm, w->addr, w->addr + w->len))
		return -LX_EEXIST;
	if ((flags & LX_MAP_LOCKED) && !mm_can_mlock(t))
		return -LX_EPERM;
	if (!mm_may_lock(mm, t, w->vmflags, w->len / LX_PAGE_SIZE))
		return -LX_EAGAIN;
	err = r->file ? check_file_map(r, w) : check_anon_map(r, w);
	if (err)
		return err;
	if (!mm_may_expand(mm, t, w->vmflags, w->prot, w->len / LX_PAGE_SIZE) &&
	    !mm_may_expand(mm, t, w->vmflags, w->prot,
			   w->len / LX_PAGE_SIZE -
				   mm_count_pages(mm, w->addr, w->addr + w->len)))
		return -LX_ENOMEM;
	return mm_range_sealed(mm, w->addr, w->addr + w->len) ? -LX_EPERM : 0;
}

/* Nothing fails after the old contents of the range are gone from the books. */
static int commit_map(struct mm *mm, struct task *t, const struct mm_map_req *r,
		      struct map_work *w)
{
	struct vma *v = vma_new();
	struct mm_pending *p;
	uint64_t end = w->addr + w->len;

	if (!v)
		return -LX_ENOMEM;
	if (mm_forget(mm, w->addr, end)) {
		vma_free(v);
		return -LX_ENOMEM;
	}
	v->start = w->addr;
	v->end = end;
	v->prot = w->prot;
	v->flags = w->vmflags;
	v->pgoff = w->off / LX_PAGE_SIZE;
	v->name = r->name;
	v->file = take(&w->file);
	if (r->shm) {
		v->shm = r->shm;
		shm_vma_open(r->shm);
	}
	mm_cmd_map(r->batch, v, w->addr, end, take_fd(&w->fd), w->host_off, w->host_flags);
	if (w->vmflags & VMA_DROPPABLE)
		mm_cmd(r->batch, PLAT_CMD_MADVISE, w->addr, w->len, LX_MADV_WIPEONFORK, 0, 0);
	p = mm_plan(mm, t, r->batch, PLAN_MAP);
	if (p) {
		p->start = w->addr;
		p->end = end;
	}
	mm_enter(mm, v);
	vma_merge(mm->vmas, w->addr, end);
	return 0;
}

int64_t mm_map(struct mm *mm, struct task *t, const struct mm_map_req *r)
{
	AUTO_PUT(file) struct file *file = NULL;
	AUTO_CLOSE int fd = -1;
	struct map_work w = {
		.len = PAGE_UP(r->len), .off = r->off, .fd = -1,
		.prot = r->prot & (LX_PROT_READ | LX_PROT_WRITE | LX_PROT_EXEC),
		.vmflags = r->vmflags | mm->def_flags | VMA_MAYWRITE | VMA_MAYEXEC,
	};
	int err;

	if (!r->len)
		return -LX_EINVAL;
	if ((w.prot & LX_PROT_READ) && (t->personality & LX_READ_IMPLIES_EXEC) &&
	    !(r->file && r->file->path.mnt && (r->file->path.mnt->flags & MNT_NOEXEC)))
		w.prot |= LX_PROT_EXEC;
	if ((mm->flags & MMF_MDWE) && (w.prot & LX_PROT_WRITE) && (w.prot & LX_PROT_EXEC))
		return -LX_EACCES;
	if (r->flags & LX_MAP_GROWSDOWN)
		w.vmflags |= VMA_GROWSDOWN;
	if (r->flags & LX_MAP_LOCKED)
		w.vmflags |= VMA_LOCKED;
	if (r->flags & LX_MAP_NORESERVE)
		w.vmflags |= VMA_NORESERVE;
	if (!r->file && !(w.vmflags & VMA_SHARED))
		w.host_flags |= r->flags & LX_MAP_STACK; /* no huge pages there */
	/* A locked mapping is populated, so that it is as fast as the caller expects. */
	if ((r->flags & (LX_MAP_POPULATE | LX_MAP_NONBLOCK)) == LX_MAP_POPULATE ||
	    (w.vmflags & (VMA_LOCKED | VMA_LOCKONFAULT)) == VMA_LOCKED)
		w.host_flags |= LX_MAP_POPULATE;
	err = check_map(mm, t, r, &w);
	if (!err)
		err = open_map(mm, t, r, &w);
	/* A file may have dropped the kernel lock to ask its server: the address that was
	 * free need not be any more. */
	if (!err && r->file)
		err = check_map(mm, t, r, &w);
	if (!err)
		err = commit_map(mm, t, r, &w);
	fd = w.fd;
	file = w.file;
	return err ? err : (int64_t)w.addr;
}

/* ---- munmap ---- */

int mm_unmap(struct mm *mm, struct task *t, uint64_t addr, uint64_t len,
	     struct plat_batch *batch)
{
	uint64_t end = addr + PAGE_UP(len);
	struct mm_pending *p;
	struct vma *v;

	if (PAGE_OFF(addr) || addr > PLAT_GUEST_MAX || len > PLAT_GUEST_MAX - addr ||
	    end == addr)
		return -LX_EINVAL;
	v = vma_find(mm->vmas, addr);
	if (!v || v->start >= end)
		return 0;
	if (v->start < addr && v->end > end && mm->vmas->count >= MM_MAX_MAP_COUNT)
		return -LX_ENOMEM;
	if (mm_range_sealed(mm, addr, end))
		return -LX_EPERM;
	if (mm_forget(mm, addr, end))
		return -LX_ENOMEM;
	mm_cmd(batch, PLAT_CMD_MUNMAP, addr, end - addr, 0, 0, 0);
	p = mm_plan(mm, t, batch, PLAN_OTHER);
	if (p) {
		p->hole_start = addr;
		p->hole_end = end;
	}
	return 0;
}

/* ---- mprotect ---- */

/* How far may [start, end) get protection prot? *stop: the first address that may
 * not. *old: the protection all had, UINT64_MAX if they differ. 0 or the error. */
static int check_protect(struct task *t, struct vma *v, uint64_t start, uint64_t end,
			 uint32_t prot, uint64_t *stop, uint64_t *old)
{
	bool rier = (t->personality & LX_READ_IMPLIES_EXEC) && (prot & LX_PROT_READ);
	uint64_t pages = 0, limit = rlimit_cur(t, LX_RLIMIT_DATA) / LX_PAGE_SIZE, at = start;
	bool first = true;

	for (; v && at < end; v = vma_next(v)) {
		*stop = at;
		if (v->start > at)
			return -LX_ENOMEM;
		if (rier && (v->flags & VMA_MAYEXEC))
			prot |= LX_PROT_EXEC;
		if (((prot & LX_PROT_WRITE) && !(v->flags & VMA_MAYWRITE)) ||
		    ((prot & LX_PROT_EXEC) && !(v->flags & VMA_MAYEXEC)))
			return -LX_EACCES;
		if ((t->mm->flags & MMF_MDWE) && (prot & LX_PROT_EXEC) &&
		    ((prot & LX_PROT_WRITE) || !(v->prot & LX_PROT_EXEC)))
			return -LX_EACCES;
		if (v->flags & VMA_SEALED)
			return -LX_EPERM;
		if ((prot & LX_PROT_WRITE) && !(v->prot & LX_PROT_WRITE) &&
		    !(v->flags & (VMA_SHARED | VMA_STACK | VMA_GROWSDOWN))) {
			pages += ((v->end < end ? v->end : end) - at) / LX_PAGE_SIZE;
			if (t->mm->data_vm + pages > limit)
				return -LX_ENOMEM;
		}
		*old = first || *old == v->prot ? v->prot : UINT64_MAX;
		first = false;
		at = v->end;
	}
	*stop = at < end ? at : end;
	return at < end ? -LX_ENOMEM : 0;
}

static int apply_protect(struct task *t, uint64_t start, uint64_t end, uint32_t prot,
			 uint64_t old)
{
	struct mm *mm = t->mm;
	struct mm_pending *p;
	struct vma *v;

	if (mm->vmas->count + 2 > MM_MAX_MAP_COUNT || vma_isolate(mm->vmas, start, end))
		return -LX_ENOMEM;
	for (v = vma_find(mm->vmas, start); v && v->start < end; v = vma_next(v)) {
		mm_account(mm, v, -1);
		v->prot = prot;
		mm_account(mm, v, 1);
	}
	vma_merge(mm->vmas, start, end);
	mm_cmd(&t->batch, PLAT_CMD_MPROTECT, start, end - start, prot, 0, 0);
	p = mm_plan(mm, t, &t->batch, PLAN_PROTECT);
	if (p) {
		p->start = start;
		p->end = end;
		p->old = old;
	}
	return 0;
}

long mm_protect(struct task *t, uint64_t start, uint64_t len, uint64_t prot)
{
	uint64_t grows = prot & (LX_PROT_GROWSDOWN | LX_PROT_GROWSUP), stop, old = UINT64_MAX;
	uint64_t end = start + PAGE_UP(len);
	struct vma *v;
	int err, err2 = 0;

	prot &= ~(uint64_t)(LX_PROT_GROWSDOWN | LX_PROT_GROWSUP);
	if (grows == (LX_PROT_GROWSDOWN | LX_PROT_GROWSUP) || PAGE_OFF(start))
		return -LX_EINVAL;
	if (!len)
		return 0;
	if (end <= start)
		return -LX_ENOMEM;
	if (prot & ~(uint64_t)(LX_PROT_READ | LX_PROT_WRITE | LX_PROT_EXEC | LX_PROT_SEM))
		return -LX_EINVAL;
	prot &= ~(uint64_t)LX_PROT_SEM;
	v = vma_find(t->mm->vmas, start);
	if (!v)
		return -LX_ENOMEM;
	if (grows & LX_PROT_GROWSDOWN) {
		if (v->start >= end)
			return -LX_ENOMEM;
		if (!(v->flags & VMA_GROWSDOWN))
			return -LX_EINVAL;
		start = v->start;
	} else if (v->start > start) {
		return -LX_ENOMEM;
	} else if (grows & LX_PROT_GROWSUP) {
		return -LX_EINVAL;
	}
	if ((t->personality & LX_READ_IMPLIES_EXEC) && (prot & LX_PROT_READ) &&
	    (v->flags & VMA_MAYEXEC))
		prot |= LX_PROT_EXEC;
	/* As in Linux, what lies before the first refusal is changed all the same. */
	err = check_protect(t, v, start, end, (uint32_t)prot, &stop, &old);
	if (stop > start)
		err2 = apply_protect(t, start, stop, (uint32_t)prot, old);
	return err2 ? err2 : err;
}

/* ---- brk ---- */

static bool brk_grow(struct task *t, uint64_t start, uint64_t end)
{
	struct mm *mm = t->mm;
	uint64_t pages = (end - start) / LX_PAGE_SIZE;
	struct vma *next = vma_find(mm->vmas, start), *v;
	struct mm_pending *p;
	uint32_t flags = VMA_HEAP | VMA_MAYWRITE | VMA_MAYEXEC | mm->def_flags;
	uint32_t prot = LX_PROT_READ | LX_PROT_WRITE;

	if (t->personality & LX_READ_IMPLIES_EXEC)
		prot |= LX_PROT_EXEC;
	if (end > PLAT_GUEST_MAX || (next && end + LX_PAGE_SIZE > vma_guard_start(next)))
		return false;
	if (!mm_may_lock(mm, t, flags, pages) || !mm_may_expand(mm, t, flags, prot, pages) ||
	    mm->vmas->count > MM_MAX_MAP_COUNT)
		return false;
	v = vma_new();
	if (!v)
		return false;
	v->start = start;
	v->end = end;
	v->prot = prot;
	v->flags = flags;
	v->name = "[heap]";
	mm_cmd_map(&t->batch, v, start, end, -1, 0,
		   (flags & VMA_LOCKED) ? LX_MAP_POPULATE : 0);
	p = mm_plan(mm, t, &t->batch, PLAN_BRK);
	if (p) {
		p->start = start;
		p->end = end;
		p->old = mm->brk;
	}
	mm_enter(mm, v);
	vma_merge(mm->vmas, start, end);
	return true;
}

long mm_brk(struct task *t, uint64_t brk)
{
	struct mm *mm = t->mm;
	uint64_t limit = rlimit_cur(t, LX_RLIMIT_DATA), old = PAGE_UP(mm->brk), new;

	if (brk < mm->start_brk || brk > PLAT_GUEST_MAX)
		return (long)mm->brk;
	if (limit != LX_RLIM_INFINITY &&
	    brk - mm->start_brk + (mm->end_data - mm->start_data) > limit)
		return (long)mm->brk;
	new = PAGE_UP(brk);
	if (new < old) {
		if (mm_unmap(mm, t, new, old - new, &t->batch))
			return (long)mm->brk;
	} else if (new > old && !brk_grow(t, old, new)) {
		return (long)mm->brk;
	}
	mm->brk = brk;
	return (long)brk;
}
