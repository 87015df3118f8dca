/* AF_UNIX sockets through their handlers: connections, messages, descriptors in flight. */
#include "tests/unit/net_world.h"

TestSuite(unix_socket, .init = setup, .fini = teardown);

static int sock(int type)
{
	return (int)CALL(A, socket, .family = LX_AF_UNIX, .type = type, .protocol = 0);
}
static void pair(int type, int32_t s[2])
{
	cr_assert_eq(CALL(A, socketpair, .family = LX_AF_UNIX, .type = type | LX_SOCK_NONBLOCK,
			  .protocol = 0, .usockvec = U(s)), 0);
}
static long send_to(struct task *t, int fd, const char *s, uint32_t flags)
{
	return CALL(t, sendto, .fd = fd, .buff = U(s), .len = strlen(s), .flags = flags);
}
static long recv_from(struct task *t, int fd, void *buf, size_t n, uint32_t flags)
{
	return CALL(t, recvfrom, .fd = fd, .ubuf = U(buf), .size = n, .flags = flags);
}
static struct lx_sockaddr_un name_of(const char *s, int32_t *len)
{
	struct lx_sockaddr_un a = { .sun_family = LX_AF_UNIX };

	*len = (int32_t)(2 + strlen(s));
	memcpy(a.sun_path, s, strlen(s));
	if (a.sun_path[0] == '@')
		a.sun_path[0] = 0;
	return a;
}
static long bind_to(int fd, const char *s)
{
	int32_t len;
	struct lx_sockaddr_un a = name_of(s, &len);

	return CALL(A, bind, .fd = fd, .umyaddr = U(&a), .addrlen = len);
}
static long connect_to(struct task *t, int fd, const char *s)
{
	int32_t len;
	struct lx_sockaddr_un a = name_of(s, &len);

	return CALL(t, connect, .fd = fd, .uservaddr = U(&a), .addrlen = len);
}

/* Send one byte with descriptors. */
static long send_fds(int fd, const int32_t *list, unsigned n)
{
	_Alignas(8) uint8_t ctl[16 + 4 * 260] = { 0 };
	struct lx_cmsghdr h = { 16 + 4 * n, LX_SOL_SOCKET, LX_SCM_RIGHTS };
	struct uiov iov = { (uint64_t)(uintptr_t) "f", 1 };
	struct lx_msghdr m = { .msg_iov = U(&iov).v, .msg_iovlen = 1, .msg_control = U(ctl).v,
			       .msg_controllen = LX_CMSG_ALIGN(h.cmsg_len) };

	memcpy(ctl, &h, sizeof(h));
	memcpy(ctl + 16, list, 4 * n);
	new_call(A);
	return CALL(A, sendmsg, .fd = fd, .msg = U(&m), .flags = 0);
}
static long recv_fds(int fd, int32_t *list, uint64_t ctl_len, uint32_t *flags)
{
	_Alignas(8) uint8_t ctl[64] = { 0 };
	static char buf[8]; /* not on the stack: that lies above what guests may name */
	struct uiov iov = { U(buf).v, sizeof(buf) };
	struct lx_msghdr m = { .msg_iov = U(&iov).v, .msg_iovlen = 1, .msg_control = U(ctl).v,
			       .msg_controllen = ctl_len };
	long n;

	new_call(A);
	n = CALL(A, recvmsg, .fd = fd, .msg = U(&m), .flags = 0);
	memcpy(list, ctl + 16, 8);
	*flags = m.msg_flags;
	return n;
}

Test(unix_socket, stream_pair)
{
	static char big[300000], back[300000];
	char buf[16];
	int32_t s[2];
	long n, got = 0;

	pair(LX_SOCK_STREAM, s);
	cr_assert_eq(recv_from(A, s[0], buf, 16, 0), -LX_EAGAIN);
	cr_assert_eq(send_to(A, s[0], "hello", 0), 5);
	cr_assert_eq(send_to(A, s[0], "world", 0), 5);
	cr_assert_eq(recv_from(A, s[1], buf, 16, LX_MSG_PEEK), 10);
	cr_assert_eq(recv_from(A, s[1], buf, 7, 0), 7);
	cr_assert_eq(memcmp(buf, "hellowo", 7), 0);
	cr_assert_eq(recv_from(A, s[1], buf, 7, 0), 3);
	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (char)(i % 251);
	n = wr(s[0], big, sizeof(big));
	cr_assert(n > 200000 && n < 300000);
	cr_assert_eq(file_poll(fds.f[s[0]], NULL), 0);
	while (got < n)
		got += rd(s[1], back + got, 10000);
	cr_assert_eq(memcmp(big, back, (size_t)n), 0);
	cr_assert(file_poll(fds.f[s[0]], NULL) & LX_POLLOUT);
	cr_assert_eq(send_to(A, s[0], "x", 0), 1);
	fdtable_close(A, s[1]);
	cr_assert(file_poll(fds.f[s[0]], NULL) & LX_POLLHUP);
	sigpipes = 0;
	cr_assert_eq(send_to(A, s[0], "x", 0), -LX_EPIPE);
	cr_assert_eq(send_to(A, s[0], "x", LX_MSG_NOSIGNAL), -LX_EPIPE);
	cr_assert_eq(sigpipes, 1);
	cr_assert_eq(recv_from(A, s[0], buf, 1, 0), -LX_ECONNRESET);
	cr_assert_eq(recv_from(A, s[0], buf, 1, 0), 0);
}

Test(unix_socket, listen_connect_accept)
{
	int l = sock(LX_SOCK_STREAM), c = sock(LX_SOCK_STREAM), c2 = sock(LX_SOCK_STREAM), a;
	struct lx_sockaddr_un peer;
	int32_t len = sizeof(peer);
	char buf[8];

	cr_assert_eq(connect_to(A, c, "/s"), -LX_ENOENT);
	cr_assert_eq(CALL(A, listen, .fd = l, .backlog = 0), -LX_EINVAL);
	cr_assert_eq(bind_to(l, "/s"), 0);
	cr_assert_eq(bind_to(l, "/s"), -LX_EINVAL);
	cr_assert_eq(bind_to(c2, "/s"), -LX_EADDRINUSE);
	cr_assert_eq(connect_to(A, c, "/s"), -LX_ECONNREFUSED);
	cr_assert_eq(CALL(A, listen, .fd = l, .backlog = 0), 0);
	cr_assert_eq(CALL(B, accept, .fd = l, .upeer_sockaddr = { 0 }), -LX_EPARK);
	cr_assert_eq(connect_to(A, c, "/s"), 0);
	cr_assert_eq(connect_to(A, c, "/s"), -LX_EAGAIN + -LX_EPARK + LX_EAGAIN);
	new_call(A);
	cr_assert(woken(B));
	a = (int)CALL(B, accept, .fd = l, .upeer_sockaddr = { 0 });
	cr_assert_geq(a, 0);
	cr_assert_eq(connect_to(A, c, "/s"), -LX_EISCONN);
	cr_assert_eq(CALL(A, getpeername, .fd = c, .usockaddr = U(&peer),
			  .usockaddr_len = U(&len)), 0);
	cr_assert_eq(len, 5);
	cr_assert_str_eq(peer.sun_path, "/s");
	new_call(A);
	cr_assert_eq(recv_from(A, a, buf, 8, LX_MSG_WAITALL), -LX_EPARK);
	cr_assert_eq(send_to(B, c, "abc", 0), 3);
	cr_assert(woken(A));
	cr_assert_eq(recv_from(A, a, buf, 8, LX_MSG_WAITALL), -LX_EPARK);
	cr_assert_eq(send_to(B, c, "defgh", 0), 5);
	cr_assert(woken(A));
	cr_assert_eq(recv_from(A, a, buf, 8, LX_MSG_WAITALL), 8);
	cr_assert_eq(memcmp(buf, "abcdefgh", 8), 0);
	new_call(A);
	/* a waiting connection is reset when the listener goes */
	cr_assert_eq(connect_to(A, c2, "/s"), 0);
	fdtable_close(A, l);
	cr_assert_eq(recv_from(A, c2, buf, 8, 0), -LX_ECONNRESET);
	cr_assert_eq(connect_to(A, sock(LX_SOCK_STREAM), "/s"), -LX_ECONNREFUSED);
}

Test(unix_socket, datagrams)
{
	int r = sock(LX_SOCK_DGRAM), w = sock(LX_SOCK_DGRAM | LX_SOCK_NONBLOCK);
	struct lx_sockaddr_un from;
	int32_t len = sizeof(from);
	char buf[8];
	int n = 0;

	cr_assert_eq(bind_to(r, "@r"), 0);
	cr_assert_eq(bind_to(w, "@w"), 0);
	cr_assert_eq(send_to(A, w, "x", 0), -LX_ENOTCONN);
	cr_assert_eq(connect_to(A, w, "@r"), 0);
	cr_assert_eq(send_to(A, w, "0123456789", 0), 10);
	cr_assert_eq(CALL(A, recvfrom, .fd = r, .ubuf = U(buf), .size = 4, .flags = LX_MSG_TRUNC,
			  .addr = U(&from), .addr_len = U(&len)), 10);
	cr_assert_eq(len, 4);
	cr_assert_eq(from.sun_path[1], 'w');
	while (send_to(A, w, "y", 0) == 1)
		n++;
	cr_assert_gt(n, 100);
	cr_assert_eq(file_poll(fds.f[w], NULL) & LX_POLLOUT, 0);
	for (; n > 0; n--)
		cr_assert_eq(recv_from(A, r, buf, 8, 0), 1);
	cr_assert(file_poll(fds.f[w], NULL) & LX_POLLOUT);
	fdtable_close(A, r);
	cr_assert_eq(send_to(A, w, "y", 0), -LX_ECONNREFUSED);
	cr_assert_eq(send_to(A, w, "y", 0), -LX_ENOTCONN);
}

Test(unix_socket, seqpacket_keeps_borders)
{
	int32_t s[2];
	char buf[8];

	pair(LX_SOCK_SEQPACKET, s);
	cr_assert_eq(send_to(A, s[0], "ab", 0), 2);
	cr_assert_eq(send_to(A, s[0], "cde", 0), 3);
	cr_assert_eq(recv_from(A, s[1], buf, 8, 0), 2);
	cr_assert_eq(recv_from(A, s[1], buf, 8, 0), 3);
	cr_assert_eq(CALL(A, shutdown, .fd = s[0], .how = LX_SHUT_WR), 0);
	cr_assert_eq(recv_from(A, s[1], buf, 8, 0), 0);
	cr_assert_eq(send_to(A, s[0], "ab", 0), -LX_EPIPE);
	cr_assert_eq(CALL(A, shutdown, .fd = s[0], .how = 3), -LX_EINVAL);
}

Test(unix_socket, timeouts)
{
	struct lx_timeval tv = { 2, 0 };
	int32_t s[2];
	char buf[8];

	cr_assert_eq(CALL(A, socketpair, .family = LX_AF_UNIX, .type = LX_SOCK_STREAM,
			  .usockvec = U(s)), 0);
	cr_assert_eq(CALL(A, setsockopt, .fd = s[0], .level = LX_SOL_SOCKET,
			  .optname = LX_SO_RCVTIMEO_OLD, .optval = U(&tv), .optlen = 16), 0);
	cr_assert_eq(recv_from(A, s[0], buf, 8, 0), -LX_EPARK);
	A->pending.set = 1;
	cr_assert_eq(recv_from(A, s[0], buf, 8, 0), -LX_EINTR);
	A->pending.set = 0;
	now += 2000000000;
	cr_assert_eq(recv_from(A, s[0], buf, 8, 0), -LX_EAGAIN);
}

Test(unix_socket, descriptors_travel)
{
	int32_t s[2], got[2];
	uint32_t flags;
	int ev = (int)CALL(A, eventfd, .count = 5);
	uint64_t v = 0;

	pair(LX_SOCK_STREAM, s);
	cr_assert_eq(send_fds(s[0], (int32_t[]){ ev, ev }, 2), 1);
	fdtable_close(A, ev);
	cr_assert_eq(recv_fds(s[1], got, 64, &flags), 1);
	cr_assert_eq(flags, 0);
	cr_assert_eq(rd(got[1], &v, 8), 8);
	cr_assert_eq(v, 5);
	cr_assert_eq(send_fds(s[0], got, 2), 1);
	cr_assert_eq(recv_fds(s[1], got, 20, &flags), 1);
	cr_assert_eq(flags, LX_MSG_CTRUNC);
	cr_assert_eq(send_fds(s[0], (int32_t[]){ 555 }, 1), -LX_EBADF);
	/* too many in flight for an ordinary user */
	for (int i = 0; i < 129; i++)
		cr_assert_eq(send_fds(s[0], (int32_t[]){ s[0], s[1] }, 2), 1);
	cr_assert_eq(send_fds(s[0], (int32_t[]){ s[0] }, 1), -LX_ETOOMANYREFS);
}

Test(unix_socket, garbage_is_collected)
{
	int32_t s[2], other[2];
	int ev = (int)CALL(A, eventfd, .count = 5);

	/* both ends in each other's queue, with something of value along */
	pair(LX_SOCK_STREAM, s);
	cr_assert_eq(send_fds(s[0], (int32_t[]){ s[0], s[1] }, 2), 1);
	cr_assert_eq(send_fds(s[1], (int32_t[]){ s[0], ev }, 2), 1);
	fdtable_close(A, ev);
	fdtable_close(A, s[0]);
	fdtable_close(A, s[1]);
	cr_assert_eq(live_files, 3);
	/* alive: one in the queue of a socket that is open */
	pair(LX_SOCK_STREAM, s);
	pair(LX_SOCK_STREAM, other);
	cr_assert_eq(send_fds(s[0], other, 2), 1);
	fdtable_close(A, other[0]);
	fdtable_close(A, other[1]);
	pair(LX_SOCK_STREAM, other);
	fdtable_close(A, other[0]); /* any close of a socket collects */
	cr_assert_eq(live_files, 2 + 2 + 1);
}

Test(unix_socket, long_chains_do_not_recurse)
{
	int32_t s[2], prev[2];

	cred.uid = 0; /* no limit on what is in flight */
	pair(LX_SOCK_STREAM, prev);
	for (int i = 0; i < 20000; i++) {
		pair(LX_SOCK_STREAM, s);
		cr_assert_eq(send_fds(s[0], prev, 2), 1);
		fdtable_close(A, prev[0]);
		fdtable_close(A, prev[1]);
		prev[0] = s[0];
		prev[1] = s[1];
	}
	cr_assert_eq(live_files, 40002);
}
