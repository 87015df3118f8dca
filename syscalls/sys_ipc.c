/* System V IPC: semaphores, message queues, shared memory. */
#include "sentry/ipc/msg.h"
#include "sentry/ipc/sem.h"
#include "sentry/ipc/shm.h"
#include "sentry/mm/usercopy.h"
#include "sentry/task/task.h"
#include "sentry/time/clock.h"
#include "syscalls/syscall_args.h"

long sys_semget(struct task *t, const struct semget_args *a)
{
	return sem_get(t, a->key, a->nsems, a->semflg);
}

long sys_semop(struct task *t, const struct semop_args *a)
{
	return sem_op(t, a->semid, a->tsops, a->nsops, NULL);
}

long sys_semtimedop(struct task *t, const struct semtimedop_args *a)
{
	bool timed = a->timeout.v && !sem_waiting(t);
	struct lx_timespec ts;

	if (timed && copy_in(t, &ts, a->timeout, sizeof(ts)))
		return -LX_EFAULT;
	return sem_op(t, a->semid, a->tsops, a->nsops, timed ? &ts : NULL);
}

long sys_semctl(struct task *t, const struct semctl_args *a)
{
	return sem_control(t, a->semid, a->semnum, a->cmd, a->arg);
}

long sys_msgget(struct task *t, const struct msgget_args *a)
{
	return msg_get(t, a->key, a->msgflg);
}

long sys_msgsnd(struct task *t, const struct msgsnd_args *a)
{
	return msg_send(t, a->msqid, a->msgp, a->msgsz, a->msgflg);
}

long sys_msgrcv(struct task *t, const struct msgrcv_args *a)
{
	return msg_receive(t, a->msqid, a->msgp, a->msgsz, a->msgtyp, a->msgflg);
}

long sys_msgctl(struct task *t, const struct msgctl_args *a)
{
	return msg_control(t, a->msqid, a->cmd, a->buf);
}

long sys_shmget(struct task *t, const struct shmget_args *a)
{
	return shm_get(t, a->key, a->size, a->shmflg);
}

long sys_shmat(struct task *t, const struct shmat_args *a)
{
	return shm_attach(t, a->shmid, a->shmaddr.v, a->shmflg);
}

long sys_shmdt(struct task *t, const struct shmdt_args *a)
{
	return shm_detach(t, a->shmaddr.v);
}

long sys_shmctl(struct task *t, const struct shmctl_args *a)
{
	return shm_control(t, a->shmid, a->cmd, a->buf);
}
