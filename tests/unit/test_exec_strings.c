/* execve's vectors and `#!` lines: sentry/task/exec_strings.c on a faked address space. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "sentry/task/exec_impl.h"
#include "sentry/task/task.h"
#include "syscalls/abi/lx_errno.h"

/* ---- guest memory: one area from BASE ---- */

#define BASE 0x100000ULL
#define MEM_SIZE (8u << 20)

static uint8_t *mem;
static uint64_t stack_rlimit = 8u << 20;

long mm_copy_in_partial(struct mm *mm, void *dst, uint64_t src, size_t len)
{
	(void)mm;
	if (src < BASE || src >= BASE + MEM_SIZE)
		return -LX_EFAULT;
	if (len > BASE + MEM_SIZE - src)
		len = BASE + MEM_SIZE - src;
	memcpy(dst, mem + (src - BASE), len);
	return (long)len;
}

uint64_t rlimit_cur(const struct task *t, unsigned which)
{
	(void)t;
	(void)which;
	return stack_rlimit;
}

static struct task task;

static void fresh(void)
{
	free(mem);
	mem = calloc(1, MEM_SIZE);
}

static void put_ptr(unsigned slot, uint64_t v)
{
	memcpy(mem + slot * 8, &v, 8);
}

static struct uaddr at(uint64_t off)
{
	return (struct uaddr){ BASE + off };
}

/* ---- vectors ---- */

Test(exec_strings, copies_both_vectors)
{
	struct strvec a, e;

	fresh();
	put_ptr(0, BASE + 4096);
	put_ptr(1, BASE + 5000);
	put_ptr(10, BASE + 9000);
	strcpy((char *)mem + 4096, "ls");
	strcpy((char *)mem + 5000, "-l");
	strcpy((char *)mem + 9000, "PATH=/bin");
	cr_assert_eq(exec_strings_copy(&task, at(0), at(80), 8, &a, &e), 0);
	cr_assert_eq(a.count, 2);
	cr_assert_str_eq(a.v[0], "ls");
	cr_assert_str_eq(a.v[1], "-l");
	cr_assert_null(a.v[2]);
	cr_assert_eq(e.count, 1);
	cr_assert_str_eq(e.v[0], "PATH=/bin");
	strvec_fini(&a);
	strvec_fini(&e);
}

Test(exec_strings, empty_argv_becomes_one_empty_string)
{
	struct strvec a, e;

	fresh();
	cr_assert_eq(exec_strings_copy(&task, (struct uaddr){ 0 }, (struct uaddr){ 0 }, 8, &a, &e),
		     0);
	cr_assert_eq(a.count, 1);
	cr_assert_str_eq(a.v[0], "");
	cr_assert_eq(e.count, 0);
	strvec_fini(&a);
	strvec_fini(&e);
}

Test(exec_strings, bad_addresses)
{
	struct strvec a, e;

	fresh();
	cr_assert_eq(exec_strings_copy(&task, (struct uaddr){ 8 }, at(80), 8, &a, &e), -LX_EFAULT);
	put_ptr(0, 8);
	cr_assert_eq(exec_strings_copy(&task, at(0), at(80), 8, &a, &e), -LX_EFAULT);
	/* No end before the memory ends. */
	put_ptr(0, BASE + MEM_SIZE - 4);
	memset(mem + MEM_SIZE - 4, 'x', 4);
	cr_assert_eq(exec_strings_copy(&task, at(0), at(80), 8, &a, &e), -LX_EFAULT);
}

Test(exec_strings, one_string_is_limited)
{
	struct strvec a, e;

	fresh();
	put_ptr(0, BASE + 4096);
	memset(mem + 4096, 'a', EXEC_STRLEN_MAX - 1);
	cr_assert_eq(exec_strings_copy(&task, at(0), at(80), 8, &a, &e), 0);
	cr_assert_eq(strlen(a.v[0]), EXEC_STRLEN_MAX - 1);
	strvec_fini(&a);
	strvec_fini(&e);
	mem[4096 + EXEC_STRLEN_MAX - 1] = 'a';
	cr_assert_eq(exec_strings_copy(&task, at(0), at(80), 8, &a, &e), -LX_E2BIG);
}

Test(exec_strings, the_sum_is_limited_by_the_stack)
{
	struct strvec a, e;

	fresh();
	memset(mem + (1 << 20), 'a', 100000);
	for (unsigned i = 0; i < 20; i++)
		put_ptr(i, BASE + (1 << 20));
	cr_assert_eq(exec_strings_copy(&task, at(0), at(8192), 8, &a, &e), 0);
	strvec_fini(&a);
	strvec_fini(&e);
	stack_rlimit = 4u << 20;
	cr_assert_eq(exec_strings_copy(&task, at(0), at(8192), 8, &a, &e), -LX_E2BIG);
}

Test(exec_strings, replacing_the_first_for_a_script)
{
	char *const argv[] = { (char *)"me", (char *)"x", NULL };
	const char *const with[] = { "/bin/sh", "-e", "/me" };
	struct strvec a;

	cr_assert_eq(strvec_from(&a, argv), 0);
	cr_assert_eq(strvec_replace_first(&a, with, 3), 0);
	cr_assert_eq(a.count, 4);
	cr_assert_str_eq(a.v[0], "/bin/sh");
	cr_assert_str_eq(a.v[2], "/me");
	cr_assert_str_eq(a.v[3], "x");
	cr_assert_null(a.v[4]);
	strvec_fini(&a);
}

/* ---- scripts ---- */

static int parse(const char *text, char **interp, char **arg)
{
	static char line[SCRIPT_LINE + 1];

	memset(line, 0, sizeof(line));
	memcpy(line, text, strnlen(text, SCRIPT_LINE));
	return script_parse(line, interp, arg);
}

Test(script, lines)
{
	char *i, *a, longline[400];

	cr_assert_eq(parse("\177ELF", &i, &a), 0);
	cr_assert_eq(parse("#!/bin/sh\necho\n", &i, &a), 1);
	cr_assert_str_eq(i, "/bin/sh");
	cr_assert_null(a);
	cr_assert_eq(parse("#! \t/usr/bin/env  python3 -u \t\n", &i, &a), 1);
	cr_assert_str_eq(i, "/usr/bin/env");
	cr_assert_str_eq(a, "python3 -u", "one argument, blanks and all");
	cr_assert_eq(parse("#!/bin/sh", &i, &a), 1, "a file may end without a newline");
	cr_assert_eq(parse("#!\n", &i, &a), -LX_ENOEXEC);
	cr_assert_eq(parse("#!   \n", &i, &a), -LX_ENOEXEC);
	memset(longline, 'x', sizeof(longline));
	memcpy(longline, "#!/", 3);
	cr_assert_eq(parse(longline, &i, &a), -LX_ENOEXEC, "the name is cut off");
	longline[100] = ' ';
	cr_assert_eq(parse(longline, &i, &a), 1, "only the argument is cut off");
}
