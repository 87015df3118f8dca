/* A cgroup2 file system with one group: what programs read to learn their limits. */
#ifndef SENTRY_FS_SYS_CGROUP_H
#define SENTRY_FS_SYS_CGROUP_H

#include "sentry/vfs/vfs.h"

/* Mount data (for boot; ignored from guests): "memory=BYTES,cpu_quota=US,cpu_period=US,
 * pids=N", each optional: no limit. */
extern const struct fs_type cgroup2_type;

#endif
