/* Terminals between the caller and the container. */
#include "oci-shim/sandbox/console.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "oci-shim/sandbox/fds.h"
#include "oci-shim/sandbox/process.h"

int console_open(uid_t uid, unsigned rows, unsigned cols, int *master, int *slave,
		 struct oerr *e)
{
	int m = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), s = -1;
	struct winsize ws = { .ws_row = (unsigned short)rows, .ws_col = (unsigned short)cols };

	m = fd_above_stdio(m);
	if (m >= 0 && grantpt(m) == 0 && unlockpt(m) == 0)
		s = fd_above_stdio(ioctl(m, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
	if (s < 0) {
		oerr_errno(e, errno, "opening a pseudo-terminal");
		if (m >= 0)
			close(m);
		return -1;
	}
	if (rows || cols)
		ioctl(m, TIOCSWINSZ, &ws);
	/* Without the privilege to give it away it stays ours. */
	(void)!fchown(s, uid, (gid_t)-1);
	*master = m;
	*slave = s;
	return 0;
}

int console_send(const char *socket_path, int master, struct oerr *e)
{
	static const char name[] = "/dev/ptmx";
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), r = -1;

	if (strlen(socket_path) >= sizeof(a.sun_path)) {
		oerr_set(e, "--console-socket %s: path longer than %zu bytes", socket_path,
			 sizeof(a.sun_path) - 1);
	} else {
		strcpy(a.sun_path, socket_path);
		if (s < 0 || connect(s, (struct sockaddr *)&a, sizeof(a)) < 0 ||
		    send_fds(s, name, strlen(name), &master, 1) < 0)
			oerr_errno(e, errno, "--console-socket %s", socket_path);
		else
			r = 0;
	}
	if (s >= 0)
		close(s);
	close(master);
	return r;
}

/* ---- the foreground ---- */

struct relay {
	int in, out;		/* our terminal */
	int master;
	bool in_open, raw;
	struct termios saved;
	/* Typed, not yet taken by the container's terminal: whoever reads there may be waiting
	 * for us to take what it writes. */
	char typed[4096];
	size_t typed_at, typed_end;
};

static void relay_size(struct relay *r)
{
	struct winsize ws;

	if (r->master >= 0 && ioctl(r->in, TIOCGWINSZ, &ws) == 0)
		ioctl(r->master, TIOCSWINSZ, &ws);
}

static void relay_begin(struct relay *r, int master)
{
	struct termios t;

	*r = (struct relay){ .in = 0, .out = 1, .master = master, .in_open = true };
	if (tcgetattr(r->in, &r->saved) < 0)
		return;
	r->raw = true;
	relay_size(r);
	t = r->saved;
	cfmakeraw(&t);
	tcsetattr(r->in, TCSANOW, &t);
	fcntl(master, F_SETFL, fcntl(master, F_GETFL) | O_NONBLOCK);
}

static void relay_end(struct relay *r)
{
	if (r->raw)
		tcsetattr(r->in, TCSADRAIN, &r->saved);
}

/* Copy what is there. false: this side is at its end. */
static bool relay_copy(int from, int to)
{
	char buf[8192];
	ssize_t n = read(from, buf, sizeof(buf));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return true;
	return n > 0 && write_all(to, buf, (size_t)n) == 0;
}

/* A terminal that is gone, or that nobody looks at, takes the container's with it: what
 * waits there for a key, or to write, must learn of it. */
static void relay_hang_up(struct relay *r)
{
	close(r->master);
	r->master = -1;
}

/* From our terminal, as much as the container's takes. */
static void relay_typed(struct relay *r, int revents)
{
	ssize_t n;

	if (r->typed_at == r->typed_end) {
		n = read(r->in, r->typed, sizeof(r->typed));
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			return;
		if (n <= 0) {
			r->in_open = false;
			if (r->raw && (revents & POLLHUP))
				relay_hang_up(r);
			return;
		}
		r->typed_at = 0;
		r->typed_end = (size_t)n;
	}
	n = write(r->master, r->typed + r->typed_at, r->typed_end - r->typed_at);
	if (n < 0 && errno != EINTR && errno != EAGAIN)
		r->in_open = false;
	if (n > 0)
		r->typed_at += (size_t)n;
}

/* What the guest wrote last is still in the master when everything has ended. */
static void relay_drain(struct relay *r)
{
	struct pollfd pf = { .fd = r->master, .events = POLLIN };

	while (poll(&pf, 1, 0) > 0 && (pf.revents & POLLIN))
		if (!relay_copy(r->master, r->out))
			break;
}

static void pass_signals(int sfd, int pidfd, struct relay *r, bool tty_signals)
{
	struct signalfd_siginfo si;

	while (read(sfd, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		siginfo_t info = { 0 };
		int signo = (int)si.ssi_signo;

		if (signo == SIGCHLD || signo == SIGPIPE || signo == SIGTTIN || signo == SIGTTOU)
			continue;
		if (signo == SIGWINCH && r->master >= 0) {
			relay_size(r);
			continue;
		}
		if (!tty_signals || si.ssi_code != SI_KERNEL) {
			pidfd_signal(pidfd, signo);
			continue;
		}
		info.si_signo = signo;
		info.si_code = SI_QUEUE;
		info.si_value.sival_int = TTY_SIGNAL_VALUE;
		syscall(SYS_pidfd_send_signal, pidfd, signo, &info, 0);
	}
}

int console_foreground(pid_t proxy, int proxy_pidfd, int master, bool tty_signals)
{
	struct relay r = { .master = -1 };
	struct pollfd pf[4];
	sigset_t all;
	bool typed;
	int sfd;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	sfd = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	if (master >= 0)
		relay_begin(&r, master);
	for (;;) {
		pf[0] = (struct pollfd){ .fd = proxy_pidfd, .events = POLLIN };
		pf[1] = (struct pollfd){ .fd = sfd, .events = POLLIN };
		typed = r.typed_at < r.typed_end;
		pf[2] = (struct pollfd){ .fd = r.master, .events = POLLIN };
		if (typed && r.in_open)
			pf[2].events |= POLLOUT;
		pf[3] = (struct pollfd){ .fd = r.master >= 0 && r.in_open && !typed ? r.in : -1,
					 .events = POLLIN };
		if (poll(pf, 4, -1) < 0 && errno != EINTR)
			break;
		if (pf[1].revents)
			pass_signals(sfd, proxy_pidfd, &r, tty_signals);
		if ((pf[2].revents & ~POLLOUT) && !relay_copy(r.master, r.out))
			relay_hang_up(&r);
		if (r.master >= 0 && (pf[3].revents || (pf[2].revents & POLLOUT)))
			relay_typed(&r, pf[3].revents);
		if (pf[0].revents)
			break;
	}
	if (r.master >= 0)
		relay_drain(&r);
	if (master >= 0)
		relay_end(&r);
	close(sfd);
	return wait_child(proxy);
}
