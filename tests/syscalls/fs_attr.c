/* File attributes: stat and its kin, modes, owners, times, access, extended attributes. */
#include <limits.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <time.h>
#include <utime.h>

#include "tests/harness/guest.h"

static void *volatile bad = (void *)8;

static void make(const char *path, const char *text)
{
	int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0644);

	CHECK(fd >= 0);
	CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
	CHECK_EQ(close(fd), 0);
}

static mode_t mode_of(const char *path)
{
	struct stat st;

	CHECK_EQ(lstat(path, &st), 0);
	return st.st_mode & 07777;
}

CASE(stat_family, "stat,lstat,fstat,newfstatat")
{
	struct stat a, b, c, d;
	int fd;

	make("f", "hello");
	CHECK_EQ(symlink("f", "l"), 0);
	fd = open("f", O_RDONLY);
	CHECK_EQ(syscall(SYS_stat, "f", &a), 0);
	CHECK_EQ(syscall(SYS_stat, "l", &b), 0);
	CHECK_EQ(syscall(SYS_lstat, "l", &c), 0);
	CHECK_EQ(syscall(SYS_fstat, fd, &d), 0);
	CHECK(a.st_ino == b.st_ino && a.st_ino == d.st_ino && a.st_dev == d.st_dev && c.st_ino != a.st_ino);
	CHECK(S_ISREG(a.st_mode) && S_ISLNK(c.st_mode) && a.st_size == 5 && a.st_nlink == 1);
	CHECK(a.st_uid == geteuid() && a.st_gid == getegid() && a.st_blksize >= 512);
	CHECK_EQ(syscall(SYS_newfstatat, AT_FDCWD, "l", &b, AT_SYMLINK_NOFOLLOW), 0);
	CHECK(b.st_ino == c.st_ino);
	CHECK_EQ(syscall(SYS_newfstatat, fd, "", &b, AT_EMPTY_PATH), 0);
	CHECK(b.st_ino == a.st_ino);
	CHECK_EQ(syscall(SYS_newfstatat, AT_FDCWD, "", &b, AT_EMPTY_PATH), 0);
	CHECK(S_ISDIR(b.st_mode));
	CHECK_ERR(syscall(SYS_newfstatat, fd, "", &b, 0), ENOENT);
	CHECK_ERR(syscall(SYS_newfstatat, fd, "x", &b, 0), ENOTDIR);
	CHECK_ERR(syscall(SYS_newfstatat, AT_FDCWD, "f", &b, 0x8000), EINVAL);
	CHECK_ERR(syscall(SYS_stat, "none", &b), ENOENT);
	CHECK_ERR(syscall(SYS_stat, "none", bad), ENOENT);
	CHECK_ERR(syscall(SYS_stat, "f", bad), EFAULT);
	CHECK_ERR(syscall(SYS_fstat, 999, &b), EBADF);
}

CASE(statx_fields, "statx")
{
	struct statx x;
	struct stat st;
	int fd;

	make("f", "hello");
	CHECK_EQ(stat("f", &st), 0);
	memset(&x, 0xff, sizeof(x));
	CHECK_EQ(statx(AT_FDCWD, "f", 0, STATX_BASIC_STATS, &x), 0);
	CHECK((x.stx_mask & STATX_BASIC_STATS) == STATX_BASIC_STATS);
	CHECK(x.stx_ino == st.st_ino && x.stx_size == 5 && x.stx_mode == st.st_mode);
	CHECK(x.stx_mtime.tv_sec == st.st_mtim.tv_sec && x.stx_mtime.tv_nsec == st.st_mtim.tv_nsec);
	CHECK(makedev(x.stx_dev_major, x.stx_dev_minor) == st.st_dev);
	fd = open("f", O_RDONLY);
	CHECK_EQ(statx(fd, "", AT_EMPTY_PATH, STATX_SIZE, &x), 0);
	CHECK_EQ(x.stx_size, 5);
	CHECK_ERR(statx(AT_FDCWD, "f", 0x8000, STATX_SIZE, &x), EINVAL);
	CHECK_ERR(statx(AT_FDCWD, "f", AT_STATX_FORCE_SYNC | AT_STATX_DONT_SYNC, STATX_SIZE, &x), EINVAL);
	CHECK_ERR(statx(AT_FDCWD, "f", 0, 1U << 31, &x), EINVAL);
	CHECK_ERR(statx(AT_FDCWD, "none", 0, STATX_SIZE, &x), ENOENT);
	CHECK_ERR(statx(999, "f", 0, STATX_SIZE, &x), EBADF);
	CHECK_ERR(syscall(SYS_statx, AT_FDCWD, "f", 0, STATX_SIZE, bad), EFAULT);
}

CASE(modes, "chmod,fchmod,fchmodat,fchmodat2")
{
	int fd;

	make("f", "x");
	CHECK_EQ(symlink("f", "l"), 0);
	fd = open("f", O_RDONLY);
	CHECK_EQ(chmod("l", 0123), 0);
	CHECK_EQ(mode_of("f"), 0123);
	CHECK_EQ(fchmod(fd, 01777), 0);
	CHECK_EQ(mode_of("f"), 01777);
	CHECK_EQ(chmod("f", 0177777), 0); /* what is not a permission is left out */
	CHECK_EQ(mode_of("f"), 07777);
	CHECK_EQ(syscall(SYS_fchmodat, AT_FDCWD, "f", 0600), 0);
	CHECK_EQ(mode_of("f"), 0600);
	CHECK_ERR(chmod("none", 0600), ENOENT);
	CHECK_ERR(fchmod(999, 0600), EBADF);
	CHECK_ERR(syscall(SYS_fchmodat, 999, "f", 0600), EBADF);
	if (syscall(452, AT_FDCWD, "f", 0640, 0) == -1 && errno == ENOSYS)
		SKIP("no fchmodat2");
	CHECK_EQ(mode_of("f"), 0640);
	CHECK_EQ(syscall(452, fd, "", 0644, AT_EMPTY_PATH), 0);
	CHECK_EQ(mode_of("f"), 0644);
	CHECK_ERR(syscall(452, AT_FDCWD, "l", 0600, AT_SYMLINK_NOFOLLOW), EOPNOTSUPP);
	CHECK_ERR(syscall(452, AT_FDCWD, "f", 0600, 0x8000), EINVAL);
}

CASE(owners, "chown,lchown,fchown,fchownat")
{
	struct stat st;
	int fd;

	if (geteuid() != 0)
		SKIP("needs root");
	make("f", "x");
	CHECK_EQ(symlink("f", "l"), 0);
	fd = open("f", O_RDONLY);
	CHECK_EQ(chown("l", 10, 20), 0);
	CHECK(stat("f", &st) == 0 && st.st_uid == 10 && st.st_gid == 20);
	CHECK_EQ(lchown("l", 11, 21), 0);
	CHECK(lstat("l", &st) == 0 && st.st_uid == 11 && stat("f", &st) == 0 && st.st_uid == 10);
	CHECK_EQ(fchown(fd, (uid_t)-1, 30), 0);
	CHECK(stat("f", &st) == 0 && st.st_uid == 10 && st.st_gid == 30);
	CHECK_EQ(fchownat(fd, "", 12, (gid_t)-1, AT_EMPTY_PATH), 0);
	CHECK_EQ(fchownat(AT_FDCWD, "l", 13, 13, AT_SYMLINK_NOFOLLOW), 0);
	CHECK(stat("f", &st) == 0 && st.st_uid == 12 && st.st_gid == 30);
	CHECK_ERR(chown("none", 1, 1), ENOENT);
	CHECK_ERR(fchown(999, 1, 1), EBADF);
	CHECK_ERR(fchownat(AT_FDCWD, "f", 1, 1, 0x8000), EINVAL);
}

CASE(owner_rights, "chown,chmod,utimensat")
{
	if (geteuid() != 0)
		SKIP("needs root");
	make("f", "x");
	make("g", "x");
	CHECK(chmod(".", 0755) == 0 && chown("g", 1000, 1000) == 0 && chmod("f", 0666) == 0);
	CHECK_EQ(setgid(1000), 0);
	CHECK_EQ(setuid(1000), 0);
	CHECK_ERR(chmod("f", 0777), EPERM);
	CHECK_ERR(chown("f", 1000, 1000), EPERM);
	CHECK_EQ(chown("g", 1000, 1000), 0);
	CHECK_ERR(chown("g", 1001, 1000), EPERM);
	CHECK_ERR(chown("g", (uid_t)-1, 5), EPERM);
	/* Whoever may write may set the time to now; other times are the owner's. */
	CHECK_EQ(utimensat(AT_FDCWD, "f", NULL, 0), 0);
	struct timespec ts[2] = { { 1, 0 }, { 1, 0 } };
	CHECK_ERR(utimensat(AT_FDCWD, "f", ts, 0), EPERM);
	CHECK_EQ(utimensat(AT_FDCWD, "g", ts, 0), 0);
}

CASE(set_id_bits_are_cleared, "chown,write,chmod,truncate")
{
	int fd;

	if (geteuid() != 0)
		SKIP("needs root");
	make("f", "x");
	CHECK_EQ(chmod("f", 06755), 0);
	CHECK_EQ(chown("f", 1000, 1000), 0);
	CHECK_EQ(mode_of("f"), 0755);
	CHECK_EQ(chmod("f", 06745), 0); /* without group execution it is no set-group-id bit */
	CHECK_EQ(chown("f", 1000, 1000), 0);
	CHECK_EQ(mode_of("f") & 04000, 0);
	CHECK_EQ(chmod("f", 06777), 0);
	CHECK_EQ(chmod(".", 0755), 0);
	CHECK_EQ(setgid(1000), 0);
	CHECK_EQ(setuid(2000), 0);
	fd = open("f", O_WRONLY);
	CHECK_EQ(write(fd, "y", 1), 1);
	CHECK_EQ(mode_of("f"), 0777);
}

CASE(setgid_directories, "mkdir,open,chmod")
{
	struct stat st;

	if (geteuid() != 0)
		SKIP("needs root");
	CHECK(mkdir("d", 0777) == 0 && chown("d", 0, 500) == 0 && chmod("d", 02777) == 0);
	CHECK_EQ(mkdir("d/sub", 0755), 0);
	CHECK(stat("d/sub", &st) == 0 && st.st_gid == 500 && (st.st_mode & S_ISGID));
	make("d/f", "x");
	CHECK(stat("d/f", &st) == 0 && st.st_gid == 500 && !(st.st_mode & S_ISGID));
}

static void check_times(const char *path, long a, long an, long m, long mn)
{
	struct stat st;

	CHECK_EQ(lstat(path, &st), 0);
	CHECK_EQ(st.st_atim.tv_sec, a);
	CHECK_EQ(st.st_atim.tv_nsec, an);
	CHECK_EQ(st.st_mtim.tv_sec, m);
	CHECK_EQ(st.st_mtim.tv_nsec, mn);
}

CASE(set_times, "utimensat,utime,utimes,futimesat")
{
	struct timespec ts[2] = { { 100, 5 }, { 200, 6 } };
	struct timeval tv[2] = { { 300, 7 }, { 400, 8 } };
	struct utimbuf ut = { 500, 600 };
	int fd;

	make("f", "x");
	CHECK_EQ(symlink("f", "l"), 0);
	CHECK_EQ(utimensat(AT_FDCWD, "f", ts, 0), 0);
	check_times("f", 100, 5, 200, 6);
	ts[0].tv_nsec = UTIME_OMIT;
	ts[1] = (struct timespec){ 201, 9 };
	CHECK_EQ(utimensat(AT_FDCWD, "l", ts, 0), 0);
	check_times("f", 100, 5, 201, 9);
	CHECK_EQ(utimensat(AT_FDCWD, "l", (struct timespec[2]){ { 1, 1 }, { 2, 2 } }, AT_SYMLINK_NOFOLLOW), 0);
	check_times("l", 1, 1, 2, 2);
	check_times("f", 100, 5, 201, 9);
	CHECK_EQ(syscall(SYS_utimes, "f", tv), 0);
	check_times("f", 300, 7000, 400, 8000);
	CHECK_EQ(syscall(SYS_utime, "f", &ut), 0);
	check_times("f", 500, 0, 600, 0);
	CHECK_EQ(syscall(SYS_futimesat, AT_FDCWD, "f", tv), 0);
	check_times("f", 300, 7000, 400, 8000);
	fd = open("f", O_RDONLY);
	ts[0] = (struct timespec){ 42, 0 };
	CHECK_EQ(syscall(SYS_utimensat, fd, NULL, ts, 0), 0);
	check_times("f", 42, 0, 201, 9);
	ts[0].tv_nsec = 1000000000;
	CHECK_ERR(utimensat(AT_FDCWD, "f", ts, 0), EINVAL);
	tv[0].tv_usec = 1000000;
	CHECK_ERR(syscall(SYS_utimes, "f", tv), EINVAL);
	CHECK_ERR(syscall(SYS_futimesat, AT_FDCWD, "f", tv), EINVAL);
	ts[0].tv_nsec = ts[1].tv_nsec = UTIME_OMIT;
	CHECK_EQ(utimensat(AT_FDCWD, "f", ts, 0), 0);
	ts[0].tv_nsec = ts[1].tv_nsec = UTIME_NOW;
	CHECK_EQ(utimensat(AT_FDCWD, "f", ts, 0), 0);
	struct stat st;
	CHECK(stat("f", &st) == 0 && st.st_mtim.tv_sec >= time(NULL) - 5);
	CHECK_ERR(syscall(SYS_utime, "none", NULL), ENOENT);
	CHECK_ERR(syscall(SYS_utime, "f", bad), EFAULT);
}

CASE(times_move_by_themselves, "write,chmod,link,stat")
{
	struct timespec old[2] = { { 1, 0 }, { 1, 0 } };
	struct stat st;
	int fd;

	make("f", "x");
	CHECK_EQ(utimensat(AT_FDCWD, "f", old, 0), 0);
	CHECK(stat("f", &st) == 0 && st.st_ctim.tv_sec > 1000000);
	fd = open("f", O_RDWR);
	CHECK_EQ(write(fd, "yy", 2), 2);
	CHECK(stat("f", &st) == 0 && st.st_mtim.tv_sec > 1000000);
	CHECK_EQ(utimensat(AT_FDCWD, ".", old, 0), 0);
	CHECK_EQ(link("f", "g"), 0);
	CHECK(stat(".", &st) == 0 && st.st_mtim.tv_sec > 1000000);
	CHECK_EQ(utimensat(AT_FDCWD, "f", old, 0), 0);
	CHECK_EQ(ftruncate(fd, 1), 0);
	CHECK(stat("f", &st) == 0 && st.st_mtim.tv_sec > 1000000);
}

CASE(access_of_real_ids, "access,faccessat,faccessat2")
{
	if (geteuid() != 0)
		SKIP("needs root");
	make("f", "x");
	CHECK_EQ(chmod("f", 0), 0);
	CHECK_EQ(chmod(".", 0755), 0);
	CHECK_EQ(access("f", R_OK | W_OK), 0);
	CHECK_ERR(access("f", X_OK), EACCES); /* even for root: nobody may execute it */
	CHECK_ERR(access("none", F_OK), ENOENT);
	CHECK_ERR(access("f/x", F_OK), ENOTDIR);
	CHECK_ERR(access("f", 8), EINVAL);
	CHECK_EQ(chmod("f", 0644), 0);
	CHECK_EQ(setresuid(1000, 0, 0), 0);
	CHECK_ERR(syscall(SYS_access, "f", W_OK), EACCES); /* the real user counts */
	CHECK_EQ(syscall(SYS_faccessat2, AT_FDCWD, "f", W_OK, AT_EACCESS), 0);
	CHECK_ERR(syscall(SYS_faccessat, AT_FDCWD, "f", W_OK), EACCES);
	CHECK_EQ(syscall(SYS_faccessat, AT_FDCWD, "f", R_OK), 0);
	CHECK_ERR(syscall(SYS_faccessat2, AT_FDCWD, "f", R_OK, 0x8000), EINVAL);
	CHECK_ERR(syscall(SYS_faccessat2, 999, "f", R_OK, 0), EBADF);
	CHECK_EQ(syscall(SYS_faccessat2, open("f", O_PATH), "", R_OK, AT_EMPTY_PATH), 0);
	CHECK_EQ(symlink("none", "l"), 0);
	CHECK_ERR(access("l", F_OK), ENOENT);
	CHECK_EQ(syscall(SYS_faccessat2, AT_FDCWD, "l", F_OK, AT_SYMLINK_NOFOLLOW), 0);
}

CASE(extended_attributes, "setxattr,getxattr,listxattr,removexattr,fsetxattr,fgetxattr,flistxattr,fremovexattr")
{
	char b[64] = "";
	int fd;

	make("f", "x");
	if (setxattr("f", "user.a", "value", 5, 0) < 0 && errno == EOPNOTSUPP)
		SKIP("the file system has no user attributes");
	CHECK_EQ(getxattr("f", "user.a", b, sizeof(b)), 5);
	CHECK(!memcmp(b, "value", 5));
	CHECK_EQ(getxattr("f", "user.a", NULL, 0), 5);
	CHECK_ERR(getxattr("f", "user.a", b, 4), ERANGE);
	CHECK_ERR(getxattr("f", "user.none", b, 4), ENODATA);
	CHECK_ERR(setxattr("f", "user.a", "v", 1, XATTR_CREATE), EEXIST);
	CHECK_ERR(setxattr("f", "user.b", "v", 1, XATTR_REPLACE), ENODATA);
	CHECK_ERR(setxattr("f", "user.b", "v", 1, 8), EINVAL);
	CHECK_EQ(setxattr("f", "user.a", "new", 3, XATTR_REPLACE), 0);
	fd = open("f", O_RDONLY);
	CHECK_EQ(fsetxattr(fd, "user.b", NULL, 0, 0), 0);
	CHECK_EQ(fgetxattr(fd, "user.b", b, 4), 0);
	CHECK_EQ(fgetxattr(fd, "user.a", b, 4), 3);
	CHECK_EQ(flistxattr(fd, b, sizeof(b)), 14);
	CHECK(!memcmp(b, "user.a\0user.b", 14) || !memcmp(b, "user.b\0user.a", 14));
	CHECK_EQ(listxattr("f", NULL, 0), 14);
	CHECK_ERR(listxattr("f", b, 13), ERANGE);
	CHECK_EQ(fremovexattr(fd, "user.b"), 0);
	CHECK_EQ(removexattr("f", "user.a"), 0);
	CHECK_ERR(removexattr("f", "user.a"), ENODATA);
	CHECK_EQ(listxattr("f", b, sizeof(b)), 0);
}

CASE(extended_attribute_errors, "setxattr,getxattr,fgetxattr,lsetxattr,lgetxattr,llistxattr,lremovexattr")
{
	char b[8], name[300];

	make("f", "x");
	CHECK_EQ(symlink("f", "l"), 0);
	memset(name, 'n', sizeof(name));
	memcpy(name, "user.", 5);
	name[299] = 0;
	CHECK_ERR(setxattr("f", name, "v", 1, 0), ERANGE);
	CHECK_ERR(setxattr("f", "", "v", 1, 0), ERANGE);
	CHECK_ERR(syscall(SYS_setxattr, "f", "user.x", b, 65537, 0), E2BIG);
	CHECK_ERR(setxattr("f", "nothing.x", "v", 1, 0), EOPNOTSUPP);
	CHECK_ERR(setxattr("none", "user.x", "v", 1, 0), ENOENT);
	CHECK_ERR(getxattr("none", "user.x", b, 8), ENOENT);
	CHECK_ERR(fgetxattr(999, "user.x", b, 8), EBADF);
	/* Links carry no user attributes. */
	CHECK_ERR(lsetxattr("l", "user.x", "v", 1, 0), EPERM);
	CHECK_ERR(lgetxattr("l", "user.x", b, 8), ENODATA);
	CHECK_ERR(lremovexattr("l", "user.x"), EPERM);
	CHECK(llistxattr("l", b, 8) >= 0);
}

CASE(file_systems, "statfs,fstatfs")
{
	struct statfs a, b;

	CHECK_EQ(statfs(".", &a), 0);
	CHECK(a.f_bsize >= 512 && a.f_namelen == 255 && a.f_bfree <= a.f_blocks);
	CHECK_EQ(fstatfs(open(".", O_RDONLY), &b), 0);
	CHECK_EQ(a.f_type, b.f_type);
	CHECK_EQ(statfs("/proc", &a), 0);
	CHECK_EQ(a.f_type, PROC_SUPER_MAGIC);
	CHECK_ERR(statfs("none", &a), ENOENT);
	CHECK_ERR(fstatfs(999, &a), EBADF);
	CHECK_ERR(syscall(SYS_statfs, ".", bad), EFAULT);
	int p[2];
	CHECK_EQ(pipe(p), 0);
	CHECK_EQ(fstatfs(p[0], &a), 0);
	CHECK_EQ(a.f_type, PIPEFS_MAGIC);
}

CASE(kinds_of_descriptors, "fstat")
{
	struct stat st;
	int p[2];

	CHECK_EQ(pipe(p), 0);
	CHECK(fstat(p[0], &st) == 0 && S_ISFIFO(st.st_mode) && (st.st_mode & 0777) == 0600);
	CHECK_EQ(stat("/dev/null", &st), 0);
	CHECK(S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3));
	CHECK_EQ(stat("/dev/zero", &st), 0);
	CHECK(st.st_rdev == makedev(1, 5));
	CHECK_EQ(stat("/proc/self", &st), 0);
	CHECK(S_ISDIR(st.st_mode));
}

CASE(dirty_registers, "fchmodat,newfstatat,mkdirat")
{
	struct stat st;

	CHECK_EQ(guest_raw(SYS_mkdirat, DIRTY(AT_FDCWD), (uintptr_t)"d", DIRTY(0700) & ~0xffff0000ULL, 0, 0, 0), 0);
	CHECK_EQ(guest_raw(SYS_newfstatat, DIRTY(AT_FDCWD), (uintptr_t)"d", (uintptr_t)&st,
			   DIRTY(AT_SYMLINK_NOFOLLOW), 0, 0), 0);
	CHECK_EQ(guest_raw(SYS_fchmodat, DIRTY(AT_FDCWD), (uintptr_t)"d", DIRTY(0500), 0, 0, 0), 0);
	CHECK_EQ(mode_of("d"), 0500);
}

MAIN()
