/* System V semaphores (semget(2) and relatives), x86-64. */
#ifndef SYSCALLS_ABI_LX_SEM_H
#define SYSCALLS_ABI_LX_SEM_H

#include <stdint.h>

#include "syscalls/abi/lx_ipc.h"

#define LX_SEM_UNDO 0x1000

#define LX_GETPID 11
#define LX_GETVAL 12
#define LX_GETALL 13
#define LX_GETNCNT 14
#define LX_GETZCNT 15
#define LX_SETVAL 16
#define LX_SETALL 17
#define LX_SEM_STAT 18
#define LX_SEM_INFO 19
#define LX_SEM_STAT_ANY 20

#define LX_SEMMSL 32000
#define LX_SEMMNS 1024000000
#define LX_SEMOPM 500
#define LX_SEMMNI 32000
#define LX_SEMVMX 32767
#define LX_SEMAEM LX_SEMVMX
#define LX_SEMUSZ 20

struct lx_sembuf {
	uint16_t num;
	int16_t op, flg;
};
_Static_assert(sizeof(struct lx_sembuf) == 6, "struct sembuf");

struct lx_semid64_ds {
	struct lx_ipc64_perm perm;
	int64_t otime, unused1, ctime, unused2;
	uint64_t nsems, unused3, unused4;
};
_Static_assert(sizeof(struct lx_semid64_ds) == 104, "struct semid64_ds");

struct lx_seminfo {
	int32_t semmap, semmni, semmns, semmnu, semmsl, semopm, semume, semusz, semvmx, semaem;
};
_Static_assert(sizeof(struct lx_seminfo) == 40, "struct seminfo");

#endif
