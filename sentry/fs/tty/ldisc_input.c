/* Line discipline: characters typed. Editing, echo, signal characters and flow
 * control, in the order Linux's N_TTY looks at them. */
#include <ctype.h>
#include <string.h>

#include "sentry/fs/tty/ldisc_impl.h"

static bool has(const struct ldisc *ld, uint32_t lflag)
{
	return ld->t.c_lflag & lflag;
}

/* Is c the control character `which`? A disabled one (0) never matches. */
static bool is_cc(const struct ldisc *ld, uint8_t c, unsigned which)
{
	return c && c == ld->t.c_cc[which];
}

static bool ascii_cntrl(uint8_t c)
{
	return c < 0x20 || c == 0x7f;
}

/* ---- echo ---- */

static void echo_raw(struct ldisc *ld, uint8_t c)
{
	ldisc_out_char(ld, c, true);
}

static void echo_char(struct ldisc *ld, uint8_t c)
{
	if (has(ld, LX_ECHOCTL) && ascii_cntrl(c) && c != '\t') {
		echo_raw(ld, '^');
		c ^= 0x40;
	}
	echo_raw(ld, c);
}

static void finish_erasing(struct ldisc *ld)
{
	if (ld->erasing) {
		echo_raw(ld, '/');
		ld->erasing = false;
	}
}

static void echo_typed(struct ldisc *ld, uint8_t c)
{
	finish_erasing(ld);
	if (ld->canon_head == ld->in_head)
		ld->canon_column = ld->column;
	echo_char(ld, c);
}

/* ---- editing ---- */

static void put(struct ldisc *ld, uint8_t c)
{
	if (ld->in_head - ld->in_tail < LDISC_IN_SIZE)
		ld->in[ld->in_head++ % LDISC_IN_SIZE] = c;
}

static void put_parmrk(struct ldisc *ld, uint8_t c)
{
	if ((ld->t.c_iflag & LX_PARMRK) && c == 0xff)
		put(ld, c);
	put(ld, c);
}

static uint8_t at(const struct ldisc *ld, uint32_t pos)
{
	return ld->in[pos % LDISC_IN_SIZE];
}

static bool continuation(const struct ldisc *ld, uint8_t c)
{
	return (ld->t.c_iflag & LX_IUTF8) && (c & 0xc0) == 0x80;
}

/* Undo the columns of a tab: find how far the line had come before it. */
static void echo_erase_tab(struct ldisc *ld)
{
	uint32_t tail = ld->in_head, cols = 0, back;
	bool after_tab = false;

	while (tail != ld->canon_head) {
		uint8_t c = at(ld, --tail);

		if (c == '\t') {
			after_tab = true;
			break;
		}
		if (ascii_cntrl(c))
			cols += has(ld, LX_ECHOCTL) ? 2 : 0;
		else if (!continuation(ld, c))
			cols++;
	}
	if (!after_tab)
		cols += ld->canon_column;
	for (back = 8 - (cols & 7); back; back--)
		echo_raw(ld, '\b');
}

static void echo_erased(struct ldisc *ld, uint8_t c, uint32_t pos, uint32_t count, bool one)
{
	if (has(ld, LX_ECHOPRT)) {
		if (!ld->erasing) {
			echo_raw(ld, '\\');
			ld->erasing = true;
		}
		echo_char(ld, c);
		while (--count > 0)
			echo_raw(ld, at(ld, ++pos));
	} else if (one && !has(ld, LX_ECHOE)) {
		echo_char(ld, ld->t.c_cc[LX_VERASE]);
	} else if (c == '\t') {
		echo_erase_tab(ld);
	} else {
		unsigned n = ascii_cntrl(c) ? (has(ld, LX_ECHOCTL) ? 2 : 0) : 1;

		while (n--) {
			echo_raw(ld, '\b');
			echo_raw(ld, ' ');
			echo_raw(ld, '\b');
		}
	}
}

enum erase_kind { ERASE_CHAR, ERASE_WORD, ERASE_LINE };

static void eraser(struct ldisc *ld, enum erase_kind kind)
{
	bool seen_word = false;

	if (ld->in_head == ld->canon_head)
		return;
	if (kind == ERASE_LINE &&
	    (!has(ld, LX_ECHO) || !has(ld, LX_ECHOK) || !has(ld, LX_ECHOKE) ||
	     !has(ld, LX_ECHOE))) {
		ld->in_head = ld->canon_head;
		if (has(ld, LX_ECHO)) {
			finish_erasing(ld);
			echo_char(ld, ld->t.c_cc[LX_VKILL]);
			if (has(ld, LX_ECHOK))
				echo_raw(ld, '\n');
		}
		return;
	}
	while (ld->in_head != ld->canon_head) {
		uint32_t pos = ld->in_head, count;
		uint8_t c;

		do {
			c = at(ld, --pos);
		} while (continuation(ld, c) && pos != ld->canon_head);
		if (continuation(ld, c))
			break; /* no start byte: leave it */
		if (kind == ERASE_WORD) {
			if ((c < 0x80 && isalnum(c)) || c >= 0xc0 || c == '_')
				seen_word = true;
			else if (seen_word)
				break;
		}
		count = ld->in_head - pos;
		ld->in_head = pos;
		if (has(ld, LX_ECHO))
			echo_erased(ld, c, pos, count, kind == ERASE_CHAR);
		if (kind == ERASE_CHAR)
			break;
	}
	if (ld->in_head == ld->canon_head && has(ld, LX_ECHO))
		finish_erasing(ld);
}

static void reprint(struct ldisc *ld, uint8_t c)
{
	finish_erasing(ld);
	echo_char(ld, c);
	echo_raw(ld, '\n');
	for (uint32_t i = ld->canon_head; i != ld->in_head; i++)
		echo_char(ld, at(ld, i));
}

static void end_line(struct ldisc *ld, uint8_t c)
{
	uint32_t pos = ld->in_head;

	put_parmrk(ld, c);
	if (ld->in_head == pos)
		return;
	ldisc_mark(ld, ld->in_head - 1);
	ld->canon_head = ld->in_head;
	ld->event(ld, LDISC_EV_INPUT);
}

/* ---- one character ---- */

static bool signal_char(struct ldisc *ld, uint8_t c)
{
	enum ldisc_event ev;

	if (is_cc(ld, c, LX_VINTR))
		ev = LDISC_EV_INTR;
	else if (is_cc(ld, c, LX_VQUIT))
		ev = LDISC_EV_QUIT;
	else if (is_cc(ld, c, LX_VSUSP))
		ev = LDISC_EV_SUSP;
	else
		return false;
	if (!has(ld, LX_NOFLSH)) {
		ldisc_flush_in(ld);
		ldisc_flush_out(ld);
		ld->column = ld->batch_column; /* the echo since then never got out */
		ld->event(ld, LDISC_EV_FLUSH_IN);
		ld->event(ld, LDISC_EV_FLUSH_OUT);
	}
	ld->event(ld, ev);
	if (ld->t.c_iflag & LX_IXON)
		ldisc_stop(ld, false);
	if (has(ld, LX_ECHO))
		echo_char(ld, c);
	return true;
}

/* Canonical mode's own characters. true: c is dealt with. */
static bool canon_char(struct ldisc *ld, uint8_t c)
{
	bool iexten = has(ld, LX_IEXTEN), echo = has(ld, LX_ECHO);

	if (is_cc(ld, c, LX_VERASE)) {
		eraser(ld, ERASE_CHAR);
	} else if (is_cc(ld, c, LX_VKILL)) {
		eraser(ld, ERASE_LINE);
	} else if (is_cc(ld, c, LX_VWERASE) && iexten) {
		eraser(ld, ERASE_WORD);
	} else if (is_cc(ld, c, LX_VLNEXT) && iexten) {
		ld->lnext = true;
		if (echo) {
			finish_erasing(ld);
			if (has(ld, LX_ECHOCTL)) {
				echo_raw(ld, '^');
				echo_raw(ld, '\b');
			}
		}
	} else if (is_cc(ld, c, LX_VREPRINT) && echo && iexten) {
		reprint(ld, c);
	} else if (c == '\n') {
		if (echo || has(ld, LX_ECHONL))
			echo_raw(ld, '\n');
		end_line(ld, c);
	} else if (is_cc(ld, c, LX_VEOF)) {
		end_line(ld, LDISC_EOF_BYTE);
	} else if (is_cc(ld, c, LX_VEOL) || (is_cc(ld, c, LX_VEOL2) && iexten)) {
		if (echo)
			echo_typed(ld, c);
		end_line(ld, c);
	} else {
		return false;
	}
	return true;
}

/* special: one of those that had to be looked at; only then is a newline echoed as such. */
static void plain_char(struct ldisc *ld, uint8_t c, bool special)
{
	if (has(ld, LX_ECHO)) {
		if (c == '\n' && special) {
			finish_erasing(ld);
			echo_raw(ld, c);
		} else {
			echo_typed(ld, c);
		}
	}
	put_parmrk(ld, c);
}

static void receive_char(struct ldisc *ld, uint8_t c)
{
	uint32_t iflag = ld->t.c_iflag;
	uint8_t typed;

	if (iflag & LX_ISTRIP)
		c &= 0x7f;
	if ((iflag & LX_IUCLC) && has(ld, LX_IEXTEN) &&
	    ((c >= 'A' && c <= 'Z') || (c >= 0xc0 && c <= 0xde && c != 0xd7)))
		c = (uint8_t)(c + 32);
	typed = c;
	if (has(ld, LX_EXTPROC)) {
		put(ld, c);
		return;
	}
	if (ld->lnext) {
		ld->lnext = false;
		plain_char(ld, c, false);
		return;
	}
	if (iflag & LX_IXON) {
		if (is_cc(ld, c, LX_VSTART)) {
			ldisc_stop(ld, false);
			return;
		}
		if (is_cc(ld, c, LX_VSTOP)) {
			ldisc_stop(ld, true);
			return;
		}
	}
	if (has(ld, LX_ISIG) && signal_char(ld, c))
		return;
	if (ld->stopped && (iflag & LX_IXON) && (iflag & LX_IXANY))
		ldisc_stop(ld, false);
	if (c == '\r') {
		if (iflag & LX_IGNCR)
			return;
		if (iflag & LX_ICRNL)
			c = '\n';
	} else if (c == '\n' && (iflag & LX_INLCR)) {
		c = '\r';
	}
	if (has(ld, LX_ICANON) && canon_char(ld, c))
		return;
	plain_char(ld, c, c != typed || has(ld, LX_ICANON));
}

/* ---- entry ---- */

static bool overflowing(const struct ldisc *ld)
{
	return has(ld, LX_ICANON) && ld->canon_head == ld->in_tail;
}

size_t ldisc_receive_room(const struct ldisc *ld)
{
	uint32_t used = ld->in_head - ld->in_tail;

	if (used + 1 < LDISC_IN_SIZE)
		return LDISC_IN_SIZE - 1 - used;
	/* An endless line: what is typed further replaces its last character, so that
	 * the newline still gets in. */
	return overflowing(ld) ? 1 : 0;
}

size_t ldisc_receive(struct ldisc *ld, const uint8_t *buf, size_t n)
{
	uint32_t out_before = ld->out_head;
	size_t i;

	ld->batch_column = ld->column;

	for (i = 0; i < n && ldisc_receive_room(ld); i++) {
		if (ld->in_head - ld->in_tail == LDISC_IN_SIZE && overflowing(ld))
			ld->in_head--;
		receive_char(ld, buf[i]);
	}
	if (!ldisc_by_lines(ld) && ld->in_head != ld->in_tail && i)
		ld->event(ld, LDISC_EV_INPUT);
	if (ld->out_head != out_before)
		ld->event(ld, LDISC_EV_OUTPUT);
	return i;
}
