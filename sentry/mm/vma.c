/* The VMA tree: see vma.h. A red-black tree by address; each node knows where the
 * area below it ends and the largest free gap of its subtree. */
struct vma;
static void vma_augment(struct vma *v);
#define RB_AUGMENT(v) vma_augment(v)

#include <stdlib.h>
#include <string.h>

#include "sentry/ipc/shm.h"
#include "sentry/mm/vma.h"
#include "sentry/vfs/vfs.h"

static int vma_cmp(const struct vma *a, const struct vma *b)
{
	return a->start < b->start ? -1 : a->start > b->start;
}

RB_GENERATE_INTERNAL(vma_rb, vma, node, vma_cmp, __attribute__((unused)) static)

uint64_t vma_guard_start(const struct vma *v)
{
	if (!(v->flags & VMA_GROWSDOWN))
		return v->start;
	return v->start > VMA_STACK_GUARD ? v->start - VMA_STACK_GUARD : 0;
}

/* Free bytes below v that may be handed out. */
static uint64_t vma_gap(const struct vma *v)
{
	uint64_t top = vma_guard_start(v);

	return top > v->prev_end ? top - v->prev_end : 0;
}

static void vma_augment(struct vma *v)
{
	const struct vma *l = RB_LEFT(v, node), *r = RB_RIGHT(v, node);
	uint64_t max = vma_gap(v);

	if (l && l->max_gap > max)
		max = l->max_gap;
	if (r && r->max_gap > max)
		max = r->max_gap;
	v->max_gap = max;
}

static void augment_up(struct vma *v)
{
	for (; v; v = RB_PARENT(v, node))
		vma_augment(v);
}

struct vma_tree *vma_tree_new(void)
{
	return calloc(1, sizeof(struct vma_tree));
}

void vma_tree_free(struct vma_tree *t)
{
	struct vma *v;

	if (!t)
		return;
	while ((v = RB_ROOT(&t->rb))) {
		vma_remove(t, v);
		vma_free(v);
	}
	free(t);
}

struct vma_name *vma_name_new(const char *text)
{
	size_t size = strlen(text) + 1;
	struct vma_name *n = malloc(sizeof(*n) + size);

	if (!n)
		return NULL;
	refs_init(&n->refs, "vma name");
	memcpy(n->text, text, size);
	return n;
}

void vma_name_get(struct vma_name *n)
{
	refs_get(&n->refs);
}

void vma_name_put(struct vma_name *n)
{
	if (refs_put(&n->refs))
		free(n);
}

struct vma *vma_new(void)
{
	return calloc(1, sizeof(struct vma));
}

void vma_free(struct vma *v)
{
	if (v->shm)
		shm_vma_close(v->shm);
	if (v->file)
		file_put(v->file);
	if (v->anon)
		vma_name_put(v->anon);
	free(v);
}

struct vma *vma_dup(const struct vma *v)
{
	struct vma *n = malloc(sizeof(*n));

	if (!n)
		return NULL;
	*n = *v;
	if (n->file)
		file_get(n->file);
	if (n->anon)
		vma_name_get(n->anon);
	if (n->shm)
		shm_vma_open(n->shm);
	return n;
}

struct vma *vma_find(struct vma_tree *t, uint64_t addr)
{
	struct vma *v = RB_ROOT(&t->rb), *best = NULL;

	while (v) {
		if (v->end > addr) {
			best = v;
			v = RB_LEFT(v, node);
		} else {
			v = RB_RIGHT(v, node);
		}
	}
	return best;
}

struct vma *vma_at(struct vma_tree *t, uint64_t addr)
{
	struct vma *v = vma_find(t, addr);

	return v && v->start <= addr ? v : NULL;
}

struct vma *vma_first(struct vma_tree *t)
{
	return RB_MIN(vma_rb, &t->rb);
}

struct vma *vma_next(struct vma *v)
{
	return RB_NEXT(vma_rb, NULL, v);
}

struct vma *vma_prev(struct vma *v)
{
	return RB_PREV(vma_rb, NULL, v);
}

void vma_insert(struct vma_tree *t, struct vma *v)
{
	struct vma *prev, *next;

	v->prev_end = v->start; /* no gap until the neighbours are known */
	v->max_gap = 0;
	RB_INSERT(vma_rb, &t->rb, v);
	t->count++;
	prev = vma_prev(v);
	next = vma_next(v);
	v->prev_end = prev ? prev->end : 0;
	augment_up(v);
	if (next) {
		next->prev_end = v->end;
		augment_up(next);
	}
}

void vma_remove(struct vma_tree *t, struct vma *v)
{
	struct vma *next = vma_next(v), *up = RB_PARENT(v, node);
	struct vma *next_up = next ? RB_PARENT(next, node) : NULL;

	RB_REMOVE(vma_rb, &t->rb, v);
	t->count--;
	/* The successor may have taken v's place: bring both chains up to date. */
	if (next_up && next_up != v)
		augment_up(next_up);
	if (next) {
		next->prev_end = v->prev_end;
		augment_up(next);
	}
	augment_up(up);
}

void vma_resize(struct vma_tree *t, struct vma *v, uint64_t start, uint64_t end)
{
	struct vma *next = vma_next(v);

	(void)t;
	v->start = start;
	v->end = end;
	augment_up(v);
	if (next) {
		next->prev_end = end;
		augment_up(next);
	}
}

static int split_at(struct vma_tree *t, uint64_t addr)
{
	struct vma *v = vma_at(t, addr), *upper;

	if (!v || v->start == addr)
		return 0;
	upper = vma_dup(v);
	if (!upper)
		return -LX_ENOMEM;
	upper->start = addr;
	upper->pgoff += (addr - v->start) / LX_PAGE_SIZE;
	vma_resize(t, v, v->start, addr);
	vma_insert(t, upper);
	return 0;
}

int vma_isolate(struct vma_tree *t, uint64_t start, uint64_t end)
{
	int err = split_at(t, start);

	return err ? err : split_at(t, end);
}

static bool same_anon_name(const struct vma *a, const struct vma *b)
{
	return a->anon == b->anon ||
	       (a->anon && b->anon && strcmp(a->anon->text, b->anon->text) == 0);
}

static bool mergeable(const struct vma *a, const struct vma *b)
{
	return a->end == b->start && a->prot == b->prot && a->flags == b->flags &&
	       a->file == b->file && a->name == b->name && same_anon_name(a, b) && !a->shm && !b->shm &&
	       !(a->flags & (VMA_SPECIAL | VMA_GROWSDOWN)) &&
	       (!a->file || a->pgoff + (a->end - a->start) / LX_PAGE_SIZE == b->pgoff);
}

void vma_merge(struct vma_tree *t, uint64_t start, uint64_t end)
{
	struct vma *v = vma_find(t, start ? start - 1 : 0), *next;

	for (; v && v->start <= end; v = next) {
		next = vma_next(v);
		if (!next || next->start > end || !mergeable(v, next))
			continue;
		end = next->end > end ? next->end : end;
		vma_remove(t, next);
		vma_resize(t, v, v->start, next->end);
		vma_free(next);
		next = v;
	}
}

/* Highest fitting address in the gap [lo, hi) cut to [low, high), or 0. */
static uint64_t fit_down(uint64_t lo, uint64_t hi, uint64_t len, uint64_t low, uint64_t high)
{
	if (lo < low)
		lo = low;
	if (hi > high)
		hi = high;
	return hi > lo && hi - lo >= len ? hi - len : 0;
}

static uint64_t fit_up(uint64_t lo, uint64_t hi, uint64_t len, uint64_t low, uint64_t high)
{
	uint64_t top = fit_down(lo, hi, len, low, high);

	return !top ? 0 : lo < low ? low : lo;
}

static uint64_t search_down(struct vma *v, uint64_t len, uint64_t low, uint64_t high)
{
	uint64_t a = 0;

	if (!v || v->max_gap < len)
		return 0;
	if (v->end < high)
		a = search_down(RB_RIGHT(v, node), len, low, high);
	if (!a)
		a = fit_down(v->prev_end, vma_guard_start(v), len, low, high);
	if (!a && v->start > low)
		a = search_down(RB_LEFT(v, node), len, low, high);
	return a;
}

static uint64_t search_up(struct vma *v, uint64_t len, uint64_t low, uint64_t high)
{
	uint64_t a = 0;

	if (!v || v->max_gap < len)
		return 0;
	if (v->start > low)
		a = search_up(RB_LEFT(v, node), len, low, high);
	if (!a)
		a = fit_up(v->prev_end, vma_guard_start(v), len, low, high);
	if (!a && v->end < high)
		a = search_up(RB_RIGHT(v, node), len, low, high);
	return a;
}

uint64_t vma_gap_down(struct vma_tree *t, uint64_t len, uint64_t low, uint64_t high)
{
	struct vma *last = RB_MAX(vma_rb, &t->rb);
	uint64_t a = fit_down(last ? last->end : 0, UINT64_MAX, len, low, high);

	return a ? a : search_down(RB_ROOT(&t->rb), len, low, high);
}

uint64_t vma_gap_up(struct vma_tree *t, uint64_t len, uint64_t low, uint64_t high)
{
	struct vma *last = RB_MAX(vma_rb, &t->rb);
	uint64_t a = search_up(RB_ROOT(&t->rb), len, low, high);

	return a ? a : fit_up(last ? last->end : 0, UINT64_MAX, len, low, high);
}
