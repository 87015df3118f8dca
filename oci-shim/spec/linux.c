/* The "linux" object of config.json. */
#include <stdlib.h>
#include <string.h>

#include "oci-shim/spec/spec_impl.h"

static const char *const ns_names[NS_KINDS] = {
	[NS_PID] = "pid", [NS_NETWORK] = "network", [NS_MOUNT] = "mount",   [NS_IPC] = "ipc",
	[NS_UTS] = "uts", [NS_USER] = "user",	    [NS_CGROUP] = "cgroup", [NS_TIME] = "time",
};

static int parse_namespaces(const struct jpos *p, json_object *linux_, struct oci_spec *s)
{
	struct jpos at = jpos_key(p, "namespaces");
	json_object *a = NULL;

	if (jarray(p, linux_, "namespaces", &a) < 0)
		return -1;
	for (size_t i = 0; a && i < json_object_array_length(a); i++) {
		json_object *o = json_object_array_get_idx(a, i);
		struct jpos ai = jpos_idx(&at, i), af = jpos_key(&ai, "type");
		const char *type = NULL, *path = NULL;
		int k;

		if (!json_object_is_type(o, json_type_object))
			return jfail(&ai, "must be an object");
		if (jstring(&ai, o, "type", &type) < 0 || jstring(&ai, o, "path", &path) < 0)
			return -1;
		for (k = 0; type && k < NS_KINDS && strcmp(type, ns_names[k]); k++)
			;
		if (!type || k == NS_KINDS)
			return jfail(&af,
				     "unknown namespace \"%s\": use pid, network, mount, ipc, uts, user, cgroup or time",
				     type ? type : "");
		if (s->ns[k].listed)
			return jfail(&ai, "namespace \"%s\" is listed twice: remove one entry", type);
		if (path && path[0] && path[0] != '/') {
			af = jpos_key(&ai, "path");
			return jfail(&af, "\"%s\" is not an absolute path", path);
		}
		s->ns[k].listed = true;
		s->ns[k].path = path && path[0] ? path : NULL;
	}
	return 0;
}

static int parse_idmaps(const struct jpos *p, json_object *linux_, const char *key,
			struct spec_idmap **out, unsigned *n)
{
	struct jpos at = jpos_key(p, key);
	json_object *a = NULL;

	if (jarray(p, linux_, key, &a) < 0)
		return -1;
	if (!a)
		return 0;
	*out = jalloc(&at, json_object_array_length(a), sizeof(**out));
	if (!*out)
		return -1;
	for (size_t i = 0; i < json_object_array_length(a); i++) {
		json_object *o = json_object_array_get_idx(a, i);
		struct jpos ai = jpos_idx(&at, i);
		struct spec_idmap *m = &(*out)[(*n)++];

		if (!json_object_is_type(o, json_type_object))
			return jfail(&ai, "must be an object");
		if (juint32(&ai, o, "containerID", &m->container_id) < 0 ||
		    juint32(&ai, o, "hostID", &m->host_id) < 0 ||
		    juint32(&ai, o, "size", &m->size) < 0)
			return -1;
	}
	return 0;
}

static int parse_devices(const struct jpos *p, json_object *linux_, struct oci_spec *s)
{
	struct jpos at = jpos_key(p, "devices");
	json_object *a = NULL;

	if (jarray(p, linux_, "devices", &a) < 0)
		return -1;
	if (!a)
		return 0;
	s->devices = jalloc(&at, json_object_array_length(a), sizeof(*s->devices));
	if (!s->devices)
		return -1;
	for (size_t i = 0; i < json_object_array_length(a); i++) {
		json_object *o = json_object_array_get_idx(a, i);
		struct jpos ai = jpos_idx(&at, i), af = jpos_key(&ai, "type");
		struct spec_device *d = &s->devices[s->ndevices++];
		const char *type = NULL;

		d->mode = 0666;
		if (!json_object_is_type(o, json_type_object))
			return jfail(&ai, "must be an object");
		if (jstring(&ai, o, "path", &d->path) < 0 || jstring(&ai, o, "type", &type) < 0 ||
		    juint32(&ai, o, "major", &d->major) < 0 ||
		    juint32(&ai, o, "minor", &d->minor) < 0 ||
		    juint32(&ai, o, "fileMode", &d->mode) < 0 ||
		    juint32(&ai, o, "uid", &d->uid) < 0 || juint32(&ai, o, "gid", &d->gid) < 0)
			return -1;
		if (!type || strlen(type) != 1 || !strchr("cubp", type[0]))
			return jfail(&af, "\"%s\" is not a device type: use c, b, u or p",
				     type ? type : "");
		d->type = type[0] == 'u' ? 'c' : type[0];
		if (!d->path || d->path[0] != '/') {
			af = jpos_key(&ai, "path");
			return jfail(&af, "must be an absolute path");
		}
	}
	return 0;
}

/* at is the position of o, the "resources" object. */
static int resources_parse(const struct jpos *at, json_object *o, struct spec_resources *r)
{
	struct jpos mem = jpos_key(at, "memory"), cpu = jpos_key(at, "cpu"),
		    pids = jpos_key(at, "pids");
	json_object *m = NULL, *c = NULL, *q = NULL;

	if (jobject(at, o, "memory", &m) < 0 || jobject(at, o, "cpu", &c) < 0 ||
	    jobject(at, o, "pids", &q) < 0)
		return -1;
	if (jint(&mem, m, "limit", -1, INT64_MAX, &r->memory_limit) < 0 ||
	    jint(&mem, m, "swap", -1, INT64_MAX, &r->memory_swap) < 0 ||
	    jint(&mem, m, "reservation", -1, INT64_MAX, &r->memory_reservation) < 0 ||
	    juint64(&cpu, c, "shares", &r->cpu_shares) < 0 ||
	    juint64(&cpu, c, "period", &r->cpu_period) < 0 ||
	    jint(&cpu, c, "quota", INT64_MIN, INT64_MAX, &r->cpu_quota) < 0 ||
	    jstring(&cpu, c, "cpus", &r->cpus) < 0 || jstring(&cpu, c, "mems", &r->mems) < 0 ||
	    jint(&pids, q, "limit", INT64_MIN, INT64_MAX, &r->pids_limit) < 0)
		return -1;
	return jpairs(at, o, "unified", &r->unified, &r->nunified) < 0 ? -1 : 0;
}

static int parse_resources(const struct jpos *p, json_object *linux_, struct spec_resources *r)
{
	struct jpos at = jpos_key(p, "resources");
	json_object *o = NULL;

	return jobject(p, linux_, "resources", &o) < 0 ? -1 : resources_parse(&at, o, r);
}

int spec_load_resources(const char *file, struct spec_resources *out, json_object **json,
			struct oerr *e)
{
	struct jpos p = { .file = file, .path = "", .e = e };
	size_t len;
	char *text = file_read_all(file, &len, e);
	int r = -1;

	*json = text ? json_parse_text(text, len, file, e) : NULL;
	free(text);
	if (!*json)
		return -1;
	if (!json_object_is_type(*json, json_type_object))
		jfail(&p, "must be an object");
	else
		r = resources_parse(&p, *json, out);
	if (r < 0) {
		free(out->unified);
		json_object_put(*json);
		*json = NULL;
	}
	return r;
}

int linux_parse(const struct jpos *p, json_object *obj, struct oci_spec *s)
{
	if (parse_namespaces(p, obj, s) < 0 ||
	    parse_idmaps(p, obj, "uidMappings", &s->uid_maps, &s->nuid_maps) < 0 ||
	    parse_idmaps(p, obj, "gidMappings", &s->gid_maps, &s->ngid_maps) < 0 ||
	    parse_devices(p, obj, s) < 0 || parse_resources(p, obj, &s->res) < 0 ||
	    jstrv(p, obj, "maskedPaths", &s->masked_paths) < 0 ||
	    jstrv(p, obj, "readonlyPaths", &s->readonly_paths) < 0 ||
	    jpairs(p, obj, "sysctl", &s->sysctls, &s->nsysctls) < 0 ||
	    jstring(p, obj, "cgroupsPath", &s->cgroups_path) < 0)
		return -1;
	return 0;
}
