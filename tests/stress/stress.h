/* Stress scenarios: what they share. Each runs for a slice of time and checks its own
 * invariants; a broken one ends the program with a message and status 1. */
#ifndef TESTS_STRESS_STRESS_H
#define TESTS_STRESS_STRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define NORETURN __attribute__((noreturn))
#define FAIL(...) stress_fail(__FILE__, __LINE__, __VA_ARGS__)
#define MUST(e)                                                                                    \
	do {                                                                                       \
		if (!(e))                                                                          \
			FAIL("%s", #e);                                                            \
	} while (0)

NORETURN void stress_fail(const char *file, int line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
uint64_t now_ns(void);
/* A pseudo-random number; one stream per process, seeded by --seed. */
uint32_t rnd(uint32_t below);
/* Has the slice of the running scenario ended? */
bool slice_over(void);
/* waitpid() that survives signals; the status. */
int reap(pid_t pid);
/* fork() that must work. */
pid_t spawn(void);
extern const char *stress_self;	    /* path of this program, for scenarios that exec it */
extern int stress_scale;	    /* per cent of the full counts */
#define SCALED(n) ((n) * stress_scale / 100 > 0 ? (n) * stress_scale / 100 : 1)

/* Each does rounds until slice_over() and returns how many. */
long stress_thread_exec(void);
long stress_fork_signals(void);
long stress_timer_10khz(void);
long stress_rt_queue(void);
long stress_stop_cont(void);
long stress_group_exit(void);
long stress_vfork_exec(void);
long stress_map_fork(void);
long stress_blocked_threads(void);
long stress_process_tree(void);
long stress_wait_kinds(void);

/* The part of a scenario that runs after it exec'd this program: argv[2] and on. */
int stress_exec_child(int argc, char **argv);

#endif
