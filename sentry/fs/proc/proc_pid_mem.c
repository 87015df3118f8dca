/* /proc/PID/maps, smaps, cmdline, environ, auxv, mem: views of an address space. */
#include <stdlib.h>
#include <string.h>

#include "sentry/fs/proc/proc_impl.h"
#include "sentry/mm/mm.h"
#include "sentry/mm/usercopy.h"
#include "syscalls/abi/lx_mman.h"

typedef unsigned long long ull;

#define TEXT_MAX (4u << 20) /* of cmdline and environ */

/* The address space with a reference, or NULL (zombies). */
static struct mm *mm_of(const struct pseudo_node *n, int *err)
{
	PROC_REF struct proc_ref r = { NULL, NULL };
	struct mm *mm;

	*err = proc_ref_get(n, &r);
	if (*err)
		return NULL;
	mm = r.t->mm;
	if (mm)
		mm_get(mm);
	return mm;
}

/* ---- maps ---- */

static void show_vma(struct kernel *k, struct pseudo_buf *b, const struct vma_info *v)
{
	const struct inode *i = v->file ? file_inode(v->file) : NULL;
	size_t from = b->len, width;

	pb_printf(b, "%08llx-%08llx %c%c%c%c %08llx %02x:%02x %llu ", (ull)v->start, (ull)v->end,
		  v->prot & LX_PROT_READ ? 'r' : '-', v->prot & LX_PROT_WRITE ? 'w' : '-',
		  v->prot & LX_PROT_EXEC ? 'x' : '-', v->flags & VMA_SHARED ? 's' : 'p',
		  (ull)(v->pgoff * LX_PAGE_SIZE), i ? i->sb->dev >> 20 : 0,
		  i ? i->sb->dev & 0xfffff : 0, i ? (ull)i->ino : 0);
	if (v->file || v->name || v->anon_name) {
		width = b->len - from;
		pb_printf(b, "%*s", width < 73 ? (int)(73 - width) : 0, "");
		if (v->file)
			proc_show_path(k, b, &v->file->path, "\n");
		else if (v->name)
			pb_puts(b, v->name);
		else
			pb_printf(b, "[anon:%s]", v->anon_name);
	}
	pb_puts(b, "\n");
}

int proc_show_maps(struct pseudo_node *n, struct pseudo_buf *b)
{
	AUTO_PUT(mm) struct mm *mm = NULL;
	struct vma_info v;
	uint64_t at = 0;
	int err;

	mm = mm_of(n, &err);
	for (; mm && !b->failed && mm_next_vma(mm, at, &v); at = v.end)
		show_vma(proc_kernel(n), b, &v);
	return err;
}

/* What the estimate of proc_rss_pages() says of one area, in KiB. */
static uint64_t vma_rss_kb(const struct vma_info *v)
{
	bool data = (v->prot & LX_PROT_WRITE) && !(v->flags & VMA_NORESERVE);
	bool text = v->file && (v->prot & LX_PROT_EXEC);

	return data || text ? (v->end - v->start) / 1024 : 0;
}

static void show_usage(struct pseudo_buf *b, uint64_t rss, uint64_t dirty, uint64_t locked,
		       bool rollup)
{
	pb_printf(b, "Rss:            %8llu kB\nPss:            %8llu kB\n"
		     "Pss_Dirty:      %8llu kB\n", (ull)rss, (ull)rss, (ull)dirty);
	if (rollup)
		pb_printf(b, "Pss_Anon:       %8llu kB\nPss_File:       %8llu kB\n"
			     "Pss_Shmem:             0 kB\n", (ull)dirty, (ull)(rss - dirty));
	pb_printf(b, "Shared_Clean:          0 kB\n"
		     "Shared_Dirty:          0 kB\nPrivate_Clean:  %8llu kB\n"
		     "Private_Dirty:  %8llu kB\nReferenced:     %8llu kB\n"
		     "Anonymous:      %8llu kB\nKSM:                   0 kB\n"
		     "LazyFree:              0 kB\nAnonHugePages:         0 kB\n"
		     "ShmemPmdMapped:        0 kB\nFilePmdMapped:         0 kB\n"
		     "Shared_Hugetlb:        0 kB\nPrivate_Hugetlb:       0 kB\n"
		     "Swap:                  0 kB\nSwapPss:               0 kB\n"
		     "Locked:         %8llu kB\n",
		  (ull)(rss - dirty), (ull)dirty, (ull)rss, (ull)dirty, (ull)locked);
}

/* In the order of Linux's flags. */
static void show_vmflags(struct pseudo_buf *b, const struct vma_info *v)
{
	bool shared = v->flags & VMA_SHARED;
	const struct {
		bool on;
		const char *text;
	} flags[] = {
		{ v->prot & LX_PROT_READ, "rd" }, { v->prot & LX_PROT_WRITE, "wr" },
		{ v->prot & LX_PROT_EXEC, "ex" }, { shared, "sh" }, { true, "mr" },
		{ v->flags & VMA_MAYWRITE, "mw" }, { v->flags & VMA_MAYEXEC, "me" },
		{ shared && (v->flags & VMA_MAYWRITE), "ms" }, { v->flags & VMA_GROWSDOWN, "gd" },
		{ v->flags & VMA_LOCKED, "lo" }, { v->flags & VMA_DONTFORK, "dc" },
		{ !shared && (v->prot & LX_PROT_WRITE) && !(v->flags & VMA_NORESERVE), "ac" },
		{ v->flags & VMA_NORESERVE, "nr" }, { v->flags & VMA_WIPEONFORK, "wf" },
		{ v->flags & VMA_DONTDUMP, "dd" }, { v->flags & VMA_SEALED, "sl" },
	};

	pb_puts(b, "THPeligible:           0\nVmFlags: ");
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (flags[i].on)
			pb_printf(b, "%s ", flags[i].text);
	pb_puts(b, "\n");
}

int proc_show_smaps(struct pseudo_node *n, struct pseudo_buf *b)
{
	AUTO_PUT(mm) struct mm *mm = NULL;
	struct vma_info v;
	uint64_t at = 0;
	int err;

	mm = mm_of(n, &err);
	for (; mm && !b->failed && mm_next_vma(mm, at, &v); at = v.end) {
		uint64_t rss = vma_rss_kb(&v), size = (v.end - v.start) / 1024;

		show_vma(proc_kernel(n), b, &v);
		pb_printf(b, "Size:           %8llu kB\nKernelPageSize:        4 kB\n"
			     "MMUPageSize:           4 kB\n", (ull)size);
		show_usage(b, rss, v.prot & LX_PROT_WRITE ? rss : 0,
			   v.flags & VMA_LOCKED ? rss : 0, false);
		show_vmflags(b, &v);
	}
	return err;
}

int proc_show_smaps_rollup(struct pseudo_node *n, struct pseudo_buf *b)
{
	AUTO_PUT(mm) struct mm *mm = NULL;
	uint64_t at = 0, rss = 0, dirty = 0, locked = 0, first = 0, last = 0;
	struct vma_info v;
	int err;

	mm = mm_of(n, &err);
	if (err)
		return err;
	for (; mm && mm_next_vma(mm, at, &v); at = v.end) {
		uint64_t kb = vma_rss_kb(&v);

		first = first ? first : v.start;
		last = v.end;
		rss += kb;
		dirty += v.prot & LX_PROT_WRITE ? kb : 0;
		locked += v.flags & VMA_LOCKED ? kb : 0;
	}
	if (!mm)
		return -LX_ESRCH;
	pb_printf(b, "%08llx-%08llx ---p 00000000 00:00 0 %25s[rollup]\n", (ull)first,
		  (ull)last, "");
	show_usage(b, rss, dirty, locked, true);
	return 0;
}

/* ---- strings on the stack ---- */

/* Bytes [from, to) of the guest, up to the first hole or mapped file: as in Linux, only
 * anonymous memory is shown (PR_SET_MM may have pointed elsewhere). */
static void show_range(struct pseudo_buf *b, struct mm *mm, uint64_t from, uint64_t to)
{
	struct vma_info v = { .end = 0 };
	char chunk[4096];

	if (to > from && to - from > TEXT_MAX)
		to = from + TEXT_MAX;
	while (from < to) {
		size_t n = to - from < sizeof(chunk) ? (size_t)(to - from) : sizeof(chunk);
		long got;

		if (from >= v.end && (!mm_next_vma(mm, from, &v) || v.file))
			return;
		if (from + n > v.end)
			n = v.end - from;
		got = mm_copy_in_partial(mm, chunk, from, n);
		if (got <= 0)
			return;
		pb_write(b, chunk, (size_t)got);
		from += (uint64_t)got;
	}
}

int proc_show_cmdline(struct pseudo_node *n, struct pseudo_buf *b)
{
	AUTO_PUT(mm) struct mm *mm = NULL;
	size_t end;
	int err;

	mm = mm_of(n, &err);
	if (!mm)
		return err;
	show_range(b, mm, mm->arg_start, mm->arg_end);
	/* A program that wrote over its arguments (setproctitle) may have gone on into the
	 * environment: then it is one string up to its NUL. */
	if (b->len && b->len == mm->arg_end - mm->arg_start && b->data[b->len - 1] &&
	    mm->env_start == mm->arg_end) {
		show_range(b, mm, mm->env_start, mm->env_end);
		end = b->len ? strnlen(b->data, b->len) : 0;
		b->len = end < b->len ? end + 1 : end;
	}
	return 0;
}

int proc_show_environ(struct pseudo_node *n, struct pseudo_buf *b)
{
	AUTO_PUT(mm) struct mm *mm = NULL;
	int err;

	mm = mm_of(n, &err);
	if (mm)
		show_range(b, mm, mm->env_start, mm->env_end);
	return err;
}

int proc_show_auxv(struct pseudo_node *n, struct pseudo_buf *b)
{
	AUTO_PUT(mm) struct mm *mm = NULL;
	unsigned words = 0;
	int err;

	mm = mm_of(n, &err);
	if (!mm)
		return err;
	while (words + 2 <= sizeof(mm->auxv) / sizeof(mm->auxv[0])) {
		words += 2;
		if (mm->auxv[words - 2] == 0)
			break;
	}
	pb_write(b, mm->auxv, words * sizeof(mm->auxv[0]));
	return 0;
}

/* ---- mem ---- */

static int64_t mem_read(struct file *f, struct uio *u, int64_t *pos, uint32_t rwf)
{
	struct mm *mm = f->priv;
	int64_t total = 0;
	char chunk[4096];

	(void)rwf;
	while (mm && u->resid) {
		size_t n = u->resid < sizeof(chunk) ? u->resid : sizeof(chunk);
		long got = mm_copy_in_partial(mm, chunk, (uint64_t)*pos, n), put;

		if (got <= 0)
			return total ? total : -LX_EIO;
		put = uio_to_user(u, chunk, (size_t)got);
		if (put < 0)
			return total ? total : put;
		*pos += put;
		total += put;
		if ((size_t)put < n)
			break;
	}
	return total;
}

static int64_t mem_write(struct file *f, struct uio *u, int64_t *pos, uint32_t rwf)
{
	struct mm *mm = f->priv;
	int64_t total = 0;
	char chunk[4096];

	(void)rwf;
	while (mm && u->resid) {
		size_t n = u->resid < sizeof(chunk) ? u->resid : sizeof(chunk);
		long got = uio_from_user(u, chunk, n), put;

		if (got < 0)
			return total ? total : got;
		put = mm_copy_out_partial(mm, (uint64_t)*pos, chunk, (size_t)got);
		if (put < got)
			uio_revert(u, (size_t)(got - (put > 0 ? put : 0)));
		if (put <= 0)
			return total ? total : -LX_EIO;
		*pos += put;
		total += put;
		if ((size_t)put < n)
			break;
	}
	return total;
}

static int64_t mem_seek(struct file *f, int64_t off, int whence)
{
	if (whence == 1)
		off += f->pos;
	else if (whence != 0)
		return -LX_EINVAL;
	return f->pos = off;
}

static void mem_release(struct file *f)
{
	if (f->priv)
		mm_put(f->priv);
}

static const struct file_ops mem_ops = {
	.name = "proc_mem",
	.read = mem_read,
	.write = mem_write,
	.seek = mem_seek,
	.release = mem_release,
};

int proc_open_mem(struct pseudo_node *n, const struct path *path, uint32_t fmode, uint32_t flags,
		  struct file **out)
{
	AUTO_PUT(mm) struct mm *mm = NULL;
	int err;

	mm = mm_of(n, &err);
	if (err)
		return err;
	*out = file_new(proc_kernel(n), &mem_ops, path, fmode & (FMODE_READ | FMODE_WRITE), flags);
	if (!*out)
		return -LX_ENOMEM;
	(*out)->priv = take(&mm);
	return 0;
}
