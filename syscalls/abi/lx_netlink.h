/* The part of netlink(7) and rtnetlink(7) that is let through. */
#ifndef SYSCALLS_ABI_LX_NETLINK_H
#define SYSCALLS_ABI_LX_NETLINK_H

#include <stdint.h>

#define LX_NETLINK_ROUTE 0

struct lx_sockaddr_nl {
	uint16_t nl_family;
	uint16_t nl_pad;
	uint32_t nl_pid;
	uint32_t nl_groups;
};
_Static_assert(sizeof(struct lx_sockaddr_nl) == 12, "struct sockaddr_nl");

struct lx_nlmsghdr {
	uint32_t nlmsg_len;
	uint16_t nlmsg_type;
	uint16_t nlmsg_flags;
	uint32_t nlmsg_seq;
	uint32_t nlmsg_pid;
};
_Static_assert(sizeof(struct lx_nlmsghdr) == 16, "struct nlmsghdr");

#define LX_NLMSG_NOOP 1
#define LX_NLMSG_DONE 3
#define LX_RTM_GETLINK 18
#define LX_RTM_GETADDR 22
#define LX_RTM_GETROUTE 26
#define LX_RTM_GETNEIGH 30
#define LX_RTM_GETRULE 34

#define LX_NETLINK_PKTINFO 3
#define LX_NETLINK_BROADCAST_ERROR 4
#define LX_NETLINK_NO_ENOBUFS 5
#define LX_NETLINK_EXT_ACK 11
#define LX_NETLINK_GET_STRICT_CHK 12
#define LX_NETLINK_CAP_ACK 10
#define LX_NETLINK_ADD_MEMBERSHIP 1
#define LX_NETLINK_DROP_MEMBERSHIP 2

#endif
