/* A build-time tool: prints the sentry's system-call filter as C, made with libseccomp.
 * Sockets are in it in every network mode: without a network they reach no further
 * than the loopback of the sentry's own namespace. What is not listed ends in SIGSYS,
 * whose handler leaves a last word and ends the sandbox. */
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/filter.h>

#define MAX_CALLS 60

static unsigned ncalls;

static void check(int r, const char *what)
{
	if (r == 0)
		return;
	fprintf(stderr, "filter_gen: %s: %s\n", what, strerror(-r));
	exit(1);
}

/* Calls whose arguments say nothing about what they can do: they act on fds we hold,
 * on our own memory and threads, or on stubs (our only neighbours in the pid namespace). */
static const int plain[] = {
	/* files and memory objects */
	SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(pread64), SCMP_SYS(pwrite64),
	SCMP_SYS(preadv2), SCMP_SYS(pwritev2),
	SCMP_SYS(close), SCMP_SYS(lseek), SCMP_SYS(ftruncate),
	SCMP_SYS(fallocate), SCMP_SYS(fsync), SCMP_SYS(memfd_create),
	/* waiting */
	SCMP_SYS(poll), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_ctl), SCMP_SYS(timerfd_settime),
	SCMP_SYS(futex), SCMP_SYS(clock_gettime),
	/* messages: the gofer, the control channel, donated fds, stdio that is a socket */
	SCMP_SYS(sendmsg), SCMP_SYS(recvmsg), SCMP_SYS(accept4), SCMP_SYS(getsockopt),
	/* memory */
	SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(brk),
	/* stubs */
	SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev), SCMP_SYS(kill),
	SCMP_SYS(tgkill), SCMP_SYS(waitid), SCMP_SYS(pidfd_open), SCMP_SYS(pidfd_getfd),
	SCMP_SYS(pipe2),
	/* threads */
	SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(sched_yield), /* while polling */
	SCMP_SYS(sched_setaffinity), SCMP_SYS(restart_syscall) /* after a freeze */, SCMP_SYS(gettid), SCMP_SYS(rseq),
	/* facts */
	SCMP_SYS(getrandom), SCMP_SYS(sysinfo),
	/* sockets */
	SCMP_SYS(bind), SCMP_SYS(listen), SCMP_SYS(connect), SCMP_SYS(shutdown),
	SCMP_SYS(getsockname), SCMP_SYS(getpeername), SCMP_SYS(setsockopt),
};

#ifdef __SANITIZE_ADDRESS__
/* What the sanitizers' run-time library needs besides; only in builds made for tests. */
static const int sanitizer_plain[] = {
	SCMP_SYS(sigaltstack), SCMP_SYS(prlimit64), SCMP_SYS(getpid), SCMP_SYS(writev),
	SCMP_SYS(sched_getaffinity), SCMP_SYS(uname),
};
/* What it tries for its reports and can do without. */
static const int sanitizer_refused[] = {
	SCMP_SYS(openat), SCMP_SYS(open), SCMP_SYS(readlink), SCMP_SYS(stat), SCMP_SYS(access),
	SCMP_SYS(ptrace),
};
#endif

static void allow(scmp_filter_ctx c, int nr)
{
	check(seccomp_rule_add(c, SCMP_ACT_ALLOW, nr, 0), "rule");
	ncalls++;
}

/* One rule per allowed value of an argument; counts as one call. */
static void allow_values(scmp_filter_ctx c, int nr, unsigned arg, const uint64_t *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		check(seccomp_rule_add(c, SCMP_ACT_ALLOW, nr, 1,
				       SCMP_CMP(arg, SCMP_CMP_MASKED_EQ, 0xffffffffu, v[i])),
		      "rule");
	ncalls++;
}

#define ALLOW_VALUES(c, nr, arg, v) \
	allow_values(c, SCMP_SYS(nr), arg, v, sizeof(v) / sizeof((v)[0]))

static void conditional(scmp_filter_ctx c)
{
	static const uint64_t ttys[] = {
		0x5401 /* TCGETS */, 0x5402, 0x5403, 0x5404 /* TCSETS, W, F */,
		0x5405 /* TCGETA */, 0x5409 /* TCSBRK */, 0x540a /* TCXONC */,
		0x540b /* TCFLSH */, 0x5411 /* TIOCOUTQ */, 0x5413 /* TIOCGWINSZ */,
		0x5414 /* TIOCSWINSZ */, 0x541b /* FIONREAD */, 0x5421 /* FIONBIO */,
		0x5425 /* TCSBRKP */, 0x802c542a /* TCGETS2 */, 0x402c542b, 0x402c542c,
		0x402c542d /* TCSETS2, W, F */,
	};
	static const uint64_t netdev[] = {
		0x8905 /* SIOCATMARK */, 0x8910, 0x8912, 0x8913, 0x8915, 0x8917, 0x8919, 0x891b,
		0x891d, 0x8921, 0x8927, 0x8933, 0x8942, 0x8970 /* SIOCGIF..., read only */,
	};
	static const uint64_t fcntls[] = {
		F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_CLOEXEC, 1032 /* F_GETPIPE_SZ */,
		1033 /* F_ADD_SEALS */, 1034 /* F_GET_SEALS */,
	};
	static const uint64_t families[] = { AF_INET, AF_INET6, AF_NETLINK };
	static const uint64_t names[] = { PR_SET_NAME };
	uint64_t thread = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
			  CLONE_SYSVSEM | CLONE_SETTLS | CLONE_PARENT_SETTID |
			  CLONE_CHILD_CLEARTID;

	/* Nothing of ours becomes executable after this. */
	check(seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
			       SCMP_CMP(2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)), "mmap");
	check(seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
			       SCMP_CMP(2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)), "mprotect");
	/* Threads only. clone3 hides its flags: libc falls back to clone. */
	check(seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
			       SCMP_CMP(0, SCMP_CMP_EQ, thread, 0)), "clone");
	check(seccomp_rule_add(c, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0), "clone3");
	/* libc tries it for every thread and does well without. */
	check(seccomp_rule_add(c, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(set_robust_list), 0),
	      "set_robust_list");
	/* The first pthread_create() wants handlers for cancelling threads and changing ids,
	 * which nobody does here: it is told that they are set. */
	check(seccomp_rule_add(c, SCMP_ACT_ERRNO(0), SCMP_SYS(rt_sigaction), 0), "rt_sigaction");
	/* fstat(2) as libc makes it: an fd and no path. */
	check(seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(newfstatat), 1,
			       SCMP_CMP(3, SCMP_CMP_EQ, AT_EMPTY_PATH, 0)), "newfstatat");
	/* The listeners' own ioctls ('!'), and what terminals given from outside need;
	 * not TIOCSTI, TIOCSCTTY, TIOCLINUX, TIOCSETD. */
	check(seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
			       SCMP_CMP(1, SCMP_CMP_MASKED_EQ, 0xff00, 0x2100)), "ioctl");
	ncalls += 5;
	ALLOW_VALUES(c, ioctl, 1, ttys);
	ALLOW_VALUES(c, ioctl, 1, netdev);
	ncalls -= 2; /* ioctl is counted already */
	ALLOW_VALUES(c, fcntl, 1, fcntls);
	ALLOW_VALUES(c, prctl, 0, names);
	ALLOW_VALUES(c, socket, 0, families);
}

static void emit(const char *name)
{
	scmp_filter_ctx c = seccomp_init(SCMP_ACT_TRAP);
	struct sock_filter f[4096];
	FILE *tmp = tmpfile();
	size_t n;

	if (!c || !tmp)
		exit(1);
	ncalls = 0;
	/* A tree by call number instead of a list. */
	check(seccomp_attr_set(c, SCMP_FLTATR_CTL_OPTIMIZE, 2), "optimize");
	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
		allow(c, plain[i]);
	conditional(c);
	if (ncalls > MAX_CALLS) {
		fprintf(stderr, "filter_gen: %u calls, more than %d\n", ncalls, MAX_CALLS);
		exit(1);
	}
#ifdef __SANITIZE_ADDRESS__
	for (size_t i = 0; i < sizeof(sanitizer_plain) / sizeof(sanitizer_plain[0]); i++)
		allow(c, sanitizer_plain[i]);
	for (size_t i = 0; i < sizeof(sanitizer_refused) / sizeof(sanitizer_refused[0]); i++)
		check(seccomp_rule_add(c, SCMP_ACT_ERRNO(EACCES), sanitizer_refused[i], 0), "rule");
#endif
	check(seccomp_export_bpf(c, fileno(tmp)), "export");
	rewind(tmp);
	n = fread(f, sizeof(f[0]), 4096, tmp);
	fclose(tmp);
	seccomp_release(c);
	printf("/* %u calls */\nstatic const struct sock_filter %s[] = {\n", ncalls, name);
	for (size_t i = 0; i < n; i++)
		printf("\t{ 0x%04x, %u, %u, 0x%08x },\n", f[i].code, f[i].jt, f[i].jf, f[i].k);
	printf("};\n");
}

int main(void)
{
	printf("/* Made by filter_gen. */\n");
	emit("sentry_filter");
	return 0;
}
