/* The bottom layer: bugs, reference counts, ranked mutexes, the debug log. */
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define UNW_LOCAL_ONLY
#include <libunwind.h>

#include "platform/base/bug.h"
#include "platform/base/log.h"
#include "platform/base/mutex.h"
#include "platform/base/refs.h"

/* ---- bugs ---- */

void bug_at(const char *file, int line, const char *what)
{
	unw_context_t uc;
	unw_cursor_t cur;
	char sym[128];
	int depth = 0;

	fprintf(stderr, "runsc: BUG at %s:%d: %s\n", file, line, what);
	if (unw_getcontext(&uc) == 0 && unw_init_local(&cur, &uc) == 0) {
		while (depth++ < 32 && unw_step(&cur) > 0) {
			unw_word_t off = 0, ip = 0;

			unw_get_reg(&cur, UNW_REG_IP, &ip);
			if (unw_get_proc_name(&cur, sym, sizeof(sym), &off) != 0)
				strcpy(sym, "?");
			fprintf(stderr, "  %#lx %s+%#lx\n", (unsigned long)ip, sym,
				(unsigned long)off);
		}
	}
	log_error("BUG at %s:%d: %s", file, line, what);
	abort();
}

/* ---- reference counts ---- */

#ifndef NDEBUG
#define MAX_TYPES 128
static struct {
	_Atomic(const char *) type;
	_Atomic int live;
} ref_types[MAX_TYPES];

static void refs_account(const char *type, int delta)
{
	for (int i = 0; i < MAX_TYPES; i++) {
		const char *have = atomic_load(&ref_types[i].type);

		if (!have && atomic_compare_exchange_strong(&ref_types[i].type, &have, type))
			have = type;
		if (have == type || (have && !strcmp(have, type))) {
			atomic_fetch_add(&ref_types[i].live, delta);
			return;
		}
	}
}
#endif

void refs_init(struct refs *r, const char *type)
{
	atomic_store_explicit(&r->count, 1, memory_order_relaxed);
	r->type = type;
#ifndef NDEBUG
	refs_account(type, 1);
#endif
}

void refs_get(struct refs *r)
{
	int old = atomic_fetch_add_explicit(&r->count, 1, memory_order_relaxed);

	BUG_ON(old <= 0);
}

bool refs_put(struct refs *r)
{
	int old = atomic_fetch_sub_explicit(&r->count, 1, memory_order_acq_rel);

	BUG_ON(old <= 0);
#ifndef NDEBUG
	if (old == 1)
		refs_account(r->type, -1);
#endif
	return old == 1;
}

int refs_report(FILE *out)
{
	int total = 0;

#ifndef NDEBUG
	for (int i = 0; i < MAX_TYPES; i++) {
		const char *type = atomic_load(&ref_types[i].type);
		int n = atomic_load(&ref_types[i].live);

		if (!type || n == 0)
			continue;
		if (out)
			fprintf(out, "LEAK %s %d\n", type, n);
		log_error("LEAK %s %d", type, n);
		total += n;
	}
#else
	(void)out;
#endif
	return total;
}

/* ---- ranked mutexes ---- */

#ifndef NDEBUG
#define MAX_HELD 16
static _Thread_local const struct mutex *held[MAX_HELD];
static _Thread_local int nheld;
#endif

void mutex_init(struct mutex *m, enum lock_rank rank)
{
	pthread_mutexattr_t a;

	pthread_mutexattr_init(&a);
	pthread_mutexattr_settype(&a, PTHREAD_MUTEX_ADAPTIVE_NP);
	pthread_mutex_init(&m->m, &a);
	pthread_mutexattr_destroy(&a);
	m->rank = rank;
}

void mutex_lock(struct mutex *m)
{
#ifndef NDEBUG
	for (int i = 0; i < nheld; i++)
		BUG_ON(held[i]->rank >= m->rank);
	BUG_ON(nheld == MAX_HELD);
#endif
	pthread_mutex_lock(&m->m);
#ifndef NDEBUG
	held[nheld++] = m;
#endif
}

void mutex_unlock(struct mutex *m)
{
#ifndef NDEBUG
	int i;

	for (i = nheld - 1; i >= 0 && held[i] != m; i--)
		;
	BUG_ON(i < 0);
	for (; i < nheld - 1; i++)
		held[i] = held[i + 1];
	nheld--;
#endif
	pthread_mutex_unlock(&m->m);
}

void mutex_assert_held(const struct mutex *m)
{
#ifndef NDEBUG
	for (int i = 0; i < nheld; i++)
		if (held[i] == m)
			return;
	BUG();
#else
	(void)m;
#endif
}

void mutex_assert_none_held(const char *where)
{
#ifndef NDEBUG
	if (nheld)
		bug_at(where, 0, "a lock is held");
#else
	(void)where;
#endif
}

/* ---- log ---- */

int log_max_level;
static int log_fd = -1;
static const char *log_who = "runsc";

void log_setup(int fd, enum log_level max, const char *who)
{
	log_fd = fd;
	log_who = who;
	log_max_level = fd >= 0 ? (int)max : 0;
}

void log_write(enum log_level l, const char *fmt, ...)
{
	static const char letter[] = "?EWID";
	char line[4096];
	struct timespec ts;
	va_list ap;
	int n, saved = errno;

	clock_gettime(CLOCK_REALTIME, &ts);
	n = snprintf(line, sizeof(line), "%c %lld.%06ld %s: ", letter[l], (long long)ts.tv_sec,
		     ts.tv_nsec / 1000, log_who);
	va_start(ap, fmt);
	n += vsnprintf(line + n, sizeof(line) - (size_t)n, fmt, ap);
	va_end(ap);
	if (n > (int)sizeof(line) - 2)
		n = (int)sizeof(line) - 2;
	line[n++] = '\n';
	if (write(log_fd, line, (size_t)n) < 0)
		log_max_level = 0;
	errno = saved;
}
