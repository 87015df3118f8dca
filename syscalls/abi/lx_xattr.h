/* xattr(7). */
#ifndef SYSCALLS_ABI_LX_XATTR_H
#define SYSCALLS_ABI_LX_XATTR_H

#include <stdint.h>

struct lx_xattr_args {
	uint64_t value;
	uint32_t size, flags;
};
_Static_assert(sizeof(struct lx_xattr_args) == 16, "xattr_args");

#define LX_XATTR_CREATE 1u
#define LX_XATTR_REPLACE 2u
#define LX_XATTR_NAME_MAX 255
#define LX_XATTR_SIZE_MAX 65536u
#define LX_XATTR_LIST_MAX 65536u

/* system.posix_acl_access and _default: a header, then entries. */
struct lx_acl_header {
	uint32_t version;
};
struct lx_acl_entry {
	uint16_t tag, perm;
	uint32_t id;
};
_Static_assert(sizeof(struct lx_acl_entry) == 8, "posix_acl_xattr_entry");

#define LX_ACL_VERSION 2u
#define LX_ACL_UNDEFINED_ID UINT32_MAX
#define LX_ACL_USER_OBJ 0x01u
#define LX_ACL_USER 0x02u
#define LX_ACL_GROUP_OBJ 0x04u
#define LX_ACL_GROUP 0x08u
#define LX_ACL_MASK 0x10u
#define LX_ACL_OTHER 0x20u

#endif
