/* What the stub and the sentry share: addresses, the slot, the commands.
 *
 * The slot is memory of a memfd mapped by both sides. The guest can write it at
 * any time: the sentry copies what it reads once and trusts nothing. */
#ifndef PLATFORM_UNOTIFY_STUB_H
#define PLATFORM_UNOTIFY_STUB_H

#include <stdint.h>

#define STUB_SLOT_SIZE 0x10000UL       /* header, fast calls' part, signal stack */
#define STUB_FAST_OFF 0x2000UL	       /* struct stub_fast */
#define STUB_FAST_STACK 0x4000UL       /* its stack ends here, and its buffers begin */
#define STUB_SIGSTACK_OFF 0x8000UL
#define STUB_SLOT_MASK (STUB_SLOT_SIZE - 1)
#define STUB_CHUNK_SLOTS 16UL	       /* slots of one memfd */
#define STUB_CHUNK_SIZE (STUB_SLOT_SIZE * STUB_CHUNK_SLOTS)
#define STUB_CHUNKS 2048UL	       /* chunk places in one address space */
#define STUB_CODE_SIZE 0x4000UL	       /* code and configuration */
#define STUB_STACK_SIZE 0x4000UL       /* the zygote's */
#define STUB_SLOTS_OFF 0x100000UL      /* chunk places, relative to the region */
#define STUB_REGION_SIZE (STUB_SLOTS_OFF + STUB_CHUNKS * STUB_CHUNK_SIZE)

#define STUB_CMPXCHG_NR 0x5254	       /* a command that is no call: compare and swap */
/* Likewise: of the bytes of argument 1 those of the mask 2 to the place 0; if there is an
 * argument 3, only where the 7 bytes are as it says. Without it, only after one with it. */
#define STUB_PATCH_NR 0x5255
#define STUB_MAGIC_NR 0x5253	       /* the hand-over call: no Linux call has it */
/* Not a real-time signal: those are queued, and sending one can fail for want of room. */
#define STUB_KICK_SIGNAL 23 /* SIGURG */

/* First argument of the hand-over call. */
#define STUB_HELLO 1 /* second: the token; a new thread is there */
#define STUB_TRAP 2  /* a signal arrived; see the slot */
#define STUB_BATCH 3 /* a command failed; see the slot */
#define STUB_AGAIN 4 /* the commands are done, as the slot asked to be told */
#define STUB_WAIT 5  /* a fast call's thread sleeps for the answer */

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

/* ---- fast calls (fast_host.c, stub_fast.c) ---- */

#define STUB_FAST_MAGIC 0x46415354u
#define STUB_FAST_IN 0x2000u  /* bytes of arguments that come along */
#define STUB_FAST_OUT 0x2000u /* bytes of results that go along … */
#define STUB_FAST_OUTS 8u     /* … to so many places */

enum stub_fast_state {
	STUB_FAST_IDLE,
	STUB_FAST_POSTED,  /* by the thread; it may take it back until it is … */
	STUB_FAST_TAKEN,   /* by the sentry */
	STUB_FAST_WAITING, /* the thread gave up polling: the answer comes by STUB_WAIT */
	STUB_FAST_DONE,	   /* by the sentry */
};

/* What a call brings along, by its number (stub_config.fast_kind). */
#define STUB_KIND_PATH0 1u /* a string at argument 0 */
#define STUB_KIND_PATH1 2u
#define STUB_KIND_BUF1 3u  /* argument 2 bytes at argument 1 */
#define STUB_KIND_DIRECT 0x40u /* a direct call: the others are never fast */
#define STUB_KIND_SMALL 0x80u /* not from STUB_FAST_BIG bytes on, in argument 2 */
#define STUB_FAST_BIG 0x40000u
#define STUB_KINDS 512u

/* The thread's GS base points to its slot while the guest has no use for GS. Offsets are
 * known to stub_fast.c's assembly. */
struct stub_fast {
	uint32_t magic;	/* 0 */
	uint32_t armed;	/* 4: somebody polls */
	uint32_t kick;	/* 8: the stub's: a kick came during a fast call */
	uint32_t state;	/* 12: enum stub_fast_state */
	uint64_t self;	/* 16: guest address of this */
	uint64_t nr;	/* 24 */
	uint64_t arg[6]; /* 32 */
	uint64_t site;	/* 80: see struct stub_site: slow */
	uint64_t rsp;	/* 88 */
	int64_t result;	/* 96 */
	uint64_t in_addr;
	uint32_t in_len, nout;
	uint32_t sleep;	/* by the sentry: the answer may take long */
	uint32_t pad;
	struct {
		uint64_t addr;
		uint32_t off, len; /* in the buffer that begins STUB_FAST_IN after the stack */
	} out[STUB_FAST_OUTS];
};

/* A table at a low address, so that a call site can jump through it with 7 bytes
 * (jmp *address). The guest can read and execute it. Byte 2 of all its addresses is no
 * instruction: a jump to the call instruction that is hidden below it traps. Likewise byte
 * 1 of the entries that are at xor_entry, for the byte after a call that xor precedes. */
#define STUB_SITES_ADDR 0x60000UL
#define STUB_SITES_SIZE 0x10000UL
#define STUB_XOR_SITES 32U
struct stub_site {
	uint64_t entry;	  /* the address of code */
	uint8_t code[24]; /* what is done before the call; lea slow(%rip),%rcx; jmp *stub_fast */
	uint8_t slow[8];  /* syscall; jmp *ret */
	uint64_t ret;	  /* where the call returns to: the site, or: */
	uint8_t tail[16]; /* cmp $-4096,%rax; jmp *after */
	uint64_t after;
};
struct stub_sites {
	uint64_t stub_fast; /* its address */
	uint64_t pad[0x600 / 8 - 1];
	uint64_t xor_entry[STUB_XOR_SITES]; /* for the sites with a tail, instead of entry */
	struct stub_site site[(STUB_SITES_SIZE - 0x700) / sizeof(struct stub_site)];
};
#define STUB_SITES (sizeof(((struct stub_sites *)0)->site) / sizeof(struct stub_site))

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
	uint8_t fast_kind[STUB_KINDS];
};
#define STUB_CONFIG_OFF (STUB_CODE_SIZE - 0x1000UL)

/* Request to the zygote, with two fds: the chunk's memfd, and a pipe end that the
 * child closes when its filter stands. Answer: the child's pid, or -errno. */
struct stub_spawn {
	uint64_t chunk; /* where to map it */
	uint64_t token;
};

#endif
