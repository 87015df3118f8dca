/* The parts of the guest of tests/files/many.sh. Each prints lines that must be the same
 * natively and in the sandbox, whatever the machine. The current directory is empty. */
#ifndef TESTS_FILES_MANY_H
#define TESTS_FILES_MANY_H

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern bool long_form;

void locks(void);
void deadlocks(void);
void descriptors(void);
void descriptors_without_end(void);
void watches(void);
void watch_limits(void);
void watch_races(void);
void deep(void);
void names(void);
void listing(void);

/* What failed, with its errno, or nothing: a line only when r is below zero. */
#define OK(call)                                                                            \
	({                                                                                  \
		long r_ = (long)(call);                                                     \
		if (r_ < 0)                                                                 \
			printf("line %d: %s: %s\n", __LINE__, #call, strerrorname_np(errno)); \
		r_;                                                                         \
	})
/* The result of a call that may fail. */
#define SAY(what, call)                                                                   \
	({                                                                                \
		long r_ = (long)(call);                                                   \
		printf("%s: %s\n", what, r_ < 0 ? strerrorname_np(errno) : "ok");         \
		r_;                                                                       \
	})

int spawn(void (*fn)(int), int arg);	/* a child that runs fn and ends; its pid */
int reap(int pid);			/* its wait status */
void until_asleep(int pid);		/* in a call that waits */
void moment(int ms);			/* before a condition is looked at again */

#endif
