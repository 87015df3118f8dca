/* The verbs of the command line. Each gets what follows its name and returns the exit
 * status, or -1 with e set. */
#ifndef OCI_SHIM_CMD_CMD_H
#define OCI_SHIM_CMD_CMD_H

#include "oci-shim/cmd/args.h"
#include "oci-shim/opts.h"
#include "oci-shim/sandbox/launch.h"
#include "oci-shim/state/state.h"

int cmd_create(struct runsc_opts *o, char **argv, struct oerr *e);
int cmd_run(struct runsc_opts *o, char **argv, struct oerr *e);
int cmd_do(struct runsc_opts *o, char **argv, struct oerr *e);
int cmd_start(struct runsc_opts *o, char **argv, struct oerr *e);
int cmd_state(struct runsc_opts *o, char **argv, struct oerr *e);
int cmd_kill(struct runsc_opts *o, char **argv, struct oerr *e);
int cmd_delete(struct runsc_opts *o, char **argv, struct oerr *e);
int cmd_list(struct runsc_opts *o, char **argv, struct oerr *e);
int cmd_spec(struct runsc_opts *o, char **argv, struct oerr *e);
int cmd_ps(struct runsc_opts *o, char **argv, struct oerr *e);
int cmd_exec(struct runsc_opts *o, char **argv, struct oerr *e);
int cmd_pause(struct runsc_opts *o, char **argv, struct oerr *e);
int cmd_resume(struct runsc_opts *o, char **argv, struct oerr *e);
int cmd_update(struct runsc_opts *o, char **argv, struct oerr *e);
int cmd_events(struct runsc_opts *o, char **argv, struct oerr *e);
int cmd_debug(struct runsc_opts *o, char **argv, struct oerr *e);
int cmd_checkpoint(struct runsc_opts *o, char **argv, struct oerr *e);
int cmd_restore(struct runsc_opts *o, char **argv, struct oerr *e);
int cmd_syscalls(struct runsc_opts *o, char **argv, struct oerr *e);
int cmd_features(struct runsc_opts *o, char **argv, struct oerr *e);

/* ---- opts.c ---- */

const struct arg_def *global_flags(void);
/* Settle only what error messages depend on. */
void opts_for_messages(struct runsc_opts *o);
/* Parse a verb's flags (global ones are understood too) and settle the options.
 * usage: "ID", "ID -- CMD"…; 0: go on; 1: help was printed; -1. */
int cmd_parse(struct runsc_opts *o, const char *verb, const char *usage,
	      const struct arg_def *defs, char ***argv, struct oerr *e);
/* Exactly one more argument, the container's id. */
int cmd_one_id(const char *verb, char **argv, const char **id, struct oerr *e);
/* "9", "SIGKILL", "kill", "RTMIN+1" -> number, or -1. */
int signal_from_text(const char *text);
/* Write a pid as the OCI callers want it: digits only, atomically. */
int pid_file_write(const char *path, pid_t pid, struct oerr *e);

/* ---- lifecycle.c ---- */

struct stdio_set {
	int fd[3];
	int master;	/* of a terminal made here, or -1 */
	int slave;	/* for the proxy, or -1 */
};
/* Copies of our own 0, 1 and 2 above them; a new terminal if asked for. */
int stdio_prepare(struct stdio_set *s, bool terminal, uid_t uid, unsigned rows, unsigned cols,
		  struct oerr *e);
/* --preserve-fds N: fds 3 … 2+N, moved up. */
int extra_fds(unsigned n, int **out, struct oerr *e);

/* created -> running, with the hooks of that step. st is locked. */
int container_start_now(const struct runsc_opts *o, struct state *st, const struct oci_spec *spec,
			struct oerr *e);
/* Kill what lives, remove cgroups and state, run poststop hooks. st is locked; spec may
 * be NULL: the private copy is read. */
int container_destroy(const struct runsc_opts *o, struct state *st, const struct oci_spec *spec,
		      struct oerr *e);
/* The private copy of config.json. */
int spec_load_private(const struct state *st, struct oci_spec **out, struct oerr *e);
/* Exit status of the command for a wait status. */
int exit_code(int wait_status);

#endif
