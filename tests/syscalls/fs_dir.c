/* Directories and names: making, removing, renaming, linking, listing, and where one is. */
#include <dirent.h>
#include <limits.h>
#include <linux/fs.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "tests/harness/guest.h"

static void *volatile bad = (void *)8;

static void make(const char *path, const char *text)
{
	int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0644);

	CHECK(fd >= 0);
	CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
	CHECK_EQ(close(fd), 0);
}

static char first(const char *path)
{
	int fd = open(path, O_RDONLY);
	char c = 0;

	if (fd < 0)
		return 0;
	if (read(fd, &c, 1) != 1)
		c = '-';
	close(fd);
	return c;
}

static ino_t ino(const char *path)
{
	struct stat st;

	CHECK_EQ(lstat(path, &st), 0);
	return st.st_ino;
}

static nlink_t links(const char *path)
{
	struct stat st;

	CHECK_EQ(lstat(path, &st), 0);
	return st.st_nlink;
}

CASE(mkdir_rmdir, "mkdir,mkdirat,rmdir,unlinkat")
{
	int d;

	CHECK_EQ(mkdir("d", 0755), 0);
	CHECK_ERR(mkdir("d", 0755), EEXIST);
	CHECK_ERR(mkdir(".", 0755), EEXIST);
	CHECK_ERR(mkdir("/", 0755), EEXIST);
	CHECK_ERR(mkdir("none/d", 0755), ENOENT);
	make("f", "x");
	CHECK_ERR(mkdir("f", 0755), EEXIST);
	CHECK_ERR(mkdir("f/d", 0755), ENOTDIR);
	CHECK_EQ(symlink("nowhere", "l"), 0);
	CHECK_ERR(mkdir("l", 0755), EEXIST);
	d = open("d", O_RDONLY);
	CHECK_EQ(mkdirat(d, "in", 0700), 0);
	CHECK_ERR(rmdir("d"), ENOTEMPTY);
	CHECK_ERR(rmdir("d/."), EINVAL);
	CHECK_ERR(rmdir("d/in/.."), ENOTEMPTY);
	CHECK_ERR(rmdir("f"), ENOTDIR);
	CHECK_ERR(rmdir("none"), ENOENT);
	CHECK_ERR(rmdir("/"), EBUSY);
	CHECK_ERR(rmdir("l"), ENOTDIR);
	CHECK_ERR(unlinkat(d, "in", 0), EISDIR);
	CHECK_ERR(unlinkat(d, "in", 0x1000), EINVAL);
	CHECK_EQ(unlinkat(d, "in", AT_REMOVEDIR), 0);
	CHECK_EQ(rmdir("d"), 0);
	/* A removed directory that is still open: nothing can be made in it. */
	CHECK_ERR(mkdirat(d, "x", 0700), ENOENT);
	CHECK_ERR(openat(d, "x", O_CREAT | O_RDWR, 0600), ENOENT);
}

CASE(unlink_rules, "unlink,unlinkat")
{
	make("f", "x");
	CHECK_EQ(unlink("f"), 0);
	CHECK_ERR(unlink("f"), ENOENT);
	CHECK_ERR(unlink("."), EISDIR);
	CHECK_ERR(unlink(""), ENOENT);
	CHECK_EQ(mkdir("d", 0755), 0);
	CHECK_ERR(unlink("d"), EISDIR);
	CHECK_EQ(symlink("d", "l"), 0);
	CHECK_EQ(unlink("l"), 0);
	CHECK_ERR(syscall(SYS_unlink, bad), EFAULT);
	CHECK_ERR(unlinkat(999, "x", 0), EBADF);
	make("g", "x");
	CHECK_ERR(unlinkat(AT_FDCWD, "g", AT_REMOVEDIR), ENOTDIR);
}

CASE(link_counts, "link,linkat,unlink,stat")
{
	int fd;

	make("a", "x");
	CHECK_EQ(link("a", "b"), 0);
	CHECK(links("a") == 2 && ino("a") == ino("b"));
	CHECK_ERR(link("a", "b"), EEXIST);
	CHECK_ERR(link("none", "c"), ENOENT);
	CHECK_ERR(link("a", "none/c"), ENOENT);
	CHECK_EQ(mkdir("d", 0755), 0);
	CHECK_ERR(link("d", "e"), EPERM);
	CHECK_EQ(symlink("a", "l"), 0);
	CHECK_EQ(linkat(AT_FDCWD, "l", AT_FDCWD, "l2", 0), 0); /* the link itself */
	CHECK_EQ(ino("l2"), ino("l"));
	CHECK_EQ(linkat(AT_FDCWD, "l", AT_FDCWD, "l3", AT_SYMLINK_FOLLOW), 0);
	CHECK_EQ(ino("l3"), ino("a"));
	CHECK_ERR(linkat(AT_FDCWD, "a", AT_FDCWD, "l4", 0x1), EINVAL);
	fd = open("a", O_RDONLY);
	CHECK_ERR(linkat(fd, "", AT_FDCWD, "l5", 0), ENOENT);
	CHECK_EQ(unlink("a"), 0);
	CHECK_EQ(links("b"), 2);
	CHECK_EQ(first("b"), 'x');
}

CASE(dir_link_counts, "mkdir,rmdir,rename")
{
	nlink_t n = links(".");

	CHECK_EQ(mkdir("d", 0755), 0);
	CHECK_EQ(mkdir("e", 0755), 0);
	if (links(".") == 1)
		SKIP("the file system counts no directory links");
	CHECK_EQ(links("."), n + 2);
	CHECK_EQ(links("d"), 2);
	CHECK_EQ(rename("e", "d/e"), 0);
	CHECK_EQ(links("."), n + 1);
	CHECK_EQ(links("d"), 3);
	CHECK_EQ(rmdir("d/e"), 0);
	CHECK_EQ(links("d"), 2);
}

CASE(symlinks, "symlink,symlinkat,readlink,readlinkat")
{
	char b[8], *longest = malloc(PATH_MAX + 8);
	struct stat st;
	int d = open(".", O_RDONLY);

	CHECK_EQ(symlink("target", "l"), 0);
	memset(b, '#', sizeof(b));
	CHECK_EQ(readlink("l", b, sizeof(b)), 6);
	CHECK(!memcmp(b, "target##", 8));
	CHECK_EQ(readlink("l", b, 3), 3); /* cut short in silence */
	CHECK(lstat("l", &st) == 0 && st.st_size == 6 && (st.st_mode & 0777) == 0777);
	CHECK_EQ(symlinkat("t2", d, "l2"), 0);
	CHECK_EQ(readlinkat(d, "l2", b, 8), 2);
	CHECK_ERR(symlink("x", "l"), EEXIST);
	CHECK_ERR(symlink("", "e"), ENOENT);
	CHECK_ERR(symlink("x", "none/e"), ENOENT);
	CHECK_ERR(readlink("none", b, 8), ENOENT);
	CHECK_ERR(readlink(".", b, 8), EINVAL);
	CHECK_ERR(syscall(SYS_readlink, "l", b, 0), EINVAL);
	CHECK_ERR(syscall(SYS_readlink, "l", b, -1), EINVAL);
	CHECK_ERR(syscall(SYS_readlink, "l", bad, 8), EFAULT);
	memset(longest, 'x', PATH_MAX + 8);
	longest[PATH_MAX] = 0;
	CHECK_ERR(symlink(longest, "long"), ENAMETOOLONG);
}

CASE(rename_files, "rename,renameat")
{
	ino_t i;
	int d, fd;
	char c;

	make("a", "a");
	make("b", "b");
	i = ino("a");
	fd = open("b", O_RDONLY);
	CHECK_EQ(rename("a", "b"), 0);
	CHECK(ino("b") == i && first("b") == 'a' && first("a") == 0);
	/* The file that lost its name stays open. */
	CHECK(pread(fd, &c, 1, 0) == 1 && c == 'b');
	CHECK_EQ(rename("b", "b"), 0);
	CHECK_EQ(link("b", "c"), 0);
	CHECK_EQ(rename("b", "c"), 0); /* two names of one file: nothing happens */
	CHECK(first("b") == 'a' && first("c") == 'a');
	CHECK_ERR(rename("none", "x"), ENOENT);
	CHECK_ERR(rename("b", "none/x"), ENOENT);
	CHECK_ERR(rename("b", "c/x"), ENOTDIR);
	CHECK_ERR(rename("b", "."), EBUSY);
	CHECK_ERR(rename(".", "x"), EBUSY);
	CHECK_ERR(rename("..", "x"), EBUSY);
	CHECK_EQ(mkdir("d", 0755), 0);
	d = open("d", O_RDONLY);
	CHECK_EQ(renameat(AT_FDCWD, "b", d, "moved"), 0);
	CHECK_EQ(first("d/moved"), 'a');
	CHECK_ERR(renameat(999, "b", d, "moved"), EBADF);
}

CASE(rename_directories, "rename")
{
	CHECK(mkdir("a", 0755) == 0 && mkdir("a/b", 0755) == 0 && mkdir("e", 0755) == 0);
	make("f", "f");
	CHECK_ERR(rename("a", "a/b/c"), EINVAL); /* into itself */
	CHECK_ERR(rename("a", "a/x"), EINVAL);
	CHECK_ERR(rename("a/b", "a"), ENOTEMPTY);
	CHECK_ERR(rename("e", "a"), ENOTEMPTY);
	CHECK_ERR(rename("f", "e"), EISDIR);
	CHECK_ERR(rename("e", "f"), ENOTDIR);
	CHECK_EQ(rename("a", "e"), 0); /* over an empty one */
	CHECK(access("e/b", F_OK) == 0 && access("a", F_OK) != 0);
	CHECK_EQ(chdir("e/b"), 0);
	CHECK_EQ(rename("../../e", "../../g"), 0);
	CHECK_EQ(access("../../g/b", F_OK), 0); /* ".." follows the move */
	char cwd[200];
	CHECK(getcwd(cwd, sizeof(cwd)) && strstr(cwd, "/g/b"));
}

CASE(renameat2_flags, "renameat2")
{
	make("a", "a");
	make("b", "b");
	CHECK_EQ(mkdir("d", 0755), 0);
	CHECK_ERR(renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_NOREPLACE), EEXIST);
	CHECK_EQ(renameat2(AT_FDCWD, "a", AT_FDCWD, "c", RENAME_NOREPLACE), 0);
	CHECK_EQ(first("c"), 'a');
	CHECK_EQ(renameat2(AT_FDCWD, "c", AT_FDCWD, "b", RENAME_EXCHANGE), 0);
	CHECK(first("c") == 'b' && first("b") == 'a');
	CHECK_EQ(renameat2(AT_FDCWD, "c", AT_FDCWD, "d", RENAME_EXCHANGE), 0);
	CHECK(first("d") == 'b' && access("c/.", F_OK) == 0);
	CHECK_ERR(renameat2(AT_FDCWD, "c", AT_FDCWD, "none", RENAME_EXCHANGE), ENOENT);
	CHECK_ERR(renameat2(AT_FDCWD, "c", AT_FDCWD, "c/x", RENAME_EXCHANGE), ENOENT);
	CHECK_ERR(renameat2(AT_FDCWD, "c", AT_FDCWD, "d", RENAME_EXCHANGE | RENAME_NOREPLACE), EINVAL);
	CHECK_ERR(renameat2(AT_FDCWD, "c", AT_FDCWD, "d", 0x100), EINVAL);
}

struct dirent_raw { uint64_t ino; int64_t off; uint16_t len; uint8_t type; char name[]; };

static int list(int fd, char *buf, size_t n, int *types, char *names)
{
	int count = 0;

	names[0] = 0;
	for (;;) {
		long got = syscall(SYS_getdents64, fd, buf, n);

		CHECK(got >= 0);
		if (got == 0)
			return count;
		for (long at = 0; at < got;) {
			struct dirent_raw *e = (struct dirent_raw *)(void *)(buf + at);

			CHECK(e->len % 8 == 0 && e->ino != 0);
			if (strlen(names) < 200) {
				strcat(names, e->name);
				strcat(names, "|");
			}
			types[e->type & 15]++;
			count++;
			at += e->len;
		}
	}
}

CASE(listing, "getdents64,lseek")
{
	static char buf[4096], names[512];
	int types[16] = { 0 }, fd;

	make("file", "x");
	CHECK(mkdir("dir", 0755) == 0 && symlink("x", "link") == 0 && mkfifo("fifo", 0600) == 0);
	fd = open(".", O_RDONLY | O_DIRECTORY);
	CHECK_EQ(list(fd, buf, sizeof(buf), types, names), 6);
	CHECK(types[DT_DIR] == 3 && types[DT_REG] == 1 && types[DT_LNK] == 1 && types[DT_FIFO] == 1);
	CHECK(strstr(names, "file|") && strstr(names, "..|"));
	CHECK_EQ(syscall(SYS_getdents64, fd, buf, sizeof(buf)), 0);
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	CHECK_EQ(list(fd, buf, 40, types, names), 6); /* one or two at a time */
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	CHECK_ERR(syscall(SYS_getdents64, fd, buf, 8), EINVAL);
	CHECK_ERR(syscall(SYS_getdents64, open("file", O_RDONLY), buf, 100), ENOTDIR);
	CHECK_ERR(syscall(SYS_getdents64, 999, buf, 100), EBADF);
	CHECK_ERR(syscall(SYS_getdents64, fd, bad, 4096), EFAULT);
	CHECK_EQ(mkdir("gone", 0755), 0);
	fd = open("gone", O_RDONLY);
	CHECK_EQ(rmdir("gone"), 0);
	CHECK_ERR(syscall(SYS_getdents64, fd, buf, 4096), ENOENT);
}

CASE(old_listing, "getdents")
{
	struct old { unsigned long ino, off; unsigned short len; char name[]; };
	char buf[1024];
	int fd = open(".", O_RDONLY), seen = 0;
	long n;

	make("file", "x");
	n = syscall(SYS_getdents, fd, buf, sizeof(buf));
	CHECK(n > 0);
	for (long at = 0; at < n;) {
		struct old *e = (struct old *)(void *)(buf + at);

		if (!strcmp(e->name, "file"))
			seen = buf[at + e->len - 1]; /* the type is the last byte */
		at += e->len;
	}
	CHECK_EQ(seen, DT_REG);
	CHECK_EQ(syscall(SYS_getdents, fd, buf, sizeof(buf)), 0);
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	CHECK_ERR(syscall(SYS_getdents, fd, buf, 1), EINVAL);
}

CASE(many_entries, "getdents64")
{
	static char buf[1024], names[512];
	int types[16] = { 0 };
	char name[20];

	for (int i = 0; i < 500; i++) {
		snprintf(name, sizeof(name), "entry-%d", i);
		make(name, "");
	}
	CHECK_EQ(list(open(".", O_RDONLY), buf, sizeof(buf), types, names), 502);
	/* Removing while listing skips nothing that stays. */
	DIR *d = opendir(".");
	int removed = 0;
	for (struct dirent *e; (e = readdir(d));)
		if (e->d_name[0] == 'e')
			removed += unlink(e->d_name) == 0;
	closedir(d);
	CHECK_EQ(removed, 500);
}

CASE(where_we_are, "chdir,fchdir,getcwd")
{
	char cwd[300], want[300];
	int up = open(".", O_RDONLY), fd;

	CHECK_EQ(mkdir("d", 0755), 0);
	CHECK_EQ(chdir("d"), 0);
	CHECK_EQ(syscall(SYS_getcwd, cwd, sizeof(cwd)), strlen(guest_dir) + 3);
	snprintf(want, sizeof(want), "%s/d", guest_dir);
	CHECK(!strcmp(cwd, want));
	CHECK_ERR(syscall(SYS_getcwd, cwd, 4), ERANGE);
	CHECK_ERR(syscall(SYS_getcwd, bad, 300), EFAULT);
	CHECK_ERR(chdir("none"), ENOENT);
	CHECK_ERR(chdir(""), ENOENT);
	make("f", "x");
	CHECK_ERR(chdir("f"), ENOTDIR);
	fd = open("f", O_RDONLY);
	CHECK_ERR(fchdir(fd), ENOTDIR);
	CHECK_ERR(fchdir(999), EBADF);
	CHECK_EQ(unlink("f"), 0);
	CHECK_EQ(rmdir("../d"), 0);
	CHECK_ERR(syscall(SYS_getcwd, cwd, sizeof(cwd)), ENOENT);
	CHECK_ERR(open("x", O_CREAT | O_RDWR, 0600), ENOENT);
	CHECK_EQ(access(".", F_OK), 0);
	CHECK_EQ(fchdir(up), 0);
	CHECK(getcwd(cwd, sizeof(cwd)) && !strcmp(cwd, guest_dir));
	CHECK_EQ(chdir("/.."), 0);
	CHECK(getcwd(cwd, sizeof(cwd)) && !strcmp(cwd, "/"));
}

CASE(chroots, "chroot,getcwd")
{
	char cwd[300];
	int outside = open(".", O_RDONLY);

	if (geteuid() != 0)
		SKIP("needs root");
	CHECK(mkdir("root", 0755) == 0 && mkdir("root/in", 0755) == 0);
	make("root/f", "f");
	make("f", "o");
	CHECK_ERR(chroot("f"), ENOTDIR);
	CHECK_ERR(chroot("none"), ENOENT);
	CHECK_EQ(chroot("root"), 0);
	CHECK_EQ(first("/f"), 'f');
	CHECK_EQ(first("f"), 'o'); /* the current directory has not moved */
	CHECK_EQ(chdir("/in"), 0);
	CHECK_EQ(first("../../../f"), 'f');
	CHECK(getcwd(cwd, sizeof(cwd)) && !strcmp(cwd, "/in"));
	CHECK_EQ(symlink("/f", "abs"), 0);
	CHECK_EQ(first("abs"), 'f');
	CHECK_EQ(fchdir(outside), 0);
	CHECK_EQ(first("f"), 'o');
	CHECK(syscall(SYS_getcwd, cwd, sizeof(cwd)) > 0 && !strncmp(cwd, "(unreachable)", 13));
	CHECK_EQ(setuid(1000), 0);
	CHECK_ERR(chroot("/"), EPERM);
}

CASE(special_files, "mknod,mknodat,stat")
{
	struct stat st;
	int d = open(".", O_RDONLY);

	umask(0);
	CHECK_EQ(mknod("p", S_IFIFO | 0640, 0), 0);
	CHECK(stat("p", &st) == 0 && st.st_mode == (S_IFIFO | 0640));
	CHECK_EQ(mknodat(d, "f", S_IFREG | 0600, 0), 0);
	CHECK(stat("f", &st) == 0 && st.st_mode == (S_IFREG | 0600) && st.st_size == 0);
	CHECK_EQ(mknod("g", 0600, 0), 0); /* no type is a file */
	CHECK(stat("g", &st) == 0 && S_ISREG(st.st_mode));
	CHECK_EQ(mknod("s", S_IFSOCK | 0600, 0), 0);
	CHECK(stat("s", &st) == 0 && S_ISSOCK(st.st_mode));
	CHECK_ERR(open("s", O_RDWR), ENXIO);
	CHECK_ERR(mknod("p", S_IFIFO | 0640, 0), EEXIST);
	CHECK_ERR(mknod("d", S_IFDIR | 0700, 0), EPERM);
	CHECK_ERR(mknod("x", S_IFLNK | 0700, 0), EINVAL);
	CHECK_ERR(mknod("none/x", S_IFIFO | 0700, 0), ENOENT);
	CHECK_EQ(chmod(".", 0777), 0);
	if (geteuid() == 0)
		CHECK_EQ(setuid(1000), 0);
	CHECK_ERR(mknod("dev", S_IFBLK | 0600, makedev(7, 200)), EPERM);
}

CASE(sticky_directories, "unlink,rename,rmdir")
{
	if (geteuid() != 0)
		SKIP("needs root");
	CHECK(mkdir("t", 0777) == 0 && chmod("t", 01777) == 0 && chmod(".", 0755) == 0);
	make("t/root", "r");
	make("t/mine", "m");
	CHECK_EQ(chown("t/mine", 1000, 1000), 0);
	CHECK_EQ(mkdir("t/d", 0777), 0);
	CHECK_EQ(setuid(1000), 0);
	CHECK_ERR(unlink("t/root"), EPERM);
	CHECK_ERR(rename("t/root", "t/x"), EPERM);
	CHECK_ERR(rename("t/mine", "t/root"), EPERM);
	CHECK_ERR(rmdir("t/d"), EPERM);
	CHECK_EQ(rename("t/mine", "t/y"), 0);
	CHECK_EQ(unlink("t/y"), 0);
}

CASE(unlinked_file_lives, "unlink,fstat,mmap")
{
	struct stat st;
	char *m, link[64], path[40];
	int fd;

	make("f", "hello");
	fd = open("f", O_RDWR);
	m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK_EQ(unlink("f"), 0);
	CHECK(fstat(fd, &st) == 0 && st.st_nlink == 0 && st.st_size == 5);
	m[0] = 'J';
	CHECK(pread(fd, link, 5, 0) == 5 && !memcmp(link, "Jello", 5));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	memset(link, 0, sizeof(link));
	CHECK(readlink(path, link, sizeof(link) - 1) > 0);
	CHECK(strstr(link, "/f (deleted)"));
	make("f", "new");
	CHECK_EQ(pread(fd, link, 5, 0), 5);
}

CASE(deep_tree, "mkdir,chdir,getcwd,rmdir")
{
	char cwd[1000];

	for (int i = 0; i < 60; i++)
		CHECK(mkdir("deeper", 0755) == 0 && chdir("deeper") == 0);
	CHECK(getcwd(cwd, sizeof(cwd)) && strlen(cwd) == strlen(guest_dir) + 60 * 7);
	for (int i = 0; i < 60; i++)
		CHECK(chdir("..") == 0 && rmdir("deeper") == 0);
}

MAIN()
