/* state.json: the OCI state plus a "runsc" object with what only we need. */
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "oci-shim/spec/json_util.h"
#include "oci-shim/state/state_impl.h"
#include "platform/base/auto.h"

static void add_str(json_object *o, const char *key, const char *v)
{
	json_object_object_add(o, key, json_object_new_string(v ? v : ""));
}

static json_object *oci_object(const struct state *s, enum cstatus st, pid_t pid)
{
	json_object *o = json_object_new_object(), *a = json_object_new_object();

	add_str(o, "ociVersion", s->version ? s->version : RUNSC_SPEC_VERSION);
	add_str(o, "id", s->id);
	json_object_object_add(o, "pid", json_object_new_int(st == ST_STOPPED ? 0 : pid));
	add_str(o, "status", status_name(st));
	add_str(o, "bundle", s->bundle);
	add_str(o, "rootfs", s->rootfs);
	add_str(o, "created", s->created);
	for (unsigned i = 0; i < s->nannotations; i++)
		add_str(a, s->annotations[i].key, s->annotations[i].value);
	json_object_object_add(o, "annotations", a);
	add_str(o, "owner", s->owner);
	return o;
}

static char *text_of(json_object *o, bool pretty)
{
	const char *t = json_object_to_json_string_ext(
		o, JSON_C_TO_STRING_NOSLASHESCAPE |
			   (pretty ? JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED
				   : JSON_C_TO_STRING_PLAIN));
	char *copy = t ? strdup(t) : NULL;

	json_object_put(o);
	return copy;
}

char *state_to_json(const struct state *s, enum cstatus st, pid_t pid, bool pretty)
{
	return text_of(oci_object(s, st, pid), pretty);
}

char *state_file_text(const struct state *s)
{
	json_object *o = oci_object(s, s->status == ST_STOPPED ? ST_CREATING : s->status,
				    s->init.pid);
	json_object *r = json_object_new_object(), *c = json_object_new_array();

	add_str(r, "pausedFrom", status_name(s->paused_from));
	json_object_object_add(r, "initStart", json_object_new_uint64(s->init.start));
	json_object_object_add(r, "sentryPid", json_object_new_int(s->sentry.pid));
	json_object_object_add(r, "sentryStart", json_object_new_uint64(s->sentry.start));
	for (unsigned i = 0; i < s->ncgroups; i++)
		json_object_array_add(c, json_object_new_string(s->cgroups[i]));
	json_object_object_add(r, "cgroups", c);
	if (s->freezer) {
		add_str(r, "freezer", s->freezer);
		json_object_object_add(r, "freezerV2", json_object_new_boolean(s->freezer_v2));
	}
	json_object_object_add(o, "runsc", r);
	return text_of(o, false);
}

static char *dup_str(const struct jpos *p, json_object *o, const char *key, int *err)
{
	const char *v = NULL;

	if (jstring(p, o, key, &v) < 0)
		*err = -1;
	return v ? strdup(v) : NULL;
}

static int read_runsc(const struct jpos *p, json_object *r, struct state *s)
{
	int64_t pid = 0;
	const char *from = NULL;
	json_object *c = NULL;
	int err = 0;

	if (jstring(p, r, "pausedFrom", &from) < 0)
		return -1;
	s->paused_from = from && !strcmp(from, "created") ? ST_CREATED : ST_RUNNING;
	if (juint64(p, r, "initStart", &s->init.start) < 0 ||
	    jint(p, r, "sentryPid", 0, INT32_MAX, &pid) < 0 ||
	    juint64(p, r, "sentryStart", &s->sentry.start) < 0 ||
	    jarray(p, r, "cgroups", &c) < 0 || jbool(p, r, "freezerV2", &s->freezer_v2) < 0)
		return -1;
	s->sentry.pid = (pid_t)pid;
	s->freezer = dup_str(p, r, "freezer", &err);
	for (size_t i = 0; c && i < json_object_array_length(c) && i < STATE_MAX_CGROUPS; i++) {
		const char *dir = json_object_get_string(json_object_array_get_idx(c, i));

		s->cgroups[s->ncgroups] = strdup(dir ? dir : "");
		if (s->cgroups[s->ncgroups])
			s->ncgroups++;
	}
	return err;
}

int state_read_json(struct state *s, struct oerr *e)
{
	struct jpos p = { .file = "state.json", .path = "", .e = e };
	json_object *r = NULL;
	const char *status = NULL;
	AUTO_CLOSE int fd = openat(s->dirfd, "state.json", O_RDONLY | O_CLOEXEC);
	AUTO_FREE char *text = NULL;
	char path[64];
	int64_t pid = 0;
	size_t len;
	int err = 0;

	if (fd < 0) {
		s->status = ST_CREATING;
		return errno == ENOENT ? 0 : oerr_errno(e, errno, "state.json");
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	text = file_read_all(path, &len, e);
	if (!text)
		return -1;
	s->json = json_parse_text(text, len, "state.json", e);
	if (!s->json)
		return -1;
	s->version = dup_str(&p, s->json, "ociVersion", &err);
	s->bundle = dup_str(&p, s->json, "bundle", &err);
	s->rootfs = dup_str(&p, s->json, "rootfs", &err);
	s->created = dup_str(&p, s->json, "created", &err);
	s->owner = dup_str(&p, s->json, "owner", &err);
	if (err || jint(&p, s->json, "pid", 0, INT32_MAX, &pid) < 0 ||
	    jstring(&p, s->json, "status", &status) < 0 ||
	    jpairs(&p, s->json, "annotations", &s->annotations, &s->nannotations) < 0 ||
	    jobject(&p, s->json, "runsc", &r) < 0)
		return -1;
	s->init.pid = (pid_t)pid;
	s->status = ST_CREATING;
	for (int i = ST_CREATING; status && i <= ST_PAUSED; i++)
		if (!strcmp(status, status_name((enum cstatus)i)))
			s->status = (enum cstatus)i;
	return read_runsc(&p, r, s);
}
