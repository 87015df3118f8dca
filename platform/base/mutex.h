/* Mutexes with a rank. Debug builds keep a per-thread stack of held locks,
 * check that ranks rise strictly, and can assert that none is held. The ranks
 * are in sentry/lock_order.def (core and platform alike). */
#ifndef PLATFORM_BASE_MUTEX_H
#define PLATFORM_BASE_MUTEX_H

#include <pthread.h>

enum lock_rank {
#define LOCK(name, rank, what) LOCK_##name = (rank),
#include "sentry/lock_order.def"
#undef LOCK
};

struct mutex {
	pthread_mutex_t m;
	enum lock_rank rank;
};

/* An adaptive mutex: spins briefly, then sleeps. */
void mutex_init(struct mutex *m, enum lock_rank rank);
void mutex_lock(struct mutex *m);
void mutex_unlock(struct mutex *m);

/* Debug builds abort when the calling thread holds m (or does not). */
void mutex_assert_held(const struct mutex *m);
/* Debug builds abort when the calling thread holds any ranked lock. */
void mutex_assert_none_held(const char *where);

#endif
