/* What the files of sentry/task share. Kernel lock held unless said otherwise. */
#ifndef SENTRY_TASK_TASK_IMPL_H
#define SENTRY_TASK_TASK_IMPL_H

#include "sentry/mm/mm.h"
#include "sentry/task/sched.h"
#include "sentry/task/task.h"

struct exec_state;

/* ---- task.c ---- */

/* Zeroed objects with one reference; not entered anywhere. NULL: out of memory.
 * task_alloc takes a reference on tg. */
struct task *task_alloc(struct kernel *k, struct tgroup *tg);
struct tgroup *tgroup_alloc(struct kernel *k);
struct session *session_new(int sid);

/* Undoes task_pin(). */
void task_unpin(struct task *t); /* without the kernel lock */
/* Wait until no resume of t is in flight; the threads that make them only need the CPU.
 * Not inside kernel_unlock() or a handler. */
void task_wait_unpinned(const struct task *t);
/* Let go of pt, now or when the resume in flight is through, and of the reference
 * that the platform's cookie held. */
void task_release_pt(struct task *t, struct plat_thread *pt);
/* The CPU time of the address space goes to the process's account: before it is
 * left behind. */
void tgroup_account_as(struct tgroup *tg, struct mm *mm, struct plat_thread *pt);
/* Is the address space used by another process, too (vfork)? */
bool mm_shared_outside(const struct mm *mm, const struct tgroup *tg);

/* ---- dispatch.c ---- */

/* On the way to the guest: signals, stops, exits. True: resume. */
bool task_to_guest(struct task *t, long result, bool is_call);
/* Run the batch in t->batch, then report to fn instead of going on in the guest. */
bool task_batch_then(struct task *t, void (*fn)(struct task *t));

/* ---- task_clone.c ---- */

/* The batch with the CLONE command failed: as if the child never was. The result. */
long clone_failed(struct task *t, int error);
/* It was run. */
void clone_settled(struct task *t);
/* A child that never ran goes away. */
void task_undo(struct task *child);

/* ---- task_exit.c ---- */

/* The end of t, in its own trap or while it is trapped and not in_kernel. */
void task_exit_now(struct task *t);
/* Let the parent's vfork() return. */
void vfork_release(struct task *t);
/* End the process: mark and interrupt all threads. status: wait status form. */
void tgroup_kill(struct tgroup *tg, int status);
/* The same where the sandbox or its host is the cause, not the guest: says so. why: a string
 * literal that goes on from "process N is ended". */
void tgroup_lose(struct tgroup *tg, int status, const char *why);
/* The last trace of a zombie. */
void tgroup_reap(struct tgroup *tg);
/* ktimer of a tgroup whose threads do not follow a kick. */
void tgroup_kill_timer(struct ktimer *tm);

/* ---- task_exec.c ---- */

/* Run the next part of the new image; true: resume. */
bool task_exec_advance(struct task *t);
/* Drop an execve that has not come to its end. */
void task_exec_abort(struct task *t);

/* ---- strace.c ---- */
void strace_enter(struct task *t);
void strace_exit(struct task *t, long result);
/* The call waits. */
void strace_park(struct task *t);
/* A process that was not forked runs its image now; its stack is at sp. */
void strace_spawned(struct task *t, uint64_t sp);
/* t's execve is about to give it the process's id. */
void strace_superseded(struct task *t, int tgid);
/* The task ends: finish an open line, tell its status. */
void strace_gone(struct task *t);
void strace_free(struct task *t);

/* ---- task_host.c ---- */

/* A batch is dropped, never to be run: close what it carries. */
void batch_drop(struct plat_batch *b);
/* One line to the trace file. */
void strace_write(int fd, const char *line, size_t len);
void strace_close(int fd);
/* Give up the CPU for a moment. */
void task_yield(void);

/* ---- session.c ---- */

/* Would the group be orphaned if `leaving` (may be NULL) were not counted? */
bool pgrp_would_be_orphan(struct kernel *k, int pgid, const struct tgroup *leaving);
/* tg leaves, or lost `parent` (NULL: its own): hang up stopped groups that became
 * orphans by it. */
void pgrp_check_orphan(struct tgroup *tg, const struct tgroup *parent);

#endif
