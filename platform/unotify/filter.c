/* The stub's seccomp filter: raw BPF, because it looks at the instruction pointer.
 *
 *   from outside the stub's code:  a call of the direct set -> notification; every other
 *                 number, every foreign architecture and x32 -> SIGSYS (the stub's handler)
 *   from inside:  a few memory calls, reading and writing what was lent, barriers and
 *                 waiting on a futex run; clone and the hand-over call go to the sentry;
 *                 all else kills the process
 *
 * The stub's code lies within one 4 GiB block, so one comparison of the upper half
 * decides for nearly all guest calls. The direct set is a binary search over the numbers
 * at which membership changes. */
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>

#include "platform/base/bug.h"
#include "platform/unotify/unotify_impl.h"

struct prog {
	struct sock_filter f[STUB_FILTER_MAX];
	unsigned n;
};

static void put(struct prog *p, uint16_t code, uint8_t jt, uint8_t jf, uint32_t k)
{
	BUG_ON(p->n == STUB_FILTER_MAX);
	p->f[p->n++] = (struct sock_filter){ code, jt, jf, k };
}

static void load(struct prog *p, size_t off)
{
	put(p, BPF_LD | BPF_W | BPF_ABS, 0, 0, (uint32_t)off);
}

static void ret(struct prog *p, uint32_t action)
{
	put(p, BPF_RET | BPF_K, 0, 0, action);
}

static void jump(struct prog *p, uint16_t op, uint32_t k, uint8_t jt, uint8_t jf)
{
	put(p, BPF_JMP | BPF_K | op, jt, jf, k);
}

/* A is the number: action if it is nr, else go on. */
static void ret_if(struct prog *p, uint32_t nr, uint32_t action)
{
	jump(p, BPF_JEQ, nr, 0, 1);
	ret(p, action);
}

/* ---- calls of the guest ---- */

static bool is_direct(const uint64_t *set, uint32_t nr)
{
	return nr < PLAT_DIRECT_BITS && (set[nr / 64] >> (nr % 64) & 1);
}

/* Decide for the numbers of the runs [lo, hi), which begin at at[lo]…. */
static void search(struct prog *p, const uint64_t *set, const uint32_t *at, unsigned lo, unsigned hi)
{
	unsigned mid = (lo + hi) / 2, branch;

	if (hi - lo == 1) {
		ret(p, is_direct(set, at[lo]) ? SECCOMP_RET_USER_NOTIF : SECCOMP_RET_TRAP);
		return;
	}
	branch = p->n;
	jump(p, BPF_JGE, at[mid], 0, 0);
	search(p, set, at, lo, mid);
	BUG_ON(p->n - branch - 1 > 255);
	p->f[branch].jt = (uint8_t)(p->n - branch - 1);
	search(p, set, at, mid, hi);
}

/* A is the number. Reads and writes of PLAT_BIG_IO bytes and more go to the stub. */
static void big_io(struct prog *p)
{
	const size_t count = offsetof(struct seccomp_data, args[2]);

	_Static_assert(SYS_read == 0 && SYS_write == 1 && SYS_pwrite64 == SYS_pread64 + 1, "");
	jump(p, BPF_JGE, SYS_write + 1, 0, 2);
	jump(p, BPF_JGE, SYS_pread64, 0, 7);
	jump(p, BPF_JGE, SYS_pwrite64 + 1, 6, 0);
	load(p, count + 4);
	jump(p, BPF_JEQ, 0, 0, 2);
	load(p, count);
	jump(p, BPF_JGE, PLAT_BIG_IO, 0, 1);
	ret(p, SECCOMP_RET_TRAP);
	ret(p, SECCOMP_RET_USER_NOTIF);
}

static void from_guest(struct prog *p, const uint64_t *set)
{
	uint32_t at[PLAT_DIRECT_BITS + 1];
	unsigned n = 0;

	/* Those that the stub asks for by notification are never the guest's. */
	BUG_ON(is_direct(set, SYS_clone) || is_direct(set, STUB_MAGIC_NR));
	at[n++] = 0;
	for (uint32_t nr = 1; nr <= PLAT_DIRECT_BITS; nr++)
		if (is_direct(set, nr) != is_direct(set, nr - 1))
			at[n++] = nr;
	if (n == 1 && !is_direct(set, 0)) {
		ret(p, SECCOMP_RET_TRAP);
		return;
	}
	load(p, offsetof(struct seccomp_data, arch));
	jump(p, BPF_JEQ, AUDIT_ARCH_X86_64, 1, 0);
	ret(p, SECCOMP_RET_TRAP);
	load(p, offsetof(struct seccomp_data, nr));
	if (is_direct(set, SYS_read) && is_direct(set, SYS_write) &&
	    is_direct(set, SYS_pread64) && is_direct(set, SYS_pwrite64))
		big_io(p);
	search(p, set, at, 0, n);
}

/* ---- calls of the stub ---- */

static void from_stub(struct prog *p)
{
	static const uint32_t allowed[] = { SYS_rt_sigreturn, SYS_mmap,	      SYS_munmap,
					    SYS_mprotect,     SYS_mremap,     SYS_madvise,
					    SYS_arch_prctl,   SYS_sigaltstack, SYS_close,
					    SYS_exit,	      SYS_getcpu,     SYS_membarrier,
					    SYS_getrusage,    SYS_clock_gettime, SYS_pread64,
					    SYS_pwrite64,     SYS_sched_yield };

	load(p, offsetof(struct seccomp_data, arch));
	jump(p, BPF_JEQ, AUDIT_ARCH_X86_64, 1, 0);
	ret(p, SECCOMP_RET_KILL_PROCESS);
	load(p, offsetof(struct seccomp_data, nr));
	ret_if(p, STUB_MAGIC_NR, SECCOMP_RET_USER_NOTIF);
	for (unsigned i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++)
		ret_if(p, allowed[i], SECCOMP_RET_ALLOW);
	ret_if(p, SYS_clone, SECCOMP_RET_USER_NOTIF);
	jump(p, BPF_JEQ, SYS_futex, 1, 0);
	ret(p, SECCOMP_RET_KILL_PROCESS);
	load(p, offsetof(struct seccomp_data, args[1]));
	ret_if(p, FUTEX_WAIT, SECCOMP_RET_ALLOW);
	ret(p, SECCOMP_RET_KILL_PROCESS);
}

unsigned stub_filter(uint64_t base, uint64_t size, const uint64_t *direct, void *out)
{
	const uint32_t hi = (uint32_t)(base >> 32), lo = (uint32_t)base;
	const size_t ip = offsetof(struct seccomp_data, instruction_pointer);
	struct prog p = { .n = 0 };
	unsigned guest[3];

	load(&p, ip + 4);
	guest[0] = p.n;
	jump(&p, BPF_JEQ, hi, 0, 0);
	load(&p, ip);
	guest[1] = p.n;
	jump(&p, BPF_JGT, lo, 0, 0); /* the address after the instruction */
	guest[2] = p.n;
	jump(&p, BPF_JGT, lo + (uint32_t)size, 0, 0);
	from_stub(&p);
	BUG_ON(p.n > 255);
	p.f[guest[0]].jf = (uint8_t)(p.n - guest[0] - 1);
	p.f[guest[1]].jf = (uint8_t)(p.n - guest[1] - 1);
	p.f[guest[2]].jt = (uint8_t)(p.n - guest[2] - 1);
	from_guest(&p, direct);
	memcpy(out, p.f, p.n * sizeof(p.f[0]));
	return p.n;
}
