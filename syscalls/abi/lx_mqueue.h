/* POSIX message queues (mq_overview(7)), x86-64. */
#ifndef SYSCALLS_ABI_LX_MQUEUE_H
#define SYSCALLS_ABI_LX_MQUEUE_H

#include <stdint.h>

#define LX_MQ_PRIO_MAX 32768u
#define LX_MQUEUE_MAGIC 0x19800202u

/* Defaults, and what a privileged process may go to. */
#define LX_MQ_QUEUES_MAX 256
#define LX_MQ_MSG_MAX 10
#define LX_MQ_MSGSIZE_MAX 8192
#define LX_MQ_HARD_MSG_MAX 65536
#define LX_MQ_HARD_MSGSIZE_MAX (16 * 1024 * 1024)
#define LX_MQ_MIN_MSGSIZE_MAX 128

/* RLIMIT_MSGQUEUE: what the kernel's own structures count for. */
#define LX_MQ_MSG_OVERHEAD 48u	/* struct msg_msg */
#define LX_MQ_NODE_OVERHEAD 48u /* struct posix_msg_tree_node */

#define LX_MQ_NOTIFY_COOKIE_LEN 32u
#define LX_MQ_NOTIFY_WOKENUP 1
#define LX_MQ_NOTIFY_REMOVED 2

struct lx_mq_attr {
	int64_t flags, maxmsg, msgsize, curmsgs, reserved[4];
};
_Static_assert(sizeof(struct lx_mq_attr) == 64, "struct mq_attr");

#endif
