/* Sockets: what all families share, and what the calls use. A socket is the priv of a
 * struct file with sock_file_ops. Everything under the kernel lock.
 *
 * A family's operations never wait: they give -LX_EAGAIN, and sock_send() and friends park
 * the task. A family does not know how it is waited for, and the calls do not know the
 * family. */
#ifndef SENTRY_NET_SOCKET_H
#define SENTRY_NET_SOCKET_H

#include <stdbool.h>
#include <stdint.h>

#include "sentry/mm/usercopy.h"
#include "sentry/vfs/vfs.h"
#include "syscalls/abi/lx_socket.h"

struct kernel;
struct poll_ctx;
struct scm;
struct socket;
struct task;

#define SOCK_NO_TIMEOUT UINT64_MAX
#define SOCK_CTL_MAX 20480 /* control bytes of one message, as net.core.optmem_max */

/* One message on its way. The caller owns everything in it. */
struct sockmsg {
	struct uio *u;
	struct lx_sockaddr_storage name; /* send: where to; receive: where from */
	uint32_t namelen;	/* 0: none */
	uint32_t flags;		/* in: LX_MSG_* */
	uint32_t out_flags;	/* receive: LX_MSG_TRUNC, EOR, … */
	const uint8_t *ctl;	/* send: the guest's control messages, copied in */
	uint32_t ctl_len;
	struct scm *scm;	/* receive: descriptors that came along (AF_UNIX), or NULL */
	struct lx_ucred cred;	/* receive: who sent it, if has_cred (SO_PASSCRED) */
	bool has_cred;
	uint8_t *ctl_out;	/* receive: control messages as the guest sees them, or NULL */
	uint32_t ctl_out_size, ctl_out_len;
	struct waitq *wait_on;	/* out, with -LX_EAGAIN: wait for this instead of the socket */
};

struct sock_ops {
	/* addr holds len valid bytes, at least 2. */
	int (*bind)(struct task *t, struct socket *s, const struct lx_sockaddr_storage *addr,
		    uint32_t len);
	/* -LX_EAGAIN: later, see *wait_on. -LX_EINPROGRESS: ask connect_done. */
	int (*connect)(struct task *t, struct socket *s, const struct lx_sockaddr_storage *addr,
		       uint32_t len, struct waitq **wait_on);
	/* The result of a connect that began, or -LX_EAGAIN; may be NULL. */
	int (*connect_done)(struct socket *s, const struct lx_sockaddr_storage *addr,
			    uint32_t len);
	int (*listen)(struct task *t, struct socket *s, int backlog);
	int (*accept)(struct task *t, struct socket *s, struct socket **out);
	int (*getname)(struct socket *s, bool peer, struct lx_sockaddr_storage *out,
		       uint32_t *len);
	int64_t (*sendmsg)(struct task *t, struct socket *s, struct sockmsg *m);
	int64_t (*recvmsg)(struct task *t, struct socket *s, struct sockmsg *m);
	int (*shutdown)(struct socket *s, int how);
	int (*setsockopt)(struct task *t, struct socket *s, int level, int name,
			  const void *val, uint32_t len);
	/* *len: in: room; out: bytes given. */
	int (*getsockopt)(struct task *t, struct socket *s, int level, int name, void *val,
			  uint32_t *len);
	int64_t (*ioctl)(struct task *t, struct socket *s, uint32_t cmd, uint64_t arg);
	uint32_t (*poll)(struct socket *s, struct poll_ctx *pc);
	void (*release)(struct socket *s); /* the file is gone */
	bool host;		/* readiness can change without the kernel lock */
};

struct socket {
	const struct sock_ops *ops;
	struct kernel *k;
	int family, type, protocol;
	struct file *file;	/* borrowed; NULL before it has one */
	uint64_t rcvtimeo, sndtimeo; /* ns; SOCK_NO_TIMEOUT */
};

/* socket(2), without a file yet; type without flags. Errors as socket(2). */
int sock_create(struct task *t, int family, int type, int protocol, struct socket **out);
int sock_create_pair(struct task *t, int family, int type, int protocol,
		     struct socket *out[2]);
/* Wrap it: the file owns s from now on. NULL: out of memory, and s is released. */
struct file *sock_file_new(struct socket *s, bool nonblock);
/* The socket behind f (borrowed), or NULL when f is none (-LX_ENOTSOCK). */
struct socket *sock_of(const struct file *f);

/* The calls: they wait as the file's O_NONBLOCK and the timeouts say, and may return
 * -LX_EPARK; they use t->restart.done, .deadline and .scratch[0]. */
long sock_connect(struct task *t, struct file *f, const struct lx_sockaddr_storage *addr,
		  uint32_t len);
long sock_accept(struct task *t, struct file *f, struct socket **out);
/* Bytes sent, or an error with SIGPIPE already raised. */
int64_t sock_send(struct task *t, struct file *f, struct sockmsg *m);
int64_t sock_recv(struct task *t, struct file *f, struct sockmsg *m);
int sock_setsockopt(struct task *t, struct socket *s, int level, int name, const void *val,
		    uint32_t len);
int sock_getsockopt(struct task *t, struct socket *s, int level, int name, void *val,
		    uint32_t *len);

/* Hand a received message's control data to the guest: credentials, descriptors (which
 * get numbers in t), then ready-made messages. *len: in: room at ctl; out: bytes used.
 * Consumes m->scm. Sets LX_MSG_CTRUNC in m->out_flags where something did not fit. */
int sock_put_control(struct task *t, struct sockmsg *m, struct uaddr ctl,
		     uint64_t *len);
/* Free what a receive left in m without handing it out. */
void sockmsg_fini(struct kernel *k, struct sockmsg *m);

/* A message from the kernel to a netlink socket (mq_notify(2)): it is received before what
 * comes from the network. Lost if there is no room for it; s of any other kind: nothing. */
void sock_inject(struct socket *s, const void *data, uint32_t len);

/* At kernel_free(): after all tasks and files are gone. */
void net_fini(struct kernel *k);

#endif
