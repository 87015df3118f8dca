/* Credentials across execve: set-id bits, file capabilities, capabilities(7). */
#include <string.h>

#include "sentry/cred/cred.h"
#include "sentry/task/exec_impl.h"
#include "sentry/task/task_impl.h"
#include "sentry/vfs/vfs.h"
#include "syscalls/abi/lx_cap.h"
#include "syscalls/abi/lx_stat.h"

/* security.capability (linux/capability.h); little endian as the host. */
#define VFS_CAP_REVISION_2 0x02000000u
#define VFS_CAP_REVISION_3 0x03000000u
#define VFS_CAP_REVISION_MASK 0xff000000u
#define VFS_CAP_EFFECTIVE 1u

struct vfs_cap {
	uint32_t magic;
	struct {
		uint32_t permitted, inheritable;
	} data[2];
	uint32_t rootid; /* revision 3 */
};

struct file_caps {
	uint64_t perm, inh;
	bool eff, any;
};

static void read_file_caps(struct inode *i, struct file_caps *fc)
{
	struct vfs_cap c;
	int64_t n;

	memset(&c, 0, sizeof(c));
	if (!i->ops->getxattr)
		return;
	n = i->ops->getxattr(i, "security.capability", &c, sizeof(c));
	if (n == 20 && (c.magic & VFS_CAP_REVISION_MASK) == VFS_CAP_REVISION_2)
		;
	else if (n == 24 && (c.magic & VFS_CAP_REVISION_MASK) == VFS_CAP_REVISION_3 &&
		 c.rootid == 0)
		;
	else
		return;
	fc->any = true;
	fc->eff = c.magic & VFS_CAP_EFFECTIVE;
	fc->perm = ((uint64_t)c.data[1].permitted << 32 | c.data[0].permitted) & CAP_FULL;
	fc->inh = ((uint64_t)c.data[1].inheritable << 32 | c.data[0].inheritable) & CAP_FULL;
}

static void apply_setid(struct cred *c, const struct inode *i)
{
	if (i->mode & LX_S_ISUID)
		c->euid = i->uid;
	/* Without group execute the bit means mandatory locking. */
	if ((i->mode & (LX_S_ISGID | LX_S_IXGRP)) == (LX_S_ISGID | LX_S_IXGRP))
		c->egid = i->gid;
}

/* The rules of capabilities(7), "Transformation of capabilities during execve()". */
static int transform_caps(struct cred *c, const struct cred *old, struct file_caps fc, bool nnp)
{
	bool setid = c->euid != old->uid || c->egid != old->gid;
	bool privileged;

	if (fc.any && fc.eff && (fc.perm & ~(old->cap_bset | (fc.inh & old->cap_inh))))
		return -LX_EPERM;
	privileged = fc.any || setid;
	if (!(c->securebits & LX_SECBIT_NOROOT)) {
		/* A set-uid-root file with capabilities of its own gets just those. */
		bool own = fc.any && c->uid != 0 && c->euid == 0;

		if (!own && (c->euid == 0 || c->uid == 0)) {
			fc.perm = CAP_FULL;
			fc.inh = CAP_FULL;
		}
		if (!own && c->euid == 0)
			fc.eff = true;
	}
	if (privileged)
		c->cap_amb = 0;
	c->cap_perm = (old->cap_inh & fc.inh) | (fc.perm & old->cap_bset);
	if (nnp) {
		/* Nothing may be gained, not even by being root. */
		c->cap_perm &= old->cap_perm;
		c->euid = c->uid;
		c->egid = c->gid;
	}
	c->cap_perm |= c->cap_amb;
	c->cap_eff = fc.eff ? c->cap_perm : c->cap_amb;
	return 0;
}

int exec_cred(struct task *t, struct file *f, struct cred **out, bool *secure)
{
	const struct cred *old = t->cred;
	struct file_caps fc = { .perm = 0 };
	struct cred *c;
	int err;

	c = cred_dup(old);
	if (!c)
		return -LX_ENOMEM;
	if (!t->no_new_privs && !(f->path.mnt->flags & MNT_NOSUID)) {
		apply_setid(c, f->inode);
		read_file_caps(f->inode, &fc);
	}
	err = transform_caps(c, old, fc, t->no_new_privs);
	if (err) {
		cred_put(c);
		return err;
	}
	c->suid = c->fsuid = c->euid;
	c->sgid = c->fsgid = c->egid;
	c->securebits &= ~LX_SECBIT_KEEP_CAPS;
	*secure = c->euid != old->uid || c->egid != old->gid ||
		  (old->uid != 0 && (fc.eff || (c->cap_perm & ~c->cap_amb)));
	*out = c;
	return 0;
}
