/* Intrusive doubly linked list. A head is a node; an unlinked node points to
 * itself once list_init() or list_del_init() ran. No locking of its own. */
#ifndef PLATFORM_BASE_LIST_H
#define PLATFORM_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *prev, *next;
};

#define LIST_INIT(name) { &(name), &(name) }

static inline void list_init(struct list *l)
{
	l->prev = l->next = l;
}

static inline bool list_empty(const struct list *l)
{
	return l->next == l;
}

static inline void list_insert_between(struct list *n, struct list *p, struct list *q)
{
	n->prev = p;
	n->next = q;
	p->next = n;
	q->prev = n;
}

static inline void list_push_back(struct list *head, struct list *n)
{
	list_insert_between(n, head->prev, head);
}

static inline void list_push_front(struct list *head, struct list *n)
{
	list_insert_between(n, head, head->next);
}

/* Unlink and leave the node self-linked, so that deleting twice is harmless. */
static inline void list_del_init(struct list *n)
{
	n->prev->next = n->next;
	n->next->prev = n->prev;
	list_init(n);
}

/* Move all of src to the end of dst; src becomes empty. */
static inline void list_splice_back(struct list *dst, struct list *src)
{
	if (list_empty(src))
		return;
	src->next->prev = dst->prev;
	dst->prev->next = src->next;
	src->prev->next = dst;
	dst->prev = src->prev;
	list_init(src);
}

#define container_of(ptr, type, member) \
	((type *)(void *)((char *)(ptr) - offsetof(type, member)))

#define list_entry(ptr, type, member) container_of(ptr, type, member)
#define list_first(head, type, member) list_entry((head)->next, type, member)
#define list_last(head, type, member) list_entry((head)->prev, type, member)

#define list_for_each(pos, head, member)                                          \
	for (pos = list_entry((head)->next, __typeof__(*pos), member);            \
	     &pos->member != (head);                                              \
	     pos = list_entry(pos->member.next, __typeof__(*pos), member))

/* Safe against removal of the current entry (only). */
#define list_for_each_safe(pos, tmp, head, member)                                \
	for (pos = list_entry((head)->next, __typeof__(*pos), member),            \
	    tmp = list_entry(pos->member.next, __typeof__(*pos), member);         \
	     &pos->member != (head);                                              \
	     pos = tmp, tmp = list_entry(tmp->member.next, __typeof__(*pos), member))

#endif
