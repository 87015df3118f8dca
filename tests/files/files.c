/* A guest for tests/files/run.sh: what host file systems say when they are full, read-only
 * or asked too much; writes that are acknowledged one by one; a root full of traps.
 * Natively it prints what Linux does, in the sandbox it must print the same. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static void say(const char *what, long r)
{
	printf("%s: %s\n", what, r < 0 ? strerrorname_np(errno) : "ok");
}

static int make(const char *name)
{
	return open(name, O_CREAT | O_RDWR | O_TRUNC, 0644);
}

/* ---- errors ---- */

/* The current directory is on a small file system. */
static int full(void)
{
	static char buf[65536];
	long total = 0, n;
	int fd = make("fill");

	memset(buf, 'x', sizeof(buf));
	while ((n = write(fd, buf, sizeof(buf))) > 0)
		total += n;
	say("write to a full file system", n);
	printf("%ld bytes went in\n", total);
	say("one byte more", pwrite(fd, "y", 1, total + 4096));
	say("append", pwritev2(fd, &(struct iovec){ buf, 4096 }, 1, -1, RWF_APPEND));
	say("overwriting needs no room", pwrite(fd, "z", 1, 0));
	say("fallocate", fallocate(fd, 0, total, 1 << 20));
	say("fsync", fsync(fd));
	say("truncate", ftruncate(fd, 4096));
	say("room again", pwrite(fd, buf, 8192, 4096));
	close(fd);
	for (n = 0; n < 100000; n++) {
		char name[32];

		snprintf(name, sizeof(name), "many%ld", n);
		fd = make(name);
		if (fd < 0)
			break;
		close(fd);
	}
	say("a file too many", fd);
	say("a directory too many", mkdir("d", 0755));
	say("a symlink too many", symlink("x", "l"));
	say("unlink", unlink("many0"));
	say("one more now", mkdir("d", 0755));
	return 0;
}

static int readonly(void)
{
	struct timespec now[2] = { { 0, UTIME_NOW }, { 0, UTIME_NOW } };

	say("create", open("new", O_CREAT | O_WRONLY, 0644));
	say("open for writing", open("file", O_WRONLY));
	say("open for reading", open("file", O_RDONLY));
	say("open O_CREAT of what is there", open("file", O_CREAT | O_RDONLY, 0644));
	say("truncate", truncate("file", 0));
	say("mkdir", mkdir("d", 0755));
	say("mkdir of what is there", mkdir("dir", 0755));
	say("mknod", mknod("n", S_IFIFO | 0644, 0));
	say("symlink", symlink("a", "b"));
	say("link", link("file", "b"));
	say("unlink", unlink("file"));
	say("unlink of nothing", unlink("nothing"));
	say("rmdir", rmdir("dir"));
	say("rename", rename("file", "b"));
	say("chmod", chmod("file", 0600));
	say("chown", chown("file", 0, 0));
	say("utimens", utimensat(AT_FDCWD, "file", now, 0));
	say("access", access("file", W_OK));
	return 0;
}

static int limits(void)
{
	int fd = make("big");

	say("write behind the largest offset", pwrite(fd, "x", 1, INT64_MAX - 1));
	say("truncate to the largest size", ftruncate(fd, INT64_MAX));
	say("truncate to less than nothing", ftruncate(fd, -1));
	say("a hole", pwrite(fd, "x", 1, 1l << 40));
	say("O_SYNC", open("big", O_WRONLY | O_SYNC));
	say("dsync", pwritev2(fd, &(struct iovec){ "abc", 3 }, 1, 0, RWF_DSYNC));
	say("sync", pwritev2(fd, &(struct iovec){ "abc", 3 }, 1, 0, RWF_SYNC));
	say("fdatasync", fdatasync(fd));
	say("sync_file_range", sync_file_range(fd, 0, 4096, SYNC_FILE_RANGE_WRITE));
	say("syncfs", syncfs(fd));
	say("fsync of a directory", fsync(open(".", O_RDONLY)));
	say("unlink", unlink("big"));
	say("fsync of a deleted file", fsync(fd));
	return 0;
}

/* Each name says which operation fails, and how (tests/files/errors.py). */
static int errors(void)
{
	static char page[4096];
	struct stat st;
	char *map;
	int fd;

	say("create", open("a.create.EDQUOT", O_CREAT | O_RDWR, 0644));
	say("create", open("b.create.EIO", O_CREAT | O_RDWR, 0644));
	say("create", open("c.create.EROFS", O_CREAT | O_RDWR, 0644));
	say("mkdir", mkdir("d.mkdir.EDQUOT", 0755));
	say("mkdir", mkdir("e.mkdir.ENOSPC", 0755));
	say("stat", stat("f.lookup.EIO", &st));
	say("make", mkdir("g.rmdir.EIO", 0755));
	say("rmdir", rmdir("g.rmdir.EIO"));
	say("make", make("h.unlink.EIO"));
	say("unlink", unlink("h.unlink.EIO"));
	say("make", make("i.rename.EDQUOT"));
	say("rename", rename("i.rename.EDQUOT", "i"));
	say("make", make("j.setattr.EDQUOT"));
	say("chmod", chmod("j.setattr.EDQUOT", 0600));
	say("truncate", truncate("j.setattr.EDQUOT", 100));
	say("make", fd = make("k.write.EDQUOT"));
	say("write", write(fd, page, 100));
	say("long write", write(fd, page, sizeof(page)));
	say("pwrite", pwrite(fd, page, 100, 8192));
	say("close", close(fd));
	say("make", fd = make("l.write.EIO"));
	say("write", write(fd, page, 100));
	say("fsync", fsync(fd));
	say("make", fd = make("m.fsync.EIO"));
	say("write", write(fd, page, 100));
	say("fsync", fsync(fd));
	say("fsync", fsync(fd));
	say("close", close(fd));
	say("make", fd = make("n.fsync.EDQUOT"));
	say("write", write(fd, page, 100));
	say("fdatasync", fdatasync(fd));
	say("make", fd = make("o.flush.EDQUOT"));
	say("write", write(fd, page, 100));
	say("close", close(fd));
	say("make", fd = make("p.flush.EIO"));
	say("close one", close(dup(fd)));
	say("close the other", close(fd));
	say("make", fd = make("q.read.EIO"));
	say("write", write(fd, page, 100));
	say("close", close(fd));
	say("open", fd = open("q.read.EIO", O_RDONLY));
	say("read", read(fd, page, 100));
	say("make", fd = make("r.fallocate.ENOSPC"));
	say("fallocate", fallocate(fd, 0, 0, 100));
	say("make", fd = make("s.write.EIO"));
	say("truncate", ftruncate(fd, 4096));
	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	say("mmap", map == MAP_FAILED ? -1 : 0);
	if (map != MAP_FAILED) {
		map[0] = 'x';
		say("msync", msync(map, 4096, MS_SYNC));
	}
	return 0;
}

/* ---- acknowledged writes ---- */

/* Record i into each of three files, by write, O_APPEND and a mapping; then say so. */
static int acked(void)
{
	int w = make("written"), a = open("appended", O_CREAT | O_WRONLY | O_APPEND, 0644);
	int m = make("mapped");
	uint32_t *map;

	if (w < 0 || a < 0 || m < 0 || ftruncate(m, 1 << 20))
		return 1;
	map = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, m, 0);
	if (map == MAP_FAILED)
		return 1;
	for (uint32_t i = 1; i < 1 << 18; i++) {
		char name[32];

		if (pwrite(w, &i, 4, i * 4) != 4 || write(a, &i, 4) != 4)
			return 1;
		map[i] = i;
		if (i % 64 == 0) {
			snprintf(name, sizeof(name), "f%u", i);
			close(make("f"));
			if (rename("f", name))
				return 1;
		}
		if (write(1, &i, 4) != 4)
			return 1;
	}
	return 0;
}

/* ---- traps ---- */

static unsigned opened, secrets;

static void try_file(int dir, const char *name)
{
	char buf[64];
	struct stat st;
	int fd = openat(dir, name, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	ssize_t n;

	if (fd < 0)
		return;
	opened++;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
		n = read(fd, buf, sizeof(buf) - 1);
		buf[n > 0 ? n : 0] = '\0';
		if (strstr(buf, "SECRET"))
			secrets++;
	}
	close(fd);
}

static void walk(int dirfd, int depth)
{
	DIR *d = fdopendir(dirfd);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		char target[PATH_MAX];
		int sub;

		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		try_file(dirfd, e->d_name);
		(void)!readlinkat(dirfd, e->d_name, target, sizeof(target));
		(void)fchmodat(dirfd, e->d_name, 0777, 0);
		sub = openat(dirfd, e->d_name, O_RDONLY | O_DIRECTORY | O_NONBLOCK);
		if (sub >= 0 && depth < 6)
			walk(sub, depth + 1);
		else if (sub >= 0)
			close(sub);
	}
	if (d)
		closedir(d);
}

/* While a host process exchanges names: nothing from outside, and nothing hangs. */
static int traps(const char *top, int seconds)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	time_t end = time(NULL) + seconds;
	int s = socket(AF_UNIX, SOCK_STREAM, 0);

	if (chdir(top))
		return 1;
	strcpy(a.sun_path, "sock");
	say("connect to a socket of the host", connect(s, (struct sockaddr *)&a, sizeof(a)));
	say("write to a fifo nobody reads", open("fifo", O_WRONLY | O_NONBLOCK));
	do {
		walk(open(".", O_RDONLY | O_DIRECTORY), 0);
		for (int i = 0; i < 200; i++) {
			int fd = open("race/x/planted", O_CREAT | O_WRONLY, 0644);

			if (fd >= 0)
				close(fd);
			try_file(AT_FDCWD, "race/x/secret");
			try_file(AT_FDCWD, "race/x/../../../outside/secret");
			(void)unlink("race/x/secret");
			(void)truncate("race/x/secret", 0);
			(void)rename("race/x/planted", "race/x/secret");
		}
	} while (time(NULL) < end);
	printf("secrets: %u\nopened: %s\n", secrets, opened > 10 ? "some" : "too few");
	return secrets != 0;
}

/* ---- caches ---- */

static int stats(const char *top, int dirs, int files)
{
	struct stat st;
	char name[PATH_MAX], c;

	for (int i = 0; i < dirs * files; i++) {
		snprintf(name, sizeof(name), "%s/%d/%d", top, i / files, i % files);
		if (stat(name, &st)) {
			perror(name);
			return 1;
		}
	}
	printf("walked\n");
	fflush(stdout);
	(void)!read(0, &c, 1);
	c = 0;
	{
		int fd = open("/proc/sys/vm/drop_caches", O_WRONLY);

		say("drop caches", fd < 0 ? fd : write(fd, "3\n", 2));
		fflush(stdout);
	}
	(void)!read(0, &c, 1);
	return 0;
}

int main(int argc, char **argv)
{
	const char *mode = argc > 2 ? argv[1] : "";

	umask(0);
	if (!strcmp(mode, "traps"))
		return traps(argv[2], argc > 3 ? atoi(argv[3]) : 3);
	if (!strcmp(mode, "stats"))
		return stats(argv[2], atoi(argv[3]), atoi(argv[4]));
	if (argc < 3 || chdir(argv[2])) {
		fprintf(stderr, "usage: files MODE DIR ...\n");
		return 2;
	}
	if (!strcmp(mode, "full"))
		return full();
	if (!strcmp(mode, "errors"))
		return errors();
	if (!strcmp(mode, "readonly"))
		return readonly();
	if (!strcmp(mode, "limits"))
		return limits();
	return !strcmp(mode, "acked") ? acked() : 2;
}
