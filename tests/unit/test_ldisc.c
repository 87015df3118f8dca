/* The line discipline by itself: bytes typed in, bytes read and shown out. */
#include <criterion/criterion.h>
#include <string.h>

#include "sentry/fs/tty/ldisc.h"

static unsigned seen[LDISC_EV_FLUSH_OUT + 1];
static struct ldisc ld;

static void on_event(struct ldisc *l, enum ldisc_event ev)
{
	(void)l;
	seen[ev]++;
}

static void setup(void)
{
	memset(seen, 0, sizeof(seen));
	ldisc_init(&ld, on_event);
}

static void type(const char *s)
{
	cr_assert_eq(ldisc_receive(&ld, (const uint8_t *)s, strlen(s)), strlen(s));
}

static void shown(const char *want)
{
	char buf[LDISC_OUT_SIZE + 1];
	size_t n = ldisc_out_take(&ld, (uint8_t *)buf, LDISC_OUT_SIZE);

	buf[n] = 0;
	cr_assert_str_eq(buf, want);
}

static void reads(size_t max, const char *want, bool want_eof)
{
	char buf[LDISC_IN_SIZE + 1];
	bool eof;
	size_t n = ldisc_read(&ld, (uint8_t *)buf, max, &eof);

	buf[n] = 0;
	cr_assert_str_eq(buf, want);
	cr_assert_eq(eof, want_eof);
}

static void lflag(uint32_t clear, uint32_t set)
{
	struct lx_termios2 t = ld.t;

	t.c_lflag = (t.c_lflag & ~clear) | set;
	ldisc_set_termios(&ld, &t);
}

static void iflag(uint32_t clear, uint32_t set)
{
	struct lx_termios2 t = ld.t;

	t.c_iflag = (t.c_iflag & ~clear) | set;
	ldisc_set_termios(&ld, &t);
}

TestSuite(ldisc, .init = setup);

Test(ldisc, canonical_line_waits_for_newline)
{
	type("ab");
	cr_assert_not(ldisc_readable(&ld, 1));
	type("c\r");
	cr_assert(ldisc_readable(&ld, 1));
	cr_assert_eq(ldisc_in_count(&ld), 4);
	shown("abc\r\n");
	reads(2, "ab", false);
	cr_assert(ldisc_readable(&ld, 1));
	reads(100, "c\n", false);
	cr_assert_not(ldisc_readable(&ld, 1));
}

Test(ldisc, a_read_takes_one_line)
{
	type("one\ntwo\n");
	reads(100, "one\n", false);
	reads(100, "two\n", false);
}

Test(ldisc, eof_ends_a_line_without_a_byte)
{
	type("x\004");
	reads(1, "x", true); /* the mark goes with the data even when just filled */
	cr_assert_not(ldisc_readable(&ld, 1));
	type("\004");
	cr_assert(ldisc_readable(&ld, 1));
	cr_assert_eq(ldisc_in_count(&ld), 0);
	reads(10, "", true);
}

Test(ldisc, erase_word_and_kill)
{
	type("ab\177c foo\027\n");
	shown("ab\b \bc foo\b \b\b \b\b \b\r\n");
	reads(100, "ac \n", false);
	type("junk\025ok\n");
	reads(100, "ok\n", false);
	type("\177\n");
	reads(100, "\n", false);
}

Test(ldisc, erase_does_not_cross_a_line)
{
	type("a\n\177\177b\n");
	reads(100, "a\n", false);
	reads(100, "b\n", false);
}

Test(ldisc, erase_tab_and_control)
{
	type("a\t\177\n");
	shown("a\t\b\b\b\b\b\b\b\r\n");
	reads(10, "a\n", false);
	type("\001\177\n");
	shown("^A\b \b\b \b\r\n");
	reads(10, "\n", false);
}

Test(ldisc, erase_utf8)
{
	iflag(0, LX_IUTF8);
	type("x\303\251\177\n");
	shown("x\303\251\b \b\r\n");
	reads(10, "x\n", false);
}

Test(ldisc, literal_next)
{
	type("\026\003\026\177\n");
	shown("^\b^C^\b^?\r\n");
	reads(10, "\003\177\n", false);
	cr_assert_eq(seen[LDISC_EV_INTR], 0);
}

Test(ldisc, signals_flush)
{
	type("half\003");
	cr_assert_eq(seen[LDISC_EV_INTR], 1);
	cr_assert_eq(seen[LDISC_EV_FLUSH_IN], 1);
	shown("^C");
	type("\n");
	reads(10, "\n", false);
	type("\034\032");
	cr_assert_eq(seen[LDISC_EV_QUIT], 1);
	cr_assert_eq(seen[LDISC_EV_SUSP], 1);
	lflag(0, LX_NOFLSH);
	type("ab\003c\n");
	reads(10, "abc\n", false);
	lflag(LX_ISIG, 0);
	type("\003\n");
	reads(10, "\003\n", false);
}

Test(ldisc, no_echo)
{
	lflag(LX_ECHO, 0);
	type("secret\n");
	shown("");
	lflag(0, LX_ECHONL);
	type("secret\n");
	shown("\r\n");
}

Test(ldisc, flow_control)
{
	type("\023");
	cr_assert_eq(seen[LDISC_EV_STOP], 1);
	cr_assert_eq(ldisc_write(&ld, (const uint8_t *)"hi", 2), 2);
	cr_assert_eq(ldisc_out_count(&ld), 0);
	shown("");
	type("\021");
	cr_assert_eq(seen[LDISC_EV_START], 1);
	shown("hi");
	type("\023");
	iflag(LX_IXON, 0);
	cr_assert_eq(seen[LDISC_EV_START], 2);
}

Test(ldisc, raw)
{
	lflag(LX_ICANON | LX_ECHO | LX_ISIG, 0);
	type("ab\003\004\n");
	cr_assert(ldisc_readable(&ld, 5));
	cr_assert_not(ldisc_readable(&ld, 6));
	reads(3, "ab\003", false);
	reads(10, "\004\n", false);
	cr_assert_not(ldisc_readable(&ld, 0));
}

Test(ldisc, mode_switch_keeps_input)
{
	type("abc");
	lflag(LX_ICANON, 0);
	cr_assert(ldisc_readable(&ld, 3));
	reads(1, "a", false);
	lflag(0, LX_ICANON);
	cr_assert(ldisc_readable(&ld, 1));
	reads(10, "bc", false);
}

Test(ldisc, output_processing)
{
	struct lx_termios2 t = ld.t;

	ldisc_write(&ld, (const uint8_t *)"a\tb\nc", 5);
	shown("a\tb\r\nc");
	t.c_oflag |= LX_XTABS;
	ldisc_set_termios(&ld, &t);
	ldisc_write(&ld, (const uint8_t *)"\n\tb", 3);
	shown("\r\n        b");
	t.c_oflag = 0;
	ldisc_set_termios(&ld, &t);
	ldisc_write(&ld, (const uint8_t *)"\n\t", 2);
	shown("\n\t");
}

Test(ldisc, overflowing_line_still_ends)
{
	char big[6000];
	uint8_t out[LDISC_IN_SIZE];
	bool eof;

	memset(big, 'x', sizeof(big));
	lflag(LX_ECHO, 0);
	cr_assert_eq(ldisc_receive(&ld, (const uint8_t *)big, sizeof(big)), sizeof(big));
	type("\n");
	cr_assert_eq(ldisc_read(&ld, out, sizeof(out), &eof), 4096);
	cr_assert_eq(out[4095], '\n');
	/* Complete lines that nobody reads push back. */
	for (int i = 0; i < 200; i++)
		ldisc_receive(&ld, (const uint8_t *)"0123456789012345678\n", 20);
	cr_assert_eq(ldisc_receive(&ld, (const uint8_t *)big, sizeof(big)), 95);
	cr_assert_eq(ldisc_receive_room(&ld), 0);
}

Test(ldisc, output_is_bounded_and_leaves_room_for_echo)
{
	uint8_t big[LDISC_OUT_SIZE * 2];
	size_t n;

	memset(big, 'y', sizeof(big));
	n = ldisc_write(&ld, big, sizeof(big));
	cr_assert_eq(n, LDISC_OUT_SIZE - LDISC_ECHO_RESERVE);
	cr_assert_not(ldisc_writable(&ld));
	type("e");
	cr_assert_eq(ldisc_out_count(&ld), n + 1);
	for (int i = 0; i < 5000; i++)
		type("e\177");
	cr_assert_leq(ldisc_out_count(&ld), LDISC_OUT_SIZE);
}
