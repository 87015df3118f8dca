/* Scheduling policies (sched(7)). */
#ifndef SYSCALLS_ABI_LX_SCHED_H
#define SYSCALLS_ABI_LX_SCHED_H

#include <stdint.h>

#define LX_SCHED_NORMAL 0
#define LX_SCHED_FIFO 1
#define LX_SCHED_RR 2
#define LX_SCHED_BATCH 3
#define LX_SCHED_IDLE 5
#define LX_SCHED_DEADLINE 6
#define LX_SCHED_EXT 7
#define LX_SCHED_RESET_ON_FORK 0x40000000

#define LX_MAX_RT_PRIO 100

struct lx_sched_param {
	int32_t priority;
};

#define LX_SCHED_FLAG_RESET_ON_FORK 1u
#define LX_SCHED_FLAG_ALL 0x7fu
#define LX_SCHED_ATTR_SIZE_VER0 48u
struct lx_sched_attr {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
	uint32_t util_min, util_max;
};
_Static_assert(sizeof(struct lx_sched_attr) == 56, "struct sched_attr");

#endif
