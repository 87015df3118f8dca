/* procfs, inside: the tables of its files and what they share. */
#ifndef SENTRY_FS_PROC_PROC_IMPL_H
#define SENTRY_FS_PROC_PROC_IMPL_H

#include "sentry/fs/proc/proc.h"
#include "sentry/fs/proc/pseudo.h"
#include "sentry/task/task.h"
#include "syscalls/abi/lx_statfs.h"

#define PROC_MAGIC LX_PROC_SUPER_MAGIC
#define USER_HZ 100
#define NS_PER_TICK (1000000000ULL / USER_HZ)

/* The task a node is about, with references. */
struct proc_ref {
	struct tgroup *tg;
	struct task *t;		/* may have exited: then mm, fds and fs are NULL */
};
/* 0 or -LX_ESRCH. */
int proc_ref_get(const struct pseudo_node *n, struct proc_ref *r);
void proc_ref_put(struct proc_ref *r);
#define PROC_REF __attribute__((cleanup(proc_ref_put)))

/* ptrace(2)'s read access with file system ids (PTRACE_MODE_READ_FSCREDS). c: of whom;
 * -LX_EACCES. */
int proc_may_access(const struct proc_ref *r, const struct cred *c);
/* As entry.permission. */
int proc_permission_ptrace(struct pseudo_node *n, const struct cred *c, unsigned mask);
/* The same for links, on behalf of the task that looks (NULL: allowed). */
int proc_link_access(const struct proc_ref *r, const struct task *viewer);
/* The root that paths are shown relative to: the caller's. */
const struct path *proc_viewer_root(void);
/* Show a path (file names with newlines escaped). */
void proc_show_path(struct kernel *k, struct pseudo_buf *b, const struct path *p,
		    const char *esc);
/* Text of a path into buf: its length or -errno. */
int proc_path_text(struct kernel *k, const struct path *p, char *buf, size_t size);

static inline struct kernel *proc_kernel(const struct pseudo_node *n)
{
	return n->i.sb->k;
}

/* Tables. */
extern const struct pseudo_entry proc_root_entry, proc_pid_entry, proc_tid_entry;
extern const struct pseudo_entry proc_net_children[], proc_sys_children[],
	proc_ns_children[], proc_sysvipc_children[], proc_mqueue_children[];

/* proc_pid_stat.c */
int proc_show_stat(struct pseudo_node *n, struct pseudo_buf *b);
int proc_show_statm(struct pseudo_node *n, struct pseudo_buf *b);
int proc_show_status(struct pseudo_node *n, struct pseudo_buf *b);
int proc_show_limits(struct pseudo_node *n, struct pseudo_buf *b);
int proc_show_sched(struct pseudo_node *n, struct pseudo_buf *b);
int proc_show_schedstat(struct pseudo_node *n, struct pseudo_buf *b);
/* proc_pid_mem.c */
int proc_show_maps(struct pseudo_node *n, struct pseudo_buf *b);
int proc_show_smaps(struct pseudo_node *n, struct pseudo_buf *b);
int proc_show_smaps_rollup(struct pseudo_node *n, struct pseudo_buf *b);
int proc_show_cmdline(struct pseudo_node *n, struct pseudo_buf *b);
int proc_show_environ(struct pseudo_node *n, struct pseudo_buf *b);
int proc_show_auxv(struct pseudo_node *n, struct pseudo_buf *b);
int proc_open_mem(struct pseudo_node *n, const struct path *path, uint32_t fmode, uint32_t flags,
		  struct file **out);
/* proc_pid_fd.c */
int proc_fd_lookup(struct pseudo_node *dir, const char *name, struct pseudo_found *out);
bool proc_fd_next(struct pseudo_node *dir, uint64_t *cursor, char *name, size_t size,
		  unsigned *dtype);
int proc_fdinfo_lookup(struct pseudo_node *dir, const char *name, struct pseudo_found *out);
bool proc_fdinfo_next(struct pseudo_node *dir, uint64_t *cursor, char *name, size_t size,
		      unsigned *dtype);
int proc_fd_permission(struct pseudo_node *n, const struct cred *c, unsigned mask);
int proc_exe_readlink(struct pseudo_node *n, char *buf, size_t size);
int proc_exe_get_link(struct pseudo_node *n, struct task *t, struct path *out);
int proc_cwd_readlink(struct pseudo_node *n, char *buf, size_t size);
int proc_cwd_get_link(struct pseudo_node *n, struct task *t, struct path *out);
int proc_root_readlink(struct pseudo_node *n, char *buf, size_t size);
int proc_root_get_link(struct pseudo_node *n, struct task *t, struct path *out);
/* proc_mounts.c */
int proc_show_mounts(struct pseudo_node *n, struct pseudo_buf *b);
int proc_show_mountinfo(struct pseudo_node *n, struct pseudo_buf *b);
int proc_show_mountstats(struct pseudo_node *n, struct pseudo_buf *b);
/* proc_global.c */
int proc_show_cpuinfo(struct pseudo_node *n, struct pseudo_buf *b);
int proc_show_meminfo(struct pseudo_node *n, struct pseudo_buf *b);
int proc_show_gstat(struct pseudo_node *n, struct pseudo_buf *b);
int proc_show_uptime(struct pseudo_node *n, struct pseudo_buf *b);
int proc_show_loadavg(struct pseudo_node *n, struct pseudo_buf *b);
int proc_show_filesystems(struct pseudo_node *n, struct pseudo_buf *b);
int proc_show_vmstat(struct pseudo_node *n, struct pseudo_buf *b);
int proc_show_interrupts(struct pseudo_node *n, struct pseudo_buf *b);
int proc_show_softirqs(struct pseudo_node *n, struct pseudo_buf *b);
int proc_show_zoneinfo(struct pseudo_node *n, struct pseudo_buf *b);

/* proc_ipc.c: what the IPC namespace limits, as entry.arg. */
enum proc_ipc_limit {
	PROC_IPC_SEM,
	PROC_IPC_MSGMAX,
	PROC_IPC_MSGMNB,
	PROC_IPC_MSGMNI,
	PROC_IPC_SHMMAX,
	PROC_IPC_SHMALL,
	PROC_IPC_SHMMNI,
	PROC_IPC_SHM_RMID_FORCED,
	PROC_IPC_MQ_QUEUES_MAX,
	PROC_IPC_MQ_MSG_MAX,
	PROC_IPC_MQ_MSGSIZE_MAX,
	PROC_IPC_MQ_MSG_DEFAULT,
	PROC_IPC_MQ_MSGSIZE_DEFAULT,
};
int proc_show_ipc(struct pseudo_node *n, struct pseudo_buf *b);
int64_t proc_write_ipc(struct pseudo_node *n, char *text, size_t len);
#define PROC_IPC_FILE(name, id) \
	PSEUDO_REG(name, 0644, .show = proc_show_ipc, .write = proc_write_ipc, .arg = id)

#define PROC_SYSCTLS SYSCTL_COUNT_

/* Settings of /proc/sys that were changed, and the namespace files. */
struct procfs {
	struct superblock *ns_sb; /* one reference: what /proc/PID/ns leads to */
	int64_t sysctl[PROC_SYSCTLS];
	bool sysctl_set[PROC_SYSCTLS];
	uint8_t boot_id[16];	/* made when first read */
	uint64_t max_ticks[2];	/* user and system time that /proc/stat has shown */
};
struct procfs *procfs_of(struct kernel *k); /* NULL: out of memory */

#endif
