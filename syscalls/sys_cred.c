/* User and group ids, groups, capabilities (credentials(7), capabilities(7)). */
#include <stdlib.h>

#include "platform/base/auto.h"
#include "sentry/cred/cred.h"
#include "sentry/cred/cred_change.h"
#include "sentry/mm/usercopy.h"
#include "sentry/task/task.h"
#include "syscalls/abi/lx_cap.h"
#include "syscalls/syscall_args.h"

long sys_getuid(struct task *t, const struct getuid_args *a)
{
	(void)a;
	return t->cred->uid;
}

long sys_geteuid(struct task *t, const struct geteuid_args *a)
{
	(void)a;
	return t->cred->euid;
}

long sys_getgid(struct task *t, const struct getgid_args *a)
{
	(void)a;
	return t->cred->gid;
}

long sys_getegid(struct task *t, const struct getegid_args *a)
{
	(void)a;
	return t->cred->egid;
}

static long put_three(struct task *t, const struct uaddr to[3], uint32_t a, uint32_t b,
		      uint32_t c)
{
	const uint32_t ids[3] = { a, b, c };

	for (int i = 0; i < 3; i++)
		if (copy_out(t, to[i], &ids[i], sizeof(ids[i])))
			return -LX_EFAULT;
	return 0;
}

long sys_getresuid(struct task *t, const struct getresuid_args *a)
{
	const struct uaddr to[3] = { a->ruidp, a->euidp, a->suidp };

	return put_three(t, to, t->cred->uid, t->cred->euid, t->cred->suid);
}

long sys_getresgid(struct task *t, const struct getresgid_args *a)
{
	const struct uaddr to[3] = { a->rgidp, a->egidp, a->sgidp };

	return put_three(t, to, t->cred->gid, t->cred->egid, t->cred->sgid);
}

long sys_setuid(struct task *t, const struct setuid_args *a)
{
	return cred_setuid(t, a->uid);
}

long sys_setgid(struct task *t, const struct setgid_args *a)
{
	return cred_setgid(t, a->gid);
}

long sys_setreuid(struct task *t, const struct setreuid_args *a)
{
	return cred_setreuid(t, a->ruid, a->euid);
}

long sys_setregid(struct task *t, const struct setregid_args *a)
{
	return cred_setregid(t, a->rgid, a->egid);
}

long sys_setresuid(struct task *t, const struct setresuid_args *a)
{
	return cred_setresuid(t, a->ruid, a->euid, a->suid);
}

long sys_setresgid(struct task *t, const struct setresgid_args *a)
{
	return cred_setresgid(t, a->rgid, a->egid, a->sgid);
}

long sys_setfsuid(struct task *t, const struct setfsuid_args *a)
{
	return cred_setfsuid(t, a->uid);
}

long sys_setfsgid(struct task *t, const struct setfsgid_args *a)
{
	return cred_setfsgid(t, a->gid);
}

long sys_getgroups(struct task *t, const struct getgroups_args *a)
{
	const struct cred *c = t->cred;

	if (a->gidsetsize < 0)
		return -LX_EINVAL;
	if (a->gidsetsize == 0)
		return c->ngroups;
	if (c->ngroups > (uint32_t)a->gidsetsize)
		return -LX_EINVAL;
	if (copy_out(t, a->grouplist, c->groups, c->ngroups * sizeof(c->groups[0])))
		return -LX_EFAULT;
	return c->ngroups;
}

long sys_setgroups(struct task *t, const struct setgroups_args *a)
{
	AUTO_FREE uint32_t *groups = NULL;
	uint32_t n = (uint32_t)a->gidsetsize;

	if (!task_capable(t, LX_CAP_SETGID))
		return -LX_EPERM;
	if (n > CRED_MAX_GROUPS)
		return -LX_EINVAL;
	groups = malloc((n != 0 ? n : 1) * sizeof(groups[0]));
	if (groups == NULL)
		return -LX_ENOMEM;
	if (n != 0 && copy_in(t, groups, a->grouplist, n * sizeof(groups[0])))
		return -LX_EFAULT;
	return cred_setgroups(t, groups, n);
}

/* ---- capabilities ---- */

/* How many 32-bit words of each set the caller's version has. An unknown version is
 * answered with the current one. */
static int cap_words(struct task *t, struct uaddr header, struct lx_cap_header *out, int *words)
{
	const uint32_t current = LX_CAPABILITY_VERSION_3;

	if (copy_in(t, out, header, sizeof(*out)))
		return -LX_EFAULT;
	switch (out->version) {
	case LX_CAPABILITY_VERSION_1:
		*words = 1;
		return 0;
	case LX_CAPABILITY_VERSION_2:
	case LX_CAPABILITY_VERSION_3:
		*words = 2;
		return 0;
	default:
		return copy_out(t, header, &current, sizeof(current)) ? -LX_EFAULT : -LX_EINVAL;
	}
}

long sys_capget(struct task *t, const struct capget_args *a)
{
	AUTO_PUT(task) struct task *of = NULL;
	struct lx_cap_data data[2];
	struct lx_cap_header h;
	const struct cred *c = t->cred;
	int words, err;

	err = cap_words(t, a->header, &h, &words);
	if (a->dataptr.v == 0 || err)
		return a->dataptr.v == 0 && err == -LX_EINVAL ? 0 : err;
	if (h.pid < 0)
		return -LX_EINVAL;
	if (h.pid != 0) {
		of = task_lookup(t->k, h.pid);
		if (of == NULL)
			return -LX_ESRCH;
		c = of->cred;
	}
	for (int i = 0; i < 2; i++) {
		data[i].effective = (uint32_t)(c->cap_eff >> (32 * i));
		data[i].permitted = (uint32_t)(c->cap_perm >> (32 * i));
		data[i].inheritable = (uint32_t)(c->cap_inh >> (32 * i));
	}
	return copy_out(t, a->dataptr, data, (size_t)words * sizeof(data[0]));
}

long sys_capset(struct task *t, const struct capset_args *a)
{
	struct lx_cap_data data[2] = { { 0, 0, 0 }, { 0, 0, 0 } };
	struct lx_cap_header h;
	int words, err;

	err = cap_words(t, a->header, &h, &words);
	if (err)
		return err;
	if (h.pid != 0 && h.pid != t->tid)
		return -LX_EPERM;
	if (copy_in(t, data, a->data, (size_t)words * sizeof(data[0])))
		return -LX_EFAULT;
	return cred_capset(t, data[0].effective | (uint64_t)data[1].effective << 32,
			   data[0].permitted | (uint64_t)data[1].permitted << 32,
			   data[0].inheritable | (uint64_t)data[1].inheritable << 32);
}
