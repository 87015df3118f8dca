/* Talking to a running sandbox. */
#include "oci-shim/sandbox/control_client.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "oci-shim/sandbox/fds.h"

int control_connect(const struct state *st, struct oerr *e)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (s < 0)
		return oerr_errno(e, errno, "socket");
	snprintf(a.sun_path, sizeof(a.sun_path), "/proc/self/fd/%d/control.sock", st->dirfd);
	if (connect(s, (struct sockaddr *)&a, sizeof(a)) == 0)
		return s;
	if (errno == ECONNREFUSED || errno == ENOENT)
		oerr_set(e, "container not running: %s", st->id);
	else
		oerr_errno(e, errno, "control socket of %s", st->id);
	close(s);
	return -1;
}

int control_call(int sock, const struct control_req *rq, const int *fds, unsigned nfds,
		 struct oerr *e)
{
	struct control_rep rep;
	ssize_t n;

	if (send_fds(sock, rq, sizeof(*rq), fds, nfds) < 0)
		return oerr_errno(e, errno, "control channel");
	do
		n = recv(sock, &rep, sizeof(rep), 0);
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(rep))
		return oerr_set(e, "container not running");
	if (!rep.error)
		return 0;
	rep.text[sizeof(rep.text) - 1] = 0;
	oerr_set(e, "%s", rep.text);
	e->cause = -rep.error;
	e->code = rep.code;
	return -1;
}

int control_request(const struct state *st, const struct control_req *rq, const int *fds,
		    unsigned nfds, struct oerr *e)
{
	int s = control_connect(st, e), r;

	if (s < 0)
		return -1;
	r = control_call(s, rq, fds, nfds, e);
	close(s);
	return r;
}
