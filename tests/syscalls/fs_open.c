/* Opening and closing files. */
#include <dirent.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "tests/harness/guest.h"

static void make(const char *path, const char *text)
{
	int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0644);

	CHECK(fd >= 0);
	CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
	CHECK_EQ(close(fd), 0);
}

static off_t size_of(const char *path)
{
	struct stat st;

	CHECK_EQ(stat(path, &st), 0);
	return st.st_size;
}

CASE(create_and_exclusive, "open,openat,creat,close")
{
	int fd = (int)syscall(SYS_creat, "f", 0644), dir;
	char c;

	CHECK(fd >= 0);
	CHECK_EQ(write(fd, "abc", 3), 3);
	CHECK_ERR(pread(fd, &c, 1, 0), EBADF); /* write-only */
	CHECK_EQ(close(fd), 0);
	CHECK_ERR(close(fd), EBADF);
	CHECK_ERR(syscall(SYS_open, "f", O_CREAT | O_EXCL | O_RDWR, 0644), EEXIST);
	CHECK_EQ(close((int)syscall(SYS_creat, "f", 0644)), 0);
	CHECK_EQ(size_of("f"), 0);
	CHECK_EQ(symlink("nowhere", "dangling"), 0);
	CHECK_ERR(open("dangling", O_CREAT | O_EXCL | O_RDWR, 0644), EEXIST);
	CHECK_EQ(close(open("dangling", O_CREAT | O_RDWR, 0644)), 0);
	CHECK_EQ(size_of("nowhere"), 0);
	dir = open(".", O_RDONLY | O_DIRECTORY);
	fd = openat(dir, "g", O_CREAT | O_RDWR, 0600);
	CHECK(dir >= 0 && fd >= 0 && size_of("g") == 0);
	CHECK_ERR(openat(fd, "h", O_RDONLY), ENOTDIR);
	CHECK_ERR(openat(999, "h", O_RDONLY), EBADF);
	CHECK(openat(999, "/", O_RDONLY) >= 0); /* an absolute path needs no directory */
}

CASE(missing_and_not_dir, "open")
{
	make("f", "x");
	CHECK_ERR(open("none", O_RDONLY), ENOENT);
	CHECK_ERR(open("none/x", O_CREAT | O_RDWR, 0600), ENOENT);
	CHECK_ERR(open("", O_RDONLY), ENOENT);
	CHECK_ERR(open("f/x", O_RDONLY), ENOTDIR);
	CHECK_ERR(open("f/..", O_RDONLY), ENOTDIR);
	CHECK_ERR(open("f/.", O_RDONLY), ENOTDIR);
	CHECK_ERR(open("f/", O_RDONLY), ENOTDIR);
	CHECK_ERR(open("f", O_RDONLY | O_DIRECTORY), ENOTDIR);
	CHECK_ERR(syscall(SYS_open, (void *)8, O_RDONLY), EFAULT);
	CHECK_ERR(open(".", O_RDWR), EISDIR);
	CHECK_ERR(open(".", O_CREAT | O_RDONLY, 0600), EISDIR);
	CHECK_ERR(open("none/", O_CREAT | O_RDWR, 0600), EISDIR);
	CHECK_ERR(open("f/", O_CREAT | O_RDWR, 0600), EISDIR);
}

CASE(trailing_slashes, "open,mkdir,stat,unlink,rmdir,rename")
{
	struct stat st;

	CHECK_EQ(mkdir("d/", 0755), 0);
	CHECK_EQ(stat("d//", &st), 0);
	CHECK_EQ(stat(".//d/./../d", &st), 0);
	make("f", "x");
	CHECK_ERR(stat("f/", &st), ENOTDIR);
	CHECK_ERR(unlink("f/"), ENOTDIR);
	CHECK_ERR(rename("f/", "g"), ENOTDIR);
	CHECK_ERR(rename("f", "g/"), ENOTDIR);
	CHECK_EQ(symlink("d", "l"), 0);
	CHECK_ERR(rmdir("l/"), ENOTDIR);
	CHECK_EQ(lstat("l/", &st), 0);
	CHECK(S_ISDIR(st.st_mode));
	CHECK_EQ(rename("d/", "e/"), 0);
	CHECK_EQ(rmdir("e/"), 0);
	CHECK_ERR(mkdir("x/y/", 0755), ENOENT);
}

CASE(symlink_loops, "open,symlink,readlink")
{
	char name[16], prev[16] = "f";

	make("f", "x");
	CHECK_EQ(symlink("b", "a"), 0);
	CHECK_EQ(symlink("a", "b"), 0);
	CHECK_ERR(open("a", O_RDONLY), ELOOP);
	CHECK_ERR(open("a/x", O_RDONLY), ELOOP);
	CHECK_ERR(open("a", O_CREAT | O_RDWR, 0600), ELOOP);
	/* Forty links are followed, not one more. */
	for (int i = 1; i <= 41; i++) {
		snprintf(name, sizeof(name), "l%d", i);
		CHECK_EQ(symlink(prev, name), 0);
		strcpy(prev, name);
	}
	CHECK(open("l40", O_RDONLY) >= 0);
	CHECK_ERR(open("l41", O_RDONLY), ELOOP);
}

CASE(nofollow_and_path, "open,fstat,fchdir")
{
	struct stat st;
	char buf[16];
	int fd;

	make("f", "x");
	CHECK_EQ(symlink("f", "l"), 0);
	CHECK_ERR(open("l", O_RDONLY | O_NOFOLLOW), ELOOP);
	CHECK_ERR(open("l", O_RDONLY | O_NOFOLLOW | O_DIRECTORY), ENOTDIR);
	fd = open("l", O_PATH | O_NOFOLLOW);
	CHECK(fd >= 0 && fstat(fd, &st) == 0 && S_ISLNK(st.st_mode));
	CHECK_EQ(readlinkat(fd, "", buf, sizeof(buf)), 1);
	fd = open("f", O_PATH);
	CHECK(fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode));
	CHECK_EQ(fcntl(fd, F_GETFL) & O_PATH, O_PATH);
	CHECK_ERR(read(fd, buf, 1), EBADF);
	CHECK_ERR(write(fd, buf, 1), EBADF);
	CHECK_ERR(lseek(fd, 0, SEEK_SET), EBADF);
	CHECK_ERR(fchmod(fd, 0600), EBADF);
	CHECK_ERR(ftruncate(fd, 0), EBADF);
	CHECK_ERR(fsync(fd), EBADF);
	CHECK_ERR(ioctl(fd, 0x5401, buf), EBADF);
	CHECK_EQ(fcntl(fd, F_GETFD), 0);
	CHECK(dup(fd) >= 0);
	/* O_CREAT and O_TRUNC mean nothing with O_PATH. */
	CHECK_ERR(open("none", O_PATH | O_CREAT, 0600), ENOENT);
	CHECK(open("f", O_PATH | O_TRUNC | O_RDWR) >= 0 && size_of("f") == 1);
	fd = open(".", O_PATH | O_DIRECTORY);
	CHECK(fd >= 0 && fchdir(fd) == 0);
	CHECK(openat(fd, "f", O_RDONLY) >= 0);
	CHECK_ERR(getdents64(fd, buf, sizeof(buf)), EBADF);
}

CASE(reopen_through_proc, "open")
{
	char path[40], c;
	int fd, again;

	make("f", "x");
	fd = open("f", O_PATH);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, O_RDWR);
	CHECK(again >= 0);
	CHECK_EQ(read(again, &c, 1), 1);
	CHECK_EQ(unlink("f"), 0);
	CHECK(open(path, O_RDONLY) >= 0); /* the file lives on */
}

CASE(truncation, "open,unlink")
{
	char buf[8];
	int fd;

	make("f", "hello");
	fd = open("f", O_RDONLY);
	CHECK_EQ(close(open("f", O_RDWR | O_TRUNC)), 0);
	CHECK_EQ(read(fd, buf, 5), 0);
	make("f", "hello");
	CHECK_EQ(unlink("f"), 0);
	CHECK_EQ(pread(fd, buf, 8, 0), 5);
	CHECK_ERR(open("f", O_RDONLY), ENOENT);
}

CASE(tmpfile_links, "open,linkat")
{
	char path[40];
	struct stat st;
	int fd = open(".", O_TMPFILE | O_RDWR, 0600);

	if (fd < 0 && errno == EOPNOTSUPP)
		SKIP("the file system has no O_TMPFILE");
	CHECK(fd >= 0);
	CHECK_EQ(write(fd, "abc", 3), 3);
	CHECK(fstat(fd, &st) == 0 && st.st_nlink == 0 && st.st_size == 3);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	CHECK_EQ(linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW), 0);
	CHECK_EQ(size_of("named"), 3);
	CHECK(fstat(fd, &st) == 0 && st.st_nlink == 1);
	fd = open(".", O_TMPFILE | O_RDWR | O_EXCL, 0600);
	CHECK(fd >= 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	CHECK_ERR(linkat(AT_FDCWD, path, AT_FDCWD, "named2", AT_SYMLINK_FOLLOW), ENOENT);
	CHECK_ERR(open(".", O_TMPFILE | O_RDONLY, 0600), EINVAL);
	CHECK_ERR(open("named", O_TMPFILE | O_RDWR, 0600), ENOTDIR);
}

CASE(name_lengths, "open,mkdir")
{
	char name[300], *path = malloc(5000);

	memset(name, 'n', sizeof(name));
	name[255] = 0;
	make(name, "x");
	name[255] = 'n';
	name[256] = 0;
	CHECK_ERR(open(name, O_RDONLY), ENAMETOOLONG);
	CHECK_ERR(open(name, O_CREAT | O_RDWR, 0600), ENAMETOOLONG);
	CHECK_ERR(mkdir(name, 0700), ENAMETOOLONG);
	for (int i = 0; i < 2500; i++)
		memcpy(path + 2 * i, "./", 2);
	path[4095] = 0; /* 4096 with the terminator: just fits */
	CHECK(open(path, O_RDONLY) >= 0);
	path[4095] = '/';
	path[4096] = 0;
	CHECK_ERR(open(path, O_RDONLY), ENAMETOOLONG);
	CHECK_ERR(mkdir(path, 0700), ENAMETOOLONG);
}

CASE(flag_checks, "open,fcntl")
{
	int fd;

	make("f", "x");
	fd = open("f", O_RDWR | O_APPEND | O_CREAT | O_EXCL * 0 | O_CLOEXEC | O_NONBLOCK, 0600);
	CHECK(fd >= 0);
	CHECK_EQ(fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND | O_NONBLOCK | O_CREAT), O_RDWR | O_APPEND | O_NONBLOCK);
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	/* Unknown flags are ignored by open, O_CREAT|O_DIRECTORY is refused. */
	CHECK(open("f", O_RDONLY | 0x40000000) >= 0);
	CHECK_ERR(open("d", O_CREAT | O_DIRECTORY | O_RDWR, 0700), EINVAL);
	CHECK(open("f", 3) >= 0); /* neither readable nor writable */
	CHECK_ERR(read(open("f", 3), &fd, 1), EBADF);
}

static long how_open(int dir, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve)
{
	struct open_how how = { flags, mode, resolve };

	return syscall(SYS_openat2, dir, path, &how, sizeof(how));
}

CASE(openat2_checks, "openat2")
{
	struct { struct open_how h; uint64_t extra; } big = { { O_RDONLY, 0, 0 }, 0 };

	make("f", "x");
	CHECK(how_open(AT_FDCWD, "f", O_RDONLY, 0, 0) >= 0);
	CHECK_ERR(how_open(AT_FDCWD, "f", 0x40000000, 0, 0), EINVAL);
	CHECK_ERR(how_open(AT_FDCWD, "f", O_RDONLY, 0600, 0), EINVAL);
	CHECK_ERR(how_open(AT_FDCWD, "g", O_CREAT | O_RDWR, 010000, 0), EINVAL);
	CHECK_ERR(how_open(AT_FDCWD, "f", O_RDONLY, 0, 0x1000), EINVAL);
	CHECK_ERR(how_open(AT_FDCWD, "f", O_RDONLY, 0, RESOLVE_BENEATH | RESOLVE_IN_ROOT), EINVAL);
	CHECK_ERR(how_open(AT_FDCWD, "f", O_PATH | O_RDWR, 0, 0), EINVAL);
	CHECK_ERR(syscall(SYS_openat2, AT_FDCWD, "f", &big, 16), EINVAL);
	CHECK(syscall(SYS_openat2, AT_FDCWD, "f", &big, sizeof(big)) >= 0);
	big.extra = 1;
	CHECK_ERR(syscall(SYS_openat2, AT_FDCWD, "f", &big, sizeof(big)), E2BIG);
	CHECK_ERR(syscall(SYS_openat2, AT_FDCWD, "f", (void *)8, 24), EFAULT);
}

CASE(openat2_resolve, "openat2")
{
	int d;

	CHECK_EQ(mkdir("d", 0755), 0);
	CHECK_EQ(mkdir("d/in", 0755), 0);
	make("f", "outside");
	make("d/f", "in");
	CHECK_EQ(symlink("/f", "d/abs"), 0);
	CHECK_EQ(symlink("../f", "d/up"), 0);
	CHECK_EQ(symlink("f", "d/ok"), 0);
	CHECK_EQ(symlink("in", "d/lin"), 0);
	d = open("d", O_PATH);
	CHECK(how_open(d, "ok", O_RDONLY, 0, RESOLVE_BENEATH) >= 0);
	CHECK(how_open(d, "in/../f", O_RDONLY, 0, RESOLVE_BENEATH) >= 0);
	CHECK_ERR(how_open(d, "../f", O_RDONLY, 0, RESOLVE_BENEATH), EXDEV);
	CHECK_ERR(how_open(d, "up", O_RDONLY, 0, RESOLVE_BENEATH), EXDEV);
	CHECK_ERR(how_open(d, "abs", O_RDONLY, 0, RESOLVE_BENEATH), EXDEV);
	CHECK_ERR(how_open(d, "/etc", O_RDONLY, 0, RESOLVE_BENEATH), EXDEV);
	/* In a root of one's own, ".." stops there and "/" starts there. */
	CHECK(how_open(d, "abs", O_RDONLY, 0, RESOLVE_IN_ROOT) >= 0);
	CHECK(how_open(d, "up", O_RDONLY, 0, RESOLVE_IN_ROOT) >= 0);
	CHECK(how_open(d, "/../../f", O_RDONLY, 0, RESOLVE_IN_ROOT) >= 0);
	CHECK_ERR(how_open(d, "/etc/passwd", O_RDONLY, 0, RESOLVE_IN_ROOT), ENOENT);
	CHECK_ERR(how_open(d, "ok", O_RDONLY, 0, RESOLVE_NO_SYMLINKS), ELOOP);
	CHECK_ERR(how_open(d, "lin/x", O_RDONLY, 0, RESOLVE_NO_SYMLINKS), ELOOP);
	CHECK(how_open(d, "lin", O_PATH | O_NOFOLLOW, 0, RESOLVE_NO_SYMLINKS) >= 0);
	CHECK(how_open(d, "f", O_RDONLY, 0, RESOLVE_NO_SYMLINKS) >= 0);
	CHECK_ERR(how_open(AT_FDCWD, "/proc/self/exe", O_RDONLY, 0, RESOLVE_NO_MAGICLINKS), ELOOP);
	CHECK_ERR(how_open(AT_FDCWD, "/proc/self/exe", O_RDONLY, 0, RESOLVE_NO_XDEV), EXDEV);
	CHECK(how_open(AT_FDCWD, "f", O_RDONLY, 0, RESOLVE_NO_XDEV) >= 0);
}

CASE(close_ranges, "close_range,close")
{
	int fd[6];

	for (int i = 0; i < 6; i++)
		CHECK((fd[i] = fcntl(0, F_DUPFD, 100 + i)) == 100 + i);
	CHECK_EQ(syscall(SYS_close_range, 101, 102, 0), 0);
	CHECK(fcntl(100, F_GETFD) == 0 && fcntl(103, F_GETFD) == 0);
	CHECK_ERR(fcntl(101, F_GETFD), EBADF);
	CHECK_ERR(fcntl(102, F_GETFD), EBADF);
	CHECK_EQ(syscall(SYS_close_range, 103, 104, 4), 0); /* CLOSE_RANGE_CLOEXEC */
	CHECK(fcntl(103, F_GETFD) == FD_CLOEXEC && fcntl(105, F_GETFD) == 0);
	CHECK_ERR(syscall(SYS_close_range, 5, 4, 0), EINVAL);
	CHECK_ERR(syscall(SYS_close_range, 5, 6, 8), EINVAL);
	CHECK_EQ(syscall(SYS_close_range, 103, ~0U, 2), 0); /* CLOSE_RANGE_UNSHARE */
	CHECK_ERR(fcntl(105, F_GETFD), EBADF);
}

CASE(mode_of_new_file, "open,umask")
{
	struct stat st;
	int fd;

	umask(022);
	fd = open("f", O_CREAT | O_RDWR, 04666);
	CHECK(fd >= 0 && fstat(fd, &st) == 0);
	CHECK_EQ(st.st_mode, S_IFREG | 04644);
	/* The mode counts for later opens, not for the one that created the file. */
	fd = open("ro", O_CREAT | O_RDWR, 0000);
	CHECK(fd >= 0 && write(fd, "x", 1) == 1);
}

CASE(device_and_fifo_open, "open")
{
	char c;

	CHECK_ERR(open("/dev/null", O_RDONLY | O_DIRECTORY), ENOTDIR);
	CHECK_EQ(mkfifo("p", 0600), 0);
	CHECK_ERR(open("p", O_WRONLY | O_NONBLOCK), ENXIO);
	CHECK_EQ(read(open("p", O_RDONLY | O_NONBLOCK), &c, 1), 0);
	CHECK_ERR(open("/proc/self/fd/999", O_RDONLY), ENOENT);
}

MAIN()
