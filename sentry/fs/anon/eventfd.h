/* eventfd(2): a counter behind a file. */
#ifndef SENTRY_FS_ANON_EVENTFD_H
#define SENTRY_FS_ANON_EVENTFD_H

#include <stdbool.h>
#include <stdint.h>

struct file;
struct kernel;

/* A counter that starts at initval. *out has one reference. 0, -LX_ENOMEM. */
int eventfd_open(struct kernel *k, uint32_t initval, bool semaphore, bool nonblock,
		 struct file **out);

bool file_is_eventfd(const struct file *f);
/* Count one up, unless it is at its highest. */
void eventfd_signal(struct file *f);

#endif
