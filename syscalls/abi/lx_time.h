/* Clocks and timers as the guest sees them. */
#ifndef SYSCALLS_ABI_LX_TIME_H
#define SYSCALLS_ABI_LX_TIME_H

#include <stdint.h>

#define LX_NSEC_PER_SEC 1000000000LL
#define LX_USER_HZ 100 /* clock_t ticks per second */

struct lx_timespec {
	int64_t sec, nsec;
};
struct lx_timeval {
	int64_t sec, usec;
};
struct lx_timezone {
	int32_t minuteswest, dsttime;
};
struct lx_itimerspec {
	struct lx_timespec interval, value;
};
struct lx_itimerval {
	struct lx_timeval interval, value;
};
struct lx_tms {
	int64_t utime, stime, cutime, cstime;
};
struct lx_utimbuf {
	int64_t actime, modtime;
};
_Static_assert(sizeof(struct lx_timespec) == 16, "struct timespec");
_Static_assert(sizeof(struct lx_itimerspec) == 32, "struct itimerspec");
_Static_assert(sizeof(struct lx_tms) == 32, "struct tms");

#define LX_CLOCK_REALTIME 0
#define LX_CLOCK_MONOTONIC 1
#define LX_CLOCK_PROCESS_CPUTIME_ID 2
#define LX_CLOCK_THREAD_CPUTIME_ID 3
#define LX_CLOCK_MONOTONIC_RAW 4
#define LX_CLOCK_REALTIME_COARSE 5
#define LX_CLOCK_MONOTONIC_COARSE 6
#define LX_CLOCK_BOOTTIME 7
#define LX_CLOCK_REALTIME_ALARM 8
#define LX_CLOCK_BOOTTIME_ALARM 9
#define LX_CLOCK_TAI 11

/* Negative ids: CPU clocks of a process or thread, ~pid << 3 | thread << 2 | kind. */
#define LX_CPUCLOCK_THREAD 4
#define LX_CPUCLOCK_KIND_MASK 3
#define LX_CPUCLOCK_PROF 0
#define LX_CPUCLOCK_VIRT 1
#define LX_CPUCLOCK_SCHED 2

#define LX_TIMER_ABSTIME 1

#define LX_ITIMER_REAL 0
#define LX_ITIMER_VIRTUAL 1
#define LX_ITIMER_PROF 2

#define LX_TFD_TIMER_ABSTIME 1u
#define LX_TFD_TIMER_CANCEL_ON_SET 2u
#define LX_TFD_CLOEXEC 0x80000u
#define LX_TFD_NONBLOCK 0x800u
#define LX_TFD_IOC_SET_TICKS 0x40085400u

/* adjtimex(2) */
struct lx_timex {
	uint32_t modes, pad0;
	int64_t offset, freq, maxerror, esterror;
	int32_t status, pad1;
	int64_t constant, precision, tolerance;
	struct lx_timeval time;
	int64_t tick, ppsfreq, jitter;
	int32_t shift, pad2;
	int64_t stabil, jitcnt, calcnt, errcnt, stbcnt;
	int32_t tai, pad3[11];
};
_Static_assert(sizeof(struct lx_timex) == 208, "struct timex");
#define LX_ADJ_ADJTIME 0x8000u
#define LX_ADJ_OFFSET_SINGLESHOT 0x0001u
#define LX_ADJ_OFFSET_READONLY 0x2000u
#define LX_ADJ_OFFSET_SS_READ 0xa001u
#define LX_STA_NANO 0x2000

#define LX_UTIME_NOW 0x3fffffff
#define LX_UTIME_OMIT 0x3ffffffe

#endif
