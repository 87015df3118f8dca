/* Files about the whole sandbox: /proc/stat, meminfo, uptime, loadavg and friends. What
 * the sentry knows (processes, forks, times) is true of the sandbox; memory, processors
 * and load are the host's, as in a container. */
#include <string.h>

#include "sentry/fs/proc/hostinfo.h"
#include "sentry/fs/proc/proc_impl.h"

typedef unsigned long long ull;

int proc_show_cpuinfo(struct pseudo_node *n, struct pseudo_buf *b)
{
	(void)n;
	cpuinfo_show(b, host_cpus()->count);
	return 0;
}

int proc_show_meminfo(struct pseudo_node *n, struct pseudo_buf *b)
{
	struct host_mem m;
	uint64_t cached, used;

	(void)n;
	host_mem(&m);
	/* The host's page cache size is not to be had: say nothing of it. */
	cached = m.shared;
	used = m.total - m.free - m.buffers;
	pb_printf(b, "MemTotal:       %8llu kB\nMemFree:        %8llu kB\n"
		     "MemAvailable:   %8llu kB\nBuffers:        %8llu kB\n"
		     "Cached:         %8llu kB\nSwapCached:            0 kB\n"
		     "Active:         %8llu kB\nInactive:              0 kB\n"
		     "Active(anon):   %8llu kB\nInactive(anon):        0 kB\n"
		     "Active(file):          0 kB\nInactive(file):        0 kB\n"
		     "Unevictable:           0 kB\nMlocked:               0 kB\n",
		  (ull)(m.total >> 10), (ull)(m.free >> 10), (ull)((m.free + m.buffers) >> 10),
		  (ull)(m.buffers >> 10), (ull)(cached >> 10), (ull)(used >> 10),
		  (ull)(used >> 10));
	pb_printf(b, "SwapTotal:      %8llu kB\nSwapFree:       %8llu kB\n"
		     "Dirty:                 0 kB\nWriteback:             0 kB\n"
		     "AnonPages:      %8llu kB\nMapped:                0 kB\n"
		     "Shmem:          %8llu kB\nKReclaimable:          0 kB\n"
		     "Slab:                  0 kB\nSReclaimable:          0 kB\n"
		     "SUnreclaim:            0 kB\nKernelStack:           0 kB\n"
		     "PageTables:            0 kB\nCommitLimit:    %8llu kB\n"
		     "Committed_AS:   %8llu kB\n",
		  (ull)(m.swap_total >> 10), (ull)(m.swap_free >> 10), (ull)(used >> 10),
		  (ull)(m.shared >> 10), (ull)((m.total / 2 + m.swap_total) >> 10),
		  (ull)(used >> 10));
	pb_puts(b, "VmallocTotal:   34359738367 kB\nVmallocUsed:           0 kB\n"
		   "VmallocChunk:          0 kB\nHugePages_Total:       0\n"
		   "HugePages_Free:        0\nHugePages_Rsvd:        0\n"
		   "HugePages_Surp:        0\nHugepagesize:       2048 kB\n"
		   "Hugetlb:               0 kB\n");
	return 0;
}

/* ---- processes and their times ---- */

struct census {
	unsigned procs, threads, running, blocked;
	uint64_t user, sys;
	int last_pid;
};

static void count(struct kernel *k, struct census *c)
{
	struct tgroup *tg;
	const struct task *t;
	uint64_t user, sys;
	int at = 0;

	memset(c, 0, sizeof(*c));
	while ((tg = tgroup_next(k, at)) != NULL) {
		at = c->last_pid = tg->tgid;
		c->procs++;
		list_for_each(t, &tg->tasks, tg_link) {
			c->threads++;
			c->running += t->state == TASK_RUNNING || t->state == TASK_READY;
		}
		tgroup_cputime(tg, &user, &sys);
		c->user += user + tg->cused.user_ns;
		c->sys += sys + tg->cused.sys_ns;
		tgroup_put(tg);
	}
}

/* user and system ticks of all processors, idle ticks. */
static void busy_ticks(struct kernel *k, const struct census *c, uint64_t out[3])
{
	struct procfs *pf = procfs_of(k);
	uint64_t all = kernel_uptime_ns(k) / NS_PER_TICK * host_cpus()->count;

	out[0] = c->user / NS_PER_TICK;
	out[1] = c->sys / NS_PER_TICK;
	/* Times of processes that nobody waited for are lost, but the sums that readers
	 * take differences of must not go back. */
	for (int i = 0; pf && i < 2; i++)
		out[i] = pf->max_ticks[i] = out[i] > pf->max_ticks[i] ? out[i] : pf->max_ticks[i];
	out[2] = all > out[0] + out[1] ? all - out[0] - out[1] : 0;
}

int proc_show_gstat(struct pseudo_node *n, struct pseudo_buf *b)
{
	struct kernel *k = proc_kernel(n);
	unsigned ncpus = host_cpus()->count;
	struct census c;
	uint64_t v[3];

	count(k, &c);
	busy_ticks(k, &c, v);
	pb_printf(b, "cpu  %llu 0 %llu %llu 0 0 0 0 0 0\n", (ull)v[0], (ull)v[1], (ull)v[2]);
	for (unsigned i = 0; i < ncpus; i++)
		pb_printf(b, "cpu%u %llu 0 %llu %llu 0 0 0 0 0 0\n", i, (ull)(v[0] / ncpus),
			  (ull)(v[1] / ncpus), (ull)(v[2] / ncpus));
	pb_printf(b, "intr 0\nctxt %llu\nbtime %lld\nprocesses %llu\nprocs_running %u\n"
		     "procs_blocked %u\nsoftirq 0 0 0 0 0 0 0 0 0 0 0\n",
		  (ull)k->ctxt, (long long)(k->boot_real_ns / 1000000000), (ull)k->total_forks,
		  c.running ? c.running : 1, c.blocked);
	return 0;
}

int proc_show_uptime(struct pseudo_node *n, struct pseudo_buf *b)
{
	struct kernel *k = proc_kernel(n);
	uint64_t up = kernel_uptime_ns(k) / NS_PER_TICK;
	struct census c;
	uint64_t v[3];

	count(k, &c);
	busy_ticks(k, &c, v);
	pb_printf(b, "%llu.%02llu %llu.%02llu\n", (ull)(up / USER_HZ), (ull)(up % USER_HZ),
		  (ull)(v[2] / USER_HZ), (ull)(v[2] % USER_HZ));
	return 0;
}

int proc_show_loadavg(struct pseudo_node *n, struct pseudo_buf *b)
{
	struct host_mem m;
	struct census c;

	count(proc_kernel(n), &c);
	host_mem(&m);
	for (int i = 0; i < 3; i++)
		pb_printf(b, "%llu.%02llu ", (ull)(m.loads[i] >> 16),
			  (ull)((m.loads[i] & 0xffff) * 100 >> 16));
	pb_printf(b, "%u/%u %d\n", c.running ? c.running : 1, c.threads, c.last_pid);
	return 0;
}

/* ---- the rest ---- */

int proc_show_filesystems(struct pseudo_node *n, struct pseudo_buf *b)
{
	const struct fs_type *t;

	(void)n;
	for (unsigned i = 0; (t = fs_type_at(i)) != NULL; i++)
		pb_printf(b, "%s\t%s\n", t->nodev ? "nodev" : "", t->name);
	return 0;
}

int proc_show_vmstat(struct pseudo_node *n, struct pseudo_buf *b)
{
	struct host_mem m;

	(void)n;
	host_mem(&m);
	pb_printf(b, "nr_free_pages %llu\nnr_inactive_anon 0\nnr_active_anon %llu\n"
		     "nr_inactive_file 0\nnr_active_file 0\nnr_dirty 0\nnr_writeback 0\n"
		     "pgpgin 0\npgpgout 0\npswpin 0\npswpout 0\npgfault 0\npgmajfault 0\n"
		     "pgfree 0\noom_kill 0\n",
		  (ull)(m.free / 4096), (ull)((m.total - m.free) / 4096));
	return 0;
}

static void cpu_columns(struct pseudo_buf *b, const char *fmt)
{
	for (unsigned i = 0; i < host_cpus()->count; i++) {
		if (*fmt == 'C')
			pb_printf(b, "CPU%-8u", i);
		else
			pb_puts(b, "          0");
	}
	pb_puts(b, "\n");
}

int proc_show_interrupts(struct pseudo_node *n, struct pseudo_buf *b)
{
	(void)n;
	pb_puts(b, "            ");
	cpu_columns(b, "C");
	pb_puts(b, "LOC: ");
	cpu_columns(b, "0");
	return 0;
}

int proc_show_softirqs(struct pseudo_node *n, struct pseudo_buf *b)
{
	static const char *const names[] = { "HI", "TIMER", "NET_TX", "NET_RX", "BLOCK",
					     "IRQ_POLL", "TASKLET", "SCHED", "HRTIMER", "RCU" };

	(void)n;
	pb_puts(b, "                    ");
	cpu_columns(b, "C");
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		pb_printf(b, "%12s:", names[i]);
		cpu_columns(b, "0");
	}
	return 0;
}

int proc_show_zoneinfo(struct pseudo_node *n, struct pseudo_buf *b)
{
	struct host_mem m;

	(void)n;
	host_mem(&m);
	pb_printf(b, "Node 0, zone   Normal\n  pages free     %llu\n        min      0\n"
		     "        low      0\n        high     0\n        spanned  %llu\n"
		     "        present  %llu\n        managed  %llu\n",
		  (ull)(m.free / 4096), (ull)(m.total / 4096), (ull)(m.total / 4096),
		  (ull)(m.total / 4096));
	return 0;
}
