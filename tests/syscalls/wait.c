/* wait4(2) and waitid(2) with every option; autoreaping, subreapers, death signals,
 * process groups and sessions, orphaned groups. */
#include "tests/harness/guest.h"

#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif
#define WNOTHREAD_ 0x20000000
#define WALL_ 0x40000000
#define WCLONE_ ((int)0x80000000)

static long waitid_raw(int which, int id, siginfo_t *si, int options, struct rusage *ru)
{
	return syscall(SYS_waitid, which, id, si, options, ru);
}

static pid_t spawn(int code)
{
	pid_t p = fork();

	if (p == 0)
		_exit(code);
	CHECK(p > 0);
	return p;
}

/* A child that sleeps until it is killed. */
static pid_t sleeper(void)
{
	pid_t p = fork();

	if (p == 0)
		for (;;)
			pause();
	CHECK(p > 0);
	return p;
}

static void until_zombie(pid_t p)
{
	siginfo_t si;

	CHECK(waitid(P_PID, (id_t)p, &si, WEXITED | WNOWAIT) == 0);
}

static void nap(long ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&ts, NULL);
}

CASE(argument_errors, "wait4,waitid")
{
	siginfo_t si;
	int st;

	CHECK_ERR(wait4(-1, &st, 0, NULL), ECHILD);
	CHECK_ERR(wait4(INT32_MIN, &st, 0, NULL), ESRCH);
	CHECK_ERR(wait4(-1, &st, 0x100, NULL), EINVAL);
	CHECK_ERR(wait4(-1, &st, WEXITED, NULL), EINVAL);
	CHECK_ERR(wait4(-1, &st, WNOWAIT, NULL), EINVAL);
	CHECK_ERR(wait4(1 << 29, &st, 0, NULL), ECHILD);
	CHECK_ERR(wait4(-(1 << 29), &st, 0, NULL), ECHILD);
	CHECK_ERR(waitid_raw(P_ALL, 0, &si, 0, NULL), EINVAL);
	CHECK_ERR(waitid_raw(P_ALL, 0, &si, WNOHANG, NULL), EINVAL);
	CHECK_ERR(waitid_raw(P_ALL, 0, &si, WEXITED | 0x10, NULL), EINVAL);
	CHECK_ERR(waitid_raw(99, 0, &si, WEXITED, NULL), EINVAL);
	CHECK_ERR(waitid_raw(P_PID, 0, &si, WEXITED, NULL), EINVAL);
	CHECK_ERR(waitid_raw(P_PID, -1, &si, WEXITED, NULL), EINVAL);
	CHECK_ERR(waitid_raw(P_PGID, -1, &si, WEXITED, NULL), EINVAL);
	CHECK_ERR(waitid_raw(P_PGID, 0, &si, WEXITED, NULL), ECHILD);
	CHECK_ERR(waitid_raw(P_PIDFD, -1, &si, WEXITED, NULL), EINVAL);
	CHECK_ERR(waitid_raw(P_PIDFD, 99, &si, WEXITED, NULL), EBADF);
	CHECK_ERR(waitid_raw(P_PIDFD, 0, &si, WEXITED, NULL), EBADF);
	CHECK_ERR(waitid_raw(P_ALL, 0, &si, WEXITED | WNOHANG, NULL), ECHILD);
	/* The options come before the target. */
	CHECK_ERR(waitid_raw(99, 0, &si, 0x10, NULL), EINVAL);
}

CASE(bad_pointers, "wait4,waitid")
{
	pid_t p = spawn(3);

	/* The child is gone even though its status could not be stored. */
	CHECK_ERR(wait4(p, (int *)8, 0, NULL), EFAULT);
	CHECK_ERR(wait4(p, NULL, 0, NULL), ECHILD);
	p = spawn(3);
	CHECK_ERR(wait4(p, NULL, 0, (struct rusage *)8), EFAULT);
	p = spawn(3);
	CHECK_ERR(waitid_raw(P_PID, p, (siginfo_t *)8, WEXITED, NULL), EFAULT);
	CHECK_ERR(waitid_raw(P_PID, p, NULL, WEXITED, NULL), ECHILD);
	p = spawn(3);
	CHECK(waitid_raw(P_PID, p, NULL, WEXITED, NULL) == 0);
}

CASE(siginfo_of_each_kind, "waitid")
{
	siginfo_t si;
	pid_t p = spawn(42);

	memset(&si, 0xff, sizeof(si));
	CHECK(waitid(P_PID, (id_t)p, &si, WEXITED) == 0);
	CHECK_EQ(si.si_signo, SIGCHLD);
	CHECK_EQ(si.si_errno, 0);
	CHECK_EQ(si.si_code, CLD_EXITED);
	CHECK_EQ(si.si_status, 42);
	CHECK_EQ(si.si_pid, p);
	CHECK_EQ(si.si_uid, getuid());
	CHECK_EQ(si.si_utime, -1); /* not written */
	p = sleeper();
	kill(p, SIGSTOP);
	CHECK(waitid(P_PID, (id_t)p, &si, WSTOPPED) == 0);
	CHECK_EQ(si.si_code, CLD_STOPPED);
	CHECK_EQ(si.si_status, SIGSTOP);
	memset(&si, 0xff, sizeof(si));
	CHECK(waitid(P_PID, (id_t)p, &si, WSTOPPED | WNOHANG) == 0);
	CHECK_EQ(si.si_pid, 0); /* told once */
	CHECK_EQ(si.si_signo, 0);
	kill(p, SIGCONT);
	CHECK(waitid(P_PID, (id_t)p, &si, WCONTINUED) == 0);
	CHECK_EQ(si.si_code, CLD_CONTINUED);
	CHECK_EQ(si.si_status, SIGCONT);
	CHECK(waitid(P_PID, (id_t)p, &si, WCONTINUED | WNOHANG) == 0);
	CHECK_EQ(si.si_pid, 0);
	kill(p, SIGKILL);
	CHECK(waitid(P_PID, (id_t)p, &si, WEXITED) == 0);
	CHECK_EQ(si.si_code, CLD_KILLED);
	CHECK_EQ(si.si_status, SIGKILL);
}

CASE(nowait_leaves_it, "waitid,wait4")
{
	pid_t p = sleeper();
	siginfo_t si;
	int st;

	kill(p, SIGSTOP);
	for (int i = 0; i < 3; i++) {
		CHECK(waitid(P_PID, (id_t)p, &si, WSTOPPED | WNOWAIT) == 0);
		CHECK_EQ(si.si_code, CLD_STOPPED);
	}
	CHECK(wait4(p, &st, WUNTRACED, NULL) == p);
	CHECK(WIFSTOPPED(st) && WSTOPSIG(st) == SIGSTOP);
	kill(p, SIGCONT);
	for (int i = 0; i < 3; i++) {
		CHECK(waitid(P_PID, (id_t)p, &si, WCONTINUED | WNOWAIT) == 0);
		CHECK_EQ(si.si_code, CLD_CONTINUED);
	}
	CHECK(wait4(p, &st, WCONTINUED, NULL) == p);
	CHECK(WIFCONTINUED(st));
	CHECK_EQ(st, 0xffff);
	kill(p, SIGTERM);
	for (int i = 0; i < 3; i++)
		until_zombie(p);
	CHECK(wait4(p, &st, 0, NULL) == p);
	CHECK_EQ(st, SIGTERM);
}

CASE(by_group, "wait4,waitid,setpgid")
{
	pid_t a = sleeper(), b = sleeper(), own = spawn(1);
	siginfo_t si;
	int st;

	CHECK(setpgid(a, a) == 0 && setpgid(b, a) == 0);
	CHECK(wait4(0, &st, 0, NULL) == own);
	CHECK_ERR(wait4(0, &st, WNOHANG, NULL), ECHILD);
	CHECK(wait4(-a, &st, WNOHANG, NULL) == 0);
	kill(b, SIGKILL);
	CHECK(wait4(-a, &st, 0, NULL) == b);
	kill(a, SIGKILL);
	CHECK(waitid(P_PGID, (id_t)a, &si, WEXITED) == 0);
	CHECK_EQ(si.si_pid, a);
	CHECK_ERR(wait4(-a, &st, 0, NULL), ECHILD);
}

/* The group is that of the moment, also a zombie's. */
CASE(group_of_a_zombie, "waitid,setpgid")
{
	pid_t p = spawn(5);
	siginfo_t si;

	until_zombie(p);
	CHECK(setpgid(p, p) == 0);
	CHECK_ERR(waitid(P_PGID, 0, &si, WEXITED), ECHILD);
	CHECK(waitid(P_PGID, (id_t)p, &si, WEXITED) == 0);
	CHECK_EQ(si.si_pid, p);
}

CASE(by_pidfd, "waitid,pidfd_open")
{
	pid_t p = sleeper();
	int fd = (int)syscall(SYS_pidfd_open, p, 0), nb;
	siginfo_t si;

	CHECK(fd >= 0);
	CHECK(waitid_raw(P_PIDFD, fd, &si, WEXITED | WNOHANG, NULL) == 0);
	CHECK_EQ(si.si_pid, 0);
	nb = (int)syscall(SYS_pidfd_open, p, O_NONBLOCK);
	CHECK(nb >= 0);
	CHECK_ERR(waitid_raw(P_PIDFD, nb, &si, WEXITED, NULL), EAGAIN);
	kill(p, SIGKILL);
	CHECK(waitid_raw(P_PIDFD, fd, &si, WEXITED | WNOWAIT, NULL) == 0);
	CHECK_EQ(si.si_pid, p);
	CHECK(waitid_raw(P_PIDFD, nb, &si, WEXITED, NULL) == 0);
	CHECK_ERR(waitid_raw(P_PIDFD, fd, &si, WEXITED, NULL), ECHILD);
	/* Not a child. */
	fd = (int)syscall(SYS_pidfd_open, getppid(), 0);
	CHECK_ERR(waitid_raw(P_PIDFD, fd, &si, WEXITED, NULL), ECHILD);
}

static int clone_child(void *arg)
{
	_exit((int)(intptr_t)arg);
}

static pid_t clone_with(int sig, int code)
{
	static char stack[65536] __attribute__((aligned(16)));
	pid_t p = clone(clone_child, stack + sizeof(stack), sig, (void *)(intptr_t)code);

	CHECK(p > 0);
	return p;
}

/* A "clone" child reports with another signal than SIGCHLD, or none. */
CASE(clone_children, "wait4,clone")
{
	pid_t a, b;
	int st;

	signal(SIGUSR1, SIG_IGN);
	a = clone_with(0, 1);
	b = clone_with(SIGUSR1, 2);
	CHECK_ERR(wait4(-1, &st, 0, NULL), ECHILD);
	CHECK_ERR(wait4(a, &st, 0, NULL), ECHILD);
	CHECK(wait4(a, &st, WCLONE_, NULL) == a);
	CHECK_EQ(WEXITSTATUS(st), 1);
	CHECK(wait4(b, &st, WALL_, NULL) == b);
	CHECK_EQ(WEXITSTATUS(st), 2);
	a = spawn(7);
	CHECK_ERR(wait4(a, &st, WCLONE_, NULL), ECHILD);
	CHECK(wait4(a, &st, WCLONE_ | WALL_, NULL) == a);
}

static void *waiter_thread(void *arg)
{
	int st;

	errno = 0;
	return (void *)(intptr_t)(wait4((pid_t)(intptr_t)arg, &st, WNOTHREAD_, NULL) == -1 ? errno
											   : 0);
}

CASE(not_those_of_other_threads, "wait4")
{
	pthread_t t;
	void *r;
	pid_t p = spawn(1);
	int st;

	CHECK(pthread_create(&t, NULL, waiter_thread, (void *)(intptr_t)p) == 0);
	pthread_join(t, &r);
	CHECK_EQ((intptr_t)r, ECHILD);
	CHECK(wait4(p, &st, WNOTHREAD_, NULL) == p);
}

static void *wait_any(void *arg)
{
	int st;

	(void)arg;
	return (void *)(intptr_t)wait(&st);
}

CASE(any_thread_may_wait, "wait4")
{
	pthread_t t;
	void *r;
	pid_t p = sleeper();

	CHECK(pthread_create(&t, NULL, wait_any, NULL) == 0);
	nap(20);
	kill(p, SIGKILL);
	pthread_join(t, &r);
	CHECK_EQ((intptr_t)r, p);
}

/* ---- SIGCHLD and autoreaping ---- */

static volatile int chlds;
static siginfo_t chld;
static void on_chld(int sig, siginfo_t *si, void *p)
{
	(void)sig;
	(void)p;
	chlds++;
	chld = *si;
}

static void chld_action(void (*fn)(int, siginfo_t *, void *), int flags)
{
	struct sigaction sa = { .sa_sigaction = fn, .sa_flags = flags | SA_SIGINFO };

	if (fn == NULL) {
		sa.sa_flags = flags;
		sa.sa_handler = SIG_IGN;
	}
	CHECK(sigaction(SIGCHLD, &sa, NULL) == 0);
}

CASE(autoreap_kinds, "rt_sigaction,wait4")
{
	pid_t p;

	/* NOCLDWAIT with a handler: the signal comes, no zombie stays. */
	chld_action(on_chld, SA_NOCLDWAIT);
	p = spawn(1);
	CHECK_ERR(waitpid(p, NULL, 0), ECHILD);
	CHECK_EQ(chlds, 1);
	CHECK_EQ(chld.si_pid, p);
	CHECK_EQ(chld.si_status, 1);
	CHECK_EQ(chld.si_code, CLD_EXITED);
	/* Ignored: neither. */
	chld_action(NULL, 0);
	p = spawn(1);
	CHECK_ERR(waitpid(p, NULL, 0), ECHILD);
	CHECK_EQ(chlds, 1);
	/* A child that is a zombie already stays one. */
	chld_action(on_chld, 0);
	p = spawn(1);
	until_zombie(p);
	chld_action(NULL, 0);
	CHECK(waitpid(p, NULL, 0) == p);
	/* What SIGCHLD does matters only for those that send it. */
	p = clone_with(0, 3);
	CHECK(waitpid(p, NULL, WALL_) == p);
}

CASE(one_signal_for_many, "rt_sigprocmask,wait4")
{
	sigset_t s;
	int n = 0;

	chld_action(on_chld, 0);
	sigemptyset(&s);
	sigaddset(&s, SIGCHLD);
	sigprocmask(SIG_BLOCK, &s, NULL);
	for (int i = 0; i < 5; i++)
		until_zombie(spawn(i));
	sigprocmask(SIG_UNBLOCK, &s, NULL);
	CHECK_EQ(chlds, 1);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		n++;
	CHECK_EQ(n, 5);
}

CASE(exit_signal_of_clone, "clone,rt_sigaction")
{
	struct sigaction sa = { .sa_sigaction = on_chld, .sa_flags = SA_SIGINFO };
	pid_t p;

	sigaction(SIGUSR2, &sa, NULL);
	p = clone_with(SIGUSR2, 9);
	CHECK(waitpid(p, NULL, WALL_) == p);
	CHECK_EQ(chlds, 1);
	CHECK_EQ(chld.si_signo, SIGUSR2);
	CHECK_EQ(chld.si_code, CLD_EXITED);
	CHECK_EQ(chld.si_pid, p);
	CHECK_EQ(chld.si_status, 9);
}

CASE(exec_makes_it_sigchld, "clone,execve")
{
	pid_t p;

	chld_action(on_chld, 0);
	p = (pid_t)syscall(SYS_clone, SIGUSR2, 0, 0, 0, 0);
	if (p == 0) {
		char *av[] = { (char *)"x", (char *)"--covers", NULL };

		close(1);
		open("/dev/null", O_WRONLY);
		execv("/proc/self/exe", av);
		_exit(1);
	}
	CHECK(waitpid(p, NULL, WALL_) == p);
	CHECK_EQ(chlds, 1);
	CHECK_EQ(chld.si_signo, SIGCHLD);
}

/* ---- orphans ---- */

CASE(nearest_subreaper, "prctl,getppid,wait4")
{
	int fds[2], st, got[2];
	pid_t mid;

	CHECK(pipe(fds) == 0);
	CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
	mid = fork();
	if (mid == 0) {
		pid_t orphan = fork();

		if (orphan == 0) {
			int report[2] = { getpid(), 0 };

			while (getppid() != report[1]) {
				report[1] = getppid();
				nap(30);
			}
			CHECK(write(fds[1], report, sizeof(report)) == sizeof(report));
			_exit(77);
		}
		_exit(0);
	}
	CHECK(waitpid(mid, &st, 0) == mid);
	CHECK(read(fds[0], got, sizeof(got)) == sizeof(got));
	CHECK_EQ(got[1], getpid());
	CHECK(wait(&st) == got[0]);
	CHECK_EQ(WEXITSTATUS(st), 77);
	/* The attribute is not inherited. */
	CHECK_EQ(IN_CHILD({
		int on = 5;

		CHECK(prctl(PR_GET_CHILD_SUBREAPER, &on) == 0);
		CHECK_EQ(on, 0);
	}), 0);
}

/* A zombie that is handed to a reaper which ignores SIGCHLD is gone. */
CASE(zombie_changes_parent, "prctl,wait4")
{
	pid_t mid;

	CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
	chld_action(on_chld, 0);
	mid = fork();
	if (mid == 0) {
		until_zombie(spawn(66));
		_exit(0);
	}
	CHECK(waitpid(mid, NULL, 0) == mid);
	int st;

	CHECK(wait(&st) > 0);
	CHECK_EQ(WEXITSTATUS(st), 66);
}

static volatile int pdeaths;
static siginfo_t pdeath;
static void on_pdeath(int sig, siginfo_t *si, void *p)
{
	(void)sig;
	(void)p;
	pdeath = *si;
	pdeaths++;
}

CASE(parent_death_signal, "prctl")
{
	int fds[2];
	char c;
	pid_t mid;

	CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
	CHECK(pipe(fds) == 0);
	mid = fork();
	if (mid == 0) {
		int ready[2];

		CHECK(pipe(ready) == 0);
		if (fork() == 0) {
			struct sigaction sa = { .sa_sigaction = on_pdeath, .sa_flags = SA_SIGINFO };
			int get = 0;

			sigaction(SIGUSR1, &sa, NULL);
			CHECK(prctl(PR_SET_PDEATHSIG, SIGUSR1) == 0);
			CHECK(prctl(PR_GET_PDEATHSIG, &get) == 0 && get == SIGUSR1);
			CHECK(write(ready[1], "r", 1) == 1);
			while (!pdeaths)
				nap(5);
			c = pdeath.si_code == SI_USER && pdeath.si_pid == mid ? 'y' : 'n';
			c = getppid() == mid ? 'p' : c; /* parent has changed by now */
			CHECK(write(fds[1], &c, 1) == 1);
			_exit(0);
		}
		mid = getpid();
		CHECK(read(ready[0], &c, 1) == 1);
		_exit(0);
	}
	close(fds[1]);
	CHECK(read(fds[0], &c, 1) == 1);
	(void)mid;
	CHECK(c != 'p');
	CHECK_ERR(prctl(PR_SET_PDEATHSIG, 65), EINVAL);
	CHECK(prctl(PR_SET_PDEATHSIG, SIGUSR1) == 0);
	CHECK_EQ(IN_CHILD({
		int get = 9;

		CHECK(prctl(PR_GET_PDEATHSIG, &get) == 0);
		CHECK_EQ(get, 0); /* not inherited */
	}), 0);
}

static void *forks(void *arg)
{
	pid_t p = fork();
	char c;

	if (p == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		CHECK(write(((int *)arg)[1], "r", 1) == 1);
		for (;;)
			pause();
	}
	CHECK(read(*(int *)arg, &c, 1) == 1);
	return (void *)(intptr_t)p;
}

/* It is the thread's death that counts. */
CASE(death_of_the_forking_thread, "prctl,exit")
{
	int fds[2], st;
	pthread_t t;
	void *p;

	CHECK(pipe(fds) == 0);
	CHECK(pthread_create(&t, NULL, forks, fds) == 0);
	pthread_join(t, &p);
	CHECK(waitpid((pid_t)(intptr_t)p, &st, 0) == (pid_t)(intptr_t)p);
	CHECK_EQ(st, SIGKILL);
}

/* ---- groups and sessions ---- */

CASE(setsid_and_setpgid_rules, "setsid,setpgid,getsid,getpgid")
{
	int st;

	/* A group leader cannot make a session. */
	CHECK_EQ(getpgrp(), getpid());
	CHECK_ERR(setsid(), EPERM);
	st = IN_CHILD({
		CHECK(setsid() == getpid());
		CHECK(getsid(0) == getpid() && getpgrp() == getpid());
		CHECK_ERR(setsid(), EPERM);
		CHECK_ERR(setpgid(0, 0), EPERM); /* a session leader stays where it is */
	});
	CHECK_EQ(st, 0);
	/* The id of a living group is taken although its leader has left it. */
	st = IN_CHILD({
		pid_t p;

		setpgid(0, 0);
		p = sleeper();
		CHECK(setpgid(0, getppid()) == 0);
		CHECK_ERR(setsid(), EPERM);
		kill(p, SIGKILL);
		waitpid(p, NULL, 0);
		CHECK(setsid() == getpid());
	});
	CHECK_EQ(st, 0);
	CHECK_ERR(setpgid(0, -1), EINVAL);
	CHECK_ERR(setpgid(1 << 29, 0), ESRCH);
	CHECK_ERR(setpgid(-1, 0), EINVAL);
	CHECK_ERR(setpgid(-1, 1), ESRCH);
	CHECK_ERR(setpgid(0, 1 << 29), EPERM);
	CHECK_ERR(setpgid(getppid(), 0), ESRCH);
	CHECK_ERR(getpgid(1 << 29), ESRCH);
	CHECK_ERR(getpgid(-1), ESRCH);
	CHECK_ERR(getsid(-1), ESRCH);
}

CASE(child_of_another_session, "setpgid,setsid")
{
	int fds[2];
	char c;
	pid_t p;

	CHECK(pipe(fds) == 0);
	p = fork();
	if (p == 0) {
		setsid();
		CHECK(write(fds[1], "r", 1) == 1);
		for (;;)
			pause();
	}
	CHECK(read(fds[0], &c, 1) == 1);
	CHECK_ERR(setpgid(p, 0), EPERM);
	kill(p, SIGKILL);
	waitpid(p, NULL, 0);
}

CASE(child_that_did_exec, "setpgid,execve")
{
	int fds[2], in[2];
	char c;
	pid_t p;

	CHECK(pipe2(fds, O_CLOEXEC) == 0);
	CHECK(pipe(in) == 0);
	p = fork();
	if (p == 0) {
		char *av[] = { (char *)"sh", (char *)"-c", (char *)"read x", NULL };

		dup2(in[0], 0);
		close(in[1]);
		execv("/bin/sh", av);
		_exit(1);
	}
	close(fds[1]);
	CHECK(read(fds[0], &c, 1) == 0); /* closed by the exec */
	CHECK_ERR(setpgid(p, p), EACCES);
	close(in[1]);
	waitpid(p, NULL, 0);
}

static volatile int hups, conts;
static void on_hup(int sig)
{
	if (sig == SIGHUP)
		hups++;
	else
		conts++;
}

/* A stopped group whose last tie to the session goes gets SIGHUP and SIGCONT. */
CASE(orphaned_group, "setpgid,kill,exit_group")
{
	int fds[2], st;
	char c;
	pid_t mid;

	CHECK(pipe(fds) == 0);
	CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
	mid = fork();
	if (mid == 0) {
		pid_t p = fork();

		if (p == 0) {
			setpgid(0, 0);
			signal(SIGHUP, on_hup);
			signal(SIGCONT, on_hup);
			raise(SIGSTOP);
			c = (char)('0' + hups * 2 + conts);
			CHECK(write(fds[1], &c, 1) == 1);
			_exit(0);
		}
		CHECK(waitpid(p, &st, WUNTRACED) == p && WIFSTOPPED(st));
		/* Away from our reaper's session, or that would be a tie. */
		_exit(0);
	}
	/* The reaper is in the session and outside the group: not orphaned, still stopped. */
	CHECK(waitpid(mid, &st, 0) == mid);
	nap(50);
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	CHECK_ERR(read(fds[0], &c, 1), EAGAIN);
	fcntl(fds[0], F_SETFL, 0);
	/* Now for one whose session leader is the tie. */
	mid = fork();
	if (mid == 0) {
		pid_t p;

		setsid();
		p = fork();
		if (p == 0) {
			setpgid(0, 0);
			signal(SIGHUP, on_hup);
			signal(SIGCONT, on_hup);
			raise(SIGSTOP);
			c = (char)('0' + hups * 2 + conts);
			CHECK(write(fds[1], &c, 1) == 1);
			_exit(0);
		}
		CHECK(waitpid(p, &st, WUNTRACED) == p && WIFSTOPPED(st));
		_exit(0);
	}
	CHECK(waitpid(mid, &st, 0) == mid);
	CHECK(read(fds[0], &c, 1) == 1);
	CHECK_EQ(c, '3');
}

/* Stop signals other than SIGSTOP do nothing to an orphaned group. */
CASE(orphans_do_not_stop, "kill,setsid")
{
	int st = IN_CHILD({
		setsid(); /* a group of its own whose parent is in another session */
		raise(SIGTSTP);
		raise(SIGTTIN);
		raise(SIGTTOU);
	});

	CHECK_EQ(st, 0);
}

CASE(stop_signals_of_a_group, "kill,wait4")
{
	const int sigs[] = { SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU };
	int st;

	for (int i = 0; i < 4; i++) {
		int go[2];
		pid_t p;
		char c;

		CHECK(pipe(go) == 0);
		p = fork();
		if (p == 0) {
			close(go[1]);
			setpgid(0, 0);
			raise(sigs[i]);
			/* Not before the continuation was seen. */
			_exit(read(go[0], &c, 1) == 0 ? 5 : 6);
		}
		close(go[0]);
		CHECK(waitpid(p, &st, WUNTRACED) == p);
		CHECK(WIFSTOPPED(st));
		CHECK_EQ(WSTOPSIG(st), sigs[i]);
		kill(p, SIGCONT);
		CHECK(waitpid(p, &st, WCONTINUED) == p);
		CHECK_EQ(st, 0xffff);
		close(go[1]);
		CHECK(waitpid(p, &st, 0) == p);
		CHECK_EQ(WEXITSTATUS(st), 5);
	}
}

CASE(kill_reaches_the_stopped, "kill,wait4")
{
	pid_t p = sleeper();
	int st;

	kill(p, SIGSTOP);
	CHECK(waitpid(p, &st, WUNTRACED) == p);
	kill(p, SIGTERM);
	nap(20);
	CHECK(waitpid(p, &st, WNOHANG) == 0); /* it waits for the continuation */
	kill(p, SIGKILL);
	CHECK(waitpid(p, &st, 0) == p);
	CHECK_EQ(st, SIGKILL);
}

CASE(signals_to_a_zombie, "kill,tgkill,pidfd_send_signal")
{
	pid_t p = spawn(4);
	int fd = (int)syscall(SYS_pidfd_open, p, 0), st;

	until_zombie(p);
	CHECK(kill(p, 0) == 0);
	CHECK(kill(p, SIGTERM) == 0);
	CHECK(kill(p, SIGKILL) == 0);
	CHECK(syscall(SYS_tgkill, p, p, SIGTERM) == 0);
	CHECK(syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0) == 0);
	CHECK(waitpid(p, &st, 0) == p);
	CHECK_EQ(WEXITSTATUS(st), 4);
	CHECK_ERR(kill(p, 0), ESRCH);
	CHECK_ERR(syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0), ESRCH);
}

CASE(kill_everybody, "kill")
{
	/* As a user without rights: itself is spared, others that are not its own too. */
	pid_t a, p = fork();
	int st;

	if (p == 0) {
		CHECK(setgid(4242) == 0 && setuid(4242) == 0);
		a = sleeper();
		CHECK(kill(-1, SIGKILL) == 0);
		CHECK(waitpid(a, &st, 0) == a);
		CHECK_EQ(st, SIGKILL);
		CHECK_ERR(kill(getppid(), SIGTERM), EPERM);
		CHECK_ERR(kill(getppid(), 0), EPERM);
		/* SIGCONT may go to all of the session. */
		CHECK(kill(getppid(), SIGCONT) == 0);
		_exit(3);
	}
	CHECK(waitpid(p, &st, 0) == p);
	CHECK_EQ(WEXITSTATUS(st), 3);
}

CASE(core_dump_bit, "kill,setrlimit")
{
	static const int sigs[] = { SIGQUIT, SIGILL, SIGABRT, SIGFPE, SIGSEGV, SIGBUS, SIGSYS,
				    SIGTRAP, SIGXCPU, SIGXFSZ };
	struct rlimit none = { 0, 0 };

	CHECK(setrlimit(RLIMIT_CORE, &none) == 0);
	for (unsigned i = 0; i < sizeof(sigs) / sizeof(sigs[0]); i++) {
		int st = IN_CHILD({ kill(getpid(), sigs[i]); pause(); });

		CHECK(WIFSIGNALED(st));
		CHECK_EQ(WTERMSIG(st), sigs[i]);
		CHECK(!WCOREDUMP(st));
	}
}

MAIN()
