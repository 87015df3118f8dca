/* Descriptors in messages (SCM_RIGHTS): parsing, the books of what is in flight, and
 * freeing without recursion. Private to sentry/net. */
#ifndef SENTRY_NET_SCM_H
#define SENTRY_NET_SCM_H

#include <stdbool.h>
#include <stdint.h>

#include "platform/base/list.h"
#include "syscalls/abi/lx_socket.h"

struct file;
struct kernel_net;
struct task;

struct scm {
	struct list link;	/* in kernel_net.dead */
	uint32_t uid;		/* whose it is while in flight */
	bool inflight;
	unsigned count;
	struct file *files[];	/* one reference each */
};

/* Parse what came with a send. *cred: the sender's, or what it claims and may claim.
 * *out: descriptors (owned by the caller), NULL when none. 0, -LX_EINVAL, -LX_EBADF,
 * -LX_EPERM, -LX_ENOMEM, -LX_ETOOMANYREFS. */
int scm_parse(struct task *t, const uint8_t *ctl, uint32_t len, struct lx_ucred *cred,
	      struct scm **out);
/* A copy with its own references, for MSG_PEEK; NULL: out of memory. */
struct scm *scm_dup(const struct scm *s);
/* Put a message's descriptors in flight: -LX_ETOOMANYREFS, -LX_ENOMEM. */
int scm_launch(struct task *t, struct kernel_net *n, struct scm *s);
/* They are no longer in flight; the caller owns them. */
void scm_land(struct kernel_net *n, struct scm *s);
/* Drop the references (and land). Dropping one may free further sockets with descriptors
 * in their queues, to any depth: those wait in kernel_net.dead for the outermost call. */
void scm_free(struct kernel_net *n, struct scm *s);

/* Free the sockets that only messages in each other's queues keep alive. */
void unix_gc(struct kernel_net *n);

#endif
