/* The gofer's life: open the exports, confine itself, answer requests one by one until
 * the sentry hangs up. */
#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gofer/server/server_impl.h"
#include "platform/base/forbidden.h"
#include "platform/base/log.h"

/* How many descriptors there may be. */
static uint32_t raise_nofile(void)
{
	struct rlimit r, want = { NODE_MAX + SPARE_FDS, NODE_MAX + SPARE_FDS };

	if (getrlimit(RLIMIT_NOFILE, &r) < 0)
		return 0;
	if (r.rlim_max < want.rlim_max && setrlimit(RLIMIT_NOFILE, &want) == 0)
		return (uint32_t)want.rlim_cur;
	if (r.rlim_max > want.rlim_max)
		r.rlim_max = want.rlim_max;
	r.rlim_cur = r.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &r) < 0)
		getrlimit(RLIMIT_NOFILE, &r);
	return (uint32_t)r.rlim_cur;
}

/* One request into s->rx, its descriptor into s->rx_fd: its size, 0: the peer hung up,
 * -errno. */
static ssize_t receive(struct server *s)
{
	union {
		struct cmsghdr h;
		char space[CMSG_SPACE(sizeof(int))];
	} c;
	struct iovec iov = { s->rx, sizeof(s->rx) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &c,
			    .msg_controllen = sizeof(c) };
	struct cmsghdr *h;
	ssize_t n;

	do
		n = recvmsg(s->sock, &m, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	/* There is room for one descriptor: of any others that were sent the kernel has
	 * disposed. */
	h = CMSG_FIRSTHDR(&m);
	if (h && h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS &&
	    h->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&s->rx_fd, CMSG_DATA(h), sizeof(int));
	return m.msg_flags & MSG_TRUNC ? -EMSGSIZE : n;
}

/* fd -1: without a descriptor. */
static int send_message(struct server *s, const void *buf, size_t len, int fd)
{
	union {
		struct cmsghdr h;
		char space[CMSG_SPACE(GOFER_OPENS_MAX * sizeof(int))];
	} c;
	size_t size = (1 + s->nmore) * sizeof(int);
	struct iovec iov = { .iov_len = len };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	memcpy(&iov.iov_base, &buf, sizeof(buf)); /* sendmsg only reads it */
	if (fd >= 0) {
		memset(&c, 0, CMSG_SPACE(size));
		c.h.cmsg_len = CMSG_LEN(size);
		c.h.cmsg_level = SOL_SOCKET;
		c.h.cmsg_type = SCM_RIGHTS;
		memcpy(CMSG_DATA(&c.h), &fd, sizeof(fd));
		memcpy(CMSG_DATA(&c.h) + sizeof(fd), s->more_fds, size - sizeof(fd));
		m.msg_control = &c;
		m.msg_controllen = CMSG_SPACE(size);
	}
	do
		n = sendmsg(s->sock, &m, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

int server_ring(struct server *s, int fd)
{
	return send_message(s, "", 1, fd);
}

void server_drop_more(struct server *s)
{
	while (s->nmore)
		close(s->more_fds[--s->nmore]);
}

static void drop_rx_fd(struct server *s)
{
	if (s->rx_fd >= 0)
		close(s->rx_fd);
	s->rx_fd = -1;
}

/* The next request into s->rx: its size, 0: the peer hung up, -errno. *chan: it came over the
 * channel. */
static ssize_t next_request(struct server *s, bool *chan)
{
	for (;;) {
		ssize_t n;

		*chan = true;
		if (chan_poll(s) || !chan_sleep(s))
			return chan_take(s);
		*chan = false;
		n = receive(s);
		chan_woken(s);
		if (n != 1)
			return n;
		drop_rx_fd(s); /* rung for; perhaps in vain */
	}
}

static int serve_loop(struct server *s)
{
	for (;;) {
		bool chan;
		ssize_t n = next_request(s, &chan);
		size_t len = 0;
		int fd = -1, r;

		if (n < 0 || (n == 0 && !chan))
			return (int)n;
		r = gofer_dispatch(s, (size_t)n, &len, &fd);
		drop_rx_fd(s);
		if (r < 0)
			return r;
		if (chan)
			r = chan_answer(s, len, fd);
		else
			r = r ? send_message(s, s->tx, len, fd) : 0;
		if (fd >= 0)
			close(fd);
		server_drop_more(s);
		if (r < 0)
			return r;
	}
}

int gofer_serve(int sock, int fds_dir, bool poll, const struct gofer_export *exports, unsigned n)
{
	struct server *s = calloc(1, sizeof(*s));
	uint32_t nofile;
	int err;

	if (!s)
		return -ENOMEM;
	s->sock = sock;
	s->dir_fd = s->rx_fd = s->in_fd = -1;
	s->fds_dir = fds_dir;
	s->uid = geteuid();
	umask(0);
	err = chan_init(s, poll);
	if (!err)
		err = server_init_exports(s, exports, n);
	nofile = raise_nofile();
	if (!err && nofile <= 2 * SPARE_FDS + 2 * n)
		err = -EMFILE;
	if (!err)
		err = server_init_nodes(s, nofile - SPARE_FDS - 2 * n);
	for (unsigned i = 0; i < n && !err; i++)
		log_info("export %u: %s%s%s", i, exports[i].path,
			 exports[i].readonly ? " readonly" : "",
			 exports[i].shared ? " shared" : "");
	if (!err)
		err = gofer_filter_install();
	if (err) {
		server_fini(s);
		free(s);
		return err;
	}
	forbidden_call_test("gofer");
	err = serve_loop(s);
	if (err)
		log_error("connection given up: error %d", -err);
	_exit(0);
}
