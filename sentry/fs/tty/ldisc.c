/* Line discipline: set-up, reading, output processing. Input is in ldisc_input.c. */
#include <string.h>

#include "sentry/fs/tty/ldisc_impl.h"

void ldisc_init(struct ldisc *ld, void (*event)(struct ldisc *, enum ldisc_event))
{
	static const uint8_t cc[LX_NCCS] = {
		[LX_VINTR] = 3,	   [LX_VQUIT] = 28,   [LX_VERASE] = 127, [LX_VKILL] = 21,
		[LX_VEOF] = 4,	   [LX_VMIN] = 1,     [LX_VSTART] = 17,	 [LX_VSTOP] = 19,
		[LX_VSUSP] = 26,   [LX_VREPRINT] = 18, [LX_VDISCARD] = 15, [LX_VWERASE] = 23,
		[LX_VLNEXT] = 22,
	};

	memset(ld, 0, sizeof(*ld));
	ld->event = event;
	ld->t.c_iflag = LX_ICRNL | LX_IXON;
	ld->t.c_oflag = LX_OPOST | LX_ONLCR;
	ld->t.c_cflag = LX_B38400 | LX_CS8 | LX_CREAD;
	ld->t.c_lflag = LX_ISIG | LX_ICANON | LX_ECHO | LX_ECHOE | LX_ECHOK | LX_ECHOCTL |
			LX_ECHOKE | LX_IEXTEN;
	ld->t.c_ispeed = ld->t.c_ospeed = 38400;
	memcpy(ld->t.c_cc, cc, sizeof(cc));
}

/* ---- output ---- */

static uint32_t out_used(const struct ldisc *ld)
{
	return ld->out_head - ld->out_tail;
}

static uint32_t out_room(const struct ldisc *ld, bool echo)
{
	uint32_t limit = echo ? LDISC_OUT_SIZE : LDISC_OUT_SIZE - LDISC_ECHO_RESERVE;

	return out_used(ld) >= limit ? 0 : limit - out_used(ld);
}

static void out_raw(struct ldisc *ld, uint8_t c)
{
	ld->out[ld->out_head++ % LDISC_OUT_SIZE] = c;
}

/* One character through OPOST. false: no room for what it becomes. */
bool ldisc_out_char(struct ldisc *ld, uint8_t c, bool echo)
{
	uint32_t of = ld->t.c_oflag, room = out_room(ld, echo), spaces;

	if (!room)
		return false;
	if (!(of & LX_OPOST)) {
		out_raw(ld, c);
		return true;
	}
	switch (c) {
	case '\n':
		if (of & LX_ONLRET)
			ld->column = 0;
		if (of & LX_ONLCR) {
			if (room < 2)
				return false;
			out_raw(ld, '\r');
			ld->column = 0;
		}
		ld->canon_column = ld->column;
		break;
	case '\r':
		if ((of & LX_ONOCR) && ld->column == 0)
			return true;
		if (of & LX_OCRNL) {
			c = '\n';
			if (of & LX_ONLRET)
				ld->canon_column = ld->column = 0;
			break;
		}
		ld->canon_column = ld->column = 0;
		break;
	case '\t':
		spaces = 8 - (ld->column & 7);
		if ((of & LX_TABDLY) == LX_XTABS) {
			if (room < spaces)
				return false;
			ld->column += spaces;
			while (spaces--)
				out_raw(ld, ' ');
			return true;
		}
		ld->column += spaces;
		break;
	case '\b':
		if (ld->column > 0)
			ld->column--;
		break;
	default:
		if (c < 0x20 || c == 0x7f)
			break;
		/* Latin 1, whatever is meant; an echoed 0xff goes as it is. */
		if ((of & LX_OLCUC) && ((c >= 'a' && c <= 'z') ||
					(c >= 0xdf && c != 0xf7 && !(echo && c == 0xff))))
			c = (uint8_t)(c - 32);
		if (!((ld->t.c_iflag & LX_IUTF8) && (c & 0xc0) == 0x80))
			ld->column++;
		break;
	}
	out_raw(ld, c);
	return true;
}

size_t ldisc_write(struct ldisc *ld, const uint8_t *buf, size_t n)
{
	size_t i = 0;

	while (i < n && ldisc_out_char(ld, buf[i], false))
		i++;
	if (i)
		ld->event(ld, LDISC_EV_OUTPUT);
	return i;
}

bool ldisc_writable(const struct ldisc *ld)
{
	return out_room(ld, false) >= 8; /* the most one character can become */
}

size_t ldisc_out_count(const struct ldisc *ld)
{
	return ld->stopped ? 0 : out_used(ld);
}

size_t ldisc_out_take(struct ldisc *ld, uint8_t *buf, size_t n)
{
	size_t have = ldisc_out_count(ld), i;

	if (n > have)
		n = have;
	for (i = 0; i < n; i++)
		buf[i] = ld->out[ld->out_tail++ % LDISC_OUT_SIZE];
	return n;
}

void ldisc_flush_out(struct ldisc *ld)
{
	ld->out_tail = ld->out_head;
}

void ldisc_stop(struct ldisc *ld, bool stop)
{
	if (ld->stopped == stop)
		return;
	ld->stopped = stop;
	ld->event(ld, stop ? LDISC_EV_STOP : LDISC_EV_START);
	if (!stop && out_used(ld))
		ld->event(ld, LDISC_EV_OUTPUT);
}

/* ---- reading ---- */

static bool marked(const struct ldisc *ld, uint32_t pos)
{
	pos %= LDISC_IN_SIZE;
	return ld->in_mark[pos / 64] >> (pos % 64) & 1;
}

static void unmark(struct ldisc *ld, uint32_t pos)
{
	pos %= LDISC_IN_SIZE;
	ld->in_mark[pos / 64] &= ~(1ULL << (pos % 64));
}

void ldisc_mark(struct ldisc *ld, uint32_t pos)
{
	pos %= LDISC_IN_SIZE;
	ld->in_mark[pos / 64] |= 1ULL << (pos % 64);
}

bool ldisc_by_lines(const struct ldisc *ld)
{
	return (ld->t.c_lflag & (LX_ICANON | LX_EXTPROC)) == LX_ICANON;
}

bool ldisc_readable(const struct ldisc *ld, size_t min)
{
	if (ldisc_by_lines(ld))
		return ld->canon_head != ld->in_tail;
	return ld->in_head - ld->in_tail >= (min ? min : 1);
}

size_t ldisc_in_count(const struct ldisc *ld)
{
	size_t n = 0;

	if (!ldisc_by_lines(ld))
		return ld->in_head - ld->in_tail;
	for (uint32_t i = ld->in_tail; i != ld->canon_head; i++)
		if (!(marked(ld, i) && ld->in[i % LDISC_IN_SIZE] == LDISC_EOF_BYTE))
			n++;
	return n;
}

static size_t read_canon(struct ldisc *ld, uint8_t *buf, size_t n, bool *eof)
{
	size_t done = 0;

	/* One byte more than asked is looked at, so that an end-of-file mark right
	 * behind the data goes with it. */
	while (ld->in_tail != ld->canon_head) {
		uint32_t pos = ld->in_tail;
		uint8_t c = ld->in[pos % LDISC_IN_SIZE];
		bool end = marked(ld, pos);

		if (end && c == LDISC_EOF_BYTE) {
			unmark(ld, pos);
			ld->in_tail++;
			*eof = true;
			break;
		}
		if (done == n)
			break;
		buf[done++] = c;
		ld->in_tail++;
		if (end) {
			unmark(ld, pos);
			break;
		}
	}
	return done;
}

size_t ldisc_read(struct ldisc *ld, uint8_t *buf, size_t n, bool *eof)
{
	size_t have, i;

	*eof = false;
	if (!n)
		return 0;
	if (ldisc_by_lines(ld))
		return read_canon(ld, buf, n, eof);
	have = ld->in_head - ld->in_tail;
	if (n > have)
		n = have;
	/* A read of nothing but an end of file, whoever does the editing. */
	if (n == 1 && (ld->t.c_lflag & LX_ICANON) && ld->t.c_cc[LX_VEOF] &&
	    ld->in[ld->in_tail % LDISC_IN_SIZE] == ld->t.c_cc[LX_VEOF]) {
		ld->in_tail++;
		*eof = true;
		return 0;
	}
	for (i = 0; i < n; i++) {
		unmark(ld, ld->in_tail);
		buf[i] = ld->in[ld->in_tail++ % LDISC_IN_SIZE];
	}
	if (ld->in_tail == ld->in_head)
		ld->canon_head = ld->in_head;
	return n;
}

void ldisc_flush_in(struct ldisc *ld)
{
	memset(ld->in_mark, 0, sizeof(ld->in_mark));
	ld->in_head = ld->in_tail = ld->canon_head = 0;
	ld->lnext = ld->erasing = false;
}

void ldisc_set_termios(struct ldisc *ld, const struct lx_termios2 *t)
{
	uint32_t old = ld->t.c_lflag;
	bool was_xon = ld->t.c_iflag & LX_IXON;

	ld->t = *t;
	if ((old ^ t->c_lflag) & LX_ICANON) {
		memset(ld->in_mark, 0, sizeof(ld->in_mark));
		ld->lnext = ld->erasing = false;
		if (t->c_lflag & LX_ICANON) {
			/* What was typed raw becomes one line that can be read. */
			ld->canon_head = ld->in_head;
			if (ld->in_head != ld->in_tail)
				ldisc_mark(ld, ld->in_head - 1);
		} else {
			ld->canon_head = ld->in_tail;
			if (ld->in_head != ld->in_tail)
				ld->event(ld, LDISC_EV_INPUT);
		}
	}
	if (was_xon && !(t->c_iflag & LX_IXON))
		ldisc_stop(ld, false);
}
