/* Signals in a world of two processes without a platform: queues, who gets what, restarts,
 * frames and their way back, job control, POSIX timers, futexes. Guest memory is an array;
 * the clock is a variable.
 *
 * Links: sentry/signal, sentry/time (without time_host.c), sentry/ipc/futex*.c,
 * sentry/cred, platform/base */
#include <criterion/criterion.h>
#include <stddef.h>
#include <string.h>

#include "sentry/cred/cred_change.h"
#include "sentry/ipc/futex.h"
#include "sentry/mm/mm.h"
#include "sentry/signal/sigframe.h"
#include "sentry/signal/signal_impl.h"
#include "sentry/time/posix_timer.h"
#include "sentry/time/time_host.h"
#include "sentry/vfs/vfs.h"
#include "syscalls/abi/lx_cap.h"
#include "syscalls/abi/lx_futex.h"
#include "syscalls/abi/lx_time.h"

/* ---- the world around ---- */

#define MEM_BASE 0x100000ULL
#define MEM_SIZE 65536u
#define FP_SIZE 836u /* 512 + 64 + 256 + magic */

static uint8_t mem[MEM_SIZE], fpstate[FP_SIZE];
static struct kernel kern;
static struct mm mm = { .k = &kern };
static struct session sess = { .sid = 1 };
static struct tgroup groups[2]; /* parent, child */
static struct task tasks[3];	/* parent's one, child's two */
static struct plat_regs regs[3];
static uint64_t now_ns, host_armed;
static int ready[3], interrupted[3], exited_with, set_fp_calls;

_Thread_local struct task *task_current;

uint64_t ktime_mono(void)
{
	return now_ns;
}
int64_t ktime_real(void)
{
	return (int64_t)now_ns;
}
int64_t host_clock_ns(int id)
{
	(void)id;
	return (int64_t)now_ns;
}
int host_timer_new(void)
{
	return 1000;
}
int host_timer_set(int fd, uint64_t mono_ns)
{
	(void)fd;
	host_armed = mono_ns;
	return 0;
}
void host_timer_drain(int fd)
{
	(void)fd;
}
void host_timer_free(int fd)
{
	(void)fd;
}
void kernel_lock(struct kernel *k)
{
	(void)k;
}
void kernel_unlock(struct kernel *k)
{
	(void)k;
}
void krandom(void *buf, unsigned long len)
{
	memset(buf, 7, len);
}
static int index_of(const struct task *t)
{
	return (int)(t - tasks);
}
void task_ready(struct task *t)
{
	if (t->state != TASK_PARKED)
		return;
	t->state = TASK_READY;
	ready[index_of(t)]++;
}
void task_interrupt(struct task *t)
{
	interrupted[index_of(t)]++;
}
void task_park_until(struct task *t, uint64_t ns)
{
	(void)t;
	(void)ns;
}
long task_park(struct task *t, int how)
{
	return signal_pending(t) ? -how : -LX_EPARK;
}
void waitq_init(struct waitq *q)
{
	list_init(&q->waiters);
}
void waitq_wake(struct waitq *q, uint32_t ev)
{
	(void)q;
	(void)ev;
}
void waitq_fini(struct waitq *q)
{
	(void)q;
}
void task_get(struct task *t)
{
	(void)t;
}
void task_put(struct task *t)
{
	(void)t;
}
void tgroup_get(struct tgroup *g)
{
	(void)g;
}
void tgroup_put(struct tgroup *g)
{
	(void)g;
}
struct task *task_lookup(struct kernel *k, int tid)
{
	(void)k;
	for (int i = 0; i < 3; i++)
		if (tasks[i].tid == tid)
			return &tasks[i];
	return NULL;
}
struct tgroup *tgroup_lookup(struct kernel *k, int id)
{
	(void)k;
	for (int i = 0; i < 2; i++)
		if (groups[i].tgid == id)
			return &groups[i];
	return NULL;
}
struct tgroup *tgroup_next(struct kernel *k, int after)
{
	(void)k;
	return after < groups[0].tgid ? &groups[0] : after < groups[1].tgid ? &groups[1] : NULL;
}
long tgroup_exit(struct task *t, int status)
{
	struct task *each;

	exited_with = status;
	list_for_each(each, &t->tg->tasks, tg_link)
		each->killed = true;
	return -LX_ERAN;
}
void tgroup_cputime(struct tgroup *g, uint64_t *u, uint64_t *s)
{
	*u = g->used.user_ns;
	*s = 0;
}
uint64_t tgroup_cputime_total(struct tgroup *g)
{
	return g->used.user_ns;
}
uint64_t rlimit_cur(const struct task *t, unsigned which)
{
	return t->tg->rlim[which].cur;
}
static bool inside(uint64_t a, size_t n)
{
	return a >= MEM_BASE && n <= MEM_SIZE && a - MEM_BASE <= MEM_SIZE - n;
}
int mm_copy_in(struct mm *m, void *dst, uint64_t src, size_t n)
{
	(void)m;
	if (!inside(src, n))
		return -LX_EFAULT;
	memcpy(dst, mem + (src - MEM_BASE), n);
	return 0;
}
int mm_copy_out(struct mm *m, uint64_t dst, const void *src, size_t n)
{
	(void)m;
	if (!inside(dst, n))
		return -LX_EFAULT;
	memcpy(mem + (dst - MEM_BASE), src, n);
	return 0;
}
long mm_copy_in_partial(struct mm *m, void *dst, uint64_t src, size_t n)
{
	return mm_copy_in(m, dst, src, n) ? -LX_EFAULT : (long)n;
}
int copy_in(struct task *t, void *dst, struct uaddr src, size_t n)
{
	return mm_copy_in(t->mm, dst, src.v, n);
}
int mm_load32(struct mm *m, uint64_t a, uint32_t *out)
{
	return mm_copy_in(m, out, a, 4);
}
int mm_cmpxchg32(struct mm *m, uint64_t a, uint32_t *exp, uint32_t want)
{
	uint32_t v;

	if (mm_copy_in(m, &v, a, 4))
		return -LX_EFAULT;
	if (v != *exp) {
		*exp = v;
		return -LX_EAGAIN;
	}
	return mm_copy_out(m, a, &want, 4);
}
long task_cmpxchg(struct task *t, uint64_t a, uint32_t exp, uint32_t want)
{
	t->atomic.state = ATOMIC_DONE;
	t->atomic.result = mm_cmpxchg32(t->mm, a, &exp, want);
	return -LX_ERAN;
}
bool task_cmpxchg_result(struct task *t, int *out)
{
	bool done = t->atomic.state == ATOMIC_DONE;

	t->atomic.state = ATOMIC_NONE;
	*out = t->atomic.result;
	return done;
}
bool mm_next_vma(struct mm *m, uint64_t a, struct vma_info *out)
{
	(void)m;
	*out = (struct vma_info){ .start = MEM_BASE, .end = MEM_BASE + MEM_SIZE };
	return a < out->end;
}
void inode_get(struct inode *i)
{
	(void)i;
}
void inode_put(struct inode *i)
{
	(void)i;
}
void poll_wait(struct poll_ctx *pc, struct waitq *q)
{
	(void)pc;
	(void)q;
}
long uio_to_user(struct uio *u, const void *src, size_t n)
{
	(void)u;
	(void)src;
	return (long)n;
}
struct file *file_new_anon(struct kernel *k, const struct file_ops *ops, const char *name,
			   uint32_t fmt, uint32_t mode, uint32_t flags, void *priv)
{
	(void)k;
	(void)ops;
	(void)name;
	(void)fmt;
	(void)mode;
	(void)flags;
	(void)priv;
	return NULL;
}
const struct plat_caps *plat_caps(const struct plat *p)
{
	static const struct plat_caps caps = { .xstate_size = FP_SIZE };

	(void)p;
	return &caps;
}
uint64_t plat_call_rip(struct plat_thread *th, uint64_t rip)
{
	(void)th;
	return rip - 2;
}

void plat_shown_regs(struct plat_thread *th, struct plat_regs *r)
{
	(void)th;
	(void)r;
}

size_t plat_thread_get_fpstate(struct plat_thread *th, void *buf, size_t size)
{
	(void)th;
	(void)size;
	memcpy(buf, fpstate, FP_SIZE);
	return FP_SIZE;
}
int plat_thread_set_fpstate(struct plat_thread *th, const void *buf, size_t n)
{
	(void)th;
	set_fp_calls++;
	if (buf != NULL)
		memcpy(fpstate, buf, n);
	return 0;
}

static void make_fpstate(void)
{
	struct lx_fpx_sw_bytes sw = { LX_FP_XSTATE_MAGIC1, FP_SIZE, 7, FP_SIZE - 4, { 0 } };
	uint32_t magic2 = LX_FP_XSTATE_MAGIC2, mxcsr = 0x1f80, mask = 0xffff;
	uint64_t features = 7;

	memset(fpstate, 0, sizeof(fpstate));
	memcpy(fpstate + LX_FX_SW_OFFSET, &sw, sizeof(sw));
	memcpy(fpstate + LX_FX_MXCSR_OFFSET, &mxcsr, 4);
	memcpy(fpstate + LX_FX_MXCSR_MASK_OFFSET, &mask, 4);
	memcpy(fpstate + LX_FXSAVE_SIZE, &features, 8);
	memcpy(fpstate + FP_SIZE - 4, &magic2, 4);
}

static void make_task(int i, struct tgroup *tg, int tid, struct sighand *sh)
{
	struct task *t = &tasks[i];

	memset(t, 0, sizeof(*t));
	t->k = &kern;
	t->tg = tg;
	t->tid = tid;
	t->mm = &mm;
	t->state = TASK_RUNNING;
	t->sighand = sh;
	t->cred = cred_new(0);
	t->cred->uid = t->cred->euid = t->cred->suid = t->cred->fsuid = 1000;
	t->regs = &regs[i];
	t->regs->rsp = MEM_BASE + MEM_SIZE - 64;
	t->sysno = 35;
	sigqueue_init(&t->pending);
	list_push_back(&tg->tasks, &t->tg_link);
	tg->nlive++;
}

static void setup(void)
{
	struct sighand *sh;

	memset(groups, 0, sizeof(groups));
	for (int i = 0; i < 2; i++) {
		groups[i].k = &kern;
		groups[i].tgid = groups[i].pgid = i == 0 ? 10 : 20;
		groups[i].session = &sess;
		list_init(&groups[i].tasks);
		list_init(&groups[i].child_wait.waiters);
		sigqueue_init(&groups[i].pending);
		for (int r = 0; r < LX_RLIM_NLIMITS; r++)
			groups[i].rlim[r] = (struct krlimit){ 100, 100 };
	}
	groups[1].parent = &groups[0];
	now_ns = 1000000000;
	cr_assert_eq(timers_init(&kern), 0);
	make_task(0, &groups[0], 10, sighand_new());
	sh = sighand_new();
	make_task(1, &groups[1], 20, sh);
	make_task(2, &groups[1], 21, sh);
	make_fpstate();
}

TestSuite(signal, .init = setup);

static struct task *const T = &tasks[1];

static void handle(int signo, uint64_t flags)
{
	T->sighand->act[signo] = (struct ksigaction){
		.handler = 0x401000, .flags = flags | LX_SA_RESTORER, .restorer = 0x402000,
	};
}

/* ---- queues and targets ---- */

Test(signal, standard_signals_collapse_and_rt_ones_queue_in_order)
{
	struct ksiginfo in = { .code = LX_SI_QUEUE }, out;

	T->sigmask = ~0ULL;
	for (int i = 0; i < 3; i++) {
		in.value = (uint64_t)i;
		cr_assert_eq(signal_send_task(T, LX_SIGUSR1, &in), 0);
		cr_assert_eq(signal_send_task(T, 40, &in), 0);
	}
	cr_assert(signal_dequeue(T, ~0ULL, &out));
	cr_assert_eq(out.signo, LX_SIGUSR1);
	for (int i = 0; i < 3; i++) {
		cr_assert(signal_dequeue(T, ~0ULL, &out));
		cr_assert_eq(out.signo, 40);
		cr_assert_eq(out.value, (uint64_t)i);
	}
	cr_assert_not(signal_dequeue(T, ~0ULL, &out));
	cr_assert_eq(siguser_count(1000), 0);
}

Test(signal, rt_signals_are_limited)
{
	struct ksiginfo in = { .code = LX_SI_QUEUE };

	groups[1].rlim[11].cur = 2;
	T->sigmask = ~0ULL;
	cr_assert_eq(signal_send_task(T, 40, &in), 0);
	cr_assert_eq(signal_send_task(T, 40, &in), 0);
	cr_assert_eq(signal_send_task(T, 40, &in), -LX_EAGAIN);
	sigqueue_flush(&T->pending);
}

Test(signal, ignored_ones_are_dropped_unless_blocked)
{
	signal_send_group(&groups[1], LX_SIGCHLD, NULL);
	cr_assert_eq(groups[1].pending.set, 0);
	T->sigmask = SIGBIT(LX_SIGCHLD);
	signal_send_group(&groups[1], LX_SIGCHLD, NULL);
	cr_assert_eq(groups[1].pending.set, SIGBIT(LX_SIGCHLD));
	task_set_sigmask(T, 0);
	cr_assert_eq(groups[1].pending.set, 0);
}

Test(signal, a_thread_that_does_not_block_gets_it)
{
	handle(LX_SIGTERM, 0);
	T->sigmask = SIGBIT(LX_SIGTERM);
	tasks[2].state = TASK_PARKED;
	signal_send_group(&groups[1], LX_SIGTERM, NULL);
	cr_assert_eq(interrupted[1], 0);
	cr_assert_eq(ready[2], 1);
}

Test(signal, init_is_protected)
{
	groups[1].tgid = T->tid = 1;
	struct ksiginfo user = { .code = LX_SI_USER };

	signal_send_group(&groups[1], LX_SIGKILL, &user);
	signal_send_group(&groups[1], LX_SIGTERM, NULL);
	cr_assert_eq(exited_with, 0);
	cr_assert_not(signal_pending(T));
	signal_send_group(&groups[1], LX_SIGKILL, NULL);
	cr_assert_eq(exited_with, LX_SIGKILL);
}

/* ---- delivery ---- */

static const struct {
	long result;
	uint64_t flags;		 /* of the handler */
	int64_t rax_handled, rax_unhandled;
} restarts[] = {
	{ -LX_ERESTARTSYS, 0, -LX_EINTR, 35 },
	{ -LX_ERESTARTSYS, LX_SA_RESTART, 35, 35 },
	{ -LX_ERESTARTNOINTR, 0, 35, 35 },
	{ -LX_ERESTARTNOHAND, LX_SA_RESTART, -LX_EINTR, 35 },
	{ -LX_ERESTART_RESTARTBLOCK, LX_SA_RESTART, -LX_EINTR, 219 },
	{ -LX_EINTR, LX_SA_RESTART, -LX_EINTR, -LX_EINTR },
	{ 5, 0, 5, 5 },
};

Test(signal, restarts)
{
	for (unsigned i = 0; i < sizeof(restarts) / sizeof(restarts[0]); i++) {
		long r = restarts[i].result;
		struct plat_regs before;
		int64_t rax = restarts[i].rax_unhandled;

		T->regs->rip = 0x1002;
		cr_assert(signal_deliver(T, &r, true));
		cr_assert_eq((int64_t)T->regs->rax, rax, "unhandled %u", i);
		cr_assert_eq(T->regs->rip, rax == 35 || rax == 219 ? 0x1000 : 0x1002);

		before = *T->regs;
		T->regs->rip = 0x1002;
		handle(LX_SIGUSR1, restarts[i].flags);
		signal_send_task(T, LX_SIGUSR1, NULL);
		r = restarts[i].result;
		cr_assert(signal_deliver(T, &r, true));
		cr_assert_eq(r, -LX_ERAN);
		cr_assert_eq(T->regs->rip, 0x401000);
		T->regs->rsp += 8; /* the handler's ret */
		cr_assert_eq(sigframe_return(T), -LX_ERAN);
		rax = restarts[i].rax_handled;
		cr_assert_eq((int64_t)T->regs->rax, rax, "handled %u", i);
		cr_assert_eq(T->regs->rip, rax == 35 ? 0x1000 : 0x1002);
		cr_assert_eq(T->regs->rsp, before.rsp);
		cr_assert_eq(T->sigmask, 0);
	}
}

Test(signal, frame_is_linux)
{
	const uint64_t sp = T->regs->rsp;
	struct ksiginfo info = { .code = LX_SI_QUEUE, .pid = 3, .uid = 4, .value = 0x55 };
	struct lx_rt_sigframe f;
	long r = 0;

	handle(LX_SIGUSR1, LX_SA_SIGINFO);
	T->sighand->act[LX_SIGUSR1].mask = SIGBIT(LX_SIGUSR2);
	T->regs->rbx = 0x1234;
	T->regs->eflags = LX_EFLAGS_DF | LX_EFLAGS_ZF | LX_EFLAGS_FIXED;
	signal_send_task(T, LX_SIGUSR1, &info);
	cr_assert(signal_deliver(T, &r, false));
	cr_assert_eq((T->regs->rsp + 8) % 16, 0);
	cr_assert_eq(T->regs->eflags, LX_EFLAGS_ZF | LX_EFLAGS_FIXED);
	cr_assert_eq(T->regs->rdi, LX_SIGUSR1);
	cr_assert_eq(T->regs->rsi, T->regs->rsp + offsetof(struct lx_rt_sigframe, info));
	cr_assert_eq(T->regs->rdx, T->regs->rsp + 8);
	cr_assert_eq(T->sigmask, SIGBIT(LX_SIGUSR1) | SIGBIT(LX_SIGUSR2));
	cr_assert_eq(mm_copy_in(&mm, &f, T->regs->rsp, sizeof(f)), 0);
	cr_assert_eq(f.pretcode, 0x402000);
	cr_assert_eq(f.uc.flags, 7);
	cr_assert_eq(f.uc.mc.rbx, 0x1234);
	cr_assert_eq(f.uc.mc.rsp, sp);
	cr_assert_eq(f.uc.mc.fpstate % 64, 0);
	cr_assert_leq(f.uc.mc.fpstate + FP_SIZE, sp - 128);
	cr_assert_eq(f.info.signo, LX_SIGUSR1);
	cr_assert_eq(f.info.u.rt.value, 0x55);
}

/* One byte of the frame is changed before it is read back. */
static int return_with(size_t offset_in_fp, uint8_t value)
{
	struct lx_rt_sigframe f;
	long r = 0;

	exited_with = 0;
	T->killed = tasks[2].killed = false;
	T->sigmask = 0;
	T->regs->rsp = MEM_BASE + MEM_SIZE - 64;
	handle(LX_SIGUSR1, 0);
	signal_send_task(T, LX_SIGUSR1, NULL);
	cr_assert(signal_deliver(T, &r, false));
	cr_assert_eq(mm_copy_in(&mm, &f, T->regs->rsp, sizeof(f)), 0);
	mem[f.uc.mc.fpstate - MEM_BASE + offset_in_fp] = value;
	T->regs->rsp += 8;
	sigframe_return(T);
	signal_deliver(T, &r, false);
	make_fpstate();
	return exited_with;
}

Test(signal, bad_fp_images_are_segv)
{
	cr_assert_eq(return_with(0, 0x7f), 0);
	cr_assert_eq(return_with(LX_FX_MXCSR_OFFSET + 2, 1), LX_SIGSEGV);
	setup();
	cr_assert_eq(return_with(LX_FXSAVE_SIZE + 1, 1), LX_SIGSEGV); /* unknown feature */
	setup();
	cr_assert_eq(return_with(LX_FXSAVE_SIZE + 15, 0x80), LX_SIGSEGV); /* compacted */
	setup();
	/* Without the magic only the legacy part counts: fine. */
	cr_assert_eq(return_with(LX_FX_SW_OFFSET, 0), 0);
}

Test(signal, no_room_for_the_frame_is_fatal)
{
	long r = 0;

	handle(LX_SIGUSR1, 0);
	T->regs->rsp = 64;
	signal_send_task(T, LX_SIGUSR1, NULL);
	cr_assert_not(signal_deliver(T, &r, false));
	cr_assert_eq(exited_with, LX_SIGSEGV);
}

Test(signal, altstack_and_temporary_masks)
{
	struct lx_stack st = { MEM_BASE, LX_SS_AUTODISARM, 0, 8192 };
	long r = -LX_ERESTARTNOHAND;

	cr_assert_eq(sigaltstack_set(T, &st, T->regs->rsp), 0);
	handle(LX_SIGUSR1, LX_SA_ONSTACK);
	T->sigmask = SIGBIT(LX_SIGUSR1);
	task_set_temp_sigmask(T, 0);
	task_set_temp_sigmask(T, 0);
	signal_send_task(T, LX_SIGUSR1, NULL);
	cr_assert(signal_deliver(T, &r, true));
	cr_assert_lt(T->regs->rsp, MEM_BASE + 8192);
	cr_assert_eq(T->altstack.flags, LX_SS_DISABLE);
	T->regs->rsp += 8;
	sigframe_return(T);
	cr_assert_eq(T->sigmask, SIGBIT(LX_SIGUSR1));
	cr_assert_eq(T->altstack.size, 8192);
	cr_assert_eq(T->altstack.flags, LX_SS_AUTODISARM);
}

Test(signal, stop_and_continue)
{
	long r = -LX_ERESTARTSYS, r0 = 0;

	tasks[0].sigmask = SIGBIT(LX_SIGCHLD);
	signal_send_group(&groups[1], LX_SIGSTOP, NULL);
	cr_assert_not(signal_deliver(T, &r, true));
	cr_assert_eq(T->state, TASK_STOPPED);
	cr_assert_not(groups[1].stopped);
	cr_assert_eq(interrupted[2], 1);
	cr_assert_not(signal_deliver(&tasks[2], &r0, false));
	cr_assert(groups[1].stopped);
	cr_assert_eq(groups[1].stop_sig, LX_SIGSTOP);
	cr_assert_eq(sigqueue_peek(&groups[0].pending, LX_SIGCHLD)->code, LX_CLD_STOPPED);
	sigqueue_flush(&groups[0].pending);

	signal_send_group(&groups[1], LX_SIGCONT, NULL);
	cr_assert(groups[1].continued);
	cr_assert_eq(ready[1] + ready[2], 2);
	cr_assert_eq(sigqueue_peek(&groups[0].pending, LX_SIGCHLD)->code, LX_CLD_CONTINUED);
	cr_assert(T->stop_return && T->stop_is_syscall);
	cr_assert_eq(T->stop_result, -LX_ERESTARTSYS);
}

/* ---- timers ---- */

static void run_at(uint64_t ns)
{
	now_ns = ns;
	timers_run(&kern);
}

Test(signal, posix_timer_counts_overruns)
{
	const uint64_t start = now_ns, ms = 1000000;
	struct lx_sigevent ev = { .signo = 40, .notify = LX_SIGEV_SIGNAL, .value = 9 };
	uint64_t v, i;
	struct ksiginfo out;
	int id;

	T->sigmask = tasks[2].sigmask = SIGBIT(40);
	id = posix_timer_create(T, LX_CLOCK_MONOTONIC, &ev);
	cr_assert_geq(id, 0);
	cr_assert_eq(posix_timer_set(T->tg, id, false, (int64_t)ms, (int64_t)ms, &v, &i), 0);
	cr_assert_eq(host_armed, start + ms);
	run_at(start + 10 * ms + 1);
	run_at(start + 11 * ms);
	cr_assert(signal_dequeue(T, SIGBIT(40), &out));
	cr_assert_eq(out.code, LX_SI_TIMER);
	cr_assert_eq(out.value, 9);
	cr_assert_eq(out.overrun, 10);
	cr_assert_eq(posix_timer_overrun(T->tg, id), 10);
	cr_assert_not(signal_dequeue(T, SIGBIT(40), &out));
	posix_timer_get(T->tg, id, &v, &i);
	cr_assert_eq(v, ms);
	posix_timers_free(T->tg);
	cr_assert_null(T->tg->timers);
}

Test(signal, real_itimer_starts_anew_when_taken)
{
	const uint64_t start = now_ns;
	struct ksiginfo out;
	uint64_t v, i;

	T->sigmask = tasks[2].sigmask = SIGBIT(LX_SIGALRM);
	cr_assert_eq(itimer_set(T->tg, LX_ITIMER_REAL, 1000, 1000), 0);
	run_at(start + 5500);
	itimer_get(T->tg, LX_ITIMER_REAL, &v, &i);
	cr_assert_eq(v, 0);
	cr_assert(signal_dequeue(T, SIGBIT(LX_SIGALRM), &out));
	itimer_get(T->tg, LX_ITIMER_REAL, &v, &i);
	cr_assert_eq(v, 500);
	posix_timers_free(T->tg);
}

static int order[64], norder;
static struct ktimer many[64];
static void note(struct ktimer *tm)
{
	order[norder++] = (int)(tm - many);
}

Test(signal, the_heap_sorts)
{
	for (int i = 0; i < 64; i++) {
		ktimer_init(&many[i], note);
		ktimer_arm(&kern, &many[i], now_ns + 1 + (uint64_t)(i * 37 % 64));
	}
	for (int i = 0; i < 64; i += 3)
		ktimer_cancel(&kern, &many[i]);
	run_at(now_ns + 1000);
	cr_assert_eq(norder, 42);
	for (int i = 1; i < norder; i++)
		cr_assert_lt(order[i - 1] * 37 % 64, order[i] * 37 % 64);
}

/* ---- futexes ---- */

static void put32(uint64_t a, uint32_t v)
{
	mm_copy_out(&mm, a, &v, 4);
}
static uint32_t get32(uint64_t a)
{
	uint32_t v;

	cr_assert_eq(mm_copy_in(&mm, &v, a, 4), 0);
	return v;
}
static long wait_on(struct task *t, uint64_t a, uint32_t v)
{
	struct futex_wait_one w = { a, v, LX_FUTEX_BITSET_MATCH_ANY, false };
	long r = futex_wait(t, &w, 1, UINT64_MAX, LX_ERESTARTSYS);

	if (r == -LX_EPARK)
		t->state = TASK_PARKED;
	return r;
}

Test(signal, futex_wait_wake_requeue)
{
	const uint64_t a = MEM_BASE + 64, b = MEM_BASE + 128;
	uint32_t one = 1;

	put32(a, 1);
	cr_assert_eq(wait_on(T, a, 2), -LX_EAGAIN);
	cr_assert_eq(wait_on(T, a + 1, 1), -LX_EINVAL);
	cr_assert_eq(wait_on(T, a, 1), -LX_EPARK);
	cr_assert_eq(wait_on(&tasks[2], a, 1), -LX_EPARK);
	cr_assert_eq(futex_wake(&tasks[0], a, true, 9, ~0u), 0); /* shared meets no private */
	cr_assert_eq(futex_requeue(&tasks[0], &(struct futex_place){ a, false },
					 &(struct futex_place){ b, false }, 1, 1, &one), 2);
	cr_assert_eq(T->state, TASK_READY);
	cr_assert_eq(wait_on(T, a, 1), 0);
	cr_assert_eq(futex_wake(&tasks[0], a, false, 1, ~0u), 0);
	cr_assert_eq(futex_wake(&tasks[0], b, false, 1, ~0u), 1);
	cr_assert_eq(wait_on(&tasks[2], a, 1), 0);
	cr_assert_eq(wait_on(T, a, 1), -LX_EPARK);
	signal_task_exit(T);
	cr_assert_eq(futex_wake(&tasks[0], a, false, 1, ~0u), 0);
}

/* As the dispatcher does: run again when the thread has changed the word. */
static long lock_pi(struct task *t, uint64_t a)
{
	long r = futex_lock_pi(t, a, false, UINT64_MAX, false);

	return r == -LX_ERAN ? futex_lock_pi(t, a, false, UINT64_MAX, false) : r;
}

Test(signal, futex_pi_and_robust)
{
	const uint64_t a = MEM_BASE + 64, head = MEM_BASE + 256, node = MEM_BASE + 512;
	struct lx_robust_list_head h = { node, 16, 0 };

	put32(a, 0);
	cr_assert_eq(lock_pi(T, a), 0);
	cr_assert_eq(get32(a), 20);
	cr_assert_eq(lock_pi(T, a), -LX_EDEADLK);
	cr_assert_eq(lock_pi(&tasks[2], a), -LX_EPARK);
	tasks[2].state = TASK_PARKED;
	cr_assert_eq(get32(a), 20 | LX_FUTEX_WAITERS);
	cr_assert_eq(futex_unlock_pi(&tasks[0], a, false), -LX_EPERM);
	signal_task_exit(T);
	cr_assert_eq(get32(a), 21 | LX_FUTEX_OWNER_DIED);
	cr_assert_eq(lock_pi(&tasks[2], a), 0);

	mm_copy_out(&mm, head, &h, sizeof(h));
	mm_copy_out(&mm, node, &node, 8); /* a list that never ends */
	put32(node + 16, 20 | LX_FUTEX_WAITERS);
	T->robust_list = head;
	futex_exit_robust(T);
	cr_assert_eq(get32(node + 16), LX_FUTEX_OWNER_DIED | LX_FUTEX_WAITERS);
}

/* ---- credentials ---- */

Test(signal, leaving_root_drops_capabilities)
{
	struct cred *c = cred_new(0);

	c->cap_eff = c->cap_perm = c->cap_bset = c->cap_inh = CAP_FULL;
	c->cap_amb = 1;
	task_set_cred(T, c);
	cr_assert_eq(cred_setresuid(T, CRED_KEEP, 1000, CRED_KEEP), 0);
	cr_assert_eq(T->cred->cap_eff, 0);
	cr_assert_eq(T->cred->cap_perm, CAP_FULL);
	cr_assert_eq(cred_setresuid(T, CRED_KEEP, 0, CRED_KEEP), 0);
	cr_assert_eq(T->cred->cap_eff, CAP_FULL);
	cr_assert_eq(cred_setfsuid(T, 5), 0);
	cr_assert_not(task_capable(T, LX_CAP_CHOWN));
	cr_assert(task_capable(T, LX_CAP_SETUID));
	cr_assert_eq(cred_set_keepcaps(T, 1), 0);
	cr_assert_eq(cred_setuid(T, 1000), 0);
	cr_assert_eq(T->cred->cap_perm, CAP_FULL);
	cr_assert_eq(T->cred->cap_eff | T->cred->cap_amb, 0);
	cr_assert_eq(cred_setuid(T, 0), -LX_EPERM);
	cr_assert_eq(cred_capset(T, 1ULL << LX_CAP_SETUID, CAP_FULL, 0), 0);
	cr_assert_eq(cred_setuid(T, 0), 0);
}
