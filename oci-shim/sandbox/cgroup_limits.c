/* Resource limits of the spec, written into the cgroups (v1 and v2). */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "oci-shim/sandbox/cgroup_impl.h"
#include "oci-shim/sandbox/fds.h"

/* The host tasks a sandbox needs besides the guest's threads. */
#define PIDS_RESERVE 32
#define PIDS_SMALL 64

struct limits {
	const struct hierarchy *h;
	unsigned n;
	const char *rel;
	struct oerr *e;
};

/* The directory of the hierarchy that has the controller. v2: the unified one, if
 * the file is there. */
static int limit_write(struct limits *l, const char *controller, const char *v1_file,
		       const char *v2_file, const char *v1_text, const char *v2_text,
		       const char *field)
{
	char needle[64], path[2048];
	int r = -ENOENT;

	snprintf(needle, sizeof(needle), ",%s,", controller);
	for (unsigned i = 0; i < l->n && r == -ENOENT; i++) {
		const struct hierarchy *h = &l->h[i];
		const char *file = h->v2 ? v2_file : v1_file;

		if (!file || (!h->v2 && !strstr(h->controllers, needle)))
			continue;
		if (l->rel[0] == '/')
			snprintf(path, sizeof(path), "%s%s/%s", h->mount, l->rel, file);
		else
			snprintf(path, sizeof(path), "%s%s/%s/%s", h->mount,
				 h->self[1] ? h->self : "", l->rel, file);
		r = write_file(path, h->v2 ? v2_text : v1_text);
	}
	if (r == -ENOENT)
		return oerr_set(l->e, "%s: the host has no \"%s\" cgroup controller for it: remove the limit",
				field, controller);
	if (r < 0)
		return oerr_errno(l->e, -r, "%s: writing \"%s\" to %s", field, v1_text, path);
	return 0;
}

/* v2: a controller's files only appear once every parent hands it down. */
static void enable_controllers(const struct hierarchy *h, const char *rel)
{
	static const char *const names[] = { "+cpuset", "+cpu", "+io", "+memory", "+pids" };
	char path[2048];
	size_t base, len;

	snprintf(path, sizeof(path) - 32, "%s%s%s%s", h->mount, rel[0] == '/' ? "" : h->self,
		 rel[0] == '/' ? "" : "/", rel);
	base = strlen(h->mount);
	len = strlen(path);
	for (size_t i = base; i < len; i++) {
		char sub[2100];

		if (path[i] != '/')
			continue;
		snprintf(sub, sizeof(sub), "%.*s/cgroup.subtree_control", (int)i, path);
		for (size_t c = 0; c < sizeof(names) / sizeof(names[0]); c++)
			write_file(sub, names[c]);
	}
}

/* A limit is taken away: where its controller is missing there was none. */
static void unlimit(struct limits *l, const char *controller, const char *v1_file,
		    const char *v2_file, const char *v1_text, const char *v2_text)
{
	struct oerr before = *l->e;

	if (limit_write(l, controller, v1_file, v2_file, v1_text, v2_text, "") < 0)
		*l->e = before;
}

static int set_pids(struct limits *l, int64_t limit)
{
	char text[32] = "max";

	if (limit == 0)
		return 0;
	/* A small limit would not even hold the sandbox's own processes; the guest's
	 * count is held by the sentry anyway. */
	if (limit > 0)
		snprintf(text, sizeof(text), "%" PRId64,
			 limit < PIDS_SMALL ? limit + PIDS_RESERVE : limit);
	if (limit < 0) {
		unlimit(l, "pids", "pids.max", "pids.max", text, text);
		return 0;
	}
	return limit_write(l, "pids", "pids.max", "pids.max", text, text,
			   "linux.resources.pids.limit");
}

static int set_memory(struct limits *l, const struct spec_resources *r)
{
	char v1[32], v2[32];

	if (r->memory_swap < 0 || r->memory_limit < 0)
		unlimit(l, "memory", "memory.memsw.limit_in_bytes", "memory.swap.max", "-1", "max");
	if (r->memory_limit < 0)
		unlimit(l, "memory", "memory.limit_in_bytes", "memory.max", "-1", "max");
	if (r->memory_limit > 0) {
		snprintf(v1, sizeof(v1), "%" PRId64, r->memory_limit);
		if (limit_write(l, "memory", "memory.limit_in_bytes", "memory.max", v1, v1,
				"linux.resources.memory.limit") < 0)
			return -1;
	}
	if (r->memory_reservation > 0) {
		snprintf(v1, sizeof(v1), "%" PRId64, r->memory_reservation);
		if (limit_write(l, "memory", "memory.soft_limit_in_bytes", "memory.low", v1, v1,
				"linux.resources.memory.reservation") < 0)
			return -1;
	}
	if (r->memory_swap > 0) {
		struct oerr ignored = *l->e;

		snprintf(v1, sizeof(v1), "%" PRId64, r->memory_swap);
		snprintf(v2, sizeof(v2), "%" PRId64,
			 r->memory_swap > r->memory_limit ? r->memory_swap - r->memory_limit : 0);
		/* Absent without swap accounting, which is common: then there is no
		 * swap to limit either. */
		if (limit_write(l, "memory", "memory.memsw.limit_in_bytes", "memory.swap.max", v1,
				v2, "linux.resources.memory.swap") < 0)
			*l->e = ignored;
	}
	return 0;
}

static int set_cpu(struct limits *l, const struct spec_resources *r)
{
	char v1[32], v2[64];

	if (r->cpu_shares) {
		uint64_t s = r->cpu_shares < 2 ? 2 : r->cpu_shares > 262144 ? 262144 : r->cpu_shares;

		snprintf(v1, sizeof(v1), "%" PRIu64, s);
		snprintf(v2, sizeof(v2), "%" PRIu64, 1 + (s - 2) * 9999 / 262142);
		if (limit_write(l, "cpu", "cpu.shares", "cpu.weight", v1, v2,
				"linux.resources.cpu.shares") < 0)
			return -1;
	}
	if (r->cpu_period) {
		snprintf(v1, sizeof(v1), "%" PRIu64, r->cpu_period);
		snprintf(v2, sizeof(v2), "max %" PRIu64, r->cpu_period);
		if (limit_write(l, "cpu", "cpu.cfs_period_us", "cpu.max", v1, v2,
				"linux.resources.cpu.period") < 0)
			return -1;
	}
	if (r->cpu_quota > 0) {
		snprintf(v1, sizeof(v1), "%" PRId64, r->cpu_quota);
		snprintf(v2, sizeof(v2), "%" PRId64 " %" PRIu64, r->cpu_quota,
			 r->cpu_period ? r->cpu_period : 100000);
		if (limit_write(l, "cpu", "cpu.cfs_quota_us", "cpu.max", v1, v2,
				"linux.resources.cpu.quota") < 0)
			return -1;
	}
	if (r->cpu_quota < 0)
		unlimit(l, "cpu", "cpu.cfs_quota_us", "cpu.max", "-1", "max");
	if (r->cpus && r->cpus[0] &&
	    limit_write(l, "cpuset", "cpuset.cpus", "cpuset.cpus", r->cpus, r->cpus,
			"linux.resources.cpu.cpus") < 0)
		return -1;
	if (r->mems && r->mems[0] &&
	    limit_write(l, "cpuset", "cpuset.mems", "cpuset.mems", r->mems, r->mems,
			"linux.resources.cpu.mems") < 0)
		return -1;
	return 0;
}

static int set_unified(struct limits *l, const struct spec_resources *r)
{
	for (unsigned i = 0; i < r->nunified; i++) {
		const char *key = r->unified[i].key;
		char field[256];

		snprintf(field, sizeof(field), "linux.resources.unified.%.200s", key);
		if (strchr(key, '/') || key[0] == '.')
			return oerr_set(l->e, "%s: not a cgroup file name", field);
		if (limit_write(l, key, NULL, key, r->unified[i].value, r->unified[i].value,
				field) < 0)
			return -1;
	}
	return 0;
}

int limits_set(const struct hierarchy *h, unsigned n, const char *rel,
	       const struct spec_resources *r, struct oerr *e)
{
	struct limits l = { h, n, rel, e };

	for (unsigned i = 0; i < n; i++)
		if (h[i].v2 && n == 1)
			enable_controllers(&h[i], rel);
	if (set_pids(&l, r->pids_limit) < 0 || set_memory(&l, r) < 0 || set_cpu(&l, r) < 0)
		return -1;
	return set_unified(&l, r);
}

int systemd_refuse(const struct oci_spec *spec, struct oerr *e)
{
	struct stat st;

	if (stat("/run/systemd/system", &st) < 0)
		return oerr_set(e, "systemd not running on this host, cannot use systemd cgroups manager: leave out --systemd-cgroup");
	return oerr_set(e, "linux.cgroupsPath \"%s\": systemd's cgroup manager is not supported: leave out --systemd-cgroup",
			spec->cgroups_path ? spec->cgroups_path : "");
}
