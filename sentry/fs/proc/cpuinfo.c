/* /proc/cpuinfo, made with the cpuid instruction: the confined sentry cannot read the
 * host's. Order and names of the flags are Linux's. */
#include <cpuid.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sentry/fs/proc/hostinfo.h"
#include "sentry/fs/proc/pseudo.h"

enum { EAX, EBX, ECX, EDX };

/* One register of one leaf; names by bit, NULL: not shown. */
static const struct {
	uint32_t leaf, sub;
	int reg;
	const char *names[32];
} words[] = {
	{ 1, 0, EDX, { "fpu", "vme", "de", "pse", "tsc", "msr", "pae", "mce", "cx8", "apic",
		[11] = "sep", "mtrr", "pge", "mca", "cmov", "pat", "pse36", "pn", "clflush",
		[21] = "dts", "acpi", "mmx", "fxsr", "sse", "sse2", "ss", "ht", "tm", "ia64",
		"pbe" } },
	{ 0x80000001, 0, EDX, { [11] = "syscall", [19] = "mp", "nx", [22] = "mmxext",
		[25] = "fxsr_opt", "pdpe1gb", "rdtscp", [29] = "lm", "3dnowext", "3dnow" } },
	{ 1, 0, ECX, { "pni", "pclmulqdq", "dtes64", "monitor", "ds_cpl", "vmx", "smx", "est",
		"tm2", "ssse3", "cid", "sdbg", "fma", "cx16", "xtpr", "pdcm", [17] = "pcid",
		"dca", "sse4_1", "sse4_2", "x2apic", "movbe", "popcnt", "tsc_deadline_timer",
		"aes", "xsave", [28] = "avx", "f16c", "rdrand", "hypervisor" } },
	{ 0x80000001, 0, ECX, { "lahf_lm", "cmp_legacy", "svm", "extapic", "cr8_legacy", "abm",
		"sse4a", "misalignsse", "3dnowprefetch", "osvw", "ibs", "xop", "skinit", "wdt",
		[15] = "lwp", "fma4", "tce", [19] = "nodeid_msr", [21] = "tbm", "topoext",
		"perfctr_core", "perfctr_nb", [26] = "bpext", "ptsc", "perfctr_llc", "mwaitx" } },
	{ 7, 0, EBX, { "fsgsbase", "tsc_adjust", "sgx", "bmi1", "hle", "avx2", NULL, "smep",
		"bmi2", "erms", "invpcid", "rtm", "cqm", [14] = "mpx", "rdt_a", "avx512f",
		"avx512dq", "rdseed", "adx", "smap", "avx512ifma", [23] = "clflushopt", "clwb",
		"intel_pt", "avx512pf", "avx512er", "avx512cd", "sha_ni", "avx512bw",
		"avx512vl" } },
	{ 13, 1, EAX, { "xsaveopt", "xsavec", "xgetbv1", "xsaves" } },
	{ 7, 1, EAX, { [4] = "avx_vnni", "avx512_bf16", [10] = "fzrm", "fsrs", "fsrc",
		[21] = "amx_fp16", [23] = "avx_ifma" } },
	{ 0x80000008, 0, EBX, { "clzero", "irperf", "xsaveerptr", [4] = "rdpru",
		[9] = "wbnoinvd" } },
	{ 7, 0, ECX, { [1] = "avx512vbmi", "umip", "pku", "ospke", "waitpkg", "avx512_vbmi2",
		[8] = "gfni", "vaes", "vpclmulqdq", "avx512_vnni", "avx512_bitalg", "tme",
		"avx512_vpopcntdq", [16] = "la57", [22] = "rdpid", [25] = "cldemote",
		[27] = "movdiri", "movdir64b", "enqcmd" } },
	{ 7, 0, EDX, { [2] = "avx512_4vnniw", "avx512_4fmaps", "fsrm", [8] = "avx512_vp2intersect",
		[10] = "md_clear", [14] = "serialize", [16] = "tsxldtrk", [18] = "pconfig",
		"arch_lbr", "ibt", [22] = "amx_bf16", "avx512_fp16", "amx_tile", "amx_int8",
		[28] = "flush_l1d", "arch_capabilities" } },
};

static bool leaf(uint32_t l, uint32_t sub, uint32_t r[4])
{
	memset(r, 0, 16);
	return __get_cpuid_count(l, sub, &r[EAX], &r[EBX], &r[ECX], &r[EDX]) != 0;
}

static void show_flags(struct pseudo_buf *b)
{
	uint32_t r[4];

	pb_puts(b, "flags\t\t:");
	for (unsigned w = 0; w < sizeof(words) / sizeof(words[0]); w++) {
		if (!leaf(words[w].leaf, words[w].sub, r))
			continue;
		for (unsigned bit = 0; bit < 32; bit++)
			if (words[w].names[bit] && (r[words[w].reg] >> bit & 1))
				pb_printf(b, " %s", words[w].names[bit]);
		if (w == 1)
			pb_puts(b, " constant_tsc rep_good nopl");
	}
	pb_puts(b, "\n");
}

/* Size in KiB of the unified or data cache of a level, from Intel's leaf 4 or AMD's
 * 0x8000001d. */
static unsigned cache_kb(unsigned level)
{
	static const uint32_t leaves[] = { 4, 0x8000001d };
	uint32_t r[4];

	for (unsigned l = 0; l < 2; l++) {
		for (unsigned i = 0; i < 8 && leaf(leaves[l], i, r) && (r[EAX] & 31); i++) {
			uint64_t size = (uint64_t)((r[EBX] >> 22) + 1) *
					((r[EBX] >> 12 & 0x3ff) + 1) * ((r[EBX] & 0xfff) + 1) *
					((uint64_t)r[ECX] + 1);

			if ((r[EAX] >> 5 & 7) == level && (r[EAX] & 31) != 2)
				return (unsigned)(size / 1024);
		}
	}
	return 0;
}

unsigned cpuinfo_l2_kb(void)
{
	unsigned kb = cache_kb(2);

	return kb ? kb : 256;
}

unsigned cpuinfo_l3_kb(void)
{
	return cache_kb(3);
}

static void brand_string(char brand[49])
{
	uint32_t r[4];
	char raw[49] = { 0 };
	const char *p = raw;

	for (uint32_t i = 0; i < 3; i++)
		if (leaf(0x80000002 + i, 0, r))
			memcpy(raw + i * 16, r, 16);
	while (*p == ' ')
		p++;
	strcpy(brand, *p ? p : "unknown");
}

static double mhz(const char *brand)
{
	const char *at = strstr(brand, "@ ");
	uint32_t r[4];

	if (leaf(0x16, 0, r) && r[EAX])
		return r[EAX];
	if (at && strstr(at, "GHz"))
		return strtod(at + 2, NULL) * 1000;
	return 2000;
}

/* What is the same for every processor, up to and behind the topology. */
static void show_one(struct pseudo_buf *b, unsigned cpu, unsigned ncpus)
{
	char vendor[13] = { 0 }, brand[49];
	uint32_t r[4], max, model, family;
	double clock;

	leaf(0, 0, r);
	max = r[EAX];
	memcpy(vendor, &r[EBX], 4);
	memcpy(vendor + 4, &r[EDX], 4);
	memcpy(vendor + 8, &r[ECX], 4);
	leaf(1, 0, r);
	family = r[EAX] >> 8 & 15;
	model = r[EAX] >> 4 & 15;
	if (family == 15)
		family += r[EAX] >> 20 & 255;
	if (family >= 6)
		model += (r[EAX] >> 16 & 15) << 4;
	brand_string(brand);
	clock = mhz(brand);
	pb_printf(b, "processor\t: %u\nvendor_id\t: %s\ncpu family\t: %u\nmodel\t\t: %u\n"
		     "model name\t: %s\nstepping\t: %u\nmicrocode\t: 0xffffffff\n"
		     "cpu MHz\t\t: %.3f\ncache size\t: %u KB\n",
		  cpu, vendor, family, model, brand, r[EAX] & 15, clock,
		  cpuinfo_l3_kb() ? cpuinfo_l3_kb() : cpuinfo_l2_kb());
	pb_printf(b, "physical id\t: 0\nsiblings\t: %u\ncore id\t\t: %u\ncpu cores\t: %u\n"
		     "apicid\t\t: %u\ninitial apicid\t: %u\nfpu\t\t: yes\n"
		     "fpu_exception\t: yes\ncpuid level\t: %u\nwp\t\t: yes\n",
		  ncpus, cpu, ncpus, cpu, cpu, max);
	show_flags(b);
	pb_printf(b, "bugs\t\t:\nbogomips\t: %.2f\nclflush size\t: %u\ncache_alignment\t: %u\n",
		  clock * 2, (r[EBX] >> 8 & 255) * 8, (r[EBX] >> 8 & 255) * 8);
	leaf(0x80000008, 0, r);
	pb_printf(b, "address sizes\t: %u bits physical, %u bits virtual\npower management:\n\n",
		  r[EAX] & 255, r[EAX] >> 8 & 255);
}

void cpuinfo_show(struct pseudo_buf *b, unsigned ncpus)
{
	size_t from;

	for (unsigned cpu = 0; cpu < ncpus; cpu++) {
		from = b->len;
		show_one(b, cpu, ncpus);
		if (b->failed || b->len == from)
			return;
	}
}
