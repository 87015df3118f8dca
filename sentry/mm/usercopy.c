/* Copying between the sentry and guest memory: bounds first, then the platform. A
 * fault is -LX_EFAULT, never more. */
#include <stdlib.h>
#include <string.h>

#include "sentry/mm/mm.h"
#include "sentry/task/task.h"

#define GUEST_PATH_MAX 4096

static bool range_ok(uint64_t addr, size_t len)
{
	return addr <= PLAT_GUEST_MAX && len <= PLAT_GUEST_MAX - addr;
}

/* A call that came with its arguments, and takes its results along: of the task that is being
 * served, in its own memory. */
static bool own_window(const struct mm *mm)
{
	return task_current && task_current->mm == mm && task_current->pt;
}

static bool to_window(struct mm *mm, uint64_t dst, const void *src, size_t len)
{
	if (!own_window(mm))
		return false;
	if (mm_is_writable(mm, dst, len))
		return plat_window_write(task_current->pt, dst, src, len);
	plat_window_flush(task_current->pt);
	return false;
}

void *mm_place(struct mm *mm, uint64_t dst, size_t len)
{
	if (!len || !mm->as || !range_ok(dst, len) || !own_window(mm))
		return NULL;
	return mm_is_writable(mm, dst, len) ? plat_window_place(task_current->pt, len) : NULL;
}

void mm_placed(uint64_t dst, size_t len)
{
	plat_window_placed(task_current->pt, dst, len);
}

const void *mm_brought(struct mm *mm, uint64_t src, size_t len)
{
	return len && own_window(mm) ? plat_window_in(task_current->pt, src, len) : NULL;
}

int mm_copy_in(struct mm *mm, void *dst, uint64_t src, size_t len)
{
	if (!len)
		return 0;
	if (!mm->as || !range_ok(src, len))
		return -LX_EFAULT;
	if (own_window(mm) && plat_window_read(task_current->pt, src, dst, len))
		return 0;
	return plat_read(mm->as, src, dst, len) < 0 ? -LX_EFAULT : 0;
}

int mm_copy_out(struct mm *mm, uint64_t dst, const void *src, size_t len)
{
	if (!len)
		return 0;
	if (!mm->as || !range_ok(dst, len))
		return -LX_EFAULT;
	if (to_window(mm, dst, src, len))
		return 0;
	return plat_write(mm->as, dst, src, len) < 0 ? -LX_EFAULT : 0;
}

/* What of [addr, addr + len) lies below the end of the guest's address space. */
static size_t clip(uint64_t addr, size_t len)
{
	if (addr >= PLAT_GUEST_MAX)
		return 0;
	return len < PLAT_GUEST_MAX - addr ? len : PLAT_GUEST_MAX - addr;
}

long mm_copy_in_partial(struct mm *mm, void *dst, uint64_t src, size_t len)
{
	long n;

	if (!len)
		return 0;
	len = clip(src, len);
	if (mm->as && len && own_window(mm) &&
	    plat_window_read(task_current->pt, src, dst, len))
		return (long)len;
	n = mm->as && len ? plat_read_partial(mm->as, src, dst, len) : -LX_EFAULT;
	return n > 0 ? n : -LX_EFAULT;
}

long mm_copy_out_partial(struct mm *mm, uint64_t dst, const void *src, size_t len)
{
	long n;

	if (!len)
		return 0;
	len = clip(dst, len);
	if (mm->as && len && to_window(mm, dst, src, len))
		return (long)len;
	n = mm->as && len ? plat_write_partial(mm->as, dst, src, len) : -LX_EFAULT;
	return n > 0 ? n : -LX_EFAULT;
}

int mm_clear(struct mm *mm, uint64_t dst, size_t len)
{
	static const uint8_t zeros[16384];

	while (len) {
		size_t n = len < sizeof(zeros) ? len : sizeof(zeros);

		if (mm_copy_out(mm, dst, zeros, n))
			return -LX_EFAULT;
		dst += n;
		len -= n;
	}
	return 0;
}

int mm_load32(struct mm *mm, uint64_t addr, uint32_t *out)
{
	return mm_copy_in(mm, out, addr, sizeof(*out));
}

int mm_cmpxchg32(struct mm *mm, uint64_t addr, uint32_t *expected, uint32_t desired)
{
	if (!mm->as || addr % 4 || !range_ok(addr, 4))
		return -LX_EFAULT;
	return plat_cmpxchg32(mm->as, addr, expected, desired);
}

int copy_in(struct task *t, void *dst, struct uaddr src, size_t len)
{
	return t->mm ? mm_copy_in(t->mm, dst, src.v, len) : -LX_EFAULT;
}

int copy_out(struct task *t, struct uaddr dst, const void *src, size_t len)
{
	return t->mm ? mm_copy_out(t->mm, dst.v, src, len) : -LX_EFAULT;
}

long copy_in_str(struct task *t, char *dst, struct uaddr src, size_t size)
{
	size_t done = 0;

	if (!t->mm)
		return -LX_EFAULT;
	if (own_window(t->mm)) {
		size_t n = plat_window_avail(task_current->pt, src.v);

		n = n < size ? n : size;
		if (n && plat_window_read(task_current->pt, src.v, dst, n) && memchr(dst, '\0', n))
			return (long)strlen(dst);
	}
	/* Page by page: the next page need not exist when the NUL is in this one. */
	while (done < size) {
		uint64_t addr = src.v + done;
		size_t n = LX_PAGE_SIZE - addr % LX_PAGE_SIZE;
		const char *nul;
		long got;

		if (n > size - done)
			n = size - done;
		got = mm_copy_in_partial(t->mm, dst + done, addr, n);
		if (got < 0)
			return -LX_EFAULT;
		nul = memchr(dst + done, '\0', (size_t)got);
		if (nul)
			return nul - dst;
		if ((size_t)got < n)
			return -LX_EFAULT;
		done += n;
	}
	return -LX_ENAMETOOLONG;
}

int copy_in_sized(struct task *t, void *dst, size_t size, struct uaddr src, uint64_t usize)
{
	uint8_t buf[4096];

	if (usize > sizeof(buf))
		return -LX_E2BIG;
	if (copy_in(t, buf, src, usize))
		return -LX_EFAULT;
	for (uint64_t i = size; i < usize; i++)
		if (buf[i])
			return -LX_E2BIG;
	memset(dst, 0, size);
	memcpy(dst, buf, usize < size ? usize : size);
	return 0;
}

int copy_in_path(struct task *t, struct uaddr src, char **out)
{
	char buf[GUEST_PATH_MAX];
	long n = copy_in_str(t, buf, src, sizeof(buf));

	if (n < 0)
		return (int)n;
	*out = malloc((size_t)n + 1);
	if (!*out)
		return -LX_ENOMEM;
	memcpy(*out, buf, (size_t)n + 1);
	return 0;
}
