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
#define LX_AT_HANDLE_MNT_ID_UNIQUE 0x1u
#define LX_AT_HANDLE_CONNECTABLE 0x2u
#define LX_AT_HANDLE_FID 0x200u

#define LX_FILE_ATTR_SIZE_VER0 24

#endif
