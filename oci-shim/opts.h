/* What the global flags say; set once by main() and then only read. */
#ifndef OCI_SHIM_OPTS_H
#define OCI_SHIM_OPTS_H

#include <stdbool.h>
#include <stdint.h>

#include "oci-shim/err.h"

#define RUNSC_VERSION "0.1.0"
#define RUNSC_SPEC_VERSION "1.2.0"

enum net_mode { NET_NONE, NET_HOST };

/* Where changes of the root (all: and of writable bind mounts) go. */
struct overlay_opts {
	enum { OVERLAY_NONE, OVERLAY_MEMORY, OVERLAY_SELF, OVERLAY_DIR } medium;
	bool all;
	const char *dir;	/* OVERLAY_DIR */
	uint64_t size;		/* bytes; 0: no limit */
};
/* Contents are kept in files on the host's disk, not in the container's memory. */
static inline bool overlay_on_disk(const struct overlay_opts *o)
{
	return o->medium == OVERLAY_SELF || o->medium == OVERLAY_DIR;
}
int overlay_parse(const char *text, struct overlay_opts *o, struct oerr *e);

struct runsc_opts {
	const char *root;	/* state directory, absolute */
	const char *log;	/* NULL: none */
	bool log_json;
	const char *debug_log;	/* NULL: none */
	int debug_fd;		/* the open debug log, or -1 */
	bool debug;
	const char *strace;	/* NULL: off; "": every call; else a filter */
	int report_fd;		/* --crash-reports: where to, or -1 */
	const char *platform;
	enum net_mode network;
	bool network_given;
	struct overlay_opts overlay; /* --overlay2 */
	bool overlay_given;
	unsigned dcache;	/* --dcache: unused directory entries the sentry keeps */
	unsigned fd_cache;	/* --fd-cache: host files it keeps open unused */
	bool systemd_cgroup;
	bool rootless_asked;	/* --rootless, for `spec` */
	bool privileged;	/* has CAP_SYS_ADMIN: no user namespace of our own needed */
	char **argv;		/* as given to main(), for the process title */
};

/* Write the one error line: to stderr, and to the log file when there is one. */
void report_error(const struct runsc_opts *o, const struct oerr *e);
/* A warning goes to the debug log only: callers parse what we print. */

/* Show `title` instead of the command line in ps (as much as fits). */
void title_set(const struct runsc_opts *o, const char *title);

#endif
