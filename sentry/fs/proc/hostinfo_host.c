/* Host calls behind hostinfo.h. */
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/sysinfo.h>

#include "sentry/fs/proc/hostinfo.h"

static struct host_cpus cpus;
static pthread_once_t cpus_once = PTHREAD_ONCE_INIT;

static void ask_cpus(void)
{
	cpu_set_t set[HOST_MAX_CPUS / CPU_SETSIZE];

	memset(set, 0, sizeof(set));
	if (sched_getaffinity(0, sizeof(set), set) == 0)
		memcpy(cpus.mask, set, sizeof(cpus.mask));
	for (unsigned i = 0; i < HOST_MAX_CPUS / 64; i++)
		cpus.count += (unsigned)__builtin_popcountll(cpus.mask[i]);
	if (!cpus.count) {
		cpus.count = 1;
		cpus.mask[0] = 1;
	}
}

const struct host_cpus *host_cpus(void)
{
	pthread_once(&cpus_once, ask_cpus);
	return &cpus;
}

void host_mem(struct host_mem *out)
{
	static struct host_mem last = { .total = 1ULL << 30, .free = 1ULL << 29 };
	struct sysinfo si;

	if (sysinfo(&si) == 0) {
		uint64_t unit = si.mem_unit ? si.mem_unit : 1;

		last = (struct host_mem){
			.total = si.totalram * unit, .free = si.freeram * unit,
			.buffers = si.bufferram * unit, .shared = si.sharedram * unit,
			.swap_total = si.totalswap * unit, .swap_free = si.freeswap * unit,
			.loads = { si.loads[0], si.loads[1], si.loads[2] },
		};
	}
	*out = last;
}
