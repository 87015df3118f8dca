/* Keys as objects: making and freeing them, quotas, permissions, garbage. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sentry/cred/cred.h"
#include "sentry/fs/proc/proc.h"
#include "sentry/kernel.h"
#include "sentry/keys/keys_impl.h"
#include "sentry/task/task.h"

const struct key_type key_type_user = { "user", .readable = true, .updatable = true };
const struct key_type key_type_logon = { "logon", .updatable = true, .prefixed = true };
const struct key_type key_type_keyring = { "keyring", .ring = true, .readable = true };

static int by_serial(const struct key *a, const struct key *b)
{
	return a->serial < b->serial ? -1 : a->serial > b->serial;
}

static int by_uid(const struct key_user *a, const struct key_user *b)
{
	return a->uid < b->uid ? -1 : a->uid > b->uid;
}

RB_GENERATE(key_table, key, node, by_serial)
RB_GENERATE(key_users, key_user, node, by_uid)

struct keys *keys_of(struct kernel *k)
{
	struct keys *ks = k->keys;

	if (ks)
		return ks;
	ks = calloc(1, sizeof(*ks));
	if (!ks)
		return NULL;
	RB_INIT(&ks->table);
	RB_INIT(&ks->users);
	list_init(&ks->rings);
	k->keys = ks;
	return ks;
}

const struct key_type *key_type_lookup(const char *name)
{
	const struct key_type *all[] = { &key_type_user, &key_type_logon, &key_type_keyring };

	for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (strcmp(all[i]->name, name) == 0)
			return all[i];
	return NULL;
}

int64_t key_now(void)
{
	return ktime_real() / 1000000000;
}

/* ---- quotas ---- */

struct key_user *key_user_find(struct kernel *k, uint32_t uid)
{
	struct key_user like = { .uid = uid };

	return k->keys ? RB_FIND(key_users, &k->keys->users, &like) : NULL;
}

struct key_user *key_user_get(struct kernel *k, uint32_t uid)
{
	struct keys *ks = keys_of(k);
	struct key_user *u;

	if (!ks)
		return NULL;
	u = key_user_find(k, uid);
	if (u)
		return u;
	u = calloc(1, sizeof(*u));
	if (!u)
		return NULL;
	u->uid = uid;
	RB_INSERT(key_users, &ks->users, u);
	return u;
}

void key_user_settle(struct kernel *k, struct key_user *u)
{
	if (u->nkeys || u->ring || u->session || u->persistent)
		return;
	RB_REMOVE(key_users, &k->keys->users, u);
	free(u);
}

static uint64_t max_keys(struct kernel *k, uint32_t uid)
{
	return (uint64_t)sysctl_get(k, uid ? SYSCTL_KEYS_MAXKEYS : SYSCTL_KEYS_ROOT_MAXKEYS);
}

static uint64_t max_bytes(struct kernel *k, uint32_t uid)
{
	return (uint64_t)sysctl_get(k, uid ? SYSCTL_KEYS_MAXBYTES : SYSCTL_KEYS_ROOT_MAXBYTES);
}

int key_charge(struct key *key, int64_t more, bool check)
{
	struct key_user *u = key->user;

	if (key->in_quota) {
		if (check && more > 0 &&
		    u->qnbytes + (uint64_t)more > max_bytes(key->k, u->uid))
			return -LX_EDQUOT;
		u->qnbytes += (uint64_t)more;
	}
	key->quotalen = (uint32_t)((int64_t)key->quotalen + more);
	return 0;
}

/* ---- making and freeing ---- */

static void new_serial(struct keys *ks, struct key *key)
{
	uint32_t r;

	krandom(&r, sizeof(r));
	key->serial = (int32_t)(r >> 1);
	do {
		key->serial = key->serial < 3 || key->serial == INT32_MAX ? 3 : key->serial + 1;
	} while (RB_INSERT(key_table, &ks->table, key));
}

static int check_quota(struct kernel *k, const struct key_user *u, uint64_t len)
{
	return u->qnkeys + 1 > max_keys(k, u->uid) || u->qnbytes + len > max_bytes(k, u->uid)
		? -LX_EDQUOT : 0;
}

int key_new(struct task *t, const struct key_type *type, const char *desc, uint32_t uid,
	    uint32_t gid, uint32_t perm, int quota, struct key **out)
{
	struct keys *ks = keys_of(t->k);
	struct key_user *u = key_user_get(t->k, uid);
	const char *colon = strchr(desc, ':');
	struct key *key;
	int err = 0;

	if (!ks || !u)
		return -LX_ENOMEM;
	if (!*desc || (type->prefixed && (!colon || colon == desc)))
		err = -LX_EINVAL;
	if (!err && (quota & KEY_IN_QUOTA) && !(quota & KEY_OVERRUN))
		err = check_quota(t->k, u, strlen(desc) + 1);
	if (!err && ks->count >= KEYS_MAX)
		err = -LX_EDQUOT;
	key = err ? NULL : calloc(1, sizeof(*key));
	if (key && !(key->desc = strdup(desc))) {
		free(key);
		key = NULL;
	}
	if (!key) {
		key_user_settle(t->k, u);
		return err ? err : -LX_ENOMEM;
	}
	refs_init(&key->refs, "key");
	key->k = t->k;
	key->type = type;
	key->uid = uid;
	key->gid = gid;
	key->perm = perm;
	key->user = u;
	key->in_quota = quota & KEY_IN_QUOTA;
	RB_INIT(&key->links);
	list_init(&key->subrings);
	list_init(&key->all_rings);
	list_init(&key->dead_link);
	if (type->ring)
		list_push_back(&ks->rings, &key->all_rings);
	new_serial(ks, key);
	ks->count++;
	u->nkeys++;
	u->qnkeys += key->in_quota;
	(void)!key_charge(key, (int64_t)strlen(desc) + 1, false);
	*out = key;
	return 0;
}

void key_get(struct key *key)
{
	refs_get(&key->refs);
}

static void key_free(struct key *key)
{
	struct kernel *k = key->k;

	if (key->type->ring)
		keyring_clear(key);
	list_del_init(&key->all_rings);
	(void)!key_charge(key, -(int64_t)key->quotalen, false);
	key->user->nkeys--;
	key->user->qnkeys -= key->in_quota;
	key_user_settle(k, key->user);
	RB_REMOVE(key_table, &k->keys->table, key);
	k->keys->count--;
	if (key->data)
		explicit_bzero(key->data, key->datalen);
	free(key->data);
	free(key->desc);
	free(key);
}

/* Keyrings nest as deep as a guest likes: no recursion. */
void key_put(struct key *key)
{
	static struct list dead = LIST_INIT(dead);
	static bool draining;

	if (!refs_put(&key->refs))
		return;
	list_push_back(&dead, &key->dead_link);
	if (draining)
		return;
	draining = true;
	while (!list_empty(&dead)) {
		key = list_first(&dead, struct key, dead_link);
		list_del_init(&key->dead_link);
		key_free(key);
	}
	draining = false;
}

int key_set_data(struct key *key, const void *data, size_t len)
{
	void *copy = malloc(len);
	int err;

	if (!copy)
		return -LX_ENOMEM;
	err = key_charge(key, (int64_t)len - key->datalen, true);
	if (err) {
		free(copy);
		return err;
	}
	memcpy(copy, data, len);
	free(key->data);
	key->data = copy;
	key->datalen = (uint32_t)len;
	return 0;
}

/* ---- validity, permission ---- */

int key_validate(const struct key *key)
{
	if (key->invalidated)
		return -LX_ENOKEY;
	if (key->revoked)
		return -LX_EKEYREVOKED;
	if (key->expiry && key_now() >= key->expiry)
		return -LX_EKEYEXPIRED;
	return 0;
}

int key_permission(const struct task *t, const struct key *key, bool possessed, uint32_t need)
{
	const struct cred *c = t->cred;
	uint32_t have = key->perm;

	if (key->uid == c->fsuid)
		have >>= 16;
	else if ((key->perm & LX_KEY_ALL << 8) && key->gid != UINT32_MAX &&
		 cred_in_group(c, key->gid))
		have >>= 8;
	if (possessed)
		have |= key->perm >> 24;
	return (have & need) == need ? 0 : -LX_EACCES;
}

struct key *key_find(struct kernel *k, int32_t serial)
{
	struct key like = { .serial = serial };

	return k->keys ? RB_FIND(key_table, &k->keys->table, &like) : NULL;
}

/* ---- garbage ---- */

void key_mark_dead(struct kernel *k, int64_t since)
{
	int64_t at = since + sysctl_get(k, SYSCTL_KEYS_GC_DELAY);

	if (!k->keys->gc_at || at < k->keys->gc_at)
		k->keys->gc_at = at;
}

static bool collectable(const struct key *key, int64_t now, int64_t delay)
{
	if (key->invalidated)
		return true;
	if (key->revoked && now >= key->dead_since + delay)
		return true;
	return key->expiry && now >= key->expiry + delay;
}

static void collect(struct key *ring, int64_t now, int64_t delay)
{
	struct key_link *l, *next;

	for (l = RB_MIN(key_links, &ring->links); l; l = next) {
		next = RB_NEXT(key_links, &ring->links, l);
		if (collectable(l->key, now, delay))
			keyring_drop(ring, l);
		else if (l->key->revoked)
			key_mark_dead(ring->k, l->key->dead_since);
		else if (l->key->expiry)
			key_mark_dead(ring->k, l->key->expiry);
	}
}

void keys_gc(struct kernel *k)
{
	struct keys *ks = k->keys;
	int64_t now = key_now(), delay = sysctl_get(k, SYSCTL_KEYS_GC_DELAY);
	struct key *ring, *next;

	if (!ks || !ks->gc_at || now < ks->gc_at || list_empty(&ks->rings))
		return;
	ks->gc_at = 0;
	ring = list_first(&ks->rings, struct key, all_rings);
	key_get(ring);
	for (; ring; ring = next) {
		/* Dropping a link may free other rings, but not what is held here. */
		collect(ring, now, delay);
		next = ring->all_rings.next == &ks->rings
			? NULL : list_entry(ring->all_rings.next, struct key, all_rings);
		if (next)
			key_get(next);
		key_put(ring);
	}
}

void keys_fini(struct kernel *k)
{
	struct keys *ks = k->keys;
	struct key_user *u, *next;

	if (!ks)
		return;
	for (u = RB_MIN(key_users, &ks->users); u; u = next) {
		struct key *held[] = { u->ring, u->session, u->persistent };

		next = RB_NEXT(key_users, &ks->users, u);
		u->ring = u->session = u->persistent = NULL;
		u->nkeys++; /* stays until all three are gone */
		for (int i = 0; i < 3; i++)
			if (held[i])
				key_put(held[i]);
		u->nkeys--;
		key_user_settle(k, u);
	}
	free(ks);
	k->keys = NULL;
}

void key_users_show(struct kernel *k, void (*emit)(void *ctx, const char *line), void *ctx)
{
	struct key_user *u;
	char line[160];

	if (!k->keys)
		return;
	RB_FOREACH(u, key_users, &k->keys->users) {
		snprintf(line, sizeof(line), "%5u: %5u %u/%u %u/%llu %llu/%llu\n", u->uid, u->nkeys,
			 u->nkeys, u->nkeys, u->qnkeys, (unsigned long long)max_keys(k, u->uid),
			 (unsigned long long)u->qnbytes,
			 (unsigned long long)max_bytes(k, u->uid));
		emit(ctx, line);
	}
}
