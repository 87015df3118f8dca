/* Pipes, eventfd, poll, epoll and host sockets through their handlers. */
#include "tests/unit/net_world.h"

TestSuite(pipe, .init = setup, .fini = teardown);
TestSuite(epoll, .init = setup, .fini = teardown);
TestSuite(inet, .init = setup, .fini = teardown);

/* ---- pipes ---- */

Test(pipe, keeps_order_and_fills_up)
{
	static uint8_t in[70000], out[70000];
	int32_t p[2];

	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (uint8_t)(i * 7 >> 3);
	cr_assert_eq(CALL(A, pipe2, .fildes = U(p), .flags = LX_O_NONBLOCK), 0);
	cr_assert_eq(rd(p[0], out, 10), -LX_EAGAIN);
	cr_assert_eq(wr(p[1], in, sizeof(in)), 65536);
	cr_assert_eq(wr(p[1], in, 1), -LX_EAGAIN);
	cr_assert_eq(pipe_readable(fds.f[p[0]]), 65536);
	cr_assert_eq(rd(p[0], out, 5000), 5000);
	/* one slot is free, the second only half read */
	cr_assert_eq(wr(p[1], in + 65536, 4464), 4096);
	cr_assert_eq(rd(p[0], out + 5000, sizeof(out)), 65536 - 5000 + 4096);
	cr_assert_eq(memcmp(in, out, 65536 + 4096), 0);
	cr_assert_eq(rd(p[0], out, 1), -LX_EAGAIN);
}

Test(pipe, random_sizes_come_out_as_they_went_in)
{
	static uint8_t buf[20000];
	uint8_t w = 0, r = 0;
	int32_t p[2];

	cr_assert_eq(CALL(A, pipe2, .fildes = U(p), .flags = LX_O_NONBLOCK), 0);
	srand(1);
	for (int i = 0; i < 20000; i++) {
		size_t n = (size_t)rand() % (i % 3 ? 200 : sizeof(buf)) + 1;
		int64_t k;

		if (i == 9000)
			cr_assert_geq(pipe_set_size(fds.f[p[0]], 1 << 20), 1 << 20);
		if (rand() & 1) {
			for (size_t j = 0; j < n; j++)
				buf[j] = (uint8_t)(w + j);
			k = wr(p[1], buf, n);
			w = (uint8_t)(w + (k > 0 ? k : 0));
		} else {
			k = rd(p[0], buf, n);
			for (int64_t j = 0; j < k; j++)
				cr_assert_eq(buf[j], r++);
		}
	}
}

Test(pipe, atomic_up_to_pipe_buf)
{
	static uint8_t buf[65536];
	int32_t p[2];

	cr_assert_eq(CALL(A, pipe2, .fildes = U(p), .flags = LX_O_NONBLOCK), 0);
	cr_assert_eq(wr(p[1], buf, 65536 - 4096 + 4000), 65536 - 96);
	cr_assert_eq(wr(p[1], buf, 97), -LX_EAGAIN);
	cr_assert_eq(wr(p[1], buf, 96), 96);
}

Test(pipe, packets_and_sizes)
{
	uint8_t buf[100];
	int32_t p[2];

	cr_assert_eq(CALL(A, pipe2, .fildes = U(p), .flags = LX_O_DIRECT | LX_O_NONBLOCK), 0);
	cr_assert_eq(wr(p[1], "abc", 3), 3);
	cr_assert_eq(wr(p[1], "defg", 4), 4);
	cr_assert_eq(rd(p[0], buf, 2), 2); /* the rest of the packet is lost */
	cr_assert_eq(rd(p[0], buf, 100), 4);
	cr_assert_eq(pipe_get_size(fds.f[p[0]]), 65536);
	cr_assert_eq(pipe_set_size(fds.f[p[0]], 1), 4096);
	cr_assert_eq(pipe_set_size(fds.f[p[0]], 5000), 8192);
	cr_assert_eq(pipe_set_size(fds.f[p[0]], (1 << 20) + 1), -LX_EPERM);
	cr_assert_eq(wr(p[1], "abc", 3), 3);
	cr_assert_eq(wr(p[1], "abc", 3), 3);
	cr_assert_eq(pipe_set_size(fds.f[p[0]], 4096), -LX_EBUSY);
	cr_assert_eq(CALL(A, pipe2, .fildes = U(p), .flags = LX_O_EXCL), -LX_ENOPKG);
	cr_assert_eq(CALL(A, pipe2, .fildes = { 0 }, .flags = 0), -LX_EFAULT);
}

Test(pipe, ends_of_the_line)
{
	uint8_t buf[4];
	int32_t p[2];

	cr_assert_eq(CALL(A, pipe, .fildes = U(p)), 0);
	cr_assert_eq(file_poll(fds.f[p[1]], NULL), LX_POLLOUT | LX_POLLWRNORM);
	cr_assert_eq(wr(p[1], "x", 1), 1);
	fdtable_close(A, p[1]);
	cr_assert_eq(file_poll(fds.f[p[0]], NULL), LX_POLLIN | LX_POLLRDNORM | LX_POLLHUP);
	cr_assert_eq(rd(p[0], buf, 4), 1);
	cr_assert_eq(rd(p[0], buf, 4), 0);
	fdtable_close(A, p[0]);
	cr_assert_eq(CALL(A, pipe, .fildes = U(p)), 0);
	fdtable_close(A, p[0]);
	sigpipes = 0;
	cr_assert_eq(file_poll(fds.f[p[1]], NULL), LX_POLLOUT | LX_POLLWRNORM | LX_POLLERR);
	cr_assert_eq(wr(p[1], "x", 1), -LX_EPIPE);
	cr_assert_eq(sigpipes, 1);
}

Test(pipe, fifo_partners_meet)
{
	struct inode *i = anon_inode_new(&kern, LX_S_IFIFO | 0600);
	struct dentry d = { .inode = i };
	struct path path = { NULL, &d };
	struct file *r = NULL, *w = NULL, *n = NULL;

	cr_assert_eq(fifo_open(i, &path, FMODE_WRITE, LX_O_WRONLY | LX_O_NONBLOCK, A, &w),
		     -LX_ENXIO);
	cr_assert_null(i->pipe);
	cr_assert_eq(fifo_open(i, &path, FMODE_READ, 0, A, &r), -LX_EPARK);
	A->pending.set = 1; /* a signal: the wait is given up */
	cr_assert_eq(fifo_open(i, &path, FMODE_READ, 0, A, &r), -LX_ERESTARTSYS);
	A->pending.set = 0;
	new_call(A);
	cr_assert_null(i->pipe);
	cr_assert_eq(fifo_open(i, &path, FMODE_READ, 0, A, &r), -LX_EPARK);
	cr_assert_eq(fifo_open(i, &path, FMODE_WRITE, LX_O_WRONLY, B, &w), 0);
	inode_get(i);
	file_put(w); /* gone before the reader runs again */
	cr_assert(woken(A));
	cr_assert_eq(fifo_open(i, &path, FMODE_READ, 0, A, &r), 0);
	inode_get(i);
	cr_assert_eq(file_poll(r, NULL), LX_POLLHUP);
	file_put(r);
	cr_assert_null(i->pipe);
	cr_assert_eq(fifo_open(i, &path, FMODE_READ, LX_O_NONBLOCK, A, &n), 0);
	inode_get(i);
	cr_assert_eq(file_poll(n, NULL), 0); /* no hang-up before the first writer */
	file_put(n);
	new_call(A);
	inode_put(i);
}

/* ---- eventfd, poll, epoll ---- */

Test(epoll, eventfd_counts)
{
	int fd = (int)CALL(A, eventfd2, .count = 2, .flags = LX_EFD_SEMAPHORE);
	uint64_t v = UINT64_MAX - 2;

	cr_assert_eq(wr(fd, &v, 8), -LX_EAGAIN);
	cr_assert_eq(rd(fd, &v, 8), 8);
	cr_assert_eq(v, 1);
	cr_assert_eq(rd(fd, &v, 8), 8);
	cr_assert_eq(rd(fd, &v, 8), -LX_EAGAIN);
	v = UINT64_MAX;
	cr_assert_eq(wr(fd, &v, 8), -LX_EINVAL);
	cr_assert_eq(wr(fd, &v, 7), -LX_EINVAL);
}

Test(epoll, poll_waits_and_times_out)
{
	struct lx_pollfd p[3] = { { -1, 1, 9 }, { 0, LX_POLLIN, 9 }, { 99, 1, 9 } };
	uint64_t one = 1;
	int fd = (int)CALL(A, eventfd, .count = 0);

	p[1].fd = fd;
	cr_assert_eq(CALL(A, poll, .ufds = U(p), .nfds = 3, .timeout_msecs = -1), 1);
	cr_assert_eq(p[2].revents, LX_POLLNVAL);
	new_call(A);
	cr_assert_eq(CALL(A, poll, .ufds = U(p), .nfds = 2, .timeout_msecs = 0), 0);
	new_call(A);
	cr_assert_eq(CALL(A, poll, .ufds = U(p), .nfds = 2, .timeout_msecs = 5), -LX_EPARK);
	cr_assert_eq(A->park_timer.deadline, now + 5000000);
	wr(fd, &one, 8);
	cr_assert(woken(A));
	cr_assert_eq(CALL(A, poll, .ufds = U(p), .nfds = 2, .timeout_msecs = 5), 1);
	cr_assert_eq(p[1].revents, LX_POLLIN);
	rd(fd, &one, 8);
	now += 5000000;
	cr_assert_eq(CALL(A, poll, .ufds = U(p), .nfds = 2, .timeout_msecs = 5), 0);
	cr_assert_eq(CALL(A, poll, .ufds = U(p), .nfds = 257, .timeout_msecs = 5), -LX_EINVAL);
}

Test(epoll, select_bits)
{
	uint64_t in[2] = { 0, 0 }, out[2] = { 0, 0 };
	int32_t p[2];
	struct lx_timeval tv = { 1, 0 };

	CALL(A, pipe, .fildes = U(p));
	in[0] = 1ULL << p[0];
	out[0] = 1ULL << p[1];
	cr_assert_eq(CALL(A, select, .n = 65, .inp = U(in), .outp = U(out), .tvp = U(&tv)), 1);
	cr_assert_eq(in[0], 0);
	cr_assert_eq(out[0], 1ULL << p[1]);
	new_call(A);
	in[0] = 1ULL << p[0];
	cr_assert_eq(CALL(A, select, .n = 65, .inp = U(in), .tvp = U(&tv)), -LX_EPARK);
	now += 400000000;
	A->pending.set = 1;
	cr_assert_eq(CALL(A, select, .n = 65, .inp = U(in), .tvp = U(&tv)), -LX_ERESTARTNOHAND);
	A->pending.set = 0;
	cr_assert_eq(tv.sec * 1000000 + tv.usec, 600000);
	new_call(A);
	in[1] = 2;
	cr_assert_eq(CALL(A, select, .n = 66, .inp = U(in)), -LX_EBADF);
}

static int ep_add(int ep, int fd, uint32_t events)
{
	struct lx_epoll_event ev = { events, (uint64_t)fd };

	return (int)CALL(A, epoll_ctl, .epfd = ep, .op = LX_EPOLL_CTL_ADD, .fd = fd,
			 .event = U(&ev));
}
static long ep_wait(int ep, struct lx_epoll_event *ev, int max, int ms)
{
	new_call(A);
	return CALL(A, epoll_wait, .epfd = ep, .events = U(ev), .maxevents = max, .timeout = ms);
}

Test(epoll, level_edge_oneshot)
{
	struct lx_epoll_event ev[4];
	uint64_t v = 1;
	int ep = (int)CALL(A, epoll_create1, .flags = 0);
	int lt = (int)CALL(A, eventfd, .count = 1), et = (int)CALL(A, eventfd, .count = 1),
	    os = (int)CALL(A, eventfd, .count = 1);

	cr_assert_eq(ep_add(ep, lt, LX_POLLIN), 0);
	cr_assert_eq(ep_add(ep, lt, LX_POLLIN), -LX_EEXIST);
	cr_assert_eq(ep_add(ep, et, LX_POLLIN | LX_EPOLLET), 0);
	cr_assert_eq(ep_add(ep, os, LX_POLLIN | LX_EPOLLONESHOT), 0);
	cr_assert_eq(ep_wait(ep, ev, 4, -1), 3);
	cr_assert_eq(ep_wait(ep, ev, 4, -1), 1);
	cr_assert_eq(ev[0].data, (uint64_t)lt);
	wr(et, &v, 8);
	wr(os, &v, 8);
	cr_assert_eq(ep_wait(ep, ev, 4, -1), 2);
	rd(lt, &v, 8);
	cr_assert_eq(ep_wait(ep, ev, 4, 0), 0);
	cr_assert_eq(ep_wait(ep, ev, 4, -1), -LX_EPARK);
	v = 1;
	wr(lt, &v, 8);
	cr_assert(woken(A));
	cr_assert_eq(ep_wait(ep, (void *)8, 4, 0), -LX_EFAULT);
	cr_assert_eq(ep_wait(ep, ev, 4, 0), 1);
	fdtable_close(A, lt); /* drops out by itself */
	cr_assert_eq(kern.epoll_watches, 2);
	cr_assert_eq(ep_wait(ep, ev, 4, 0), 0);
	cr_assert_eq(ep_wait(ep, ev, 0, 0), -LX_EINVAL);
	cr_assert_eq(ep_wait(et, ev, 4, 0), -LX_EINVAL);
}

Test(epoll, nesting)
{
	struct lx_epoll_event ev[4];
	uint64_t v = 1;
	int e[6], fd = (int)CALL(A, eventfd, .count = 0);

	for (int i = 0; i < 6; i++)
		e[i] = (int)CALL(A, epoll_create1, .flags = 0);
	cr_assert_eq(ep_add(e[0], e[0], LX_POLLIN), -LX_EINVAL);
	for (int i = 0; i < 4; i++)
		cr_assert_eq(ep_add(e[i], e[i + 1], LX_POLLIN), 0);
	cr_assert_eq(ep_add(e[4], e[5], LX_POLLIN), -LX_ELOOP);
	cr_assert_eq(ep_add(e[4], e[0], LX_POLLIN), -LX_ELOOP);
	cr_assert_eq(ep_add(e[4], e[1], LX_POLLIN), -LX_ELOOP);
	cr_assert_eq(ep_add(e[4], fd, LX_POLLIN), 0);
	cr_assert_eq(ep_wait(e[0], ev, 4, -1), -LX_EPARK);
	wr(fd, &v, 8);
	cr_assert(woken(A));
	cr_assert_eq(ep_wait(e[0], ev, 4, -1), 1);
	rd(fd, &v, 8);
	cr_assert_eq(ep_wait(e[0], ev, 4, 0), 0);
}

/* ---- host sockets, over the real loopback ---- */

Test(inet, tcp)
{
	static struct lx_sockaddr_in addr = { .sin_family = LX_AF_INET };
	static char big[500000], back[500000];
	int32_t len = sizeof(addr), one = 1, val = 0;
	struct lx_linger lg = { 1, 30 };
	int l = (int)CALL(A, socket, .family = LX_AF_INET, .type = LX_SOCK_STREAM), c, a;
	long got = 0, n;

	addr.sin_addr = 0x0100007f;
	cr_assert_geq(l, 0);
	cr_assert_eq(CALL(A, setsockopt, .fd = l, .level = LX_SOL_SOCKET,
			  .optname = LX_SO_REUSEADDR, .optval = U(&one), .optlen = 4), 0);
	cr_assert_eq(CALL(A, setsockopt, .fd = l, .level = LX_SOL_SOCKET, .optname = 26,
			  .optval = U(&one), .optlen = 4), -LX_ENOPROTOOPT);
	cr_assert_eq(CALL(A, setsockopt, .fd = l, .level = LX_SOL_SOCKET,
			  .optname = LX_SO_LINGER, .optval = U(&lg), .optlen = 8), 0);
	addr.sin_port = 0x5000; /* 80, and no capability */
	cr_assert_eq(CALL(A, bind, .fd = l, .umyaddr = U(&addr), .addrlen = 16), -LX_EACCES);
	addr.sin_port = 0;
	cr_assert_eq(CALL(A, bind, .fd = l, .umyaddr = U(&addr), .addrlen = 16), 0);
	cr_assert_eq(CALL(A, listen, .fd = l, .backlog = 5), 0);
	cr_assert_eq(CALL(A, getsockname, .fd = l, .usockaddr = U(&addr),
			  .usockaddr_len = U(&len)), 0);
	cr_assert_eq(len, 16);
	cr_assert_eq(CALL(A, accept, .fd = l), -LX_EPARK);
	new_call(A);
	c = (int)CALL(A, socket, .family = LX_AF_INET, .type = LX_SOCK_STREAM);
	cr_assert_eq(AGAIN(CALL(A, connect, .fd = c, .uservaddr = U(&addr), .addrlen = 16)), 0);
	new_call(A);
	a = (int)AGAIN(CALL(A, accept, .fd = l));
	cr_assert_geq(a, 0);
	new_call(A);
	cr_assert_eq(AGAIN(CALL(A, connect, .fd = c, .uservaddr = U(&addr), .addrlen = 16)),
		     -LX_EISCONN);
	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (char)(i % 253);
	n = CALL(A, sendto, .fd = c, .buff = U(big), .len = sizeof(big),
		 .flags = LX_MSG_DONTWAIT);
	cr_assert_gt(n, 0);
	while (got < n) {
		long k = AGAIN(CALL(A, recvfrom, .fd = a, .ubuf = U(back + got), .size = 70000));

		cr_assert_gt(k, 0);
		got += k;
	}
	cr_assert_eq(memcmp(big, back, (size_t)n), 0);
	len = 4;
	cr_assert_eq(CALL(A, getsockopt, .fd = c, .level = LX_SOL_SOCKET,
			  .optname = LX_SO_TYPE, .optval = U(&val), .optlen = U(&len)), 0);
	cr_assert_eq(val, LX_SOCK_STREAM);
	fdtable_close(A, a);
	cr_assert_eq(AGAIN(CALL(A, recvfrom, .fd = c, .ubuf = U(back), .size = 10)), 0);
}

Test(inet, udp_and_kinds)
{
	static struct lx_sockaddr_in addr = { .sin_family = LX_AF_INET }, from;
	int32_t len = sizeof(addr);
	static char buf[16];
	int r = (int)CALL(A, socket, .family = LX_AF_INET, .type = LX_SOCK_DGRAM);
	int w = (int)CALL(A, socket, .family = LX_AF_INET, .type = LX_SOCK_DGRAM);

	addr.sin_addr = 0x0100007f;
	cr_assert_eq(CALL(A, bind, .fd = r, .umyaddr = U(&addr), .addrlen = 16), 0);
	cr_assert_eq(CALL(A, getsockname, .fd = r, .usockaddr = U(&addr),
			  .usockaddr_len = U(&len)), 0);
	cr_assert_eq(CALL(A, sendto, .fd = w, .buff = U("0123456789"), .len = 10,
			  .addr = U(&addr), .addr_len = 16), 10);
	len = 16;
	cr_assert_eq(AGAIN(CALL(A, recvfrom, .fd = r, .ubuf = U(buf), .size = 4,
				.flags = LX_MSG_TRUNC, .addr = U(&from), .addr_len = U(&len))),
		     10);
	cr_assert_eq(from.sin_addr, addr.sin_addr);
	cr_assert_eq(memcmp(buf, "0123\0", 5), 0);
	cr_assert_eq(CALL(A, socket, .family = LX_AF_INET, .type = LX_SOCK_RAW, .protocol = 1),
		     -LX_EPERM);
	cr_assert_eq(CALL(A, socket, .family = LX_AF_INET, .type = LX_SOCK_STREAM,
			  .protocol = 17), -LX_EPROTONOSUPPORT);
	cr_assert_eq(CALL(A, socket, .family = 17, .type = LX_SOCK_RAW), -LX_EAFNOSUPPORT);
	cr_assert_eq(CALL(A, socketpair, .family = LX_AF_INET, .type = LX_SOCK_STREAM,
			  .usockvec = U(buf)), -LX_EOPNOTSUPP);
}

Test(inet, netlink_answers_questions_only)
{
	static struct {
		struct lx_nlmsghdr h;
		uint8_t family, pad[15];
	} req = { .h = { sizeof(req), LX_RTM_GETLINK, 0x301, 1, 0 } };
	static uint8_t buf[65536];
	struct lx_nlmsghdr h;
	int s = (int)CALL(A, socket, .family = LX_AF_NETLINK, .type = LX_SOCK_RAW);

	cr_assert_geq(s, 0);
	cr_assert_eq(CALL(A, sendto, .fd = s, .buff = U(&req), .len = sizeof(req)),
		     (long)sizeof(req));
	cr_assert_gt(AGAIN(CALL(A, recvfrom, .fd = s, .ubuf = U(buf), .size = sizeof(buf))), 16);
	memcpy(&h, buf, sizeof(h));
	cr_assert_eq(h.nlmsg_type, 16); /* RTM_NEWLINK */
	req.h.nlmsg_type = 16;
	cr_assert_eq(CALL(A, sendto, .fd = s, .buff = U(&req), .len = sizeof(req)), -LX_EPERM);
	cr_assert_eq(CALL(A, socket, .family = LX_AF_NETLINK, .type = LX_SOCK_RAW,
			  .protocol = 15), -LX_EPROTONOSUPPORT);
}

Test(inet, interfaces)
{
	static struct lx_ifconf c;
	static uint8_t req[LX_IFREQ_SIZE] = "lo", list[4096];
	int s = (int)CALL(A, socket, .family = LX_AF_INET, .type = LX_SOCK_DGRAM);
	const struct file_ops *ops = fds.f[s]->ops;

	cr_assert_eq(ops->ioctl(A, fds.f[s], LX_SIOCGIFINDEX, U(req).v), 0);
	cr_assert_eq(req[16], 1);
	c = (struct lx_ifconf){ .ifc_len = sizeof(list), .ifc_buf = U(list).v };
	cr_assert_eq(ops->ioctl(A, fds.f[s], LX_SIOCGIFCONF, U(&c).v), 0);
	cr_assert_eq(c.ifc_buf, U(list).v);
	cr_assert_eq(c.ifc_len % LX_IFREQ_SIZE, 0);
	cr_assert_eq(ops->ioctl(A, fds.f[s], 0x8914, U(req).v), -LX_EPERM);
	cr_assert_eq(ops->ioctl(A, fds.f[s], 0x1234, U(req).v), -LX_ENOTTY);
}
