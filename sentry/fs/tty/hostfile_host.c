/* Host calls of the files given from outside. */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

#undef UIO_MAXIOV /* the guest's is meant below */
#include "sentry/fs/tty/tty_impl.h"

static long ret(long r)
{
	return r < 0 ? -errno : r;
}

int host_fstat(int fd, struct hostfd_stat *out)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	*out = (struct hostfd_stat){
		.mode = st.st_mode, .uid = st.st_uid, .gid = st.st_gid,
		.blksize = (uint32_t)st.st_blksize, .dev = st.st_dev, .ino = st.st_ino,
		.rdev = KDEV(major(st.st_rdev), minor(st.st_rdev)),
		.size = (uint64_t)st.st_size, .blocks = (uint64_t)st.st_blocks,
		.atime = { st.st_atim.tv_sec, (uint32_t)st.st_atim.tv_nsec },
		.mtime = { st.st_mtim.tv_sec, (uint32_t)st.st_mtim.tv_nsec },
		.ctime = { st.st_ctim.tv_sec, (uint32_t)st.st_ctim.tv_nsec },
	};
	return 0;
}

long host_getfl(int fd)
{
	return ret(fcntl(fd, F_GETFL));
}

long host_read(int fd, void *buf, size_t n)
{
	long r;

	do {
		r = ret(read(fd, buf, n));
	} while (r == -EINTR);
	return r;
}

long host_write(int fd, const void *buf, size_t n)
{
	long r;

	do {
		r = ret(write(fd, buf, n));
	} while (r == -EINTR);
	return r;
}

long host_pread(int fd, void *buf, size_t n, int64_t pos)
{
	return ret(pread(fd, buf, n, pos));
}

long host_pwrite(int fd, const void *buf, size_t n, int64_t pos)
{
	return ret(pwrite(fd, buf, n, pos));
}

long host_read_nowait(int fd, void *buf, size_t n)
{
	struct iovec v = { buf, n };

	return ret(preadv2(fd, &v, 1, -1, RWF_NOWAIT));
}

long host_write_nowait(int fd, const void *buf, size_t n)
{
	struct iovec v = { (void *)(uintptr_t)buf, n };

	return ret(pwritev2(fd, &v, 1, -1, RWF_NOWAIT));
}

long host_recv_nowait(int fd, void *buf, size_t n)
{
	struct iovec v = { buf, n };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };

	return ret(recvmsg(fd, &m, MSG_DONTWAIT));
}

long host_send_nowait(int fd, const void *buf, size_t n)
{
	struct iovec v = { (void *)(uintptr_t)buf, n };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };

	return ret(sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL));
}

int64_t host_lseek(int fd, int64_t off, int whence)
{
	return ret(lseek(fd, off, whence));
}

int host_ftruncate(int fd, int64_t size)
{
	return (int)ret(ftruncate(fd, size));
}

/* fdatasync(2) too: the sentry's filter has only the stronger call. */
int host_fsync(int fd, bool data_only)
{
	(void)data_only;
	return (int)ret(fsync(fd));
}

int host_dup(int fd)
{
	return (int)ret(fcntl(fd, F_DUPFD_CLOEXEC, 3));
}

void host_close(int fd)
{
	close(fd);
}

int host_ioctl(int fd, uint32_t cmd, void *arg)
{
	return (int)ret(ioctl(fd, cmd, arg));
}
