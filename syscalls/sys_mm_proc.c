/* Memory between processes: memfd_create, process_vm_readv and process_vm_writev,
 * process_madvise. */
#include <stdlib.h>

#include "sentry/fs/tmpfs/tmpfs.h"
#include "sentry/mm/mm.h"
#include "sentry/task/pidfd.h"
#include "sentry/task/process.h"
#include "sentry/task/task.h"
#include "sentry/vfs/vfs.h"
#include "syscalls/abi/lx_cap.h"
#include "syscalls/abi/lx_fcntl.h"
#include "syscalls/abi/lx_mman.h"
#include "syscalls/syscall_args.h"

long sys_memfd_create(struct task *t, const struct memfd_create_args *a)
{
	AUTO_PUT(file) struct file *f = NULL;
	char name[LX_MFD_NAME_MAX + 1];
	uint32_t seals = LX_F_SEAL_SEAL, mode = 0777;
	long n;
	int err;

	if (a->flags & ~(LX_MFD_CLOEXEC | LX_MFD_ALLOW_SEALING | LX_MFD_HUGETLB |
			 LX_MFD_NOEXEC_SEAL | LX_MFD_EXEC))
		return -LX_EINVAL;
	if ((a->flags & LX_MFD_EXEC) && (a->flags & LX_MFD_NOEXEC_SEAL))
		return -LX_EINVAL;
	n = copy_in_str(t, name, a->uname, sizeof(name));
	if (n < 0)
		return n == -LX_ENAMETOOLONG ? -LX_EINVAL : n;
	if (a->flags & LX_MFD_HUGETLB)
		return -LX_ENOSYS; /* as a Linux without hugetlbfs */
	if (a->flags & LX_MFD_ALLOW_SEALING)
		seals = 0;
	if (a->flags & LX_MFD_NOEXEC_SEAL) {
		mode = 0666;
		seals = LX_F_SEAL_EXEC;
	}
	err = tmpfs_memfd(t, name, seals, mode, &f);
	if (err)
		return err;
	return fdtable_add(t, f, (a->flags & LX_MFD_CLOEXEC) ? FD_CLOEXEC_FLAG : 0);
}

/* ---- process_vm_readv, process_vm_writev ---- */

#define VM_CHUNK 65536

/* Remote ranges are not checked against the address space: a bad one just faults. */
static int read_rvec(struct task *t, struct uaddr rvec, uint64_t count, struct uiov **out)
{
	struct uiov *v;

	*out = NULL;
	if (count > UIO_MAXIOV)
		return -LX_EINVAL;
	v = calloc(count ? count : 1, sizeof(*v));
	if (!v)
		return -LX_ENOMEM;
	if (copy_in(t, v, rvec, count * sizeof(*v))) {
		free(v);
		return -LX_EFAULT;
	}
	for (uint64_t i = 0; i < count; i++) {
		if ((int64_t)v[i].len < 0) {
			free(v);
			return -LX_EINVAL;
		}
	}
	*out = v;
	return 0;
}

/* Bytes moved between u and one remote range; less than len at a fault. */
static uint64_t move_range(struct mm *mm, struct uio *u, const struct uiov *r, uint8_t *buf,
			   bool to_remote)
{
	uint64_t done = 0;

	while (done < r->len && u->resid) {
		uint64_t addr = r->base + done, n = r->len - done;
		long got, put;

		if (n > VM_CHUNK)
			n = VM_CHUNK;
		if (n > u->resid)
			n = u->resid;
		if (addr < r->base)
			break;
		got = to_remote ? uio_from_user(u, buf, n) : mm_copy_in_partial(mm, buf, addr, n);
		if (got <= 0)
			break;
		put = to_remote ? mm_copy_out_partial(mm, addr, buf, (size_t)got)
				: uio_to_user(u, buf, (size_t)got);
		if (put > 0)
			done += (uint64_t)put;
		if (put < got || (uint64_t)got < n)
			break;
	}
	return done;
}

static long vm_rw(struct task *t, struct mm *mm, struct uio *u, const struct uiov *rvec,
		  uint64_t count, bool to_remote)
{
	AUTO_FREE uint8_t *buf = malloc(VM_CHUNK);
	uint64_t total = 0;

	(void)t;
	if (!buf)
		return -LX_ENOMEM;
	for (uint64_t i = 0; i < count && u->resid; i++) {
		uint64_t want = rvec[i].len < u->resid ? rvec[i].len : u->resid;
		uint64_t n = move_range(mm, u, &rvec[i], buf, to_remote);

		total += n;
		if (n < want)
			return total ? (long)total : -LX_EFAULT;
	}
	return (long)total;
}

static long process_vm(struct task *t, int pid, struct uaddr lvec, uint64_t liovcnt,
		       struct uaddr rvec, uint64_t riovcnt, uint64_t flags, bool to_remote)
{
	AUTO_PUT(task) struct task *other = NULL;
	AUTO_PUT(mm) struct mm *mm = NULL;
	AUTO_FREE struct uiov *rv = NULL;
	struct uio u;
	long r;

	if (flags)
		return -LX_EINVAL;
	r = uio_init_iov(&u, t, lvec, liovcnt);
	if (r)
		return r;
	if (!u.resid)
		goto out;
	r = read_rvec(t, rvec, riovcnt, &rv);
	if (r)
		goto out;
	other = task_lookup(t->k, pid);
	r = -LX_ESRCH;
	if (!other || !other->mm)
		goto out;
	r = -LX_EPERM;
	if (!task_may_access(t, other))
		goto out;
	mm = other->mm;
	mm_get(mm);
	r = vm_rw(t, mm, &u, rv, riovcnt, to_remote);
out:
	uio_fini(&u);
	return r;
}

long sys_process_vm_readv(struct task *t, const struct process_vm_readv_args *a)
{
	return process_vm(t, a->pid, a->lvec, a->liovcnt, a->rvec, a->riovcnt, a->flags, false);
}

long sys_process_vm_writev(struct task *t, const struct process_vm_writev_args *a)
{
	return process_vm(t, a->pid, a->lvec, a->liovcnt, a->rvec, a->riovcnt, a->flags, true);
}

/* ---- process_madvise, process_mrelease ---- */

/* A batch has room for so many ranges; the call may always do less than it was asked. */
#define ADVISE_RANGES_MAX 16

/* On the own address space any advice is good. Bytes done, or the first range's error. */
static long advise_self(struct task *t, const struct uio *u, int advice)
{
	long done = 0, r;

	for (unsigned i = 0; i < u->niov && i < ADVISE_RANGES_MAX; i++) {
		r = mm_advise(t, u->iov[i].base, u->iov[i].len, advice);
		if (r)
			return done ? done : r;
		done += (long)u->iov[i].len;
	}
	return done;
}

/* On another one only hints that change nothing here: the ranges are checked. */
static long advise_other(struct mm *mm, const struct uio *u)
{
	long done = 0;

	for (unsigned i = 0; i < u->niov; i++) {
		uint64_t base = u->iov[i].base, len = u->iov[i].len;
		int err = 0;

		if (base & (LX_PAGE_SIZE - 1) || base + len < base)
			err = -LX_EINVAL;
		else if (len && !mm_range_mapped(mm, base, len))
			err = -LX_ENOMEM;
		if (err)
			return done ? done : err;
		done += (long)len;
	}
	return done;
}

static long advise_process(struct task *t, const struct uio *u, struct tgroup *tg, int advice)
{
	struct task *other = tg->leader;

	if (tg->zombie || !other || !other->mm)
		return -LX_ESRCH;
	if (other->mm == t->mm)
		return advise_self(t, u, advice);
	switch (advice) {
	case LX_MADV_COLD:
	case LX_MADV_PAGEOUT:
	case LX_MADV_WILLNEED:
	case LX_MADV_COLLAPSE:
		break;
	default:
		return -LX_EINVAL;
	}
	if (!task_may_access(t, other) || !task_capable(t, LX_CAP_SYS_NICE))
		return -LX_EPERM;
	return advise_other(other->mm, u);
}

long sys_process_madvise(struct task *t, const struct process_madvise_args *a)
{
	AUTO_PUT(file) struct file *f = NULL;
	struct tgroup *tg;
	struct uio u;
	long r;
	int err = 0;

	if (a->flags)
		return -LX_EINVAL;
	err = uio_init_iov(&u, t, a->vec, a->vlen);
	if (err)
		return err;
	f = fd_file(t, a->pidfd, &err);
	tg = f ? pidfd_tgroup(f) : NULL;
	if (!f)
		r = err;
	else if (!tg)
		r = -LX_EBADF;
	else if (!mm_advice_valid(a->behavior))
		r = -LX_EINVAL;
	else
		r = advise_process(t, &u, tg, a->behavior);
	uio_fini(&u);
	return r;
}

/* The memory of a process that was killed goes with its stub, at once: there is nothing to
 * hurry, only the question whether it is ending. */
long sys_process_mrelease(struct task *t, const struct process_mrelease_args *a)
{
	AUTO_PUT(file) struct file *f = NULL;
	struct tgroup *tg;
	int err = 0;

	if (a->flags)
		return -LX_EINVAL;
	f = fd_file(t, a->pidfd, &err);
	if (!f)
		return err;
	tg = pidfd_tgroup(f);
	if (!tg)
		return -LX_EBADF;
	if (tg->zombie)
		return -LX_ESRCH;
	return tg->exiting ? 0 : -LX_EINVAL;
}
