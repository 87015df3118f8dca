/* What the three kinds of System V IPC share (sysvipc(7)), x86-64. */
#ifndef SYSCALLS_ABI_LX_IPC_H
#define SYSCALLS_ABI_LX_IPC_H

#include <stdint.h>

#define LX_IPC_PRIVATE 0
#define LX_IPC_CREAT 01000u
#define LX_IPC_EXCL 02000u
#define LX_IPC_NOWAIT 04000u
#define LX_IPC_RMID 0
#define LX_IPC_SET 1
#define LX_IPC_STAT 2
#define LX_IPC_INFO 3

#define LX_IPCMNI 32768u /* ids of one kind that there can be */
#define LX_IPC_SEQ_SHIFT 15

struct lx_ipc64_perm {
	int32_t key;
	uint32_t uid, gid, cuid, cgid;
	uint32_t mode;
	uint16_t seq, pad2;
	uint32_t pad3;
	uint64_t unused1, unused2;
};
_Static_assert(sizeof(struct lx_ipc64_perm) == 48, "struct ipc64_perm");

#endif
