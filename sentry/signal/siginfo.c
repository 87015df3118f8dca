/* siginfo_t: between the kernel's form and the guest's 128 bytes. Which member of the
 * union is meant follows from signal and code, as in Linux's siginfo_layout(). */
#include <string.h>

#include "sentry/signal/signal_impl.h"

enum layout { L_KILL, L_TIMER, L_POLL, L_FAULT, L_CHLD, L_RT, L_SYS };

static enum layout layout_of(int signo, int code)
{
	if (code > LX_SI_USER && code < LX_SI_KERNEL) {
		switch (signo) {
		case LX_SIGILL:
		case LX_SIGFPE:
		case LX_SIGSEGV:
		case LX_SIGBUS:
		case LX_SIGTRAP:
			return L_FAULT;
		case LX_SIGCHLD:
			return L_CHLD;
		case LX_SIGIO:
			return L_POLL;
		case LX_SIGSYS:
			return L_SYS;
		default:
			return code <= LX_NSIGPOLL ? L_POLL : L_KILL;
		}
	}
	if (code == LX_SI_TIMER)
		return L_TIMER;
	if (code == LX_SI_SIGIO)
		return L_POLL;
	return code < 0 && code != LX_SI_TKILL ? L_RT : L_KILL;
}

void siginfo_encode(const struct ksiginfo *in, uint8_t out[128])
{
	struct lx_siginfo s;

	memset(&s, 0, sizeof(s));
	s.signo = in->signo;
	s.err = in->errno_;
	s.code = in->code;
	if (in->is_raw) {
		memcpy(out, &s, sizeof(s));
		memcpy(out + 16, in->raw, sizeof(in->raw));
		return;
	}
	switch (in->child ? L_CHLD : layout_of(in->signo, in->code)) {
	case L_KILL:
	case L_RT:
		s.u.rt.pid = in->pid;
		s.u.rt.uid = in->uid;
		s.u.rt.value = in->value;
		break;
	case L_TIMER:
		s.u.timer.tid = in->timerid;
		s.u.timer.overrun = in->overrun;
		s.u.timer.value = in->value;
		break;
	case L_POLL:
		s.u.poll.band = in->band;
		s.u.poll.fd = in->fd;
		break;
	case L_FAULT:
		s.u.fault.addr = in->addr;
		s.u.fault.addr_lsb = (int16_t)in->addr_lsb;
		break;
	case L_CHLD:
		s.u.chld.pid = in->pid;
		s.u.chld.uid = in->uid;
		s.u.chld.status = in->status;
		s.u.chld.utime = in->utime;
		s.u.chld.stime = in->stime;
		break;
	case L_SYS:
		s.u.sys.call_addr = in->call_addr;
		s.u.sys.syscall = in->syscall;
		s.u.sys.arch = in->arch;
		break;
	}
	memcpy(out, &s, sizeof(s));
}

/* Codes whose layout Linux knows (known_siginfo_layout()): it lets the rest be anything. */
static bool layout_known(int signo, int code)
{
	static const struct { int signo, codes; } limits[] = {
		{ LX_SIGILL, 11 }, { LX_SIGFPE, 15 }, { LX_SIGSEGV, 10 }, { LX_SIGBUS, 5 },
		{ LX_SIGTRAP, 6 }, { LX_SIGCHLD, 6 }, { LX_SIGIO, LX_NSIGPOLL }, { LX_SIGSYS, 2 },
	};

	if (code == LX_SI_KERNEL)
		return true;
	if (code <= LX_SI_USER)
		return code >= LX_SI_DETHREAD || code == LX_SI_ASYNCNL;
	for (unsigned i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
		if (limits[i].signo == signo && code <= limits[i].codes)
			return true;
	return code <= LX_NSIGPOLL;
}

int siginfo_decode(struct ksiginfo *out, const uint8_t in[128])
{
	struct lx_siginfo s;

	memcpy(&s, in, sizeof(s));
	memset(out, 0, sizeof(*out));
	for (unsigned i = 16 + sizeof(out->raw); i < 128 && !layout_known(s.signo, s.code); i++)
		if (in[i])
			return -LX_E2BIG;
	out->is_raw = true;
	memcpy(out->raw, in + 16, sizeof(out->raw));
	out->signo = s.signo;
	out->errno_ = s.err;
	out->code = s.code;
	switch (layout_of(s.signo, s.code)) {
	case L_KILL:
	case L_RT:
		out->pid = s.u.rt.pid;
		out->uid = s.u.rt.uid;
		out->value = s.u.rt.value;
		break;
	case L_TIMER:
		out->timerid = s.u.timer.tid;
		out->overrun = s.u.timer.overrun;
		out->value = s.u.timer.value;
		break;
	case L_POLL:
		out->band = (int32_t)s.u.poll.band;
		out->fd = s.u.poll.fd;
		break;
	case L_FAULT:
		out->addr = s.u.fault.addr;
		out->addr_lsb = (uint16_t)s.u.fault.addr_lsb;
		break;
	case L_CHLD:
		out->pid = s.u.chld.pid;
		out->uid = s.u.chld.uid;
		out->status = s.u.chld.status;
		out->utime = s.u.chld.utime;
		out->stime = s.u.chld.stime;
		break;
	case L_SYS:
		out->call_addr = s.u.sys.call_addr;
		out->syscall = s.u.sys.syscall;
		out->arch = s.u.sys.arch;
		break;
	}
	return 0;
}

void siginfo_init_user(struct ksiginfo *info, const struct task *t, int signo, int code)
{
	memset(info, 0, sizeof(*info));
	info->signo = signo;
	info->code = code;
	info->pid = t->tg->tgid;
	info->uid = t->cred->uid;
}
