/* AF_UNIX: socket options and ioctls. Options that make no difference to a local socket
 * are remembered and given back. */
#include <string.h>

#include "sentry/net/unix_impl.h"
#include "syscalls/abi/lx_cap.h"

/* Flags that are only kept, with their bit in soflags. */
static int flag_bit(int name)
{
	switch (name) {
	case LX_SO_DEBUG:
	case LX_SO_REUSEADDR:
	case LX_SO_DONTROUTE:
	case LX_SO_BROADCAST:
	case LX_SO_KEEPALIVE:
	case LX_SO_OOBINLINE:
	case LX_SO_REUSEPORT:
	case LX_SO_TIMESTAMP_OLD:
		return name;
	case LX_SO_TIMESTAMPNS_OLD:
		return 28;
	case LX_SO_RXQ_OVFL:
		return 27;
	default:
		return -1;
	}
}

static void set_buf(uint32_t *buf, int32_t v, uint32_t min)
{
	uint32_t want = (uint32_t)v > UNIX_DEF_BUF ? UNIX_DEF_BUF : (uint32_t)v;

	*buf = want * 2 < min ? min : want * 2;
}

static int set_linger(struct usock *u, const void *val, uint32_t len)
{
	if (len < sizeof(u->linger))
		return -LX_EINVAL;
	memcpy(&u->linger, val, sizeof(u->linger));
	u->linger.l_onoff = u->linger.l_onoff != 0;
	return 0;
}

int unix_setsockopt(struct task *t, struct socket *s, int level, int name, const void *val,
		    uint32_t len)
{
	struct usock *u = usock_of(s);
	int bit = flag_bit(name), err;
	int32_t v;

	if (level != LX_SOL_SOCKET)
		return -LX_EOPNOTSUPP;
	if (name == LX_SO_LINGER)
		return set_linger(u, val, len);
	err = opt_get_int(val, len, &v);
	if (err)
		return err;
	if (bit >= 0) {
		u->soflags = v ? u->soflags | 1U << bit : u->soflags & ~(1U << bit);
		return 0;
	}
	switch (name) {
	case LX_SO_SNDBUFFORCE:
	case LX_SO_RCVBUFFORCE:
		if (!task_capable(t, LX_CAP_NET_ADMIN))
			return -LX_EPERM;
		set_buf(name == LX_SO_SNDBUFFORCE ? &u->sndbuf : &u->rcvbuf, v,
			UNIX_MIN_SNDBUF);
		return 0;
	case LX_SO_SNDBUF:
		set_buf(&u->sndbuf, v, UNIX_MIN_SNDBUF);
		usock_wake_all(u, 0);
		return 0;
	case LX_SO_RCVBUF:
		set_buf(&u->rcvbuf, v, UNIX_MIN_RCVBUF);
		return 0;
	case LX_SO_PASSCRED:
		u->passcred = v != 0;
		return 0;
	case LX_SO_RCVLOWAT:
		u->rcvlowat = v < 0 ? INT32_MAX : (v == 0 ? 1 : v);
		return 0;
	case LX_SO_PRIORITY:
		if ((v < 0 || v > 6) && !task_capable(t, LX_CAP_NET_ADMIN))
			return -LX_EPERM;
		u->priority = v;
		return 0;
	case LX_SO_MARK:
		return -LX_EPERM;
	default:
		return -LX_ENOPROTOOPT;
	}
}

int unix_getsockopt(struct task *t, struct socket *s, int level, int name, void *val,
		    uint32_t *len)
{
	struct usock *u = usock_of(s);
	int bit = flag_bit(name), err;

	(void)t;
	if (level != LX_SOL_SOCKET)
		return -LX_EOPNOTSUPP;
	if (bit >= 0)
		return opt_put_int(val, len, (u->soflags >> bit) & 1);
	switch (name) {
	case LX_SO_ERROR:
		err = u->err;
		u->err = 0;
		return opt_put_int(val, len, err);
	case LX_SO_LINGER:
		return opt_put(val, len, &u->linger, sizeof(u->linger));
	case LX_SO_SNDBUF:
		return opt_put_int(val, len, (int32_t)u->sndbuf);
	case LX_SO_RCVBUF:
		return opt_put_int(val, len, (int32_t)u->rcvbuf);
	case LX_SO_PASSCRED:
		return opt_put_int(val, len, u->passcred);
	case LX_SO_PEERCRED:
		return opt_put(val, len, &u->peercred, sizeof(u->peercred));
	case LX_SO_RCVLOWAT:
		return opt_put_int(val, len, u->rcvlowat);
	case LX_SO_SNDLOWAT:
		return opt_put_int(val, len, 1);
	case LX_SO_PRIORITY:
		return opt_put_int(val, len, u->priority);
	case LX_SO_ACCEPTCONN:
		return opt_put_int(val, len, u->state == US_LISTEN);
	case LX_SO_MARK:
		return opt_put_int(val, len, 0);
	case LX_SO_PEEK_OFF:
		return opt_put_int(val, len, u->peek_off);
	default:
		return -LX_ENOPROTOOPT;
	}
}

int64_t unix_ioctl(struct task *t, struct socket *s, uint32_t cmd, uint64_t arg)
{
	const struct usock *u = usock_of(s);
	uint64_t n;
	int32_t out;

	switch (cmd) {
	case LX_SIOCOUTQ:
		n = u->wmem;
		break;
	case LX_SIOCINQ:
		if (u->state == US_LISTEN)
			return -LX_EINVAL;
		n = u->rxbytes;
		if (u->s.type == LX_SOCK_DGRAM)
			n = list_empty(&u->rxq)
				    ? 0
				    : list_first(&u->rxq, struct umsg, link)->len;
		break;
	case LX_SIOCATMARK:
		n = 0;
		break;
	default:
		return netdev_ioctl(t, -1, cmd, arg);
	}
	out = n > INT32_MAX ? INT32_MAX : (int32_t)n;
	return copy_out(t, (struct uaddr){ arg }, &out, sizeof(out));
}
