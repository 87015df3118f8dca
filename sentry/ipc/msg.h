/* System V message queues. Kernel lock held throughout. */
#ifndef SENTRY_IPC_MSG_H
#define SENTRY_IPC_MSG_H

#include <stdint.h>

#include "syscalls/abi/lx_types.h"

struct ipc_ns;
struct ipc_perm;
struct lx_msqid64_ds;
struct task;

/* msgget(2), msgsnd(2), msgrcv(2), msgctl(2): results as for the guest. msgp leads to a
 * long and the text. */
long msg_get(struct task *t, int32_t key, uint32_t flags);
long msg_send(struct task *t, int32_t id, struct uaddr msgp, uint64_t size, uint32_t flags);
long msg_receive(struct task *t, int32_t id, struct uaddr msgp, uint64_t size, int64_t type,
		 uint32_t flags);
long msg_control(struct task *t, int32_t id, int32_t cmd, struct uaddr buf);

/* For /proc/sysvipc/msg. */
void msg_show(const struct ipc_perm *p, struct lx_msqid64_ds *out);
void msg_fini(struct ipc_ns *ns);

#endif
