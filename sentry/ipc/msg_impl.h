/* Between msg.c (sending and receiving) and msg_ctl.c (queues). */
#ifndef SENTRY_IPC_MSG_IMPL_H
#define SENTRY_IPC_MSG_IMPL_H

#include "platform/base/list.h"
#include "sentry/ipc/ipc.h"
#include "syscalls/abi/lx_msg.h"

struct msg_queue {
	struct ipc_perm perm;
	struct ipc_ns *ns;
	int64_t stime, rtime;
	uint64_t cbytes, qnum, qbytes;
	int32_t lspid, lrpid;
	struct list messages;	/* struct msg */
	struct list receivers, senders; /* struct msg_wait, oldest first */
};

/* The queue is about to be freed: messages go, waiters get EIDRM. */
void msg_queue_gone(struct msg_queue *q);
/* Permissions or the limit changed: whoever waits looks again. */
void msg_queue_changed(struct msg_queue *q);

#endif
