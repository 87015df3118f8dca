/* Tasks, processes and sessions as objects: allocation, references, accounting. */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "platform/base/bug.h"
#include "sentry/mm/mm.h"
#include "sentry/task/pid.h"
#include "sentry/task/task_impl.h"
#include "syscalls/abi/lx_prctl.h"

#define PIN_DEFER 0x80000000u
#define PIN_COUNT (PIN_DEFER - 1)

/* What a trap and its handler cost the sentry, for the estimate of system time. */

static void park_timer_fn(struct ktimer *tm)
{
	task_ready(container_of(tm, struct task, park_timer));
}

struct task *task_alloc(struct kernel *k, struct tgroup *tg)
{
	struct task *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	refs_init(&t->refs, "task");
	t->k = k;
	tgroup_get(tg);
	t->tg = tg;
	list_init(&t->tg_link);
	t->state = TASK_NEW;
	sigqueue_init(&t->pending);
	waitq_init(&t->sigwait);
	t->sysno = UINT64_MAX;
	list_init(&t->ready_link);
	list_init(&t->enrolled);
	list_init(&t->futex_link);
	list_init(&t->shm_created);
	ktimer_init(&t->park_timer, park_timer_fn);
	t->cloning_pidfd = -1;
	t->start_mono_ns = ktime_mono();
	t->timer_slack_ns = 50000;
	t->mce_policy = LX_PR_MCE_KILL_DEFAULT;
	return t;
}

/* May run without the kernel lock: whatever needs it was done by task_exit_now(). */
static void task_free(struct task *t)
{
	BUG_ON(t->pt || t->defer_pt || !list_empty(&t->enrolled));
	if (t->restart.ptr_free)
		t->restart.ptr_free(t->restart.ptr);
	strace_free(t);
	if (t->sighand)
		sighand_put(t->sighand);
	if (t->cred)
		cred_put(t->cred);
	tgroup_put(t->tg);
	free(t);
}

void task_get(struct task *t)
{
	refs_get(&t->refs);
}

void task_put(struct task *t)
{
	if (refs_put(&t->refs))
		task_free(t);
}

struct tgroup *tgroup_alloc(struct kernel *k)
{
	struct tgroup *tg = calloc(1, sizeof(*tg));

	if (!tg)
		return NULL;
	refs_init(&tg->refs, "process");
	tg->k = k;
	list_init(&tg->tasks);
	list_init(&tg->children);
	list_init(&tg->sibling);
	list_init(&tg->pgrp_link);
	sigqueue_init(&tg->pending);
	waitq_init(&tg->child_wait);
	waitq_init(&tg->exit_wait);
	ktimer_init(&tg->kill_timer, tgroup_kill_timer);
	tg->start_mono_ns = ktime_mono();
	return tg;
}

void tgroup_get(struct tgroup *tg)
{
	refs_get(&tg->refs);
}

void tgroup_put(struct tgroup *tg)
{
	if (!refs_put(&tg->refs))
		return;
	if (tg->session)
		session_put(tg->session);
	free(tg);
}

struct session *session_new(int sid)
{
	struct session *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	refs_init(&s->refs, "session");
	s->sid = sid;
	return s;
}

void session_get(struct session *s)
{
	refs_get(&s->refs);
}

void session_put(struct session *s)
{
	if (refs_put(&s->refs))
		free(s);
}

/* ---- the platform's thread ---- */

void task_pin(struct task *t)
{
	t->go_pt = t->pt;
	t->go_batch = t->batch.count && !t->aside.due;
	atomic_fetch_add_explicit(&t->pins, 1, memory_order_relaxed);
}

void task_unpin(struct task *t)
{
	unsigned left = atomic_fetch_sub_explicit(&t->pins, 1, memory_order_acq_rel) - 1;
	struct plat_thread *pt;

	if (left != PIN_DEFER)
		return;
	/* Not kernel_unlock(): this may be inside one. */
	mutex_lock(&t->k->mu);
	pt = t->defer_pt;
	t->defer_pt = NULL;
	atomic_fetch_and(&t->pins, PIN_COUNT);
	mutex_unlock(&t->k->mu);
	if (pt) {
		plat_thread_release(pt);
		task_put(t);
	}
}

void task_wait_unpinned(const struct task *t)
{
	/* A resume on its way out on another CPU: microseconds. */
	for (unsigned i = 0; atomic_load(&t->pins) & PIN_COUNT; i++) {
		if (i < 5000)
			__builtin_ia32_pause();
		else
			task_yield();
	}
}

void task_release_pt(struct task *t, struct plat_thread *pt)
{
	if (t->defer_pt) {
		/* A second execve while an old resume is still on its way out. */
		task_wait_unpinned(t);
		plat_thread_release(t->defer_pt);
		task_put(t);
	}
	t->defer_pt = pt;
	if (atomic_fetch_or(&t->pins, PIN_DEFER) & PIN_COUNT)
		return;
	t->defer_pt = NULL;
	atomic_fetch_and(&t->pins, PIN_COUNT);
	plat_thread_release(pt);
	task_put(t);
}

/* ---- accounting ---- */

bool mm_shared_outside(const struct mm *mm, const struct tgroup *tg)
{
	unsigned own = 0;
	struct task *t;

	list_for_each(t, &tg->tasks, tg_link)
		own += t->mm == mm;
	return mm->users > own;
}

/* The host divides by the ticks it happened to see: neither part may shrink because the
 * proportion changed (Linux's cputime_adjust()). */
static void split_cputime(struct tgroup *tg, struct mm *mm, uint64_t *user, uint64_t *sys)
{
	uint64_t total = plat_as_cputime(mm->as, user);

	if (total < tg->seen_user_ns + tg->seen_sys_ns)
		total = tg->seen_user_ns + tg->seen_sys_ns;
	if (*user < tg->seen_user_ns)
		*user = tg->seen_user_ns;
	if (total - *user < tg->seen_sys_ns)
		*user = total - tg->seen_sys_ns;
	*sys = total - *user;
	tg->seen_user_ns = *user;
	tg->seen_sys_ns = *sys;
}

static void add_usage(struct tgroup *tg, const struct plat_usage *u)
{
	if (tg->used.maxrss_kb < u->maxrss_kb)
		tg->used.maxrss_kb = u->maxrss_kb;
	tg->used.minflt += u->minflt;
	tg->used.majflt += u->majflt;
	tg->used.nivcsw += u->nivcsw;
}

void tgroup_account_as(struct tgroup *tg, struct mm *mm, struct plat_thread *pt)
{
	struct plat_usage u;
	uint64_t user, sys;

	/* The time of a shared one is its owner's. */
	if (!mm || !mm->as || tg->shares_mm)
		return;
	split_cputime(tg, mm, &user, &sys);
	tg->used.user_ns += user;
	tg->used.sys_ns += sys;
	tg->seen_user_ns = tg->seen_sys_ns = 0;
	if (!pt)
		return;
	plat_thread_noted_usage(pt, &u, NULL);
	add_usage(tg, &u);
}

/* The map whose stub's time is the process's; NULL: there is none now. */
static struct mm *own_mm(const struct tgroup *tg)
{
	const struct task *t;

	if (tg->shares_mm || list_empty(&tg->tasks))
		return NULL;
	t = list_first(&tg->tasks, struct task, tg_link);
	return t->mm && t->mm->as ? t->mm : NULL;
}

uint64_t tgroup_cputime_total(struct tgroup *tg)
{
	struct mm *mm = own_mm(tg);

	return tg->used.user_ns + tg->used.sys_ns + (mm ? plat_as_cputime(mm->as, NULL) : 0);
}

void tgroup_cputime(struct tgroup *tg, uint64_t *user_ns, uint64_t *sys_ns)
{
	struct mm *mm = own_mm(tg);
	uint64_t user = 0, sys = 0;

	if (mm)
		split_cputime(tg, mm, &user, &sys);
	*user_ns = tg->used.user_ns + user;
	*sys_ns = tg->used.sys_ns + sys;
}

uint64_t task_cpu_ns(struct task *t)
{
	struct tgroup *tg = t->tg;

	if (t->state == TASK_DEAD || t->pt == NULL)
		return t->cpu_end_ns;
	if (!tg->had_threads && !tg->shares_mm)
		return tgroup_cputime_total(tg);
	return t->cpu_base_ns + plat_thread_noted_cpu(t->pt);
}

uint64_t task_cpu_guess(struct task *t)
{
	struct tgroup *tg = t->tg;
	uint64_t user, sys, noted, known = 0;
	unsigned unknown = 0;
	struct task *o;

	if (t->pt == NULL || !tg->had_threads || plat_thread_noted_cpu(t->pt))
		return task_cpu_ns(t);
	list_for_each(o, &tg->tasks, tg_link) {
		noted = o->pt != NULL ? plat_thread_noted_cpu(o->pt) : 0;
		known += noted;
		unknown += noted == 0;
	}
	tgroup_cputime(tg, &user, &sys);
	known += tg->used.user_ns + tg->used.sys_ns;
	return t->cpu_base_ns + (user + sys > known && unknown ? (user + sys - known) / unknown : 0);
}

void tgroup_note_cpu(struct tgroup *tg)
{
	struct task *t;

	if (tg->note_cpu)
		return;
	tg->note_cpu = true;
	list_for_each(t, &tg->tasks, tg_link)
		if (t->pt != NULL)
			plat_thread_note(t->pt, PLAT_NOTE_CPU);
}

/* Run the call again when the thread has noted its usage. */
static void noted(struct task *t)
{
	plat_thread_note(t->pt, t->tg->note_cpu ? PLAT_NOTE_CPU : 0);
}

bool task_note_first(struct task *t, unsigned what)
{
	if (t->restart.scratch[0])
		return false;
	t->restart.scratch[0] = 1;
	plat_thread_note(t->pt, what | (t->tg->note_cpu ? PLAT_NOTE_CPU : 0));
	t->kick_fn = noted;
	return true;
}

void tgroup_usage(struct tgroup *tg, struct task *by, struct plat_usage *out)
{
	struct plat_usage now;
	const struct task *t;

	*out = tg->used;
	if (by != NULL && by->pt != NULL && !tg->shares_mm) {
		plat_thread_noted_usage(by->pt, &now, NULL);
		if (out->maxrss_kb < now.maxrss_kb)
			out->maxrss_kb = now.maxrss_kb;
		out->minflt += now.minflt;
		out->majflt += now.majflt;
		out->nivcsw += now.nivcsw;
	}
	list_for_each(t, &tg->tasks, tg_link)
		out->nvcsw += t->nvcsw;
	tgroup_cputime(tg, &out->user_ns, &out->sys_ns);
}

void usage_add(struct plat_usage *to, const struct plat_usage *u)
{
	to->user_ns += u->user_ns;
	to->sys_ns += u->sys_ns;
	if (to->maxrss_kb < u->maxrss_kb)
		to->maxrss_kb = u->maxrss_kb;
	to->minflt += u->minflt;
	to->majflt += u->majflt;
	to->nvcsw += u->nvcsw;
	to->nivcsw += u->nivcsw;
}

uint64_t rlimit_cur(const struct task *t, unsigned which)
{
	return which < LX_RLIM_NLIMITS ? t->tg->rlim[which].cur : 0;
}

uint64_t kernel_uptime_ns(const struct kernel *k)
{
	return ktime_mono() - k->boot_mono_ns;
}
