/* Interval timers and the CPU-time limit. The real timer's next period starts when its
 * SIGALRM is taken, as in Linux; those on CPU time go on by themselves. */
#include "sentry/kernel.h"
#include "sentry/signal/signal.h"
#include "sentry/task/task.h"
#include "sentry/time/posix_timer.h"
#include "sentry/time/posix_timer_impl.h"
#include "syscalls/abi/lx_resource.h"

static void fire_real(struct vtimer *v)
{
	struct itimer *it = container_of(v, struct itimer, v);

	signal_send_group(it->tg, it->signo, NULL);
}

static void fire_cpu(struct vtimer *v)
{
	struct itimer *it = container_of(v, struct itimer, v);

	if (v->interval != 0)
		vtimer_forward(v, 0);
	signal_send_group(it->tg, it->signo, NULL);
}

/* At the soft limit and each second after it SIGXCPU, at the hard one SIGKILL. */
static void fire_limit(struct vtimer *v)
{
	struct itimer *it = container_of(v, struct itimer, v);
	const struct krlimit *lim = &it->tg->rlim[LX_RLIMIT_CPU];
	uint64_t used = vtimer_now(v) / LX_NSEC_PER_SEC;

	if (used >= lim->max) {
		signal_send_group(it->tg, LX_SIGKILL, NULL);
		return;
	}
	if (used < lim->cur) {
		rlimit_cpu_changed(it->tg);
		return;
	}
	(void)vtimer_set(v, (used + 1) * LX_NSEC_PER_SEC, 0);
	signal_send_group(it->tg, LX_SIGXCPU, NULL);
}

static void itimer_init(struct itimer *it, struct tgroup *tg, bool cpu, bool user_only,
			int signo, void (*fire)(struct vtimer *))
{
	struct clock c = { .kind = CLOCK_KIND_PROCESS, .tg = tg, .user_only = user_only };

	it->tg = tg;
	it->signo = signo;
	vtimer_init(&it->v, tg->k, cpu ? &c : NULL, fire);
}

void itimers_init(struct posix_timers *pt, struct tgroup *tg)
{
	itimer_init(&pt->itimer[LX_ITIMER_REAL], tg, false, false, LX_SIGALRM, fire_real);
	itimer_init(&pt->itimer[LX_ITIMER_VIRTUAL], tg, true, true, LX_SIGVTALRM, fire_cpu);
	itimer_init(&pt->itimer[LX_ITIMER_PROF], tg, true, false, LX_SIGPROF, fire_cpu);
	itimer_init(&pt->cpu_limit, tg, true, false, LX_SIGXCPU, fire_limit);
}

void itimers_fini(struct posix_timers *pt)
{
	for (int i = 0; i < 3; i++)
		vtimer_cancel(&pt->itimer[i].v);
	vtimer_cancel(&pt->cpu_limit.v);
}

void itimer_real_taken(struct tgroup *tg)
{
	struct vtimer *v;

	if (tg->timers == NULL)
		return;
	v = &tg->timers->itimer[LX_ITIMER_REAL].v;
	if (!v->armed && v->interval != 0)
		vtimer_forward(v, 0);
}

void itimer_get(struct tgroup *tg, int which, uint64_t *value, uint64_t *interval)
{
	const struct vtimer *v;

	*value = *interval = 0;
	if (tg->timers == NULL)
		return;
	v = &tg->timers->itimer[which].v;
	*value = vtimer_remaining(v);
	*interval = v->interval;
}

int itimer_set(struct tgroup *tg, int which, uint64_t value, uint64_t interval)
{
	struct posix_timers *pt = tg->timers;
	struct vtimer *v;

	if (pt == NULL && value == 0)
		return 0;
	pt = posix_timers_of(tg);
	if (pt == NULL)
		return -LX_ENOMEM;
	v = &pt->itimer[which].v;
	vtimer_cancel(v);
	v->interval = 0;
	if (value == 0)
		return 0;
	if (value > INT64_MAX / 2)
		value = INT64_MAX / 2;
	return vtimer_set(v, vtimer_now(v) + value, interval);
}

void rlimit_cpu_changed(struct tgroup *tg)
{
	const struct krlimit *lim = &tg->rlim[LX_RLIMIT_CPU];
	uint64_t sec = lim->cur < lim->max ? lim->cur : lim->max;
	struct posix_timers *pt = tg->timers;

	if (sec > INT64_MAX / LX_NSEC_PER_SEC) {
		if (pt != NULL)
			vtimer_cancel(&pt->cpu_limit.v);
		return;
	}
	pt = posix_timers_of(tg);
	if (pt == NULL)
		return;
	vtimer_cancel(&pt->cpu_limit.v);
	/* A limit of 0 means 1 second, as in Linux. */
	(void)vtimer_set(&pt->cpu_limit.v, (sec != 0 ? sec : 1) * LX_NSEC_PER_SEC, 0);
}
