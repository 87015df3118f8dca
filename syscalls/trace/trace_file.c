/*
 * Calls on descriptors whose arguments hang on a command or on each other: fcntl,
 * ioctl, poll and select, mount, directory entries.
 */
#include <inttypes.h>
#include <string.h>

#include "syscalls/trace/trace_impl.h"

#define POLLFDS_MAX 32

static void hex_or_zero(struct trace_call *c, uint64_t v)
{
	trace_printf(c, v ? "%#" PRIx64 : "%" PRIx64, v);
}

/* ---- fcntl ---- */

static const struct named fd_bits[] = { { 1, "FD_CLOEXEC" } };
static const struct named lock_types[] = { { 0, "F_RDLCK" }, { 1, "F_WRLCK" }, { 2, "F_UNLCK" } };
static const struct named seals[] = {
	{ 1, "F_SEAL_SEAL" }, { 2, "F_SEAL_SHRINK" }, { 4, "F_SEAL_GROW" },
	{ 8, "F_SEAL_WRITE" }, { 0x10, "F_SEAL_FUTURE_WRITE" }, { 0x20, "F_SEAL_EXEC" },
};
static const struct named owner_types[] = {
	{ 0, "F_OWNER_TID" }, { 1, "F_OWNER_PID" }, { 2, "F_OWNER_PGRP" },
};

static void flock_struct(struct trace_fmt *f, uint64_t addr, bool get)
{
	struct {
		int16_t type, whence;
		int32_t pad;
		int64_t start, len;
		int32_t pid, pad2;
	} l;
	struct trace_call *c = f->c;

	if (!trace_read(f, addr, &l, sizeof(l))) {
		trace_pointer(c, addr);
		return;
	}
	trace_puts(c, "{l_type=");
	trace_enum(c, TRACE_NAMES(lock_types), (uint16_t)l.type, "F_???");
	trace_puts(c, ", l_whence=");
	trace_symbolic(c, ARG_KIND_whence, (uint64_t)(int64_t)l.whence);
	trace_printf(c, ", l_start=%" PRId64 ", l_len=%" PRId64, l.start, l.len);
	if (get)
		trace_printf(c, ", l_pid=%d", (int)l.pid);
	trace_puts(c, "}");
}

static TRACE_FN(fcntl_lock)
{
	uint32_t cmd = (uint32_t)f->c->regs[1];
	bool get = cmd == 5 || cmd == 36;

	if (get && !f->exiting)
		return TRACE_LATER;
	if (get && f->result < 0)
		trace_pointer(f->c, v);
	else
		flock_struct(f, v, get);
	return TRACE_LAST;
}

static TRACE_FN(fcntl_owner)
{
	uint32_t o[2];

	if ((uint32_t)f->c->regs[1] == 16 && !f->exiting)
		return TRACE_LATER;
	if (!trace_read(f, v, o, sizeof(o))) {
		trace_pointer(f->c, v);
		return TRACE_LAST;
	}
	trace_puts(f->c, "{type=");
	trace_enum(f->c, TRACE_NAMES(owner_types), o[0], "F_OWNER_???");
	trace_printf(f->c, ", pid=%d}", (int)o[1]);
	return TRACE_LAST;
}

TRACE_FN(trace_fcntl)
{
	struct trace_call *c = f->c;

	if (f->arg < 2)
		return TRACE_BY_KIND;
	switch ((uint32_t)c->regs[1]) {
	case 1: case 3: case 9: case 11: case 1025: case 1032: case 1034:
		return TRACE_NO_MORE;
	case 0: case 1030: case 8: case 1031: case 1027:
		trace_printf(c, "%d", (int)v);
		return TRACE_LAST;
	case 2:
		trace_bits(c, TRACE_NAMES(fd_bits), v, NULL, "FD_???");
		return TRACE_LAST;
	case 4:
		trace_symbolic(c, ARG_KIND_o_flags, v);
		return TRACE_LAST;
	case 10:
		trace_signal(c, (int)v);
		return TRACE_LAST;
	case 1024:
		trace_enum(c, TRACE_NAMES(lock_types), v, "F_???");
		return TRACE_LAST;
	case 1033:
		trace_bits(c, TRACE_NAMES(seals), v, NULL, "F_SEAL_???");
		return TRACE_LAST;
	case 5: case 6: case 7: case 36: case 37: case 38:
		return fcntl_lock(f, v);
	case 15: case 16:
		return fcntl_owner(f, v);
	default:
		hex_or_zero(c, v);
		return TRACE_LAST;
	}
}

void trace_fcntl_result(struct trace_fmt *f)
{
	struct trace_call *c = f->c;
	uint64_t r = (uint64_t)f->result;

	switch ((uint32_t)c->regs[1]) {
	case 1:
		hex_or_zero(c, r);
		if (r != 0) {
			trace_puts(c, " (flags ");
			trace_bits(c, TRACE_NAMES(fd_bits), r, NULL, NULL);
			trace_puts(c, ")");
		}
		break;
	case 3:
		hex_or_zero(c, r);
		trace_puts(c, " (flags ");
		trace_symbolic(c, ARG_KIND_o_flags, r);
		trace_puts(c, ")");
		break;
	case 1034:
		hex_or_zero(c, r);
		if (r != 0) {
			trace_puts(c, " (seals ");
			trace_bits(c, TRACE_NAMES(seals), r, NULL, NULL);
			trace_puts(c, ")");
		}
		break;
	case 11:
		trace_printf(c, "%ld", f->result);
		if (r != 0) {
			trace_puts(c, " (");
			trace_signal(c, (int)r);
			trace_puts(c, ")");
		}
		break;
	case 1025:
		hex_or_zero(c, r);
		trace_puts(c, " (");
		trace_enum(c, TRACE_NAMES(lock_types), r, "F_???");
		trace_puts(c, ")");
		break;
	default:
		trace_printf(c, "%ld", f->result);
	}
}

/* ---- ioctl ---- */

static const struct named iflags[] = {
	{ 1, "IGNBRK" }, { 2, "BRKINT" }, { 4, "IGNPAR" }, { 8, "PARMRK" }, { 0x10, "INPCK" },
	{ 0x20, "ISTRIP" }, { 0x40, "INLCR" }, { 0x80, "IGNCR" }, { 0x100, "ICRNL" },
	{ 0x200, "IUCLC" }, { 0x400, "IXON" }, { 0x800, "IXANY" }, { 0x1000, "IXOFF" },
	{ 0x2000, "IMAXBEL" }, { 0x4000, "IUTF8" },
};
static const struct named oflags[] = {
	{ 1, "OPOST" }, { 2, "OLCUC" }, { 4, "ONLCR" }, { 8, "OCRNL" }, { 0x10, "ONOCR" },
	{ 0x20, "ONLRET" }, { 0x40, "OFILL" }, { 0x80, "OFDEL" },
};
static const struct named speeds[] = {
	{ 0, "B0" }, { 1, "B50" }, { 2, "B75" }, { 3, "B110" }, { 4, "B134" }, { 5, "B150" },
	{ 6, "B200" }, { 7, "B300" }, { 8, "B600" }, { 9, "B1200" }, { 10, "B1800" },
	{ 11, "B2400" }, { 12, "B4800" }, { 13, "B9600" }, { 14, "B19200" }, { 15, "B38400" },
	{ 0x1000, "BOTHER" }, { 0x1001, "B57600" }, { 0x1002, "B115200" }, { 0x1003, "B230400" },
	{ 0x1004, "B460800" }, { 0x1005, "B500000" }, { 0x1007, "B921600" },
};
static const struct named lflags[] = {
	{ 1, "ISIG" }, { 2, "ICANON" }, { 4, "XCASE" }, { 8, "ECHO" }, { 0x10, "ECHOE" },
	{ 0x20, "ECHOK" }, { 0x40, "ECHONL" }, { 0x80, "NOFLSH" }, { 0x8000, "IEXTEN" },
	{ 0x100, "TOSTOP" },
	{ 0x200, "ECHOCTL" }, { 0x400, "ECHOPRT" }, { 0x800, "ECHOKE" }, { 0x1000, "FLUSHO" },
	{ 0x4000, "PENDIN" }, { 0x10000, "EXTPROC" },
};
static const struct named cflags[] = {
	{ 0x40, "CSTOPB" }, { 0x80, "CREAD" }, { 0x100, "PARENB" }, { 0x200, "PARODD" },
	{ 0x400, "HUPCL" }, { 0x800, "CLOCAL" }, { 0x80000000, "CRTSCTS" },
};

/* The fields that name what a terminal does; special characters are left out. */
static void termios(struct trace_call *c, const uint32_t t[4])
{
	static const char *const sizes[4] = { "CS5", "CS6", "CS7", "CS8" };
	uint64_t rest = t[2] & ~UINT64_C(0x100f0030) & ~UINT64_C(0x100f);

	trace_puts(c, "{c_iflag=");
	trace_bits(c, TRACE_NAMES(iflags), t[0], "", NULL);
	trace_puts(c, ", c_oflag=NL0|CR0|TAB0|BS0|VT0|FF0");
	if (t[1] != 0) {
		trace_puts(c, "|");
		trace_bits(c, TRACE_NAMES(oflags), t[1], NULL, NULL);
	}
	trace_puts(c, ", c_cflag=");
	trace_enum(c, TRACE_NAMES(speeds), t[2] & 0x100f, NULL);
	trace_printf(c, "|%s", sizes[t[2] >> 4 & 3]);
	if (rest != 0) {
		trace_puts(c, "|");
		trace_bits(c, TRACE_NAMES(cflags), rest, NULL, NULL);
	}
	trace_puts(c, ", c_lflag=");
	trace_bits(c, TRACE_NAMES(lflags), t[3], "", NULL);
	trace_puts(c, ", ...}");
}

/* What an ioctl's argument leads to. */
enum ioctl_form { FORM_NONE, FORM_INT, FORM_TERMIOS, FORM_WINSIZE, FORM_NUMBER };

static const struct {
	uint32_t cmd;
	uint8_t form;
	bool in; /* shown as it was at entry */
} ioctls[] = {
	{ 0x5401, FORM_TERMIOS, false }, /* TCGETS */
	{ 0x5402, FORM_TERMIOS, true },	 /* TCSETS, TCSETSW, TCSETSF */
	{ 0x5403, FORM_TERMIOS, true },
	{ 0x5404, FORM_TERMIOS, true },
	{ 0x5409, FORM_NUMBER, true },	 /* TCSBRK */
	{ 0x540a, FORM_NUMBER, true },	 /* TCXONC */
	{ 0x540b, FORM_NUMBER, true },	 /* TCFLSH */
	{ 0x540e, FORM_NUMBER, true },	 /* TIOCSCTTY */
	{ 0x540f, FORM_INT, false },	 /* TIOCGPGRP */
	{ 0x5410, FORM_INT, true },	 /* TIOCSPGRP */
	{ 0x5413, FORM_WINSIZE, false }, /* TIOCGWINSZ */
	{ 0x5414, FORM_WINSIZE, true },	 /* TIOCSWINSZ */
	{ 0x541b, FORM_INT, false },	 /* FIONREAD */
	{ 0x5421, FORM_INT, true },	 /* FIONBIO */
	{ 0x5422, FORM_NONE, true },	 /* TIOCNOTTY */
	{ 0x5429, FORM_INT, false },	 /* TIOCGSID */
	{ 0x80045430, FORM_INT, false }, /* TIOCGPTN */
	{ 0x40045431, FORM_INT, true },	 /* TIOCSPTLCK */
	{ 0x5441, FORM_NUMBER, true },	 /* TIOCGPTPEER */
	{ 0x5450, FORM_NONE, true },	 /* FIONCLEX */
	{ 0x5451, FORM_NONE, true },	 /* FIOCLEX */
	{ 0x5452, FORM_INT, true },	 /* FIOASYNC */
	{ 0x40049409, FORM_NUMBER, true }, /* FICLONE */
};

static const struct named flush_queues[] = {
	{ 0, "TCIFLUSH" }, { 1, "TCOFLUSH" }, { 2, "TCIOFLUSH" },
};
static const struct named flow_actions[] = {
	{ 0, "TCOOFF" }, { 1, "TCOON" }, { 2, "TCIOFF" }, { 3, "TCION" },
};

static TRACE_FN(ioctl_form)
{
	uint32_t words[4];
	uint16_t ws[4];
	struct trace_call *c = f->c;
	enum ioctl_form form = FORM_NONE;

	for (size_t i = 0; i < sizeof(ioctls) / sizeof(ioctls[0]); i++) {
		if (ioctls[i].cmd != (uint32_t)c->regs[1])
			continue;
		form = ioctls[i].form;
		if (form == FORM_NONE)
			return TRACE_NO_MORE;
		if (!ioctls[i].in && !f->exiting)
			return TRACE_LATER;
		if (!ioctls[i].in && f->result < 0)
			form = FORM_NONE;
	}
	if (form == FORM_NUMBER && (uint32_t)c->regs[1] == 0x540b)
		trace_enum(c, TRACE_NAMES(flush_queues), (uint32_t)v, "TC???");
	else if (form == FORM_NUMBER && (uint32_t)c->regs[1] == 0x540a)
		trace_enum(c, TRACE_NAMES(flow_actions), (uint32_t)v, "TC???");
	else if (form == FORM_NUMBER)
		trace_printf(c, "%d", (int)v);
	else if (form == FORM_INT && trace_read(f, v, words, 4))
		trace_printf(c, "[%d]", (int)words[0]);
	else if (form == FORM_TERMIOS && trace_read(f, v, words, sizeof(words)))
		termios(c, words);
	else if (form == FORM_WINSIZE && trace_read(f, v, ws, sizeof(ws)))
		trace_printf(c, "{ws_row=%u, ws_col=%u, ws_xpixel=%u, ws_ypixel=%u}", ws[0], ws[1],
			     ws[2], ws[3]);
	else
		hex_or_zero(c, v);
	return TRACE_LAST;
}

/* A request without a name, as the _IOC macro makes it. */
static void ioctl_odd(struct trace_call *c, uint32_t cmd)
{
	static const char *const dirs[4] = { "_IOC_NONE", "_IOC_WRITE", "_IOC_READ",
					     "_IOC_READ|_IOC_WRITE" };

	trace_printf(c, "_IOC(%s, %#x, ", dirs[cmd >> 30], cmd >> 8 & 0xff);
	hex_or_zero(c, cmd & 0xff);
	trace_puts(c, ", ");
	hex_or_zero(c, cmd >> 16 & 0x3fff);
	trace_puts(c, ")");
}

TRACE_FN(trace_ioctl)
{
	if (f->arg == 1 && !trace_ioctl_named((uint32_t)v)) {
		ioctl_odd(f->c, (uint32_t)v);
		return TRACE_DONE;
	}
	return f->arg < 2 ? TRACE_BY_KIND : ioctl_form(f, v);
}

/* ---- poll and select ---- */

static const struct named poll_bits[] = {
	{ 1, "POLLIN" }, { 2, "POLLPRI" }, { 4, "POLLOUT" }, { 0x40, "POLLRDNORM" },
	{ 0x80, "POLLRDBAND" }, { 0x100, "POLLWRNORM" }, { 0x200, "POLLWRBAND" },
	{ 0x400, "POLLMSG" }, { 0x2000, "POLLRDHUP" }, { 8, "POLLERR" }, { 0x10, "POLLHUP" },
	{ 0x20, "POLLNVAL" },
};

struct pollfd_guest {
	int32_t fd;
	uint16_t events, revents;
};

TRACE_FN(trace_poll)
{
	struct pollfd_guest p;
	uint32_t count = (uint32_t)f->c->regs[1];
	struct trace_call *c = f->c;

	if (f->arg == 1) {
		trace_printf(c, "%u", (unsigned)count);
		return TRACE_DONE;
	}
	if (f->arg != 0 || v == 0)
		return TRACE_BY_KIND;
	trace_puts(c, "[");
	for (uint32_t i = 0; i < count; i++) {
		trace_puts(c, i ? ", " : "");
		if (i == POLLFDS_MAX) {
			trace_puts(c, "...");
			break;
		}
		if (!trace_read(f, v + 8 * (uint64_t)i, &p, sizeof(p))) {
			if (i == 0 && !c->cut) {
				c->len--;
				trace_pointer(c, v);
				return TRACE_DONE;
			}
			trace_printf(c, "... /* %#" PRIx64 " */", v + 8 * (uint64_t)i);
			break;
		}
		trace_printf(c, "{fd=%d", (int)p.fd);
		if (p.fd >= 0) {
			trace_puts(c, ", events=");
			trace_bits(c, TRACE_NAMES(poll_bits), p.events, NULL, "POLL???");
		}
		trace_puts(c, "}");
	}
	trace_puts(c, "]");
	return TRACE_DONE;
}

/* ppoll and pselect6 leave what was not waited for. */
static void time_left(struct trace_fmt *f, uint64_t addr, const char *head, const char *fraction)
{
	if (addr == 0)
		return;
	trace_puts(f->c, head);
	trace_timespec_at(f, addr, fraction);
}

void trace_poll_result(struct trace_fmt *f)
{
	bool is_ppoll = f->c->desc->nargs == 5;
	struct trace_call *c = f->c;
	struct pollfd_guest p;
	const char *sep = "";
	unsigned shown = 0;

	if (f->result == 0) {
		trace_puts(c, "0 (Timeout)");
		return;
	}
	trace_printf(c, "%ld ([", f->result);
	for (uint32_t i = 0; i < (uint32_t)c->regs[1] && shown < POLLFDS_MAX; i++) {
		if (!trace_read(f, c->regs[0] + 8 * (uint64_t)i, &p, sizeof(p)))
			break;
		if (p.revents == 0)
			continue;
		trace_printf(c, "%s{fd=%d, revents=", sep, (int)p.fd);
		trace_bits(c, TRACE_NAMES(poll_bits), p.revents, NULL, "POLL???");
		trace_puts(c, "}");
		sep = ", ";
		shown++;
	}
	trace_puts(c, "]");
	if (is_ppoll)
		time_left(f, c->regs[2], ", left ", "tv_nsec");
	trace_puts(c, ")");
}

static bool fd_set_at(struct trace_fmt *f, uint64_t addr)
{
	int32_t n = (int32_t)f->c->regs[0];
	uint32_t count = n < 0 ? 0 : n > 1024 ? 1024 : (uint32_t)n;
	unsigned char bits[128] = { 0 };
	const char *sep = "";

	if (addr == 0 || !trace_read(f, addr, bits, (count + 7) / 8))
		return false;
	trace_puts(f->c, "[");
	for (uint32_t i = 0; i < count; i++) {
		if ((bits[i / 8] >> (i % 8) & 1) == 0)
			continue;
		trace_printf(f->c, "%s%u", sep, (unsigned)i);
		sep = " ";
	}
	trace_puts(f->c, "]");
	return true;
}

/* pselect6's last argument leads to a pointer and a size. */
static void sigmask_pair(struct trace_fmt *f, uint64_t addr)
{
	uint64_t pair[2], set;

	if (!trace_read(f, addr, pair, sizeof(pair))) {
		trace_pointer(f->c, addr);
		return;
	}
	trace_puts(f->c, "{sigmask=");
	if (pair[1] == 8 && pair[0] != 0 && trace_read(f, pair[0], &set, sizeof(set)))
		trace_f_sigset(f->c, set);
	else
		trace_pointer(f->c, pair[0]);
	trace_printf(f->c, ", sigsetsize=%" PRIu64 "}", pair[1]);
}

TRACE_FN(trace_select)
{
	if (f->arg == 0)
		return TRACE_BY_KIND;
	if (f->arg == 5) {
		sigmask_pair(f, v);
		return TRACE_DONE;
	}
	if (f->arg == 4)
		return TRACE_BY_KIND;
	if (!fd_set_at(f, v))
		trace_pointer(f->c, v);
	return TRACE_DONE;
}

static bool any_bit(struct trace_fmt *f, uint64_t addr)
{
	int32_t n = (int32_t)f->c->regs[0];
	uint32_t count = n < 0 ? 0 : n > 1024 ? 1024 : (uint32_t)n;
	unsigned char bits[128] = { 0 };

	if (addr == 0 || !trace_read(f, addr, bits, (count + 7) / 8))
		return false;
	for (uint32_t i = 0; i < count; i++)
		if (bits[i / 8] >> (i % 8) & 1)
			return true;
	return false;
}

void trace_select_result(struct trace_fmt *f)
{
	static const char *const names[3] = { "in ", "out ", "except " };
	bool is_pselect = f->c->desc->nargs == 6;
	struct trace_call *c = f->c;
	const char *sep = " (";

	if (f->result == 0) {
		trace_puts(c, "0 (Timeout)");
		return;
	}
	trace_printf(c, "%ld", f->result);
	for (unsigned i = 0; i < 3; i++) {
		if (!any_bit(f, c->regs[1 + i]))
			continue;
		trace_printf(c, "%s%s", sep, names[i]);
		(void)fd_set_at(f, c->regs[1 + i]);
		sep = ", ";
	}
	if (c->regs[4] != 0)
		time_left(f, c->regs[4], *sep == ' ' ? " (left " : ", left ",
			  is_pselect ? "tv_nsec" : "tv_usec");
	trace_puts(c, *sep == ',' || c->regs[4] != 0 ? ")" : "");
}

/* ---- the rest ---- */

TRACE_FN(trace_mount)
{
	uint64_t flags = f->c->regs[3];
	/* Remounts, binds, moves and changes of propagation take no type and no options. */
	bool plain = (flags & 0x1e3020) == 0;

	if (f->arg == 2 && !plain) {
		trace_pointer(f->c, v);
		return TRACE_DONE;
	}
	if (f->arg == 4 && v != 0 && (flags & 0x1e3000) == 0) {
		trace_arg(f, ARG_KIND_str, v);
		return TRACE_DONE;
	}
	if (f->arg == 4) {
		trace_pointer(f->c, v);
		return TRACE_DONE;
	}
	return TRACE_BY_KIND;
}

TRACE_FN(trace_dirents)
{
	uint64_t off = 0, len = f->result > 0 ? (uint64_t)f->result : 0;
	unsigned count = 0;
	uint16_t reclen;

	if (f->arg != 1)
		return TRACE_BY_KIND;
	if (!f->exiting)
		return TRACE_LATER;
	trace_pointer(f->c, v);
	if (f->result < 0)
		return TRACE_DONE;
	while (off + 18 < len && trace_read(f, v + off + 16, &reclen, sizeof(reclen)) && reclen > 0) {
		off += reclen;
		count++;
	}
	trace_printf(f->c, " /* %u entries */", count);
	return TRACE_DONE;
}
