/* seccomp(2) and the classic BPF that it runs (linux/seccomp.h, linux/filter.h). */
#ifndef SYSCALLS_ABI_LX_SECCOMP_H
#define SYSCALLS_ABI_LX_SECCOMP_H

#include <stdint.h>

#define LX_SECCOMP_MODE_DISABLED 0
#define LX_SECCOMP_MODE_STRICT 1
#define LX_SECCOMP_MODE_FILTER 2

#define LX_SECCOMP_SET_MODE_STRICT 0
#define LX_SECCOMP_SET_MODE_FILTER 1
#define LX_SECCOMP_GET_ACTION_AVAIL 2
#define LX_SECCOMP_GET_NOTIF_SIZES 3

#define LX_SECCOMP_FILTER_FLAG_TSYNC 1u
#define LX_SECCOMP_FILTER_FLAG_LOG 2u
#define LX_SECCOMP_FILTER_FLAG_SPEC_ALLOW 4u
#define LX_SECCOMP_FILTER_FLAG_NEW_LISTENER 8u
#define LX_SECCOMP_FILTER_FLAG_TSYNC_ESRCH 16u
#define LX_SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV 32u

#define LX_SECCOMP_RET_KILL_PROCESS 0x80000000u
#define LX_SECCOMP_RET_KILL_THREAD 0x00000000u
#define LX_SECCOMP_RET_TRAP 0x00030000u
#define LX_SECCOMP_RET_ERRNO 0x00050000u
#define LX_SECCOMP_RET_USER_NOTIF 0x7fc00000u
#define LX_SECCOMP_RET_TRACE 0x7ff00000u
#define LX_SECCOMP_RET_LOG 0x7ffc0000u
#define LX_SECCOMP_RET_ALLOW 0x7fff0000u
#define LX_SECCOMP_RET_ACTION_FULL 0xffff0000u
#define LX_SECCOMP_RET_DATA 0x0000ffffu

#define LX_SECCOMP_USER_NOTIF_FLAG_CONTINUE 1u
#define LX_SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP 1u
#define LX_SECCOMP_ADDFD_FLAG_SETFD 1u
#define LX_SECCOMP_ADDFD_FLAG_SEND 2u
#define LX_SECCOMP_NOTIFY_ADDFD_SIZE_VER0 24

#define LX_SECCOMP_IOCTL_NOTIF_RECV 0xc0502100u
#define LX_SECCOMP_IOCTL_NOTIF_SEND 0xc0182101u
#define LX_SECCOMP_IOCTL_NOTIF_ID_VALID 0x40082102u
/* With the direction that early kernels' headers had. */
#define LX_SECCOMP_IOCTL_NOTIF_ID_VALID_WRONG_DIR 0x80082102u
#define LX_SECCOMP_IOCTL_NOTIF_ADDFD 0x40182103u
#define LX_SECCOMP_IOCTL_NOTIF_SET_FLAGS 0x40082104u
#define LX_IOC_SIZE_SHIFT 16
#define LX_IOC_SIZE_MASK 0x3fffu

#define LX_AUDIT_ARCH_X86_64 0xc000003eu

struct lx_seccomp_data {
	int32_t nr;
	uint32_t arch;
	uint64_t instruction_pointer;
	uint64_t args[6];
};
_Static_assert(sizeof(struct lx_seccomp_data) == 64, "struct seccomp_data");

struct lx_seccomp_notif_sizes {
	uint16_t notif, notif_resp, data;
};

struct lx_seccomp_notif {
	uint64_t id;
	uint32_t pid, flags;
	struct lx_seccomp_data data;
};
_Static_assert(sizeof(struct lx_seccomp_notif) == 80, "struct seccomp_notif");

struct lx_seccomp_notif_resp {
	uint64_t id;
	int64_t val;
	int32_t error;
	uint32_t flags;
};
_Static_assert(sizeof(struct lx_seccomp_notif_resp) == 24, "struct seccomp_notif_resp");

struct lx_seccomp_notif_addfd {
	uint64_t id;
	uint32_t flags, srcfd, newfd, newfd_flags;
};
_Static_assert(sizeof(struct lx_seccomp_notif_addfd) == 24, "struct seccomp_notif_addfd");

/* ---- classic BPF ---- */

struct lx_sock_filter {
	uint16_t code;
	uint8_t jt, jf;
	uint32_t k;
};
_Static_assert(sizeof(struct lx_sock_filter) == 8, "struct sock_filter");

struct lx_sock_fprog {
	uint16_t len;
	uint16_t pad[3];
	uint64_t filter;
};
_Static_assert(sizeof(struct lx_sock_fprog) == 16, "struct sock_fprog");

#define LX_BPF_MAXINSNS 4096
#define LX_BPF_MEMWORDS 16

#define LX_BPF_LD 0x00
#define LX_BPF_LDX 0x01
#define LX_BPF_ST 0x02
#define LX_BPF_STX 0x03
#define LX_BPF_ALU 0x04
#define LX_BPF_JMP 0x05
#define LX_BPF_RET 0x06
#define LX_BPF_MISC 0x07
#define LX_BPF_CLASS_MASK 0x07

#define LX_BPF_W 0x00
#define LX_BPF_IMM 0x00
#define LX_BPF_ABS 0x20
#define LX_BPF_MEM 0x60
#define LX_BPF_LEN 0x80

#define LX_BPF_ADD 0x00
#define LX_BPF_SUB 0x10
#define LX_BPF_MUL 0x20
#define LX_BPF_DIV 0x30
#define LX_BPF_OR 0x40
#define LX_BPF_AND 0x50
#define LX_BPF_LSH 0x60
#define LX_BPF_RSH 0x70
#define LX_BPF_NEG 0x80
#define LX_BPF_XOR 0xa0
#define LX_BPF_JA 0x00
#define LX_BPF_JEQ 0x10
#define LX_BPF_JGT 0x20
#define LX_BPF_JGE 0x30
#define LX_BPF_JSET 0x40
#define LX_BPF_OP_MASK 0xf0

#define LX_BPF_K 0x00
#define LX_BPF_X 0x08
#define LX_BPF_A 0x10
#define LX_BPF_TAX 0x00
#define LX_BPF_TXA 0x80

#endif
