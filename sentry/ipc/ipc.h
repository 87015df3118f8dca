/* System V IPC and POSIX message queues: one namespace per sandbox. What the kinds share:
 * ids and keys, owners and modes, limits, and a bound on the memory that all of them take.
 * Kernel lock held throughout. */
#ifndef SENTRY_IPC_IPC_H
#define SENTRY_IPC_IPC_H

#include <bsd/sys/tree.h>
#include <stdbool.h>
#include <stdint.h>

#include "platform/base/list.h"
#include "syscalls/abi/lx_ipc.h"

struct inode;
struct kernel;
struct task;

/* Embedded in each object as its first member. */
struct ipc_perm {
	RB_ENTRY(ipc_perm) by_key; /* if key is not IPC_PRIVATE */
	int32_t key, id;
	uint32_t uid, gid, cuid, cgid, mode;
	int64_t ctime;
};
RB_HEAD(ipc_keys, ipc_perm);

struct ipc_ids {
	struct ipc_perm **slot;	/* by index; grows as needed */
	unsigned nslots, used;
	int last;		/* the index given out last; ids are not reused at once */
	uint16_t seq;
	struct ipc_keys keys;
};

/* What /proc/sys/kernel and /proc/sys/fs/mqueue show and set. */
struct ipc_limits {
	int32_t sem[4];		/* SEMMSL, SEMMNS, SEMOPM, SEMMNI */
	int32_t msgmax, msgmnb, msgmni;
	uint64_t shmmax, shmall;
	int32_t shmmni, shm_rmid_forced;
	int32_t mq_queues_max, mq_msg_max, mq_msgsize_max, mq_msg_default, mq_msgsize_default;
};

struct ipc_ns {
	struct ipc_limits lim;
	struct ipc_ids sems, msgs, shms;
	uint64_t bytes;		/* ipc_alloc() */
	uint64_t used_sems;	/* of all sets */
	uint64_t msg_bytes, msg_count; /* in all queues */
	uint64_t shm_pages;	/* of all segments */
	struct inode *mq_root;	/* one reference; NULL until first used */
	struct list mq_all;	/* struct mqueue, also those without a name */
	uint32_t mq_count;	/* of them */
};

/* The sandbox's, made when first used. NULL: out of memory. */
struct ipc_ns *ipc_of(struct kernel *k);
/* The limits in force, also when nothing was made yet. */
const struct ipc_limits *ipc_limits(const struct kernel *k);
/* At shutdown, after the last map is gone. */
void ipc_fini(struct kernel *k);

/* Zeroed memory for objects of guests, within IPC_MEM_MAX for all of them (the limits of
 * Linux alone allow tens of gigabytes). NULL: out of memory. */
#define IPC_MEM_MAX (256ULL << 20)
void *ipc_alloc(struct ipc_ns *ns, uint64_t size);
void ipc_free(struct ipc_ns *ns, void *p, uint64_t size);

/* The object of a key for the get calls: 0 with *out, which is NULL when a new one is to
 * be made; -LX_ENOENT, -LX_EEXIST. Access is for the caller to check. */
int ipc_lookup_key(struct ipc_ids *ids, int32_t key, uint32_t flags, struct ipc_perm **out);
struct ipc_perm *ipc_by_id(const struct ipc_ids *ids, int32_t id);
/* For the STAT commands: only the index part of id counts. */
struct ipc_perm *ipc_by_index(const struct ipc_ids *ids, int32_t id);
/* Enter a new object of t: its id, -LX_ENOSPC (limit objects), -LX_ENOMEM. */
int32_t ipc_add(struct task *t, struct ipc_ids *ids, struct ipc_perm *p, int32_t key,
		uint32_t flags, int32_t limit);
void ipc_remove(struct ipc_ids *ids, struct ipc_perm *p);
/* It can no longer be found by its key. */
void ipc_drop_key(struct ipc_ids *ids, struct ipc_perm *p);
/* The highest index in use, 0 without any: what the INFO commands return. */
int ipc_max_index(const struct ipc_ids *ids);
static inline unsigned ipc_index(const struct ipc_perm *p)
{
	return (uint32_t)p->id & (LX_IPCMNI - 1);
}

#define IPC_READ 0444u
#define IPC_WRITE 0222u
/* May t? want: mode bits, in any of the three places. 0 or -LX_EACCES. */
int ipc_check_access(const struct task *t, const struct ipc_perm *p, uint32_t want);
/* Owner or creator, or privileged: 0 or -LX_EPERM. */
int ipc_check_owner(const struct task *t, const struct ipc_perm *p);
/* IPC_SET, but for the kind's own fields: 0 or -LX_EINVAL. */
int ipc_set_perm(struct ipc_perm *p, const struct lx_ipc64_perm *in);
void ipc_show_perm(const struct ipc_perm *p, struct lx_ipc64_perm *out);

/* CLOCK_REALTIME in seconds. */
int64_t ipc_now(void);

#endif
