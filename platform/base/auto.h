/* Scope-bound clean-up. AUTO_PUT(file) x = NULL; calls file_put(x) at scope end
 * when x is not NULL; take(&x) hands the value on and disarms. */
#ifndef PLATFORM_BASE_AUTO_H
#define PLATFORM_BASE_AUTO_H

#include <stdlib.h>
#include <unistd.h>

#define DEFINE_AUTO_PUT(name)                                               \
	__attribute__((unused)) static inline void auto_put_##name(struct name **p) \
	{                                                                   \
		if (*p)                                                     \
			name##_put(*p);                                     \
	}
#define AUTO_PUT(name) __attribute__((cleanup(auto_put_##name)))

__attribute__((unused)) static inline void auto_free_fn(void *p)
{
	free(*(void **)p);
}
#define AUTO_FREE __attribute__((cleanup(auto_free_fn)))

__attribute__((unused)) static inline void auto_close_fn(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}
#define AUTO_CLOSE __attribute__((cleanup(auto_close_fn)))

#define take(pp)                               \
	({                                     \
		__typeof__(*(pp)) taken_ = *(pp); \
		*(pp) = NULL;                  \
		taken_;                        \
	})

#define take_fd(pp)            \
	({                     \
		int fd_ = *(pp); \
		*(pp) = -1;    \
		fd_;           \
	})

#endif
