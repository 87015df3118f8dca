/* Process descriptors. */
#include "sentry/task/pidfd.h"

#include <stdio.h>

#include "sentry/task/task.h"
#include "sentry/vfs/vfs.h"
#include "syscalls/abi/lx_fcntl.h"
#include "syscalls/abi/lx_poll.h"

static uint32_t pidfd_poll(struct file *f, struct poll_ctx *pc)
{
	struct tgroup *tg = f->priv;

	poll_wait(pc, &tg->exit_wait);
	if (tg->reaped)
		return LX_POLLIN | LX_POLLRDNORM | LX_POLLHUP;
	return tg->zombie ? LX_POLLIN | LX_POLLRDNORM : 0;
}

static void pidfd_release(struct file *f)
{
	tgroup_put(f->priv);
}

static int pidfd_fdinfo(struct file *f, char *buf, size_t size)
{
	const struct tgroup *tg = f->priv;
	int pid = tg->reaped ? -1 : tg->tgid;

	return snprintf(buf, size, "Pid:\t%d\nNSpid:\t%d\n", pid, pid);
}

static const struct file_ops pidfd_ops = {
	.name = "pidfd",
	.poll = pidfd_poll,
	.release = pidfd_release,
	.fdinfo = pidfd_fdinfo,
};

int pidfd_new(struct kernel *k, struct tgroup *tg, uint32_t flags, struct file **out)
{
	struct file *f = file_new_anon(k, &pidfd_ops, "pidfd", 0,
				       FMODE_READ | FMODE_WRITE | FMODE_STREAM,
				       LX_O_RDWR | (flags & LX_O_NONBLOCK), tg);

	if (!f)
		return -LX_ENOMEM;
	tgroup_get(tg);
	*out = f;
	return 0;
}

struct tgroup *pidfd_tgroup(struct file *f)
{
	return f->ops == &pidfd_ops ? f->priv : NULL;
}
