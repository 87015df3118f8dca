/* Random file-system calls from a fixed seed. Every call's result goes into a digest, and at
 * the end so does the tree: names, types, modes, owners, link counts, sizes, contents,
 * extended attributes. The same seed must give the same digests on every kernel; run.sh
 * compares native runs with sandboxed ones. With several processes each has a directory of
 * its own and names of its own in a shared one.
 *
 * usage: stress DIR SEED CALLS PROCESSES [verbose]   DIR: empty, or with what another seed
 * has left; verbose: a line a call */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#define SLOTS 8
#define MAX_AT 600000u	/* the largest offset that is written to */
#define MAX_IO 40000u	/* fits into a pipe, so that nothing comes short */

static uint64_t rng, digest;
static unsigned me, nth;
static bool verbose;
static int slots[SLOTS];
static unsigned char buf[MAX_IO];

static void die(const char *what)
{
	printf("stress: %s: %s\n", what, strerror(errno));
	exit(2);
}

static uint32_t rnd(uint32_t n)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return n ? (uint32_t)(rng >> 20) % n : 0;
}

static uint64_t mix(uint64_t h, const void *p, size_t n)
{
	const unsigned char *c = p;

	for (size_t i = 0; i < n; i++)
		h = (h ^ c[i]) * 1099511628211ULL;
	return h;
}

__attribute__((format(printf, 1, 2))) static void note(const char *fmt, ...)
{
	char line[400];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	digest = mix(digest, line, (size_t)n);
	if (verbose)
		printf("%u.%u %s\n", me, nth, line);
}

/* The result of a call as text: a number, or the name of the error. */
static const char *res(long r)
{
	static char num[4][24];
	static unsigned at;

	if (r < 0)
		return strerrorname_np(errno);
	at = (at + 1) % 4;
	snprintf(num[at], sizeof(num[at]), "%ld", r);
	return num[at];
}

/* A path of one to three names, in the own directory or in the shared one.
 * Directories are mostly x, y and z, other things a to f; each carries the process's number,
 * so that no link, wherever it is moved, leads to the names of another. */
static const char *path_to(bool dir)
{
	static char text[4][64];
	static unsigned at;
	char *p = text[at = (at + 1) % 4];
	unsigned depth = rnd(3) * rnd(2);
	char last;

	if (rnd(12) == 0)
		dir = !dir;
	last = dir ? (char)('x' + rnd(3)) : (char)('a' + rnd(6));
	if (rnd(8) == 0) {
		sprintf(p, "../shared/%c%u", last, me);
		return p;
	}
	*p = 0;
	for (unsigned i = 0; i < depth; i++)
		sprintf(p + strlen(p), "%c%u/", 'x' + rnd(3), me);
	sprintf(p + strlen(p), "%c%u", last, me);
	return p;
}

static const char *path(void)
{
	return path_to(false);
}

static void fill(size_t n)
{
	uint32_t x = rnd(0xffffffff);

	for (size_t i = 0; i < n; i++)
		buf[i] = (unsigned char)((x = x * 1664525 + 1013904223) >> 24);
}

static int slot(void)
{
	unsigned s = rnd(SLOTS);

	for (unsigned i = 0; i < SLOTS && slots[s] < 0; i++)
		s = (s + 1) % SLOTS;
	return slots[s];
}

/* ---- names ---- */

static void do_names(unsigned what)
{
	static const unsigned flags[] = { 0, RENAME_NOREPLACE, RENAME_EXCHANGE };
	bool dir = what >= 8 && what <= 10 ? true : rnd(4) == 0;
	const char *p = path_to(dir), *q = path_to(dir);
	unsigned f = flags[rnd(3)], mode = rnd(01000);
	char target[4100];
	struct stat st;
	long r;

	switch (what) {
	case 0:
	case 1:
		r = rename(p, q);
		note("rename %s %s %s", p, q, res(r));
		break;
	case 2:
		r = syscall(SYS_renameat2, AT_FDCWD, p, AT_FDCWD, q, f);
		note("rename2 %s %s %u %s", p, q, f, res(r));
		break;
	case 3:
		r = link(p, q);
		note("link %s %s %s", p, q, res(r));
		break;
	case 4:
	case 5:
		r = unlink(p);
		note("unlink %s %s", p, res(r));
		break;
	case 6:
		r = symlink(q, p);
		note("symlink %s %s %s", q, p, res(r));
		break;
	case 7:
		r = readlink(p, target, sizeof(target));
		note("readlink %s %s %.*s", p, res(r), r > 0 ? (int)r : 0, target);
		break;
	case 8:
	case 9:
		r = mkdir(p, mode | 0700);
		note("mkdir %s %o %s", p, mode, res(r));
		break;
	case 10:
		r = rmdir(p);
		note("rmdir %s %s", p, res(r));
		break;
	case 11:
		r = mode % 2 ? stat(p, &st) : lstat(p, &st);
		note("stat %u %s %s", mode % 2, p, res(r));
		if (!r)
			note("  %o %u %u %lu %ld", st.st_mode, st.st_uid, st.st_gid,
			     (unsigned long)st.st_nlink,
			     S_ISDIR(st.st_mode) ? 0 : (long)st.st_size);
		break;
	default:
		r = mknod(p, (mode % 2 ? S_IFIFO : S_IFSOCK) | 0600, 0);
		note("mknod %s %u %s", p, mode % 2, res(r));
		break;
	}
}

/* ---- attributes ---- */

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static uint64_t xattr_digest(const char *p)
{
	char list[1024], value[256], *names[32];
	ssize_t n = llistxattr(p, list, sizeof(list)), len;
	uint64_t h = 14695981039346656037ULL;
	size_t count = 0;

	if (n < 0)
		return (uint64_t)errno;
	for (char *c = list; c < list + n && count < 32; c += strlen(c) + 1)
		names[count++] = c;
	qsort(names, count, sizeof(names[0]), by_text);
	for (size_t i = 0; i < count; i++) {
		if (strncmp(names[i], "user.", 5) != 0)
			continue;
		len = lgetxattr(p, names[i], value, sizeof(value));
		h = mix(mix(h, names[i], strlen(names[i]) + 1), value, len > 0 ? (size_t)len : 0);
	}
	return h;
}

static void do_attr(unsigned what)
{
	struct timespec ts[2] = { { 1000000000 + rnd(100000), rnd(1000000000) },
				  { 1100000000 + rnd(100000), rnd(1000000000) } };
	unsigned mode = rnd(010000), uid = rnd(3) * 1000, n = rnd(100);
	const char *p = path_to(rnd(4) == 0);
	char name[16], value[100];
	struct stat st;
	long r;

	snprintf(name, sizeof(name), "user.%u", rnd(4));
	switch (what) {
	case 0:
		r = chmod(p, mode | 0700);
		note("chmod %s %o %s", p, mode, res(r));
		break;
	case 1:
		r = chown(p, uid, 1000 - uid / 2);
		note("chown %s %u %s", p, uid, res(r));
		break;
	case 2:
		r = utimensat(AT_FDCWD, p, ts, AT_SYMLINK_NOFOLLOW);
		note("utimens %s %s", p, res(r));
		if (!r && !lstat(p, &st))
			note("  %ld.%ld %ld.%ld", (long)st.st_atim.tv_sec, st.st_atim.tv_nsec,
			     (long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
		break;
	case 3:
		memset(value, 'a' + (int)rnd(26), sizeof(value));
		r = setxattr(p, name, value, n, (int)rnd(3));
		note("setxattr %s %s %u %s", p, name, n, res(r));
		break;
	case 4:
		r = getxattr(p, name, value, sizeof(value));
		note("getxattr %s %s %s %" PRIx64, p, name, res(r), mix(1, value, r > 0 ? (size_t)r : 0));
		break;
	case 5:
		r = removexattr(p, name);
		note("removexattr %s %s %s", p, name, res(r));
		break;
	default:
		note("listxattr %s %" PRIx64, p, xattr_digest(p));
		break;
	}
}

static void do_readdir(void)
{
	const char *p = rnd(3) ? path_to(true) : ".";
	char *names[300];
	size_t n = 0;
	struct dirent *e;
	DIR *d = opendir(p);
	uint64_t h = 1;

	if (!d) {
		note("readdir %s %s", p, res(-1));
		return;
	}
	while ((e = readdir(d)) && n < 300) {
		names[n] = NULL;
		if (asprintf(&names[n], "%s/%u", e->d_name, e->d_type) > 0)
			n++;
	}
	closedir(d);
	qsort(names, n, sizeof(names[0]), by_text);
	for (size_t i = 0; i < n; i++) {
		h = mix(h, names[i], strlen(names[i]) + 1);
		free(names[i]);
	}
	note("readdir %s %zu %" PRIx64, p, n, h);
}

/* ---- contents ---- */

static void do_open(void)
{
	static const int access[] = { O_RDONLY, O_WRONLY, O_RDWR, O_RDWR, O_RDWR };
	int flags = access[rnd(5)] | (rnd(3) ? O_CREAT : 0) | (rnd(8) ? 0 : O_EXCL) |
		    (rnd(5) ? 0 : O_TRUNC) | (rnd(5) ? 0 : O_APPEND) | (rnd(10) ? 0 : O_NOFOLLOW) |
		    O_NONBLOCK;
	unsigned s = rnd(SLOTS), mode = rnd(01000);
	const char *p = path();
	struct stat st;
	int fd;

	if (!(flags & O_CREAT))
		flags &= ~O_EXCL;
	fd = open(p, flags, mode);
	note("open %s %o %o %s", p, flags, mode, fd < 0 ? res(fd) : "ok");
	if (fd < 0)
		return;
	if (!fstat(fd, &st) && !S_ISREG(st.st_mode)) {
		note("  not a file");
		close(fd);
		return;
	}
	if (slots[s] >= 0)
		close(slots[s]);
	slots[s] = fd;
}

static void do_tmpfile(void)
{
	int fd = open(".", O_TMPFILE | O_RDWR, 0600);
	const char *p = path();
	char proc[40];
	long r;

	if (fd < 0) {
		note("tmpfile %s", res(fd));
		return;
	}
	fill(100);
	r = write(fd, buf, rnd(100));
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	if (access("/proc/self/fd", F_OK))
		r = linkat(fd, "", AT_FDCWD, p, AT_EMPTY_PATH);
	else
		r = linkat(AT_FDCWD, proc, AT_FDCWD, p, AT_SYMLINK_FOLLOW);
	note("tmpfile %s %s", p, res(r));
	close(fd);
}

static void do_rw(unsigned what)
{
	int fd = slot();
	uint32_t at = rnd(3) ? rnd(MAX_AT) : rnd(9000), n = rnd(2) ? rnd(MAX_IO) : rnd(3000);
	struct iovec v[2] = { { buf, n / 3 }, { buf + n / 3, n - n / 3 } };
	long r;

	if (what < 4)
		fill(n);
	else
		memset(buf, 0, n);
	switch (what) {
	case 0:
	case 1:
		r = pwrite(fd, buf, n, at);
		note("pwrite %u %u %s", at, n, res(r));
		return;
	case 2:
		r = write(fd, buf, n);
		note("write %u %s", n, res(r));
		return;
	case 3:
		r = pwritev2(fd, v, 2, at, rnd(2) ? RWF_APPEND : 0);
		note("pwritev2 %u %u %s", at, n, res(r));
		return;
	case 4:
	case 5:
		r = pread(fd, buf, n, at);
		break;
	case 6:
		r = read(fd, buf, n);
		break;
	default:
		r = preadv(fd, v, 2, at);
		break;
	}
	note("read%u %u %u %s %" PRIx64, what, at, n, res(r), mix(1, buf, r > 0 ? (size_t)r : 0));
}

static void do_size(unsigned what)
{
	static const int modes[] = {
		0, FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_ZERO_RANGE, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_COLLAPSE_RANGE, FALLOC_FL_INSERT_RANGE, FALLOC_FL_PUNCH_HOLE,
	};
	uint32_t at = rnd(3) ? rnd(MAX_AT) : rnd(9000), n = 1 + rnd(60000);
	int mode = modes[rnd(8)], fd = slot(), whence = (int)rnd(3);
	const char *p = path();
	struct stat st;
	long r;

	switch (what) {
	case 0:
		r = truncate(p, at);
		note("truncate %s %u %s", p, at, res(r));
		break;
	case 1:
		r = ftruncate(fd, at);
		note("ftruncate %u %s", at, res(r));
		break;
	case 2:
		if (mode == FALLOC_FL_COLLAPSE_RANGE || mode == FALLOC_FL_INSERT_RANGE) {
			at &= ~4095U;
			n = (n + 4095) & ~4095U;
		}
		r = fallocate(fd, mode, at, n);
		note("fallocate %d %u %u %s", mode, at, n, res(r));
		break;
	case 3:
		r = lseek(fd, (long)at - (whence == 1 ? 100000 : 0), whence);
		note("lseek %u %d %s", at, whence, res(r));
		break;
	case 4:
		/* Whether zeros are a hole is up to the file system. */
		(void)lseek(fd, at, rnd(2) ? SEEK_DATA : SEEK_HOLE);
		note("lseek hole %s", res(lseek(fd, 0, SEEK_SET)));
		break;
	default:
		r = fstat(fd, &st);
		note("fstat %s", res(r));
		if (!r)
			note("  %o %lu %ld", st.st_mode, (unsigned long)st.st_nlink, (long)st.st_size);
		break;
	}
}

static void do_mmap(void)
{
	int fd = slot(), shared = (int)rnd(3), prot = PROT_READ | (rnd(2) ? PROT_WRITE : 0);
	uint32_t at = rnd(40) * 4096, n = 1 + rnd(30000), end;
	struct stat st;
	unsigned char *p;
	long r = 0;

	if (fstat(fd, &st) || (uint64_t)st.st_size <= at) {
		note("mmap nothing");
		return;
	}
	p = mmap(NULL, n, prot, shared ? MAP_SHARED : MAP_PRIVATE, fd, at);
	note("mmap %u %u %d %d %s", at, n, prot, shared, p == MAP_FAILED ? res(-1) : "ok");
	if (p == MAP_FAILED)
		return;
	end = (uint64_t)st.st_size - at < n ? (uint32_t)((uint64_t)st.st_size - at) : n;
	note("  %" PRIx64, mix(1, p, end));
	if (prot & PROT_WRITE) {
		uint32_t from = rnd(end), len = rnd(end - from) + 1;

		fill(len);
		memcpy(p + from, buf, len);
		if (rnd(2))
			r = msync(p, n, rnd(2) ? MS_SYNC : MS_ASYNC);
		note("  wrote %u %u %s", from, len, res(r));
		if (shared) {
			r = pread(fd, buf, len, at + from);
			note("  back %s %" PRIx64, res(r), mix(1, buf, r > 0 ? (size_t)r : 0));
		}
	}
	munmap(p, n);
}

static void do_copy(unsigned what)
{
	int in = slot(), out = slot(), pipes[2];
	off_t from = rnd(MAX_AT), to = rnd(MAX_AT);
	uint32_t n = rnd(MAX_IO);
	struct stat a, b;
	long r, m = 0;

	/* Pages on their way from a file to itself show what is being written over them, or not:
	 * Linux moves references where others copy. */
	if (what && what < 3 && !fstat(in, &a) && !fstat(out, &b) && a.st_ino == b.st_ino) {
		note("copy to itself");
		return;
	}
	switch (what) {
	case 0:
		r = copy_file_range(in, &from, out, &to, n, 0);
		note("copy_file_range %u %s %ld %ld", n, res(r), (long)from, (long)to);
		break;
	case 1:
		r = sendfile(out, in, &from, n);
		note("sendfile %u %s %ld", n, res(r), (long)from);
		break;
	case 2:
		if (pipe(pipes))
			die("pipe");
		r = splice(in, &from, pipes[1], NULL, n < 32768 ? n : 32768, 0);
		note("splice in %u %s %ld", n, res(r), (long)from);
		if (r > 0) {
			m = splice(pipes[0], NULL, out, &to, (size_t)r, 0);
			note("splice out %s %ld", res(m), (long)to);
		}
		close(pipes[0]);
		close(pipes[1]);
		break;
	default:
		r = rnd(2) ? fsync(out) : fdatasync(out);
		note("sync %s", res(r));
		break;
	}
}

static void one_call(void)
{
	unsigned k = rnd(100), s;

	if (k < 12) {
		do_open();
	} else if (k < 15) {
		s = rnd(SLOTS);
		note("close %s", res(slots[s] >= 0 ? close(slots[s]) : 0));
		slots[s] = -1;
	} else if (k < 45) {
		do_names(rnd(14) % 13);
	} else if (k < 55) {
		do_attr(rnd(7));
	} else if (k < 59) {
		do_readdir();
	} else if (k < 76) {
		do_rw(rnd(8));
	} else if (k < 87) {
		do_size(rnd(6));
	} else if (k < 92) {
		do_mmap();
	} else if (k < 98) {
		do_copy(rnd(4));
	} else {
		do_tmpfile();
	}
}

/* ---- the tree at the end ---- */

static uint64_t file_digest(const char *p)
{
	uint64_t h = 14695981039346656037ULL;
	int fd = open(p, O_RDONLY | O_NONBLOCK);
	ssize_t n;

	if (fd < 0)
		die(p);
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		h = mix(h, buf, (size_t)n);
	close(fd);
	return n < 0 ? 0 : h;
}

static void tree(const char *dir)
{
	char *names[300], p[1000], target[200];
	struct dirent *e;
	struct stat st;
	size_t n = 0;
	DIR *d = opendir(dir);

	if (!d)
		die(dir);
	while ((e = readdir(d)) && n < 300)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			names[n++] = strdup(e->d_name);
	closedir(d);
	qsort(names, n, sizeof(names[0]), by_text);
	for (size_t i = 0; i < n; i++) {
		snprintf(p, sizeof(p), "%s/%s", dir, names[i]);
		free(names[i]);
		if (lstat(p, &st))
			die(p);
		note("%s %o %u %u %lu %ld %" PRIx64, p, st.st_mode, st.st_uid, st.st_gid,
		     (unsigned long)st.st_nlink, S_ISDIR(st.st_mode) ? 0 : (long)st.st_size,
		     xattr_digest(p));
		if (S_ISREG(st.st_mode))
			note("  %" PRIx64, file_digest(p));
		if (S_ISLNK(st.st_mode)) {
			memset(target, 0, sizeof(target));
			note("  %zd %s", readlink(p, target, sizeof(target) - 1), target);
		}
		if (S_ISDIR(st.st_mode))
			tree(p);
	}
}

static void work(unsigned seed, unsigned calls)
{
	char dir[16];

	snprintf(dir, sizeof(dir), "p%u", me);
	if ((mkdir(dir, 0755) && errno != EEXIST) || chdir(dir))
		die(dir);
	rng = 0x9e3779b97f4a7c15ULL * (seed * 64ULL + me + 1);
	digest = 14695981039346656037ULL;
	for (unsigned i = 0; i < SLOTS; i++)
		slots[i] = -1;
	for (nth = 0; nth < calls; nth++)
		one_call();
	for (unsigned i = 0; i < SLOTS; i++)
		if (slots[i] >= 0)
			close(slots[i]);
	printf("seed %u process %u calls %u digest %016" PRIx64 "\n", seed, me, calls, digest);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	unsigned seed, calls, procs;
	int status, bad = 0;

	if (argc < 5 || chdir(argv[1]))
		die("usage: stress DIR SEED CALLS PROCESSES [verbose]");
	seed = (unsigned)atoi(argv[2]);
	calls = (unsigned)atoi(argv[3]);
	procs = (unsigned)atoi(argv[4]);
	verbose = argc > 5;
	if (verbose)
		setlinebuf(stdout);
	umask(0);
	if (mkdir("shared", 0755) && errno != EEXIST)
		die("shared");
	for (me = 0; me < procs; me++)
		if (fork() == 0) {
			work(seed, calls);
			exit(0);
		}
	while (wait(&status) > 0)
		bad |= status;
	digest = 14695981039346656037ULL;
	nth = 0;
	tree(".");
	printf("seed %u tree digest %016" PRIx64 "\nend %d\n", seed, digest, bad);
	return bad != 0;
}
