/* Sockets: making, naming, connecting, options. Messages are in sys_sockmsg.c. */
#include <string.h>

#include "sentry/mm/usercopy.h"
#include "sentry/net/socket.h"
#include "sentry/task/task.h"
#include "sentry/vfs/vfs.h"
#include "syscalls/abi/lx_socket.h"
#include "syscalls/sys_sockmsg.h"
#include "syscalls/syscall_args.h"

#define SOCKOPT_MAX 512 /* bytes of an option's value that are looked at */

struct socket *fd_socket(struct task *t, int fd, struct file **f, int *err)
{
	struct socket *s;

	*f = fd_file(t, fd, err);
	if (*f == NULL)
		return NULL;
	s = sock_of(*f);
	if (s == NULL)
		*err = -LX_ENOTSOCK;
	return s;
}

int sockaddr_in(struct task *t, struct lx_sockaddr_storage *a, struct uaddr p, int32_t len)
{
	memset(a, 0, sizeof(*a));
	if (len < 0 || len > (int32_t)sizeof(*a))
		return -LX_EINVAL;
	return len == 0 ? 0 : copy_in(t, a->bytes, p, (size_t)len);
}

int sockaddr_out(struct task *t, const struct lx_sockaddr_storage *a, uint32_t len,
		 struct uaddr p, struct uaddr ulen)
{
	int32_t room, out = (int32_t)len;
	int err = copy_in(t, &room, ulen, sizeof(room));

	if (err)
		return err;
	if (room < 0)
		return -LX_EINVAL;
	if (len < (uint32_t)room)
		room = out;
	if (room > 0 && copy_out(t, p, a->bytes, (size_t)room))
		return -LX_EFAULT;
	return copy_out(t, ulen, &out, sizeof(out));
}

/* ---- making ---- */

static uint32_t fdflags_of(uint32_t flags)
{
	return flags & LX_SOCK_CLOEXEC ? FD_CLOEXEC_FLAG : 0;
}

static int split_type(int32_t type, int *out_type, uint32_t *out_flags)
{
	*out_flags = (uint32_t)type & ~(uint32_t)LX_SOCK_TYPE_MASK;
	*out_type = type & LX_SOCK_TYPE_MASK;
	return *out_flags & ~(uint32_t)(LX_SOCK_CLOEXEC | LX_SOCK_NONBLOCK) ? -LX_EINVAL : 0;
}

long sys_socket(struct task *t, const struct socket_args *a)
{
	AUTO_PUT(file) struct file *f = NULL;
	struct socket *s;
	uint32_t flags;
	int type, err = split_type(a->type, &type, &flags);

	if (err == 0)
		err = sock_create(t, a->family, type, a->protocol, &s);
	if (err)
		return err;
	f = sock_file_new(s, flags & LX_SOCK_NONBLOCK);
	return f != NULL ? fdtable_add(t, f, fdflags_of(flags)) : -LX_ENFILE;
}

/* Both descriptors or none. */
static long install_pair(struct task *t, struct file *f[2], uint32_t fdflags, struct uaddr out)
{
	int32_t fd[2];
	int err;

	fd[0] = fdtable_add(t, f[0], fdflags);
	if (fd[0] < 0)
		return fd[0];
	fd[1] = fdtable_add(t, f[1], fdflags);
	err = fd[1] < 0 ? fd[1] : copy_out(t, out, fd, sizeof(fd));
	if (err == 0)
		return 0;
	if (fd[1] >= 0)
		(void)fdtable_close(t, fd[1]);
	(void)fdtable_close(t, fd[0]);
	return err;
}

long sys_socketpair(struct task *t, const struct socketpair_args *a)
{
	struct file *f[2];
	struct socket *s[2];
	uint32_t flags;
	int type;
	long err = split_type(a->type, &type, &flags);

	if (err == 0)
		err = sock_create_pair(t, a->family, type, a->protocol, s);
	if (err)
		return err;
	f[0] = sock_file_new(s[0], flags & LX_SOCK_NONBLOCK);
	f[1] = sock_file_new(s[1], flags & LX_SOCK_NONBLOCK);
	err = f[0] != NULL && f[1] != NULL ? install_pair(t, f, fdflags_of(flags), a->usockvec)
					   : -LX_ENFILE;
	if (f[0] != NULL)
		file_put(f[0]);
	if (f[1] != NULL)
		file_put(f[1]);
	return err;
}

/* ---- naming and connecting ---- */

long sys_bind(struct task *t, const struct bind_args *a)
{
	AUTO_PUT(file) struct file *f = NULL;
	struct lx_sockaddr_storage addr;
	int err;
	struct socket *s = fd_socket(t, a->fd, &f, &err);

	if (s == NULL)
		return err;
	err = sockaddr_in(t, &addr, a->umyaddr, a->addrlen);
	if (err)
		return err;
	if (a->addrlen < (int32_t)sizeof(addr.family))
		return -LX_EINVAL;
	return s->ops->bind(t, s, &addr, (uint32_t)a->addrlen);
}

long sys_connect(struct task *t, const struct connect_args *a)
{
	AUTO_PUT(file) struct file *f = NULL;
	struct lx_sockaddr_storage addr;
	int err;

	if (fd_socket(t, a->fd, &f, &err) == NULL)
		return err;
	err = sockaddr_in(t, &addr, a->uservaddr, a->addrlen);
	if (err)
		return err;
	if (a->addrlen < (int32_t)sizeof(addr.family))
		return -LX_EINVAL;
	return sock_connect(t, f, &addr, (uint32_t)a->addrlen);
}

long sys_listen(struct task *t, const struct listen_args *a)
{
	AUTO_PUT(file) struct file *f = NULL;
	int err;
	struct socket *s = fd_socket(t, a->fd, &f, &err);

	return s != NULL ? s->ops->listen(t, s, a->backlog) : err;
}

/* The new connection's peer name, if it still has one. */
static int accept_name(struct task *t, struct socket *s, struct uaddr p, struct uaddr ulen)
{
	struct lx_sockaddr_storage addr;
	uint32_t len;

	if (p.v == 0)
		return 0;
	if (s->ops->getname(s, true, &addr, &len))
		return -LX_ECONNABORTED;
	return sockaddr_out(t, &addr, len, p, ulen);
}

static long do_accept(struct task *t, int fd, struct uaddr p, struct uaddr ulen, uint32_t flags)
{
	AUTO_PUT(file) struct file *lf = NULL;
	AUTO_PUT(file) struct file *f = NULL;
	struct socket *s;
	long err;
	int e;

	if (flags & ~(uint32_t)(LX_SOCK_CLOEXEC | LX_SOCK_NONBLOCK))
		return -LX_EINVAL;
	if (fd_socket(t, fd, &lf, &e) == NULL)
		return e;
	err = sock_accept(t, lf, &s);
	if (err)
		return err;
	f = sock_file_new(s, flags & LX_SOCK_NONBLOCK);
	if (f == NULL)
		return -LX_ENFILE;
	err = accept_name(t, s, p, ulen);
	return err ? err : fdtable_add(t, f, fdflags_of(flags));
}

long sys_accept(struct task *t, const struct accept_args *a)
{
	return do_accept(t, a->fd, a->upeer_sockaddr, a->upeer_addrlen, 0);
}

long sys_accept4(struct task *t, const struct accept4_args *a)
{
	return do_accept(t, a->fd, a->upeer_sockaddr, a->upeer_addrlen, a->flags);
}

static long do_getname(struct task *t, int fd, bool peer, struct uaddr p, struct uaddr ulen)
{
	AUTO_PUT(file) struct file *f = NULL;
	struct lx_sockaddr_storage addr;
	uint32_t len;
	int err;
	struct socket *s = fd_socket(t, fd, &f, &err);

	if (s == NULL)
		return err;
	err = s->ops->getname(s, peer, &addr, &len);
	return err ? err : sockaddr_out(t, &addr, len, p, ulen);
}

long sys_getsockname(struct task *t, const struct getsockname_args *a)
{
	return do_getname(t, a->fd, false, a->usockaddr, a->usockaddr_len);
}

long sys_getpeername(struct task *t, const struct getpeername_args *a)
{
	return do_getname(t, a->fd, true, a->usockaddr, a->usockaddr_len);
}

long sys_shutdown(struct task *t, const struct shutdown_args *a)
{
	AUTO_PUT(file) struct file *f = NULL;
	int err;
	struct socket *s = fd_socket(t, a->fd, &f, &err);

	if (s == NULL)
		return err;
	if (a->how < LX_SHUT_RD || a->how > LX_SHUT_RDWR)
		return -LX_EINVAL;
	return s->ops->shutdown(s, a->how);
}

/* ---- options ---- */

long sys_setsockopt(struct task *t, const struct setsockopt_args *a)
{
	AUTO_PUT(file) struct file *f = NULL;
	_Alignas(8) uint8_t val[SOCKOPT_MAX] = { 0 };
	uint32_t len;
	int err;
	struct socket *s = fd_socket(t, a->fd, &f, &err);

	if (s == NULL)
		return err;
	if (a->optlen < 0)
		return -LX_EINVAL;
	len = a->optlen > SOCKOPT_MAX ? SOCKOPT_MAX : (uint32_t)a->optlen;
	if (len > 0 && copy_in(t, val, a->optval, len))
		return -LX_EFAULT;
	return sock_setsockopt(t, s, a->level, a->optname, val, len);
}

long sys_getsockopt(struct task *t, const struct getsockopt_args *a)
{
	AUTO_PUT(file) struct file *f = NULL;
	_Alignas(8) uint8_t val[SOCKOPT_MAX] = { 0 };
	int32_t room;
	uint32_t len;
	int err;
	struct socket *s = fd_socket(t, a->fd, &f, &err);

	if (s == NULL)
		return err;
	if (copy_in(t, &room, a->optlen, sizeof(room)))
		return -LX_EFAULT;
	if (room < 0)
		return -LX_EINVAL;
	len = room > SOCKOPT_MAX ? SOCKOPT_MAX : (uint32_t)room;
	err = sock_getsockopt(t, s, a->level, a->optname, val, &len);
	if (err)
		return err;
	room = (int32_t)len;
	if (len > 0 && copy_out(t, a->optval, val, len))
		return -LX_EFAULT;
	return copy_out(t, a->optlen, &room, sizeof(room));
}
