/* Backtraces with libunwind, whose view of memory and registers is the remote process. */
#include <libunwind-x86_64.h>
#include <string.h>

#include "oci-shim/debug/remote.h"

/* Not in the public header, but part of the library for those who bring their own way of
 * finding tables. */
#define search_table UNW_OBJ(dwarf_search_unwind_table)
extern int search_table(unw_addr_space_t as, unw_word_t ip, unw_dyn_info_t *di,
			unw_proc_info_t *pi, int need_unwind_info, void *arg);

struct unwinding {
	struct remote *r;
	const uint64_t *regs;
};

static int find_proc_info(unw_addr_space_t as, unw_word_t ip, unw_proc_info_t *pi, int need,
			  void *arg)
{
	struct unwinding *u = arg;
	unw_dyn_info_t di = { .format = UNW_INFO_FORMAT_REMOTE_TABLE };
	struct unwind_table t;

	if (!elf_unwind_table(u->r, ip, &t))
		return -UNW_ENOINFO;
	di.start_ip = t.start;
	di.end_ip = t.end;
	di.u.rti.segbase = t.hdr;
	di.u.rti.table_data = t.table;
	di.u.rti.table_len = t.count * 8 / sizeof(unw_word_t);
	return search_table(as, ip, &di, pi, need, arg);
}

static void put_unwind_info(unw_addr_space_t as, unw_proc_info_t *pi, void *arg)
{
	(void)as, (void)pi, (void)arg;
}

static int get_dyn_info_list_addr(unw_addr_space_t as, unw_word_t *list, void *arg)
{
	(void)as, (void)list, (void)arg;
	return -UNW_ENOINFO;
}

static int access_mem(unw_addr_space_t as, unw_word_t addr, unw_word_t *val, int write, void *arg)
{
	struct unwinding *u = arg;

	(void)as;
	if (write)
		return -UNW_EINVAL;
	if (elf_read_made(u->r, addr, val, sizeof(*val)))
		return 0;
	return remote_read(u->r, addr, val, sizeof(*val)) ? 0 : -UNW_EINVAL;
}

static int access_reg(unw_addr_space_t as, unw_regnum_t reg, unw_word_t *val, int write, void *arg)
{
	/* From libunwind's numbers to places in struct plat_regs. */
	static const signed char place[] = {
		[UNW_X86_64_RAX] = 13, [UNW_X86_64_RDX] = 12, [UNW_X86_64_RCX] = 14,
		[UNW_X86_64_RBX] = 11, [UNW_X86_64_RSI] = 9,  [UNW_X86_64_RDI] = 8,
		[UNW_X86_64_RBP] = 10, [UNW_X86_64_RSP] = 15, [UNW_X86_64_R8] = 0,
		[UNW_X86_64_R9] = 1,   [UNW_X86_64_R10] = 2,  [UNW_X86_64_R11] = 3,
		[UNW_X86_64_R12] = 4,  [UNW_X86_64_R13] = 5,  [UNW_X86_64_R14] = 6,
		[UNW_X86_64_R15] = 7,  [UNW_X86_64_RIP] = 16,
	};
	struct unwinding *u = arg;

	(void)as;
	if (write || reg < 0 || reg >= (int)sizeof(place))
		return -UNW_EBADREG;
	*val = u->regs[(int)place[reg]];
	return 0;
}

static int access_fpreg(unw_addr_space_t as, unw_regnum_t reg, unw_fpreg_t *val, int write,
			void *arg)
{
	(void)as, (void)reg, (void)val, (void)write, (void)arg;
	return -UNW_EBADREG;
}

static int resume(unw_addr_space_t as, unw_cursor_t *c, void *arg)
{
	(void)as, (void)c, (void)arg;
	return -UNW_EINVAL;
}

static int get_proc_name(unw_addr_space_t as, unw_word_t addr, char *buf, size_t len,
			 unw_word_t *off, void *arg)
{
	(void)as, (void)addr, (void)buf, (void)len, (void)off, (void)arg;
	return -UNW_ENOINFO;
}

/* Where no table helps: each frame pointer leads to the next one and a return address. */
static unsigned follow_frames(struct remote *r, uint64_t sp, uint64_t bp, uint64_t *ips, unsigned n)
{
	uint64_t pair[2];

	while (n < FRAMES_MAX && bp >= sp && (bp & 7) == 0 && remote_read(r, bp, pair, sizeof(pair))) {
		const struct control_map *m = remote_map(r, pair[1]);

		if (!m || !(m->prot & 4))
			break;
		ips[n++] = pair[1];
		if (pair[0] <= bp)
			break;
		sp = bp;
		bp = pair[0];
	}
	return n;
}

unsigned unwind_stack(struct remote *r, const uint64_t regs[18], uint64_t ips[FRAMES_MAX])
{
	static unw_accessors_t ops = {
		find_proc_info, put_unwind_info, get_dyn_info_list_addr, access_mem, access_reg,
		access_fpreg, resume, get_proc_name,
	};
	struct unwinding u = { r, regs };
	unw_addr_space_t as = unw_create_addr_space(&ops, 0);
	unw_word_t ip, sp, last_sp = 0;
	unw_cursor_t c;
	unsigned n = 1;

	ips[0] = regs[16];
	if (!as || unw_init_remote(&c, as, &u) < 0)
		return n;
	while (n < FRAMES_MAX && unw_step(&c) > 0) {
		if (unw_get_reg(&c, UNW_REG_IP, &ip) < 0 || unw_get_reg(&c, UNW_REG_SP, &sp) < 0)
			break;
		/* The stack only grows towards the first frame, but for signal stacks: those
		 * may jump, within the limit of frames. */
		if (ip == 0 || (sp == last_sp && ip == ips[n - 1]))
			break;
		last_sp = sp;
		ips[n++] = ip;
	}
	if (n == 1)
		n = follow_frames(r, regs[15], regs[10], ips, n);
	unw_destroy_addr_space(as);
	return n;
}
