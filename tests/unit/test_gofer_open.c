/* Descriptors that come with a walk, or ahead of the opens that want them, against a real gofer
 * process: how many requests that takes, and that what is read is what is on the host. */
#include "sentry/fs/overlay/overlay.h"
#include "tests/unit/gofer_world.h"

static void opens_and_reads(struct dentry *d, const char *text)
{
	struct file *f = open_entry(d, FMODE_READ, LX_O_RDONLY);
	char buf[64] = "";

	cr_expect_eq(do_read(f, buf, sizeof(buf) - 1, 0), (int64_t)strlen(text), "%s", text);
	cr_expect_str_eq(buf, text);
	file_put(f);
}

/* The path as open(2) for reading walks it, then the opening. */
static uint32_t open_path(const char *path, const char *text)
{
	struct dentry *d;

	requests();
	sb->opening = true;
	d = must(path);
	sb->opening = false;
	opens_and_reads(d, text);
	dentry_put(d);
	return requests();
}

/* ---- with the walk ---- */

TestSuite(gofer_open_shared, .init = start_shared, .timeout = 30);

Test(gofer_open_shared, one_request)
{
	struct dentry *d[3] = { must("dir"), must("dir/sub"), must("dir/sub/deep") };
	struct inode *found[1];
	const char *name[] = { "new" };
	struct chain_walk w = { name, 1, found, 0, 0 };
	char text[32];

	cr_expect_eq(open_path("file", "hello\n"), 1, "the walk opens");
	cr_expect_eq(open_path("file", "hello\n"), 1, "checked; the descriptor is there");
	/* What the host does is seen by the next call. */
	put_file("file", "hello again\n");
	cr_expect_eq(open_path("file", "hello again\n"), 1);
	for (int i = 0; i < 50; i++) {
		snprintf(text, sizeof(text), "replaced %d\n", i);
		put_file("other", text);
		cr_assert_eq(rename(host("other"), host("file")), 0);
		cr_expect_leq(open_path("file", text), 2, "another file");
	}
	/* A chain that is still true is opened by the same request, and so is what follows it. */
	requests();
	sb->opening = true;
	cr_expect_eq(d[0]->inode->ops->revalidate_chain(d, 3), 3);
	opens_and_reads(d[2], "deep\n");
	cr_expect_eq(requests(), 1, "the end of a chain");
	put_file("dir/sub/new", "new\n");
	cr_expect_eq(d[0]->inode->ops->revalidate_walk(d, 2, &w), 2);
	cr_assert_eq(w.count, 1);
	cr_expect(gofer_i(found[0])->ro, "a name after it");
	inode_put(found[0]);
	cr_expect_eq(requests(), 1);
	/* Not what is no file, nor for who does not open. */
	sb->opening = false;
	put_file("dir/sub/newer", "newer\n");
	name[0] = "newer";
	w.count = 0;
	cr_expect_eq(d[0]->inode->ops->revalidate_walk(d, 2, &w), 2);
	cr_assert_eq(w.count, 1);
	cr_expect(!gofer_i(found[0])->ro);
	inode_put(found[0]);
	sb->opening = true;
	cr_expect_eq(d[0]->inode->ops->revalidate_chain(d, 2), 2);
	cr_expect(!gofer_i(d[1]->inode)->ro);
	sb->opening = false;
	for (int i = 0; i < 3; i++)
		dentry_put(d[i]);
	finish();
}

Test(gofer_open_shared, no_room_for_descriptors)
{
	struct rlimit old, r;
	struct dentry *d;
	int last = dup(0), err;

	close(last);
	getrlimit(RLIMIT_NOFILE, &old);
	r = (struct rlimit){ (rlim_t)last, old.rlim_max };
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &r), 0);
	sb->opening = true;
	err = find("file", &d);
	sb->opening = false;
	setrlimit(RLIMIT_NOFILE, &old);
	cr_assert_eq(err, 0, "it is found: %d", err);
	opens_and_reads(d, "hello\n");
	dentry_put(d);
	finish();
}

/* ---- ahead ---- */

static void start_files(void)
{
	char name[64], text[64];

	fds_dir = true;
	start(false, false, 0);
	mkdir(host("many"), 0755);
	for (unsigned i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "many/f%u", i);
		snprintf(text, sizeof(text), "the text of %u\n", i);
		put_file(name, text);
	}
	cr_assert_eq(link(host("many/f7"), host("many/link")), 0);
	cr_assert_eq(symlink("f8", host("many/sym")), 0);
	cr_assert_eq(mkfifo(host("many/fifo"), 0644), 0);
}

TestSuite(gofer_open, .init = start_files, .timeout = 30);

/* Opens many/f(i * step % n); the requests that takes. */
static uint32_t open_all(unsigned n, unsigned step)
{
	char name[64], text[64];
	uint32_t sum = 0;

	for (unsigned i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "many/f%u", i * step % n);
		snprintf(text, sizeof(text), "the text of %u\n", i * step % n);
		sum += open_path(name, text);
	}
	return sum;
}

Test(gofer_open, many)
{
	struct dentry *dir = must("many");
	uint32_t n;

	gofer_listing_want(gofer_i(dir->inode));
	n = open_all(300, 1);
	cr_expect_lt(n, 110, "%u", n);
	cr_expect_leq(conn->nfds, 301);
	dentry_put(dir);
	dcache_shrink(0);
	cr_expect_eq(conn->nfds, 0, "%u", conn->nfds);
	dir = must("many");
	gofer_listing_want(gofer_i(dir->inode));
	n = open_all(300, 37);
	cr_expect_lt(n, 110, "in another order: %u", n);
	dentry_put(dir);
	finish();
}

/* Who opens few of many gets not many more. */
Test(gofer_open, few)
{
	struct dentry *dir = must("many"), *d;
	struct file *f;
	char name[64];

	gofer_listing_want(gofer_i(dir->inode));
	for (unsigned i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "many/f%u", i);
		dentry_put(must(name));
	}
	open_path("many/f5", "the text of 5\n");
	cr_expect_eq(conn->nfds, 1, "the first one alone");
	open_path("many/f9", "the text of 9\n");
	cr_expect_lt(conn->nfds, 16, "%u", conn->nfds);
	/* What came along shows what is written, also after a truncation. */
	open_all(300, 1);
	d = must("many/f100");
	cr_assert(gofer_i(d->inode)->ro);
	f = open_entry(d, FMODE_READ | FMODE_WRITE, LX_O_RDWR);
	cr_expect_eq(do_write(f, "THE", 3, 0), 3);
	opens_and_reads(d, "THE text of 100\n");
	file_put(f);
	opens_and_reads(d, "THE text of 100\n");
	/* A name that goes takes them along. */
	unlink_entry(d);
	dentry_put(d);
	cr_expect_eq(find("many/f100", &d), -LX_ENOENT);
	dentry_put(dir);
	finish();
}

/* What was not changed in an overlay is opened as it is below. */
Test(gofer_open, through_an_overlay)
{
	struct superblock *lower = sb, *over_sb;
	struct inode *over;

	cr_assert_eq(overlay_mount_fresh(&kern, root->inode, NULL, &over_sb, &over), 0);
	dentry_put(root);
	sb = over_sb;
	root = dentry_new_root(over);
	inode_put(over);
	cr_expect_eq(open_path("dir/sub/deep", "deep\n"), 3, "three names, and no more");
	cr_expect(!lower->opening);
	cr_expect_eq(open_path("dir/sub/deep", "deep\n"), 0);
	superblock_put(lower);
	finish();
}

/* The cache of descriptors is as small as it is said to be. */
Test(gofer_open, limit)
{
	struct dentry *dir = must("many");

	gofer_listing_want(gofer_i(dir->inode));
	for (unsigned max = 0; max < 40; max += 13) {
		gofer_conn_limit_fds(conn, max);
		open_all(300, 1);
		cr_expect_leq(conn->nfds, max + 1, "%u: %u", max, conn->nfds);
	}
	dentry_put(dir);
	finish();
}

/* The inodes that descriptors are asked for must outlive the making of room for them. */
static void start_small(void)
{
	char name[64];

	fds_dir = true;
	start(false, false, 400);
	mkdir(host("many"), 0755);
	for (unsigned i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "many/f%u", i);
		put_file(name, "x");
	}
}

TestSuite(gofer_open_small, .init = start_small, .timeout = 30);

Test(gofer_open_small, no_room_in_the_gofer)
{
	struct dentry *dir = must("many");
	char name[64];

	gofer_listing_want(gofer_i(dir->inode));
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < 300; i++) {
			snprintf(name, sizeof(name), "many/f%u", i * 7 % 300);
			open_path(name, "x");
		}
	}
	dentry_put(dir);
	finish();
}
