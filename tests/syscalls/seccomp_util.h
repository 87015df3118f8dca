/* Installing filters, for the test programs about seccomp(2). */
#ifndef TESTS_SYSCALLS_SECCOMP_UTIL_H
#define TESTS_SYSCALLS_SECCOMP_UTIL_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

#define NR offsetof(struct seccomp_data, nr)
#define ARG0 offsetof(struct seccomp_data, args[0])
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static inline long seccomp(unsigned op, unsigned flags, void *arg)
{
	return syscall(SYS_seccomp, op, flags, arg);
}

static inline long install(unsigned flags, const struct sock_filter *f, size_t n)
{
	struct sock_fprog p = { .len = (unsigned short)n, .filter = (struct sock_filter *)f };

	return seccomp(SECCOMP_SET_MODE_FILTER, flags, &p);
}

/* One call gets `ret`, the others pass. */
static inline long on_call(unsigned flags, int nr, uint32_t ret)
{
	const struct sock_filter f[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, NR),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)nr, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, ret),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};

	return install(flags, f, COUNT(f));
}

#endif
