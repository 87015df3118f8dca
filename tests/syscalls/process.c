/* fork, exec, wait, exit, groups and sessions. */
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <poll.h>

#include "tests/harness/guest.h"

CASE(fork_exit_status, "fork,exit_group,wait4")
{
	CHECK_EQ(WEXITSTATUS(IN_CHILD(_exit(77))), 77);
	CHECK_EQ(WEXITSTATUS(IN_CHILD(_exit(0x1234))), 0x34);
}

CASE(fork_copies_memory, "fork")
{
	static volatile int v = 1;
	int st = IN_CHILD({ v = 2; _exit(v); });

	CHECK_EQ(WEXITSTATUS(st), 2);
	CHECK_EQ(v, 1);
}

CASE(shared_memory_across_fork, "fork,mmap")
{
	volatile int *m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	CHECK(m != MAP_FAILED);
	IN_CHILD(*m = 5);
	CHECK_EQ(*m, 5);
}

CASE(raw_fork_and_exit, "fork,exit,getpid,getppid")
{
	pid_t me = getpid(), p = (pid_t)syscall(SYS_fork);
	int st;

	if (p == 0)
		syscall(SYS_exit, getppid() == me ? 3 : 4);
	CHECK_EQ(waitpid(p, &st, 0), p);
	CHECK_EQ(WEXITSTATUS(st), 3);
}

CASE(vfork_exec, "vfork,execve")
{
	pid_t p = vfork();
	int st;

	if (p == 0) {
		execl("/bin/true", "true", (char *)NULL);
		_exit(9);
	}
	CHECK(p > 0);
	CHECK_EQ(waitpid(p, &st, 0), p);
	CHECK_EQ(st, 0);
}

CASE(exec_errors, "execve")
{
	char *argv[] = { NULL, NULL };
	char name[] = "x";
	int fd;

	argv[0] = name;
	CHECK_ERR(execve("/nonexistent/x", argv, argv + 1), ENOENT);
	CHECK_ERR(execve("/etc/passwd/x", argv, argv + 1), ENOTDIR);
	CHECK_ERR(execve("/tmp", argv, argv + 1), EACCES);
	fd = open("plain", O_CREAT | O_WRONLY, 0644);
	CHECK(fd >= 0 && write(fd, "hello", 5) == 5);
	close(fd);
	CHECK_ERR(execve("plain", argv, argv + 1), EACCES);
	CHECK_EQ(chmod("plain", 0755), 0);
	CHECK_ERR(execve("plain", argv, argv + 1), ENOEXEC);
	CHECK_ERR(syscall(SYS_execve, 8, argv, argv + 1), EFAULT);
}

CASE(exec_script, "execve")
{
	int fd = open("s", O_CREAT | O_WRONLY, 0755);

	CHECK(fd >= 0 && write(fd, "#!/bin/sh\nexit 6\n", 17) == 17);
	close(fd);
	CHECK_EQ(WEXITSTATUS(IN_CHILD(execl("./s", "s", (char *)NULL))), 6);
}

CASE(exec_keeps_and_closes_fds, "execve,fcntl")
{
	int keep = open("/dev/null", O_RDONLY), shut = open("/dev/null", O_RDONLY | O_CLOEXEC);
	char cmd[100];

	snprintf(cmd, sizeof(cmd), "test -e /proc/self/fd/%d && test ! -e /proc/self/fd/%d", keep, shut);
	CHECK_EQ(WEXITSTATUS(IN_CHILD(execl("/bin/sh", "sh", "-c", cmd, (char *)NULL))), 0);
}

CASE(execveat_fd, "execveat")
{
	int fd = open("/bin/true", O_PATH | O_CLOEXEC);
	char name[] = "true", *argv[] = { name, NULL }, *envp[] = { NULL };

	CHECK(fd >= 0);
	CHECK_EQ(IN_CHILD(syscall(SYS_execveat, fd, "", argv, envp, AT_EMPTY_PATH)), 0);
	CHECK_ERR(syscall(SYS_execveat, fd, "", argv, envp, 0), ENOENT);
}

static void *exec_in_thread(void *arg)
{
	execl("/bin/sh", "sh", "-c", "exit 11", (char *)NULL);
	return arg;
}

CASE(exec_from_thread_ends_others, "execve,clone")
{
	int st = IN_CHILD({
		pthread_t t;
		pthread_create(&t, NULL, exec_in_thread, NULL);
		for (;;)
			pause();
	});

	CHECK_EQ(WEXITSTATUS(st), 11);
}

CASE(wait_options, "wait4,waitid,kill")
{
	siginfo_t si;
	pid_t p = fork();
	int st;

	if (p == 0)
		for (;;)
			pause();
	CHECK_EQ(waitpid(p, &st, WNOHANG), 0);
	CHECK_EQ(kill(p, SIGSTOP), 0);
	CHECK_EQ(waitpid(p, &st, WUNTRACED), p);
	CHECK(WIFSTOPPED(st) && WSTOPSIG(st) == SIGSTOP);
	CHECK_EQ(kill(p, SIGCONT), 0);
	CHECK_EQ(waitpid(p, &st, WCONTINUED), p);
	CHECK(WIFCONTINUED(st));
	CHECK_EQ(kill(p, SIGKILL), 0);
	CHECK_EQ(waitid(P_PID, (id_t)p, &si, WEXITED | WNOWAIT), 0);
	CHECK(si.si_code == CLD_KILLED && si.si_status == SIGKILL && si.si_pid == p);
	CHECK_EQ(waitpid(p, &st, 0), p);
	CHECK(WIFSIGNALED(st) && WTERMSIG(st) == SIGKILL);
	CHECK_ERR(waitpid(p, &st, 0), ECHILD);
	CHECK_ERR(waitpid(-1, &st, 0x40), EINVAL);
	CHECK_ERR(waitid(P_PID, 1, &si, 0), EINVAL);
}

CASE(orphans_go_to_a_reaper, "prctl,getppid")
{
	int p[2], st;
	pid_t orphan_parent = 0;

	CHECK_EQ(pipe(p), 0);
	CHECK_EQ(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	st = IN_CHILD({
		pid_t mid = getpid();
		if (fork() == 0) {
			while (getppid() == mid)
				sched_yield();
			pid_t pp = getppid();
			_exit(write(p[1], &pp, sizeof(pp)) != sizeof(pp));
		}
	});
	CHECK_EQ(st, 0);
	CHECK_EQ(read(p[0], &orphan_parent, sizeof(orphan_parent)), sizeof(orphan_parent));
	CHECK_EQ(orphan_parent, getpid());
	CHECK(wait(&st) > 0);
}

CASE(groups_and_sessions, "setpgid,getpgid,getpgrp,setsid,getsid")
{
	CHECK_EQ(WEXITSTATUS(IN_CHILD({
		if (setsid() < 0 || getsid(0) != getpid() || getpgrp() != getpid())
			_exit(1);
		if (setsid() != -1 || errno != EPERM)
			_exit(2);
		if (setpgid(0, 0) != -1 || errno != EPERM)
			_exit(3);
		_exit(0);
	})), 0);
	CHECK_EQ(getpgid(0), getpgrp());
	CHECK_ERR(getpgid(999999), ESRCH);
	CHECK_ERR(setpgid(0, -1), EINVAL);
}

CASE(clone_flag_errors, "clone,clone3")
{
	struct clone_args a = { .flags = CLONE_THREAD };

	CHECK_ERR(guest_raw(SYS_clone, CLONE_THREAD, 0, 0, 0, 0, 0), EINVAL);
	CHECK_ERR(guest_raw(SYS_clone, CLONE_SIGHAND, 0, 0, 0, 0, 0), EINVAL);
	CHECK_ERR(guest_raw(SYS_clone, CLONE_NEWNS | CLONE_FS, 0, 0, 0, 0, 0), EINVAL);
	CHECK_ERR(syscall(SYS_clone3, &a, sizeof(a)), EINVAL);
	CHECK_ERR(syscall(SYS_clone3, &a, 8), EINVAL);
	CHECK_ERR(syscall(SYS_clone3, (void *)8, sizeof(a)), EFAULT);
}

CASE(clone3_pidfd, "clone3,pidfd_open,pidfd_send_signal,waitid")
{
	int pidfd = -1;
	struct clone_args a = { .flags = CLONE_PIDFD, .pidfd = (uint64_t)(uintptr_t)&pidfd,
				.exit_signal = SIGCHLD };
	struct pollfd pf = { .events = POLLIN };
	siginfo_t si = { 0 };
	long p = syscall(SYS_clone3, &a, sizeof(a));

	if (p == 0)
		for (;;)
			pause();
	CHECK(p > 0 && pidfd >= 0);
	pf.fd = pidfd;
	CHECK_EQ(poll(&pf, 1, 0), 0);
	CHECK_EQ(syscall(SYS_pidfd_send_signal, pidfd, SIGTERM, NULL, 0), 0);
	CHECK_EQ(poll(&pf, 1, 5000), 1);
	CHECK_EQ(waitid(P_PIDFD, (id_t)pidfd, &si, WEXITED), 0);
	CHECK(si.si_status == SIGTERM && si.si_code == CLD_KILLED);
	CHECK_ERR(syscall(SYS_pidfd_open, p, 0), ESRCH);
	CHECK_ERR(syscall(SYS_pidfd_open, getpid(), 1), EINVAL);
}

CASE(pidfd_getfd_copies, "pidfd_getfd,pidfd_open")
{
	int p[2], fd, copy;
	char c = 0;

	CHECK_EQ(pipe(p), 0);
	fd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	CHECK(fd >= 0);
	copy = (int)syscall(SYS_pidfd_getfd, fd, p[1], 0);
	CHECK(copy >= 0);
	CHECK_EQ(write(copy, "z", 1), 1);
	CHECK_EQ(read(p[0], &c, 1), 1);
	CHECK_EQ(c, 'z');
}

static void *thread_fn(void *arg)
{
	*(pid_t *)arg = (pid_t)syscall(SYS_gettid);
	return arg;
}

CASE(threads, "clone,gettid,set_tid_address,futex")
{
	pid_t tid[20];
	pthread_t t[20];

	for (int i = 0; i < 20; i++)
		CHECK_EQ(pthread_create(&t[i], NULL, thread_fn, &tid[i]), 0);
	for (int i = 0; i < 20; i++) {
		CHECK_EQ(pthread_join(t[i], NULL), 0);
		CHECK(tid[i] != getpid());
	}
	CHECK_EQ(syscall(SYS_gettid), getpid());
	CHECK_EQ(syscall(SYS_set_tid_address, &tid[0]), getpid());
}

CASE(rusage_of_children, "getrusage,wait4,times")
{
	struct rusage ru;
	int st;
	pid_t p = fork();

	if (p == 0) {
		for (volatile unsigned long i = 0; i < 30000000; i++)
			;
		_exit(0);
	}
	memset(&ru, 0xff, sizeof(ru));
	CHECK_EQ(wait4(p, &st, 0, &ru), p);
	CHECK(ru.ru_utime.tv_sec * 1000000 + ru.ru_utime.tv_usec > 1000);
	CHECK_EQ(getrusage(RUSAGE_CHILDREN, &ru), 0);
	CHECK(ru.ru_utime.tv_sec * 1000000 + ru.ru_utime.tv_usec > 1000);
	CHECK_ERR(getrusage(17, &ru), EINVAL);
}

CASE(autoreap, "rt_sigaction,wait4")
{
	signal(SIGCHLD, SIG_IGN);
	for (int i = 0; i < 5; i++)
		if (fork() == 0)
			_exit(0);
	CHECK_ERR(wait(NULL), ECHILD);
}

CASE(many_processes, "fork,wait4")
{
	for (int i = 0; i < 200; i++)
		if (fork() == 0)
			_exit(i & 0x7f);
	for (int i = 0; i < 200; i++)
		CHECK(wait(NULL) > 0);
	CHECK_ERR(wait(NULL), ECHILD);
}

static void *unshare_thread(void *arg)
{
	int *fd = arg;

	CHECK_EQ(unshare(CLONE_FS | CLONE_FILES), 0);
	CHECK_EQ(close(*fd), 0); /* only here */
	umask(0123);
	CHECK_EQ(chdir("/"), 0);
	CHECK_ERR(unshare(CLONE_VM), EINVAL);
	CHECK_ERR(unshare(CLONE_SIGHAND), EINVAL);
	CHECK_ERR(unshare(CLONE_THREAD), EINVAL);
	return NULL;
}

CASE(unsharing, "unshare")
{
	int fd = open("/dev/null", O_RDONLY);
	char cwd[256];
	pthread_t t;

	umask(022);
	CHECK_EQ(pthread_create(&t, NULL, unshare_thread, &fd), 0);
	pthread_join(t, NULL);
	CHECK_EQ(close(fd), 0);
	CHECK_EQ(umask(022), 022);
	CHECK(getcwd(cwd, sizeof(cwd)) && strcmp(cwd, "/") != 0);
	CHECK_EQ(IN_CHILD(CHECK_EQ(unshare(CLONE_VM | CLONE_SIGHAND | CLONE_THREAD), 0)), 0);
	CHECK_ERR(unshare(CLONE_VFORK), EINVAL);
}

MAIN()
