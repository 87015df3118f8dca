/* NUMA policies, as on a machine with one node: everything is checked by Linux's rules, a
 * thread's policy is remembered, and no page has anywhere else to go. */
#include <string.h>

#include "platform/base/auto.h"
#include "sentry/kernel.h"
#include "sentry/mm/mm.h"
#include "sentry/mm/usercopy.h"
#include "sentry/task/process.h"
#include "sentry/task/task.h"
#include "syscalls/abi/lx_cap.h"
#include "syscalls/abi/lx_mempolicy.h"
#include "syscalls/syscall_args.h"

#define PAGE 4096ULL
#define MASK_WORDS (LX_MAX_NUMNODES / 64)
#define NODE0 1ULL

/* A node mask of the guest's: maxnode counts one more than there are bits. *out: the
 * first 64 nodes. */
static int get_nodes(struct task *t, struct uaddr from, uint64_t maxnode, uint64_t *out)
{
	uint64_t bits = maxnode - 1, word;

	*out = 0;
	if (bits == 0 || from.v == 0)
		return 0;
	if (bits > PAGE * 8)
		return -LX_EINVAL;
	for (uint64_t i = 0; i * 64 < bits; i++) {
		if (copy_in(t, &word, uaddr_add(from, i * 8), sizeof(word)))
			return -LX_EFAULT;
		if (bits - i * 64 < 64)
			word &= (1ULL << (bits - i * 64)) - 1;
		if (i >= MASK_WORDS && word)
			return -LX_EINVAL;
		if (i == 0)
			*out = word;
	}
	return 0;
}

static int check_mode(uint32_t mode)
{
	const uint32_t flags = mode & LX_MPOL_MODE_FLAGS;

	mode &= ~(uint32_t)LX_MPOL_MODE_FLAGS;
	if (mode >= LX_MPOL_MAX)
		return -LX_EINVAL;
	if ((flags & LX_MPOL_F_STATIC_NODES) && (flags & LX_MPOL_F_RELATIVE_NODES))
		return -LX_EINVAL;
	if ((flags & LX_MPOL_F_NUMA_BALANCING) && mode != LX_MPOL_BIND &&
	    mode != LX_MPOL_PREFERRED_MANY)
		return -LX_EINVAL;
	return 0;
}

/* mpol_new() and mpol_set_nodemask(): *mode becomes what will be told. */
static int check_policy(uint32_t *mode, uint64_t nodes)
{
	const uint32_t plain = *mode & ~(uint32_t)LX_MPOL_MODE_FLAGS;
	const bool user = *mode & (LX_MPOL_F_STATIC_NODES | LX_MPOL_F_RELATIVE_NODES);

	switch (plain) {
	case LX_MPOL_DEFAULT:
		*mode = LX_MPOL_DEFAULT;
		return nodes ? -LX_EINVAL : 0;
	case LX_MPOL_LOCAL:
		return nodes || user ? -LX_EINVAL : 0;
	case LX_MPOL_PREFERRED:
		if (!nodes) {
			*mode = LX_MPOL_LOCAL;
			return user ? -LX_EINVAL : 0;
		}
		break;
	default:
		if (!nodes)
			return -LX_EINVAL;
		break;
	}
	/* Relative nodes are folded onto those there are. */
	if (*mode & LX_MPOL_F_RELATIVE_NODES)
		return 0;
	return nodes & NODE0 ? 0 : -LX_EINVAL;
}

long sys_set_mempolicy(struct task *t, const struct set_mempolicy_args *a)
{
	uint32_t mode = (uint32_t)a->mode;
	uint64_t nodes;
	int err = check_mode(mode);

	if (!err)
		err = get_nodes(t, a->nmask, a->maxnode, &nodes);
	if (!err)
		err = check_policy(&mode, nodes);
	if (err)
		return err;
	t->mempolicy = mode;
	t->mempolicy_nodes = mode & (LX_MPOL_F_STATIC_NODES | LX_MPOL_F_RELATIVE_NODES) ? nodes
										      : nodes & NODE0;
	return 0;
}

static int put_nodes(struct task *t, struct uaddr to, uint64_t maxnode, uint64_t nodes)
{
	static const uint8_t zero[PAGE];
	uint64_t size = (maxnode - 1 + 63) / 64 * 8;

	if (size > sizeof(nodes)) {
		if (size > PAGE)
			return -LX_EINVAL;
		if (copy_out(t, uaddr_add(to, sizeof(nodes)), zero, size - sizeof(nodes)))
			return -LX_EFAULT;
		size = sizeof(nodes);
	}
	return copy_out(t, to, &nodes, size);
}

static bool mapped(struct task *t, uint64_t addr)
{
	struct vma_info v;

	return mm_next_vma(t->mm, addr, &v) && v.start <= addr;
}

long sys_get_mempolicy(struct task *t, const struct get_mempolicy_args *a)
{
	const uint32_t what = (uint32_t)a->flags & (LX_MPOL_F_NODE | LX_MPOL_F_ADDR);
	uint64_t nodes = t->mempolicy_nodes;
	uint32_t mode = t->mempolicy;

	if (a->flags & ~(uint64_t)(LX_MPOL_F_NODE | LX_MPOL_F_ADDR | LX_MPOL_F_MEMS_ALLOWED))
		return -LX_EINVAL;
	if (a->nmask.v != 0 && a->maxnode < 1)
		return -LX_EINVAL;
	if (a->flags & LX_MPOL_F_MEMS_ALLOWED) {
		if (what)
			return -LX_EINVAL;
		mode = 0;
		nodes = NODE0;
	} else if (what & LX_MPOL_F_ADDR) {
		uint8_t byte;

		/* An area's own policy is not remembered: it has the default. */
		if (!mapped(t, a->addr))
			return -LX_EFAULT;
		if ((what & LX_MPOL_F_NODE) &&
		    copy_in(t, &byte, (struct uaddr){ a->addr }, sizeof(byte)))
			return -LX_EFAULT;
		mode = 0;
		nodes = 0;
	} else if (a->addr) {
		return -LX_EINVAL;
	} else if (what & LX_MPOL_F_NODE) {
		if (mode != LX_MPOL_INTERLEAVE && mode != LX_MPOL_WEIGHTED_INTERLEAVE)
			return -LX_EINVAL;
		mode = 0; /* the node that comes next */
	}
	if (a->policy.v != 0 && copy_out(t, a->policy, &mode, sizeof(mode)))
		return -LX_EFAULT;
	return a->nmask.v != 0 ? put_nodes(t, a->nmask, a->maxnode, nodes) : 0;
}

/* Is all of [start, end) mapped? any: a part is enough. */
static bool range_mapped(struct task *t, uint64_t start, uint64_t end, bool any)
{
	struct vma_info v;

	while (start < end) {
		if (!mm_next_vma(t->mm, start, &v) || v.start >= end)
			return false;
		if (any)
			return true;
		if (v.start > start)
			return false;
		start = v.end;
	}
	return true;
}

static int page_range(uint64_t start, uint64_t len, uint64_t *end)
{
	if (start % PAGE)
		return -LX_EINVAL;
	*end = start + ((len + PAGE - 1) & ~(PAGE - 1));
	return *end < start ? -LX_EINVAL : 0;
}

long sys_mbind(struct task *t, const struct mbind_args *a)
{
	uint32_t mode = (uint32_t)a->mode;
	uint64_t nodes, end;
	int err = check_mode(mode);

	if (!err)
		err = get_nodes(t, a->nmask, a->maxnode, &nodes);
	if (err)
		return err;
	if (a->flags & ~(LX_MPOL_MF_STRICT | LX_MPOL_MF_MOVE | LX_MPOL_MF_MOVE_ALL))
		return -LX_EINVAL;
	if ((a->flags & LX_MPOL_MF_MOVE_ALL) && !task_capable(t, LX_CAP_SYS_NICE))
		return -LX_EPERM;
	err = page_range(a->start, a->len, &end);
	if (err || end == a->start)
		return err;
	err = check_policy(&mode, nodes);
	if (err)
		return err;
	return range_mapped(t, a->start, end, mode == LX_MPOL_DEFAULT) ? 0 : -LX_EFAULT;
}

long sys_set_mempolicy_home_node(struct task *t, const struct set_mempolicy_home_node_args *a)
{
	uint64_t end;
	int err = a->start % PAGE || a->flags || a->home_node != 0 ? -LX_EINVAL : 0;

	(void)t;
	if (!err)
		err = page_range(a->start, a->len, &end);
	if (err || end == a->start)
		return err;
	return -LX_ENOENT; /* no area has a policy */
}

/* Whose pages? Counted. */
static int find_process(struct task *t, int pid, struct task **out)
{
	*out = pid ? task_lookup(t->k, pid) : t;
	if (*out == NULL)
		return -LX_ESRCH;
	if (!pid)
		task_get(t);
	return task_may_access(t, *out) ? 0 : -LX_EPERM;
}

long sys_migrate_pages(struct task *t, const struct migrate_pages_args *a)
{
	AUTO_PUT(task) struct task *of = NULL;
	uint64_t from, to;
	int err = get_nodes(t, a->old_nodes, a->maxnode, &from);

	if (!err)
		err = get_nodes(t, a->new_nodes, a->maxnode, &to);
	if (!err)
		err = find_process(t, a->pid, &of);
	if (err)
		return err;
	return to & NODE0 ? 0 : -LX_EINVAL;
}

#define MOVE_CHUNK 256u	     /* pages */
#define MOVE_CHUNKS_AT_ONCE 64u /* before others get a turn */

static int move_chunk(struct task *t, struct mm *mm, const struct move_pages_args *a,
		      uint64_t first, uint32_t n)
{
	int32_t nodes[MOVE_CHUNK], status[MOVE_CHUNK];
	uint64_t pages[MOVE_CHUNK];
	struct vma_info v;

	if (copy_in(t, pages, uaddr_add(a->pages, first * 8), n * sizeof(pages[0])))
		return -LX_EFAULT;
	memset(nodes, 0, sizeof(nodes));
	if (a->nodes.v != 0 &&
	    copy_in(t, nodes, uaddr_add(a->nodes, first * 4), n * sizeof(nodes[0])))
		return -LX_EFAULT;
	for (uint32_t i = 0; i < n; i++) {
		if (nodes[i] != 0)
			return -LX_ENODEV;
		status[i] = 0;
		if (mm == NULL || !mm_next_vma(mm, pages[i], &v) || v.start > pages[i])
			status[i] = -LX_EFAULT;
	}
	return copy_out(t, uaddr_add(a->status, first * 4), status, n * sizeof(status[0]));
}

long sys_move_pages(struct task *t, const struct move_pages_args *a)
{
	AUTO_PUT(task) struct task *of = NULL;
	uint64_t *done = &t->restart.done;
	int err;

	if (a->flags & ~(LX_MPOL_MF_MOVE | LX_MPOL_MF_MOVE_ALL))
		return -LX_EINVAL;
	if ((a->flags & LX_MPOL_MF_MOVE_ALL) && !task_capable(t, LX_CAP_SYS_NICE))
		return -LX_EPERM;
	err = find_process(t, a->pid, &of);
	for (unsigned i = 0; !err && *done < a->nr_pages; i++) {
		uint64_t left = a->nr_pages - *done;
		uint32_t n = left < MOVE_CHUNK ? (uint32_t)left : MOVE_CHUNK;

		if (i == MOVE_CHUNKS_AT_ONCE) {
			task_park_until(t, ktime_mono());
			return task_park(t, LX_ERESTARTNOINTR);
		}
		err = move_chunk(t, of->mm, a, *done, n);
		*done += n;
	}
	return err;
}
