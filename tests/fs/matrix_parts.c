/* The tables of the matrix: which operation meets which object, path, user and mode. */
#include "tests/fs/matrix.h"

#include <linux/fs.h>
#include <sys/inotify.h>
#include <time.h>

static void setup(enum kind k)
{
	wipe();
	make(K_REG, "other");
	make(K_EMPTYDIR, "otherdir");
	make(k, "o");
}

static void run_op(const struct op *op, const char *path)
{
	long r;

	errno = 0;
	r = op->fn(path);
	result("%s;", err_name(r));
}

/* ---- every operation on every kind, with every ending of the path ---- */

void matrix_kinds(void)
{
	static const char *const endings[] = { "", "/", "/.", "/..", "/x" };
	char path[40];

	for (unsigned i = 0; i < nops; i++)
		for (int k = 0; k < KINDS; k++)
			for (unsigned e = 0; e < 5; e++) {
				if (!wanted())
					continue;
				setup((enum kind)k);
				snprintf(path, sizeof(path), "o%s", endings[e]);
				check_begin(ops[i].family, "%s/%s%s", ops[i].name, kind_names[k],
					    endings[e]);
				run_op(&ops[i], path);
				describe(".");
				check_end();
			}
}

/* ---- every operation on paths that do not work, or only just ---- */

static char path_4095[4200], path_4096[4200], long_slashes[4200];

static void fill(char *p, size_t n)
{
	memset(p, 0, 4200);
	for (size_t i = 0; i + 1 < n; i += 2)
		memcpy(p + i, "./", 2);
	memcpy(p + n - 1, "o", 1);
}

static const char *const paths[][2] = {
	{ "empty", "" },
	{ "null", NULL },
	{ "bad-pointer", (const char *)8 },
	{ "dot", "." },
	{ "dotdot", "otherdir/.." },
	{ "dot-slash", "otherdir/./" },
	{ "slash", "/" },
	{ "missing-parent", "missing/o" },
	{ "missing-parent-dotdot", "missing/../other" },
	{ "file-parent", "other/o" },
	{ "file-dotdot", "other/../other" },
	{ "loop-parent", "loop/o" },
	{ "dangling-parent", "dangling/o" },
	{ "link-parent", "dirlink/o" },
	{ "link-20", "l20" },
	{ "link-41", "l41" },
	{ "link-20-parent", "d20/o" },
	{ "link-41-parent", "d41/o" },
	{ "name-255", name255 },
	{ "name-256", name256 },
	{ "dir-255", "otherdir/.//..//otherdir/." },
	{ "parent-256", NULL }, /* made below */
	{ "path-4095", path_4095 },
	{ "path-4096", path_4096 },
	{ "path-5000", big_path },
	{ "slashes", long_slashes },
	{ "double-slash", ".//otherdir//o" },
	{ "absolute-link", "abs" },
	{ "empty-name-link", "otherdir/" },
};
#define NPATHS (sizeof(paths) / sizeof(paths[0]))

static void chain(const char *stem, int n, const char *target)
{
	char from[16], to[16];

	for (int i = 1; i <= n; i++) {
		snprintf(from, sizeof(from), "%s%d", stem, i);
		snprintf(to, sizeof(to), "%s%d", stem, i - 1);
		if (symlink(i == 1 ? target : to, from))
			die("symlink");
	}
}

static void path_world(void)
{
	wipe();
	make(K_REG, "other");
	make(K_EMPTYDIR, "otherdir");
	make(K_LOOP, "loop");
	make(K_DANGLING, "dangling");
	if (symlink("otherdir", "dirlink") || symlink("/nowhere/at/all", "abs"))
		die("symlink");
}

void matrix_paths(void)
{
	char long_parent[300];
	struct stat st;

	fill(path_4095, 4095);
	fill(path_4096, 4096);
	memset(long_slashes, '/', 300);
	memcpy(long_slashes, ".", 1);
	memcpy(long_slashes + 300, "other", 6);
	memset(big_path, 'p', sizeof(big_path) - 1);
	snprintf(long_parent, sizeof(long_parent), "%s/o", name256);
	for (unsigned i = 0; i < nops; i++) {
		path_world();
		chain("l", 41, "other");
		chain("d", 41, "otherdir");
		for (unsigned p = 0; p < NPATHS; p++) {
			bool own = !strcmp(ops[i].name, "rename_dir_to");

			/* Everything that might do harm to the root directory of the host. */
			if (!strcmp(paths[p][0], "slash") &&
			    (strcmp(ops[i].family, "stat") && strcmp(ops[i].family, "rmdir") &&
			     strcmp(ops[i].family, "mkdir") && strcmp(ops[i].family, "unlink")))
				continue;
			if (!wanted())
				continue;
			check_begin(ops[i].family, "%s/%s", ops[i].name, paths[p][0]);
			run_op(&ops[i], !strcmp(paths[p][0], "parent-256") ? long_parent : paths[p][1]);
			if (!lstat("fresh", &st) || !lstat("o", &st) || lstat("other", &st) ||
			    lstat("otherdir", &st) || !lstat("otherdir/o", &st) ||
			    !lstat(name255, &st) || st.st_mode != (S_IFDIR | 0755) || own) {
				result(" changed:");
				if (!lstat("fresh", &st))
					result(" fresh %o", st.st_mode);
				if (!lstat("o", &st))
					result(" o %o", st.st_mode);
				if (!lstat("otherdir/o", &st))
					result(" otherdir/o %o", st.st_mode);
				if (!lstat(name255, &st))
					result(" n %o", st.st_mode);
				path_world();
				chain("l", 41, "other");
				chain("d", 41, "otherdir");
			}
			check_end();
		}
	}
}

/* ---- users and permissions ---- */

static const struct user {
	const char *name;
	unsigned uid, gid;
	int ngroups;
	gid_t groups[2];
} users[] = {
	{ "owner", 1001, 3000, 0, { 0 } },
	{ "group", 1002, 2001, 0, { 0 } },
	{ "member", 1003, 3000, 2, { 5, 2001 } },
	{ "other", 1004, 3000, 1, { 5 } },
};

static bool perm_op(const struct op *op)
{
	static const char *const left_out[] = {
		"link_self", "rename_self", "rename_below", "rename_bad", "rename_both", "link_bad",
		"unlinkat_bad", "mknod_bad", "mknod_lnk", "mknod_dir", "symlink_empty",
		"symlink_long", "truncate_neg", "utimens_flag", "open_dir_creat", "open_path_dir",
		"readlink_zero", "getdents", "watch_dir", "lutimens", "symlink_255",
	};

	for (unsigned i = 0; i < sizeof(left_out) / sizeof(left_out[0]); i++)
		if (!strcmp(op->name, left_out[i]))
			return false;
	return true;
}

/* The object of the user 1001 and group 2001 with one digit of mode for all three. */
static void perm_object(enum kind k, unsigned bits)
{
	const char *path = "d/o";

	make(k, path);
	if (k == K_NONE)
		return;
	if (lchown(path, 1001, 2001) || chmod(path, bits * 0111))
		die("perm_object");
}

static void perm_world(enum kind k, unsigned dir_mode, unsigned obj_bits)
{
	wipe();
	if (chmod(".", 0777) || mkdir("d", 0755))
		die("perm_world");
	make(K_REG, "other");
	make(K_EMPTYDIR, "otherdir");
	if (chown("other", 1001, 2001) || chown("otherdir", 1001, 2001) || chmod("otherdir", 0777))
		die("chown");
	perm_object(k, obj_bits);
	if (chown("d", 1001, 2001) || chmod("d", dir_mode))
		die("chmod");
}

static void perm_check(const struct op *op, enum kind k, unsigned dir_mode, unsigned bits,
		       const struct user *u)
{
	if (!wanted())
		return;
	perm_world(k, dir_mode, bits);
	become(u->uid, u->gid, u->ngroups, u->groups);
	check_begin(op->family, "%s/%s-dir-%o-mode-%o-by-%s", op->name, kind_names[k], dir_mode,
		    bits, u->name);
	run_op(op, "d/o");
	be_root();
	describe(".");
	check_end();
}

static void matrix_sticky(void)
{
	static const unsigned owners[] = { 0, 1001, 1004 };
	static const char *const names[] = { "unlink", "rmdir", "rename_from", "rename_to",
					     "rename_dir_to", "rename_exchange", "rename_noreplace" };

	for (unsigned i = 0; i < nops; i++) {
		bool sticky = false;

		for (unsigned n = 0; n < sizeof(names) / sizeof(names[0]); n++)
			sticky |= !strcmp(ops[i].name, names[n]);
		for (int j = 0; sticky && j < 3 * 3 * 2; j++) {
			enum kind k = j % 2 ? K_EMPTYDIR : K_REG;
			unsigned dir_owner = owners[j / 2 % 3], owner = owners[j / 6];

			if (!wanted())
				continue;
			perm_world(k, 01777, 7);
			if (chown("d", dir_owner, 0) || chown("d/o", owner, 0) || chmod("d/o", 0777))
				die("sticky");
			become(1001, 1001, 0, NULL);
			check_begin(ops[i].family, "%s/sticky-%s-dir-of-%u-file-of-%u", ops[i].name,
				    kind_names[k], dir_owner, owner);
			run_op(&ops[i], "d/o");
			be_root();
			describe(".");
			check_end();
		}
	}
}

/* A directory with the set-group-id bit hands its group on. */
static void matrix_setgid(void)
{
	static const char *const names[] = { "mkdir", "mkdir_bits", "mkfifo", "mknod_reg", "symlink",
					     "open_creat", "mknod_sock" };

	for (unsigned i = 0; i < nops; i++)
		for (unsigned n = 0; n < sizeof(names) / sizeof(names[0]); n++)
			for (unsigned u = 0; u < 5 && !strcmp(ops[i].name, names[n]); u++) {
				if (!wanted())
					continue;
				perm_world(K_NONE, 02777, 7);
				if (u < 4)
					become(users[u].uid, users[u].gid, users[u].ngroups,
					       users[u].groups);
				check_begin(ops[i].family, "%s/setgid-dir-by-%s", ops[i].name,
					    u < 4 ? users[u].name : "root");
				run_op(&ops[i], "d/o");
				be_root();
				describe(".");
				check_end();
			}
}

/* Set-id bits and what takes them away. */
static void matrix_setid(void)
{
	static const char *const names[] = { "chown", "chown_none", "lchown", "chgrp_own",
					     "chown_self", "truncate_5", "truncate_0", "open_trunc",
					     "ftruncate", "utimens", "chmod", "lchmod" };
	static const unsigned modes[] = { 04755, 02755, 06777, 02745, 06644 };

	for (unsigned i = 0; i < nops; i++)
		for (unsigned n = 0; n < sizeof(names) / sizeof(names[0]); n++)
			for (unsigned j = 0; j < 5 * 3 * 2 && !strcmp(ops[i].name, names[n]); j++) {
				unsigned mode = modes[j % 5], u = j / 5 % 3;
				enum kind k = j >= 15 ? K_EMPTYDIR : K_REG;

				if (!wanted())
					continue;
				perm_world(k, 0777, 7);
				if (chmod("d/o", mode))
					die("chmod");
				if (u < 2)
					become(users[u].uid, users[u].gid, users[u].ngroups,
					       users[u].groups);
				check_begin(ops[i].family, "%s/%s-mode-%o-by-%s", ops[i].name,
					    kind_names[k], mode, u < 2 ? users[u].name : "root");
				run_op(&ops[i], "d/o");
				be_root();
				describe(".");
				check_end();
			}
}

void matrix_perms(void)
{
	static const unsigned dir_digits[] = { 0, 1, 2, 3, 5, 7 };
	static const unsigned obj_digits[] = { 0, 2, 4, 7 };

	for (unsigned i = 0; i < nops; i++) {
		if (!perm_op(&ops[i]))
			continue;
		/* The directory's bits for one class each, the object open to all. */
		for (unsigned u = 0; u < 4; u++)
			for (unsigned d = 0; d < 6; d++) {
				unsigned shift = u == 0 ? 6 : u == 3 ? 0 : 3;
				unsigned mode = 0777 & ~(7U << shift);

				if (u && dir_digits[d] % 2 == 0 && dir_digits[d])
					continue;
				mode |= dir_digits[d] << shift;
				perm_check(&ops[i], K_REG, mode, 7, &users[u]);
				if (d < 4 || u == 1)
					perm_check(&ops[i], K_NONE, mode, 7, &users[u]);
			}
		/* The object's bits, by owner and others. */
		for (unsigned m = 0; m < 4; m++) {
			perm_check(&ops[i], K_REG, 0777, obj_digits[m], &users[0]);
			perm_check(&ops[i], K_REG, 0777, obj_digits[m], &users[3]);
			perm_check(&ops[i], K_EMPTYDIR, 0777, obj_digits[m], &users[3]);
		}
	}
	matrix_sticky();
	matrix_setgid();
	matrix_setid();
}

/* ---- rename: kinds by kinds, flags, and where the names lie ---- */

void matrix_rename(void)
{
	static const unsigned flags[] = { 0, RENAME_NOREPLACE, RENAME_EXCHANGE };
	static const char *const places[][2] = {
		{ "a", "b" }, { "p/a", "q/b" }, { "a", "a/b" }, { "p/a", "p" }, { "p", "p/a" },
		{ "a", "a" }, { "p/a", "p/../p/a" }, { "a/", "b" }, { "a", "b/" }, { "a/.", "b" },
		{ "a", "b/." }, { "a", ".." }, { ".", "b" }, { "p/..", "b" }, { "a", "p/a/" },
	};
	char name[2][8];

	for (unsigned p = 0; p < sizeof(places) / sizeof(places[0]); p++)
		for (int j = 0; j < KINDS * KINDS * 3; j++) {
			int from = j % KINDS, to = j / KINDS % KINDS;
			unsigned f = flags[j / KINDS / KINDS];

			if (p > 1 && (to > 3 || (f == RENAME_NOREPLACE && p > 4)))
				continue;
			if (!wanted())
				continue;
			wipe();
			if (mkdir("p", 0755) || mkdir("q", 0755))
				die("mkdir");
			snprintf(name[0], sizeof(name[0]), "%s", p && p != 2 && p < 5 ? "p/a" : "a");
			snprintf(name[1], sizeof(name[1]), "%s", p == 1 ? "q/b" : "b");
			if (from == K_LINK_REG || from == K_LINK_DIR)
				make((enum kind)from, "a"), rename("a", name[0]);
			else
				make((enum kind)from, name[0]);
			if (to == K_LINK_REG || to == K_LINK_DIR) {
				if (symlink(to == K_LINK_REG ? "treg" : "tdir", name[1]))
					die("symlink");
			} else {
				make((enum kind)to, name[1]);
			}
			check_begin("rename", "%s-to-%s-%s-%s-flags-%u", kind_names[from],
				    kind_names[to], places[p][0], places[p][1], f);
			errno = 0;
			result("%s;", err_name(syscall(SYS_renameat2, AT_FDCWD, places[p][0], AT_FDCWD,
						       places[p][1], f)));
			describe(".");
			check_end();
		}
}

/* ---- which times an operation changes ---- */

struct stamps {
	bool there;
	struct statx sx;
};

static void stamp(struct stamps *s, const char *path)
{
	s->there = !statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &s->sx);
}

static bool moved(const struct statx_timestamp *a, const struct statx_timestamp *b)
{
	return a->tv_sec != b->tv_sec || a->tv_nsec != b->tv_nsec;
}

static void compare(const char *name, const struct stamps *a, const struct stamps *b)
{
	result(" %s:", name);
	if (!a->there || !b->there) {
		result("%s", a->there ? "gone" : b->there ? "new" : "none");
		return;
	}
	result("%s%s", moved(&a->sx.stx_mtime, &b->sx.stx_mtime) ? "m" : "-",
	       moved(&a->sx.stx_ctime, &b->sx.stx_ctime) ? "c" : "-");
}

/* Until the clock that times of files are made of has moved on. */
static void next_tick(void)
{
	struct timespec a, b;

	clock_gettime(CLOCK_REALTIME_COARSE, &a);
	do {
		clock_gettime(CLOCK_REALTIME_COARSE, &b);
	} while (a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec);
}

void matrix_times(void)
{
	static const char *const watched[] = { ".", "d", "d/o", "other", "otherdir" };
	static const enum kind kinds[] = { K_NONE, K_REG, K_EMPTYDIR, K_LINK_REG, K_FIFO };
	static const struct timespec old[2] = { { 1000000001, 0 }, { 1000000002, 0 } };
	struct stamps before[5], after[5];

	for (unsigned i = 0; i < nops; i++)
		for (unsigned k = 0; k < 5; k++) {
			if (!wanted())
				continue;
			wipe();
			if (mkdir("d", 0755))
				die("mkdir");
			make(K_REG, "other");
			make(K_EMPTYDIR, "otherdir");
			make(kinds[k], "d/o");
			for (int w = 4; w >= 0; w--)
				if (utimensat(AT_FDCWD, watched[w], old, AT_SYMLINK_NOFOLLOW) &&
				    errno != ENOENT)
					die("utimensat");
			for (int w = 0; w < 5; w++)
				stamp(&before[w], watched[w]);
			next_tick();
			check_begin("times", "%s-%s", ops[i].name, kind_names[kinds[k]]);
			run_op(&ops[i], "d/o");
			for (int w = 0; w < 5; w++) {
				stamp(&after[w], watched[w]);
				compare(watched[w], &before[w], &after[w]);
			}
			check_end();
		}
}

/* ---- what inotify tells of an operation ---- */

static void show_events(int in)
{
	static const char *const bits[] = {
		"access", "modify", "attrib", "close-write", "close", "open", "from", "to", "create",
		"delete", "delete-self", "move-self", "?", "unmount", "overflow", "ignored",
	};
	static uint32_t first_cookie;
	char buf[8192] __attribute__((aligned(8)));
	ssize_t n = read(in, buf, sizeof(buf));

	first_cookie = 0;
	for (ssize_t at = 0; at < n;) {
		const struct inotify_event *e = (const void *)(buf + at);

		result(" %d", e->wd);
		for (unsigned b = 0; b < 16; b++)
			if (e->mask & (1u << b))
				result(":%s", bits[b]);
		if (e->mask & IN_ISDIR)
			result(":dir");
		if (e->cookie && !first_cookie)
			first_cookie = e->cookie;
		if (e->cookie)
			result(":cookie%d", (int)(e->cookie - first_cookie));
		if (e->len && e->name[0] != '#')
			result(":%s/%u", e->name, e->len);
		at += (ssize_t)sizeof(*e) + (ssize_t)e->len;
	}
}

void matrix_inotify(void)
{
	static const enum kind kinds[] = { K_NONE, K_REG, K_EMPTYDIR, K_FULLDIR, K_LINK_REG, K_FIFO };
	int in;

	for (unsigned i = 0; i < nops; i++)
		for (unsigned k = 0; k < 6; k++) {
			if (!wanted())
				continue;
			wipe();
			if (mkdir("d", 0755))
				die("mkdir");
			make(K_REG, "other");
			make(K_EMPTYDIR, "otherdir");
			make(kinds[k], "d/o");
			in = inotify_init1(IN_NONBLOCK);
			inotify_add_watch(in, ".", IN_ALL_EVENTS);
			inotify_add_watch(in, "d", IN_ALL_EVENTS);
			inotify_add_watch(in, "d/o", IN_ALL_EVENTS);
			inotify_add_watch(in, "other", IN_ALL_EVENTS);
			inotify_add_watch(in, "otherdir", IN_ALL_EVENTS);
			check_begin("inotify", "%s-%s", ops[i].name, kind_names[kinds[k]]);
			run_op(&ops[i], "d/o");
			show_events(in);
			close(in);
			check_end();
		}
}
