/* How near the sandbox is to a memory limit of the host's. */
#ifndef SENTRY_MM_PRESSURE_H
#define SENTRY_MM_PRESSURE_H

#include <stdbool.h>
#include <stdint.h>

/* Files of a cgroup with a memory limit, open for reading; borrowed, for good. */
struct mem_watch {
	int limit, usage, stat;
};
#define MEM_WATCH_MAX 3
void mem_watch_init(const struct mem_watch *w, unsigned n); /* before the kernel starts */
/* Would `more` bytes of guest memory come near a limit? Without any: false. Looks only now
 * and then. Kernel lock held. */
bool mem_tight(uint64_t more);

#endif
