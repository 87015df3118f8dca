/* AF_UNIX sockets, within sentry/net. */
#ifndef SENTRY_NET_UNIX_IMPL_H
#define SENTRY_NET_UNIX_IMPL_H

#include <uthash.h>

#include "platform/base/refs.h"
#include "sentry/net/net_impl.h"
#include "syscalls/abi/lx_un.h"

#define UNIX_DEF_BUF 212992u	/* net.core.{r,w}mem_default and _max */
#define UNIX_MIN_SNDBUF 4608u
#define UNIX_MIN_RCVBUF 2304u
#define UNIX_DGRAM_QLEN 512u	/* net.unix.max_dgram_qlen as distributions set it */
#define UNIX_CHUNK_MAX (64u * 1024) /* a stream's message is cut into these */

#define RCV_SHUT 1u
#define SEND_SHUT 2u
#define BOTH_SHUT 3u

enum usock_state { US_CLOSE, US_ESTABLISHED, US_LISTEN };

/* A name: immutable, shared by the socket, those accepted from it, and its messages. */
struct unix_addr {
	struct refs refs;
	uint32_t len;		/* as getsockname(2) gives it */
	struct lx_sockaddr_storage sa;
};

/* Bytes on the way. Charged to the sender until they are taken. */
struct umsg {
	struct list link;
	struct usock *from;	/* one reference */
	struct unix_addr *addr;	/* one reference; NULL: the sender has no name */
	struct scm *scm;	/* in flight; NULL: none */
	struct lx_ucred cred;
	uint32_t charge, off, len; /* data[off..len) is left */
	uint8_t data[];
};

struct usock {
	struct socket s;	/* first */
	struct refs refs;	/* its file, its embryo entry, peers, messages */
	enum usock_state state;
	bool dead;		/* released */
	unsigned shut;		/* RCV_SHUT, SEND_SHUT */
	int err;		/* SO_ERROR, positive */
	struct waitq rd, wr;	/* readers and writers of this socket */
	struct waitq room;	/* others waiting for room in my queue */
	struct waiter peer_room; /* me on peer->room, for pollers that want to write */
	struct usock *peer;	/* one reference */

	struct list rxq;	/* struct umsg */
	unsigned rxcount;
	uint64_t rxbytes;
	uint32_t wmem, sndbuf, rcvbuf; /* wmem: charged by my messages */

	struct list embryos;	/* listening: connections not yet accepted */
	struct list embryo_link;
	unsigned nembryos, backlog;

	struct unix_addr *addr;	/* one reference */
	struct path path;	/* bound in the file system: owned */
	uint8_t key[112];	/* abstract name with type in front */
	unsigned keylen;	/* 0: not in the table */
	UT_hash_handle hh;	/* kernel_net.abstract */

	struct lx_ucred peercred;
	bool passcred;
	uint32_t soflags;	/* options that are only remembered: bit per option */
	struct lx_linger linger;
	int32_t peek_off, rcvlowat, priority;

	unsigned inflight;	/* messages that carry this socket's file */
	struct list gc_link;	/* kernel_net.inflight */
	unsigned gc_refs;
	bool gc_candidate, gc_live;
	struct list gc_work;
};

extern const struct sock_ops unix_stream_ops, unix_dgram_ops, unix_seqpacket_ops;

/* ---- unix.c ---- */
struct usock *usock_new(struct kernel *k, int type, int protocol);
void usock_get(struct usock *u);
void usock_put(struct usock *u);
DEFINE_AUTO_PUT(usock)
struct usock *usock_of_file(const struct file *f); /* borrowed, NULL: no AF_UNIX socket */
static inline struct usock *usock_of(struct socket *s)
{
	return (struct usock *)(void *)s;
}
static inline struct kernel_net *usock_net(const struct usock *u)
{
	return u->s.k->net;
}
static inline bool usock_is_dgram(const struct usock *u)
{
	return u->s.type == LX_SOCK_DGRAM;
}
/* May it be written to by the rule of poll(2): at most a quarter of the buffer in use. */
static inline bool usock_writable(const struct usock *u)
{
	return u->state != US_LISTEN && (uint64_t)u->wmem * 4 <= u->sndbuf;
}
/* Would a message from `from` overfill u's queue? Connected pairs only count bytes. */
static inline bool usock_queue_full(const struct usock *u, const struct usock *from)
{
	return u != from && u->peer != from && u->rxcount > u->backlog;
}
void usock_set_peer(struct usock *u, struct usock *peer); /* takes a reference; NULL: none */
void usock_wake_all(struct usock *u, uint32_t events);
void usock_dgram_disconnect(struct usock *u);

/* ---- unix_name.c ---- */
int unix_bind(struct task *t, struct socket *s, const struct lx_sockaddr_storage *a,
	      uint32_t len);
int unix_autobind(struct usock *u); /* harmless when it has a name */
void unix_unbind(struct usock *u);
void unix_addr_put(struct unix_addr *a);
static inline void unix_addr_get(struct unix_addr *a)
{
	refs_get(&a->refs);
}
/* The socket a name leads to, of the given type; *out has one reference. -LX_ECONNREFUSED,
 * -LX_EPROTOTYPE, -LX_EINVAL, -LX_EACCES, -LX_ENOENT … */
int unix_find(struct task *t, const struct lx_sockaddr_storage *a, uint32_t len, int type,
	      struct usock **out);
int unix_getname(struct socket *s, bool peer, struct lx_sockaddr_storage *out, uint32_t *len);

/* ---- unix_msg.c ---- */
int64_t unix_stream_sendmsg(struct task *t, struct socket *s, struct sockmsg *m);
int64_t unix_stream_recvmsg(struct task *t, struct socket *s, struct sockmsg *m);
int64_t unix_dgram_sendmsg(struct task *t, struct socket *s, struct sockmsg *m);
int64_t unix_dgram_recvmsg(struct task *t, struct socket *s, struct sockmsg *m);
int64_t unix_seqpacket_sendmsg(struct task *t, struct socket *s, struct sockmsg *m);
int64_t unix_seqpacket_recvmsg(struct task *t, struct socket *s, struct sockmsg *m);
void usock_purge(struct usock *u); /* drop all queued messages */
void umsg_free(struct umsg *m);
/* The queue's bare bookkeeping. */
void usock_enqueue(struct usock *u, struct umsg *m);
void usock_dequeue(struct usock *u, struct umsg *m);

/* ---- unix_opt.c ---- */
int unix_setsockopt(struct task *t, struct socket *s, int level, int name, const void *val,
		    uint32_t len);
int unix_getsockopt(struct task *t, struct socket *s, int level, int name, void *val,
		    uint32_t *len);
int64_t unix_ioctl(struct task *t, struct socket *s, uint32_t cmd, uint64_t arg);

#endif
