/* What the files of the platform conformance test share. */
#ifndef TESTS_PLATFORM_CONFORMANCE_H
#define TESTS_PLATFORM_CONFORMANCE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>

#include "platform/platform.h"

#define CODE 0x100000UL
#define STACK 0x300000UL
#define DATA 0x400000UL
#define DIRECT 110 /* getppid: reported as a partial trap, where the backend has them */

/* A guest thread as this "kernel" sees it: one trap at a time, handed to main. */
struct ctx {
	pthread_mutex_t mu;
	pthread_cond_t cv;
	bool have;
	int refs;
	struct plat_trap trap;
	struct plat_thread *th;
	struct plat_as *as;
	bool echo; /* answer getppid from the worker itself, for timing */
	unsigned long served, stop_after;
};

#define CHECK(cond)                                                                  \
	do {                                                                         \
		if (!(cond)) {                                                       \
			printf("  %s:%d: %s\n", __FILE__, __LINE__, #cond);          \
			ok = false;                                                  \
		}                                                                    \
	} while (0)

#define GUEST(name, body)                                                         \
	extern const char name[], name##_end[];                                   \
	__asm__(".pushsection .rodata\n" #name ":\n" body "\n" #name "_end:\n.popsection")

#define LEN(n) ((size_t)(n##_end - n))

struct ctx *ctx_new(void);
/* Wait for the thread's next trap, five seconds at most. */
bool next_raw(struct ctx *c, struct plat_trap *t);
/* The same; of a partial trap the rest is fetched, so that it looks like a full one. */
bool next(struct ctx *c, struct plat_trap *t);
/* A new address space with code at CODE, a stack, a data page; ready to run. */
struct ctx *boot(struct plat *p, const void *code, size_t len);
void drop(struct ctx *c);

/* conformance_calls.c: partial traps, fast calls, crowds */
bool t_partial(struct plat *p);
bool t_partial_kick(struct plat *p);
bool t_kick_storm(struct plat *p);
bool t_fast(struct plat *p);
bool t_fast_read(struct plat *p);
bool t_fast_middle(struct plat *p);
bool t_fast_restart(struct plat *p);
bool t_fast_threads(struct plat *p);
bool t_crowd(struct plat *p);
bool t_crowd_dies(struct plat *p);

#endif
