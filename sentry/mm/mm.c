/* Memory maps as objects: making, copying, freeing, limits, faults, and the record of
 * what is under way in the stub. The calls themselves are in mmap.c, mremap.c and
 * madvise.c. */
#include <stdlib.h>
#include <string.h>

#include "platform/base/bug.h"
#include "sentry/fs/anon/aio.h"
#include "sentry/mm/mm_impl.h"
#include "syscalls/abi/lx_cap.h"
#include "syscalls/abi/lx_resource.h"
#include "syscalls/abi/lx_signal.h"

#define MM_MAX_PENDING 65536u

struct mm *mm_new(struct kernel *k)
{
	struct mm *mm = calloc(1, sizeof(*mm));

	if (!mm)
		return NULL;
	mm->vmas = vma_tree_new();
	if (!mm->vmas) {
		free(mm);
		return NULL;
	}
	refs_init(&mm->refs, "mm");
	mm->k = k;
	mm->dumpable = true;
	mm->mmap_base = PLAT_GUEST_MAX;
	return mm;
}

void mm_get(struct mm *mm)
{
	refs_get(&mm->refs);
}

void mm_put(struct mm *mm)
{
	if (!refs_put(&mm->refs))
		return;
	mm_pending_fini(mm);
	aio_mm_release(mm);
	vma_tree_free(mm->vmas);
	if (mm->exe)
		file_put(mm->exe);
	if (mm->as)
		plat_as_put(mm->as);
	free(mm);
}

/* Copy the areas that a child inherits: none that is DONTFORK, no memory locks. */
static int fork_vmas(struct mm *mm, struct mm *old)
{
	struct vma *v, *n;

	for (v = vma_first(old->vmas); v; v = vma_next(v)) {
		if (v->flags & VMA_DONTFORK)
			continue;
		n = vma_dup(v);
		if (!n)
			return -LX_ENOMEM;
		n->flags &= ~(uint32_t)(VMA_LOCKED | VMA_LOCKONFAULT);
		mm_enter(mm, n);
	}
	return 0;
}

uint32_t mm_flags_inherited(const struct mm *mm)
{
	const uint32_t mdwe = MMF_MDWE | MMF_MDWE_NO_INHERIT;

	return mm->flags & MMF_MDWE_NO_INHERIT ? mm->flags & ~mdwe : mm->flags;
}

struct mm *mm_fork(struct mm *old, struct plat_as *as)
{
	struct mm *mm = mm_new(old->k);

	if (!mm)
		return NULL;
	mm->mmap_base = old->mmap_base;
	mm->start_brk = old->start_brk;
	mm->brk = old->brk;
	mm->stack_top = old->stack_top;
	mm->stack_size = old->stack_size;
	mm->start_stack = old->start_stack;
	mm->arg_start = old->arg_start;
	mm->arg_end = old->arg_end;
	mm->env_start = old->env_start;
	mm->env_end = old->env_end;
	mm->start_code = old->start_code;
	mm->end_code = old->end_code;
	mm->start_data = old->start_data;
	mm->end_data = old->end_data;
	mm->entry = old->entry;
	memcpy(mm->auxv, old->auxv, sizeof(mm->auxv));
	mm->nauxv = old->nauxv;
	mm->dumpable = old->dumpable;
	mm->flags = mm_flags_inherited(old);
	if (old->exe) {
		file_get(old->exe);
		mm->exe = old->exe;
	}
	if (fork_vmas(mm, old)) {
		mm_put(mm);
		return NULL;
	}
	mm->as = as; /* last, so that the caller keeps it on failure */
	return mm;
}

bool mm_next_vma(struct mm *mm, uint64_t addr, struct vma_info *out)
{
	const struct vma *v = vma_find(mm->vmas, addr);

	if (!v)
		return false;
	*out = (struct vma_info){
		.start = v->start, .end = v->end, .pgoff = v->file ? v->pgoff : 0,
		.prot = v->prot, .flags = v->flags, .file = v->file, .name = v->name,
		.anon_name = v->anon ? v->anon->text : NULL,
	};
	return true;
}

/* ---- accounting and limits ---- */

static bool is_data(uint32_t flags, uint32_t prot)
{
	return (prot & LX_PROT_WRITE) && !(flags & (VMA_SHARED | VMA_STACK | VMA_GROWSDOWN));
}

void mm_account(struct mm *mm, const struct vma *v, int sign)
{
	uint64_t pages = (v->end - v->start) / LX_PAGE_SIZE;

	if (sign < 0)
		pages = 0 - pages;
	mm->total_vm += pages;
	if (is_data(v->flags, v->prot))
		mm->data_vm += pages;
	if (v->flags & VMA_LOCKED)
		mm->locked_vm += pages;
}

bool mm_may_expand(struct mm *mm, struct task *t, uint32_t flags, uint32_t prot,
		   uint64_t pages)
{
	if (mm->total_vm + pages > rlimit_cur(t, LX_RLIMIT_AS) / LX_PAGE_SIZE)
		return false;
	return !is_data(flags, prot) ||
	       mm->data_vm + pages <= rlimit_cur(t, LX_RLIMIT_DATA) / LX_PAGE_SIZE;
}

bool mm_can_mlock(struct task *t)
{
	return rlimit_cur(t, LX_RLIMIT_MEMLOCK) != 0 || task_capable(t, LX_CAP_IPC_LOCK);
}

bool mm_may_lock(struct mm *mm, struct task *t, uint32_t flags, uint64_t pages)
{
	if (!(flags & VMA_LOCKED) || task_capable(t, LX_CAP_IPC_LOCK))
		return true;
	return mm->locked_vm + pages <= rlimit_cur(t, LX_RLIMIT_MEMLOCK) / LX_PAGE_SIZE;
}

uint64_t mm_count_pages(struct mm *mm, uint64_t start, uint64_t end)
{
	uint64_t n = 0;
	struct vma *v;

	for (v = vma_find(mm->vmas, start); v && v->start < end; v = vma_next(v))
		n += ((v->end < end ? v->end : end) - (v->start > start ? v->start : start)) /
		     LX_PAGE_SIZE;
	return n;
}

bool mm_range_sealed(struct mm *mm, uint64_t start, uint64_t end)
{
	struct vma *v;

	for (v = vma_find(mm->vmas, start); v && v->start < end; v = vma_next(v))
		if (v->flags & VMA_SEALED)
			return true;
	return false;
}

bool mm_range_mapped(struct mm *mm, uint64_t addr, uint64_t len)
{
	uint64_t end = addr + len;
	struct vma *v;

	if (end < addr || end > PLAT_GUEST_MAX)
		return false;
	for (v = vma_find(mm->vmas, addr); v && v->start <= addr; v = vma_next(v)) {
		if (v->end >= end)
			return true;
		addr = v->end;
	}
	return addr >= end;
}

/* ---- batches under way ---- */

static bool pending_live(struct mm *mm, const struct mm_pending *p)
{
	AUTO_PUT(task) struct task *t = task_lookup(mm->k, p->tid);

	return t && t->mm == mm && t->trap_seq == p->seq;
}

static void pending_drop_settled(struct mm *mm)
{
	unsigned i = 0;

	while (i < mm->npending) {
		if (pending_live(mm, &mm->pending[i])) {
			i++;
			continue;
		}
		if (mm->pending[i].saved)
			vma_free(mm->pending[i].saved);
		mm->pending[i] = mm->pending[--mm->npending];
	}
}

static struct mm_pending *pending_find(struct mm *mm, int tid)
{
	for (unsigned i = 0; i < mm->npending; i++)
		if (mm->pending[i].tid == tid)
			return &mm->pending[i];
	return NULL;
}

static struct mm_pending *pending_add(struct mm *mm)
{
	struct mm_pending *p;
	unsigned cap;

	if (mm->npending == mm->cpending) {
		pending_drop_settled(mm);
		if (mm->npending > mm->cpending / 2 || !mm->cpending) {
			cap = mm->cpending ? mm->cpending * 2 : 4;
			p = cap > MM_MAX_PENDING ? NULL
						 : realloc(mm->pending, cap * sizeof(*p));
			if (p) {
				mm->pending = p;
				mm->cpending = cap;
			}
		}
		if (mm->npending == mm->cpending)
			return NULL;
	}
	p = &mm->pending[mm->npending++];
	p->saved = NULL;
	return p;
}

struct mm_pending *mm_plan(struct mm *mm, struct task *t, struct plat_batch *batch,
			   enum mm_plan_kind kind)
{
	struct mm_pending *p;

	if (batch != &t->batch)
		return NULL;
	p = pending_find(mm, t->tid);
	if (!p)
		p = pending_add(mm);
	if (!p)
		return NULL;
	if (p->saved)
		vma_free(p->saved);
	*p = (struct mm_pending){ .tid = t->tid, .seq = t->trap_seq, .kind = kind };
	return p;
}

bool mm_hole_busy(struct mm *mm, struct task *t, uint64_t start, uint64_t end, uint64_t *lo,
		  uint64_t *hi)
{
	for (unsigned i = 0; i < mm->npending; i++) {
		const struct mm_pending *p = &mm->pending[i];

		if (p->hole_end <= start || p->hole_start >= end || p->tid == t->tid)
			continue;
		if (!pending_live(mm, p))
			continue;
		*lo = p->hole_start;
		*hi = p->hole_end;
		return true;
	}
	return false;
}

void mm_pending_fini(struct mm *mm)
{
	for (unsigned i = 0; i < mm->npending; i++)
		if (mm->pending[i].saved)
			vma_free(mm->pending[i].saved);
	free(mm->pending);
	mm->pending = NULL;
	mm->npending = mm->cpending = 0;
}

/* Put the uniform old protection back after a refused mprotect. */
static void undo_protect(struct mm *mm, uint64_t start, uint64_t end, uint32_t prot)
{
	struct vma *v;

	if (vma_isolate(mm->vmas, start, end))
		return;
	for (v = vma_find(mm->vmas, start); v && v->start < end; v = vma_next(v)) {
		mm_account(mm, v, -1);
		v->prot = prot;
		mm_account(mm, v, 1);
	}
	vma_merge(mm->vmas, start, end);
}

/* Take the new area back out of the books and, as far as the host made it, out of
 * the stub. */
static void undo_map(struct mm *mm, struct task *t, uint64_t start, uint64_t end)
{
	(void)mm_forget(mm, start, end); /* no memory: the books promise too much */
	mm_cmd(&t->batch, PLAT_CMD_MUNMAP, start, end - start, 0, 0, 0);
}

/* A refused growth in place. Private memory without a file can be had by a mapping of
 * its own where the host would not stretch the old one. */
static long settle_expand(struct mm *mm, struct task *t, struct mm_pending p, int error)
{
	struct vma *v = vma_at(mm->vmas, p.start);
	struct mm_pending *n;

	if (!v || v->file || (v->flags & VMA_SHARED)) {
		(void)mm_forget(mm, p.start, p.end);
		return error;
	}
	mm_cmd_map(&t->batch, v, p.start, p.end, -1, 0, 0);
	n = mm_plan(mm, t, &t->batch, PLAN_MAP);
	if (n) {
		n->start = p.start;
		n->end = p.end;
	}
	return (long)p.old;
}

long mm_batch_failed(struct task *t, int index, int error)
{
	struct mm *mm = t->mm;
	struct mm_pending *rec = mm ? pending_find(mm, t->tid) : NULL, p;

	(void)index;
	t->batch.count = 0; /* the failed one; what follows is to be run next */
	if (!rec || t->trap_seq - rec->seq > 1)
		return error;
	p = *rec;
	rec->saved = NULL;
	mm_plan(mm, t, &t->batch, PLAN_OTHER); /* what is appended below settles nothing */
	switch (p.kind) {
	case PLAN_OTHER:
		return error;
	case PLAN_MAP:
		undo_map(mm, t, p.start, p.end);
		return error;
	case PLAN_PROTECT:
		if (p.old != UINT64_MAX)
			undo_protect(mm, p.start, p.end, (uint32_t)p.old);
		return error;
	case PLAN_BRK:
		undo_map(mm, t, p.start, p.end);
		mm->brk = p.old;
		return (long)p.old;
	case PLAN_STACK: /* the dispatcher sends the signal */
		(void)mm_forget(mm, p.start, p.end);
		return error;
	case PLAN_MOVE:
		(void)mm_forget(mm, p.start, p.end);
		if (p.saved) {
			(void)mm_forget(mm, p.saved->start, p.saved->end);
			mm_enter(mm, p.saved);
			vma_merge(mm->vmas, p.saved->start, p.saved->end);
		}
		return error == -LX_EFAULT ? -LX_ENOMEM : error;
	case PLAN_EXPAND:
		return settle_expand(mm, t, p, error);
	}
	return error;
}

/* ---- faults ---- */

#define PF_WRITE 2u
#define PF_INSTR 16u
#define TRAPNO_PAGE_FAULT 14u

/* Grow v down to hold addr (expand_downwards). Linux refuses beyond RLIMIT_STACK and
 * within the guard gap of the area below. */
static bool grow_stack(struct task *t, struct vma *v, uint64_t addr)
{
	struct mm *mm = t->mm;
	uint64_t start = PAGE_DOWN(addr), pages = (v->start - start) / LX_PAGE_SIZE;
	struct vma *prev = vma_prev(v);
	struct mm_pending *p;

	if (v->end - start > rlimit_cur(t, LX_RLIMIT_STACK) || start < PLAT_GUEST_MIN)
		return false;
	if (prev && prev->prot && !(prev->flags & VMA_GROWSDOWN) &&
	    start - prev->end < VMA_STACK_GUARD)
		return false;
	if (!mm_may_expand(mm, t, v->flags, v->prot, pages) ||
	    !mm_may_lock(mm, t, v->flags, pages))
		return false;
	mm_cmd_map(&t->batch, v, start, v->start, -1, 0, 0);
	p = mm_plan(mm, t, &t->batch, PLAN_STACK);
	if (p) {
		p->start = start;
		p->end = v->start;
	}
	mm_account(mm, v, -1);
	vma_resize(mm->vmas, v, start, v->end);
	mm_account(mm, v, 1);
	return true;
}

int mm_fault(struct task *t, const struct plat_trap *trap, int *out_code)
{
	struct vma *v;
	bool allowed;

	*out_code = trap->code;
	if ((trap->signo != LX_SIGSEGV && trap->signo != LX_SIGBUS) ||
	    trap->trapno != TRAPNO_PAGE_FAULT || !t->mm)
		return trap->signo;
	v = vma_find(t->mm->vmas, trap->addr);
	if (!v || trap->addr >= PLAT_GUEST_MAX) {
		*out_code = LX_SEGV_MAPERR;
		return LX_SIGSEGV;
	}
	if (v->start > trap->addr) {
		if ((v->flags & VMA_GROWSDOWN) && grow_stack(t, v, trap->addr))
			return 0;
		*out_code = LX_SEGV_MAPERR;
		return LX_SIGSEGV;
	}
	allowed = trap->err & PF_INSTR	 ? v->prot & LX_PROT_EXEC
		  : trap->err & PF_WRITE ? v->prot & LX_PROT_WRITE
					 : v->prot != 0;
	if (!allowed) {
		*out_code = LX_SEGV_ACCERR;
		return LX_SIGSEGV;
	}
	/* The map allows it: a file that ends before the page (SIGBUS), a protection
	 * key, or a race with another thread's change. The host's word stands. */
	return trap->signo;
}

bool mm_is_writable(struct mm *mm, uint64_t addr, uint64_t len)
{
	uint64_t end = addr + len;
	struct vma *v;

	if (end < addr)
		return false;
	for (v = vma_find(mm->vmas, addr); v && v->start <= addr && (v->prot & LX_PROT_WRITE);
	     v = vma_next(v)) {
		if (v->end >= end)
			return true;
		addr = v->end;
	}
	return false;
}

bool mm_is_text(struct mm *mm, uint64_t addr, uint64_t len)
{
	struct vma *v = vma_at(mm->vmas, addr);

	return v && v->end - addr >= len && v->file &&
	       v->prot == (LX_PROT_READ | LX_PROT_EXEC) && !(v->flags & (VMA_SHARED | VMA_SEALED));
}

int mm_prot_at(struct mm *mm, uint64_t addr)
{
	const struct vma *v = vma_at(mm->vmas, addr);

	return v ? (int)v->prot : -1;
}
