/* add_key(2), request_key(2), keyctl(2): arguments; the rest is sentry/keys. */
#include <stdlib.h>
#include <string.h>

#include "platform/base/auto.h"
#include "sentry/keys/keys.h"
#include "sentry/mm/usercopy.h"
#include "sentry/task/task.h"
#include "syscalls/abi/lx_keyctl.h"
#include "syscalls/syscall_args.h"

#define UPDATE_MAX 4096 /* a page */

/* key_get_type_from_user() */
static int get_type(struct task *t, struct uaddr from, char type[LX_KEY_MAX_TYPE_SIZE])
{
	long n = copy_in_str(t, type, from, LX_KEY_MAX_TYPE_SIZE);

	if (n == 0 || n == -LX_ENAMETOOLONG)
		return -LX_EINVAL;
	if (n < 0)
		return (int)n;
	return type[0] == '.' ? -LX_EPERM : 0;
}

/* strndup_user() */
static int get_text(struct task *t, struct uaddr from, char **out)
{
	char *s = malloc(LX_KEY_MAX_DESC_SIZE);
	long n;

	if (!s)
		return -LX_ENOMEM;
	n = copy_in_str(t, s, from, LX_KEY_MAX_DESC_SIZE);
	if (n < 0) {
		free(s);
		return n == -LX_ENAMETOOLONG ? -LX_EINVAL : (int)n;
	}
	*out = s;
	return 0;
}

static int get_data(struct task *t, struct uaddr from, size_t len, void **out)
{
	if (!len)
		return 0;
	*out = malloc(len);
	if (!*out)
		return -LX_ENOMEM;
	return copy_in(t, *out, from, len);
}

long sys_add_key(struct task *t, const struct add_key_args *a)
{
	AUTO_FREE char *desc = NULL;
	AUTO_FREE void *data = NULL;
	char type[LX_KEY_MAX_TYPE_SIZE];
	int err;

	if (a->plen > LX_KEY_MAX_PAYLOAD)
		return -LX_EINVAL;
	err = get_type(t, a->_type, type);
	if (!err && a->_description.v)
		err = get_text(t, a->_description, &desc);
	if (err)
		return err;
	if (desc && desc[0] == '.' && strncmp(type, "keyring", 7) == 0)
		return -LX_EPERM;
	err = get_data(t, a->_payload, a->plen, &data);
	if (err)
		return err;
	return key_add(t, type, desc && desc[0] ? desc : NULL, data, a->plen, a->ringid);
}

long sys_request_key(struct task *t, const struct request_key_args *a)
{
	AUTO_FREE char *desc = NULL, *callout = NULL;
	char type[LX_KEY_MAX_TYPE_SIZE];
	int err = get_type(t, a->_type, type);

	if (!err)
		err = get_text(t, a->_description, &desc);
	if (!err && a->_callout_info.v)
		err = get_text(t, a->_callout_info, &callout);
	return err ? err : key_request(t, type, desc, callout, a->destringid);
}

/* ---- keyctl ---- */

static long join_session(struct task *t, struct uaddr from)
{
	AUTO_FREE char *name = NULL;
	int err = from.v ? get_text(t, from, &name) : 0;

	if (err)
		return err;
	return name && name[0] == '.' ? -LX_EPERM : key_join_session(t, name);
}

static long update(struct task *t, int id, struct uaddr from, size_t len)
{
	AUTO_FREE void *data = NULL;
	int err;

	if (len > UPDATE_MAX)
		return -LX_EINVAL;
	err = get_data(t, from, len, &data);
	return err ? err : key_update(t, id, data, len);
}

/* The size; the bytes if they fit. */
static long give(struct task *t, struct uaddr to, size_t room, const void *data, size_t size)
{
	if (!to.v || room < size)
		return (long)size;
	return copy_out(t, to, data, size) ? -LX_EFAULT : (long)size;
}

static long describe(struct task *t, int id, struct uaddr to, size_t room)
{
	AUTO_FREE char *text = NULL;
	size_t size = 0;
	long err = key_describe(t, id, &text, &size);

	return err ? err : give(t, to, room, text, size);
}

static long read_key(struct task *t, int id, struct uaddr to, size_t room)
{
	AUTO_FREE void *data = NULL;
	size_t size = 0;
	long err = key_read(t, id, &data, &size);

	return err ? err : give(t, to, room, data, size);
}

static long search(struct task *t, int ring, struct uaddr utype, struct uaddr udesc, int dest)
{
	AUTO_FREE char *desc = NULL;
	char type[LX_KEY_MAX_TYPE_SIZE];
	int err = get_type(t, utype, type);

	if (!err)
		err = get_text(t, udesc, &desc);
	return err ? err : key_search(t, ring, type, desc, dest);
}

static long get_security(struct task *t, int id, struct uaddr to, size_t room)
{
	long err = key_get_security(t, id);

	if (err)
		return err;
	return room && to.v && copy_out(t, to, "", 1) ? -LX_EFAULT : 1;
}

static long restrict_ring(struct task *t, int id, struct uaddr utype, struct uaddr utext)
{
	AUTO_FREE char *text = NULL;
	char type[LX_KEY_MAX_TYPE_SIZE];
	int err = 0;

	if (utype.v) {
		if (!utext.v)
			return -LX_EINVAL;
		err = get_type(t, utype, type);
		if (!err)
			err = get_text(t, utext, &text);
	} else if (utext.v) {
		return -LX_EINVAL;
	}
	return err ? err : key_restrict(t, id, utype.v ? type : NULL, utext.v);
}

static long capabilities(struct task *t, struct uaddr to, size_t room)
{
	const uint8_t caps[2] = { LX_KEYCTL_CAPS0, LX_KEYCTL_CAPS1 };

	if (copy_out(t, to, caps, room < sizeof(caps) ? room : sizeof(caps)))
		return -LX_EFAULT;
	if (room > sizeof(caps) &&
	    mm_clear(t->mm, to.v + sizeof(caps), room - sizeof(caps)))
		return -LX_EFAULT;
	return sizeof(caps);
}

/* What needs a request under way: nobody is ever asked for a key. */
static long no_authority(struct task *t, const struct keyctl_args *a)
{
	(void)t;
	if (a->option == LX_KEYCTL_INSTANTIATE && a->arg4 > LX_KEY_MAX_PAYLOAD)
		return -LX_EINVAL;
	if (a->option == LX_KEYCTL_REJECT) {
		uint64_t error = (uint32_t)a->arg4;

		if (error == 0 || error >= 4095 ||
		    (error >= LX_ERESTARTSYS && error <= LX_ERESTART_RESTARTBLOCK))
			return -LX_EINVAL;
	}
	return -LX_EPERM;
}

static long of_key(struct task *t, const struct keyctl_args *a)
{
	struct uaddr p3 = { a->arg3 }, p4 = { a->arg4 };
	int id = (int)a->arg2;

	switch (a->option) {
	case LX_KEYCTL_UPDATE:
		return update(t, id, p3, a->arg4);
	case LX_KEYCTL_REVOKE:
		return key_revoke(t, id);
	case LX_KEYCTL_CHOWN:
		return key_chown(t, id, (uint32_t)a->arg3, (uint32_t)a->arg4);
	case LX_KEYCTL_SETPERM:
		return key_setperm(t, id, (uint32_t)a->arg3);
	case LX_KEYCTL_DESCRIBE:
		return describe(t, id, p3, a->arg4);
	case LX_KEYCTL_READ:
		return read_key(t, id, p3, a->arg4);
	case LX_KEYCTL_SET_TIMEOUT:
		return key_set_timeout(t, id, (uint32_t)a->arg3);
	case LX_KEYCTL_ASSUME_AUTHORITY:
		return id < 0 ? -LX_EINVAL : id ? -LX_ENOKEY : 0;
	case LX_KEYCTL_GET_SECURITY:
		return get_security(t, id, p3, a->arg4);
	case LX_KEYCTL_INVALIDATE:
		return key_invalidate(t, id);
	case LX_KEYCTL_RESTRICT_KEYRING:
		return restrict_ring(t, id, p3, p4);
	case LX_KEYCTL_MOVE:
		return key_move(t, id, (int)a->arg3, (int)a->arg4, (uint32_t)a->arg5);
	default:
		return -LX_EOPNOTSUPP;
	}
}

long sys_keyctl(struct task *t, const struct keyctl_args *a)
{
	struct uaddr p2 = { a->arg2 }, p3 = { a->arg3 }, p4 = { a->arg4 };
	int id = (int)a->arg2;

	switch (a->option) {
	case LX_KEYCTL_GET_KEYRING_ID:
		return key_ring_id(t, id, (int)a->arg3 != 0);
	case LX_KEYCTL_JOIN_SESSION_KEYRING:
		return join_session(t, p2);
	case LX_KEYCTL_CLEAR:
		return key_clear(t, id);
	case LX_KEYCTL_LINK:
		return key_link_to(t, id, (int)a->arg3);
	case LX_KEYCTL_UNLINK:
		return key_unlink(t, id, (int)a->arg3);
	case LX_KEYCTL_SEARCH:
		return search(t, id, p3, p4, (int)a->arg5);
	case LX_KEYCTL_INSTANTIATE:
	case LX_KEYCTL_NEGATE:
	case LX_KEYCTL_REJECT:
	case LX_KEYCTL_INSTANTIATE_IOV:
		return no_authority(t, a);
	case LX_KEYCTL_SET_REQKEY_KEYRING:
		return key_set_reqkey(t, id);
	case LX_KEYCTL_SESSION_TO_PARENT:
		return key_session_to_parent(t);
	case LX_KEYCTL_GET_PERSISTENT:
		return key_get_persistent(t, (uint32_t)a->arg2, (int)a->arg3);
	case LX_KEYCTL_CAPABILITIES:
		return capabilities(t, p2, a->arg3);
	default:
		return of_key(t, a);
	}
}
