/* Futexes (futex(7)). Kernel lock held throughout.
 *
 * Who waits is plain data hanging off the task's restart record, which frees it when the
 * call ends in whatever way. */
#ifndef SENTRY_IPC_FUTEX_H
#define SENTRY_IPC_FUTEX_H

#include <stdbool.h>
#include <stdint.h>

struct mm;
struct task;

/* Wake up to n waiters of a word, as a shared futex (CLONE_CHILD_CLEARTID, robust lists).
 * How many were woken. */
int futex_wake_addr(struct mm *mm, uint64_t addr, int n);
/* At exit and execve, while t->mm is still there: mark the robust mutexes the task holds. */
void futex_exit_robust(struct task *t);

/* A thread leaves: it no longer waits, and priority-inheritance locks that it holds go to
 * who waits for them. Called by signal_task_exit(). */
void futex_task_exit(struct task *t);

struct futex_wait_one {
	uint64_t addr;
	uint32_t val, bitset;
	bool shared;
};

/* Wait on one or several words. deadline: CLOCK_MONOTONIC ns, UINT64_MAX: none.
 * The index of the word that was woken, -LX_EAGAIN, -LX_ETIMEDOUT, -LX_EFAULT …, or
 * -LX_EPARK; -interrupted when a signal came. The array is read on the first run only. */
long futex_wait(struct task *t, const struct futex_wait_one *w, unsigned n, uint64_t deadline,
		int interrupted);
/* Has the wait begun (this is a re-run)? */
bool futex_waiting(const struct task *t);

long futex_wake(struct task *t, uint64_t addr, bool shared, int n, uint32_t bitset);
/* cmp: NULL or the value that addr must still have (-LX_EAGAIN). */
struct futex_place {
	uint64_t addr;
	bool shared;
};
long futex_requeue(struct task *t, const struct futex_place *from, const struct futex_place *to,
		   int nwake, int nrequeue, const uint32_t *cmp);
long futex_wake_op(struct task *t, uint64_t addr, uint64_t addr2, bool shared, int nwake,
		   int nwake2, uint32_t op);

long futex_lock_pi(struct task *t, uint64_t addr, bool shared, uint64_t deadline, bool try_only);
long futex_unlock_pi(struct task *t, uint64_t addr, bool shared);
/* Wait on one word until futex_cmp_requeue_pi() has given us the lock in another. */
long futex_wait_requeue_pi(struct task *t, uint64_t addr, uint64_t addr2, bool shared,
			   uint32_t val, uint64_t deadline);
long futex_cmp_requeue_pi(struct task *t, uint64_t addr, uint64_t addr2, bool shared, int nwake,
			  int nrequeue, uint32_t cmp);

#endif
