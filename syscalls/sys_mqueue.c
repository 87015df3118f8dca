/* POSIX message queues. */
#include "sentry/ipc/mqueue.h"
#include "sentry/mm/usercopy.h"
#include "sentry/task/task.h"
#include "sentry/time/clock.h"
#include "sentry/vfs/vfs.h"
#include "syscalls/abi/lx_fcntl.h"
#include "syscalls/abi/lx_signal.h"
#include "syscalls/abi/lx_time.h"
#include "syscalls/syscall_args.h"

long sys_mq_open(struct task *t, const struct mq_open_args *a)
{
	AUTO_FREE char *name = NULL;
	AUTO_PUT(file) struct file *f = NULL;
	struct lx_mq_attr attr;
	int err;

	if (a->u_attr.v && copy_in(t, &attr, a->u_attr, sizeof(attr)))
		return -LX_EFAULT;
	err = copy_in_path(t, a->u_name, &name);
	if (!err)
		err = mqueue_open(t, name, a->oflag, a->mode, a->u_attr.v ? &attr : NULL, &f);
	return err ? err : fdtable_add(t, f, FD_CLOEXEC_FLAG);
}

long sys_mq_unlink(struct task *t, const struct mq_unlink_args *a)
{
	AUTO_FREE char *name = NULL;
	int err = copy_in_path(t, a->u_name, &name);

	return err ? err : mqueue_unlink(t, name);
}

long sys_mq_timedsend(struct task *t, const struct mq_timedsend_args *a)
{
	int err = deadline_start(t, a->u_abs_timeout, LX_CLOCK_REALTIME);

	return err ? err : mqueue_send(t, a->mqdes, a->u_msg_ptr, a->msg_len, a->msg_prio);
}

long sys_mq_timedreceive(struct task *t, const struct mq_timedreceive_args *a)
{
	int err = deadline_start(t, a->u_abs_timeout, LX_CLOCK_REALTIME);

	return err ? err : mqueue_receive(t, a->mqdes, a->u_msg_ptr, a->msg_len, a->u_msg_prio);
}

long sys_mq_notify(struct task *t, const struct mq_notify_args *a)
{
	struct lx_sigevent ev;

	if (a->u_notification.v && copy_in(t, &ev, a->u_notification, sizeof(ev)))
		return -LX_EFAULT;
	return mqueue_notify(t, a->mqdes, a->u_notification.v ? &ev : NULL);
}

long sys_mq_getsetattr(struct task *t, const struct mq_getsetattr_args *a)
{
	struct lx_mq_attr new, old;
	long r;

	if (a->u_mqstat.v && copy_in(t, &new, a->u_mqstat, sizeof(new)))
		return -LX_EFAULT;
	r = mqueue_getset(t, a->mqdes, a->u_mqstat.v ? &new : NULL, &old);
	if (!r && a->u_omqstat.v && copy_out(t, a->u_omqstat, &old, sizeof(old)))
		return -LX_EFAULT;
	return r;
}
