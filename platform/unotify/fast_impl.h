/* What fast_host.c and patch_host.c share: fast calls and the sites they are made from. */
#ifndef PLATFORM_UNOTIFY_FAST_IMPL_H
#define PLATFORM_UNOTIFY_FAST_IMPL_H

#include "platform/arch/sites.h"
#include "platform/unotify/host_ops.h"

#define HIT_BUCKETS 256U

/* Of one listener. */
struct fast {
	int memfd;
	struct stub_sites *table; /* our mapping; NULL: none yet */
	struct fast_site *site;	  /* the same, as only we can write it */
	unsigned nxor;
	_Atomic unsigned nsites;
	struct {
		uint64_t ip;
		uint32_t hits;
	} hit[HIT_BUCKETS];
	struct plat_thread *hot; /* one reference: the thread that made the last call */
	bool polling;		/* hot is told so */
	uint64_t last_call;	/* when it came; dense: so many came close together */
	unsigned dense;
	uint64_t quiet_until, quiet_ns; /* no polling before that */
};

/* May somebody poll: do fewer guest threads run than there are CPUs? */
static inline bool fast_allowed(const struct unotify *u)
{
	return atomic_load_explicit(&u->nrunning, memory_order_relaxed) < u->ncpus;
}

/* patch_host.c: which site an address in the table belongs to; -1: none. *off: within it. */
int site_at(const struct fast *f, uint64_t addr, size_t *off);
/* Count a call's site, and have it rewritten after the call when that is worth it. */
void site_note(struct listener *l, struct plat_thread *th, const struct seccomp_notif *n);
void sites_free(struct fast *f);

#endif
