/* Terminals, inside: what pseudo-terminals and host terminals have in common, and
 * the pseudo-terminal pair. All under the kernel lock. */
#ifndef SENTRY_FS_TTY_TTY_IMPL_H
#define SENTRY_FS_TTY_TTY_IMPL_H

#include "sentry/fs/tty/ldisc.h"
#include "sentry/fs/tty/tty.h"
#include "sentry/hostpoll.h"

struct task;
struct tty;

#define TTY_MAX 4096u /* numbers in devpts; Linux's kernel.pty.max */

struct tty_ops {
	/* A file on it (program side). */
	int (*open)(struct tty *tty, const struct path *path, uint32_t fmode, uint32_t flags,
		    struct file **out);
	/* c_lflag of now. */
	uint32_t (*lflag)(struct tty *tty);
	/* Every open file on it sees a hang-up from now on; may be NULL. */
	void (*hangup)(struct tty *tty);
	bool (*alive)(struct tty *tty); /* can it still be opened? */
	void (*free)(struct tty *tty);
};

struct tty {
	struct refs refs;
	struct kernel *k;
	const struct tty_ops *ops;
	struct list link;	/* ttys.all */
	int index;		/* number in devpts; -1: none */
	struct session *session; /* one reference: whose controlling terminal; or NULL */
	bool exclusive;		/* TIOCEXCL */
	uint32_t uid, gid, mode; /* of the devpts node (host terminals) */
};

/* The kernel's terminals: made on first use, freed by ttys_free(). */
struct ttys {
	struct list all;	/* struct tty, not counted */
	struct list instances;	/* struct devpts, not counted; last: newest */
	struct superblock *host_sb; /* of host files; one reference */
	uint64_t used[TTY_MAX / 64];
	unsigned next_host_ino;
};

struct ttys *ttys_of(struct kernel *k); /* NULL: out of memory */
/* Add to the registry with a number of its own (lowest free). -LX_ENOSPC. */
int tty_init(struct tty *tty, struct kernel *k, const struct tty_ops *ops, const char *type);
void tty_drop_index(struct tty *tty);
void tty_get(struct tty *tty);
void tty_put(struct tty *tty);
DEFINE_AUTO_PUT(tty)
struct tty *tty_by_index(struct kernel *k, unsigned index); /* borrowed or NULL */

/* May t change or read the terminal now (job control)? 0; -LX_ERESTARTSYS after
 * signo went to its process group; -LX_EIO. t NULL: 0. */
int tty_check_change(struct tty *tty, struct task *t, int signo);
/* The same for a write: only with TOSTOP. */
int tty_check_write(struct tty *tty, struct task *t);
void tty_signal_fg(struct tty *tty, int signo);
/* open(2) of a terminal by a session leader without one makes it the controlling
 * terminal. */
void tty_open_ctty(struct tty *tty, struct task *t, uint32_t fmode, uint32_t flags);
/* Hang up: SIGHUP and SIGCONT to the session leader, no controlling terminal any more;
 * exit_session: also SIGHUP to the foreground group. */
void tty_hangup(struct tty *tty, bool exit_session);
/* The session's leader gives its terminal up: SIGHUP (and SIGCONT) to the foreground
 * group. */
void tty_session_leave(struct session *s, bool cont);
/* What every terminal has: sessions, process groups, exclusivity. -LX_ENOIOCTLCMD_: not
 * one of these. master: f is the master side. */
#define LX_ENOIOCTLCMD_ 515
int64_t tty_common_ioctl(struct task *t, struct file *f, struct tty *tty, uint32_t cmd,
			 uint64_t arg, bool master);
/* VMIN 0 with VTIME: may the read still wait (and arranges the wake-up)? */
bool tty_vtime_wait(struct task *t, unsigned tenths);

/* ---- pseudo-terminals ---- */

struct devpts;

struct pty {
	struct tty tty;		/* the program side */
	struct ldisc ld;
	struct waitq slave_q, master_q;
	unsigned slaves;	/* open files on the slave */
	bool master_open, slave_closed, locked;
	bool packet;
	uint8_t pkt_status;
	uint8_t *staged;	/* typed, but the line discipline is full */
	size_t staged_off, staged_len, staged_cap;
	uint64_t last_input_ns;	/* when something became readable: VTIME */
	uint64_t hang_gen;	/* files of an older generation (file.ra[0]) are hung up */
	struct lx_winsize ws;
	struct inode *node;	/* one reference while the master is open */
};

#define PTY_STAGED_MAX 65536u

static inline struct pty *pty_of(struct tty *tty)
{
	return container_of(tty, struct pty, tty);
}

/* A new pair; the file is the master. fs: where the slave's node appears. */
int ptmx_open(struct devpts *fs, const struct path *path, uint32_t fmode, uint32_t flags,
	      struct file **out);
int pty_open_slave(struct tty *tty, const struct path *path, uint32_t fmode, uint32_t flags,
		   struct file **out);
bool pty_file_hung(const struct file *f);
int64_t pty_slave_ioctl(struct task *t, struct file *f, uint32_t cmd, uint64_t arg);
int64_t pty_master_ioctl(struct task *t, struct file *f, uint32_t cmd, uint64_t arg);
void pty_input_drained(struct pty *p); /* room in the line discipline again */

/* devpts.c: the node of a new pty (one reference); NULL: out of memory. */
struct inode *devpts_node_new(struct devpts *fs, struct pty *p);
void devpts_node_drop(struct pty *p); /* the master is closed */
/* Where the devices that are on no devpts themselves look: the newest instance, or NULL. */
struct devpts *devpts_newest(struct kernel *k);
struct devpts *devpts_of_sb(const struct superblock *sb); /* NULL: not a devpts */
bool devpts_room(const struct devpts *fs);
/* The path of terminal number `index` below the mount mnt of a devpts. */
int devpts_path(struct kernel *k, struct mount *mnt, unsigned index, struct path *out);

/* ---- files given from the host ---- */

enum hostfd_kind { HOSTFD_REG, HOSTFD_PIPE, HOSTFD_SOCK, HOSTFD_TTY, HOSTFD_OTHER };

struct host_tty {
	struct tty tty;
	uint64_t dev, ino, rdev; /* which host terminal */
	struct list fds;	/* struct hostfd.tty_link: the ways to it */
};

struct hostfd {
	struct refs refs;
	struct kernel *k;
	int fd;			/* owned */
	enum hostfd_kind kind;
	uint32_t acc;		/* FMODE_READ, FMODE_WRITE */
	bool nonblock;		/* the description itself is O_NONBLOCK */
	bool no_nowait;		/* RWF_NOWAIT does not work on it */
	bool watched;
	struct hostwatch watch;
	struct waitq q;
	struct host_tty *tty;	/* one reference, terminals */
	struct list tty_link;
	uint64_t ino;		/* number that "pipe:[…]" shows */
	uint8_t *unread;	/* read from the host, refused by the guest's buffer */
	size_t unread_off, unread_len;
};

static inline struct host_tty *host_tty_of(struct tty *tty)
{
	return container_of(tty, struct host_tty, tty);
}

extern const struct tty_ops host_tty_ops;
extern const struct file_ops hostfile_ops, pty_slave_ops, pty_master_ops;
/* Another file on the same host fd. own_pos: regular files get a position of their own. */
int hostfd_open(struct hostfd *h, const struct path *path, uint32_t fmode, uint32_t flags,
		bool own_pos, struct file **out);
/* The (shared) terminal object of h->fd. 0 or -errno. */
int host_tty_attach(struct hostfd *h, uint64_t dev, uint64_t ino, uint64_t rdev);
void host_tty_detach(struct hostfd *h);
int64_t host_tty_ioctl(struct task *t, struct file *f, struct hostfd *h, uint32_t cmd,
		       uint64_t arg);
/* One nonblocking read of a host terminal: bytes, -LX_EAGAIN … */
int64_t host_tty_read(struct hostfd *h, struct task *t, bool nonblock, void *buf, size_t n);

/* hostfile_host.c: 0 or more, or -errno. */
struct hostfd_stat {
	uint32_t mode, uid, gid, blksize;
	uint64_t dev, ino, rdev, size, blocks;
	struct ktime64 atime, mtime, ctime;
};
int host_fstat(int fd, struct hostfd_stat *out);
long host_getfl(int fd);
long host_read(int fd, void *buf, size_t n);
long host_write(int fd, const void *buf, size_t n);
long host_pread(int fd, void *buf, size_t n, int64_t pos);
long host_pwrite(int fd, const void *buf, size_t n, int64_t pos);
long host_read_nowait(int fd, void *buf, size_t n);	   /* RWF_NOWAIT */
long host_write_nowait(int fd, const void *buf, size_t n);
long host_recv_nowait(int fd, void *buf, size_t n);	   /* MSG_DONTWAIT */
long host_send_nowait(int fd, const void *buf, size_t n);
int64_t host_lseek(int fd, int64_t off, int whence);
int host_ftruncate(int fd, int64_t size);
int host_fsync(int fd, bool data_only);
int host_dup(int fd);
void host_close(int fd);
int host_ioctl(int fd, uint32_t cmd, void *arg); /* arg: buffer or value */

#endif
