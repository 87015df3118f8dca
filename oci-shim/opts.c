/* Global flags, messages, and small things that several verbs need. */
#include "oci-shim/opts.h"

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "oci-shim/cmd/cmd.h"
#include "oci-shim/sandbox/fds.h"
#include "oci-shim/state/state.h"
#include "platform/base/log.h"

/* What the flags say, before it is checked. */
static struct {
	const char *root, *log, *log_format, *debug_log, *strace, *crash_reports, *platform;
	const char *network, *overlay;
	const char *rootless, *dcache, *fd_cache;
	bool debug, systemd, help;
} raw;

static const struct arg_def globals[] = {
	{ "root", 0, ARG_TEXT, &raw.root, "directory for the state of containers" },
	{ "log", 0, ARG_TEXT, &raw.log, "also write errors to this file" },
	{ "log-format", 0, ARG_TEXT, &raw.log_format, "text (default) or json" },
	{ "debug", 0, ARG_FLAG, &raw.debug, "more detail in the debug log" },
	{ "debug-log", 0, ARG_TEXT, &raw.debug_log, "file for the runtime's own log" },
	{ "strace", 0, ARG_OPTIONAL, &raw.strace, "print system calls: all, or open,%file,... or !futex" },
	{ "crash-reports", 0, ARG_OPTIONAL, &raw.crash_reports, "report processes that die of a fault: to FILE, the debug log or stderr" },
	{ "platform", 0, ARG_TEXT, &raw.platform, "unotify (default); unotify:direct: without fast calls" },
	{ "network", 0, ARG_TEXT, &raw.network, "none (default) or host" },
	{ "overlay2", 0, ARG_TEXT, &raw.overlay, "{root|all}:{memory|self|dir=/path}[,size=N], or none (default): where changes go" },
	{ "dcache", 0, ARG_TEXT, &raw.dcache, "unused directory entries the sentry keeps (default 65536)" },
	{ "fd-cache", 0, ARG_TEXT, &raw.fd_cache, "unused host files it keeps open (default 4096)" },
	{ "systemd-cgroup", 0, ARG_FLAG, &raw.systemd, "use systemd's cgroup manager" },
	{ "rootless", 0, ARG_OPTIONAL, &raw.rootless, "accepted; found out automatically" },
	{ "criu", 0, ARG_TEXT, NULL, NULL },
	{ 0 },
};

const struct arg_def *global_flags(void)
{
	return globals;
}

void opts_for_messages(struct runsc_opts *o)
{
	o->log = raw.log;
	o->log_json = raw.log_format && !strcmp(raw.log_format, "json");
}

/* ---- settling ---- */

static bool have_sys_admin(void)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2] = { 0 };

	return geteuid() == 0 && syscall(SYS_capget, &h, d) == 0 &&
	       (d[0].effective & (1u << CAP_SYS_ADMIN));
}

static int set_root(struct runsc_opts *o, struct oerr *e)
{
	const char *xdg = getenv("XDG_RUNTIME_DIR");
	char *cwd = NULL, *s;

	if (raw.root && raw.root[0] == '/') {
		o->root = raw.root;
		return 0;
	}
	if (raw.root)
		cwd = getcwd(NULL, 0);
	if (raw.root && cwd ? asprintf(&s, "%s/%s", cwd, raw.root) < 0
	    : !o->privileged && xdg && xdg[0] ? asprintf(&s, "%s/runsc", xdg) < 0
					      : !(s = strdup("/run/runsc")))
		return oerr_set(e, "out of memory");
	free(cwd);
	o->root = s;
	return 0;
}

static int open_debug_log(struct runsc_opts *o, struct oerr *e)
{
	if (!raw.debug_log || (o->debug_log && !strcmp(o->debug_log, raw.debug_log)))
		return 0;
	o->debug_log = raw.debug_log;
	o->debug_fd = fd_above_stdio(open(raw.debug_log,
					  O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0644));
	if (o->debug_fd < 0)
		return oerr_errno(e, errno, "--debug-log %s", raw.debug_log);
	log_setup(o->debug_fd, raw.debug ? LOG_DEBUG : LOG_INFO, "cli");
	return 0;
}

/* --name text, a number up to max. */
static int set_number(const char *name, const char *text, unsigned max, unsigned *out,
		      struct oerr *e)
{
	unsigned long v;
	char *end;

	if (!text)
		return 0;
	errno = 0;
	v = strtoul(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end || errno || v > max)
		return oerr_set(e, "--%s %s: use a number up to %u", name, text, max);
	*out = (unsigned)v;
	return 0;
}

static int open_crash_reports(struct runsc_opts *o, struct oerr *e)
{
	if (!raw.crash_reports || o->report_fd >= 0)
		return 0;
	if (raw.crash_reports[0])
		o->report_fd = fd_above_stdio(open(raw.crash_reports, O_WRONLY | O_CREAT | O_APPEND |
						   O_CLOEXEC | O_NOCTTY, 0644));
	else
		o->report_fd = fcntl(o->debug_fd >= 0 ? o->debug_fd : 2, F_DUPFD_CLOEXEC, 3);
	if (o->report_fd < 0)
		return oerr_errno(e, errno, "--crash-reports %s", raw.crash_reports);
	return 0;
}

static int settle(struct runsc_opts *o, struct oerr *e)
{
	opts_for_messages(o);
	o->debug = raw.debug;
	o->strace = raw.strace;
	o->platform = raw.platform ? raw.platform : "unotify";
	o->systemd_cgroup = raw.systemd;
	o->privileged = have_sys_admin();
	if (raw.log_format && strcmp(raw.log_format, "text") && strcmp(raw.log_format, "json"))
		return oerr_set(e, "--log-format %s: use text or json", raw.log_format);
	o->rootless_asked = raw.rootless && strcmp(raw.rootless, "false") &&
			    strcmp(raw.rootless, "auto");
	if (raw.rootless && raw.rootless[0] && strcmp(raw.rootless, "true") &&
	    strcmp(raw.rootless, "false") && strcmp(raw.rootless, "auto"))
		return oerr_set(e, "--rootless %s: use true, false or auto", raw.rootless);
	if (raw.network) {
		if (strcmp(raw.network, "none") && strcmp(raw.network, "host"))
			return oerr_set(e, "--network %s: use none or host", raw.network);
		o->network = !strcmp(raw.network, "host") ? NET_HOST : NET_NONE;
		o->network_given = true;
	}
	if (raw.overlay) {
		if (overlay_parse(raw.overlay, &o->overlay, e) < 0)
			return -1;
		o->overlay_given = true;
	}
	o->dcache = 65536;
	o->fd_cache = 4096;
	if (set_number("dcache", raw.dcache, 1u << 24, &o->dcache, e) < 0 ||
	    set_number("fd-cache", raw.fd_cache, 1u << 20, &o->fd_cache, e) < 0)
		return -1;
	/* unotify:full, for comparison: every call with all registers. unotify:direct: no code of
	 * the guest's is rewritten, and nobody polls. */
	if (strcmp(o->platform, "unotify") && strcmp(o->platform, "unotify:full") &&
	    strcmp(o->platform, "unotify:direct"))
		return oerr_set(e, "--platform %s: use unotify or unotify:direct", o->platform);
	if (set_root(o, e) < 0)
		return -1;
	if (open_debug_log(o, e) < 0)
		return -1;
	return open_crash_reports(o, e);
}

int cmd_parse(struct runsc_opts *o, const char *verb, const char *usage,
	      const struct arg_def *defs, char ***argv, struct oerr *e)
{
	static const struct arg_def help = { "help", 'h', ARG_HELP, &raw.help, "this text" };
	struct arg_def all[40] = { 0 };
	unsigned n = 0;
	int r;

	while (defs && defs->name && n < 38)
		all[n++] = *defs++;
	all[n++] = help;
	r = args_parse(verb, all, globals, argv, e);
	/* The log flags count also for a mistake in the others. */
	if (r < 0) {
		opts_for_messages(o);
		return -1;
	}
	if (raw.help) {
		printf("usage: runsc [global flags] %s [flags] %s\n\nflags:\n", verb, usage);
		args_print(all);
		printf("\nglobal flags:\n");
		args_print(globals);
		return 1;
	}
	return settle(o, e);
}

int cmd_one_id(const char *verb, char **argv, const char **id, struct oerr *e)
{
	if (!argv[0] || !argv[0][0])
		return oerr_set(e, "%s: needs a container id", verb);
	if (argv[1])
		return oerr_set(e, "%s: unexpected argument \"%s\"", verb, argv[1]);
	*id = argv[0];
	return 0;
}

/* ---- messages ---- */

static void one_line(char *text)
{
	size_t n = strlen(text);

	while (n && text[n - 1] == '\n')
		text[--n] = 0;
	for (char *c = text; *c; c++)
		if (*c == '\n' || *c == '\r')
			*c = ' ';
}

static void print_line(FILE *f, const char *text, bool json)
{
	json_object *s = json_object_new_string(text);
	const char *quoted = json_object_to_json_string_ext(s, JSON_C_TO_STRING_NOSLASHESCAPE);
	char now[40];

	time_rfc3339(now, sizeof(now), false);
	if (json)
		fprintf(f, "{\"level\":\"error\",\"msg\":%s,\"time\":\"%s\"}\n", quoted, now);
	else
		fprintf(f, "time=\"%s\" level=error msg=%s\n", now, quoted);
	json_object_put(s);
}

void report_error(const struct runsc_opts *o, const struct oerr *e)
{
	char text[OERR_TEXT_MAX];
	FILE *f;
	int fd;

	memcpy(text, e->text, sizeof(text));
	one_line(text);
	log_error("%s", text);
	fflush(stdout);
	if (o->log) {
		fd = open(o->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
		f = fd < 0 ? NULL : fdopen(fd, "a");
		if (f) {
			print_line(f, text, o->log_json);
			fclose(f);
		}
		fprintf(stderr, "runsc: %s\n", text);
	} else if (o->log_json || !isatty(2)) {
		print_line(stderr, text, o->log_json);
	} else {
		fprintf(stderr, "runsc: %s\n", text);
	}
}

void title_set(const struct runsc_opts *o, const char *title)
{
	char *start = o->argv[0], *end = start;

	for (char **a = o->argv; *a; a++)
		if (*a == end || end == start)
			end = *a + strlen(*a) + 1;
	if (end <= start + 1)
		return;
	memset(start, 0, (size_t)(end - start));
	strncpy(start, title, (size_t)(end - start) - 1);
}

/* ---- small things ---- */

int signal_from_text(const char *text)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (*text && !*end)
		return n >= 0 && n <= 64 ? (int)n : -1;
	if (!strncasecmp(text, "SIG", 3))
		text += 3;
	for (int s = 1; s < 32; s++)
		if (sigabbrev_np(s) && !strcasecmp(text, sigabbrev_np(s)))
			return s;
	if (!strcasecmp(text, "IO"))
		return SIGIO;
	if (!strncasecmp(text, "RTMIN", 5)) {
		n = text[5] == '+' ? strtol(text + 6, &end, 10) : (end = (char *)(uintptr_t)(text + 5), 0);
		return !*end && n >= 0 && n <= 30 ? 34 + (int)n : -1;
	}
	if (!strncasecmp(text, "RTMAX", 5)) {
		n = text[5] == '-' ? strtol(text + 6, &end, 10) : (end = (char *)(uintptr_t)(text + 5), 0);
		return !*end && n >= 0 && n <= 30 ? 64 - (int)n : -1;
	}
	return -1;
}

int pid_file_write(const char *path, pid_t pid, struct oerr *e)
{
	char text[16], tmp[4096];
	const char *slash = strrchr(path, '/');
	int dir_len = slash ? (int)(slash - path) + 1 : 0, fd, n;
	struct stat st;
	bool in_place = stat(path, &st) == 0 && !S_ISREG(st.st_mode);

	n = snprintf(text, sizeof(text), "%d", (int)pid);
	snprintf(tmp, sizeof(tmp), "%.*s.%s", dir_len, path, path + dir_len);
	fd = open(in_place ? path : tmp,
		  O_WRONLY | O_CLOEXEC | (in_place ? 0 : O_CREAT | O_TRUNC), 0644);
	if (fd < 0)
		return oerr_errno(e, errno, "--pid-file %s", path);
	if (write_all(fd, text, (size_t)n) < 0 || (!in_place && rename(tmp, path) < 0)) {
		oerr_errno(e, errno, "--pid-file %s", path);
		close(fd);
		return -1;
	}
	close(fd);
	return 0;
}
