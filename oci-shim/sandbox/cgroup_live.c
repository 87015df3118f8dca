/* The cgroups of a container that exists: new limits, and what it uses. */
#include "oci-shim/sandbox/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "oci-shim/sandbox/cgroup_impl.h"
#include "oci-shim/sandbox/fds.h"
#include "platform/base/auto.h"

/* The container's directory in a hierarchy: the deepest one that is recorded. */
static const char *dir_in(const struct state *st, const struct hierarchy *h)
{
	size_t n = strlen(h->mount);

	for (unsigned i = st->ncgroups; i-- > 0;)
		if (!strncmp(st->cgroups[i], h->mount, n) && st->cgroups[i][n] == '/')
			return st->cgroups[i];
	return NULL;
}

/* The hierarchies that hold a directory of the container, with its place as their self:
 * parent in self, name in *name. */
static unsigned own_hierarchies(const struct state *st, struct hierarchy *h, const char **name)
{
	unsigned n = hierarchies(h, CGROUP_MAX_HIERARCHIES), kept = 0;

	for (unsigned i = 0; i < n; i++) {
		const char *dir = dir_in(st, &h[i]), *slash;
		size_t at = strlen(h[i].mount);

		if (!dir)
			continue;
		slash = strrchr(dir, '/');
		snprintf(h[i].self, sizeof(h[i].self), "%.*s", (int)(slash - dir - (ptrdiff_t)at),
			 dir + at);
		if (!h[i].self[0])
			snprintf(h[i].self, sizeof(h[i].self), "/");
		*name = slash + 1;
		h[kept++] = h[i];
	}
	return kept;
}

int cgroup_update(const struct state *st, const struct spec_resources *r, struct oerr *e)
{
	struct hierarchy h[CGROUP_MAX_HIERARCHIES];
	struct spec_resources swap_first = { .memory_swap = r->memory_swap };
	const char *name = NULL;
	unsigned n = own_hierarchies(st, h, &name);
	struct oerr ignored = { 0 };

	if (!n)
		return oerr_set(e, "container %s has no cgroups of its own: start it as root", st->id);
	if (limits_set(h, n, name, r, e) == 0)
		return 0;
	/* v1 wants limit <= swap at every moment: a larger limit goes second. */
	if (e->cause != EINVAL || !r->memory_swap)
		return -1;
	limits_set(h, n, name, &swap_first, &ignored);
	return limits_set(h, n, name, r, e);
}

/* ---- what it uses ---- */

static bool read_text(const struct state *st, const struct hierarchy *h, unsigned n,
		      const char *controller, const char *v1, const char *v2, char *buf, size_t size)
{
	for (unsigned i = 0; i < n; i++) {
		const char *file = h[i].v2 ? v2 : v1, *dir = dir_in(st, &h[i]);
		char path[1600];
		AUTO_CLOSE int fd = -1;
		ssize_t got;

		if (!file || !dir || (!h[i].v2 && !strstr(h[i].controllers, controller)))
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, file);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		got = fd < 0 ? -1 : read(fd, buf, size - 1);
		if (got < 0)
			continue;
		buf[got] = 0;
		return true;
	}
	return false;
}

/* "name value" lines. */
static uint64_t field(const char *text, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = text; p && *p; p = strchr(p, '\n')) {
		p += *p == '\n';
		if (!strncmp(p, name, n) && p[n] == ' ')
			return strtoull(p + n, NULL, 10);
	}
	return 0;
}

static uint64_t amount(const char *text)
{
	return strncmp(text, "max", 3) ? strtoull(text, NULL, 10) : UINT64_MAX;
}

static void read_cpu(const struct state *st, const struct hierarchy *h, unsigned n,
		     struct cgroup_stats *s)
{
	uint64_t tick = 1000000000 / (uint64_t)sysconf(_SC_CLK_TCK);
	char b[2048];

	if (read_text(st, h, n, ",cpuacct,", "cpuacct.usage", NULL, b, sizeof(b))) {
		s->cpu_total = amount(b);
		if (read_text(st, h, n, ",cpuacct,", "cpuacct.stat", NULL, b, sizeof(b))) {
			s->cpu_user = field(b, "user") * tick;
			s->cpu_kernel = field(b, "system") * tick;
		}
	} else if (read_text(st, h, n, ",cpu,", NULL, "cpu.stat", b, sizeof(b))) {
		s->cpu_total = field(b, "usage_usec") * 1000;
		s->cpu_user = field(b, "user_usec") * 1000;
		s->cpu_kernel = field(b, "system_usec") * 1000;
	}
}

void cgroup_read_stats(const struct state *st, struct cgroup_stats *s)
{
	struct hierarchy h[CGROUP_MAX_HIERARCHIES];
	unsigned n = hierarchies(h, CGROUP_MAX_HIERARCHIES);
	char b[2048];

	memset(s, 0, sizeof(*s));
	read_cpu(st, h, n, s);
	if (read_text(st, h, n, ",memory,", "memory.usage_in_bytes", "memory.current", b, sizeof(b)))
		s->memory_usage = amount(b);
	if (read_text(st, h, n, ",memory,", "memory.max_usage_in_bytes", "memory.peak", b, sizeof(b)))
		s->memory_max = amount(b);
	if (read_text(st, h, n, ",memory,", "memory.limit_in_bytes", "memory.max", b, sizeof(b)))
		s->memory_limit = amount(b);
	if (read_text(st, h, n, ",memory,", "memory.failcnt", NULL, b, sizeof(b)))
		s->memory_failcnt = amount(b);
	else if (read_text(st, h, n, ",memory,", NULL, "memory.events", b, sizeof(b)))
		s->memory_failcnt = field(b, "max");
	if (read_text(st, h, n, ",pids,", "pids.current", "pids.current", b, sizeof(b)))
		s->pids = amount(b);
	if (read_text(st, h, n, ",pids,", "pids.max", "pids.max", b, sizeof(b)) && b[0] != 'm')
		s->pids_limit = amount(b);
}

/* ---- for the sentry ---- */

static bool watch_dir(const struct hierarchy *h, const char *rel, struct cgroup_watch *w)
{
	static const char *const v1[] = { "memory.limit_in_bytes", "memory.usage_in_bytes" };
	static const char *const v2[] = { "memory.max", "memory.current" };
	const char *const *names = h->v2 ? v2 : v1;
	int fd[3];

	for (int i = 0; i < 3; i++) {
		char path[1600];

		snprintf(path, sizeof(path), "%s%s/%s", h->mount, rel,
			 i < 2 ? names[i] : "memory.stat");
		fd[i] = open(path, O_RDONLY | O_CLOEXEC);
		if (fd[i] < 0) {
			while (i-- > 0)
				close(fd[i]);
			return false;
		}
	}
	*w = (struct cgroup_watch){ fd[0], fd[1], fd[2] };
	return true;
}

static bool has_limit(const struct cgroup_watch *w)
{
	char b[32] = "";

	return pread(w->limit, b, sizeof(b) - 1, 0) > 0 && amount(b) < 1ULL << 60;
}

unsigned cgroup_memory_watch(struct cgroup_watch *out)
{
	struct hierarchy h[CGROUP_MAX_HIERARCHIES];
	unsigned n = hierarchies(h, CGROUP_MAX_HIERARCHIES), found = 0;

	for (unsigned i = 0; i < n; i++) {
		bool own = true;
		char *slash;

		if (!h[i].v2 && !strstr(h[i].controllers, ",memory,"))
			continue;
		/* The own one even without a limit: it can get one later. */
		for (; found < CGROUP_WATCH_MAX; own = false) {
			if (watch_dir(&h[i], h[i].self, &out[found])) {
				if (own || has_limit(&out[found]))
					found++;
				else
					cgroup_watch_close(&out[found], 1);
			}
			slash = strrchr(h[i].self, '/');
			if (!slash || !h[i].self[1])
				break;
			*slash = 0;
		}
	}
	return found;
}

void cgroup_watch_close(const struct cgroup_watch *w, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		close(w[i].limit);
		close(w[i].usage);
		close(w[i].stat);
	}
}
