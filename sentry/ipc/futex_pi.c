/* Locks with an owner in the word (FUTEX_LOCK_PI). There are no priorities to inherit:
 * waiters are served in order. The kernel hands the lock over by writing the next owner's
 * id, so that nobody can slip in between. */
#include "sentry/ipc/futex.h"
#include "sentry/ipc/futex_impl.h"
#include "sentry/kernel.h"
#include "sentry/mm/mm.h"
#include "sentry/mm/usercopy.h"
#include "sentry/task/task.h"
#include "sentry/vfs/vfs.h"

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

void futex_pi_enqueue(struct futex_waiter *w, const struct futex_key *key, struct inode *inode,
		      uint64_t addr, int owner_tid)
{
	w->pi = true;
	w->owner_tid = owner_tid;
	w->addr = addr;
	futex_enqueue(w, key, inode);
	list_push_back(&pi_waiters, &w->pi_node);
}

/* Give the word to the first waiter, or free it. add: bits to set (OWNER_DIED). Only its
 * owner, who is here, could change it meanwhile, or announce a waiter: that one comes here
 * and looks again. */
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

/* Take the word for `to` if it is free, else announce a waiter in it. t: through whose
 * memory. waiters: others will wait. 0: taken; -LX_EAGAIN: wait, *out_owner holds it;
 * -LX_ERAN: pass on, to come here again. */
static int acquire(struct task *t, const struct task *to, uint64_t addr,
		   const struct futex_key *key, bool try_only, bool waiters, int *out_owner)
{
	uint32_t now, want, tid = (uint32_t)to->tid;
	struct task *owner;
	int err;

	if (task_cmpxchg_result(t, &err) && err == -LX_EFAULT)
		return err;
	err = mm_load32(t->mm, addr, &now);
	if (err)
		return err;
	if ((now & LX_FUTEX_TID_MASK) == tid)
		return -LX_EDEADLK;
	/* Until the bit is there, threads take and free the lock by themselves; with it, all
	 * of them ask us, and the word changes here only. */
	if (!(now & LX_FUTEX_WAITERS))
		return (int)task_cmpxchg(t, addr, now, now | LX_FUTEX_WAITERS);
	*out_owner = (int)(now & LX_FUTEX_TID_MASK);
	if (*out_owner == 0) {
		want = (now & LX_FUTEX_OWNER_DIED) | tid;
		if (waiters || first_waiter(key, NULL) != NULL)
			want |= LX_FUTEX_WAITERS;
		return mm_cmpxchg32(t->mm, addr, &now, want);
	}
	if (try_only)
		return -LX_EAGAIN;
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
			err = acquire(t, t, addr, &key, try_only, false, &owner);
		if (err != -LX_EAGAIN || try_only)
			return err;
		fw = futex_wait_new(t, 1);
		if (fw == NULL)
			return -LX_ENOMEM;
		futex_pi_enqueue(&fw->w[0], &key, inode, addr, owner);
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

/* ---- FUTEX_WAIT_REQUEUE_PI, FUTEX_CMP_REQUEUE_PI ---- */

static int requeue_wait_begin(struct task *t, uint64_t addr, uint64_t addr2, bool shared,
			      uint32_t val)
{
	struct futex_key key, key2;
	struct inode *inode, *inode2;
	struct futex_wait *fw;
	uint32_t now;
	int err;

	if (addr == addr2)
		return -LX_EINVAL;
	err = futex_key_of(t->mm, addr2, shared, &key2, &inode2);
	if (!err)
		err = futex_key_of(t->mm, addr, shared, &key, &inode);
	if (!err)
		err = mm_load32(t->mm, addr, &now);
	if (!err && now != val)
		err = -LX_EAGAIN;
	if (!err && futex_key_equal(&key, &key2))
		err = -LX_EINVAL;
	if (err)
		return err;
	fw = futex_wait_new(t, 1);
	if (fw == NULL)
		return -LX_ENOMEM;
	fw->w[0].requeue = true;
	fw->w[0].bitset = LX_FUTEX_BITSET_MATCH_ANY;
	fw->w[0].addr2 = addr2;
	fw->w[0].key2 = key2;
	fw->w[0].inode2 = inode2;
	if (inode2 != NULL)
		inode_get(inode2);
	futex_enqueue(&fw->w[0], &key, inode);
	return 0;
}

long futex_wait_requeue_pi(struct task *t, uint64_t addr, uint64_t addr2, bool shared,
			   uint32_t val, uint64_t deadline)
{
	const struct futex_waiter *w;
	long r = 0;

	if (!futex_waiting(t))
		r = requeue_wait_begin(t, addr, addr2, shared, val);
	if (r)
		return r;
	w = &((const struct futex_wait *)t->restart.ptr)->w[0];
	if (w->woken) {
		r = 0;
	} else if (deadline != UINT64_MAX && ktime_mono() >= deadline) {
		r = -LX_ETIMEDOUT;
	} else {
		task_park_until(t, deadline);
		/* Once requeued it could not begin anew: the word has changed. */
		r = task_park(t, w->pi ? LX_EAGAIN : LX_ERESTARTNOINTR);
	}
	if (r != -LX_EPARK)
		futex_wait_end(t);
	return r;
}

static struct futex_waiter *first_on(const struct futex_key *key)
{
	struct list *b = futex_bucket(key);
	struct futex_waiter *w;

	list_for_each(w, b, node)
		if (futex_key_equal(&w->key, key))
			return w;
	return NULL;
}

/* Give the lock to the first who waits, or have it wait there. 1: it has it; 0: it waits;
 * -LX_ENOENT: nobody is left. */
static int requeue_one(struct task *t, const struct futex_key *from, const struct futex_key *to,
		       struct inode *inode, uint64_t addr, bool more)
{
	struct futex_waiter *w = first_on(from);
	int err, owner = 0;

	if (w == NULL)
		return -LX_ENOENT;
	if (!w->requeue || !futex_key_equal(&w->key2, to))
		return -LX_EINVAL;
	err = acquire(t, w->t, addr, to, false, more, &owner);
	if (err && err != -LX_EAGAIN)
		return err;
	w->requeue = false;
	if (!err) {
		futex_wake_one(w);
		return 1;
	}
	futex_dequeue(w);
	futex_pi_enqueue(w, to, inode, w->addr2, owner);
	return 0;
}

long futex_cmp_requeue_pi(struct task *t, uint64_t addr, uint64_t addr2, bool shared, int nwake,
			  int nrequeue, uint32_t cmp)
{
	struct futex_key key, key2;
	struct inode *inode, *inode2;
	uint32_t now;
	long count = 0;
	int r;

	if (nwake != 1 || nrequeue < 0 || addr == addr2)
		return -LX_EINVAL;
	r = futex_key_of(t->mm, addr, shared, &key, &inode);
	if (!r)
		r = futex_key_of(t->mm, addr2, shared, &key2, &inode2);
	if (!r && futex_key_equal(&key, &key2))
		r = -LX_EINVAL;
	if (!r)
		r = mm_load32(t->mm, addr, &now);
	if (!r && now != cmp)
		r = -LX_EAGAIN;
	if (r)
		return r;
	/* One takes the lock or waits for it, and nrequeue more wait. */
	while (count <= nrequeue) {
		r = requeue_one(t, &key, &key2, inode2, addr2, nrequeue > 0);
		if (r == -LX_ENOENT)
			break;
		if (r < 0)
			return count ? count : r;
		count++;
	}
	return count;
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
