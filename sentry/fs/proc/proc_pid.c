/* /proc/PID and /proc/PID/task/TID: the tables, and the small files. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sentry/fs/proc/proc_impl.h"
#include "sentry/mm/mm.h"
#include "syscalls/abi/lx_cap.h"
#include "syscalls/abi/lx_dirent.h"

/* ---- comm ---- */

static int show_comm(struct pseudo_node *n, struct pseudo_buf *b)
{
	PROC_REF struct proc_ref r = { NULL, NULL };

	if (proc_ref_get(n, &r))
		return -LX_ESRCH;
	pb_printf(b, "%.15s\n", r.t->comm);
	return 0;
}

static int64_t write_comm(struct pseudo_node *n, char *text, size_t len)
{
	PROC_REF struct proc_ref r = { NULL, NULL };

	if (proc_ref_get(n, &r))
		return -LX_ESRCH;
	if (!task_current || task_current->tg != r.tg)
		return -LX_EINVAL;
	snprintf(r.t->comm, sizeof(r.t->comm), "%.15s", text);
	return (int64_t)len;
}

/* ---- numbers ---- */

enum { NUM_PERSONALITY, NUM_TIMERSLACK, NUM_OOM_SCORE, NUM_OOM_SCORE_ADJ, NUM_OOM_ADJ };

static int show_number(struct pseudo_node *n, struct pseudo_buf *b)
{
	PROC_REF struct proc_ref r = { NULL, NULL };
	int adj;

	if (proc_ref_get(n, &r))
		return -LX_ESRCH;
	adj = r.tg->oom_score_adj;
	switch (n->e->arg) {
	case NUM_PERSONALITY:
		pb_printf(b, "%08llx\n", (unsigned long long)r.t->personality);
		break;
	case NUM_TIMERSLACK:
		pb_printf(b, "%llu\n", (unsigned long long)r.t->timer_slack_ns);
		break;
	case NUM_OOM_SCORE:
		pb_printf(b, "%d\n", adj <= -1000 ? 0 : (1000 + adj) * 2 / 3);
		break;
	case NUM_OOM_SCORE_ADJ:
		pb_printf(b, "%d\n", adj);
		break;
	default:
		pb_printf(b, "%d\n", adj >= 1000 ? 15 : adj * 17 / 1000);
		break;
	}
	return 0;
}

static int64_t write_number(struct pseudo_node *n, char *text, size_t len)
{
	PROC_REF struct proc_ref r = { NULL, NULL };
	bool may_lower = !task_current || task_capable(task_current, LX_CAP_SYS_RESOURCE);
	int64_t v;

	if (proc_ref_get(n, &r))
		return -LX_ESRCH;
	if (pseudo_parse_i64(text, &v))
		return -LX_EINVAL;
	if (n->e->arg == NUM_TIMERSLACK) {
		if (task_current != r.t && task_current &&
		    !task_capable(task_current, LX_CAP_SYS_NICE))
			return -LX_EPERM;
		r.t->timer_slack_ns = v > 0 ? (uint64_t)v : 50000;
		return (int64_t)len;
	}
	if (n->e->arg == NUM_OOM_ADJ) {
		if (v < -17 || v > 15)
			return -LX_EINVAL;
		v = v == 15 ? 1000 : v * 1000 / 17;
	}
	if (v < -1000 || v > 1000)
		return -LX_EINVAL;
	if (v < r.tg->oom_score_adj && !may_lower)
		return -LX_EACCES;
	r.tg->oom_score_adj = (int)v;
	return (int64_t)len;
}

static int64_t write_refuse(struct pseudo_node *n, char *text, size_t len)
{
	(void)n;
	(void)text;
	(void)len;
	return -LX_EPERM;
}

static int64_t write_accept(struct pseudo_node *n, char *text, size_t len)
{
	(void)n;
	(void)text;
	return (int64_t)len;
}

/* ---- what the task does now ---- */

static int show_syscall(struct pseudo_node *n, struct pseudo_buf *b)
{
	PROC_REF struct proc_ref r = { NULL, NULL };
	const struct task *t;

	if (proc_ref_get(n, &r))
		return -LX_ESRCH;
	t = r.t;
	/* The stack pointer of a partial trap is not known: 0. */
	if (t->state == TASK_PARKED && t->sysno != UINT64_MAX && t->regs) {
		pb_printf(b, "%lld", (long long)t->sysno);
		for (int i = 0; i < 6; i++)
			pb_printf(b, " 0x%llx", (unsigned long long)t->sysargs[i]);
		pb_printf(b, " 0x%llx 0x%llx\n", (unsigned long long)t->regs->rsp,
			  (unsigned long long)t->regs->rip);
	} else {
		pb_puts(b, "running\n");
	}
	return 0;
}

static int show_io(struct pseudo_node *n, struct pseudo_buf *b)
{
	PROC_REF struct proc_ref r = { NULL, NULL };

	if (proc_ref_get(n, &r))
		return -LX_ESRCH;
	/* What reaches a device is the host's business. */
	pb_printf(b, "rchar: %llu\nwchar: %llu\nsyscr: %llu\nsyscw: %llu\nread_bytes: 0\n"
		     "write_bytes: 0\ncancelled_write_bytes: 0\n",
		  (unsigned long long)r.tg->io.rchar, (unsigned long long)r.tg->io.wchar,
		  (unsigned long long)r.tg->io.syscr, (unsigned long long)r.tg->io.syscw);
	return 0;
}

static int show_children(struct pseudo_node *n, struct pseudo_buf *b)
{
	PROC_REF struct proc_ref r = { NULL, NULL };
	const struct tgroup *c;

	if (proc_ref_get(n, &r))
		return -LX_ESRCH;
	list_for_each(c, &r.tg->children, sibling)
		if (c->parent_tid == r.t->tid || (!c->parent_tid && r.t->tid == r.tg->tgid))
			pb_printf(b, "%d ", c->tgid);
	return 0;
}

/* ---- threads ---- */

static int task_lookup_dir(struct pseudo_node *dir, const char *name, struct pseudo_found *out)
{
	PROC_REF struct proc_ref r = { NULL, NULL };
	struct task *t;
	char *end;
	long tid = strtol(name, &end, 10);

	if (*end || tid <= 0 || tid > INT32_MAX || *name == '0' || *name == '+')
		return -LX_ENOENT;
	if (proc_ref_get(dir, &r))
		return -LX_ENOENT;
	t = task_lookup(proc_kernel(dir), (int)tid);
	if (!t)
		return -LX_ENOENT;
	out->e = &proc_tid_entry;
	out->id.tid = (int)tid;
	tid = t->tg == r.tg;
	task_put(t);
	return tid ? 0 : -LX_ENOENT;
}

/* In order of thread ids, as new threads come in at the end of the list anyway. */
static bool task_next(struct pseudo_node *dir, uint64_t *cursor, char *name, size_t size,
		      unsigned *dtype)
{
	PROC_REF struct proc_ref r = { NULL, NULL };
	const struct task *t;
	int best = 0;

	if (proc_ref_get(dir, &r))
		return false;
	list_for_each(t, &r.tg->tasks, tg_link)
		if ((uint64_t)t->tid >= *cursor && (!best || t->tid < best))
			best = t->tid;
	/* A leader that ended before its threads still has its directory. */
	if (*cursor <= (uint64_t)r.tg->tgid && (!best || r.tg->tgid < best))
		best = r.tg->tgid;
	if (!best)
		return false;
	*cursor = (uint64_t)best;
	*dtype = LX_DT_DIR;
	snprintf(name, size, "%d", best);
	return true;
}

/* ---- the tables ---- */

#define TEXT(name, perm, text, ...) \
	PSEUDO_REG(name, perm, .show = pseudo_show_text, .arg = PSEUDO_TEXT(text), __VA_ARGS__)
#define PTRACE .permission = proc_permission_ptrace

/* What processes and threads have alike. */
#define PID_COMMON                                                                            \
	PSEUDO_DIR("fd", 0500, .lookup = proc_fd_lookup, .next = proc_fd_next,                \
		   .permission = proc_fd_permission),                                         \
	PSEUDO_DIR("fdinfo", 0555, .lookup = proc_fdinfo_lookup, .next = proc_fdinfo_next,    \
		   PTRACE),                                                                   \
	PSEUDO_DIR("ns", 0511, .children = proc_ns_children),                                 \
	PSEUDO_DIR("net", 0555, .children = proc_net_children),                               \
	PSEUDO_LNK("exe", .readlink = proc_exe_readlink, .get_link = proc_exe_get_link),      \
	PSEUDO_LNK("cwd", .readlink = proc_cwd_readlink, .get_link = proc_cwd_get_link),      \
	PSEUDO_LNK("root", .readlink = proc_root_readlink, .get_link = proc_root_get_link),   \
	PSEUDO_REG("stat", 0444, .show = proc_show_stat),                                     \
	PSEUDO_REG("statm", 0444, .show = proc_show_statm),                                   \
	PSEUDO_REG("status", 0444, .show = proc_show_status),                                 \
	PSEUDO_REG("cmdline", 0444, .show = proc_show_cmdline),                               \
	PSEUDO_REG("comm", 0644, .show = show_comm, .write = write_comm),                     \
	PSEUDO_REG("environ", 0400, .show = proc_show_environ, PTRACE),                       \
	PSEUDO_REG("auxv", 0400, .show = proc_show_auxv, PTRACE),                             \
	PSEUDO_REG("maps", 0444, .show = proc_show_maps, PTRACE),                             \
	PSEUDO_REG("smaps", 0444, .show = proc_show_smaps, PTRACE),                           \
	PSEUDO_REG("smaps_rollup", 0444, .show = proc_show_smaps_rollup, PTRACE),             \
	PSEUDO_REG("mem", 0600, .open = proc_open_mem, PTRACE),                               \
	PSEUDO_REG("limits", 0444, .show = proc_show_limits),                                 \
	PSEUDO_REG("mounts", 0444, .show = proc_show_mounts),                                 \
	PSEUDO_REG("mountinfo", 0444, .show = proc_show_mountinfo),                           \
	PSEUDO_REG("io", 0400, .show = show_io, PTRACE),                                      \
	PSEUDO_REG("syscall", 0400, .show = show_syscall, PTRACE),                            \
	PSEUDO_REG("sched", 0644, .show = proc_show_sched, .write = write_accept),            \
	PSEUDO_REG("schedstat", 0444, .show = proc_show_schedstat),                           \
	PSEUDO_REG("personality", 0400, .show = show_number, .arg = NUM_PERSONALITY, PTRACE), \
	PSEUDO_REG("oom_score", 0444, .show = show_number, .arg = NUM_OOM_SCORE),             \
	PSEUDO_REG("oom_score_adj", 0644, .show = show_number, .write = write_number,         \
		   .arg = NUM_OOM_SCORE_ADJ),                                                 \
	PSEUDO_REG("oom_adj", 0644, .show = show_number, .write = write_number,               \
		   .arg = NUM_OOM_ADJ),                                                       \
	TEXT("wchan", 0444, "0", ),                                                           \
	TEXT("stack", 0400, "", PTRACE),                                                      \
	TEXT("cgroup", 0444, "0::/\n", ),                                                     \
	TEXT("cpuset", 0444, "/\n", ),                                                        \
	TEXT("loginuid", 0644, "4294967295", .write = write_refuse),                          \
	TEXT("sessionid", 0444, "4294967295", ),                                              \
	TEXT("uid_map", 0644, "         0          0 4294967295\n", .write = write_refuse),   \
	TEXT("gid_map", 0644, "         0          0 4294967295\n", .write = write_refuse),   \
	TEXT("projid_map", 0644, "         0          0 4294967295\n", .write = write_refuse), \
	TEXT("setgroups", 0644, "allow\n", .write = write_refuse),                            \
	TEXT("numa_maps", 0444, "", PTRACE),                                                  \
	TEXT("clear_refs", 0200, "", .write = write_accept)

static const struct pseudo_entry tid_children[] = {
	PID_COMMON,
	PSEUDO_REG("children", 0444, .show = show_children),
	{ 0 },
};

static const struct pseudo_entry pid_children[] = {
	PID_COMMON,
	PSEUDO_DIR("task", 0555, .lookup = task_lookup_dir, .next = task_next),
	PSEUDO_REG("mountstats", 0400, .show = proc_show_mountstats),
	PSEUDO_REG("timerslack_ns", 0666, .show = show_number, .write = write_number,
		   .arg = NUM_TIMERSLACK),
	TEXT("coredump_filter", 0644, "00000033\n", .write = write_accept),
	TEXT("autogroup", 0644, "/autogroup-1 nice 0\n", .write = write_accept),
	TEXT("timers", 0444, "", ),
	{ 0 },
};

const struct pseudo_entry proc_pid_entry = PSEUDO_DIR("pid", 0555, .children = pid_children);
const struct pseudo_entry proc_tid_entry = PSEUDO_DIR("tid", 0555, .children = tid_children);
