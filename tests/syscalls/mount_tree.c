/* The mount tree: moves, propagation between peers and slaves, flags, expiry, pivot_root. */
#include <time.h>
#include <sys/vfs.h>

#include "tests/harness/guest_mount.h"

static void dirs(const char *const *names)
{
	for (; *names; names++)
		CHECK_EQ(mkdir(*names, 0755), 0);
}
#define DIRS(...) dirs((const char *const[]){ __VA_ARGS__, NULL })

static void bind_on(const char *from, const char *to, unsigned long rec)
{
	CHECK_EQ(mount(from, to, NULL, MS_BIND | rec, NULL), 0);
}

static void set(const char *at, unsigned long type)
{
	CHECK_EQ(mount(NULL, at, NULL, type, NULL), 0);
}

static void done(const char *at)
{
	CHECK_EQ(umount2(at, MNT_DETACH), 0);
}

CASE(moving_a_mount, "mount")
{
	enter();
	DIRS("to", "dir");
	make("file", "");
	tmpfs("m", 0, NULL);
	make("m/f", "x");
	CHECK_ERR(mount("dir", "to", NULL, MS_MOVE, NULL), EINVAL); /* no mount */
	CHECK_ERR(mount("m", "file", NULL, MS_MOVE, NULL), EINVAL);
	CHECK_ERR(mount("", "to", NULL, MS_MOVE, NULL), EINVAL);
	CHECK_ERR(mount("none", "to", NULL, MS_MOVE, NULL), ENOENT);
	CHECK_EQ(mkdir("m/in", 0755), 0);
	CHECK_ERR(mount("m", "m/in", NULL, MS_MOVE, NULL), ELOOP);
	tmpfs("m/in", 0, NULL);
	make("m/in/g", "y");
	CHECK_EQ(mount("m", "to", NULL, MS_MOVE, NULL), 0);
	CHECK(!has("m/f") && has("to/f") && has("to/in/g"));
	CHECK_EQ(umount("to/in"), 0);
	CHECK_EQ(umount("to"), 0);
	CHECK_ERR(umount("m"), EINVAL);
}

CASE(peers_share_mounts, "mount,umount2")
{
	enter();
	DIRS("peer");
	tmpfs("a", 0, NULL);
	CHECK_EQ(mountinfo_group("a", "shared:"), 0);
	set("a", MS_SHARED);
	CHECK(mountinfo_group("a", "shared:") > 0);
	bind_on("a", "peer", 0);
	CHECK_EQ(mountinfo_group("peer", "shared:"), mountinfo_group("a", "shared:"));
	tmpfs("a/x", 0, NULL);
	make("a/x/f", "1");
	CHECK(has("peer/x/f"));
	CHECK(mountinfo_group("a/x", "shared:") > 0);
	CHECK_EQ(mountinfo_group("a/x", "shared:"), mountinfo_group("peer/x", "shared:"));
	tmpfs("peer/y", 0, NULL);
	make("peer/y/g", "2");
	CHECK(has("a/y/g"));
	CHECK_EQ(umount("peer/x"), 0); /* and there too */
	CHECK(!has("a/x/f") && mountinfo_group("a/x", "shared:") == 0);
	CHECK_ERR(mount("a/y", "peer/x", NULL, MS_MOVE, NULL), EINVAL); /* parent is shared */
	int fd = open("a/y/g", O_RDONLY);
	CHECK_ERR(umount("peer/y"), EBUSY); /* the other one is in use */
	CHECK_EQ(close(fd), 0);
	CHECK_EQ(umount("peer/y"), 0);
	CHECK(!has("a/y/g"));
	done("peer");
	done("a");
}

CASE(slaves_receive_only, "mount")
{
	int group;

	enter();
	DIRS("slave", "third");
	tmpfs("a", 0, NULL);
	set("a", MS_SHARED);
	group = mountinfo_group("a", "shared:");
	bind_on("a", "slave", 0);
	set("slave", MS_SLAVE);
	CHECK_EQ(mountinfo_group("slave", "master:"), group);
	CHECK_EQ(mountinfo_group("slave", "shared:"), 0);
	tmpfs("a/x", 0, NULL);
	make("a/x/f", "1");
	CHECK(has("slave/x/f"));
	CHECK_EQ(mountinfo_group("slave/x", "master:"), mountinfo_group("a/x", "shared:"));
	tmpfs("slave/y", 0, NULL);
	make("slave/y/f", "1");
	CHECK(!has("a/y/f"));
	/* A slave can have peers of its own. */
	set("slave", MS_SHARED);
	CHECK(mountinfo_group("slave", "shared:") > 0);
	CHECK_EQ(mountinfo_group("slave", "master:"), group);
	bind_on("slave", "third", 0);
	CHECK_EQ(mountinfo_group("third", "shared:"), mountinfo_group("slave", "shared:"));
	CHECK_EQ(mountinfo_group("third", "master:"), group);
	tmpfs("a/z", 0, NULL);
	make("a/z/f", "1");
	CHECK(has("slave/z/f") && has("third/z/f"));
	CHECK_EQ(mountinfo_group("third/z", "shared:"), mountinfo_group("slave/z", "shared:"));
	CHECK_EQ(mountinfo_group("third/z", "master:"), mountinfo_group("a/z", "shared:"));
	tmpfs("third/w", 0, NULL);
	make("third/w/f", "1");
	CHECK(has("slave/w/f") && !has("a/w/f"));
	CHECK_EQ(umount("a/z"), 0);
	CHECK(!has("third/z/f") && !has("slave/z/f"));
	/* The master goes: its slaves have none. */
	set("a", MS_PRIVATE);
	CHECK_EQ(mountinfo_group("slave", "master:"), 0);
	set("third", MS_PRIVATE | MS_REC);
	done("third");
	done("slave");
	done("a");
}

CASE(a_slave_of_a_leaving_peer, "mount")
{
	int group;

	enter();
	DIRS("b", "s");
	tmpfs("a", 0, NULL);
	set("a", MS_SHARED);
	group = mountinfo_group("a", "shared:");
	bind_on("a", "b", 0);
	bind_on("a", "s", 0);
	set("s", MS_SLAVE);
	done("a"); /* b is left as the master */
	CHECK_EQ(mountinfo_group("s", "master:"), group);
	tmpfs("b/x", 0, NULL);
	make("b/x/f", "1");
	CHECK(has("s/x/f"));
	done("b");
	CHECK_EQ(mountinfo_group("s", "master:"), 0);
	done("s");
}

CASE(parts_see_what_is_theirs, "mount")
{
	enter();
	DIRS("part", "other");
	tmpfs("a", 0, NULL);
	set("a", MS_SHARED);
	CHECK(mkdir("a/d", 0755) == 0 && mkdir("a/e", 0755) == 0);
	bind_on("a/d", "part", 0); /* shows only a part of the peer */
	tmpfs("a/d/x", 0, NULL);
	make("a/d/x/f", "1");
	tmpfs("a/e/x", 0, NULL);
	CHECK(has("part/x/f"));
	/* A tree arrives as one. */
	tmpfs("t", 0, NULL);
	tmpfs("t/u", 0, NULL);
	make("t/u/f", "1");
	CHECK_EQ(mkdir("a/d/t", 0755), 0);
	bind_on("t", "a/d/t", MS_REC);
	CHECK(has("part/t/u/f"));
	/* What was there first stays on top. */
	CHECK_EQ(mkdir("a/d/o", 0755), 0);
	set("part", MS_SLAVE);
	tmpfs("part/o", 0, NULL);
	make("part/o/mine", "1");
	tmpfs("a/d/o", 0, NULL);
	make("a/d/o/theirs", "1");
	CHECK(has("part/o/mine"));
	CHECK_EQ(umount("part/o"), 0);
	CHECK(has("part/o/theirs"));
	done("part");
	done("t");
	done("a");
}

CASE(unbindable, "mount")
{
	char f[200];

	enter();
	DIRS("b");
	tmpfs("a", 0, NULL);
	tmpfs("a/u", 0, NULL);
	make("a/u/f", "1");
	set("a/u", MS_UNBINDABLE);
	mountinfo("a/u", NULL, f);
	CHECK(!strcmp(f, "unbindable"));
	CHECK_ERR(mount("a/u", "b", NULL, MS_BIND, NULL), EINVAL);
	bind_on("a", "b", MS_REC); /* without it */
	CHECK(has("b/u") && !has("b/u/f"));
	done("b");
	tmpfs("s", 0, NULL);
	set("s", MS_SHARED);
	CHECK_EQ(mkdir("s/x", 0755), 0);
	CHECK_ERR(mount("a", "s/x", NULL, MS_MOVE, NULL), EINVAL);
	set("a/u", MS_PRIVATE);
	CHECK_EQ(mount("a", "s/x", NULL, MS_MOVE, NULL), 0);
	CHECK(has("s/x/u/f"));
	CHECK(mountinfo_group("s/x", "shared:") > 0 && mountinfo_group("s/x/u", "shared:") > 0);
	done("s");
}

CASE(propagation_errors, "mount")
{
	enter();
	DIRS("d");
	tmpfs("a", 0, NULL);
	CHECK_ERR(mount(NULL, "a", NULL, MS_SHARED | MS_PRIVATE, NULL), EINVAL);
	CHECK_ERR(mount(NULL, "a", NULL, MS_SHARED | MS_RDONLY, NULL), EINVAL);
	CHECK_ERR(mount(NULL, "d", NULL, MS_SHARED, NULL), EINVAL);
	CHECK_EQ(mount(NULL, "a", NULL, MS_SHARED | MS_SILENT, NULL), 0);
	CHECK_EQ(mount(NULL, "a", NULL, MS_SLAVE, NULL), 0); /* of nobody: private */
	CHECK_EQ(mountinfo_group("a", "master:"), 0);
	CHECK_EQ(mountinfo_group("a", "shared:"), 0);
	tmpfs("a/in", 0, NULL);
	set("a", MS_SHARED | MS_REC);
	CHECK(mountinfo_group("a/in", "shared:") > 0);
	CHECK(mountinfo_group("a/in", "shared:") != mountinfo_group("a", "shared:"));
	done("a");
}

static void opts_are(const char *at, const char *want)
{
	char got[300] = "", f[200];

	mountinfo(at, got, f);
	if (strcmp(got, want))
		guest_fail(__FILE__, __LINE__, "%s is mounted %s, not %s", at, got, want);
}

static unsigned long st_flags(const char *at)
{
	struct statfs s;

	CHECK_EQ(statfs(at, &s), 0);
	return (unsigned long)s.f_flags & ~0x20ul; /* ST_VALID */
}

CASE(flags_shown, "mount,statfs")
{
	enter();
	DIRS("b");
	tmpfs("a", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NODIRATIME, NULL);
	opts_are("a", "rw,nosuid,nodev,noexec,nodiratime,relatime");
	CHECK_EQ(st_flags("a"), 2 | 4 | 8 | 0x800 | 0x1000);
	CHECK_EQ(mount(NULL, "a", NULL, MS_REMOUNT | MS_NOATIME, NULL), 0);
	opts_are("a", "rw,noatime");
	CHECK_EQ(mount(NULL, "a", NULL, MS_REMOUNT | MS_NODEV, NULL), 0); /* atime is kept */
	opts_are("a", "rw,nodev,noatime");
	CHECK_EQ(mount(NULL, "a", NULL, MS_REMOUNT | MS_STRICTATIME, NULL), 0);
	opts_are("a", "rw");
	CHECK_EQ(mount(NULL, "a", NULL, MS_REMOUNT | MS_RELATIME | 256, NULL), 0);
	opts_are("a", "rw,relatime,nosymfollow");
	CHECK_EQ(st_flags("a"), 0x1000 | 0x2000);
	bind_on("a", "b", 0);
	opts_are("b", "rw,relatime,nosymfollow");
	CHECK_EQ(mount(NULL, "b", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), 0);
	opts_are("b", "ro,relatime");
	opts_are("a", "rw,relatime,nosymfollow");
	CHECK_EQ(st_flags("b"), 1 | 0x1000);
	make("a/f", "x");
	CHECK_ERR(open("b/f", O_RDWR), EROFS);
	done("b");
	done("a");
}

CASE(read_only_file_system, "mount,statfs")
{
	enter();
	DIRS("b");
	tmpfs("a", 0, NULL);
	make("a/f", "x");
	bind_on("a", "b", 0);
	/* Not of the mount: the file system itself, so all its mounts. */
	int fd = open("b/f", O_WRONLY);
	CHECK_ERR(mount(NULL, "a", NULL, MS_REMOUNT | MS_RDONLY, NULL), EBUSY);
	CHECK_EQ(close(fd), 0);
	CHECK_EQ(mount(NULL, "a", NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
	CHECK_ERR(open("b/f", O_WRONLY), EROFS);
	opts_are("b", "rw,relatime");
	opts_are("a", "ro,relatime");
	CHECK_EQ(st_flags("b") & 1, 1);
	CHECK_EQ(mount(NULL, "a", NULL, MS_REMOUNT, NULL), 0);
	fd = open("b/f", O_WRONLY);
	CHECK(fd >= 0);
	CHECK_EQ(close(fd), 0);
	done("b");
	done("a");
}

CASE(no_symlinks_followed, "mount,open,openat")
{
	char b[10];

	enter();
	tmpfs("a", 256 /* MS_NOSYMFOLLOW */, NULL);
	make("a/f", "x");
	CHECK(mkdir("a/d", 0755) == 0 && symlink("f", "a/l") == 0 && symlink("d", "a/dl") == 0);
	CHECK_ERR(open("a/l", O_RDONLY), ELOOP);
	CHECK_ERR(access("a/dl/x", F_OK), ELOOP);
	CHECK_EQ(readlink("a/l", b, sizeof(b)), 1);
	CHECK(open("a/l", O_PATH | O_NOFOLLOW) >= 0);
	done("a");
}

static long atime(const char *name)
{
	struct stat st;

	CHECK_EQ(stat(name, &st), 0);
	return st.st_atim.tv_sec;
}

static void read_it(const char *name)
{
	char c;
	int fd = open(name, O_RDONLY);

	CHECK(fd >= 0 && read(fd, &c, 1) == 1);
	CHECK_EQ(close(fd), 0);
}

CASE(access_times, "mount,utimensat")
{
	struct timespec old[2] = { { 1000, 0 }, { 500, 0 } }, recent[2];

	enter();
	tmpfs("a", MS_NOATIME, NULL);
	make("a/f", "x");
	CHECK_EQ(utimensat(AT_FDCWD, "a/f", old, 0), 0);
	read_it("a/f");
	CHECK_EQ(atime("a/f"), 1000);
	CHECK_EQ(mount(NULL, "a", NULL, MS_REMOUNT | MS_RELATIME, NULL), 0);
	read_it("a/f");
	CHECK(atime("a/f") > 1000);
	clock_gettime(CLOCK_REALTIME, &recent[0]);
	recent[0].tv_sec += 100;
	recent[1] = old[1];
	CHECK_EQ(utimensat(AT_FDCWD, "a/f", recent, 0), 0);
	read_it("a/f"); /* newer than all else and younger than a day */
	CHECK_EQ(atime("a/f"), recent[0].tv_sec);
	CHECK_EQ(mount(NULL, "a", NULL, MS_REMOUNT | MS_STRICTATIME, NULL), 0);
	read_it("a/f");
	CHECK(atime("a/f") < recent[0].tv_sec);
	done("a");
}

CASE(expiry, "umount2")
{
	enter();
	tmpfs("a", 0, NULL);
	CHECK_ERR(umount2("a", MNT_EXPIRE | MNT_DETACH), EINVAL);
	CHECK_ERR(umount2("a", MNT_EXPIRE | MNT_FORCE), EINVAL);
	CHECK_ERR(umount2("a", MNT_EXPIRE), EAGAIN);
	CHECK(!has("a/x")); /* somebody came by */
	CHECK_ERR(umount2("a", MNT_EXPIRE), EAGAIN);
	CHECK_EQ(umount2("a", MNT_EXPIRE), 0);
	tmpfs("a", 0, NULL);
	int fd = open("a", O_RDONLY);
	CHECK_ERR(umount2("a", MNT_EXPIRE), EBUSY);
	CHECK_EQ(close(fd), 0);
	CHECK_EQ(umount2("a", MNT_FORCE), 0);
}

CASE(pivoting, "pivot_root")
{
	char path[400];

	enter();
	DIRS("plain");
	CHECK_ERR(syscall(SYS_pivot_root, "plain", "plain"), EBUSY);
	tmpfs("new", 0, NULL);
	CHECK(mkdir("new/old", 0755) == 0 && mkdir("new/dir", 0755) == 0);
	make("file", "");
	CHECK_ERR(syscall(SYS_pivot_root, "file", "new/old"), ENOTDIR);
	CHECK_ERR(syscall(SYS_pivot_root, "new", "missing"), ENOENT);
	CHECK_ERR(syscall(SYS_pivot_root, "new", "plain"), EBUSY);  /* on the old root */
	CHECK_ERR(syscall(SYS_pivot_root, "new/dir", "new/old"), EINVAL); /* no mount */
	CHECK_EQ(chdir("new"), 0);
	CHECK_EQ(syscall(SYS_pivot_root, ".", "old"), 0);
	CHECK(has("/dir") && has("/old/proc") && !has("/proc"));
	snprintf(path, sizeof(path), "/old%s/new", guest_dir);
	CHECK_EQ(rmdir("dir"), 0); /* the working directory has not moved */
	/* And back. */
	CHECK_EQ(syscall(SYS_pivot_root, "/old", path), 0);
	CHECK(has("/proc/self/stat") && !has("/old/proc"));
	CHECK_EQ(chdir(guest_dir), 0);
	CHECK(has("new/old"));
	/* One on the other, as container runtimes do it. */
	CHECK_EQ(WEXITSTATUS(IN_CHILD({
		if (unshare(CLONE_NEWNS) == 0) {
			CHECK_EQ(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
			CHECK_EQ(chdir("new"), 0);
			CHECK_EQ(syscall(SYS_pivot_root, ".", "."), 0);
			CHECK_EQ(umount2(".", MNT_DETACH), 0);
			CHECK(has("/old") && !has("/proc") && !has("/old/proc"));
		}
	})), 0);
	CHECK_EQ(umount("new"), 0);
	CHECK_EQ(WEXITSTATUS(IN_CHILD({
		if (chmod(".", 0755) || setuid(1000))
			_exit(9);
		CHECK_ERR(syscall(SYS_pivot_root, "/", "/"), EPERM);
	})), 0);
}

CASE(chroot_and_mounts, "chroot,mount,chdir")
{
	struct stat a, b;

	enter();
	tmpfs("r", 0, NULL);
	CHECK(mkdir("r/d", 0755) == 0);
	CHECK_EQ(WEXITSTATUS(IN_CHILD({
		int top = open("/", O_RDONLY | O_DIRECTORY);

		CHECK_EQ(chroot("r"), 0);
		CHECK_EQ(chdir("/d/../../.."), 0); /* not above the root */
		CHECK(stat("/", &a) == 0 && stat(".", &b) == 0 && a.st_ino == b.st_ino &&
		      a.st_dev == b.st_dev);
		CHECK_EQ(fchdir(top), 0); /* but around it */
		CHECK(has("proc/self"));
	})), 0);
	CHECK_EQ(umount("r"), 0);
}

MAIN()
