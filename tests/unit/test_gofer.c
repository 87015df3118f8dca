/* The gofer client against a real gofer process over a scratch directory: what the guest
 * would see must be what is on the host, and the caches must not be asked for more than
 * they know. Links with sentry/fs/gofer, gofer/server, sentry/vfs/{inode,dcache,file}.c,
 * sentry/mm/uio.c and platform/base. */
#include "sentry/fs/overlay/overlay.h"
#include "tests/unit/gofer_world.h"

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
	cr_expect_eq(i->ops->getxattr(i, "security.selinux", buf, 64), -LX_ENODATA);
	cr_expect_eq(i->ops->setxattr(i, "security.selinux", "x", 1, 0), -LX_EPERM);
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

/* Everything below dir, as find walks it: lists each directory, then looks into those in it;
 * all: at files, too. */
static unsigned walk_below(struct dentry *dir, const char *path, bool all)
{
	struct file *f = open_entry(dir, FMODE_READ, 0);
	unsigned n = 1;
	uint64_t sum;
	DIR *d = opendir(host(path));
	struct dirent *de;

	list(f, 1, &sum);
	file_put(f);
	cr_assert(d);
	while ((de = readdir(d))) {
		char name[512];
		struct dentry *next;

		if ((!all && de->d_type != DT_DIR) || de->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, de->d_name);
		cr_assert_eq(step(dir, de->d_name, &next), 0, "%s", name);
		same_as_host(next, name);
		n += LX_S_ISDIR(next->inode->mode) ? walk_below(next, name, all) : 1;
		dentry_put(next);
	}
	closedir(d);
	return n;
}

/* One change of a name in dir[0] or dir[1], or an attempt. */
static void change(struct dentry *const *dir, unsigned a, unsigned b, unsigned what)
{
	struct inode *from = dir[a % 2]->inode, *to = dir[b % 2]->inode, *i = NULL, *j = NULL;
	char name[64], other[64];

	snprintf(name, sizeof(name), "name%u", a / 2);
	snprintf(other, sizeof(other), "name%u", b / 2);
	(void)from->ops->lookup(from, name, &i);
	(void)to->ops->lookup(to, other, &j);
	if (!i && what % 4 == 0)
		(void)from->ops->symlink(from, name, "there", 0, 0, &i);
	else if (!i && what % 4 == 1)
		(void)from->ops->mkdir(from, name, 0755, 0, 0, &i);
	else if (!i)
		(void)from->ops->create(from, name, 0644, 0, 0, &i);
	else if (!j && what % 4 == 0 && !LX_S_ISDIR(i->mode))
		(void)to->ops->link(to, other, i);
	else if (what % 4 == 1 && (from != to || a / 2 != b / 2))
		(void)from->ops->rename(from, name, i, to, other, j, what & 4 && j ? 2 : 0);
	else if (LX_S_ISDIR(i->mode))
		(void)from->ops->rmdir(from, name, i);
	else
		(void)from->ops->unlink(from, name, i);
	if (i)
		inode_put(i);
	if (j)
		inode_put(j);
}

static void same_listing(struct dentry *dir, const char *name, unsigned chunk)
{
	struct file *f = open_entry(dir, FMODE_READ, 0);
	uint64_t ours, theirs;
	unsigned n = list(f, chunk, &ours);

	cr_assert_eq(n, list_host(name, &theirs), "%s: %u", name, n);
	theirs += dir->parent->inode->ino * 31 + name_hash("..", 2);
	cr_assert_eq(ours, theirs, "%s", name);
	file_put(f);
}

/* A listing follows what is changed, also while somebody reads it, and knows what is missing. */
Test(gofer, listing_follows)
{
	struct dentry *dir[2];
	struct inode *i;
	struct file *open_dir;
	uint64_t sum;
	unsigned seed = 1;

	mkdir(host("tree"), 0755);
	dir[0] = must("tree");
	same_listing(dir[0], "tree", 10);
	cr_assert_eq(dir[0]->inode->ops->mkdir(dir[0]->inode, "sub", 0755, 0, 0, &i), 0);
	inode_put(i);
	dir[1] = must("tree/sub");
	open_dir = open_entry(dir[0], FMODE_READ, 0);
	for (unsigned n = 0; n < 4000; n++) {
		seed = seed * 1103515245 + 12345;
		change(dir, (seed >> 8) % 100, (seed >> 16) % 100, seed >> 24);
		if (n % 64 == 0)
			list(open_dir, 7, &sum);
		if (n % 16 == 0) {
			same_listing(dir[0], "tree", 100);
			same_listing(dir[1], "tree/sub", 100);
		}
	}
	file_put(open_dir);
	same_listing(dir[1], "tree/sub", 100);
	requests();
	for (unsigned n = 0; n < 100; n++)
		cr_expect_eq(dir[1]->inode->ops->lookup(dir[1]->inode, "nothing", &i), -LX_ENOENT);
	cr_expect_leq(requests(), gofer_i(dir[1]->inode)->plain ? 0 : 100);
	dentry_put(dir[1]);
	dentry_put(dir[0]);
	dcache_shrink(0);
	cr_expect_eq(gofer_s(root->inode)->listing_size, 0, "listings are given back");
	finish();
}

/* tree/aN/bN/cN, 8 of each, with a file in each. */
static struct dentry *make_tree(void)
{
	char name[64];

	mkdir(host("tree"), 0755);
	for (unsigned i = 0; i < 8 * 8 * 8; i++) {
		snprintf(name, sizeof(name), "tree/a%u", i / 64);
		mkdir(host(name), 0700 + i % 64);
		snprintf(name, sizeof(name), "tree/a%u/b%u", i / 64, i / 8 % 8);
		mkdir(host(name), 0700 + i % 64);
		snprintf(name, sizeof(name), "tree/a%u/b%u/c%u", i / 64, i / 8 % 8, i % 8);
		mkdir(host(name), 0700 + i % 64);
		snprintf(name, sizeof(name), "tree/a%u/b%u/c%u/f", i / 64, i / 8 % 8, i % 8);
		put_file(name, "x");
		snprintf(name, sizeof(name), "tree/a%u/b%u/f", i / 64, i / 8 % 8);
		put_file(name, "x");
		snprintf(name, sizeof(name), "tree/a%u/f", i / 64);
		put_file(name, "x");
	}
	requests();
	return must("tree");
}

/* A walk gets whole trees at once. */
Test(gofer, lookups_below)
{
	struct dentry *dir = make_tree(), *d;
	struct inode *made;
	uint32_t n;

	cr_expect_eq(walk_below(dir, "tree", false), 1 + 8 + 64 + 512);
	n = requests();
	cr_expect_lt(n, 60, "%u", n);
	/* What came along is kept exact. */
	d = must("tree/a1/b1");
	cr_expect_eq(d->inode->ops->mkdir(d->inode, "new", 0755, 0, 0, &made), 0);
	inode_put(made);
	dentry_put(d);
	cr_expect_eq(walk_below(dir, "tree", false), 1 + 8 + 64 + 513);
	dentry_put(dir);
	dcache_shrink(0);
	cr_expect_eq(gofer_s(root->inode)->listing_size, 0, "listings are given back");
	finish();
}

/* The same through an overlay, whose changes it knows better. */
Test(gofer, lookups_below_overlay)
{
	struct gofer_sb *lower = gofer_s(root->inode);
	struct superblock *over_sb;
	struct inode *over, *made;
	struct dentry *dir, *d;
	uint32_t n;

	cr_assert_eq(overlay_mount_fresh(&kern, root->inode, NULL, &over_sb, &over), 0);
	dentry_put(root);
	superblock_put(sb);
	sb = over_sb;
	root = dentry_new_root(over);
	inode_put(over);
	dir = make_tree();
	cr_expect_eq(walk_below(dir, "tree", false), 1 + 8 + 64 + 512);
	n = requests();
	cr_expect_lt(n, 60, "%u", n);
	dcache_shrink(0);
	cr_expect_eq(walk_below(dir, "tree", true), 1 + 8 * 2 + 64 * 2 + 512 * 2);
	n = requests();
	cr_expect_lt(n, 120, "%u", n);
	/* Changed here, forgotten, and walked over once more. */
	d = must("tree/a1/b1");
	cr_expect_eq(d->inode->ops->mkdir(d->inode, "new", 0755, 0, 0, &made), 0);
	inode_put(made);
	dentry_put(d);
	unlink_entry(d = must("tree/a2/b2/c2/f"));
	dentry_put(d);
	dcache_shrink(0);
	d = must("tree/a5");
	cr_expect_eq(walk_below(d, "tree/a5", true), 1 + 1 + 8 * 2 + 64 * 2);
	dentry_put(d);
	d = must("tree/a1/b1/new");
	cr_expect(!gofer_owns(d->inode));
	dentry_put(d);
	cr_expect_eq(find("tree/a2/b2/c2/f", &d), -LX_ENOENT);
	dentry_put(dir);
	dcache_shrink(0);
	cr_expect_lt(lower->listing_size, 4096, "but for those of changed directories");
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
	}
	for (unsigned i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "f%u", i);
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
