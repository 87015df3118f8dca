/* Options and ioctls of host sockets: one table says what may pass and how large it is.
 * Options that carry pointers or programs (filters, packet rings, netfilter) are not in it.
 * Timeouts, type and family are the sentry's own (socket.c). */
#include <stdlib.h>
#include <string.h>

#include "sentry/net/inet_impl.h"
#include "syscalls/abi/lx_in.h"
#include "syscalls/abi/lx_netlink.h"

#define G 1u
#define S 2u
#define OPT_MAX 264 /* the largest size in the table */

static const struct {
	int16_t level, name;
	uint16_t size;		/* the most that travels */
	uint8_t how;		/* G: get, S: set */
} options[] = {
	{ LX_SOL_SOCKET, LX_SO_DEBUG, 4, G },
	{ LX_SOL_SOCKET, LX_SO_REUSEADDR, 4, G | S },
	{ LX_SOL_SOCKET, LX_SO_ERROR, 4, G },
	{ LX_SOL_SOCKET, LX_SO_DONTROUTE, 4, G | S },
	{ LX_SOL_SOCKET, LX_SO_BROADCAST, 4, G | S },
	{ LX_SOL_SOCKET, LX_SO_SNDBUF, 4, G | S },
	{ LX_SOL_SOCKET, LX_SO_RCVBUF, 4, G | S },
	{ LX_SOL_SOCKET, LX_SO_KEEPALIVE, 4, G | S },
	{ LX_SOL_SOCKET, LX_SO_OOBINLINE, 4, G | S },
	{ LX_SOL_SOCKET, LX_SO_NO_CHECK, 4, G | S },
	{ LX_SOL_SOCKET, LX_SO_PRIORITY, 4, G | S },
	{ LX_SOL_SOCKET, LX_SO_REUSEPORT, 4, G | S },
	{ LX_SOL_SOCKET, LX_SO_RCVLOWAT, 4, G | S },
	{ LX_SOL_SOCKET, LX_SO_SNDLOWAT, 4, G },
	{ LX_SOL_SOCKET, LX_SO_BINDTODEVICE, 16, G | S },
	{ LX_SOL_SOCKET, LX_SO_TIMESTAMP_OLD, 4, G | S },
	{ LX_SOL_SOCKET, LX_SO_TIMESTAMPNS_OLD, 4, G | S },
	{ LX_SOL_SOCKET, LX_SO_TIMESTAMP_NEW, 4, G | S },
	{ LX_SOL_SOCKET, LX_SO_TIMESTAMPNS_NEW, 4, G | S },
	{ LX_SOL_SOCKET, LX_SO_ACCEPTCONN, 4, G },
	{ LX_SOL_SOCKET, LX_SO_MARK, 4, G },
	{ LX_SOL_SOCKET, LX_SO_RXQ_OVFL, 4, G | S },
	{ LX_SOL_SOCKET, LX_SO_PEEK_OFF, 4, G },
	{ LX_SOL_SOCKET, LX_SO_BUSY_POLL, 4, G },
	{ LX_SOL_SOCKET, LX_SO_MAX_PACING_RATE, 8, G | S },
	{ LX_SOL_SOCKET, LX_SO_INCOMING_CPU, 4, G },
	{ LX_SOL_SOCKET, LX_SO_MEMINFO, 36, G },
	{ LX_SOL_SOCKET, LX_SO_COOKIE, 8, G },

	{ LX_IPPROTO_IP, LX_IP_TOS, 4, G | S },
	{ LX_IPPROTO_IP, LX_IP_TTL, 4, G | S },
	{ LX_IPPROTO_IP, LX_IP_RECVOPTS, 4, G | S },
	{ LX_IPPROTO_IP, LX_IP_RETOPTS, 4, G | S },
	{ LX_IPPROTO_IP, LX_IP_PKTINFO, 4, G | S },
	{ LX_IPPROTO_IP, LX_IP_MTU_DISCOVER, 4, G | S },
	{ LX_IPPROTO_IP, LX_IP_RECVERR, 4, G | S },
	{ LX_IPPROTO_IP, LX_IP_RECVTTL, 4, G | S },
	{ LX_IPPROTO_IP, LX_IP_RECVTOS, 4, G | S },
	{ LX_IPPROTO_IP, LX_IP_MTU, 4, G },
	{ LX_IPPROTO_IP, LX_IP_FREEBIND, 4, G | S },
	{ LX_IPPROTO_IP, LX_IP_RECVORIGDSTADDR, 4, G | S },
	{ LX_IPPROTO_IP, LX_IP_MINTTL, 4, G | S },
	{ LX_IPPROTO_IP, LX_IP_BIND_ADDRESS_NO_PORT, 4, G | S },
	{ LX_IPPROTO_IP, LX_IP_MULTICAST_IF, 12, G | S },
	{ LX_IPPROTO_IP, LX_IP_MULTICAST_TTL, 4, G | S },
	{ LX_IPPROTO_IP, LX_IP_MULTICAST_LOOP, 4, G | S },
	{ LX_IPPROTO_IP, LX_IP_ADD_MEMBERSHIP, 12, S },
	{ LX_IPPROTO_IP, LX_IP_DROP_MEMBERSHIP, 12, S },
	{ LX_IPPROTO_IP, LX_IP_MULTICAST_ALL, 4, G | S },
	{ LX_IPPROTO_IP, LX_IP_UNICAST_IF, 4, G | S },
	{ LX_IPPROTO_IP, LX_IP_LOCAL_PORT_RANGE, 4, G | S },

	{ LX_IPPROTO_IPV6, LX_IPV6_ADDRFORM, 4, S },
	{ LX_IPPROTO_IPV6, LX_IPV6_UNICAST_HOPS, 4, G | S },
	{ LX_IPPROTO_IPV6, LX_IPV6_MULTICAST_IF, 4, G | S },
	{ LX_IPPROTO_IPV6, LX_IPV6_MULTICAST_HOPS, 4, G | S },
	{ LX_IPPROTO_IPV6, LX_IPV6_MULTICAST_LOOP, 4, G | S },
	{ LX_IPPROTO_IPV6, LX_IPV6_ADD_MEMBERSHIP, 20, S },
	{ LX_IPPROTO_IPV6, LX_IPV6_DROP_MEMBERSHIP, 20, S },
	{ LX_IPPROTO_IPV6, LX_IPV6_MTU_DISCOVER, 4, G | S },
	{ LX_IPPROTO_IPV6, LX_IPV6_MTU, 4, G | S },
	{ LX_IPPROTO_IPV6, LX_IPV6_RECVERR, 4, G | S },
	{ LX_IPPROTO_IPV6, LX_IPV6_V6ONLY, 4, G | S },
	{ LX_IPPROTO_IPV6, LX_IPV6_MULTICAST_ALL, 4, G | S },
	{ LX_IPPROTO_IPV6, LX_IPV6_RECVPKTINFO, 4, G | S },
	{ LX_IPPROTO_IPV6, LX_IPV6_RECVHOPLIMIT, 4, G | S },
	{ LX_IPPROTO_IPV6, LX_IPV6_RECVTCLASS, 4, G | S },
	{ LX_IPPROTO_IPV6, LX_IPV6_TCLASS, 4, G | S },
	{ LX_IPPROTO_IPV6, LX_IPV6_DONTFRAG, 4, G | S },
	{ LX_IPPROTO_IPV6, LX_IPV6_AUTOFLOWLABEL, 4, G | S },
	{ LX_IPPROTO_IPV6, LX_IPV6_ADDR_PREFERENCES, 4, G | S },
	{ LX_IPPROTO_IPV6, LX_IPV6_FREEBIND, 4, G | S },
	{ LX_IPPROTO_IPV6, LX_IPV6_CHECKSUM, 4, G | S },
	{ LX_IPPROTO_ICMPV6, LX_ICMPV6_FILTER, 32, G | S },
	{ LX_SOL_RAW, LX_ICMP_FILTER, 4, G | S },

	{ LX_IPPROTO_TCP, LX_TCP_NODELAY, 4, G | S },
	{ LX_IPPROTO_TCP, LX_TCP_MAXSEG, 4, G | S },
	{ LX_IPPROTO_TCP, LX_TCP_CORK, 4, G | S },
	{ LX_IPPROTO_TCP, LX_TCP_KEEPIDLE, 4, G | S },
	{ LX_IPPROTO_TCP, LX_TCP_KEEPINTVL, 4, G | S },
	{ LX_IPPROTO_TCP, LX_TCP_KEEPCNT, 4, G | S },
	{ LX_IPPROTO_TCP, LX_TCP_SYNCNT, 4, G | S },
	{ LX_IPPROTO_TCP, LX_TCP_LINGER2, 4, G | S },
	{ LX_IPPROTO_TCP, LX_TCP_DEFER_ACCEPT, 4, G | S },
	{ LX_IPPROTO_TCP, LX_TCP_WINDOW_CLAMP, 4, G | S },
	{ LX_IPPROTO_TCP, LX_TCP_INFO, OPT_MAX, G },
	{ LX_IPPROTO_TCP, LX_TCP_QUICKACK, 4, G | S },
	{ LX_IPPROTO_TCP, LX_TCP_CONGESTION, 16, G | S },
	{ LX_IPPROTO_TCP, LX_TCP_USER_TIMEOUT, 4, G | S },
	{ LX_IPPROTO_TCP, LX_TCP_FASTOPEN, 4, G | S },
	{ LX_IPPROTO_TCP, LX_TCP_FASTOPEN_CONNECT, 4, G },
	{ LX_IPPROTO_TCP, LX_TCP_TIMESTAMP, 4, G },
	{ LX_IPPROTO_TCP, LX_TCP_NOTSENT_LOWAT, 4, G | S },
	{ LX_IPPROTO_TCP, LX_TCP_INQ, 4, G | S },
	{ LX_IPPROTO_UDP, LX_UDP_CORK, 4, G | S },
	{ LX_IPPROTO_UDP, LX_UDP_SEGMENT, 4, G | S },
	{ LX_IPPROTO_UDP, LX_UDP_GRO, 4, G | S },

	{ LX_SOL_NETLINK, LX_NETLINK_ADD_MEMBERSHIP, 4, S },
	{ LX_SOL_NETLINK, LX_NETLINK_DROP_MEMBERSHIP, 4, S },
	{ LX_SOL_NETLINK, LX_NETLINK_PKTINFO, 4, G | S },
	{ LX_SOL_NETLINK, LX_NETLINK_BROADCAST_ERROR, 4, G | S },
	{ LX_SOL_NETLINK, LX_NETLINK_NO_ENOBUFS, 4, G | S },
	{ LX_SOL_NETLINK, LX_NETLINK_CAP_ACK, 4, G | S },
	{ LX_SOL_NETLINK, LX_NETLINK_EXT_ACK, 4, G | S },
	{ LX_SOL_NETLINK, LX_NETLINK_GET_STRICT_CHK, 4, G | S },
};

/* The most bytes that may travel, or 0 when the option is not known. */
static uint32_t option_size(int level, int name, unsigned how)
{
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		if (options[i].level == level && options[i].name == name)
			return (options[i].how & how) != 0 ? options[i].size : 0;
	}
	return 0;
}

/* Lingering would make the sentry wait in close(2): a time is only remembered, and the
 * host sends what is left in the background. A time of 0, which resets the connection, is
 * passed on. */
static int set_linger(struct hsock *h, const void *val, uint32_t len)
{
	struct lx_linger l;

	if (len < sizeof(l))
		return -LX_EINVAL;
	memcpy(&l, val, sizeof(l));
	l.l_onoff = l.l_onoff != 0;
	h->linger = l;
	if (l.l_linger != 0)
		l.l_onoff = 0;
	return nethost_setsockopt(h->fd, LX_SOL_SOCKET, LX_SO_LINGER, &l, sizeof(l));
}

int inet_setsockopt(struct task *t, struct socket *s, int level, int name, const void *val,
		    uint32_t len)
{
	struct hsock *h = hsock_of(s);
	uint32_t size;

	(void)t;
	if (level == LX_SOL_SOCKET && name == LX_SO_LINGER)
		return set_linger(h, val, len);
	if (level == LX_SOL_SOCKET &&
	    (name == LX_SO_MARK || name == LX_SO_SNDBUFFORCE || name == LX_SO_RCVBUFFORCE))
		return -LX_EPERM;
	size = option_size(level, name, S);
	if (size == 0)
		return -LX_ENOPROTOOPT;
	return nethost_setsockopt(h->fd, level, name, val, len < size ? len : size);
}

int inet_getsockopt(struct task *t, struct socket *s, int level, int name, void *val,
		    uint32_t *len)
{
	static const struct lx_ucred nobody = { 0, UINT32_MAX, UINT32_MAX };
	struct hsock *h = hsock_of(s);
	uint32_t size;

	(void)t;
	if (level == LX_SOL_SOCKET && name == LX_SO_LINGER)
		return opt_put(val, len, &h->linger, sizeof(h->linger));
	if (level == LX_SOL_SOCKET && name == LX_SO_PEERCRED)
		return opt_put(val, len, &nobody, sizeof(nobody));
	if (level == LX_SOL_SOCKET && name == LX_SO_PASSCRED)
		return opt_put_int(val, len, 0);
	size = option_size(level, name, G);
	if (size == 0)
		return -LX_ENOPROTOOPT;
	if (*len > size)
		*len = size;
	return nethost_getsockopt(h->fd, level, name, val, len);
}

/* ---- ioctl ---- */

/* SIOCGIFCONF: the host's answer in a buffer of our own. A null buffer asks for the size. */
static int64_t get_ifconf(struct task *t, int fd, uint64_t arg)
{
	struct lx_ifconf c, host;
	AUTO_FREE uint8_t *buf = NULL;
	int err = copy_in(t, &c, (struct uaddr){ arg }, sizeof(c));

	if (err)
		return err;
	if (c.ifc_len < 0)
		return -LX_EINVAL;
	host = (struct lx_ifconf){ .ifc_len = c.ifc_len < 65536 ? c.ifc_len : 65536 };
	if (c.ifc_buf != 0) {
		buf = calloc(1, (size_t)host.ifc_len + 1);
		if (buf == NULL)
			return -LX_ENOMEM;
		host.ifc_buf = (uint64_t)(uintptr_t)buf;
	}
	err = nethost_ioctl(fd, LX_SIOCGIFCONF, &host);
	if (err < 0)
		return err;
	if (buf != NULL && host.ifc_len > 0 &&
	    copy_out(t, (struct uaddr){ c.ifc_buf }, buf, (size_t)host.ifc_len))
		return -LX_EFAULT;
	c.ifc_len = host.ifc_len;
	return copy_out(t, (struct uaddr){ arg }, &c, sizeof(c));
}

/* A question about one interface: a struct ifreq without pointers. */
static int64_t get_ifreq(struct task *t, int fd, uint32_t cmd, uint64_t arg)
{
	_Alignas(8) uint8_t req[LX_IFREQ_SIZE];
	int err = copy_in(t, req, (struct uaddr){ arg }, sizeof(req));

	if (err)
		return err;
	err = nethost_ioctl(fd, cmd, req);
	return err < 0 ? err : copy_out(t, (struct uaddr){ arg }, req, sizeof(req));
}

int64_t netdev_ioctl(struct task *t, int fd, uint32_t cmd, uint64_t arg)
{
	int64_t r;
	int own = -1;

	switch (cmd) {
	case LX_SIOCGIFCONF:
	case LX_SIOCGIFNAME:
	case LX_SIOCGIFFLAGS:
	case LX_SIOCGIFADDR:
	case LX_SIOCGIFDSTADDR:
	case LX_SIOCGIFBRDADDR:
	case LX_SIOCGIFNETMASK:
	case LX_SIOCGIFMETRIC:
	case LX_SIOCGIFMTU:
	case LX_SIOCGIFHWADDR:
	case LX_SIOCGIFINDEX:
	case LX_SIOCGIFTXQLEN:
	case LX_SIOCGIFMAP:
		break;
	default:
		/* 0x89..: requests that would change the network */
		return (cmd & 0xff00) == 0x8900 ? -LX_EPERM : -LX_ENOTTY;
	}
	if (fd < 0)
		fd = own = nethost_socket(LX_AF_INET, LX_SOCK_DGRAM, 0);
	if (fd < 0)
		return -LX_ENODEV;
	r = cmd == LX_SIOCGIFCONF ? get_ifconf(t, fd, arg) : get_ifreq(t, fd, cmd, arg);
	if (own >= 0)
		nethost_close(own);
	return r;
}

int64_t inet_ioctl(struct task *t, struct socket *s, uint32_t cmd, uint64_t arg)
{
	struct hsock *h = hsock_of(s);
	int32_t n = 0;
	int err;

	switch (cmd) {
	case LX_SIOCINQ:
	case LX_SIOCOUTQ:
	case LX_SIOCATMARK:
		err = nethost_ioctl(h->fd, cmd, &n);
		return err < 0 ? err : copy_out(t, (struct uaddr){ arg }, &n, sizeof(n));
	default:
		return netdev_ioctl(t, h->fd, cmd, arg);
	}
}
