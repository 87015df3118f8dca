/* epoll(7) and eventfd(2) as a guest on x86-64 sees them. Event bits are those of
 * lx_poll.h, and these on top. */
#ifndef SYSCALLS_ABI_LX_EPOLL_H
#define SYSCALLS_ABI_LX_EPOLL_H

#include <stdint.h>

#define LX_EPOLLEXCLUSIVE (1u << 28)
#define LX_EPOLLWAKEUP (1u << 29)
#define LX_EPOLLONESHOT (1u << 30)
#define LX_EPOLLET (1u << 31)

#define LX_EPOLL_CTL_ADD 1
#define LX_EPOLL_CTL_DEL 2
#define LX_EPOLL_CTL_MOD 3

#define LX_EPOLL_CLOEXEC 02000000u

#define LX_EFD_SEMAPHORE 1u
#define LX_EFD_CLOEXEC 02000000u
#define LX_EFD_NONBLOCK 04000u

struct __attribute__((packed)) lx_epoll_event {
	uint32_t events;
	uint64_t data;
};
_Static_assert(sizeof(struct lx_epoll_event) == 12, "struct epoll_event is packed");

#endif
