/* pipe(2) and eventfd(2). */
#include "sentry/fs/anon/eventfd.h"
#include "sentry/fs/pipe/pipe.h"
#include "sentry/mm/usercopy.h"
#include "sentry/task/task.h"
#include "sentry/vfs/vfs.h"
#include "syscalls/abi/lx_epoll.h"
#include "syscalls/abi/lx_fcntl.h"
#include "syscalls/syscall_args.h"

/* Both descriptors or none. */
static long install_pair(struct task *t, struct file *ends[2], uint32_t fdflags,
			 struct uaddr out)
{
	int32_t fd[2];
	int err;

	fd[0] = fdtable_add(t, ends[0], fdflags);
	if (fd[0] < 0)
		return fd[0];
	fd[1] = fdtable_add(t, ends[1], fdflags);
	err = fd[1] < 0 ? fd[1] : copy_out(t, out, fd, sizeof(fd));
	if (err == 0)
		return 0;
	if (fd[1] >= 0)
		(void)fdtable_close(t, fd[1]);
	(void)fdtable_close(t, fd[0]);
	return err;
}

static long do_pipe(struct task *t, struct uaddr fildes, uint32_t flags)
{
	struct file *ends[2];
	long err;

	if (flags & LX_O_EXCL) /* O_NOTIFICATION_PIPE */
		return -LX_ENOPKG;
	if (flags & ~(LX_O_CLOEXEC | LX_O_NONBLOCK | LX_O_DIRECT))
		return -LX_EINVAL;
	err = pipe_new(t->k, flags, ends);
	if (err)
		return err;
	err = install_pair(t, ends, flags & LX_O_CLOEXEC ? FD_CLOEXEC_FLAG : 0, fildes);
	file_put(ends[0]);
	file_put(ends[1]);
	return err;
}

long sys_pipe(struct task *t, const struct pipe_args *a)
{
	return do_pipe(t, a->fildes, 0);
}

long sys_pipe2(struct task *t, const struct pipe2_args *a)
{
	return do_pipe(t, a->fildes, a->flags);
}

static long do_eventfd(struct task *t, uint32_t count, uint32_t flags)
{
	AUTO_PUT(file) struct file *f = NULL;
	int err;

	if (flags & ~(LX_EFD_SEMAPHORE | LX_EFD_CLOEXEC | LX_EFD_NONBLOCK))
		return -LX_EINVAL;
	err = eventfd_open(t->k, count, flags & LX_EFD_SEMAPHORE, flags & LX_EFD_NONBLOCK, &f);
	if (err)
		return err;
	return fdtable_add(t, f, flags & LX_EFD_CLOEXEC ? FD_CLOEXEC_FLAG : 0);
}

long sys_eventfd(struct task *t, const struct eventfd_args *a)
{
	return do_eventfd(t, a->count, 0);
}

long sys_eventfd2(struct task *t, const struct eventfd2_args *a)
{
	return do_eventfd(t, a->count, a->flags);
}
