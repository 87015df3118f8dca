/* --crash-reports: the process that describes crashes. It is told of one by the sentry, asks
 * it for memory and registers, and writes text. It takes apart what a guest wrote (unwind
 * tables, symbol tables, instructions) and therefore has nothing: an empty root, no
 * capabilities, a filter that knows reading, writing and memory. When a report ends it by a
 * crash of its own or takes too long, the sentry goes on without. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "oci-shim/debug/remote.h"
#include "oci-shim/sandbox/fds.h"
#include "oci-shim/sandbox/process.h"
#include "platform/base/log.h"

static void done(int sock)
{
	struct control_req rq = { .magic = CONTROL_MAGIC, .op = CONTROL_DONE };

	if (remote_ask(sock, &rq) < 0)
		_exit(0);
}

static void serve(int sock, FILE *out)
{
	struct control_crash ev;
	ssize_t n;

	for (;;) {
		n = recv(sock, &ev, sizeof(ev), 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n != (ssize_t)sizeof(ev) || ev.magic != CONTROL_MAGIC)
			return;
		report_crash(out, sock, &ev);
		done(sock);
	}
}

void reporter_main(const struct launch *l, int sock)
{
	int keep[] = { sock, l->o->report_fd, l->o->debug_fd };
	struct oerr e = { 0 };
	sigset_t none;
	FILE *out;

	prctl(PR_SET_NAME, "runsc-reporter");
	title_set(l->o, "runsc-reporter");
	fds_keep_only(keep, 3);
	fds_stderr(l->o->debug_fd);
	log_setup(l->o->debug_fd, l->o->debug ? LOG_DEBUG : LOG_INFO, "reporter");
	setsid();
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	out = fdopen(l->o->report_fd, "w");
	if (!out || root_make_empty(&e) < 0 || caps_reduce(0, &e) < 0) {
		log_warn("crash reports: %s", e.text);
		_exit(1);
	}
	/* After the last change of credentials, which would clear it. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (report_confine(0) < 0) {
		log_warn("crash reports: the reporter could not be confined");
		_exit(1);
	}
	serve(sock, out);
	_exit(0);
}
