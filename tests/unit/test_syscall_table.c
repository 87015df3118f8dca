/*
 * The system-call table, its dispatch, the trace lines and the generated page.
 * Handlers are stubs made from the table; each records what it was given. Links
 * against SYSCALLS_INFRA_SOURCES and nothing else.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <criterion/criterion.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "syscalls/abi/lx_errno.h"
#include "syscalls/syscall_args.h"
#include "syscalls/syscalls_doc.h"
#include "syscalls/table.h"
#include "syscalls/trace/trace.h"

static uint64_t seen[6];
static unsigned seen_nr;
static long stub_result;

#define ARG(kind, name) memcpy(&seen[i++], &a->name, sizeof(a->name));
#define NOARGS (void)i; (void)a;
#define FRAME
#define SYS(nr, name, level, note, ...)                                                            \
	long sys_##name(struct task *t, const struct name##_args *a)                               \
	{                                                                                          \
		unsigned i = 0;                                                                    \
                                                                                                   \
		(void)t;                                                                           \
		memset(seen, 0, sizeof(seen));                                                     \
		__VA_ARGS__                                                                        \
		seen_nr = (nr);                                                                    \
		return stub_result;                                                                \
	}
#define NOSYS(nr, name, error, note, ...)
#include "syscalls/syscall.def"
#include "syscalls/syscall_end.h"

/* Table */

static const unsigned row_numbers[] = {
#define SYS(nr, name, level, note, ...) nr,
#define NOSYS(nr, name, error, note, ...) nr,
#include "syscalls/syscall.def"
#include "syscalls/syscall_end.h"
};

#define ROW_COUNT (sizeof(row_numbers) / sizeof(row_numbers[0]))

Test(syscall_table, every_number_once_and_in_order)
{
	unsigned want = 0;

	for (size_t i = 0; i < ROW_COUNT; i++) {
		cr_assert_eq(row_numbers[i], want, "row %zu: %u, not %u", i, row_numbers[i], want);
		want = want == 336 ? 424 : want + 1;
	}
	cr_assert_eq(want, SYSCALL_NR_END);
}

/* What needs the whole frame, or makes work for the stub in every case. */
Test(syscall_table, direct_set)
{
	static const char *const frame[] = {
		"mmap",	 "mprotect", "munmap", "brk",	   "mremap", "madvise",	     "shmat",
		"shmdt", "clone",    "clone3", "fork",	   "vfork",  "execve",	     "execveat",
		"exit",	 "exit_group", "rt_sigreturn", "rt_sigsuspend", "pause", "sigaltstack",
		"arch_prctl", "restart_syscall", "getcpu", "membarrier", "remap_file_pages",
		"pkey_mprotect", "process_madvise", "kill", "tkill", "tgkill", "rt_sigqueueinfo",
		"rt_tgsigqueueinfo",
	};
	uint64_t set[8] = { 0 };
	unsigned n = 0;

	syscall_direct_set(set, 512);
	for (uint32_t nr = 0; nr < 512; nr++) {
		const struct syscall_desc *d = syscall_lookup(nr);
		bool listed = false;

		for (size_t i = 0; d != NULL && i < sizeof(frame) / sizeof(frame[0]); i++)
			listed |= strcmp(d->name, frame[i]) == 0;
		n += listed;
		cr_assert_eq(set[nr / 64] >> (nr % 64) & 1, d != NULL && !listed, "%u", nr);
	}
	cr_assert_eq(n, sizeof(frame) / sizeof(frame[0]));
}

Test(syscall_table, lookup_and_names)
{
	for (uint32_t nr = 0; nr < SYSCALL_NR_END; nr++) {
		const struct syscall_desc *d = syscall_lookup(nr);

		cr_assert_eq(d == NULL, nr > 336 && nr < 424, "%u", nr);
		if (d == NULL)
			continue;
		cr_assert_eq(d->nr, nr);
		cr_assert_leq(d->nargs, 6);
		cr_assert_eq(d, syscall_lookup_name(d->name), "name %s twice", d->name);
		cr_assert_eq(d->call == NULL, d->level == SYSCALL_LEVEL_NONE);
		cr_assert_eq(d->error > 0, d->level == SYSCALL_LEVEL_NONE);
		if (d->level != SYSCALL_LEVEL_FULL)
			cr_assert_neq(d->note[0], '\0', "%s needs a note", d->name);
	}
	cr_assert_null(syscall_lookup(SYSCALL_NR_END));
	cr_assert_null(syscall_lookup(UINT64_MAX));
	cr_assert_null(syscall_lookup_name("no_such_call"));
	cr_assert_str_eq(syscall_lookup(257)->name, "openat");
	cr_assert_str_eq(syscall_table()->name(469), "file_setattr");
	cr_assert_null(syscall_table()->name(400));
}

Test(syscall_table, narrowing)
{
	static const uint64_t regs[6] = {
		0xdeadbeef80000001, 0xdeadbeef8fff1ff2, 0xdeadbeef800001b6,
		0xdeadbeeffffffff4, 0xdeadbeef00000005, 0xdeadbeeff0000006,
	};
	uint64_t want;

	for (uint32_t nr = 0; nr < SYSCALL_NR_END; nr++) {
		const struct syscall_desc *d = syscall_lookup(nr);

		if (d == NULL || d->call == NULL)
			continue;
		stub_result = (long)nr + 7;
		/* Linux looks at the low half of the number only, too. */
		cr_assert_eq(syscall_dispatch(NULL, 0xabcd00000000 | nr, regs), (long)nr + 7);
		cr_assert_eq(seen_nr, nr);
		for (uint32_t i = 0; i < d->nargs; i++) {
			enum arg_class class = arg_kind_info(d->args[i].kind)->class;

			want = regs[i];
			if (class == ARG_CLASS_I32 || class == ARG_CLASS_U32)
				want = (uint32_t)want;
			else if (class == ARG_CLASS_U16)
				want = (uint16_t)want;
			cr_assert_eq(seen[i], want, "%s: %s", d->name, d->args[i].name);
		}
	}
}

Test(syscall_table, types)
{
	const struct openat_args *o = NULL;
	const struct mmap_args *m = NULL;

	cr_assert(_Generic(o->dfd, int32_t: 1, default: 0));
	cr_assert(_Generic(o->filename, struct uaddr: 1, default: 0));
	cr_assert(_Generic(o->flags, uint32_t: 1, default: 0));
	cr_assert(_Generic(o->mode, uint32_t: 1, default: 0));
	cr_assert(_Generic(m->addr, uint64_t: 1, default: 0));
	cr_assert(_Generic(m->flags, uint64_t: 1, default: 0));
	cr_assert(_Generic(m->fd, int32_t: 1, default: 0));
	(void)o;
	(void)m;
}

Test(syscall_table, calls_without_a_handler)
{
	const uint64_t regs[6] = { 0 };
	uint64_t before = syscall_missing_count(425);

	cr_assert_eq(syscall_dispatch(NULL, 425, regs), -LX_ENOSYS);
	cr_assert_eq(syscall_dispatch(NULL, 169, regs), -LX_EPERM);
	cr_assert_eq(syscall_dispatch(NULL, 400, regs), -LX_ENOSYS);
	cr_assert_eq(syscall_dispatch(NULL, UINT64_MAX, regs), -LX_ENOSYS);
	cr_assert_eq(syscall_dispatch(NULL, 0x40000000, regs), -LX_ENOSYS);
	cr_assert_eq(syscall_missing_count(425), before + 1);
	cr_assert_eq(syscall_missing_count(169), 1);
	cr_assert_eq(syscall_missing_count(0), 0);
	cr_assert_eq(syscall_missing_count(UINT64_MAX), 3);
}

/* Tracing. Guest memory is one array at BASE; what lies outside faults. */

#define BASE UINT64_C(0x10000)
static unsigned char guest[8192];
static char emitted[TRACE_LINE_MAX + 1];
static unsigned lines;

static int guest_read(void *ctx, uint64_t addr, void *buf, size_t len)
{
	(void)ctx;
	if (addr < BASE || addr > BASE + sizeof(guest) || len > BASE + sizeof(guest) - addr)
		return -LX_EFAULT;
	memcpy(buf, guest + (addr - BASE), len);
	return 0;
}

static void keep_line(void *ctx, const char *line, size_t len, unsigned how)
{
	(void)ctx;
	(void)how;
	cr_assert_leq(len, TRACE_LINE_MAX);
	memcpy(emitted, line, len);
	emitted[len] = '\0';
	lines++;
}

static const struct trace_io io = { .read = guest_read, .emit = keep_line };

static void put(size_t offset, const void *bytes, size_t len)
{
	memcpy(guest + offset, bytes, len);
}

static const char *trace(const char *name, long result, uint64_t a, uint64_t b, uint64_t c,
			 uint64_t d, uint64_t e)
{
	struct trace_call *call = trace_call_new();
	const uint64_t regs[6] = { a, b, c, d, e, 0 };

	emitted[0] = '\0';
	trace_enter(call, NULL, &io, syscall_lookup_name(name)->nr, regs);
	trace_exit(call, &io, result);
	trace_call_free(call);
	return emitted;
}

Test(syscall_trace, files)
{
	put(0, "/etc/passwd", 12);
	cr_assert_str_eq(trace("openat", 3, 0xffffffffffffff9c, BASE, 02000000, 0777, 0),
			 "openat(AT_FDCWD, \"/etc/passwd\", O_RDONLY|O_CLOEXEC) = 3");
	cr_assert_str_eq(trace("openat", -LX_ENOENT, 0xffffff9c, BASE, 0101, 0640, 0),
			 "openat(AT_FDCWD, \"/etc/passwd\", O_WRONLY|O_CREAT, 0640) = -1 ENOENT "
			 "(No such file or directory)");
	cr_assert_str_eq(trace("open", -LX_EFAULT, 0xbad0, 0, 0, 0, 0),
			 "open(0xbad0, O_RDONLY) = -1 EFAULT (Bad address)");
	cr_assert_str_eq(trace("read", 5, 0xdeadbeef00000003, BASE, 4096, 0, 0),
			 "read(3, \"/etc/\", 4096) = 5");
	cr_assert_str_eq(trace("read", -LX_EBADF, 99, BASE, 4096, 0, 0),
			 "read(99, 0x10000, 4096) = -1 EBADF (Bad file descriptor)");
	cr_assert_str_eq(trace("lseek", 0, 3, 0, 0, 0, 0), "lseek(3, 0, SEEK_SET) = 0");
	cr_assert_str_eq(trace("umask", 022, 077, 0, 0, 0, 0), "umask(077) = 022");
}

Test(syscall_trace, text_is_escaped_and_cut)
{
	put(0, "a\n\"\\\0019\377zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz", 40);
	cr_assert_str_eq(trace("write", 40, 1, BASE, 40, 0, 0),
			 "write(1, \"a\\n\\\"\\\\\\0019\\377zzzzzzzzzzzzzzzzzzzzzzzzz\"..., 40) = 40");
	/* A string that ends on the last byte of the last page. */
	put(sizeof(guest) - 4, "abc", 4);
	cr_assert_str_eq(trace("rmdir", 0, BASE + sizeof(guest) - 4, 0, 0, 0, 0),
			 "rmdir(\"abc\") = 0");
}

Test(syscall_trace, vectors_and_exec)
{
	const uint64_t argv[4] = { BASE, BASE + 3, 0, 0 };
	const uint64_t iov[4] = { BASE, 2, BASE + 3, 2 };

	put(0, "ls\0-l", 6);
	put(64, argv, sizeof(argv));
	put(128, iov, sizeof(iov));
	cr_assert_str_eq(trace("execve", -LX_ERAN, BASE, BASE + 64, BASE + 72, 0, 0),
			 "execve(\"ls\", [\"ls\", \"-l\"], 0x10048 /* 1 var */) = 0");
	cr_assert_str_eq(trace("writev", 4, 1, BASE + 128, 2, 0, 0),
			 "writev(1, [{iov_base=\"ls\", iov_len=2}, {iov_base=\"-l\", iov_len=2}], 2) "
			 "= 4");
	cr_assert_str_eq(trace("readv", 3, 1, BASE + 128, 2, 0, 0),
			 "readv(1, [{iov_base=\"ls\", iov_len=2}, {iov_base=\"-\", iov_len=2}], 2) "
			 "= 3");
}

Test(syscall_trace, memory_and_processes)
{
	const uint32_t status = 7 << 8;

	put(0, &status, sizeof(status));
	cr_assert_str_eq(trace("mmap", 0x7f0000000000, 0, 8192, 3, 0x22, 0xffffffff),
			 "mmap(NULL, 8192, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) "
			 "= 0x7f0000000000");
	cr_assert_str_eq(trace("mprotect", 0, BASE, 4096, 0, 0, 0),
			 "mprotect(0x10000, 4096, PROT_NONE) = 0");
	cr_assert_str_eq(trace("kill", 0, 12, 15, 0, 0, 0), "kill(12, SIGTERM) = 0");
	cr_assert_str_eq(trace("wait4", 12, 0xffffffff, BASE, 1, 0, 0),
			 "wait4(-1, [{WIFEXITED(s) && WEXITSTATUS(s) == 7}], WNOHANG, NULL) = 12");
	cr_assert_str_eq(trace("futex", 0, BASE, 0x80, 7, 0, 0),
			 "futex(0x10000, FUTEX_WAIT_PRIVATE, 7, NULL) = 0");
	cr_assert_str_eq(trace("clone", 5, 0x01200011, 0, 0, BASE, 0),
			 "clone(child_stack=NULL, "
			 "flags=CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID|SIGCHLD, "
			 "child_tidptr=0x10000) = 5");
	cr_assert_str_eq(trace("clone", 5, 17, 0, 0, 0, 0),
			 "clone(child_stack=NULL, flags=SIGCHLD) = 5");
	cr_assert_str_eq(trace("getpid", 1, 0, 0, 0, 0, 0), "getpid() = 1");
}

Test(syscall_trace, sockets_and_pairs)
{
	const unsigned char sa[16] = { 2, 0, 0, 80, 127, 0, 0, 1 };
	const int32_t fds[2] = { 3, 4 };

	put(0, sa, sizeof(sa));
	put(64, fds, sizeof(fds));
	cr_assert_str_eq(trace("socket", 3, 2, 02000001, 0, 0, 0),
			 "socket(AF_INET, SOCK_STREAM|SOCK_CLOEXEC, IPPROTO_IP) = 3");
	cr_assert_str_eq(trace("connect", 0, 3, BASE, 16, 0, 0),
			 "connect(3, {sa_family=AF_INET, sin_port=htons(80), "
			 "sin_addr=inet_addr(\"127.0.0.1\")}, 16) = 0");
	put(128, "\x10\0\0", 4);
	cr_assert_str_eq(trace("accept4", 5, 3, BASE, BASE + 128, 02000000, 0),
			 "accept4(3, {sa_family=AF_INET, sin_port=htons(80), "
			 "sin_addr=inet_addr(\"127.0.0.1\")}, [16], SOCK_CLOEXEC) = 5");
	cr_assert_str_eq(trace("pipe2", 0, BASE + 64, 02000000, 0, 0, 0),
			 "pipe2([3, 4], O_CLOEXEC) = 0");
	cr_assert_str_eq(trace("pipe2", -LX_EMFILE, BASE + 64, 0, 0, 0, 0),
			 "pipe2(0x10040, 0) = -1 EMFILE (Too many open files)");
}

Test(syscall_trace, times_and_signals)
{
	const uint64_t ts[2] = { 1, 500 };
	const uint64_t set = 1u << 1 | 1u << 16;

	put(0, ts, sizeof(ts));
	put(64, &set, sizeof(set));
	cr_assert_str_eq(trace("clock_gettime", 0, 1, BASE, 0, 0, 0),
			 "clock_gettime(CLOCK_MONOTONIC, {tv_sec=1, tv_nsec=500}) = 0");
	cr_assert_str_eq(trace("rt_sigprocmask", 0, 0, BASE + 64, 0, 8, 0),
			 "rt_sigprocmask(SIG_BLOCK, [INT CHLD], NULL, 8) = 0");
	cr_assert_str_eq(trace("nanosleep", -LX_ERESTART_RESTARTBLOCK, BASE, BASE, 0, 0, 0),
			 "nanosleep({tv_sec=1, tv_nsec=500}, {tv_sec=1, tv_nsec=500}) = ? ERESTART_RESTARTBLOCK "
			 "(Interrupted by signal)");
}

Test(syscall_trace, parked_call_prints_once)
{
	struct trace_call *c = trace_call_new();
	const uint64_t regs[6] = { 3, BASE, 4 };

	lines = 0;
	trace_enter(c, NULL, &io, 0, regs);
	trace_exit(c, &io, -LX_EPARK);
	put(0, "late", 4);
	trace_enter(c, NULL, &io, 0, regs);
	trace_exit(c, &io, -LX_EPARK);
	trace_enter(c, NULL, &io, 0, regs);
	trace_exit(c, &io, 4);
	cr_assert_eq(lines, 1);
	cr_assert_str_eq(emitted, "read(3, \"late\", 4) = 4");
	trace_exit(c, &io, 0);
	cr_assert_eq(lines, 1);
	trace_enter(c, NULL, &io, 231, regs);
	trace_abandon(c, &io);
	cr_assert_str_eq(emitted, "exit_group(3) = ?");
	trace_call_free(c);
}

Test(syscall_trace, filter)
{
	const uint64_t regs[6] = { 3 };
	struct trace_filter *f = trace_filter_new("close,read");
	struct trace_filter *not = trace_filter_new("!close");
	struct trace_filter *all = trace_filter_new("");
	struct trace_call *c = trace_call_new();

	cr_assert_null(trace_filter_new("close,nonsense"));
	lines = 0;
	trace_enter(c, f, &io, 39, regs);
	trace_exit(c, &io, 1);
	cr_assert_eq(lines, 0);
	trace_enter(c, f, &io, 3, regs);
	trace_exit(c, &io, 0);
	cr_assert_eq(lines, 1);
	trace_enter(c, not, &io, 3, regs);
	trace_exit(c, &io, 0);
	cr_assert_eq(lines, 1);
	trace_enter(c, all, &io, 9999, regs);
	trace_exit(c, &io, -LX_ENOSYS);
	cr_assert_eq(lines, 2);
	cr_assert_str_eq(emitted, "syscall_0x270f(0x3, 0, 0, 0, 0, 0) = -1 ENOSYS (Function not "
				  "implemented)");
	trace_filter_free(f);
	trace_filter_free(not);
	trace_filter_free(all);
	trace_call_free(c);
}

/* Any call with any registers must give one bounded line. */
Test(syscall_trace, garbage)
{
	struct trace_call *c = trace_call_new();
	uint64_t x = 88172645463325252u;
	uint64_t regs[6];

	for (size_t i = 0; i < sizeof(guest); i++)
		guest[i] = (unsigned char)(i * 131 + i / 7);
	lines = 0;
	for (unsigned i = 0; i < 100000; i++) {
		for (unsigned j = 0; j < 6; j++) {
			x ^= x << 13, x ^= x >> 7, x ^= x << 17;
			regs[j] = x & 1 ? BASE + x / 2 % sizeof(guest) : x >> (x & 63);
		}
		trace_enter(c, NULL, &io, i % (SYSCALL_NR_END + 2), regs);
		trace_exit(c, &io, (long)(x & 1 ? x >> 40 : -(x & 0xff)));
	}
	cr_assert_eq(lines, 100000);
	trace_call_free(c);
}

/* Documents */

static char *print(const char *format)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	cr_assert_not_null(out);
	cr_assert_eq(syscalls_print(out, format), 0);
	fclose(out);
	return text;
}

Test(syscall_docs, text_fits_80_columns)
{
	char *text = print("text");
	size_t rows = 0;

	for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
		cr_assert_lt(strlen(line), 80, "%s", line);
		rows++;
	}
	cr_assert_geq(rows, ROW_COUNT);
	free(text);
}

Test(syscall_docs, formats)
{
	char *md = print("md"), *json = print("json");

	cr_assert_not_null(
		strstr(md, "| 257 | `openat(dfd, filename, flags, mode)` | full |"));
	cr_assert_not_null(strstr(json, "\"nr\": 459, \"name\": \"lsm_get_self_attr\", \"support\": "
					"\"none\", \"error\": \"ENOSYS\""));
	cr_assert_eq(syscalls_print(stdout, "xml"), -LX_EINVAL);
	free(md);
	free(json);
}
