/* Donated descriptors. An inode keeps one for reading and one for writing; all its open
 * files share them, and they stay when the last one is closed (least recently used go
 * first), so that opening a known file again costs no request. */
#include <stdlib.h>

#include "sentry/fs/gofer/gofer_impl.h"
#include "syscalls/abi/lx_dirent.h"
#include "syscalls/abi/lx_stat.h"

static void fd_free(struct gofer_fd *d)
{
	list_del_init(&d->idle);
	gofer_host_close(d->fd);
	d->c->nfds--;
	free(d);
}

/* Out of the inode's cache; it lives on while it is used. */
static void fd_detach(struct gofer_fd *d)
{
	struct gofer_inode *gi = d->owner;

	if (!gi)
		return;
	if (gi->ro == d)
		gi->ro = NULL;
	if (gi->rw == d)
		gi->rw = NULL;
	if (gi->wo == d)
		gi->wo = NULL;
	d->owner = NULL;
	if (d->users == 0)
		fd_free(d);
}

static void evict(struct gofer_conn *c, unsigned max)
{
	while (c->nfds > max && !list_empty(&c->idle_fds))
		fd_detach(list_first(&c->idle_fds, struct gofer_fd, idle));
}

static void fd_get(struct gofer_fd *d)
{
	if (d->users++ == 0)
		list_del_init(&d->idle);
}

void gofer_fd_unuse(struct gofer_fd *d)
{
	struct gofer_conn *c = d->c;

	if (--d->users)
		return;
	if (!d->owner) {
		fd_free(d);
		return;
	}
	list_push_back(&c->idle_fds, &d->idle);
	/* Shared: somebody on the host may want to execute the file (ETXTBSY). */
	if (d->writable && gofer_s(&d->owner->i)->shared) {
		if (d->owner->wo)
			fd_detach(d->owner->wo);
		fd_detach(d);
	} else {
		evict(c, c->max_fds);
	}
}

void gofer_fd_drop_ro(struct gofer_inode *gi)
{
	if (gi->ro)
		fd_detach(gi->ro);
}

void gofer_fd_drop_all(struct gofer_inode *gi)
{
	if (gi->ro)
		fd_detach(gi->ro);
	if (gi->rw)
		fd_detach(gi->rw);
	if (gi->wo)
		fd_detach(gi->wo);
}

static int install(struct gofer_inode *gi, struct gofer_fd **slot, int fd, bool readable,
		   bool writable)
{
	struct gofer_conn *c = gofer_c(&gi->i);
	struct gofer_fd *d = calloc(1, sizeof(*d));

	if (!d) {
		gofer_host_close(fd);
		return -LX_ENOMEM;
	}
	*d = (struct gofer_fd){ .c = c, .owner = gi, .fd = fd, .readable = readable,
				.writable = writable };
	c->nfds++;
	if (*slot)
		fd_detach(*slot);
	/* Opening for writing may have copied the file up on the host's overlay: a mapping
	 * made from an older descriptor would show the old file. */
	if (writable)
		gofer_fd_drop_ro(gi);
	*slot = d;
	list_push_back(&c->idle_fds, &d->idle);
	return 0;
}

int gofer_fd_install(struct gofer_inode *gi, int fd, bool readable, bool writable)
{
	return install(gi, writable ? &gi->rw : &gi->ro, fd, readable, writable);
}

void gofer_fd_keep(struct gofer_inode *gi, int fd)
{
	struct gofer_conn *c = gofer_c(&gi->i);

	(void)gofer_fd_install(gi, fd, true, false);
	evict(c, c->max_fds);
}

int gofer_fd_any(const struct gofer_inode *gi)
{
	if (gi->rw)
		return gi->rw->fd;
	return gi->ro ? gi->ro->fd : -1;
}

/* The directory and name that path found the file by, if they are ours. */
static void set_hint(const struct gofer_inode *gi, const struct path *path,
		     struct gofer_open_req *q)
{
	const struct dentry *d = path ? path->dentry : NULL;

	q->name = gofer_str("");
	if (!d || d->unhashed || d->inode != &gi->i || !d->parent || !d->parent->inode ||
	    d->parent->inode->sb != gi->i.sb || !gofer_owns(d->parent->inode))
		return;
	q->dir = gofer_i(d->parent->inode)->node;
	q->name = gofer_str(d->name);
}

/* ---- several at once ---- */

/* Programs that read one file after another of a directory that is ours alone get descriptors of
 * the next ones with that of the first: of files that have been looked up, in the listing's
 * order, for each one wanted so far at most OPENS_PER_WANTED that are not. */

#define OPENS_LOOK_AT 256	/* entries passed over for one request */
#define OPENS_PER_WANTED 4

/* How many more may come along with a file of dir. */
static uint32_t opens_room(struct gofer_inode *dir)
{
	struct gofer_inode *up = gofer_inode_find(gofer_s(&dir->i), dir->dir);
	uint32_t most, unused = dir->opens.brought - dir->opens.used;

	dir->opens.wanted++;
	most = OPENS_PER_WANTED * (dir->opens.wanted + dir->opens.used);
	if (dir->opens.wanted == 1 && !(up && up->opens.below))
		most = 0;
	if (up)
		up->opens.below = true;
	if (most > gofer_c(&dir->i)->max_fds / 4)
		most = gofer_c(&dir->i)->max_fds / 4;
	if (unused >= most)
		return 0;
	return most - unused < GOFER_OPENS_MAX - 1 ? most - unused : GOFER_OPENS_MAX - 1;
}

/* After the entry of gi, if it is not far from where the last request ended. */
static void opens_seek(struct gofer_inode *dir, const struct gofer_inode *gi)
{
	const struct gofer_listing *l = dir->listing;

	for (uint32_t n = 0, at = dir->opens.at; n < OPENS_LOOK_AT && n < l->count; n++, at++) {
		const struct gofer_entry *e;

		at = at < l->count ? at : 0;
		e = (const void *)(l->data + l->off[at]);
		if (e->ino == gi->key.ino) {
			dir->opens.at = at + 1;
			return;
		}
	}
}

/* Which others come along with gi, which is to be read: their number, none twice, counted. */
static unsigned opens_choose(struct gofer_inode *gi, struct gofer_inode **also)
{
	struct gofer_sb *g = gofer_s(&gi->i);
	struct gofer_inode *dir = g->shared ? NULL : gofer_inode_find(g, gi->dir);
	uint32_t want = dir && dir->listing ? opens_room(dir) : 0, n = 0;

	if (!want)
		return 0;
	opens_seek(dir, gi);
	for (uint32_t k = 0; k < OPENS_LOOK_AT && k < dir->listing->count && n < want; k++) {
		const struct gofer_listing *l = dir->listing;
		const struct gofer_entry *e;
		struct gofer_inode *o;

		dir->opens.at = dir->opens.at < l->count ? dir->opens.at : 0;
		e = (const void *)(l->data + l->off[dir->opens.at++]);
		o = e->type == LX_DT_REG
			    ? gofer_inode_find(g, (struct gofer_key){ gi->key.dev, e->ino })
			    : NULL;
		if (!o || o == gi || o->ro || o->rw || !LX_S_ISREG(o->i.mode))
			continue;
		for (uint32_t j = 0; o && j < n; j++)
			o = o == also[j] ? NULL : o; /* by two names */
		if (o) {
			inode_get(&o->i);
			also[n++] = o;
		}
	}
	dir->opens.brought += n;
	return n;
}

/* As fetch(), for reading; those of also[0, n) come along, as far as they can be had. */
static int fetch_many(struct gofer_inode *gi, struct gofer_inode **also, unsigned n)
{
	struct gofer_conn *c = gofer_c(&gi->i);
	uint32_t ids[GOFER_OPENS_MAX] = { gi->node };
	struct gofer_opens_req q = { n + 1, { (const uint8_t *)ids,
					      (n + 1) * (uint32_t)sizeof(ids[0]) } };
	struct gofer_opens_rep p;
	unsigned k = 0;
	int fd, err;

	for (unsigned i = 0; i < n; i++)
		ids[i + 1] = also[i]->node;
	evict(c, c->max_fds > n ? c->max_fds - n - 1 : 0);
	err = gofer_call_opens(c, &q, &p, &fd);
	if (!err && fd < 0)
		err = -LX_EIO;
	if (err)
		return err;
	for (unsigned i = 0; i < n; i++) {
		if (!(p.opened & 2u << i) || k == c->more.n)
			continue;
		if (install(also[i], &also[i]->ro, c->more.fd[k++], true, false) == 0)
			also[i]->ro->ahead = true;
	}
	/* From a gofer that cannot count. */
	while (k < c->more.n)
		gofer_host_close(c->more.fd[k++]);
	c->more.n = 0;
	err = install(gi, &gi->ro, fd, true, false);
	if (!err)
		gofer_apply_attr(gi, &p.attr);
	return err;
}

/* Ask the gofer for a descriptor and put it into the cache. */
static int fetch(struct gofer_inode *gi, struct gofer_fd **slot, uint32_t access,
		 const struct path *path)
{
	struct gofer_conn *c = gofer_c(&gi->i);
	struct gofer_open_req q = { .node = gi->node, .access = access };
	struct gofer_inode *also[GOFER_OPENS_MAX];
	struct gofer_open_rep p;
	int fd, err;
	unsigned n = access == GOFER_OPEN_READ && slot == &gi->ro ? opens_choose(gi, also) : 0;

	if (n) {
		err = fetch_many(gi, also, n);
		while (n)
			inode_put(&also[--n]->i);
		if (!err)
			return 0; /* else: what it fails for, the one request will tell */
	}
	set_hint(gi, path, &q);
	evict(c, c->max_fds ? c->max_fds - 1 : 0);
	err = gofer_call_open(c, &q, &p, &fd);
	if (err == -LX_ENFILE) {
		/* Perhaps it is us who have too many. */
		evict(c, c->nfds / 2);
		err = gofer_call_open(c, &q, &p, &fd);
	}
	if (err)
		return err;
	if (fd < 0)
		return -LX_EIO;
	err = install(gi, slot, fd, access != GOFER_OPEN_WRITE, access != GOFER_OPEN_READ);
	if (!err)
		gofer_apply_attr(gi, &p.attr);
	return err;
}

static void was_wanted(struct gofer_inode *gi, struct gofer_fd *d)
{
	struct gofer_inode *dir = gofer_inode_find(gofer_s(&gi->i), gi->dir);

	d->ahead = false;
	if (dir)
		dir->opens.used++;
}

int gofer_fd_use(struct gofer_inode *gi, uint32_t fmode, const struct path *path,
		 struct gofer_fd **out)
{
	bool want_read = (fmode & FMODE_READ) || !(fmode & FMODE_WRITE);
	int err = 0;

	if (!(fmode & FMODE_WRITE)) {
		*out = gi->rw && gi->rw->readable ? gi->rw : gi->ro;
		if (!*out)
			err = fetch(gi, &gi->ro, GOFER_OPEN_READ, path);
		if (!*out && !err)
			*out = gi->ro;
		if (*out && (*out)->ahead)
			was_wanted(gi, *out);
	} else {
		if (gofer_s(&gi->i)->readonly)
			return -LX_EROFS;
		if (!gi->rw || (want_read && !gi->rw->readable))
			err = fetch(gi, &gi->rw, GOFER_OPEN_RDWR, path);
		/* Not even the gofer may read it. */
		if (err == -LX_EACCES && !want_read)
			err = fetch(gi, &gi->rw, GOFER_OPEN_WRITE, path);
		*out = gi->rw;
	}
	if (err)
		return err;
	fd_get(*out);
	return 0;
}

int gofer_fd_readonly(struct gofer_inode *gi, const struct path *path)
{
	int err;

	if (!gi->ro) {
		err = fetch(gi, &gi->ro, GOFER_OPEN_READ, path);
		if (err)
			return err;
	}
	return gi->ro->fd;
}

int gofer_fd_writeonly(struct gofer_inode *gi, const struct path *path)
{
	int err = gi->wo ? 0 : fetch(gi, &gi->wo, GOFER_OPEN_WRITE, path);

	return err ? err : gi->wo->fd;
}

void gofer_fd_before_unlink(struct gofer_inode *gi)
{
	if (gi->rw && gi->rw->users > 0 && gi->i.nlink <= 1)
		(void)gofer_fd_readonly(gi, NULL);
}
