/* A container inside the sentry: its first process, processes started later by
 * `runsc exec`, their proxies, and the control channel. Runs on the sentry's main
 * thread, which does nothing else. */
#ifndef SENTRY_CONTROL_CONTAINER_H
#define SENTRY_CONTROL_CONTAINER_H

#include <stdbool.h>

#include "sentry/control/control.h"
#include "sentry/control/process_msg.h"

struct kernel;
struct container;

struct container_params {
	struct kernel *k;
	int control_fd;		/* listening socket or -1; owned */
	int proxy_fd;		/* socket to the proxy of the first process; owned */
	int proxy_pid;		/* its host pid */
	int crash_fd;		/* socket to the reporter or -1; owned */
	bool native_signals;	/* signals from outside end pid 1 as they would any other
				 * process (`runsc do`), instead of being ignored without
				 * a handler as for pid 1 of a pid namespace */
	const struct container_process *hooks; /* startContainer, borrowed */
	unsigned nhooks;
};

/* NULL: out of memory. */
struct container *container_new(const struct container_params *p);

/* Make the first process with host fds as its stdio (owned from here on; extra: fds
 * 3 and up). It does not run before container_start(). 0, or -errno with rep filled in.
 * Without the kernel lock. */
int container_spawn_init(struct container *c, const struct container_process *p, int stdio[3],
			 const int *extra, unsigned nextra, struct control_rep *rep);

/* Let the first process go at once (no hooks). */
void container_start(struct container *c);

/* Serve until the first process has ended, its proxy is gone, or a stop was asked
 * for. All proxies but the first one's have been told when this returns. The wait
 * status of the container. */
int container_serve(struct container *c);

/* Drop what is held of the kernel's objects, between kernel_stop() and kernel_free(). */
void container_release(struct container *c);

/* Why the sandbox ended the first process, when container_serve() has returned; NULL: it
 * ended as it or somebody outside wanted. */
const char *container_ended_by(struct container *c);

/* Tell the first process's proxy; the last thing before the sentry exits. */
void container_finish(struct container *c, int status);

#endif
