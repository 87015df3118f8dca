/* Host sockets behind guest sockets (AF_INET, AF_INET6, AF_NETLINK), within sentry/net. */
#ifndef SENTRY_NET_INET_IMPL_H
#define SENTRY_NET_INET_IMPL_H

#include "sentry/hostpoll.h"
#include "sentry/net/net_impl.h"

struct hsock {
	struct socket s;	/* first */
	int fd;			/* host socket, nonblocking; owned */
	struct hostwatch watch;	/* begins when somebody first waits */
	bool watched;
	struct waitq q;
	struct list injected;	/* struct injected, oldest first; see sock_inject() */
	unsigned ninjected;
	struct lx_linger linger; /* what the guest set; see inet_opt.c */
};

static inline struct hsock *hsock_of(struct socket *s)
{
	return (struct hsock *)(void *)s;
}

/* ---- inet_msg.c ---- */
int64_t inet_sendmsg(struct task *t, struct socket *s, struct sockmsg *m);
int64_t inet_recvmsg(struct task *t, struct socket *s, struct sockmsg *m);
/* Is it an address of the kernel's end of a netlink socket? 0 or -LX_EPERM, -LX_EINVAL. */
int netlink_check_dest(const struct lx_sockaddr_storage *a, uint32_t len);

/* Take the oldest injected message: as recvmsg. */
int64_t netlink_recv_injected(struct hsock *h, struct sockmsg *m);
void netlink_drop_injected(struct hsock *h);

/* ---- inet_opt.c ---- */
int inet_setsockopt(struct task *t, struct socket *s, int level, int name, const void *val,
		    uint32_t len);
int inet_getsockopt(struct task *t, struct socket *s, int level, int name, void *val,
		    uint32_t *len);
int64_t inet_ioctl(struct task *t, struct socket *s, uint32_t cmd, uint64_t arg);

/* ---- inet_host.c: one host call each; -errno ---- */
int nethost_socket(int family, int type, int protocol);
int nethost_bind(int fd, const void *addr, uint32_t len);
int nethost_connect(int fd, const void *addr, uint32_t len);
int nethost_listen(int fd, int backlog);
int nethost_accept(int fd); /* a nonblocking fd */
int nethost_getname(int fd, bool peer, void *addr, uint32_t *len);
int nethost_shutdown(int fd, int how);
int nethost_setsockopt(int fd, int level, int name, const void *val, uint32_t len);
int nethost_getsockopt(int fd, int level, int name, void *val, uint32_t *len);
int nethost_ioctl(int fd, uint32_t cmd, void *arg);
void nethost_close(int fd);

struct nethost_msg {
	void *buf;
	size_t len;
	void *name;
	uint32_t namelen;	/* receive: in: room, out: length */
	void *ctl;
	size_t ctl_len;		/* likewise */
	uint32_t flags;		/* in: what is asked; receive: out: what was told */
};
int64_t nethost_send(int fd, const struct nethost_msg *m); /* never raises SIGPIPE, never waits */
int64_t nethost_recv(int fd, struct nethost_msg *m);

#endif
