/* config.json (OCI runtime-spec 1.x) as a C struct, checked. Strings belong to the
 * JSON tree that the spec keeps, or to whoever built the spec by hand (`runsc do`). */
#ifndef OCI_SHIM_SPEC_SPEC_H
#define OCI_SHIM_SPEC_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "oci-shim/err.h"

struct json_object;

struct strv {
	const char **v;
	unsigned n;
};

#define SPEC_NRLIMITS 16
#define SPEC_ID_UNSET UINT32_MAX

struct spec_rlimit {
	bool set;
	uint64_t soft, hard;
};

enum spec_capset { CAPS_EFFECTIVE, CAPS_PERMITTED, CAPS_INHERITABLE, CAPS_BOUNDING, CAPS_AMBIENT,
		   CAPS_SETS };

struct spec_process {
	bool terminal, no_new_privs;
	unsigned console_rows, console_cols;
	uint32_t uid, gid, umask;	/* umask: SPEC_ID_UNSET when not given */
	uint32_t *groups;
	unsigned ngroups;
	struct strv args, env;
	const char *cwd;
	uint64_t caps[CAPS_SETS];
	struct spec_rlimit rlimits[SPEC_NRLIMITS];
	bool oom_set;
	int oom_score_adj;
};

#define SPEC_MNT_RDONLY 1u
#define SPEC_MNT_NOSUID 2u
#define SPEC_MNT_NODEV 4u
#define SPEC_MNT_NOEXEC 8u
#define SPEC_MNT_NOATIME 16u
#define SPEC_MNT_NODIRATIME 32u
#define SPEC_MNT_STRICTATIME 64u
#define SPEC_MNT_NOSYMFOLLOW 128u
/* Propagation, within the sandbox: with SPEC_MNT_PROP_REC of all mounts below, too. */
#define SPEC_MNT_PRIVATE 256u
#define SPEC_MNT_SHARED 512u
#define SPEC_MNT_SLAVE 1024u
#define SPEC_MNT_UNBINDABLE 2048u
#define SPEC_MNT_PROP_REC 4096u

struct spec_mount {
	const char *destination, *type, *source;
	bool bind, recursive;
	uint32_t flags;		/* SPEC_MNT_* */
	char *data;		/* options for the file system, comma separated, or NULL */
	bool exclusive;		/* nobody else changes it (runsc do's own) */
};

enum spec_hook_kind { HOOK_PRESTART, HOOK_CREATE_RUNTIME, HOOK_CREATE_CONTAINER,
		      HOOK_START_CONTAINER, HOOK_POSTSTART, HOOK_POSTSTOP, HOOK_KINDS };

struct spec_hook {
	const char *path;
	struct strv args, env;
	int timeout;		/* seconds; 0: none */
};

struct spec_hooks {
	struct spec_hook *v;
	unsigned n;
};

enum spec_ns_kind { NS_PID, NS_NETWORK, NS_MOUNT, NS_IPC, NS_UTS, NS_USER, NS_CGROUP, NS_TIME,
		    NS_KINDS };

struct spec_ns {
	bool listed;
	const char *path;	/* NULL: a fresh one */
};

struct spec_idmap {
	uint32_t container_id, host_id, size;
};

struct spec_device {
	const char *path;
	char type;		/* c, b, p */
	uint32_t major, minor, mode, uid, gid;
};

struct spec_pair {
	const char *key, *value;
};

struct spec_resources {
	int64_t pids_limit;		/* 0: not given; -1: none */
	int64_t memory_limit, memory_swap, memory_reservation; /* the same */
	uint64_t cpu_shares, cpu_period; /* 0: not given */
	int64_t cpu_quota;
	const char *cpus, *mems;
	struct spec_pair *unified;
	unsigned nunified;
};

/* Is there CPU time for processes that poll for each other? */
static inline bool spec_two_cpus(const struct spec_resources *r)
{
	uint64_t period = r->cpu_period ? r->cpu_period : 100000;

	return r->cpu_quota <= 0 || (uint64_t)r->cpu_quota >= 2 * period;
}

struct oci_spec {
	struct json_object *json; /* owns the strings; NULL for a spec made by hand */
	char *text;		/* spec_load(): the file's contents, for the private copy */
	size_t text_len;
	const char *version;
	const char *hostname, *domainname;
	const char *root_path;
	bool root_readonly;
	bool has_process;
	struct spec_process process;
	struct spec_mount *mounts;
	unsigned nmounts;
	struct spec_hooks hooks[HOOK_KINDS];
	struct spec_pair *annotations;
	unsigned nannotations;

	struct spec_ns ns[NS_KINDS];
	struct spec_idmap *uid_maps, *gid_maps;
	unsigned nuid_maps, ngid_maps;
	struct spec_device *devices;
	unsigned ndevices;
	struct strv masked_paths, readonly_paths;
	struct spec_pair *sysctls;
	unsigned nsysctls;
	const char *cgroups_path;
	struct spec_resources res;
};

/* Read and check bundle/config.json. 0, or -1 with e naming file and line or field.
 * *out is the caller's: spec_free(). */
int spec_load(const char *bundle, struct oci_spec **out, struct oerr *e);
/* The same from text (name: how messages call it). */
int spec_parse(const char *text, size_t len, const char *name, struct oci_spec **out,
	       struct oerr *e);
/* A stand-alone process object (`exec --process FILE`). *json keeps its strings. */
int spec_load_process(const char *file, struct spec_process *out, struct json_object **json,
		      struct oerr *e);
/* A stand-alone linux.resources object (`update --resources FILE`). *json keeps its
 * strings; out->unified is the caller's to free. */
int spec_load_resources(const char *file, struct spec_resources *out, struct json_object **json,
			struct oerr *e);
void spec_process_fini(struct spec_process *p);
void spec_free(struct oci_spec *s);

/* "CAP_NET_RAW" (any case, prefix optional) -> number, or -1. */
int cap_from_name(const char *name);
const char *cap_name(int cap); /* NULL past the last */
/* "RLIMIT_NOFILE" -> Linux's number, or -1. */
int rlimit_from_name(const char *name);
/* Split one mount option list into flags and data; 0 or -1. */
int mount_options_parse(struct spec_mount *m, const struct strv *options, struct oerr *e);
bool hooks_any(const struct oci_spec *s);

/* The default config.json, as text to be written by `runsc spec`; malloc'd. */
char *spec_default_text(bool rootless);

#endif
