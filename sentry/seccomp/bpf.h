/* Classic BPF as seccomp(2) uses it: checking, running, and what can be known of a
 * program without running it. No locks; nothing here touches guest memory. */
#ifndef SENTRY_SECCOMP_BPF_H
#define SENTRY_SECCOMP_BPF_H

#include <stdbool.h>
#include <stdint.h>

#include "syscalls/abi/lx_seccomp.h"

/* Is it a program that the kernel takes (bpf_check_classic(), seccomp_check_filter())?
 * n: 1 to LX_BPF_MAXINSNS. 0, -LX_EINVAL or -LX_ENOMEM. */
int bpf_check(const struct lx_sock_filter *prog, unsigned n);

/* How long the kernel's own translation of it is: what its limits count. */
unsigned bpf_cost(const struct lx_sock_filter *prog, unsigned n);

/* Run a checked program. It ends: every jump goes forward. */
uint32_t bpf_run(const struct lx_sock_filter *prog, const struct lx_seccomp_data *d);

/* Does it allow call nr whatever the arguments are? (seccomp_is_const_allow()) */
bool bpf_always_allows(const struct lx_sock_filter *prog, int32_t nr);

#endif
