/* signalfd objects. They belong to no process: who reads gets its own signals, which is
 * what a forked child expects. Epoll asks from other threads, too; then the creator's
 * process answers. */
#include "sentry/signal/signalfd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sentry/signal/signal_impl.h"
#include "sentry/vfs/vfs.h"
#include "syscalls/abi/lx_fcntl.h"
#include "syscalls/abi/lx_poll.h"

struct signalfd {
	sigset64 set;
	struct tgroup *creator; /* one reference */
};

static struct task *reader(const struct signalfd *s)
{
	return task_current != NULL ? task_current : tgroup_main(s->creator);
}

static void encode(const struct ksiginfo *in, struct lx_signalfd_siginfo *out)
{
	memset(out, 0, sizeof(*out));
	out->signo = (uint32_t)in->signo;
	out->err = in->errno_;
	out->code = in->code;
	out->pid = (uint32_t)in->pid;
	out->uid = in->uid;
	out->fd = in->fd;
	out->tid = (uint32_t)in->timerid;
	out->band = (uint32_t)in->band;
	out->overrun = (uint32_t)in->overrun;
	out->status = in->status;
	out->ssi_int = (int32_t)in->value;
	out->ptr = in->value;
	out->utime = (uint64_t)in->utime;
	out->stime = (uint64_t)in->stime;
	out->addr = in->addr;
	out->addr_lsb = in->addr_lsb;
	out->syscall = in->syscall;
	out->call_addr = in->call_addr;
	out->arch = in->arch;
}

static int64_t signalfd_read(struct file *f, struct uio *u, int64_t *pos, uint32_t rwf)
{
	struct signalfd *s = f->priv;
	struct task *t = reader(s);
	int64_t done = 0;

	(void)pos;
	(void)rwf;
	if (u->resid < sizeof(struct lx_signalfd_siginfo))
		return -LX_EINVAL;
	if (t == NULL)
		return -LX_EAGAIN;
	while (u->resid >= sizeof(struct lx_signalfd_siginfo)) {
		struct lx_signalfd_siginfo out;
		struct ksiginfo info;
		long n;

		if (!signal_dequeue(t, s->set, &info))
			return done != 0 ? done : -LX_EAGAIN;
		encode(&info, &out);
		n = uio_to_user(u, &out, sizeof(out));
		if (n != (long)sizeof(out))
			return done != 0 ? done : -LX_EFAULT;
		done += n;
	}
	return done;
}

static uint32_t signalfd_poll(struct file *f, struct poll_ctx *pc)
{
	struct signalfd *s = f->priv;
	struct task *t = reader(s);

	if (t == NULL)
		return 0;
	poll_wait(pc, task_signal_waitq(t));
	return (signal_pending_set(t) & s->set) != 0 ? LX_POLLIN | LX_POLLRDNORM : 0;
}

static void signalfd_release(struct file *f)
{
	struct signalfd *s = f->priv;

	tgroup_put(s->creator);
	free(s);
}

static int signalfd_fdinfo(struct file *f, char *buf, size_t size)
{
	const struct signalfd *s = f->priv;

	return snprintf(buf, size, "sigmask:\t%016llx\n", (unsigned long long)s->set);
}

static const struct file_ops signalfd_ops = {
	.name = "signalfd",
	.read = signalfd_read,
	.poll = signalfd_poll,
	.seek = file_seek_nowhere,
	.release = signalfd_release,
	.fdinfo = signalfd_fdinfo,
};

int signalfd_open(struct task *t, sigset64 set, uint32_t flags, struct file **out)
{
	struct signalfd *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return -LX_ENOMEM;
	s->set = set & ~SIGSET_KERNEL_ONLY;
	s->creator = t->tg;
	*out = file_new_anon(t->k, &signalfd_ops, "signalfd", 0,
			     FMODE_READ | FMODE_WRITE | FMODE_STREAM, flags | LX_O_RDWR, s);
	if (*out == NULL) {
		free(s);
		return -LX_ENOMEM;
	}
	tgroup_get(t->tg);
	return 0;
}

int signalfd_set(struct file *f, sigset64 set)
{
	struct signalfd *s = f->priv;

	if (f->ops != &signalfd_ops)
		return -LX_EINVAL;
	s->set = set & ~SIGSET_KERNEL_ONLY;
	if (task_current != NULL)
		waitq_wake(task_signal_waitq(task_current), LX_POLLIN);
	return 0;
}
