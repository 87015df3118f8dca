/* The stub's seccomp filter: raw BPF, because it looks at the instruction pointer.
 *
 *   from outside the stub's code:  every call -> SIGSYS (the stub's handler)
 *   from inside:  a few memory calls run; clone and the hand-over call go to the
 *                 sentry; all else kills the process
 *
 * The stub's code lies within one 4 GiB block, so one comparison of the upper half
 * decides for nearly all guest calls. */
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>

#include "platform/base/bug.h"
#include "platform/unotify/unotify_impl.h"

#define LD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offsetof(struct seccomp_data, field))
#define RET(v) BPF_STMT(BPF_RET | BPF_K, (v))
#define JEQ(k, t, f) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (k), (t), (f))
#define JGE(k, t, f) BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, (k), (t), (f))
#define JGT(k, t, f) BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, (k), (t), (f))

unsigned stub_filter(uint64_t base, uint64_t size, void *out, unsigned max)
{
	const uint32_t hi = (uint32_t)(base >> 32), lo = (uint32_t)base;
	const uint32_t ip_lo = (uint32_t)offsetof(struct seccomp_data, instruction_pointer);
	static const uint32_t allowed[] = { SYS_rt_sigreturn, SYS_mmap,	      SYS_munmap,
					    SYS_mprotect,     SYS_mremap,     SYS_madvise,
					    SYS_arch_prctl,   SYS_sigaltstack, SYS_close,
					    SYS_exit };
	static const uint32_t notified[] = { STUB_MAGIC_NR, SYS_clone };
	struct sock_filter f[64];
	unsigned n = 0, len;

	/* where from? */
	f[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ip_lo + 4);
	f[n++] = (struct sock_filter)JEQ(hi, 1, 0);
	f[n++] = (struct sock_filter)RET(SECCOMP_RET_TRAP);
	f[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ip_lo);
	f[n++] = (struct sock_filter)JGT(lo, 1, 0); /* the address after the instruction */
	f[n++] = (struct sock_filter)RET(SECCOMP_RET_TRAP);
	f[n++] = (struct sock_filter)JGT(lo + (uint32_t)size, 0, 1);
	f[n++] = (struct sock_filter)RET(SECCOMP_RET_TRAP);
	/* from inside */
	f[n++] = (struct sock_filter)LD(arch);
	f[n++] = (struct sock_filter)JEQ(AUDIT_ARCH_X86_64, 1, 0);
	f[n++] = (struct sock_filter)RET(SECCOMP_RET_KILL_PROCESS);
	f[n++] = (struct sock_filter)LD(nr);
	for (unsigned i = 0; i < sizeof(notified) / sizeof(notified[0]); i++) {
		f[n++] = (struct sock_filter)JEQ(notified[i], 0, 1);
		f[n++] = (struct sock_filter)RET(SECCOMP_RET_USER_NOTIF);
	}
	for (unsigned i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++) {
		f[n++] = (struct sock_filter)JEQ(allowed[i], 0, 1);
		f[n++] = (struct sock_filter)RET(SECCOMP_RET_ALLOW);
	}
	f[n++] = (struct sock_filter)RET(SECCOMP_RET_KILL_PROCESS);
	BUG_ON(n > max || n > sizeof(f) / sizeof(f[0]));
	len = n;
	memcpy(out, f, len * sizeof(f[0]));
	return len;
}
