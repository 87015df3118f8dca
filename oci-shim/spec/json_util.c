/* Typed access to JSON objects with messages that name the field's path. */
#include "oci-shim/spec/json_util.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform/base/auto.h"

#define JSON_FILE_MAX (16u << 20)
#define JSON_DEPTH 64

struct jpos jpos_key(const struct jpos *p, const char *key)
{
	struct jpos q = { .file = p->file, .e = p->e };

	snprintf(q.path, sizeof(q.path), "%.120s%s%.120s", p->path, p->path[0] ? "." : "", key);
	return q;
}

struct jpos jpos_idx(const struct jpos *p, size_t i)
{
	struct jpos q = { .file = p->file, .e = p->e };

	snprintf(q.path, sizeof(q.path), "%.200s[%zu]", p->path, i);
	return q;
}

int jfail(const struct jpos *p, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return oerr_set(p->e, "%s: %s: %s", p->file, p->path[0] ? p->path : "(top level)", text);
}

static json_object *get(json_object *obj, const char *key)
{
	json_object *v = NULL;

	if (obj)
		json_object_object_get_ex(obj, key, &v);
	return v;
}

static int typed(const struct jpos *p, json_object *obj, const char *key, json_type type,
		 const char *want, json_object **out)
{
	json_object *v = get(obj, key);
	struct jpos at;

	if (!v)
		return 0;
	if (!json_object_is_type(v, type)) {
		at = jpos_key(p, key);
		return jfail(&at, "must be %s, not %s", want,
			     json_type_to_name(json_object_get_type(v)));
	}
	*out = v;
	return 1;
}

int jobject(const struct jpos *p, json_object *obj, const char *key, json_object **out)
{
	return typed(p, obj, key, json_type_object, "an object", out);
}

int jarray(const struct jpos *p, json_object *obj, const char *key, json_object **out)
{
	return typed(p, obj, key, json_type_array, "an array", out);
}

/* A string without a NUL inside: what follows one would be lost silently. */
static int string_ok(const struct jpos *at, json_object *v, const char **out)
{
	if (!json_object_is_type(v, json_type_string))
		return jfail(at, "must be a string, not %s",
			     json_type_to_name(json_object_get_type(v)));
	if (strlen(json_object_get_string(v)) != (size_t)json_object_get_string_len(v))
		return jfail(at, "must not contain a NUL character");
	*out = json_object_get_string(v);
	return 1;
}

int jstring(const struct jpos *p, json_object *obj, const char *key, const char **out)
{
	json_object *v = get(obj, key);
	struct jpos at;

	if (!v)
		return 0;
	at = jpos_key(p, key);
	return string_ok(&at, v, out);
}

int jbool(const struct jpos *p, json_object *obj, const char *key, bool *out)
{
	json_object *v;
	int r = typed(p, obj, key, json_type_boolean, "true or false", &v);

	if (r == 1)
		*out = json_object_get_boolean(v);
	return r;
}

int jint(const struct jpos *p, json_object *obj, const char *key, int64_t min, int64_t max,
	 int64_t *out)
{
	json_object *v;
	int r = typed(p, obj, key, json_type_int, "a whole number", &v);
	int64_t n;

	if (r != 1)
		return r;
	n = json_object_get_int64(v);
	if (n < min || n > max) {
		struct jpos at = jpos_key(p, key);

		return jfail(&at, "%lld is outside %lld..%lld", (long long)n, (long long)min,
			     (long long)max);
	}
	*out = n;
	return 1;
}

int juint64(const struct jpos *p, json_object *obj, const char *key, uint64_t *out)
{
	json_object *v;
	int r = typed(p, obj, key, json_type_int, "a whole number", &v);

	if (r != 1)
		return r;
	if (json_object_get_int64(v) < 0) {
		struct jpos at = jpos_key(p, key);

		return jfail(&at, "must not be negative");
	}
	*out = json_object_get_uint64(v);
	return 1;
}

int juint32(const struct jpos *p, json_object *obj, const char *key, uint32_t *out)
{
	int64_t n;
	int r = jint(p, obj, key, 0, UINT32_MAX - 1, &n);

	if (r == 1)
		*out = (uint32_t)n;
	return r;
}

int jstrv(const struct jpos *p, json_object *obj, const char *key, struct strv *out)
{
	struct jpos at = jpos_key(p, key);
	json_object *a;
	int r = jarray(p, obj, key, &a);
	size_t n;

	if (r != 1)
		return r;
	n = json_object_array_length(a);
	out->v = jalloc(&at, n, sizeof(*out->v));
	if (!out->v)
		return -1;
	for (size_t i = 0; i < n; i++) {
		struct jpos ai = jpos_idx(&at, i);

		if (string_ok(&ai, json_object_array_get_idx(a, i), &out->v[i]) < 0)
			return -1;
		out->n++;
	}
	return 1;
}

int jpairs(const struct jpos *p, json_object *obj, const char *key, struct spec_pair **out,
	   unsigned *n)
{
	struct jpos at = jpos_key(p, key);
	struct json_object_iterator it, end;
	json_object *o;
	int r = jobject(p, obj, key, &o);

	if (r != 1)
		return r;
	*out = jalloc(&at, (size_t)json_object_object_length(o), sizeof(**out));
	if (!*out)
		return -1;
	it = json_object_iter_begin(o);
	end = json_object_iter_end(o);
	for (; !json_object_iter_equal(&it, &end); json_object_iter_next(&it)) {
		const char *name = json_object_iter_peek_name(&it);
		struct jpos ai = jpos_key(&at, name);

		(*out)[*n].key = name;
		if (string_ok(&ai, json_object_iter_peek_value(&it), &(*out)[*n].value) < 0)
			return -1;
		(*n)++;
	}
	return 1;
}

void *jalloc(const struct jpos *p, size_t n, size_t size)
{
	void *v = calloc(n ? n : 1, size);

	if (!v)
		jfail(p, "out of memory");
	return v;
}

json_object *json_parse_text(const char *text, size_t len, const char *name, struct oerr *e)
{
	json_tokener *tok = json_tokener_new_ex(JSON_DEPTH);
	enum json_tokener_error err;
	json_object *o;
	size_t pos, line = 1, col = 1;

	if (!tok || len > JSON_FILE_MAX) {
		json_tokener_free(tok);
		oerr_set(e, "%s: too large", name);
		return NULL;
	}
	json_tokener_set_flags(tok, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	/* The NUL is part of what is parsed: it ends a bare number and shows truncation. */
	o = json_tokener_parse_ex(tok, text, (int)len + 1);
	err = json_tokener_get_error(tok);
	pos = json_tokener_get_parse_end(tok);
	json_tokener_free(tok);
	if (o && err == json_tokener_success)
		return o;
	json_object_put(o);
	if (pos > len)
		pos = len;
	for (size_t i = 0; i < pos; i++) {
		col = text[i] == '\n' ? 1 : col + 1;
		line += text[i] == '\n';
	}
	oerr_set(e, "%s:%zu:%zu: not valid JSON: %s: correct the file there", name, line, col,
		 err == json_tokener_continue || err == json_tokener_error_parse_eof
			 ? "unexpected end of file"
			 : json_tokener_error_desc(err));
	return NULL;
}

char *file_read_all(const char *path, size_t *len, struct oerr *e)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	size_t cap = 16384, n = 0;
	char *buf, *more;
	ssize_t r;

	if (fd < 0) {
		oerr_errno(e, errno, "%s", path);
		return NULL;
	}
	buf = malloc(cap);
	while (buf) {
		r = read(fd, buf + n, cap - n - 1);
		if (r < 0) {
			oerr_errno(e, errno, "%s", path);
			free(buf);
			return NULL;
		}
		if (r == 0) {
			buf[n] = 0;
			*len = n;
			return buf;
		}
		n += (size_t)r;
		if (n >= JSON_FILE_MAX) {
			oerr_set(e, "%s: larger than %u MiB", path, JSON_FILE_MAX >> 20);
			free(buf);
			return NULL;
		}
		if (cap - n < 4096) {
			cap *= 2;
			more = realloc(buf, cap);
			if (!more)
				free(buf);
			buf = more;
		}
	}
	oerr_set(e, "%s: out of memory", path);
	return NULL;
}
