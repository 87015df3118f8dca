/* POSIX access control lists: the attributes' form, list and mode, inheritance, and whom
 * they let in; each case in /tmp, on a tmpfs, and below /var/tmp, where the sandbox has an
 * overlay. */
#include <grp.h>
#include <sys/fsuid.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/xattr.h>

#include "tests/harness/guest.h"
#include "tests/harness/guest_mount.h"

#define ACCESS "system.posix_acl_access"
#define DEFAULT "system.posix_acl_default"

enum { U = 1, NU = 2, G = 4, NG = 8, M = 16, O = 32, END = 0 };

struct list {
	uint32_t version;
	struct {
		uint16_t tag, perm;
		uint32_t id;
	} e[16];
};

/* tag, perm, id triples up to END. */
static size_t build(struct list *l, const int *v)
{
	size_t n = 0;

	l->version = 2;
	for (; v[3 * n]; n++) {
		l->e[n].tag = (uint16_t)v[3 * n];
		l->e[n].perm = (uint16_t)v[3 * n + 1];
		l->e[n].id = (uint32_t)v[3 * n + 2];
	}
	return 4 + 8 * n;
}
#define SET(path, name, ...) \
	set_list(path, name, (const int[]){ __VA_ARGS__, END, 0, 0 })
#define IS(path, name, ...) is_list(path, name, (const int[]){ __VA_ARGS__, END, 0, 0 }, __LINE__)

static int set_list(const char *path, const char *name, const int *v)
{
	struct list l;
	size_t n = build(&l, v);

	return setxattr(path, name, &l, n, 0);
}

static void is_list(const char *path, const char *name, const int *v, int line)
{
	struct list want, got;
	size_t n = build(&want, v);
	ssize_t r = getxattr(path, name, &got, sizeof(got));

	if (r != (ssize_t)n || memcmp(&want, &got, n)) {
		for (size_t i = 0; r > 0 && i < ((size_t)r - 4) / 8; i++)
			printf("  %d %d %d\n", got.e[i].tag, got.e[i].perm, (int)got.e[i].id);
		guest_fail(__FILE__, line, "%s of %s is another (%zd bytes)", name, path, r);
	}
}

static unsigned mode_of(const char *path)
{
	struct stat st;

	CHECK_EQ(lstat(path, &st), 0);
	return st.st_mode & 07777;
}

static void make_as(const char *path, unsigned mode)
{
	int fd = open(path, O_CREAT | O_RDWR | O_EXCL, 0600);

	CHECK(fd >= 0);
	CHECK_EQ(fchmod(fd, mode), 0);
	close(fd);
}

/* The case in three places; SKIPs one that cannot have lists at all. */
static void everywhere(void (*fn)(void))
{
	static const char *const places[] = { "here", "/var/tmp/acl-test", "/dev/shm/acl-test" };

	for (unsigned i = 0; i < 3; i++) {
		char dir[64], rm[96];

		snprintf(dir, sizeof(dir), "%s%s", places[i], i ? ".XXXXXX" : "XXXXXX");
		CHECK(mkdtemp(dir));
		CHECK_EQ(chmod(dir, 0755), 0);
		snprintf(rm, sizeof(rm), "rm -rf %s", dir);
		CHECK_EQ(IN_CHILD(CHECK_EQ(chdir(dir), 0); umask(022); fn()), 0);
		CHECK_EQ(system(rm), 0);
	}
}
#define EVERYWHERE(id, covers)          \
	static void in_##id(void);      \
	CASE(id, covers)                \
	{                               \
		chmod(".", 0755);       \
		everywhere(in_##id);    \
	}                               \
	static void in_##id(void)

/* fn as another user, with groups and no capabilities. */
#define AS(uid, gid, extra, ...)                                           \
	CHECK_EQ(IN_CHILD(CHECK_EQ(setgroups(1, (gid_t[]){ extra }), 0);   \
			  CHECK_EQ(setresgid(gid, gid, gid), 0);           \
			  CHECK_EQ(setresuid(uid, uid, uid), 0); __VA_ARGS__), 0)

EVERYWHERE(acl_form, "setxattr,getxattr,removexattr,lsetxattr,lgetxattr")
{
	struct list l = { .version = 2 };
	char buf[64];

	make_as("f", 0644);
	CHECK_ERR(getxattr("f", ACCESS, NULL, 0), ENODATA);
	CHECK_ERR(getxattr("f", DEFAULT, NULL, 0), ENODATA);
	CHECK_EQ(removexattr("f", ACCESS), 0); /* nothing is fine */
	CHECK_EQ(removexattr("f", DEFAULT), 0);
	CHECK_ERR(setxattr("f", ACCESS, "abc", 3, 0), EINVAL);
	l.version = 1;
	CHECK_ERR(setxattr("f", ACCESS, &l, 4, 0), EOPNOTSUPP);
	l.version = 2;
	CHECK_EQ(setxattr("f", ACCESS, &l, 4, 0), 0); /* no entries: none */
	CHECK_ERR(setxattr("f", ACCESS, &l, 5, 0), EINVAL);
	CHECK_EQ(setxattr("f", ACCESS, NULL, 0, 0), 0);
	CHECK_ERR(SET("f", ACCESS, 64, 7, 0), EINVAL);
	CHECK_ERR(SET("f", ACCESS, U, 6, -1), EINVAL);
	CHECK_ERR(SET("f", ACCESS, U, 6, -1, G, 4, -1), EINVAL);
	CHECK_ERR(SET("f", ACCESS, G, 6, -1, U, 4, -1, O, 4, -1), EINVAL);
	CHECK_ERR(SET("f", ACCESS, U, 6, -1, NU, 4, 7, G, 4, -1, O, 4, -1), EINVAL); /* mask */
	CHECK_ERR(SET("f", ACCESS, U, 6, -1, NU, 4, -1, G, 4, -1, M, 4, -1, O, 4, -1), EINVAL);
	CHECK_ERR(SET("f", ACCESS, U, 8, -1, G, 4, -1, O, 4, -1), EINVAL);
	CHECK_ERR(SET("f", ACCESS, U, 6, -1, G, 4, -1, NU, 4, 7, M, 4, -1, O, 4, -1), EINVAL);
	CHECK_ERR(SET("f", ACCESS, U, 6, -1, G, 4, -1, M, 4, -1, M, 4, -1, O, 4, -1), EINVAL);
	CHECK_ERR(SET("f", ACCESS, U, 6, -1, G, 4, -1, O, 4, -1, O, 4, -1), EINVAL);
	CHECK_ERR(SET("f", DEFAULT, U, 6, -1, G, 4, -1, O, 4, -1), EACCES);
	CHECK_ERR(SET("f", DEFAULT, U, 8, -1), EACCES); /* before it is looked at */
	/* Says no more than the mode: only the mode changes. */
	CHECK_EQ(SET("f", ACCESS, U, 7, 5, G, 5, 5, O, 1, 5), 0);
	CHECK_EQ(mode_of("f"), 0751);
	CHECK_ERR(getxattr("f", ACCESS, NULL, 0), ENODATA);
	CHECK_EQ(SET("f", ACCESS, U, 6, 9, NU, 7, 7, NU, 1, 7, G, 4, 9, NG, 2, 8, M, 5, 9, O, 0, 9), 0);
	IS("f", ACCESS, U, 6, -1, NU, 7, 7, NU, 1, 7, G, 4, -1, NG, 2, 8, M, 5, -1, O, 0, -1);
	CHECK_EQ(mode_of("f"), 0650);
	CHECK_EQ(getxattr("f", ACCESS, NULL, 0), 4 + 7 * 8);
	CHECK_ERR(getxattr("f", ACCESS, buf, 59), ERANGE);
	CHECK_EQ(getxattr("f", ACCESS, buf, 60), 60);
	/* Flags are checked, and then mean nothing. */
	CHECK_ERR(setxattr("f", ACCESS, &l, 4, 8), EINVAL);
	build(&l, (const int[]){ U, 6, -1, NU, 6, 7, G, 4, -1, M, 6, -1, O, 4, -1, END });
	CHECK_EQ(setxattr("f", ACCESS, &l, 44, XATTR_CREATE), 0);
	CHECK_EQ(removexattr("f", ACCESS), 0);
	CHECK_EQ(setxattr("f", ACCESS, &l, 44, XATTR_REPLACE), 0);
	CHECK_EQ(removexattr("f", ACCESS), 0);
	CHECK_EQ(mode_of("f"), 0664); /* as the mask left it */
	CHECK_ERR(getxattr("f", ACCESS, NULL, 0), ENODATA);
	CHECK_ERR(getxattr("f", "system.posix_acl", NULL, 0), EOPNOTSUPP);
	CHECK_EQ(symlink("f", "l"), 0);
	CHECK_ERR(lsetxattr("l", ACCESS, &l, 44, 0), EOPNOTSUPP);
	CHECK_ERR(lgetxattr("l", ACCESS, NULL, 0), EOPNOTSUPP);
	CHECK_EQ(setxattr("l", ACCESS, &l, 44, 0), 0);
	CHECK_EQ(mode_of("f"), 0664);
}

EVERYWHERE(acl_kinds_of_files, "setxattr,getxattr,fsetxattr,fgetxattr,listxattr,flistxattr")
{
	char names[256];
	int fd;

	CHECK_EQ(mkfifo("p", 0644), 0);
	CHECK_EQ(mknod("s", S_IFSOCK | 0644, 0), 0);
	CHECK_EQ(mkdir("d", 0755), 0);
	make_as("f", 0644);
	for (int i = 0; i < 4; i++) {
		const char *n = (const char *[]){ "p", "s", "d", "f" }[i];

		CHECK_EQ(SET(n, ACCESS, U, 6, -1, NU, 7, 7, G, 4, -1, M, 6, -1, O, 0, -1), 0);
		IS(n, ACCESS, U, 6, -1, NU, 7, 7, G, 4, -1, M, 6, -1, O, 0, -1);
		CHECK_EQ(mode_of(n), 0660);
		CHECK_EQ(listxattr(n, NULL, 0), sizeof(ACCESS));
		CHECK_EQ(listxattr(n, names, sizeof(names)), sizeof(ACCESS));
		CHECK(!strcmp(names, ACCESS));
		CHECK_ERR(listxattr(n, names, 10), ERANGE);
	}
	CHECK_EQ(SET("d", DEFAULT, U, 6, -1, G, 4, -1, O, 0, -1), 0);
	CHECK_EQ(setxattr("d", "user.x", "1", 1, 0), 0);
	CHECK_EQ(listxattr("d", names, sizeof(names)), sizeof(ACCESS) + sizeof(DEFAULT) + 7);
	CHECK_ERR(listxattr("d", names, sizeof(ACCESS) + sizeof(DEFAULT)), ERANGE);
	CHECK_EQ(removexattr("d", DEFAULT), 0);
	CHECK_ERR(getxattr("d", DEFAULT, NULL, 0), ENODATA);
	/* A file that has no name any more. */
	fd = open("f", O_RDWR);
	CHECK_EQ(unlink("f"), 0);
	CHECK_EQ(fgetxattr(fd, ACCESS, names, sizeof(names)), 44);
	CHECK_EQ(fsetxattr(fd, ACCESS, names, 44, 0), 0);
	CHECK_EQ(fsetxattr(fd, "user.y", "abc", 3, 0), 0);
	CHECK_EQ(fgetxattr(fd, "user.y", names, sizeof(names)), 3);
	CHECK_EQ(flistxattr(fd, names, sizeof(names)), sizeof(ACCESS) + 7);
	CHECK_EQ(fremovexattr(fd, ACCESS), 0);
	CHECK_EQ(flistxattr(fd, names, sizeof(names)), 7);
	fd = open(".", O_TMPFILE | O_RDWR, 0600);
	CHECK(fd >= 0);
	CHECK_EQ(fsetxattr(fd, "user.y", "abc", 3, 0), 0);
	CHECK_EQ(fgetxattr(fd, "user.y", names, sizeof(names)), 3);
}

EVERYWHERE(acl_follows_chmod, "chmod,fchmod,setxattr,getxattr")
{
	int fd;

	make_as("f", 0644);
	CHECK_EQ(SET("f", ACCESS, U, 6, -1, NU, 7, 7, G, 4, -1, M, 6, -1, O, 0, -1), 0);
	CHECK_EQ(chmod("f", 0715), 0);
	IS("f", ACCESS, U, 7, -1, NU, 7, 7, G, 4, -1, M, 1, -1, O, 5, -1);
	CHECK_EQ(mode_of("f"), 0715);
	fd = open("f", O_RDWR);
	CHECK_EQ(fchmod(fd, 06640), 0);
	IS("f", ACCESS, U, 6, -1, NU, 7, 7, G, 4, -1, M, 4, -1, O, 0, -1);
	CHECK_EQ(mode_of("f"), 06640);
	/* Owners come and go; the list stays. */
	CHECK_EQ(chown("f", 7, 8), 0);
	IS("f", ACCESS, U, 6, -1, NU, 7, 7, G, 4, -1, M, 4, -1, O, 0, -1);
	CHECK_EQ(removexattr("f", ACCESS), 0);
	CHECK_EQ(mode_of("f") & 0777, 0640);
	CHECK_EQ(mkdir("d", 0755), 0);
	CHECK_EQ(SET("d", ACCESS, U, 6, -1, NU, 7, 7, G, 4, -1, M, 6, -1, O, 0, -1), 0);
	CHECK_EQ(chmod("d", 0711), 0);
	IS("d", ACCESS, U, 7, -1, NU, 7, 7, G, 4, -1, M, 1, -1, O, 1, -1);
}

EVERYWHERE(acl_inherited, "open,mkdir,mknod,mkdirat,mknodat,openat,creat,symlink,setxattr")
{
	struct sockaddr_un a = { .sun_family = AF_UNIX, .sun_path = "d/sock" };
	int fd;

	CHECK_EQ(mkdir("d", 0755), 0);
	CHECK_EQ(SET("d", DEFAULT, U, 7, -1, NU, 6, 7, G, 5, -1, NG, 3, 8, M, 7, -1, O, 6, -1), 0);
	CHECK_EQ(mode_of("d"), 0755);
	umask(077); /* means nothing here */
	fd = open("d/f", O_CREAT | O_RDWR, 0666);
	CHECK(fd >= 0);
	IS("d/f", ACCESS, U, 6, -1, NU, 6, 7, G, 5, -1, NG, 3, 8, M, 6, -1, O, 6, -1);
	CHECK_ERR(getxattr("d/f", DEFAULT, NULL, 0), ENODATA);
	CHECK_EQ(mode_of("d/f"), 0666);
	CHECK_EQ(close(open("d/g", O_CREAT | O_RDWR, 0200)), 0);
	IS("d/g", ACCESS, U, 2, -1, NU, 6, 7, G, 5, -1, NG, 3, 8, M, 0, -1, O, 0, -1);
	CHECK_EQ(mode_of("d/g"), 0200);
	CHECK_EQ(mkdir("d/d", 0777), 0);
	IS("d/d", ACCESS, U, 7, -1, NU, 6, 7, G, 5, -1, NG, 3, 8, M, 7, -1, O, 6, -1);
	IS("d/d", DEFAULT, U, 7, -1, NU, 6, 7, G, 5, -1, NG, 3, 8, M, 7, -1, O, 6, -1);
	CHECK_EQ(mode_of("d/d"), 0776);
	CHECK_EQ(mkfifo("d/p", 0620), 0);
	IS("d/p", ACCESS, U, 6, -1, NU, 6, 7, G, 5, -1, NG, 3, 8, M, 2, -1, O, 0, -1);
	CHECK_EQ(mode_of("d/p"), 0620);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK_EQ(bind(fd, (void *)&a, sizeof(a)), 0);
	CHECK_EQ(mode_of("d/sock"), 0700); /* bind(2) applies it all the same */
	fd = open("d", O_TMPFILE | O_RDWR, 0666);
	CHECK(fd >= 0);
	CHECK_EQ(fgetxattr(fd, ACCESS, NULL, 0), 4 + 8 * 6);
	CHECK_EQ(symlink("x", "d/l"), 0);
	CHECK_EQ(mode_of("d/l"), 0777);
	/* A list that the mode can say. */
	CHECK_EQ(SET("d", DEFAULT, U, 7, -1, G, 5, -1, O, 4, -1), 0);
	CHECK_EQ(close(open("d/h", O_CREAT | O_RDWR, 0666)), 0);
	CHECK_EQ(mode_of("d/h"), 0644);
	CHECK_ERR(getxattr("d/h", ACCESS, NULL, 0), ENODATA);
	CHECK_EQ(mkdir("d/e", 02777), 0);
	CHECK_EQ(mode_of("d/e") & 0777, 0754);
	IS("d/e", DEFAULT, U, 7, -1, G, 5, -1, O, 4, -1);
	/* Set-group-id directories. */
	CHECK_EQ(chown("d", 0, 8), 0);
	CHECK_EQ(chmod("d", 02755), 0);
	CHECK_EQ(mkdir("d/sgid", 0777), 0);
	CHECK_EQ(mode_of("d/sgid"), 02754);
	/* Without one the umask is back. */
	CHECK_EQ(removexattr("d", DEFAULT), 0);
	CHECK_EQ(close(open("d/i", O_CREAT | O_RDWR, 0666)), 0);
	CHECK_EQ(mode_of("d/i"), 0600);
	CHECK_EQ(mkdir("d/j", 0777), 0);
	CHECK_EQ(mode_of("d/j"), 02700);
	/* Moving in inherits nothing. */
	make_as("k", 0644);
	CHECK_EQ(SET("d", DEFAULT, U, 7, -1, NU, 6, 7, G, 5, -1, M, 7, -1, O, 6, -1), 0);
	CHECK_EQ(rename("k", "d/k"), 0);
	CHECK_ERR(getxattr("d/k", ACCESS, NULL, 0), ENODATA);
	CHECK_EQ(link("d/k", "d/k2"), 0);
	CHECK_EQ(mode_of("d/k2"), 0644);
	/* Another owner: the mode that the list left stays. */
	CHECK_EQ(chmod("d", 0777), 0);
	AS(1234, 1234, 1234, umask(077); CHECK_EQ(close(open("d/m", O_CREAT | O_RDWR, 0666)), 0);
	   CHECK_EQ(mkdir("d/n", 0777), 0));
	IS("d/m", ACCESS, U, 6, -1, NU, 6, 7, G, 5, -1, M, 6, -1, O, 6, -1);
	IS("d/n", ACCESS, U, 7, -1, NU, 6, 7, G, 5, -1, M, 7, -1, O, 6, -1);
	CHECK_EQ(mode_of("d/n"), 0776);
}

static int try(const char *path, int flags)
{
	int fd = open(path, flags);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

EVERYWHERE(acl_permission, "open,access,faccessat2,setxattr,openat")
{
	make_as("f", 0600);
	CHECK_EQ(chown("f", 100, 200), 0);
	CHECK_EQ(SET("f", ACCESS, U, 4, -1, NU, 6, 7, NU, 0, 9, G, 4, -1, NG, 2, 300, NG, 6, 301, M,
		     6, -1, O, 6, -1), 0);
	AS(100, 1, 1, CHECK_EQ(try("f", O_RDONLY), 0); CHECK_EQ(try("f", O_WRONLY), -EACCES));
	AS(7, 1, 1, CHECK_EQ(try("f", O_RDWR), 0); CHECK_EQ(access("f", R_OK | W_OK), 0));
	AS(7, 200, 1, CHECK_EQ(try("f", O_RDWR), 0)); /* the user before the group */
	AS(9, 301, 1, CHECK_EQ(try("f", O_RDONLY), -EACCES); CHECK_ERR(access("f", R_OK), EACCES));
	AS(11, 200, 1, CHECK_EQ(try("f", O_RDONLY), 0); CHECK_EQ(try("f", O_WRONLY), -EACCES));
	AS(11, 1, 300, CHECK_EQ(try("f", O_WRONLY), 0); CHECK_EQ(try("f", O_RDONLY), -EACCES));
	/* Two groups: one alone must give all that is asked for. */
	AS(11, 200, 300, CHECK_EQ(try("f", O_WRONLY), 0); CHECK_EQ(try("f", O_RDONLY), 0);
	   CHECK_EQ(try("f", O_RDWR), -EACCES));
	AS(11, 200, 301, CHECK_EQ(try("f", O_RDWR), 0));
	AS(11, 1, 1, CHECK_EQ(try("f", O_RDWR), 0)); /* others, and no mask for them */
	CHECK_EQ(chmod("f", 0640), 0);		     /* the mask: read */
	AS(7, 1, 1, CHECK_EQ(try("f", O_RDONLY), 0); CHECK_EQ(try("f", O_WRONLY), -EACCES));
	AS(11, 1, 301, CHECK_EQ(try("f", O_RDONLY), 0); CHECK_EQ(try("f", O_RDWR), -EACCES));
	AS(11, 1, 1, CHECK_EQ(try("f", O_RDONLY), -EACCES));
	/* An empty mask: as Linux, only the mode counts then. */
	CHECK_EQ(chmod("f", 0604), 0);
	AS(9, 1, 1, CHECK_EQ(try("f", O_RDONLY), 0));
	AS(7, 1, 1, CHECK_EQ(try("f", O_RDONLY), 0); CHECK_EQ(try("f", O_WRONLY), -EACCES));
	CHECK_EQ(try("f", O_RDWR), 0); /* root */
}

EVERYWHERE(acl_directories, "openat,mkdir,unlink,stat,chdir,setxattr,execve")
{
	CHECK_EQ(mkdir("d", 0700), 0);
	make_as("d/f", 0644);
	AS(7, 1, 1, CHECK_EQ(try("d/f", O_RDONLY), -EACCES));
	CHECK_EQ(SET("d", ACCESS, U, 7, -1, NU, 1, 7, G, 0, -1, NG, 7, 300, M, 7, -1, O, 0, -1), 0);
	AS(7, 1, 1, CHECK_EQ(try("d/f", O_RDONLY), 0); CHECK_EQ(try("d", O_RDONLY), -EACCES);
	   CHECK_ERR(unlink("d/f"), EACCES); CHECK_ERR(mkdir("d/x", 0777), EACCES));
	AS(8, 1, 1, CHECK_EQ(try("d/f", O_RDONLY), -EACCES); CHECK_ERR(chdir("d"), EACCES));
	AS(8, 1, 300, CHECK_EQ(try("d", O_RDONLY), 0); CHECK_EQ(mkdir("d/x", 0777), 0);
	   CHECK_EQ(unlink("d/f"), 0); CHECK_EQ(chdir("d"), 0));
	CHECK_EQ(chmod("d", 0710), 0);
	AS(8, 1, 300, CHECK_EQ(try("d", O_RDONLY), -EACCES); CHECK_EQ(chdir("d"), 0));
	CHECK_EQ(removexattr("d", ACCESS), 0);
	AS(7, 1, 1, CHECK_ERR(chdir("d"), EACCES));
}

EVERYWHERE(acl_who_may_set, "setxattr,removexattr,getxattr")
{
	make_as("f", 0600);
	CHECK_EQ(chown("f", 100, 200), 0);
	AS(7, 1, 1, CHECK_ERR(SET("f", ACCESS, U, 6, -1, NU, 6, 7, G, 4, -1, M, 6, -1, O, 4, -1), EPERM);
	   CHECK_ERR(removexattr("f", ACCESS), EPERM);
	   CHECK_ERR(SET("f", ACCESS, U, 6, -1), EPERM); /* before it is looked at … */
	   CHECK_ERR(SET("f", ACCESS, 64, 6, -1), EINVAL); /* … but for its form */
	   CHECK_ERR(getxattr("f", ACCESS, NULL, 0), ENODATA)); /* anybody may */
	AS(100, 1, 1, CHECK_EQ(SET("f", ACCESS, U, 6, -1, NU, 6, 7, G, 4, -1, M, 6, -1, O, 4, -1), 0));
	AS(7, 1, 1, CHECK_EQ(try("f", O_RDWR), 0));
	/* The set-group-id bit goes with an owner who is not in the group. */
	CHECK_EQ(chmod("f", 02750), 0);
	AS(100, 1, 1, CHECK_EQ(SET("f", ACCESS, U, 6, -1, NU, 6, 7, G, 4, -1, M, 6, -1, O, 4, -1), 0));
	CHECK_EQ(mode_of("f"), 0664);
	CHECK_EQ(chmod("f", 02750), 0);
	AS(100, 1, 200, CHECK_EQ(SET("f", ACCESS, U, 6, -1, NU, 6, 7, G, 4, -1, M, 6, -1, O, 4, -1), 0));
	CHECK_EQ(mode_of("f"), 02664);
}

CASE(acl_unsupported, "setxattr,getxattr")
{
	CHECK_ERR(getxattr("/proc/self/status", ACCESS, NULL, 0), EOPNOTSUPP);
	CHECK_ERR(SET("/proc/meminfo", ACCESS, U, 6, -1, G, 4, -1, O, 4, -1), EOPNOTSUPP);
	CHECK_ERR(getxattr("/proc", DEFAULT, NULL, 0), EOPNOTSUPP);
}

/* What was there below comes up with the rest. */
CASE(acl_overlay, "mount,setxattr,getxattr,chmod,open")
{
	char names[256];

	enter();
	tmpfs("t", 0, "mode=755");
	CHECK_EQ(chdir("t"), 0);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(mkdir((const char *[]){ "low", "up", "work", "all" }[i], 0755), 0);
	make_as("low/f", 0600);
	make_as("low/g", 0600);
	CHECK_EQ(mkdir("low/d", 0755), 0);
	CHECK_EQ(SET("low/f", ACCESS, U, 6, -1, NU, 6, 7, G, 4, -1, M, 6, -1, O, 0, -1), 0);
	CHECK_EQ(SET("low/d", DEFAULT, U, 7, -1, NU, 6, 7, G, 5, -1, M, 7, -1, O, 0, -1), 0);
	CHECK_EQ(mount("o", "all", "overlay", 0, "lowerdir=low,upperdir=up,workdir=work"), 0);
	IS("all/f", ACCESS, U, 6, -1, NU, 6, 7, G, 4, -1, M, 6, -1, O, 0, -1);
	AS(7, 1, 1, CHECK_EQ(try("all/f", O_RDONLY), 0); CHECK_EQ(try("all/f", O_RDWR), 0));
	IS("up/f", ACCESS, U, 6, -1, NU, 6, 7, G, 4, -1, M, 6, -1, O, 0, -1);
	CHECK_EQ(chmod("all/f", 0644), 0);
	IS("all/f", ACCESS, U, 6, -1, NU, 6, 7, G, 4, -1, M, 4, -1, O, 4, -1);
	IS("low/f", ACCESS, U, 6, -1, NU, 6, 7, G, 4, -1, M, 6, -1, O, 0, -1);
	CHECK_EQ(SET("all/g", ACCESS, U, 6, -1, NU, 6, 7, G, 4, -1, M, 6, -1, O, 0, -1), 0);
	IS("up/g", ACCESS, U, 6, -1, NU, 6, 7, G, 4, -1, M, 6, -1, O, 0, -1);
	CHECK_ERR(getxattr("low/g", ACCESS, NULL, 0), ENODATA);
	umask(077);
	CHECK_EQ(close(open("all/d/n", O_CREAT | O_RDWR, 0666)), 0);
	IS("all/d/n", ACCESS, U, 6, -1, NU, 6, 7, G, 5, -1, M, 6, -1, O, 0, -1);
	CHECK_EQ(mkdir("all/d/m", 0777), 0);
	IS("all/d/m", DEFAULT, U, 7, -1, NU, 6, 7, G, 5, -1, M, 7, -1, O, 0, -1);
	CHECK_EQ(listxattr("all/f", names, sizeof(names)), sizeof(ACCESS));
}

MAIN()
