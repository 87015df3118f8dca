/* wait4(2), waitid(2) and what they report. */
#ifndef SYSCALLS_ABI_LX_WAIT_H
#define SYSCALLS_ABI_LX_WAIT_H

#include <stdint.h>

#define LX_WNOHANG 0x1u
#define LX_WUNTRACED 0x2u
#define LX_WSTOPPED LX_WUNTRACED
#define LX_WEXITED 0x4u
#define LX_WCONTINUED 0x8u
#define LX_WNOWAIT 0x1000000u
#define LX___WNOTHREAD 0x20000000u
#define LX___WALL 0x40000000u
#define LX___WCLONE 0x80000000u

#define LX_P_ALL 0
#define LX_P_PID 1
#define LX_P_PGID 2
#define LX_P_PIDFD 3

/* Wait statuses of other than exits. */
#define LX_WSTATUS_STOPPED(sig) ((sig) << 8 | 0x7f)
#define LX_WSTATUS_CONTINUED 0xffff
#define LX_WCOREFLAG 0x80

/* pidfd_open(2), pidfd_send_signal(2) */
#define LX_PIDFD_NONBLOCK 04000u
#define LX_PIDFD_THREAD 0200u
#define LX_PIDFD_SIGNAL_THREAD 1u
#define LX_PIDFD_SIGNAL_THREAD_GROUP 2u
#define LX_PIDFD_SIGNAL_PROCESS_GROUP 4u

#endif
