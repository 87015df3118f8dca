/* See forbidden_host.c. */
#ifndef PLATFORM_BASE_FORBIDDEN_H
#define PLATFORM_BASE_FORBIDDEN_H

/* Debug builds: if the environment asks it of this process ("sentry", "gofer"), try a
 * host call that its filter must not allow. Call once the filter stands. */
void forbidden_call_test(const char *who);

#endif
