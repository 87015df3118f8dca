/* memfds: the host calls. Flags and seals have the same values for guest and host. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sentry/fs/tmpfs/memfile_impl.h"

int memhost_new(void)
{
	int fd = memfd_create("guest-file", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	return fd < 0 ? -errno : fd;
}

int64_t memhost_pread(int fd, void *buf, size_t len, int64_t pos)
{
	ssize_t n = pread(fd, buf, len, pos);

	return n < 0 ? -errno : n;
}

int64_t memhost_pwrite(int fd, const void *buf, size_t len, int64_t pos)
{
	ssize_t n = pwrite(fd, buf, len, pos);

	return n < 0 ? -errno : n;
}

int memhost_truncate(int fd, uint64_t size)
{
	return ftruncate(fd, (off_t)size) < 0 ? -errno : 0;
}

int memhost_fallocate(int fd, uint32_t mode, int64_t off, int64_t len)
{
	return fallocate(fd, (int)mode, off, len) < 0 ? -errno : 0;
}

int64_t memhost_seek(int fd, int64_t off, int whence)
{
	off_t r = lseek(fd, off, whence);

	return r < 0 ? -errno : r;
}

int64_t memhost_blocks(int fd)
{
	struct stat st;

	return fstat(fd, &st) < 0 ? -errno : st.st_blocks;
}

int memhost_dup(int fd)
{
	int n = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	return n < 0 ? -errno : n;
}

int memhost_add_seals(int fd, uint32_t seals)
{
	return fcntl(fd, F_ADD_SEALS, (int)seals) < 0 ? -errno : 0;
}

void memhost_close(int fd)
{
	close(fd);
}
