/* The "process" object of config.json, also alone for `exec --process`. */
#include <stdlib.h>
#include <string.h>

#include "oci-shim/spec/spec_impl.h"

#define NGROUPS_LIMIT 65536

static int parse_user(const struct jpos *p, json_object *proc, struct spec_process *out)
{
	struct jpos at = jpos_key(p, "user"), ag;
	json_object *u = NULL, *a = NULL;

	if (jobject(p, proc, "user", &u) < 0 || juint32(&at, u, "uid", &out->uid) < 0 ||
	    juint32(&at, u, "gid", &out->gid) < 0 || juint32(&at, u, "umask", &out->umask) < 0 ||
	    jarray(&at, u, "additionalGids", &a) < 0)
		return -1;
	if (out->umask != SPEC_ID_UNSET && out->umask > 0777) {
		ag = jpos_key(&at, "umask");
		return jfail(&ag, "%u is not a umask (0..511)", out->umask);
	}
	if (!a)
		return 0;
	ag = jpos_key(&at, "additionalGids");
	if (json_object_array_length(a) > NGROUPS_LIMIT)
		return jfail(&ag, "more than %d groups", NGROUPS_LIMIT);
	out->groups = jalloc(&ag, json_object_array_length(a), sizeof(*out->groups));
	if (!out->groups)
		return -1;
	for (size_t i = 0; i < json_object_array_length(a); i++) {
		json_object *v = json_object_array_get_idx(a, i);
		struct jpos ai = jpos_idx(&ag, i);

		if (!json_object_is_type(v, json_type_int) || json_object_get_int64(v) < 0 ||
		    json_object_get_int64(v) >= UINT32_MAX)
			return jfail(&ai, "must be a group id (0..4294967294)");
		out->groups[out->ngroups++] = (uint32_t)json_object_get_int64(v);
	}
	return 0;
}

static int parse_caps(const struct jpos *p, json_object *proc, struct spec_process *out)
{
	static const char *const sets[CAPS_SETS] = {
		[CAPS_EFFECTIVE] = "effective",	    [CAPS_PERMITTED] = "permitted",
		[CAPS_INHERITABLE] = "inheritable", [CAPS_BOUNDING] = "bounding",
		[CAPS_AMBIENT] = "ambient",
	};
	struct jpos at = jpos_key(p, "capabilities");
	json_object *c = NULL;

	if (jobject(p, proc, "capabilities", &c) < 0)
		return -1;
	for (int s = 0; s < CAPS_SETS; s++) {
		struct jpos as = jpos_key(&at, sets[s]);
		struct strv names = { 0 };
		int r = jstrv(&at, c, sets[s], &names);

		for (unsigned i = 0; r == 1 && i < names.n; i++) {
			struct jpos ai = jpos_idx(&as, i);
			int cap = cap_from_name(names.v[i]);

			if (cap < 0)
				r = jfail(&ai,
					  "unknown capability \"%s\": use a name of capabilities(7) such as CAP_NET_BIND_SERVICE",
					  names.v[i]);
			else
				out->caps[s] |= 1ULL << cap;
		}
		free(names.v);
		if (r < 0)
			return -1;
	}
	return 0;
}

static int parse_rlimits(const struct jpos *p, json_object *proc, struct spec_process *out)
{
	struct jpos at = jpos_key(p, "rlimits");
	json_object *a = NULL;

	if (jarray(p, proc, "rlimits", &a) < 0)
		return -1;
	for (size_t i = 0; a && i < json_object_array_length(a); i++) {
		json_object *o = json_object_array_get_idx(a, i);
		struct jpos ai = jpos_idx(&at, i), af = jpos_key(&ai, "type");
		struct spec_rlimit l = { .set = true };
		const char *type = NULL;
		int n;

		if (!json_object_is_type(o, json_type_object))
			return jfail(&ai, "must be an object");
		if (jstring(&ai, o, "type", &type) < 0 || juint64(&ai, o, "soft", &l.soft) < 0 ||
		    juint64(&ai, o, "hard", &l.hard) < 0)
			return -1;
		if (!type)
			return jfail(&af, "missing: give a name such as RLIMIT_NOFILE");
		n = rlimit_from_name(type);
		if (n < 0)
			return jfail(&af, "unknown resource limit \"%s\": see getrlimit(2)", type);
		if (out->rlimits[n].set)
			return jfail(&af, "%s is listed twice: remove one entry", type);
		if (l.soft > l.hard)
			return jfail(&ai, "soft limit %llu is above the hard limit %llu",
				     (unsigned long long)l.soft, (unsigned long long)l.hard);
		out->rlimits[n] = l;
	}
	return 0;
}

static int parse_console(const struct jpos *p, json_object *proc, struct spec_process *out)
{
	struct jpos at = jpos_key(p, "consoleSize");
	json_object *o = NULL;
	int64_t h = 0, w = 0;

	if (jobject(p, proc, "consoleSize", &o) < 0 || jint(&at, o, "height", 0, 65535, &h) < 0 ||
	    jint(&at, o, "width", 0, 65535, &w) < 0)
		return -1;
	out->console_rows = (unsigned)h;
	out->console_cols = (unsigned)w;
	return 0;
}

int process_parse(const struct jpos *p, json_object *obj, struct spec_process *out)
{
	struct jpos at;
	int64_t oom = 0;
	int r;

	out->umask = SPEC_ID_UNSET;
	if (jbool(p, obj, "terminal", &out->terminal) < 0 || parse_console(p, obj, out) < 0 ||
	    parse_user(p, obj, out) < 0 || jstrv(p, obj, "args", &out->args) < 0 ||
	    jstrv(p, obj, "env", &out->env) < 0 || jstring(p, obj, "cwd", &out->cwd) < 0 ||
	    parse_caps(p, obj, out) < 0 || parse_rlimits(p, obj, out) < 0 ||
	    jbool(p, obj, "noNewPrivileges", &out->no_new_privs) < 0)
		return -1;
	r = jint(p, obj, "oomScoreAdj", -1000, 1000, &oom);
	if (r < 0)
		return -1;
	out->oom_set = r == 1;
	out->oom_score_adj = (int)oom;
	if (!out->args.n || !out->args.v[0][0]) {
		at = jpos_key(p, "args");
		return jfail(&at, "must name the program to run");
	}
	if (!out->cwd || out->cwd[0] != '/') {
		at = jpos_key(p, "cwd");
		return jfail(&at, "must be an absolute path");
	}
	return 0;
}

void spec_process_fini(struct spec_process *p)
{
	free(p->groups);
	free(p->args.v);
	free(p->env.v);
	p->groups = NULL;
	p->args.v = p->env.v = NULL;
}

int spec_load_process(const char *file, struct spec_process *out, struct json_object **json,
		      struct oerr *e)
{
	struct jpos p = { .file = file, .path = "", .e = e };
	size_t len;
	char *text = file_read_all(file, &len, e);

	*json = NULL;
	memset(out, 0, sizeof(*out));
	if (!text)
		return -1;
	*json = json_parse_text(text, len, file, e);
	free(text);
	if (!*json)
		return -1;
	if (!json_object_is_type(*json, json_type_object)) {
		jfail(&p, "must be an object");
	} else if (process_parse(&p, *json, out) == 0) {
		return 0;
	}
	spec_process_fini(out);
	json_object_put(*json);
	*json = NULL;
	return -1;
}
