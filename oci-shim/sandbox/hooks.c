/* Hooks: a program that gets the container's state on its standard input. */
#include "oci-shim/sandbox/hooks.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "oci-shim/sandbox/fds.h"
#include "oci-shim/sandbox/process.h"
#include "platform/base/auto.h"

static const char *const kind_names[HOOK_KINDS] = {
	"prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop",
};

static char **null_terminated(const struct strv *v, const char *alone)
{
	char **out = calloc(v->n + 2, sizeof(*out));

	if (!out)
		_exit(127);
	for (unsigned i = 0; i < v->n; i++)
		memcpy(&out[i], &v->v[i], sizeof(v->v[i]));
	if (!v->n && alone)
		memcpy(&out[0], &alone, sizeof(alone));
	return out;
}

__attribute__((noreturn)) static void hook_child(const struct spec_hook *h, int in, int out,
						 const char *cwd, pid_t join)
{
	struct oerr e = { 0 };
	sigset_t none;

	if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
		_exit(127);
	close_range(3, ~0u, 0);
	if (join > 0 && ns_join(join, &e) < 0) {
		fprintf(stderr, "%s", e.text);
		_exit(127);
	}
	if (cwd && chdir(cwd) < 0)
		dprintf(2, "%s: %s", cwd, strerror(errno));
	for (int s = 1; s < 32; s++)
		signal(s, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execve(h->path, null_terminated(&h->args, h->path), null_terminated(&h->env, NULL));
	dprintf(2, "%s", strerror(errno));
	_exit(127);
}

static long ms_until(const struct timespec *end)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (end->tv_sec - now.tv_sec) * 1000 + (end->tv_nsec - now.tv_nsec) / 1000000;
}

/* Collect what it prints until it ends (not until EOF: a daemon that it leaves behind
 * may hold the pipe for ever). false: the timeout passed. */
static bool hook_wait(int pidfd, int out, int timeout, char *text, size_t size)
{
	struct pollfd pf[2] = { { .fd = pidfd, .events = POLLIN }, { .fd = out, .events = POLLIN } };
	struct timespec end;
	size_t n = 0;
	char junk[512];

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += timeout;
	for (;;) {
		long left = timeout ? ms_until(&end) : -1;
		ssize_t r;

		if (timeout && left < 0)
			left = 0;
		if (poll(pf, 2, (int)left) == 0)
			return false;
		if (pf[1].revents) {
			r = n < size - 1 ? read(out, text + n, size - 1 - n)
					 : read(out, junk, sizeof(junk));
			if (r > 0 && n < size - 1)
				n += (size_t)r;
			else if (r <= 0)
				pf[1].fd = -1;
			text[n] = 0;
			continue;
		}
		if (pf[0].revents)
			return true;
	}
}

static int hook_run(const struct spec_hook *h, const char *json, const char *cwd, pid_t join,
		    struct oerr *e)
{
	AUTO_CLOSE int in = memfd_with("state", json, strlen(json));
	AUTO_CLOSE int pidfd = -1;
	char text[1024] = "";
	int p[2], status;
	bool done;
	pid_t pid;

	if (in < 0 || pipe2(p, O_CLOEXEC) < 0)
		return oerr_errno(e, errno, "%s", h->path);
	pid = clone_process(0, -1, &pidfd);
	if (pid == 0)
		hook_child(h, in, p[1], cwd, join);
	close(p[1]);
	if (pid < 0) {
		close(p[0]);
		return oerr_errno(e, -pid, "%s", h->path);
	}
	done = hook_wait(pidfd, p[0], h->timeout, text, sizeof(text));
	close(p[0]);
	if (!done)
		pidfd_signal(pidfd, SIGKILL);
	status = wait_child(pid);
	for (char *c = text; *c; c++)
		if (*c == '\n')
			*c = c[1] ? ' ' : 0;
	if (!done)
		return oerr_set(e, "%s: no end within its timeout of %d s", h->path, h->timeout);
	if (WIFSIGNALED(status))
		return oerr_set(e, "%s: killed by signal %d: %s", h->path, WTERMSIG(status), text);
	if (WEXITSTATUS(status))
		return oerr_set(e, "%s: exit status %d: %s", h->path, WEXITSTATUS(status), text);
	return 0;
}

int hooks_run(const struct oci_spec *s, enum spec_hook_kind kind, const struct state *st,
	      enum cstatus status, const char *cwd, pid_t pid, struct oerr *e)
{
	const struct spec_hooks *h = &s->hooks[kind];
	AUTO_FREE char *json = NULL;

	if (!h->n)
		return 0;
	json = state_to_json(st, status, st->init.pid, false);
	if (!json)
		return oerr_set(e, "out of memory");
	for (unsigned i = 0; i < h->n; i++)
		if (hook_run(&h->v[i], json, cwd, pid, e) < 0)
			return oerr_ctx(e, "hooks.%s[%u]", kind_names[kind], i);
	return 0;
}
