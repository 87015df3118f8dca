/* The gofer client against a real gofer process over a scratch directory: what the guest
 * would see must be what is on the host, and the caches must not be asked for more than
 * they know. Links with sentry/fs/gofer, gofer/server, sentry/vfs/{inode,dcache,file}.c,
 * sentry/mm/uio.c and platform/base. */
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

static void start_exclusive(void)
{
	start(false, false, 0);
}
static void start_shared(void)
{
	start(true, false, 0);
}
static void start_readonly(void)
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
static bool is_cached(struct dentry *parent, const char *name, unsigned len)
{
	return dcache_has(parent, name, len, name_hash(name, len));
}

/* As the VFS does: what comes along goes into the cache. */
static int look(struct dentry *parent, const char *name, struct inode **i)
{
	struct lookup_more m = { .cached = is_cached, .parent = parent };
	int err;

	if (!parent->inode->ops->lookup_ahead)
		return parent->inode->ops->lookup(parent->inode, name, i);
	err = parent->inode->ops->lookup_ahead(parent->inode, name, i, &m);
	for (unsigned n = 0; n < m.n; n++) {
		struct dentry *d = dentry_new(parent, m.e[n].name, m.e[n].len,
					      name_hash(m.e[n].name, m.e[n].len), m.e[n].inode);

		inode_put(m.e[n].inode);
		dcache_insert(d);
		dentry_put(d);
	}
	return err;
}

static int step(struct dentry *parent, const char *name, struct dentry **out)
{
	unsigned len = (unsigned)strlen(name);
	uint32_t hash = name_hash(name, len);
	struct inode *i;
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
	err = look(parent, name, &i);
	if (err)
		return err;
	*out = dentry_new(parent, name, len, hash, i);
	inode_put(i);
	dcache_insert(*out);
	return 0;
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

static struct dentry *create(struct dentry *dir, const char *name)
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
static void same_as_host(struct dentry *d, const char *rel)
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

/* ---- exclusive ---- */

TestSuite(gofer, .init = start_exclusive, .timeout = 30);

Test(gofer, look)
{
	struct dentry *f = must("file"), *h = must("hard"), *deep = must("dir/sub/deep");
	struct dentry *s = must("sym"), *none;
	char buf[16];

	same_as_host(root, ".");
	same_as_host(f, "file");
	same_as_host(deep, "dir/sub/deep");
	same_as_host(s, "sym");
	cr_expect_eq(f->inode, h->inode, "two names, one inode");
	cr_expect_eq(find("nothing", &none), -LX_ENOENT);
	cr_expect_eq(find("file/x", &none), -LX_ENOTDIR);
	cr_expect_eq(s->inode->ops->readlink(s->inode, buf, sizeof(buf)), 7);
	cr_expect(!memcmp(buf, "dir/sub", 7));
	requests();
	cr_expect_eq(s->inode->ops->readlink(s->inode, buf, sizeof(buf)), 7);
	same_as_host(f, "file");
	cr_expect_eq(requests(), 0, "known things cost no request");
	dentry_put(f);
	dentry_put(h);
	dentry_put(deep);
	dentry_put(s);
	finish();
}

Test(gofer, batched_walk)
{
	const char *names[] = { "dir", "sub", "deep", "more" };
	const char *gone[] = { "dir", "nothing", "x" };
	struct inode *out[4];
	unsigned count;

	requests();
	cr_expect_eq(gofer_walk(root->inode, names, 4, out, &count), 0);
	cr_expect_eq(count, 3, "stops at the file: %u", count);
	for (unsigned i = 0; i < count; i++)
		inode_put(out[i]);
	cr_expect_eq(gofer_walk(root->inode, gone, 3, out, &count), -LX_ENOENT);
	cr_expect_eq(count, 1);
	inode_put(out[0]);
	cr_expect_eq(requests(), 2);
	finish();
}

Test(gofer, io)
{
	struct dentry *d = create(root, "new");
	struct file *f = open_entry(d, FMODE_READ | FMODE_WRITE, LX_O_RDWR);
	size_t big = 300000;
	char *a = malloc(big), *b = malloc(big);

	for (size_t i = 0; i < big; i++)
		a[i] = (char)(i * 7 + i / 251);
	requests();
	cr_expect_eq(do_write(f, "0123456789", 10, 0), 10);
	same_as_host(d, "new");
	cr_expect_eq(do_write(f, a, big, 5), (int64_t)big);
	same_as_host(d, "new");
	cr_expect_eq(do_read(f, b, big, 5), (int64_t)big);
	cr_expect(!memcmp(a, b, big));
	cr_expect_eq(do_read(f, b, big, 1), (int64_t)big);
	cr_expect_eq(do_read(f, b, 10, (int64_t)big + 5), 0);
	cr_expect_eq(do_write(f, "x", 1, 10000000), 1);
	same_as_host(d, "new"); /* a hole: blocks */
	cr_expect_eq(f->ops->seek(f, 0, LX_SEEK_HOLE) > 0, true);
	cr_expect_eq(f->ops->seek(f, -1, LX_SEEK_END), 10000000);
	cr_expect_eq(requests(), 0, "I/O costs no request");
	cr_expect_gt(releases, 0, "big reads let others run");
	file_put(f);
	f = open_entry(d, FMODE_WRITE, LX_O_WRONLY | LX_O_APPEND);
	cr_expect_eq(do_write(f, a, 100000, 0), 100000);
	cr_expect_eq(do_write(f, "tail", 4, 0), 4);
	same_as_host(d, "new");
	cr_expect_eq(d->inode->size, 10100005);
	file_put(f);
	f = open_entry(d, FMODE_READ, 0);
	cr_expect_eq(requests(), 0, "a known file opens without a request");
	file_put(f);
	free(a);
	free(b);
	dentry_put(d);
	finish();
}

Test(gofer, maps)
{
	struct dentry *d = must("file");
	struct file *r = open_entry(d, FMODE_READ, 0), *w;
	struct file_map m = { .len = 4096, .shared = true };
	char *p;

	cr_assert_eq(r->ops->mmap(r, &m), 0);
	cr_expect(m.no_maywrite);
	cr_expect_eq(fcntl(m.host_fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	close(m.host_fd);
	m.want_write = true;
	cr_expect_eq(r->ops->mmap(r, &m), -LX_EACCES);
	w = open_entry(d, FMODE_READ | FMODE_WRITE, LX_O_RDWR);
	cr_assert_eq(w->ops->mmap(w, &m), 0);
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, m.host_fd, 0);
	close(m.host_fd);
	p[0] = 'J';
	same_as_host(d, "file");
	m.shared = m.want_write = false;
	cr_assert_eq(w->ops->mmap(w, &m), 0);
	cr_expect_eq(fcntl(m.host_fd, F_GETFL) & O_ACCMODE, O_RDONLY,
		     "a private mapping gets no descriptor that may write");
	close(m.host_fd);
	/* deleted, and still mapped */
	dentry_get(d);
	unlink_entry(d);
	cr_assert_eq(w->ops->mmap(w, &m), 0);
	close(m.host_fd);
	munmap(p, 4096);
	file_put(r);
	file_put(w);
	dentry_put(d);
	dentry_put(d);
	finish();
}

Test(gofer, attributes)
{
	struct dentry *d = must("file"), *dir = must("dir");
	struct iattr a = { .valid = IATTR_MODE, .mode = LX_S_IFREG | 0711 };
	struct file *f;

	cr_assert_eq(d->inode->ops->setattr(d->inode, &a), 0);
	same_as_host(d, "file");
	a = (struct iattr){ .valid = IATTR_SIZE, .size = 3 };
	cr_assert_eq(d->inode->ops->setattr(d->inode, &a), 0);
	same_as_host(d, "file");
	f = open_entry(d, FMODE_READ | FMODE_WRITE, LX_O_RDWR);
	requests();
	a = (struct iattr){ .valid = IATTR_SIZE, .size = 1000, .file = f };
	cr_assert_eq(d->inode->ops->setattr(d->inode, &a), 0);
	same_as_host(d, "file");
	cr_expect_eq(requests(), 0, "ftruncate on the donated descriptor");
	file_put(f);
	a = (struct iattr){ .valid = IATTR_ATIME | IATTR_MTIME, .atime = { 1000, 1 },
			    .mtime = { -2, 999999999 } };
	cr_assert_eq(dir->inode->ops->setattr(dir->inode, &a), 0);
	same_as_host(dir, "dir");
	cr_expect_eq(dir->inode->mtime.sec, -2);
	if (geteuid() == 0) {
		a = (struct iattr){ .valid = IATTR_UID | IATTR_GID, .uid = 12, .gid = 34 };
		/* In a user namespace that has no such ids: EPERM. */
		if (d->inode->ops->setattr(d->inode, &a) != -LX_EPERM)
			cr_expect_eq(d->inode->gid, 34);
		same_as_host(d, "file");
	}
	dentry_put(d);
	dentry_put(dir);
	finish();
}

Test(gofer, extended_attributes)
{
	struct dentry *d = must("file");
	struct inode *i = d->inode;
	char buf[64];

	cr_expect_eq(i->ops->getxattr(i, "user.a", buf, 64), -LX_ENODATA);
	requests();
	cr_expect_eq(i->ops->getxattr(i, "security.capability", buf, 64), -LX_ENODATA);
	cr_expect_eq(i->ops->getxattr(i, "security.selinux", buf, 64), -LX_EOPNOTSUPP);
	cr_expect_eq(requests(), 0, "it is known that there is none");
	if (i->ops->setxattr(i, "user.a", "value", 5, 0) == -LX_EOPNOTSUPP)
		goto out; /* the scratch file system has none */
	cr_expect_eq(i->ops->getxattr(i, "user.a", buf, 64), 5);
	cr_expect(!memcmp(buf, "value", 5));
	cr_expect_eq(i->ops->getxattr(i, "user.a", buf, 2), -LX_ERANGE);
	cr_expect_eq(i->ops->getxattr(i, "user.a", NULL, 0), 5);
	cr_expect_eq(i->ops->listxattr(i, buf, 64), 7);
	cr_expect_str_eq(buf, "user.a");
	cr_expect_eq(i->ops->removexattr(i, "user.a"), 0);
	cr_expect_eq(i->ops->listxattr(i, buf, 64), 0);
out:
	dentry_put(d);
	finish();
}

Test(gofer, names)
{
	struct dentry *dir = must("dir"), *d = create(dir, "a"), *b;
	struct inode *i, *di = dir->inode;
	struct file *f;
	char buf[8];

	same_as_host(dir, "dir");
	same_as_host(d, "dir/a");
	f = open_entry(d, FMODE_WRITE, LX_O_WRONLY);
	do_write(f, "text", 4, 0);
	file_put(f);
	/* link to a final name, remove the first, open anew */
	cr_assert_eq(di->ops->link(di, "b", d->inode), 0);
	inode_get(d->inode);
	b = enter(dir, "b", d->inode);
	same_as_host(b, "dir/b");
	unlink_entry(d);
	dentry_put(d);
	gofer_fd_drop_all(gofer_i(b->inode));
	f = open_entry(b, FMODE_READ, 0);
	cr_expect_eq(do_read(f, buf, 8, 0), 4);
	file_put(f);
	/* and the other way round: the entry says where it is */
	cr_assert_eq(di->ops->link(di, "c", b->inode), 0);
	cr_assert_eq(unlink(host("dir/c")), 0);
	gofer_fd_drop_all(gofer_i(b->inode));
	file_put(open_entry(b, FMODE_READ, 0));
	/* rename, open anew */
	cr_assert_eq(di->ops->rename(di, "b", b->inode, root->inode, "moved", NULL, 0), 0);
	dcache_move(b, root, "moved", 5);
	gofer_fd_drop_all(gofer_i(b->inode));
	file_put(open_entry(b, FMODE_READ, 0));
	same_as_host(b, "moved");
	same_as_host(dir, "dir");
	same_as_host(root, ".");
	dentry_put(b);
	cr_expect_eq(di->ops->mkdir(di, "sub", 0755, 0, 0, &i), -LX_EEXIST);
	cr_assert_eq(di->ops->mkdir(di, "d2", 01777, geteuid(), getegid(), &i), 0);
	b = enter(dir, "d2", i);
	same_as_host(b, "dir/d2");
	same_as_host(dir, "dir");
	cr_assert_eq(di->ops->rmdir(di, "d2", i), 0);
	same_as_host(dir, "dir");
	dcache_delete(b);
	dentry_put(b);
	cr_assert_eq(di->ops->symlink(di, "s", "target", geteuid(), getegid(), &i), 0);
	cr_expect_eq(i->mode & LX_S_IFMT, LX_S_IFLNK);
	inode_put(i);
	cr_assert_eq(di->ops->mknod(di, "p", LX_S_IFIFO | 0600, 0, geteuid(), getegid(), &i), 0);
	cr_expect_eq(i->mode, LX_S_IFIFO | 0600);
	inode_put(i);
	cr_expect_eq(di->ops->rmdir(di, "sub", dir->inode), -LX_ENOTEMPTY);
	dentry_put(dir);
	finish();
}

Test(gofer, tmpfile)
{
	struct inode *i;
	struct dentry *d;
	struct file *f;
	int err = root->inode->ops->tmpfile(root->inode, 0600, geteuid(), getegid(), &i);

	if (err == -LX_EOPNOTSUPP) {
		finish();
		return;
	}
	cr_assert_eq(err, 0);
	cr_expect_eq(i->nlink, 0);
	d = dentry_new_detached(i, "#tmp");
	inode_put(i);
	f = open_entry(d, FMODE_READ | FMODE_WRITE, LX_O_RDWR);
	cr_expect_eq(do_write(f, "x", 1, 0), 1);
	err = root->inode->ops->link(root->inode, "named", d->inode);
	if (geteuid() == 0) {
		cr_expect_eq(err, 0, "%d", err);
		same_as_host(d, "named");
	}
	file_put(f);
	dentry_put(d);
	finish();
}

/* ---- directories ---- */

struct names {
	struct dir_ctx c;
	struct file *f;
	unsigned count, max;
	uint64_t sum;
};

static bool collect(struct dir_ctx *c, const char *name, unsigned len, uint64_t ino,
		    unsigned dtype, int64_t next)
{
	struct names *n = container_of(c, struct names, c);

	(void)dtype;
	if (n->count == n->max)
		return false;
	n->count++;
	n->sum += ino * 31 + name_hash(name, len);
	n->f->pos = next;
	return true;
}

static unsigned list(struct file *f, unsigned chunk, uint64_t *sum)
{
	struct names n = { .c.emit = collect, .f = f };
	unsigned before;

	f->pos = 0;
	do {
		before = n.count;
		n.max = n.count + chunk;
		cr_assert_eq(f->ops->readdir(f, &n.c), 0);
	} while (n.count != before);
	*sum = n.sum;
	return n.count;
}

static unsigned list_host(const char *rel, uint64_t *sum)
{
	DIR *d = opendir(host(rel));
	struct dirent *e;
	unsigned n = 0;

	*sum = 0;
	while ((e = readdir(d))) {
		/* The VFS knows no more of ".." than its own inode. */
		if (strcmp(e->d_name, "..") != 0)
			*sum += e->d_ino * 31 + name_hash(e->d_name,
							  (unsigned)strlen(e->d_name));
		n++;
	}
	closedir(d);
	return n;
}

Test(gofer, directory)
{
	struct dentry *dir, *x;
	struct file *f, *g;
	uint64_t a, b, dots;
	unsigned n;
	char name[64];

	mkdir(host("many"), 0755);
	for (unsigned i = 0; i < 6000; i++) {
		snprintf(name, sizeof(name), "many/a-file-with-some-name-%u", i);
		put_file(name, "");
	}
	dir = must("many");
	f = open_entry(dir, FMODE_READ, 0);
	dots = root->inode->ino * 31 + name_hash("..", 2);
	requests();
	n = list(f, 100, &a);
	cr_expect_eq(n, list_host("many", &b));
	cr_expect_eq(a, b + dots, "the names and numbers");
	cr_expect_lt(requests(), 12, "in few batches");
	g = open_entry(dir, FMODE_READ, 0);
	n = list(g, 1000, &a);
	cr_expect_eq(n, 6002);
	cr_expect_eq(requests(), 0, "known from the first reader");
	x = create(dir, "zz");
	cr_expect_eq(list(g, 1000, &a), 6003, "rewound: the new one too");
	unlink_entry(x);
	dentry_put(x);
	cr_expect_eq(list(f, 7000, &a), 6002);
	file_put(f);
	file_put(g);
	dentry_put(dir);
	finish();
}

/* Look at prefix0, prefix1 … of n, in a scattered order; how many requests that took. */
static uint32_t look_at_all(const char *prefix, unsigned n)
{
	char name[64];

	requests();
	for (unsigned i = 0; i < n; i++) {
		struct dentry *d;

		snprintf(name, sizeof(name), "%s%u", prefix, i * 37 % n);
		d = must(name);
		same_as_host(d, name);
		dentry_put(d);
	}
	return requests();
}

Test(gofer, lookups_ahead)
{
	struct dentry *dir, *d;
	struct file *f;
	char name[64];
	uint64_t sum;

	mkdir(host("tree"), 0755);
	for (unsigned i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "tree/d%u", i);
		mkdir(host(name), 0700 + i % 64);
		snprintf(name, sizeof(name), "tree/f%u", i);
		put_file(name, name);
	}
	dir = must("tree");
	f = open_entry(dir, FMODE_READ, 0);
	list(f, 100, &sum);
	/* Who only looks at directories gets no files. */
	cr_expect_lt(look_at_all("tree/d", 200), 20);
	cr_expect_eq(dcache_count(), 201, "%u", dcache_count());
	cr_expect_lt(look_at_all("tree/f", 200), 40);
	/* What has gone behind our back is left out; the one that is asked for is missing. */
	for (unsigned i = 0; i < 60; i++) {
		snprintf(name, sizeof(name), "tree/g%u", i);
		put_file(name, "");
	}
	dcache_shrink(0);
	gofer_listing_drop(gofer_i(dir->inode));
	list(f, 100, &sum);
	for (unsigned i = 1; i < 60; i += 2) {
		snprintf(name, sizeof(name), "tree/g%u", i);
		unlink(host(name));
	}
	for (unsigned i = 0; i < 60; i++) {
		snprintf(name, sizeof(name), "tree/g%u", i);
		cr_expect_eq(find(name, &d), i % 2 ? -LX_ENOENT : 0, "%s", name);
		if (!(i % 2))
			dentry_put(d);
	}
	file_put(f);
	dentry_put(dir);
	finish();
}

/* Many misses in a directory that nobody has listed: it is listed then. */
Test(gofer, lookups_ahead_unlisted)
{
	char name[64];

	mkdir(host("tree"), 0755);
	for (unsigned i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "tree/f%u", i);
		put_file(name, "x");
	}
	cr_expect_lt(look_at_all("tree/f", 200), 40);
	finish();
}

Test(gofer, statfs)
{
	struct lx_statfs s;
	struct statfs h;

	cr_assert_eq(sb->ops->statfs(sb, &s), 0);
	cr_assert_eq(statfs(top, &h), 0);
	cr_expect_eq(s.f_type, h.f_type);
	cr_expect_eq(s.f_blocks, h.f_blocks);
	cr_expect_eq(sb->magic, (uint64_t)h.f_type);
	cr_expect_eq(sb->ops->sync(sb), 0);
	finish();
}

/* ---- caches that must not grow for ever ---- */

static unsigned gofer_fds(void)
{
	char p[64];
	unsigned n = 0;
	DIR *d;

	snprintf(p, sizeof(p), "/proc/%d/fd", (int)gofer_pid);
	d = opendir(p);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

Test(gofer, descriptors_are_capped)
{
	struct dentry *d[40];
	struct file *f[10];
	char name[32];

	gofer_conn_limit_fds(conn, 16);
	for (unsigned i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "f%u", i);
		put_file(name, "x");
		d[i] = must(name);
		if (i < 10)
			f[i] = open_entry(d[i], FMODE_READ, 0);
		else
			file_put(open_entry(d[i], FMODE_READ, 0));
	}
	cr_expect_leq(conn->nfds, 16 + 1, "%u", conn->nfds);
	for (unsigned i = 0; i < 10; i++)
		file_put(f[i]);
	for (unsigned i = 0; i < 40; i++)
		dentry_put(d[i]);
	finish();
}

Test(gofer, nodes_are_let_go)
{
	struct dentry *d;
	unsigned before;
	char name[32];

	for (unsigned i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "f%u", i);
		put_file(name, "x");
	}
	before = gofer_fds();
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "f%u", i);
		d = must(name);
		dentry_put(d);
	}
	cr_expect_geq(gofer_fds(), before + 1000);
	dcache_set_limit(0);
	gofer_forget_flush(conn);
	dentry_put(must("file")); /* an answer: it has worked through them */
	cr_expect_leq(gofer_fds(), before + 2);
	dcache_set_limit(65536);
	finish();
}

Test(gofer, a_dead_gofer_is_an_io_error)
{
	struct dentry *d = must("file"), *x;
	struct file *f = open_entry(d, FMODE_READ, 0);
	char buf[8];

	kill(gofer_pid, SIGKILL);
	waitpid(gofer_pid, NULL, 0);
	cr_expect_eq(find("dir", &x), -LX_EIO);
	cr_expect_eq(find("dir", &x), -LX_EIO);
	cr_expect_eq(do_read(f, buf, 8, 0), 6, "what was donated stays");
	file_put(f);
	dentry_put(d);
	gofer_pid = fork(); /* for finish() */
	if (gofer_pid == 0)
		_exit(0);
	finish();
}

/* ---- few descriptors in the gofer ---- */

static void start_small(void)
{
	start(false, false, 400);
}
TestSuite(gofer_small, .init = start_small, .timeout = 30);

/* More come along than there is room for. */
Test(gofer_small, lookups_ahead_make_room)
{
	struct dentry *dir;
	struct file *f;
	uint64_t sum;
	char name[32];

	mkdir(host("tree"), 0755);
	for (unsigned i = 0; i < 2000; i++) {
		snprintf(name, sizeof(name), "tree/f%u", i);
		put_file(name, "x");
	}
	dcache_set_limit(65536);
	dir = must("tree");
	f = open_entry(dir, FMODE_READ, 0);
	list(f, 1000, &sum);
	look_at_all("tree/f", 2000);
	look_at_all("tree/f", 2000);
	file_put(f);
	dentry_put(dir);
	finish();
}

Test(gofer_small, entries_make_room)
{
	char name[32];

	for (unsigned i = 0; i < 2000; i++) {
		snprintf(name, sizeof(name), "f%u", i);
		put_file(name, "x");
	}
	for (unsigned i = 0; i < 2000; i++) {
		snprintf(name, sizeof(name), "f%u", i);
		dentry_put(must(name));
	}
	dcache_set_limit(65536); /* as if nobody had limited it: now the error must help */
	for (unsigned i = 0; i < 2000; i++) {
		snprintf(name, sizeof(name), "f%u", i);
		dentry_put(must(name));
	}
	finish();
}

/* ---- shared ---- */

TestSuite(gofer_shared, .init = start_shared, .timeout = 30);

Test(gofer_shared, sees_the_hosts_changes)
{
	struct dentry *d = must("file"), *e;
	struct inode *old = d->inode;
	struct file *f = open_entry(d, FMODE_READ | FMODE_WRITE, LX_O_RDWR);
	char buf[16];

	put_file("file", "a longer text\n");
	same_as_host(d, "file");
	f->flags |= LX_O_APPEND;
	cr_expect_eq(do_write(f, "!", 1, 0), 1);
	same_as_host(d, "file");
	put_file("other", "other\n");
	cr_assert_eq(rename(host("other"), host("file")), 0);
	e = must("file");
	cr_expect_neq(e->inode, old, "another file now");
	same_as_host(e, "file");
	cr_expect_eq(do_read(f, buf, 16, 0), 15, "the old one is still open");
	file_put(f);
	dentry_put(d);
	dentry_put(e);
	cr_assert_eq(unlink(host("file")), 0);
	cr_expect_eq(find("file", &d), -LX_ENOENT);
	put_file("file", "");
	dentry_put(must("file"));
	cr_expect_eq(conn->nfds, 0, "no idle descriptor that may write");
	finish();
}

/* Several entries in one request: true as far as the host still has the same files. */
Test(gofer_shared, revalidates_chains)
{
	struct dentry *d[3] = { must("dir"), must("dir/sub"), must("dir/sub/deep") };
	const struct inode_ops *ops = d[0]->inode->ops;
	uint32_t seq = conn->seq;

	cr_expect_eq(ops->revalidate_chain(d, 3), 3);
	cr_expect_eq(conn->seq, seq + 1, "one request");
	cr_assert_eq(chmod(host("dir/sub"), 0700), 0);
	put_file("dir/sub/deep", "longer\n");
	cr_expect_eq(ops->revalidate_chain(d, 3), 3);
	cr_expect_eq(d[1]->inode->mode & 07777, 0700);
	cr_expect_eq(d[2]->inode->size, 7);
	cr_assert_eq(unlink(host("dir/sub/deep")), 0);
	cr_expect_eq(ops->revalidate_chain(d, 3), 2);
	cr_assert_eq(symlink("/etc/passwd", host("dir/sub/deep")), 0);
	cr_expect_eq(ops->revalidate_chain(d, 3), 2);
	cr_expect_eq(ops->revalidate_chain(d + 2, 1), 0);
	cr_assert_eq(rename(host("dir/sub"), host("dir/bus")), 0);
	cr_assert_eq(symlink("bus", host("dir/sub")), 0);
	cr_expect_eq(ops->revalidate_chain(d, 3), 1, "a symlink in its place");
	cr_assert_eq(rename(host("dir"), host("rid")), 0);
	cr_expect_eq(ops->revalidate_chain(d, 3), 0);
	for (int i = 0; i < 3; i++)
		dentry_put(d[i]);
	finish();
}

/* ---- reopening ---- */

static void start_reopening(void)
{
	fds_dir = true;
	start(false, false, 0);
}

TestSuite(gofer_reopen, .init = start_reopening, .timeout = 30);

Test(gofer_reopen, memory_for_reading_only)
{
	int fd = memfd_create("m", 0), ro, p[2];

	cr_assert_eq(write(fd, "memory", 6), 6);
	ro = gofer_reopen_readonly(conn, fd);
	cr_assert_geq(ro, 0, "%d", ro);
	cr_expect_eq(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, ro, 0), MAP_FAILED);
	cr_expect_neq(mmap(NULL, 4096, PROT_READ, MAP_SHARED, ro, 0), MAP_FAILED);
	close(ro);
	/* Nothing but memory; it serves on. */
	cr_expect_lt(gofer_reopen_readonly(conn, open(host("file"), O_WRONLY)), 0);
	cr_assert_eq(pipe(p), 0);
	cr_expect_lt(gofer_reopen_readonly(conn, p[1]), 0);
	dentry_put(must("file"));
	finish();
}

/* By its descriptor a file is found whatever has become of its name. */
Test(gofer_reopen, deleted_and_renamed)
{
	struct dentry *d = must("dir/sub/deep"), *e = must("file");
	struct file *f;
	char buf[16];

	cr_assert_eq(rename(host("hard"), host("dir/sub/deep")), 0);
	cr_assert_eq(rename(host("file"), host("elsewhere")), 0);
	f = open_entry(d, FMODE_READ, 0);
	cr_expect(do_read(f, buf, 16, 0) == 5 && !memcmp(buf, "deep\n", 5));
	file_put(f);
	f = open_entry(e, FMODE_READ | FMODE_WRITE, LX_O_RDWR);
	cr_expect_eq(do_read(f, buf, 16, 0), 6);
	file_put(f);
	dentry_put(d);
	dentry_put(e);
	finish();
}

/* ---- read-only ---- */

TestSuite(gofer_readonly, .init = start_readonly, .timeout = 30);

Test(gofer_readonly, refuses)
{
	struct dentry *d = must("file");
	struct inode *ri = root->inode, *i;
	struct path p = { NULL, d };
	struct iattr a = { .valid = IATTR_MODE };
	struct file *f;

	cr_expect_eq(ri->ops->create(ri, "x", 0644, 0, 0, &i), -LX_EROFS);
	cr_expect_eq(ri->ops->unlink(ri, "file", d->inode), -LX_EROFS);
	cr_expect_eq(d->inode->ops->setattr(d->inode, &a), -LX_EROFS);
	cr_expect_eq(d->inode->ops->open(d->inode, &p, FMODE_WRITE, 1, &f), -LX_EROFS);
	f = open_entry(d, FMODE_READ, 0);
	file_put(f);
	dentry_put(d);
	finish();
}
