/* Signals (signal(7)): actions shared by a thread group or CLONE_SIGHAND, queues
 * per thread and per group, delivery on the way back to the guest. */
#ifndef SENTRY_SIGNAL_SIGNAL_H
#define SENTRY_SIGNAL_SIGNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "platform/base/list.h"
#include "platform/base/refs.h"
#include "sentry/wait.h"

struct task;
struct tgroup;
struct plat_trap;

#define LX_NSIG 64
typedef uint64_t sigset64; /* bit n-1: signal n */
#define SIGBIT(n) (1ULL << ((n) - 1))

struct ksiginfo {		/* the guest's siginfo_t is made from it */
	int32_t signo, errno_, code;
	int32_t pid;
	uint32_t uid;
	uint64_t value;		/* sigval */
	uint64_t addr;		/* faults */
	int32_t status;		/* SIGCHLD */
	bool child;		/* pid, uid, status and times count, whatever signo is */
	int64_t utime, stime;
	int32_t timerid, overrun; /* SI_TIMER */
	int32_t band, fd;	/* SIGIO */
	uint64_t call_addr;	/* SIGSYS */
	int32_t syscall;
	uint32_t arch;
	uint32_t timer_seq;	/* SI_TIMER from a POSIX timer: nonzero (never from a guest) */
	uint16_t addr_lsb;
	bool is_raw;		/* made up by a guest: */
	uint8_t raw[32];	/* what follows the first 16 bytes */
};

struct ksigaction {
	uint64_t handler, flags, restorer;
	sigset64 mask;
};

struct sighand {		/* shared by CLONE_SIGHAND */
	struct refs refs;
	struct ksigaction act[LX_NSIG + 1];
	struct waitq wq;	/* something became pending: signalfd, epoll */
};

struct sigqueue {		/* pending set with payloads */
	sigset64 set;
	struct list infos;	/* struct siginfo_node, FIFO */
	unsigned count;
};

struct sigaltstack_state {
	uint64_t sp, size;
	uint32_t flags;
};

struct sighand *sighand_new(void);
struct sighand *sighand_dup(const struct sighand *old);
void sighand_get(struct sighand *s);
void sighand_put(struct sighand *s);
/* execve: handlers become default, ignored stay ignored. */
void sighand_exec(struct sighand *s);

void sigqueue_init(struct sigqueue *q);
void sigqueue_flush(struct sigqueue *q);
/* Forget all instances of the signals in set. */
void signal_discard(struct sigqueue *q, sigset64 set);
struct siguser;
/* Room for one signal for good, for a timer: counted like a queued one. NULL: the user has
 * no more (RLIMIT_SIGPENDING), or no memory. */
struct siguser *siguser_reserve(struct task *t);
void siguser_release(struct siguser *u);
/* Signals queued for a user, as RLIMIT_SIGPENDING counts them (/proc: SigQ). */
unsigned siguser_count(uint32_t uid);

/* Queue a signal; info NULL: SI_KERNEL. Wakes, kicks, stops or continues as needed.
 * 0 or -LX_EAGAIN (RLIMIT_SIGPENDING, real-time only). No permission check. */
int signal_send_task(struct task *t, int signo, const struct ksiginfo *info);
int signal_send_group(struct tgroup *tg, int signo, const struct ksiginfo *info);
/* What t did itself, as SIGXFSZ: the siginfo is that of kill(2) by t. */
int signal_send_self(struct task *t, int signo);
/* For POSIX timers: to tg, or to thread t when not NULL. 1: dropped because ignored. */
int signal_send_timer(struct tgroup *tg, struct task *t, int signo,
		      const struct ksiginfo *info);
/* -> number of processes signalled; pgid's members. */
int signal_send_pgrp(struct task *t_any, int pgid, int signo, const struct ksiginfo *info);
/* A synchronous fault: cannot be blocked or ignored (force_sig_fault). */
void signal_force(struct task *t, int signo, const struct ksiginfo *info);
/* kill(2)'s permission rule: 0 or -LX_EPERM. */
int signal_may_send(const struct task *from, const struct task *to, int signo);

/* Is there a signal that would interrupt t now? (unblocked and not ignored, or a
 * stop or kill request) */
bool signal_pending(const struct task *t);
/* All pending (thread and group), unmasked view: for sigpending, signalfd, proc. */
sigset64 signal_pending_set(const struct task *t);
/* Take one of `set` from thread then group queue; false if none. (sigtimedwait,
 * signalfd) */
bool signal_dequeue(struct task *t, sigset64 set, struct ksiginfo *out);
/* A fault trap that mm_fault() does not explain away: remember the hardware's words for
 * the signal frame, then signal_force(). */
void signal_fault(struct task *t, const struct plat_trap *trap, int signo, int code);
/* A live thread leaves (kernel lock held, before it is taken off tg->tasks): process
 * signals meant for it go to another thread, a stop that only waited for it completes,
 * its own queue is emptied. */
void signal_task_exit(struct task *t);
/* kill(2)-style info of a call by t. */
void siginfo_init_user(struct ksiginfo *info, const struct task *t, int signo, int code);
/* From the guest's 128 bytes (rt_sigqueueinfo, pidfd_send_signal). 0, or -LX_E2BIG: more
 * than Linux knows to carry. */
int siginfo_decode(struct ksiginfo *out, const uint8_t in[128]);
/* Encode for the guest: 128 bytes. */
void siginfo_encode(const struct ksiginfo *in, uint8_t out[128]);

void task_set_sigmask(struct task *t, sigset64 mask); /* KILL and STOP filtered */
/* For calls with a temporary mask (sigsuspend, ppoll …): install it, and restore
 * the old one when the call ends without a handler, else the handler's frame saves
 * the old one. Idempotent across re-runs of the handler. */
void task_set_temp_sigmask(struct task *t, sigset64 mask);

/* On the way to the guest: deal with pending signals. result handling: *restart is
 * the -LX_ERESTART… (or other) result of the call, or 0 when the trap was no call;
 * decides restarting, edits registers, builds frames, stops or kills the task.
 * Returns false when the task must not be resumed now (stopped, exiting).
 *
 * Must run on every way back, also without pending signals (it restores temporary
 * masks). rax is written here; when registers are final *result becomes -LX_ERAN.
 * Stopping: the state becomes TASK_STOPPED, *result and is_syscall are kept in
 * t->stop_result and t->stop_is_syscall, and t->stop_return is set. SIGCONT or SIGKILL
 * does task_ready(t); the ready list then must not run the handler but clear
 * t->stop_return and call signal_deliver(t, &t->stop_result, t->stop_is_syscall). */
bool signal_deliver(struct task *t, long *result, bool is_syscall);

/* The part of it that needs no registers: end a temporary mask, unless `result` says that
 * a signal ended the call. */
void signal_restore_mask(struct task *t, long result);

/* Job-control stop and continue are in signal.c; tasks in a stopped group are not
 * resumed until SIGCONT or SIGKILL. */

/* waitqs fired when something becomes pending: for signalfd and sigtimedwait. */
struct waitq *task_signal_waitq(struct task *t);

#endif
