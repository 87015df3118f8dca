/* Fast calls: call sites that keep trapping are rewritten to jump to the stub, which leaves
 * the call in the thread's slot; the worker polls the slot, serves the call and answers
 * there. No host call and no switch is made by either side while calls come close together.
 *
 * A fast call is a partial trap like a direct one. What cannot be answered in the slot (it
 * parks, it needs the frame) is answered through STUB_WAIT, which is a direct call again.
 *
 * Sites: the worker counts direct calls by their address. One that came often, in text that
 * the kernel says may be rewritten, in a process with one thread, gets an entry in a table
 * that stub and sentry share (the guest can only read it); after the call, kicked, the
 * thread writes 7 bytes over `mov $nr,%eax; syscall`: a jump through that entry. The table
 * is shared by an exec'd process and its forks; what an entry says follows from the address
 * of the site alone, so it is right in each of them. Bytes are looked at before they are
 * rewritten, never trusted afterwards. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "platform/arch/sites.h"
#include "platform/base/log.h"
#include "platform/unotify/host_ops.h"

#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#endif

#define HITS_ENOUGH 24U	 /* calls before a site is rewritten */
#define HITS_AGAIN 8192U /* and again, if it could not be */
#define HIT_BUCKETS 256U
#define POLL_FIRST_NS 150000U /* until the first fast call; then, between them: */
#define POLL_NS 25000U
#define PREEMPTED_NS 300000U  /* somebody else wanted this CPU */
#define DENSE_NS 30000U	      /* calls that come within this … */
#define DENSE_CALLS 6U	      /* … so many times make it worth while to poll */
#define WORTH_IT 8U	      /* calls of one watch; else it is left for a time */
#define QUIET_MIN_NS 500000U
#define QUIET_MAX_NS 500000000U

struct fast {
	int memfd;
	struct stub_sites *table; /* our mapping; NULL: none yet */
	struct fast_site *site;	  /* the same, as only we can write it */
	unsigned nxor;
	_Atomic unsigned nsites;
	struct {
		uint64_t ip;
		uint32_t hits;
	} hit[HIT_BUCKETS];
	struct plat_thread *hot; /* one reference: the thread that made the last call */
	bool polling;		/* hot is told so */
	uint64_t last_call;	/* when it came; dense: so many came close together */
	unsigned dense;
	uint64_t quiet_until, quiet_ns; /* no polling before that */
};

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

static bool fast_allowed(const struct unotify *u)
{
	return atomic_load_explicit(&u->nrunning, memory_order_relaxed) < u->ncpus;
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

/* ---- sites ---- */

static struct fast *fast_new(void)
{
	struct fast *f = calloc(1, sizeof(*f));

	if (f) {
		f->quiet_ns = QUIET_MIN_NS;
		f->memfd = -1;
	}
	return f;
}

/* The table, when the first site is to be rewritten. What is lent of it can be mapped by a
 * stub only to read and to run. */
static bool table_make(struct fast *f, uint64_t entry)
{
	struct stub_sites *t = MAP_FAILED;

	if (f->table)
		return true;
	f->memfd = memfd_create("sites", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (f->memfd >= 0 && ftruncate(f->memfd, STUB_SITES_SIZE) == 0)
		t = mmap(NULL, STUB_SITES_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, f->memfd, 0);
	if (t == MAP_FAILED)
		return false;
	f->table = t;
	t->stub_fast = entry;
	return fcntl(f->memfd, F_ADD_SEALS,
		     F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL) == 0;
}

void fast_free(struct listener *l)
{
	struct fast *f = l->fast;

	if (!f)
		return;
	if (f->table)
		munmap(f->table, STUB_SITES_SIZE);
	if (f->memfd >= 0)
		close(f->memfd);
	free(f->site);
	free(f);
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

static uint64_t site_addr(unsigned i, size_t off)
{
	return STUB_SITES_ADDR + offsetof(struct stub_sites, site) +
	       i * sizeof(struct stub_site) + off;
}

/* Which site an address in the table belongs to; -1: none. *off: within it. */
static int site_at(const struct fast *f, uint64_t addr, size_t *off)
{
	uint64_t o = addr - STUB_SITES_ADDR - offsetof(struct stub_sites, site);
	unsigned i = (unsigned)(o / sizeof(struct stub_site));

	if (!f || o >= STUB_SITES_SIZE || i >= atomic_load(&f->nsites))
		return -1;
	*off = o % sizeof(struct stub_site);
	return (int)i;
}

/* The site's place in the table, made if need be. -1: the table is full. */
static int site_make(struct unotify *u, struct fast *f, const struct fast_site *how)
{
	unsigned n = atomic_load(&f->nsites);

	for (unsigned i = 0; i < n; i++)
		if (f->site[i].after == how->after && f->site[i].tail == how->tail &&
		    !memcmp(f->site[i].lead, how->lead, sizeof(how->lead)))
			return (int)i;
	if (n == STUB_SITES || (how->tail && f->nxor == STUB_XOR_SITES) ||
	    !table_make(f, u->fast_entry))
		return -1;
	if (!f->site)
		f->site = calloc(STUB_SITES, sizeof(*f->site));
	if (!f->site)
		return -1;
	f->site[n] = *how;
	site_fill(&f->table->site[n], site_addr(n, 0), how);
	f->site[n].via = site_addr(n, offsetof(struct stub_site, entry));
	if (how->tail) {
		f->table->xor_entry[f->nxor] = f->table->site[n].entry;
		f->site[n].via = STUB_SITES_ADDR + offsetof(struct stub_sites, xor_entry) +
				 8 * f->nxor++;
	}
	atomic_store(&f->nsites, n + 1);
	return (int)n;
}

/* ---- what the guest believes ---- */

uint64_t fast_shown_rip(struct listener *l, uint64_t rip)
{
	const struct fast *f = l->fast;
	size_t off;
	int i = site_at(f, rip, &off);

	if (i < 0)
		return rip;
	/* Before the call: where it is made anew. */
	if (off <= offsetof(struct stub_site, slow))
		return f->site[i].after - site_size(&f->site[i]);
	return f->site[i].after;
}

void fast_shown_regs(struct plat_thread *th, struct plat_regs *r)
{
	const struct fast *f = th->as->l->fast;
	size_t off;
	int i = site_at(f, r->rip, &off);

	if (i < 0)
		return;
	if (f->site[i].tail && off > offsetof(struct stub_site, slow) &&
	    off <= offsetof(struct stub_site, tail))
		r->eflags = site_flags(r->rax, r->eflags);
	r->rip = fast_shown_rip(th->as->l, r->rip);
}

uint64_t fast_call_rip(struct plat_thread *th, uint64_t rip)
{
	const struct fast *f = th->as->l->fast;
	unsigned n = f ? atomic_load(&f->nsites) : 0;
	uint8_t now[8];
	size_t off;
	int k = site_at(f, rip, &off);

	if (k >= 0)
		return site_addr((unsigned)k, offsetof(struct stub_site, slow));
	for (unsigned i = 0; i < n; i++) {
		if (f->site[i].after != rip || f->site[i].tail)
			continue;
		/* Its bytes may be others by now. */
		if (unotify_read(th->as, rip - site_size(&f->site[i]), now, SITE_JUMP_BYTES) ==
			    SITE_JUMP_BYTES &&
		    site_is_jump(&f->site[i], now))
			return site_addr(i, offsetof(struct stub_site, slow));
	}
	return rip - 2;
}

bool fast_put_right(struct plat_thread *th, struct plat_trap *t)
{
	const struct fast *f = th->as->l->fast;
	unsigned n = f ? atomic_load(&f->nsites) : 0;

	for (unsigned i = 0; i < n; i++) {
		enum site_place at = site_place(&f->site[i], th->regs.rip);

		if (at == SITE_ELSEWHERE)
			continue;
		th->regs.rip = f->site[i].tail ? site_addr(i, offsetof(struct stub_site, tail))
					       : f->site[i].after;
		t->kind = at == SITE_CALL ? PLAT_TRAP_SYSCALL : PLAT_TRAP_KICK;
		return true;
	}
	return false;
}

/* ---- which sites ---- */

#define AROUND 0x2000U

/* The kernel's word, asked for while nobody can take the thread's cookie away. */
static bool kernel_allows(struct plat_thread *th, uint64_t addr, size_t len)
{
	const struct plat_kernel_ops *ops = th->as->u->cfg.ops;
	struct unotify *u = th->as->u;
	void *cookie;
	bool ok;

	if (!ops->may_patch)
		return false;
	mutex_lock(&u->mu);
	cookie = th->cookie;
	if (cookie)
		ops->cookie_get(cookie);
	mutex_unlock(&u->mu);
	if (!cookie)
		return false;
	ok = ops->may_patch(cookie, addr, len);
	ops->cookie_put(cookie);
	return ok;
}

/* A call's site is worth it: see whether it can be done, and have it rewritten. */
static void consider(struct listener *l, struct plat_thread *th, const struct seccomp_notif *n)
{
	const uint64_t ret = n->data.instruction_pointer;
	uint8_t code[2 * AROUND];
	struct fast_site s;
	uint64_t base = ret - AROUND;
	long len;
	int i;

	if (th->own_gs || th->as->nthreads != 1 || ret < 2 * AROUND)
		return;
	len = unotify_read(th->as, base, code, sizeof(code));
	/* Near the beginning of what is mapped, as much of it as there is. */
	for (uint64_t at = (ret - AROUND) & ~0xfffUL; len < 0 && base < (ret & ~0xfffUL);) {
		base = at += 0x1000;
		len = unotify_read(th->as, base, code, sizeof(code));
	}
	if (len < 0 || !site_recognize(code, (size_t)len, base, ret, (uint32_t)n->data.nr, &s))
		return;
	if (!kernel_allows(th, s.after - site_size(&s), site_size(&s)))
		return;
	i = site_make(l->u, l->fast, &s);
	if (i >= 0)
		th->patch = (unsigned)i + 1;
}

void fast_note_call(struct listener *l, struct plat_thread *th, const struct seccomp_notif *n)
{
	const uint64_t ip = n->data.instruction_pointer;
	struct fast *f = l->fast;
	unsigned b = (unsigned)((ip * 0x9e3779b97f4a7c15ULL) >> 56) % HIT_BUCKETS;
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
	if (f->hit[b].ip != ip) {
		f->hit[b].ip = ip;
		f->hit[b].hits = 0;
	}
	f->hit[b].hits++;
	if ((f->hit[b].hits == HITS_ENOUGH || f->hit[b].hits % HITS_AGAIN == 0) && !l->fast_off)
		consider(l, th, n);
}

/* ---- rewriting ---- */

static void order_patch(struct plat_thread *th)
{
	const struct fast *f = th->as->l->fast;
	const struct fast_site *s = &f->site[th->patch - 1];
	const uint64_t at = s->after - site_size(s);
	const uint64_t lo = at & ~0xfffUL, hi = (at + SITE_JUMP_BYTES + 0xfff) & ~0xfffUL;
	struct stub_cmd *c = th->slot->cmd;
	unsigned n = 0;

	if (!th->as->sites_mapped) {
		c[n++] = (struct stub_cmd){ (uint64_t)SYS_mmap | STUB_CMD_FD,
					    { STUB_SITES_ADDR, STUB_SITES_SIZE, PROT_READ | PROT_EXEC,
					      MAP_SHARED | MAP_FIXED, 0, 0 } };
		c[n++] = (struct stub_cmd){ (uint64_t)SYS_close | STUB_CMD_ALWAYS | STUB_CMD_FD,
					    { 0 } };
	}
	c[n++] = (struct stub_cmd){ SYS_mprotect,
				    { lo, hi - lo, PROT_READ | PROT_WRITE | PROT_EXEC } };
	c[n++] = (struct stub_cmd){ STUB_PATCH_NR, { at, site_jump(s) } };
	c[n++] = (struct stub_cmd){ (uint64_t)SYS_mprotect | STUB_CMD_ALWAYS,
				    { lo, hi - lo, PROT_READ | PROT_EXEC } };
	th->slot->ncmds = n;
	th->slot->again = 0;
	th->slot->park = 0;
}

bool fast_patch_arrives(struct listener *l, struct plat_thread *th, const struct seccomp_notif *n)
{
	struct unotify *u = l->u;
	struct seccomp_notif_addfd add = { .id = n->id, .srcfd = (uint32_t)l->fast->memfd,
					   .flags = SECCOMP_ADDFD_FLAG_SEND,
					   .newfd_flags = 02000000 /* O_CLOEXEC */ };

	if (n->data.args[0] != STUB_TRAP || th->slot->signo != STUB_KICK_SIGNAL ||
	    !frame_find(th)) {
		mutex_unlock(&u->mu);
		punish((pid_t)n->pid, "went astray");
		return true;
	}
	if (!th->cookie || atomic_load(&th->exiting) || atomic_load(&th->kick))
		return false; /* another time */
	th->kick_due = false;
	th->notif_id = n->id;
	th->patching = true;
	order_patch(th);
	/* It stands where its site's last bytes were. */
	if (l->fast->site[th->patch - 1].tail)
		frame_move_rip(th, l->fast->site[th->patch - 1].after - SITE_TAIL_BYTES,
			       site_addr(th->patch - 1, offsetof(struct stub_site, tail)));
	thread_get(th);
	set_state(th, TH_RUNNING);
	mutex_unlock(&u->mu);
	if (atomic_exchange(&th->kick, false)) /* it came while the state did not say so */
		send_kick(th);
	if (th->as->sites_mapped || ioctl(l->fd, SECCOMP_IOCTL_NOTIF_ADDFD, &add) < 0)
		answer(l, n->id, INT_MAX);
	th->as->sites_mapped = true;
	thread_put(th);
	return true;
}

void fast_patch_failed(struct listener *l, struct plat_thread *th, const struct seccomp_notif *n)
{
	const struct fast_site *s = &l->fast->site[th->patch - 1];

	log_debug("stub thread %d: a call site could not be rewritten", th->tid);
	if (s->tail)
		frame_move_rip(th, site_addr(th->patch - 1, offsetof(struct stub_site, tail)),
			       s->after - SITE_TAIL_BYTES);
	l->fast_off = true;
	th->patching = false;
	th->slot->ncmds = 0;
	th->slot->again = 0;
	th->slot->park = 0;
	mutex_unlock(&l->u->mu);
	answer(l, n->id, 0);
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

bool fast_window_read(struct plat_thread *th, uint64_t addr, void *buf, size_t len)
{
	const uint8_t *in = (const uint8_t *)th->slot + STUB_FAST_STACK;
	uint64_t off = addr - th->in_addr;

	if (!th->fast_open)
		return false;
	if (off < th->in_len && len <= th->in_len - off) {
		memcpy(buf, in + off, len);
		return true;
	}
	fast_window_flush(th); /* it may be what was written */
	return false;
}

bool fast_window_write(struct plat_thread *th, uint64_t addr, const void *buf, size_t len)
{
	struct stub_fast *f = fast_of(th);
	uint8_t *out = (uint8_t *)th->slot + STUB_FAST_STACK + STUB_FAST_IN;

	if (!th->fast_open)
		return false;
	if (th->nout == STUB_FAST_OUTS || len > STUB_FAST_OUT - th->out_len) {
		fast_window_flush(th); /* in their order */
		return false;
	}
	memcpy(out + th->out_len, buf, len);
	f->out[th->nout].addr = th->out_addr[th->nout] = addr;
	f->out[th->nout].off = th->out_off[th->nout] = th->out_len;
	f->out[th->nout].len = (uint32_t)len;
	th->out_len += (uint32_t)len;
	f->nout = ++th->nout;
	th->out_off[th->nout] = th->out_len;
	return true;
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
