/* What the stub and the sentry share: addresses, the slot, the commands.
 *
 * The slot is memory of a memfd mapped by both sides. The guest can write it at
 * any time: the sentry copies what it reads once and trusts nothing. */
#ifndef PLATFORM_UNOTIFY_STUB_H
#define PLATFORM_UNOTIFY_STUB_H

#include <stdint.h>

#define STUB_SLOT_SIZE 0x8000UL	       /* header page, then the signal stack */
#define STUB_SLOT_MASK (STUB_SLOT_SIZE - 1)
#define STUB_CHUNK_SLOTS 16UL	       /* slots of one memfd */
#define STUB_CHUNK_SIZE (STUB_SLOT_SIZE * STUB_CHUNK_SLOTS)
#define STUB_CHUNKS 2048UL	       /* chunk places in one address space */
#define STUB_CODE_SIZE 0x4000UL	       /* code and configuration */
#define STUB_STACK_SIZE 0x4000UL       /* the zygote's */
#define STUB_SLOTS_OFF 0x100000UL      /* chunk places, relative to the region */
#define STUB_REGION_SIZE (STUB_SLOTS_OFF + STUB_CHUNKS * STUB_CHUNK_SIZE)

#define STUB_CMPXCHG_NR 0x5254	       /* a command that is no call: compare and swap */
#define STUB_MAGIC_NR 0x5253	       /* the hand-over call: no Linux call has it */
/* Not a real-time signal: those are queued, and sending one can fail for want of room. */
#define STUB_KICK_SIGNAL 23 /* SIGURG */

/* First argument of the hand-over call. */
#define STUB_HELLO 1 /* second: the token; a new thread is there */
#define STUB_TRAP 2  /* a signal arrived; see the slot */
#define STUB_BATCH 3 /* a command failed; see the slot */
#define STUB_AGAIN 4 /* the commands are done, as the slot asked to be told */

#define STUB_MAX_CMDS 80
#define STUB_CMD_ALWAYS 0x80000000u /* run it even after a failure */
#define STUB_CMD_FD 0x40000000u	    /* its descriptor is the answer of the hand-over call */

struct stub_cmd {
	uint64_t nr;
	uint64_t a[6];
};

/* A signal frame's FPU area, written for a resume that changes it, is placed here,
 * below anything the handler's own stack reaches. */
struct stub_slot {
	/* written by the stub */
	uint64_t uc;	  /* guest address of the ucontext */
	uint64_t info;	  /* guest address of the siginfo */
	uint32_t signo;
	int32_t bad_index;
	int64_t bad_error;
	int32_t listener; /* zygote's child: the listener's fd + 1, or -errno */
	uint32_t alive;	  /* cleared by the host when the thread is gone for good */
	/* written by the sentry */
	uint32_t ncmds;
	uint32_t born; /* a fork's child: its pid, from the host when it made it */
	uint64_t token;
	uint32_t park; /* futex word: not zero: wait here before going on */
	uint32_t again;	/* report after the commands, before going on */
	uint64_t sigframe; /* STUB_HELLO's answer: stack pointer for rt_sigreturn */
	struct stub_cmd cmd[STUB_MAX_CMDS];
	/* what plat_thread_note() asked for (PLAT_NOTE_*), and the stub's notes */
	uint32_t note;
	uint32_t crowd; /* other threads will be left when this one exits */
	uint64_t cpu[2];	   /* struct timespec */
	uint64_t usage[2][18];	   /* struct rusage of process and thread */
};

#define STUB_FILTER_MAX 256

/* At the end of the code pages, filled in before they become read-only. */
struct stub_config {
	uint64_t region;
	uint64_t vdso_lo, vdso_hi; /* to be kept when the zygote empties itself */
	int32_t sock;
	uint32_t filter_flags;
	uint16_t filter_len;
	uint16_t oom_len;
	int32_t proc; /* the host's /proc: for a new stub's oom_score_adj, oom_len bytes of oom */
	char oom[8];
	uint64_t filter_ptr;
	uint64_t filter[STUB_FILTER_MAX]; /* struct sock_filter */
};
#define STUB_CONFIG_OFF (STUB_CODE_SIZE - 0x1000UL)

/* Request to the zygote, with two fds: the chunk's memfd, and a pipe end that the
 * child closes when its filter stands. Answer: the child's pid, or -errno. */
struct stub_spawn {
	uint64_t chunk; /* where to map it */
	uint64_t token;
};

#endif
