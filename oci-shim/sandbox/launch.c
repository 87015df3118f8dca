/* The command's side of making a sandbox. */
#include "oci-shim/sandbox/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "oci-shim/sandbox/fds.h"
#include "oci-shim/sandbox/hooks.h"
#include "oci-shim/sandbox/process.h"

int control_listen(struct state *st, struct oerr *e)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	mode_t old;
	int r;

	/* State directories can be deeper than a socket address is long. */
	snprintf(a.sun_path, sizeof(a.sun_path), "/proc/self/fd/%d/control.sock", st->dirfd);
	if (s < 0)
		return oerr_errno(e, errno, "control socket");
	old = umask(0177);
	r = bind(s, (struct sockaddr *)&a, sizeof(a));
	umask(old);
	if (r < 0 || listen(s, 64) < 0) {
		oerr_errno(e, errno, "control socket");
		close(s);
		return -1;
	}
	return s;
}

static void close_container_fds(struct launch *l)
{
	for (int i = 0; i < 3; i++) {
		if (l->stdio[i] >= 0)
			close(l->stdio[i]);
		l->stdio[i] = -1;
	}
	for (unsigned i = 0; i < l->nextra; i++)
		close(l->extra[i]);
	l->nextra = 0;
	if (l->tty >= 0)
		close(l->tty);
	l->tty = -1;
	if (l->control_fd >= 0)
		close(l->control_fd);
	l->control_fd = -1;
	cgroup_close(&l->cg);
}

static void record_pid(struct launch *l)
{
	if (!l->st)
		return;
	l->st->init.pid = l->proxy;
	l->st->init.start = proc_start_time(l->proxy, NULL);
}

/* The proxy's namespaces are there: the hooks that are meant to see them. */
static int run_create_hooks(struct launch *l, struct oerr *e)
{
	if (!l->st)
		return 0;
	record_pid(l);
	if (state_save(l->st, e) < 0)
		return -1;
	l->hooks_ran = true;
	if (hooks_run(l->spec, HOOK_PRESTART, l->st, ST_CREATING, l->bundle, 0, e) < 0 ||
	    hooks_run(l->spec, HOOK_CREATE_RUNTIME, l->st, ST_CREATING, l->bundle, 0, e) < 0)
		return -1;
	return hooks_run(l->spec, HOOK_CREATE_CONTAINER, l->st, ST_CREATING, l->rootfs, l->proxy,
			 e);
}

static int on_namespaces(struct launch *l, const struct report_msg *m, struct oerr *e)
{
	if (m->a == 1 ? ns_write_maps(l, l->proxy, e) < 0 : run_create_hooks(l, e) < 0)
		return -1;
	if (write(l->report, "G", 1) != 1)
		return oerr_errno(e, errno, "the sandbox went away");
	return 0;
}

/* A report. What the proxy left unread when it ended comes as an error before what it had
 * said. */
static bool take_report(const struct launch *l, struct report_msg *m, int flags)
{
	ssize_t n;

	do
		n = recv(l->report, m, sizeof(*m), flags);
	while (n < 0 && (errno == EINTR || errno == ECONNRESET));
	m->text[sizeof(m->text) - 1] = 0;
	return n == (ssize_t)sizeof(*m);
}

/* 1: go on; 0: ready; -1. The proxy's word about its children and the sentry's that it is
 * ready come in either order. What is left unread when the command ends would reset the
 * connection under the proxy. */
static int one_report(struct launch *l, bool *ready, struct oerr *e)
{
	struct report_msg m = { 0 };

	if (!take_report(l, &m, 0))
		return oerr_set(e, "the sandbox's processes ended without a word: --debug-log FILE may tell why");
	switch (m.kind) {
	case REPORT_NAMESPACES:
		return on_namespaces(l, &m, e) < 0 ? -1 : 1;
	case REPORT_PIDS:
		l->sentry_pid = m.a;
		return !*ready;
	case REPORT_READY:
		*ready = true;
		return !l->sentry_pid;
	default:
		e->code = m.a;
		return oerr_set(e, "%s", m.text);
	}
}

int launch_sandbox(struct launch *l, struct oerr *e)
{
	bool own_userns = !l->o->privileged || l->spec->ns[NS_USER].listed, ready = false;
	sigset_t all;
	int sv[2], r;

	l->outer_uid = own_userns ? 0 : geteuid();
	l->outer_gid = own_userns ? 0 : getegid();
	l->proxy_pidfd = -1;
	/* From here on signals are read, in the proxy and later here, not delivered. */
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) < 0) {
		close_container_fds(l);
		return oerr_errno(e, errno, "socketpair");
	}
	l->report = sv[0];
	fflush(NULL);
	l->proxy = clone_process(0, l->cg.unified_fd, &l->proxy_pidfd);
	if (l->proxy == 0)
		proxy_main(l, sv[1]);
	close(sv[1]);
	close_container_fds(l);
	if (l->proxy < 0) {
		close(l->report);
		return oerr_errno(e, -l->proxy, "starting a process");
	}
	do
		r = one_report(l, &ready, e);
	while (r == 1);
	if (r < 0) {
		launch_abort(l);
		return -1;
	}
	record_pid(l);
	if (l->st) {
		l->st->sentry.pid = l->sentry_pid;
		l->st->sentry.start = proc_start_time(l->sentry_pid, NULL);
	}
	return 0;
}

void launch_commit(struct launch *l)
{
	(void)!write(l->report, "R", 1);
}

void launch_abort(struct launch *l)
{
	struct pollfd pf = { .fd = l->proxy_pidfd, .events = POLLIN };

	/* The proxy ends its children first; it answers at once unless it still makes
	 * them, or waits for a go. */
	shutdown(l->report, SHUT_RDWR);
	if (poll(&pf, 1, 10000) == 0)
		pidfd_signal(l->proxy_pidfd, SIGKILL);
	wait_child(l->proxy);
	close(l->proxy_pidfd);
	close(l->report);
	l->proxy_pidfd = l->report = -1;
}

int launch_post_mortem(struct launch *l, int status, struct oerr *e)
{
	bool said_end = false;
	struct report_msg m;

	while (take_report(l, &m, MSG_DONTWAIT)) {
		if (m.kind == REPORT_ERROR)
			return oerr_set(e, "%s", m.text);
		said_end |= m.kind == REPORT_END;
	}
	if (said_end)
		return 0;
	return oerr_set(e, "the sandbox's proxy ended unexpectedly (%s %d), and all of it with it: was it killed? --debug-log FILE may tell more",
			WIFSIGNALED(status) ? "signal" : "status",
			WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}
