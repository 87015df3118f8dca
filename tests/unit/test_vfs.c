/* Path walk, names, permissions, descriptors, locks and inotify, over tmpfs. */
#include "tests/unit/vfs_world.h"

#include "syscalls/abi/lx_dirent.h"
#include "syscalls/abi/lx_inotify.h"
#include "syscalls/abi/lx_mount.h"

TestSuite(vfs, .init = world_tmpfs, .fini = world_end);

Test(vfs, create_write_read)
{
	struct lx_stat st;

	put_file("/a", "hello");
	cr_assert_str_eq(get_file("/a"), "hello");
	cr_assert_eq(k_stat("/a", &st), 0);
	cr_assert_eq(st.st_size, 5);
	cr_assert_eq(st.st_mode, LX_S_IFREG | 0644);
	cr_assert_eq(st.st_nlink, 1);
	cr_assert_eq(k_open("/a", LX_O_CREAT | LX_O_EXCL, 0600), -LX_EEXIST);
	cr_assert_eq(k_open("/b", LX_O_RDONLY, 0), -LX_ENOENT);
	cr_assert_eq(k_open("/a/b", LX_O_RDONLY, 0), -LX_ENOTDIR);
	cr_assert_eq(k_open("/a/", LX_O_RDONLY, 0), -LX_ENOTDIR);
	cr_assert_eq(k_open("/new/", LX_O_CREAT | LX_O_WRONLY, 0600), -LX_EISDIR);
	cr_assert_eq(k_open("/", LX_O_WRONLY, 0), -LX_EISDIR);
	cr_assert_eq(k_open("", LX_O_RDONLY, 0), -LX_ENOENT);
}

Test(vfs, large_files_and_holes)
{
	static char big[200000], back[200000];
	long fd = k_open("/big", LX_O_CREAT | LX_O_RDWR, 0600);
	struct lx_stat st;

	memset(big, 'x', sizeof(big));
	cr_assert_eq(CALL(write, .fd = (int)fd, .buf = U(big), .count = 60000), 60000);
	cr_assert_eq(CALL(pwrite64, .fd = (int)fd, .buf = U(big), .count = sizeof(big),
			  .pos = 50000), (long)sizeof(big));
	cr_assert_eq(CALL(pread64, .fd = (int)fd, .buf = U(back), .count = sizeof(back),
			  .pos = 50000), (long)sizeof(back));
	cr_assert_eq(memcmp(big, back, sizeof(big)), 0);
	cr_assert_eq(CALL(ftruncate, .fd = (int)fd, .length = 10), 0);
	cr_assert_eq(CALL(ftruncate, .fd = (int)fd, .length = 1 << 30), 0);
	cr_assert_eq(CALL(pread64, .fd = (int)fd, .buf = U(back), .count = 20, .pos = 0), 20);
	cr_assert_eq(back[9], 'x');
	cr_assert_eq(back[10], 0);
	cr_assert_eq(k_stat("/big", &st), 0);
	cr_assert_eq(st.st_size, 1 << 30);
	cr_assert_lt(st.st_blocks, 1000);
	cr_assert_eq(CALL(lseek, .fd = (int)fd, .offset = 8192, .whence = LX_SEEK_DATA),
		     -LX_ENXIO);
	cr_assert_eq(CALL(fallocate, .fd = (int)fd,
			  .mode = LX_FALLOC_FL_PUNCH_HOLE | LX_FALLOC_FL_KEEP_SIZE, .offset = 0,
			  .len = 4096), 0);
	cr_assert_eq(CALL(pread64, .fd = (int)fd, .buf = U(back), .count = 1, .pos = 0), 1);
	cr_assert_eq(back[0], 0);
}

Test(vfs, symlinks)
{
	char name[16], target[16], buf[64];

	k_mkdir("/d", 0755);
	put_file("/d/f", "F");
	k_symlink("d", "/l");
	k_symlink("/d/f", "/abs");
	k_symlink("l/../d/f", "/rel");
	k_symlink("loop", "/loop");
	k_symlink("d/made", "/dangling");
	cr_assert_str_eq(get_file("/l/f"), "F");
	cr_assert_str_eq(get_file("/abs"), "F");
	cr_assert_str_eq(get_file("/rel"), "F");
	cr_assert_eq(k_open("/loop", LX_O_RDONLY, 0), -LX_ELOOP);
	cr_assert_eq(k_open("/loop/x", LX_O_RDONLY, 0), -LX_ELOOP);
	cr_assert_eq(k_open("/abs", LX_O_NOFOLLOW, 0), -LX_ELOOP);
	cr_assert_eq(k_open("/l", LX_O_NOFOLLOW | LX_O_DIRECTORY, 0), -LX_ENOTDIR);
	cr_assert_geq(k_open("/l/", LX_O_NOFOLLOW | LX_O_DIRECTORY, 0), 0);
	cr_assert_geq(k_open("/abs", LX_O_NOFOLLOW | LX_O_PATH, 0), 0);
	cr_assert_eq(k_open("/dangling", LX_O_RDONLY, 0), -LX_ENOENT);
	cr_assert_eq(k_open("/dangling", LX_O_CREAT | LX_O_EXCL | LX_O_WRONLY, 0600),
		     -LX_EEXIST);
	put_file("/dangling", "made");
	cr_assert_str_eq(get_file("/d/made"), "made");
	cr_assert_eq(CALL(readlink, .path = U("/rel"), .buf = U(buf), .bufsiz = 64), 8);
	cr_assert_eq(memcmp(buf, "l/../d/f", 8), 0);
	/* 40 links are followed, 41 are not. */
	put_file("/s0", "deep");
	for (int i = 1; i <= 41; i++) {
		(void)snprintf(name, sizeof(name), "/s%d", i);
		(void)snprintf(target, sizeof(target), "s%d", i - 1);
		cr_assert_eq(k_symlink(target, name), 0);
	}
	cr_assert_str_eq(get_file("/s40"), "deep");
	cr_assert_eq(k_open("/s41", LX_O_RDONLY, 0), -LX_ELOOP);
}

Test(vfs, dotdot_and_chroot)
{
	struct lx_stat a, b;
	char cwd[64];

	k_mkdir("/d", 0755);
	k_mkdir("/d/e", 0755);
	k_stat("/", &a);
	k_stat("/../../d/e/../..", &b);
	cr_assert_eq(a.st_ino, b.st_ino);
	cr_assert_eq(CALL(chdir, .filename = U("/d/e")), 0);
	cr_assert_eq(CALL(chroot, .filename = U("/d")), 0);
	cr_assert_eq(CALL(getcwd, .buf = U(cwd), .size = sizeof(cwd)), 3);
	cr_assert_str_eq(cwd, "/e");
	k_stat("../..", &b);
	k_stat("/", &a);
	cr_assert_eq(a.st_ino, b.st_ino);
	cr_assert_eq(k_stat("/e", &b), 0);
}

Test(vfs, openat2_scopes)
{
	struct lx_open_how how = { .flags = LX_O_PATH };
	long dfd;

	k_mkdir("/d", 0755);
	put_file("/d/f", "F");
	put_file("/f", "outer");
	k_symlink("/f", "/d/abs");
	k_symlink("../f", "/d/up");
	k_symlink("f", "/d/ok");
	dfd = k_open("/d", LX_O_PATH | LX_O_DIRECTORY, 0);
#define OPENAT2(name, res)                                                                \
	(how.resolve = (res), CALL(openat2, .dfd = (int)dfd, .filename = U(name),         \
				   .how = U(&how), .usize = sizeof(how)))
	cr_assert_eq(OPENAT2("../f", LX_RESOLVE_BENEATH), -LX_EXDEV);
	cr_assert_eq(OPENAT2("/f", LX_RESOLVE_BENEATH), -LX_EXDEV);
	cr_assert_eq(OPENAT2("abs", LX_RESOLVE_BENEATH), -LX_EXDEV);
	cr_assert_eq(OPENAT2("up", LX_RESOLVE_BENEATH), -LX_EXDEV);
	cr_assert_geq(OPENAT2("ok", LX_RESOLVE_BENEATH), 0);
	cr_assert_geq(OPENAT2("abs", LX_RESOLVE_IN_ROOT), 0);
	cr_assert_geq(OPENAT2("up", LX_RESOLVE_IN_ROOT), 0);
	cr_assert_geq(OPENAT2("/../../ok", LX_RESOLVE_IN_ROOT), 0);
	cr_assert_eq(OPENAT2("ok", LX_RESOLVE_NO_SYMLINKS), -LX_ELOOP);
	how.flags = 1ull << 40;
	cr_assert_eq(OPENAT2("ok", 0), -LX_EINVAL);
}

Test(vfs, names_go_and_move)
{
	struct lx_stat st;
	long fd;
	char c;

	put_file("/a", "A");
	put_file("/b", "B");
	fd = k_open("/b", LX_O_RDONLY, 0);
	cr_assert_eq(k_rename("/a", "/b"), 0);
	cr_assert_eq(k_open("/a", LX_O_RDONLY, 0), -LX_ENOENT);
	cr_assert_str_eq(get_file("/b"), "A");
	/* The replaced file lives on while it is open. */
	cr_assert_eq(CALL(fstat, .fd = (int)fd, .statbuf = U(&st)), 0);
	cr_assert_eq(st.st_nlink, 0);
	cr_assert_eq(CALL(read, .fd = (int)fd, .buf = U(&c), .count = 1), 1);
	cr_assert_eq(c, 'B');
	k_mkdir("/d", 0755);
	k_mkdir("/d/e", 0755);
	cr_assert_eq(k_rename("/d", "/d/e/x"), -LX_EINVAL);
	cr_assert_eq(k_rename("/d/e", "/d"), -LX_ENOTEMPTY);
	cr_assert_eq(k_rename("/b", "/d"), -LX_EISDIR);
	cr_assert_eq(k_rename("/d", "/b"), -LX_ENOTDIR);
	cr_assert_eq(k_rename("/d/.", "/x"), -LX_EBUSY);
	cr_assert_eq(CALL(rmdir, .pathname = U("/d")), -LX_ENOTEMPTY);
	cr_assert_eq(CALL(rmdir, .pathname = U("/d/.")), -LX_EINVAL);
	cr_assert_eq(CALL(rmdir, .pathname = U("/b")), -LX_ENOTDIR);
	cr_assert_eq(k_unlink("/d"), -LX_EISDIR);
	cr_assert_eq(k_rename("/d", "/d2"), 0);
	k_stat("/", &st);
	cr_assert_eq(st.st_nlink, 3);
	cr_assert_eq(k_stat("/d2/e", &st), 0);
	cr_assert_eq(CALL(link, .oldname = U("/b"), .newname = U("/d2/e/b2")), 0);
	k_stat("/b", &st);
	cr_assert_eq(st.st_nlink, 2);
	cr_assert_eq(CALL(renameat2, LX_AT_FDCWD, U("/b"), LX_AT_FDCWD, U("/d2"),
			  LX_RENAME_EXCHANGE), 0);
	cr_assert_str_eq(get_file("/d2"), "A");
	cr_assert_str_eq(get_file("/b/e/b2"), "A");
	cr_assert_eq(CALL(renameat2, LX_AT_FDCWD, U("/d2"), LX_AT_FDCWD, U("/b"),
			  LX_RENAME_NOREPLACE), -LX_EEXIST);
	/* A removed working directory has no name and takes no new entries. */
	k_mkdir("/gone", 0755);
	CALL(chdir, .filename = U("/gone"));
	cr_assert_eq(CALL(rmdir, .pathname = U("/gone")), 0);
	cr_assert_eq(CALL(getcwd, .buf = U(&st), .size = sizeof(st)), -LX_ENOENT);
	cr_assert_eq(k_open("x", LX_O_CREAT | LX_O_WRONLY, 0600), -LX_ENOENT);
	cr_assert_eq(CALL(chdir, .filename = U("..")), 0);
}

Test(vfs, permissions)
{
	struct lx_stat st;

	k_mkdir("/priv", 0700);
	put_file("/priv/f", "x");
	put_file("/f", "x");
	k_mkdir("/sticky", 0777);
	CALL(chmod, .filename = U("/sticky"), .mode = 01777);
	put_file("/sticky/root", "x");
	k_mkdir("/sg", 0777);
	CALL(chown, .filename = U("/sg"), .user = 0, .group = 50);
	CALL(chmod, .filename = U("/sg"), .mode = 02777);
	become(1000, 0);
	cr_assert_eq(k_open("/priv/f", LX_O_RDONLY, 0), -LX_EACCES);
	cr_assert_eq(k_open("/priv/none", LX_O_RDONLY, 0), -LX_EACCES);
	cr_assert_eq(k_open("/f", LX_O_WRONLY, 0), -LX_EACCES);
	cr_assert_eq(k_open("/new", LX_O_CREAT | LX_O_WRONLY, 0600), -LX_EACCES);
	cr_assert_eq(k_unlink("/sticky/root"), -LX_EPERM);
	cr_assert_eq(CALL(chmod, .filename = U("/f"), .mode = 0777), -LX_EPERM);
	cr_assert_eq(CALL(chown, .filename = U("/f"), .user = 1000, .group = 1000), -LX_EPERM);
	cr_assert_eq(CALL(utimensat, LX_AT_FDCWD, U("/f"), { 0 }, 0), -LX_EACCES);
	k_mkdir("/sg/sub", 0755);
	k_stat("/sg/sub", &st);
	cr_assert_eq(st.st_gid, 50);
	cr_assert_eq(st.st_mode, LX_S_IFDIR | 02755);
	put_file("/sticky/mine", "x");
	cr_assert_eq(CALL(chmod, .filename = U("/sticky/mine"), .mode = 06755), 0);
	k_stat("/sticky/mine", &st);
	cr_assert_eq(st.st_mode & 07777, 06755);
	put_file("/sticky/mine", "y");
	k_stat("/sticky/mine", &st);
	cr_assert_eq(st.st_mode & 07777, 0755);
	cr_assert_eq(CALL(chroot, .filename = U("/")), -LX_EPERM);
	become(1000, 1ull << LX_CAP_DAC_OVERRIDE);
	cr_assert_str_eq(get_file("/priv/f"), "x");
	become(0, CAP_FULL);
}

Test(vfs, readonly_mount_and_binds)
{
	struct path at;
	struct lx_stat st, in;

	k_mkdir("/src", 0755);
	put_file("/src/f", "x");
	k_mkdir("/dst", 0755);
	k_stat("/src", &st);
	cr_assert_eq(vfs_lookup(&task, LX_AT_FDCWD, "/dst", WALK_FOLLOW, &at), 0);
	{
		struct path from;

		cr_assert_eq(vfs_lookup(&task, LX_AT_FDCWD, "/src", WALK_FOLLOW, &from), 0);
		cr_assert_eq(vfs_bind(&kern, &at, &from, true, MNT_RDONLY), 0);
		path_put(&from);
	}
	path_put(&at);
	k_stat("/dst", &in);
	cr_assert_eq(in.st_ino, st.st_ino);
	cr_assert_str_eq(get_file("/dst/f"), "x");
	cr_assert_eq(k_open("/dst/f", LX_O_WRONLY, 0), -LX_EROFS);
	cr_assert_eq(k_open("/dst/g", LX_O_CREAT | LX_O_WRONLY, 0600), -LX_EROFS);
	cr_assert_eq(k_mkdir("/dst/f", 0755), -LX_EEXIST);
	cr_assert_eq(k_mkdir("/dst/g", 0755), -LX_EROFS);
	cr_assert_eq(CALL(rmdir, .pathname = U("/dst")), -LX_EBUSY);
	cr_assert_eq(k_rename("/dst/f", "/f"), -LX_EXDEV);
	k_stat("/dst/..", &in);
	k_stat("/", &st);
	cr_assert_eq(in.st_ino, st.st_ino);
	cr_assert_eq(vfs_lookup(&task, LX_AT_FDCWD, "/dst", WALK_FOLLOW, &at), 0);
	cr_assert_eq(vfs_umount(&kern, &at, 0), 0);
	path_put(&at);
	cr_assert_eq(CALL(rmdir, .pathname = U("/dst")), 0);
}

static int show(void *ctx, const struct mount *m, const char *where)
{
	char *out = ctx;

	(void)m;
	strcat(out, where);
	strcat(out, ";");
	return 0;
}

Test(vfs, mounts_are_shown)
{
	char text[256] = "";
	struct superblock *sb;
	struct inode *root;
	struct path at;

	k_mkdir("/a", 0755);
	cr_assert_eq(vfs_lookup(&task, LX_AT_FDCWD, "/a", WALK_FOLLOW, &at), 0);
	cr_assert_eq(tmpfs_new(&kern, "size=8k,mode=700", &sb, &root), 0);
	cr_assert_eq(vfs_mount(&kern, &at, sb, root, 0, "tmpfs", "size=8k"), 0);
	inode_put(root);
	superblock_put(sb);
	path_put(&at);
	cr_assert_eq(mount_ns_show(&kern, &task.fs->root, show, text), 0);
	cr_assert_str_eq(text, "/;/a;");
	/* The size is a limit. */
	{
		static char big[20000];
		long fd = k_open("/a/f", LX_O_CREAT | LX_O_WRONLY, 0600);

		cr_assert_eq(CALL(write, .fd = (int)fd, .buf = U(big), .count = 8192), 8192);
		cr_assert_eq(CALL(write, .fd = (int)fd, .buf = U(big), .count = 1), -LX_ENOSPC);
		k_close(fd);
	}
	cr_assert_eq(k_unlink("/a/f"), 0);
	put_file("/a/g", "room again");
	/* Busy while somebody is in it; detached all the same when asked for. */
	CALL(chdir, .filename = U("/a"));
	cr_assert_eq(vfs_lookup(&task, LX_AT_FDCWD, "/a", WALK_FOLLOW, &at), 0);
	cr_assert_eq(vfs_umount(&kern, &at, 0), -LX_EBUSY);
	cr_assert_eq(vfs_umount(&kern, &at, LX_MNT_DETACH), 0);
	path_put(&at);
	cr_assert_str_eq(get_file("g"), "room again");
	CALL(chdir, .filename = U("/"));
}

Test(vfs, readdir_cursor_is_stable)
{
	char name[32];
	uint8_t buf[256];
	unsigned seen = 0;
	long fd, got;

	k_mkdir("/d", 0755);
	for (int i = 0; i < 60; i++) {
		(void)snprintf(name, sizeof(name), "/d/f%02d", i);
		put_file(name, "x");
	}
	fd = k_open("/d", LX_O_RDONLY | LX_O_DIRECTORY, 0);
	/* Remove what was listed, as rm -r does, and see all the others. */
	while ((got = CALL(getdents64, .fd = (int)fd, .dirent = U(buf), .count = 256)) > 0) {
		for (long at = 0; at < got;) {
			uint16_t rec;

			memcpy(&rec, buf + at + 16, 2);
			(void)snprintf(name, sizeof(name), "/d/%s", (char *)buf + at + 19);
			if (buf[at + 19] == 'f') {
				seen++;
				cr_assert_eq(k_unlink(name), 0);
			}
			at += rec;
		}
	}
	cr_assert_eq(got, 0);
	cr_assert_eq(seen, 60);
	k_close(fd);
	cr_assert_eq(CALL(rmdir, .pathname = U("/d")), 0);
	fd = k_open("/", LX_O_RDONLY | LX_O_DIRECTORY, 0);
	cr_assert_eq(CALL(getdents64, .fd = (int)fd, .dirent = U(buf), .count = 10),
		     -LX_EINVAL);
}

Test(vfs, tmpfile_gets_a_name)
{
	struct lx_stat st;
	long fd = k_open("/", LX_O_TMPFILE | LX_O_RDWR, 0600);

	cr_assert_geq(fd, 0);
	cr_assert_eq(CALL(write, .fd = (int)fd, .buf = U("tmp"), .count = 3), 3);
	CALL(fstat, .fd = (int)fd, .statbuf = U(&st));
	cr_assert_eq(st.st_nlink, 0);
	cr_assert_eq(CALL(linkat, (int)fd, U(""), LX_AT_FDCWD, U("/named"),
			  LX_AT_EMPTY_PATH), 0);
	cr_assert_str_eq(get_file("/named"), "tmp");
	CALL(fstat, .fd = (int)fd, .statbuf = U(&st));
	cr_assert_eq(st.st_nlink, 1);
}

Test(vfs, descriptors)
{
	long a = k_open("/", LX_O_RDONLY, 0);

	cr_assert_eq(a, 0);
	cr_assert_eq(CALL(dup, .fildes = 0), 1);
	cr_assert_eq(CALL(dup2, .oldfd = 0, .newfd = 200), 200);
	cr_assert_eq(CALL(dup3, .oldfd = 0, .newfd = 0, .flags = 0), -LX_EINVAL);
	cr_assert_eq(CALL(dup2, .oldfd = 0, .newfd = 5000), -LX_EBADF);
	cr_assert_eq(CALL(fcntl, .fd = 0, .cmd = LX_F_DUPFD_CLOEXEC, .arg = 100), 100);
	cr_assert_eq(CALL(fcntl, .fd = 100, .cmd = LX_F_GETFD), 1);
	k_close(1);
	cr_assert_eq(CALL(dup, .fildes = 0), 1);
	cr_assert_eq(CALL(close_range, .fd = 50, .max_fd = 150, .flags = 0), 0);
	cr_assert_eq(CALL(fcntl, .fd = 100, .cmd = LX_F_GETFD), -LX_EBADF);
	cr_assert_eq(CALL(fcntl, .fd = 200, .cmd = LX_F_GETFD), 0);
	tg.rlim[LX_RLIMIT_NOFILE].cur = 3;
	cr_assert_eq(CALL(dup, .fildes = 0), 2);
	cr_assert_eq(CALL(dup, .fildes = 0), -LX_EMFILE);
	cr_assert_eq(k_open("/made", LX_O_CREAT | LX_O_WRONLY, 0600), -LX_EMFILE);
	tg.rlim[LX_RLIMIT_NOFILE].cur = 1024;
	cr_assert_eq(k_open("/made", LX_O_RDONLY, 0), -LX_ENOENT);
	for (int i = 0; i < 300; i++)
		cr_assert_geq(CALL(dup, .fildes = 0), 0);
}

static long lock(int fd, uint32_t cmd, int type, int64_t start, int64_t len)
{
	struct lx_flock fl = { .l_type = (int16_t)type, .l_start = start, .l_len = len };
	long r = CALL(fcntl, .fd = fd, .cmd = cmd, .arg = (uint64_t)(uintptr_t)&fl);

	return r ? r : fl.l_type;
}

Test(vfs, locks)
{
	struct fdtable *mine = task.fds, *other;
	long fd = k_open("/l", LX_O_CREAT | LX_O_RDWR, 0600), fd2;

	other = fdtable_dup(mine);
	cr_assert_eq(lock((int)fd, LX_F_SETLK, LX_F_WRLCK, 0, 100), LX_F_WRLCK);
	task.fds = other;
	cr_assert_eq(lock((int)fd, LX_F_SETLK, LX_F_RDLCK, 50, 10), -LX_EAGAIN);
	cr_assert_eq(lock((int)fd, LX_F_GETLK, LX_F_RDLCK, 50, 10), LX_F_WRLCK);
	cr_assert_eq(lock((int)fd, LX_F_SETLKW, LX_F_RDLCK, 50, 10), -LX_EPARK);
	cr_assert_eq(lock((int)fd, LX_F_SETLK, LX_F_WRLCK, 100, 0), LX_F_WRLCK);
	/* Split by the owner: the middle is free then. */
	task.fds = mine;
	cr_assert_eq(lock((int)fd, LX_F_SETLK, LX_F_UNLCK, 40, 30), LX_F_UNLCK);
	task.fds = other;
	cr_assert_eq(lock((int)fd, LX_F_SETLK, LX_F_WRLCK, 40, 30), LX_F_WRLCK);
	cr_assert_eq(lock((int)fd, LX_F_SETLK, LX_F_WRLCK, 39, 1), -LX_EAGAIN);
	/* Deadlock: the other waits for byte 0, this one for byte 200. */
	{
		struct lx_flock fl = { .l_type = LX_F_WRLCK, .l_len = 1 };
		struct restart held;

		cr_assert_eq(CALL(fcntl, .fd = (int)fd, .cmd = LX_F_SETLKW,
				  .arg = (uint64_t)(uintptr_t)&fl), -LX_EPARK);
		held = task.restart;
		task.fds = mine;
		cr_assert_eq(lock((int)fd, LX_F_SETLKW, LX_F_WRLCK, 200, 1), -LX_EDEADLK);
		held.ptr_free(held.ptr);
	}
	/* Closing any descriptor of the file drops the process's locks. */
	fd2 = k_open("/l", LX_O_RDONLY, 0);
	k_close(fd2);
	task.fds = other;
	cr_assert_eq(lock((int)fd, LX_F_SETLK, LX_F_WRLCK, 0, 0), LX_F_WRLCK);
	fdtable_put(other, &task);
	task.fds = mine;
	/* flock belongs to the open file. */
	fd2 = k_open("/l", LX_O_RDONLY, 0);
	cr_assert_eq(CALL(flock, .fd = (int)fd, .cmd = LX_LOCK_EX), 0);
	cr_assert_eq(CALL(flock, .fd = (int)fd2, .cmd = LX_LOCK_SH | LX_LOCK_NB), -LX_EAGAIN);
	cr_assert_eq(CALL(flock, .fd = (int)fd, .cmd = LX_LOCK_SH), 0);
	cr_assert_eq(CALL(flock, .fd = (int)fd2, .cmd = LX_LOCK_SH | LX_LOCK_NB), 0);
}

/* The next event as "mask name"; size: room for just one. */
static const char *next_event(int fd, unsigned size)
{
	static char out[300];
	char buf[sizeof(struct lx_inotify_event) + 256];
	struct lx_inotify_event e;
	long n = CALL(read, .fd = fd, .buf = U(buf), .count = size);

	if (n < 0)
		return "none";
	memcpy(&e, buf, sizeof(e));
	cr_assert_eq(n, (long)(sizeof(e) + e.len));
	(void)snprintf(out, sizeof(out), "%x %s", e.mask, e.len ? buf + 16 : "");
	return out;
}

Test(vfs, inotify)
{
	long in = CALL(inotify_init1, .flags = LX_IN_NONBLOCK), fd;
	int wd;

	k_mkdir("/d", 0755);
	wd = (int)CALL(inotify_add_watch, .fd = (int)in, .pathname = U("/d"),
		       .mask = LX_IN_ALL_EVENTS);
	cr_assert_eq(wd, 1);
	fd = k_open("/d/f", LX_O_CREAT | LX_O_WRONLY, 0600);
	cr_assert_str_eq(next_event((int)in, 47), "100 f");
	cr_assert_str_eq(next_event((int)in, 47), "20 f");
	CALL(write, .fd = (int)fd, .buf = U("x"), .count = 1);
	cr_assert_str_eq(next_event((int)in, 47), "2 f");
	k_close(fd);
	cr_assert_str_eq(next_event((int)in, 47), "8 f");
	k_rename("/d/f", "/d/longer-than-sixteen");
	cr_assert_str_eq(next_event((int)in, 47), "40 f");
	cr_assert_str_eq(next_event((int)in, 48), "80 longer-than-sixteen");
	k_unlink("/d/longer-than-sixteen");
	cr_assert_str_eq(next_event((int)in, 48), "200 longer-than-sixteen");
	CALL(rmdir, .pathname = U("/d"));
	cr_assert_str_eq(next_event((int)in, 16), "400 ");
	cr_assert_str_eq(next_event((int)in, 16), "8000 ");
	cr_assert_str_eq(next_event((int)in, 47), "none");
	cr_assert_eq(CALL(inotify_rm_watch, .fd = (int)in, .wd = wd), -LX_EINVAL);
}

Test(vfs, xattrs)
{
	char buf[64];

	put_file("/f", "x");
	cr_assert_eq(CALL(setxattr, U("/f"), U("user.a"), U("123"), 3, 0), 0);
	cr_assert_eq(CALL(setxattr, U("/f"), U("user.a"), U("123"), 3, 1), -LX_EEXIST);
	cr_assert_eq(CALL(setxattr, U("/f"), U("trusted.b"), U("9"), 1, 0), 0);
	cr_assert_eq(CALL(setxattr, U("/f"), U("bogus.b"), U("9"), 1, 0), -LX_EOPNOTSUPP);
	cr_assert_eq(CALL(getxattr, U("/f"), U("user.a"), U(buf), 64), 3);
	cr_assert_eq(CALL(getxattr, U("/f"), U("user.a"), U(buf), 2), -LX_ERANGE);
	cr_assert_eq(CALL(getxattr, U("/f"), U("user.a"), { 0 }, 0), 3);
	cr_assert_eq(CALL(listxattr, U("/f"), U(buf), 64), 17);
	become(1000, 0);
	cr_assert_eq(CALL(listxattr, U("/f"), U(buf), 64), 7);
	cr_assert_eq(CALL(setxattr, U("/f"), U("user.a"), U("1"), 1, 0), -LX_EACCES);
	cr_assert_eq(CALL(setxattr, U("/f"), U("trusted.c"), U("1"), 1, 0), -LX_EPERM);
	become(0, CAP_FULL);
	cr_assert_eq(CALL(removexattr, U("/f"), U("user.a")), 0);
	cr_assert_eq(CALL(getxattr, U("/f"), U("user.a"), U(buf), 64), -LX_ENODATA);
}

Test(vfs, copying_inside_the_kernel)
{
	char buf[16] = "";
	long in, out;
	int64_t off = 2;

	put_file("/in", "0123456789");
	in = k_open("/in", LX_O_RDONLY, 0);
	out = k_open("/out", LX_O_CREAT | LX_O_RDWR, 0600);
	cr_assert_eq(CALL(sendfile, .out_fd = (int)out, .in_fd = (int)in, .offset = U(&off),
			  .count = 5), 5);
	cr_assert_eq(off, 7);
	cr_assert_eq(CALL(copy_file_range, (int)in, { 0 }, (int)out, { 0 }, 100, 0), 10);
	cr_assert_eq(CALL(pread64, .fd = (int)out, .buf = U(buf), .count = 16, .pos = 0), 15);
	cr_assert_eq(memcmp(buf, "234560123456789", 15), 0);
}

Test(vfs, text_busy_and_exec)
{
	struct file *f;

	put_file("/prog", "#!");
	cr_assert_eq(vfs_open_exec(&task, LX_AT_FDCWD, "/prog", 0, &f), -LX_EACCES);
	CALL(chmod, .filename = U("/prog"), .mode = 0755);
	cr_assert_eq(vfs_open_exec(&task, LX_AT_FDCWD, "/prog", 0, &f), 0);
	cr_assert_eq(k_open("/prog", LX_O_WRONLY, 0), -LX_ETXTBSY);
	file_put(f);
	{
		long fd = k_open("/prog", LX_O_WRONLY, 0);

		cr_assert_geq(fd, 0);
		cr_assert_eq(vfs_open_exec(&task, LX_AT_FDCWD, "/prog", 0, &f), -LX_ETXTBSY);
	}
}

Test(vfs, deep_trees_are_freed_without_recursion)
{
	CALL(chdir, .filename = U("/"));
	for (int i = 0; i < 50000; i++) {
		cr_assert_eq(k_mkdir("d", 0755), 0);
		cr_assert_eq(CALL(chdir, .filename = U("d")), 0);
	}
	CALL(chdir, .filename = U("/"));
}
