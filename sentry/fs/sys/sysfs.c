/* sysfs: the little of it that programs look at: processors, their caches, the NUMA node,
 * the loopback interface, memory settings. Read-only. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sentry/fs/proc/hostinfo.h"
#include "sentry/fs/proc/pseudo.h"
#include "syscalls/abi/lx_dirent.h"

#define SYSFS_MAGIC 0x62656572

#define TEXT(name, text) \
	PSEUDO_REG(name, 0444, .show = pseudo_show_text, .arg = PSEUDO_TEXT(text))
#define SUBDIR(name, table) PSEUDO_DIR(name, 0555, .children = table)
#define LINK(name, target) \
	PSEUDO_LNK(name, .readlink = pseudo_readlink_text, .arg = PSEUDO_TEXT(target))

static const struct pseudo_entry none[] = { { 0 } };

/* ---- processors ---- */

static void show_list(struct pseudo_buf *b, unsigned from, unsigned to)
{
	pb_printf(b, to > from ? "%u-%u\n" : "%u\n", from, to);
}

/* Bits [from, to] as comma-separated 32-bit words, highest first. */
static void show_mask(struct pseudo_buf *b, unsigned from, unsigned to)
{
	unsigned words = (host_cpus()->count + 31) / 32;

	for (unsigned w = words; w-- > 0;) {
		uint32_t v = 0;

		for (unsigned i = 0; i < 32; i++)
			if (w * 32 + i >= from && w * 32 + i <= to)
				v |= 1u << i;
		pb_printf(b, w == words - 1 ? "%x" : ",%08x", v);
	}
	pb_puts(b, "\n");
}

static int all_list(struct pseudo_node *n, struct pseudo_buf *b)
{
	(void)n;
	show_list(b, 0, host_cpus()->count - 1);
	return 0;
}

static int all_mask(struct pseudo_node *n, struct pseudo_buf *b)
{
	(void)n;
	show_mask(b, 0, host_cpus()->count - 1);
	return 0;
}

static int own_list(struct pseudo_node *n, struct pseudo_buf *b)
{
	show_list(b, (unsigned)n->id.arg, (unsigned)n->id.arg);
	return 0;
}

static int own_mask(struct pseudo_node *n, struct pseudo_buf *b)
{
	show_mask(b, (unsigned)n->id.arg, (unsigned)n->id.arg);
	return 0;
}

static int own_number(struct pseudo_node *n, struct pseudo_buf *b)
{
	pb_printf(b, "%llu\n", (unsigned long long)n->id.arg);
	return 0;
}

static const struct pseudo_entry topology_dir[] = {
	PSEUDO_REG("core_id", 0444, .show = own_number),
	TEXT("physical_package_id", "0\n"),
	TEXT("die_id", "0\n"),
	TEXT("cluster_id", "65535\n"),
	PSEUDO_REG("thread_siblings", 0444, .show = own_mask),
	PSEUDO_REG("thread_siblings_list", 0444, .show = own_list),
	PSEUDO_REG("core_cpus", 0444, .show = own_mask),
	PSEUDO_REG("core_cpus_list", 0444, .show = own_list),
	PSEUDO_REG("core_siblings", 0444, .show = all_mask),
	PSEUDO_REG("core_siblings_list", 0444, .show = all_list),
	PSEUDO_REG("package_cpus", 0444, .show = all_mask),
	PSEUDO_REG("package_cpus_list", 0444, .show = all_list),
	PSEUDO_REG("die_cpus", 0444, .show = all_mask),
	PSEUDO_REG("die_cpus_list", 0444, .show = all_list),
	{ 0 },
};

static int l2_size(struct pseudo_node *n, struct pseudo_buf *b)
{
	(void)n;
	pb_printf(b, "%uK\n", cpuinfo_l2_kb());
	return 0;
}

static int l3_size(struct pseudo_node *n, struct pseudo_buf *b)
{
	(void)n;
	pb_printf(b, "%uK\n", cpuinfo_l3_kb() ? cpuinfo_l3_kb() : cpuinfo_l2_kb());
	return 0;
}

#define CACHE(var, number, level_, type_, size_, list, mask)                              \
	static const struct pseudo_entry var[] = {                                        \
		TEXT("id", number "\n"), TEXT("level", level_ "\n"), TEXT("type", type_ "\n"), \
		size_, TEXT("coherency_line_size", "64\n"),                               \
		PSEUDO_REG("shared_cpu_list", 0444, .show = list),                        \
		PSEUDO_REG("shared_cpu_map", 0444, .show = mask), { 0 },                  \
	}
CACHE(index0, "0", "1", "Data", TEXT("size", "32K\n"), own_list, own_mask);
CACHE(index1, "0", "1", "Instruction", TEXT("size", "32K\n"), own_list, own_mask);
CACHE(index2, "0", "2", "Unified", PSEUDO_REG("size", 0444, .show = l2_size), own_list, own_mask);
CACHE(index3, "0", "3", "Unified", PSEUDO_REG("size", 0444, .show = l3_size), all_list, all_mask);

static const struct pseudo_entry cache_dir[] = {
	SUBDIR("index0", index0), SUBDIR("index1", index1), SUBDIR("index2", index2),
	SUBDIR("index3", index3), { 0 },
};

static const struct pseudo_entry one_cpu_dir[] = {
	SUBDIR("topology", topology_dir), SUBDIR("cache", cache_dir), TEXT("online", "1\n"), { 0 },
};

static const struct pseudo_entry one_cpu = SUBDIR("cpu", one_cpu_dir);

static int cpu_lookup(struct pseudo_node *dir, const char *name, struct pseudo_found *out)
{
	unsigned long cpu;
	char *end;

	(void)dir;
	if (strncmp(name, "cpu", 3) || name[3] < '0' || name[3] > '9' ||
	    (name[3] == '0' && name[4]))
		return -LX_ENOENT;
	cpu = strtoul(name + 3, &end, 10);
	if (*end || cpu >= host_cpus()->count)
		return -LX_ENOENT;
	out->e = &one_cpu;
	out->id.arg = cpu;
	return 0;
}

static bool cpu_next(struct pseudo_node *dir, uint64_t *cursor, char *name, size_t size,
		     unsigned *dtype)
{
	(void)dir;
	if (*cursor >= host_cpus()->count)
		return false;
	snprintf(name, size, "cpu%llu", (unsigned long long)*cursor);
	*dtype = LX_DT_DIR;
	return true;
}

static const struct pseudo_entry cpu_dir[] = {
	PSEUDO_REG("online", 0444, .show = all_list),
	PSEUDO_REG("possible", 0444, .show = all_list),
	PSEUDO_REG("present", 0444, .show = all_list),
	TEXT("offline", "\n"),
	TEXT("isolated", "\n"),
	TEXT("kernel_max", "1023\n"),
	TEXT("modalias", "cpu:type:x86\n"),
	{ 0 },
};

/* ---- the NUMA node ---- */

static int node_meminfo(struct pseudo_node *n, struct pseudo_buf *b)
{
	struct host_mem m;

	(void)n;
	host_mem(&m);
	pb_printf(b, "Node 0 MemTotal:       %8llu kB\nNode 0 MemFree:        %8llu kB\n"
		     "Node 0 MemUsed:        %8llu kB\n",
		  (unsigned long long)(m.total >> 10), (unsigned long long)(m.free >> 10),
		  (unsigned long long)((m.total - m.free) >> 10));
	return 0;
}

static const struct pseudo_entry node0_dir[] = {
	PSEUDO_REG("cpulist", 0444, .show = all_list),
	PSEUDO_REG("cpumap", 0444, .show = all_mask),
	PSEUDO_REG("meminfo", 0444, .show = node_meminfo),
	TEXT("distance", "10\n"),
	TEXT("numastat", "numa_hit 0\nnuma_miss 0\nnuma_foreign 0\ninterleave_hit 0\n"
			 "local_node 0\nother_node 0\n"),
	{ 0 },
};

static const struct pseudo_entry node_dir[] = {
	TEXT("online", "0\n"), TEXT("possible", "0\n"), TEXT("has_cpu", "0\n"),
	TEXT("has_memory", "0\n"), TEXT("has_normal_memory", "0\n"), SUBDIR("node0", node0_dir),
	{ 0 },
};

/* ---- devices ---- */

static const struct pseudo_entry system_dir[] = {
	PSEUDO_DIR("cpu", 0555, .children = cpu_dir, .lookup = cpu_lookup, .next = cpu_next),
	SUBDIR("node", node_dir),
	{ 0 },
};

static const struct pseudo_entry lo_statistics[] = {
	TEXT("rx_bytes", "0\n"), TEXT("rx_packets", "0\n"), TEXT("rx_errors", "0\n"),
	TEXT("rx_dropped", "0\n"), TEXT("tx_bytes", "0\n"), TEXT("tx_packets", "0\n"),
	TEXT("tx_errors", "0\n"), TEXT("tx_dropped", "0\n"), TEXT("collisions", "0\n"),
	TEXT("multicast", "0\n"), { 0 },
};

static const struct pseudo_entry lo_dir[] = {
	TEXT("address", "00:00:00:00:00:00\n"), TEXT("addr_len", "6\n"),
	TEXT("broadcast", "00:00:00:00:00:00\n"), TEXT("carrier", "1\n"), TEXT("dormant", "0\n"),
	TEXT("flags", "0x9\n"), TEXT("ifindex", "1\n"), TEXT("iflink", "1\n"),
	TEXT("link_mode", "0\n"), TEXT("mtu", "65536\n"), TEXT("operstate", "unknown\n"),
	TEXT("tx_queue_len", "1000\n"), TEXT("type", "772\n"),
	TEXT("uevent", "INTERFACE=lo\nIFINDEX=1\n"), SUBDIR("statistics", lo_statistics), { 0 },
};

static const struct pseudo_entry virtual_net[] = { SUBDIR("lo", lo_dir), { 0 } };
static const struct pseudo_entry tty_node[] = {
	TEXT("dev", "5:0\n"), TEXT("uevent", "MAJOR=5\nMINOR=0\nDEVNAME=tty\n"), { 0 },
};
static const struct pseudo_entry virtual_tty[] = { SUBDIR("tty", tty_node), { 0 } };
static const struct pseudo_entry virtual_dir[] = {
	SUBDIR("net", virtual_net), SUBDIR("tty", virtual_tty), SUBDIR("block", none), { 0 },
};
static const struct pseudo_entry devices_dir[] = {
	SUBDIR("system", system_dir), SUBDIR("virtual", virtual_dir), { 0 },
};

static const struct pseudo_entry class_net[] = {
	LINK("lo", "../../devices/virtual/net/lo"), { 0 },
};
static const struct pseudo_entry class_tty[] = {
	LINK("tty", "../../devices/virtual/tty/tty"), { 0 },
};
static const struct pseudo_entry class_dir[] = {
	SUBDIR("net", class_net), SUBDIR("tty", class_tty), SUBDIR("block", none),
	SUBDIR("mem", none), SUBDIR("misc", none), { 0 },
};

static const struct pseudo_entry bus_cpu[] = { SUBDIR("devices", none), { 0 } };
static const struct pseudo_entry bus_dir[] = {
	SUBDIR("cpu", bus_cpu), SUBDIR("pci", bus_cpu), SUBDIR("usb", bus_cpu), { 0 },
};

/* ---- kernel ---- */

static const struct pseudo_entry thp_dir[] = {
	TEXT("enabled", "always [madvise] never\n"),
	TEXT("defrag", "always defer defer+madvise [madvise] never\n"),
	TEXT("shmem_enabled", "always within_size advise [never] deny force\n"),
	TEXT("hpage_pmd_size", "2097152\n"),
	TEXT("use_zero_page", "1\n"),
	{ 0 },
};

static const struct pseudo_entry huge2m_dir[] = {
	TEXT("nr_hugepages", "0\n"), TEXT("free_hugepages", "0\n"),
	TEXT("resv_hugepages", "0\n"), TEXT("surplus_hugepages", "0\n"),
	TEXT("nr_overcommit_hugepages", "0\n"), { 0 },
};
static const struct pseudo_entry huge_dir[] = { SUBDIR("hugepages-2048kB", huge2m_dir), { 0 } };

static const struct pseudo_entry mm_dir[] = {
	SUBDIR("transparent_hugepage", thp_dir), SUBDIR("hugepages", huge_dir), { 0 },
};
static const struct pseudo_entry kernel_dir[] = {
	SUBDIR("mm", mm_dir), SUBDIR("debug", none), SUBDIR("security", none),
	TEXT("uevent_seqnum", "0\n"), TEXT("uevent_helper", "\n"), TEXT("fscaps", "1\n"),
	TEXT("profiling", "0\n"), { 0 },
};

static const struct pseudo_entry fs_dir[] = { SUBDIR("cgroup", none), { 0 } };
static const struct pseudo_entry dev_dir[] = { SUBDIR("block", none), SUBDIR("char", none), { 0 } };

static const struct pseudo_entry root_dir[] = {
	SUBDIR("block", none), SUBDIR("bus", bus_dir), SUBDIR("class", class_dir),
	SUBDIR("dev", dev_dir), SUBDIR("devices", devices_dir), SUBDIR("firmware", none),
	SUBDIR("fs", fs_dir), SUBDIR("kernel", kernel_dir), SUBDIR("module", none),
	SUBDIR("power", none), { 0 },
};

static const struct pseudo_entry root_entry = SUBDIR("/", root_dir);

/* ---- mounting ---- */

static const struct pseudo_fs sysfs_fs = { .file_size = 4096 };
static const struct sb_ops sysfs_sb_ops;

static int sysfs_mount(struct kernel *k, const char *source, const char *data,
		       struct superblock **out_sb, struct inode **root)
{
	static const struct pseudo_id id;
	struct superblock *sb = superblock_new(k, "sysfs", SYSFS_MAGIC, &sysfs_sb_ops,
					       (void *)(uintptr_t)&sysfs_fs);

	(void)source;
	(void)data;
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

const struct fs_type sysfs_type = {
	.name = "sysfs",
	.mount = sysfs_mount,
	.nodev = true,
	.guest_mountable = true,
};
