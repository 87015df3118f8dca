/* System V shared memory: segments are shmem files (sentry/mm/shmem.c) with a key, an
 * owner and a mode; attachments are areas of the memory map that point back to their
 * segment, so that forks, splits and unmaps count as in Linux. */
#include <stdio.h>
#include <stdlib.h>

#include "sentry/cred/cred.h"
#include "sentry/ipc/ipc.h"
#include "sentry/ipc/shm.h"
#include "sentry/mm/vma.h"
#include "sentry/task/task.h"
#include "sentry/vfs/vfs.h"
#include "syscalls/abi/lx_cap.h"
#include "syscalls/abi/lx_fcntl.h"
#include "syscalls/abi/lx_mman.h"
#include "syscalls/abi/lx_resource.h"
#include "syscalls/abi/lx_shm.h"

#define PERM_RW 0666u
#define PERM_EXEC 0111u

struct shm_segment {
	struct ipc_perm perm;	/* mode: with LX_SHM_DEST, LX_SHM_LOCKED */
	struct ipc_ns *ns;
	struct list created;	/* in the creator's task.shm_created; self-linked: it is gone */
	uint64_t size, nattch;
	int64_t atime, dtime;
	int32_t cpid, lpid;
	uint32_t locker;	/* LX_SHM_LOCKED: whose RLIMIT_MEMLOCK is charged */
	struct file *file;	/* one reference, read-write */
};

static uint64_t pages_of(const struct shm_segment *s)
{
	return (s->size + LX_PAGE_SIZE - 1) / LX_PAGE_SIZE;
}

static struct shm_segment *by_id(struct task *t, int32_t id)
{
	const struct ipc_ns *ns = ipc_of(t->k);

	return ns ? (struct shm_segment *)ipc_by_id(&ns->shms, id) : NULL;
}

static void segment_free(struct shm_segment *s)
{
	struct ipc_ns *ns = s->ns;

	ipc_remove(&ns->shms, &s->perm);
	list_del_init(&s->created);
	ns->shm_pages -= pages_of(s);
	file_put(s->file);
	ipc_free(ns, s, sizeof(*s));
}

/* Free it if nobody uses it and it was, or counts as, marked for that. */
static void may_free(struct shm_segment *s)
{
	if (!s->nattch && ((s->perm.mode & LX_SHM_DEST) || s->ns->lim.shm_rmid_forced))
		segment_free(s);
}

void shm_vma_open(struct shm_segment *s)
{
	s->nattch++;
	s->atime = ipc_now();
}

void shm_vma_close(struct shm_segment *s)
{
	s->nattch--;
	s->dtime = ipc_now();
	may_free(s);
}

void shm_fini(struct ipc_ns *ns)
{
	for (unsigned i = 0; i < ns->shms.nslots; i++)
		if (ns->shms.slot[i])
			segment_free((struct shm_segment *)ns->shms.slot[i]);
}

void shm_task_exit(struct task *t)
{
	struct shm_segment *s, *tmp;

	list_for_each_safe(s, tmp, &t->shm_created, created) {
		list_del_init(&s->created);
		if (s->ns->lim.shm_rmid_forced)
			may_free(s);
	}
}

void shm_rmid_forced(struct ipc_ns *ns)
{
	for (unsigned i = 0; i < ns->shms.nslots; i++) {
		struct shm_segment *s = (struct shm_segment *)ns->shms.slot[i];

		if (s && list_empty(&s->created))
			may_free(s);
	}
}

/* ---- shmget ---- */

static long segment_new(struct task *t, struct ipc_ns *ns, int32_t key, uint64_t size,
			uint32_t flags)
{
	uint64_t pages = size / LX_PAGE_SIZE + (size % LX_PAGE_SIZE != 0);
	struct shm_segment *s;
	char name[32];
	int32_t id;
	int err;

	if (size < LX_SHMMIN || size > ns->lim.shmmax)
		return -LX_EINVAL;
	if (pages > UINT64_MAX / LX_PAGE_SIZE || ns->shm_pages + pages > ns->lim.shmall)
		return -LX_ENOSPC;
	/* As with hugetlbfs, but without a page in its pool. */
	if ((flags & LX_SHM_HUGETLB) || size > INT64_MAX - LX_PAGE_SIZE)
		return -LX_ENOMEM;
	s = ipc_alloc(ns, sizeof(*s));
	if (!s)
		return -LX_ENOMEM;
	snprintf(name, sizeof(name), "SYSV%08x", (uint32_t)key);
	err = shmem_file_new(t->k, t->cred, name, pages * LX_PAGE_SIZE, 0777, &s->file);
	if (err) {
		ipc_free(ns, s, sizeof(*s));
		return err;
	}
	s->ns = ns;
	s->size = size;
	s->cpid = t->tg->tgid;
	id = ipc_add(t, &ns->shms, &s->perm, key, flags, ns->lim.shmmni);
	if (id < 0) {
		file_put(s->file);
		ipc_free(ns, s, sizeof(*s));
		return id;
	}
	ns->shm_pages += pages;
	list_push_back(&t->shm_created, &s->created);
	return id;
}

long shm_get(struct task *t, int32_t key, uint64_t size, uint32_t flags)
{
	struct ipc_ns *ns = ipc_of(t->k);
	struct ipc_perm *p;
	int err;

	if (!ns)
		return -LX_ENOMEM;
	err = ipc_lookup_key(&ns->shms, key, flags, &p);
	if (err)
		return err;
	if (!p)
		return segment_new(t, ns, key, size, flags);
	if (((const struct shm_segment *)p)->size < size)
		return -LX_EINVAL;
	err = ipc_check_access(t, p, flags);
	return err ? err : p->id;
}

/* ---- shmat, shmdt ---- */

/* The file to map: the segment's own, or a read-only one, so that the mapping can
 * never become writable. */
static int open_segment(struct task *t, struct shm_segment *s, bool rdonly, struct file **out)
{
	if (rdonly)
		return vfs_open_path(t->k, NULL, &s->file->path, LX_O_RDONLY, out);
	file_get(s->file);
	*out = s->file;
	return 0;
}

long shm_attach(struct task *t, int32_t id, uint64_t addr, uint32_t flags)
{
	AUTO_PUT(file) struct file *f = NULL;
	struct mm_map_req r = { .prot = LX_PROT_READ, .flags = LX_MAP_SHARED,
				.batch = &t->batch };
	uint32_t perm = IPC_READ;
	struct shm_segment *s;
	struct vma *v;
	int64_t at;
	int err;

	if (id < 0)
		return -LX_EINVAL;
	if (addr % LX_PAGE_SIZE) {
		if (!(flags & LX_SHM_RND))
			return -LX_EINVAL;
		addr -= addr % LX_PAGE_SIZE;
		if (!addr && (flags & LX_SHM_REMAP))
			return -LX_EINVAL;
	} else if (!addr && (flags & LX_SHM_REMAP)) {
		return -LX_EINVAL;
	}
	if (addr)
		r.flags |= LX_MAP_FIXED;
	if (!(flags & LX_SHM_RDONLY)) {
		r.prot |= LX_PROT_WRITE;
		perm = PERM_RW;
	}
	if (flags & LX_SHM_EXEC) {
		r.prot |= LX_PROT_EXEC;
		perm |= PERM_EXEC;
	}
	s = by_id(t, id);
	if (!s)
		return -LX_EINVAL;
	err = ipc_check_access(t, &s->perm, perm);
	if (err)
		return err;
	if (addr && !(flags & LX_SHM_REMAP)) {
		v = vma_find(t->mm->vmas, addr);
		if (addr + s->size < addr || (v && v->start < addr + s->size))
			return -LX_EINVAL;
	}
	err = open_segment(t, s, flags & LX_SHM_RDONLY, &f);
	if (err)
		return err;
	r.addr = addr;
	r.len = s->size;
	r.file = f;
	r.shm = s;
	s->nattch++; /* lives on even if its last attachment is mapped over */
	at = mm_map(t->mm, t, &r);
	if (at >= 0)
		s->lpid = t->tg->tgid;
	s->nattch--;
	may_free(s);
	return at;
}

/* Does v show the part of its segment that an attachment at addr puts there? */
static bool belongs(const struct vma *v, const struct shm_segment *s, uint64_t addr)
{
	return v->shm && (!s || v->shm == s) && v->start >= addr &&
	       (v->start - addr) / LX_PAGE_SIZE == v->pgoff;
}

long shm_detach(struct task *t, uint64_t addr)
{
	struct shm_segment *s;
	uint64_t end, run_start, run_end;
	struct vma *v;

	if (addr % LX_PAGE_SIZE)
		return -LX_EINVAL;
	for (v = vma_find(t->mm->vmas, addr); v && !belongs(v, NULL, addr); v = vma_next(v))
		;
	if (!v)
		return -LX_EINVAL;
	s = v->shm;
	s->lpid = t->tg->tgid;
	end = addr + ((s->size + LX_PAGE_SIZE - 1) & ~(LX_PAGE_SIZE - 1));
	s->nattch++; /* until the end of the loop */
	while (v && v->start < end && t->batch.count < PLAT_BATCH_MAX) {
		if (!belongs(v, s, addr)) {
			v = vma_next(v);
			continue;
		}
		/* mprotect may have cut it up; neighbours go in one call. */
		run_start = v->start;
		run_end = v->end;
		for (v = vma_next(v); v && v->start == run_end && belongs(v, s, addr);
		     v = vma_next(v))
			run_end = v->end;
		if (mm_unmap(t->mm, t, run_start, run_end - run_start, &t->batch))
			break;
		v = vma_find(t->mm->vmas, run_end);
	}
	s->nattch--;
	may_free(s);
	return 0;
}

/* ---- shmctl ---- */

static long ctl_info(struct task *t, const struct ipc_ns *ns, struct uaddr buf)
{
	const struct lx_shminfo64 info = {
		.shmmax = ns->lim.shmmax,
		.shmmin = LX_SHMMIN,
		.shmmni = (uint64_t)ns->lim.shmmni,
		.shmseg = (uint64_t)ns->lim.shmmni,
		.shmall = ns->lim.shmall,
	};

	return copy_out(t, buf, &info, sizeof(info)) ? -LX_EFAULT : ipc_max_index(&ns->shms);
}

/* Pages of the segment that hold something. */
static uint64_t resident(const struct shm_segment *s)
{
	struct kstat st;

	return file_getattr(s->file, &st) ? 0 : st.blocks / (LX_PAGE_SIZE / 512);
}

static long ctl_shm_info(struct task *t, const struct ipc_ns *ns, struct uaddr buf)
{
	struct lx_shm_info info = { .used_ids = (int32_t)ns->shms.used, .tot = ns->shm_pages };

	for (unsigned i = 0; i < ns->shms.nslots; i++)
		if (ns->shms.slot[i])
			info.rss += resident((const struct shm_segment *)ns->shms.slot[i]);
	return copy_out(t, buf, &info, sizeof(info)) ? -LX_EFAULT : ipc_max_index(&ns->shms);
}

void shm_show(const struct ipc_perm *p, struct lx_shmid64_ds *out, uint64_t *out_rss)
{
	const struct shm_segment *s = (const struct shm_segment *)p;

	*out = (struct lx_shmid64_ds){
		.segsz = s->size, .atime = s->atime, .dtime = s->dtime, .ctime = p->ctime,
		.cpid = s->cpid, .lpid = s->lpid, .nattch = s->nattch,
	};
	ipc_show_perm(p, &out->perm);
	if (out_rss)
		*out_rss = resident(s) * LX_PAGE_SIZE;
}

static long ctl_stat(struct task *t, const struct ipc_ns *ns, int32_t id, int32_t cmd,
		     struct uaddr buf)
{
	const struct ipc_perm *p = cmd == LX_IPC_STAT ? ipc_by_id(&ns->shms, id)
						      : ipc_by_index(&ns->shms, id);
	struct lx_shmid64_ds ds;
	int err;

	if (!p)
		return -LX_EINVAL;
	err = cmd == LX_SHM_STAT_ANY ? 0 : ipc_check_access(t, p, IPC_READ);
	if (err)
		return err;
	shm_show(p, &ds, NULL);
	if (copy_out(t, buf, &ds, sizeof(ds)))
		return -LX_EFAULT;
	return cmd == LX_IPC_STAT ? 0 : p->id;
}

static long ctl_set(struct task *t, struct shm_segment *s, const struct lx_shmid64_ds *ds)
{
	int err = ipc_check_owner(t, &s->perm);

	if (!err)
		err = ipc_set_perm(&s->perm, &ds->perm);
	if (!err)
		s->perm.ctime = ipc_now();
	return err;
}

static long ctl_rmid(struct task *t, struct shm_segment *s)
{
	int err = ipc_check_owner(t, &s->perm);

	if (err)
		return err;
	s->perm.mode |= LX_SHM_DEST;
	ipc_drop_key(&s->ns->shms, &s->perm);
	may_free(s);
	return 0;
}

/* Bytes of segments that are locked on the account of a user. */
static uint64_t locked_bytes(const struct ipc_ns *ns, uint32_t uid)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < ns->shms.nslots; i++) {
		const struct shm_segment *s = (const struct shm_segment *)ns->shms.slot[i];

		if (s && (s->perm.mode & LX_SHM_LOCKED) && s->locker == uid)
			n += pages_of(s) * LX_PAGE_SIZE;
	}
	return n;
}

/* The sandbox's memory is never swapped by the sentry: only the accounts matter. */
static long ctl_lock(struct task *t, struct shm_segment *s, bool lock)
{
	bool owner = t->cred->euid == s->perm.cuid || t->cred->euid == s->perm.uid;
	uint64_t limit = rlimit_cur(t, LX_RLIMIT_MEMLOCK);
	bool capable = task_capable(t, LX_CAP_IPC_LOCK);

	if (!capable && (!owner || (lock && !limit)))
		return -LX_EPERM;
	if (!lock) {
		s->perm.mode &= ~LX_SHM_LOCKED;
		return 0;
	}
	if (s->perm.mode & LX_SHM_LOCKED)
		return 0;
	if (!capable && locked_bytes(s->ns, t->cred->uid) + pages_of(s) * LX_PAGE_SIZE > limit)
		return -LX_ENOMEM;
	s->perm.mode |= LX_SHM_LOCKED;
	s->locker = t->cred->uid;
	return 0;
}

long shm_control(struct task *t, int32_t id, int32_t cmd, struct uaddr buf)
{
	const struct ipc_ns *ns = ipc_of(t->k);
	struct lx_shmid64_ds ds;
	struct shm_segment *s;

	if (!ns)
		return -LX_ENOMEM;
	if (cmd < 0 || id < 0)
		return -LX_EINVAL;
	s = by_id(t, id);
	switch (cmd) {
	case LX_IPC_INFO:
		return ctl_info(t, ns, buf);
	case LX_SHM_INFO:
		return ctl_shm_info(t, ns, buf);
	case LX_IPC_STAT:
	case LX_SHM_STAT:
	case LX_SHM_STAT_ANY:
		return ctl_stat(t, ns, id, cmd, buf);
	case LX_IPC_SET:
		if (copy_in(t, &ds, buf, sizeof(ds)))
			return -LX_EFAULT;
		return s ? ctl_set(t, s, &ds) : -LX_EINVAL;
	case LX_IPC_RMID:
		return s ? ctl_rmid(t, s) : -LX_EINVAL;
	case LX_SHM_LOCK:
	case LX_SHM_UNLOCK:
		return s ? ctl_lock(t, s, cmd == LX_SHM_LOCK) : -LX_EINVAL;
	default:
		return -LX_EINVAL;
	}
}
