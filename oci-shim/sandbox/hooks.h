/* Hooks of the spec that run on the host. */
#ifndef OCI_SHIM_SANDBOX_HOOKS_H
#define OCI_SHIM_SANDBOX_HOOKS_H

#include "oci-shim/state/state.h"

/* Run all hooks of a kind in order, with the state as their input. pid: whose network,
 * ipc and uts namespaces to join, 0: stay (createContainer joins). Stops at the first
 * failure: -1 with e. */
int hooks_run(const struct oci_spec *s, enum spec_hook_kind kind, const struct state *st,
	      enum cstatus status, const char *cwd, pid_t pid, struct oerr *e);

#endif
