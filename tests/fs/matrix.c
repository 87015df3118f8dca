/* The matrix of path operations: every operation on every kind of object, path, user and
 * permission, one line a check: "family/what: result and what became of the files".
 * The program knows no right answers: run.sh runs it natively and in the sandbox, on
 * several file systems, and compares the lines. What differs between file systems of
 * Linux itself (sizes of directories, order of names, numbers) is never printed.
 *
 * usage: matrix DIR [STRIDE [objects]]   DIR: an empty directory that every user can reach
 *                              STRIDE: only every so many checks */
#include "tests/fs/matrix.h"

#include <sys/sysmacros.h>
#include <sys/xattr.h>

char big_path[5000], name255[256], name256[257];
static const char *cur_family;
static char line[1024];
static unsigned stride = 1, nchecks;

bool wanted(void)
{
	return nchecks++ % stride == 0;
}

void result(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line + strlen(line), sizeof(line) - strlen(line), fmt, ap);
	va_end(ap);
}

void check_begin(const char *family, const char *fmt, ...)
{
	va_list ap;

	cur_family = family;
	line[0] = 0;
	result("%s/", family);
	va_start(ap, fmt);
	vsnprintf(line + strlen(line), sizeof(line) - strlen(line), fmt, ap);
	va_end(ap);
	result(": ");
}

void check_end(void)
{
	puts(line);
}

const char *err_name(long r)
{
	static char num[32];

	if (r >= 0) {
		snprintf(num, sizeof(num), "%ld", r);
		return num;
	}
	return strerrorname_np(errno) ? strerrorname_np(errno) : "E?";
}

/* The caller becomes this user for the calls that follow; uid 0 takes all rights back. */
void become(unsigned uid, unsigned gid, int ngroups, const gid_t *groups)
{
	if (geteuid() != 0 && setresuid((uid_t)-1, 0, (uid_t)-1))
		die("setresuid");
	if (setgroups((size_t)ngroups, groups) || setresgid((gid_t)-1, gid, (gid_t)-1) ||
	    setresuid((uid_t)-1, uid, (uid_t)-1))
		die("become");
}

void be_root(void)
{
	gid_t none = 0;

	become(0, 0, 1, &none);
}

void die(const char *what)
{
	printf("matrix: %s (%s): %s\n", what, line, strerror(errno));
	exit(2);
}

/* Remove everything below the current directory, as root. */
static void wipe_at(int dir)
{
	DIR *d = fdopendir(dir);
	struct dirent *e;

	if (!d)
		die("fdopendir");
	rewinddir(d);
	while ((e = readdir(d))) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		if (!unlinkat(dirfd(d), e->d_name, 0))
			continue;
		if (errno != EISDIR && errno != EPERM)
			die("unlinkat");
		if (unlinkat(dirfd(d), e->d_name, AT_REMOVEDIR)) {
			int sub = openat(dirfd(d), e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);

			if (sub < 0)
				die("openat");
			wipe_at(sub);
			if (unlinkat(dirfd(d), e->d_name, AT_REMOVEDIR))
				die("rmdir");
		}
	}
	closedir(d);
}

void wipe(void)
{
	int fd;

	be_root();
	fd = open(".", O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		die("open .");
	if (fchown(fd, 0, 0) || fchmod(fd, 0755))
		die("fchmod");
	if (cur_family && !strcmp(cur_family, "xattr"))
		fremovexattr(fd, "user.t");
	wipe_at(fd);
}

const char *const kind_names[KINDS] = {
	"none", "reg", "emptydir", "fulldir", "fifo", "sock", "link-reg", "link-dir", "dangling",
	"loop",
};

/* Make an object of this kind with the name. */
void make(enum kind k, const char *name)
{
	char buf[300];
	int fd, r = 0;

	switch (k) {
	case K_NONE:
		break;
	case K_REG:
		fd = open(name, O_WRONLY | O_CREAT | O_EXCL, 0644);
		r = fd < 0 || write(fd, "contents", 8) != 8 ? -1 : close(fd);
		break;
	case K_EMPTYDIR:
		r = mkdir(name, 0755);
		break;
	case K_FULLDIR:
		r = mkdir(name, 0755);
		snprintf(buf, sizeof(buf), "%s/x", name);
		if (!r)
			make(K_REG, buf);
		break;
	case K_FIFO:
		r = mkfifo(name, 0644);
		break;
	case K_SOCK:
		r = mknod(name, S_IFSOCK | 0644, 0);
		break;
	case K_LINK_REG:
		make(K_REG, "treg");
		r = symlink("treg", name);
		break;
	case K_LINK_DIR:
		make(K_FULLDIR, "tdir");
		r = symlink("tdir", name);
		break;
	case K_DANGLING:
		r = symlink("nowhere", name);
		break;
	case K_LOOP:
		r = symlink(name, name);
		break;
	case KINDS:
		break;
	}
	if (r)
		die("make");
}

static const char *type_name(mode_t m)
{
	switch (m & S_IFMT) {
	case S_IFREG:
		return "reg";
	case S_IFDIR:
		return "dir";
	case S_IFLNK:
		return "lnk";
	case S_IFIFO:
		return "fifo";
	case S_IFSOCK:
		return "sock";
	case S_IFCHR:
		return "chr";
	case S_IFBLK:
		return "blk";
	}
	return "?";
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Everything below the current directory: name, type, mode, owner, links, size. */
void describe(const char *dir)
{
	char *names[64], path[600];
	struct dirent *e;
	struct stat st;
	DIR *d = opendir(dir);
	size_t n = 0;

	if (!d)
		die("describe");
	while ((e = readdir(d)) && n < 64)
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
			names[n++] = strdup(e->d_name);
	closedir(d);
	qsort(names, n, sizeof(names[0]), by_name);
	for (size_t i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		if (lstat(path, &st))
			die("lstat");
		result(" %.20s=%s,%o", path + 2, type_name(st.st_mode), st.st_mode & 07777);
		if (st.st_uid || st.st_gid)
			result(",%u:%u", st.st_uid, st.st_gid);
		if (!S_ISDIR(st.st_mode))
			result(",n%ld,s%ld", (long)st.st_nlink, (long)st.st_size);
		if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))
			result(",%u/%u", major(st.st_rdev), minor(st.st_rdev));
		if (S_ISDIR(st.st_mode))
			describe(path);
		free(names[i]);
	}
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOFBF, 1 << 16);
	if (argc < 2 || chdir(argv[1]))
		die("usage: matrix DIR [STRIDE]");
	if (argc > 2 && atoi(argv[2]) > 0)
		stride = (unsigned)atoi(argv[2]);
	umask(022);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	memset(name255, 'n', 255);
	memset(name256, 'm', 256);
	wipe();
	matrix_kinds();
	matrix_paths();
	matrix_perms();
	matrix_rename();
	matrix_times();
	matrix_files();
	matrix_inotify();
	if (argc > 3) /* the same on every file system: once is enough */
		matrix_objects();
	wipe();
	puts("end");
	return 0;
}
