/* Host calls behind memfile.c; all return -errno. */
#ifndef SENTRY_FS_TMPFS_MEMFILE_IMPL_H
#define SENTRY_FS_TMPFS_MEMFILE_IMPL_H

#include <stddef.h>
#include <stdint.h>

int memhost_new(void);
int64_t memhost_pread(int fd, void *buf, size_t len, int64_t pos);
int64_t memhost_pwrite(int fd, const void *buf, size_t len, int64_t pos);
int memhost_truncate(int fd, uint64_t size);
int memhost_fallocate(int fd, uint32_t mode, int64_t off, int64_t len);
int64_t memhost_seek(int fd, int64_t off, int whence); /* SEEK_DATA, SEEK_HOLE */
int64_t memhost_blocks(int fd);			       /* of 512 bytes */
int memhost_dup(int fd);
int memhost_add_seals(int fd, uint32_t seals);
void memhost_close(int fd);

#endif
