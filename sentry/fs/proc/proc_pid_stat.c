/* /proc/PID/stat, statm, status, limits, sched: what ps and top read. */
#include <stdio.h>
#include <string.h>

#include "sentry/fs/proc/hostinfo.h"
#include "sentry/fs/proc/proc_impl.h"
#include "sentry/fs/tty/tty.h"
#include "sentry/mm/mm.h"
#include "syscalls/abi/lx_mman.h"
#include "syscalls/abi/lx_resource.h"
#include "syscalls/abi/lx_signal.h"

typedef unsigned long long ull;

/* ---- shared facts ---- */

static char state_of(const struct task *t)
{
	switch (t->state) {
	case TASK_NEW:
	case TASK_RUNNING:
	case TASK_READY:
		return 'R';
	case TASK_PARKED:
		return 'S';
	case TASK_STOPPED:
		return 'T';
	case TASK_DEAD:
		return 'Z';
	}
	return 'X';
}

static const char *state_name(char c)
{
	return c == 'R' ? "running" : c == 'S' ? "sleeping" : c == 'T' ? "stopped" : "zombie";
}

/* CPU time of what the node is about. A thread's is divided as its process's is. */
static void cpu_time(const struct pseudo_node *n, const struct proc_ref *r, uint64_t *user,
		     uint64_t *sys)
{
	uint64_t total, all;

	tgroup_cputime(r->tg, user, sys);
	if (!n->id.tid)
		return;
	all = *user + *sys;
	total = task_cpu_guess(r->t);
	*user = all ? (uint64_t)((__uint128_t)total * *user / all) : total;
	*sys = total - *user;
}

uint64_t proc_rss_pages(struct mm *mm)
{
	struct vma_info v;
	uint64_t pages = 0, at = 0;

	for (; mm && mm_next_vma(mm, at, &v); at = v.end) {
		bool data = (v.prot & LX_PROT_WRITE) && !(v.flags & VMA_NORESERVE);
		bool text = v.file && (v.prot & LX_PROT_EXEC);

		if (data || text)
			pages += (v.end - v.start) / LX_PAGE_SIZE;
	}
	return pages;
}

struct sizes {
	uint64_t text, lib, stack; /* pages */
};

static void mm_sizes(struct mm *mm, struct sizes *s)
{
	struct vma_info v;
	uint64_t at = 0;

	memset(s, 0, sizeof(*s));
	for (; mm && mm_next_vma(mm, at, &v); at = v.end) {
		uint64_t pages = (v.end - v.start) / LX_PAGE_SIZE;

		if (v.flags & VMA_STACK)
			s->stack += pages;
		else if ((v.prot & LX_PROT_EXEC) && v.file)
			s->lib += pages;
	}
	if (mm && mm->end_code > mm->start_code)
		s->text = (mm->end_code - mm->start_code + LX_PAGE_SIZE - 1) / LX_PAGE_SIZE;
	s->lib = s->lib > s->text ? s->lib - s->text : 0;
}

static void ignored_and_caught(const struct task *t, sigset64 *ign, sigset64 *cgt)
{
	*ign = *cgt = 0;
	if (!t->sighand)
		return;
	for (int s = 1; s <= LX_NSIG; s++) {
		if (t->sighand->act[s].handler == LX_SIG_IGN)
			*ign |= SIGBIT(s);
		else if (t->sighand->act[s].handler != LX_SIG_DFL)
			*cgt |= SIGBIT(s);
	}
}

static int priority(const struct task *t)
{
	return t->sched_policy == 1 || t->sched_policy == 2 ? -1 - t->sched_prio : 20 + t->nice;
}

static uint64_t start_ticks(const struct pseudo_node *n, const struct proc_ref *r)
{
	uint64_t at = n->id.tid ? r->t->start_mono_ns : r->tg->start_mono_ns;
	uint64_t boot = proc_kernel(n)->boot_mono_ns;

	return at > boot ? (at - boot) / NS_PER_TICK : 0;
}

/* ---- stat ---- */

static void stat_memory(struct pseudo_buf *b, const struct proc_ref *r, uint64_t start)
{
	struct mm *mm = r->t->mm;
	bool open = !proc_link_access(r, task_current);

	pb_printf(b, " %llu %llu %llu %llu", (ull)start,
		  mm ? (ull)mm->total_vm * LX_PAGE_SIZE : 0, mm ? (ull)proc_rss_pages(mm) : 0,
		  (ull)r->tg->rlim[LX_RLIMIT_RSS].cur);
	if (mm && open)
		pb_printf(b, " %llu %llu %llu 0 0", (ull)mm->start_code, (ull)mm->end_code,
			  (ull)mm->start_stack);
	else
		pb_printf(b, " %d %d 0 0 0", mm != NULL, mm != NULL);
}

static void stat_tail(struct pseudo_buf *b, const struct proc_ref *r)
{
	const struct mm *mm = r->t->mm;
	bool open = !proc_link_access(r, task_current);
	sigset64 ign, cgt;
	uint64_t low = 0x7fffffff;

	ignored_and_caught(r->t, &ign, &cgt);
	pb_printf(b, " %llu %llu %llu %llu 0 0 0 %d %d %d %d 0 0 %lld",
		  (ull)(r->t->pending.set & low), (ull)(r->t->sigmask & low), (ull)(ign & low),
		  (ull)(cgt & low), r->tg->exit_signal, 0,
		  r->t->sched_policy == 1 || r->t->sched_policy == 2 ? r->t->sched_prio : 0,
		  r->t->sched_policy, 0LL);
	if (mm && open)
		pb_printf(b, " %llu %llu %llu %llu %llu %llu %llu", (ull)mm->start_data,
			  (ull)mm->end_data, (ull)mm->start_brk, (ull)mm->arg_start,
			  (ull)mm->arg_end, (ull)mm->env_start, (ull)mm->env_end);
	else
		pb_puts(b, " 0 0 0 0 0 0 0");
	pb_printf(b, " %d\n", open ? r->tg->exit_code : 0);
}

int proc_show_stat(struct pseudo_node *n, struct pseudo_buf *b)
{
	PROC_REF struct proc_ref r = { NULL, NULL };
	const struct session *s;
	uint64_t user, sys;

	if (proc_ref_get(n, &r))
		return -LX_ESRCH;
	s = r.tg->session;
	cpu_time(n, &r, &user, &sys);
	pb_printf(b, "%d (%.15s) %c %d %d %d %u %d %u 0 0 0 0", r.t->tid, r.t->comm,
		  state_of(r.t), r.tg->parent ? r.tg->parent->tgid : 0, r.tg->pgid,
		  s ? s->sid : 0, s ? tty_dev(s->tty) : 0, s && s->tty ? s->fg_pgid : -1,
		  r.t->state == TASK_DEAD ? 0x40400cU : 0x400000U);
	pb_printf(b, " %llu %llu %llu %llu %d %d %u 0", (ull)(user / NS_PER_TICK),
		  (ull)(sys / NS_PER_TICK), (ull)(r.tg->cused.user_ns / NS_PER_TICK),
		  (ull)(r.tg->cused.sys_ns / NS_PER_TICK), priority(r.t), r.t->nice,
		  r.tg->nlive ? r.tg->nlive : 1);
	stat_memory(b, &r, start_ticks(n, &r));
	stat_tail(b, &r);
	return 0;
}

int proc_show_statm(struct pseudo_node *n, struct pseudo_buf *b)
{
	PROC_REF struct proc_ref r = { NULL, NULL };
	struct sizes s;
	struct mm *mm;

	if (proc_ref_get(n, &r))
		return -LX_ESRCH;
	mm = r.t->mm;
	mm_sizes(mm, &s);
	pb_printf(b, "%llu %llu %llu %llu 0 %llu 0\n", mm ? (ull)mm->total_vm : 0,
		  (ull)proc_rss_pages(mm), (ull)(s.text + s.lib), (ull)s.text,
		  mm ? (ull)(mm->data_vm + s.stack) : 0);
	return 0;
}

/* ---- status ---- */

static void status_ids(struct pseudo_buf *b, const struct proc_ref *r)
{
	const struct cred *c = r->t->cred;
	struct file *f;
	int fd = -1, high = 0;

	for (int at = 0; r->t->fds && (fd = fdtable_next(r->t->fds, at, &f)) >= 0; at = fd + 1) {
		high = fd + 1;
		file_put(f);
	}
	pb_printf(b, "Uid:\t%u\t%u\t%u\t%u\nGid:\t%u\t%u\t%u\t%u\nFDSize:\t%d\nGroups:\t",
		  c->uid, c->euid, c->suid, c->fsuid, c->gid, c->egid, c->sgid, c->fsgid,
		  r->t->fds ? (high + 63) / 64 * 64 + (high ? 0 : 64) : 0);
	for (uint32_t i = 0; i < c->ngroups; i++)
		pb_printf(b, "%u ", c->groups[i]);
	pb_printf(b, "\nNStgid:\t%d\nNSpid:\t%d\nNSpgid:\t%d\nNSsid:\t%d\nKthread:\t0\n",
		  r->tg->tgid, r->t->tid, r->tg->pgid, r->tg->session ? r->tg->session->sid : 0);
}

static void status_memory(struct pseudo_buf *b, struct mm *mm)
{
	uint64_t kb = LX_PAGE_SIZE / 1024, rss = proc_rss_pages(mm) * kb;
	struct sizes s;

	mm_sizes(mm, &s);
	pb_printf(b, "VmPeak:\t%8llu kB\nVmSize:\t%8llu kB\nVmLck:\t%8llu kB\nVmPin:\t%8u kB\n"
		     "VmHWM:\t%8llu kB\nVmRSS:\t%8llu kB\nRssAnon:\t%8llu kB\n"
		     "RssFile:\t%8llu kB\nRssShmem:\t%8u kB\n",
		  (ull)(mm->total_vm * kb), (ull)(mm->total_vm * kb), (ull)(mm->locked_vm * kb),
		  0, (ull)rss, (ull)rss,
		  (ull)(rss > (s.text + s.lib) * kb ? rss - (s.text + s.lib) * kb : 0),
		  (ull)((s.text + s.lib) * kb), 0);
	pb_printf(b, "VmData:\t%8llu kB\nVmStk:\t%8llu kB\nVmExe:\t%8llu kB\nVmLib:\t%8llu kB\n"
		     "VmPTE:\t%8llu kB\nVmSwap:\t%8u kB\nHugetlbPages:\t%8u kB\n"
		     "CoreDumping:\t0\nTHP_enabled:\t%d\nuntag_mask:\t0xffffffffffffffff\n",
		  (ull)(mm->data_vm * kb), (ull)(s.stack * kb), (ull)(s.text * kb),
		  (ull)(s.lib * kb), (ull)(mm->total_vm / 512 * 4 + 8), 0, 0,
		  !(mm->flags & MMF_THP_DISABLE) || (mm->flags & MMF_THP_EXCEPT_ADVISED));
}

static void status_signals(struct pseudo_buf *b, const struct proc_ref *r)
{
	const struct cred *c = r->t->cred;
	sigset64 ign, cgt;

	ignored_and_caught(r->t, &ign, &cgt);
	pb_printf(b, "Threads:\t%u\nSigQ:\t%u/%llu\nSigPnd:\t%016llx\nShdPnd:\t%016llx\n"
		     "SigBlk:\t%016llx\nSigIgn:\t%016llx\nSigCgt:\t%016llx\n",
		  r->tg->nlive ? r->tg->nlive : 1, r->t->pending.count + r->tg->pending.count,
		  (ull)r->tg->rlim[LX_RLIMIT_SIGPENDING].cur, (ull)r->t->pending.set,
		  (ull)r->tg->pending.set, (ull)r->t->sigmask, (ull)ign, (ull)cgt);
	pb_printf(b, "CapInh:\t%016llx\nCapPrm:\t%016llx\nCapEff:\t%016llx\nCapBnd:\t%016llx\n"
		     "CapAmb:\t%016llx\nNoNewPrivs:\t%d\nSeccomp:\t%d\nSeccomp_filters:\t%u\n"
		     "Speculation_Store_Bypass:\tnot vulnerable\n"
		     "SpeculationIndirectBranch:\tnot affected\n",
		  (ull)c->cap_inh, (ull)c->cap_perm, (ull)c->cap_eff, (ull)c->cap_bset,
		  (ull)c->cap_amb, r->t->no_new_privs, r->t->seccomp_mode, r->t->seccomp_count);
}

static void status_cpus(struct pseudo_buf *b, const struct task *t)
{
	unsigned n = host_cpus()->count;
	uint64_t mask[16];
	bool any = false;

	for (int i = 0; i < 16; i++)
		any |= t->affinity[i] != 0;
	for (unsigned i = 0; i < 16; i++)
		mask[i] = any ? t->affinity[i]
			: n >= (i + 1) * 64 ? UINT64_MAX
			: n > i * 64 ? (1ULL << (n - i * 64)) - 1 : 0;
	pb_puts(b, "Cpus_allowed:\t");
	for (int w = n ? (int)(n - 1) / 32 : 0, first = 1; w >= 0; w--, first = 0)
		pb_printf(b, first ? "%x" : ",%08x",
			  (unsigned)(mask[w / 2] >> (w % 2 * 32) & 0xffffffff));
	pb_puts(b, "\nCpus_allowed_list:\t");
	for (unsigned i = 0, first = 1; i < n && i < 1024; i++) {
		unsigned end = i;

		if (!(mask[i / 64] >> (i % 64) & 1))
			continue;
		while (end + 1 < n && end + 1 < 1024 &&
		       (mask[(end + 1) / 64] >> ((end + 1) % 64) & 1))
			end++;
		pb_printf(b, end > i ? "%s%u-%u" : "%s%u", first ? "" : ",", i, end);
		first = 0;
		i = end;
	}
	pb_printf(b, "\nMems_allowed:\t00000000,00000001\nMems_allowed_list:\t0\n"
		     "voluntary_ctxt_switches:\t%llu\nnonvoluntary_ctxt_switches:\t0\n",
		  (ull)t->nvcsw);
}

int proc_show_status(struct pseudo_node *n, struct pseudo_buf *b)
{
	PROC_REF struct proc_ref r = { NULL, NULL };
	char comm[16], state;

	if (proc_ref_get(n, &r))
		return -LX_ESRCH;
	state = state_of(r.t);
	snprintf(comm, sizeof(comm), "%.15s", r.t->comm);
	pb_puts(b, "Name:\t");
	pb_escape(b, comm, "\n\\");
	if (r.t->fs)
		pb_printf(b, "\nUmask:\t%04o", r.t->fs->umask);
	pb_printf(b, "\nState:\t%c (%s)\nTgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t%d\nTracerPid:\t0\n",
		  state, state_name(state), r.tg->tgid, r.t->tid,
		  r.tg->parent ? r.tg->parent->tgid : 0);
	status_ids(b, &r);
	if (r.t->mm)
		status_memory(b, r.t->mm);
	status_signals(b, &r);
	status_cpus(b, r.t);
	return 0;
}

/* ---- limits, sched ---- */

int proc_show_limits(struct pseudo_node *n, struct pseudo_buf *b)
{
	static const struct {
		const char *name, *unit;
	} lim[LX_RLIM_NLIMITS] = {
		{ "Max cpu time", "seconds" }, { "Max file size", "bytes" },
		{ "Max data size", "bytes" }, { "Max stack size", "bytes" },
		{ "Max core file size", "bytes" }, { "Max resident set", "bytes" },
		{ "Max processes", "processes" }, { "Max open files", "files" },
		{ "Max locked memory", "bytes" }, { "Max address space", "bytes" },
		{ "Max file locks", "locks" }, { "Max pending signals", "signals" },
		{ "Max msgqueue size", "bytes" }, { "Max nice priority", "" },
		{ "Max realtime priority", "" }, { "Max realtime timeout", "us" },
	};
	PROC_REF struct proc_ref r = { NULL, NULL };

	if (proc_ref_get(n, &r))
		return -LX_ESRCH;
	pb_printf(b, "%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit", "Hard Limit", "Units");
	for (unsigned i = 0; i < LX_RLIM_NLIMITS; i++) {
		uint64_t v[2] = { r.tg->rlim[i].cur, r.tg->rlim[i].max };

		pb_printf(b, "%-25s ", lim[i].name);
		for (int j = 0; j < 2; j++) {
			if (v[j] == LX_RLIM_INFINITY)
				pb_printf(b, "%-20s ", "unlimited");
			else
				pb_printf(b, "%-20llu ", (ull)v[j]);
		}
		pb_printf(b, "%-10s\n", lim[i].unit);
	}
	return 0;
}

int proc_show_schedstat(struct pseudo_node *n, struct pseudo_buf *b)
{
	PROC_REF struct proc_ref r = { NULL, NULL };
	uint64_t user, sys;

	if (proc_ref_get(n, &r))
		return -LX_ESRCH;
	cpu_time(n, &r, &user, &sys);
	pb_printf(b, "%llu 0 %llu\n", (ull)(user + sys), (ull)r.t->nvcsw);
	return 0;
}

int proc_show_sched(struct pseudo_node *n, struct pseudo_buf *b)
{
	PROC_REF struct proc_ref r = { NULL, NULL };
	uint64_t user, sys;

	if (proc_ref_get(n, &r))
		return -LX_ESRCH;
	cpu_time(n, &r, &user, &sys);
	pb_printf(b, "%.15s (%d, #threads: %u)\n", r.t->comm, r.t->tid, r.tg->nlive);
	pb_puts(b, "-------------------------------------------------------------------\n");
	pb_printf(b, "%-45s:%21llu.%06llu\n", "se.sum_exec_runtime", (ull)((user + sys) / 1000000),
		  (ull)((user + sys) % 1000000));
	pb_printf(b, "%-45s:%21llu\n", "nr_switches", (ull)r.t->nvcsw);
	pb_printf(b, "%-45s:%21llu\n", "nr_voluntary_switches", (ull)r.t->nvcsw);
	pb_printf(b, "%-45s:%21d\n%-45s:%21d\n", "policy", r.t->sched_policy, "prio",
		  100 + priority(r.t));
	return 0;
}
