/* Extended attributes kept in memory: a short list per inode. */
#include <stdlib.h>
#include <string.h>

#include "sentry/vfs/simple_xattr.h"
#include "syscalls/abi/lx_errno.h"
#include "syscalls/abi/lx_xattr.h"

struct xattr {
	struct list link;
	char *name;
	size_t size;
	uint8_t val[];
};

void simple_xattrs_init(struct simple_xattrs *x)
{
	list_init(&x->list);
	x->bytes = 0;
}

static void drop(struct simple_xattrs *x, struct xattr *a)
{
	x->bytes -= a->size + strlen(a->name) + 1;
	list_del_init(&a->link);
	free(a->name);
	free(a);
}

void simple_xattrs_fini(struct simple_xattrs *x)
{
	while (!list_empty(&x->list))
		drop(x, list_first(&x->list, struct xattr, link));
}

static struct xattr *find(const struct simple_xattrs *x, const char *name)
{
	struct xattr *a;

	list_for_each(a, &x->list, link)
		if (strcmp(a->name, name) == 0)
			return a;
	return NULL;
}

int64_t simple_xattr_get(const struct simple_xattrs *x, const char *name, void *buf,
			 size_t size)
{
	const struct xattr *a = find(x, name);

	if (!a)
		return -LX_ENODATA;
	if (size == 0)
		return (int64_t)a->size;
	if (size < a->size)
		return -LX_ERANGE;
	memcpy(buf, a->val, a->size);
	return (int64_t)a->size;
}

int simple_xattr_set(struct simple_xattrs *x, const char *name, const void *val, size_t size,
		     uint32_t flags)
{
	struct xattr *old = find(x, name), *a;
	size_t cost = size + strlen(name) + 1;

	if ((flags & LX_XATTR_CREATE) && old)
		return -LX_EEXIST;
	if ((flags & LX_XATTR_REPLACE) && !old)
		return -LX_ENODATA;
	if (x->bytes + cost > SIMPLE_XATTR_MAX)
		return -LX_ENOSPC;
	a = malloc(sizeof(*a) + size);
	if (!a)
		return -LX_ENOMEM;
	a->name = strdup(name);
	if (!a->name) {
		free(a);
		return -LX_ENOMEM;
	}
	a->size = size;
	if (size)
		memcpy(a->val, val, size);
	if (old)
		drop(x, old);
	list_push_back(&x->list, &a->link);
	x->bytes += cost;
	return 0;
}

int simple_xattr_remove(struct simple_xattrs *x, const char *name)
{
	struct xattr *a = find(x, name);

	if (!a)
		return -LX_ENODATA;
	drop(x, a);
	return 0;
}

int64_t simple_xattr_list(const struct simple_xattrs *x, char *buf, size_t size)
{
	const struct xattr *a;
	size_t at = 0;

	list_for_each(a, &x->list, link) {
		size_t n = strlen(a->name) + 1;

		if (size) {
			if (n > size - at)
				return -LX_ERANGE;
			memcpy(buf + at, a->name, n);
		}
		at += n;
	}
	return (int64_t)at;
}
