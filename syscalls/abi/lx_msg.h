/* System V message queues (msgget(2) and relatives), x86-64. */
#ifndef SYSCALLS_ABI_LX_MSG_H
#define SYSCALLS_ABI_LX_MSG_H

#include <stdint.h>

#include "syscalls/abi/lx_ipc.h"

#define LX_MSG_NOERROR 010000u
#define LX_MSG_EXCEPT 020000u
#define LX_MSG_COPY 040000u

#define LX_MSG_STAT 11
#define LX_MSG_INFO 12
#define LX_MSG_STAT_ANY 13

#define LX_MSGMAX 8192
#define LX_MSGMNB 16384
#define LX_MSGMNI 32000
#define LX_MSGSSZ 16
#define LX_MSGPOOL (LX_MSGMNI * LX_MSGMNB / 1024)
#define LX_MSGSEG 0xffff

struct lx_msqid64_ds {
	struct lx_ipc64_perm perm;
	int64_t stime, rtime, ctime;
	uint64_t cbytes, qnum, qbytes;
	int32_t lspid, lrpid;
	uint64_t unused4, unused5;
};
_Static_assert(sizeof(struct lx_msqid64_ds) == 120, "struct msqid64_ds");

struct lx_msginfo {
	int32_t msgpool, msgmap, msgmax, msgmnb, msgmni, msgssz, msgtql;
	uint16_t msgseg, pad;
};
_Static_assert(sizeof(struct lx_msginfo) == 32, "struct msginfo");

#endif
