/* The event thread: one epoll set over timers, watched host fds and control fds.
 *
 * An entry of the set names a slot and its generation, so that an event which was
 * already fetched when its watch ended finds nothing. Slots are guarded by the
 * kernel lock. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "platform/base/bug.h"
#include "sentry/hostpoll_impl.h"
#include "sentry/kernel.h"
#include "sentry/time/timer.h"
#include "syscalls/abi/lx_errno.h"

#define ID_WAKE 0
#define ID_TIMERS 1
#define ID_SLOTS 2 /* slot n has the low half n + ID_SLOTS, its generation above */

struct slot {
	struct hostwatch *w;			 /* an object's watch, or */
	void (*fn)(void *ctx, uint32_t events);	 /* a control fd; both NULL: free */
	void *ctx;
	int fd;
	uint32_t gen;
};

struct hostpoll {
	int epfd, wakefd;
	struct slot *slots;
	unsigned nslots;
	pthread_t thread;
	bool running;
	_Atomic bool stop;
};

static int epoll_add(int epfd, int fd, uint32_t events, uint64_t id)
{
	struct epoll_event ev = { .events = events, .data.u64 = id };

	return epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &ev) < 0 ? -errno : 0;
}

int hostpoll_init(struct kernel *k)
{
	struct hostpoll *h = calloc(1, sizeof(*h));
	int err;

	if (!h)
		return -ENOMEM;
	h->epfd = epoll_create1(EPOLL_CLOEXEC);
	h->wakefd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	k->hostpoll = h;
	if (h->epfd < 0 || h->wakefd < 0)
		err = -errno;
	else
		err = epoll_add(h->epfd, h->wakefd, EPOLLIN, ID_WAKE);
	if (err)
		hostpoll_fini(k);
	return err;
}

void hostpoll_fini(struct kernel *k)
{
	struct hostpoll *h = k->hostpoll;

	if (!h)
		return;
	if (h->epfd >= 0)
		close(h->epfd);
	if (h->wakefd >= 0)
		close(h->wakefd);
	free(h->slots);
	free(h);
	k->hostpoll = NULL;
}

/* A free slot's index, or -1. */
static int slot_take(struct hostpoll *h)
{
	unsigned n = h->nslots;
	struct slot *more;

	for (unsigned i = 0; i < n; i++)
		if (!h->slots[i].w && !h->slots[i].fn)
			return (int)i;
	more = realloc(h->slots, (n ? n * 2 : 16) * sizeof(*more));
	if (!more)
		return -1;
	h->slots = more;
	h->nslots = n ? n * 2 : 16;
	memset(h->slots + n, 0, (h->nslots - n) * sizeof(*more));
	return (int)n;
}

static uint64_t slot_id(const struct hostpoll *h, int i)
{
	return (uint64_t)h->slots[i].gen << 32 | (uint64_t)((unsigned)i + ID_SLOTS);
}

static struct slot *slot_find(struct hostpoll *h, uint64_t id)
{
	uint32_t i = (uint32_t)id - ID_SLOTS;

	if (i >= h->nslots || h->slots[i].gen != id >> 32)
		return NULL;
	return h->slots[i].w || h->slots[i].fn ? &h->slots[i] : NULL;
}

static void slot_drop(struct hostpoll *h, struct slot *s)
{
	epoll_ctl(h->epfd, EPOLL_CTL_DEL, s->fd, NULL);
	s->w = NULL;
	s->fn = NULL;
	s->gen++;
}

int hostpoll_watch(struct kernel *k, struct hostwatch *w, int fd, struct waitq *q)
{
	struct hostpoll *h = k->hostpoll;
	int i = slot_take(h), err;

	w->fd = -1;
	if (i < 0)
		return -LX_ENOMEM;
	err = epoll_add(h->epfd, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET,
			slot_id(h, i));
	if (err == -EPERM)
		return 1;
	if (err)
		return err;
	h->slots[i].w = w;
	h->slots[i].fd = fd;
	w->fd = fd;
	w->q = q;
	w->id = slot_id(h, i);
	return 0;
}

void hostpoll_unwatch(struct kernel *k, struct hostwatch *w)
{
	struct slot *s;

	if (w->fd < 0)
		return;
	s = slot_find(k->hostpoll, w->id);
	if (s && s->w == w)
		slot_drop(k->hostpoll, s);
	w->fd = -1;
}

uint32_t hostpoll_now(int fd, uint32_t events)
{
	struct pollfd p = { .fd = fd, .events = (short)events };

	return poll(&p, 1, 0) > 0 ? (uint32_t)(unsigned short)p.revents : 0;
}

int kernel_watch_fd(struct kernel *k, int fd, void (*fn)(void *ctx, uint32_t events), void *ctx)
{
	struct hostpoll *h = k->hostpoll;
	int i, err = -ENOMEM;

	kernel_lock(k);
	i = slot_take(h);
	if (i >= 0)
		err = epoll_add(h->epfd, fd, EPOLLIN, slot_id(h, i));
	if (!err) {
		h->slots[i].fn = fn;
		h->slots[i].ctx = ctx;
		h->slots[i].fd = fd;
	}
	kernel_unlock(k);
	return err;
}

void kernel_unwatch_fd(struct kernel *k, int fd)
{
	struct hostpoll *h = k->hostpoll;

	kernel_lock(k);
	for (unsigned i = 0; i < h->nslots; i++)
		if (h->slots[i].fn && h->slots[i].fd == fd)
			slot_drop(h, &h->slots[i]);
	kernel_unlock(k);
}

/* ---- the thread ---- */

void hostpoll_kick(struct kernel *k)
{
	uint64_t one = 1;

	/* Fails only when the counter is full: then the thread is being woken anyway. */
	if (write(k->hostpoll->wakefd, &one, sizeof(one)) < 0)
		return;
}

static void serve(struct kernel *k, uint64_t id, uint32_t events)
{
	struct hostpoll *h = k->hostpoll;
	void (*fn)(void *, uint32_t) = NULL;
	void *ctx = NULL;
	struct slot *s;
	uint64_t n;

	/* Emptied before the lock is taken, so that a later kick is not lost. */
	if (id == ID_WAKE && read(h->wakefd, &n, sizeof(n)) < 0)
		return;
	if (id == ID_TIMERS) {
		timers_run(k);
		return;
	}
	kernel_lock(k);
	if (id != ID_WAKE) {
		s = slot_find(h, id);
		if (s && s->w) {
			waitq_wake(s->w->q, events);
		} else if (s) {
			fn = s->fn;
			ctx = s->ctx;
		}
	}
	kernel_unlock(k);
	if (fn)
		fn(ctx, events);
}

static void *event_thread(void *arg)
{
	struct kernel *k = arg;
	struct hostpoll *h = k->hostpoll;
	struct epoll_event ev[32];

	while (!atomic_load(&h->stop)) {
		int n = epoll_wait(h->epfd, ev, 32, -1);

		BUG_ON(n < 0 && errno != EINTR);
		for (int i = 0; i < n; i++)
			serve(k, ev[i].data.u64, ev[i].events);
	}
	return NULL;
}

int hostpoll_start(struct kernel *k)
{
	struct hostpoll *h = k->hostpoll;
	sigset_t all, old;
	int err = epoll_add(h->epfd, timers_fd(k), EPOLLIN, ID_TIMERS);

	if (err)
		return err;
	/* Signals to this process are for its main thread. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(&h->thread, NULL, event_thread, k);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	h->running = err == 0;
	return -err;
}

void hostpoll_stop(struct kernel *k)
{
	struct hostpoll *h = k->hostpoll;

	if (!h || !h->running)
		return;
	atomic_store(&h->stop, true);
	hostpoll_kick(k);
	pthread_join(h->thread, NULL);
	h->running = false;
}
