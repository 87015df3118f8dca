/* SECCOMP_RET_USER_NOTIF: the listener's file, and calls that wait for its answer
 * (seccomp_unotify(2)). A waiting call is a parked task with a struct seccomp_notif. */
#include <stdlib.h>
#include <string.h>

#include "sentry/seccomp/seccomp_impl.h"
#include "sentry/signal/signal.h"
#include "sentry/task/task.h"
#include "sentry/vfs/vfs.h"
#include "syscalls/abi/lx_fcntl.h"
#include "syscalls/abi/lx_poll.h"
#include "syscalls/abi/syscall_table.h"

#define PAGE 4096
#define NR_RESTART_SYSCALL 219

/* ---- the call that waits ---- */

void seccomp_notif_drop(struct task *t)
{
	struct seccomp_notif *n = t->seccomp_notif;

	if (!n)
		return;
	t->seccomp_notif = NULL;
	list_del_init(&n->link);
	seccomp_filter_put(n->f);
	free(n);
}

/* The listener lets the call go on. Filters are not asked again. */
static long go_on(struct task *t)
{
	if (t->restart_fn && (uint32_t)t->sysno == NR_RESTART_SYSCALL) {
		t->call_fn = t->restart_fn;
		return t->call_fn(t);
	}
	t->call_fn = NULL;
	t->restart.started = false;
	return t->k->table->dispatch(t, t->sysno, t->sysargs);
}

/* Stands in for the handler until there is an answer. */
static long wait_answer(struct task *t)
{
	const struct seccomp_notif *n = t->seccomp_notif;
	bool go = n->flags & LX_SECCOMP_USER_NOTIF_FLAG_CONTINUE;
	int64_t value = n->error ? n->error : n->val;
	long r;

	if (n->state != NOTIF_REPLIED) {
		/* Once received, such a call is ended by death alone. */
		if (n->f->wait_killable && n->state == NOTIF_SENT)
			return -LX_EPARK;
		r = task_park(t, LX_ERESTARTSYS);
		if (r != -LX_EPARK)
			seccomp_notif_drop(t);
		return r;
	}
	seccomp_notif_drop(t);
	return go ? go_on(t) : seccomp_raw_result(t, value);
}

long seccomp_ask(struct task *t, struct seccomp_filter *f, const struct lx_seccomp_data *d)
{
	struct seccomp_listener *l = f->listener;
	struct seccomp_notif *n;

	if (!l)
		return -LX_ENOSYS;
	n = calloc(1, sizeof(*n));
	if (!n)
		return -LX_ENOMEM;
	seccomp_filter_get(f);
	n->f = f;
	n->t = t;
	n->state = NOTIF_INIT;
	n->id = l->next_id++;
	n->data = *d;
	list_push_back(&l->notifs, &n->link);
	t->seccomp_notif = n;
	t->call_fn = wait_answer;
	waitq_wake(&f->wq, LX_POLLIN | LX_POLLRDNORM);
	return wait_answer(t);
}

static void answer(struct seccomp_notif *n, int64_t val, int32_t error, uint32_t flags)
{
	n->state = NOTIF_REPLIED;
	n->val = val;
	n->error = error;
	n->flags = flags;
	task_ready(n->t);
}

/* ---- the listener's file ---- */

static struct seccomp_notif *find(const struct seccomp_filter *f, uint64_t id)
{
	struct seccomp_notif *n;

	list_for_each(n, &f->listener->notifs, link)
		if (n->id == id)
			return n;
	return NULL;
}

static struct seccomp_notif *first_in(const struct seccomp_filter *f, enum notif_state state)
{
	struct seccomp_notif *n;

	list_for_each(n, &f->listener->notifs, link)
		if (n->state == state)
			return n;
	return NULL;
}

static int is_zero(struct task *t, struct uaddr at, void *buf, size_t size)
{
	const uint8_t *p = buf;

	if (copy_in(t, buf, at, size))
		return -LX_EFAULT;
	for (size_t i = 0; i < size; i++)
		if (p[i])
			return -LX_EINVAL;
	return 0;
}

static long notif_recv(struct task *t, struct seccomp_filter *f, struct uaddr to)
{
	struct lx_seccomp_notif out;
	struct seccomp_notif *n;
	int err = is_zero(t, to, &out, sizeof(out));

	if (err)
		return err;
	n = first_in(f, NOTIF_INIT);
	if (!n) {
		if (!f->users)
			return -LX_ENOENT;
		err = task_enrol(t, &f->wq);
		return err ? err : task_park(t, LX_ERESTARTSYS);
	}
	out.id = n->id;
	out.pid = (uint32_t)n->t->tid;
	out.data = n->data;
	/* Not to be received by anybody else; after a fault it is, as if nothing was. */
	if (copy_out(t, to, &out, sizeof(out)))
		return -LX_EFAULT;
	n->state = NOTIF_SENT;
	waitq_wake(&f->wq, LX_POLLOUT | LX_POLLWRNORM);
	return 0;
}

static long notif_send(struct task *t, struct seccomp_filter *f, struct uaddr from)
{
	struct lx_seccomp_notif_resp r;
	struct seccomp_notif *n;

	if (copy_in(t, &r, from, sizeof(r)))
		return -LX_EFAULT;
	if (r.flags & ~LX_SECCOMP_USER_NOTIF_FLAG_CONTINUE)
		return -LX_EINVAL;
	if ((r.flags & LX_SECCOMP_USER_NOTIF_FLAG_CONTINUE) && (r.error || r.val))
		return -LX_EINVAL;
	n = find(f, r.id);
	if (!n)
		return -LX_ENOENT;
	if (n->state != NOTIF_SENT)
		return -LX_EINPROGRESS;
	answer(n, r.val, r.error, r.flags);
	return 0;
}

static long notif_id_valid(struct task *t, struct seccomp_filter *f, struct uaddr from)
{
	const struct seccomp_notif *n;
	uint64_t id;

	if (copy_in(t, &id, from, sizeof(id)))
		return -LX_EFAULT;
	n = find(f, id);
	return n && n->state == NOTIF_SENT ? 0 : -LX_ENOENT;
}

/* copy_struct_from_user() */
static int copy_addfd(struct task *t, struct lx_seccomp_notif_addfd *a, struct uaddr from,
		      uint32_t size)
{
	uint8_t buf[PAGE];

	if (size < LX_SECCOMP_NOTIFY_ADDFD_SIZE_VER0 || size >= PAGE)
		return -LX_EINVAL;
	if (copy_in(t, buf, from, size))
		return -LX_EFAULT;
	for (size_t i = sizeof(*a); i < size; i++)
		if (buf[i])
			return -LX_E2BIG;
	memcpy(a, buf, sizeof(*a));
	return 0;
}

static long notif_addfd(struct task *t, struct seccomp_filter *f, struct uaddr from,
			uint32_t size)
{
	AUTO_PUT(file) struct file *src = NULL;
	struct lx_seccomp_notif_addfd a;
	struct seccomp_notif *n;
	int fd, err = copy_addfd(t, &a, from, size);
	uint32_t fdflags;

	if (err)
		return err;
	if (a.newfd_flags & ~LX_O_CLOEXEC)
		return -LX_EINVAL;
	if (a.flags & ~(LX_SECCOMP_ADDFD_FLAG_SETFD | LX_SECCOMP_ADDFD_FLAG_SEND))
		return -LX_EINVAL;
	if (a.newfd && !(a.flags & LX_SECCOMP_ADDFD_FLAG_SETFD))
		return -LX_EINVAL;
	src = fd_file(t, (int)a.srcfd, &err);
	if (!src)
		return -LX_EBADF;
	n = find(f, a.id);
	if (!n)
		return -LX_ENOENT;
	if (n->state != NOTIF_SENT)
		return -LX_EINPROGRESS;
	fdflags = a.newfd_flags & LX_O_CLOEXEC ? FD_CLOEXEC_FLAG : 0;
	if (a.flags & LX_SECCOMP_ADDFD_FLAG_SETFD)
		fd = fdtable_set(n->t, (int)a.newfd, src, fdflags);
	else
		fd = fdtable_add(n->t, src, fdflags);
	if (fd >= 0 && (a.flags & LX_SECCOMP_ADDFD_FLAG_SEND))
		answer(n, fd, 0, 0);
	return fd;
}

static int64_t listener_ioctl(struct task *t, struct file *file, uint32_t cmd, uint64_t arg)
{
	const uint32_t sized = LX_IOC_SIZE_MASK << LX_IOC_SIZE_SHIFT;
	struct seccomp_filter *f = file->priv;
	struct uaddr at = { arg };

	switch (cmd) {
	case LX_SECCOMP_IOCTL_NOTIF_RECV:
		return notif_recv(t, f, at);
	case LX_SECCOMP_IOCTL_NOTIF_SEND:
		return notif_send(t, f, at);
	case LX_SECCOMP_IOCTL_NOTIF_ID_VALID:
	case LX_SECCOMP_IOCTL_NOTIF_ID_VALID_WRONG_DIR:
		return notif_id_valid(t, f, at);
	case LX_SECCOMP_IOCTL_NOTIF_SET_FLAGS:
		/* How the target is woken is no difference here. */
		return arg & ~(uint64_t)LX_SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP ? -LX_EINVAL : 0;
	default:
		break;
	}
	if ((cmd & ~sized) == (LX_SECCOMP_IOCTL_NOTIF_ADDFD & ~sized))
		return notif_addfd(t, f, at, cmd >> LX_IOC_SIZE_SHIFT & LX_IOC_SIZE_MASK);
	return -LX_EINVAL;
}

static uint32_t listener_poll(struct file *file, struct poll_ctx *pc)
{
	struct seccomp_filter *f = file->priv;
	uint32_t ev = 0;

	poll_wait(pc, &f->wq);
	if (first_in(f, NOTIF_INIT))
		ev |= LX_POLLIN | LX_POLLRDNORM;
	if (first_in(f, NOTIF_SENT))
		ev |= LX_POLLOUT | LX_POLLWRNORM;
	if (!f->users)
		ev |= LX_POLLHUP;
	return ev;
}

static void listener_release(struct file *file)
{
	struct seccomp_filter *f = file->priv;
	struct seccomp_listener *l = f->listener;
	struct seccomp_notif *n, *tmp;

	f->listener = NULL;
	list_for_each_safe(n, tmp, &l->notifs, link) {
		list_del_init(&n->link);
		if (n->state != NOTIF_REPLIED)
			answer(n, 0, -LX_ENOSYS, 0);
	}
	free(l);
	seccomp_filter_put(f);
}

static const struct file_ops listener_ops = {
	.name = "seccomp listener",
	.poll = listener_poll,
	.ioctl = listener_ioctl,
	.release = listener_release,
};

int seccomp_listener_new(struct seccomp_filter *f, struct file **out)
{
	struct seccomp_listener *l = calloc(1, sizeof(*l));

	if (!l)
		return -LX_ENOMEM;
	list_init(&l->notifs);
	krandom(&l->next_id, sizeof(l->next_id));
	*out = file_new_anon(f->k, &listener_ops, "anon_inode:seccomp notify", 0,
			     FMODE_READ | FMODE_WRITE | FMODE_STREAM, LX_O_RDWR, f);
	if (!*out) {
		free(l);
		return -LX_ENOMEM;
	}
	seccomp_filter_get(f);
	f->listener = l;
	return 0;
}
