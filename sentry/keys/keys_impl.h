/* Shared between the files of sentry/keys. Kernel lock held. */
#ifndef SENTRY_KEYS_KEYS_IMPL_H
#define SENTRY_KEYS_KEYS_IMPL_H

#include <bsd/sys/tree.h>

#include "platform/base/auto.h"
#include "platform/base/list.h"
#include "platform/base/refs.h"
#include "sentry/keys/keys.h"
#include "syscalls/abi/lx_errno.h"
#include "syscalls/abi/lx_keyctl.h"

/* A sandbox's keys, of all users. Root's quota alone would let it have a million. */
#define KEYS_MAX 100000u
#define KEY_LINK_BYTES 4 /* what a link costs of a quota */
#define KEY_SEARCH_DEPTH 6

struct key_type {
	const char *name;
	bool ring, readable, updatable, prefixed;
};

struct key_link {		/* entry of a keyring */
	RB_ENTRY(key_link) node;
	struct list ring_link;	/* in ring->subrings when the key is a keyring */
	struct key *key;	/* one reference */
};
RB_HEAD(key_links, key_link);

struct key_user {		/* quota of a user id, and its keyrings */
	RB_ENTRY(key_user) node;
	uint32_t uid;
	unsigned nkeys, qnkeys;
	uint64_t qnbytes;
	struct key *ring, *session, *persistent; /* one reference each, or NULL */
};
RB_HEAD(key_users, key_user);

struct key {
	struct refs refs;
	struct kernel *k;
	RB_ENTRY(key) node;	/* by serial */
	int32_t serial;
	const struct key_type *type;
	char *desc;
	uint32_t uid, gid, perm;
	int64_t expiry;		/* CLOCK_REALTIME seconds; 0: never */
	int64_t dead_since;	/* revoked; 0: not */
	bool revoked, invalidated, in_quota, uid_ring, closed;
	struct key_user *user;	/* who pays */
	uint32_t quotalen;
	uint32_t datalen;
	void *data;
	/* keyrings */
	struct key_links links;
	unsigned nlinks;
	struct list subrings;	/* struct key_link */
	struct list all_rings;	/* in keys->rings */
	uint64_t seen_in;	/* search that came by, and how deep */
	unsigned seen_depth;
	struct list dead_link;
};
RB_HEAD(key_table, key);

struct keys {			/* of a kernel; made on first use */
	struct key_table table;
	struct key_users users;
	struct list rings;
	unsigned count;
	uint64_t searches;
	int64_t gc_at;		/* seconds; 0: nothing to collect */
};

RB_PROTOTYPE(key_links, key_link, node, )
RB_PROTOTYPE(key_table, key, node, )
RB_PROTOTYPE(key_users, key_user, node, )

extern const struct key_type key_type_user, key_type_logon, key_type_keyring;

/* ---- key.c ---- */

struct keys *keys_of(struct kernel *k); /* NULL: out of memory */
const struct key_type *key_type_lookup(const char *name);
struct key_user *key_user_find(struct kernel *k, uint32_t uid); /* NULL: none */
/* Made if need be; NULL: out of memory. key_new() for that user, or key_user_settle(), must
 * follow: one that nothing hangs on is forgotten. */
struct key_user *key_user_get(struct kernel *k, uint32_t uid);
void key_user_settle(struct kernel *k, struct key_user *u);
enum { KEY_IN_QUOTA = 1, KEY_OVERRUN = 2 };
/* A key without data or links; one reference. -LX_EDQUOT, -LX_EINVAL, -LX_ENOMEM. */
int key_new(struct task *t, const struct key_type *type, const char *desc, uint32_t uid,
	    uint32_t gid, uint32_t perm, int quota, struct key **out);
void key_get(struct key *key);
void key_put(struct key *key);
DEFINE_AUTO_PUT(key)
int key_set_data(struct key *key, const void *data, size_t len);
/* Take more or give back quota. */
int key_charge(struct key *key, int64_t more, bool check);
int key_validate(const struct key *key);
int key_permission(const struct task *t, const struct key *key, bool possessed, uint32_t need);
struct key *key_find(struct kernel *k, int32_t serial); /* borrowed */
void key_mark_dead(struct kernel *k, int64_t since);
/* Drop what has been dead for long enough. */
void keys_gc(struct kernel *k);
int64_t key_now(void); /* CLOCK_REALTIME, seconds */

/* ---- keyring.c ---- */

struct key_link *keyring_find(struct key *ring, const struct key_type *type, const char *desc);
/* Takes a reference; one with the same type and description is replaced. */
int keyring_link(struct key *ring, struct key *key);
int keyring_unlink(struct key *ring, const struct key *key);
void keyring_drop(struct key *ring, struct key_link *l);
void keyring_clear(struct key *ring);
/* Could linking key into ring make a loop? 0, -LX_EDEADLK, -LX_ELOOP. */
int keyring_check_loop(struct key *ring, struct key *key);
/* Search ring and what hangs below. want: that very key, or NULL: type and desc count.
 * *out is borrowed. -LX_EAGAIN: not there. */
int keyring_search(const struct task *t, struct key *ring, bool possessed,
		   const struct key_type *type, const char *desc, const struct key *want,
		   struct key **out);

/* ---- lookup.c ---- */

enum { LOOKUP_CREATE = 1, LOOKUP_DEAD = 2 /* also keys that are not valid */ };
struct key_ref {
	struct key *key;	/* borrowed */
	bool possessed;
};
/* lookup_user_key(): an id that a guest gave. need: LX_KEY_*; 0: no permission asked for. */
int key_lookup(struct task *t, int id, unsigned flags, uint32_t need, struct key_ref *out);
/* search_process_keyrings() */
int key_search_process(struct task *t, const struct key_type *type, const char *desc,
		       const struct key *want, struct key **out);
/* The keyrings of the task's user. */
int key_user_rings(struct task *t, struct key **ring, struct key **session);
int key_install_session(struct task *t, struct key *ring); /* NULL: a new one */
int key_install_thread(struct task *t);
int key_install_process(struct task *t);

#endif
