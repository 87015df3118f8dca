/*
 * What is special about single calls: arguments whose meaning hangs on another one,
 * results that are more than a number, and strace's classes of calls.
 */
#include <inttypes.h>
#include <string.h>

#include "syscalls/abi/lx_errno.h"
#include "syscalls/trace/trace_impl.h"

/* The numbers of the table by name. */
enum nr {
#define SYS(nr, name, level, note, ...) NR_##name = (nr),
#define NOSYS(nr, name, error, note, ...) NR_##name = (nr),
#define ARG(kind, name)
#define NOARGS
#include "syscalls/syscall.def"
#include "syscalls/syscall_end.h"
};

static uint64_t reg(const struct trace_fmt *f, unsigned i)
{
	return f->c->regs[i];
}

static void word_at(struct trace_fmt *f, uint64_t addr)
{
	uint32_t v;

	if (addr != 0 && f->result >= 0 && trace_read(f, addr, &v, sizeof(v)))
		trace_printf(f->c, "[%d]", (int)v);
	else
		trace_pointer(f->c, addr);
}

/* ---- processes ---- */

static TRACE_FN(a_clone)
{
	uint64_t flags = v;

	if (f->arg > 0 || f->exiting) {
		if (flags = reg(f, 0), flags & 0x101000) { /* PARENT_SETTID, PIDFD */
			trace_puts(f->c, "parent_tid=");
			word_at(f, reg(f, 2));
			trace_puts(f->c, ", ");
		}
		if (flags & 0x80000) /* SETTLS */
			trace_printf(f->c, "tls=%#" PRIx64 ", ", reg(f, 4));
		if (flags & 0x1200000) /* CHILD_SETTID, CHILD_CLEARTID */
			trace_printf(f->c, "child_tidptr=%#" PRIx64 ", ", reg(f, 3));
		if (!f->c->cut)
			f->c->len -= 2;
		return TRACE_LAST;
	}
	trace_puts(f->c, "child_stack=");
	trace_pointer(f->c, reg(f, 1));
	trace_puts(f->c, ", flags=");
	trace_symbolic(f->c, ARG_KIND_clone_flags, flags);
	return flags & 0x1381000 ? TRACE_DONE : TRACE_LAST;
}

/* What clone3 stores, after the structure. */
static void clone3_stored(struct trace_fmt *f, const uint64_t *a)
{
	const char *sep = "";

	if (f->result < 0 || (a[0] & 0x101000) == 0)
		return;
	trace_puts(f->c, " => {");
	if (a[0] & 0x1000) {
		trace_puts(f->c, "pidfd=");
		word_at(f, a[1]);
		sep = ", ";
	}
	if (a[0] & 0x100000) {
		trace_printf(f->c, "%sparent_tid=", sep);
		word_at(f, a[3]);
	}
	trace_puts(f->c, "}");
}

static TRACE_FN(a_clone3)
{
	uint64_t a[11] = { 0 }, size = reg(f, 1);
	struct trace_call *c = f->c;

	if (f->arg != 0)
		return TRACE_BY_KIND;
	if (size < 64 || !trace_read(f, v, a, size < sizeof(a) ? (size_t)size : sizeof(a))) {
		trace_pointer(c, v);
		return TRACE_DONE;
	}
	if (!f->exiting && a[0] & 0x101000)
		return TRACE_LATER;
	trace_puts(c, "{flags=");
	trace_symbolic(c, ARG_KIND_clone_flags, a[0]);
	if (a[0] & 0x1000)
		trace_printf(c, ", pidfd=%#" PRIx64, a[1]);
	if (a[0] & 0x1200000)
		trace_printf(c, ", child_tid=%#" PRIx64, a[2]);
	if (a[0] & 0x100000)
		trace_printf(c, ", parent_tid=%#" PRIx64, a[3]);
	trace_puts(c, ", exit_signal=");
	trace_signal(c, (int)a[4]);
	trace_puts(c, ", stack=");
	trace_pointer(c, a[5]);
	trace_printf(c, a[6] ? ", stack_size=%#" PRIx64 : ", stack_size=%" PRIx64, a[6]);
	if (a[0] & 0x80000)
		trace_printf(c, ", tls=%#" PRIx64, a[7]);
	if (a[8] != 0 || a[9] != 0)
		trace_printf(c, ", set_tid=%#" PRIx64 ", set_tid_size=%" PRIu64, a[8], a[9]);
	trace_puts(c, "}");
	if (f->exiting)
		clone3_stored(f, a);
	return TRACE_DONE;
}

static const struct named futex_ops[] = {
	{ 0, "FUTEX_WAIT" }, { 1, "FUTEX_WAKE" }, { 2, "FUTEX_FD" }, { 3, "FUTEX_REQUEUE" },
	{ 4, "FUTEX_CMP_REQUEUE" }, { 5, "FUTEX_WAKE_OP" }, { 6, "FUTEX_LOCK_PI" },
	{ 7, "FUTEX_UNLOCK_PI" }, { 8, "FUTEX_TRYLOCK_PI" }, { 9, "FUTEX_WAIT_BITSET" },
	{ 10, "FUTEX_WAKE_BITSET" }, { 11, "FUTEX_WAIT_REQUEUE_PI" },
	{ 12, "FUTEX_CMP_REQUEUE_PI" }, { 13, "FUTEX_LOCK_PI2" },
};

static bool futex_waits(uint64_t op)
{
	return op == 0 || op == 6 || op == 9 || op == 11 || op == 13;
}

static void futex_word(struct trace_call *c, uint64_t v, bool bitset)
{
	if (bitset && (uint32_t)v == UINT32_MAX)
		trace_puts(c, "FUTEX_BITSET_MATCH_ANY");
	else
		trace_printf(c, (uint32_t)v ? "%#x" : "%x", (unsigned)v);
}

static TRACE_FN(a_futex)
{
	/* What follows the value, by operation: t timeout, d number, a second word, b the
	 * sixth argument as a bitset, v the sixth as a value; LOCK_PI has no value before it. */
	static const char *const rest[14] = { "t", "", "", "da", "dav", "dav", "t", "",
					      "", "tb", "b", "ta", "dav", "t" };
	uint64_t op = reg(f, 1) & 0x7f;
	struct trace_call *c = f->c;

	if (f->arg == 0)
		return TRACE_BY_KIND;
	if (f->arg == 1) {
		if (op > 13 || (v & 0x100 && !futex_waits(op)) || v & ~UINT64_C(0x1ff)) {
			trace_printf(c, "%#" PRIx64 " /* FUTEX_??? */", (uint64_t)(uint32_t)v);
			return TRACE_DONE;
		}
		trace_printf(c, "%s%s%s", futex_ops[op].name, v & 0x80 ? "_PRIVATE" : "",
			     v & 0x100 ? "|FUTEX_CLOCK_REALTIME" : "");
		return op == 7 || op == 8 ? TRACE_LAST : TRACE_DONE;
	}
	if (op != 6 && op != 13) {
		trace_printf(c, "%u", (unsigned)v);
		trace_puts(c, op > 13 || rest[op][0] != '\0' ? ", " : "");
	}
	for (const char *p = op > 13 ? "davv" : rest[op]; *p != '\0'; p++) {
		if (*p == 't' && reg(f, 3) != 0)
			trace_timespec_at(f, reg(f, 3), "tv_nsec");
		else if (*p == 't')
			trace_puts(c, "NULL");
		else if (*p == 'd')
			trace_printf(c, "%u", (unsigned)reg(f, 3));
		else if (*p == 'a')
			trace_pointer(c, reg(f, 4));
		else
			futex_word(c, reg(f, 5), *p == 'b');
		trace_puts(c, p[1] != '\0' ? ", " : "");
	}
	return TRACE_LAST;
}

static const struct named ambient_ops[] = {
	{ 1, "PR_CAP_AMBIENT_IS_SET" }, { 2, "PR_CAP_AMBIENT_RAISE" },
	{ 3, "PR_CAP_AMBIENT_LOWER" }, { 4, "PR_CAP_AMBIENT_CLEAR_ALL" },
};
static const struct named securebits[] = {
	{ 1, "SECBIT_NOROOT" }, { 2, "SECBIT_NOROOT_LOCKED" }, { 4, "SECBIT_NO_SETUID_FIXUP" },
	{ 8, "SECBIT_NO_SETUID_FIXUP_LOCKED" }, { 0x10, "SECBIT_KEEP_CAPS" },
	{ 0x20, "SECBIT_KEEP_CAPS_LOCKED" }, { 0x40, "SECBIT_NO_CAP_AMBIENT_RAISE" },
	{ 0x80, "SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED" },
};

static const struct named dump_modes[] = {
	{ 0, "SUID_DUMP_DISABLE" }, { 1, "SUID_DUMP_USER" }, { 2, "SUID_DUMP_ROOT" },
};

static void r_prctl(struct trace_fmt *f)
{
	if (reg(f, 0) == 27 && f->result != 0) {
		trace_printf(f->c, "%#lx (", (unsigned long)f->result);
		trace_bits(f->c, TRACE_NAMES(securebits), (uint64_t)f->result, NULL, NULL);
		trace_puts(f->c, ")");
	} else if (reg(f, 0) == 3 && f->result < 3) {
		trace_printf(f->c, "%ld (%s)", f->result, dump_modes[f->result].name);
	} else {
		trace_printf(f->c, "%ld", f->result);
	}
}

static TRACE_FN(a_prctl)
{
	struct trace_call *c = f->c;
	uint64_t op = reg(f, 0);

	if (f->arg == 0)
		return TRACE_BY_KIND;
	switch ((uint32_t)op) {
	case 3: case 7: case 14: case 21: case 27: case 30: case 31: case 32: case 42:
		return TRACE_NO_MORE; /* nothing but the option */
	case 1: /* PDEATHSIG */
		trace_signal(c, (int)v);
		return TRACE_LAST;
	case 4:
		trace_enum(c, TRACE_NAMES(dump_modes), v, "SUID_DUMP_???");
		return TRACE_LAST;
	case 15:
	case 16: /* NAME */
		if (op == 16 && !f->exiting)
			return TRACE_LATER;
		if (op == 16 && f->result < 0)
			trace_pointer(c, v);
		else
			trace_arg(f, ARG_KIND_str, v);
		return TRACE_LAST;
	case 23: case 24:
		trace_cap(c, v);
		return TRACE_LAST;
	case 8: case 29: case 36:
		trace_printf(c, "%" PRIu64, v);
		return TRACE_LAST;
	case 2: case 37: /* stored */
		if (!f->exiting)
			return TRACE_LATER;
		if (op == 2 && f->result >= 0) {
			uint32_t sig;

			if (trace_read(f, v, &sig, sizeof(sig))) {
				trace_puts(c, "[");
				trace_signal(c, (int)sig);
				trace_puts(c, "]");
				return TRACE_LAST;
			}
		}
		word_at(f, v);
		return TRACE_LAST;
	case 28:
		trace_bits(c, TRACE_NAMES(securebits), v, NULL, "SECBIT_???");
		return TRACE_LAST;
	case 47: /* CAP_AMBIENT */
		if (f->arg == 1)
			trace_enum(c, TRACE_NAMES(ambient_ops), v, "PR_CAP_AMBIENT_???");
		else if (f->arg == 2 && reg(f, 1) >= 1 && reg(f, 1) <= 3)
			trace_cap(c, v);
		else
			return TRACE_BY_KIND;
		return TRACE_DONE;
	case 38: case 39:
		trace_printf(c, f->arg == 1 || v == 0 ? "%" PRIu64 : "%#" PRIx64, v);
		return TRACE_DONE;
	case 41:
		trace_printf(c, "%" PRIu64, v);
		if (f->arg == 1)
			trace_printf(c, ", %#" PRIx64 ", %#" PRIx64 ", %#" PRIx64, reg(f, 2), reg(f, 3),
				     reg(f, 4));
		return TRACE_LAST;
	default:
		return TRACE_BY_KIND;
	}
}

static TRACE_FN(a_arch_prctl)
{
	uint64_t op = reg(f, 0), stored;

	if (f->arg == 0 || (op != 0x1003 && op != 0x1004))
		return f->arg == 1 && op == 0x1011 ? TRACE_NO_MORE : TRACE_BY_KIND;
	if (!f->exiting)
		return TRACE_LATER;
	if (f->result >= 0 && trace_read(f, v, &stored, sizeof(stored)))
		trace_printf(f->c, stored ? "[%#" PRIx64 "]" : "[%" PRIx64 "]", stored);
	else
		trace_pointer(f->c, v);
	return TRACE_DONE;
}

static const struct named personalities[] = {
	{ 0, "PER_LINUX" }, { 8, "PER_LINUX32" }, { 1, "PER_SVR4" }, { 6, "PER_BSD" },
};
static const struct named personality_bits[] = {
	{ 0x20000, "UNAME26" },	      { 0x40000, "ADDR_NO_RANDOMIZE" },
	{ 0x80000, "FDPIC_FUNCPTRS" }, { 0x100000, "MMAP_PAGE_ZERO" },
	{ 0x200000, "ADDR_COMPAT_LAYOUT" }, { 0x400000, "READ_IMPLIES_EXEC" },
	{ 0x800000, "ADDR_LIMIT_32BIT" }, { 0x1000000, "SHORT_INODE" },
	{ 0x2000000, "WHOLE_SECONDS" }, { 0x4000000, "STICKY_TIMEOUTS" },
	{ 0x8000000, "ADDR_LIMIT_3GB" },
};

static void personality(struct trace_call *c, uint64_t v)
{
	trace_enum(c, TRACE_NAMES(personalities), v & 0xff, "PER_???");
	if (v & ~UINT64_C(0xff)) {
		trace_puts(c, "|");
		trace_bits(c, TRACE_NAMES(personality_bits), v & ~UINT64_C(0xff), NULL, NULL);
	}
}

static TRACE_FN(a_personality)
{
	if (v == UINT32_MAX)
		trace_puts(f->c, "0xffffffff");
	else
		personality(f->c, v);
	return TRACE_DONE;
}

/* ---- signals ---- */

static TRACE_FN(a_mincore)
{
	unsigned char vec[32];
	uint64_t pages = (reg(f, 1) + 4095) / 4096;
	size_t n = pages < sizeof(vec) ? (size_t)pages : sizeof(vec);

	if (f->arg != 2)
		return TRACE_BY_KIND;
	if (!f->exiting)
		return TRACE_LATER;
	if (f->result < 0 || !trace_read(f, v, vec, n)) {
		trace_pointer(f->c, v);
		return TRACE_DONE;
	}
	trace_puts(f->c, "[");
	for (size_t i = 0; i < n; i++)
		trace_printf(f->c, "%s%u", i ? ", " : "", vec[i] & 1u);
	trace_puts(f->c, pages > n ? ", ...]" : "]");
	return TRACE_DONE;
}

#define UC_SIGMASK 296 /* of the mask in a struct ucontext */

void trace_no_args(struct trace_fmt *f, const struct syscall_desc *before)
{
	uint64_t mask;

	/* The caller gives the stack pointer, where the frame's context is. */
	if (f->c->desc->nr == NR_rt_sigreturn && trace_read(f, reg(f, 0) + UC_SIGMASK, &mask, 8)) {
		trace_puts(f->c, "{mask=");
		trace_f_sigset(f->c, mask);
		trace_puts(f->c, "}");
	} else if (f->c->desc->nr == NR_restart_syscall) {
		trace_printf(f->c, "<... resuming interrupted %s ...>",
			     before != NULL ? before->name : "system call");
	}
}

/* ---- scheduling ---- */

/* The flag for resetting at fork stands beside the policy. */
static TRACE_FN(a_sched_attr)
{
	uint32_t a[14] = { 0 };
	uint64_t q[3];
	struct trace_call *c = f->c;
	bool get = c->desc->nr == NR_sched_getattr;

	if (f->arg == c->desc->nargs - 1) {
		trace_printf(c, "%u", (unsigned)v);
		return TRACE_DONE;
	}
	if (f->arg != 1)
		return TRACE_BY_KIND;
	if (get && !f->exiting)
		return TRACE_LATER;
	if ((get && f->result < 0) || !trace_read(f, v, a, 48)) {
		trace_pointer(c, v);
		return TRACE_DONE;
	}
	trace_printf(c, "{size=%u", (unsigned)a[0]);
	if (a[0] >= 48) {
		memcpy(q, &a[6], sizeof(q));
		trace_puts(c, ", sched_policy=");
		trace_symbolic(c, ARG_KIND_sched_policy, a[1]);
		trace_puts(c, ", sched_flags=");
		trace_bits(c,
			   (const struct named[]){ { 1, "SCHED_FLAG_RESET_ON_FORK" },
						   { 2, "SCHED_FLAG_RECLAIM" },
						   { 4, "SCHED_FLAG_DL_OVERRUN" } },
			   3, a[2] | (uint64_t)a[3] << 32, NULL, "SCHED_FLAG_???");
		trace_printf(c, ", sched_nice=%d, sched_priority=%u", (int)a[4], (unsigned)a[5]);
		trace_printf(c, ", sched_runtime=%" PRIu64 ", sched_deadline=%" PRIu64
				", sched_period=%" PRIu64, q[0], q[1], q[2]);
	}
	trace_puts(c, "}");
	return TRACE_DONE;
}

/* ---- files whose arguments belong together ---- */

static TRACE_FN(a_sendfile)
{
	int64_t after;

	if (f->arg != 2 || v == 0)
		return TRACE_BY_KIND;
	/* What it was is formatted at entry, what it became at exit. */
	if (!f->exiting) {
		if (!trace_read(f, v, &after, sizeof(after)))
			return TRACE_LATER;
		f->c->old_len = (uint64_t)after;
		return TRACE_LATER;
	}
	if (!trace_read(f, v, &after, sizeof(after))) {
		trace_pointer(f->c, v);
		return TRACE_DONE;
	}
	trace_printf(f->c, "[%" PRIu64 "]", f->c->old_len);
	if (f->result > 0)
		trace_printf(f->c, " => [%" PRIu64 "]", (uint64_t)after);
	return TRACE_DONE;
}

/* A position in two halves, of which x86-64 only uses the first. */
static TRACE_FN(a_preadv)
{
	if (f->arg == 3) {
		trace_printf(f->c, "%" PRId64, (int64_t)v);
		return f->c->desc->nargs == 5 ? TRACE_LAST : TRACE_DONE;
	}
	if (f->arg == 4) {
		trace_arg(f, ARG_KIND_rwf_flags, reg(f, 5));
		return TRACE_LAST;
	}
	return TRACE_BY_KIND;
}

static TRACE_FN(a_getrandom)
{
	if (f->arg != 0)
		return TRACE_BY_KIND;
	if (!f->exiting)
		return TRACE_LATER;
	if (f->result < 0)
		trace_pointer(f->c, v);
	else
		trace_hex(f, v, (uint64_t)f->result);
	return TRACE_DONE;
}

static TRACE_FN(a_rseq)
{
	if (f->arg != 1)
		return TRACE_BY_KIND;
	trace_printf(f->c, "%#" PRIx64, v);
	return TRACE_DONE;
}

/* Flags of which none is an access mode. */
static TRACE_FN(a_new_fd_flags)
{
	if (f->c->desc->args[f->arg].kind != ARG_KIND_o_flags)
		return TRACE_BY_KIND;
	if ((v & ~UINT64_C(3)) == 0) {
		trace_printf(f->c, v ? "%#x" : "%x", (unsigned)v);
		return TRACE_DONE;
	}
	/* As open's, without O_RDONLY before them. */
	trace_open_bits(f->c, v);
	return TRACE_DONE;
}

static TRACE_FN(a_mknod)
{
	enum arg_kind kind = f->c->desc->args[f->arg].kind;
	uint32_t type;

	if (kind != ARG_KIND_umode)
		return TRACE_BY_KIND;
	trace_mode(f->c, (uint32_t)v);
	type = (uint32_t)v & 0170000;
	return type == 0020000 || type == 0060000 ? TRACE_DONE : TRACE_LAST;
}

static TRACE_FN(a_mremap)
{
	return f->arg == 4 && (reg(f, 3) & 6) == 0 ? TRACE_NO_MORE : TRACE_BY_KIND;
}

/* Only shown when something came of it. */
static TRACE_FN(a_epoll_pwait)
{
	enum arg_kind kind = f->c->desc->args[f->arg].kind;

	if (kind != ARG_KIND_sigset_in && kind != ARG_KIND_timespec_in)
		return TRACE_BY_KIND;
	if (!f->exiting)
		return TRACE_LATER;
	if (f->result >= 0)
		return TRACE_BY_KIND;
	trace_pointer(f->c, v);
	return TRACE_DONE;
}

static TRACE_FN(a_membarrier)
{
	static const struct named bits[] = { { 1, "MEMBARRIER_CMD_FLAG_CPU" } };

	if (f->arg != 1)
		return TRACE_BY_KIND;
	trace_bits(f->c, TRACE_NAMES(bits), v, NULL, "MEMBARRIER_CMD_FLAG_???");
	return v & 1 ? TRACE_DONE : TRACE_LAST;
}

/* The name may not be longer than the kernel takes. */
static TRACE_FN(a_setname)
{
	if (f->arg != 0 || (int32_t)(uint32_t)reg(f, 1) <= 64)
		return TRACE_BY_KIND;
	trace_pointer(f->c, v);
	return TRACE_DONE;
}

static TRACE_FN(a_setgroups)
{
	if (f->arg != 1 || (uint32_t)reg(f, 0) <= 65536)
		return TRACE_BY_KIND;
	trace_pointer(f->c, v);
	return TRACE_DONE;
}

static TRACE_FN(a_statx)
{
	static const struct named kinds[] = {
		{ 0, "AT_STATX_SYNC_AS_STAT" }, { 0x2000, "AT_STATX_FORCE_SYNC" },
		{ 0x4000, "AT_STATX_DONT_SYNC" },
	};

	if (f->arg != 2)
		return TRACE_BY_KIND;
	trace_enum(f->c, TRACE_NAMES(kinds), v & 0x6000, "AT_STATX_???");
	if (v & ~UINT64_C(0x6000)) {
		trace_puts(f->c, "|");
		trace_arg(f, ARG_KIND_at_flags, v & ~UINT64_C(0x6000));
	}
	return TRACE_DONE;
}

static TRACE_FN(a_syslog)
{
	static const char *const names[] = { "CLOSE", "OPEN", "READ", "READ_ALL", "READ_CLEAR",
					     "CLEAR", "CONSOLE_OFF", "CONSOLE_ON",
					     "CONSOLE_LEVEL", "SIZE_UNREAD", "SIZE_BUFFER" };
	uint32_t type = (uint32_t)reg(f, 0);

	if (f->arg == 0) {
		trace_printf(f->c, "%d /* SYSLOG_ACTION_%s */", (int)type,
			     type < sizeof(names) / sizeof(names[0]) ? names[type] : "???");
		return TRACE_DONE;
	}
	return f->arg == 1 && type < 11 && (type < 2 || (type > 4 && type != 8)) ? TRACE_NO_MORE
										  : TRACE_BY_KIND;
}

/* The time is overwritten with what is left of it. */
static TRACE_FN(a_recvmmsg)
{
	if (f->arg == 1 && !f->exiting) {
		f->c->old_len = trace_read(f, reg(f, 4), f->c->old_pair, sizeof(f->c->old_pair));
		return TRACE_LATER;
	}
	if (f->arg != 4 || v == 0 || f->c->old_len == 0)
		return TRACE_BY_KIND;
	trace_printf(f->c, "{tv_sec=%" PRId64 ", tv_nsec=%" PRId64 "}", (int64_t)f->c->old_pair[0],
		     (int64_t)f->c->old_pair[1]);
	return TRACE_DONE;
}

static TRACE_FN(a_faccessat2)
{
	static const struct named bits[] = {
		{ 0x100, "AT_SYMLINK_NOFOLLOW" }, { 0x200, "AT_EACCESS" }, { 0x1000, "AT_EMPTY_PATH" },
	};

	if (f->arg != 3)
		return TRACE_BY_KIND;
	trace_bits(f->c, TRACE_NAMES(bits), v, NULL, "AT_???");
	return TRACE_DONE;
}

/* What is left of the time is only stored when a signal came. */
static TRACE_FN(a_nanosleep)
{
	if (f->c->desc->args[f->arg].kind != ARG_KIND_timespec_out)
		return TRACE_BY_KIND;
	if (!f->exiting)
		return TRACE_LATER;
	if (v != 0 && f->result == -LX_ERESTART_RESTARTBLOCK)
		trace_timespec_at(f, v, "tv_nsec");
	else
		trace_pointer(f->c, v);
	return TRACE_DONE;
}

/* More than an attribute may have is not looked at. */
static TRACE_FN(a_setxattr)
{
	if (f->arg != 2 || reg(f, 3) <= 65536)
		return TRACE_BY_KIND;
	trace_pointer(f->c, v);
	return TRACE_DONE;
}

static TRACE_FN(a_unsigned)
{
	enum arg_kind kind = f->c->desc->args[f->arg].kind;

	if (kind != ARG_KIND_off || (f->c->desc->nr == NR_fadvise64 && f->arg == 1))
		return TRACE_BY_KIND;
	trace_printf(f->c, "%" PRIu64, v);
	return TRACE_DONE;
}

/* ---- results ---- */

static void r_address(struct trace_fmt *f)
{
	trace_printf(f->c, f->result ? "%#lx" : "%lu", (unsigned long)f->result);
}

static void r_octal(struct trace_fmt *f)
{
	trace_printf(f->c, "%#03lo", (unsigned long)f->result);
}

static void r_personality(struct trace_fmt *f)
{
	trace_printf(f->c, f->result ? "%#lx (" : "%lu (", (unsigned long)f->result);
	personality(f->c, (uint64_t)f->result);
	trace_puts(f->c, ")");
}

static void r_signal(struct trace_fmt *f)
{
	trace_printf(f->c, "%ld (", f->result);
	trace_signal(f->c, (int)f->result);
	trace_puts(f->c, ")");
}

static void r_policy(struct trace_fmt *f)
{
	static const struct named policies[] = {
		{ 0, "SCHED_OTHER" }, { 1, "SCHED_FIFO" }, { 2, "SCHED_RR" },
		{ 3, "SCHED_BATCH" }, { 5, "SCHED_IDLE" }, { 6, "SCHED_DEADLINE" },
	};
	const char *name = trace_name_of(TRACE_NAMES(policies), (uint64_t)f->result);

	trace_printf(f->c, "%ld", f->result);
	if (name != NULL)
		trace_printf(f->c, " (%s)", name);
}

static void r_membarrier(struct trace_fmt *f)
{
	static const struct named cmds[] = {
		{ 1, "MEMBARRIER_CMD_GLOBAL" },
		{ 2, "MEMBARRIER_CMD_GLOBAL_EXPEDITED" },
		{ 4, "MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED" },
		{ 8, "MEMBARRIER_CMD_PRIVATE_EXPEDITED" },
		{ 16, "MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED" },
		{ 32, "MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE" },
		{ 64, "MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE" },
		{ 128, "MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ" },
		{ 256, "MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ" },
	};

	if (reg(f, 0) != 0 || f->result == 0) {
		trace_printf(f->c, "%ld", f->result);
		return;
	}
	trace_printf(f->c, "%#lx (", (unsigned long)f->result);
	trace_bits(f->c, TRACE_NAMES(cmds), (uint64_t)f->result, NULL, NULL);
	trace_puts(f->c, ")");
}

static void r_time(struct trace_fmt *f)
{
	trace_printf(f->c, "%ld (", f->result);
	trace_date(f->c, f->result, 0, 0);
	trace_puts(f->c, ")");
}

/* ---- the tables ---- */

static enum trace_step (*const specials[SYSCALL_NR_END])(struct trace_fmt *f, uint64_t v) = {
	[NR_clone] = a_clone,
	[NR_clone3] = a_clone3,
	[NR_futex] = a_futex,
	[NR_prctl] = a_prctl,
	[NR_arch_prctl] = a_arch_prctl,
	[NR_personality] = a_personality,
	[NR_mincore] = a_mincore,
	[NR_sched_setattr] = a_sched_attr,
	[NR_sched_getattr] = a_sched_attr,
	[NR_sendfile] = a_sendfile,
	[NR_preadv] = a_preadv,
	[NR_pwritev] = a_preadv,
	[NR_preadv2] = a_preadv,
	[NR_pwritev2] = a_preadv,
	[NR_getrandom] = a_getrandom,
	[NR_rseq] = a_rseq,
	[NR_faccessat2] = a_faccessat2,
	[NR_nanosleep] = a_nanosleep,
	[NR_clock_nanosleep] = a_nanosleep,
	[NR_setxattr] = a_setxattr,
	[NR_lsetxattr] = a_setxattr,
	[NR_fsetxattr] = a_setxattr,
	[NR_dup3] = a_new_fd_flags,
	[NR_pipe2] = a_new_fd_flags,
	[NR_userfaultfd] = a_new_fd_flags,
	[NR_memfd_secret] = a_new_fd_flags,
	[NR_mknod] = a_mknod,
	[NR_mknodat] = a_mknod,
	[NR_mremap] = a_mremap,
	[NR_epoll_pwait] = a_epoll_pwait,
	[NR_epoll_pwait2] = a_epoll_pwait,
	[NR_membarrier] = a_membarrier,
	[NR_sethostname] = a_setname,
	[NR_setdomainname] = a_setname,
	[NR_setgroups] = a_setgroups,
	[NR_statx] = a_statx,
	[NR_syslog] = a_syslog,
	[NR_recvmmsg] = a_recvmmsg,
	[NR_truncate] = a_unsigned,
	[NR_ftruncate] = a_unsigned,
	[NR_fadvise64] = a_unsigned,
	[NR_fcntl] = trace_fcntl,
	[NR_ioctl] = trace_ioctl,
	[NR_poll] = trace_poll,
	[NR_ppoll] = trace_poll,
	[NR_select] = trace_select,
	[NR_pselect6] = trace_select,
	[NR_mount] = trace_mount,
	[NR_getdents] = trace_dirents,
	[NR_getdents64] = trace_dirents,
	[NR_setsockopt] = trace_sockopt,
	[NR_getsockopt] = trace_sockopt,
	[NR_socket] = trace_socket,
	[NR_socketpair] = trace_socket,
	[NR_accept] = trace_accept,
	[NR_accept4] = trace_accept,
	[NR_getsockname] = trace_accept,
	[NR_getpeername] = trace_accept,
	[NR_recvfrom] = trace_accept,
};

static void (*const results[SYSCALL_NR_END])(struct trace_fmt *f) = {
	[NR_mmap] = r_address,
	[NR_brk] = r_address,
	[NR_mremap] = r_address,
	[NR_shmat] = r_address,
	[NR_umask] = r_octal,
	[NR_prctl] = r_prctl,
	[NR_personality] = r_personality,
	[NR_rt_sigtimedwait] = r_signal,
	[NR_sched_getscheduler] = r_policy,
	[NR_membarrier] = r_membarrier,
	[NR_time] = r_time,
	[NR_fcntl] = trace_fcntl_result,
	[NR_poll] = trace_poll_result,
	[NR_ppoll] = trace_poll_result,
	[NR_select] = trace_select_result,
	[NR_pselect6] = trace_select_result,
};

enum trace_step trace_special(struct trace_fmt *f, uint64_t v)
{
	return specials[f->c->desc->nr] != NULL ? specials[f->c->desc->nr](f, v) : TRACE_BY_KIND;
}

void trace_result(struct trace_fmt *f)
{
	if (f->c->desc != NULL && f->result >= 0 && results[f->c->desc->nr] != NULL)
		results[f->c->desc->nr](f);
	else if (f->c->desc != NULL && results[f->c->desc->nr] == r_address)
		r_address(f);
	else
		trace_printf(f->c, "%ld", f->result);
}

/* ---- classes ---- */

static bool has_kind(const struct syscall_desc *d, enum arg_kind kind)
{
	for (uint32_t i = 0; i < d->nargs; i++)
		if (d->args[i].kind == kind)
			return true;
	return false;
}

/* Classes that the kinds of the arguments do not tell: name ranges, one string each. */
static bool listed(const char *list, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = list; (p = strstr(p, name)) != NULL; p += len)
		if ((p == list || p[-1] == ' ') && (p[len] == ' ' || p[len] == '\0'))
			return true;
	return false;
}

static const struct {
	const char *name, *calls;
} classes[] = {
	{ "process", "fork vfork clone clone3 execve execveat exit exit_group wait4 waitid kill "
		     "tkill tgkill rt_sigqueueinfo rt_tgsigqueueinfo pidfd_open pidfd_send_signal" },
	{ "signal", "kill tkill tgkill pause alarm rt_sigaction rt_sigprocmask rt_sigreturn "
		    "rt_sigpending rt_sigtimedwait rt_sigqueueinfo rt_sigsuspend sigaltstack "
		    "signalfd signalfd4 rt_tgsigqueueinfo pidfd_send_signal" },
	{ "memory", "mmap mprotect munmap brk mremap msync mincore madvise shmat shmdt mlock "
		    "munlock mlockall munlockall remap_file_pages mbind get_mempolicy "
		    "set_mempolicy migrate_pages move_pages mlock2 pkey_mprotect pkey_alloc "
		    "pkey_free process_madvise memfd_secret mseal" },
	{ "ipc", "shmget shmat shmctl shmdt semget semop semctl semtimedop msgget msgsnd msgrcv "
		 "msgctl" },
	{ "network", "socket connect accept accept4 sendto recvfrom sendmsg recvmsg shutdown bind "
		     "listen getsockname getpeername socketpair setsockopt getsockopt recvmmsg "
		     "sendmmsg sendfile" },
	{ "clock", "gettimeofday settimeofday time adjtimex clock_settime clock_gettime "
		   "clock_getres clock_adjtime" },
	{ "creds", "getuid getgid setuid setgid geteuid getegid setreuid setregid getgroups "
		   "setgroups setresuid getresuid setresgid getresgid setfsuid setfsgid capget "
		   "capset prctl" },
	{ "stat", "stat fstat lstat newfstatat statx" },
	{ "statfs", "statfs fstatfs ustat" },
	{ "pure", "getpid getuid getgid geteuid getegid getppid getpgrp gettid getpgid getsid "
		  "get_thread_area" },
};

bool trace_in_class(const struct syscall_desc *d, const char *name)
{
	if (strcmp(name, "file") == 0)
		return has_kind(d, ARG_KIND_path) || d->nr == NR_getcwd;
	if (strcmp(name, "desc") == 0)
		return has_kind(d, ARG_KIND_fd) || has_kind(d, ARG_KIND_dirfd) ||
		       listed("select pselect6 poll ppoll pipe pipe2 eventfd eventfd2 epoll_create "
			      "epoll_create1 inotify_init inotify_init1 timerfd_create memfd_create "
			      "socketpair", d->name);
	for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
		if (strcmp(classes[i].name, name) == 0)
			return listed(classes[i].calls, d->name);
	return false;
}
