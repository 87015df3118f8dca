/* The sentry's confinement, from the inside. Everything here happens while the
 * process has one thread and before any guest code runs. */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "oci-shim/boot/boot_impl.h"
#include "oci-shim/sandbox/fds.h"
#include "oci-shim/sandbox/process.h"
#include "platform/base/log.h"
#include "sentry/fs/tmpfs/memfile.h"

#include "sentry_filter.h"

/* Room for descriptors without the table growing later: growing it in a process with
 * threads waits for an RCU grace period, which takes longer than starting a sandbox. */
#define FD_TABLE_START 4096

/* uid and gid of the outer namespace that root in ours stands for: the caller's. */
static int map_ids(uid_t uid, gid_t gid, struct oerr *e)
{
	char map[64];
	int r = write_file("/proc/self/setgroups", "deny");

	if (r == 0 || r == -ENOENT) {
		snprintf(map, sizeof(map), "0 %u 1", (unsigned)uid);
		r = write_file("/proc/self/uid_map", map);
	}
	if (r == 0) {
		snprintf(map, sizeof(map), "0 %u 1", (unsigned)gid);
		r = write_file("/proc/self/gid_map", map);
	}
	return r < 0 ? oerr_errno(e, -r, "the sentry's user namespace: id maps") : 0;
}

static void grow_fd_table(void)
{
	struct rlimit rl;
	int fd;

	if (getrlimit(RLIMIT_NOFILE, &rl) < 0)
		return;
	rl.rlim_cur = rl.rlim_max;
	setrlimit(RLIMIT_NOFILE, &rl);
	if (rl.rlim_cur / 8 < memfile_idle_max)
		memfile_idle_max = (unsigned)(rl.rlim_cur / 8);
	fd = fcntl(0, F_DUPFD, rl.rlim_cur > FD_TABLE_START ? FD_TABLE_START - 1
							     : (int)rl.rlim_cur - 1);
	if (fd >= 0)
		close(fd);
}

int confine_begin(const struct launch *l, struct oerr *e)
{
	sigset_t none;

	/* Inside the new namespace, before the maps are written, every id reads as the
	 * overflow id: the proxy's were the caller's, or root in its own namespace. */
	if (map_ids(l->outer_uid, l->outer_gid, e) < 0)
		return -1;
	if (l->o->network == NET_NONE)
		ns_loopback_up();
	grow_fd_table();
	setsid();
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0)
		return oerr_errno(e, errno, "prctl(PR_SET_DUMPABLE)");
	return 0;
}

int confine_tree(struct oerr *e)
{
	if (root_make_empty(e) < 0 || caps_reduce(0, e) < 0)
		return -1;
	/* Reading and writing the stubs' memory asks for it on both sides. */
	if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0)
		return oerr_errno(e, errno, "prctl(PR_SET_DUMPABLE)");
	/* The proxy is our parent; without it nobody waits for us. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return oerr_errno(e, errno, "prctl(PR_SET_PDEATHSIG)");
	return 0;
}

int confine_filter(struct oerr *e)
{
	struct sock_fprog prog = {
		.len = sizeof(sentry_filter) / sizeof(sentry_filter[0]),
	};
	const struct sock_filter *f = sentry_filter;

	memcpy(&prog.filter, &f, sizeof(f)); /* the kernel only reads it */
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) < 0)
		return oerr_errno(e, errno, "the sentry's system-call filter");
	return 0;
}

/* ---- last words ---- */

static int last_report = -1;

static void on_crash(int signo, siginfo_t *si, void *uc_)
{
	const ucontext_t *uc = uc_;
	struct oerr e = { 0 };

	if (signo == SIGSYS)
		oerr_set(&e, "the sentry made host call %d, which it may not (at %#llx)",
			 si->si_syscall, (unsigned long long)uc->uc_mcontext.gregs[REG_RIP]);
	else
		oerr_set(&e, "the sentry crashed: signal %d at %#llx, address %p", signo,
			 (unsigned long long)uc->uc_mcontext.gregs[REG_RIP], si->si_addr);
	log_error("%s", e.text);
	report_send(last_report, REPORT_ERROR, 0, 0, &e);
	_exit(128 + signo);
}

void confine_last_words(int report_fd)
{
	static const int sigs[] = { SIGSYS, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };
	struct sigaction sa = { .sa_sigaction = on_crash, .sa_flags = SA_SIGINFO | SA_RESETHAND };

	last_report = report_fd;
	for (size_t i = 0; i < sizeof(sigs) / sizeof(sigs[0]); i++)
		sigaction(sigs[i], &sa, NULL);
}
