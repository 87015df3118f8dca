/* Address spaces, threads and listeners: their tables, their lives, their ends. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "platform/base/bug.h"
#include "platform/base/log.h"
#include "platform/unotify/host_ops.h"

#define ZYGOTE_LOST 70 /* the sentry's exit status */

/* The first thread, which may have gone for the guest, and another. */
#define FEW_THREADS 2

/* ---- tables ---- */

static struct plat_thread **bucket(struct unotify *u, pid_t tid)
{
	return &u->tids[(unsigned)tid % TID_BUCKETS];
}

struct plat_thread *tid_lookup_locked(struct unotify *u, pid_t tid)
{
	struct plat_thread *th = *bucket(u, tid);

	while (th && th->tid != tid)
		th = th->hash_next;
	return th;
}

void tid_insert_locked(struct unotify *u, struct plat_thread *th)
{
	struct plat_thread **b = bucket(u, th->tid);

	th->hash_next = *b;
	*b = th;
}

static void tid_remove_locked(struct unotify *u, struct plat_thread *th)
{
	struct plat_thread **p = bucket(u, th->tid);

	while (*p && *p != th)
		p = &(*p)->hash_next;
	if (*p)
		*p = th->hash_next;
}

static uint64_t place_addr(const struct unotify *u, unsigned place)
{
	return u->region + STUB_SLOTS_OFF + place * STUB_CHUNK_SIZE;
}

static int place_take_locked(struct plat_as *as)
{
	for (unsigned i = 0; i < STUB_CHUNKS / 8; i++) {
		if (as->places[i] == 0xff)
			continue;
		for (unsigned b = 0; b < 8; b++) {
			if (as->places[i] & (1u << b))
				continue;
			as->places[i] |= (uint8_t)(1u << b);
			return (int)(i * 8 + b);
		}
	}
	return -1;
}

void place_release_locked(struct plat_as *as, unsigned place)
{
	as->places[place / 8] &= (uint8_t)~(1u << (place % 8));
}

/* ---- lives ---- */

void listener_put(struct listener *l)
{
	if (!refs_put(&l->refs))
		return;
	close(l->fd);
	fast_free(l);
	free(l->waiting);
	free(l);
}

void as_put_obj(struct plat_as *as)
{
	struct unotify *u = as->u;

	if (!refs_put(&as->refs))
		return;
	mutex_lock(&u->mu);
	list_del_init(&as->link);
	mutex_unlock(&u->mu);
	while (!list_empty(&as->chunks)) {
		struct chunk *c = list_first(&as->chunks, struct chunk, link);

		list_del_init(&c->link);
		chunk_free(u, c);
	}
	if (as->l)
		listener_put(as->l);
	free(as);
}

static struct plat_as *as_alloc(struct unotify *u)
{
	struct plat_as *as = calloc(1, sizeof(*as));

	if (!as)
		return NULL;
	as->o.b = &unotify_backend;
	refs_init(&as->refs, "plat_as");
	atomic_store(&as->krefs, 1);
	as->u = u;
	list_init(&as->link);
	list_init(&as->dying);
	list_init(&as->threads);
	list_init(&as->chunks);
	return as;
}

void thread_get(struct plat_thread *th)
{
	refs_get(&th->refs);
}

void thread_put(struct plat_thread *th)
{
	struct plat_as *as = th->as;

	if (!refs_put(&th->refs))
		return;
	mutex_lock(&as->u->mu);
	if (th->chunk)
		th->chunk->used &= ~(1u << th->slot_index);
	mutex_unlock(&as->u->mu);
	free(th);
	as_put_obj(as);
}

/* Out of the tables. True when the backend's reference was held for that: the
 * caller drops it with thread_put() after unlocking. */
bool thread_unlink_locked(struct plat_thread *th)
{
	struct plat_thread *left;

	if (!th->linked)
		return false;
	th->linked = false;
	list_del_init(&th->link);
	if (th->patching)
		th->as->poking = false;
	if (--th->as->nthreads <= FEW_THREADS)
		list_for_each (left, &th->as->threads, link)
			left->slot->crowd = 0;
	list_del_init(&th->pending);
	if (th->tid)
		tid_remove_locked(th->as->u, th);
	return true;
}

/* A thread in TH_NEW, in the tables: two references, the kernel's and ours. token: of the
 * stub that is at home in the slot already and may be reading there at this moment; 0: nobody
 * is. */
static struct plat_thread *thread_alloc_locked(struct plat_as *as, void *cookie, struct chunk *c,
					       int slot, uint64_t token)
{
	struct plat_thread *th = calloc(1, sizeof(*th));

	if (!th)
		return NULL;
	th->o.b = &unotify_backend;
	refs_init(&th->refs, "plat_thread");
	refs_get(&th->refs);
	th->linked = true;
	refs_get(&as->refs);
	th->as = as;
	th->cookie = cookie;
	th->chunk = c;
	th->slot_index = (unsigned)slot;
	th->slot = (struct stub_slot *)(void *)(c->host + (unsigned)slot * STUB_SLOT_SIZE);
	th->slot_guest = c->guest + (unsigned)slot * STUB_SLOT_SIZE;
	th->token = token ? token : random_token();
	th->close_listener = -1;
	th->lent_place = -1;
	atomic_store(&th->state, TH_NEW);
	if (!token) {
		memset(th->slot, 0, sizeof(*th->slot));
		th->slot->token = th->token;
	}
	th->slot->alive = 1;
	list_push_back(&as->threads, &th->link);
	th->slot->crowd = ++as->nthreads > FEW_THREADS;
	list_push_back(&as->u->newborn, &th->pending);
	return th;
}

/* ---- a fresh address space ---- */

/* Ask the zygote for a stub, to be collected later. Under spawn_mu. */
static int spare_ask(struct unotify *u)
{
	struct chunk *c = chunk_new(u);
	int err;

	if (!c)
		return -ENOMEM;
	c->guest = place_addr(u, 0);
	c->dirty = 1; /* the stub writes there, whatever becomes of it */
	u->spare.token = random_token();
	err = zygote_spawn(u, c, u->spare.token, &u->spare.pipe);
	if (err) {
		chunk_free(u, c);
		return err;
	}
	u->spare.chunk = c;
	u->spare.asked = true;
	return 0;
}

/* Ask for the next spare stub, when nobody waits for the caller. */
void spare_refill(struct unotify *u)
{
	pthread_mutex_lock(&u->spawn_mu);
	if (!u->spare.asked && !u->stopping && spare_ask(u) < 0)
		log_warn("no spare stub");
	pthread_mutex_unlock(&u->spawn_mu);
}

/* Take the spare stub, or a fresh one. */
static int spare_take(struct unotify *u, struct chunk **out_c, uint64_t *out_token, pid_t *out_pid,
		      int *out_fd)
{
	int err = 0;

	pthread_mutex_lock(&u->spawn_mu);
	/* A spare that waited may have been killed meanwhile: then a fresh one. */
	for (int tries = u->spare.asked ? 2 : 1; tries > 0; tries--) {
		if (!u->spare.asked)
			err = spare_ask(u);
		if (err)
			break;
		*out_c = u->spare.chunk;
		*out_token = u->spare.token;
		u->spare.asked = false;
		err = zygote_collect(u, u->spare.pipe, *out_c, out_pid, out_fd);
		if (!err)
			break;
		chunk_free(u, *out_c);
		if (tries > 1)
			err = 0;
	}
	pthread_mutex_unlock(&u->spawn_mu);
	return err;
}

int unotify_as_new(struct plat *p, void *cookie, struct plat_as **out_as,
		   struct plat_thread **out_thread)
{
	struct unotify *u = (struct unotify *)(void *)p;
	struct plat_as *as = as_alloc(u);
	struct listener *l = calloc(1, sizeof(*l));
	struct plat_thread *th = NULL;
	struct chunk *c;
	uint64_t token;
	pid_t pid;
	int fd, stub_listener, err = -ENOMEM;

	if (!as || !l)
		goto fail;
	err = spare_take(u, &c, &token, &pid, &fd);
	if (err)
		goto fail;
	refs_init(&l->refs, "plat_listener");
	l->u = u;
	l->fd = fd;
	list_init(&l->queue_link);
	as->l = l;
	c->mapped = true;
	list_push_back(&as->chunks, &c->link);
	as->places[0] = 1;
	stub_listener = ((const struct stub_slot *)(void *)c->host)->listener - 1;
	mutex_lock(&u->mu);
	as->pid = pid;
	list_push_back(&u->spaces, &as->link);
	c->used = 1;
	th = thread_alloc_locked(as, cookie, c, 0, token);
	if (th) {
		th->close_listener = stub_listener;
		refs_get(&as->refs); /* the host process's, dropped by the reaper */
	} else {
		kill(pid, SIGKILL);
	}
	mutex_unlock(&u->mu);
	if (!th) {
		err = -ENOMEM;
		goto fail;
	}
	err = workers_adopt(u, l, th);
	if (err) {
		log_warn("stub %d for a new program cannot be served", (int)pid);
		unotify_release(th);
		unotify_as_put(as);
		return err;
	}
	*out_as = as;
	*out_thread = th;
	return 0;
fail:
	log_warn("no stub for a new program: %s", strerror(-err));
	if (as && !as->l)
		free(l);
	if (as)
		as_put_obj(as);
	else
		free(l);
	return err;
}

void unotify_as_get(struct plat_as *as)
{
	atomic_fetch_add(&as->krefs, 1);
}

void unotify_as_put(struct plat_as *as)
{
	if (atomic_fetch_sub(&as->krefs, 1) != 1)
		return;
	unotify_as_kill(as);
	as_put_obj(as);
}

void as_kill_locked(struct plat_as *as)
{
	if (as->killed)
		return;
	as->killed = true;
	if (!as->pid || as->reaped)
		return;
	kill(as->pid, SIGKILL);
	list_push_back(&as->u->dying, &as->dying);
}

void unotify_as_kill(struct plat_as *as)
{
	struct unotify *u = as->u;

	mutex_lock(&u->mu);
	as_kill_locked(as);
	mutex_unlock(&u->mu);
}

int unotify_as_host_pid(const struct plat_as *as)
{
	return as->pid;
}

/* ---- clone ---- */

/* A slot in this address space for one more thread. Under u->mu; may drop it to make
 * a chunk. */
static struct chunk *slot_for_thread(struct plat_as *as, int *out_slot, bool *out_map)
{
	struct unotify *u = as->u;
	struct chunk *c;
	int place;

	list_for_each (c, &as->chunks, link) {
		if (!c->mapped && c->used)
			continue;
		*out_slot = chunk_take_slot(c);
		if (*out_slot >= 0) {
			*out_map = !c->mapped;
			list_del_init(&c->link);
			list_push_front(&as->chunks, &c->link);
			return c;
		}
	}
	mutex_unlock(&u->mu);
	c = chunk_new(u);
	mutex_lock(&u->mu);
	if (!c)
		return NULL;
	place = place_take_locked(as);
	if (place < 0) {
		mutex_unlock(&u->mu);
		chunk_free(u, c);
		mutex_lock(&u->mu);
		return NULL;
	}
	c->guest = place_addr(u, (unsigned)place);
	c->mapped = false;
	list_push_front(&as->chunks, &c->link);
	*out_slot = chunk_take_slot(c);
	*out_map = true;
	return c;
}

static int new_in_same_as(struct plat_thread *parent, void *cookie, struct plat_thread **out)
{
	struct plat_as *as = parent->as;
	struct plat_thread *th = NULL;
	bool map = false;
	struct chunk *c;
	int slot = -1;

	mutex_lock(&as->u->mu);
	c = slot_for_thread(as, &slot, &map);
	if (c)
		th = thread_alloc_locked(as, cookie, c, slot, 0);
	if (c && !th)
		c->used &= ~(1u << slot);
	if (th)
		th->need_map = map;
	mutex_unlock(&as->u->mu);
	*out = th;
	return th ? 0 : -ENOMEM;
}

static int new_in_fork(struct plat_thread *parent, void *cookie, struct plat_thread **out_thread,
		       struct plat_as **out_as)
{
	struct unotify *u = parent->as->u;
	struct plat_as *as = as_alloc(u);
	struct chunk *c = as ? chunk_new(u) : NULL;
	struct plat_thread *th = NULL;
	int place = -1;

	if (!c)
		goto fail;
	mutex_lock(&u->mu);
	place = parent->as->reaped ? -1 : place_take_locked(parent->as);
	if (place >= 0) {
		c->guest = place_addr(u, (unsigned)place);
		c->mapped = true;
		c->used = c->dirty = 1;
		as->places[place / 8] = (uint8_t)(1u << (place % 8));
		as->l = parent->as->l;
		as->sites_mapped = parent->as->sites_mapped;
		as->poked = parent->as->poked;
		refs_get(&as->l->refs);
		th = thread_alloc_locked(as, cookie, c, 0, 0);
		if (th) {
			list_push_back(&as->chunks, &c->link);
			list_push_back(&u->spaces, &as->link);
			th->clone_fork = true;
			th->from = parent->as;
			parent->lent_place = place;
		} else {
			place_release_locked(parent->as, (unsigned)place);
		}
	}
	mutex_unlock(&u->mu);
	if (!th)
		goto fail;
	*out_thread = th;
	*out_as = as;
	return 0;
fail:
	if (c)
		chunk_free(u, c);
	if (as)
		as_put_obj(as);
	return -ENOMEM;
}

int unotify_thread_new(struct plat_thread *parent, const struct plat_clone *how, void *cookie,
		       struct plat_thread **out_thread, struct plat_as **out_as)
{
	int err;

	*out_as = NULL;
	if (how->share_as)
		err = new_in_same_as(parent, cookie, out_thread);
	else
		err = new_in_fork(parent, cookie, out_thread, out_as);
	if (err)
		return err;
	(*out_thread)->own_gs = parent->own_gs;
	(*out_thread)->clone_tls = how->set_tls;
	(*out_thread)->tls = how->tls;
	frame_copy_fp(*out_thread, parent);
	return 0;
}

/* ---- ends ---- */

void unotify_release(struct plat_thread *th)
{
	struct unotify *u = th->as->u;
	bool unborn;

	mutex_lock(&u->mu);
	th->cookie = NULL;
	/* A clone that never happened: no host thread will ever come. (One that is
	 * on its way finds its token gone and is killed.) */
	unborn = atomic_load(&th->state) == TH_NEW && th->clone_flags == 0 &&
		 thread_unlink_locked(th);
	if (unborn)
		th->slot->alive = 0;
	mutex_unlock(&u->mu);
	if (unborn)
		thread_put(th);
	else
		unotify_thread_exit(th);
	thread_put(th);
}

/* A thread is gone: out of the tables; the kernel hears of it unless it has let go of
 * it or killed the space itself. Under u->mu, which it drops. */
static void bury_thread(struct unotify *u, struct plat_thread *th, int signo)
{
	struct plat_trap trap = { .kind = PLAT_TRAP_DIED, .signo = signo };
	void *cookie = NULL;

	thread_unlink_locked(th);
	set_state(th, TH_GONE);
	if (!th->as->killed && th->cookie) {
		cookie = th->cookie;
		u->cfg.ops->cookie_get(cookie);
	}
	mutex_unlock(&u->mu);
	if (cookie) {
		u->cfg.ops->trap(cookie, &trap);
		u->cfg.ops->cookie_put(cookie);
	}
	thread_put(th);
}

static uint32_t born_as(const struct plat_thread *th)
{
	return *(const volatile uint32_t *)&th->slot->born;
}

/* Which thread will never report? Its listener is dead; or the space that was to make
 * it is gone and never did; or the host process made for it (pid) ended before it could
 * say who it is. Slots are the guest's to write: a lie costs it its own child, which is
 * killed when it comes with a token that nobody waits for. Under u->mu. */
static struct plat_thread *lost_newborn(struct unotify *u, const struct listener *l,
					const struct plat_as *from, pid_t pid)
{
	struct plat_thread *th;

	list_for_each (th, &u->newborn, pending) {
		if (l && th->as->l == l)
			return th;
		if (from && th->from == from) {
			th->from = NULL;
			if (!born_as(th))
				return th;
		}
		if (pid && th->clone_fork && born_as(th) == (uint32_t)pid)
			return th;
	}
	return NULL;
}

static void bury_newborn(struct unotify *u, const struct listener *l, const struct plat_as *from,
			 pid_t pid)
{
	struct plat_thread *th;

	for (;;) {
		mutex_lock(&u->mu);
		th = lost_newborn(u, l, from, pid);
		if (!th)
			break;
		bury_thread(u, th, SIGKILL);
	}
	mutex_unlock(&u->mu);
}

void newborn_sweep(struct unotify *u, struct listener *l)
{
	bury_newborn(u, l, NULL, 0);
}

/* The stub died: tell the kernel about threads it has not let go of. */
static void bury(struct unotify *u, struct plat_as *as, int signo)
{
	for (;;) {
		mutex_lock(&u->mu);
		if (list_empty(&as->threads))
			break;
		bury_thread(u, list_first(&as->threads, struct plat_thread, link), signo);
	}
	mutex_unlock(&u->mu);
	bury_newborn(u, NULL, as, 0);
	as_put_obj(as);
}

/* The space of a host process; marks it as reaped. Under u->mu. */
static struct plat_as *reaped_as_locked(struct unotify *u, pid_t pid)
{
	struct plat_thread *th = tid_lookup_locked(u, pid);
	struct plat_as *as = NULL;

	/* The first thread stays in the table to the end, unless it never came. */
	if (th && th->as->pid == pid) {
		as = th->as;
	} else {
		list_for_each (as, &u->spaces, link)
			if (as->pid == pid && !as->reaped)
				break;
		if (&as->link == &u->spaces)
			as = NULL;
	}
	if (!as || as->reaped)
		return NULL;
	as->reaped = true;
	list_del_init(&as->dying);
	return as;
}

/* Take the exit of a child that has ended. Look first: the pid must stay taken until
 * the books say it is gone. pid 0: any child, waiting for it. The child's pid; 0: that
 * one still lives; -1: no children. */
static pid_t reap_one(struct unotify *u, pid_t pid)
{
	struct plat_as *as;
	siginfo_t si = { 0 };
	int r;

	do
		r = waitid(pid ? P_PID : P_ALL, (id_t)pid, &si,
			   WEXITED | WNOWAIT | __WALL | (pid ? WNOHANG : 0));
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return pid ? 0 : -1;
	if (!si.si_pid)
		return 0;
	pid = si.si_pid;
	mutex_lock(&u->mu);
	as = reaped_as_locked(u, pid);
	if (waitid(P_PID, (id_t)pid, &si, WEXITED | WNOHANG | __WALL) < 0)
		log_debug("stub %d was reaped by another", pid);
	if (pid == u->zygote && !u->stopping) {
		/* No program can be started any more, and a new zygote would need what the
		 * sentry has given up. */
		log_error("the zygote died (code %d, status %d): the sandbox ends", si.si_code,
			  si.si_status);
		_exit(ZYGOTE_LOST);
	}
	mutex_unlock(&u->mu);
	if (as)
		bury(u, as,
		     si.si_code == CLD_KILLED || si.si_code == CLD_DUMPED ? si.si_status : SIGKILL);
	else
		bury_newborn(u, NULL, NULL, pid);
	return pid;
}

/* The longest killed of those that have not been reaped; 0: none. */
static pid_t first_dying(struct unotify *u)
{
	pid_t pid = 0;

	mutex_lock(&u->mu);
	if (!list_empty(&u->dying))
		pid = list_first(&u->dying, struct plat_as, dying)->pid;
	mutex_unlock(&u->mu);
	return pid;
}

/* Waits for stubs to end, and for the zygote when the platform is taken down. */
void *reaper_main(void *arg)
{
	struct unotify *u = arg;

	while (reap_one(u, 0) > 0) {
		pid_t pid;

		/* A wait for any child looks at all of them, and many die together: go on
		 * with those that are known to be on their way. */
		do
			pid = first_dying(u);
		while (pid && reap_one(u, pid) > 0);
	}
	return NULL;
}
