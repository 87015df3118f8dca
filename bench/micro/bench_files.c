/* Files: the cost of one operation, as "name nanoseconds" lines.
 * usage: bench_files make DIR | run LABEL DIR [pass…]
 *   make: the tree that the stat and open passes walk (100 directories of 1,000 files)
 *   run:  stat_first stat_again open_read_close create unlink */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define DIRS 100
#define FILES 1000

static void die(const char *what, const char *path)
{
	fprintf(stderr, "bench_files: %s %s: %s\n", what, path, strerror(errno));
	exit(1);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static const char *path_of(const char *dir, int i)
{
	static char path[4096];

	snprintf(path, sizeof(path), "%s/d%02d/f%03d", dir, i / FILES, i % FILES);
	return path;
}

static void make(const char *dir)
{
	char path[4096], text[1024];

	memset(text, 'x', sizeof(text));
	if (mkdir(dir, 0755) < 0 && errno != EEXIST)
		die("mkdir", dir);
	for (int i = 0; i < DIRS * FILES; i++) {
		int fd;

		if (i % FILES == 0) {
			snprintf(path, sizeof(path), "%s/d%02d", dir, i / FILES);
			if (mkdir(path, 0755) < 0)
				die("mkdir", path);
		}
		fd = open(path_of(dir, i), O_CREAT | O_WRONLY, 0644);
		if (fd < 0 || (i < 10000 && write(fd, text, sizeof(text)) != sizeof(text)))
			die("create", path_of(dir, i));
		close(fd);
	}
}

static void stat_all(const char *dir, int n)
{
	struct stat st;

	for (int i = 0; i < n; i++)
		if (stat(path_of(dir, i), &st) < 0)
			die("stat", path_of(dir, i));
}

static void open_all(const char *dir, int n)
{
	char buf[4096];

	for (int i = 0; i < n; i++) {
		int fd = open(path_of(dir, i), O_RDONLY);

		if (fd < 0 || read(fd, buf, sizeof(buf)) != 1024)
			die("open and read", path_of(dir, i));
		close(fd);
	}
}

static void create_all(const char *dir, int n)
{
	char path[4096];

	for (int i = 0; i < n; i++) {
		int fd;

		snprintf(path, sizeof(path), "%s/new%05d", dir, i);
		fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0644);
		if (fd < 0)
			die("create", path);
		close(fd);
	}
}

static void unlink_all(const char *dir, int n)
{
	char path[4096];

	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/new%05d", dir, i);
		if (unlink(path) < 0)
			die("unlink", path);
	}
}

static const struct pass {
	const char *name;
	void (*fn)(const char *dir, int n);
	int n;
} passes[] = {
	{ "stat_first", stat_all, DIRS * FILES }, { "stat_again", stat_all, DIRS * FILES },
	{ "open_read_close", open_all, 10000 },	  { "create", create_all, 10000 },
	{ "unlink", unlink_all, 10000 },
};

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "make") == 0) {
		make(argv[2]);
		return 0;
	}
	if (argc < 4 || strcmp(argv[1], "run") != 0) {
		fprintf(stderr, "usage: bench_files make DIR | run LABEL DIR [pass…]\n");
		return 1;
	}
	for (unsigned p = 0; p < sizeof(passes) / sizeof(passes[0]); p++) {
		bool wanted = argc == 4;
		double t;

		for (int i = 4; i < argc; i++)
			wanted |= strcmp(argv[i], passes[p].name) == 0;
		if (!wanted)
			continue;
		t = now();
		passes[p].fn(argv[3], passes[p].n);
		printf("%s_%s %.0f\n", passes[p].name, argv[2], (now() - t) / passes[p].n);
	}
	return 0;
}
