/* Waiting and waking on words of guest memory. A word is only looked at under the kernel
 * lock and waiters are queued under the same, so no wake-up that follows is lost. */
#include "sentry/ipc/futex.h"

#include <stdlib.h>

#include "sentry/ipc/futex_impl.h"
#include "sentry/kernel.h"
#include "sentry/mm/mm.h"
#include "sentry/mm/usercopy.h"
#include "sentry/task/task.h"
#include "sentry/vfs/vfs.h"

#define NBUCKETS 4096u

static struct list buckets[NBUCKETS]; /* [kernel lock] heads, made when first used */
static uint64_t hash_seed;

/* ---- keys ---- */

bool futex_key_equal(const struct futex_key *a, const struct futex_key *b)
{
	return a->off == b->off && a->obj == b->obj && a->kind == b->kind;
}

/* Seeded, so that a guest cannot choose addresses that all fall into one bucket. */
struct list *futex_bucket(const struct futex_key *key)
{
	uint64_t h = (uint64_t)(uintptr_t)key->obj * 0x9e3779b97f4a7c15ULL;
	struct list *b;

	if (hash_seed == 0) {
		krandom(&hash_seed, sizeof(hash_seed));
		hash_seed |= 1;
	}
	h = (h ^ (key->off >> 2) ^ hash_seed) * 0xff51afd7ed558ccdULL;
	h = (h ^ (h >> 33)) * (hash_seed | 1);
	b = &buckets[(h >> 40) % NBUCKETS];
	if (b->next == NULL)
		list_init(b);
	return b;
}

int futex_key_of(struct mm *mm, uint64_t addr, bool shared, struct futex_key *out,
		 struct inode **out_inode)
{
	struct vma_info vma;

	*out_inode = NULL;
	if (addr % sizeof(uint32_t) != 0)
		return -LX_EINVAL;
	if (addr >= PLAT_GUEST_MAX)
		return -LX_EFAULT;
	out->kind = FUTEX_KEY_PRIVATE;
	out->obj = mm;
	out->off = addr;
	if (!shared)
		return 0;
	if (!mm_next_vma(mm, addr, &vma) || vma.start > addr)
		return -LX_EFAULT;
	out->kind = FUTEX_KEY_MM;
	if ((vma.flags & VMA_SHARED) && vma.file != NULL) {
		out->kind = FUTEX_KEY_INODE;
		out->obj = *out_inode = vma.file->inode;
		out->off = vma.pgoff * LX_PAGE_SIZE + (addr - vma.start);
	}
	return 0;
}

/* ---- waiters ---- */

void futex_dequeue(struct futex_waiter *w)
{
	list_del_init(&w->node);
	list_del_init(&w->pi_node);
	if (w->inode != NULL)
		inode_put(w->inode);
	w->inode = NULL;
}

static void wait_free(void *p)
{
	struct futex_wait *fw = p;

	for (unsigned i = 0; i < fw->n; i++) {
		futex_dequeue(&fw->w[i]);
		if (fw->w[i].inode2 != NULL)
			inode_put(fw->w[i].inode2);
	}
	free(fw);
}

struct futex_wait *futex_wait_new(struct task *t, unsigned n)
{
	struct futex_wait *fw = calloc(1, sizeof(*fw) + n * sizeof(fw->w[0]));

	if (fw == NULL)
		return NULL;
	fw->n = n;
	for (unsigned i = 0; i < n; i++) {
		list_init(&fw->w[i].node);
		list_init(&fw->w[i].pi_node);
		fw->w[i].t = t;
	}
	t->restart.ptr = fw;
	t->restart.ptr_free = wait_free;
	return fw;
}

void futex_wait_end(struct task *t)
{
	if (t->restart.ptr_free != wait_free)
		return;
	wait_free(t->restart.ptr);
	t->restart.ptr = NULL;
	t->restart.ptr_free = NULL;
}

bool futex_waiting(const struct task *t)
{
	return t->restart.ptr_free == wait_free;
}

void futex_enqueue(struct futex_waiter *w, const struct futex_key *key, struct inode *inode)
{
	w->key = *key;
	w->inode = inode;
	if (inode != NULL)
		inode_get(inode);
	list_push_back(futex_bucket(key), &w->node);
}

void futex_wake_one(struct futex_waiter *w)
{
	w->woken = true;
	futex_dequeue(w);
	task_ready(w->t);
}

/* ---- wait ---- */

static long wait_begin(struct task *t, const struct futex_wait_one *in, unsigned n)
{
	struct futex_wait *fw = futex_wait_new(t, n);
	struct futex_key key;
	struct inode *inode;
	uint32_t now;
	int err = 0;

	if (fw == NULL)
		return -LX_ENOMEM;
	for (unsigned i = 0; i < n && !err; i++) {
		err = futex_key_of(t->mm, in[i].addr, in[i].shared, &key, &inode);
		if (!err)
			err = mm_load32(t->mm, in[i].addr, &now);
		if (!err && now != in[i].val)
			err = -LX_EAGAIN;
		if (err)
			break;
		fw->w[i].bitset = in[i].bitset;
		futex_enqueue(&fw->w[i], &key, inode);
	}
	if (err)
		futex_wait_end(t);
	return err;
}

long futex_wait(struct task *t, const struct futex_wait_one *w, unsigned n, uint64_t deadline,
		int interrupted)
{
	struct futex_wait *fw;
	long r;

	if (!futex_waiting(t)) {
		r = wait_begin(t, w, n);
		if (r)
			return r;
	}
	fw = t->restart.ptr;
	for (unsigned i = 0; i < fw->n; i++) {
		if (!fw->w[i].woken)
			continue;
		futex_wait_end(t);
		return i;
	}
	if (deadline != UINT64_MAX) {
		if (ktime_mono() >= deadline) {
			futex_wait_end(t);
			return -LX_ETIMEDOUT;
		}
		task_park_until(t, deadline);
	}
	r = task_park(t, interrupted);
	if (r != -LX_EPARK)
		futex_wait_end(t);
	return r;
}

/* ---- wake ---- */

static int wake_key(const struct futex_key *key, int n, uint32_t bitset)
{
	struct list *b = futex_bucket(key);
	struct futex_waiter *w, *tmp;
	int woken = 0;

	list_for_each_safe(w, tmp, b, node) {
		if (!futex_key_equal(&w->key, key))
			continue;
		if (w->pi || w->requeue)
			return -LX_EINVAL;
		if (!(w->bitset & bitset))
			continue;
		futex_wake_one(w);
		if (++woken >= n)
			break;
	}
	return woken;
}

long futex_wake(struct task *t, uint64_t addr, bool shared, int n, uint32_t bitset)
{
	struct futex_key key;
	struct inode *inode;
	int err = futex_key_of(t->mm, addr, shared, &key, &inode);

	return err ? err : wake_key(&key, n, bitset);
}

int futex_wake_addr(struct mm *mm, uint64_t addr, int n)
{
	struct futex_key key;
	struct inode *inode;
	int woken;

	if (futex_key_of(mm, addr, true, &key, &inode))
		return 0;
	woken = wake_key(&key, n, LX_FUTEX_BITSET_MATCH_ANY);
	return woken > 0 ? woken : 0;
}

/* Move what is not woken to the second word. */
static long requeue_keys(const struct futex_key *from, const struct futex_key *to,
			 struct inode *to_inode, int nwake, int nrequeue)
{
	struct list *b = futex_bucket(from);
	struct futex_waiter *w, *tmp;
	bool same = futex_key_equal(from, to);
	struct list moved;
	long count = 0;

	/* Collected first: the target may share the bucket. */
	list_init(&moved);
	list_for_each_safe(w, tmp, b, node) {
		if (!futex_key_equal(&w->key, from))
			continue;
		if (w->pi || w->requeue) {
			count = -LX_EINVAL;
			break;
		}
		if (count < nwake) {
			futex_wake_one(w);
			count++;
			continue;
		}
		if (count - nwake >= nrequeue)
			break;
		count++;
		if (same)
			continue;
		futex_dequeue(w);
		list_push_back(&moved, &w->node);
	}
	while (!list_empty(&moved)) {
		w = list_first(&moved, struct futex_waiter, node);
		list_del_init(&w->node);
		futex_enqueue(w, to, to_inode);
	}
	return count;
}

long futex_requeue(struct task *t, const struct futex_place *from, const struct futex_place *to,
		   int nwake, int nrequeue, const uint32_t *cmp)
{
	struct futex_key key, key2;
	struct inode *inode, *inode2;
	uint32_t now;
	int err;

	if (nwake < 0 || nrequeue < 0)
		return -LX_EINVAL;
	err = futex_key_of(t->mm, from->addr, from->shared, &key, &inode);
	if (!err)
		err = futex_key_of(t->mm, to->addr, to->shared, &key2, &inode2);
	if (err)
		return err;
	if (cmp != NULL) {
		err = mm_load32(t->mm, from->addr, &now);
		if (err)
			return err;
		if (now != *cmp)
			return -LX_EAGAIN;
	}
	return requeue_keys(&key, &key2, inode2, nwake, nrequeue);
}

/* ---- FUTEX_WAKE_OP ---- */

static int32_t sign_extend12(uint32_t v)
{
	return (int32_t)(v << 20) >> 20;
}

static int op_result(uint32_t old, uint32_t enc, uint32_t *out)
{
	uint32_t arg = (uint32_t)sign_extend12((enc >> 12) & 0xfff);

	if ((enc >> 28) & LX_FUTEX_OP_OPARG_SHIFT)
		arg = 1u << (arg & 31);
	switch ((enc >> 28) & 7) {
	case LX_FUTEX_OP_SET:
		*out = arg;
		return 0;
	case LX_FUTEX_OP_ADD:
		*out = old + arg;
		return 0;
	case LX_FUTEX_OP_OR:
		*out = old | arg;
		return 0;
	case LX_FUTEX_OP_ANDN:
		*out = old & ~arg;
		return 0;
	case LX_FUTEX_OP_XOR:
		*out = old ^ arg;
		return 0;
	default:
		return -LX_ENOSYS;
	}
}

/* Change the word as the operation says; *out_old: what it was. -LX_ERAN: pass on, to come
 * here again. */
static int apply_op(struct task *t, uint64_t addr, uint32_t enc, uint32_t *out_old)
{
	uint32_t old, new;
	int err;

	if (task_cmpxchg_result(t, &err)) {
		*out_old = (uint32_t)t->restart.scratch[0];
		if (err != -LX_EAGAIN)
			return err;
	}
	err = mm_load32(t->mm, addr, &old);
	if (!err)
		err = op_result(old, enc, &new);
	if (err)
		return err;
	*out_old = old;
	if (new == old)
		return 0;
	t->restart.scratch[0] = old;
	return (int)task_cmpxchg(t, addr, old, new);
}

static int compare_op(uint32_t old, uint32_t enc)
{
	int32_t v = (int32_t)old, arg = sign_extend12(enc & 0xfff);

	switch ((enc >> 24) & 15) {
	case LX_FUTEX_OP_CMP_EQ:
		return v == arg;
	case LX_FUTEX_OP_CMP_NE:
		return v != arg;
	case LX_FUTEX_OP_CMP_LT:
		return v < arg;
	case LX_FUTEX_OP_CMP_LE:
		return v <= arg;
	case LX_FUTEX_OP_CMP_GT:
		return v > arg;
	case LX_FUTEX_OP_CMP_GE:
		return v >= arg;
	default:
		return -LX_ENOSYS;
	}
}

long futex_wake_op(struct task *t, uint64_t addr, uint64_t addr2, bool shared, int nwake,
		   int nwake2, uint32_t op)
{
	struct futex_key key, key2;
	struct inode *inode;
	uint32_t old;
	int err, r, second;

	err = futex_key_of(t->mm, addr, shared, &key, &inode);
	if (!err)
		err = futex_key_of(t->mm, addr2, shared, &key2, &inode);
	if (!err)
		err = apply_op(t, addr2, op, &old);
	if (err)
		return err;
	r = compare_op(old, op);
	if (r < 0)
		return r;
	second = r;
	r = wake_key(&key, nwake, LX_FUTEX_BITSET_MATCH_ANY);
	if (r < 0 || !second)
		return r;
	second = wake_key(&key2, nwake2, LX_FUTEX_BITSET_MATCH_ANY);
	return second < 0 ? second : r + second;
}

/* ---- robust lists ---- */

/* A mutex whose holder died: mark it and wake one who waits. Threads can only add the waiters
 * bit meanwhile, and before they sleep they look at the word again. */
static int robust_death(struct task *t, uint64_t addr, bool pi, bool pending_op)
{
	uint32_t now, want;
	int err;

	if (addr % sizeof(uint32_t) != 0 || mm_load32(t->mm, addr, &now))
		return -1;
	do {
		/* Died between unlocking and taking it off the list: waiters may be left. */
		if (pending_op && !pi && now == 0) {
			futex_wake_addr(t->mm, addr, 1);
			return 0;
		}
		if ((now & LX_FUTEX_TID_MASK) != (uint32_t)t->tid)
			return 0;
		want = (now & LX_FUTEX_WAITERS) | LX_FUTEX_OWNER_DIED;
		err = mm_cmpxchg32(t->mm, addr, &now, want);
	} while (err == -LX_EAGAIN);
	if (err)
		return -1;
	if (!pi && (now & LX_FUTEX_WAITERS))
		futex_wake_addr(t->mm, addr, 1);
	return 0;
}

static void walk_robust_list(struct task *t)
{
	struct lx_robust_list_head head;
	uint64_t at, next, pending;

	if (mm_copy_in(t->mm, &head, t->robust_list, sizeof(head)))
		return;
	pending = head.list_op_pending & ~1ULL;
	at = head.next;
	/* The list is the guest's: it may be circular, endless or wild. */
	for (unsigned i = 0; i < LX_ROBUST_LIST_LIMIT && (at & ~1ULL) != t->robust_list; i++) {
		uint64_t entry = at & ~1ULL;
		int err = mm_copy_in(t->mm, &next, entry, sizeof(next));

		if (entry != pending &&
		    robust_death(t, entry + (uint64_t)head.futex_offset, at & 1, false))
			break;
		if (err)
			break;
		at = next;
	}
	if (pending != 0)
		(void)robust_death(t, pending + (uint64_t)head.futex_offset,
				   head.list_op_pending & 1, true);
}

void futex_exit_robust(struct task *t)
{
	if (t->mm == NULL)
		return;
	if (t->robust_list != 0)
		walk_robust_list(t);
	t->robust_list = 0;
}
