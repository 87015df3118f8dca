/* Attributes and extended attributes.
 *
 * Exclusive mode: we own the tree, so the cached attributes are exact but for what I/O on
 * donated descriptors does on the host (times, size, blocks, set-id bits); an inode marked
 * stale asks such a descriptor once (fstat), or the gofer when none is left. Shared mode:
 * asked anew by each call that looks. */
#include <stdlib.h>

#include "sentry/fs/gofer/gofer_impl.h"
#include "sentry/fs/gofer/watch.h"
#include "sentry/vfs/acl.h"
#include "syscalls/abi/lx_stat.h"
#include "syscalls/abi/lx_xattr.h"

/* The events that changes of attributes and length make. */
#define CHANGES (LX_IN_ATTRIB | LX_IN_MODIFY | LX_IN_CLOSE_WRITE)

int gofer_refresh(struct gofer_inode *gi)
{
	struct gofer_stat_req q = { gi->node };
	struct gofer_stat_rep p;
	struct gofer_attr a;
	int fd = gofer_fd_any(gi), err;

	/* A descriptor cannot tell the owner: it shows ids as our own user namespace sees them.
	 * In exclusive mode that is known; in shared mode only as long as nothing changed. */
	if (fd >= 0 && !gofer_host_attr(fd, &a) &&
	    (!gofer_s(&gi->i)->shared || (a.ctime == gi->i.ctime.sec &&
					  a.ctime_ns == gi->i.ctime.nsec))) {
		a.mode |= gi->i.attributes << GOFER_ATTR_STATX_SHIFT;
		a.uid = gi->i.uid;
		a.gid = gi->i.gid;
		gofer_apply_attr(gi, &a);
		return 0;
	}
	err = gofer_call_stat(gofer_c(&gi->i), &q, &p, NULL);
	if (err)
		return err;
	gofer_apply_attr(gi, &p.attr);
	return 0;
}

bool gofer_make_room(struct gofer_inode *gi)
{
	struct gofer_stat_req q = { gi->node };
	struct gofer_stat_rep p;

	if (!gofer_c(&gi->i)->nforget)
		return false;
	gofer_forget_flush(gofer_c(&gi->i));
	/* An answer: it has worked through them. */
	return gofer_call_stat(gofer_c(&gi->i), &q, &p, NULL) == 0;
}

int gofer_getattr(struct inode *i, struct kstat *out)
{
	struct gofer_inode *gi = gofer_i(i);
	bool ask = gi->stale || gi->wmapped;
	int err;

	/* A path walk of the same call has just looked. */
	if (gofer_s(i)->shared && gi->fresh_at != i->sb->k->ctxt)
		ask = true;
	err = ask ? gofer_refresh(gi) : 0;
	if (err)
		return err;
	*out = (struct kstat){
		.ino = i->ino, .size = i->size, .blocks = i->blocks, .mode = i->mode,
		.nlink = i->nlink, .uid = i->uid, .gid = i->gid, .blksize = 4096,
		.dev_major = i->sb->dev >> 20, .dev_minor = i->sb->dev & 0xfffff,
		.rdev_major = i->rdev >> 20, .rdev_minor = i->rdev & 0xfffff,
		.atime = i->atime, .mtime = i->mtime, .ctime = i->ctime, .btime = i->btime,
	};
	return 0;
}

/* Change the size through a descriptor that may write, if there is one. 1: there is none. */
static int set_size(struct gofer_inode *gi, const struct iattr *a)
{
	struct gofer_fd *d = gi->rw;
	int err;

	if (a->file && a->file->inode == &gi->i && a->file->ops == &gofer_file_ops &&
	    (a->file->mode & FMODE_WRITE))
		d = a->file->priv;
	if (!d || !d->writable)
		return 1;
	gofer_watch_before(gofer_c(&gi->i));
	err = gofer_host_ftruncate(d->fd, a->size);
	gofer_watch_after(gofer_c(&gi->i), CHANGES, NULL, NULL);
	if (err)
		return err;
	gi->i.size = a->size;
	gi->stale = true;
	return 0;
}

static uint32_t wire_valid(uint32_t valid)
{
	uint32_t w = 0;

	w |= valid & IATTR_MODE ? GOFER_SET_MODE : 0;
	w |= valid & IATTR_UID ? GOFER_SET_UID : 0;
	w |= valid & IATTR_GID ? GOFER_SET_GID : 0;
	w |= valid & IATTR_SIZE ? GOFER_SET_SIZE : 0;
	w |= valid & IATTR_ATIME ? GOFER_SET_ATIME : 0;
	w |= valid & IATTR_MTIME ? GOFER_SET_MTIME : 0;
	return w;
}

int gofer_setattr(struct inode *i, const struct iattr *a)
{
	struct gofer_inode *gi = gofer_i(i);
	struct gofer_setattr_req q = {
		.node = gi->node, .valid = wire_valid(a->valid),
		.mode = a->mode & LX_S_IALLUGO, .uid = a->uid, .gid = a->gid, .size = a->size,
		.atime = a->atime.sec, .atime_ns = a->atime.nsec,
		.mtime = a->mtime.sec, .mtime_ns = a->mtime.nsec,
	};
	struct gofer_setattr_rep p;
	int err;

	if (gofer_s(i)->readonly)
		return -LX_EROFS;
	if (!a->valid) { /* chown(-1, -1): only the change time moves */
		q.valid = GOFER_SET_UID;
		q.uid = UINT32_MAX;
	}
	if (q.valid & GOFER_SET_SIZE) {
		err = set_size(gi, a);
		if (err < 0)
			return err;
		if (err == 0)
			q.valid &= ~GOFER_SET_SIZE;
		/* The host takes set-id bits away from us; whether the guest's caller keeps
		 * them was decided by the VFS. */
		if (!(q.valid & GOFER_SET_MODE) && (i->mode & (LX_S_ISUID | LX_S_ISGID))) {
			q.valid |= GOFER_SET_MODE;
			q.mode = i->mode & LX_S_IALLUGO;
		}
		if (i->nlink) /* else there would be no other */
			gofer_fd_drop_ro(gi);
	}
	if (!q.valid)
		return 0;
	gofer_watch_before(gofer_c(i));
	err = gofer_call_setattr(gofer_c(i), &q, &p, NULL);
	gofer_watch_after(gofer_c(i), CHANGES, NULL, NULL);
	if (err) {
		gi->stale = true; /* some of it may have been done */
		return err;
	}
	gofer_apply_attr(gi, &p.attr);
	return 0;
}

/* ---- extended attributes ---- */

/* What is kept on the host: not its security labels. */
static bool xattr_known(const char *name)
{
	return !strncmp(name, "user.", 5) || !strncmp(name, "trusted.", 8) ||
	       !strcmp(name, "security.capability") || acl_type_of(name) >= 0;
}

/* What the caller is told of others: the host's labels are not there, and it takes a privilege
 * over the host to set them, as for root in a user namespace. */
static int unknown_xattr(const char *name, int security)
{
	return strncmp(name, "security.", 9) ? -LX_EOPNOTSUPP : security;
}

int64_t gofer_getxattr(struct inode *i, const char *name, void *buf, size_t size)
{
	struct gofer_inode *gi = gofer_i(i);
	struct gofer_getxattr_req q = { gi->node, gofer_str(name) };
	struct gofer_getxattr_rep p;
	int err;

	if (!xattr_known(name))
		return unknown_xattr(name, -LX_ENODATA);
	if (gi->no_xattr)
		return -LX_ENODATA;
	err = gofer_call_getxattr(gofer_c(i), &q, &p, NULL);
	if (err)
		return err;
	if (p.missing) {
		gi->no_xattr = p.none && !gofer_s(i)->shared;
		return -LX_ENODATA;
	}
	if (p.value.len > LX_XATTR_SIZE_MAX)
		return -LX_EIO;
	if (size == 0)
		return p.value.len;
	if (p.value.len > size)
		return -LX_ERANGE;
	memcpy(buf, p.value.p, p.value.len);
	return p.value.len;
}

int gofer_setxattr(struct inode *i, const char *name, const void *val, size_t size,
		   uint32_t flags)
{
	struct gofer_inode *gi = gofer_i(i);
	struct gofer_setxattr_req q = { gi->node, gofer_str(name), flags,
					{ val, (uint32_t)size } };
	struct gofer_setxattr_rep p;
	int err;

	if (!xattr_known(name))
		return unknown_xattr(name, -LX_EPERM);
	if (gofer_s(i)->readonly)
		return -LX_EROFS;
	if (size > LX_XATTR_SIZE_MAX)
		return -LX_E2BIG;
	gofer_watch_before(gofer_c(i));
	err = gofer_call_setxattr(gofer_c(i), &q, &p, NULL);
	gofer_watch_after(gofer_c(i), CHANGES, NULL, NULL);
	if (err)
		return err;
	gi->no_xattr = false;
	gi->stale = true; /* its ctime */
	return 0;
}

int64_t gofer_listxattr(struct inode *i, char *buf, size_t size)
{
	struct gofer_inode *gi = gofer_i(i);
	struct gofer_listxattr_req q = { gi->node };
	struct gofer_listxattr_rep p;
	int err;

	if (gi->no_xattr)
		return 0;
	err = gofer_call_listxattr(gofer_c(i), &q, &p, NULL);
	if (err)
		return err == -LX_EOPNOTSUPP ? 0 : err;
	if (p.names.len > LX_XATTR_LIST_MAX || (p.names.len && p.names.p[p.names.len - 1]))
		return -LX_EIO;
	if (size == 0)
		return p.names.len;
	if (p.names.len > size)
		return -LX_ERANGE;
	memcpy(buf, p.names.p, p.names.len);
	return p.names.len;
}

int gofer_removexattr(struct inode *i, const char *name)
{
	struct gofer_inode *gi = gofer_i(i);
	struct gofer_removexattr_req q = { gi->node, gofer_str(name) };
	struct gofer_removexattr_rep p;
	int err;

	if (!xattr_known(name))
		return unknown_xattr(name, -LX_EPERM);
	if (gofer_s(i)->readonly)
		return -LX_EROFS;
	gofer_watch_before(gofer_c(i));
	err = gofer_call_removexattr(gofer_c(i), &q, &p, NULL);
	gofer_watch_after(gofer_c(i), CHANGES, NULL, NULL);
	if (!err)
		gi->stale = true;
	return err;
}

int gofer_get_acl(struct inode *i, int type, struct acl **out)
{
	struct gofer_inode *gi = gofer_i(i);
	struct gofer_getxattr_req q = { gi->node, gofer_str(acl_xattr_name(type)) };
	struct gofer_getxattr_rep p;
	int err;

	*out = NULL;
	if (gi->no_xattr)
		return 0;
	err = gofer_call_getxattr(gofer_c(i), &q, &p, NULL);
	if (err)
		return err;
	if (!p.missing)
		return acl_parse(p.value.p, p.value.len, out);
	if (p.none) {
		inode_acl_know(i, ACL_ACCESS, NULL);
		inode_acl_know(i, ACL_DEFAULT, NULL);
		gi->no_xattr = !gofer_s(i)->shared;
	}
	return 0;
}

/* The host makes the mode follow the list. */
int gofer_set_acl(struct inode *i, int type, struct acl *a)
{
	AUTO_FREE void *val = NULL;
	int64_t size = 0;
	int err;

	if (a) {
		size = acl_format(a, NULL, 0);
		val = malloc((size_t)size);
		size = val ? acl_format(a, val, (size_t)size) : -LX_ENOMEM;
		if (size < 0)
			return (int)size;
		err = gofer_setxattr(i, acl_xattr_name(type), val, (size_t)size, 0);
	} else {
		err = gofer_removexattr(i, acl_xattr_name(type));
		if (err == -LX_ENODATA)
			err = 0;
	}
	inode_acl_forget(i);
	return err ? err : gofer_refresh(gofer_i(i));
}

int gofer_fileattr_get(struct inode *i, uint32_t *flags)
{
	struct gofer_getflags_req q = { gofer_i(i)->node };
	struct gofer_getflags_rep p;
	int err = gofer_call_getflags(gofer_c(i), &q, &p, NULL);

	*flags = err ? 0 : p.flags;
	return err;
}

int gofer_fileattr_set(struct inode *i, uint32_t flags)
{
	struct gofer_setflags_req q = { gofer_i(i)->node, flags };
	struct gofer_setflags_rep p;
	int err;

	if (gofer_s(i)->readonly)
		return -LX_EROFS;
	gofer_watch_before(gofer_c(i));
	err = gofer_call_setflags(gofer_c(i), &q, &p, NULL);
	gofer_watch_after(gofer_c(i), CHANGES, NULL, NULL);
	return err ? err : gofer_refresh(gofer_i(i));
}
