/* TCP and UDP over the loopback address. */
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>

#include "tests/harness/guest.h"

typedef struct sockaddr_in in4;
#define SA(p) ((struct sockaddr *)(p))

static void *volatile bad = (void *)8;

static in4 at(uint16_t port)
{
	return (in4){ .sin_family = AF_INET, .sin_port = htons(port),
		      .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static uint16_t port_of(int fd)
{
	in4 a;
	socklen_t n = sizeof(a);

	CHECK_EQ(getsockname(fd, SA(&a), &n), 0);
	CHECK(n == sizeof(a) && a.sin_family == AF_INET);
	return ntohs(a.sin_port);
}

static int bound(int type)
{
	in4 a = at(0);
	int fd = socket(AF_INET, type, 0);

	CHECK(fd >= 0);
	CHECK_EQ(bind(fd, SA(&a), sizeof(a)), 0);
	return fd;
}

static int listener(void)
{
	int fd = bound(SOCK_STREAM);

	CHECK_EQ(listen(fd, 16), 0);
	return fd;
}

static int dial(uint16_t port)
{
	in4 a = at(port);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	CHECK(fd >= 0);
	CHECK_EQ(connect(fd, SA(&a), sizeof(a)), 0);
	return fd;
}

static void tcp_pair(int sv[2])
{
	int l = listener();

	sv[0] = dial(port_of(l));
	sv[1] = accept(l, NULL, NULL);
	CHECK(sv[1] >= 0);
	close(l);
}

static short poll_ms(int fd, short events, int ms)
{
	struct pollfd pf = { .fd = fd, .events = events };

	CHECK(poll(&pf, 1, ms) >= 0);
	return pf.revents;
}

static int get_int(int fd, int level, int opt)
{
	int v = -1;
	socklen_t n = sizeof(v);

	CHECK_EQ(getsockopt(fd, level, opt, &v, &n), 0);
	CHECK_EQ(n, sizeof(v));
	return v;
}

CASE(tcp_connect_accept, "socket,bind,listen,connect,accept,getsockname,getpeername")
{
	int l = listener(), c = dial(port_of(l)), a;
	in4 peer, name;
	socklen_t n = sizeof(peer);
	char b[8] = "";

	a = accept(l, SA(&peer), &n);
	CHECK(a >= 0 && n == sizeof(peer));
	CHECK(ntohs(peer.sin_port) == port_of(c) && peer.sin_addr.s_addr == htonl(INADDR_LOOPBACK));
	CHECK_EQ(port_of(a), port_of(l));
	n = sizeof(name);
	CHECK_EQ(getpeername(c, SA(&name), &n), 0);
	CHECK_EQ(ntohs(name.sin_port), port_of(l));
	CHECK_EQ(write(c, "ping", 4), 4);
	CHECK_EQ(read(a, b, 8), 4);
	CHECK_EQ(write(a, "pong!", 5), 5);
	CHECK_EQ(read(c, b, 8), 5);
	CHECK_EQ(close(c), 0);
	CHECK_EQ(read(a, b, 8), 0);
	n = sizeof(name);
	CHECK_ERR(getpeername(l, SA(&name), &n), ENOTCONN);
	n = (socklen_t)-1;
	CHECK_ERR(getsockname(l, SA(&name), &n), EINVAL);
	CHECK_ERR(getsockname(l, bad, &n), EINVAL);
	n = sizeof(name);
	CHECK_ERR(getsockname(l, bad, &n), EFAULT);
}

CASE(refused_and_in_use, "connect,bind,listen")
{
	int held = bound(SOCK_STREAM), fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
	in4 a = at(port_of(held)), far = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0xcb007101) };

	CHECK_ERR(connect(fd, SA(&a), sizeof(a)), ECONNREFUSED);
	CHECK_ERR(bind(fd, SA(&a), sizeof(a)), EADDRINUSE);
	CHECK_ERR(bind(fd, SA(&far), sizeof(far)), EADDRNOTAVAIL);
	CHECK_EQ(listen(held, 1), 0);
	CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, 4), 0);
	CHECK_EQ(setsockopt(held, SOL_SOCKET, SO_REUSEADDR, &one, 4), 0);
	CHECK_ERR(bind(fd, SA(&a), sizeof(a)), EADDRINUSE); /* not over a listener */
	close(held);
	CHECK_EQ(bind(fd, SA(&a), sizeof(a)), 0);
	CHECK_ERR(bind(fd, SA(&a), sizeof(a)), EINVAL); /* only once */
}

CASE(address_errors, "bind,connect,socket")
{
	in4 a = at(0);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	CHECK_ERR(bind(fd, SA(&a), 4), EINVAL);
	CHECK_ERR(connect(fd, SA(&a), 1), EINVAL);
	CHECK_ERR(connect(fd, bad, sizeof(a)), EFAULT);
	CHECK_ERR(bind(fd, SA(&a), 1000), EINVAL);
	a.sin_family = AF_UNIX;
	CHECK_ERR(bind(fd, SA(&a), sizeof(a)), EAFNOSUPPORT);
	CHECK_ERR(connect(fd, SA(&a), sizeof(a)), EAFNOSUPPORT);
	CHECK_ERR(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP), EPROTONOSUPPORT);
	CHECK_ERR(socket(AF_INET, 0, 0), ESOCKTNOSUPPORT);
	CHECK_ERR(socket(AF_INET, 11, 0), EINVAL);
	CHECK_ERR(socket(AF_INET, SOCK_STREAM | 0x100, 0), EINVAL);
	CHECK_ERR(connect(999, SA(&a), sizeof(a)), EBADF);
}

CASE(wrong_state, "read,accept,connect,shutdown")
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), sv[2];
	in4 a = at(1);
	char b;

	CHECK_ERR(recv(fd, &b, 1, 0), ENOTCONN);
	CHECK_ERR(send(fd, &b, 1, MSG_NOSIGNAL), EPIPE);
	CHECK_ERR(accept(fd, NULL, NULL), EINVAL);
	CHECK_ERR(shutdown(fd, SHUT_RD), ENOTCONN);
	tcp_pair(sv);
	CHECK_ERR(connect(sv[0], SA(&a), sizeof(a)), EISCONN);
	CHECK_ERR(listen(sv[0], 1), EINVAL);
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	CHECK_ERR(listen(fd, 1), EOPNOTSUPP);
	CHECK_ERR(accept(fd, NULL, NULL), EOPNOTSUPP);
	CHECK_ERR(lseek(fd, 0, SEEK_CUR), ESPIPE);
}

CASE(nonblocking_connect, "connect,poll,getsockopt")
{
	int l = listener(), fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), r;
	in4 a = at(port_of(l));

	r = connect(fd, SA(&a), sizeof(a));
	CHECK(r == 0 || errno == EINPROGRESS);
	CHECK_EQ(poll_ms(fd, POLLOUT, 5000), POLLOUT);
	CHECK_EQ(get_int(fd, SOL_SOCKET, SO_ERROR), 0);
	CHECK_EQ(poll_ms(l, POLLIN, 5000), POLLIN);
	CHECK(accept(l, NULL, NULL) >= 0);
	close(l);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	r = connect(fd, SA(&a), sizeof(a));
	CHECK(r == -1);
	if (errno == EINPROGRESS) {
		CHECK(poll_ms(fd, POLLOUT, 5000) & (POLLERR | POLLHUP));
		CHECK_EQ(get_int(fd, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
		CHECK_EQ(get_int(fd, SOL_SOCKET, SO_ERROR), 0); /* told once */
	} else {
		CHECK_EQ(errno, ECONNREFUSED);
	}
}

CASE(nonblocking_transfer, "read,write,accept,poll")
{
	int l = listener(), sv[2];
	static char b[65536];
	long sent = 0, got = 0, n;

	CHECK_EQ(fcntl(l, F_SETFL, O_NONBLOCK), 0);
	CHECK_ERR(accept(l, NULL, NULL), EAGAIN);
	tcp_pair(sv);
	CHECK_EQ(fcntl(sv[0], F_SETFL, O_NONBLOCK), 0);
	CHECK_ERR(read(sv[0], b, 1), EAGAIN);
	CHECK_ERR(recv(sv[1], b, 1, MSG_DONTWAIT), EAGAIN);
	while ((n = write(sv[0], b, sizeof(b))) > 0)
		sent += n;
	CHECK_EQ(errno, EAGAIN);
	CHECK(sent > 0);
	while (got < sent) {
		n = read(sv[1], b, sizeof(b));
		CHECK(n > 0);
		got += n;
	}
	CHECK(poll_ms(sv[0], POLLOUT, 5000) & POLLOUT);
}

CASE(shutdown_and_hang_up, "shutdown,poll,read,write")
{
	int sv[2];
	char b[8];

	signal(SIGPIPE, SIG_IGN);
	tcp_pair(sv);
	CHECK_EQ(poll_ms(sv[0], POLLIN | POLLOUT, 0), POLLOUT);
	CHECK_EQ(write(sv[0], "last", 4), 4);
	CHECK_EQ(shutdown(sv[0], SHUT_WR), 0);
	CHECK_ERR(write(sv[0], "x", 1), EPIPE);
	CHECK_EQ(read(sv[1], b, 8), 4);
	CHECK_EQ(read(sv[1], b, 8), 0);
	CHECK_EQ(poll_ms(sv[1], POLLIN | POLLRDHUP, 5000), POLLIN | POLLRDHUP);
	CHECK_EQ(write(sv[1], "back", 4), 4);
	CHECK_EQ(read(sv[0], b, 8), 4);
	close(sv[1]);
	CHECK_EQ(read(sv[0], b, 8), 0);
	CHECK(poll_ms(sv[0], POLLIN, 5000) & POLLHUP);
	CHECK_ERR(shutdown(socket(AF_INET, SOCK_STREAM, 0), 3), EINVAL);
}

CASE(reset_by_linger, "setsockopt,close,read")
{
	struct linger l = { 1, 0 };
	int sv[2];
	char b;

	signal(SIGPIPE, SIG_IGN);
	tcp_pair(sv);
	CHECK_EQ(setsockopt(sv[0], SOL_SOCKET, SO_LINGER, &l, sizeof(l)), 0);
	CHECK_EQ(close(sv[0]), 0);
	CHECK(poll_ms(sv[1], POLLIN, 5000) & (POLLERR | POLLHUP));
	CHECK_ERR(read(sv[1], &b, 1), ECONNRESET);
	CHECK_EQ(read(sv[1], &b, 1), 0);
	CHECK_ERR(write(sv[1], "x", 1), EPIPE);
}

CASE(options, "getsockopt,setsockopt")
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), v = 1;
	socklen_t n = 4;

	CHECK_EQ(get_int(fd, SOL_SOCKET, SO_TYPE), SOCK_STREAM);
	CHECK_EQ(get_int(fd, SOL_SOCKET, SO_DOMAIN), AF_INET);
	CHECK_EQ(get_int(fd, SOL_SOCKET, SO_PROTOCOL), IPPROTO_TCP);
	CHECK_EQ(get_int(fd, SOL_SOCKET, SO_ACCEPTCONN), 0);
	CHECK_EQ(get_int(fd, IPPROTO_TCP, TCP_NODELAY), 0);
	CHECK_EQ(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &v, 4), 0);
	CHECK_EQ(get_int(fd, IPPROTO_TCP, TCP_NODELAY), 1);
	CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &v, 4), 0);
	CHECK_EQ(get_int(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
	v = 40;
	CHECK_EQ(setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &v, 4), 0);
	CHECK_EQ(get_int(fd, IPPROTO_TCP, TCP_KEEPIDLE), 40);
	CHECK_EQ(setsockopt(fd, IPPROTO_IP, IP_TTL, &v, 4), 0);
	CHECK_EQ(get_int(fd, IPPROTO_IP, IP_TTL), 40);
	v = 30000;
	CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &v, 4), 0);
	CHECK_EQ(get_int(fd, SOL_SOCKET, SO_RCVBUF), 60000);
	CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &v, 4), 0);
	CHECK_EQ(get_int(fd, SOL_SOCKET, SO_REUSEPORT), 1);
	CHECK_ERR(setsockopt(fd, IPPROTO_TCP, 9999, &v, 4), ENOPROTOOPT);
	CHECK_ERR(getsockopt(fd, IPPROTO_TCP, 9999, &v, &n), ENOPROTOOPT);
	CHECK_ERR(setsockopt(fd, 9999, 1, &v, 4), ENOPROTOOPT);
	CHECK_ERR(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &v, 2), EINVAL);
	CHECK_ERR(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, bad, 4), EFAULT);
	CHECK_ERR(getsockopt(fd, SOL_SOCKET, SO_TYPE, &v, bad), EFAULT);
}

CASE(receive_flags, "recvfrom,ioctl,sendto")
{
	int sv[2], n = 0;
	char b[16];

	tcp_pair(sv);
	CHECK_EQ(sendto(sv[0], "abcdef", 6, 0, NULL, 0), 6);
	CHECK_EQ(poll_ms(sv[1], POLLIN, 5000), POLLIN);
	CHECK_EQ(recv(sv[1], b, 3, MSG_PEEK), 3);
	CHECK_EQ(ioctl(sv[1], FIONREAD, &n), 0);
	CHECK_EQ(n, 6);
	CHECK_EQ(recv(sv[1], b, 4, MSG_WAITALL), 4);
	CHECK_EQ(recv(sv[1], b, 16, 0), 2);
	struct timeval tv = { 0, 20000 };
	CHECK_EQ(setsockopt(sv[1], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)), 0);
	CHECK_ERR(recv(sv[1], b, 1, 0), EAGAIN);
}

static volatile int ticks;

static void on_tick(int sig)
{
	(void)sig;
	ticks++;
}

CASE(interrupted, "accept,recvfrom")
{
	struct itimerval it = { { 0, 5000 }, { 0, 5000 } };
	struct sigaction sa = { .sa_handler = on_tick };
	int l = listener(), sv[2];
	char b;

	tcp_pair(sv);
	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &it, NULL);
	CHECK_ERR(accept(l, NULL, NULL), EINTR);
	CHECK_ERR(recv(sv[0], &b, 1, 0), EINTR);
}

CASE(udp_datagrams, "sendto,recvfrom,bind")
{
	int s = bound(SOCK_DGRAM), c = socket(AF_INET, SOCK_DGRAM, 0);
	in4 to = at(port_of(s)), from;
	socklen_t n = sizeof(from);
	char b[16] = "";
	static char big[70000];

	CHECK_ERR(send(c, "x", 1, 0), EDESTADDRREQ);
	CHECK_EQ(sendto(c, "hello", 5, 0, SA(&to), sizeof(to)), 5);
	CHECK_EQ(recvfrom(s, b, 16, 0, SA(&from), &n), 5);
	CHECK(n == sizeof(from) && ntohs(from.sin_port) == port_of(c));
	CHECK_EQ(sendto(s, "reply", 5, 0, SA(&from), n), 5);
	CHECK_EQ(recv(c, b, 2, MSG_TRUNC), 5);
	CHECK_EQ(sendto(c, "", 0, 0, SA(&to), sizeof(to)), 0);
	CHECK_EQ(recv(s, b, 16, 0), 0);
	CHECK_ERR(recv(s, b, 16, MSG_DONTWAIT), EAGAIN);
	CHECK_ERR(sendto(c, big, sizeof(big), 0, SA(&to), sizeof(to)), EMSGSIZE);
	to.sin_port = 0;
	CHECK_ERR(sendto(c, "x", 1, 0, SA(&to), sizeof(to)), EINVAL);
	CHECK_ERR(sendto(c, "x", 1, 0, SA(&to), 3), EINVAL);
}

CASE(udp_connected, "connect,sendto,recvfrom,getpeername")
{
	int s = bound(SOCK_DGRAM), c = bound(SOCK_DGRAM), other = bound(SOCK_DGRAM);
	in4 to = at(port_of(s)), to_c = at(port_of(c)), name;
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	socklen_t n = sizeof(name);
	char b[8];

	CHECK_EQ(connect(c, SA(&to), sizeof(to)), 0);
	CHECK_EQ(getpeername(c, SA(&name), &n), 0);
	CHECK_EQ(name.sin_port, to.sin_port);
	CHECK_EQ(sendto(other, "bad", 3, 0, SA(&to_c), sizeof(to_c)), 3); /* not from the peer */
	CHECK_EQ(sendto(s, "good", 4, 0, SA(&to_c), sizeof(to_c)), 4);
	CHECK_EQ(recv(c, b, 8, 0), 4);
	CHECK_ERR(recv(c, b, 8, MSG_DONTWAIT), EAGAIN);
	/* Nobody listens any more: the refusal comes back as an error, once. */
	close(s);
	CHECK_EQ(send(c, "x", 1, 0), 1);
	CHECK(poll_ms(c, POLLIN, 5000) & POLLERR);
	CHECK_ERR(recv(c, b, 8, MSG_DONTWAIT), ECONNREFUSED);
	CHECK_ERR(recv(c, b, 8, MSG_DONTWAIT), EAGAIN);
	CHECK_EQ(connect(c, &none, sizeof(none)), 0);
	n = sizeof(name);
	CHECK_ERR(getpeername(c, SA(&name), &n), ENOTCONN);
	CHECK_ERR(send(c, "x", 1, 0), EDESTADDRREQ);
}

CASE(udp_vectors, "sendmsg,recvmsg,sendmmsg,recvmmsg")
{
	int s = bound(SOCK_DGRAM), c = socket(AF_INET, SOCK_DGRAM, 0);
	in4 to = at(port_of(s)), from;
	char a[4] = "", b[4] = "";
	struct iovec w[2] = { { "ab", 2 }, { "cd", 2 } }, r[2] = { { a, 1 }, { b, 2 } };
	struct msghdr out = { .msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = w, .msg_iovlen = 2 };
	struct msghdr in = { .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = r, .msg_iovlen = 2 };
	struct mmsghdr mm[2] = { { .msg_hdr = out }, { .msg_hdr = out } };

	CHECK_EQ(sendmsg(c, &out, 0), 4);
	CHECK_EQ(recvmsg(s, &in, 0), 3);
	CHECK(in.msg_flags == MSG_TRUNC && in.msg_namelen == sizeof(from) && a[0] == 'a' && b[1] == 'c');
	CHECK_EQ(sendmmsg(c, mm, 2, 0), 2);
	CHECK_EQ(mm[1].msg_len, 4);
	mm[0].msg_hdr = mm[1].msg_hdr = (struct msghdr){ .msg_iov = r, .msg_iovlen = 2 };
	CHECK_EQ(recvmmsg(s, mm, 2, 0, NULL), 2);
	out.msg_iovlen = 2000;
	CHECK_ERR(sendmsg(c, &out, 0), EMSGSIZE);
	CHECK_ERR(sendmsg(c, bad, 0), EFAULT);
}

CASE(server_of_many, "accept,connect,fork,clone")
{
	int l = listener(), st;
	uint16_t port = port_of(l);
	pid_t p[20];
	char b;

	for (int i = 0; i < 20; i++) {
		p[i] = fork();
		if (p[i] == 0) {
			int fd = dial(port);

			b = (char)i;
			_exit(!(write(fd, &b, 1) == 1 && read(fd, &b, 1) == 1 && b == i + 1));
		}
	}
	for (int i = 0; i < 20; i++) {
		int a = accept(l, NULL, NULL);

		CHECK(a >= 0 && read(a, &b, 1) == 1);
		b++;
		CHECK_EQ(write(a, &b, 1), 1);
		close(a);
	}
	for (int i = 0; i < 20; i++) {
		CHECK_EQ(waitpid(p[i], &st, 0), p[i]);
		CHECK_EQ(st, 0);
	}
}

CASE(large_transfer, "read,write,fork")
{
	size_t n = 4 << 20, got = 0;
	char *b = malloc(n);
	static char in[50000];
	int sv[2], st;
	pid_t p;

	for (size_t i = 0; i < n; i++)
		b[i] = (char)(i * 7 >> 5);
	tcp_pair(sv);
	p = fork();
	if (p == 0) {
		close(sv[1]);
		_exit(write(sv[0], b, n) != (ssize_t)n);
	}
	close(sv[0]);
	for (;;) {
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

CASE(version_six, "socket,bind,connect")
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	int l = socket(AF_INET6, SOCK_STREAM, 0), c;
	socklen_t n = sizeof(a);
	char b;

	if (l < 0 || bind(l, SA(&a), sizeof(a)) < 0)
		SKIP("no IPv6 loopback");
	CHECK_EQ(listen(l, 1), 0);
	CHECK_EQ(getsockname(l, SA(&a), &n), 0);
	CHECK_EQ(n, sizeof(a));
	c = socket(AF_INET6, SOCK_STREAM, 0);
	CHECK_EQ(connect(c, SA(&a), sizeof(a)), 0);
	l = accept(l, NULL, NULL);
	CHECK(write(c, "6", 1) == 1 && read(l, &b, 1) == 1 && b == '6');
}

CASE(interfaces, "socket,sendto,recvmsg,ioctl")
{
	struct ifaddrs *list, *i;
	struct ifreq r = { .ifr_name = "lo" };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	bool found = false;

	CHECK_EQ(getifaddrs(&list), 0);
	for (i = list; i; i = i->ifa_next)
		if (i->ifa_addr && i->ifa_addr->sa_family == AF_INET && !strcmp(i->ifa_name, "lo"))
			found = ((in4 *)(void *)i->ifa_addr)->sin_addr.s_addr == htonl(INADDR_LOOPBACK);
	CHECK(found);
	CHECK_EQ(ioctl(fd, SIOCGIFFLAGS, &r), 0);
	CHECK(r.ifr_flags & IFF_LOOPBACK);
	CHECK(if_nametoindex("lo") > 0);
	strcpy(r.ifr_name, "none9");
	CHECK_ERR(ioctl(fd, SIOCGIFFLAGS, &r), ENODEV);
}

MAIN()
