/* Between the dispatcher (sentry/task) and the kernel object (sentry/kernel.c): the ready
 * list's tasks, and what begins and ends with the sandbox. Kernel lock held unless said
 * otherwise. */
#ifndef SENTRY_TASK_SCHED_H
#define SENTRY_TASK_SCHED_H

#include "sentry/task/task.h"

/* A plat_resume() of t is about to be made without the lock; see task_release_pt(). */
void task_pin(struct task *t);
/* Go on with a task that was taken off the ready list; true: it is to be resumed. */
bool task_rerun(struct task *t);
/* Resume after task_pin(). Without the kernel lock. */
void task_resume(struct task *t);
/* kernel_unlock() that also resumes t (NULL: nobody). In kernel.c. */
void kernel_unlock_resume(struct kernel *k, struct task *t);

/* kernel_free(): end everything now; threads that are in_kernel end by themselves. */
void kernel_end_tasks(struct kernel *k);

/* --strace */
int strace_init(struct kernel *k, const struct kernel_params *p);
void strace_fini(struct kernel *k);
/* From now on the calls of filter (as for --strace) go to fd, which is the kernel's from
 * here; filter NULL: tracing ends. 0, -LX_EINVAL (fd stays the caller's), -LX_ENOMEM. */
int strace_switch(struct kernel *k, const char *filter, int fd);
/* A signal is about to be acted on; one was ignored; t stops. Only when k->strace is set. */
void strace_signal(struct task *t, const struct ksiginfo *info);
void strace_ignored(struct task *t, const struct ksiginfo *info);
void strace_stopped(struct task *t, int signo);

#endif
