/* open(2), fcntl(2), flock(2), the AT_ and RESOLVE_ flags, lseek and fallocate, as a
 * guest on x86-64 sees them. */
#ifndef SYSCALLS_ABI_LX_FCNTL_H
#define SYSCALLS_ABI_LX_FCNTL_H

#include <stdint.h>

#define LX_O_RDONLY 0u
#define LX_O_WRONLY 1u
#define LX_O_RDWR 2u
#define LX_O_ACCMODE 3u
#define LX_O_CREAT 0100u
#define LX_O_EXCL 0200u
#define LX_O_NOCTTY 0400u
#define LX_O_TRUNC 01000u
#define LX_O_APPEND 02000u
#define LX_O_NONBLOCK 04000u
#define LX_O_DSYNC 010000u
#define LX_FASYNC 020000u
#define LX_O_DIRECT 040000u
#define LX_O_LARGEFILE 0100000u
#define LX_O_DIRECTORY 0200000u
#define LX_O_NOFOLLOW 0400000u
#define LX_O_NOATIME 01000000u
#define LX_O_CLOEXEC 02000000u
#define LX___O_SYNC 04000000u
#define LX_O_SYNC (LX___O_SYNC | LX_O_DSYNC)
#define LX_O_PATH 010000000u
#define LX___O_TMPFILE 020000000u
#define LX_O_TMPFILE (LX___O_TMPFILE | LX_O_DIRECTORY)
#define LX_O_VALID                                                                             \
	(LX_O_ACCMODE | LX_O_CREAT | LX_O_EXCL | LX_O_NOCTTY | LX_O_TRUNC | LX_O_APPEND |      \
	 LX_O_NONBLOCK | LX_O_SYNC | LX_FASYNC | LX_O_DIRECT | LX_O_LARGEFILE |                \
	 LX_O_DIRECTORY | LX_O_NOFOLLOW | LX_O_NOATIME | LX_O_CLOEXEC | LX_O_PATH |            \
	 LX___O_TMPFILE)

#define LX_AT_FDCWD (-100)
#define LX_AT_SYMLINK_NOFOLLOW 0x100u
#define LX_AT_EACCESS 0x200u
#define LX_AT_REMOVEDIR 0x200u
#define LX_AT_SYMLINK_FOLLOW 0x400u
#define LX_AT_NO_AUTOMOUNT 0x800u
#define LX_AT_RECURSIVE 0x8000u
#define LX_AT_EMPTY_PATH 0x1000u
#define LX_AT_STATX_SYNC_TYPE 0x6000u
#define LX_AT_STATX_FORCE_SYNC 0x2000u
#define LX_AT_STATX_DONT_SYNC 0x4000u

struct lx_open_how {
	uint64_t flags;
	uint64_t mode;
	uint64_t resolve;
};
#define LX_OPEN_HOW_SIZE_VER0 24u
_Static_assert(sizeof(struct lx_open_how) == 24, "open_how");
#define LX_RESOLVE_NO_XDEV 0x01u
#define LX_RESOLVE_NO_MAGICLINKS 0x02u
#define LX_RESOLVE_NO_SYMLINKS 0x04u
#define LX_RESOLVE_BENEATH 0x08u
#define LX_RESOLVE_IN_ROOT 0x10u
#define LX_RESOLVE_CACHED 0x20u
#define LX_RESOLVE_VALID 0x3fu

#define LX_F_DUPFD 0u
#define LX_F_GETFD 1u
#define LX_F_SETFD 2u
#define LX_F_GETFL 3u
#define LX_F_SETFL 4u
#define LX_F_GETLK 5u
#define LX_F_SETLK 6u
#define LX_F_SETLKW 7u
#define LX_F_SETOWN 8u
#define LX_F_GETOWN 9u
#define LX_F_SETSIG 10u
#define LX_F_GETSIG 11u
#define LX_F_SETOWN_EX 15u
#define LX_F_GETOWN_EX 16u
#define LX_F_GETOWNER_UIDS 17u
#define LX_F_OFD_GETLK 36u
#define LX_F_OFD_SETLK 37u
#define LX_F_OFD_SETLKW 38u
#define LX_F_SETLEASE 1024u
#define LX_F_GETLEASE 1025u
#define LX_F_NOTIFY 1026u
#define LX_F_DUPFD_QUERY 1027u
#define LX_F_CREATED_QUERY 1028u
#define LX_F_GET_RW_HINT 1035u
#define LX_F_SET_RW_HINT 1036u
#define LX_RWH_WRITE_LIFE_EXTREME 5u
#define LX_F_DUPFD_CLOEXEC 1030u
#define LX_F_SETPIPE_SZ 1031u
#define LX_F_GETPIPE_SZ 1032u
#define LX_F_ADD_SEALS 1033u
#define LX_F_GET_SEALS 1034u
#define LX_FD_CLOEXEC 1u

#define LX_F_SEAL_SEAL 0x01u
#define LX_F_SEAL_SHRINK 0x02u
#define LX_F_SEAL_GROW 0x04u
#define LX_F_SEAL_WRITE 0x08u
#define LX_F_SEAL_FUTURE_WRITE 0x10u
#define LX_F_SEAL_EXEC 0x20u
#define LX_F_SEAL_VALID 0x3fu

#define LX_F_RDLCK 0
#define LX_F_WRLCK 1
#define LX_F_UNLCK 2

struct lx_flock {
	int16_t l_type;
	int16_t l_whence;
	int32_t pad;
	int64_t l_start;
	int64_t l_len;
	int32_t l_pid;
	int32_t pad2;
};
_Static_assert(sizeof(struct lx_flock) == 32, "flock");

#define LX_F_OWNER_TID 0
#define LX_F_OWNER_PID 1
#define LX_F_OWNER_PGRP 2
struct lx_f_owner_ex {
	int32_t type;
	int32_t pid;
};

#define LX_LOCK_SH 1u
#define LX_LOCK_EX 2u
#define LX_LOCK_NB 4u
#define LX_LOCK_UN 8u
#define LX_LOCK_MAND 32u

#define LX_SEEK_SET 0
#define LX_SEEK_CUR 1
#define LX_SEEK_END 2
#define LX_SEEK_DATA 3
#define LX_SEEK_HOLE 4

#define LX_FALLOC_FL_KEEP_SIZE 0x01u
#define LX_FALLOC_FL_PUNCH_HOLE 0x02u
#define LX_FALLOC_FL_NO_HIDE_STALE 0x04u
#define LX_FALLOC_FL_COLLAPSE_RANGE 0x08u
#define LX_FALLOC_FL_ZERO_RANGE 0x10u
#define LX_FALLOC_FL_INSERT_RANGE 0x20u
#define LX_FALLOC_FL_UNSHARE_RANGE 0x40u
#define LX_FALLOC_FL_WRITE_ZEROES 0x80u

#define LX_RWF_HIPRI 0x01u
#define LX_RWF_DSYNC 0x02u
#define LX_RWF_SYNC 0x04u
#define LX_RWF_NOWAIT 0x08u
#define LX_RWF_APPEND 0x10u
#define LX_RWF_NOAPPEND 0x20u
#define LX_RWF_SUPPORTED 0x3fu
#define LX_MAX_RW_COUNT 0x7ffff000u

#define LX_SPLICE_F_MOVE 1u
#define LX_SPLICE_F_NONBLOCK 2u
#define LX_SPLICE_F_MORE 4u
#define LX_SPLICE_F_GIFT 8u

#define LX_SYNC_FILE_RANGE_VALID 7u
#define LX_POSIX_FADV_MAX 5

#define LX_CLOSE_RANGE_UNSHARE 2u
#define LX_CLOSE_RANGE_CLOEXEC 4u

#define LX_RENAME_NOREPLACE 1u
#define LX_RENAME_EXCHANGE 2u
#define LX_RENAME_WHITEOUT 4u

#define LX_F_OK 0u
#define LX_X_OK 1u
#define LX_W_OK 2u
#define LX_R_OK 4u

#define LX_PATH_MAX 4096
#define LX_NAME_MAX 255

#define LX_FIONREAD 0x541bu
#define LX_FIONBIO 0x5421u
#define LX_FIONCLEX 0x5450u
#define LX_FIOCLEX 0x5451u
#define LX_FIOASYNC 0x5452u
#define LX_FIOQSIZE 0x5460u
#define LX_FICLONE 0x40049409u
#define LX_FICLONERANGE 0x4020940du
#define LX_FIDEDUPERANGE 0xc0189436u
#define LX_FIGETBSZ 2u

#endif
