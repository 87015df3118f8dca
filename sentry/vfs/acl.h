/* POSIX access control lists (acl(5)): what they look like, whom they let in, how they and
 * the mode bits follow one another. An inode keeps what is known of its lists in acl[];
 * where they are stored is the file system's business (inode_ops.get_acl, set_acl). */
#ifndef SENTRY_VFS_ACL_H
#define SENTRY_VFS_ACL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/base/auto.h"
#include "platform/base/refs.h"

struct cred;
struct inode;

#define ACL_ACCESS 0
#define ACL_DEFAULT 1
#define ACL_NAME_ACCESS "system.posix_acl_access"
#define ACL_NAME_DEFAULT "system.posix_acl_default"

struct acl_entry {
	uint16_t tag, perm;
	uint32_t id;
};

/* Shared; changed only while there is one reference. */
struct acl {
	struct refs refs;
	uint32_t count;
	struct acl_entry e[];
};
void acl_get(struct acl *a);
void acl_put(struct acl *a);
DEFINE_AUTO_PUT(acl)

/* ACL_ACCESS, ACL_DEFAULT, or -1: another attribute. */
int acl_type_of(const char *xattr_name);
const char *acl_xattr_name(int type);

/* From the bytes of an attribute: 0 with *out counted, NULL for a list without entries;
 * -LX_EINVAL, -LX_EOPNOTSUPP (a version nobody knows), -LX_ENOMEM. */
int acl_parse(const void *val, size_t size, struct acl **out);
/* How large it is as an attribute; into buf unless size is 0: -LX_ERANGE. */
int64_t acl_format(const struct acl *a, void *buf, size_t size);

/* i's list, counted, or NULL. 0, -LX_EOPNOTSUPP where there are none, or another error. */
int inode_acl(struct inode *i, int type, struct acl **out);
/* Store it, or NULL for none, without asking who wants it; mode and list follow each other. */
int inode_acl_store(struct inode *i, int type, struct acl *a);
/* From now on this is the answer (a NULL: there is none). */
void inode_acl_know(struct inode *i, int type, struct acl *a);
/* set_acl of file systems that live in memory: the inode itself is the place. */
int inode_acl_keep(struct inode *i, int type, struct acl *a);
/* get_acl of the same: there is none but what was kept. */
int inode_acl_none(struct inode *i, int type, struct acl **out);
/* Nothing is known any more: the list may have been changed elsewhere. */
void inode_acl_forget(struct inode *i);
void inode_acl_fini(struct inode *i);
/* i->mode has changed: the list says the same now. 0 or -LX_ENOMEM. */
int inode_acl_chmod(struct inode *i);
/* *a (its reference may be exchanged for another list's) after a chmod to mode. */
int acl_chmod(struct acl **a, uint32_t mode);
/* For a new object in a directory with the default list dflt: its own list, counted (NULL:
 * mode says it all), and what is left of *mode. */
int acl_inherit(struct acl *dflt, uint32_t *mode, struct acl **out);
/* What the list says to c, who is not the owner: 0 or -LX_EACCES; 1: there is no list, look
 * at the mode; or another error. mask: MAY_*. */
int inode_acl_permission(const struct cred *c, struct inode *i, unsigned mask);
/* All lists from one inode to another, as they are (copy-up). */
int inode_acl_copy(struct inode *from, struct inode *to);

/* getxattr, setxattr (size 0: remove) and listxattr for these attributes; c: who asks. */
int64_t vfs_get_acl(struct inode *i, int type, void *buf, size_t size);
int vfs_set_acl(const struct cred *c, struct inode *i, int type, const void *val, size_t size);
int64_t vfs_list_acl(struct inode *i, char *buf, size_t size);

#endif
