/* create and run: from a bundle to a container. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "oci-shim/cmd/cmd.h"
#include "oci-shim/sandbox/console.h"
#include "oci-shim/sandbox/fds.h"
#include "oci-shim/sandbox/hooks.h"
#include "platform/base/log.h"

struct create_args {
	const char *id, *bundle, *pid_file, *console_socket, *preserve_fds;
	bool detach, keep;
	bool run;
};

struct creation {
	struct create_args a;
	char *bundle, *rootfs;
	struct oci_spec *spec;
	struct state *st;
	struct stdio_set io;
	struct launch l;
};

static int check_root(struct creation *c, struct oerr *e)
{
	const char *p = c->spec->root_path;
	struct stat st;
	char *abs;

	if (p[0] == '/' ? !(abs = strdup(p)) : asprintf(&abs, "%s/%s", c->bundle, p) < 0)
		return oerr_set(e, "out of memory");
	c->rootfs = realpath(abs, NULL);
	if (!c->rootfs && errno == ENOENT)
		oerr_set(e, "%s/config.json: root.path: %s: no such directory: unpack the root file system there",
			 c->bundle, abs);
	else if (!c->rootfs)
		oerr_errno(e, errno, "%s/config.json: root.path: %s", c->bundle, abs);
	free(abs);
	if (!c->rootfs)
		return -1;
	if (stat(c->rootfs, &st) < 0 || !S_ISDIR(st.st_mode))
		return oerr_set(e, "%s/config.json: root.path: %s: not a directory", c->bundle,
				c->rootfs);
	if (access(c->rootfs, R_OK | X_OK) < 0)
		return oerr_errno(e, errno, "%s/config.json: root.path: %s: cannot be read",
				  c->bundle, c->rootfs);
	return 0;
}

static int check_console(const struct creation *c, struct oerr *e)
{
	bool tty = c->spec->process.terminal, detached = !c->a.run || c->a.detach;

	if (tty && detached && !c->a.console_socket)
		return oerr_set(e, "cannot allocate tty if runc will detach without setting console socket: give --console-socket, or set process.terminal to false");
	if (!tty && c->a.console_socket)
		return oerr_set(e, "cannot use console socket if runc will not detach or allocate tty: set process.terminal to true or leave out --console-socket");
	if (tty && !detached && c->a.console_socket)
		return oerr_set(e, "cannot use console socket if runc will not detach or allocate tty: leave out --console-socket");
	return 0;
}

static int load(struct creation *c, struct oerr *e)
{
	const char *given = c->a.bundle ? c->a.bundle : ".";

	c->bundle = realpath(given, NULL);
	if (!c->bundle)
		return oerr_errno(e, errno, "bundle %s", given);
	if (spec_load(c->bundle, &c->spec, e) < 0)
		return -1;
	if (!c->spec->has_process)
		return oerr_set(e, "%s/config.json: process: missing: nothing to run", c->bundle);
	if (check_root(c, e) < 0)
		return -1;
	return check_console(c, e);
}

/* From /etc/passwd alone: a static binary cannot load other name services. malloc'd. */
static char *user_name(uid_t uid)
{
	FILE *f = fopen("/etc/passwd", "re");
	struct passwd *pw = NULL;
	char *name;

	while (f && (pw = fgetpwent(f)) && pw->pw_uid != uid)
		;
	name = strdup(pw ? pw->pw_name : "");
	if (f)
		fclose(f);
	return name;
}

/* Everything in the state that does not depend on processes, and the private copy of
 * config.json: later edits of the bundle's have no effect. */
static int fill_state(struct creation *c, struct oerr *e)
{
	char *owner = geteuid() == 0 ? strdup("root") : user_name(geteuid());
	struct state *st = c->st;
	int fd, r;

	st->version = strdup(c->spec->version);
	st->bundle = strdup(c->bundle);
	st->rootfs = strdup(c->rootfs);
	st->owner = owner;
	st->annotations = calloc(c->spec->nannotations + 1, sizeof(*st->annotations));
	if (!st->version || !st->bundle || !st->rootfs || !st->owner || !st->annotations)
		return oerr_set(e, "out of memory");
	for (unsigned i = 0; i < c->spec->nannotations; i++)
		st->annotations[st->nannotations++] = c->spec->annotations[i];
	fd = openat(st->dirfd, "config.json", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	r = fd < 0 ? -1 : write_all(fd, c->spec->text, c->spec->text_len);
	if (r < 0)
		oerr_errno(e, errno, "state directory of %s", c->a.id);
	if (fd >= 0)
		close(fd);
	return r;
}

static int prepare(const struct runsc_opts *o, struct creation *c, struct oerr *e)
{
	const struct spec_process *p = &c->spec->process;
	struct launch *l = &c->l;
	int *extra = NULL;
	unsigned n = c->a.preserve_fds ? (unsigned)strtoul(c->a.preserve_fds, NULL, 10) : 0;
	bool later = c->spec->hooks[HOOK_START_CONTAINER].n || c->spec->hooks[HOOK_POSTSTART].n;

	*l = (struct launch){
		.o = o, .spec = c->spec, .st = c->st, .rootfs = c->rootfs, .bundle = c->bundle,
		.stdio = { -1, -1, -1 }, .tty = -1, .control_fd = -1, .strace_fd = -1,
		.cg = { .unified_fd = -1 }, .auto_start = c->a.run && !later,
	};
	if (extra_fds(n, &extra, e) < 0)
		return -1;
	l->extra = extra;
	l->nextra = n;
	if (fill_state(c, e) < 0 || cgroup_create(o, c->spec, c->st, &l->cg, e) < 0)
		return -1;
	l->control_fd = control_listen(c->st, e);
	if (l->control_fd < 0 || stdio_prepare(&c->io, p->terminal, p->uid, p->console_rows,
					       p->console_cols, e) < 0)
		return -1;
	memcpy(l->stdio, c->io.fd, sizeof(l->stdio));
	l->tty = c->io.slave;
	if (o->strace)
		l->strace_fd = o->debug_fd >= 0 ? o->debug_fd : fcntl(2, F_DUPFD_CLOEXEC, 3);
	return 0;
}

/* What remains once the sandbox stands. */
static int publish(struct creation *c, struct oerr *e)
{
	c->st->status = c->l.auto_start ? ST_RUNNING : ST_CREATED;
	if (state_save(c->st, e) < 0)
		return -1;
	if (c->a.pid_file && pid_file_write(c->a.pid_file, c->l.proxy, e) < 0)
		return -1;
	if (c->a.console_socket) {
		int m = c->io.master;

		c->io.master = -1;
		if (console_send(c->a.console_socket, m, e) < 0)
			return -1;
	}
	launch_commit(&c->l);
	return 0;
}

static void undo(const struct runsc_opts *o, struct creation *c)
{
	struct oerr ignored = { 0 };

	cgroup_remove(c->st, &ignored);
	state_remove(o, c->st, &ignored);
	if (c->l.hooks_ran &&
	    hooks_run(c->spec, HOOK_POSTSTOP, c->st, ST_STOPPED, c->bundle, 0, &ignored) < 0)
		log_warn("%s", ignored.text);
}

static int create(const struct runsc_opts *o, struct creation *c, struct oerr *e)
{
	if (load(c, e) < 0 || state_create(o, c->a.id, &c->st, e) < 0)
		return -1;
	if (prepare(o, c, e) < 0 || launch_sandbox(&c->l, e) < 0) {
		undo(o, c);
		return -1;
	}
	if (publish(c, e) < 0) {
		launch_abort(&c->l);
		undo(o, c);
		return -1;
	}
	return 0;
}

/* In the foreground: until the end, and away with it. */
static int stay(const struct runsc_opts *o, struct creation *c, struct oerr *e)
{
	int status, r;

	/* Other commands may use the container meanwhile. */
	close(c->st->dirfd);
	c->st->dirfd = -1;
	status = console_foreground(c->l.proxy, c->l.proxy_pidfd, c->io.master, false);
	r = launch_post_mortem(&c->l, status, e);
	if (!c->a.keep) {
		struct oerr e2 = { 0 };
		struct state *st;

		if (state_open(o, c->a.id, true, &st, &e2) == 0) {
			if (container_destroy(o, st, c->spec, &e2) < 0)
				log_warn("%s", e2.text);
			state_free(st);
		}
	}
	e->code = exit_code(status);
	return r < 0 ? -1 : exit_code(status);
}

static int parse(struct runsc_opts *o, const char *verb, char **argv, struct create_args *a,
		 struct oerr *e)
{
	const struct arg_def defs[] = {
		{ "bundle", 'b', ARG_TEXT, &a->bundle, "directory with config.json (default: here)" },
		{ "pid-file", 0, ARG_TEXT, &a->pid_file, "write the container's pid there" },
		{ "console-socket", 0, ARG_TEXT, &a->console_socket,
		  "AF_UNIX socket that gets the terminal's master end" },
		{ "preserve-fds", 0, ARG_TEXT, &a->preserve_fds, "pass N further fds, from 3 on" },
		{ "detach", 'd', ARG_FLAG, &a->detach, a->run ? "do not wait for its end" : NULL },
		{ "keep", 0, ARG_FLAG, &a->keep, a->run ? "do not delete it at its end" : NULL },
		{ "no-pivot", 0, ARG_FLAG, NULL, NULL },
		{ "no-new-keyring", 0, ARG_FLAG, NULL, NULL },
		{ "no-subreaper", 0, ARG_FLAG, NULL, NULL },
		{ "pidfd-socket", 0, ARG_TEXT, NULL, NULL },
		{ 0 },
	};
	int r = cmd_parse(o, verb, "ID", defs, &argv, e);

	if (r)
		return r;
	if (cmd_one_id(verb, argv, &a->id, e) < 0)
		return -1;
	return state_check_id(a->id, e);
}

int cmd_create(struct runsc_opts *o, char **argv, struct oerr *e)
{
	struct creation c = { .io = { { -1, -1, -1 }, -1, -1 } };
	int r = parse(o, "create", argv, &c.a, e);

	if (r)
		return r < 0 ? -1 : 0;
	r = create(o, &c, e);
	e->code = 1; /* 126 and 127 are for verbs that run to the end */
	return r;
}

int cmd_run(struct runsc_opts *o, char **argv, struct oerr *e)
{
	struct creation c = { .a = { .run = true }, .io = { { -1, -1, -1 }, -1, -1 } };
	int r = parse(o, "run", argv, &c.a, e);

	if (r)
		return r < 0 ? -1 : 0;
	if (create(o, &c, e) < 0)
		return -1;
	if (!c.l.auto_start && container_start_now(o, c.st, c.spec, e) < 0) {
		struct oerr ignored = { 0 };

		container_destroy(o, c.st, c.spec, &ignored);
		wait_child(c.l.proxy);
		return -1;
	}
	if (c.a.detach)
		return 0;
	return stay(o, &c, e);
}
