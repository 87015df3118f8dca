/* prctl(2), what it does to the address space: where its parts are said to be
 * (PR_SET_MM), what may be mapped (PR_SET_MDWE), names, huge pages, merging. */
#include "platform/base/auto.h"
#include "sentry/mm/mm.h"
#include "sentry/mm/usercopy.h"
#include "sentry/vfs/vfs.h"
#include "syscalls/abi/lx_cap.h"
#include "syscalls/abi/lx_prctl.h"
#include "syscalls/abi/lx_resource.h"
#include "syscalls/abi/lx_stat.h"
#include "syscalls/sys_prctl.h"

#include <string.h>

/* ---- PR_SET_MM ---- */

static void map_of(const struct mm *mm, struct lx_prctl_mm_map *m)
{
	*m = (struct lx_prctl_mm_map){
		.start_code = mm->start_code,
		.end_code = mm->end_code,
		.start_data = mm->start_data,
		.end_data = mm->end_data,
		.start_brk = mm->start_brk,
		.brk = mm->brk,
		.start_stack = mm->start_stack,
		.arg_start = mm->arg_start,
		.arg_end = mm->arg_end,
		.env_start = mm->env_start,
		.env_end = mm->env_end,
		.exe_fd = UINT32_MAX,
	};
}

static void map_assign(struct mm *mm, const struct lx_prctl_mm_map *m)
{
	mm->start_code = m->start_code;
	mm->end_code = m->end_code;
	mm->start_data = m->start_data;
	mm->end_data = m->end_data;
	mm->start_brk = m->start_brk;
	mm->brk = m->brk;
	mm->start_stack = m->start_stack;
	mm->arg_start = m->arg_start;
	mm->arg_end = m->arg_end;
	mm->env_start = m->env_start;
	mm->env_end = m->env_end;
}

/* validate_prctl_map_addr() */
static int map_check(const struct task *t, const struct lx_prctl_mm_map *m)
{
	const uint64_t limit = rlimit_cur(t, LX_RLIMIT_DATA);
	const uint64_t at[] = { m->start_code, m->end_code, m->start_data, m->end_data,
				m->start_brk, m->brk, m->start_stack, m->arg_start,
				m->arg_end, m->env_start, m->env_end };

	for (unsigned i = 0; i < sizeof(at) / sizeof(at[0]); i++)
		if (at[i] >= PLAT_GUEST_MAX || at[i] < PLAT_GUEST_MIN)
			return -LX_EINVAL;
	if (m->start_code >= m->end_code || m->start_data > m->end_data ||
	    m->start_brk > m->brk || m->arg_start > m->arg_end || m->env_start > m->env_end)
		return -LX_EINVAL;
	if (limit != LX_RLIM_INFINITY &&
	    m->brk - m->start_brk + (m->end_data - m->start_data) > limit)
		return -LX_EINVAL;
	return 0;
}

/* size bytes of the guest's vector; the rest is zero, and so are the last two words. */
static int copy_auxv(struct task *t, uint64_t from, uint64_t size, uint64_t *auxv)
{
	struct mm *mm = t->mm;
	const unsigned words = sizeof(mm->auxv) / sizeof(mm->auxv[0]);

	memset(auxv, 0, sizeof(mm->auxv));
	if (copy_in(t, auxv, (struct uaddr){ from }, size))
		return -LX_EFAULT;
	auxv[words - 2] = auxv[words - 1] = 0;
	return 0;
}

static void set_auxv(struct mm *mm, const uint64_t *auxv)
{
	memcpy(mm->auxv, auxv, sizeof(mm->auxv));
	mm->nauxv = sizeof(mm->auxv) / sizeof(mm->auxv[0]);
}

/* The program's file may be replaced once nothing of the old one is mapped. */
static int set_exe(struct task *t, uint32_t fd)
{
	AUTO_PUT(file) struct file *f = NULL;
	struct mm *mm = t->mm;
	struct vma_info v;
	int err;

	f = fd_file(t, (int)fd, &err);
	if (!f)
		return -LX_EBADF;
	if (!LX_S_ISREG(file_inode(f)->mode) || (f->path.mnt->flags & MNT_NOEXEC))
		return -LX_EACCES;
	err = inode_permission(t->cred, file_inode(f), MAY_EXEC);
	if (err)
		return err;
	for (uint64_t at = 0; mm->exe && mm_next_vma(mm, at, &v); at = v.end)
		if (v.file && v.file->path.dentry == mm->exe->path.dentry)
			return -LX_EBUSY;
	if (mm->exe)
		file_put(mm->exe);
	mm->exe = take(&f);
	return 0;
}

static long set_mm_map(struct task *t, uint64_t from, uint64_t size)
{
	uint64_t auxv[sizeof(t->mm->auxv) / sizeof(t->mm->auxv[0])];
	struct lx_prctl_mm_map m;
	int err;

	if (size != sizeof(m))
		return -LX_EINVAL;
	if (copy_in(t, &m, (struct uaddr){ from }, sizeof(m)))
		return -LX_EFAULT;
	err = map_check(t, &m);
	if (err)
		return err;
	if (m.auxv_size) {
		if (!m.auxv || m.auxv_size > sizeof(auxv))
			return -LX_EINVAL;
		err = copy_auxv(t, m.auxv, m.auxv_size, auxv);
		if (err)
			return err;
	}
	if (m.exe_fd != UINT32_MAX) {
		if (!task_capable(t, LX_CAP_CHECKPOINT_RESTORE) &&
		    !task_capable(t, LX_CAP_SYS_ADMIN))
			return -LX_EPERM;
		err = set_exe(t, m.exe_fd);
		if (err)
			return err;
	}
	map_assign(t->mm, &m);
	if (m.auxv_size)
		set_auxv(t->mm, auxv);
	return 0;
}

static long set_mm_auxv(struct task *t, uint64_t from, uint64_t size)
{
	uint64_t auxv[sizeof(t->mm->auxv) / sizeof(t->mm->auxv[0])];
	int err;

	if (size > sizeof(auxv))
		return -LX_EINVAL;
	err = copy_auxv(t, from, size, auxv);
	if (!err)
		set_auxv(t->mm, auxv);
	return err;
}

/* The member that an option names; *on_stack: it must point into something mapped. */
static uint64_t *map_member(struct lx_prctl_mm_map *m, uint64_t opt, bool *on_stack)
{
	*on_stack = opt == LX_PR_SET_MM_START_STACK ||
		    (opt >= LX_PR_SET_MM_ARG_START && opt <= LX_PR_SET_MM_ENV_END);
	switch (opt) {
	case LX_PR_SET_MM_START_CODE:
		return &m->start_code;
	case LX_PR_SET_MM_END_CODE:
		return &m->end_code;
	case LX_PR_SET_MM_START_DATA:
		return &m->start_data;
	case LX_PR_SET_MM_END_DATA:
		return &m->end_data;
	case LX_PR_SET_MM_START_STACK:
		return &m->start_stack;
	case LX_PR_SET_MM_START_BRK:
		return &m->start_brk;
	case LX_PR_SET_MM_BRK:
		return &m->brk;
	case LX_PR_SET_MM_ARG_START:
		return &m->arg_start;
	case LX_PR_SET_MM_ARG_END:
		return &m->arg_end;
	case LX_PR_SET_MM_ENV_START:
		return &m->env_start;
	case LX_PR_SET_MM_ENV_END:
		return &m->env_end;
	default:
		return NULL;
	}
}

static long set_mm_member(struct task *t, uint64_t opt, uint64_t addr)
{
	struct lx_prctl_mm_map m;
	struct vma_info v;
	uint64_t *member;
	bool on_stack;
	int err;

	if (addr >= PLAT_GUEST_MAX || addr < PLAT_GUEST_MIN)
		return -LX_EINVAL;
	map_of(t->mm, &m);
	member = map_member(&m, opt, &on_stack);
	if (!member)
		return -LX_EINVAL;
	*member = addr;
	err = map_check(t, &m);
	if (err)
		return err;
	/* As find_vma(): also one that begins behind the address will do. */
	if (on_stack && !mm_next_vma(t->mm, addr, &v))
		return -LX_EFAULT;
	map_assign(t->mm, &m);
	return 0;
}

long pr_set_mm(struct task *t, const struct prctl_args *a)
{
	const uint32_t map_size = sizeof(struct lx_prctl_mm_map);
	uint64_t opt = (uint32_t)a->arg2;

	if (a->arg5 || (a->arg4 && opt != LX_PR_SET_MM_AUXV && opt != LX_PR_SET_MM_MAP &&
			opt != LX_PR_SET_MM_MAP_SIZE))
		return -LX_EINVAL;
	if (opt == LX_PR_SET_MM_MAP_SIZE)
		return copy_out(t, (struct uaddr){ a->arg3 }, &map_size, sizeof(map_size));
	if (opt == LX_PR_SET_MM_MAP)
		return set_mm_map(t, a->arg3, a->arg4);
	if (!task_capable(t, LX_CAP_SYS_RESOURCE))
		return -LX_EPERM;
	if (opt == LX_PR_SET_MM_EXE_FILE)
		return set_exe(t, (uint32_t)a->arg3);
	if (opt == LX_PR_SET_MM_AUXV)
		return set_mm_auxv(t, a->arg3, a->arg4);
	return set_mm_member(t, opt, a->arg3);
}

long pr_get_auxv(struct task *t, const struct prctl_args *a)
{
	uint64_t size = a->arg3 < sizeof(t->mm->auxv) ? a->arg3 : sizeof(t->mm->auxv);

	if (a->arg4 != 0 || a->arg5 != 0)
		return -LX_EINVAL;
	if (copy_out(t, (struct uaddr){ a->arg2 }, t->mm->auxv, size))
		return -LX_EFAULT;
	return sizeof(t->mm->auxv);
}

/* ---- what the map is asked to be ---- */

long pr_set_thp_disable(struct task *t, const struct prctl_args *a)
{
	const uint32_t both = MMF_THP_DISABLE | MMF_THP_EXCEPT_ADVISED;
	uint32_t set = 0;

	if (a->arg4 || a->arg5)
		return -LX_EINVAL;
	if ((!a->arg2 && a->arg3) || (a->arg3 & ~(uint64_t)LX_PR_THP_DISABLE_EXCEPT_ADVISED))
		return -LX_EINVAL;
	if (a->arg2)
		set = a->arg3 ? both : MMF_THP_DISABLE;
	t->mm->flags = (t->mm->flags & ~both) | set;
	return 0;
}

long pr_get_thp_disable(struct task *t, const struct prctl_args *a)
{
	if (a->arg2 != 0 || !rest_is_zero(a))
		return -LX_EINVAL;
	if (!(t->mm->flags & MMF_THP_DISABLE))
		return 0;
	return 1 | (t->mm->flags & MMF_THP_EXCEPT_ADVISED ? LX_PR_THP_DISABLE_EXCEPT_ADVISED : 0);
}

static uint64_t mdwe_bits(const struct mm *mm)
{
	return (mm->flags & MMF_MDWE ? LX_PR_MDWE_REFUSE_EXEC_GAIN : 0) |
	       (mm->flags & MMF_MDWE_NO_INHERIT ? LX_PR_MDWE_NO_INHERIT : 0);
}

long pr_set_mdwe(struct task *t, const struct prctl_args *a)
{
	uint64_t now = mdwe_bits(t->mm);

	if (!rest_is_zero(a))
		return -LX_EINVAL;
	if (a->arg2 & ~(uint64_t)(LX_PR_MDWE_REFUSE_EXEC_GAIN | LX_PR_MDWE_NO_INHERIT))
		return -LX_EINVAL;
	if (a->arg2 == LX_PR_MDWE_NO_INHERIT)
		return -LX_EINVAL;
	if (now && now != a->arg2)
		return -LX_EPERM;
	if (a->arg2 & LX_PR_MDWE_REFUSE_EXEC_GAIN)
		t->mm->flags |= MMF_MDWE;
	if (a->arg2 & LX_PR_MDWE_NO_INHERIT)
		t->mm->flags |= MMF_MDWE_NO_INHERIT;
	return 0;
}

long pr_get_mdwe(struct task *t, const struct prctl_args *a)
{
	return a->arg2 != 0 || !rest_is_zero(a) ? -LX_EINVAL : (long)mdwe_bits(t->mm);
}

long pr_set_memory_merge(struct task *t, const struct prctl_args *a)
{
	if (!rest_is_zero(a))
		return -LX_EINVAL;
	t->mm->flags = (t->mm->flags & ~(uint32_t)MMF_MERGE) | (a->arg2 ? MMF_MERGE : 0);
	return 0;
}

long pr_get_memory_merge(struct task *t, const struct prctl_args *a)
{
	if (a->arg2 != 0 || !rest_is_zero(a))
		return -LX_EINVAL;
	return (t->mm->flags & MMF_MERGE) != 0;
}

/* ---- names of areas ---- */

long pr_set_vma(struct task *t, const struct prctl_args *a)
{
	char name[MM_ANON_NAME_MAX];
	long n;

	if (a->arg2 != LX_PR_SET_VMA_ANON_NAME)
		return -LX_EINVAL;
	if (!a->arg5)
		return mm_set_anon_name(t, a->arg3, a->arg4, NULL);
	n = copy_in_str(t, name, (struct uaddr){ a->arg5 }, sizeof(name));
	if (n < 0)
		return n == -LX_ENAMETOOLONG ? -LX_EINVAL : n;
	for (const char *p = name; *p; p++)
		if (*p <= 0x1f || *p >= 0x7f || strchr("\\`$[]", *p))
			return -LX_EINVAL;
	return mm_set_anon_name(t, a->arg3, a->arg4, name);
}
