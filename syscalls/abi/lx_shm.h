/* System V shared memory (shmget(2) and relatives), x86-64. */
#ifndef SYSCALLS_ABI_LX_SHM_H
#define SYSCALLS_ABI_LX_SHM_H

#include <stdint.h>

#include "syscalls/abi/lx_ipc.h"

#define LX_SHM_HUGETLB 04000u
#define LX_SHM_RDONLY 010000u
#define LX_SHM_RND 020000u
#define LX_SHM_REMAP 040000u
#define LX_SHM_EXEC 0100000u

#define LX_SHM_LOCK 11
#define LX_SHM_UNLOCK 12
#define LX_SHM_STAT 13
#define LX_SHM_INFO 14
#define LX_SHM_STAT_ANY 15

#define LX_SHM_DEST 01000u
#define LX_SHM_LOCKED 02000u

#define LX_SHMMIN 1u
#define LX_SHMMNI 4096u
#define LX_SHMMAX (UINT64_MAX - (1ULL << 24))
#define LX_SHMALL (UINT64_MAX - (1ULL << 24))

struct lx_shmid64_ds {
	struct lx_ipc64_perm perm;
	uint64_t segsz;
	int64_t atime, dtime, ctime;
	int32_t cpid, lpid;
	uint64_t nattch, unused4, unused5;
};
_Static_assert(sizeof(struct lx_shmid64_ds) == 112, "struct shmid64_ds");

struct lx_shminfo64 {
	uint64_t shmmax, shmmin, shmmni, shmseg, shmall, unused[4];
};
_Static_assert(sizeof(struct lx_shminfo64) == 72, "struct shminfo64");

struct lx_shm_info {
	int32_t used_ids, pad;
	uint64_t tot, rss, swp, swap_attempts, swap_successes;
};
_Static_assert(sizeof(struct lx_shm_info) == 48, "struct shm_info");

#endif
