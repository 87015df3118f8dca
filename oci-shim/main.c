/* runsc: the OCI command line of the sandbox. */
#include <signal.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oci-shim/cmd/cmd.h"

#ifndef RUNSC_COMMIT
#define RUNSC_COMMIT "unknown"
#endif

static const struct verb {
	const char *name;
	int (*fn)(struct runsc_opts *o, char **argv, struct oerr *e);
	const char *help;	/* NULL: not shown */
} verbs[] = {
	{ "do", cmd_do, "run a command over the host's own files, changes go to memory" },
	{ "run", cmd_run, "create and start a container and wait for its end" },
	{ "create", cmd_create, "create a container" },
	{ "start", cmd_start, "start a created container" },
	{ "exec", cmd_exec, "run a further process in a container" },
	{ "state", cmd_state, "print a container's state as JSON" },
	{ "kill", cmd_kill, "send a signal to a container" },
	{ "delete", cmd_delete, "delete a stopped container" },
	{ "list", cmd_list, "list containers" },
	{ "ps", cmd_ps, "list the processes of a container" },
	{ "pause", cmd_pause, "freeze a container" },
	{ "resume", cmd_resume, "let a paused container go on" },
	{ "update", cmd_update, "change a container's resource limits" },
	{ "events", cmd_events, "print what a container uses as JSON" },
	{ "debug", cmd_debug, "look into a container: stacks, processes, calls" },
	{ "checkpoint", cmd_checkpoint, NULL },
	{ "restore", cmd_restore, NULL },
	{ "spec", cmd_spec, "write a default config.json" },
	{ "syscalls", cmd_syscalls, "list the system calls and how far they are supported" },
	{ "features", cmd_features, "print what this runtime can do as JSON" },
};
#define NVERBS (sizeof(verbs) / sizeof(verbs[0]))

static void usage(const struct runsc_opts *o)
{
	(void)o;
	printf("runsc runs containers and commands on a kernel of its own.\n\n"
	       "usage: runsc [global flags] COMMAND [flags] [arguments]\n\n"
	       "  runsc do -- ls -l /          a command over the host's files\n"
	       "  runsc run --bundle DIR ID    an OCI bundle\n\ncommands:\n");
	for (size_t i = 0; i < NVERBS; i++)
		if (verbs[i].help)
			printf("  %-10s %s\n", verbs[i].name, verbs[i].help);
	printf("\nglobal flags:\n");
	args_print(global_flags());
	printf("\n\"runsc COMMAND --help\" shows a command's own flags.\n");
}

static int version(void)
{
	printf("runsc version %s\ncommit: %s\nspec: %s\n", RUNSC_VERSION, RUNSC_COMMIT,
	       RUNSC_SPEC_VERSION);
	return 0;
}

/* Copies: the originals are overwritten when a forked process changes its title. */
static char **copy_args(char **argv)
{
	unsigned n = 0;
	char **out;

	while (argv[n])
		n++;
	out = calloc(n + 1, sizeof(*out));
	for (unsigned i = 0; out && i < n; i++)
		if (!(out[i] = strdup(argv[i])))
			return NULL;
	return out;
}

static int run(struct runsc_opts *o, char **argv, struct oerr *e)
{
	bool help = false, ver = false;
	const struct arg_def own[] = {
		{ "help", 'h', ARG_HELP, &help, "this text" },
		{ "version", 'v', ARG_HELP, &ver, "version of the runtime" },
		{ 0 },
	};

	if (args_parse(NULL, own, global_flags(), &argv, e) < 0) {
		opts_for_messages(o);
		return -1;
	}
	if (ver)
		return version();
	if (help || !argv[0] || !strcmp(argv[0], "help")) {
		usage(o);
		return 0;
	}
	for (size_t i = 0; i < NVERBS; i++)
		if (!strcmp(argv[0], verbs[i].name))
			return verbs[i].fn(o, argv + 1, e);
	opts_for_messages(o);
	return oerr_set(e, "unknown command \"%s\": see \"runsc --help\" for what there is", argv[0]);
}

int main(int argc, char **argv)
{
	struct runsc_opts o = { .debug_fd = -1, .report_fd = -1, .argv = argv };
	struct oerr e = { 0 };
	char **args;
	int r;

	/* One heap for all of the sentry's threads: the kernel lock keeps them from
	 * contending, a heap each would cost memory, and libc would read /sys for their
	 * number when nothing can be opened any more. */
	mallopt(M_ARENA_MAX, 1);
	/* A caller that ignores it hands that on, and the host would not keep the ends of our
	 * children for us, nor for those who inherit it. */
	signal(SIGCHLD, SIG_DFL);
	args = copy_args(argv + (argc > 0));
	if (!args) {
		fprintf(stderr, "runsc: out of memory\n");
		return 1;
	}
	r = run(&o, args, &e);
	if (r < 0) {
		report_error(&o, &e);
		r = e.code ? e.code : 1;
	}
	fflush(NULL);
	return r;
}
