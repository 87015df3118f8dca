/* Directories: trees that are deeper than any path, names of every byte, listings that
 * change while they are read. See many.h. */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/files/many.h"

/* ---- depth ---- */

#define DEPTH 2000

/* A chain of directories below the current one; a descriptor of the last. Each is given the
 * mode 0700 + its number % 8, so that it is known again. */
static int dig(const char *name, int depth)
{
	int at = (int)OK(open(".", O_RDONLY | O_DIRECTORY)), next;

	for (int i = 0; i < depth; i++) {
		if (mkdirat(at, name, 0700) || fchmodat(at, name, 0700 + i % 8, 0)) {
			printf("directory %d: %s\n", i, strerrorname_np(errno));
			break;
		}
		next = (int)OK(openat(at, name, O_RDONLY | O_DIRECTORY));
		close(at);
		at = next;
	}
	return at;
}

/* One level up after the other; how many until the current directory. */
static int climb(int at)
{
	struct stat top, st;
	int n = 0;

	OK(stat(".", &top));
	at = dup(at);
	while (!fstat(at, &st) && (st.st_ino != top.st_ino || st.st_dev != top.st_dev) && n < 9999) {
		int up = (int)OK(openat(at, "..", O_RDONLY | O_DIRECTORY));

		if (up < 0)
			break;
		close(at);
		at = up;
		n++;
	}
	close(at);
	return n;
}

/* Down from the current directory, as far as it goes, and take it away on the way back. */
static int fill_in(const char *name)
{
	static int fds[DEPTH + 2];
	int n = 0;

	fds[0] = (int)OK(open(".", O_RDONLY | O_DIRECTORY));
	while (n < DEPTH) {
		int next = openat(fds[n], name, O_RDONLY | O_DIRECTORY);

		if (next < 0)
			break;
		fds[++n] = next;
	}
	for (int i = n; i > 0; i--) {
		close(fds[i]);
		OK(unlinkat(fds[i - 1], name, AT_REMOVEDIR));
	}
	close(fds[0]);
	return n;
}

/* name/name/… of n parts. */
static char *chain(const char *name, int n)
{
	size_t len = strlen(name);
	char *s = malloc((len + 1) * (size_t)n + 1), *at = s;

	for (int i = 0; i < n; i++) {
		if (i)
			*at++ = '/';
		at = stpcpy(at, name);
	}
	*at = '\0';
	return s;
}

static void path_lengths(const char *name)
{
	int most = (int)(4096 / (strlen(name) + 1));
	struct stat st;
	char *s;

	for (int n = most - 1; n <= most + 1; n++) {
		char what[64];

		s = chain(name, n);
		snprintf(what, sizeof(what), "a path of %zu bytes", strlen(s));
		if (SAY(what, stat(s, &st)) == 0)
			printf("mode %o\n", st.st_mode);
		free(s);
	}
}

static void where(int at)
{
	char buf[PATH_MAX + 1], *s;
	struct stat st;

	OK(fchdir(at));
	SAY("getcwd", syscall(SYS_getcwd, buf, sizeof(buf)));
	SAY("getcwd into little", syscall(SYS_getcwd, buf, 2));
	SAY("readlink of the link to it", readlink("/proc/self/cwd", buf, sizeof(buf)));
	SAY("stat of it by that link", stat("/proc/self/cwd", &st));
	s = chain("..", 1365);
	SAY("up by 4094 bytes", stat(s, &st));
	printf("mode %o\n", st.st_mode);
	free(s);
	close((int)OK(open("at the bottom", O_CREAT | O_WRONLY, 0644)));
	SAY("rename at the bottom", rename("at the bottom", "still there"));
	SAY("unlink", unlink("still there"));
	SAY("a directory into itself", renameat(at, "../../../..", at, "x"));
}

static void tree(const char *name)
{
	int at = dig(name, DEPTH), top = (int)OK(open(".", O_RDONLY | O_DIRECTORY)), middle, child;
	char *half = chain(name, 1000 / (int)strlen(name) > 15 ? 1000 / (int)strlen(name) : 15);
	char buf[PATH_MAX];
	struct stat st;

	printf("%d levels up\n", climb(at));
	path_lengths(name);
	where(at);
	OK(fchdir(top));
	/* The lower part to the top, by another name, and back into the deep. */
	SAY("rename of the middle", rename(half, "middle"));
	printf("%d levels up\n", climb(at));
	printf("the bottom is %s\n", fstat(at, &st) || st.st_nlink != 2 ? "elsewhere" : "there");
	middle = (int)OK(open("middle", O_RDONLY | O_DIRECTORY));
	SAY("into its own depth", renameat(top, "middle", at, "x"));
	SAY("under another name", renameat(top, "middle", top, "moved"));
	SAY("to the rest", rename("moved", half));
	printf("%d levels up\n", climb(at));
	close(middle);
	/* The programs of the system. */
	child = system("find . -type d | wc -l");
	printf("find: %x\n", child);
	if (*name == 'd') {
		child = system("rm -r dd && echo gone");
		printf("rm: %x\n", child);
		printf("mkdir in what is gone: %s\n",
		       mkdirat(at, "x", 0700) ? strerrorname_np(errno) : "ok");
		OK(fchdir(at));
		SAY("getcwd of what is gone", syscall(SYS_getcwd, buf, sizeof(buf)));
		SAY("its parent", openat(at, "..", O_RDONLY));
		OK(fchdir(top));
	} else {
		printf("%d removed\n", fill_in(name));
	}
	free(half);
	close(at);
	close(top);
}

void deep(void)
{
	char longer[101];

	tree("dd");
	if (!long_form)
		return;
	memset(longer, 'n', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	tree(longer);
}

/* ---- names ---- */

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* A digest of the names in the current directory, in the order of their bytes. */
static void digest(const char *what)
{
	static char *list[4096];
	uint64_t h = 14695981039346656037u;
	DIR *d = opendir(".");
	struct dirent *e;
	struct stat st;
	int n = 0, bad = 0;

	while ((e = readdir(d)) && n < 4096) {
		/* Where a mount begins, .. is said to be what is below it. */
		bad += lstat(e->d_name, &st) != 0 ||
		       (st.st_ino != e->d_ino && strcmp(e->d_name, "..")) ||
		       (e->d_type != DT_UNKNOWN && e->d_type != (st.st_mode & S_IFMT) >> 12);
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
			list[n++] = strdup(e->d_name);
	}
	closedir(d);
	qsort(list, (size_t)n, sizeof(*list), by_bytes);
	for (int i = 0; i < n; i++) {
		for (const char *p = list[i]; *p; p++)
			h = (h ^ (uint8_t)*p) * 1099511628211u;
		free(list[i]);
	}
	printf("%s: %d names, %llx, %d wrong\n", what, n, (unsigned long long)h, bad);
}

static void made(int b, int fd)
{
	if (fd < 0)
		printf("byte %d: %s\n", b, strerrorname_np(errno));
	else
		close(fd);
}

void names(void)
{
	char name[257], other[257], target[16];
	struct stat st;

	for (int b = 1; b < 256; b++) {
		snprintf(name, sizeof(name), "%c", b);
		made(b, open(name, O_CREAT | O_EXCL | O_WRONLY, 0644));
		snprintf(name, sizeof(name), "d%c", b);
		made(b, mkdir(name, 0755) ? -1 : dup(0));
		snprintf(other, sizeof(other), "%c%c", b, b);
		made(b, symlink(name, other) ? -1 : dup(0));
		if (b == '/')
			continue;
		memset(name, b, 255);
		name[255] = '\0';
		made(b, open(name, O_CREAT | O_EXCL | O_WRONLY, 0644));
		memset(name, b, 256);
		name[256] = '\0';
		if (open(name, O_CREAT | O_WRONLY, 0644) >= 0 || errno != ENAMETOOLONG)
			printf("byte %d 256 times: %s\n", b, strerrorname_np(errno));
	}
	digest("made");
	for (int b = 1; b < 256; b++) {
		if (b == '/')
			continue;
		snprintf(name, sizeof(name), "%c", b);
		snprintf(other, sizeof(other), "r%c", b);
		made(b, rename(name, other) ? -1 : dup(0));
		snprintf(name, sizeof(name), "%c%c", b, b);
		if (readlink(name, target, sizeof(target)) != (b == '/' ? -1 : 2) && b != '.')
			printf("byte %d: the link says otherwise\n", b);
		if (stat(name, &st))
			printf("byte %d: %s\n", b, strerrorname_np(errno));
	}
	digest("renamed");
	for (int b = 1; b < 256; b++) {
		snprintf(name, sizeof(name), "%c%c", b, b);
		made(b, unlink(name) ? -1 : dup(0));
		snprintf(name, sizeof(name), "d%c", b);
		made(b, rmdir(name) ? -1 : dup(0));
		snprintf(name, sizeof(name), "r%c", b);
		made(b, unlink(name) ? -1 : dup(0));
		memset(name, b, 255);
		name[255] = '\0';
		made(b, unlink(name) ? -1 : dup(0));
	}
	digest("left");
}

/* ---- listings ---- */

static int entries = 4000;

struct list {
	uint8_t *times;		/* how often each number was seen, as fN; gN are others */
	int stable, others, dots;
};

static long call(int fd, void *buf, size_t size)
{
	return syscall(SYS_getdents64, fd, buf, size);
}

static void see(struct list *l, const char *name)
{
	int n = atoi(name + 1);

	if (name[0] == 'f' && n >= 0 && n < entries)
		l->times[n]++;
	else if (name[0] == '.')
		l->dots++;
	else
		l->others++;
}

/* What remained all the time is there exactly once; of the rest nothing is there twice. */
static void judge(struct list *l, const char *what, bool halved)
{
	int once = 0, twice = 0, lost = 0;

	for (int i = 0; i < entries; i++) {
		once += l->times[i] == 1;
		twice += l->times[i] > 1;
		lost += !l->times[i] && (!halved || i % 2 == 0);
	}
	printf("%s: %d lost, %d twice, %d dots%s\n", what, lost, twice, l->dots,
	       halved ? "" : once == entries ? ", all once" : ", not all");
	memset(l->times, 0, (size_t)entries);
	l->others = l->dots = 0;
}

struct dent {
	uint64_t ino;
	int64_t off;
	uint16_t reclen;
	uint8_t type;
	char name[];
} __attribute__((packed));

/* From where fd is to the end; at calls number `at` something happens. */
static void read_all(int fd, struct list *l, size_t size, void (*meanwhile)(int), int at)
{
	static char buf[1 << 16];
	int calls = 0;
	long n;

	while ((n = call(fd, buf, size)) > 0) {
		for (long pos = 0; pos < n;) {
			struct dent *d = (void *)(buf + pos);

			see(l, d->name);
			pos += d->reclen;
		}
		if (meanwhile && ++calls == at)
			meanwhile(entries);
	}
	OK(n);
}

static void take_half(int n)
{
	char name[32];

	for (int i = 1; i < n; i += 2) {
		snprintf(name, sizeof(name), "f%d", i);
		OK(unlink(name));
	}
	for (int i = 0; i < n / 10; i++) {
		snprintf(name, sizeof(name), "g%d", i);
		if (mknod(name, S_IFREG | 0644, 0) && errno != EEXIST)
			OK(-1);
	}
	OK(rename("g0", "h0"));
	OK(rename("h0", "g0"));
}

static void fill(int n)
{
	char name[32];

	for (int i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		if (mknod(name, S_IFREG | 0644, 0) && errno != EEXIST)
			OK(-1);
	}
}

static void small_buffers(void)
{
	char buf[64];
	int fd = (int)OK(open(".", O_RDONLY));
	char what[32];

	for (size_t size = 0; size <= 48; size += 8) {
		OK(lseek(fd, 0, SEEK_SET));
		snprintf(what, sizeof(what), "a buffer of %zu", size);
		SAY(what, call(fd, buf, size));
	}
	OK(lseek(fd, 0, SEEK_SET));
	SAY("no buffer", call(fd, NULL, 4096));
	SAY("a file", call((int)OK(open("f0", O_RDONLY)), buf, 64));
	SAY("before the beginning", lseek(fd, -1, SEEK_SET));
	close(fd);
}

/* Each cookie leads to where it was given. */
static void cookies(void)
{
	static char buf[32768], again[512];
	int fd = (int)OK(open(".", O_RDONLY)), checked = 0, bad = 0;
	long n;

	while ((n = call(fd, buf, sizeof(buf))) > 0) {
		struct dent *d = (void *)buf, *next = (void *)(buf + d->reclen);
		off_t here = lseek(fd, 0, SEEK_CUR);

		if (d->reclen >= n)
			continue;
		OK(lseek(fd, d->off, SEEK_SET));
		bad += call(fd, again, sizeof(again)) <= 0 ||
		       strcmp(((struct dent *)(void *)again)->name, next->name) != 0;
		checked++;
		OK(lseek(fd, here, SEEK_SET));
	}
	printf("cookies: %s, %d lead elsewhere\n", checked > 5 ? "many" : "few", bad);
	close(fd);
}

static void by_library(struct list *l)
{
	DIR *d = opendir(".");
	struct dirent *e;
	char name[256];
	long at;

	for (int i = 0; i < 100; i++)
		see(l, readdir(d)->d_name);
	at = telldir(d);
	e = readdir(d);
	strcpy(name, e->d_name);
	while (readdir(d))
		;
	seekdir(d, at);
	e = readdir(d);
	printf("seekdir: %s\n", e && !strcmp(e->d_name, name) ? "back" : "elsewhere");
	memset(l->times, 0, (size_t)entries);
	l->others = l->dots = 0;
	/* A name that comes is there after rewinddir, one that goes is not. */
	OK(mknod("new", S_IFREG | 0644, 0));
	OK(unlink("f1"));
	rewinddir(d);
	while ((e = readdir(d)))
		see(l, e->d_name);
	printf("rewinddir: %d others, f1 %d times\n", l->others, l->times[1]);
	OK(unlink("new"));
	OK(mknod("f1", S_IFREG | 0644, 0));
	memset(l->times, 0, (size_t)entries);
	l->others = l->dots = 0;
	closedir(d);
}

void listing(void)
{
	struct list l = { 0 };
	int fd, two;

	if (long_form)
		entries = 200000;
	l.times = calloc((size_t)entries, 1);
	fill(entries);
	small_buffers();
	fd = (int)OK(open(".", O_RDONLY));
	two = (int)OK(open(".", O_RDONLY));
	read_all(fd, &l, 32768, NULL, 0);
	judge(&l, "listed", false);
	SAY("at the end", call(fd, &l, 0));
	OK(lseek(fd, 0, SEEK_SET));
	read_all(fd, &l, 300, NULL, 0);
	judge(&l, "by little", false);
	cookies();
	by_library(&l);
	OK(lseek(fd, 0, SEEK_SET));
	read_all(fd, &l, 32768, take_half, 3);
	judge(&l, "half taken meanwhile", true);
	fill(entries);
	OK(lseek(fd, 0, SEEK_SET));
	read_all(fd, &l, 4096, take_half, 1);
	judge(&l, "taken near the beginning", true);
	fill(entries);
	read_all(two, &l, 32768, NULL, 0);
	judge(&l, "by another descriptor", false);
	for (int i = 0; i < 2; i++) {
		OK(lseek(two, 0, SEEK_SET));
		read_all(two, &l, 32768, fill, 2);
		judge(&l, "nothing new", false);
	}
	/* All of it away, while it is read. */
	OK(lseek(two, 0, SEEK_SET));
	OK(call(two, l.times, 128) > 0 ? 0 : -1);
	memset(l.times, 0, (size_t)entries);
	printf("rm: %x\n", system("find . -mindepth 1 -delete"));
	OK(lseek(fd, 0, SEEK_SET));
	read_all(fd, &l, 32768, NULL, 0);
	printf("empty: %d dots\n", l.dots);
	free(l.times);
	close(fd);
	close(two);
}
