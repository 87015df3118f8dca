/* From a request's bytes to the operation and back to a reply's bytes. Everything here is
 * derived from messages.def. */
#include <errno.h>
#include <unistd.h>

#include "gofer/server/server_impl.h"
#include "platform/base/log.h"

#define GREC(name, fields)
#define GMSG(num, NAME, name, req, rep)                                                   \
	static int serve_##name(struct server *s, struct gofer_dec *d, struct gofer_enc *e, \
				int *out_fd)                                              \
	{                                                                                 \
		struct gofer_##name##_req q;                                              \
		struct gofer_##name##_rep p;                                              \
		int err;                                                                  \
                                                                                          \
		memset(&p, 0, sizeof(p));                                                 \
		gofer_get_##name##_req(d, &q);                                            \
		if (!gofer_dec_done(d))                                                   \
			return -EPROTO;                                                   \
		err = op_##name(s, &q, &p, out_fd);                                       \
		if (!err)                                                                 \
			gofer_put_##name##_rep(e, &p);                                    \
		return err;                                                               \
	}
#include "gofer/proto/messages.def"
#undef GREC
#undef GMSG

static int serve(struct server *s, uint32_t op, struct gofer_dec *d, struct gofer_enc *e,
		 int *out_fd)
{
	switch (op) {
#define GREC(name, fields)
#define GMSG(num, NAME, name, req, rep) \
	case num:                       \
		return serve_##name(s, d, e, out_fd);
#include "gofer/proto/messages.def"
#undef GREC
#undef GMSG
	default:
		return -EPROTO;
	}
}

int gofer_dispatch(struct server *s, size_t len, size_t *out_len, int *out_fd)
{
	struct gofer_dec d = { s->rx, s->rx + len, false };
	struct gofer_enc e = { s->tx, s->tx + sizeof(s->tx), false };
	struct gofer_head h;
	int err;

	*out_fd = -1;
	gofer_get_head(&d, &h);
	if (d.bad || h.err)
		return -EPROTO;
	gofer_put_head(&e, &h);
	err = serve(s, h.op, &d, &e, out_fd);
	if (!err && e.bad)
		err = -EMSGSIZE;
	log_debug("%s -> %d", gofer_op_name(h.op), err);
	if (h.op == GOFER_OP_FORGET)
		return 0;
	if (err) {
		if (*out_fd >= 0)
			close(*out_fd);
		*out_fd = -1;
		server_drop_more(s);
		h.err = err;
		e = (struct gofer_enc){ s->tx, s->tx + sizeof(s->tx), false };
		gofer_put_head(&e, &h);
	}
	*out_len = (size_t)(e.p - s->tx);
	return 1;
}
