/* The newer mount calls: contexts, mounts in no tree, attributes, statmount. */
#include <sys/statfs.h>

#include "tests/harness/guest_mount.h"

static void *volatile bad = (void *)8;

static int tmpfs_fd(unsigned attr)
{
	int fs = fsopen("tmpfs", FSOPEN_CLOEXEC), m;

	CHECK(fs >= 0);
	CHECK_EQ(fsconfig(fs, FSCONFIG_SET_STRING, "mode", "0710", 0), 0);
	CHECK_EQ(fsconfig(fs, FSCONFIG_SET_STRING, "size", "64k", 0), 0);
	CHECK_EQ(fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0), 0);
	m = fsmount(fs, FSMOUNT_CLOEXEC, attr);
	CHECK(m >= 0);
	CHECK_EQ(close(fs), 0);
	return m;
}

static void opts_are(const char *at, const char *want)
{
	char got[300] = "", f[200];

	mountinfo(at, got, f);
	if (strcmp(got, want))
		guest_fail(__FILE__, __LINE__, "%s is mounted %s, not %s", at, got, want);
}

CASE(making_a_mount, "fsopen,fsconfig,fsmount,move_mount")
{
	struct statfs fs;
	struct stat st;
	int m, fd;

	enter();
	CHECK_EQ(mkdir("d", 0755), 0);
	m = tmpfs_fd(MOUNT_ATTR_NODEV | MOUNT_ATTR_NOATIME);
	CHECK(fcntl(m, F_GETFD) == FD_CLOEXEC && fcntl(m, F_GETFL) == O_PATH);
	fd = openat(m, "early", O_CREAT | O_RDWR, 0600); /* before it is anywhere */
	CHECK(fd >= 0 && close(fd) == 0);
	CHECK_EQ(move_mount(m, "", AT_FDCWD, "d", MOVE_MOUNT_F_EMPTY_PATH), 0);
	CHECK(has("d/early") && statfs("d", &fs) == 0 && fs.f_blocks == 16);
	CHECK(stat("d", &st) == 0 && (st.st_mode & 07777) == 0710);
	opts_are("d", "rw,nodev,noatime");
	CHECK_EQ(close(m), 0);
	CHECK(has("d/early")); /* it stays */
	CHECK_EQ(umount("d"), 0);
	m = tmpfs_fd(0);
	fd = openat(m, "f", O_CREAT | O_RDWR, 0600);
	CHECK_EQ(close(m), 0); /* the end of it, but for the file */
	CHECK(write(fd, "x", 1) == 1 && close(fd) == 0);
}

CASE(context_errors, "fsopen,fsconfig,fsmount")
{
	int fs, m;

	enter();
	CHECK_ERR(fsopen("nothingfs", 0), ENODEV);
	CHECK_ERR(fsopen("tmpfs", 2), EINVAL);
	CHECK_ERR(fsopen(bad, 0), EFAULT);
	fs = fsopen("tmpfs", 0);
	CHECK_ERR(fsconfig(fs, FSCONFIG_SET_STRING, "nonsense", "1", 0), EINVAL);
	CHECK_ERR(fsconfig(fs, FSCONFIG_SET_STRING, "size", NULL, 0), EINVAL);
	CHECK_ERR(fsconfig(fs, FSCONFIG_SET_FLAG, "ro", "x", 0), EINVAL);
	CHECK_ERR(fsconfig(fs, FSCONFIG_SET_FLAG, "ro", NULL, 1), EINVAL);
	CHECK_ERR(fsconfig(fs, 77, NULL, NULL, 0), EOPNOTSUPP);
	CHECK_ERR(fsconfig(-1, FSCONFIG_CMD_CREATE, NULL, NULL, 0), EINVAL);
	CHECK_ERR(fsconfig(999, FSCONFIG_CMD_CREATE, NULL, NULL, 0), EBADF);
	CHECK_ERR(fsconfig(fs, FSCONFIG_CMD_CREATE, "x", NULL, 0), EINVAL);
	CHECK_ERR(fsconfig(fs, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0), EBUSY);
	CHECK_ERR(fsmount(fs, 0, 0), EINVAL); /* not made yet */
	CHECK_EQ(fsconfig(fs, FSCONFIG_SET_STRING, "source", "me", 0), 0);
	CHECK_ERR(fsconfig(fs, FSCONFIG_SET_STRING, "source", "you", 0), EINVAL);
	CHECK_EQ(fsconfig(fs, FSCONFIG_SET_FLAG, "ro", NULL, 0), 0);
	CHECK_EQ(fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0), 0);
	CHECK_ERR(fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0), EBUSY);
	CHECK_ERR(fsconfig(fs, FSCONFIG_SET_STRING, "size", "4k", 0), EBUSY);
	CHECK_ERR(fsmount(fs, 2, 0), EINVAL);
	CHECK_ERR(fsmount(fs, 0, 1u << 30), EINVAL);
	CHECK_ERR(fsmount(fs, 0, 0x30), EINVAL); /* two kinds of access times */
	m = fsmount(fs, 0, 0);
	CHECK(m >= 0);
	CHECK_ERR(openat(m, "f", O_CREAT | O_RDWR, 0600), EROFS);
	CHECK_ERR(fsmount(fs, 0, 0), EBUSY); /* once */
	CHECK(close(m) == 0 && close(fs) == 0);
	CHECK_ERR(fsmount(0, 0, 0), EINVAL); /* something else */
	CHECK_EQ(WEXITSTATUS(IN_CHILD({
		if (setuid(1000))
			_exit(9);
		CHECK_ERR(fsopen("tmpfs", 0), EPERM);
		CHECK_ERR(fsmount(999, 0, 0), EPERM);
		CHECK_ERR(fspick(AT_FDCWD, "/", 0), EPERM);
		CHECK_ERR(move_mount(AT_FDCWD, "/", AT_FDCWD, "/", 0), EPERM);
		CHECK_ERR(open_tree(AT_FDCWD, "/", OPEN_TREE_CLONE), EPERM);
	})), 0);
}

CASE(picking, "fspick,fsconfig")
{
	struct statfs fs;
	int c;

	enter();
	tmpfs("m", 0, "size=64k");
	CHECK_EQ(mkdir("m/d", 0755), 0);
	CHECK_ERR(fspick(AT_FDCWD, "m/d", 0), EINVAL);
	CHECK_ERR(fspick(AT_FDCWD, "m", 0x100), EINVAL);
	c = fspick(AT_FDCWD, "m", FSPICK_CLOEXEC);
	CHECK_EQ(fsconfig(c, FSCONFIG_SET_STRING, "size", "128k", 0), 0);
	CHECK_EQ(fsconfig(c, FSCONFIG_SET_FLAG, "ro", NULL, 0), 0);
	CHECK_EQ(fsconfig(c, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0), 0);
	CHECK_EQ(close(c), 0);
	CHECK(statfs("m", &fs) == 0 && fs.f_blocks == 32 && (fs.f_flags & 1));
	CHECK_ERR(mkdir("m/e", 0755), EROFS);
	opts_are("m", "rw,relatime"); /* the mount itself is not */
	CHECK_EQ(umount("m"), 0);
}

CASE(cloning_trees, "open_tree,move_mount")
{
	int t, u;

	enter();
	CHECK(mkdir("a", 0755) == 0 && mkdir("to", 0755) == 0);
	tmpfs("a/in", 0, NULL);
	make("a/f", "1");
	make("a/in/g", "2");
	t = open_tree(AT_FDCWD, "a", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	CHECK(t >= 0 && faccessat(t, "in/g", F_OK, 0) == 0);
	CHECK_EQ(move_mount(t, "", AT_FDCWD, "to", MOVE_MOUNT_F_EMPTY_PATH), 0);
	CHECK(has("to/in/g") && has("a/in/g"));
	CHECK_ERR(move_mount(t, "", AT_FDCWD, "to/in", MOVE_MOUNT_F_EMPTY_PATH), ELOOP);
	CHECK_EQ(umount2("to", MNT_DETACH), 0);
	CHECK_EQ(close(t), 0);
	t = open_tree(AT_FDCWD, "a", OPEN_TREE_CLONE);
	CHECK(t >= 0 && faccessat(t, "in/g", F_OK, 0) < 0); /* alone */
	CHECK_EQ(close(t), 0);
	u = open_tree(AT_FDCWD, "a/in", 0); /* as O_PATH */
	CHECK(fcntl(u, F_GETFL) == O_PATH && faccessat(u, "g", F_OK, 0) == 0);
	CHECK_EQ(move_mount(u, "", AT_FDCWD, "to", MOVE_MOUNT_F_EMPTY_PATH), 0);
	CHECK(has("to/g") && !has("a/in/g"));
	CHECK_ERR(open_tree(AT_FDCWD, "a", AT_RECURSIVE), EINVAL);
	CHECK_ERR(open_tree(AT_FDCWD, "a", 0x400000), EINVAL);
	CHECK_ERR(open_tree(AT_FDCWD, "none", OPEN_TREE_CLONE), ENOENT);
	CHECK_ERR(move_mount(AT_FDCWD, "a", AT_FDCWD, "to", 0), EINVAL); /* no mount */
	CHECK_ERR(move_mount(AT_FDCWD, "to", AT_FDCWD, "a", 0x1000), EINVAL);
	CHECK_EQ(close(u), 0);
	CHECK_EQ(umount("to"), 0);
}

CASE(setting_attributes, "mount_setattr")
{
	struct {
		struct mount_attr a;
		uint64_t more;
	} x = { { .attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC }, 0 };
	struct mount_attr a;

	enter();
	tmpfs("m", 0, NULL);
	tmpfs("m/in", 0, NULL);
	CHECK_EQ(mount_setattr(AT_FDCWD, "m", 0, &x.a, sizeof(x.a)), 0);
	opts_are("m", "ro,noexec,relatime");
	opts_are("m/in", "rw,relatime");
	a = (struct mount_attr){ .attr_clr = MOUNT_ATTR_RDONLY | MOUNT_ATTR__ATIME,
				 .attr_set = MOUNT_ATTR_NOATIME | MOUNT_ATTR_NOSUID };
	CHECK_EQ(mount_setattr(AT_FDCWD, "m", AT_RECURSIVE, &a, sizeof(a)), 0);
	opts_are("m", "rw,nosuid,noexec,noatime");
	opts_are("m/in", "rw,nosuid,noatime");
	/* All or nothing. */
	int fd = open("m/in/f", O_CREAT | O_WRONLY, 0600);
	a = (struct mount_attr){ .attr_set = MOUNT_ATTR_RDONLY };
	CHECK_ERR(mount_setattr(AT_FDCWD, "m", AT_RECURSIVE, &a, sizeof(a)), EBUSY);
	opts_are("m", "rw,nosuid,noexec,noatime");
	CHECK_EQ(close(fd), 0);
	CHECK_EQ(mount_setattr(AT_FDCWD, "m", AT_RECURSIVE, &a, sizeof(a)), 0);
	opts_are("m/in", "ro,nosuid,noatime");
	a = (struct mount_attr){ .propagation = MS_SHARED };
	CHECK_EQ(mount_setattr(AT_FDCWD, "m", 0, &a, sizeof(a)), 0);
	CHECK(mountinfo_group("m", "shared:") > 0 && mountinfo_group("m/in", "shared:") == 0);
	a.propagation = MS_SHARED | MS_SLAVE;
	CHECK_ERR(mount_setattr(AT_FDCWD, "m", 0, &a, sizeof(a)), EINVAL);
	a = (struct mount_attr){ .attr_set = MOUNT_ATTR_NOATIME };
	CHECK_ERR(mount_setattr(AT_FDCWD, "m", 0, &a, sizeof(a)), EINVAL);
	a = (struct mount_attr){ .attr_clr = MOUNT_ATTR_NOATIME };
	CHECK_ERR(mount_setattr(AT_FDCWD, "m", 0, &a, sizeof(a)), EINVAL);
	a = (struct mount_attr){ .attr_set = 1 << 30 };
	CHECK_ERR(mount_setattr(AT_FDCWD, "m", 0, &a, sizeof(a)), EINVAL);
	a = (struct mount_attr){ .attr_set = 0 };
	CHECK_EQ(mount_setattr(AT_FDCWD, "none", 0, &a, sizeof(a)), 0); /* nothing to do */
	CHECK_ERR(mount_setattr(AT_FDCWD, "none", 0, &x.a, sizeof(a)), ENOENT);
	CHECK_ERR(mount_setattr(AT_FDCWD, "m", 0x2, &x.a, sizeof(a)), EINVAL);
	CHECK_ERR(mount_setattr(AT_FDCWD, "m", 0, &x.a, 16), EINVAL);
	CHECK_ERR(mount_setattr(AT_FDCWD, "m", 0, &x.a, 5000), E2BIG);
	x.more = 1;
	CHECK_ERR(mount_setattr(AT_FDCWD, "m", 0, &x.a, sizeof(x)), E2BIG);
	CHECK_ERR(mount_setattr(AT_FDCWD, "m", 0, bad, sizeof(a)), EFAULT);
	CHECK_ERR(mount_setattr(AT_FDCWD, "m/in/..", 0x0, &x.a, 8), EINVAL);
	CHECK_EQ(umount2("m", MNT_DETACH), 0);
}

CASE(attributes_of_a_new_tree, "open_tree_attr,mount_setattr")
{
	struct mount_attr a = { .attr_set = MOUNT_ATTR_RDONLY };
	int t;

	enter();
	CHECK(mkdir("a", 0755) == 0 && mkdir("to", 0755) == 0);
	t = open_tree(AT_FDCWD, "a", OPEN_TREE_CLONE);
	CHECK_EQ(mount_setattr(t, "", AT_EMPTY_PATH, &a, sizeof(a)), 0);
	CHECK_ERR(mkdirat(t, "x", 0755), EROFS);
	CHECK_EQ(close(t), 0);
	t = (int)syscall(467, AT_FDCWD, "a", OPEN_TREE_CLONE, &a, sizeof(a));
	if (t < 0 && errno == ENOSYS)
		SKIP("no open_tree_attr");
	CHECK(t >= 0);
	CHECK_EQ(move_mount(t, "", AT_FDCWD, "to", MOVE_MOUNT_F_EMPTY_PATH), 0);
	CHECK_ERR(mkdir("to/x", 0755), EROFS);
	CHECK_EQ(close(t), 0);
	CHECK_EQ(umount("to"), 0);
	a.attr_set = 1 << 30;
	CHECK_ERR(syscall(467, AT_FDCWD, "a", OPEN_TREE_CLONE, &a, sizeof(a)), EINVAL);
}

CASE(sharing_a_group, "move_mount")
{
	enter();
	CHECK_EQ(mkdir("b", 0755), 0);
	tmpfs("a", 0, NULL);
	CHECK_EQ(mount("a", "b", NULL, MS_BIND, NULL), 0);
	CHECK_EQ(mount(NULL, "a", NULL, MS_SHARED, NULL), 0);
	CHECK_EQ(move_mount(AT_FDCWD, "a", AT_FDCWD, "b", 0x100), 0);
	CHECK_EQ(mountinfo_group("b", "shared:"), mountinfo_group("a", "shared:"));
	CHECK_EQ(mkdir("a/x", 0755), 0);
	tmpfs("a/x", 0, NULL);
	make("a/x/f", "1");
	CHECK(has("b/x/f"));
	CHECK_ERR(move_mount(AT_FDCWD, "a", AT_FDCWD, "b", 0x100), EINVAL); /* has one */
	CHECK(umount2("b", MNT_DETACH) == 0 && umount2("a", MNT_DETACH) == 0);
}

struct req {
	uint32_t size, spare;
	uint64_t id, param, ns;
};

struct smount {
	uint32_t size, opts;
	uint64_t mask;
	uint32_t major, minor;
	uint64_t magic;
	uint32_t sb_flags, fs_type;
	uint64_t id, parent;
	uint32_t id_old, parent_old;
	uint64_t attr, propagation, group, master, from;
	uint32_t root, point;
	uint64_t rest[50];
	char str[1000];
};

static uint64_t unique_id(const char *path)
{
	struct {
		uint32_t mask, pad[35];
		uint64_t mnt_id, more[13];
	} s;

	CHECK(sizeof(s) == 256 && syscall(SYS_statx, AT_FDCWD, path, 0, 0x4000, &s) == 0);
	CHECK(s.mask & 0x4000);
	return s.mnt_id;
}

CASE(looking_at_mounts, "statmount,listmount")
{
	struct req r = { .size = 24, .param = 0x3b };
	struct smount s;
	uint64_t ids[1000], top, in;
	char want[300];
	long n;

	enter();
	tmpfs("m", MS_NODEV, "size=64k");
	tmpfs("m/in", MS_RDONLY, NULL);
	top = r.id = unique_id("m");
	in = unique_id("m/in");
	CHECK_EQ(syscall(457, &r, &s, sizeof(s), 0), 0);
	CHECK((s.mask & 0x3b) == 0x3b && s.id == top && s.magic == 0x01021994);
	CHECK((s.attr & 0x4) && s.propagation == MS_PRIVATE && s.group == 0);
	snprintf(want, sizeof(want), "%s/m", guest_dir);
	CHECK(!strcmp(s.str + s.fs_type, "tmpfs") && !strcmp(s.str + s.point, want) &&
	      !strcmp(s.str + s.root, "/"));
	CHECK_ERR(syscall(457, &r, &s, 513, 0), EOVERFLOW);
	r.param = 2;
	CHECK_EQ(syscall(457, &r, &s, 512, 0), 0);
	r.id = in;
	CHECK_EQ(syscall(457, &r, &s, 512, 0), 0);
	CHECK(s.parent == top && (s.attr & 1));
	r.id = 1;
	CHECK_ERR(syscall(457, &r, &s, 512, 0), EINVAL); /* of the old kind */
	r.id = UINT64_MAX - 1;
	CHECK_ERR(syscall(457, &r, &s, 512, 0), ENOENT);
	CHECK_ERR(syscall(457, &r, &s, 512, 1), EINVAL);
	CHECK_ERR(syscall(457, bad, &s, 512, 0), EFAULT);
	r.size = 16;
	CHECK_ERR(syscall(457, &r, &s, 512, 0), EINVAL);
	r = (struct req){ .size = 24, .id = top };
	CHECK_EQ(syscall(458, &r, ids, 1000, 0), 1);
	CHECK_EQ(ids[0], in);
	r.id = UINT64_MAX; /* all */
	n = syscall(458, &r, ids, 1000, 0);
	CHECK(n > 3 && ids[n - 1] == in && ids[n - 2] == top && ids[0] < ids[1]);
	r.param = top;
	CHECK(syscall(458, &r, ids, 1000, 0) == 1 && ids[0] == in);
	r.param = 0;
	CHECK(syscall(458, &r, ids, 2, 1) == 2 && ids[0] == in && ids[1] == top);
	r.id = UINT64_MAX - 1;
	CHECK_ERR(syscall(458, &r, ids, 2, 0), ENOENT);
	CHECK_ERR(syscall(458, &r, ids, 2, 2), EINVAL);
	CHECK_EQ(umount2("m", MNT_DETACH), 0);
}

MAIN()
