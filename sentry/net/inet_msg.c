/* Messages of host sockets: bytes go through one buffer of the sentry, control messages
 * through an allow-list, netlink requests through a filter. */
#include <stdlib.h>
#include <string.h>

#include "sentry/net/inet_impl.h"
#include "sentry/vfs/file_io.h"
#include "syscalls/abi/lx_in.h"
#include "syscalls/abi/lx_netlink.h"

#define HOST_CTL_MAX 1024

/* Control messages that may go out (send) or come in. */
static const struct {
	int16_t level, type;
	bool send;
} ctl_table[] = {
	{ LX_IPPROTO_IP, LX_IP_PKTINFO, true },
	{ LX_IPPROTO_IP, LX_IP_TTL, true },
	{ LX_IPPROTO_IP, LX_IP_TOS, true },
	{ LX_IPPROTO_IP, LX_IP_RECVERR, false },
	{ LX_IPPROTO_IP, LX_IP_RECVORIGDSTADDR, false },
	{ LX_IPPROTO_IPV6, LX_IPV6_PKTINFO, true },
	{ LX_IPPROTO_IPV6, LX_IPV6_HOPLIMIT, true },
	{ LX_IPPROTO_IPV6, LX_IPV6_TCLASS, true },
	{ LX_IPPROTO_IPV6, LX_IPV6_RECVERR, false },
	{ LX_IPPROTO_UDP, LX_UDP_SEGMENT, true },
	{ LX_IPPROTO_UDP, LX_UDP_GRO, false },
	{ LX_IPPROTO_TCP, LX_TCP_INQ, false },
	{ LX_SOL_SOCKET, LX_SO_TIMESTAMP_OLD, false },
	{ LX_SOL_SOCKET, LX_SO_TIMESTAMPNS_OLD, false },
	{ LX_SOL_SOCKET, LX_SO_TIMESTAMP_NEW, false },
	{ LX_SOL_SOCKET, LX_SO_TIMESTAMPNS_NEW, false },
	{ LX_SOL_SOCKET, LX_SO_RXQ_OVFL, false },
	{ LX_SOL_NETLINK, LX_NETLINK_PKTINFO, false },
};

static bool ctl_allowed(int level, int type, bool send)
{
	for (size_t i = 0; i < sizeof(ctl_table) / sizeof(ctl_table[0]); i++) {
		if (ctl_table[i].level == level && ctl_table[i].type == type)
			return !send || ctl_table[i].send;
	}
	return false;
}

/* Copy the allowed messages of in to out. Going out, descriptors and credentials are left
 * out as Linux does on such sockets, and others refused. Bytes written, or -LX_EINVAL. */
static int64_t ctl_filter(const uint8_t *in, size_t len, uint8_t *out, size_t size, bool send)
{
	struct lx_cmsghdr h;
	size_t off = 0, n = 0;

	while (off <= len && len - off >= sizeof(h)) {
		memcpy(&h, in + off, sizeof(h));
		if (h.cmsg_len < sizeof(h) || h.cmsg_len > len - off)
			return send ? -LX_EINVAL : (int64_t)n;
		if (ctl_allowed(h.cmsg_level, h.cmsg_type, send)) {
			if (LX_CMSG_ALIGN(h.cmsg_len) > size - n)
				return send ? -LX_EINVAL : (int64_t)n;
			memset(out + n, 0, LX_CMSG_ALIGN(h.cmsg_len));
			memcpy(out + n, in + off, h.cmsg_len);
			n += LX_CMSG_ALIGN(h.cmsg_len);
		} else if (send && !(h.cmsg_level == LX_SOL_SOCKET &&
				     (h.cmsg_type == LX_SCM_RIGHTS ||
				      h.cmsg_type == LX_SCM_CREDENTIALS))) {
			return -LX_EINVAL;
		}
		off += LX_CMSG_ALIGN(h.cmsg_len);
	}
	return (int64_t)n;
}

static uint8_t *net_buf(struct kernel *k)
{
	struct kernel_net *n = k->net;

	if (n->buf == NULL)
		n->buf = malloc(NET_BUF_SIZE);
	return n->buf;
}

/* ---- netlink ---- */

int netlink_check_dest(const struct lx_sockaddr_storage *a, uint32_t len)
{
	struct lx_sockaddr_nl nl;

	if (len < sizeof(nl))
		return -LX_EINVAL;
	memcpy(&nl, a->bytes, sizeof(nl));
	return nl.nl_pid == 0 && nl.nl_groups == 0 ? 0 : -LX_EPERM;
}

/* Only questions go through; what would change the network is not for guests. */
static int netlink_check_request(const uint8_t *buf, size_t len)
{
	struct lx_nlmsghdr h;
	size_t off = 0, step;

	while (off <= len && len - off >= sizeof(h)) {
		memcpy(&h, buf + off, sizeof(h));
		if (h.nlmsg_len < sizeof(h) || h.nlmsg_len > len - off)
			break;
		switch (h.nlmsg_type) {
		case LX_NLMSG_NOOP:
		case LX_NLMSG_DONE:
		case LX_RTM_GETLINK:
		case LX_RTM_GETADDR:
		case LX_RTM_GETROUTE:
		case LX_RTM_GETNEIGH:
		case LX_RTM_GETRULE:
			break;
		default:
			return -LX_EPERM;
		}
		step = ((size_t)h.nlmsg_len + 3) & ~(size_t)3;
		off += step;
	}
	return 0;
}

/* ---- sending ---- */

static int64_t send_chunk(struct socket *s, struct sockmsg *m, struct nethost_msg *hm, size_t want)
{
	long got = uio_from_user(m->u, hm->buf, want);
	int64_t n;

	if (got < 0)
		return got;
	if ((size_t)got < want && s->type != LX_SOCK_STREAM)
		return -LX_EFAULT;
	hm->len = (size_t)got;
	n = s->family == LX_AF_NETLINK ? netlink_check_request(hm->buf, hm->len) : 0;
	if (n == 0)
		n = nethost_send(hsock_of(s)->fd, hm);
	if (n < got)
		uio_revert(m->u, (size_t)(n < 0 ? got : got - n));
	return n;
}

int64_t inet_sendmsg(struct task *t, struct socket *s, struct sockmsg *m)
{
	_Alignas(8) uint8_t ctl[HOST_CTL_MAX];
	struct nethost_msg hm = { .name = &m->name, .namelen = m->namelen, .ctl = ctl,
				  .flags = m->flags & ~LX_MSG_NOSIGNAL };
	int64_t done = 0, n;

	(void)t;
	if (s->family == LX_AF_NETLINK && m->namelen > 0) {
		n = netlink_check_dest(&m->name, m->namelen);
		if (n)
			return n;
	}
	n = ctl_filter(m->ctl, m->ctl_len, ctl, sizeof(ctl), true);
	if (n < 0)
		return n;
	hm.ctl_len = (size_t)n;
	hm.buf = net_buf(s->k);
	if (hm.buf == NULL)
		return -LX_ENOMEM;
	if (s->type != LX_SOCK_STREAM)
		return m->u->resid > NET_BUF_SIZE ? -LX_EMSGSIZE
						  : send_chunk(s, m, &hm, m->u->resid);
	do {
		size_t want = m->u->resid < NET_BUF_SIZE ? m->u->resid : NET_BUF_SIZE;

		n = send_chunk(s, m, &hm, want);
		if (n < 0)
			return done > 0 ? done : n;
		done += n;
		if ((size_t)n < want)
			break;
		hm.ctl_len = 0;
	} while (m->u->resid > 0);
	return done;
}

/* ---- receiving ---- */

static void recv_meta(struct sockmsg *m, const struct nethost_msg *hm, const uint8_t *ctl)
{
	int64_t n = 0;

	m->namelen = hm->namelen;
	m->out_flags |= hm->flags & (LX_MSG_TRUNC | LX_MSG_CTRUNC | LX_MSG_EOR | LX_MSG_OOB |
				     LX_MSG_ERRQUEUE);
	if (m->ctl_out != NULL)
		n = ctl_filter(ctl, hm->ctl_len, m->ctl_out, m->ctl_out_size, false);
	m->ctl_out_len = (uint32_t)n;
}

int64_t inet_recvmsg(struct task *t, struct socket *s, struct sockmsg *m)
{
	_Alignas(8) uint8_t ctl[HOST_CTL_MAX];
	struct nethost_msg hm = { .name = &m->name, .namelen = sizeof(m->name), .ctl = ctl,
				  .ctl_len = sizeof(ctl) };
	/* MSG_TRUNC on a stream: take the bytes and throw them away. The host would leave
	 * the buffer as it was, so do not tell it. */
	bool discard = s->type == LX_SOCK_STREAM && (m->flags & LX_MSG_TRUNC) != 0;
	int64_t n;
	size_t have;

	(void)t;
	if (hsock_of(s)->ninjected)
		return netlink_recv_injected(hsock_of(s), m);
	hm.buf = net_buf(s->k);
	if (hm.buf == NULL)
		return -LX_ENOMEM;
	hm.len = m->u->resid < NET_BUF_SIZE ? m->u->resid : NET_BUF_SIZE;
	hm.flags = m->flags & (LX_MSG_OOB | LX_MSG_PEEK | LX_MSG_TRUNC | LX_MSG_ERRQUEUE);
	if (s->type == LX_SOCK_STREAM)
		hm.flags &= ~LX_MSG_TRUNC;
	n = nethost_recv(hsock_of(s)->fd, &hm);
	if (n < 0)
		return n;
	recv_meta(m, &hm, ctl);
	have = (size_t)n < hm.len ? (size_t)n : hm.len;
	if (discard) {
		uio_skip(m->u, have);
	} else if (have > 0) {
		long put = uio_to_user(m->u, hm.buf, have);

		if (put < 0)
			return put;
		if ((size_t)put < have)
			return s->type == LX_SOCK_STREAM ? put : -LX_EFAULT;
	}
	return n;
}
