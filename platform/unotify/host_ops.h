/* Entries of the backend table that live in several files. */
#ifndef PLATFORM_UNOTIFY_HOST_OPS_H
#define PLATFORM_UNOTIFY_HOST_OPS_H

#include "platform/unotify/unotify_impl.h"

int unotify_probe(char *why, size_t why_size);
int unotify_probe_flags(unsigned *out_filter_flags, struct plat_caps *caps);

long unotify_read(struct plat_as *as, uint64_t addr, void *buf, size_t len);
long unotify_write(struct plat_as *as, uint64_t addr, const void *buf, size_t len);
int unotify_cmpxchg32(struct plat_as *as, uint64_t addr, uint32_t *expected, uint32_t desired);
uint64_t unotify_cputime(struct plat_as *as, uint64_t *out_user);
void unotify_note(struct plat_thread *th, unsigned what);
uint64_t unotify_noted_cpu(struct plat_thread *th);
void unotify_noted_usage(struct plat_thread *th, struct plat_usage *process,
			 struct plat_usage *thread);

int unotify_as_new(struct plat *p, void *cookie, struct plat_as **out_as,
		   struct plat_thread **out_thread);
void unotify_as_get(struct plat_as *as);
void unotify_as_put(struct plat_as *as);
void unotify_as_kill(struct plat_as *as);
int unotify_as_host_pid(const struct plat_as *as);

int unotify_thread_new(struct plat_thread *parent, const struct plat_clone *how, void *cookie,
		       struct plat_thread **out_thread, struct plat_as **out_as);
void unotify_resume(struct plat_thread *th, struct plat_batch *batch);
void unotify_thread_exit(struct plat_thread *th);
void unotify_kick(struct plat_thread *th);
void unotify_release(struct plat_thread *th);

#endif
