/* Fast calls: call sites that keep trapping are rewritten to jump to the stub (patch_host.c),
 * which leaves the call in the thread's slot; the worker polls the slot, serves the call and
 * answers there. No host call and no switch is made by either side while calls come close
 * together.
 *
 * A fast call is a partial trap like a direct one. What cannot be answered in the slot (it
 * parks, it needs the frame) is answered through STUB_WAIT, which is a direct call again. */
#include <errno.h>
#include <limits.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "platform/base/log.h"
#include "platform/unotify/fast_impl.h"

#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#endif

#define POLL_FIRST_NS 150000U /* until the first fast call; then, between them: */
#define POLL_NS 25000U
#define PREEMPTED_NS 300000U  /* somebody else wanted this CPU */
#define DENSE_NS 30000U	      /* calls that come within this … */
#define DENSE_CALLS 6U	      /* … so many times make it worth while to poll */
#define WORTH_IT 8U	      /* calls of one watch; else it is left for a time */
#define QUIET_MIN_NS 500000U
#define QUIET_MAX_NS 500000000U

static uint64_t mono(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000U + (uint64_t)ts.tv_nsec;
}

static struct stub_fast *fast_of(const struct plat_thread *th)
{
	return (void *)((uint8_t *)th->slot + STUB_FAST_OFF);
}

static bool swap(struct stub_fast *f, uint32_t from, uint32_t to)
{
	return __atomic_compare_exchange_n(&f->state, &from, to, false, __ATOMIC_SEQ_CST,
					   __ATOMIC_SEQ_CST);
}

void fast_thread_init(struct plat_thread *th)
{
	struct stub_fast *f = fast_of(th);

	memset(f, 0, sizeof(*f));
	if (th->as->u->fast_entry && !th->own_gs) {
		f->self = th->slot_guest + STUB_FAST_OFF;
		f->magic = STUB_FAST_MAGIC;
	}
}

/* A thread that is answered is woken on this CPU, because this one goes to sleep. Before
 * polling for it, go elsewhere instead. */
static void move_apart(struct listener *l)
{
	int cpu = sched_getcpu();
	cpu_set_t others = l->u->cpus;

	if (l->u->caps.sync_wakeup)
		ioctl(l->fd, SECCOMP_IOCTL_NOTIF_SET_FLAGS, 0UL);
	if (cpu < 0)
		return;
	CPU_CLR(cpu, &others);
	sched_setaffinity(0, sizeof(others), &others);
}

/* Before it is answered: its next call may come at once. */
static void prepare(struct listener *l, struct plat_thread *th)
{
	l->fast->polling = true;
	move_apart(l);
	__atomic_store_n(&fast_of(th)->armed, 1, __ATOMIC_SEQ_CST);
}

static void come_back(struct listener *l)
{
	sched_setaffinity(0, sizeof(l->u->cpus), &l->u->cpus);
	if (l->u->caps.sync_wakeup)
		ioctl(l->fd, SECCOMP_IOCTL_NOTIF_SET_FLAGS, 1UL /* SYNC_WAKE_UP */);
}

/* May the worker poll for this thread, and do its calls come close enough together? */
static bool worth_polling(const struct listener *l)
{
	struct fast *fs = l->fast;
	uint64_t now = mono();

	fs->dense = now - fs->last_call < DENSE_NS ? fs->dense + 1 : 0;
	fs->last_call = now;
	return fs->dense >= DENSE_CALLS && now >= fs->quiet_until && fast_allowed(l->u);
}

static struct fast *fast_new(void)
{
	struct fast *f = calloc(1, sizeof(*f));

	if (f) {
		f->quiet_ns = QUIET_MIN_NS;
		f->memfd = -1;
	}
	return f;
}

void fast_free(struct listener *l)
{
	if (!l->fast)
		return;
	sites_free(l->fast);
	free(l->fast);
	l->fast = NULL;
}

void fast_forget(struct listener *l)
{
	struct fast *f = l->fast;

	if (f && f->hot)
		thread_put(f->hot);
	if (f)
		f->hot = NULL;
}

void fast_note_call(struct listener *l, struct plat_thread *th, const struct seccomp_notif *n)
{
	const uint64_t ip = n->data.instruction_pointer;
	struct fast *f = l->fast;
	size_t off;

	if (!f) {
		if (l->fast_off)
			return;
		f = fast_new();
		l->fast = f;
		l->fast_off = !f;
		if (!f)
			return;
	}
	if (site_at(f, ip, &off) >= 0) {
		if (f->hot != th) {
			if (f->hot)
				thread_put(f->hot);
			f->hot = th;
			thread_get(th);
		}
		if (worth_polling(l))
			prepare(l, th);
		return;
	}
	if (f->hot) {
		thread_put(f->hot);
		f->hot = NULL;
	}
	site_note(l, th, n);
}

/* ---- the windows ---- */

/* Write what was to go with the answer. */
void fast_window_flush(struct plat_thread *th)
{
	const uint8_t *out = (const uint8_t *)th->slot + STUB_FAST_STACK + STUB_FAST_IN;

	if (!th->fast_open || !th->nout)
		return;
	fast_of(th)->nout = 0;
	for (unsigned i = 0; i < th->nout; i++)
		(void)unotify_write(th->as, th->out_addr[i], out + th->out_off[i],
				    th->out_off[i + 1] - th->out_off[i]);
	th->nout = th->out_len = 0;
}

size_t fast_window_avail(struct plat_thread *th, uint64_t addr)
{
	uint64_t off = addr - th->in_addr;

	return th->fast_open && off < th->in_len ? th->in_len - off : 0;
}

const void *fast_window_in(struct plat_thread *th, uint64_t addr, size_t len)
{
	uint64_t off = addr - th->in_addr;

	if (!th->fast_open || off >= th->in_len || len > th->in_len - off)
		return NULL;
	return (const uint8_t *)th->slot + STUB_FAST_STACK + off;
}

bool fast_window_read(struct plat_thread *th, uint64_t addr, void *buf, size_t len)
{
	const void *in = fast_window_in(th, addr, len);

	if (in)
		memcpy(buf, in, len);
	else
		fast_window_flush(th); /* it may be what was written */
	return in;
}

void *fast_window_place(struct plat_thread *th, size_t len)
{
	uint8_t *out = (uint8_t *)th->slot + STUB_FAST_STACK + STUB_FAST_IN;

	if (!th->fast_open)
		return NULL;
	if (th->nout == STUB_FAST_OUTS || len > STUB_FAST_OUT - th->out_len) {
		fast_window_flush(th); /* in their order */
		return NULL;
	}
	return out + th->out_len;
}

void fast_window_placed(struct plat_thread *th, uint64_t addr, size_t len)
{
	struct stub_fast *f = fast_of(th);

	f->out[th->nout].addr = th->out_addr[th->nout] = addr;
	f->out[th->nout].off = th->out_off[th->nout] = th->out_len;
	f->out[th->nout].len = (uint32_t)len;
	th->out_len += (uint32_t)len;
	f->nout = ++th->nout;
	th->out_off[th->nout] = th->out_len;
}

void fast_window_close(struct plat_thread *th)
{
	if (!th->fast_open)
		return;
	fast_window_flush(th);
	th->fast_open = false;
	__atomic_store_n(&fast_of(th)->sleep, 1, __ATOMIC_RELEASE);
}

/* ---- serving ---- */

void fast_resume(struct plat_thread *th)
{
	struct stub_fast *f = fast_of(th);
	struct unotify *u = th->as->u;
	bool done = false;

	/* The thread may be back before this returns; what it finds then must be right. Under
	 * the lock against its STUB_WAIT, which may have come already, and another call after
	 * it. */
	mutex_lock(&u->mu);
	if (!atomic_load(&th->kick) && atomic_load(&th->state) == TH_OWED) {
		f->result = (int64_t)th->regs.rax;
		set_state(th, TH_RUNNING);
		done = swap(f, STUB_FAST_TAKEN, STUB_FAST_DONE);
		if (!done)
			set_state(th, TH_OWED);
	}
	mutex_unlock(&u->mu);
	if (done && atomic_exchange(&th->kick, false)) /* came while the state did not say so */
		send_kick(th);
}

void fast_wait_arrives(struct listener *l, struct plat_thread *th, const struct seccomp_notif *n)
{
	struct unotify *u = l->u;
	bool owed, gone = !th->cookie || atomic_load(&th->exiting);

	thread_get(th);
	th->notif_id = n->id;
	owed = claim(th, TH_OWED, TH_CALL);
	if (!owed)
		claim(th, TH_FAST, TH_CALL);
	mutex_unlock(&u->mu);
	if (owed && !gone && l->fast->hot == th && fast_allowed(u))
		prepare(l, th); /* it slept only because the call took long */
	if (gone)
		unotify_thread_exit(th);
	else if (owed)
		unotify_resume(th, NULL);
	direct_waits(l, th, n->id);
	thread_put(th);
}

_Static_assert(STUB_SITES_ADDR + STUB_SITES_SIZE <= PLAT_GUEST_MIN, "out of the guest's reach");
_Static_assert(PLAT_FAST_PATH0 == STUB_KIND_PATH0 && PLAT_FAST_PATH1 == STUB_KIND_PATH1 &&
	       PLAT_FAST_BUF1 == STUB_KIND_BUF1 && PLAT_FAST_SMALL == STUB_KIND_SMALL &&
	       PLAT_BIG_IO == STUB_FAST_BIG && PLAT_DIRECT_BITS == STUB_KINDS,
	       "the stub's names for them");

/* As the filter would let it through as a direct call: a thread that is in order posts no
 * other. */
static bool may_be_fast(const struct unotify *u, uint64_t nr, const uint64_t a[6])
{
	return nr < PLAT_DIRECT_BITS && (u->cfg.direct[nr / 64] >> (nr % 64) & 1) &&
	       (!(u->cfg.fast_kind[nr] & PLAT_FAST_SMALL) || a[2] < PLAT_BIG_IO);
}

static void serve_fast(struct listener *l, struct plat_thread *th)
{
	static const struct plat_trap trap = { .kind = PLAT_TRAP_SYSCALL, .partial = true };
	struct stub_fast *f = fast_of(th);
	struct unotify *u = l->u;
	uint64_t a[6], nr, site;
	size_t off;
	int i;

	mutex_lock(&u->mu);
	if (atomic_load(&th->state) != TH_RUNNING || th->kick_due ||
	    !swap(f, STUB_FAST_POSTED, STUB_FAST_TAKEN)) {
		mutex_unlock(&u->mu);
		return;
	}
	settle_batch_locked(th, false, 0);
	nr = *(volatile uint64_t *)&f->nr;
	site = *(volatile uint64_t *)&f->site;
	memcpy(a, f->arg, sizeof(a));
	if (!may_be_fast(u, nr, a)) {
		mutex_unlock(&u->mu);
		punish(th->tid, "not a fast call");
		return;
	}
	i = site_at(l->fast, site, &off);
	th->regs = (struct plat_regs){
		.rax = nr, .rdi = a[0], .rsi = a[1], .rdx = a[2], .r10 = a[3], .r8 = a[4],
		.r9 = a[5], .rip = i < 0 ? 0 : l->fast->site[i].after,
	};
	th->in_addr = *(volatile uint64_t *)&f->in_addr;
	th->in_len = *(volatile uint32_t *)&f->in_len;
	if (th->in_len > STUB_FAST_IN)
		th->in_len = 0;
	th->nout = th->out_len = 0;
	th->fast_open = true;
	th->patching = false;
	th->patch = 0;
	atomic_store(&th->kick, false);
	set_state(th, TH_FAST);
	atomic_fetch_add_explicit(&u->nfast, 1, memory_order_relaxed);
	report(th, &trap);
}

static bool call_waits(const struct listener *l)
{
	struct pollfd p = { .fd = l->fd, .events = POLLIN };

	return poll(&p, 1, 0) > 0;
}

/* Watch th's slot until no call has come for a while, or somebody else has need of us.
 * Returns the number of calls served. */
static unsigned watch(struct listener *l, struct plat_thread *th)
{
	struct stub_fast *f = fast_of(th);
	uint64_t last = mono(), end = last + POLL_FIRST_NS, now;
	unsigned served = 0, round = 0;

	for (;;) {
		for (unsigned i = 0; i < 64; i++) {
			if (__atomic_load_n(&f->state, __ATOMIC_ACQUIRE) == STUB_FAST_POSTED) {
				serve_fast(l, th);
				served++;
				last = 0;
				if (served % 16 == 0)
					break;
				i = 0;
			}
			__asm__ volatile("pause");
		}
		now = mono();
		if (!last)
			end = now + POLL_NS;
		else if (now - last > PREEMPTED_NS)
			return 0;
		last = now;
		if (now > end || !fast_allowed(l->u) || atomic_load(&th->state) != TH_RUNNING)
			return served;
		if (++round % 4 == 0 && call_waits(l))
			return served;
		sched_yield();
	}
}

void fast_poll(struct listener *l)
{
	struct fast *fs = l->fast;
	struct plat_thread *th = fs->hot;
	struct stub_fast *f;
	unsigned served;

	if (!fs->polling)
		return;
	fs->polling = false;
	f = fast_of(th);
	served = watch(l, th);
	__atomic_store_n(&f->armed, 0, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&f->state, __ATOMIC_SEQ_CST) == STUB_FAST_POSTED)
		serve_fast(l, th);
	come_back(l);
	if (served >= WORTH_IT) {
		fs->quiet_ns = QUIET_MIN_NS;
		return;
	}
	fs->quiet_until = mono() + fs->quiet_ns;
	fs->quiet_ns = fs->quiet_ns < QUIET_MAX_NS ? 2 * fs->quiet_ns : QUIET_MAX_NS;
}
