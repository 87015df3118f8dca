/* What the process calls (syscalls/sys_process.c) are made of. Kernel lock held;
 * results as for the guest: 0 or more, or -LX_E… . */
#ifndef SENTRY_TASK_PROCESS_H
#define SENTRY_TASK_PROCESS_H

#include <stdint.h>

#include "sentry/task/task.h"
#include "syscalls/abi/lx_types.h"

struct file;

int process_setsid(struct task *t);
int process_setpgid(struct task *t, int pid, int pgid);

/* clone(2) in its widest form. */
struct clone_req {
	uint64_t flags;			/* LX_CLONE_* without CSIGNAL */
	int exit_signal;
	uint64_t stack;			/* the child's stack pointer; 0: the parent's */
	uint64_t tls;
	struct uaddr parent_tid, child_tid, pidfd;
	int set_tid;			/* 0: any */
};
/* The child's id. With CLONE_VFORK the caller is parked until the child lets go. */
long task_clone(struct task *t, const struct clone_req *r);

/* execve(2), execveat(2): -LX_ERAN (or -LX_EPARK) past the point of no return. name is
 * a sentry string; at_flags: LX_AT_*. */
long task_execve(struct task *t, int dfd, const char *name, struct uaddr argv,
		 struct uaddr envp, uint32_t at_flags);

/* wait4(2), waitid(2) */
enum wait_who { WAIT_ANY, WAIT_PID, WAIT_PGRP, WAIT_TGROUP };
struct wait_req {
	enum wait_who who;
	int id;				/* WAIT_PID, WAIT_PGRP */
	struct tgroup *tg;		/* WAIT_TGROUP: borrowed */
	uint32_t options;		/* LX_W* */
};
struct wait_result {
	int pid;			/* 0: nothing to report (WNOHANG) */
	uint32_t uid;
	int status;			/* wait4's form */
	int code, si_status;		/* waitid's form: LX_CLD_* */
	struct plat_usage used;		/* of the child and of those it waited for */
};
/* 0 with *out filled in, -LX_EPARK, -LX_ECHILD, -LX_ERESTARTSYS. */
long task_wait(struct task *t, const struct wait_req *r, struct wait_result *out);

struct lx_rusage;
/* For the guest: what Linux does not count here either is zero. */
void rusage_encode(const struct plat_usage *u, struct lx_rusage *ru);

/* ptrace(2)'s access check with real credentials, as pidfd_getfd(2) makes it. */
bool task_may_access(const struct task *t, const struct task *other);

#endif
