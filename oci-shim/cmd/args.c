/* Command-line parsing. */
#include "oci-shim/cmd/args.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct arg_def *find(const struct arg_def *defs, const char *name, size_t len,
				  bool one_dash)
{
	for (; defs && defs->name; defs++) {
		if (strlen(defs->name) == len && !strncmp(defs->name, name, len))
			return defs;
		if (one_dash && len == 1 && defs->letter && defs->letter == *name)
			return defs;
	}
	return NULL;
}

static int set_flag(const struct arg_def *d, const char *value, struct oerr *e)
{
	bool on = true;

	if (value) {
		if (!strcmp(value, "false") || !strcmp(value, "0"))
			on = false;
		else if (strcmp(value, "true") && strcmp(value, "1"))
			return oerr_set(e, "flag --%s: \"%s\" is neither true nor false", d->name,
					value);
	}
	if (d->dest)
		*(bool *)d->dest = on;
	return 0;
}

static int set_value(const struct arg_def *d, const char *value, struct oerr *e)
{
	struct arg_list *l = d->dest;
	const char **v;

	if (!d->dest)
		return 0;
	if (d->type != ARG_LIST) {
		*(const char **)d->dest = value;
		return 0;
	}
	v = realloc(l->v, (l->n + 1) * sizeof(*v));
	if (!v)
		return oerr_set(e, "out of memory");
	l->v = v;
	l->v[l->n++] = value;
	return 0;
}

int args_parse(const char *verb, const struct arg_def *defs, const struct arg_def *more,
	       char ***argv, struct oerr *e)
{
	const char *help = verb ? verb : "";
	char **a = *argv;

	for (; *a && (*a)[0] == '-' && (*a)[1]; a++) {
		bool two = (*a)[1] == '-';
		const char *name = *a + 1 + two;
		const char *eq = strchr(name, '=');
		size_t len = eq ? (size_t)(eq - name) : strlen(name);
		const struct arg_def *d;

		if (two && !*name) {
			a++;
			break;
		}
		d = find(defs, name, len, !two);
		if (!d)
			d = find(more, name, len, !two);
		if (!d)
			return oerr_set(e, "unknown flag %.*s: see \"runsc %s%s--help\" for what there is",
					(int)(len + 1 + (size_t)two), *a, help, *help ? " " : "");
		if (d->type == ARG_FLAG || d->type == ARG_HELP) {
			if (set_flag(d, eq ? eq + 1 : NULL, e))
				return -1;
			if (d->type == ARG_HELP)
				break;
			continue;
		}
		if (!eq && d->type != ARG_OPTIONAL && !a[1])
			return oerr_set(e, "flag needs an argument: %s", *a);
		if (set_value(d, eq ? eq + 1 : d->type == ARG_OPTIONAL ? "" : *++a, e))
			return -1;
	}
	*argv = a;
	return 0;
}

void args_print(const struct arg_def *defs)
{
	for (; defs->name; defs++) {
		char left[64];

		if (!defs->help)
			continue;
		snprintf(left, sizeof(left), "%s%c%s--%s%s", defs->letter ? "-" : " ",
			 defs->letter ? defs->letter : ' ', defs->letter ? ", " : "  ", defs->name,
			 defs->type == ARG_FLAG || defs->type == ARG_HELP ? ""
			 : defs->type == ARG_OPTIONAL			  ? "[=VALUE]"
									  : " VALUE");
		printf("  %-34s %s\n", left, defs->help);
	}
}
