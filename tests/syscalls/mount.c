/* Mounts: tmpfs, bind mounts, remounting, and taking them away. Natively in a mount
 * namespace of the case's own; where none can be had, in the one there is. */
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "tests/harness/guest_mount.h"

static void *volatile bad = (void *)8;

CASE(tmpfs_covers_and_uncovers, "mount,umount2,stat,statfs")
{
	struct stat under, on;
	struct statfs fs;
	char line[100];

	enter();
	CHECK_EQ(mkdir("m", 0755), 0);
	make("m/below", "x");
	CHECK_EQ(stat("m", &under), 0);
	tmpfs("m", 0, NULL);
	CHECK(!has("m/below"));
	CHECK(stat("m", &on) == 0 && on.st_dev != under.st_dev);
	CHECK(statfs("m", &fs) == 0 && fs.f_type == TMPFS_MAGIC);
	make("m/above", "y");
	snprintf(line, sizeof(line), "%s/m tmpfs rw", guest_dir);
	CHECK(listed(line));
	tmpfs("m", 0, NULL); /* one upon another */
	CHECK(!has("m/above"));
	CHECK_EQ(umount("m"), 0);
	CHECK(has("m/above"));
	CHECK_EQ(umount2("m", 0), 0);
	CHECK(has("m/below") && !has("m/above"));
	CHECK(!listed(line));
	CHECK_ERR(umount2("m", 0), EINVAL);
}

CASE(tmpfs_options, "mount,write")
{
	struct stat st;
	static char b[100000];
	int fd;

	enter();
	tmpfs("m", 0, "size=64k,mode=0710,uid=5,gid=6");
	CHECK_EQ(stat("m", &st), 0);
	CHECK((st.st_mode & 07777) == 0710 && st.st_uid == 5 && st.st_gid == 6);
	fd = open("m/f", O_CREAT | O_RDWR, 0600);
	CHECK_EQ(write(fd, b, sizeof(b)), 65536);
	CHECK_ERR(write(fd, b, 4096), ENOSPC);
	CHECK_EQ(ftruncate(fd, 0), 0);
	CHECK_EQ(pwrite(fd, b, 4096, 0), 4096); /* room again */
	CHECK_EQ(close(fd), 0);
	CHECK_EQ(umount("m"), 0);
	CHECK_ERR(mount("none", "m", "tmpfs", 0, "nonsense=1"), EINVAL);
}

CASE(busy_and_detached, "umount2,open")
{
	struct stat st;
	int fd, d;
	char c;

	enter();
	tmpfs("m", 0, NULL);
	make("m/f", "x");
	fd = open("m/f", O_RDONLY);
	CHECK_ERR(umount2("m", 0), EBUSY);
	d = open("m", O_RDONLY);
	CHECK_EQ(umount2("m", MNT_DETACH), 0);
	CHECK(!has("m/f"));
	CHECK(read(fd, &c, 1) == 1 && c == 'x'); /* lives until the last user goes */
	CHECK(fstatat(d, "f", &st, 0) == 0);
	CHECK_EQ(mkdirat(d, "new", 0700), 0);
	tmpfs("m", 0, NULL);
	CHECK_EQ(chdir("m"), 0);
	CHECK_ERR(umount2(".", 0), EBUSY);
	CHECK_EQ(chdir(".."), 0);
	CHECK_EQ(umount2("m", 0), 0);
}

CASE(bind_directories, "mount")
{
	struct stat a, b;

	enter();
	CHECK(mkdir("src", 0755) == 0 && mkdir("dst", 0755) == 0);
	make("src/f", "x");
	CHECK_EQ(mount("src", "dst", NULL, MS_BIND, NULL), 0);
	CHECK(stat("src/f", &a) == 0 && stat("dst/f", &b) == 0);
	CHECK(a.st_ino == b.st_ino && a.st_dev == b.st_dev);
	make("dst/g", "y");
	CHECK(has("src/g"));
	CHECK_ERR(rename("src/f", "dst/h"), EXDEV); /* one file system, but two mounts */
	CHECK_ERR(link("src/f", "dst/h"), EXDEV);
	CHECK_ERR(rmdir("dst"), EBUSY);
	CHECK_ERR(rename("dst", "dst2"), EBUSY);
	CHECK_EQ(umount("dst"), 0);
	CHECK(!has("dst/f"));
	make("one", "1");
	make("two", "2");
	CHECK_EQ(mount("one", "two", NULL, MS_BIND, NULL), 0); /* a file on a file */
	CHECK(stat("one", &a) == 0 && stat("two", &b) == 0 && a.st_ino == b.st_ino);
	CHECK_ERR(unlink("two"), EBUSY);
	CHECK_ERR(mount("src", "one", NULL, MS_BIND, NULL), ENOTDIR);
	CHECK_ERR(mount("one", "src", NULL, MS_BIND, NULL), ENOTDIR);
	CHECK_ERR(mount("none", "src", NULL, MS_BIND, NULL), ENOENT);
	CHECK_EQ(umount("two"), 0);
}

CASE(recursive_bind, "mount,umount2")
{
	enter();
	CHECK(mkdir("src", 0755) == 0 && mkdir("dst", 0755) == 0);
	tmpfs("src/sub", 0, NULL);
	make("src/sub/f", "x");
	CHECK_EQ(mount("src", "dst", NULL, MS_BIND, NULL), 0);
	CHECK(has("dst/sub") && !has("dst/sub/f"));
	CHECK_EQ(umount("dst"), 0);
	CHECK_EQ(mount("src", "dst", NULL, MS_BIND | MS_REC, NULL), 0);
	CHECK(has("dst/sub/f"));
	CHECK_ERR(umount2("dst", 0), EBUSY);
	CHECK_EQ(umount2("dst", MNT_DETACH), 0);
	CHECK(!has("dst/sub"));
	CHECK_EQ(umount("src/sub"), 0);
}

CASE(read_only, "mount,open,mkdir,unlink,chmod,access")
{
	int fd;

	enter();
	tmpfs("m", 0, NULL);
	make("m/f", "x");
	fd = open("m/f", O_RDWR);
	CHECK_ERR(mount(NULL, "m", NULL, MS_REMOUNT | MS_RDONLY, NULL), EBUSY); /* open for writing */
	CHECK_EQ(close(fd), 0);
	CHECK_EQ(mount(NULL, "m", NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
	CHECK_ERR(open("m/f", O_RDWR), EROFS);
	CHECK_ERR(open("m/new", O_CREAT | O_RDWR, 0600), EROFS);
	CHECK_ERR(open("m/f", O_RDONLY | O_TRUNC), EROFS);
	CHECK(open("m/f", O_CREAT | O_RDONLY, 0600) >= 0); /* exists: nothing to create */
	CHECK_ERR(mkdir("m/d", 0700), EROFS);
	CHECK_ERR(mkdir("m/f", 0700), EEXIST);
	CHECK_ERR(unlink("m/f"), EROFS);
	CHECK_ERR(unlink("m/none"), EROFS);
	CHECK_ERR(chmod("m/f", 0600), EROFS);
	CHECK_ERR(truncate("m/f", 0), EROFS);
	CHECK_ERR(rename("m/f", "m/g"), EROFS);
	CHECK_ERR(symlink("x", "m/l"), EROFS);
	CHECK_ERR(access("m/f", W_OK), EROFS);
	CHECK_EQ(mount(NULL, "m", NULL, MS_REMOUNT, NULL), 0);
	CHECK_EQ(mkdir("m/d", 0700), 0);
	CHECK_EQ(umount2("m", MNT_DETACH), 0);
}

CASE(read_only_bind, "mount")
{
	enter();
	CHECK(mkdir("src", 0755) == 0 && mkdir("dst", 0755) == 0);
	make("src/f", "x");
	CHECK_EQ(mount("src", "dst", NULL, MS_BIND, NULL), 0);
	CHECK_EQ(mount(NULL, "dst", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), 0);
	CHECK_ERR(open("dst/f", O_RDWR), EROFS);
	CHECK_ERR(mkdir("dst/d", 0700), EROFS);
	make("src/f", "still writable");
	CHECK_EQ(umount("dst"), 0);
}

CASE(no_execution, "mount,execve,mmap")
{
	char cmd[] = "cp /bin/true m/true";
	int fd;

	enter();
	tmpfs("m", MS_NOEXEC, NULL);
	CHECK_EQ(system(cmd), 0);
	CHECK_ERR(execl("m/true", "true", (char *)NULL), EACCES);
	fd = open("m/true", O_RDONLY);
	CHECK(mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) == MAP_FAILED && errno == EPERM);
	CHECK(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0) != MAP_FAILED);
	CHECK_ERR(access("m/true", X_OK), EACCES);
	CHECK_EQ(umount2("m", MNT_DETACH), 0);
}

CASE(no_set_id, "mount,execve")
{
	char cmd[] = "cp /bin/dash m/sh && chown 1234 m/sh && chmod 4755 m/sh && chmod 755 .";

	enter();
	tmpfs("m", MS_NOSUID, NULL);
	if (system(cmd) != 0)
		SKIP("no /bin/dash");
	CHECK_EQ(WEXITSTATUS(IN_CHILD({
		if (setuid(1000))
			_exit(9);
		execl("m/sh", "sh", "-p", "-c", "exit $(grep ^Uid: /proc/self/status | grep -c 1234)", (char *)NULL);
	})), 0);
	CHECK_EQ(umount2("m", MNT_DETACH), 0);
}

CASE(mount_errors, "mount,umount2")
{
	enter();
	CHECK_EQ(mkdir("m", 0755), 0);
	make("f", "x");
	CHECK_ERR(mount("none", "m", "nothingfs", 0, NULL), ENODEV);
	CHECK_ERR(mount("none", "missing", "tmpfs", 0, NULL), ENOENT);
	CHECK_ERR(mount("none", "f", "tmpfs", 0, NULL), ENOTDIR);
	CHECK_ERR(mount("none", bad, "tmpfs", 0, NULL), EFAULT);
	CHECK_ERR(mount("none", "m", bad, 0, NULL), EFAULT);
	CHECK_ERR(mount("none", "m", NULL, 0, NULL), EINVAL);
	CHECK_ERR(mount(NULL, "m", NULL, MS_REMOUNT, NULL), EINVAL); /* no mount there */
	CHECK_ERR(umount2("m", 0), EINVAL);
	CHECK_ERR(umount2("missing", 0), ENOENT);
	CHECK_ERR(umount2("m", 0x100), EINVAL);
	CHECK_ERR(umount2(bad, 0), EFAULT);
	CHECK_EQ(symlink("m", "l"), 0);
	CHECK_EQ(chmod(".", 0755), 0);
	tmpfs("m", 0, NULL);
	CHECK_ERR(umount2("l", UMOUNT_NOFOLLOW), EINVAL);
	CHECK_EQ(WEXITSTATUS(IN_CHILD({
		if (setuid(1000))
			_exit(9);
		CHECK_ERR(mount("none", "m", "tmpfs", 0, NULL), EPERM);
		CHECK_ERR(umount2("m", 0), EPERM);
	})), 0);
	CHECK_EQ(umount2("l", 0), 0); /* followed */
}

CASE(walking_across, "openat2,getcwd,chdir")
{
	struct open_how how = { .flags = O_PATH, .resolve = RESOLVE_NO_XDEV };
	struct stat st;
	char cwd[200];

	enter();
	tmpfs("m", 0, NULL);
	CHECK_EQ(mkdir("m/d", 0755), 0);
	make("f", "outside");
	CHECK_ERR(syscall(SYS_openat2, AT_FDCWD, "m/d", &how, sizeof(how)), EXDEV);
	CHECK_EQ(chdir("m/d"), 0);
	CHECK(has("../../f"));
	CHECK(getcwd(cwd, sizeof(cwd)) && strstr(cwd, "/m/d"));
	CHECK(stat("../..", &st) == 0 && chdir("../..") == 0);
	CHECK(getcwd(cwd, sizeof(cwd)) && !strcmp(cwd, guest_dir));
	CHECK_EQ(umount("m"), 0);
}

CASE(another_proc, "mount,umount2")
{
	struct statfs fs;
	char path[64];

	enter();
	CHECK_EQ(mkdir("p", 0755), 0);
	CHECK_EQ(mount("proc", "p", "proc", 0, NULL), 0);
	CHECK(statfs("p", &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC);
	snprintf(path, sizeof(path), "p/%d/status", getpid());
	CHECK(has(path) && has("p/self/status") && has("p/uptime"));
	CHECK_EQ(umount("p"), 0);
}

/* The options behind the flags in /proc/self/mounts. */
static void super_options(const char *at, char out[200])
{
	static char line[8192];
	char where[300], dir[4096], opts[200];
	FILE *f = fopen("/proc/self/mounts", "r");

	snprintf(where, sizeof(where), "%s/%s", guest_dir, at);
	out[0] = 0;
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%*s %4095s %*s %199s", dir, opts) == 2 && !strcmp(dir, where)) {
			char *p = strstr(opts, "time");

			snprintf(out, 200, "%s", p ? p + 4 : opts);
		}
	if (f)
		fclose(f);
}

CASE(tmpfs_limits, "mount,statfs,mknod,symlink")
{
	struct statfs fs;
	char name[50], opts[200];
	int n = 0, fd;
	static char b[8192];

	enter();
	tmpfs("m", 0, "size=64k,nr_inodes=10,mode=710,uid=5");
	super_options("m", opts);
	CHECK(!strncmp(opts, ",size=64k,nr_inodes=10,mode=710,uid=5", 37));
	CHECK(statfs("m", &fs) == 0 && fs.f_blocks == 16 && fs.f_files == 10);
	do
		snprintf(name, sizeof(name), "m/f%d", n++);
	while (mknod(name, S_IFREG | 0600, 0) == 0);
	CHECK(errno == ENOSPC && n == 10); /* the root is one */
	CHECK_ERR(symlink("x", "m/link"), ENOSPC);
	CHECK_ERR(mkdir("m/dir", 0700), ENOSPC);
	CHECK_ERR(link("m/f0", "m/hard"), ENOSPC);
	CHECK_EQ(unlink("m/f0"), 0);
	CHECK_EQ(mkdir("m/dir", 0700), 0);
	CHECK(statfs("m", &fs) == 0 && fs.f_ffree == 0);
	fd = open("m/f1", O_WRONLY);
	CHECK_EQ(write(fd, b, 8192), 8192);
	CHECK_EQ(close(fd), 0);
	CHECK(statfs("m", &fs) == 0 && fs.f_bfree == 14 && fs.f_bavail == 14);
	/* More, less, but not less than there is. */
	CHECK_EQ(mount(NULL, "m", NULL, MS_REMOUNT, "size=8k,nr_inodes=20"), 0);
	CHECK(statfs("m", &fs) == 0 && fs.f_blocks == 2 && fs.f_bfree == 0 && fs.f_files == 20);
	CHECK_EQ(mknod("m/f0", S_IFREG | 0600, 0), 0);
	CHECK_ERR(mount(NULL, "m", NULL, MS_REMOUNT, "size=4k"), EINVAL);
	CHECK_ERR(mount(NULL, "m", NULL, MS_REMOUNT, "nr_inodes=5"), EINVAL);
	CHECK_ERR(mount(NULL, "m", NULL, MS_REMOUNT, "nothing=5"), EINVAL);
	CHECK_EQ(mount(NULL, "m", NULL, MS_REMOUNT, NULL), 0); /* all as it was */
	CHECK(statfs("m", &fs) == 0 && fs.f_blocks == 2);
	CHECK_EQ(umount("m"), 0);
	CHECK_ERR(mount("none", "m", "tmpfs", 0, "size=x"), EINVAL);
	CHECK_ERR(mount("none", "m", "tmpfs", 0, "mode=9"), EINVAL);
	CHECK_ERR(mount("none", "m", "tmpfs", 0, "huge=no"), EINVAL);
	CHECK_EQ(mount("none", "m", "tmpfs", 0, "huge=never,size=50%"), 0);
	CHECK_EQ(umount("m"), 0);
}

CASE(a_ramfs, "mount,statfs")
{
	struct statfs fs;
	struct stat st;
	char opts[200];
	static char b[100000];
	int fd;

	enter();
	CHECK_EQ(mkdir("m", 0755), 0);
	CHECK_EQ(mount("none", "m", "ramfs", 0, "mode=700,size=4k"), 0); /* ignored */
	CHECK(statfs("m", &fs) == 0 && fs.f_type == RAMFS_MAGIC && fs.f_blocks == 0);
	CHECK(stat("m", &st) == 0 && (st.st_mode & 07777) == 0700);
	super_options("m", opts);
	CHECK(strstr(opts, ",mode=700"));
	fd = open("m/f", O_CREAT | O_RDWR, 0600);
	CHECK_EQ(write(fd, b, sizeof(b)), sizeof(b));
	CHECK_EQ(close(fd), 0);
	CHECK_EQ(umount("m"), 0);
}

CASE(a_cgroup_view, "mount,statfs")
{
	struct statfs fs;
	char b[100] = "";
	int fd;

	enter();
	CHECK_EQ(mkdir("c", 0755), 0);
	if (mount("none", "c", "cgroup2", 0, NULL) < 0)
		SKIP("no cgroup2 here");
	CHECK(statfs("c", &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC);
	CHECK(has("c/cgroup.procs") && has("c/cgroup.controllers"));
	fd = open("c/cgroup.procs", O_RDONLY);
	CHECK(read(fd, b, 99) > 0 && atoi(b) > 0 && close(fd) == 0);
	CHECK_EQ(umount("c"), 0);
	CHECK_ERR(mount("none", "c", "cgroup2", 0, "memory=1"), EINVAL);
}

CASE(types_listed, "mount")
{
	char b[2000] = "";
	int fd = open("/proc/filesystems", O_RDONLY);

	CHECK(read(fd, b, sizeof(b) - 1) > 0);
	CHECK(strstr(b, "nodev\ttmpfs\n") && strstr(b, "nodev\tproc\n") &&
	      strstr(b, "nodev\tsysfs\n") && strstr(b, "nodev\tramfs\n") &&
	      strstr(b, "nodev\tcgroup2\n") && strstr(b, "nodev\toverlay\n"));
}

MAIN()
