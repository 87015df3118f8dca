/* Keyrings: links by type and description, nesting, search. */
#include <stdlib.h>
#include <string.h>

#include "sentry/keys/keys_impl.h"
#include "sentry/task/task.h"

static int by_index(const struct key_link *a, const struct key_link *b)
{
	int r = strcmp(a->key->type->name, b->key->type->name);

	return r ? r : strcmp(a->key->desc, b->key->desc);
}

RB_GENERATE(key_links, key_link, node, by_index)

struct key_link *keyring_find(struct key *ring, const struct key_type *type, const char *desc)
{
	struct key_link *l = RB_ROOT(&ring->links);

	while (l) {
		int r = strcmp(type->name, l->key->type->name);

		if (!r)
			r = strcmp(desc, l->key->desc);
		if (!r)
			break;
		l = r < 0 ? RB_LEFT(l, node) : RB_RIGHT(l, node);
	}
	return l;
}

static void set_key(struct key *ring, struct key_link *l, struct key *key)
{
	key_get(key);
	l->key = key;
	list_init(&l->ring_link);
	if (key->type->ring)
		list_push_back(&ring->subrings, &l->ring_link);
}

int keyring_link(struct key *ring, struct key *key)
{
	struct key_link *l = keyring_find(ring, key->type, key->desc);
	struct key *old;
	int err;

	if (l) {
		old = l->key;
		list_del_init(&l->ring_link);
		set_key(ring, l, key);
		key_put(old);
		return 0;
	}
	l = malloc(sizeof(*l));
	if (!l)
		return -LX_ENOMEM;
	err = key_charge(ring, KEY_LINK_BYTES, true);
	if (err) {
		free(l);
		return err;
	}
	set_key(ring, l, key);
	RB_INSERT(key_links, &ring->links, l);
	ring->nlinks++;
	return 0;
}

void keyring_drop(struct key *ring, struct key_link *l)
{
	struct key *key = l->key;

	RB_REMOVE(key_links, &ring->links, l);
	list_del_init(&l->ring_link);
	ring->nlinks--;
	(void)!key_charge(ring, -KEY_LINK_BYTES, false);
	free(l);
	key_put(key);
}

int keyring_unlink(struct key *ring, const struct key *key)
{
	struct key_link *l = keyring_find(ring, key->type, key->desc);

	if (!l || l->key != key)
		return -LX_ENOENT;
	keyring_drop(ring, l);
	return 0;
}

void keyring_clear(struct key *ring)
{
	struct key_link *l;

	while ((l = RB_ROOT(&ring->links)))
		keyring_drop(ring, l);
}

/* Was the ring visited by this walk, no deeper than now? Links may join rings in many
 * ways; each is looked at once for each depth at most. */
static bool seen(struct key *ring, uint64_t walk, unsigned depth)
{
	if (ring->seen_in == walk && ring->seen_depth <= depth)
		return true;
	ring->seen_in = walk;
	ring->seen_depth = depth;
	return false;
}

static int find_loop(struct key *at, const struct key *ring, uint64_t walk, unsigned depth)
{
	struct key_link *l;
	int err;

	if (at == ring)
		return -LX_EDEADLK;
	if (depth > KEY_SEARCH_DEPTH)
		return -LX_ELOOP;
	if (seen(at, walk, depth))
		return 0;
	list_for_each(l, &at->subrings, ring_link) {
		err = find_loop(l->key, ring, walk, depth + 1);
		if (err)
			return err;
	}
	return 0;
}

int keyring_check_loop(struct key *ring, struct key *key)
{
	return key->type->ring ? find_loop(key, ring, ++key->k->keys->searches, 0) : 0;
}

struct search {
	const struct task *t;
	bool possessed;
	const struct key_type *type;
	const char *desc;
	const struct key *want;
	uint64_t walk;
	int result;
};

/* Is it what is looked for? A reason why not is kept. */
static bool matches(struct search *s, struct key *key)
{
	int err;

	if (s->want) {
		if (key != s->want)
			return false;
		err = key_permission(s->t, key, s->possessed, LX_KEY_SEARCH);
		if (err)
			s->result = err;
		return !err;
	}
	if (key->invalidated || key->revoked)
		err = -LX_EKEYREVOKED;
	else
		err = key_validate(key);
	if (!err)
		err = key_permission(s->t, key, s->possessed, LX_KEY_SEARCH);
	if (err)
		s->result = err;
	return !err;
}

static struct key *search_below(struct search *s, struct key *ring, unsigned depth)
{
	struct key_link *l;
	struct key *found;

	if (seen(ring, s->walk, depth))
		return NULL;
	if (ring->revoked || ring->invalidated)
		return NULL;
	l = keyring_find(ring, s->type, s->desc);
	if (l && matches(s, l->key))
		return l->key;
	if (depth >= KEY_SEARCH_DEPTH)
		return NULL;
	list_for_each(l, &ring->subrings, ring_link) {
		if (key_permission(s->t, l->key, s->possessed, LX_KEY_SEARCH))
			continue;
		found = search_below(s, l->key, depth + 1);
		if (found)
			return found;
	}
	return NULL;
}

int keyring_search(const struct task *t, struct key *ring, bool possessed,
		   const struct key_type *type, const char *desc, const struct key *want,
		   struct key **out)
{
	struct search s = { .t = t, .possessed = possessed, .type = type, .desc = desc,
			    .want = want, .walk = ++ring->k->keys->searches,
			    .result = -LX_EAGAIN };
	int err;

	if (!ring->type->ring)
		return -LX_ENOTDIR;
	err = key_permission(t, ring, possessed, LX_KEY_SEARCH);
	if (err)
		return err;
	if (want == ring) {
		*out = ring;
		return 0;
	}
	*out = search_below(&s, ring, 0);
	return *out ? 0 : s.result;
}
