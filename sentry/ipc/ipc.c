/* Ids, keys and permissions of System V IPC objects (ipc/util.c in Linux). */
#include "sentry/ipc/ipc.h"

#include <stdlib.h>

#include "sentry/cred/cred.h"
#include "sentry/ipc/mqueue.h"
#include "sentry/ipc/msg.h"
#include "sentry/ipc/sem.h"
#include "sentry/ipc/shm.h"
#include "sentry/kernel.h"
#include "sentry/task/task.h"
#include "syscalls/abi/lx_cap.h"
#include "syscalls/abi/lx_mqueue.h"
#include "syscalls/abi/lx_msg.h"
#include "syscalls/abi/lx_sem.h"
#include "syscalls/abi/lx_shm.h"

#define SEQ_MAX (INT32_MAX >> LX_IPC_SEQ_SHIFT)
#define MIN_CYCLE 64u /* an index is used again after this many others, if there is room */

static const struct ipc_limits defaults = {
	.sem = { LX_SEMMSL, LX_SEMMNS, LX_SEMOPM, LX_SEMMNI },
	.msgmax = LX_MSGMAX,
	.msgmnb = LX_MSGMNB,
	.msgmni = LX_MSGMNI,
	.shmmax = LX_SHMMAX,
	.shmall = LX_SHMALL,
	.shmmni = LX_SHMMNI,
	.mq_queues_max = LX_MQ_QUEUES_MAX,
	.mq_msg_max = LX_MQ_MSG_MAX,
	.mq_msgsize_max = LX_MQ_MSGSIZE_MAX,
	.mq_msg_default = LX_MQ_MSG_MAX,
	.mq_msgsize_default = LX_MQ_MSGSIZE_MAX,
};

static int cmp_key(const struct ipc_perm *a, const struct ipc_perm *b)
{
	return a->key < b->key ? -1 : a->key > b->key;
}

RB_GENERATE_INTERNAL(ipc_keys, ipc_perm, by_key, cmp_key, static __attribute__((unused)))


static void ids_init(struct ipc_ids *ids)
{
	ids->last = -1;
	RB_INIT(&ids->keys);
}

struct ipc_ns *ipc_of(struct kernel *k)
{
	struct ipc_ns *ns = k->ipc;

	if (ns)
		return ns;
	ns = calloc(1, sizeof(*ns));
	if (!ns)
		return NULL;
	ns->lim = defaults;
	ids_init(&ns->sems);
	ids_init(&ns->msgs);
	ids_init(&ns->shms);
	list_init(&ns->mq_all);
	k->ipc = ns;
	return ns;
}

const struct ipc_limits *ipc_limits(const struct kernel *k)
{
	return k->ipc ? &k->ipc->lim : &defaults;
}

void ipc_fini(struct kernel *k)
{
	struct ipc_ns *ns = k->ipc;

	if (!ns)
		return;
	sem_fini(ns);
	msg_fini(ns);
	shm_fini(ns);
	mqueue_fini(ns);
	free(ns->sems.slot);
	free(ns->msgs.slot);
	free(ns->shms.slot);
	free(ns);
	k->ipc = NULL;
}

void *ipc_alloc(struct ipc_ns *ns, uint64_t size)
{
	void *p;

	if (size > IPC_MEM_MAX || ns->bytes + size > IPC_MEM_MAX)
		return NULL;
	p = calloc(1, size);
	if (p)
		ns->bytes += size;
	return p;
}

void ipc_free(struct ipc_ns *ns, void *p, uint64_t size)
{
	if (!p)
		return;
	ns->bytes -= size;
	free(p);
}

int64_t ipc_now(void)
{
	return ktime_real() / 1000000000;
}

/* ---- finding ---- */

int ipc_lookup_key(struct ipc_ids *ids, int32_t key, uint32_t flags, struct ipc_perm **out)
{
	struct ipc_perm want = { .key = key };

	*out = NULL;
	if (key == LX_IPC_PRIVATE)
		return 0;
	*out = RB_FIND(ipc_keys, &ids->keys, &want);
	if (!*out)
		return flags & LX_IPC_CREAT ? 0 : -LX_ENOENT;
	return (flags & LX_IPC_CREAT) && (flags & LX_IPC_EXCL) ? -LX_EEXIST : 0;
}

struct ipc_perm *ipc_by_index(const struct ipc_ids *ids, int32_t id)
{
	unsigned index = (uint32_t)id & (LX_IPCMNI - 1);

	return id >= 0 && index < ids->nslots ? ids->slot[index] : NULL;
}

struct ipc_perm *ipc_by_id(const struct ipc_ids *ids, int32_t id)
{
	struct ipc_perm *p = ipc_by_index(ids, id);

	return p && p->id == id ? p : NULL;
}

int ipc_max_index(const struct ipc_ids *ids)
{
	for (unsigned i = ids->nslots; i > 0; i--)
		if (ids->slot[i - 1])
			return (int)i - 1;
	return 0;
}

/* ---- entering and leaving ---- */

/* Room for index `need`. */
static bool grow(struct ipc_ids *ids, unsigned need)
{
	unsigned n = ids->nslots ? ids->nslots : 64;
	struct ipc_perm **slot;

	while (n <= need)
		n *= 2;
	if (n == ids->nslots)
		return true;
	slot = reallocarray(ids->slot, n, sizeof(*slot));
	if (!slot)
		return false;
	for (unsigned i = ids->nslots; i < n; i++)
		slot[i] = NULL;
	ids->slot = slot;
	ids->nslots = n;
	return true;
}

static bool is_free(const struct ipc_ids *ids, unsigned index)
{
	return index >= ids->nslots || !ids->slot[index];
}

/* The next free index, going round below a limit that leaves room. There is one. */
static unsigned next_index(const struct ipc_ids *ids)
{
	unsigned max = ids->used * 3 / 2, at;

	if (max < MIN_CYCLE)
		max = MIN_CYCLE;
	if (max > LX_IPCMNI)
		max = LX_IPCMNI;
	at = (unsigned)(ids->last + 1) < max ? (unsigned)(ids->last + 1) : 0;
	while (!is_free(ids, at))
		at = at + 1 < max ? at + 1 : 0;
	return at;
}

int32_t ipc_add(struct task *t, struct ipc_ids *ids, struct ipc_perm *p, int32_t key,
		uint32_t flags, int32_t limit)
{
	unsigned index;

	if (ids->used >= LX_IPCMNI || (int64_t)ids->used >= limit)
		return -LX_ENOSPC;
	index = next_index(ids);
	if (!grow(ids, index))
		return -LX_ENOMEM;
	if ((int)index <= ids->last)
		ids->seq = ids->seq == SEQ_MAX ? 0 : ids->seq + 1;
	ids->last = (int)index;
	ids->slot[index] = p;
	ids->used++;
	p->id = (int32_t)((uint32_t)ids->seq << LX_IPC_SEQ_SHIFT | index);
	p->key = key;
	p->uid = p->cuid = t->cred->euid;
	p->gid = p->cgid = t->cred->egid;
	p->mode = flags & 0777;
	p->ctime = ipc_now();
	if (key != LX_IPC_PRIVATE)
		RB_INSERT(ipc_keys, &ids->keys, p);
	return p->id;
}

void ipc_drop_key(struct ipc_ids *ids, struct ipc_perm *p)
{
	if (p->key != LX_IPC_PRIVATE)
		RB_REMOVE(ipc_keys, &ids->keys, p);
	p->key = LX_IPC_PRIVATE;
}

void ipc_remove(struct ipc_ids *ids, struct ipc_perm *p)
{
	ipc_drop_key(ids, p);
	ids->slot[ipc_index(p)] = NULL;
	ids->used--;
}

/* ---- permissions ---- */

static bool is_owner(const struct task *t, const struct ipc_perm *p)
{
	return t->cred->euid == p->cuid || t->cred->euid == p->uid;
}

int ipc_check_access(const struct task *t, const struct ipc_perm *p, uint32_t want)
{
	uint32_t granted = p->mode;

	want = (want >> 6) | (want >> 3) | want;
	if (is_owner(t, p))
		granted >>= 6;
	else if (cred_in_egroup(t->cred, p->cgid) || cred_in_egroup(t->cred, p->gid))
		granted >>= 3;
	if ((want & ~granted & 7u) && !task_capable(t, LX_CAP_IPC_OWNER))
		return -LX_EACCES;
	return 0;
}

int ipc_check_owner(const struct task *t, const struct ipc_perm *p)
{
	return is_owner(t, p) || task_capable(t, LX_CAP_SYS_ADMIN) ? 0 : -LX_EPERM;
}

int ipc_set_perm(struct ipc_perm *p, const struct lx_ipc64_perm *in)
{
	if (in->uid == UINT32_MAX || in->gid == UINT32_MAX)
		return -LX_EINVAL;
	p->uid = in->uid;
	p->gid = in->gid;
	p->mode = (p->mode & ~0777u) | (in->mode & 0777);
	return 0;
}

void ipc_show_perm(const struct ipc_perm *p, struct lx_ipc64_perm *out)
{
	*out = (struct lx_ipc64_perm){
		.key = p->key,
		.uid = p->uid,
		.gid = p->gid,
		.cuid = p->cuid,
		.cgid = p->cgid,
		.mode = p->mode,
		.seq = (uint16_t)((uint32_t)p->id >> LX_IPC_SEQ_SHIFT),
	};
}
