/* Making a sandbox: its processes are forked from the command line without exec
 * and inherit what it has parsed.
 *
 *	runsc run/create/do ── proxy ──┬── sentry (own user, pid, mount, ipc, uts,
 *	                               │           net namespaces; stubs below)
 *	                               └── gofer  (own mount namespace)
 *
 * The proxy ("runsc-init") is the pid that callers know. It is the parent of the
 * other two, so that nothing is left to whoever adopts it when the command ends. */
#ifndef OCI_SHIM_SANDBOX_LAUNCH_H
#define OCI_SHIM_SANDBOX_LAUNCH_H

#include <sys/resource.h>

#include "oci-shim/opts.h"
#include "oci-shim/sandbox/cgroup.h"
#include "oci-shim/spec/spec.h"
#include "oci-shim/state/state.h"

struct launch {
	const struct runsc_opts *o;
	const struct oci_spec *spec;
	struct state *st;	/* NULL: nothing is recorded (runsc do) */
	struct cgroup cg;
	const char *rootfs;	/* absolute */
	const char *bundle;	/* NULL for runsc do */
	int stdio[3];		/* for the container; above 2; closed by launch_sandbox() */
	int *extra;		/* its fds 3 and up */
	unsigned nextra;
	struct rlimit nofile;	/* the caller's; ours is raised */
	int tty;		/* pty slave that the proxy takes as controlling tty, or -1 */
	int control_fd;		/* listening socket or -1 */
	int strace_fd;		/* where --strace lines go, or -1 */
	int crash_fd;		/* the sentry's socket to the crash reporter, or -1; set by the
				 * proxy */
	struct cgroup_watch mem[CGROUP_WATCH_MAX]; /* for the sentry; set by the proxy */
	unsigned nmem;
	uid_t outer_uid;	/* whom root in the sentry's user namespace stands for */
	gid_t outer_gid;
	bool auto_start;	/* no separate start follows */
	bool native_signals;	/* see sentry/control/container.h */
	bool die_with_parent;	/* the sandbox ends when the command is killed */
	bool root_shared;	/* the host changes the root under us (runsc do) */

	/* set by launch_sandbox() */
	pid_t proxy;
	int proxy_pidfd;
	int report;		/* our end of the report socket */
	pid_t sentry_pid;
	bool hooks_ran;
};

/* Start everything and wait until it is ready. 0; or -1 with e (code: what run and do
 * exit with), and no process left. */
int launch_sandbox(struct launch *l, struct oerr *e);
/* The command has recorded everything: from now on the sandbox lives without it. */
void launch_commit(struct launch *l);
/* End a launched sandbox and wait until it is gone. */
void launch_abort(struct launch *l);
/* After the proxy has ended with this wait status: did something go wrong inside? 0 or -1
 * with e. */
int launch_post_mortem(struct launch *l, int status, struct oerr *e);

/* A listening control socket in the state directory, or -1 with e. */
int control_listen(struct state *st, struct oerr *e);

#endif
