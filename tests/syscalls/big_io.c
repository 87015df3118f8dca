/* Large reads and writes, which the sandbox may carry out in another way than small ones. */
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "tests/harness/guest.h"

#define SIZE ((size_t)3 << 20)
#define BIG ((size_t)1 << 20)

static uint8_t at(size_t pos)
{
	return (uint8_t)(pos * 2654435761u >> 13);
}

/* A file of SIZE + 77 bytes, open for flags. */
static int made(const char *path, int flags)
{
	uint8_t *b = malloc(SIZE + 77);
	int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0644);

	CHECK(b && fd >= 0);
	for (size_t i = 0; i < SIZE + 77; i++)
		b[i] = at(i);
	CHECK_EQ(write(fd, b, SIZE + 77), SIZE + 77);
	free(b);
	close(fd);
	fd = open(path, flags);
	CHECK(fd >= 0);
	return fd;
}

static void same(const uint8_t *b, size_t pos, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (b[i] != at(pos + i))
			guest_fail(__FILE__, __LINE__, "byte %zu of %zu at %zu is wrong", i, n, pos);
}

static void *pages(size_t n)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	return p;
}

static void whole(const char *path, int flags)
{
	int fd = made(path, flags);
	uint8_t *b = pages(SIZE + 4096);

	CHECK_EQ(read(fd, b, BIG), BIG);
	same(b, 0, BIG);
	CHECK_EQ(read(fd, b + 3, BIG), BIG);
	same(b + 3, BIG, BIG);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 2 * BIG);
	CHECK_EQ(read(fd, b, SIZE), BIG + 77);
	same(b, 2 * BIG, BIG + 77);
	CHECK_EQ(read(fd, b, BIG), 0);
	CHECK_EQ(lseek(fd, 1, SEEK_SET), 1);
	CHECK_EQ(read(fd, b, SIZE + 4096), SIZE + 76);
	same(b, 1, SIZE + 76);
	CHECK_EQ(pread(fd, b, BIG, 4097), BIG);
	same(b, 4097, BIG);
	CHECK_EQ(pread(fd, b, BIG, (off_t)SIZE), 77);
	same(b, SIZE, 77);
	CHECK_EQ(pread(fd, b, BIG, 1 << 30), 0);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), SIZE + 77);
	munmap(b, SIZE + 4096);
	close(fd);
}

CASE(big_read_content, "read,pread64")
{
	whole("f", O_RDONLY);
	whole("f", O_RDWR);
	whole("/dev/shm/big_read", O_RDONLY);
	whole("/dev/shm/big_read", O_RDWR);
	unlink("/dev/shm/big_read");
}

CASE(big_read_bad_memory, "read,pread64")
{
	int fd = made("f", O_RDONLY);
	uint8_t *b = pages(SIZE);

	/* Up to the hole. */
	CHECK_EQ(munmap(b + BIG, 4096), 0);
	CHECK_EQ(read(fd, b, 2 * BIG), BIG);
	same(b, 0, BIG);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), BIG);
	CHECK_EQ(pread(fd, b + BIG - 10, BIG, 5), 10);
	same(b + BIG - 10, 5, 10);
	CHECK_ERR(pread(fd, b + BIG, BIG, 0), EFAULT);
	CHECK_ERR(read(fd, b + BIG, BIG), EFAULT);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), BIG);
	CHECK_EQ(mprotect(b, BIG, PROT_READ), 0);
	CHECK_ERR(pread(fd, b, BIG, 0), EFAULT);
	CHECK_ERR(pread(fd, (void *)0xffff800000000000, BIG, 0), EFAULT);
	CHECK_ERR(pread(fd, (void *)0x7ffffffff000, BIG, 0), EFAULT);
	CHECK_ERR(pread(fd, b, BIG, -1), EINVAL);
	/* Written to since a fork: not the parent's any more. */
	CHECK_EQ(mprotect(b, BIG, PROT_READ | PROT_WRITE), 0);
	b[0] = 42;
	if (fork() == 0) {
		CHECK_EQ(pread(fd, b, BIG, 7), BIG);
		same(b, 7, BIG);
		_exit(0);
	}
	CHECK_EQ(wait(NULL) > 0, 1);
	CHECK_EQ(b[0], 42);
	close(fd);
}

CASE(big_read_not_for_reading, "read,pread64,readv")
{
	int fd = made("f", O_WRONLY), p[2];
	uint8_t *b = pages(BIG);
	struct iovec v = { b, BIG };

	CHECK_ERR(read(fd, b, BIG), EBADF);
	CHECK_ERR(pread(fd, b, BIG, 0), EBADF);
	close(fd);
	fd = open(".", O_RDONLY | O_DIRECTORY);
	CHECK_ERR(read(fd, b, BIG), EISDIR);
	close(fd);
	/* Much room, few bytes. */
	CHECK_EQ(pipe(p), 0);
	CHECK_EQ(write(p[1], "abc", 3), 3);
	CHECK_EQ(read(p[0], b, BIG), 3);
	CHECK_ERR(pread(p[0], b, BIG, 0), ESPIPE);
	fd = open("/proc/self/status", O_RDONLY);
	CHECK(read(fd, b, BIG) > 100);
	close(fd);
	fd = open("/dev/zero", O_RDONLY);
	CHECK_EQ(read(fd, b, BIG), BIG);
	CHECK_EQ(b[0] | b[BIG - 1], 0);
	close(fd);
	fd = made("f", O_RDONLY);
	CHECK_EQ(readv(fd, &v, 1), BIG);
	same(b, 0, BIG);
	close(fd);
}

/* Two threads and one open file: no byte comes twice, none is left out. */
static struct {
	int fd;
	uint64_t sum, bytes;
} both[2];

static void *sum_up(void *arg)
{
	struct { int fd; uint64_t sum, bytes; } *w = arg;
	uint8_t *b = pages(300000);
	ssize_t n;

	while ((n = read(w->fd, b, 300000)) > 0) {
		w->bytes += (uint64_t)n;
		for (ssize_t i = 0; i < n; i++)
			w->sum += b[i];
	}
	return NULL;
}

CASE(big_read_shared_position, "read")
{
	int fd = made("f", O_RDONLY);
	uint64_t want = 0;
	pthread_t t[2];

	for (size_t i = 0; i < SIZE + 77; i++)
		want += at(i);
	for (int round = 0; round < 10; round++) {
		CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
		for (int i = 0; i < 2; i++) {
			both[i].fd = fd;
			both[i].sum = both[i].bytes = 0;
			pthread_create(&t[i], NULL, sum_up, &both[i]);
		}
		for (int i = 0; i < 2; i++)
			pthread_join(t[i], NULL);
		CHECK_EQ(both[0].bytes + both[1].bytes, SIZE + 77);
		CHECK_EQ(both[0].sum + both[1].sum, want);
	}
	close(fd);
}

/* The file shrinks and grows under the reader: what comes is a beginning of it. */
static volatile int stop;

static void *resize(void *path)
{
	while (!stop) {
		CHECK_EQ(truncate(path, 300000), 0);
		CHECK_EQ(truncate(path, 2 << 20), 0);
	}
	return NULL;
}

CASE(big_read_of_changing_file, "read,pread64,truncate")
{
	int fd = made("f", O_RDONLY);
	uint8_t *b = pages(SIZE);
	pthread_t t;

	stop = 0;
	pthread_create(&t, NULL, resize, (void *)(uintptr_t) "f");
	for (int i = 0; i < 200; i++) {
		ssize_t n = pread(fd, b, SIZE, 100);

		CHECK(n >= 300000 - 100 && n <= (ssize_t)(SIZE + 77));
		same(b, 100, 300000 - 100);
	}
	stop = 1;
	pthread_join(t, NULL);
	close(fd);
}

static void check_file(const char *path, size_t from, size_t n)
{
	uint8_t *b = pages(SIZE);
	int fd = open(path, O_RDONLY);
	struct stat st;

	CHECK(fd >= 0 && n <= SIZE);
	CHECK_EQ(pread(fd, b, n, (off_t)from), n);
	same(b, from, n);
	CHECK_EQ(fstat(fd, &st), 0);
	CHECK_EQ(st.st_size, from + n);
	munmap(b, SIZE);
	close(fd);
}

static uint8_t *pattern(void)
{
	uint8_t *b = pages(SIZE);

	for (size_t i = 0; i < SIZE; i++)
		b[i] = at(i);
	return b;
}

static void write_whole(const char *path, int flags)
{
	int fd = open(path, O_CREAT | O_TRUNC | flags, 0644);
	uint8_t *b = pattern();

	CHECK(fd >= 0);
	CHECK_EQ(write(fd, b, BIG), BIG);
	CHECK_EQ(write(fd, b + BIG, BIG + 1), BIG + 1);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 2 * BIG + 1);
	check_file(path, 0, 2 * BIG + 1);
	CHECK_EQ(pwrite(fd, b + 5, BIG, 5), BIG);
	CHECK_EQ(pwrite(fd, b + 2 * BIG + 1, BIG - 1, 2 * BIG + 1), BIG - 1);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 2 * BIG + 1);
	check_file(path, 0, SIZE);
	CHECK_EQ(ftruncate(fd, 0), 0);
	CHECK_EQ(pwrite(fd, b + 4096, BIG, 4096), BIG);
	check_file(path, 4096, BIG);
	CHECK_EQ(close(fd), 0);
	CHECK_EQ(unlink(path), 0);
	munmap(b, SIZE);
}

CASE(big_write_content, "write,pwrite64")
{
	write_whole("w", O_WRONLY);
	write_whole("w", O_RDWR);
	write_whole("w", O_WRONLY | O_SYNC);
	write_whole("/dev/shm/big_write", O_WRONLY);
	write_whole("/dev/shm/big_write", O_RDWR);
}

CASE(big_write_append, "write,pwrite64")
{
	int fd = open("w", O_CREAT | O_TRUNC | O_WRONLY | O_APPEND, 0644), rd;
	uint8_t *b = pattern();

	CHECK_EQ(write(fd, b, BIG), BIG);
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	CHECK_EQ(pwrite(fd, b + BIG, BIG, 0), BIG); /* as Linux: at the end */
	check_file("w", 0, 2 * BIG);
	close(fd);
	rd = open("w", O_RDONLY);
	CHECK_ERR(write(rd, b, BIG), EBADF);
	CHECK_ERR(pwrite(rd, b, BIG, 0), EBADF);
	close(rd);
}

CASE(big_write_bad_memory, "write,pwrite64")
{
	int fd = open("w", O_CREAT | O_TRUNC | O_RDWR, 0644);
	uint8_t *b = pattern();

	CHECK_EQ(munmap(b + BIG, 4096), 0);
	CHECK_EQ(write(fd, b, 2 * BIG), BIG);
	check_file("w", 0, BIG);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), BIG);
	CHECK_ERR(write(fd, b + BIG, BIG), EFAULT);
	CHECK_ERR(pwrite(fd, (void *)0x7ffffffff000, BIG, 0), EFAULT);
	CHECK_ERR(pwrite(fd, b, BIG, -1), EINVAL);
	CHECK_ERR(pwrite(fd, b, BIG, INT64_MAX - 100), EINVAL);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), BIG);
	check_file("w", 0, BIG);
	close(fd);
}

CASE(big_write_size_limit, "write,setrlimit")
{
	struct rlimit r = { BIG + 100, RLIM_INFINITY };
	int fd = open("w", O_CREAT | O_TRUNC | O_WRONLY, 0644);
	uint8_t *b = pattern();

	signal(SIGXFSZ, SIG_IGN);
	CHECK_EQ(setrlimit(RLIMIT_FSIZE, &r), 0);
	CHECK_EQ(write(fd, b, BIG), BIG);
	CHECK_EQ(write(fd, b + BIG, BIG), 100);
	CHECK_ERR(write(fd, b, BIG), EFBIG);
	check_file("w", 0, BIG + 100);
	close(fd);
}

/* The set-id bits go when somebody without privilege writes. */
CASE(big_write_set_id, "write")
{
	int fd = open("w", O_CREAT | O_TRUNC | O_WRONLY, 0644), st;
	uint8_t *b = pattern();
	struct stat s;

	CHECK_EQ(fchmod(fd, 06777), 0);
	if (fork() == 0) {
		CHECK_EQ(setresuid(1000, 1000, 1000), 0);
		CHECK_EQ(write(fd, b, BIG), BIG);
		_exit(0);
	}
	CHECK(wait(&st) > 0 && st == 0);
	CHECK_EQ(fstat(fd, &s), 0);
	CHECK_EQ(s.st_mode & 07777, 0777);
	check_file("w", 0, BIG);
	close(fd);
}

static void *write_on(void *arg)
{
	static uint8_t block[2][300000];
	int n = (int)(intptr_t)arg;

	memset(block[n], 'a' + n, sizeof(block[n]));
	for (int i = 0; i < 8; i++)
		CHECK_EQ(write(both[0].fd, block[n], sizeof(block[n])), sizeof(block[n]));
	return NULL;
}

/* Two threads and one open file: every block is there, whole. */
CASE(big_write_shared_position, "write")
{
	int fd = open("w", O_CREAT | O_TRUNC | O_RDWR, 0644), count[2] = { 0 };
	uint8_t *b = malloc(300000);
	pthread_t t[2];

	both[0].fd = fd;
	for (intptr_t i = 0; i < 2; i++)
		pthread_create(&t[i], NULL, write_on, (void *)i);
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 16 * 300000);
	for (int i = 0; i < 16; i++) {
		CHECK_EQ(pread(fd, b, 300000, i * 300000), 300000);
		for (int k = 1; k < 300000; k++)
			CHECK(b[k] == b[0]);
		CHECK(b[0] == 'a' || b[0] == 'b');
		count[b[0] - 'a']++;
	}
	CHECK_EQ(count[0], 8);
	CHECK_EQ(count[1], 8);
	free(b);
	close(fd);
}

MAIN()
