/* /proc and the simple devices. */
#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <sys/auxv.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include "tests/harness/guest.h"

extern char **environ;

static char text[65536];

static char *slurp(const char *path)
{
	int fd = open(path, O_RDONLY);
	size_t n = 0;
	ssize_t r;

	if (fd < 0)
		guest_fail(__FILE__, __LINE__, "cannot open %s: %s", path, strerror(errno));
	while ((r = read(fd, text + n, sizeof(text) - 1 - n)) > 0)
		n += (size_t)r;
	CHECK(r == 0);
	text[n] = 0;
	close(fd);
	return text;
}

/* The value after "key:" at the start of a line. */
static const char *field(const char *path, const char *key)
{
	static char val[256];
	size_t n = strlen(key);

	for (char *l = slurp(path); l; l = strchr(l, '\n')) {
		l += *l == '\n';
		if (strncmp(l, key, n) || l[n] != ':')
			continue;
		l += n + 1;
		l += strspn(l, " \t");
		snprintf(val, sizeof(val), "%.*s", (int)strcspn(l, "\n"), l);
		return val;
	}
	guest_fail(__FILE__, __LINE__, "%s has no %s", path, key);
}

static const char *link_of(const char *path)
{
	static char b[512];
	ssize_t n = readlink(path, b, sizeof(b) - 1);

	CHECK(n > 0);
	b[n] = 0;
	return b;
}

static const char *fd_link(int fd)
{
	char path[40];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return link_of(path);
}

CASE(status, "openat,read")
{
	sigset_t s;

	CHECK_EQ(atoi(field("/proc/self/status", "Pid")), getpid());
	CHECK_EQ(atoi(field("/proc/self/status", "Tgid")), getpid());
	CHECK_EQ(atoi(field("/proc/self/status", "PPid")), getppid());
	CHECK_EQ(atoi(field("/proc/self/status", "Uid")), getuid());
	CHECK_EQ(atoi(field("/proc/self/status", "Threads")), 1);
	CHECK_EQ(field("/proc/self/status", "State")[0], 'R');
	CHECK(atoi(field("/proc/self/status", "VmRSS")) > 0);
	CHECK(strtoul(field("/proc/self/status", "CapEff"), NULL, 16) != 0 || geteuid() != 0);
	umask(027);
	CHECK_EQ(strtol(field("/proc/self/status", "Umask"), NULL, 8), 027);
	sigemptyset(&s);
	sigaddset(&s, SIGUSR2);
	sigprocmask(SIG_BLOCK, &s, NULL);
	kill(getpid(), SIGUSR2);
	signal(SIGHUP, SIG_IGN);
	CHECK_EQ(strtoul(field("/proc/self/status", "SigBlk"), NULL, 16), 1UL << (SIGUSR2 - 1));
	CHECK(strtoul(field("/proc/self/status", "ShdPnd"), NULL, 16) & 1UL << (SIGUSR2 - 1));
	CHECK(strtoul(field("/proc/self/status", "SigIgn"), NULL, 16) & 1UL << (SIGHUP - 1));
}

CASE(stat_line, "read,prctl")
{
	int pid, ppid, pgrp, sid;
	char state;

	CHECK_EQ(prctl(PR_SET_NAME, "a) R (b"), 0);
	slurp("/proc/self/stat");
	CHECK_EQ(atoi(text), getpid());
	CHECK(strstr(text, "(a) R (b) "));
	CHECK_EQ(sscanf(strrchr(text, ')') + 2, "%c %d %d %d", &state, &ppid, &pgrp, &sid), 4);
	pid = getpid();
	CHECK(state == 'R' && ppid == getppid() && pgrp == getpgid(pid) && sid == getsid(0));
	int fields = 2;
	for (char *p = strrchr(text, ')') + 1; *p; p++)
		fields += *p == ' ';
	CHECK_EQ(fields, 52);
	CHECK(!strcmp(slurp("/proc/self/comm"), "a) R (b\n"));
}

CASE(comm_can_be_written, "write,prctl")
{
	int fd = open("/proc/self/comm", O_WRONLY);
	char name[16];

	CHECK(fd >= 0 && write(fd, "renamed", 7) == 7);
	CHECK_EQ(prctl(PR_GET_NAME, name), 0);
	CHECK(!strcmp(name, "renamed"));
}

CASE(maps, "mmap,munmap,read")
{
	char want[64];
	int fd = open("mapped", O_CREAT | O_RDWR, 0600);
	char *m, *f;

	CHECK(fd >= 0 && ftruncate(fd, 8192) == 0);
	m = mmap((void *)0x600000000000, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	f = mmap((void *)0x610000000000, 4096, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 4096);
	CHECK(m != MAP_FAILED && f != MAP_FAILED);
	CHECK(sbrk(4096) != (void *)-1);
	slurp("/proc/self/maps");
	CHECK(strstr(text, "600000000000-600000002000 rw-p 00000000 "));
	CHECK(strstr(text, "[stack]") && strstr(text, "[heap]"));
	snprintf(want, sizeof(want), "610000000000-610000001000 r--s 00001000 ");
	char *l = strstr(text, want);
	CHECK(l != NULL);
	l = strchr(l, '/');
	CHECK(l && !strncmp(l, guest_dir, strlen(guest_dir)) && !strncmp(l + strlen(guest_dir), "/mapped\n", 8));
	CHECK_EQ(mprotect(m, 4096, PROT_NONE), 0);
	slurp("/proc/self/maps");
	CHECK(strstr(text, "600000000000-600000001000 ---p ") && strstr(text, "600000001000-600000002000 rw-p "));
	CHECK_EQ(munmap(m, 8192), 0);
	CHECK(!strstr(slurp("/proc/self/maps"), "600000000000-"));
	/* In order, and none over another. */
	unsigned long last = 0, from, to;
	for (l = text; l && sscanf(l, "%lx-%lx", &from, &to) == 2; l = strchr(l, '\n'), l += l != NULL) {
		CHECK(from >= last && to > from);
		last = to;
	}
	CHECK(strstr(slurp("/proc/self/smaps"), "Rss:"));
	long pages;
	CHECK(sscanf(slurp("/proc/self/statm"), "%ld", &pages) == 1 && pages > 0);
}

CASE(fd_links, "readlinkat,readlink,getdents64")
{
	int p[2], sv[2], f = open("file", O_CREAT | O_RDWR, 0600), n = 0, e = eventfd(0, 0);
	char want[128];
	DIR *d;

	CHECK(pipe(p) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, sv) == 0);
	CHECK(!strncmp(fd_link(p[0]), "pipe:[", 6));
	CHECK(!strncmp(fd_link(sv[0]), "socket:[", 8));
	CHECK(!strcmp(fd_link(e), "anon_inode:[eventfd]"));
	snprintf(want, sizeof(want), "%s/file", guest_dir);
	CHECK(!strcmp(fd_link(f), want));
	CHECK_EQ(rename("file", "other"), 0);
	snprintf(want, sizeof(want), "%s/other", guest_dir);
	CHECK(!strcmp(fd_link(f), want)); /* the name follows */
	CHECK_EQ(unlink("other"), 0);
	strcat(want, " (deleted)");
	CHECK(!strcmp(fd_link(f), want));
	CHECK(!strcmp(fd_link(open("/dev/null", O_RDONLY)), "/dev/null"));
	d = opendir("/proc/self/fd");
	CHECK(d != NULL);
	for (struct dirent *i; (i = readdir(d));)
		n += atoi(i->d_name) == f || atoi(i->d_name) == p[1];
	CHECK_EQ(n, 2);
	CHECK_ERR(readlink("/proc/self/fd/999", want, 10), ENOENT);
	struct stat st;
	snprintf(want, sizeof(want), "/proc/self/fd/%d", p[0]);
	CHECK(lstat(want, &st) == 0 && S_ISLNK(st.st_mode));
	CHECK(stat(want, &st) == 0 && S_ISFIFO(st.st_mode)); /* following it gives the file */
	CHECK(access("/dev/fd/0", F_OK) == 0 || errno == ENOENT);
}

CASE(fd_info, "lseek,fcntl,read")
{
	int f = open("file", O_CREAT | O_RDWR | O_APPEND | O_CLOEXEC, 0600);
	char path[40];

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", f);
	CHECK_EQ(lseek(f, 1234, SEEK_SET), 1234);
	CHECK_EQ(atoi(field(path, "pos")), 1234);
	long flags = strtol(field(path, "flags"), NULL, 8);
	CHECK_EQ(flags & (O_ACCMODE | O_APPEND | O_CLOEXEC), O_RDWR | O_APPEND | O_CLOEXEC);
}

CASE(exe_cwd_root, "readlink,chdir,execve")
{
	char magic[4];

	CHECK(!strcmp(link_of("/proc/self/cwd"), guest_dir));
	CHECK_EQ(mkdir("d", 0700), 0);
	CHECK_EQ(chdir("d"), 0);
	CHECK(!strcmp(link_of("/proc/self/cwd") + strlen(guest_dir), "/d"));
	CHECK(!strcmp(link_of("/proc/self/root"), "/"));
	CHECK_EQ(link_of("/proc/self/exe")[0], '/');
	CHECK(read(open("/proc/self/exe", O_RDONLY), magic, 4) == 4 && !memcmp(magic, "\177ELF", 4));
	CHECK_EQ(IN_CHILD({
		dup2(open("/dev/null", O_WRONLY), 1);
		execl("/proc/self/exe", "x", "--covers", (char *)NULL);
	}), 0);
	char self[20];
	snprintf(self, sizeof(self), "%d", getpid());
	CHECK(!strcmp(link_of("/proc/self"), self));
	strcat(self, "/task/");
	CHECK(!strncmp(link_of("/proc/thread-self"), self, strlen(self)));
}

CASE(arguments_and_environment, "execve,read")
{
	char buf[64] = "";
	int p[2], st;
	pid_t child;

	CHECK_EQ(pipe(p), 0);
	child = fork();
	if (child == 0) {
		char *env[] = { (char[]){ "A=1" }, (char[]){ "B=two words" }, NULL };

		dup2(p[1], 1);
		close(p[1]);
		execle("/bin/cat", "kitty", "/proc/self/cmdline", "/proc/self/environ", (char *)NULL, env);
		_exit(1);
	}
	close(p[1]);
	size_t n = 0;
	for (ssize_t r; (r = read(p[0], buf + n, sizeof(buf) - n)) > 0; n += (size_t)r)
		;
	static const char want[] = "kitty\0/proc/self/cmdline\0/proc/self/environ\0A=1\0B=two words";
	CHECK(n == sizeof(want) && !memcmp(buf, want, sizeof(want)));
	CHECK_EQ(waitpid(child, &st, 0), child);
	CHECK_EQ(st, 0);
}

CASE(mount_lists, "read")
{
	int id, parent;
	unsigned maj, min;

	slurp("/proc/self/mounts");
	CHECK(strstr(text, " / ") && strstr(text, " /proc proc "));
	slurp("/proc/self/mountinfo");
	CHECK_EQ(sscanf(text, "%d %d %u:%u /", &id, &parent, &maj, &min), 4);
	CHECK(strstr(text, " - proc "));
	CHECK(strstr(slurp("/proc/mounts"), " / "));
	CHECK(strstr(slurp("/proc/filesystems"), "\ttmpfs\n"));
}

CASE(limits, "getrlimit,setrlimit,read")
{
	struct rlimit rl;
	unsigned long soft;

	CHECK_EQ(getrlimit(RLIMIT_NOFILE, &rl), 0);
	rl.rlim_cur = 77;
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &rl), 0);
	char *l = strstr(slurp("/proc/self/limits"), "\nMax open files ");
	CHECK(l && sscanf(l + 15, "%lu", &soft) == 1);
	CHECK_EQ(soft, 77);
}

CASE(system_wide, "read,uname")
{
	struct utsname u;
	double up, idle, up2;
	float load[3];

	CHECK_EQ(sscanf(slurp("/proc/uptime"), "%lf %lf\n", &up, &idle), 2);
	CHECK(sscanf(slurp("/proc/uptime"), "%lf", &up2) == 1 && up2 >= up && up >= 0);
	CHECK(atol(field("/proc/meminfo", "MemTotal")) > 0);
	CHECK(atol(field("/proc/meminfo", "MemFree")) <= atol(field("/proc/meminfo", "MemTotal")));
	CHECK(atol(field("/proc/meminfo", "MemAvailable")) > 0);
	CHECK(strstr(field("/proc/meminfo", "MemTotal"), " kB"));
	CHECK_EQ(sscanf(slurp("/proc/loadavg"), "%f %f %f", load, load + 1, load + 2), 3);
	CHECK(!strncmp(slurp("/proc/version"), "Linux version ", 14));
	CHECK(!strncmp(slurp("/proc/cpuinfo"), "processor", 9));
	CHECK(!strncmp(slurp("/proc/stat"), "cpu ", 4) && strstr(text, "\nbtime "));
	CHECK(!strcmp(slurp("/proc/sys/kernel/ostype"), "Linux\n"));
	CHECK(atoi(slurp("/proc/sys/kernel/pid_max")) > 300);
	CHECK_EQ(uname(&u), 0);
	slurp("/proc/sys/kernel/hostname");
	CHECK(!strncmp(text, u.nodename, strlen(u.nodename)) && text[strlen(u.nodename)] == '\n');
	CHECK_EQ(strlen(slurp("/proc/sys/kernel/random/uuid")), 37);
	CHECK(atoi(slurp("/proc/sys/fs/pipe-max-size")) >= 4096);
}

CASE(child_appears_and_disappears, "fork,wait4,kill,getdents64")
{
	char path[64], b[64];
	int fd, st;
	pid_t p = fork();

	if (p == 0)
		for (;;)
			pause();
	snprintf(path, sizeof(path), "/proc/%d/status", p);
	CHECK_EQ(atoi(field(path, "PPid")), getpid());
	fd = open(path, O_RDONLY);
	CHECK(fd >= 0);
	CHECK_EQ(kill(p, SIGKILL), 0);
	siginfo_t si;
	CHECK_EQ(waitid(P_PID, (id_t)p, &si, WEXITED | WNOWAIT), 0);
	CHECK_EQ(field(path, "State")[0], 'Z');
	snprintf(path, sizeof(path), "/proc/%d/cmdline", p);
	CHECK_EQ(strlen(slurp(path)), 0);
	snprintf(path, sizeof(path), "/proc/%d/exe", p);
	CHECK_ERR(readlink(path, b, sizeof(b)), ENOENT);
	CHECK_EQ(waitpid(p, &st, 0), p);
	snprintf(path, sizeof(path), "/proc/%d", p);
	CHECK_ERR(access(path, F_OK), ENOENT);
	CHECK_ERR(read(fd, b, 1), ESRCH); /* what was opened stays, but says nothing */
}

CASE(listing_processes, "getdents64")
{
	DIR *d = opendir("/proc");
	bool me = false, self = false, parent = false;

	CHECK(d != NULL);
	for (struct dirent *e; (e = readdir(d));) {
		me |= atoi(e->d_name) == getpid();
		parent |= atoi(e->d_name) == getppid();
		self |= !strcmp(e->d_name, "self");
	}
	CHECK(me && self && parent);
	CHECK_ERR(access("/proc/0", F_OK), ENOENT);
	CHECK_ERR(access("/proc/99999999", F_OK), ENOENT);
	CHECK_ERR(access("/proc/01", F_OK), ENOENT);
	CHECK_ERR(open("/proc/nothing", O_CREAT | O_RDWR, 0600), ENOENT);
	CHECK_ERR(mkdir("/proc/nothing", 0700), ENOENT);
}

static volatile int stop_thread;
static volatile pid_t tid;

static void *thread(void *arg)
{
	prctl(PR_SET_NAME, "worker");
	tid = (pid_t)syscall(SYS_gettid);
	while (!stop_thread)
		sched_yield();
	return arg;
}

CASE(threads_of_a_process, "getdents64,clone")
{
	pthread_t t;
	char path[64];
	DIR *d;
	int n = 0;

	CHECK_EQ(pthread_create(&t, NULL, thread, NULL), 0);
	while (!tid)
		sched_yield();
	CHECK_EQ(atoi(field("/proc/self/status", "Threads")), 2);
	d = opendir("/proc/self/task");
	CHECK(d != NULL);
	for (struct dirent *e; (e = readdir(d));)
		n += atoi(e->d_name) == getpid() || atoi(e->d_name) == tid;
	CHECK_EQ(n, 2);
	snprintf(path, sizeof(path), "/proc/self/task/%d/comm", tid);
	CHECK(!strcmp(slurp(path), "worker\n"));
	snprintf(path, sizeof(path), "/proc/%d/status", tid); /* found, though not listed */
	CHECK_EQ(atoi(field(path, "Tgid")), getpid());
	stop_thread = 1;
	pthread_join(t, NULL);
}

CASE(own_memory, "pread64,pwrite64")
{
	static volatile char here[8] = "before";
	char b[8];
	int fd = open("/proc/self/mem", O_RDWR);

	CHECK(fd >= 0);
	CHECK_EQ(pread(fd, b, 7, (off_t)(uintptr_t)here), 7);
	CHECK(!memcmp(b, "before", 7));
	CHECK_EQ(pwrite(fd, "after", 6, (off_t)(uintptr_t)here), 6);
	CHECK(here[0] == 'a' && here[4] == 'r');
	CHECK_ERR(pread(fd, b, 7, 8), EIO);
}

CASE(auxiliary_vector, "read")
{
	unsigned long v[128];
	ssize_t n = read(open("/proc/self/auxv", O_RDONLY), v, sizeof(v));
	bool seen = false;

	CHECK(n > 0 && n % 16 == 0);
	for (size_t i = 0; i < (size_t)n / 8; i += 2)
		seen |= v[i] == AT_PAGESZ && v[i + 1] == 4096;
	CHECK(seen);
	CHECK(getauxval(AT_RANDOM) != 0);
}

CASE(reading_in_small_pieces, "read,lseek,pread64")
{
	static char whole[65536];
	size_t n = 0;
	int fd = open("/proc/self/limits", O_RDONLY);
	char c;

	strcpy(whole, slurp("/proc/self/limits"));
	while (read(fd, &c, 1) == 1)
		CHECK(c == whole[n++]);
	CHECK_EQ(n, strlen(whole));
	CHECK_EQ(lseek(fd, 3, SEEK_SET), 3);
	CHECK(read(fd, &c, 1) == 1 && c == whole[3]);
	CHECK(pread(fd, &c, 1, 9) == 1 && c == whole[9]);
}

CASE(simple_devices, "open,read,write,lseek,mmap")
{
	int null = open("/dev/null", O_RDWR), zero = open("/dev/zero", O_RDWR), full = open("/dev/full", O_RDWR);
	int rnd = open("/dev/urandom", O_RDONLY), n = 0;
	char b[64], c[64];
	char *m;

	CHECK(null >= 0 && zero >= 0 && full >= 0 && rnd >= 0);
	CHECK_EQ(read(null, b, 64), 0);
	CHECK_EQ(write(null, b, 64), 64);
	CHECK_EQ(lseek(null, 100, SEEK_SET), 0);
	memset(b, 1, sizeof(b));
	CHECK_EQ(read(zero, b, 64), 64);
	for (int i = 0; i < 64; i++)
		n += b[i];
	CHECK_EQ(n, 0);
	CHECK_EQ(write(zero, b, 64), 64);
	CHECK_EQ(read(full, b, 64), 64);
	CHECK_ERR(write(full, b, 1), ENOSPC);
	CHECK_ERR(write(full, b, 0), ENOSPC); /* even nothing does not fit */
	CHECK(read(rnd, b, 64) == 64 && read(rnd, c, 64) == 64 && memcmp(b, c, 64));
	CHECK(read(open("/dev/random", O_RDONLY), b, 16) == 16);
	m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, zero, 0);
	CHECK(m != MAP_FAILED && m[5] == 0);
	m[5] = 1;
	CHECK(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, null, 0) == MAP_FAILED && errno == ENODEV);
	CHECK_ERR(open("/dev/null", O_RDONLY | O_DIRECTORY), ENOTDIR);
	CHECK_EQ(close(open("/dev/null", O_WRONLY | O_TRUNC | O_CREAT, 0666)), 0);
}

MAIN()
