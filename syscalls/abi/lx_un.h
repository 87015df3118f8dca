/* Addresses of AF_UNIX (unix(7)). */
#ifndef SYSCALLS_ABI_LX_UN_H
#define SYSCALLS_ABI_LX_UN_H

#include <stdint.h>

#define LX_UNIX_PATH_MAX 108

struct lx_sockaddr_un {
	uint16_t sun_family;
	char sun_path[LX_UNIX_PATH_MAX];
};
_Static_assert(sizeof(struct lx_sockaddr_un) == 110, "struct sockaddr_un");

#endif
