/* poll(2) and select(2) as a guest on x86-64 sees them. */
#ifndef SYSCALLS_ABI_LX_POLL_H
#define SYSCALLS_ABI_LX_POLL_H

#include <stdint.h>

#define LX_POLLIN 0x0001u
#define LX_POLLPRI 0x0002u
#define LX_POLLOUT 0x0004u
#define LX_POLLERR 0x0008u
#define LX_POLLHUP 0x0010u
#define LX_POLLNVAL 0x0020u
#define LX_POLLRDNORM 0x0040u
#define LX_POLLRDBAND 0x0080u
#define LX_POLLWRNORM 0x0100u
#define LX_POLLWRBAND 0x0200u
#define LX_POLLMSG 0x0400u
#define LX_POLLRDHUP 0x2000u

/* What a file without a poll operation always is. */
#define LX_POLL_DEFAULT (LX_POLLIN | LX_POLLOUT | LX_POLLRDNORM | LX_POLLWRNORM)

struct lx_pollfd {
	int32_t fd;
	int16_t events;
	int16_t revents;
};
_Static_assert(sizeof(struct lx_pollfd) == 8, "struct pollfd");

/* pselect6's last argument. */
struct lx_sigset_argpack {
	uint64_t ptr;
	uint64_t size;
};
_Static_assert(sizeof(struct lx_sigset_argpack) == 16, "sigset_argpack");

#endif
