/* futex(2), futex_waitv(2), robust lists. */
#include "platform/base/auto.h"
#include "sentry/ipc/futex.h"
#include "sentry/kernel.h"
#include "sentry/mm/usercopy.h"
#include "sentry/task/process.h"
#include "sentry/task/task.h"
#include "sentry/time/clock.h"
#include "syscalls/abi/lx_futex.h"
#include "syscalls/syscall_args.h"

/* The wait of a call that was interrupted goes on with the deadline it had.
 * restart_arg: 0 address, 1 value, 2 bitset, 3 shared, 4 deadline. */
static long wait_restart(struct task *t)
{
	struct futex_wait_one w = {
		.addr = t->restart_arg[0],
		.val = (uint32_t)t->restart_arg[1],
		.bitset = (uint32_t)t->restart_arg[2],
		.shared = t->restart_arg[3] != 0,
	};

	return futex_wait(t, &w, 1, t->restart_arg[4], LX_ERESTART_RESTARTBLOCK);
}

static long do_wait(struct task *t, const struct futex_wait_one *w)
{
	uint64_t deadline = t->restart.has_deadline ? t->restart.deadline : UINT64_MAX;
	long r;

	if (w->bitset == 0)
		return -LX_EINVAL;
	if (deadline == UINT64_MAX)
		return futex_wait(t, w, 1, deadline, LX_ERESTARTSYS);
	r = futex_wait(t, w, 1, deadline, LX_ERESTART_RESTARTBLOCK);
	if (r == -LX_ERESTART_RESTARTBLOCK) {
		t->restart_fn = wait_restart;
		t->restart_arg[0] = w->addr;
		t->restart_arg[1] = w->val;
		t->restart_arg[2] = w->bitset;
		t->restart_arg[3] = w->shared;
		t->restart_arg[4] = deadline;
	}
	return r;
}

static int timeout_of(struct task *t, const struct futex_args *a, int cmd)
{
	bool realtime = (a->op & LX_FUTEX_CLOCK_REALTIME) != 0;

	switch (cmd) {
	case LX_FUTEX_WAIT:
		return timeout_start(t, a->utime);
	case LX_FUTEX_WAIT_BITSET:
	case LX_FUTEX_WAIT_REQUEUE_PI:
	case LX_FUTEX_LOCK_PI2:
		return deadline_start(t, a->utime,
				      realtime ? LX_CLOCK_REALTIME : LX_CLOCK_MONOTONIC);
	case LX_FUTEX_LOCK_PI:
		return deadline_start(t, a->utime, LX_CLOCK_REALTIME);
	default:
		return 0;
	}
}

long sys_futex(struct task *t, const struct futex_args *a)
{
	bool shared = !(a->op & LX_FUTEX_PRIVATE_FLAG);
	int cmd = a->op & LX_FUTEX_CMD_MASK, val = (int)a->val, val2 = (int)a->utime.v;
	struct futex_wait_one w = { a->uaddr.v, a->val, LX_FUTEX_BITSET_MATCH_ANY, shared };
	const struct futex_place from = { a->uaddr.v, shared }, to = { a->uaddr2.v, shared };
	uint64_t deadline;
	int err;

	if ((a->op & LX_FUTEX_CLOCK_REALTIME) && cmd != LX_FUTEX_WAIT_BITSET &&
	    cmd != LX_FUTEX_WAIT_REQUEUE_PI && cmd != LX_FUTEX_LOCK_PI2)
		return -LX_ENOSYS;
	err = timeout_of(t, a, cmd);
	if (err)
		return err;
	deadline = t->restart.has_deadline ? t->restart.deadline : UINT64_MAX;
	switch (cmd) {
	case LX_FUTEX_WAIT_BITSET:
		w.bitset = a->val3;
		return do_wait(t, &w);
	case LX_FUTEX_WAIT:
		return do_wait(t, &w);
	case LX_FUTEX_WAKE:
		return futex_wake(t, a->uaddr.v, shared, val, LX_FUTEX_BITSET_MATCH_ANY);
	case LX_FUTEX_WAKE_BITSET:
		if (a->val3 == 0)
			return -LX_EINVAL;
		return futex_wake(t, a->uaddr.v, shared, val, a->val3);
	case LX_FUTEX_REQUEUE:
		return futex_requeue(t, &from, &to, val, val2, NULL);
	case LX_FUTEX_CMP_REQUEUE:
		return futex_requeue(t, &from, &to, val, val2, &a->val3);
	case LX_FUTEX_WAKE_OP:
		return futex_wake_op(t, a->uaddr.v, a->uaddr2.v, shared, val, val2, a->val3);
	case LX_FUTEX_LOCK_PI:
	case LX_FUTEX_LOCK_PI2:
		return futex_lock_pi(t, a->uaddr.v, shared, deadline, false);
	case LX_FUTEX_TRYLOCK_PI:
		return futex_lock_pi(t, a->uaddr.v, shared, UINT64_MAX, true);
	case LX_FUTEX_UNLOCK_PI:
		return futex_unlock_pi(t, a->uaddr.v, shared);
	case LX_FUTEX_WAIT_REQUEUE_PI:
		return futex_wait_requeue_pi(t, a->uaddr.v, a->uaddr2.v, shared, a->val, deadline);
	case LX_FUTEX_CMP_REQUEUE_PI:
		return futex_cmp_requeue_pi(t, a->uaddr.v, a->uaddr2.v, shared, val, val2, a->val3);
	default:
		return -LX_ENOSYS;
	}
}

/* ---- futex2 ---- */

static bool futex2_flags_ok(uint32_t flags)
{
	return !(flags & ~(LX_FUTEX2_PRIVATE | LX_FUTEX2_SIZE_MASK)) &&
	       (flags & LX_FUTEX2_SIZE_MASK) == LX_FUTEX2_SIZE_U32;
}

/* Elements of futex_waitv(2) and futex_requeue(2). */
static int copy_in_waitv(struct task *t, struct uaddr from, unsigned n,
			 struct futex_wait_one *out)
{
	struct lx_futex_waitv in[LX_FUTEX_WAITV_MAX];

	if (copy_in(t, in, from, n * sizeof(in[0])))
		return -LX_EFAULT;
	for (unsigned i = 0; i < n; i++) {
		if (!futex2_flags_ok(in[i].flags) || in[i].reserved != 0 ||
		    in[i].val > UINT32_MAX)
			return -LX_EINVAL;
		out[i].addr = in[i].uaddr;
		out[i].val = (uint32_t)in[i].val;
		out[i].bitset = LX_FUTEX_BITSET_MATCH_ANY;
		out[i].shared = !(in[i].flags & LX_FUTEX2_PRIVATE);
	}
	return 0;
}

long sys_futex_wake(struct task *t, const struct futex_wake_args *a)
{
	long r;

	if (!futex2_flags_ok(a->flags) || (uint32_t)a->mask == 0)
		return -LX_EINVAL;
	/* None are woken when none are asked for, unlike by FUTEX_WAKE. */
	r = futex_wake(t, a->uaddr.v, !(a->flags & LX_FUTEX2_PRIVATE), a->nr, 0);
	if (r < 0 || a->nr == 0)
		return r;
	return futex_wake(t, a->uaddr.v, !(a->flags & LX_FUTEX2_PRIVATE), a->nr,
			  (uint32_t)a->mask);
}

long sys_futex_wait(struct task *t, const struct futex_wait_args *a)
{
	struct futex_wait_one w = { a->uaddr.v, (uint32_t)a->val, (uint32_t)a->mask,
				    !(a->flags & LX_FUTEX2_PRIVATE) };
	int err;

	if (!futex2_flags_ok(a->flags) || a->val > UINT32_MAX || a->mask > UINT32_MAX)
		return -LX_EINVAL;
	if (a->timeout.v != 0 && a->clockid != LX_CLOCK_MONOTONIC &&
	    a->clockid != LX_CLOCK_REALTIME)
		return -LX_EINVAL;
	err = deadline_start(t, a->timeout, a->clockid);
	if (!err && w.bitset == 0)
		err = -LX_EINVAL;
	if (err)
		return err;
	return futex_wait(t, &w, 1, t->restart.has_deadline ? t->restart.deadline : UINT64_MAX,
			  LX_ERESTARTSYS);
}

long sys_futex_requeue(struct task *t, const struct futex_requeue_args *a)
{
	struct futex_wait_one w[2];
	int err;

	if (a->flags != 0 || a->waiters.v == 0)
		return -LX_EINVAL;
	err = copy_in_waitv(t, a->waiters, 2, w);
	if (err)
		return err;
	return futex_requeue(t, &(struct futex_place){ w[0].addr, w[0].shared },
			     &(struct futex_place){ w[1].addr, w[1].shared }, a->nr_wake,
			     a->nr_requeue, &w[0].val);
}

long sys_futex_waitv(struct task *t, const struct futex_waitv_args *a)
{
	struct futex_wait_one w[LX_FUTEX_WAITV_MAX];
	int err;

	if (a->flags != 0 || a->nr_futexes == 0 || a->nr_futexes > LX_FUTEX_WAITV_MAX ||
	    a->waiters.v == 0)
		return -LX_EINVAL;
	if (a->timeout.v != 0 && a->clockid != LX_CLOCK_MONOTONIC &&
	    a->clockid != LX_CLOCK_REALTIME)
		return -LX_EINVAL;
	err = deadline_start(t, a->timeout, a->clockid);
	if (err)
		return err;
	if (!futex_waiting(t)) {
		err = copy_in_waitv(t, a->waiters, a->nr_futexes, w);
		if (err)
			return err;
	}
	return futex_wait(t, w, a->nr_futexes,
			  t->restart.has_deadline ? t->restart.deadline : UINT64_MAX,
			  LX_ERESTARTSYS);
}

/* ---- robust lists ---- */

long sys_set_robust_list(struct task *t, const struct set_robust_list_args *a)
{
	if (a->len != sizeof(struct lx_robust_list_head))
		return -LX_EINVAL;
	t->robust_list = a->head.v;
	return 0;
}

long sys_get_robust_list(struct task *t, const struct get_robust_list_args *a)
{
	AUTO_PUT(task) struct task *of = NULL;
	const uint64_t len = sizeof(struct lx_robust_list_head);
	uint64_t head = t->robust_list;

	if (a->pid != 0) {
		of = task_lookup(t->k, a->pid);
		if (of == NULL)
			return -LX_ESRCH;
		if (!task_may_access(t, of))
			return -LX_EPERM;
		head = of->robust_list;
	}
	if (copy_out(t, a->len_ptr, &len, sizeof(len)) ||
	    copy_out(t, a->head_ptr, &head, sizeof(head)))
		return -LX_EFAULT;
	return 0;
}
