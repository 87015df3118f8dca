/* The calls that change credentials, by Linux's rules (setresuid(2), capabilities(7)).
 * Each replaces the task's credentials as a whole or leaves them alone. 0, -LX_EINVAL,
 * -LX_EPERM or -LX_ENOMEM. Kernel lock held. */
#ifndef SENTRY_CRED_CRED_CHANGE_H
#define SENTRY_CRED_CRED_CHANGE_H

#include <stdint.h>

struct task;

#define CRED_KEEP UINT32_MAX /* -1: leave this id as it is */

int cred_setuid(struct task *t, uint32_t uid);
int cred_setgid(struct task *t, uint32_t gid);
int cred_setreuid(struct task *t, uint32_t ruid, uint32_t euid);
int cred_setregid(struct task *t, uint32_t rgid, uint32_t egid);
int cred_setresuid(struct task *t, uint32_t ruid, uint32_t euid, uint32_t suid);
int cred_setresgid(struct task *t, uint32_t rgid, uint32_t egid, uint32_t sgid);
/* The old value, whether or not it was changed. */
uint32_t cred_setfsuid(struct task *t, uint32_t uid);
uint32_t cred_setfsgid(struct task *t, uint32_t gid);
int cred_setgroups(struct task *t, const uint32_t *groups, uint32_t ngroups);

int cred_capset(struct task *t, uint64_t eff, uint64_t perm, uint64_t inh);
int cred_drop_bset(struct task *t, uint64_t cap);
int cred_set_securebits(struct task *t, uint64_t bits);
int cred_set_keepcaps(struct task *t, uint64_t on);
/* prctl(PR_CAP_AMBIENT): may also give 0 or 1 (IS_SET). */
int cred_ambient(struct task *t, uint64_t op, uint64_t cap, uint64_t arg4, uint64_t arg5);

#endif
