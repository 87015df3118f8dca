/* Signal-driven input and output (O_ASYNC): who owns a file, and the signal it gets when
 * the file's wait queues fire.
 *
 * A file with O_ASYNC keeps a waiter on every queue that its poll operation names. The
 * waiter belongs to the open file, and goes with the flag or with the file. A signal that
 * comes without need is harmless, as it is in Linux: the owner looks for itself. */
#include <stdlib.h>

#include "sentry/cred/cred.h"
#include "sentry/signal/signal.h"
#include "sentry/task/pid.h"
#include "sentry/task/task.h"
#include "sentry/vfs/file_io.h"
#include "syscalls/abi/lx_fcntl.h"
#include "syscalls/abi/lx_poll.h"
#include "syscalls/abi/lx_signal.h"

struct fasync_waiter {
	struct waiter w;
	struct fasync_waiter *next;
};

struct fasync {
	struct file *file;	/* borrowed: its owner */
	int fd;			/* the number O_ASYNC was set by: si_fd */
	struct fasync_waiter *first;
};

/* ---- the owner ---- */

static bool owner_exists(struct kernel *k, const struct file_owner *o)
{
	AUTO_PUT(task) struct task *t = NULL;
	AUTO_PUT(tgroup) struct tgroup *tg = NULL;

	if (o->pid <= 0)
		return false;
	if (o->type == LX_F_OWNER_PGRP)
		return pgrp_members(k, o->pid) != NULL;
	t = task_lookup(k, o->pid);
	tg = t ? NULL : tgroup_lookup(k, o->pid);
	return t || tg;
}

int file_set_owner(struct task *t, struct file *f, int type, int pid)
{
	struct file_owner o = { .type = type, .pid = pid, .uid = t->cred->uid,
				.euid = t->cred->euid, .sig = f->owner.sig };

	if (pid != 0 && !owner_exists(f->k, &o))
		return -LX_ESRCH;
	f->owner = o;
	return 0;
}

void file_get_owner(struct file *f, int *type, int *pid)
{
	*type = f->owner.type;
	*pid = owner_exists(f->k, &f->owner) ? f->owner.pid : 0;
}

/* ---- the signal ---- */

/* The first of what happened, as si_code, with its si_band. */
static int reason_of(uint32_t events, int32_t *band)
{
	static const struct {
		uint32_t event;
		int code;
		uint32_t band;
	} of[] = {
		{ LX_POLLIN | LX_POLLRDNORM, LX_POLL_CODE_IN,
		  LX_POLLIN | LX_POLLRDNORM },
		{ LX_POLLOUT | LX_POLLWRNORM, LX_POLL_CODE_OUT,
		  LX_POLLOUT | LX_POLLWRNORM | LX_POLLWRBAND },
		{ LX_POLLPRI, LX_POLL_CODE_PRI, LX_POLLPRI | LX_POLLRDBAND },
		{ LX_POLLHUP | LX_POLLRDHUP, LX_POLL_CODE_HUP,
		  LX_POLLHUP | LX_POLLERR },
		{ LX_POLLERR, LX_POLL_CODE_ERR, LX_POLLERR },
	};

	for (size_t i = 0; i < sizeof(of) / sizeof(of[0]); i++) {
		if (!(events & of[i].event))
			continue;
		*band = (int32_t)of[i].band;
		return of[i].code;
	}
	return 0;
}

/* The rule is about who became the owner, not about who wakes the queue. */
static bool may_signal(const struct file_owner *o, const struct cred *c)
{
	return o->euid == 0 || o->euid == c->suid || o->euid == c->uid || o->uid == c->suid ||
	       o->uid == c->uid;
}

/* Signals whose si_code has a meaning of its own must not carry a POLL_ code. */
static bool has_own_codes(int sig)
{
	return sig == LX_SIGILL || sig == LX_SIGFPE || sig == LX_SIGSEGV || sig == LX_SIGBUS ||
	       sig == LX_SIGTRAP || sig == LX_SIGCHLD || sig == LX_SIGSYS;
}

/* To thread t, or to its process. When the chosen signal's queue is full a plain SIGIO
 * tells that something was lost. */
static void send_io(const struct fasync *fa, struct task *t, bool group, uint32_t events)
{
	const struct file_owner *o = &fa->file->owner;
	struct ksiginfo info = { .signo = o->sig, .fd = fa->fd };
	int err = -LX_EAGAIN;

	if (!may_signal(o, t->cred))
		return;
	if (o->sig) {
		info.code = reason_of(events, &info.band);
		if (has_own_codes(o->sig))
			info.code = LX_SI_SIGIO;
		err = group ? signal_send_group(t->tg, o->sig, &info)
			    : signal_send_task(t, o->sig, &info);
	}
	if (!err)
		return;
	if (group)
		signal_send_group(t->tg, LX_SIGIO, NULL);
	else
		signal_send_task(t, LX_SIGIO, NULL);
}

static void send_to_pgrp(const struct fasync *fa, struct kernel *k, uint32_t events)
{
	struct tgroup *tg;

	for (int at = 0; (tg = tgroup_next(k, at)) != NULL; tgroup_put(tg)) {
		at = tg->tgid;
		if (tg->pgid == fa->file->owner.pid && !list_empty(&tg->tasks))
			send_io(fa, list_first(&tg->tasks, struct task, tg_link), true, events);
	}
}

static void fasync_fire(struct waiter *w, uint32_t events)
{
	const struct fasync *fa = w->ctx;
	struct file *f = fa->file;
	const struct file_owner *o = &f->owner;
	int32_t band;

	if (events == 0)
		events = f->ops->poll(f, NULL);
	if (o->pid == 0 || !reason_of(events, &band))
		return;
	if (o->type == LX_F_OWNER_PGRP) {
		send_to_pgrp(fa, f->k, events);
	} else {
		AUTO_PUT(task) struct task *t = task_lookup(f->k, o->pid);

		if (t)
			send_io(fa, t, o->type == LX_F_OWNER_PID, events);
	}
}

/* ---- O_ASYNC ---- */

struct fasync_poll {
	struct poll_ctx pc;
	struct fasync *fa;
	bool failed;
};

static void fasync_enrol(struct poll_ctx *pc, struct waitq *q)
{
	struct fasync_poll *fp = container_of(pc, struct fasync_poll, pc);
	struct fasync_waiter *fw = calloc(1, sizeof(*fw));

	if (!fw) {
		fp->failed = true;
		return;
	}
	fw->next = fp->fa->first;
	fp->fa->first = fw;
	waiter_enrol(q, &fw->w, fasync_fire, fp->fa);
}

void file_fasync_drop(struct file *f)
{
	struct fasync *fa = f->fasync;

	if (!fa)
		return;
	f->fasync = NULL;
	while (fa->first) {
		struct fasync_waiter *fw = fa->first;

		fa->first = fw->next;
		waiter_leave(&fw->w);
		free(fw);
	}
	free(fa);
}

int file_set_async(struct file *f, int fd, bool on)
{
	struct fasync_poll fp = { .pc = { .enrol = fasync_enrol } };

	file_fasync_drop(f);
	if (!on)
		return 0;
	fp.fa = calloc(1, sizeof(*fp.fa));
	if (!fp.fa)
		return -LX_ENOMEM;
	fp.fa->file = f;
	fp.fa->fd = fd;
	f->fasync = fp.fa;
	(void)f->ops->poll(f, &fp.pc);
	if (fp.failed) {
		file_fasync_drop(f);
		return -LX_ENOMEM;
	}
	return 0;
}
