/* A guest that mounts, binds, moves, shares, stacks and takes away at random, from several
 * processes, over directories that others work in: whatever comes of it, the sandbox must go
 * on, and give back all when it ends.
 *
 * usage: mounts SEED SECONDS   prints "ok mounts/NAME" or "FAIL mounts/NAME" */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#define PROCESSES 3
#define FDS 16

static uint64_t state;
static int fds[FDS];
static unsigned long done, good;

static unsigned rnd(unsigned n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned)(state >> 33) % n;
}

/* a/b/c, of names of one letter; now and then with "..", but not out of it. */
static const char *name(void)
{
	static char bufs[8][64];
	static unsigned at;
	char *b = bufs[at++ % 8], *p = b;
	unsigned depth = 1 + rnd(3), up = 0;

	p += sprintf(p, "/tmp/hm");
	for (unsigned i = 0; i < depth; i++)
		if (rnd(20) || i == up * 2)
			p += sprintf(p, "/%c", 'a' + (int)rnd(5));
		else
			p += sprintf(p, "/.."), up++;
	return b;
}

static void count(long r)
{
	done++;
	good += r >= 0;
}

static void mounting(void)
{
	static const unsigned long prop[] = { MS_SHARED, MS_PRIVATE, MS_SLAVE, MS_UNBINDABLE };
	static const char *const types[] = { "tmpfs", "ramfs", "proc", "sysfs", "devpts", "tmpfs" };
	char opts[300];

	switch (rnd(9)) {
	case 0:
		count(mount("none", name(), types[rnd(6)], rnd(8) ? 0 : MS_RDONLY, NULL));
		break;
	case 1:
		count(mount(name(), name(), NULL, MS_BIND | (rnd(3) ? 0 : MS_REC), NULL));
		break;
	case 2:
		count(mount(name(), name(), NULL, MS_MOVE, NULL));
		break;
	case 3:
		count(mount(NULL, name(), NULL, prop[rnd(4)] | (rnd(3) ? 0 : MS_REC), NULL));
		break;
	case 4:
		count(mount(NULL, name(), NULL, MS_REMOUNT | (rnd(2) ? MS_BIND : 0) |
			    (rnd(3) ? 0 : MS_RDONLY) | (rnd(2) ? MS_NOSUID : 0), NULL));
		break;
	case 5:
		snprintf(opts, sizeof(opts), "lowerdir=%s:%s,upperdir=%s,workdir=%s", name(), name(),
			 name(), name());
		count(mount("o", name(), "overlay", 0, opts));
		break;
	case 6:
		count(umount2(name(), rnd(3) ? MNT_DETACH : rnd(2) ? 0 : MNT_EXPIRE));
		break;
	case 7:
		count(umount2(name(), MNT_DETACH));
		break;
	default:
		snprintf(opts, sizeof(opts), "lowerdir=%s:%s", name(), name());
		count(mount("o", name(), "overlay", 0, opts));
	}
}

static void keep(int fd)
{
	unsigned i = rnd(FDS);

	count(fd);
	if (fds[i] > 2)
		close(fds[i]);
	fds[i] = fd;
}

static void trees(void)
{
	int *fd = &fds[rnd(FDS)];
	struct mount_attr a = { .attr_set = rnd(2) ? MOUNT_ATTR_RDONLY : 0,
				.propagation = rnd(2) ? MS_SHARED : 0 };

	switch (rnd(4)) {
	case 0:
		keep(open_tree(AT_FDCWD, name(), OPEN_TREE_CLONE | (rnd(2) ? AT_RECURSIVE : 0)));
		break;
	case 1:
		count(move_mount(*fd, "", AT_FDCWD, name(), MOVE_MOUNT_F_EMPTY_PATH));
		break;
	case 2:
		count(mount_setattr(AT_FDCWD, name(), rnd(2) ? AT_RECURSIVE : 0, &a, sizeof(a)));
		break;
	default: {
		int fs = fsopen(rnd(2) ? "tmpfs" : "overlay", 0);

		if (rnd(2))
			fsconfig(fs, FSCONFIG_SET_STRING, "lowerdir", name(), 0);
		fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
		keep(fsmount(fs, 0, 0));
		close(fs);
	}
	}
}

static void working(void)
{
	char b[100];

	switch (rnd(14)) {
	case 0:
	case 1:
		count(mkdir(name(), 0755));
		break;
	case 2:
		keep(open(name(), O_CREAT | O_RDWR, 0644));
		break;
	case 3:
		keep(open(name(), rnd(2) ? O_RDONLY : O_PATH));
		break;
	case 4:
		count(rename(name(), name()));
		break;
	case 5:
		count(unlink(name()));
		break;
	case 6:
		count(rmdir(name()));
		break;
	case 7:
		count(link(name(), name()));
		break;
	case 8:
		count(write(fds[rnd(FDS)], b, sizeof(b)));
		break;
	case 9:
		count(chdir(name()));
		break;
	case 10:
		count(syscall(SYS_getdents64, fds[rnd(FDS)], b, sizeof(b)));
		break;
	case 11:
		count(mknod(name(), S_IFCHR, 0));
		break;
	case 12:
		count(setxattr(name(), rnd(2) ? "trusted.overlay.opaque" : "user.x", "y", 1, 0));
		break;
	default:
		count(syscall(SYS_renameat2, AT_FDCWD, name(), AT_FDCWD, name(), 1u << rnd(3)));
	}
}

static int run(unsigned seed, unsigned seconds)
{
	time_t end = time(NULL) + seconds;

	state = seed * 0x9e3779b97f4a7c15ull + 1;
	while (time(NULL) < end) {
		for (int i = 0; i < 50; i++) {
			unsigned what = rnd(10);

			if (what < 3)
				mounting();
			else if (what < 4)
				trees();
			else
				working();
		}
		if (rnd(20) == 0) {
			static char buf[65536];
			int fd = open("/proc/self/mountinfo", O_RDONLY);

			while (read(fd, buf, sizeof(buf)) > 0)
				;
			close(fd);
		}
		/* What was bound recursively grows fast. */
		if (rnd(30) == 0)
			for (int i = 0; i < 5; i++) {
				char top[20];

				snprintf(top, sizeof(top), "/tmp/hm/%c", 'a' + i);
				while (umount2(top, MNT_DETACH) == 0)
					;
			}
	}
	return good == 0;
}

int main(int argc, char **argv)
{
	unsigned seed = argc > 1 ? (unsigned)atoi(argv[1]) : 1;
	unsigned seconds = argc > 2 ? (unsigned)atoi(argv[2]) : 5;
	int bad = 0, st;
	FILE *f;

	mkdir("/tmp/hm", 0755);
	if (mount("none", "/tmp/hm", "tmpfs", 0, NULL) < 0) {
		printf("FAIL mounts/begin: %s\n", strerror(errno));
		return 1;
	}
	for (int i = 0; i < PROCESSES; i++)
		if (fork() == 0)
			_exit(run(seed * 10 + (unsigned)i, seconds));
	while (wait(&st) > 0)
		bad |= st;
	/* All is as it was: files can be made, and what is mounted can be taken away. Links and
	 * ".." may have led as far as the root, which Linux lets root make read-only, too. */
	while (umount2("/tmp/hm", MNT_DETACH) == 0)
		;
	if (mkdir("/var/tmp/hm2", 0755) < 0 && errno == EROFS) {
		printf("ok mounts/seed-%u (read-only)\n", seed);
		return bad != 0;
	}
	if (mount("none", "/var/tmp/hm2", "tmpfs", 0, NULL) < 0)
		bad |= 1 << 16;
	f = fopen("/var/tmp/hm2/f", "w");
	if (!f || fputs("x", f) < 0 || fclose(f) || umount("/var/tmp/hm2"))
		bad |= 1 << 17;
	printf("%s mounts/seed-%u", bad ? "FAIL" : "ok", seed);
	printf(bad ? ": %x, errno %d\n" : "\n", bad, errno);
	return bad != 0;
}
