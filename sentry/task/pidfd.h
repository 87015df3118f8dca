/* Process descriptors: readable when the process has ended. Kernel lock held. */
#ifndef SENTRY_TASK_PIDFD_H
#define SENTRY_TASK_PIDFD_H

#include <stdint.h>

struct file;
struct kernel;
struct tgroup;

/* flags: LX_O_NONBLOCK or 0. 0 with one reference in *out, or -LX_ENOMEM. */
int pidfd_new(struct kernel *k, struct tgroup *tg, uint32_t flags, struct file **out);
/* The process behind a file (borrowed), or NULL when it is no pidfd. */
struct tgroup *pidfd_tgroup(struct file *f);

#endif
