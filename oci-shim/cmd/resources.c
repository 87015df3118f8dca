/* update, events: the container's cgroups while it exists. */
#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "oci-shim/cmd/cmd.h"
#include "oci-shim/sandbox/cgroup.h"
#include "platform/base/auto.h"

/* ---- update ---- */

struct update_args {
	const char *file, *memory, *swap, *reservation, *period, *quota, *shares, *cpus, *mems, *pids;
};

static int number(const char *flag, const char *text, int64_t *out, struct oerr *e)
{
	char *end;

	if (!text)
		return 0;
	errno = 0;
	*out = strtoll(text, &end, 10);
	if (errno || end == text || *end)
		return oerr_set(e, "--%s %s: not a number", flag, text);
	return 0;
}

static int unsigned_number(const char *flag, const char *text, uint64_t *out, struct oerr *e)
{
	int64_t v = (int64_t)*out;

	if (number(flag, text, &v, e) < 0)
		return -1;
	if (v < 0)
		return oerr_set(e, "--%s %s: must not be negative", flag, text);
	*out = (uint64_t)v;
	return 0;
}

/* The flags count more than the file. */
static int from_flags(const struct update_args *a, struct spec_resources *r, struct oerr *e)
{
	if (a->cpus)
		r->cpus = a->cpus;
	if (a->mems)
		r->mems = a->mems;
	if (number("memory", a->memory, &r->memory_limit, e) < 0 ||
	    number("memory-swap", a->swap, &r->memory_swap, e) < 0 ||
	    number("memory-reservation", a->reservation, &r->memory_reservation, e) < 0 ||
	    number("cpu-quota", a->quota, &r->cpu_quota, e) < 0 ||
	    number("pids-limit", a->pids, &r->pids_limit, e) < 0 ||
	    unsigned_number("cpu-period", a->period, &r->cpu_period, e) < 0)
		return -1;
	return unsigned_number("cpu-share", a->shares, &r->cpu_shares, e);
}

int cmd_update(struct runsc_opts *o, char **argv, struct oerr *e)
{
	struct update_args a = { 0 };
	const struct arg_def defs[] = {
		{ "resources", 'r', ARG_TEXT, &a.file, "file with linux.resources as JSON, - for stdin" },
		{ "memory", 0, ARG_TEXT, &a.memory, "bytes; -1: no limit" },
		{ "memory-swap", 0, ARG_TEXT, &a.swap, "memory and swap together in bytes" },
		{ "memory-reservation", 0, ARG_TEXT, &a.reservation, "bytes that are kept for it" },
		{ "cpu-period", 0, ARG_TEXT, &a.period, "microseconds" },
		{ "cpu-quota", 0, ARG_TEXT, &a.quota, "microseconds in each period; -1: no limit" },
		{ "cpu-share", 0, ARG_TEXT, &a.shares, "weight, 1024 is normal" },
		{ "cpuset-cpus", 0, ARG_TEXT, &a.cpus, "CPUs it may use" },
		{ "cpuset-mems", 0, ARG_TEXT, &a.mems, "memory nodes it may use" },
		{ "pids-limit", 0, ARG_TEXT, &a.pids, "processes; -1: no limit" },
		{ "blkio-weight", 0, ARG_TEXT, NULL, NULL },
		{ "cpu-idle", 0, ARG_TEXT, NULL, NULL },
		{ "cpu-burst", 0, ARG_TEXT, NULL, NULL },
		{ "cpu-rt-period", 0, ARG_TEXT, NULL, NULL },
		{ "cpu-rt-runtime", 0, ARG_TEXT, NULL, NULL },
		{ "kernel-memory", 0, ARG_TEXT, NULL, NULL },
		{ "kernel-memory-tcp", 0, ARG_TEXT, NULL, NULL },
		{ 0 },
	};
	int r = cmd_parse(o, "update", "ID", defs, &argv, e);
	struct spec_resources res = { 0 };
	struct json_object *json = NULL;
	struct state *st;
	const char *id;

	if (r)
		return r < 0 ? -1 : 0;
	if (cmd_one_id("update", argv, &id, e) < 0)
		return -1;
	if (a.file && spec_load_resources(!strcmp(a.file, "-") ? "/dev/stdin" : a.file, &res, &json,
					  e) < 0)
		return -1;
	r = from_flags(&a, &res, e);
	if (r == 0)
		r = state_open(o, id, true, &st, e);
	if (r == 0) {
		r = state_status(st) == ST_STOPPED ? oerr_set(e, "container not running")
						   : cgroup_update(st, &res, e);
		state_free(st);
	}
	free(res.unified);
	json_object_put(json);
	return r;
}

/* ---- events ---- */

static void add_number(json_object *o, const char *key, uint64_t v)
{
	json_object_object_add(o, key, json_object_new_uint64(v));
}

static void add_memory(json_object *data, const struct cgroup_stats *s)
{
	json_object *memory = json_object_new_object(), *usage = json_object_new_object();

	add_number(usage, "limit", s->memory_limit);
	add_number(usage, "usage", s->memory_usage);
	add_number(usage, "max", s->memory_max);
	add_number(usage, "failcnt", s->memory_failcnt);
	json_object_object_add(memory, "usage", usage);
	json_object_object_add(data, "memory", memory);
}

static void print_stats(const struct state *st)
{
	json_object *top = json_object_new_object(), *data = json_object_new_object();
	json_object *cpu = json_object_new_object(), *usage = json_object_new_object();
	json_object *pids = json_object_new_object();
	struct cgroup_stats s;

	cgroup_read_stats(st, &s);
	add_number(usage, "total", s.cpu_total);
	add_number(usage, "kernel", s.cpu_kernel);
	add_number(usage, "user", s.cpu_user);
	json_object_object_add(cpu, "usage", usage);
	json_object_object_add(data, "cpu", cpu);
	add_memory(data, &s);
	add_number(pids, "current", s.pids);
	add_number(pids, "limit", s.pids_limit);
	json_object_object_add(data, "pids", pids);
	json_object_object_add(top, "type", json_object_new_string("stats"));
	json_object_object_add(top, "id", json_object_new_string(st->id));
	json_object_object_add(top, "data", data);
	puts(json_object_to_json_string_ext(top, JSON_C_TO_STRING_PLAIN |
							 JSON_C_TO_STRING_NOSLASHESCAPE));
	fflush(stdout);
	json_object_put(top);
}

/* "5s", "500ms", "2m" -> milliseconds, or -1. */
static int interval_ms(const char *text)
{
	char *end;
	double v = strtod(text, &end);

	if (end == text || v <= 0)
		return -1;
	v *= !strcmp(end, "ms") ? 1 : !strcmp(end, "s") ? 1000 : !strcmp(end, "m") ? 60000 : -1;
	return v >= 1 && v <= 86400000 ? (int)v : -1;
}

int cmd_events(struct runsc_opts *o, char **argv, struct oerr *e)
{
	const char *interval = "5s", *id;
	bool once = false;
	const struct arg_def defs[] = {
		{ "stats", 0, ARG_FLAG, &once, "print the figures once" },
		{ "interval", 0, ARG_TEXT, &interval, "time between figures (default: 5s)" },
		{ 0 },
	};
	int r = cmd_parse(o, "events", "ID", defs, &argv, e), ms;
	struct pollfd pf = { .events = POLLIN };
	struct state *st;

	if (r)
		return r < 0 ? -1 : 0;
	ms = interval_ms(interval);
	if (ms < 0)
		return oerr_set(e, "--interval %s: use a time such as 5s", interval);
	if (cmd_one_id("events", argv, &id, e) < 0 || state_open(o, id, false, &st, e) < 0)
		return -1;
	pf.fd = state_status(st) == ST_STOPPED ? -1 : proc_pidfd(&st->init);
	if (pf.fd < 0) {
		state_free(st);
		return oerr_set(e, "container with id %s is not running", id);
	}
	do {
		print_stats(st);
	} while (!once && (poll(&pf, 1, ms) == 0));
	close(pf.fd);
	state_free(st);
	return 0;
}

/* ---- checkpoint, restore: asked for by callers to find out ---- */

int cmd_checkpoint(struct runsc_opts *o, char **argv, struct oerr *e)
{
	const struct arg_def defs[] = {
		{ "image-path", 0, ARG_TEXT, NULL, NULL },
		{ "work-path", 0, ARG_TEXT, NULL, NULL },
		{ "parent-path", 0, ARG_TEXT, NULL, NULL },
		{ "leave-running", 0, ARG_FLAG, NULL, NULL },
		{ "tcp-established", 0, ARG_FLAG, NULL, NULL },
		{ "ext-unix-sk", 0, ARG_FLAG, NULL, NULL },
		{ "shell-job", 0, ARG_FLAG, NULL, NULL },
		{ "file-locks", 0, ARG_FLAG, NULL, NULL },
		{ "pre-dump", 0, ARG_FLAG, NULL, NULL },
		{ "lazy-pages", 0, ARG_FLAG, NULL, NULL },
		{ "manage-cgroups-mode", 0, ARG_TEXT, NULL, NULL },
		{ "empty-ns", 0, ARG_LIST, NULL, NULL },
		{ "status-fd", 0, ARG_TEXT, NULL, NULL },
		{ "page-server", 0, ARG_TEXT, NULL, NULL },
		{ 0 },
	};
	int r = cmd_parse(o, "checkpoint", "ID", defs, &argv, e);

	if (r)
		return r < 0 ? -1 : 0;
	return oerr_set(e, "checkpoint: this runtime cannot save a running container");
}

int cmd_restore(struct runsc_opts *o, char **argv, struct oerr *e)
{
	const struct arg_def defs[] = {
		{ "image-path", 0, ARG_TEXT, NULL, NULL },
		{ "work-path", 0, ARG_TEXT, NULL, NULL },
		{ "bundle", 'b', ARG_TEXT, NULL, NULL },
		{ "pid-file", 0, ARG_TEXT, NULL, NULL },
		{ "console-socket", 0, ARG_TEXT, NULL, NULL },
		{ "detach", 'd', ARG_FLAG, NULL, NULL },
		{ "no-pivot", 0, ARG_FLAG, NULL, NULL },
		{ "no-subreaper", 0, ARG_FLAG, NULL, NULL },
		{ "tcp-established", 0, ARG_FLAG, NULL, NULL },
		{ "tcp-close", 0, ARG_FLAG, NULL, NULL },
		{ "ext-unix-sk", 0, ARG_FLAG, NULL, NULL },
		{ "shell-job", 0, ARG_FLAG, NULL, NULL },
		{ "file-locks", 0, ARG_FLAG, NULL, NULL },
		{ "lazy-pages", 0, ARG_FLAG, NULL, NULL },
		{ "manage-cgroups-mode", 0, ARG_TEXT, NULL, NULL },
		{ "empty-ns", 0, ARG_LIST, NULL, NULL },
		{ "lsm-profile", 0, ARG_TEXT, NULL, NULL },
		{ "lsm-mount-context", 0, ARG_TEXT, NULL, NULL },
		{ 0 },
	};
	int r = cmd_parse(o, "restore", "ID", defs, &argv, e);

	if (r)
		return r < 0 ? -1 : 0;
	return oerr_set(e, "restore: this runtime cannot restore a saved container");
}
