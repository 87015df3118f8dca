/* Shared by the parsers of this folder. */
#ifndef OCI_SHIM_SPEC_SPEC_IMPL_H
#define OCI_SHIM_SPEC_SPEC_IMPL_H

#include "oci-shim/spec/json_util.h"
#include "oci-shim/spec/spec.h"

/* obj is the "process" object, p its position. 0 or -1. */
int process_parse(const struct jpos *p, json_object *obj, struct spec_process *out);
/* obj is the "linux" object. 0 or -1. */
int linux_parse(const struct jpos *p, json_object *obj, struct oci_spec *s);

#endif
