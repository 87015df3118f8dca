/* Between the files of this folder. */
#ifndef OCI_SHIM_STATE_STATE_IMPL_H
#define OCI_SHIM_STATE_STATE_IMPL_H

#include <sys/syscall.h>
#include <unistd.h>

#include "oci-shim/state/state.h"

/* The contents of state.json; malloc'd. NULL: out of memory. */
char *state_file_text(const struct state *s);
/* Fill s from state.json below s->dirfd. A missing file means: creating. */
int state_read_json(struct state *s, struct oerr *e);

static inline int pidfd_open_(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

#endif
