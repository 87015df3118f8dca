/* inotify: more events than a queue holds, more watches than there may be, watches on trees
 * that change under them. See many.h. */
#include <fcntl.h>
#include <signal.h>
#include <dirent.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/files/many.h"

static int limit(const char *name)
{
	char path[64], buf[32] = "";
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/fs/inotify/%s", name);
	fd = (int)OK(open(path, O_RDONLY));
	OK(read(fd, buf, sizeof(buf) - 1));
	close(fd);
	return atoi(buf);
}

/* ---- overflow ---- */

static int turn;

static void event(void)
{
	if (turn++ % 2 == 0)
		OK(mknod("f", S_IFREG | 0600, 0));
	else
		OK(unlink("f"));
}

static int pending(int fd)
{
	int n = -1;

	OK(ioctl(fd, FIONREAD, &n));
	return n;
}

/* All that is there: how many events before each overflow, and after the last. */
static void drain(int fd, const char *what)
{
	static char buf[1 << 16] __attribute__((aligned(8)));
	int since = 0;
	long n;

	printf("%s:", what);
	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		for (char *p = buf; p < buf + n;) {
			struct inotify_event *e = (void *)p;

			if (e->mask & IN_Q_OVERFLOW) {
				printf(" %d overflow%s", since,
				       e->wd != -1 || e->mask != IN_Q_OVERFLOW || e->len ? "?" : "");
				since = 0;
			} else {
				since++;
			}
			p += sizeof(*e) + e->len;
		}
	}
	printf(" %d %s\n", since, strerrorname_np(errno));
}

static void overflow(void)
{
	int most = limit("max_queued_events"), fd = (int)OK(inotify_init1(IN_NONBLOCK));
	char one[32];

	printf("at most %d events\n", most);
	OK(inotify_add_watch(fd, ".", IN_CREATE | IN_DELETE));
	for (int i = 0; i < most - 1; i++)
		event();
	printf("%d bytes\n", pending(fd));
	event();
	printf("%d bytes when it is full\n", pending(fd));
	event();
	printf("%d bytes with one too many\n", pending(fd));
	event();
	event();
	printf("%d bytes with more\n", pending(fd));
	OK(read(fd, one, sizeof(one)));
	event();
	printf("%d bytes with room for none\n", pending(fd));
	OK(read(fd, one, sizeof(one)));
	event();
	printf("%d bytes with room for one\n", pending(fd));
	event();
	printf("%d bytes with no more room\n", pending(fd));
	drain(fd, "overflow in the middle");
	event();
	event();
	drain(fd, "afterwards");
	/* The same event again is one with the last, unless there is no room for it. */
	OK(inotify_add_watch(fd, ".", IN_ATTRIB | IN_CREATE | IN_DELETE));
	(void)unlink("f");
	turn = 0;
	drain(fd, "before");
	for (int i = 0; i < 3; i++)
		OK(chmod(".", 0755));
	printf("%d bytes of the same\n", pending(fd));
	for (int i = 0; i < most - 2; i++)
		event();
	OK(chmod(".", 0755));
	printf("%d bytes when it is full\n", pending(fd));
	OK(chmod(".", 0755));
	printf("%d bytes with the same once more\n", pending(fd));
	/* What is ignored is lost with the rest. */
	OK(inotify_rm_watch(fd, 1));
	drain(fd, "again");
	/* Neither does a cookie make two of one. */
	OK(inotify_add_watch(fd, ".", IN_MOVED_FROM));
	for (int i = 0; i < 3; i++) {
		OK(mknod("from", S_IFREG | 0600, 0));
		OK(rename("from", "to"));
	}
	OK(unlink("to"));
	drain(fd, "moved three times");
	OK(inotify_rm_watch(fd, 2));
	OK(inotify_add_watch(fd, ".", IN_MOVED_FROM));
	OK(inotify_rm_watch(fd, 3));
	drain(fd, "ignored twice");
	SAY("a buffer too small", read(fd, one, 8));
	OK(inotify_add_watch(fd, ".", IN_CREATE | IN_DELETE));
	event();
	SAY("a buffer too small", read(fd, one, 31));
	SAY("a buffer that does", read(fd, one, 32));
	close(fd);
	(void)unlink("f");
}

/* ---- several at once ---- */

static int rounds = 1000;

static void make_and_remove(int who)
{
	char a[16], b[32];

	snprintf(a, sizeof(a), "p%d", who);
	snprintf(b, sizeof(b), "to/q%d", who);
	for (int i = 0; i < rounds; i++) {
		OK(mknod(a, S_IFREG | 0600, 0));
		OK(rename(a, b));
		OK(unlink(b));
	}
}

static void storm(void)
{
	int fd = (int)OK(inotify_init1(IN_NONBLOCK)), pids[4], counts[4] = { 0 }, alive = 4, bad = 0;
	static uint8_t cookies[1 << 20];
	static char buf[1 << 16] __attribute__((aligned(8)));
	uint32_t least = 0;
	long n;

	OK(mkdir("to", 0755));
	OK(inotify_add_watch(fd, ".", IN_CREATE | IN_MOVED_FROM));
	OK(inotify_add_watch(fd, "to", IN_DELETE | IN_MOVED_TO));
	for (int i = 0; i < 4; i++)
		pids[i] = spawn(make_and_remove, i);
	do {
		if (alive && waitpid(-1, NULL, WNOHANG) > 0)
			alive--;
		n = read(fd, buf, sizeof(buf));
		for (char *p = buf; n > 0 && p < buf + n;) {
			struct inotify_event *e = (void *)p;

			if (e->mask & IN_Q_OVERFLOW)
				bad++;
			counts[e->mask & IN_CREATE ? 0 : e->mask & IN_MOVED_FROM ? 1 :
			       e->mask & IN_MOVED_TO ? 2 : 3]++;
			if (e->mask & IN_MOVE) {
				if (!least)
					least = e->cookie - 1000;
				cookies[(e->cookie - least) % sizeof(cookies)] ^=
					e->mask & IN_MOVED_FROM ? 1 : 2;
			}
			p += sizeof(*e) + e->len;
		}
		if (n <= 0)
			moment(1);
	} while (alive || n > 0);
	for (size_t i = 0; i < sizeof(cookies); i++)
		bad += cookies[i] != 0 && cookies[i] != 3;
	printf("storm: %d made, %d from, %d to, %d removed, %d wrong\n", counts[0], counts[1],
	       counts[2], counts[3], bad);
	(void)pids;
	close(fd);
	OK(rmdir("to"));
}

/* How many watches the descriptor's information shows. */
static int shown(int fd)
{
	char path[64], line[256];
	int n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		n += !strncmp(line, "inotify wd:", 11);
	if (f)
		fclose(f);
	return n;
}

static void many_watches(void)
{
	int fd = (int)OK(inotify_init1(IN_NONBLOCK)), n = 3000, bad = 0;
	char name[32];

	for (int i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "w%d", i);
		OK(mknod(name, S_IFREG | 0600, 0));
		bad += inotify_add_watch(fd, name, IN_ATTRIB) != i + 1;
	}
	printf("%d watches, %d unexpected, %d shown\n", n, bad, shown(fd));
	for (int i = 0; i < n; i += 2)
		bad += inotify_rm_watch(fd, i + 1) != 0;
	drain(fd, "ignored");
	for (int i = 0; i < n; i += 2) {
		snprintf(name, sizeof(name), "w%d", i);
		bad += inotify_add_watch(fd, name, IN_ATTRIB) != n + i / 2 + 1;
	}
	printf("again, %d unexpected, %d shown\n", bad, shown(fd));
	for (int i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "w%d", i);
		OK(unlink(name));
	}
	/* ATTRIB for the lost link, then IGNORED. */
	drain(fd, "removed");
	printf("%d shown\n", shown(fd));
	close(fd);
}

void watches(void)
{
	if (long_form)
		rounds = 3000;
	overflow();
	storm();
	many_watches();
}

/* ---- limits ---- */

static void as_somebody(int uid)
{
	OK(setgid((gid_t)uid));
	OK(setuid((uid_t)uid));
}

static int gate[2];

static void one_instance(int uid)
{
	char c;

	as_somebody(uid);
	OK(read(gate[0], &c, 1));
	SAY("of somebody else", inotify_init());
}

static void all_instances(int uid)
{
	int most = limit("max_user_instances"), n = 0, fd, first = -1, other;

	OK(pipe(gate));
	other = spawn(one_instance, 54320);
	as_somebody(uid);
	while ((fd = inotify_init()) >= 0 && n < 1000) {
		if (first < 0)
			first = fd;
		n++;
	}
	printf("instances: %s, %s\n", n == most ? "as many as there may be" : "not the limit",
	       strerrorname_np(errno));
	SAY("one more", inotify_init());
	OK(write(gate[1], "x", 1));
	printf("of another: %s\n", reap(other) ? "bad" : "ended");
	close(first);
	SAY("after one has gone", inotify_init());
}

static void all_watches(int uid)
{
	int most = limit("max_user_watches"), fd, n = 0, other;
	char name[32];

	as_somebody(uid);
	fd = (int)OK(inotify_init());
	for (; n < most + 5; n++) {
		snprintf(name, sizeof(name), "w%d", n);
		if (inotify_add_watch(fd, name, IN_ATTRIB) < 0)
			break;
	}
	printf("watches: %s, %s\n", n == most ? "as many as there may be" : "not the limit",
	       strerrorname_np(errno));
	other = (int)OK(inotify_init());
	SAY("by another instance", inotify_add_watch(other, ".", IN_CREATE));
	SAY("of a file that is watched", inotify_add_watch(fd, "w1", IN_MODIFY));
	OK(inotify_rm_watch(fd, 1));
	SAY("after one has gone", inotify_add_watch(other, ".", IN_CREATE));
	close(fd);
	SAY("after all have gone", inotify_add_watch(other, "w5", IN_CREATE));
}

void watch_limits(void)
{
	int most = limit("max_user_watches");
	char name[32];

	OK(chmod(".", 0755));
	reap(spawn(all_instances, 54321));
	reap(spawn(all_instances, 54321)); /* all are given back */
	if (!long_form)
		return;
	for (int i = 0; i < most + 5; i++) {
		snprintf(name, sizeof(name), "w%d", i);
		OK(mknod(name, S_IFREG | 0644, 0));
	}
	reap(spawn(all_watches, 54321));
	for (int i = 0; i < most + 5; i++) {
		snprintf(name, sizeof(name), "w%d", i);
		OK(unlink(name));
	}
}

/* ---- trees that change ---- */

static volatile int *stop;

static void churn(int who)
{
	unsigned seed = (unsigned)who + 5;
	char a[64], b[64];

	while (!*stop) {
		int x = rand_r(&seed) % 4, y = rand_r(&seed) % 4;

		snprintf(a, sizeof(a), "t%d", x);
		snprintf(b, sizeof(b), "t%d/s%d", y, rand_r(&seed) % 4);
		switch (rand_r(&seed) % 6) {
		case 0:
			(void)mkdir(a, 0755);
			break;
		case 1:
			(void)mkdir(b, 0755);
			strcat(b, "/f");
			(void)mknod(b, S_IFREG | 0600, 0);
			break;
		case 2:
			(void)rename(a, b);
			break;
		case 3:
			(void)rename(b, a);
			break;
		case 4:
			strcat(b, "/f");
			(void)unlink(b);
			break;
		default:
			(void)rmdir(b);
			(void)rmdir(a);
		}
	}
}

struct watcher {
	int fd, added, ignored, overflows;
	uint8_t *known;
};

static void add(struct watcher *w, const char *path)
{
	int wd = inotify_add_watch(w->fd, path, IN_ALL_EVENTS);

	if (wd < 0 || wd >= 1 << 20)
		return;
	w->added += !w->known[wd];
	w->known[wd] = 1;
}

static void take(struct watcher *w)
{
	static char buf[1 << 16] __attribute__((aligned(8)));
	long n;

	while ((n = read(w->fd, buf, sizeof(buf))) > 0) {
		for (char *p = buf; p < buf + n;) {
			struct inotify_event *e = (void *)p;

			if (e->mask & IN_Q_OVERFLOW)
				w->overflows++;
			else if (e->mask & IN_IGNORED)
				w->ignored++;
			p += sizeof(*e) + e->len;
		}
	}
}

/* Watches all there is, again and again, and lets go of some. */
static void watcher(int who)
{
	struct watcher w = { .fd = (int)OK(inotify_init1(IN_NONBLOCK)) };
	unsigned seed = (unsigned)who * 77;
	char path[64];
	int bad;

	w.known = calloc(1, 1 << 20);
	while (!*stop) {
		for (int x = 0; x < 4; x++) {
			snprintf(path, sizeof(path), "t%d", x);
			add(&w, path);
			for (int y = 0; y < 4; y++) {
				snprintf(path, sizeof(path), "t%d/s%d", x, y);
				add(&w, path);
				strcat(path, "/f");
				add(&w, path);
			}
			take(&w);
		}
		if (w.added)
			(void)inotify_rm_watch(w.fd, 1 + rand_r(&seed) % w.added);
	}
	(void)system("rm -rf t?");
	moment(100);
	take(&w);
	bad = w.added - w.ignored - shown(w.fd);
	if (w.overflows)
		bad = 0;
	if (bad || !w.added || shown(w.fd))
		printf("watcher %d: %d added, %d ignored, %d shown\n", who, w.added, w.ignored,
		       shown(w.fd));
}

void watch_races(void)
{
	int pids[6];
	char c;

	stop = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < 6; i++)
		pids[i] = spawn(i < 4 ? churn : watcher, i);
	moment(long_form ? 20000 : 1500);
	*stop = 1;
	for (int i = 0; i < 6; i++)
		printf("%x\n", reap(pids[i]));
	printf("let go\n");
	/* many.sh looks for what is left behind. */
	(void)!read(0, &c, 1);
}
