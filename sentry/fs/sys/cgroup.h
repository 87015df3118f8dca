/* A cgroup2 file system with one group: what programs read to learn their limits. */
#ifndef SENTRY_FS_SYS_CGROUP_H
#define SENTRY_FS_SYS_CGROUP_H

#include "sentry/vfs/vfs.h"

/* What it shows (cgroup2_type is in sentry/vfs/vfs.h); 0: no limit. Kernel lock held. */
struct cgroup_limits {
	uint64_t memory, cpu_quota, cpu_period, pids; /* bytes, microseconds, threads */
};
void cgroup_set_limits(const struct cgroup_limits *l);

#endif
