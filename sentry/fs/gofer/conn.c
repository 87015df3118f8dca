/* The connection: requests and their replies, nodes to be let go of. A gofer that hangs
 * up or breaks the protocol costs the guest its files (EIO), never the sentry's health:
 * every reply is checked like any other input. */
#include <stdlib.h>

#include "platform/base/log.h"
#include "sentry/fs/gofer/gofer_impl.h"
#include "sentry/fs/gofer/watch.h"

struct gofer_conn *gofer_conn_new(int sock)
{
	struct gofer_conn *c = malloc(sizeof(*c)); /* the buffers are touched when used */

	if (!c) {
		gofer_host_close(sock);
		return NULL;
	}
	memset(c, 0, offsetof(struct gofer_conn, tx));
	refs_init(&c->refs, "gofer_conn");
	mutex_init(&c->mu, LOCK_GOFER);
	list_init(&c->idle_fds);
	c->sock = sock;
	c->max_fds = GOFER_FD_CACHE;
	return c;
}

void gofer_conn_get(struct gofer_conn *c)
{
	refs_get(&c->refs);
}

void gofer_conn_put(struct gofer_conn *c)
{
	if (!refs_put(&c->refs))
		return;
	gofer_watch_fini(c);
	gofer_chan_close(c->chan);
	gofer_host_close_all(&c->more);
	gofer_host_close(c->sock);
	free(c);
}

void gofer_conn_limit_fds(struct gofer_conn *c, unsigned max)
{
	c->max_fds = max;
}

/* ---- sending ---- */

static void conn_broken(struct gofer_conn *c, const char *why)
{
	if (!c->dead)
		log_error("gofer connection lost: %s", why);
	c->dead = true;
}

/* The request in c->tx. Needs c->mu. 0 or -errno. */
static int post(struct gofer_conn *c, size_t len)
{
	long n;

	if (c->chan && c->unanswered) {
		struct gofer_fds fds;

		c->unanswered = false;
		n = gofer_chan_wait(c->chan, c->sock, c->rx, sizeof(c->rx), &fds);
		gofer_host_close_all(&fds);
		if (n < 0)
			return (int)n;
	}
	n = c->chan ? gofer_chan_post(c->chan, c->sock, c->tx, len)
		    : gofer_host_send(c->sock, c->tx, len, -1);
	return n < 0 ? (int)n : 0;
}

/* Its reply into c->rx: the size, 0: hang-up. */
static long await(struct gofer_conn *c, struct gofer_fds *fds)
{
	if (c->chan)
		return gofer_chan_wait(c->chan, c->sock, c->rx, sizeof(c->rx), fds);
	return gofer_host_recv(c->sock, c->rx, sizeof(c->rx), fds);
}

/* Needs c->mu. */
static void flush_locked(struct gofer_conn *c)
{
	struct gofer_head h = { GOFER_OP_FORGET, ++c->seq, 0 };
	struct gofer_forget_req q = { .count = c->nforget };
	struct gofer_enc e = { c->tx, c->tx + sizeof(c->tx), false };

	if (!c->nforget)
		return;
	q.nodes = (struct gofer_bytes){ (const uint8_t *)c->forget,
					c->nforget * (uint32_t)sizeof(c->forget[0]) };
	c->nforget = 0;
	c->forget_blocks = 0;
	if (c->dead)
		return;
	gofer_put_head(&e, &h);
	gofer_put_forget_req(&e, &q);
	if (post(c, (size_t)(e.p - c->tx)) < 0)
		conn_broken(c, "send failed");
	c->unanswered = c->chan != NULL;
}

void gofer_forget_flush(struct gofer_conn *c)
{
	mutex_lock(&c->mu);
	flush_locked(c);
	mutex_unlock(&c->mu);
}

void gofer_forget(struct gofer_conn *c, uint32_t node, uint64_t blocks)
{
	if (!node)
		return;
	mutex_lock(&c->mu);
	c->forget[c->nforget++] = node;
	c->forget_blocks += blocks;
	if (c->nforget == GOFER_FORGET_QUEUE || c->forget_blocks >= GOFER_FORGET_BLOCKS)
		flush_locked(c);
	mutex_unlock(&c->mu);
}

void gofer_note_max_nodes(struct gofer_conn *c, uint32_t max)
{
	c->max_nodes = max;
	/* Entries nobody uses keep nodes in a gofer: the smallest one decides how many. */
	if (max / 2 < dcache_limit())
		dcache_set_limit(max / 2);
}

void gofer_relieve(struct gofer_conn *c)
{
	unsigned keep = c->max_nodes / 2 < dcache_limit() ? c->max_nodes / 2 : dcache_limit();

	/* Drops entries and with them inodes, whose nodes end up in the queue. */
	dcache_shrink(keep / 8);
	gofer_forget_flush(c);
}

/* ---- one request ---- */

/* An error the gofer reported, as a guest may see it. */
static int guest_error(int32_t err)
{
	if (err >= 0 || err < -4095)
		return -LX_EIO;
	switch (-err) {
	case LX_EAGAIN: /* would be taken for "wait" */
		return -LX_EBUSY;
	case LX_EPROTO: /* a bug of ours */
	case LX_EBADF:
		log_error("gofer refused a request: error %d", -err);
		return -LX_EIO;
	case LX_EMFILE:
		return -LX_ENFILE;
	default:
		return err;
	}
}

/* Send what e holds and receive the reply: *d stands behind its head; *fd, if one came, is the
 * caller's, others are in c->more. Needs c->mu. */
static int transact(struct gofer_conn *c, const struct gofer_head *h, struct gofer_enc *e,
		    struct gofer_dec *d, int *fd)
{
	struct gofer_fds *fds = &c->more;
	struct gofer_head r;
	long n;

	gofer_host_close_all(fds);
	if (e->bad)
		return -LX_E2BIG;
	if (c->dead)
		return -LX_EIO;
	if (post(c, (size_t)(e->p - c->tx)) < 0) {
		conn_broken(c, "send failed");
		return -LX_EIO;
	}
	n = await(c, fds);
	if (fds->n) {
		*fd = fds->fd[0];
		memmove(fds->fd, fds->fd + 1, --fds->n * sizeof(fds->fd[0]));
	}
	if (n <= 0) {
		conn_broken(c, "hang-up");
		return -LX_EIO;
	}
	*d = (struct gofer_dec){ c->rx, c->rx + n, false };
	gofer_get_head(d, &r);
	if (d->bad || r.op != h->op || r.seq != h->seq) {
		conn_broken(c, "reply out of order");
		return -LX_EIO;
	}
	if (r.err)
		return guest_error(r.err);
	return fds->lost ? -LX_ENFILE : 0;
}

#define GREC(name, fields)
#define GMSG(num, NAME, name, req, rep)                                                     \
	static int call_once_##name(struct gofer_conn *c, const struct gofer_##name##_req *q, \
				    struct gofer_##name##_rep *p, int *fd)                  \
	{                                                                                   \
		struct gofer_head h;                                                        \
		struct gofer_enc e = { c->tx, c->tx + sizeof(c->tx), false };               \
		struct gofer_dec d;                                                         \
		int err;                                                                    \
                                                                                            \
		*fd = -1;                                                                   \
		mutex_lock(&c->mu);                                                         \
		if (c->nforget >= GOFER_FORGET_BATCH)                                       \
			flush_locked(c);                                                    \
		h = (struct gofer_head){ num, ++c->seq, 0 };                                \
		gofer_put_head(&e, &h);                                                     \
		gofer_put_##name##_req(&e, q);                                              \
		err = transact(c, &h, &e, &d, fd);                                          \
		if (!err) {                                                                 \
			gofer_get_##name##_rep(&d, p);                                      \
			if (!gofer_dec_done(&d)) {                                          \
				conn_broken(c, "malformed reply");                          \
				err = -LX_EIO;                                              \
			}                                                                   \
		}                                                                           \
		mutex_unlock(&c->mu);                                                       \
		return err;                                                                 \
	}                                                                                   \
                                                                                            \
	int gofer_call_##name(struct gofer_conn *c, const struct gofer_##name##_req *q,     \
			      struct gofer_##name##_rep *p, int *out_fd)                    \
	{                                                                                   \
		int fd, err = call_once_##name(c, q, p, &fd);                               \
                                                                                            \
		if (err == -LX_ENFILE) {                                                    \
			if (fd >= 0)                                                        \
				gofer_host_close(fd);                                       \
			gofer_relieve(c);                                                   \
			err = call_once_##name(c, q, p, &fd);                               \
		} else if ((err == -LX_ENOSPC || err == -LX_EDQUOT) && c->nforget) {        \
			gofer_forget_flush(c); /* deleted files take up room */             \
			err = call_once_##name(c, q, p, &fd);                               \
		}                                                                           \
		if (fd >= 0 && (err || !out_fd)) {                                          \
			gofer_host_close(fd);                                               \
			fd = -1;                                                            \
		}                                                                           \
		if (out_fd)                                                                 \
			*out_fd = fd;                                                       \
		return err;                                                                 \
	}
#include "gofer/proto/messages.def"
#undef GREC
#undef GMSG

int gofer_reopen_readonly(struct gofer_conn *c, int fd)
{
	struct gofer_head h = { GOFER_OP_REOPEN, 0, 0 }, r;
	struct gofer_enc e = { c->tx, c->tx + sizeof(c->tx), false };
	struct gofer_dec d;
	struct gofer_fds fds = { .n = 0 };
	int out = -1;
	long n;

	mutex_lock(&c->mu);
	h.seq = ++c->seq;
	gofer_put_head(&e, &h);
	n = c->dead ? -LX_EIO : gofer_host_send(c->sock, c->tx, (size_t)(e.p - c->tx), fd);
	if (n >= 0)
		n = gofer_host_recv(c->sock, c->rx, sizeof(c->rx), &fds);
	if (fds.n)
		out = fds.fd[--fds.n];
	gofer_host_close_all(&fds);
	d = (struct gofer_dec){ c->rx, c->rx + (n > 0 ? n : 0), false };
	gofer_get_head(&d, &r);
	if (!gofer_dec_done(&d) || r.op != h.op || r.seq != h.seq)
		conn_broken(c, "no reply to REOPEN");
	else if (out < 0)
		r.err = r.err ? r.err : -LX_ENFILE;
	mutex_unlock(&c->mu);
	if (out >= 0 && (c->dead || r.err)) {
		gofer_host_close(out);
		out = -1;
	}
	if (c->dead)
		return -LX_EIO;
	return out >= 0 ? out : guest_error(r.err);
}

void gofer_conn_open_channel(struct gofer_conn *c)
{
	struct gofer_channel_req q;
	struct gofer_channel_rep p;
	int fd, err;

	if (c->chan_tried)
		return;
	c->chan_tried = true;
	err = gofer_call_channel(c, &q, &p, &fd);
	if (!err && fd >= 0) {
		err = gofer_chan_open(fd, &c->chan);
		gofer_host_close(fd);
	}
	if (err || !c->chan)
		log_info("no channel to the gofer: error %d", -err);
}
