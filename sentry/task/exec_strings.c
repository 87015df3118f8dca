/* execve's vectors and `#!` lines. */
#include <stdlib.h>
#include <string.h>

#include "sentry/task/exec_impl.h"
#include "sentry/task/task_impl.h"
#include "syscalls/abi/lx_resource.h"

#define STRINGS_MAX (6u << 20)	/* three quarters of Linux's default stack */
#define STRINGS_MIN (128u << 10)

void strvec_fini(struct strvec *sv)
{
	for (unsigned i = 0; i < sv->count; i++)
		if (!sv->arena || sv->v[i] < sv->arena || sv->v[i] >= sv->arena + sv->bytes)
			free(sv->v[i]);
	free(sv->v);
	free(sv->arena);
	*sv = (struct strvec){ .v = NULL };
}

int strvec_from(struct strvec *sv, char *const *v)
{
	unsigned n = 0;

	while (v && v[n])
		n++;
	*sv = (struct strvec){ .v = calloc(n + 1, sizeof(*sv->v)) };
	if (!sv->v)
		return -LX_ENOMEM;
	for (; sv->count < n; sv->count++) {
		sv->v[sv->count] = strdup(v[sv->count]);
		if (!sv->v[sv->count]) {
			strvec_fini(sv);
			return -LX_ENOMEM;
		}
	}
	return 0;
}

static bool in_arena(const struct strvec *sv, const char *s)
{
	return sv->arena && s >= sv->arena && s < sv->arena + sv->bytes;
}

int strvec_replace_first(struct strvec *sv, const char *const *with, unsigned n)
{
	unsigned rest = sv->count ? sv->count - 1 : 0;
	char **v = calloc((size_t)n + rest + 1, sizeof(*v));

	if (!v)
		return -LX_ENOMEM;
	for (unsigned i = 0; i < n; i++) {
		v[i] = strdup(with[i]);
		if (!v[i]) {
			while (i--)
				free(v[i]);
			free(v);
			return -LX_ENOMEM;
		}
	}
	if (rest)
		memcpy(v + n, sv->v + 1, rest * sizeof(*v));
	if (sv->count && !in_arena(sv, sv->v[0]))
		free(sv->v[0]);
	free(sv->v);
	sv->v = v;
	sv->count = n + rest;
	return 0;
}

/* ---- copying in ---- */

struct ptrs {
	uint64_t *p;
	unsigned count, cap;
};

static int ptrs_add(struct ptrs *ps, uint64_t v, unsigned max)
{
	if (ps->count >= max)
		return -LX_E2BIG;
	if (ps->count == ps->cap) {
		unsigned cap = ps->cap ? ps->cap * 2 : 64;
		uint64_t *p = realloc(ps->p, cap * sizeof(*p));

		if (!p)
			return -LX_ENOMEM;
		ps->p = p;
		ps->cap = cap;
	}
	ps->p[ps->count++] = v;
	return 0;
}

/* The pointers up to the NULL. A vector that is NULL itself is empty. */
static int ptrs_copy(struct task *t, uint64_t addr, unsigned max, struct ptrs *ps)
{
	uint64_t chunk[64];

	if (!addr)
		return 0;
	for (;;) {
		long n = mm_copy_in_partial(t->mm, chunk, addr, sizeof(chunk));

		if (n < (long)sizeof(chunk[0]))
			return -LX_EFAULT;
		for (long i = 0; i < n / (long)sizeof(chunk[0]); i++) {
			int err;

			if (!chunk[i])
				return 0;
			err = ptrs_add(ps, chunk[i], max);
			if (err)
				return err;
		}
		addr += (uint64_t)n & ~7ULL;
	}
}

/* Strings of a vector mostly lie side by side: one copy serves many. */
struct window {
	struct mm *mm;
	uint64_t start;
	size_t len;
	char buf[4096];
};

static int window_move(struct window *w, uint64_t addr)
{
	long n;

	if (addr >= w->start && addr < w->start + w->len)
		return 0;
	n = mm_copy_in_partial(w->mm, w->buf, addr, sizeof(w->buf));
	if (n <= 0)
		return -LX_EFAULT;
	w->start = addr;
	w->len = (size_t)n;
	return 0;
}

static int arena_append(struct strvec *sv, size_t *cap, const char *s, size_t len)
{
	if (sv->bytes + len > *cap) {
		size_t more = *cap ? *cap * 2 : 4096;
		char *a;

		while (more < sv->bytes + len)
			more *= 2;
		a = realloc(sv->arena, more);
		if (!a)
			return -LX_ENOMEM;
		sv->arena = a;
		*cap = more;
	}
	memcpy(sv->arena + sv->bytes, s, len);
	sv->bytes += len;
	return 0;
}

/* One string with its NUL to the arena. */
static int string_copy(struct window *w, struct strvec *sv, size_t *cap, uint64_t addr,
		       size_t *room)
{
	size_t total = 0;

	for (;;) {
		int err = window_move(w, addr);
		size_t avail, len;
		const char *s;
		bool last;

		if (err)
			return err;
		s = w->buf + (addr - w->start);
		avail = w->len - (addr - w->start);
		len = strnlen(s, avail);
		last = len < avail;
		len += last;
		total += len;
		if (total > EXEC_STRLEN_MAX || len > *room)
			return -LX_E2BIG;
		*room -= len;
		err = arena_append(sv, cap, s, len);
		if (err || last)
			return err;
		addr += len;
	}
}

static int strings_copy(struct task *t, const struct ptrs *ps, size_t *room, struct strvec *sv)
{
	struct window w = { .mm = t->mm };
	size_t cap = 0, at = 0;

	for (unsigned i = 0; i < ps->count; i++) {
		int err = string_copy(&w, sv, &cap, ps->p[i], room);

		if (err)
			return err;
	}
	sv->v = calloc((size_t)ps->count + 1, sizeof(*sv->v));
	if (!sv->v)
		return -LX_ENOMEM;
	for (; sv->count < ps->count; sv->count++) {
		sv->v[sv->count] = sv->arena + at;
		at += strlen(sv->arena + at) + 1;
	}
	return 0;
}

static size_t strings_limit(const struct task *t)
{
	uint64_t limit = rlimit_cur(t, LX_RLIMIT_STACK) / 4;

	if (limit > STRINGS_MAX)
		limit = STRINGS_MAX;
	return limit < STRINGS_MIN ? STRINGS_MIN : (size_t)limit;
}

int exec_strings_copy(struct task *t, struct uaddr argv, struct uaddr envp, size_t path_bytes,
		      struct strvec *out_argv, struct strvec *out_envp)
{
	struct ptrs ap = { .p = NULL }, ep = { .p = NULL };
	size_t limit = strings_limit(t), pointers, room;
	unsigned max = (unsigned)(limit / sizeof(uint64_t));
	const char *const none[] = { "" };
	int err;

	*out_argv = *out_envp = (struct strvec){ .v = NULL };
	err = ptrs_copy(t, argv.v, max, &ap);
	if (!err)
		err = ptrs_copy(t, envp.v, max, &ep);
	if (err)
		goto out;
	/* Since 5.18 an empty argv counts as one string, and becomes one. */
	pointers = ((size_t)(ap.count ? ap.count : 1) + ep.count) * sizeof(uint64_t);
	err = -LX_E2BIG;
	if (limit <= pointers || limit - pointers < path_bytes)
		goto out;
	room = limit - pointers - path_bytes;
	err = strings_copy(t, &ep, &room, out_envp);
	if (!err)
		err = strings_copy(t, &ap, &room, out_argv);
	if (!err && out_argv->count == 0)
		err = strvec_replace_first(out_argv, none, 1);
out:
	free(ap.p);
	free(ep.p);
	if (err) {
		strvec_fini(out_argv);
		strvec_fini(out_envp);
	}
	return err;
}

/* ---- scripts ---- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static char *skip_blank(char *s)
{
	while (is_blank(*s))
		s++;
	return s;
}

int script_parse(char line[SCRIPT_LINE + 1], char **interp, char **arg)
{
	char *s, *end;

	*arg = NULL;
	line[SCRIPT_LINE] = '\0';
	if (line[0] != '#' || line[1] != '!')
		return 0;
	end = strchr(line, '\n');
	if (!end) {
		/* Cut off: good only if the interpreter's name is whole. */
		s = skip_blank(line + 2);
		while (*s && !is_blank(*s))
			s++;
		if (strlen(line) == SCRIPT_LINE && !*s)
			return -LX_ENOEXEC;
		end = line + strlen(line);
	}
	while (end > line + 2 && is_blank(end[-1]))
		end--;
	*end = '\0';
	s = skip_blank(line + 2);
	if (!*s)
		return -LX_ENOEXEC;
	*interp = s;
	while (*s && !is_blank(*s))
		s++;
	if (*s) {
		*s++ = '\0';
		s = skip_blank(s);
		if (*s)
			*arg = s;
	}
	return 1;
}
