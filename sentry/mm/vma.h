/* The tree of mapped areas, in address order, with the free gap below each area
 * kept per subtree, so that a fitting hole is found in logarithmic time. Knows
 * nothing about limits, tasks or the host. No locking of its own. */
#ifndef SENTRY_MM_VMA_H
#define SENTRY_MM_VMA_H

#include <bsd/sys/tree.h>
#include <stdint.h>

#include "sentry/mm/mm.h"

/* Nothing is placed within this distance below an area that grows down. */
#define VMA_STACK_GUARD (256 * LX_PAGE_SIZE)

/* A guest's name for anonymous memory. */
struct vma_name {
	struct refs refs;
	char text[];
};
struct vma_name *vma_name_new(const char *text); /* NULL: out of memory */
void vma_name_get(struct vma_name *n);
void vma_name_put(struct vma_name *n);

struct vma {
	RB_ENTRY(vma) node;
	uint64_t start, end;	 /* page-aligned, start < end */
	uint64_t pgoff;		 /* in pages, with a file */
	uint32_t prot;		 /* LX_PROT_READ, WRITE, EXEC */
	uint32_t flags;		 /* enum vma_flags */
	struct file *file;	 /* one reference or NULL */
	struct shm_segment *shm; /* counted by shm_vma_open/close, or NULL */
	const char *name;	 /* literal or NULL */
	struct vma_name *anon;	 /* one reference or NULL */
	uint64_t prev_end;	 /* tree: end of the area below, 0 for the first */
	uint64_t max_gap;	 /* tree: largest gap below an area of this subtree */
};

RB_HEAD(vma_rb, vma);
struct vma_tree {
	struct vma_rb rb;
	unsigned count;
};

struct vma_tree *vma_tree_new(void);   /* NULL: out of memory */
void vma_tree_free(struct vma_tree *t); /* with all its areas; t may be NULL */

/* A zeroed area, not in any tree; freed with vma_free(), which drops the file. */
struct vma *vma_new(void);
void vma_free(struct vma *v);
/* A copy outside of any tree with its own references; NULL: out of memory. */
struct vma *vma_dup(const struct vma *v);

/* First area that ends above addr; NULL: none. */
struct vma *vma_find(struct vma_tree *t, uint64_t addr);
/* The area that holds addr; NULL: none. */
struct vma *vma_at(struct vma_tree *t, uint64_t addr);
struct vma *vma_first(struct vma_tree *t);
struct vma *vma_next(struct vma *v);
struct vma *vma_prev(struct vma *v);
/* Start of the area with the guard gap below it. */
uint64_t vma_guard_start(const struct vma *v);

/* v must not overlap anything. The tree owns it from now on. */
void vma_insert(struct vma_tree *t, struct vma *v);
/* Take v out; the caller owns it again. */
void vma_remove(struct vma_tree *t, struct vma *v);
/* Move the borders of an area; the order in the tree must not change. */
void vma_resize(struct vma_tree *t, struct vma *v, uint64_t start, uint64_t end);

/* Make start and end area borders, splitting what crosses them. 0 or -LX_ENOMEM
 * (a split may have been made). */
int vma_isolate(struct vma_tree *t, uint64_t start, uint64_t end);
/* Join equal neighbours that touch or lie in [start, end]. */
void vma_merge(struct vma_tree *t, uint64_t start, uint64_t end);

/* The highest (down) or lowest (up) address of len free bytes in [low, high), with
 * guard gaps kept; 0: none. len > 0. */
uint64_t vma_gap_down(struct vma_tree *t, uint64_t len, uint64_t low, uint64_t high);
uint64_t vma_gap_up(struct vma_tree *t, uint64_t len, uint64_t low, uint64_t high);

#endif
