/* Terminals: pseudo-terminals of the guest (devpts) with line discipline, and the
 * host's stdio files (terminals, pipes, files) wrapped for the guest. */
#ifndef SENTRY_FS_TTY_TTY_H
#define SENTRY_FS_TTY_TTY_H

#include "sentry/vfs/vfs.h"

struct tty;
struct session;
struct tgroup;

/* Wrap a host fd given from outside (stdin, stdout, stderr). Takes over fd. A host
 * terminal: termios, window size and job control ioctls work on it (host line
 * discipline does the editing; signals by key arrive as guest signals through
 * host_tty_signal). *out has one reference. */
int hostfile_new(struct kernel *k, int fd, struct file **out);
/* The tty behind a hostfile that is a host terminal, or NULL. */
struct tty *hostfile_tty(struct file *f);
/* From boot: the terminal got SIGINT, SIGWINCH … : to its foreground group. */
void host_tty_signal(struct kernel *k, struct tty *tty, int signo);
/* Make it the controlling terminal of the (session-leader) process. */
void tty_set_session(struct tty *tty, struct session *s, int fg_pgid);
/* Session leader exits: SIGHUP/SIGCONT to the foreground group, disassociate. */
void tty_session_end(struct session *s);
/* /proc/PID/stat tty_nr of a session's terminal; 0: none. */
uint32_t tty_dev(const struct tty *tty);

/* Opening the devices that are terminals (sentry/fs/dev). *out has one reference.
 * /dev/tty: the task's controlling terminal, -LX_ENXIO without one. */
int tty_open_current(struct task *t, const struct path *path, uint32_t fmode, uint32_t flags,
		     struct file **out);
/* /dev/console: the first terminal given from the host, -LX_ENXIO without one. */
int tty_open_console(struct kernel *k, const struct path *path, uint32_t fmode, uint32_t flags,
		     struct file **out);
/* /dev/ptmx outside of a devpts: the devpts on "pts" beside it, else the newest one. */
int tty_open_ptmx(struct kernel *k, const struct path *path, uint32_t fmode, uint32_t flags,
		  struct file **out);
/* vhangup(2): 0 or -LX_EPERM. */
int tty_vhangup(struct task *t);
/* From kernel_free(), after all files and mounts are gone. */
void ttys_free(struct kernel *k);
#endif
