/* Chunks: the memory that slots live in. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "platform/unotify/unotify_impl.h"

#define MAX_FREE_CHUNKS 32

/* A chunk with all slots free and zero; NULL: no memory. */
struct chunk *chunk_new(struct unotify *u)
{
	struct chunk *c = NULL;

	mutex_lock(&u->mu);
	if (!list_empty(&u->free_chunks)) {
		c = list_first(&u->free_chunks, struct chunk, link);
		list_del_init(&c->link);
		u->nfree_chunks--;
	}
	mutex_unlock(&u->mu);
	if (c)
		return c;
	c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	list_init(&c->link);
	c->memfd = memfd_create("slots", MFD_CLOEXEC);
	if (c->memfd < 0 || ftruncate(c->memfd, STUB_CHUNK_SIZE) < 0)
		goto fail;
	c->host = mmap(NULL, STUB_CHUNK_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, c->memfd, 0);
	if (c->host == MAP_FAILED)
		goto fail;
	return c;
fail:
	if (c->memfd >= 0)
		close(c->memfd);
	free(c);
	return NULL;
}

/* The middle, for fast calls, has no memory yet in most slots. */
static void slot_zero(const struct chunk *c, size_t at)
{
	const size_t middle = STUB_SIGSTACK_OFF - STUB_FAST_OFF;

	memset(c->host + at, 0, STUB_FAST_OFF);
	if (fallocate(c->memfd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		      (off_t)(at + STUB_FAST_OFF), (off_t)middle) < 0)
		memset(c->host + at + STUB_FAST_OFF, 0, middle);
	memset(c->host + at + STUB_SIGSTACK_OFF, 0, STUB_SLOT_SIZE - STUB_SIGSTACK_OFF);
}

/* Zero what guests left behind: another process may get the chunk next. */
static void chunk_zero(struct chunk *c, uint32_t slots)
{
	for (unsigned i = 0; i < STUB_CHUNK_SLOTS; i++)
		if (slots & (1u << i))
			slot_zero(c, i * STUB_SLOT_SIZE);
	c->dirty &= ~slots;
}

/* No stub maps it any more. Without u->mu. */
void chunk_free(struct unotify *u, struct chunk *c)
{
	bool keep;

	if (!c)
		return;
	/* Only few slots in use: cheaper to clean than to make anew. */
	keep = __builtin_popcount(c->dirty) <= 1;
	if (keep)
		chunk_zero(c, c->dirty);
	c->used = 0;
	c->guest = 0;
	c->mapped = false;
	mutex_lock(&u->mu);
	keep = keep && u->nfree_chunks < MAX_FREE_CHUNKS && !u->stopping;
	if (keep) {
		list_push_front(&u->free_chunks, &c->link);
		u->nfree_chunks++;
	}
	mutex_unlock(&u->mu);
	if (keep)
		return;
	munmap(c->host, STUB_CHUNK_SIZE);
	close(c->memfd);
	free(c);
}

/* A free slot's index, or -1: one whose last user's host thread is really gone (it
 * stood on the slot's stack to the end). Under u->mu. */
int chunk_take_slot(struct chunk *c)
{
	for (unsigned i = 0; i < STUB_CHUNK_SLOTS; i++) {
		struct stub_slot *s = (void *)(c->host + i * STUB_SLOT_SIZE);

		if ((c->used & (1u << i)) || *(const volatile uint32_t *)&s->alive)
			continue;
		c->used |= 1u << i;
		c->dirty |= 1u << i;
		/* The notes of a thread that had it before. */
		s->note = 0;
		memset(s->cpu, 0, sizeof(s->cpu));
		memset(s->usage, 0, sizeof(s->usage));
		return (int)i;
	}
	return -1;
}
