/* Shared by the files of sentry/loader only. */
#ifndef SENTRY_LOADER_LOADER_IMPL_H
#define SENTRY_LOADER_LOADER_IMPL_H

#include "sentry/mm/mm.h"
#include "sentry/task/task.h"
#include "sentry/vfs/vfs.h"
#include "syscalls/abi/lx_elf.h"
#include "syscalls/abi/lx_mman.h"

struct elf_file {
	struct file *file;	/* one reference */
	struct lx_elf64_ehdr eh;
	struct lx_elf64_phdr *ph; /* malloc'd, eh.e_phnum entries */
};

struct loader {
	struct task *t;
	const struct exec_args *args;
	struct exec_image *img;
	struct elf_file main, interp; /* interp.file NULL: none */
	bool exec_stack;
	uint64_t main_bias, interp_base;
	uint64_t phdr_addr;	/* AT_PHDR, 0: not mapped */
};

/* A batch with room for 4 more commands; NULL: out of memory. Valid until the next call. */
struct plat_batch *image_batch(struct exec_image *img);
/* Bytes to be written after the batches; takes over data (malloc'd), also on failure. */
int image_write(struct exec_image *img, uint64_t addr, void *data, size_t len);

/* layout.c: vdso, mmap_base, the empty stack. */
int loader_layout(struct loader *l);
/* A random number of pages below 2^bits, as bytes; 0 without ASLR. */
uint64_t loader_random(const struct task *t, unsigned bits);
/* stack.c: strings, vectors and auxv; sets img->sp. */
int loader_build_stack(struct loader *l);

#define PAGE_DOWN(x) ((x) & ~(LX_PAGE_SIZE - 1))
#define PAGE_UP(x) PAGE_DOWN((x) + LX_PAGE_SIZE - 1)
#define PAGE_OFF(x) ((x) & (LX_PAGE_SIZE - 1))

#endif
