/* mremap(2): shrink, grow in place, move. Contents move with the host's mremap. */
#include "sentry/ipc/shm.h"
#include "sentry/mm/mm_impl.h"

struct remap {
	struct vma *v;		/* holds addr */
	uint64_t addr, old_len, new_len, new_addr;
	uint64_t gone_end;	/* how far the old range is unmapped */
	uint32_t flags;
};

/* May [addr, addr + old_len) of v become new_len long? (vma_to_resize) */
static int check_resize(struct task *t, const struct remap *r)
{
	const struct vma *v = r->v;
	uint64_t more;

	if (!r->old_len && !(v->flags & VMA_SHARED))
		return -LX_EINVAL;
	if (r->old_len > v->end - r->addr)
		return -LX_EFAULT;
	if (v->flags & VMA_SPECIAL)
		return r->new_len == r->old_len ? 0 : -LX_EFAULT;
	if (r->new_len <= r->old_len)
		return 0;
	more = (r->new_len - r->old_len) / LX_PAGE_SIZE;
	if (!mm_may_lock(t->mm, t, v->flags, more))
		return -LX_EAGAIN;
	return mm_may_expand(t->mm, t, v->flags, v->prot, more) ? 0 : -LX_ENOMEM;
}

/* The old area's end is free for the growth: stretch it. */
static bool expand_in_place(struct task *t, const struct remap *r)
{
	struct mm *mm = t->mm;
	struct vma *v = r->v, *next = vma_next(v);
	uint64_t end = r->addr + r->new_len, lo, hi, old_end = v->end;
	struct mm_pending *p;

	if (r->addr + r->old_len != v->end || end < r->addr || end > PLAT_GUEST_MAX ||
	    (next && end > vma_guard_start(next)) || mm_hole_busy(mm, t, v->end, end, &lo, &hi))
		return false;
	mm_cmd(&t->batch, PLAT_CMD_MREMAP, r->addr, r->old_len, r->new_len, 0, 0);
	p = mm_plan(mm, t, &t->batch, PLAN_EXPAND);
	if (p) {
		p->start = old_end;
		p->end = end;
		p->old = r->addr;
	}
	mm_account(mm, v, -1);
	vma_resize(mm->vmas, v, v->start, end);
	mm_account(mm, v, 1);
	vma_merge(mm->vmas, v->start, end);
	return true;
}

/* old_len 0: a second mapping of the same shared object. */
static long duplicate(struct task *t, const struct remap *r)
{
	const struct vma *v = r->v;
	AUTO_PUT(file) struct file *f = v->file; /* v may go while the file is asked */
	struct mm_map_req q = {
		.addr = r->new_addr, .len = r->new_len, .prot = v->prot,
		.flags = LX_MAP_SHARED | ((r->flags & LX_MREMAP_FIXED) ? LX_MAP_FIXED : 0),
		.file = f, .shm = v->shm, .name = v->name, .batch = &t->batch,
		.off = (v->pgoff + (r->addr - v->start) / LX_PAGE_SIZE) * LX_PAGE_SIZE,
	};

	if (f)
		file_get(f);
	return mm_map(t->mm, t, &q);
}

/* Move [addr, addr + old_len) to new_addr; the target is free in the books. */
static long move_area(struct task *t, const struct remap *r)
{
	struct mm *mm = t->mm;
	bool keep = r->flags & LX_MREMAP_DONTUNMAP;
	struct vma *n = vma_dup(r->v), *saved = NULL;
	uint64_t start = r->addr, end = r->addr + r->old_len, skip = start - r->v->start;
	struct mm_pending *p;

	if (!n)
		return -LX_ENOMEM;
	n->pgoff += skip / LX_PAGE_SIZE;
	n->start = r->new_addr;
	n->end = r->new_addr + r->new_len;
	if (!keep) {
		/* Attachments of shm are counted: no spare copy of those. */
		saved = n->shm ? NULL : vma_dup(n);
		if ((!saved && !n->shm) || mm_forget(mm, start, end)) {
			if (saved)
				vma_free(saved);
			vma_free(n);
			return -LX_ENOMEM;
		}
		if (saved) {
			saved->start = start;
			saved->end = end;
		}
	} else if ((n->flags & VMA_LOCKED) &&
		   mm_change_flags(mm, start, end, 0, VMA_LOCKED | VMA_LOCKONFAULT)) {
		vma_free(n);
		return -LX_ENOMEM;
	}
	mm_cmd(&t->batch, PLAT_CMD_MREMAP, start, r->old_len, r->new_len,
	       LX_MREMAP_MAYMOVE | LX_MREMAP_FIXED | (keep ? LX_MREMAP_DONTUNMAP : 0),
	       r->new_addr);
	mm_enter(mm, n);
	vma_merge(mm->vmas, r->new_addr, r->new_addr + r->new_len);
	p = mm_plan(mm, t, &t->batch, PLAN_MOVE);
	if (p) {
		p->start = r->new_addr;
		p->end = r->new_addr + r->new_len;
		p->saved = saved;
		p->hole_start = keep ? 0 : start;
		p->hole_end = keep ? 0 : r->gone_end;
	} else if (saved) {
		vma_free(saved);
	}
	return (long)r->new_addr;
}

/* MREMAP_FIXED and MREMAP_DONTUNMAP (mremap_to). */
static long remap_to(struct task *t, struct remap *r)
{
	struct mm *mm = t->mm;
	bool fixed = r->flags & LX_MREMAP_FIXED;
	int64_t a;
	int err;

	if (PAGE_OFF(r->new_addr) || r->new_len > PLAT_GUEST_MAX ||
	    r->new_addr > PLAT_GUEST_MAX - r->new_len)
		return -LX_EINVAL;
	if (r->addr + r->old_len > r->new_addr && r->new_addr + r->new_len > r->addr)
		return -LX_EINVAL;
	if (mm->vmas->count + 2 >= MM_MAX_MAP_COUNT - 3)
		return -LX_ENOMEM;
	if (fixed) {
		if (r->new_addr < PLAT_GUEST_MIN)
			return -LX_EPERM;
		if (mm_range_sealed(mm, r->new_addr, r->new_addr + r->new_len))
			return -LX_EPERM;
		if (mm_forget(mm, r->new_addr, r->new_addr + r->new_len))
			return -LX_ENOMEM;
	}
	if (r->old_len > r->new_len) {
		err = mm_unmap(mm, t, r->addr + r->new_len, r->old_len - r->new_len, &t->batch);
		if (err)
			return err;
		r->old_len = r->new_len;
	}
	/* The target may have been cut out of the same area. */
	r->v = vma_at(mm->vmas, r->addr);
	err = r->v ? check_resize(t, r) : -LX_EFAULT;
	if (!err && (r->flags & LX_MREMAP_DONTUNMAP) &&
	    !mm_may_expand(mm, t, r->v->flags, r->v->prot, r->old_len / LX_PAGE_SIZE))
		err = -LX_ENOMEM;
	if (err)
		goto out_target;
	if (!fixed) {
		a = mm_get_area(mm, t, r->new_addr, r->new_len, 0, false);
		if (a < 0)
			return a;
		r->new_addr = (uint64_t)a;
	}
	return r->old_len ? move_area(t, r) : duplicate(t, r);

out_target:
	/* Linux has unmapped the target by now. */
	if (fixed) {
		mm_cmd(&t->batch, PLAT_CMD_MUNMAP, r->new_addr, r->new_len, 0, 0, 0);
		mm_plan(mm, t, &t->batch, PLAN_OTHER);
	}
	return err;
}

long mm_remap(struct task *t, uint64_t addr, uint64_t old_len, uint64_t new_len,
	      uint64_t flags, uint64_t new_addr)
{
	struct mm *mm = t->mm;
	struct remap r = { .addr = addr, .old_len = PAGE_UP(old_len),
			   .new_len = PAGE_UP(new_len), .flags = (uint32_t)flags };
	int64_t a;
	int err;

	if (flags & ~(uint64_t)(LX_MREMAP_MAYMOVE | LX_MREMAP_FIXED | LX_MREMAP_DONTUNMAP))
		return -LX_EINVAL;
	if ((flags & LX_MREMAP_FIXED) && !(flags & LX_MREMAP_MAYMOVE))
		return -LX_EINVAL;
	if ((flags & LX_MREMAP_DONTUNMAP) &&
	    (!(flags & LX_MREMAP_MAYMOVE) || old_len != new_len))
		return -LX_EINVAL;
	if (PAGE_OFF(addr) || !r.new_len || r.new_len > MM_TASK_SIZE)
		return -LX_EINVAL;
	r.gone_end = addr + r.old_len;
	r.v = vma_at(mm->vmas, addr);
	if (!r.v)
		return -LX_EFAULT;
	if (r.v->flags & VMA_SEALED)
		return -LX_EPERM;
	if (flags & (LX_MREMAP_FIXED | LX_MREMAP_DONTUNMAP)) {
		r.new_addr = new_addr;
		return remap_to(t, &r);
	}
	if (r.old_len >= r.new_len) {
		if (r.old_len == r.new_len)
			return (long)addr;
		err = mm_unmap(mm, t, addr + r.new_len, r.old_len - r.new_len, &t->batch);
		return err ? err : (long)addr;
	}
	err = check_resize(t, &r);
	if (err)
		return err;
	if (r.old_len && expand_in_place(t, &r))
		return (long)addr;
	if (!(flags & LX_MREMAP_MAYMOVE))
		return -LX_ENOMEM;
	a = mm_get_area(mm, t, 0, r.new_len, 0, !r.v->file);
	if (a < 0)
		return a;
	r.new_addr = (uint64_t)a;
	return r.old_len ? move_area(t, &r) : duplicate(t, &r);
}

long mm_remap_file_pages(struct task *t, uint64_t addr, uint64_t size, uint64_t pgoff,
			 uint32_t flags)
{
	uint64_t start = PAGE_DOWN(addr), len = PAGE_DOWN(size);
	struct vma *v = vma_at(t->mm->vmas, start);
	AUTO_PUT(file) struct file *f = NULL;
	struct mm_map_req q = { .addr = start, .len = len, .batch = &t->batch,
				.flags = LX_MAP_SHARED | LX_MAP_FIXED | LX_MAP_POPULATE };
	int64_t r;

	if (start + len <= start || pgoff + len / LX_PAGE_SIZE < pgoff ||
	    pgoff > (uint64_t)INT64_MAX / LX_PAGE_SIZE)
		return -LX_EINVAL;
	if (!v || !(v->flags & VMA_SHARED) || !v->file || start + len > v->end)
		return -LX_EINVAL;
	f = v->file;
	file_get(f);
	q.file = f;
	q.prot = v->prot;
	q.flags |= (flags & LX_MAP_NONBLOCK) | (v->flags & VMA_LOCKED ? LX_MAP_LOCKED : 0);
	q.off = pgoff * LX_PAGE_SIZE;
	r = mm_map(t->mm, t, &q);
	return r < 0 ? (long)r : 0;
}
