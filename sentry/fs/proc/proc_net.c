/* /proc/PID/net. There is one network namespace, so all processes show the same. The
 * tables of sockets are made by looking through the open files of all processes. */
#include <stdlib.h>
#include <string.h>

#include "sentry/fs/proc/proc_impl.h"
#include "sentry/net/socket.h"
#include "syscalls/abi/lx_in.h"
#include "syscalls/abi/lx_socket.h"
#include "syscalls/abi/lx_un.h"

#define MAX_SOCKETS 65536u

/* ---- all sockets ---- */

struct found {
	struct file **files;	/* one reference each */
	unsigned count, cap;
	bool failed;
};

static void add_socket(struct found *s, struct file *f)
{
	struct file **more;

	if (s->count == s->cap && s->cap < MAX_SOCKETS) {
		unsigned cap = s->cap ? s->cap * 2 : 64;

		more = realloc(s->files, cap * sizeof(*more));
		if (more) {
			s->files = more;
			s->cap = cap;
		}
	}
	if (s->count == s->cap) {
		s->failed = s->cap < MAX_SOCKETS;
		return;
	}
	file_get(f);
	s->files[s->count++] = f;
}

static int by_ino(const void *a, const void *b)
{
	const struct file *x = *(struct file *const *)a, *y = *(struct file *const *)b;

	return x->inode->ino < y->inode->ino ? -1 : x->inode->ino > y->inode->ino;
}

static void add_of_table(struct found *s, struct fdtable *ft, int family, int type)
{
	const struct socket *sk;
	struct file *f;
	int fd;

	for (int at = 0; (fd = fdtable_next(ft, at, &f)) >= 0; at = fd + 1) {
		sk = sock_of(f);
		if (sk && sk->family == family && (!type || sk->type == type))
			add_socket(s, f);
		file_put(f);
	}
}

/* Files with sockets of a family and type (0: any), each once, in the order of inodes. */
static void find_sockets(struct kernel *k, int family, int type, struct found *s)
{
	struct tgroup *tg;
	struct task *t;
	unsigned kept = 0;
	int at = 0;

	memset(s, 0, sizeof(*s));
	while ((tg = tgroup_next(k, at)) != NULL) {
		at = tg->tgid;
		list_for_each(t, &tg->tasks, tg_link) {
			if (t->fds) {
				add_of_table(s, t->fds, family, type);
				break; /* threads share the table, as a rule */
			}
		}
		tgroup_put(tg);
	}
	if (s->count)
		qsort(s->files, s->count, sizeof(*s->files), by_ino);
	for (unsigned i = 0; i < s->count; i++) {
		if (kept && s->files[kept - 1] == s->files[i])
			file_put(s->files[i]);
		else
			s->files[kept++] = s->files[i];
	}
	s->count = kept;
}

static void drop_sockets(struct found *s)
{
	for (unsigned i = 0; i < s->count; i++)
		file_put(s->files[i]);
	free(s->files);
}

/* ---- internet sockets ---- */

struct endpoint {
	uint32_t addr[4];
	unsigned port;
};

static void endpoint_of(struct socket *s, bool peer, struct endpoint *out)
{
	struct lx_sockaddr_storage sa;
	uint8_t raw[28] = { 0 };
	uint32_t len = sizeof(sa);

	memset(out, 0, sizeof(*out));
	memset(&sa, 0, sizeof(sa));
	if (!s->ops->getname || s->ops->getname(s, peer, &sa, &len))
		return;
	/* sockaddr_in: family, port, addr; sockaddr_in6: family, port, flow, addr. */
	memcpy(raw, &sa, sizeof(raw));
	out->port = (unsigned)raw[2] << 8 | raw[3];
	if (s->family == LX_AF_INET)
		memcpy(out->addr, raw + 4, 4);
	else
		memcpy(out->addr, raw + 8, 16);
}

static void show_endpoint(struct pseudo_buf *b, const struct endpoint *e, int family)
{
	for (int i = 0; i < (family == LX_AF_INET ? 1 : 4); i++)
		pb_printf(b, "%08X", e->addr[i]);
	pb_printf(b, ":%04X", e->port);
}

/* TCP_ESTABLISHED 1 … TCP_LISTEN 10, TCP_CLOSE 7. */
static unsigned state_of(struct task *t, struct socket *s, const struct endpoint *peer)
{
	uint8_t info[104] = { 0 };
	uint32_t len = sizeof(info);

	if (s->type == LX_SOCK_STREAM && t &&
	    sock_getsockopt(t, s, LX_IPPROTO_TCP, LX_TCP_INFO, info, &len) == 0 && info[0])
		return info[0];
	return peer->port ? 1 : 7;
}

static int show_inet(struct pseudo_node *n, struct pseudo_buf *b)
{
	int family = n->e->arg & 64 ? LX_AF_INET6 : LX_AF_INET, type = (int)(n->e->arg & 15);
	bool tcp = type == LX_SOCK_STREAM;
	struct found found;

	if (family == LX_AF_INET)
		pb_printf(b, "%s local_address rem_address   st tx_queue rx_queue tr tm->when "
			     "retrnsmt   uid  timeout inode%s\n",
			  tcp ? "  sl " : "   sl ", tcp ? "" : " ref pointer drops");
	else
		pb_puts(b, "  sl  local_address                         remote_address"
			   "                        st tx_queue rx_queue tr tm->when retrnsmt"
			   "   uid  timeout inode\n");
	find_sockets(proc_kernel(n), family, type, &found);
	for (unsigned i = 0; i < found.count; i++) {
		struct socket *s = sock_of(found.files[i]);
		struct endpoint local, peer;
		unsigned state;

		endpoint_of(s, false, &local);
		endpoint_of(s, true, &peer);
		state = state_of(task_current, s, &peer);
		if (!local.port && !peer.port)
			continue; /* neither bound nor connected: in no table */
		pb_printf(b, tcp ? "%4u: " : "%5u: ", i);
		show_endpoint(b, &local, family);
		pb_puts(b, " ");
		show_endpoint(b, &peer, family);
		pb_printf(b, " %02X 00000000:00000000 00:00000000 00000000 %5u        0 %llu 1 "
			     "0000000000000000 0\n",
			  state, found.files[i]->inode->uid,
			  (unsigned long long)found.files[i]->inode->ino);
	}
	drop_sockets(&found);
	return found.failed ? -LX_ENOMEM : 0;
}

/* ---- AF_UNIX ---- */

static bool is_listening(struct task *t, struct socket *s)
{
	int32_t v = 0;
	uint32_t len = sizeof(v);

	return t && sock_getsockopt(t, s, LX_SOL_SOCKET, LX_SO_ACCEPTCONN, &v, &len) == 0 && v;
}

static void show_unix_name(struct pseudo_buf *b, struct socket *s)
{
	struct lx_sockaddr_storage sa;
	uint32_t len = sizeof(sa);
	const char *path = (const char *)&sa + 2;

	memset(&sa, 0, sizeof(sa));
	if (s->ops->getname(s, false, &sa, &len) || len <= 2 || len > sizeof(sa))
		return;
	pb_puts(b, " ");
	for (uint32_t i = 0; i < len - 2; i++) {
		if (path[i])
			pb_write(b, &path[i], 1);
		else if (path[0])
			break; /* a path ends there */
		else
			pb_puts(b, "@"); /* abstract */
	}
}

static int show_unix(struct pseudo_node *n, struct pseudo_buf *b)
{
	struct found found;

	pb_puts(b, "Num       RefCount Protocol Flags    Type St Inode Path\n");
	find_sockets(proc_kernel(n), LX_AF_UNIX, 0, &found);
	for (unsigned i = 0; i < found.count; i++) {
		struct socket *s = sock_of(found.files[i]);
		struct lx_sockaddr_storage sa;
		uint32_t len = sizeof(sa);
		bool listening = is_listening(task_current, s);
		bool connected = !listening && s->ops->getname(s, true, &sa, &len) == 0;

		pb_printf(b, "0000000000000000: 00000002 00000000 %08X %04X %02X %5llu",
			  listening ? 0x10000 : 0, (unsigned)s->type, connected ? 3 : 1,
			  (unsigned long long)found.files[i]->inode->ino);
		show_unix_name(b, s);
		pb_puts(b, "\n");
	}
	drop_sockets(&found);
	return found.failed ? -LX_ENOMEM : 0;
}

/* ---- interfaces ---- */

static int show_sockstat(struct pseudo_node *n, struct pseudo_buf *b)
{
	static const struct {
		int family, type;
	} kinds[] = { { LX_AF_INET, LX_SOCK_STREAM }, { LX_AF_INET, LX_SOCK_DGRAM },
		      { LX_AF_INET6, 0 }, { LX_AF_UNIX, 0 } };
	unsigned count[4];

	for (int i = 0; i < 4; i++) {
		struct found f;

		find_sockets(proc_kernel(n), kinds[i].family, kinds[i].type, &f);
		count[i] = f.count;
		drop_sockets(&f);
	}
	pb_printf(b, "sockets: used %u\nTCP: inuse %u orphan 0 tw 0 alloc %u mem 0\n"
		     "UDP: inuse %u mem 0\nUDPLITE: inuse 0\nRAW: inuse 0\n"
		     "FRAG: inuse 0 memory 0\n",
		  count[0] + count[1] + count[2] + count[3], count[0], count[0], count[1]);
	return 0;
}

#define TEXT(name, text) \
	PSEUDO_REG(name, 0444, .show = pseudo_show_text, .arg = PSEUDO_TEXT(text))
#define SOCK_TABLE "sk       RefCnt Type Proto  Iface R Rmem   User   Inode\n"

const struct pseudo_entry proc_net_children[] = {
	TEXT("dev", "Inter-|   Receive                                                |  Transmit\n"
	     " face |bytes    packets errs drop fifo frame compressed multicast|bytes    "
	     "packets errs drop fifo colls carrier compressed\n"
	     "    lo:       0       0    0    0    0     0          0         0        0       "
	     "0    0    0    0     0       0          0\n"),
	TEXT("route", "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\t"
	     "Window\tIRTT                                                       \n"),
	TEXT("ipv6_route", "00000000000000000000000000000001 80 "
	     "00000000000000000000000000000000 00 00000000000000000000000000000000 00000000 "
	     "00000002 00000000 80200001       lo\n"),
	TEXT("if_inet6", "00000000000000000000000000000001 01 80 10 80       lo\n"),
	TEXT("arp", "IP address       HW type     Flags       HW address            Mask     "
	     "Device\n"),
	TEXT("netlink", "sk               Eth Pid        Groups   Rmem     Wmem     Dump  "
	     "Locks    Drops    Inode\n"),
	TEXT("packet", SOCK_TABLE),
	TEXT("protocols", "protocol  size sockets  memory press maxhdr  slab module     cl co "
	     "di ac io in de sh ss gs se re sp bi br ha uh gp em\n"),
	TEXT("snmp", "Ip: Forwarding DefaultTTL InReceives\nIp: 2 64 0\n"
	     "Tcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens AttemptFails "
	     "EstabResets CurrEstab InSegs OutSegs RetransSegs InErrs OutRsts InCsumErrors\n"
	     "Tcp: 1 200 120000 -1 0 0 0 0 0 0 0 0 0 0 0\n"
	     "Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors\n"
	     "Udp: 0 0 0 0 0 0\n"),
	TEXT("netstat", "TcpExt: SyncookiesSent\nTcpExt: 0\nIpExt: InNoRoutes\nIpExt: 0\n"),
	TEXT("psched", "000003e8 00000040 000f4240 3b9aca00\n"),
	TEXT("ptype", "Type Device      Function\n"),
	PSEUDO_REG("tcp", 0444, .show = show_inet, .arg = LX_SOCK_STREAM),
	PSEUDO_REG("udp", 0444, .show = show_inet, .arg = LX_SOCK_DGRAM),
	PSEUDO_REG("raw", 0444, .show = show_inet, .arg = LX_SOCK_RAW),
	PSEUDO_REG("tcp6", 0444, .show = show_inet, .arg = 64 | LX_SOCK_STREAM),
	PSEUDO_REG("udp6", 0444, .show = show_inet, .arg = 64 | LX_SOCK_DGRAM),
	PSEUDO_REG("raw6", 0444, .show = show_inet, .arg = 64 | LX_SOCK_RAW),
	PSEUDO_REG("unix", 0444, .show = show_unix),
	PSEUDO_REG("sockstat", 0444, .show = show_sockstat),
	TEXT("sockstat6", "TCP6: inuse 0\nUDP6: inuse 0\nUDPLITE6: inuse 0\nRAW6: inuse 0\n"
	     "FRAG6: inuse 0 memory 0\n"),
	{ 0 },
};
