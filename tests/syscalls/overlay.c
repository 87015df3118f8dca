/* overlayfs as container builders use it: merging, copying up, whiteouts and opaque
 * directories as they lie in the upper layer, errors of rename and of mounting. */
#include <dirent.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/xattr.h>

#include "tests/harness/guest_mount.h"

static void overlay_at(const char *at, unsigned long flags, const char *data)
{
	CHECK_EQ(mount("overlay", at, "overlay", flags, data), 0);
}

/* A tmpfs with two lower layers, an upper, a work directory and a place to mount. */
static void layers(void)
{
	enter();
	tmpfs("t", 0, NULL);
	CHECK_EQ(chdir("t"), 0);
	CHECK(mkdir("l1", 0755) == 0 && mkdir("l2", 0755) == 0 && mkdir("u", 0755) == 0 &&
	      mkdir("w", 0755) == 0 && mkdir("m", 0755) == 0);
}

static void over(void)
{
	overlay_at("m", 0, "lowerdir=l1:l2,upperdir=u,workdir=w");
}

static void leave(void)
{
	CHECK(umount2("m", MNT_DETACH) == 0 && chdir("..") == 0);
	CHECK_EQ(umount2("t", MNT_DETACH), 0);
}

static bool holds(const char *path, const char *text)
{
	char b[300] = "";
	int fd = open(path, O_RDONLY);
	ssize_t n;

	CHECK(fd >= 0);
	n = read(fd, b, sizeof(b) - 1);
	CHECK(n >= 0 && close(fd) == 0);
	return !strcmp(b, text);
}

static bool whiteout(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == 0;
}

static bool opaque(const char *path)
{
	char v[4] = "";

	return getxattr(path, "trusted.overlay.opaque", v, sizeof(v)) == 1 && v[0] == 'y';
}

/* Names in a directory, sorted, with spaces between. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static bool lists(const char *path, const char *want)
{
	char got[1000] = "";
	struct dirent **e;
	int n = scandir(path, &e, NULL, by_name);

	CHECK(n >= 2);
	for (int i = 0; i < n; i++) {
		if (strcmp(e[i]->d_name, ".") && strcmp(e[i]->d_name, "..")) {
			strcat(got, e[i]->d_name);
			strcat(got, " ");
		}
		free(e[i]);
	}
	free(e);
	if (strcmp(got, want))
		fprintf(stderr, "%s lists \"%s\"\n", path, got);
	return !strcmp(got, want);
}

CASE(layers_merge, "mount,stat,getdents64,statfs")
{
	struct stat st, m, a;
	struct statfs fs;

	layers();
	make("l1/both", "one");
	make("l2/both", "two");
	make("l2/second", "2");
	make("u/upper", "u");
	CHECK(mkdir("l1/d", 0750) == 0 && mkdir("l2/d", 0755) == 0 && mkdir("u/x", 0700) == 0);
	make("l1/d/a", "a");
	make("l2/d/b", "b");
	make("l2/x", "a file below a directory");
	CHECK_EQ(mkdir("l2/both2", 0755), 0);
	make("l1/both2", "a file above a directory");
	over();
	CHECK(holds("m/both", "one") && holds("m/second", "2") && holds("m/upper", "u"));
	CHECK(holds("m/d/a", "a") && holds("m/d/b", "b"));
	CHECK(lists("m", "both both2 d second upper x "));
	CHECK(lists("m/d", "a b ") && lists("m/x", ""));
	CHECK(stat("m/d", &st) == 0 && (st.st_mode & 07777) == 0750 && st.st_nlink == 1);
	CHECK(stat("m/both2", &st) == 0 && S_ISREG(st.st_mode));
	CHECK(stat("m", &m) == 0 && stat("m/both", &a) == 0 && stat("l1/both", &st) == 0);
	CHECK(m.st_dev == a.st_dev || a.st_dev == st.st_dev);
	CHECK(a.st_ino == st.st_ino);
	CHECK(statfs("m", &fs) == 0 && fs.f_type == OVERLAYFS_SUPER_MAGIC);
	CHECK(has("w/work"));
	leave();
}

CASE(copying_up, "open,write,chmod,chown,utimensat,setxattr,truncate")
{
	struct timespec old[2] = { { 1000, 5 }, { 2000, 7 } };
	struct stat before, after;
	char v[10];
	int r, w;

	layers();
	CHECK(mkdir("l1/d", 0755) == 0 && mkdir("l1/d/e", 0711) == 0);
	make("l1/d/e/f", "lower");
	CHECK(chmod("l1/d/e/f", 04751) == 0 && chown("l1/d/e/f", 7, 8) == 0);
	CHECK(chmod("l1/d/e/f", 04751) == 0);
	CHECK_EQ(setxattr("l1/d/e/f", "trusted.note", "abc", 3, 0), 0);
	CHECK_EQ(utimensat(AT_FDCWD, "l1/d/e/f", old, 0), 0);
	CHECK_EQ(utimensat(AT_FDCWD, "l1/d/e", old, 0), 0);
	over();
	CHECK_EQ(stat("m/d/e/f", &before), 0);
	r = open("m/d/e/f", O_RDONLY);
	CHECK(!has("u/d"));
	CHECK_EQ(chmod("m/d/e/f", 0640), 0);
	CHECK(has("u/d/e/f"));
	CHECK(stat("u/d/e", &after) == 0 && (after.st_mode & 07777) == 0711);
	CHECK(after.st_mtim.tv_sec == 2000);
	CHECK(stat("m/d/e/f", &after) == 0 && after.st_ino == before.st_ino);
	CHECK(after.st_uid == 7 && after.st_gid == 8 && (after.st_mode & 07777) == 0640);
	CHECK(after.st_mtim.tv_sec == 2000 && after.st_mtim.tv_nsec == 7);
	CHECK(getxattr("u/d/e/f", "trusted.note", v, 10) == 3 && !memcmp(v, "abc", 3));
	CHECK(holds("u/d/e/f", "lower") && holds("l1/d/e/f", "lower"));
	w = open("m/d/e/f", O_RDWR | O_APPEND);
	CHECK_EQ(write(w, "+more", 5), 5);
	CHECK(fstat(w, &after) == 0 && after.st_size == 10);
	CHECK(holds("m/d/e/f", "lower+more") && holds("l1/d/e/f", "lower"));
	CHECK(read(r, v, 10) == 10 && !memcmp(v, "lower+more", 10)); /* opened before */
	CHECK(lseek(w, 0, SEEK_END) == 10 && ftruncate(w, 3) == 0);
	CHECK(fstat(w, &after) == 0 && after.st_size == 3 && holds("m/d/e/f", "low"));
	CHECK(close(r) == 0 && close(w) == 0);
	make("l2/t", "to be cut");
	CHECK_EQ(truncate("m/t", 2), 0);
	CHECK(holds("m/t", "to") && holds("l2/t", "to be cut"));
	leave();
}

CASE(copying_up_kinds, "symlink,mknod,utimensat,lchown")
{
	struct stat st;
	char b[20];
	int fd, n;
	char *p;
	static char big[300000];

	layers();
	CHECK(symlink("target", "l1/l") == 0 && mkfifo("l1/p", 0600) == 0 &&
	      mknod("l1/c", S_IFCHR | 0600, makedev(1, 3)) == 0);
	memset(big, 'x', sizeof(big));
	fd = open("l1/big", O_CREAT | O_RDWR, 0600);
	CHECK_EQ(write(fd, big, sizeof(big)), sizeof(big));
	CHECK(ftruncate(fd, 1000000) == 0 && close(fd) == 0);
	over();
	CHECK(lchown("m/l", 5, 6) == 0 && chmod("m/p", 0640) == 0 && chmod("m/c", 0666) == 0);
	CHECK(readlink("u/l", b, 20) == 6 && !memcmp(b, "target", 6));
	CHECK(lstat("u/l", &st) == 0 && st.st_uid == 5 && st.st_gid == 6);
	CHECK(stat("u/p", &st) == 0 && S_ISFIFO(st.st_mode) && (st.st_mode & 0777) == 0640);
	CHECK(stat("u/c", &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3));
	fd = open("m/c", O_WRONLY);
	CHECK(fd >= 0 && write(fd, "x", 1) == 1 && close(fd) == 0);
	fd = open("m/big", O_RDWR);
	CHECK(fstat(fd, &st) == 0 && st.st_size == 1000000);
	p = mmap(NULL, 1000000, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(p != MAP_FAILED && p[299999] == 'x' && p[300000] == 0);
	p[999999] = 'y';
	CHECK(munmap(p, 1000000) == 0 && close(fd) == 0);
	fd = open("u/big", O_RDONLY);
	n = (int)pread(fd, b, 20, 999990);
	CHECK(n == 10 && b[9] == 'y');
	CHECK(close(fd) == 0 && stat("l1/big", &st) == 0);
	leave();
}

CASE(whiteouts, "unlink,rmdir,mkdir,open")
{
	layers();
	make("l1/f", "1");
	make("l2/f", "2");
	CHECK(mkdir("l1/d", 0755) == 0 && mkdir("l1/d/in", 0755) == 0);
	make("l1/d/g", "g");
	over();
	CHECK_EQ(unlink("m/f"), 0);
	CHECK(!has("m/f") && whiteout("u/f") && has("l1/f"));
	CHECK_ERR(rmdir("m/d"), ENOTEMPTY);
	CHECK(unlink("m/d/g") == 0 && rmdir("m/d/in") == 0);
	CHECK(whiteout("u/d/g") && whiteout("u/d/in") && lists("m/d", ""));
	CHECK_EQ(rmdir("m/d"), 0);
	CHECK(whiteout("u/d") && lists("m", ""));
	CHECK_EQ(mkdir("m/d", 0700), 0); /* a new one shows nothing of the old */
	CHECK(opaque("u/d") && lists("m/d", ""));
	CHECK_ERR(getxattr("m/d", "trusted.overlay.opaque", NULL, 0), ENODATA);
	char list[100];
	CHECK_EQ(listxattr("m/d", list, sizeof(list)), 0);
	make("m/f", "new");
	CHECK(holds("u/f", "new") && holds("m/f", "new"));
	CHECK_EQ(unlink("m/f"), 0);
	CHECK(whiteout("u/f"));
	make("m/own", "x");
	CHECK_EQ(unlink("m/own"), 0);
	CHECK(!has("u/own")); /* nothing to hide */
	CHECK_ERR(mknod("m/w", S_IFCHR | 0600, 0), EPERM);
	/* And mounted anew. */
	CHECK_EQ(umount("m"), 0);
	over();
	CHECK(!has("m/f") && lists("m", "d ") && lists("m/d", ""));
	leave();
}

CASE(own_attributes_of_others, "setxattr,listxattr,removexattr")
{
	char v[100];

	layers();
	make("l1/f", "");
	over();
	CHECK_EQ(setxattr("m/f", "trusted.overlay.opaque", "z", 1, 0), 0);
	CHECK(getxattr("m/f", "trusted.overlay.opaque", v, 4) == 1 && v[0] == 'z');
	CHECK(getxattr("u/f", "trusted.overlay.overlay.opaque", v, 4) == 1 && v[0] == 'z');
	CHECK(listxattr("m/f", v, 100) == 23 && !strcmp(v, "trusted.overlay.opaque"));
	CHECK_ERR(listxattr("m/f", v, 22), ERANGE);
	CHECK_EQ(removexattr("m/f", "trusted.overlay.opaque"), 0);
	CHECK_ERR(removexattr("m/f", "trusted.overlay.opaque"), ENODATA);
	leave();
}

CASE(layers_made_by_others, "mknod,setxattr,open")
{
	layers();
	make("l2/gone", "x");
	CHECK_EQ(mknod("l1/gone", S_IFCHR | 0600, 0), 0);
	CHECK(mkdir("l1/o", 0755) == 0 && mkdir("l2/o", 0755) == 0);
	make("l1/o/a", "a");
	make("l2/o/b", "b");
	CHECK_EQ(setxattr("l1/o", "trusted.overlay.opaque", "y", 1, 0), 0);
	overlay_at("m", 0, "lowerdir=l1:l2");
	CHECK(!has("m/gone") && lists("m", "o ") && lists("m/o", "a "));
	CHECK_ERR(open("m/o/a", O_RDWR), EROFS);
	CHECK_ERR(mkdir("m/new", 0755), EROFS);
	leave();
}

CASE(renaming, "rename,renameat2")
{
	layers();
	make("l1/f", "lower");
	make("l1/other", "other");
	CHECK(mkdir("l1/d", 0755) == 0 && mkdir("l1/empty", 0755) == 0);
	make("l1/d/x", "x");
	over();
	CHECK_EQ(rename("m/f", "m/g"), 0);
	CHECK(whiteout("u/f") && holds("u/g", "lower") && !has("m/f") && holds("m/g", "lower"));
	CHECK_EQ(rename("m/g", "m/other"), 0); /* over a lower file */
	CHECK(holds("m/other", "lower") && !has("u/g") && lists("m", "d empty other "));
	CHECK_ERR(rename("m/d", "m/e"), EXDEV);
	CHECK_EQ(mkdir("m/new", 0755), 0);
	make("m/new/y", "y");
	CHECK_EQ(rename("m/new", "m/new2"), 0);
	CHECK(holds("m/new2/y", "y"));
	CHECK_ERR(rename("m/new2", "m/d"), ENOTEMPTY);
	CHECK_EQ(rename("m/new2", "m/empty"), 0);
	CHECK(opaque("u/empty") && lists("m/empty", "y "));
	CHECK_EQ(unlink("m/d/x"), 0);
	CHECK_EQ(rename("m/empty", "m/d"), 0); /* over one with whiteouts in it */
	CHECK(lists("m/d", "y ") && lists("m", "d other "));
	make("m/p", "p");
	CHECK_EQ(syscall(SYS_renameat2, AT_FDCWD, "m/p", AT_FDCWD, "m/other", 2), 0);
	CHECK(holds("m/p", "lower") && holds("m/other", "p"));
	CHECK_ERR(syscall(SYS_renameat2, AT_FDCWD, "m/p", AT_FDCWD, "m/other", 1), EEXIST);
	CHECK_ERR(syscall(SYS_renameat2, AT_FDCWD, "m/p", AT_FDCWD, "m/q", 4), EINVAL);
	CHECK_EQ(rename("m/other", "m/f"), 0); /* onto a whiteout */
	CHECK(holds("u/f", "p") && whiteout("u/other"));
	leave();
}

CASE(hard_links, "link,linkat,unlink")
{
	struct stat a, b;

	layers();
	make("l1/f", "lower");
	over();
	CHECK_EQ(link("m/f", "m/g"), 0);
	CHECK(stat("m/f", &a) == 0 && stat("m/g", &b) == 0 && a.st_ino == b.st_ino);
	CHECK(a.st_nlink == 2 && stat("u/g", &b) == 0 && b.st_nlink == 2);
	make("m/g", "through the other");
	CHECK(holds("m/f", "through the other"));
	CHECK_EQ(unlink("m/f"), 0);
	CHECK(whiteout("u/f") && stat("m/g", &a) == 0 && a.st_nlink == 1);
	int fd = open("m", O_TMPFILE | O_RDWR, 0600);
	if (fd >= 0) {
		char name[40];

		CHECK_EQ(write(fd, "tmp", 3), 3);
		snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
		CHECK_EQ(linkat(AT_FDCWD, name, AT_FDCWD, "m/named", AT_SYMLINK_FOLLOW), 0);
		CHECK(holds("m/named", "tmp") && holds("u/named", "tmp"));
		CHECK_EQ(close(fd), 0);
	}
	leave();
}

CASE(removed_while_open, "unlink,fstat,read")
{
	struct stat st;
	char b[10];
	int r, w;

	layers();
	make("l1/f", "lower");
	make("l1/g", "gone");
	over();
	r = open("m/f", O_RDONLY);
	w = open("m/g", O_RDWR);
	CHECK(unlink("m/f") == 0 && unlink("m/g") == 0);
	CHECK_EQ(read(r, b, 10), 5);
	CHECK(write(w, "G", 1) == 1 && pread(w, b, 10, 0) == 4 && b[0] == 'G');
	CHECK(fstat(w, &st) == 0 && st.st_nlink == 0);
	CHECK(close(r) == 0 && close(w) == 0);
	CHECK(lists("m", ""));
	leave();
}

CASE(listing_while_changing, "getdents64,lseek")
{
	char name[30];
	DIR *d;
	int n = 0;

	layers();
	for (int i = 0; i < 50; i++) {
		snprintf(name, sizeof(name), "l%d/f%d", i % 2 + 1, i);
		make(name, "");
	}
	over();
	d = opendir("m");
	for (struct dirent *e; (e = readdir(d));) {
		if (e->d_name[0] != 'f')
			continue;
		n++;
		snprintf(name, sizeof(name), "m/%.20s", e->d_name);
		CHECK_EQ(unlink(name), 0);
	}
	CHECK_EQ(n, 50);
	rewinddir(d);
	for (n = 0; readdir(d);)
		n++;
	CHECK_EQ(n, 2);
	CHECK_EQ(closedir(d), 0);
	leave();
}

CASE(user_attributes, "mount,setxattr")
{
	char v[4];

	layers();
	CHECK_EQ(mkdir("l1/d", 0755), 0);
	make("l1/d/f", "");
	overlay_at("m", 0, "lowerdir=l1,upperdir=u,workdir=w,userxattr,index=off");
	CHECK(unlink("m/d/f") == 0 && rmdir("m/d") == 0 && mkdir("m/d", 0755) == 0);
	CHECK(getxattr("u/d", "user.overlay.opaque", v, 4) == 1 && v[0] == 'y');
	CHECK(lists("m/d", "") && !opaque("u/d"));
	leave();
}

CASE(mounting_errors, "mount")
{
	layers();
	CHECK_EQ(mkdir("u/in", 0755), 0);
	CHECK_ERR(mount("o", "m", "overlay", 0, NULL), EINVAL);
	CHECK_ERR(mount("o", "m", "overlay", 0, "lowerdir=l1"), EINVAL);
	CHECK_ERR(mount("o", "m", "overlay", 0, "lowerdir=l1,upperdir=u"), EINVAL);
	CHECK_ERR(mount("o", "m", "overlay", 0, "lowerdir=none,upperdir=u,workdir=w"), ENOENT);
	CHECK_ERR(mount("o", "m", "overlay", 0, "lowerdir=l1,upperdir=u,workdir=u/in"), EINVAL);
	CHECK_ERR(mount("o", "m", "overlay", 0, "lowerdir=l1,upperdir=u,workdir=/proc"), EINVAL);
	CHECK_ERR(mount("o", "m", "overlay", 0, "lowerdir=l1,upperdir=u,workdir=w,what=1"), EINVAL);
	CHECK_ERR(mount("o", "m", "overlay", 0, "lowerdir=u/in,upperdir=u,workdir=w"), ELOOP);
	CHECK_ERR(mount("o", "m", "overlay", 0, "lowerdir=l1:l1"), ELOOP);
	overlay_at("m", 0, "lowerdir=l1:l2"); /* and so leave() has something */
	leave();
}

CASE(one_on_another, "mount")
{
	layers();
	make("l1/f", "bottom");
	over();
	CHECK(mkdir("u2", 0755) == 0 && mkdir("w2", 0755) == 0 && mkdir("m2", 0755) == 0 &&
	      mkdir("m3", 0755) == 0);
	overlay_at("m2", 0, "lowerdir=m,upperdir=u2,workdir=w2");
	CHECK(holds("m2/f", "bottom"));
	make("m2/f", "top");
	CHECK(holds("m/f", "bottom") && holds("u2/f", "top"));
	CHECK_ERR(mount("o", "m3", "overlay", 0, "lowerdir=m2:l2"), EINVAL); /* too deep */
	CHECK_EQ(umount("m2"), 0);
	leave();
}

CASE(escaped_names, "mount")
{
	layers();
	CHECK(mkdir("a:b", 0755) == 0 && mkdir("c,d", 0755) == 0);
	make("a:b/f", "1");
	make("c,d/g", "2");
	overlay_at("m", 0, "lowerdir=a\\:b:c\\,d");
	CHECK(lists("m", "f g "));
	leave();
}

CASE(on_the_root, "mount,open,unlink")
{
	enter();
	CHECK(mkdir("l", 0755) == 0 && mkdir("u", 0755) == 0 && mkdir("w", 0755) == 0 &&
	      mkdir("m", 0755) == 0);
	make("l/f", "lower");
	if (mount("o", "m", "overlay", 0, "lowerdir=l,upperdir=u,workdir=w") < 0)
		SKIP("the file system here cannot be an upper layer");
	make("m/f", "upper");
	CHECK(holds("u/f", "upper") && holds("l/f", "lower"));
	CHECK_EQ(unlink("m/f"), 0);
	CHECK(whiteout("u/f") && !has("m/f"));
	CHECK_EQ(umount("m"), 0);
}

MAIN()
