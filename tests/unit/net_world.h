/* A world of two tasks without a platform, for tests of pipes, readiness and sockets: guest
 * pointers are plain pointers (but not to the stack where a vector of them is checked), a
 * call that parks is run again by hand once something woke it. Included by one file of a
 * program, which links:
 * sentry/fs/pipe, sentry/fs/anon/{epoll,eventfd}.c, sentry/net, sentry/wait.c,
 * sentry/mm/uio.c, platform/base, syscalls/sys_{pipe,poll,socket,sockmsg}.c */
#ifndef TESTS_UNIT_NET_WORLD_H
#define TESTS_UNIT_NET_WORLD_H

#include <criterion/criterion.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "sentry/fs/anon/epoll.h"
#include "sentry/fs/pipe/pipe.h"
#include "sentry/hostpoll.h"
#include "sentry/net/net_impl.h"
#include "sentry/net/unix_impl.h"
#include "sentry/task/task.h"
#include "sentry/vfs/file_io.h"
#include "sentry/vfs/vfs.h"
#include "syscalls/abi/lx_fcntl.h"
#include "syscalls/abi/lx_in.h"
#include "syscalls/abi/lx_netlink.h"
#include "syscalls/abi/lx_signal.h"
#include "syscalls/abi/lx_stat.h"
#include "syscalls/abi/lx_time.h"
#include "syscalls/syscall_args.h"

/* ---- the world around ---- */

#define NFDS 600
struct fdtable {
	struct file *f[NFDS];
};

static struct kernel kern;
static struct superblock sb = { .k = &kern };
static struct cred cred;
static struct tgroup tg = { .tgid = 7 };
static struct task tasks[2];
static struct fdtable fds;
static struct inode bound; /* what the one path "/s" leads to */
static struct dentry bound_dentry;
static bool bound_exists;
static int live_files, sigpipes;
static uint64_t now;

uint64_t ktime_mono(void)
{
	return now;
}
bool signal_pending(const struct task *t)
{
	return t->pending.set != 0;
}
int signal_send_task(struct task *t, int signo, const struct ksiginfo *info)
{
	(void)t;
	cr_assert_eq(info->pid, 7);
	sigpipes += signo == LX_SIGPIPE;
	return 0;
}
void task_set_temp_sigmask(struct task *t, sigset64 mask)
{
	t->sigmask = mask;
}
int ktimer_arm(struct kernel *k, struct ktimer *tm, uint64_t deadline)
{
	(void)k;
	tm->deadline = deadline;
	tm->heap_idx = 1;
	return 0;
}
void ktimer_cancel(struct kernel *k, struct ktimer *tm)
{
	(void)k;
	tm->heap_idx = 0;
}
void task_get(struct task *t)
{
	refs_get(&t->refs);
}
bool task_capable(const struct task *t, int cap)
{
	(void)cap;
	return t->cred->uid == 0;
}
uint64_t rlimit_cur(const struct task *t, unsigned which)
{
	(void)t;
	(void)which;
	return 256;
}
int copy_in(struct task *t, void *dst, struct uaddr src, size_t len)
{
	(void)t;
	if (src.v < 4096)
		return -LX_EFAULT;
	memcpy(dst, (const void *)(uintptr_t)src.v, len);
	return 0;
}
int copy_out(struct task *t, struct uaddr dst, const void *src, size_t len)
{
	(void)t;
	if (dst.v < 4096)
		return -LX_EFAULT;
	memcpy((void *)(uintptr_t)dst.v, src, len);
	return 0;
}
long mm_copy_in_partial(struct mm *mm, void *dst, uint64_t src, size_t len)
{
	(void)mm;
	return copy_in(NULL, dst, (struct uaddr){ src }, len) ? -LX_EFAULT : (long)len;
}
long mm_copy_out_partial(struct mm *mm, uint64_t dst, const void *src, size_t len)
{
	(void)mm;
	return copy_out(NULL, (struct uaddr){ dst }, src, len) ? -LX_EFAULT : (long)len;
}
int mm_clear(struct mm *mm, uint64_t dst, size_t len)
{
	(void)mm;
	memset((void *)(uintptr_t)dst, 0, len);
	return 0;
}
void poll_wait(struct poll_ctx *pc, struct waitq *q)
{
	if (pc)
		pc->enrol(pc, q);
}
struct inode *anon_inode_new(struct kernel *k, uint32_t mode)
{
	struct inode *i = calloc(1, sizeof(*i));

	(void)k;
	refs_init(&i->refs, "inode");
	i->mode = mode;
	i->sb = &sb;
	return i;
}
void inode_get(struct inode *i)
{
	if (i != &bound)
		refs_get(&i->refs);
}
void inode_put(struct inode *i)
{
	if (i == &bound || !refs_put(&i->refs))
		return;
	cr_assert_null(i->pipe);
	free(i);
}
static struct file *make_file(struct kernel *k, const struct file_ops *ops, struct inode *i,
			      uint32_t mode, uint32_t flags, void *priv)
{
	struct file *f = calloc(1, sizeof(*f));

	refs_init(&f->refs, "file");
	f->k = k;
	f->ops = ops;
	f->mode = mode;
	f->flags = flags;
	f->priv = priv;
	f->inode = i;
	list_init(&f->epoll_links);
	live_files++;
	return f;
}
struct file *file_new(struct kernel *k, const struct file_ops *ops, const struct path *path,
		      uint32_t mode, uint32_t flags)
{
	return make_file(k, ops, path->dentry->inode, mode, flags, NULL);
}
struct file *file_new_anon_inode(struct kernel *k, const struct file_ops *ops, const char *name,
				 struct inode *i, uint32_t mode, uint32_t flags, void *priv)
{
	(void)name;
	inode_get(i);
	return make_file(k, ops, i, mode, flags, priv);
}
struct file *file_new_anon(struct kernel *k, const struct file_ops *ops, const char *name,
			   uint32_t fmt, uint32_t mode, uint32_t flags, void *priv)
{
	(void)name;
	return make_file(k, ops, anon_inode_new(k, fmt), mode, flags, priv);
}
void file_get(struct file *f)
{
	refs_get(&f->refs);
}
void file_put(struct file *f)
{
	if (!refs_put(&f->refs))
		return;
	epoll_file_released(f);
	f->ops->release(f);
	inode_put(f->inode);
	free(f);
	live_files--;
}
struct file *fd_file_any(struct task *t, int fd, int *err)
{
	(void)t;
	*err = -LX_EBADF;
	if (fd < 0 || fd >= NFDS || fds.f[fd] == NULL)
		return NULL;
	file_get(fds.f[fd]);
	return fds.f[fd];
}
struct file *fd_file(struct task *t, int fd, int *err)
{
	return fd_file_any(t, fd, err);
}
int fdtable_add(struct task *t, struct file *f, uint32_t fdflags)
{
	(void)t;
	(void)fdflags;
	for (int i = 0; i < NFDS; i++) {
		if (fds.f[i] == NULL) {
			file_get(f);
			fds.f[i] = f;
			return i;
		}
	}
	return -LX_EMFILE;
}
int fdtable_close(struct task *t, int fd)
{
	struct file *f = fds.f[fd];

	(void)t;
	fds.f[fd] = NULL;
	file_put(f);
	return 0;
}
int fdtable_next(struct fdtable *ft, int from, struct file **out)
{
	for (; from < NFDS; from++) {
		if (ft->f[from] != NULL) {
			file_get(ft->f[from]);
			*out = ft->f[from];
			return from;
		}
	}
	return -1;
}
void uio_skip(struct uio *u, size_t n)
{
	u->off += n;
	u->resid -= n;
}
int vfs_mksock(struct task *t, const char *name, uint32_t mode, struct path *out)
{
	(void)t;
	(void)mode;
	cr_assert_str_eq(name, "/s");
	if (bound_exists)
		return -LX_EEXIST;
	bound_exists = true;
	bound = (struct inode){ .mode = LX_S_IFSOCK | 0777 };
	bound_dentry.inode = &bound;
	out->dentry = &bound_dentry;
	return 0;
}
int vfs_lookup(struct task *t, int dfd, const char *name, unsigned walk, struct path *out)
{
	(void)t;
	(void)dfd;
	(void)walk;
	if (!bound_exists || strcmp(name, "/s") != 0)
		return -LX_ENOENT;
	out->dentry = &bound_dentry;
	return 0;
}
int inode_permission(const struct cred *c, struct inode *i, unsigned mask)
{
	(void)c;
	(void)i;
	(void)mask;
	return 0;
}
void path_put(struct path *p)
{
	p->dentry = NULL;
}
uint32_t hostpoll_now(int fd, uint32_t events)
{
	struct pollfd p = { .fd = fd, .events = (short)events };

	return poll(&p, 1, 0) > 0 ? (uint16_t)p.revents : 0;
}
int hostpoll_watch(struct kernel *k, struct hostwatch *w, int fd, struct waitq *q)
{
	(void)k;
	(void)w;
	(void)fd;
	(void)q;
	return 0;
}
void hostpoll_unwatch(struct kernel *k, struct hostwatch *w)
{
	(void)k;
	(void)w;
}

/* ---- helpers ---- */

#define A (&tasks[0])
#define B (&tasks[1])
#define U(p) ((struct uaddr){ (uint64_t)(uintptr_t)(p) })
#define CALL(t, name, ...) sys_##name(t, &(const struct name##_args){ __VA_ARGS__ })

static void new_call(struct task *t)
{
	task_unenrol(t);
	if (t->restart.ptr_free)
		t->restart.ptr_free(t->restart.ptr);
	memset(&t->restart, 0, sizeof(t->restart));
	t->state = TASK_PARKED;
	t->woken = false;
}
static bool woken(struct task *t)
{
	bool w = t->state == TASK_READY;

	if (w)
		list_del_init(&t->ready_link);
	t->state = TASK_PARKED;
	task_unenrol(t);
	return w;
}
static int64_t rd(int fd, void *buf, size_t n)
{
	struct uio u;

	uio_init_user(&u, A, U(buf), n);
	return fds.f[fd]->ops->read(fds.f[fd], &u, NULL, 0);
}
static int64_t wr(int fd, const void *buf, size_t n)
{
	struct uio u;

	uio_init_user(&u, A, U(buf), n);
	return fds.f[fd]->ops->write(fds.f[fd], &u, NULL, 0);
}
static void setup(void)
{
	list_init(&kern.ready);
	now = 1000;
	for (int i = 0; i < 2; i++) {
		tasks[i] = (struct task){ .k = &kern, .tg = &tg, .cred = &cred, .fds = &fds };
		tasks[i].mm = (struct mm *)(void *)&tasks[i];
		refs_init(&tasks[i].refs, "task");
		list_init(&tasks[i].enrolled);
		new_call(&tasks[i]);
	}
	cred.uid = cred.euid = 1000;
}
static void teardown(void)
{
	new_call(A);
	new_call(B);
	for (int i = 0; i < NFDS; i++) {
		if (fds.f[i] != NULL)
			fdtable_close(A, i);
	}
	net_fini(&kern);
	cr_assert_eq(live_files, 0);
	cr_assert_eq(kern.epoll_watches, 0);
	bound_exists = false;
}

/* A blocking call: run again until it is through, as the event thread would have it. */
#define AGAIN(call)                                              \
	({                                                       \
		long again_;                                     \
		for (int i_ = 0; i_ < 100000; i_++) {            \
			again_ = (call);                         \
			if (again_ != -LX_EPARK)                 \
				break;                           \
			task_unenrol(A);                         \
		}                                                \
		again_;                                          \
	})

#endif
