/* The unotify backend's own structures. See README.md for how a trap travels.
 *
 * Locks: u->mu (class PLATFORM) guards the tables and lists of this backend. It is
 * never held while a host call that can wait is made, nor while the kernel's trap
 * function runs. */
#ifndef PLATFORM_UNOTIFY_UNOTIFY_IMPL_H
#define PLATFORM_UNOTIFY_UNOTIFY_IMPL_H

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "platform/backend.h"
#include "platform/base/list.h"
#include "platform/base/mutex.h"
#include "platform/base/refs.h"
#include "platform/unotify/stub.h"

struct unotify;
struct seccomp_notif;

/* One listener and the worker that serves it; shared by an exec'd process and the
 * forks of it that did not exec. Freed when the last address space is gone. */
struct listener {
	struct refs refs;
	struct unotify *u;
	int fd;
	struct list queue_link; /* [mu] waiting for a worker */
	/* Its worker's: threads that were seen to wait in a call, oldest first. */
	struct waiting {
		pid_t tid;
		uint64_t id;	/* of the call */
	} *waiting;
	unsigned nwaiting, max_waiting;
	struct fast *_Atomic fast; /* its worker's; fast_host.c; NULL: none yet */
	bool fast_off;		/* its worker's: no more sites */
};

/* A memfd of STUB_CHUNK_SLOTS slots, mapped here and in one stub. */
struct chunk {
	struct list link;	/* in as->chunks, or u->free_chunks */
	int memfd;
	uint8_t *host;		/* our mapping */
	uint64_t guest;		/* where the stub has it; 0: not mapped yet */
	uint32_t used;		/* [mu] bitmap of slots */
	bool mapped;		/* [mu] the stub has mapped it */
	uint32_t dirty;		/* [mu] slots used since it was zeroed */
};

struct plat_as {
	struct plat_object o;
	struct refs refs;	/* threads, the host process, the kernel's krefs as one */
	_Atomic int krefs;	/* the kernel's references: the last put kills */
	struct unotify *u;
	struct listener *l;	/* one reference */
	pid_t pid;		/* [mu] 0: not known yet (fork under way) */
	bool killed, reaped;	/* [mu] */
	struct list link;	/* [mu] in u->spaces */
	struct list dying;	/* [mu] in u->dying: killed, not reaped */
	struct list threads;	/* [mu] the first one stays to the end */
	unsigned nthreads;	/* [mu] of them */
	struct list chunks;	/* [mu] */
	uint8_t places[STUB_CHUNKS / 8]; /* [mu] chunk places in use */
	bool sites_mapped;	/* the table of rewritten sites */
	bool poking;		/* [mu] a site is being rewritten beside running threads: */
	unsigned poked;		/* [mu] this one, + 1; in a fork it may stay half done */
};

enum th_state {
	TH_NEW,		/* its host thread has not reported */
	TH_RUNNING,	/* guest code, or on the way to it */
	TH_TRAPPED,	/* waits for an answer in the stub's hand-over call */
	TH_CALL,	/* waits for an answer in a call of its own (partial trap) */
	TH_FAST,	/* likewise, but polls for it in its slot; see fast_host.c */
	TH_OWED,	/* likewise, and the answer is there: it is given when it stops polling */
	TH_PATCH,	/* as TH_RUNNING for the kernel: on its way to rewrite a call site */
	/* For the kernel these are as TH_CALL; see direct_host.c: */
	TH_MOVING,	/* on its way from there into the stub */
	TH_WANTED,	/* likewise, and the kernel has answered already */
	TH_DEEP,	/* waits in the stub, on the futex of its slot */
	TH_GONE,	/* told to exit, or dead */
};

struct plat_thread {
	struct plat_object o;
	struct refs refs;	/* kernel's, the backend's while the host thread lives */
	struct plat_as *as;	/* one reference */
	struct list link;	/* [mu] in as->threads */
	void *cookie;		/* [mu] NULL: released */
	pid_t tid;		/* host thread id; 0: unknown */
	struct plat_thread *hash_next; /* [mu] by tid */
	_Atomic int state;	/* enum th_state */
	_Atomic bool kick, exiting;
	uint64_t notif_id;	/* of the call to be answered */
	struct chunk *chunk;	/* [mu] */
	unsigned slot_index;
	struct stub_slot *slot;	/* our mapping */
	uint64_t slot_guest;
	uint64_t uc_off, fp_off; /* checked offsets in the slot; fp_off 0: initial state */
	size_t fp_len;
	struct plat_regs regs;
	bool kick_due;		/* its next trap is a KICK, or it lies */
	bool again;		/* told to report (as a KICK) when its commands are done */
	bool hello;		/* trapped in STUB_HELLO: a frame is to be made */
	int close_listener;	/* first resume closes the stub's copy of it; -1: none */
	bool need_map;		/* its chunk is yet to be mapped by the parent's clone */
	bool linked;		/* [mu] in the tables; holds the backend's reference */
	uint64_t token;		/* TH_NEW: what STUB_HELLO must bring */
	struct list pending;	/* [mu] in u->newborn while TH_NEW */
	/* the batch under way */
	uint8_t cmd_map[STUB_MAX_CMDS]; /* slot command -> batch index */
	struct plat_thread *clone_child; /* expected clone: borrowed */
	uint64_t clone_flags, clone_sp;
	bool clone_fork, clone_tls; /* of a child: how it is to be made */
	const struct plat_as *from; /* [mu] TH_NEW, fork: who makes it, only compared;
				     * NULL: is gone */
	uint64_t tls;
	/* fast calls */
	bool own_gs;		/* the guest uses GS itself */
	bool fast_open;		/* the windows in the slot may be used: its call is being served */
	bool patching;		/* its batch rewrites a site */
	uint64_t stepped_on;	/* a site where there was a breakpoint when it was last there */
	int patch_prot[2];	/* what its pages were set to, beside other threads */
	unsigned patch;		/* TH_CALL: the site to be rewritten after it, + 1 */
	uint64_t in_addr;
	uint32_t in_len, nout, out_len;
	uint64_t out_addr[STUB_FAST_OUTS];
	uint32_t out_off[STUB_FAST_OUTS + 1];
	int lent_place;		/* fork: the place where the child's chunk is mapped here; -1 */
	struct chunk *mapping;	/* own chunk that the batch maps; NULL: none */
};

#define TID_BUCKETS 1024

struct unotify {
	struct plat_object o;
	struct plat_config cfg;
	struct plat_caps caps;
	struct mutex mu;
	uint64_t region;	/* of the stub, in every address space */
	pid_t zygote;
	int zsock;
	pthread_mutex_t spawn_mu; /* one conversation with the zygote at a time */
	struct {
		bool asked;
		struct chunk *chunk;
		uint64_t token;
		int pipe;
	} spare;
	struct plat_thread *tids[TID_BUCKETS]; /* [mu] */
	struct list spaces, dying; /* [mu] */
	struct list newborn;	/* [mu] threads in TH_NEW */
	struct list free_chunks; /* [mu] */
	unsigned nfree_chunks;
	struct list listener_queue; /* [mu] nqueued of them */
	unsigned nqueued;
	pthread_cond_t work;	/* with mu.m: a listener waits, or stopping */
	unsigned idle_workers, nworkers; /* [mu] */
	bool stopping, stopped;	/* [mu] */
	_Atomic unsigned nrunning; /* threads in TH_RUNNING */
	cpu_set_t cpus;		/* that this process may use */
	unsigned ncpus;
	_Atomic uint64_t nfast; /* calls */
	uint64_t fast_entry;	/* stub_fast; 0: no fast calls */
	pthread_t reaper;
	pthread_cond_t quiet;	/* with mu.m: a worker ended */
	uint8_t fp_init[4096 * 4]; /* an initial-state XSAVE image as signals carry it */
	size_t fp_init_len;
};

/* Offset of the frame that a new thread is started from, in its slot. */
#define NEW_FRAME_OFF 0xc000UL

/* filter.c: write the stub's filter for a code area at base to out, STUB_FILTER_MAX
 * instructions at most; returns its length. direct: as in plat_config. */
unsigned stub_filter(uint64_t base, uint64_t size, const uint64_t *direct, void *out);

/* zygote_host.c */
int zygote_start(struct unotify *u);
/* Where stub_fast is in every stub. */
uint64_t zygote_fast_entry(const struct unotify *u);
int zygote_spawn(struct unotify *u, struct chunk *c, uint64_t token, int *out_pipe);
int zygote_collect(struct unotify *u, int pipe_fd, struct chunk *c, pid_t *out_pid,
		   int *out_listener);

/* chunk_host.c: all but chunk_new/chunk_free under u->mu */
struct chunk *chunk_new(struct unotify *u);
void chunk_free(struct unotify *u, struct chunk *c);
int chunk_take_slot(struct chunk *c);

/* as_host.c */
void thread_get(struct plat_thread *th);
void thread_put(struct plat_thread *th);
bool thread_unlink_locked(struct plat_thread *th); /* true: now put it, unlocked */
struct plat_thread *tid_lookup_locked(struct unotify *u, pid_t tid);
void tid_insert_locked(struct unotify *u, struct plat_thread *th);
void as_kill_locked(struct plat_as *as);
void place_release_locked(struct plat_as *as, unsigned place);
void listener_put(struct listener *l);
void as_put_obj(struct plat_as *as);
void *reaper_main(void *arg);
void spare_refill(struct unotify *u);
/* Nobody on this listener is left: its newborn threads will never come. */
void newborn_sweep(struct unotify *u, struct listener *l);

/* frame.c: registers and FPU state in the slot */
bool frame_load(struct plat_thread *th);   /* on a trap; false: garbage in the slot */
void frame_store(struct plat_thread *th);  /* before a resume */
void frame_make(struct plat_thread *th);   /* for STUB_HELLO */
int frame_copy_fp(struct plat_thread *to, const struct plat_thread *from);

/* Only where they lie, for a thread whose registers are not asked for. */
bool frame_find(struct plat_thread *th);
/* The general registers in a frame that was found before. */
void frame_peek(const struct plat_thread *th, struct plat_regs *out);
void frame_set_rax(struct plat_thread *th, uint64_t rax);
void frame_move_rip(struct plat_thread *th, uint64_t from, uint64_t to);

/* direct_host.c: calls that come without a frame */
void serve_direct(struct listener *l, const struct seccomp_notif *n);
/* Of a thread that waits: see plat_thread_peek_regs(). */
bool direct_peek(struct plat_thread *th, struct plat_regs *out);
/* A call has been served: if it waits for its answer it is one that may wait for long. */
void direct_waits(struct listener *l, const struct plat_thread *th, uint64_t id);
void direct_resume(struct plat_thread *th);	/* claimed from TH_CALL */
void direct_kick_out(struct plat_thread *th);	/* likewise; its next trap is a KICK */
void deep_resume(struct plat_thread *th);	/* claimed from TH_DEEP */
void deep_wake(struct plat_thread *th);		/* what the slot says is for it */
/* A hand-over of a thread in TH_MOVING or TH_WANTED; under u->mu, which is dropped.
 * False: it is to be reported, as a KICK. */
bool deep_arrive(struct listener *l, struct plat_thread *th, const struct seccomp_notif *n);

/* fast_host.c and patch_host.c */
/* A direct call came: count its site, and have it rewritten when that is worth it. */
void fast_note_call(struct listener *l, struct plat_thread *th, const struct seccomp_notif *n);
/* Where the guest believes to be, for an address in the sites' table. */
uint64_t fast_shown_rip(struct listener *l, uint64_t rip);
void fast_shown_regs(struct plat_thread *th, struct plat_regs *r);
uint64_t fast_call_rip(struct plat_thread *th, uint64_t rip);
/* An illegal instruction: does it come from what was rewritten? Then th->regs and t are those
 * of what the guest believes to be there. */
bool fast_put_right(struct plat_thread *th, struct plat_trap *t);
/* Serve the fast calls of this listener as long as that pays. */
void fast_poll(struct listener *l);
void fast_forget(struct listener *l);
void fast_free(struct listener *l);
void fast_resume(struct plat_thread *th);	/* claimed from TH_FAST for TH_OWED */
/* Hand-overs, under u->mu: of a thread that stops polling (drops it); of one in TH_PATCH
 * (true: drops it; false: it is to be reported, as a KICK); of one that could not carry out
 * its patch, and of one that has, beside others (both drop it). */
void fast_wait_arrives(struct listener *l, struct plat_thread *th, const struct seccomp_notif *n);
bool fast_patch_arrives(struct listener *l, struct plat_thread *th, const struct seccomp_notif *n);
void fast_patch_failed(struct listener *l, struct plat_thread *th, const struct seccomp_notif *n);
void fast_patch_done(struct listener *l, struct plat_thread *th, const struct seccomp_notif *n);
/* A breakpoint: is it from a site that is just being rewritten? Then as fast_put_right(). */
bool site_breakpoint(struct plat_thread *th, struct plat_trap *t);
void fast_thread_init(struct plat_thread *th);
size_t fast_window_avail(struct plat_thread *th, uint64_t addr);
bool fast_window_read(struct plat_thread *th, uint64_t addr, void *buf, size_t len);
const void *fast_window_in(struct plat_thread *th, uint64_t addr, size_t len);
void *fast_window_place(struct plat_thread *th, size_t len);
void fast_window_placed(struct plat_thread *th, uint64_t addr, size_t len);
void fast_window_flush(struct plat_thread *th);
void fast_window_close(struct plat_thread *th);

/* worker_host.c */
/* Receive the hello of th, the only thread of l so far, and see that l is served. 0 or
 * -EAGAIN. A spare stub is asked for when the new one is on its way. */
int workers_adopt(struct unotify *u, struct listener *l, struct plat_thread *th);
bool claim(struct plat_thread *th, enum th_state from, enum th_state to);
void set_state(struct plat_thread *th, enum th_state to);
/* Let a call go: with a value, or natively. The host's errors mean that it is gone. */
void answer(struct listener *l, uint64_t id, int64_t value);
void send_kick(struct plat_thread *th);
void punish(pid_t tid, const char *why);
/* Tell a thread to end that was claimed for TH_GONE, from `from`. */
void let_go(struct plat_thread *th, enum th_state from);
/* The batch's transient state ends with the next trap. Under u->mu. */
void settle_batch_locked(struct plat_thread *th, bool failed, int bad_index);
/* Tell the kernel; th is counted, u->mu is held and dropped. */
void report(struct plat_thread *th, const struct plat_trap *trap);
uint64_t random_token(void);

#endif
