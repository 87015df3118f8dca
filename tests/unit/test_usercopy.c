/* Copies, strings and iovecs over a made-up guest with three pages, the middle one
 * readable only, and nothing around them. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "sentry/mm/mm.h"
#include "sentry/task/task.h"

#define BASE 0x100000ULL
#define SIZE (3 * LX_PAGE_SIZE)

static uint8_t mem[SIZE];
static struct mm mm;
static struct task task;

static size_t reach(uint64_t addr, size_t len, bool write)
{
	uint64_t end = BASE + SIZE, ro = BASE + LX_PAGE_SIZE;

	if (addr < BASE || addr >= end)
		return 0;
	if (write && addr >= ro && addr < ro + LX_PAGE_SIZE)
		return 0;
	if (write && addr < ro)
		end = ro;
	return len < end - addr ? len : end - addr;
}
long plat_read_partial(struct plat_as *as, uint64_t addr, void *buf, size_t len)
{
	size_t n = reach(addr, len, false);

	(void)as;
	memcpy(buf, mem + (n ? addr - BASE : 0), n);
	return n ? (long)n : -LX_EFAULT;
}
long plat_write_partial(struct plat_as *as, uint64_t addr, const void *buf, size_t len)
{
	size_t n = reach(addr, len, true);

	(void)as;
	memcpy(mem + (n ? addr - BASE : 0), buf, n);
	return n ? (long)n : -LX_EFAULT;
}
int plat_read(struct plat_as *as, uint64_t addr, void *buf, size_t len)
{
	return plat_read_partial(as, addr, buf, len) == (long)len ? 0 : -LX_EFAULT;
}
int plat_write(struct plat_as *as, uint64_t addr, const void *buf, size_t len)
{
	return plat_write_partial(as, addr, buf, len) == (long)len ? 0 : -LX_EFAULT;
}
int plat_cmpxchg32(struct plat_as *as, uint64_t addr, uint32_t *expected, uint32_t desired)
{
	(void)as, (void)addr, (void)expected, (void)desired;
	return -LX_EFAULT;
}

static struct uaddr at(uint64_t off)
{
	return (struct uaddr){ BASE + off };
}

static void setup(void)
{
	memset(mem, 'x', sizeof(mem));
	mm.as = (struct plat_as *)(void *)&mm; /* only its being there matters */
	task.mm = &mm;
}

TestSuite(usercopy, .init = setup);

Test(usercopy, bounds)
{
	char b[16];

	cr_assert_eq(copy_in(&task, b, at(0), 16), 0);
	cr_assert_eq(copy_in(&task, b, at(SIZE - 8), 16), -LX_EFAULT);
	cr_assert_eq(copy_in(&task, b, (struct uaddr){ UINT64_MAX - 4 }, 16), -LX_EFAULT);
	cr_assert_eq(copy_in(&task, b, (struct uaddr){ PLAT_GUEST_MAX - 8 }, 16), -LX_EFAULT);
	cr_assert_eq(copy_in(&task, b, (struct uaddr){ UINT64_MAX }, 0), 0);
	cr_assert_eq(copy_out(&task, at(LX_PAGE_SIZE), b, 1), -LX_EFAULT);
	cr_assert_eq(mm_copy_out_partial(&mm, BASE + LX_PAGE_SIZE - 3, b, 8), 3);
	cr_assert_eq(mm_clear(&mm, BASE, 100), 0);
	cr_assert(mem[0] == 0 && mem[99] == 0 && mem[100] == 'x');
}

Test(usercopy, strings)
{
	char b[64], *path = NULL;

	memcpy(mem + SIZE - 4, "end", 4);
	cr_assert_eq(copy_in_str(&task, b, at(SIZE - 4), sizeof(b)), 3);
	cr_assert_str_eq(b, "end");
	memcpy(mem + LX_PAGE_SIZE - 2, "over", 5);
	cr_assert_eq(copy_in_str(&task, b, at(LX_PAGE_SIZE - 2), sizeof(b)), 4);
	cr_assert_eq(copy_in_str(&task, b, at(0), sizeof(b)), -LX_ENAMETOOLONG);
	mem[SIZE - 1] = 'd'; /* no NUL before the end of memory */
	cr_assert_eq(copy_in_str(&task, b, at(SIZE - 4), sizeof(b)), -LX_EFAULT);
	cr_assert_eq(copy_in_str(&task, b, at(SIZE - 4), 4), -LX_ENAMETOOLONG);
	cr_assert_eq(copy_in_path(&task, at(LX_PAGE_SIZE - 2), &path), 0);
	cr_assert_str_eq(path, "over");
	free(path);
	memset(mem, 'x', sizeof(mem));
	cr_assert_eq(copy_in_path(&task, at(100), &path), -LX_ENAMETOOLONG);
}

Test(usercopy, iovecs)
{
	struct uiov v[3] = { { BASE, 3 }, { 0, 0 }, { BASE + 10, 5 } };
	struct uio u;
	char b[16];

	memcpy(mem + 2 * LX_PAGE_SIZE, v, sizeof(v));
	cr_assert_eq(uio_init_iov(&u, &task, at(2 * LX_PAGE_SIZE), 3), 0);
	cr_assert_eq(u.resid, 8);
	cr_assert_eq(uio_to_user(&u, "abcdefgh", 6), 6);
	cr_assert(memcmp(mem, "abcx", 4) == 0 && memcmp(mem + 10, "defx", 4) == 0);
	uio_revert(&u, 5);
	cr_assert_eq(u.resid, 7);
	cr_assert_eq(uio_to_user(&u, "BCDEFGH", 7), 7);
	cr_assert(memcmp(mem, "aBC", 3) == 0 && memcmp(mem + 10, "DEFGH", 5) == 0);
	cr_assert_eq(uio_to_user(&u, "z", 1), 0);
	uio_revert(&u, 8);
	cr_assert_eq(uio_from_user(&u, b, 16), 8);
	cr_assert(memcmp(b, "aBCDEFGH", 8) == 0);
	uio_fini(&u);
	v[1].len = (uint64_t)-1;
	memcpy(mem + 2 * LX_PAGE_SIZE, v, sizeof(v));
	cr_assert_eq(uio_init_iov(&u, &task, at(2 * LX_PAGE_SIZE), 3), -LX_EINVAL);
	cr_assert_eq(uio_init_iov(&u, &task, at(2 * LX_PAGE_SIZE), 1025), -LX_EINVAL);
	cr_assert_eq(uio_init_iov(&u, &task, at(SIZE - 16), 2), -LX_EFAULT);
	v[1] = (struct uiov){ BASE, INT64_MAX };
	memcpy(mem + 2 * LX_PAGE_SIZE, v, sizeof(v));
	cr_assert_eq(uio_init_iov(&u, &task, at(2 * LX_PAGE_SIZE), 3), -LX_EFAULT);
}

Test(usercopy, faults_cut_short)
{
	struct uio u;
	char b[LX_PAGE_SIZE];

	memset(b, 'y', sizeof(b));
	uio_init_user(&u, &task, at(LX_PAGE_SIZE - 4), 100);
	cr_assert_eq(uio_to_user(&u, b, 100), 4);
	cr_assert_eq(u.resid, 96);
	cr_assert_eq(uio_to_user(&u, b, 96), -LX_EFAULT);
	uio_init_kernel(&u, b, 10);
	cr_assert_eq(uio_zero(&u, 4), 4);
	cr_assert_eq(uio_to_user(&u, "123456789", 9), 6);
	cr_assert(memcmp(b, "\0\0\0\0" "123456y", 11) == 0);
}
