/* The line discipline (N_TTY, termios(3)): what happens to bytes between the
 * keyboard side of a terminal (for a pty: the master) and the program side (the
 * slave). Pure data: no tasks, no wait queues, no guest memory; the tty around
 * it does those, through the hooks. All under the kernel lock.
 *
 * Two fixed buffers bound what a guest can make the sentry hold: the edited input
 * and the processed output, which echo shares with the program's writes (a small
 * reserve keeps echo alive when the program has filled the output). */
#ifndef SENTRY_FS_TTY_LDISC_H
#define SENTRY_FS_TTY_LDISC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "syscalls/abi/lx_ioctl_tty.h"

#define LDISC_IN_SIZE 4096u	   /* a power of two: Linux's N_TTY_BUF_SIZE */
#define LDISC_OUT_SIZE 16384u	   /* a power of two */
#define LDISC_ECHO_RESERVE 4096u   /* of the output, for echo only */

enum ldisc_event {
	LDISC_EV_INTR,	/* the signal characters */
	LDISC_EV_QUIT,
	LDISC_EV_SUSP,
	LDISC_EV_INPUT, /* something became readable */
	LDISC_EV_OUTPUT,/* output was queued, or flow control let it go */
	LDISC_EV_STOP,	/* ^S stopped the output */
	LDISC_EV_START,
	LDISC_EV_FLUSH_IN, /* a signal character flushed the queues */
	LDISC_EV_FLUSH_OUT,
};

struct ldisc {
	struct lx_termios2 t;
	/* Called after the state is consistent; must not call back into the ldisc
	 * except to read it. */
	void (*event)(struct ldisc *ld, enum ldisc_event ev);

	/* Edited input: [in_tail, canon_head) are complete lines in canonical mode,
	 * [canon_head, in_head) the line being edited. Indices run freely. */
	uint8_t in[LDISC_IN_SIZE];
	uint64_t in_mark[LDISC_IN_SIZE / 64]; /* ends of lines */
	uint32_t in_head, in_tail, canon_head;
	bool lnext;	/* the next character is literal */
	bool erasing;	/* ECHOPRT: inside \…/ */

	uint8_t out[LDISC_OUT_SIZE];
	uint32_t out_head, out_tail;
	bool stopped;	/* by ^S or TCOOFF */
	uint32_t batch_column;	/* column before what is being received */
	uint32_t column, canon_column;
};

/* Default modes of a fresh pty slave. */
void ldisc_init(struct ldisc *ld, void (*event)(struct ldisc *, enum ldisc_event));

/* Characters typed: how many were taken (all, unless the input is full of lines
 * that nobody has read). */
size_t ldisc_receive(struct ldisc *ld, const uint8_t *buf, size_t n);
/* Room for more typed characters; 0: ldisc_receive would take none. */
size_t ldisc_receive_room(const struct ldisc *ld);

/* Is a read possible: canonical: a line; raw: at least min bytes. */
/* Does a read end with a line? (canonical mode, unless somebody else does the editing) */
bool ldisc_by_lines(const struct ldisc *ld);
bool ldisc_readable(const struct ldisc *ld, size_t min);
/* FIONREAD of the slave. */
size_t ldisc_in_count(const struct ldisc *ld);
/* Take input: canonical: at most one line; raw: what there is. *eof: an end-of-file
 * mark was consumed (so 0 bytes mean end of file). */
size_t ldisc_read(struct ldisc *ld, uint8_t *buf, size_t n, bool *eof);

/* The program writes: bytes taken (0: output is full). */
size_t ldisc_write(struct ldisc *ld, const uint8_t *buf, size_t n);
/* Could a write take something? */
bool ldisc_writable(const struct ldisc *ld);
/* Processed output for the master; none while stopped. */
size_t ldisc_out_take(struct ldisc *ld, uint8_t *buf, size_t n);
size_t ldisc_out_count(const struct ldisc *ld); /* 0 while stopped */

void ldisc_flush_in(struct ldisc *ld);
void ldisc_flush_out(struct ldisc *ld);
void ldisc_stop(struct ldisc *ld, bool stop);
/* New modes; switching ICANON on or off re-marks what is in the buffer. */
void ldisc_set_termios(struct ldisc *ld, const struct lx_termios2 *t);

#endif
