/* Names: finding, making, renaming and removing them. Each change is one request, whose
 * reply brings the attributes of everything it touched. */
#include <stdlib.h>

#include "sentry/fs/gofer/gofer_impl.h"
#include "sentry/fs/gofer/watch.h"
#include "syscalls/abi/lx_fcntl.h"
#include "syscalls/abi/lx_stat.h"

/* Room for the names of one walk: VFS paths are at most PATH_MAX. */
#define WALK_NAMES_SIZE (LX_PATH_MAX + 8 * GOFER_WALK_MAX)

/* What a request that makes name in dir has come to: err, else the new attributes a of dir, and
 * of the name's file, which the listing is told of. */
static int made(struct inode *dir, const char *name, int err, const struct gofer_attr *a,
		const struct gofer_attr *file)
{
	if (err) {
		gofer_listing_drop(gofer_i(dir)); /* who knows */
		return err;
	}
	gofer_apply_attr(gofer_i(dir), a);
	gofer_listing_made(gofer_i(dir), name, file->mode, file->ino);
	return 0;
}

/* The events that a new name makes. */
#define MAKES (LX_IN_CREATE | LX_IN_ATTRIB | LX_IN_CLOSE_WRITE)

static int check_writable(const struct inode *dir)
{
	return gofer_s(dir)->readonly ? -LX_EROFS : 0;
}

/* ---- finding ---- */

/* The count walked records at dec, from dir on, as inodes into out. 0 or -LX_E…; the nodes that could not
 * be used are let go of. */
static int take_walked(struct gofer_inode *dir, struct gofer_dec *dec, uint32_t count,
		       struct inode **out, unsigned *got)
{
	struct gofer_walked w[GOFER_WALK_MAX];
	struct gofer_sb *g = gofer_s(&dir->i);
	int err = 0;

	for (unsigned i = 0; i < count; i++)
		gofer_get_walked(dec, &w[i]);
	if (!gofer_dec_done(dec))
		return -LX_EIO;
	for (unsigned i = 0; i < count; i++) {
		if (!err)
			err = gofer_inode_get(g, w[i].node, &w[i].attr, &out[i]);
		else
			gofer_forget(g->c, w[i].node, 0);
		if (err)
			continue;
		gofer_i(out[i])->dir = i ? gofer_i(out[i - 1])->key : dir->key;
		(*got)++;
	}
	return err;
}

/* A descriptor for reading i (NULL: the walk has not come that far) that came with a walk. */
static void take_opened(struct inode *i, int fd)
{
	if (fd >= 0 && i && LX_S_ISREG(i->mode) && !gofer_i(i)->ro)
		gofer_fd_keep(gofer_i(i), fd);
	else if (fd >= 0)
		gofer_host_close(fd);
}

/* One WALK request: referenced inodes in out[0, *count). -LX_ENFILE: try again after
 * gofer_relieve(). */
static int walk_once(struct inode *dir, const char *const *names, unsigned n,
		     struct inode **out, unsigned *count)
{
	struct gofer_sb *g = gofer_s(dir);
	uint8_t buf[WALK_NAMES_SIZE];
	struct gofer_enc e = { buf, buf + sizeof(buf), false };
	struct gofer_walk_req q = { .dir = gofer_i(dir)->node, .open = dir->sb->opening };
	struct gofer_walk_rep p;
	struct gofer_dec d;
	int err, fd;

	*count = 0;
	for (; q.count < n && q.count < GOFER_WALK_MAX; q.count++) {
		struct gofer_name name = { gofer_str(names[q.count]) };
		uint8_t *start = e.p;

		gofer_put_name(&e, &name);
		if (e.bad) {
			e.p = start;
			break;
		}
	}
	q.names = (struct gofer_bytes){ buf, (uint32_t)(e.p - buf) };
	err = gofer_call_walk(g->c, &q, &p, &fd);
	if (err == -LX_ENFILE && q.open) {
		q.open = 0; /* the open itself will say so, if it must */
		err = gofer_call_walk(g->c, &q, &p, &fd);
	}
	if (!err && (p.count > q.count || p.stop > 0 || p.stop < -4095))
		err = -LX_EIO;
	if (!err) {
		d = (struct gofer_dec){ p.entries.p, p.entries.p + p.entries.len, false };
		err = take_walked(gofer_i(dir), &d, p.count, out, count);
	}
	take_opened(!err && *count == n ? out[n - 1] : NULL, fd);
	if (err)
		return err;
	return p.stop == -LX_EMFILE ? -LX_ENFILE : p.stop;
}

int gofer_walk(struct inode *dir, const char *const *names, unsigned n, struct inode **out,
	       unsigned *count)
{
	int err;

	*count = 0;
	if (gofer_listing_misses(gofer_i(dir), names[0]))
		return -LX_ENOENT;
	err = walk_once(dir, names, n, out, count);
	if (err == -LX_ENFILE && *count == 0) {
		gofer_relieve(gofer_c(dir));
		err = walk_once(dir, names, n, out, count);
	}
	return err;
}

int gofer_lookup(struct inode *dir, const char *name, struct inode **out)
{
	unsigned count;
	int err = gofer_walk(dir, &name, 1, out, &count);

	if (count == 1)
		return 0;
	return err ? err : -LX_ENOENT;
}

/* The request about d[0, n) and w (may be NULL), whose names go into buf. */
static void put_chain(struct gofer_revalidate_req *q, uint8_t *buf, size_t size,
		      struct dentry *const *d, unsigned n, const struct chain_walk *w)
{
	struct gofer_enc e = { buf, buf + size, false };

	*q = (struct gofer_revalidate_req){ .dir = gofer_i(d[0]->parent->inode)->node };
	for (; q->count < n && q->count < GOFER_WALK_MAX; q->count++) {
		struct gofer_check c = { gofer_i(d[q->count]->inode)->node,
					 gofer_str(d[q->count]->name) };
		uint8_t *start = e.p;

		gofer_put_check(&e, &c);
		if (e.bad) {
			e.p = start;
			break;
		}
	}
	for (; w && q->count == n && q->nnames < w->n; q->nnames++) {
		struct gofer_name name = { gofer_str(w->names[q->nnames]) };
		uint8_t *start = e.p;

		gofer_put_name(&e, &name);
		if (e.bad) {
			e.p = start;
			break;
		}
	}
	q->checks = (struct gofer_bytes){ buf, (uint32_t)(e.p - buf) };
}

/* Is whoever asks about d[0, n) and w, which q is about, going to open a file for reading that
 * none of our descriptors is of? */
static bool may_open(const struct gofer_revalidate_req *q, struct dentry *const *d, unsigned n,
		     const struct chain_walk *w)
{
	const struct gofer_inode *last = gofer_i(d[n - 1]->inode);

	if (!last->i.sb->opening || q->count != n || (w && q->nnames != w->n))
		return false;
	return q->nnames || (LX_S_ISREG(last->i.mode) && !last->ro && !last->rw);
}

/* The attributes of d[0, n): how many of them are still the same files. */
static unsigned take_checked(struct dentry *const *d, unsigned n, struct gofer_dec *dec)
{
	for (unsigned good = 0; good < n; good++) {
		struct gofer_inode *gi = gofer_i(d[good]->inode);
		struct gofer_attr a;

		gofer_get_attr(dec, &a);
		if (dec->bad || a.dev != gi->key.dev || a.ino != gi->key.ino ||
		    ((a.mode ^ gi->i.mode) & LX_S_IFMT))
			return good;
		gofer_apply_attr(gi, &a);
	}
	return n;
}

/* Shared mode: do the names still lead to the same files? One request, which brings the
 * attributes too, and what comes after them. */
unsigned gofer_revalidate_walk(struct dentry *const *d, unsigned n, struct chain_walk *w)
{
	const struct inode *dir = d[0]->parent ? d[0]->parent->inode : NULL;
	struct gofer_sb *g = gofer_s(d[0]->inode);
	uint8_t buf[WALK_NAMES_SIZE];
	struct gofer_revalidate_req q;
	struct gofer_revalidate_rep p;
	struct gofer_dec dec;
	unsigned good;
	int err, fd;

	if (!dir || !gofer_owns(dir) || dir->sb != d[0]->inode->sb)
		return n;
	put_chain(&q, buf, sizeof(buf), d, n, w);
	q.open = may_open(&q, d, n, w);
	err = gofer_call_revalidate(g->c, &q, &p, &fd);
	if (err == -LX_ENFILE && q.open) {
		q.open = 0;
		err = gofer_call_revalidate(g->c, &q, &p, &fd);
	}
	if (err || p.count > q.count || p.nwalked > q.nnames || (p.nwalked && p.count != q.count)) {
		take_opened(NULL, fd);
		return 0;
	}
	dec = (struct gofer_dec){ p.attrs.p, p.attrs.p + p.attrs.len, false };
	good = take_checked(d, p.count, &dec);
	if (w && q.nnames && good == n) {
		w->err = take_walked(gofer_i(d[n - 1]->inode), &dec, p.nwalked, w->found,
				     &w->count);
		/* Other errors than this one are for the lookup that follows. */
		if (!w->err && w->count == p.nwalked && p.stop == -LX_ENOENT)
			w->err = -LX_ENOENT;
	}
	if (good != n || (q.nnames && w->count != q.nnames))
		take_opened(NULL, fd);
	else
		take_opened(q.nnames ? w->found[w->count - 1] : d[n - 1]->inode, fd);
	return good;
}

unsigned gofer_revalidate(struct dentry *const *d, unsigned n)
{
	return gofer_revalidate_walk(d, n, NULL);
}

int gofer_readlink(struct inode *i, char *buf, size_t size)
{
	struct gofer_inode *gi = gofer_i(i);
	size_t len;

	if (!gi->target) {
		struct gofer_readlink_req q = { .node = gi->node };
		struct gofer_readlink_rep p;
		int err = gofer_call_readlink(gofer_c(i), &q, &p, NULL);

		if (err)
			return err;
		gi->target = strdup(p.target.p);
		if (!gi->target)
			return -LX_ENOMEM;
	}
	len = strlen(gi->target);
	if (len > size)
		len = size;
	memcpy(buf, gi->target, len);
	return (int)len;
}

/* ---- making ---- */

static int create(struct inode *dir, const char *name, uint32_t mode, uint32_t uid, uint32_t gid,
		  uint32_t flags, struct inode **out)
{
	struct gofer_create_req q = { gofer_i(dir)->node, gofer_str(name), mode & LX_S_IALLUGO,
				      MODE_UMASK(mode), uid, gid, flags };
	struct gofer_create_rep p;
	int fd, err = check_writable(dir);

	if (err)
		return err;
	gofer_watch_before(gofer_c(dir));
	err = gofer_call_create(gofer_c(dir), &q, &p, &fd);
	gofer_watch_after(gofer_c(dir), MAKES, name, NULL);
	if (flags & GOFER_CREATE_TMPFILE) {
		if (!err)
			gofer_apply_attr(gofer_i(dir), &p.dir);
	} else {
		err = made(dir, name, err, &p.dir, &p.attr);
	}
	if (err)
		return err;
	err = gofer_inode_get(gofer_s(dir), p.node, &p.attr, out);
	if (fd >= 0) {
		if (err)
			gofer_host_close(fd);
		else
			(void)gofer_fd_install(gofer_i(*out), fd, true, true);
	}
	return err;
}

int gofer_create(struct inode *dir, const char *name, uint32_t mode, uint32_t uid, uint32_t gid,
		 struct inode **out)
{
	return create(dir, name, mode, uid, gid, 0, out);
}

int gofer_tmpfile(struct inode *dir, uint32_t mode, uint32_t uid, uint32_t gid,
		  struct inode **out)
{
	return create(dir, "", mode, uid, gid, GOFER_CREATE_TMPFILE, out);
}

int gofer_filestore_new(struct inode *dir)
{
	struct gofer_create_req q = { gofer_i(dir)->node, gofer_str(""), 0600, 0, 0, 0,
				      GOFER_CREATE_TMPFILE };
	struct gofer_create_rep p;
	int fd, err = gofer_call_create(gofer_c(dir), &q, &p, &fd);

	if (err)
		return err;
	gofer_forget(gofer_c(dir), p.node, 0);
	return fd >= 0 ? fd : -LX_ENFILE;
}

int gofer_mkdir(struct inode *dir, const char *name, uint32_t mode, uint32_t uid, uint32_t gid,
		struct inode **out)
{
	struct gofer_mkdir_req q = { gofer_i(dir)->node, gofer_str(name), mode & LX_S_IALLUGO,
				     MODE_UMASK(mode), uid, gid };
	struct gofer_mkdir_rep p;
	int err = check_writable(dir);

	if (err)
		return err;
	gofer_watch_before(gofer_c(dir));
	err = gofer_call_mkdir(gofer_c(dir), &q, &p, NULL);
	gofer_watch_after(gofer_c(dir), MAKES, name, NULL);
	err = made(dir, name, err, &p.dir, &p.attr);
	if (!err)
		err = gofer_inode_get(gofer_s(dir), p.node, &p.attr, out);
	if (!err && gofer_i(dir)->plain)
		gofer_listing_begin(gofer_i(*out));
	return err;
}

int gofer_mknod(struct inode *dir, const char *name, uint32_t mode, uint32_t rdev, uint32_t uid,
		uint32_t gid, struct inode **out)
{
	struct gofer_mknod_req q = { gofer_i(dir)->node, gofer_str(name),
				     mode & (LX_S_IFMT | LX_S_IALLUGO), MODE_UMASK(mode),
				     LX_MKDEV(rdev >> 20, rdev & 0xfffff), uid, gid };
	struct gofer_mknod_rep p;
	int err = check_writable(dir);

	if (err)
		return err;
	gofer_watch_before(gofer_c(dir));
	err = gofer_call_mknod(gofer_c(dir), &q, &p, NULL);
	gofer_watch_after(gofer_c(dir), MAKES, name, NULL);
	err = made(dir, name, err, &p.dir, &p.attr);
	return err ? err : gofer_inode_get(gofer_s(dir), p.node, &p.attr, out);
}

int gofer_symlink(struct inode *dir, const char *name, const char *target, uint32_t uid,
		  uint32_t gid, struct inode **out)
{
	struct gofer_symlink_req q = { gofer_i(dir)->node, gofer_str(name), gofer_str(target),
				       uid, gid };
	struct gofer_symlink_rep p;
	int err = check_writable(dir);

	if (err)
		return err;
	gofer_watch_before(gofer_c(dir));
	err = gofer_call_symlink(gofer_c(dir), &q, &p, NULL);
	gofer_watch_after(gofer_c(dir), MAKES, name, NULL);
	err = made(dir, name, err, &p.dir, &p.attr);
	return err ? err : gofer_inode_get(gofer_s(dir), p.node, &p.attr, out);
}

int gofer_link(struct inode *dir, const char *name, struct inode *target)
{
	struct gofer_link_req q = { gofer_i(target)->node, gofer_i(dir)->node, gofer_str(name) };
	struct gofer_link_rep p;
	int err = check_writable(dir);

	if (err)
		return err;
	gofer_watch_before(gofer_c(dir));
	err = gofer_call_link(gofer_c(dir), &q, &p, NULL);
	gofer_watch_after(gofer_c(dir), MAKES, name, NULL);
	err = made(dir, name, err, &p.dir, &p.attr);
	if (!err)
		gofer_apply_attr(gofer_i(target), &p.attr);
	return err;
}

/* ---- removing and renaming ---- */

static int remove_name(struct inode *dir, const char *name, struct inode *victim, bool is_dir)
{
	struct gofer_unlink_req q = { gofer_i(dir)->node, gofer_str(name), is_dir,
				      gofer_i(victim)->node };
	struct gofer_unlink_rep p;
	int err = check_writable(dir);

	if (err)
		return err;
	gofer_fd_before_unlink(gofer_i(victim));
	gofer_watch_before(gofer_c(dir));
	err = gofer_call_unlink(gofer_c(dir), &q, &p, NULL);
	gofer_watch_after(gofer_c(dir), LX_IN_DELETE | LX_IN_ATTRIB | LX_IN_DELETE_SELF, name,
			  NULL);
	if (err) {
		gofer_listing_drop(gofer_i(dir));
		return err;
	}
	gofer_apply_attr(gofer_i(dir), &p.dir);
	gofer_listing_removed(gofer_i(dir), name);
	if (p.has_attr)
		gofer_apply_attr(gofer_i(victim), &p.attr);
	return 0;
}

int gofer_unlink(struct inode *dir, const char *name, struct inode *victim)
{
	return remove_name(dir, name, victim, false);
}

int gofer_rmdir(struct inode *dir, const char *name, struct inode *victim)
{
	return remove_name(dir, name, victim, true);
}

/* Both listings after a rename, if it has succeeded. */
static void renamed(struct inode *odir, const char *oname, struct inode *src, struct inode *ndir,
		    const char *nname, struct inode *dst, uint32_t flags)
{
	/* src == dst: it has done nothing. */
	if ((flags & ~LX_RENAME_NOREPLACE) || src == dst) {
		gofer_listing_drop(gofer_i(odir));
		gofer_listing_drop(gofer_i(ndir));
		return;
	}
	gofer_listing_removed(gofer_i(odir), oname);
	if (dst)
		gofer_listing_removed(gofer_i(ndir), nname);
	gofer_listing_made(gofer_i(ndir), nname, src->mode, gofer_i(src)->key.ino);
}

int gofer_rename(struct inode *odir, const char *oname, struct inode *src, struct inode *ndir,
		 const char *nname, struct inode *dst, uint32_t flags)
{
	struct gofer_rename_req q = { gofer_i(odir)->node, gofer_str(oname), gofer_i(ndir)->node,
				      gofer_str(nname), flags, gofer_i(src)->node,
				      dst ? gofer_i(dst)->node : 0 };
	struct gofer_rename_rep p;
	int err = check_writable(odir);

	if (!err && dst && !(flags & LX_RENAME_EXCHANGE))
		gofer_fd_before_unlink(gofer_i(dst));
	if (err)
		return err;
	gofer_watch_before(gofer_c(odir));
	err = gofer_call_rename(gofer_c(odir), &q, &p, NULL);
	gofer_watch_after(gofer_c(odir),
			  LX_IN_MOVED_FROM | LX_IN_MOVED_TO | LX_IN_MOVE_SELF | LX_IN_ATTRIB |
				  LX_IN_DELETE_SELF | LX_IN_CREATE,
			  oname, nname);
	if (err) {
		gofer_listing_drop(gofer_i(odir));
		gofer_listing_drop(gofer_i(ndir));
		return err;
	}
	gofer_apply_attr(gofer_i(odir), &p.odir);
	gofer_apply_attr(gofer_i(ndir), &p.ndir);
	renamed(odir, oname, src, ndir, nname, dst, flags);
	if (p.has_src)
		gofer_apply_attr(gofer_i(src), &p.src);
	if (dst && p.has_dst)
		gofer_apply_attr(gofer_i(dst), &p.dst);
	return 0;
}
