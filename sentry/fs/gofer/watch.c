/* inotify on shared mounts: what others do to the host's files.
 *
 * The gofer adds and removes the host's watches on an inotify instance whose descriptor it
 * donates; the events are read here. The sandbox's own changes come back as events too, and
 * the VFS has reported them already: since the kernel lock is held around a change, what
 * arrives while one is made, of its kind and with its name, is taken for its echo.
 *
 * Of a file that others open or read nothing is said: the gofer does that all the time.
 * Bounded by GOFER_WATCHES; what finds no room goes without. */
#include <stdlib.h>

#include "sentry/fs/gofer/gofer_impl.h"
#include "sentry/fs/gofer/watch.h"
#include "sentry/hostpoll.h"
#include "sentry/vfs/fsnotify.h"
#include "syscalls/abi/lx_fcntl.h"

#define EVENTS_SIZE 16384
/* A file that we have closed may still be open in the gofer, which is about to close it, or
 * mapped in a stub. */
#define LATE 8
#define LATE_NS 100000000u
#define FOREIGN_COOKIE 0x80000000u /* the VFS's own are small */

struct gofer_watch {
	int wd;
	struct gofer_inode *gi;
	struct gofer_key parent; /* where it was found; name "": unknown */
	char *name;
	UT_hash_handle hh;
};

struct gofer_watches {
	struct gofer_watch *by_wd; /* uthash */
	int fd;
	struct kernel *k;
	struct hostwatch host;
	struct waitq q;
	struct waiter waiter;
	bool draining;
	struct {
		uint64_t until;
		char name[LX_NAME_MAX + 1];
		unsigned events;	/* of the file's own watch and of its directory's */
	} late[LATE];			/* CLOSE_WRITE that is still to come */
	unsigned next_late, closes_seen;
	unsigned writing;	/* writes under way without the kernel lock */
	uint8_t buf[EVENTS_SIZE] __attribute__((aligned(8)));
};

/* The kinds of event that a change by ourselves makes, and the names in them. */
struct own {
	uint32_t mask;
	const char *name[2];
};

static bool is_late(struct gofer_watches *w, const struct gofer_inode *gi, const char *name)
{
	uint64_t now = ktime_mono();

	if (!*name && gi->watch)
		name = gi->watch->name;
	for (unsigned n = 0; n < LATE; n++)
		if (w->late[n].events && now < w->late[n].until &&
		    strcmp(name, w->late[n].name) == 0) {
			w->late[n].events--;
			return true;
		}
	return false;
}

static bool is_own(const struct own *o, struct gofer_watches *w, const struct gofer_inode *gi,
		   uint32_t mask, const char *name)
{
	if (w->writing && (mask & LX_IN_MODIFY))
		return true;
	if ((mask & LX_IN_CLOSE_WRITE) && is_late(w, gi, name))
		return true;
	if (!o || !(mask & o->mask))
		return false;
	if (!*name || (!o->name[0] && !o->name[1]) ||
	    (o->name[0] && strcmp(name, o->name[0]) == 0) ||
	    (o->name[1] && strcmp(name, o->name[1]) == 0)) {
		w->closes_seen += (mask & LX_IN_CLOSE_WRITE) != 0;
		return true;
	}
	return false;
}

static void watch_free(struct gofer_conn *c, struct gofer_watch *w)
{
	HASH_DEL(c->watches->by_wd, w);
	w->gi->watch = NULL;
	free(w->name);
	free(w);
}

/* For good; the gofer counts them. */
static void remove_watch(struct gofer_conn *c, struct gofer_watch *w)
{
	struct gofer_watch_req q = { .wd = (uint32_t)w->wd };
	struct gofer_watch_rep p;

	watch_free(c, w);
	(void)gofer_call_watch(c, &q, &p, NULL);
}

/* The file may have lost its last name: then that is the end of it for whoever watches. */
static void check_gone(struct gofer_inode *gi)
{
	struct inode *i = &gi->i;

	if (gofer_refresh(gi) || i->nlink || (gi->ro && gi->ro->users) ||
	    (gi->rw && gi->rw->users))
		return;
	fsnotify_inode_gone(i);
}

/* dir/name is gone: was it watched itself? */
static void child_gone(struct gofer_conn *c, const struct gofer_inode *dir, const char *name)
{
	struct gofer_watch *w, *tmp;

	HASH_ITER(hh, c->watches->by_wd, w, tmp) {
		struct gofer_inode *gi = w->gi;

		if (w->parent.ino != dir->key.ino || w->parent.dev != dir->key.dev ||
		    strcmp(w->name, name) != 0)
			continue;
		inode_get(&gi->i);
		check_gone(gi);
		inode_put(&gi->i);
		return; /* w and others may have gone */
	}
}

static void take_event(struct gofer_conn *c, const struct lx_inotify_event *e, const char *name,
		       const struct own *own)
{
	struct gofer_watch *w;
	struct inode *i;

	HASH_FIND_INT(c->watches->by_wd, &e->wd, w);
	if (!w)
		return;
	i = &w->gi->i;
	inode_get(i);
	if (e->mask & LX_IN_IGNORED) {
		remove_watch(c, w);
	} else if (!is_own(own, c->watches, gofer_i(i), e->mask, name)) {
		if (e->mask & LX_IN_MOVE_SELF)
			w->name[0] = '\0';
		if (e->mask & LX_IN_DELETE)
			child_gone(c, gofer_i(i), name);
		fsnotify(i, e->mask & (LX_IN_ALL_EVENTS | LX_IN_ISDIR) & ~LX_IN_DELETE_SELF,
			 *name ? name : NULL, e->cookie ? e->cookie | FOREIGN_COOKIE : 0);
		if ((e->mask & (LX_IN_ATTRIB | LX_IN_DELETE_SELF)) && !*name)
			check_gone(gofer_i(i));
	}
	inode_put(i);
}

static void drain(struct gofer_conn *c, const struct own *own)
{
	struct gofer_watches *w = c->watches;
	char name[LX_NAME_MAX + 1];

	if (w->draining)
		return;
	w->draining = true;
	for (;;) {
		long n = gofer_host_read(w->fd, w->buf, sizeof(w->buf)), at = 0;
		struct lx_inotify_event e;

		if (n <= 0)
			break;
		while (n - at >= (long)sizeof(e)) {
			memcpy(&e, w->buf + at, sizeof(e));
			at += (long)sizeof(e);
			if (e.len > n - at || e.len > sizeof(name) + 16)
				break;
			memset(name, 0, sizeof(name));
			memcpy(name, w->buf + at, e.len < LX_NAME_MAX ? e.len : LX_NAME_MAX);
			at += e.len;
			take_event(c, &e, name, own);
		}
	}
	w->draining = false;
}

static void woken(struct waiter *w, uint32_t events)
{
	(void)events;
	drain(w->ctx, NULL);
}

void gofer_watch_before(struct gofer_conn *c)
{
	if (c->watches && c->watches->by_wd)
		drain(c, NULL);
}

void gofer_watch_after(struct gofer_conn *c, uint32_t mask, const char *a, const char *b)
{
	const struct own own = { mask, { a, b } };

	if (c->watches && c->watches->by_wd)
		drain(c, &own);
}

void gofer_watch_closed(struct gofer_conn *c, const struct dentry *d)
{
	struct gofer_watches *w = c->watches;
	const struct inode *dir = d->parent ? d->parent->inode : NULL;
	unsigned want;

	if (!w || !w->by_wd)
		return;
	want = (gofer_i(d->inode)->watch != NULL) +
	       (dir && gofer_owns(dir) && ((const struct gofer_inode *)dir)->watch);
	w->closes_seen = 0;
	gofer_watch_after(c, LX_IN_CLOSE_WRITE, d->name, NULL);
	if (w->closes_seen >= want)
		return;
	w->late[w->next_late].events = want - w->closes_seen;
	w->late[w->next_late].until = ktime_mono() + LATE_NS;
	(void)snprintf(w->late[w->next_late].name, sizeof(w->late[0].name), "%s", d->name);
	w->next_late = (w->next_late + 1) % LATE;
}

void gofer_watch_writing(struct gofer_conn *c, bool begins)
{
	if (!c->watches)
		return;
	if (begins)
		c->watches->writing++;
	else
		c->watches->writing--;
}

/* ---- adding and removing ---- */

static int start(struct gofer_conn *c, struct kernel *k, int fd)
{
	struct gofer_watches *w = calloc(1, sizeof(*w));

	if (!w) {
		gofer_host_close(fd);
		return -LX_ENOMEM;
	}
	w->fd = fd;
	w->k = k;
	waitq_init(&w->q);
	w->host.fd = -1;
	if (hostpoll_watch(k, &w->host, fd, &w->q)) {
		gofer_host_close(fd);
		free(w);
		return -LX_ENOMEM;
	}
	waiter_enrol(&w->q, &w->waiter, woken, c);
	c->watches = w;
	return 0;
}

void gofer_watch_fini(struct gofer_conn *c)
{
	struct gofer_watches *w = c->watches;

	if (!w)
		return;
	hostpoll_unwatch(w->k, &w->host);
	waiter_leave(&w->waiter);
	waitq_fini(&w->q);
	gofer_host_close(w->fd);
	free(w);
	c->watches = NULL;
}

static void add(struct gofer_inode *gi, int wd, const struct dentry *at)
{
	struct gofer_conn *c = gofer_c(&gi->i);
	const struct inode *dir = at && at->parent ? at->parent->inode : NULL;
	struct gofer_watch *w;

	HASH_FIND_INT(c->watches->by_wd, &wd, w);
	if (w) /* the same host file in another mount */
		return;
	w = calloc(1, sizeof(*w));
	if (w)
		w->name = strdup(dir && gofer_owns(dir) ? at->name : "");
	if (!w || !w->name) {
		free(w);
		return;
	}
	if (*w->name)
		w->parent = ((const struct gofer_inode *)dir)->key;
	w->wd = wd;
	w->gi = gi;
	HASH_ADD_INT(c->watches->by_wd, wd, w);
	if (!w->hh.tbl) {
		free(w->name);
		free(w);
		return;
	}
	gi->watch = w;
}

void gofer_watch(struct inode *i, const struct dentry *at, bool on)
{
	struct gofer_inode *gi = gofer_i(i);
	struct gofer_conn *c = gofer_c(i);
	struct gofer_watch_req q = { .node = gi->node, .on = on };
	struct gofer_watch_rep p;
	int fd = -1;

	if (on) {
		q.want_fd = c->watches == NULL;
		if (gi->watch || gofer_call_watch(c, &q, &p, &fd))
			return;
		if (fd >= 0 && (c->watches || start(c, i->sb->k, fd)))
			return;
		if (c->watches)
			add(gi, (int)p.wd, at);
	} else if (gi->watch) {
		remove_watch(c, gi->watch);
	}
}
