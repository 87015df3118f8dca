/* A world of one task without a platform, for tests of the VFS, tmpfs and the overlay:
 * guest pointers are plain pointers, and a call that parks is run again by hand. Included
 * by one file of a program, which links:
 * sentry/vfs, sentry/fs/tmpfs, sentry/fs/overlay, sentry/fs/anon/inotify.c,
 * sentry/mm/uio.c, sentry/cred/cred.c, platform/base,
 * syscalls/sys_{open,rw,splice,stat,attr,dir,fd,xattr,inotify}.c */
#ifndef TESTS_UNIT_VFS_WORLD_H
#define TESTS_UNIT_VFS_WORLD_H

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sentry/fs/anon/epoll.h"
#include "sentry/fs/dev/dev.h"
#include "sentry/fs/overlay/overlay.h"
#include "sentry/fs/pipe/pipe.h"
#include "sentry/fs/tmpfs/tmpfs.h"
#include "sentry/mm/mm.h"
#include "sentry/task/task.h"
#include "sentry/vfs/file_io.h"
#include "sentry/vfs/namei.h"
#include "sentry/vfs/vfs_impl.h"
#include "syscalls/abi/lx_cap.h"
#include "syscalls/abi/lx_resource.h"
#include "syscalls/syscall_args.h"

static struct kernel kern;
static struct tgroup tg = { .tgid = 7 };
static struct task task;
static struct mm task_mm;
static unsigned wakeups, parks;

/* ---- the world around ---- */

void krandom(void *buf, unsigned long len)
{
	memset(buf, 0x5a, len);
}
int64_t ktime_real(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec * 1000000000ll + ts.tv_nsec;
}
uint64_t rlimit_cur(const struct task *t, unsigned which)
{
	return t->tg->rlim[which].cur;
}
int signal_send_task(struct task *t, int signo, const struct ksiginfo *info)
{
	(void)t;
	(void)signo;
	(void)info;
	return 0;
}
int copy_in(struct task *t, void *dst, struct uaddr src, size_t len)
{
	(void)t;
	if (src.v < 4096)
		return -LX_EFAULT;
	memcpy(dst, (const void *)src.v, len);
	return 0;
}
int copy_out(struct task *t, struct uaddr dst, const void *src, size_t len)
{
	(void)t;
	if (dst.v < 4096)
		return -LX_EFAULT;
	memcpy((void *)dst.v, src, len);
	return 0;
}
long copy_in_str(struct task *t, char *dst, struct uaddr src, size_t size)
{
	size_t n = strnlen((const char *)src.v, size);

	(void)t;
	if (n == size)
		return -LX_ENAMETOOLONG;
	memcpy(dst, (const char *)src.v, n + 1);
	return (long)n;
}
int copy_in_sized(struct task *t, void *dst, size_t size, struct uaddr src, uint64_t usize)
{
	memset(dst, 0, size);
	return copy_in(t, dst, src, usize < size ? usize : size);
}

int copy_in_path(struct task *t, struct uaddr src, char **out)
{
	(void)t;
	if (src.v < 4096)
		return -LX_EFAULT;
	if (strlen((const char *)src.v) >= LX_PATH_MAX)
		return -LX_ENAMETOOLONG;
	*out = strdup((const char *)src.v);
	return 0;
}
long mm_copy_in_partial(struct mm *mm, void *dst, uint64_t src, size_t len)
{
	(void)mm;
	if (src < 4096)
		return -LX_EFAULT;
	memcpy(dst, (const void *)src, len);
	return (long)len;
}
long mm_copy_out_partial(struct mm *mm, uint64_t dst, const void *src, size_t len)
{
	(void)mm;
	if (dst < 4096)
		return -LX_EFAULT;
	memcpy((void *)dst, src, len);
	return (long)len;
}
void waitq_init(struct waitq *q)
{
	list_init(&q->waiters);
}
void waitq_wake(struct waitq *q, uint32_t events)
{
	(void)q;
	(void)events;
	wakeups++;
}
void waitq_fini(struct waitq *q)
{
	(void)q;
}
int task_enrol(struct task *t, struct waitq *q)
{
	(void)t;
	(void)q;
	return 0;
}
long task_park(struct task *t, int interrupted)
{
	(void)t;
	(void)interrupted;
	parks++;
	return -LX_EPARK;
}
void epoll_file_released(struct file *f)
{
	(void)f;
}
int fifo_open(struct inode *i, const struct path *p, uint32_t fmode, uint32_t flags,
	      struct task *t, struct file **out)
{
	(void)i;
	(void)p;
	(void)fmode;
	(void)flags;
	(void)t;
	(void)out;
	return -LX_ENXIO;
}
bool file_is_pipe(const struct file *f)
{
	(void)f;
	return false;
}
long pipe_get_size(const struct file *f)
{
	(void)f;
	return -LX_EBADF;
}
long pipe_set_size(struct file *f, uint64_t size)
{
	(void)f;
	(void)size;
	return -LX_EBADF;
}
int device_open(struct kernel *k, struct task *t, uint32_t rdev, bool blockdev,
		const struct path *p, uint32_t fmode, uint32_t flags, struct file **out)
{
	(void)k;
	(void)t;
	(void)rdev;
	(void)blockdev;
	(void)p;
	(void)fmode;
	(void)flags;
	(void)out;
	return -LX_ENXIO;
}

/* ---- making it ---- */

static void become(uint32_t uid, uint64_t caps)
{
	struct cred *c = cred_new(0);

	c->uid = c->euid = c->suid = c->fsuid = uid;
	c->gid = c->egid = c->sgid = c->fsgid = uid;
	c->cap_eff = c->cap_perm = caps;
	if (task.cred)
		cred_put(task.cred);
	task.cred = c;
}

static void world_on(struct superblock *sb, struct inode *root)
{
	struct mount_ns *ns;
	struct path p;

	cr_assert_eq(mount_ns_new(&kern, sb, root, MNT_RELATIME, "root", &ns), 0);
	for (int i = 0; i < LX_RLIM_NLIMITS; i++)
		tg.rlim[i].cur = LX_RLIM_INFINITY;
	tg.rlim[LX_RLIMIT_NOFILE].cur = 1024;
	p = (struct path){ ns->root, ns->root->root };
	task.k = &kern;
	task.tg = &tg;
	task.mm = &task_mm;
	task.fs = fs_ctx_new(&p, &p, 022);
	task.fds = fdtable_new();
	become(0, CAP_FULL);
	inode_put(root);
	superblock_put(sb);
}

__attribute__((unused)) static void world_tmpfs(void)
{
	struct superblock *sb;
	struct inode *root;

	cr_assert_eq(tmpfs_new(&kern, "mode=755", &sb, &root), 0);
	world_on(sb, root);
}

/* Let go of everything; what is left is a leak. */
__attribute__((unused)) static void world_end(void)
{
	fdtable_put(task.fds, &task);
	fs_ctx_put(task.fs);
	mount_ns_free(&kern);
	cred_put(task.cred);
	memset(&task, 0, sizeof(task));
	cr_assert_eq(dcache_count(), 0, "%u cached entries left", dcache_count());
	cr_assert_eq(refs_report(stderr), 0);
}

#define U(p) ((struct uaddr){ (uint64_t)(uintptr_t)(p) })
#define CALL(name, ...)                                                                   \
	({                                                                                \
		memset(&task.restart, 0, sizeof(task.restart));                           \
		sys_##name(&task, &(struct name##_args){ __VA_ARGS__ });                  \
	})

__attribute__((unused)) static long k_open(const char *name, uint32_t flags, uint32_t mode)
{
	return CALL(open, .filename = U(name), .flags = flags, .mode = mode);
}
__attribute__((unused)) static long k_close(long fd)
{
	return CALL(close, .fd = (int)fd);
}
__attribute__((unused)) static long k_mkdir(const char *name, uint32_t mode)
{
	return CALL(mkdir, .pathname = U(name), .mode = mode);
}
__attribute__((unused)) static long k_stat(const char *name, struct lx_stat *st)
{
	return CALL(stat, .filename = U(name), .statbuf = U(st));
}
__attribute__((unused)) static long k_rename(const char *from, const char *to)
{
	return CALL(rename, .oldname = U(from), .newname = U(to));
}
__attribute__((unused)) static long k_unlink(const char *name)
{
	return CALL(unlink, .pathname = U(name));
}
__attribute__((unused)) static long k_symlink(const char *target, const char *name)
{
	return CALL(symlink, .oldname = U(target), .newname = U(name));
}
/* Replace the file's contents. */
__attribute__((unused)) static void put_file(const char *name, const char *text)
{
	long fd = k_open(name, LX_O_CREAT | LX_O_TRUNC | LX_O_WRONLY, 0644);

	cr_assert_geq(fd, 0, "%s: %ld", name, fd);
	cr_assert_eq(CALL(write, .fd = (int)fd, .buf = U(text), .count = strlen(text)),
		     (long)strlen(text));
	cr_assert_eq(k_close(fd), 0);
}
/* The file's contents (at most 1023 bytes), in a static buffer; NULL: it cannot be opened. */
__attribute__((unused)) static const char *get_file(const char *name)
{
	static char buf[1024];
	long fd = k_open(name, LX_O_RDONLY, 0), n;

	if (fd < 0)
		return NULL;
	n = CALL(read, .fd = (int)fd, .buf = U(buf), .count = sizeof(buf) - 1);
	cr_assert_geq(n, 0);
	buf[n] = '\0';
	cr_assert_eq(k_close(fd), 0);
	return buf;
}
/* The names in a directory, sorted, with spaces between; "." and ".." left out. step:
 * bytes per getdents64 call. */
__attribute__((unused)) static const char *list_dir(const char *name, unsigned step)
{
	static char out[4096];
	char *names[256];
	unsigned n = 0;
	uint8_t buf[4096];
	long fd = k_open(name, LX_O_RDONLY | LX_O_DIRECTORY, 0), got;

	cr_assert_geq(fd, 0, "%s: %ld", name, fd);
	while ((got = CALL(getdents64, .fd = (int)fd, .dirent = U(buf), .count = step)) > 0) {
		for (long at = 0; at < got;) {
			uint16_t rec;
			char *text = (char *)buf + at + 19;

			memcpy(&rec, buf + at + 16, 2);
			if (strcmp(text, ".") != 0 && strcmp(text, "..") != 0)
				names[n++] = strdup(text);
			at += rec;
		}
	}
	cr_assert_eq(got, 0, "getdents64: %ld", got);
	cr_assert_eq(k_close(fd), 0);
	for (unsigned i = 0; i < n; i++)
		for (unsigned j = i + 1; j < n; j++)
			if (strcmp(names[i], names[j]) > 0) {
				char *tmp = names[i];

				names[i] = names[j];
				names[j] = tmp;
			}
	out[0] = '\0';
	for (unsigned i = 0; i < n; i++) {
		if (i)
			strcat(out, " ");
		strcat(out, names[i]);
		free(names[i]);
	}
	return out;
}

#endif
