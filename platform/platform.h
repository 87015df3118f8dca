/* The contract every platform backend meets: how guest code runs on the host.
 *
 * A guest thread is a host thread of a stub process; an address space is a stub
 * process. The platform reports traps to the kernel through plat_kernel_ops and
 * is told with plat_resume() how to go on. All of it is asynchronous: nothing
 * here waits for guest code.
 *
 * Threads and locks: kernel ops are called on worker threads of the platform
 * with no lock held. Functions marked [any] may be called from any sentry
 * thread with the kernel lock held; they never block for long (no host call of
 * theirs waits for a guest). plat_as_new() is the exception: call it without
 * the kernel lock, it may have to wait for a fork.
 *
 * Everything a stub reports is guest-controlled: values are copied out of shared
 * memory once, before the kernel sees them. */
#ifndef PLATFORM_PLATFORM_H
#define PLATFORM_PLATFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct plat;	    /* one per sentry */
struct plat_as;	    /* address space: a stub process */
struct plat_thread; /* guest thread: a host thread of a stub process */

/* General registers, in the order of the kernel's sigcontext (x86-64). */
struct plat_regs {
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
	uint64_t rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, eflags;
};

enum plat_trap_kind {
	PLAT_TRAP_SYSCALL, /* regs->rax is the number, args in rdi rsi rdx r10 r8 r9;
			    * rip is after the instruction */
	PLAT_TRAP_FAULT,   /* a synchronous host signal: signo, code, addr, err, trapno */
	PLAT_TRAP_KICK,	   /* the answer to plat_kick(), or a spurious one */
	PLAT_TRAP_STARTED, /* a new thread is there; it waits for its first resume */
	PLAT_TRAP_BATCH,   /* command `index` of the last batch failed with `error`
			    * (later ones were not run); the thread waits */
	PLAT_TRAP_DIED,	   /* the host thread is gone (stub killed from outside, or by
			    * its own doing); `signo` is the host's reason, SIGKILL
			    * when unknown. Reported exactly once per thread unless
			    * the kernel let go of it first. No resume is possible. */
};

struct plat_trap {
	enum plat_trap_kind kind;
	int signo, code;	/* FAULT: LX_SIG…, si_code; DIED: signo */
	uint64_t addr;		/* FAULT: si_addr */
	uint64_t err, trapno;	/* FAULT: hardware error code and trap number */
	int index, error;	/* BATCH: which command, -LX_E… */
	bool partial;		/* SYSCALL: a call of plat_config.direct. Of the registers
				 * only the arguments, rax and rip are there; the answer
				 * carries rax back and nothing else: no batch, no FPU
				 * state. For more, plat_kick() before plat_resume(): the
				 * KICK that follows has them all, as they are after the
				 * call, and is the thread's next trap for certain. */
};

/* Commands that a thread carries out in its own address space before it goes on.
 * They run in order and stop at the first failure. */
enum plat_cmd_op {
	PLAT_CMD_MMAP,	   /* addr, len, prot, flags (host MAP_ values), fd, off */
	PLAT_CMD_MUNMAP,   /* addr, len */
	PLAT_CMD_MPROTECT, /* addr, len, prot */
	PLAT_CMD_MREMAP,   /* old, old_len, new_len, flags, new_addr */
	PLAT_CMD_MADVISE,  /* addr, len, advice */
	PLAT_CMD_SET_FS,   /* base: arch_prctl(ARCH_SET_FS) */
	PLAT_CMD_SET_GS,   /* base */
	PLAT_CMD_CLONE,	   /* child: made by plat_thread_new() */
	PLAT_CMD_CMPXCHG,  /* addr, expected, desired: an aligned 32-bit word, atomically; fails
			    * with -EAGAIN when it differs. Must be writable: MADV_POPULATE_WRITE
			    * before it says whether it is */
	PLAT_CMD_GETCPU,   /* addresses of two 32-bit words or 0: getcpu(2) */
	PLAT_CMD_MEMBARRIER, /* cmd: membarrier(2) for this address space */
	PLAT_CMD_PREAD,	   /* addr, len, off: pread(2) from fd, lent as for MMAP; PWRITE: */
	PLAT_CMD_PWRITE,   /* pwrite(2). They fail with -EIO unless all len bytes went */
	PLAT_CMD_CLOCK,	   /* clock, addr: write the time of one of the thread's own CPU
			    * clocks (clock_gettime(2)) to guest memory */
};

struct plat_cmd {
	enum plat_cmd_op op;
	int fd;		/* MMAP, PREAD, PWRITE: host fd to lend for this call, or -1. Owned by the
			 * batch once added: closed when the batch is done with.
			 * It must carry no more access than the guest may have. */
	uint64_t same;	/* MMAP: commands of a batch in which this is equal, and not 0,
			 * have fds of one file and one kind of access: one is lent */
	uint64_t a[6];
	struct plat_thread *child; /* CLONE */
};

#define PLAT_BATCH_MAX 32

/* read(2), write(2), pread64(2) and pwrite64(2) of so many bytes, or more, are never partial
 * traps: it can be worth the while to let the thread do them itself (PLAT_CMD_PREAD). */
#define PLAT_BIG_IO (256u << 10)

struct plat_batch {
	unsigned count;
	struct plat_cmd cmd[PLAT_BATCH_MAX];
};

/* PLAT_CMD_CLONE: how the child relates to the thread that runs the command. */
struct plat_clone {
	bool share_as;	  /* a further thread of this address space; else a fork */
	bool set_tls;	  /* give the child the FS base `tls`; else the parent's */
	uint64_t tls;
};

struct plat_kernel_ops {
	/* A thread trapped. cookie: what plat_thread_new() or plat_as_new() was
	 * given. The kernel answers now or later with plat_resume() or
	 * plat_thread_exit(). Called without locks; one call at a time per thread.
	 * ref: the platform guarantees that `cookie` was not let go of (see
	 * plat_thread_release) before the call began; cookie_get below is called
	 * under the platform's own lock to turn it into a counted reference. */
	void (*trap)(void *cookie, const struct plat_trap *trap);
	void (*cookie_get)(void *cookie); /* a reference for the duration of trap() */
	void (*cookie_put)(void *cookie);
	/* May the platform rewrite code there, in the address space of a thread that is
	 * trapped, if it is written as it was read and runs as it did? For private mappings
	 * of files that can be executed and not written. May be NULL: no. No locks are held. */
	bool (*may_patch)(void *cookie, uint64_t addr, size_t len);
	/* The protection (PROT_*) that the page at addr has by the kernel's books, -1 if there
	 * is none. May be NULL: code of a process with several threads is left alone. */
	int (*page_prot)(void *cookie, uint64_t addr);
};

#define PLAT_DIRECT_BITS 512

struct plat_config {
	const char *backend; /* "unotify", "fake"; "unotify:full": partial traps never */
	const struct plat_kernel_ops *ops;
	/* Calls, by number, that the platform may report as partial traps. */
	uint64_t direct[PLAT_DIRECT_BITS / 64];
	/* May threads and workers poll for each other (fast calls)? And what a call's thread
	 * brings along then, by number. */
	bool fast;
	uint8_t fast_kind[PLAT_DIRECT_BITS];
};

/* plat_config.fast_kind */
#define PLAT_FAST_PATH0 1 /* the string at its argument 0 */
#define PLAT_FAST_PATH1 2
#define PLAT_FAST_BUF1 3  /* argument 2 bytes at argument 1 */
#define PLAT_FAST_SMALL 0x80 /* besides: not with PLAT_BIG_IO or more in argument 2 */


/* What the host offers; filled in by plat_probe(). */
struct plat_caps {
	bool sync_wakeup;	/* SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (6.6) */
	bool wait_killable;	/* SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (5.19) */
	bool direct;		/* partial traps are in use: needs 6.18 or 6.12.53 */
	bool fast;		/* fast calls are: needs two CPUs, too */
	bool recv_hangup;	/* NOTIF_RECV ends when the last user is gone (6.11) */
	uint32_t membarrier;	/* the host's answer to MEMBARRIER_CMD_QUERY */
	size_t xstate_size;	/* bytes of a signal frame's XSAVE area incl. magic */
	uint64_t vdso_start, vdso_end, vvar_start, vvar_end; /* in every new stub */
};

/* Guest addresses are in [PLAT_GUEST_MIN, PLAT_GUEST_MAX); the platform keeps
 * what lies above, and some of what lies below, for itself. */
#define PLAT_GUEST_MIN 0x70000ULL
#define PLAT_GUEST_MAX 0x7ffe00000000ULL

/* Guest processes have this much more in oom_score_adj than the process that called
 * plat_new(). */
#define PLAT_OOM_GAP 250

/* Is the backend usable on this host? 0, or -errno with a one-line reason (what
 * is missing, since which kernel) in why. */
int plat_probe(const char *backend, char *why, size_t why_size);

/* Build the platform: zygote and all. Must run while single-threaded and before
 * the process confines itself; makes no thread. 0 or -errno. */
int plat_new(const struct plat_config *cfg, struct plat **out);

/* Start threads (workers); after confinement. 0 or -errno. */
int plat_start(struct plat *p);

/* Kill everything guest, end and join the workers: no trap comes after it. What the
 * kernel still holds stays valid until plat_free(). Not on a worker. */
void plat_stop(struct plat *p);

/* plat_stop() when that was not done, then free. The kernel holds nothing any more. */
void plat_free(struct plat *p);

const struct plat_caps *plat_caps(const struct plat *p);

/* Fast calls served so far. [any] */
uint64_t plat_fast_calls(const struct plat *p);

/* ---- address spaces ---- */

/* A fresh, empty address space with one thread (cookie) that has started already: it
 * waits for its first resume, without a trap. May block for the length of a fork: no
 * kernel lock. 0, -EAGAIN/-ENOMEM when the host has no process left. The caller owns one
 * reference of *out_as and the thread *out_thread. */
int plat_as_new(struct plat *p, void *cookie, struct plat_as **out_as,
		struct plat_thread **out_thread);

void plat_as_get(struct plat_as *as); /* [any] */
void plat_as_put(struct plat_as *as); /* [any] the last put kills the stub */

/* Kill the stub process at once; its threads are gone for the kernel (no DIED
 * trap after this returns). [any] */
void plat_as_kill(struct plat_as *as);

/* Copy from or to guest memory. 0, -EFAULT when any byte is not accessible (some
 * bytes before it may have been copied), -ESRCH when the stub is gone. Ranges
 * outside [0, PLAT_GUEST_MAX) are -EFAULT. *_partial: bytes copied, or -EFAULT
 * if none. [any] */
int plat_read(struct plat_as *as, uint64_t addr, void *buf, size_t len);
int plat_write(struct plat_as *as, uint64_t addr, const void *buf, size_t len);
long plat_read_partial(struct plat_as *as, uint64_t addr, void *buf, size_t len);
long plat_write_partial(struct plat_as *as, uint64_t addr, const void *buf, size_t len);

/* Compare and swap of 32 bits for futexes and robust lists. expected: in/out.
 * 0 when swapped, -EAGAIN when *expected differed (and is updated), -EFAULT. [any]
 * A read and a write, not atomic against running guest threads: only for words that
 * those leave alone. PLAT_CMD_CMPXCHG is the other kind. */
int plat_cmpxchg32(struct plat_as *as, uint64_t addr, uint32_t *expected, uint32_t desired);

/* CPU time used by the stub in nanoseconds so far. out_user: how much of it the host
 * counts as user time; may be NULL. [any] */
uint64_t plat_as_cputime(struct plat_as *as, uint64_t *out_user);

/* The stub's host pid in the sentry's pid namespace, for logs and tests. */
int plat_as_host_pid(const struct plat_as *as);

/* ---- threads ---- */

/* Prepare the child of a PLAT_CMD_CLONE to be run by `parent`. For a fork a new
 * address space comes with it (*out_as, one reference; else NULL). The child's
 * first trap is PLAT_TRAP_STARTED for its cookie; its FPU state is the parent's.
 * If the command fails (parent's PLAT_TRAP_BATCH), give it back with
 * plat_thread_release(). 0 or -errno (-EAGAIN, -ENOMEM). [any] */
int plat_thread_new(struct plat_thread *parent, const struct plat_clone *how, void *cookie,
		    struct plat_thread **out_thread, struct plat_as **out_as);

/* Registers as of the last trap; the kernel edits them in place and they become
 * the guest's at the next resume. Only valid between a trap and its answer; after a
 * partial trap see there. */
struct plat_regs *plat_thread_regs(struct plat_thread *th);

/* All registers of a thread whose partial trap is not answered yet, for those who look at
 * it. false: not known yet; they are being fetched, ask again a little later. The call and
 * its answer are not touched. A guest can make them lie. [any] */
bool plat_thread_peek_regs(struct plat_thread *th, struct plat_regs *out);

/* Where the call instruction is that a thread has just come back from to rip, to make the
 * call again with rax. And registers as the guest knows them: what the platform has rewritten
 * of its code is not seen. [any] */
uint64_t plat_call_rip(struct plat_thread *th, uint64_t rip);
void plat_shown_regs(struct plat_thread *th, struct plat_regs *r);

/* Memory that goes along with a fast call, both ways: while the trap of such a thread is
 * served, what it brought can be read and what it is to take can be written without a copy
 * between processes. False: not this, not now; plat_read() and plat_write() do. What is
 * written arrives when the thread goes on; if it cannot be written there the call's result
 * is -EFAULT, so the caller has seen that it should be. flush: what was written is written
 * now, because something is about to be written another way. close: the trap will not be
 * answered by the path that serves it now. in, place, placed: the same without a copy, NULL
 * for no: where len bytes that were brought are, which may change at any time; where len
 * bytes can be put, and then that so many are there, at most, for that address. Kernel
 * lock. */
size_t plat_window_avail(struct plat_thread *th, uint64_t addr); /* bytes from addr on */
bool plat_window_read(struct plat_thread *th, uint64_t addr, void *buf, size_t len);
bool plat_window_write(struct plat_thread *th, uint64_t addr, const void *buf, size_t len);
const void *plat_window_in(struct plat_thread *th, uint64_t addr, size_t len);
void *plat_window_place(struct plat_thread *th, size_t len);
void plat_window_placed(struct plat_thread *th, uint64_t addr, size_t len);
void plat_window_flush(struct plat_thread *th);
void plat_window_close(struct plat_thread *th);

/* FS base: unknown to the kernel unless asked for: it is read with a batch. */

/* Signal-frame FPU state (the XSAVE image with its software-reserved trailer),
 * xstate_size bytes at most. get: bytes written. set: len as from get; NULL puts
 * the FPU into its initial state (execve). set validates magic and size: -EINVAL. */
size_t plat_thread_get_fpstate(struct plat_thread *th, void *buf, size_t size);
int plat_thread_set_fpstate(struct plat_thread *th, const void *buf, size_t len);

/* Answer a trap: run the batch (may be NULL), then continue with the registers.
 * If plat_kick() came since the trap, a KICK trap follows at once. May be called
 * with or without the kernel lock, by any thread; the hand-over is synchronous to
 * the caller's CPU when the caller is the thread's worker and goes to sleep next.
 * The batch is consumed (fds closed) in every case. */
void plat_resume(struct plat_thread *th, struct plat_batch *batch);

/* End the host thread. When it is waiting for an answer it goes at once; when it
 * runs guest code it is kicked and ends on its way in. No trap follows. [any] */
void plat_thread_exit(struct plat_thread *th);

/* Make a thread that runs guest code trap soon; nothing when it is waiting. [any] */
void plat_kick(struct plat_thread *th);

/* The kernel's last word about a thread: no trap for its cookie will begin after
 * this returns. Ends the host thread if it still lives. [any] */
void plat_thread_release(struct plat_thread *th);

/* The host tells a thread's CPU time and resource use to the thread alone: the stub notes
 * them in its slot whenever it is entered with all registers (not on partial traps), if it
 * was asked to. Of a process it does so unasked on the way into exit and execve. The
 * notes are the guest's word about itself. [any] */
#define PLAT_NOTE_CPU 1u   /* CPU time of the thread */
#define PLAT_NOTE_USAGE 2u /* getrusage(2) of thread and process */
struct plat_usage {
	uint64_t user_ns, sys_ns, maxrss_kb, minflt, majflt, nvcsw, nivcsw;
};
/* What is to be noted from now on: PLAT_NOTE_*. */
void plat_thread_note(struct plat_thread *th, unsigned what);
/* The latest notes, all zero when there are none. thread: may be NULL. */
uint64_t plat_thread_noted_cpu(struct plat_thread *th);
void plat_thread_noted_usage(struct plat_thread *th, struct plat_usage *process,
			     struct plat_usage *thread);

/* Host thread id for logs. */
int plat_thread_host_tid(const struct plat_thread *th);

/* The CPU the thread was last seen on is not tracked; affinity: cpuset as in
 * sched_setaffinity(2). 0 or -errno. [any] */
int plat_thread_set_affinity(struct plat_thread *th, const void *cpuset, size_t size);

/* Add a command. false when the batch is full. */
static inline bool plat_batch_add(struct plat_batch *b, struct plat_cmd cmd)
{
	if (b->count == PLAT_BATCH_MAX)
		return false;
	b->cmd[b->count++] = cmd;
	return true;
}

#endif
