/* POSIX access control lists, as Linux's fs/posix_acl.c has them. */
#include "sentry/vfs/acl.h"

#include <stdlib.h>
#include <string.h>

#include "sentry/cred/cred.h"
#include "sentry/vfs/namei.h"
#include "sentry/vfs/vfs_impl.h"
#include "syscalls/abi/lx_cap.h"
#include "syscalls/abi/lx_xattr.h"

/* The nine bits, as the list's own three. */
#define RWX 7u

void acl_get(struct acl *a)
{
	refs_get(&a->refs);
}

void acl_put(struct acl *a)
{
	if (refs_put(&a->refs))
		free(a);
}

static struct acl *acl_new(uint32_t count)
{
	struct acl *a = malloc(sizeof(*a) + count * sizeof(a->e[0]));

	if (!a)
		return NULL;
	refs_init(&a->refs, "acl");
	a->count = count;
	return a;
}

static struct acl *acl_copy(const struct acl *a)
{
	struct acl *n = acl_new(a->count);

	if (n)
		memcpy(n->e, a->e, a->count * sizeof(a->e[0]));
	return n;
}

int acl_type_of(const char *xattr_name)
{
	if (strncmp(xattr_name, "system.", 7) != 0)
		return -1;
	if (strcmp(xattr_name, ACL_NAME_ACCESS) == 0)
		return ACL_ACCESS;
	return strcmp(xattr_name, ACL_NAME_DEFAULT) == 0 ? ACL_DEFAULT : -1;
}

const char *acl_xattr_name(int type)
{
	return type == ACL_ACCESS ? ACL_NAME_ACCESS : ACL_NAME_DEFAULT;
}

/* ---- the attribute ---- */

int acl_parse(const void *val, size_t size, struct acl **out)
{
	struct lx_acl_header h;
	const uint8_t *p = val;
	struct acl *a;

	*out = NULL;
	if (size == 0)
		return 0;
	if (size < sizeof(h))
		return -LX_EINVAL;
	memcpy(&h, p, sizeof(h));
	if (h.version != LX_ACL_VERSION)
		return -LX_EOPNOTSUPP;
	size -= sizeof(h);
	if (size % sizeof(struct lx_acl_entry) || size > LX_XATTR_SIZE_MAX)
		return -LX_EINVAL;
	if (size == 0)
		return 0;
	a = acl_new((uint32_t)(size / sizeof(struct lx_acl_entry)));
	if (!a)
		return -LX_ENOMEM;
	for (uint32_t n = 0; n < a->count; n++) {
		struct lx_acl_entry e;
		bool named;

		memcpy(&e, p + sizeof(h) + n * sizeof(e), sizeof(e));
		named = e.tag == LX_ACL_USER || e.tag == LX_ACL_GROUP;
		a->e[n] = (struct acl_entry){ e.tag, e.perm, named ? e.id : LX_ACL_UNDEFINED_ID };
		if ((named && e.id == LX_ACL_UNDEFINED_ID) ||
		    (!named && e.tag != LX_ACL_USER_OBJ && e.tag != LX_ACL_GROUP_OBJ &&
		     e.tag != LX_ACL_MASK && e.tag != LX_ACL_OTHER)) {
			acl_put(a);
			return -LX_EINVAL;
		}
	}
	*out = a;
	return 0;
}

int64_t acl_format(const struct acl *a, void *buf, size_t size)
{
	struct lx_acl_header h = { LX_ACL_VERSION };
	size_t need = sizeof(h) + a->count * sizeof(struct lx_acl_entry);
	uint8_t *p = buf;

	if (size == 0)
		return (int64_t)need;
	if (need > size)
		return -LX_ERANGE;
	memcpy(p, &h, sizeof(h));
	p += sizeof(h);
	for (uint32_t n = 0; n < a->count; n++, p += sizeof(struct lx_acl_entry)) {
		struct lx_acl_entry e = { a->e[n].tag, a->e[n].perm, a->e[n].id };

		memcpy(p, &e, sizeof(e));
	}
	return (int64_t)need;
}

/* The order that entries must come in: each kind's place. */
static bool acl_valid(const struct acl *a)
{
	uint16_t state = LX_ACL_USER_OBJ;
	bool needs_mask = false;

	for (uint32_t n = 0; n < a->count; n++) {
		const struct acl_entry *e = &a->e[n];

		if (e->perm & ~RWX)
			return false;
		switch (e->tag) {
		case LX_ACL_USER_OBJ:
			if (state != LX_ACL_USER_OBJ)
				return false;
			state = LX_ACL_USER;
			break;
		case LX_ACL_USER:
			if (state != LX_ACL_USER)
				return false;
			needs_mask = true;
			break;
		case LX_ACL_GROUP_OBJ:
			if (state != LX_ACL_USER)
				return false;
			state = LX_ACL_GROUP;
			break;
		case LX_ACL_GROUP:
			if (state != LX_ACL_GROUP)
				return false;
			needs_mask = true;
			break;
		case LX_ACL_MASK:
			if (state != LX_ACL_GROUP)
				return false;
			state = LX_ACL_OTHER;
			break;
		default: /* LX_ACL_OTHER */
			if (state != LX_ACL_OTHER && (state != LX_ACL_GROUP || needs_mask))
				return false;
			state = 0;
			break;
		}
	}
	return state == 0;
}

/* ---- list and mode ---- */

/* The entry that the mode's group bits are about. */
static struct acl_entry *group_entry(struct acl *a)
{
	struct acl_entry *obj = NULL;

	for (uint32_t n = 0; n < a->count; n++) {
		if (a->e[n].tag == LX_ACL_MASK)
			return &a->e[n];
		if (a->e[n].tag == LX_ACL_GROUP_OBJ)
			obj = &a->e[n];
	}
	return obj;
}

/* The mode's nine bits as the list has them; true: they are all it says. */
static bool equivalent(const struct acl *a, uint32_t *mode)
{
	uint32_t bits = 0, mask = 0;
	bool all = true, has_mask = false;

	for (uint32_t n = 0; n < a->count; n++) {
		uint32_t perm = a->e[n].perm & RWX;

		switch (a->e[n].tag) {
		case LX_ACL_USER_OBJ:
			bits |= perm << 6;
			break;
		case LX_ACL_GROUP_OBJ:
			bits |= perm << 3;
			break;
		case LX_ACL_OTHER:
			bits |= perm;
			break;
		case LX_ACL_MASK:
			mask = perm;
			has_mask = true;
			all = false;
			break;
		default:
			all = false;
			break;
		}
	}
	if (has_mask)
		bits = (bits & ~(RWX << 3)) | mask << 3;
	*mode = (*mode & ~(uint32_t)LX_S_IRWXUGO) | bits;
	return all;
}

int acl_chmod(struct acl **pa, uint32_t mode)
{
	struct acl *a = *pa;

	if (refs_count(&a->refs) > 1) {
		a = acl_copy(a);
		if (!a)
			return -LX_ENOMEM;
		acl_put(*pa);
		*pa = a;
	}
	for (uint32_t n = 0; n < a->count; n++) {
		if (a->e[n].tag == LX_ACL_USER_OBJ)
			a->e[n].perm = (mode >> 6) & RWX;
		else if (a->e[n].tag == LX_ACL_OTHER)
			a->e[n].perm = mode & RWX;
	}
	group_entry(a)->perm = (mode >> 3) & RWX;
	return 0;
}

int acl_inherit(struct acl *dflt, uint32_t *mode, struct acl **out)
{
	struct acl *a = acl_copy(dflt);
	uint32_t left = *mode;
	struct acl_entry *g;

	*out = NULL;
	if (!a)
		return -LX_ENOMEM;
	for (uint32_t n = 0; n < a->count; n++) {
		if (a->e[n].tag == LX_ACL_USER_OBJ)
			a->e[n].perm &= (*mode >> 6) & RWX;
		else if (a->e[n].tag == LX_ACL_OTHER)
			a->e[n].perm &= *mode & RWX;
	}
	g = group_entry(a);
	g->perm &= (*mode >> 3) & RWX;
	if (equivalent(a, &left))
		acl_put(a);
	else
		*out = a;
	*mode = left;
	return 0;
}

/* ---- an inode's lists ---- */

void inode_acl_know(struct inode *i, int type, struct acl *a)
{
	if (a)
		acl_get(a);
	if (i->acl[type])
		acl_put(i->acl[type]);
	i->acl[type] = a;
	i->acl_known |= (uint8_t)(1u << type);
}

void inode_acl_forget(struct inode *i)
{
	inode_acl_fini(i);
	i->acl_known = 0;
}

void inode_acl_fini(struct inode *i)
{
	for (int type = ACL_ACCESS; type <= ACL_DEFAULT; type++)
		if (i->acl[type]) {
			acl_put(i->acl[type]);
			i->acl[type] = NULL;
		}
}

int inode_acl_none(struct inode *i, int type, struct acl **out)
{
	(void)i;
	(void)type;
	*out = NULL;
	return 0;
}

int inode_acl(struct inode *i, int type, struct acl **out)
{
	struct acl *a = NULL;
	int r = 0;

	*out = NULL;
	if (!i->ops->get_acl || LX_S_ISLNK(i->mode) || (i->acl_known & INODE_ACL_UNSUPPORTED))
		return -LX_EOPNOTSUPP;
	if (type == ACL_DEFAULT && !LX_S_ISDIR(i->mode))
		return 0;
	if (i->acl_known & (1u << type)) {
		a = i->acl[type];
		if (a)
			acl_get(a);
	} else {
		r = i->ops->get_acl(i, type, &a);
		if (r == -LX_EOPNOTSUPP)
			i->acl_known |= INODE_ACL_UNSUPPORTED;
		/* What the host stores is taken for what it is, but it must make sense. */
		if (r >= 0 && a && !acl_valid(a)) {
			acl_put(a);
			return -LX_EIO;
		}
		if (r == 0)
			inode_acl_know(i, type, a);
	}
	*out = a;
	return r < 0 ? r : 0;
}

int inode_acl_keep(struct inode *i, int type, struct acl *a)
{
	struct iattr at = { .valid = IATTR_MODE, .mode = i->mode };
	int err;

	if (type == ACL_DEFAULT || !a) {
		inode_touch_ctime(i);
	} else {
		if (equivalent(a, &at.mode))
			a = NULL;
		err = i->ops->setattr(i, &at);
		if (err)
			return err;
	}
	inode_acl_know(i, type, a);
	return 0;
}

int inode_acl_store(struct inode *i, int type, struct acl *a)
{
	return i->ops->set_acl ? i->ops->set_acl(i, type, a) : -LX_EOPNOTSUPP;
}

int inode_acl_chmod(struct inode *i)
{
	return i->acl[ACL_ACCESS] ? acl_chmod(&i->acl[ACL_ACCESS], i->mode) : 0;
}

int inode_acl_copy(struct inode *from, struct inode *to)
{
	for (int type = ACL_ACCESS; type <= ACL_DEFAULT; type++) {
		AUTO_PUT(acl) struct acl *a = NULL;
		int err = inode_acl(from, type, &a);

		if (!err && a)
			err = inode_acl_store(to, type, a);
		if (err && err != -LX_EOPNOTSUPP)
			return err;
	}
	return 0;
}

/* ---- permission ---- */

/* The entry that decides about c; NULL: its groups do not give enough. */
static const struct acl_entry *entry_for(const struct acl *a, const struct cred *c,
					 const struct inode *i, unsigned mask)
{
	bool found = false;

	for (uint32_t n = 0; n < a->count; n++) {
		const struct acl_entry *e = &a->e[n];

		switch (e->tag) {
		case LX_ACL_USER:
			if (e->id == c->fsuid)
				return e;
			break;
		case LX_ACL_GROUP_OBJ:
		case LX_ACL_GROUP:
			if (!cred_in_group(c, e->tag == LX_ACL_GROUP ? e->id : i->gid))
				break;
			found = true;
			if ((e->perm & mask) == mask)
				return e;
			break;
		case LX_ACL_OTHER:
			return found ? NULL : e;
		default:
			break;
		}
	}
	return NULL;
}

int inode_acl_permission(const struct cred *c, struct inode *i, unsigned mask)
{
	AUTO_PUT(acl) struct acl *a = NULL;
	const struct acl_entry *e;
	unsigned perm;
	int err = inode_acl(i, ACL_ACCESS, &a);

	if (err)
		return err == -LX_EOPNOTSUPP ? 1 : err;
	if (!a)
		return 1;
	e = entry_for(a, c, i, mask);
	if (!e)
		return -LX_EACCES;
	perm = e->perm;
	if (e->tag != LX_ACL_OTHER) {
		const struct acl_entry *g = group_entry(a);

		if (g->tag == LX_ACL_MASK)
			perm &= g->perm;
	}
	return mask & ~perm ? -LX_EACCES : 0;
}

/* ---- the calls ---- */

int64_t vfs_get_acl(struct inode *i, int type, void *buf, size_t size)
{
	AUTO_PUT(acl) struct acl *a = NULL;
	int err = inode_acl(i, type, &a);

	if (err)
		return err;
	return a ? acl_format(a, buf, size) : -LX_ENODATA;
}

int vfs_set_acl(const struct cred *c, struct inode *i, int type, const void *val, size_t size)
{
	AUTO_PUT(acl) struct acl *a = NULL;
	uint32_t mode;
	int err = acl_parse(val, size, &a);

	if (err)
		return err;
	if (!i->ops->set_acl || LX_S_ISLNK(i->mode))
		return -LX_EOPNOTSUPP;
	if (type == ACL_DEFAULT && !LX_S_ISDIR(i->mode))
		return a ? -LX_EACCES : 0;
	if (!inode_owner_or_capable(c, i))
		return -LX_EPERM;
	if (a && !acl_valid(a))
		return -LX_EINVAL;
	err = inode_acl_store(i, type, a);
	if (err || type == ACL_DEFAULT || !a)
		return err;
	mode = i->mode;
	if (!cred_in_group(c, i->gid) && !cred_has_cap(c, LX_CAP_FSETID))
		mode &= ~LX_S_ISGID;
	if (mode != i->mode) {
		struct iattr at = { .valid = IATTR_MODE, .mode = mode };

		err = i->ops->setattr(i, &at);
	}
	return err;
}

int64_t vfs_list_acl(struct inode *i, char *buf, size_t size)
{
	size_t at = 0;

	for (int type = ACL_ACCESS; type <= ACL_DEFAULT; type++) {
		const char *name = acl_xattr_name(type);
		AUTO_PUT(acl) struct acl *a = NULL;
		size_t n = strlen(name) + 1;

		if (inode_acl(i, type, &a) || !a)
			continue;
		if (size && n > size - at)
			return -LX_ERANGE;
		if (size)
			memcpy(buf + at, name, n);
		at += n;
	}
	return (int64_t)at;
}
