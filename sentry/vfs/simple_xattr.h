/* Extended attributes kept in memory, for file systems that live there. */
#ifndef SENTRY_VFS_SIMPLE_XATTR_H
#define SENTRY_VFS_SIMPLE_XATTR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/base/list.h"

struct simple_xattrs {
	struct list list;
	size_t bytes; /* names and values; at most SIMPLE_XATTR_MAX */
};
#define SIMPLE_XATTR_MAX (128u << 10) /* per inode; more is -LX_ENOSPC */

void simple_xattrs_init(struct simple_xattrs *x);
void simple_xattrs_fini(struct simple_xattrs *x);
/* Semantics of getxattr(2) and friends: size 0 asks for the size; -LX_ENODATA,
 * -LX_ERANGE, -LX_EEXIST, -LX_ENOSPC, -LX_ENOMEM. */
int64_t simple_xattr_get(const struct simple_xattrs *x, const char *name, void *buf,
			 size_t size);
int simple_xattr_set(struct simple_xattrs *x, const char *name, const void *val, size_t size,
		     uint32_t flags);
int simple_xattr_remove(struct simple_xattrs *x, const char *name);
int64_t simple_xattr_list(const struct simple_xattrs *x, char *buf, size_t size);
static inline bool simple_xattrs_empty(const struct simple_xattrs *x)
{
	return list_empty(&x->list);
}

#endif
