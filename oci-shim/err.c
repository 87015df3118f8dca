/* The chained error of the command line. */
#include "oci-shim/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int oerr_set(struct oerr *e, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	e->cause = 0;
	return -1;
}

int oerr_errno(struct oerr *e, int err, const char *fmt, ...)
{
	va_list ap;
	size_t n;

	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	n = strlen(e->text);
	snprintf(e->text + n, sizeof(e->text) - n, ": %s", strerror(err));
	e->cause = err;
	return -1;
}

int oerr_ctx(struct oerr *e, const char *fmt, ...)
{
	char old[OERR_TEXT_MAX];
	va_list ap;
	size_t n;

	memcpy(old, e->text, sizeof(old));
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	n = strlen(e->text);
	snprintf(e->text + n, sizeof(e->text) - n, ": %s", old);
	return -1;
}
