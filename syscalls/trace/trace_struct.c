/*
 * Structures behind pointers, by the layouts of Linux on x86-64. Each formatter
 * gets a copy of the bytes; none follows a pointer.
 */
#include <inttypes.h>
#include <string.h>

#include "syscalls/trace/trace_impl.h"

#define STRUCT_SIZE_MAX 512
#define ELEMENTS_MAX 16

typedef void (*format_fn)(struct trace_call *c, const unsigned char *p);

static uint64_t u64_at(const unsigned char *p, size_t offset)
{
	uint64_t v;

	memcpy(&v, p + offset, sizeof(v));
	return v;
}

static uint32_t u32_at(const unsigned char *p, size_t offset)
{
	uint32_t v;

	memcpy(&v, p + offset, sizeof(v));
	return v;
}

static void pair(struct trace_call *c, const unsigned char *p, const char *fraction)
{
	uint64_t frac = u64_at(p, 8);

	if (frac == 0x3fffffff && strcmp(fraction, "tv_nsec") == 0)
		trace_puts(c, "UTIME_NOW");
	else if (frac == 0x3ffffffe && strcmp(fraction, "tv_nsec") == 0)
		trace_puts(c, "UTIME_OMIT");
	else
		trace_printf(c, "{tv_sec=%" PRId64 ", %s=%" PRId64 "}", (int64_t)u64_at(p, 0),
			     fraction, (int64_t)frac);
}

static void f_timespec(struct trace_call *c, const unsigned char *p)
{
	pair(c, p, "tv_nsec");
}

static void f_timeval(struct trace_call *c, const unsigned char *p)
{
	pair(c, p, "tv_usec");
}

static void two(struct trace_call *c, const unsigned char *p, const char *head, const char *middle,
		const char *tail, format_fn each)
{
	trace_puts(c, head);
	each(c, p);
	trace_puts(c, middle);
	each(c, p + 16);
	trace_puts(c, tail);
}

static void f_timespecs(struct trace_call *c, const unsigned char *p)
{
	two(c, p, "[", ", ", "]", f_timespec);
}

static void f_timevals(struct trace_call *c, const unsigned char *p)
{
	two(c, p, "[", ", ", "]", f_timeval);
}

static void f_itimerval(struct trace_call *c, const unsigned char *p)
{
	two(c, p, "{it_interval=", ", it_value=", "}", f_timeval);
}

static void f_itimerspec(struct trace_call *c, const unsigned char *p)
{
	two(c, p, "{it_interval=", ", it_value=", "}", f_timespec);
}

static void f_utimbuf(struct trace_call *c, const unsigned char *p)
{
	trace_printf(c, "{actime=%" PRId64 ", modtime=%" PRId64 "}", (int64_t)u64_at(p, 0),
		     (int64_t)u64_at(p, 8));
}

static void f_timezone(struct trace_call *c, const unsigned char *p)
{
	trace_printf(c, "{tz_minuteswest=%d, tz_dsttime=%d}", (int)u32_at(p, 0), (int)u32_at(p, 4));
}

static void f_i32(struct trace_call *c, const unsigned char *p)
{
	trace_printf(c, "[%d]", (int)u32_at(p, 0));
}

static void f_u32(struct trace_call *c, const unsigned char *p)
{
	trace_printf(c, "[%u]", (unsigned)u32_at(p, 0));
}

static void f_i64(struct trace_call *c, const unsigned char *p)
{
	trace_printf(c, "[%" PRId64 "]", (int64_t)u64_at(p, 0));
}

static void f_u64(struct trace_call *c, const unsigned char *p)
{
	trace_printf(c, "[%" PRIu64 "]", u64_at(p, 0));
}

static void f_ptr(struct trace_call *c, const unsigned char *p)
{
	trace_printf(c, "[%#" PRIx64 "]", u64_at(p, 0));
}

static void f_fdpair(struct trace_call *c, const unsigned char *p)
{
	trace_printf(c, "[%d, %d]", (int)u32_at(p, 0), (int)u32_at(p, 4));
}

static void f_tms(struct trace_call *c, const unsigned char *p)
{
	trace_printf(c, "{tms_utime=%" PRIu64 ", tms_stime=%" PRIu64, u64_at(p, 0), u64_at(p, 8));
	trace_printf(c, ", tms_cutime=%" PRIu64 ", tms_cstime=%" PRIu64 "}", u64_at(p, 16),
		     u64_at(p, 24));
}

static void f_wstatus(struct trace_call *c, const unsigned char *p)
{
	uint32_t s = u32_at(p, 0);
	const char *core = s & 0x80 ? " && WCOREDUMP(s)" : "";

	trace_puts(c, "[{");
	if (s == 0xffff) {
		trace_puts(c, "WIFCONTINUED(s)");
	} else if ((s & 0xff) == 0x7f) {
		trace_puts(c, "WIFSTOPPED(s) && WSTOPSIG(s) == ");
		trace_signal(c, (int)(s >> 8 & 0xff));
	} else if ((s & 0x7f) == 0) {
		trace_printf(c, "WIFEXITED(s) && WEXITSTATUS(s) == %u", (unsigned)(s >> 8 & 0xff));
	} else {
		trace_puts(c, "WIFSIGNALED(s) && WTERMSIG(s) == ");
		trace_signal(c, (int)(s & 0x7f));
		trace_puts(c, core);
	}
	trace_puts(c, "}]");
}

static void f_sigset(struct trace_call *c, const unsigned char *p)
{
	uint64_t set = u64_at(p, 0);
	const char *sep = "";

	/* A nearly full set reads better as what it leaves out. */
	if (__builtin_popcountll(set) > 40) {
		trace_puts(c, "~");
		set = ~set;
	}
	trace_puts(c, "[");
	for (unsigned sig = 1; sig <= 64; sig++) {
		const char *name = trace_signal_name(sig);

		if ((set >> (sig - 1) & 1) == 0)
			continue;
		if (name != NULL)
			trace_printf(c, "%s%s", sep, name + 3);
		else
			trace_printf(c, "%sRT_%u", sep, sig - 32);
		sep = " ";
	}
	trace_puts(c, "]");
}

static void f_sigaction(struct trace_call *c, const unsigned char *p)
{
	uint64_t handler = u64_at(p, 0);

	trace_puts(c, "{sa_handler=");
	if (handler == 0)
		trace_puts(c, "SIG_DFL");
	else if (handler == 1)
		trace_puts(c, "SIG_IGN");
	else
		trace_printf(c, "%#" PRIx64, handler);
	trace_puts(c, ", sa_mask=");
	f_sigset(c, p + 24);
	trace_printf(c, ", sa_flags=%#" PRIx64 ", sa_restorer=%#" PRIx64 "}", u64_at(p, 8),
		     u64_at(p, 16));
}

static void f_sigstack(struct trace_call *c, const unsigned char *p)
{
	trace_printf(c, "{ss_sp=%#" PRIx64 ", ss_flags=%#x, ss_size=%" PRIu64 "}", u64_at(p, 0),
		     (unsigned)u32_at(p, 8), u64_at(p, 16));
}

static void f_siginfo(struct trace_call *c, const unsigned char *p)
{
	trace_puts(c, "{si_signo=");
	trace_signal(c, (int)u32_at(p, 0));
	trace_printf(c, ", si_code=%d, si_pid=%d, si_uid=%u, si_status=%d}", (int)u32_at(p, 8),
		     (int)u32_at(p, 16), (unsigned)u32_at(p, 20), (int)u32_at(p, 24));
}

static void f_sigevent(struct trace_call *c, const unsigned char *p)
{
	trace_printf(c, "{sigev_value=%#" PRIx64 ", sigev_signo=", u64_at(p, 0));
	trace_signal(c, (int)u32_at(p, 8));
	trace_printf(c, ", sigev_notify=%d}", (int)u32_at(p, 12));
}

static void f_mode(struct trace_call *c, uint32_t mode)
{
	static const char *const types[16] = {
		[1] = "S_IFIFO|", [2] = "S_IFCHR|", [4] = "S_IFDIR|",   [6] = "S_IFBLK|",
		[8] = "S_IFREG|", [10] = "S_IFLNK|", [12] = "S_IFSOCK|",
	};
	const char *type = types[mode >> 12 & 15];

	trace_printf(c, "%s%#03o", type != NULL ? type : "",
		     (unsigned)(type != NULL ? mode & 07777 : mode));
}

static void f_stat(struct trace_call *c, const unsigned char *p)
{
	trace_puts(c, "{st_mode=");
	f_mode(c, u32_at(p, 24));
	trace_printf(c, ", st_size=%" PRId64 ", ...}", (int64_t)u64_at(p, 48));
}

static void f_statx(struct trace_call *c, const unsigned char *p)
{
	trace_puts(c, "{stx_mask=");
	trace_symbolic(c, ARG_KIND_statx_mask, u32_at(p, 0));
	trace_puts(c, ", stx_mode=");
	f_mode(c, u32_at(p, 28) & 0xffff);
	trace_printf(c, ", stx_size=%" PRIu64 ", ...}", u64_at(p, 40));
}

static void f_statfs(struct trace_call *c, const unsigned char *p)
{
	trace_printf(c, "{f_type=%#" PRIx64 ", f_bsize=%" PRIu64 ", f_blocks=%" PRIu64, u64_at(p, 0),
		     u64_at(p, 8), u64_at(p, 16));
	trace_printf(c, ", f_bfree=%" PRIu64 ", ...}", u64_at(p, 24));
}

static void f_rusage(struct trace_call *c, const unsigned char *p)
{
	two(c, p, "{ru_utime=", ", ru_stime=", ", ...}", f_timeval);
}

static void f_limit(struct trace_call *c, uint64_t v)
{
	if (v == UINT64_MAX)
		trace_puts(c, "RLIM64_INFINITY");
	else if (v != 0 && v % 1024 == 0)
		trace_printf(c, "%" PRIu64 "*1024", v / 1024);
	else
		trace_printf(c, "%" PRIu64, v);
}

static void f_rlimit(struct trace_call *c, const unsigned char *p)
{
	trace_puts(c, "{rlim_cur=");
	f_limit(c, u64_at(p, 0));
	trace_puts(c, ", rlim_max=");
	f_limit(c, u64_at(p, 8));
	trace_puts(c, "}");
}

static void f_utsname(struct trace_call *c, const unsigned char *p)
{
	trace_puts(c, "{sysname=");
	trace_quoted(c, p, strnlen((const char *)p, 65));
	trace_puts(c, ", nodename=");
	trace_quoted(c, p + 65, strnlen((const char *)p + 65, 65));
	trace_puts(c, ", ...}");
}

static void f_sysinfo(struct trace_call *c, const unsigned char *p)
{
	trace_printf(c, "{uptime=%" PRIu64 ", totalram=%" PRIu64 ", freeram=%" PRIu64 ", ...}",
		     u64_at(p, 0), u64_at(p, 32), u64_at(p, 40));
}

static void f_pollfd(struct trace_call *c, const unsigned char *p)
{
	uint32_t events = u32_at(p, 4);

	trace_printf(c, "{fd=%d, events=%#x, revents=%#x}", (int)u32_at(p, 0),
		     (unsigned)(events & 0xffff), (unsigned)(events >> 16));
}

static void f_epoll_event(struct trace_call *c, const unsigned char *p)
{
	trace_printf(c, "{events=%#x, data=%#" PRIx64 "}", (unsigned)u32_at(p, 0), u64_at(p, 4));
}

static void f_capheader(struct trace_call *c, const unsigned char *p)
{
	trace_printf(c, "{version=%#x, pid=%d}", (unsigned)u32_at(p, 0), (int)u32_at(p, 4));
}

static void f_futex_waiter(struct trace_call *c, const unsigned char *p)
{
	trace_printf(c, "{val=%#" PRIx64 ", uaddr=%#" PRIx64 ", flags=%#x}", u64_at(p, 0),
		     u64_at(p, 8), (unsigned)u32_at(p, 16));
}

static void f_open_how(struct trace_call *c, const unsigned char *p)
{
	trace_puts(c, "{flags=");
	trace_symbolic(c, ARG_KIND_o_flags, u64_at(p, 0));
	trace_printf(c, ", mode=%#03" PRIo64 ", resolve=%#" PRIx64 "}", u64_at(p, 8), u64_at(p, 16));
}

static void f_clone_args(struct trace_call *c, const unsigned char *p)
{
	trace_puts(c, "{flags=");
	trace_symbolic(c, ARG_KIND_clone_flags, u64_at(p, 0));
	trace_puts(c, ", exit_signal=");
	trace_signal(c, (int)u64_at(p, 32));
	trace_printf(c, ", stack=%#" PRIx64 ", stack_size=%#" PRIx64 ", tls=%#" PRIx64 "}",
		     u64_at(p, 40), u64_at(p, 48), u64_at(p, 56));
}

static void f_fdset(struct trace_fmt *f, uint64_t addr)
{
	uint64_t count = f->c->regs[0] & 0xffffffff; /* select's n */
	size_t n = count < 1024 ? (size_t)(count + 7) / 8 : 128;
	unsigned char bits[128];
	const char *sep = "";

	if (!trace_read(f, addr, bits, n)) {
		trace_printf(f->c, "%#" PRIx64, addr);
		return;
	}
	trace_puts(f->c, "[");
	for (size_t i = 0; i < count && i < n * 8; i++) {
		if (bits[i / 8] >> (i % 8) & 1) {
			trace_printf(f->c, "%s%zu", sep, i);
			sep = " ";
		}
	}
	trace_puts(f->c, "]");
}

/* The length is an int here (bind) or behind a pointer (accept). */
static void f_sockaddr(struct trace_fmt *f, enum arg_kind kind, uint64_t addr)
{
	unsigned char a[128] = { 0 };
	uint64_t len = trace_neighbour(f, 1);
	uint32_t stored = 0;

	if (kind == ARG_KIND_sockaddr_out) {
		if (!trace_read(f, len, &stored, sizeof(stored)))
			stored = 0;
		len = stored < f->c->old_len ? stored : f->c->old_len;
	}
	if (len > sizeof(a))
		len = sizeof(a);
	if (len < 2 || !trace_read(f, addr, a, len)) {
		trace_printf(f->c, "%#" PRIx64, addr);
		return;
	}
	trace_puts(f->c, "{sa_family=");
	trace_symbolic(f->c, ARG_KIND_sock_family, a[0] | (uint64_t)a[1] << 8);
	if (a[0] == 1 && len > 2 && a[2] == 0) {
		trace_puts(f->c, ", sun_path=@");
		trace_quoted(f->c, a + 3, len - 3);
	} else if (a[0] == 1 && len > 2) {
		trace_puts(f->c, ", sun_path=");
		trace_quoted(f->c, a + 2, strnlen((const char *)a + 2, len - 2));
	} else if (a[0] == 2) {
		trace_printf(f->c, ", sin_port=htons(%u), sin_addr=inet_addr(\"%u.%u.%u.%u\")",
			     (unsigned)(a[2] << 8 | a[3]), a[4], a[5], a[6], a[7]);
	} else if (a[0] == 10) {
		trace_printf(f->c, ", sin6_port=htons(%u), sin6_addr=", (unsigned)(a[2] << 8 | a[3]));
		for (unsigned i = 0; i < 16; i += 2)
			trace_printf(f->c, "%s%x", i > 0 ? ":" : "",
				     (unsigned)(a[8 + i] << 8 | a[9 + i]));
	}
	trace_puts(f->c, "}");
}

static void elements(struct trace_fmt *f, uint64_t addr, uint64_t count, size_t size, format_fn each)
{
	unsigned char buf[STRUCT_SIZE_MAX];

	trace_puts(f->c, "[");
	for (uint64_t i = 0; i < count; i++) {
		trace_puts(f->c, i > 0 ? ", " : "");
		if (i == ELEMENTS_MAX || !trace_read(f, addr + i * size, buf, size)) {
			trace_puts(f->c, "...");
			break;
		}
		each(f->c, buf);
	}
	trace_puts(f->c, "]");
}

/* What cannot be read with the fixed size of its kind. False: not one of them. */
static bool special(struct trace_fmt *f, enum arg_kind kind, uint64_t addr)
{
	if (kind == ARG_KIND_fdset)
		f_fdset(f, addr);
	else if (kind == ARG_KIND_sockaddr_in || kind == ARG_KIND_sockaddr_out)
		f_sockaddr(f, kind, addr);
	else if (kind == ARG_KIND_pollfds)
		elements(f, addr, trace_neighbour(f, 1), 8, f_pollfd);
	else if (kind == ARG_KIND_futex_waitv_in)
		elements(f, addr, trace_neighbour(f, 1), 24, f_futex_waiter);
	else if (kind == ARG_KIND_epoll_events_out)
		elements(f, addr, f->result > 0 ? (uint64_t)f->result : 0, 12, f_epoll_event);
	else
		return false;
	return true;
}

struct layout {
	format_fn format;
	size_t size; /* when that of the kind depends on its contents */
};

static const struct layout layouts[ARG_KIND_COUNT] = {
	[ARG_KIND_out_fdpair] = { f_fdpair, 0 },
	[ARG_KIND_out_i32] = { f_i32, 0 },
	[ARG_KIND_out_u32] = { f_u32, 0 },
	[ARG_KIND_out_u64] = { f_u64, 0 },
	[ARG_KIND_out_ptr] = { f_ptr, 0 },
	[ARG_KIND_inout_i32] = { f_i32, 0 },
	[ARG_KIND_inout_off] = { f_i64, 0 },
	[ARG_KIND_out_wstatus] = { f_wstatus, 0 },
	[ARG_KIND_timespec_in] = { f_timespec, 0 },
	[ARG_KIND_timespec_out] = { f_timespec, 0 },
	[ARG_KIND_timespec_inout] = { f_timespec, 0 },
	[ARG_KIND_timespec_pair_in] = { f_timespecs, 0 },
	[ARG_KIND_timeval_in] = { f_timeval, 0 },
	[ARG_KIND_timeval_out] = { f_timeval, 0 },
	[ARG_KIND_timeval_inout] = { f_timeval, 0 },
	[ARG_KIND_timeval_pair_in] = { f_timevals, 0 },
	[ARG_KIND_itimerval_in] = { f_itimerval, 0 },
	[ARG_KIND_itimerval_out] = { f_itimerval, 0 },
	[ARG_KIND_itimerspec_in] = { f_itimerspec, 0 },
	[ARG_KIND_itimerspec_out] = { f_itimerspec, 0 },
	[ARG_KIND_utimbuf_in] = { f_utimbuf, 0 },
	[ARG_KIND_timezone_in] = { f_timezone, 0 },
	[ARG_KIND_timezone_out] = { f_timezone, 0 },
	[ARG_KIND_out_time] = { f_i64, 0 },
	[ARG_KIND_tms_out] = { f_tms, 0 },
	[ARG_KIND_sigset_in] = { f_sigset, 0 },
	[ARG_KIND_sigset_out] = { f_sigset, 0 },
	[ARG_KIND_sigaction_in] = { f_sigaction, 0 },
	[ARG_KIND_sigaction_out] = { f_sigaction, 0 },
	[ARG_KIND_sigstack_in] = { f_sigstack, 0 },
	[ARG_KIND_sigstack_out] = { f_sigstack, 0 },
	[ARG_KIND_siginfo_in] = { f_siginfo, 0 },
	[ARG_KIND_siginfo_out] = { f_siginfo, 0 },
	[ARG_KIND_sigevent_in] = { f_sigevent, 0 },
	[ARG_KIND_stat_out] = { f_stat, 0 },
	[ARG_KIND_statx_out] = { f_statx, 0 },
	[ARG_KIND_statfs_out] = { f_statfs, 0 },
	[ARG_KIND_rusage_out] = { f_rusage, 0 },
	[ARG_KIND_rlimit_in] = { f_rlimit, 0 },
	[ARG_KIND_rlimit_out] = { f_rlimit, 0 },
	[ARG_KIND_utsname_out] = { f_utsname, 0 },
	[ARG_KIND_sysinfo_out] = { f_sysinfo, 0 },
	[ARG_KIND_epoll_event_in] = { f_epoll_event, 0 },
	[ARG_KIND_capheader] = { f_capheader, 0 },
	[ARG_KIND_sched_param_in] = { f_i32, 0 },
	[ARG_KIND_sched_param_out] = { f_i32, 0 },
	[ARG_KIND_clone_args_in] = { f_clone_args, 64 },
	[ARG_KIND_open_how_in] = { f_open_how, 24 },
};

bool trace_struct(struct trace_fmt *f, enum arg_kind kind, uint64_t addr)
{
	unsigned char buf[STRUCT_SIZE_MAX];
	const struct layout *l = &layouts[kind];
	size_t size = l->size != 0 ? l->size : arg_kind_info(kind)->size;

	if (special(f, kind, addr))
		return true;
	if (l->format == NULL || size > sizeof(buf) || !trace_read(f, addr, buf, size))
		return false;
	l->format(f->c, buf);
	return true;
}
