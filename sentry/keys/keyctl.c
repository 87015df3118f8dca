/* The operations of add_key(2), request_key(2) and keyctl(2), in Linux's order of checks. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sentry/cred/cred.h"
#include "sentry/kernel.h"
#include "sentry/keys/keys_impl.h"
#include "sentry/task/task.h"
#include "syscalls/abi/lx_cap.h"

#define PAYLOAD_MAX 32767
#define PERSISTENT_SECONDS 259200

/* ---- making ---- */

static int check_payload(const struct key_type *type, size_t len)
{
	if (type->ring)
		return len ? -LX_EINVAL : 0;
	return len == 0 || len > PAYLOAD_MAX ? -LX_EINVAL : 0;
}

static long make_key(struct task *t, struct key *ring, const struct key_type *type,
		     const char *desc, const void *data, size_t len)
{
	const uint32_t usual = LX_KEY_VIEW | LX_KEY_SEARCH | LX_KEY_LINK | LX_KEY_SETATTR;
	AUTO_PUT(key) struct key *key = NULL;
	uint32_t pos = usual | LX_KEY_WRITE | (type->readable ? LX_KEY_READ : 0);
	int err = key_new(t, type, desc, t->cred->fsuid, t->cred->fsgid,
			  LX_KEY_POS(pos) | LX_KEY_USR(LX_KEY_VIEW), KEY_IN_QUOTA, &key);

	if (!err && !type->ring)
		err = key_set_data(key, data, len);
	if (!err)
		err = keyring_link(ring, key);
	return err ? err : key->serial;
}

long key_add(struct task *t, const char *type_name, const char *desc, const void *data,
	     size_t len, int ring_id)
{
	const struct key_type *type = key_type_lookup(type_name);
	struct key_link *l;
	struct key_ref ring;
	int err = key_lookup(t, ring_id, LOOKUP_CREATE, LX_KEY_WRITE, &ring);

	if (err)
		return err;
	if (!type)
		return -LX_ENODEV;
	if (!desc && type->ring)
		return -LX_EINVAL;
	if (!ring.key->type->ring)
		return -LX_ENOTDIR;
	err = check_payload(type, len);
	if (err)
		return err;
	if (!desc)
		return -LX_EINVAL;
	if (ring.key->closed)
		return -LX_EPERM;
	l = type->updatable ? keyring_find(ring.key, type, desc) : NULL;
	if (!l || key_validate(l->key))
		return make_key(t, ring.key, type, desc, data, len);
	err = key_permission(t, l->key, ring.possessed, LX_KEY_WRITE);
	if (!err)
		err = key_set_data(l->key, data, len);
	return err ? err : l->key->serial;
}

long key_request(struct task *t, const char *type_name, const char *desc, bool callout, int dest)
{
	struct key_ref to = { .key = NULL };
	const struct key_type *type;
	struct key *key;
	int err;

	if (dest) {
		err = key_lookup(t, dest, LOOKUP_CREATE, LX_KEY_WRITE, &to);
		if (err)
			return err;
	}
	type = key_type_lookup(type_name);
	if (!type)
		return -LX_ENOKEY;
	keys_gc(t->k);
	err = key_search_process(t, type, desc, NULL, &key);
	if (err == -LX_EAGAIN)
		return callout ? -LX_ENOENT : -LX_ENOKEY; /* no program that makes keys */
	if (err)
		return err;
	if (to.key) {
		if (!to.key->type->ring)
			return -LX_ENOTDIR;
		if (to.key->closed)
			return -LX_EPERM;
		err = keyring_check_loop(to.key, key);
		if (!err)
			err = keyring_link(to.key, key);
	}
	return err ? err : key->serial;
}

/* ---- session ---- */

long key_ring_id(struct task *t, int id, bool create)
{
	struct key_ref r;
	int err = key_lookup(t, id, create ? LOOKUP_CREATE : 0, LX_KEY_SEARCH, &r);

	return err ? err : r.key->serial;
}

static struct key *ring_by_name(struct task *t, const char *name)
{
	struct key *ring;

	list_for_each(ring, &t->k->keys->rings, all_rings) {
		if (ring->revoked || ring->invalidated || strcmp(ring->desc, name) != 0)
			continue;
		if (key_permission(t, ring, false, LX_KEY_SEARCH) == 0)
			return ring;
	}
	return NULL;
}

long key_join_session(struct task *t, const char *name)
{
	const struct cred *c = t->cred;
	AUTO_PUT(key) struct key *made = NULL;
	struct key *ring = NULL;
	int err;

	keys_gc(t->k);
	if (!keys_of(t->k))
		return -LX_ENOMEM;
	if (name) {
		ring = ring_by_name(t, name);
		if (!ring) {
			err = key_new(t, &key_type_keyring, name, c->uid, c->gid,
				      LX_KEY_POS(LX_KEY_ALL) |
					      LX_KEY_USR(LX_KEY_VIEW | LX_KEY_READ | LX_KEY_LINK),
				      KEY_IN_QUOTA, &made);
			if (err)
				return err;
			ring = made;
		}
	}
	err = ring && ring == t->keys.session ? 0 : key_install_session(t, ring);
	return err ? err : t->keys.session->serial;
}

long key_session_to_parent(struct task *t)
{
	struct tgroup *ptg = t->tg->parent;
	const struct cred *c = t->cred, *pc;
	struct task *parent;
	struct key_ref ring;
	int err = key_lookup(t, LX_KEY_SPEC_SESSION_KEYRING, 0, LX_KEY_LINK, &ring);

	if (err)
		return err;
	if (!ptg || ptg->tgid <= 1 || ptg->nlive != 1 || !ptg->leader || !ptg->leader->mm)
		return -LX_EPERM;
	parent = ptg->leader;
	if (parent->keys.session == ring.key)
		return 0;
	pc = parent->cred;
	if (pc->uid != c->euid || pc->euid != c->euid || pc->suid != c->euid ||
	    pc->gid != c->egid || pc->egid != c->egid || pc->sgid != c->egid)
		return -LX_EPERM;
	if ((parent->keys.session && parent->keys.session->uid != c->euid) ||
	    ring.key->uid != c->euid)
		return -LX_EPERM;
	return key_install_session(parent, ring.key);
}

long key_set_reqkey(struct task *t, int where)
{
	int old = t->keys.reqkey, err = 0;

	switch (where) {
	case LX_KEY_REQKEY_DEFL_NO_CHANGE:
		return old;
	case LX_KEY_REQKEY_DEFL_THREAD_KEYRING:
		err = key_install_thread(t);
		break;
	case LX_KEY_REQKEY_DEFL_PROCESS_KEYRING:
		err = key_install_process(t);
		break;
	case LX_KEY_REQKEY_DEFL_DEFAULT:
	case LX_KEY_REQKEY_DEFL_SESSION_KEYRING:
	case LX_KEY_REQKEY_DEFL_USER_KEYRING:
	case LX_KEY_REQKEY_DEFL_USER_SESSION_KEYRING:
	case LX_KEY_REQKEY_DEFL_REQUESTOR_KEYRING:
		break;
	default:
		return -LX_EINVAL;
	}
	if (err)
		return err;
	t->keys.reqkey = where;
	return old;
}

long key_get_persistent(struct task *t, uint32_t uid, int dest)
{
	struct key_user *u;
	struct key_ref to;
	char name[32];
	int err;

	if (uid == UINT32_MAX)
		uid = t->cred->uid;
	else if (uid != t->cred->uid && uid != t->cred->euid && !task_capable(t, LX_CAP_SETUID))
		return -LX_EPERM;
	err = key_lookup(t, dest, LOOKUP_CREATE, LX_KEY_WRITE, &to);
	if (err)
		return err;
	if (!to.key->type->ring)
		return -LX_ENOTDIR;
	u = key_user_get(t->k, uid);
	if (!u)
		return -LX_ENOMEM;
	if (u->persistent && key_validate(u->persistent)) {
		struct key *old = u->persistent;

		u->persistent = NULL;
		key_put(old);
		u = key_user_get(t->k, uid);
		if (!u)
			return -LX_ENOMEM;
	}
	if (!u->persistent) {
		snprintf(name, sizeof(name), "_persistent.%u", uid);
		err = key_new(t, &key_type_keyring, name, uid, UINT32_MAX,
			      LX_KEY_POS(LX_KEY_ALL & ~LX_KEY_SETATTR) |
				      LX_KEY_USR(LX_KEY_VIEW | LX_KEY_READ),
			      0, &u->persistent);
		if (err)
			return err;
	}
	u->persistent->expiry = key_now() + PERSISTENT_SECONDS;
	if (to.key->closed)
		return -LX_EPERM;
	err = keyring_check_loop(to.key, u->persistent);
	if (!err)
		err = keyring_link(to.key, u->persistent);
	return err ? err : u->persistent->serial;
}

/* ---- attributes ---- */

long key_update(struct task *t, int id, const void *data, size_t len)
{
	struct key_ref r;
	int err = key_lookup(t, id, 0, LX_KEY_WRITE, &r);

	if (err)
		return err;
	if (!r.key->type->updatable)
		return -LX_EOPNOTSUPP;
	err = check_payload(r.key->type, len);
	return err ? err : key_set_data(r.key, data, len);
}

/* With WRITE or, failing that, SETATTR. */
static int lookup_to_revoke(struct task *t, int id, struct key_ref *r)
{
	int err = key_lookup(t, id, 0, LX_KEY_WRITE, r);

	return err == -LX_EACCES ? key_lookup(t, id, 0, LX_KEY_SETATTR, r) : err;
}

long key_revoke(struct task *t, int id)
{
	struct key_ref r;
	int err = lookup_to_revoke(t, id, &r);

	if (err)
		return err;
	r.key->revoked = true;
	r.key->dead_since = key_now();
	key_mark_dead(t->k, r.key->dead_since);
	if (r.key->type->ring) {
		keyring_clear(r.key);
	} else {
		(void)!key_charge(r.key, -(int64_t)r.key->datalen, false);
		free(r.key->data);
		r.key->data = NULL;
		r.key->datalen = 0;
	}
	return 0;
}

long key_invalidate(struct task *t, int id)
{
	struct key_ref r;
	int err = key_lookup(t, id, 0, LX_KEY_SEARCH, &r);

	if (err)
		return err;
	r.key->invalidated = true;
	/* It goes from every ring at once, whose members become free. */
	t->k->keys->gc_at = 1;
	keys_gc(t->k);
	return 0;
}

/* What is held of one user's quota becomes another's. */
static int move_quota(struct key *key, uint32_t uid)
{
	struct key_user *from = key->user, *to = key_user_get(key->k, uid);
	uint32_t len = key->quotalen;
	bool was = key->in_quota;
	int err;

	if (!to)
		return -LX_ENOMEM;
	key->user = to;
	err = key_charge(key, len, true); /* counted twice until the old one is told */
	key->quotalen = len;
	if (err) {
		key->user = from;
		key_user_settle(key->k, to);
		return err;
	}
	to->nkeys++;
	to->qnkeys += was;
	from->nkeys--;
	from->qnkeys -= was;
	if (was)
		from->qnbytes -= len;
	key_user_settle(key->k, from);
	return 0;
}

long key_chown(struct task *t, int id, uint32_t uid, uint32_t gid)
{
	struct key_ref r;
	int err;

	if (uid == UINT32_MAX && gid == UINT32_MAX)
		return 0;
	err = key_lookup(t, id, LOOKUP_CREATE, LX_KEY_SETATTR, &r);
	if (err)
		return err;
	if (!task_capable(t, LX_CAP_SYS_ADMIN) &&
	    ((uid != UINT32_MAX && uid != r.key->uid) ||
	     (gid != UINT32_MAX && gid != r.key->gid && !cred_in_group(t->cred, gid))))
		return -LX_EACCES;
	if (uid != UINT32_MAX && uid != r.key->uid) {
		err = move_quota(r.key, uid);
		if (err)
			return err;
		r.key->uid = uid;
	}
	if (gid != UINT32_MAX)
		r.key->gid = gid;
	return 0;
}

long key_setperm(struct task *t, int id, uint32_t perm)
{
	struct key_ref r;
	int err;

	if (perm & ~LX_KEY_PERM_MASK)
		return -LX_EINVAL;
	err = key_lookup(t, id, LOOKUP_CREATE, LX_KEY_SETATTR, &r);
	if (err)
		return err;
	if (r.key->uid != t->cred->fsuid && !task_capable(t, LX_CAP_SYS_ADMIN))
		return -LX_EACCES;
	r.key->perm = perm;
	return 0;
}

long key_set_timeout(struct task *t, int id, uint32_t seconds)
{
	struct key_ref r;
	int err = key_lookup(t, id, LOOKUP_CREATE, LX_KEY_SETATTR, &r);

	if (err)
		return err;
	r.key->expiry = seconds ? key_now() + seconds : 0;
	if (seconds)
		key_mark_dead(t->k, r.key->expiry);
	return 0;
}

long key_get_security(struct task *t, int id)
{
	struct key_ref r;
	int err = key_lookup(t, id, 0, LX_KEY_VIEW, &r);

	/* A key that is being made for the caller could be looked at all the same. */
	return err == -LX_EACCES ? -LX_ENOKEY : err;
}

static uint32_t shown_id(uint32_t id)
{
	return id == UINT32_MAX ? 65534 : id;
}

long key_describe(struct task *t, int id, char **out, size_t *size)
{
	struct key_ref r;
	int n, err = key_lookup(t, id, 0, LX_KEY_VIEW, &r);

	if (err)
		return err;
	n = asprintf(out, "%s;%u;%u;%08x;%s", r.key->type->name, shown_id(r.key->uid),
		     shown_id(r.key->gid), r.key->perm, r.key->desc);
	if (n < 0)
		return -LX_ENOMEM;
	*size = (size_t)n + 1;
	return 0;
}

static int read_ring(struct key *ring, void **out, size_t *size)
{
	int32_t *ids = malloc(ring->nlinks * sizeof(*ids) + 1);
	struct key_link *l;
	unsigned n = 0;

	if (!ids)
		return -LX_ENOMEM;
	RB_FOREACH(l, key_links, &ring->links)
		ids[n++] = l->key->serial;
	*out = ids;
	*size = n * sizeof(*ids);
	return 0;
}

long key_read(struct task *t, int id, void **out, size_t *size)
{
	struct key_ref r;
	int err = key_lookup(t, id, LOOKUP_DEAD, 0, &r);

	if (err)
		return -LX_ENOKEY;
	/* To possess it is enough, too. */
	if (key_permission(t, r.key, r.possessed, LX_KEY_READ) && !r.possessed)
		return -LX_EACCES;
	if (!r.key->type->readable)
		return -LX_EOPNOTSUPP;
	err = key_validate(r.key);
	if (err)
		return err;
	if (r.key->type->ring)
		return read_ring(r.key, out, size);
	*out = malloc(r.key->datalen + 1);
	if (!*out)
		return -LX_ENOMEM;
	memcpy(*out, r.key->data, r.key->datalen);
	*size = r.key->datalen;
	return 0;
}

/* ---- keyrings ---- */

static int link_key(struct key *ring, struct key *key)
{
	int err;

	if (!ring->type->ring)
		return -LX_ENOTDIR;
	err = keyring_check_loop(ring, key);
	if (err)
		return err;
	if (ring->closed)
		return -LX_EPERM;
	return keyring_link(ring, key);
}

long key_clear(struct task *t, int id)
{
	struct key_ref r;
	int err = key_lookup(t, id, LOOKUP_CREATE, LX_KEY_WRITE, &r);

	if (err)
		return err;
	if (!r.key->type->ring)
		return -LX_ENOTDIR;
	keyring_clear(r.key);
	return 0;
}

long key_link_to(struct task *t, int id, int ring_id)
{
	struct key_ref ring, r;
	int err = key_lookup(t, ring_id, LOOKUP_CREATE, LX_KEY_WRITE, &ring);

	if (!err)
		err = key_lookup(t, id, LOOKUP_CREATE, LX_KEY_LINK, &r);
	return err ? err : link_key(ring.key, r.key);
}

long key_unlink(struct task *t, int id, int ring_id)
{
	struct key_ref ring, r;
	int err = key_lookup(t, ring_id, 0, LX_KEY_WRITE, &ring);

	if (!err)
		err = key_lookup(t, id, LOOKUP_DEAD, 0, &r);
	if (err)
		return err;
	return ring.key->type->ring ? keyring_unlink(ring.key, r.key) : -LX_ENOTDIR;
}

long key_search(struct task *t, int ring_id, const char *type_name, const char *desc, int dest)
{
	const struct key_type *type = key_type_lookup(type_name);
	struct key_ref ring, to = { .key = NULL };
	struct key *key;
	int err = key_lookup(t, ring_id, 0, LX_KEY_SEARCH, &ring);

	if (!err && dest)
		err = key_lookup(t, dest, LOOKUP_CREATE, LX_KEY_WRITE, &to);
	if (err)
		return err;
	if (!type)
		return -LX_ENOKEY;
	err = keyring_search(t, ring.key, ring.possessed, type, desc, NULL, &key);
	if (err)
		return err == -LX_EAGAIN ? -LX_ENOKEY : err;
	if (to.key) {
		err = key_permission(t, key, ring.possessed, LX_KEY_LINK);
		if (!err)
			err = link_key(to.key, key);
	}
	return err ? err : key->serial;
}

long key_restrict(struct task *t, int id, const char *type, bool restriction)
{
	struct key_ref r;
	int err = key_lookup(t, id, 0, LX_KEY_SETATTR, &r);

	if (err)
		return err;
	if (!type && restriction)
		return -LX_EINVAL;
	if (!r.key->type->ring)
		return -LX_ENOTDIR;
	/* No type here knows a restriction of its own. */
	if (type)
		return !restriction ? -LX_EINVAL : key_type_lookup(type) ? -LX_ENOENT : -LX_ENOKEY;
	if (r.key->closed)
		return -LX_EEXIST;
	r.key->closed = true;
	return 0;
}

long key_move(struct task *t, int id, int from_id, int to_id, uint32_t flags)
{
	struct key_ref r, from, to;
	struct key_link *l;
	int err;

	if (flags & ~LX_KEYCTL_MOVE_EXCL)
		return -LX_EINVAL;
	err = key_lookup(t, id, LOOKUP_CREATE, LX_KEY_LINK, &r);
	if (!err)
		err = key_lookup(t, from_id, 0, LX_KEY_WRITE, &from);
	if (!err)
		err = key_lookup(t, to_id, LOOKUP_CREATE, LX_KEY_WRITE, &to);
	if (err)
		return err;
	if (from.key == to.key)
		return 0;
	if (!from.key->type->ring || !to.key->type->ring)
		return -LX_ENOTDIR;
	l = keyring_find(from.key, r.key->type, r.key->desc);
	if (!l || l->key != r.key)
		return -LX_ENOENT;
	if ((flags & LX_KEYCTL_MOVE_EXCL) && keyring_find(to.key, r.key->type, r.key->desc))
		return -LX_EEXIST;
	err = link_key(to.key, r.key);
	return err ? err : keyring_unlink(from.key, r.key);
}

/* ---- /proc/keys ---- */

static void show_timeout(const struct key *key, char *buf, size_t size)
{
	static const struct {
		int64_t seconds;
		char unit;
	} units[] = { { 604800, 'w' }, { 86400, 'd' }, { 3600, 'h' }, { 60, 'm' }, { 1, 's' } };
	int64_t left = key->expiry - key_now();

	if (!key->expiry) {
		snprintf(buf, size, "perm");
	} else if (left <= 0) {
		snprintf(buf, size, "expd");
	} else {
		unsigned i = 0;

		/* Linux changes the unit at two minutes, two hours and so on. */
		while (i < 4 && left < units[i].seconds)
			i++;
		snprintf(buf, size, "%lld%c", (long long)(left / units[i].seconds), units[i].unit);
	}
}

static void show_key(const struct key *key, void (*emit)(void *, const char *), void *ctx)
{
	char timeout[24], tail[32] = "", *line = NULL;

	show_timeout(key, timeout, sizeof(timeout));
	if (!key->type->ring)
		snprintf(tail, sizeof(tail), ": %u", key->datalen);
	else if (key->nlinks)
		snprintf(tail, sizeof(tail), ": %u", key->nlinks);
	else
		snprintf(tail, sizeof(tail), ": empty");
	if (asprintf(&line, "%08x I%c-%c--%c %5d %4s %08x %5u %5u %-9.9s %s%s\n",
		     (unsigned)key->serial, key->revoked ? 'R' : '-', key->in_quota ? 'Q' : '-',
		     key->invalidated ? 'i' : '-', refs_count(&key->refs), timeout, key->perm,
		     shown_id(key->uid), shown_id(key->gid), key->type->name, key->desc, tail) < 0)
		return;
	emit(ctx, line);
	free(line);
}

void keys_show(struct task *t, void (*emit)(void *ctx, const char *line), void *ctx)
{
	struct key *key, *found;

	if (!t->k->keys)
		return;
	keys_gc(t->k);
	RB_FOREACH(key, key_table, &t->k->keys->table) {
		bool possessed = !key_search_process(t, key->type, key->desc, key, &found);

		if (key_permission(t, key, possessed, LX_KEY_VIEW) == 0)
			show_key(key, emit, ctx);
	}
}
