/* The sentry process: from a fork of the command line to a confined kernel. */
#ifndef OCI_SHIM_BOOT_BOOT_H
#define OCI_SHIM_BOOT_BOOT_H

#include <sys/types.h>

#include "oci-shim/sandbox/launch.h"

/* Never returns. proxy: socket to the proxy; gofer: to the gofer; report: to the
 * command; proxy_pid: as the host sees it. */
__attribute__((noreturn)) void sentry_main(const struct launch *l, int proxy, int gofer,
					   int report, pid_t proxy_pid);

#endif
