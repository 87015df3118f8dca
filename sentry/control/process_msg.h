/* A process to be started in a container, in a form that crosses the control
 * channel: `runsc exec` encodes it, the sentry decodes it. The container's first
 * process takes the same form without the detour. */
#ifndef SENTRY_CONTROL_PROCESS_MSG_H
#define SENTRY_CONTROL_PROCESS_MSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CPROC_NRLIMITS 16

struct container_process {
	char **argv, **envp;	/* NULL-terminated */
	unsigned argc, envc;
	char *cwd;
	uint32_t uid, gid, umask;
	uint32_t *groups;
	uint32_t ngroups;
	uint64_t cap_eff, cap_perm, cap_inh, cap_bset, cap_amb;
	struct {
		uint64_t cur, max;
	} rlim[CPROC_NRLIMITS];
	bool terminal, no_new_privs;
	int32_t oom_score_adj;
	void *block;		/* what decode allocated; NULL: the strings are borrowed */
};

/* malloc'd bytes, NULL when memory is short. */
void *container_process_encode(const struct container_process *p, size_t *size);
/* Checks everything; strings point into a block of out's. 0 or -LX_EINVAL/-LX_ENOMEM. */
int container_process_decode(const void *buf, size_t size, struct container_process *out);
void container_process_fini(struct container_process *p);

#endif
