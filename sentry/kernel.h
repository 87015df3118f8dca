/* The kernel object: owns everything in a sandbox.
 *
 * One lock, the kernel lock, guards every object of the sentry. A trap is served
 * under it from start to end, unless the handler brackets a host operation that
 * may take long with kernel_release_host()/kernel_reacquire_host(). Handlers
 * never block: they finish or park (sentry/wait.h). */
#ifndef SENTRY_KERNEL_H
#define SENTRY_KERNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "platform/base/list.h"
#include "platform/base/mutex.h"

struct plat;
struct task;
struct pidtab;
struct mount_ns;
struct timers;
struct hostpoll;
struct syscall_table;
struct klog;
struct file;
struct kernel_net;
struct inode;
struct ipc_ns;
struct ttys;
struct ksiginfo;
struct procfs;
struct keys;

/* What kernel_boot() needs; filled in by oci-shim/boot. */
struct kernel_params {
	const char *hostname, *domainname;
	const struct syscall_table *table;
	bool host_network;	/* sockets of AF_INET/AF_INET6 are host sockets */
	uint64_t mem_limit;	/* bytes; 0: none */
	uint32_t max_tasks;	/* threads in the sandbox; 0: the default of 32768 */
	const char *strace_filter; /* NULL: off; "": all calls; else "open,read,…" */
	int strace_fd;
	uint64_t rng_seed[2];
};

struct kernel {
	struct mutex mu;	/* the kernel lock */
	struct plat *plat;
	struct list ready;	/* [mu] tasks whose handler is to be run again */
	bool dying;		/* [mu] */

	struct pidtab *pids;	/* [mu] sentry/task/pid.h */
	struct task *init;	/* [mu] guest pid 1, borrowed */
	struct timers *timers;	/* [mu] sentry/time/timer.h */
	struct hostpoll *hostpoll; /* sentry/hostpoll.h */
	struct mount_ns *mnt;	/* [mu] the sandbox's mounts */
	struct klog *klog;	/* [mu] what dmesg shows */
	const struct syscall_table *table; /* [I] */
	struct kernel_net *net;	/* [mu] sentry/net */
	struct inode *shmem_root; /* [mu] sentry/mm/shmem.c; NULL until first used */
	struct ipc_ns *ipc;	/* [mu] sentry/ipc/ipc.c; NULL until first used */
	struct ttys *ttys;	/* [mu] sentry/fs/tty, made on first use */
	struct procfs *procfs;	/* [mu] sentry/fs/proc, made on first use */
	struct keys *keys;	/* [mu] sentry/keys; NULL until first used */
	uint32_t seccomp_insns;	/* [mu] instructions of all guest filters */
	uint32_t epoll_watches;	/* [mu] entries of all epoll interest lists */

	char hostname[65], domainname[65]; /* [mu] */
	bool host_network;	/* [I] */
	uint32_t max_tasks, ntasks; /* [mu] */
	uint64_t mem_limit;	/* [I] bytes, as the sandbox's cgroup has it; 0: none */
	uint32_t nstopped;	/* [mu] processes with tgroup.stopped set */
	uint64_t boot_mono_ns;	/* [I] host CLOCK_MONOTONIC at boot */
	int64_t boot_real_ns;	/* [I] CLOCK_REALTIME at boot */
	uint64_t total_forks;	/* [mu] for /proc/stat */
	uint64_t ctxt;		/* [mu] traps served, for /proc/stat */
	void *strace;		/* sentry/task/strace.c */
	/* t is about to end its process by a fault or the like, of which info tells; NULL:
	 * nobody wants to know. Drops the lock meanwhile. */
	void (*crash)(struct task *t, const struct ksiginfo *info);
	void *crash_ctx;
	pthread_cond_t idle;	/* with mu.m: ntasks became 0 */
	bool init_ending;	/* [mu] pid 1 has exited; it waits for the others */
	bool started;		/* [mu] kernel_start() ran */
};

/* The release and version strings that uname(2), /proc/version and dmesg show. */
#define KERNEL_SYSNAME "Linux"
#define KERNEL_RELEASE "6.12.0-runsc"
#define KERNEL_VERSION "#1 SMP PREEMPT_DYNAMIC runsc"
#define KERNEL_MACHINE "x86_64"

/* 0 or -errno. Makes no thread and starts no guest code; plat is borrowed. */
int kernel_new(const struct kernel_params *p, struct plat *plat, struct kernel **out);
/* Starts the event thread (timers, host fds) and the platform's workers. */
int kernel_start(struct kernel *k);
/* Kill all tasks and end the event thread. Without the kernel lock; idempotent. After
 * it come plat_stop(), which ends the workers, kernel_free() and plat_free(). */
void kernel_stop(struct kernel *k);
/* Free all. Returns the number of leaked objects; debug builds log them by type. */
int kernel_free(struct kernel *k);

void kernel_lock(struct kernel *k);
/* Runs the ready tasks first, so nobody can forget to. */
void kernel_unlock(struct kernel *k);

/* Bracket a host operation that may take long (fsync, cold reads, big copies):
 * other traps are served meanwhile. Every object used across it must be held by
 * a reference, and every fact learnt before it may have changed. */
void kernel_release_host(struct kernel *k);
void kernel_reacquire_host(struct kernel *k);

/* Have the event thread call fn(ctx, epoll bits) when the host fd becomes readable
 * or is hung up (level-triggered), without the kernel lock. fd is borrowed. For
 * boot's control socket. 0 or -errno. kernel_unwatch_fd: from fn itself, or when the
 * event thread does not run; otherwise a call of fn may still be under way. */
int kernel_watch_fd(struct kernel *k, int fd, void (*fn)(void *ctx, uint32_t events), void *ctx);
void kernel_unwatch_fd(struct kernel *k, int fd);

/* Clocks in nanoseconds (host clocks; cheap). */
uint64_t ktime_mono(void);
int64_t ktime_real(void);

/* dmesg: add a line (printf). Needs the kernel lock. klog_read: sentry/klog.h */
__attribute__((format(printf, 2, 3))) void klog_printf(struct kernel *k, const char *fmt, ...);

/* getrandom for the kernel's own needs: never fails, never blocks. */
void krandom(void *buf, unsigned long len);

#endif
