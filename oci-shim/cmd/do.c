/* do: run one command over the host's own root, whose changes go to memory. Nothing is
 * recorded and nothing is left. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "oci-shim/cmd/cmd.h"
#include "oci-shim/sandbox/console.h"

#define MAX_DO_MOUNTS 64
#define ALL_CAPS ((1ULL << 41) - 1)

extern char **environ;

struct do_args {
	struct arg_list rw, volumes, env;
	const char *cwd, *uid, *gid, *hostname;
};

/* The mounts that replace parts of the host's tree. */
static const struct spec_mount fresh[] = {
	{ .destination = "/proc", .type = "proc", .source = "proc",
	  .flags = SPEC_MNT_NOSUID | SPEC_MNT_NODEV | SPEC_MNT_NOEXEC },
	{ .destination = "/sys", .type = "sysfs", .source = "sysfs",
	  .flags = SPEC_MNT_NOSUID | SPEC_MNT_NODEV | SPEC_MNT_NOEXEC | SPEC_MNT_RDONLY },
	{ .destination = "/dev", .type = "devtmpfs", .source = "devtmpfs",
	  .flags = SPEC_MNT_NOSUID },
	{ .destination = "/dev/pts", .type = "devpts", .source = "devpts",
	  .flags = SPEC_MNT_NOSUID | SPEC_MNT_NOEXEC },
	{ .destination = "/dev/shm", .type = "tmpfs", .source = "tmpfs",
	  .flags = SPEC_MNT_NOSUID | SPEC_MNT_NODEV },
	{ .destination = "/dev/mqueue", .type = "mqueue", .source = "mqueue",
	  .flags = SPEC_MNT_NOSUID | SPEC_MNT_NODEV | SPEC_MNT_NOEXEC },
};
#define NFRESH (sizeof(fresh) / sizeof(fresh[0]))

static int add_bind(struct oci_spec *s, const char *src, const char *dst, bool ro, const char *flag,
		    struct oerr *e)
{
	struct spec_mount *m = &s->mounts[s->nmounts];

	if (s->nmounts == MAX_DO_MOUNTS)
		return oerr_set(e, "%s: more than %zu of them", flag, MAX_DO_MOUNTS - NFRESH);
	m->source = realpath(src, NULL);
	if (!m->source)
		return oerr_errno(e, errno, "%s %s", flag, src);
	m->destination = dst ? dst : m->source;
	if (m->destination[0] != '/')
		return oerr_set(e, "%s: \"%s\" is not an absolute path", flag, m->destination);
	m->type = "bind";
	m->bind = m->recursive = true;
	m->flags = ro ? SPEC_MNT_RDONLY : 0;
	s->nmounts++;
	return 0;
}

/* SRC:DST[:ro|:rw] */
static int add_volume(struct oci_spec *s, const char *text, struct oerr *e)
{
	char *copy = strdup(text), *dst, *mode;

	if (!copy)
		return oerr_set(e, "out of memory");
	dst = strchr(copy, ':');
	if (!dst)
		return oerr_set(e, "--volume %s: use SRC:DST or SRC:DST:ro", text);
	*dst++ = 0;
	mode = strchr(dst, ':');
	if (mode)
		*mode++ = 0;
	if (mode && strcmp(mode, "ro") && strcmp(mode, "rw"))
		return oerr_set(e, "--volume %s: \"%s\" is neither ro nor rw", text, mode);
	return add_bind(s, copy, dst, mode && !strcmp(mode, "ro"), "--volume", e);
}

static int set_user(struct oci_spec *s, const struct runsc_opts *o, const struct do_args *a,
		    struct oerr *e)
{
	struct spec_process *p = &s->process;
	char *end = NULL;

	/* As root: the caller's own ids. Otherwise the caller is root of a user namespace,
	 * which is what its files are shown to belong to. */
	p->uid = o->privileged ? geteuid() : 0;
	p->gid = o->privileged ? getegid() : 0;
	if (a->uid)
		p->uid = (uint32_t)strtoul(a->uid, &end, 10);
	if (a->uid && (*end || !*a->uid))
		return oerr_set(e, "--uid %s: not a number", a->uid);
	if (a->gid)
		p->gid = (uint32_t)strtoul(a->gid, &end, 10);
	if (a->gid && (*end || !*a->gid))
		return oerr_set(e, "--gid %s: not a number", a->gid);
	p->caps[CAPS_BOUNDING] = ALL_CAPS;
	if (p->uid == 0)
		p->caps[CAPS_EFFECTIVE] = p->caps[CAPS_PERMITTED] = ALL_CAPS;
	return 0;
}

static int set_env(struct spec_process *p, const struct do_args *a, struct oerr *e)
{
	unsigned n = 0;

	while (environ[n])
		n++;
	p->env.v = calloc(n + a->env.n + 1, sizeof(char *));
	if (!p->env.v)
		return oerr_set(e, "out of memory");
	for (unsigned i = 0; i < n; i++) {
		size_t len = strcspn(environ[i], "=") + 1;
		bool replaced = false;

		for (unsigned j = 0; j < a->env.n; j++)
			replaced |= !strncmp(environ[i], a->env.v[j], len);
		if (!replaced)
			p->env.v[p->env.n++] = environ[i];
	}
	for (unsigned j = 0; j < a->env.n; j++) {
		if (!strchr(a->env.v[j], '='))
			return oerr_set(e, "--env %s: use NAME=VALUE", a->env.v[j]);
		p->env.v[p->env.n++] = a->env.v[j];
	}
	return 0;
}

static int make_spec(struct oci_spec *s, const struct runsc_opts *o, const struct do_args *a,
		     char **argv, struct oerr *e)
{
	static char host[65];
	struct spec_process *p = &s->process;
	unsigned n = 0;

	s->version = RUNSC_SPEC_VERSION;
	s->root_path = "/";
	s->has_process = true;
	s->root_readonly = o->overlay.medium == OVERLAY_NONE;
	s->mounts = calloc(MAX_DO_MOUNTS, sizeof(*s->mounts));
	if (!s->mounts)
		return oerr_set(e, "out of memory");
	memcpy(s->mounts, fresh, sizeof(fresh));
	s->nmounts = NFRESH;
	for (unsigned i = 0; i < a->rw.n; i++)
		if (add_bind(s, a->rw.v[i], NULL, false, "--rw", e) < 0)
			return -1;
	for (unsigned i = 0; i < a->volumes.n; i++)
		if (add_volume(s, a->volumes.v[i], e) < 0)
			return -1;
	if (gethostname(host, sizeof(host) - 1) == 0)
		s->hostname = host;
	if (a->hostname)
		s->hostname = a->hostname;
	while (argv[n])
		n++;
	p->args.v = calloc(n + 1, sizeof(char *));
	if (!p->args.v)
		return oerr_set(e, "out of memory");
	for (unsigned i = 0; i < n; i++)
		p->args.v[i] = argv[i];
	p->args.n = n;
	p->umask = umask(022);
	umask((mode_t)p->umask);
	p->cwd = a->cwd ? a->cwd : getcwd(NULL, 0);
	if (!p->cwd)
		p->cwd = "/";
	if (p->cwd[0] != '/')
		return oerr_set(e, "--cwd %s: not an absolute path", p->cwd);
	if (set_user(s, o, a, e) < 0)
		return -1;
	return set_env(p, a, e);
}

int cmd_do(struct runsc_opts *o, char **argv, struct oerr *e)
{
	struct do_args a = { 0 };
	const struct arg_def defs[] = {
		{ "rw", 0, ARG_LIST, &a.rw, "let changes of this path reach the host" },
		{ "volume", 'v', ARG_LIST, &a.volumes, "SRC:DST[:ro]: show SRC of the host at DST" },
		{ "cwd", 0, ARG_TEXT, &a.cwd, "working directory (default: the caller's)" },
		{ "env", 'e', ARG_LIST, &a.env, "NAME=VALUE: add to the environment" },
		{ "uid", 0, ARG_TEXT, &a.uid, "user id to run as" },
		{ "gid", 0, ARG_TEXT, &a.gid, "group id to run as" },
		{ "hostname", 0, ARG_TEXT, &a.hostname, "host name (default: the host's)" },
		{ 0 },
	};
	struct oci_spec spec = { 0 };
	struct stdio_set io;
	struct termios saved;
	bool tty;
	struct launch l;
	int r, status;

	r = cmd_parse(o, "do", "[--] COMMAND [ARGUMENT...]", defs, &argv, e);
	if (r)
		return r < 0 ? -1 : 0;
	if (!argv[0])
		return oerr_set(e, "do: needs a command, for example: runsc do -- ls");
	if (!o->overlay_given)
		o->overlay.medium = OVERLAY_MEMORY;
	if (make_spec(&spec, o, &a, argv, e) < 0 || stdio_prepare(&io, false, 0, 0, 0, e) < 0)
		return -1;
	l = (struct launch){
		.o = o, .spec = &spec, .rootfs = "/", .bundle = "/",
		.stdio = { io.fd[0], io.fd[1], io.fd[2] }, .tty = -1, .control_fd = -1,
		.strace_fd = o->strace ? o->debug_fd >= 0 ? o->debug_fd : fcntl(2, F_DUPFD_CLOEXEC, 3)
				       : -1,
		.cg = { .unified_fd = -1 }, .auto_start = true, .native_signals = true,
		.die_with_parent = true, .root_shared = false,
	};
	tty = tcgetattr(0, &saved) == 0;
	if (launch_sandbox(&l, e) < 0)
		return -1;
	launch_commit(&l);
	status = console_foreground(l.proxy, l.proxy_pidfd, -1, true);
	r = launch_post_mortem(&l, status, e);
	/* A command that was killed may have left the terminal in its own mode. */
	if (tty && status & 0x7f)
		tcsetattr(0, TCSADRAIN, &saved);
	e->code = exit_code(status);
	return r < 0 ? -1 : exit_code(status);
}
