/* Credentials: life cycle, group and capability questions, publishing. */
#include "sentry/cred/cred.h"

#include <stdlib.h>
#include <string.h>

#include "sentry/mm/mm.h"
#include "sentry/task/task.h"

struct cred *cred_new(uint32_t ngroups)
{
	struct cred *c;

	if (ngroups > CRED_MAX_GROUPS)
		return NULL;
	c = calloc(1, sizeof(*c) + ngroups * sizeof(c->groups[0]));
	if (c == NULL)
		return NULL;
	refs_init(&c->refs, "cred");
	c->ngroups = ngroups;
	return c;
}

/* Everything but the groups. */
static void copy_ids(struct cred *to, const struct cred *from)
{
	to->uid = from->uid;
	to->euid = from->euid;
	to->suid = from->suid;
	to->fsuid = from->fsuid;
	to->gid = from->gid;
	to->egid = from->egid;
	to->sgid = from->sgid;
	to->fsgid = from->fsgid;
	to->cap_eff = from->cap_eff;
	to->cap_perm = from->cap_perm;
	to->cap_inh = from->cap_inh;
	to->cap_bset = from->cap_bset;
	to->cap_amb = from->cap_amb;
	to->securebits = from->securebits;
}

struct cred *cred_dup(const struct cred *old)
{
	struct cred *c = cred_new(old->ngroups);

	if (c == NULL)
		return NULL;
	copy_ids(c, old);
	memcpy(c->groups, old->groups, old->ngroups * sizeof(old->groups[0]));
	return c;
}

static int compare_gids(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

struct cred *cred_dup_groups(const struct cred *old, const uint32_t *groups, uint32_t ngroups)
{
	struct cred *c = cred_new(ngroups);

	if (c == NULL)
		return NULL;
	copy_ids(c, old);
	if (ngroups != 0) {
		memcpy(c->groups, groups, ngroups * sizeof(groups[0]));
		qsort(c->groups, ngroups, sizeof(c->groups[0]), compare_gids);
	}
	return c;
}

void cred_get(struct cred *c)
{
	refs_get(&c->refs);
}

void cred_put(struct cred *c)
{
	if (refs_put(&c->refs))
		free(c);
}

bool cred_has_cap(const struct cred *c, int cap)
{
	return cap >= 0 && cap <= CAP_LAST && (c->cap_eff & (1ULL << cap)) != 0;
}

static bool in_supplementary(const struct cred *c, uint32_t gid)
{
	return c->ngroups != 0 && bsearch(&gid, c->groups, c->ngroups, sizeof(c->groups[0]),
					  compare_gids) != NULL;
}

bool cred_in_group(const struct cred *c, uint32_t gid)
{
	return gid == c->fsgid || in_supplementary(c, gid);
}

bool cred_in_egroup(const struct cred *c, uint32_t gid)
{
	return gid == c->egid || in_supplementary(c, gid);
}

bool task_capable(const struct task *t, int cap)
{
	return cred_has_cap(t->cred, cap);
}

void task_set_cred(struct task *t, struct cred *c)
{
	struct cred *old = t->cred;

	/* As commit_creds(): who gains rights must not be looked into by who had fewer. */
	if (old != NULL && (old->euid != c->euid || old->egid != c->egid ||
			    old->fsuid != c->fsuid || old->fsgid != c->fsgid ||
			    (c->cap_perm & ~old->cap_perm) != 0)) {
		if (t->mm != NULL)
			t->mm->dumpable = false;
		t->pdeath_signal = 0;
	}
	t->cred = c;
	if (old != NULL)
		cred_put(old);
}
