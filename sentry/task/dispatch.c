/* Traps: from the platform to a handler and back.
 *
 * A trap is served under the kernel lock by the worker that brought it, and the
 * resume is made after the lock is dropped. While a trap is served (in_kernel) only
 * its own path may end the task, because the handler may have dropped the lock for a
 * host operation; everybody else sets flags and wakes. */
#include <string.h>

#include "platform/base/bug.h"
#include "platform/base/log.h"
#include "sentry/mm/mm.h"
#include "sentry/mm/pressure.h"
#include "sentry/mm/usercopy.h"
#include "sentry/seccomp/seccomp.h"
#include "sentry/task/task_impl.h"
#include "syscalls/abi/lx_mman.h"
#include "syscalls/abi/lx_signal.h"
#include "syscalls/abi/syscall_table.h"

#define NR_restart_syscall 219
/* How long a thread that is to die may take to answer a kick. */
#define KILL_PATIENCE_NS 500000000ULL

_Thread_local struct task *task_current;

static bool is_restart(long r)
{
	return r <= -LX_ERESTARTSYS && r >= -LX_ERESTART_RESTARTBLOCK;
}

static bool die(struct task *t)
{
	task_exit_now(t);
	return false;
}

static void free_restart(struct task *t)
{
	if (t->restart.ptr_free)
		t->restart.ptr_free(t->restart.ptr);
	t->restart.ptr = NULL;
	t->restart.ptr_free = NULL;
}

/* result: the call's, before signals. Another kind of trap (a stop's kick, a fault) may come
 * right before restart_syscall(2) is executed, and ends no call: it leaves alone what that
 * will go on with. */
static void call_end(struct task *t, bool is_call, long result)
{
	if (t->nwaiters || t->park_timer.heap_idx)
		task_unenrol(t);
	if (is_call ? result != -LX_ERESTART_RESTARTBLOCK : !t->restart_fn) {
		t->restart_fn = NULL;
		if (t->restart.ptr_free)
			free_restart(t);
	}
	t->call_fn = NULL;
	t->sysno = UINT64_MAX;
}

/* The trap showed a call's arguments only, and more than its result is to be given back:
 * kicked on its way out, the thread reports with all registers, and task_to_guest() is
 * done again. */
static bool want_frame(struct task *t, long result, bool is_call)
{
	t->aside.due = true;
	t->aside.is_call = is_call;
	t->aside.result = result;
	t->aside.rax = t->regs->rax;
	/* The host takes some values for orders to make the call again. */
	t->regs->rax = 0;
	t->kick_after = true;
	t->state = TASK_RUNNING;
	return true;
}

static bool serve_aside(struct task *t)
{
	t->aside.due = false;
	t->regs->rax = t->aside.rax;
	return task_to_guest(t, t->aside.result, t->aside.is_call);
}

bool task_to_guest(struct task *t, long result, bool is_call)
{
	long call_result = result;

	if (t->killed && !t->batch.count)
		return die(t);
	if (t->partial) {
		signal_restore_mask(t, result);
		/* A filter of the guest's own can make a call end in one of those values; the
		 * host would take it for an order, too, if a kick came. */
		if (t->killed || t->batch.count || signal_pending(t) || t->restore_sigmask ||
		    is_restart((long)t->regs->rax))
			return want_frame(t, result, is_call);
	}
	if (t->killed) {
		/* Others may use the address space: the change is carried out first. */
		t->kick_after = true;
		t->state = TASK_RUNNING;
		return true;
	}
	if (signal_pending(t) || t->restore_sigmask || (is_call && is_restart(result))) {
		if (t->batch.count && !(is_call && is_restart(result))) {
			/* The change of the address space comes first; then the thread
			 * reports back, and the signal meets a call that has ended. */
			t->kick_after = true;
		} else if (!signal_deliver(t, &result, is_call)) {
			/* Ends, or stopped: then task_rerun() comes back here. */
			return t->killed ? die(t) : false;
		}
	}
	call_end(t, is_call, call_result);
	t->state = TASK_RUNNING;
	return true;
}

bool task_batch_then(struct task *t, void (*fn)(struct task *t))
{
	t->kick_fn = fn;
	t->kick_after = true;
	t->state = TASK_RUNNING;
	return true;
}

/* A handler (or its stand-in) returned. */
static bool finish(struct task *t, long r)
{
	if (r == -LX_EPARK && !t->killed) {
		t->state = TASK_PARKED;
		plat_window_close(t->pt);
		t->nvcsw++;
		if (t->strace_open)
			strace_park(t);
		return false;
	}
	if (t->killed)
		return task_to_guest(t, 0, false);
	if (t->exec)
		return task_exec_advance(t);
	if (t->kick_fn)
		return task_batch_then(t, t->kick_fn);
	if (t->strace_open)
		strace_exit(t, r);
	t->batch_of_call = true;
	if (r == -LX_ERAN)
		return task_to_guest(t, 0, false);
	t->regs->rax = (uint64_t)r;
	return task_to_guest(t, r, true);
}

static bool run_call(struct task *t)
{
	if (t->call_fn)
		return finish(t, t->call_fn(t));
	return finish(t, t->k->table->dispatch(t, t->sysno, t->sysargs));
}

static bool serve_syscall(struct task *t)
{
	const struct plat_regs *r = t->regs;
	long result;

	t->tg->called = true;
	if (t->restart_fn && (uint32_t)r->rax == NR_restart_syscall) {
		/* The record and the arguments of the interrupted call stay. */
		t->sysno = NR_restart_syscall;
		t->restart.started = true;
		if ((t->seccomp_mode || t->sud.on) && call_refused(t, &result))
			return finish(t, result);
		t->call_fn = t->restart_fn;
		if (t->k->strace)
			strace_enter(t);
		return run_call(t);
	}
	if (t->restart.ptr_free)
		free_restart(t);
	memset(&t->restart, 0, sizeof(t->restart));
	t->restart_fn = NULL;
	t->atomic.state = ATOMIC_NONE;
	t->touch = TOUCH_UNDECIDED;
	if (t->big.state)
		task_big_io_end(t);
	t->sysno = r->rax;
	t->sysargs[0] = r->rdi;
	t->sysargs[1] = r->rsi;
	t->sysargs[2] = r->rdx;
	t->sysargs[3] = r->r10;
	t->sysargs[4] = r->r8;
	t->sysargs[5] = r->r9;
	if (t->k->strace)
		strace_enter(t);
	if ((t->seccomp_mode || t->sud.on) && call_refused(t, &result))
		return finish(t, result);
	return finish(t, t->k->table->dispatch(t, t->sysno, t->sysargs));
}

static bool serve_fault(struct task *t, const struct plat_trap *tr)
{
	int code, signo = mm_fault(t, tr, &code);

	t->batch_of_call = false;
	if (signo == 0)
		return task_to_guest(t, 0, false);
	signal_fault(t, tr, signo, code);
	return task_to_guest(t, 0, false);
}

static bool serve_batch_failure(struct task *t, const struct plat_trap *tr)
{
	void (*done)(struct task *, int, int) = t->batch_done;
	long r;

	t->batch_done = NULL;
	if (t->exec) {
		log_warn("task %d: execve: command %d failed: %d", t->tid, tr->index, tr->error);
		tgroup_lose(t->tg, LX_SIGKILL, "the host refused a mapping of the new program");
		return die(t);
	}
	t->kick_fn = NULL;
	if (t->cloning) {
		t->batch.count = 0;
		r = clone_failed(t, tr->error);
		if (t->strace_open)
			strace_exit(t, r);
	} else if (done) {
		t->batch.count = 0;
		done(t, tr->index, tr->error);
		return task_to_guest(t, 0, false);
	} else {
		/* Empties t->batch; what it leaves there is to be run next. */
		r = mm_batch_failed(t, tr->index, tr->error);
	}
	if (!t->batch_of_call) {
		/* The stack could not grow. */
		struct ksiginfo info = { .signo = LX_SIGSEGV, .code = LX_SI_KERNEL };

		signal_force(t, LX_SIGSEGV, &info);
		return task_to_guest(t, 0, false);
	}
	t->regs->rax = (uint64_t)r;
	return task_to_guest(t, r, false);
}

/* ---- what a handler asks its own thread to do ---- */

static void look_again(struct task *t)
{
	(void)t; /* the KICK only brought all registers: the handler is run again */
}

static void cmpxchg_done(struct task *t)
{
	t->atomic.state = ATOMIC_DONE;
	t->atomic.result = 0;
}

long task_cmpxchg(struct task *t, uint64_t addr, uint32_t expected, uint32_t desired)
{
	if (addr % sizeof(uint32_t) || addr >= PLAT_GUEST_MAX)
		return -LX_EFAULT;
	if (t->partial) {
		t->regs->rax = 0;
		t->kick_fn = look_again;
		return -LX_ERAN;
	}
	/* A word that cannot be written must not fault in the stub. If another thread unmaps
	 * it right now, that ends their process. */
	BUG_ON(!plat_batch_add(&t->batch,
			       (struct plat_cmd){ .op = PLAT_CMD_MADVISE, .fd = -1,
						  .a = { addr & ~(LX_PAGE_SIZE - 1), LX_PAGE_SIZE,
							 LX_MADV_POPULATE_WRITE } }));
	BUG_ON(!plat_batch_add(&t->batch, (struct plat_cmd){ .op = PLAT_CMD_CMPXCHG, .fd = -1,
							     .a = { addr, expected, desired } }));
	t->atomic.state = ATOMIC_ORDERED;
	t->kick_fn = cmpxchg_done;
	return -LX_ERAN;
}

bool task_cmpxchg_result(struct task *t, int *out)
{
	if (t->atomic.state != ATOMIC_DONE)
		return false;
	t->atomic.state = ATOMIC_NONE;
	*out = t->atomic.result;
	return true;
}

static bool cmpxchg_failed(struct task *t, int error)
{
	t->batch.count = 0;
	t->kick_fn = NULL;
	t->atomic.state = ATOMIC_DONE;
	t->atomic.result = error == -LX_EAGAIN ? error : -LX_EFAULT;
	return t->killed ? die(t) : run_call(t);
}

static void touched(struct task *t)
{
	t->touch = TOUCH_SETTLED;
}

/* What cannot be touched is the handler's to find. */
static bool touch_failed(struct task *t)
{
	t->batch.count = 0;
	t->kick_fn = NULL;
	t->touch = TOUCH_SETTLED;
	return t->killed ? die(t) : run_call(t);
}

static bool big_failed(struct task *t)
{
	t->batch.count = 0;
	t->kick_fn = NULL;
	t->big.state = BIG_FAILED;
	return t->killed ? die(t) : run_call(t);
}

#define TOUCH_RANGES 16

/* Order the touching of u's first `most` bytes. */
static void order_touch(struct task *t, const struct uio *u, uint64_t most)
{
	for (unsigned i = u->cur; i < u->niov && i < u->cur + TOUCH_RANGES && most; i++) {
		uint64_t len = u->iov[i].len < most ? u->iov[i].len : most;
		uint64_t lo = u->iov[i].base & ~(LX_PAGE_SIZE - 1);
		uint64_t hi = (u->iov[i].base + len + LX_PAGE_SIZE - 1) & ~(LX_PAGE_SIZE - 1);

		most -= len;
		if (len && hi > lo && hi <= PLAT_GUEST_MAX)
			BUG_ON(!plat_batch_add(&t->batch,
					       (struct plat_cmd){
						       .op = PLAT_CMD_MADVISE, .fd = -1,
						       .a = { lo, hi - lo,
							      LX_MADV_POPULATE_WRITE } }));
	}
}

long task_touch(struct task *t, const struct uio *u, uint64_t most)
{
	if (t->touch == TOUCH_SETTLED || !u->mm)
		return 0;
	if (most > u->resid)
		most = u->resid;
	if (t->touch == TOUCH_UNDECIDED && !mem_tight(most)) {
		t->touch = TOUCH_SETTLED;
		return 0;
	}
	t->touch = TOUCH_ORDERED;
	if (t->partial) {
		t->regs->rax = 0;
		t->kick_fn = look_again;
		return -LX_ERAN;
	}
	order_touch(t, u, most);
	if (!t->batch.count) {
		t->touch = TOUCH_SETTLED;
		return 0;
	}
	t->kick_fn = touched;
	return -LX_ERAN;
}

static void last_failed(struct task *t, int index, int error)
{
	(void)index;
	t->regs->rax = (uint64_t)(long)error;
}

long task_do_last(struct task *t, struct plat_cmd cmd)
{
	BUG_ON(!plat_batch_add(&t->batch, cmd));
	t->batch_done = last_failed;
	return 0;
}

static bool serve_started(struct task *t)
{
	t->started = true;
	*t->regs = t->start_regs;
	t->state = TASK_RUNNING;
	/* As in Linux, a bad address here is the child's own affair. */
	if (t->set_child_tid && mm_copy_out(t->mm, t->set_child_tid, &t->tid, sizeof(t->tid)) < 0)
		log_debug("task %d: CLONE_CHILD_SETTID: bad address", t->tid);
	return task_to_guest(t, 0, false);
}

static bool serve_kick(struct task *t)
{
	void (*fn)(struct task *) = t->kick_fn;

	if (!fn)
		return task_to_guest(t, 0, false);
	if (t->killed)
		return die(t);
	t->kick_fn = NULL;
	fn(t);
	if (t->exec)
		return task_exec_advance(t);
	return run_call(t);
}

/* Its stub is gone, and it was not the kernel here that ended it. */
static void stub_lost(struct task *t, const struct plat_trap *tr)
{
	tgroup_lose(t->tg, tr->signo ? tr->signo : LX_SIGKILL,
		    "its stub was killed on the host: was there no memory left?");
}

static bool serve_died(struct task *t, const struct plat_trap *tr)
{
	stub_lost(t, tr);
	return die(t);
}

static bool serve(struct task *t, const struct plat_trap *tr)
{
	if (tr->kind != PLAT_TRAP_DIED)
		t->regs = plat_thread_regs(t->pt);
	t->partial = tr->partial;
	if (t->want_regs && !t->partial && tr->kind != PLAT_TRAP_DIED &&
	    tr->kind != PLAT_TRAP_STARTED) {
		*t->want_regs = *t->regs;
		t->want_regs = NULL;
	}
	if (t->aside.due && tr->kind != PLAT_TRAP_DIED)
		return serve_aside(t);
	if (tr->kind != PLAT_TRAP_BATCH && !t->aside.due) {
		/* It was run. */
		t->batch.count = 0;
		t->batch_done = NULL;
		if (t->cloning && tr->kind != PLAT_TRAP_DIED)
			clone_settled(t);
	}
	switch (tr->kind) {
	case PLAT_TRAP_SYSCALL:
		return serve_syscall(t);
	case PLAT_TRAP_FAULT:
		return serve_fault(t, tr);
	case PLAT_TRAP_KICK:
		return serve_kick(t);
	case PLAT_TRAP_STARTED:
		return serve_started(t);
	case PLAT_TRAP_BATCH:
		if (t->atomic.state == ATOMIC_ORDERED)
			return cmpxchg_failed(t, tr->error);
		if (t->big.state == BIG_ORDERED)
			return big_failed(t);
		return t->touch == TOUCH_ORDERED ? touch_failed(t) : serve_batch_failure(t, tr);
	case PLAT_TRAP_DIED:
		return serve_died(t, tr);
	}
	BUG();
}

/* A trap that comes while another path of the task is at work. */
static void note_trap(struct task *t, const struct plat_trap *tr)
{
	if (tr->kind == PLAT_TRAP_DIED)
		stub_lost(t, tr);
}

static void enter_kernel(struct task *t)
{
	t->in_kernel = true;
	t->woken = false;
	task_current = t;
}

static void leave_kernel(struct task *t)
{
	task_current = NULL;
	t->in_kernel = false;
	if (t->woken && t->state == TASK_PARKED)
		task_ready(t);
	t->woken = false;
}

static void op_trap(void *cookie, const struct plat_trap *tr)
{
	struct task *t = cookie;
	struct kernel *k = t->k;
	bool resume = false;

	kernel_lock(k);
	k->ctxt++;
	if (t->in_kernel) {
		note_trap(t, tr);
	} else if (t->state == TASK_PARKED || t->state == TASK_READY || t->state == TASK_STOPPED) {
		/* Only the death of a thread that waits. */
		note_trap(t, tr);
	} else if (t->pt && t->state != TASK_DEAD) {
		enter_kernel(t);
		if (!t->aside.due)
			t->trap_seq++;
		resume = serve(t, tr);
		leave_kernel(t);
	}
	kernel_unlock_resume(k, resume ? t : NULL);
}

bool task_rerun(struct task *t)
{
	bool resume;

	if (t->state != TASK_READY)
		return false;
	t->state = TASK_RUNNING;
	t->k->ctxt++; /* what an earlier run looked at may have changed */
	enter_kernel(t);
	task_unenrol(t);
	if (t->killed) {
		resume = die(t);
	} else if (t->stop_return) {
		t->stop_return = false;
		resume = task_to_guest(t, t->stop_result, t->stop_is_syscall);
	} else {
		t->restart.started = true;
		resume = run_call(t);
	}
	leave_kernel(t);
	return resume;
}

void task_resume(struct task *t)
{
	struct plat_thread *pt = t->go_pt;
	struct plat_batch b;

	if (t->kick_after) {
		t->kick_after = false;
		plat_kick(pt);
	}
	if (t->go_batch) {
		/* Not t's own: it may have trapped again, and be filling its batch anew,
		 * before the platform is through with this one. */
		b.count = t->batch.count;
		memcpy(b.cmd, t->batch.cmd, b.count * sizeof(b.cmd[0]));
		plat_resume(pt, &b);
	} else {
		plat_resume(pt, NULL);
	}
	task_unpin(t);
}

void task_interrupt(struct task *t)
{
	const sigset64 kill = SIGBIT(LX_SIGKILL);

	switch (t->state) {
	case TASK_RUNNING:
		if (t->in_kernel) {
			t->woken = true;
			return;
		}
		plat_kick(t->pt);
		break;
	case TASK_STOPPED:
		if (!t->killed)
			return;
		t->state = TASK_PARKED;
		task_ready(t);
		return;
	case TASK_PARKED:
		task_ready(t);
		return;
	case TASK_NEW:
		/* Spawned but not started: nothing will trap. */
		if (!t->pt && t->killed && !t->in_kernel) {
			t->state = TASK_PARKED;
			task_ready(t);
		}
		return;
	case TASK_READY:
	case TASK_DEAD:
		return;
	}
	/* A guest can spin in the stub's code with the kick blocked. */
	if (!t->tg->kill_timer.heap_idx &&
	    (t->killed || ((t->pending.set | t->tg->pending.set) & kill)) &&
	    ktimer_arm(t->k, &t->tg->kill_timer, ktime_mono() + KILL_PATIENCE_NS) < 0)
		log_warn("process %d: no memory for the kill timer", t->tg->tgid);
}

static void cookie_get(void *cookie)
{
	task_get(cookie);
}

static void cookie_put(void *cookie)
{
	task_put(cookie);
}

static bool may_patch(void *cookie, uint64_t addr, size_t len)
{
	struct task *t = cookie;
	bool ok;

	kernel_lock(t->k);
	ok = t->mm && t->state != TASK_DEAD && !t->killed && mm_is_text(t->mm, addr, len);
	kernel_unlock(t->k);
	return ok;
}

static int page_prot(void *cookie, uint64_t addr)
{
	struct task *t = cookie;
	int prot;

	kernel_lock(t->k);
	prot = t->mm ? mm_prot_at(t->mm, addr) : -1;
	kernel_unlock(t->k);
	return prot;
}

const struct plat_kernel_ops task_plat_ops = {
	.trap = op_trap,
	.cookie_get = cookie_get,
	.cookie_put = cookie_put,
	.may_patch = may_patch,
	.page_prot = page_prot,
};
