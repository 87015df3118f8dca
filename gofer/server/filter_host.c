/* The gofer's seccomp filter: path and file calls, its one socket, memory, the end.
 * Anything else kills the process; the sentry sees the connection hang up. */
#include <errno.h>
#include <linux/fs.h>
#include <seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "gofer/server/server_impl.h"

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define SANITIZED 1
#endif

static const int allowed[] = {
	/* the connection and the log */
	SYS_recvmsg, SYS_sendmsg, SYS_poll, SYS_ppoll, SYS_write, SYS_close, SYS_clock_gettime,
	SYS_sched_yield,
	/* finding and opening */
	SYS_openat2, SYS_statx, SYS_newfstatat, SYS_fstat, SYS_fstatfs, SYS_readlinkat,
	SYS_getdents64, SYS_lseek,
	/* changing */
	SYS_umask, SYS_mkdirat, SYS_mknodat, SYS_symlinkat, SYS_linkat, SYS_unlinkat, SYS_renameat2,
	SYS_fchmod, SYS_fchmodat, 452 /* fchmodat2 */, SYS_fchownat, SYS_utimensat,
	SYS_ftruncate, SYS_fsync, SYS_fdatasync, SYS_syncfs,
	SYS_fgetxattr, SYS_fsetxattr, SYS_flistxattr, SYS_fremovexattr,
	463, 464, 465, 466, /* setxattrat, getxattrat, listxattrat, removexattrat */
	SYS_inotify_init1, SYS_inotify_add_watch, SYS_inotify_rm_watch, SYS_fchdir,
	/* memory and the end */
	SYS_brk, SYS_munmap, SYS_mremap, SYS_madvise, SYS_exit_group, SYS_rt_sigreturn,
	SYS_restart_syscall,
#ifdef SANITIZED
	/* the sanitizer's run-time library; only in such builds */
	SYS_sigaltstack, SYS_getpid, SYS_gettid, SYS_futex,
#endif
};

int gofer_filter_install(void)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int err = 0;

	if (!ctx)
		return -ENOMEM;
	/* A tree by call number instead of a list: each request makes several calls. */
	err = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]) && !err; i++)
		err = seccomp_rule_add_exact(ctx, SCMP_ACT_ALLOW, allowed[i], 0);
	if (!err)
		err = seccomp_rule_add_exact(ctx, SCMP_ACT_ALLOW, SYS_fcntl, 1,
					     SCMP_A1(SCMP_CMP_EQ, 1030 /* F_DUPFD_CLOEXEC */, 0));
	for (size_t i = 0; i < 2 && !err; i++)
		err = seccomp_rule_add_exact(ctx, SCMP_ACT_ALLOW, SYS_ioctl, 1,
					     SCMP_A1(SCMP_CMP_MASKED_EQ, UINT32_MAX,
						     i ? FS_IOC_SETFLAGS : FS_IOC_GETFLAGS));
	/* No new code. */
	if (!err)
		err = seccomp_rule_add_exact(ctx, SCMP_ACT_ALLOW, SYS_mmap, 1,
					     SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	if (!err)
		err = seccomp_load(ctx);
	seccomp_release(ctx);
	return err;
}
