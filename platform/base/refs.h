/* Reference counts: the one idiom for every object with more than one owner.
 * An object embeds `struct refs`, exports foo_get() and foo_put(), and is freed
 * by its put at zero. Debug builds count live objects by type, so that a leak
 * shows at sandbox exit (refs_report). */
#ifndef PLATFORM_BASE_REFS_H
#define PLATFORM_BASE_REFS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>

struct refs {
	_Atomic int count;
	const char *type; /* a string literal, one per object type */
};

/* Start at one reference, owned by the caller. type: a string literal. */
void refs_init(struct refs *r, const char *type);

/* Take one more; the caller must already hold one. */
void refs_get(struct refs *r);

/* Drop one; true when it was the last and the caller must free the object. */
bool refs_put(struct refs *r);

static inline int refs_count(const struct refs *r)
{
	return atomic_load_explicit(&r->count, memory_order_relaxed);
}

/* Log, and print to out unless it is NULL, "LEAK type count" for every type with live
 * objects; returns their number (always 0 in release builds, which do not count). */
int refs_report(FILE *out);

#endif
