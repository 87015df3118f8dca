/* The first stack of a program, as Linux builds it. From the top down: 8 zero bytes, the
 * file name, the environment's strings, the arguments' strings, a random gap, the
 * platform string, 16 random bytes, the auxiliary vector, envp, argv, argc. */
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#include "sentry/loader/loader_impl.h"
#include "syscalls/abi/lx_prctl.h"

#define PLATFORM_STRING "x86_64"
#define CLOCK_TICKS 100
#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51
#endif

/* The image grows down in buf; addresses are the guest's. */
struct image {
	uint8_t *buf;
	uint64_t top, size;	/* buf holds [top - size, top) */
	uint64_t p;		/* what lies from here to top is filled in */
};

static uint64_t push(struct image *s, const void *data, size_t len)
{
	s->p -= len;
	memcpy(s->buf + s->size - (s->top - s->p), data, len);
	return s->p;
}

static void put64(struct image *s, uint64_t addr, uint64_t value)
{
	memcpy(s->buf + s->size - (s->top - addr), &value, sizeof(value));
}

static void aux(struct mm *mm, uint64_t type, uint64_t value)
{
	mm->auxv[mm->nauxv++] = type;
	mm->auxv[mm->nauxv++] = value;
}

/* In Linux's order. What describes the machine is what the host told the sentry, since
 * guest code runs on the same CPU. */
static void fill_auxv(struct loader *l, uint64_t random, uint64_t platform, uint64_t execfn)
{
	const struct plat_caps *c = plat_caps(l->t->k->plat);
	const struct cred *cr = l->args->cred;
	struct mm *mm = l->img->mm;
	uint64_t minsig = getauxval(AT_MINSIGSTKSZ);

	mm->nauxv = 0;
	if (c->vdso_start)
		aux(mm, LX_AT_SYSINFO_EHDR, c->vdso_start);
	if (minsig)
		aux(mm, LX_AT_MINSIGSTKSZ, minsig);
	aux(mm, LX_AT_HWCAP, getauxval(AT_HWCAP));
	aux(mm, LX_AT_PAGESZ, LX_PAGE_SIZE);
	aux(mm, LX_AT_CLKTCK, CLOCK_TICKS);
	aux(mm, LX_AT_PHDR, l->phdr_addr);
	aux(mm, LX_AT_PHENT, sizeof(struct lx_elf64_phdr));
	aux(mm, LX_AT_PHNUM, l->main.eh.e_phnum);
	aux(mm, LX_AT_BASE, l->interp_base);
	aux(mm, LX_AT_FLAGS, 0);
	aux(mm, LX_AT_ENTRY, mm->entry);
	aux(mm, LX_AT_UID, cr->uid);
	aux(mm, LX_AT_EUID, cr->euid);
	aux(mm, LX_AT_GID, cr->gid);
	aux(mm, LX_AT_EGID, cr->egid);
	aux(mm, LX_AT_SECURE, l->args->secure);
	aux(mm, LX_AT_RANDOM, random);
	aux(mm, LX_AT_HWCAP2, getauxval(AT_HWCAP2));
	aux(mm, LX_AT_EXECFN, execfn);
	aux(mm, LX_AT_PLATFORM, platform);
	aux(mm, LX_AT_NULL, 0);
}

/* The strings of v, the last one highest; the vector's entries are their addresses. */
static void push_strings(struct image *s, char **v, unsigned count, uint64_t *addrs)
{
	while (count--)
		addrs[count] = push(s, v[count], strlen(v[count]) + 1);
}

static uint64_t strings_size(char **v, unsigned count)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < count; i++)
		n += strlen(v[i]) + 1;
	return n;
}

/* argc, argv, envp and auxv below s->p; argv's and envp's addresses in addrs. */
static void push_vectors(struct loader *l, struct image *s, const uint64_t *addrs)
{
	const struct exec_args *a = l->args;
	uint64_t words = 1 + a->argc + 1 + a->envc + 1, at;
	const struct mm *mm = l->img->mm;

	s->p = (s->p - mm->nauxv * 8 - words * 8) & ~15ULL;
	at = s->p;
	put64(s, at, a->argc);
	for (unsigned i = 0; i < a->argc; i++)
		put64(s, at += 8, addrs[i]);
	put64(s, at += 8, 0);
	for (unsigned i = 0; i < a->envc; i++)
		put64(s, at += 8, addrs[a->argc + i]);
	put64(s, at += 8, 0);
	for (unsigned i = 0; i < mm->nauxv; i++)
		put64(s, at += 8, mm->auxv[i]);
}

int loader_build_stack(struct loader *l)
{
	const struct exec_args *a = l->args;
	struct mm *mm = l->img->mm;
	struct image s = { .top = mm->stack_top, .p = mm->stack_top };
	AUTO_FREE uint64_t *addrs = calloc((size_t)a->argc + a->envc + 1, sizeof(*addrs));
	uint64_t random, platform, execfn, gap = 0;
	const uint64_t zero = 0;
	uint8_t bytes[16];

	/* Strings, vectors, auxv, alignment and the gap below 8 KiB. */
	s.size = strings_size(a->argv, a->argc) + strings_size(a->envp, a->envc) +
		 strlen(a->filename) + (a->argc + (uint64_t)a->envc) * 8 + sizeof(mm->auxv) +
		 8192 + 1024;
	if (s.size > mm->stack_size)
		return -LX_E2BIG;
	s.buf = addrs ? calloc(1, s.size) : NULL;
	if (!s.buf)
		return -LX_ENOMEM;
	push(&s, &zero, sizeof(zero));
	execfn = push(&s, a->filename, strlen(a->filename) + 1);
	mm->env_end = s.p;
	push_strings(&s, a->envp, a->envc, addrs + a->argc);
	mm->env_start = mm->arg_end = s.p;
	push_strings(&s, a->argv, a->argc, addrs);
	mm->arg_start = s.p;
	if (!(l->t->personality & LX_ADDR_NO_RANDOMIZE))
		krandom(&gap, sizeof(gap));
	s.p = (s.p - gap % 8192) & ~15ULL;
	platform = push(&s, PLATFORM_STRING, sizeof(PLATFORM_STRING));
	krandom(bytes, sizeof(bytes));
	random = push(&s, bytes, sizeof(bytes));
	fill_auxv(l, random, platform, execfn);
	push_vectors(l, &s, addrs);
	l->img->sp = mm->start_stack = s.p;
	/* The unused low end of the buffer is not worth writing. */
	memmove(s.buf, s.buf + s.size - (s.top - s.p), s.top - s.p);
	return image_write(l->img, s.p, s.buf, s.top - s.p);
}
