/* Changing ids, groups and capabilities. */
#include "sentry/cred/cred_change.h"

#include "sentry/cred/cred.h"
#include "sentry/task/task.h"
#include "syscalls/abi/lx_cap.h"
#include "syscalls/abi/lx_prctl.h"

#define BIT(cap) (1ULL << (cap))

/* The capabilities that follow the file-system uid. */
#define CAPS_FS                                                                     \
	(BIT(LX_CAP_CHOWN) | BIT(LX_CAP_MKNOD) | BIT(LX_CAP_DAC_OVERRIDE) |         \
	 BIT(LX_CAP_DAC_READ_SEARCH) | BIT(LX_CAP_FOWNER) | BIT(LX_CAP_FSETID) |    \
	 BIT(LX_CAP_LINUX_IMMUTABLE) | BIT(LX_CAP_MAC_OVERRIDE))

/* Leaving or becoming root changes the capabilities (cap_emulate_setxuid()). */
static void fixup_uid_caps(struct cred *new, const struct cred *old)
{
	if (old->securebits & LX_SECBIT_NO_SETUID_FIXUP)
		return;
	if ((old->uid == 0 || old->euid == 0 || old->suid == 0) && new->uid != 0 &&
	    new->euid != 0 && new->suid != 0) {
		if (!(old->securebits & LX_SECBIT_KEEP_CAPS)) {
			new->cap_perm = 0;
			new->cap_eff = 0;
		}
		new->cap_amb = 0;
	}
	if (old->euid == 0 && new->euid != 0)
		new->cap_eff = 0;
	if (old->euid != 0 && new->euid == 0)
		new->cap_eff = new->cap_perm;
}

static int commit_uids(struct task *t, struct cred *new)
{
	fixup_uid_caps(new, t->cred);
	task_set_cred(t, new);
	return 0;
}

int cred_setuid(struct task *t, uint32_t uid)
{
	const struct cred *old = t->cred;
	struct cred *new;

	if (uid == CRED_KEEP)
		return -LX_EINVAL;
	if (!task_capable(t, LX_CAP_SETUID) && uid != old->uid && uid != old->suid)
		return -LX_EPERM;
	new = cred_dup(old);
	if (new == NULL)
		return -LX_ENOMEM;
	if (task_capable(t, LX_CAP_SETUID))
		new->uid = new->suid = uid;
	new->euid = new->fsuid = uid;
	return commit_uids(t, new);
}

int cred_setgid(struct task *t, uint32_t gid)
{
	const struct cred *old = t->cred;
	struct cred *new;

	if (gid == CRED_KEEP)
		return -LX_EINVAL;
	if (!task_capable(t, LX_CAP_SETGID) && gid != old->gid && gid != old->sgid)
		return -LX_EPERM;
	new = cred_dup(old);
	if (new == NULL)
		return -LX_ENOMEM;
	if (task_capable(t, LX_CAP_SETGID))
		new->gid = new->sgid = gid;
	new->egid = new->fsgid = gid;
	task_set_cred(t, new);
	return 0;
}

int cred_setreuid(struct task *t, uint32_t ruid, uint32_t euid)
{
	const struct cred *old = t->cred;
	struct cred *new;

	if (!task_capable(t, LX_CAP_SETUID)) {
		if (ruid != CRED_KEEP && ruid != old->uid && ruid != old->euid)
			return -LX_EPERM;
		if (euid != CRED_KEEP && euid != old->uid && euid != old->euid &&
		    euid != old->suid)
			return -LX_EPERM;
	}
	new = cred_dup(old);
	if (new == NULL)
		return -LX_ENOMEM;
	if (ruid != CRED_KEEP)
		new->uid = ruid;
	if (euid != CRED_KEEP)
		new->euid = euid;
	if (ruid != CRED_KEEP || (euid != CRED_KEEP && euid != old->uid))
		new->suid = new->euid;
	new->fsuid = new->euid;
	return commit_uids(t, new);
}

int cred_setregid(struct task *t, uint32_t rgid, uint32_t egid)
{
	const struct cred *old = t->cred;
	struct cred *new;

	if (!task_capable(t, LX_CAP_SETGID)) {
		if (rgid != CRED_KEEP && rgid != old->gid && rgid != old->egid)
			return -LX_EPERM;
		if (egid != CRED_KEEP && egid != old->gid && egid != old->egid &&
		    egid != old->sgid)
			return -LX_EPERM;
	}
	new = cred_dup(old);
	if (new == NULL)
		return -LX_ENOMEM;
	if (rgid != CRED_KEEP)
		new->gid = rgid;
	if (egid != CRED_KEEP)
		new->egid = egid;
	if (rgid != CRED_KEEP || (egid != CRED_KEEP && egid != old->gid))
		new->sgid = new->egid;
	new->fsgid = new->egid;
	task_set_cred(t, new);
	return 0;
}

/* Is id unchanged or one of three? */
static bool one_of(uint32_t id, uint32_t a, uint32_t b, uint32_t c)
{
	return id == CRED_KEEP || id == a || id == b || id == c;
}

/* Is it nothing that a setres call asks for? Then it leaves the file system id alone. */
static bool nothing_new(const uint32_t want[3], const uint32_t have[3], uint32_t fs)
{
	for (int i = 0; i < 3; i++)
		if (want[i] != CRED_KEEP && want[i] != have[i])
			return false;
	return want[1] == CRED_KEEP || want[1] == fs;
}

int cred_setresuid(struct task *t, uint32_t ruid, uint32_t euid, uint32_t suid)
{
	const struct cred *o = t->cred;
	const uint32_t want[] = { ruid, euid, suid }, have[] = { o->uid, o->euid, o->suid };
	struct cred *new;

	if (nothing_new(want, have, o->fsuid))
		return 0;
	if (!task_capable(t, LX_CAP_SETUID) &&
	    !(one_of(ruid, o->uid, o->euid, o->suid) && one_of(euid, o->uid, o->euid, o->suid) &&
	      one_of(suid, o->uid, o->euid, o->suid)))
		return -LX_EPERM;
	new = cred_dup(o);
	if (new == NULL)
		return -LX_ENOMEM;
	if (ruid != CRED_KEEP)
		new->uid = ruid;
	if (euid != CRED_KEEP)
		new->euid = euid;
	if (suid != CRED_KEEP)
		new->suid = suid;
	new->fsuid = new->euid;
	return commit_uids(t, new);
}

int cred_setresgid(struct task *t, uint32_t rgid, uint32_t egid, uint32_t sgid)
{
	const struct cred *o = t->cred;
	const uint32_t want[] = { rgid, egid, sgid }, have[] = { o->gid, o->egid, o->sgid };
	struct cred *new;

	if (nothing_new(want, have, o->fsgid))
		return 0;
	if (!task_capable(t, LX_CAP_SETGID) &&
	    !(one_of(rgid, o->gid, o->egid, o->sgid) && one_of(egid, o->gid, o->egid, o->sgid) &&
	      one_of(sgid, o->gid, o->egid, o->sgid)))
		return -LX_EPERM;
	new = cred_dup(o);
	if (new == NULL)
		return -LX_ENOMEM;
	if (rgid != CRED_KEEP)
		new->gid = rgid;
	if (egid != CRED_KEEP)
		new->egid = egid;
	if (sgid != CRED_KEEP)
		new->sgid = sgid;
	new->fsgid = new->egid;
	task_set_cred(t, new);
	return 0;
}

uint32_t cred_setfsuid(struct task *t, uint32_t uid)
{
	const struct cred *old = t->cred;
	uint32_t was = old->fsuid;
	struct cred *new;

	if (uid == CRED_KEEP || uid == was)
		return was;
	if (uid != old->uid && uid != old->euid && uid != old->suid &&
	    !task_capable(t, LX_CAP_SETUID))
		return was;
	new = cred_dup(old);
	if (new == NULL)
		return was;
	new->fsuid = uid;
	if (!(old->securebits & LX_SECBIT_NO_SETUID_FIXUP)) {
		if (was == 0)
			new->cap_eff &= ~CAPS_FS;
		if (uid == 0)
			new->cap_eff |= new->cap_perm & CAPS_FS;
	}
	task_set_cred(t, new);
	return was;
}

uint32_t cred_setfsgid(struct task *t, uint32_t gid)
{
	const struct cred *old = t->cred;
	uint32_t was = old->fsgid;
	struct cred *new;

	if (gid == CRED_KEEP || gid == was)
		return was;
	if (gid != old->gid && gid != old->egid && gid != old->sgid &&
	    !task_capable(t, LX_CAP_SETGID))
		return was;
	new = cred_dup(old);
	if (new == NULL)
		return was;
	new->fsgid = gid;
	task_set_cred(t, new);
	return was;
}

int cred_setgroups(struct task *t, const uint32_t *groups, uint32_t ngroups)
{
	struct cred *new;

	for (uint32_t i = 0; i < ngroups; i++)
		if (groups[i] == CRED_KEEP)
			return -LX_EINVAL;
	new = cred_dup_groups(t->cred, groups, ngroups);
	if (new == NULL)
		return -LX_ENOMEM;
	task_set_cred(t, new);
	return 0;
}

/* ---- capabilities ---- */

static bool subset(uint64_t a, uint64_t of)
{
	return (a & ~of) == 0;
}

int cred_capset(struct task *t, uint64_t eff, uint64_t perm, uint64_t inh)
{
	const struct cred *old = t->cred;
	struct cred *new;

	eff &= CAP_FULL;
	perm &= CAP_FULL;
	inh &= CAP_FULL;
	if (!task_capable(t, LX_CAP_SETPCAP) && !subset(inh, old->cap_inh | old->cap_perm))
		return -LX_EPERM;
	if (!subset(inh, old->cap_inh | old->cap_bset) || !subset(perm, old->cap_perm) ||
	    !subset(eff, perm))
		return -LX_EPERM;
	new = cred_dup(old);
	if (new == NULL)
		return -LX_ENOMEM;
	new->cap_eff = eff;
	new->cap_perm = perm;
	new->cap_inh = inh;
	new->cap_amb &= perm & inh;
	task_set_cred(t, new);
	return 0;
}

int cred_drop_bset(struct task *t, uint64_t cap)
{
	struct cred *new;

	if (!task_capable(t, LX_CAP_SETPCAP))
		return -LX_EPERM;
	if (cap > CAP_LAST)
		return -LX_EINVAL;
	new = cred_dup(t->cred);
	if (new == NULL)
		return -LX_ENOMEM;
	new->cap_bset &= ~BIT(cap);
	task_set_cred(t, new);
	return 0;
}

int cred_set_securebits(struct task *t, uint64_t bits)
{
	uint32_t old = t->cred->securebits, locks = old & LX_SECBIT_ALL_LOCKS;
	struct cred *new;

	if (((locks >> 1) & (old ^ bits)) || (locks & ~bits) || (bits & ~(uint64_t)LX_SECBIT_ALL) ||
	    !task_capable(t, LX_CAP_SETPCAP))
		return -LX_EPERM;
	new = cred_dup(t->cred);
	if (new == NULL)
		return -LX_ENOMEM;
	new->securebits = (uint32_t)bits;
	task_set_cred(t, new);
	return 0;
}

int cred_set_keepcaps(struct task *t, uint64_t on)
{
	struct cred *new;

	if (on > 1)
		return -LX_EINVAL;
	if (t->cred->securebits & LX_SECBIT_KEEP_CAPS_LOCKED)
		return -LX_EPERM;
	new = cred_dup(t->cred);
	if (new == NULL)
		return -LX_ENOMEM;
	new->securebits &= ~LX_SECBIT_KEEP_CAPS;
	if (on)
		new->securebits |= LX_SECBIT_KEEP_CAPS;
	task_set_cred(t, new);
	t->keepcaps = on != 0;
	return 0;
}

int cred_ambient(struct task *t, uint64_t op, uint64_t cap, uint64_t arg4, uint64_t arg5)
{
	const struct cred *old = t->cred;
	struct cred *new;
	uint64_t amb = old->cap_amb;

	if (op == LX_PR_CAP_AMBIENT_CLEAR_ALL) {
		if (cap != 0 || arg4 != 0 || arg5 != 0)
			return -LX_EINVAL;
		amb = 0;
	} else {
		if (cap > CAP_LAST || arg4 != 0 || arg5 != 0)
			return -LX_EINVAL;
		switch (op) {
		case LX_PR_CAP_AMBIENT_IS_SET:
			return (amb & BIT(cap)) != 0;
		case LX_PR_CAP_AMBIENT_RAISE:
			if (!(old->cap_perm & old->cap_inh & BIT(cap)) ||
			    (old->securebits & LX_SECBIT_NO_CAP_AMBIENT_RAISE))
				return -LX_EPERM;
			amb |= BIT(cap);
			break;
		case LX_PR_CAP_AMBIENT_LOWER:
			amb &= ~BIT(cap);
			break;
		default:
			return -LX_EINVAL;
		}
	}
	new = cred_dup(old);
	if (new == NULL)
		return -LX_ENOMEM;
	new->cap_amb = amb;
	task_set_cred(t, new);
	return 0;
}
