/* Reading, writing, sizes, and copying between files. */
#include <limits.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "tests/harness/guest.h"

static void *volatile bad = (void *)8; /* volatile: compilers see through it otherwise */

static int file(const char *path, const char *text)
{
	int fd = open(path, O_CREAT | O_TRUNC | O_RDWR, 0644);

	CHECK(fd >= 0);
	CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static off_t size_of(int fd)
{
	struct stat st;

	CHECK_EQ(fstat(fd, &st), 0);
	return st.st_size;
}

static void check_text(int fd, const char *want)
{
	char buf[256] = "";
	ssize_t n = pread(fd, buf, sizeof(buf) - 1, 0);

	if (n != (ssize_t)strlen(want) || memcmp(buf, want, (size_t)n))
		guest_fail(__FILE__, __LINE__, "file has '%s', not '%s'", buf, want);
}

CASE(read_write_offsets, "read,write,lseek,pread64,pwrite64")
{
	int fd = file("f", "0123456789");
	char b[16] = "";

	CHECK_EQ(read(fd, b, 4), 4);
	CHECK(!memcmp(b, "0123", 4));
	CHECK_EQ(pread(fd, b, 4, 8), 2);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 4);
	CHECK_EQ(write(fd, "ab", 2), 2);
	CHECK_EQ(pwrite(fd, "Z", 1, 0), 1);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 6);
	check_text(fd, "Z123ab6789");
	CHECK_EQ(lseek(fd, 0, SEEK_END), 10);
	CHECK_EQ(read(fd, b, 4), 0);
	CHECK_EQ(pread(fd, b, 4, 1000), 0);
	CHECK_EQ(read(fd, b, 0), 0);
	CHECK_EQ(write(fd, NULL, 0), 0);
}

CASE(rw_errors, "read,write,pread64,pwrite64")
{
	int fd = file("f", "abc"), ro = open("f", O_RDONLY), wo = open("f", O_WRONLY), p[2], dir = open(".", O_RDONLY);
	char b[4];

	CHECK_ERR(read(999, b, 1), EBADF);
	CHECK_ERR(write(ro, b, 1), EBADF);
	CHECK_ERR(read(wo, b, 1), EBADF);
	CHECK_ERR(read(wo, bad, 1), EBADF);
	CHECK_ERR(read(fd, bad, 1), EFAULT);
	CHECK_ERR(write(fd, bad, 1), EFAULT);
	CHECK_ERR(read(dir, b, 1), EISDIR);
	CHECK_ERR(pread(fd, b, 1, -1), EINVAL);
	CHECK_ERR(pwrite(fd, b, 1, -1), EINVAL);
	CHECK_ERR(pread(999, b, 1, -1), EINVAL); /* the offset is looked at first */
	CHECK_EQ(pipe(p), 0);
	CHECK_ERR(pread(p[0], b, 1, 0), ESPIPE);
	CHECK_ERR(pwrite(p[1], b, 1, 0), ESPIPE);
	CHECK_ERR(lseek(p[0], 0, SEEK_CUR), ESPIPE);
	CHECK_ERR(syscall(SYS_read, fd, b, (size_t)-1), EFAULT);
	CHECK_EQ(guest_raw(SYS_read, DIRTY(fd), (uintptr_t)b, 1, 0, 0, 0), 1);
}

CASE(partial_fault, "write,read,readv,writev")
{
	char *m = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = file("f", ""), p[2];
	struct iovec v[2];

	CHECK(m != MAP_FAILED && munmap(m + 4096, 4096) == 0);
	memset(m, 'x', 4096);
	CHECK_EQ(pipe(p), 0);
	CHECK_EQ(write(p[1], "0123456789", 10), 10);
	v[0] = (struct iovec){ m + 4092, 4 };
	v[1] = (struct iovec){ bad, 4 };
	CHECK_EQ(readv(p[0], v, 1), 4);
	/* What is wholly out of reach writes nothing and moves nothing. */
	CHECK_ERR(write(fd, m + 4096, 10), EFAULT);
	CHECK_EQ(size_of(fd), 0);
	CHECK_EQ(writev(fd, v, 2), 4);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 4);
	CHECK_EQ(size_of(fd), 4);
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	CHECK_EQ(readv(fd, v, 2), 4);
}

CASE(vectors, "readv,writev,preadv,pwritev")
{
	int fd = file("f", "");
	char a[4] = "", b[4] = "";
	struct iovec w[3] = { { "one", 3 }, { NULL, 0 }, { "two", 3 } }, r[2] = { { a, 3 }, { b, 3 } };
	struct iovec big[2] = { { a, (size_t)LONG_MAX }, { b, 1 } };

	CHECK_EQ(writev(fd, w, 3), 6);
	CHECK_EQ(preadv(fd, r, 2, 0), 6);
	CHECK(!strcmp(a, "one") && !strcmp(b, "two"));
	CHECK_EQ(pwritev(fd, w, 1, 4), 3);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 6);
	check_text(fd, "onetone");
	CHECK_EQ(lseek(fd, 5, SEEK_SET), 5);
	CHECK_EQ(readv(fd, r, 2), 2);
	CHECK_EQ(readv(fd, r, 0), 0);
	CHECK_ERR(syscall(SYS_readv, fd, r, -1), EINVAL);
	CHECK_ERR(syscall(SYS_readv, fd, r, 1025), EINVAL);
	CHECK_ERR(readv(fd, bad, 1), EFAULT);
	big[0].iov_len = (size_t)-1;
	CHECK_ERR(writev(fd, big, 2), EINVAL);
	CHECK_ERR(preadv(fd, r, 2, -1), EINVAL);
	CHECK_ERR(pwritev(fd, w, 2, -5), EINVAL);
}

CASE(preadv2_flags, "preadv2,pwritev2")
{
	int fd = file("f", "abcdef"), p[2];
	char a[8] = "";
	struct iovec r = { a, 3 }, w = { "XY", 2 };

	CHECK_EQ(preadv2(fd, &r, 1, -1, 0), 3); /* at the file's own position */
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 3);
	CHECK_EQ(preadv2(fd, &r, 1, 1, RWF_HIPRI), 3);
	CHECK(!strcmp(a, "bcd"));
	CHECK_EQ(pwritev2(fd, &w, 1, 0, RWF_APPEND), 2);
	check_text(fd, "abcdefXY");
	CHECK_EQ(pwritev2(fd, &w, 1, 0, RWF_DSYNC | RWF_SYNC), 2);
	check_text(fd, "XYcdefXY");
	CHECK_ERR(preadv2(fd, &r, 1, 0, 0x8000), EOPNOTSUPP);
	CHECK_ERR(preadv2(fd, &r, 1, -2, 0), EINVAL);
	CHECK_EQ(pipe(p), 0);
	CHECK_ERR(preadv2(p[0], &r, 1, -1, RWF_NOWAIT), EAGAIN);
}

CASE(append_mode, "write,pwrite64,lseek")
{
	int fd = file("f", "abc"), ap = open("f", O_RDWR | O_APPEND);

	CHECK_EQ(write(ap, "d", 1), 1);
	CHECK_EQ(lseek(ap, 0, SEEK_CUR), 4);
	CHECK_EQ(lseek(ap, 0, SEEK_SET), 0);
	CHECK_EQ(write(ap, "e", 1), 1);
	check_text(fd, "abcde");
	CHECK_EQ(pwrite(ap, "f", 1, 0), 1); /* appends too, as Linux has it */
	check_text(fd, "abcdef");
	CHECK_EQ(fcntl(ap, F_SETFL, 0), 0);
	CHECK_EQ(pwrite(ap, "A", 1, 0), 1);
	check_text(fd, "Abcdef");
}

CASE(seeks, "lseek")
{
	int fd = file("f", "abc");

	CHECK_EQ(lseek(fd, 100, SEEK_SET), 100);
	CHECK_EQ(lseek(fd, -1, SEEK_CUR), 99);
	CHECK_EQ(lseek(fd, -1, SEEK_END), 2);
	CHECK_ERR(lseek(fd, -1, SEEK_SET), EINVAL);
	CHECK_ERR(lseek(fd, -100, SEEK_CUR), EINVAL);
	CHECK_ERR(lseek(fd, 0, 99), EINVAL);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 2);
	CHECK_ERR(lseek(fd, LONG_MAX, SEEK_CUR), EINVAL);
	CHECK_ERR(lseek(999, 0, 99), EBADF);
}

CASE(data_and_holes, "lseek")
{
	int fd = file("f", "");
	off_t h;

	CHECK_EQ(pwrite(fd, "x", 1, 1 << 20), 1);
	CHECK_EQ(size_of(fd), (1 << 20) + 1);
	h = lseek(fd, 0, SEEK_HOLE);
	CHECK(h == 0 || h == size_of(fd)); /* a file system may know no holes */
	h = lseek(fd, 0, SEEK_DATA);
	CHECK(h >= 0 && h <= 1 << 20);
	CHECK_EQ(lseek(fd, 1 << 20, SEEK_DATA), 1 << 20);
	CHECK_EQ(lseek(fd, 1 << 20, SEEK_HOLE), (1 << 20) + 1);
	CHECK_ERR(lseek(fd, (1 << 20) + 1, SEEK_DATA), ENXIO);
	CHECK_ERR(lseek(fd, (1 << 20) + 1, SEEK_HOLE), ENXIO);
	CHECK_ERR(lseek(fd, -1, SEEK_DATA), ENXIO);
}

CASE(truncate_both_ways, "truncate,ftruncate")
{
	int fd = file("f", "hello"), ro = open("f", O_RDONLY), p[2];
	char b[8] = "xxxxxxx";

	CHECK_EQ(ftruncate(fd, 2), 0);
	CHECK_EQ(truncate("f", 6), 0);
	CHECK_EQ(pread(fd, b, 8, 0), 6);
	CHECK(!memcmp(b, "he\0\0\0\0x", 7));
	CHECK_ERR(ftruncate(ro, 0), EINVAL);
	CHECK_ERR(ftruncate(fd, -1), EINVAL);
	CHECK_ERR(truncate("f", -1), EINVAL);
	CHECK_ERR(truncate("none", -1), EINVAL);
	CHECK_ERR(truncate("none", 0), ENOENT);
	CHECK_ERR(truncate(".", 0), EISDIR);
	CHECK_ERR(truncate("f/x", 0), ENOTDIR);
	CHECK_ERR(ftruncate(999, -1), EINVAL);
	CHECK_ERR(ftruncate(999, 0), EBADF);
	CHECK_EQ(pipe(p), 0);
	CHECK_ERR(ftruncate(p[1], 0), EINVAL);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 0);
}

CASE(file_size_limit, "write,ftruncate,setrlimit")
{
	struct rlimit rl = { 10, 10 };
	int fd = file("f", "12345");

	signal(SIGXFSZ, SIG_IGN);
	CHECK_EQ(setrlimit(RLIMIT_FSIZE, &rl), 0);
	CHECK_EQ(pwrite(fd, "1234567890", 10, 5), 5);
	CHECK_ERR(pwrite(fd, "x", 1, 10), EFBIG);
	CHECK_ERR(ftruncate(fd, 11), EFBIG);
	CHECK_EQ(WTERMSIG(IN_CHILD({
		signal(SIGXFSZ, SIG_DFL);
		pwrite(fd, "x", 1, 10) == 1 ? _exit(1) : _exit(2);
	})), SIGXFSZ);
}

CASE(allocation, "fallocate")
{
	int fd = file("f", "abc"), ro = open("f", O_RDONLY), p[2];

	if (fallocate(fd, 0, 0, 8192) < 0 && errno == EOPNOTSUPP)
		SKIP("the file system has no fallocate");
	CHECK_EQ(size_of(fd), 8192);
	CHECK_EQ(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 100000), 0);
	CHECK_EQ(size_of(fd), 8192);
	CHECK_EQ(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 2), 0);
	CHECK_EQ(pread(fd, p, 3, 0), 3);
	CHECK(!memcmp(p, "\0\0c", 3));
	CHECK_ERR(fallocate(fd, 0, 0, 0), EINVAL);
	CHECK_ERR(fallocate(fd, 0, -1, 5), EINVAL);
	CHECK_ERR(fallocate(fd, 0, LONG_MAX, 5), EFBIG);
	CHECK_ERR(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 2), EOPNOTSUPP);
	CHECK_ERR(fallocate(fd, 0x8000, 0, 2), EOPNOTSUPP);
	CHECK_ERR(fallocate(ro, 0, 0, 5), EBADF);
	CHECK_EQ(pipe(p), 0);
	CHECK_ERR(fallocate(p[1], 0, 0, 5), ESPIPE);
	CHECK_ERR(fallocate(open("/dev/null", O_RDWR), 0, 0, 5), ENODEV);
}

CASE(sendfile_copies, "sendfile")
{
	int in = file("a", "0123456789"), out = file("b", ""), p[2];
	char b[16];
	off_t off = 4;

	CHECK_EQ(sendfile(out, in, &off, 3), 3);
	CHECK_EQ(off, 7);
	CHECK_EQ(lseek(in, 0, SEEK_CUR), 0);
	CHECK_EQ(sendfile(out, in, NULL, 100), 10);
	CHECK_EQ(lseek(in, 0, SEEK_CUR), 10);
	check_text(out, "4560123456789");
	CHECK_EQ(sendfile(out, in, NULL, 5), 0);
	CHECK_EQ(pipe(p), 0);
	off = 0;
	CHECK_EQ(sendfile(p[1], in, &off, 4), 4);
	CHECK_EQ(read(p[0], b, 16), 4);
	CHECK_ERR(sendfile(out, 999, NULL, 1), EBADF);
	CHECK_ERR(sendfile(999, in, NULL, 1), EBADF);
	CHECK_ERR(sendfile(open("b", O_RDONLY), in, NULL, 1), EBADF);
	CHECK_ERR(sendfile(open("b", O_WRONLY | O_APPEND), in, NULL, 1), EINVAL);
	off = -1;
	CHECK_ERR(sendfile(out, in, &off, 1), EINVAL);
	CHECK_ERR(syscall(SYS_sendfile, out, in, bad, 1), EFAULT);
	CHECK_ERR(sendfile(p[1], p[0], &off, 1), ESPIPE);
}

CASE(splice_file_to_pipe, "splice,tee")
{
	int in = file("a", "0123456789"), out = file("b", ""), p[2], q[2];
	char b[16] = "";
	loff_t off = 2;

	CHECK(pipe(p) == 0 && pipe(q) == 0);
	CHECK_EQ(splice(in, &off, p[1], NULL, 4, 0), 4);
	CHECK_EQ(off, 6);
	CHECK_EQ(tee(p[0], q[1], 100, 0), 4); /* copies, does not take */
	CHECK_EQ(read(q[0], b, 16), 4);
	CHECK(!strcmp(b, "2345"));
	CHECK_EQ(splice(p[0], NULL, out, NULL, 100, 0), 4);
	check_text(out, "2345");
	CHECK_EQ(splice(in, NULL, p[1], NULL, 3, 0), 3);
	CHECK_EQ(splice(p[0], NULL, q[1], NULL, 2, 0), 2);
	CHECK_EQ(read(q[0], b, 16), 2);
	CHECK_ERR(splice(in, NULL, out, NULL, 3, 0), EINVAL);
	CHECK_ERR(splice(in, NULL, p[1], &off, 3, 0), ESPIPE);
	CHECK_ERR(splice(p[0], NULL, p[1], NULL, 3, 0), EINVAL);
	CHECK_ERR(splice(in, NULL, p[1], NULL, 3, 0x100), EINVAL);
	CHECK_ERR(splice(999, NULL, p[1], NULL, 3, 0), EBADF);
	CHECK_ERR(splice(in, NULL, p[0], NULL, 3, 0), EBADF);
	CHECK_EQ(splice(999, NULL, 998, NULL, 0, 0), 0);
	CHECK_ERR(tee(in, p[1], 1, 0), EINVAL);
	CHECK_ERR(tee(p[0], p[1], 1, 0), EINVAL);
	CHECK_EQ(read(p[0], b, 16), 1);
	CHECK_ERR(splice(p[0], NULL, out, NULL, 1, SPLICE_F_NONBLOCK), EAGAIN);
	CHECK_ERR(tee(p[0], q[1], 1, SPLICE_F_NONBLOCK), EAGAIN);
	close(p[1]);
	CHECK_EQ(splice(p[0], NULL, out, NULL, 1, 0), 0);
}

CASE(copy_ranges, "copy_file_range")
{
	int in = file("a", "0123456789"), out = file("b", "");
	loff_t i = 3, o = 2;

	CHECK_EQ(copy_file_range(in, &i, out, &o, 4, 0), 4);
	CHECK(i == 7 && o == 6 && size_of(out) == 6);
	CHECK_EQ(copy_file_range(in, NULL, out, NULL, 2, 0), 2);
	CHECK_EQ(lseek(in, 0, SEEK_CUR), 2);
	check_text(out, "013456");
	i = 10;
	CHECK_EQ(copy_file_range(in, &i, out, NULL, 5, 0), 0);
	i = 0;
	o = 5;
	CHECK_ERR(copy_file_range(in, &i, in, &o, 8, 0), EINVAL); /* overlap */
	CHECK_ERR(copy_file_range(in, &i, out, &o, 8, 1), EINVAL);
	CHECK_ERR(copy_file_range(in, &i, open("b", O_RDONLY), &o, 8, 0), EBADF);
	CHECK_ERR(copy_file_range(in, &i, open("b", O_WRONLY | O_APPEND), &o, 8, 0), EBADF);
	CHECK_ERR(copy_file_range(open(".", O_RDONLY), &i, out, &o, 8, 0), EISDIR);
}

CASE(sync_calls, "fsync,fdatasync,sync_file_range,syncfs,sync")
{
	int fd = file("f", "abc"), p[2];

	CHECK_EQ(fsync(fd), 0);
	CHECK_EQ(fdatasync(fd), 0);
	CHECK_EQ(fsync(open(".", O_RDONLY)), 0);
	CHECK_EQ(fsync(open("f", O_RDONLY)), 0);
	CHECK_ERR(fsync(999), EBADF);
	CHECK_ERR(fdatasync(999), EBADF);
	CHECK_EQ(pipe(p), 0);
	CHECK_ERR(fsync(p[0]), EINVAL);
	CHECK_EQ(sync_file_range(fd, 0, 3, SYNC_FILE_RANGE_WRITE), 0);
	CHECK_ERR(sync_file_range(fd, 0, 3, 8), EINVAL);
	CHECK_ERR(sync_file_range(fd, -1, 3, 0), EINVAL);
	CHECK_ERR(sync_file_range(p[0], 0, 3, SYNC_FILE_RANGE_WRITE), ESPIPE);
	CHECK_ERR(sync_file_range(999, 0, 3, 0), EBADF);
	CHECK_EQ(syncfs(fd), 0);
	CHECK_ERR(syncfs(999), EBADF);
	sync();
}

CASE(advice, "fadvise64,readahead")
{
	int fd = file("f", "abc"), p[2];

	CHECK_EQ(pipe(p), 0);
	CHECK_EQ(posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL), 0);
	CHECK_ERR(syscall(SYS_fadvise64, fd, 0, 0, 99), EINVAL);
	CHECK_ERR(syscall(SYS_fadvise64, fd, 0L, -1L, POSIX_FADV_NORMAL), EINVAL);
	CHECK_ERR(syscall(SYS_fadvise64, p[0], 0, 0, POSIX_FADV_NORMAL), ESPIPE);
	CHECK_ERR(syscall(SYS_fadvise64, 999, 0, 0, 99), EBADF);
	CHECK_EQ(readahead(fd, 0, 3), 0);
	CHECK_ERR(readahead(open("f", O_WRONLY), 0, 3), EBADF);
	CHECK_ERR(readahead(p[0], 0, 3), EINVAL);
}

CASE(large_transfer, "write,read")
{
	size_t n = 3 << 20;
	unsigned char *a = malloc(n), *b = malloc(n);
	int fd = file("f", "");

	for (size_t i = 0; i < n; i++)
		a[i] = (unsigned char)(i * 31 >> 3);
	CHECK_EQ(write(fd, a, n), n);
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	CHECK_EQ(read(fd, b, n), n);
	CHECK(!memcmp(a, b, n));
}

CASE(shared_offset_across_fork, "lseek,read,fork")
{
	int fd = file("f", "abcdef");
	char c = 0;

	CHECK_EQ(IN_CHILD(_exit(read(fd, &c, 1) != 1)), 0);
	CHECK_EQ(read(fd, &c, 1), 1);
	CHECK_EQ(c, 'b');
}

/* Files that were mapped and are not any more, more of them than may keep what a mapping
 * needed; and one whose mapping outlives its descriptor and all of that. */
CASE(many_mapped_files, "mmap,munmap,open,close,read,ftruncate")
{
	enum { N = 1200, LEN = 3000 };
	char name[32], b[LEN + 10], *kept = NULL, *m;
	struct stat st;
	int fd;

	for (int i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		fd = open(name, O_RDWR | O_CREAT, 0600);
		memset(b, i, LEN);
		CHECK(fd >= 0 && write(fd, b, LEN) == LEN);
		m = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		CHECK(m != MAP_FAILED && close(fd) == 0 && m[LEN - 1] == (char)i);
		m[i % LEN] = '!';
		if (i == 0)
			kept = m;
		else
			CHECK_EQ(munmap(m, LEN), 0);
	}
	kept[7] = '?';
	for (int i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		fd = open(name, O_RDWR);
		CHECK(fd >= 0 && fstat(fd, &st) == 0 && st.st_size == LEN);
		CHECK_EQ(read(fd, b, sizeof(b)), LEN);
		CHECK(b[i % LEN] == '!' && b[LEN - 1] == (char)i && (i || b[7] == '?'));
		CHECK(ftruncate(fd, 10) == 0 && ftruncate(fd, LEN + 10) == 0);
		m = mmap(NULL, LEN + 10, PROT_READ, i % 2 ? MAP_SHARED : MAP_PRIVATE, fd, 0);
		CHECK(m != MAP_FAILED && m[9] == (i == 9 ? '!' : (char)i));
		CHECK(m[10] == 0 && m[LEN + 9] == 0 && munmap(m, LEN + 10) == 0 && close(fd) == 0);
	}
	CHECK(kept[0] == '!' && kept[7] == '?' && kept[10] == 0);
	kept[10] = '.';
	fd = open("f0", O_RDONLY);
	CHECK(pread(fd, b, 1, 10) == 1 && b[0] == '.');
}

MAIN()
