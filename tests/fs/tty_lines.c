/* The line discipline, systematically: many terminal settings, fed many byte sequences; one
 * line a check with what the master and the slave got to read. run.sh compares a native run
 * with one in the sandbox.
 *
 * usage: tty_lines [SEED] */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

struct flag {
	const char *name;
	unsigned field; /* 0 input, 1 output, 2 local */
	tcflag_t bit;
};

#define I(f) { #f, 0, f }
#define O(f) { #f, 1, f }
#define L(f) { #f, 2, f }
static const struct flag flags[] = {
	I(IGNBRK), I(BRKINT), I(IGNPAR), I(PARMRK), I(INPCK), I(ISTRIP), I(INLCR), I(IGNCR),
	I(ICRNL), I(IUCLC), I(IXON), I(IXANY), I(IXOFF), I(IMAXBEL), I(IUTF8), O(OPOST), O(OLCUC),
	O(ONLCR), O(OCRNL), O(ONOCR), O(ONLRET), O(TAB3), L(ISIG), L(ICANON), L(XCASE), L(ECHO),
	L(ECHOE), L(ECHOK), L(ECHONL), L(NOFLSH), L(TOSTOP), L(ECHOCTL), L(ECHOPRT), L(ECHOKE),
	L(IEXTEN), L(EXTPROC),
};
#define NFLAGS (sizeof(flags) / sizeof(flags[0]))

static const char *const inputs[] = {
	"abc\n", "abc\177d\n", "ab cd\025ef\n", "a bb ccc\027x\n", "\026\003x\026\177\n",
	"ab\022c\n", "abc\004def\n", "\004", "a\tb\177\177c\n", "\001\002\033[A\n",
	"abc\003def\n", "x\034y\n", "x\032y\n", "a\rb\r\nc\n", "AbC XyZ\n", "\377\376a\n",
	"\303\251\303\251\177x\n", "\t\t\177\177x\n", "a\023b\021c\n", "he\\\177w\\\025x\n",
	"abc\177\177\177\177\177d\n", "ab\nc\004d\n\004", "a;b|c\n", "tab\ttab\025x\n",
	"one\ntwo\nthree\n", "\b\b\025\027\022\n", "\017x\017y\n", "a\nb\027c d\027\027e\n",
};
static const char *const outputs[] = { "x\ty\n", "a\r\nb\rc\n", "\t12345678\tz\b\b\tq", "AbC\n" };

static void escaped(const char *p, ssize_t n)
{
	if (n < 0) {
		printf("%s", strerrorname_np(errno));
		return;
	}
	printf("\"");
	for (ssize_t i = 0; i < n; i++)
		if (isgraph((unsigned char)p[i]) && p[i] != '\\')
			putchar(p[i]);
		else
			printf("\\%o", (unsigned char)p[i]);
	printf("\"");
}

/* What was written has gone through the line discipline once poll has looked. */
static void settle(int a, int b)
{
	struct pollfd p[2] = { { .fd = a, .events = POLLIN }, { .fd = b, .events = POLLIN } };

	for (int i = 0; i < 3; i++)
		(void)poll(p, 2, 0);
}

/* All that the master gets to read, however many reads that takes; in packet mode what is no
 * data in brackets. */
static void show_master(int m, int s, int packet)
{
	char buf[8192];
	size_t have = 0;
	ssize_t n;

	settle(s, m);
	printf(" m:");
	while (have < sizeof(buf) && (n = read(m, buf + have, sizeof(buf) - have)) > 0) {
		if (packet && buf[have])
			printf("[%o]", buf[have]);
		if (packet)
			memmove(buf + have, buf + have + 1, (size_t)--n);
		have += (size_t)n;
	}
	escaped(buf, (ssize_t)have);
}

static void check(const char *name, const struct termios *t, const char *in, const char *out,
		  int packet)
{
	int m = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK), s, n = 0, zero = 0;
	char buf[64];
	ssize_t r;

	if (m < 0 || unlockpt(m))
		exit(2);
	s = open(ptsname(m), O_RDWR | O_NOCTTY | O_NONBLOCK);
	if (s < 0 || tcsetattr(s, TCSANOW, t) || ioctl(m, TIOCPKT, packet ? &packet : &zero))
		exit(2);
	printf("%s in ", name);
	escaped(in, (ssize_t)strlen(in));
	printf(":");
	r = write(m, in, strlen(in));
	if (r < 0)
		printf(" w:%s", strerrorname_np(errno));
	show_master(m, s, packet);
	ioctl(s, FIONREAD, &n);
	printf(" q%d", n);
	for (int i = 0; i < 6; i++) {
		r = read(s, buf, i % 2 ? 3 : sizeof(buf));
		printf(" s:");
		escaped(buf, r);
		if (r < 0)
			break;
	}
	r = write(s, out, strlen(out));
	printf(" o%zd", r);
	show_master(m, s, packet);
	printf("\n");
	close(s);
	close(m);
}

static tcflag_t *field(struct termios *t, unsigned which)
{
	return which == 0 ? &t->c_iflag : which == 1 ? &t->c_oflag : &t->c_lflag;
}

static void base(struct termios *t, int raw)
{
	int m = posix_openpt(O_RDWR | O_NOCTTY);

	if (m < 0 || tcgetattr(m, t))
		exit(2);
	close(m);
	t->c_iflag = ICRNL | IXON;
	t->c_oflag = OPOST | ONLCR;
	t->c_lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN;
	t->c_cc[VEOL] = ';';
	t->c_cc[VEOL2] = '|';
	if (raw)
		cfmakeraw(t);
	t->c_cc[VMIN] = 1;
	t->c_cc[VTIME] = 0;
}

/* Everything for one setting. */
static void checks(const char *name, const struct termios *t, unsigned spread)
{
	for (unsigned i = 0; i < sizeof(inputs) / sizeof(inputs[0]); i++)
		check(name, t, inputs[i], outputs[(i + spread) % 4], (i + spread) % 5 == 0);
}

/* Sizes of reads without lines, by VMIN and VTIME; queues, flushes and stops. */
static void check_calls(void)
{
	static const int actions[] = { TCSANOW, TCSADRAIN, TCSAFLUSH };
	struct termios t;
	char buf[64], big[9000];

	memset(big, 'a', sizeof(big));
	for (int k = 0; k < 3 * 3 * 3 * 2; k++) {
		int m = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK), s, n = -1;
		ssize_t r;

		unlockpt(m);
		s = open(ptsname(m), O_RDWR | O_NOCTTY | O_NONBLOCK);
		base(&t, k % 2);
		t.c_cc[VMIN] = (cc_t)(k / 2 % 3 * 2);
		t.c_cc[VTIME] = (cc_t)(k / 6 % 3);
		tcsetattr(s, TCSANOW, &t);
		printf("calls %d:", k);
		r = write(m, "abc\ndef", 7);
		settle(s, m);
		base(&t, k / 18 % 3 == 1);
		printf(" %zd set %d", r, tcsetattr(s, actions[k / 18 % 3], &t));
		ioctl(s, FIONREAD, &n);
		r = read(s, buf, 2);
		printf(" q%d r%s", n, r < 0 ? strerrorname_np(errno) : "");
		escaped(buf, r);
		printf(" flow %d", tcflow(s, TCOOFF));
		r = write(s, "out\n", 4);
		printf(" w%s%zd", r < 0 ? strerrorname_np(errno) : "", r);
		printf(" flow %d", tcflow(s, TCOON));
		r = write(s, "out\n", 4);
		printf(" w%zd", r);
		show_master(m, s, 0);
		printf(" flush %d", tcflush(s, TCOFLUSH));
		printf(" flush %d", tcflush(s, TCIFLUSH));
		r = read(s, buf, sizeof(buf));
		printf(" r");
		escaped(buf, r);
		r = write(m, big, sizeof(big));
		/* The host moves what was written to the line discipline in its own time. */
		n = 0;
		for (int i = 0; i < 100 && n <= 4000; i++) {
			(void)poll(NULL, 0, 1);
			ioctl(s, FIONREAD, &n);
		}
		printf(" full %d", n > 4000);
		printf(" bad %s", ioctl(s, TCXONC, 9) ? strerrorname_np(errno) : "0");
		printf(" %s", ioctl(s, TCFLSH, 9) ? strerrorname_np(errno) : "0");
		printf(" %s", ioctl(m, TIOCGPTN, &n) ? strerrorname_np(errno) : "0");
		printf(" %s", ioctl(s, TIOCGPTN, &n) ? strerrorname_np(errno) : "0");
		close(m);
		r = read(s, buf, sizeof(buf));
		printf(" hup r%s%zd", r < 0 ? strerrorname_np(errno) : "", r);
		r = write(s, "x", 1);
		printf(" w%s", r < 0 ? strerrorname_np(errno) : "ok");
		printf(" set %s\n", tcsetattr(s, TCSANOW, &t) ? strerrorname_np(errno) : "0");
		close(s);
	}
}

int main(int argc, char **argv)
{
	unsigned seed = argc > 1 ? (unsigned)atoi(argv[1]) : 1;
	char name[64];
	struct termios t;

	signal(SIGHUP, SIG_IGN);
	signal(SIGTTOU, SIG_IGN);
	setvbuf(stdout, NULL, _IOFBF, 1 << 16);
	for (int raw = 0; raw < 2; raw++)
		for (unsigned f = 0; f <= NFLAGS; f++) {
			base(&t, raw);
			if (f < NFLAGS)
				*field(&t, flags[f].field) ^= flags[f].bit;
			snprintf(name, sizeof(name), "%s^%s", raw ? "raw" : "cooked",
				 f < NFLAGS ? flags[f].name : "0");
			checks(name, &t, f);
		}
	srand(seed);
	for (unsigned k = 0; k < 60; k++) {
		base(&t, k % 4 == 0);
		for (unsigned f = 0; f < NFLAGS; f++)
			if (rand() % 4 == 0)
				*field(&t, flags[f].field) ^= flags[f].bit;
		snprintf(name, sizeof(name), "mix%u i%o,o%o,l%o", k, t.c_iflag, t.c_oflag, t.c_lflag);
		checks(name, &t, k);
	}
	check_calls();
	puts("end");
	return 0;
}
