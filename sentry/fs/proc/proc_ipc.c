/* /proc/sysvipc, and the settings of System V IPC and POSIX message queues. */
#include <inttypes.h>
#include <stdio.h>

#include "sentry/fs/proc/proc_impl.h"
#include "sentry/ipc/ipc.h"
#include "sentry/ipc/msg.h"
#include "sentry/ipc/sem.h"
#include "sentry/ipc/shm.h"
#include "syscalls/abi/lx_mqueue.h"
#include "syscalls/abi/lx_msg.h"
#include "syscalls/abi/lx_sem.h"
#include "syscalls/abi/lx_shm.h"

/* ---- settings ---- */

static const struct {
	size_t off;
	int64_t min, max;
} ints[] = {
#define SETTING(id, field, min, max) [id] = { offsetof(struct ipc_limits, field), min, max }
	SETTING(PROC_IPC_MSGMAX, msgmax, 0, INT32_MAX),
	SETTING(PROC_IPC_MSGMNB, msgmnb, 0, INT32_MAX),
	SETTING(PROC_IPC_MSGMNI, msgmni, 0, LX_IPCMNI),
	SETTING(PROC_IPC_SHMMNI, shmmni, 0, LX_IPCMNI),
	SETTING(PROC_IPC_SHM_RMID_FORCED, shm_rmid_forced, 0, 1),
	SETTING(PROC_IPC_MQ_QUEUES_MAX, mq_queues_max, 0, INT32_MAX),
	SETTING(PROC_IPC_MQ_MSG_MAX, mq_msg_max, 1, LX_MQ_HARD_MSG_MAX),
	SETTING(PROC_IPC_MQ_MSGSIZE_MAX, mq_msgsize_max, LX_MQ_MIN_MSGSIZE_MAX,
		LX_MQ_HARD_MSGSIZE_MAX),
	SETTING(PROC_IPC_MQ_MSG_DEFAULT, mq_msg_default, 1, LX_MQ_HARD_MSG_MAX),
	SETTING(PROC_IPC_MQ_MSGSIZE_DEFAULT, mq_msgsize_default, LX_MQ_MIN_MSGSIZE_MAX,
		LX_MQ_HARD_MSGSIZE_MAX),
#undef SETTING
};

int proc_show_ipc(struct pseudo_node *n, struct pseudo_buf *b)
{
	const struct ipc_limits *l = ipc_limits(proc_kernel(n));

	switch (n->e->arg) {
	case PROC_IPC_SEM:
		pb_printf(b, "%d\t%d\t%d\t%d\n", l->sem[0], l->sem[1], l->sem[2], l->sem[3]);
		break;
	case PROC_IPC_SHMMAX:
		pb_printf(b, "%" PRIu64 "\n", l->shmmax);
		break;
	case PROC_IPC_SHMALL:
		pb_printf(b, "%" PRIu64 "\n", l->shmall);
		break;
	default:
		pb_printf(b, "%d\n",
			  *(const int32_t *)(const void *)((const char *)l +
							   ints[n->e->arg].off));
	}
	return 0;
}

/* As proc_dointvec does: as many of the four as are given. */
static int write_sem(struct ipc_limits *l, const char *text)
{
	int32_t v[4] = { l->sem[0], l->sem[1], l->sem[2], l->sem[3] };

	if (sscanf(text, "%" SCNd32 " %" SCNd32 " %" SCNd32 " %" SCNd32, &v[0], &v[1], &v[2],
		   &v[3]) < 1)
		return -LX_EINVAL;
	for (int i = 0; i < 4; i++)
		if (v[i] < 0)
			return -LX_EINVAL;
	if (v[3] > (int32_t)LX_IPCMNI)
		return -LX_ERANGE;
	for (int i = 0; i < 4; i++)
		l->sem[i] = v[i];
	return 0;
}

static int write_u64(uint64_t *to, const char *text)
{
	uint64_t v;

	if (sscanf(text, "%" SCNu64, &v) != 1)
		return -LX_EINVAL;
	*to = v;
	return 0;
}

int64_t proc_write_ipc(struct pseudo_node *n, char *text, size_t len)
{
	struct ipc_ns *ns = ipc_of(proc_kernel(n));
	uint64_t id = n->e->arg;
	int64_t v;
	int err;

	if (!ns)
		return -LX_ENOMEM;
	switch (id) {
	case PROC_IPC_SEM:
		err = write_sem(&ns->lim, text);
		break;
	case PROC_IPC_SHMMAX:
		err = write_u64(&ns->lim.shmmax, text);
		break;
	case PROC_IPC_SHMALL:
		err = write_u64(&ns->lim.shmall, text);
		break;
	default:
		err = pseudo_parse_i64(text, &v);
		if (!err && (v < ints[id].min || v > ints[id].max))
			err = -LX_EINVAL;
		if (!err)
			*(int32_t *)(void *)((char *)&ns->lim + ints[id].off) = (int32_t)v;
	}
	if (!err && id == PROC_IPC_SHM_RMID_FORCED && ns->lim.shm_rmid_forced)
		shm_rmid_forced(ns);
	return err ? err : (int64_t)len;
}

const struct pseudo_entry proc_mqueue_children[] = {
	PROC_IPC_FILE("queues_max", PROC_IPC_MQ_QUEUES_MAX),
	PROC_IPC_FILE("msg_max", PROC_IPC_MQ_MSG_MAX),
	PROC_IPC_FILE("msgsize_max", PROC_IPC_MQ_MSGSIZE_MAX),
	PROC_IPC_FILE("msg_default", PROC_IPC_MQ_MSG_DEFAULT),
	PROC_IPC_FILE("msgsize_default", PROC_IPC_MQ_MSGSIZE_DEFAULT),
	{ 0 },
};

/* ---- /proc/sysvipc ---- */

static void sem_line(struct pseudo_buf *b, const struct ipc_perm *p)
{
	struct lx_semid64_ds d;

	sem_show(p, &d);
	pb_printf(b, "%10d %10d  %4o %10" PRIu64 " %5u %5u %5u %5u %10" PRId64 " %10" PRId64 "\n",
		  p->key, p->id, p->mode, d.nsems, p->uid, p->gid, p->cuid, p->cgid, d.otime,
		  d.ctime);
}

static void msg_line(struct pseudo_buf *b, const struct ipc_perm *p)
{
	struct lx_msqid64_ds d;

	msg_show(p, &d);
	pb_printf(b,
		  "%10d %10d  %4o  %10" PRIu64 " %10" PRIu64 " %5u %5u %5u %5u %5u %5u %10" PRId64
		  " %10" PRId64 " %10" PRId64 "\n",
		  p->key, p->id, p->mode, d.cbytes, d.qnum, (uint32_t)d.lspid, (uint32_t)d.lrpid,
		  p->uid, p->gid, p->cuid, p->cgid, d.stime, d.rtime, d.ctime);
}

static void shm_line(struct pseudo_buf *b, const struct ipc_perm *p)
{
	struct lx_shmid64_ds d;
	uint64_t rss;

	shm_show(p, &d, &rss);
	pb_printf(b,
		  "%10d %10d  %4o %21" PRIu64 " %5u %5u  %5" PRIu64 " %5u %5u %5u %5u %10" PRId64
		  " %10" PRId64 " %10" PRId64 " %21" PRIu64 " %21u\n",
		  p->key, p->id, p->mode, d.segsz, (uint32_t)d.cpid, (uint32_t)d.lpid, d.nattch,
		  p->uid, p->gid, p->cuid, p->cgid, d.atime, d.dtime, d.ctime, rss, 0u);
}

static void lines(struct pseudo_buf *b, const struct ipc_ids *ids,
		  void (*line)(struct pseudo_buf *, const struct ipc_perm *))
{
	for (unsigned i = 0; i < ids->nslots; i++)
		if (ids->slot[i])
			line(b, ids->slot[i]);
}

static int show_sem(struct pseudo_node *n, struct pseudo_buf *b)
{
	const struct ipc_ns *ns = proc_kernel(n)->ipc;

	pb_puts(b, "       key      semid perms      nsems   uid   gid  cuid  cgid"
		   "      otime      ctime\n");
	if (ns)
		lines(b, &ns->sems, sem_line);
	return 0;
}

static int show_msg(struct pseudo_node *n, struct pseudo_buf *b)
{
	const struct ipc_ns *ns = proc_kernel(n)->ipc;

	pb_puts(b, "       key      msqid perms      cbytes       qnum lspid lrpid"
		   "   uid   gid  cuid  cgid      stime      rtime      ctime\n");
	if (ns)
		lines(b, &ns->msgs, msg_line);
	return 0;
}

static int show_shm(struct pseudo_node *n, struct pseudo_buf *b)
{
	const struct ipc_ns *ns = proc_kernel(n)->ipc;

	pb_puts(b, "       key      shmid perms                  size  cpid  lpid nattch"
		   "   uid   gid  cuid  cgid      atime      dtime      ctime"
		   "                   rss                  swap\n");
	if (ns)
		lines(b, &ns->shms, shm_line);
	return 0;
}

const struct pseudo_entry proc_sysvipc_children[] = {
	PSEUDO_REG("sem", 0444, .show = show_sem),
	PSEUDO_REG("msg", 0444, .show = show_msg),
	PSEUDO_REG("shm", 0444, .show = show_shm),
	{ 0 },
};
