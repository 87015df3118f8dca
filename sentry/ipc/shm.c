/* System V shared memory: segments are shmem files (sentry/mm/shmem.c) with a key, an
 * owner and a mode; attachments are areas of the memory map that point back to their
 * segment, so that forks, splits and unmaps count as in Linux. */
#include <stdio.h>
#include <stdlib.h>

#include "sentry/cred/cred.h"
#include "sentry/ipc/shm.h"
#include "sentry/mm/vma.h"
#include "sentry/task/task.h"
#include "sentry/vfs/vfs.h"
#include "syscalls/abi/lx_cap.h"
#include "syscalls/abi/lx_fcntl.h"
#include "syscalls/abi/lx_mman.h"
#include "syscalls/abi/lx_resource.h"
#include "syscalls/abi/lx_shm.h"

#define SHM_SEQ_SHIFT 15
#define PERM_READ 0444u
#define PERM_RW 0666u
#define PERM_EXEC 0111u

struct shm_segment {
	struct kernel *k;
	unsigned index;
	int32_t key;
	uint16_t seq;
	uint32_t uid, gid, cuid, cgid, mode;
	uint64_t size, nattch;
	int64_t atime, dtime, ctime;
	int32_t cpid, lpid;
	struct file *file;	/* one reference, read-write */
};

struct shm_table {
	struct shm_segment *seg[LX_SHMMNI];
	unsigned used;
	uint16_t next_seq;
	unsigned next_index;	/* ids are not reused at once */
};

static int64_t now(void)
{
	return ktime_real() / 1000000000;
}

static int32_t id_of(const struct shm_segment *s)
{
	return (int32_t)(((uint32_t)s->seq << SHM_SEQ_SHIFT) | s->index);
}

static struct shm_segment *by_id(struct kernel *k, int32_t id)
{
	unsigned index = (uint32_t)id & ((1u << SHM_SEQ_SHIFT) - 1);
	struct shm_segment *s;

	if (id < 0 || !k->shm || index >= LX_SHMMNI)
		return NULL;
	s = k->shm->seg[index];
	return s && id_of(s) == id ? s : NULL;
}

/* ipcperms(): 0 or -LX_EACCES. */
static int check_perm(struct task *t, const struct shm_segment *s, uint32_t want)
{
	uint32_t granted = s->mode;

	want = (want >> 6) | (want >> 3) | want;
	if (t->cred->euid == s->cuid || t->cred->euid == s->uid)
		granted >>= 6;
	else if (cred_in_egroup(t->cred, s->cgid) || cred_in_egroup(t->cred, s->gid))
		granted >>= 3;
	if ((want & ~granted & 7u) && !task_capable(t, LX_CAP_IPC_OWNER))
		return -LX_EACCES;
	return 0;
}

static bool is_owner(struct task *t, const struct shm_segment *s)
{
	return t->cred->euid == s->cuid || t->cred->euid == s->uid ||
	       task_capable(t, LX_CAP_SYS_ADMIN);
}

static void segment_free(struct shm_segment *s)
{
	s->k->shm->seg[s->index] = NULL;
	s->k->shm->used--;
	file_put(s->file);
	free(s);
}

void shm_vma_open(struct shm_segment *s)
{
	s->nattch++;
	s->atime = now();
}

void shm_vma_close(struct shm_segment *s)
{
	s->nattch--;
	s->dtime = now();
	if (!s->nattch && (s->mode & LX_SHM_DEST))
		segment_free(s);
}

void shm_fini(struct kernel *k)
{
	if (!k->shm)
		return;
	for (unsigned i = 0; i < LX_SHMMNI; i++)
		if (k->shm->seg[i])
			segment_free(k->shm->seg[i]);
	free(k->shm);
	k->shm = NULL;
}

/* ---- shmget ---- */

static long segment_new(struct task *t, int32_t key, uint64_t size, uint32_t flags)
{
	struct kernel *k = t->k;
	struct shm_segment *s;
	unsigned index;
	char name[32];
	int err;

	if (size < LX_SHMMIN || size > LX_SHMMAX || (flags & LX_SHM_HUGETLB))
		return -LX_EINVAL;
	if (size > INT64_MAX - LX_PAGE_SIZE)
		return -LX_ENOMEM;
	if (!k->shm)
		k->shm = calloc(1, sizeof(*k->shm));
	if (!k->shm)
		return -LX_ENOMEM;
	if (k->shm->used == LX_SHMMNI)
		return -LX_ENOSPC;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -LX_ENOMEM;
	snprintf(name, sizeof(name), "SYSV%08x", (uint32_t)key);
	err = shmem_file_new(k, t->cred, name, (size + LX_PAGE_SIZE - 1) & ~(LX_PAGE_SIZE - 1),
			     0777, &s->file);
	if (err) {
		free(s);
		return err;
	}
	for (index = k->shm->next_index % LX_SHMMNI; k->shm->seg[index];
	     index = (index + 1) % LX_SHMMNI)
		;
	if (index < k->shm->next_index)
		k->shm->next_seq++; /* once around */
	k->shm->next_index = index + 1;
	s->k = k;
	s->index = index;
	s->seq = k->shm->next_seq;
	s->key = key;
	s->size = size;
	s->uid = s->cuid = t->cred->euid;
	s->gid = s->cgid = t->cred->egid;
	s->mode = flags & 0777;
	s->ctime = now();
	s->cpid = t->tg->tgid;
	k->shm->seg[index] = s;
	k->shm->used++;
	return id_of(s);
}

long shm_get(struct task *t, int32_t key, uint64_t size, uint32_t flags)
{
	struct shm_segment *s = NULL;
	int err;

	for (unsigned i = 0; key != LX_IPC_PRIVATE && t->k->shm && i < LX_SHMMNI && !s; i++)
		if (t->k->shm->seg[i] && t->k->shm->seg[i]->key == key)
			s = t->k->shm->seg[i];
	if (!s) {
		if (key != LX_IPC_PRIVATE && !(flags & LX_IPC_CREAT))
			return -LX_ENOENT;
		return segment_new(t, key, size, flags);
	}
	if ((flags & LX_IPC_CREAT) && (flags & LX_IPC_EXCL))
		return -LX_EEXIST;
	if (s->size < size)
		return -LX_EINVAL;
	err = check_perm(t, s, flags);
	return err ? err : id_of(s);
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
	uint32_t perm = PERM_READ;
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
	s = by_id(t->k, id);
	if (!s)
		return -LX_EINVAL;
	err = check_perm(t, s, perm);
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
	if (!s->nattch && (s->mode & LX_SHM_DEST))
		segment_free(s);
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
	if (!s->nattch && (s->mode & LX_SHM_DEST))
		segment_free(s);
	return 0;
}

/* ---- shmctl ---- */

static int max_index(const struct kernel *k)
{
	int max = 0;

	for (unsigned i = 0; k->shm && i < LX_SHMMNI; i++)
		if (k->shm->seg[i])
			max = (int)i;
	return max;
}

static long ctl_info(struct task *t, struct uaddr buf)
{
	const struct lx_shminfo64 info = { .shmmax = LX_SHMMAX, .shmmin = LX_SHMMIN,
					   .shmmni = LX_SHMMNI, .shmseg = LX_SHMMNI,
					   .shmall = LX_SHMALL };

	return copy_out(t, buf, &info, sizeof(info)) ? -LX_EFAULT : max_index(t->k);
}

static long ctl_shm_info(struct task *t, struct uaddr buf)
{
	struct lx_shm_info info = { .used_ids = t->k->shm ? (int32_t)t->k->shm->used : 0 };

	for (unsigned i = 0; t->k->shm && i < LX_SHMMNI; i++)
		if (t->k->shm->seg[i])
			info.tot += (t->k->shm->seg[i]->size + LX_PAGE_SIZE - 1) / LX_PAGE_SIZE;
	return copy_out(t, buf, &info, sizeof(info)) ? -LX_EFAULT : max_index(t->k);
}

static long ctl_stat(struct task *t, struct shm_segment *s, int32_t cmd, struct uaddr buf)
{
	struct lx_shmid64_ds ds = {
		.perm = { .key = s->key, .uid = s->uid, .gid = s->gid, .cuid = s->cuid,
			  .cgid = s->cgid, .mode = s->mode, .seq = s->seq },
		.segsz = s->size, .atime = s->atime, .dtime = s->dtime, .ctime = s->ctime,
		.cpid = s->cpid, .lpid = s->lpid, .nattch = s->nattch,
	};
	int err = cmd == LX_SHM_STAT_ANY ? 0 : check_perm(t, s, PERM_READ);

	if (err)
		return err;
	if (copy_out(t, buf, &ds, sizeof(ds)))
		return -LX_EFAULT;
	return cmd == LX_IPC_STAT ? 0 : id_of(s);
}

static long ctl_set(struct task *t, struct shm_segment *s, const struct lx_shmid64_ds *ds)
{
	if (!is_owner(t, s))
		return -LX_EPERM;
	if (ds->perm.uid == UINT32_MAX || ds->perm.gid == UINT32_MAX)
		return -LX_EINVAL;
	s->uid = ds->perm.uid;
	s->gid = ds->perm.gid;
	s->mode = (s->mode & ~0777u) | (ds->perm.mode & 0777);
	s->ctime = now();
	return 0;
}

static long ctl_rmid(struct task *t, struct shm_segment *s)
{
	if (!is_owner(t, s))
		return -LX_EPERM;
	if (!s->nattch) {
		segment_free(s);
		return 0;
	}
	s->mode |= LX_SHM_DEST;
	s->key = LX_IPC_PRIVATE;
	return 0;
}

static long ctl_lock(struct task *t, struct shm_segment *s, bool lock)
{
	bool owner = t->cred->euid == s->cuid || t->cred->euid == s->uid;

	if (!task_capable(t, LX_CAP_IPC_LOCK) && (!owner || (lock && !rlimit_cur(t, LX_RLIMIT_MEMLOCK))))
		return -LX_EPERM;
	s->mode = lock ? s->mode | LX_SHM_LOCKED : s->mode & ~LX_SHM_LOCKED;
	return 0;
}

long shm_control(struct task *t, int32_t id, int32_t cmd, struct uaddr buf)
{
	struct lx_shmid64_ds ds;
	struct shm_segment *s;

	if (cmd < 0 || id < 0)
		return -LX_EINVAL;
	if (cmd == LX_IPC_INFO)
		return ctl_info(t, buf);
	if (cmd == LX_SHM_INFO)
		return ctl_shm_info(t, buf);
	if (cmd == LX_SHM_STAT || cmd == LX_SHM_STAT_ANY)
		s = t->k->shm && id < (int32_t)LX_SHMMNI ? t->k->shm->seg[id] : NULL;
	else
		s = by_id(t->k, id);
	if (cmd == LX_IPC_SET && copy_in(t, &ds, buf, sizeof(ds)))
		return -LX_EFAULT;
	if (!s)
		return -LX_EINVAL;
	switch (cmd) {
	case LX_IPC_STAT:
	case LX_SHM_STAT:
	case LX_SHM_STAT_ANY:
		return ctl_stat(t, s, cmd, buf);
	case LX_IPC_SET:
		return ctl_set(t, s, &ds);
	case LX_IPC_RMID:
		return ctl_rmid(t, s);
	case LX_SHM_LOCK:
	case LX_SHM_UNLOCK:
		return ctl_lock(t, s, cmd == LX_SHM_LOCK);
	default:
		return -LX_EINVAL;
	}
}
