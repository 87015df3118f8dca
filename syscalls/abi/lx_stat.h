/* stat(2), statx(2), file types and modes (times: lx_time.h), as a guest on x86-64 sees them. */
#ifndef SYSCALLS_ABI_LX_STAT_H
#define SYSCALLS_ABI_LX_STAT_H

#include <stdint.h>

#define LX_S_IFMT 0170000u
#define LX_S_IFSOCK 0140000u
#define LX_S_IFLNK 0120000u
#define LX_S_IFREG 0100000u
#define LX_S_IFBLK 0060000u
#define LX_S_IFDIR 0040000u
#define LX_S_IFCHR 0020000u
#define LX_S_IFIFO 0010000u
#define LX_S_ISUID 04000u
#define LX_S_ISGID 02000u
#define LX_S_ISVTX 01000u
#define LX_S_IXUSR 0100u
#define LX_S_IXGRP 0010u
#define LX_S_IWGRP 0020u
#define LX_S_IWOTH 0002u
#define LX_S_IXOTH 0001u
#define LX_S_IXUGO 0111u
#define LX_S_IRWXG 0070u
#define LX_S_IRWXUGO 0777u
#define LX_S_IALLUGO 07777u
#define LX_S_ISREG(m) (((m)&LX_S_IFMT) == LX_S_IFREG)
#define LX_S_ISDIR(m) (((m)&LX_S_IFMT) == LX_S_IFDIR)
#define LX_S_ISLNK(m) (((m)&LX_S_IFMT) == LX_S_IFLNK)
#define LX_S_ISCHR(m) (((m)&LX_S_IFMT) == LX_S_IFCHR)
#define LX_S_ISBLK(m) (((m)&LX_S_IFMT) == LX_S_IFBLK)
#define LX_S_ISFIFO(m) (((m)&LX_S_IFMT) == LX_S_IFIFO)
#define LX_S_ISSOCK(m) (((m)&LX_S_IFMT) == LX_S_IFSOCK)

struct lx_stat {
	uint64_t st_dev;
	uint64_t st_ino;
	uint64_t st_nlink;
	uint32_t st_mode;
	uint32_t st_uid;
	uint32_t st_gid;
	uint32_t pad0;
	uint64_t st_rdev;
	int64_t st_size;
	int64_t st_blksize;
	int64_t st_blocks;
	uint64_t st_atime_sec;
	uint64_t st_atime_nsec;
	uint64_t st_mtime_sec;
	uint64_t st_mtime_nsec;
	uint64_t st_ctime_sec;
	uint64_t st_ctime_nsec;
	int64_t unused[3];
};
_Static_assert(sizeof(struct lx_stat) == 144, "stat");

struct lx_statx_timestamp {
	int64_t tv_sec;
	uint32_t tv_nsec;
	int32_t reserved;
};

struct lx_statx {
	uint32_t stx_mask;
	uint32_t stx_blksize;
	uint64_t stx_attributes;
	uint32_t stx_nlink;
	uint32_t stx_uid;
	uint32_t stx_gid;
	uint16_t stx_mode;
	uint16_t spare0;
	uint64_t stx_ino;
	uint64_t stx_size;
	uint64_t stx_blocks;
	uint64_t stx_attributes_mask;
	struct lx_statx_timestamp stx_atime, stx_btime, stx_ctime, stx_mtime;
	uint32_t stx_rdev_major, stx_rdev_minor;
	uint32_t stx_dev_major, stx_dev_minor;
	uint64_t stx_mnt_id;
	uint32_t stx_dio_mem_align, stx_dio_offset_align;
	uint64_t spare3[12];
};
_Static_assert(sizeof(struct lx_statx) == 256, "statx");

#define LX_STATX_BASIC_STATS 0x7ffu
#define LX_STATX_MTIME 0x40u
#define LX_STATX_CTIME 0x80u
#define LX_STATX_BTIME 0x800u
#define LX_STATX_MNT_ID 0x1000u
#define LX_STATX_MNT_ID_UNIQUE 0x4000u
#define LX_STATX__RESERVED 0x80000000u
#define LX_STATX_ATTR_COMPRESSED 0x4u
#define LX_STATX_ATTR_IMMUTABLE 0x10u
#define LX_STATX_ATTR_APPEND 0x20u
#define LX_STATX_ATTR_NODUMP 0x40u
#define LX_STATX_ATTR_ENCRYPTED 0x800u
#define LX_STATX_ATTR_AUTOMOUNT 0x1000u
#define LX_STATX_ATTR_MOUNT_ROOT 0x2000u
#define LX_STATX_ATTR_VERITY 0x100000u
#define LX_STATX_ATTR_DAX 0x200000u

/* Device numbers as stat(2) and mknod(2) carry them. */
#define LX_MKDEV(ma, mi)                                                                  \
	((((uint64_t)(ma)&0xfffu) << 8) | ((uint64_t)(mi)&0xffu) |                        \
	 (((uint64_t)(mi) & ~0xffull) << 12) | (((uint64_t)(ma) & ~0xfffull) << 32))

#endif
