/*
 * Structures behind pointers, by the layouts of Linux on x86-64. Each formatter
 * gets a copy of the bytes; none follows a pointer.
 */
#include <inttypes.h>
#include <string.h>

#include "syscalls/trace/trace_impl.h"

#define STRUCT_SIZE_MAX 512
#define ELEMENTS_MAX 32
#define DATE_MAX (INT64_C(1) << 40) /* seconds: later years say nothing */

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

/* The C library would open its time zone files for this. The calendar repeats itself every
 * 400 years; years begin in March, so that the leap day is the last. */
void trace_date(struct trace_call *c, int64_t t, uint64_t frac, unsigned digits)
{
	int64_t days = t / 86400 - (t % 86400 < 0), second = t - days * 86400;
	int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), m = (5 * doy + 2) / 153;
	int64_t month = m < 10 ? m + 3 : m - 9;

	trace_printf(c, "%04" PRId64 "-%02d-%02dT%02d:%02d:%02d", yoe + era * 400 + (month <= 2),
		     (int)month, (int)(doy - (153 * m + 2) / 5 + 1), (int)(second / 3600),
		     (int)(second / 60 % 60), (int)(second % 60));
	if (frac != 0)
		trace_printf(c, ".%0*" PRIu64, (int)digits, frac);
	trace_puts(c, "+0000");
}

/* What time of day that is, as a comment. */
static void when(struct trace_call *c, const unsigned char *p, unsigned digits)
{
	int64_t t = (int64_t)u64_at(p, 0);
	uint64_t frac = u64_at(p, 8);

	if (frac >= (digits == 9 ? UINT64_C(1000000000) : UINT64_C(1000000)) || t > DATE_MAX ||
	    t < -DATE_MAX)
		return;
	trace_puts(c, " /* ");
	trace_date(c, t, frac, digits);
	trace_puts(c, " */");
}

static void f_timespec_when(struct trace_call *c, const unsigned char *p)
{
	f_timespec(c, p);
	when(c, p, 9);
}

static void f_timeval_when(struct trace_call *c, const unsigned char *p)
{
	f_timeval(c, p);
	when(c, p, 6);
}

static void f_timespecs(struct trace_call *c, const unsigned char *p)
{
	two(c, p, "[", ", ", "]", f_timespec_when);
}

static void f_timevals(struct trace_call *c, const unsigned char *p)
{
	two(c, p, "[", ", ", "]", f_timeval_when);
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
	const uint64_t actime[2] = { u64_at(p, 0), 0 }, modtime[2] = { u64_at(p, 8), 0 };

	trace_printf(c, "{actime=%" PRId64, (int64_t)actime[0]);
	when(c, (const unsigned char *)actime, 9);
	trace_printf(c, ", modtime=%" PRId64, (int64_t)modtime[0]);
	when(c, (const unsigned char *)modtime, 9);
	trace_puts(c, "}");
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

static void f_offset(struct trace_call *c, const unsigned char *p)
{
	trace_printf(c, "[%" PRIu64 "]", u64_at(p, 0));
}

static void f_time(struct trace_call *c, const unsigned char *p)
{
	const uint64_t t[2] = { u64_at(p, 0), 0 };

	trace_printf(c, "[%" PRId64, (int64_t)t[0]);
	when(c, (const unsigned char *)t, 9);
	trace_puts(c, "]");
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

static void ticks(struct trace_call *c, const char *name, uint64_t v)
{
	trace_printf(c, "%s=%" PRIu64, name, v);
	if (v != 0)
		trace_printf(c, " /* %" PRIu64 ".%02u s */", v / 100, (unsigned)(v % 100));
}

static void f_tms(struct trace_call *c, const unsigned char *p)
{
	ticks(c, "{tms_utime", u64_at(p, 0));
	ticks(c, ", tms_stime", u64_at(p, 8));
	ticks(c, ", tms_cutime", u64_at(p, 16));
	ticks(c, ", tms_cstime", u64_at(p, 24));
	trace_puts(c, "}");
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

void trace_f_sigset(struct trace_call *c, uint64_t set)
{
	const char *sep = "";

	/* A nearly full set reads better as what it leaves out. */
	if (__builtin_popcountll(set) >= 64 * 2 / 3) {
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

static void f_sigset(struct trace_call *c, const unsigned char *p)
{
	trace_f_sigset(c, u64_at(p, 0));
}

static const struct named sa_flags[] = {
	{ 0x4000000, "SA_RESTORER" },  { 0x8000000, "SA_ONSTACK" }, { 0x10000000, "SA_RESTART" },
	{ 0x20000000, "SA_INTERRUPT" }, { 0x40000000, "SA_NODEFER" },
	{ 0x80000000, "SA_RESETHAND" }, { 4, "SA_SIGINFO" }, { 0x800, "SA_EXPOSE_TAGBITS" },
	{ 1, "SA_NOCLDSTOP" }, { 2, "SA_NOCLDWAIT" },
};

static void f_sigaction(struct trace_call *c, const unsigned char *p)
{
	uint64_t handler = u64_at(p, 0), flags = u64_at(p, 8);

	trace_puts(c, "{sa_handler=");
	if (handler == 0)
		trace_puts(c, "SIG_DFL");
	else if (handler == 1)
		trace_puts(c, "SIG_IGN");
	else
		trace_printf(c, "%#" PRIx64, handler);
	trace_puts(c, ", sa_mask=");
	f_sigset(c, p + 24);
	trace_puts(c, ", sa_flags=");
	trace_bits(c, TRACE_NAMES(sa_flags), flags, NULL, "SA_???");
	if (flags & 0x4000000) {
		trace_puts(c, ", sa_restorer=");
		trace_pointer(c, u64_at(p, 16));
	}
	trace_puts(c, "}");
}

static const struct named ss_flags[] = {
	{ 1, "SS_ONSTACK" }, { 2, "SS_DISABLE" }, { 0x80000000, "SS_AUTODISARM" },
};

static void f_sigstack(struct trace_call *c, const unsigned char *p)
{
	trace_puts(c, "{ss_sp=");
	trace_pointer(c, u64_at(p, 0));
	trace_puts(c, ", ss_flags=");
	trace_bits(c, TRACE_NAMES(ss_flags), u32_at(p, 8), NULL, "SS_???");
	trace_printf(c, ", ss_size=%" PRIu64 "}", u64_at(p, 16));
}

/* ---- siginfo ---- */

static const struct named si_codes[] = {
	{ 0, "SI_USER" }, { 0x80, "SI_KERNEL" }, { UINT32_MAX, "SI_QUEUE" },
	{ UINT32_MAX - 1, "SI_TIMER" }, { UINT32_MAX - 2, "SI_MESGQ" },
	{ UINT32_MAX - 3, "SI_ASYNCIO" }, { UINT32_MAX - 4, "SI_SIGIO" },
	{ UINT32_MAX - 5, "SI_TKILL" }, { UINT32_MAX - 6, "SI_DETHREAD" },
};
static const struct named chld_codes[] = {
	{ 1, "CLD_EXITED" }, { 2, "CLD_KILLED" }, { 3, "CLD_DUMPED" }, { 4, "CLD_TRAPPED" },
	{ 5, "CLD_STOPPED" }, { 6, "CLD_CONTINUED" },
};
static const struct named segv_codes[] = {
	{ 1, "SEGV_MAPERR" }, { 2, "SEGV_ACCERR" }, { 3, "SEGV_BNDERR" }, { 4, "SEGV_PKUERR" },
};
static const struct named bus_codes[] = {
	{ 1, "BUS_ADRALN" }, { 2, "BUS_ADRERR" }, { 3, "BUS_OBJERR" }, { 4, "BUS_MCEERR_AR" },
	{ 5, "BUS_MCEERR_AO" },
};
static const struct named ill_codes[] = {
	{ 1, "ILL_ILLOPC" }, { 2, "ILL_ILLOPN" }, { 3, "ILL_ILLADR" }, { 4, "ILL_ILLTRP" },
	{ 5, "ILL_PRVOPC" }, { 6, "ILL_PRVREG" }, { 7, "ILL_COPROC" }, { 8, "ILL_BADSTK" },
};
static const struct named fpe_codes[] = {
	{ 1, "FPE_INTDIV" }, { 2, "FPE_INTOVF" }, { 3, "FPE_FLTDIV" }, { 4, "FPE_FLTOVF" },
	{ 5, "FPE_FLTUND" }, { 6, "FPE_FLTRES" }, { 7, "FPE_FLTINV" }, { 8, "FPE_FLTSUB" },
};
static const struct named trap_codes[] = {
	{ 1, "TRAP_BRKPT" }, { 2, "TRAP_TRACE" }, { 3, "TRAP_BRANCH" }, { 4, "TRAP_HWBKPT" },
};
static const struct named poll_codes[] = {
	{ 1, "POLL_IN" }, { 2, "POLL_OUT" }, { 3, "POLL_MSG" }, { 4, "POLL_ERR" },
	{ 5, "POLL_PRI" }, { 6, "POLL_HUP" },
};
static const struct named sys_codes[] = { { 1, "SYS_SECCOMP" }, { 2, "SYS_USER_DISPATCH" } };

static void si_code(struct trace_call *c, int sig, int code)
{
	const struct named *names = NULL;
	size_t n = 0;

#define CODES(table) (names = (table), n = sizeof(table) / sizeof((table)[0]))
	switch (sig) {
	case 17: CODES(chld_codes); break;
	case 11: CODES(segv_codes); break;
	case 7: CODES(bus_codes); break;
	case 4: CODES(ill_codes); break;
	case 8: CODES(fpe_codes); break;
	case 5: CODES(trap_codes); break;
	case 29: CODES(poll_codes); break;
	case 31: CODES(sys_codes); break;
	}
#undef CODES
	if (code > 0 && names != NULL && trace_name_of(names, n, (uint32_t)code) != NULL)
		trace_enum(c, names, n, (uint32_t)code, NULL);
	else
		trace_enum(c, TRACE_NAMES(si_codes), (uint32_t)code, NULL);
}

static void si_sender(struct trace_call *c, const unsigned char *p)
{
	trace_printf(c, ", si_pid=%d, si_uid=%u", (int)u32_at(p, 16), (unsigned)u32_at(p, 20));
}

static void si_value(struct trace_call *c, const unsigned char *p)
{
	if (u64_at(p, 24) != 0)
		trace_printf(c, ", si_int=%d, si_ptr=%#" PRIx64, (int)u32_at(p, 24), u64_at(p, 24));
}

static void si_child(struct trace_call *c, const unsigned char *p, int code)
{
	si_sender(c, p);
	trace_puts(c, ", si_status=");
	if (code == 1)
		trace_printf(c, "%d", (int)u32_at(p, 24));
	else
		trace_signal(c, (int)u32_at(p, 24));
	ticks(c, ", si_utime", u64_at(p, 32));
	ticks(c, ", si_stime", u64_at(p, 40));
}

/* What the kernel itself says about a fault or an event, by the signal. */
static void si_kernel(struct trace_call *c, const unsigned char *p, int sig, int code)
{
	if (sig == 17) {
		si_child(c, p, code);
	} else if (sig == 4 || sig == 7 || sig == 8 || sig == 11 || sig == 5) {
		trace_puts(c, ", si_addr=");
		trace_pointer(c, u64_at(p, 16));
	} else if (sig == 29) {
		trace_printf(c, ", si_band=%" PRId64, (int64_t)u64_at(p, 16));
	} else if (sig == 31) {
		trace_puts(c, ", si_call_addr=");
		trace_pointer(c, u64_at(p, 16));
		trace_printf(c, ", si_syscall=%d, si_arch=%#x", (int)u32_at(p, 24),
			     (unsigned)u32_at(p, 28));
	} else if (u64_at(p, 16) != 0 || u64_at(p, 24) != 0) {
		si_sender(c, p);
		si_value(c, p);
	}
}

void trace_f_siginfo(struct trace_call *c, const unsigned char *p)
{
	int sig = (int)u32_at(p, 0), code = (int)u32_at(p, 8);

	trace_puts(c, "{si_signo=");
	trace_signal(c, sig);
	trace_puts(c, ", si_code=");
	si_code(c, sig, code);
	if (u32_at(p, 4) != 0)
		trace_printf(c, ", si_errno=%d", (int)u32_at(p, 4));
	if (code == 0x80 && sig != 11 && sig != 7 && sig != 5 && sig != 4 && sig != 8) {
		si_value(c, p);
	} else if (code == -2) {
		trace_printf(c, ", si_timerid=%#x, si_overrun=%d", (unsigned)u32_at(p, 16),
			     (int)u32_at(p, 20));
		trace_printf(c, ", si_int=%d, si_ptr=", (int)u32_at(p, 24));
		trace_pointer(c, u64_at(p, 24));
	} else if (code <= 0) {
		si_sender(c, p);
		if (code != 0 && code != -6)
			si_value(c, p);
	} else {
		si_kernel(c, p, sig, code);
	}
	trace_puts(c, "}");
}

static void f_sigevent(struct trace_call *c, const unsigned char *p)
{
	static const struct named kinds[] = {
		{ 0, "SIGEV_SIGNAL" }, { 1, "SIGEV_NONE" }, { 2, "SIGEV_THREAD" },
		{ 4, "SIGEV_THREAD_ID" },
	};
	uint64_t value = u64_at(p, 0);

	trace_puts(c, "{");
	if (value != 0)
		trace_printf(c, "sigev_value={sival_int=%d, sival_ptr=%#" PRIx64 "}, ",
			     (int)(uint32_t)value, value);
	trace_puts(c, "sigev_signo=");
	if (u32_at(p, 12) != 0 && u32_at(p, 12) != 4)
		trace_printf(c, "%d", (int)u32_at(p, 8));
	else
		trace_signal(c, (int)u32_at(p, 8));
	trace_puts(c, ", sigev_notify=");
	trace_enum(c, TRACE_NAMES(kinds), u32_at(p, 12), "SIGEV_???");
	if (u32_at(p, 12) == 4)
		trace_printf(c, ", sigev_notify_thread_id=%d", (int)u32_at(p, 16));
	trace_puts(c, "}");
}

void trace_mode(struct trace_call *c, uint32_t mode)
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
	trace_mode(c, u32_at(p, 24));
	if ((u32_at(p, 24) & 0170000) == 0020000 || (u32_at(p, 24) & 0170000) == 0060000) {
		uint64_t dev = u64_at(p, 40);

		trace_printf(c, ", st_rdev=makedev(%#x, %#x), ...}",
			     (unsigned)((dev >> 8 & 0xfff) | (dev >> 32 & 0xfffff000)),
			     (unsigned)((dev & 0xff) | (dev >> 12 & 0xffffff00)));
	} else {
		trace_printf(c, ", st_size=%" PRId64 ", ...}", (int64_t)u64_at(p, 48));
	}
}

static const struct named statx_attributes[] = {
	{ 4, "STATX_ATTR_COMPRESSED" }, { 0x10, "STATX_ATTR_IMMUTABLE" },
	{ 0x20, "STATX_ATTR_APPEND" }, { 0x40, "STATX_ATTR_NODUMP" },
	{ 0x800, "STATX_ATTR_ENCRYPTED" }, { 0x1000, "STATX_ATTR_AUTOMOUNT" },
	{ 0x2000, "STATX_ATTR_MOUNT_ROOT" }, { 0x100000, "STATX_ATTR_VERITY" },
	{ 0x200000, "STATX_ATTR_DAX" },
};

static void f_statx(struct trace_call *c, const unsigned char *p)
{
	trace_puts(c, "{stx_mask=");
	trace_symbolic(c, ARG_KIND_statx_mask, u32_at(p, 0));
	trace_puts(c, ", stx_attributes=");
	trace_bits(c, TRACE_NAMES(statx_attributes), u64_at(p, 8), NULL, "STATX_ATTR_???");
	trace_puts(c, ", stx_mode=");
	trace_mode(c, u32_at(p, 28) & 0xffff);
	trace_printf(c, ", stx_size=%" PRIu64 ", ...}", u64_at(p, 40));
}

static const struct named fs_types[] = {
	{ 0xef53, "EXT2_SUPER_MAGIC" }, { 0x1021994, "TMPFS_MAGIC" }, { 0x9fa0, "PROC_SUPER_MAGIC" },
	{ 0x62656572, "SYSFS_MAGIC" }, { 0x50495045, "PIPEFS_MAGIC" },
	{ 0x534f434b, "SOCKFS_MAGIC" }, { 0x794c7630, "OVERLAYFS_SUPER_MAGIC" },
	{ 0x1cd1, "DEVPTS_SUPER_MAGIC" }, { 0x9041934, "ANON_INODE_FS_MAGIC" },
	{ 0x27e0eb, "CGROUP_SUPER_MAGIC" }, { 0x63677270, "CGROUP2_SUPER_MAGIC" },
	{ 0x58465342, "XFS_SUPER_MAGIC" }, { 0x9123683e, "BTRFS_SUPER_MAGIC" },
	{ 0x19800202, "MQUEUE_MAGIC" }, { 0x858458f6, "RAMFS_MAGIC" }, { 0x6969, "NFS_SUPER_MAGIC" },
	{ 0x958458f6, "HUGETLBFS_MAGIC" }, { 0x6e736673, "NSFS_MAGIC" },
	{ 0x1021997, "V9FS_MAGIC" }, { 0x65735546, "FUSE_SUPER_MAGIC" },
};
static const struct named fs_flags[] = {
	{ 0x20, "ST_VALID" }, { 1, "ST_RDONLY" }, { 2, "ST_NOSUID" }, { 4, "ST_NODEV" },
	{ 8, "ST_NOEXEC" }, { 0x10, "ST_SYNCHRONOUS" }, { 0x40, "ST_MANDLOCK" },
	{ 0x400, "ST_NOATIME" }, { 0x800, "ST_NODIRATIME" }, { 0x1000, "ST_RELATIME" },
	{ 0x2000, "ST_NOSYMFOLLOW" },
};

static void f_statfs(struct trace_call *c, const unsigned char *p)
{
	trace_puts(c, "{f_type=");
	trace_enum(c, TRACE_NAMES(fs_types), u64_at(p, 0), NULL);
	trace_printf(c, ", f_bsize=%" PRIu64 ", f_blocks=%" PRIu64, u64_at(p, 8), u64_at(p, 16));
	trace_printf(c, ", f_bfree=%" PRIu64 ", f_bavail=%" PRIu64, u64_at(p, 24), u64_at(p, 32));
	trace_printf(c, ", f_files=%" PRIu64 ", f_ffree=%" PRIu64, u64_at(p, 40), u64_at(p, 48));
	trace_printf(c, u32_at(p, 56) ? ", f_fsid={val=[%#x, " : ", f_fsid={val=[%x, ",
		     (unsigned)u32_at(p, 56));
	trace_printf(c, u32_at(p, 60) ? "%#x]}" : "%x]}", (unsigned)u32_at(p, 60));
	trace_printf(c, ", f_namelen=%" PRIu64 ", f_frsize=%" PRIu64 ", f_flags=", u64_at(p, 64),
		     u64_at(p, 72));
	trace_bits(c, TRACE_NAMES(fs_flags), u64_at(p, 80), NULL, "ST_???");
	trace_puts(c, "}");
}

static void f_rusage(struct trace_call *c, const unsigned char *p)
{
	two(c, p, "{ru_utime=", ", ru_stime=", ", ...}", f_timeval);
}

static void f_limit(struct trace_call *c, uint64_t v)
{
	if (v == UINT64_MAX)
		trace_puts(c, "RLIM64_INFINITY");
	else if (v > 1024 && v % 1024 == 0)
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
	static const char *const names[] = { "totalram", "freeram", "sharedram", "bufferram",
					     "totalswap", "freeswap" };

	trace_printf(c, "{uptime=%" PRIu64 ", loads=[%" PRIu64 ", %" PRIu64 ", %" PRIu64 "]",
		     u64_at(p, 0), u64_at(p, 8), u64_at(p, 16), u64_at(p, 24));
	for (size_t i = 0; i < 6; i++)
		trace_printf(c, ", %s=%" PRIu64, names[i], u64_at(p, 32 + 8 * i));
	trace_printf(c, ", procs=%u, totalhigh=%" PRIu64 ", freehigh=%" PRIu64 ", mem_unit=%u}",
		     (unsigned)u32_at(p, 80) & 0xffff, u64_at(p, 88), u64_at(p, 96),
		     (unsigned)u32_at(p, 104));
}

static const struct named epoll_bits[] = {
	{ 1, "EPOLLIN" }, { 2, "EPOLLPRI" }, { 4, "EPOLLOUT" }, { 0x40, "EPOLLRDNORM" },
	{ 0x80, "EPOLLRDBAND" }, { 0x100, "EPOLLWRNORM" }, { 0x200, "EPOLLWRBAND" },
	{ 0x400, "EPOLLMSG" }, { 8, "EPOLLERR" }, { 0x10, "EPOLLHUP" }, { 0x2000, "EPOLLRDHUP" },
	{ 0x10000000, "EPOLLEXCLUSIVE" }, { 0x20000000, "EPOLLWAKEUP" },
	{ 0x40000000, "EPOLLONESHOT" }, { 0x80000000, "EPOLLET" },
};

static void f_epoll_event(struct trace_call *c, const unsigned char *p)
{
	trace_puts(c, "{events=");
	trace_bits(c, TRACE_NAMES(epoll_bits), u32_at(p, 0), NULL, "EPOLL???");
	trace_printf(c, ", data={u32=%u, u64=%" PRIu64 "}}", (unsigned)u32_at(p, 4), u64_at(p, 4));
}

/* ---- capabilities ---- */

static const struct named cap_names[] = {
#define CAP(nr, name) { nr, "CAP_" #name }
	CAP(0, CHOWN), CAP(1, DAC_OVERRIDE), CAP(2, DAC_READ_SEARCH), CAP(3, FOWNER),
	CAP(4, FSETID), CAP(5, KILL), CAP(6, SETGID), CAP(7, SETUID), CAP(8, SETPCAP),
	CAP(9, LINUX_IMMUTABLE), CAP(10, NET_BIND_SERVICE), CAP(11, NET_BROADCAST),
	CAP(12, NET_ADMIN), CAP(13, NET_RAW), CAP(14, IPC_LOCK), CAP(15, IPC_OWNER),
	CAP(16, SYS_MODULE), CAP(17, SYS_RAWIO), CAP(18, SYS_CHROOT), CAP(19, SYS_PTRACE),
	CAP(20, SYS_PACCT), CAP(21, SYS_ADMIN), CAP(22, SYS_BOOT), CAP(23, SYS_NICE),
	CAP(24, SYS_RESOURCE), CAP(25, SYS_TIME), CAP(26, SYS_TTY_CONFIG), CAP(27, MKNOD),
	CAP(28, LEASE), CAP(29, AUDIT_WRITE), CAP(30, AUDIT_CONTROL), CAP(31, SETFCAP),
	CAP(32, MAC_OVERRIDE), CAP(33, MAC_ADMIN), CAP(34, SYSLOG), CAP(35, WAKE_ALARM),
	CAP(36, BLOCK_SUSPEND), CAP(37, AUDIT_READ), CAP(38, PERFMON), CAP(39, BPF),
	CAP(40, CHECKPOINT_RESTORE),
#undef CAP
};

void trace_cap(struct trace_call *c, uint64_t cap)
{
	trace_enum(c, TRACE_NAMES(cap_names), cap, "CAP_???");
}

void trace_cap_set(struct trace_call *c, uint64_t set)
{
	const char *sep = "";

	if (set == 0)
		trace_puts(c, "0");
	for (size_t i = 0; i < sizeof(cap_names) / sizeof(cap_names[0]) && set != 0; i++) {
		if ((set >> i & 1) == 0)
			continue;
		trace_printf(c, "%s1<<%s", sep, cap_names[i].name);
		set &= ~(UINT64_C(1) << i);
		sep = "|";
	}
	if (set != 0)
		trace_printf(c, "%s%#" PRIx64, sep, set);
}

static const struct named cap_versions[] = {
	{ 0x19980330, "_LINUX_CAPABILITY_VERSION_1" },
	{ 0x20071026, "_LINUX_CAPABILITY_VERSION_2" },
	{ 0x20080522, "_LINUX_CAPABILITY_VERSION_3" },
};

static void f_capheader(struct trace_call *c, const unsigned char *p)
{
	trace_puts(c, "{version=");
	trace_enum(c, TRACE_NAMES(cap_versions), u32_at(p, 0), "_LINUX_CAPABILITY_VERSION_???");
	trace_printf(c, ", pid=%d}", (int)u32_at(p, 4));
}

static void f_capdata(struct trace_fmt *f, uint64_t addr)
{
	static const char *const names[] = { "{effective=", ", permitted=", ", inheritable=" };
	uint32_t version, d[6] = { 0 };
	size_t words = 6;

	if (!trace_read(f, f->c->regs[0], &version, sizeof(version)) || version == 0x19980330)
		words = 3;
	if (!trace_read(f, addr, d, words * sizeof(d[0]))) {
		trace_pointer(f->c, addr);
		return;
	}
	for (size_t i = 0; i < 3; i++) {
		trace_puts(f->c, names[i]);
		trace_cap_set(f->c, d[i] | (words == 6 ? (uint64_t)d[3 + i] << 32 : 0));
	}
	trace_puts(f->c, "}");
}

static void f_futex_waiter(struct trace_call *c, const unsigned char *p)
{
	static const struct named bits[] = { { 2, "FUTEX_32" }, { 0x80, "FUTEX_PRIVATE_FLAG" } };

	trace_printf(c, "{val=%#" PRIx64 ", uaddr=", u64_at(p, 0));
	trace_pointer(c, u64_at(p, 8));
	trace_puts(c, ", flags=");
	trace_bits(c, TRACE_NAMES(bits), u32_at(p, 16), NULL, "FUTEX_???");
	if (u32_at(p, 20) != 0)
		trace_printf(c, ", __reserved=%#x", (unsigned)u32_at(p, 20));
	trace_puts(c, "}");
}

static void f_open_how(struct trace_call *c, const unsigned char *p)
{
	static const struct named bits[] = {
		{ 1, "RESOLVE_NO_XDEV" }, { 2, "RESOLVE_NO_MAGICLINKS" },
		{ 4, "RESOLVE_NO_SYMLINKS" }, { 8, "RESOLVE_BENEATH" },
		{ 0x10, "RESOLVE_IN_ROOT" }, { 0x20, "RESOLVE_CACHED" },
	};

	trace_puts(c, "{flags=");
	trace_symbolic(c, ARG_KIND_o_flags, u64_at(p, 0));
	if (u64_at(p, 8) != 0 || u64_at(p, 0) & 0100)
		trace_printf(c, ", mode=%#03" PRIo64, u64_at(p, 8));
	trace_puts(c, ", resolve=");
	trace_bits(c, TRACE_NAMES(bits), u64_at(p, 16), NULL, "RESOLVE_???");
	trace_puts(c, "}");
}

void trace_timespec_at(struct trace_fmt *f, uint64_t addr, const char *fraction)
{
	unsigned char buf[16];

	if (trace_read(f, addr, buf, sizeof(buf)))
		pair(f->c, buf, fraction);
	else
		trace_pointer(f->c, addr);
}

static void elements(struct trace_fmt *f, uint64_t addr, uint64_t count, size_t size, format_fn each)
{
	unsigned char buf[STRUCT_SIZE_MAX];

	if (count > 0 && !trace_read(f, addr, buf, size)) {
		trace_pointer(f->c, addr);
		return;
	}

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
	if (kind == ARG_KIND_sockaddr_in)
		trace_sockaddr(f, addr, trace_neighbour(f, 1));
	else if (kind == ARG_KIND_capdata_in || kind == ARG_KIND_capdata_out)
		f_capdata(f, addr);
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
	[ARG_KIND_inout_off] = { f_offset, 0 },
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
	[ARG_KIND_out_time] = { f_time, 0 },
	[ARG_KIND_tms_out] = { f_tms, 0 },
	[ARG_KIND_sigset_in] = { f_sigset, 0 },
	[ARG_KIND_sigset_out] = { f_sigset, 0 },
	[ARG_KIND_sigaction_in] = { f_sigaction, 0 },
	[ARG_KIND_sigaction_out] = { f_sigaction, 0 },
	[ARG_KIND_sigstack_in] = { f_sigstack, 0 },
	[ARG_KIND_sigstack_out] = { f_sigstack, 0 },
	[ARG_KIND_siginfo_in] = { trace_f_siginfo, 0 },
	[ARG_KIND_siginfo_out] = { trace_f_siginfo, 0 },
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
	[ARG_KIND_open_how_in] = { f_open_how, 24 },
};

static uint64_t sigset_size(const struct trace_fmt *f)
{
	const struct syscall_desc *d = f->c->desc;

	for (uint32_t i = f->arg + 1; i < d->nargs; i++)
		if (d->args[i].kind == ARG_KIND_size)
			return f->c->regs[i];
	return 8;
}

bool trace_struct(struct trace_fmt *f, enum arg_kind kind, uint64_t addr)
{
	unsigned char buf[STRUCT_SIZE_MAX];
	const struct layout *l = &layouts[kind];
	size_t size = l->size != 0 ? l->size : arg_kind_info(kind)->size;

	if (special(f, kind, addr))
		return true;
	/* A set of signals comes with its size, which must be that of Linux's sets. */
	if ((kind == ARG_KIND_sigset_in || kind == ARG_KIND_sigset_out) && sigset_size(f) != 8)
		return false;
	if (l->format == NULL || size > sizeof(buf) || !trace_read(f, addr, buf, size))
		return false;
	l->format(f->c, buf);
	return true;
}
