/* Locks with an owner in the word (FUTEX_LOCK_PI). There are no priorities to inherit:
 * waiters are served in order. The kernel hands the lock over by writing the next owner's
 * id, so that nobody can slip in between. */
#include "sentry/ipc/futex.h"
#include "sentry/ipc/futex_impl.h"
#include "sentry/kernel.h"
#include "sentry/mm/mm.h"
#include "sentry/mm/usercopy.h"
#include "sentry/task/task.h"

/* All waiters for such locks, oldest first. */
static struct list pi_waiters = LIST_INIT(pi_waiters); /* [kernel lock] */

static struct futex_waiter *first_waiter(const struct futex_key *key,
					 const struct futex_waiter *after)
{
	struct list *b = futex_bucket(key);
	struct futex_waiter *w;
	bool seen = after == NULL;

	list_for_each(w, b, node) {
		if (seen && w->pi && futex_key_equal(&w->key, key))
			return w;
		if (w == after)
			seen = true;
	}
	return NULL;
}

/* Give the word to the first waiter, or free it. add: bits to set (OWNER_DIED). */
static int hand_over(struct task *t, uint64_t addr, const struct futex_key *key, uint32_t add)
{
	struct futex_waiter *w = first_waiter(key, NULL), *more;
	uint32_t now, want = add;
	int err;

	err = mm_load32(t->mm, addr, &now);
	if (err)
		return err;
	if (w != NULL) {
		want |= (uint32_t)w->t->tid;
		if (first_waiter(key, w) != NULL)
			want |= LX_FUTEX_WAITERS;
	}
	do {
		if ((now & LX_FUTEX_TID_MASK) != (uint32_t)t->tid)
			return -LX_EPERM;
		err = mm_cmpxchg32(t->mm, addr, &now, want);
	} while (err == -LX_EAGAIN);
	if (err)
		return err;
	if (w == NULL)
		return 0;
	for (more = first_waiter(key, w); more != NULL; more = first_waiter(key, more))
		more->owner_tid = w->t->tid;
	futex_wake_one(w);
	return 0;
}

/* Take the word if it is free, else announce a waiter in it. 0: taken; -LX_EAGAIN: wait,
 * *out_owner holds it. */
static int acquire(struct task *t, uint64_t addr, const struct futex_key *key, bool try_only,
		   int *out_owner)
{
	uint32_t now, want, tid = (uint32_t)t->tid;
	struct task *owner;
	int err = mm_load32(t->mm, addr, &now);

	if (err)
		return err;
	for (;;) {
		if ((now & LX_FUTEX_TID_MASK) == tid)
			return -LX_EDEADLK;
		if ((now & LX_FUTEX_TID_MASK) == 0) {
			want = (now & LX_FUTEX_OWNER_DIED) | tid;
			if (first_waiter(key, NULL) != NULL)
				want |= LX_FUTEX_WAITERS;
		} else {
			want = now | LX_FUTEX_WAITERS;
		}
		if (try_only && (now & LX_FUTEX_TID_MASK) != 0)
			return -LX_EAGAIN;
		err = mm_cmpxchg32(t->mm, addr, &now, want);
		if (err == 0)
			break;
		if (err != -LX_EAGAIN)
			return err;
	}
	*out_owner = (int)(now & LX_FUTEX_TID_MASK);
	if (*out_owner == 0)
		return 0;
	owner = task_lookup(t->k, *out_owner);
	if (owner == NULL)
		return -LX_ESRCH;
	task_put(owner);
	return -LX_EAGAIN;
}

long futex_lock_pi(struct task *t, uint64_t addr, bool shared, uint64_t deadline, bool try_only)
{
	struct futex_wait *fw;
	struct futex_key key;
	struct inode *inode;
	int err, owner = 0;
	long r;

	if (!futex_waiting(t)) {
		err = futex_key_of(t->mm, addr, shared, &key, &inode);
		if (!err)
			err = acquire(t, addr, &key, try_only, &owner);
		if (err != -LX_EAGAIN || try_only)
			return err;
		fw = futex_wait_new(t, 1);
		if (fw == NULL)
			return -LX_ENOMEM;
		fw->w[0].pi = true;
		fw->w[0].owner_tid = owner;
		fw->w[0].addr = addr;
		futex_enqueue(&fw->w[0], &key, inode);
		list_push_back(&pi_waiters, &fw->w[0].pi_node);
	}
	fw = t->restart.ptr;
	if (fw->w[0].woken) {
		futex_wait_end(t);
		return 0;
	}
	if (deadline != UINT64_MAX) {
		if (ktime_mono() >= deadline) {
			futex_wait_end(t);
			return -LX_ETIMEDOUT;
		}
		task_park_until(t, deadline);
	}
	r = task_park(t, LX_ERESTARTNOINTR);
	if (r != -LX_EPARK)
		futex_wait_end(t);
	return r;
}

long futex_unlock_pi(struct task *t, uint64_t addr, bool shared)
{
	struct futex_key key;
	struct inode *inode;
	int err = futex_key_of(t->mm, addr, shared, &key, &inode);

	return err ? err : hand_over(t, addr, &key, 0);
}

void futex_task_exit(struct task *t)
{
	struct futex_waiter *w, *tmp, *more;

	futex_wait_end(t);
	list_for_each_safe(w, tmp, &pi_waiters, pi_node) {
		uint32_t now, want = (uint32_t)w->t->tid | LX_FUTEX_OWNER_DIED;
		int err;

		if (w->owner_tid != t->tid || w->t->mm == NULL)
			continue;
		more = first_waiter(&w->key, w);
		if (more != NULL)
			want |= LX_FUTEX_WAITERS;
		for (; more != NULL; more = first_waiter(&w->key, more))
			more->owner_tid = w->t->tid;
		err = mm_load32(w->t->mm, w->addr, &now);
		/* 0: the robust list came first. */
		while (!err && ((now & LX_FUTEX_TID_MASK) == (uint32_t)t->tid ||
				(now & LX_FUTEX_TID_MASK) == 0)) {
			err = mm_cmpxchg32(w->t->mm, w->addr, &now, want);
			if (err != -LX_EAGAIN)
				break;
			err = 0;
		}
		futex_wake_one(w);
	}
}
