/* inotify instances, their marks on inodes, and the events that the VFS reports.
 *
 * A mark is on two lists, that of its inode and the tree of its instance, and holds a
 * reference on the inode. Instances and marks are counted for the user who made the
 * instance. Everything runs under the kernel lock. */
#include <bsd/sys/tree.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "sentry/fs/anon/inotify.h"
#include "sentry/fs/proc/proc.h"
#include "sentry/task/task.h"
#include "sentry/vfs/fsnotify.h"
#include "sentry/vfs/vfs.h"
#include "syscalls/abi/lx_fcntl.h"
#include "syscalls/abi/lx_inotify.h"
#include "syscalls/abi/lx_poll.h"
#include "syscalls/abi/lx_stat.h"

#define MAX_MARKS (1u << 19)	/* in the sandbox */

struct mark {
	struct list in_inode;	/* inode.watches */
	RB_ENTRY(mark) by_wd;
	struct inotify *in;
	struct inode *inode;	/* one reference */
	int wd;
	uint32_t mask;		/* IN_ALL_EVENTS bits and IN_EXCL_UNLINK, IN_ONESHOT */
};

struct event {
	struct list link;
	struct lx_inotify_event head;
	unsigned name_len;	/* without padding */
	char name[];
};

static int mark_cmp(const struct mark *a, const struct mark *b)
{
	return a->wd < b->wd ? -1 : a->wd > b->wd;
}
RB_HEAD(mark_tree, mark);
RB_GENERATE_INTERNAL(mark_tree, mark, by_wd, mark_cmp, static __attribute__((unused)))

struct user {
	uint32_t uid;
	unsigned instances, marks;
	UT_hash_handle hh;
};
static struct user *users; /* hash by uid; those with instances */

struct inotify {
	struct kernel *k;
	struct user *user;
	struct mark_tree marks;
	struct list events;
	unsigned nevents, bytes;
	unsigned max_events;	/* as the setting was when it was made */
	int next_wd;
	struct waitq wait;
	struct event overflow;	/* in the queue once at most */
};

unsigned fsnotify_marks;

/* ---- the queue ---- */

/* The cookie does not count, and nothing is one with what has gone. */
static bool same_event(const struct event *e, const struct lx_inotify_event *h, const char *name)
{
	return !(e->head.mask & LX_IN_IGNORED) && e->head.wd == h->wd && e->head.mask == h->mask &&
	       (name ? strcmp(e->name, name) == 0 : e->name_len == 0);
}

static void queue_last(struct inotify *in, struct event *e)
{
	list_push_back(&in->events, &e->link);
	in->nevents++;
	in->bytes += (unsigned)sizeof(e->head) + e->head.len;
	waitq_wake(&in->wait, LX_POLLIN | LX_POLLRDNORM);
}

static void queue_overflow(struct inotify *in)
{
	struct event *e = &in->overflow;

	if (!list_empty(&e->link))
		return;
	e->head = (struct lx_inotify_event){ .wd = -1, .mask = LX_IN_Q_OVERFLOW };
	queue_last(in, e);
}

static void queue_event(struct inotify *in, int wd, uint32_t mask, uint32_t cookie,
			const char *name)
{
	struct lx_inotify_event h = { .wd = wd, .mask = mask, .cookie = cookie };
	size_t len = name ? strlen(name) : 0;
	struct event *e;

	if (in->nevents >= in->max_events) {
		queue_overflow(in);
		return;
	}
	if (in->nevents && same_event(list_last(&in->events, struct event, link), &h, name))
		return;
	e = malloc(sizeof(*e) + len + 1);
	if (!e) {
		queue_overflow(in);
		return;
	}
	if (len)
		h.len = (uint32_t)((len + 1 + 15) & ~15ull);
	e->head = h;
	e->name_len = (unsigned)len;
	if (len)
		memcpy(e->name, name, len);
	e->name[len] = '\0';
	queue_last(in, e);
}

static void event_drop(struct inotify *in, struct event *e)
{
	list_del_init(&e->link);
	in->nevents--;
	in->bytes -= (unsigned)sizeof(e->head) + e->head.len;
	if (e != &in->overflow)
		free(e);
}

/* ---- marks ---- */

static void mark_drop(struct mark *m, bool tell)
{
	struct inotify *in = m->in;

	list_del_init(&m->in_inode);
	RB_REMOVE(mark_tree, &in->marks, m);
	fsnotify_marks--;
	in->user->marks--;
	if (list_empty(&m->inode->watches) && m->inode->ops->watch)
		m->inode->ops->watch(m->inode, NULL, false);
	if (tell)
		queue_event(in, m->wd, LX_IN_IGNORED, 0, NULL);
	inode_put(m->inode);
	free(m);
}

static void notify_mark(struct mark *m, uint32_t mask, const char *name, uint32_t cookie)
{
	if (!(mask & m->mask & LX_IN_ALL_EVENTS) && !(mask & LX_IN_UNMOUNT))
		return;
	queue_event(m->in, m->wd, mask, cookie, name);
	if (m->mask & LX_IN_ONESHOT)
		mark_drop(m, true);
}

static void notify_inode(struct inode *i, uint32_t mask, const char *name, uint32_t cookie,
			 bool unlinked)
{
	struct mark *m, *tmp;

	if (list_empty(&i->watches))
		return;
	inode_get(i);
	list_for_each_safe(m, tmp, &i->watches, in_inode)
		if (!unlinked || !(m->mask & LX_IN_EXCL_UNLINK))
			notify_mark(m, mask, name, cookie);
	inode_put(i);
}

void fsnotify(struct inode *i, uint32_t mask, const char *name, uint32_t cookie)
{
	if (fsnotify_marks)
		notify_inode(i, mask, name, cookie, false);
}

void fsnotify_dentry(struct dentry *d, uint32_t mask)
{
	if (!fsnotify_marks || !d->inode)
		return;
	if (LX_S_ISDIR(d->inode->mode))
		mask |= LX_IN_ISDIR;
	if (d->parent && d->parent->inode)
		notify_inode(d->parent->inode, mask, d->name, 0, d->unhashed);
	notify_inode(d->inode, mask, NULL, 0, false);
}

void fsnotify_file(struct file *f, uint32_t mask)
{
	fsnotify_dentry(f->path.dentry, mask);
}

void fsnotify_inode_gone(struct inode *i)
{
	notify_inode(i, LX_IN_DELETE_SELF, NULL, 0, false);
	inode_get(i);
	while (!list_empty(&i->watches))
		mark_drop(list_first(&i->watches, struct mark, in_inode), true);
	inode_put(i);
}

/* ---- who has how many ---- */

/* One more instance. NULL: *err is -LX_EMFILE or -LX_ENOMEM. */
static struct user *user_get(struct kernel *k, uint32_t uid, int *err)
{
	struct user *u;

	*err = -LX_ENOMEM;
	HASH_FIND(hh, users, &uid, sizeof(uid), u);
	if (!u) {
		u = calloc(1, sizeof(*u));
		if (!u)
			return NULL;
		u->uid = uid;
		HASH_ADD(hh, users, uid, sizeof(u->uid), u);
		if (!u->hh.tbl) {
			free(u);
			return NULL;
		}
	}
	if (u->instances >= (uint64_t)sysctl_get(k, SYSCTL_INOTIFY_MAX_INSTANCES)) {
		*err = -LX_EMFILE;
		return NULL;
	}
	u->instances++;
	return u;
}

static void user_put(struct user *u)
{
	if (--u->instances)
		return;
	HASH_DEL(users, u);
	free(u);
}

/* ---- the file ---- */

static int64_t inotify_read(struct file *f, struct uio *u, int64_t *pos, uint32_t rwf)
{
	struct inotify *in = f->priv;
	static const char zeros[16];
	int64_t done = 0;

	(void)pos;
	(void)rwf;
	if (list_empty(&in->events))
		return -LX_EAGAIN;
	while (!list_empty(&in->events)) {
		struct event *e = list_first(&in->events, struct event, link);
		size_t pad = e->head.len - e->name_len;

		if (u->resid < sizeof(e->head) + e->head.len)
			return done ? done : -LX_EINVAL;
		if (uio_to_user(u, &e->head, sizeof(e->head)) != (long)sizeof(e->head))
			return done ? done : -LX_EFAULT;
		if (e->head.len &&
		    (uio_to_user(u, e->name, e->name_len) != (long)e->name_len ||
		     uio_to_user(u, zeros, pad) != (long)pad))
			return done ? done : -LX_EFAULT;
		done += (int64_t)(sizeof(e->head) + e->head.len);
		event_drop(in, e);
	}
	return done;
}

static uint32_t inotify_poll(struct file *f, struct poll_ctx *pc)
{
	struct inotify *in = f->priv;

	poll_wait(pc, &in->wait);
	return list_empty(&in->events) ? 0 : LX_POLLIN | LX_POLLRDNORM;
}

static int64_t inotify_ioctl(struct task *t, struct file *f, uint32_t cmd, uint64_t arg)
{
	struct inotify *in = f->priv;
	int32_t n = (int32_t)in->bytes;

	if (cmd != LX_FIONREAD)
		return -LX_ENOTTY;
	return copy_out(t, (struct uaddr){ arg }, &n, sizeof(n));
}

static void inotify_release(struct file *f)
{
	struct inotify *in = f->priv;

	while (!RB_EMPTY(&in->marks))
		mark_drop(RB_ROOT(&in->marks), false);
	while (!list_empty(&in->events))
		event_drop(in, list_first(&in->events, struct event, link));
	waitq_fini(&in->wait);
	user_put(in->user);
	free(in);
}

static int inotify_fdinfo(struct file *f, char *buf, size_t size)
{
	struct inotify *in = f->priv;
	size_t at = 0;
	struct mark *m;

	RB_FOREACH(m, mark_tree, &in->marks) {
		int n = snprintf(buf + at, size - at,
				 "inotify wd:%x ino:%llx sdev:%x mask:%x ignored_mask:0\n",
				 (unsigned)m->wd, (unsigned long long)m->inode->ino,
				 m->inode->sb->dev, m->mask);

		if (n < 0 || (size_t)n >= size - at)
			break;
		at += (size_t)n;
	}
	buf[at] = '\0';
	return (int)at;
}

static const struct file_ops inotify_ops = {
	.name = "inotify",
	.read = inotify_read,
	.poll = inotify_poll,
	.seek = file_seek_nowhere,
	.ioctl = inotify_ioctl,
	.async = true,
	.release = inotify_release,
	.fdinfo = inotify_fdinfo,
};

int inotify_open(struct task *t, bool nonblock, struct file **out)
{
	struct inotify *in = calloc(1, sizeof(*in) + 1);
	struct kernel *k = t->k;
	int err;

	if (!in)
		return -LX_ENOMEM;
	in->user = user_get(k, t->cred->euid, &err);
	if (!in->user) {
		free(in);
		return err;
	}
	in->k = k;
	RB_INIT(&in->marks);
	list_init(&in->events);
	list_init(&in->overflow.link);
	waitq_init(&in->wait);
	in->max_events = (unsigned)sysctl_get(k, SYSCTL_INOTIFY_MAX_EVENTS);
	in->next_wd = 1;
	*out = file_new_anon(k, &inotify_ops, "inotify", 0, FMODE_READ | FMODE_STREAM,
			     nonblock ? LX_O_NONBLOCK : 0, in);
	if (!*out) {
		user_put(in->user);
		free(in);
		return -LX_ENOMEM;
	}
	return 0;
}

bool file_is_inotify(const struct file *f)
{
	return f->ops == &inotify_ops;
}

int inotify_watch(struct file *f, struct dentry *at, uint32_t mask)
{
	struct inode *i = at->inode;
	const uint32_t kept = LX_IN_ALL_EVENTS | LX_IN_EXCL_UNLINK | LX_IN_ONESHOT;
	struct inotify *in = f->priv;
	struct mark *m;

	list_for_each(m, &i->watches, in_inode) {
		if (m->in != in)
			continue;
		if (mask & LX_IN_MASK_CREATE)
			return -LX_EEXIST;
		m->mask = (mask & LX_IN_MASK_ADD ? m->mask : 0) | (mask & kept);
		return m->wd;
	}
	if (in->user->marks >= (uint64_t)sysctl_get(in->k, SYSCTL_INOTIFY_MAX_WATCHES) ||
	    fsnotify_marks >= MAX_MARKS || in->next_wd == INT32_MAX)
		return -LX_ENOSPC;
	m = calloc(1, sizeof(*m));
	if (!m)
		return -LX_ENOMEM;
	m->in = in;
	m->inode = i;
	inode_get(i);
	m->wd = in->next_wd++;
	m->mask = mask & kept;
	if (list_empty(&i->watches) && i->ops->watch)
		i->ops->watch(i, at, true);
	list_push_back(&i->watches, &m->in_inode);
	RB_INSERT(mark_tree, &in->marks, m);
	fsnotify_marks++;
	in->user->marks++;
	return m->wd;
}

int inotify_unwatch(struct file *f, int wd)
{
	struct inotify *in = f->priv;
	struct mark key = { .wd = wd };
	struct mark *m = RB_FIND(mark_tree, &in->marks, &key);

	if (!m)
		return -LX_EINVAL;
	mark_drop(m, true);
	return 0;
}
