/* Stress of tasks, signals, timers and futexes; runs natively and in a sandbox.
 * usage: stress [--seconds N] [--seed N] [--scale PERCENT] [--only NAME] */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/stress/stress.h"

const char *stress_self = "/proc/self/exe";
int stress_scale = 100;
static uint64_t slice_end;
static uint32_t rnd_state = 1;

NORETURN void stress_fail(const char *file, int line, const char *fmt, ...)
{
	char msg[512];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = snprintf(msg, sizeof(msg), "  %s:%d: ", file, line);
	n += vsnprintf(msg + n, sizeof(msg) - (size_t)n, fmt, ap);
	va_end(ap);
	dprintf(1, "%s (errno %d, process %d)\n", msg, errno, getpid());
	_exit(1);
}

uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint32_t rnd(uint32_t below)
{
	rnd_state ^= rnd_state << 13;
	rnd_state ^= rnd_state >> 17;
	rnd_state ^= rnd_state << 5;
	return rnd_state % below;
}

bool slice_over(void)
{
	return now_ns() >= slice_end;
}

int reap(pid_t pid)
{
	int st;

	while (waitpid(pid, &st, 0) < 0)
		if (errno != EINTR)
			FAIL("waitpid %d", pid);
	return st;
}

pid_t spawn(void)
{
	pid_t pid = fork();

	if (pid < 0)
		FAIL("fork");
	if (pid == 0)
		rnd_state = rnd_state * 2654435761u + (uint32_t)getpid() + 1;
	return pid;
}

static const struct scenario {
	const char *name;
	long (*run)(void);
} scenarios[] = {
	{ "thread_exec", stress_thread_exec },
	{ "fork_signals", stress_fork_signals },
	{ "timer_10khz", stress_timer_10khz },
	{ "rt_queue", stress_rt_queue },
	{ "stop_cont", stress_stop_cont },
	{ "group_exit", stress_group_exit },
	{ "vfork_exec", stress_vfork_exec },
	{ "map_fork", stress_map_fork },
	{ "wait_kinds", stress_wait_kinds },
	{ "blocked_threads", stress_blocked_threads },
	{ "process_tree", stress_process_tree },
};
#define N_SCENARIOS (sizeof(scenarios) / sizeof(scenarios[0]))

/* In a process of its own: what one leaves behind does not disturb the next. */
static bool run_one(const struct scenario *s, double seconds, uint64_t *rounds)
{
	int p[2], st;
	long n = 0;
	pid_t pid;

	if (pipe(p) < 0)
		FAIL("pipe");
	fflush(stdout);
	pid = spawn();
	if (pid == 0) {
		close(p[0]);
		setpgid(0, 0);
		slice_end = now_ns() + (uint64_t)(seconds * 1e9);
		n = s->run();
		if (write(p[1], &n, sizeof(n)) != (ssize_t)sizeof(n))
			_exit(1);
		_exit(0);
	}
	close(p[1]);
	st = reap(pid);
	if (read(p[0], &n, sizeof(n)) != (ssize_t)sizeof(n))
		n = 0;
	close(p[0]);
	*rounds += (uint64_t)n;
	if (st != 0)
		printf("  %s: wait status %#x\n", s->name, (unsigned)st);
	else if (n == 0)
		printf("  %s: not one round\n", s->name);
	return st == 0 && n > 0;
}

int main(int argc, char **argv)
{
	double seconds = 20;
	const char *only = NULL;
	uint64_t rounds[N_SCENARIOS] = { 0 }, end;
	bool failed[N_SCENARIOS] = { false };
	int rc = 0;

	if (argc > 2 && strcmp(argv[1], "exec-child") == 0)
		return stress_exec_child(argc - 2, argv + 2);
	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--seconds") == 0)
			seconds = atof(argv[i + 1]);
		else if (strcmp(argv[i], "--seed") == 0)
			rnd_state = (uint32_t)atoi(argv[i + 1]) * 2654435761u + 1;
		else if (strcmp(argv[i], "--scale") == 0)
			stress_scale = atoi(argv[i + 1]);
		else if (strcmp(argv[i], "--only") == 0)
			only = argv[i + 1];
	}
	/* Several turns each, so that a long run mixes them. */
	end = now_ns() + (uint64_t)(seconds * 1e9);
	do {
		for (unsigned i = 0; i < N_SCENARIOS; i++) {
			double slice = seconds / N_SCENARIOS;

			if ((only && strcmp(only, scenarios[i].name) != 0) || failed[i])
				continue;
			if (!run_one(&scenarios[i], slice > 5 ? 5 : slice, &rounds[i]))
				failed[i] = true;
		}
	} while (now_ns() < end && !rc);
	for (unsigned i = 0; i < N_SCENARIOS; i++) {
		if (only && strcmp(only, scenarios[i].name) != 0)
			continue;
		printf("%s %s (%llu rounds)\n", failed[i] ? "FAIL" : "ok", scenarios[i].name,
		       (unsigned long long)rounds[i]);
		rc |= failed[i];
	}
	return rc;
}
