/* Steps of a container's life that several verbs share. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "oci-shim/cmd/cmd.h"
#include "oci-shim/sandbox/console.h"
#include "oci-shim/sandbox/control_client.h"
#include "oci-shim/sandbox/fds.h"
#include "oci-shim/sandbox/hooks.h"
#include "oci-shim/spec/json_util.h"
#include "platform/base/auto.h"
#include "platform/base/log.h"

#define KILL_WAIT_MS 10000

int exit_code(int wait_status)
{
	if (WIFSIGNALED(wait_status))
		return 128 + WTERMSIG(wait_status);
	return WEXITSTATUS(wait_status);
}

int stdio_prepare(struct stdio_set *s, bool terminal, uid_t uid, unsigned rows, unsigned cols,
		  struct oerr *e)
{
	*s = (struct stdio_set){ { -1, -1, -1 }, -1, -1 };
	if (terminal && console_open(uid, rows, cols, &s->master, &s->slave, e) < 0)
		return -1;
	for (int i = 0; i < 3; i++) {
		s->fd[i] = fcntl(terminal ? s->slave : i, F_DUPFD_CLOEXEC, 3);
		/* Closed by the caller: what is opened next must not take its place. */
		if (s->fd[i] < 0)
			s->fd[i] = fd_above_stdio(open("/dev/null", O_RDWR | O_CLOEXEC));
		if (s->fd[i] < 0)
			return oerr_errno(e, errno, "standard input and output");
	}
	return 0;
}

int extra_fds(unsigned n, int **out, struct oerr *e)
{
	if (n > CONTROL_MAX_FDS - 8)
		return oerr_set(e, "--preserve-fds %u: at most %d", n, CONTROL_MAX_FDS - 8);
	*out = calloc(n ? n : 1, sizeof(int));
	if (!*out)
		return oerr_set(e, "out of memory");
	for (unsigned i = 0; i < n; i++) {
		(*out)[i] = fcntl(3 + (int)i, F_DUPFD_CLOEXEC, 3 + (int)n);
		if ((*out)[i] < 0)
			return oerr_errno(e, errno, "--preserve-fds %u: fd %u", n, 3 + i);
	}
	return 0;
}

int spec_load_private(const struct state *st, struct oci_spec **out, struct oerr *e)
{
	char dir[64];

	snprintf(dir, sizeof(dir), "/proc/self/fd/%d", st->dirfd);
	return spec_load(dir, out, e);
}

int container_start_now(const struct runsc_opts *o, struct state *st, const struct oci_spec *spec,
			struct oerr *e)
{
	struct control_req rq = { .magic = CONTROL_MAGIC, .op = CONTROL_START };
	AUTO_CLOSE int input = -1;
	AUTO_FREE char *json = NULL;

	(void)o;
	if (spec->hooks[HOOK_START_CONTAINER].n) {
		json = state_to_json(st, ST_CREATED, 1, false);
		input = json ? memfd_with("state", json, strlen(json)) : -1;
		if (input < 0)
			return oerr_errno(e, errno, "startContainer hooks");
	}
	if (control_request(st, &rq, &input, input >= 0, e) < 0)
		return -1;
	st->status = ST_RUNNING;
	if (state_save(st, e) < 0)
		return -1;
	/* A failure here must not make a running container look failed. */
	if (hooks_run(spec, HOOK_POSTSTART, st, ST_RUNNING, st->bundle, 0, e) < 0)
		log_warn("%s", e->text);
	return 0;
}

static int wait_gone(int pidfd)
{
	struct pollfd pf = { .fd = pidfd, .events = POLLIN };
	int r;

	do
		r = poll(&pf, 1, KILL_WAIT_MS);
	while (r < 0 && errno == EINTR);
	return r > 0 ? 0 : -1;
}

/* End the container's processes. The sentry first: its parent, the proxy, then cleans up
 * after it and ends by itself. */
static int kill_processes(struct state *st, struct oerr *e)
{
	AUTO_CLOSE int sentry = proc_pidfd(&st->sentry);
	AUTO_CLOSE int init = proc_pidfd(&st->init);
	struct oerr ignored = { 0 };

	if (sentry < 0 && init < 0)
		return 0;
	if (sentry >= 0)
		pidfd_signal(sentry, SIGKILL);
	else
		pidfd_signal(init, SIGKILL);
	if (st->status == ST_PAUSED)
		cgroup_freeze(st, false, &ignored);
	if (init >= 0 && wait_gone(init) < 0) {
		pidfd_signal(init, SIGKILL);
		if (wait_gone(init) < 0)
			return oerr_set(e, "container %s: process %d does not end", st->id,
					(int)st->init.pid);
	}
	if (sentry >= 0 && wait_gone(sentry) < 0)
		return oerr_set(e, "container %s: process %d does not end", st->id,
				(int)st->sentry.pid);
	return 0;
}

int container_destroy(const struct runsc_opts *o, struct state *st, const struct oci_spec *spec,
		      struct oerr *e)
{
	struct oci_spec *own = NULL;
	struct oerr ignored = { 0 };
	int r;

	if (!spec && spec_load_private(st, &own, &ignored) == 0)
		spec = own;
	if (kill_processes(st, e) < 0) {
		spec_free(own);
		return -1;
	}
	r = cgroup_remove(st, e);
	if (state_remove(o, st, e) < 0)
		r = -1;
	if (spec && hooks_run(spec, HOOK_POSTSTOP, st, ST_STOPPED, st->bundle, 0, &ignored) < 0)
		log_warn("%s", ignored.text);
	spec_free(own);
	return r;
}
