/* A kernel without a platform: real VFS, tmpfs, proc, sys, dev and devpts, and two made-up
 * processes, a session leader A (pid 1) and its child B in a group of its own. Guest
 * pointers are plain pointers. Included by one file of a program. */
#ifndef TESTS_UNIT_FS_WORLD_H
#define TESTS_UNIT_FS_WORLD_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sentry/fs/proc/proc.h"
#include "sentry/fs/tty/tty.h"
#include "sentry/mm/mm.h"
#include "sentry/task/pid.h"
#include "sentry/task/task_impl.h"
#include "sentry/vfs/file_io.h"
#include "sentry/vfs/vfs.h"
#include "syscalls/abi/lx_fcntl.h"
#include "syscalls/abi/lx_poll.h"
#include "syscalls/abi/lx_signal.h"
#include "syscalls/abi/lx_stat.h"

static struct kernel *k;
static struct task *A, *B;

int copy_in(struct task *t, void *dst, struct uaddr src, size_t len)
{
	(void)t;
	memcpy(dst, (const void *)(uintptr_t)src.v, len);
	return 0;
}

int copy_out(struct task *t, struct uaddr dst, const void *src, size_t len)
{
	(void)t;
	memcpy((void *)(uintptr_t)dst.v, src, len);
	return 0;
}

static struct task *make_process(const char *comm, struct task *parent)
{
	struct tgroup *tg = tgroup_alloc(k);
	struct task *t = task_alloc(k, tg);
	struct path root = { k->mnt->root, k->mnt->root->root };
	int id = pid_alloc(k, 0);

	tgroup_put(tg);
	t->tid = tg->tgid = id;
	tg->leader = t;
	pid_add_tgroup(tg);
	pid_add_task(t);
	tgroup_set_pgid(tg, id);
	if (parent) {
		tgroup_set_session(tg, parent->tg->session);
		tg->parent = parent->tg;
		list_push_back(&parent->tg->children, &tg->sibling);
		tg->parent_tid = parent->tid;
	} else {
		struct session *s = session_new(id);

		tgroup_set_session(tg, s);
		session_put(s);
	}
	list_push_back(&tg->tasks, &t->tg_link);
	tg->nlive++;
	k->ntasks++;
	k->pids->nlive++;
	t->cred = cred_new(0);
	t->cred->cap_eff = t->cred->cap_perm = t->cred->cap_bset = CAP_FULL;
	t->sighand = sighand_new();
	t->fs = fs_ctx_new(&root, &root, 022);
	t->fds = fdtable_new();
	t->mm = mm_new(k);
	t->mm->dumpable = true;
	for (int i = 0; i < LX_RLIM_NLIMITS; i++)
		tg->rlim[i].cur = tg->rlim[i].max = 1 << 20;
	snprintf(t->comm, sizeof(t->comm), "%s", comm);
	t->state = TASK_RUNNING;
	t->start_mono_ns = tg->start_mono_ns = ktime_mono();
	t->sysno = UINT64_MAX;
	return t;
}

static void mount_at(const char *at, const struct fs_type *type, const char *data)
{
	struct path root = { k->mnt->root, k->mnt->root->root }, p;
	struct superblock *sb;
	struct inode *ri;

	cr_assert_eq(vfs_make_mountpoint(k, &root, at, true, &p), 0);
	cr_assert_eq(type->mount(k, type->name, data, &sb, &ri), 0);
	cr_assert_eq(vfs_mount(k, &p, sb, ri, MNT_NOSUID, type->name, data), 0);
	path_put(&p);
	superblock_put(sb);
	inode_put(ri);
}

static void setup(void)
{
	struct kernel_params kp = { .hostname = "box" };
	struct superblock *sb;
	struct inode *root;

	cr_assert_eq(kernel_new(&kp, NULL, &k), 0);
	kernel_lock(k);
	cr_assert_eq(tmpfs_type.mount(k, "none", NULL, &sb, &root), 0);
	cr_assert_eq(mount_ns_new(k, sb, root, 0, "root", &k->mnt), 0);
	superblock_put(sb);
	inode_put(root);
	mount_at("/proc", &proc_type, NULL);
	mount_at("/sys", &sysfs_type, NULL);
	mount_at("/dev", &devtmpfs_type, "mode=755");
	mount_at("/dev/pts", &devpts_type, "newinstance,ptmxmode=0666,mode=0620,gid=5");
	A = make_process("init", NULL);
	B = make_process("child", A);
	B->state = TASK_PARKED;
	task_current = A;
}

/* An open file, or NULL with *err. */
static struct file *try_open(const char *path, uint32_t flags, int *err)
{
	struct file *f = NULL;

	*err = vfs_open(task_current, LX_AT_FDCWD, path, flags, 0, 0, &f);
	return *err ? NULL : f;
}

static struct file *must_open(const char *path, uint32_t flags)
{
	int err;
	struct file *f = try_open(path, flags, &err);

	cr_assert_eq(err, 0, "open %s: %d", path, err);
	return f;
}

static int open_error(const char *path, uint32_t flags)
{
	int err;
	struct file *f = try_open(path, flags, &err);

	if (f)
		file_put(f);
	return err;
}

/* One operation, without waiting. The text is terminated. */
static int64_t rd(struct file *f, char *buf, size_t n)
{
	struct uio u;
	int64_t r;

	uio_init_kernel(&u, buf, n);
	u.task = task_current;
	r = file_read_once(f, &u, NULL, 0);
	if (r >= 0)
		buf[r] = '\0';
	return r;
}

static int64_t wr(struct file *f, const char *text)
{
	struct uio u;

	uio_init_kernel(&u, (void *)(uintptr_t)text, strlen(text));
	u.task = task_current;
	return file_write_once(task_current, f, &u, NULL, 0);
}

static void reads(struct file *f, const char *want)
{
	char buf[8192];
	int64_t r = rd(f, buf, sizeof(buf) - 1);

	cr_assert_geq(r, 0, "read: %lld", (long long)r);
	cr_assert_str_eq(buf, want);
}

__attribute__((unused)) static bool ready(struct file *f, uint32_t events)
{
	return f->ops->poll(f, NULL) & events;
}

#endif
