/* --overlay2: where changes go. {root|all}:{memory|self|dir=/path}[,size=N[k|m|g]], or none. */
#include <stdlib.h>
#include <string.h>

#include "oci-shim/opts.h"

static bool parse_size(const char *text, uint64_t *out)
{
	static const char units[] = "kmgt";
	char *end;
	unsigned long long v = strtoull(text, &end, 10);
	const char *unit = *end ? strchr(units, *end | 0x20) : NULL;
	unsigned shift = unit ? 10 * (unsigned)(unit - units + 1) : 0;

	if (end == text || *text == '-' || (*end && (!unit || end[1])) || !v ||
	    v > UINT64_MAX >> shift)
		return false;
	*out = v << shift;
	return true;
}

int overlay_parse(const char *text, struct overlay_opts *o, struct oerr *e)
{
	const char *medium = strchr(text, ':'), *size;
	size_t n;

	*o = (struct overlay_opts){ .medium = OVERLAY_NONE };
	if (!strcmp(text, "none"))
		return 0;
	if (!medium || (strncmp(text, "root:", 5) && strncmp(text, "all:", 4)))
		goto bad;
	o->all = text[0] == 'a';
	medium++;
	size = strstr(medium, ",size=");
	n = size ? (size_t)(size - medium) : strlen(medium);
	if (size && !parse_size(size + 6, &o->size))
		goto bad;
	if (n == 6 && !strncmp(medium, "memory", 6)) {
		o->medium = OVERLAY_MEMORY;
	} else if (n == 4 && !strncmp(medium, "self", 4)) {
		o->medium = OVERLAY_SELF;
	} else if (n > 5 && !strncmp(medium, "dir=/", 5)) {
		o->medium = OVERLAY_DIR;
		o->dir = strndup(medium + 4, n - 4);
		if (!o->dir)
			return oerr_set(e, "out of memory");
	} else {
		goto bad;
	}
	return 0;
bad:
	return oerr_set(e, "--overlay2 %s: use none, or root: or all: followed by memory, self or dir=/path, and perhaps ,size=BYTES",
			text);
}
