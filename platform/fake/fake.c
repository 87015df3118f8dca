/* The fake backend: address spaces are arrays of pages, guest threads are interpreted,
 * a handful of instructions of them. It serves unit tests that need a platform
 * without a host kernel's help, and it is the skeleton for a new port: every
 * obligation of platform.h in its simplest form. Slow, and not a sandbox. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <uthash.h>

#include "platform/backend.h"
#include "platform/base/list.h"
#include "platform/base/mutex.h"
#include "platform/base/refs.h"
#include "platform/fake/fake_impl.h"

#define FAKE_FPSIZE 512
#define STEPS 1000

static struct fake *fake_of(struct plat *p)
{
	return (struct fake *)(void *)p;
}

/* ---- memory ---- */

static struct page *page_at(struct plat_as *as, uint64_t addr)
{
	uint64_t no = addr >> 12;
	struct page *pg;

	HASH_FIND(hh, as->pages, &no, sizeof(no), pg);
	return pg;
}

static void page_drop(struct plat_as *as, struct page *pg)
{
	HASH_DEL(as->pages, pg);
	free(pg);
}

long fake_copy(struct plat_as *as, uint64_t addr, void *buf, size_t len, bool write)
{
	size_t done = 0;

	while (done < len) {
		uint64_t at = addr + done, off = at & 4095;
		size_t n = 4096 - off < len - done ? 4096 - off : len - done;
		struct page *pg = page_at(as, at);

		if (!pg || !(pg->prot & (write ? PROT_WRITE : PROT_READ)))
			break;
		if (write)
			memcpy(pg->data + off, (uint8_t *)buf + done, n);
		else
			memcpy((uint8_t *)buf + done, pg->data + off, n);
		done += n;
	}
	return done || !len ? (long)done : -EFAULT;
}

static int do_mmap(struct plat_as *as, const struct plat_cmd *c)
{
	if (!c->a[1] || (c->a[0] & 4095))
		return -EINVAL;
	for (uint64_t at = c->a[0]; at < c->a[0] + c->a[1]; at += 4096) {
		struct page *pg = page_at(as, at);

		if (pg)
			page_drop(as, pg);
		pg = calloc(1, sizeof(*pg));
		if (!pg)
			return -ENOMEM;
		pg->no = at >> 12;
		pg->prot = (int)c->a[2];
		if (c->fd >= 0 && pread(c->fd, pg->data, 4096, (off_t)(c->a[5] + at - c->a[0])) < 0) {
			int err = -errno;

			free(pg);
			return err;
		}
		HASH_ADD(hh, as->pages, no, sizeof(pg->no), pg);
	}
	return 0;
}

static int do_range(struct plat_as *as, const struct plat_cmd *c)
{
	if ((c->a[0] & 4095) || !c->a[1])
		return -EINVAL;
	for (uint64_t at = c->a[0]; at < c->a[0] + c->a[1]; at += 4096) {
		struct page *pg = page_at(as, at);

		if (c->op == PLAT_CMD_MUNMAP && pg)
			page_drop(as, pg);
		else if (c->op == PLAT_CMD_MPROTECT && !pg)
			return -ENOMEM;
		else if (c->op == PLAT_CMD_MPROTECT)
			pg->prot = (int)c->a[2];
	}
	return 0;
}

/* ---- threads ---- */

static void thread_unref(struct plat_thread *th)
{
	struct plat_as *as = th->as;

	if (!refs_put(&th->refs))
		return;
	free(th);
	fake_as_unref(as);
}

static struct plat_thread *thread_make(struct plat_as *as, void *cookie)
{
	struct plat_thread *th = calloc(1, sizeof(*th));

	if (!th)
		return NULL;
	th->o.b = &fake_backend;
	refs_init(&th->refs, "fake_thread");
	refs_get(&as->refs);
	th->as = as;
	th->cookie = cookie;
	th->state = FAKE_NEW;
	list_init(&th->run);
	return th;
}

static struct plat_as *as_make(struct fake *f)
{
	struct plat_as *as = calloc(1, sizeof(*as));

	if (!as)
		return NULL;
	as->o.b = &fake_backend;
	refs_init(&as->refs, "fake_as");
	as->f = f;
	return as;
}

void fake_as_unref(struct plat_as *as)
{
	struct page *pg, *tmp;

	if (!refs_put(&as->refs))
		return;
	HASH_ITER (hh, as->pages, pg, tmp)
		page_drop(as, pg);
	free(as);
}

/* Queue a thread for the interpreter. f->mu held. */
static void enqueue(struct fake *f, struct plat_thread *th)
{
	if (!list_empty(&th->run))
		return;
	refs_get(&th->refs);
	list_push_back(&f->runq, &th->run);
	pthread_cond_signal(&f->cv);
}

static int run_cmd(struct fake *f, struct plat_thread *th, const struct plat_cmd *c)
{
	switch (c->op) {
	case PLAT_CMD_MMAP:
		return do_mmap(th->as, c);
	case PLAT_CMD_MUNMAP:
	case PLAT_CMD_MPROTECT:
		return do_range(th->as, c);
	case PLAT_CMD_MADVISE:
	case PLAT_CMD_SET_FS:
	case PLAT_CMD_SET_GS:
	case PLAT_CMD_CLOCK:
		return 0;
	case PLAT_CMD_CLONE:
		if (c->child->as != th->as) {
			struct page *pg, *tmp, *copy;

			HASH_ITER (hh, th->as->pages, pg, tmp) {
				copy = malloc(sizeof(*copy));
				if (!copy)
					return -ENOMEM;
				*copy = *pg;
				HASH_ADD(hh, c->child->as->pages, no, sizeof(copy->no), copy);
			}
		}
		enqueue(f, c->child);
		return 0;
	case PLAT_CMD_MREMAP:
	case PLAT_CMD_PREAD:
	case PLAT_CMD_PWRITE:
	case PLAT_CMD_CMPXCHG:
	case PLAT_CMD_GETCPU:
	case PLAT_CMD_MEMBARRIER:
	default:
		return -ENOSYS;
	}
}

static void deliver(struct fake *f, struct plat_thread *th, const struct plat_trap *t)
{
	void *cookie = th->cookie;

	th->state = FAKE_TRAPPED;
	if (cookie)
		f->cfg.ops->cookie_get(cookie);
	pthread_mutex_unlock(&f->mu);
	if (cookie) {
		f->cfg.ops->trap(cookie, t);
		f->cfg.ops->cookie_put(cookie);
	}
	pthread_mutex_lock(&f->mu);
}

static void run_thread(struct fake *f, struct plat_thread *th)
{
	struct plat_trap t = { .kind = PLAT_TRAP_STARTED };

	if (th->state == FAKE_NEW) {
		deliver(f, th, &t);
		return;
	}
	if (th->failed) {
		t = (struct plat_trap){ .kind = PLAT_TRAP_BATCH, .index = th->bad_index,
					.error = th->failed };
		th->failed = 0;
		deliver(f, th, &t);
		return;
	}
	for (int i = 0; i < STEPS; i++) {
		if (th->kick) {
			th->kick = false;
			t = (struct plat_trap){ .kind = PLAT_TRAP_KICK };
			deliver(f, th, &t);
			return;
		}
		if (fake_step(th, &t)) {
			deliver(f, th, &t);
			return;
		}
	}
	enqueue(f, th);
}

static void *runner(void *arg)
{
	struct fake *f = arg;

	pthread_mutex_lock(&f->mu);
	while (!f->stop) {
		struct plat_thread *th;

		if (list_empty(&f->runq)) {
			pthread_cond_wait(&f->cv, &f->mu);
			continue;
		}
		th = list_first(&f->runq, struct plat_thread, run);
		list_del_init(&th->run);
		if (th->state == FAKE_RUNNING || th->state == FAKE_NEW)
			run_thread(f, th);
		/* Guest code that spins must not keep others from the lock. */
		pthread_mutex_unlock(&f->mu);
		thread_unref(th);
		sched_yield();
		pthread_mutex_lock(&f->mu);
	}
	pthread_mutex_unlock(&f->mu);
	return NULL;
}

/* ---- the table ---- */

static int probe(char *why, size_t size)
{
	if (size)
		why[0] = 0;
	return 0;
}

static int create(const struct plat_config *cfg, struct plat **out)
{
	struct fake *f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	f->o.b = &fake_backend;
	f->cfg = *cfg;
	f->caps.xstate_size = FAKE_FPSIZE;
	pthread_mutex_init(&f->mu, NULL);
	pthread_cond_init(&f->cv, NULL);
	list_init(&f->runq);
	*out = (struct plat *)(void *)f;
	return 0;
}

static int start(struct plat *p)
{
	return -pthread_create(&fake_of(p)->thread, NULL, runner, p);
}

static void destroy(struct plat *p)
{
	struct fake *f = fake_of(p);

	pthread_mutex_lock(&f->mu);
	f->stop = true;
	pthread_cond_signal(&f->cv);
	pthread_mutex_unlock(&f->mu);
	if (f->thread)
		pthread_join(f->thread, NULL);
	while (!list_empty(&f->runq)) {
		struct plat_thread *th = list_first(&f->runq, struct plat_thread, run);

		list_del_init(&th->run);
		thread_unref(th);
	}
	free(f);
}

static const struct plat_caps *caps(const struct plat *p)
{
	return &((const struct fake *)(const void *)p)->caps;
}

static int as_new(struct plat *p, void *cookie, struct plat_as **out_as,
		  struct plat_thread **out_thread)
{
	struct fake *f = fake_of(p);
	struct plat_as *as = as_make(f);
	struct plat_thread *th = as ? thread_make(as, cookie) : NULL;

	if (!th) {
		free(as);
		return -ENOMEM;
	}
	th->state = FAKE_TRAPPED;
	*out_as = as;
	*out_thread = th;
	return 0;
}

static void as_get(struct plat_as *as)
{
	refs_get(&as->refs);
}

static void as_kill(struct plat_as *as)
{
	pthread_mutex_lock(&as->f->mu);
	as->killed = true;
	pthread_mutex_unlock(&as->f->mu);
}

static long as_read(struct plat_as *as, uint64_t addr, void *buf, size_t len)
{
	long n;

	pthread_mutex_lock(&as->f->mu);
	n = fake_copy(as, addr, buf, len, false);
	pthread_mutex_unlock(&as->f->mu);
	return n;
}

static long as_write(struct plat_as *as, uint64_t addr, const void *buf, size_t len)
{
	long n;

	pthread_mutex_lock(&as->f->mu);
	n = fake_copy(as, addr, (void *)(uintptr_t)buf, len, true);
	pthread_mutex_unlock(&as->f->mu);
	return n;
}

static int cmpxchg32(struct plat_as *as, uint64_t addr, uint32_t *expected, uint32_t desired)
{
	uint32_t now;
	int err = 0;

	pthread_mutex_lock(&as->f->mu);
	if (fake_copy(as, addr, &now, 4, false) != 4) {
		err = -EFAULT;
	} else if (now != *expected) {
		*expected = now;
		err = -EAGAIN;
	} else if (fake_copy(as, addr, &desired, 4, true) != 4) {
		err = -EFAULT;
	}
	pthread_mutex_unlock(&as->f->mu);
	return err;
}

static uint64_t as_cputime(struct plat_as *as, uint64_t *out_user)
{
	(void)as;
	if (out_user)
		*out_user = 0;
	return 0;
}

static void note(struct plat_thread *th, unsigned what)
{
	(void)th;
	(void)what;
}

static uint64_t noted_cpu(struct plat_thread *th)
{
	(void)th;
	return 0;
}

static void noted_usage(struct plat_thread *th, struct plat_usage *process,
			struct plat_usage *thread)
{
	(void)th;
	memset(process, 0, sizeof(*process));
	if (thread)
		memset(thread, 0, sizeof(*thread));
}

static int as_host_pid(const struct plat_as *as)
{
	(void)as;
	return 0;
}

static int thread_new(struct plat_thread *parent, const struct plat_clone *how, void *cookie,
		      struct plat_thread **out_thread, struct plat_as **out_as)
{
	struct plat_as *as = how->share_as ? parent->as : as_make(parent->as->f);
	struct plat_thread *th = as ? thread_make(as, cookie) : NULL;

	if (!th)
		return -ENOMEM;
	memcpy(th->fp, parent->fp, sizeof(th->fp));
	*out_thread = th;
	*out_as = how->share_as ? NULL : as;
	return 0;
}

static struct plat_regs *thread_regs(struct plat_thread *th)
{
	return &th->regs;
}

static size_t get_fpstate(struct plat_thread *th, void *buf, size_t size)
{
	if (size < sizeof(th->fp))
		return 0;
	memcpy(buf, th->fp, sizeof(th->fp));
	return sizeof(th->fp);
}

static int set_fpstate(struct plat_thread *th, const void *buf, size_t len)
{
	if (buf && len != sizeof(th->fp))
		return -EINVAL;
	if (buf)
		memcpy(th->fp, buf, len);
	else
		memset(th->fp, 0, sizeof(th->fp));
	return 0;
}

static void resume(struct plat_thread *th, struct plat_batch *batch)
{
	struct fake *f = th->as->f;

	pthread_mutex_lock(&f->mu);
	if (th->state == FAKE_TRAPPED) {
		th->state = FAKE_RUNNING;
		for (unsigned i = 0; batch && i < batch->count && !th->failed; i++) {
			th->failed = run_cmd(f, th, &batch->cmd[i]);
			th->bad_index = (int)i;
		}
		enqueue(f, th);
	}
	for (unsigned i = 0; batch && i < batch->count; i++)
		if ((batch->cmd[i].op == PLAT_CMD_MMAP || batch->cmd[i].op == PLAT_CMD_PREAD ||
		     batch->cmd[i].op == PLAT_CMD_PWRITE) && batch->cmd[i].fd >= 0)
			close(batch->cmd[i].fd);
	if (batch)
		batch->count = 0;
	pthread_mutex_unlock(&f->mu);
}

static void thread_exit(struct plat_thread *th)
{
	pthread_mutex_lock(&th->as->f->mu);
	th->state = FAKE_GONE;
	pthread_mutex_unlock(&th->as->f->mu);
}

static void kick(struct plat_thread *th)
{
	pthread_mutex_lock(&th->as->f->mu);
	th->kick = true;
	pthread_mutex_unlock(&th->as->f->mu);
}

static void release(struct plat_thread *th)
{
	struct fake *f = th->as->f;

	pthread_mutex_lock(&f->mu);
	th->cookie = NULL;
	th->state = FAKE_GONE;
	pthread_mutex_unlock(&f->mu);
	thread_unref(th);
}

static int host_tid(const struct plat_thread *th)
{
	(void)th;
	return 0;
}

static int set_affinity(struct plat_thread *th, const void *set, size_t size)
{
	(void)th;
	(void)set;
	(void)size;
	return 0;
}

const struct plat_backend fake_backend = {
	.name = "fake", .probe = probe, .create = create, .start = start, .destroy = destroy,
	.caps = caps, .as_new = as_new, .as_get = as_get, .as_put = fake_as_unref,
	.as_kill = as_kill, .read = as_read, .write = as_write, .cmpxchg32 = cmpxchg32,
	.as_cputime = as_cputime, .as_host_pid = as_host_pid, .thread_new = thread_new,
	.thread_regs = thread_regs, .get_fpstate = get_fpstate, .set_fpstate = set_fpstate,
	.resume = resume, .thread_exit = thread_exit, .kick = kick, .release = release,
	.note = note, .noted_cpu = noted_cpu, .noted_usage = noted_usage,
	.host_tid = host_tid, .set_affinity = set_affinity,
};
