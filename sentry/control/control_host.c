/* The host calls of the control channel. All of them are on the sentry's list. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sentry/control/container_impl.h"

int chost_accept(int fd)
{
	int r = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

	return r < 0 ? -errno : r;
}

bool chost_peer_ok(int fd)
{
	struct ucred cr;
	socklen_t len = sizeof(cr);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cr, &len) == 0 && cr.uid == 0;
}

long chost_recv(int fd, void *buf, unsigned long size, int *fds, unsigned *nfds)
{
	union {
		char space[CMSG_SPACE(sizeof(int) * CONTROL_MAX_FDS)];
		struct cmsghdr align;
	} u;
	struct iovec iov = { buf, size };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	unsigned room = nfds ? *nfds : 0;
	ssize_t n;

	if (room) {
		m.msg_control = u.space;
		m.msg_controllen = sizeof(u.space);
		*nfds = 0;
	}
	do
		n = recvmsg(fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	for (struct cmsghdr *h = room ? CMSG_FIRSTHDR(&m) : NULL; h; h = CMSG_NXTHDR(&m, h)) {
		size_t count = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < count; i++) {
			int got;

			memcpy(&got, CMSG_DATA(h) + i * sizeof(int), sizeof(int));
			if (*nfds < room)
				fds[(*nfds)++] = got;
			else
				close(got);
		}
	}
	return n;
}

long chost_send(int fd, const void *buf, unsigned long size)
{
	struct iovec iov = { .iov_len = size };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	memcpy(&iov.iov_base, &buf, sizeof(buf)); /* sendmsg only reads it */
	do
		n = sendmsg(fd, &m, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

void chost_close(int fd)
{
	if (fd >= 0)
		close(fd);
}

int chost_dup(int fd)
{
	int r = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	return r < 0 ? -errno : r;
}

int chost_eventfd(void)
{
	int r = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	return r < 0 ? -errno : r;
}

void chost_event_set(int fd)
{
	uint64_t one = 1;

	/* Full means set already. */
	if (write(fd, &one, sizeof(one)) < 0)
		return;
}

void chost_event_clear(int fd)
{
	uint64_t v;

	if (read(fd, &v, sizeof(v)) < 0)
		return;
}

long chost_read_file(int fd, void *buf, unsigned long size)
{
	unsigned long done = 0;

	while (done < size) {
		ssize_t n = pread(fd, (char *)buf + done, size - done, (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (unsigned long)n;
	}
	return (long)done;
}

long chost_file_size(int fd)
{
	struct stat st;

	return fstat(fd, &st) < 0 ? -errno : (long)st.st_size;
}

int chost_poll(struct pollfd *pf, unsigned n)
{
	int r;

	do
		r = poll(pf, n, -1);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : r;
}

bool chost_readable(int fd, int ms)
{
	struct pollfd pf = { .fd = fd, .events = POLLIN };

	return poll(&pf, 1, ms) > 0;
}

bool chost_same_tty(int a, int b)
{
	struct stat sa, sb;

	return isatty(a) && isatty(b) && fstat(a, &sa) == 0 && fstat(b, &sb) == 0 &&
	       sa.st_rdev == sb.st_rdev && (fcntl(a, F_GETFL) & O_ACCMODE) == O_RDWR &&
	       (fcntl(b, F_GETFL) & O_ACCMODE) == O_RDWR;
}
