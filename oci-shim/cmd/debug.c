/* debug: looking into a running container. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "oci-shim/cmd/cmd.h"
#include "oci-shim/debug/remote.h"
#include "oci-shim/sandbox/control_client.h"
#include "oci-shim/sandbox/fds.h"
#include "platform/base/auto.h"

#define STACKS_CPU_SECONDS 60u

/* The stacks are made by a child that can do nothing but ask and print: it takes apart what
 * the guest wrote. */
static int stacks(int sock, int pid, struct oerr *e)
{
	pid_t child;
	int status;

	fflush(NULL);
	child = fork();
	if (child < 0)
		return oerr_errno(e, errno, "fork");
	if (child == 0) {
		int keep[] = { sock, fcntl(1, F_DUPFD_CLOEXEC, 3) };
		FILE *out;

		fds_keep_only(keep, 2); /* puts /dev/null in the place of 0, 1 and 2 */
		out = fdopen(keep[1], "w");
		if (!out)
			_exit(3);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getuid() == 0 && (setresgid(65534, 65534, 65534) < 0 ||
				      setresuid(65534, 65534, 65534) < 0))
			_exit(3);
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || report_confine(STACKS_CPU_SECONDS) < 0)
			_exit(3);
		status = report_stacks(out, sock, pid) < 0 ? 2 : 0;
		fflush(out);
		_exit(status);
	}
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFSIGNALED(status))
		return oerr_set(e, "debug: printing the stacks ended with signal %d", WTERMSIG(status));
	switch (WEXITSTATUS(status)) {
	case 0:
		return 0;
	case 2:
		return pid ? oerr_set(e, "debug: no process %d in the container, or it is ending", pid)
			   : oerr_set(e, "debug: the container has no processes, or is ending");
	default:
		return oerr_set(e, "debug: the process that prints stacks could not be confined");
	}
}

/* Lines come through a pipe, so that the sentry never waits for our terminal. */
static int trace(int sock, const char *filter, struct oerr *e)
{
	struct control_req rq = { .magic = CONTROL_MAGIC, .op = CONTROL_STRACE };
	char buf[65536];
	int p[2], r;
	ssize_t n;

	if (strcmp(filter, "off") == 0)
		return control_call(sock, &rq, NULL, 0, e);
	if (snprintf(rq.text, sizeof(rq.text), "%s", strcmp(filter, "all") ? filter : "") >=
	    (int)sizeof(rq.text))
		return oerr_set(e, "debug --strace: the list is too long");
	if (pipe2(p, O_CLOEXEC) < 0)
		return oerr_errno(e, errno, "pipe");
	fcntl(p[1], F_SETFL, O_NONBLOCK);
	fcntl(p[1], F_SETPIPE_SZ, 1 << 20);
	r = control_call(sock, &rq, &p[1], 1, e);
	close(p[1]);
	if (r < 0) {
		if (e->cause == EINVAL)
			oerr_set(e, "debug --strace=%s: not a list of calls", filter);
		close(p[0]);
		return -1;
	}
	while ((n = read(p[0], buf, sizeof(buf))) > 0)
		if (fwrite(buf, 1, (size_t)n, stdout) != (size_t)n || fflush(stdout) != 0)
			break;
	close(p[0]);
	return 0;
}

static int number(const char *text, int *out)
{
	char *end;
	long v = strtol(text, &end, 10);

	if (*text == '\0' || *end != '\0' || v < 1 || v > 1 << 22)
		return -1;
	*out = (int)v;
	return 0;
}

int cmd_debug(struct runsc_opts *o, char **argv, struct oerr *e)
{
	struct control_req rq = { .magic = CONTROL_MAGIC, .op = CONTROL_SIGNAL };
	const char *signal_text = NULL, *pid_text = NULL, *strace = NULL;
	bool want_stacks = false, ps = false;
	const struct arg_def defs[] = {
		{ "stacks", 0, ARG_FLAG, &want_stacks, "backtraces of the guest's threads" },
		{ "ps", 0, ARG_FLAG, &ps, "the guest's processes, as runsc ps" },
		{ "strace", 0, ARG_TEXT, &strace, "print calls from now on: all, open,%file,... or off" },
		{ "signal", 0, ARG_TEXT, &signal_text, "signal the process that --pid names" },
		{ "pid", 'p', ARG_TEXT, &pid_text, "one process, by its id in the container" },
		{ 0 },
	};
	int r = cmd_parse(o, "debug", "ID", defs, &argv, e), pid = 0;
	AUTO_CLOSE int sock = -1;
	struct state *st;
	const char *id;

	if (r)
		return r < 0 ? -1 : 0;
	if (cmd_one_id("debug", argv, &id, e) < 0)
		return -1;
	if (pid_text && number(pid_text, &pid) < 0)
		return oerr_set(e, "debug --pid %s: not a process id", pid_text);
	if (!want_stacks && !ps && !signal_text && !strace)
		return oerr_set(e, "debug: say what: --stacks, --ps, --strace or --signal");
	if (signal_text && (rq.signo = signal_from_text(signal_text)) < 1)
		return oerr_set(e, "debug: unknown signal \"%s\"", signal_text);
	if (signal_text && !pid)
		return oerr_set(e, "debug --signal: needs --pid");
	if (ps && (r = cmd_ps(o, (char *[]){ argv[0], NULL }, e)) < 0)
		return -1;
	if (state_open(o, id, false, &st, e) < 0)
		return -1;
	sock = control_connect(st, e);
	state_free(st);
	if (sock < 0)
		return -1;
	rq.pid = pid;
	if (signal_text && control_call(sock, &rq, NULL, 0, e) < 0)
		return -1;
	if (want_stacks && stacks(sock, pid, e) < 0)
		return -1;
	return strace ? trace(sock, strace, e) : 0;
}
