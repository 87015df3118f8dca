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
	if (!th->linked)
		return false;
	th->linked = false;
	list_del_init(&th->link);
	list_del_init(&th->pending);
	if (th->tid)
		tid_remove_locked(th->as->u, th);
	return true;
}

/* A thread in TH_NEW, in the tables: two references, the kernel's and ours. */
static struct plat_thread *thread_alloc_locked(struct plat_as *as, void *cookie, struct chunk *c,
					       int slot)
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
	th->token = random_token();
	th->close_listener = -1;
	th->lent_place = -1;
	atomic_store(&th->state, TH_NEW);
	memset(th->slot, 0, sizeof(*th->slot));
	th->slot->alive = 1;
	th->slot->token = th->token;
	list_push_back(&as->threads, &th->link);
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

/* Take the spare stub, and ask for the next one while nobody waits for it. */
static int spare_take(struct unotify *u, struct chunk **out_c, uint64_t *out_token, pid_t *out_pid,
		      int *out_fd)
{
	int err = 0;

	pthread_mutex_lock(&u->spawn_mu);
	if (!u->spare.asked)
		err = spare_ask(u);
	if (!err) {
		*out_c = u->spare.chunk;
		*out_token = u->spare.token;
		u->spare.asked = false;
		err = zygote_collect(u, u->spare.pipe, *out_c, out_pid, out_fd);
		if (err)
			chunk_free(u, *out_c);
	}
	if (!err && spare_ask(u) < 0)
		log_warn("no spare stub");
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
	c->used = c->dirty = 1;
	th = thread_alloc_locked(as, cookie, c, 0);
	if (th) {
		th->token = token;
		th->slot->token = token;
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
	err = workers_serve(u, l);
	if (err) {
		unotify_release(th);
		unotify_as_put(as);
		return err;
	}
	*out_as = as;
	*out_thread = th;
	return 0;
fail:
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

void unotify_as_kill(struct plat_as *as)
{
	struct unotify *u = as->u;

	mutex_lock(&u->mu);
	if (!as->killed) {
		as->killed = true;
		if (as->pid && !as->reaped)
			kill(as->pid, SIGKILL);
	}
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
		th = thread_alloc_locked(as, cookie, c, slot);
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
		refs_get(&as->l->refs);
		th = thread_alloc_locked(as, cookie, c, 0);
		if (th) {
			list_push_back(&as->chunks, &c->link);
			list_push_back(&u->spaces, &as->link);
			th->clone_fork = true;
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

/* The stub died: tell the kernel about threads it has not let go of. */
static void bury(struct unotify *u, struct plat_as *as, int signo)
{
	struct plat_trap trap = { .kind = PLAT_TRAP_DIED, .signo = signo };
	struct plat_thread *th;

	for (;;) {
		void *cookie = NULL;

		mutex_lock(&u->mu);
		if (list_empty(&as->threads)) {
			mutex_unlock(&u->mu);
			break;
		}
		th = list_first(&as->threads, struct plat_thread, link);
		thread_unlink_locked(th);
		atomic_store(&th->state, TH_GONE);
		if (!as->killed && th->cookie) {
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
	as_put_obj(as);
}

/* Waits for stubs to end; ends with the zygote when the platform is taken down. */
void *reaper_main(void *arg)
{
	struct unotify *u = arg;

	for (;;) {
		struct plat_as *as, *found = NULL;
		siginfo_t si = { 0 };

		/* Look first: the pid must stay taken until the books say it is gone. */
		if (waitid(P_ALL, 0, &si, WEXITED | WNOWAIT | __WALL) < 0) {
			if (errno == EINTR)
				continue;
			break;
		}
		mutex_lock(&u->mu);
		list_for_each (as, &u->spaces, link) {
			if (as->pid == si.si_pid && !as->reaped) {
				found = as;
				as->reaped = true;
				break;
			}
		}
		waitid(P_PID, (id_t)si.si_pid, &si, WEXITED | WNOHANG | __WALL);
		mutex_unlock(&u->mu);
		if (si.si_pid == u->zygote) {
			if (!u->stopping)
				log_error("the zygote died (code %d, status %d)", si.si_code,
					  si.si_status);
			break;
		}
		if (found)
			bury(u, found,
			     si.si_code == CLD_KILLED || si.si_code == CLD_DUMPED ? si.si_status :
										    SIGKILL);
	}
	return NULL;
}
