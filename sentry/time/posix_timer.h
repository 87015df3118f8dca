/* Timers of a process: interval timers (setitimer(2)), POSIX timers (timer_create(2)),
 * the CPU-time limit. Made on first use; kernel lock held throughout. */
#ifndef SENTRY_TIME_POSIX_TIMER_H
#define SENTRY_TIME_POSIX_TIMER_H

#include <stdbool.h>
#include <stdint.h>

#include "syscalls/abi/lx_signal.h"

struct ksiginfo;
struct task;
struct tgroup;

/* execve: POSIX timers go, interval timers stay. */
void posix_timers_exec(struct tgroup *tg);
/* The process exits (its last thread) or is freed: everything goes. Idempotent. */
void posix_timers_free(struct tgroup *tg);

/* A queued signal of a POSIX timer is taken: fill in the overrun, start the next period. */
void posix_timer_taken(struct tgroup *tg, struct ksiginfo *info);
/* A process-wide SIGALRM is taken: the real interval timer starts anew. */
void itimer_real_taken(struct tgroup *tg);

/* Times in ns; value 0 disarms. which: LX_ITIMER_*, checked by the caller. */
void itimer_get(struct tgroup *tg, int which, uint64_t *value, uint64_t *interval);
int itimer_set(struct tgroup *tg, int which, uint64_t value, uint64_t interval);

/* RLIMIT_CPU changed (or was inherited): watch it. */
void rlimit_cpu_changed(struct tgroup *tg);

/* ev NULL: SIGALRM with the id as value. The id, -LX_EINVAL, -LX_EAGAIN … */
int posix_timer_create(struct task *t, int clockid, const struct lx_sigevent *ev);
/* -LX_EINVAL when there is no such timer, for all below. Undo of a create: delete. */
int posix_timer_delete(struct tgroup *tg, int id);
/* value: 0 disarms; absolute on the timer's clock if abs. The old state goes out. */
int posix_timer_set(struct tgroup *tg, int id, bool abs, int64_t value, int64_t interval,
		    uint64_t *old_value, uint64_t *old_interval);
int posix_timer_get(struct tgroup *tg, int id, uint64_t *value, uint64_t *interval);
/* Is it on the CPU clock of this thread? */
bool posix_timer_on_thread(struct tgroup *tg, int id, const struct task *t);
int posix_timer_overrun(struct tgroup *tg, int id);

#endif
