/* Host calls on the connection and on donated descriptors. */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sentry/fs/gofer/gofer_impl.h"

long gofer_host_send(int sock, const void *buf, size_t len, int fd)
{
	union {
		struct cmsghdr h;
		char space[CMSG_SPACE(sizeof(int))];
	} c = { .space = { 0 } };
	struct iovec iov = { .iov_len = len };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	memcpy(&iov.iov_base, &buf, sizeof(buf)); /* sendmsg only reads it */
	if (fd >= 0) {
		c.h.cmsg_len = CMSG_LEN(sizeof(int));
		c.h.cmsg_level = SOL_SOCKET;
		c.h.cmsg_type = SCM_RIGHTS;
		memcpy(CMSG_DATA(&c.h), &fd, sizeof(fd));
		m.msg_control = &c;
		m.msg_controllen = sizeof(c);
	}
	do
		n = sendmsg(sock, &m, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static long receive(int sock, void *buf, size_t size, struct gofer_fds *fds, int flags)
{
	union {
		struct cmsghdr h;
		char space[CMSG_SPACE(sizeof(fds->fd))];
	} c;
	struct iovec iov = { buf, size };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &c,
			    .msg_controllen = sizeof(c) };
	struct cmsghdr *h;
	ssize_t n;

	fds->n = 0;
	fds->lost = false;
	do
		n = recvmsg(sock, &m, MSG_CMSG_CLOEXEC | flags);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	h = CMSG_FIRSTHDR(&m);
	if (h && h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS &&
	    h->cmsg_len > CMSG_LEN(0) && h->cmsg_len <= CMSG_LEN(sizeof(fds->fd))) {
		fds->n = (unsigned)((h->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(fds->fd, CMSG_DATA(h), fds->n * sizeof(int));
	}
	fds->lost = m.msg_flags & MSG_CTRUNC;
	return m.msg_flags & MSG_TRUNC ? -EMSGSIZE : n;
}

long gofer_host_recv(int sock, void *buf, size_t size, struct gofer_fds *fds)
{
	return receive(sock, buf, size, fds, 0);
}

long gofer_host_try_recv(int sock, void *buf, size_t size, struct gofer_fds *fds)
{
	return receive(sock, buf, size, fds, MSG_DONTWAIT);
}

void gofer_host_close(int fd)
{
	close(fd);
}

void gofer_host_close_all(struct gofer_fds *fds)
{
	while (fds->n)
		close(fds->fd[--fds->n]);
}

/* What close(2) would say of another descriptor of the same file. */
int gofer_host_flush(int fd)
{
	int copy = gofer_host_dup(fd);

	if (copy < 0)
		return copy;
	return close(copy) < 0 ? -errno : 0;
}

int gofer_host_dup(int fd)
{
	int r = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	return r < 0 ? -errno : r;
}

long gofer_host_read(int fd, void *buf, size_t len)
{
	ssize_t n = read(fd, buf, len);

	return n < 0 ? -errno : n;
}

long gofer_host_pread(int fd, void *buf, size_t len, int64_t pos)
{
	ssize_t n;

	do
		n = pread(fd, buf, len, pos);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

long gofer_host_pwrite(int fd, const void *buf, size_t len, int64_t pos)
{
	ssize_t n;

	do
		n = pwrite(fd, buf, len, pos);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/* fdatasync(2) too: the sentry's filter has only the stronger call. */
int gofer_host_fsync(int fd, bool data_only)
{
	(void)data_only;
	return fsync(fd) < 0 ? -errno : 0;
}

int gofer_host_ftruncate(int fd, uint64_t size)
{
	if (size > INT64_MAX)
		return -EINVAL;
	return ftruncate(fd, (off_t)size) < 0 ? -errno : 0;
}

int gofer_host_fallocate(int fd, uint32_t mode, int64_t off, int64_t len)
{
	return fallocate(fd, (int)mode, off, len) < 0 ? -errno : 0;
}

int64_t gofer_host_lseek(int fd, int64_t off, int whence)
{
	off_t r = lseek(fd, off, whence);

	return r < 0 ? -errno : r;
}

int gofer_host_attr(int fd, struct gofer_attr *out)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	*out = (struct gofer_attr){
		.dev = st.st_dev,
		.ino = st.st_ino,
		.rdev = st.st_rdev,
		.size = (uint64_t)st.st_size,
		.blocks = (uint64_t)st.st_blocks,
		.mode = st.st_mode,
		.nlink = (uint32_t)st.st_nlink,
		.uid = st.st_uid,
		.gid = st.st_gid,
		.atime = st.st_atim.tv_sec,
		.mtime = st.st_mtim.tv_sec,
		.ctime = st.st_ctim.tv_sec,
		.atime_ns = (uint32_t)st.st_atim.tv_nsec,
		.mtime_ns = (uint32_t)st.st_mtim.tv_nsec,
		.ctime_ns = (uint32_t)st.st_ctim.tv_nsec,
	};
	return 0;
}
