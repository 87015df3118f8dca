/* Extended attributes: who may see and change which name space (xattr(7)). */
#include "sentry/cred/cred.h"
#include "sentry/task/task.h"
#include "sentry/vfs/acl.h"
#include "sentry/vfs/fileattr.h"
#include "sentry/vfs/namei.h"
#include "sentry/vfs/vfs_impl.h"
#include "syscalls/abi/lx_cap.h"
#include "syscalls/abi/lx_inotify.h"

static bool has_prefix(const char *name, const char *prefix)
{
	return strncmp(name, prefix, strlen(prefix)) == 0;
}

/* mask: MAY_READ or MAY_WRITE. */
static int xattr_permission(const struct cred *c, const struct path *p, const char *name,
			    unsigned mask)
{
	struct inode *i = p->dentry->inode;
	bool write = mask == MAY_WRITE;
	int err;

	if (write && path_readonly(p))
		return -LX_EROFS;
	if (write && inode_is_fixed(i))
		return -LX_EPERM;
	if (has_prefix(name, "security.") && !name[9])
		return -LX_EINVAL;
	if (has_prefix(name, "security.")) {
		if (!write)
			return 0;
		if (strcmp(name, "security.capability") == 0)
			return cred_has_cap(c, LX_CAP_SETFCAP) ? 0 : -LX_EPERM;
		return cred_has_cap(c, LX_CAP_SYS_ADMIN) ? 0 : -LX_EPERM;
	}
	if (has_prefix(name, "system."))
		return -LX_EOPNOTSUPP;
	if (has_prefix(name, "trusted.")) {
		if (cred_has_cap(c, LX_CAP_SYS_ADMIN))
			return name[8] ? 0 : -LX_EINVAL;
		return write ? -LX_EPERM : -LX_ENODATA;
	}
	if (!has_prefix(name, "user.")) {
		err = inode_permission(c, i, mask);
		return err ? err : -LX_EOPNOTSUPP;
	}
	if (!LX_S_ISREG(i->mode) && !LX_S_ISDIR(i->mode))
		return write ? -LX_EPERM : -LX_ENODATA;
	if (write && LX_S_ISDIR(i->mode) && (i->mode & LX_S_ISVTX) && c->fsuid != i->uid &&
	    !cred_has_cap(c, LX_CAP_FOWNER))
		return -LX_EPERM;
	err = inode_permission(c, i, mask);
	return !err && !name[5] ? -LX_EINVAL : err;
}

int64_t vfs_getxattr(struct task *t, const struct path *p, const char *name, void *buf,
		     size_t size)
{
	struct inode *i = p->dentry->inode;
	int err, type = acl_type_of(name);
	int64_t n;

	if (type >= 0) {
		n = vfs_get_acl(i, type, buf, size);
		return n == -LX_ESTALE && path_renew(p) ? vfs_get_acl(i, type, buf, size) : n;
	}
	err = xattr_permission(t->cred, p, name, MAY_READ);
	if (err)
		return err;
	if (!i->ops->getxattr)
		return -LX_EOPNOTSUPP;
	n = i->ops->getxattr(i, name, buf, size);
	return n == -LX_ESTALE && path_renew(p) ? i->ops->getxattr(i, name, buf, size) : n;
}

static int set_acl(struct task *t, const struct path *p, int type, const void *val, size_t size)
{
	struct inode *i = p->dentry->inode;
	int err;

	if (path_readonly(p))
		return -LX_EROFS;
	if (inode_is_fixed(i))
		return -LX_EPERM;
	err = vfs_set_acl(t->cred, i, type, val, size);
	if (err == -LX_ESTALE && path_renew(p))
		err = vfs_set_acl(t->cred, i, type, val, size);
	if (!err && fsnotify_marks)
		fsnotify_dentry(p->dentry, LX_IN_ATTRIB);
	return err;
}

int vfs_setxattr(struct task *t, const struct path *p, const char *name, const void *val,
		 size_t size, uint32_t flags)
{
	struct inode *i = p->dentry->inode;
	int err, type = acl_type_of(name);

	if (type >= 0)
		return set_acl(t, p, type, val, size);
	err = xattr_permission(t->cred, p, name, MAY_WRITE);
	if (err)
		return err;
	if (!i->ops->setxattr)
		return -LX_EOPNOTSUPP;
	err = i->ops->setxattr(i, name, val, size, flags);
	if (err == -LX_ESTALE && path_renew(p))
		err = i->ops->setxattr(i, name, val, size, flags);
	if (!err && fsnotify_marks)
		fsnotify_dentry(p->dentry, LX_IN_ATTRIB);
	return err;
}

int vfs_removexattr(struct task *t, const struct path *p, const char *name)
{
	struct inode *i = p->dentry->inode;
	int err, type = acl_type_of(name);

	if (type >= 0)
		return set_acl(t, p, type, NULL, 0);
	err = xattr_permission(t->cred, p, name, MAY_WRITE);
	if (err)
		return err;
	if (!i->ops->removexattr)
		return -LX_EOPNOTSUPP;
	err = i->ops->removexattr(i, name);
	if (err == -LX_ESTALE && path_renew(p))
		err = i->ops->removexattr(i, name);
	if (!err && fsnotify_marks)
		fsnotify_dentry(p->dentry, LX_IN_ATTRIB);
	return err;
}

/* The names of the ACLs first, where the file system does not list them. */
static int64_t list_all(struct inode *i, char *buf, size_t size)
{
	int64_t acls = 0, len;

	if (i->ops->get_acl && !i->ops->lists_acl)
		acls = vfs_list_acl(i, buf, size);
	if (acls < 0)
		return acls;
	if (acls && size && (size_t)acls == size) {
		len = i->ops->listxattr(i, NULL, 0);
		if (len > 0)
			return -LX_ERANGE;
	} else {
		len = i->ops->listxattr(i, size ? buf + acls : NULL,
					size ? size - (size_t)acls : 0);
	}
	return len < 0 ? len : acls + len;
}

int64_t vfs_listxattr(struct task *t, const struct path *p, char *buf, size_t size)
{
	struct inode *i = p->dentry->inode;
	int64_t len, kept = 0;

	if (!i->ops->listxattr)
		return 0;
	len = list_all(i, buf, size);
	if (len == -LX_ESTALE && path_renew(p))
		len = list_all(i, buf, size);
	if (len <= 0 || size == 0 || cred_has_cap(t->cred, LX_CAP_SYS_ADMIN))
		return len;
	for (int64_t at = 0; at < len;) {
		int64_t n = (int64_t)strnlen(buf + at, (size_t)(len - at)) + 1;

		if (n > len - at)
			n = len - at;
		if (!has_prefix(buf + at, "trusted.")) {
			memmove(buf + kept, buf + at, (size_t)n);
			kept += n;
		}
		at += n;
	}
	return kept;
}
