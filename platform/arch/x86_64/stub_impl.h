/* What the stub's two files share. */
#ifndef PLATFORM_ARCH_X86_64_STUB_IMPL_H
#define PLATFORM_ARCH_X86_64_STUB_IMPL_H

#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

#include "platform/unotify/stub.h"

/* Of registers in the kernel's ucontext. */
#define UC_RAX_OFF 144
#define UC_RCX_OFF 152
#define UC_RIP_OFF 168

extern char stub_base[] __attribute__((visibility("hidden")));

static inline __attribute__((always_inline)) long sys6(long nr, long a, long b, long c, long d,
							long e, long f)
{
	long ret;
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}

static inline __attribute__((always_inline)) struct stub_config *config(void)
{
	return (struct stub_config *)(void *)(stub_base + STUB_CONFIG_OFF);
}

/* A signal that came while the thread was in the code of fast calls: puts *sig and the
 * registers right. True: nothing is to be reported. */
int stub_fast_signal(int *sig, void *uc) __attribute__((visibility("hidden")));

#endif
