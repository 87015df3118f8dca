/* The proxy ("runsc-init"): stands for a guest process on the host. Its pid is the
 * one that callers know; it is in the container's cgroups and namespaces, hands
 * signals to the sentry and ends the way the guest process ended. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <grp.h>
#include <linux/sched.h>
#include <unistd.h>

#include "oci-shim/boot/boot.h"
#include "oci-shim/sandbox/fds.h"
#include "oci-shim/sandbox/process.h"
#include "platform/base/log.h"
#include "platform/platform.h"

#define GOFER_GRACE_MS 5000
#define SENTRY_NOFILE 262144u

void report_send(int fd, enum report_kind kind, int a, int b, const struct oerr *e)
{
	struct report_msg m = { .kind = kind, .a = a, .b = b };
	struct iovec iov = { &m, sizeof(m) };

	if (e) {
		if (!m.a)
			m.a = e->code;
		snprintf(m.text, sizeof(m.text), "%.1011s", e->text);
		log_error("%s", e->text);
	}
	if (fd < 0)
		return;
	/* sendmsg: the one way to send that the sentry's filter knows. */
	if (sendmsg(fd, &(struct msghdr){ .msg_iov = &iov, .msg_iovlen = 1 },
		    MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		log_debug("report %u: nobody listens", kind);
}

/* ---- the loop ---- */

static void forward_signals(struct proxy *p, int sfd)
{
	struct signalfd_siginfo si[8];
	ssize_t n = read(sfd, si, sizeof(si));
	const uint32_t self = (uint32_t)getpid();

	for (ssize_t i = 0; i < n / (ssize_t)sizeof(si[0]); i++) {
		struct proxy_msg m = { PROXY_SIGNAL, (int32_t)si[i].ssi_signo };

		/* Nobody reads what we write: that is no signal for the container. */
		if (m.value == SIGCHLD || (m.value == SIGPIPE && si[i].ssi_pid == self))
			continue;
		/* Made by the kernel: by our controlling terminal. */
		if (si[i].ssi_code == SI_KERNEL ||
		    (si[i].ssi_code == SI_QUEUE && si[i].ssi_int == TTY_SIGNAL_VALUE))
			m.kind = PROXY_TTY_SIGNAL;
		if (send(p->sock, &m, sizeof(m), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
			log_debug("signal %d was not passed on", m.value);
	}
}

/* End the way the guest process did. */
__attribute__((noreturn)) static void die_like(const struct proxy *p, int status)
{
	struct rlimit no_core = { 0, 0 };
	sigset_t all;

	report_send(p->report, REPORT_END, status, 0, NULL);
	if (WIFSIGNALED(status)) {
		setrlimit(RLIMIT_CORE, &no_core);
		signal(WTERMSIG(status), SIG_DFL);
		sigfillset(&all);
		sigprocmask(SIG_UNBLOCK, &all, NULL);
		kill(getpid(), WTERMSIG(status));
		_exit(128 + WTERMSIG(status));
	}
	_exit(WEXITSTATUS(status));
}

static int poll_one(int fd, int timeout)
{
	struct pollfd pf = { .fd = fd, .events = POLLIN };
	int r;

	do
		r = poll(&pf, 1, timeout);
	while (r < 0 && errno == EINTR);
	return r;
}

/* Wait for our children, so that nothing of the sandbox is left when we are gone. */
static void reap_children(struct proxy *p, bool kill_now)
{
	if (p->sentry > 0) {
		if (kill_now)
			pidfd_signal(p->sentry_fd, SIGKILL);
		wait_child(p->sentry);
	}
	if (p->gofer > 0) {
		/* It sees the sentry's end of its socket close. */
		if (kill_now || poll_one(p->gofer_fd, GOFER_GRACE_MS) == 0)
			pidfd_signal(p->gofer_fd, SIGKILL);
		wait_child(p->gofer);
	}
	if (p->reporter > 0) {
		/* Nobody has anything left to ask it. */
		pidfd_signal(p->reporter_fd, SIGKILL);
		wait_child(p->reporter);
	}
}

/* The sentry's word about the end, if it is there. */
static bool take_exit(struct proxy *p, int *status)
{
	struct proxy_msg m;

	while (recv(p->sock, &m, sizeof(m), MSG_DONTWAIT) == (ssize_t)sizeof(m)) {
		if (m.kind != PROXY_EXIT)
			continue;
		*status = m.value;
		return true;
	}
	return false;
}

static void sentry_gone(struct proxy *p, const char *who, int pidfd)
{
	struct oerr e = { 0 };
	siginfo_t si = { 0 };

	waitid(P_PIDFD, (id_t)pidfd, &si, WEXITED | WNOWAIT);
	oerr_set(&e, "the sandbox's %s ended unexpectedly (%s %d): --debug-log FILE may tell why",
		 who, si.si_code == CLD_EXITED ? "status" : "signal", si.si_status);
	report_send(p->report, REPORT_ERROR, 0, 0, &e);
}

/* The gofer ends by itself when the sentry lets go of it: then the sentry's own end is
 * near, and says more. */
static bool gofer_hung_up(struct proxy *p)
{
	siginfo_t si = { 0 };

	if (waitid(P_PIDFD, (id_t)p->gofer_fd, &si, WEXITED | WNOWAIT) < 0 ||
	    si.si_code != CLD_EXITED || si.si_status != 0)
		return false;
	wait_child(p->gofer);
	close(p->gofer_fd);
	p->gofer_fd = -1;
	p->gofer = 0;
	return true;
}

/* What the command says. true: it wants an end. */
static bool command_says(struct proxy *p)
{
	char c;
	ssize_t n = recv(p->report, &c, 1, MSG_DONTWAIT);

	/* It left something unread: what it said is still there. */
	if (n < 0 && errno == ECONNRESET)
		n = recv(p->report, &c, 1, MSG_DONTWAIT);
	if (n == 1 && c == 'R') {
		p->committed = true;
		return false;
	}
	if (n < 0 && errno == EAGAIN)
		return false;
	if (n == 1) {
		log_info("the command wants an end");
		return true;
	}
	log_info("the command is gone%s: %s", p->committed ? "" : " before it had recorded anything",
		 n < 0 ? strerror(errno) : "end");
	/* The command is gone. Before it had recorded anything, nobody could ever
	 * delete this container. */
	close(p->report);
	p->report = -1;
	return !p->committed;
}

void proxy_loop(struct proxy *p)
{
	struct pollfd pf[5];
	struct oerr e = { 0 };
	int status = SIGKILL;
	sigset_t all;
	int sfd;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	sfd = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	for (;;) {
		pf[0] = (struct pollfd){ .fd = sfd, .events = POLLIN };
		pf[1] = (struct pollfd){ .fd = p->sock, .events = POLLIN };
		pf[2] = (struct pollfd){ .fd = p->sentry_fd, .events = POLLIN };
		pf[3] = (struct pollfd){ .fd = p->gofer_fd, .events = POLLIN };
		pf[4] = (struct pollfd){ .fd = p->report, .events = POLLIN };
		if (poll(pf, 5, -1) < 0) {
			if (errno == EINTR)
				continue;
			oerr_errno(&e, errno, "the sandbox's proxy cannot wait for it");
			report_send(p->report, REPORT_ERROR, 0, 0, &e);
			break;
		}
		if (pf[0].revents)
			forward_signals(p, sfd);
		/* The word comes before the ends it announces, but poll may have looked
		 * at the socket first and at the processes later. */
		if ((pf[1].revents || pf[2].revents || pf[3].revents) && take_exit(p, &status)) {
			reap_children(p, false);
			die_like(p, status);
		}
		if (pf[4].revents && command_says(p)) {
			reap_children(p, true);
			_exit(1);
		}
		if (pf[2].revents) {
			sentry_gone(p, "kernel process", p->sentry_fd);
			break;
		}
		if (pf[3].revents && !gofer_hung_up(p)) {
			sentry_gone(p, "file server", p->gofer_fd);
			break;
		}
		if (pf[1].revents & POLLHUP && p->sentry_fd < 0) {
			log_info("the sandbox is gone");
			break;
		}
		if (pf[1].revents & POLLHUP)
			p->sock = -1; /* the pidfd says the rest */
	}
	reap_children(p, true);
	die_like(p, status);
}

/* ---- set-up ---- */

static void fail(int report, struct oerr *e)
{
	report_send(report, REPORT_ERROR, 0, 0, e);
	_exit(1);
}

static int set_oom(const struct launch *l, struct oerr *e)
{
	char text[16];
	int r;

	if (!l->spec->process.oom_set)
		return 0;
	snprintf(text, sizeof(text), "%d", l->spec->process.oom_score_adj);
	r = write_file("/proc/self/oom_score_adj", text);
	/* Without privilege it cannot be lowered; the host's own value stays. */
	if (r == -EACCES || r == -EPERM)
		return 0;
	return r < 0 ? oerr_errno(e, -r, "process.oomScoreAdj: %s", text) : 0;
}

/* The sentry and the gofer are born with less than what the guest's processes get, which
 * is what the specification says (PLAT_OOM_GAP is added to the sentry's for them). Only the
 * privileged can; without, they keep it and the guest's get more. Returns what to put back
 * for the proxy itself; empty: nothing was changed. */
static void oom_lower(char old[16])
{
	int fd = open("/proc/self/oom_score_adj", O_RDONLY | O_CLOEXEC), now;
	ssize_t n = fd < 0 ? -1 : read(fd, old, 15);
	char text[16];

	if (fd >= 0)
		close(fd);
	old[n > 0 ? n : 0] = 0;
	now = n > 0 ? atoi(old) : -1000;
	snprintf(text, sizeof(text), "%d", now - PLAT_OOM_GAP);
	if (now - PLAT_OOM_GAP < -1000 || write_file("/proc/self/oom_score_adj", text) < 0)
		old[0] = 0;
}

/* Files in memory and sockets cost the sentry a descriptor each. It cannot raise its limit
 * in its own user namespace: it is born with a higher one, if we may. */
static void nofile_raise(struct launch *l)
{
	struct rlimit want = { SENTRY_NOFILE, SENTRY_NOFILE };

	if (getrlimit(RLIMIT_NOFILE, &l->nofile) == 0 && l->nofile.rlim_max < SENTRY_NOFILE)
		(void)setrlimit(RLIMIT_NOFILE, &want);
}

/* Namespaces, and the hooks that want to see them, before there is anything else. */
static void enter(struct launch *l, int report, bool *later)
{
	struct oerr e = { 0 };
	char go;
	int r;

	r = cgroup_join(&l->cg);
	if (r < 0) {
		oerr_errno(&e, -r, "entering the cgroup");
		fail(report, &e);
	}
	cgroup_close(&l->cg);
	l->nmem = cgroup_memory_watch(l->mem);
	if (set_oom(l, &e) < 0)
		fail(report, &e);
	if (l->o->privileged && setgroups(0, NULL) < 0)
		log_debug("setgroups: %s", strerror(errno));
	if (ns_enter_user(l, report, &e) < 0)
		fail(report, &e);
	/* Nobody looks at our namespaces before the sandbox is ready unless there are
	 * hooks, and the sentry only needs ours for the host's network: then its own
	 * start need not wait for the making of ours. */
	*later = !hooks_any(l->spec) && l->o->network == NET_NONE;
	if (*later)
		return;
	if (ns_enter_rest(l, &e) < 0)
		fail(report, &e);
	if (hooks_any(l->spec)) {
		report_send(report, REPORT_NAMESPACES, 0, 0, NULL);
		if (read(report, &go, 1) != 1 || go != 'G')
			_exit(1);
	}
}

/* Without it crashes are not reported, and that is all. */
static void make_reporter(struct launch *l, struct proxy *p)
{
	int sv[2];

	l->crash_fd = -1;
	if (l->o->report_fd < 0)
		return;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) < 0) {
		log_warn("crash reports: socketpair: %s", strerror(errno));
		return;
	}
	p->reporter = clone_process(CLONE_NEWNS, -1, &p->reporter_fd);
	if (p->reporter == 0)
		reporter_main(l, sv[0]);
	close(sv[0]);
	if (p->reporter < 0) {
		log_warn("crash reports: making the reporter: %s", strerror(-p->reporter));
		p->reporter = 0;
		close(sv[1]);
		return;
	}
	l->crash_fd = sv[1];
}

static void make_children(struct launch *l, struct proxy *p)
{
	uint64_t flags = CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS;
	struct oerr e = { 0 };
	int ctl[2], gof[2];
	pid_t self = getpid(); /* a child in a new pid namespace could not ask */
	char oom[16] = "";

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ctl) < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, gof) < 0) {
		oerr_errno(&e, errno, "socketpair");
		fail(p->report, &e);
	}
	if (l->o->network == NET_NONE)
		flags |= CLONE_NEWNET;
	/* The gofer first: it prepares its tree while the kernel makes the sentry's
	 * namespaces, of which the network's takes longest. */
	oom_lower(oom);
	p->gofer = clone_process(CLONE_NEWNS, -1, &p->gofer_fd);
	if (p->gofer == 0)
		gofer_main(l, gof[0], p->report);
	if (p->gofer < 0) {
		oerr_errno(&e, -p->gofer, "making the gofer's mount namespace");
		fail(p->report, &e);
	}
	make_reporter(l, p);
	nofile_raise(l);
	p->sentry = clone_process(flags, -1, &p->sentry_fd);
	if (p->sentry == 0)
		sentry_main(l, ctl[1], gof[1], p->report, self);
	if (p->sentry < 0) {
		oerr_errno(&e, -p->sentry,
			   "making the sandbox's namespaces: are user namespaces allowed? (sysctl user.max_user_namespaces)");
		report_send(p->report, REPORT_ERROR, 0, 0, &e);
		reap_children(p, true);
		_exit(1);
	}
	setrlimit(RLIMIT_NOFILE, &l->nofile);
	if (l->crash_fd >= 0)
		close(l->crash_fd);
	cgroup_watch_close(l->mem, l->nmem);
	if (oom[0])
		write_file("/proc/self/oom_score_adj", oom);
	close(ctl[1]);
	close(gof[0]);
	close(gof[1]);
	p->sock = ctl[0];
}

void proxy_main(struct launch *l, int report)
{
	struct proxy p = { .report = report, .sentry_fd = -1, .gofer_fd = -1, .sock = -1 };
	struct oerr e = { 0 };
	bool later;
	char title[256];
	size_t n = 0;

	prctl(PR_SET_NAME, "runsc-init");
	log_setup(l->o->debug_fd, l->o->debug ? LOG_DEBUG : LOG_INFO, "proxy");
	setsid();
	enter(l, report, &later);
	make_children(l, &p);
	report_send(report, REPORT_PIDS, p.sentry, p.gofer, NULL);
	if (later && ns_enter_rest(l, &e) < 0) {
		report_send(report, REPORT_ERROR, 0, 0, &e);
		reap_children(&p, true);
		_exit(1);
	}
	if (l->tty >= 0 && ioctl(l->tty, TIOCSCTTY, 0) < 0)
		log_warn("TIOCSCTTY: %s", strerror(errno));
	for (unsigned i = 0; i < l->spec->process.args.n && n < sizeof(title); i++)
		n += (size_t)snprintf(title + n, sizeof(title) - n, "%s%s", i ? " " : "",
				      l->spec->process.args.v[i]);
	title_set(l->o, title);
	fds_keep_only((int[]){ p.sock, p.sentry_fd, p.gofer_fd, p.report, l->o->debug_fd,
			       p.reporter > 0 ? p.reporter_fd : -1 }, 6);
	fds_stderr(l->o->debug_fd);
	/* The caller's directory is not to be kept busy. */
	if (chdir("/") < 0 || caps_reduce(0, &e) < 0)
		log_warn("%s", e.text);
	if (l->die_with_parent)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	proxy_loop(&p);
}

void proxy_exec_main(int sock)
{
	struct proxy p = { .sock = sock, .report = -1, .sentry_fd = -1, .gofer_fd = -1,
			   .committed = true };

	proxy_loop(&p);
}
