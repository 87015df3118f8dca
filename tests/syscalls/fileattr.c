/* Inode flags: the ioctl(2) requests, file_getattr(2), statx(2), and what an immutable or
 * append-only file refuses; each case in /tmp, on a tmpfs, and below /var/tmp, where the
 * sandbox has an overlay. */
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "tests/harness/guest.h"

#ifndef SYS_file_getattr
#define SYS_file_getattr 468
#define SYS_file_setattr 469
#endif
struct attr {
	uint64_t xflags;
	uint32_t extsize, nextents, projid, cowextsize;
};

static void everywhere(void (*fn)(void))
{
	static const char *const places[] = { "here", "/var/tmp/attr-test", "/dev/shm/attr-test" };

	for (unsigned i = 0; i < 3; i++) {
		char dir[64], rm[256];

		snprintf(dir, sizeof(dir), "%s.XXXXXX", places[i]);
		CHECK(mkdtemp(dir));
		snprintf(rm, sizeof(rm), "rm -rf %s", dir);
		CHECK_EQ(IN_CHILD(CHECK_EQ(chdir(dir), 0); umask(022); fn()), 0);
		CHECK_EQ(system(rm), 0);
	}
}
#define EVERYWHERE(id, covers)          \
	static void in_##id(void);      \
	CASE(id, covers)                \
	{                               \
		everywhere(in_##id);    \
	}                               \
	static void in_##id(void)

static int make(const char *name)
{
	int fd = open(name, O_CREAT | O_RDWR, 0644);

	CHECK(fd >= 0);
	return fd;
}

static int flags_of(int fd)
{
	int v = -1;

	CHECK_EQ(ioctl(fd, FS_IOC_GETFLAGS, &v), 0);
	return v & 0xf0;
}

static int set(int fd, int flags)
{
	int v = 0;

	CHECK_EQ(ioctl(fd, FS_IOC_GETFLAGS, &v), 0);
	v = (v & ~0xf0) | flags;
	return ioctl(fd, FS_IOC_SETFLAGS, &v);
}

static unsigned long long attributes(int fd)
{
	struct statx s;

	CHECK_EQ(statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &s), 0);
	CHECK((s.stx_attributes_mask & 0x203070) == 0x203070);
	return s.stx_attributes & 0x70;
}

EVERYWHERE(fileattr_forms, "ioctl,file_getattr,file_setattr,statx")
{
	int fd = make("f"), d, p, v;
	struct fsxattr x;
	struct attr a[2];

	CHECK_EQ(flags_of(fd), 0);
	CHECK_EQ(set(fd, FS_NODUMP_FL | FS_NOATIME_FL), 0);
	CHECK_EQ(flags_of(fd), FS_NODUMP_FL | FS_NOATIME_FL);
	CHECK_EQ(attributes(fd), STATX_ATTR_NODUMP);
	memset(&x, 0xff, sizeof(x));
	CHECK_EQ(ioctl(fd, FS_IOC_FSGETXATTR, &x), 0);
	CHECK_EQ(x.fsx_xflags, FS_XFLAG_NODUMP | FS_XFLAG_NOATIME);
	CHECK_EQ(x.fsx_extsize, 0);
	x.fsx_xflags = FS_XFLAG_NOATIME;
	CHECK_EQ(ioctl(fd, FS_IOC_FSSETXATTR, &x), 0);
	CHECK_EQ(flags_of(fd), FS_NOATIME_FL);
	CHECK_ERR(ioctl(fd, FS_IOC_GETFLAGS, (void *)8), EFAULT);
	CHECK_ERR(ioctl(fd, FS_IOC_SETFLAGS, (void *)8), EFAULT);
	CHECK_ERR(ioctl(fd, FS_IOC_FSSETXATTR, (void *)8), EFAULT);
	v = 0x40000000 | 0x1000;
	CHECK_ERR(ioctl(fd, FS_IOC_SETFLAGS, &v), EOPNOTSUPP);
	CHECK_EQ(flags_of(fd), FS_NOATIME_FL);
	/* The newer calls. */
	memset(a, 0xff, sizeof(a));
	CHECK_EQ(syscall(SYS_file_getattr, AT_FDCWD, "f", a, sizeof(a), 0), 0);
	CHECK_EQ(a[0].xflags, FS_XFLAG_NOATIME);
	CHECK(a[0].projid == 0 && a[1].xflags == 0 && a[1].cowextsize == 0);
	CHECK_EQ(syscall(SYS_file_getattr, fd, "", a, sizeof(a[0]), AT_EMPTY_PATH), 0);
	a[0].xflags = FS_XFLAG_NODUMP;
	CHECK_EQ(syscall(SYS_file_setattr, AT_FDCWD, "f", a, sizeof(a[0]), 0), 0);
	CHECK_EQ(flags_of(fd), FS_NODUMP_FL);
	CHECK_ERR(syscall(SYS_file_getattr, AT_FDCWD, "f", a, 23, 0), EINVAL);
	CHECK_ERR(syscall(SYS_file_getattr, AT_FDCWD, "f", a, 4097, 0), E2BIG);
	CHECK_ERR(syscall(SYS_file_getattr, AT_FDCWD, "f", a, 24, 1), EINVAL);
	CHECK_ERR(syscall(SYS_file_getattr, AT_FDCWD, "none", a, 24, 0), ENOENT);
	a[0].xflags = 1ull << 40;
	CHECK_ERR(syscall(SYS_file_setattr, AT_FDCWD, "f", a, 24, 0), EINVAL);
	CHECK_EQ(mkdir("d", 0755), 0);
	d = open("d", O_RDONLY);
	CHECK_EQ(set(d, FS_NODUMP_FL), 0);
	CHECK_EQ(flags_of(d), FS_NODUMP_FL);
	CHECK_EQ(set(d, 0), 0);
	CHECK_EQ(attributes(d), 0);
	CHECK_EQ(mkfifo("p", 0644), 0);
	p = open("p", O_RDWR);
	CHECK_ERR(ioctl(p, FS_IOC_GETFLAGS, &v), ENOTTY);
	CHECK_ERR(ioctl(p, FS_IOC_SETFLAGS, &v), ENOTTY);
	CHECK_ERR(syscall(SYS_file_getattr, AT_FDCWD, "p", a, 24, 0), EOPNOTSUPP);
	p = open("f", O_PATH);
	CHECK_ERR(ioctl(p, FS_IOC_GETFLAGS, &v), EBADF);
	/* Read-only descriptors will do, and only the owner may. */
	p = open("f", O_RDONLY);
	CHECK_EQ(set(p, FS_NOATIME_FL), 0);
	CHECK_EQ(IN_CHILD(CHECK_EQ(setresuid(7, 7, 7), 0); CHECK_EQ(flags_of(p), FS_NOATIME_FL);
			  CHECK_ERR(set(p, 0), EPERM)), 0);
	CHECK_EQ(fchown(fd, 7, 7), 0);
	CHECK_EQ(IN_CHILD(CHECK_EQ(setresuid(7, 7, 7), 0); CHECK_EQ(set(p, 0), 0);
			  CHECK_ERR(set(p, FS_IMMUTABLE_FL), EPERM);
			  CHECK_ERR(set(p, FS_APPEND_FL), EPERM)), 0);
}

EVERYWHERE(fileattr_immutable, "ioctl,open,unlink,rename,link,chmod,chown,utimensat,setxattr,truncate,fallocate,mkdir")
{
	struct timespec ts[2] = { { 1, 0 }, { 1, 0 } };
	int fd = make("f"), d;

	CHECK_EQ(mkdir("d", 0755), 0);
	CHECK_EQ(close(make("d/x")), 0);
	d = open("d", O_RDONLY);
	CHECK_EQ(set(fd, FS_IMMUTABLE_FL), 0);
	CHECK_EQ(set(d, FS_IMMUTABLE_FL), 0);
	CHECK_EQ(attributes(fd), STATX_ATTR_IMMUTABLE);
	CHECK_ERR(open("f", O_WRONLY), EPERM);
	CHECK_ERR(open("f", O_RDONLY | O_TRUNC), EPERM);
	CHECK_ERR(access("f", W_OK), EPERM);
	CHECK_EQ(access("f", R_OK), 0);
	CHECK_ERR(truncate("f", 0), EPERM);
	CHECK_ERR(fallocate(fd, 0, 0, 10), EPERM);
	CHECK_ERR(chmod("f", 0600), EPERM);
	CHECK_ERR(chown("f", 1, 1), EPERM);
	CHECK_ERR(utimensat(AT_FDCWD, "f", ts, 0), EPERM);
	CHECK_ERR(utimensat(AT_FDCWD, "f", NULL, 0), EPERM);
	CHECK_ERR(setxattr("f", "user.a", "1", 1, 0), EPERM);
	CHECK_ERR(removexattr("f", "user.a"), EPERM);
	CHECK_ERR(setxattr("f", "system.posix_acl_access", NULL, 0, 0), EPERM);
	CHECK_ERR(unlink("f"), EPERM);
	CHECK_ERR(rename("f", "g"), EPERM);
	CHECK_ERR(link("f", "g"), EPERM);
	CHECK_EQ(close(make("h")), 0);
	CHECK_ERR(rename("h", "f"), EPERM);
	CHECK_ERR(mkdir("d/y", 0755), EPERM);
	CHECK_ERR(open("d/y", O_CREAT | O_RDWR, 0644), EPERM);
	CHECK_ERR(unlink("d/x"), EPERM);
	CHECK_ERR(rename("d/x", "y"), EPERM);
	CHECK_ERR(rename("h", "d/h"), EPERM);
	CHECK_ERR(rmdir("d"), EPERM);
	CHECK(open("d/x", O_RDWR) >= 0);
	CHECK_EQ(set(fd, 0), 0);
	CHECK_EQ(set(d, 0), 0);
	CHECK_EQ(unlink("d/x"), 0);
	CHECK_EQ(rename("h", "f"), 0);
}

EVERYWHERE(fileattr_append, "ioctl,open,fcntl,unlink,rename,truncate,ftruncate,fallocate,mkdir,mmap")
{
	struct timespec ts[2] = { { 1, 0 }, { 1, 0 } };
	int fd = make("f"), ap, d;

	CHECK_EQ(write(fd, "one", 3), 3);
	CHECK_EQ(mkdir("d", 0755), 0);
	CHECK_EQ(close(make("d/x")), 0);
	d = open("d", O_RDONLY);
	CHECK_EQ(set(fd, FS_APPEND_FL), 0);
	CHECK_EQ(set(d, FS_APPEND_FL), 0);
	CHECK_EQ(attributes(fd), STATX_ATTR_APPEND);
	CHECK_ERR(open("f", O_WRONLY), EPERM);
	CHECK_ERR(open("f", O_WRONLY | O_APPEND | O_TRUNC), EPERM);
	ap = open("f", O_RDWR | O_APPEND);
	CHECK(ap >= 0);
	CHECK_EQ(write(ap, "two", 3), 3);
	CHECK_ERR(fcntl(ap, F_SETFL, 0), EPERM);
	CHECK_EQ(fcntl(ap, F_SETFL, O_APPEND | O_NONBLOCK), 0);
	CHECK_ERR(truncate("f", 0), EPERM);
	CHECK_ERR(ftruncate(ap, 0), EPERM);
	CHECK_ERR(ftruncate(fd, 0), EPERM);
	CHECK_ERR(fallocate(ap, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 1), EPERM);
	CHECK_ERR(chmod("f", 0600), EPERM);
	CHECK_ERR(utimensat(AT_FDCWD, "f", ts, 0), EPERM);
	CHECK_EQ(utimensat(AT_FDCWD, "f", NULL, 0), 0);
	CHECK_ERR(setxattr("f", "user.a", "1", 1, 0), EPERM);
	CHECK_ERR(unlink("f"), EPERM);
	CHECK_ERR(rename("f", "g"), EPERM);
	CHECK_ERR(link("f", "g"), EPERM);
	CHECK_EQ(mkdir("d/y", 0755), 0); /* new names may come … */
	CHECK_ERR(rmdir("d/y"), EPERM);  /* … and not go */
	CHECK_ERR(unlink("d/x"), EPERM);
	CHECK_ERR(rename("d/x", "d/z"), EPERM);
	CHECK_EQ(set(fd, 0), 0);
	CHECK_EQ(set(d, 0), 0);
	CHECK_EQ(rmdir("d/y"), 0);
}

CASE(fileattr_none, "ioctl,file_getattr")
{
	struct attr a;
	int v = 0, fd = open("/proc/self/status", O_RDONLY);

	CHECK_ERR(ioctl(fd, FS_IOC_GETFLAGS, &v), ENOTTY);
	CHECK_ERR(ioctl(fd, FS_IOC_SETFLAGS, &v), ENOTTY);
	CHECK_ERR(ioctl(fd, FS_IOC_FSGETXATTR, &v), ENOTTY);
	CHECK_ERR(syscall(SYS_file_getattr, fd, "", &a, 24, AT_EMPTY_PATH), EOPNOTSUPP);
	fd = open("/dev/null", O_RDWR);
	CHECK_ERR(ioctl(fd, FS_IOC_GETFLAGS, &v), ENOTTY);
}

MAIN()
