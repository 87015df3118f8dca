/* The host calls of guest sockets. Addresses, options and messages lie in the sentry's own
 * buffers; the callers have checked them. Sockets are nonblocking, so nothing waits. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sentry/net/inet_impl.h"

static int result(int r)
{
	return r < 0 ? -errno : r;
}

int nethost_socket(int family, int type, int protocol)
{
	return result(socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol));
}

int nethost_bind(int fd, const void *addr, uint32_t len)
{
	return result(bind(fd, addr, len));
}

int nethost_connect(int fd, const void *addr, uint32_t len)
{
	return result(connect(fd, addr, len));
}

int nethost_listen(int fd, int backlog)
{
	return result(listen(fd, backlog));
}

int nethost_accept(int fd)
{
	return result(accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));
}

int nethost_getname(int fd, bool peer, void *addr, uint32_t *len)
{
	socklen_t n = *len;
	int r = peer ? getpeername(fd, addr, &n) : getsockname(fd, addr, &n);

	if (r < 0)
		return -errno;
	*len = n < *len ? n : *len;
	return 0;
}

int nethost_shutdown(int fd, int how)
{
	return result(shutdown(fd, how));
}

int nethost_setsockopt(int fd, int level, int name, const void *val, uint32_t len)
{
	return result(setsockopt(fd, level, name, val, len));
}

int nethost_getsockopt(int fd, int level, int name, void *val, uint32_t *len)
{
	socklen_t n = *len;

	if (getsockopt(fd, level, name, val, &n) < 0)
		return -errno;
	*len = n < *len ? n : *len;
	return 0;
}

int nethost_ioctl(int fd, uint32_t cmd, void *arg)
{
	return result(ioctl(fd, (unsigned long)cmd, arg));
}

void nethost_close(int fd)
{
	close(fd);
}

int64_t nethost_send(int fd, const struct nethost_msg *m)
{
	struct iovec iov = { m->buf, m->len };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	h.msg_name = m->namelen > 0 ? m->name : NULL;
	h.msg_namelen = m->namelen;
	h.msg_control = m->ctl_len > 0 ? m->ctl : NULL;
	h.msg_controllen = m->ctl_len;
	n = sendmsg(fd, &h, (int)m->flags | MSG_NOSIGNAL | MSG_DONTWAIT);
	return n < 0 ? -errno : n;
}

int64_t nethost_recv(int fd, struct nethost_msg *m)
{
	struct iovec iov = { m->buf, m->len };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	h.msg_name = m->name;
	h.msg_namelen = m->namelen;
	h.msg_control = m->ctl;
	h.msg_controllen = m->ctl_len;
	n = recvmsg(fd, &h, (int)m->flags | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0)
		return -errno;
	m->namelen = h.msg_namelen < m->namelen ? h.msg_namelen : m->namelen;
	m->ctl_len = h.msg_controllen;
	m->flags = (uint32_t)h.msg_flags;
	return n;
}
