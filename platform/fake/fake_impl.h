/* The fake backend's structures. */
#ifndef PLATFORM_FAKE_FAKE_IMPL_H
#define PLATFORM_FAKE_FAKE_IMPL_H

#include <pthread.h>
#include <uthash.h>

#include "platform/backend.h"
#include "platform/base/list.h"
#include "platform/base/refs.h"

struct page {
	uint64_t no;
	int prot;
	uint8_t data[4096];
	UT_hash_handle hh;
};

struct plat_as {
	struct plat_object o;
	struct refs refs;
	struct fake *f;
	struct page *pages; /* [f->mu] */
	bool killed;
};

struct plat_thread {
	struct plat_object o;
	struct refs refs;
	struct plat_as *as;
	void *cookie;
	enum { FAKE_NEW, FAKE_RUNNING, FAKE_TRAPPED, FAKE_GONE } state; /* [f->mu] */
	bool kick;
	int failed, bad_index; /* of the last batch */
	struct plat_regs regs;
	uint8_t fp[512];
	struct list run;
};

struct fake {
	struct plat_object o;
	struct plat_config cfg;
	struct plat_caps caps;
	pthread_mutex_t mu;
	pthread_cond_t cv;
	pthread_t thread;
	struct list runq;
	bool stop;
};

long fake_copy(struct plat_as *as, uint64_t addr, void *buf, size_t len, bool write);
void fake_as_unref(struct plat_as *as);
/* Run one instruction. True: it trapped, *t says how. */
bool fake_step(struct plat_thread *th, struct plat_trap *t);

#endif
