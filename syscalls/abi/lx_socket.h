/* Sockets as a guest on x86-64 sees them (socket(2), socket(7), recv(2)). */
#ifndef SYSCALLS_ABI_LX_SOCKET_H
#define SYSCALLS_ABI_LX_SOCKET_H

#include <stdint.h>

#define LX_AF_UNSPEC 0
#define LX_AF_UNIX 1
#define LX_AF_INET 2
#define LX_AF_INET6 10
#define LX_AF_NETLINK 16
#define LX_AF_MAX 46

#define LX_SOCK_STREAM 1
#define LX_SOCK_DGRAM 2
#define LX_SOCK_RAW 3
#define LX_SOCK_RDM 4
#define LX_SOCK_SEQPACKET 5
#define LX_SOCK_DCCP 6
#define LX_SOCK_PACKET 10
#define LX_SOCK_TYPE_MASK 0xf
#define LX_SOCK_MAX 11
#define LX_SOCK_CLOEXEC 02000000
#define LX_SOCK_NONBLOCK 04000

#define LX_SHUT_RD 0
#define LX_SHUT_WR 1
#define LX_SHUT_RDWR 2

#define LX_SOMAXCONN 4096

#define LX_SOL_SOCKET 1
#define LX_SOL_NETLINK 270

#define LX_SO_DEBUG 1
#define LX_SO_REUSEADDR 2
#define LX_SO_TYPE 3
#define LX_SO_ERROR 4
#define LX_SO_DONTROUTE 5
#define LX_SO_BROADCAST 6
#define LX_SO_SNDBUF 7
#define LX_SO_RCVBUF 8
#define LX_SO_KEEPALIVE 9
#define LX_SO_OOBINLINE 10
#define LX_SO_NO_CHECK 11
#define LX_SO_PRIORITY 12
#define LX_SO_LINGER 13
#define LX_SO_BSDCOMPAT 14
#define LX_SO_REUSEPORT 15
#define LX_SO_PASSCRED 16
#define LX_SO_PEERCRED 17
#define LX_SO_RCVLOWAT 18
#define LX_SO_SNDLOWAT 19
#define LX_SO_RCVTIMEO_OLD 20
#define LX_SO_SNDTIMEO_OLD 21
#define LX_SO_BINDTODEVICE 25
#define LX_SO_PEERNAME 28
#define LX_SO_TIMESTAMP_OLD 29
#define LX_SO_ACCEPTCONN 30
#define LX_SO_PEERSEC 31
#define LX_SO_SNDBUFFORCE 32
#define LX_SO_RCVBUFFORCE 33
#define LX_SO_PASSSEC 34
#define LX_SO_TIMESTAMPNS_OLD 35
#define LX_SO_MARK 36
#define LX_SO_TIMESTAMPING_OLD 37
#define LX_SO_PROTOCOL 38
#define LX_SO_DOMAIN 39
#define LX_SO_RXQ_OVFL 40
#define LX_SO_WIFI_STATUS 41
#define LX_SO_PEEK_OFF 42
#define LX_SO_NOFCS 43
#define LX_SO_LOCK_FILTER 44
#define LX_SO_BUSY_POLL 46
#define LX_SO_MAX_PACING_RATE 47
#define LX_SO_INCOMING_CPU 49
#define LX_SO_MEMINFO 55
#define LX_SO_COOKIE 57
#define LX_SO_PEERGROUPS 59
#define LX_SO_ZEROCOPY 60
#define LX_SO_TIMESTAMP_NEW 63
#define LX_SO_TIMESTAMPNS_NEW 64
#define LX_SO_RCVTIMEO_NEW 66
#define LX_SO_SNDTIMEO_NEW 67

#define LX_MSG_OOB 0x1u
#define LX_MSG_PEEK 0x2u
#define LX_MSG_DONTROUTE 0x4u
#define LX_MSG_CTRUNC 0x8u
#define LX_MSG_PROBE 0x10u
#define LX_MSG_TRUNC 0x20u
#define LX_MSG_DONTWAIT 0x40u
#define LX_MSG_EOR 0x80u
#define LX_MSG_WAITALL 0x100u
#define LX_MSG_CONFIRM 0x800u
#define LX_MSG_ERRQUEUE 0x2000u
#define LX_MSG_NOSIGNAL 0x4000u
#define LX_MSG_MORE 0x8000u
#define LX_MSG_WAITFORONE 0x10000u
#define LX_MSG_ZEROCOPY 0x4000000u
#define LX_MSG_FASTOPEN 0x20000000u
#define LX_MSG_CMSG_CLOEXEC 0x40000000u

#define LX_SCM_RIGHTS 1
#define LX_SCM_CREDENTIALS 2
#define LX_SCM_MAX_FD 253

#define LX_SIOCINQ 0x541b
#define LX_SIOCOUTQ 0x5411
#define LX_FIOSETOWN 0x8901
#define LX_SIOCSPGRP 0x8902
#define LX_FIOGETOWN 0x8903
#define LX_SIOCGPGRP 0x8904
#define LX_SIOCATMARK 0x8905
#define LX_SIOCGIFNAME 0x8910
#define LX_SIOCGIFCONF 0x8912
#define LX_SIOCGIFFLAGS 0x8913
#define LX_SIOCGIFADDR 0x8915
#define LX_SIOCGIFDSTADDR 0x8917
#define LX_SIOCGIFBRDADDR 0x8919
#define LX_SIOCGIFNETMASK 0x891b
#define LX_SIOCGIFMETRIC 0x891d
#define LX_SIOCGIFMTU 0x8921
#define LX_SIOCGIFHWADDR 0x8927
#define LX_SIOCGIFINDEX 0x8933
#define LX_SIOCGIFTXQLEN 0x8942
#define LX_SIOCGIFMAP 0x8970

#define LX_SOCKADDR_MAX 128 /* sizeof(struct sockaddr_storage) */

struct lx_sockaddr_storage {
	union {
		uint16_t family;
		uint8_t bytes[LX_SOCKADDR_MAX];
		uint64_t align;
	};
};
_Static_assert(sizeof(struct lx_sockaddr_storage) == 128, "struct sockaddr_storage");

struct lx_msghdr {
	uint64_t msg_name;
	int32_t msg_namelen;
	uint32_t pad0;
	uint64_t msg_iov;
	uint64_t msg_iovlen;
	uint64_t msg_control;
	uint64_t msg_controllen;
	uint32_t msg_flags;
	uint32_t pad1;
};
_Static_assert(sizeof(struct lx_msghdr) == 56, "struct msghdr");

struct lx_mmsghdr {
	struct lx_msghdr hdr;
	uint32_t msg_len;
	uint32_t pad;
};
_Static_assert(sizeof(struct lx_mmsghdr) == 64, "struct mmsghdr");

struct lx_cmsghdr {
	uint64_t cmsg_len;
	int32_t cmsg_level;
	int32_t cmsg_type;
};
_Static_assert(sizeof(struct lx_cmsghdr) == 16, "struct cmsghdr");
#define LX_CMSG_ALIGN(n) (((n) + 7) & ~7ULL)

struct lx_ucred {
	int32_t pid;
	uint32_t uid, gid;
};
_Static_assert(sizeof(struct lx_ucred) == 12, "struct ucred");

struct lx_linger {
	int32_t l_onoff, l_linger;
};

struct lx_ifconf {
	int32_t ifc_len;
	uint32_t pad;
	uint64_t ifc_buf;
};
_Static_assert(sizeof(struct lx_ifconf) == 16, "struct ifconf");
#define LX_IFREQ_SIZE 40

#endif
