/* Shared between the files of sentry/signal only. All of it under the kernel lock. */
#ifndef SENTRY_SIGNAL_SIGNAL_IMPL_H
#define SENTRY_SIGNAL_SIGNAL_IMPL_H

#include <stdbool.h>

#include "sentry/signal/signal.h"
#include "sentry/task/sched.h"
#include "sentry/task/task.h"
#include "syscalls/abi/lx_signal.h"

#define SIGSET_SYNC                                                              \
	(SIGBIT(LX_SIGSEGV) | SIGBIT(LX_SIGBUS) | SIGBIT(LX_SIGILL) |            \
	 SIGBIT(LX_SIGTRAP) | SIGBIT(LX_SIGFPE) | SIGBIT(LX_SIGSYS))
/* What a program does not do on purpose: reported by --crash-reports. */
#define SIGSET_CRASH (SIGSET_SYNC | SIGBIT(LX_SIGABRT))
#define SIGSET_STOP                                                              \
	(SIGBIT(LX_SIGSTOP) | SIGBIT(LX_SIGTSTP) | SIGBIT(LX_SIGTTIN) | SIGBIT(LX_SIGTTOU))
#define SIGSET_DFL_IGNORE                                                        \
	(SIGBIT(LX_SIGCONT) | SIGBIT(LX_SIGCHLD) | SIGBIT(LX_SIGWINCH) | SIGBIT(LX_SIGURG))
#define SIGSET_KERNEL_ONLY (SIGBIT(LX_SIGKILL) | SIGBIT(LX_SIGSTOP))

/* ---- queue.c ---- */

/* Add to a queue. payer: whose user is charged. rt_strict: an info that cannot be
 * queued for a real-time signal is an error. 0 or -LX_EAGAIN; otherwise the signal is
 * pending, if need be without its info (as in Linux). */
int sigqueue_add(struct sigqueue *q, struct task *payer, const struct ksiginfo *info,
		 bool rt_strict);
/* Remove one instance of a pending signal. */
void sigqueue_take(struct sigqueue *q, int signo, struct ksiginfo *out);
/* The first pending instance of signo, or NULL when it has no info. */
const struct ksiginfo *sigqueue_peek(const struct sigqueue *q, int signo);
/* Which of a non-empty set Linux takes first: synchronous ones, then the lowest. */
int sigset_first(sigset64 set);

/* ---- signal.c ---- */

/* A live thread of the process, the leader if it lives; NULL: none. */
struct task *tgroup_main(const struct tgroup *tg);
/* Pid 1 does not take this signal: protected, and no handler for it. */
bool signal_init_protected(const struct task *t, int signo);
/* Make the task look at its signals soon: wake it, or interrupt its guest code. */
void signal_wake(struct task *t);
/* Dequeue with the side effects of delivery (timers start anew). */
bool signal_take(struct task *t, sigset64 set, struct ksiginfo *out);

/* ---- stop.c ---- */

/* Start a group stop because of signo. */
void stop_begin(struct tgroup *tg, int signo);
/* t stops here; its process may thereby have stopped as a whole. */
void stop_enter(struct task *t, long result, bool is_syscall);
/* A thread other than `leaving` may have been the last to stop. */
void stop_check(struct tgroup *tg, const struct task *leaving);
/* SIGCONT (report: tell the parent) or SIGKILL. */
void stop_end(struct tgroup *tg, bool report);
/* No member's parent is outside the group but in its session. */
bool pgrp_orphaned(struct tgroup *tg);

/* ---- sigframe.c ---- */

/* Build the handler's frame and point the registers at it. oldmask goes into the frame.
 * 0, or -LX_EFAULT: nothing but guest stack below sp was touched. */
int sigframe_build(struct task *t, const struct ksigaction *act, const struct ksiginfo *info,
		   sigset64 oldmask);

#endif
