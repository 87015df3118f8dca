/* Path walk: from a name to a dentry, one component at a time, as Linux does it
 * (fs/namei.c): walk_parents() goes through all but the last component and
 * walk_last() takes that one, so that open and the calls that make and remove
 * names can treat it their own way. Symlinks inside a path nest on a small stack;
 * a symlink at the end starts a new round with its body as the name.
 *
 * A component found in the cache costs a hash and a compare: no allocation, no
 * copy. The first one that is missing takes the ones after it along in one
 * request when the file system can do that. */
#include <stdlib.h>

#include "sentry/cred/cred.h"
#include "sentry/fs/proc/proc.h"
#include "sentry/task/task.h"
#include "sentry/vfs/vfs_impl.h"

#define WALK_BATCH 16

static int check_start(const struct walk *w, const char *name)
{
	if (*name && !LX_S_ISDIR(w->path.dentry->inode->mode))
		return -LX_ENOTDIR;
	return 0;
}

static int start_at_fd(struct walk *w, int dfd)
{
	AUTO_PUT(file) struct file *f = NULL;
	int err = 0;

	if (dfd == LX_AT_FDCWD) {
		w->path = w->t->fs->cwd;
		path_get(&w->path);
		return 0;
	}
	f = fd_file_any(w->t, dfd, &err);
	if (!f)
		return err;
	w->path = f->path;
	path_get(&w->path);
	return 0;
}

int walk_init(struct walk *w, struct task *t, int dfd, const char *name, unsigned flags)
{
	bool scoped = flags & (WALK_BENEATH | WALK_IN_ROOT);
	int err;

	memset(w, 0, offsetof(struct walk, rest));
	w->nbufs = 0;
	w->name = name;
	w->flags = flags;
	w->t = t;
	w->k = t->k;
	w->cred = t->cred;
	w->root = t->fs->root;
	if (!*name && !(flags & WALK_EMPTY))
		return -LX_ENOENT;
	if (*name == '/' && !scoped) {
		w->path = w->root;
		path_get(&w->path);
		return 0;
	}
	if (*name == '/' && (flags & WALK_BENEATH))
		return -LX_EXDEV;
	err = start_at_fd(w, dfd);
	if (err)
		return err;
	if (scoped) {
		w->root_hold = w->path;
		path_get(&w->root_hold);
		w->root = w->root_hold;
	}
	return check_start(w, name);
}

void walk_init_at(struct walk *w, struct kernel *k, const struct path *start, const char *name,
		  unsigned flags)
{
	memset(w, 0, offsetof(struct walk, rest));
	w->nbufs = 0;
	w->name = name;
	w->flags = flags;
	w->k = k;
	w->root = (struct path){ k->mnt->root, k->mnt->root->root };
	w->path = *name == '/' ? w->root : *start;
	path_get(&w->path);
}

void walk_fini(struct walk *w)
{
	for (unsigned i = 0; i < w->nbufs; i++)
		free(w->bufs[i]);
	w->nbufs = 0;
	path_put(&w->path);
	path_put(&w->root_hold);
}

/* ---- one component ---- */

/* Put the result of a lookup into the cache; takes over the inode's reference. */
static struct dentry *enter(struct dentry *parent, const char *name, unsigned len, uint32_t hash,
			    struct inode *inode)
{
	struct dentry *d = dentry_new(parent, name, len, hash, inode);

	inode_put(inode);
	if (d)
		d->valid_at = parent->inode->sb->k->ctxt;
	if (d && !parent->unhashed)
		dcache_insert(d);
	return d;
}

static bool is_dots(const char *name, unsigned len)
{
	return name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.'));
}

/* Split what follows into names for a batched walk. buf holds them, terminated. */
static unsigned batch_names(const char *name, unsigned len, char buf[LX_PATH_MAX],
			    const char *names[WALK_BATCH])
{
	size_t used = 0;
	unsigned n = 0;

	while (n < WALK_BATCH && len && len <= LX_NAME_MAX && used + len + 1 <= LX_PATH_MAX) {
		if (n && is_dots(name, len))
			break;
		names[n++] = memcpy(buf + used, name, len);
		buf[used + len] = '\0';
		used += len + 1;
		name += len;
		while (*name == '/')
			name++;
		len = (unsigned)(strchrnul(name, '/') - name);
	}
	return n;
}

/* What a batched walk from `at` found, and the name it missed, into the cache. *first (may
 * be NULL): the first one found, counted, or NULL. */
static void enter_found(struct dentry *at, const struct chain_walk *w, struct dentry **first)
{
	dentry_get(at);
	if (first)
		*first = NULL;
	for (unsigned i = 0; i < w->count; i++) {
		unsigned len = (unsigned)strlen(w->names[i]);
		struct dentry *d = NULL;

		if (at)
			d = enter(at, w->names[i], len, name_hash(w->names[i], len), w->found[i]);
		else
			inode_put(w->found[i]);
		if (i == 0 && first && d) {
			dentry_get(d);
			*first = d;
		}
		if (at)
			dentry_put(at);
		at = d;
	}
	if (at && w->count < w->n && w->err == -LX_ENOENT && LX_S_ISDIR(at->inode->mode)) {
		unsigned len = (unsigned)strlen(w->names[w->count]);

		dcache_add_negative(at, w->names[w->count], len,
				    name_hash(w->names[w->count], len));
	}
	if (at)
		dentry_put(at);
}

/* Several components in one request; all that is found goes into the cache. *out is the
 * first one. 1: nothing was said about the first one. */
static int lookup_batched(struct dentry *parent, const char *name, unsigned len,
			  struct dentry **out)
{
	const char *names[WALK_BATCH];
	struct inode *found[WALK_BATCH];
	char buf[LX_PATH_MAX];
	struct chain_walk w = { names, batch_names(name, len, buf, names), found, 0, 0 };

	if (w.n < 2)
		return 1;
	w.err = parent->inode->ops->walk(parent->inode, names, w.n, found, &w.count);
	enter_found(parent, &w, out);
	if (w.count == 0)
		return w.err ? w.err : 1;
	return *out ? 0 : -LX_ENOMEM;
}

/* The cached entries that the path *rest leads through below d, as far as the file system
 * can be asked about them together; chain[0] is d, the others are counted. *rest: the name
 * after them if the cache does not know it, else "". */
static unsigned cached_chain(struct dentry *d, const char **rest, struct dentry *chain[WALK_BATCH])
{
	const char *p = *rest;
	unsigned n = 1;

	chain[0] = d;
	*rest = "";
	while (n < WALK_BATCH && LX_S_ISDIR(chain[n - 1]->inode->mode)) {
		uint32_t hash = NAME_HASH_INIT;
		const char *name;
		struct dentry *next;
		unsigned len;

		while (*p == '/')
			p++;
		for (name = p; *p && *p != '/'; p++)
			hash = name_hash_step(hash, (unsigned char)*p);
		len = (unsigned)(p - name);
		if (len == 0 || is_dots(name, len))
			break;
		next = dcache_find(chain[n - 1], name, len, hash);
		if (next && next->inode && !next->nmounts && next->inode->sb == d->inode->sb) {
			chain[n++] = next;
			continue;
		}
		if (next && !next->inode) {
			dcache_remove(next); /* an earlier call missed it */
			dentry_put(take(&next));
		}
		if (next)
			dentry_put(next);
		else
			*rest = name;
		break;
	}
	return n;
}

/* One request for d and what comes after it. */
static bool chain_valid(struct dentry *d, const char *rest)
{
	uint64_t now = d->inode->sb->k->ctxt;
	struct dentry *chain[WALK_BATCH];
	const char *names[WALK_BATCH];
	struct inode *found[WALK_BATCH];
	char buf[LX_PATH_MAX];
	const struct inode_ops *ops = d->inode->ops;
	struct chain_walk w = { names, 0, found, 0, 0 };
	unsigned n, good;

	if (d->valid_at == now)
		return true;
	n = cached_chain(d, &rest, chain);
	if (*rest && ops->revalidate_walk)
		w.n = batch_names(rest, (unsigned)(strchrnul(rest, '/') - rest), buf, names);
	good = w.n ? ops->revalidate_walk(chain, n, &w) : ops->revalidate_chain(chain, n);
	if (good == n)
		enter_found(chain[n - 1], &w, NULL);
	for (unsigned i = 0; i < n; i++) {
		if (i < good)
			chain[i]->valid_at = now;
		if (i)
			dentry_put(chain[i]);
	}
	return good > 0;
}

/* Is the cached d still true? rest: the path from there on. */
static bool still_valid(struct dentry *d, const char *rest)
{
	const struct inode *dir = d->parent->inode;
	const struct inode_ops *ops = d->inode ? d->inode->ops : NULL;
	bool valid = true;

	if (d->nmounts)
		return true;
	if (!ops)
		valid = !dir->ops->revalidate_chain || d->valid_at == dir->sb->k->ctxt;
	else if (ops->revalidate_chain)
		valid = chain_valid(d, rest);
	else if (ops->revalidate)
		valid = ops->revalidate(d);
	if (!valid)
		dcache_remove(d);
	return valid;
}

static bool is_cached(const struct lookup_more *m, struct dentry *parent, const char *name,
		      unsigned len)
{
	(void)m;
	return dcache_has(parent, name, len, name_hash(name, len));
}

static struct dentry *enter_more(const struct lookup_more *m, struct dentry *parent,
				 const char *name, unsigned len, struct inode *i)
{
	(void)m;
	return enter(parent, name, len, name_hash(name, len), i);
}

/* The file system has the last word on every name (proc): keep the entry only when it
 * is still the same object. */
static int lookup_uncached(struct dentry *parent, const char *name, unsigned len, uint32_t hash,
			   struct dentry *old, struct dentry **out)
{
	struct lookup_more more = { .cached = is_cached, .enter = enter_more, .parent = parent,
				    .up = parent->parent ? parent->parent->inode : NULL };
	struct inode *dir = parent->inode, *inode = NULL;
	char tmp[LX_NAME_MAX + 1];
	int err;

	memcpy(tmp, name, len);
	tmp[len] = '\0';
	err = dir->ops->lookup_ahead && !old
		      ? dir->ops->lookup_ahead(dir, tmp, &inode, &more)
		      : dir->ops->lookup(dir, tmp, &inode);
	if (!err && old && old->inode == inode) {
		inode_put(inode);
		*out = old;
		return 0;
	}
	if (old) {
		dcache_remove(old);
		dentry_put(old);
	}
	if (err) {
		if (err == -LX_ENOENT)
			dcache_add_negative(parent, name, len, hash);
		return err;
	}
	if (more.first) {
		inode_put(inode);
		*out = more.first;
		return 0;
	}
	*out = enter(parent, name, len, hash, inode);
	return *out ? 0 : -LX_ENOMEM;
}

int dentry_lookup(struct dentry *parent, const char *name, unsigned len, uint32_t hash,
		  struct dentry **out)
{
	struct inode *dir = parent->inode;
	struct dentry *d;
	int err;

	if (len > LX_NAME_MAX)
		return -LX_ENAMETOOLONG;
	d = dcache_find(parent, name, len, hash);
	if (d && dir->sb->no_dcache && !d->nmounts)
		return lookup_uncached(parent, name, len, hash, d, out);
	if (d && still_valid(d, name + len)) {
		if (d->inode) {
			*out = d;
			return 0;
		}
		dentry_put(d);
		return -LX_ENOENT;
	}
	if (d)
		dentry_put(d);
	if (!dir->ops->lookup)
		return -LX_ENOTDIR;
	if (dir->ops->walk && !dir->sb->no_dcache) {
		err = lookup_batched(parent, name, len, out);
		if (err <= 0)
			return err;
	}
	return lookup_uncached(parent, name, len, hash, NULL, out);
}

int walk_lookup_last(struct walk *w, struct dentry **out)
{
	struct superblock *sb = w->path.dentry->inode->sb;
	int err;

	sb->opening = w->flags & WALK_OPEN;
	err = dentry_lookup(w->path.dentry, w->last, w->last_len, w->last_hash, out);
	sb->opening = false;
	return err;
}

void walk_last_name(const struct walk *w, char name[LX_NAME_MAX + 1])
{
	unsigned len = w->last_len > LX_NAME_MAX ? LX_NAME_MAX : w->last_len;

	memcpy(name, w->last, len);
	name[len] = '\0';
}

/* ---- symlinks ---- */

static int jump_to_root(struct walk *w)
{
	struct path next = w->root;

	if (w->flags & WALK_BENEATH)
		return -LX_EXDEV;
	if ((w->flags & WALK_NO_XDEV) && w->path.mnt != w->root.mnt)
		return -LX_EXDEV;
	path_get(&next);
	path_put(&w->path);
	w->path = next;
	return 0;
}

static int magic_jump(struct walk *w, struct inode *i)
{
	struct path next = { NULL, NULL };
	int err;

	if (w->flags & WALK_NO_MAGIC)
		return -LX_ELOOP;
	err = i->ops->get_link(i, w->t, &next);
	if (err)
		return err;
	if ((w->flags & (WALK_BENEATH | WALK_IN_ROOT)) ||
	    ((w->flags & WALK_NO_XDEV) && next.mnt != w->path.mnt)) {
		path_put(&next);
		return -LX_EXDEV;
	}
	path_put(&w->path);
	w->path = next;
	return 0;
}

/* Somebody else's link in a directory like /tmp is not to be followed at the end of a path
 * (fs.protected_symlinks). */
static bool untrusted_link(const struct walk *w, const struct inode *link)
{
	const struct inode *dir = w->path.dentry->inode;

	return w->at_end && w->cred && w->cred->fsuid != link->uid && dir->uid != link->uid &&
	       (dir->mode & (LX_S_ISVTX | LX_S_IWOTH)) == (LX_S_ISVTX | LX_S_IWOTH) &&
	       sysctl_get(w->k, SYSCTL_PROTECTED_SYMLINKS);
}

/* Follow the symlink i that lies in the directory w->path. 0: we are there already;
 * 1: *body is to be walked next. */
static int follow_link(struct walk *w, struct inode *i, const char **body)
{
	char buf[LX_PATH_MAX];
	char *copy;
	int len, err;

	if (w->nlinks++ >= VFS_MAX_LINKS || (w->flags & WALK_NO_SYMLINKS))
		return -LX_ELOOP;
	if (untrusted_link(w, i))
		return -LX_EACCES;
	if (i->ops->get_link)
		return magic_jump(w, i);
	if (!i->ops->readlink)
		return -LX_EINVAL;
	len = i->ops->readlink(i, buf, sizeof(buf));
	if (len < 0)
		return len;
	if (len >= LX_PATH_MAX)
		return -LX_ENAMETOOLONG;
	if (len == 0)
		return -LX_ENOENT;
	copy = malloc((size_t)len + 1);
	if (!copy)
		return -LX_ENOMEM;
	memcpy(copy, buf, (size_t)len);
	copy[len] = '\0';
	w->bufs[w->nbufs++] = copy;
	*body = copy;
	if (*copy != '/')
		return 1;
	err = jump_to_root(w);
	if (err)
		return err;
	while (**body == '/')
		(*body)++;
	return **body ? 1 : 0;
}

/* As walk_step_into, with the symlink's body handed back. */
static int step_into(struct walk *w, struct dentry *d, bool follow, bool cross, const char **body)
{
	struct path next = { w->path.mnt, d };

	mount_get(next.mnt);
	if (cross && d->nmounts) {
		path_cross_mounts(&next);
		if ((w->flags & WALK_NO_XDEV) && next.mnt != w->path.mnt) {
			path_put(&next);
			return -LX_EXDEV;
		}
	}
	if (follow && LX_S_ISLNK(next.dentry->inode->mode)) {
		int r = next.mnt->flags & MNT_NOSYMFOLLOW
				? -LX_ELOOP
				: follow_link(w, next.dentry->inode, body);

		path_put(&next);
		return r;
	}
	path_put(&w->path);
	w->path = next;
	return 0;
}

int walk_step_into(struct walk *w, struct dentry *d, bool trailing)
{
	const char *body = NULL;
	int r;

	w->at_end = trailing;
	r = step_into(w, d, !trailing || (w->flags & WALK_FOLLOW),
			  !trailing || !(w->flags & WALK_NO_MOUNT), &body);

	if (r == 1)
		w->name = body;
	return r;
}

static int go_dotdot(struct walk *w)
{
	struct path next;

	if (path_equal(&w->path, &w->root))
		return w->flags & WALK_BENEATH ? -LX_EXDEV : 0;
	if (w->path.dentry == w->path.mnt->root) {
		struct path up;

		if (!path_leave_mount(&w->path, &w->root, &up))
			return w->flags & WALK_BENEATH ? -LX_EXDEV : 0;
		if (w->flags & WALK_NO_XDEV) {
			path_put(&up);
			return -LX_EXDEV;
		}
		path_put(&w->path);
		w->path = up;
	}
	if (!w->path.dentry->parent)
		return 0;
	next = (struct path){ w->path.mnt, w->path.dentry->parent };
	path_get(&next);
	path_cross_mounts(&next);
	if ((w->flags & WALK_NO_XDEV) && next.mnt != w->path.mnt) {
		path_put(&next);
		return -LX_EXDEV;
	}
	path_put(&w->path);
	w->path = next;
	return 0;
}

/* The component in w->last*. 1: *body is to be walked next. */
static int walk_component(struct walk *w, bool follow, bool cross, const char **body)
{
	struct dentry *d;
	int err;

	if (w->last_type == LAST_DOTDOT)
		return go_dotdot(w);
	if (w->last_type != LAST_NORM)
		return 0;
	err = walk_lookup_last(w, &d);
	if (err)
		return err;
	return step_into(w, d, follow, cross, body);
}

/* ---- the walk ---- */

/* Cut the next component off name; returns what follows it (at '/' or NUL). */
static const char *next_component(struct walk *w, const char *name)
{
	uint32_t h = NAME_HASH_INIT;
	const char *p = name;

	for (; *p && *p != '/'; p++)
		h = name_hash_step(h, (unsigned char)*p);
	w->last = name;
	w->last_len = (unsigned)(p - name);
	w->last_hash = h;
	w->last_type = LAST_NORM;
	if (name[0] == '.') {
		if (w->last_len == 1)
			w->last_type = LAST_DOT;
		else if (w->last_len == 2 && name[1] == '.')
			w->last_type = LAST_DOTDOT;
	}
	return p;
}

int walk_parents(struct walk *w)
{
	const char *name = w->name;
	const char *body = NULL;
	int r;

	w->depth = 0;
	w->at_end = false;
	w->last_type = LAST_ROOT;
	w->last = "";
	w->last_len = 0;
	while (*name == '/')
		name++;
	if (!*name)
		return 0;
	for (;;) {
		struct inode *dir = w->path.dentry->inode;
		const char *after;

		if (!LX_S_ISDIR(dir->mode))
			return -LX_ENOTDIR;
		r = w->cred ? inode_permission(w->cred, dir, MAY_EXEC) : 0;
		if (r)
			return r;
		after = next_component(w, name);
		while (*after == '/')
			after++;
		if (!*after) {
			if (w->depth == 0)
				return 0;
			after = w->rest[--w->depth];
		}
		r = walk_component(w, true, true, &body);
		if (r < 0)
			return r;
		name = after;
		if (r == 1) {
			w->rest[w->depth++] = after;
			name = body;
		}
	}
}

int walk_last(struct walk *w)
{
	const char *body = NULL;
	int r;

	if (walk_trailing_slash(w))
		w->flags |= WALK_FOLLOW | WALK_DIRECTORY;
	w->at_end = true;
	r = walk_component(w, w->flags & WALK_FOLLOW, !(w->flags & WALK_NO_MOUNT), &body);
	if (r == 1)
		w->name = body;
	return r;
}

int walk_all(struct walk *w)
{
	int r;

	do {
		r = walk_parents(w);
		if (r < 0)
			return r;
		r = walk_last(w);
	} while (r == 1);
	if (r == 0 && (w->flags & WALK_DIRECTORY) && !LX_S_ISDIR(w->path.dentry->inode->mode))
		r = -LX_ENOTDIR;
	return r;
}

/* ---- for everybody ---- */

static int finish(struct walk *w, int r, struct path *out)
{
	if (!r) {
		*out = w->path;
		w->path = (struct path){ NULL, NULL };
	}
	walk_fini(w);
	return r;
}

int vfs_lookup(struct task *t, int dfd, const char *name, unsigned walk, struct path *out)
{
	struct walk w;
	int r = walk_init(&w, t, dfd, name, walk);

	if (!r)
		r = walk & WALK_PARENT ? walk_parents(&w) : walk_all(&w);
	return finish(&w, r, out);
}

int vfs_lookup_at(struct kernel *k, const struct path *start, const char *name, unsigned walk,
		  struct path *out)
{
	struct walk w;
	int r;

	walk_init_at(&w, k, start, name, walk);
	r = walk & WALK_PARENT ? walk_parents(&w) : walk_all(&w);
	return finish(&w, r, out);
}

int vfs_lookup_parent(struct task *t, int dfd, const char *name, unsigned walk,
		      struct path *out, char **last_buf, bool *trailing_slash)
{
	struct walk w;
	int r = walk_init(&w, t, dfd, name, walk);

	*last_buf = NULL;
	if (!r)
		r = walk_parents(&w);
	if (!r) {
		*last_buf = w.last_type == LAST_ROOT ? strdup("/") : strndup(w.last, w.last_len);
		*trailing_slash = walk_trailing_slash(&w);
		if (!*last_buf)
			r = -LX_ENOMEM;
	}
	return finish(&w, r, out);
}
