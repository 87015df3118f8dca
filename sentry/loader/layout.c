/* Where things lie in a fresh address space: the host's vdso, the stack, the mmap area.
 * The same randomness as Linux on x86-64: 22 bits for the stack, 28 for mmap. */
#include <string.h>

#include "sentry/loader/loader_impl.h"
#include "sentry/mm/vma.h"
#include "syscalls/abi/lx_prctl.h"
#include "syscalls/abi/lx_resource.h"

#define STACK_RANDOM_BITS 22
#define MMAP_RANDOM_BITS 28
#define STACK_MAX (64ULL << 20)
#define STACK_ARGS_ROOM (128ULL << 10) /* what execve leaves below the arguments */
#define MMAP_MIN_GAP (128ULL << 20)

uint64_t loader_random(const struct task *t, unsigned bits)
{
	uint64_t r;

	if (t->personality & LX_ADDR_NO_RANDOMIZE)
		return 0;
	krandom(&r, sizeof(r));
	return (r & ((1ULL << bits) - 1)) * LX_PAGE_SIZE;
}

static int enter_special(struct mm *mm, uint64_t start, uint64_t end, uint32_t prot,
			 const char *name)
{
	struct vma *v;

	if (start >= end || end > PLAT_GUEST_MAX)
		return 0; /* the platform's part, which no map shows */
	v = vma_new();
	if (!v)
		return -LX_ENOMEM;
	v->start = start;
	v->end = end;
	v->prot = prot;
	v->flags = VMA_SPECIAL | VMA_DONTDUMP | ((prot & LX_PROT_EXEC) ? VMA_MAYEXEC : 0);
	v->name = name;
	mm->total_vm += (end - start) / LX_PAGE_SIZE;
	vma_insert(mm->vmas, v);
	return 0;
}

/* What the arguments and vectors take at most. */
static uint64_t args_size(const struct exec_args *a)
{
	uint64_t n = strlen(a->filename) + 1 + (a->argc + (uint64_t)a->envc) * 8;

	for (unsigned i = 0; i < a->argc; i++)
		n += strlen(a->argv[i]) + 1;
	for (unsigned i = 0; i < a->envc; i++)
		n += strlen(a->envp[i]) + 1;
	return n;
}

/* The stack is mapped as large as it may become: the host has pages only for what is
 * touched, and no fault has to travel here to grow it. */
static int map_stack(struct loader *l, uint64_t limit)
{
	struct mm *mm = l->img->mm;
	struct mm_map_req r = {
		.prot = LX_PROT_READ | LX_PROT_WRITE | (l->exec_stack ? LX_PROT_EXEC : 0),
		.flags = LX_MAP_PRIVATE | LX_MAP_ANONYMOUS | LX_MAP_FIXED_NOREPLACE |
			 LX_MAP_NORESERVE | LX_MAP_STACK,
		.vmflags = VMA_STACK | VMA_GROWSDOWN, .name = "[stack]",
	};
	uint64_t need = PAGE_UP(args_size(l->args) + STACK_ARGS_ROOM), top, low;
	struct vma *v;
	int64_t at;

	r.len = limit > STACK_MAX ? STACK_MAX : PAGE_UP(limit);
	/* All of it counts against RLIMIT_AS; where that is tight, faults grow it. */
	if (r.len > rlimit_cur(l->t, LX_RLIMIT_AS) / 8)
		r.len = 0;
	if (r.len < need)
		r.len = need;
	top = PLAT_GUEST_MAX - loader_random(l->t, STACK_RANDOM_BITS);
	/* The host put its vdso wherever it liked: stay clear of it. */
	for (;;) {
		low = top - r.len - VMA_STACK_GUARD;
		v = vma_find(mm->vmas, low);
		if (!v || v->start >= top)
			break;
		top = v->start;
	}
	r.addr = top - r.len;
	r.batch = image_batch(l->img);
	if (!r.batch)
		return -LX_ENOMEM;
	at = mm_map(mm, l->t, &r);
	if (at < 0)
		return (int)at;
	mm->stack_top = top;
	mm->stack_size = r.len;
	return 0;
}

int loader_layout(struct loader *l)
{
	struct mm *mm = l->img->mm;
	const struct plat_caps *c = plat_caps(l->t->k->plat);
	uint64_t limit = rlimit_cur(l->t, LX_RLIMIT_STACK), gap;
	int err;

	err = enter_special(mm, c->vvar_start, c->vvar_end, LX_PROT_READ, "[vvar]");
	if (!err)
		err = enter_special(mm, c->vdso_start, c->vdso_end, LX_PROT_READ | LX_PROT_EXEC,
				    "[vdso]");
	if (!err)
		err = map_stack(l, limit);
	if (err)
		return err;
	gap = limit == LX_RLIM_INFINITY || limit < MMAP_MIN_GAP ? MMAP_MIN_GAP : limit;
	if (gap > PLAT_GUEST_MAX / 6 * 5)
		gap = PLAT_GUEST_MAX / 6 * 5;
	gap += VMA_STACK_GUARD;
	if (!(l->t->personality & LX_ADDR_NO_RANDOMIZE))
		gap += (1ULL << STACK_RANDOM_BITS) * LX_PAGE_SIZE;
	mm->mmap_base = PAGE_DOWN(PLAT_GUEST_MAX - gap - loader_random(l->t, MMAP_RANDOM_BITS));
	return 0;
}
