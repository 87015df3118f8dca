/* Typed access to JSON objects with messages that name the field's path. */
#ifndef OCI_SHIM_SPEC_JSON_UTIL_H
#define OCI_SHIM_SPEC_JSON_UTIL_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "oci-shim/spec/spec.h"

/* Where we are: file and path of the object at hand, for messages. */
struct jpos {
	const char *file;
	char path[256];
	struct oerr *e;
};

/* A position one step further down: "a" -> "a.key" or "a[3]". */
struct jpos jpos_key(const struct jpos *p, const char *key);
struct jpos jpos_idx(const struct jpos *p, size_t i);
/* Fails with "file: path: text". Always -1. */
__attribute__((format(printf, 2, 3))) int jfail(const struct jpos *p, const char *fmt, ...);

/* Each looks up key in obj (obj may be NULL: nothing is there). 1: found and of the
 * right type; 0: absent or null, *out untouched; -1: wrong type, e set. */
int jobject(const struct jpos *p, json_object *obj, const char *key, json_object **out);
int jarray(const struct jpos *p, json_object *obj, const char *key, json_object **out);
int jstring(const struct jpos *p, json_object *obj, const char *key, const char **out);
int jbool(const struct jpos *p, json_object *obj, const char *key, bool *out);
int jint(const struct jpos *p, json_object *obj, const char *key, int64_t min, int64_t max,
	 int64_t *out);
int juint64(const struct jpos *p, json_object *obj, const char *key, uint64_t *out);
int juint32(const struct jpos *p, json_object *obj, const char *key, uint32_t *out);
/* An array of strings. */
int jstrv(const struct jpos *p, json_object *obj, const char *key, struct strv *out);
/* An object whose values are strings. */
int jpairs(const struct jpos *p, json_object *obj, const char *key, struct spec_pair **out,
	   unsigned *n);
/* calloc that reports. NULL only on error (n 0 gives a block of one). */
void *jalloc(const struct jpos *p, size_t n, size_t size);

/* Parse text; the message has name:line:column. NULL on error. */
json_object *json_parse_text(const char *text, size_t len, const char *name, struct oerr *e);
/* Read a whole file (at most 16 MiB). NULL on error. malloc'd. */
char *file_read_all(const char *path, size_t *len, struct oerr *e);

#endif
