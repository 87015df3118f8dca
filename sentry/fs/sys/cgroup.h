/* A cgroup2 file system with one group: what programs read to learn their limits. */
#ifndef SENTRY_FS_SYS_CGROUP_H
#define SENTRY_FS_SYS_CGROUP_H

#include "sentry/vfs/vfs.h"

/* cgroup2_type (sentry/vfs/vfs.h) takes as mount data from boot (guests have none):
 * "memory=BYTES,cpu_quota=US,cpu_period=US,pids=N", each optional: no limit. */

#endif
