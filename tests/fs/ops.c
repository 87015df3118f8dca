/* The operations of the matrix: each takes one path and gives the call's result. */
#include "tests/fs/matrix.h"

#include <linux/fs.h>
#include <linux/openat2.h>
#include <sys/inotify.h>
#include <sys/time.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <utime.h>

/* Open, say what it is, and close; errno is the open's. */
static long opened(int fd)
{
	struct stat st;
	char buf[16];
	ssize_t n;

	if (fd < 0)
		return -1;
	if (fstat(fd, &st))
		die("fstat");
	if (S_ISREG(st.st_mode) && (fcntl(fd, F_GETFL) & (O_ACCMODE | O_PATH)) == O_RDONLY) {
		n = read(fd, buf, sizeof(buf));
		result("[read %s] ", err_name(n));
	}
	close(fd);
	return 0;
}

#define OPEN_OP(id, flags)                                    \
	static long op_##id(const char *p)                    \
	{                                                     \
		return opened(open(p, (flags) | O_NONBLOCK, 0640)); \
	}
OPEN_OP(open_r, O_RDONLY)
OPEN_OP(open_w, O_WRONLY)
OPEN_OP(open_rw, O_RDWR)
OPEN_OP(open_creat, O_RDWR | O_CREAT)
OPEN_OP(open_creat_r, O_RDONLY | O_CREAT)
OPEN_OP(open_excl, O_WRONLY | O_CREAT | O_EXCL)
OPEN_OP(open_trunc, O_WRONLY | O_TRUNC)
OPEN_OP(open_trunc_r, O_RDONLY | O_TRUNC)
OPEN_OP(open_creat_trunc, O_RDWR | O_CREAT | O_TRUNC)
OPEN_OP(open_dir, O_RDONLY | O_DIRECTORY)
OPEN_OP(open_dir_w, O_WRONLY | O_DIRECTORY)
OPEN_OP(open_dir_creat, O_RDONLY | O_DIRECTORY | O_CREAT)
OPEN_OP(open_nofollow, O_RDONLY | O_NOFOLLOW)
OPEN_OP(open_nofollow_creat, O_RDWR | O_NOFOLLOW | O_CREAT)
OPEN_OP(open_path, O_PATH)
OPEN_OP(open_path_nofollow, O_PATH | O_NOFOLLOW)
OPEN_OP(open_path_dir, O_PATH | O_DIRECTORY)
OPEN_OP(open_tmpfile, O_TMPFILE | O_RDWR)
OPEN_OP(open_tmpfile_r, O_TMPFILE | O_RDONLY)
OPEN_OP(open_append, O_WRONLY | O_APPEND)
OPEN_OP(open_noatime, O_RDONLY | O_NOATIME)

static long op_openat2(const char *p)
{
	struct open_how how = { .flags = O_RDONLY | O_NONBLOCK, .resolve = RESOLVE_NO_SYMLINKS };

	return opened((int)syscall(SYS_openat2, AT_FDCWD, p, &how, sizeof(how)));
}

static long op_creat(const char *p)
{
	return opened(open(p, O_CREAT | O_WRONLY | O_TRUNC | O_NONBLOCK, 0604));
}

static long op_chmod(const char *p)
{
	return chmod(p, 07751);
}

static long op_chmod_zero(const char *p)
{
	return chmod(p, 0);
}

static long op_lchmod(const char *p)
{
	return syscall(SYS_fchmodat2, AT_FDCWD, p, 0711, AT_SYMLINK_NOFOLLOW);
}

static long op_chown(const char *p)
{
	return chown(p, 65534, 65533);
}

static long op_chown_none(const char *p)
{
	return chown(p, (uid_t)-1, (gid_t)-1);
}

static long op_lchown(const char *p)
{
	return lchown(p, 1001, 1002);
}

static long op_chgrp_own(const char *p)
{
	return chown(p, (uid_t)-1, 2001);
}

static long op_chown_self(const char *p)
{
	return chown(p, 1001, (gid_t)-1);
}

static long op_mkdir(const char *p)
{
	return mkdir(p, 0777);
}

static long op_mkdir_bits(const char *p)
{
	return mkdir(p, 07777);
}

static long op_rmdir(const char *p)
{
	return rmdir(p);
}

static long op_unlink(const char *p)
{
	return unlink(p);
}

static long op_unlinkat_bad(const char *p)
{
	return unlinkat(AT_FDCWD, p, 0x1);
}

static long op_mkfifo(const char *p)
{
	return mkfifo(p, 0666);
}

static long op_mknod_reg(const char *p)
{
	return mknod(p, S_IFREG | 0666, 0);
}

static long op_mknod_plain(const char *p)
{
	return mknod(p, 0604, 0);
}

static long op_mknod_sock(const char *p)
{
	return mknod(p, S_IFSOCK | 0600, 0);
}

static long op_mknod_dir(const char *p)
{
	return mknod(p, S_IFDIR | 0600, 0);
}

static long op_mknod_lnk(const char *p)
{
	return mknod(p, S_IFLNK | 0600, 0);
}

static long op_mknod_bad(const char *p)
{
	return mknod(p, 0030000 | 0600, 0);
}

static long op_symlink(const char *p)
{
	return symlink("some/target", p);
}

static long op_symlink_empty(const char *p)
{
	return symlink("", p);
}

static long op_symlink_long(const char *p)
{
	return symlink(big_path, p);
}

static long op_symlink_255(const char *p)
{
	return symlink(name255, p);
}

static long op_readlink(const char *p)
{
	char buf[64];
	ssize_t n = readlink(p, buf, sizeof(buf));

	if (n >= 0)
		result("[%.*s] ", (int)(n < 20 ? n : 20), buf);
	return n;
}

static long op_readlink_zero(const char *p)
{
	char buf[4];

	return readlink(p, buf, 0);
}

static long op_link_from(const char *p)
{
	return link(p, "fresh");
}

static long op_link_to(const char *p)
{
	return link("other", p);
}

static long op_link_follow(const char *p)
{
	return linkat(AT_FDCWD, p, AT_FDCWD, "fresh", AT_SYMLINK_FOLLOW);
}

static long op_link_self(const char *p)
{
	return link(p, p);
}

static long op_link_bad(const char *p)
{
	return linkat(AT_FDCWD, p, AT_FDCWD, "fresh", 0x1);
}

static long op_rename_from(const char *p)
{
	return rename(p, "fresh");
}

static long op_rename_to(const char *p)
{
	return rename("other", p);
}

static long op_rename_dir_to(const char *p)
{
	return rename("otherdir", p);
}

static long op_rename_self(const char *p)
{
	return rename(p, p);
}

static long op_rename_below(const char *p)
{
	char buf[5100];

	if ((uintptr_t)p < 4096)
		return rename(p, "below");
	snprintf(buf, sizeof(buf), "%s/below", p);
	return rename(p, buf);
}

static long op_rename_noreplace(const char *p)
{
	return syscall(SYS_renameat2, AT_FDCWD, "other", AT_FDCWD, p, RENAME_NOREPLACE);
}

static long op_rename_exchange(const char *p)
{
	return syscall(SYS_renameat2, AT_FDCWD, "other", AT_FDCWD, p, RENAME_EXCHANGE);
}

static long op_rename_both(const char *p)
{
	return syscall(SYS_renameat2, AT_FDCWD, "other", AT_FDCWD, p,
		       RENAME_EXCHANGE | RENAME_NOREPLACE);
}

static long op_rename_bad(const char *p)
{
	return syscall(SYS_renameat2, AT_FDCWD, "other", AT_FDCWD, p, 64);
}

static long op_truncate_0(const char *p)
{
	return truncate(p, 0);
}

static long op_truncate_5(const char *p)
{
	return truncate(p, 5);
}

static long op_truncate_up(const char *p)
{
	return truncate(p, 70000);
}

static long op_truncate_neg(const char *p)
{
	return truncate(p, -1);
}

static long op_ftruncate(const char *p)
{
	int fd = open(p, O_RDWR | O_NONBLOCK), e;
	long r;

	if (fd < 0)
		return -1;
	r = ftruncate(fd, 3);
	e = errno;
	close(fd);
	errno = e;
	return r;
}

static long op_ftruncate_r(const char *p)
{
	int fd = open(p, O_RDONLY | O_NONBLOCK), e;
	long r;

	if (fd < 0)
		return -1;
	r = ftruncate(fd, 3);
	e = errno;
	close(fd);
	errno = e;
	return r;
}

static const struct timespec long_ago[2] = { { 1000000000, 5 }, { 1100000000, 999999999 } };

static void show_times(const char *p, int flags)
{
	struct statx sx;
	int e = errno;

	if (!statx(AT_FDCWD, p, flags, STATX_BASIC_STATS, &sx))
		result("[%s %s] ", sx.stx_atime.tv_sec == 1000000000 && sx.stx_atime.tv_nsec == 5 ? "a" : "-",
		       sx.stx_mtime.tv_sec == 1100000000 && sx.stx_mtime.tv_nsec == 999999999 ? "m" : "-");
	errno = e;
}

static long op_utimens(const char *p)
{
	long r = utimensat(AT_FDCWD, p, long_ago, 0);

	if (!r)
		show_times(p, 0);
	return r;
}

static long op_lutimens(const char *p)
{
	long r = utimensat(AT_FDCWD, p, long_ago, AT_SYMLINK_NOFOLLOW);

	if (!r)
		show_times(p, AT_SYMLINK_NOFOLLOW);
	return r;
}

static long op_utimens_now(const char *p)
{
	return utimensat(AT_FDCWD, p, NULL, 0);
}

static long op_utimens_omit(const char *p)
{
	const struct timespec ts[2] = { { 0, UTIME_OMIT }, { 0, UTIME_OMIT } };

	return utimensat(AT_FDCWD, p, ts, 0);
}

static long op_utimens_half(const char *p)
{
	const struct timespec ts[2] = { { 0, UTIME_NOW }, { 0, UTIME_OMIT } };

	return utimensat(AT_FDCWD, p, ts, 0);
}

static long op_utimens_bad(const char *p)
{
	const struct timespec ts[2] = { { 0, 1000000000 }, { 0, 0 } };

	return utimensat(AT_FDCWD, p, ts, 0);
}

static long op_utimens_flag(const char *p)
{
	return utimensat(AT_FDCWD, p, NULL, 0x1);
}

static long op_utime(const char *p)
{
	return syscall(SYS_utime, p, NULL);
}

static long op_stat(const char *p)
{
	struct stat st;
	long r = stat(p, &st);

	if (!r)
		result("[%o] ", st.st_mode);
	return r;
}

static long op_lstat(const char *p)
{
	struct stat st;
	long r = lstat(p, &st);

	if (!r)
		result("[%o] ", st.st_mode);
	return r;
}

static long op_access_r(const char *p)
{
	return faccessat(AT_FDCWD, p, R_OK, AT_EACCESS);
}

static long op_access_w(const char *p)
{
	return faccessat(AT_FDCWD, p, W_OK, AT_EACCESS);
}

static long op_access_x(const char *p)
{
	return faccessat(AT_FDCWD, p, X_OK, AT_EACCESS);
}

static long op_access_link(const char *p)
{
	return syscall(SYS_faccessat2, AT_FDCWD, p, R_OK | W_OK, AT_EACCESS | AT_SYMLINK_NOFOLLOW);
}

static long op_chdir(const char *p)
{
	int back = open(".", O_PATH);
	long r = chdir(p);
	int e = errno;

	if (!r && fchdir(back))
		die("fchdir");
	close(back);
	errno = e;
	return r;
}

static long op_statfs(const char *p)
{
	struct statfs sf;

	return statfs(p, &sf);
}

static long op_setxattr(const char *p)
{
	return setxattr(p, "user.t", "v", 1, 0);
}

static long op_getxattr(const char *p)
{
	char buf[10];

	return getxattr(p, "trusted.none", buf, sizeof(buf));
}

static long op_lgetxattr(const char *p)
{
	char buf[10];

	return lgetxattr(p, "trusted.none", buf, sizeof(buf));
}

static long op_setxattr_new(const char *p)
{
	return setxattr(p, "user.t", "value", 5, XATTR_CREATE);
}

static long op_setxattr_other(const char *p)
{
	return setxattr(p, "user.t", "value", 5, XATTR_REPLACE);
}

static long op_lsetxattr(const char *p)
{
	return lsetxattr(p, "user.t", "value", 5, 0);
}

static long op_setxattr_space(const char *p)
{
	return setxattr(p, "nospace.t", "value", 5, 0);
}

static long op_getxattr_user(const char *p)
{
	char buf[10];

	return getxattr(p, "user.none", buf, sizeof(buf));
}

static long op_removexattr(const char *p)
{
	return removexattr(p, "user.none");
}

static long op_listxattr(const char *p)
{
	return listxattr(p, NULL, 0);
}

static long op_getdents(const char *p)
{
	int fd = open(p, O_RDONLY | O_NONBLOCK);
	char buf[512];
	long r;
	int e;

	if (fd < 0)
		return -1;
	r = syscall(SYS_getdents64, fd, buf, sizeof(buf)) > 0 ? 1 : -1;
	e = errno;
	close(fd);
	errno = e;
	return r;
}

static long op_watch(const char *p)
{
	int fd = inotify_init1(IN_NONBLOCK), e;
	long r = inotify_add_watch(fd, p, IN_ALL_EVENTS);

	e = errno;
	close(fd);
	errno = e;
	return r;
}

static long op_watch_dir(const char *p)
{
	int fd = inotify_init1(IN_NONBLOCK), e;
	long r = inotify_add_watch(fd, p, IN_CREATE | IN_ONLYDIR | IN_DONT_FOLLOW);

	e = errno;
	close(fd);
	errno = e;
	return r;
}

static long op_exec(const char *p)
{
	char *const none[] = { NULL };

	return execve(p, none, none);
}

#define OP(family, id) { family, #id, op_##id }
const struct op ops[] = {
	OP("open", open_r), OP("open", open_w), OP("open", open_rw), OP("open", open_creat),
	OP("open", open_creat_r), OP("open", open_excl), OP("open", open_trunc),
	OP("open", open_trunc_r), OP("open", open_creat_trunc), OP("open", open_dir),
	OP("open", open_dir_w), OP("open", open_dir_creat), OP("open", open_nofollow),
	OP("open", open_nofollow_creat), OP("open", open_path), OP("open", open_path_nofollow),
	OP("open", open_path_dir), OP("open", open_tmpfile), OP("open", open_tmpfile_r),
	OP("open", open_append), OP("open", open_noatime), OP("open", openat2), OP("open", creat),
	OP("chmod", chmod), OP("chmod", chmod_zero), OP("chmod", lchmod), OP("chown", chown),
	OP("chown", chown_none), OP("chown", lchown), OP("chown", chgrp_own),
	OP("chown", chown_self), OP("mkdir", mkdir), OP("mkdir", mkdir_bits), OP("rmdir", rmdir),
	OP("unlink", unlink), OP("unlink", unlinkat_bad), OP("mkfifo", mkfifo),
	OP("mknod", mknod_reg), OP("mknod", mknod_plain), OP("mknod", mknod_sock),
	OP("mknod", mknod_dir), OP("mknod", mknod_lnk), OP("mknod", mknod_bad),
	OP("symlink", symlink), OP("symlink", symlink_empty), OP("symlink", symlink_long),
	OP("symlink", symlink_255), OP("symlink", readlink), OP("symlink", readlink_zero),
	OP("link", link_from), OP("link", link_to), OP("link", link_follow), OP("link", link_self),
	OP("link", link_bad), OP("rename", rename_from), OP("rename", rename_to),
	OP("rename", rename_dir_to), OP("rename", rename_self), OP("rename", rename_below),
	OP("rename", rename_noreplace), OP("rename", rename_exchange), OP("rename", rename_both),
	OP("rename", rename_bad), OP("truncate", truncate_0), OP("truncate", truncate_5),
	OP("truncate", truncate_up), OP("truncate", truncate_neg), OP("ftruncate", ftruncate),
	OP("ftruncate", ftruncate_r), OP("utimensat", utimens), OP("utimensat", lutimens),
	OP("utimensat", utimens_now), OP("utimensat", utimens_omit), OP("utimensat", utimens_half),
	OP("utimensat", utimens_bad), OP("utimensat", utimens_flag), OP("utimensat", utime),
	OP("stat", stat), OP("stat", lstat), OP("access", access_r), OP("access", access_w),
	OP("access", access_x), OP("access", access_link), OP("misc", chdir), OP("misc", statfs),
	OP("xattr", setxattr), OP("xattr", getxattr), OP("xattr", lgetxattr),
	OP("xattr", setxattr_new), OP("xattr", setxattr_other), OP("xattr", lsetxattr),
	OP("xattr", setxattr_space), OP("xattr", getxattr_user), OP("xattr", removexattr),
	OP("xattr", listxattr), OP("misc", getdents), OP("misc", watch), OP("misc", watch_dir),
	OP("misc", exec),
};
const unsigned nops = sizeof(ops) / sizeof(ops[0]);
