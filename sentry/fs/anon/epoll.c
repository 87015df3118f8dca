/* epoll(7).
 *
 * An entry enrols a waiter on every queue its file polls on. A callback puts the entry on
 * the ready list and wakes the epoll file's own queue; epoll_wait(2) asks only entries of
 * the ready list. Entries do not keep their file: the last close of a file drops them
 * through file->epoll_links.
 *
 * A hostile guest may nest epoll files: cycles and chains of more than five are refused,
 * so callbacks and polls recurse at most that deep. */
#include "sentry/fs/anon/epoll.h"

#include <stdlib.h>

/* Allocation failure of the hash table leaves the entry out; checked after adding. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "syscalls/abi/lx_errno.h"
#include "syscalls/abi/lx_fcntl.h"

#define EP_PRIVATE_BITS (LX_EPOLLWAKEUP | LX_EPOLLONESHOT | LX_EPOLLET | LX_EPOLLEXCLUSIVE)
#define EP_EXCLUSIVE_OK                                                                    \
	(LX_POLLIN | LX_POLLOUT | LX_POLLERR | LX_POLLHUP | LX_EPOLLWAKEUP | LX_EPOLLET |  \
	 LX_EPOLLEXCLUSIVE)
#define EP_MAX_NESTS 4
#define EP_MAX_WATCHES (1U << 20) /* in the whole sandbox: fs.epoll.max_user_watches */

struct ep_key {
	struct file *file;	/* borrowed */
	uint64_t fd;		/* 64 bits: no padding in the key */
};

struct ep_waiter {		/* one enrolment of an entry */
	struct waiter w;
	struct ep_waiter *next;
};

struct epitem {
	struct ep_key key;
	UT_hash_handle hh;	/* in eventpoll.items */
	struct eventpoll *ep;
	struct list file_link;	/* in file->epoll_links */
	struct list ready_link;	/* in eventpoll.ready or .taken; self-linked: neither */
	struct ep_waiter first[2]; /* most files have one or two queues; more are linked */
	unsigned nwaiters;
	uint32_t events;
	uint64_t data;
};

struct eventpoll {
	struct file *file;	/* borrowed: its own */
	struct epitem *items;
	struct list ready;	/* struct epitem */
	struct list taken;
	struct waitq q;
	unsigned long mark;	/* nesting check: generation and result */
	int depth;
};

/* None are known here, and the answer is not the usual one. */
static int64_t epoll_ioctl(struct task *t, struct file *f, uint32_t cmd, uint64_t arg)
{
	(void)t;
	(void)f;
	(void)cmd;
	(void)arg;
	return -LX_EINVAL;
}

static const struct file_ops epoll_file_ops;

bool file_is_epoll(const struct file *f)
{
	return f->ops == &epoll_file_ops;
}

/* ---- ready list ---- */

static void ep_make_ready(struct epitem *it)
{
	if (list_empty(&it->ready_link))
		list_push_back(&it->ep->ready, &it->ready_link);
	waitq_wake(&it->ep->q, LX_POLLIN | LX_POLLRDNORM);
}

static void ep_callback(struct waiter *w, uint32_t events)
{
	struct epitem *it = w->ctx;

	if ((it->events & ~EP_PRIVATE_BITS) == 0) /* a one-shot that has fired */
		return;
	if (events != 0 && (events & it->events) == 0)
		return;
	ep_make_ready(it);
}

/* What the entry's file is ready for among what is asked. */
static uint32_t ep_item_poll(struct epitem *it)
{
	return file_poll(it->key.file, NULL) & it->events;
}

/* ---- enrolling ---- */

struct ep_poll_ctx {
	struct poll_ctx pc;
	struct epitem *it;
	int err;
};

static void ep_enrol(struct poll_ctx *pc, struct waitq *q)
{
	struct ep_poll_ctx *c = container_of(pc, struct ep_poll_ctx, pc);
	struct epitem *it = c->it;
	struct ep_waiter *w = &it->first[it->nwaiters & 1];

	if (it->nwaiters >= 2) {
		w = calloc(1, sizeof(*w));
		if (w == NULL) {
			c->err = -LX_ENOMEM;
			return;
		}
		w->next = it->first[0].next;
		it->first[0].next = w;
	}
	it->nwaiters++;
	waiter_enrol(q, &w->w, ep_callback, it);
}

static void ep_leave(struct epitem *it)
{
	struct ep_waiter *w, *next;

	waiter_leave(&it->first[0].w);
	waiter_leave(&it->first[1].w);
	for (w = it->first[0].next; w != NULL; w = next) {
		next = w->next;
		waiter_leave(&w->w);
		free(w);
	}
}

static void ep_remove(struct epitem *it)
{
	struct eventpoll *ep = it->ep;

	ep_leave(it);
	list_del_init(&it->file_link);
	list_del_init(&it->ready_link);
	HASH_DEL(ep->items, it);
	ep->file->k->epoll_watches--;
	free(it);
}

static struct epitem *ep_find(struct eventpoll *ep, struct file *f, int fd)
{
	struct ep_key key = { .file = f, .fd = (uint32_t)fd };
	struct epitem *it;

	HASH_FIND(hh, ep->items, &key, sizeof(key), it);
	return it;
}

/* ---- nesting ---- */

/* Levels of epoll files below ep (0: none), or -1 when `target` is among them or it gets
 * too deep. Each file is looked at once per generation. */
static int ep_depth_below(struct eventpoll *ep, const struct eventpoll *target,
			  unsigned long mark, int level)
{
	struct epitem *it, *tmp;
	int depth = 0;

	if (ep == target || level > EP_MAX_NESTS)
		return -1;
	if (ep->mark == mark)
		return ep->depth;
	HASH_ITER(hh, ep->items, it, tmp) {
		int d;

		if (!file_is_epoll(it->key.file))
			continue;
		d = ep_depth_below(it->key.file->priv, target, mark, level + 1);
		if (d < 0)
			return -1;
		if (d + 1 > depth)
			depth = d + 1;
	}
	ep->mark = mark;
	ep->depth = depth;
	return depth;
}

/* Levels of epoll files that watch ep. The lists upwards are as deep as those downwards,
 * hence bounded. */
static int ep_depth_above(struct eventpoll *ep, unsigned long mark)
{
	struct epitem *it;
	int depth = 0;

	if (ep->mark == mark)
		return ep->depth;
	list_for_each(it, &ep->file->epoll_links, file_link) {
		int d = ep_depth_above(it->ep, mark) + 1;

		if (d > depth)
			depth = d;
	}
	ep->mark = mark;
	ep->depth = depth;
	return depth;
}

static int ep_check_nesting(struct eventpoll *ep, struct file *f)
{
	static unsigned long generation; /* under the kernel lock */
	int below, above;

	if (!file_is_epoll(f))
		return 0;
	below = ep_depth_below(f->priv, ep, ++generation, 0);
	if (below < 0)
		return -LX_ELOOP;
	above = ep_depth_above(ep, ++generation);
	return below + 1 + above > EP_MAX_NESTS ? -LX_ELOOP : 0;
}

/* ---- epoll_ctl ---- */

static int ep_add(struct eventpoll *ep, struct file *f, int fd, uint32_t events, uint64_t data)
{
	struct kernel *k = ep->file->k;
	struct ep_poll_ctx c = { .pc = { .enrol = ep_enrol } };
	struct epitem *it, *check;
	uint32_t ready;
	int err = ep_check_nesting(ep, f);

	if (err)
		return err;
	if (k->epoll_watches >= EP_MAX_WATCHES)
		return -LX_ENOSPC;
	it = calloc(1, sizeof(*it));
	if (it == NULL)
		return -LX_ENOMEM;
	it->key = (struct ep_key){ .file = f, .fd = (uint32_t)fd };
	it->ep = ep;
	it->events = events;
	it->data = data;
	list_init(&it->ready_link);
	HASH_ADD(hh, ep->items, key, sizeof(it->key), it);
	check = ep_find(ep, f, fd);
	if (check != it) {
		free(it);
		return -LX_ENOMEM;
	}
	k->epoll_watches++;
	list_push_back(&f->epoll_links, &it->file_link);
	c.it = it;
	ready = file_poll(f, &c.pc) & events;
	if (c.err) {
		ep_remove(it);
		return c.err;
	}
	if (ready != 0)
		ep_make_ready(it);
	return 0;
}

int epoll_control(struct file *ef, int op, int fd, struct file *f, const struct lx_epoll_event *ev)
{
	struct eventpoll *ep = ef->priv;
	struct epitem *it;
	uint32_t events = 0;

	if (f->ops->poll == NULL)
		return -LX_EPERM;
	if (f == ef || !file_is_epoll(ef))
		return -LX_EINVAL;
	if (op != LX_EPOLL_CTL_DEL) {
		events = ev->events & ~LX_EPOLLWAKEUP;
		if ((events & LX_EPOLLEXCLUSIVE) != 0 &&
		    (op == LX_EPOLL_CTL_MOD || file_is_epoll(f) ||
		     (events & ~EP_EXCLUSIVE_OK) != 0))
			return -LX_EINVAL;
		events |= LX_POLLERR | LX_POLLHUP;
	}
	it = ep_find(ep, f, fd);
	switch (op) {
	case LX_EPOLL_CTL_ADD:
		return it != NULL ? -LX_EEXIST : ep_add(ep, f, fd, events, ev->data);
	case LX_EPOLL_CTL_DEL:
		if (it == NULL)
			return -LX_ENOENT;
		ep_remove(it);
		return 0;
	case LX_EPOLL_CTL_MOD:
		if (it == NULL)
			return -LX_ENOENT;
		if (it->events & LX_EPOLLEXCLUSIVE)
			return -LX_EINVAL;
		it->events = events;
		it->data = ev->data;
		if (ep_item_poll(it) != 0)
			ep_make_ready(it);
		return 0;
	default:
		return -LX_EINVAL;
	}
}

/* ---- epoll_wait ---- */

int epoll_harvest(struct file *ef, struct lx_epoll_event *ev, int max)
{
	struct eventpoll *ep = ef->priv;
	struct epitem *it, *tmp;
	int n = 0;

	list_for_each_safe(it, tmp, &ep->ready, ready_link) {
		uint32_t ready;

		if (n == max)
			break;
		ready = ep_item_poll(it);
		list_del_init(&it->ready_link);
		if (ready == 0)
			continue;
		list_push_back(&ep->taken, &it->ready_link);
		ev[n++] = (struct lx_epoll_event){ .events = ready, .data = it->data };
	}
	return n;
}

void epoll_commit(struct file *ef, bool ok)
{
	struct eventpoll *ep = ef->priv;
	struct epitem *it, *tmp;

	if (!ok) { /* to the front, in the old order */
		list_splice_back(&ep->taken, &ep->ready);
		list_splice_back(&ep->ready, &ep->taken);
		return;
	}
	list_for_each_safe(it, tmp, &ep->taken, ready_link) {
		list_del_init(&it->ready_link);
		if (it->events & LX_EPOLLONESHOT)
			it->events &= EP_PRIVATE_BITS;
		else if (!(it->events & LX_EPOLLET))
			list_push_back(&ep->ready, &it->ready_link);
	}
}

bool epoll_maybe_ready(const struct file *ef)
{
	const struct eventpoll *ep = ef->priv;

	return !list_empty(&ep->ready);
}

struct waitq *epoll_waitq(struct file *ef)
{
	struct eventpoll *ep = ef->priv;

	return &ep->q;
}

/* ---- the file ---- */

/* Readable when an entry really is ready; entries that are not leave the ready list. */
static uint32_t epoll_poll(struct file *f, struct poll_ctx *pc)
{
	struct eventpoll *ep = f->priv;
	struct epitem *it, *tmp;

	poll_wait(pc, &ep->q);
	list_for_each_safe(it, tmp, &ep->ready, ready_link) {
		if (ep_item_poll(it) != 0)
			return LX_POLLIN | LX_POLLRDNORM;
		list_del_init(&it->ready_link);
	}
	return 0;
}

static void epoll_release(struct file *f)
{
	struct eventpoll *ep = f->priv;
	struct epitem *it, *tmp;

	HASH_ITER(hh, ep->items, it, tmp)
		ep_remove(it);
	waitq_fini(&ep->q);
	free(ep);
}

void epoll_file_released(struct file *f)
{
	while (!list_empty(&f->epoll_links))
		ep_remove(list_first(&f->epoll_links, struct epitem, file_link));
}

static int epoll_fdinfo(struct file *f, char *buf, size_t size)
{
	struct eventpoll *ep = f->priv;
	struct epitem *it, *tmp;
	size_t at = 0;

	HASH_ITER(hh, ep->items, it, tmp) {
		const struct inode *i = file_inode(it->key.file);
		int n = snprintf(buf + at, size - at,
				 "tfd: %8llu events: %8x data: %16llx  pos:%lli ino:%llx sdev:%x\n",
				 (unsigned long long)it->key.fd, it->events, (unsigned long long)it->data,
				 (long long)it->key.file->pos, (unsigned long long)i->ino, i->sb->dev);

		if (n < 0 || (size_t)n >= size - at)
			break;
		at += (size_t)n;
	}
	buf[at] = '\0';
	return (int)at;
}

static const struct file_ops epoll_file_ops = {
	.name = "eventpoll",
	.fdinfo = epoll_fdinfo,
	.poll = epoll_poll,
	.seek = file_seek_nowhere,
	.ioctl = epoll_ioctl,
	.release = epoll_release,
};

int epoll_open(struct kernel *k, struct file **out)
{
	struct eventpoll *ep = calloc(1, sizeof(*ep));

	if (ep == NULL)
		return -LX_ENOMEM;
	list_init(&ep->ready);
	list_init(&ep->taken);
	waitq_init(&ep->q);
	*out = file_new_anon(k, &epoll_file_ops, "eventpoll", 0,
			     FMODE_READ | FMODE_WRITE | FMODE_STREAM, LX_O_RDWR, ep);
	if (*out == NULL) {
		free(ep);
		return -LX_ENOMEM;
	}
	ep->file = *out;
	return 0;
}
