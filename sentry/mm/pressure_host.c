/* How near the sandbox is to a memory limit of its cgroups, from files of theirs that were
 * opened before the sentry gave up its paths. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sentry/kernel.h"
#include "sentry/mm/pressure.h"

/* How long an answer holds, and how many bytes written to guests use it up. Guests fault in
 * pages meanwhile, which nobody counts: the margin must cover it. */
#define HOLDS_NS 5000000ULL
#define COSTS 20 /* … or so many times what it took to find it */
#define MARGIN_MAX (64ULL << 20)

static struct {
	struct mem_watch w[MEM_WATCH_MAX];
	unsigned n;
	uint64_t until;	/* the answer's time */
	uint64_t room;	/* what may be written before looking again; 0: tight */
} watch;

void mem_watch_init(const struct mem_watch *w, unsigned n)
{
	watch.n = n < MEM_WATCH_MAX ? n : MEM_WATCH_MAX;
	memcpy(watch.w, w, watch.n * sizeof(*w));
}

static bool read_text(int fd, char *buf, size_t size)
{
	ssize_t n = pread(fd, buf, size - 1, 0);

	buf[n > 0 ? n : 0] = 0;
	return n > 0;
}

/* false: no limit, or not to be read. */
static bool read_amount(int fd, uint64_t *out)
{
	char b[32];

	if (!read_text(fd, b, sizeof(b)) || b[0] < '0' || b[0] > '9')
		return false;
	*out = strtoull(b, NULL, 10);
	return *out < 1ULL << 60;
}

/* The file pages in memory.stat, which the host can have back. v1 also has lines of the
 * same names without "total_" that leave out what lies below. */
static uint64_t reclaimable(int fd)
{
	static const char *const names[] = { "total_inactive_file ", "total_active_file ",
					     "inactive_file ", "active_file " };
	uint64_t v[4] = { 0 };
	char b[8192];

	if (!read_text(fd, b, sizeof(b)))
		return 0;
	for (char *p = b; p && *p; p = strchr(p, '\n')) {
		p += *p == '\n';
		for (unsigned i = 0; i < 4; i++)
			if (!strncmp(p, names[i], strlen(names[i])))
				v[i] = strtoull(p + strlen(names[i]), NULL, 10);
	}
	return v[0] + v[1] ? v[0] + v[1] : v[2] + v[3];
}

/* What is left below one limit after a margin. */
static uint64_t room_in(const struct mem_watch *w)
{
	uint64_t limit, used, margin, file;

	if (!read_amount(w->limit, &limit) || !read_amount(w->usage, &used))
		return UINT64_MAX;
	margin = limit / 4 < MARGIN_MAX ? limit / 4 : MARGIN_MAX;
	if (used + margin < limit)
		return limit - margin - used;
	file = reclaimable(w->stat);
	used -= file < used ? file : used;
	return used + margin < limit ? limit - margin - used : 0;
}

bool mem_tight(uint64_t more)
{
	uint64_t now, took;

	if (!watch.n)
		return false;
	now = ktime_mono();
	if (now >= watch.until || more > watch.room) {
		watch.until = now + HOLDS_NS;
		watch.room = UINT64_MAX;
		for (unsigned i = 0; i < watch.n; i++) {
			uint64_t room = room_in(&watch.w[i]);

			watch.room = room < watch.room ? room : watch.room;
		}
		/* memory.stat can take long where there are many CPUs: a twentieth at most. */
		took = ktime_mono() - now;
		if (took * COSTS > HOLDS_NS)
			watch.until = now + took * COSTS;
	}
	if (more > watch.room)
		return true;
	watch.room -= more;
	return false;
}
