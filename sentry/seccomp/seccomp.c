/* Filters of tasks: installing, inheriting, and what is done with a call. */
#include "sentry/seccomp/seccomp.h"

#include <stdlib.h>
#include <string.h>

#include "platform/base/auto.h"
#include "sentry/seccomp/bpf.h"
#include "sentry/seccomp/seccomp_impl.h"
#include "sentry/signal/signal.h"
#include "sentry/task/task.h"
#include "sentry/vfs/vfs.h"
#include "syscalls/abi/lx_cap.h"
#include "syscalls/abi/lx_signal.h"

#define NR_read 0
#define NR_write 1
#define NR_rt_sigreturn 15
#define NR_exit 60

/* Linux's bound on what one call may have to run, and its price for each filter. */
#define MAX_PATH_COST 32768
#define FILTER_PENALTY 4
/* All filters of a sandbox, in instructions: 128 MiB. A path's bound alone would let
 * thousands of processes hold a quarter of a MiB each. */
#define MAX_TOTAL_INSNS (16u << 20)

#define MAX_ERRNO 4095

void seccomp_filter_get(struct seccomp_filter *f)
{
	refs_get(&f->refs);
}

/* Not recursive: a chain can have thousands of members. */
void seccomp_filter_put(struct seccomp_filter *f)
{
	while (f && refs_put(&f->refs)) {
		struct seccomp_filter *prev = f->prev;

		f->k->seccomp_insns -= f->n;
		waitq_fini(&f->wq);
		free(f);
		f = prev;
	}
}

/* A task or a later filter lets go: the ones that nobody can call through any more tell
 * their listeners. */
static void unuse(struct seccomp_filter *f)
{
	for (; f && --f->users == 0; f = f->prev)
		waitq_wake(&f->wq, 0);
}

/* t gets f (may be NULL) in place of what it has. */
static void set_filter(struct task *t, struct seccomp_filter *f, unsigned count)
{
	struct seccomp_filter *old = t->seccomp;

	if (f) {
		seccomp_filter_get(f);
		f->users++;
	}
	t->seccomp = f;
	t->seccomp_count = count;
	unuse(old);
	seccomp_filter_put(old);
}

void seccomp_clone(struct task *child, const struct task *parent)
{
	child->seccomp_mode = parent->seccomp_mode;
	if (parent->seccomp)
		set_filter(child, parent->seccomp, parent->seccomp_count);
}

void seccomp_task_exit(struct task *t)
{
	seccomp_notif_drop(t);
	if (t->seccomp)
		set_filter(t, NULL, 0);
}

/* ---- installing ---- */

bool seccomp_may_filter(const struct task *t)
{
	return t->no_new_privs || task_capable(t, LX_CAP_SYS_ADMIN);
}

int seccomp_set_strict(struct task *t)
{
	if (t->seccomp_mode && t->seccomp_mode != LX_SECCOMP_MODE_STRICT)
		return -LX_EINVAL;
	t->seccomp_mode = LX_SECCOMP_MODE_STRICT;
	return 0;
}

static int filter_new(struct kernel *k, const struct lx_sock_filter *prog, unsigned n,
		      struct seccomp_filter **out)
{
	struct seccomp_filter *f;
	int err = bpf_check(prog, n);

	if (err)
		return err;
	if (k->seccomp_insns + n > MAX_TOTAL_INSNS)
		return -LX_ENOMEM;
	f = calloc(1, sizeof(*f) + n * sizeof(*prog));
	if (!f)
		return -LX_ENOMEM;
	refs_init(&f->refs, "seccomp filter");
	f->k = k;
	f->n = n;
	f->cost = bpf_cost(prog, n);
	waitq_init(&f->wq);
	memcpy(f->prog, prog, n * sizeof(*prog));
	k->seccomp_insns += n;
	*out = f;
	return 0;
}

static bool has_listener(const struct seccomp_filter *f)
{
	for (; f; f = f->prev)
		if (f->listener)
			return true;
	return false;
}

static bool is_ancestor(const struct seccomp_filter *parent, const struct seccomp_filter *child)
{
	/* No filter at all is everybody's ancestor. */
	if (!parent)
		return true;
	for (; child; child = child->prev)
		if (child == parent)
			return true;
	return false;
}

/* The first thread that cannot take the caller's filters; 0: all can. */
static int cannot_sync(const struct task *t)
{
	const struct task *other;

	list_for_each(other, &t->tg->tasks, tg_link) {
		if (other == t || other->seccomp_mode == LX_SECCOMP_MODE_DISABLED)
			continue;
		if (other->seccomp_mode != LX_SECCOMP_MODE_FILTER ||
		    !is_ancestor(other->seccomp, t->seccomp))
			return other->tid;
	}
	return 0;
}

static void sync_threads(struct task *t)
{
	struct task *other;

	list_for_each(other, &t->tg->tasks, tg_link) {
		if (other == t)
			continue;
		set_filter(other, t->seccomp, t->seccomp_count);
		if (t->no_new_privs)
			other->no_new_privs = true;
		other->seccomp_mode = LX_SECCOMP_MODE_FILTER;
	}
}

static void fill_cache(struct seccomp_filter *f)
{
	const struct seccomp_filter *prev = f->prev;

	for (int nr = 0; nr < SECCOMP_CACHED_CALLS; nr++) {
		uint8_t bit = (uint8_t)(1u << nr % 8);

		if (prev && !(prev->allowed[nr / 8] & bit))
			continue;
		if (bpf_always_allows(f->prog, nr))
			f->allowed[nr / 8] |= bit;
	}
}

static long attach(struct task *t, uint32_t flags, struct seccomp_filter *f)
{
	unsigned cost = f->cost;
	int who;

	for (const struct seccomp_filter *p = t->seccomp; p; p = p->prev)
		cost += p->cost + FILTER_PENALTY;
	if (cost > MAX_PATH_COST)
		return -LX_ENOMEM;
	if (flags & LX_SECCOMP_FILTER_FLAG_TSYNC) {
		who = cannot_sync(t);
		if (who)
			return flags & LX_SECCOMP_FILTER_FLAG_TSYNC_ESRCH ? -LX_ESRCH : who;
	}
	f->wait_killable = flags & LX_SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
	f->prev = t->seccomp;
	if (f->prev) {
		seccomp_filter_get(f->prev);
		f->prev->users++;
	}
	fill_cache(f);
	set_filter(t, f, t->seccomp_count + 1);
	t->seccomp_mode = LX_SECCOMP_MODE_FILTER;
	if (flags & LX_SECCOMP_FILTER_FLAG_TSYNC)
		sync_threads(t);
	return 0;
}

static long attach_listening(struct task *t, uint32_t flags, struct seccomp_filter *f)
{
	AUTO_PUT(file) struct file *lf = NULL;
	long err;
	int fd;

	err = seccomp_listener_new(f, &lf);
	if (err)
		return err;
	fd = fdtable_add(t, lf, FD_CLOEXEC_FLAG);
	if (fd < 0)
		return fd;
	err = t->seccomp_mode == LX_SECCOMP_MODE_STRICT ? -LX_EINVAL : 0;
	if (!err && has_listener(t->seccomp))
		err = -LX_EBUSY;
	if (!err)
		err = attach(t, flags, f);
	if (err)
		fdtable_close(t, fd);
	return err ? err : fd;
}

long seccomp_set_filter(struct task *t, uint32_t flags, const struct lx_sock_filter *prog,
			unsigned n)
{
	AUTO_PUT(seccomp_filter) struct seccomp_filter *f = NULL;
	long err = filter_new(t->k, prog, n, &f);

	if (err)
		return err;
	if (flags & LX_SECCOMP_FILTER_FLAG_NEW_LISTENER)
		return attach_listening(t, flags, f);
	if (t->seccomp_mode == LX_SECCOMP_MODE_STRICT)
		return -LX_EINVAL;
	return attach(t, flags, f);
}

/* ---- judging a call ---- */

long seccomp_raw_result(struct task *t, int64_t value)
{
	/* Values that the dispatcher takes for its own go past it. */
	if (value > -LX_ERESTARTSYS || value < -MAX_ERRNO)
		return (long)value;
	t->regs->rax = (uint64_t)value;
	return -LX_ERAN;
}

static bool strict_refuses(struct task *t, long *result)
{
	switch ((uint32_t)t->sysno) {
	case NR_read:
	case NR_write:
	case NR_exit:
	case NR_rt_sigreturn:
		return false;
	default:
		*result = task_exit(t, LX_SIGKILL);
		return true;
	}
}

/* The strictest answer, of the newest filter that gives it. */
static uint32_t run_filters(struct seccomp_filter *f, const struct lx_seccomp_data *d,
			    struct seccomp_filter **match)
{
	uint32_t ret = LX_SECCOMP_RET_ALLOW;

	for (; f; f = f->prev) {
		uint32_t r = bpf_run(f->prog, d);

		if ((int32_t)(r & LX_SECCOMP_RET_ACTION_FULL) <
		    (int32_t)(ret & LX_SECCOMP_RET_ACTION_FULL)) {
			ret = r;
			*match = f;
		}
	}
	return ret;
}

long seccomp_sigsys(struct task *t, int code, uint32_t data)
{
	struct ksiginfo info = {
		.signo = LX_SIGSYS,
		.errno_ = (int32_t)data,
		.code = code,
		.call_addr = t->regs->rip,
		.syscall = (int32_t)t->sysno,
		.arch = LX_AUDIT_ARCH_X86_64,
	};

	/* The registers stay as they were at the call, its number in rax. */
	signal_force(t, LX_SIGSYS, &info);
	return -LX_ERAN;
}

static bool act(struct task *t, uint32_t ret, struct seccomp_filter *match,
		const struct lx_seccomp_data *d, long *result)
{
	uint32_t data = ret & LX_SECCOMP_RET_DATA;

	switch (ret & LX_SECCOMP_RET_ACTION_FULL) {
	case LX_SECCOMP_RET_ALLOW:
	case LX_SECCOMP_RET_LOG:
		return false;
	case LX_SECCOMP_RET_ERRNO:
		*result = seccomp_raw_result(t, -(int64_t)(data < MAX_ERRNO ? data : MAX_ERRNO));
		return true;
	case LX_SECCOMP_RET_TRAP:
		*result = seccomp_sigsys(t, LX_SYS_SECCOMP, data);
		return true;
	case LX_SECCOMP_RET_TRACE: /* nobody traces */
		*result = -LX_ENOSYS;
		return true;
	case LX_SECCOMP_RET_USER_NOTIF:
		*result = seccomp_ask(t, match, d);
		return true;
	case LX_SECCOMP_RET_KILL_THREAD:
		if (t->tg->nlive > 1) {
			*result = task_exit(t, LX_SIGSYS);
			return true;
		}
		break;
	default: /* KILL_PROCESS, and what nobody knows */
		break;
	}
	*result = tgroup_exit(t, LX_SIGSYS);
	return true;
}

bool call_refused(struct task *t, long *result)
{
	struct seccomp_filter *f = t->seccomp, *match = f;
	uint32_t nr = (uint32_t)t->sysno;
	struct lx_seccomp_data d;
	uint32_t ret;

	if (t->sud.on && user_dispatch_refuses(t, result))
		return true;
	if (t->seccomp_mode == LX_SECCOMP_MODE_DISABLED)
		return false;
	if (t->seccomp_mode == LX_SECCOMP_MODE_STRICT)
		return strict_refuses(t, result);
	if (nr < SECCOMP_CACHED_CALLS && (f->allowed[nr / 8] >> nr % 8 & 1))
		return false;
	d.nr = (int32_t)nr;
	d.arch = LX_AUDIT_ARCH_X86_64;
	d.instruction_pointer = t->regs->rip;
	memcpy(d.args, t->sysargs, sizeof(d.args));
	ret = run_filters(f, &d, &match);
	return act(t, ret, match, &d, result);
}
