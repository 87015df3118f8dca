/* Host clocks and the one host timer. Results are 0 or more, or -errno. */
#ifndef SENTRY_TIME_TIME_HOST_H
#define SENTRY_TIME_TIME_HOST_H

#include <stdint.h>

/* Nanoseconds of a host clock; ids are the guest's (LX_CLOCK_*, none of the CPU's). */
int64_t host_clock_ns(int clockid);

struct lx_timex;

/* Ask the host for the state of its clock; before the process confines itself. */
void host_timex_init(void);
/* As it was then: TIME_OK, TIME_ERROR … . */
int host_timex(struct lx_timex *out);

int host_timer_new(void); /* an fd: CLOCK_MONOTONIC, close-on-exec, non-blocking */
/* Fire at an absolute time; 0 disarms. */
int host_timer_set(int fd, uint64_t mono_ns);
void host_timer_drain(int fd);
void host_timer_free(int fd);

#endif
