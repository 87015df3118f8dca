/* start, state, kill, delete, list, pause, resume. */
#include <errno.h>
#include <json-c/json.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "oci-shim/cmd/cmd.h"
#include "oci-shim/sandbox/control_client.h"
#include "oci-shim/sandbox/fds.h"
#include "platform/base/auto.h"

int cmd_start(struct runsc_opts *o, char **argv, struct oerr *e)
{
	struct oci_spec *spec = NULL;
	struct state *st;
	const char *id;
	int r = cmd_parse(o, "start", "ID", NULL, &argv, e);

	if (r)
		return r < 0 ? -1 : 0;
	if (cmd_one_id("start", argv, &id, e) < 0 || state_open(o, id, true, &st, e) < 0)
		return -1;
	switch (state_status(st)) {
	case ST_CREATED:
		r = spec_load_private(st, &spec, e);
		if (r == 0)
			r = container_start_now(o, st, spec, e);
		break;
	case ST_STOPPED:
		r = oerr_set(e, "cannot start a container that has stopped");
		break;
	case ST_RUNNING:
	case ST_PAUSED:
	case ST_CREATING:
		r = oerr_set(e, "cannot start an already running container");
		break;
	}
	spec_free(spec);
	state_free(st);
	return r;
}

int cmd_state(struct runsc_opts *o, char **argv, struct oerr *e)
{
	struct state *st;
	const char *id;
	char *json;
	int r = cmd_parse(o, "state", "ID", NULL, &argv, e);

	if (r)
		return r < 0 ? -1 : 0;
	if (cmd_one_id("state", argv, &id, e) < 0 || state_open(o, id, false, &st, e) < 0)
		return -1;
	json = state_to_json(st, state_status(st), st->init.pid, true);
	state_free(st);
	if (!json)
		return oerr_set(e, "out of memory");
	puts(json);
	free(json);
	return 0;
}

/* ---- kill ---- */

/* A frozen sandbox cannot answer. SIGKILL takes effect once it is thawed for its end;
 * anything else waits for the thaw in its proxy. */
static int kill_paused(struct state *st, int signo, struct oerr *e)
{
	AUTO_CLOSE int init = proc_pidfd(&st->init);
	AUTO_CLOSE int sentry = proc_pidfd(&st->sentry);
	int r;

	if (init < 0)
		return oerr_set(e, "container not running");
	r = pidfd_signal(init, signo);
	if (r < 0)
		return oerr_errno(e, -r, "signal %d", signo);
	if (signo != SIGKILL)
		return 0;
	if (sentry >= 0)
		pidfd_signal(sentry, SIGKILL);
	return cgroup_freeze(st, false, e);
}

static int kill_running(struct state *st, int signo, bool all, struct oerr *e)
{
	struct control_req rq = { .magic = CONTROL_MAGIC, .op = CONTROL_KILL, .signo = signo,
				  .flags = all ? CONTROL_KILL_ALL : 0 };
	struct timeval patience = { .tv_sec = 5 };
	int s = control_connect(st, e), r;

	if (s < 0)
		return -1;
	setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	r = control_call(s, &rq, NULL, 0, e);
	close(s);
	if (r < 0 && signo == SIGKILL && state_status(st) != ST_STOPPED) {
		/* It does not answer, but it must be possible to get rid of it. */
		AUTO_CLOSE int sentry = proc_pidfd(&st->sentry);

		if (sentry >= 0 && pidfd_signal(sentry, SIGKILL) == 0)
			return 0;
	}
	return r;
}

int cmd_kill(struct runsc_opts *o, char **argv, struct oerr *e)
{
	bool all = false;
	const struct arg_def defs[] = {
		{ "all", 'a', ARG_FLAG, &all, "signal every process of the container" },
		{ 0 },
	};
	int r = cmd_parse(o, "kill", "ID [SIGNAL]", defs, &argv, e), signo;
	enum cstatus status;
	struct state *st;

	if (r)
		return r < 0 ? -1 : 0;
	if (!argv[0] || !argv[0][0])
		return oerr_set(e, "kill: needs a container id");
	if (argv[1] && argv[2])
		return oerr_set(e, "kill: unexpected argument \"%s\"", argv[2]);
	signo = argv[1] ? signal_from_text(argv[1]) : SIGTERM;
	if (signo < 0)
		return oerr_set(e, "kill: unknown signal \"%s\": use a number or a name such as SIGTERM",
				argv[1]);
	if (state_open(o, argv[0], false, &st, e) < 0)
		return -1;
	status = state_status(st);
	if (status == ST_STOPPED || (status == ST_CREATING && !st->init.pid))
		r = all ? 0 : oerr_set(e, "container not running");
	else if (status == ST_PAUSED)
		r = kill_paused(st, signo, e);
	else
		r = kill_running(st, signo, all, e);
	if (r < 0 && all && state_status(st) == ST_STOPPED)
		r = 0;
	state_free(st);
	return r;
}

/* ---- delete ---- */

int cmd_delete(struct runsc_opts *o, char **argv, struct oerr *e)
{
	bool force = false;
	const struct arg_def defs[] = {
		{ "force", 'f', ARG_FLAG, &force, "kill it if it runs; no error if it is unknown" },
		{ 0 },
	};
	int r = cmd_parse(o, "delete", "ID", defs, &argv, e);
	enum cstatus status;
	struct state *st;
	const char *id;

	if (r)
		return r < 0 ? -1 : 0;
	if (cmd_one_id("delete", argv, &id, e) < 0)
		return -1;
	if (state_open(o, id, true, &st, e) < 0)
		return force && e->cause == ENOENT ? 0 : -1;
	status = state_status(st);
	if (!force && (status == ST_RUNNING || status == ST_PAUSED))
		r = oerr_set(e, "cannot delete container %s that is not stopped: %s", id,
			     status_name(status));
	else
		r = container_destroy(o, st, NULL, e);
	state_free(st);
	return r;
}

/* ---- list ---- */

struct list_ctx {
	bool quiet;
	json_object *array;
	unsigned n;
};

static void list_one(struct state *s, void *ctx)
{
	struct list_ctx *l = ctx;
	enum cstatus st = state_status(s);

	if (l->array) {
		char *json = state_to_json(s, st, s->init.pid, false);

		json_object_array_add(l->array, json ? json_tokener_parse(json) : NULL);
		free(json);
		return;
	}
	if (l->quiet) {
		puts(s->id);
		return;
	}
	if (l->n++ == 0)
		printf("%-30s %-8s %-9s %-40s %-30s %s\n", "ID", "PID", "STATUS", "BUNDLE",
		       "CREATED", "OWNER");
	printf("%-30s %-8d %-9s %-40s %-30s %s\n", s->id, st == ST_STOPPED ? 0 : (int)s->init.pid,
	       status_name(st), s->bundle ? s->bundle : "", s->created ? s->created : "",
	       s->owner ? s->owner : "");
}

int cmd_list(struct runsc_opts *o, char **argv, struct oerr *e)
{
	const char *format = "table";
	struct list_ctx l = { 0 };
	const struct arg_def defs[] = {
		{ "format", 'f', ARG_TEXT, &format, "table (default) or json" },
		{ "quiet", 'q', ARG_FLAG, &l.quiet, "ids only" },
		{ 0 },
	};
	int r = cmd_parse(o, "list", "", defs, &argv, e);

	if (r)
		return r < 0 ? -1 : 0;
	if (strcmp(format, "table") && strcmp(format, "json"))
		return oerr_set(e, "--format %s: use table or json", format);
	if (!strcmp(format, "json") && !l.quiet)
		l.array = json_object_new_array();
	r = state_for_each(o, list_one, &l, e);
	if (l.array) {
		puts(json_object_to_json_string_ext(l.array, JSON_C_TO_STRING_PLAIN |
								     JSON_C_TO_STRING_NOSLASHESCAPE));
		json_object_put(l.array);
	} else if (!l.quiet && !l.n && r == 0) {
		printf("%-30s %-8s %-9s %-40s %-30s %s\n", "ID", "PID", "STATUS", "BUNDLE",
		       "CREATED", "OWNER");
	}
	return r;
}

/* ---- pause, resume ---- */

static int set_paused(struct runsc_opts *o, const char *verb, char **argv, bool pause,
		      struct oerr *e)
{
	int r = cmd_parse(o, verb, "ID", NULL, &argv, e);
	enum cstatus status;
	struct state *st;
	const char *id;

	if (r)
		return r < 0 ? -1 : 0;
	if (cmd_one_id(verb, argv, &id, e) < 0 || state_open(o, id, true, &st, e) < 0)
		return -1;
	status = state_status(st);
	if (status == ST_STOPPED || status == ST_CREATING)
		r = oerr_set(e, "container not running");
	else if (pause == (status == ST_PAUSED))
		r = pause ? oerr_set(e, "container already paused") : oerr_set(e, "container not paused");
	else
		r = cgroup_freeze(st, pause, e);
	if (r == 0) {
		st->status = pause ? ST_PAUSED : st->paused_from == ST_CREATED ? ST_CREATED : ST_RUNNING;
		st->paused_from = status;
		r = state_save(st, e);
	}
	state_free(st);
	return r;
}

int cmd_pause(struct runsc_opts *o, char **argv, struct oerr *e)
{
	return set_paused(o, "pause", argv, true, e);
}

int cmd_resume(struct runsc_opts *o, char **argv, struct oerr *e)
{
	return set_paused(o, "resume", argv, false, e);
}
