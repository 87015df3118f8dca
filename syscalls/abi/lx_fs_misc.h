/* ustat(2), file handles, file_getattr(2). */
#ifndef SYSCALLS_ABI_LX_FS_MISC_H
#define SYSCALLS_ABI_LX_FS_MISC_H

#include <stdint.h>

struct lx_ustat {
	int32_t f_tfree, pad;
	uint64_t f_tinode;
	char f_fname[6], f_fpack[6];
	uint32_t pad2;
};
_Static_assert(sizeof(struct lx_ustat) == 32, "ustat");

#define LX_MAX_HANDLE_SZ 128
struct lx_file_handle {
	uint32_t bytes, type;
	uint32_t ino_low, ino_high, generation; /* of LX_FILEID_INO64_GEN */
};
#define LX_FILE_HANDLE_HEAD 8
#define LX_FID_SIZE 12
_Static_assert(sizeof(struct lx_file_handle) == LX_FILE_HANDLE_HEAD + LX_FID_SIZE, "file_handle");
#define LX_FILEID_INO64_GEN 0x81u
#define LX_FILEID_INVALID 0xffu
#define LX_AT_HANDLE_MNT_ID_UNIQUE 0x1u
#define LX_AT_HANDLE_CONNECTABLE 0x2u
#define LX_AT_HANDLE_FID 0x200u

#define LX_FILE_ATTR_SIZE_VER0 24

struct lx_file_attr {
	uint64_t xflags;
	uint32_t extsize, nextents, projid, cowextsize;
};
_Static_assert(sizeof(struct lx_file_attr) == LX_FILE_ATTR_SIZE_VER0, "file_attr");
struct lx_fsxattr {
	uint32_t xflags, extsize, nextents, projid, cowextsize;
	uint8_t pad[8];
};
_Static_assert(sizeof(struct lx_fsxattr) == 28, "fsxattr");

#define LX_FS_IOC_GETFLAGS 0x80086601u
#define LX_FS_IOC_SETFLAGS 0x40086602u
#define LX_FS_IOC_FSGETXATTR 0x801c581fu
#define LX_FS_IOC_FSSETXATTR 0x401c5820u

#define LX_FS_SYNC_FL 0x8u
#define LX_FS_IMMUTABLE_FL 0x10u
#define LX_FS_APPEND_FL 0x20u
#define LX_FS_NODUMP_FL 0x40u
#define LX_FS_NOATIME_FL 0x80u
#define LX_FS_DIRSYNC_FL 0x10000u
#define LX_FS_DAX_FL 0x2000000u
#define LX_FS_PROJINHERIT_FL 0x20000000u

#define LX_FS_XFLAG_IMMUTABLE 0x8u
#define LX_FS_XFLAG_APPEND 0x10u
#define LX_FS_XFLAG_SYNC 0x20u
#define LX_FS_XFLAG_NOATIME 0x40u
#define LX_FS_XFLAG_NODUMP 0x80u
#define LX_FS_XFLAG_PROJINHERIT 0x200u
#define LX_FS_XFLAG_DAX 0x8000u
#define LX_FS_XFLAG_COMMON                                                                      \
	(LX_FS_XFLAG_SYNC | LX_FS_XFLAG_IMMUTABLE | LX_FS_XFLAG_APPEND | LX_FS_XFLAG_NODUMP | \
	 LX_FS_XFLAG_NOATIME | LX_FS_XFLAG_DAX | LX_FS_XFLAG_PROJINHERIT)
/* All that file_setattr(2) knows. */
#define LX_FS_XFLAGS 0x8001fffbull

#endif
