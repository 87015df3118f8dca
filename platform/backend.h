/* What a backend gives: the functions behind platform.h, one table per backend.
 * The meaning of each entry is in platform.h. Every backend's struct plat, plat_as
 * and plat_thread begin with the table's pointer. */
#ifndef PLATFORM_BACKEND_H
#define PLATFORM_BACKEND_H

#include "platform/platform.h"

struct plat_backend {
	const char *name;
	int (*probe)(char *why, size_t why_size);
	int (*create)(const struct plat_config *cfg, struct plat **out);
	int (*start)(struct plat *p);
	void (*stop)(struct plat *p); /* NULL: nothing runs by itself */
	void (*destroy)(struct plat *p);
	const struct plat_caps *(*caps)(const struct plat *p);
	uint64_t (*fast_calls)(const struct plat *p); /* NULL: none */
	int (*as_new)(struct plat *p, void *cookie, struct plat_as **out_as,
		      struct plat_thread **out_thread);
	void (*as_get)(struct plat_as *as);
	void (*as_put)(struct plat_as *as);
	void (*as_kill)(struct plat_as *as);
	long (*read)(struct plat_as *as, uint64_t addr, void *buf, size_t len);
	long (*write)(struct plat_as *as, uint64_t addr, const void *buf, size_t len);
	int (*cmpxchg32)(struct plat_as *as, uint64_t addr, uint32_t *expected, uint32_t desired);
	uint64_t (*as_cputime)(struct plat_as *as, uint64_t *out_user);
	int (*as_host_pid)(const struct plat_as *as);
	int (*thread_new)(struct plat_thread *parent, const struct plat_clone *how, void *cookie,
			  struct plat_thread **out_thread, struct plat_as **out_as);
	struct plat_regs *(*thread_regs)(struct plat_thread *th);
	bool (*peek_regs)(struct plat_thread *th, struct plat_regs *out); /* NULL: never */
	uint64_t (*call_rip)(struct plat_thread *th, uint64_t rip);  /* NULL: none rewritten */
	void (*shown_regs)(struct plat_thread *th, struct plat_regs *r); /* likewise */
	size_t (*window_avail)(struct plat_thread *th, uint64_t addr);
	bool (*window_read)(struct plat_thread *th, uint64_t addr, void *buf, size_t len);
	const void *(*window_in)(struct plat_thread *th, uint64_t addr, size_t len);
	void *(*window_place)(struct plat_thread *th, size_t len);
	void (*window_placed)(struct plat_thread *th, uint64_t addr, size_t len);
	void (*window_flush)(struct plat_thread *th);
	void (*window_close)(struct plat_thread *th); /* NULL, as those before: no windows */
	size_t (*get_fpstate)(struct plat_thread *th, void *buf, size_t size);
	int (*set_fpstate)(struct plat_thread *th, const void *buf, size_t len);
	void (*resume)(struct plat_thread *th, struct plat_batch *batch);
	void (*thread_exit)(struct plat_thread *th);
	void (*kick)(struct plat_thread *th);
	void (*release)(struct plat_thread *th);
	void (*note)(struct plat_thread *th, unsigned what);
	uint64_t (*noted_cpu)(struct plat_thread *th);
	void (*noted_usage)(struct plat_thread *th, struct plat_usage *process,
			    struct plat_usage *thread);
	int (*host_tid)(const struct plat_thread *th);
	int (*set_affinity)(struct plat_thread *th, const void *cpuset, size_t size);
};

/* First member of every backend's objects. */
struct plat_object {
	const struct plat_backend *b;
};

extern const struct plat_backend unotify_backend, fake_backend;

#endif
