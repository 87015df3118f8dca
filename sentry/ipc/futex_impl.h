/* Between futex.c and futex_pi.c. */
#ifndef SENTRY_IPC_FUTEX_IMPL_H
#define SENTRY_IPC_FUTEX_IMPL_H

#include <stdbool.h>
#include <stdint.h>

#include "platform/base/list.h"
#include "syscalls/abi/lx_futex.h"

struct inode;
struct mm;
struct task;

/* What identifies a word: an address in a memory map, or a place in a file. Private and
 * shared futexes never meet, as in Linux. */
enum futex_key_kind { FUTEX_KEY_PRIVATE, FUTEX_KEY_MM, FUTEX_KEY_INODE };
struct futex_key {
	enum futex_key_kind kind;
	const void *obj;	/* compared only: struct mm or struct inode */
	uint64_t off;
};

struct futex_waiter {
	struct list node;	/* in a bucket; self-linked when woken */
	struct list pi_node;	/* pi: in the list of all such waiters */
	uint64_t addr;		/* pi: in the map of t */
	struct task *t;
	struct futex_key key;
	struct inode *inode;	/* one reference if the key names it: it must not be reused */
	uint32_t bitset;
	bool pi, woken;
	int owner_tid;		/* pi: who held the lock at last */
	/* FUTEX_WAIT_REQUEUE_PI, until it is requeued and becomes pi: to which lock. */
	bool requeue;
	uint64_t addr2;
	struct futex_key key2;
	struct inode *inode2;	/* one reference, likewise */
};

/* All the waiters of one call: t->restart.ptr. */
struct futex_wait {
	unsigned n;
	struct futex_waiter w[];
};

/* 0, -LX_EINVAL (not aligned), -LX_EFAULT (not mapped). *out_inode: NULL or borrowed. */
int futex_key_of(struct mm *mm, uint64_t addr, bool shared, struct futex_key *out,
		 struct inode **out_inode);
bool futex_key_equal(const struct futex_key *a, const struct futex_key *b);
struct list *futex_bucket(const struct futex_key *key);
/* n waiters of t's call, not queued yet. NULL: out of memory. */
struct futex_wait *futex_wait_new(struct task *t, unsigned n);
void futex_enqueue(struct futex_waiter *w, const struct futex_key *key, struct inode *inode);
void futex_wake_one(struct futex_waiter *w);
/* Become a waiter for a lock (pi): at the end of its queue. */
void futex_pi_enqueue(struct futex_waiter *w, const struct futex_key *key, struct inode *inode,
		      uint64_t addr, int owner_tid);
void futex_dequeue(struct futex_waiter *w);
/* The call of t has ended: drop its waiters. */
void futex_wait_end(struct task *t);

#endif
