/* Advisory locks: POSIX (owned by an fd table), OFD (owned by an open file) and flock.
 * They hang on the inode, and so do those who wait, in the order in which they came. When a
 * lock goes or becomes less, those are run again that nothing stands in the way of, neither
 * a lock nor an earlier one of them; who then finds that another was faster keeps its place. */
#include <stdlib.h>

#include "sentry/task/task.h"
#include "sentry/vfs/file_io.h"
#include "sentry/vfs/vfs_impl.h"

#define MAX_LOCKS_PER_INODE 65536
#define OFFSET_MAX INT64_MAX
#define DEADLOCK_STEPS 11 /* from owner to owner, as Linux follows them */
#define OWNER_BUCKETS 64

struct lock {
	struct list link;	/* sorted by start */
	const void *owner;	/* struct fdtable (POSIX) or struct file (OFD, flock) */
	int64_t start, end;	/* inclusive */
	int type;		/* LX_F_RDLCK, LX_F_WRLCK */
	int pid;		/* what F_GETLK shows; -1: OFD */
};

struct lock_ctx {
	struct list posix, flock;
	struct list waiters;	/* struct lock_waiter, first come first */
	unsigned count;
};

/* A call that waits; in restart.ptr of its task. */
struct lock_waiter {
	struct list link;	/* in ctx->waiters */
	struct list by_owner;	/* in posix_waiters; POSIX only */
	struct lock_ctx *ctx;	/* NULL: the inode has gone */
	struct lock want;
	bool flock;
	bool woken;		/* on its way to take the lock */
	struct waitq q;		/* its task */
};
static struct list posix_waiters[OWNER_BUCKETS]; /* empty ones may be all zeros */

static struct list *bucket_of(const void *owner)
{
	struct list *l = &posix_waiters[((uintptr_t)owner >> 6) % OWNER_BUCKETS];

	if (!l->next)
		list_init(l);
	return l;
}

static struct lock_ctx *ctx_of(struct inode *i, bool make)
{
	struct lock_ctx *c = i->locks;

	if (c || !make)
		return c;
	c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	list_init(&c->posix);
	list_init(&c->flock);
	list_init(&c->waiters);
	i->locks = c;
	return c;
}

static void lock_del(struct lock_ctx *c, struct lock *l)
{
	list_del_init(&l->link);
	c->count--;
	free(l);
}

void locks_free_inode(struct inode *i)
{
	struct lock_ctx *c = i->locks;

	if (!c)
		return;
	i->locks = NULL;
	while (!list_empty(&c->posix))
		lock_del(c, list_first(&c->posix, struct lock, link));
	while (!list_empty(&c->flock))
		lock_del(c, list_first(&c->flock, struct lock, link));
	while (!list_empty(&c->waiters)) {
		struct lock_waiter *w = list_first(&c->waiters, struct lock_waiter, link);

		list_del_init(&w->link);
		w->ctx = NULL;
		waitq_wake(&w->q, 0);
	}
	free(c);
}

/* ---- who is in the way ---- */

static bool conflicts(const struct lock *a, const struct lock *b)
{
	return a->owner != b->owner && a->start <= b->end && b->start <= a->end &&
	       (a->type == LX_F_WRLCK || b->type == LX_F_WRLCK);
}

static struct lock *find_conflict(struct lock_ctx *c, const struct lock *want, bool flock)
{
	struct lock *l;

	list_for_each(l, flock ? &c->flock : &c->posix, link) {
		if (l->start > want->end)
			break;
		if (conflicts(l, want))
			return l;
	}
	return NULL;
}

/* Would `me`, waiting for owner, wait for itself? */
static bool would_deadlock(const void *me, const void *owner)
{
	for (int steps = 0; steps < DEADLOCK_STEPS; steps++) {
		const struct lock *next = NULL;
		struct lock_waiter *w;

		list_for_each(w, bucket_of(owner), by_owner) {
			if (w->want.owner != owner || !w->ctx || w->woken)
				continue;
			next = find_conflict(w->ctx, &w->want, false);
			if (next)
				break;
		}
		if (!next)
			return false;
		owner = next->owner;
		if (owner == me)
			return true;
	}
	return false;
}

static bool is_posix(const struct lock_waiter *w)
{
	return !w->flock && w->want.pid != -1;
}

/* After something has gone or become less, or a waiter has. */
static void wake_waiters(struct lock_ctx *c)
{
	struct lock_waiter *w, *before;

	list_for_each(w, &c->waiters, link) {
		const struct lock *l;

		if (w->woken)
			continue;
		l = find_conflict(c, &w->want, w->flock);
		/* Another holder than before may close a ring: it is told. */
		if (l && !(is_posix(w) && would_deadlock(w->want.owner, l->owner)))
			continue;
		list_for_each(before, &c->waiters, link) {
			if (before == w)
				break;
			if (!l && before->woken && before->flock == w->flock &&
			    conflicts(&before->want, &w->want))
				break;
		}
		if (before != w)
			continue;
		w->woken = true;
		waitq_wake(&w->q, 0);
	}
}

/* Drop all locks of an owner. */
static void drop_owner(struct lock_ctx *c, struct list *head, const void *owner)
{
	struct lock *l, *tmp;
	bool any = false;

	list_for_each_safe(l, tmp, head, link) {
		if (l->owner != owner)
			continue;
		lock_del(c, l);
		any = true;
	}
	if (any)
		wake_waiters(c);
}

void locks_close_posix(struct file *f, const void *owner)
{
	struct lock_ctx *c = ctx_of(file_inode(f), false);

	if (c)
		drop_owner(c, &c->posix, owner);
}

void locks_release_file(struct file *f)
{
	struct lock_ctx *c = ctx_of(file_inode(f), false);

	if (!c)
		return;
	drop_owner(c, &c->flock, f);
	drop_owner(c, &c->posix, f);
}

/* ---- POSIX and OFD ---- */

static void insert_sorted(struct lock_ctx *c, struct lock *n)
{
	struct list *at = &c->posix;
	struct lock *l;

	list_for_each(l, &c->posix, link) {
		if (l->start > n->start) {
			at = &l->link;
			break;
		}
	}
	list_push_back(at, &n->link);
	c->count++;
}

/* Cut the range of `want` out of its owner's locks; same-type neighbours are merged into
 * want. spare: for a lock that is split in two; NULL when it was used. */
static void carve(struct lock_ctx *c, struct lock *want, struct lock **spare)
{
	struct lock *l, *tmp;

	list_for_each_safe(l, tmp, &c->posix, link) {
		if (l->owner != want->owner)
			continue;
		if (l->type == want->type) {
			/* Touching counts: the result is one lock. */
			if ((want->start && l->end < want->start - 1) ||
			    (want->end != OFFSET_MAX && l->start > want->end + 1))
				continue;
			if (l->start < want->start)
				want->start = l->start;
			if (l->end > want->end)
				want->end = l->end;
			lock_del(c, l);
			continue;
		}
		if (l->end < want->start || l->start > want->end)
			continue;
		if (l->start < want->start && l->end > want->end) {
			struct lock *right = take(spare);

			*right = *l;
			right->start = want->end + 1;
			l->end = want->start - 1;
			insert_sorted(c, right);
			return;
		}
		if (l->start < want->start) {
			l->end = want->start - 1;
		} else if (l->end > want->end) {
			/* Its place in the order may change. */
			l->start = want->end + 1;
			list_del_init(&l->link);
			c->count--;
			insert_sorted(c, l);
		} else {
			lock_del(c, l);
		}
	}
}

/* Would cutting the range out of its owner's locks leave two of one? */
static bool splits(struct lock_ctx *c, const struct lock *want)
{
	struct lock *l;

	list_for_each(l, &c->posix, link)
		if (l->owner == want->owner && l->start < want->start && l->end > want->end)
			return true;
	return false;
}

static int apply(struct lock_ctx *c, const struct lock *want)
{
	struct lock *spare = calloc(1, sizeof(*spare));
	struct lock *n = calloc(1, sizeof(*n));
	struct lock w = *want;

	if (!spare || !n ||
	    (c->count + 2 > MAX_LOCKS_PER_INODE && (want->type != LX_F_UNLCK || splits(c, want)))) {
		free(spare);
		free(n);
		return -LX_ENOLCK;
	}
	list_init(&w.link);
	carve(c, &w, &spare);
	if (w.type != LX_F_UNLCK) {
		*n = w;
		insert_sorted(c, n);
		n = NULL;
	}
	free(spare);
	free(n);
	wake_waiters(c); /* unlocked, or less than before */
	return 0;
}

/* The file position that a flock structure means. */
static int to_range(struct file *f, const struct lx_flock *fl, struct lock *out)
{
	struct kstat st;
	int64_t base = 0;
	int err;

	if (fl->l_whence == LX_SEEK_CUR) {
		base = f->pos;
	} else if (fl->l_whence == LX_SEEK_END) {
		err = file_getattr(f, &st);
		if (err)
			return err;
		base = (int64_t)st.size;
	} else if (fl->l_whence != LX_SEEK_SET) {
		return -LX_EINVAL;
	}
	if (fl->l_start > OFFSET_MAX - base)
		return -LX_EOVERFLOW;
	base += fl->l_start;
	if (base < 0)
		return -LX_EINVAL;
	out->start = base;
	out->end = OFFSET_MAX;
	if (fl->l_len > 0) {
		if (fl->l_len - 1 > OFFSET_MAX - base)
			return -LX_EOVERFLOW;
		out->end = base + fl->l_len - 1;
	} else if (fl->l_len < 0) {
		if (base + fl->l_len < 0)
			return -LX_EINVAL;
		out->start = base + fl->l_len;
		out->end = base - 1;
	}
	if (fl->l_type != LX_F_RDLCK && fl->l_type != LX_F_WRLCK && fl->l_type != LX_F_UNLCK)
		return -LX_EINVAL;
	out->type = fl->l_type;
	return 0;
}

/* ---- waiting ---- */

static void waiter_free(void *p)
{
	struct lock_waiter *w = p;

	list_del_init(&w->by_owner);
	list_del_init(&w->link);
	waitq_fini(&w->q);
	if (w->ctx && w->woken)
		wake_waiters(w->ctx); /* it may not have taken what it was woken for */
	free(w);
}

/* The waiter of a call that runs again; NULL: it runs for the first time, or the descriptor
 * is another file now. */
static struct lock_waiter *waiter_of(struct task *t, const struct lock_ctx *c, const void *owner)
{
	struct lock_waiter *w = t->restart.ptr;

	if (!w)
		return NULL;
	if (c && w->ctx == c && w->want.owner == owner)
		return w;
	t->restart.ptr = NULL;
	t->restart.ptr_free = NULL;
	waiter_free(w);
	return NULL;
}

static long wait_for_lock(struct task *t, struct lock_ctx *c, const struct lock *want, bool flock)
{
	struct lock_waiter *w = t->restart.ptr;
	int err;

	if (!w) {
		w = calloc(1, sizeof(*w));
		if (!w)
			return -LX_ENOMEM;
		waitq_init(&w->q);
		w->ctx = c;
		w->want = *want;
		w->flock = flock;
		list_init(&w->by_owner);
		list_push_back(&c->waiters, &w->link);
		if (is_posix(w))
			list_push_back(bucket_of(want->owner), &w->by_owner);
		t->restart.ptr = w;
		t->restart.ptr_free = waiter_free;
	} else if (w->woken) {
		w->woken = false;
		wake_waiters(c); /* others may have been held back by it */
	}
	err = task_enrol(t, &w->q);
	if (err)
		return err;
	return task_park(t, LX_ERESTARTSYS);
}

static void report_conflict(const struct lock *l, struct lx_flock *fl)
{
	if (!l) {
		fl->l_type = LX_F_UNLCK;
		return;
	}
	fl->l_type = (int16_t)l->type;
	fl->l_whence = LX_SEEK_SET;
	fl->l_start = l->start;
	fl->l_len = l->end == OFFSET_MAX ? 0 : l->end - l->start + 1;
	fl->l_pid = l->pid;
}

long file_posix_lock(struct task *t, struct file *f, uint32_t cmd, struct lx_flock *fl)
{
	bool ofd = cmd == LX_F_OFD_GETLK || cmd == LX_F_OFD_SETLK || cmd == LX_F_OFD_SETLKW;
	bool get = cmd == LX_F_GETLK || cmd == LX_F_OFD_GETLK;
	struct lock want = { .owner = ofd ? (const void *)f : (const void *)t->fds,
			     .pid = ofd ? -1 : t->tg->tgid };
	struct lock_waiter *w;
	struct lock *conflict;
	struct lock_ctx *c;
	int err;

	w = waiter_of(t, ctx_of(file_inode(f), false), want.owner);
	/* The range is that of the beginning, wherever the file's end is by now. */
	if (w)
		want = w->want;
	err = w ? 0 : to_range(f, fl, &want);
	if (err)
		return err;
	if (get && want.type == LX_F_UNLCK)
		return -LX_EINVAL;
	if (!get && want.type == LX_F_RDLCK && !(f->mode & FMODE_READ))
		return -LX_EBADF;
	if (!get && want.type == LX_F_WRLCK && !(f->mode & FMODE_WRITE))
		return -LX_EBADF;
	if (ofd && fl->l_pid != 0)
		return -LX_EINVAL;
	c = ctx_of(file_inode(f), !get && want.type != LX_F_UNLCK);
	if (!c) {
		if (get)
			fl->l_type = LX_F_UNLCK;
		return get || want.type == LX_F_UNLCK ? 0 : -LX_ENOLCK;
	}
	conflict = want.type == LX_F_UNLCK ? NULL : find_conflict(c, &want, false);
	if (get) {
		report_conflict(conflict, fl);
		return 0;
	}
	if (!conflict)
		return apply(c, &want);
	if (cmd == LX_F_SETLK || cmd == LX_F_OFD_SETLK)
		return -LX_EAGAIN;
	if (!ofd && would_deadlock(want.owner, conflict->owner))
		return -LX_EDEADLK;
	return wait_for_lock(t, c, &want, false);
}

/* ---- flock ---- */

static struct lock *flock_find(struct lock_ctx *c, const struct file *f)
{
	struct lock *l;

	list_for_each(l, &c->flock, link)
		if (l->owner == f)
			return l;
	return NULL;
}

long file_flock(struct task *t, struct file *f, uint32_t op)
{
	struct lock want = { .owner = f, .end = OFFSET_MAX };
	bool unlock = (op & ~LX_LOCK_NB) == LX_LOCK_UN;
	struct lock_ctx *c = ctx_of(file_inode(f), !unlock);
	struct lock *own;

	want.type = (op & ~LX_LOCK_NB) == LX_LOCK_EX ? LX_F_WRLCK : LX_F_RDLCK;
	(void)waiter_of(t, c, f);
	if (!c)
		return unlock ? 0 : -LX_ENOLCK;
	own = flock_find(c, f);
	if (own && !unlock && own->type == want.type)
		return 0;
	/* A conversion is not atomic: the old lock goes first, as on Linux. */
	if (own) {
		lock_del(c, own);
		wake_waiters(c);
	}
	if (unlock)
		return 0;
	if (!find_conflict(c, &want, true)) {
		own = c->count < MAX_LOCKS_PER_INODE ? calloc(1, sizeof(*own)) : NULL;
		if (!own)
			return -LX_ENOLCK;
		*own = want;
		list_push_back(&c->flock, &own->link);
		c->count++;
		return 0;
	}
	if (op & LX_LOCK_NB)
		return -LX_EAGAIN;
	return wait_for_lock(t, c, &want, true);
}
