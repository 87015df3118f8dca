/* The overlay over a tmpfs tree that must never change. */
#include "tests/unit/vfs_world.h"

#include "sentry/fs/overlay/overlay_impl.h"
#include "syscalls/abi/lx_dirent.h"

static struct inode *lower_root;

/* A lower tree made by hand, without a VFS above it. */
static struct inode *lower_dir(struct inode *dir, const char *name)
{
	struct inode *i;

	cr_assert_eq(dir->ops->mkdir(dir, name, LX_S_IFDIR | 0755, 0, 0, &i), 0);
	inode_put(i); /* the tree keeps it */
	return i;
}

static struct inode *lower_file(struct inode *dir, const char *name, const char *text)
{
	struct dentry *d;
	struct path p;
	struct inode *i;
	struct file *f;
	struct uio u;
	int64_t pos = 0;

	cr_assert_eq(dir->ops->create(dir, name, LX_S_IFREG | 0644, 0, 0, &i), 0);
	d = dentry_new_root(i);
	p = (struct path){ mount_new(i->sb, i, 0, "x", NULL), d };
	cr_assert_eq(i->ops->open(i, &p, FMODE_READ | FMODE_WRITE, LX_O_RDWR, &f), 0);
	uio_init_kernel(&u, (void *)(uintptr_t)text, strlen(text));
	cr_assert_eq(f->ops->write(f, &u, &pos, 0), (int64_t)strlen(text));
	file_put(f);
	path_put(&p);
	i->sb->no_dcache = false;
	inode_put(i);
	return i;
}

/*	/d/{a,b,sub/{deep}} /h1 == /h2 /ln -> d/a */
static void world_overlay(void)
{
	struct superblock *lsb, *sb;
	struct inode *root, *d, *sub, *h, *l;

	cr_assert_eq(tmpfs_new(&kern, "mode=755", &lsb, &lower_root), 0);
	d = lower_dir(lower_root, "d");
	lower_file(d, "a", "lower a");
	lower_file(d, "b", "lower b");
	sub = lower_dir(d, "sub");
	lower_file(sub, "deep", "deep");
	h = lower_file(lower_root, "h1", "linked");
	cr_assert_eq(lower_root->ops->link(lower_root, "h2", h), 0);
	cr_assert_eq(lower_root->ops->symlink(lower_root, "ln", "d/a", 0, 0, &l), 0);
	inode_put(l);
	lsb->negative_ok = true;
	cr_assert_eq(overlay_mount_fresh(&kern, lower_root, NULL, &sb, &root), 0);
	superblock_put(lsb);
	world_on(sb, root);
}

/* What the lower tree has under dir/name: its text, or NULL. */
static const char *lower_text(const char *dirname, const char *name)
{
	static char buf[256];
	struct inode *dir = lower_root, *i;
	struct path p;
	struct file *f;
	int64_t n;

	inode_get(dir);
	if (dirname) {
		struct inode *next;

		if (dir->ops->lookup(dir, dirname, &next)) {
			inode_put(dir);
			return NULL;
		}
		inode_put(dir);
		dir = next;
	}
	if (dir->ops->lookup(dir, name, &i)) {
		inode_put(dir);
		return NULL;
	}
	p = (struct path){ kern.mnt->root, dentry_new_root(i) };
	cr_assert_eq(i->ops->open(i, &p, FMODE_READ, LX_O_RDONLY, &f), 0);
	n = file_pread_kernel(f, buf, sizeof(buf) - 1, 0);
	buf[n] = '\0';
	file_put(f);
	dentry_put(p.dentry);
	inode_put(i);
	inode_put(dir);
	return buf;
}

static void check_lower(void)
{
	cr_assert_str_eq(lower_text("d", "a"), "lower a");
	cr_assert_str_eq(lower_text("d", "b"), "lower b");
	cr_assert_str_eq(lower_text(NULL, "h1"), "linked");
	cr_assert_null(lower_text(NULL, "new"));
}

static void world_overlay_end(void)
{
	check_lower();
	inode_put(lower_root);
	world_end();
}

TestSuite(overlay, .init = world_overlay, .fini = world_overlay_end);

static void forget_all(void)
{
	dcache_set_limit(0);
	dcache_set_limit(65536);
}

Test(overlay, reads_show_the_lower_tree)
{
	struct lx_stat st;

	cr_assert_str_eq(get_file("/d/a"), "lower a");
	cr_assert_str_eq(get_file("/ln"), "lower a");
	cr_assert_str_eq(list_dir("/", 64), "d h1 h2 ln");
	cr_assert_str_eq(list_dir("/d", 4096), "a b sub");
	cr_assert_eq(k_stat("/d/none", &st), -LX_ENOENT);
	cr_assert_eq(k_stat("/d/none", &st), -LX_ENOENT);
	cr_assert_eq(k_stat("/d/a/x", &st), -LX_ENOTDIR);
}

Test(overlay, copy_up_on_write_keeps_the_number)
{
	struct lx_stat before, after;
	long ro, fd;
	char c;

	k_stat("/d/a", &before);
	ro = k_open("/d/a", LX_O_RDONLY, 0);
	fd = k_open("/d/a", LX_O_RDWR | LX_O_APPEND, 0);
	cr_assert_eq(CALL(write, .fd = (int)fd, .buf = U("+up"), .count = 3), 3);
	k_close(fd);
	cr_assert_str_eq(get_file("/d/a"), "lower a+up");
	k_stat("/d/a", &after);
	cr_assert_eq(before.st_ino, after.st_ino);
	cr_assert_eq(before.st_dev, after.st_dev);
	cr_assert_eq(after.st_size, 10);
	/* Opened before: goes on with what it opened, but it is the same file to fstat. */
	cr_assert_eq(CALL(fstat, .fd = (int)ro, .statbuf = U(&after)), 0);
	cr_assert_eq(after.st_ino, before.st_ino);
	cr_assert_eq(CALL(pread64, .fd = (int)ro, .buf = U(&c), .count = 1, .pos = 7), 0);
	k_close(ro);
	forget_all();
	cr_assert_str_eq(get_file("/d/a"), "lower a+up");
	cr_assert_str_eq(list_dir("/d", 4096), "a b sub");
}

Test(overlay, attributes_copy_up)
{
	struct lx_stat st;
	char buf[8];

	cr_assert_eq(CALL(chmod, .filename = U("/d"), .mode = 0700), 0);
	cr_assert_eq(CALL(chown, .filename = U("/d/sub/deep"), .user = 5, .group = 6), 0);
	cr_assert_eq(CALL(setxattr, U("/d/b"), U("user.k"), U("v"), 1, 0), 0);
	cr_assert_eq(CALL(truncate, .path = U("/d/b"), .length = 3), 0);
	forget_all();
	k_stat("/d", &st);
	cr_assert_eq(st.st_mode, LX_S_IFDIR | 0700);
	k_stat("/d/sub/deep", &st);
	cr_assert_eq(st.st_uid, 5);
	cr_assert_eq(st.st_gid, 6);
	cr_assert_eq(CALL(getxattr, U("/d/b"), U("user.k"), U(buf), 8), 1);
	cr_assert_str_eq(get_file("/d/b"), "low");
	cr_assert_str_eq(get_file("/d/sub/deep"), "deep");
}

Test(overlay, whiteouts)
{
	struct lx_stat st;

	cr_assert_eq(k_unlink("/d/a"), 0);
	cr_assert_eq(k_stat("/d/a", &st), -LX_ENOENT);
	forget_all();
	cr_assert_eq(k_stat("/d/a", &st), -LX_ENOENT);
	cr_assert_str_eq(list_dir("/d", 4096), "b sub");
	cr_assert_eq(CALL(rmdir, .pathname = U("/d")), -LX_ENOTEMPTY);
	put_file("/d/a", "again");
	forget_all();
	cr_assert_str_eq(get_file("/d/a"), "again");
	cr_assert_str_eq(list_dir("/d", 64), "a b sub");
	k_unlink("/d/a");
	k_unlink("/d/b");
	k_unlink("/d/sub/deep");
	cr_assert_eq(CALL(rmdir, .pathname = U("/d/sub")), 0);
	cr_assert_eq(CALL(rmdir, .pathname = U("/d")), 0);
	cr_assert_str_eq(list_dir("/", 4096), "h1 h2 ln");
	/* A new directory of that name is opaque. */
	cr_assert_eq(k_mkdir("/d", 0755), 0);
	forget_all();
	cr_assert_str_eq(list_dir("/d", 4096), "");
	cr_assert_eq(k_stat("/d/a", &st), -LX_ENOENT);
}

Test(overlay, directories_move_across_layers)
{
	struct lx_stat before, after;

	k_stat("/d/sub", &before);
	put_file("/d/mine", "mine");
	k_unlink("/d/b");
	k_mkdir("/n", 0755);
	cr_assert_eq(k_rename("/d", "/n/moved"), 0);
	forget_all();
	cr_assert_str_eq(list_dir("/n/moved", 64), "a mine sub");
	cr_assert_str_eq(get_file("/n/moved/sub/deep"), "deep");
	cr_assert_str_eq(get_file("/n/moved/a"), "lower a");
	cr_assert_eq(k_stat("/d", &after), -LX_ENOENT);
	k_stat("/n/moved/sub", &after);
	cr_assert_eq(before.st_ino, after.st_ino);
	/* Down again, over an empty directory, and a file of it changed in its new place. */
	k_mkdir("/e", 0755);
	cr_assert_eq(k_rename("/n/moved/sub", "/e"), 0);
	put_file("/e/deep", "changed");
	forget_all();
	cr_assert_str_eq(get_file("/e/deep"), "changed");
	cr_assert_str_eq(list_dir("/n/moved", 64), "a mine");
	cr_assert_eq(k_rename("/n/moved", "/e"), -LX_ENOTEMPTY);
	cr_assert_str_eq(list_dir("/", 64), "e h1 h2 ln n");
}

Test(overlay, renames_of_files)
{
	struct lx_stat a, b;

	k_stat("/d/a", &a);
	cr_assert_eq(k_rename("/d/a", "/d/b"), 0);
	forget_all();
	k_stat("/d/b", &b);
	cr_assert_eq(a.st_ino, b.st_ino);
	cr_assert_str_eq(get_file("/d/b"), "lower a");
	cr_assert_str_eq(list_dir("/d", 64), "b sub");
	cr_assert_eq(CALL(renameat2, LX_AT_FDCWD, U("/d/sub"), LX_AT_FDCWD, U("/d/b"),
			  LX_RENAME_EXCHANGE), 0);
	forget_all();
	cr_assert_str_eq(get_file("/d/b/deep"), "deep");
	cr_assert_str_eq(get_file("/d/sub"), "lower a");
	cr_assert_str_eq(list_dir("/d", 64), "b sub");
	put_file("/new", "n");
	cr_assert_eq(k_rename("/new", "/d/a"), 0);
	cr_assert_str_eq(list_dir("/d", 64), "a b sub");
}

Test(overlay, hard_links_stay_one_file)
{
	struct lx_stat st;

	k_stat("/h1", &st);
	cr_assert_eq(st.st_nlink, 2);
	put_file("/h1", "changed");
	forget_all();
	/* The other name was never looked up before the change. */
	cr_assert_str_eq(get_file("/h2"), "changed");
	cr_assert_eq(k_unlink("/h1"), 0);
	forget_all();
	cr_assert_str_eq(get_file("/h2"), "changed");
	k_stat("/h2", &st);
	cr_assert_eq(st.st_nlink, 1);
	cr_assert_eq(CALL(link, .oldname = U("/h2"), .newname = U("/d/h3")), 0);
	cr_assert_eq(CALL(link, .oldname = U("/d/a"), .newname = U("/a2")), 0);
	forget_all();
	cr_assert_str_eq(get_file("/d/h3"), "changed");
	put_file("/a2", "both");
	forget_all();
	cr_assert_str_eq(get_file("/d/a"), "both");
	k_stat("/d/a", &st);
	cr_assert_eq(st.st_nlink, 2);
	cr_assert_eq(k_unlink("/h2"), 0);
	cr_assert_eq(k_unlink("/d/h3"), 0);
	cr_assert_str_eq(list_dir("/", 4096), "a2 d ln");
}

Test(overlay, open_files_outlive_their_names)
{
	char buf[16];
	long fd = k_open("/d/a", LX_O_RDONLY, 0);
	struct lx_stat st;

	cr_assert_eq(k_unlink("/d/a"), 0);
	cr_assert_eq(CALL(read, .fd = (int)fd, .buf = U(buf), .count = 16), 7);
	CALL(fstat, .fd = (int)fd, .statbuf = U(&st));
	cr_assert_eq(st.st_nlink, 0);
	fd = k_open("/d/b", LX_O_RDWR, 0);
	cr_assert_eq(k_unlink("/d/b"), 0);
	cr_assert_eq(CALL(write, .fd = (int)fd, .buf = U("LOW"), .count = 3), 3);
	cr_assert_eq(CALL(pread64, .fd = (int)fd, .buf = U(buf), .count = 16, .pos = 0), 7);
	cr_assert_eq(memcmp(buf, "LOWer b", 7), 0);
}

Test(overlay, listing_while_it_changes)
{
	uint8_t buf[64];
	char name[32];
	unsigned seen = 0;
	long fd, got;

	for (int i = 0; i < 20; i++) {
		(void)snprintf(name, sizeof(name), "/d/n%02d", i);
		put_file(name, "x");
	}
	fd = k_open("/d", LX_O_RDONLY | LX_O_DIRECTORY, 0);
	while ((got = CALL(getdents64, .fd = (int)fd, .dirent = U(buf), .count = 64)) > 0) {
		for (long at = 0; at < got;) {
			uint16_t rec;

			memcpy(&rec, buf + at + 16, 2);
			(void)snprintf(name, sizeof(name), "/d/%.20s", (char *)buf + at + 19);
			if (buf[at + 19] != '.') {
				seen++;
				/* Copied up or removed: listed once all the same. */
				if (seen % 2)
					(void)k_unlink(name);
				else
					CALL(chmod, .filename = U(name), .mode = 0700);
			}
			at += rec;
		}
	}
	cr_assert_eq(got, 0);
	cr_assert_eq(seen, 23);
	put_file("/d/late", "x");
	cr_assert_eq(CALL(lseek, .fd = (int)fd, .offset = 0, .whence = LX_SEEK_SET), 0);
	seen = 0;
	while ((got = CALL(getdents64, .fd = (int)fd, .dirent = U(buf), .count = 64)) > 0)
		for (long at = 0; at < got;) {
			uint16_t rec;

			memcpy(&rec, buf + at + 16, 2);
			seen += strcmp((char *)buf + at + 19, "late") == 0;
			at += rec;
		}
	cr_assert_eq(seen, 1);
}
