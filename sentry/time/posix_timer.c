/* POSIX timers: a timer's signal is queued at most once; periods that pass before it is
 * taken count as overruns, and the next period is armed only then. So no interval, however
 * short, costs more than the guest's own handling of it. */
#include "sentry/time/posix_timer.h"

#include <stdlib.h>
#include <string.h>

#include "sentry/kernel.h"
#include "sentry/signal/signal.h"
#include "sentry/task/task.h"
#include "sentry/time/posix_timer_impl.h"

/* An ignored signal does not stop a periodic timer, but it need not run fast. */
#define IGNORED_TICK_NS 4000000ULL

struct ptimer {
	struct list link;	/* in posix_timers.list */
	struct vtimer v;
	struct tgroup *tg;	/* borrowed: the owner */
	struct clock clock;
	int id, signo, notify, tid;
	uint64_t value;		/* sigval */
	struct siguser *room;	/* for its signal */
	uint32_t seq;		/* of the queued signal; changed when it no longer counts */
	int64_t overrun;	/* of the signal taken last */
};

struct posix_timers *posix_timers_of(struct tgroup *tg)
{
	struct posix_timers *pt = tg->timers;

	if (pt != NULL)
		return pt;
	pt = calloc(1, sizeof(*pt));
	if (pt == NULL)
		return NULL;
	list_init(&pt->list);
	itimers_init(pt, tg);
	tg->timers = pt;
	return pt;
}

static struct ptimer *find(struct tgroup *tg, int id)
{
	struct ptimer *p;

	if (tg->timers == NULL)
		return NULL;
	list_for_each(p, &tg->timers->list, link)
		if (p->id == id)
			return p;
	return NULL;
}

static void ptimer_free(struct ptimer *p)
{
	vtimer_cancel(&p->v);
	list_del_init(&p->link);
	clock_fini(&p->clock);
	siguser_release(p->room);
	free(p);
}

void posix_timers_exec(struct tgroup *tg)
{
	struct ptimer *p, *tmp;

	if (tg->timers == NULL)
		return;
	list_for_each_safe(p, tmp, &tg->timers->list, link)
		ptimer_free(p);
}

void posix_timers_free(struct tgroup *tg)
{
	if (tg->timers == NULL)
		return;
	posix_timers_exec(tg);
	itimers_fini(tg->timers);
	free(tg->timers);
	tg->timers = NULL;
}

static void fire(struct vtimer *v)
{
	struct ptimer *p = container_of(v, struct ptimer, v);
	struct ksiginfo info = {
		.signo = p->signo,
		.code = LX_SI_TIMER,
		.timerid = p->id,
		.value = p->value,
	};
	struct task *t = NULL;
	int ignored = 1;

	if (++p->seq == 0)
		p->seq = 1;
	info.timer_seq = p->seq;
	if (p->notify == LX_SIGEV_THREAD_ID) {
		t = task_lookup(p->v.k, p->tid);
		if (t != NULL && t->tg == p->tg)
			ignored = signal_send_timer(p->tg, t, p->signo, &info);
		if (t != NULL)
			task_put(t);
	} else {
		ignored = signal_send_timer(p->tg, NULL, p->signo, &info);
	}
	if (ignored == 1 && v->interval != 0)
		vtimer_forward(v, v->interval < IGNORED_TICK_NS ? IGNORED_TICK_NS : 0);
}

void posix_timer_taken(struct tgroup *tg, struct ksiginfo *info)
{
	struct ptimer *p = find(tg, info->timerid);

	if (p == NULL || p->seq != info->timer_seq)
		return;
	p->overrun = 0;
	if (p->v.interval != 0 && !p->v.armed)
		p->overrun = (int64_t)vtimer_forward(&p->v, 0) - 1;
	if (p->overrun > INT32_MAX)
		p->overrun = INT32_MAX;
	info->overrun = (int32_t)p->overrun;
}

static int check_event(struct task *t, const struct lx_sigevent *ev)
{
	switch (ev->notify) {
	case LX_SIGEV_THREAD_ID: {
		AUTO_PUT(task) struct task *to = task_lookup(t->k, ev->tid);

		if (to == NULL || to->tg != t->tg)
			return -LX_EINVAL;
		break;
	}
	case LX_SIGEV_SIGNAL:
	case LX_SIGEV_THREAD:
		break;
	case LX_SIGEV_NONE:
		return 0;
	default:
		return -LX_EINVAL;
	}
	return ev->signo >= 1 && ev->signo <= LX_NSIG ? 0 : -LX_EINVAL;
}

static int clock_for_timer(struct clock *c, struct task *t, int clockid)
{
	int err = clock_init(c, t, clockid);

	if (err)
		return err;
	if (c->kind == CLOCK_KIND_COARSE)
		err = -LX_EOPNOTSUPP;
	if (err)
		clock_fini(c);
	return err;
}

int posix_timer_create(struct task *t, int clockid, const struct lx_sigevent *ev)
{
	struct posix_timers *pt = posix_timers_of(t->tg);
	struct clock clock;
	struct ptimer *p;
	int err;

	if (pt == NULL)
		return -LX_EAGAIN;
	err = clock_for_timer(&clock, t, clockid);
	if (err)
		return err;
	if (ev != NULL)
		err = check_event(t, ev);
	if (!err && clock.alarm)
		err = -LX_EOPNOTSUPP; /* nothing could wake the machine */
	p = err ? NULL : calloc(1, sizeof(*p));
	if (p != NULL && (p->room = siguser_reserve(t)) == NULL) {
		free(p);
		p = NULL;
	}
	if (p == NULL) {
		clock_fini(&clock);
		return err ? err : -LX_EAGAIN;
	}
	do {
		p->id = pt->next_id;
		pt->next_id = pt->next_id == INT32_MAX ? 0 : pt->next_id + 1;
	} while (find(t->tg, p->id) != NULL);
	p->clock = clock;
	p->tg = t->tg;
	p->notify = ev != NULL ? ev->notify : LX_SIGEV_SIGNAL;
	p->signo = ev != NULL ? ev->signo : LX_SIGALRM;
	p->tid = ev != NULL ? ev->tid : 0;
	p->value = ev != NULL ? ev->value : (uint64_t)p->id;
	p->seq = 1;
	vtimer_init(&p->v, t->k, &p->clock, fire);
	list_push_back(&pt->list, &p->link);
	return p->id;
}

int posix_timer_delete(struct tgroup *tg, int id)
{
	struct ptimer *p = find(tg, id);

	if (p == NULL)
		return -LX_EINVAL;
	ptimer_free(p);
	return 0;
}

static void get(struct ptimer *p, uint64_t *value, uint64_t *interval)
{
	struct vtimer *v = &p->v;
	uint64_t now;

	*interval = v->interval;
	if (p->notify != LX_SIGEV_NONE) {
		*value = vtimer_remaining(v);
		/* Fired and periodic: the rest of the period that runs now. */
		if (!v->armed && v->interval != 0 && v->expires != 0) {
			now = vtimer_now(v);
			*value = v->interval - (now - v->expires) % v->interval;
		}
		return;
	}
	/* Never armed: all is arithmetic. */
	*value = 0;
	if (v->expires == 0)
		return;
	now = vtimer_now(v);
	if (v->expires > now)
		*value = v->expires - now;
	else if (v->interval != 0)
		*value = v->interval - (now - v->expires) % v->interval;
}

int posix_timer_get(struct tgroup *tg, int id, uint64_t *value, uint64_t *interval)
{
	struct ptimer *p = find(tg, id);

	if (p == NULL)
		return -LX_EINVAL;
	get(p, value, interval);
	return 0;
}

int posix_timer_set(struct tgroup *tg, int id, bool abs, int64_t value, int64_t interval,
		    uint64_t *old_value, uint64_t *old_interval)
{
	struct ptimer *p = find(tg, id);
	uint64_t expires;

	if (p == NULL)
		return -LX_EINVAL;
	get(p, old_value, old_interval);
	vtimer_cancel(&p->v);
	p->v.expires = 0;
	p->v.interval = 0;
	p->overrun = 0;
	if (++p->seq == 0) /* a queued signal no longer starts a period */
		p->seq = 1;
	if (value == 0)
		return 0;
	if (!abs)
		expires = p->clock.tg != NULL ? vtimer_now(&p->v) + (uint64_t)value
					      : mono_after(value);
	else
		expires = p->clock.tg != NULL ? (uint64_t)value : clock_to_mono(&p->clock, value);
	if (p->notify == LX_SIGEV_NONE) {
		p->v.expires = expires;
		p->v.interval = (uint64_t)interval;
		return 0;
	}
	return vtimer_set(&p->v, expires, (uint64_t)interval) ? -LX_EAGAIN : 0;
}

bool posix_timer_on_thread(struct tgroup *tg, int id, const struct task *t)
{
	const struct ptimer *p = find(tg, id);

	return p != NULL && p->clock.task == t;
}

int posix_timer_overrun(struct tgroup *tg, int id)
{
	struct ptimer *p = find(tg, id);

	return p != NULL ? (int)p->overrun : -LX_EINVAL;
}
