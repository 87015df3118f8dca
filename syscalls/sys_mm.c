/* mmap(2) and its relatives: arguments and permissions; the work is in sentry/mm. */
#include "sentry/mm/mm.h"
#include "sentry/task/task.h"
#include "sentry/vfs/vfs.h"
#include "syscalls/abi/lx_mman.h"
#include "syscalls/syscall_args.h"

#define PAGE_MASK (LX_PAGE_SIZE - 1)

long sys_mmap(struct task *t, const struct mmap_args *a)
{
	AUTO_PUT(file) struct file *f = NULL;
	struct mm_map_req r = {
		.addr = a->addr, .len = a->len, .prot = (uint32_t)a->prot,
		.flags = (uint32_t)a->flags, .off = a->off, .batch = &t->batch,
	};
	int err = 0;

	if (a->off & PAGE_MASK)
		return -LX_EINVAL;
	if (!(a->flags & LX_MAP_ANONYMOUS)) {
		f = fd_file(t, a->fd, &err);
		if (!f)
			return err;
		r.file = f;
	}
	/* As a Linux whose administrator has set no huge pages aside. */
	if (a->flags & LX_MAP_HUGETLB) {
		uint32_t size = (uint32_t)a->flags & LX_MAP_HUGE_MASK;

		return f || (size && size != LX_MAP_HUGE_2MB && size != LX_MAP_HUGE_1GB)
			       ? -LX_EINVAL : -LX_ENOMEM;
	}
	return mm_map(t->mm, t, &r);
}

long sys_munmap(struct task *t, const struct munmap_args *a)
{
	return mm_unmap(t->mm, t, a->addr, a->len, &t->batch);
}

long sys_mprotect(struct task *t, const struct mprotect_args *a)
{
	return mm_protect(t, a->start, a->len, a->prot);
}

long sys_mremap(struct task *t, const struct mremap_args *a)
{
	return mm_remap(t, a->addr, a->old_len, a->new_len, a->flags, a->new_addr);
}

long sys_brk(struct task *t, const struct brk_args *a)
{
	return mm_brk(t, a->brk);
}

long sys_madvise(struct task *t, const struct madvise_args *a)
{
	return mm_advise(t, a->start, a->len_in, a->behavior);
}

/* Which pages the host has in memory is not known here: all that is mapped counts. */
long sys_mincore(struct task *t, const struct mincore_args *a)
{
	uint64_t pages = a->len / LX_PAGE_SIZE + !!(a->len & PAGE_MASK), done = 0;
	uint8_t ones[512];

	if (a->start & PAGE_MASK)
		return -LX_EINVAL;
	if (a->start > PLAT_GUEST_MAX || a->len > PLAT_GUEST_MAX - a->start)
		return -LX_ENOMEM;
	if (a->vec.v > PLAT_GUEST_MAX || pages > PLAT_GUEST_MAX - a->vec.v)
		return -LX_EFAULT;
	for (size_t i = 0; i < sizeof(ones); i++)
		ones[i] = 1;
	while (done < pages) {
		uint64_t n = pages - done < sizeof(ones) ? pages - done : sizeof(ones);
		uint64_t addr = a->start + done * LX_PAGE_SIZE;

		if (!mm_range_mapped(t->mm, addr, n * LX_PAGE_SIZE))
			return -LX_ENOMEM;
		if (copy_out(t, uaddr_add(a->vec, done), ones, n))
			return -LX_EFAULT;
		done += n;
	}
	return 0;
}

long sys_msync(struct task *t, const struct msync_args *a)
{
	return mm_sync(t, a->start, a->len, a->flags);
}

long sys_mlock(struct task *t, const struct mlock_args *a)
{
	return mm_lock_range(t, a->start, a->len, VMA_LOCKED);
}

long sys_mlock2(struct task *t, const struct mlock2_args *a)
{
	if (a->flags & ~LX_MLOCK_ONFAULT)
		return -LX_EINVAL;
	return mm_lock_range(t, a->start, a->len,
			     VMA_LOCKED | (a->flags ? VMA_LOCKONFAULT : 0));
}

long sys_munlock(struct task *t, const struct munlock_args *a)
{
	return mm_lock_range(t, a->start, a->len, 0);
}

long sys_mlockall(struct task *t, const struct mlockall_args *a)
{
	if (!a->flags || (a->flags & ~(LX_MCL_CURRENT | LX_MCL_FUTURE | LX_MCL_ONFAULT)) ||
	    a->flags == LX_MCL_ONFAULT)
		return -LX_EINVAL;
	return mm_lock_all(t, a->flags);
}

long sys_munlockall(struct task *t, const struct munlockall_args *a)
{
	(void)a;
	return mm_lock_all(t, 0);
}

long sys_mseal(struct task *t, const struct mseal_args *a)
{
	if (a->flags)
		return -LX_EINVAL;
	return mm_seal(t, a->start, a->len);
}

long sys_remap_file_pages(struct task *t, const struct remap_file_pages_args *a)
{
	if (a->prot)
		return -LX_EINVAL;
	return mm_remap_file_pages(t, a->start, a->size, a->pgoff, (uint32_t)a->flags);
}

/* Protection keys: as on a processor without them. */
long sys_pkey_mprotect(struct task *t, const struct pkey_mprotect_args *a)
{
	return a->pkey == -1 ? mm_protect(t, a->start, a->len, a->prot) : -LX_EINVAL;
}
