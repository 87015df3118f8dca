/* What the files of posix_timer.h share. */
#ifndef SENTRY_TIME_POSIX_TIMER_IMPL_H
#define SENTRY_TIME_POSIX_TIMER_IMPL_H

#include "platform/base/list.h"
#include "sentry/time/vtimer.h"

struct itimer {
	struct vtimer v;
	struct tgroup *tg;	/* borrowed: the owner */
	int signo;
};

struct posix_timers {
	struct list list;	/* struct ptimer */
	int next_id;
	struct itimer itimer[3]; /* by LX_ITIMER_* */
	struct itimer cpu_limit; /* RLIMIT_CPU */
};

/* The process's timers, made if need be. NULL: out of memory. */
struct posix_timers *posix_timers_of(struct tgroup *tg);
void itimers_init(struct posix_timers *pt, struct tgroup *tg);
void itimers_fini(struct posix_timers *pt);

#endif
