/* ELF for execve(2): read and check the headers of the program and its interpreter, map
 * their segments into a fresh map. The file is the guest's: every number in it may be
 * anything. */
#include <stdlib.h>
#include <string.h>

#include "platform/base/auto.h"
#include "sentry/loader/loader_impl.h"
#include "syscalls/abi/lx_prctl.h"

#define MAX_PHDR_BYTES 65536u
#define GUEST_PATH_MAX 4096u
#define AT_FDCWD_GUEST (-100)
#define PIE_RANDOM_BITS 28
/* ELF_ET_DYN_BASE: two thirds of Linux's 47-bit address space. */
#define PIE_BASE PAGE_DOWN(0x7ffffffff000ULL / 3 * 2)
#define BRK_RANDOM_BITS 18 /* 1 GiB of pages */

/* ---- the image under construction ---- */

struct plat_batch *image_batch(struct exec_image *img)
{
	struct plat_batch *b;

	if (img->nbatches && img->batches[img->nbatches - 1].count + 4 <= PLAT_BATCH_MAX)
		return &img->batches[img->nbatches - 1];
	b = realloc(img->batches, (img->nbatches + 1) * sizeof(*b));
	if (!b)
		return NULL;
	img->batches = b;
	b[img->nbatches].count = 0;
	return &b[img->nbatches++];
}

int image_write(struct exec_image *img, uint64_t addr, void *data, size_t len)
{
	struct exec_write *w = realloc(img->writes, (img->nwrites + 1) * sizeof(*w));

	if (!w) {
		free(data);
		return -LX_ENOMEM;
	}
	img->writes = w;
	w[img->nwrites++] = (struct exec_write){ addr, data, len };
	return 0;
}

void exec_image_fini(struct exec_image *img)
{
	for (unsigned i = 0; i < img->nbatches; i++)
		for (unsigned j = 0; j < img->batches[i].count; j++)
			auto_close_fn(&img->batches[i].cmd[j].fd);
	free(img->batches);
	for (unsigned i = 0; i < img->nwrites; i++)
		free(img->writes[i].data);
	free(img->writes);
	if (img->mm)
		mm_put(img->mm);
	memset(img, 0, sizeof(*img));
}

/* ---- headers ---- */

/* All of len bytes: 0, -LX_EIO when the file is shorter, or the error of the read. */
static int read_all(struct file *f, void *buf, size_t len, uint64_t pos)
{
	uint8_t *p = buf;

	if (pos > (uint64_t)INT64_MAX - len)
		return -LX_EIO;
	while (len) {
		int64_t n = file_pread_kernel(f, p, len, (int64_t)pos);

		if (n <= 0)
			return n < 0 ? (int)n : -LX_EIO;
		p += n;
		pos += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

/* bad: what a file that is not a usable ELF gives. */
static int read_elf(struct file *f, struct elf_file *e, int bad)
{
	struct lx_elf64_ehdr *h = &e->eh;
	size_t size;
	int err;

	file_get(f);
	e->file = f;
	err = read_all(f, h, sizeof(*h), 0);
	if (err)
		return err == -LX_EIO ? bad : err;
	if (memcmp(h->e_ident, LX_ELFMAG, 4) != 0 || h->e_ident[4] != LX_ELFCLASS64 ||
	    (h->e_type != LX_ET_EXEC && h->e_type != LX_ET_DYN) ||
	    h->e_machine != LX_EM_X86_64 || !f->ops->mmap ||
	    h->e_phentsize != sizeof(struct lx_elf64_phdr))
		return bad;
	size = (size_t)h->e_phnum * sizeof(struct lx_elf64_phdr);
	if (!size || size > MAX_PHDR_BYTES)
		return bad;
	e->ph = malloc(size);
	if (!e->ph)
		return -LX_ENOMEM;
	err = read_all(f, e->ph, size, h->e_phoff);
	return err ? bad : 0;
}

static void elf_fini(struct elf_file *e)
{
	free(e->ph);
	if (e->file)
		file_put(e->file);
}

static int open_interp(struct loader *l, const struct lx_elf64_phdr *p)
{
	AUTO_PUT(file) struct file *f = NULL;
	char path[GUEST_PATH_MAX];
	int err;

	if (p->p_filesz < 2 || p->p_filesz > sizeof(path))
		return -LX_ENOEXEC;
	err = read_all(l->main.file, path, p->p_filesz, p->p_offset);
	if (err)
		return err;
	if (path[p->p_filesz - 1] != '\0')
		return -LX_ENOEXEC;
	err = vfs_open_exec(l->t, AT_FDCWD_GUEST, path, 0, &f);
	return err ? err : read_elf(f, &l->interp, -LX_ELIBBAD);
}

static int read_headers(struct loader *l)
{
	int err = read_elf(l->args->file, &l->main, -LX_ENOEXEC);

	for (unsigned i = 0; !err && i < l->main.eh.e_phnum; i++) {
		const struct lx_elf64_phdr *p = &l->main.ph[i];

		if (p->p_type == LX_PT_INTERP && !l->interp.file)
			err = open_interp(l, p);
		else if (p->p_type == LX_PT_GNU_STACK)
			l->exec_stack = p->p_flags & LX_PF_X;
	}
	return err;
}

/* ---- segments ---- */

static bool segment_sane(const struct lx_elf64_phdr *p)
{
	return p->p_filesz <= p->p_memsz && p->p_memsz <= PLAT_GUEST_MAX &&
	       p->p_vaddr <= PLAT_GUEST_MAX - p->p_memsz;
}

/* First page and total size of all segments, and the largest alignment. 0 or -LX_E…. */
static int extent(const struct elf_file *e, uint64_t *start, uint64_t *size, uint64_t *align)
{
	uint64_t low = UINT64_MAX, high = 0;

	*align = LX_PAGE_SIZE;
	for (unsigned i = 0; i < e->eh.e_phnum; i++) {
		const struct lx_elf64_phdr *p = &e->ph[i];

		if (p->p_type != LX_PT_LOAD)
			continue;
		if (!segment_sane(p))
			return -LX_EINVAL;
		if (PAGE_DOWN(p->p_vaddr) < low)
			low = PAGE_DOWN(p->p_vaddr);
		if (p->p_vaddr + p->p_memsz > high)
			high = p->p_vaddr + p->p_memsz;
		if (p->p_align > *align && (p->p_align & (p->p_align - 1)) == 0)
			*align = p->p_align;
	}
	if (high <= low)
		return -LX_EINVAL;
	*start = low;
	*size = PAGE_UP(high - low);
	return 0;
}

static uint32_t prot_of(const struct lx_elf64_phdr *p)
{
	return ((p->p_flags & LX_PF_R) ? LX_PROT_READ : 0) |
	       ((p->p_flags & LX_PF_W) ? LX_PROT_WRITE : 0) |
	       ((p->p_flags & LX_PF_X) ? LX_PROT_EXEC : 0);
}

/* Zeros from `from` to the end of its page, which the file's contents share. */
static int pad_zero(struct loader *l, uint64_t from)
{
	size_t n = PAGE_UP(from) - from;
	void *zeros;

	if (!n)
		return 0;
	zeros = calloc(1, n);
	return zeros ? image_write(l->img, from, zeros, n) : -LX_ENOMEM;
}

static int map_one(struct loader *l, struct mm_map_req *r)
{
	int64_t at;

	r->batch = image_batch(l->img);
	if (!r->batch)
		return -LX_ENOMEM;
	at = mm_map(l->img->mm, l->t, r);
	return at < 0 ? (int)at : 0;
}

/* One PT_LOAD (elf_load): the file's part, zeros to the end of its last page, and
 * anonymous memory for the rest. */
static int map_segment(struct loader *l, const struct elf_file *e, const struct lx_elf64_phdr *p,
		       uint64_t bias, uint32_t fixed)
{
	uint64_t skew = PAGE_OFF(p->p_vaddr), addr = PAGE_DOWN(p->p_vaddr) + bias;
	struct mm_map_req r = {
		.addr = addr, .len = PAGE_UP(p->p_filesz + skew), .prot = prot_of(p),
		.flags = LX_MAP_PRIVATE | fixed, .file = e->file, .off = p->p_offset - skew,
	};
	uint64_t zero = addr, end = addr + skew + p->p_memsz;
	int err;

	if (p->p_filesz) {
		if (PAGE_OFF(r.off) || p->p_offset < skew)
			return -LX_EINVAL;
		err = map_one(l, &r);
		if (err)
			return err;
		zero = addr + skew + p->p_filesz;
		if (p->p_memsz > p->p_filesz && (r.prot & LX_PROT_WRITE)) {
			err = pad_zero(l, zero);
			if (err)
				return err;
		}
	}
	zero = PAGE_UP(zero);
	end = PAGE_UP(end);
	if (p->p_memsz == p->p_filesz || end <= zero)
		return 0;
	r = (struct mm_map_req){
		.addr = zero, .len = end - zero,
		.prot = LX_PROT_READ | LX_PROT_WRITE | (r.prot & LX_PROT_EXEC),
		.flags = LX_MAP_PRIVATE | LX_MAP_ANONYMOUS | LX_MAP_FIXED,
	};
	return map_one(l, &r);
}

static int map_segments(struct loader *l, const struct elf_file *e, uint64_t bias)
{
	uint32_t fixed = LX_MAP_FIXED_NOREPLACE;

	for (unsigned i = 0; i < e->eh.e_phnum; i++) {
		int err;

		if (e->ph[i].p_type != LX_PT_LOAD)
			continue;
		err = map_segment(l, e, &e->ph[i], bias, fixed);
		if (err)
			return err;
		/* Only the first must find its place free; later ones may overlap it. */
		fixed = LX_MAP_FIXED;
	}
	return 0;
}

/* A free place for a position-independent file in the mmap area. */
static int place_dyn(struct loader *l, uint64_t size, uint64_t align, uint64_t *out)
{
	int64_t at;

	if (align > PLAT_GUEST_MAX)
		return -LX_EINVAL;
	at = mm_get_area(l->img->mm, l->t, 0, size + align - LX_PAGE_SIZE, 0, false);
	if (at < 0)
		return (int)at;
	*out = ((uint64_t)at + align - 1) & ~(align - 1);
	return 0;
}

static int map_main(struct loader *l)
{
	struct mm *mm = l->img->mm;
	const struct elf_file *e = &l->main;
	uint64_t start, size, align, at;
	int err = extent(e, &start, &size, &align);

	if (err)
		return err;
	if (e->eh.e_type == LX_ET_DYN) {
		if (l->interp.file)
			at = (PIE_BASE + loader_random(l->t, PIE_RANDOM_BITS)) & ~(align - 1);
		else
			err = place_dyn(l, size, align, &at);
		if (err)
			return err;
		l->main_bias = PAGE_DOWN(at - start);
	}
	err = map_segments(l, e, l->main_bias);
	if (err)
		return err;
	mm->start_code = mm->start_data = UINT64_MAX;
	for (unsigned i = 0; i < e->eh.e_phnum; i++) {
		const struct lx_elf64_phdr *p = &e->ph[i];
		uint64_t v = p->p_vaddr + l->main_bias;

		if (p->p_type != LX_PT_LOAD)
			continue;
		if (p->p_offset <= e->eh.e_phoff && e->eh.e_phoff - p->p_offset < p->p_filesz)
			l->phdr_addr = e->eh.e_phoff - p->p_offset + v;
		if ((p->p_flags & LX_PF_X) && v < mm->start_code)
			mm->start_code = v;
		if (mm->start_data == UINT64_MAX || v > mm->start_data)
			mm->start_data = v;
		if ((p->p_flags & LX_PF_X) && v + p->p_filesz > mm->end_code)
			mm->end_code = v + p->p_filesz;
		if (v + p->p_filesz > mm->end_data)
			mm->end_data = v + p->p_filesz;
		if (v + p->p_memsz > mm->brk)
			mm->brk = v + p->p_memsz;
	}
	if (mm->start_code == UINT64_MAX)
		mm->start_code = mm->end_code = 0;
	mm->entry = e->eh.e_entry + l->main_bias;
	return mm->entry < PLAT_GUEST_MAX ? 0 : -LX_EINVAL;
}

static int map_interp(struct loader *l)
{
	const struct elf_file *e = &l->interp;
	uint64_t start, size, align, at, bias = 0;
	int err;

	l->img->entry = l->img->mm->entry;
	if (!e->file)
		return 0;
	err = extent(e, &start, &size, &align);
	if (err)
		return err;
	if (e->eh.e_type == LX_ET_DYN) {
		err = place_dyn(l, size, align, &at);
		if (err)
			return err;
		bias = at - start;
	}
	err = map_segments(l, e, bias);
	if (err)
		return err;
	l->interp_base = bias;
	l->img->entry = e->eh.e_entry + bias;
	return l->img->entry < PLAT_GUEST_MAX ? 0 : -LX_EINVAL;
}

/* The heap starts behind the program, or for a loader run as a program, which lies in
 * the mmap area, where a program would be; with ASLR up to 1 GiB further. */
static void place_brk(struct loader *l)
{
	struct mm *mm = l->img->mm;

	if (l->main.eh.e_type == LX_ET_DYN && !l->interp.file &&
	    !(l->t->personality & LX_ADDR_NO_RANDOMIZE))
		mm->brk = PIE_BASE;
	mm->brk = PAGE_UP(mm->brk) + loader_random(l->t, BRK_RANDOM_BITS);
	mm->start_brk = mm->brk;
}

static int load(struct loader *l)
{
	struct exec_image *img = l->img;
	int err = read_headers(l);

	if (err)
		return err;
	img->mm = mm_new(l->t->k);
	if (!img->mm)
		return -LX_ENOMEM;
	file_get(l->args->file);
	img->mm->exe = l->args->file;
	img->setid = l->args->secure;
	err = loader_layout(l);
	if (!err)
		err = map_main(l);
	if (!err)
		err = map_interp(l);
	if (err)
		return err;
	place_brk(l);
	return loader_build_stack(l);
}

int loader_load(struct task *t, const struct exec_args *a, struct exec_image *out)
{
	struct loader l = { .t = t, .args = a, .img = out };
	int err;

	memset(out, 0, sizeof(*out));
	err = load(&l);
	elf_fini(&l.main);
	elf_fini(&l.interp);
	if (err)
		exec_image_fini(out);
	return err;
}
