/* The container's cgroups: one directory per mounted v1 controller and one in the
 * unified hierarchy. */
#ifndef OCI_SHIM_SANDBOX_CGROUP_H
#define OCI_SHIM_SANDBOX_CGROUP_H

#include "oci-shim/state/state.h"

#define CGROUP_MAX_HIERARCHIES 16

struct cgroup {
	int unified_fd;		/* for CLONE_INTO_CGROUP, -1: none */
	int task_fds[CGROUP_MAX_HIERARCHIES]; /* v1 "tasks" files for cgroup_join() */
	unsigned ntask_fds;
};

/* Make the directories that spec->cgroups_path names (recorded in st->cgroups) and set
 * the limits. Without privilege and without limits asked for: nothing, 0. On error
 * what was made is removed. */
int cgroup_create(const struct runsc_opts *o, const struct oci_spec *spec, struct state *st,
		  struct cgroup *cg, struct oerr *e);
/* Open the directories recorded in st, for a further process (exec). */
void cgroup_open(const struct state *st, struct cgroup *cg);
/* Called by the new, single-threaded process itself: entering with "0" needs no
 * grace period in the kernel, moving another process does (20 ms). 0 or -errno. */
int cgroup_join(const struct cgroup *cg);
void cgroup_close(struct cgroup *cg);
/* Files of a cgroup with a memory limit, open for reading. */
struct cgroup_watch {
	int limit, usage, stat;
};
#define CGROUP_WATCH_MAX 3
/* Open what tells how near this process is to the memory limits of the cgroup that it is in
 * and of those above that have one (the nearest CGROUP_WATCH_MAX). How many. */
unsigned cgroup_memory_watch(struct cgroup_watch *out);
void cgroup_watch_close(const struct cgroup_watch *w, unsigned n);
/* Remove what st records; waits for processes on their way out. */
int cgroup_remove(struct state *st, struct oerr *e);
/* SIGKILL everything in them (cgroup.kill, else one by one). */
void cgroup_kill(const struct state *st);
/* Freeze or thaw; 0 or -1. */
int cgroup_freeze(const struct state *st, bool freeze, struct oerr *e);

/* Change the limits of a container that exists; 0 in r means unchanged, -1 no limit. */
int cgroup_update(const struct state *st, const struct spec_resources *r, struct oerr *e);

struct cgroup_stats {
	uint64_t cpu_total, cpu_user, cpu_kernel; /* nanoseconds */
	uint64_t memory_usage, memory_max, memory_limit, memory_failcnt;
	uint64_t pids, pids_limit;
};
/* What the cgroups say; what they do not say is 0. No limit: UINT64_MAX or the host's
 * largest number for memory, 0 for pids. */
void cgroup_read_stats(const struct state *st, struct cgroup_stats *s);

#endif
