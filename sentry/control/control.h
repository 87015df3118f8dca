/* The control channel of a sandbox: <root>/<id>/control.sock, SOCK_SEQPACKET. One
 * request per connection, one or more replies. Only root and the sandbox's owner
 * can reach the socket; peers are trusted more than guests, but checked. Also the
 * messages between the sentry and a proxy process. Both ends are the same binary. */
#ifndef SENTRY_CONTROL_CONTROL_H
#define SENTRY_CONTROL_CONTROL_H

#include <stdint.h>

#define CONTROL_MAGIC 0x52435452u
#define CONTROL_MAX_FDS 64

enum control_op {
	CONTROL_START = 1,	/* fds: [state JSON memfd] for startContainer hooks */
	CONTROL_KILL,		/* signo, flags */
	CONTROL_PS,		/* replies: struct control_ps each, then the end */
	CONTROL_EXEC,		/* fds: process memfd, proxy socket, stdio 0 1 2, further */
	CONTROL_STOP,		/* end the sandbox now */
	/* For `runsc debug` and crash reports. Unlike the others, several of these may
	 * follow one another on one connection. */
	CONTROL_TASKS,		/* pid (0: all): struct control_task each, then the end */
	CONTROL_MAPS,		/* pid: of a thread; struct control_map each, then the end */
	CONTROL_READ,		/* pid, addr, len: struct control_data */
	CONTROL_FILE,		/* pid, addr (in a mapping of the file), off, len: control_data */
	CONTROL_SIGNAL,		/* pid, signo: to one process */
	CONTROL_STRACE,		/* text: a filter, with the fd for the lines; no fd: off */
	CONTROL_DONE,		/* the reporter has all it needs of a crash */
};

#define CONTROL_KILL_ALL 1u

struct control_req {
	uint32_t magic, op;
	int32_t signo;
	uint32_t flags;
	int32_t host_pid;	/* EXEC: the proxy's, for `ps --format json` */
	int32_t pid;
	uint64_t addr, len, off;
	char text[256];
};

struct control_task {
	int32_t tid, tgid;
	char comm[16];
	char state;		/* R running, S in a call, T stopped, Z a zombie's leader */
	uint8_t has_regs, pad[6];
	uint64_t regs[18];	/* struct plat_regs */
	char call[512];		/* "read(3, ", as --strace would show it; "": none */
};

struct control_map {
	uint64_t start, end, off; /* off: in the file, bytes */
	uint32_t prot, is_file;	/* LX_PROT_ */
	uint64_t ino;
	char path[240];		/* cut if longer; "" for anonymous memory */
};

#define CONTROL_DATA_MAX 32768u
struct control_data {		/* as many bytes as there are are sent */
	int32_t error;
	uint32_t len;
	uint8_t data[CONTROL_DATA_MAX];
};

/* From the sentry to the reporter: this thread is about to end its process. It waits until
 * CONTROL_DONE. */
struct control_crash {
	uint32_t magic;
	int32_t tid, tgid, signo, code;
	uint32_t has_fault;	/* addr, err and trapno are the hardware's */
	uint64_t addr, err, trapno;
};

struct control_rep {
	int32_t error;		/* 0 or -errno */
	int32_t code;		/* exit status that `run` and `do` use: 126, 127, else 0 */
	char text[504];		/* what failed, when error */
};

struct control_ps {
	int32_t tgid, ppid, host_pid; /* host_pid: of the proxy; 0: none */
	uint32_t uid, nthreads;
	uint64_t cpu_ns, start_ns;    /* since the sandbox's boot */
	uint32_t tty;
	char state;
	char cmd[155];
};

/* Between a proxy and the sentry, over a SOCK_SEQPACKET pair. */
enum proxy_kind {
	PROXY_SIGNAL = 1,	/* to the sentry: value is the signal */
	PROXY_TTY_SIGNAL,	/* the same, made by the terminal: foreground group */
	PROXY_EXIT,		/* from the sentry: value is the wait status */
};
struct proxy_msg {
	uint32_t kind;
	int32_t value;
};

/* Between the processes of a sandbox being made and the command line. */
enum report_kind {
	REPORT_NAMESPACES = 1,	/* proxy: namespaces are there, waiting to go on */
	REPORT_PIDS,		/* proxy: a = sentry's pid, b = gofer's pid (host) */
	REPORT_READY,		/* sentry: everything is set up */
	REPORT_ERROR,		/* anyone: text; a = exit status for run and do, or 0 */
	REPORT_END,		/* proxy: it ends now, as the first process did */
};
struct report_msg {
	uint32_t kind;
	int32_t a, b;
	char text[1012];
};

#endif
