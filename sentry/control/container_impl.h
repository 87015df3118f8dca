/* Between the files of this folder. */
#ifndef SENTRY_CONTROL_CONTAINER_IMPL_H
#define SENTRY_CONTROL_CONTAINER_IMPL_H

#include "platform/base/list.h"
#include "sentry/control/container.h"
#include "sentry/fs/tty/tty.h"
#include "sentry/task/task.h"

#define MAX_CONNS 32
#define MAX_PROCS 4096
#define STATUS_FAILED_START (255 << 8)

struct conn {			/* a client of the control channel */
	struct list link;
	int fd;
	bool waiting;		/* has asked for a start that is under way */
};

struct cproc {			/* a process that somebody outside waits for */
	struct list link;
	struct container *c;
	struct tgroup *tg;	/* one reference; NULL: not spawned */
	struct tty *tty;	/* borrowed from its stdio, which its fd table holds */
	struct file *tty_file;	/* one reference, keeps tty alive */
	int proxy;		/* -1: none (hooks, or gone) */
	int host_pid;
	bool hook;
	bool exited;		/* [kernel] */
	int status;		/* [kernel] wait status */
	const char *ended_by;	/* [kernel] as tgroup.ended_by */
};

struct container {
	struct kernel *k;
	struct container_params p;
	int event_fd;
	struct list procs, conns;
	unsigned nconns, nprocs;
	struct cproc *init;
	bool started, starting, stopping;
	int stop_status;
	unsigned next_hook;
	int hook_input;		/* state JSON memfd, -1: none */
};

/* process.c: make a process. 0 or -errno with rep filled in. fds are consumed. */
int cproc_spawn(struct container *c, struct cproc *p, const struct container_process *m,
		const int *stdio, const int *extra, unsigned nextra, struct control_rep *rep);
struct cproc *cproc_new(struct container *c, int proxy, int host_pid);
void cproc_free(struct cproc *p);
/* A signal from outside. 0 or -LX_ESRCH. */
int cproc_signal(struct cproc *p, int signo, bool from_tty);
int container_kill_all(struct container *c, int signo);

/* requests.c */
void conn_serve(struct container *c, struct conn *cn);
void conn_reply(struct conn *cn, int error, const char *text);
void conn_close(struct container *c, struct conn *cn);
/* Go on with the startContainer hooks, or with the start itself. */
void start_continue(struct container *c, const char *hook_error);

/* debug.c: what `runsc debug` and the reporter ask for; answers go to fd. -LX_EINVAL: not
 * one of these. Without the kernel lock. */
int debug_request(struct container *c, int fd, const struct control_req *rq, int *fds,
		  unsigned nfds);

/* crash.c: report crashes through the socket from now on. */
void crash_init(struct container *c);

/* control_host.c: host calls of this folder; -errno */
int chost_accept(int fd);
/* Is the peer root or the sandbox's owner (who is root in our user namespace)? */
bool chost_peer_ok(int fd);
/* One packet and its fds; *nfds in: room. Bytes, 0 at the end. */
long chost_recv(int fd, void *buf, unsigned long size, int *fds, unsigned *nfds);
long chost_send(int fd, const void *buf, unsigned long size);
void chost_close(int fd);
int chost_dup(int fd);
int chost_eventfd(void);
void chost_event_set(int fd);
void chost_event_clear(int fd);
long chost_read_file(int fd, void *buf, unsigned long size);
long chost_file_size(int fd);
/* Wait without a timeout. 0 or more, -errno. */
struct pollfd;
int chost_poll(struct pollfd *pf, unsigned n);
/* Is there something to read within that many milliseconds? */
bool chost_readable(int fd, int ms);
/* Are both terminals, and the same one? */
bool chost_same_tty(int a, int b);

#endif
