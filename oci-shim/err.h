/* Errors of the command line: one text that grows a prefix while it climbs, so
 * that it ends up saying what failed, on what, why, and what to do. Printed once. */
#ifndef OCI_SHIM_ERR_H
#define OCI_SHIM_ERR_H

#define OERR_TEXT_MAX 2048

struct oerr {
	int code;	/* exit status of `runsc`; 0 means the verb's usual one */
	int cause;	/* host errno behind it, 0 if none */
	char text[OERR_TEXT_MAX];
};

/* All return -1, so that `return oerr_set(e, …)` reads well. Too long: cut. */
__attribute__((format(printf, 2, 3))) int oerr_set(struct oerr *e, const char *fmt, ...);
/* Appends ": " and the text of errno value err (positive). */
__attribute__((format(printf, 3, 4))) int oerr_errno(struct oerr *e, int err, const char *fmt,
						     ...);
/* Puts "fmt: " before the present text. */
__attribute__((format(printf, 2, 3))) int oerr_ctx(struct oerr *e, const char *fmt, ...);

#endif
