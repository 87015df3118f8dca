/* What the sandbox tells about the machine: processors and memory. */
#ifndef SENTRY_FS_PROC_HOSTINFO_H
#define SENTRY_FS_PROC_HOSTINFO_H

#include <stdbool.h>
#include <stdint.h>

struct pseudo_buf;

#define HOST_MAX_CPUS 1024
struct host_cpus {
	unsigned count;			     /* at least 1 */
	uint64_t mask[HOST_MAX_CPUS / 64];   /* which, by the host's numbers */
};
/* The processors that the sentry may run on, asked once. May be called before the process
 * confines itself; later calls make no host call. Never fails. */
const struct host_cpus *host_cpus(void);

struct host_mem {			/* bytes */
	uint64_t total, free, buffers, shared, swap_total, swap_free;
	uint64_t loads[3];		/* 16.16 fixed point */
};
/* The host's memory now (sysinfo(2)); the last known values when that fails. */
void host_mem(struct host_mem *out);
/* The same as the sandbox is to see it: no more than its limit, of which its own processes
 * use what they have mapped. Kernel lock held. */
struct kernel;
void sandbox_mem(struct kernel *k, struct host_mem *out);

/* /proc/cpuinfo; the processors are numbered from 0. */
void cpuinfo_show(struct pseudo_buf *b, unsigned ncpus);
unsigned cpuinfo_l2_kb(void), cpuinfo_l3_kb(void);

#endif
