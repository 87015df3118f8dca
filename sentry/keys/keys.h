/* Keys and keyrings (keyrings(7)): types user, logon and keyring. There is nobody to ask
 * for a key that is not there (no /sbin/request-key runs). All under the kernel lock. */
#ifndef SENTRY_KEYS_KEYS_H
#define SENTRY_KEYS_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kernel;
struct key;
struct task;

struct task_keys {		/* member of struct task: one reference each, or NULL */
	struct key *session;	/* inherited by fork and execve */
	struct key *process;	/* shared with later threads, dropped at execve */
	struct key *thread;
	int reqkey;		/* KEYCTL_SET_REQKEY_KEYRING */
};

void keys_clone(struct task *child, const struct task *parent, bool thread);
void keys_exec(struct task *t);
void keys_task_exit(struct task *t);
void keys_fini(struct kernel *k);

/* add_key(2), arguments copied in: desc NULL when there is none or it is empty. The serial or
 * -LX_E…. */
long key_add(struct task *t, const char *type, const char *desc, const void *data, size_t len,
	     int ring);
/* request_key(2). callout: was there any? */
long key_request(struct task *t, const char *type, const char *desc, bool callout, int dest);

/* keyctl(2), the operation of that name each. *size: bytes of text or data; the caller
 * frees *out. */
long key_ring_id(struct task *t, int id, bool create);
long key_join_session(struct task *t, const char *name);
long key_update(struct task *t, int id, const void *data, size_t len);
long key_revoke(struct task *t, int id);
long key_chown(struct task *t, int id, uint32_t uid, uint32_t gid);
long key_setperm(struct task *t, int id, uint32_t perm);
long key_describe(struct task *t, int id, char **out, size_t *size);
long key_clear(struct task *t, int ring);
long key_link_to(struct task *t, int id, int ring);
long key_unlink(struct task *t, int id, int ring);
long key_search(struct task *t, int ring, const char *type, const char *desc, int dest);
long key_read(struct task *t, int id, void **out, size_t *size);
long key_set_reqkey(struct task *t, int where);
long key_set_timeout(struct task *t, int id, uint32_t seconds);
long key_get_security(struct task *t, int id);
long key_session_to_parent(struct task *t);
long key_invalidate(struct task *t, int id);
long key_get_persistent(struct task *t, uint32_t uid, int dest);
long key_restrict(struct task *t, int id, const char *type, bool restriction);
long key_move(struct task *t, int id, int from, int to, uint32_t flags);

/* /proc/keys, as seen by t, and /proc/key-users, a line at a time. */
void keys_show(struct task *t, void (*emit)(void *ctx, const char *line), void *ctx);
void key_users_show(struct kernel *k, void (*emit)(void *ctx, const char *line), void *ctx);

#endif
