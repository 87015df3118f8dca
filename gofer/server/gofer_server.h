/* The gofer: serves the file trees it was given to one sentry, and nothing else. */
#ifndef GOFER_SERVER_GOFER_SERVER_H
#define GOFER_SERVER_GOFER_SERVER_H

#include <stdbool.h>

#define GOFER_NOFILE 131200u /* descriptors that a gofer can make use of */

/* One file tree, or one single file. path: as seen by the calling process (whose root is
 * the pivoted one that holds only the exports); mounts below it are served as well.
 * readonly: nothing is changed, created or opened for writing. shared: the host may
 * change it meanwhile (told for the log only; the client decides what it caches). */
struct gofer_export {
	const char *path;
	bool readonly;
	bool shared;
	bool filestore;	/* nothing can be done but making files without a name */
};

/* Serve `exports` (index 0: the root) over the SOCK_SEQPACKET socket `sock` until it hangs
 * up, then end the process (_exit(0)). Returns only when it could not begin: -errno.
 *
 * Call it single-threaded, in the gofer process, with the capabilities already reduced to
 * what it may use (CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID MKNOD SETFCAP; none
 * is needed). It needs no /proc, raises RLIMIT_NOFILE as far as it may (each file the
 * sentry knows costs it one descriptor: the hard limit is better raised before), sets the
 * umask to 0 and installs a filter (seccomp, kill on violation, no_new_privs) that leaves
 * path and file calls only. All descriptors but `sock`, `fds_dir` and the log's should be closed before.
 *
 * fds_dir (-1: none): /proc/self/fd of the gofer, alone, by which files are opened however
 * they are named by now, deleted ones too. Without it a file is opened by its last name.
 *
 * poll: while requests come thick it may poll for the next one, beside whoever makes them;
 * not where CPU time is limited to less than that takes. */
int gofer_serve(int sock, int fds_dir, bool poll, const struct gofer_export *exports, unsigned n);

#endif
