/* Moving bytes between two files inside the kernel: sendfile, splice, tee and
 * copy_file_range, all through one bounded buffer.
 *
 * Nothing is taken out of a source that cannot give it back (a pipe, a socket)
 * before the sink can take it: pipes are looked into (ops->peek) and only drained
 * by what the sink accepted; from other streams at most one page is read after the
 * sink said that it is writable, which a pipe then has room for. */
#include <stdlib.h>

#include "sentry/task/task.h"
#include "sentry/vfs/file_io.h"
#include "sentry/vfs/vfs_impl.h"
#include "syscalls/abi/lx_poll.h"

#define SPLICE_BUF 65536u
#define SPLICE_STREAM_STEP 4096u

struct splice {
	struct task *t;
	struct file *in, *out;
	int64_t *in_pos, *out_pos; /* NULL: streams */
	uint8_t *buf;
};

/* Read without consuming, or (streams that cannot be looked into) consuming. */
static int64_t fetch(struct splice *s, size_t want)
{
	struct uio u;
	int64_t pos;

	if (!s->in_pos && s->in->ops->peek) {
		uio_init_kernel(&u, s->buf, want);
		return s->in->ops->peek(s->in, &u);
	}
	if (!s->in_pos && !LX_S_ISREG(file_inode(s->out)->mode) && want > SPLICE_STREAM_STEP)
		want = SPLICE_STREAM_STEP;
	uio_init_kernel(&u, s->buf, want);
	if (!s->in_pos)
		return file_read_once(s->in, &u, NULL, 0);
	pos = *s->in_pos;
	return file_read_once(s->in, &u, &pos, 0);
}

/* n of the bytes fetched have arrived at the sink: these, and no others, leave the source. */
static void consume(struct splice *s, size_t fetched, size_t n)
{
	struct uio u;

	if (s->in_pos) {
		*s->in_pos += (int64_t)n;
	} else if (s->in->ops->peek) {
		if (!n)
			return;
		uio_init_kernel(&u, s->buf, n);
		(void)s->in->ops->read(s->in, &u, NULL, 0);
	} else if ((s->in->mode & FMODE_HOST_POS) && n < fetched) {
		(void)file_seek(s->in, (int64_t)n - (int64_t)fetched, LX_SEEK_CUR);
	}
}

/* Where a file is read or written; NULL: a stream, or the host keeps the position. */
static int64_t *own_position(struct file *f, int64_t *pos)
{
	if (f->mode & FMODE_STREAM)
		return NULL;
	return pos ? pos : f->mode & FMODE_HOST_POS ? NULL : &f->pos;
}

static int64_t store(struct splice *s, size_t n)
{
	size_t done = 0;

	while (done < n) {
		struct uio u;
		int64_t m;

		uio_init_kernel(&u, s->buf + done, n - done);
		u.task = s->t;
		m = file_write_once(s->t, s->out, &u, s->out_pos, 0);
		if (m <= 0)
			return done ? (int64_t)done : m;
		done += (size_t)m;
	}
	return (int64_t)done;
}

/* One step of at most `want` bytes. *wait: whom to wait for after -LX_EAGAIN. */
static int64_t splice_step(struct splice *s, size_t want, struct file **wait)
{
	int64_t n, m;

	*wait = s->out;
	if (!(file_ready(s->out) & (LX_POLLOUT | LX_POLLERR | LX_POLLHUP)))
		return -LX_EAGAIN;
	n = fetch(s, want);
	if (n <= 0) {
		*wait = s->in;
		return n;
	}
	m = store(s, (size_t)n);
	consume(s, (size_t)n, m > 0 ? (size_t)m : 0);
	return m;
}

static long splice_wait(struct task *t, struct file *wait, const struct splice *s)
{
	return file_wait(t, wait, wait == s->out ? LX_POLLOUT : LX_POLLIN);
}

int64_t file_splice(struct task *t, struct file *in, int64_t *in_pos, struct file *out,
		    int64_t *out_pos, uint64_t len, bool nonblock)
{
	bool to_pipe = (out->mode & FMODE_STREAM) && LX_S_ISFIFO(file_inode(out)->mode);
	/* splice(2) with a pipe at the sink returns what went in; sendfile goes on. */
	bool all = !(in->mode & FMODE_STREAM) && !to_pipe && !nonblock;
	AUTO_FREE uint8_t *buf = malloc(SPLICE_BUF);
	struct splice s = { .t = t, .in = in, .out = out, .buf = buf };
	uint64_t *done = &t->restart.done, now = 0;
	struct file *wait = in;
	int64_t n = 0;

	if (!buf)
		return -LX_ENOMEM;
	s.in_pos = own_position(in, in_pos);
	s.out_pos = own_position(out, out_pos);
	while (*done < len && now < SPLICE_CALL_MAX) {
		uint64_t want = len - *done < SPLICE_BUF ? len - *done : SPLICE_BUF;

		n = splice_step(&s, want, &wait);
		if (n <= 0)
			break;
		*done += (uint64_t)n;
		now += (uint64_t)n;
	}
	if (n == -LX_EAGAIN && !nonblock && (*done == 0 || all) &&
	    !(wait->flags & LX_O_NONBLOCK)) {
		n = splice_wait(t, wait, &s);
		if (n == -LX_EPARK)
			return n;
	}
	if (*done == 0)
		return n;
	n = (int64_t)*done;
	*done = 0;
	return n;
}

int64_t file_tee(struct task *t, struct file *in, struct file *out, uint64_t len, bool nonblock)
{
	AUTO_FREE uint8_t *buf = malloc(SPLICE_BUF);
	struct splice s = { .t = t, .in = in, .out = out, .buf = buf };
	struct file *wait = out;
	int64_t n;

	if (!buf)
		return -LX_ENOMEM;
	n = -LX_EAGAIN;
	if (file_ready(out) & (LX_POLLOUT | LX_POLLERR | LX_POLLHUP)) {
		struct uio u;

		uio_init_kernel(&u, buf, len < SPLICE_BUF ? len : SPLICE_BUF);
		wait = in;
		n = in->ops->peek(in, &u);
		if (n > 0) {
			wait = out;
			n = store(&s, (size_t)n);
		}
	}
	if (n != -LX_EAGAIN || nonblock || (wait->flags & LX_O_NONBLOCK))
		return n;
	return splice_wait(t, wait, &s);
}

int64_t file_copy_range(struct task *t, struct file *in, int64_t *in_pos, struct file *out,
			int64_t *out_pos, uint64_t len)
{
	AUTO_FREE uint8_t *buf = malloc(SPLICE_BUF);
	struct splice s = { .t = t, .in = in, .out = out, .buf = buf };
	uint64_t done = 0;

	if (!buf)
		return -LX_ENOMEM;
	s.in_pos = own_position(in, in_pos);
	s.out_pos = own_position(out, out_pos);
	while (done < len && done < SPLICE_CALL_MAX) {
		uint64_t want = len - done < SPLICE_BUF ? len - done : SPLICE_BUF;
		int64_t got = fetch(&s, want), n = got;

		if (got > 0) {
			n = store(&s, (size_t)got);
			consume(&s, (size_t)got, n > 0 ? (size_t)n : 0);
		}
		if (n < 0 && !done)
			return n;
		if (n <= 0)
			break;
		done += (uint64_t)n;
	}
	return (int64_t)done;
}
