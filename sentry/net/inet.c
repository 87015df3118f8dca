/* AF_INET, AF_INET6 and AF_NETLINK over host sockets of the sentry, which lives in the
 * container's own network namespace (with --network none: an own one with only lo). The
 * guest decides addresses, data and listed options; nothing else of it reaches the host. */
#include <stdlib.h>
#include <string.h>

#include "sentry/fs/proc/proc.h"
#include "sentry/net/inet_impl.h"
#include "syscalls/abi/lx_cap.h"
#include "syscalls/abi/lx_in.h"
#include "syscalls/abi/lx_netlink.h"
#include "syscalls/abi/lx_poll.h"

#define POLL_ALL                                                                           \
	(LX_POLLIN | LX_POLLPRI | LX_POLLOUT | LX_POLLERR | LX_POLLHUP | LX_POLLRDNORM |   \
	 LX_POLLRDBAND | LX_POLLWRNORM | LX_POLLWRBAND | LX_POLLRDHUP)
#define PRIVILEGED_PORTS 1024

static const struct sock_ops inet_ops;

/* Out of descriptors is the sentry's trouble, not the process's. */
static int host_error(int err)
{
	return err == -LX_EMFILE ? -LX_ENFILE : err;
}

/* Takes over fd, also on failure. */
static int hsock_new(struct kernel *k, int fd, int family, int type, int protocol,
		     struct socket **out)
{
	struct hsock *h = calloc(1, sizeof(*h));

	if (h == NULL) {
		nethost_close(fd);
		return -LX_ENOMEM;
	}
	sock_init(&h->s, k, &inet_ops, family, type, protocol);
	h->fd = fd;
	h->watch.fd = -1;
	waitq_init(&h->q);
	list_init(&h->injected);
	*out = &h->s;
	return 0;
}

static int check_inet(struct task *t, int family, int type, int protocol)
{
	int icmp = family == LX_AF_INET ? LX_IPPROTO_ICMP : LX_IPPROTO_ICMPV6;

	switch (type) {
	case LX_SOCK_STREAM:
		return protocol == 0 || protocol == LX_IPPROTO_TCP ? 0 : -LX_EPROTONOSUPPORT;
	case LX_SOCK_DGRAM:
		return protocol == 0 || protocol == LX_IPPROTO_UDP || protocol == icmp
			       ? 0
			       : -LX_EPROTONOSUPPORT;
	case LX_SOCK_RAW:
		if (protocol <= 0 || protocol > LX_IPPROTO_RAW)
			return -LX_EPROTONOSUPPORT;
		return task_capable(t, LX_CAP_NET_RAW) ? 0 : -LX_EPERM;
	default:
		return -LX_ESOCKTNOSUPPORT;
	}
}

int inet_create(struct task *t, int family, int type, int protocol, struct socket **out)
{
	int err = 0, fd;

	if (family != LX_AF_NETLINK)
		err = check_inet(t, family, type, protocol);
	else if (type != LX_SOCK_RAW && type != LX_SOCK_DGRAM)
		err = -LX_ESOCKTNOSUPPORT;
	else if (protocol != LX_NETLINK_ROUTE)
		err = -LX_EPROTONOSUPPORT;
	if (err)
		return err;
	fd = nethost_socket(family, type, protocol);
	if (fd < 0)
		return host_error(fd);
	if (protocol == 0 && family != LX_AF_NETLINK)
		protocol = type == LX_SOCK_STREAM ? LX_IPPROTO_TCP : LX_IPPROTO_UDP;
	return hsock_new(t->k, fd, family, type, protocol, out);
}

/* The capability is the guest's; the host's own rule is switched off by whoever made the
 * network namespace (net.ipv4.ip_unprivileged_port_start). */
static int check_port(struct task *t, const struct socket *s,
		      const struct lx_sockaddr_storage *a, uint32_t len)
{
	unsigned port = (unsigned)a->bytes[2] << 8 | a->bytes[3];

	if ((s->protocol != LX_IPPROTO_TCP && s->protocol != LX_IPPROTO_UDP) || len < 4 ||
	    s->family == LX_AF_NETLINK || port == 0 || port >= PRIVILEGED_PORTS)
		return 0;
	return task_capable(t, LX_CAP_NET_BIND_SERVICE) ? 0 : -LX_EACCES;
}

static int inet_bind(struct task *t, struct socket *s, const struct lx_sockaddr_storage *a,
		     uint32_t len)
{
	int err = check_port(t, s, a, len);

	return err ? err : nethost_bind(hsock_of(s)->fd, a, len);
}

static int inet_connect(struct task *t, struct socket *s, const struct lx_sockaddr_storage *a,
			uint32_t len, struct waitq **wait_on)
{
	int err = 0;

	(void)t;
	(void)wait_on;
	if (s->family == LX_AF_NETLINK && a->family != LX_AF_UNSPEC)
		err = netlink_check_dest(a, len);
	return err ? err : nethost_connect(hsock_of(s)->fd, a, len);
}

/* Asking again is what tells the host socket too that the connection stands (or failed). */
static int inet_connect_done(struct socket *s, const struct lx_sockaddr_storage *a,
			     uint32_t len)
{
	struct hsock *h = hsock_of(s);
	int err;

	if (hostpoll_now(h->fd, LX_POLLOUT | LX_POLLERR | LX_POLLHUP) == 0)
		return -LX_EAGAIN;
	err = nethost_connect(h->fd, a, len);
	return err == -LX_EALREADY ? -LX_EAGAIN : err;
}

static int inet_listen(struct task *t, struct socket *s, int backlog)
{
	(void)t;
	int most = (int)sysctl_get(t->k, SYSCTL_SOMAXCONN);

	return nethost_listen(hsock_of(s)->fd, (unsigned)backlog > (unsigned)most ? most : backlog);
}

static int inet_accept(struct task *t, struct socket *s, struct socket **out)
{
	int fd = nethost_accept(hsock_of(s)->fd);

	if (fd < 0)
		return host_error(fd);
	return hsock_new(t->k, fd, s->family, s->type, s->protocol, out);
}

static int inet_getname(struct socket *s, bool peer, struct lx_sockaddr_storage *out,
			uint32_t *len)
{
	memset(out, 0, sizeof(*out));
	*len = sizeof(*out);
	return nethost_getname(hsock_of(s)->fd, peer, out, len);
}

static int inet_shutdown(struct socket *s, int how)
{
	int err = nethost_shutdown(hsock_of(s)->fd, how);

	if (err == 0)
		waitq_wake(&hsock_of(s)->q, 0);
	return err;
}

static uint32_t inet_poll(struct socket *s, struct poll_ctx *pc)
{
	struct hsock *h = hsock_of(s);

	if (pc != NULL) {
		if (!h->watched)
			h->watched = hostpoll_watch(s->k, &h->watch, h->fd, &h->q) >= 0;
		poll_wait(pc, &h->q);
	}
	return hostpoll_now(h->fd, POLL_ALL) |
	       (h->ninjected ? LX_POLLIN | LX_POLLRDNORM : 0);
}

static void inet_release(struct socket *s)
{
	struct hsock *h = hsock_of(s);

	if (h->watched)
		hostpoll_unwatch(s->k, &h->watch);
	nethost_close(h->fd);
	netlink_drop_injected(h);
	waitq_fini(&h->q);
	free(h);
}

static const struct sock_ops inet_ops = {
	.bind = inet_bind,
	.connect = inet_connect,
	.connect_done = inet_connect_done,
	.listen = inet_listen,
	.accept = inet_accept,
	.getname = inet_getname,
	.sendmsg = inet_sendmsg,
	.recvmsg = inet_recvmsg,
	.shutdown = inet_shutdown,
	.setsockopt = inet_setsockopt,
	.getsockopt = inet_getsockopt,
	.ioctl = inet_ioctl,
	.poll = inet_poll,
	.release = inet_release,
	.host = true,
};
