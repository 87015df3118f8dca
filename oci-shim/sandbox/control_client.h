/* Talking to a running sandbox. */
#ifndef OCI_SHIM_SANDBOX_CONTROL_CLIENT_H
#define OCI_SHIM_SANDBOX_CONTROL_CLIENT_H

#include "oci-shim/state/state.h"
#include "sentry/control/control.h"

/* A connection, or -1 with "container not running". */
int control_connect(const struct state *st, struct oerr *e);
/* Send a request with fds and wait for the answer. 0, or -1 with e (text, code, cause). */
int control_call(int sock, const struct control_req *rq, const int *fds, unsigned nfds,
		 struct oerr *e);
/* Connect, call, close. */
int control_request(const struct state *st, const struct control_req *rq, const int *fds,
		    unsigned nfds, struct oerr *e);

#endif
