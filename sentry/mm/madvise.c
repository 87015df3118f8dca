/* madvise, mlock, msync, mseal: changes of areas that need no new mapping. */
#include "sentry/mm/mm_impl.h"
#include "syscalls/abi/lx_cap.h"
#include "syscalls/abi/lx_resource.h"

/* ---- madvise ---- */

enum advice_class {
	ADVICE_BAD,
	ADVICE_IGNORE,	/* a hint: checked, not passed on */
	ADVICE_HOST,	/* passed on, no flags of ours */
	ADVICE_FLAGS,	/* changes area flags, passed on */
	ADVICE_DUMP,	/* changes area flags only */
	ADVICE_REMOVE,
};

static enum advice_class classify(int advice)
{
	switch (advice) {
	case LX_MADV_NORMAL:
	case LX_MADV_RANDOM:
	case LX_MADV_SEQUENTIAL:
	case LX_MADV_WILLNEED:
	case LX_MADV_MERGEABLE:
	case LX_MADV_UNMERGEABLE:
	case LX_MADV_COLD:
	case LX_MADV_PAGEOUT:
		return ADVICE_IGNORE;
	case LX_MADV_DONTNEED:
	case LX_MADV_DONTNEED_LOCKED:
	case LX_MADV_FREE:
	case LX_MADV_HUGEPAGE:
	case LX_MADV_NOHUGEPAGE:
	case LX_MADV_COLLAPSE:
	case LX_MADV_POPULATE_READ:
	case LX_MADV_POPULATE_WRITE:
	case LX_MADV_GUARD_INSTALL: /* a host that does not know them says so */
	case LX_MADV_GUARD_REMOVE:
		return ADVICE_HOST;
	case LX_MADV_DONTFORK:
	case LX_MADV_DOFORK:
	case LX_MADV_WIPEONFORK:
	case LX_MADV_KEEPONFORK:
		return ADVICE_FLAGS;
	case LX_MADV_DONTDUMP:
	case LX_MADV_DODUMP:
		return ADVICE_DUMP;
	case LX_MADV_REMOVE:
		return ADVICE_REMOVE;
	default:
		return ADVICE_BAD;
	}
}

bool mm_advice_valid(int advice)
{
	return classify(advice) != ADVICE_BAD;
}

/* Linux's per-area conditions. 0 or -LX_E…. */
static int check_advice(const struct vma *v, int advice)
{
	bool anon = !v->file && !(v->flags & VMA_SHARED);
	bool discards = advice == LX_MADV_FREE || advice == LX_MADV_DONTNEED ||
			advice == LX_MADV_DONTNEED_LOCKED || advice == LX_MADV_REMOVE ||
			advice == LX_MADV_DONTFORK || advice == LX_MADV_WIPEONFORK ||
			advice == LX_MADV_GUARD_INSTALL;

	if ((v->flags & VMA_SEALED) && discards && anon && !(v->prot & LX_PROT_WRITE))
		return -LX_EPERM;
	switch (advice) {
	case LX_MADV_DONTNEED:
	case LX_MADV_COLD:
	case LX_MADV_PAGEOUT:
		return (v->flags & VMA_LOCKED) ? -LX_EINVAL : 0;
	case LX_MADV_GUARD_INSTALL:
		return (v->flags & (VMA_LOCKED | VMA_SPECIAL)) ? -LX_EINVAL : 0;
	case LX_MADV_GUARD_REMOVE:
		return (v->flags & VMA_SPECIAL) ? -LX_EINVAL : 0;
	case LX_MADV_FREE:
		return anon && !(v->flags & VMA_LOCKED) ? 0 : -LX_EINVAL;
	case LX_MADV_WIPEONFORK:
		return anon ? 0 : -LX_EINVAL;
	case LX_MADV_KEEPONFORK:
		return (v->flags & VMA_DROPPABLE) ? -LX_EINVAL : 0;
	case LX_MADV_DOFORK:
	case LX_MADV_DODUMP:
		return (v->flags & VMA_SPECIAL) ? -LX_EINVAL : 0;
	case LX_MADV_REMOVE:
		if ((v->flags & VMA_LOCKED) || !v->file)
			return -LX_EINVAL;
		if (!(v->flags & VMA_SHARED) || !(v->prot & LX_PROT_WRITE))
			return -LX_EACCES;
		return v->file->ops->fallocate ? 0 : -LX_EOPNOTSUPP;
	default:
		return 0;
	}
}

static void advice_flags(int advice, uint32_t *set, uint32_t *clear)
{
	*set = *clear = 0;
	switch (advice) {
	case LX_MADV_DONTFORK:
		*set = VMA_DONTFORK;
		break;
	case LX_MADV_DOFORK:
		*clear = VMA_DONTFORK;
		break;
	case LX_MADV_WIPEONFORK:
		*set = VMA_WIPEONFORK;
		break;
	case LX_MADV_KEEPONFORK:
		*clear = VMA_WIPEONFORK;
		break;
	case LX_MADV_DONTDUMP:
		*set = VMA_DONTDUMP;
		break;
	case LX_MADV_DODUMP:
		*clear = VMA_DONTDUMP;
		break;
	default:
		break;
	}
}

#define FALLOC_PUNCH_HOLE_KEEP_SIZE 3u

/* MADV_REMOVE: punch the holes in the objects themselves. */
static int advise_remove(struct mm *mm, uint64_t start, uint64_t end)
{
	struct vma *v = vma_find(mm->vmas, start);
	int err = 0;

	while (!err && v && v->start < end) {
		AUTO_PUT(file) struct file *f = v->file;
		uint64_t a = v->start > start ? v->start : start;
		uint64_t b = v->end < end ? v->end : end;

		if (f) {
			file_get(f);
			err = f->ops->fallocate(f, FALLOC_PUNCH_HOLE_KEEP_SIZE,
						(int64_t)(v->pgoff * LX_PAGE_SIZE + a - v->start),
						(int64_t)(b - a));
		}
		v = vma_find(mm->vmas, b);
	}
	return err;
}

/* Carry out on [start, end), which was checked. */
static int apply_advice(struct task *t, uint64_t start, uint64_t end, int advice)
{
	enum advice_class c = classify(advice);
	uint32_t set, clear;
	int err;

	if (c == ADVICE_REMOVE)
		return advise_remove(t->mm, start, end);
	if (c == ADVICE_FLAGS || c == ADVICE_DUMP) {
		if (t->mm->vmas->count + 2 > MM_MAX_MAP_COUNT)
			return -LX_ENOMEM;
		advice_flags(advice, &set, &clear);
		err = mm_change_flags(t->mm, start, end, set, clear);
		if (err)
			return err;
	}
	if (c == ADVICE_FLAGS || c == ADVICE_HOST) {
		mm_cmd(&t->batch, PLAT_CMD_MADVISE, start, end - start, (uint64_t)advice, 0, 0);
		mm_plan(t->mm, t, &t->batch, PLAN_OTHER);
	}
	return 0;
}

long mm_advise(struct task *t, uint64_t start, uint64_t len, int advice)
{
	uint64_t end = start + PAGE_UP(len), at = start, stop;
	int err = 0, hole = 0, err2;
	struct vma *v;

	if (classify(advice) == ADVICE_BAD || PAGE_OFF(start) || (len && !PAGE_UP(len)) ||
	    end < start)
		return -LX_EINVAL;
	if (end == start)
		return 0;
	for (v = vma_find(t->mm->vmas, start); v && v->start < end; v = vma_next(v)) {
		if (v->start > at)
			hole = -LX_ENOMEM;
		err = check_advice(v, advice);
		if (err)
			break;
		at = v->end;
	}
	/* What lies before the first refusal is done; holes are passed over. */
	stop = err ? (v->start > start ? v->start : start) : end;
	if (!err && at < end)
		hole = -LX_ENOMEM;
	err2 = stop > start ? apply_advice(t, start, stop, advice) : 0;
	return err2 ? err2 : err ? err : hole;
}

/* ---- names ---- */

static int name_area(struct mm *mm, struct vma *v, uint64_t start, uint64_t end,
		     struct vma_name *name)
{
	start = v->start > start ? v->start : start;
	end = v->end < end ? v->end : end;
	if (mm->vmas->count + 2 > MM_MAX_MAP_COUNT || vma_isolate(mm->vmas, start, end))
		return -LX_ENOMEM;
	v = vma_at(mm->vmas, start);
	if (name)
		vma_name_get(name);
	if (v->anon)
		vma_name_put(v->anon);
	v->anon = name;
	return 0;
}

long mm_set_anon_name(struct task *t, uint64_t start, uint64_t len, const char *text)
{
	uint64_t end = start + PAGE_UP(len), at = start;
	struct mm *mm = t->mm;
	struct vma_name *name = NULL;
	struct vma *v;
	int err = 0, hole = 0;

	if (PAGE_OFF(start) || (len && !PAGE_UP(len)) || end < start)
		return -LX_EINVAL;
	if (text && !(name = vma_name_new(text)))
		return -LX_ENOMEM;
	while (at < end && (v = vma_find(mm->vmas, at)) && v->start < end) {
		if (v->start > at)
			hole = -LX_ENOMEM;
		err = v->file || v->shm ? -LX_EBADF : name_area(mm, v, start, end, name);
		if (err)
			break;
		at = vma_at(mm->vmas, v->start > start ? v->start : start)->end;
	}
	if (!err && at < end)
		hole = -LX_ENOMEM;
	vma_merge(mm->vmas, start, end);
	if (name)
		vma_name_put(name);
	return err ? err : hole;
}

/* ---- mlock ---- */

/* Does the result of locking [start, end) stay below RLIMIT_MEMLOCK? */
static bool lock_allowed(struct task *t, uint64_t start, uint64_t end)
{
	uint64_t limit = rlimit_cur(t, LX_RLIMIT_MEMLOCK) / LX_PAGE_SIZE;
	uint64_t want = t->mm->locked_vm + (end - start) / LX_PAGE_SIZE;
	struct vma *v;

	if (want <= limit || task_capable(t, LX_CAP_IPC_LOCK))
		return true;
	for (v = vma_find(t->mm->vmas, start); v && v->start < end; v = vma_next(v))
		if (v->flags & VMA_LOCKED)
			want -= ((v->end < end ? v->end : end) -
				 (v->start > start ? v->start : start)) / LX_PAGE_SIZE;
	return want <= limit;
}

long mm_lock_range(struct task *t, uint64_t start, uint64_t len, uint32_t set)
{
	struct mm *mm = t->mm;
	uint64_t end, stop;
	struct vma *v;

	if (set && !mm_can_mlock(t))
		return -LX_EPERM;
	len = PAGE_UP(len + PAGE_OFF(start));
	start = PAGE_DOWN(start);
	end = start + len;
	if (set && !lock_allowed(t, start, end))
		return -LX_ENOMEM;
	if (end < start)
		return -LX_EINVAL;
	if (end == start)
		return 0;
	v = vma_at(mm->vmas, start);
	if (!v || mm->vmas->count + 2 > MM_MAX_MAP_COUNT)
		return -LX_ENOMEM;
	for (stop = start; v && v->start <= stop && stop < end; v = vma_next(v))
		stop = v->end;
	if (mm_change_flags(mm, start, stop < end ? stop : end, set,
			    VMA_LOCKED | VMA_LOCKONFAULT))
		return -LX_ENOMEM;
	if (stop < end)
		return -LX_ENOMEM;
	/* Populating fails where nothing may be accessed; the area stays locked. */
	for (v = set == VMA_LOCKED ? vma_find(mm->vmas, start) : NULL; v && v->start < end;
	     v = vma_next(v))
		if (!v->prot)
			return -LX_ENOMEM;
	return 0;
}

long mm_lock_all(struct task *t, uint32_t flags)
{
	struct mm *mm = t->mm;
	uint32_t set = VMA_LOCKED | ((flags & LX_MCL_ONFAULT) ? VMA_LOCKONFAULT : 0);

	if (flags) {
		if (!mm_can_mlock(t))
			return -LX_EPERM;
		if ((flags & LX_MCL_CURRENT) && !task_capable(t, LX_CAP_IPC_LOCK) &&
		    mm->total_vm > rlimit_cur(t, LX_RLIMIT_MEMLOCK) / LX_PAGE_SIZE)
			return -LX_ENOMEM;
	}
	mm->def_flags = (flags & LX_MCL_FUTURE) ? set : 0;
	if (flags && !(flags & LX_MCL_CURRENT))
		return 0;
	return mm_change_flags(mm, 0, PLAT_GUEST_MAX, flags ? set : 0,
			       VMA_LOCKED | VMA_LOCKONFAULT);
}

/* ---- msync ---- */

long mm_sync(struct task *t, uint64_t start, uint64_t len, uint32_t flags)
{
	uint64_t end = start + PAGE_UP(len), at = start;
	long hole = 0;
	int err;

	if ((flags & ~(LX_MS_ASYNC | LX_MS_INVALIDATE | LX_MS_SYNC)) || PAGE_OFF(start) ||
	    ((flags & LX_MS_ASYNC) && (flags & LX_MS_SYNC)))
		return -LX_EINVAL;
	if (end < start)
		return -LX_ENOMEM;
	/* fsync may drop the kernel lock: look the area up again after each. */
	while (at < end) {
		struct vma *v = vma_find(t->mm->vmas, at);
		AUTO_PUT(file) struct file *f = NULL;

		if (!v || v->start >= end)
			return -LX_ENOMEM;
		if (v->start > at)
			hole = -LX_ENOMEM;
		if ((flags & LX_MS_INVALIDATE) && (v->flags & VMA_LOCKED))
			return -LX_EBUSY;
		at = v->end;
		if (!(flags & LX_MS_SYNC) || !v->file || !(v->flags & VMA_SHARED) ||
		    !v->file->ops->fsync)
			continue;
		f = v->file;
		file_get(f);
		err = f->ops->fsync(f, true);
		if (err)
			return err;
	}
	return hole;
}

/* ---- mseal ---- */

long mm_seal(struct task *t, uint64_t start, uint64_t len)
{
	uint64_t end = start + PAGE_UP(len);

	if (PAGE_OFF(start) || (len && !PAGE_UP(len)) || end < start)
		return -LX_EINVAL;
	if (end == start)
		return 0;
	if (!mm_range_mapped(t->mm, start, end - start))
		return -LX_ENOMEM;
	return mm_change_flags(t->mm, start, end, VMA_SEALED, 0);
}
