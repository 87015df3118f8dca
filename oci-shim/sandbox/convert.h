/* From the spec's process to the form that the sentry takes. */
#ifndef OCI_SHIM_SANDBOX_CONVERT_H
#define OCI_SHIM_SANDBOX_CONVERT_H

#include <sys/resource.h>

#include "oci-shim/spec/spec.h"
#include "sentry/control/process_msg.h"

/* What RLIMIT_NOFILE was before this process raised its own. */
void process_caller_nofile(const struct rlimit *r);
/* Strings stay the spec's; only the two pointer arrays are new and never freed (they
 * live as long as the process). Limits that are not given are the caller's own. */
int process_from_spec(const struct spec_process *p, struct container_process *out,
		      struct oerr *e);
/* A startContainer hook: root with the container's capabilities. */
int process_from_hook(const struct spec_hook *h, const struct spec_process *p,
		      struct container_process *out, struct oerr *e);

#endif
