/* A real gofer process over a scratch directory, and the client for it with as much of the
 * kernel as that needs. Each program that includes this has a world of its own. */
#ifndef TESTS_UNIT_GOFER_WORLD_H
#define TESTS_UNIT_GOFER_WORLD_H

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "gofer/server/gofer_server.h"
#include "sentry/cred/cred.h"
#include "sentry/fs/anon/epoll.h"
#include "sentry/fs/gofer/gofer_impl.h"
#include "sentry/vfs/vfs_impl.h"
#include "syscalls/abi/lx_statfs.h"

/* ---- the world around sentry/fs/gofer ---- */

static unsigned releases;
unsigned fsnotify_marks;

void kernel_release_host(struct kernel *k)
{
	(void)k;
	releases++;
}
void kernel_reacquire_host(struct kernel *k)
{
	(void)k;
}
int64_t ktime_real(void)
{
	return 0;
}
uint64_t ktime_mono(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}
void krandom(void *buf, unsigned long len)
{
	memset(buf, 7, len);
}
bool cred_has_cap(const struct cred *c, int cap)
{
	(void)c;
	(void)cap;
	return true;
}
bool cred_in_group(const struct cred *c, uint32_t gid)
{
	(void)c;
	(void)gid;
	return true;
}
void locks_free_inode(struct inode *i)
{
	(void)i;
}
void locks_release_file(struct file *f)
{
	(void)f;
}
void fsnotify_inode_gone(struct inode *i)
{
	(void)i;
}
void fsnotify_file(struct file *f, uint32_t mask)
{
	(void)f;
	(void)mask;
}
void epoll_file_released(struct file *f)
{
	(void)f;
}
void path_get(const struct path *p)
{
	dentry_get(p->dentry);
}
void path_put(struct path *p)
{
	if (p->dentry)
		dentry_put(p->dentry);
	p->dentry = NULL;
}
long mm_copy_in_partial(struct mm *mm, void *dst, uint64_t src, size_t len)
{
	(void)mm;
	(void)dst;
	(void)src;
	(void)len;
	return -LX_EFAULT;
}
long mm_copy_out_partial(struct mm *mm, uint64_t dst, const void *src, size_t len)
{
	(void)mm;
	(void)dst;
	(void)src;
	(void)len;
	return -LX_EFAULT;
}
int mm_clear(struct mm *mm, uint64_t dst, size_t len)
{
	(void)mm;
	(void)dst;
	(void)len;
	return -LX_EFAULT;
}
int copy_in(struct task *t, void *dst, struct uaddr src, size_t len)
{
	(void)t;
	(void)dst;
	(void)src;
	(void)len;
	return -LX_EFAULT;
}

/* ---- a mounted gofer ---- */

static struct kernel kern;
static char top[64];
static pid_t gofer_pid;
static bool fds_dir;
static struct gofer_conn *conn;
static struct superblock *sb;
static struct dentry *root;

static const char *host(const char *rel)
{
	static char buf[2][256];
	static unsigned n;

	n ^= 1;
	snprintf(buf[n], sizeof(buf[n]), "%s/%s", top, rel);
	return buf[n];
}

static void put_file(const char *rel, const char *text)
{
	int fd = open(host(rel), O_CREAT | O_TRUNC | O_WRONLY, 0644);

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

/* As the gofer will be: without CAP_SYS_RESOURCE a limit stays where it was put. */
static void drop_sys_resource(void)
{
	cap_t c = cap_get_proc();
	cap_value_t v = CAP_SYS_RESOURCE;

	if (c && cap_set_flag(c, CAP_EFFECTIVE, 1, &v, CAP_CLEAR) == 0 &&
	    cap_set_flag(c, CAP_PERMITTED, 1, &v, CAP_CLEAR) == 0)
		(void)cap_set_proc(c);
	cap_free(c);
}

static void start(bool shared, bool readonly, unsigned nofile)
{
	struct inode *ri;
	int sv[2];

	strcpy(top, "/tmp/gofer-unit-XXXXXX");
	cr_assert(mkdtemp(top));
	mkdir(host("dir"), 0755);
	mkdir(host("dir/sub"), 0755);
	put_file("dir/sub/deep", "deep\n");
	put_file("file", "hello\n");
	cr_assert_eq(link(host("file"), host("hard")), 0);
	cr_assert_eq(symlink("dir/sub", host("sym")), 0);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv), 0);
	gofer_pid = fork();
	if (gofer_pid == 0) {
		struct gofer_export e = { .path = top, .readonly = readonly, .shared = shared };
		struct rlimit r = { nofile, nofile };

		close(sv[0]);
		if (nofile) {
			setrlimit(RLIMIT_NOFILE, &r);
			drop_sys_resource();
		}
		_exit(-gofer_serve(sv[1], fds_dir ? open("/proc/self/fd", O_PATH) : -1, 1, &e, 1));
	}
	close(sv[1]);
	conn = gofer_conn_new(sv[0]);
	cr_assert(conn);
	cr_assert_eq(gofer_mount(&kern, conn, 0, shared, readonly, &sb, &ri), 0);
	root = dentry_new_root(ri);
	inode_put(ri);
}

__attribute__((unused)) static void start_exclusive(void)
{
	start(false, false, 0);
}
static void start_shared(void)
{
	start(true, false, 0);
}
__attribute__((unused)) static void start_readonly(void)
{
	start(false, true, 0);
}

/* The end of every test (not .fini: what fails there does not count). Everything must go
 * away: entries, inodes, nodes, the process. */
static void finish(void)
{
	char cmd[128];
	int st = -1;

	dentry_put(root);
	dcache_set_limit(0);
	superblock_put(sb);
	cr_expect_eq(conn->nfds, 0, "%u descriptors stay", conn->nfds);
	cr_expect_eq(refs_count(&conn->refs), 1, "a superblock stays");
	gofer_conn_put(conn);
	waitpid(gofer_pid, &st, 0);
	cr_expect(WIFEXITED(st) && WEXITSTATUS(st) == 0, "gofer status %#x", (unsigned)st);
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", top);
	cr_expect_eq(system(cmd), 0);
}

/* One step, as the path walk makes it. */
static bool is_cached(const struct lookup_more *m, struct dentry *parent, const char *name,
		      unsigned len)
{
	(void)m;
	return dcache_has(parent, name, len, name_hash(name, len));
}

static struct dentry *enter_more(const struct lookup_more *m, struct dentry *parent,
				 const char *name, unsigned len, struct inode *i)
{
	struct dentry *d = dentry_new(parent, name, len, name_hash(name, len), i);

	(void)m;
	inode_put(i);
	dcache_insert(d);
	return d;
}

/* As the VFS does. */
static struct dentry *look(struct dentry *parent, const char *name, int *err)
{
	struct lookup_more m = { .cached = is_cached, .enter = enter_more, .parent = parent,
				 .up = parent->parent ? parent->parent->inode : NULL };
	const struct inode_ops *ops = parent->inode->ops;
	struct inode *i;

	*err = ops->lookup_ahead ? ops->lookup_ahead(parent->inode, name, &i, &m)
				 : ops->lookup(parent->inode, name, &i);
	if (*err)
		return NULL;
	if (m.first) {
		inode_put(i);
		return m.first;
	}
	return enter_more(&m, parent, name, (unsigned)strlen(name), i);
}

static int step(struct dentry *parent, const char *name, struct dentry **out)
{
	unsigned len = (unsigned)strlen(name);
	uint32_t hash = name_hash(name, len);
	int err;

	*out = dcache_find(parent, name, len, hash);
	if (*out && (*out)->inode && (*out)->inode->ops->revalidate_chain &&
	    !(*out)->inode->ops->revalidate_chain(out, 1)) {
		dcache_remove(*out);
		dentry_put(*out);
		*out = NULL;
	}
	if (*out)
		return 0;
	*out = look(parent, name, &err);
	return err;
}

static int find(const char *path, struct dentry **out)
{
	char copy[256], *save, *name;
	struct dentry *d = root, *next;
	int err;

	kern.ctxt++;
	dentry_get(d);
	strcpy(copy, path);
	for (name = strtok_r(copy, "/", &save); name; name = strtok_r(NULL, "/", &save)) {
		err = step(d, name, &next);
		dentry_put(d);
		if (err)
			return err;
		d = next;
	}
	*out = d;
	return 0;
}

static struct dentry *must(const char *path)
{
	struct dentry *d = NULL;
	int err = find(path, &d);

	cr_assert_eq(err, 0, "%s: %d", path, err);
	return d;
}

/* Put a new inode into the cache, as the VFS does. */
static struct dentry *enter(struct dentry *dir, const char *name, struct inode *i)
{
	unsigned len = (unsigned)strlen(name);
	struct dentry *d = dentry_new(dir, name, len, name_hash(name, len), i);

	inode_put(i);
	dcache_insert(d);
	return d;
}

__attribute__((unused)) static struct dentry *create(struct dentry *dir, const char *name)
{
	struct inode *i;

	kern.ctxt++;
	cr_assert_eq(dir->inode->ops->create(dir->inode, name, LX_S_IFREG | 0640, geteuid(),
					     getegid(), &i), 0);
	return enter(dir, name, i);
}

static void unlink_entry(struct dentry *d)
{
	struct inode *dir = d->parent->inode;

	cr_assert_eq(dir->ops->unlink(dir, d->name, d->inode), 0);
	dcache_delete(d);
}

static struct file *open_entry(struct dentry *d, uint32_t fmode, uint32_t flags)
{
	struct path p = { NULL, d };
	struct file *f = NULL;
	int err = d->inode->ops->open(d->inode, &p, fmode, flags, &f);

	cr_assert_eq(err, 0, "open %s: %d", d->name, err);
	return f;
}

static int64_t do_read(struct file *f, void *buf, size_t len, int64_t pos)
{
	struct uio u;

	uio_init_kernel(&u, buf, len);
	return f->ops->read(f, &u, &pos, 0);
}

static int64_t do_write(struct file *f, const void *buf, size_t len, int64_t pos)
{
	struct uio u;

	uio_init_kernel(&u, (void *)(uintptr_t)buf, len);
	return f->ops->write(f, &u, &pos, 0);
}

/* The guest's view of d and the host's of rel must agree. */
__attribute__((unused)) static void same_as_host(struct dentry *d, const char *rel)
{
	struct kstat k;
	struct stat st;

	kern.ctxt++;
	cr_assert_eq(d->inode->ops->getattr(d->inode, &k), 0);
	cr_assert_eq(lstat(host(rel), &st), 0);
	cr_expect_eq(k.ino, st.st_ino, "%s: ino", rel);
	cr_expect_eq(k.size, (uint64_t)st.st_size, "%s: size %lu %ld", rel, k.size, st.st_size);
	cr_expect_eq(k.blocks, (uint64_t)st.st_blocks, "%s: blocks", rel);
	cr_expect_eq(k.mode, st.st_mode, "%s: mode", rel);
	cr_expect_eq(k.nlink, st.st_nlink, "%s: nlink %u %lu", rel, k.nlink, st.st_nlink);
	cr_expect_eq(k.uid, st.st_uid, "%s: uid", rel);
	cr_expect_eq(k.mtime.sec, st.st_mtim.tv_sec, "%s: mtime", rel);
	cr_expect_eq(k.mtime.nsec, st.st_mtim.tv_nsec, "%s: mtime", rel);
	cr_expect_eq(k.ctime.nsec, st.st_ctim.tv_nsec, "%s: ctime", rel);
}

/* Requests sent since the last call. */
static uint32_t requests(void)
{
	static uint32_t last;
	uint32_t n = conn->seq - last;

	last = conn->seq;
	return n;
}

#endif
