/* What is known about a container between calls of `runsc`: <root>/<id>/ with
 * state.json, config.json (a private copy) and control.sock. The directory itself
 * is the lock (flock). */
#ifndef OCI_SHIM_STATE_STATE_H
#define OCI_SHIM_STATE_STATE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "oci-shim/err.h"
#include "oci-shim/opts.h"
#include "oci-shim/spec/spec.h"

#define STATE_MAX_CGROUPS 64

enum cstatus { ST_CREATING, ST_CREATED, ST_RUNNING, ST_PAUSED, ST_STOPPED };

struct state_proc {
	pid_t pid;		/* 0: none */
	uint64_t start;		/* field 22 of /proc/PID/stat */
};

struct state {
	char *id, *version, *bundle, *rootfs, *created, *owner;
	struct spec_pair *annotations;
	unsigned nannotations;
	enum cstatus status;	/* as recorded; state_status() for the truth */
	enum cstatus paused_from; /* what a resume goes back to */
	struct state_proc init, sentry;
	char *cgroups[STATE_MAX_CGROUPS]; /* directories we made, parents first */
	unsigned ncgroups;
	char *freezer;		/* file to write to for pause, or NULL */
	bool freezer_v2;
	bool systemd;

	int dirfd;		/* <root>/<id>, locked while held; -1: closed */
	void *json;		/* keeps annotation strings */
};

/* 0, or -1 with a message: [A-Za-z0-9_+.-]+, at most 255, not "." or "..". */
int state_check_id(const char *id, struct oerr *e);

/* Make <root>/<id> (and root). Fails when it exists. *out: locked, status creating,
 * state.json not written yet. */
int state_create(const struct runsc_opts *o, const char *id, struct state **out, struct oerr *e);
/* Open and lock an existing one; waits for a lock held by another call unless
 * shared (readers do not wait for a long create). "container does not exist"
 * when it is not there. */
int state_open(const struct runsc_opts *o, const char *id, bool lock, struct state **out,
	       struct oerr *e);
/* Write state.json atomically. */
int state_save(struct state *s, struct oerr *e);
/* Remove the directory and what is in it. Harmless when parts are missing. */
int state_remove(const struct runsc_opts *o, struct state *s, struct oerr *e);
void state_free(struct state *s); /* unlocks */

/* The live status. */
enum cstatus state_status(const struct state *s);
const char *status_name(enum cstatus st);
/* The OCI state JSON (with a newline when pretty); malloc'd. NULL: out of memory.
 * pid: what to show (hooks inside the container see another one than the host). */
char *state_to_json(const struct state *s, enum cstatus st, pid_t pid, bool pretty);

/* Is the process of that start time alive (and not a zombie)? */
bool proc_alive(const struct state_proc *p);
/* Start time, 0 when the process is gone; *zombie may be NULL. */
uint64_t proc_start_time(pid_t pid, bool *zombie);
/* A pidfd for it, checked against the start time; -1 when it is gone. */
int proc_pidfd(const struct state_proc *p);

/* Call fn for every container below root, in name order. */
int state_for_each(const struct runsc_opts *o, void (*fn)(struct state *s, void *ctx), void *ctx,
		   struct oerr *e);

/* RFC 3339 with nanoseconds, now, UTC; buf of 40. */
void time_rfc3339(char *buf, size_t size, bool nanoseconds);

#endif
