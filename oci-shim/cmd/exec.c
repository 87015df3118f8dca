/* exec: a further process in a running container. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "oci-shim/cmd/cmd.h"
#include "oci-shim/sandbox/console.h"
#include "oci-shim/sandbox/control_client.h"
#include "oci-shim/sandbox/convert.h"
#include "oci-shim/sandbox/fds.h"
#include "oci-shim/sandbox/process.h"
#include "platform/base/auto.h"
#include "platform/base/log.h"

#define EXEC_FAILED 255	/* our own failures; the command's are its exit status */

struct exec_args {
	const char *process, *pid_file, *console_socket, *user, *cwd, *preserve_fds;
	struct arg_list env, caps, groups;
	bool tty, detach, no_new_privs, ignore_paused;
};

static int parse_user(struct spec_process *p, const char *text, struct oerr *e)
{
	char *end;

	p->uid = (uint32_t)strtoul(text, &end, 10);
	if (end != text && *end == ':' && isdigit((unsigned char)end[1]))
		p->gid = (uint32_t)strtoul(end + 1, &end, 10);
	if (end == text || *end)
		return oerr_set(e, "--user %s: use UID or UID:GID in numbers", text);
	return 0;
}

static int add_env(struct spec_process *p, const struct arg_list *l, struct oerr *e)
{
	const char **v = calloc(p->env.n + l->n + 1, sizeof(*v));
	unsigned n = 0;

	if (!v)
		return oerr_set(e, "out of memory");
	for (unsigned i = 0; i < p->env.n; i++) {
		size_t len = strcspn(p->env.v[i], "=") + 1;
		bool replaced = false;

		for (unsigned j = 0; j < l->n; j++)
			replaced |= !strncmp(p->env.v[i], l->v[j], len);
		if (!replaced)
			v[n++] = p->env.v[i];
	}
	for (unsigned j = 0; j < l->n; j++) {
		if (!strchr(l->v[j], '='))
			return oerr_set(e, "--env %s: use NAME=VALUE", l->v[j]);
		v[n++] = l->v[j];
	}
	p->env.v = v;
	p->env.n = n;
	return 0;
}

/* The container's own process with what the flags change. */
static int from_flags(const struct exec_args *a, const struct oci_spec *spec, char **argv,
		      struct spec_process *p, struct oerr *e)
{
	unsigned n = 0;

	*p = spec->process;
	while (argv[n])
		n++;
	if (!n)
		return oerr_set(e, "exec: needs a command, or --process FILE");
	p->args.v = calloc(n, sizeof(char *));
	if (!p->args.v)
		return oerr_set(e, "out of memory");
	for (unsigned i = 0; i < n; i++)
		p->args.v[i] = argv[i];
	p->args.n = n;
	p->terminal = a->tty;
	if (a->cwd)
		p->cwd = a->cwd;
	if (p->cwd[0] != '/')
		return oerr_set(e, "--cwd %s: not an absolute path", p->cwd);
	p->no_new_privs |= a->no_new_privs;
	if (a->user && parse_user(p, a->user, e) < 0)
		return -1;
	if (a->groups.n) {
		p->groups = calloc(a->groups.n, sizeof(uint32_t));
		for (unsigned i = 0; p->groups && i < a->groups.n; i++)
			p->groups[i] = (uint32_t)strtoul(a->groups.v[i], NULL, 10);
		p->ngroups = p->groups ? a->groups.n : 0;
	}
	for (unsigned i = 0; i < a->caps.n; i++) {
		int cap = cap_from_name(a->caps.v[i]);

		if (cap < 0)
			return oerr_set(e, "--cap %s: unknown capability", a->caps.v[i]);
		for (int s = 0; s < CAPS_AMBIENT; s++)
			p->caps[s] |= 1ULL << cap;
	}
	return add_env(p, &a->env, e);
}

/* ---- the proxy of the new process ---- */

struct sync_msg {
	char text[512];		/* empty: ready */
};

__attribute__((noreturn)) static void proxy_child(const struct runsc_opts *o,
						  const struct state *st, struct cgroup *cg, int tty,
						  int sock, int sync, bool attached,
						  const char *title)
{
	struct sync_msg m = { "" };
	struct oerr e = { 0 };
	int r;

	prctl(PR_SET_NAME, "runsc-init");
	log_setup(o->debug_fd, o->debug ? LOG_DEBUG : LOG_INFO, "proxy");
	setsid();
	r = cgroup_join(cg);
	if (r < 0)
		oerr_errno(&e, -r, "entering the container's cgroup");
	else if (ns_join(st->init.pid, &e) == 0 && caps_reduce(0, &e) == 0)
		r = 0;
	if (!e.text[0] && chdir("/") < 0)
		log_warn("chdir: %s", strerror(errno));
	if (!e.text[0] && tty >= 0 && ioctl(tty, TIOCSCTTY, 0) < 0)
		log_warn("TIOCSCTTY: %s", strerror(errno));
	/* The command's death is the process's when it waits for it. */
	if (attached)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	title_set(o, title);
	snprintf(m.text, sizeof(m.text), "%.500s", e.text);
	if (write(sync, &m, sizeof(m)) < 0 || m.text[0])
		_exit(1);
	fds_keep_only((int[]){ sock, o->debug_fd }, 2);
	fds_stderr(o->debug_fd);
	proxy_exec_main(sock);
}

struct execution {
	const struct exec_args *a;
	struct stdio_set io;
	int *extra;
	unsigned nextra;
	pid_t proxy;
	int pidfd, sock;	/* sock: the sentry's end */
};

static int start_proxy(const struct runsc_opts *o, const struct state *st, struct execution *x,
		       const char *title, struct oerr *e)
{
	struct cgroup cg;
	struct sync_msg m;
	int sv[2], sync[2];
	sigset_t all;
	ssize_t n;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) < 0)
		return oerr_errno(e, errno, "socketpair");
	if (pipe2(sync, O_CLOEXEC) < 0) {
		close(sv[0]);
		close(sv[1]);
		return oerr_errno(e, errno, "pipe");
	}
	cgroup_open(st, &cg);
	x->proxy = clone_process(0, cg.unified_fd, &x->pidfd);
	if (x->proxy == 0)
		proxy_child(o, st, &cg, x->io.slave, sv[0], sync[1], !x->a->detach, title);
	cgroup_close(&cg);
	close(sv[0]);
	close(sync[1]);
	x->sock = sv[1];
	n = x->proxy < 0 ? 0 : read(sync[0], &m, sizeof(m));
	close(sync[0]);
	if (x->proxy < 0)
		return oerr_errno(e, -x->proxy, "starting a process");
	if (n == (ssize_t)sizeof(m) && !m.text[0])
		return 0;
	m.text[sizeof(m.text) - 1] = 0;
	wait_child(x->proxy);
	return oerr_set(e, "%s", n == (ssize_t)sizeof(m) ? m.text : "the proxy process ended early");
}

/* Hand process, proxy and stdio to the sentry. */
static int ask_sentry(const struct state *st, struct execution *x, const struct spec_process *p,
		      struct oerr *e)
{
	struct control_req rq = { .magic = CONTROL_MAGIC, .op = CONTROL_EXEC,
				  .host_pid = x->proxy };
	struct container_process cp;
	int fds[CONTROL_MAX_FDS];
	unsigned n = 0;
	size_t size;
	void *blob;
	int r;

	if (process_from_spec(p, &cp, e) < 0)
		return -1;
	blob = container_process_encode(&cp, &size);
	fds[n++] = blob ? memfd_with("process", blob, size) : -1;
	free(blob);
	if (fds[0] < 0)
		return oerr_errno(e, errno, "process");
	fds[n++] = x->sock;
	for (int i = 0; i < 3; i++)
		fds[n++] = x->io.fd[i];
	for (unsigned i = 0; i < x->nextra; i++)
		fds[n++] = x->extra[i];
	r = control_request(st, &rq, fds, n, e);
	for (unsigned i = 0; i < n; i++)
		close(fds[i]);
	if (x->io.slave >= 0)
		close(x->io.slave);
	x->io.slave = -1;
	return r;
}

static int publish(struct execution *x, struct oerr *e)
{
	if (x->a->pid_file && pid_file_write(x->a->pid_file, x->proxy, e) < 0)
		return -1;
	if (x->a->console_socket) {
		int m = x->io.master;

		x->io.master = -1;
		return console_send(x->a->console_socket, m, e);
	}
	return 0;
}

static int check_state(const struct state *st, bool ignore_paused, struct oerr *e)
{
	switch (state_status(st)) {
	case ST_STOPPED:
		return oerr_set(e, "cannot exec in a stopped container");
	case ST_PAUSED:
		return ignore_paused ? 0 : oerr_set(e, "cannot exec in a paused container");
	case ST_CREATING:
		return oerr_set(e, "container not running");
	case ST_CREATED:
	case ST_RUNNING:
		return 0;
	}
	return 0;
}

static int run(struct runsc_opts *o, const struct exec_args *a, const struct state *st,
	       const struct spec_process *p, struct oerr *e)
{
	struct execution x = { .a = a, .io = { { -1, -1, -1 }, -1, -1 }, .pidfd = -1 };

	if (p->terminal && a->detach && !a->console_socket)
		return oerr_set(e, "cannot allocate tty if runc will detach without setting console socket: give --console-socket");
	if (a->console_socket && !(p->terminal && a->detach))
		return oerr_set(e, "cannot use console socket if runc will not detach or allocate tty: leave out --console-socket");
	x.nextra = a->preserve_fds ? (unsigned)strtoul(a->preserve_fds, NULL, 10) : 0;
	if (extra_fds(x.nextra, &x.extra, e) < 0 ||
	    stdio_prepare(&x.io, p->terminal, p->uid, p->console_rows, p->console_cols, e) < 0 ||
	    start_proxy(o, st, &x, p->args.v[0], e) < 0)
		return -1;
	/* What tells the caller of the process goes first: when it fails, nothing ran. */
	if (publish(&x, e) < 0 || ask_sentry(st, &x, p, e) < 0) {
		pidfd_signal(x.pidfd, SIGKILL);
		wait_child(x.proxy);
		if (a->pid_file)
			unlink(a->pid_file);
		return -1;
	}
	if (a->detach)
		return 0;
	return exit_code(console_foreground(x.proxy, x.pidfd, x.io.master, false));
}

static int exec_in(struct runsc_opts *o, const struct exec_args *a, char **argv, struct oerr *e)
{
	struct json_object *json = NULL;
	struct oci_spec *spec = NULL;
	struct spec_process p = { 0 };
	struct state *st;
	int r;

	/* The caller may remove the file as soon as we are done: it is read first. */
	if (a->process && spec_load_process(a->process, &p, &json, e) < 0)
		return -1;
	if (state_open(o, argv[0], false, &st, e) < 0)
		return -1;
	r = check_state(st, a->ignore_paused, e);
	if (r == 0 && !a->process) {
		r = spec_load_private(st, &spec, e);
		if (r == 0)
			r = from_flags(a, spec, argv + 1, &p, e);
	} else if (r == 0 && a->tty) {
		p.terminal = true;
	}
	if (r == 0)
		r = run(o, a, st, &p, e);
	state_free(st);
	spec_free(spec);
	json_object_put(json);
	return r;
}

int cmd_exec(struct runsc_opts *o, char **argv, struct oerr *e)
{
	struct exec_args a = { 0 };
	const struct arg_def defs[] = {
		{ "process", 'p', ARG_TEXT, &a.process, "file with the process as JSON" },
		{ "pid-file", 0, ARG_TEXT, &a.pid_file, "write the process's pid there" },
		{ "console-socket", 0, ARG_TEXT, &a.console_socket,
		  "AF_UNIX socket that gets the terminal's master end" },
		{ "tty", 't', ARG_FLAG, &a.tty, "give it a terminal" },
		{ "detach", 'd', ARG_FLAG, &a.detach, "do not wait for its end" },
		{ "user", 'u', ARG_TEXT, &a.user, "UID or UID:GID" },
		{ "cwd", 0, ARG_TEXT, &a.cwd, "working directory" },
		{ "env", 'e', ARG_LIST, &a.env, "NAME=VALUE: add to the environment" },
		{ "cap", 'c', ARG_LIST, &a.caps, "add a capability" },
		{ "additional-gids", 'g', ARG_LIST, &a.groups, "supplementary group id" },
		{ "preserve-fds", 0, ARG_TEXT, &a.preserve_fds, "pass N further fds, from 3 on" },
		{ "no-new-privs", 0, ARG_FLAG, &a.no_new_privs, "set no_new_privs" },
		{ "ignore-paused", 0, ARG_FLAG, &a.ignore_paused, NULL },
		{ "process-label", 0, ARG_TEXT, NULL, NULL },
		{ "apparmor", 0, ARG_TEXT, NULL, NULL },
		{ "cgroup", 0, ARG_LIST, NULL, NULL },
		{ "no-subreaper", 0, ARG_FLAG, NULL, NULL },
		{ "pidfd-socket", 0, ARG_TEXT, NULL, NULL },
		{ 0 },
	};
	int r = cmd_parse(o, "exec", "ID COMMAND [ARGUMENT...]", defs, &argv, e);

	if (r > 0)
		return 0;
	if (r == 0 && (!argv[0] || !argv[0][0]))
		r = oerr_set(e, "exec: needs a container id");
	if (r == 0)
		r = exec_in(o, &a, argv, e);
	if (r < 0)
		e->code = EXEC_FAILED;
	return r;
}
