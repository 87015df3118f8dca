/* For tests, debug builds only: make one host call from within a confined process, to
 * see that its filter stops it. RUNSC_TEST_FORBIDDEN=WHO:NUMBER in the environment. */
#include "platform/base/forbidden.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "platform/base/log.h"

void forbidden_call_test(const char *who)
{
#ifndef NDEBUG
	const char *v = getenv("RUNSC_TEST_FORBIDDEN");
	size_t n = strlen(who);

	if (!v || strncmp(v, who, n) || v[n] != ':')
		return;
	errno = 0;
	syscall(atol(v + n + 1), 0, 0, 0, 0, 0, 0);
	log_error("%s: forbidden call %s was let through (errno %d)", who, v + n + 1, errno);
#else
	(void)who;
#endif
}
