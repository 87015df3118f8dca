/* eventfd(2). */
#include "sentry/fs/anon/eventfd.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "sentry/vfs/vfs.h"
#include "syscalls/abi/lx_fcntl.h"
#include "syscalls/abi/lx_poll.h"

struct eventfd {
	uint64_t count;
	bool semaphore;
	struct waitq q;
};

static int64_t eventfd_read(struct file *f, struct uio *u, int64_t *pos, uint32_t rwf)
{
	struct eventfd *e = f->priv;
	uint64_t v = e->semaphore ? 1 : e->count;
	long n;

	(void)pos;
	(void)rwf;
	if (u->resid < sizeof(v))
		return -LX_EINVAL;
	if (e->count == 0)
		return -LX_EAGAIN;
	n = uio_to_user(u, &v, sizeof(v));
	if (n != sizeof(v))
		return -LX_EFAULT;
	e->count -= v;
	waitq_wake(&e->q, LX_POLLOUT | LX_POLLWRNORM);
	return n;
}

static int64_t eventfd_write(struct file *f, struct uio *u, int64_t *pos, uint32_t rwf)
{
	struct eventfd *e = f->priv;
	uint64_t v;

	(void)pos;
	(void)rwf;
	if (u->resid < sizeof(v))
		return -LX_EINVAL;
	if (uio_from_user(u, &v, sizeof(v)) != sizeof(v))
		return -LX_EFAULT;
	if (v == UINT64_MAX)
		return -LX_EINVAL;
	if (v >= UINT64_MAX - e->count) {
		uio_revert(u, sizeof(v));
		return -LX_EAGAIN;
	}
	e->count += v;
	waitq_wake(&e->q, LX_POLLIN | LX_POLLRDNORM);
	return sizeof(v);
}

static uint32_t eventfd_poll(struct file *f, struct poll_ctx *pc)
{
	struct eventfd *e = f->priv;
	uint32_t ev = 0;

	poll_wait(pc, &e->q);
	if (e->count > 0)
		ev |= LX_POLLIN;
	if (e->count < UINT64_MAX - 1)
		ev |= LX_POLLOUT;
	return ev;
}

static int eventfd_fdinfo(struct file *f, char *buf, size_t size)
{
	const struct eventfd *e = f->priv;

	return snprintf(buf, size, "eventfd-count: %16" PRIx64 "\neventfd-semaphore: %d\n",
			e->count, e->semaphore);
}

static void eventfd_release(struct file *f)
{
	struct eventfd *e = f->priv;

	waitq_fini(&e->q);
	free(e);
}

static const struct file_ops eventfd_ops = {
	.name = "eventfd",
	.read = eventfd_read,
	.write = eventfd_write,
	.poll = eventfd_poll,
	.seek = file_seek_nowhere,
	.fdinfo = eventfd_fdinfo,
	.release = eventfd_release,
};

int eventfd_open(struct kernel *k, uint32_t initval, bool semaphore, bool nonblock,
		 struct file **out)
{
	struct eventfd *e = calloc(1, sizeof(*e));

	if (e == NULL)
		return -LX_ENOMEM;
	e->count = initval;
	e->semaphore = semaphore;
	waitq_init(&e->q);
	*out = file_new_anon(k, &eventfd_ops, "eventfd", 0,
			     FMODE_READ | FMODE_WRITE | FMODE_STREAM,
			     LX_O_RDWR | (nonblock ? LX_O_NONBLOCK : 0), e);
	if (*out == NULL) {
		free(e);
		return -LX_ENOMEM;
	}
	return 0;
}

bool file_is_eventfd(const struct file *f)
{
	return f->ops == &eventfd_ops;
}

void eventfd_signal(struct file *f)
{
	struct eventfd *e = f->priv;

	if (e->count < UINT64_MAX - 1)
		e->count++;
	waitq_wake(&e->q, LX_POLLIN | LX_POLLRDNORM);
}
