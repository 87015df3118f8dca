/* The measured operations, as one static program that runs natively and inside any
 * runtime. `bench_guest NAME…` prints one line per benchmark: NAME median-ns ops,
 * the median over rounds of the time per operation. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 9

static char dir[] = "/tmp/bench.XXXXXX";
static char buf[65536];
static int pfd[2], qfd[2], file_fd;

static void must(int ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	exit(1);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void setup_pipe(void)
{
	must(pipe(pfd) == 0 && pipe(qfd) == 0, "pipe");
}

static void op_getpid(unsigned n)
{
	while (n--)
		syscall(SYS_getppid);
}

static void op_pipe1(unsigned n)
{
	while (n--)
		must(write(pfd[1], buf, 1) == 1 && read(pfd[0], buf, 1) == 1, "pipe1");
}

static void op_pingpong(unsigned n)
{
	pid_t p = fork();

	must(p >= 0, "fork");
	if (p == 0) {
		while (n--)
			if (read(pfd[0], buf, 1) != 1 || write(qfd[1], buf, 1) != 1)
				_exit(1);
		_exit(0);
	}
	for (unsigned i = n; i--;)
		must(write(pfd[1], buf, 1) == 1 && read(qfd[0], buf, 1) == 1, "pingpong");
	must(waitpid(p, NULL, 0) == p, "wait");
}

static void setup_file(void)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/f", dir);
	file_fd = open(path, O_RDWR | O_CREAT, 0644);
	must(file_fd >= 0, path);
	for (int i = 0; i < 4; i++)
		must(write(file_fd, buf, sizeof(buf)) == sizeof(buf), "write");
}

/* A file of the image, not one the benchmark made: the lower layer's path. */
static void setup_image_file(void)
{
	file_fd = open("/usr/bin/env", O_RDONLY);
	must(file_fd >= 0, "/usr/bin/env");
	must(pread(file_fd, buf, 4096, 0) == 4096, "read");
}

static void op_read4k(unsigned n)
{
	while (n--)
		must(pread(file_fd, buf, 4096, 0) == 4096, "read4k");
}

static void op_read64k(unsigned n)
{
	while (n--)
		must(pread(file_fd, buf, 65536, 0) == 65536, "read64k");
}

static void op_stat(unsigned n)
{
	struct stat st;

	while (n--)
		must(stat("/usr/bin/env", &st) == 0, "stat");
}

static void op_openclose(unsigned n)
{
	while (n--)
		must(close(open("/usr/bin/env", O_RDONLY)) == 0, "open");
}

static void op_forkexit(unsigned n)
{
	while (n--) {
		pid_t p = fork();

		must(p >= 0, "fork");
		if (p == 0)
			_exit(0);
		must(waitpid(p, NULL, 0) == p, "wait");
	}
}

static void op_forkexec(unsigned n)
{
	char name[] = "true", *const argv[] = { name, NULL };
	char *const envp[] = { NULL };

	while (n--) {
		pid_t p = fork();
		int st;

		must(p >= 0, "fork");
		if (p == 0) {
			execve("/usr/bin/true", argv, envp);
			_exit(127);
		}
		must(waitpid(p, &st, 0) == p && st == 0, "exec /usr/bin/true");
	}
}

static void op_fault(unsigned n)
{
	char *m = mmap(NULL, (size_t)n * 4096, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	must(m != MAP_FAILED, "mmap");
	madvise(m, (size_t)n * 4096, MADV_NOHUGEPAGE);
	for (unsigned i = 0; i < n; i++)
		m[(size_t)i * 4096] = 1;
	munmap(m, (size_t)n * 4096);
}

static void op_mmap(unsigned n)
{
	while (n--) {
		void *m = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			       -1, 0);

		must(m != MAP_FAILED && munmap(m, 65536) == 0, "mmap");
	}
}

static const struct bench {
	const char *name;
	void (*setup)(void);
	void (*op)(unsigned n);
	unsigned n;
} benches[] = {
	{ "getpid", NULL, op_getpid, 20000 },
	{ "pipe_rw1", setup_pipe, op_pipe1, 5000 },
	{ "pipe_pingpong", setup_pipe, op_pingpong, 5000 },
	{ "read4k", setup_image_file, op_read4k, 5000 },
	{ "read4k_written", setup_file, op_read4k, 5000 },
	{ "read64k", setup_file, op_read64k, 2000 },
	{ "stat", NULL, op_stat, 5000 },
	{ "open_close", NULL, op_openclose, 5000 },
	{ "fork_exit_wait", NULL, op_forkexit, 100 },
	{ "fork_exec_dynamic", NULL, op_forkexec, 50 },
	{ "anon_fault", NULL, op_fault, 20000 },
	{ "mmap_munmap", NULL, op_mmap, 2000 },
};

static int cmp(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void run(const struct bench *b)
{
	double t[ROUNDS];

	if (b->setup)
		b->setup();
	b->op(b->n / 10 + 1);
	for (int i = 0; i < ROUNDS; i++) {
		double a = now();

		b->op(b->n);
		t[i] = (now() - a) / b->n;
	}
	qsort(t, ROUNDS, sizeof(t[0]), cmp);
	printf("%s %.1f %u\n", b->name, t[ROUNDS / 2], b->n);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	char path[64];

	must(mkdtemp(dir) != NULL, dir);
	for (size_t i = 0; i < sizeof(benches) / sizeof(benches[0]); i++) {
		int want = argc < 2;

		for (int k = 1; k < argc; k++)
			want |= !strcmp(argv[k], benches[i].name);
		if (want)
			run(&benches[i]);
	}
	snprintf(path, sizeof(path), "%s/f", dir);
	unlink(path);
	rmdir(dir);
	return 0;
}
