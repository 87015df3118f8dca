/* Between the cgroup files of this folder. */
#ifndef OCI_SHIM_SANDBOX_CGROUP_IMPL_H
#define OCI_SHIM_SANDBOX_CGROUP_IMPL_H

#include <stdbool.h>
#include <stddef.h>

#include "oci-shim/spec/spec.h"

struct hierarchy {
	bool v2;
	char controllers[128];	/* ",cpu,cpuacct,"; v2: ",," */
	char mount[128];	/* where it is mounted */
	char self[512];		/* our own cgroup in it */
};

/* Write the limits of the spec into the directories for rel. A limit whose controller
 * is missing is an error that names it. */
int limits_set(const struct hierarchy *h, unsigned n, const char *rel,
	       const struct spec_resources *r, struct oerr *e);
/* The mounted hierarchies; how many. */
unsigned hierarchies(struct hierarchy *out, unsigned room);
/* --systemd-cgroup: says why it cannot be. Always -1. */
int systemd_refuse(const struct oci_spec *spec, struct oerr *e);

#endif
