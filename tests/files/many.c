/* Many of everything: locks of more than a hundred processes, thousands of descriptors; in
 * the other files of this kind watches, names and directories. See many.h and many.sh.
 * usage: many PART DIR [long] */
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/files/many.h"

bool long_form;
static int procs = 120;

/* ---- processes ---- */

int spawn(void (*fn)(int), int arg)
{
	int pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		fn(arg);
		fflush(stdout);
		_exit(0);
	}
	return pid;
}

int reap(int pid)
{
	int st = -1;

	OK(waitpid(pid, &st, 0));
	return st;
}

void moment(int ms)
{
	(void)poll(NULL, 0, ms);
}

void until_asleep(int pid)
{
	char name[64], buf[256];

	snprintf(name, sizeof(name), "/proc/%d/stat", pid);
	for (int tries = 0, asleep = 0; tries < 20000 && asleep < 2; tries++) {
		int fd = open(name, O_RDONLY);
		ssize_t n = read(fd, buf, sizeof(buf) - 1);
		const char *state;

		close(fd);
		buf[n > 0 ? n : 0] = '\0';
		state = strrchr(buf, ')');
		asleep = state && state[2] == 'S' ? asleep + 1 : 0;
		if (!asleep)
			moment(1);
	}
}

/* ---- locks ---- */

enum kind { POSIX, OFD, FLOCK };
static const char *const kinds[] = { "posix", "ofd", "flock" };
static enum kind kind;
static volatile int *shared;	/* a page that all processes see */
static int turns, held, parents_fd = -1, parent;

static int range(int fd, int cmd, int type, off_t start, off_t len)
{
	struct flock l = { .l_type = (short)type, .l_whence = SEEK_SET, .l_start = start, .l_len = len };

	return fcntl(fd, cmd, &l);
}

/* Waits; type: F_WRLCK, F_RDLCK, F_UNLCK. */
static int lock(int fd, int type)
{
	if (kind == FLOCK)
		return flock(fd, type == F_WRLCK ? LOCK_EX : type == F_RDLCK ? LOCK_SH : LOCK_UN);
	return range(fd, kind == OFD ? F_OFD_SETLKW : F_SETLKW, type, 0, 1);
}

static int anew(void)
{
	/* The parent's open file would keep its locks. */
	if (parents_fd >= 0 && getpid() != parent)
		close(parents_fd);
	return (int)OK(open("lock", O_RDWR | O_CREAT, 0644));
}

static void count(int n)
{
	int fd = anew();

	(void)n;
	for (int i = 0; i < turns; i++) {
		int was;

		OK(lock(fd, F_WRLCK));
		was = shared[0];
		if (i % 4 == 0)
			sched_yield();
		shared[0] = was + 1;
		OK(lock(fd, F_UNLCK));
	}
}

static void all_of(void (*fn)(int), int n)
{
	int *pids = calloc((size_t)n, sizeof(*pids));

	for (int i = 0; i < n; i++)
		pids[i] = (int)OK(spawn(fn, i));
	for (int i = 0; i < n; i++)
		if (reap(pids[i]))
			printf("process %d ended badly\n", i);
	free(pids);
}

static void take_turn(int n)
{
	int fd = anew();

	OK(lock(fd, F_WRLCK));
	shared[1 + shared[0]++] = n;
	if (n % 3 == 0) {
		OK(lock(fd, F_UNLCK));
	} else if (n % 3 == 1) {
		close(fd);
	} else {
		kill(getpid(), SIGKILL);
	}
}

/* They come one after the other and wait; the holder goes, by whatever way. */
static void order(void)
{
	int *pids = calloc((size_t)procs, sizeof(*pids)), fd = parents_fd = anew();

	OK(lock(fd, F_WRLCK));
	shared[0] = 0;
	for (int i = 0; i < procs; i++) {
		pids[i] = spawn(take_turn, i);
		until_asleep(pids[i]);
	}
	OK(lock(fd, F_UNLCK));
	for (int i = 0; i < procs; i++)
		reap(pids[i]);
	printf("%s, one after the other:", kinds[kind]);
	for (int i = 0; i < shared[0]; i++)
		printf(" %d", shared[1 + i]);
	printf("\n");
	close(fd);
	parents_fd = -1;
	free(pids);
}

static void hold(int fd)
{
	if (kind == POSIX)
		OK(lock(fd, F_WRLCK));
	else
		lock(fd, F_WRLCK);
	shared[0] = 1;
	for (;;)
		pause();
}

static void wait_for_it(int n)
{
	int fd = anew();

	OK(lock(fd, n % 2 ? F_RDLCK : F_WRLCK));
	__atomic_add_fetch(&shared[1], 1, __ATOMIC_SEQ_CST);
}

/* The holder is killed while all the others wait. */
static void death(void)
{
	int *pids = calloc((size_t)procs, sizeof(*pids)), fd = parents_fd = anew(), holder;

	shared[0] = shared[1] = 0;
	holder = spawn(hold, fd);
	while (!shared[0])
		moment(1);
	if (kind != POSIX) {
		/* The lock is that of the open file, which we have too. */
		kill(holder, SIGKILL);
		reap(holder);
	}
	for (int i = 0; i < procs; i++)
		pids[i] = spawn(wait_for_it, i);
	for (int i = 0; i < procs; i++)
		until_asleep(pids[i]);
	printf("%s: %d got what is held\n", kinds[kind], shared[1]);
	/* Some do not wait for it. */
	for (int i = 0; i < procs; i += 10) {
		kill(pids[i], SIGKILL);
		reap(pids[i]);
	}
	if (kind == POSIX) {
		kill(holder, SIGKILL);
		reap(holder);
	} else {
		close(fd);
	}
	for (int i = 0; i < procs; i++)
		if (i % 10)
			reap(pids[i]);
	printf("%s: %d got it from the dead\n", kinds[kind], shared[1]);
	if (kind == POSIX)
		close(fd);
	parents_fd = -1;
	free(pids);
}

#define CELLS 64
/* Ranges that overlap: what is written under them adds up. */
static void ranges(int n)
{
	unsigned seed = (unsigned)n * 7919 + 1;
	int fd = anew(), cmd = n % 2 ? F_OFD_SETLKW : F_SETLKW, mine = 0;

	for (int i = 0; i < turns; i++) {
		int from = rand_r(&seed) % CELLS, len = 1 + rand_r(&seed) % 8;

		if (from + len > CELLS)
			len = CELLS - from;
		OK(range(fd, cmd, F_WRLCK, from, len));
		for (int c = from; c < from + len; c++)
			shared[c]++;
		mine += len;
		/* Given back in two parts, the first of them out of the middle. */
		OK(range(fd, cmd, F_UNLCK, from + len / 2, 1));
		OK(range(fd, cmd, F_UNLCK, from, len));
	}
	__atomic_add_fetch(&shared[CELLS], mine, __ATOMIC_SEQ_CST);
}

static void readers(int n)
{
	int fd = anew();

	(void)n;
	OK(lock(fd, F_RDLCK));
	/* All readers at once, or nobody gets further. */
	__atomic_add_fetch(&shared[0], 1, __ATOMIC_SEQ_CST);
	while (shared[0] < held)
		moment(1);
}

static void locks_of(enum kind k)
{
	int fd, child, sum = 0;

	kind = k;
	shared[0] = 0;
	turns = long_form ? 200 : 20;
	all_of(count, procs);
	printf("%s: %d processes count to %d\n", kinds[k], procs, shared[0]);
	order();
	death();
	fd = anew();
	held = procs / 4;
	shared[0] = 0;
	OK(lock(fd, F_WRLCK));
	child = spawn(readers, 0);
	until_asleep(child);
	OK(lock(fd, F_RDLCK)); /* less than before: readers come in */
	all_of(readers, held - 1);
	reap(child);
	printf("%s: %d readers at once\n", kinds[k], shared[0]);
	close(fd);
	if (k == FLOCK)
		return;
	memset((void *)(uintptr_t)shared, 0, (CELLS + 1) * sizeof(int));
	all_of(ranges, procs);
	for (int c = 0; c < CELLS; c++)
		sum += shared[c];
	printf("ranges: %s\n", sum == shared[CELLS] ? "nothing lost" : "lost");
}

static void map_shared(void)
{
	parent = getpid();
	shared = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

void locks(void)
{
	if (long_form)
		procs = 500;
	map_shared();
	for (enum kind k = POSIX; k <= FLOCK; k++)
		locks_of(k);
}

static void link_of(int n)
{
	int fd = anew();

	OK(range(fd, F_SETLK, F_WRLCK, n, 1));
	shared[n] = 1;
	OK(range(fd, F_SETLKW, F_WRLCK, n + 1, 1));
	shared[n + 1]++;
}

static void on_alarm(int sig)
{
	(void)sig;
}

/* Each waits for the next; the last one closes the ring, and is told if it is short enough
 * to be seen. */
static void close_ring(int size)
{
	struct sigaction sa = { .sa_handler = on_alarm };
	struct itimerval it = { { 0, 0 }, { 0, 150000 } };
	int pids[64], fd = anew();
	char what[32];

	memset((void *)(uintptr_t)shared, 0, 4096);
	OK(range(fd, F_SETLK, F_WRLCK, size - 1, 1));
	for (int i = size - 2; i >= 0; i--) {
		pids[i] = spawn(link_of, i);
		while (!shared[i])
			moment(1);
		until_asleep(pids[i]);
	}
	snprintf(what, sizeof(what), "ring of %d", size);
	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &it, NULL);
	SAY(what, range(fd, F_SETLKW, F_WRLCK, 0, 1));
	OK(range(fd, F_SETLK, F_UNLCK, 0, 0));
	for (int i = size - 2; i >= 0; i--)
		reap(pids[i]);
	close(fd);
}

/* The one waits for byte 0 while it holds byte 1; the other gives byte 0 back and waits for
 * byte 1 at once, before the first has run. */
static void waits_for_0(int n)
{
	int fd = anew();

	(void)n;
	for (int i = 0; i < turns; i++) {
		OK(range(fd, F_SETLKW, F_WRLCK, 1, 1));
		shared[0] = i + 1;
		OK(range(fd, F_SETLKW, F_WRLCK, 0, 1));
		OK(range(fd, F_SETLK, F_UNLCK, 0, 2));
		while (shared[1] < i + 1)
			moment(1);
	}
}

static void no_ring(void)
{
	int fd = anew(), child;

	memset((void *)(uintptr_t)shared, 0, 4096);
	turns = long_form ? 2000 : 200;
	OK(range(fd, F_SETLK, F_WRLCK, 0, 1));
	child = spawn(waits_for_0, 0);
	for (int i = 0; i < turns; i++) {
		while (shared[0] < i + 1)
			moment(1);
		until_asleep(child);
		OK(range(fd, F_SETLK, F_UNLCK, 0, 1));
		OK(range(fd, F_SETLKW, F_WRLCK, 1, 1));
		OK(range(fd, F_SETLK, F_UNLCK, 1, 1));
		OK(range(fd, F_SETLKW, F_WRLCK, 0, 1));
		shared[1] = i + 1;
	}
	reap(child);
	close(fd);
	printf("no ring: %d turns\n", turns);
}

void deadlocks(void)
{
	map_shared();
	for (int size = 2; size <= 14; size++)
		close_ring(size);
	no_ring();
}

/* ---- descriptors ---- */

static int each = 1000;

static void name_of(char *buf, size_t size, int who, int n)
{
	snprintf(buf, size, "%d.%d", who, n);
}

/* Opens n files of its own, says something to each, hears it back from each. */
static void open_many(int who, int n)
{
	int *fds = calloc((size_t)n, sizeof(*fds)), bad = 0, got;
	char name[32], buf[32];
	struct stat st;

	for (int i = 0; i < n; i++) {
		name_of(name, sizeof(name), who, i);
		fds[i] = open(name, O_RDWR | O_CREAT | O_EXCL, 0644);
		if (fds[i] < 0) {
			printf("open of file %d: %s\n", i, strerrorname_np(errno));
			n = i;
			break;
		}
		bad += write(fds[i], name, strlen(name)) != (ssize_t)strlen(name);
	}
	for (int i = n - 1; i >= 0; i--) {
		name_of(name, sizeof(name), who, i);
		got = (int)pread(fds[i], buf, sizeof(buf), 0);
		bad += got != (int)strlen(name) || memcmp(buf, name, (size_t)got);
		bad += fstat(fds[i], &st) || st.st_size != got || st.st_nlink != 1;
	}
	/* Gone, and still open. */
	for (int i = 0; i < n; i += 2) {
		name_of(name, sizeof(name), who, i);
		bad += unlink(name) != 0;
	}
	for (int i = 0; i < n; i++) {
		bad += fstat(fds[i], &st) || st.st_nlink != (unsigned)(i % 2);
		bad += pwrite(fds[i], "z", 1, 0) != 1;
		bad += close(fds[i]) != 0;
	}
	for (int i = 1; i < n; i += 2) {
		name_of(name, sizeof(name), who, i);
		bad += unlink(name) != 0;
	}
	if (bad)
		printf("process %d: %d of its files are wrong\n", who, bad);
	free(fds);
}

static void open_each(int who)
{
	open_many(who + 1, each);
}

static void nofile(rlim_t n)
{
	struct rlimit r = { n, n };

	OK(setrlimit(RLIMIT_NOFILE, &r));
}

/* As many as there may be, then one more of each kind. */
static void no_more(int n)
{
	struct rlimit r = { (rlim_t)n, (rlim_t)n };
	int last = -1, fd, p[2];

	OK(setrlimit(RLIMIT_NOFILE, &r));
	while ((fd = open(".", O_RDONLY)) >= 0)
		last = fd;
	printf("the last of %d is %d: %s\n", n, last, strerrorname_np(errno));
	SAY("create", open("new", O_CREAT | O_EXCL | O_WRONLY, 0644));
	SAY("which is there", access("new", F_OK));
	SAY("O_PATH", open(".", O_PATH));
	SAY("dup", dup(0));
	SAY("pipe", pipe(p));
	SAY("dup2", dup2(0, n));
	SAY("dup2 onto the last", dup2(0, n - 1));
	OK(close_range(3, ~0u, 0));
	SAY("again", open(".", O_RDONLY));
	SAY("pipe again", pipe(p));
	(void)unlink("new");
}

void descriptors(void)
{
	int n = 3;

	nofile(20000);
	if (long_form) {
		n = 4;
		each = 4000;
	}
	open_many(0, 10000);
	printf("10000 files of one process\n");
	all_of(open_each, n);
	printf("%d processes with %d each\n", n, each);
	reap(spawn(no_more, 5000));
	open_many(0, 100);
	OK(rmdir("../empty") < 0 && errno == ENOENT ? 0 : -1);
}

/* In the sandbox alone: what it has comes to its end before the host's does. */
static void open_without_end(int who)
{
	char name[32];
	int n = 0, fd;

	nofile(1 << 20);
	for (;; n++) {
		name_of(name, sizeof(name), who, n);
		fd = open(name, O_RDWR | O_CREAT, 0644);
		if (fd < 0)
			break;
		if (write(fd, name, strlen(name)) != (ssize_t)strlen(name))
			break;
	}
	printf("files: %s%s\n", strerrorname_np(errno), n > 1000 ? "" : ", few");
	shared[0] = 1;
	pause();
}

static void small_things(int n)
{
	struct stat st;
	char buf[16];
	int p[2];

	(void)n;
	SAY("pipe", pipe(p));
	SAY("stat", stat(".", &st));
	SAY("what is not there", stat("no such file", &st));
	SAY("one more", open("one more", O_CREAT | O_RDWR, 0644));
	SAY("read of what is open", pread(3, buf, 4, 0));
}

void descriptors_without_end(void)
{
	int fd, child;

	map_shared();
	fd = (int)OK(open("first", O_RDWR | O_CREAT, 0644));
	OK(write(fd, "text", 4));
	child = spawn(open_without_end, 0);
	while (!shared[0])
		moment(1);
	reap(spawn(small_things, 0));
	kill(child, SIGKILL);
	reap(child);
	open_many(1, 1000);
	printf("afterwards all is well\n");
}

/* ---- parts ---- */

static const struct {
	const char *name;
	void (*fn)(void);
} parts[] = {
	{ "locks", locks },
	{ "deadlocks", deadlocks },
	{ "descriptors", descriptors },
	{ "descriptors-without-end", descriptors_without_end },
	{ "watches", watches },
	{ "watch-limits", watch_limits },
	{ "watch-races", watch_races },
	{ "deep", deep },
	{ "names", names },
	{ "listing", listing },
};

int main(int argc, char **argv)
{
	umask(022);
	setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
	if (argc < 3 || chdir(argv[2])) {
		fprintf(stderr, "usage: many PART DIR [long]\n");
		return 2;
	}
	long_form = argc > 3 && !strcmp(argv[3], "long");
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
		if (!strcmp(argv[1], parts[i].name)) {
			parts[i].fn();
			printf("end\n");
			return 0;
		}
	return 2;
}
