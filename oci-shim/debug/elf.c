/* Loaded ELF objects: where their unwind tables are, and the names of functions. The
 * program headers are read from guest memory, symbol tables from the mapped file, or from
 * memory for the vdso. Sizes and offsets are the guest's: all are bounded. */
#include <elf.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "oci-shim/debug/eh_frame.h"
#include "oci-shim/debug/remote.h"

#define OBJECTS_MAX 512u
#define PHDRS_MAX 64u
#define SHDRS_MAX 4096u
#define SYMTAB_MAX (48u << 20)
#define NAME_MAX_SHOWN 256u
/* Above any guest's memory. */
#define MADE_TABLES 0xfff0000000000000ull
#define MADE_TABLE_ROOM (1ull << 32)

struct symtab {
	Elf64_Sym *syms;
	size_t count;
	uint64_t str_off, str_size;
};

struct elf_object {
	uint64_t base;		/* where its first page is mapped */
	uint64_t bias;		/* added to its own addresses */
	uint64_t eh_hdr;	/* 0: none */
	bool is_elf, symbols_read, in_memory;
	struct symtab tab[2];	/* .symtab, .dynsym */
	uint64_t eh_frame, eh_size; /* the section, when there is no eh_hdr */
	struct eh_entry *index;	/* made from it */
	size_t nindex;
	bool index_made;
};

/* The mapping of the same file that has its first page. */
static const struct control_map *first_map(const struct remote *r, const struct control_map *m)
{
	const struct control_map *best = NULL;

	for (unsigned i = 0; i < r->nmaps; i++) {
		const struct control_map *c = &r->maps[i];

		if (c->start > m->start)
			break;
		if (c->off == 0 && c->is_file == m->is_file && c->ino == m->ino &&
		    strcmp(c->path, m->path) == 0)
			best = c;
	}
	return best;
}

static void read_headers(struct remote *r, struct elf_object *o)
{
	Elf64_Ehdr eh;
	Elf64_Phdr ph;
	bool have_bias = false;
	uint64_t eh_hdr = 0;

	if (!remote_read(r, o->base, &eh, sizeof(eh)) || memcmp(eh.e_ident, ELFMAG, SELFMAG) != 0 ||
	    eh.e_ident[EI_CLASS] != ELFCLASS64 || eh.e_machine != EM_X86_64 ||
	    eh.e_phentsize != sizeof(ph) || eh.e_phnum > PHDRS_MAX)
		return;
	for (unsigned i = 0; i < eh.e_phnum; i++) {
		if (!remote_read(r, o->base + eh.e_phoff + i * sizeof(ph), &ph, sizeof(ph)))
			return;
		if (ph.p_type == PT_LOAD && !have_bias) {
			o->bias = o->base - (ph.p_vaddr - ph.p_offset);
			have_bias = true;
		} else if (ph.p_type == PT_GNU_EH_FRAME) {
			eh_hdr = ph.p_vaddr;
		}
	}
	o->is_elf = have_bias;
	o->eh_hdr = eh_hdr ? o->bias + eh_hdr : 0;
}

static struct elf_object *object_at(struct remote *r, uint64_t ip)
{
	const struct control_map *m = remote_map(r, ip), *first;
	struct elf_object *o;

	if (!m || (!m->is_file && m->path[0] == '\0'))
		return NULL;
	first = first_map(r, m);
	if (!first)
		return NULL;
	if (!r->objects)
		r->objects = calloc(OBJECTS_MAX, sizeof(*r->objects));
	if (!r->objects)
		return NULL;
	for (unsigned i = 0; i < r->nobjects; i++)
		if (r->objects[i].base == first->start)
			return &r->objects[i];
	if (r->nobjects == OBJECTS_MAX)
		return NULL;
	o = &r->objects[r->nobjects++];
	o->base = first->start;
	o->in_memory = !first->is_file;
	read_headers(r, o);
	return o;
}

/* ---- the unwind table ---- */

/* One value of .eh_frame_hdr. The encodings that linkers use there. */
static bool read_encoded(struct remote *r, uint64_t hdr, uint64_t *at, uint8_t enc, uint64_t *out)
{
	uint64_t here = *at;
	int32_t s4;
	uint64_t v;

	switch (enc & 0x0f) {
	case 0x0b: /* sdata4 */
	case 0x03: /* udata4 */
		if (!remote_read(r, here, &s4, 4))
			return false;
		v = (enc & 0x0f) == 0x0b ? (uint64_t)(int64_t)s4 : (uint32_t)s4;
		*at += 4;
		break;
	case 0x00: /* absptr */
	case 0x04: /* udata8 */
	case 0x0c: /* sdata8 */
		if (!remote_read(r, here, &v, 8))
			return false;
		*at += 8;
		break;
	default:
		return false;
	}
	if ((enc & 0x70) == 0x10)
		v += here;
	else if ((enc & 0x70) == 0x30)
		v += hdr;
	*out = v;
	return true;
}

static void load_symbols(struct remote *r, struct elf_object *o);

/* The table of an object without one: see eh_frame.h. It lies where no guest memory is. */
static bool made_table(struct remote *r, struct elf_object *o, const struct control_map *m,
		       struct unwind_table *out)
{
	if (!o->symbols_read)
		load_symbols(r, o); /* finds the section */
	if (!o->index_made && o->eh_size > 0 && o->eh_size <= SYMTAB_MAX) {
		uint8_t *copy = malloc((size_t)o->eh_size);

		o->index_made = true;
		if (copy && remote_read(r, o->bias + o->eh_frame, copy, (size_t)o->eh_size))
			o->index = eh_frame_index(copy, (size_t)o->eh_size, o->bias + o->eh_frame,
						  o->base, &o->nindex);
		free(copy);
	}
	if (!o->nindex)
		return false;
	*out = (struct unwind_table){ m->start, m->end, o->base,
				      MADE_TABLES + (uint64_t)(o - r->objects) * MADE_TABLE_ROOM,
				      o->nindex };
	return true;
}

bool elf_read_made(const struct remote *r, uint64_t addr, void *buf, size_t len)
{
	uint64_t i = (addr - MADE_TABLES) / MADE_TABLE_ROOM, off = (addr - MADE_TABLES) % MADE_TABLE_ROOM;
	const struct elf_object *o = r->objects + i;

	if (addr < MADE_TABLES || i >= r->nobjects || len > o->nindex * sizeof(*o->index) ||
	    off > o->nindex * sizeof(*o->index) - len)
		return false;
	memcpy(buf, (const char *)o->index + off, len);
	return true;
}

bool elf_unwind_table(struct remote *r, uint64_t ip, struct unwind_table *out)
{
	const struct control_map *m = remote_map(r, ip);
	struct elf_object *o = object_at(r, ip);
	uint64_t at, eh_frame, count;
	uint8_t h[4];

	if (!m || !o || !o->is_elf)
		return false;
	if (!o->eh_hdr)
		return made_table(r, o, m, out);
	if (!remote_read(r, o->eh_hdr, h, sizeof(h)))
		return false;
	/* Version 1, a table of sorted pairs relative to the header. */
	if (h[0] != 1 || h[3] != 0x3b)
		return false;
	at = o->eh_hdr + 4;
	if (!read_encoded(r, o->eh_hdr, &at, h[1], &eh_frame) ||
	    !read_encoded(r, o->eh_hdr, &at, h[2], &count) || count == 0 || count > 1u << 24)
		return false;
	*out = (struct unwind_table){ m->start, m->end, o->eh_hdr, at, count };
	return true;
}

/* ---- symbols ---- */

/* All of len bytes of the object's file. */
static bool read_object(struct remote *r, const struct elf_object *o, uint64_t off, void *buf,
			size_t len)
{
	uint8_t *to = buf;

	if (o->in_memory)
		return remote_read(r, o->base + off, buf, len);
	while (len > 0) {
		long n = remote_file(r, o->base, off, to, len);

		if (n <= 0)
			return false;
		to += n;
		off += (uint64_t)n;
		len -= (size_t)n;
	}
	return true;
}

static void load_table(struct remote *r, const struct elf_object *o, const Elf64_Shdr *sh,
		       const Elf64_Shdr *str, struct symtab *tab)
{
	size_t size = sh->sh_size < SYMTAB_MAX ? (size_t)sh->sh_size : SYMTAB_MAX;
	size_t count = size / sizeof(Elf64_Sym);

	if (count == 0)
		return;
	tab->syms = malloc(count * sizeof(Elf64_Sym));
	if (!tab->syms || !read_object(r, o, sh->sh_offset, tab->syms, count * sizeof(Elf64_Sym)))
		return;
	tab->count = count;
	tab->str_off = str->sh_offset;
	tab->str_size = str->sh_size;
}

static bool is_eh_frame(struct remote *r, const struct elf_object *o, const Elf64_Shdr *sh,
			const Elf64_Shdr *names)
{
	char name[10];

	/* Binutils of some age give it a type of its own. */
	if ((sh->sh_type != SHT_PROGBITS && sh->sh_type != SHT_X86_64_UNWIND) ||
	    !(sh->sh_flags & SHF_ALLOC) || names->sh_size < sizeof(name) ||
	    sh->sh_name > names->sh_size - sizeof(name))
		return false;
	return read_object(r, o, names->sh_offset + sh->sh_name, name, sizeof(name)) &&
	       memcmp(name, ".eh_frame", sizeof(name)) == 0;
}

static void load_symbols(struct remote *r, struct elf_object *o)
{
	Elf64_Shdr *sh;
	Elf64_Ehdr eh;

	o->symbols_read = true;
	if (!read_object(r, o, 0, &eh, sizeof(eh)) || memcmp(eh.e_ident, ELFMAG, SELFMAG) != 0 ||
	    eh.e_shentsize != sizeof(*sh) || eh.e_shnum == 0 || eh.e_shnum > SHDRS_MAX)
		return;
	sh = calloc(eh.e_shnum, sizeof(*sh));
	if (!sh)
		return;
	if (read_object(r, o, eh.e_shoff, sh, eh.e_shnum * sizeof(*sh))) {
		for (unsigned i = 0; i < eh.e_shnum; i++) {
			unsigned which = sh[i].sh_type == SHT_DYNSYM;

			if ((sh[i].sh_type == SHT_SYMTAB || which) && sh[i].sh_link < eh.e_shnum &&
			    !o->tab[which].syms)
				load_table(r, o, &sh[i], &sh[sh[i].sh_link], &o->tab[which]);
			if (eh.e_shstrndx < eh.e_shnum &&
			    is_eh_frame(r, o, &sh[i], &sh[eh.e_shstrndx])) {
				o->eh_frame = sh[i].sh_addr;
				o->eh_size = sh[i].sh_size;
			}
		}
	}
	free(sh);
}

/* The function that holds the address, or else the nearest one before it. */
static const Elf64_Sym *find_symbol(const struct symtab *tab, uint64_t addr)
{
	const Elf64_Sym *best = NULL;

	for (size_t i = 0; i < tab->count; i++) {
		const Elf64_Sym *s = &tab->syms[i];
		unsigned type = ELF64_ST_TYPE(s->st_info);

		if ((type != STT_FUNC && type != STT_GNU_IFUNC && type != STT_NOTYPE) ||
		    s->st_shndx == SHN_UNDEF || s->st_name == 0 || s->st_value > addr)
			continue;
		if (s->st_size != 0 && addr - s->st_value >= s->st_size)
			continue;
		if (s->st_size == 0 && type == STT_NOTYPE && addr - s->st_value > 4096)
			continue;
		if (!best || s->st_value > best->st_value)
			best = s;
	}
	return best;
}

static bool symbol_name(struct remote *r, const struct elf_object *o, const struct symtab *tab,
			const Elf64_Sym *s, char *out, size_t size)
{
	char name[NAME_MAX_SHOWN];
	size_t n = sizeof(name) - 1;

	if (s->st_name >= tab->str_size)
		return false;
	if (n > tab->str_size - s->st_name)
		n = (size_t)(tab->str_size - s->st_name);
	if (!read_object(r, o, tab->str_off + s->st_name, name, n))
		return false;
	name[n] = '\0';
	for (char *p = name; *p; p++)
		if (*p <= ' ' || *p > '~')
			*p = '?';
	snprintf(out, size, "%s", name);
	return true;
}

/* Paths are the guest's too. */
static void plain_path(const char *path, char *out, size_t size)
{
	size_t i;

	for (i = 0; path[i] && i + 1 < size; i++)
		out[i] = path[i];
	out[i] = '\0';
	for (char *p = out; *p; p++)
		if (*p < ' ' || *p == 0x7f)
			*p = '?';
}

void elf_symbol(struct remote *r, uint64_t ip, char *out, size_t size)
{
	const struct control_map *m = remote_map(r, ip);
	struct elf_object *o = object_at(r, ip);
	char path[240], name[NAME_MAX_SHOWN];

	plain_path(m ? m->path : "", path, sizeof(path));
	if (!m) {
		snprintf(out, size, "??? (not mapped)");
		return;
	}
	if (o && o->is_elf && !o->symbols_read)
		load_symbols(r, o);
	for (unsigned i = 0; o && i < 2; i++) {
		const Elf64_Sym *s = find_symbol(&o->tab[i], ip - o->bias);

		if (s && symbol_name(r, o, &o->tab[i], s, name, sizeof(name))) {
			snprintf(out, size, "%s+%#" PRIx64 " (%s)", name, ip - o->bias - s->st_value, path);
			return;
		}
	}
	if (o && o->is_elf)
		snprintf(out, size, "%#" PRIx64 " (%s)", ip - o->bias, path);
	else
		snprintf(out, size, "??? (%s)", path[0] ? path : "anonymous memory");
}
