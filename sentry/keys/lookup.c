/* The keyrings of tasks and users, and what the ids that a guest gives mean. */
#include <stdio.h>

#include "sentry/cred/cred.h"
#include "sentry/kernel.h"
#include "sentry/keys/keys_impl.h"
#include "sentry/task/task.h"

#define USER_RING_PERM (LX_KEY_POS(LX_KEY_ALL & ~LX_KEY_SETATTR) | LX_KEY_USR(LX_KEY_ALL))

static void replace(struct key **slot, struct key *key)
{
	struct key *old = *slot;

	*slot = key;
	if (old)
		key_put(old);
}

/* ---- a task's own ---- */

void keys_clone(struct task *child, const struct task *parent, bool thread)
{
	child->keys = (struct task_keys){ .session = parent->keys.session,
					  .process = thread ? parent->keys.process : NULL,
					  .reqkey = parent->keys.reqkey };
	if (child->keys.session)
		key_get(child->keys.session);
	if (child->keys.process)
		key_get(child->keys.process);
}

void keys_exec(struct task *t)
{
	replace(&t->keys.thread, NULL);
	replace(&t->keys.process, NULL);
}

void keys_task_exit(struct task *t)
{
	keys_exec(t);
	replace(&t->keys.session, NULL);
}

static int new_ring(struct task *t, const char *name, uint32_t usr, int quota, struct key **slot)
{
	const struct cred *c = t->cred;
	struct key *ring;
	int err = key_new(t, &key_type_keyring, name, c->uid, c->gid,
			  LX_KEY_POS(LX_KEY_ALL) | LX_KEY_USR(usr), quota, &ring);

	if (!err)
		replace(slot, ring);
	return err;
}

int key_install_thread(struct task *t)
{
	return t->keys.thread ? 0 : new_ring(t, "_tid", LX_KEY_VIEW, KEY_IN_QUOTA | KEY_OVERRUN,
					     &t->keys.thread);
}

int key_install_process(struct task *t)
{
	return t->keys.process ? 0 : new_ring(t, "_pid", LX_KEY_VIEW, KEY_IN_QUOTA | KEY_OVERRUN,
					      &t->keys.process);
}

int key_install_session(struct task *t, struct key *ring)
{
	if (!ring)
		return new_ring(t, "_ses", LX_KEY_VIEW | LX_KEY_READ,
				KEY_IN_QUOTA | (t->keys.session ? 0 : KEY_OVERRUN),
				&t->keys.session);
	key_get(ring);
	replace(&t->keys.session, ring);
	return 0;
}

/* ---- a user's ---- */

static int user_ring(struct task *t, uint32_t uid, const char *prefix, struct key **slot)
{
	char name[32];
	int err;

	if (*slot)
		return 0;
	snprintf(name, sizeof(name), "%s.%u", prefix, uid);
	err = key_new(t, &key_type_keyring, name, uid, UINT32_MAX, USER_RING_PERM, KEY_IN_QUOTA,
		      slot);
	if (!err)
		(*slot)->uid_ring = true;
	return err;
}

int key_user_rings(struct task *t, struct key **ring, struct key **session)
{
	struct key_user *u = key_user_get(t->k, t->cred->uid);
	bool fresh;
	int err;

	if (!u)
		return -LX_ENOMEM;
	err = user_ring(t, u->uid, "_uid", &u->ring);
	if (err)
		return err;
	fresh = !u->session;
	err = user_ring(t, u->uid, "_uid_ses", &u->session);
	if (!err && fresh)
		err = keyring_link(u->session, u->ring);
	if (ring)
		*ring = u->ring;
	if (session)
		*session = u->session;
	return err;
}

/* ---- search and look-up ---- */

int key_search_process(struct task *t, const struct key_type *type, const char *desc,
		       const struct key *want, struct key **out)
{
	struct key *rings[3] = { t->keys.thread, t->keys.process, t->keys.session };
	int ret = 0, err = -LX_EAGAIN, r;

	if (!rings[2]) {
		const struct key_user *u = key_user_find(t->k, t->cred->uid);

		rings[2] = u ? u->session : NULL;
	}
	for (int i = 0; i < 3; i++) {
		if (!rings[i])
			continue;
		r = keyring_search(t, rings[i], true, type, desc, want, out);
		if (!r)
			return 0;
		if (r != -LX_EAGAIN)
			err = r;
		else if (!ret)
			ret = r;
	}
	return ret ? ret : err;
}

static int session_of(struct task *t, bool create, struct key **out)
{
	struct key *user_session;
	int err;

	if (!t->keys.session) {
		err = key_user_rings(t, NULL, &user_session);
		if (!err)
			err = key_install_session(t, create ? NULL : user_session);
		if (err)
			return err;
	} else if (create && t->keys.session->uid_ring) {
		err = key_install_session(t, NULL);
		if (err)
			return err;
	}
	*out = t->keys.session;
	return 0;
}

static int special(struct task *t, int id, bool create, struct key **out)
{
	int err = 0;

	switch (id) {
	case LX_KEY_SPEC_THREAD_KEYRING:
		if (create)
			err = key_install_thread(t);
		*out = t->keys.thread;
		break;
	case LX_KEY_SPEC_PROCESS_KEYRING:
		if (create)
			err = key_install_process(t);
		*out = t->keys.process;
		break;
	case LX_KEY_SPEC_SESSION_KEYRING:
		return session_of(t, create, out);
	case LX_KEY_SPEC_USER_KEYRING:
		return key_user_rings(t, out, NULL);
	case LX_KEY_SPEC_USER_SESSION_KEYRING:
		return key_user_rings(t, NULL, out);
	case LX_KEY_SPEC_REQKEY_AUTH_KEY:
	case LX_KEY_SPEC_REQUESTOR_KEYRING:
		*out = NULL; /* nobody here is asked for keys */
		break;
	default:
		return -LX_EINVAL;
	}
	return err ? err : *out ? 0 : -LX_ENOKEY;
}

int key_lookup(struct task *t, int id, unsigned flags, uint32_t need, struct key_ref *out)
{
	struct key *found;
	int err;

	keys_gc(t->k);
	out->possessed = true;
	if (id < 1) {
		err = special(t, id, flags & LOOKUP_CREATE, &out->key);
		if (err)
			return err;
	} else {
		out->key = key_find(t->k, id);
		if (!out->key)
			return -LX_ENOKEY;
		out->possessed = !key_search_process(t, out->key->type, out->key->desc, out->key,
						     &found);
	}
	err = flags & LOOKUP_DEAD ? 0 : key_validate(out->key);
	if (err)
		return err;
	return need ? key_permission(t, out->key, out->possessed, need) : 0;
}
