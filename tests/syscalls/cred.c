/* Identities, groups, capabilities, and what depends on them. */
#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <pthread.h>
#include <sched.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "tests/harness/guest.h"

#define NEED_ROOT()                                       \
	do {                                              \
		if (getuid() != 0 || geteuid() != 0)      \
			SKIP("needs root");               \
	} while (0)

struct caps { uint64_t e, p, i; };

static struct caps get_caps(void)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct d[2];

	CHECK_EQ(syscall(SYS_capget, &h, d), 0);
	return (struct caps){ d[0].effective | (uint64_t)d[1].effective << 32,
			      d[0].permitted | (uint64_t)d[1].permitted << 32,
			      d[0].inheritable | (uint64_t)d[1].inheritable << 32 };
}

static int set_caps(struct caps c)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct d[2] = {
		{ (uint32_t)c.e, (uint32_t)c.p, (uint32_t)c.i },
		{ (uint32_t)(c.e >> 32), (uint32_t)(c.p >> 32), (uint32_t)(c.i >> 32) },
	};

	return (int)syscall(SYS_capset, &h, d);
}

#define CAP(n) (1ULL << (n))

static void check_uids(uid_t r, uid_t e, uid_t s)
{
	uid_t a, b, c;

	CHECK_EQ(getresuid(&a, &b, &c), 0);
	CHECK_EQ(a, r);
	CHECK_EQ(b, e);
	CHECK_EQ(c, s);
}

static void check_gids(gid_t r, gid_t e, gid_t s)
{
	gid_t a, b, c;

	CHECK_EQ(getresgid(&a, &b, &c), 0);
	CHECK_EQ(a, r);
	CHECK_EQ(b, e);
	CHECK_EQ(c, s);
}

CASE(getters_agree, "getuid,geteuid,getgid,getegid,getresuid,getresgid")
{
	check_uids(getuid(), geteuid(), geteuid());
	check_gids(getgid(), getegid(), getegid());
	CHECK_ERR(syscall(SYS_getresuid, (void *)8, NULL, NULL), EFAULT);
	CHECK_ERR(syscall(SYS_getresgid, (void *)8, NULL, NULL), EFAULT);
}

CASE(setresuid_rules, "setresuid,getresuid")
{
	NEED_ROOT();
	CHECK_EQ(setresuid(10, 20, 30), 0);
	check_uids(10, 20, 30);
	CHECK_EQ(setresuid((uid_t)-1, 30, (uid_t)-1), 0);
	check_uids(10, 30, 30);
	CHECK_EQ(setresuid(30, 10, (uid_t)-1), 0);
	check_uids(30, 10, 30);
	CHECK_ERR(setresuid(20, (uid_t)-1, (uid_t)-1), EPERM);
	CHECK_ERR(setresuid((uid_t)-1, 0, (uid_t)-1), EPERM);
	CHECK_EQ(setresuid((uid_t)-1, (uid_t)-1, (uid_t)-1), 0);
}

CASE(setreuid_moves_saved, "setreuid,getresuid")
{
	NEED_ROOT();
	CHECK_EQ(setreuid(10, 20), 0);
	check_uids(10, 20, 20);
	CHECK_EQ(setreuid((uid_t)-1, 10), 0);
	check_uids(10, 10, 20);
	CHECK_EQ(setreuid((uid_t)-1, 20), 0); /* not the real one: saved follows */
	check_uids(10, 20, 20);
	CHECK_ERR(setreuid(30, (uid_t)-1), EPERM);
	CHECK_EQ(setreuid(20, 10), 0);
	check_uids(20, 10, 10);
}

CASE(setuid_rules, "setuid,getuid")
{
	NEED_ROOT();
	CHECK_EQ(setresuid(10, 0, 40), 0);
	CHECK_EQ(setuid(50), 0);
	check_uids(50, 50, 50);
	CHECK_ERR(setuid(0), EPERM);
	CHECK_ERR(setuid((uid_t)-1), EINVAL);
	CHECK_EQ(setuid(50), 0);
}

CASE(setuid_of_saved, "setuid,setresuid")
{
	NEED_ROOT();
	CHECK_EQ(setresuid(10, 20, 30), 0);
	CHECK_EQ(setuid(30), 0);
	check_uids(10, 30, 30);
	CHECK_EQ(setuid(10), 0);
	check_uids(10, 10, 30);
	CHECK_ERR(setuid(20), EPERM);
}

CASE(gid_rules, "setgid,setregid,setresgid,getresgid")
{
	NEED_ROOT();
	CHECK_EQ(setresgid(10, 20, 30), 0);
	check_gids(10, 20, 30);
	CHECK_EQ(setregid(11, (gid_t)-1), 0);
	check_gids(11, 20, 20);
	CHECK_EQ(setgid(5), 0);
	check_gids(5, 5, 5);
	CHECK_EQ(setresgid(1, 2, 3), 0);
	CHECK_EQ(setuid(1000), 0);
	CHECK_EQ(setgid(3), 0);
	check_gids(1, 3, 3);
	CHECK_ERR(setgid(2), EPERM);
	CHECK_ERR(setregid(2, (gid_t)-1), EPERM);
	CHECK_ERR(setresgid((gid_t)-1, 2, (gid_t)-1), EPERM);
	CHECK_ERR(setgid((gid_t)-1), EINVAL);
}

CASE(groups, "setgroups,getgroups")
{
	gid_t in[3] = { 300, 100, 200 }, out[3] = { 0 };

	NEED_ROOT();
	CHECK_EQ(syscall(SYS_setgroups, 3, in), 0);
	CHECK_EQ(getgroups(0, NULL), 3);
	CHECK_EQ(getgroups(3, out), 3);
	CHECK(out[0] == 100 && out[1] == 200 && out[2] == 300);
	CHECK_ERR(getgroups(2, out), EINVAL);
	CHECK_ERR(syscall(SYS_getgroups, -1, out), EINVAL);
	CHECK_ERR(syscall(SYS_getgroups, 3, (gid_t *)8), EFAULT);
	CHECK_ERR(syscall(SYS_setgroups, 65537, in), EINVAL);
	CHECK_ERR(syscall(SYS_setgroups, 3, (gid_t *)8), EFAULT);
	CHECK_EQ(setuid(1000), 0);
	CHECK_ERR(syscall(SYS_setgroups, 3, in), EPERM);
	CHECK_ERR(syscall(SYS_setgroups, 65537, in), EPERM);
	CHECK_EQ(getgroups(0, NULL), 3);
}

CASE(ids_belong_to_the_thread, "setresuid,setgroups")
{
	NEED_ROOT();
	/* The raw call changes the calling thread only; the library does the others. */
	CHECK_EQ(IN_CHILD({
		pid_t p = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
		if (p == 0)
			_exit(syscall(SYS_setresuid, 5, 5, 5) != 0);
		waitpid(p, NULL, 0);
		_exit(getuid() != 0);
	}), 0);
}

CASE(fs_ids, "setfsuid,setfsgid,open")
{
	NEED_ROOT();
	CHECK_EQ(setfsuid(1000), 0);
	CHECK_EQ(setfsuid((uid_t)-1), 1000); /* always the old one, never an error */
	CHECK_EQ(setfsgid(1000), getegid());
	CHECK_EQ(setfsgid((gid_t)-1), 1000);
	CHECK_EQ(setfsuid(0), 1000);
	CHECK_EQ(chmod(".", 0777), 0);
	CHECK_EQ(setfsuid(1234), 0);
	struct stat st;
	int fd = open("x", O_CREAT | O_WRONLY, 0600);
	CHECK(fd >= 0 && fstat(fd, &st) == 0);
	CHECK_EQ(st.st_uid, 1234);
	CHECK_EQ(st.st_gid, 1000);
	CHECK_EQ(setresuid((uid_t)-1, 77, (uid_t)-1), 0);
	CHECK_EQ(setfsuid((uid_t)-1), 77); /* follows the effective one */
	CHECK_EQ(setfsuid(99), 77); /* not allowed, and said so nowhere */
	CHECK_EQ(setfsuid((uid_t)-1), 77);
}

CASE(access_with_dropped_ids, "open,mkdir,unlink,rename,setresuid")
{
	int fd;

	NEED_ROOT();
	fd = open("secret", O_CREAT | O_WRONLY, 0600);
	CHECK(fd >= 0 && mkdir("closed", 0700) == 0 && mkdir("open", 0777) == 0);
	CHECK(chmod(".", 0755) == 0 && chmod("open", 0777) == 0);
	CHECK(close(open("closed/in", O_CREAT | O_WRONLY, 0666)) == 0);
	CHECK(close(open("group", O_CREAT | O_WRONLY, 0640)) == 0);
	CHECK_EQ(chown("group", 0, 500), 0);
	CHECK_EQ(chmod("group", 0040), 0);
	CHECK_EQ(chown("open", 1000, 1000), 0);
	CHECK_EQ(setgroups(1, (gid_t[]){ 500 }), 0);
	CHECK_EQ(setresgid(1000, 1000, 1000), 0);
	CHECK_EQ(setresuid(1000, 1000, 1000), 0);
	CHECK_ERR(open("secret", O_RDONLY), EACCES);
	CHECK_ERR(open("closed/in", O_RDONLY), EACCES);
	CHECK_ERR(open("closed/none", O_RDONLY), EACCES);
	CHECK_ERR(open("new", O_CREAT | O_WRONLY, 0666), EACCES);
	CHECK_ERR(mkdir("new", 0777), EACCES);
	CHECK_ERR(unlink("secret"), EACCES);
	CHECK_ERR(rename("secret", "open/secret"), EACCES);
	CHECK(open("group", O_RDONLY) >= 0);
	CHECK_ERR(open("group", O_WRONLY), EACCES);
	CHECK_EQ(write(fd, "x", 1), 1); /* an open file stays usable */
	CHECK(close(open("open/new", O_CREAT | O_WRONLY, 0666)) == 0);
	/* The owner's bits count for the owner even where others may do more. */
	CHECK_EQ(chmod("open/new", 0066), 0);
	CHECK_ERR(open("open/new", O_RDONLY), EACCES);
}

CASE(capget_versions, "capget")
{
	struct __user_cap_header_struct h = { 0x1234, 0 };
	struct __user_cap_data_struct d[2];

	CHECK_ERR(syscall(SYS_capget, &h, d), EINVAL);
	CHECK_EQ(h.version, _LINUX_CAPABILITY_VERSION_3);
	h.version = 0x1234;
	CHECK_EQ(syscall(SYS_capget, &h, NULL), 0); /* asks for the version */
	CHECK_EQ(h.version, _LINUX_CAPABILITY_VERSION_3);
	h.pid = 99999999;
	CHECK_ERR(syscall(SYS_capget, &h, d), ESRCH);
	h.pid = -1;
	CHECK_ERR(syscall(SYS_capget, &h, d), EINVAL);
	h.pid = getppid();
	CHECK_EQ(syscall(SYS_capget, &h, d), 0);
	CHECK_ERR(syscall(SYS_capget, (void *)8, d), EFAULT);
}

CASE(capset_rules, "capset,capget")
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, getppid() };
	struct __user_cap_data_struct d[2] = { { 0 } };
	struct caps c = get_caps(), less;

	if (!(c.p & CAP(CAP_CHOWN)))
		SKIP("needs CAP_CHOWN");
	CHECK_ERR(syscall(SYS_capset, &h, d), EPERM); /* another process */
	less = c;
	less.p &= ~CAP(CAP_KILL);
	CHECK_ERR(set_caps(less), EPERM); /* effective beyond permitted */
	less.e &= ~CAP(CAP_KILL);
	CHECK_EQ(set_caps(less), 0);
	CHECK(get_caps().p == less.p && get_caps().e == less.e);
	CHECK_ERR(set_caps(c), EPERM);
	less.e = 0;
	CHECK_EQ(set_caps(less), 0);
	less.e = CAP(CAP_CHOWN);
	CHECK_EQ(set_caps(less), 0);
	CHECK_EQ(get_caps().e, CAP(CAP_CHOWN));
}

CASE(caps_follow_uid, "setresuid,capget")
{
	struct caps c = get_caps();

	NEED_ROOT();
	CHECK_EQ(setresuid((uid_t)-1, 1000, (uid_t)-1), 0);
	CHECK(get_caps().e == 0 && get_caps().p == c.p);
	CHECK_EQ(setresuid((uid_t)-1, 0, (uid_t)-1), 0);
	CHECK(get_caps().e == c.p);
	CHECK_EQ(setresuid(1000, 1000, 1000), 0);
	CHECK(get_caps().e == 0 && get_caps().p == 0);
}

CASE(keepcaps, "prctl,setresuid,capget")
{
	struct caps c = get_caps();

	NEED_ROOT();
	CHECK_EQ(prctl(PR_GET_KEEPCAPS), 0);
	CHECK_ERR(prctl(PR_SET_KEEPCAPS, 2), EINVAL);
	CHECK_EQ(prctl(PR_SET_KEEPCAPS, 1), 0);
	CHECK_EQ(prctl(PR_GET_KEEPCAPS), 1);
	CHECK_EQ(setresuid(1000, 1000, 1000), 0);
	CHECK(get_caps().e == 0 && get_caps().p == c.p);
	c.e = CAP(CAP_SETUID);
	CHECK_EQ(set_caps(c), 0);
	CHECK_EQ(setresuid(0, 0, 0), 0);
}

CASE(bounding_and_ambient, "prctl")
{
	struct caps c = get_caps();

	NEED_ROOT();
	if (!(c.p & CAP(CAP_CHOWN)) || !(c.p & CAP(CAP_SETPCAP)))
		SKIP("needs CAP_CHOWN and CAP_SETPCAP");
	CHECK_EQ(prctl(PR_CAPBSET_READ, CAP_CHOWN), 1);
	CHECK_ERR(prctl(PR_CAPBSET_READ, 64), EINVAL);
	CHECK_ERR(prctl(PR_CAPBSET_DROP, 64), EINVAL);
	CHECK_EQ(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_KILL, 0, 0), 0);
	CHECK_ERR(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN, 0, 0), EPERM); /* not inheritable */
	c.i = CAP(CAP_CHOWN);
	CHECK_EQ(set_caps(c), 0);
	CHECK_EQ(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN, 0, 0), 0);
	CHECK_EQ(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_CHOWN, 0, 0), 1);
	CHECK_EQ(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0), 0);
	CHECK_EQ(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_CHOWN, 0, 0), 0);
	CHECK_ERR(prctl(PR_CAP_AMBIENT, 9, CAP_CHOWN, 0, 0), EINVAL);
	CHECK_EQ(prctl(PR_CAPBSET_DROP, CAP_CHOWN), 0);
	CHECK_EQ(prctl(PR_CAPBSET_READ, CAP_CHOWN), 0);
	/* The limit shows at the next program. */
	CHECK_EQ(WEXITSTATUS(IN_CHILD({
		c.i = 0;
		set_caps(c);
		execl("/bin/sh", "sh", "-c", "touch f && chown 5 f 2>/dev/null", (char *)NULL);
	})) != 0, 1);
}

CASE(ambient_survives_exec, "prctl,execve")
{
	struct caps c = get_caps();

	NEED_ROOT();
	if (!(c.p & CAP(CAP_CHOWN)))
		SKIP("needs CAP_CHOWN");
	CHECK(close(open("f", O_CREAT | O_WRONLY, 0666)) == 0);
	CHECK_EQ(chmod(".", 0777), 0);
	for (int raise = 0; raise < 2; raise++) {
		int st = IN_CHILD({
			prctl(PR_SET_KEEPCAPS, 1);
			if (setresuid(1000, 1000, 1000))
				_exit(9);
			c.e = c.p = c.i = CAP(CAP_CHOWN);
			if (set_caps(c))
				_exit(8);
			if (raise && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN, 0, 0))
				_exit(7);
			execl("/bin/sh", "sh", "-c", "chown 5 f 2>/dev/null || exit 3", (char *)NULL);
		});

		CHECK_EQ(WEXITSTATUS(st), raise ? 0 : 3);
	}
}

CASE(securebits, "prctl")
{
	struct caps c = get_caps();

	if (!(c.e & CAP(CAP_SETPCAP)))
		SKIP("needs CAP_SETPCAP");
	CHECK_EQ(prctl(PR_GET_SECUREBITS), 0);
	CHECK_ERR(prctl(PR_SET_SECUREBITS, 0x10000), EPERM);
	CHECK_EQ(prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP | SECBIT_NO_SETUID_FIXUP_LOCKED), 0);
	CHECK_EQ(prctl(PR_GET_SECUREBITS), SECBIT_NO_SETUID_FIXUP | SECBIT_NO_SETUID_FIXUP_LOCKED);
	CHECK_ERR(prctl(PR_SET_SECUREBITS, 0), EPERM); /* locked */
	if (getuid() == 0) {
		CHECK_EQ(setresuid(1000, 1000, 1000), 0);
		CHECK(get_caps().e == c.e && get_caps().p == c.p);
	}
}

CASE(no_new_privs, "prctl")
{
	CHECK_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 0);
	CHECK_ERR(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0), EINVAL);
	CHECK_ERR(prctl(PR_SET_NO_NEW_PRIVS, 1, 1, 0, 0), EINVAL);
	CHECK_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	CHECK_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
	CHECK_EQ(IN_CHILD(_exit(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)), 0);
}

CASE(prctl_names_and_signals, "prctl")
{
	char name[17] = "";
	int sig = -1;

	CHECK_EQ(prctl(PR_SET_NAME, "a-very-long-name-indeed"), 0);
	CHECK_EQ(prctl(PR_GET_NAME, name), 0);
	CHECK(!strcmp(name, "a-very-long-nam"));
	CHECK_ERR(prctl(PR_SET_NAME, 8), EFAULT);
	CHECK_EQ(prctl(PR_SET_PDEATHSIG, SIGUSR1), 0);
	CHECK_EQ(prctl(PR_GET_PDEATHSIG, &sig), 0);
	CHECK_EQ(sig, SIGUSR1);
	CHECK_ERR(prctl(PR_SET_PDEATHSIG, 65), EINVAL);
	CHECK_EQ(IN_CHILD({
		prctl(PR_GET_PDEATHSIG, &sig);
		_exit(sig);
	}), 0);
	CHECK_EQ(prctl(PR_GET_DUMPABLE), 1);
	CHECK_ERR(prctl(PR_SET_DUMPABLE, 2), EINVAL);
	CHECK_EQ(prctl(PR_SET_DUMPABLE, 0), 0);
	CHECK_EQ(prctl(PR_GET_DUMPABLE), 0);
	CHECK_ERR(prctl(0x7fffffff, 0, 0, 0, 0), EINVAL);
}

CASE(parent_death_signal, "prctl")
{
	int p[2];
	char c;

	CHECK_EQ(pipe(p), 0);
	IN_CHILD({
		int ready[2];
		pid_t mid = getpid();
		if (pipe(ready))
			_exit(1);
		if (fork() == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			if (getppid() != mid || write(ready[1], "x", 1) != 1)
				_exit(1);
			close(p[0]);
			for (;;)
				pause();
		}
		if (read(ready[0], &c, 1) != 1)
			_exit(1);
	});
	close(p[1]);
	CHECK_EQ(read(p[0], &c, 1), 0); /* the last writer has been killed */
}

CASE(set_id_program, "execve,chmod,prctl")
{
	char cmd[] = "cp /bin/dash sh && chown 1234 sh && chmod 4755 sh";

	NEED_ROOT();
	CHECK_EQ(chmod(".", 0755), 0);
	if (system(cmd) != 0)
		SKIP("no /bin/dash");
	for (int nnp = 0; nnp < 2; nnp++) {
		int st = IN_CHILD({
			if (setresuid(1000, 1000, 1000))
				_exit(9);
			if (nnp)
				prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
			execl("./sh", "sh", "-p", "-c", "exit $(grep ^Uid: /proc/self/status | grep -c 1234)",
			      (char *)NULL);
		});

		CHECK_EQ(WEXITSTATUS(st), !nnp);
	}
}

CASE(kill_needs_same_user, "kill,setresuid")
{
	int p[2], st;
	char c;
	pid_t victim;

	NEED_ROOT();
	CHECK_EQ(pipe(p), 0);
	victim = fork();
	if (victim == 0) {
		CHECK_EQ(setresuid(2000, 2000, 2000), 0);
		CHECK_EQ(write(p[1], "x", 1), 1);
		for (;;)
			pause();
	}
	CHECK_EQ(read(p[0], &c, 1), 1);
	st = IN_CHILD({
		if (setresuid(1000, 1000, 1000))
			_exit(9);
		_exit(!(kill(victim, 0) == -1 && errno == EPERM && kill(victim, 65) == -1));
	});
	CHECK_EQ(st, 0);
	st = IN_CHILD({
		if (setresuid(2000, 1000, 1000))
			_exit(9);
		_exit(kill(victim, SIGTERM) != 0);
	});
	CHECK_EQ(st, 0);
	CHECK_EQ(waitpid(victim, &st, 0), victim);
	CHECK_EQ(WTERMSIG(st), SIGTERM);
}

CASE(umask_rules, "umask")
{
	struct stat st;
	mode_t old = umask(027);

	CHECK_EQ(umask(07777), 027);
	CHECK_EQ(umask(027), 0777); /* only the permission bits are kept */
	CHECK_EQ(close(open("f", O_CREAT | O_WRONLY, 0666)), 0);
	CHECK_EQ(stat("f", &st), 0);
	CHECK_EQ(st.st_mode & 07777, 0640);
	CHECK_EQ(mkdir("d", 0777), 0);
	CHECK_EQ(stat("d", &st), 0);
	CHECK_EQ(st.st_mode & 07777, 0750);
	IN_CHILD(umask(0));
	CHECK_EQ(umask(old), 027);
}

/* Asking for what is there already leaves the file system ids alone. */
CASE(setres_of_nothing, "setresuid,setresgid,setfsuid,setfsgid")
{
	setfsuid(1000);
	setfsgid(1001);
	CHECK_EQ(setresuid(-1, -1, -1), 0);
	CHECK_EQ(setresuid(0, -1, 0), 0);
	CHECK_EQ(setresgid(-1, -1, 0), 0);
	CHECK_EQ(setfsuid(-1), 1000);
	CHECK_EQ(setfsgid(-1), 1001);
	CHECK_EQ(setresgid(-1, 0, -1), 0);
	CHECK_EQ(setresuid(-1, 0, -1), 0);
	CHECK_EQ(setfsuid(-1), 0);
	CHECK_EQ(setfsgid(-1), 0);
}

MAIN()
