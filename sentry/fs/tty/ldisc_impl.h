/* Shared by ldisc.c and ldisc_input.c. */
#ifndef SENTRY_FS_TTY_LDISC_IMPL_H
#define SENTRY_FS_TTY_LDISC_IMPL_H

#include "sentry/fs/tty/ldisc.h"

/* What stands for EOF in the buffer, with its mark set (also what disables a
 * control character in c_cc). */
#define LDISC_EOF_BYTE 0

/* One character of output or echo; false: no room. */
bool ldisc_out_char(struct ldisc *ld, uint8_t c, bool echo);
/* Position pos ends a line. */
void ldisc_mark(struct ldisc *ld, uint32_t pos);

#endif
