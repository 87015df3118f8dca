/* A client that wishes the gofer ill. The gofer is not even pivoted here: whatever keeps
 * it below its exports must be its own doing. It must never leave them, never block,
 * never change a read-only export, and never die other than by closing the connection. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/gofer/hostile_client.h"

static uint8_t rx[GOFER_MSG_MAX], tx[GOFER_MSG_MAX + 4096];

static int open_node(struct gofer *g, uint32_t node, uint32_t access, int *fd)
{
	struct gofer_open_req q = { .node = node, .access = access, .name = gofer_str("") };
	struct gofer_open_rep p;

	*fd = -1;
	return do_open(g, &q, &p, fd);
}

/* ---- what should work ---- */

static void test_honest(void)
{
	struct gofer g = start(0);
	struct gofer_create_req cq = { .name = gofer_str("made"), .mode = 0640,
				       .uid = geteuid(), .gid = getegid() };
	struct gofer_create_rep cp;
	struct gofer_attr a;
	uint32_t root = attach(&g, 0), file, single = attach(&g, 2);
	int err, fd = -1;
	char buf[16] = "";

	check(root != 0, "attach");
	file = walk1(&g, root, "file", &a, &err);
	check(file && a.size == 6 && S_ISREG(a.mode), "walk to a file");
	check(open_node(&g, file, GOFER_OPEN_READ, &fd) == 0 && fd >= 0, "open it");
	check(pread(fd, buf, 6, 0) == 6 && !memcmp(buf, "hello\n", 6), "read it");
	check(write(fd, "x", 1) < 0, "a descriptor for reading does not write");
	close(fd);
	check(walk1(&g, root, "nothing", NULL, &err) == 0 && err == -ENOENT, "a missing name");
	cq.dir = root;
	check(do_create(&g, &cq, &cp, &fd) == 0 && fd >= 0 && (cp.attr.mode & 07777) == 0640,
	      "create");
	check(pwrite(fd, "data", 4, 0) == 4, "write the new file");
	close(fd);
	check(do_create(&g, &cq, &cp, &fd) == -EEXIST, "create is exclusive");
	check(single && open_node(&g, single, GOFER_OPEN_READ, &fd) == 0, "a single file");
	check(pread(fd, buf, 3, 0) == 3 && !memcmp(buf, "one", 3), "read the single file");
	close(fd);
	check(attach(&g, 4) == 0, "no fifth export");
	check_required("honest replies");
	stop(&g, "honest");
}

static void test_confined(void)
{
	struct gofer g = start(0);
	char path[64], line[256];
	bool filter = false, nnp = false;
	FILE *f;

	attach(&g, 0); /* an answer: it is past its start */
	snprintf(path, sizeof(path), "/proc/%d/status", (int)g.pid);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f)) {
		filter |= !strcmp(line, "Seccomp:\t2\n");
		nnp |= !strcmp(line, "NoNewPrivs:\t1\n");
	}
	if (f)
		fclose(f);
	check(filter && nnp, "the gofer has a filter and no_new_privs");
	stop(&g, "confined");
}

/* ---- traps ---- */

static void test_bad_names(void)
{
	static const char *const bad[] = { "..", ".", "", "/", "/etc", "dir/sub", "../outside",
					   "traps/rel", "dir/" };
	static char longname[400];
	struct gofer g = start(0);
	uint32_t root = attach(&g, 0);
	int err;

	memset(longname, 'a', 300);
	check(!walk1(&g, root, longname, NULL, &err) && err == -ENAMETOOLONG, "a long name");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct gofer_mkdir_req m = { .dir = root, .name = gofer_str(bad[i]), .mode = 0755 };
		struct gofer_mkdir_rep mp;
		struct gofer_create_req c = { .dir = root, .name = gofer_str(bad[i]),
					      .mode = 0644 };
		struct gofer_create_rep cp;
		struct gofer_unlink_req u = { .dir = root, .name = gofer_str(bad[i]), .is_dir = 1 };
		struct gofer_unlink_rep up;
		struct gofer_rename_req r = { .odir = root, .oname = gofer_str("file"),
					      .ndir = root, .nname = gofer_str(bad[i]) };
		struct gofer_rename_rep rp;

		check(!walk1(&g, root, bad[i], NULL, &err) && err < 0, "walk to '%s'", bad[i]);
		check(do_mkdir(&g, &m, &mp, NULL) < 0, "mkdir '%s'", bad[i]);
		check(do_create(&g, &c, &cp, NULL) < 0, "create '%s'", bad[i]);
		check(do_unlink(&g, &u, &up, NULL) < 0, "rmdir '%s'", bad[i]);
		check(do_rename(&g, &r, &rp, NULL) < 0, "rename to '%s'", bad[i]);
	}
	stop(&g, "bad names");
}

static void test_traps(void)
{
	static const char *const trap[] = { "rel", "abs", "dirlink", "self", "proc", "fifo",
					    "sock", "null" };
	struct gofer g = start(0);
	uint32_t root = attach(&g, 0), traps, node;
	int err, fd;

	traps = walk1(&g, root, "traps", NULL, &err);
	for (size_t i = 0; i < sizeof(trap) / sizeof(trap[0]); i++) {
		struct gofer_setattr_req s = { .valid = GOFER_SET_SIZE, .size = 0 };
		struct gofer_setattr_rep sp;
		struct gofer_readdir_req r = { .cookie = 0 };
		struct gofer_readdir_rep rp;
		struct gofer_attr a = { .mode = 0 };

		node = walk1(&g, traps, trap[i], &a, &err);
		if (!node) {
			check(err == -ENOENT, "walk to %s: %d", trap[i], err);
			continue;
		}
		check(!S_ISREG(a.mode) && !S_ISDIR(a.mode), "%s was not followed", trap[i]);
		for (uint32_t acc = 0; acc < 3; acc++)
			check(open_node(&g, node, acc, &fd) < 0 && fd < 0, "open %s", trap[i]);
		check(!walk1(&g, node, "secret", NULL, &err) && err == -ENOTDIR,
		      "walk through %s: %d", trap[i], err);
		s.node = r.node = node;
		check(do_setattr(&g, &s, &sp, NULL) < 0, "truncate %s", trap[i]);
		check(do_readdir(&g, &r, &rp, NULL) == -ENOTDIR, "list %s", trap[i]);
	}
	/* A wrong hint must not lead to another file. */
	{
		struct gofer_open_req q = { .dir = traps, .name = gofer_str("rel") };
		struct gofer_open_rep p;
		char c;

		q.node = walk1(&g, root, "file", NULL, &err);
		fd = -1;
		err = do_open(&g, &q, &p, &fd);
		check(err || (read(fd, &c, 1) == 1 && c == 'h'), "a wrong hint");
		if (fd >= 0)
			close(fd);
	}
	check(open_node(&g, root, GOFER_OPEN_READ, &fd) < 0, "a directory is not donated");
	check_required("traps");
	stop(&g, "traps");
}

/* A host process keeps exchanging a directory for a symlink that leads out. */
static void test_race(void)
{
	char dir[128], link[128], where[160], planted[128];
	struct gofer g = start(0);
	uint32_t root, race;
	unsigned found = 0;
	pid_t pid;
	int err;

	snprintf(dir, sizeof(dir), "%s/root/race/x", top);
	snprintf(link, sizeof(link), "%s/root/race/y", top);
	snprintf(where, sizeof(where), "%s/outside", top);
	snprintf(planted, sizeof(planted), "%s/outside/planted", top);
	if ((mkdir(dir, 0777) < 0 || symlink(where, link) < 0) && errno != EEXIST)
		exit(2);
	snprintf(where, sizeof(where), "%s/secret", dir);
	close(open(where, O_CREAT | O_WRONLY, 0644));
	pid = fork();
	if (pid == 0)
		for (;;)
			renameat2(AT_FDCWD, dir, AT_FDCWD, link, 2 /* RENAME_EXCHANGE */);
	root = attach(&g, 0);
	race = walk1(&g, root, "race", NULL, &err);
	for (int i = 0; i < 3000 && !g.hung_up; i++) {
		uint32_t forget[2] = { 0, 0 };
		struct gofer_forget_req fq = { 2, { (uint8_t *)forget, sizeof(forget) } };
		struct gofer_forget_rep fp;
		struct gofer_create_req c = { .name = gofer_str("planted"), .mode = 0644,
					      .uid = geteuid(), .gid = getegid() };
		struct gofer_create_rep cp;
		struct gofer_open_req q = { .dir = race, .name = gofer_str("x") };
		struct gofer_open_rep op;
		int fd = -1;

		forget[0] = walk1(&g, race, "x", NULL, &err);
		if (forget[0]) {
			forget[1] = walk1(&g, forget[0], "secret", NULL, &err);
			c.dir = forget[0];
			if (do_create(&g, &c, &cp, &fd) == 0 && fd >= 0)
				close(fd);
		}
		if (forget[1]) {
			found++;
			q.node = forget[1];
			q.dir = forget[0];
			q.name = gofer_str("secret");
			fd = -1;
			if (do_open(&g, &q, &op, &fd) == 0 && fd >= 0)
				check_fd(fd, true);
			if (fd >= 0)
				close(fd);
		}
		do_forget(&g, &fq, &fp, NULL);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	check(found > 0, "the race was run");
	check(access(planted, F_OK) < 0, "nothing was made outside");
	check_required("race");
	stop(&g, "race");
}

/* ---- read-only exports ---- */

static void test_readonly(void)
{
	struct gofer g = start(0);
	uint32_t rw = attach(&g, 0), ro = attach(&g, 1), file, dir;
	struct gofer_str n = gofer_str("n"), f = gofer_str("file");
	struct gofer_create_req c = { ro, n, 0644, 0, 0, 0, 0 };
	struct gofer_create_req tmp = { ro, gofer_str(""), 0644, 0, 0, 0, GOFER_CREATE_TMPFILE };
	struct gofer_mkdir_req m = { ro, n, 0755, 0, 0, 0 };
	struct gofer_mknod_req k = { ro, n, S_IFIFO | 0644, 0, 0, 0, 0 };
	struct gofer_symlink_req s = { ro, n, n, 0, 0 };
	struct gofer_unlink_req u = { ro, f, 0, 0 };
	struct gofer_rename_req r1 = { ro, f, rw, n, 0, 0, 0 }, r2 = { rw, f, ro, n, 0, 0, 0 };
	struct gofer_rename_req r3 = { ro, f, ro, n, 0, 0, 0 };
	struct gofer_setattr_req a = { .valid = GOFER_SET_MODE, .mode = 0777 };
	struct gofer_setxattr_req x = { .name = gofer_str("user.x"), .value = { tx, 1 } };
	struct gofer_removexattr_req rx_q = { .name = gofer_str("user.x") };
	struct gofer_link_req l = { .dir = ro, .name = n };
	struct gofer_create_rep cp;
	struct gofer_mkdir_rep mp;
	struct gofer_mknod_rep kp;
	struct gofer_symlink_rep sp;
	struct gofer_unlink_rep up;
	struct gofer_rename_rep rp;
	struct gofer_setattr_rep ap;
	struct gofer_setxattr_rep xp;
	struct gofer_removexattr_rep rxp;
	struct gofer_link_rep lp;
	struct gofer_open_req o = { .access = GOFER_OPEN_WRITE, .dir = rw, .name = f };
	struct gofer_open_rep op;
	int err, fd;

	file = walk1(&g, ro, "file", NULL, &err);
	dir = walk1(&g, ro, "dir", NULL, &err);
	check(do_create(&g, &c, &cp, NULL) == -EROFS, "create");
	check(do_create(&g, &tmp, &cp, NULL) == -EROFS, "O_TMPFILE");
	check(do_mkdir(&g, &m, &mp, NULL) == -EROFS, "mkdir");
	check(do_mknod(&g, &k, &kp, NULL) == -EROFS, "mknod");
	check(do_symlink(&g, &s, &sp, NULL) == -EROFS, "symlink");
	check(do_unlink(&g, &u, &up, NULL) == -EROFS, "unlink");
	check(do_rename(&g, &r1, &rp, NULL) < 0, "rename out");
	check(do_rename(&g, &r2, &rp, NULL) < 0, "rename in");
	check(do_rename(&g, &r3, &rp, NULL) == -EROFS, "rename within");
	l.node = file;
	check(do_link(&g, &l, &lp, NULL) == -EROFS, "link");
	l.dir = rw;
	check(do_link(&g, &l, &lp, NULL) == -EXDEV, "link out");
	a.node = x.node = rx_q.node = file;
	check(do_setattr(&g, &a, &ap, NULL) == -EROFS, "chmod");
	a.node = dir;
	check(do_setattr(&g, &a, &ap, NULL) == -EROFS, "chmod of a directory");
	check(do_setxattr(&g, &x, &xp, NULL) == -EROFS, "setxattr");
	check(do_removexattr(&g, &rx_q, &rxp, NULL) == -EROFS, "removexattr");
	check(open_node(&g, file, GOFER_OPEN_WRITE, &fd) == -EROFS, "open for writing");
	check(open_node(&g, file, GOFER_OPEN_RDWR, &fd) == -EROFS, "open for both");
	o.node = file;
	check(do_open(&g, &o, &op, NULL) < 0, "open with a hint from the other export");
	o.node = walk1(&g, rw, "file", NULL, &err);
	o.dir = ro;
	check(do_open(&g, &o, &op, NULL) < 0, "a read-only hint for a writable file");
	check(open_node(&g, file, GOFER_OPEN_READ, &fd) == 0, "open for reading");
	check_fd(fd, false);
	close(fd);
	check_required("read-only");
	stop(&g, "read-only");
}

/* ---- the filestore: files without a name, and nothing else ---- */

static void test_filestore(void)
{
	struct gofer g = start(0);
	uint32_t store = attach(&g, 3), rw = attach(&g, 0);
	struct gofer_str n = gofer_str("n"), f = gofer_str("file");
	struct gofer_create_req c = { store, n, 0644, 0, 0, 0, 0 };
	struct gofer_create_req tmp = { store, gofer_str(""), 0600, 0, 0, 0, GOFER_CREATE_TMPFILE };
	struct gofer_mkdir_req m = { store, n, 0755, 0, 0, 0 };
	struct gofer_unlink_req u = { store, f, 0, 0 };
	struct gofer_rename_req r1 = { store, f, rw, n, 0, 0, 0 }, r2 = { rw, f, store, n, 0, 0, 0 };
	struct gofer_setattr_req a = { .node = store, .valid = GOFER_SET_MODE, .mode = 0777 };
	struct gofer_readdir_req d = { .node = store };
	struct gofer_getxattr_req x = { .node = store, .name = gofer_str("user.x") };
	struct gofer_link_req l = { .dir = store, .name = n };
	struct gofer_create_rep cp;
	struct gofer_mkdir_rep mp;
	struct gofer_unlink_rep up;
	struct gofer_rename_rep rp;
	struct gofer_setattr_rep ap;
	struct gofer_readdir_rep dp;
	struct gofer_getxattr_rep xp;
	struct gofer_link_rep lp;
	int err, fd = -1;

	check(store && do_create(&g, &tmp, &cp, &fd) == 0 && fd >= 0, "a file without a name");
	check(pwrite(fd, "data", 4, 0) == 4, "write it");
	close(fd);
	tmp.dir = cp.node;
	check(do_create(&g, &tmp, &cp, NULL) < 0, "not in a file of it");
	check(walk1(&g, store, "file", NULL, &err) == 0 && err == -ENOENT, "walk");
	check(do_create(&g, &c, &cp, NULL) == -EROFS, "create");
	check(do_mkdir(&g, &m, &mp, NULL) == -EROFS, "mkdir");
	check(do_unlink(&g, &u, &up, NULL) == -EROFS, "unlink");
	check(do_rename(&g, &r1, &rp, NULL) < 0, "rename out");
	check(do_rename(&g, &r2, &rp, NULL) < 0, "rename in");
	check(do_setattr(&g, &a, &ap, NULL) == -EROFS, "chmod");
	check(do_getxattr(&g, &x, &xp, NULL) == -EOPNOTSUPP, "getxattr");
	err = do_readdir(&g, &d, &dp, NULL);
	check(err < 0 || dp.count == 0, "readdir");
	l.node = walk1(&g, rw, "file", NULL, &err);
	check(do_link(&g, &l, &lp, NULL) < 0, "link in");
	check_required("filestore");
	stop(&g, "filestore");
}

/* ---- malformed messages ---- */

static void send_and_drain(struct gofer *g, const void *buf, size_t len, bool oneway,
			   const char *name)
{
	ssize_t n;
	int fd;

	if (!g->hung_up && send_raw(g, buf, len) && !oneway) {
		n = receive(g, rx, sizeof(rx), &fd);
		require(n == 0 || n >= 12, "a reply too short");
		if (fd >= 0) {
			check_fd(fd, true);
			close(fd);
		}
	}
	renew(g, name);
}

static void test_truncated(void)
{
	struct gofer g = start(0);

	rnd_seed(7);
	for (uint32_t op = 1; op < GOFER_OP_END; op++) {
		size_t len;

		npool = 0;
		pool[npool++] = attach(&g, 0);
		len = random_request(op, 1, tx, 4096);
		/* A single byte rings for the channel, and has no answer. */
		for (size_t cut = 2; cut < len && cut < 300; cut++)
			send_and_drain(&g, tx, cut, op == GOFER_OP_FORGET && cut >= 12,
				       "truncated");
		/* and something left over */
		memset(tx + len, 0, 8);
		send_and_drain(&g, tx, len + 5, op == GOFER_OP_FORGET, "left over");
	}
	memset(tx, 0xff, sizeof(tx));
	send_and_drain(&g, tx, sizeof(tx), false, "too long");
	send_and_drain(&g, tx, GOFER_MSG_MAX, false, "all ones");
	memset(tx, 0, sizeof(tx));
	send_and_drain(&g, tx, GOFER_MSG_MAX, false, "all zeros");
	check_required("malformed");
	check(attach(&g, 0) != 0, "it serves on");
	stop(&g, "malformed");
}

static void test_mutated(void)
{
	struct gofer g = start(0);

	for (unsigned i = 0; i < 20000; i++) {
		uint32_t op = 1 + i % (GOFER_OP_END - 1);
		size_t len, flips;

		rnd_seed(100000 + i);
		if (i % 50 == 0) {
			npool = 0;
			pool[npool++] = attach(&g, 0);
		}
		if (op == GOFER_OP_FORGET)
			continue; /* one-way: tried elsewhere */
		len = random_request(op, i, tx, 4096);
		/* Behind the operation's number, so that an answer is due. */
		for (flips = 1 + rnd(4); flips; flips--)
			tx[4 + rnd((uint32_t)len - 4)] ^= (uint8_t)(1u << rnd(8));
		send_and_drain(&g, tx, len, false, "mutated");
	}
	check_required("mutated");
	check(attach(&g, 0) != 0, "it serves on");
	stop(&g, "mutated");
}

/* ---- wrong use of nodes ---- */

static void test_nodes(void)
{
	struct gofer g = start(0);
	struct gofer_stat_req sq = { .node = 1 };
	struct gofer_stat_rep sp;
	uint32_t root, dir, sub, ids[4];
	struct gofer_forget_req fq = { 4, { (uint8_t *)ids, sizeof(ids) } };
	struct gofer_forget_rep fp;
	struct gofer_readdir_req rq = { .cookie = 0 };
	struct gofer_readdir_rep rp;
	int err;

	check(do_stat(&g, &sq, &sp, NULL) == -EBADF, "a node before any attach");
	check(walk1(&g, 0, "file", NULL, &err) == 0 && err == -EBADF, "node 0");
	root = attach(&g, 0);
	dir = walk1(&g, root, "dir", NULL, &err);
	sub = walk1(&g, dir, "sub", NULL, &err);
	rq.node = dir;
	check(do_readdir(&g, &rq, &rp, NULL) == 0 && rp.eof && rp.count == 1, "list");
	ids[0] = ids[1] = dir;
	ids[2] = 0xffffffff;
	ids[3] = 0;
	do_forget(&g, &fq, &fp, NULL);
	sq.node = dir;
	check(do_stat(&g, &sq, &sp, NULL) == -EBADF, "a forgotten node");
	check(do_readdir(&g, &rq, &rp, NULL) == -EBADF, "list a forgotten node");
	check(walk1(&g, sub, "deep", NULL, &err) != 0, "its child is still good");
	check(walk1(&g, root, "dir", NULL, &err) != dir, "a number comes back changed");
	rq.node = root;
	for (uint64_t c = 1; c; c = c << 7 | (c >> 60 ? 0 : 1)) {
		rq.cookie = c;
		err = do_readdir(&g, &rq, &rp, NULL);
		require(err <= 0, "list from a wild position");
	}
	fq.count = 0xffffffff;
	do_forget(&g, &fq, &fp, NULL);
	fq.count = 1000;
	do_forget(&g, &fq, &fp, NULL);
	check(attach(&g, 0) != 0, "it serves on");
	check_required("nodes");
	stop(&g, "nodes");
}

/* Rename with nodes that are not the files behind the names: parents in a circle. */
static void test_rename_lies(void)
{
	struct gofer g = start(0);
	uint32_t root = attach(&g, 0), a, b;
	struct gofer_mkdir_req m = { root, gofer_str("la"), 0755, 0, geteuid(), getegid() };
	struct gofer_mkdir_rep mp;
	struct gofer_rename_req r = { .oname = gofer_str("lb"), .nname = gofer_str("lc") };
	struct gofer_rename_rep rp;
	uint32_t ids[3];
	struct gofer_forget_req fq = { 3, { (uint8_t *)ids, sizeof(ids) } };
	struct gofer_forget_rep fp;
	int before = count_fds(g.pid);

	check(do_mkdir(&g, &m, &mp, NULL) == 0, "mkdir");
	a = mp.node;
	m.dir = a;
	m.name = gofer_str("lb");
	check(do_mkdir(&g, &m, &mp, NULL) == 0, "mkdir below");
	b = mp.node;
	r.odir = r.ndir = a;
	r.src = root;
	r.dst = a;
	check(do_rename(&g, &r, &rp, NULL) == 0, "rename, the source a lie");
	r.oname = gofer_str("lc");
	r.nname = gofer_str("ld");
	r.src = a;
	check(do_rename(&g, &r, &rp, NULL) == 0, "rename, the source its own parent");
	ids[0] = a;
	ids[1] = b;
	ids[2] = 0;
	do_forget(&g, &fq, &fp, NULL);
	check(attach(&g, 0) != 0 && count_fds(g.pid) == before + 1, "nothing is kept for ever");
	check_required("rename lies");
	stop(&g, "rename lies");
}

static void test_exhaustion(void)
{
	struct gofer g = start(300);
	uint32_t root, id = 0, first = 0, ids[1024], n = 0;
	struct gofer_forget_req fq = { 0, { (uint8_t *)ids, 0 } };
	struct gofer_forget_rep fp;
	int err = 0, fd;

	root = attach(&g, 0);
	for (uint32_t i = 0; i < 2000 && !err; i++) {
		id = walk1(&g, root, "file", NULL, &err);
		if (!first)
			first = id;
		if (id && n < 1024)
			ids[n++] = id;
	}
	check(err == -ENFILE || err == -EMFILE, "too many nodes: %d", err);
	check(open_node(&g, first, GOFER_OPEN_READ, &fd) == 0, "opening still works");
	close(fd);
	fq.count = n;
	fq.nodes.len = n * 4;
	do_forget(&g, &fq, &fp, NULL);
	check(walk1(&g, root, "file", NULL, &err) != 0, "room again");
	check_required("exhaustion");
	stop(&g, "exhaustion");
}

/* Descriptors that we send must not pile up in the gofer. */
static void test_sent_fds(void)
{
	struct gofer g = start(0);
	char space[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8))) = { 0 };
	uint32_t root = attach(&g, 0);
	int before = count_fds(g.pid), fd, zero = open("/dev/zero", O_RDONLY);

	for (int i = 0; i < 100; i++) {
		struct gofer_head h = { GOFER_OP_STAT, (uint32_t)i, 0 };
		struct gofer_stat_req q = { root };
		struct gofer_enc e = { tx, tx + sizeof(tx), false };
		struct iovec iov;
		struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = space,
				    .msg_controllen = sizeof(space) };
		struct cmsghdr *c = CMSG_FIRSTHDR(&m);

		c->cmsg_len = CMSG_LEN(sizeof(int));
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		memcpy(CMSG_DATA(c), &zero, sizeof(int));
		gofer_put_head(&e, &h);
		gofer_put_stat_req(&e, &q);
		iov = (struct iovec){ tx, (size_t)(e.p - tx) };
		require(sendmsg(g.sock, &m, MSG_NOSIGNAL) > 0, "send");
		require(receive(&g, rx, sizeof(rx), &fd) > 0 && fd < 0, "a plain answer");
	}
	close(zero);
	check(before > 0 && count_fds(g.pid) == before, "no descriptor stays");
	check_required("sent descriptors");
	stop(&g, "sent descriptors");
}

/* ---- random requests ---- */

/* Nodes that a reply brought go into the pool. */
static void learn(uint32_t op, const uint8_t *p, size_t len)
{
	struct gofer_dec d = { p, p + len, false };
	struct gofer_head h;
	struct gofer_walk_rep w;
	struct gofer_walked e;

	gofer_get_head(&d, &h);
	if (h.err || op != GOFER_OP_WALK)
		return;
	gofer_get_walk_rep(&d, &w);
	require(gofer_dec_done(&d), "a malformed reply");
	d = (struct gofer_dec){ w.entries.p, w.entries.p + w.entries.len, false };
	for (uint32_t i = 0; i < w.count; i++) {
		gofer_get_walked(&d, &e);
		require(!d.bad, "a malformed walk entry");
		check_attr(&e.attr);
		if (!e.node)
			continue;
		if (npool < 200)
			pool[npool++] = e.node;
		else
			pool[3 + rnd(197)] = e.node;
	}
}

static void random_session(uint64_t seed)
{
	struct gofer g = start(0);

	rnd_seed(seed);
	npool = 0;
	for (uint32_t i = 0; i < 3; i++)
		pool[npool++] = attach(&g, i);
	for (unsigned i = 0; i < 3000 && !g.hung_up; i++) {
		uint32_t op = rnd(3) ? 1 + rnd(GOFER_OP_END - 1) : (uint32_t)GOFER_OP_WALK;
		size_t len = random_request(op, i, tx, GOFER_MSG_MAX);
		ssize_t n;
		int fd = -1;

		if (!send_raw(&g, tx, len) || op == GOFER_OP_FORGET)
			continue;
		n = receive(&g, rx, sizeof(rx), &fd);
		if (fd >= 0) {
			check_fd(fd, true);
			close(fd);
		}
		if (n > 0)
			learn(op, rx, (size_t)n);
	}
	require(!g.hung_up, "well-formed requests made the gofer hang up");
	check_required("random");
	stop(&g, "random");
}

/* What is outside, and what is read-only, must be as it was. */
static void test_untouched(void)
{
	char p[128], buf[32];
	struct stat st;
	int fd, n;

	snprintf(p, sizeof(p), "%s/outside/secret", top);
	check(stat(p, &st) == 0 && st.st_ino == secret.st_ino && st.st_mode == secret.st_mode &&
		      st.st_uid == secret.st_uid && st.st_nlink == 1 &&
		      st.st_ctim.tv_sec == secret.st_ctim.tv_sec &&
		      st.st_ctim.tv_nsec == secret.st_ctim.tv_nsec,
	      "the secret is as it was");
	snprintf(p, sizeof(p), "%s/ro/file", top);
	fd = open(p, O_RDONLY);
	n = (int)read(fd, buf, sizeof(buf));
	check(n == 10 && !memcmp(buf, "read only\n", 10), "the read-only file is as it was");
	close(fd);
	snprintf(p, sizeof(p), "%s/ro", top);
	check(stat(p, &st) == 0 && st.st_nlink <= 3, "the read-only directory is as it was");
	snprintf(p, sizeof(p), "%s/outside", top);
	check(stat(p, &st) == 0 && st.st_nlink <= 2, "no directory was made outside");
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	umask(022);
	make_tree();
	test_honest();
	test_confined();
	test_bad_names();
	test_traps();
	test_readonly();
	test_filestore();
	test_truncated();
	test_nodes();
	test_rename_lies();
	test_exhaustion();
	test_ahead();
	test_opens();
	test_sent_fds();
	test_race();
	test_channel();
	test_mutated();
	for (uint64_t seed = 1; seed <= 20; seed++) {
		by_name = seed > 15;
		random_session(seed);
	}
	test_traps();
	test_race();
	test_untouched();
	remove_tree();
	return report();
}
