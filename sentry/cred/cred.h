/* Credentials of a task: immutable once published, shared by reference, replaced
 * as a whole (credentials(7), capabilities(7)). One user namespace per sandbox. */
#ifndef SENTRY_CRED_CRED_H
#define SENTRY_CRED_CRED_H

#include <stdbool.h>
#include <stdint.h>

#include "platform/base/auto.h"
#include "platform/base/refs.h"

struct task;

#define CRED_MAX_GROUPS 65536
#define CAP_LAST 40
#define CAP_FULL ((1ULL << (CAP_LAST + 1)) - 1)

struct cred {
	struct refs refs;
	uint32_t uid, euid, suid, fsuid;
	uint32_t gid, egid, sgid, fsgid;
	uint64_t cap_eff, cap_perm, cap_inh, cap_bset, cap_amb;
	uint32_t securebits;
	uint32_t ngroups;
	uint32_t groups[]; /* sorted */
};

/* A private copy to change before publishing. NULL: out of memory. One reference. */
struct cred *cred_dup(const struct cred *old);
/* The same with other groups (copied and sorted). */
struct cred *cred_dup_groups(const struct cred *old, const uint32_t *groups, uint32_t ngroups);
struct cred *cred_new(uint32_t ngroups); /* all zero: root without capabilities */
void cred_get(struct cred *c);
void cred_put(struct cred *c);
DEFINE_AUTO_PUT(cred)

bool cred_has_cap(const struct cred *c, int cap);
bool cred_in_group(const struct cred *c, uint32_t gid); /* fsgid or supplementary */
bool cred_in_egroup(const struct cred *c, uint32_t gid);
/* Has the task's effective set the capability? (capable(9)) */
bool task_capable(const struct task *t, int cap);
/* Make c the task's; takes over the reference. */
void task_set_cred(struct task *t, struct cred *c);
/* Capability numbers: syscalls/abi/lx_cap.h */

#endif
