/*
 * Names of flags and numbers. The values are those of Linux on x86-64; a name
 * that covers several bits stands before the names of the single bits.
 */
#include <inttypes.h>
#include <stddef.h>

#include "syscalls/trace/trace_impl.h"

/* clang-format off */
static const struct named names_o_flags[] = {
	{ 64, "O_CREAT" },
	{ 128, "O_EXCL" },
	{ 256, "O_NOCTTY" },
	{ 512, "O_TRUNC" },
	{ 1024, "O_APPEND" },
	{ 2048, "O_NONBLOCK" },
	{ 0x101000, "O_SYNC" },
	{ 0x1000, "O_DSYNC" },
	{ 0x2000, "FASYNC" },
	{ 0x8000, "O_LARGEFILE" },
	{ 0x20000, "O_NOFOLLOW" },
	{ 0x40000, "O_NOATIME" },
	{ 0x80000, "O_CLOEXEC" },
	{ 0x200000, "O_PATH" },
	{ 0x410000, "O_TMPFILE" },
	{ 0x10000, "O_DIRECTORY" },
	{ 0x4000, "O_DIRECT" },
};
static const struct named names_access_mode[] = {
	{ 4, "R_OK" },
	{ 2, "W_OK" },
	{ 1, "X_OK" },
};
static const struct named names_falloc_mode[] = {
	{ 1, "FALLOC_FL_KEEP_SIZE" },
	{ 2, "FALLOC_FL_PUNCH_HOLE" },
	{ 8, "FALLOC_FL_COLLAPSE_RANGE" },
	{ 0x10, "FALLOC_FL_ZERO_RANGE" },
	{ 0x20, "FALLOC_FL_INSERT_RANGE" },
	{ 0x40, "FALLOC_FL_UNSHARE_RANGE" },
};
static const struct named names_at_flags[] = {
	{ 0x100, "AT_SYMLINK_NOFOLLOW" },
	{ 0x200, "AT_REMOVEDIR" },
	{ 0x400, "AT_SYMLINK_FOLLOW" },
	{ 0x800, "AT_NO_AUTOMOUNT" },
	{ 0x1000, "AT_EMPTY_PATH" },
	{ 0x2000, "AT_STATX_FORCE_SYNC" },
	{ 0x4000, "AT_STATX_DONT_SYNC" },
	{ 0x8000, "AT_RECURSIVE" },
};
static const struct named names_whence[] = {
	{ 0, "SEEK_SET" },
	{ 1, "SEEK_CUR" },
	{ 2, "SEEK_END" },
	{ 3, "SEEK_DATA" },
	{ 4, "SEEK_HOLE" },
};
static const struct named names_ioctl_cmd[] = {
	{ 0x5401, "TCGETS" },
	{ 0x5402, "SNDCTL_TMR_START or TCSETS" },
	{ 0x5403, "SNDCTL_TMR_STOP or TCSETSW" },
	{ 0x5404, "SNDCTL_TMR_CONTINUE or TCSETSF" },
	{ 0x5409, "TCSBRK" },
	{ 0x540a, "TCXONC" },
	{ 0x540b, "TCFLSH" },
	{ 0x540e, "TIOCSCTTY" },
	{ 0x540f, "TIOCGPGRP" },
	{ 0x5410, "TIOCSPGRP" },
	{ 0x5413, "TIOCGWINSZ" },
	{ 0x5414, "TIOCSWINSZ" },
	{ 0x541b, "FIONREAD" },
	{ 0x5421, "FIONBIO" },
	{ 0x5422, "TIOCNOTTY" },
	{ 0x5429, "TIOCGSID" },
	{ 0x80045430, "TIOCGPTN" },
	{ 0x40045431, "TIOCSPTLCK" },
	{ 0x5441, "TIOCGPTPEER" },
	{ 0x5450, "FIONCLEX" },
	{ 0x5451, "FIOCLEX" },
	{ 0x5452, "FIOASYNC" },
	{ 0x8912, "SIOCGIFCONF" },
	{ 0x8913, "SIOCGIFFLAGS" },
	{ 0x8915, "SIOCGIFADDR" },
	{ 0x891b, "SIOCGIFNETMASK" },
	{ 0x8921, "SIOCGIFMTU" },
	{ 0x8927, "SIOCGIFHWADDR" },
	{ 0x8933, "SIOCGIFINDEX" },
	{ 0x40049409, "BTRFS_IOC_CLONE or FICLONE" },
	{ 0x80086601, "FS_IOC_GETFLAGS" },
	{ 0x40086602, "FS_IOC_SETFLAGS" },
};
static const struct named names_fcntl_cmd[] = {
	{ 0, "F_DUPFD" },
	{ 1, "F_GETFD" },
	{ 2, "F_SETFD" },
	{ 3, "F_GETFL" },
	{ 4, "F_SETFL" },
	{ 5, "F_GETLK" },
	{ 6, "F_SETLK" },
	{ 7, "F_SETLKW" },
	{ 8, "F_SETOWN" },
	{ 9, "F_GETOWN" },
	{ 10, "F_SETSIG" },
	{ 11, "F_GETSIG" },
	{ 15, "F_SETOWN_EX" },
	{ 16, "F_GETOWN_EX" },
	{ 36, "F_OFD_GETLK" },
	{ 37, "F_OFD_SETLK" },
	{ 38, "F_OFD_SETLKW" },
	{ 1024, "F_SETLEASE" },
	{ 1025, "F_GETLEASE" },
	{ 1026, "F_NOTIFY" },
	{ 1027, "F_DUPFD_QUERY" },
	{ 1028, "F_CREATED_QUERY" },
	{ 1030, "F_DUPFD_CLOEXEC" },
	{ 1031, "F_SETPIPE_SZ" },
	{ 1032, "F_GETPIPE_SZ" },
	{ 1033, "F_ADD_SEALS" },
	{ 1034, "F_GET_SEALS" },
};
static const struct named names_flock_cmd[] = {
	{ 1, "LOCK_SH" },
	{ 2, "LOCK_EX" },
	{ 4, "LOCK_NB" },
	{ 8, "LOCK_UN" },
};
static const struct named names_fadvice[] = {
	{ 0, "POSIX_FADV_NORMAL" },
	{ 1, "POSIX_FADV_RANDOM" },
	{ 2, "POSIX_FADV_SEQUENTIAL" },
	{ 3, "POSIX_FADV_WILLNEED" },
	{ 4, "POSIX_FADV_DONTNEED" },
	{ 5, "POSIX_FADV_NOREUSE" },
};
static const struct named names_xattr_flags[] = {
	{ 1, "XATTR_CREATE" },
	{ 2, "XATTR_REPLACE" },
};
static const struct named names_rename_flags[] = {
	{ 1, "RENAME_NOREPLACE" },
	{ 2, "RENAME_EXCHANGE" },
	{ 4, "RENAME_WHITEOUT" },
};
static const struct named names_statx_mask[] = {
	{ 0x7ff, "STATX_BASIC_STATS" },
	{ 1, "STATX_TYPE" },
	{ 2, "STATX_MODE" },
	{ 4, "STATX_NLINK" },
	{ 8, "STATX_UID" },
	{ 0x10, "STATX_GID" },
	{ 0x20, "STATX_ATIME" },
	{ 0x40, "STATX_MTIME" },
	{ 0x80, "STATX_CTIME" },
	{ 0x100, "STATX_INO" },
	{ 0x200, "STATX_SIZE" },
	{ 0x400, "STATX_BLOCKS" },
	{ 0x800, "STATX_BTIME" },
	{ 0x1000, "STATX_MNT_ID" },
	{ 0x2000, "STATX_DIOALIGN" },
	{ 0x4000, "STATX_MNT_ID_UNIQUE" },
	{ 0x8000, "STATX_SUBVOL" },
};
static const struct named names_splice_flags[] = {
	{ 1, "SPLICE_F_MOVE" },
	{ 2, "SPLICE_F_NONBLOCK" },
	{ 4, "SPLICE_F_MORE" },
	{ 8, "SPLICE_F_GIFT" },
};
static const struct named names_sync_range_flags[] = {
	{ 1, "SYNC_FILE_RANGE_WAIT_BEFORE" },
	{ 2, "SYNC_FILE_RANGE_WRITE" },
	{ 4, "SYNC_FILE_RANGE_WAIT_AFTER" },
};
static const struct named names_rwf_flags[] = {
	{ 1, "RWF_HIPRI" },
	{ 2, "RWF_DSYNC" },
	{ 4, "RWF_SYNC" },
	{ 8, "RWF_NOWAIT" },
	{ 0x10, "RWF_APPEND" },
	{ 0x20, "RWF_NOAPPEND" },
	{ 0x40, "RWF_ATOMIC" },
	{ 0x80, "RWF_DONTCACHE" },
};
static const struct named names_close_range_flags[] = {
	{ 2, "CLOSE_RANGE_UNSHARE" },
	{ 4, "CLOSE_RANGE_CLOEXEC" },
};
static const struct named names_mount_flags[] = {
	{ 1, "MS_RDONLY" },
	{ 2, "MS_NOSUID" },
	{ 4, "MS_NODEV" },
	{ 8, "MS_NOEXEC" },
	{ 0x10, "MS_SYNCHRONOUS" },
	{ 0x20, "MS_REMOUNT" },
	{ 0x40, "MS_MANDLOCK" },
	{ 0x80, "MS_DIRSYNC" },
	{ 0x100, "MS_NOSYMFOLLOW" },
	{ 0x400, "MS_NOATIME" },
	{ 0x800, "MS_NODIRATIME" },
	{ 0x1000, "MS_BIND" },
	{ 0x2000, "MS_MOVE" },
	{ 0x4000, "MS_REC" },
	{ 0x8000, "MS_SILENT" },
	{ 0x20000, "MS_UNBINDABLE" },
	{ 0x40000, "MS_PRIVATE" },
	{ 0x80000, "MS_SLAVE" },
	{ 0x100000, "MS_SHARED" },
	{ 0x200000, "MS_RELATIME" },
	{ 0x1000000, "MS_STRICTATIME" },
	{ 0x2000000, "MS_LAZYTIME" },
};
static const struct named names_umount_flags[] = {
	{ 1, "MNT_FORCE" },
	{ 2, "MNT_DETACH" },
	{ 4, "MNT_EXPIRE" },
	{ 8, "UMOUNT_NOFOLLOW" },
};
static const struct named names_in_flags[] = {
	{ 0x800, "IN_NONBLOCK" },
	{ 0x80000, "IN_CLOEXEC" },
};
static const struct named names_in_mask[] = {
	{ 0xfff, "IN_ALL_EVENTS" },
	{ 1, "IN_ACCESS" },
	{ 2, "IN_MODIFY" },
	{ 4, "IN_ATTRIB" },
	{ 8, "IN_CLOSE_WRITE" },
	{ 0x10, "IN_CLOSE_NOWRITE" },
	{ 0x20, "IN_OPEN" },
	{ 0x40, "IN_MOVED_FROM" },
	{ 0x80, "IN_MOVED_TO" },
	{ 0x100, "IN_CREATE" },
	{ 0x200, "IN_DELETE" },
	{ 0x400, "IN_DELETE_SELF" },
	{ 0x800, "IN_MOVE_SELF" },
	{ 0x1000000, "IN_ONLYDIR" },
	{ 0x2000000, "IN_DONT_FOLLOW" },
	{ 0x4000000, "IN_EXCL_UNLINK" },
	{ 0x10000000, "IN_MASK_CREATE" },
	{ 0x20000000, "IN_MASK_ADD" },
	{ 0x40000000, "IN_ISDIR" },
	{ 0x80000000, "IN_ONESHOT" },
};
static const struct named names_efd_flags[] = {
	{ 1, "EFD_SEMAPHORE" },
	{ 0x80000, "EFD_CLOEXEC" },
	{ 0x800, "EFD_NONBLOCK" },
};
static const struct named names_sfd_flags[] = {
	{ 0x80000, "SFD_CLOEXEC" },
	{ 0x800, "SFD_NONBLOCK" },
};
static const struct named names_tfd_flags[] = {
	{ 1, "TFD_TIMER_ABSTIME" },
	{ 2, "TFD_TIMER_CANCEL_ON_SET" },
	{ 0x80000, "TFD_CLOEXEC" },
	{ 0x800, "TFD_NONBLOCK" },
};
static const struct named names_tfd_settime_flags[] = {
	{ 1, "TFD_TIMER_ABSTIME" },
	{ 2, "TFD_TIMER_CANCEL_ON_SET" },
};
static const struct named names_epoll_flags[] = {
	{ 0x80000, "EPOLL_CLOEXEC" },
};
static const struct named names_epoll_op[] = {
	{ 1, "EPOLL_CTL_ADD" },
	{ 2, "EPOLL_CTL_DEL" },
	{ 3, "EPOLL_CTL_MOD" },
};
static const struct named names_memfd_flags[] = {
	{ 1, "MFD_CLOEXEC" },
	{ 2, "MFD_ALLOW_SEALING" },
	{ 4, "MFD_HUGETLB" },
	{ 8, "MFD_NOEXEC_SEAL" },
	{ 0x10, "MFD_EXEC" },
};
static const struct named names_prot[] = {
	{ 1, "PROT_READ" },
	{ 2, "PROT_WRITE" },
	{ 4, "PROT_EXEC" },
	{ 8, "PROT_SEM" },
	{ 0x1000000, "PROT_GROWSDOWN" },
	{ 0x2000000, "PROT_GROWSUP" },
};
static const struct named names_map_flags[] = {
	{ 0x10, "MAP_FIXED" },
	{ 0x20, "MAP_ANONYMOUS" },
	{ 0x40, "MAP_32BIT" },
	{ 0x100, "MAP_GROWSDOWN" },
	{ 0x800, "MAP_DENYWRITE" },
	{ 0x1000, "MAP_EXECUTABLE" },
	{ 0x2000, "MAP_LOCKED" },
	{ 0x4000, "MAP_NORESERVE" },
	{ 0x8000, "MAP_POPULATE" },
	{ 0x10000, "MAP_NONBLOCK" },
	{ 0x20000, "MAP_STACK" },
	{ 0x40000, "MAP_HUGETLB" },
	{ 0x80000, "MAP_SYNC" },
	{ 0x100000, "MAP_FIXED_NOREPLACE" },
};
static const struct named names_mremap_flags[] = {
	{ 1, "MREMAP_MAYMOVE" },
	{ 2, "MREMAP_FIXED" },
	{ 4, "MREMAP_DONTUNMAP" },
};
static const struct named names_msync_flags[] = {
	{ 1, "MS_ASYNC" },
	{ 2, "MS_INVALIDATE" },
	{ 4, "MS_SYNC" },
};
static const struct named names_madvice[] = {
	{ 0, "MADV_NORMAL" },
	{ 1, "MADV_RANDOM" },
	{ 2, "MADV_SEQUENTIAL" },
	{ 3, "MADV_WILLNEED" },
	{ 4, "MADV_DONTNEED" },
	{ 8, "MADV_FREE" },
	{ 9, "MADV_REMOVE" },
	{ 10, "MADV_DONTFORK" },
	{ 11, "MADV_DOFORK" },
	{ 12, "MADV_MERGEABLE" },
	{ 13, "MADV_UNMERGEABLE" },
	{ 14, "MADV_HUGEPAGE" },
	{ 15, "MADV_NOHUGEPAGE" },
	{ 16, "MADV_DONTDUMP" },
	{ 17, "MADV_DODUMP" },
	{ 18, "MADV_WIPEONFORK" },
	{ 19, "MADV_KEEPONFORK" },
	{ 20, "MADV_COLD" },
	{ 21, "MADV_PAGEOUT" },
	{ 22, "MADV_POPULATE_READ" },
	{ 23, "MADV_POPULATE_WRITE" },
	{ 24, "MADV_DONTNEED_LOCKED" },
	{ 25, "MADV_COLLAPSE" },
	{ 102, "MADV_GUARD_INSTALL" },
	{ 103, "MADV_GUARD_REMOVE" },
};
static const struct named names_mlock_flags[] = {
	{ 1, "MLOCK_ONFAULT" },
};
static const struct named names_mlockall_flags[] = {
	{ 1, "MCL_CURRENT" },
	{ 2, "MCL_FUTURE" },
	{ 4, "MCL_ONFAULT" },
};
static const struct named names_clone_flags[] = {
	{ 0x80, "CLONE_NEWTIME" },
	{ 0x100, "CLONE_VM" },
	{ 0x200, "CLONE_FS" },
	{ 0x400, "CLONE_FILES" },
	{ 0x800, "CLONE_SIGHAND" },
	{ 0x1000, "CLONE_PIDFD" },
	{ 0x2000, "CLONE_PTRACE" },
	{ 0x4000, "CLONE_VFORK" },
	{ 0x8000, "CLONE_PARENT" },
	{ 0x10000, "CLONE_THREAD" },
	{ 0x20000, "CLONE_NEWNS" },
	{ 0x40000, "CLONE_SYSVSEM" },
	{ 0x80000, "CLONE_SETTLS" },
	{ 0x100000, "CLONE_PARENT_SETTID" },
	{ 0x200000, "CLONE_CHILD_CLEARTID" },
	{ 0x400000, "CLONE_DETACHED" },
	{ 0x800000, "CLONE_UNTRACED" },
	{ 0x1000000, "CLONE_CHILD_SETTID" },
	{ 0x2000000, "CLONE_NEWCGROUP" },
	{ 0x4000000, "CLONE_NEWUTS" },
	{ 0x8000000, "CLONE_NEWIPC" },
	{ 0x10000000, "CLONE_NEWUSER" },
	{ 0x20000000, "CLONE_NEWPID" },
	{ 0x40000000, "CLONE_NEWNET" },
	{ 0x80000000, "CLONE_IO" },
	{ 0x100000000, "CLONE_CLEAR_SIGHAND" },
	{ 0x200000000, "CLONE_INTO_CGROUP" },
};
static const struct named names_sig_how[] = {
	{ 0, "SIG_BLOCK" },
	{ 1, "SIG_UNBLOCK" },
	{ 2, "SIG_SETMASK" },
};
static const struct named names_wait_options[] = {
	{ 1, "WNOHANG" },
	{ 2, "WSTOPPED" },
	{ 4, "WEXITED" },
	{ 8, "WCONTINUED" },
	{ 0x1000000, "WNOWAIT" },
	{ 0x20000000, "__WNOTHREAD" },
	{ 0x40000000, "__WALL" },
	{ 0x80000000, "__WCLONE" },
};
static const struct named names_wait_which[] = {
	{ 0, "P_ALL" },
	{ 1, "P_PID" },
	{ 2, "P_PGID" },
	{ 3, "P_PIDFD" },
};
static const struct named names_itimer_which[] = {
	{ 0, "ITIMER_REAL" },
	{ 1, "ITIMER_VIRTUAL" },
	{ 2, "ITIMER_PROF" },
};
static const struct named names_clockid[] = {
	{ 0, "CLOCK_REALTIME" },
	{ 1, "CLOCK_MONOTONIC" },
	{ 2, "CLOCK_PROCESS_CPUTIME_ID" },
	{ 3, "CLOCK_THREAD_CPUTIME_ID" },
	{ 4, "CLOCK_MONOTONIC_RAW" },
	{ 5, "CLOCK_REALTIME_COARSE" },
	{ 6, "CLOCK_MONOTONIC_COARSE" },
	{ 7, "CLOCK_BOOTTIME" },
	{ 8, "CLOCK_REALTIME_ALARM" },
	{ 9, "CLOCK_BOOTTIME_ALARM" },
	{ 11, "CLOCK_TAI" },
};
static const struct named names_timer_flags[] = {
	{ 1, "TIMER_ABSTIME" },
};
static const struct named names_futex_op[] = {
	{ 0, "FUTEX_WAIT" },
	{ 1, "FUTEX_WAKE" },
	{ 2, "FUTEX_FD" },
	{ 3, "FUTEX_REQUEUE" },
	{ 4, "FUTEX_CMP_REQUEUE" },
	{ 5, "FUTEX_WAKE_OP" },
	{ 6, "FUTEX_LOCK_PI" },
	{ 7, "FUTEX_UNLOCK_PI" },
	{ 8, "FUTEX_TRYLOCK_PI" },
	{ 9, "FUTEX_WAIT_BITSET" },
	{ 10, "FUTEX_WAKE_BITSET" },
	{ 11, "FUTEX_WAIT_REQUEUE_PI" },
	{ 12, "FUTEX_CMP_REQUEUE_PI" },
	{ 13, "FUTEX_LOCK_PI2" },
};
static const struct named names_futex2_flags[] = {
	{ 2, "FUTEX2_SIZE_U32" },
	{ 1, "FUTEX2_SIZE_U16" },
	{ 4, "FUTEX2_NUMA" },
	{ 8, "FUTEX2_MPOL" },
	{ 0x80, "FUTEX2_PRIVATE" },
};
static const struct named names_rlimit_resource[] = {
	{ 0, "RLIMIT_CPU" },
	{ 1, "RLIMIT_FSIZE" },
	{ 2, "RLIMIT_DATA" },
	{ 3, "RLIMIT_STACK" },
	{ 4, "RLIMIT_CORE" },
	{ 5, "RLIMIT_RSS" },
	{ 6, "RLIMIT_NPROC" },
	{ 7, "RLIMIT_NOFILE" },
	{ 8, "RLIMIT_MEMLOCK" },
	{ 9, "RLIMIT_AS" },
	{ 10, "RLIMIT_LOCKS" },
	{ 11, "RLIMIT_SIGPENDING" },
	{ 12, "RLIMIT_MSGQUEUE" },
	{ 13, "RLIMIT_NICE" },
	{ 14, "RLIMIT_RTPRIO" },
	{ 15, "RLIMIT_RTTIME" },
};
static const struct named names_rusage_who[] = {
	{ 0, "RUSAGE_SELF" },
	{ UINT32_MAX, "RUSAGE_CHILDREN" },
	{ 1, "RUSAGE_THREAD" },
};
static const struct named names_prio_which[] = {
	{ 0, "PRIO_PROCESS" },
	{ 1, "PRIO_PGRP" },
	{ 2, "PRIO_USER" },
};
static const struct named names_sched_policy[] = {
	{ 0, "SCHED_OTHER" },
	{ 1, "SCHED_FIFO" },
	{ 2, "SCHED_RR" },
	{ 3, "SCHED_BATCH" },
	{ 5, "SCHED_IDLE" },
	{ 6, "SCHED_DEADLINE" },
	{ 7, "SCHED_EXT" },
};
static const struct named names_prctl_option[] = {
	{ 1, "PR_SET_PDEATHSIG" },
	{ 2, "PR_GET_PDEATHSIG" },
	{ 3, "PR_GET_DUMPABLE" },
	{ 4, "PR_SET_DUMPABLE" },
	{ 5, "PR_GET_UNALIGN" },
	{ 6, "PR_SET_UNALIGN" },
	{ 7, "PR_GET_KEEPCAPS" },
	{ 8, "PR_SET_KEEPCAPS" },
	{ 9, "PR_GET_FPEMU" },
	{ 10, "PR_SET_FPEMU" },
	{ 11, "PR_GET_FPEXC" },
	{ 12, "PR_SET_FPEXC" },
	{ 13, "PR_GET_TIMING" },
	{ 14, "PR_SET_TIMING" },
	{ 15, "PR_SET_NAME" },
	{ 16, "PR_GET_NAME" },
	{ 19, "PR_GET_ENDIAN" },
	{ 20, "PR_SET_ENDIAN" },
	{ 21, "PR_GET_SECCOMP" },
	{ 22, "PR_SET_SECCOMP" },
	{ 23, "PR_CAPBSET_READ" },
	{ 24, "PR_CAPBSET_DROP" },
	{ 25, "PR_GET_TSC" },
	{ 26, "PR_SET_TSC" },
	{ 27, "PR_GET_SECUREBITS" },
	{ 28, "PR_SET_SECUREBITS" },
	{ 29, "PR_SET_TIMERSLACK" },
	{ 30, "PR_GET_TIMERSLACK" },
	{ 31, "PR_TASK_PERF_EVENTS_DISABLE" },
	{ 32, "PR_TASK_PERF_EVENTS_ENABLE" },
	{ 33, "PR_MCE_KILL" },
	{ 34, "PR_MCE_KILL_GET" },
	{ 35, "PR_SET_MM" },
	{ 36, "PR_SET_CHILD_SUBREAPER" },
	{ 37, "PR_GET_CHILD_SUBREAPER" },
	{ 38, "PR_SET_NO_NEW_PRIVS" },
	{ 39, "PR_GET_NO_NEW_PRIVS" },
	{ 40, "PR_GET_TID_ADDRESS" },
	{ 41, "PR_SET_THP_DISABLE" },
	{ 42, "PR_GET_THP_DISABLE" },
	{ 43, "PR_MPX_ENABLE_MANAGEMENT" },
	{ 44, "PR_MPX_DISABLE_MANAGEMENT" },
	{ 45, "PR_SET_FP_MODE" },
	{ 46, "PR_GET_FP_MODE" },
	{ 47, "PR_CAP_AMBIENT" },
	{ 50, "PR_SVE_SET_VL" },
	{ 51, "PR_SVE_GET_VL" },
	{ 52, "PR_GET_SPECULATION_CTRL" },
	{ 53, "PR_SET_SPECULATION_CTRL" },
	{ 54, "PR_PAC_RESET_KEYS" },
	{ 55, "PR_SET_TAGGED_ADDR_CTRL" },
	{ 56, "PR_GET_TAGGED_ADDR_CTRL" },
	{ 57, "PR_SET_IO_FLUSHER" },
	{ 58, "PR_GET_IO_FLUSHER" },
	{ 59, "PR_SET_SYSCALL_USER_DISPATCH" },
	{ 60, "PR_PAC_SET_ENABLED_KEYS" },
	{ 61, "PR_PAC_GET_ENABLED_KEYS" },
	{ 62, "PR_SCHED_CORE" },
	{ 65, "PR_SET_MDWE" },
	{ 66, "PR_GET_MDWE" },
	{ 67, "PR_SET_MEMORY_MERGE" },
	{ 68, "PR_GET_MEMORY_MERGE" },
	{ 0x53564d41, "PR_SET_VMA" },
	{ 0x59616d61, "PR_SET_PTRACER" },
};
static const struct named names_arch_prctl_option[] = {
	{ 0x1001, "ARCH_SET_GS" },
	{ 0x1002, "ARCH_SET_FS" },
	{ 0x1003, "ARCH_GET_FS" },
	{ 0x1004, "ARCH_GET_GS" },
	{ 0x1011, "ARCH_GET_CPUID" },
	{ 0x1012, "ARCH_SET_CPUID" },
	{ 0x1021, "ARCH_GET_XCOMP_SUPP" },
	{ 0x1022, "ARCH_GET_XCOMP_PERM" },
	{ 0x1023, "ARCH_REQ_XCOMP_PERM" },
	{ 0x3001, "ARCH_CET_STATUS" },
	{ 0x5005, "ARCH_SHSTK_STATUS" },
};
static const struct named names_personality[] = {
	{ 0, "PER_LINUX" },
	{ 0x40000, "PER_LINUX|ADDR_NO_RANDOMIZE" },
	{ 0xffffffff, "PER_QUERY" },
};
static const struct named names_pidfd_flags[] = {
	{ 0x80, "PIDFD_THREAD" },
	{ 0x800, "PIDFD_NONBLOCK" },
};
static const struct named names_membarrier_cmd[] = {
	{ 0, "MEMBARRIER_CMD_QUERY" },
	{ 1, "MEMBARRIER_CMD_GLOBAL" },
	{ 2, "MEMBARRIER_CMD_GLOBAL_EXPEDITED" },
	{ 4, "MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED" },
	{ 8, "MEMBARRIER_CMD_PRIVATE_EXPEDITED" },
	{ 16, "MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED" },
	{ 32, "MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE" },
	{ 64, "MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE" },
};
static const struct named names_grnd_flags[] = {
	{ 1, "GRND_NONBLOCK" },
	{ 2, "GRND_RANDOM" },
	{ 4, "GRND_INSECURE" },
};
static const struct named names_sock_family[] = {
	{ 0, "AF_UNSPEC" },
	{ 1, "AF_UNIX" },
	{ 2, "AF_INET" },
	{ 10, "AF_INET6" },
	{ 16, "AF_NETLINK" },
	{ 17, "AF_PACKET" },
	{ 38, "AF_ALG" },
	{ 40, "AF_VSOCK" },
};
static const struct named names_sock_flags[] = {
	{ 0x80000, "SOCK_CLOEXEC" },
	{ 0x800, "SOCK_NONBLOCK" },
};
static const struct named names_sock_type[] = {
	{ 1, "SOCK_STREAM" },
	{ 2, "SOCK_DGRAM" },
	{ 3, "SOCK_RAW" },
	{ 4, "SOCK_RDM" },
	{ 5, "SOCK_SEQPACKET" },
	{ 10, "SOCK_PACKET" },
};
static const struct named names_sock_level[] = {
	{ 0, "SOL_IP" },
	{ 1, "SOL_SOCKET" },
	{ 6, "SOL_TCP" },
	{ 17, "SOL_UDP" },
	{ 41, "SOL_IPV6" },
	{ 255, "SOL_RAW" },
	{ 263, "SOL_PACKET" },
	{ 270, "SOL_NETLINK" },
};
static const struct named names_shut_how[] = {
	{ 0, "SHUT_RD" },
	{ 1, "SHUT_WR" },
	{ 2, "SHUT_RDWR" },
};
static const struct named names_msg_flags[] = {
	{ 1, "MSG_OOB" },
	{ 2, "MSG_PEEK" },
	{ 4, "MSG_DONTROUTE" },
	{ 8, "MSG_CTRUNC" },
	{ 0x20, "MSG_TRUNC" },
	{ 0x40, "MSG_DONTWAIT" },
	{ 0x80, "MSG_EOR" },
	{ 0x100, "MSG_WAITALL" },
	{ 0x800, "MSG_CONFIRM" },
	{ 0x2000, "MSG_ERRQUEUE" },
	{ 0x4000, "MSG_NOSIGNAL" },
	{ 0x8000, "MSG_MORE" },
	{ 0x10000, "MSG_WAITFORONE" },
	{ 0x4000000, "MSG_ZEROCOPY" },
	{ 0x20000000, "MSG_FASTOPEN" },
	{ 0x40000000, "MSG_CMSG_CLOEXEC" },
};
static const struct named names_shmat_flags[] = {
	{ 0x1000, "SHM_RDONLY" },
	{ 0x2000, "SHM_RND" },
	{ 0x4000, "SHM_REMAP" },
	{ 0x8000, "SHM_EXEC" },
};
static const struct named names_ipc_cmd[] = {
	{ 0, "IPC_RMID" },
	{ 1, "IPC_SET" },
	{ 2, "IPC_STAT" },
	{ 3, "IPC_INFO" },
	{ 11, "SHM_LOCK" },
	{ 12, "SHM_UNLOCK" },
	{ 13, "SHM_STAT" },
	{ 14, "SHM_INFO" },
};
/* clang-format on */

static const char *const signals[] = {
	NULL,	   "SIGHUP",  "SIGINT",	   "SIGQUIT",	"SIGILL",    "SIGTRAP", "SIGABRT",
	"SIGBUS",  "SIGFPE",  "SIGKILL",   "SIGUSR1",	"SIGSEGV",   "SIGUSR2", "SIGPIPE",
	"SIGALRM", "SIGTERM", "SIGSTKFLT", "SIGCHLD",	"SIGCONT",   "SIGSTOP", "SIGTSTP",
	"SIGTTIN", "SIGTTOU", "SIGURG",	   "SIGXCPU",	"SIGXFSZ",   "SIGVTALRM", "SIGPROF",
	"SIGWINCH", "SIGIO",  "SIGPWR",	   "SIGSYS",	"SIGRTMIN",
};

struct symbols {
	const struct named *names;
	size_t count;
	bool bits;
	const char *none; /* what 0 is called, or NULL */
	const char *odd;  /* said of what has no name, or NULL */
};

#define BITS(kind, zero, odd)                                                                      \
	[ARG_KIND_##kind] = { TRACE_NAMES(names_##kind), true, zero, odd }
#define ENUM(kind, odd)                                                                            \
	[ARG_KIND_##kind] = { TRACE_NAMES(names_##kind), false, NULL, odd }

static const struct symbols symbols[ARG_KIND_COUNT] = {
	BITS(o_flags, "O_RDONLY", NULL),
	BITS(access_mode, "F_OK", "?_OK"),
	BITS(falloc_mode, NULL, "FALLOC_FL_???"),
	BITS(at_flags, NULL, "AT_???"),
	ENUM(whence, "SEEK_???"),
	ENUM(ioctl_cmd, NULL),
	ENUM(fcntl_cmd, "F_???"),
	BITS(flock_cmd, NULL, "LOCK_???"),
	ENUM(fadvice, "POSIX_FADV_???"),
	BITS(xattr_flags, NULL, "XATTR_???"),
	BITS(rename_flags, NULL, "RENAME_??"),
	BITS(statx_mask, NULL, "STATX_???"),
	BITS(splice_flags, NULL, "SPLICE_F_???"),
	BITS(sync_range_flags, NULL, "SYNC_FILE_RANGE_???"),
	BITS(rwf_flags, NULL, "RWF_???"),
	BITS(close_range_flags, NULL, "CLOSE_RANGE_???"),
	BITS(mount_flags, NULL, "MS_???"),
	BITS(umount_flags, NULL, "MNT_???"),
	BITS(in_flags, NULL, "IN_???"),
	BITS(in_mask, NULL, "IN_???"),
	BITS(efd_flags, NULL, "EFD_???"),
	BITS(sfd_flags, NULL, "SFD_???"),
	BITS(tfd_flags, NULL, "TFD_???"),
	BITS(tfd_settime_flags, NULL, "TFD_???"),
	BITS(epoll_flags, NULL, "EPOLL_???"),
	ENUM(epoll_op, "EPOLL_CTL_???"),
	BITS(memfd_flags, NULL, "MFD_???"),
	BITS(prot, "PROT_NONE", "PROT_???"),
	BITS(map_flags, "MAP_FILE", "MAP_???"),
	BITS(mremap_flags, NULL, "MREMAP_???"),
	BITS(msync_flags, NULL, "MS_???"),
	ENUM(madvice, "MADV_???"),
	BITS(mlock_flags, NULL, "MLOCK_???"),
	BITS(mlockall_flags, NULL, "MCL_???"),
	BITS(clone_flags, NULL, "CLONE_???"),
	ENUM(sig_how, "SIG_???"),
	BITS(wait_options, NULL, "W???"),
	ENUM(wait_which, "P_???"),
	ENUM(itimer_which, "ITIMER_???"),
	ENUM(clockid, "CLOCK_???"),
	BITS(timer_flags, NULL, "TIMER_???"),
	ENUM(futex_op, "FUTEX_???"),
	BITS(futex2_flags, NULL, "FUTEX2_???"),
	ENUM(rlimit_resource, "RLIMIT_???"),
	ENUM(rusage_who, "RUSAGE_???"),
	ENUM(prio_which, "PRIO_???"),
	ENUM(sched_policy, "SCHED_???"),
	ENUM(prctl_option, "PR_???"),
	ENUM(arch_prctl_option, "ARCH_???"),
	ENUM(personality, "PER_???"),
	BITS(pidfd_flags, NULL, "PIDFD_???"),
	ENUM(membarrier_cmd, "MEMBARRIER_CMD_???"),
	BITS(grnd_flags, NULL, "GRND_???"),
	ENUM(sock_family, "AF_???"),
	BITS(sock_flags, NULL, "SOCK_???"),
	ENUM(sock_type, "SOCK_???"),
	ENUM(sock_level, "SOL_??"),
	ENUM(shut_how, "SHUT_???"),
	BITS(msg_flags, NULL, "MSG_???"),
	BITS(shmat_flags, NULL, "SHM_???"),
	ENUM(ipc_cmd, "IPC_???"),
};

bool trace_is_symbolic(enum arg_kind kind)
{
	return symbols[kind].names != NULL;
}

const char *trace_signal_name(unsigned sig)
{
	return sig < sizeof(signals) / sizeof(signals[0]) ? signals[sig] : NULL;
}

void trace_signal(struct trace_call *c, int sig)
{
	const char *name = sig > 0 ? trace_signal_name((unsigned)sig) : NULL;

	if (name != NULL)
		trace_puts(c, name);
	else if (sig >= 32 && sig <= 64)
		trace_printf(c, "SIGRT_%d", sig - 32);
	else
		trace_printf(c, "%d", sig);
}

bool trace_ioctl_named(uint32_t cmd)
{
	return trace_name_of(TRACE_NAMES(names_ioctl_cmd), cmd) != NULL;
}

const char *trace_name_of(const struct named *names, size_t count, uint64_t v)
{
	for (size_t i = 0; i < count; i++)
		if (names[i].value == v)
			return names[i].name;
	return NULL;
}

static void odd_value(struct trace_call *c, uint64_t v, const char *odd)
{
	trace_printf(c, "%#" PRIx64, v);
	if (odd != NULL)
		trace_printf(c, " /* %s */", odd);
}

void trace_enum(struct trace_call *c, const struct named *names, size_t count, uint64_t v,
		const char *odd)
{
	const char *name = trace_name_of(names, count, v);

	if (name != NULL)
		trace_puts(c, name);
	else if (v == 0)
		trace_puts(c, "0");
	else
		odd_value(c, v, odd);
}

void trace_bits(struct trace_call *c, const struct named *names, size_t count, uint64_t v,
		const char *none, const char *odd)
{
	const char *sep = "";

	if (v == 0) {
		trace_puts(c, none != NULL ? none : "0");
		return;
	}
	for (size_t i = 0; i < count && v != 0; i++) {
		if ((v & names[i].value) != names[i].value)
			continue;
		trace_printf(c, "%s%s", sep, names[i].name);
		v &= ~names[i].value;
		sep = "|";
	}
	if (v != 0 && *sep != '\0')
		trace_printf(c, "|%#" PRIx64, v);
	else if (v != 0)
		odd_value(c, v, odd);
}

/* A number with flags above it: a socket's type, a file's access mode. */
static void mixed(struct trace_call *c, enum arg_kind kind, uint64_t low, uint64_t high)
{
	const struct symbols *s = &symbols[kind];
	const struct symbols *flags = &symbols[ARG_KIND_sock_flags];

	trace_enum(c, s->names, s->count, low, s->odd);
	if (high != 0) {
		trace_puts(c, "|");
		trace_bits(c, flags->names, flags->count, high, NULL, s->odd);
	}
}

void trace_open_bits(struct trace_call *c, uint64_t v)
{
	trace_bits(c, TRACE_NAMES(names_o_flags), v, NULL, NULL);
}

static void open_flags(struct trace_call *c, uint64_t v)
{
	static const char *const modes[4] = { "O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE" };

	trace_puts(c, modes[v & 3]);
	v &= ~UINT64_C(3);
	if (v == 0)
		return;
	trace_puts(c, "|");
	trace_bits(c, TRACE_NAMES(names_o_flags), v, NULL, NULL);
}

/* The type is a number in the low bits. */
static void map_flags(struct trace_call *c, uint64_t v)
{
	static const char *const types[4] = { "MAP_FILE", "MAP_SHARED", "MAP_PRIVATE",
					      "MAP_SHARED_VALIDATE" };

	if ((v & 0xf) < 4)
		trace_puts(c, types[v & 3]);
	else
		trace_printf(c, "%#" PRIx64 " /* MAP_??? */", v & 0xf);
	v &= ~UINT64_C(0xf);
	if (v >> 26 & 0x3f && v & 0x40000) {
		unsigned shift = (unsigned)(v >> 26 & 0x3f);

		v &= ~(UINT64_C(0x3f) << 26);
		trace_puts(c, "|");
		trace_bits(c, TRACE_NAMES(names_map_flags), v, NULL, NULL);
		trace_printf(c, "|%u<<MAP_HUGE_SHIFT", shift);
	} else if (v != 0) {
		trace_puts(c, "|");
		trace_bits(c, TRACE_NAMES(names_map_flags), v, NULL, NULL);
	}
}

void trace_symbolic(struct trace_call *c, enum arg_kind kind, uint64_t v)
{
	const struct symbols *s = &symbols[kind];

	if (arg_kind_info(kind)->class == ARG_CLASS_I32)
		v = (uint32_t)v;
	if (kind == ARG_KIND_sock_type) {
		mixed(c, kind, v & 0xf, v & 0xfffffff0);
	} else if (kind == ARG_KIND_o_flags) {
		open_flags(c, v);
	} else if (kind == ARG_KIND_map_flags) {
		map_flags(c, v);
	} else if (kind == ARG_KIND_clone_flags) {
		/* The low bits are clone's signal at exit; clone3 has none there. */
		if ((v & 0x7f) == 0 || (v & ~UINT64_C(0x7f)) != 0)
			trace_bits(c, s->names, s->count, v & ~UINT64_C(0x7f), NULL, s->odd);
		if ((v & 0x7f) != 0) {
			trace_puts(c, (v & ~UINT64_C(0x7f)) != 0 ? "|" : "");
			trace_signal(c, (int)(v & 0x7f));
		}
	} else if (s->bits) {
		trace_bits(c, s->names, s->count, v, s->none, s->odd);
	} else {
		trace_enum(c, s->names, s->count, v, s->odd);
	}
}
