/* Between mqueue.c (messages) and mqueue_fs.c (the file system). */
#ifndef SENTRY_IPC_MQUEUE_IMPL_H
#define SENTRY_IPC_MQUEUE_IMPL_H

#include <bsd/sys/tree.h>

#include "platform/base/list.h"
#include "sentry/ipc/ipc.h"
#include "sentry/ipc/mqueue.h"
#include "sentry/vfs/vfs.h"

struct tgroup;

struct mq_msg {
	RB_ENTRY(mq_msg) node;	/* highest priority first, then oldest */
	uint64_t seq;
	uint32_t prio;
	uint64_t size;
	uint8_t text[];
};
RB_HEAD(mq_msgs, mq_msg);

/* Who is told when a message comes to an empty queue. */
struct mq_notify {
	struct tgroup *owner;	/* one reference; NULL: nobody */
	int how, signo;		/* LX_SIGEV_* */
	uint64_t value;
	struct file *sock;	/* SIGEV_THREAD: one reference to a netlink socket */
	uint8_t cookie[LX_MQ_NOTIFY_COOKIE_LEN];
};

struct mqueue {
	struct inode vfs;	/* first */
	struct ipc_ns *ns;
	struct list all;	/* in ns->mq_all */
	uint32_t uid;		/* whose RLIMIT_MSGQUEUE it counts for */
	uint64_t charge;	/* and how much */
	int64_t maxmsg, msgsize, curmsgs;
	uint64_t bytes, next_seq;
	struct mq_msgs msgs;
	struct list senders, receivers; /* struct mq_wait, who comes first first */
	struct waitq wq;	/* polls */
	struct mq_notify notify;
};

extern const struct file_ops mqueue_file_ops;

static inline struct mqueue *mqueue_of(struct inode *i)
{
	return container_of(i, struct mqueue, vfs);
}

/* ---- mqueue.c ---- */
void mqueue_init(struct mqueue *q);
/* No file and no name is left. */
void mqueue_gone(struct mqueue *q);
/* The registered process gives up, or is gone: a SIGEV_THREAD helper is told. */
void mqueue_notify_drop(struct mqueue *q);

/* ---- mqueue_fs.c ---- */
/* A time stamp of Linux's simple kind. */
void mqueue_touch(struct inode *i, bool modified);

#endif
