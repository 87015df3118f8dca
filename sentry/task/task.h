/* Tasks (guest threads), thread groups (processes), sessions and process groups. */
#ifndef SENTRY_TASK_TASK_H
#define SENTRY_TASK_TASK_H

#include <stdbool.h>
#include <stdint.h>

#include "platform/base/auto.h"
#include "platform/base/bug.h"
#include "platform/base/list.h"
#include "platform/base/refs.h"
#include "platform/platform.h"
#include "sentry/cred/cred.h"
#include "sentry/kernel.h"
#include "sentry/keys/keys.h"
#include "sentry/signal/signal.h"
#include "sentry/time/timer.h"
#include "sentry/wait.h"
#include "syscalls/abi/lx_errno.h"
#include "syscalls/abi/lx_types.h"

struct mm;
struct fdtable;
struct fs_ctx;
struct tty;
struct file;
struct sem_undo_list;
struct seccomp_filter;
struct seccomp_notif;

#define LX_RLIM_NLIMITS 16
struct krlimit {
	uint64_t cur, max;
};

struct session {
	struct refs refs;
	int sid;
	struct tty *tty;	/* controlling terminal, borrowed; tty side clears it */
	int fg_pgid;		/* unused when tty is NULL */
};
void session_get(struct session *s);
void session_put(struct session *s);

enum task_state {
	TASK_NEW,	/* made, its host thread has not reported yet */
	TASK_RUNNING,	/* in guest code, or a handler of it runs right now */
	TASK_PARKED,	/* waiting inside a call */
	TASK_READY,	/* woken; on kernel.ready */
	TASK_STOPPED,	/* by job control; trapped, not resumed */
	TASK_DEAD,	/* exited; only references remain */
};

/* What survives while a call waits. Zeroed when a new call begins. */
struct restart {
	uint64_t deadline;	/* absolute CLOCK_MONOTONIC ns; valid if has_deadline */
	bool has_deadline;
	bool started;		/* the handler has run before for this call */
	uint64_t done;		/* bytes (or items) already transferred */
	uint64_t scratch[6];	/* the handler's own */
	void *ptr;		/* the handler's own, freed by ptr_free at the call's end */
	void (*ptr_free)(void *);
};

struct task {
	struct refs refs;
	struct kernel *k;
	struct tgroup *tg;		/* one reference */
	struct list tg_link;		/* in tg->tasks */
	int tid;
	enum task_state state;
	struct plat_thread *pt;		/* NULL once released */
	struct mm *mm;			/* one reference; NULL after exit */
	struct fdtable *fds;		/* one reference; NULL after exit */
	struct fs_ctx *fs;		/* one reference; NULL after exit */
	struct sighand *sighand;	/* one reference */
	struct cred *cred;		/* one reference */
	char comm[16];

	/* signals */
	struct sigqueue pending;
	sigset64 sigmask, saved_sigmask;
	bool restore_sigmask;		/* saved_sigmask to be restored at call end */
	struct sigaltstack_state altstack;
	struct waitq sigwait;		/* something became pending */
	sigset64 sigwait_set;		/* rt_sigtimedwait waits for these */
	uint64_t fault_err, fault_trapno, fault_cr2; /* of the last fault, for signal frames */
	long stop_result;		/* result kept while stopped; see signal_deliver() */
	bool stop_is_syscall, stop_return;

	/* the call in progress */
	struct plat_regs *regs;		/* plat_thread_regs(), valid while trapped */
	bool partial;			/* of them, only a call's arguments, rax and rip */
	uint64_t sysno;			/* of the current call; UINT64_MAX: none */
	uint64_t sysargs[6];
	struct restart restart;
	struct plat_batch batch;	/* for the next resume */
	uint64_t trap_seq;		/* traps so far, counted as each begins: when it has
					 * moved on, the batch before it is done (mm) */
	void (*batch_done)(struct task *t, int index, int error); /* see dispatch.c */
	struct list ready_link;
	struct list enrolled;		/* struct task_waiter */
	struct ktimer park_timer;
	long (*restart_fn)(struct task *t); /* restart_syscall(2); NULL: -EINTR */
	uint64_t restart_arg[6];	/* for restart_fn; survive into restart_syscall */

	/* exit and wait */
	int exit_code;			/* wait status form */
	bool group_exit_seen, killed;	/* killed: leave at the next chance */
	uint64_t clear_child_tid;	/* set_tid_address; 0: none */
	uint64_t robust_list;
	struct waitq *vfork_done;	/* parent's, fired at exec or exit */
	struct task *vfork_parent;	/* one reference while it waits */
	int pdeath_signal;

	/* misc */
	uint64_t start_mono_ns;
	uint64_t nvcsw;
	uint64_t cpu_base_ns;		/* CPU time before its last execve */
	uint64_t cpu_end_ns;		/* once it is gone: all of it */
	int nice;
	int sched_policy, sched_prio;
	uint16_t ioprio;
	uint32_t mempolicy;		/* LX_MPOL_*, with its flags */
	uint64_t mempolicy_nodes;
	uint64_t personality;
	struct task_keys keys;		/* sentry/keys */
	struct {			/* PR_SET_SYSCALL_USER_DISPATCH */
		bool on;
		uint64_t start, len, selector;
	} sud;
	uint8_t seccomp_mode;		/* LX_SECCOMP_MODE_*; sentry/seccomp has the rest */
	unsigned seccomp_count;		/* filters */
	struct seccomp_filter *seccomp; /* the newest, one reference; NULL: none */
	struct seccomp_notif *seccomp_notif; /* owned: its call waits for a listener */
	bool no_new_privs;
	bool keepcaps;
	uint64_t timer_slack_ns;
	uint64_t fs_base, gs_base;	/* last set by arch_prctl or CLONE_SETTLS */
	uint64_t affinity[16];		/* CPU mask; all zero: every CPU. Inherited */
	bool sched_reset_on_fork;
	bool io_flusher;		/* PR_SET_IO_FLUSHER, remembered */
	uint8_t mce_policy;		/* PR_MCE_KILL, remembered: LX_PR_MCE_KILL_* */
	struct plat_regs *want_regs;	/* filled in and cleared at the next trap: control/ */
	bool strace_open;		/* --strace: entry printed, exit not yet */
	void *strace_buf;
	struct list futex_link;		/* sentry/ipc/futex.c */
	void *futex_state;
	struct sem_undo_list *sem_undo;	/* sentry/ipc/sem.c: one of its users; NULL: none */
	struct list shm_created;	/* sentry/ipc/shm.c: segments that it made */

	/* sentry/task/dispatch.c: between a trap and its answer */
	bool in_kernel;			/* a trap of it is being served (perhaps with the
					 * kernel lock dropped): nobody else may end it */
	bool woken;			/* a queue fired while in_kernel */
	bool kick_after;		/* report a KICK trap right after the batch */
	bool started;			/* its host thread has reported */
	long (*call_fn)(struct task *t); /* runs instead of the call's handler */
	struct {			/* a partial trap's call has ended; the KICK that */
		bool due;		/* brings all registers goes on with its result. */
		bool is_call;		/* t->batch waits, too */
		long result;
		uint64_t rax;
	} aside;
	struct {			/* task_cmpxchg() */
		enum { ATOMIC_NONE, ATOMIC_ORDERED, ATOMIC_DONE } state;
		int result;
	} atomic;
	struct {			/* task_big_io() */
		enum { BIG_NONE, BIG_ORDERED, BIG_DONE, BIG_FAILED } state;
		struct file *file;	/* one reference; NULL unless ordered or done */
		int64_t pos;		/* of what was ordered: len bytes from there */
		uint64_t len;
	} big;
	enum { TOUCH_UNDECIDED, TOUCH_ORDERED, TOUCH_SETTLED } touch; /* task_touch() */
	void (*kick_fn)(struct task *t); /* what the KICK asked for by kick_after does */
	struct task *cloning;		/* one reference: child of the batch under way */
	int cloning_pidfd;		/* fd to be closed if that fails, or -1 */
	struct plat_regs start_regs;	/* TASK_NEW: a clone child's registers */
	uint64_t set_child_tid;		/* TASK_NEW: CLONE_CHILD_SETTID */
	struct exec_state *exec;	/* execve under way: task_exec.c */
	bool batch_of_call;		/* the batch under way belongs to a call's result */
	struct plat_thread *go_pt;	/* what the pending plat_resume() is for */
	bool go_batch;			/* … and whether it runs t->batch */
	_Atomic unsigned pins;		/* plat_resume() calls of it in flight; task.c */
	struct plat_thread *defer_pt;	/* to be released by the last of them */
	struct task_waiter waiters[TASK_INLINE_WAITERS]; /* the first enrolments */
	unsigned nwaiters;
};

struct tgroup {			/* a process */
	struct refs refs;
	struct kernel *k;
	int tgid;
	struct task *leader;		/* borrowed */
	struct list tasks;		/* live threads */
	unsigned nlive;
	struct tgroup *parent;		/* borrowed; re-parented before it goes */
	struct list children, sibling;	/* tgroups */
	int pgid;
	struct session *session;	/* one reference */
	struct sigqueue pending;	/* process-directed signals */
	struct waitq child_wait;	/* wait4 of this process's threads */
	struct waitq exit_wait;		/* pidfd polls */
	struct krlimit rlim[LX_RLIM_NLIMITS];
	int exit_signal;		/* SIGCHLD */
	int exit_code;			/* wait status; valid when zombie */
	const char *ended_by;		/* why the sandbox ended it; NULL: it ended by itself, or
					 * by a signal */
	bool zombie, exiting, reaped;
	bool stopped, stop_reported, continued; /* job control, for wait4 */
	int stop_sig;
	bool stop_pending;		/* its threads are to stop (signal/stop.c) */
	bool init_killable;		/* pid 1 without its protection: `do`, or a fatal fault */
	bool subreaper;
	bool did_exec;
	bool autoreap;			/* parent ignores SIGCHLD */
	uint64_t start_mono_ns;
	struct plat_usage used;		/* of what ended already: threads, address spaces */
	struct plat_usage cused;	/* of waited-for children */
	uint64_t seen_user_ns, seen_sys_ns; /* the current address space's time, as last told */
	struct posix_timers *timers;	/* sentry/time: itimers and POSIX timers; lazily */
	int oom_score_adj;
	void (*on_exit)(struct tgroup *tg, void *ctx); /* boot: init and exec'd processes */
	void *on_exit_ctx;
	int parent_tid;			/* the thread of parent that made it */
	struct list pgrp_link;		/* sentry/task/pid.c: members of pgid */
	struct task *exec_task;		/* this thread's execve waits for the others to go */
	bool had_threads;		/* more than one, at some time */
	bool note_cpu;			/* its threads note their CPU time */
	bool shares_mm;			/* runs in the address space of another process */
	bool hashed;			/* in the pid table */
	bool called;			/* has made a system call */
	struct io_account {	/* /proc/PID/io: bytes and calls of read and write */
		uint64_t rchar, wchar, syscr, syscw;
	} io;
	struct ktimer kill_timer;	/* ends threads that do not follow a kick */
};

/* All registers: not for a call of the direct set, before its KICK has come. */
static inline struct plat_regs *task_regs(const struct task *t)
{
	BUG_ON(t->partial);
	return t->regs;
}

void task_get(struct task *t);
void task_put(struct task *t);
DEFINE_AUTO_PUT(task)
void tgroup_get(struct tgroup *tg);
void tgroup_put(struct tgroup *tg);
DEFINE_AUTO_PUT(tgroup)

/* ---- pid table: one pid namespace per sandbox ---- */
struct task *task_lookup(struct kernel *k, int tid);	   /* counted or NULL */
struct tgroup *tgroup_lookup(struct kernel *k, int tgid);  /* counted or NULL; also zombies */
/* Iterate processes in pid order: the first tgid > after; counted or NULL. */
struct tgroup *tgroup_next(struct kernel *k, int after);
bool pgrp_exists_in_session(struct kernel *k, int pgid, int sid);

/* ---- life and death ---- */
struct task_spec {		/* the first process, and `exec` later */
	char **argv, **envp;
	const char *cwd;
	struct cred *cred;	/* reference taken over on success */
	struct krlimit rlim[LX_RLIM_NLIMITS];
	struct file *stdio[3];	/* references taken over on success; may be NULL */
	struct file **extra_files; /* fds 3…, references taken over; NULL: none */
	unsigned nextra;
	struct tty *ctty;	/* controlling terminal or NULL */
	uint32_t umask;
	bool no_new_privs;
	int oom_score_adj;
	void (*on_exit)(struct tgroup *tg, void *ctx); /* kernel lock held */
	void *on_exit_ctx;
};
/* Make a process and run argv[0] (searched in PATH of envp when it has no slash).
 * Its argv0 is checked now: -LX_ENOENT, -LX_EACCES, -LX_ENOEXEC …; *out is
 * borrowed. It does not run before kernel_start() and task_release_start().
 * Call without the kernel lock. */
int process_spawn(struct kernel *k, const struct task_spec *spec, struct tgroup **out);
/* `start`: let a spawned process go. Kernel lock held. */
void process_start(struct tgroup *tg);

/* End the calling thread / process at its next return to the guest. status: wait
 * status form ((code & 0xff) << 8, or signal number). Return value for handlers:
 * pass on as the handler's result (-LX_ERAN). */
long task_exit(struct task *t, int status);
long tgroup_exit(struct task *t, int status);
/* SIGKILL every process of the sandbox (or all but pid 1). Kernel lock held. */
void kernel_kill_all(struct kernel *k, bool spare_init);

/* For handlers: compare and swap an aligned word of guest memory, atomically, by the calling
 * thread itself. -LX_ERAN: pass it on; the handler is run again from the top, finds out
 * with task_cmpxchg_result() and takes another look at the word. -LX_EFAULT. */
long task_cmpxchg(struct task *t, uint64_t addr, uint32_t expected, uint32_t desired);
/* Did one come back? Then *out is 0, -LX_EAGAIN (the word differed) or -LX_EFAULT. Once. */
bool task_cmpxchg_result(struct task *t, int *out);

/* For the handlers of read, write, pread64 and pwrite64: large ones of regular files are done by
 * the calling thread itself, with a lent descriptor and its own memory (the sentry would copy
 * twice). pos NULL: the file's own. true: *out is the handler's result. false: not this one, or
 * it went wrong; go on as usual. Kernel lock held. */
bool task_big_io(struct task *t, struct file *f, uint64_t buf, uint64_t count,
		 const int64_t *pos, bool write, long *out);
void task_big_io_end(struct task *t); /* the call is over */

struct uio;
/* For handlers about to write up to `most` bytes to u's guest memory: while a memory limit is
 * near, the calling thread itself touches it first. (When the limit is hit by a write of the
 * sentry's, the host's OOM killer cannot free the victim that is being written to, and goes on
 * to the next.) 0: go on. -LX_ERAN: pass it on, before anything was consumed; the handler is
 * run again from the top. Decided once per call. Kernel lock held. */
long task_touch(struct task *t, const struct uio *u, uint64_t most);
/* For handlers: have the calling thread do cmd last thing before the guest goes on. If the
 * host refuses, its error is the call's result. Pass on what is returned (0). */
long task_do_last(struct task *t, struct plat_cmd cmd);

/* Make a task that runs guest code trap soon (signals, exit). */
void task_interrupt(struct task *t);

uint64_t rlimit_cur(const struct task *t, unsigned which);

/* CPU time of a process: user and system in ns, as the host counts it for the stub; what
 * the sentry does on its behalf is not in it. */
void tgroup_cputime(struct tgroup *tg, uint64_t *user_ns, uint64_t *sys_ns);
/* CPU time of one thread in ns. Exact for the only thread a process ever had. Otherwise
 * what the thread noted last (tgroup_note_cpu()): never too much, and behind while it runs. */
uint64_t task_cpu_ns(struct task *t);
/* For a look from outside: of a thread that has noted nothing yet, an equal share of what
 * the others leave. May shrink later. */
uint64_t task_cpu_guess(struct task *t);
/* From now on the process's threads note their CPU time at each full trap. */
void tgroup_note_cpu(struct tgroup *tg);
/* For handlers that need a thread's own fresh notes (PLAT_NOTE_*): on their first run they
 * are told true, and return -LX_ERAN; they are run again when the notes are there.
 * Uses t->restart.scratch[0]. */
bool task_note_first(struct task *t, unsigned what);
/* User and system together: one host call instead of three. */
uint64_t tgroup_cputime_total(struct tgroup *tg);
/* All of it. by: a thread of the process with fresh notes (plat_thread_note()), or NULL:
 * then faults and resident size are those of what ended. Switches: parks and the host's
 * involuntary ones. */
void tgroup_usage(struct tgroup *tg, struct task *by, struct plat_usage *out);
void usage_add(struct plat_usage *to, const struct plat_usage *u);

/* ns since the sandbox's boot */
uint64_t kernel_uptime_ns(const struct kernel *k);

/* The task whose handler this thread runs right now; NULL on any other thread. Set and
 * cleared by the dispatcher around each handler (defined beside it). For operations that
 * get no task but depend on the caller: terminal job control, /proc/self. */
extern _Thread_local struct task *task_current;

/* Platform entry points (plat_kernel_ops), given to plat_new() by boot. */
extern const struct plat_kernel_ops task_plat_ops;

#endif
