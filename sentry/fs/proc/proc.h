/* procfs for the rest of the sentry. The type is proc_type (sentry/vfs/vfs.h). */
#ifndef SENTRY_FS_PROC_PROC_H
#define SENTRY_FS_PROC_PROC_H

#include <stdint.h>

struct file;
struct kernel;
struct mm;
struct tgroup;

/* Settings below /proc/sys that something else in the sentry may want to follow. Kernel
 * lock held. */
enum sysctl_id {
	SYSCTL_OVERCOMMIT_MEMORY,
	SYSCTL_MAX_MAP_COUNT,
	SYSCTL_PID_MAX,
	SYSCTL_THREADS_MAX,
	SYSCTL_FILE_MAX,
	SYSCTL_PROTECTED_SYMLINKS, SYSCTL_PROTECTED_HARDLINKS,
	SYSCTL_PROTECTED_FIFOS, SYSCTL_PROTECTED_REGULAR,
	SYSCTL_NR_OPEN,
	SYSCTL_PIPE_MAX_SIZE,
	SYSCTL_SOMAXCONN,
	SYSCTL_UNPRIVILEGED_PORT_START,
	SYSCTL_PORT_RANGE_LOW,
	SYSCTL_PORT_RANGE_HIGH,
	SYSCTL_INOTIFY_MAX_WATCHES,
	SYSCTL_INOTIFY_MAX_INSTANCES,
	SYSCTL_INOTIFY_MAX_EVENTS,
	SYSCTL_KEYS_MAXKEYS,
	SYSCTL_KEYS_MAXBYTES,
	SYSCTL_KEYS_ROOT_MAXKEYS,
	SYSCTL_KEYS_ROOT_MAXBYTES,
	SYSCTL_KEYS_GC_DELAY,
	SYSCTL_COUNT_
};
int64_t sysctl_get(struct kernel *k, enum sysctl_id id);

/* Stable numbers of the one namespace of each type ("net:[4026531840]"). type: "net",
 * "pid" …; 0 when unknown. */
uint64_t proc_ns_ino(const char *type);

/* Is it an open namespace (/proc/PID/ns/…)? Its LX_CLONE_NEW* flag, or 0. */
uint64_t proc_ns_kind(const struct file *f);
/* The process whose /proc/PID directory is open as f: borrowed, perhaps reaped. NULL with
 * -LX_EBADF (it is something else) or -LX_ESRCH in *err. */
struct tgroup *proc_pid_tgroup(const struct file *f, int *err);

/* Pages in use, an estimate: private writable memory and program text. */
uint64_t proc_rss_pages(struct mm *mm);

/* From kernel_free(). */
void procfs_free(struct kernel *k);

#endif
