/* msgget(2) and msgctl(2). */
#include "sentry/ipc/msg.h"
#include "sentry/ipc/msg_impl.h"
#include "sentry/mm/usercopy.h"
#include "sentry/task/task.h"
#include "syscalls/abi/lx_cap.h"

static void queue_free(struct msg_queue *q)
{
	struct ipc_ns *ns = q->ns;

	ipc_remove(&ns->msgs, &q->perm);
	msg_queue_gone(q);
	ipc_free(ns, q, sizeof(*q));
}

void msg_fini(struct ipc_ns *ns)
{
	for (unsigned i = 0; i < ns->msgs.nslots; i++)
		if (ns->msgs.slot[i])
			queue_free((struct msg_queue *)ns->msgs.slot[i]);
}

long msg_get(struct task *t, int32_t key, uint32_t flags)
{
	struct ipc_ns *ns = ipc_of(t->k);
	struct msg_queue *q;
	struct ipc_perm *p;
	int32_t id;
	int err;

	if (!ns)
		return -LX_ENOMEM;
	err = ipc_lookup_key(&ns->msgs, key, flags, &p);
	if (err)
		return err;
	if (p) {
		err = ipc_check_access(t, p, flags);
		return err ? err : p->id;
	}
	q = ipc_alloc(ns, sizeof(*q));
	if (!q)
		return -LX_ENOMEM;
	q->ns = ns;
	q->qbytes = (uint64_t)ns->lim.msgmnb;
	list_init(&q->messages);
	list_init(&q->receivers);
	list_init(&q->senders);
	id = ipc_add(t, &ns->msgs, &q->perm, key, flags, ns->lim.msgmni);
	if (id < 0)
		ipc_free(ns, q, sizeof(*q));
	return id;
}

/* ---- msgctl ---- */

static long ctl_info(struct task *t, const struct ipc_ns *ns, int32_t cmd, struct uaddr to)
{
	struct lx_msginfo info = {
		.msgpool = LX_MSGPOOL,
		.msgmap = LX_MSGMNB,
		.msgmax = ns->lim.msgmax,
		.msgmnb = ns->lim.msgmnb,
		.msgmni = ns->lim.msgmni,
		.msgssz = LX_MSGSSZ,
		.msgtql = LX_MSGMNB,
		.msgseg = LX_MSGSEG,
	};

	if (cmd == LX_MSG_INFO) {
		info.msgpool = (int32_t)ns->msgs.used;
		info.msgmap = (int32_t)ns->msg_count;
		info.msgtql = (int32_t)ns->msg_bytes;
	}
	return copy_out(t, to, &info, sizeof(info)) ? -LX_EFAULT : ipc_max_index(&ns->msgs);
}

void msg_show(const struct ipc_perm *p, struct lx_msqid64_ds *out)
{
	const struct msg_queue *q = (const struct msg_queue *)p;

	*out = (struct lx_msqid64_ds){
		.stime = q->stime,
		.rtime = q->rtime,
		.ctime = p->ctime,
		.cbytes = q->cbytes,
		.qnum = q->qnum,
		.qbytes = q->qbytes,
		.lspid = q->lspid,
		.lrpid = q->lrpid,
	};
	ipc_show_perm(p, &out->perm);
}

static long ctl_stat(struct task *t, const struct ipc_ns *ns, int32_t id, int32_t cmd,
		     struct uaddr to)
{
	const struct ipc_perm *p = cmd == LX_IPC_STAT ? ipc_by_id(&ns->msgs, id)
						      : ipc_by_index(&ns->msgs, id);
	struct lx_msqid64_ds ds;
	int err;

	if (!p)
		return -LX_EINVAL;
	err = cmd == LX_MSG_STAT_ANY ? 0 : ipc_check_access(t, p, IPC_READ);
	if (err)
		return err;
	msg_show(p, &ds);
	if (copy_out(t, to, &ds, sizeof(ds)))
		return -LX_EFAULT;
	return cmd == LX_IPC_STAT ? 0 : p->id;
}

static long ctl_set(struct task *t, struct msg_queue *q, const struct lx_msqid64_ds *ds)
{
	int err = ipc_check_owner(t, &q->perm);

	if (!err && ds->qbytes > (uint64_t)q->ns->lim.msgmnb &&
	    !task_capable(t, LX_CAP_SYS_RESOURCE))
		err = -LX_EPERM;
	if (!err)
		err = ipc_set_perm(&q->perm, &ds->perm);
	if (err)
		return err;
	q->qbytes = ds->qbytes;
	q->perm.ctime = ipc_now();
	msg_queue_changed(q);
	return 0;
}

long msg_control(struct task *t, int32_t id, int32_t cmd, struct uaddr buf)
{
	struct ipc_ns *ns = ipc_of(t->k);
	struct lx_msqid64_ds ds;
	struct msg_queue *q;
	int err;

	if (!ns)
		return -LX_ENOMEM;
	if (id < 0 || cmd < 0)
		return -LX_EINVAL;
	q = (struct msg_queue *)ipc_by_id(&ns->msgs, id);
	switch (cmd) {
	case LX_IPC_INFO:
	case LX_MSG_INFO:
		return ctl_info(t, ns, cmd, buf);
	case LX_IPC_STAT:
	case LX_MSG_STAT:
	case LX_MSG_STAT_ANY:
		return ctl_stat(t, ns, id, cmd, buf);
	case LX_IPC_SET:
		if (copy_in(t, &ds, buf, sizeof(ds)))
			return -LX_EFAULT;
		return q ? ctl_set(t, q, &ds) : -LX_EINVAL;
	case LX_IPC_RMID:
		err = q ? ipc_check_owner(t, &q->perm) : -LX_EINVAL;
		if (!err)
			queue_free(q);
		return err;
	default:
		return -LX_EINVAL;
	}
}
