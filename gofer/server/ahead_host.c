/* LOOKUPS: several names of one directory, and what whoever walks the tree will ask for next:
 * the listings of the directories found, what lies in those, their listings, and so on, in the
 * order in which a walk comes by. How much of it is bounded by the reply's room and by
 * GOFER_BELOW_MAX; it never leaves the mount of the directory that it was asked for, because
 * nobody has asked for that other file system, which may hang. */
#include <dirent.h>
#include <errno.h>
#include <linux/openat2.h>
#include <sys/stat.h>

#include "gofer/server/server_impl.h"

#define DEPTH 24	/* of directories in directories, in one reply */
#define ROOM 4096	/* without that much room left, nothing new is begun */

struct ahead {
	struct server *s;
	struct gofer_enc e;
	uint32_t next;		/* the number of the next record */
	uint32_t left;		/* so many more of them */
	bool all;		/* not only directories */
};

static bool no_room(int err)
{
	return err == -ENFILE || err == -EMFILE || err == -ENOMEM;
}

/* One entry of the directory dir, whose record is number parent: its node in *out, if it is a
 * directory. */
static void put_below(struct ahead *a, uint32_t parent, struct node *dir, struct gofer_str name,
		      struct node **out)
{
	struct gofer_below b = { .parent = parent, .name = name };
	struct gofer_walked w = { .node = 0 };
	int err = walk_step(a->s, dir, name, RESOLVE_NO_XDEV, &w);

	*out = NULL;
	if (no_room(err))
		a->left = 0;
	if (err)
		return;
	b.node = w.node;
	b.attr = w.attr;
	gofer_put_u32(&a->e, &a->next);
	gofer_put_below(&a->e, &b);
	a->next++;
	a->left--;
	if (S_ISDIR(w.attr.mode))
		*out = node_of(a->s, w.node);
}

/* What lies in dir, as l says, which is in the reply. */
static void go_below(struct ahead *a, uint32_t index, struct node *dir,
		     const struct gofer_listed *l, unsigned depth)
{
	struct gofer_dec d = { l->entries.p, l->entries.p + l->entries.len, false };

	for (uint32_t i = 0; i < l->count && a->left; i++) {
		struct gofer_dirent de;
		struct gofer_listed in;
		struct node *n;
		uint32_t at = a->next;

		gofer_get_dirent(&d, &de);
		if (!a->all && de.type != DT_DIR)
			continue;
		if ((size_t)(a->e.end - a->e.p) < ROOM) {
			a->left = 0;
			return;
		}
		put_below(a, index, dir, de.name, &n);
		if (n && put_listed(a->s, &a->e, at, n, &in) && depth < DEPTH)
			go_below(a, at, n, &in, depth + 1);
	}
}

/* The listings of the found[0, n), and what lies below. */
static void put_ahead(struct ahead *a, const uint32_t *found, uint32_t n)
{
	struct gofer_listed l[GOFER_WALK_MAX];
	struct node *dir[GOFER_WALK_MAX];

	for (uint32_t i = 0; i < n; i++) {
		dir[i] = node_of(a->s, found[i]);
		if (dir[i] && !put_listed(a->s, &a->e, i, dir[i], &l[i]))
			dir[i] = NULL;
	}
	for (uint32_t i = 0; i < n && a->left; i++)
		if (dir[i])
			go_below(a, i, dir[i], &l[i], 0);
}

int op_lookups(struct server *s, const struct gofer_lookups_req *q, struct gofer_lookups_rep *p,
	       int *out_fd)
{
	struct gofer_dec names = { q->names.p, q->names.p + q->names.len, false };
	struct ahead a = {
		.s = s, .e = { s->scratch, s->scratch + GOFER_MSG_MAX - 64, false },
		.left = q->below < GOFER_BELOW_MAX ? q->below : GOFER_BELOW_MAX,
		.all = q->below_all,
	};
	struct node *at = node_of(s, q->dir);
	uint32_t ids[GOFER_WALK_MAX];

	(void)out_fd;
	if (!at)
		return -EBADF;
	if (q->count == 0 || q->count > GOFER_WALK_MAX)
		return -EPROTO;
	if (!S_ISDIR(at->mode))
		return -ENOTDIR;
	for (; p->count < q->count; p->count++) {
		struct gofer_walked w = { .node = 0 };
		struct gofer_name name;
		int err;

		gofer_get_name(&names, &name);
		err = names.bad ? -EPROTO : walk_step(s, at, name.name, 0, &w);
		if (err == -EPROTO && p->count == 0)
			return err;
		if (p->count == 0)
			p->err = err;
		else if (no_room(err) || err == -EPROTO)
			break;
		if (err)
			w = (struct gofer_walked){ .node = 0 };
		ids[p->count] = w.node;
		gofer_put_walked(&a.e, &w);
	}
	a.next = p->count;
	if (q->list)
		put_ahead(&a, ids, p->count);
	p->entries = (struct gofer_bytes){ s->scratch, (uint32_t)(a.e.p - s->scratch) };
	return 0;
}
