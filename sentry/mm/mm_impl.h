/* Shared by the files of sentry/mm only. Everything under the kernel lock.
 *
 * "The books" are the VMAs; the host's mappings follow with the batch that ends the
 * call. Between the two lies a moment in which other threads of the same map may run
 * handlers, so what a batch will still unmap must not be handed out again: each
 * thread's last change is remembered in mm->pending until the thread has trapped
 * again (its trap_seq moved on), which shows that its batch was carried out. The same
 * record says how to settle the books when the host refuses. */
#ifndef SENTRY_MM_MM_IMPL_H
#define SENTRY_MM_MM_IMPL_H

#include "sentry/mm/mm.h"
#include "sentry/mm/vma.h"
#include "sentry/task/task.h"
#include "sentry/vfs/vfs.h"
#include "syscalls/abi/lx_mman.h"

#define MM_MAX_MAP_COUNT 65530u
/* Linux's constants for a 47-bit address space; the guest's map ends a little lower. */
#define MM_TASK_SIZE 0x7ffffffff000ULL
#define MM_UNMAPPED_BASE ((PLAT_GUEST_MAX / 3) & ~(LX_PAGE_SIZE - 1))

#define PAGE_DOWN(x) ((x) & ~(LX_PAGE_SIZE - 1))
#define PAGE_UP(x) PAGE_DOWN((x) + LX_PAGE_SIZE - 1) /* 0 when it wraps */
#define PAGE_OFF(x) ((x) & (LX_PAGE_SIZE - 1))

enum mm_plan_kind {
	PLAN_OTHER,  /* nothing to settle: the error is the result */
	PLAN_MAP,    /* [start, end) was entered */
	PLAN_PROTECT,/* [start, end) had the protection `old`, or a mix (UINT64_MAX) */
	PLAN_BRK,    /* [start, end) was entered; the break was `old` */
	PLAN_STACK,  /* [start, end) was added to a stack by a fault */
	PLAN_MOVE,   /* `saved` went to [start, end) */
	PLAN_EXPAND, /* [start, end) was added in place; the call's result is `old` */
};

struct mm_pending {
	int tid;
	uint64_t seq;			/* trap_seq of the trap whose batch it is */
	enum mm_plan_kind kind;
	uint64_t hole_start, hole_end;	/* what the batch unmaps */
	uint64_t start, end, old;
	struct vma *saved;		/* owned */
};

/* The record of t's current batch, made or reset; NULL: out of memory (then nothing
 * can be settled, and the books may promise more than the host gave). NULL as well
 * when batch is not t's own (execve). */
struct mm_pending *mm_plan(struct mm *mm, struct task *t, struct plat_batch *batch,
			   enum mm_plan_kind kind);
/* Does a batch under way in another thread still unmap a part of [start, end)?
 * *lo, *hi: that hole. */
bool mm_hole_busy(struct mm *mm, struct task *t, uint64_t start, uint64_t end, uint64_t *lo,
		  uint64_t *hi);
void mm_pending_fini(struct mm *mm);

/* Count v (sign 1) or forget it (-1) in total_vm, data_vm, locked_vm. */
void mm_account(struct mm *mm, const struct vma *v, int sign);
/* RLIMIT_AS and RLIMIT_DATA (may_expand_vm). */
bool mm_may_expand(struct mm *mm, struct task *t, uint32_t flags, uint32_t prot,
		   uint64_t pages);
/* RLIMIT_MEMLOCK for `pages` more if flags say locked. */
bool mm_may_lock(struct mm *mm, struct task *t, uint32_t flags, uint64_t pages);
bool mm_can_mlock(struct task *t);

/* Mapped pages in [start, end). */
uint64_t mm_count_pages(struct mm *mm, uint64_t start, uint64_t end);
bool mm_range_sealed(struct mm *mm, uint64_t start, uint64_t end);
/* Take [start, end) out of the books. 0 or -LX_ENOMEM. */
int mm_forget(struct mm *mm, uint64_t start, uint64_t end);
/* Enter v, which overlaps nothing; the map owns it. */
void mm_enter(struct mm *mm, struct vma *v);
/* Split at the borders and change flags: (flags & ~clear) | set. 0 or -LX_ENOMEM. */
int mm_change_flags(struct mm *mm, uint64_t start, uint64_t end, uint32_t set, uint32_t clear);

/* Append a command. Running out of room is a bug: no call needs more than a few. */
void mm_cmd(struct plat_batch *b, enum plat_cmd_op op, uint64_t a0, uint64_t a1, uint64_t a2,
	    uint64_t a3, uint64_t a4);
/* The mmap that puts v's attributes over [start, end); fd is taken over. */
void mm_cmd_map(struct plat_batch *b, const struct vma *v, uint64_t start, uint64_t end, int fd,
		uint64_t off, uint32_t extra_flags);

#endif
