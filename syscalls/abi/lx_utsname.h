/* uname(2). */
#ifndef SYSCALLS_ABI_LX_UTSNAME_H
#define SYSCALLS_ABI_LX_UTSNAME_H

#define LX_UTS_LEN 64

struct lx_utsname {
	char sysname[LX_UTS_LEN + 1], nodename[LX_UTS_LEN + 1], release[LX_UTS_LEN + 1];
	char version[LX_UTS_LEN + 1], machine[LX_UTS_LEN + 1], domainname[LX_UTS_LEN + 1];
};
_Static_assert(sizeof(struct lx_utsname) == 390, "struct new_utsname");

#endif
