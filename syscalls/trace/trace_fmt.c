/*
 * One argument: numbers, text, bytes and vectors. Structures and symbolic
 * values are in their own files.
 */
#include <inttypes.h>
#include <string.h>

#include "syscalls/trace/trace_impl.h"

#define PAGE_SIZE_MIN 4096u
#define VECTOR_MAX 8 /* elements shown of an array; four times as many of short ones */
#define ENV_COUNT_MAX 4096

bool trace_read(const struct trace_fmt *f, uint64_t addr, void *buf, size_t len)
{
	return f->io->read != NULL && f->io->read(f->io->ctx, addr, buf, len) == 0;
}

uint64_t trace_neighbour(const struct trace_fmt *f, int delta)
{
	int i = (int)f->arg + delta;
	enum arg_class class;
	uint64_t reg;

	if (i < 0 || (uint32_t)i >= f->c->desc->nargs)
		return 0;
	class = arg_kind_info(f->c->desc->args[i].kind)->class;
	reg = f->c->regs[i];
	if (class == ARG_CLASS_I32)
		return (int32_t)(uint32_t)reg < 0 ? 0 : (uint32_t)reg;
	return class == ARG_CLASS_U32 || class == ARG_CLASS_U16 ? (uint32_t)reg : reg;
}

void trace_quoted(struct trace_call *c, const unsigned char *s, size_t len)
{
	static const char plain[] = "\t\n\v\f\r\"\\";
	static const char letter[] = "tnvfr\"\\";

	trace_puts(c, "\"");
	for (size_t i = 0; i < len; i++) {
		const char *special = s[i] != 0 ? strchr(plain, s[i]) : NULL;
		bool digit_next = i + 1 < len && s[i + 1] >= '0' && s[i + 1] <= '9';

		if (special != NULL)
			trace_printf(c, "\\%c", letter[special - plain]);
		else if (s[i] >= ' ' && s[i] < 0x7f)
			trace_printf(c, "%c", s[i]);
		else
			trace_printf(c, digit_next ? "\\%03o" : "\\%o", s[i]);
	}
	trace_puts(c, "\"");
}

void trace_pointer(struct trace_call *c, uint64_t v)
{
	if (v == 0)
		trace_puts(c, "NULL");
	else
		trace_printf(c, "%#" PRIx64, v);
}

void trace_hex(struct trace_fmt *f, uint64_t addr, uint64_t len)
{
	unsigned char buf[TRACE_STR_MAX];
	size_t n = len < sizeof(buf) ? (size_t)len : sizeof(buf);

	if (!trace_read(f, addr, buf, n)) {
		trace_pointer(f->c, addr);
		return;
	}
	trace_puts(f->c, "\"");
	for (size_t i = 0; i < n; i++)
		trace_printf(f->c, "\\x%02x", buf[i]);
	trace_puts(f->c, len > n ? "\"..." : "\"");
}

void trace_bytes(struct trace_fmt *f, uint64_t addr, uint64_t len, size_t shown)
{
	unsigned char buf[TRACE_PATH_MAX];
	size_t n = len < shown ? (size_t)len : shown;

	if (n > sizeof(buf))
		n = sizeof(buf);
	if (!trace_read(f, addr, buf, n)) {
		trace_pointer(f->c, addr);
		return;
	}
	trace_quoted(f->c, buf, n);
	if (len > n)
		trace_puts(f->c, "...");
}

/* A string may end right before an unmapped page: reads stop at page ends. */
static void string(struct trace_fmt *f, uint64_t addr, size_t shown)
{
	unsigned char buf[TRACE_PATH_MAX + 1];
	size_t have = 0;

	while (have <= shown) {
		size_t n = PAGE_SIZE_MIN - (size_t)((addr + have) % PAGE_SIZE_MIN);
		const unsigned char *end;

		if (n > shown + 1 - have)
			n = shown + 1 - have;
		if (!trace_read(f, addr + have, buf + have, n)) {
			trace_printf(f->c, "%#" PRIx64, addr);
			return;
		}
		end = memchr(buf + have, 0, n);
		if (end != NULL) {
			trace_quoted(f->c, buf, (size_t)(end - buf));
			return;
		}
		have += n;
	}
	trace_quoted(f->c, buf, shown);
	trace_puts(f->c, "...");
}

static void strings(struct trace_fmt *f, uint64_t addr)
{
	uint64_t p;

	for (unsigned i = 0; trace_read(f, addr + 8 * (uint64_t)i, &p, sizeof(p)); i++) {
		if (p == 0) {
			trace_puts(f->c, i == 0 ? "[]" : "]");
			return;
		}
		trace_puts(f->c, i == 0 ? "[" : ", ");
		if (i == 4 * VECTOR_MAX) {
			trace_puts(f->c, "...]");
			return;
		}
		string(f, p, TRACE_STR_MAX);
	}
	trace_printf(f->c, "%#" PRIx64, addr);
}

static void environment(struct trace_fmt *f, uint64_t addr)
{
	unsigned n = 0;
	uint64_t p;

	trace_printf(f->c, "%#" PRIx64, addr);
	while (n < ENV_COUNT_MAX && trace_read(f, addr + 8 * (uint64_t)n, &p, sizeof(p)) && p != 0)
		n++;
	trace_printf(f->c, " /* %u var%s */", n, n == 1 ? "" : "s");
}

/* `bytes` bounds what of the buffers is shown: the result for reads. */
void trace_iovecs(struct trace_fmt *f, uint64_t addr, uint64_t count, uint64_t bytes,
		  bool contents)
{
	uint64_t iov[2];

	if (addr == 0 || (count > 0 && !trace_read(f, addr, iov, sizeof(iov)))) {
		trace_pointer(f->c, addr);
		return;
	}
	trace_puts(f->c, "[");
	for (uint64_t i = 0; i < count; i++) {
		trace_puts(f->c, i > 0 ? ", " : "");
		if (i == TRACE_STR_MAX) {
			trace_puts(f->c, "...");
			break;
		}
		if (!trace_read(f, addr + 16 * i, iov, sizeof(iov))) {
			trace_printf(f->c, "... /* %#" PRIx64 " */", addr + 16 * i);
			break;
		}
		trace_puts(f->c, "{iov_base=");
		if (contents && iov[0] != 0)
			trace_bytes(f, iov[0], iov[1] < bytes ? iov[1] : bytes, TRACE_STR_MAX);
		else
			trace_pointer(f->c, iov[0]);
		trace_printf(f->c, ", iov_len=%" PRIu64 "}", iov[1]);
		bytes -= iov[1] < bytes ? iov[1] : bytes;
	}
	trace_puts(f->c, "]");
}

static void mmsghdrs(struct trace_fmt *f, uint64_t addr, uint64_t count)
{
	trace_puts(f->c, "[");
	for (uint64_t i = 0; i < count && i < 4 * VECTOR_MAX; i++) {
		uint32_t len = 0;

		trace_puts(f->c, i > 0 ? ", {msg_hdr=" : "{msg_hdr=");
		if (f->exiting)
			(void)trace_read(f, addr + 64 * i + 56, &len, sizeof(len));
		trace_msghdr(f, addr + 64 * i, f->exiting ? len : UINT64_MAX);
		if (f->exiting)
			trace_printf(f->c, ", msg_len=%u", (unsigned)len);
		trace_puts(f->c, "}");
	}
	trace_puts(f->c, count > 4 * VECTOR_MAX ? ", ...]" : "]");
}

static void groups(struct trace_fmt *f, uint64_t addr, uint64_t count)
{
	uint32_t ids[4 * VECTOR_MAX];
	size_t n = count < 4 * VECTOR_MAX ? (size_t)count : 4 * VECTOR_MAX;

	if (!trace_read(f, addr, ids, n * sizeof(ids[0]))) {
		trace_printf(f->c, "%#" PRIx64, addr);
		return;
	}
	for (size_t i = 0; i < n; i++)
		trace_printf(f->c, "%s%u", i > 0 ? ", " : "[", (unsigned)ids[i]);
	trace_puts(f->c, n == 0 ? "[]" : count > n ? ", ...]" : "]");
}

static void cpumask(struct trace_fmt *f, uint64_t addr, uint64_t len)
{
	unsigned char bits[128];
	size_t n = len < sizeof(bits) ? (size_t)len : sizeof(bits);
	const char *sep = "";

	if (!trace_read(f, addr, bits, n)) {
		trace_printf(f->c, "%#" PRIx64, addr);
		return;
	}
	trace_puts(f->c, "[");
	for (size_t i = 0; i < n * 8; i++) {
		if (bits[i / 8] >> (i % 8) & 1) {
			trace_printf(f->c, "%s%zu", sep, i);
			sep = " ";
		}
	}
	trace_puts(f->c, "]");
}

/* Kinds whose size lies in a neighbour or in the result. False: not one of them. */
static bool counted(struct trace_fmt *f, enum arg_kind kind, uint64_t v)
{
	uint64_t result = f->result > 0 ? (uint64_t)f->result : 0;

	if (kind == ARG_KIND_buf_in)
		trace_bytes(f, v, trace_neighbour(f, 1), TRACE_STR_MAX);
	else if (kind == ARG_KIND_buf_out)
		trace_bytes(f, v, result, TRACE_STR_MAX);
	else if (kind == ARG_KIND_buf_out_str)
		trace_bytes(f, v, result > 0 ? result - 1 : 0, TRACE_PATH_MAX);
	else if (kind == ARG_KIND_iovec_in || kind == ARG_KIND_iovec_addr)
		trace_iovecs(f, v, trace_neighbour(f, 1), UINT64_MAX, kind == ARG_KIND_iovec_in);
	else if (kind == ARG_KIND_iovec_out)
		trace_iovecs(f, v, trace_neighbour(f, 1), result, f->result >= 0);
	else if (kind == ARG_KIND_msghdr_in || kind == ARG_KIND_msghdr_out)
		trace_msghdr(f, v, kind == ARG_KIND_msghdr_in ? UINT64_MAX : result);
	else if (kind == ARG_KIND_mmsghdr_in || kind == ARG_KIND_mmsghdr_out)
		mmsghdrs(f, v, kind == ARG_KIND_mmsghdr_out ? result : trace_neighbour(f, 1));
	else if (kind == ARG_KIND_groups_in)
		groups(f, v, trace_neighbour(f, -1));
	else if (kind == ARG_KIND_groups_out)
		groups(f, v, trace_neighbour(f, -1) > 0 ? result : 0);
	else if (kind == ARG_KIND_cpumask_in)
		cpumask(f, v, trace_neighbour(f, -1));
	else if (kind == ARG_KIND_cpumask_out)
		cpumask(f, v, result);
	else
		return false;
	return true;
}

/* wait4 and the like with WNOHANG. */
static bool nothing_waited(const struct trace_fmt *f, enum arg_kind kind)
{
	return f->result == 0 && kind == ARG_KIND_out_wstatus;
}

static void pointer(struct trace_fmt *f, enum arg_kind kind, uint64_t v)
{
	enum arg_dir dir = arg_kind_info(kind)->dir;
	bool is_out = dir == ARG_DIR_OUT || kind == ARG_KIND_msghdr_out ||
		      kind == ARG_KIND_mmsghdr_out;

	if (v == 0)
		trace_puts(f->c, "NULL");
	else if (is_out && (f->result < 0 || nothing_waited(f, kind))) /* nothing was stored */
		trace_printf(f->c, "%#" PRIx64, v);
	else if (kind == ARG_KIND_path)
		string(f, v, TRACE_PATH_MAX);
	else if (kind == ARG_KIND_str)
		string(f, v, TRACE_STR_MAX);
	else if (kind == ARG_KIND_strv)
		strings(f, v);
	else if (kind == ARG_KIND_envv)
		environment(f, v);
	else if (!counted(f, kind, v) && !trace_struct(f, kind, v))
		trace_printf(f->c, "%#" PRIx64, v);
}

static void ipc_flags(struct trace_call *c, uint64_t v)
{
	static const struct named bits[] = {
		{ 01000, "IPC_CREAT" }, { 02000, "IPC_EXCL" }, { 04000, "IPC_NOWAIT" },
	};

	if (v & ~UINT64_C(0777)) {
		trace_bits(c, TRACE_NAMES(bits), v & ~UINT64_C(0777), NULL, NULL);
		trace_puts(c, "|");
	}
	trace_printf(c, "%#03o", (unsigned)(v & 0777));
}

static void number(struct trace_fmt *f, enum arg_kind kind, uint64_t v)
{
	struct trace_call *c = f->c;

	if (kind == ARG_KIND_dirfd && (int32_t)v == -100)
		trace_puts(c, "AT_FDCWD");
	else if (kind == ARG_KIND_signal)
		trace_signal(c, (int32_t)v);
	else if (kind == ARG_KIND_mode || kind == ARG_KIND_umode)
		trace_printf(c, "%#03o", (unsigned)v);
	else if (kind == ARG_KIND_dev)
		trace_printf(c, "makedev(%#x, %#x)", (unsigned)(v >> 8 & 0xfff),
			     (unsigned)((v & 0xff) | (v >> 12 & 0xfff00)));
	else if ((kind == ARG_KIND_uid || kind == ARG_KIND_gid) && (uint32_t)v == UINT32_MAX)
		trace_puts(c, "-1");
	else if (kind == ARG_KIND_key && v == 0)
		trace_puts(c, "IPC_PRIVATE");
	else if (kind == ARG_KIND_key)
		trace_printf(c, "%#x", (unsigned)v);
	else if (kind == ARG_KIND_ipc_flags)
		ipc_flags(c, v);
	else if (kind == ARG_KIND_addr && v == 0)
		trace_puts(c, "NULL");
	else if (kind == ARG_KIND_addr || kind == ARG_KIND_x64 || kind == ARG_KIND_x32 ||
		 kind == ARG_KIND_flags32 || kind == ARG_KIND_flags64)
		trace_printf(c, "%#" PRIx64, v);
	else if (arg_kind_info(kind)->class == ARG_CLASS_I32 ||
		 arg_kind_info(kind)->class == ARG_CLASS_I64)
		trace_printf(c, "%" PRId64, (int64_t)v);
	else
		trace_printf(c, "%" PRIu64, v);
}

uint64_t trace_narrow(enum arg_class class, uint64_t reg)
{
	if (class == ARG_CLASS_I32)
		return (uint64_t)(int64_t)(int32_t)(uint32_t)reg;
	if (class == ARG_CLASS_U32)
		return (uint32_t)reg;
	if (class == ARG_CLASS_U16)
		return (uint16_t)reg;
	return reg;
}

/* open's mode and friends mean something only if a file may be made. */
static bool is_idle_mode(const struct trace_fmt *f, enum arg_kind kind)
{
	return kind == ARG_KIND_umode && f->arg > 0 &&
	       f->c->desc->args[f->arg - 1].kind == ARG_KIND_o_flags &&
	       (f->c->regs[f->arg - 1] & (0100 | 020000000)) == 0;
}

void trace_arg(struct trace_fmt *f, enum arg_kind kind, uint64_t reg)
{
	enum arg_class class = arg_kind_info(kind)->class;
	uint64_t v = trace_narrow(class, reg);

	if (is_idle_mode(f, kind)) {
		/* The separator is there already. */
		if (!f->c->cut)
			f->c->len -= 2;
	} else if (class == ARG_CLASS_PTR) {
		pointer(f, kind, v);
	} else if (trace_is_symbolic(kind)) {
		trace_symbolic(f->c, kind, v);
	} else {
		number(f, kind, v);
	}
}
