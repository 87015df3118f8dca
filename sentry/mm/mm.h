/* Memory maps. The sentry's VMAs are the truth about what is mapped; the stub's
 * host mappings hold the contents. Changes are decided here and carried out by
 * the platform batch that ends the call (t->batch). */
#ifndef SENTRY_MM_MM_H
#define SENTRY_MM_MM_H

#include <stdbool.h>
#include <stdint.h>

#include "platform/base/refs.h"
#include "platform/base/auto.h"
#include "platform/platform.h"
#include "sentry/mm/usercopy.h"

struct cred;
struct task;
struct file;
struct kernel;

#define LX_PAGE_SIZE 4096ULL

enum vma_flags {
	VMA_SHARED = 1 << 0,
	VMA_GROWSDOWN = 1 << 1,
	VMA_STACK = 1 << 2,
	VMA_HEAP = 1 << 3,
	VMA_SPECIAL = 1 << 4,	/* vdso, vvar: not to be remapped */
	VMA_LOCKED = 1 << 5,
	VMA_DONTFORK = 1 << 6,
	VMA_WIPEONFORK = 1 << 7,
	VMA_NORESERVE = 1 << 8,
	VMA_MAYWRITE = 1 << 9,	/* mprotect may add PROT_WRITE */
	VMA_MAYEXEC = 1 << 10,	/* mprotect may add PROT_EXEC */
	VMA_SEALED = 1 << 11,	/* mseal */
	VMA_DONTDUMP = 1 << 12,
	VMA_DROPPABLE = 1 << 13,
	VMA_LOCKONFAULT = 1 << 14,
};

/* Settings of an address space that prctl(2) makes; fork and execve hand them on. */
enum mm_flags {
	MMF_MDWE = 1 << 0,	     /* nothing becomes writable and executable */
	MMF_MDWE_NO_INHERIT = 1 << 1, /* and a child starts without it */
	MMF_MERGE = 1 << 2,	     /* PR_SET_MEMORY_MERGE, remembered */
	MMF_THP_DISABLE = 1 << 3,    /* PR_SET_THP_DISABLE, remembered */
	MMF_THP_EXCEPT_ADVISED = 1 << 4,
	MMF_SYNC_CORE = 1 << 5,	     /* registered for that membarrier(2); forks only */
};

struct vma; /* sentry/mm/vma.h */
struct mm_pending; /* sentry/mm/mm_impl.h */
struct shm_segment; /* sentry/ipc/shm.h */

struct mm {
	struct refs refs;
	struct kernel *k;
	struct plat_as *as;	/* one reference; NULL after the stub died */
	struct vma_tree *vmas;	/* sentry/mm/vma.h */
	uint64_t mmap_base;	/* top of the mmap area (grows down) */
	uint64_t start_brk, brk;
	uint64_t stack_top, stack_size;
	uint64_t start_stack;	/* the stack pointer that the program began with */
	uint64_t arg_start, arg_end, env_start, env_end; /* /proc/PID/cmdline, environ */
	uint64_t start_code, end_code, start_data, end_data, entry;
	struct file *exe;	/* one reference */
	uint64_t auxv[56];	/* pairs, AT_NULL-terminated; as many as Linux has */
	unsigned nauxv;		/* words of auxv in use, with the AT_NULL pair */
	struct mm_pending *pending; /* batches under way; see mm_impl.h */
	unsigned npending, cpending;
	uint32_t def_flags;	/* VMA_LOCKED…: what mlockall(MCL_FUTURE) adds */
	uint64_t total_vm, locked_vm; /* pages */
	uint64_t data_vm;	/* private writable pages, RLIMIT_DATA */
	void *aio;		/* Linux AIO contexts: sentry/fs/anon/aio.c */
	bool dumpable;
	uint32_t flags;		/* enum mm_flags */
	unsigned users;		/* tasks using it */
};

/* An empty map without a stub; one reference. NULL: out of memory. */
struct mm *mm_new(struct kernel *k);
void mm_get(struct mm *mm);
void mm_put(struct mm *mm);
DEFINE_AUTO_PUT(mm)

/* A copy for fork: same VMAs (minus DONTFORK), its own address space `as`
 * (reference taken over). NULL: out of memory. */
struct mm *mm_fork(struct mm *old, struct plat_as *as);
/* The enum mm_flags of a child's map, or of the next program's. */
uint32_t mm_flags_inherited(const struct mm *mm);

/* One entry for /proc/PID/maps and friends, in address order: the first VMA whose
 * end is above addr. false at the end. file is borrowed. */
struct vma_info {
	uint64_t start, end, pgoff; /* pgoff in pages */
	uint32_t prot;		/* LX_PROT_* */
	uint32_t flags;		/* enum vma_flags */
	struct file *file;
	const char *name;	/* "[heap]", "[stack]", "[vdso]", NULL */
	const char *anon_name;	/* what the guest calls it, or NULL */
};
bool mm_next_vma(struct mm *mm, uint64_t addr, struct vma_info *out);

/* A faulting access: does the guest's map say it should have worked, and which
 * signal does Linux give? (SEGV_MAPERR/SEGV_ACCERR, SIGBUS). May grow the stack
 * with a batch in t->batch and return 0: resume without a signal. Otherwise 0 is
 * not returned: LX_SIG… with *out_code set. */
int mm_fault(struct task *t, const struct plat_trap *trap, int *out_code);

/* A command of the last batch failed: settle the books; the value becomes the
 * call's result. Called by the dispatcher. */
long mm_batch_failed(struct task *t, int index, int error);

/* Record a change without issuing host work; for the loader and shm. See mmap.c. */
struct mm_map_req {
	uint64_t addr, len;	/* addr 0 and !fixed: choose */
	uint32_t prot;		/* LX_PROT_* */
	uint32_t flags;		/* LX_MAP_* */
	struct file *file;	/* borrowed; NULL: anonymous */
	uint64_t off;
	uint32_t vmflags;
	const char *name;	/* string literal or NULL */
	struct shm_segment *shm; /* shmat only, else NULL */
	struct plat_batch *batch; /* where the host commands go */
};
/* The address, or -LX_E…. Needs room for 2 commands in the batch. */
int64_t mm_map(struct mm *mm, struct task *t, const struct mm_map_req *r);
int mm_unmap(struct mm *mm, struct task *t, uint64_t addr, uint64_t len,
	     struct plat_batch *batch);
/* A free range of len bytes for a mapping (Linux's get_unmapped_area): the address or
 * -LX_E…. flags: LX_MAP_FIXED, LX_MAP_32BIT; may_align: large ones may start on a huge
 * page's border. */
int64_t mm_get_area(struct mm *mm, struct task *t, uint64_t addr, uint64_t len, uint32_t flags,
		    bool may_align);

/* The calls of mmap(2)'s family on the caller's map; commands go to t->batch. All
 * give the call's result or -LX_E…, kernel lock held. */
long mm_protect(struct task *t, uint64_t addr, uint64_t len, uint64_t prot);
long mm_brk(struct task *t, uint64_t brk);
long mm_remap(struct task *t, uint64_t addr, uint64_t old_len, uint64_t new_len,
	      uint64_t flags, uint64_t new_addr);
long mm_advise(struct task *t, uint64_t addr, uint64_t len, int advice);
bool mm_advice_valid(int advice);
/* remap_file_pages(2): a part of a shared mapping shows other pages of its file. */
long mm_remap_file_pages(struct task *t, uint64_t addr, uint64_t size, uint64_t pgoff,
			 uint32_t flags);
/* set: VMA_LOCKED and VMA_LOCKONFAULT, 0 to unlock. */
long mm_lock_range(struct task *t, uint64_t addr, uint64_t len, uint32_t set);
long mm_lock_all(struct task *t, uint32_t mcl_flags); /* 0: munlockall */
long mm_sync(struct task *t, uint64_t addr, uint64_t len, uint32_t flags);
long mm_seal(struct task *t, uint64_t addr, uint64_t len);
/* PR_SET_VMA_ANON_NAME: name NULL takes it away. -LX_EINVAL, -LX_EBADF (mapped files),
 * -LX_ENOMEM (holes; what is mapped was named). */
#define MM_ANON_NAME_MAX 80 /* with the NUL */
long mm_set_anon_name(struct task *t, uint64_t addr, uint64_t len, const char *name);
/* Is every page of [addr, addr + len) mapped? */
bool mm_range_mapped(struct mm *mm, uint64_t addr, uint64_t len);
/* Can the guest write all of it? */
bool mm_is_writable(struct mm *mm, uint64_t addr, uint64_t len);
/* Is it in a private mapping of a file that runs and cannot be written? */
bool mm_is_text(struct mm *mm, uint64_t addr, uint64_t len);
/* The protection (LX_PROT_*) of the page at addr, -1 if nothing is mapped there. */
int mm_prot_at(struct mm *mm, uint64_t addr);

/* Shared memory without a name in any tree: what MAP_SHARED|MAP_ANONYMOUS and
 * shmget use. name: how /proc shows it, after a slash. size in bytes.
 * 0 or -LX_E…; *out has one reference. */
int shmem_file_new(struct kernel *k, const struct cred *c, const char *name, uint64_t size,
		   uint32_t mode, struct file **out);
void shmem_fini(struct kernel *k); /* at shutdown, after the last map and file */

/* ---- execve ---- */

struct exec_args {		/* strings already copied in; owned by the caller */
	char **argv, **envp;
	unsigned argc, envc;
	const char *filename;	/* what AT_EXECFN shows */
	struct file *file;	/* opened for exec, borrowed */
	const struct cred *cred; /* the new program's: AT_UID … AT_EGID; borrowed */
	bool secure;		/* AT_SECURE */
};
struct exec_write {
	uint64_t addr;
	void *data;
	size_t len;
};
struct exec_image {
	struct mm *mm;		/* ready but for its stub (mm->as is NULL) */
	struct plat_batch *batches; /* to be run in the new stub, in order; count is set to 0
				     * once one was handed over with its fds */
	unsigned nbatches;
	struct exec_write *writes; /* after the batches */
	unsigned nwrites;
	uint64_t entry, sp;
	bool setid;		/* AT_SECURE */
};
/* Read ELF (and interpreter; `#!` scripts were resolved by the caller), lay out
 * the address space with Linux's ASLR, build stack, auxv. 0 or -LX_ENOEXEC … .
 * Nothing guest-visible has happened yet. May drop the kernel lock around reads. */
int loader_load(struct task *t, const struct exec_args *a, struct exec_image *out);
void exec_image_fini(struct exec_image *img); /* frees what was not taken */

#endif
