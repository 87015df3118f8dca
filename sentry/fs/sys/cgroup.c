/* cgroup2, read-only: the sandbox's own group as the root of the hierarchy, with the limits
 * that the container was given (JVMs and others size themselves by them). */
#include "sentry/fs/sys/cgroup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sentry/fs/proc/proc.h"
#include "sentry/fs/proc/pseudo.h"
#include "sentry/mm/mm.h"
#include "sentry/task/task.h"

#define CGROUP2_MAGIC 0x63677270

enum what {
	CG_MEM_MAX, CG_MEM_CURRENT, CG_CPU_MAX, CG_CPU_STAT, CG_PIDS_MAX, CG_PIDS_CURRENT,
	CG_PROCS, CG_THREADS, CG_MEM_STAT
};

static struct cgroup_limits limits;

void cgroup_set_limits(const struct cgroup_limits *l)
{
	limits = *l;
}

struct usage {
	uint64_t memory, user_us, sys_us;
	unsigned tasks;
};

static void measure(struct kernel *k, struct usage *u, struct pseudo_buf *ids, bool threads)
{
	struct tgroup *tg;
	struct task *t;
	uint64_t user, sys;
	int at = 0;

	memset(u, 0, sizeof(*u));
	while ((tg = tgroup_next(k, at)) != NULL) {
		at = tg->tgid;
		u->tasks += tg->nlive;
		tgroup_cputime(tg, &user, &sys);
		u->user_us += (user + tg->cused.user_ns) / 1000;
		u->sys_us += (sys + tg->cused.sys_ns) / 1000;
		if (ids && !threads && tg->nlive)
			pb_printf(ids, "%d\n", tg->tgid);
		list_for_each(t, &tg->tasks, tg_link) {
			if (t->mm && t->tid == tg->tgid)
				u->memory += proc_rss_pages(t->mm) * LX_PAGE_SIZE;
			if (ids && threads)
				pb_printf(ids, "%d\n", t->tid);
		}
		tgroup_put(tg);
	}
}

static void show_limit(struct pseudo_buf *b, uint64_t v)
{
	if (v)
		pb_printf(b, "%llu", (unsigned long long)v);
	else
		pb_puts(b, "max");
}

static int show(struct pseudo_node *n, struct pseudo_buf *b)
{
	const struct cgroup_limits *l = &limits;
	struct usage u;
	unsigned what = (unsigned)n->e->arg;
	bool ids = what == CG_PROCS || what == CG_THREADS;

	measure(n->i.sb->k, &u, ids ? b : NULL, what == CG_THREADS);
	switch ((enum what)what) {
	case CG_PROCS:
	case CG_THREADS:
		return 0;
	case CG_MEM_MAX:
		show_limit(b, l->memory);
		break;
	case CG_MEM_CURRENT:
		pb_printf(b, "%llu", (unsigned long long)u.memory);
		break;
	case CG_MEM_STAT:
		pb_printf(b, "anon %llu\nfile 0\nkernel 0\nshmem 0\ninactive_anon 0\n"
			     "active_anon %llu\ninactive_file 0\nactive_file 0",
			  (unsigned long long)u.memory, (unsigned long long)u.memory);
		break;
	case CG_CPU_MAX:
		show_limit(b, l->cpu_quota);
		pb_printf(b, " %llu",
			  (unsigned long long)(l->cpu_period ? l->cpu_period : 100000));
		break;
	case CG_CPU_STAT:
		pb_printf(b, "usage_usec %llu\nuser_usec %llu\nsystem_usec %llu\nnr_periods 0\n"
			     "nr_throttled 0\nthrottled_usec 0",
			  (unsigned long long)(u.user_us + u.sys_us),
			  (unsigned long long)u.user_us, (unsigned long long)u.sys_us);
		break;
	case CG_PIDS_MAX:
		show_limit(b, l->pids);
		break;
	case CG_PIDS_CURRENT:
		pb_printf(b, "%u", u.tasks);
		break;
	}
	pb_puts(b, "\n");
	return 0;
}

#define SHOW(name, what) PSEUDO_REG(name, 0444, .show = show, .arg = what)
#define TEXT(name, text) \
	PSEUDO_REG(name, 0444, .show = pseudo_show_text, .arg = PSEUDO_TEXT(text))

static const struct pseudo_entry root_children[] = {
	TEXT("cgroup.controllers", "cpu memory pids\n"),
	TEXT("cgroup.subtree_control", "\n"),
	TEXT("cgroup.type", "domain\n"),
	TEXT("cgroup.events", "populated 1\nfrozen 0\n"),
	TEXT("cgroup.max.depth", "max\n"),
	TEXT("cgroup.max.descendants", "max\n"),
	TEXT("cgroup.stat", "nr_descendants 0\nnr_dying_descendants 0\n"),
	SHOW("cgroup.procs", CG_PROCS),
	SHOW("cgroup.threads", CG_THREADS),
	SHOW("memory.max", CG_MEM_MAX),
	TEXT("memory.high", "max\n"),
	TEXT("memory.low", "0\n"),
	TEXT("memory.min", "0\n"),
	TEXT("memory.swap.max", "max\n"),
	TEXT("memory.swap.current", "0\n"),
	TEXT("memory.events", "low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\noom_group_kill 0\n"),
	SHOW("memory.current", CG_MEM_CURRENT),
	SHOW("memory.stat", CG_MEM_STAT),
	SHOW("cpu.max", CG_CPU_MAX),
	SHOW("cpu.stat", CG_CPU_STAT),
	TEXT("cpu.weight", "100\n"),
	SHOW("pids.max", CG_PIDS_MAX),
	SHOW("pids.current", CG_PIDS_CURRENT),
	{ 0 },
};

static const struct pseudo_entry root_entry = PSEUDO_DIR("/", 0555, .children = root_children);

static const struct pseudo_fs cg_fs;
static const struct sb_ops cg_sb_ops;

/* Options that change nothing where there is one group. */
static bool known_option(const char *opt)
{
	static const char *const names[] = {
		"nsdelegate", "favordynmods", "nofavordynmods", "memory_localevents",
		"memory_recursiveprot", "memory_hugetlb_accounting", "pids_localevents",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(opt, names[i]) == 0)
			return true;
	return false;
}

static int check_options(const char *data)
{
	AUTO_FREE char *copy = strdup(data);
	char *save = NULL;

	if (!copy)
		return -LX_ENOMEM;
	for (char *opt = strtok_r(copy, ",", &save); opt; opt = strtok_r(NULL, ",", &save))
		if (!known_option(opt))
			return -LX_EINVAL;
	return 0;
}

static int cg_mount(struct kernel *k, const char *source, const char *data,
		    struct superblock **out_sb, struct inode **root)
{
	static const struct pseudo_id id;
	struct superblock *sb;
	int err = data ? check_options(data) : 0;

	(void)source;
	if (err)
		return err;
	sb = superblock_new(k, "cgroup2", CGROUP2_MAGIC, &cg_sb_ops, (void *)(uintptr_t)&cg_fs);
	if (!sb)
		return -LX_ENOMEM;
	*root = pseudo_inode_new(sb, &root_entry, &id, 1);
	if (!*root) {
		superblock_put(sb);
		return -LX_ENOMEM;
	}
	*out_sb = sb;
	return 0;
}

const struct fs_type cgroup2_type = {
	.name = "cgroup2",
	.mount = cg_mount,
	.nodev = true,
	.guest_mountable = true,
};
