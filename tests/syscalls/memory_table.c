/* mmap and its family by tables: every combination against what Linux says. A letter stands
 * for a result, see result(). */
#include <setjmp.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "tests/harness/guest.h"

#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define PAGE 4096L
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#define MADV_GUARD_REMOVE 103
#endif
#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24
#endif
#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

static char result(bool ok)
{
	static const struct {
		int err;
		char letter;
	} letters[] = {
		{ EINVAL, 'I' }, { EACCES, 'A' }, { EPERM, 'P' }, { ENODEV, 'D' }, { EBADF, 'B' },
		{ ENOMEM, 'M' }, { EOPNOTSUPP, 'O' }, { EFAULT, 'F' }, { EAGAIN, 'G' },
		{ EEXIST, 'E' }, { EOVERFLOW, 'V' },
	};

	if (ok)
		return '.';
	for (size_t i = 0; i < sizeof(letters) / sizeof(letters[0]); i++)
		if (letters[i].err == errno)
			return letters[i].letter;
	return '?';
}

static sigjmp_buf back;
static volatile int seen_code;

static void on_fault(int sig, siginfo_t *si, void *uc)
{
	(void)uc;
	seen_code = si->si_code;
	siglongjmp(back, sig);
}

static int touch(volatile char *p, bool write)
{
	struct sigaction sa = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER };
	int sig;

	sigaction(SIGSEGV, &sa, NULL);
	sigaction(SIGBUS, &sa, NULL);
	sig = sigsetjmp(back, 1);
	if (sig)
		return sig;
	if (write)
		*p = 1;
	else
		(void)*p;
	return 0;
}

/* A place in the address space with nothing in it, and files. */
#define SPAN (16L << 20)
static char *b;
static int file, file_ro, file_wo, pipe_r;

static char *area(int pages)
{
	return mmap(b, (size_t)pages * PAGE, RW, ANON | MAP_FIXED, -1, 0);
}

static void clear(void)
{
	CHECK_EQ(munmap(b, SPAN), 0);
}

static void world(void)
{
	int p[2];

	b = mmap(NULL, SPAN, PROT_NONE, ANON, -1, 0);
	CHECK(b != MAP_FAILED);
	clear();
	file = open("file", O_RDWR | O_CREAT, 0600);
	CHECK_EQ(ftruncate(file, 3 * PAGE + 100), 0);
	file_ro = open("file", O_RDONLY);
	file_wo = open("file", O_WRONLY);
	CHECK_EQ(pipe(p), 0);
	pipe_r = p[0];
}

/* The mappings in the span, "0-1r 2-3w", in pages. */
static const char *layout(void)
{
	static char text[512];
	char line[512], prot[8];
	unsigned long lo, hi;
	FILE *f = fopen("/proc/self/maps", "re");
	size_t n = 0;

	CHECK(f != NULL);
	text[0] = '\0';
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx %7s", &lo, &hi, prot) != 3 || lo < (unsigned long)b ||
		    lo >= (unsigned long)b + SPAN)
			continue;
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%ld-%ld%c", n ? " " : "",
				      (long)(lo - (unsigned long)b) / PAGE,
				      (long)(hi - (unsigned long)b) / PAGE,
				      prot[1] == 'w' ? 'w' : prot[0] == 'r' ? 'r' : '-');
	}
	fclose(f);
	return text;
}
#define CHECK_LAYOUT(want)                                                                    \
	do {                                                                                  \
		const char *l_ = layout();                                                    \
		if (strcmp(l_, want))                                                         \
			guest_fail(__FILE__, __LINE__, "mapped is %s, not %s", l_, want);     \
	} while (0)
#define CHECK_TEXT(got, want, what, i)                                                        \
	do {                                                                                  \
		if (strcmp(got, want))                                                        \
			guest_fail(__FILE__, __LINE__, "%s %d: %s, not %s", what, i, got, want); \
	} while (0)

/* ---- mmap ---- */

/* For each kind of mapping and of file the protections 0 to 7. */
CASE(map_types, "mmap")
{
	static const struct {
		int type;
		const char *want[5]; /* read-write, read-only, write-only file; pipe; no fd */
	} rows[] = {
		{ 0x0, { "IIIIIIII", "IIIIIIII", "IIIIIIII", "IIIIIIII", "BBBBBBBB" } },
		{ 0x1, { "........", "..AA..AA", "AAAAAAAA", "DDAAPPAA", "BBBBBBBB" } },
		{ 0x2, { "........", "........", "AAAAAAAA", "DDDDPPPP", "BBBBBBBB" } },
		{ 0x3, { "........", "..AA..AA", "AAAAAAAA", "DDAAPPAA", "BBBBBBBB" } },
		{ 0x8, { "IIIIIIII", "IIIIIIII", "IIIIIIII", "IIIIIIII", "BBBBBBBB" } },
		{ 0xf, { "IIIIIIII", "IIIIIIII", "IIIIIIII", "IIIIIIII", "BBBBBBBB" } },
	};

	world();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const int fds[5] = { file, file_ro, file_wo, pipe_r, -1 };

		for (int k = 0; k < 5; k++) {
			char got[9] = "";

			for (int prot = 0; prot < 8; prot++) {
				void *m = mmap(NULL, PAGE, prot, rows[i].type, fds[k], 0);

				got[prot] = result(m != MAP_FAILED);
				if (m != MAP_FAILED)
					munmap(m, PAGE);
			}
			CHECK_TEXT(got, rows[i].want[k], "type", rows[i].type * 10 + k);
		}
	}
}

/* Each flag with MAP_SHARED, MAP_PRIVATE, MAP_SHARED_VALIDATE; of nothing, a file, a pipe. */
CASE(map_flags, "mmap")
{
	static const struct {
		unsigned flag;
		const char *want;
	} rows[] = {
		{ MAP_GROWSDOWN, "IID.IDIID" },
		{ MAP_LOCKED, "..D..DI.D" },
		{ MAP_NORESERVE, "..D..DI.D" },
		{ MAP_POPULATE, "..D..DI.D" },
		{ MAP_NONBLOCK, "..D..DI.D" },
		{ MAP_STACK, "..D..DI.D" },
		{ MAP_HUGETLB, "MIIMIIMII" },
		{ MAP_SYNC, ".OD.ODIOO" },
		{ MAP_32BIT, "..D..DI.D" },
		{ 0x800, "..D..DI.D" },
		{ 0x1000, "..D..DI.D" },
		{ 0x200, "..D..DIOO" },
		{ 0x400, "..D..DIOO" },
		{ 0x80, "..D..DI.D" },
		{ 0x200000, "..D..DIOO" },
		{ 0x4000000, "..D..DI.D" },
		{ 0x80000000u, "..D..DIOO" },
		{ MAP_HUGETLB | 21u << 26, "MIIMIIMII" },
		{ MAP_HUGETLB | 30u << 26, "MIIMIIMII" },
		{ MAP_HUGETLB | 5u << 26, "IIIIIIIII" },
	};

	world();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char got[10] = "";

		for (int k = 0; k < 9; k++) {
			int type = 1 + k / 3, fd = k % 3 == 0 ? -1 : k % 3 == 1 ? file : pipe_r;
			void *m = mmap(NULL, 2 << 20, PROT_READ,
				       (int)((unsigned)type | rows[i].flag |
					     (k % 3 == 0 ? (unsigned)MAP_ANONYMOUS : 0)), fd, 0);

			got[k] = result(m != MAP_FAILED);
			if (m != MAP_FAILED && rows[i].flag == MAP_32BIT)
				CHECK((unsigned long)m < 0x80000000UL);
			if (m != MAP_FAILED)
				munmap(m, 2 << 20);
		}
		CHECK_TEXT(got, rows[i].want, "flag", (int)rows[i].flag);
	}
}

CASE(map_arguments, "mmap,munmap")
{
	static const struct {
		long addr, len;
		int prot, flags;
		long off;
		int err;
	} rows[] = {
		{ 0, 0, 3, ANON, 0, EINVAL },
		{ 0, -1, 3, ANON, 0, ENOMEM },
		{ 0, -4095, 3, ANON, 0, ENOMEM },
		{ 0, 1L << 47, 3, ANON, 0, ENOMEM },
		{ 0, 1L << 50, 3, ANON, 0, ENOMEM },
		{ 0, 4096, 3, ANON, 1, EINVAL },
		{ 0, 4096, 3, ANON, 4096, 0 },
		{ 1, 4096, 3, ANON | MAP_FIXED, 0, EINVAL },
		{ 0x7ffffffff000, 4096, 3, ANON | MAP_FIXED, 0, ENOMEM },
		{ -0xa00000L, 4096, 3, ANON | MAP_FIXED, 0, ENOMEM },
		{ 0, 4096, 3, MAP_PRIVATE, -4096, EOVERFLOW },
		{ 0, 4096, 3, MAP_PRIVATE, 0x7ffffffffffff000, EOVERFLOW },
		{ 0, 0x10000, 3, MAP_PRIVATE, 0x7fffffffffff0000, EOVERFLOW },
		{ 0, 4096, 0xf00, ANON, 0, 0 },
		{ 0, 4096, PROT_GROWSDOWN | 3, ANON, 0, 0 },
		{ 1234, 4096, 3, ANON, 0, 0 },
		{ 4096, 4096, 3, ANON, 0, 0 },
	};
	static const struct {
		long addr, len;
		int err;
	} unmaps[] = {
		{ 0, 0, EINVAL }, { 1, PAGE, EINVAL }, { 1 << 20, PAGE, 0 }, { PAGE, PAGE, 0 },
		{ 0, 1 << 20, 0 }, { 0, 1L << 48, EINVAL }, { 0, -PAGE, EINVAL },
	};

	world();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		void *m;

		errno = 0;
		m = mmap((void *)rows[i].addr, (size_t)rows[i].len, rows[i].prot, rows[i].flags,
			 rows[i].flags & MAP_ANONYMOUS ? -1 : file, rows[i].off);
		if (errno != rows[i].err)
			guest_fail(__FILE__, __LINE__, "row %zu: errno %d, not %d", i, errno, rows[i].err);
		if (m != MAP_FAILED)
			munmap(m, (size_t)rows[i].len);
	}
	area(4);
	for (size_t i = 0; i < sizeof(unmaps) / sizeof(unmaps[0]); i++) {
		errno = 0;
		munmap(b + unmaps[i].addr, (size_t)unmaps[i].len);
		CHECK_EQ(errno, unmaps[i].err);
	}
	CHECK_LAYOUT("");
}

CASE(map_noreplace_and_hints, "mmap")
{
	world();
	area(4);
	CHECK_ERR((long)mmap(b, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0), EEXIST);
	CHECK_ERR((long)mmap(b + 3 * PAGE, 2 * PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0), EEXIST);
	CHECK(mmap(b + 4 * PAGE, 2 * PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0) == b + 4 * PAGE);
	CHECK_LAYOUT("0-6w");
	clear();
	CHECK(mmap(b, PAGE, RW, ANON, -1, 0) == b);
	CHECK(mmap(b, PAGE, RW, ANON, -1, 0) != b);
	CHECK(mmap(b + 0x10123, PAGE, RW, ANON, -1, 0) == b + 0x10000);
}

/* ---- mprotect ---- */

CASE(protect_splits_and_merges, "mprotect")
{
	world();
	area(8);
	CHECK_EQ(mprotect(b + PAGE, PAGE, PROT_READ), 0);
	CHECK_EQ(mprotect(b + 3 * PAGE, PAGE, PROT_NONE), 0);
	CHECK_LAYOUT("0-1w 1-2r 2-3w 3-4- 4-8w");
	CHECK_EQ(mprotect(b + PAGE, PAGE, RW), 0);
	CHECK_LAYOUT("0-3w 3-4- 4-8w");
	CHECK_ERR(mprotect(b + 6 * PAGE, 4 * PAGE, PROT_READ), ENOMEM);
	CHECK_LAYOUT("0-3w 3-4- 4-6w 6-8r"); /* what came before the hole is done */
	CHECK_ERR(mprotect(b + 1, PAGE, RW), EINVAL);
	CHECK_EQ(mprotect(b, 0, RW), 0);
	CHECK_EQ(mprotect(b + (1 << 20), 0, RW), 0);
	CHECK_ERR(mprotect(b, PAGE, 0x100), EINVAL);
	CHECK_ERR(mprotect(b, PAGE, PROT_GROWSDOWN | PROT_GROWSUP | 1), EINVAL);
	CHECK_ERR(mprotect(b, PAGE, PROT_GROWSDOWN | 1), EINVAL);
	CHECK_ERR(mprotect(b, PAGE, PROT_GROWSUP | 1), EINVAL);
	CHECK_EQ(mprotect(b, PAGE, 8 | RW), 0);
	CHECK_ERR(mprotect(b, -PAGE, RW), ENOMEM);
	clear();
	CHECK(mmap(b, 2 * PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, file_ro, 0) == b);
	CHECK_ERR(mprotect(b, PAGE, RW), EACCES);
	CHECK_EQ(mprotect(b, PAGE, PROT_READ | PROT_EXEC), 0);
	CHECK(mmap(b, 2 * PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, file_ro, 0) == b);
	CHECK_EQ(mprotect(b, PAGE, RW), 0);
}

CASE(areas_that_grow_down, "mmap,mprotect")
{
	char *g;

	world();
	g = b + 1024 * PAGE;
	CHECK(mmap(g, PAGE, RW, ANON | MAP_FIXED | MAP_GROWSDOWN, -1, 0) == g);
	CHECK_EQ(mprotect(g, PAGE, PROT_GROWSDOWN | PROT_READ), 0);
	CHECK_LAYOUT("1024-1025r");
	CHECK_EQ(mprotect(g, PAGE, RW), 0);
	CHECK_EQ(touch(g - PAGE, true), 0);
	CHECK_EQ(touch(g - 3 * PAGE, true), 0);
	CHECK_LAYOUT("1021-1025w");
	/* A gap of 256 pages stays free above what lies below. */
	CHECK(mmap(b + 700 * PAGE, PAGE, RW, ANON | MAP_FIXED, -1, 0) == b + 700 * PAGE);
	CHECK_EQ(touch(b + 957 * PAGE, true), 0);
	CHECK_EQ(touch(b + 956 * PAGE, true), SIGSEGV);
	CHECK_LAYOUT("700-701w 957-1025w");
}

/* ---- mremap ---- */


/* Of an area of four pages with 1 … 4 in them. to: '=' in place, '>' moved, 'T' to the target. */
CASE(remap_table, "mremap")
{
	static const struct {
		long at, old, new;
		int flags;
		long target; /* pages from the start of the span; 0: none */
		char want;
		const char *mapped;
	} rows[] = {
		{ 0, 4096, 4096, 0, 0, '=', "0-4w" },
		{ 0, 16384, 32768, 0, 0, '=', "0-8w" },
		{ 0, 16384, 32768, 1, 0, '=', "0-8w" },
		{ 0, 4096, 8192, 0, 0, 'M', "0-4w" },
		{ 0, 4096, 8192, 1, 0, '>', "1-4w" },
		{ 4096, 4096, 0, 1, 0, 'I', "0-4w" },
		{ 1, 4096, 8192, 1, 0, 'I', "0-4w" },
		{ 0, 0, 4096, 1, 0, 'I', "0-4w" },
		{ 0, 4096, 4096, 2, 65536, 'I', "0-4w" },
		{ 0, 4096, 4096, 3, 65536, 'T', "1-4w 16-17w" },
		{ 0, 4096, 8192, 3, 65536, 'T', "1-4w 16-18w" },
		{ 0, 8192, 4096, 3, 65536, 'T', "2-4w 16-17w" },
		{ 0, 8192, 8192, 3, 4096, 'I', "0-4w" },
		{ 0, 4096, 4096, 3, 65537, 'I', "0-4w" },
		{ 0, 4096, 4096, 4, 0, 'I', "0-4w" },
		{ 0, 4096, 4096, 5, 0, '>', "0-4w" },
		{ 0, 4096, 8192, 5, 0, 'I', "0-4w" },
		{ 0, 8192, 8192, 7, 65536, 'T', "0-4w 16-18w" },
		{ 0, 32768, 32768, 1, 0, '=', "0-4w" },
		{ 0, 32768, 65536, 1, 0, 'F', "0-4w" },
		{ 0, 32768, 4096, 1, 0, '=', "0-1w" },
		{ 0, 4096, 1L << 47, 1, 0, 'I', "0-4w" },
		{ 0, 4096, -1, 1, 0, 'I', "0-4w" },
		{ 0, 4096, 4096, 8, 0, 'I', "0-4w" },
		{ 0, -1, 4096, 1, 0, 'I', "0-4w" },
		{ 1 << 20, 4096, 8192, 1, 0, 'F', "0-4w" },
		{ 4096, 8192, 4096, 0, 0, '=', "0-2w 3-4w" },
	};

	world();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *target = rows[i].target ? b + rows[i].target : NULL, *m, c;

		clear();
		area(4);
		for (int k = 0; k < 4; k++)
			b[k * PAGE] = (char)(k + 1);
		errno = 0;
		m = mremap(b + rows[i].at, (size_t)rows[i].old, (size_t)rows[i].new, rows[i].flags, target);
		c = m == MAP_FAILED ? result(false) : target && m == target ? 'T'
				    : m == b + rows[i].at		    ? '='
									    : '>';
		if (c != rows[i].want)
			guest_fail(__FILE__, __LINE__, "row %zu: %c, not %c", i, c, rows[i].want);
		if (m != MAP_FAILED)
			CHECK_EQ(*m, rows[i].at / PAGE + 1);
		CHECK_TEXT(layout(), rows[i].mapped, "row", (int)i);
		if (m != MAP_FAILED && (m < b || m >= b + SPAN))
			munmap(m, (size_t)rows[i].new);
	}
}

CASE(remap_shared, "mremap")
{
	char *m, *r;

	world();
	m = mmap(b, 2 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	*m = 7;
	r = mremap(m, 0, 2 * PAGE, MREMAP_MAYMOVE);
	CHECK(r != MAP_FAILED && *r == 7);
	r[1] = 9;
	CHECK_EQ(m[1], 9);
	munmap(r, 2 * PAGE);
	r = mremap(m, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
	CHECK(r != MAP_FAILED);
	CHECK_EQ(*r, 7);
	munmap(r, 2 * PAGE);
	m = mmap(b, 2 * PAGE, RW, MAP_SHARED | MAP_FIXED, file, 0);
	CHECK(mremap(m, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL) != MAP_FAILED);
	CHECK(mremap(m, 0, PAGE, MREMAP_MAYMOVE) != MAP_FAILED);
	m = mmap(b, 2 * PAGE, RW, MAP_PRIVATE | MAP_FIXED, file, 0);
	CHECK(mremap(m, 2 * PAGE, 4 * PAGE, 0) == m);
}

/* ---- madvise ---- */

static void advise_kind(int kind)
{
	clear();
	switch (kind) {
	case 0: area(2); break;
	case 1: mmap(b, 2 * PAGE, RW, MAP_SHARED | MAP_FIXED, file, 0); break;
	case 2: mmap(b, 2 * PAGE, RW, MAP_PRIVATE | MAP_FIXED, file, 0); break;
	case 3: mmap(b, 2 * PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, file_ro, 0); break;
	case 4: mmap(b, 2 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0); break;
	case 5: area(2); mlock(b, 2 * PAGE); break;
	case 6: area(1); break;
	case 7: mmap(b, 2 * PAGE, PROT_NONE, ANON | MAP_FIXED, -1, 0); break;
	}
	if (kind == 0 || kind == 5 || kind == 6)
		*b = 5;
}

/* Private, file shared, file private, file read-only, shared, locked, half mapped, no access. */
CASE(advice_table, "madvise")
{
	static const struct {
		int advice;
		const char *want;
		int then; /* what the private page has afterwards */
	} rows[] = {
		{ -1, "IIIIIIII", 5 },
		{ 0, "......M.", 5 },
		{ 1, "......M.", 5 },
		{ 2, "......M.", 5 },
		{ 3, "......M.", 5 },
		{ 4, ".....IM.", 0 },
		{ 5, "IIIIIIII", 5 },
		{ 6, "IIIIIIII", 5 },
		{ 7, "IIIIIIII", 5 },
		{ 8, ".IIIIIM.", -1 },
		{ 9, "I.AA.III", 5 },
		{ 10, "......M.", 5 },
		{ 11, "......M.", 5 },
		{ 15, "......M.", 5 },
		{ 16, "......M.", 5 },
		{ 17, "......M.", 5 },
		{ 18, ".IIII.M.", 5 },
		{ 19, "......M.", 5 },
		{ 20, ".....IM.", 5 },
		{ 21, ".....IM.", 5 },
		{ 22, "......MI", 5 },
		{ 23, "...I..MI", 5 },
		{ 24, "......M.", 0 },
		{ 26, "IIIIIIII", 5 },
		{ 27, "IIIIIIII", 5 },
		{ 28, "IIIIIIII", 5 },
		{ 29, "IIIIIIII", 5 },
	};

	world();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char got[9] = "";

		for (int kind = 0; kind < 8; kind++) {
			advise_kind(kind);
			got[kind] = result(madvise(b, 2 * PAGE, rows[i].advice) == 0);
			if (kind == 0 && rows[i].then >= 0)
				CHECK_EQ(*b, rows[i].then);
			if (kind == 5)
				munlockall();
		}
		CHECK_TEXT(got, rows[i].want, "advice", rows[i].advice);
	}
}

CASE(advice_ranges, "madvise")
{
	world();
	area(4);
	CHECK_ERR(madvise(b + 1, PAGE, MADV_DONTNEED), EINVAL);
	CHECK_ERR(madvise(b, -PAGE, MADV_DONTNEED), EINVAL);
	CHECK_ERR(madvise(b, -1L, MADV_DONTNEED), EINVAL);
	CHECK_EQ(madvise(b, 0, MADV_DONTNEED), 0);
	CHECK_ERR(madvise(b, 0, 999), EINVAL);
	CHECK_ERR(madvise(b + (1 << 20), PAGE, MADV_DONTNEED), ENOMEM);
	munmap(b + PAGE, PAGE);
	b[0] = b[2 * PAGE] = 1;
	CHECK_ERR(madvise(b, 3 * PAGE, MADV_DONTNEED), ENOMEM); /* and yet done */
	CHECK_EQ(b[0], 0);
	CHECK_EQ(b[2 * PAGE], 0);
	clear();
	mmap(b, 4 * PAGE, PROT_READ, ANON | MAP_FIXED, -1, 0);
	CHECK_EQ(madvise(b, 2 * PAGE, 22), 0);		 /* MADV_POPULATE_READ */
	CHECK_ERR(madvise(b, 2 * PAGE, 23), EINVAL);	 /* MADV_POPULATE_WRITE */
	mprotect(b, PAGE, PROT_NONE);
	CHECK_ERR(madvise(b, 2 * PAGE, 22), EINVAL);
	clear();
	mmap(b, 8 * PAGE, RW, MAP_SHARED | MAP_FIXED, file, 0);
	CHECK_ERR(madvise(b, 8 * PAGE, 22), EFAULT);
}

CASE(guard_pages, "madvise")
{
	struct iovec l, r;
	char buf[10];
	int st;

	world();
	area(4);
	*b = 3;
	if (madvise(b + PAGE, 2 * PAGE, MADV_GUARD_INSTALL) && errno == EINVAL)
		SKIP("no MADV_GUARD_INSTALL here");
	CHECK_EQ(touch(b, true), 0);
	CHECK_EQ(touch(b + PAGE, false), SIGSEGV);
	CHECK_EQ(seen_code, SEGV_MAPERR);
	CHECK_EQ(touch(b + 2 * PAGE, true), SIGSEGV);
	CHECK_LAYOUT("0-4w"); /* no area of its own */
	CHECK_EQ(madvise(b, 2 * PAGE, MADV_GUARD_INSTALL), 0);
	CHECK_EQ(mprotect(b, 4 * PAGE, PROT_READ), 0);
	CHECK_EQ(madvise(b, 4 * PAGE, MADV_DONTNEED), 0);
	CHECK_EQ(touch(b + PAGE, false), SIGSEGV);
	l = (struct iovec){ buf, sizeof(buf) };
	r = (struct iovec){ b + PAGE, sizeof(buf) };
	CHECK_ERR(process_vm_readv(getpid(), &l, 1, &r, 1, 0), EFAULT);
	CHECK_ERR(write(file, b + PAGE, 1), EFAULT);
	st = IN_CHILD(_exit(touch(b + PAGE, false) == SIGSEGV ? 0 : 1));
	CHECK_EQ(st, 0);
	CHECK_EQ(madvise(b, 4 * PAGE, MADV_GUARD_REMOVE), 0);
	CHECK_EQ(touch(b, false), 0);
	CHECK_EQ(*b, 0);
	clear();
	area(1);
	mlock(b, PAGE);
	CHECK_ERR(madvise(b, PAGE, MADV_GUARD_INSTALL), EINVAL);
	munlockall();
	CHECK_ERR(madvise(b + PAGE, 2 * PAGE, MADV_GUARD_INSTALL), ENOMEM);
}

CASE(advice_and_fork, "madvise,fork")
{
	int st;

	world();
	area(6);
	memset(b, 1, 6 * PAGE);
	madvise(b, PAGE, MADV_WIPEONFORK);
	madvise(b + PAGE, PAGE, MADV_DONTFORK);
	st = IN_CHILD({
		pid_t p;
		int inner;

		if (b[0] != 0 || touch(b + PAGE, false) != SIGSEGV || b[2 * PAGE] != 1)
			_exit(1);
		b[0] = 5;
		p = fork();
		if (p == 0)
			_exit(b[0] != 0);
		waitpid(p, &inner, 0);
		_exit(inner != 0);
	});
	CHECK_EQ(st, 0);
	madvise(b, PAGE, MADV_KEEPONFORK);
	madvise(b + PAGE, PAGE, MADV_DOFORK);
	st = IN_CHILD(_exit(b[0] != 1 || touch(b + PAGE, false) != 0));
	CHECK_EQ(st, 0);
}

CASE(advice_by_pidfd, "process_madvise,process_mrelease")
{
	int pfd = (int)syscall(SYS_pidfd_open, getpid(), 0), st;
	struct iovec v[2], bad;
	pid_t child;

	world();
	area(2);
	*b = 5;
	v[0] = (struct iovec){ b, PAGE };
	v[1] = (struct iovec){ b + (1 << 20), PAGE };
	bad = (struct iovec){ b + 1, PAGE };
	CHECK_EQ(syscall(SYS_process_madvise, pfd, v, 1, MADV_DONTNEED, 0), PAGE);
	CHECK_EQ(*b, 0);
	CHECK_EQ(syscall(SYS_process_madvise, pfd, v, 2, MADV_COLD, 0), PAGE);
	CHECK_ERR(syscall(SYS_process_madvise, pfd, v + 1, 1, MADV_COLD, 0), ENOMEM);
	CHECK_ERR(syscall(SYS_process_madvise, pfd, &bad, 1, MADV_COLD, 0), EINVAL);
	CHECK_EQ(syscall(SYS_process_madvise, pfd, v, 0, MADV_COLD, 0), 0);
	CHECK_ERR(syscall(SYS_process_mrelease, pfd, 0), EINVAL);
	CHECK_ERR(syscall(SYS_process_mrelease, pfd, 1), EINVAL);
	CHECK_ERR(syscall(SYS_process_mrelease, 999, 0), EBADF);
	CHECK_ERR(syscall(SYS_process_mrelease, file, 0), EBADF);
	child = fork();
	if (child == 0) {
		pause();
		_exit(0);
	}
	pfd = (int)syscall(SYS_pidfd_open, child, 0);
	CHECK_ERR(syscall(SYS_process_madvise, pfd, v, 1, MADV_DONTNEED, 0), EINVAL);
	CHECK_EQ(syscall(SYS_process_madvise, pfd, v, 1, MADV_COLD, 0), PAGE);
	kill(child, SIGKILL);
	CHECK_EQ(waitpid(child, &st, 0), child);
	CHECK_ERR(syscall(SYS_process_mrelease, pfd, 0), ESRCH);
}

/* ---- locking and limits ---- */

CASE(lock_limits, "mlock,munlock,mlockall,mmap,mremap")
{
	struct rlimit rl = { 2 * PAGE, 2 * PAGE };

	world();
	CHECK_EQ(setrlimit(RLIMIT_MEMLOCK, &rl), 0);
	CHECK_EQ(setresuid(1000, 1000, 1000), 0);
	area(8);
	CHECK_EQ(mlock(b, PAGE), 0);
	CHECK_EQ(mlock(b + PAGE, PAGE), 0);
	CHECK_ERR(mlock(b + 2 * PAGE, PAGE), ENOMEM);
	CHECK_EQ(mlock(b, 2 * PAGE), 0); /* counted once */
	CHECK_EQ(munlock(b, PAGE), 0);
	CHECK_EQ(mlock(b + 2 * PAGE, 1), 0);
	CHECK_ERR(mlockall(MCL_CURRENT), ENOMEM);
	CHECK_EQ(mlockall(MCL_FUTURE), 0);
	CHECK_ERR((long)mmap(b + 16 * PAGE, 2 * PAGE, RW, ANON | MAP_FIXED, -1, 0), EAGAIN);
	CHECK_EQ(munlockall(), 0);
	CHECK_ERR((long)mmap(b + 16 * PAGE, 3 * PAGE, RW, ANON | MAP_FIXED | MAP_LOCKED, -1, 0), EAGAIN);
	CHECK(mmap(b + 16 * PAGE, PAGE, RW, ANON | MAP_FIXED | MAP_LOCKED, -1, 0) != MAP_FAILED);
	CHECK_ERR((long)mremap(b + 16 * PAGE, PAGE, 4 * PAGE, MREMAP_MAYMOVE), EAGAIN);
	rl.rlim_cur = 0;
	setrlimit(RLIMIT_MEMLOCK, &rl);
	CHECK_ERR(mlock(b + 5 * PAGE, PAGE), EPERM);
	CHECK_ERR(mlockall(MCL_CURRENT), EPERM);
	CHECK_EQ(munlock(b, PAGE), 0);
}

CASE(lock_errors, "mlock,mlock2,mlockall")
{
	world();
	area(4);
	CHECK_ERR(mlock(b + (1 << 20), PAGE), ENOMEM);
	CHECK_ERR(mlock(b, 8 * PAGE), ENOMEM);
	CHECK_EQ(mlock(b, 0), 0);
	CHECK_EQ(mlock(b + 5, PAGE), 0);
	CHECK_EQ(mlock(b, -1L), 0); /* wraps to nothing */
	CHECK_ERR(mlockall(0), EINVAL);
	CHECK_ERR(mlockall(4), EINVAL);
	CHECK_ERR(mlockall(8), EINVAL);
	CHECK_EQ(mlockall(7), 0);
	CHECK_EQ(munlockall(), 0);
	mprotect(b, PAGE, PROT_NONE);
	CHECK_ERR(mlock(b, PAGE), ENOMEM); /* nothing can be brought in */
	CHECK_EQ(syscall(SYS_mlock2, b, PAGE, 1), 0);
}

CASE(data_limit, "brk,mmap,mprotect")
{
	char *s = sbrk(0);
	struct rlimit rl = { 1 << 20, 1 << 20 };

	world();
	CHECK_EQ(brk(s + 100000), 0);
	CHECK_EQ(touch(s + 99999, true), 0);
	CHECK_EQ(brk(s + 1), 0);
	CHECK_EQ(touch(s + 0x20000, false), SIGSEGV);
	CHECK_EQ(syscall(SYS_brk, 1L << 46), (long)s + 1);
	CHECK_EQ(setrlimit(RLIMIT_DATA, &rl), 0);
	CHECK_ERR(brk(s + (2 << 20)), ENOMEM);
	CHECK_ERR((long)mmap(b, 4 << 20, RW, ANON | MAP_FIXED, -1, 0), ENOMEM);
	CHECK(mmap(b, 4 << 20, PROT_READ, ANON | MAP_FIXED, -1, 0) == b);
	CHECK_ERR(mprotect(b, 4 << 20, RW), ENOMEM);
}

CASE(address_space_limit, "mmap,mremap")
{
	struct rlimit rl = { 64 << 20, 64 << 20 };

	world();
	CHECK_EQ(setrlimit(RLIMIT_AS, &rl), 0);
	CHECK_ERR((long)mmap(NULL, 128 << 20, RW, ANON, -1, 0), ENOMEM);
	CHECK_ERR((long)mmap(NULL, 128 << 20, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0), ENOMEM);
	CHECK(mmap(b, 1 << 20, RW, ANON | MAP_FIXED, -1, 0) == b);
	CHECK_ERR((long)mremap(b, 1 << 20, 128 << 20, MREMAP_MAYMOVE), ENOMEM);
}

CASE(overcommit, "mmap")
{
	CHECK_ERR((long)mmap(NULL, 1L << 44, RW, ANON, -1, 0), ENOMEM);
	CHECK_ERR((long)mmap(NULL, 1L << 44, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0), ENOMEM);
	CHECK(mmap(NULL, 1L << 44, RW, ANON | MAP_NORESERVE, -1, 0) != MAP_FAILED);
	CHECK(mmap(NULL, 1L << 44, PROT_NONE, ANON, -1, 0) != MAP_FAILED);
	CHECK_ERR((long)mmap(NULL, 1L << 47, PROT_NONE, ANON, -1, 0), ENOMEM);
}

CASE(count_of_mappings, "mmap")
{
	int n = 0;

	while (n < 70000 && mmap(NULL, 2 * PAGE, n & 1 ? PROT_READ : PROT_NONE, ANON, -1, 0) != MAP_FAILED)
		n++;
	CHECK_EQ(errno, ENOMEM);
	CHECK(n > 65000 && n < 65600);
}

/* ---- the rest ---- */

CASE(sync_and_residence, "msync,mincore")
{
	unsigned char vec[16];

	world();
	area(8);
	CHECK_ERR(mincore(b + 1, PAGE, vec), EINVAL);
	CHECK_EQ(mincore(b, 0, vec), 0);
	CHECK_ERR(mincore(b + 6 * PAGE, 4 * PAGE, vec), ENOMEM);
	CHECK_ERR(mincore(b, PAGE, (void *)8), EFAULT);
	CHECK_ERR(mincore(b, -PAGE, vec), ENOMEM);
	CHECK_EQ(mincore(b, 1, vec), 0);
	clear();
	mmap(b, 4 * PAGE, RW, MAP_SHARED | MAP_FIXED, file, 0);
	CHECK_EQ(msync(b, 2 * PAGE, MS_SYNC), 0);
	CHECK_EQ(msync(b, 2 * PAGE, MS_ASYNC), 0);
	CHECK_EQ(msync(b, 2 * PAGE, 0), 0);
	CHECK_ERR(msync(b, 2 * PAGE, MS_SYNC | MS_ASYNC), EINVAL);
	CHECK_EQ(msync(b, 2 * PAGE, MS_INVALIDATE | MS_SYNC), 0);
	CHECK_ERR(msync(b, 2 * PAGE, 8), EINVAL);
	CHECK_ERR(msync(b + 1, 2 * PAGE, MS_SYNC), EINVAL);
	CHECK_ERR(msync(b + 2 * PAGE, 8 * PAGE, MS_SYNC), ENOMEM);
	CHECK_ERR(msync(b + (1 << 20), PAGE, MS_SYNC), ENOMEM);
	CHECK_EQ(msync(b, 0, MS_SYNC), 0);
	CHECK_ERR(msync(b, -PAGE, MS_SYNC), ENOMEM);
	mlock(b, PAGE);
	CHECK_ERR(msync(b, PAGE, MS_INVALIDATE), EBUSY);
	munlockall();
	CHECK_EQ(touch(b + 3 * PAGE + 200, true), 0); /* the rest of the last page */
	CHECK_EQ(ftruncate(file, PAGE), 0);
	CHECK_EQ(touch(b + PAGE, false), SIGBUS);
	CHECK_EQ(seen_code, BUS_ADRERR);
	CHECK_EQ(touch(b, false), 0);
	CHECK_EQ(ftruncate(file, 3 * PAGE), 0);
	CHECK_EQ(touch(b + PAGE, false), 0);
}

CASE(pages_in_another_order, "remap_file_pages")
{
	world();
	CHECK_ERR(syscall(SYS_remap_file_pages, b, PAGE, 0, 0, 0), EINVAL);
	mmap(b, 4 * PAGE, RW, MAP_SHARED | MAP_FIXED, file, 0);
	b[0] = 10;
	b[PAGE] = 11;
	b[2 * PAGE] = 12;
	CHECK_EQ(syscall(SYS_remap_file_pages, b, PAGE, 0, 2, 0), 0);
	CHECK_EQ(b[0], 12);
	CHECK_ERR(syscall(SYS_remap_file_pages, b, PAGE, 1, 2, 0), EINVAL);
	clear();
	area(1);
	CHECK_ERR(syscall(SYS_remap_file_pages, b, PAGE, 0, 0, 0), EINVAL);
}

CASE(protection_keys, "pkey_mprotect,pkey_alloc,pkey_free")
{
	long key = syscall(SYS_pkey_alloc, 0, 0);

	if (key > 0)
		SKIP("this processor has protection keys");
	world();
	area(2);
	CHECK_ERR(syscall(SYS_pkey_alloc, 1, 0), EINVAL);
	CHECK_ERR(syscall(SYS_pkey_alloc, 0, 8), EINVAL);
	CHECK_ERR(syscall(SYS_pkey_free, 1), EINVAL);
	CHECK_EQ(syscall(SYS_pkey_mprotect, b, PAGE, PROT_READ, -1), 0);
	CHECK_LAYOUT("0-1r 1-2w");
	CHECK_ERR(syscall(SYS_pkey_mprotect, b, PAGE, PROT_READ, 1), EINVAL);
	CHECK_ERR(syscall(SYS_pkey_mprotect, b, PAGE, PROT_READ, 16), EINVAL);
	CHECK_ERR(syscall(SYS_pkey_mprotect, b + 1, PAGE, PROT_READ, -1), EINVAL);
}

CASE(process_vm_parts, "process_vm_readv,process_vm_writev")
{
	static char buf[4 * PAGE];
	struct iovec l = { buf, sizeof(buf) }, neg = { buf, -1UL }, whole, part[3], lbad;
	pid_t me = getpid();

	world();
	area(4);
	munmap(b + 2 * PAGE, PAGE);
	whole = (struct iovec){ b, 4 * PAGE };
	part[0] = part[2] = (struct iovec){ b, 100 };
	part[1] = lbad = (struct iovec){ b + 2 * PAGE, 100 };
	CHECK_EQ(process_vm_readv(me, &l, 1, &whole, 1, 0), 2 * PAGE);
	CHECK_EQ(process_vm_readv(me, &l, 1, part, 3, 0), 100);
	CHECK_ERR(process_vm_readv(me, &l, 1, part + 1, 2, 0), EFAULT);
	CHECK_ERR(process_vm_readv(me, &lbad, 1, part, 1, 0), EFAULT);
	CHECK_ERR(process_vm_readv(me, &l, 1, part, 1, 1), EINVAL);
	CHECK_EQ(process_vm_readv(me, &l, 0, part, 1, 0), 0);
	CHECK_EQ(process_vm_readv(me, &l, 1, part, 0, 0), 0);
	CHECK_ERR(process_vm_readv(me, &l, 1, part, 2000, 0), EINVAL);
	CHECK_ERR(process_vm_readv(me, &l, 2000, part, 1, 0), EINVAL);
	CHECK_ERR(process_vm_readv(99999999, &l, 1, part, 1, 0), ESRCH);
	CHECK_ERR(process_vm_readv(99999999, (void *)8, 1, part, 1, 0), EFAULT);
	CHECK_ERR(process_vm_readv(me, &neg, 1, part, 1, 0), EINVAL);
	CHECK_ERR(process_vm_readv(me, &l, 1, &neg, 1, 0), EINVAL);
	mprotect(b, PAGE, PROT_READ);
	CHECK_ERR(process_vm_writev(me, &l, 1, part, 1, 0), EFAULT);
	mprotect(b, PAGE, PROT_NONE);
	CHECK_ERR(process_vm_readv(me, &l, 1, part, 1, 0), EFAULT);
}


/* Of each set of seals: which there are, then what still goes (. yes, x no): another seal,
 * write, write beyond the end, grow, shrink, punch, allocate, map for writing, map for reading,
 * make that writable, map privately, chmod. */
CASE(seal_table, "memfd_create,fcntl,ftruncate,fallocate,mmap,mprotect")
{
	static const struct {
		unsigned get;
		const char *want;
	} rows[64] = {
		{ 0x0, "............" },
		{ 0x1, "x..........." },
		{ 0x2, "....x......." },
		{ 0x3, "x...x......." },
		{ 0x4, "..xx..x....." },
		{ 0x5, "x.xx..x....." },
		{ 0x6, "..xxx.x....." },
		{ 0x7, "x.xxx.x....." },
		{ 0x8, ".xx..x.x.x.." },
		{ 0x9, "xxx..x.x.x.." },
		{ 0xa, ".xx.xx.x.x.." },
		{ 0xb, "xxx.xx.x.x.." },
		{ 0xc, ".xxx.xxx.x.." },
		{ 0xd, "xxxx.xxx.x.." },
		{ 0xe, ".xxxxxxx.x.." },
		{ 0xf, "xxxxxxxx.x.." },
		{ 0x10, ".xx..x.x.x.." },
		{ 0x11, "xxx..x.x.x.." },
		{ 0x12, ".xx.xx.x.x.." },
		{ 0x13, "xxx.xx.x.x.." },
		{ 0x14, ".xxx.xxx.x.." },
		{ 0x15, "xxxx.xxx.x.." },
		{ 0x16, ".xxxxxxx.x.." },
		{ 0x17, "xxxxxxxx.x.." },
		{ 0x18, ".xx..x.x.x.." },
		{ 0x19, "xxx..x.x.x.." },
		{ 0x1a, ".xx.xx.x.x.." },
		{ 0x1b, "xxx.xx.x.x.." },
		{ 0x1c, ".xxx.xxx.x.." },
		{ 0x1d, "xxxx.xxx.x.." },
		{ 0x1e, ".xxxxxxx.x.." },
		{ 0x1f, "xxxxxxxx.x.." },
		{ 0x3e, ".xxxxxxx.x.." },
		{ 0x3f, "xxxxxxxx.x.." },
		{ 0x3e, ".xxxxxxx.x.." },
		{ 0x3f, "xxxxxxxx.x.." },
		{ 0x3e, ".xxxxxxx.x.." },
		{ 0x3f, "xxxxxxxx.x.." },
		{ 0x3e, ".xxxxxxx.x.." },
		{ 0x3f, "xxxxxxxx.x.." },
		{ 0x3e, ".xxxxxxx.x.." },
		{ 0x3f, "xxxxxxxx.x.." },
		{ 0x3e, ".xxxxxxx.x.." },
		{ 0x3f, "xxxxxxxx.x.." },
		{ 0x3e, ".xxxxxxx.x.." },
		{ 0x3f, "xxxxxxxx.x.." },
		{ 0x3e, ".xxxxxxx.x.." },
		{ 0x3f, "xxxxxxxx.x.." },
		{ 0x3e, ".xxxxxxx.x.." },
		{ 0x3f, "xxxxxxxx.x.." },
		{ 0x3e, ".xxxxxxx.x.." },
		{ 0x3f, "xxxxxxxx.x.." },
		{ 0x3e, ".xxxxxxx.x.." },
		{ 0x3f, "xxxxxxxx.x.." },
		{ 0x3e, ".xxxxxxx.x.." },
		{ 0x3f, "xxxxxxxx.x.." },
		{ 0x3e, ".xxxxxxx.x.." },
		{ 0x3f, "xxxxxxxx.x.." },
		{ 0x3e, ".xxxxxxx.x.." },
		{ 0x3f, "xxxxxxxx.x.." },
		{ 0x3e, ".xxxxxxx.x.." },
		{ 0x3f, "xxxxxxxx.x.." },
		{ 0x3e, ".xxxxxxx.x.." },
		{ 0x3f, "xxxxxxxx.x.." },
	};

	for (int s = 0; s < 64; s++) {
		int m = memfd_create("x", MFD_ALLOW_SEALING), n = 0;
		char got[13] = "";
		char *p;

		CHECK_EQ(ftruncate(m, 2 * PAGE), 0);
		CHECK_EQ(fcntl(m, F_ADD_SEALS, s), 0);
		CHECK_EQ(fcntl(m, F_GET_SEALS), rows[s].get);
		got[n++] = fcntl(m, F_ADD_SEALS, F_SEAL_SEAL) ? 'x' : '.';
		got[n++] = pwrite(m, "a", 1, 0) == 1 ? '.' : 'x';
		got[n++] = pwrite(m, "a", 1, 9000) == 1 ? '.' : 'x';
		got[n++] = ftruncate(m, 20000) ? 'x' : '.';
		got[n++] = ftruncate(m, PAGE) ? 'x' : '.';
		got[n++] = fallocate(m, 3, 0, PAGE) ? 'x' : '.';
		got[n++] = fallocate(m, 0, 0, 65536) ? 'x' : '.';
		got[n++] = mmap(NULL, PAGE, RW, MAP_SHARED, m, 0) == MAP_FAILED ? 'x' : '.';
		p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, m, 0);
		got[n++] = p == MAP_FAILED ? 'x' : '.';
		got[n++] = mprotect(p, PAGE, RW) ? 'x' : '.';
		got[n++] = mmap(NULL, PAGE, RW, MAP_PRIVATE, m, 0) == MAP_FAILED ? 'x' : '.';
		got[n++] = fchmod(m, 0711) ? 'x' : '.';
		CHECK_TEXT(got, rows[s].want, "seals", s);
		close(m);
	}
}

CASE(seals_and_mappings, "fcntl,mmap,mprotect")
{
	int m = memfd_create("x", MFD_ALLOW_SEALING), p[2], ro;
	char path[64], *w;

	CHECK_EQ(ftruncate(m, 2 * PAGE), 0);
	w = mmap(NULL, PAGE, RW, MAP_SHARED, m, 0);
	CHECK_ERR(fcntl(m, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
	CHECK_EQ(fcntl(m, F_ADD_SEALS, 0x10), 0); /* F_SEAL_FUTURE_WRITE */
	w[0] = 1;
	CHECK_EQ(mprotect(w, PAGE, PROT_READ), 0);
	CHECK_EQ(mprotect(w, PAGE, RW), 0);
	munmap(w, PAGE);
	CHECK_EQ(fcntl(m, F_ADD_SEALS, F_SEAL_WRITE), 0);
	CHECK_ERR(fcntl(m, F_ADD_SEALS, 0x100), EINVAL);
	CHECK_EQ(pipe(p), 0);
	CHECK_ERR(fcntl(p[0], F_GET_SEALS), EINVAL);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", m);
	ro = open(path, O_RDONLY);
	CHECK(ro >= 0);
	CHECK_ERR(fcntl(ro, F_ADD_SEALS, F_SEAL_SHRINK), EPERM);
}

MAIN()
