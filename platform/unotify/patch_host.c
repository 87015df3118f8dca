/* Call sites that are rewritten to jump to the stub.
 *
 * The worker counts direct calls by their address. One that came often, in text that the
 * kernel says may be rewritten, gets an entry in a table that stub and sentry share (the
 * guest can only read it); after the call, kicked, the thread writes 7 bytes over
 * `mov $nr,%eax; syscall`: a jump through that entry. The table is shared by an exec'd
 * process and its forks; what an entry says follows from the address of the site alone, so
 * it is right in each of them. Bytes are looked at before they are rewritten, never trusted
 * afterwards.
 *
 * Where the process has other threads, which may be just there: first a breakpoint takes the
 * place of the first byte, then what instructions in the middle begin with is made what is
 * no instruction, then comes the rest and the first byte last; after each step a barrier has
 * every CPU see it. Who runs into the breakpoint meanwhile goes on through the table
 * (site_breakpoint). One such change at a time in a process; other threads may change the
 * mapping meanwhile, so afterwards the kernel is asked what it should be. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/membarrier.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "platform/base/log.h"
#include "platform/unotify/fast_impl.h"

#define HITS_ENOUGH 24U	 /* calls before a site is rewritten */
#define HITS_AGAIN 8192U /* and again, if it could not be */
#define HITS_MANY 512U	 /* with other threads, each time: the barriers cost more */

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

void sites_free(struct fast *f)
{
	if (f->table)
		munmap(f->table, STUB_SITES_SIZE);
	if (f->memfd >= 0)
		close(f->memfd);
	free(f->site);
}

static uint64_t site_addr(unsigned i, size_t off)
{
	return STUB_SITES_ADDR + offsetof(struct stub_sites, site) +
	       i * sizeof(struct stub_site) + off;
}

/* Which site an address in the table belongs to; -1: none. *off: within it. */
int site_at(const struct fast *f, uint64_t addr, size_t *off)
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

/* The thread's cookie, counted, so that the kernel can be asked; NULL: it is gone. */
static void *cookie_of(struct plat_thread *th)
{
	struct unotify *u = th->as->u;
	void *cookie;

	mutex_lock(&u->mu);
	cookie = th->cookie;
	if (cookie)
		u->cfg.ops->cookie_get(cookie);
	mutex_unlock(&u->mu);
	return cookie;
}

static bool kernel_allows(struct plat_thread *th, uint64_t addr, size_t len)
{
	const struct plat_kernel_ops *ops = th->as->u->cfg.ops;
	void *cookie = ops->may_patch ? cookie_of(th) : NULL;
	bool ok;

	if (!cookie)
		return false;
	ok = ops->may_patch(cookie, addr, len);
	ops->cookie_put(cookie);
	return ok;
}

/* What the kernel believes a page's protection to be; -1: nobody knows, or needs to. */
static int kernel_prot(struct plat_thread *th, uint64_t addr)
{
	const struct plat_kernel_ops *ops = th->as->u->cfg.ops;
	void *cookie = ops->page_prot ? cookie_of(th) : NULL;
	int prot;

	if (!cookie)
		return -1;
	prot = ops->page_prot(cookie, addr);
	ops->cookie_put(cookie);
	return prot;
}

/* Can a process with several threads be changed? */
static bool can_poke(const struct unotify *u)
{
	const uint32_t need = MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE |
			      MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE;

	return (u->caps.membarrier & need) == need && u->cfg.ops->page_prot;
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

	if (th->own_gs || ret < 2 * AROUND)
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

void site_note(struct listener *l, struct plat_thread *th, const struct seccomp_notif *n)
{
	const uint64_t ip = n->data.instruction_pointer;
	unsigned b = (unsigned)((ip * 0x9e3779b97f4a7c15ULL) >> 56) % HIT_BUCKETS;
	struct fast *f = l->fast;
	uint32_t hits;

	if (f->hit[b].ip != ip) {
		f->hit[b].ip = ip;
		f->hit[b].hits = 0;
	}
	hits = ++f->hit[b].hits;
	if (l->fast_off)
		return;
	/* With other threads only if it will be used: somebody must have a CPU to poll. */
	if (th->as->nthreads == 1 ? hits == HITS_ENOUGH || hits % HITS_AGAIN == 0
				  : hits % HITS_MANY == 0 && can_poke(l->u) && fast_allowed(l->u))
		consider(l, th, n);
}

/* ---- rewriting ---- */

struct order {
	struct stub_slot *s;
	unsigned n;
};

static void order(struct order *o, uint64_t nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3)
{
	o->s->cmd[o->n++] = (struct stub_cmd){ nr, { a0, a1, a2, a3, 0, 0 } };
}

static struct order order_new(struct plat_thread *th)
{
	th->slot->again = 0;
	th->slot->park = 0;
	return (struct order){ .s = th->slot };
}

static void order_barrier(struct order *o, uint64_t cmd)
{
	order(o, (uint64_t)SYS_membarrier | STUB_CMD_ALWAYS, cmd, 0, 0, 0);
}

/* The bytes of the mask, of a place in code; `was`: only if they are all as they were. */
static void order_bytes(struct order *o, uint64_t at, uint64_t bytes, unsigned mask, uint64_t was)
{
	order(o, was ? STUB_PATCH_NR : STUB_PATCH_NR | (uint64_t)STUB_CMD_ALWAYS, at, bytes, mask,
	      was);
}

#define ALL_BYTES ((1U << SITE_JUMP_BYTES) - 1)
#define BREAKPOINT 0xcc

/* While other threads may run there. */
static void order_poke(struct order *o, const struct fast_site *s, uint64_t at)
{
	const uint64_t jump = site_jump(s), sync = MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE;
	const unsigned starts = site_starts(s);

	order_barrier(o, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE);
	order_bytes(o, at, BREAKPOINT, 1, site_bytes(s));
	order_barrier(o, sync);
	order_bytes(o, at, jump, starts, 0);
	order_barrier(o, sync);
	order_bytes(o, at, jump, ALL_BYTES & ~1U & ~starts, 0);
	order_barrier(o, sync);
	order_bytes(o, at, jump, 1, 0);
	order_barrier(o, sync);
	o->s->again = 1;
}

static void order_patch(struct plat_thread *th)
{
	const struct fast *f = th->as->l->fast;
	const struct fast_site *s = &f->site[th->patch - 1];
	const uint64_t at = s->after - site_size(s);
	const uint64_t lo = at & ~0xfffUL, hi = (at + SITE_JUMP_BYTES + 0xfff) & ~0xfffUL;
	struct order o = order_new(th);

	if (!th->as->sites_mapped) {
		order(&o, (uint64_t)SYS_mmap | STUB_CMD_FD, STUB_SITES_ADDR, STUB_SITES_SIZE,
		      PROT_READ | PROT_EXEC, MAP_SHARED | MAP_FIXED);
		order(&o, (uint64_t)SYS_close | STUB_CMD_ALWAYS | STUB_CMD_FD, 0, 0, 0, 0);
	}
	order(&o, SYS_mprotect, lo, hi - lo, PROT_READ | PROT_WRITE | PROT_EXEC, 0);
	if (th->as->poking)
		order_poke(&o, s, at);
	else
		order_bytes(&o, at, site_jump(s), ALL_BYTES, site_bytes(s));
	order(&o, (uint64_t)SYS_mprotect | STUB_CMD_ALWAYS, lo, hi - lo, PROT_READ | PROT_EXEC, 0);
	th->slot->ncmds = o.n;
}

/* Is a fork on its way? It would copy what is half done. */
static bool forking_locked(const struct plat_as *as)
{
	const struct plat_thread *th;

	list_for_each (th, &as->u->newborn, pending)
		if (th->from == as)
			return true;
	return false;
}

/* Whether now is the time; with other threads it is then taken. */
static bool begin_locked(struct plat_thread *th)
{
	struct plat_as *as = th->as;

	if (!th->cookie || atomic_load(&th->exiting) || atomic_load(&th->kick) || as->poking)
		return false;
	if (as->nthreads == 1)
		return true;
	if (!can_poke(as->u) || forking_locked(as))
		return false;
	as->poking = true;
	as->poked = th->patch;
	th->patch_prot[0] = th->patch_prot[1] = PROT_READ | PROT_EXEC;
	return true;
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
	if (!begin_locked(th))
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

/* Beside other threads: one of them may have changed the mapping since it was looked at. True:
 * the protection that was left there is to be changed. */
static bool order_prot(struct plat_thread *th)
{
	const struct fast_site *s = &th->as->l->fast->site[th->patch - 1];
	const uint64_t at = s->after - site_size(s), last = at + SITE_JUMP_BYTES - 1;
	struct order o = order_new(th);
	unsigned i = 0;

	for (uint64_t page = at & ~0xfffUL; page <= last; page += 0x1000, i++) {
		int prot = kernel_prot(th, page);

		if (prot < 0 || prot == th->patch_prot[i])
			continue;
		order(&o, (uint64_t)SYS_mprotect | STUB_CMD_ALWAYS, page, 0x1000, (uint64_t)prot, 0);
		th->patch_prot[i] = prot;
	}
	th->slot->ncmds = o.n;
	th->slot->again = o.n != 0; /* and may have done so again */
	return o.n;
}

void fast_patch_done(struct listener *l, struct plat_thread *th, const struct seccomp_notif *n)
{
	struct plat_as *as = th->as;
	bool more;

	th->notif_id = n->id;
	thread_get(th);
	mutex_unlock(&l->u->mu);
	more = order_prot(th);
	if (!more) {
		mutex_lock(&l->u->mu);
		th->patching = as->poking = false;
		as->poked = 0;
		mutex_unlock(&l->u->mu);
	}
	answer(l, n->id, 0);
	thread_put(th);
}

void fast_patch_failed(struct listener *l, struct plat_thread *th, const struct seccomp_notif *n)
{
	const struct fast_site *s = &l->fast->site[th->patch - 1];

	log_debug("stub thread %d: a call site could not be rewritten", th->tid);
	if (s->tail)
		frame_move_rip(th, site_addr(th->patch - 1, offsetof(struct stub_site, tail)),
			       s->after - SITE_TAIL_BYTES);
	l->fast_off = true;
	if (th->as->poking) {
		fast_patch_done(l, th, n);
		return;
	}
	th->patching = false;
	th->slot->ncmds = order_new(th).n;
	mutex_unlock(&l->u->mu);
	answer(l, n->id, 0);
}

bool site_breakpoint(struct plat_thread *th, struct plat_trap *t)
{
	const struct fast *f = th->as->l->fast;
	unsigned n = f ? atomic_load(&f->nsites) : 0;
	const uint64_t at = th->regs.rip - 1;

	for (unsigned i = 0; i < n; i++) {
		if (f->site[i].after - site_size(&f->site[i]) != at)
			continue;
		if (th->as->poked == i + 1) {
			th->regs.rip = site_addr(i, offsetof(struct stub_site, code));
		} else if (th->stepped_on == at) {
			th->stepped_on = 0;
			return false; /* still there: the guest's own */
		} else {
			th->regs.rip = th->stepped_on = at; /* was it there a moment ago? */
		}
		t->kind = PLAT_TRAP_KICK;
		return true;
	}
	return false;
}
