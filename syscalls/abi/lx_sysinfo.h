/* sysinfo(2). */
#ifndef SYSCALLS_ABI_LX_SYSINFO_H
#define SYSCALLS_ABI_LX_SYSINFO_H

#include <stdint.h>

struct lx_sysinfo {
	int64_t uptime;
	uint64_t loads[3], totalram, freeram, sharedram, bufferram, totalswap, freeswap;
	uint16_t procs, pad;
	uint32_t pad2;
	uint64_t totalhigh, freehigh;
	uint32_t mem_unit, pad3;
};
_Static_assert(sizeof(struct lx_sysinfo) == 112, "struct sysinfo");

#endif
