/* Workers: one thread per listener, which takes traps and serves them to the end. */
#include <errno.h>
#include <limits.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/audit.h>

#include "platform/base/bug.h"
#include "platform/base/log.h"
#include "platform/unotify/host_ops.h"

#define WORKER_STACK (256 * 1024)

#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#endif
#define SYNC_WAKE_UP 1UL

void answer(struct listener *l, uint64_t id, int64_t value)
{
	struct seccomp_notif_resp r = { .id = id, .val = value };

	ioctl(l->fd, SECCOMP_IOCTL_NOTIF_SEND, &r);
}

static void answer_natively(struct listener *l, uint64_t id)
{
	struct seccomp_notif_resp r = { .id = id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE };

	ioctl(l->fd, SECCOMP_IOCTL_NOTIF_SEND, &r);
}

/* Something in this thread is not as we left it: end it; only its own process can
 * have done that. */
void punish(pid_t tid, const char *why)
{
	log_warn("stub thread %d: %s: killed", tid, why);
	kill(tid, SIGKILL);
	syscall(SYS_tgkill, tid, tid, SIGKILL);
}

/* ---- resume ---- */

struct build {
	struct plat_thread *th;
	struct stub_slot *s;
	unsigned n;
	/* Host fds to be lent. All but the last are in the stub already; that one goes with
	 * the answer, which saves the stub's thread from being woken twice. */
	struct loan {
		int fd;
		uint64_t same;
		uint8_t cmd[PLAT_BATCH_MAX + 1], ncmd; /* the stub's commands that want it */
	} loan[PLAT_BATCH_MAX];
	unsigned nloans;
};

static void emit(struct build *b, unsigned idx, uint64_t nr, uint64_t a0, uint64_t a1, uint64_t a2,
		 uint64_t a3, uint64_t a4, uint64_t a5)
{
	BUG_ON(b->n >= STUB_MAX_CMDS);
	b->th->cmd_map[b->n] = (uint8_t)idx;
	b->s->cmd[b->n++] = (struct stub_cmd){ nr, { a0, a1, a2, a3, a4, a5 } };
}

/* Put a host fd into the stub; answer: and let the call go. -1: it could not be. */
static int lend_fd(struct plat_thread *th, int fd, bool answer)
{
	struct seccomp_notif_addfd add = { .id = th->notif_id, .srcfd = (uint32_t)fd,
					   .flags = answer ? SECCOMP_ADDFD_FLAG_SEND : 0,
					   .newfd_flags = 02000000 /* O_CLOEXEC */ };
	int n = ioctl(th->as->l->fd, SECCOMP_IOCTL_NOTIF_ADDFD, &add);

	if (n < 0)
		log_debug("lend fd: %s", strerror(errno));
	return n;
}

static struct loan *loan_of(struct build *b, int fd, uint64_t same)
{
	for (unsigned i = 0; same && i < b->nloans; i++)
		if (b->loan[i].same == same)
			return &b->loan[i];
	b->loan[b->nloans].fd = fd;
	b->loan[b->nloans].same = same;
	b->loan[b->nloans].ncmd = 0;
	return &b->loan[b->nloans++];
}

static void emit_close(struct build *b, struct loan *l)
{
	l->cmd[l->ncmd++] = (uint8_t)b->n;
	emit(b, 0, (uint64_t)SYS_close | STUB_CMD_ALWAYS | STUB_CMD_FD, 0, 0, 0, 0, 0, 0);
}

static void emit_mapped(struct build *b, unsigned idx, const uint64_t a[6], int fd, uint64_t same)
{
	struct loan *l = loan_of(b, fd, same);

	l->cmd[l->ncmd++] = (uint8_t)b->n;
	emit(b, idx, (uint64_t)SYS_mmap | STUB_CMD_FD, a[0], a[1], a[2], a[3], 0, a[5]);
	if (!same)
		emit_close(b, l);
}

static void emit_io(struct build *b, unsigned idx, uint64_t nr, const uint64_t a[6], int fd)
{
	struct loan *l = loan_of(b, fd, 0);

	l->cmd[l->ncmd++] = (uint8_t)b->n;
	emit(b, idx, nr | STUB_CMD_FD, 0, a[0], a[1], a[2], 0, 0);
	emit_close(b, l);
}

/* Lend all but the last, which goes with the answer. A failed loan fails in the stub as
 * EBADF, like any refused command. */
static void lend_first(struct build *b)
{
	for (unsigned i = 0; i < b->nloans; i++)
		if (b->loan[i].same)
			emit_close(b, &b->loan[i]);
	for (unsigned i = 0; i + 1 < b->nloans; i++) {
		const struct loan *l = &b->loan[i];
		int theirs = lend_fd(b->th, l->fd, false);

		for (unsigned k = 0; k < l->ncmd; k++) {
			struct stub_cmd *c = &b->s->cmd[l->cmd[k]];

			c->nr &= ~(uint64_t)STUB_CMD_FD;
			c->a[c->nr == SYS_mmap ? 4 : 0] = (uint64_t)(int64_t)theirs;
		}
	}
}

#define CLONE_THREAD_FLAGS                                                                     \
	(0x100UL /* VM */ | 0x200 /* FS */ | 0x400 /* FILES */ | 0x800 /* SIGHAND */ |         \
	 0x10000 /* THREAD */ | 0x40000 /* SYSVSEM */ | 0x200000 /* CHILD_CLEARTID */)
#define CLONE_FORK_FLAGS                                                                       \
	(0x8000UL /* PARENT */ | 0x100000 /* PARENT_SETTID */ | 0x200000 /* CHILD_CLEARTID */ | \
	 17 /* SIGCHLD */)
#define CLONE_SETTLS_ 0x80000UL

static void emit_clone(struct build *b, unsigned idx, struct plat_thread *child)
{
	struct plat_thread *th = b->th;
	const uint64_t map[6] = { child->chunk->guest, STUB_CHUNK_SIZE, 3, 1 | 0x10, 0, 0 };

	if (child->clone_fork || child->need_map)
		emit_mapped(b, idx, map, child->chunk->memfd, 0);
	if (child->need_map) {
		emit(b, idx, SYS_madvise, child->chunk->guest, STUB_CHUNK_SIZE, 10, 0, 0, 0);
		th->mapping = child->chunk;
	}
	child->clone_flags = child->clone_fork ? CLONE_FORK_FLAGS : CLONE_THREAD_FLAGS;
	if (child->clone_tls)
		child->clone_flags |= CLONE_SETTLS_;
	child->clone_sp = child->slot_guest + STUB_SLOT_SIZE - 64;
	th->clone_child = child;
	emit(b, idx, SYS_clone, child->clone_flags, child->clone_sp,
	     child->clone_fork ? child->slot_guest + offsetof(struct stub_slot, born) : 0,
	     child->slot_guest + offsetof(struct stub_slot, alive), child->tls, 0);
	if (child->clone_fork)
		emit(b, idx, (uint64_t)SYS_munmap | STUB_CMD_ALWAYS, child->chunk->guest,
		     STUB_CHUNK_SIZE, 0, 0, 0, 0);
}

static void emit_batch(struct build *b, const struct plat_batch *batch)
{
	for (unsigned i = 0; i < batch->count; i++) {
		const struct plat_cmd *c = &batch->cmd[i];
		const uint64_t *a = c->a;

		switch (c->op) {
		case PLAT_CMD_MMAP:
			if (c->fd >= 0) {
				emit_mapped(b, i, a, c->fd, c->same);
				break;
			}
			emit(b, i, SYS_mmap, a[0], a[1], a[2], a[3], (uint64_t)-1L, a[5]);
			break;
		case PLAT_CMD_PREAD:
			emit_io(b, i, SYS_pread64, a, c->fd);
			break;
		case PLAT_CMD_PWRITE:
			emit_io(b, i, SYS_pwrite64, a, c->fd);
			break;
		case PLAT_CMD_MUNMAP:
			emit(b, i, SYS_munmap, a[0], a[1], 0, 0, 0, 0);
			break;
		case PLAT_CMD_MPROTECT:
			emit(b, i, SYS_mprotect, a[0], a[1], a[2], 0, 0, 0);
			break;
		case PLAT_CMD_MREMAP:
			emit(b, i, SYS_mremap, a[0], a[1], a[2], a[3], a[4], 0);
			break;
		case PLAT_CMD_MADVISE:
			emit(b, i, SYS_madvise, a[0], a[1], a[2], 0, 0, 0);
			break;
		case PLAT_CMD_SET_FS:
			emit(b, i, SYS_arch_prctl, 0x1002, a[0], 0, 0, 0, 0);
			break;
		case PLAT_CMD_SET_GS:
			b->th->own_gs = a[0] != 0;
			emit(b, i, SYS_arch_prctl, 0x1001,
			     a[0] || !b->th->as->u->fast_entry ? a[0] : b->th->slot_guest, 0, 0, 0,
			     0);
			break;
		case PLAT_CMD_CLOCK:
			emit(b, i, SYS_clock_gettime, a[0], a[1], 0, 0, 0, 0);
			break;
		case PLAT_CMD_CLONE:
			emit_clone(b, i, c->child);
			break;
		case PLAT_CMD_CMPXCHG:
			emit(b, i, STUB_CMPXCHG_NR, a[0], a[1], a[2], 0, 0, 0);
			break;
		case PLAT_CMD_GETCPU:
			emit(b, i, SYS_getcpu, a[0], a[1], 0, 0, 0, 0);
			break;
		case PLAT_CMD_MEMBARRIER:
			emit(b, i, SYS_membarrier, a[0], 0, 0, 0, 0, 0);
			break;
		default:
			BUG();
		}
	}
}

static bool takes_fd(const struct plat_cmd *c)
{
	return (c->op == PLAT_CMD_MMAP || c->op == PLAT_CMD_PREAD || c->op == PLAT_CMD_PWRITE) &&
	       c->fd >= 0;
}

static void consume(struct plat_batch *batch, int keep)
{
	if (!batch)
		return;
	for (unsigned i = 0; i < batch->count; i++)
		if (takes_fd(&batch->cmd[i]) && batch->cmd[i].fd != keep)
			close(batch->cmd[i].fd);
	batch->count = 0;
}

static bool batch_has_fd(const struct plat_batch *batch, int fd)
{
	for (unsigned i = 0; fd >= 0 && i < batch->count; i++)
		if (takes_fd(&batch->cmd[i]) && batch->cmd[i].fd == fd)
			return true;
	return false;
}

static void count_running(struct plat_thread *th, enum th_state from, enum th_state to)
{
	if (from == to)
		return;
	if (to == TH_RUNNING)
		atomic_fetch_add(&th->as->u->nrunning, 1);
	else if (from == TH_RUNNING)
		atomic_fetch_sub(&th->as->u->nrunning, 1);
}

bool claim(struct plat_thread *th, enum th_state from, enum th_state to)
{
	int expect = (int)from;

	if (!atomic_compare_exchange_strong(&th->state, &expect, (int)to))
		return false;
	count_running(th, from, to);
	return true;
}

void set_state(struct plat_thread *th, enum th_state to)
{
	count_running(th, (enum th_state)atomic_exchange(&th->state, (int)to), to);
}

void send_kick(struct plat_thread *th)
{
	struct plat_as *as = th->as;

	if (as->pid && th->tid && !__atomic_load_n(&as->reaped, __ATOMIC_RELAXED))
		syscall(SYS_tgkill, as->pid, th->tid, STUB_KICK_SIGNAL);
}

/* It waits in the hand-over call, with a frame in its slot. */
static void full_resume(struct plat_thread *th, struct plat_batch *batch)
{
	struct build b;
	int last = -1, own;

	b.th = th;
	b.s = th->slot;
	b.n = b.nloans = 0;
	th->clone_child = NULL;
	if (th->hello) {
		frame_make(th);
		th->hello = false;
		if (th->close_listener >= 0)
			emit(&b, 0, (uint64_t)SYS_close | STUB_CMD_ALWAYS,
			     (uint64_t)th->close_listener, 0, 0, 0, 0, 0);
		th->close_listener = -1;
		if (th->clone_fork)
			emit(&b, 0, SYS_madvise, th->chunk->guest, STUB_CHUNK_SIZE, 10, 0, 0, 0);
		fast_thread_init(th);
		if (th->as->u->fast_entry && !th->own_gs)
			emit(&b, 0, SYS_arch_prctl, 0x1001, th->slot_guest, 0, 0, 0, 0);
	}
	frame_store(th);
	if (batch && batch->count)
		emit_batch(&b, batch);
	lend_first(&b);
	if (b.nloans)
		last = b.loan[b.nloans - 1].fd;
	/* The batch is the caller's, and done with before the thread goes. */
	own = batch && batch_has_fd(batch, last) ? last : -1;
	consume(batch, last);
	th->slot->ncmds = b.n;
	th->slot->park = 0;
	th->again = atomic_exchange(&th->kick, false);
	th->slot->again = th->again;
	th->kick_due = th->again;
	if (last < 0 || lend_fd(th, last, true) < 0)
		answer(th->as->l, th->notif_id, INT_MAX);
	if (own >= 0)
		close(own);
}

void unotify_resume(struct plat_thread *th, struct plat_batch *batch)
{
	thread_get(th); /* it may run, trap, exit and be let go of before we return */
	th->fast_open = false; /* what was written there goes with the answer */
	if (claim(th, TH_TRAPPED, TH_RUNNING)) {
		full_resume(th, batch);
	} else {
		consume(batch, -1); /* there is none, or the thread is gone */
		if (th->patch ? claim(th, TH_CALL, TH_PATCH) : claim(th, TH_CALL, TH_RUNNING))
			direct_resume(th);
		else if (claim(th, TH_FAST, TH_OWED))
			fast_resume(th);
		else if (!claim(th, TH_MOVING, TH_WANTED) && claim(th, TH_DEEP, TH_RUNNING))
			deep_resume(th);
	}
	thread_put(th);
}

void unotify_kick(struct plat_thread *th)
{
	atomic_store(&th->kick, true);
	if (atomic_load(&th->state) == TH_RUNNING)
		send_kick(th);
}

/* Tell a waiting thread to end. A process's first thread stays (its host process
 * could not be reached without it) until the space is killed. */
void let_go(struct plat_thread *th, enum th_state from)
{
	struct unotify *u = th->as->u;
	bool put;

	if (th->tid != th->as->pid) {
		th->slot->cmd[0] = (struct stub_cmd){ SYS_exit, { 0 } };
		th->slot->ncmds = 1;
		th->slot->again = 0;
		if (from == TH_DEEP)
			deep_wake(th);
		else
			answer(th->as->l, th->notif_id, 0);
	}
	mutex_lock(&u->mu);
	/* The first thread stays in the tables: its end is the space's. */
	put = th->tid != th->as->pid && thread_unlink_locked(th);
	mutex_unlock(&u->mu);
	if (put)
		thread_put(th);
}

void unotify_thread_exit(struct plat_thread *th)
{
	thread_get(th);
	atomic_store(&th->exiting, true);
	if (claim(th, TH_TRAPPED, TH_GONE))
		let_go(th, TH_TRAPPED);
	else if (th->tid == th->as->pid && claim(th, TH_CALL, TH_GONE))
		let_go(th, TH_CALL);
	else if (claim(th, TH_CALL, TH_RUNNING))
		direct_kick_out(th); /* it has no frame to run a command from */
	else if (claim(th, TH_MOVING, TH_WANTED) || claim(th, TH_FAST, TH_OWED))
		; /* it arrives, and is let go then */
	else if (claim(th, TH_DEEP, TH_GONE))
		let_go(th, TH_DEEP);
	else
		unotify_kick(th);
	thread_put(th);
}

/* ---- traps ---- */

void settle_batch_locked(struct plat_thread *th, bool failed, int bad_index)
{
	th->clone_child = NULL;
	if (th->lent_place >= 0)
		place_release_locked(th->as, (unsigned)th->lent_place);
	th->lent_place = -1;
	if (th->mapping && !(failed && bad_index <= 1))
		th->mapping->mapped = true;
	th->mapping = NULL;
}

/* A thread nobody has seen before: whose token does it bring? Under u->mu. */
static struct plat_thread *adopt_locked(struct listener *l, pid_t tid, uint64_t token)
{
	struct unotify *u = l->u;
	struct plat_thread *th;

	list_for_each (th, &u->newborn, pending) {
		if (th->token != token || th->as->l != l)
			continue;
		list_del_init(&th->pending);
		th->tid = tid;
		tid_insert_locked(u, th);
		if (!th->as->pid) {
			th->as->pid = tid;
			refs_get(&th->as->refs); /* the host process's */
			if (th->as->killed)
				kill(tid, SIGKILL);
		}
		return th;
	}
	return NULL;
}

static void fill_signal(struct plat_thread *th, struct plat_trap *t)
{
	uint64_t off = *(const volatile uint64_t *)&th->slot->info - th->slot_guest;
	const struct { uint64_t skip[18]; uint64_t eflags, csgsfs, err, trapno; } *mc;
	siginfo_t si;

	t->kind = PLAT_TRAP_FAULT;
	memset(&si, 0, sizeof(si));
	if (off <= STUB_SLOT_SIZE - sizeof(si) && !(off & 7))
		memcpy(&si, (uint8_t *)th->slot + off, sizeof(si));
	t->code = si.si_code;
	t->addr = (uint64_t)(uintptr_t)si.si_addr;
	/* The frame's sigcontext follows uc_flags, uc_link and the 24-byte stack_t; its
	 * err and trapno come after eflags and the segment word. */
	mc = (const void *)((uint8_t *)th->slot + th->uc_off + 40 - 8);
	t->err = mc->err;
	t->trapno = mc->trapno;
	if (t->signo == SIGILL && fast_put_right(th, t))
		return;
	if (t->signo == SIGTRAP && t->code == SI_KERNEL && site_breakpoint(th, t))
		return;
	if (t->signo != SIGSYS)
		return;
	if (si.si_arch == AUDIT_ARCH_X86_64) {
		t->kind = PLAT_TRAP_SYSCALL;
		return;
	}
	/* A 32-bit entry: as on a kernel without IA32 emulation. */
	t->signo = SIGSEGV;
	t->code = SI_KERNEL;
	t->addr = 0;
}

static bool read_trap(struct plat_thread *th, uint64_t kind, struct plat_trap *t)
{
	const volatile struct stub_slot *s = th->slot;

	memset(t, 0, sizeof(*t));
	if (kind == STUB_AGAIN) { /* the registers are those that it was to go on with */
		t->kind = PLAT_TRAP_KICK;
		return th->again;
	}
	if (kind == STUB_BATCH) {
		int32_t i = s->bad_index;
		int64_t e = s->bad_error;

		t->kind = PLAT_TRAP_BATCH;
		t->index = i >= 0 && i < STUB_MAX_CMDS ? th->cmd_map[i] : 0;
		t->error = e < 0 && e > -4096 ? (int)e : -EINVAL;
		return true;
	}
	if (!frame_load(th))
		return false;
	t->signo = (int)s->signo;
	switch (t->signo) {
	case STUB_KICK_SIGNAL:
		t->kind = PLAT_TRAP_KICK;
		return true;
	case SIGSYS:
	case SIGSEGV:
	case SIGBUS:
	case SIGFPE:
	case SIGILL:
	case SIGTRAP:
		fill_signal(th, t);
		return true;
	default:
		return false;
	}
}

void report(struct plat_thread *th, const struct plat_trap *trap)
{
	struct unotify *u = th->as->u;
	void *cookie = th->cookie;

	if (cookie)
		u->cfg.ops->cookie_get(cookie);
	mutex_unlock(&u->mu);
	if (!cookie || atomic_load(&th->exiting)) {
		unotify_thread_exit(th);
	} else {
		u->cfg.ops->trap(cookie, trap);
	}
	if (cookie)
		u->cfg.ops->cookie_put(cookie);
}

static void serve_handover(struct listener *l, const struct seccomp_notif *n)
{
	struct unotify *u = l->u;
	uint64_t kind = n->data.args[0];
	struct plat_trap trap = { .kind = PLAT_TRAP_STARTED };
	struct plat_thread *th;
	const char *bad = NULL;
	int state;

	mutex_lock(&u->mu);
	th = tid_lookup_locked(u, (pid_t)n->pid);
	state = th ? atomic_load(&th->state) : TH_NEW;
	if (!th && kind == STUB_HELLO) {
		th = adopt_locked(l, (pid_t)n->pid, n->data.args[1]);
		if (th)
			th->hello = true;
		else
			bad = "unknown token";
	} else if (!th || th->as->l != l) {
		bad = "unknown thread";
	} else if (kind == STUB_WAIT && (state == TH_FAST || state == TH_OWED)) {
		fast_wait_arrives(l, th, n);
		return;
	} else if (kind == STUB_BATCH && th->patching && state == TH_RUNNING) {
		fast_patch_failed(l, th, n);
		return;
	} else if (kind == STUB_AGAIN && th->patching && state == TH_RUNNING) {
		fast_patch_done(l, th, n);
		return;
	} else if (kind == STUB_TRAP || kind == STUB_BATCH || kind == STUB_AGAIN) {
		if (state == TH_PATCH && fast_patch_arrives(l, th, n))
			return;
		if ((state == TH_MOVING || state == TH_WANTED) && deep_arrive(l, th, n))
			return;
		if (state == TH_DEEP || state == TH_FAST || state == TH_OWED)
			bad = "left its place";
		else if (!read_trap(th, kind, &trap))
			bad = "damaged frame";
		else if (th->kick_due && trap.kind != PLAT_TRAP_KICK &&
			 trap.kind != PLAT_TRAP_BATCH)
			bad = "ignored a kick";
	} else {
		bad = "unknown hand-over";
	}
	if (bad || atomic_load(&th->state) == TH_GONE) {
		mutex_unlock(&u->mu);
		if (bad)
			punish((pid_t)n->pid, bad);
		return;
	}
	settle_batch_locked(th, trap.kind == PLAT_TRAP_BATCH, trap.index);
	thread_get(th);
	th->kick_due = th->again = th->patching = false;
	th->notif_id = n->id;
	atomic_store(&th->kick, false); /* this trap is what it asked for */
	set_state(th, TH_TRAPPED);
	report(th, &trap);
	thread_put(th);
}

/* A clone: only the one that was ordered, and that runs natively. */
static void serve_clone(struct listener *l, const struct seccomp_notif *n)
{
	struct unotify *u = l->u;
	struct plat_thread *th;
	bool ok;

	mutex_lock(&u->mu);
	th = tid_lookup_locked(u, (pid_t)n->pid);
	ok = th && th->as->l == l && th->clone_child &&
	     n->data.args[0] == th->clone_child->clone_flags &&
	     n->data.args[1] == th->clone_child->clone_sp && !th->as->killed;
	if (ok)
		th->clone_child = NULL;
	mutex_unlock(&u->mu);
	if (ok)
		answer_natively(l, n->id);
	else
		answer(l, n->id, -EPERM);
}

static bool wait_for_call(struct listener *l, struct seccomp_notif *n)
{
	struct pollfd p = { .fd = l->fd, .events = POLLIN };

	for (;;) {
		if (!l->u->caps.recv_hangup) {
			if (poll(&p, 1, -1) < 0)
				continue;
			if (!(p.revents & POLLIN))
				return false;
		}
		memset(n, 0, sizeof(*n));
		if (ioctl(l->fd, SECCOMP_IOCTL_NOTIF_RECV, n) == 0)
			return true;
		if (errno == EINTR)
			continue;
		if (errno != ENOENT) {
			log_error("a listener fails: %s", strerror(errno));
			return false;
		}
		/* A caller died, or all of them. */
		p.revents = 0;
		if (poll(&p, 1, 0) > 0 && (p.revents & POLLHUP))
			return false;
	}
}

static bool serve_one(struct listener *l)
{
	struct seccomp_notif n;

	if (!wait_for_call(l, &n))
		return false;
	if (n.data.nr == STUB_MAGIC_NR)
		serve_handover(l, &n);
	else if (n.data.nr == SYS_clone)
		serve_clone(l, &n);
	else
		serve_direct(l, &n);
	return true;
}

/* A worker that runs an execve serves the new stub until the program in it begins: what
 * comes up to then comes soon, and no other thread has to be woken for it. */
static _Thread_local struct fresh {
	struct listener *l;	/* one reference; NULL: none */
	struct plat_thread *th; /* one reference */
} fresh;
static _Thread_local bool is_worker;

static int workers_serve(struct unotify *u, struct listener *l);

static void serve_fresh(void)
{
	struct fresh f = fresh;

	fresh.l = NULL;
	while (atomic_load(&f.th->state) == TH_RUNNING && f.th->again && serve_one(f.l))
		;
	thread_put(f.th);
	if (workers_serve(f.l->u, f.l) < 0)
		log_warn("no thread to serve a new process");
	spare_refill(f.l->u);
	listener_put(f.l);
}

static void serve(struct listener *l)
{
	while (serve_one(l)) {
		while (fresh.l)
			serve_fresh();
		if (l->fast)
			fast_poll(l);
	}
	fast_forget(l);
}

/* ---- the pool ---- */

static void *worker_main(void *arg)
{
	struct unotify *u = arg;

	is_worker = true;
	mutex_lock(&u->mu);
	for (;;) {
		struct listener *l;

		if (!list_empty(&u->listener_queue)) {
			l = list_first(&u->listener_queue, struct listener, queue_link);
			list_del_init(&l->queue_link);
			u->nqueued--;
			mutex_unlock(&u->mu);
			serve(l);
			newborn_sweep(u, l);
			listener_put(l);
			mutex_lock(&u->mu);
			continue;
		}
		if (u->stopping || u->idle_workers >= 2)
			break;
		u->idle_workers++;
		mutex_unlock(&u->mu);
		/* The condition is re-checked under the same mutex, taken raw so that
		 * the held-locks books stay right across the wait. */
		pthread_mutex_lock(&u->mu.m);
		while (list_empty(&u->listener_queue) && !u->stopping)
			pthread_cond_wait(&u->work, &u->mu.m);
		u->idle_workers--;
		pthread_mutex_unlock(&u->mu.m);
		mutex_lock(&u->mu);
	}
	u->nworkers--;
	pthread_cond_broadcast(&u->quiet);
	mutex_unlock(&u->mu);
	return NULL;
}

/* See that l is served, with a reference of its own. 0 or -EAGAIN. */
static int workers_serve(struct unotify *u, struct listener *l)
{
	pthread_attr_t a;
	pthread_t t;
	bool spawn;
	int err = 0;

	refs_get(&l->refs);
	mutex_lock(&u->mu);
	list_push_back(&u->listener_queue, &l->queue_link);
	/* Each idle worker, also one that is just waking up, takes one. */
	spawn = ++u->nqueued > u->idle_workers;
	if (spawn)
		u->nworkers++;
	mutex_unlock(&u->mu);
	if (!spawn) {
		pthread_cond_signal(&u->work);
		return 0;
	}
	pthread_attr_init(&a);
	pthread_attr_setstacksize(&a, WORKER_STACK);
	pthread_attr_setdetachstate(&a, PTHREAD_CREATE_DETACHED);
	err = pthread_create(&t, &a, worker_main, u);
	pthread_attr_destroy(&a);
	if (!err)
		return 0;
	mutex_lock(&u->mu);
	u->nworkers--;
	/* Another one may have come free and taken it. */
	if (!list_empty(&l->queue_link)) {
		list_del_init(&l->queue_link);
		u->nqueued--;
		err = -EAGAIN;
	} else {
		err = 0;
	}
	mutex_unlock(&u->mu);
	if (err)
		listener_put(l);
	return err;
}

int workers_adopt(struct unotify *u, struct listener *l, struct plat_thread *th)
{
	struct seccomp_notif n;
	bool ok;

	if (u->caps.sync_wakeup)
		ioctl(l->fd, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SYNC_WAKE_UP);
	if (!wait_for_call(l, &n))
		return -EAGAIN;
	mutex_lock(&u->mu);
	ok = n.data.nr == STUB_MAGIC_NR && n.data.args[0] == STUB_HELLO &&
	     adopt_locked(l, (pid_t)n.pid, n.data.args[1]) == th;
	if (ok) {
		th->hello = true;
		th->notif_id = n.id;
		set_state(th, TH_TRAPPED);
	}
	mutex_unlock(&u->mu);
	if (!ok) {
		log_error("stub %d reports with call %d, kind %llu: not what it was made for",
			  (int)n.pid, n.data.nr, (unsigned long long)n.data.args[0]);
		return -EAGAIN;
	}
	if (!is_worker || fresh.l) {
		spare_refill(u);
		return workers_serve(u, l);
	}
	refs_get(&l->refs);
	thread_get(th);
	fresh = (struct fresh){ l, th };
	return 0;
}
