/* config.json as a whole. */
#include "oci-shim/spec/spec.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "oci-shim/spec/spec_impl.h"

static const char *const hook_names[HOOK_KINDS] = {
	[HOOK_PRESTART] = "prestart",
	[HOOK_CREATE_RUNTIME] = "createRuntime",
	[HOOK_CREATE_CONTAINER] = "createContainer",
	[HOOK_START_CONTAINER] = "startContainer",
	[HOOK_POSTSTART] = "poststart",
	[HOOK_POSTSTOP] = "poststop",
};

/* 1.x.y with an optional suffix. */
static int check_version(const struct jpos *p, const char *v)
{
	struct jpos at = jpos_key(p, "ociVersion");
	unsigned major, minor, patch;
	int used = 0;

	if (!v)
		return jfail(&at, "missing: give the runtime-spec version, for example \"1.0.2\"");
	if (sscanf(v, "%u.%u.%u%n", &major, &minor, &patch, &used) != 3 ||
	    (v[used] && v[used] != '-' && v[used] != '+'))
		return jfail(&at, "\"%s\" is not a version of the form 1.0.2", v);
	if (major != 1)
		return jfail(&at, "version %s is not supported: this runtime reads 1.0.0 to 1.3.x", v);
	return 0;
}

static int parse_root(const struct jpos *p, json_object *o, struct oci_spec *s)
{
	struct jpos at = jpos_key(p, "root"), ap = jpos_key(&at, "path");
	json_object *r = NULL;

	if (jobject(p, o, "root", &r) < 0)
		return -1;
	if (!r)
		return jfail(&at, "missing: give {\"path\": \"rootfs\"}");
	if (jstring(&at, r, "path", &s->root_path) < 0 ||
	    jbool(&at, r, "readonly", &s->root_readonly) < 0)
		return -1;
	if (!s->root_path || !s->root_path[0])
		return jfail(&ap, "missing: name the directory of the root file system");
	return 0;
}

static int parse_mount(const struct jpos *at, json_object *o, struct spec_mount *m)
{
	struct strv options = { 0 };
	struct oerr oe = { 0 };
	struct jpos af;
	int r;

	if (!json_object_is_type(o, json_type_object))
		return jfail(at, "must be an object");
	if (jstring(at, o, "destination", &m->destination) < 0 ||
	    jstring(at, o, "type", &m->type) < 0 || jstring(at, o, "source", &m->source) < 0 ||
	    jstrv(at, o, "options", &options) < 0) {
		free(options.v);
		return -1;
	}
	if (json_object_object_get_ex(o, "uidMappings", NULL) ||
	    json_object_object_get_ex(o, "gidMappings", NULL)) {
		free(options.v);
		return jfail(at, "uidMappings and gidMappings: mounts with mapped ids are not supported: remove them");
	}
	r = mount_options_parse(m, &options, &oe);
	free(options.v);
	if (r < 0) {
		af = jpos_key(at, "options");
		return jfail(&af, "%s", oe.text);
	}
	if (!m->destination || !m->destination[0]) {
		af = jpos_key(at, "destination");
		return jfail(&af, "missing: give the absolute path of the mount point");
	}
	if (m->bind && (!m->source || !m->source[0])) {
		af = jpos_key(at, "source");
		return jfail(&af, "missing: a bind mount needs the path to bind");
	}
	if (!m->bind && (!m->type || !m->type[0])) {
		af = jpos_key(at, "type");
		return jfail(&af, "missing: give the file system type or the option \"bind\"");
	}
	return 0;
}

static int parse_mounts(const struct jpos *p, json_object *o, struct oci_spec *s)
{
	struct jpos at = jpos_key(p, "mounts");
	json_object *a = NULL;

	if (jarray(p, o, "mounts", &a) < 0)
		return -1;
	if (!a)
		return 0;
	s->mounts = jalloc(&at, json_object_array_length(a), sizeof(*s->mounts));
	if (!s->mounts)
		return -1;
	for (size_t i = 0; i < json_object_array_length(a); i++) {
		struct jpos ai = jpos_idx(&at, i);

		if (parse_mount(&ai, json_object_array_get_idx(a, i), &s->mounts[s->nmounts++]) < 0)
			return -1;
	}
	return 0;
}

static int parse_hook_list(const struct jpos *at, json_object *a, struct spec_hooks *out)
{
	out->v = jalloc(at, json_object_array_length(a), sizeof(*out->v));
	if (!out->v)
		return -1;
	for (size_t i = 0; i < json_object_array_length(a); i++) {
		json_object *o = json_object_array_get_idx(a, i);
		struct jpos ai = jpos_idx(at, i), af;
		struct spec_hook *h = &out->v[out->n++];
		int64_t timeout = 0;
		int r;

		if (!json_object_is_type(o, json_type_object))
			return jfail(&ai, "must be an object");
		if (jstring(&ai, o, "path", &h->path) < 0 || jstrv(&ai, o, "args", &h->args) < 0 ||
		    jstrv(&ai, o, "env", &h->env) < 0)
			return -1;
		r = jint(&ai, o, "timeout", 1, INT32_MAX / 1000, &timeout);
		if (r < 0)
			return -1;
		h->timeout = (int)timeout;
		if (!h->path || h->path[0] != '/') {
			af = jpos_key(&ai, "path");
			return jfail(&af, "must be an absolute path");
		}
	}
	return 0;
}

static int parse_hooks(const struct jpos *p, json_object *o, struct oci_spec *s)
{
	struct jpos at = jpos_key(p, "hooks");
	json_object *h = NULL;

	if (jobject(p, o, "hooks", &h) < 0)
		return -1;
	for (int k = 0; h && k < HOOK_KINDS; k++) {
		struct jpos ak = jpos_key(&at, hook_names[k]);
		json_object *a = NULL;

		if (jarray(&at, h, hook_names[k], &a) < 0 ||
		    (a && parse_hook_list(&ak, a, &s->hooks[k]) < 0))
			return -1;
	}
	return 0;
}

static int check_whole(const struct jpos *p, const struct oci_spec *s)
{
	struct jpos at;

	if (s->hostname && strlen(s->hostname) > 64) {
		at = jpos_key(p, "hostname");
		return jfail(&at, "longer than 64 characters");
	}
	if (s->domainname && strlen(s->domainname) > 64) {
		at = jpos_key(p, "domainname");
		return jfail(&at, "longer than 64 characters");
	}
	if (s->hostname && s->hostname[0] && !s->ns[NS_UTS].listed) {
		at = jpos_key(p, "hostname");
		return jfail(&at, "needs a \"uts\" entry in linux.namespaces: add one");
	}
	return 0;
}

int spec_parse(const char *text, size_t len, const char *name, struct oci_spec **out,
	       struct oerr *e)
{
	struct jpos p = { .file = name, .path = "", .e = e }, at;
	struct oci_spec *s = calloc(1, sizeof(*s));
	json_object *proc = NULL, *lin = NULL;

	*out = NULL;
	if (!s)
		return oerr_set(e, "out of memory");
	s->json = json_parse_text(text, len, name, e);
	if (!s->json)
		goto fail;
	if (!json_object_is_type(s->json, json_type_object)) {
		jfail(&p, "must be an object");
		goto fail;
	}
	if (jstring(&p, s->json, "ociVersion", &s->version) < 0 || check_version(&p, s->version) < 0)
		goto fail;
	if (jobject(&p, s->json, "process", &proc) < 0 || jobject(&p, s->json, "linux", &lin) < 0 ||
	    jstring(&p, s->json, "hostname", &s->hostname) < 0 ||
	    jstring(&p, s->json, "domainname", &s->domainname) < 0 ||
	    jpairs(&p, s->json, "annotations", &s->annotations, &s->nannotations) < 0)
		goto fail;
	if (proc) {
		at = jpos_key(&p, "process");
		s->has_process = true;
		if (process_parse(&at, proc, &s->process) < 0)
			goto fail;
	}
	at = jpos_key(&p, "linux");
	if (parse_root(&p, s->json, s) < 0 || parse_mounts(&p, s->json, s) < 0 ||
	    parse_hooks(&p, s->json, s) < 0 || linux_parse(&at, lin, s) < 0 ||
	    check_whole(&p, s) < 0)
		goto fail;
	*out = s;
	return 0;
fail:
	spec_free(s);
	return -1;
}

int spec_load(const char *bundle, struct oci_spec **out, struct oerr *e)
{
	char path[4096];
	struct stat st;
	char *text;
	size_t len;
	int r;

	if (stat(bundle, &st) < 0)
		return oerr_errno(e, errno, "bundle %s", bundle);
	if (!S_ISDIR(st.st_mode))
		return oerr_set(e, "bundle %s: not a directory: give its path with --bundle", bundle);
	snprintf(path, sizeof(path), "%s/config.json", bundle);
	text = file_read_all(path, &len, e);
	if (!text) {
		if (e->cause == ENOENT)
			return oerr_set(e, "%s: no such file: give the bundle's directory with --bundle, or make one with \"runsc spec\"",
					path);
		return -1;
	}
	r = spec_parse(text, len, path, out, e);
	if (r < 0) {
		free(text);
		return -1;
	}
	(*out)->text = text;
	(*out)->text_len = len;
	return 0;
}

void spec_free(struct oci_spec *s)
{
	if (!s)
		return;
	spec_process_fini(&s->process);
	for (unsigned i = 0; i < s->nmounts; i++)
		free(s->mounts[i].data);
	free(s->mounts);
	for (int k = 0; k < HOOK_KINDS; k++) {
		for (unsigned i = 0; i < s->hooks[k].n; i++) {
			free(s->hooks[k].v[i].args.v);
			free(s->hooks[k].v[i].env.v);
		}
		free(s->hooks[k].v);
	}
	free(s->annotations);
	free(s->uid_maps);
	free(s->gid_maps);
	free(s->devices);
	free(s->masked_paths.v);
	free(s->readonly_paths.v);
	free(s->sysctls);
	free(s->res.unified);
	json_object_put(s->json);
	free(s->text);
	free(s);
}

bool hooks_any(const struct oci_spec *s)
{
	return s->hooks[HOOK_PRESTART].n || s->hooks[HOOK_CREATE_RUNTIME].n ||
	       s->hooks[HOOK_CREATE_CONTAINER].n;
}
