/* The processes that launch.c forks: what they and the commands need of one another. */
#ifndef OCI_SHIM_SANDBOX_PROCESS_H
#define OCI_SHIM_SANDBOX_PROCESS_H

#include "oci-shim/sandbox/launch.h"
#include "sentry/control/control.h"

/* A terminal signal handed on by the foreground command carries this value. */
#define TTY_SIGNAL_VALUE 0x747479

/* Send a report; errors have the text of e. Nobody listening is fine. */
void report_send(int fd, enum report_kind kind, int a, int b, const struct oerr *e);

/* ---- proxy.c ---- */

struct proxy {
	int sock;		/* to the sentry */
	int report;		/* to the command; -1: none */
	int sentry_fd, gofer_fd; /* pidfds of our children; -1: none */
	pid_t sentry, gofer, reporter; /* 0: none */
	int reporter_fd;
	bool committed;		/* the command may go away */
};
/* The proxy of a container's first process; never returns. */
__attribute__((noreturn)) void proxy_main(struct launch *l, int report);
/* The proxy of an exec'd process. */
__attribute__((noreturn)) void proxy_exec_main(int sock);
/* Pass signals on and wait for the end; exits the way the guest process did. */
__attribute__((noreturn)) void proxy_loop(struct proxy *p);

/* ---- namespaces.c: run in the proxy ---- */

/* User namespace (rootless, or asked for). go: socket on which the command says that
 * the id maps are written. 0 or -1. */
int ns_enter_user(const struct launch *l, int report, struct oerr *e);
/* Network, ipc, uts; host name and sysctls. */
int ns_enter_rest(const struct launch *l, struct oerr *e);
/* Join the namespaces of a running container's proxy; for exec. */
int ns_join(pid_t pid, struct oerr *e);
/* lo up in the present network namespace; errors do not matter. */
void ns_loopback_up(void);
/* Written by the command for a child that waits: maps of the spec. */
int ns_write_maps(const struct launch *l, pid_t pid, struct oerr *e);
bool ns_maps_by_parent(const struct launch *l);

/* ---- gofer_setup.c ---- */

/* The gofer; never returns. */
__attribute__((noreturn)) void gofer_main(const struct launch *l, int sock, int report);

/* ---- reporter.c ---- */

/* The crash reporter; never returns. */
__attribute__((noreturn)) void reporter_main(const struct launch *l, int sock);

/* ---- confine.c: shared by proxy and gofer ---- */

/* Keep only these capabilities (bits), everywhere, and set no_new_privs. */
int caps_reduce(uint64_t keep, struct oerr *e);
/* Replace the root by an empty read-only tmpfs. Needs CAP_SYS_ADMIN. */
int root_make_empty(struct oerr *e);
/* A tmpfs on top of "/" of which we are inside afterwards; "." is its root. */
int root_stage(int *old_root, struct oerr *e);
/* Make "." the root and let go of the old one. */
int root_switch(int old_root, struct oerr *e);

#endif
