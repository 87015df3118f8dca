/* kcmp(2). */
#ifndef SYSCALLS_ABI_LX_KCMP_H
#define SYSCALLS_ABI_LX_KCMP_H

#define LX_KCMP_FILE 0
#define LX_KCMP_VM 1
#define LX_KCMP_FILES 2
#define LX_KCMP_FS 3
#define LX_KCMP_SIGHAND 4
#define LX_KCMP_IO 5
#define LX_KCMP_SYSVSEM 6
#define LX_KCMP_EPOLL_TFD 7
#define LX_KCMP_TYPES 8

#endif
