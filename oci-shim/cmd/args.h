/* Command-line parsing: --flag=v, --flag v, -flag v, -f v; last one wins; nothing
 * after the first plain argument is a flag. */
#ifndef OCI_SHIM_CMD_ARGS_H
#define OCI_SHIM_CMD_ARGS_H

#include <stdbool.h>

#include "oci-shim/err.h"

enum arg_type {
	ARG_FLAG,	/* bool; also --flag=true|false */
	ARG_TEXT,	/* const char *: needs a value */
	ARG_OPTIONAL,	/* const char *: value only with '=', else "" */
	ARG_LIST,	/* struct arg_list: collects */
	ARG_HELP,	/* bool; ends the parsing */
};

struct arg_list {
	const char **v;
	unsigned n;
};

struct arg_def {
	const char *name;
	char letter;		/* 0: none */
	enum arg_type type;
	void *dest;		/* NULL: accepted and ignored */
	const char *help;	/* NULL: not shown */
};

/* defs end with a NULL name; more: a second table to look in (may be NULL). Advances
 * *argv to the first plain argument ("--" is skipped). 0 or -1 with e set. */
int args_parse(const char *verb, const struct arg_def *defs, const struct arg_def *more,
	       char ***argv, struct oerr *e);
void args_print(const struct arg_def *defs);

#endif
