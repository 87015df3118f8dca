/* platform.h over the chosen backend's table. */
#include "platform/platform.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "platform/backend.h"

static const struct plat_backend *const backends[] = { &unotify_backend, &fake_backend };

static const struct plat_backend *find(const char *name)
{
	for (size_t i = 0; i < sizeof(backends) / sizeof(backends[0]); i++)
		if (!strncmp(backends[i]->name, name, strcspn(name, ":")))
			return backends[i];
	return NULL;
}

/* The table behind any object of a backend. */
static const struct plat_backend *of(const void *obj)
{
	return ((const struct plat_object *)obj)->b;
}

int plat_probe(const char *backend, char *why, size_t why_size)
{
	const struct plat_backend *b = find(backend);

	if (!b) {
		snprintf(why, why_size, "unknown platform \"%s\"; available: unotify", backend);
		return -EINVAL;
	}
	return b->probe(why, why_size);
}

int plat_new(const struct plat_config *cfg, struct plat **out)
{
	const struct plat_backend *b = find(cfg->backend);

	return b ? b->create(cfg, out) : -EINVAL;
}

int plat_start(struct plat *p)
{
	return of(p)->start(p);
}

void plat_stop(struct plat *p)
{
	if (of(p)->stop)
		of(p)->stop(p);
}

void plat_free(struct plat *p)
{
	of(p)->destroy(p);
}

const struct plat_caps *plat_caps(const struct plat *p)
{
	return of(p)->caps(p);
}

int plat_as_new(struct plat *p, void *cookie, struct plat_as **out_as,
		struct plat_thread **out_thread)
{
	return of(p)->as_new(p, cookie, out_as, out_thread);
}

void plat_as_get(struct plat_as *as)
{
	of(as)->as_get(as);
}

void plat_as_put(struct plat_as *as)
{
	of(as)->as_put(as);
}

void plat_as_kill(struct plat_as *as)
{
	of(as)->as_kill(as);
}

static bool range_ok(uint64_t addr, size_t len)
{
	return addr <= PLAT_GUEST_MAX && len <= PLAT_GUEST_MAX - addr;
}

long plat_read_partial(struct plat_as *as, uint64_t addr, void *buf, size_t len)
{
	if (len == 0)
		return 0;
	if (!range_ok(addr, len)) {
		if (addr >= PLAT_GUEST_MAX)
			return -EFAULT;
		len = PLAT_GUEST_MAX - addr;
	}
	return of(as)->read(as, addr, buf, len);
}

long plat_write_partial(struct plat_as *as, uint64_t addr, const void *buf, size_t len)
{
	if (len == 0)
		return 0;
	if (!range_ok(addr, len)) {
		if (addr >= PLAT_GUEST_MAX)
			return -EFAULT;
		len = PLAT_GUEST_MAX - addr;
	}
	return of(as)->write(as, addr, buf, len);
}

int plat_read(struct plat_as *as, uint64_t addr, void *buf, size_t len)
{
	long n;

	if (!range_ok(addr, len))
		return -EFAULT;
	n = plat_read_partial(as, addr, buf, len);
	if (n < 0)
		return (int)n;
	return (size_t)n == len ? 0 : -EFAULT;
}

int plat_write(struct plat_as *as, uint64_t addr, const void *buf, size_t len)
{
	long n;

	if (!range_ok(addr, len))
		return -EFAULT;
	n = plat_write_partial(as, addr, buf, len);
	if (n < 0)
		return (int)n;
	return (size_t)n == len ? 0 : -EFAULT;
}

int plat_cmpxchg32(struct plat_as *as, uint64_t addr, uint32_t *expected, uint32_t desired)
{
	if (!range_ok(addr, 4))
		return -EFAULT;
	return of(as)->cmpxchg32(as, addr, expected, desired);
}

uint64_t plat_as_cputime(struct plat_as *as, uint64_t *out_user)
{
	return of(as)->as_cputime(as, out_user);
}

int plat_as_host_pid(const struct plat_as *as)
{
	return of(as)->as_host_pid(as);
}

int plat_thread_new(struct plat_thread *parent, const struct plat_clone *how, void *cookie,
		    struct plat_thread **out_thread, struct plat_as **out_as)
{
	return of(parent)->thread_new(parent, how, cookie, out_thread, out_as);
}

struct plat_regs *plat_thread_regs(struct plat_thread *th)
{
	return of(th)->thread_regs(th);
}

bool plat_thread_peek_regs(struct plat_thread *th, struct plat_regs *out)
{
	return of(th)->peek_regs && of(th)->peek_regs(th, out);
}

uint64_t plat_fast_calls(const struct plat *p)
{
	const struct plat_backend *b = *(const struct plat_backend *const *)(const void *)p;

	return b->fast_calls ? b->fast_calls(p) : 0;
}

uint64_t plat_call_rip(struct plat_thread *th, uint64_t rip)
{
	return of(th)->call_rip ? of(th)->call_rip(th, rip) : rip - 2;
}

void plat_shown_regs(struct plat_thread *th, struct plat_regs *r)
{
	if (of(th)->shown_regs)
		of(th)->shown_regs(th, r);
}

size_t plat_window_avail(struct plat_thread *th, uint64_t addr)
{
	return of(th)->window_avail ? of(th)->window_avail(th, addr) : 0;
}

bool plat_window_read(struct plat_thread *th, uint64_t addr, void *buf, size_t len)
{
	return of(th)->window_read && of(th)->window_read(th, addr, buf, len);
}

const void *plat_window_in(struct plat_thread *th, uint64_t addr, size_t len)
{
	return of(th)->window_in ? of(th)->window_in(th, addr, len) : NULL;
}

void *plat_window_place(struct plat_thread *th, size_t len)
{
	return of(th)->window_place ? of(th)->window_place(th, len) : NULL;
}

void plat_window_placed(struct plat_thread *th, uint64_t addr, size_t len)
{
	of(th)->window_placed(th, addr, len);
}

bool plat_window_write(struct plat_thread *th, uint64_t addr, const void *buf, size_t len)
{
	void *to = plat_window_place(th, len);

	if (!to)
		return false;
	memcpy(to, buf, len);
	plat_window_placed(th, addr, len);
	return true;
}

void plat_window_flush(struct plat_thread *th)
{
	if (of(th)->window_flush)
		of(th)->window_flush(th);
}

void plat_window_close(struct plat_thread *th)
{
	if (of(th)->window_close)
		of(th)->window_close(th);
}

size_t plat_thread_get_fpstate(struct plat_thread *th, void *buf, size_t size)
{
	return of(th)->get_fpstate(th, buf, size);
}

int plat_thread_set_fpstate(struct plat_thread *th, const void *buf, size_t len)
{
	return of(th)->set_fpstate(th, buf, len);
}

void plat_resume(struct plat_thread *th, struct plat_batch *batch)
{
	of(th)->resume(th, batch);
}

void plat_thread_exit(struct plat_thread *th)
{
	of(th)->thread_exit(th);
}

void plat_kick(struct plat_thread *th)
{
	of(th)->kick(th);
}

void plat_thread_release(struct plat_thread *th)
{
	of(th)->release(th);
}

void plat_thread_note(struct plat_thread *th, unsigned what)
{
	of(th)->note(th, what);
}

uint64_t plat_thread_noted_cpu(struct plat_thread *th)
{
	return of(th)->noted_cpu(th);
}

void plat_thread_noted_usage(struct plat_thread *th, struct plat_usage *process,
			     struct plat_usage *thread)
{
	of(th)->noted_usage(th, process, thread);
}

int plat_thread_host_tid(const struct plat_thread *th)
{
	return of(th)->host_tid(th);
}

int plat_thread_set_affinity(struct plat_thread *th, const void *cpuset, size_t size)
{
	return of(th)->set_affinity(th, cpuset, size);
}
