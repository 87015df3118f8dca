/* See guest.h. */
#include "tests/harness/guest.h"

#include <dirent.h>
#include <ftw.h>
#include <sys/stat.h>

struct guest_case *guest_cases;
char guest_dir[64];

void guest_register(struct guest_case *c)
{
	struct guest_case **p = &guest_cases;

	while (*p)
		p = &(*p)->next;
	*p = c;
}

void guest_fail(const char *file, int line, const char *fmt, ...)
{
	const char *base = strrchr(file, '/');
	va_list ap;

	printf("  %s:%d: ", base ? base + 1 : file, line);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout);
	_exit(1);
}

void guest_skip(const char *why)
{
	printf("  skipped: %s\n", why);
	fflush(stdout);
	_exit(77);
}

long guest_raw(long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f)
{
	long ret;
	register uint64_t r10 __asm__("r10") = d;
	register uint64_t r8 __asm__("r8") = e;
	register uint64_t r9 __asm__("r9") = f;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	if (ret < 0 && ret > -4096) {
		errno = (int)-ret;
		return -1;
	}
	return ret;
}

static int rm_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static int run_case(const struct guest_case *c)
{
	int st;
	pid_t p;

	snprintf(guest_dir, sizeof(guest_dir), "/tmp/guest.XXXXXX");
	if (!mkdtemp(guest_dir)) {
		printf("  cannot make %s: %s\n", guest_dir, strerror(errno));
		return 1;
	}
	fflush(stdout);
	p = fork();
	if (p == 0) {
		setpgid(0, 0);
		alarm(10);
		if (chdir(guest_dir))
			_exit(1);
		c->fn();
		fflush(stdout);
		_exit(0);
	}
	if (p < 0)
		return 1;
	while (waitpid(p, &st, 0) < 0 && errno == EINTR)
		;
	kill(-p, SIGKILL);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	chmod(guest_dir, 0700);
	nftw(guest_dir, rm_one, 16, FTW_DEPTH | FTW_PHYS);
	if (WIFSIGNALED(st))
		printf("  killed by signal %d\n", WTERMSIG(st));
	return WIFEXITED(st) ? WEXITSTATUS(st) : 1;
}

int guest_main(int argc, char **argv)
{
	int failed = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc == 2 && !strcmp(argv[1], "--covers")) {
		for (const struct guest_case *c = guest_cases; c; c = c->next)
			printf("%s %s\n", c->name, c->covers);
		return 0;
	}
	for (const struct guest_case *c = guest_cases; c; c = c->next) {
		bool want = argc < 2;
		int r;

		for (int i = 1; i < argc; i++)
			want |= !strcmp(argv[i], c->name);
		if (!want)
			continue;
		r = run_case(c);
		printf("%s %s\n", r == 0 ? "ok" : r == 77 ? "skip" : "FAIL", c->name);
		failed += r != 0 && r != 77;
	}
	return failed != 0;
}
