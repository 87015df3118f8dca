/* getdents(2) and getdents64(2). The name and (for the old form) the type follow. */
#ifndef SYSCALLS_ABI_LX_DIRENT_H
#define SYSCALLS_ABI_LX_DIRENT_H

#include <stdint.h>

struct lx_dirent64_head { /* then d_name, NUL, padded to 8 */
	uint64_t d_ino;
	int64_t d_off;
	uint16_t d_reclen;
	uint8_t d_type;
} __attribute__((packed));
_Static_assert(sizeof(struct lx_dirent64_head) == 19, "dirent64");

struct lx_dirent_head { /* then d_name, NUL, padding; d_type is the last byte */
	uint64_t d_ino;
	uint64_t d_off;
	uint16_t d_reclen;
} __attribute__((packed));
_Static_assert(sizeof(struct lx_dirent_head) == 18, "dirent");

#define LX_DT_UNKNOWN 0
#define LX_DT_FIFO 1
#define LX_DT_CHR 2
#define LX_DT_DIR 4
#define LX_DT_BLK 6
#define LX_DT_REG 8
#define LX_DT_LNK 10
#define LX_DT_SOCK 12

#endif
