/* AF_UNIX sockets. */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/ioctl.h>

#include "tests/harness/guest.h"

static void *volatile bad = (void *)8;

static socklen_t name_of(struct sockaddr_un *a, const char *path)
{
	memset(a, 0, sizeof(*a));
	a->sun_family = AF_UNIX;
	strcpy(a->sun_path, path);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path) + 1);
}

/* A name without a file: after a zero byte, as many bytes as the length says. */
static socklen_t abstract(struct sockaddr_un *a, const char *what)
{
	int n;

	memset(a, 0, sizeof(*a));
	a->sun_family = AF_UNIX;
	n = snprintf(a->sun_path + 1, 100, "%s-%d", what, getpid());
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
}

static int listener(const char *path, int type, int backlog)
{
	struct sockaddr_un a;
	int fd = socket(AF_UNIX, type, 0);

	CHECK(fd >= 0);
	CHECK_EQ(bind(fd, (struct sockaddr *)&a, name_of(&a, path)), 0);
	CHECK_EQ(listen(fd, backlog), 0);
	return fd;
}

static int dial(const char *path, int type)
{
	struct sockaddr_un a;
	int fd = socket(AF_UNIX, type, 0);

	CHECK(fd >= 0);
	CHECK_EQ(connect(fd, (struct sockaddr *)&a, name_of(&a, path)), 0);
	return fd;
}

static short poll_now(int fd, short events)
{
	struct pollfd pf = { .fd = fd, .events = events };

	CHECK(poll(&pf, 1, 0) >= 0);
	return pf.revents;
}

static volatile int ticks;

static void on_tick(int sig)
{
	(void)sig;
	ticks++;
}

CASE(pair_of_streams, "socketpair,read,write,close")
{
	int sv[2];
	char b[16] = "";

	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
	CHECK_EQ(fcntl(sv[0], F_GETFD), FD_CLOEXEC);
	CHECK_EQ(write(sv[0], "abc", 3), 3);
	CHECK_EQ(write(sv[0], "def", 3), 3);
	CHECK_EQ(read(sv[1], b, 16), 6); /* no boundaries */
	CHECK_EQ(write(sv[1], "x", 1), 1);
	CHECK_EQ(read(sv[0], b, 16), 1);
	CHECK_EQ(write(sv[0], "z", 1), 1);
	CHECK_EQ(close(sv[0]), 0);
	CHECK_EQ(read(sv[1], b, 16), 1);
	CHECK_EQ(read(sv[1], b, 16), 0);
	signal(SIGPIPE, on_tick);
	CHECK_ERR(write(sv[1], "x", 1), EPIPE);
	CHECK_EQ(ticks, 1);
	CHECK_ERR(send(sv[1], "x", 1, MSG_NOSIGNAL), EPIPE);
	CHECK_EQ(ticks, 1);
	CHECK_ERR(lseek(sv[1], 0, SEEK_CUR), ESPIPE);
}

CASE(socket_errors, "socket,socketpair")
{
	int sv[2], p[2];
	char c;

	CHECK_ERR(socket(AF_UNIX, 99, 0), EINVAL);
	CHECK_ERR(socket(9999, SOCK_STREAM, 0), EAFNOSUPPORT);
	CHECK_ERR(socket(AF_UNIX, SOCK_STREAM, 77), EPROTONOSUPPORT);
	CHECK_ERR(socket(AF_UNIX, SOCK_RDM, 0), ESOCKTNOSUPPORT);
	CHECK_ERR(socketpair(AF_INET, SOCK_STREAM, 0, sv), EOPNOTSUPP);
	CHECK_ERR(syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, bad), EFAULT);
	CHECK_EQ(pipe(p), 0);
	CHECK_ERR(recv(p[0], &c, 1, 0), ENOTSOCK);
	CHECK_ERR(listen(p[0], 1), ENOTSOCK);
	CHECK_ERR(accept(p[0], NULL, NULL), ENOTSOCK);
	CHECK_ERR(listen(999, 1), EBADF);
}

CASE(connect_and_accept, "bind,listen,connect,accept,accept4,getsockname,getpeername")
{
	int l = listener("s", SOCK_STREAM, 5), c = dial("s", SOCK_STREAM), a, b;
	struct sockaddr_un n;
	struct stat st;
	socklen_t len = sizeof(n);
	char buf[8];

	CHECK(stat("s", &st) == 0 && S_ISSOCK(st.st_mode));
	CHECK_EQ(write(c, "early", 5), 5); /* before it has been accepted */
	a = accept(l, (struct sockaddr *)&n, &len);
	CHECK(a >= 0 && len == 2 && n.sun_family == AF_UNIX); /* the peer has no name */
	CHECK_EQ(read(a, buf, 8), 5);
	len = sizeof(n);
	CHECK_EQ(getpeername(c, (struct sockaddr *)&n, &len), 0);
	CHECK(len == 4 && !strcmp(n.sun_path, "s"));
	len = sizeof(n);
	CHECK_EQ(getsockname(a, (struct sockaddr *)&n, &len), 0);
	CHECK(!strcmp(n.sun_path, "s"));
	len = 3;
	memset(&n, '#', sizeof(n));
	CHECK_EQ(getsockname(a, (struct sockaddr *)&n, &len), 0);
	CHECK(len == 4 && n.sun_path[0] == 's' && n.sun_path[1] == '#'); /* cut, and told so */
	b = dial("s", SOCK_STREAM);
	a = accept4(l, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	CHECK(a >= 0 && fcntl(a, F_GETFD) == FD_CLOEXEC && (fcntl(a, F_GETFL) & O_NONBLOCK));
	CHECK_ERR(read(a, buf, 8), EAGAIN);
	CHECK_ERR(accept4(l, NULL, NULL, 1), EINVAL);
	CHECK_ERR(accept(b, NULL, NULL), EINVAL);
	CHECK_EQ(close(b), 0);
}

CASE(bind_and_connect_errors, "bind,connect,listen")
{
	struct sockaddr_un a;
	int l = listener("s", SOCK_STREAM, 5), fd = socket(AF_UNIX, SOCK_STREAM, 0);
	socklen_t n = name_of(&a, "s");

	CHECK_ERR(bind(fd, (struct sockaddr *)&a, n), EADDRINUSE);
	CHECK_ERR(bind(l, (struct sockaddr *)&a, name_of(&a, "t")), EINVAL);
	CHECK_ERR(bind(fd, (struct sockaddr *)&a, 1), EINVAL);
	CHECK_ERR(bind(fd, (struct sockaddr *)&a, 200), EINVAL);
	CHECK_ERR(bind(fd, (struct sockaddr *)&a, name_of(&a, "none/t")), ENOENT);
	CHECK_ERR(connect(fd, (struct sockaddr *)&a, name_of(&a, "none")), ENOENT);
	close(open("f", O_CREAT | O_RDWR, 0600));
	CHECK_ERR(connect(fd, (struct sockaddr *)&a, name_of(&a, "f")), ECONNREFUSED);
	CHECK_ERR(listen(fd, 1), EINVAL); /* has no name */
	a.sun_family = 77;
	CHECK_ERR(connect(fd, (struct sockaddr *)&a, n), EINVAL);
	CHECK_ERR(connect(fd, bad, n), EFAULT);
	CHECK_EQ(connect(fd, (struct sockaddr *)&a, name_of(&a, "s")), 0);
	CHECK_ERR(connect(fd, (struct sockaddr *)&a, name_of(&a, "s")), EISCONN);
	fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	CHECK_ERR(connect(fd, (struct sockaddr *)&a, name_of(&a, "s")), EPROTOTYPE);
	CHECK_ERR(listen(fd, 1), EOPNOTSUPP);
	close(l);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK_ERR(connect(fd, (struct sockaddr *)&a, name_of(&a, "s")), ECONNREFUSED);
	struct sockaddr_un peer;
	n = sizeof(peer);
	CHECK_ERR(getpeername(fd, (struct sockaddr *)&peer, &n), ENOTCONN);
	CHECK_ERR(read(fd, &peer, 1), EINVAL);
	CHECK_ERR(send(fd, "x", 1, MSG_NOSIGNAL), ENOTCONN);
}

CASE(abstract_names, "bind,connect,getsockname")
{
	struct sockaddr_un a, got;
	int l = socket(AF_UNIX, SOCK_STREAM, 0), c = socket(AF_UNIX, SOCK_STREAM, 0);
	socklen_t n = abstract(&a, "guest"), len = sizeof(got);

	CHECK_EQ(bind(l, (struct sockaddr *)&a, n), 0);
	CHECK_EQ(listen(l, 1), 0);
	CHECK_EQ(getsockname(l, (struct sockaddr *)&got, &len), 0);
	CHECK(len == n && !memcmp(&got, &a, n));
	CHECK_ERR(bind(c, (struct sockaddr *)&a, n), EADDRINUSE);
	CHECK_ERR(connect(c, (struct sockaddr *)&a, n + 1), ECONNREFUSED); /* the length is part of it */
	CHECK_EQ(connect(c, (struct sockaddr *)&a, n), 0);
	close(l);
	l = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK_EQ(bind(l, (struct sockaddr *)&a, n), 0); /* gone with its socket */
	/* With only the family, the system picks a name. */
	c = socket(AF_UNIX, SOCK_DGRAM, 0);
	CHECK_EQ(bind(c, (struct sockaddr *)&a, 2), 0);
	len = sizeof(got);
	CHECK_EQ(getsockname(c, (struct sockaddr *)&got, &len), 0);
	CHECK(len == 8 && got.sun_path[0] == 0);
}

CASE(backlog_limit, "listen,connect,accept")
{
	struct sockaddr_un a;
	int l = listener("s", SOCK_STREAM, 0), c[3];
	socklen_t n = name_of(&a, "s");

	for (int i = 0; i < 3; i++)
		c[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	CHECK_EQ(connect(c[0], (struct sockaddr *)&a, n), 0);
	CHECK_ERR(connect(c[1], (struct sockaddr *)&a, n), EAGAIN);
	CHECK_EQ(poll_now(l, POLLIN), POLLIN);
	CHECK(accept(l, NULL, NULL) >= 0);
	CHECK_EQ(connect(c[1], (struct sockaddr *)&a, n), 0);
	CHECK_EQ(fcntl(l, F_SETFL, O_NONBLOCK), 0);
	CHECK(accept(l, NULL, NULL) >= 0);
	CHECK_ERR(accept(l, NULL, NULL), EAGAIN);
	/* A queued connection is refused when the listener goes. */
	CHECK_EQ(connect(c[2], (struct sockaddr *)&a, n), 0);
	close(l);
	char b;
	CHECK_ERR(read(c[2], &b, 1), ECONNRESET);
}

static void *accepter(void *arg)
{
	int fd = accept((int)(intptr_t)arg, NULL, NULL);

	return (void *)(intptr_t)(fd >= 0 && write(fd, "hello", 5) == 5);
}

CASE(blocking_accept, "accept,connect,clone")
{
	int l = listener("s", SOCK_STREAM, 5);
	char b[8];
	pthread_t t;
	void *r;

	CHECK_EQ(pthread_create(&t, NULL, accepter, (void *)(intptr_t)l), 0);
	for (int i = 0; i < 20; i++)
		sched_yield();
	CHECK_EQ(recv(dial("s", SOCK_STREAM), b, 8, 0), 5);
	CHECK_EQ(pthread_join(t, &r), 0);
	CHECK(r != NULL);
}

CASE(shutdown_halves, "shutdown,poll")
{
	int sv[2];
	char b[8];

	signal(SIGPIPE, SIG_IGN);
	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	CHECK_EQ(poll_now(sv[0], POLLIN | POLLOUT), POLLOUT);
	CHECK_EQ(write(sv[0], "last", 4), 4);
	CHECK_EQ(shutdown(sv[0], SHUT_WR), 0);
	CHECK_ERR(write(sv[0], "x", 1), EPIPE);
	CHECK_EQ(read(sv[1], b, 8), 4);
	CHECK_EQ(read(sv[1], b, 8), 0);
	CHECK_EQ(poll_now(sv[1], POLLIN | POLLRDHUP | POLLOUT), POLLIN | POLLRDHUP | POLLOUT);
	CHECK_EQ(write(sv[1], "back", 4), 4); /* the other way is open */
	CHECK_EQ(read(sv[0], b, 8), 4);
	CHECK_EQ(shutdown(sv[0], SHUT_RD), 0);
	CHECK_ERR(write(sv[1], "x", 1), EPIPE);
	CHECK(poll_now(sv[0], POLLIN) & POLLHUP);
	CHECK_ERR(shutdown(sv[0], 3), EINVAL);
	CHECK_EQ(shutdown(socket(AF_UNIX, SOCK_STREAM, 0), SHUT_RD), 0); /* needs no peer */
}

CASE(datagrams, "sendto,recvfrom,bind,connect")
{
	struct sockaddr_un a, from;
	int s = socket(AF_UNIX, SOCK_DGRAM, 0), c = socket(AF_UNIX, SOCK_DGRAM, 0), p[2];
	socklen_t n = name_of(&a, "server"), len = sizeof(from);
	char b[16] = "";

	CHECK_EQ(bind(s, (struct sockaddr *)&a, n), 0);
	CHECK_EQ(sendto(c, "nameless", 8, 0, (struct sockaddr *)&a, n), 8);
	CHECK_EQ(recvfrom(s, b, 4, 0, (struct sockaddr *)&from, &len), 4); /* the rest is lost */
	CHECK_EQ(len, 0);
	struct sockaddr_un own;
	CHECK_EQ(bind(c, (struct sockaddr *)&own, name_of(&own, "client")), 0);
	CHECK_EQ(sendto(c, "", 0, 0, (struct sockaddr *)&a, n), 0); /* empty ones are carried */
	len = sizeof(from);
	CHECK_EQ(recvfrom(s, b, 16, 0, (struct sockaddr *)&from, &len), 0);
	CHECK(!strcmp(from.sun_path, "client") && len == 9);
	CHECK_ERR(send(c, "x", 1, 0), ENOTCONN);
	CHECK_EQ(connect(c, (struct sockaddr *)&a, n), 0);
	CHECK_EQ(send(c, "one", 3, 0), 3);
	CHECK_EQ(send(c, "two!", 4, 0), 4);
	CHECK_EQ(recv(s, b, 16, MSG_TRUNC), 3);
	CHECK_EQ(recv(s, b, 2, MSG_TRUNC), 4); /* the real length */
	CHECK_ERR(recv(s, b, 1, MSG_DONTWAIT), EAGAIN);
	CHECK_ERR(recvfrom(s, b, 1, MSG_OOB, NULL, NULL), EOPNOTSUPP);
	/* A socket connected elsewhere takes nothing from others. */
	CHECK_EQ(socketpair(AF_UNIX, SOCK_DGRAM, 0, p), 0);
	CHECK_EQ(connect(s, (struct sockaddr *)&own, name_of(&own, "client")), 0);
	CHECK_ERR(sendto(p[0], "x", 1, 0, (struct sockaddr *)&a, n), EPERM);
	close(s);
	CHECK_ERR(send(c, "x", 1, 0), ECONNREFUSED);
	CHECK_ERR(sendto(p[0], "x", 1, 0, (struct sockaddr *)&a, n), ECONNREFUSED);
}

CASE(datagram_limits, "sendto,setsockopt,getsockopt")
{
	int sv[2], v = 0;
	socklen_t n = sizeof(v);
	char *big = calloc(1, 1 << 20);

	CHECK_EQ(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, sv), 0);
	CHECK_EQ(getsockopt(sv[0], SOL_SOCKET, SO_SNDBUF, &v, &n), 0);
	CHECK(v > 4096 && n == 4);
	CHECK_ERR(send(sv[0], big, 1 << 20, 0), EMSGSIZE);
	int sent = 0;
	while (send(sv[0], "x", 1, 0) == 1)
		sent++;
	CHECK_EQ(errno, EAGAIN);
	CHECK(sent >= 10);
	CHECK_EQ(poll_now(sv[0], POLLOUT), 0);
	for (int i = 0; i < sent; i++)
		CHECK_EQ(recv(sv[1], big, 1, 0), 1);
	CHECK_EQ(poll_now(sv[0], POLLOUT), POLLOUT);
}

CASE(seqpackets, "socketpair,recvmsg,sendmsg,accept")
{
	int sv[2], l = listener("s", SOCK_SEQPACKET, 1), c = dial("s", SOCK_SEQPACKET), a = accept(l, NULL, NULL);
	char b[16];
	struct iovec v = { b, 2 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };

	CHECK_EQ(send(c, "hello", 5, 0), 5);
	CHECK_EQ(recv(a, b, 16, 0), 5);
	CHECK_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv), 0);
	CHECK_EQ(write(sv[0], "abc", 3), 3);
	CHECK_EQ(write(sv[0], "de", 2), 2);
	CHECK_EQ(recvmsg(sv[1], &m, 0), 2);
	CHECK_EQ(m.msg_flags & MSG_TRUNC, MSG_TRUNC);
	CHECK_EQ(read(sv[1], b, 16), 2); /* the boundary stays */
	close(sv[0]);
	CHECK_EQ(read(sv[1], b, 16), 0);
}

CASE(receive_flags, "recvfrom,recvmsg")
{
	int sv[2];
	char b[16] = "";
	pid_t p;
	int st;

	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	CHECK_ERR(recv(sv[1], b, 1, MSG_DONTWAIT), EAGAIN);
	CHECK_EQ(send(sv[0], "abcdef", 6, 0), 6);
	CHECK_EQ(recv(sv[1], b, 3, MSG_PEEK), 3);
	CHECK_EQ(recv(sv[1], b, 3, MSG_PEEK), 3);
	CHECK(!memcmp(b, "abc", 3));
	CHECK_EQ(recv(sv[1], b, 6, 0), 6);
	p = fork();
	if (p == 0) {
		for (int i = 0; i < 8; i++) {
			if (send(sv[0], "x", 1, 0) != 1)
				_exit(1);
			sched_yield();
		}
		_exit(0);
	}
	CHECK_EQ(recv(sv[1], b, 8, MSG_WAITALL), 8);
	CHECK_EQ(waitpid(p, &st, 0), p);
	CHECK_EQ(send(sv[0], "zz", 2, 0), 2);
	shutdown(sv[0], SHUT_WR);
	CHECK_EQ(recv(sv[1], b, 8, MSG_WAITALL), 2); /* the end cuts it short */
}

CASE(timeouts, "setsockopt,getsockopt,recvfrom")
{
	struct timeval tv = { 0, 20000 }, got;
	socklen_t n = sizeof(got);
	int sv[2];
	char c;

	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	CHECK_EQ(setsockopt(sv[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)), 0);
	CHECK_EQ(getsockopt(sv[0], SOL_SOCKET, SO_RCVTIMEO, &got, &n), 0);
	CHECK(got.tv_sec == 0 && got.tv_usec == 20000);
	CHECK_ERR(recv(sv[0], &c, 1, 0), EAGAIN);
	CHECK_ERR(read(sv[0], &c, 1), EAGAIN);
	tv.tv_usec = 1000000;
	CHECK_ERR(setsockopt(sv[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)), EDOM);
	CHECK_ERR(setsockopt(sv[0], SOL_SOCKET, SO_RCVTIMEO, &tv, 4), EINVAL);
}

CASE(options, "getsockopt,setsockopt")
{
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0), v = -1, l = listener("s", SOCK_STREAM, 1);
	socklen_t n = sizeof(v);

	CHECK_EQ(getsockopt(fd, SOL_SOCKET, SO_TYPE, &v, &n), 0);
	CHECK(v == SOCK_DGRAM && n == 4);
	CHECK_EQ(getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &v, &n), 0);
	CHECK_EQ(v, AF_UNIX);
	CHECK_EQ(getsockopt(l, SOL_SOCKET, SO_ACCEPTCONN, &v, &n), 0);
	CHECK_EQ(v, 1);
	CHECK_EQ(getsockopt(fd, SOL_SOCKET, SO_ERROR, &v, &n), 0);
	CHECK_EQ(v, 0);
	v = 20000;
	CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &v, 4), 0);
	CHECK_EQ(getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &v, &n), 0);
	CHECK_EQ(v, 40000); /* doubled, for the books */
	n = 2;
	CHECK_EQ(getsockopt(fd, SOL_SOCKET, SO_TYPE, &v, &n), 0);
	CHECK_EQ(n, 2);
	n = (socklen_t)-1;
	CHECK_ERR(getsockopt(fd, SOL_SOCKET, SO_TYPE, &v, &n), EINVAL);
	n = 4;
	CHECK_ERR(getsockopt(fd, SOL_SOCKET, 9999, &v, &n), ENOPROTOOPT);
	CHECK_ERR(setsockopt(fd, SOL_SOCKET, 9999, &v, 4), ENOPROTOOPT);
	CHECK_ERR(setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &v, 2), EINVAL);
	CHECK_ERR(setsockopt(fd, SOL_SOCKET, SO_PASSCRED, bad, 4), EFAULT);
	CHECK_ERR(getsockopt(999, SOL_SOCKET, SO_TYPE, &v, &n), EBADF);
}

static int send_fds(int via, const int *fds, int count)
{
	union { struct cmsghdr h; char space[CMSG_SPACE(sizeof(int) * 300)]; } u;
	struct iovec v = { "f", 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = &u,
			    .msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)count) };

	memset(&u, 0, sizeof(u));
	u.h.cmsg_level = SOL_SOCKET;
	u.h.cmsg_type = SCM_RIGHTS;
	u.h.cmsg_len = CMSG_LEN(sizeof(int) * (size_t)count);
	memcpy(CMSG_DATA(&u.h), fds, sizeof(int) * (size_t)count);
	return (int)sendmsg(via, &m, 0);
}

/* Receive into room for count descriptors; how many came, or -1. */
static int recv_fds(int via, int *fds, int count, int flags, int *mflags)
{
	union { struct cmsghdr h; char space[CMSG_SPACE(sizeof(int) * 300)]; } u;
	char c;
	struct iovec v = { &c, 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = &u,
			    .msg_controllen = CMSG_LEN(sizeof(int) * (size_t)count) };
	ssize_t n = recvmsg(via, &m, flags);
	int got;

	*mflags = m.msg_flags;
	if (n < 0)
		return -1;
	if (m.msg_controllen < sizeof(u.h))
		return 0;
	CHECK(u.h.cmsg_level == SOL_SOCKET && u.h.cmsg_type == SCM_RIGHTS);
	got = (int)((u.h.cmsg_len - CMSG_LEN(0)) / sizeof(int));
	memcpy(fds, CMSG_DATA(&u.h), sizeof(int) * (size_t)got);
	return got;
}

CASE(passing_descriptors, "sendmsg,recvmsg")
{
	int sv[2], p[2], got[4], fl;
	char c;

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, sv) == 0 && pipe(p) == 0);
	CHECK_EQ(send_fds(sv[0], p, 2), 1);
	close(p[0]);
	CHECK_EQ(write(p[1], "x", 1), 1); /* a descriptor under way keeps the pipe open */
	CHECK_EQ(recv_fds(sv[1], got, 2, MSG_CMSG_CLOEXEC, &fl), 2);
	CHECK_EQ(fl & MSG_CTRUNC, 0);
	CHECK_EQ(fcntl(got[0], F_GETFD), FD_CLOEXEC);
	CHECK(read(got[0], &c, 1) == 1 && c == 'x');
	/* Too little room: the rest is closed, and that is said. */
	close(got[0]);
	close(got[1]);
	CHECK_EQ(pipe(p), 0);
	CHECK_EQ(send_fds(sv[0], p, 2), 1);
	close(p[1]);
	CHECK_EQ(recv_fds(sv[1], got, 1, 0, &fl), 1);
	CHECK_EQ(fl & MSG_CTRUNC, MSG_CTRUNC);
	CHECK_EQ(read(got[0], &c, 1), 0);
	/* A plain read drops them. */
	close(got[0]);
	close(p[0]);
	CHECK_EQ(pipe(p), 0);
	CHECK_EQ(send_fds(sv[0], &p[1], 1), 1);
	close(p[1]);
	CHECK_EQ(read(sv[1], &c, 1), 1);
	CHECK_EQ(read(p[0], &c, 1), 0);
	int wrong[1] = { 999 };
	CHECK_ERR(send_fds(sv[0], wrong, 1), EBADF);
	int many[254];
	for (int i = 0; i < 254; i++)
		many[i] = sv[0];
	CHECK_ERR(send_fds(sv[0], many, 254), EINVAL);
	CHECK_EQ(send_fds(sv[0], many, 253), 1);
}

CASE(descriptors_split_messages, "sendmsg,recvmsg")
{
	int sv[2], got[4], fl, fd = dup(0);
	char b[16];

	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	CHECK_EQ(write(sv[0], "aa", 2), 2);
	CHECK_EQ(send_fds(sv[0], &fd, 1), 1);
	CHECK_EQ(write(sv[0], "bb", 2), 2);
	/* One receive never gives more than the message that carries descriptors. */
	CHECK_EQ(recv(sv[1], b, 2, 0), 2);
	CHECK_EQ(recv_fds(sv[1], got, 1, MSG_PEEK, &fl), 1);
	CHECK_EQ(recv_fds(sv[1], got + 1, 1, 0, &fl), 1);
	CHECK(got[0] != got[1]);
	CHECK_EQ(recv(sv[1], b, 16, 0), 2);
}

CASE(unreachable_sockets_are_collected, "sendmsg,close")
{
	/* Sockets that only each other's queues hold: no error, and no leak for ever. */
	for (int i = 0; i < 300; i++) {
		int sv[2];

		CHECK_EQ(socketpair(AF_UNIX, SOCK_DGRAM, 0, sv), 0);
		CHECK_EQ(send_fds(sv[0], &sv[1], 1), 1);
		CHECK_EQ(send_fds(sv[1], &sv[0], 1), 1);
		CHECK(close(sv[0]) == 0 && close(sv[1]) == 0);
	}
}

CASE(credentials, "getsockopt,setsockopt,sendmsg,recvmsg")
{
	union { struct cmsghdr h; char space[CMSG_SPACE(sizeof(struct ucred))]; } u;
	char c;
	struct iovec v = { &c, 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = &u, .msg_controllen = sizeof(u) };
	struct ucred cred;
	socklen_t n = sizeof(cred);
	int sv[2], one = 1;

	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	CHECK_EQ(getsockopt(sv[0], SOL_SOCKET, SO_PEERCRED, &cred, &n), 0);
	CHECK(cred.pid == getpid() && cred.uid == geteuid() && cred.gid == getegid());
	CHECK_EQ(setsockopt(sv[1], SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)), 0);
	pid_t child = fork();
	if (child == 0)
		_exit(write(sv[0], "x", 1) != 1);
	CHECK_EQ(recvmsg(sv[1], &m, 0), 1);
	CHECK(u.h.cmsg_type == SCM_CREDENTIALS && u.h.cmsg_len == CMSG_LEN(sizeof(cred)));
	memcpy(&cred, CMSG_DATA(&u.h), sizeof(cred));
	CHECK(cred.pid == child && cred.uid == geteuid());
	CHECK_EQ(waitpid(child, NULL, 0), child);
	/* Only a privileged sender may pretend. */
	m.msg_controllen = sizeof(u);
	cred.pid = getpid();
	memcpy(CMSG_DATA(&u.h), &cred, sizeof(cred));
	CHECK_EQ(sendmsg(sv[0], &m, 0), 1);
	if (geteuid() == 0)
		CHECK_EQ(setresuid(1000, 1000, 1000), 0);
	cred.uid = 4321;
	memcpy(CMSG_DATA(&u.h), &cred, sizeof(cred));
	CHECK_ERR(sendmsg(sv[0], &m, 0), EPERM);
}

CASE(many_messages, "sendmmsg,recvmmsg")
{
	int sv[2];
	char in[3][4] = { "" };
	struct iovec w[2] = { { "one", 3 }, { "two!", 4 } }, r[3] = { { in[0], 4 }, { in[1], 4 }, { in[2], 4 } };
	struct mmsghdr s[2] = { { .msg_hdr = { .msg_iov = &w[0], .msg_iovlen = 1 } },
				{ .msg_hdr = { .msg_iov = &w[1], .msg_iovlen = 1 } } };
	struct mmsghdr g[3] = { { .msg_hdr = { .msg_iov = &r[0], .msg_iovlen = 1 } },
				{ .msg_hdr = { .msg_iov = &r[1], .msg_iovlen = 1 } },
				{ .msg_hdr = { .msg_iov = &r[2], .msg_iovlen = 1 } } };
	struct timespec ts = { 1, 0 };

	CHECK_EQ(socketpair(AF_UNIX, SOCK_DGRAM, 0, sv), 0);
	CHECK_EQ(sendmmsg(sv[0], s, 2, 0), 2);
	CHECK(s[0].msg_len == 3 && s[1].msg_len == 4);
	CHECK_EQ(recvmmsg(sv[1], g, 3, MSG_WAITFORONE, &ts), 2);
	CHECK(g[0].msg_len == 3 && g[1].msg_len == 4 && !memcmp(in[1], "two!", 4));
	CHECK_ERR(recvmmsg(sv[1], g, 3, MSG_DONTWAIT, NULL), EAGAIN);
	CHECK_EQ(sendmmsg(sv[0], s, 0, 0), 0);
	s[1].msg_hdr.msg_iovlen = 5000;
	CHECK_EQ(sendmmsg(sv[0], s, 2, 0), 1); /* an error after the first counts next time */
	ts.tv_nsec = 1000000000;
	CHECK_ERR(recvmmsg(sv[1], g, 1, 0, &ts), EINVAL);
	CHECK_ERR(sendmmsg(sv[0], s + 1, 1, 0), EMSGSIZE);
}

CASE(big_stream_and_vectors, "sendmsg,recvmsg,readv,writev,fork")
{
	size_t n = 1 << 20, got = 0;
	char *b = malloc(n);
	int sv[2], st;
	pid_t p;

	for (size_t i = 0; i < n; i++)
		b[i] = (char)(i >> 4);
	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	p = fork();
	if (p == 0) {
		struct iovec v[2] = { { b, 1000 }, { b + 1000, n - 1000 } };

		close(sv[1]);
		_exit(writev(sv[0], v, 2) != (ssize_t)n);
	}
	close(sv[0]);
	for (;;) {
		static char in[30000];
		ssize_t r = read(sv[1], in, sizeof(in));

		CHECK(r >= 0);
		if (r == 0)
			break;
		CHECK(!memcmp(in, b + got, (size_t)r));
		got += (size_t)r;
	}
	CHECK_EQ(got, n);
	CHECK_EQ(waitpid(p, &st, 0), p);
	CHECK_EQ(st, 0);
}

CASE(permissions_of_names, "connect,bind")
{
	struct sockaddr_un a;
	int l;

	if (geteuid() != 0)
		SKIP("needs root");
	l = listener("s", SOCK_STREAM, 1);
	CHECK(chmod("s", 0700) == 0 && chmod(".", 0755) == 0);
	CHECK_EQ(setuid(1000), 0);
	l = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK_ERR(connect(l, (struct sockaddr *)&a, name_of(&a, "s")), EACCES);
	CHECK_ERR(bind(l, (struct sockaddr *)&a, name_of(&a, "t")), EACCES);
}

MAIN()
