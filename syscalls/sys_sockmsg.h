/* Shared by sys_socket.c and sys_sockmsg.c. */
#ifndef SYSCALLS_SYS_SOCKMSG_H
#define SYSCALLS_SYS_SOCKMSG_H

#include "sentry/net/socket.h"

/* The socket behind fd (borrowed from *f, which the caller puts); NULL: *err. */
struct socket *fd_socket(struct task *t, int fd, struct file **f, int *err);
/* An address from the guest: 0, -LX_EINVAL (length), -LX_EFAULT. The rest is zero. */
int sockaddr_in(struct task *t, struct lx_sockaddr_storage *a, struct uaddr p, int32_t len);
/* An address to the guest, cut to the room that *ulen gives; *ulen gets the full length. */
int sockaddr_out(struct task *t, const struct lx_sockaddr_storage *a, uint32_t len,
		 struct uaddr p, struct uaddr ulen);

#endif
