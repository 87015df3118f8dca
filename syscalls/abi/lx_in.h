/* Internet addresses and the options of IP, IPv6, TCP and UDP (ip(7), tcp(7) …). */
#ifndef SYSCALLS_ABI_LX_IN_H
#define SYSCALLS_ABI_LX_IN_H

#include <stdint.h>

struct lx_sockaddr_in {
	uint16_t sin_family;
	uint16_t sin_port; /* big endian */
	uint32_t sin_addr; /* big endian */
	uint8_t pad[8];
};
_Static_assert(sizeof(struct lx_sockaddr_in) == 16, "struct sockaddr_in");

struct lx_sockaddr_in6 {
	uint16_t sin6_family;
	uint16_t sin6_port; /* big endian */
	uint32_t sin6_flowinfo;
	uint8_t sin6_addr[16];
	uint32_t sin6_scope_id;
};
_Static_assert(sizeof(struct lx_sockaddr_in6) == 28, "struct sockaddr_in6");

#define LX_IPPROTO_IP 0
#define LX_IPPROTO_ICMP 1
#define LX_IPPROTO_TCP 6
#define LX_IPPROTO_UDP 17
#define LX_IPPROTO_IPV6 41
#define LX_IPPROTO_ICMPV6 58
#define LX_IPPROTO_RAW 255

#define LX_IP_TOS 1
#define LX_IP_TTL 2
#define LX_IP_RECVOPTS 6
#define LX_IP_RETOPTS 7
#define LX_IP_PKTINFO 8
#define LX_IP_MTU_DISCOVER 10
#define LX_IP_RECVERR 11
#define LX_IP_RECVTTL 12
#define LX_IP_RECVTOS 13
#define LX_IP_MTU 14
#define LX_IP_FREEBIND 15
#define LX_IP_RECVORIGDSTADDR 20
#define LX_IP_MINTTL 21
#define LX_IP_BIND_ADDRESS_NO_PORT 24
#define LX_IP_MULTICAST_IF 32
#define LX_IP_MULTICAST_TTL 33
#define LX_IP_MULTICAST_LOOP 34
#define LX_IP_ADD_MEMBERSHIP 35
#define LX_IP_DROP_MEMBERSHIP 36
#define LX_IP_MULTICAST_ALL 49
#define LX_IP_UNICAST_IF 50
#define LX_IP_LOCAL_PORT_RANGE 51

#define LX_IPV6_ADDRFORM 1
#define LX_IPV6_CHECKSUM 7
#define LX_IPV6_UNICAST_HOPS 16
#define LX_IPV6_MULTICAST_IF 17
#define LX_IPV6_MULTICAST_HOPS 18
#define LX_IPV6_MULTICAST_LOOP 19
#define LX_IPV6_ADD_MEMBERSHIP 20
#define LX_IPV6_DROP_MEMBERSHIP 21
#define LX_IPV6_MTU_DISCOVER 23
#define LX_IPV6_MTU 24
#define LX_IPV6_RECVERR 25
#define LX_IPV6_V6ONLY 26
#define LX_IPV6_MULTICAST_ALL 29
#define LX_IPV6_AUTOFLOWLABEL 70
#define LX_IPV6_RECVPKTINFO 49
#define LX_IPV6_PKTINFO 50
#define LX_IPV6_RECVHOPLIMIT 51
#define LX_IPV6_HOPLIMIT 52
#define LX_IPV6_RECVTCLASS 66
#define LX_IPV6_TCLASS 67
#define LX_IPV6_DONTFRAG 62
#define LX_IPV6_ADDR_PREFERENCES 72
#define LX_IPV6_FREEBIND 78

#define LX_ICMP_FILTER 1   /* level SOL_RAW */
#define LX_ICMPV6_FILTER 1 /* level IPPROTO_ICMPV6 */
#define LX_SOL_RAW 255

#define LX_TCP_NODELAY 1
#define LX_TCP_MAXSEG 2
#define LX_TCP_CORK 3
#define LX_TCP_KEEPIDLE 4
#define LX_TCP_KEEPINTVL 5
#define LX_TCP_KEEPCNT 6
#define LX_TCP_SYNCNT 7
#define LX_TCP_LINGER2 8
#define LX_TCP_DEFER_ACCEPT 9
#define LX_TCP_WINDOW_CLAMP 10
#define LX_TCP_INFO 11
#define LX_TCP_QUICKACK 12
#define LX_TCP_CONGESTION 13
#define LX_TCP_USER_TIMEOUT 18
#define LX_TCP_FASTOPEN 23
#define LX_TCP_TIMESTAMP 24
#define LX_TCP_NOTSENT_LOWAT 25
#define LX_TCP_FASTOPEN_CONNECT 30
#define LX_TCP_INQ 36

#define LX_UDP_CORK 1
#define LX_UDP_SEGMENT 103
#define LX_UDP_GRO 104

#endif
