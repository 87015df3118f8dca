/* Path calls that few programs make, and corners of those that all make: attributes by
 * directory and name, whiteouts, openat2's sizes and scopes, O_PATH, handles, quotas. */
#include <linux/openat2.h>
#include <linux/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "tests/harness/guest_mount.h"

#ifndef AT_HANDLE_FID
#define AT_HANDLE_FID 0x200
#endif

#define SETXATTRAT 463
#define GETXATTRAT 464
#define LISTXATTRAT 465
#define REMOVEXATTRAT 466

static void *volatile bad = (void *)8;

struct xargs {
	uint64_t value;
	uint32_t size, flags;
	uint64_t more;
};

CASE(xattrs_at, "setxattrat,getxattrat,listxattrat,removexattrat")
{
	char v[50] = "value", out[50];
	struct xargs a = { (uintptr_t)v, 5, 0, 0 }, g = { (uintptr_t)out, 50, 0, 0 };
	int d, f, p;

	enter();
	tmpfs("m", 0, NULL);
	make("m/f", "");
	CHECK_EQ(symlink("f", "m/l"), 0);
	d = open("m", O_RDONLY | O_DIRECTORY);
	CHECK_EQ(syscall(SETXATTRAT, d, "f", 0, "user.a", &a, 16), 0);
	CHECK_EQ(syscall(GETXATTRAT, d, "l", 0, "user.a", &g, 16), 5);
	CHECK(!memcmp(out, "value", 5));
	a.flags = XATTR_CREATE;
	CHECK_ERR(syscall(SETXATTRAT, d, "l", 0, "user.a", &a, 24), EEXIST);
	a.flags = 0;
	CHECK_ERR(syscall(SETXATTRAT, d, "l", AT_SYMLINK_NOFOLLOW, "user.a", &a, 16), EPERM);
	CHECK_EQ(syscall(SETXATTRAT, d, "l", AT_SYMLINK_NOFOLLOW, "trusted.l", &a, 16), 0);
	CHECK_EQ(syscall(LISTXATTRAT, d, "l", AT_SYMLINK_NOFOLLOW, out, 50), 10);
	CHECK(!strcmp(out, "trusted.l"));
	f = openat(d, "f", O_RDONLY);
	CHECK_EQ(syscall(GETXATTRAT, f, "", AT_EMPTY_PATH, "user.a", &g, 16), 5);
	CHECK_EQ(syscall(GETXATTRAT, f, NULL, AT_EMPTY_PATH, "user.a", &g, 16), 5);
	CHECK_EQ(syscall(REMOVEXATTRAT, f, "", AT_EMPTY_PATH, "user.a"), 0);
	CHECK_ERR(syscall(GETXATTRAT, f, "", AT_EMPTY_PATH, "user.a", &g, 16), ENODATA);
	p = openat(d, "f", O_PATH);
	CHECK_ERR(syscall(GETXATTRAT, p, "", AT_EMPTY_PATH, "user.a", &g, 16), EBADF);
	CHECK_ERR(syscall(GETXATTRAT, f, "", 0, "user.a", &g, 16), ENOENT);
	CHECK_ERR(syscall(SETXATTRAT, d, "f", 0, "user.a", &a, 8), EINVAL);
	CHECK_ERR(syscall(SETXATTRAT, d, "f", 0, "user.a", &a, 5000), E2BIG);
	a.more = 1;
	CHECK_ERR(syscall(SETXATTRAT, d, "f", 0, "user.a", &a, 24), E2BIG);
	CHECK_ERR(syscall(SETXATTRAT, d, "f", 0x8000, "user.a", &a, 16), EINVAL);
	CHECK_ERR(syscall(GETXATTRAT, d, "f", 0x8000, "user.a", &g, 16), EINVAL);
	CHECK_ERR(syscall(LISTXATTRAT, d, "f", 0x8000, out, 50), EINVAL);
	CHECK_ERR(syscall(REMOVEXATTRAT, d, "f", 0x8000, "user.a"), EINVAL);
	g.flags = 1;
	CHECK_ERR(syscall(GETXATTRAT, d, "f", 0, "user.a", &g, 16), EINVAL);
	CHECK_ERR(syscall(SETXATTRAT, d, "f", 0, "user.a", bad, 16), EFAULT);
	CHECK_ERR(syscall(SETXATTRAT, -1, "f", 0, "user.a", &a, 16), EBADF);
	/* Values and names are looked at before the file. */
	CHECK_ERR(setxattr("none", "user.a", bad, 5, 0), EFAULT);
	CHECK_ERR(setxattr("none", "user.a", v, 5, 9), EINVAL);
	CHECK_ERR(getxattr("none", "", v, 5), ERANGE);
	CHECK_ERR(removexattr("none", ""), ERANGE);
	CHECK_ERR(syscall(SYS_fsetxattr, -1, "user.a", v, 1 << 20, 0), E2BIG);
	CHECK(close(d) == 0 && close(f) == 0 && close(p) == 0);
	CHECK_EQ(umount("m"), 0);
}

CASE(whiteout_renames, "renameat2")
{
	struct stat st;

	enter();
	tmpfs("m", 0, NULL);
	make("m/a", "a");
	CHECK_EQ(syscall(SYS_renameat2, AT_FDCWD, "m/a", AT_FDCWD, "m/b", 4), 0);
	CHECK(stat("m/a", &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == 0 &&
	      (st.st_mode & 07777) == 0);
	CHECK_ERR(open("m/a", O_RDONLY), ENXIO);
	make("m/c", "c");
	CHECK_EQ(syscall(SYS_renameat2, AT_FDCWD, "m/c", AT_FDCWD, "m/b", 4), 0);
	CHECK(stat("m/c", &st) == 0 && S_ISCHR(st.st_mode));
	CHECK_ERR(syscall(SYS_renameat2, AT_FDCWD, "m/b", AT_FDCWD, "m/c", 6), EINVAL);
	CHECK_ERR(syscall(SYS_renameat2, AT_FDCWD, "m/b", AT_FDCWD, "m/c", 3), EINVAL);
	CHECK_ERR(syscall(SYS_renameat2, AT_FDCWD, "m/b", AT_FDCWD, "m/c", 5), EEXIST);
	CHECK_ERR(syscall(SYS_renameat2, AT_FDCWD, "m/b", AT_FDCWD, "m/c", 8), EINVAL);
	CHECK(unlink("m/a") == 0 && unlink("m/c") == 0);
	CHECK_EQ(mkdir("m/d", 0755), 0);
	CHECK_EQ(syscall(SYS_renameat2, AT_FDCWD, "m/d", AT_FDCWD, "m/e", 4), 0);
	CHECK(stat("m", &st) == 0 && st.st_nlink == 3);
	CHECK_EQ(umount("m"), 0);
}

static long how(int dfd, const char *path, uint64_t flags, uint64_t resolve)
{
	struct open_how h = { .flags = flags, .resolve = resolve };

	return syscall(SYS_openat2, dfd, path, &h, sizeof(h));
}

CASE(openat2_scopes, "openat2")
{
	struct {
		struct open_how h;
		uint64_t more;
	} big = { { .flags = O_RDONLY }, 0 };
	char path[50];
	int d, fd;

	enter();
	CHECK(mkdir("r", 0755) == 0 && mkdir("r/in", 0755) == 0 && mkdir("out", 0755) == 0);
	make("r/in/f", "x");
	CHECK(symlink("/in/f", "r/abs") == 0 && symlink("../out", "r/up") == 0 &&
	      symlink("in/f", "r/rel") == 0 && symlink("../../../../in/f", "r/far") == 0);
	d = open("r", O_PATH);
	CHECK(how(d, "rel", O_RDONLY, RESOLVE_BENEATH) >= 0);
	CHECK(how(d, "in/../in/f", O_RDONLY, RESOLVE_BENEATH) >= 0);
	CHECK_ERR(how(d, "abs", O_RDONLY, RESOLVE_BENEATH), EXDEV);
	CHECK_ERR(how(d, "up", O_RDONLY, RESOLVE_BENEATH), EXDEV);
	CHECK_ERR(how(d, "../out", O_RDONLY, RESOLVE_BENEATH), EXDEV);
	CHECK_ERR(how(d, "/", O_RDONLY, RESOLVE_BENEATH), EXDEV);
	CHECK(how(d, "abs", O_RDONLY, RESOLVE_IN_ROOT) >= 0);
	CHECK(how(d, "far", O_RDONLY, RESOLVE_IN_ROOT) >= 0);
	CHECK(how(d, "/in/f", O_RDONLY, RESOLVE_IN_ROOT) >= 0);
	CHECK_ERR(how(d, "up", O_RDONLY, RESOLVE_IN_ROOT), ENOENT);
	CHECK_ERR(how(d, "rel", O_RDONLY, RESOLVE_NO_SYMLINKS), ELOOP);
	CHECK(how(d, "rel", O_PATH | O_NOFOLLOW, RESOLVE_NO_SYMLINKS) >= 0); /* itself */
	CHECK_ERR(how(d, "rel", O_RDONLY, RESOLVE_BENEATH | RESOLVE_IN_ROOT), EINVAL);
	CHECK_ERR(how(d, "rel", O_RDONLY, 0x1000), EINVAL);
	fd = open("r/in/f", O_RDONLY);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	CHECK(how(AT_FDCWD, path, O_RDONLY, 0) >= 0);
	CHECK_ERR(how(AT_FDCWD, path, O_RDONLY, RESOLVE_NO_MAGICLINKS), ELOOP);
	CHECK(how(AT_FDCWD, "/proc/self/stat", O_RDONLY, RESOLVE_NO_MAGICLINKS) >= 0);
	CHECK_ERR(how(AT_FDCWD, "/proc/self/stat", O_RDONLY, RESOLVE_NO_XDEV), EXDEV);
	CHECK(how(d, "in/f", O_RDONLY, RESOLVE_CACHED) >= 0);
	CHECK_ERR(how(d, "new", O_CREAT | O_RDWR, RESOLVE_CACHED), EAGAIN);
	CHECK_ERR(how(d, "in", O_CREAT | O_DIRECTORY, 0), EINVAL);
	CHECK_ERR(how(d, "in", O_RDONLY | 0x80000000ull << 10, 0), EINVAL);
	CHECK_ERR(how(d, "in", O_PATH | O_RDWR, 0), EINVAL);
	CHECK_ERR(syscall(SYS_openat2, d, "in", &big, 16), EINVAL);
	CHECK_ERR(syscall(SYS_openat2, d, "in", &big, 5000), E2BIG);
	CHECK(syscall(SYS_openat2, d, "in", &big, sizeof(big)) >= 0);
	big.more = 1;
	CHECK_ERR(syscall(SYS_openat2, d, "in", &big, sizeof(big)), E2BIG);
	CHECK_ERR(syscall(SYS_openat2, d, "in", bad, sizeof(big.h)), EFAULT);
	big.h.mode = 0600;
	CHECK_ERR(syscall(SYS_openat2, d, "in", &big, 24), EINVAL);
	big.h.flags = O_CREAT | O_RDWR;
	big.h.mode = 0200000;
	CHECK_ERR(syscall(SYS_openat2, d, "x", &big, 24), EINVAL);
}

CASE(path_descriptors, "open,fchmod,fchown,read,ioctl,fstat,fchdir,fstatfs,mmap")
{
	struct stat st;
	struct statfs fs;
	char c;
	int p, d;

	make("f", "x");
	CHECK(mkdir("d", 0755) == 0 && symlink("f", "l") == 0);
	p = open("f", O_PATH | O_RDWR | O_TRUNC); /* other flags mean nothing */
	CHECK(fstat(p, &st) == 0 && st.st_size == 1 && fstatfs(p, &fs) == 0);
	CHECK_ERR(read(p, &c, 1), EBADF);
	CHECK_ERR(write(p, &c, 1), EBADF);
	CHECK_ERR(lseek(p, 0, SEEK_SET), EBADF);
	CHECK_ERR(fchmod(p, 0600), EBADF);
	CHECK_ERR(fchown(p, 0, 0), EBADF);
	CHECK_ERR(ftruncate(p, 0), EBADF);
	CHECK_ERR(fsync(p), EBADF);
	CHECK_ERR(fgetxattr(p, "user.a", &c, 1), EBADF);
	CHECK_ERR(syscall(SYS_ioctl, p, 0x5401, &c), EBADF);
	CHECK_EQ(fcntl(p, F_GETFL), O_PATH);
	CHECK_ERR(fchdir(p), ENOTDIR);
	CHECK(fchownat(p, "", 0, 0, AT_EMPTY_PATH) == 0);
	CHECK(fcntl(p, F_GETFD) == 0 && dup(p) >= 0);
	d = open("d", O_PATH);
	CHECK(fchdir(d) == 0 && chdir("..") == 0);
	CHECK_ERR(openat(d, "none", O_RDONLY), ENOENT);
	CHECK_ERR(open("l", O_RDONLY | O_NOFOLLOW), ELOOP);
	p = open("l", O_PATH | O_NOFOLLOW);
	CHECK(fstat(p, &st) == 0 && S_ISLNK(st.st_mode));
	CHECK(readlinkat(p, "", &c, 1) == 1 && c == 'f');
	CHECK_ERR(open("l", O_PATH | O_NOFOLLOW | O_DIRECTORY), ENOTDIR);
	CHECK_ERR(open("f", O_PATH | O_DIRECTORY), ENOTDIR);
}

CASE(statx_mount, "statx")
{
	struct statx s, u;

	enter();
	tmpfs("m", 0, NULL);
	make("m/f", "");
	CHECK_EQ(syscall(SYS_statx, AT_FDCWD, "m", 0, 0x1000, &s), 0);
	CHECK((s.stx_mask & 0x1000) && (s.stx_attributes & 0x2000) &&
	      (s.stx_attributes_mask & 0x2000));
	CHECK_EQ(syscall(SYS_statx, AT_FDCWD, "m", 0, 0x4000, &u), 0);
	CHECK((u.stx_mask & 0x5000) == 0x4000 && u.stx_mnt_id > 1u << 31);
	CHECK_EQ(syscall(SYS_statx, AT_FDCWD, "m/f", 0, 0x4000, &s), 0);
	CHECK(s.stx_mnt_id == u.stx_mnt_id && !(s.stx_attributes & 0x2000));
	CHECK_ERR(syscall(SYS_statx, AT_FDCWD, "m", 0, 0x80000000, &s), EINVAL);
	CHECK_ERR(syscall(SYS_statx, AT_FDCWD, "m", 0x6000, 0, &s), EINVAL);
	CHECK_EQ(umount("m"), 0);
}

/* A handle that only tells files apart: of any file system. */
CASE(handle_fid, "name_to_handle_at")
{
	static const char *const files[] = { "f", "g", "/proc/uptime", "/dev/shm" };
	struct {
		uint32_t bytes, type;
		uint8_t b[128];
	} h, same, other = { .bytes = 0 };
	uint64_t unique = ~0ull;

	CHECK_EQ(close(open("f", O_CREAT | O_RDWR, 0644)), 0);
	CHECK_EQ(close(open("g", O_CREAT | O_RDWR, 0644)), 0);
	for (int i = 0; i < 4; i++) {
		int id = -1;

		h.bytes = 0;
		h.type = 77;
		CHECK_ERR(syscall(SYS_name_to_handle_at, AT_FDCWD, files[i], &h, &id, AT_HANDLE_FID),
			  EOVERFLOW);
		CHECK(h.bytes >= 8 && h.bytes <= 128 && h.type == 255 && id >= 0);
		h.bytes = 129;
		CHECK_ERR(syscall(SYS_name_to_handle_at, AT_FDCWD, files[i], &h, &id, AT_HANDLE_FID),
			  EINVAL);
		memset(&h, 0, sizeof(h));
		memset(&same, 0, sizeof(same));
		h.bytes = same.bytes = 128;
		CHECK_EQ(syscall(SYS_name_to_handle_at, AT_FDCWD, files[i], &h, &id, AT_HANDLE_FID), 0);
		CHECK_EQ(syscall(SYS_name_to_handle_at, AT_FDCWD, files[i], &same, &unique,
				 AT_HANDLE_FID | 1 /* AT_HANDLE_MNT_ID_UNIQUE */), 0);
		CHECK(unique >> 31 && !memcmp(&h, &same, sizeof(h)) && memcmp(&h, &other, sizeof(h)));
		other = h;
		CHECK_ERR(syscall(SYS_name_to_handle_at, AT_FDCWD, files[i], (void *)8, &id,
				  AT_HANDLE_FID), EFAULT);
	}
}

CASE(no_handles, "name_to_handle_at,open_by_handle_at")
{
	unsigned h[40] = { 8 };
	int id, fd = open("/proc", O_RDONLY);

	CHECK_ERR(syscall(SYS_name_to_handle_at, AT_FDCWD, "/proc/uptime", h, &id, 0), EOPNOTSUPP);
	CHECK_ERR(syscall(SYS_name_to_handle_at, AT_FDCWD, "/none", h, &id, 0), ENOENT);
	CHECK_ERR(syscall(SYS_name_to_handle_at, fd, "", h, &id, 0), ENOENT);
	CHECK_ERR(syscall(SYS_name_to_handle_at, fd, "", h, &id, AT_EMPTY_PATH), EOPNOTSUPP);
	CHECK_ERR(syscall(SYS_name_to_handle_at, fd, "", h, &id, 0x8000), EINVAL);
	if (geteuid() != 0)
		SKIP("needs root");
	CHECK_ERR(syscall(SYS_open_by_handle_at, fd, h, 0), ESTALE);
	CHECK_ERR(syscall(SYS_open_by_handle_at, 999, h, 0), EBADF);
	CHECK_ERR(syscall(SYS_open_by_handle_at, fd, bad, 0), EFAULT);
	h[0] = 0;
	CHECK_ERR(syscall(SYS_open_by_handle_at, fd, h, 0), EINVAL);
	h[0] = 129;
	CHECK_ERR(syscall(SYS_open_by_handle_at, 999, h, 0), EINVAL);
	h[0] = 8;
	CHECK_EQ(WEXITSTATUS(IN_CHILD({
		if (setuid(1000))
			_exit(9);
		CHECK_ERR(syscall(SYS_open_by_handle_at, fd, h, 0), EPERM);
	})), 0);
}

CASE(no_quotas, "quotactl,quotactl_fd")
{
	char b[200];
	int fd;

	enter();
	tmpfs("m", 0, NULL);
	fd = open("m", O_RDONLY);
	CHECK_ERR(syscall(SYS_quotactl_fd, fd, 0x80000700, 0, b), ENOSYS);
	CHECK_ERR(syscall(SYS_quotactl_fd, fd, 0x80000709, 0, b), EINVAL);
	CHECK_ERR(syscall(SYS_quotactl_fd, 999, 0x80000700, 0, b), EBADF);
	CHECK_ERR(syscall(SYS_quotactl, 0x80000700, "/none", 0, b), ENOENT);
	CHECK_ERR(syscall(SYS_quotactl, 0x80000700, "m", 0, b), ENOTBLK);
	CHECK_ERR(syscall(SYS_quotactl, 0x80000709, "m", 0, b), EINVAL);
	CHECK_ERR(syscall(SYS_quotactl, 0x80000700, NULL, 0, b), ENODEV);
	CHECK_EQ(syscall(SYS_quotactl, 0x80000100, NULL, 0, b), 0); /* Q_SYNC of all */
	CHECK(close(fd) == 0 && umount("m") == 0);
}

CASE(file_flags_refused, "file_getattr,file_setattr")
{
	char a[32] = "";

	CHECK_ERR(syscall(468, AT_FDCWD, "/proc", a, 24, 0), EOPNOTSUPP);
	CHECK_ERR(syscall(468, AT_FDCWD, "/proc", a, 23, 0), EINVAL);
	CHECK_ERR(syscall(468, AT_FDCWD, "/proc", a, 5000, 0), E2BIG);
	CHECK_ERR(syscall(468, AT_FDCWD, "/proc", a, 24, 1), EINVAL);
	CHECK_ERR(syscall(468, AT_FDCWD, "/none", a, 24, 0), ENOENT);
	CHECK_ERR(syscall(469, AT_FDCWD, "/proc", a, 24, 0), EOPNOTSUPP);
	CHECK_ERR(syscall(469, AT_FDCWD, "/none", a, 24, 0), ENOENT);
	CHECK_ERR(syscall(469, AT_FDCWD, "/proc", bad, 24, 0), EFAULT);
	a[28] = 1;
	CHECK_ERR(syscall(469, AT_FDCWD, "/proc", a, 32, 0), E2BIG);
}

CASE(old_file_system_calls, "ustat,sysfs")
{
	struct {
		int free, pad;
		unsigned long inodes;
		char names[16];
	} u;
	char name[64];
	struct stat st;
	long n;

	CHECK(stat("/proc", &st) == 0);
	CHECK_EQ(syscall(SYS_ustat, st.st_dev, &u), 0);
	CHECK_ERR(syscall(SYS_ustat, 0x1234567, &u), EINVAL);
	CHECK_ERR(syscall(SYS_ustat, st.st_dev, bad), EFAULT);
	n = syscall(SYS_sysfs, 3);
	CHECK(n > 3);
	CHECK_ERR(syscall(SYS_sysfs, 2, n, name), EINVAL);
	n = syscall(SYS_sysfs, 1, "proc");
	CHECK(n >= 0 && syscall(SYS_sysfs, 2, n, name) == 0 && !strcmp(name, "proc"));
	CHECK_ERR(syscall(SYS_sysfs, 1, "nothingfs"), EINVAL);
	CHECK_ERR(syscall(SYS_sysfs, 1, bad), EFAULT);
	CHECK_ERR(syscall(SYS_sysfs, 7), EINVAL);
}

static int sysctl(const char *name)
{
	char path[100], b[20] = "";
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/fs/%s", name);
	fd = open(path, O_RDONLY);
	CHECK(fd >= 0 && read(fd, b, 19) > 0 && close(fd) == 0);
	return atoi(b);
}

CASE(sticky_directories, "open,link,symlink,mkfifo")
{
	int links = sysctl("protected_symlinks"), hard = sysctl("protected_hardlinks");
	int fifos = sysctl("protected_fifos"), regular = sysctl("protected_regular");

	enter();
	CHECK_EQ(chmod(".", 0755), 0);
	tmpfs("s", 0, "mode=1777,uid=5");
	make("s/f", "x");
	CHECK(symlink("f", "s/l") == 0 && mkfifo("s/p", 0666) == 0 && chmod("s/p", 0666) == 0);
	CHECK(mknod("s/sock", S_IFSOCK | 0666, 0) == 0 && chmod("s/sock", 0666) == 0);
	make("s/open", "x");
	CHECK(chmod("s/open", 0666) == 0 && chmod("s/f", 0644) == 0 && mkdir("s/d", 0755) == 0 &&
	      symlink("d", "s/dl") == 0);
	CHECK_EQ(WEXITSTATUS(IN_CHILD({
		if (setgid(1000) || setuid(1000))
			_exit(9);
		if (links) {
			CHECK_ERR(open("s/l", O_RDONLY), EACCES);
			CHECK_ERR(access("s/l", R_OK), EACCES);
		} else {
			CHECK(open("s/l", O_RDONLY) >= 0);
		}
		CHECK_EQ(access("s/dl/.", X_OK), 0); /* not at the end */
		CHECK_EQ(symlink("f", "s/own"), 0);
		CHECK(open("s/own", O_RDONLY) >= 0);
		if (hard)
			CHECK_ERR(link("s/f", "s/h"), EPERM);
		else
			CHECK_EQ(link("s/f", "s/h"), 0);
		CHECK_EQ(link("s/open", "s/h2"), 0);
		CHECK(open("s/open", O_RDWR) >= 0);
		if (regular)
			CHECK_ERR(open("s/open", O_RDWR | O_CREAT, 0600), EACCES);
		else
			CHECK(open("s/open", O_RDWR | O_CREAT, 0600) >= 0);
		if (fifos)
			CHECK_ERR(open("s/p", O_RDWR | O_CREAT, 0600), EACCES);
		else
			CHECK(open("s/p", O_RDWR | O_CREAT, 0600) >= 0);
		/* Other kinds are refused whatever these say, links that are not followed too. */
		CHECK_ERR(open("s/sock", O_RDWR | O_CREAT, 0600), EACCES);
		CHECK_ERR(open("s/sock", O_RDWR), ENXIO);
		CHECK_ERR(open("s/l", O_RDWR | O_CREAT | O_NOFOLLOW, 0600), EACCES);
		CHECK_ERR(open("s/own", O_RDWR | O_CREAT | O_NOFOLLOW, 0600), ELOOP);
		CHECK_ERR(unlink("s/f"), EPERM);
		CHECK_ERR(rename("s/f", "s/g"), EPERM);
	})), 0);
	CHECK_EQ(umount2("s", MNT_DETACH), 0);
}

CASE(gone_directory, "chdir,rmdir,getcwd,open,mkdir")
{
	char b[300];
	struct stat st;

	CHECK(mkdir("d", 0755) == 0 && chdir("d") == 0 && rmdir("../d") == 0);
	CHECK_ERR(syscall(SYS_getcwd, b, sizeof(b)), ENOENT);
	CHECK_ERR(open("f", O_CREAT | O_RDWR, 0600), ENOENT);
	CHECK_ERR(mkdir("x", 0755), ENOENT);
	CHECK_ERR(symlink("a", "x"), ENOENT);
	CHECK_ERR(open("f", O_RDONLY), ENOENT);
	CHECK(stat(".", &st) == 0 && st.st_nlink == 0);
	CHECK(open(".", O_RDONLY) >= 0);
	CHECK(readlink("/proc/self/cwd", b, sizeof(b)) > 0);
	CHECK_EQ(chdir(".."), 0);
	CHECK(getcwd(b, sizeof(b)) && !strcmp(b, guest_dir));
}

MAIN()
