/* Shared within sentry/net: the per-sandbox state, and helpers between its files. */
#ifndef SENTRY_NET_NET_IMPL_H
#define SENTRY_NET_NET_IMPL_H

#include "sentry/net/socket.h"
#include "sentry/task/task.h"
#include "syscalls/abi/lx_errno.h"

struct uid_inflight;
struct usock;

#define NET_BUF_SIZE (128u * 1024) /* one transfer of a host socket */

struct kernel_net {
	struct usock *abstract;	/* hash of sockets with an abstract name */
	uint32_t next_auto;	/* autobind: the next number to try */
	struct list inflight;	/* struct usock.gc_link: sockets whose files are in messages */
	uint32_t ninflight;	/* their number, counting each message */
	struct uid_inflight *by_uid; /* hash: files in flight per user */
	struct list dead;	/* struct scm waiting to be freed by the outermost scm_free */
	bool reaping, collecting;
	uint8_t *buf;		/* NET_BUF_SIZE bytes for host sockets; lazily */
};

/* Made at first use; NULL: out of memory. */
struct kernel_net *net_state(struct kernel *k);

void sock_init(struct socket *s, struct kernel *k, const struct sock_ops *ops, int family,
	       int type, int protocol);
struct lx_ucred ucred_of(const struct task *t); /* with effective ids, as SO_PEERCRED */

/* socket(2) per family; *out is not yet in a file. */
int unix_create(struct task *t, int type, int protocol, struct socket **out);
int unix_create_pair(struct task *t, int type, int protocol, struct socket *out[2]);
int inet_create(struct task *t, int family, int type, int protocol, struct socket **out);

/* Questions about interfaces, which any socket answers: SIOCGIF*. fd: the host socket to
 * ask by, -1 to have one made. */
int64_t netdev_ioctl(struct task *t, int fd, uint32_t cmd, uint64_t arg);

/* Give an int option: as much of it as fits into *len bytes. */
int opt_put_int(void *val, uint32_t *len, int32_t v);
int opt_put(void *val, uint32_t *len, const void *src, uint32_t size);
/* Take an int option: -LX_EINVAL when too short. */
int opt_get_int(const void *val, uint32_t len, int32_t *out);

#endif
