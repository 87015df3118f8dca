/* /proc/sys: settings. Those that can be changed are kept per sandbox and followed by the
 * sentry (sysctl_get); the rest say how things are and are read-only, as all of them are in
 * an unprivileged container. */
#include <stdio.h>
#include <string.h>

#include "sentry/fs/proc/proc.h"
#include "sentry/fs/anon/aio.h"
#include "sentry/fs/proc/proc_impl.h"
#include "sentry/task/pid.h"

/* ---- whole numbers ---- */

struct sysctl_int {
	int64_t def, min, max;
	unsigned slot;
};

#define BIG INT64_MAX
static const struct sysctl_int ids[SYSCTL_COUNT_] = {
#define SETTING(id, def, min, max) [id] = { (def), (min), (max), (id) }
	SETTING(SYSCTL_OVERCOMMIT_MEMORY, 0, 0, 2),
	SETTING(SYSCTL_MAX_MAP_COUNT, 65530, 0, INT32_MAX),
	SETTING(SYSCTL_PID_MAX, PID_MAX, 301, PID_MAX),
	SETTING(SYSCTL_THREADS_MAX, 32768, 20, 1 << 22),
	SETTING(SYSCTL_FILE_MAX, BIG, 0, BIG),
	SETTING(SYSCTL_PROTECTED_SYMLINKS, 1, 0, 1),
	SETTING(SYSCTL_PROTECTED_HARDLINKS, 1, 0, 1),
	SETTING(SYSCTL_PROTECTED_FIFOS, 0, 0, 2),
	SETTING(SYSCTL_PROTECTED_REGULAR, 0, 0, 2),
	SETTING(SYSCTL_NR_OPEN, 1048576, 64, 1048576),
	SETTING(SYSCTL_PIPE_MAX_SIZE, 1048576, 4096, 1048576),
	SETTING(SYSCTL_SOMAXCONN, 4096, 0, 65535),
	SETTING(SYSCTL_UNPRIVILEGED_PORT_START, 1024, 0, 65535),
	SETTING(SYSCTL_PORT_RANGE_LOW, 32768, 1, 65535),
	SETTING(SYSCTL_PORT_RANGE_HIGH, 60999, 1, 65535),
	SETTING(SYSCTL_INOTIFY_MAX_WATCHES, 65536, 0, INT32_MAX),
	SETTING(SYSCTL_INOTIFY_MAX_INSTANCES, 128, 0, INT32_MAX),
	SETTING(SYSCTL_INOTIFY_MAX_EVENTS, 16384, 0, INT32_MAX),
	SETTING(SYSCTL_KEYS_MAXKEYS, 200, 0, INT32_MAX),
	SETTING(SYSCTL_KEYS_MAXBYTES, 20000, 0, INT32_MAX),
	SETTING(SYSCTL_KEYS_ROOT_MAXKEYS, 1000000, 0, INT32_MAX),
	SETTING(SYSCTL_KEYS_ROOT_MAXBYTES, 25000000, 0, INT32_MAX),
	SETTING(SYSCTL_KEYS_GC_DELAY, 300, 0, INT32_MAX),
#undef SETTING
};

static int64_t value(struct kernel *k, const struct sysctl_int *s)
{
	const struct procfs *pf = k->procfs;

	return pf && pf->sysctl_set[s->slot] ? pf->sysctl[s->slot] : s->def;
}

static int set_value(struct kernel *k, const struct sysctl_int *s, int64_t v)
{
	struct procfs *pf = procfs_of(k);

	if (!pf)
		return -LX_ENOMEM;
	if (v < s->min || v > s->max)
		return -LX_EINVAL;
	pf->sysctl[s->slot] = v;
	pf->sysctl_set[s->slot] = true;
	return 0;
}

int64_t sysctl_get(struct kernel *k, enum sysctl_id id)
{
	return value(k, &ids[id]);
}

static const struct sysctl_int *int_of(const struct pseudo_node *n)
{
	return (const struct sysctl_int *)(uintptr_t)n->e->arg;
}

static int show_int(struct pseudo_node *n, struct pseudo_buf *b)
{
	pb_printf(b, "%lld\n", (long long)value(proc_kernel(n), int_of(n)));
	return 0;
}

static int64_t write_int(struct pseudo_node *n, char *text, size_t len)
{
	int64_t v;
	int err = pseudo_parse_i64(text, &v);

	if (!err)
		err = set_value(proc_kernel(n), int_of(n), v);
	return err ? err : (int64_t)len;
}

/* ---- the others ---- */

static int show_uts(struct pseudo_node *n, struct pseudo_buf *b)
{
	const struct kernel *k = proc_kernel(n);

	pb_printf(b, "%s\n", n->e->arg ? k->domainname : k->hostname);
	return 0;
}

static int64_t write_uts(struct pseudo_node *n, char *text, size_t len)
{
	struct kernel *k = proc_kernel(n);
	char *name = n->e->arg ? k->domainname : k->hostname;

	text[strcspn(text, "\n")] = '\0';
	snprintf(name, sizeof(k->hostname), "%.64s", text);
	return (int64_t)len;
}

static void uuid_text(const uint8_t u[16], struct pseudo_buf *b)
{
	for (int i = 0; i < 16; i++)
		pb_printf(b, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", u[i]);
	pb_puts(b, "\n");
}

static void new_uuid(uint8_t u[16])
{
	krandom(u, 16);
	u[6] = (u[6] & 0x0f) | 0x40;
	u[8] = (u[8] & 0x3f) | 0x80;
}

static int show_uuid(struct pseudo_node *n, struct pseudo_buf *b)
{
	uint8_t u[16];

	(void)n;
	new_uuid(u);
	uuid_text(u, b);
	return 0;
}

static int show_boot_id(struct pseudo_node *n, struct pseudo_buf *b)
{
	struct procfs *pf = procfs_of(proc_kernel(n));

	if (!pf)
		return -LX_ENOMEM;
	if (!pf->boot_id[6])
		new_uuid(pf->boot_id);
	uuid_text(pf->boot_id, b);
	return 0;
}

static int show_port_range(struct pseudo_node *n, struct pseudo_buf *b)
{
	struct kernel *k = proc_kernel(n);

	pb_printf(b, "%lld\t%lld\n", (long long)sysctl_get(k, SYSCTL_PORT_RANGE_LOW),
		  (long long)sysctl_get(k, SYSCTL_PORT_RANGE_HIGH));
	return 0;
}

static int show_aio_nr(struct pseudo_node *n, struct pseudo_buf *b)
{
	(void)n;
	pb_printf(b, "%llu\n", (unsigned long long)aio_nr());
	return 0;
}

static int show_file_nr(struct pseudo_node *n, struct pseudo_buf *b)
{
	struct kernel *k = proc_kernel(n);
	unsigned long count = 0;
	struct tgroup *tg;
	struct file *f;
	int at = 0, fd;

	while ((tg = tgroup_next(k, at)) != NULL) {
		struct fdtable *ft = list_empty(&tg->tasks)
			? NULL : list_first(&tg->tasks, struct task, tg_link)->fds;

		at = tg->tgid;
		for (int from = 0; ft && (fd = fdtable_next(ft, from, &f)) >= 0; from = fd + 1) {
			count++;
			file_put(f);
		}
		tgroup_put(tg);
	}
	pb_printf(b, "%lu\t0\t%lld\n", count, (long long)sysctl_get(k, SYSCTL_FILE_MAX));
	return 0;
}

static int show_last_pid(struct pseudo_node *n, struct pseudo_buf *b)
{
	pb_printf(b, "%d\n", proc_kernel(n)->pids->last);
	return 0;
}

static int show_threads_max(struct pseudo_node *n, struct pseudo_buf *b)
{
	pb_printf(b, "%u\n", proc_kernel(n)->max_tasks);
	return 0;
}

/* 2 and 3 are about entries and inodes; of pages there is nothing of our own to drop. */
static int64_t write_drop_caches(struct pseudo_node *n, char *text, size_t len)
{
	char *end;
	long v = strtol(text, &end, 10);

	(void)n;
	if (end == text || (*end && *end != '\n') || v < 1 || v > 4)
		return -LX_EINVAL;
	if (v & 2)
		dcache_shrink(0);
	return (int64_t)len;
}

/* ---- tables ---- */

#define INT(name, value) TEXT(name, #value "\n")
#define READ_ONLY(name, id) \
	PSEUDO_REG(name, 0444, .show = show_int, .arg = PSEUDO_TEXT(&ids[id]))
#define ID(name, id)                                                 \
	PSEUDO_REG(name, 0644, .show = show_int, .write = write_int, \
		   .arg = PSEUDO_TEXT(&ids[id]))
#define TEXT(name, text) \
	PSEUDO_REG(name, 0444, .show = pseudo_show_text, .arg = PSEUDO_TEXT(text))
#define SUBDIR(name, table) PSEUDO_DIR(name, 0555, .children = table)

static const struct pseudo_entry random_dir[] = {
	PSEUDO_REG("boot_id", 0444, .show = show_boot_id),
	PSEUDO_REG("uuid", 0444, .show = show_uuid),
	TEXT("entropy_avail", "256\n"),
	TEXT("poolsize", "256\n"),
	INT("urandom_min_reseed_secs", 60),
	INT("write_wakeup_threshold", 256),
	{ 0 },
};

static const struct pseudo_entry seccomp_dir[] = {
	TEXT("actions_avail", "kill_process kill_thread trap errno user_notif trace log allow\n"),
	TEXT("actions_logged", "kill_process kill_thread trap errno user_notif trace log\n"),
	{ 0 },
};

static const struct pseudo_entry pty_dir[] = {
	TEXT("max", "4096\n"), TEXT("reserve", "1024\n"), { 0 },
};

static const struct pseudo_entry keys_dir[] = {
	ID("maxkeys", SYSCTL_KEYS_MAXKEYS),
	ID("maxbytes", SYSCTL_KEYS_MAXBYTES),
	ID("root_maxkeys", SYSCTL_KEYS_ROOT_MAXKEYS),
	ID("root_maxbytes", SYSCTL_KEYS_ROOT_MAXBYTES),
	ID("gc_delay", SYSCTL_KEYS_GC_DELAY),
	INT("persistent_keyring_expiry", 259200),
	{ 0 },
};

static const struct pseudo_entry kernel_dir[] = {
	PSEUDO_REG("hostname", 0644, .show = show_uts, .write = write_uts, .arg = 0),
	PSEUDO_REG("domainname", 0644, .show = show_uts, .write = write_uts, .arg = 1),
	TEXT("ostype", KERNEL_SYSNAME "\n"),
	TEXT("osrelease", KERNEL_RELEASE "\n"),
	TEXT("version", KERNEL_VERSION "\n"),
	TEXT("arch", KERNEL_MACHINE "\n"),
	ID("pid_max", SYSCTL_PID_MAX),
	PSEUDO_REG("threads-max", 0444, .show = show_threads_max),
	PSEUDO_REG("ns_last_pid", 0444, .show = show_last_pid),
	TEXT("ngroups_max", "65536\n"),
	TEXT("cap_last_cap", "40\n"),
	TEXT("overflowuid", "65534\n"),
	TEXT("overflowgid", "65534\n"),
	PROC_IPC_FILE("sem", PROC_IPC_SEM),
	PROC_IPC_FILE("msgmax", PROC_IPC_MSGMAX),
	PROC_IPC_FILE("msgmnb", PROC_IPC_MSGMNB),
	PROC_IPC_FILE("msgmni", PROC_IPC_MSGMNI),
	PROC_IPC_FILE("shmmax", PROC_IPC_SHMMAX),
	PROC_IPC_FILE("shmall", PROC_IPC_SHMALL),
	PROC_IPC_FILE("shmmni", PROC_IPC_SHMMNI),
	PROC_IPC_FILE("shm_rmid_forced", PROC_IPC_SHM_RMID_FORCED),
	INT("auto_msgmni", 0),
	TEXT("msg_next_id", "-1\n"),
	TEXT("sem_next_id", "-1\n"),
	TEXT("shm_next_id", "-1\n"),
	TEXT("core_pattern", "core\n"),
	INT("core_uses_pid", 0),
	TEXT("printk", "4\t4\t1\t7\n"),
	TEXT("tainted", "0\n"),
	INT("panic", 0),
	INT("panic_on_oops", 0),
	INT("perf_event_paranoid", 2),
	INT("perf_event_max_sample_rate", 100000),
	INT("kptr_restrict", 1),
	INT("dmesg_restrict", 0),
	INT("randomize_va_space", 2),
	INT("unprivileged_bpf_disabled", 2),
	INT("sched_rt_period_us", 1000000),
	INT("sched_rt_runtime_us", 950000),
	INT("sched_autogroup_enabled", 0),
	INT("numa_balancing", 0),
	INT("sysrq", 0),
	SUBDIR("random", random_dir),
	SUBDIR("seccomp", seccomp_dir),
	SUBDIR("pty", pty_dir),
	SUBDIR("keys", keys_dir),
	{ 0 },
};

static const struct pseudo_entry vm_dir[] = {
	READ_ONLY("overcommit_memory", SYSCTL_OVERCOMMIT_MEMORY),
	INT("overcommit_ratio", 50),
	INT("overcommit_kbytes", 0),
	READ_ONLY("max_map_count", SYSCTL_MAX_MAP_COUNT),
	INT("swappiness", 60),
	TEXT("mmap_min_addr", "458752\n"), /* PLAT_GUEST_MIN */
	INT("dirty_ratio", 20),
	INT("dirty_background_ratio", 10),
	INT("dirty_bytes", 0),
	INT("dirty_background_bytes", 0),
	INT("dirty_expire_centisecs", 3000),
	INT("dirty_writeback_centisecs", 500),
	INT("min_free_kbytes", 67584),
	INT("vfs_cache_pressure", 100),
	INT("page-cluster", 3),
	INT("panic_on_oom", 0),
	INT("oom_kill_allocating_task", 0),
	INT("oom_dump_tasks", 1),
	INT("zone_reclaim_mode", 0),
	INT("legacy_va_layout", 0),
	INT("user_reserve_kbytes", 131072),
	INT("admin_reserve_kbytes", 8192),
	TEXT("nr_hugepages", "0\n"),
	TEXT("nr_overcommit_hugepages", "0\n"),
	TEXT("memfd_noexec", "0\n"),
	PSEUDO_REG("drop_caches", 0200, .write = write_drop_caches),
	{ 0 },
};

static const struct pseudo_entry inotify_dir[] = {
	READ_ONLY("max_user_watches", SYSCTL_INOTIFY_MAX_WATCHES),
	READ_ONLY("max_user_instances", SYSCTL_INOTIFY_MAX_INSTANCES),
	READ_ONLY("max_queued_events", SYSCTL_INOTIFY_MAX_EVENTS),
	{ 0 },
};

static const struct pseudo_entry epoll_dir[] = { INT("max_user_watches", 1048576), { 0 } };
static const struct pseudo_entry none_dir[] = { { 0 } };

static const struct pseudo_entry fs_dir[] = {
	READ_ONLY("file-max", SYSCTL_FILE_MAX),
	PSEUDO_REG("file-nr", 0444, .show = show_file_nr),
	ID("nr_open", SYSCTL_NR_OPEN),
	TEXT("inode-nr", "0\t0\n"),
	TEXT("inode-state", "0\t0\t0\t0\t0\t0\t0\n"),
	TEXT("dentry-state", "0\t0\t45\t0\t0\t0\n"),
	ID("pipe-max-size", SYSCTL_PIPE_MAX_SIZE),
	INT("pipe-user-pages-soft", 16384),
	INT("pipe-user-pages-hard", 0),
	PSEUDO_REG("aio-nr", 0444, .show = show_aio_nr),
	TEXT("aio-max-nr", "65536\n"),
	INT("suid_dumpable", 0),
	INT("lease-break-time", 45),
	INT("leases-enable", 1),
	INT("mount-max", 10000),
	ID("protected_hardlinks", SYSCTL_PROTECTED_HARDLINKS),
	ID("protected_symlinks", SYSCTL_PROTECTED_SYMLINKS),
	ID("protected_fifos", SYSCTL_PROTECTED_FIFOS),
	ID("protected_regular", SYSCTL_PROTECTED_REGULAR),
	TEXT("overflowuid", "65534\n"),
	TEXT("overflowgid", "65534\n"),
	SUBDIR("inotify", inotify_dir),
	SUBDIR("mqueue", proc_mqueue_children),
	SUBDIR("epoll", epoll_dir),
	SUBDIR("binfmt_misc", none_dir),
	{ 0 },
};

static const struct pseudo_entry core_dir[] = {
	ID("somaxconn", SYSCTL_SOMAXCONN),
	INT("rmem_max", 212992),
	INT("rmem_default", 212992),
	INT("wmem_max", 212992),
	INT("wmem_default", 212992),
	INT("optmem_max", 20480),
	INT("netdev_max_backlog", 1000),
	INT("netdev_budget", 300),
	INT("busy_poll", 0),
	INT("busy_read", 0),
	TEXT("default_qdisc", "fq_codel\n"),
	{ 0 },
};

static const struct pseudo_entry conf4_dir[] = {
	INT("forwarding", 0), INT("rp_filter", 0), INT("accept_redirects", 1),
	INT("send_redirects", 1), INT("accept_source_route", 0), INT("arp_ignore", 0),
	INT("arp_announce", 0), INT("route_localnet", 0), { 0 },
};
static const struct pseudo_entry confs4_dir[] = {
	SUBDIR("all", conf4_dir), SUBDIR("default", conf4_dir), SUBDIR("lo", conf4_dir), { 0 },
};

static const struct pseudo_entry ipv4_dir[] = {
	PSEUDO_REG("ip_local_port_range", 0444, .show = show_port_range),
	READ_ONLY("ip_unprivileged_port_start", SYSCTL_UNPRIVILEGED_PORT_START),
	TEXT("ip_local_reserved_ports", "\n"),
	TEXT("ping_group_range", "1\t0\n"),
	INT("ip_forward", 0),
	INT("ip_default_ttl", 64),
	INT("ip_nonlocal_bind", 0),
	INT("icmp_echo_ignore_all", 0),
	INT("icmp_echo_ignore_broadcasts", 1),
	INT("tcp_syncookies", 1),
	INT("tcp_fin_timeout", 60),
	INT("tcp_tw_reuse", 2),
	INT("tcp_keepalive_time", 7200),
	INT("tcp_keepalive_intvl", 75),
	INT("tcp_keepalive_probes", 9),
	INT("tcp_max_syn_backlog", 512),
	INT("tcp_max_tw_buckets", 16384),
	INT("tcp_max_orphans", 16384),
	INT("tcp_syn_retries", 6),
	INT("tcp_synack_retries", 5),
	INT("tcp_retries1", 3),
	INT("tcp_retries2", 15),
	INT("tcp_sack", 1),
	INT("tcp_timestamps", 1),
	INT("tcp_window_scaling", 1),
	INT("tcp_slow_start_after_idle", 1),
	INT("tcp_moderate_rcvbuf", 1),
	INT("tcp_no_metrics_save", 0),
	INT("tcp_mtu_probing", 0),
	INT("tcp_ecn", 2),
	INT("tcp_fastopen", 1),
	INT("tcp_notsent_lowat", 4294967295),
	TEXT("tcp_mem", "22563\t30087\t45126\n"),
	TEXT("tcp_rmem", "4096\t131072\t6291456\n"),
	TEXT("tcp_wmem", "4096\t16384\t4194304\n"),
	TEXT("udp_mem", "45129\t60174\t90258\n"),
	TEXT("tcp_congestion_control", "cubic\n"),
	TEXT("tcp_available_congestion_control", "reno cubic\n"),
	TEXT("tcp_allowed_congestion_control", "reno cubic\n"),
	SUBDIR("conf", confs4_dir),
	{ 0 },
};

static const struct pseudo_entry conf6_dir[] = {
	INT("disable_ipv6", 0), INT("forwarding", 0), INT("accept_ra", 1), INT("autoconf", 1),
	INT("hop_limit", 64), { 0 },
};
static const struct pseudo_entry confs6_dir[] = {
	SUBDIR("all", conf6_dir), SUBDIR("default", conf6_dir), SUBDIR("lo", conf6_dir), { 0 },
};
static const struct pseudo_entry ipv6_dir[] = {
	INT("bindv6only", 0), INT("ip_nonlocal_bind", 0), SUBDIR("conf", confs6_dir), { 0 },
};
static const struct pseudo_entry unix_dir[] = { INT("max_dgram_qlen", 512), { 0 } };

static const struct pseudo_entry net_dir[] = {
	SUBDIR("core", core_dir), SUBDIR("ipv4", ipv4_dir), SUBDIR("ipv6", ipv6_dir),
	SUBDIR("unix", unix_dir), { 0 },
};

static const struct pseudo_entry user_dir[] = {
	TEXT("max_cgroup_namespaces", "0\n"), TEXT("max_ipc_namespaces", "0\n"),
	TEXT("max_mnt_namespaces", "0\n"), TEXT("max_net_namespaces", "0\n"),
	TEXT("max_pid_namespaces", "0\n"), TEXT("max_time_namespaces", "0\n"),
	TEXT("max_user_namespaces", "0\n"), TEXT("max_uts_namespaces", "0\n"), { 0 },
};

static const struct pseudo_entry devtty_dir[] = { TEXT("legacy_tiocsti", "0\n"), { 0 } };
static const struct pseudo_entry dev_dir[] = { SUBDIR("tty", devtty_dir), { 0 } };

const struct pseudo_entry proc_sys_children[] = {
	SUBDIR("kernel", kernel_dir), SUBDIR("vm", vm_dir), SUBDIR("fs", fs_dir),
	SUBDIR("net", net_dir), SUBDIR("user", user_dir), SUBDIR("dev", dev_dir),
	SUBDIR("abi", none_dir), SUBDIR("debug", none_dir), { 0 },
};

