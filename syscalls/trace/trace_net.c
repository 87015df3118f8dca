/*
 * Sockets: addresses, options by level, messages with their control part.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* strerrorname_np */
#endif
#include <inttypes.h>
#include <string.h>

#include "syscalls/trace/trace_impl.h"

#define CONTROL_MAX 4096u
#define FDS_MAX 32u

static uint16_t be16(const unsigned char *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t u32_at(const unsigned char *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* ---- addresses ---- */

/* RFC 5952, as inet_ntop(3) has it. */
static void inet6(struct trace_call *c, const unsigned char *a)
{
	int best = -1, best_len = 1;

	for (int i = 0; i < 8; i++) {
		int n = 0;

		while (i + n < 8 && a[2 * (i + n)] == 0 && a[2 * (i + n) + 1] == 0)
			n++;
		if (n > best_len) {
			best = i;
			best_len = n;
		}
	}
	for (int i = 0; i < 8; i++) {
		if (i == best) {
			trace_puts(c, "::");
			i += best_len - 1;
			continue;
		}
		trace_printf(c, "%s%x", i > 0 && i != best + best_len ? ":" : "",
			     (unsigned)be16(a + 2 * i));
	}
}

static void sun_path(struct trace_call *c, const unsigned char *a, size_t len)
{
	if (len <= 2) {
		return;
	} else if (a[2] == 0 && len > 3) {
		trace_puts(c, ", sun_path=@");
		trace_quoted(c, a + 3, len - 3);
	} else {
		trace_puts(c, ", sun_path=");
		trace_quoted(c, a + 2, strnlen((const char *)a + 2, len - 2));
	}
}

void trace_sockaddr(struct trace_fmt *f, uint64_t addr, uint64_t len)
{
	unsigned char a[128] = { 0 };
	struct trace_call *c = f->c;
	unsigned family;

	if (len > sizeof(a))
		len = sizeof(a);
	if (addr == 0 || len < 2 || !trace_read(f, addr, a, (size_t)len)) {
		trace_pointer(c, addr);
		return;
	}
	family = a[0] | (unsigned)a[1] << 8;
	trace_puts(c, "{sa_family=");
	trace_symbolic(c, ARG_KIND_sock_family, family);
	if (family == 1) {
		sun_path(c, a, (size_t)len);
	} else if (family == 2 && len >= 16) {
		trace_printf(c, ", sin_port=htons(%u), sin_addr=inet_addr(\"%u.%u.%u.%u\")", be16(a + 2),
			     a[4], a[5], a[6], a[7]);
	} else if (family == 10 && len >= 24) {
		trace_printf(c, ", sin6_port=htons(%u), sin6_flowinfo=htonl(%u)", be16(a + 2),
			     (unsigned)__builtin_bswap32(u32_at(a + 4)));
		trace_puts(c, ", inet_pton(AF_INET6, \"");
		inet6(c, a + 8);
		trace_printf(c, "\", &sin6_addr), sin6_scope_id=%u", (unsigned)u32_at(a + 24));
	} else if (family == 16 && len >= 12) {
		trace_printf(c, ", nl_pid=%d, nl_groups=%08x", (int)u32_at(a + 4),
			     (unsigned)u32_at(a + 8));
	} else if (len > 2) {
		trace_puts(c, ", sa_data=");
		trace_quoted(c, a + 2, (size_t)len - 2);
	}
	trace_puts(c, "}");
}

/* accept and friends: an address, and its length before and after. */
TRACE_FN(trace_accept)
{
	enum arg_kind kind = f->c->desc->args[f->arg].kind;
	uint64_t len_at;
	uint32_t now = 0;

	if (kind == ARG_KIND_sockaddr_out) {
		if (!f->exiting)
			return TRACE_LATER;
		len_at = f->c->regs[f->arg + 1];
		if (f->result < 0 || v == 0 || !trace_read(f, len_at, &now, sizeof(now)))
			trace_pointer(f->c, v);
		else if (now == 0)
			trace_pointer(f->c, v);
		else
			trace_sockaddr(f, v, now < f->c->old_len ? now : f->c->old_len);
		return TRACE_DONE;
	}
	if (kind != ARG_KIND_inout_i32 || v == 0)
		return TRACE_BY_KIND;
	if (!f->exiting)
		return TRACE_LATER;
	if (!trace_read(f, v, &now, sizeof(now)))
		trace_pointer(f->c, v);
	else if (f->result < 0 || now == (uint32_t)f->c->old_len)
		trace_printf(f->c, "[%d]", (int)(uint32_t)f->c->old_len);
	else
		trace_printf(f->c, "[%d => %d]", (int)(uint32_t)f->c->old_len, (int)now);
	return TRACE_DONE;
}

/* ---- socket and its protocol ---- */

static const struct named inet_protocols[] = {
	{ 0, "IPPROTO_IP" }, { 1, "IPPROTO_ICMP" }, { 2, "IPPROTO_IGMP" }, { 4, "IPPROTO_IPIP" },
	{ 6, "IPPROTO_TCP" }, { 8, "IPPROTO_EGP" }, { 12, "IPPROTO_PUP" }, { 17, "IPPROTO_UDP" },
	{ 22, "IPPROTO_IDP" }, { 29, "IPPROTO_TP" }, { 33, "IPPROTO_DCCP" },
	{ 41, "IPPROTO_IPV6" }, { 46, "IPPROTO_RSVP" }, { 47, "IPPROTO_GRE" },
	{ 50, "IPPROTO_ESP" }, { 51, "IPPROTO_AH" }, { 58, "IPPROTO_ICMPV6" },
	{ 92, "IPPROTO_MTP" }, { 94, "IPPROTO_BEETPH" }, { 98, "IPPROTO_ENCAP" },
	{ 103, "IPPROTO_PIM" }, { 108, "IPPROTO_COMP" }, { 132, "IPPROTO_SCTP" },
	{ 136, "IPPROTO_UDPLITE" }, { 137, "IPPROTO_MPLS" }, { 143, "IPPROTO_ETHERNET" },
	{ 255, "IPPROTO_RAW" }, { 262, "IPPROTO_MPTCP" },
};
static const struct named netlink_protocols[] = {
	{ 0, "NETLINK_ROUTE" }, { 2, "NETLINK_USERSOCK" }, { 3, "NETLINK_FIREWALL" },
	{ 4, "NETLINK_SOCK_DIAG" }, { 5, "NETLINK_NFLOG" }, { 6, "NETLINK_XFRM" },
	{ 7, "NETLINK_SELINUX" }, { 9, "NETLINK_AUDIT" }, { 10, "NETLINK_FIB_LOOKUP" },
	{ 11, "NETLINK_CONNECTOR" }, { 12, "NETLINK_NETFILTER" }, { 15, "NETLINK_KOBJECT_UEVENT" },
	{ 16, "NETLINK_GENERIC" }, { 21, "NETLINK_CRYPTO" },
};

TRACE_FN(trace_socket)
{
	int family = (int)f->c->regs[0];

	if (f->arg != 2)
		return TRACE_BY_KIND;
	if (f->c->desc->nargs == 4) /* socketpair */
		trace_printf(f->c, "%d", (int)v);
	else if (family == 2 || family == 10)
		trace_enum(f->c, TRACE_NAMES(inet_protocols), (uint32_t)v, "IPPROTO_???");
	else if (family == 16)
		trace_enum(f->c, TRACE_NAMES(netlink_protocols), (uint32_t)v, "NETLINK_???");
	else
		trace_printf(f->c, "%d", (int)v);
	return TRACE_DONE;
}

/* ---- options ---- */

static const struct named so_names[] = {
	{ 1, "SO_DEBUG" }, { 2, "SO_REUSEADDR" }, { 3, "SO_TYPE" }, { 4, "SO_ERROR" },
	{ 5, "SO_DONTROUTE" }, { 6, "SO_BROADCAST" }, { 7, "SO_SNDBUF" }, { 8, "SO_RCVBUF" },
	{ 9, "SO_KEEPALIVE" }, { 10, "SO_OOBINLINE" }, { 11, "SO_NO_CHECK" },
	{ 12, "SO_PRIORITY" }, { 13, "SO_LINGER" }, { 14, "SO_BSDCOMPAT" },
	{ 15, "SO_REUSEPORT" }, { 16, "SO_PASSCRED" }, { 17, "SO_PEERCRED" },
	{ 18, "SO_RCVLOWAT" }, { 19, "SO_SNDLOWAT" }, { 20, "SO_RCVTIMEO_OLD" },
	{ 21, "SO_SNDTIMEO_OLD" }, { 25, "SO_BINDTODEVICE" }, { 26, "SO_ATTACH_FILTER" },
	{ 27, "SO_DETACH_FILTER" }, { 28, "SO_PEERNAME" }, { 29, "SO_TIMESTAMP_OLD" },
	{ 30, "SO_ACCEPTCONN" }, { 31, "SO_PEERSEC" }, { 32, "SO_SNDBUFFORCE" },
	{ 33, "SO_RCVBUFFORCE" }, { 34, "SO_PASSSEC" }, { 35, "SO_TIMESTAMPNS_OLD" },
	{ 36, "SO_MARK" }, { 37, "SO_TIMESTAMPING_OLD" }, { 38, "SO_PROTOCOL" },
	{ 39, "SO_DOMAIN" }, { 40, "SO_RXQ_OVFL" }, { 42, "SO_PEEK_OFF" }, { 43, "SO_NOFCS" },
	{ 44, "SO_LOCK_FILTER" }, { 45, "SO_SELECT_ERR_QUEUE" }, { 46, "SO_BUSY_POLL" },
	{ 47, "SO_MAX_PACING_RATE" }, { 49, "SO_INCOMING_CPU" }, { 50, "SO_ATTACH_BPF" },
	{ 55, "SO_MEMINFO" }, { 56, "SO_INCOMING_NAPI_ID" }, { 57, "SO_COOKIE" },
	{ 59, "SO_PEERGROUPS" }, { 60, "SO_ZEROCOPY" }, { 61, "SO_TXTIME" },
	{ 62, "SO_BINDTOIFINDEX" }, { 63, "SO_TIMESTAMP_NEW" }, { 66, "SO_RCVTIMEO_NEW" },
	{ 67, "SO_SNDTIMEO_NEW" },
};
static const struct named ip_names[] = {
	{ 1, "IP_TOS" }, { 2, "IP_TTL" }, { 3, "IP_HDRINCL" }, { 4, "IP_OPTIONS" },
	{ 6, "IP_RECVOPTS" }, { 7, "IP_RETOPTS" }, { 8, "IP_PKTINFO" }, { 9, "IP_PKTOPTIONS" },
	{ 10, "IP_MTU_DISCOVER" }, { 11, "IP_RECVERR" }, { 12, "IP_RECVTTL" },
	{ 13, "IP_RECVTOS" }, { 14, "IP_MTU" }, { 15, "IP_FREEBIND" }, { 19, "IP_TRANSPARENT" },
	{ 20, "IP_ORIGDSTADDR" }, { 24, "IP_BIND_ADDRESS_NO_PORT" }, { 32, "IP_MULTICAST_IF" },
	{ 33, "IP_MULTICAST_TTL" }, { 34, "IP_MULTICAST_LOOP" }, { 35, "IP_ADD_MEMBERSHIP" },
	{ 36, "IP_DROP_MEMBERSHIP" }, { 50, "IP_UNICAST_IF" },
};
static const struct named ipv6_names[] = {
	{ 1, "IPV6_ADDRFORM" }, { 16, "IPV6_UNICAST_HOPS" }, { 17, "IPV6_MULTICAST_IF" },
	{ 18, "IPV6_MULTICAST_HOPS" }, { 19, "IPV6_MULTICAST_LOOP" },
	{ 20, "IPV6_ADD_MEMBERSHIP" }, { 21, "IPV6_DROP_MEMBERSHIP" }, { 23, "IPV6_MTU_DISCOVER" },
	{ 24, "IPV6_MTU" }, { 25, "IPV6_RECVERR" }, { 26, "IPV6_V6ONLY" },
	{ 49, "IPV6_RECVPKTINFO" }, { 50, "IPV6_PKTINFO" }, { 51, "IPV6_RECVHOPLIMIT" },
	{ 52, "IPV6_HOPLIMIT" }, { 66, "IPV6_RECVTCLASS" }, { 67, "IPV6_TCLASS" },
};
static const struct named tcp_names[] = {
	{ 1, "TCP_NODELAY" }, { 2, "TCP_MAXSEG" }, { 3, "TCP_CORK" }, { 4, "TCP_KEEPIDLE" },
	{ 5, "TCP_KEEPINTVL" }, { 6, "TCP_KEEPCNT" }, { 7, "TCP_SYNCNT" }, { 8, "TCP_LINGER2" },
	{ 9, "TCP_DEFER_ACCEPT" }, { 10, "TCP_WINDOW_CLAMP" }, { 11, "TCP_INFO" },
	{ 12, "TCP_QUICKACK" }, { 13, "TCP_CONGESTION" }, { 14, "TCP_MD5SIG" },
	{ 18, "TCP_USER_TIMEOUT" }, { 23, "TCP_FASTOPEN" }, { 25, "TCP_NOTSENT_LOWAT" },
};

static void option_name(struct trace_call *c, int level, uint32_t opt)
{
	if (level == 1)
		trace_enum(c, TRACE_NAMES(so_names), opt, "SO_???");
	else if (level == 0)
		trace_enum(c, TRACE_NAMES(ip_names), opt, "IP_???");
	else if (level == 41)
		trace_enum(c, TRACE_NAMES(ipv6_names), opt, "IPV6_???");
	else if (level == 6)
		trace_enum(c, TRACE_NAMES(tcp_names), opt, "TCP_???");
	else
		trace_printf(c, "%u", (unsigned)opt);
}

static void option_value(struct trace_fmt *f, uint64_t addr, uint64_t len, bool get)
{
	int level = (int)f->c->regs[1];
	uint32_t opt = (uint32_t)f->c->regs[2];
	struct trace_call *c = f->c;
	int32_t w[3];

	if (level == 1 && opt == 13 && len == 8 && trace_read(f, addr, w, 8)) {
		trace_printf(c, "{l_onoff=%d, l_linger=%d}", (int)w[0], (int)w[1]);
	} else if (level == 1 && opt == 17 && get && len == 12 && trace_read(f, addr, w, 12)) {
		trace_printf(c, "{pid=%d, uid=%d, gid=%d}", (int)w[0], (int)w[1], (int)w[2]);
	} else if (level == 1 && opt == 4 && get && len == 4 && trace_read(f, addr, w, 4)) {
		const char *name = w[0] > 0 ? strerrorname_np(w[0]) : NULL;

		if (name != NULL)
			trace_printf(c, "[%s]", name);
		else
			trace_printf(c, "[%d]", (int)w[0]);
	} else if (len == 4 && trace_read(f, addr, w, 4)) {
		trace_printf(c, "[%d]", (int)w[0]);
	} else if (level == 1 && len < 4 && !get) {
		trace_pointer(c, addr);
	} else {
		trace_bytes(f, addr, len, TRACE_STR_MAX);
	}
}

TRACE_FN(trace_sockopt)
{
	bool get = f->c->desc->args[4].kind == ARG_KIND_inout_i32;
	uint32_t len = 0;

	if (f->arg == 2) {
		option_name(f->c, (int)f->c->regs[1], (uint32_t)v);
		return TRACE_DONE;
	}
	if (f->arg == 4 && get)
		return trace_accept(f, v);
	if (f->arg != 3)
		return TRACE_BY_KIND;
	if (get && !f->exiting)
		return TRACE_LATER;
	if (v == 0 || (get && (f->result < 0 || !trace_read(f, f->c->regs[4], &len, sizeof(len)))))
		trace_pointer(f->c, v);
	else
		option_value(f, v, get ? len : (uint64_t)(uint32_t)f->c->regs[4], get);
	return TRACE_DONE;
}

/* ---- messages ---- */

static const struct named scm_names[] = {
	{ 1, "SCM_RIGHTS" }, { 2, "SCM_CREDENTIALS" }, { 3, "SCM_SECURITY" }, { 4, "SCM_PIDFD" },
	{ 29, "SO_TIMESTAMP_OLD" }, { 35, "SO_TIMESTAMPNS_OLD" },
};

static void cmsg_data(struct trace_call *c, int level, int type, const unsigned char *p, size_t len)
{
	if (level == 1 && type == 1) {
		trace_puts(c, ", cmsg_data=[");
		for (size_t i = 0; i < len / 4; i++) {
			if (i == FDS_MAX) {
				trace_puts(c, ", ...");
				break;
			}
			trace_printf(c, "%s%d", i ? ", " : "", (int)u32_at(p + 4 * i));
		}
		trace_puts(c, "]");
	} else if (level == 1 && type == 2 && len >= 12) {
		trace_printf(c, ", cmsg_data={pid=%d, uid=%d, gid=%d}", (int)u32_at(p),
			     (int)u32_at(p + 4), (int)u32_at(p + 8));
	} else if (len > 0) {
		trace_puts(c, ", cmsg_data=");
		trace_quoted(c, p, len < TRACE_STR_MAX ? len : TRACE_STR_MAX);
		trace_puts(c, len > TRACE_STR_MAX ? "..." : "");
	}
}

static void control(struct trace_fmt *f, uint64_t addr, uint64_t size)
{
	unsigned char buf[CONTROL_MAX];
	size_t len = size < sizeof(buf) ? (size_t)size : sizeof(buf), off = 0;
	struct trace_call *c = f->c;
	uint64_t clen;
	int level, type;

	if (len < 16 || !trace_read(f, addr, buf, len)) {
		if (size > 0) {
			trace_puts(c, ", msg_control=");
			trace_pointer(c, addr);
		}
		return;
	}
	trace_puts(c, ", msg_control=[");
	while (off + 16 <= len) {
		memcpy(&clen, buf + off, sizeof(clen));
		level = (int)u32_at(buf + off + 8);
		type = (int)u32_at(buf + off + 12);
		trace_printf(c, "%s{cmsg_len=%" PRIu64 ", cmsg_level=", off ? ", " : "", clen);
		trace_symbolic(c, ARG_KIND_sock_level, (uint32_t)level);
		trace_puts(c, ", cmsg_type=");
		if (level == 1)
			trace_enum(c, TRACE_NAMES(scm_names), (uint32_t)type, "SCM_???");
		else
			trace_printf(c, "%#x", (unsigned)type);
		if (clen < 16 || clen > len - off) {
			if (clen > 16)
				cmsg_data(c, level, type, buf + off + 16, len - off - 16);
			trace_puts(c, "}");
			break;
		}
		cmsg_data(c, level, type, buf + off + 16, (size_t)clen - 16);
		trace_puts(c, "}");
		off += ((size_t)clen + 7) & ~(size_t)7;
	}
	trace_puts(c, "]");
}

void trace_msghdr(struct trace_fmt *f, uint64_t addr, uint64_t bytes)
{
	struct trace_call *c = f->c;
	uint64_t m[7];

	if (!trace_read(f, addr, m, sizeof(m))) {
		trace_pointer(c, addr);
		return;
	}
	trace_puts(c, "{msg_name=");
	trace_sockaddr(f, m[0], (uint32_t)m[1]);
	trace_printf(c, ", msg_namelen=%d, msg_iov=", (int)(uint32_t)m[1]);
	trace_iovecs(f, m[2], m[3], bytes, true);
	trace_printf(c, ", msg_iovlen=%" PRIu64, m[3]);
	control(f, m[4], m[5]);
	trace_printf(c, ", msg_controllen=%" PRIu64 ", msg_flags=", m[5]);
	trace_symbolic(c, ARG_KIND_msg_flags, (uint32_t)m[6]);
	trace_puts(c, "}");
}
