/* The memory map against two simple per-page models: what the calls should have done
 * (as Linux would), and what the host commands they gave out really do. Random calls,
 * fixed seeds. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "sentry/ipc/shm.h"
#include "sentry/mm/mm_impl.h"
#include "sentry/mm/vma.h"
#include "syscalls/abi/lx_resource.h"

#define BASE 0x10000000ULL
#define PAGES 96u
#define P(i) (BASE + (uint64_t)(i) * LX_PAGE_SIZE)

/* ---- the world around sentry/mm ---- */

static uint64_t limits[LX_RLIM_NLIMITS];
static struct task *other_task;

void file_get(struct file *f)
{
	(void)f;
}
void file_put(struct file *f)
{
	(void)f;
}
void shm_vma_open(struct shm_segment *s)
{
	(void)s;
}
void shm_vma_close(struct shm_segment *s)
{
	(void)s;
}
int shmem_file_new(struct kernel *k, const struct cred *c, const char *name, uint64_t size,
		   uint32_t mode, struct file **out)
{
	(void)k, (void)c, (void)name, (void)size, (void)mode, (void)out;
	return -LX_ENOMEM;
}
uint64_t rlimit_cur(const struct task *t, unsigned which)
{
	(void)t;
	return limits[which];
}
bool task_capable(const struct task *t, int cap)
{
	(void)t, (void)cap;
	return false;
}
struct task *task_lookup(struct kernel *k, int tid)
{
	(void)k;
	return other_task && other_task->tid == tid ? other_task : NULL;
}
void task_put(struct task *t)
{
	(void)t;
}
void plat_as_put(struct plat_as *as)
{
	(void)as;
}

/* ---- models ---- */

struct page {
	bool mapped;
	uint32_t prot;
	uint32_t id; /* contents: 0 for fresh pages */
	bool file;   /* books only */
	uint64_t pgoff;
};

static struct page want[PAGES], host[PAGES];
static uint32_t next_id;
static struct mm *mm;
static struct task task, second;

/* A file whose pages the host shows as zeros: only the offsets matter here. */
static int fake_mmap(struct file *f, struct file_map *m)
{
	(void)f;
	m->host_fd = -1;
	return 0;
}
static const struct file_ops fake_ops = { .name = "fake", .mmap = fake_mmap };
static struct file fake_file = { .ops = &fake_ops, .mode = FMODE_READ };

static void setup(void)
{
	static struct kernel k;

	for (unsigned i = 0; i < LX_RLIM_NLIMITS; i++)
		limits[i] = LX_RLIM_INFINITY;
	memset(want, 0, sizeof(want));
	memset(host, 0, sizeof(host));
	memset(&task, 0, sizeof(task));
	memset(&second, 0, sizeof(second));
	mm = mm_new(&k);
	cr_assert_not_null(mm);
	mm->mmap_base = P(PAGES);
	task.k = second.k = &k;
	task.tid = 1;
	second.tid = 2;
	task.mm = second.mm = mm;
	other_task = NULL;
}

static void teardown(void)
{
	mm_put(mm);
}

static bool in_window(uint64_t addr, uint64_t len)
{
	return addr >= BASE && addr + len <= P(PAGES);
}

static unsigned index_of(uint64_t addr)
{
	return (unsigned)((addr - BASE) / LX_PAGE_SIZE);
}

static void host_move(const struct plat_cmd *c)
{
	unsigned from = index_of(c->a[0]), n = (unsigned)(c->a[1] / LX_PAGE_SIZE);
	unsigned m = (unsigned)(c->a[2] / LX_PAGE_SIZE), to = from;
	struct page tmp[PAGES];

	for (unsigned i = 0; i < n; i++)
		cr_assert(host[from + i].mapped);
	if (c->a[3] & LX_MREMAP_FIXED)
		to = index_of(c->a[4]);
	memcpy(tmp, host + from, n * sizeof(*tmp));
	if (!(c->a[3] & LX_MREMAP_DONTUNMAP))
		memset(host + from, 0, n * sizeof(*tmp));
	else
		for (unsigned i = 0; i < n; i++)
			host[from + i].id = 0;
	for (unsigned i = 0; i < m; i++)
		host[to + i] = i < n ? tmp[i]
				     : (struct page){ true, tmp[n - 1].prot, 0, false, 0 };
}

/* Carry out the batch on the host model and give the new pages contents. */
static void run_batch(struct task *t)
{
	for (unsigned i = 0; i < t->batch.count; i++) {
		const struct plat_cmd *c = &t->batch.cmd[i];
		unsigned first = index_of(c->a[0]), n = (unsigned)(c->a[1] / LX_PAGE_SIZE);

		if (!in_window(c->a[0], c->a[1]))
			continue;
		switch ((int)c->op) {
		case PLAT_CMD_MMAP:
			for (unsigned j = first; j < first + n; j++)
				host[j] = (struct page){ true, (uint32_t)c->a[2], 0, false, 0 };
			break;
		case PLAT_CMD_MUNMAP:
			memset(host + first, 0, n * sizeof(*host));
			break;
		case PLAT_CMD_MPROTECT:
			for (unsigned j = first; j < first + n; j++) {
				cr_assert(host[j].mapped);
				host[j].prot = (uint32_t)c->a[2];
			}
			break;
		case PLAT_CMD_MREMAP:
			host_move(c);
			break;
		default:
			break;
		}
	}
	t->batch.count = 0;
	t->trap_seq++;
}

/* The guest "writes" to its fresh pages: same contents in both models. */
static void touch(void)
{
	for (unsigned i = 0; i < PAGES; i++)
		if (want[i].mapped && !want[i].id)
			host[i].id = want[i].id = ++next_id;
}

static uint64_t check_subtree(struct vma *v)
{
	uint64_t max, l, r;

	if (!v)
		return 0;
	max = vma_guard_start(v) > v->prev_end ? vma_guard_start(v) - v->prev_end : 0;
	l = check_subtree(RB_LEFT(v, node));
	r = check_subtree(RB_RIGHT(v, node));
	max = l > max ? l : max;
	max = r > max ? r : max;
	cr_assert_eq(v->max_gap, max);
	return max;
}

static void check(void)
{
	uint64_t pages = 0, prev_end = 0;
	unsigned count = 0;

	for (unsigned i = 0; i < PAGES; i++) {
		const struct vma *v = vma_at(mm->vmas, P(i));

		cr_assert_eq(v != NULL, want[i].mapped, "page %u", i);
		cr_assert_eq(host[i].mapped, want[i].mapped, "host page %u", i);
		if (!v)
			continue;
		pages++;
		cr_assert_eq(v->prot, want[i].prot, "prot of page %u", i);
		cr_assert_eq(host[i].prot, want[i].prot, "host prot of page %u", i);
		cr_assert_eq(host[i].id, want[i].id, "contents of page %u", i);
		cr_assert_eq(v->file != NULL, want[i].file);
		if (v->file)
			cr_assert_eq(v->pgoff + (P(i) - v->start) / LX_PAGE_SIZE, want[i].pgoff);
	}
	for (struct vma *v = vma_first(mm->vmas); v; v = vma_next(v)) {
		cr_assert(v->start < v->end && v->start >= prev_end);
		cr_assert_eq(v->prev_end, prev_end);
		prev_end = v->end;
		count++;
	}
	cr_assert_eq(count, mm->vmas->count);
	cr_assert_eq(mm->total_vm, pages);
	check_subtree(RB_ROOT(&mm->vmas->rb));
}

static unsigned rnd(unsigned *seed, unsigned n)
{
	*seed = *seed * 1103515245u + 12345u;
	return (*seed >> 8) % n;
}

static void want_set(unsigned first, unsigned n, bool mapped, uint32_t prot)
{
	for (unsigned i = first; i < first + n; i++)
		want[i] = (struct page){ mapped, mapped ? prot : 0, 0, false, 0 };
}

/* ---- one random call each ---- */

static void do_mmap(unsigned *s)
{
	unsigned n = 1 + rnd(s, 9), at = rnd(s, PAGES - n + 1);
	struct mm_map_req r = {
		.addr = P(at), .len = (uint64_t)n * LX_PAGE_SIZE, .prot = rnd(s, 8),
		.flags = LX_MAP_PRIVATE | LX_MAP_ANONYMOUS, .batch = &task.batch,
	};
	unsigned how = rnd(s, 3);
	bool busy = false;
	int64_t a;

	for (unsigned i = at; i < at + n; i++)
		busy |= want[i].mapped;
	if (rnd(s, 2)) {
		r.file = &fake_file;
		r.off = rnd(s, 4) * LX_PAGE_SIZE + (uint64_t)at * LX_PAGE_SIZE;
		r.flags = LX_MAP_PRIVATE;
	}
	if (how == 0)
		r.flags |= LX_MAP_FIXED;
	else if (how == 1)
		r.flags |= LX_MAP_FIXED_NOREPLACE;
	a = mm_map(mm, &task, &r);
	if (how == 1 && busy) {
		cr_assert_eq(a, -LX_EEXIST);
		return;
	}
	cr_assert_gt(a, 0);
	if (how == 2 && busy) { /* chosen: must be free, may be outside of the window */
		if (!in_window((uint64_t)a, r.len)) {
			cr_assert_eq(mm_unmap(mm, &task, (uint64_t)a, r.len, &task.batch), 0);
			return;
		}
		for (unsigned i = index_of((uint64_t)a); i < index_of((uint64_t)a) + n; i++)
			cr_assert(!want[i].mapped);
	} else {
		cr_assert_eq((uint64_t)a, P(at));
	}
	want_set(index_of((uint64_t)a), n, true, r.prot);
	for (unsigned i = 0; r.file && i < n; i++) {
		want[index_of((uint64_t)a) + i].file = true;
		want[index_of((uint64_t)a) + i].pgoff = r.off / LX_PAGE_SIZE + i;
	}
}

static void do_munmap(unsigned *s)
{
	unsigned n = 1 + rnd(s, 12), at = rnd(s, PAGES - n + 1);

	cr_assert_eq(mm_unmap(mm, &task, P(at), (uint64_t)n * LX_PAGE_SIZE, &task.batch), 0);
	want_set(at, n, false, 0);
}

static void do_mprotect(unsigned *s)
{
	unsigned n = 1 + rnd(s, 12), at = rnd(s, PAGES - n + 1), prot = rnd(s, 8), i;
	long r = mm_protect(&task, P(at), (uint64_t)n * LX_PAGE_SIZE, prot);

	for (i = at; i < at + n && want[i].mapped; i++)
		want[i].prot = prot;
	cr_assert_eq(r, i == at + n ? 0 : -LX_ENOMEM);
}

/* How many pages from at lie in one area of the books? */
static unsigned area_pages(unsigned at)
{
	const struct vma *v = vma_at(mm->vmas, P(at));

	return v ? (unsigned)((v->end - P(at)) / LX_PAGE_SIZE) : 0;
}

static void do_mremap(unsigned *s)
{
	unsigned n = 1 + rnd(s, 6), at = rnd(s, PAGES - n + 1), m = 1 + rnd(s, 8), to;
	uint32_t flags = rnd(s, 2) ? LX_MREMAP_MAYMOVE : 0;
	unsigned in_area = area_pages(at);
	struct page tmp[PAGES];
	long r;

	to = rnd(s, PAGES - m + 1);
	if (flags && rnd(s, 2))
		flags |= LX_MREMAP_FIXED;
	if ((flags & LX_MREMAP_FIXED) && to < at + n && at < to + m)
		return;
	if (n > in_area && in_area && m < n)
		return; /* unmaps what follows, too; covered by munmap */
	r = mm_remap(&task, P(at), (uint64_t)n * LX_PAGE_SIZE, (uint64_t)m * LX_PAGE_SIZE, flags,
		     P(to));
	if (!in_area || (n > in_area && n != m)) {
		cr_assert_eq(r, -LX_EFAULT);
		if (in_area && (flags & LX_MREMAP_FIXED))
			want_set(to, m, false, 0);
		return;
	}
	if (n > in_area) {
		if (r == -LX_EFAULT && (flags & LX_MREMAP_FIXED))
			want_set(to, m, false, 0);
		return;
	}
	if (r < 0) {
		cr_assert_eq(r, -LX_ENOMEM);
		cr_assert(!flags && m > n);
		return;
	}
	memcpy(tmp, want + at, n * sizeof(*tmp));
	want_set(at, n, false, 0);
	if (!in_window((uint64_t)r, (uint64_t)m * LX_PAGE_SIZE))
		cr_assert_fail("the window is full");
	to = index_of((uint64_t)r);
	for (unsigned i = 0; i < m; i++)
		want[to + i] = i < n ? tmp[i]
				     : (struct page){ true, tmp[n - 1].prot, 0, tmp[n - 1].file,
						      tmp[n - 1].pgoff + i - n + 1 };
}

TestSuite(vma, .init = setup, .fini = teardown);

Test(vma, random_calls)
{
	for (unsigned seed = 1; seed <= 40; seed++) {
		unsigned s = seed * 7919;

		for (unsigned i = 0; i < 600; i++) {
			switch (rnd(&s, 6)) {
			case 0:
			case 1:
				do_mmap(&s);
				break;
			case 2:
				do_munmap(&s);
				break;
			case 3:
			case 4:
				do_mprotect(&s);
				break;
			default:
				/* A move must find room in the window. */
				if (mm->total_vm < PAGES / 3)
					do_mremap(&s);
				break;
			}
			run_batch(&task);
			check();
			touch();
		}
		mm_unmap(mm, &task, BASE, PAGES * LX_PAGE_SIZE, &task.batch);
		run_batch(&task);
		want_set(0, PAGES, false, 0);
		check();
	}
}

Test(vma, errors_as_linux)
{
	struct mm_map_req r = { .addr = P(0), .len = LX_PAGE_SIZE, .prot = LX_PROT_READ,
				.flags = LX_MAP_PRIVATE | LX_MAP_ANONYMOUS | LX_MAP_FIXED,
				.batch = &task.batch };

	r.len = 0;
	cr_assert_eq(mm_map(mm, &task, &r), -LX_EINVAL);
	r.len = UINT64_MAX;
	cr_assert_eq(mm_map(mm, &task, &r), -LX_ENOMEM);
	r.len = LX_PAGE_SIZE;
	r.addr = P(0) + 1;
	cr_assert_eq(mm_map(mm, &task, &r), -LX_EINVAL);
	r.addr = LX_PAGE_SIZE;
	cr_assert_eq(mm_map(mm, &task, &r), -LX_EPERM);
	r.addr = PLAT_GUEST_MAX;
	cr_assert_eq(mm_map(mm, &task, &r), -LX_ENOMEM);
	r.addr = P(0);
	r.flags = LX_MAP_ANONYMOUS;
	cr_assert_eq(mm_map(mm, &task, &r), -LX_EINVAL);
	cr_assert_eq(mm_unmap(mm, &task, P(0) + 1, 1, &task.batch), -LX_EINVAL);
	cr_assert_eq(mm_unmap(mm, &task, P(0), 0, &task.batch), -LX_EINVAL);
	cr_assert_eq(mm_unmap(mm, &task, P(0), 1, &task.batch), 0);
	cr_assert_eq(mm_protect(&task, P(0), LX_PAGE_SIZE, 1), -LX_ENOMEM);
	cr_assert_eq(mm_protect(&task, P(0), LX_PAGE_SIZE, 16), -LX_EINVAL);
	cr_assert_eq(mm_remap(&task, P(0), 1, 0, 0, 0), -LX_EINVAL);
	cr_assert_eq(mm_remap(&task, P(0), 1, 1, 8, 0), -LX_EINVAL);
	cr_assert_eq(task.batch.count, 0);
}

Test(vma, limits)
{
	struct mm_map_req r = { .len = 8 * LX_PAGE_SIZE, .prot = LX_PROT_READ | LX_PROT_WRITE,
				.flags = LX_MAP_PRIVATE | LX_MAP_ANONYMOUS,
				.batch = &task.batch };

	limits[LX_RLIMIT_AS] = 12 * LX_PAGE_SIZE;
	cr_assert_gt(mm_map(mm, &task, &r), 0);
	cr_assert_eq(mm_map(mm, &task, &r), -LX_ENOMEM);
	limits[LX_RLIMIT_AS] = LX_RLIM_INFINITY;
	limits[LX_RLIMIT_DATA] = 8 * LX_PAGE_SIZE;
	cr_assert_eq(mm_map(mm, &task, &r), -LX_ENOMEM);
	r.prot = LX_PROT_READ;
	r.flags |= LX_MAP_LOCKED;
	limits[LX_RLIMIT_MEMLOCK] = 0;
	cr_assert_eq(mm_map(mm, &task, &r), -LX_EPERM);
	limits[LX_RLIMIT_MEMLOCK] = LX_PAGE_SIZE;
	cr_assert_eq(mm_map(mm, &task, &r), -LX_EAGAIN);
}

/* What another thread's batch will still unmap is not handed out. */
Test(vma, holes_under_way)
{
	struct mm_map_req r = { .len = LX_PAGE_SIZE, .prot = LX_PROT_READ,
				.flags = LX_MAP_PRIVATE | LX_MAP_ANONYMOUS,
				.batch = &task.batch };
	int64_t a = mm_map(mm, &task, &r), b;

	run_batch(&task);
	cr_assert_eq(mm_unmap(mm, &task, (uint64_t)a, r.len, &task.batch), 0);
	other_task = &task;
	r.batch = &second.batch;
	b = mm_map(mm, &second, &r);
	cr_assert_gt(b, 0);
	cr_assert_neq(b, a);
	cr_assert_eq(mm_unmap(mm, &second, (uint64_t)b, r.len, &second.batch), 0);
	run_batch(&second);
	run_batch(&task); /* its batch is done: free again */
	cr_assert_eq(mm_map(mm, &second, &r), a);
}

/* A refused command leaves books that match the host. */
Test(vma, refusals)
{
	struct mm_map_req r = { .addr = P(4), .len = 4 * LX_PAGE_SIZE, .prot = LX_PROT_READ,
				.flags = LX_MAP_PRIVATE | LX_MAP_ANONYMOUS | LX_MAP_FIXED,
				.batch = &task.batch };

	cr_assert_eq((uint64_t)mm_map(mm, &task, &r), P(4));
	task.trap_seq++;
	cr_assert_eq(mm_batch_failed(&task, 0, -LX_ENOMEM), -LX_ENOMEM);
	cr_assert_null(vma_at(mm->vmas, P(4)));
	run_batch(&task);

	cr_assert_eq((uint64_t)mm_map(mm, &task, &r), P(4));
	run_batch(&task);
	cr_assert_eq(mm_protect(&task, P(5), LX_PAGE_SIZE, LX_PROT_READ | LX_PROT_WRITE), 0);
	task.trap_seq++;
	cr_assert_eq(mm_batch_failed(&task, 0, -LX_EACCES), -LX_EACCES);
	cr_assert_eq(mm->vmas->count, 1);
	cr_assert_eq(vma_at(mm->vmas, P(5))->prot, LX_PROT_READ);
	run_batch(&task);

	cr_assert_eq((uint64_t)mm_remap(&task, P(4), 4 * LX_PAGE_SIZE, 4 * LX_PAGE_SIZE,
					LX_MREMAP_MAYMOVE | LX_MREMAP_FIXED, P(40)),
		     P(40));
	cr_assert_null(vma_at(mm->vmas, P(4)));
	task.trap_seq++;
	cr_assert_eq(mm_batch_failed(&task, 0, -LX_ENOMEM), -LX_ENOMEM);
	cr_assert_null(vma_at(mm->vmas, P(40)));
	cr_assert_eq(vma_at(mm->vmas, P(4))->end, P(8));
	run_batch(&task);
	cr_assert_eq(mm->total_vm, 4);
}

Test(vma, brk)
{
	mm->start_brk = mm->brk = P(10);
	cr_assert_eq((uint64_t)mm_brk(&task, 0), P(10));
	cr_assert_eq((uint64_t)mm_brk(&task, P(12) + 5), P(12) + 5);
	cr_assert_eq(vma_at(mm->vmas, P(12))->end, P(13));
	run_batch(&task);
	cr_assert_eq((uint64_t)mm_brk(&task, P(20)), P(20));
	cr_assert_eq(mm->vmas->count, 1);
	task.trap_seq++;
	cr_assert_eq((uint64_t)mm_batch_failed(&task, 0, -LX_ENOMEM), P(12) + 5);
	cr_assert_eq(vma_at(mm->vmas, P(12))->end, P(13));
	run_batch(&task);
	cr_assert_eq((uint64_t)mm_brk(&task, P(10)), P(10));
	cr_assert_eq(mm->vmas->count, 0);
}

Test(vma, stack_growth)
{
	struct mm_map_req r = { .addr = P(80), .len = 2 * LX_PAGE_SIZE,
				.prot = LX_PROT_READ | LX_PROT_WRITE,
				.flags = LX_MAP_PRIVATE | LX_MAP_ANONYMOUS | LX_MAP_FIXED |
					 LX_MAP_GROWSDOWN,
				.batch = &task.batch };
	struct plat_trap trap = { .kind = PLAT_TRAP_FAULT, .signo = 11, .code = 1, .trapno = 14,
				  .err = 6 };
	int code;

	cr_assert_eq((uint64_t)mm_map(mm, &task, &r), P(80));
	run_batch(&task);
	trap.addr = P(78) + 8;
	cr_assert_eq(mm_fault(&task, &trap, &code), 0);
	cr_assert_eq(vma_at(mm->vmas, P(78))->end, P(82));
	run_batch(&task);
	limits[LX_RLIMIT_STACK] = 4 * LX_PAGE_SIZE;
	trap.addr = P(77);
	cr_assert_eq(mm_fault(&task, &trap, &code), 11);
	cr_assert_eq(code, 1);
	r.flags &= ~LX_MAP_GROWSDOWN;
	r.addr = P(20);
	r.prot = LX_PROT_READ;
	cr_assert_eq((uint64_t)mm_map(mm, &task, &r), P(20));
	trap.addr = P(20);
	cr_assert_eq(mm_fault(&task, &trap, &code), 11);
	cr_assert_eq(code, 2);
}
