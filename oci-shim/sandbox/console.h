/* Terminals between the caller and the container. */
#ifndef OCI_SHIM_SANDBOX_CONSOLE_H
#define OCI_SHIM_SANDBOX_CONSOLE_H

#include <stdbool.h>
#include <sys/types.h>

#include "oci-shim/err.h"

/* A pseudo-terminal of the host; slave's owner becomes uid; size 0x0: leave. */
int console_open(uid_t uid, unsigned rows, unsigned cols, int *master, int *slave,
		 struct oerr *e);
/* Send the master over the caller's AF_UNIX socket, as runc does, and close it. */
int console_send(const char *socket_path, int master, struct oerr *e);

/* Stay in the foreground until the proxy is gone: pass signals on and, when master is
 * not -1, connect our terminal (raw) with it. Returns its wait status. Signals are
 * blocked already. tty_signals: our terminal is the container's own (runsc do), so
 * what it sends is for the foreground process group there. */
int console_foreground(pid_t proxy, int proxy_pidfd, int master, bool tty_signals);

#endif
