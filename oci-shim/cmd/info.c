/* ps, spec, syscalls, features. */
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "oci-shim/cmd/cmd.h"
#include "oci-shim/sandbox/control_client.h"
#include "oci-shim/sandbox/fds.h"
#include "platform/base/auto.h"
#include "syscalls/syscalls_doc.h"

/* ---- ps ---- */

static void ps_row(const struct control_ps *p)
{
	char tty[16] = "?";
	uint64_t s = p->cpu_ns / 1000000000;

	if (p->tty >> 20 == 136)
		snprintf(tty, sizeof(tty), "pts/%u", p->tty & 0xfffff);
	else if (p->tty)
		snprintf(tty, sizeof(tty), "tty");
	printf("%-8u %7d %7d %c %-8s %02u:%02u:%02u %s\n", p->uid, p->tgid, p->ppid, p->state, tty,
	       (unsigned)(s / 3600), (unsigned)(s / 60 % 60), (unsigned)(s % 60), p->cmd);
}

static int ps_collect(int sock, bool json, json_object *array, struct oerr *e)
{
	union {
		struct control_ps ps;
		struct control_rep rep;
	} u;
	ssize_t n;

	if (!json)
		printf("%-8s %7s %7s %c %-8s %8s %s\n", "UID", "PID", "PPID", 'S', "TTY", "TIME",
		       "CMD");
	for (;;) {
		n = recv(sock, &u, sizeof(u), 0);
		if (n == (ssize_t)sizeof(u.rep)) {
			u.rep.text[sizeof(u.rep.text) - 1] = 0;
			return u.rep.error ? oerr_set(e, "%s", u.rep.text) : 0;
		}
		if (n != (ssize_t)sizeof(u.ps))
			return oerr_set(e, "container not running");
		u.ps.cmd[sizeof(u.ps.cmd) - 1] = 0;
		if (!json)
			ps_row(&u.ps);
		else if (u.ps.host_pid)
			json_object_array_add(array, json_object_new_int(u.ps.host_pid));
	}
}

int cmd_ps(struct runsc_opts *o, char **argv, struct oerr *e)
{
	struct control_req rq = { .magic = CONTROL_MAGIC, .op = CONTROL_PS };
	const char *format = "table";
	const struct arg_def defs[] = {
		{ "format", 'f', ARG_TEXT, &format, "table (default): the guest's processes; json: pids of the host" },
		{ 0 },
	};
	int r = cmd_parse(o, "ps", "ID", defs, &argv, e), sock;
	json_object *array;
	struct state *st;
	bool json;

	if (r)
		return r < 0 ? -1 : 0;
	if (!argv[0] || !argv[0][0])
		return oerr_set(e, "ps: needs a container id");
	json = !strcmp(format, "json");
	if (!json && strcmp(format, "table"))
		return oerr_set(e, "--format %s: use table or json", format);
	if (state_open(o, argv[0], false, &st, e) < 0)
		return -1;
	if (state_status(st) == ST_STOPPED) {
		state_free(st);
		return oerr_set(e, "container not running");
	}
	sock = control_connect(st, e);
	state_free(st);
	if (sock < 0)
		return -1;
	array = json_object_new_array();
	r = send_fds(sock, &rq, sizeof(rq), NULL, 0) < 0 ? oerr_errno(e, errno, "control channel")
							  : ps_collect(sock, json, array, e);
	close(sock);
	if (r == 0 && json)
		puts(json_object_to_json_string_ext(array, JSON_C_TO_STRING_PLAIN));
	json_object_put(array);
	return r;
}

/* ---- spec ---- */

int cmd_spec(struct runsc_opts *o, char **argv, struct oerr *e)
{
	const char *bundle = ".";
	const struct arg_def defs[] = {
		{ "bundle", 'b', ARG_TEXT, &bundle, "directory to write config.json to (default: here)" },
		{ 0 },
	};
	AUTO_CLOSE int fd = -1;
	AUTO_FREE char *text = NULL;
	char path[4096];
	int r;

	r = cmd_parse(o, "spec", "", defs, &argv, e);
	if (r)
		return r < 0 ? -1 : 0;
	if (argv[0])
		return oerr_set(e, "spec: unexpected argument \"%s\"", argv[0]);
	text = spec_default_text(o->rootless_asked);
	if (!text)
		return oerr_set(e, "out of memory");
	snprintf(path, sizeof(path), "%s/config.json", bundle);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0 && errno == EEXIST)
		return oerr_set(e, "%s: exists already: remove it first", path);
	if (fd < 0 || write_all(fd, text, strlen(text)) < 0)
		return oerr_errno(e, errno, "%s", path);
	return 0;
}

/* ---- syscalls ---- */

int cmd_syscalls(struct runsc_opts *o, char **argv, struct oerr *e)
{
	const char *format = "text";
	const struct arg_def defs[] = {
		{ "format", 'f', ARG_TEXT, &format, "text (default), md or json" },
		{ 0 },
	};
	int r = cmd_parse(o, "syscalls", "", defs, &argv, e);

	if (r)
		return r < 0 ? -1 : 0;
	if (syscalls_print(stdout, format) < 0)
		return oerr_set(e, "--format %s: use text, md or json", format);
	return 0;
}

/* ---- features ---- */

static const char features_head[] =
	"{\"ociVersionMin\":\"1.0.0\",\"ociVersionMax\":\"1.3.0\","
	"\"hooks\":[\"prestart\",\"createRuntime\",\"createContainer\",\"startContainer\","
	"\"poststart\",\"poststop\"],"
	"\"mountOptions\":[\"async\",\"atime\",\"bind\",\"defaults\",\"dev\",\"diratime\","
	"\"dirsync\",\"exec\",\"iversion\",\"lazytime\",\"loud\",\"noatime\",\"nodev\","
	"\"nodiratime\",\"noexec\",\"noiversion\",\"nolazytime\",\"norelatime\","
	"\"nostrictatime\",\"nosuid\",\"private\",\"rbind\",\"relatime\",\"remount\",\"ro\","
	"\"rprivate\",\"rro\",\"rshared\",\"rslave\",\"runbindable\",\"rw\",\"shared\","
	"\"silent\",\"slave\",\"strictatime\",\"suid\",\"sync\",\"unbindable\"],"
	"\"linux\":{\"namespaces\":[\"ipc\",\"mount\",\"network\",\"pid\",\"user\",\"uts\"],"
	"\"capabilities\":[";
static const char features_tail[] =
	"],\"cgroup\":{\"v1\":true,\"v2\":true,\"systemd\":false,\"systemdUser\":false,"
	"\"rdma\":false},\"seccomp\":{\"enabled\":false},\"apparmor\":{\"enabled\":false},"
	"\"selinux\":{\"enabled\":false},\"intelRdt\":{\"enabled\":false},"
	"\"mountExtensions\":{\"idmap\":{\"enabled\":false}}},"
	"\"annotations\":{\"io.github.seccomp.libseccomp.version\":\"\","
	"\"org.opencontainers.runc.version\":\"" RUNSC_VERSION "\"},"
	"\"potentiallyUnsafeConfigAnnotations\":[]}\n";

int cmd_features(struct runsc_opts *o, char **argv, struct oerr *e)
{
	int r = cmd_parse(o, "features", "", NULL, &argv, e);

	if (r)
		return r < 0 ? -1 : 0;
	fputs(features_head, stdout);
	for (int cap = 0; cap_name(cap); cap++)
		printf("%s\"%s\"", cap ? "," : "", cap_name(cap));
	fputs(features_tail, stdout);
	return 0;
}
