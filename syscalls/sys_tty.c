/* vhangup(2). Terminal ioctls are operations of the files (sentry/fs/tty). */
#include "sentry/fs/tty/tty.h"
#include "sentry/task/task.h"
#include "syscalls/syscall_args.h"

long sys_vhangup(struct task *t, const struct vhangup_args *a)
{
	(void)a;
	return tty_vhangup(t);
}
