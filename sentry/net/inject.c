/* Messages that the sentry itself sends to netlink sockets of guests. */
#include <stdlib.h>
#include <string.h>

#include "sentry/net/inet_impl.h"
#include "syscalls/abi/lx_netlink.h"
#include "syscalls/abi/lx_poll.h"

#define INJECTED_MAX 256u /* about what the default receive buffer holds */

struct injected {
	struct list node;
	uint32_t len;
	uint8_t data[];
};

void sock_inject(struct socket *s, const void *data, uint32_t len)
{
	struct injected *n;
	struct hsock *h;

	if (!s || s->family != LX_AF_NETLINK)
		return;
	h = hsock_of(s);
	if (h->ninjected == INJECTED_MAX)
		return;
	n = malloc(sizeof(*n) + len);
	if (!n)
		return;
	n->len = len;
	memcpy(n->data, data, len);
	list_push_back(&h->injected, &n->node);
	h->ninjected++;
	waitq_wake(&h->q, LX_POLLIN | LX_POLLRDNORM);
}

static void drop_first(struct hsock *h)
{
	struct injected *n = list_first(&h->injected, struct injected, node);

	list_del_init(&n->node);
	h->ninjected--;
	free(n);
}

void netlink_drop_injected(struct hsock *h)
{
	while (h->ninjected)
		drop_first(h);
}

int64_t netlink_recv_injected(struct hsock *h, struct sockmsg *m)
{
	const struct injected *n = list_first(&h->injected, struct injected, node);
	const struct lx_sockaddr_nl from = { .nl_family = LX_AF_NETLINK };
	uint32_t len = n->len;
	size_t put = len < m->u->resid ? len : m->u->resid;

	if (put && uio_to_user(m->u, n->data, put) != (long)put)
		return -LX_EFAULT;
	memcpy(&m->name, &from, sizeof(from));
	m->namelen = sizeof(from);
	if (put < len)
		m->out_flags |= LX_MSG_TRUNC;
	if (!(m->flags & LX_MSG_PEEK))
		drop_first(h);
	return m->flags & LX_MSG_TRUNC ? len : (int64_t)put;
}
