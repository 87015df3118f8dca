/* Linux AIO contexts: see aio.h. The ring is a shared memory object, mapped into the guest,
 * that the sentry reads and writes as a file. Nothing in it is trusted: the head, which the
 * guest may move, only says which of the guest's own events it has seen. */
#include "sentry/fs/anon/aio.h"

#include <stdlib.h>
#include <string.h>

#include "sentry/fs/anon/epoll.h"
#include "sentry/fs/anon/eventfd.h"
#include "sentry/mm/mm.h"
#include "sentry/task/task.h"
#include "syscalls/abi/lx_errno.h"
#include "syscalls/abi/lx_mman.h"
#include "syscalls/abi/lx_poll.h"

#define POLL_QUEUES 4	/* wait queues that one file may have */
#define MIN_CHARGE 64	/* a context is a host descriptor, however small it is */

struct aio_ctx {
	struct list link;	/* in aio_mm.contexts */
	uint64_t id;		/* address of the ring */
	uint64_t size;		/* of the ring, bytes */
	struct file *ring;	/* one reference */
	uint32_t nr;		/* events the ring has room for, but for one */
	uint32_t charge;	/* what it counts against aio-max-nr */
	uint32_t tail;		/* next event to write */
	uint32_t under_way;	/* polls */
	struct waitq q;
	struct list polls;	/* struct aio_request, under way or done */
};

/* mm->aio */
struct aio_mm {
	struct list contexts;
};

struct aio_request {
	struct list link;
	struct aio_ctx *c;
	struct file *f, *eventfd; /* one reference each, the second may be NULL */
	struct lx_iocb cb;
	uint64_t obj;
	uint32_t events;
	bool done;
	unsigned nwaiters;
	struct waiter waiters[POLL_QUEUES];
};

static uint64_t in_use; /* of LX_AIO_MAX_NR, by all contexts */

uint64_t aio_nr(void)
{
	return in_use;
}

/* ---- the ring ---- */

static bool ring_io(struct aio_ctx *c, uint64_t at, void *data, size_t len, bool write)
{
	int64_t pos = (int64_t)at, n;
	struct uio u;

	uio_init_kernel(&u, data, len);
	n = write ? c->ring->ops->write(c->ring, &u, &pos, 0)
		  : c->ring->ops->read(c->ring, &u, &pos, 0);
	return n == (int64_t)len;
}

static uint64_t event_at(uint32_t index)
{
	return sizeof(struct lx_aio_ring) + (uint64_t)index * sizeof(struct lx_io_event);
}

static uint32_t ring_head(struct aio_ctx *c)
{
	uint32_t head = 0;

	(void)ring_io(c, offsetof(struct lx_aio_ring, head), &head, sizeof(head), false);
	return head % c->nr;
}

static uint32_t unread(struct aio_ctx *c)
{
	return (c->tail + c->nr - ring_head(c)) % c->nr;
}

uint32_t aio_capacity(const struct aio_ctx *c)
{
	return c->nr;
}

bool aio_may_submit(struct aio_ctx *c)
{
	return c->under_way + unread(c) < c->nr - 1;
}

void aio_complete(struct aio_ctx *c, struct file *eventfd, const struct lx_iocb *cb,
		  uint64_t obj, int64_t res)
{
	struct lx_io_event ev = { .data = cb->data, .obj = obj, .res = res };

	(void)ring_io(c, event_at(c->tail), &ev, sizeof(ev), true);
	c->tail = (c->tail + 1) % c->nr;
	(void)ring_io(c, offsetof(struct lx_aio_ring, tail), &c->tail, sizeof(c->tail), true);
	if (eventfd)
		eventfd_signal(eventfd);
	waitq_wake(&c->q, LX_POLLIN);
}

long aio_take(struct task *t, struct aio_ctx *c, struct uaddr to, long max)
{
	uint32_t head = ring_head(c), left = unread(c);
	struct lx_io_event ev;
	long n = 0;

	while (n < max && left--) {
		if (!ring_io(c, event_at(head), &ev, sizeof(ev), false) ||
		    copy_out(t, uaddr_add(to, (uint64_t)n * sizeof(ev)), &ev, sizeof(ev))) {
			n = n ? n : -LX_EFAULT;
			break;
		}
		head = (head + 1) % c->nr;
		n++;
	}
	if (n > 0)
		(void)ring_io(c, offsetof(struct lx_aio_ring, head), &head, sizeof(head), true);
	return n;
}

struct waitq *aio_waitq(struct aio_ctx *c)
{
	return &c->q;
}

/* ---- polls ---- */

static void request_free(struct aio_request *r)
{
	list_del_init(&r->link);
	for (unsigned i = 0; i < r->nwaiters; i++)
		waiter_leave(&r->waiters[i]);
	file_put(r->f);
	if (r->eventfd)
		file_put(r->eventfd);
	free(r);
}

/* What has completed still holds its file: a wake-up is no place to let go of it. */
static void reap(struct aio_ctx *c, bool all)
{
	struct aio_request *r, *next;

	list_for_each_safe(r, next, &c->polls, link) {
		if (!r->done && !all)
			continue;
		c->under_way -= !r->done;
		request_free(r);
	}
}

static void request_done(struct aio_request *r, int64_t res)
{
	r->done = true;
	r->c->under_way--;
	aio_complete(r->c, r->eventfd, &r->cb, r->obj, res);
}

static void poll_fired(struct waiter *w, uint32_t events)
{
	struct aio_request *r = w->ctx;
	uint32_t got;

	if (r->done)
		return;
	/* Linux reports all that the wake-up said, not only what was asked for. */
	got = events ? events : file_poll(r->f, NULL);
	if (got & r->events)
		request_done(r, got);
}

struct enroller {
	struct poll_ctx pc;
	struct aio_request *r;
	bool full;
};

static void enrol(struct poll_ctx *pc, struct waitq *q)
{
	struct enroller *e = container_of(pc, struct enroller, pc);
	struct aio_request *r = e->r;

	if (r->nwaiters == POLL_QUEUES) {
		e->full = true;
		return;
	}
	waiter_enrol(q, &r->waiters[r->nwaiters++], poll_fired, r);
}

int aio_poll(struct aio_ctx *c, struct file *f, struct file *eventfd, const struct lx_iocb *cb,
	     uint64_t obj, uint32_t events)
{
	struct aio_request *r = calloc(1, sizeof(*r));
	struct enroller e = { .pc = { .enrol = enrol, .events = events }, .r = r };
	uint32_t now;

	if (!r)
		return -LX_ENOMEM;
	*r = (struct aio_request){ .c = c, .f = f, .eventfd = eventfd, .cb = *cb, .obj = obj,
				   .events = events };
	file_get(f);
	if (eventfd)
		file_get(eventfd);
	list_push_back(&c->polls, &r->link);
	c->under_way++;
	now = file_poll(f, &e.pc) & events;
	if (now)
		request_done(r, now);
	else if (e.full) {
		c->under_way--;
		request_free(r);
		return -LX_ENOMEM;
	}
	if (r->done)
		request_free(r);
	return 0;
}

int aio_cancel(struct aio_ctx *c, uint64_t obj)
{
	struct aio_request *r;

	list_for_each(r, &c->polls, link) {
		if (r->done || r->obj != obj)
			continue;
		request_done(r, file_poll(r->f, NULL) & r->events);
		reap(c, false);
		return -LX_EINPROGRESS;
	}
	return -LX_EINVAL;
}

/* ---- contexts ---- */

static void ctx_free(struct aio_ctx *c)
{
	reap(c, true);
	waitq_fini(&c->q);
	list_del_init(&c->link);
	in_use -= c->charge;
	file_put(c->ring);
	free(c);
}

static struct aio_mm *contexts_of(struct mm *mm)
{
	struct aio_mm *am = mm->aio;

	if (!am) {
		am = malloc(sizeof(*am));
		if (am)
			list_init(&am->contexts);
		mm->aio = am;
	}
	return am;
}

static int ring_map(struct task *t, struct aio_ctx *c)
{
	struct lx_aio_ring head = { .nr = c->nr, .magic = LX_AIO_RING_MAGIC,
				    .compat_features = 1, .header_length = sizeof(head) };
	struct mm_map_req r = {
		.len = c->size, .prot = LX_PROT_READ | LX_PROT_WRITE, .flags = LX_MAP_SHARED,
		.batch = &t->batch,
	};
	int64_t at;

	if (!ring_io(c, 0, &head, sizeof(head), true))
		return -LX_ENOMEM;
	r.file = c->ring;
	at = mm_map(t->mm, t, &r);
	if (at < 0)
		return (int)at;
	c->id = (uint64_t)at;
	return 0;
}

int aio_setup(struct task *t, uint32_t max, uint64_t *id)
{
	struct aio_mm *am;
	struct aio_ctx *c;
	uint64_t events = (uint64_t)max * 2 + 2;
	uint32_t charge;
	int err;

	if (!max)
		return -LX_EINVAL;
	charge = max < MIN_CHARGE ? MIN_CHARGE : max;
	if (charge > LX_AIO_MAX_NR - in_use)
		return -LX_EAGAIN;
	am = contexts_of(t->mm);
	c = am ? calloc(1, sizeof(*c)) : NULL;
	if (!c)
		return -LX_ENOMEM;
	c->size = (sizeof(struct lx_aio_ring) + events * sizeof(struct lx_io_event) +
		   LX_PAGE_SIZE - 1) & ~(LX_PAGE_SIZE - 1);
	c->nr = (uint32_t)((c->size - sizeof(struct lx_aio_ring)) / sizeof(struct lx_io_event));
	c->charge = charge;
	waitq_init(&c->q);
	list_init(&c->polls);
	err = shmem_file_new(t->k, t->cred, "[aio]", c->size, 0600, &c->ring);
	if (!err) {
		err = ring_map(t, c);
		if (err)
			file_put(c->ring);
	}
	if (err) {
		free(c);
		return err;
	}
	in_use += charge;
	list_push_back(&am->contexts, &c->link);
	*id = c->id;
	return 0;
}

struct aio_ctx *aio_find(struct task *t, uint64_t id)
{
	struct aio_mm *am = t->mm->aio;
	struct aio_ctx *c;

	if (!am)
		return NULL;
	list_for_each(c, &am->contexts, link)
		if (c->id == id) {
			reap(c, false);
			return c;
		}
	return NULL;
}

void aio_destroy(struct task *t, struct aio_ctx *c)
{
	uint64_t at = c->id, size = c->size;

	ctx_free(c);
	(void)mm_unmap(t->mm, t, at, size, &t->batch);
}

void aio_mm_release(struct mm *mm)
{
	struct aio_mm *am = mm->aio;

	if (!am)
		return;
	while (!list_empty(&am->contexts))
		ctx_free(list_first(&am->contexts, struct aio_ctx, link));
	mm->aio = NULL;
	free(am);
}
