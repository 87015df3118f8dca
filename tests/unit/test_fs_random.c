/* Random sequences of name operations, made on the host's file system and in the sandbox's
 * (tmpfs, and an overlay whose lower tree starts as a copy of the host's): every result
 * and the trees at the end must be the same. */
#include "tests/unit/vfs_world.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sentry/fs/overlay/overlay_impl.h"
#include "sentry/fs/tmpfs/tmpfs_impl.h"

static uint64_t rng;
static bool looks_ahead; /* the lower file system of an overlay does */

static unsigned rnd(unsigned n)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return (unsigned)(rng >> 33) % n;
}

/* A path of up to four components over a small alphabet, so that they meet. */
static void random_path(char *out)
{
	static const char *const names[] = { "a", "b", "c", "d", "..", "." };
	unsigned depth = 1 + rnd(4);

	out[0] = '\0';
	for (unsigned i = 0; i < depth; i++) {
		strcat(out, i ? "/" : "");
		strcat(out, names[rnd(20) ? rnd(4) : 4 + rnd(2)]);
	}
	if (rnd(30) == 0)
		strcat(out, "/");
}

/* The scratch directory is this deep, and no path has more ".." than that: nothing reaches
 * what the host's tree has above it. Symlinks have none. */
static const char deep[] = "/w/x/y/z";

static unsigned count_up(const char *p)
{
	unsigned n = 0;

	while ((p = strstr(p, "..")) != NULL) {
		n++;
		p += 2;
	}
	return n;
}

static long host(long r)
{
	return r < 0 ? -errno : r;
}

static long host_put(const char *p, int flags, const char *text)
{
	int fd = open(p, flags, 0644);
	long n;

	if (fd < 0)
		return -errno;
	n = host(write(fd, text, strlen(text)));
	close(fd);
	return n;
}

static long guest_put(const char *p, uint32_t flags, const char *text)
{
	long fd = k_open(p, flags, 0644), n;

	if (fd < 0)
		return fd;
	n = CALL(write, .fd = (int)fd, .buf = U(text), .count = strlen(text));
	k_close(fd);
	return n;
}

struct brief {
	uint32_t mode;
	long size, nlink;
};

static long host_stat(const char *p, struct brief *b)
{
	struct stat st;
	long r = host(lstat(p, &st));

	if (!r)
		*b = (struct brief){ st.st_mode, S_ISDIR(st.st_mode) ? 0 : st.st_size,
				     S_ISDIR(st.st_mode) ? 0 : (long)st.st_nlink };
	return r;
}

static long guest_stat(const char *p, struct brief *b)
{
	struct lx_stat st;
	long r = CALL(lstat, .filename = U(p), .statbuf = U(&st));

	if (!r)
		*b = (struct brief){ st.st_mode, LX_S_ISDIR(st.st_mode) ? 0 : st.st_size,
				     LX_S_ISDIR(st.st_mode) ? 0 : (long)st.st_nlink };
	return r;
}

static void check_stat(const char *p)
{
	struct brief h = { 0 }, g = { 0 };
	long hr = host_stat(p, &h), gr = guest_stat(p, &g);

	cr_assert_eq(hr, gr, "stat %s: %ld, here %ld", p, hr, gr);
	cr_assert(memcmp(&h, &g, sizeof(h)) == 0,
		  "stat %s: %o %ld %ld, here %o %ld %ld", p, h.mode, h.size, h.nlink, g.mode,
		  g.size, g.nlink);
}

static void check_tree(const char *dir, unsigned depth)
{
	static const char *const names[] = { "a", "b", "c", "d" };
	struct brief b;
	char p[256], want[64] = "";

	for (unsigned i = 0; i < 4; i++) {
		(void)snprintf(p, sizeof(p), "%s%s%s", dir, *dir ? "/" : "", names[i]);
		check_stat(p);
		if (host_stat(p, &b))
			continue;
		strcat(want, *want ? " " : "");
		strcat(want, names[i]);
		if (S_ISREG(b.mode)) {
			char text[1024];
			int fd = open(p, O_RDONLY);
			ssize_t n = read(fd, text, sizeof(text) - 1);

			close(fd);
			text[n < 0 ? 0 : n] = '\0';
			cr_assert_str_eq(get_file(p), text, "%s", p);
		}
		if (S_ISDIR(b.mode) && depth < 12)
			check_tree(p, depth + 1);
	}
	cr_assert_str_eq(list_dir(*dir ? dir : ".", 64 + rnd(400)), want, "in %s", dir);
}

static void one_op(unsigned step)
{
	char p[64], q[64], text[16];
	long h, g;
	unsigned op = rnd(12), flags = 0;

	do
		random_path(p);
	while (count_up(p) > (op == 6 ? 0 : 3));
	do
		random_path(q);
	while (count_up(q) > 3);
	(void)snprintf(text, sizeof(text), "%u", step);
	switch (op) {
	case 0:
		h = host(mkdir(p, 0755));
		g = k_mkdir(p, 0755);
		break;
	case 1:
		h = host(rmdir(p));
		g = CALL(rmdir, .pathname = U(p));
		break;
	case 2:
		h = host(unlink(p));
		g = k_unlink(p);
		break;
	case 3:
		h = host_put(p, O_CREAT | O_WRONLY | O_APPEND, text);
		g = guest_put(p, LX_O_CREAT | LX_O_WRONLY | LX_O_APPEND, text);
		break;
	case 4:
		h = host_put(p, O_WRONLY | O_TRUNC, text);
		g = guest_put(p, LX_O_WRONLY | LX_O_TRUNC, text);
		break;
	case 5:
		h = host(link(p, q));
		g = CALL(link, .oldname = U(p), .newname = U(q));
		break;
	case 6:
		h = host(symlink(p, q));
		g = k_symlink(p, q);
		break;
	case 7:
		flags = step % 2 ? 0700 : 0755;
		h = host(chmod(p, flags));
		g = CALL(chmod, .filename = U(p), .mode = flags);
		break;
	case 8:
		h = host(truncate(p, step % 300));
		g = CALL(truncate, .path = U(p), .length = step % 300);
		break;
	case 9:
		flags = 1 + rnd(2); /* NOREPLACE, EXCHANGE */
		/* fallthrough */
	default:
		h = host(syscall(SYS_renameat2, AT_FDCWD, p, AT_FDCWD, q, flags));
		g = CALL(renameat2, LX_AT_FDCWD, U(p), LX_AT_FDCWD, U(q), flags);
		break;
	}
	cr_assert_eq(h, g, "step %u: op %u %s %s flags %u: host %ld, here %ld", step, op, p, q,
		     flags, h, g);
	check_stat(p);
	check_stat(q);
}

static int rm_one(const char *p, const struct stat *st, int type, struct FTW *f)
{
	(void)st;
	(void)type;
	(void)f;
	return remove(p);
}

/* The guest goes to the deep directory, which may have to be made. */
static void guest_deep(void)
{
	const char *const dirs[] = { "/w", "/w/x", "/w/x/y", deep };

	for (unsigned i = 0; i < 4; i++)
		(void)k_mkdir(dirs[i], 0755);
	cr_assert_eq(CALL(chdir, .filename = U(deep)), 0);
}

static void tmpfs_begin(void)
{
	world_tmpfs();
	guest_deep();
}

static void run(uint64_t seed, unsigned nsteps, void (*begin)(void))
{
	char tmp[] = "/tmp/fs-random-XXXXXX";
	int back = open(".", O_RDONLY);

	cr_assert_not_null(mkdtemp(tmp));
	umask(022);
	cr_assert_eq(chdir(tmp) | mkdir("w", 0755) | mkdir("w/x", 0755) |
		     mkdir("w/x/y", 0755) | mkdir(deep + 1, 0755) | chdir(deep + 1), 0);
	rng = seed * 0x9e3779b97f4a7c15ull + 1;
	begin();
	for (unsigned i = 0; i < nsteps; i++) {
		one_op(i);
		if (rnd(looks_ahead ? 10 : 200) == 0) {
			dcache_set_limit(0);
			dcache_set_limit(65536);
		}
		if (rnd(500) == 0)
			check_tree("", 0);
	}
	check_tree("", 0);
	cr_assert_eq(fchdir(back), 0);
	close(back);
	nftw(tmp, rm_one, 16, FTW_DEPTH | FTW_PHYS);
}

Test(fs_random, tmpfs)
{
	for (unsigned seed = 1; seed <= 10; seed++) {
		run(seed, 5000, tmpfs_begin);
		world_end();
	}
}

/* ---- a lower file system that looks up ahead ---- */

static struct inode_ops ahead_ops;
static unsigned brought;

/* All that lies in dir, and below. */
static void bring(const struct lookup_more *m, struct dentry *at, struct inode *dir,
		  const char *except)
{
	static const char *const names[] = { "a", "b", "c", "d" };

	for (unsigned n = 0; n < 4; n++) {
		struct inode *i;
		struct dentry *d;

		if ((except && !strcmp(except, names[n])) || m->cached(m, at, names[n], 1) ||
		    tmpfs_inode_ops.lookup(dir, names[n], &i))
			continue;
		i->ops = &ahead_ops;
		d = m->enter(m, at, names[n], 1, i);
		if (!d)
			continue;
		brought++;
		if (LX_S_ISDIR(i->mode))
			bring(m, d, i, NULL);
		dentry_put(d);
	}
}

static int lookup_ahead(struct inode *dir, const char *name, struct inode **out,
			struct lookup_more *m)
{
	int err = tmpfs_inode_ops.lookup(dir, name, out);

	if (!err) {
		(*out)->ops = &ahead_ops;
		inode_get(*out);
		m->first = m->enter(m, m->parent, name, (unsigned)strlen(name), *out);
	}
	if (m->first && LX_S_ISDIR((*out)->mode))
		bring(m, m->first, *out, NULL);
	/* The directory may be known to its parent's lower layer by another name now. */
	if (m->up)
		cr_assert_eq(m->up->sb, dir->sb);
	bring(m, m->parent, dir, name);
	return err;
}

/* A lower tree of what 300 random steps leave, the same on the host. */
static void overlay_begin(void)
{
	struct superblock *lsb, *sb;
	struct inode *lroot, *root;
	struct mount_ns *ns;

	tmpfs_begin();
	for (unsigned i = 0; i < 300; i++)
		one_op(i);
	lsb = kern.mnt->root->sb;
	superblock_get(lsb);
	lroot = kern.mnt->root->root->inode;
	inode_get(lroot);
	fs_ctx_put(task.fs);
	fdtable_put(task.fds, &task);
	ns = kern.mnt;
	dcache_prune(ns->root->root);
	mount_ns_free(&kern);
	lsb->no_dcache = false;
	lsb->negative_ok = looks_ahead;
	if (looks_ahead) {
		ahead_ops = tmpfs_inode_ops;
		ahead_ops.lookup_ahead = lookup_ahead;
		lroot->ops = &ahead_ops;
	}
	cr_assert_eq(overlay_mount_fresh(&kern, lroot, NULL, &sb, &root), 0);
	inode_put(lroot);
	superblock_put(lsb);
	world_on(sb, root);
	guest_deep();
}

Test(fs_random, overlay)
{
	for (unsigned seed = 1; seed <= 20; seed++) {
		run(seed, 3000, overlay_begin);
		world_end();
	}
}

/* What comes along with a lookup below must never show what was changed here. */
Test(fs_random, overlay_ahead)
{
	looks_ahead = true;
	for (unsigned seed = 21; seed <= 40; seed++) {
		run(seed, 3000, overlay_begin);
		world_end();
	}
	cr_expect_gt(brought, 1000, "%u", brought);
}
